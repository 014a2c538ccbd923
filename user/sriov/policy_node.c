// SPDX-License-Identifier: Apache-2.0
#include "sriov/policy_node.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/mac.h"
#include "lib/util.h"
#include "sriov/sriov.h"

#define CLASS_NETWORK 0x02

/* ---- sysfs ---- */

/* PCI's attribute (or that of something below it) as a number: 0, or -errno. */
static int attribute(const char *sysfs, const char *pci, const char *name, char *to, size_t size)
{
	char path[PATH_MAX];
	int r = try_snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", sysfs, pci, name);

	return r ? r : read_line(path, to, size);
}

static int number(const char *sysfs, const char *pci, const char *name, int base, uint64_t max, unsigned int *to)
{
	char line[32];
	const char *text = line;
	uint64_t value;
	int r = attribute(sysfs, pci, name, line, sizeof(line));

	if (r)
		return r;
	if (base == 16 && !strncmp(line, "0x", 2))
		text += 2;
	r = parse_u64(text, base, 0, max, &value);
	*to = r ? 0 : (unsigned int)value;
	return r;
}

/* The last name of what the function's link leads to, or "". */
static void link_name(const char *sysfs, const char *pci, const char *link, char *to, size_t size)
{
	char path[PATH_MAX];

	to[0] = '\0';
	if (!try_snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", sysfs, pci, link))
		read_link_name(path, to, size);
}

/* The first entry of a folder of the function, or "". */
static void first_entry(const char *sysfs, const char *pci, const char *sub, char *to, size_t size)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[PATH_MAX];

	to[0] = '\0';
	if (try_snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", sysfs, pci, sub))
		return;
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (try_snprintf(to, size, "%s", entry->d_name))
			to[0] = '\0';
		return;
	}
}

void policy_driver(const char *sysfs, const char *pci, char *to, size_t size)
{
	link_name(sysfs, pci, "driver", to, size);
}

void policy_netdev(const char *sysfs, const char *pci, char *to, size_t size)
{
	first_entry(sysfs, pci, "net", to, size);
}

/* ---- who uses a VF ---- */

struct away_netdev {
	char pci[POLICY_PCI_LEN];
	char text[128];
};

struct away_list {
	struct away_netdev *list;
	size_t count;
	int error;
};

static void away_add(const char *pci, const char *netdev, const char *netns, void *ctx)
{
	struct away_list *a = ctx;
	struct away_netdev *grown = realloc(a->list, (a->count + 1) * sizeof(*grown));

	if (!grown) {
		a->error = -ENOMEM;
		return;
	}
	a->list = grown;
	grown += a->count;
	if (try_snprintf(grown->pci, sizeof(grown->pci), "%s", pci))
		return;
	snprintf(grown->text, sizeof(grown->text), "its netdev %s is in netns %s", netdev, netns);
	a->count++;
}

static void away_free(struct away_list *a)
{
	free(a->list);
}

static const char *away_text(const struct away_list *a, const char *pci)
{
	for (size_t i = 0; i < a->count; i++)
		if (!strcmp(a->list[i].pci, pci))
			return a->list[i].text;
	return "it has a driver and no netdev here: that may be in a netns that nothing names, or its driver failed";
}

/* A descriptor of the process leads to one of the two. */
static bool process_has(const char *pid, const char *path, const char *other)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char name[64], target[64];
	ssize_t len;

	if (try_snprintf(name, sizeof(name), "/proc/%.16s/fd", pid))
		return false;
	dir = opendir(name);
	while (dir && (entry = readdir(dir))) {
		len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		if (!strcmp(target, path) || !strcmp(target, other))
			return true;
	}
	return false;
}

/* To unbind a function that a program has open by VFIO would wait for that program. */
static void vfio_user(const char *sysfs, const char *pci, char *why, size_t size)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	char group[24], cdev[24], by_group[48], by_cdev[48];
	struct dirent *entry;

	link_name(sysfs, pci, "iommu_group", group, sizeof(group));
	first_entry(sysfs, pci, "vfio-dev", cdev, sizeof(cdev));
	snprintf(by_group, sizeof(by_group), "/dev/vfio/%s", group);
	snprintf(by_cdev, sizeof(by_cdev), "/dev/vfio/devices/%s", cdev);
	while (dir && (entry = readdir(dir))) {
		if (strspn(entry->d_name, "0123456789") == 0 || !process_has(entry->d_name, by_group, by_cdev))
			continue;
		snprintf(why, size, "process %.16s has it open by VFIO", entry->d_name);
		return;
	}
}

