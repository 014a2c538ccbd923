# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For the suites of tests/vm/suites-track, after lib.sh, warden.sh and kube.sh: what wardend says of pods and devices, asked for by
# one connection.
#
#   run_track NAME FUNCTION   track_cases [FUNCTION…]
#   device_line VF   device_has VF REGEX   is_of VF POD SOURCE   is_named VF POD   is_nobodys VF   is_home VF   claimed_for VF POD SOURCE   status_has REGEX
#   within_a_second WHAT CMD…   guarded VF POD OTHER
#   track_warden KEYS   checks   failing
# shellcheck disable=SC2154 # those of lib.sh, warden.sh and kube.sh

# shellcheck disable=SC2034 # for the suites
kube_resource=lab.example/roce

# ---- cases ----

# The one function of a suite that is called after each case, which failed or not: what it left does not make the next.
track_case() {
	forget_events
	"$track_function"
}

# NAME FUNCTION
run_track() {
	track_function=$2
	run_case "$1" track_case
	ask_end
	track_tidy || echo "    what the case left cannot be taken away"
}

# From standard input, a line each: name, with _ for blanks, and function. All of them, or those that are named.
track_cases() {
	local name function
	while read -r name function; do
		[ $# -gt 0 ] && [[ " $* " != *" $function "* ]] && continue
		run_track "${name//_/ }" "$function"
	done
}

# VFs that are still in a pod come home with its netns, their RDMA devices with them.
track_tidy() {
	kube_gc || true
	kube_tidy
	wait_until 20 all_home && wait_until 20 all_unclaimed
	ask_end
}
all_home() {
	local vf
	for vf in $(vf_list); do [ -n "$(vf_netdev "$vf")" ] && [ -n "$(vf_rdma "$vf")" ] || return 1; done
}
all_unclaimed() {
	local line
	ask devices || return 1
	for line in "${answer[@]}"; do [[ $line == *'"owner":""'* ]] || return 1; done
}

# KEYS: a wardend that asks whom they say, as those of kube_keys.
track_warden() { warden_start "\"mode\":\"enforce\",\"discover\":\"all\",$1"; }

# ---- devices ----

device_line() {
	local line
	ask devices || return 1
	for line in "${answer[@]}"; do
		[[ $line != *"\"pci\":\"$1\""* ]] || { device=$line; return 0; }
	done
	return 1
}

# VF REGEX
device_has() { device_line "$1" && [[ $device =~ $2 ]]; }

# VF POD SOURCE: by what the sources say, the device is of that pod. The kubelet's socket tells no UID: where it is the only one that
# knows the pod's name, none is known.
is_of() {
	local uid
	uid=$(kube_get "$2" uid)
	[ "$3" != kubelet ] || [ -e "$kube_dir/api/pods/$2.json" ] || uid=
	device_has "$1" "\"pod\":\{\"namespace\":\"ml\",\"name\":\"$(kube_get "$2" name)\",\"uid\":\"$uid\",[^}]*\"source\":\"$3\"\}"
}

# VF POD: whoever says so.
is_named() { device_has "$1" "\"pod\":\{\"namespace\":\"ml\",\"name\":\"$(kube_get "$2" name)\",\"uid\":\"$(kube_get "$2" uid)\""; }
is_nobodys() { device_has "$1" '"pod":null'; }

# VF POD SOURCE: the claim, by which it is guarded.
claimed_for() { device_has "$1" "\"owner\":\"ml/$(kube_get "$2" name)\",\"claim_source\":\"$3\""; }

# To whom the kubelet has given it is another matter: it takes that back when the pod has ended.
is_home() { device_has "$1" '"owner":"","claim_source":""' && [ -n "$(vf_netdev "$1")" ] && [ -n "$(vf_rdma "$1")" ]; }

# WHAT CMD…: holds within a second from now. How long it took is printed with the suite's other lines.
within_a_second() {
	local what=$1 begin=${EPOCHREALTIME/./} took
	shift
	until "$@"; do
		[ $((${EPOCHREALTIME/./} - begin)) -lt 15000000 ] || break
	done
	took=$(((${EPOCHREALTIME/./} - begin) / 1000))
	printf '    %4s ms: %s\n' "$took" "$what" >>"$kube_dir/figures"
	[ "$took" -le 1000 ] || { printf '%s: %s ms\nthe device: %s\n' "$what" "$took" "${device-}"; return 1; }
}

# VF POD OTHER: its own processes open it; those of another pod, and the host, do not.
guarded() {
	local node
	node=$(vf_node "$1" uverbs)
	kube_exec "$2" uverbs open "$node" >/dev/null
	refused uverbs open "$node"
	event rule=exclusive.open verdict=denied "pci=$1" "owner=ml/$(kube_get "$2" name)"
	refused kube_exec "$3" uverbs open "$node"
	if [ -e "$kube_dir/api/pods/$3.json" ]; then
		event rule=exclusive.open verdict=denied "pci=$1" "pod=ml/$(kube_get "$3" name)"
	else # whose name nobody has told
		event rule=exclusive.open verdict=denied "pci=$1" "pod=pod-uid/$(kube_get "$3" uid)"
	fi
}

# ---- wardend ----

status_has() { ask status && [[ ${answer[0]} =~ $1 ]]; }

# NAME STATE: of a source.
source_is() { status_has "\"name\":\"$1\",\"state\":\"$2\""; }

# `verify`, whose lines are in $kube_dir/checks; its status.
checks() { ctl verify --json >"$kube_dir/checks"; }

# The checks that fail, a line each: id, owner and subject.
failing() { jq -r 'select(.result == "fail") | "\(.id) \(.owner) \(.subject)"' "$kube_dir/checks"; }
