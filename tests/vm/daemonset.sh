# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For scripts in the guest, after cri.sh: a DaemonSet's pod on this node, with what its manifest gives it and no more. kubelet.py
# stands for the kubelet and says which contract it follows; containerd and runc are real.
#
#   ds_start MANIFEST NAME [OPTION of kubelet.py…]   ds_wait SECONDS   ds_stop   ds_is_ready   ds_log CONTAINER   ds_exec CMD…
# shellcheck disable=SC2154 # runtime_dir and others are cri.sh's

ds_dir=$lab_state/daemonset

ds_uid() { sandbox_uid daemonset; }
ds_cgroup() { printf '/kubepods/burstable/pod%s' "$(ds_uid)"; }

# FILE: a request, with what only this node knows.
ds_fields() { sed -e "s|@UID@|$(ds_uid)|g" -e "s|@CGROUP@|$(ds_cgroup)|g" -e "s|@SANDBOX@|$(first_line "$ds_dir/id")|g" "$1"; }

# NUMBER.NAME
ds_create() {
	cri CreateContainer "$(ds_fields "$ds_dir/$1.container")" || return 1
	cri_value container_id >"$ds_dir/$1.id"
	cri StartContainer "container_id: \"$(first_line "$ds_dir/$1.id")\""
}

ds_state() {
	cri ContainerStatus "container_id: \"$(first_line "$ds_dir/$1.id")\""
	sed -nE 's/^ *(state|exit_code): (.*)$/\2/p' "$cri_answer" | tr '\n' ' '
}
ds_ended() { [[ $(ds_state "$1") == CONTAINER_EXITED* ]]; }

# NUMBER.NAME: an init container, which has to end well.
ds_init() {
	ds_create "$1"
	wait_until 300 ds_ended "$1" # a drain takes 90 s after the last call
	[[ $(ds_state "$1") == 'CONTAINER_EXITED ' ]] || { printf '%s: %s\n' "$1" "$(ds_state "$1")"; ds_log "$1"; return 1; }
}

# The last container is the one that stays.
ds_start() {
	local manifest=$1 name=$2 names last
	shift 2
	rm -rf "$ds_dir"
	"$LAB_REPO/tests/vm/kubelet.py" "$manifest" "$name" "$ds_dir" "$@" || return 1
	mkdir -p "$ds_dir/logs" "/sys/fs/cgroup$(ds_cgroup)"
	cri RunPodSandbox "$(ds_fields "$ds_dir/sandbox")" || return 1
	cri_value pod_sandbox_id >"$ds_dir/id"
	mapfile -t names < <(find "$ds_dir" -name '*.container' -printf '%f\n' | sort | sed 's/\.container$//')
	last=${names[-1]}
	for name in "${names[@]}"; do
		if [ "$name" = "$last" ]; then ds_create "$name"; else ds_init "$name"; fi || return 1
	done
	echo "$last" >"$ds_dir/main"
}

ds_main() { first_line "$ds_dir/main"; }

# By its own readiness probe, which a manifest must have.
ds_is_ready() { curl -sf -o /dev/null "$(first_line "$ds_dir/$(ds_main).probe.readinessProbe")"; }

# Waits until it is ready; not for one that has ended.
ds_wait() {
	wait_until "$1" ds_settled
	if ds_is_ready; then return; fi
	ds_log "$(ds_main)"
	return 1
}
ds_settled() { ds_is_ready || ds_ended "$(ds_main)"; }

# What it wrote, from the runtime's log.
ds_log() { sed -E 's/^[^ ]+ (stdout|stderr) [FP] //' "$ds_dir/logs/$1" 2>/dev/null || true; }

ds_stop() {
	[ ! -e "$ds_dir/main" ] || cri StopContainer "container_id: \"$(first_line "$ds_dir/$(ds_main).id")\" timeout: 30"
	[ ! -s "$ds_dir/id" ] || sandbox_end_id "$(first_line "$ds_dir/id")"
	[ ! -d "/sys/fs/cgroup$(ds_cgroup)" ] || rmdir "/sys/fs/cgroup$(ds_cgroup)"
	rm -rf "$ds_dir"
}

ds_exec() { container_exec_id "$(first_line "$ds_dir/$(ds_main).id")" "$@"; }
