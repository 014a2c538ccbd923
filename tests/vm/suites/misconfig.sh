#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Misconfigurations, one a line of a table: each is made with the real tools, found under its rule and no other, mended by the
# command that is printed, made again, and mended by wardenctl qos --apply. On the test module dcbsim and an rxe device on it.
# The files of ECN, CNPs and the forced traffic class are no kernel's of the lab: tests/unit/audit_test.c stands for these.
set -uo pipefail
. "$LAB_REPO/tests/vm/lib.sh"
. "$LAB_REPO/tests/vm/warden.sh"

port=dcbsim0
rxe=rxe_sim
control=/sys/kernel/debug/dcbsim
cma=/sys/kernel/config/rdma_cm/$rxe
found=$lab_state/findings
profile='"profile":{"base":"spiderpool","mtu":4200}'

# ---- a sound node, in few processes ----

# DSCP PRIORITY
sound_dcb() {
	dcb -b - <<-BATCH
		dcbx set dev $port host ieee
		app flush dev $port
		app add dev $port dscp-prio $1:$2 48:6
		pfc set dev $port prio-pfc all:off $2:on
		ets set dev $port prio-tc 0:0 1:1 2:2 3:3 4:4 5:5 6:6 7:7 tc-tsa all:strict tc-bw all:0
		buffer set dev $port prio-buffer all:0 $2:$2 buffer-size all:0 0:131072 $2:131072
	BATCH
}

sound() {
	sound_dcb 40 5
	[ "$(<"/sys/class/net/$port/mtu")" = 4200 ] || ip link set "$port" mtu 4200
	ethtool -A "$port" rx off tx off 2>/dev/null || true # which fails when they are
	tos 160
}

tos() { echo "$1" >"$cma/ports/1/default_roce_tos"; }
pfc() { dcb pfc set dev "$port" prio-pfc "$@"; }
app() { dcb app "$1" dev "$port" dscp-prio "${@:2}"; }
ets() { dcb ets set dev "$port" "$@"; }
buffer() { dcb buffer set dev "$port" "$@"; }
trusted() { dcb apptrust set dev "$port" order "$@"; }

# ---- the table: SPOIL | RULE | SUBJECT | PIECE OF FOUND | CURE; P is the port, R the device ----

