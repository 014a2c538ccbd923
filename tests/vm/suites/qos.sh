#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The audit of RoCE marking: a port of the test module dcbsim as it comes, and how wardenctl qos --apply and --revert treat it;
# what cannot be read is unknown; and the settings of rxe and hcasim devices. Single mistakes are in misconfig.sh.
set -uo pipefail
. "$LAB_REPO/tests/vm/lib.sh"
. "$LAB_REPO/tests/vm/warden.sh"

port=dcbsim0
control=/sys/kernel/debug/dcbsim
found=$lab_state/findings
profile='"profile":{"base":"spiderpool","mtu":4200}'

# Status of wardenctl: 1 when something fails, which is no failure of the case.
audit() { ctl qos --json "$@" >"$found" || [ "$?" = 1 ]; }

# RESULT RULE SUBJECT [KEY]: the findings, or a key of them.
findings() {
	jq -r --arg result "$1" --arg id "$2" --arg subject "$3" --arg key "${4-}" \
		'select(.result == $result and .id == $id and .subject == $subject) | if $key == "" then tojson else .[$key] end' "$found"
}

# RULE SUBJECT CURE
mended() {
	bash -ec "$3"
	audit
	expect_match '^$' "$(findings fail "$1" "$2")"
	expect "a pass after the cure" test -n "$(findings pass "$1" "$2")"
}

# RULE PIECE: of the port, and nothing passes by it.
unknown() {
	expect_match "$2" "$(findings unknown "$1" "$port" found)"
	expect_match '^$' "$(findings pass "$1" "$port")$(findings fail "$1" "$port")"
}

# ---- dcbsim itself ----

t_module() {
	local before
	expect_match "$port" "$(dcb pfc show dev "$port" prio-pfc 2>&1 && echo "$port")"
	expect_match '0:on 1:off' "$(dcb pfc set dev "$port" prio-pfc 0:on && dcb pfc show dev "$port" prio-pfc)"
	dcb pfc set dev "$port" prio-pfc all:off
	echo 42 >"$control/counters/rx_prio5_pause"
	expect_match 'rx_prio5_pause: 42' "$(ethtool -S "$port")"
	before=$(dcb dcbx show dev "$port")
	echo pfc >"$control/failing"
	expect_fail 'PFC that fails' dcb pfc set dev "$port" prio-pfc 0:on
	echo pfc >"$control/absent"
	expect_fail 'PFC that is absent' dcb pfc set dev "$port" prio-pfc 0:on
	echo >"$control/failing"
	echo apptrust >"$control/absent"
	echo 2 >"$control/dcbx"
	expect_fail 'what firmware manages' dcb pfc set dev "$port" prio-pfc 0:on
	dcb dcbx set dev "$port" host ieee
	[ "$(dcb dcbx show dev "$port")" = "$before" ]
	expect_fail 'an unknown name' eval "echo pfc nonsense >$control/failing"
}

# ---- a port as it comes, all that is wrong mended by what is printed ----

t_as_it_comes() {
	local rule cure
	expect_fail 'the status says so' ctl qos
	audit
	for rule in qos.trust qos.pfc qos.buffer qos.mtu qos.pause; do
		expect "a failure by $rule" test -n "$(findings fail "$rule" "$port")"
	done
	expect 'ETS is right' test -n "$(findings pass qos.ets "$port")"
	for rule in qos.trust qos.pfc qos.buffer qos.mtu qos.pause; do
		cure=$(findings fail "$rule" "$port" cure)
		mended "$rule" "$port" "$cure"
	done
	unknown qos.ecn 'this driver and kernel do not show it'
	expect 'nothing fails any more' ctl qos
	expect_match '(40|CS5):5' "$(dcb app show dev "$port" dscp-prio)"
}

# ---- a port set up by hand ----

sound() {
	dcb dcbx set dev "$port" host ieee
	dcb app flush dev "$port" dscp-prio
	dcb app add dev "$port" dscp-prio 40:5 48:6
	dcb pfc set dev "$port" prio-pfc all:off 5:on
	dcb ets set dev "$port" prio-tc 0:0 1:1 2:2 3:3 4:4 5:5 6:6 7:7 tc-tsa all:strict tc-bw all:0
	dcb buffer set dev "$port" prio-buffer all:0 5:5 buffer-size all:0 0:131072 5:131072
	ip link set "$port" mtu 4200
	ethtool -A "$port" rx off tx off || true # which fails when they are
}

