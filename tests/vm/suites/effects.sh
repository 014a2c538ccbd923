#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The rules on counters, from the kernel to the event and its end: hw counters of a device in a pod's netns by RDMA netlink
# (hcasim), ethtool statistics of a port (dcbsim), each set by the test; a sample each second.
set -uo pipefail
. "$LAB_REPO/tests/vm/lib.sh"
. "$LAB_REPO/tests/vm/warden.sh"

port=dcbsim0
port_counters=/sys/kernel/debug/dcbsim/counters
hcasim=/sys/kernel/debug/hcasim
found=$lab_state/findings
pusher=''

samples() { ctl status --json | jq .qos.samples; }

samples_reached() { [ "$(samples)" -ge "$1" ]; }

# So many more samples have been taken.
sampled() { wait_until 60 samples_reached "$(($(samples) + $1))"; }

# FILE STEP…: each of the counters grows by its step again and again, until stop_pushing.
push() {
	(
		while :; do
			set -- "$@"
			for ((i = 1; i < $#; i += 2)); do
				file=${!i} step=$((i + 1))
				read -r value <"$file"
				echo $((value + ${!step})) >"$file"
			done
			pause 0.2
		done
	) &
	pusher=$!
}

stop_pushing() {
	[ -n "$pusher" ] || return 0
	kill "$pusher" 2>/dev/null || true
	wait "$pusher" 2>/dev/null || true
	pusher=''
}

# RULE PIECE…: waits longer than event does: rules begin and end after three samples.
effect_event() {
	wait_until 60 event_found "$@"
	first_line "$lab_state/event"
}

audit() { ctl qos --json >"$found" || [ "$?" = 1 ]; }

# RULE SUBJECT KEY
finding() { jq -r --arg id "$1" --arg subject "$2" --arg key "$3" 'select(.id == $id and .subject == $subject) | .[$key]' "$found"; }

result_is() {
	audit
	[ "$(finding "$1" "$2" result)" = "$3" ]
}

# RULE SUBJECT EVENT-PIECE COUNTER STEP…: it begins while the counters grow so, is a finding that fails, and ends after.
begins_and_ends() {
	local rule=$1 subject=$2 piece=$3
	shift 3
	forget_events
	push "$@"
	expect_match '"kind":"violation"' "$(effect_event "\"rule\":\"$rule\"" '"verdict":"observed"' "$piece")"
	audit
	expect "a finding that fails" test "$(finding "$rule" "$subject" result)" = fail
	expect "a cure" test -n "$(finding "$rule" "$subject" cure)"
	stop_pushing
	expect_match 'no longer: ' "$(effect_event "\"rule\":\"$rule\"" '"kind":"change"' "$piece")"
	expect "one begin" test "$(grep -c "\"kind\":\"violation\".*\"rule\":\"$rule\"" "$warden_events")" = 1
	wait_until 30 eval "! result_is $rule $subject fail"
}

# ---- a port ----

t_pause() {
	begins_and_ends qos.effect.pause "$port" "\"netdev\":\"$port\"" "$port_counters/rx_prio5_pause_duration" 400000
	wait_until 30 result_is qos.effect.pause "$port" pass
}

t_pause_of_another_priority() {
	forget_events
	push "$port_counters/rx_prio3_pause_duration" 400000
	sampled 5
	stop_pushing
	no_event '"rule":"qos.effect.pause"'
}

