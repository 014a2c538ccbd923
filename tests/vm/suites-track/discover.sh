#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Whose a VF is that the warden, a container runtime with sriov-cni and rdma-cni, or somebody by hand has attached: it is known within
# a second, claimed and guarded, whatever of Kubernetes answers.
#   discover.sh [FUNCTION…]
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../attach.sh
. "$LAB_REPO/tests/vm/attach.sh"
# shellcheck source=../cri.sh
. "$LAB_REPO/tests/vm/cri.sh"
# shellcheck source=../kube.sh
. "$LAB_REPO/tests/vm/kube.sh"
# shellcheck source=../track.sh
. "$LAB_REPO/tests/vm/track.sh"

# ---- by hand, and what of Kubernetes answers ----

# SOURCE CLAIM-SOURCE: the VF is moved into pod a, which pod b has nothing to do with, and back.
moved_by_hand() {
	kube_pod b --driver cgroupfs --qos besteffort
	[ "$1" = kubelet ] || api_pod b
	kube_move a "$vf"
	within_a_second "moved by hand, the pod by $1" is_of "$vf" a "$1"
	within_a_second 'and claimed' claimed_for "$vf" a "$2"
	guarded "$vf" a b
	forget_events
	kube_return a "$vf"
	within_a_second 'back by hand' is_home "$vf"
	kubelet_revoke a
	wait_until 20 is_nobodys "$vf"
	no_event '"kind":"violation"'
}

t_kubelet() {
	kube_pod a
	kubelet_grant a main "$kube_resource" "$vf"
	kubelet_allocatable "$kube_resource" "$vf" "$vf2"
	moved_by_hand kubelet kubelet
}

t_kubelet_and_api() {
	kube_pod a
	api_pod a
	kubelet_grant a main "$kube_resource" "$vf"
	moved_by_hand kubelet kubelet
}

t_kubelet_late() { # the pod's processes begin after the move, as containers do
	kube_pod a --bare
	kube_pod b
	kubelet_grant a main "$kube_resource" "$vf"
	kube_move a "$vf"
	within_a_second 'moved before the pod has a process' is_of "$vf" a kubelet
	kube_run a "$(vf_node "$vf" uverbs)" /dev/infiniband/rdma_cm
	kube_run b
	guarded "$vf" a b
}

t_checkpoint() {
	kubelet_stop
	kube_pod a --qos guaranteed
	kubelet_grant a main "$kube_resource" "$vf"
	api_pod a
	moved_by_hand checkpoint checkpoint
	expect 'the socket is not there, and that is said' source_is kubelet '(waiting|failed)'
	expect 'the checkpoint serves' source_is checkpoint ok
}

# Neither socket nor checkpoint: processes tell the UID, and the API the name.
t_proc() {
	kubelet_stop
	rm -f "$kube_dir/checkpoint"
	kube_pod a --driver cgroupfs
	api_pod a
	moved_by_hand proc proc
}

# One of 253 characters, which is the longest.
t_long_name() {
	local name
	name=$(printf 'x%.0s' {1..241})-a.b-c.d0123
	kube_pod a --name "$name"
	expect 'as long as can be' test "$(kube_get a name | tr -d '\n' | wc -c)" = 253
	kubelet_grant a main "$kube_resource" "$vf"
	moved_by_hand kubelet kubelet
}

# ---- by the warden, and by a container runtime ----

t_attached() {
	kube_pod a
	kube_pod b
	api_pod b
	kube_attach a "$vf" '"ipam":{}'
	within_a_second 'attached by the warden' is_of "$vf" a attach
	expect 'it is claimed for the pod' claimed_for "$vf" a cni
	guarded "$vf" a b
	forget_events
	kube_detach a "$vf" '"ipam":{}'
	within_a_second 'detached, and nobody'"'"'s' is_home "$vf"
	no_event '"kind":"violation"'
}

