#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The packet path: wardend puts its programs on the netdevs of claimed VFs in pods. Frames are made by the test tool
# `frame`, and what comes out at the other pod is what tcpdump sees there.
set -uo pipefail
. "$LAB_REPO/tests/vm/lib.sh"
. "$LAB_REPO/tests/vm/warden.sh"

packets=$lab_state/packets
capture=$lab_state/capture

# ---- frames from one pod to the other ----

pod_netdev() { ip netns exec "$1" ls "/sys/bus/pci/devices/$(pod_vf "$1")/net"; }
pod_mac() { ip netns exec "$1" cat "/sys/class/net/$2/address"; }

# KEY=VALUE…: from the sender, as it has to be but for what is given.
send() {
	pod_exec sender frame "$from_dev" "from=$from_mac" "to=$to_mac" "source=$(pod_ip sender)" \
		"destination=$(pod_ip receiver)" "$@"
}
send6() { send "source=$(pod_ip6 sender)" "destination=$(pod_ip6 receiver)" "$@"; }

# tcpdump of the receiver, until capture_end prints what it saw.
capture_begin() {
	pod_exec receiver tcpdump -lnvvei "$to_dev" --immediate-mode -Q in 'udp port 4791 or ip6 or vlan' >"$capture" 2>"$capture.log" &
	echo $! >"$capture.pid"
	wait_until 20 grep -q listening "$capture.log"
}
# Ends with a packet that comes in any case, so that all before it have come.
capture_end() {
	send dscp=40 destination=10.77.0.250
	wait_until 10 grep -q 10.77.0.250 "$capture"
	kill "$(cat "$capture.pid")"
}
# PATTERN: the lines of the capture that have it, after the end.
seen() {
	capture_end >&2
	grep -aE "$1" "$capture" || true
}

# OWNER DIRECTION DSCP CLASS: how many were counted.
counted() {
	ctl packets --json >"$packets"
	jq -r --arg owner "test/$1" --arg direction "$2" --argjson dscp "$3" --arg class "$4" \
		'select(.owner == $owner)[$direction].flows[] | select(.dscp == $dscp and .class == $class).packets' "$packets"
}

# What the tracked packets of the sender are now, to compare with later.
sent() { local n; n=$(counted sender egress "$1" "$2"); echo "${n:-0}"; }

attached() { jq -r --arg owner "test/$1" 'select(.owner == $owner).by' "$packets"; }

# ---- cases ----

t_attached() {
	local by=tcx
	kernel_at_least 6.6 || by=clsact
	ctl packets --json >"$packets"
	expect_match "^$by\$" "$(attached sender)"
	expect_match "^$by\$" "$(attached receiver)"
	expect_match "packets +(active|fallback) +$by" "$(ctl capabilities)"
}

t_right() {
	local before
	before=$(sent 40 rc)
	capture_begin
	send dscp=40 count=3
	[ "$(sent 40 rc)" = "$((before + 3))" ]
	capture_end
	[ "$(grep -c 'tos 0xa0' "$capture")" -ge 4 ]
	expect 'counted at the receiver' test "$(counted receiver ingress 40 rc)" -ge 3
}

t_wrong() {
	capture_begin
	forget_events
	send dscp=26
	event kind=violation rule=marking.packet verdict=denied owner=test/sender pod=test/sender dscp:=26 dscp_expected=40 \
		direction=egress class=rc
	expect_match '^$' "$(seen 'tos 0x68')"
}

t_wrong6() {
	forget_events
	send6 dscp=40
	no_event marking.packet
	send6 dscp=0
	event rule=marking.packet verdict=denied owner=test/sender dscp:=0
}

t_cnp() {
	forget_events
	send dscp=48 opcode=0x81
	no_event marking.packet
	send dscp=40 opcode=0x81
	event rule=marking.packet verdict=denied owner=test/sender dscp:=40 dscp_expected=48 class=cnp
}

