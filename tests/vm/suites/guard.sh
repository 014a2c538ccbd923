#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The exclusive rule on the running kernel, in both netns modes, on hcasim (ownership as hardware has it) and on rxe.
# Run in a guest whose lsm= list lacks bpf too: there fmod_ret has to carry it.
# wardend takes seconds to start without KVM, so the cases of a mode share its pods and three starts.
set -uo pipefail
. "$LAB_REPO/tests/vm/lib.sh"
. "$LAB_REPO/tests/vm/warden.sh"

expected_guard() { if grep -qw bpf /sys/kernel/security/lsm; then echo lsm; else echo fmod_ret; fi; }

nothing_is_left() {
	[ ! -e "$warden_pins" ] && [ -z "$(ls /sys/fs/bpf)" ] && [ -z "$(bpftool link list)" ] &&
		[ -z "$(bpftool prog list)" ] && [ -z "$(bpftool map list)" ]
}

t_check() {
	local capabilities
	capabilities=$(wardend --check)
	expect_match "\"guard.mechanism\",\"state\":\"(active|fallback)\",\"by\":\"$(expected_guard)\"" "$capabilities"
	expect_match '"exclusive.open","state":"active"' "$capabilities"
	expect_match '"marking.audit","state":"active"' "$capabilities"
	expect_fail 'a feature that this kernel lacks' grep -Ev 'not in (this version|use)' <<<"$(grep unavailable <<<"$capabilities")"
	expect 'nothing left behind' nothing_is_left
}

# ---- one device, its owner, and everybody else ----
# $kind: hcasim, rxe, or hostpod: pods that share the host's netns (hostNetwork) and have an rxe device each. That is
# also how rxe is covered in exclusive mode before 7.3, where it cannot change netns.

need_kind() {
	[ "$kind" != rxe ] || rdma_works rxe || skip "before 7.3 an rxe device cannot be in a pod's netns"
	expect "the scene has a pod $(owner)" test -n "$(pod_get "$(owner)" kind)"
}

owner() { printf 'owner-%s\n' "$kind"; }
other() { printf 'other-%s\n' "$kind"; }
owner_works() { pod_exec "$(owner)" uverbs context "$(pod_uverbs "$(owner)")"; }
node() { pod_uverbs "$(owner)"; }

# In exclusive mode the kernel itself keeps the host from a device of another netns.
pod_is_elsewhere() { rdma_mode_is exclusive && ! pod_is_host "$(owner)"; }

# Unclaimed: the host may, as far as the kernel lets it; a pod may not.
t_unclaimed() {
	need_kind
	uverbs open "$(node)" || pod_is_elsewhere
	refused pod_exec "$(owner)" uverbs open "$(node)"
	event rule=exclusive.open verdict=denied comm=uverbs "owner=" "cgroup=/kubepods.slice/$(owner)"
}

t_owner() {
	need_kind
	claim "$(owner)"
	claim "$(other)"
	expect 'the owner works' owner_works
	expect 'the other one works on its own' pod_exec "$(other)" uverbs context "$(pod_uverbs "$(other)")"
}

t_host_refused() {
	local device
	need_kind
	device=$(pod_rdma "$(owner)")
	refused uverbs open "$(node)"
	event kind=violation rule=exclusive.open verdict=denied "device=$device" "owner=test/$(owner)" comm=uverbs uid:=0 \
		cgroup=/ "netns:=$(stat -Lc %i /proc/self/ns/net)" pod=
}

t_pod_refused() {
	need_kind
	refused pod_exec "$(other)" uverbs open "$(node)"
	event rule=exclusive.open verdict=denied "owner=test/$(owner)" "cgroup=/kubepods.slice/$(other)" \
		"netns:=$(pod_netns_inode "$(other)")" "pod=test/$(other)"
}

# The owner's netns is not enough where the claim names a cgroup too.
t_cgroup_decides() {
	need_kind
	refused in_netns_of "$(owner)" uverbs open "$(node)"
	event rule=exclusive.open verdict=denied "owner=test/$(owner)" cgroup=/ "netns:=$(pod_netns_inode "$(owner)")" pod=
}

in_netns_of() { nsenter --net="$(pod_netns_path "$1")" "${@:2}"; }
pod_netns_path() { if pod_is_host "$1"; then echo /proc/1/ns/net; else echo "/run/netns/$1"; fi; }

# Opened by the owner, used from another netns: the kernel checks at the open alone.
t_inherited() {
	need_kind
	[ "$kind" != hostpod ] || skip 'it is in the host netns already'
	refused pod_exec "$(owner)" uverbs reuse "$(node)" --netns /proc/1/ns/net
	event rule=exclusive.inherited-fd verdict=denied "owner=test/$(owner)" comm=uverbs
}

# The same by write(2), which no hook can refuse: the stranger does not outlive his first command.
t_inherited_write() {
	local status=0
	need_kind
	[ "$kind" != hostpod ] || skip 'it is in the host netns already'
	pod_exec "$(owner)" uverbs context "$(node)" --via write
	forget_events
	pod_exec "$(owner)" uverbs reuse "$(node)" --via write --netns /proc/1/ns/net || status=$?
	[ "$status" = 137 ] || { echo "status $status, expected 137 (SIGKILL)"; return 1; }
	event rule=exclusive.inherited-fd verdict=killed "owner=test/$(owner)" comm=uverbs
}