static void find_user(const struct policy_source *s, const struct away_list *away, struct policy_vf *vf)
{
	char node[32];

	if (s->busy)
		s->busy(vf->pci, vf->busy, sizeof(vf->busy), s->ctx);
	if (vf->busy[0] || !vf->driver[0])
		return;
	first_entry(s->sysfs, vf->pci, "infiniband_verbs", node,
		    sizeof(node)); /* shown in every netns, unlike the device */
	if (policy_userspace_driver(vf->driver))
		vfio_user(s->sysfs, vf->pci, vf->busy, sizeof(vf->busy));
	else if (!vf->netdev[0])
		snprintf(vf->busy, sizeof(vf->busy), "%s", away_text(away, vf->pci));
	else if (node[0] && !vf->ibdev[0])
		snprintf(vf->busy, sizeof(vf->busy), "its RDMA device (%s) is in another netns", node);
}

/* ---- a VF ---- */

static void read_guid(const char *sysfs, struct policy_vf *vf)
{
	char name[128], line[64];

	first_entry(sysfs, vf->pci, "infiniband", vf->ibdev, sizeof(vf->ibdev));
	if (!vf->ibdev[0] || try_snprintf(name, sizeof(name), "infiniband/%s/node_guid", vf->ibdev) ||
	    attribute(sysfs, vf->pci, name, line, sizeof(line)))
		return;
	vf->guid = strspn(line, "0:") == strlen(line) ? POLICY_GUID_ZERO : POLICY_GUID_SET;
}

static void read_netdev(const char *sysfs, struct policy_vf *vf)
{
	unsigned int type;
	char name[64], line[64];

	policy_netdev(sysfs, vf->pci, vf->netdev, sizeof(vf->netdev));
	if (!vf->netdev[0])
		return;
	snprintf(name, sizeof(name), "net/%s/address", vf->netdev);
	if (!attribute(sysfs, vf->pci, name, line, sizeof(line)))
		mac_parse(line, vf->mac);
	snprintf(name, sizeof(name), "net/%s/mtu", vf->netdev);
	number(sysfs, vf->pci, name, 10, UINT32_MAX, &vf->mtu);
	snprintf(name, sizeof(name), "net/%s/addr_assign_type", vf->netdev);
	vf->mac_random = !number(sysfs, vf->pci, name, 10, UINT32_MAX, &type) && type == 1; /* NET_ADDR_RANDOM */
}

static void read_vf(const struct policy_source *s, const struct away_list *away, struct policy_vf *vf)
{
	policy_driver(s->sysfs, vf->pci, vf->driver, sizeof(vf->driver));
	read_netdev(s->sysfs, vf);
	read_guid(s->sysfs, vf);
	vf->admin_known = s->admin_mac && !s->admin_mac(vf->pci, vf->admin_mac);
	find_user(s, away, vf);
}

/* ---- a PF ---- */

static int read_vfs(const struct policy_source *s, const struct away_list *away, struct policy_pf *pf)
{
	char link[32];

	pf->vfs = calloc(pf->num_vfs ? pf->num_vfs : 1, sizeof(*pf->vfs));
	if (!pf->vfs)
		return -ENOMEM;
	for (unsigned int i = 0; i < pf->num_vfs; i++) {
		snprintf(link, sizeof(link), "virtfn%u", i);
		link_name(s->sysfs, pf->pci, link, pf->vfs[i].pci, sizeof(pf->vfs[i].pci));
		if (pf->vfs[i].pci[0])
			read_vf(s, away, &pf->vfs[i]);
	}
	return 0;
}

static void read_manager(const char *dir, struct policy_pf *pf)
{
	char path[PATH_MAX];

	if (dir && !try_snprintf(path, sizeof(path), "%s/%s", dir, pf->pci) && !access(path, F_OK))
		snprintf(pf->manager, sizeof(pf->manager), "%.127s", path);
}

