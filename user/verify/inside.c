// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/util.h"
#include "net/netdev.h"
#include "net/netops.h"
#include "report/text.h"
#include "sriov/sriov.h"
#include "verify/verify.h"

/* What a pod can make many of is not kept beyond these; hardware's netdevs and promised ones always are. */
#define NETDEVS_MAX 1024
#define RDMA_MAX 1024
#define NODES_MAX 256
#define ENTRIES_MAX 4096
#define TRIES 5 /* of a dump that changes meanwhile */

/* What is being looked at. */
struct look {
	const struct model *model;
	const struct model_pod *pod;
	struct inside_pod *in;
	int netns;
	struct rdma_nl *nl;
	bool no_memory;
};

/* Room for one more behind `count` entries: the list, moved perhaps, or NULL with the old one as it was. */
static void *with_room(void *list, size_t count, size_t size)
{
	return count % 16 ? list : reallocarray(list, count + 16, size);
}

/* ---- netdevs ---- */

static bool is_promised(const struct model_pod *pod, const char *ifname)
{
	for (size_t i = 0; i < pod->network_count; i++)
		if (!strcmp(pod->networks[i].ifname, ifname))
			return true;
	return false;
}

static void take_netdev(const struct netdev_link *link, void *ctx)
{
	struct look *l = ctx;
	struct inside_pod *in = l->in;
	struct inside_netdev *grown, *d;

	if (in->netdev_count >= NETDEVS_MAX && !link->parent[0] && !is_promised(l->pod, link->name))
		return;
	grown = with_room(in->netdevs, in->netdev_count, sizeof(*grown));
	if (!grown) {
		l->no_memory = true;
		return;
	}
	in->netdevs = grown;
	d = &in->netdevs[in->netdev_count++];
	*d = (struct inside_netdev){ .is_pf = sriov_is_pf(link->parent),
				     .ifindex = link->ifindex,
				     .mtu = link->mtu,
				     .up = link->flags & IFF_UP,
				     .carrier = link->flags & IFF_RUNNING };
	snprintf(d->name, sizeof(d->name), "%s", link->name);
	snprintf(d->parent, sizeof(d->parent), "%s", link->parent);
	memcpy(d->mac, link->mac, sizeof(d->mac));
}

static bool is_link_local(const uint8_t address[16])
{
	return address[0] == 0xfe && (address[1] & 0xc0) == 0x80; /* fe80::/10 (RFC 4291, 2.4) */
}

static void take_address(uint32_t ifindex, const uint8_t address[16], void *ctx)
{
	struct inside_pod *in = ((struct look *)ctx)->in;

	for (size_t i = 0; i < in->netdev_count && !is_link_local(address); i++) {
		struct inside_netdev *d = &in->netdevs[i];

		if (d->ifindex != ifindex)
			continue;
		if (d->addresses < INSIDE_ADDRESSES)
			memcpy(d->address[d->addresses], address, sizeof(d->address[0]));
		d->addresses++;
		return;
	}
}

static int read_netdevs(struct look *l)
{
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	int r = rtnl_open(&nl, l->netns);

	l->in->netdev_count = 0;
	if (!r)
		r = netdev_link_each(nl, take_netdev, l);
	if (!r)
		r = netdev_address_each(nl, take_address, l);
	return l->no_memory ? -ENOMEM : r;
}

static int look_for_netdevs(struct look *l)
{
	int r = -EINTR;

	for (size_t i = 0; i < TRIES && r == -EINTR; i++)
		r = read_netdevs(l);
	return r && r != -ENOMEM ? fail(&l->in->error, r, "its netdevs cannot be read: %s",
					r == -EINTR ? "they change all the time" : strerror(-r))
				 : r;
}

/* ---- RDMA devices ---- */

/* In shared mode a pod sees the devices of all others, of which nothing more is wanted. */
static bool is_its_own(const struct look *l, uint32_t index)
{
	for (size_t i = 0; i < l->model->device_count; i++) {
		const struct model_device *d = &l->model->devices[i];

		if (d->tracked.index != index)
			continue;
		for (size_t s = 0; s < POD_SOURCE_COUNT; s++)
			if (d->by[s] == l->in->pod)
				return true;
		return d->pod == l->in->pod;
	}
	return false;
}

static void read_port(struct look *l, struct inside_rdma *rdma)
{
	struct rdma_port port;
	int r = rdma_port_get(l->nl, rdma->index, &port);

	if (!r) {
		rdma->port_state = port.state;
		snprintf(rdma->netdev, sizeof(rdma->netdev), "%.*s", IF_NAMESIZE - 1, port.netdev);
	}
	r = rdma_gids(l->netns, rdma->name, rdma->gid, INSIDE_GIDS);
	if (r < 0)
		rdma->gids_error = r;
	else
		rdma->gids = (size_t)r;
}

