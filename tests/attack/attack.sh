#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The attack suite: each vector of tests/attack in each role, in both netns modes, without wardend and with each mechanism of the
# guard. Prints a matrix, and leaves it as attack.md and attack.json in $LAB_SCRATCH.
#   attack.sh [PREFIX]    only vectors whose name begins so
# The devices are hcasim's, whose ownership is as hardware has it on every kernel.
set -uo pipefail
# shellcheck source=../vm/lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../vm/warden.sh
. "$LAB_REPO/tests/vm/warden.sh"

: "${ATTACK_MECHANISMS:=lsm fmod_ret device-cgroup kill}"
# The mode is for a look at what the suite says of a guard that does not refuse.
: "${ATTACK_MODE:=enforce}"
only=${1-}
here=$LAB_REPO/tests/attack
work=$lab_state/attack
gate=$work/gate
mkdir -p "$work"
mkfifo "$gate"

# ---- the scene: a pod with two devices, one with one, one without, and a device of nobody's ----

scene_begin() {
	rdma_mode "$mode" || return 1
	insmod "$LAB_MODULES/hcasim.ko" 2>/dev/null || true
	echo Y >/sys/kernel/debug/hcasim/issm # RoCE devices of today's kernels have none
	pod_create owner --vf next --rdma hcasim
	pod_create other --vf next --rdma hcasim
	pod_create idle
	free=$(vf_list | tail -n 1)
	vf_hcasim "$free"
	second=$(free_vf)
	second_device=$(vf_hcasim "$second")
	if [ "$mode" = exclusive ]; then rdma dev set "$second_device" netns owner; fi
}

scene_end() {
	local vf
	for vf in "$free" "$second"; do echo "$vf" >/sys/kernel/debug/hcasim/remove; done
	delete_pods_except ''
	echo N >/sys/kernel/debug/hcasim/issm
}

start_and_claim() {
	warden_start "\"mode\":\"$ATTACK_MODE\"" --guard "$mechanism" || return 1
	forget_events
	claim owner
	claim other
	ctl claim --device "$second" --netns owner --cgroup "$(pod_cgroup owner)" --owner test/owner
}

place() { printf '%s:/run/netns/%s\n' "$(pod_cgroup "$1")" "$1"; }

# An option with the node of the owner's device of that kind, or nothing.
other_node() {
	local node
	if node=$(vf_node "$(pod_vf owner)" "$1"); then printf -- '--%s %s\n' "$1" "$node"; fi
}

device_index() { in_netns "$([ "$mode" = shared ] || echo owner)" rdma dev show "$(pod_rdma owner)" | cut -d : -f 1; }

attack_all() {
	# shellcheck disable=SC2046 # options, or none
	timeout 120 attack --node "$(pod_uverbs owner)" --second "$(vf_node "$second" uverbs)" --free "$(vf_node "$free" uverbs)" --cm /dev/infiniband/rdma_cm \
		$(other_node umad) $(other_node issm) \
		--device "$(pod_rdma owner)" --index "$(device_index)" $([ "$mode" = shared ] || echo --exclusive) \
		--owner "$(place owner)" --other "$(place other)" --idle "$(place idle)" \
		${only:+--only "$only"} --gate "$gate"
}

# CMD…: the table, with CMD run when the early descriptors are open.
with_gate() {
	local attacker status=0
	attack_all >"$work/runs" &
	attacker=$!
	exec 8>"$gate"
	"$@" >"$work/claims" 2>&1 8>&- || status=1 # a wardend that it starts must not hold the gate
	exec 8>&-
	wait "$attacker" || status=1
	[ "$status" = 0 ] || { cat "$work/claims"; tail -n 3 "$work/runs"; }
	return "$status"
}

# ---- mechanisms ----

# Whether this wardend and this kernel have it.
mechanism_exists() {
	grep -qwe "$1" <<<"$(wardend --help 2>&1)" || return 1
	[ "$1" != lsm ] || grep -qw bpf /sys/kernel/security/lsm
}

run_bare() {
	with_gate true || { say_case 'not ok' "$mode: the table runs on the bare kernel"; return 1; }
	cp "$work/runs" "$work/bare-$mode"
}

run_mechanism() {
	with_gate start_and_claim || { say_case 'not ok' "$mode, $mechanism: the table runs"; return 1; }
	ctl events >/dev/null # the ring is empty then
	ctl capabilities --json >"$work/capabilities"
	skipped=$(ctl status --json | jq '[.programs[].skipped] | add')
	jq -c --slurpfile events "$warden_events" --slurpfile bare "$work/bare-$mode" --slurpfile capabilities "$work/capabilities" \
		--arg mode "$mode" --arg mechanism "$mechanism" --argjson skipped "$skipped" -f "$here/judge.jq" "$work/runs" >"$work/verdicts"
	cat "$work/verdicts" >>"$work/all"
	say_verdicts
	if [ -n "$first" ]; then run_case "$mode, $mechanism: an identity is used again" t_recycled; fi
	first=
	warden_unload
}

# A case is a vector in all its roles, with its control.
say_verdicts() {
	local result name detail
	while IFS=$'\t' read -r result name detail; do
		say_case "$result" "$name"
		[ -z "$detail" ] || printf '    %b\n' "$detail"
	done < <(jq -rs -f "$here/cases.jq" "$work/verdicts")
}

# Refused or, where the mechanism cannot refuse, killed.
turned_away() {
	local status=0
	"$@" || status=$?
	[ "$status" = 3 ] || [ "$status" = 137 ]
}

# The pod is gone, and another one has its name, VF, cgroup path, node and maybe its netns inode and dev_t.
t_recycled() {
	local vf node
	vf=$(pod_vf other) node=$(pod_uverbs other)
	pod_exec other uverbs open "$node"
	pod_delete other
	pod_create other --vf "$vf" --rdma hcasim
	[ "$(pod_uverbs other)" = "$node" ] || echo "the node is another one: $(pod_uverbs other)"
	forget_events
	turned_away pod_exec other uverbs open "$(pod_uverbs other)"
	event rule=exclusive.open "device=$(pod_rdma other)" comm=uverbs owner=
	claim other
	pod_exec other uverbs open "$(pod_uverbs other)"
}

# ---- all ----

for mode in exclusive shared; do
	scene_begin >"$work/scene" 2>&1 || { cat "$work/scene"; say_case 'not ok' "$mode: the scene"; break; }
	run_bare || continue
	first=yes
	for mechanism in $ATTACK_MECHANISMS; do
		if mechanism_exists "$mechanism"; then run_mechanism; fi
	done
	scene_end
done

{
	printf '# Attacks on Linux %s\n\n' "$(uname -r)"
	jq -rs -f "$here/matrix.jq" "$work/all"
} >"$LAB_SCRATCH/attack.md"
jq -s . "$work/all" >"$LAB_SCRATCH/attack.json"
cat "$LAB_SCRATCH/attack.md"
suite_end
