#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Pods that a real container runtime starts: containerd calls the plugin for them, runc makes their containers, and each
# has its VF's address and its own RDMA device; after each case the node is as it was.
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../attach.sh
. "$LAB_REPO/tests/vm/attach.sh"
# shellcheck source=../cri.sh
. "$LAB_REPO/tests/vm/cri.sh"

# POD FILTER: of the device that is claimed for it.
device_of() { ctl devices --json | jq -er "select(.owner == \"ml/$1\") | $2"; }

netns_name() { basename "$(sandbox_netns "$1")"; }

# POD VF
has_vf() {
	local ip
	ip=$(sandbox_ip "$1")
	expect_match '^10\.88\.0\.' "$ip"
	expect_match "inet $ip/24 " "$(ip -n "$(netns_name "$1")" address show dev eth0)"
	expect_match "$2 .*$(netns_name "$1") +ml/$1 +claimed" "$(ctl devices)"
}

# REGEX CMD…: fails, and says why.
fails_with() {
	local regex=$1
	shift
	expect_fail "it fails with $regex" "$@" >"$cni_dir/said" || { cat "$cni_dir/said"; return 1; }
	expect_match "$regex" "$(<"$cni_dir/said")"
}

uses_device() { [ "$(device_of "$1" .qps)" = 1 ]; }

# POD NODE…: its container has a queue pair on the first device, and is given the nodes of all.
run_user() {
	local container_command=(/bin/sh -c "sleep 1000000 | /build/uverbs hold $2 --qps 1")
	container_run "$@"
	wait_until 20 uses_device "$1"
}

# ---- what a pod has ----

t_pod() {
	local own other
	own=$(vf_node "$vf" uverbs) other=$(vf_node "$vf2" uverbs)
	sandbox_run p1 vf
	expect 'its address is that of its VF' test "$(sandbox_ip p1)" = 10.88.0.2
	has_vf p1 "$vf"
	expect_match 'runtimeConfig.*HostPort.*8080' "$(cat "$journal_dir"/*)" # of which the plugin needs nothing
	run_user p1 "$own" "$other"
	expect_match 'eth0 +UP +10\.88\.0\.2/24' "$(container_exec p1 ip -brief address show dev eth0)"
	expect_match '10\.99\.0\.0/16 via 10\.88\.0\.1 dev eth0' "$(container_exec p1 ip route)"
	expect 'its sysfs has its RDMA device alone' test "$(container_exec p1 ls /sys/class/infiniband)" = "$rdma"
	expect_match "^link $rdma/1 state ACTIVE [^/]* netdev eth0 *\$" "$(container_exec p1 rdma link)"
	expect 'its device opens' test "$(container_exec p1 /build/uverbs context "$own")" = context
	refused container_exec p1 /build/uverbs open "$other" # its cgroup would let it
	event rule=exclusive.open verdict=denied "pci=$vf2" pod=ml/p1
	refused uverbs open "$own"
	event rule=exclusive.open verdict=denied "pci=$vf" owner=ml/p1 pod=
	sandbox_end p1
}

t_again() {
	local pod
	for pod in p1 p2; do
		sandbox_run "$pod" vf
		has_vf "$pod" "$vf"
		run_user "$pod" "$(vf_node "$vf" uverbs)"
		cri StopPodSandbox "pod_sandbox_id: \"$(sandbox_get "$pod" id)\"" # as the kubelet does, more than once
		expect_match "$vf .* - +free" "$(ctl devices)"
		sandbox_end "$pod"
		node_is_as_before
	done
}

# The runtime ends what it could not begin, with a DEL for a container that has nothing.
t_taken() {
	sandbox_run p1 vf
	fails_with "failed \\(add\\): .*$vf is attached to container $(sandbox_get p1 id)" sandbox_run p2 vf
	expect 'nothing is left of the second pod' test "$(sandbox_ids '')" = "$(sandbox_get p1 id)"
	sandbox_remove_cgroup p2
	has_vf p1 "$vf"
	run_user p1 "$(vf_node "$vf" uverbs)"
	sandbox_end p1
}

# ---- data ----

# POD [SERVER]: the server looks whether the client's data has come.
pingpong() {
	local pod=$1
	shift
	container_exec "$pod" ibv_rc_pingpong --gid-idx 1 --iters 20 --chk "$@"
}

soft_node() { printf '/dev/infiniband/%s' "$(device_of "$1" '.cdevs[] | select(startswith("uverbs"))')"; }

