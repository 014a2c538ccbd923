// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "alone/look.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"

#define PCI_DEVICES "/sys/bus/pci/devices"
#define DUMP_TRIES 20

static void must(bool so, const char *what)
{
	if (so)
		return;
	printf("the node cannot be looked at: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	abort();
}

/* ---- lines ---- */

static int compare(const void *one, const void *other)
{
	return strcmp(*(char *const *)one, *(char *const *)other);
}

/* Keeps them sorted. */
void look_add(struct look *look, const char *fmt, ...)
{
	va_list args;
	char *line;

	va_start(args, fmt);
	must(vasprintf(&line, fmt, args) >= 0, "memory");
	va_end(args);
	look->line = reallocarray(look->line, look->count + 1, sizeof(*look->line));
	must(look->line, "memory");
	look->line[look->count++] = line;
	qsort(look->line, look->count, sizeof(*look->line), compare);
}

void look_free(struct look *look)
{
	for (size_t i = 0; i < look->count; i++)
		free(look->line[i]);
	free(look->line);
	*look = (struct look){};
}

bool look_has(const struct look *look, const char *line)
{
	return look->count && bsearch(&line, look->line, look->count, sizeof(*look->line), compare);
}

bool look_same(const struct look *one, const struct look *other)
{
	if (one->count != other->count)
		return false;
	for (size_t i = 0; i < one->count; i++)
		if (strcmp(one->line[i], other->line[i]))
			return false;
	return true;
}

static void print_missing(const char *what, const struct look *look, const struct look *in)
{
	for (size_t i = 0; i < look->count; i++)
		if (!look_has(in, look->line[i]))
			printf("    %s: %s\n", what, look->line[i]);
}

void look_differ(const struct look *wanted, const struct look *found)
{
	print_missing("missing", wanted, found);
	print_missing("not expected", found, wanted);
	if (wanted->count != found->count)
		printf("    %zu lines instead of %zu\n", found->count, wanted->count);
}

/* ---- VFs ---- */

static bool link_name(const char *path, char *to, size_t size)
{
	char target[PATH_MAX];
	ssize_t len = readlink(path, target, sizeof(target) - 1);

	if (len < 0)
		return false;
	target[len] = '\0';
	return !try_snprintf(to, size, "%s", basename(target));
}

static void add_vfs_of(struct look_vfs *vfs, const char *pf)
{
	char path[PATH_MAX];

	for (unsigned int n = 0; vfs->count < LOOK_VFS; n++) {
		must(!try_snprintf(path, sizeof(path), PCI_DEVICES "/%s/virtfn%u", pf, n), pf);
		if (!link_name(path, vfs->vf[vfs->count].pci, LOOK_PCI))
			return;
		snprintf(vfs->vf[vfs->count].pf, LOOK_PCI, "%s", pf);
		vfs->vf[vfs->count++].number = n;
	}
}

int look_find_vfs(struct look_vfs *vfs)
{
	_cleanup_closedir_ DIR *dir = opendir(PCI_DEVICES);
	struct dirent *entry;

	vfs->count = 0;
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			add_vfs_of(vfs, entry->d_name);
	return vfs->count ? 0 : -ENODEV;
}

static bool is_vf(const struct look_vfs *vfs, const char *pci)
{
	for (size_t i = 0; vfs && i < vfs->count; i++)
		if (!strcmp(vfs->vf[i].pci, pci))
			return true;
	return false;
}

static const char *vf_of(const struct look_vfs *vfs, const char *pf, unsigned int number)
{
	for (size_t i = 0; vfs && i < vfs->count; i++)
		if (!strcmp(vfs->vf[i].pf, pf) && vfs->vf[i].number == number)
			return vfs->vf[i].pci;
	return pf;
}

/* ---- netdevs ---- */

struct dump {
	struct look *look;
	const struct look_vfs *vfs;
	const char *pod; /* NULL: the host */
};

static void print_hex(FILE *to, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fprintf(to, "%02x", ((const unsigned char *)bytes)[i]);
}

/* All that the PF tells of each of its VFs but counters, as it tells it. */
static void add_vf_info(struct dump *d, const char *pf, const struct nlattr *list)
{
	const struct nlattr *info, *attr;
	unsigned int number = 0;

	mnl_attr_for_each_nested (info, list) {
		_cleanup_free_ char *text = NULL;
		size_t len;
		FILE *to = open_memstream(&text, &len);

		must(to, "memory");
		mnl_attr_for_each_nested (attr, info) {
			if (mnl_attr_get_type(attr) == IFLA_VF_STATS)
				continue;
			fprintf(to, " %u=", mnl_attr_get_type(attr));
			print_hex(to, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
		}
		fclose(to);
		look_add(d->look, "%s pf%s", vf_of(d->vfs, pf, number++), text);
	}
}

struct link {
	const char *name, *parent;
	const struct nlattr *address, *altnames, *vfs;
	unsigned int mtu, promiscuity, allmulti;
};

static void read_attr(const struct nlattr *attr, struct link *l)
{
	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		l->name = mnl_attr_get_str(attr);
		break;
	case IFLA_PARENT_DEV_NAME:
		l->parent = mnl_attr_get_str(attr);
		break;
	case IFLA_ADDRESS:
		l->address = attr;
		break;
	case IFLA_MTU:
		l->mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_PROMISCUITY:
		l->promiscuity = mnl_attr_get_u32(attr);
		break;
	case IFLA_ALLMULTI:
		l->allmulti = mnl_attr_get_u32(attr);
		break;
	case IFLA_PROP_LIST:
		l->altnames = attr;
		break;
	case IFLA_VFINFO_LIST:
		l->vfs = attr;
		break;
	}
}

/* Its carrier comes and goes by itself. */
static void add_link(struct dump *d, const struct link *l, unsigned int flags)
{
	const char *subject = d->pod ? d->pod : is_vf(d->vfs, l->parent) ? l->parent : "host";
	const struct nlattr *attr;
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	must(to, "memory");
	fprintf(to, "%s netdev %s%s%s %s mtu %u mac ", subject, l->name, d->pod && l->parent[0] ? " of " : "",
		d->pod ? l->parent : "", flags & IFF_UP ? "up" : "down", l->mtu);
	if (l->address)
		print_hex(to, mnl_attr_get_payload(l->address), mnl_attr_get_payload_len(l->address));
	fprintf(to, " promisc %u %d allmulti %u %d", l->promiscuity, !!(flags & IFF_PROMISC), l->allmulti,
		!!(flags & IFF_ALLMULTI));
	if (l->altnames)
		mnl_attr_for_each_nested (attr, l->altnames)
			fprintf(to, " also %s", mnl_attr_get_str(attr));
	fclose(to);
	look_add(d->look, "%s", text);
	if (l->vfs)
		add_vf_info(d, l->parent, l->vfs);
}

static int take_link(const struct nlmsghdr *h, void *ctx)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
	struct link link = { .name = "?", .parent = "" };
	const struct nlattr *attr;

	mnl_attr_for_each (attr, h, sizeof(*info))
		read_attr(attr, &link);
	add_link(ctx, &link, info->ifi_flags);
	return MNL_CB_OK;
}