# The pod's sandbox and container are the runtime's, and so is the order of all.
t_runtime() {
	kube_set a name a
	sandbox_uid a >"$kube_dir/pods/a.uid"
	kubelet_grant a main "$kube_resource" "$vf"
	sandbox_run a others
	within_a_second "by containerd with $(peers_name), of which RunPodSandbox had to end" device_has "$vf" '"owner":"ml/a","claim_source":"kubelet".*"name":"a"'
	container_run a "$(vf_node "$vf" uverbs)" /dev/infiniband/rdma_cm
	expect 'its device opens' test "$(container_exec a /build/uverbs context "$(vf_node "$vf" uverbs)")" = context
	refused uverbs open "$(vf_node "$vf" uverbs)"
	kube_pod b
	refused kube_exec b uverbs open "$(vf_node "$vf" uverbs)"
	forget_events
	kubelet_revoke a
	rm "$kube_dir/pods/a".*
	sandbox_end a
	within_a_second 'ended by containerd' is_home "$vf"
	no_event '"kind":"violation"'
}

# The pod's netns ends with the VF in it: closed to all until it is clean.
t_left_behind() {
	kube_pod a
	api_pod a
	kubelet_grant a main "$kube_resource" "$vf"
	kube_move a "$vf"
	within_a_second 'before its netns ends' claimed_for "$vf" a kubelet
	vf_set "$vf" trust on
	kube_pod_delete a
	wait_until 20 all_home
	wait_until 20 device_has "$vf" '"owner":"ml/a".*"unclean":"trusted","state":"orphan"'
	refused uverbs open "$(vf_node "$vf" uverbs)"
	vf_set "$vf" trust off
	wait_until 20 is_home "$vf"
	uverbs open "$(vf_node "$vf" uverbs)" >/dev/null
}

# ---- wardend stops and starts meanwhile ----

t_restart() {
	kube_pod a
	kube_pod b
	kubelet_grant a main "$kube_resource" "$vf"
	kubelet_grant b main "$kube_resource" "$vf2"
	api_pod a
	kube_move a "$vf"
	within_a_second 'before the restart' is_of "$vf" a kubelet
	warden_stop
	refused kube_exec b uverbs open "$(vf_node "$vf" uverbs)" # the claim holds
	kube_move b "$vf2"
	ask_end
	track_warden "$(kube_keys)"
	within_a_second 'it was there before the restart' is_of "$vf" a kubelet
	within_a_second 'it came while there was no wardend' is_of "$vf2" b kubelet
	guarded "$vf2" b a
	warden_kill
	kube_return a "$vf"
	ask_end
	track_warden "$(kube_keys)"
	within_a_second 'it went while there was no wardend' is_home "$vf"
	kube_return b "$vf2"
	within_a_second 'back by hand' is_home "$vf2"
}

# ---- a kubelet that is not well ----

# MANNER STATE SOURCE: what was granted before is known; what is granted meanwhile is found by the others; status says so.
kubelet_away() {
	source_is kubelet ok || kubelet_manner plain # after a case that failed
	wait_until 30 source_is kubelet ok
	kube_pod a
	kube_pod b
	api_pod a
	api_pod b
	kubelet_grant a main "$kube_resource" "$vf"
	kube_move a "$vf"
	within_a_second "before it has the manner $1" is_of "$vf" a kubelet
	kubelet_manner "$1"
	rm -f "$kube_dir/checkpoint"
	kube_move b "$vf2"
	within_a_second "the kubelet's manner is $1: the new one" is_named "$vf2" b
	within_a_second 'and claimed, after the kubelet was waited for' claimed_for "$vf2" b "$3"
	expect 'what was known is known' is_named "$vf" a
	guarded "$vf2" b a
	wait_until 30 source_is kubelet "$2"
	kubelet_manner plain
	wait_until 30 source_is kubelet ok
}

t_hang() { kubelet_away hang failed proc; }
t_garbage() { kubelet_away garbage failed proc; }
t_huge() { kubelet_away huge failed proc; }
t_slow() { kubelet_away slow '(failed|ok)' proc; }
t_cut() { kubelet_away cut failed proc; }

# By what wardend has read last, which holds as long as the kubelet does not answer.
nothing_is_granted() {
	ask resources && [[ "${answer[*]}" != *'"allocated":'[1-9]* ]]
}

