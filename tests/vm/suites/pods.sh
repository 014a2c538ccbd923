#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Whose a violation is: pods that hold no device and are claimed by nobody, known by what they execute, in the cgroups that
# kubelet and runtimes make. What is not tried here: pods' names, which other sources know (here a pod is pod-uid/UID).
set -uo pipefail
. "$LAB_REPO/tests/vm/lib.sh"
. "$LAB_REPO/tests/vm/warden.sh"

node() { pod_uverbs owner; }
uid() { printf '%08x-43a0-413e-aac2-5eb0868f6c1a\n' "$1"; }
container_id() { printf '%064x\n' "$1"; }
cgroup() { printf '/sys/fs/cgroup/%s\n' "$1"; }

# CGROUP CMD…: as a container's process is, in a netns and a PID namespace of its own.
in_container() {
	local cgroup
	cgroup=$(cgroup "$1")
	shift
	(
		echo "$BASHPID" >"$cgroup/cgroup.procs"
		exec unshare --net --pid --fork --kill-child "$@"
	)
}

# ROOT CGROUP: from the leaf up to below the root. What has just ended may still be in it.
remove_cgroup() {
	wait_until 5 grep -qx 'populated 0' "$(cgroup "$1")/cgroup.events"
	find "$(cgroup "$1")" -mindepth 1 -depth -type d -exec rmdir {} +
	[ "$1" = kubepods ] || rmdir "$(cgroup "$1")"
}

slots_in_use() { bpftool -j map dump pinned "$(echo "$warden_pins"/maps-*/pod_cgroups)" | jq length; }
slots_are() { [ "$(slots_in_use)" = "$1" ]; }
lost_pods() { ctl status --json | jq '.counters["lost.pods"]'; }

# UID SLICE LEAF: a pod's process in LEAF of SLICE is refused an open, and the event says whose it was.
is_named() {
	mkdir -p "$(cgroup "$2/$3")"
	forget_events
	refused in_container "$2/$3" uverbs open "$(node)"
	event rule=exclusive.open verdict=denied comm=uverbs owner=test/owner "pod=pod-uid/$1"
	wait_until 5 slots_are 1
	remove_cgroup "$2"
	wait_until 5 slots_are 0
}