/* False: the netdevs changed meanwhile (libmnl's EINTR), and what was added is not all, or twice. */
static bool dump_links_once(struct dump *d)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	_Alignas(struct nlmsghdr) static char buf[64 * 1024];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	bool changed;
	ssize_t len;
	int r = MNL_CB_OK;

	must(nl && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) >= 0, "netlink");
	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS);
	must(mnl_socket_sendto(nl, h, h->nlmsg_len) >= 0, "netlink");
	while (r > MNL_CB_STOP) {
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		must(len > 0, "netlink");
		r = mnl_cb_run(buf, (size_t)len, 0, mnl_socket_get_portid(nl), take_link, d);
	}
	changed = r && errno == EINTR;
	must(!r || changed, "netlink");
	mnl_socket_close(nl);
	return !changed;
}

static void dump_links(struct dump *d)
{
	struct look *all = d->look, found = {};
	unsigned int tries = 0;

	d->look = &found;
	while (!dump_links_once(d)) {
		look_free(&found);
		must(++tries < DUMP_TRIES, "the netdevs change all the time");
	}
	for (size_t i = 0; i < found.count; i++)
		look_add(all, "%s", found.line[i]);
	look_free(&found);
	d->look = all;
}

void look_add_pod(struct look *look, const char *pod)
{
	struct dump dump = { .look = look, .pod = pod };
	char path[64];
	int home, there;

	snprintf(path, sizeof(path), "/run/netns/%s", pod);
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	there = open(path, O_RDONLY | O_CLOEXEC);
	must(home >= 0 && there >= 0 && !setns(there, CLONE_NEWNET), path);
	dump_links(&dump);
	must(!setns(home, CLONE_NEWNET), path);
	close(home);
	close(there);
}

