#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What two sources say that cannot both be right is told as an event with both of them, is a failed check of `verify`, and when it is
# mended its end is told.
#   contradict.sh [FUNCTION…]
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../kube.sh
. "$LAB_REPO/tests/vm/kube.sh"
# shellcheck source=../track.sh
. "$LAB_REPO/tests/vm/track.sh"

# ---- what is told of a contradiction ----

# KIND RULE FILTER: an event of wardend's.
told_event() {
	jq -e --arg kind "$1" --arg rule "$2" "select(.kind == \$kind and .rule == \$rule) | $3" "$warden_events" >/dev/null
}

# RULE CHECK SUBJECT SOURCES: it holds. SOURCES are two, sorted, with a blank between.
begins() {
	wait_until 40 told_event violation "$1" ".verdict == \"observed\" and (.detail.sources | sort | join(\" \")) == \"$4\" and (.detail.cure | length) > 0" ||
		{ grep -a "$1" "$warden_events"; return 1; }
	expect_fail 'verify fails' checks
	expect_match "(^|
)$2 [^ ]* $3(\$|
)" "$(failing)"
	expect 'status counts it' status_has '"contradictions":[1-9]'
}

# RULE CHECK: it does no longer.
ends() {
	wait_until 40 told_event change "$1" true || { grep -a "$1" "$warden_events"; return 1; }
	checks || true
	expect_fail 'verify names it no more' grep -q "\"id\":\"$2\".*\"result\":\"fail\"" "$kube_dir/checks"
	wait_until 20 status_has '"contradictions":0'
	expect 'it was told once' test "$(grep -ac "\"rule\":\"$1\"" "$warden_events")" = 2
}

# ---- each of them ----

# The VF that the kubelet has given to b is in a.
t_pod() {
	kube_pod a
	kube_pod b
	api_pod a
	api_pod b
	kubelet_grant b main "$kube_resource" "$vf"
	kube_move a "$vf"
	begins track.pod track.pod "$vf" 'kubelet proc'
	kubelet_revoke b
	kubelet_grant a main "$kube_resource" "$vf"
	ends track.pod track.pod
}

# In a pod, and nobody has given it: where the kubelet answers that is known.
t_stray() {
	kube_pod a
	kubelet_change .
	kube_move a "$vf"
	begins track.stray track.stray "$vf" 'kubelet proc'
	kubelet_grant a main "$kube_resource" "$vf"
	ends track.stray track.stray
}

# Given to a pod that runs, and still with the host.
t_missing() {
	kube_pod a
	api_pod a
	kubelet_grant a main "$kube_resource" "$vf"
	begins track.missing track.missing "$vf" 'kubelet proc'
	kube_move a "$vf"
	ends track.missing track.missing
}

# The netdev is in the pod, and its RDMA device is not.
t_split() {
	kube_pod a
	api_pod a
	kube_move a "$vf" netdev
	begins track.split track.split "$vf" 'proc proc'
	kube_return a "$vf" netdev
	ends track.split track.split
}

t_shared_plugin() {
	kubelet_allocatable "$kube_resource" "$vf" "$vf2"
	kubelet_allocatable rdma/hca_shared_devices_a {0..9}
	begins exclusive.shared-plugin resource.shared-plugin rdma/hca_shared_devices_a 'kubelet kubelet'
	kubelet_allocatable rdma/hca_shared_devices_a
	ends exclusive.shared-plugin resource.shared-plugin
}

# What is being set up looks for a moment like a contradiction, and is none.
t_none() {
	kube_pod a
	api_pod a
	kubelet_grant a main "$kube_resource" "$vf"
	kube_move a "$vf"
	wait_until 20 claimed_for "$vf" a kubelet
	checks || true
	expect_fail 'nothing contradicts itself' grep -qE '"id":"track\.(pod|stray|missing|split)"' "$kube_dir/checks"
	expect 'that is told' grep -q '"id":"track.agree".*"owner":"ml/a".*"result":"pass"' "$kube_dir/checks"
	kubelet_revoke a
	kube_return a "$vf"
	kubelet_change .
	checks || true
	no_event '"rule":"track.'
}

# ---- the suite ----

rdma_mode exclusive
for vf in $(vf_list); do vf_hcasim "$vf" >/dev/null; done
{ read -r vf && read -r vf2; } < <(vf_list)
( kube_needs kubelet-standin && kube_needs kube-api-standin ) || { echo "skip - all # $(cat "$lab_state/skip")"; exit; }
kubelet_start || exit 1
api_start || exit 1
track_warden "$(kube_keys)" || exit 1
track_cases "$@" <<-'CASES'
	one_source_says_pod_a,_another_one_pod_b t_pod
	in_a_pod,_and_nobody_gave_it t_stray
	given_to_a_pod,_and_not_there t_missing
	netdev_and_RDMA_device_are_apart t_split
	the_plugin_for_shared_devices_beside_the_VFs t_shared_plugin
	a_pod_that_is_set_up_and_ended_is_no_contradiction t_none
CASES
kubelet_stop
api_stop
warden_unload
suite_end
