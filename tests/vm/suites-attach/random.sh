#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Pods come and go at random: ADD, DEL, CHECK and GC, pods that end without a DEL, and deaths at a fault point in between.
# After each of them the node is what a simple model says: every VF, its settings, its RDMA device, claims, journal, leases.
#
#   random.sh [COUNT [SEED]]   60 of them, as one takes about a second in the lab; `make check` does them on three kernels.
#   All of it: tests/vm/run --kernel 6.12 --timeout 3000 tests/vm/suites-attach/random.sh 1000
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../attach.sh
. "$LAB_REPO/tests/vm/attach.sh"

count=${1:-60} seed=${2:-$((${EPOCHREALTIME/./} % 32768))}
faults_dir=$LAB_REPO/build-faults
alone_state=$cni_dir/alone
journal_dir=$alone_state/attach
cni_plugin=alone
readonly pods='p1 p2 p3 p4 p5'

# Stands for the plugin and wardend; it is restarted by each call (tests/tools/attach-alone.c).
alone() { "$faults_dir/attach-alone" "$alone_state"; }
recover() { env -u CNI_COMMAND "$faults_dir/attach-alone" "$alone_state" </dev/null; }

# ---- the model ----

declare -A owner=() # of a VF: the pod that it is attached to
declare -A vf_of=() # the other way round
declare -A lives=() # pods that have a netns
declare -A home=() home_pf=() number=()

keys_of() { printf '"vlan":%s,"mac":"02:11:22:33:44:%s5","mtu":1400,"trust":"on",%s' "$((${1#p} + 10))" "${1#p}" "$local_ipam"; }

attached() { owner[$2]=$1 vf_of[$1]=$2; }
detached() { [ -z "${vf_of[$1]-}" ] || unset "owner[${vf_of[$1]}]" "vf_of[$1]"; }

read_pf_lines() {
	local line
	while read -r line; do
		[[ $line =~ ^vf\ ([0-9]+)\ (.*)$ ]] && pf_lines[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}
	done < <(ip link show dev "$pf")
}

differs() { printf '%s: %s\nand not: %s\n' "$1" "$2" "$3"; return 1; }

# A VF that is nobody's, or of a pod that lives. Of a dead one the kernel brings it home in its own time, unrestored.
check_vf() {
	local vf=$1 pod=${owner[$1]-} state claim
	state=$(vf_state "$vf")
	claim=$(cat "$alone_state/claims/$vf" 2>/dev/null)
	if [ -z "$pod" ]; then
		[ "$state" = "${home[$vf]}" ] || differs 'a free VF' "$state" "${home[$vf]}" || return 1
		[ "${pf_lines[${number[$vf]}]}" = "${home_pf[$vf]}" ] ||
			differs "what is set for $vf" "${pf_lines[${number[$vf]}]}" "${home_pf[$vf]}" || return 1
		[ -z "$claim" ] || differs "the claim on $vf" "$claim" none
		return
	fi
	[ "$claim" = "ml/$pod" ] || differs "the claim on $vf" "$claim" "ml/$pod" || return 1
	[ -n "${lives[$pod]-}" ] || return 0
	[ "$state" = "$vf has no netdev here"$'\n'"$vf *" ] || differs "the VF of $pod" "$state" 'away'
}

check_all() {
	local vf pod expected='' found=''
	local -A pf_lines=()
	read_pf_lines
	for vf in $vfs; do check_vf "$vf" || return 1; done
	for pod in $pods; do [ -z "${vf_of[$pod]-}" ] || expected+=" $pod:net1"; done
	for vf in "$journal_dir"/*; do [ ! -e "$vf" ] || found+=" ${vf##*/}"; done
	[ "$found" = "$expected" ] || differs 'the journal' "$found" "$expected" || return 1
	found=$(find "$lease_dir" -name '10.*' | wc -l)
	[ "$found" = "${#vf_of[@]}" ] || differs 'leases' "$found" "${#vf_of[@]}"
}

# ---- what happens ----

