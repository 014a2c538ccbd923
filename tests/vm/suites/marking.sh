#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The DSCP verdict on queue pairs and address handles: by the raw verbs client in every form of the command, by a command
# that changes while it is read, and by ib_write_bw, ib_send_bw (UD) and rping (rdma_cm) between two VFs.
set -uo pipefail
. "$LAB_REPO/tests/vm/lib.sh"
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../traffic.sh
. "$LAB_REPO/tests/vm/traffic.sh"

RIGHT=160 # traffic class of DSCP 40, the profile spiderpool
ECN=162   # the same with an ECN bit, which does not count
WRONG=104 # DSCP 26

enforce='"mode":"enforce","qos":{"profile":"spiderpool","on_violation":"deny"}'

node() { pod_uverbs "owner-$kind"; }
modify() { pod_exec "owner-$kind" uverbs modify "$(node)" "$@"; }
# The guard refuses a marking with EACCES, so that it is not taken for the exclusive rule.
denied() {
	local status=0
	modify "$@" || status=$?
	[ "$status" = 4 ] || { printf 'status %s, expected EACCES, of modify %s\n' "$status" "$*"; return 1; }
}

t_right() {
	need_rdma "$kind"
	modify --tclass "$RIGHT"
	modify --tclass "$ECN"
	modify --tclass "$RIGHT" --extended
}

t_wrong() {
	need_rdma "$kind"
	forget_events
	denied --tclass "$WRONG"
	event kind=violation rule=marking.dscp verdict=denied "owner=test/owner-$kind" "pod=test/owner-$kind" comm=uverbs \
		dscp_asked:=26 dscp_expected=40
	denied --tclass 0
	event rule=marking.dscp verdict=denied dscp_asked:=0
}

t_wrong_extended() { need_rdma "$kind"; denied --tclass "$WRONG" --extended; }
t_wrong_alternate() { need_rdma "$kind"; denied --tclass "$RIGHT" --alt-tclass "$WRONG"; }

t_address_handle() {
	local status=0
	need_rdma "$kind"
	pod_exec "owner-$kind" uverbs ah "$(node)" --tclass "$RIGHT"
	forget_events
	pod_exec "owner-$kind" uverbs ah "$(node)" --tclass "$WRONG" || status=$?
	expect 'refused with EACCES' test "$status" = 4
	event rule=marking.dscp verdict=denied "owner=test/owner-$kind" dscp_asked:=26 dscp_expected=40 origin=application
}

# The guard reads the right class, the kernel the wrong one: the audit of what the kernel took tells it.
t_race() {
	local raced
	need_rdma "$kind"
	[ "$(nproc)" -gt 1 ] || skip 'one CPU: nothing changes between two reads'
	forget_events
	raced=$(pod_exec "owner-$kind" uverbs race "$(node)" "$WRONG" 60000 --tclass "$RIGHT")
	echo "$raced"
	expect_match 'slipped 1' "$raced"
	event rule=marking.dscp verdict=observed "owner=test/owner-$kind" dscp_asked:=26
}

# Attributes that the kernel ignores, put first.
t_wrong_padded() {
	need_rdma "$kind"
	denied --tclass "$WRONG" --pad-attrs 4
	modify --tclass "$RIGHT" --pad-attrs 4
	denied --tclass "$RIGHT" --pad-attrs 40 # more than the guard reads: refused unread
	event rule=marking.unverified verdict=denied "owner=test/owner-$kind"
}

# A command on a page that is not present: the sleepable LSM program reads it, fmod_ret refuses it unread.
t_unmapped() {
	need_rdma "$kind"
	forget_events
	denied --tclass "$WRONG" --unmapped
	if grep -qw bpf /sys/kernel/security/lsm; then
		modify --tclass "$RIGHT" --unmapped
		event rule=marking.dscp verdict=denied dscp_asked:=26
	else
		denied --tclass "$RIGHT" --unmapped
		event rule=marking.unverified verdict=denied
	fi
}

# write(2) has no hook of the guard: the audit of the kernel's copy sees it.
t_write_abi() {
	need_rdma "$kind"
	forget_events
	modify --tclass "$WRONG" --via write || skip 'this kernel has no write(2) ABI'
	event rule=marking.dscp verdict=observed "owner=test/owner-$kind" dscp_asked:=26
}

t_in_the_list() {
	need_rdma "$kind"
	ctl devices --json | grep -F "\"owner\":\"test/owner-$kind\"" | expect_match '"marking":"wrong"' -
}

