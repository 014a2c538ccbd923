# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For scripts in the guest, after lib.sh and warden.sh: the plugin, called as a runtime calls it, pods that are nothing but a
# netns, and what a node has to look like when all of them are gone.
#
#   netns_new POD…   netns_delete POD…   node_note   node_is_as_before   run_attach NAME FUNCTION   run_pods NAME FUNCTION
#   attach_begin JSON   attach_cases [FUNCTION…]
#   conf VF [KEYS]   cni COMMAND POD CONFIG   cni_error CODE REGEX COMMAND POD CONFIG   told [jq FILTER]
#   attached POD [STEP]   is_unclaimed VF   leases   in_pod POD CMD…   rdma_in POD VF
# shellcheck disable=SC2154 # lab_state and warden_dir are lib.sh's and warden.sh's

cni_dir=$lab_state/cni
cni_out=$cni_dir/out
cni_plugin=rdma-warden
journal_dir=$warden_dir/state/attach
lease_dir=$cni_dir/leases
rm -rf "$cni_dir" # of a suite before
mkdir -p "$lease_dir"
export RDMA_WARDEN_SOCKET=$warden_socket

# shellcheck disable=SC2034 # for the suites
local_ipam='"ipam":{"type":"host-local","dataDir":"'$lease_dir'","ranges":[[{"subnet":"10.88.0.0/24","gateway":"10.88.0.1"}]],"routes":[{"dst":"10.99.0.0/16"}]}'

# ---- the plugin ----

# What a call is made of beside its arguments; a case sets others with local.
version=1.0.0 type=rdma-warden ifname=net1 network=under cni_path=/usr/lib/cni

# VF [KEYS]: the configuration, with an empty VF without a device.
conf() {
	printf '{"cniVersion":"%s","name":"%s","type":"%s"%s%s}' "$version" "$network" "$type" \
		"${1:+,\"deviceID\":\"$1\"}" "${2:+,$2}"
}

# COMMAND POD CONFIG: prints nothing; what the plugin printed is in $cni_out. The pod's netns is netns_path, where a case
# has set that (empty, too).
cni() {
	CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=${netns_path-/run/netns/$2} CNI_IFNAME=$ifname CNI_PATH=$cni_path \
		CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=ml;K8S_POD_NAME=$2;K8S_POD_UID=uid-$2" "$cni_plugin" <<<"$3" >"$cni_out" || {
		printf '%s of %s: status %s: ' "$1" "$2" $?
		cat "$cni_out"
		return 1
	}
}

# With what ADD answered, as a runtime has kept it.
keep() { cp "$cni_out" "$cni_dir/result.$1"; }
prev() { printf '"prevResult":%s' "$(<"$cni_dir/result.$1")"; }
cni_add() {
	cni ADD "$@" && keep "$1"
}

# CODE REGEX COMMAND POD CONFIG: refused, with that code of the specification and a message that says why, and nothing else.
cni_error() {
	local code=$1 regex=$2
	shift 2
	expect_fail "$1 of $2" cni "$@" >"$cni_dir/refused" || { cat "$cni_dir/refused"; return 1; }
	expect_match "\"code\":$code,.*$regex" "$(<"$cni_out")"
	expect 'one line' test "$(wc -l <"$cni_out")" = 1
	told '(.cniVersion | type) == "string" and (.code | type) == "number" and (.msg | length) > 0'
}

# FILTER: holds of what was printed.
told() { jq -e "$1" <"$cni_out" >/dev/null || { printf 'not so: %s of\n%s\n' "$1" "$(<"$cni_out")"; return 1; }; }

# POD [STEP]: how far it has come, by what wardend says; without STEP: it is not there.
attached() {
	local found
	found=$(ctl attachments --json | jq -r --arg pod "$1" 'select(.container_id == $pod) | .step')
	[ "$found" = "${2-}" ] || { printf 'the attachment of %s is at "%s", expected "%s"\n' "$1" "$found" "${2-}"; return 1; }
}

# VF: its RDMA device is there, and nobody's.
is_unclaimed() { expect_match '"owner":""' "$(ctl devices --json | grep -F "\"pci\":\"$1\"")"; }

# How many addresses host-local has given.
leases() { find "$lease_dir" -name '1*.*' | wc -l; }

# ---- pods ----

# With an ID for their netns, which the kernel takes back when the netns really is no more.
netns_new() {
	local pod
	for pod; do
		ip netns add "$pod"
		ip netns set "$pod" auto
	done
}

netns_delete() {
	local pod
	for pod; do ip netns delete "$pod"; done
}

# POD VF: a netns with the VF and no addresses; and without both again.
pod_add() { netns_new "$1" && cni_add "$1" "$(conf "$2" '"ipam":{}')"; }
pod_del() { cni DEL "$1" "$(conf "$2" '"ipam":{}')" && netns_delete "$1"; }

# POD CMD…: in its netns, and in a cgroup where the kubelet would have it.
in_pod() {
	local pod=$1
	shift
	(
		echo "$BASHPID" >"$attach_cgroup/cgroup.procs"
		exec ip netns exec "$pod" "$@"
	)
}

# POD VF: the name of its RDMA device there.
rdma_in() { ip netns exec "$1" ls "/sys/bus/pci/devices/$2/infiniband"; }