pick() { shift $((RANDOM % $#)); picked=$1; } # one of its arguments

need_netns() {
	[ -n "${lives[$1]-}" ] || netns_new "$1"
	lives[$1]=1
}

# Whether an ADD has to work: not for a VF or a container that a living pod has.
add_works() {
	local of=${owner[$2]-}
	[ -z "${vf_of[$1]-}" ] || [ -n "${was_dead-}" ] || return 1
	[ -z "$of" ] || [ -z "${lives[$of]-}" ]
}

do_add() {
	local pod=$1 vf=$2 was_dead='' of
	[ -z "${vf_of[$pod]-}" ] || [ -n "${lives[$pod]-}" ] || was_dead=1
	need_netns "$pod"
	of=${owner[$vf]-}
	if [ "$of" = "$pod" ] && [ -n "$was_dead" ]; then of=; fi
	if [ -z "$of" ] && { [ -z "${vf_of[$pod]-}" ] || [ -n "$was_dead" ]; } || { [ -n "$of" ] && add_works "$pod" "$vf"; }; then
		cni_add "$pod" "$(conf "$vf" "$(keys_of "$pod")")" || return 1
		detached "$pod"
		[ -z "$of" ] || detached "$of"
		attached "$pod" "$vf"
	else
		expect_fail "ADD of $pod" cni ADD "$pod" "$(conf "$vf" "$(keys_of "$pod")")" >/dev/null || return 1
		# A dead container of that name is brought home first, whatever comes of the rest.
		[ -z "$was_dead" ] || detached "$pod"
	fi
}

do_del() {
	cni DEL "$1" "$(conf "$2" "$(keys_of "$1")")" || return 1
	detached "$1"
}

do_check() {
	[ -n "${vf_of[$1]-}" ] && [ -n "${lives[$1]-}" ] || return 0
	cni CHECK "$1" "$(conf "${vf_of[$1]}" "$(keys_of "$1"),$(prev "$1")")"
}

do_end() {
	[ -n "${lives[$1]-}" ] || return 0
	netns_delete "$1"
	unset "lives[$1]"
}

# All are valid but one.
do_gc() {
	local pod valid=''
	for pod in $pods; do
		[ -z "${vf_of[$pod]-}" ] || [ "$pod" = "$1" ] || valid+=",{\"containerID\":\"$pod\",\"ifname\":\"net1\"}"
	done
	cni GC '' "$(version=1.1.0 conf '' "\"cni.dev/valid-attachments\":[${valid#,}]")" || return 1
	detached "$1"
}

# COMMAND POD VF: it dies somewhere, or has done all before it comes that far; then the runtime gives up and says DEL.
do_crash() {
	local point passes
	mapfile -t points <"$cni_dir/points.$1"
	point=${points[RANDOM % ${#points[@]}]}
	passes=${point##*:}
	said+=" at $point"
	[ "$1" = DEL ] || need_netns "$2"
	WARDEN_FAULT=${point%:*}:KILL:$passes cni "$1" "$2" "$(conf "$3" "$(keys_of "$2")")" >/dev/null
	[ $((RANDOM % 2)) = 0 ] || recover || return 1
	do_del "$2" "$3"
}

happen() {
	local pod vf
	# shellcheck disable=SC2086 # one word for each
	pick $pods; pod=$picked
	# shellcheck disable=SC2086
	pick $vfs; vf=$picked
	case $((RANDOM % 20)) in
	[0-6]) said="ADD $pod $vf"; do_add "$pod" "$vf" ;;
	[7-9] | 10) said="DEL $pod"; do_del "$pod" "${vf_of[$pod]-$vf}" ;;
	1[1-2]) said="CHECK $pod"; do_check "$pod" ;;
	1[3-4]) said="end of $pod"; do_end "$pod" ;;
	15) said="GC without $pod"; do_gc "$pod" ;;
	1[6-8])
		if [ -n "${vf_of[$pod]-}" ]; then
			said="death in DEL $pod"; do_crash DEL "$pod" "${vf_of[$pod]}"
		elif [ -z "${owner[$vf]-}" ]; then
			said="death in ADD $pod $vf"; do_crash ADD "$pod" "$vf"
		fi ;;
	19) said=restart; recover ;;
	esac
}

list_points() {
	netns_new p1
	for command in ADD DEL; do
		WARDEN_FAULT_TRACE=$cni_dir/trace.$command cni "$command" p1 "$(conf "$1" "$(keys_of p1)")" || return 1
		awk '{ print $0 ":" ++pass[$0] }' "$cni_dir/trace.$command" >"$cni_dir/points.$command"
	done
	netns_delete p1
}

t_random() {
	local n vf pod said='' picked points
	local -A pf_lines=()
	RANDOM=$seed
	list_points "$(vf_list | head -n 1)"
	node_is_as_before
	read_pf_lines
	for vf in $vfs; do
		home[$vf]=$(vf_state "$vf") home_pf[$vf]=${pf_lines[${number[$vf]}]}
	done
	for ((n = 1; n <= count; n++)); do
		said='nothing'
		if ! happen || ! check_all; then
			echo "number $n with seed $seed: $said"
			return 1
		fi
		printf '%s %s\n' "$n" "$said" >>"$cni_dir/happened"
	done
	for pod in $pods; do do_end "$pod"; done
	for pod in $pods; do do_del "$pod" "$vf"; done
	node_is_as_before
	echo "$(grep -c ADD "$cni_dir/happened") ADD, $(grep -c DEL "$cni_dir/happened") DEL, $(grep -c death "$cni_dir/happened") deaths" >&3
}

[ -x "$faults_dir/attach-alone" ] || { echo 'not ok - there is no build-faults (make FAULTS=1)'; exit 1; }
exec 3>&1
rdma_mode exclusive
pf=${LAB_PFS%% *}
vfs=
for link in "/sys/bus/pci/devices/$pf/"virtfn*; do
	name=$(basename "$(readlink "$link")")
	vfs+=" $name" number[$name]=${link##*virtfn}
	vf_hcasim "$name" >/dev/null
done
pf=$(ls "/sys/bus/pci/devices/$pf/net")
pf_netdevs=$pf
wait_until 30 pf_knows_macs || true
node_state >"$cni_dir/before"
echo "seed $seed"
run_case "$count things happen at random, seed $seed" t_random
suite_end