# One event at once, and another one for the rest; the sum is right.
t_flood() {
	forget_events
	send dscp=27 count=500
	wait_until 5 flood_told
}
flood_told() {
	[ "$(jq -s '[.[] | select(.rule == "marking.packet" and .detail.dscp == 27) | 1 + .merged] | add' "$warden_events")" = 500 ]
}

t_spoofed() {
	capture_begin
	forget_events
	send dscp=40 from=02:00:00:00:00:99
	event rule=spoof.source verdict=denied owner=test/sender what=MAC source=02:00:00:00:00:99
	pause 1.1
	send dscp=40 source=10.9.9.9
	event rule=spoof.source verdict=denied owner=test/sender what=address source=10.9.9.9
	pause 1.1
	send6 dscp=40 source=2001:db8::9
	event rule=spoof.source verdict=denied what=address source=2001:db8::9
	pause 1.1
	send dscp=40 vlan=7
	event rule=spoof.source verdict=denied what=VLAN source=7
	expect_match '^$' "$(seen '02:00:00:00:00:99 >|10.9.9.9|2001:db8::9|vlan 7')"
}

# An address that comes to the netdev is the VF's own soon after, and no longer than it has it.
t_addresses() {
	local own=10.77.0.200
	forget_events
	ip -n sender address add "$own/32" dev "$from_dev"
	wait_until 3 passes "source=$own"
	ip -n sender address del "$own/32" dev "$from_dev"
	wait_until 3 refuses "source=$own"
	event rule=spoof.source verdict=denied "source=$own"
}
passes() { local before; before=$(sources); send dscp=40 "$@"; [ "$(sources)" = "$before" ]; }
refuses() { ! passes "$@"; }
sources() { ctl status --json | jq .counters.denied; }

t_beside_others() {
	tc -n sender qdisc add dev "$from_dev" clsact 2>/dev/null || true
	tc -n sender filter add dev "$from_dev" egress protocol ip prio 9 flower ip_proto udp dst_port 4791 action pass
	forget_events
	send dscp=28
	event rule=marking.packet verdict=denied dscp:=28
	send dscp=40
	expect_match 'Sent [1-9][0-9]* bytes' "$(tc -n sender -s filter show dev "$from_dev" egress)"
	tc -n sender filter del dev "$from_dev" egress prio 9
}

# What somebody takes away comes back, and is told; a tcx link only the host can take away.
t_taken_away() {
	kernel_at_least 6.6 && skip 'a tcx link is not to be taken away by a pod'
	forget_events
	pod_exec sender tc qdisc del dev "$from_dev" clsact
	event kind=fault rule=warden.fault
	wait_until 5 wrong_is_denied 29
}
wrong_is_denied() {
	local before
	before=$(sources)
	send "dscp=$1"
	[ "$(sources)" -gt "$before" ]
}

t_without_wardend() {
	warden_stop
	capture_begin
	send dscp=30
	expect_match '^$' "$(seen 'tos 0x78')"
	start "$enforce"
	expect_match '"dscp":30' "$(event rule=marking.packet verdict=denied dscp:=30)"
	wrong_is_denied 31
}

t_other_profile() {
	forget_events
	start '"mode":"enforce","qos":{"profile":"spiderpool","on_violation":"deny","owners":{"test/send*":"nvidia"}}'
	send dscp=26
	no_event '"rule":"marking.packet"' '"owner":"test/sender"'
	send dscp=40
	event rule=marking.packet verdict=denied owner=test/sender dscp:=40 dscp_expected=26
	expect_match 'DSCP 26 ' "$(ctl packets)"
	# The verdict on verbs has it too.
	pod_exec sender uverbs modify "$(pod_uverbs sender)" --tclass 104
	expect_fail 'the class of the other profile' pod_exec sender uverbs modify "$(pod_uverbs sender)" --tclass 160
	pod_exec receiver uverbs modify "$(pod_uverbs receiver)" --tclass 160
	expect_fail 'the class of the other profile' pod_exec receiver uverbs modify "$(pod_uverbs receiver)" --tclass 104
}

