/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files in which the SR-IOV device plugin tells Multus of a device (dp/), and Multus or a CNI plugin of one that a pod has (cni/):
 * the Network Plumbing Working Group's "device information" specification.
 */
#ifndef WARDEN_KUBE_DEVINFO_H
#define WARDEN_KUBE_DEVINFO_H

#include <limits.h>
#include <stddef.h>

#include "lib/err.h"

#define DEVINFO_DP_DIR "/var/run/k8s.cni.cncf.io/devinfo/dp"
#define DEVINFO_CNI_DIR "/var/run/k8s.cni.cncf.io/devinfo/cni"
#define DEVINFO_MAX 4096 /* files of a folder */

struct devinfo {
	char file[NAME_MAX + 1]; /* in dp/: devinfo_dp_name(); in cni/: as its writer likes */
	char pci_address[16]; /* "dddd:bb:dd.f", as sysfs has it */
	char rdma_device[512]; /* names, with commas between them; "" none */
};

/* The name of a device plugin's file: that of the resource cannot be read back from it. -ENAMETOOLONG */
int devinfo_dp_name(const char *resource, const char *device, char *to, size_t size);

/*
 * One file. -ENODATA: it is of another type than "pci"; -ENOENT and other -errno of the file; -EBADMSG: not legal. `err` names file
 * and cause.
 */
int devinfo_read(const char *dir, const char *file, struct devinfo *info, struct err *err);

struct devinfos {
	struct devinfo *list;
	size_t count, room;
	size_t bad; /* files that could not be read, */
	struct err first_bad; /* and why the first one was not */
};

/*
 * All files of type "pci" in a folder, by their names. They are written while others read, so that one that is not whole yet is
 * counted and does not hide the others. A folder that is not there is empty. To be freed. -errno of the folder, -E2BIG, -ENOMEM
 */
int devinfo_list(const char *dir, struct devinfos *infos, struct err *err);
void devinfo_free(struct devinfos *infos);

#endif