# ---- what cannot be read ----

t_unreadable() {
	local how
	sound
	for how in failing absent; do
		echo pfc ets buffer >"$control/$how"
		audit
		echo apptrust >"$control/$how" # as it was
		unknown qos.pfc 'does not tell its PFC'
		unknown qos.ets 'does not tell its ETS'
		unknown qos.buffer 'does not tell its buffers'
		expect 'the rest is judged' test -n "$(findings pass qos.trust "$port")"
	done
}

t_gone() {
	sound
	ip link set "$port" name away0
	audit
	ip link set away0 name "$port"
	unknown qos.trust 'not to be seen'
	unknown qos.pause 'No such device'
	unknown qos.mtu 'the MTU'
}

# ---- profiles, and what is printed ----

t_other_profile() {
	sound
	expect_fail 'nvidia differs' ctl qos --profile nvidia
	audit --profile nvidia
	expect_match '^dcb pfc set dev dcbsim0 prio-pfc all:off 3:on$' "$(findings fail qos.pfc "$port" cure)"
	expect 'spiderpool is in force' ctl qos --profile spiderpool
	expect_match 'no profile "cisco"' "$(ctl qos --profile cisco 2>&1 || true)"
	expect_fail 'an unknown profile' ctl qos --profile cisco
}

t_for_people() {
	local text
	sound
	dcb pfc set dev "$port" prio-pfc all:off
	text=$(ctl qos || true)
	printf '%s\n' "$text"
	expect_match 'fail     qos.pfc       dcbsim0          on for no priority' "$text"
	expect_match 'expected  on for priority 5' "$text"
	expect_match 'cure      dcb pfc set dev dcbsim0 prio-pfc all:off 5:on' "$text"
	expect_match ' 1 fail, [0-9]+ unknown$' "$text"
}

# ---- RDMA devices ----

t_rxe() {
	local vf rxe before
	vf=$(free_vf)
	rxe=$(vf_rxe "$vf")
	before=$(ls /sys/kernel/config/rdma_cm)
	audit
	[ "$(ls /sys/kernel/config/rdma_cm)" = "$before" ]
	expect_match 'DSCP 0 .traffic class 0., rdma_cm.s default' "$(findings fail qos.tos "$rxe" found)"
	mended qos.tos "$rxe" "$(findings fail qos.tos "$rxe" cure)"
	expect 'RoCE v2' test -n "$(findings pass qos.rocemode "$rxe")"
	# igb, the PF that carries it, has no DCB.
	expect_match "\"devices\":\\[[^]]*\"$rxe\"" "$(jq -c 'select(.id == "qos.pfc" and .result == "unknown")' "$found")"
	rdma link delete "$rxe"
}

t_in_a_pod() {
	rdma_works hcasim || skip 'no device of a VF in a pod here'
	pod_create away --vf next --rdma hcasim
	audit
	expect_match 'in another network namespace' "$(findings unknown qos.tos "$(pod_rdma away)" found)"
	expect_match 'in another network namespace' "$(findings unknown qos.rocemode "$(pod_rdma away)" found)"
}

t_nothing() {
	warden_start "\"qos\":{\"profile\":\"nvidia\"}"
	expect_match 'nothing to judge' "$(ctl qos 2>&1 || true)"
	expect_fail 'nothing is no pass' ctl qos
	warden_start ''
	expect_match 'names no profile' "$(ctl qos 2>&1 || true)"
}

insmod "$LAB_MODULES/dcbsim.ko"
rdma_mode exclusive
run_case 'dcbsim keeps what it is told, and fails as it is told' t_module
warden_start "\"qos\":{$profile,\"netdevs\":[\"$port\"]}" || { echo 'not ok - wardend starts'; exit 1; }
run_case 'a port as it comes is mended by what is printed' t_as_it_comes
run_case 'what the driver does not tell is unknown' t_unreadable
run_case 'a port that is gone is unknown' t_gone
run_case 'another profile judges otherwise' t_other_profile
run_case 'for people' t_for_people
run_case 'an rxe device: ToS by configfs, which is left as it was' t_rxe
run_case 'a device in a pod is unknown' t_in_a_pod
run_case 'nothing to judge is no pass' t_nothing
warden_unload
rmmod dcbsim
suite_end
