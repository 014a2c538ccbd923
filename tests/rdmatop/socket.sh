#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rdmatop asks wardend: here a stand-in at the control socket.
. "$(dirname "$0")/lib.sh"

record --samples 60 --seconds 1 >"$work/recording"
socket=$work/warden.sock

# [OPTION…]: a stand-in at $socket.
serve() {
	local end=$((SECONDS + 20))
	rm -f "$socket.requests"
	"$here/standin.py" "$socket" "$work/recording" "$@" 2>"$work/standin" &
	until [ -S "$socket" ]; do
		[ "$SECONDS" -lt "$end" ]
		sleep 0.05
	done
}

stop_serving() {
	local end=$((SECONDS + 20))
	touch "$socket.stop"
	while [ -e "$socket.stop" ]; do
		[ "$SECONDS" -lt "$end" ]
		sleep 0.05
	done
}

asks_once_a_refresh() {
	serve
	"$rdmatop" --socket "$socket" -j -n 3 -d 0.2 --record "$work/copy" >"$work/out"
	stop_serving
	[ "$(wc -l <"$work/out")" = 3 ]
	jq -es 'all(.[].devices[] | select(.device == "mlx5_3"); (.tx_bits | round) == 1000000)' "$work/out"
	[ "$(count '"stats"' "$socket.requests")" = 4 ] # one more for the first rates
	[ "$(count '"qps"' "$socket.requests")" = 0 ]
	[ "$(count '"events"' "$socket.requests")" = 1 ]
	"$rdmatop" --replay "$work/copy" -j >"$work/again"
	cmp "$work/out" "$work/again"
}

shows_queue_pairs() {
	serve
	start 100 40 --socket "$socket" -d 0.3 --group none --sort device
	shows mlx5_13
	keys Enter
	shows '^64 +RC +RTS +900 +192.0.2.9:18515' 'violation +marking.qp'
	grep '"qps","device":"0000:3b:00.1"' "$socket.requests" >/dev/null
	stop_serving
}

outlives_wardend() {
	serve
	start 80 24 --socket "$socket" -d 0.3
	shows mlx5_13 'every 0.3 s'
	stop_serving
	shows 'NO ANSWER' 'trying again; this is what was last told' mlx5_13
	serve
	hides 'NO ANSWER'
	shows mlx5_13
	stop_serving
}

waits_for_wardend() {
	start 80 24 --socket "$socket" -d 0.3
	shows 'NO ANSWER' 'no wardend answers there: trying again' 'waiting for the first sample'
	serve
	shows mlx5_13
	hides 'NO ANSWER'
	stop_serving
}

bad_answers() {
	serve --refuse
	fails "$rdmatop" --socket "$socket" -b -n 1 2>"$work/err"
	grep 'not ?\[31mtoday' "$work/err"
	start 80 24 --socket "$socket" -d 0.3
	shows 'not \?\[31mtoday'
	stop_serving
	serve --garbage
	fails "$rdmatop" --socket "$socket" -b -n 1 2>"$work/err"
	grep 'is no wardend' "$work/err"
	stop_serving
}

# Keys work while nothing comes.
silence() {
	serve --silent
	start 80 24 --socket "$socket" -d 0.3
	shows 'waiting for the first sample'
	keys h
	shows 'keys and columns'
	keys h
	shows 'NO ANSWER' 'wardend does not answer'
	keys q
	shows 'ended with 0'
	stop_serving
}

# Of this machine, whatever it has: no pods, no marking, and that is said.
reads_the_kernel() {
	"$rdmatop" -j -n 1 -d 0.2 >"$work/out"
	jq -e '(.missing | map(test("only wardend knows")) | any) and .nodes[0].daemon == false and .nodes[0].node != ""' "$work/out"
	jq -e 'all(.devices[]; .pod == "" and .marking == "" and .violations == null)' "$work/out"
}

run_case 'one request a refresh, and what was recorded is the same' asks_once_a_refresh
run_case 'queue pairs are asked for where they are shown' shows_queue_pairs
run_case 'wardend goes and comes' outlives_wardend
run_case 'wardend comes later' waits_for_wardend
run_case 'answers that are none' bad_answers
run_case 'an answer that does not come' silence
run_case 'without wardend: the kernel, and what is missing' reads_the_kernel
finish
