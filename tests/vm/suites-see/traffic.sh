#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Traffic between two pods, by perftest and rping: what /metrics and rdmatop say of it is what perftest itself reports, within 5 %.
# On soft RoCE, whose bytes vf.bpf.c counts on the VFs' netdevs; real HCAs' own counters have never been met.
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../traffic.sh
. "$LAB_REPO/tests/vm/traffic.sh"

metrics=127.0.0.1:9779
message=65536
right=160 wrong=104 # traffic classes: DSCP 40, which is the profile's, and 26
frame=44 # IPv4 20, UDP 8, BTH 12, ICRC 4: rxe counts without Ethernet; the RETH of a message is far less than the 5 %

page() { curl -sf "http://$metrics/metrics"; }

# FAMILY POD: the value of the pod's device.
metric() {
	page | awk -v family="$1" -v pod="pod_name=\"$2\"" 'index($1, family "{") == 1 && index($0, pod) { print $NF; found = 1 } END { exit !found }'
}

# WHAT EXPECTED FOUND: within 5 %.
within_5() {
	printf '    %s: %s, by perftest %s\n' "$1" "$3" "$2" >>"$lab_state/figures"
	awk -v a="$2" -v b="$3" 'BEGIN { exit !(a > 0 && b >= a * 0.95 && b <= a * 1.05) }' ||
		{ echo "$1: $3, expected $2 within 5 %"; return 1; }
}

# POD: the index of its IPv4 address' GID.
gid_of() {
	# shellcheck disable=SC2016 # the inner shell's
	pod_exec "$1" sh -c 'grep -lix "$1" /sys/class/infiniband/"$2"/ports/1/gids/*' - "$(ipv4_gid "$(pod_ip "$1")")" "$(pod_rdma "$1")" | sed 's,.*/,,' | tail -n 1
}

# ARG…: ib_write_bw from beta to alpha; the client's report is in $lab_state/client.
write_bw() {
	local server status=0
	pod_exec alpha timeout 200 ib_write_bw -d "$(pod_rdma alpha)" -F -x "$(gid_of alpha)" -s "$message" -t 8 -u 20 "$@" >"$lab_state/server" 2>&1 &
	server=$!
	wait_until 20 ip netns exec alpha bash -c "$(declare -f listens); listens 18515"
	pod_exec beta timeout 200 ib_write_bw -d "$(pod_rdma beta)" -F -x "$(gid_of beta)" -s "$message" -t 8 -u 20 "$@" "$(pod_ip alpha)" >"$lab_state/client" 2>&1 || status=$?
	wait "$server" || status=$?
	[ "$status" = 0 ] || cat "$lab_state/server" "$lab_state/client"
	return "$status"
}

# COLUMN: of the report's line: bytes, iterations, peak, average (MiB/s), messages (Mpps).
reported() { awk -v size="$message" -v column="$1" '$1 == size { print $column }' "$lab_state/client"; }


top() { rdmatop --socket "$warden_socket" "$@"; }

# FAMILY POD CMD…: what CMD adds to it.
t_bytes() {
	local out packets in before_in before_out before_packets sent
	before_out=$(metric rdma_warden_device_transmit_bytes_total beta)
	before_packets=$(metric rdma_warden_device_transmit_packets_total beta)
	before_in=$(metric rdma_warden_device_receive_bytes_total alpha)
	write_bw --tclass $right -n 100
	out=$(($(metric rdma_warden_device_transmit_bytes_total beta) - before_out))
	packets=$(($(metric rdma_warden_device_transmit_packets_total beta) - before_packets))
	in=$(($(metric rdma_warden_device_receive_bytes_total alpha) - before_in))
	sent=$(($(reported 2) * message))
	within_5 'bytes that beta sent' "$sent" "$((out - packets * frame))"
	within_5 'bytes that alpha received' "$sent" "$((in - packets * frame))"
	within_5 'packets that beta sent' "$((sent / 1024))" "$packets"
}

