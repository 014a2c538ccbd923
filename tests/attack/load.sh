#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Under load: an owner at work is never refused while others attack, and wardend stays small, quick and exact in a flood of
# refused opens.
#   load.sh [OPENS [ROUNDS]]    of the flood (1,000,000), and of the owner (10,000 times open, GET_CONTEXT, QUERY_PORT, close)
set -uo pipefail
# shellcheck source=../vm/lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../vm/warden.sh
. "$LAB_REPO/tests/vm/warden.sh"

opens=${1:-1000000} rounds=${2:-10000}
answer_ms=2000 # of `wardenctl status`, without KVM and beside a flood
max_kib=16384 growth_kib=4096
figures=$LAB_SCRATCH/load.txt

node() { pod_uverbs owner; }
number() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" <<<"$2"; }

# Floods from elsewhere, until they are told to end; each says how often it was refused.
intruders_begin() {
	attack flood "$(node)" 0 >"$lab_state/intruder-host" &
	host_intruder=$!
	pod_exec other attack flood "$(node)" 0 >"$lab_state/intruder-pod" &
	wait_until 10 grep -q . "$(pod_cgroup other)/cgroup.procs"
}

intruders_end() {
	xargs kill "$host_intruder" <"$(pod_cgroup other)/cgroup.procs"
	wait
}

t_owner_works() {
	local work intruder
	intruders_begin
	work=$(pod_exec owner attack work "$(node)" "$rounds") || true
	intruders_end
	printf 'owner: %s, beside %s\n' "$work" "$(cat "$lab_state"/intruder-* | tr '\n' ' ')" | tee -a "$figures"
	expect_match "\"rounds\":$rounds,\"refused\":0,\"failed\":0" "$work"
	for intruder in "$lab_state"/intruder-*; do
		expect 'the intruders came through never' test "$(number opened "$(cat "$intruder")")" = 0
		expect 'the intruders were there' test "$(number refused "$(cat "$intruder")")" -gt "$((rounds / 100))"
	done
}

# The ring of events is memory once, but libbpf maps it twice, end to end behind a page of its own, so that an event that wraps around
# is whole in one place; VmRSS counts a page once for each place where it is mapped. This is what was counted again, in KiB.
counted_twice_kib() {
	local ring
	ring=$(bpftool -j map show | jq -e 'map(select(.type == "ringbuf" and .name == "events"))[0].max_entries / 1024') || return
	awk -v ring="$ring" '
		/^[0-9a-f]+-[0-9a-f]+ / { of_map = / anon_inode:bpf-map$/ }
		$1 == "Size:" { of_ring = of_map && $2 == 4 + 2 * ring }
		$1 == "Rss:" && of_ring && $2 > ring { twice = $2 - ring < ring ? $2 - ring : ring }
		END { print twice + 0 }' "/proc/$(cat "$warden_dir/pid")/smaps"
}

vmrss_kib() { sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$(cat "$warden_dir/pid")/status"; }

# Sets slowest and most (VmRSS) as long as the process lives.
watch_wardend() {
	local begin took now
	slowest=0 most=0
	while kill -0 "$1" 2>/dev/null; do
		begin=${EPOCHREALTIME/./}
		ctl status >/dev/null
		took=$(((${EPOCHREALTIME/./} - begin) / 1000)) now=$(vmrss_kib)
		[ "$took" -le "$slowest" ] || slowest=$took
		[ "$now" -le "$most" ] || most=$now
		pause 0.2
	done
}

lost() { number lost.events "$(ctl status --json)"; }

# PID: how many refusals of that process the events tell of. A trailing count is told a moment later.
told() {
	awk -v pid="\"pid\":$1," 'index($0, pid) { n++; if (match($0, /"merged":[0-9]+/)) n += substr($0, RSTART + 9, RLENGTH - 9) }
		END { print n + 0 }' "$warden_events"
}
all_told() { [ "$(($(told "$1") + $(lost) - lost_before))" = "$opens" ]; }

t_flood() {
	local before flood pid lines twice
	forget_events
	lost_before=$(lost) before=$(vmrss_kib) twice=$(counted_twice_kib)
	attack flood "$(node)" "$opens" >"$lab_state/flood" &
	pid=$!
	watch_wardend "$pid"
	wait "$pid"
	flood=$(cat "$lab_state/flood")
	lines=$(wc -l <"$warden_events")
	printf 'flood: %s; status within %s ms; %s events, %s lost\n' "$flood" "$slowest" "$lines" "$(($(lost) - lost_before))" |
		tee -a "$figures"
	printf 'resident: %s KiB before, %s at most; VmRSS %s and %s, of which %s is the ring again\n' $((before - twice)) \
		$((most - twice)) "$before" "$most" "$twice" | tee -a "$figures"
	expect_match "\"opened\":0,\"refused\":$opens,\"failed\":0" "$flood"
	expect 'it answers in time' test "$slowest" -le "$answer_ms"
	expect 'it stays small' test $((most - twice)) -le "$max_kib"
	expect 'it does not grow' test "$((most - before))" -le "$growth_kib"
	wait_until 10 all_told "$pid"
}

rdma_mode shared
pod_create owner --vf next --rdma hcasim
pod_create other --vf next --rdma hcasim
warden_start '"mode":"enforce"' || { say_case 'not ok' 'wardend starts'; exit 1; }
claim owner >/dev/null
claim other >/dev/null
run_case "$rounds rounds of the owner beside intruders: none is refused" t_owner_works
run_case "a flood of $opens refused opens: each is counted, and wardend answers" t_flood
warden_unload
cat "$figures"
suite_end
