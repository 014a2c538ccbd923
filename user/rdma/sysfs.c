// SPDX-License-Identifier: Apache-2.0
/*
 * The classes infiniband_verbs and infiniband_mad are not bound to a netns (only the class infiniband is),
 * so sysfs shows every node of the RDMA stack, wherever its device is.
 */
#include "rdma/rdma.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/util.h"

/* The PCI function (or auxiliary device) behind the node; "" when there is none. */
static void parent_of(const char *dir, char *to, size_t size)
{
	char link[PATH_MAX], target[PATH_MAX];
	ssize_t len;

	to[0] = '\0';
	if (try_snprintf(link, sizeof(link), "%s/device", dir))
		return;
	len = readlink(link, target, sizeof(target) - 1);
	if (len < 0)
		return;
	target[len] = '\0';
	if (try_snprintf(to, size, "%s", basename(target)))
		to[0] = '\0';
}

/* -ENODATA: it has none, or has just gone. */
static int attribute(const char *dir, const char *name, char *to, size_t size)
{
	char path[PATH_MAX];
	int r = try_snprintf(path, sizeof(path), "%s/%s", dir, name);

	if (!r)
		r = read_line(path, to, size);
	return r == -ENOENT || r == -ENOTDIR || r == -ENODEV ? -ENODATA : r;
}

static int cdev_read(const char *dir, const char *name, struct rdma_cdev *cdev)
{
	unsigned int maj, min;
	char dev[32];
	int r = attribute(dir, "dev", dev, sizeof(dev));

	*cdev = (struct rdma_cdev){};
	if (r)
		return r;
	if (try_snprintf(cdev->name, sizeof(cdev->name), "%s", name) || sscanf(dev, "%u:%u", &maj, &min) != 2)
		return -ENODATA;
	cdev->dev = makedev(maj, min);
	if (!strcmp(name, "rdma_cm"))
		return 0; /* of no device */
	r = attribute(dir, "ibdev", cdev->ibdev, sizeof(cdev->ibdev));
	if (r)
		return r;
	parent_of(dir, cdev->parent, sizeof(cdev->parent));
	return 0;
}

int rdma_cdev_get(dev_t dev, struct rdma_cdev *cdev)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t len;

	if (try_snprintf(path, sizeof(path), "/sys/dev/char/%u:%u", major(dev), minor(dev)))
		return -ENODEV;
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	target[len] = '\0';
	return cdev_read(path, basename(target), cdev);
}

static int class_for_each(const char *class, int (*visit)(const struct rdma_cdev *cdev, void *ctx), void *ctx)
{
	_cleanup_closedir_ DIR *dir = opendir(class);
	struct rdma_cdev cdev;
	struct dirent *entry;
	char path[PATH_MAX];
	int r, error = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || try_snprintf(path, sizeof(path), "%s/%s", class, entry->d_name))
			continue;
		r = cdev_read(path, entry->d_name, &cdev);
		if (r) {
			if (r != -ENODATA) /* abi_version, or a node that has just gone */
				error = r;
			continue;
		}
		r = visit(&cdev, ctx);
		if (r)
			return r;
	}
	return error;
}

static const char *const buses[] = { "pci", "auxiliary" };

static int child_folder(const char *bus, const char *parent, const char *class, char to[PATH_MAX])
{
	if (strchr(parent, '/') || parent[0] == '.')
		return -EINVAL;
	return try_snprintf(to, PATH_MAX, "/sys/bus/%s/devices/%s/%s", bus, parent, class);
}

bool rdma_is_here(const char *parent)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(buses); i++) {
		_cleanup_closedir_ DIR *dir = child_folder(buses[i], parent, "infiniband", path) ? NULL : opendir(path);
		struct dirent *entry;

		while (dir && (entry = readdir(dir)))
			if (entry->d_name[0] != '.')
				return true;
	}
	return false;
}

int rdma_cdev_for_each_of(const char *parent, int (*visit)(const struct rdma_cdev *cdev, void *ctx), void *ctx)
{
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(buses); i++) {
		r = child_folder(buses[i], parent, "infiniband_verbs", path);
		if (!r)
			r = class_for_each(path, visit, ctx);
	}
	return r;
}

int rdma_cdev_for_each(int (*visit)(const struct rdma_cdev *cdev, void *ctx), void *ctx)
{
	int r = class_for_each("/sys/class/infiniband_verbs", visit, ctx);
	struct rdma_cdev cm;

	if (!r)
		r = class_for_each("/sys/class/infiniband_mad", visit, ctx);
	if (!r && !cdev_read("/sys/class/misc/rdma_cm", "rdma_cm", &cm))
		r = visit(&cm, ctx);
	return r;
}
