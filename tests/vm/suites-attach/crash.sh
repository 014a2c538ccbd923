#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ADD and DEL fail and die at every fault point that they pass (user/lib/fault.h); afterwards the node is as it was, and the
# next ADD works. Done with attach-alone, whose start is a restart; and at every line of the journal with wardend itself.
#
#   crash.sh [all]   The points are shared out among the three kernels, as one takes minutes for them; "all": all of them.
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../attach.sh
. "$LAB_REPO/tests/vm/attach.sh"

faults_dir=$LAB_REPO/build-faults
alone_state=$cni_dir/alone
wish=$cni_dir/wish

# With the environment that a call has; the state folder is its own.
alone() { "$faults_dir/attach-alone" "$alone_state"; }

recover() { env -u CNI_COMMAND "$faults_dir/attach-alone" "$alone_state" </dev/null; }

# FILE: of the names there, each with the number of its pass, those that are this kernel's.
points_of() {
	awk -v share="$share" -v shares="$shares" '{ if (NR % shares == share) print $0 ":" ++pass[$0]; else pass[$0]++ }' "$1"
}

# Notes what ADD and DEL pass when nothing fails.
list_points() {
	netns_new p1
	for command in ADD DEL; do
		rm -f "$cni_dir/trace"
		WARDEN_FAULT_TRACE=$cni_dir/trace cni "$command" p1 "$(conf "$vf" "$keys")"
		cp "$cni_dir/trace" "$cni_dir/trace.$command"
		points_of "$cni_dir/trace" >"$cni_dir/points.$command"
		expect "$command passes some" test "$(wc -l <"$cni_dir/trace")" -gt 10
		printf '%s: %s points, %s of them here\n' "$command" "$(wc -l <"$cni_dir/trace")" "$(wc -l <"$cni_dir/points.$command")" >&3
	done
	# What a change of the code must not lose from sight.
	for point in record.create record.advance sriov.set netdev.move netdev.set rdma.move attach.claim ipam.exec \
		netdev.configure sysctl.set; do
		grep -q "^$point.after" "$cni_dir/trace.ADD" || { echo "ADD does not pass $point"; return 1; }
	done
	for point in record.advance record.remove sriov.set netdev.move rdma.move attach.release ipam.exec; do
		grep -q "^$point.after" "$cni_dir/trace.DEL" || { echo "DEL does not pass $point"; return 1; }
	done
}

# COMMAND POINT WHAT: the call with that fault. A death is a death; a failure may be one that the call can do without.
with_fault() {
	local status=0 name=${2%:*}
	WARDEN_FAULT=$name:$3:${2##*:} cni "$1" p1 "$(conf "$vf" "$keys")" >"$cni_dir/said" || status=$?
	if [ "$3" = KILL ]; then
		grep -q 'status 137' "$cni_dir/said" || { echo "$1 did not die at $2: $(cat "$cni_dir/said")"; return 1; }
		return
	fi
	[ "$status" = 0 ] || grep -qE '"code":[0-9]+.*"msg":"[^"]' "$cni_dir/said" || { echo "$1, $2: no error: $(cat "$cni_dir/said")"; return 1; }
	last_status=$status
}

same_or() { node_looks_the_same || { echo "$1"; diff "$cni_dir/before" "$cni_dir/now"; return 1; }; }

add_fails_at() {
	with_fault ADD "$1" "$2"
	if [ "$2" = KILL ]; then
		recover
		grep -qs '"attached"' "$journal_dir/"* || same_or "after ADD and $1 $2"
	else
		[ "$last_status" = 0 ] || same_or "after ADD and $1 $2"
	fi
	cni DEL p1 "$(conf "$vf" "$keys")"
	same_or "after DEL after ADD and $1 $2"
}

del_fails_at() {
	cni ADD p1 "$(conf "$vf" "$keys")"
	with_fault DEL "$1" "$2"
	cni DEL p1 "$(conf "$vf" "$keys")"
	same_or "after DEL and $1 $2 and DEL"
}

# COMMAND FUNCTION: for each point and kind of end. Not behind || or in an if: bash would ignore set -e inside.
each_point() {
	local point what
	local -i ends=0
	netns_new p1
	while read -ru 4 point; do
		for what in EIO KILL; do
			echo "$1 $point $what"
			"$2" "$point" "$what"
			ends+=1
		done
	done 4<"$cni_dir/points.$1"
	echo "$1: $ends ends" >&3
	expect 'each point had two' test "$ends" = $((2 * $(wc -l <"$cni_dir/points.$1")))
	netns_delete p1
	node_is_as_before
}

t_points() { list_points; netns_delete p1; }
t_add() { each_point ADD add_fails_at; }
t_del() { each_point DEL del_fails_at; }

# The pod dies with wardend: what recovery finds has no netns any more.
t_add_and_netns() {
	local point
	while read -ru 4 point; do
		netns_new p1
		with_fault ADD "$point" KILL
		netns_delete p1
		recover
		cni DEL p1 "$(conf "$vf" "$keys")"
		node_is_as_before
	done 4< <(grep -E '^(record.advance|netdev.move|rdma.move).after' "$cni_dir/points.ADD")
}

# ---- wardend itself, at every line of the journal ----

t_wardend() {
	local n lines
	cni_plugin=rdma-warden journal_dir=$warden_dir/state/attach
	export WARDEN_FAULT="@$wish"
	PATH=$faults_dir:$PATH
	lines=$(grep -c '^record.advance.after' "$cni_dir/trace.ADD")
	rm -f "$wish"
	warden_start '"mode":"enforce"'
	node_note
	for ((n = 1; n <= lines; n++)); do
		[ $((n % shares)) = "$share" ] || continue
		netns_new p1
		echo "record.advance.after:KILL:$n" >"$wish"
		cni_error 11 wardend ADD p1 "$(conf "$vf" "$keys")"
		rm -f "$wish"
		wait_until 5 warden_is_gone
		warden_start '"mode":"enforce"'
		cni DEL p1 "$(conf "$vf" "$keys")"
		same_or "after wardend's death at line $n of ADD"
		cni ADD p1 "$(conf "$vf" "$keys")"
		cni DEL p1 "$(conf "$vf" "$keys")"
		netns_delete p1
		node_is_as_before
	done
	warden_unload
}

[ -x "$faults_dir/attach-alone" ] || { echo "not ok - there is no build-faults (make FAULTS=1)"; exit 1; }
case ${1-}/$LAB_KERNEL in
all/*) share=0 shares=1 ;;
*/6.1) share=0 shares=3 ;;
*/6.12) share=1 shares=3 ;;
*) share=2 shares=3 ;;
esac
exec 3>&1
rdma_mode exclusive
vf=$(vf_list | head -n 1)
vf_hcasim "$vf" >/dev/null
# shellcheck disable=SC2034 # attach.sh's
cni_plugin=alone journal_dir=$alone_state/attach
keys='"vlan":7,"mac":"02:11:22:33:44:55","mtu":1400,"sysctls":{"net.ipv4.conf.IFNAME.rp_filter":"2"},'$local_ipam
node_note
run_case 'the points that ADD and DEL pass' t_points
run_case 'ADD fails and dies at each point' t_add
run_case 'DEL fails and dies at each point' t_del
run_case 'ADD dies, and the pod with it' t_add_and_netns
run_case 'wardend dies at each line of its journal' t_wardend
suite_end