# The device of a PF whose netdev is the port: its RDMA bytes are on priority 0.
t_priority() {
	local pf name
	clear_devices
	pf=${LAB_PFS%% *} pf=${pf##*/}
	echo "$pf $port" >"$hcasim/add"
	wait_until 5 test -d "/sys/bus/pci/devices/$pf/infiniband"
	name=$(vf_rdma "$pf")
	sampled 5
	audit
	expect_match 'too little to judge by' "$(finding qos.effect.priority "$port" found)"
	begins_and_ends qos.effect.priority "$port" "\"netdev\":\"$port\"" \
		"$port_counters/tx_vport_rdma_unicast_bytes" 100000000 "$port_counters/tx_prio0_bytes" 100000000
	forget_events
	push "$port_counters/tx_vport_rdma_unicast_bytes" 100000000 "$port_counters/tx_prio5_bytes" 100000000
	sampled 5
	expect 'traffic on its priority passes' result_is qos.effect.priority "$port" pass
	stop_pushing
	no_event '"rule":"qos.effect.priority"'
	expect_match "\"devices\":.\"$name\"" "$(jq -c 'select(.id == "qos.effect.priority")' "$found")"
	echo "$pf" >"$hcasim/remove"
}

# ---- a device in a pod's netns, which the host's sysfs does not show ----

pod_counters() { printf '%s/%s/counters\n' "$hcasim" "$(pod_vf trainer)"; }

# Names of devices are not unique on 7.3: so there is one.
clear_devices() {
	local vf
	for vf in $(vf_list); do vf_no_hcasim "$vf"; done
}

in_pod() {
	need_rdma hcasim
	clear_devices
	pod_create trainer --vf next --rdma hcasim
	claim trainer >/dev/null
	[ ! -e "/sys/class/infiniband/$(pod_rdma trainer)" ]
	wait_until 30 result_is qos.effect.sequence "$(pod_rdma trainer)" pass
}

t_sequence() {
	in_pod
	begins_and_ends qos.effect.sequence "$(pod_rdma trainer)" '"owner":"test/trainer"' "$(pod_counters)/out_of_sequence" 1000
	expect_match "\"device\":\"$(pod_rdma trainer)\",\"pci\":\"$(pod_vf trainer)\"" "$(first_line "$lab_state/event")"
}

t_cnp_sent() {
	in_pod
	begins_and_ends qos.effect.cnp-sent "$(pod_rdma trainer)" '"owner":"test/trainer"' \
		"$(pod_counters)/np_ecn_marked_roce_packets" 1000
}

t_cnp_handled() {
	in_pod
	begins_and_ends qos.effect.cnp-handled "$(pod_rdma trainer)" '"owner":"test/trainer"' \
		"$(pod_counters)/rp_cnp_ignored" 1000
}

# One step of any size, and a counter that is set back.
t_burst() {
	local counter
	in_pod
	counter=$(pod_counters)/out_of_sequence
	forget_events
	echo 4000000000 >"$counter"
	sampled 4
	echo 5 >"$counter"
	sampled 4
	no_event '"rule":"qos.effect.sequence"'
	expect 'a pass' result_is qos.effect.sequence "$(pod_rdma trainer)" pass
}

t_gone() {
	in_pod
	forget_events
	push "$(pod_counters)/out_of_sequence" 1000
	effect_event '"rule":"qos.effect.sequence"' '"verdict":"observed"'
	pod_vf trainer >"$hcasim/remove"
	stop_pushing
	expect_match 'the device is gone' "$(effect_event '"rule":"qos.effect.sequence"' '"kind":"change"')"
}

# ---- what is not to be read ----

is_counterless() { audit; [[ $(finding qos.effect.sequence "$1" found) == *'the driver counts no packets out of sequence'* ]]; }
t_counterless() {
	local vf name
	clear_devices
	vf=$(free_vf)
	echo Y >"$hcasim/counterless"
	name=$(vf_hcasim "$vf")
	echo N >"$hcasim/counterless"
	expect 'no counters in sysfs' test ! -e "/sys/class/infiniband/$name/ports/1/hw_counters"
	wait_until 30 is_counterless "$name"
	echo "$vf" >"$hcasim/remove"
}

t_failing() {
	local vf name
	clear_devices
	vf=$(free_vf)
	name=$(vf_hcasim "$vf")
	wait_until 30 result_is qos.effect.sequence "$name" pass
	echo Y >"$hcasim/counters_fail"
	wait_until 30 result_is qos.effect.sequence "$name" unknown
	expect_match 'the counters cannot be read: Input/output error' "$(finding qos.effect.sequence "$name" found)"
	echo N >"$hcasim/counters_fail"
	wait_until 30 result_is qos.effect.sequence "$name" pass
	echo "$vf" >"$hcasim/remove"
}

# The kernel's rxe has counters of packets out of sequence, and none of CNPs.
t_rxe() {
	local vf rxe
	clear_devices
	vf=$(free_vf)
	rxe=$(vf_rxe "$vf")
	wait_until 30 result_is qos.effect.sequence "$rxe" pass
	expect_match 'the driver counts no packets marked with CE' "$(finding qos.effect.cnp-sent "$rxe" found)"
	expect_match '^unknown$' "$(finding qos.effect.cnp-handled "$rxe" result)"
	rdma link delete "$rxe"
}

t_off() {
	warden_start "\"qos\":{\"profile\":\"spiderpool\",\"netdevs\":[\"$port\"],\"effects_interval\":0}"
	[ "$(samples)" = 0 ]
	audit
	expect_match 'no counter is sampled' "$(finding qos.effect all found)"
	expect_match '^$' "$(finding qos.effect.pause "$port" result)"
}

insmod "$LAB_MODULES/dcbsim.ko"
[ -e "$hcasim" ] || insmod "$LAB_MODULES/hcasim.ko"
rdma_mode exclusive
warden_start "\"qos\":{\"profile\":\"spiderpool\",\"netdevs\":[\"$port\"],\"effects_interval\":1}" ||
	{ echo 'not ok - wardend starts'; exit 1; }
run_case 'qos.effect.pause: a port that is paused' t_pause
run_case 'pauses of another priority are nothing' t_pause_of_another_priority
run_case 'qos.effect.sequence: a device in a pod' t_sequence
run_case 'qos.effect.cnp-sent: a device in a pod' t_cnp_sent
run_case 'qos.effect.cnp-handled: a device in a pod' t_cnp_handled
run_case 'a burst begins nothing, nor does a reset' t_burst
run_case 'what began ends with its device' t_gone
run_case 'qos.effect.priority: a PF' t_priority
run_case 'a driver without counters' t_counterless
run_case 'a driver that fails to read them' t_failing
run_case 'a driver with some counters: rxe' t_rxe
run_case 'no samples, and said so' t_off
warden_unload
rmmod dcbsim
suite_end