/* 1: it is a PF with a netdev of Ethernet here; 0: it is not; or -errno. */
static int read_pf(const struct policy_source *s, const struct away_list *away, const char *pci, struct policy_pf *pf)
{
	unsigned int class, vendor, device, flags = 0, type = 0;
	char name[64], physfn[POLICY_PCI_LEN], line[64];
	int r;

	*pf = (struct policy_pf){};
	if (!policy_is_pci(pci) || number(s->sysfs, pci, "class", 16, 0xffffff, &class) || class >> 16 != CLASS_NETWORK)
		return 0;
	link_name(s->sysfs, pci, "physfn", physfn, sizeof(physfn));
	if (physfn[0] || number(s->sysfs, pci, "sriov_totalvfs", 10, POLICY_VFS, &pf->total_vfs) || !pf->total_vfs ||
	    number(s->sysfs, pci, "sriov_numvfs", 10, POLICY_VFS, &pf->num_vfs) ||
	    number(s->sysfs, pci, "vendor", 16, 0xffff, &vendor) ||
	    number(s->sysfs, pci, "device", 16, 0xffff, &device))
		return 0;
	snprintf(pf->pci, sizeof(pf->pci), "%.15s", pci);
	pf->vendor = (int)vendor;
	pf->device = (int)device;
	policy_netdev(s->sysfs, pci, pf->netdev, sizeof(pf->netdev));
	snprintf(name, sizeof(name), "net/%s/type", pf->netdev);
	if (!pf->netdev[0] || number(s->sysfs, pci, name, 10, UINT32_MAX, &type) || type != 1) /* ARPHRD_ETHER */
		return 0;
	snprintf(name, sizeof(name), "net/%s/mtu", pf->netdev);
	number(s->sysfs, pci, name, 10, UINT32_MAX, &pf->mtu);
	snprintf(name, sizeof(name), "net/%s/flags", pf->netdev);
	pf->up = !number(s->sysfs, pci, name, 16, UINT32_MAX, &flags) && (flags & IFF_UP);
	snprintf(name, sizeof(name), "net/%s/address", pf->netdev);
	if ((!s->pf_mac || s->pf_mac(pci, pf->mac)) && !attribute(s->sysfs, pci, name, line, sizeof(line)))
		mac_parse(line, pf->mac);
	read_manager(s->operator_dir, pf);
	r = read_vfs(s, away, pf);
	return r ? r : 1;
}

/* ---- the node ---- */

static int add_pf(const struct policy_source *s, const struct away_list *away, const char *pci,
		  struct policy_node *node)
{
	struct policy_pf pf, *grown;
	int r = read_pf(s, away, pci, &pf);

	if (r <= 0)
		return r;
	grown = realloc(node->pfs, (node->count + 1) * sizeof(*grown));
	if (!grown) {
		free(pf.vfs);
		return -ENOMEM;
	}
	node->pfs = grown;
	node->pfs[node->count++] = pf;
	return 0;
}

static int compare_pfs(const void *a, const void *b)
{
	return strcmp(((const struct policy_pf *)a)->pci, ((const struct policy_pf *)b)->pci);
}

int policy_node_read(const struct policy_source *s, struct policy_node *node, struct err *err)
{
	_cleanup_(away_free) struct away_list away = {};
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[PATH_MAX];
	int r = s->away ? s->away(away_add, &away) : 0;

	*node = (struct policy_node){};
	if (r || away.error) /* a VF in a pod would be taken for a free one */
		return fail(err, r ? r : away.error, "node_policy: the network namespaces cannot be looked through");
	r = try_snprintf(path, sizeof(path), "%s/bus/pci/drivers/vfio-pci", s->sysfs);
	node->vfio = !r && !access(path, F_OK);
	if (!r)
		r = try_snprintf(path, sizeof(path), "%s/bus/pci/devices", s->sysfs);
	dir = r ? NULL : opendir(path);
	while (dir && !r && (entry = readdir(dir)))
		r = add_pf(s, &away, entry->d_name, node);
	if (r) {
		policy_node_free(node);
		return fail(err, r, "node_policy: the PFs cannot be read: %s", strerror(-r));
	}
	if (node->count)
		qsort(node->pfs, node->count, sizeof(*node->pfs), compare_pfs);
	return 0;
}

/* ---- the kernel that runs ---- */

static int kernel_pf_mac(const char *pci, uint8_t mac[6])
{
	static const uint8_t zero[6];
	struct sriov_netdev n;
	int r = sriov_netdev_get(pci, &n);

	if (r)
		return r;
	memcpy(mac, memcmp(n.permanent_mac, zero, 6) ? n.permanent_mac : n.mac, 6);
	return 0;
}

static int kernel_admin_mac(const char *pci, uint8_t mac[6])
{
	struct sriov_vf vf = {};
	int r = sriov_vf_get(pci, &vf);

	if (!r)
		memcpy(mac, vf.mac, 6);
	return r;
}

void policy_source_of_kernel(struct policy_source *source)
{
	source->pf_mac = kernel_pf_mac;
	source->admin_mac = kernel_admin_mac;
	source->away = sriov_away_each;
}
