// SPDX-License-Identifier: Apache-2.0
/* What devices are children of, and the ports of PFs: both by the own netns' sysfs, which shows PCI functions whatever the netns. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/util.h"
#include "sriov/sriov.h"
#include "stats/internal.h"

/* ---- parents ---- */

/* …/0000:3b:00.2/infiniband_verbs/uverbs4 is a node of the function; …/virtual/infiniband_verbs/uverbs4 of none. */
static void parent_of_node(const char *node, char *to, size_t size)
{
	char target[PATH_MAX], *parent;
	ssize_t len = readlink(node, target, sizeof(target) - 1);

	to[0] = '\0';
	if (len < 0)
		return;
	target[len] = '\0';
	parent = basename(dirname(dirname(target)));
	if (strcmp(parent, "virtual") && try_snprintf(to, size, "%s", parent))
		to[0] = '\0';
}

static void take_node(struct reading *r, const char *folder, const char *node)
{
	char path[PATH_MAX], device[RDMA_NAME_MAX];
	struct named_parent *to;

	if (try_snprintf(path, sizeof(path), "%s/%s/ibdev", folder, node) || read_line(path, device, sizeof(device)))
		return;
	to = reading_place(r, &r->names, &r->name_room, r->name_count, sizeof(*to));
	if (!to)
		return;
	memcpy(to->name, device, sizeof(to->name));
	path[strlen(path) - strlen("/ibdev")] = '\0';
	parent_of_node(path, to->parent, sizeof(to->parent));
	r->name_count++;
}

/* The class is not bound to a netns: it has a node for each device of the machine. */
static void read_names(struct reading *r)
{
	static const char folder[] = "/sys/class/infiniband_verbs";
	_cleanup_closedir_ DIR *dir = opendir(folder);
	struct dirent *entry;

	r->names_read = true;
	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "uverbs", 6))
			take_node(r, folder, entry->d_name);
}

static int compare_parent(const void *key, const void *item)
{
	uint32_t a = *(const uint32_t *)key, b = ((const struct stats_parent *)item)->index;

	return (a > b) - (a < b);
}

static const char *parent_of(struct reading *r, const struct stats_device *d)
{
	const struct stats_parent *known = NULL;

	if (r->known && r->known->parent_count)
		known = bsearch(&d->index, r->known->parents, r->known->parent_count, sizeof(*known), compare_parent);
	if (known)
		return known->parent;
	if (!r->names_read)
		read_names(r);
	for (size_t i = 0; i < r->name_count; i++)
		if (!strcmp(r->names[i].name, d->name))
			return r->names[i].parent;
	return "";
}

static const struct stats_pf *find_port(const struct stats *s, const char *pci)
{
	for (size_t i = 0; i < s->pf_count; i++)
		if (!strcmp(s->pfs[i].pci, pci))
			return &s->pfs[i];
	return NULL;
}

void read_parent(struct reading *r, struct stats_device *d, char pf_pci[WARDEN_PARENT_LEN])
{
	const struct stats_pf *port;
	char path[PATH_MAX];

	pf_pci[0] = '\0';
	snprintf(d->pci, sizeof(d->pci), "%s", parent_of(r, d));
	if (!d->pci[0] || try_snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/physfn", d->pci))
		return;
	read_link_name(path, pf_pci, WARDEN_PARENT_LEN);
	if (!pf_pci[0])
		return;
	port = find_port(r->stats, pf_pci);
	if (port)
		memcpy(d->pf, port->netdev, sizeof(d->pf));
	else
		sriov_netdev_name(pf_pci, d->pf, sizeof(d->pf)); /* which leaves it empty where it has none */
}

/* ---- ports ---- */

static void take_priority(const char *name, uint64_t value, void *ctx)
{
	struct stats_pf *pf = ctx;
	bool received = !strncmp(name, "rx_prio", 7);
	struct stats_priority *p;

	if ((!received && strncmp(name, "tx_prio", 7)) || name[7] < '0' || name[7] > '7')
		return;
	p = &pf->priority[name[7] - '0'];
	if (!strcmp(name + 8, "_pause"))
		*(received ? &p->rx_pause : &p->tx_pause) = value;
	else if (!strcmp(name + 8, "_discards"))
		*(received ? &p->rx_discards : &p->tx_discards) = value;
	else
		return;
	pf->has_priorities = true;
}

static unsigned int count_vfs(const char *pci)
{
	char path[PATH_MAX], line[16];
	uint64_t count;

	if (try_snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/sriov_numvfs", pci) ||
	    read_line(path, line, sizeof(line)) || parse_u64(line, 10, 0, UINT16_MAX, &count))
		return 0;
	return (unsigned int)count;
}

static const struct stats_pf *find_netdev(const struct stats *s, const char *netdev)
{
	for (size_t i = 0; i < s->pf_count; i++)
		if (!strcmp(s->pfs[i].netdev, netdev))
			return &s->pfs[i];
	return NULL;
}

void read_port(struct reading *r, const char *pci, const char *netdev)
{
	_cleanup_close_ int home = -1;
	struct stats *s = r->stats;
	struct ifreq request = {};
	struct stats_pf *pf;
	int error;

	if (pci[0] ? find_port(s, pci) : find_netdev(s, netdev))
		return;
	pf = reading_place(r, &s->pfs, &r->pf_room, s->pf_count, sizeof(*pf));
	home = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (!pf || home < 0)
		return;
	*pf = (struct stats_pf){ .vfs = count_vfs(pci) };
	snprintf(pf->pci, sizeof(pf->pci), "%s", pci);
	snprintf(pf->netdev, sizeof(pf->netdev), "%s", netdev);
	memcpy(request.ifr_name, pf->netdev, sizeof(request.ifr_name));
	if (ioctl(home, SIOCGIFFLAGS, &request))
		return; /* it has just gone */
	pf->up = request.ifr_flags & IFF_RUNNING;
	pf->speed_mbps = ethtool_speed(&r->ethtool, home, netdev);
	error = ethtool_read(&r->ethtool, home, netdev, take_priority, pf);
	s->unread += error && error != -EOPNOTSUPP && error != -ENODEV;
	s->pf_count++;
}

/* One call for each netdev that is no PF, of which a node has hundreds. */
static bool has_vfs(int folder, const char *netdev)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX], text[16];

	if (try_snprintf(path, sizeof(path), "%s/device/sriov_numvfs", netdev))
		return false;
	fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, text, sizeof(text)) > 0 && text[0] != '0';
}

void read_other_ports(struct reading *r)
{
	_cleanup_closedir_ DIR *dir = opendir("/sys/class/net");
	char path[PATH_MAX], pci[WARDEN_PARENT_LEN];
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= IF_NAMESIZE ||
		    !has_vfs(dirfd(dir), entry->d_name) ||
		    try_snprintf(path, sizeof(path), "/sys/class/net/%s/device", entry->d_name))
			continue;
		read_link_name(path, pci, sizeof(pci));
		read_port(r, pci, entry->d_name);
	}
}

void read_named_ports(struct reading *r)
{
	char path[PATH_MAX], pci[WARDEN_PARENT_LEN];

	for (size_t i = 0; r->known && i < r->known->port_count && r->known->ports[i][0]; i++) {
		if (try_snprintf(path, sizeof(path), "/sys/class/net/%s/device", r->known->ports[i]))
			continue;
		read_link_name(path, pci, sizeof(pci));
		read_port(r, pci, r->known->ports[i]);
	}
}