t_resource() {
	start '"mode":"enforce","qos":{"profile":"spiderpool","on_violation":"deny","resources":{"test.io/roce_*":"nvidia"}}'
	wrong_is_denied 26
	release sender
	expect_match 'give DOMAIN/NAME' "$(claim sender --resource roce_a 2>&1 || true)"
	claim sender --resource test.io/roce_a
	expect_match '"resource":"test.io/roce_a"' "$(ctl devices --json)"
	wrong_is_denied 40
	expect_fail 'the class of the resource' wrong_is_denied 26
	warden_stop
	start '"mode":"enforce","qos":{"profile":"spiderpool","on_violation":"deny","resources":{"test.io/roce_*":"nvidia"}}'
	wrong_is_denied 40
	release sender
	claim sender
}

t_remarked() {
	start '"mode":"enforce","qos":{"profile":"spiderpool","on_packet":"remark"}'
	capture_begin
	forget_events
	send dscp=26 opcode=5
	send6 dscp=26 opcode=5
	event rule=marking.packet verdict=remarked owner=test/sender dscp:=26
	expect_match '^$' "$(seen 'tos 0x68|class 0x68|bad cksum')"
	expect 'IPv6 with the right class' grep -aq 'class 0xa0' "$capture"
}

t_observed() {
	start '"mode":"audit","qos":{"profile":"spiderpool","on_violation":"deny"}'
	capture_begin
	forget_events
	send dscp=26
	event rule=marking.packet verdict=observed owner=test/sender direction=egress dscp:=26
	event rule=marking.packet verdict=observed owner=test/receiver direction=ingress dscp:=26 'pod='
	send dscp=40 source=10.9.9.9
	event rule=spoof.source verdict=observed source=10.9.9.9
	expect_match '10.9.9.9' "$(seen '10.9.9.9')"
	expect 'the wrong DSCP arrived' grep -aq 'tos 0x68' "$capture"
}

t_released() {
	release sender
	expect_match '^$' "$(ctl packets --json | jq -r 'select(.owner == "test/sender").by')"
	expect_match '^0$' "$(programs_on sender "$from_dev")"
	claim sender
	expect_match '^2$' "$(programs_on sender "$from_dev")"
}
programs_on() { ip netns exec "$1" bpftool net show dev "$2" | grep -cE 'vf_(in|e)gress' || true; }

t_off() {
	start '"qos":{"profile":"spiderpool"},"packets":false'
	expect_match '^0$' "$(programs_on sender "$from_dev")"
	expect_match 'packets +unavailable' "$(ctl capabilities)"
	start '"packets":true'
	expect_match '^2$' "$(programs_on sender "$from_dev")"
}

t_unloaded() {
	warden_unload
	expect_match '^0$' "$(programs_on sender "$from_dev")"
	expect_match '^0$' "$(programs_on receiver "$to_dev")"
}

# ---- a table of mis-markings, in audit mode: WHAT | RULE | PIECE OF DETAIL | PIECE OF MESSAGE OR CURE ----

modify() { pod_exec sender uverbs modify "$(pod_uverbs sender)" "$@"; }
ah() { pod_exec sender uverbs ah "$(pod_uverbs sender)" "$@"; }
devx() { pod_exec sender uverbs devx "$(pod_uverbs sender)" || true; } # which no driver here has