# Until there is a file "done": the time, and what beta has sent by /metrics, a line a second.
watch_metrics() {
	while [ ! -e "$lab_state/done" ]; do
		page | awk -v now="${EPOCHREALTIME/,/.}" '/^rdma_warden_device_transmit_(bytes|packets)_total{.*pod_name="beta"/ { value[n++] = $NF }
			END { print now, value[0], value[1] }'
		pause 1
	done
}

# COLUMN: its growth a second, from the first line on which it has grown to the last but one: the last is of after the run.
growth() {
	awk -v column="$1" 'BEGIN { n = 0 } NR > 1 && $column > last { time[n] = $1; value[n++] = $column } { last = $column }
		END { printf "%.0f\n", (value[n - 2] - value[0]) / (time[n - 2] - time[0]) }' "$lab_state/watched"
}

# KEY: the mean of rdmatop's samples between the first and the last one with traffic, which are not wholly of it. What lies between
# counts, however slow it was.
mean() {
	jq -s "[.[].devices[] | select(.pod == \"beta\") | .$1 // 0] | (map(. > 0) | index(true)) as \$first |
		(map(. > 0) | rindex(true)) as \$last | .[\$first + 1:\$last] | add / length | floor" "$lab_state/top"
}

# perftest's averages are of payload, over the whole of its run; those of the warden are of what is on the wire.
t_rates() {
	local pids bytes packets status=0
	rm -f "$lab_state/done"
	watch_metrics >"$lab_state/watched" &
	pids=$!
	rdmatop --socket "$warden_socket" -j -d 1 -n 300 >"$lab_state/top" &
	pids+=" $!"
	write_bw --tclass $right -n 5000 || status=$?
	touch "$lab_state/done"
	kill "${pids#* }"
	wait "${pids% *}"
	[ "$status" = 0 ] || return "$status"
	bytes=$(awk -v rate="$(reported 4)" -v frame=$frame 'BEGIN { printf "%.0f", rate * 1048576 * (1024 + frame) / 1024 }')
	packets=$(awk -v rate="$(reported 5)" -v message=$message 'BEGIN { printf "%.0f", rate * 1000000 * message / 1024 }')
	within_5 'bytes a second by /metrics' "$bytes" "$(growth 2)"
	within_5 'packets a second by /metrics' "$packets" "$(growth 3)"
	within_5 'bits a second by rdmatop' "$((bytes * 8))" "$(mean tx_bits)"
	within_5 'packets a second by rdmatop' "$packets" "$(mean tx_packets)"
}

# Its connection is there while it runs, and its packets are seen. In the host's netns, between the owners bw-a and bw-b: a soft RoCE
# device that has changed its netns has no QP 1 any more, without which there is no rdma_cm.
t_rping() {
	local before
	before=$(metric rdma_warden_device_transmit_packets_total bw-b)
	in_cgroup bw-a timeout 100 rping -s -a "$(vf_ip "$vf_a")" >"$lab_state/server" 2>&1 &
	pause 1
	in_cgroup bw-b timeout 90 rping -c -a "$(vf_ip "$vf_a")" -I "$(vf_ip "$vf_b")" -C 100000 >"$lab_state/client" 2>&1 &
	wait_until 30 connected || { cat "$lab_state/client" "$lab_state/server"; return 1; }
	wait_until 10 top_has '.pod == "bw-b" and .connections == 1 and .qps >= 1 and .pinned > 0'
	pkill -x rping
	wait
	expect 'its packets were counted' test "$(metric rdma_warden_device_transmit_packets_total bw-b)" -gt "$before"
	wait_until 10 top_has '.pod == "bw-b" and .connections == 0'
}
connected() { [ "$(metric rdma_warden_device_connections bw-b)" = 1 ]; }
top_has() { top -j -n 1 | jq -e "any(.devices[]; $1)"; }

violations() { page | awk -v series="rdma_warden_violations_total{rule=\"$1\",verdict=\"$2\"}" '$1 == series { print $2; found = 1 } END { if (!found) print 0 }'; }

