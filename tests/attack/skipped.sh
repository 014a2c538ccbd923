#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Verdicts that are not spoken: six processes on one CPU open a claimed device without pause, with each mechanism that refuses.
# The kernel skips a tracing program where another task was preempted inside it. Not part of `make check`: with fmod_ret on a
# preemptible kernel (7.3) it fails, and is known to.
set -uo pipefail
# shellcheck source=../vm/lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../vm/warden.sh
. "$LAB_REPO/tests/vm/warden.sh"

t_skipped() {
	local n
	warden_start '"mode":"enforce"' --guard "$mechanism"
	pod_create owner --vf next --rdma hcasim
	claim owner
	for n in 1 2 3 4 5 6; do taskset -c 0 attack flood "$(pod_uverbs owner)" 60000 >"$lab_state/flood$n" & done
	wait
	ctl status --json | grep -o '"name":"[^"]*open_[^}]*'
	cat "$lab_state"/flood?
	expect 'no open came through' test "$(cat "$lab_state"/flood? | grep -c '"opened":0,')" = 6
}

rdma_mode shared
for mechanism in lsm fmod_ret device-cgroup; do
	[ "$mechanism" != lsm ] || grep -qw bpf /sys/kernel/security/lsm || continue
	run_case "$mechanism: no open comes through" t_skipped
done
warden_unload
suite_end