table() {
	cat <<-'TABLE'
	app flush | qos.trust | P | pcp (no DSCP entries | dcb app replace dev P dscp-prio 40:5 48:6
	pfc all:off | qos.pfc | P | on for no priority | dcb pfc set dev P prio-pfc all:off 5:on
	pfc all:off 3:on | qos.pfc | P | on for priority 3 | dcb pfc set dev P prio-pfc all:off 5:on
	pfc all:on | qos.pfc | P | on for priority 0,1,2,3,4,5,6,7 | dcb pfc set dev P prio-pfc all:off 5:on
	pfc 6:on | qos.pfc | P | on for priority 5,6 | dcb pfc set dev P prio-pfc all:off 5:on
	pfc 0:on | qos.pfc | P | on for priority 0,5 | dcb pfc set dev P prio-pfc all:off 5:on
	pfc all:off && echo 2 >$control/dcbx | qos.pfc | P | no priority | dcb dcbx set dev P host ieee && dcb pfc set dev P prio-pfc all:off 5:on
	pfc all:off && echo 12 >$control/dcbx | qos.pfc | P | no priority | dcb dcbx set dev P host ieee && dcb pfc set dev P prio-pfc all:off 5:on
	app replace 40:0 | qos.map | P | DSCP 40 to priority 0 | dcb app replace dev P dscp-prio 40:5
	app replace 40:3 | qos.map | P | DSCP 40 to priority 3 | dcb app replace dev P dscp-prio 40:5
	app del 40:5 | qos.map | P | DSCP 40 to no priority | dcb app replace dev P dscp-prio 40:5
	app add 40:3 | qos.map | P | DSCP 40 to priority 3,5 | dcb app replace dev P dscp-prio 40:5
	app replace 48:5 | qos.map | P | DSCP 48 to priority 5 | dcb app replace dev P dscp-prio 48:6
	app replace 48:0 | qos.map | P | DSCP 48 to priority 0 | dcb app replace dev P dscp-prio 48:6
	app del 48:6 | qos.map | P | DSCP 48 to no priority | dcb app replace dev P dscp-prio 48:6
	app add 0:5 | qos.map | P | DSCP 0 to priority 5 | dcb app replace dev P dscp-prio 0:0
	app add 26:5 | qos.map | P | DSCP 26 to priority 5 | dcb app replace dev P dscp-prio 26:3
	app add 8:5 16:5 | qos.map | P | DSCP 8 to priority 5, DSCP 16 to priority 5 | dcb app replace dev P dscp-prio 8:1 16:2
	app add 0:5 && app del 40:5 | qos.map | P | DSCP 40 to no priority | dcb app replace dev P dscp-prio 0:0 40:5
	ets prio-tc 5:0 | qos.ets | P | class 0, and priority 0 with it | dcb ets set dev P prio-tc 5:5
	ets prio-tc 6:5 | qos.ets | P | class 5, and priority 6 with it | dcb ets set dev P prio-tc 5:6
	ets prio-tc all:0 | qos.ets | P | class 0, and priority 0 with it | dcb ets set dev P prio-tc 5:5
	ets tc-tsa 0:ets 5:ets tc-bw 0:100 5:0 | qos.ets | P | class 5: ets, 0 % | dcb ets set dev P tc-bw 0:50 5:50
	ets tc-tsa 0:ets 1:ets 5:ets tc-bw 0:60 1:40 5:0 | qos.ets | P | class 5: ets, 0 % | dcb ets set dev P tc-bw 0:30 5:30
	ets prio-tc 5:0 tc-tsa 0:ets 5:ets tc-bw 0:100 5:0 | qos.ets | P | class 0, and priority 0 | dcb ets set dev P prio-tc 5:5 tc-bw 0:50 5:50
	buffer prio-buffer 5:0 | qos.buffer | P | buffer 0 of 131072 bytes, and priority 0 | dcb buffer set dev P prio-buffer 5:5
	buffer prio-buffer 6:5 | qos.buffer | P | buffer 5 of 131072 bytes, and priority 6 | dcb buffer set dev P prio-buffer 5:1 buffer-size 0:65536 1:65536
	buffer buffer-size 5:0 | qos.buffer | P | buffer 5 of 0 bytes | dcb buffer set dev P buffer-size 5:131072
	buffer prio-buffer 5:2 | qos.buffer | P | buffer 2 of 0 bytes | dcb buffer set dev P buffer-size 0:65536 2:65536
	ip link set $port mtu 1500 | qos.mtu | P | 1500: 1024 for RDMA | ip link set dev P mtu 4200
	ip link set $port mtu 4199 | qos.mtu | P | 4199: 4096 for RDMA | ip link set dev P mtu 4200
	ethtool -A $port rx on | qos.pause | P | receive on, transmit off | ethtool -A P rx off tx off
	ethtool -A $port tx on | qos.pause | P | receive off, transmit on | ethtool -A P rx off tx off
	ethtool -A $port rx on tx on | qos.pause | P | receive on, transmit on | ethtool -A P rx off tx off
	tos 0 | qos.tos | R | DSCP 0 (traffic class 0), rdma_cm's default | mkdir -p C && echo 160 >C/ports/1/default_roce_tos
	tos 106 | qos.tos | R | DSCP 26 (traffic class 106) | mkdir -p C && echo 160 >C/ports/1/default_roce_tos
	tos 40 | qos.tos | R | DSCP 10 (traffic class 40) | mkdir -p C && echo 160 >C/ports/1/default_roce_tos
	TABLE
}

# Where the driver tells the trust itself, which kernels do since 6.2.
trust_table() {
	cat <<-'TABLE'
	trusted pcp | qos.trust | P | pcp (trusted: pcp) | dcb apptrust set dev P order dscp pcp
	trusted pcp dscp | qos.trust | P | pcp (trusted: pcp,dscp) | dcb apptrust set dev P order dscp pcp
	trusted port | qos.trust | P | neither dscp nor pcp (trusted: port) | dcb apptrust set dev P order dscp port
	app flush | qos.map | P | DSCP 40 to no priority, DSCP 48 to no priority | dcb app replace dev P dscp-prio 40:5 48:6
	TABLE
}

# ---- one line ----

# Status of wardenctl: 1 when something fails, which is no failure of the case.
audit() { ctl qos --json "$@" >"$found" || [ "$?" = 1 ]; }

failures() { grep -F '"result":"fail"' "$found" || true; }

# KEY LINE: a string of a line of JSON. The cures have nothing that JSON escapes.
text() { [[ $2 =~ \"$1\":\"([^\"]*)\" ]] && printf '%s\n' "${BASH_REMATCH[1]}"; }

same() { [ "$2" = "$3" ] || { printf '%s: %s\nexpected: %s\n' "$1" "$2" "$3"; return 1; }; }

t_line() {
	local line
	sound
	eval "$spoil"
	audit
	line=$(failures)
	same 'what fails' "$(grep -c . <<<"$line")" 1
	same rule "$(text id "$line")" "$rule"
	same subject "$(text subject "$line")" "$subject"
	[[ $(text found "$line") == *"$piece"* ]] || { printf 'found: %s\nexpected: %s\n' "$line" "$piece"; return 1; }
	same cure "$(text cure "$line")" "$cure"
	bash -ec "$cure"
	audit
	same 'after the cure' "$(failures)" ''
	sound
	eval "$spoil"
	expect 'applied' ctl qos --apply --yes --json >"$found"
	expect_match "\"id\":\"$rule\",[^}]*\"done\":\"done\"" "$(<"$found")"
	same 'after --apply' "$(failures)" ''
}

# TABLE: a case for each line.
run_table() {
	local line spoil rule subject piece cure
	while read -r line; do
		IFS='~' read -r spoil rule subject piece cure <<<"${line// | /\~}"
		subject=${subject/#P/$port} subject=${subject/#R/$rxe}
		cure=${cure// P/ $port} cure=${cure//C/$cma}
		run_case "$rule: $spoil" t_line
	done < <("$1")
}

t_clean() {
	sound
	audit
	same 'fails by spiderpool' "$(failures)" ''
	expect 'nothing to change' ctl qos --apply
	sound_dcb 26 3
	tos 104
	audit --profile nvidia
	same 'fails by nvidia' "$(failures)" ''
	expect 'there are passes' grep -qF '"result":"pass"' "$found"
}

t_trust_told() {
	sound
	echo >"$control/absent"
	trusted dscp pcp
	audit
	same 'fails' "$(failures)" ''
}

insmod "$LAB_MODULES/dcbsim.ko"
rdma_mode exclusive
ip link set "$port" up
rdma link add "$rxe" type rxe netdev "$port"
mkdir -p "$cma"
warden_start "\"qos\":{$profile,\"netdevs\":[\"$port\"]}" || { echo 'not ok - wardend starts'; exit 1; }
run_case 'clean profiles raise nothing' t_clean
run_table table
if kernel_at_least 6.2; then
	run_case 'a driver that tells the trust' t_trust_told
	run_table trust_table
fi
warden_unload
rmdir "$cma"
rdma link delete "$rxe"
rmmod dcbsim
suite_end
