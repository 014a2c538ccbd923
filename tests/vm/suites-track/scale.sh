#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# 128 devices in 64 pods, 186 pods without, and others that come and go, 50 a second for a minute: what wardend says is right, and what it
# costs is bounded.
#   tests/vm/run --vfs 7 --functions 114 tests/vm/suites-track/scale.sh [RATE]
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../kube.sh
. "$LAB_REPO/tests/vm/kube.sh"
# shellcheck source=../track.sh
. "$LAB_REPO/tests/vm/track.sh"

owners=64 pods=250 devices=128 rate=${1:-50} parts=6 part_seconds=10 live=20
metrics=127.0.0.1:9779
list=$kube_dir/pods.list # what the churn tool says of those that live: NAMESPACE NAME UID CONTAINER PID NETNS
figures=$kube_dir/figures

say() { printf '    %s\n' "$*" | tee -a "$figures" >/dev/null; }

# ---- pods ----

# COMMAND: its answer's last line is in $churned, lines before it in $list.
churn() {
	local line
	echo "$1" >"$kube_dir/churn.in"
	: >"$list.new"
	while read -r line; do
		case $line in
		pod\ *) printf '%s\n' "${line#pod }" >>"$list.new" ;;
		*) churned=$line; break ;;
		esac
	done <&8
	[ "$1" != list ] || mv "$list.new" "$list"
}

churn_start() {
	mkfifo "$kube_dir"/churn.{in,out}
	setsid churn /bin/busybox sleep 1000000 <>"$kube_dir/churn.in" >"$kube_dir/churn.out" 2>"$kube_dir/churn.log" &
	churn_pid=$!
	disown
	exec 8<"$kube_dir/churn.out"
}

# ---- devices: those of the VFs, and of functions that are none ----

functions() { grep -lx PCI_ID=1B36:0005 /sys/bus/pci/devices/*/uevent | cut -d / -f 6; }

make_devices() {
	local one n=0
	for one in $(vf_list); do vf_hcasim "$one"; done >/dev/null
	for one in $(functions); do
		ip link add "sim$n" type dummy
		echo "$one sim$n" >/sys/kernel/debug/hcasim/add
		n=$((n + 1))
	done
	rdma link | wc -l
}

# To the pods of the list in turn, a VF's with its netdev; the kubelet says so. Leaves $kube_dir/given: PCI-ADDRESS NAME UID.
give_devices() {
	local name uid pid one netdev
	exec 7< <({ vf_list; functions; } | head -n "$devices")
	rm -f "$kube_dir"/{given,{rdma,ip}.batch}
	while read -r _ name uid _ pid _ && read -ru 7 one; do
		printf '%s %s %s\n' "$one" "$name" "$uid" >>"$kube_dir/given"
		printf 'dev set %s netns ../../proc/%s/ns/net\n' "$(ls "/sys/bus/pci/devices/$one/infiniband")" "$pid" >>"$kube_dir/rdma.batch"
		for netdev in "/sys/bus/pci/devices/$one/net/"*; do
			[ ! -e "$netdev" ] || printf 'link set %s netns %s\n' "${netdev##*/}" "$pid" >>"$kube_dir/ip.batch"
		done
	done < <(cat "$list" "$list")
	exec 7<&-
	# shellcheck disable=SC2016 # jq's own
	kubelet_change '.list.pod_resources = $given' --argjson given "$(jq -Rnc --arg resource "$kube_resource" \
		'[inputs | split(" ")] | group_by(.[2]) | map({uid: .[0][2], namespace: "churn", name: .[0][1], containers: [{name: "main", devices: [
		{resource_name: $resource, device_ids: map(.[0]), topology: {nodes: [{ID: 0}]}}]}]})' "$kube_dir/given")"
	ip -batch "$kube_dir/ip.batch"
	mkdir -p /run/netns # from which the way to /proc begins
	rdma -b "$kube_dir/rdma.batch"
}

