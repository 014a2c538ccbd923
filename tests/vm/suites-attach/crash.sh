#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ADD and DEL fail and die at every fault point that they pass (user/lib/fault.h); afterwards the node is as it was, and the
# next ADD works. Done by attach-crash, where each call is a process of its own, whose start is the restart of wardend. Then
# wardend itself dies at every line of its journal, and the plugin and the IPAM plugin where they can.
#
#   crash.sh [all]   What does not fit on one kernel is shared out among the three; "all": all of it.
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../attach.sh
. "$LAB_REPO/tests/vm/attach.sh"

faults_dir=$LAB_REPO/build-faults
crash_dir=$cni_dir/alone
wish=$cni_dir/wish

case ${1-}/$LAB_KERNEL in
all/*) share=0 shares=1 ;;
*/6.1) share=0 shares=3 ;;
*/6.12) share=1 shares=3 ;;
*) share=2 shares=3 ;;
esac

# ---- each call is a process of its own ----

# CONFIG TRIAL…: the last line of each is for who runs the suite.
trials() {
	local config=$1 trial status
	shift
	for trial; do
		status=0
		"$faults_dir/attach-crash" "$crash_dir" "$config" "$trial" "$share/$shares" >"$cni_dir/said" || status=$?
		[ "$status" = 0 ] || cat "$cni_dir/said"
		tail -n 1 "$cni_dir/said" >&3
		[ "$status" = 0 ]
	done
}

# With a pod that stays: TRIAL…
in_pod() {
	local config=$1
	shift
	netns_new p1
	trials "$config" "$@"
	netns_delete p1
	node_is_as_before
}

t_add() { in_pod "$(conf "$vf" "$keys,$mac,$files_ipam")" add; }
t_del() { in_pod "$(conf "$vf" "$keys,$mac,$files_ipam")" del; }
t_recovery() { in_pod "$(conf "$vf" "$keys,$files_ipam")" recovery; }
t_calls() { in_pod "$(conf "$vf" "$keys,$files_ipam")" add-calls del-calls; }
t_ipam() { share=0 shares=1 in_pod "$(conf "$vf" "$files_ipam")" ipam-add ipam-del; }
t_announce() { in_pod "$(conf "$vf" "$files_ipam")" announce; }

t_orphans() {
	trials "$(conf "$vf" "$keys,$files_ipam")" orphan-add orphan-del
	node_is_as_before
}

# In shared mode, which lets each kernel make such a device for a pod.
t_soft() {
	echo "$vf" >/sys/kernel/debug/hcasim/remove
	rdma_mode shared
	netns_new p1
	trials "$(conf "$vf" '"softroce":true')" soft-add soft-del
	netns_delete p1
	wait_until 20 no_netns_lives
	rdma_mode exclusive
	vf_hcasim "$vf"
	node_is_as_before
}

# ---- wardend itself ----

# COMMAND N: it dies at the N-th line that the command writes into the journal, and is started again.
dies_in() {
	echo "record.advance.after:KILL:$2" >"$wish"
	cni_error 11 wardend "$1" p1 "$config"
	rm -f "$wish"
	wait_until 5 warden_is_gone
	warden_start '"mode":"enforce"'
}

gone_as_before() {
	cni DEL p1 "$config"
	node_looks_the_same || { echo "after wardend's death $1"; diff "$cni_dir/before" "$cni_dir/now"; return 1; }
}

lines_of() { grep -c '^record.advance.after' "$crash_dir/trace.$1"; }
is_due() { [ $(($1 % shares)) = "$share" ]; }

t_warden_dies() {
	local n
	expect 'the trials before have told the lines' test -s "$crash_dir/trace.add" -a -s "$crash_dir/trace.del"
	netns_new p1
	for ((n = 1; n <= $(lines_of add); n++)); do
		is_due "$n" || continue
		dies_in ADD "$n"
		gone_as_before "at line $n of ADD"
	done
	for ((n = 1; n <= $(lines_of del); n++)); do
		is_due "$n" || continue
		cni ADD p1 "$config"
		dies_in DEL "$n"
		gone_as_before "at line $n of DEL"
	done
	netns_delete p1
	node_is_as_before
}