t_observe() {
	need_rdma "$kind"
	modify --tclass "$WRONG"
	event kind=violation rule=marking.dscp verdict=observed "owner=test/owner-$kind" dscp_asked:=26 dscp_expected=40
	no_event '"verdict":"denied"'
}

t_kill() {
	local status=0
	need_rdma "$kind"
	modify --tclass "$WRONG" || status=$?
	[ "$status" = 137 ] || { echo "status $status, expected 137 (SIGKILL)"; return 1; }
	event rule=marking.dscp verdict=killed "owner=test/owner-$kind"
	modify --tclass "$RIGHT"
}

# ---- real traffic: ib_write_bw between two VFs, in two cgroups of the host's netns ----

# CLASS: datagrams, whose class is in an address handle.
send_ud() {
	local status=0 server
	in_cgroup bw-a timeout 60 ib_send_bw -c UD -d "$rxe_a" -s 1024 -n 50 --tclass "$RIGHT" >"$lab_state/server" 2>&1 &
	server=$!
	wait_until 20 listens 18515
	in_cgroup bw-b timeout 60 ib_send_bw -c UD -d "$rxe_b" -s 1024 -n 50 --tclass "$1" "$(vf_ip "$vf_a")" || status=$?
	[ "$status" = 0 ] || kill "$server" 2>/dev/null || true # it waits for datagrams that do not come
	wait "$server" || true
	[ "$status" = 0 ] || cat "$lab_state/server"
	return "$status"
}

# CLASS: both ends connect by rdma_cm, which takes the class from configfs where the application sets none.
rping_with() {
	local device status=0 server
	for device in "$rxe_a" "$rxe_b"; do
		mkdir -p "/sys/kernel/config/rdma_cm/$device"
		echo "$1" >"/sys/kernel/config/rdma_cm/$device/ports/1/default_roce_tos"
	done
	in_cgroup bw-a timeout 30 rping -s -a "$(vf_ip "$vf_a")" -C 3 >"$lab_state/server" 2>&1 &
	server=$!
	wait_until 20 rdma_listens
	in_cgroup bw-b timeout 20 rping -c -a "$(vf_ip "$vf_a")" -I "$(vf_ip "$vf_b")" -C 3 -v || status=$?
	[ "$status" = 0 ] || kill "$server" 2>/dev/null || true
	wait "$server" || status=$?
	cat "$lab_state/server"
	return "$status"
}
rdma_listens() { rdma resource show cm_id | grep -q 'state LISTEN'; }

# CLASS: set by the application, as an option of rdma_cm.
ucmatose_with() {
	local status=0 server
	in_cgroup bw-a timeout 30 ucmatose -b "$(vf_ip "$vf_a")" >"$lab_state/server" 2>&1 &
	server=$!
	wait_until 20 rdma_listens
	in_cgroup bw-b timeout 20 ucmatose -s "$(vf_ip "$vf_a")" -b "$(vf_ip "$vf_b")" -t "$1" || status=$?
	[ "$status" = 0 ] || kill "$server" 2>/dev/null || true
	wait "$server" || status=$?
	cat "$lab_state/server"
	return "$status"
}

t_option_right() { ucmatose_with "$RIGHT"; }

t_option_wrong() {
	forget_events
	expect_fail 'the wrong class runs' ucmatose_with "$WRONG"
	event rule=marking.dscp verdict=denied comm=ucmatose dscp_asked:=26 owner=test/bw-a # which accepts first
}

t_option_observed() {
	ucmatose_with "$WRONG"
	event rule=marking.dscp verdict=observed owner=test/bw-b comm=ucmatose dscp_asked:=26 'origin=rdma_cm ToS option'
}

t_ud_right() { with_clock send_ud "$RIGHT"; }

t_ud_wrong() {
	forget_events
	expect_fail 'the wrong class runs' send_ud "$WRONG"
	event rule=marking.dscp verdict=denied owner=test/bw-b comm=ib_send_bw dscp_asked:=26
}

t_ud_observed() {
	with_clock send_ud "$WRONG"
	event rule=marking.dscp verdict=observed owner=test/bw-b comm=ib_send_bw dscp_asked:=26
}

t_rping_right() { rping_with "$RIGHT"; }