static int take_rdma(const struct rdma_device *device, void *ctx)
{
	struct look *l = ctx;
	struct inside_pod *in = l->in;
	struct inside_rdma *grown, *rdma;

	if (in->rdma_count >= RDMA_MAX)
		return 0;
	grown = with_room(in->rdma, in->rdma_count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	in->rdma = grown;
	rdma = &in->rdma[in->rdma_count++];
	*rdma = (struct inside_rdma){ .index = device->index };
	snprintf(rdma->name, sizeof(rdma->name), "%s", device->name);
	if (is_its_own(l, device->index))
		read_port(l, rdma);
	return 0;
}

static int look_for_rdma(struct look *l)
{
	int r = rdma_open(&l->nl, l->netns);

	if (r == -EPROTONOSUPPORT)
		return 0; /* without ib_core there is none */
	if (!r)
		r = rdma_for_each(l->nl, take_rdma, l);
	rdma_close(&l->nl);
	return r && r != -ENOMEM ? fail(&l->in->error, r, "its RDMA devices cannot be read: %s", strerror(-r)) : r;
}

/* ---- nodes ---- */

/* /proc/PID/root of a process that is in the pod: a descriptor, or -errno. A PID that was given away meanwhile is not taken for it. */
static int open_root(const struct model_pod *pod, pid_t pid)
{
	_cleanup_close_ int process = -1;
	char path[32];
	struct stat st;
	int root;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	process = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process < 0 || fstatat(process, "ns/net", &st, 0))
		return -errno;
	if (st.st_ino != pod->netns.inum)
		return -ESRCH;
	root = openat(process, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? -errno : root;
}

/* As a process of the container would find it: links lead nowhere but into its own root. */
static int open_nodes(int root)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	long fd = syscall(SYS_openat2, root, "dev/infiniband", &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static int take_node(struct inside_pod *in, const char *container, const char *name, dev_t dev)
{
	struct inside_node *grown, *node;
	struct rdma_cdev cdev;

	if (in->node_count == NODES_MAX) {
		in->nodes_cut = true;
		return 0;
	}
	grown = with_room(in->nodes, in->node_count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	in->nodes = grown;
	node = &in->nodes[in->node_count++];
	*node = (struct inside_node){ .dev = dev };
	snprintf(node->container, sizeof(node->container), "%s", container);
	text_from_bytes(name, strlen(name), node->name, sizeof(node->name));
	if (!rdma_cdev_get(dev, &cdev))
		snprintf(node->cdev, sizeof(node->cdev), "%s", cdev.name);
	return 0;
}

static int read_nodes(struct inside_pod *in, const char *container, DIR *dir)
{
	const struct dirent *entry;
	size_t entries = 0;
	struct stat st;
	int r = 0;

	while (!r && (entry = readdir(dir))) {
		if (++entries > ENTRIES_MAX) {
			in->nodes_cut = true;
			break;
		}
		if (!fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) &&
		    S_ISCHR(st.st_mode))
			r = take_node(in, container, entry->d_name, st.st_rdev);
	}
	return r;
}

/* 0 or -ENOMEM. What has no such folder was looked into, too; a container that ends meanwhile was not. */
static int look_into_container(struct look *l, const struct model_container *container)
{
	_cleanup_close_ int root = open_root(l->pod, container->pid);
	_cleanup_closedir_ DIR *dir = NULL;
	int fd = root < 0 ? root : open_nodes(root);

	if (root >= 0 && (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP))
		l->in->nodes_seen = true;
	if (fd < 0)
		return 0;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	l->in->nodes_seen = true;
	return read_nodes(l->in, container->id, dir);
}

static int look_for_nodes(struct look *l)
{
	int r = 0;

	for (size_t i = 0; !r && i < l->pod->container_count; i++)
		if (l->pod->containers[i].pid > 0)
			r = look_into_container(l, &l->pod->containers[i]);
	return r;
}

/* ---- pods ---- */

static int look_into(struct look *l)
{
	int r;

	l->in->error.text[0] = '\0';
	r = look_for_netdevs(l);
	if (!r)
		r = look_for_rdma(l);
	if (r != -ENOMEM && look_for_nodes(l))
		r = -ENOMEM;
	return r == -ENOMEM ? r : 0;
}

struct round {
	const struct model *model;
	struct verify_inside *inside;
};

/* One walk over all netns, as each look-up of a single one is such a walk. */
static int visit_netns(int fd, const struct netns_id *id, void *ctx)
{
	const struct round *round = ctx;
	int r = 0;

	for (size_t i = 0; !r && i < round->inside->count; i++) {
		struct inside_pod *in = &round->inside->pods[i];
		struct look look = {
			.model = round->model, .pod = &round->model->pods[in->pod], .in = in, .netns = fd
		};

		if (look.pod->netns.cookie == id->cookie)
			r = look_into(&look);
	}
	return r;
}

static bool is_of_interest(const struct model *model, size_t pod)
{
	const struct model_pod *p = &model->pods[pod];

	if (!p->netns.cookie || p->host_network || p->ended)
		return false;
	for (size_t i = 0; i < model->granted_count; i++)
		if (model->granted[i].pod == pod)
			return true;
	for (size_t i = 0; i < model->device_count; i++) {
		if (model->devices[i].pod == pod)
			return true;
		for (size_t s = 0; s < POD_SOURCE_COUNT; s++)
			if (model->devices[i].by[s] == pod)
				return true;
	}
	return p->network_count > 0;
}

int verify_look(const struct model *model, struct verify_inside *inside, struct err *err)
{
	struct round round = { .model = model, .inside = inside };

	*inside = (struct verify_inside){ .pods = calloc(model->pod_count + 1, sizeof(*inside->pods)) };
	if (!inside->pods)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < model->pod_count; i++) {
		if (!is_of_interest(model, i))
			continue;
		inside->pods[inside->count].pod = i;
		fail(&inside->pods[inside->count].error, 0, "its netns is gone, or cannot be entered");
		inside->count++;
	}
	if (!netns_for_each(visit_netns, &round))
		return 0;
	verify_inside_free(inside);
	return fail(err, -ENOMEM, "out of memory");
}

void verify_inside_free(struct verify_inside *inside)
{
	for (size_t i = 0; i < inside->count; i++) {
		free(inside->pods[i].netdevs);
		free(inside->pods[i].rdma);
		free(inside->pods[i].nodes);
	}
	free(inside->pods);
	*inside = (struct verify_inside){};
}