t_mapped() {
	need_kind
	[ "$kind" != hostpod ] || skip 'it is in the host netns already'
	# Neither driver has a page there, and the hook comes first.
	pod_exec "$(owner)" uverbs map "$(node)" >"$lab_state/map" 2>&1 || true
	expect_match 'mmap E(INVAL|NODEV)' "$(cat "$lab_state/map")"
	forget_events
	refused pod_exec "$(owner)" uverbs map "$(node)" --netns /proc/1/ns/net
	event rule=exclusive.mmap verdict=denied "owner=test/$(owner)" comm=uverbs
}

# A descriptor over SCM_RIGHTS, from the owner to a process of its own pod and to the host.
t_passed() {
	need_kind
	expect_match 'context on a received descriptor' "$(pass_from_owner pod_exec "$(owner)")"
	forget_events
	expect_match 'receive ENOMSG' "$(pass_from_owner)"
	event rule=exclusive.fd-pass verdict=denied "owner=test/$(owner)" comm=uverbs cgroup=/
}

# [CMD…]: the receiver, run by CMD, says what it got.
pass_from_owner() {
	rm -f "$lab_state/socket"
	"$@" uverbs receive "$lab_state/socket" 2>&1 &
	wait_until 10 test -S "$lab_state/socket"
	pod_exec "$(owner)" uverbs pass "$(node)" "$lab_state/socket" >&2
	wait $! || true
}

# A pod may read over RDMA netlink, and change nothing: neither its own device nor the mode.
t_netlink() {
	local device
	need_kind
	device=$(pod_rdma "$(owner)")
	forget_events
	pod_exec "$(owner)" rdma dev show "$device"
	expect_fail 'a pod renames' pod_exec "$(owner)" rdma dev set "$device" name mine
	event rule=exclusive.netlink verdict=denied "device=$device" "owner=test/$(owner)" comm=rdma "pod=test/$(owner)"
	expect_fail 'a pod adds a device' pod_exec "$(owner)" rdma link add mine type rxe netdev lo
	expect_fail 'a pod changes the mode' pod_exec "$(owner)" rdma system set netns shared
	event rule=exclusive.mode verdict=denied comm=rdma "cgroup=/kubepods.slice/$(owner)"
	rdma_mode_is "$mode"
	# Who moves devices for the host does so from inside a pod's netns too, and is not taken for the pod.
	in_netns_of "$(owner)" rdma dev set "$device" name "$device-x"
	in_netns_of "$(owner)" rdma dev set "$device-x" name "$device"
}

t_in_the_list() {
	local line
	need_kind
	line=$(ctl devices --json | grep -F "\"owner\":\"test/$(owner)\"")
	expect_match "\"device\":\"$(pod_rdma "$(owner)")\"" "$line"
	expect_match "\"cdevs\":\[.*\"$(basename "$(node)")\"" "$line"
	expect_match '"claim_source":"manual".*"state":"claimed"' "$line"
	if [ "$kind" != hostpod ]; then expect_match '"netdev":"net1"' "$line"; fi
	if [ "$kind" = hcasim ]; then expect_match "\"pci\":\"$(pod_vf "$(owner)")\",\"pf\":\"[a-z0-9]+\"" "$line"; fi
	expect_match "\"node_guid\":\"$(pod_exec "$(owner)" cat "/sys/class/infiniband/$(pod_rdma "$(owner)")/node_guid")\"" "$line"
}

t_counts() {
	need_kind
	rm -f "$lab_state/stdin-$kind"
	mkfifo "$lab_state/stdin-$kind"
	pod_exec "$(owner)" uverbs hold "$(node)" --qps 3 --mrs 2 <"$lab_state/stdin-$kind" >"$lab_state/hold" &
	exec 7>"$lab_state/stdin-$kind"
	wait_until 10 grep -q ready "$lab_state/hold"
	ctl devices --json | grep -F "\"owner\":\"test/$(owner)\"" | expect_match '"qps":3,"mrs":2,"contexts":1' -
	exec 7>&-
	wait
	wait_until 5 counts_are_zero
}
counts_are_zero() { ctl devices --json | grep -F "\"owner\":\"test/$(owner)\"" | grep -F '"qps":0,"mrs":0,"contexts":0'; }

# The intruder opens beside these, all the time.
t_killed() {
	need_kind
	kept_out uverbs open "$(node)"
	expect 'the owner works without wardend' owner_works
}

t_restarted() {
	need_kind
	kept_out uverbs open "$(node)"
	expect 'the owner works' owner_works
	ctl devices --json | expect_match "\"owner\":\"test/$(owner)\"" -
	event rule=exclusive.open verdict=denied "owner=test/$(owner)"
}

t_audit() {
	need_kind
	uverbs open "$(node)" || pod_is_elsewhere
	event rule=exclusive.open verdict=observed "owner=test/$(owner)" comm=uverbs
	expect 'the owner works' owner_works
	no_event '"verdict":"denied"'
}