# A VF that does not come home is nobody's, and is tried again by itself.
t_quarantine() {
	netns_new p1 p2
	cni ADD p1 "$config"
	forget_events
	echo rdma.move.before:EIO >"$wish"
	cni_error 100 'Input/output error' DEL p1 "$config"
	expect_match '"attachments":1,"quarantined":1' "$(ctl status --json)"
	expect_match "$vf +delete .* kept from others: .*Input/output error" "$(ctl attachments | tr '\n' ' ')"
	expect 'it is told once' test "$(grep -c "$vf of container p1: .*Input/output error" "$warden_events")" = 1
	echo rdma.move.before:EBUSY >"$wish"
	cni_error 11 "$vf is not back from container p1" ADD p2 "$config"
	rm "$wish"
	wait_until 60 is_detached
	expect_match '"attachments":0,"quarantined":0' "$(ctl status --json)"
	node_looks_the_same
	netns_delete p1 p2
	node_is_as_before
}

# ---- the plugin ----

# COMMAND: the plugin, as long as IPAM waits at its gate; its process is $plugin.
start_plugin() {
	rm -f "$crash_dir/leases/.waits"
	mkfifo "$crash_dir/leases/.gate"
	CNI_COMMAND=$1 CNI_CONTAINERID=p1 CNI_NETNS=/run/netns/p1 CNI_IFNAME=net1 CNI_PATH=$faults_dir \
		rdma-warden <<<"$plugin_config" >"$cni_out" &
	plugin=$!
	wait_until 20 test -e "$crash_dir/leases/.waits"
}

end_plugin() {
	kill -KILL "$plugin"
	wait "$plugin" || true
	expect 'it has printed nothing' test ! -s "$cni_out"
}

open_gate() {
	: >"$crash_dir/leases/.gate"
	rm "$crash_dir/leases/.gate"
}

is_attached() { [[ $(ctl attachments --json) == *'"step":"attached"'* ]]; }
is_detached() { [ -z "$(ctl attachments --json)" ]; }

t_plugin_dies() {
	local plugin plugin_config
	plugin_config=$(conf "$vf" "$keys,$files_ipam")
	netns_new p1
	# Before it has said anything.
	CNI_COMMAND=ADD CNI_CONTAINERID=p1 CNI_NETNS=/run/netns/p1 CNI_IFNAME=net1 rdma-warden <>"$lab_never" >"$cni_out" &
	plugin=$!
	pause 0.2
	end_plugin
	node_looks_the_same
	# While wardend waits for IPAM, which ends the work all the same; the runtime then says DEL.
	start_plugin ADD
	end_plugin
	open_gate
	wait_until 20 is_attached
	cni DEL p1 "$plugin_config"
	node_looks_the_same
	# With the answer before its eyes.
	start_plugin ADD
	kill -STOP "$plugin"
	open_gate
	wait_until 20 is_attached
	end_plugin
	start_plugin DEL
	end_plugin
	open_gate
	wait_until 20 is_detached
	cni DEL p1 "$config"
	netns_delete p1
	node_is_as_before
}

t_covered() { trials '' covered; }

trial_case() {
	run_pods "$1" "$2"
	rm -f "$wish" "$crash_dir/leases/".{gate,wish,trace}
}

[ -x "$faults_dir/attach-crash" ] || { echo 'not ok - there is no build-faults (see prepare_lab in tests/check)'; exit 1; }
exec 3>&1
rdma_mode exclusive
vf=$(vf_list | head -n 1)
vf_hcasim "$vf" >/dev/null
keys='"vlan":7,"mtu":1400,"sysctls":{"net.ipv4.conf.IFNAME.rp_filter":"2"}'
mac='"mac":"02:11:22:33:44:55"'
files_ipam='"ipam":{"type":"ipam-files","dataDir":"'$crash_dir/leases'"}'
node_note
trial_case 'ADD fails and dies at each point' t_add
trial_case 'DEL fails and dies at each point' t_del
trial_case 'the recovery fails and dies at each point' t_recovery
trial_case 'the pod dies with ADD, and before DEL' t_orphans
trial_case 'ADD and DEL at each call into the kernel' t_calls
trial_case 'an announcement' t_announce
trial_case 'a soft RDMA device' t_soft
trial_case 'the IPAM plugin fails and dies at each of its steps' t_ipam
trial_case 'each point of the program is passed by one of them' t_covered

cni_plugin=rdma-warden journal_dir=$warden_dir/state/attach
export WARDEN_FAULT="@$wish"
PATH=$faults_dir:$PATH
config=$(conf "$vf" "$keys,$local_ipam")
warden_start '"mode":"enforce"' || { echo 'not ok - wardend starts'; exit 1; }
node_note
trial_case 'wardend dies at each line of its journal' t_warden_dies
trial_case 'a VF that does not come home is in quarantine, and tried again' t_quarantine
trial_case 'the plugin dies' t_plugin_dies
warden_unload
suite_end
