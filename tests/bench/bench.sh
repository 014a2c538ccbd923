#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# In the guest: what the warden costs, by rounds that alternate between no program, empty programs and the warden's.
#   bench.sh [ROUNDS]        prints the table; fails only when it could not measure
#   bench.sh sample ARM      one sample of each figure (what `arms` runs)
#   bench.sh traffic ARM
# A sample is a line in $samples: MECHANISM ROUND ARM WHAT VALUE.
set -euo pipefail
. "$LAB_REPO/tests/vm/lib.sh"
. "$LAB_REPO/tests/vm/warden.sh"

export PATH=$LAB_REPO/build/tests/bench:$PATH
samples=$LAB_SCRATCH/samples
programs=/sys/fs/bpf/bench
regular=/etc/passwd
message=4096 # bytes of ib_write_bw, the path MTU of RoCE at its largest

# ---- one sample; $mechanism and $round come by the environment ----

note() { printf '%s\t%s\t%s\t%s\t%s\n' "$mechanism" "$round" "$arm" "$1" "$2" >>"$samples"; }

sample() {
	arm=$1
	note open-regular "$(loop open "$regular")"
	note open-null "$(loop open /dev/null)"
	note ioctl-query "$(pod_exec bench-a loop query "$(pod_uverbs bench-a)")"
	note ioctl-modify "$(pod_exec bench-a loop modify "$(pod_uverbs bench-a)")"
}

# TOOL ARG…: the packets a second that the client's device sends, by the clock of this script. perftest's own clock is the
# TSC with a rate that it measures at its start, and under emulation that goes wrong by factors or fails altogether.
write_test() {
	local tool=$1 server client begin
	shift
	pod_exec bench-a timeout 60 "$tool" -d "$(pod_rdma bench-a)" --tclass 160 -D 5 -f 1 "$@" >/dev/null 2>&1 &
	server=$!
	wait_until 20 listens 18515
	begin=$(sent_packets)
	pod_exec bench-b timeout 60 "$tool" -d "$(pod_rdma bench-b)" --tclass 160 -D 5 -f 1 "$@" "$(pod_ip bench-a)" >/dev/null 2>&1 &
	client=$!
	wait_until 20 sent_more_than $((begin + 100))
	packets_a_second 3
	wait "$client" "$server" || true # a report that it cannot make is no matter
}
listens() { ss -Hltn "sport = :$1" | grep -q .; }
sent_packets() { cat "/sys/class/infiniband/$(pod_rdma bench-b)/ports/1/hw_counters/sent_pkts"; }
sent_more_than() { [ "$(sent_packets)" -gt "$1" ]; }

packets_a_second() {
	local packets time
	packets=$(sent_packets) time=${EPOCHREALTIME/./}
	sleep "$1"
	packets=$(($(sent_packets) - packets)) time=$((${EPOCHREALTIME/./} - time))
	echo $((packets * 1000000 / time))
}

traffic() {
	local value
	arm=$1
	value=$(write_test ib_write_bw -s "$message")
	note write-bw "$value"
	value=$(write_test ib_write_lat -s 2)
	note write-lat "$value"
}

# Where a run is, for whoever waits for it.
say() { printf '%6.0f s  %s\n' "$(cut -d ' ' -f 1 /proc/uptime)" "$*" >>"$LAB_SCRATCH/progress"; }

# ---- the arms ----

# The warden's programs as wardend has loaded them, with its maps and claims, but no links: `arms` makes these.
take_wardens() {
	warden_start '"mode":"enforce","qos":{"profile":"spiderpool","on_violation":"deny"}' --guard "$mechanism"
	claim bench-a
	claim bench-b
	warden_stop
	mkdir -p "$programs/warden" "$programs/all" "$programs/empty"
	say "programs loaded, $mechanism"
	arms take "$warden_pins/links" "$programs/warden"
	bpftool prog loadall "$LAB_REPO/build/tests/bench/empty.bpf.o" "$programs/all"
	mv "$programs/all/"*"_$mechanism" "$programs/empty"
}

drop_wardens() {
	rm -r "$programs"
	warden_unload
}

# That the arms are what they are called: only the warden refuses the host.
check_arms() {
	local arm
	arms run '' uverbs open "$(pod_uverbs bench-a)"
	arms run "$programs/empty" uverbs open "$(pod_uverbs bench-a)"
	! arms run "$programs/warden" uverbs open "$(pod_uverbs bench-a)"
} >/dev/null

# WHAT ROUNDS: the order of the arms turns by one each round, so that what drifts meets each alike.
rounds() {
	local what=$1 count=$2 order=(none empty warden) arm
	for ((round = 1; round <= count; round++)); do
		export round
		for arm in "${order[@]}"; do
			say "$what, $mechanism, round $round, $arm"
			case $arm in
			none) arms run '' "$0" "$what" "$arm" ;;
			*) arms run "$programs/$arm" "$0" "$what" "$arm" ;;
			esac
		done
		order=("${order[@]:1}" "${order[0]}")
	done
}

# ---- BPF run-time statistics: what the kernel itself counts of each program, while one call runs in a loop ----

statistics() {
	local arm
	sysctl -qw kernel.bpf_stats_enabled=1
	for arm in empty warden; do
		for what in open query modify; do arms run "$programs/$arm" "$0" statistics_of "$arm" "$what"; done
	done
	sysctl -qw kernel.bpf_stats_enabled=0
}

program_times() { bpftool prog show --json | jq -r '.[] | [.id, .name, .run_time_ns // 0, .run_cnt // 0] | @tsv'; }

# Of programs that ran in each call.
statistics_of() {
	arm=$1
	program_times >"$lab_state/before"
	case $2 in
	open) loop open "$regular" ;;
	*) pod_exec bench-a loop "$2" "$(pod_uverbs bench-a)" ;;
	esac >/dev/null
	program_times | awk -v what="$2" '
		NR == FNR { time[$1] = $3; runs[$1] = $4; next }
		$4 - runs[$1] >= 20000 { printf "%s:%s\t%.0f\n", what, $2, ($3 - time[$1]) / ($4 - runs[$1]) }
	' "$lab_state/before" - | while read -r name ns; do note "stat:$name" "$ns"; done
}

# ---- all of it ----

make_pods() {
	local vfs
	mapfile -t vfs < <(vf_list)
	# In the host's netns, told apart by cgroup: rxe has traffic between netns on 7.3 only. A VF of each PF.
	pod_create bench-a --host --vf "${vfs[0]}" --rdma rxe
	pod_create bench-b --host --vf "${vfs[-1]}" --rdma rxe
	vf_wire "${vfs[0]}" "${vfs[-1]}"
}

main() {
	local count=${1:-9}
	: >"$samples"
	rdma_mode shared
	make_pods
	export mechanism round=0
	for mechanism in lsm fmod_ret; do
		take_wardens
		check_arms
		rounds sample "$count"
		[ "$mechanism" != lsm ] || rounds traffic "$count"
		statistics
		drop_wardens
	done
	delete_pods_except ''
	verdict >"$lab_state/verdict"
	printf '\nLinux %s, %s rounds\n\n' "$(uname -r)" "$count"
	awk -f "$LAB_REPO/tests/bench/table.awk" "$samples" "$lab_state/verdict" "$LAB_REPO/build/tests/bench/native"
}

case ${1-} in
sample | traffic | statistics_of) "$@" ;;
*) main "$@" ;;
esac
