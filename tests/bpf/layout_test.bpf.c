// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One of each structure that BPF and user space share, so that this object's BTF describes them. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "warden.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct warden_cdev cdev;
struct warden_claim claim;
struct warden_device device;
struct warden_settings settings;
struct warden_cgroup pod_cgroup;
struct warden_majors majors;
struct warden_event event;
struct warden_owner owner;
struct warden_own own;
struct warden_merge_key merge_key;
struct warden_merge merge;
struct warden_pod pod;
struct warden_pod_ref pod_ref;
struct warden_pod_event pod_event;
struct warden_vf_key vf_key;
struct warden_vf_place vf_place;
struct warden_vf vf_one;
struct warden_vf_line vf_line;
struct warden_vf_stats vf_stats;
struct warden_vf_told vf_told;
struct warden_vf_tolds vf_tolds;