# The pods that stay, for the API server, in one file each.
tell_api() {
	# shellcheck disable=SC2016 # jq's own
	jq -Rc 'split(" ") | {apiVersion: "v1", kind: "Pod", metadata: {namespace: .[0], name: .[1], uid: .[2]}, spec: {nodeName: "lab"},
		status: {phase: "Running"}}' "$list" | split -l 1 --additional-suffix=.json - "$kube_dir/api/pods/churn."
	api_say sync
}

# ---- what wardend says ----

# Each device that was given away is of its pod, and no other one is of any.
devices_are_right() {
	ask devices
	printf '%s\n' "${answer[@]}" | jq -r 'select(.pod != null) | "\(.pci) \(.pod.name) \(.pod.uid)"' | sort >"$kube_dir/said"
	sort "$kube_dir/given" | cmp -s - "$kube_dir/said"
}

claims_are_right() {
	ask devices
	printf '%s\n' "${answer[@]}" | jq -r 'select(.owner != "") | "\(.pci) \(.owner)"' | sort >"$kube_dir/claimed"
	awk '{ print $1, "churn/" $2 }' "$kube_dir/given" | sort | cmp -s - "$kube_dir/claimed"
}

pods_are_right() { status_has "\"pods\":$(wc -l <"$list")[,}]"; }

is_right() {
	wait_until 60 devices_are_right || { sort "$kube_dir/given" | diff - "$kube_dir/said" | head; return 1; }
	wait_until 60 claims_are_right
	wait_until 60 pods_are_right || { wc -l <"$list"; printf '%s\n' "${answer[0]}"; return 1; }
}

# Clock ticks of CPU time that it has used, of 10 ms each, and that the whole machine has; and KiB that are resident, of them its own.
cpu_of_warden() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$(<"$warden_dir/pid")/stat"; }
cpu_of_all() { awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 }' /proc/stat; }
memory_of_warden() { awk -v what="${1-VmRSS}:" '$1 == what { print $2 }' "/proc/$(<"$warden_dir/pid")/status"; }
# Without Kubernetes it is 16 MiB at most, with the ring counted once (load.sh); libcurl, for the kubelet and the API server, brings pages of files.
memory_is_bounded() {
	expect 'at most 10 MiB of its own' test "$(memory_of_warden RssAnon)" -le 10240
	expect 'at most 32 MiB in all' test "$(memory_of_warden)" -le 32768
}

# ---- cases ----

t_devices() {
	is_right
	say "$(memory_of_warden) KiB resident with $owners pods and $devices devices, $(memory_of_warden RssAnon) of them its own"
	memory_is_bounded
}

t_full() {
	churn "make $((pods - owners))"
	churn list
	tell_api
	is_right
	memory_of_warden >"$kube_dir/memory"
	say "$(memory_of_warden) KiB resident with $pods pods"
}