# CMD…: changes what is violated in beta's device. The first scrape, and the first sample of rdmatop, after it show it.
seen_at_once() {
	local rule=$1 verdict=$2 before shown
	shift 2
	before=$(violations "$rule" "$verdict")
	shown=$(top -j -n 1 | jq '[.devices[] | select(.pod == "beta") | .violations] | add')
	"$@"
	expect 'the next scrape has it' test "$(violations "$rule" "$verdict")" -gt "$before"
	expect 'rdmatop has it' top_has ".pod == \"beta\" and .violations > $shown"
}
t_refused_open() { seen_at_once exclusive.open denied refused pod_exec alpha uverbs open "$(pod_uverbs beta)"; }
t_wrong_mark() {
	seen_at_once marking.dscp observed with_clock write_bw --tclass $wrong -n 5
	expect 'the device is marked wrong' top_has '.pod == "beta" and .marking == "wrong"'
	expect 'and in the metrics' test "$(page | grep -c '^rdma_warden_device_marking{.*pod_name="beta".*state="wrong"} 1')" = 1
	expect 'by DSCP' test "$(page | awk '/^rdma_warden_roce_packets_total{.*pod_name="beta"/ && /direction="out"/ && /dscp="26"/ { print $NF }')" -gt 0
}

# On a terminal, where it stays on: within one refresh, which is a second here. With --scratch, what it shows is kept there with its
# colours (tests/tools/capture-svg.py makes a picture of it).
t_on_the_screen() {
	local before traffic
	LC_ALL=C.UTF-8 tmux -u -L lab -f /dev/null new-session -d -x 132 -y 16 "env LC_ALL=C.UTF-8 TERM=screen-256color rdmatop --socket $warden_socket"
	wait_until 20 screen_has 'test/beta'
	before=$(top -j -n 1 | jq '[.devices[] | select(.pod == "beta") | .violations] | add')
	refused pod_exec alpha uverbs open "$(pod_uverbs beta)"
	wait_until 2 screen_has "test/beta.* wrong +$((before + 1))"
	with_clock write_bw --tclass $right -n 2500 >"$lab_state/traffic" 2>&1 &
	traffic=$!
	wait_until 30 screen_has 'test/beta.* [0-9.]+M .*█'
	pause 8 # for a history
	tmux -u -L lab capture-pane -e -N -p >"$LAB_SCRATCH/rdmatop.screen"
	wait "$traffic"
	tmux -L lab kill-server
}
screen_has() { tmux -u -L lab capture-pane -p >"$lab_state/screen" && grep -qE "$1" "$lab_state/screen"; }

begin() {
	warden_start '"mode":"enforce","qos":{"profile":"spiderpool"}'
	make_hosts_pods
	wait_until 5 curl -sf "http://$metrics/readyz"
	[ "$in_pods" = no ] || {
		pod_create alpha --vf next --rdma rxe
		pod_create beta --vf next --rdma rxe
		claim alpha
		claim beta
	}
}

# NAME FUNCTION [ARG]: between pods, which takes a kernel on which soft RoCE can go into one.
between_pods() {
	if [ "$in_pods" = yes ]; then run_case "$@"; else say_case skip "$1 # rxe cannot change its netns on this kernel"; fi
}

rdma_mode exclusive
in_pods=no
! rdma_works rxe || in_pods=yes
begin >"$lab_state/begun" 2>&1
between_pods 'bytes and packets of ib_write_bw' with_clock t_bytes
between_pods 'rates of ib_write_bw' with_clock t_rates
between_pods 'a refused open is in the next scrape and the next refresh' t_refused_open
between_pods 'a wrong mark is in the next scrape and the next refresh' t_wrong_mark
between_pods 'a refused open on a terminal' t_on_the_screen
run_case 'a connection of rping' t_rping
cat "$lab_state/figures" 2>/dev/null
warden_unload
rdma link delete "$rxe_a"
rdma link delete "$rxe_b"
delete_pods_except ''
suite_end