t_gone() {
	wait_until 30 nothing_is_granted # to another pod of the same name, by the case before
	kubelet_stop
	rm -f "$kube_dir/checkpoint"
	kube_pod a
	api_pod a
	kube_move a "$vf"
	within_a_second 'there is no kubelet' is_of "$vf" a proc
	expect 'it is said that it does not answer' source_is kubelet failed
	kubelet_grant a main "$kube_resource" "$vf"
	kubelet_start
	wait_until 30 is_of "$vf" a kubelet
	wait_until 30 claimed_for "$vf" a kubelet
}

# ---- without Kubernetes ----

t_netns_name() {
	ip netns add lab-team.a
	kube_set a netns lab-team.a
	kube_move a "$vf"
	within_a_second 'a netns with a name' device_has "$vf" '"owner":"netns/lab-team.a","claim_source":"netns".*"pod":\{"namespace":"netns","name":"lab-team.a"'
	ip netns exec lab-team.a uverbs open "$(vf_node "$vf" uverbs)" >/dev/null
	refused uverbs open "$(vf_node "$vf" uverbs)"
	kube_return a "$vf"
	within_a_second 'back by hand' is_home "$vf"
	ip netns delete lab-team.a
	rm -f "$kube_dir/pods"/a.*
}

t_unit() {
	local unit=/sys/fs/cgroup/system.slice/lab-solver.service pid netns
	mkdir -p "$unit"
	(
		echo "$BASHPID" >"$unit/cgroup.procs"
		exec unshare -n busybox sleep 100000
	) >/dev/null 2>&1 </dev/null &
	pid=$!
	wait_until 10 grep -q busybox "/proc/$pid/comm"
	netns=../../proc/$pid/ns/net # ip and rdma put /var/run/netns/ before it
	vf_netdev "$vf" >"$kube_dir/unit.netdev"
	netdev_down "$(<"$kube_dir/unit.netdev")"
	ip link set "$(<"$kube_dir/unit.netdev")" netns "$pid"
	rdma dev set "$(vf_rdma "$vf")" netns "$netns"
	within_a_second 'a unit of systemd'"'"'s form' device_has "$vf" '"owner":"unit/lab-solver.service","claim_source":"netns".*"pod":\{"namespace":"unit","name":"lab-solver.service"'
	kill "$pid"
	wait_until 20 all_home
	within_a_second 'its netns has ended' is_home "$vf"
	rmdir "$unit"
}

# ---- the suite ----

rdma_mode exclusive
for vf in $(vf_list); do vf_hcasim "$vf" >/dev/null; done
{ read -r vf && read -r vf2; } < <(vf_list)

# A wardend and its sources for each group of cases, as few starts as can be.
group() { track_warden "$1" || exit 1; }

( kube_needs kubelet-standin && kube_needs kube-api-standin ) || { echo "skip - all # $(cat "$lab_state/skip")"; exit; }
network_of_others others "$vf" "$local_ipam"
runtime_start || exit 1
kubelet_start || exit 1
api_start || exit 1
group "$(kube_keys)"
track_cases "$@" <<-'CASES'
	moved_by_hand,_the_kubelet_knows_the_pod t_kubelet
	moved_by_hand,_the_API_knows_its_UID,_too t_kubelet_and_api
	moved_by_hand_before_the_pod_has_a_process t_kubelet_late
	a_pod_whose_name_is_as_long_as_can_be t_long_name
	attached_by_the_warden t_attached
	a_container_runtime,_and_plugins_of_others t_runtime
	a_VF_that_a_pod_has_left_behind t_left_behind
	wardend_is_started_again_meanwhile t_restart
	the_kubelet_hangs t_hang
	the_kubelet_answers_garbage t_garbage
	the_kubelet's_answer_is_too_long t_huge
	the_kubelet_is_slow t_slow
	the_kubelet's_connections_are_cut t_cut
	the_kubelet_is_not_there,_and_comes t_gone
CASES
group "$(kube_keys)"
track_cases "$@" <<-'CASES'
	the_kubelet's_checkpoint_alone t_checkpoint
	processes_and_the_API_alone t_proc
CASES
group '"kubernetes":{"api":"off","podresources":"","checkpoint":"","devinfo":""}'
track_cases "$@" <<-'CASES'
	without_Kubernetes:_the_name_of_a_netns t_netns_name
	without_Kubernetes:_a_unit t_unit
CASES
cat "$kube_dir/figures"
runtime_stop
kubelet_stop
api_stop
warden_unload
suite_end
