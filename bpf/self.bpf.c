// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The warden protects itself: its maps, programs, links and pins are the host's alone.
 *
 * hook                                   what it does
 * security_bpf_map, security_bpf_prog    a pod gets no descriptor of the warden's maps and programs, by id or by pin
 * security_bpf                           nor of its links by id, and detaches or replaces none
 * security_inode_unlink, _rmdir, _rename   nor removes a pin, through whatever mount of the BPF file system
 *
 * What the host does of it is not refused, but told, except for reading: who takes the rule away must be known.
 * The host is whoever acts for it (touch.bpf.h), and whoever shares the host's network and process namespaces: the
 * wardend of a DaemonSet is a pod itself, and after a restart one that no setting names yet. A privileged pod with
 * hostPID and hostNetwork therefore passes: it is root on the node in every other respect too.
 *
 * Comes as LSM and as fmod_ret programs. Failure: an object that is not in the map `own` is not protected.
 */
#include "touch.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define BPF_FS_MAGIC 0xcafe4a11 /* linux/magic.h */

static __always_inline bool is_own(enum warden_own_kind kind, __u32 id)
{
	struct warden_own key = { .kind = kind, .id = id };

	return bpf_map_lookup_elem(&own, &key);
}

static __always_inline bool caller_is_trusted(const struct warden_settings *s)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();

	if (caller_acts_for_host(s))
		return true;
	return caller_netns_cookie() == s->host_netns_cookie && BPF_CORE_READ(task, thread_pid, level) == 0;
}

/* `told`: the host's doing it is an event too. */
static __always_inline int protect(enum warden_own_kind kind, __u32 id, bool told)
{
	const struct warden_settings *s = settings_get();
	struct touch t = { .ib_index = WARDEN_NO_INDEX };

	if (!s || !is_own(kind, id) || caller_is_warden(s))
		return 0;
	if (!caller_is_trusted(s))
		return react(&t, s, RULE_WARDEN_TAMPER, HOOK_REFUSES_AND_KILLS, kind, id);
	if (told)
		report(&t, RULE_WARDEN_TAMPER, VERDICT_OBSERVED, kind, id);
	return 0;
}

/* The id of the link behind a descriptor of the caller's; something else's number where it is no link. */
static __always_inline __u32 link_of(__u32 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **slots = BPF_CORE_READ(fdt, fd), *file = NULL;
	struct bpf_link *link;

	if (fd >= BPF_CORE_READ(fdt, max_fds) || bpf_probe_read_kernel(&file, sizeof(file), slots + fd))
		return 0;
	link = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(link, id);
}

/* Of union bpf_attr: the first member of link_detach and of link_update is the descriptor, of the rest here the id. */
static __always_inline int guard_bpf(int cmd, union bpf_attr *attr)
{
	__u32 first = 0;

	if (cmd != BPF_LINK_DETACH && cmd != BPF_LINK_UPDATE && cmd != BPF_LINK_GET_FD_BY_ID)
		return 0;
	if (bpf_probe_read_kernel(&first, sizeof(first), attr))
		return 0;
	if (cmd == BPF_LINK_GET_FD_BY_ID)
		return protect(OWN_LINK, first, false);
	return protect(OWN_LINK, link_of(first), true);
}

static __always_inline int guard_folder(struct inode *dir)
{
	if (BPF_CORE_READ(dir, i_sb, s_magic) != BPF_FS_MAGIC)
		return 0;
	return protect(OWN_FOLDER, BPF_CORE_READ(dir, i_ino), true);
}

static __always_inline int guard_rename(struct inode *from, struct inode *to)
{
	int refused = guard_folder(from);

	return refused || from == to ? refused : guard_folder(to);
}

SEC("lsm/bpf_map")
int BPF_PROG(map_lsm, struct bpf_map *map, unsigned int mode, int ret)
{
	return ret ? ret : protect(OWN_MAP, BPF_CORE_READ(map, id), false);
}

SEC("fmod_ret/security_bpf_map")
int BPF_PROG(map_fmod_ret, struct bpf_map *map, unsigned int mode, int ret)
{
	return ret ? ret : protect(OWN_MAP, BPF_CORE_READ(map, id), false);
}

SEC("lsm/bpf_prog")
int BPF_PROG(program_lsm, struct bpf_prog *prog, int ret)
{
	return ret ? ret : protect(OWN_PROGRAM, BPF_CORE_READ(prog, aux, id), false);
}

SEC("fmod_ret/security_bpf_prog")
int BPF_PROG(program_fmod_ret, struct bpf_prog *prog, int ret)
{
	return ret ? ret : protect(OWN_PROGRAM, BPF_CORE_READ(prog, aux, id), false);
}

/* 6.15 added an argument, so the verdict of the program before is not read: a refusal stands whatever comes after it. */
SEC("lsm/bpf")
int BPF_PROG(bpf_lsm, int cmd, union bpf_attr *attr, unsigned int size)
{
	return guard_bpf(cmd, attr);
}

SEC("fmod_ret/security_bpf")
int BPF_PROG(bpf_fmod_ret, int cmd, union bpf_attr *attr, unsigned int size)
{
	return guard_bpf(cmd, attr);
}

SEC("lsm/inode_unlink")
int BPF_PROG(unlink_lsm, struct inode *dir, struct dentry *dentry, int ret)
{
	return ret ? ret : guard_folder(dir);
}

SEC("fmod_ret/security_inode_unlink")
int BPF_PROG(unlink_fmod_ret, struct inode *dir, struct dentry *dentry, int ret)
{
	return ret ? ret : guard_folder(dir);
}

SEC("lsm/inode_rmdir")
int BPF_PROG(rmdir_lsm, struct inode *dir, struct dentry *dentry, int ret)
{
	return ret ? ret : guard_folder(dir);
}

SEC("fmod_ret/security_inode_rmdir")
int BPF_PROG(rmdir_fmod_ret, struct inode *dir, struct dentry *dentry, int ret)
{
	return ret ? ret : guard_folder(dir);
}

SEC("lsm/inode_rename")
int BPF_PROG(rename_lsm, struct inode *from, struct dentry *entry, struct inode *to, struct dentry *other, int ret)
{
	return ret ? ret : guard_rename(from, to);
}

SEC("fmod_ret/security_inode_rename")
int BPF_PROG(rename_fmod_ret, struct inode *from, struct dentry *entry, struct inode *to, struct dentry *other,
	     unsigned int flags, int ret)
{
	return ret ? ret : guard_rename(from, to);
}
