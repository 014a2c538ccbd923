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

# ---- --apply and --revert ----

mtu() { cat "/sys/class/net/$port/mtu"; }
journal=$warden_dir/state/qos-journal

# Two things wrong.
spoiled() {
	sound
	dcb pfc set dev "$port" prio-pfc all:off 3:on
	ip link set "$port" mtu 1500
}

t_apply_asks() {
	spoiled
	expect_fail 'without a terminal and without --yes' ctl qos --apply >"$found" 2>&1
	expect_match 'change +qos.pfc +dcbsim0 +pfc: 3 -> 5' "$(<"$found")"
	expect_match 'by +DCB netlink' "$(<"$found")"
	expect_match 'change +qos.mtu +dcbsim0 +mtu: 1500 -> 4200' "$(<"$found")"
	expect_match 'nothing was changed' "$(<"$found")"
	[ "$(mtu)" = 1500 ]
	expect_match '3:on' "$(dcb pfc show dev "$port" prio-pfc)"
	expect_fail 'both at once' ctl qos --apply --revert --yes
	expect_fail 'a yes to nothing' ctl qos --yes
}

# ANSWER [CMD…]: on a terminal; CMD runs while the question stands.
answered() {
	local answer=$1 status=0
	shift
	rm -f "$lab_state/keys" && mkfifo "$lab_state/keys"
	exec 9<>"$lab_state/keys"
	script -qefc "wardenctl --socket $warden_socket qos --apply" /dev/null <"$lab_state/keys" >"$found" 2>&1 9>&- &
	wait_until 10 grep -q 'y/N' "$found"
	"${@:-true}"
	echo "$answer" >&9
	wait $! || status=$?
	exec 9>&-
	return "$status"
}

t_apply_on_a_terminal() {
	spoiled
	expect_fail 'a no' answered n
	[ "$(mtu)" = 1500 ]
	expect_fail 'what was shown is not what there is' answered y ip link set "$port" mtu 1600
	expect_match 'the node has changed since the plan was shown' "$(<"$found")"
	[ "$(mtu)" = 1600 ]
	expect 'a yes' answered y
	[ "$(mtu)" = 4200 ]
	expect_match '0 fail' "$(<"$found")"
}

t_apply_and_revert() {
	spoiled
	rm -f "$journal"
	forget_events
	expect 'applied' ctl qos --apply --yes
	event kind=change rule=qos.pfc 'message=pfc of dcbsim0 was set from 3 to 5'
	event kind=change rule=qos.mtu subject=dcbsim0 from=1500 to=4200
	expect_match '"setting":"mtu".*"intent".*"setting":"mtu".*"done".*"setting":"pfc".*"intent".*"setting":"pfc".*"done"' \
		"$(tr '\n' ' ' <"$journal")"
	[ "$(stat -c %a "$journal")" = 600 ]
	expect 'nothing more to change' ctl qos --apply
	ip link set "$port" mtu 9000 # somebody else's since
	expect 'taken back' ctl qos --revert --yes >"$found"
	cat "$found"
	expect_match 'left +qos.mtu .*not what was set any more: 9000' "$(tr '\n' ' ' <"$found")"
	expect_match 'done +qos.pfc +dcbsim0 +pfc: 5 -> 3' "$(<"$found")"
	[ "$(mtu)" = 9000 ]
	expect_match '3:on' "$(dcb pfc show dev "$port" prio-pfc)"
	expect 'nothing more to take back' ctl qos --revert --yes >"$found"
	expect_match 'nothing to change' "$(<"$found")"
}

# The driver keeps its DCBX and so refuses PFC; the MTU is set all the same. And one that takes what it does not keep.
t_apply_that_fails() {
	spoiled
	echo 2 >"$control/dcbx"
	echo dcbx >"$control/ignoring"
	expect_fail 'some were refused' ctl qos --apply --yes --json >"$found"
	echo >"$control/ignoring"
	expect_match '"setting":"dcbx",.*"done":"failed","reason":"taken, but it did not stick: it has lld-managed"' "$(<"$found")"
	expect_match '"setting":"pfc",.*"done":"failed","reason":"refused: Operation not permitted"' "$(<"$found")"
	[ "$(mtu)" = 4200 ]
	expect 'the audit says so' test -n "$(findings fail qos.pfc "$port")"
	expect 'and what is right now' test -n "$(findings pass qos.mtu "$port")"
	event kind=fault rule=qos.pfc subject=dcbsim0
	spoiled
	echo pfc mtu >"$control/ignoring"
	expect_fail 'none has stuck' ctl qos --apply --yes >"$found"
	echo >"$control/ignoring"
	expect_match 'failed +qos.mtu .*did not stick: it has 1500' "$(tr '\n' ' ' <"$found")"
	expect_match 'failed +qos.pfc .*did not stick: it has 3' "$(tr '\n' ' ' <"$found")"
}

t_apply_without_a_journal() {
	spoiled
	mount -t tmpfs -o ro none "$warden_dir/state"
	expect_match 'Read-only' "$(ctl qos --apply --yes 2>&1 || true)"
	umount "$warden_dir/state"
	[ "$(mtu)" = 1500 ]
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

# By the printed cure alone: --apply would set the pause of the PF as well, and igbvf warns when its PF is reset meanwhile.
t_rocemode() {
	local vf device cma
	[ -e "$LAB_MODULES/hcasim.ko" ] || skip 'no hcasim here'
	vf=$(free_vf)
	device=$(vf_hcasim "$vf")
	cma=/sys/kernel/config/rdma_cm/$device
	mkdir "$cma"
	echo 'IB/RoCE v1' >"$cma/ports/1/default_roce_mode"
	rmdir "$cma"
	audit --profile spiderpool
	expect_match 'RoCE v1' "$(findings fail qos.rocemode "$device" found)"
	mended qos.rocemode "$device" "$(findings fail qos.rocemode "$device" cure)"
	rmdir "$cma"
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
run_case '--apply shows, and changes nothing without a yes' t_apply_asks
run_case '--apply on a terminal: yes, no, and a node that changes meanwhile' t_apply_on_a_terminal
run_case '--apply is journalled and told; --revert takes back what is still so' t_apply_and_revert
run_case '--apply: one that fails hides no other, one that does not stick has failed' t_apply_that_fails
run_case '--apply without a journal changes nothing' t_apply_without_a_journal
run_case 'what the driver does not tell is unknown' t_unreadable
run_case 'a port that is gone is unknown' t_gone
run_case 'another profile judges otherwise' t_other_profile
run_case 'for people' t_for_people
run_case 'an rxe device: ToS by configfs, which is left as it was' t_rxe
run_case 'a device with RoCE v1: found and mended' t_rocemode
run_case 'a device in a pod is unknown' t_in_a_pod
run_case 'nothing to judge is no pass' t_nothing
warden_unload
rmmod dcbsim
suite_end
