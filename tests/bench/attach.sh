#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# In the guest: how long ADD and DEL of the CNI plugin take, one at a time and eight beside each other, as a runtime sees it;
# and beside it, in the same boot, those of sriov-cni and rdma-cni in a chain, where their programs are at hand.
#   attach.sh [ROUNDS]
# A sample is a line in $samples: PLUGIN CASE COMMAND NANOSECONDS.
set -euo pipefail
. "$LAB_REPO/tests/vm/lib.sh"
. "$LAB_REPO/tests/vm/warden.sh"
. "$LAB_REPO/tests/vm/attach.sh"
. "$LAB_REPO/tests/vm/cost.sh"

count=${1:-50}
peers=$LAB_REPO/build/tests/bench/peers # sriov and rdma, as their own projects build them
samples=$LAB_SCRATCH/samples

say() { printf '%6.0f s  %s\n' "$(cut -d ' ' -f 1 /proc/uptime)" "$*" >>"$LAB_SCRATCH/progress"; }

# ---- one call of each plugin ----

warden_call() { cni "$1" "$2" "$(conf "$3" "$4")"; }

# The first plugin's answer is the second one's prevResult; on the way back the second comes first.
peers_call() {
	local cni_out=$cni_out.$2
	case $1 in
	ADD)
		cni_plugin=$peers/sriov type=sriov cni ADD "$2" "$(type=sriov conf "$3" "$4")"
		keep "$2"
		cni_plugin=$peers/rdma type=rdma cni ADD "$2" "$(type=rdma conf '' "$(prev "$2")")"
		;;
	DEL)
		cni_plugin=$peers/rdma type=rdma cni DEL "$2" "$(type=rdma conf '' "$(prev "$2")")"
		cni_plugin=$peers/sriov type=sriov cni DEL "$2" "$(type=sriov conf "$3" "$4")"
		;;
	esac
}

# PLUGIN CASE COMMAND POD VF KEYS
timed() {
	local begin=${EPOCHREALTIME/./}
	"$1_call" "$3" "$4" "$5" "$6" || { echo "bench: $1, $2: $3 of $5 failed" >&2; return 1; }
	printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$(((${EPOCHREALTIME/./} - begin) * 1000))" >>"$samples"
}

one_at_a_time() {
	timed "$1" "$2" ADD p0 "${vfs[0]}" "$3"
	timed "$1" "$2" DEL p0 "${vfs[0]}" "$3"
}

all_at_once() {
	local command n pids
	for command in ADD DEL; do
		pids=()
		for n in "${!vfs[@]}"; do
			(cni_out=$cni_out.$n timed "$1" "$2" "$command" "p$n" "${vfs[n]}" "$3") &
			pids+=($!)
		done
		for n in "${pids[@]}"; do wait "$n"; done
	done
}

# PLUGIN ROUNDS
rounds() {
	local n
	say "$1, $2 rounds"
	for ((n = 0; n < $2; n++)); do
		one_at_a_time "$1" 'no IPAM' '"ipam":{}'
		one_at_a_time "$1" 'host-local' "$local_ipam"
		[ $((n % 5)) != 0 ] || all_at_once "$1" '8 at once' '"ipam":{}'
	done
}

# ---- the table ----

table() {
	awk -F '\t' '
		function quantile(key, q,    i, j, v, n, list) {
			n = count[key]
			for (i = 1; i <= n; i++) list[i] = value[key, i]
			for (i = 2; i <= n; i++) {
				v = list[i]
				for (j = i - 1; j >= 1 && list[j] > v; j--) list[j + 1] = list[j]
				list[j + 1] = v
			}
			return list[int((n - 1) * q + 0.5) + 1] / 1e6
		}
		{ key = $1 FS $2 FS $3; value[key, ++count[key]] = $4; rows[$2 FS $3] }
		END {
			printf "%-12s %-5s %19s %19s %7s\n", "", "", "rdma-warden, ms", "sriov + rdma, ms", "ratio"
			printf "%-12s %-5s %9s %9s %9s %9s %7s\n", "", "", "50 %", "99 %", "50 %", "99 %", "50 %"
			for (row in rows) {
				split(row, r, FS)
				w = "warden" FS row; p = "peers" FS row
				printf "%-12s %-5s %9.1f %9.1f ", r[1], r[2], quantile(w, 0.5), quantile(w, 0.99)
				if (count[p]) printf "%9.1f %9.1f %7.2f\n", quantile(p, 0.5), quantile(p, 0.99), quantile(w, 0.5) / quantile(p, 0.5)
				else printf "%9s %9s %7s\n", "-", "-", "-"
			}
		}' "$samples" | { IFS= read -r head; IFS= read -r head2; printf '%s\n%s\n' "$head" "$head2"; sort; }
}

cost() { # WHAT KEYS
	local command calls messages processes
	for command in ADD DEL; do
		read -r calls messages processes < <(cost_of "$command" p0 "$(conf "${vfs[0]}" "$2")")
		printf '%-12s %-5s %5s system calls, %2s netlink messages, %s processes\n' "$1" "$command" "$calls" "$messages" "$processes"
	done
}

main() {
	local n
	: >"$samples"
	rdma_mode exclusive
	mapfile -t vfs < <(vf_list)
	for n in "${!vfs[@]}"; do
		vf_hcasim "${vfs[n]}" >/dev/null
		# As an operator leaves them. sriov-cni does after its first call, and the warden gives back what it found.
		netdev_down "$(vf_netdev "${vfs[n]}")"
		netns_new "p$n"
	done
	vfs=("${vfs[@]:0:8}")
	# The others without wardend, half of them before it and half after, so that what drifts meets both alike.
	[ ! -x "$peers/sriov" ] || rounds peers $((count / 2))
	warden_start '"mode":"enforce"'
	rounds warden "$count"
	ctl timings >"$lab_state/timings"
	{
		cost 'no IPAM' '"ipam":{}'
		cost 'host-local' "$local_ipam"
	} >"$lab_state/cost"
	warden_unload
	[ ! -x "$peers/sriov" ] || rounds peers $((count - count / 2))
	printf '\nADD and DEL, Linux %s, %s rounds, %s VFs\n\n' "$(uname -r)" "$count" "${#vfs[@]}"
	table
	[ -x "$peers/sriov" ] || echo 'sriov-cni and rdma-cni are not in build/tests/bench/peers: nothing to compare with'
	printf '\nIn wardend, all of these calls:\n'
	cat "$lab_state/timings"
	printf '\nWhat one call costs wardend; a process is the IPAM plugin:\n'
	cat "$lab_state/cost"
}

main