t_paths() {
	local n=0 qos runtime id uid_
	for qos in '' burstable besteffort; do
		for runtime in cri-containerd crio; do
			n=$((n + 1))
			id=$(container_id $n) uid_=$(uid $n)
			uid_=${uid_//-/_}
			is_named "$(uid $n)" "kubepods.slice/kubepods${qos:+-$qos.slice/kubepods-$qos}-pod$uid_.slice" "$runtime-$id.scope"
			n=$((n + 1))
			id=$(container_id $n)
			[ $runtime = cri-containerd ] || id=crio-$id
			is_named "$(uid $n)" "kubepods/${qos:+$qos/}pod$(uid $n)" "$id"
		done
	done
	no_event '"rule":"pod.'
}

# It has begun and ended while wardend was not looking.
t_short_life() {
	local pod id
	pod=kubepods/burstable/pod$(uid 100) id=$(container_id 100)
	mkdir -p "$(cgroup "$pod/$id")"
	forget_events
	kill -STOP "$(cat "$warden_dir/pid")"
	refused in_container "$pod/$id" uverbs open "$(node)" || { kill -CONT "$(cat "$warden_dir/pid")"; return 1; }
	remove_cgroup "$pod"
	kill -CONT "$(cat "$warden_dir/pid")"
	event rule=exclusive.open verdict=denied comm=uverbs "pod=pod-uid/$(uid 100)"
	slots_are 0
}

# Who has entered a pod's netns is not the pod, and a pod is who it is wherever it has gone.
t_entered() {
	local pod id inside
	pod=kubepods/pod$(uid 101) id=$(container_id 101)
	mkdir -p "$(cgroup "$pod/$id")" "$(cgroup "kubepods/pod$(uid 102)/$id")"
	in_container "$pod/$id" sleep 1000 &
	wait_until 10 inside_of "$pod/$id"
	inside=$(inside_of "$pod/$id")
	forget_events
	refused nsenter --net="/proc/$inside/ns/net" uverbs open "$(node)"
	event rule=exclusive.open verdict=denied comm=uverbs cgroup=/ pod= "netns:=$(stat -Lc %i "/proc/$inside/ns/net")"
	forget_events
	(
		echo "$BASHPID" >"$(cgroup "kubepods/pod$(uid 102)/$id")/cgroup.procs"
		refused nsenter --net="/proc/$inside/ns/net" uverbs open "$(node)"
	)
	event rule=exclusive.open verdict=denied comm=uverbs "pod=pod-uid/$(uid 102)"
	echo 1 >"$(cgroup "$pod/$id")/cgroup.kill"
	wait || true
	remove_cgroup "$pod"
	remove_cgroup "kubepods/pod$(uid 102)"
	wait_until 5 slots_are 0
}
# The container's first process: what unshare has started.
inside_of() {
	local pid name
	while read -r pid; do
		name=$(first_line "/proc/$pid/comm")
		[ "$name" != sleep ] || { echo "$pid"; return; }
	done <"$(cgroup "$1")/cgroup.procs"
	return 1
}

# What happens while no wardend runs is in the ring, and what it knew is in the maps.
t_restarted() {
	local old new id before
	old=kubepods/pod$(uid 110) new=kubepods/burstable/pod$(uid 111) id=$(container_id 110)
	mkdir -p "$(cgroup "$old/$id")" "$(cgroup "$new/$id")"
	refused in_container "$old/$id" uverbs open "$(node)"
	wait_until 5 slots_are 1
	before=$(bpftool -j map dump pinned "$(echo "$warden_pins"/maps-*/pod_cgroups)")
	warden_kill
	forget_events
	refused in_container "$old/$id" uverbs open "$(node)"
	refused in_container "$new/$id" uverbs open "$(node)"
	remove_cgroup "$new"
	warden_start '"mode":"enforce"'
	event rule=exclusive.open verdict=denied comm=uverbs "pod=pod-uid/$(uid 110)"
	event rule=exclusive.open verdict=denied comm=uverbs "pod=pod-uid/$(uid 111)"
	expect 'the same slot' test "$(bpftool -j map dump pinned "$(echo "$warden_pins"/maps-*/pod_cgroups)")" = "$before"
	warden_stop
	remove_cgroup "$old" # its end is in the ring
	warden_start '"mode":"enforce"'
	wait_until 5 slots_are 0
}

# Three opens of one process, of which two are merged into an event that comes a second later.
insist() { bash -c 'for i in 1 2 3; do : <"$1"; done' insist "$(node)" 2>/dev/null || true; }

first_in() { (echo "$BASHPID" >"$(cgroup "$1")/cgroup.procs" && exec true); }

# FIRST LAST: so many pods that live.
make_pods() {
	local n dirs=()
	for ((n = $1; n <= $2; n++)); do dirs+=("/sys/fs/cgroup/kubepods/pod$(uid "$n")/$(container_id "$n")"); done
	mkdir -p "${dirs[@]}"
	for ((n = $1; n <= $2; n++)); do first_in "${dirs[n - $1]#/sys/fs/cgroup/}"; done
}

# Each slot has a pod that lives: one more is counted. One ends, and another one gets its slot before what it did last is told.
t_full() {
	local one two id
	make_pods 1000 2023
	wait_until 20 slots_are 1024
	expect 'none is lost' test "$(lost_pods)" = 0
	make_pods 2024 2024
	wait_until 5 lost_is 1
	one=kubepods/pod$(uid 1000) two=kubepods/burstable/pod$(uid 3000) id=$(container_id 1000)
	mkdir -p "$(cgroup "$two/$id")"
	forget_events
	kill -STOP "$(cat "$warden_dir/pid")"
	(echo "$BASHPID" >"$(cgroup "$one/$id")/cgroup.procs" && insist)
	remove_cgroup "$one"
	in_container "$two/$id" uverbs open "$(node)" || true
	kill -CONT "$(cat "$warden_dir/pid")"
	event rule=exclusive.open comm=bash "pod=pod-uid/$(uid 1000)" merged:=0
	event rule=exclusive.open comm=uverbs "pod=pod-uid/$(uid 3000)"
	event rule=exclusive.open comm=bash pod= merged:=1
	no_event '"comm":"bash"' "\"pod\":\"pod-uid/$(uid 3000)\""
	remove_cgroup kubepods
	wait_until 20 slots_are 0
	expect 'one was lost' test "$(lost_pods)" = 1
}
lost_is() { [ "$(lost_pods)" = "$1" ]; }

rdma_mode exclusive
rdma_works hcasim || { echo 'not ok - hcasim is missing'; exit 1; }
mkdir -p /sys/fs/cgroup/kubepods
pod_create owner --vf next --rdma hcasim
warden_start '"mode":"enforce"' || { echo 'not ok - wardend starts'; exit 1; }
claim owner
run_case 'a pod is named in each kind of path' t_paths
run_case 'a pod that lives for a moment' t_short_life
run_case 'who has entered the netns of a pod' t_entered
run_case 'pods of before a restart, and of meanwhile' t_restarted
run_case 'more pods than there are slots' t_full
warden_unload
delete_pods_except ''
rmdir /sys/fs/cgroup/kubepods
suite_end
