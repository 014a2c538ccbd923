#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Calls that the kernel does not give to the guard: six processes on one CPU open a claimed device without pause. On a
# preemptible kernel a tracing program is skipped where another task was preempted inside it; whoever comes past the guard so
# is killed by the last judge of the open. Without the BPF LSM, so that the guard is made of tracing programs.
set -uo pipefail
# shellcheck source=../vm/lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../vm/warden.sh
. "$LAB_REPO/tests/vm/warden.sh"

opens=20000

# Waits for each of the floods: how many were killed, and how many came through.
flood_ends() {
	local pid status
	killed=0 through=0
	for pid in "$@"; do
		status=0
		wait "$pid" || status=$?
		case $status in
		0) grep -q '"opened":0,' "$lab_state/flood$pid" || through=$((through + 1)) ;;
		137) killed=$((killed + 1)) ;;
		*) echo "a flood ended with status $status"; return 1 ;;
		esac
	done
}

# "killed" as far as the kernel skipped the guard's program: where it says 0, none.
t_skipped() {
	local skipped pids=() killed through
	warden_start '"mode":"enforce"' --guard "$mechanism"
	pod_create owner --vf next --rdma hcasim
	claim owner
	for _ in 1 2 3 4 5 6; do
		# shellcheck disable=SC2016 # the inner shell's
		taskset -c 0 bash -c 'exec attack flood "$1" "$2" >"$3$$"' - "$(pod_uverbs owner)" "$opens" "$lab_state/flood" &
		pids+=($!)
	done
	flood_ends "${pids[@]}"
	skipped=$(ctl status --json | jq '[.programs[] | select(.name | startswith("guard.open")) | .skipped] | add // 0')
	echo "$killed killed, $through came through, $skipped calls skipped"
	expect 'nobody came through' test "$through" = 0
	if [ "$skipped" = 0 ]; then
		expect 'nobody was killed whom the guard could refuse' test "$killed" = 0
	else
		expect 'who came past the guard was killed' test "$killed" -gt 0
		event rule=exclusive.open verdict=killed comm=attack
	fi
}

rdma_mode shared
for mechanism in fmod_ret device-cgroup; do
	run_case "$mechanism: no open comes through a flood" t_skipped
done
warden_unload
suite_end