t_rping_wrong() {
	forget_events
	expect_fail 'the wrong class runs' rping_with "$WRONG"
	event rule=marking.dscp verdict=denied comm=rping dscp_asked:=26 "origin=rdma_cm default_roce_tos, or the peer's"
}

t_rping_observed() {
	rping_with "$WRONG"
	event rule=marking.dscp verdict=observed owner=test/bw-a comm=rping dscp_asked:=26
	event rule=marking.dscp verdict=observed owner=test/bw-b comm=rping dscp_asked:=26
}

t_bw_right() { with_clock hosts_write_bw "$RIGHT" "$RIGHT"; }

t_bw_wrong() {
	forget_events
	expect_fail 'the wrong class runs' hosts_write_bw "$RIGHT" "$WRONG"
	event rule=marking.dscp verdict=denied owner=test/bw-b comm=ib_write_bw dscp_asked:=26 dscp_expected=40
}

t_bw_observed() {
	with_clock hosts_write_bw "$RIGHT" "$WRONG"
	event rule=marking.dscp verdict=observed owner=test/bw-b comm=ib_write_bw dscp_asked:=26
	no_event '"verdict":"denied"'
}

# Under trust pcp it is the service level that decides the class of service.
t_priority() {
	need_rdma "$kind"
	modify --tclass "$RIGHT" --sl 5
	forget_events
	denied --tclass "$RIGHT" --sl 3
	event rule=marking.priority verdict=denied "owner=test/owner-$kind" sl_asked:=3 priority_expected=5
	modify --tclass "$RIGHT" --sl 3 --via write
	event rule=marking.priority verdict=observed "owner=test/owner-$kind" sl_asked:=3
}

# What mlx5's DEVX programs into the NIC is not seen, and said so. No mlx5 here: the kernel refuses the call after the guard
# has seen it.
t_devx() {
	need_rdma "$kind"
	forget_events
	expect_fail 'no driver here has it' pod_exec "owner-$kind" uverbs devx "$(node)"
	event rule=marking.unverified verdict=observed "owner=test/owner-$kind"
	ctl devices --json | grep -F "\"owner\":\"test/owner-$kind\"" | expect_match '"marking":"unverified"' -
}

each_kind() {
	local case
	for kind in hcasim rxe; do
		for case in "$@"; do run_case "$kind: $case" "t_$case"; done
	done
}

start_or_die() { warden_start "$@" || { echo "not ok - wardend starts"; exit 1; }; }

rdma_mode shared
for kind in hcasim rxe; do
	rdma_works "$kind" && pod_create "owner-$kind" --vf next --rdma "$kind"
done
start_or_die "$enforce"
for kind in hcasim rxe; do
	rdma_works "$kind" && claim "owner-$kind"
done
each_kind right wrong wrong_extended wrong_alternate wrong_padded unmapped address_handle race write_abi in_the_list devx
make_hosts_pods
run_case 'ib_write_bw with the right class runs' t_bw_right
run_case 'ib_write_bw with a wrong class is refused' t_bw_wrong
run_case 'ib_send_bw with datagrams of the right class runs' t_ud_right
run_case 'ib_send_bw with datagrams of a wrong class is refused' t_ud_wrong
run_case 'rping with the right default class of rdma_cm runs' t_rping_right
run_case 'rping with a wrong default class of rdma_cm is refused' t_rping_wrong
run_case 'ucmatose that sets the right class by rdma_cm runs' t_option_right
run_case 'ucmatose that sets a wrong class by rdma_cm is refused' t_option_wrong
warden_stop
forget_events
start_or_die '"mode":"audit","qos":{"profile":"spiderpool","on_violation":"deny"}'
each_kind observe
run_case 'ib_write_bw with a wrong class is observed in audit mode' t_bw_observed
run_case 'ib_send_bw with datagrams of a wrong class is observed in audit mode' t_ud_observed
run_case 'rping with a wrong default class of rdma_cm is observed in audit mode' t_rping_observed
run_case 'ucmatose that sets a wrong class by rdma_cm is observed in audit mode' t_option_observed
warden_stop
forget_events
start_or_die '"mode":"enforce","qos":{"profile":"spiderpool","on_violation":"kill"}'
each_kind kill
warden_stop
forget_events
start_or_die '"mode":"enforce","qos":{"profile":{"base":"spiderpool","trust":"pcp"},"on_violation":"deny"}'
each_kind priority
warden_unload
rdma link delete "$rxe_a"
rdma link delete "$rxe_b"
delete_pods_except ''
suite_end