t_released() {
	need_kind
	release "$(owner)"
	event kind=change rule=claim.release "owner=test/$(owner)"
	refused pod_exec "$(owner)" uverbs open "$(node)"
	expect_fail 'released twice' release "$(owner)"
	claim "$(owner)"
	expect 'the owner works' owner_works
}

# The netns of a claim ends: the device stays closed until it is proved clean. Here the PF still trusts the VF.
t_orphan() {
	local device vf
	[ "$kind" != rxe ] || skip 'the lab takes a pod of rxe down device first'
	[ "$kind" != hostpod ] || skip 'the host netns does not end'
	need_kind
	device=$(pod_rdma "$(owner)") vf=$(pod_vf "$(owner)")
	vf_set "$vf" trust on
	ip netns delete "$(owner)"
	event kind=change rule=netns.end "owner=test/$(owner)"
	if rdma_mode_is exclusive; then event kind=change rule=exclusive.orphan "device=$device" "owner=test/$(owner)"; fi
	wait_until 5 is_orphan "$vf"
	refused uverbs open "$(vf_node "$vf" uverbs)"
	wait_until 5 is_unclean "$vf" '[^"]*trusted'
	expect_fail 'released though it is not clean' ctl release --device "$vf"
	is_orphan "$vf"
	vf_set "$vf" trust off
	event kind=change rule=claim.release "owner=test/$(owner)" "message=released: its owner is gone and it is clean"
	expect 'free again' uverbs open "$(vf_node "$vf" uverbs)"
	echo "$vf" >/sys/kernel/debug/hcasim/remove # its name would be in the way of the other pod's device
}
is_unclean() { ctl devices --json | grep -F "\"pci\":\"$1\"" | grep -E "\"unclean\":\"$2"; }
is_orphan() { ctl devices --json | grep -F "\"pci\":\"$1\"" | grep -F '"state":"orphan"'; }

t_umad() {
	local node
	node=$(find /dev/infiniband -name 'umad*' | head -n 1)
	[ -n "$node" ] || skip 'no umad node here'
	expect_fail 'umad belongs to nobody' dd if="$node" count=0 status=none
	event rule=exclusive.umad verdict=denied comm=dd
}

t_unload() {
	kind=hcasim
	need_kind
	expect_fail 'not under a running wardend' wardend --config "$warden_dir/config" --unload
	refused uverbs open "$(pod_uverbs other-hcasim)"
	warden_unload
	expect 'nothing left' nothing_is_left
	if rdma_mode_is shared; then expect 'the rule has ended' uverbs open "$(pod_uverbs other-hcasim)"; fi
}

each_kind() {
	local case
	for kind in hcasim rxe hostpod; do
		for case in "$@"; do run_case "$mode, $kind: $case" "t_$case"; done
	done
}

start_or_die() { warden_start "$@" || { echo "not ok - wardend starts"; exit 1; }; }

run_mode() {
	mode=$1
	rdma_mode "$mode"
	for kind in hcasim rxe; do
		rdma_works "$kind" || continue
		pod_create "owner-$kind" --vf next --rdma "$kind"
		pod_create "other-$kind" --vf next --rdma "$kind"
	done
	pod_create owner-hostpod --host --vf next --rdma rxe
	pod_create other-hostpod --host --vf next --rdma rxe
	start_or_die '"mode":"enforce"'
	each_kind unclaimed owner host_refused pod_refused cgroup_decides inherited inherited_write mapped passed netlink
	each_kind in_the_list counts
	run_case "$mode: umad" t_umad
	intruder_begin "$(pod_uverbs owner-hcasim)" "$(pod_uverbs owner-hostpod)"
	warden_kill
	each_kind killed
	forget_events
	start_or_die '"mode":"enforce"'
	each_kind restarted
	if [ "$mode" = shared ]; then run_other_mechanism; fi
	run_case "$mode: no open came through while wardend died and came back" intruder_end
	each_kind released
	warden_stop
	forget_events
	start_or_die '"mode":"audit"'
	each_kind audit
	warden_stop
	start_or_die '"mode":"enforce"'
	each_kind orphan
	run_case "$mode: unload" t_unload
	delete_pods_except ''
}

# A start whose programs are other ones, as after an upgrade: the new links are there before the old ones go.
run_other_mechanism() {
	local other
	[ "$(expected_guard)" = lsm ] || return 0
	for other in fmod_ret lsm; do
		warden_stop
		start_or_die '"mode":"enforce"' --guard "$other"
		run_case "$mode: replaced by $other programs" t_replaced
		each_kind restarted
	done
}

t_replaced() {
	local pins
	pins=$(ls "$warden_pins/links")
	expect_match "guard_open_$other" "$pins"
	expect_fail 'the other ones are left' grep -E "_$([ "$other" = lsm ] && echo fmod_ret || echo lsm)\$" <<<"$pins"
	ctl status --json | expect_match "\"guard\":\"$other\"" -
}

run_case 'check loads everything and leaves nothing' t_check
for mode in exclusive shared; do run_mode "$mode"; done
suite_end