# One after the other, and eight at once, which share what is read. Emulation makes each some twenty times dearer than it is.
t_scrape() {
	local before n times=() page=$kube_dir/page
	before=$(cpu_of_warden)
	for n in 1 2 3 4 5 6 7 8 9; do
		curl -sf "http://$metrics/metrics" >"$page"
		times+=("$(awk '$1 == "rdma_warden_scrape_duration_seconds" { printf "%d\n", $2 * 1000000 }' "$page")")
	done
	say "$(printf '%s\n' "${times[@]}" | sort -n | sed -n 5p) us for a reading of $devices devices in $owners pods, $((($(cpu_of_warden) - before) * 10 / 9)) ms of CPU for a" \
		"scrape in all, $(wc -c <"$page") bytes, $(grep -vc '^#' "$page") series"
	expect 'each device has its pod' test "$(grep -c '^rdma_warden_device_info{.*pod_namespace="churn",pod_name="[^"]' "$page")" = "$devices"
	for n in 1 2 3 4 5 6 7 8; do curl -sf "http://$metrics/metrics" >"$page.$n" & done
	wait
	expect 'all eight have it whole' test "$(cat "$page".? | grep -c '^rdma_warden_device_info{.*pod_namespace="churn"')" = $((devices * 8))
	say "$(memory_of_warden) KiB resident after that"
	memory_is_bounded
}

t_idle() {
	local before
	before=$(cpu_of_warden)
	pause 20
	say "$(($(cpu_of_warden) - before))0 ms of CPU in 20 s without churn"
}

t_churn() {
	local part before all used=0 busy=0 took=0 count=0 words
	for ((part = 0; part < parts; part++)); do
		before=$(cpu_of_warden) all=$(cpu_of_all)
		churn "run $rate $part_seconds $live"
		used=$((used + $(cpu_of_warden) - before)) busy=$((busy + $(cpu_of_all) - all))
		read -ra words <<<"$churned"
		count=$((count + words[1])) took=$((took + words[2]))
		churn list
		is_right
	done
	say "$count pods in $took ms, $((count * 1000 / took)) a second; wardend: $((used * 10)) ms of CPU, $((used * 1000 / (took / 10))) in a thousand" \
		"of a core, $((used * 1000 / busy)) of what the machine used"
	say "$(memory_of_warden) KiB resident afterwards"
	memory_is_bounded
	expect 'it has not grown' test "$(memory_of_warden)" -le $(($(<"$kube_dir/memory") + 2048))
	printf '%s\n' $((count * 1000 / took)) >"$kube_dir/rate"
	# Emulation, and what runs beside it, make each step of wardend dearer, and those of the pods alike.
	expect 'at most a fifth of what the pods cost' test $((used * 5)) -le "$busy"
}

# What does not hang on the machine: the system calls of wardend's loop. A pod that comes and goes is four events.
t_calls() {
	local strace calls words
	strace -c -o "$kube_dir/calls" -p "$(<"$warden_dir/pid")" 2>"$kube_dir/strace.log" &
	strace=$!
	wait_until 20 grep -q attached "$kube_dir/strace.log"
	churn "run 20 15 $live"
	kill -INT "$strace"
	wait "$strace" || true
	read -ra words <<<"$churned"
	calls=$(awk '$NF == "total" { print $4 }' "$kube_dir/calls")
	say "$calls system calls of its loop for ${words[1]} pods"
	expect 'at most 40 for each, with the rounds meanwhile' test "$calls" -le $((words[1] * 40))
}

# A pod ends while others end all the time: its device is free before they are through.
t_orphan() {
	local pci name uid pid
	read -r pci name uid <"$kube_dir/given"
	pid=$(awk -v uid="$uid" '$3 == uid { print $5 }' "$list")
	echo "run 20 15 $live" >"$kube_dir/churn.in"
	pause 2
	kill -9 "$pid"
	wait_until 10 device_has "$pci" '"owner":"",'
	expect 'the others are not through' test -z "$(read -rt 0 -u 8 && echo through)"
	churned=
	read -ru 8 churned
	expect_match '^ran ' "$churned"
}

# What was shown was shown at the rate that was wanted. Without KVM a machine may make fewer.
t_rate() {
	[ "$(<"$kube_dir/rate")" -ge $((rate * 95 / 100)) ] || skip "this machine makes $(<"$kube_dir/rate") pods a second, not $rate"
}

# ---- the suite ----

rdma_mode exclusive
[ "$(functions | wc -l)" -ge 114 ] || { echo 'skip - all # too few PCI functions: --vfs 7 --functions 114'; exit; }
( kube_needs kubelet-standin && kube_needs kube-api-standin ) || { echo "skip - all # $(cat "$lab_state/skip")"; exit; }
[ "$(make_devices)" -ge "$devices" ] || { echo 'not ok - there are not enough devices'; exit 1; }
kubelet_start || exit 1
api_start || exit 1
churn_start
churn "make $owners"
churn list
give_devices || exit 1
tell_api
track_warden "$(kube_keys)" || exit 1
run_case "$devices devices in $owners pods" t_devices
run_case "$pods pods" t_full
run_case 'scrapes of all of it' t_scrape
run_case 'without churn' t_idle
run_case "$((rate * parts * part_seconds)) pods come and go" t_churn
run_case 'what one of them costs' t_calls
run_case 'one ends among them' t_orphan
run_case "they are $rate a second" t_rate
cat "$figures"
kill "$churn_pid"
warden_unload
suite_end