t_data() {
	local pod one server
	rdma_works rxe || skip 'rxe cannot change its netns on this kernel'
	for one in "$vf" "$vf2"; do echo "$one" >/sys/kernel/debug/hcasim/remove; done
	for pod in p1 p2; do
		sandbox_run "$pod" "soft-$pod"
		container_run "$pod" "$(soft_node "$pod")"
		expect_match '^[[:space:]]*rxe-[^[:space:]]+[[:space:]]+[0-9a-f]{16}$' "$(container_exec "$pod" ibv_devices | tail -n +3)"
	done
	one=$(sandbox_ip p1)
	wait_until 20 container_exec p2 ping -c 1 -W 1 "$one"
	cri_answer=$cri_answer.server pingpong p1 >"$cni_dir/server" 2>&1 &
	server=$!
	wait_until 60 pingpong p2 "$one"
	wait "$server"
	expect_match '163840 bytes.*20 iters' "$(<"$cni_dir/server")"
	expect_fail 'other data came' grep 'invalid data' "$cni_dir/server"
	sandbox_end p1
	sandbox_end p2
	for one in "$vf" "$vf2"; do vf_hcasim "$one"; done
}

# ---- ends that nobody asked for ----

# All processes of two pods die, and of one the netns goes, too, before the runtime is told to end them.
t_killed() {
	local pod
	sandbox_run p1 vf
	run_user p1 "$(vf_node "$vf" uverbs)"
	sandbox_run p2 vf2
	for pod in p1 p2; do sandbox_kill "$pod"; done
	netns_delete "$(netns_name p2)"
	sandbox_end p1
	sandbox_end p2
}

t_runtime_killed() {
	sandbox_run p1 vf
	run_user p1 "$(vf_node "$vf" uverbs)"
	runtime_kill
	expect 'the container goes on' uses_device p1
	forget_events
	refused uverbs open "$(vf_node "$vf" uverbs)"
	event rule=exclusive.open verdict=denied "pci=$vf" owner=ml/p1
	runtime_start
	has_vf p1 "$vf"
	expect_match eth0 "$(container_exec p1 rdma link)"
	sandbox_end p1
	sandbox_run p2 vf
	has_vf p2 "$vf"
	runtime_kill
	sandbox_kill p2
	runtime_start
	sandbox_end p2
}

# ---- without wardend ----

# What the runtime could not take back stays with it until the kubelet ends it, for which it does not call the plugin again.
t_warden_away() {
	local refused='wardend: .*no wardend answers there'
	sandbox_run p1 vf
	warden_kill
	fails_with "failed \\(add\\): $refused" sandbox_run p2 vf2
	sandbox_ids 'filter { state { state: SANDBOX_NOTREADY } }' >"$runtime_dir/pods/p2.id"
	fails_with "failed \\(delete\\): $refused" sandbox_end_id "$(sandbox_get p1 id)"
	sandbox_end p2
	warden_start "$warden_config"
	has_vf p1 "$vf"
	expect 'the other VF is at home' test -n "$(vf_netdev "$vf2")"
	sandbox_end p1
	sandbox_run p2 vf2
	has_vf p2 "$vf2"
	sandbox_end p2
}

runtime_case() {
	"$runtime_function"
	runtime_is_clean
	node_is_as_before
}

run_runtime() {
	local one
	runtime_function=$2
	run_case "$1" runtime_case
	[ "$(tail -n 1 "$lab_cases")" = 'not ok' ] || return 0
	runtime_tidy
	attach_tidy
	for one in $vfs; do vf_hcasim "$one" >/dev/null; done
}

warden_config='"mode":"enforce","discover":"all"'
rdma_mode exclusive
for vf in $(vf_list); do vf_hcasim "$vf" >/dev/null; done
{ read -r vf && read -r vf2; } < <(vf_list)
rdma=$(vf_rdma "$vf")
network vf "$vf" "$local_ipam"
network vf2 "$vf2" "$local_ipam"
network soft-p1 "$vf" "\"softroce\":true,$local_ipam"
network soft-p2 "$vf2" "\"softroce\":true,$local_ipam"
warden_start "$warden_config" || exit 1
runtime_start || exit 1
node_note
while read -r name function; do
	[ $# -gt 0 ] && [[ " $* " != *" $function "* ]] && continue
	run_runtime "${name//_/ }" "$function"
done <<-'CASES'
	a_pod_has_its_VF's_address_and_its_own_RDMA_device t_pod
	the_next_pod_gets_the_same_VF t_again
	a_pod_cannot_have_another_pod's_VF t_taken
	two_pods_move_data_between_their_devices t_data
	pods_whose_processes_and_netns_are_gone t_killed
	containerd_is_killed_while_pods_live t_runtime_killed
	without_wardend_no_pod_starts_or_ends t_warden_away
CASES
runtime_stop
warden_unload
suite_end