netns_left() {
	local path
	for path in /run/netns/p*; do [ ! -e "$path" ] || printf '%s ' "${path##*/}"; done
}

# NAME FUNCTION: a case; what one that failed has left of its pods does not make the next.
run_pods() {
	local pod
	run_case "$1" "$2"
	for pod in $(netns_left); do ip netns delete "$pod"; done
}

no_netns_lives() { [ -z "$(ip netns list-id)" ]; }

# ---- the node ----

# FILE: its first line, without a fork.
line_of() { read -r line <"$1" || line="?"; }

vf_state() {
	local dir name line state="$1"
	for dir in "/sys/bus/pci/devices/$1/net/"*; do
		[ -e "$dir" ] || { printf '%s has no netdev here\n' "$1"; continue; }
		state+=" ${dir##*/}"
		for name in address mtu flags; do
			line_of "$dir/$name"
			state+=" $line"
		done
	done
	for dir in "/sys/bus/pci/devices/$1/infiniband/"*; do state+=" ${dir##*/}"; done
	printf '%s\n' "$state"
}

# All that an attachment touches.
node_state() {
	local vf pf path
	for vf in $vfs; do vf_state "$vf"; done
	for pf in $pf_netdevs; do ip link show dev "$pf" | grep -E '^ +(vf|altname)'; done
	for path in "$cni_dir"/alone/claims/*; do [ ! -e "$path" ] || printf 'claimed: %s\n' "$path"; done
	[ ! -e "$warden_dir/pid" ] || ctl devices | sort || echo 'wardend does not answer'
	for path in "$journal_dir"/* "$lease_dir"/*/[0-9]*; do [ ! -e "$path" ] || printf 'left: %s\n' "$path"; done
}

# At boot a VF asks its PF for a MAC when the link is there; until then the PF has none for it, and later one.
pf_knows_macs() {
	local pf
	for pf in $pf_netdevs; do [[ $(ip link show dev "$pf") != *vf*00:00:00:00:00:00* ]] || return 1; done
}

# Before the first case.
node_note() {
	local pf
	vfs=$(vf_list) pf_netdevs=
	for pf in $LAB_PFS; do pf_netdevs+=" $(ls "/sys/bus/pci/devices/$pf/net")"; done
	wait_until 30 pf_knows_macs || true # as some driver may have it for good
	node_state >"$cni_dir/before"
}

node_looks_the_same() {
	node_state >"$cni_dir/now"
	cmp -s "$cni_dir/before" "$cni_dir/now"
}

# What the kernel does in the background (a netns that ends) is waited for.
node_is_as_before() {
	wait_until 20 no_netns_lives || { ip netns list-id; return 1; }
	node_looks_the_same && return
	wait_until 5 node_looks_the_same || { diff "$cni_dir/before" "$cni_dir/now"; return 1; }
}

attach_case() {
	local pods
	"$attach_function"
	pods=$(netns_left)
	# shellcheck disable=SC2086 # one word for each
	[ -z "$pods" ] || netns_delete $pods
	node_is_as_before
}

# The process in a pod that a case has started.
attach_wake() {
	[ ! -e "$cni_dir/sleeper" ] || kill "$(<"$cni_dir/sleeper")" || true
	rm -f "$cni_dir/sleeper" "$cni_dir/open"
}

# After a case that failed, so that it does not make the next.
attach_tidy() {
	local pod
	attach_wake
	! mountpoint -q "$journal_dir" || mount -o remount,rw,size=1m "$journal_dir"
	for pod in $(netns_left); do ip netns delete "$pod"; done
	[ -z "$(ls "$journal_dir")" ] ||
		cni GC '' "$(version=1.1.0 conf '' '"cni.dev/valid-attachments":[]')" || true
	! mountpoint -q "$journal_dir" || umount "$journal_dir"
	rm -rf "${lease_dir:?}"/*/[0-9]*
}

# NAME FUNCTION: a case; afterwards the node is as it was before.
run_attach() {
	attach_function=$2
	run_case "$1" attach_case
	[ "$(tail -n 1 "$lab_cases")" = ok ] || attach_tidy
}

# JSON: the configuration of a wardend that is started. Each VF has an RDMA device.
attach_begin() {
	local one
	warden_config=$1,'"discover":"all"'
	attach_cgroup=/sys/fs/cgroup/kubepods.slice/attach
	mkdir -p "$attach_cgroup"
	rm -rf "$journal_dir" # of a suite before that failed
	rdma_mode exclusive
	for one in $(vf_list); do vf_hcasim "$one" >/dev/null; done
	# shellcheck disable=SC2034 # for the suites
	{ read -r vf && read -r vf2 && read -r vf3; } < <(vf_list)
	warden_start "$warden_config" || exit 1
	node_note
}

# [FUNCTION…]: the cases that standard input names, a line for each: name, with _ for blanks, and function. All, or those.
attach_cases() {
	local name function
	while read -r name function; do
		[ $# -gt 0 ] && [[ " $* " != *" $function "* ]] && continue
		run_attach "${name//_/ }" "$function"
	done
	warden_unload
	rmdir "$attach_cgroup"
	suite_end
}