/* ---- folders ---- */

/* Into `path`, of PATH_MAX bytes. */
static const char *join(char *path, const char *folder, const char *name)
{
	must(!try_snprintf(path, PATH_MAX, "%s/%s", folder, name), name);
	return path;
}

/* Calls `add` for each name in the folder, which need not be there. */
static void each_name(struct look *look, const struct look_vfs *vfs, const char *folder,
		      void (*add)(struct look *, const struct look_vfs *, const char *folder, const char *name))
{
	_cleanup_closedir_ DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			add(look, vfs, folder, entry->d_name);
}

static void add_rdma(struct look *look, const struct look_vfs *vfs, const char *folder, const char *name)
{
	char path[PATH_MAX], parent[LOOK_PCI];

	must(!try_snprintf(path, sizeof(path), "%s/%s/device", folder, name), name);
	if (!link_name(path, parent, sizeof(parent)) || !is_vf(vfs, parent))
		snprintf(parent, sizeof(parent), "host");
	look_add(look, "%s rdma %s", parent, name);
}

static void add_claim(struct look *look, const struct look_vfs *vfs, const char *folder, const char *name)
{
	char path[PATH_MAX], owner[512];

	(void)vfs;
	look_add(look, "%s claim %s", name, read_line(join(path, folder, name), owner, sizeof(owner)) ? "?" : owner);
}

static void add_journal(struct look *look, const struct look_vfs *vfs, const char *folder, const char *name)
{
	(void)vfs, (void)folder;
	look_add(look, "journal %s", name);
}

/* host-local's file for an address begins with the container's ID; it has others beside these. */
static void add_lease(struct look *look, const struct look_vfs *vfs, const char *folder, const char *name)
{
	char path[PATH_MAX], owner[512];

	(void)vfs;
	if (name[0] < '0' || name[0] > '9')
		return;
	if (read_line(join(path, folder, name), owner, sizeof(owner)))
		snprintf(owner, sizeof(owner), "?");
	owner[strcspn(owner, "\r ")] = '\0';
	look_add(look, "lease %s", owner);
}

static void add_network(struct look *look, const struct look_vfs *vfs, const char *folder, const char *name)
{
	char path[PATH_MAX];

	each_name(look, vfs, join(path, folder, name), add_lease);
}

void look_take(struct look *look, const struct look_vfs *vfs, const char *folder)
{
	struct dump dump = { .look = look, .vfs = vfs };
	char path[PATH_MAX];

	*look = (struct look){};
	dump_links(&dump);
	each_name(look, vfs, "/sys/class/infiniband", add_rdma);
	each_name(look, vfs, join(path, folder, "claims"), add_claim);
	each_name(look, vfs, join(path, folder, "attach"), add_journal);
	each_name(look, vfs, join(path, folder, "leases"), add_network);
}