table() {
	cat <<-'TABLE'
	modify --tclass 104 | marking.dscp | "dscp_asked":26 | set the traffic class in the application (NCCL_IB_TC, UCX_IB_TRAFFIC_CLASS, …) to 160
	modify --tclass 0 | marking.dscp | "dscp_asked":0 | set the traffic class in the application (NCCL_IB_TC, UCX_IB_TRAFFIC_CLASS, …) to 160
	modify --tclass 192 | marking.dscp | "dscp_asked":48 | set the traffic class in the application
	modify --tclass 108 --extended | marking.dscp | "dscp_asked":27 | set the traffic class in the application
	modify --tclass 116 --via write | marking.dscp | "dscp_asked":29 | set the traffic class in the application
	ah --tclass 120 | marking.dscp | "dscp_asked":30 | set the traffic class in the application
	devx | marking.unverified | "verdict":"observed" | DEVX programs the NIC past the kernel
	send dscp=1 | marking.packet | "dscp":1,"dscp_expected":"40","class":"rc","direction":"egress" | set the traffic class where the application or rdma_cm has it from
	send6 dscp=2 | marking.packet | "dscp":2,"dscp_expected":"40","class":"rc","direction":"egress" | set the traffic class where the application
	send dscp=3 opcode=0x64 | marking.packet | "dscp":3,"dscp_expected":"40","class":"ud" | set the traffic class where the application
	send dscp=4 opcode=0x81 | marking.packet | "dscp":4,"dscp_expected":"48","class":"cnp" | set the traffic class where the application
	send dscp=5 | marking.packet | "class":"rc","direction":"ingress","cure":"set it right at the sender | DSCP 5 was received
	send dscp=40 from=02:00:00:00:00:98 | spoof.source | "what":"MAC","source":"02:00:00:00:00:98" | that the VF does not own
	send dscp=40 vlan=8 | spoof.source | "what":"VLAN","source":"8" | that the VF does not own
	send dscp=40 source=10.9.9.8 | spoof.source | "what":"address","source":"10.9.9.8" | that the VF does not own
	send6 dscp=40 source=2001:db8::8 | spoof.source | "what":"address","source":"2001:db8::8" | that the VF does not own
	TABLE
}

t_line() {
	forget_events
	eval "$what"
	wait_until 5 event_found "\"rule\":\"$rule\"" "$detail" "$cure"
}

run_table() {
	local line what rule detail cure
	while read -r line; do
		IFS='~' read -r what rule detail cure <<<"${line// | /\~}"
		# Foreign sources are told once a second, whatever they are.
		[ "$rule" != spoof.source ] || pause 1.1
		run_case "$rule: $what" t_line
	done < <(table)
}

t_right_marks() {
	forget_events
	modify --tclass 160
	ah --tclass 162 # ECN is not judged
	send dscp=40
	send dscp=48 opcode=0x81
	no_event '"kind":"violation"'
}

start() { warden_start "$1"; }

enforce='"mode":"enforce","qos":{"profile":"spiderpool","on_violation":"deny"}'
rdma_mode exclusive
rdma_works hcasim || { run_case 'pods with VFs' skip 'no device of a VF in a pod here'; suite_end; exit; }
pod_create sender --vf next --rdma hcasim
mapfile -t vfs < <(vf_list)
pod_create receiver --vf "${vfs[$((${#vfs[@]} - 1))]}" --rdma hcasim
from_dev=$(pod_netdev sender) to_dev=$(pod_netdev receiver)
from_mac=$(pod_mac sender "$from_dev") to_mac=$(pod_mac receiver "$to_dev")
start "$enforce" || { echo 'not ok - wardend starts'; exit 1; }
claim sender
claim receiver
run_case 'both programs are on both VFs' t_attached
run_case 'a right packet passes and is counted' t_right
run_case 'a wrong DSCP is dropped' t_wrong
run_case 'a wrong DSCP is dropped in IPv6' t_wrong6
run_case 'a CNP has a DSCP of its own' t_cnp
run_case 'a flood is told whole' t_flood
run_case 'foreign sources are dropped' t_spoofed
run_case 'the VF owns the addresses that it has now' t_addresses
run_case 'beside the filters of others' t_beside_others
run_case 'what is taken away comes back' t_taken_away
run_case 'in force without wardend, and taken over by the next' t_without_wardend
run_case "an owner's own profile" t_other_profile
run_case "a resource's own profile, which outlives a wardend" t_resource
run_case 'a wrong DSCP is remarked' t_remarked
run_case 'audit mode tells and drops nothing' t_observed
run_case 'right marks raise nothing' t_right_marks
run_table
run_case 'released and claimed again' t_released
run_case 'switched off and on' t_off
run_case 'unloaded' t_unloaded
delete_pods_except ''
suite_end
