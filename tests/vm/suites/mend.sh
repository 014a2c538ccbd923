#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the kernel does not give to the programs: a preemptible kernel skips one where another task was preempted inside it. First
# as if it had happened, by maps that are written to while no wardend looks; then for real, with all devices on the move at once.
set -uo pipefail
. "$LAB_REPO/tests/vm/lib.sh"
. "$LAB_REPO/tests/vm/warden.sh"

map() { echo "$warden_pins"/maps-*/devices; }
vf=$(vf_list | head -n 1)

# INDEX: as four bytes for bpftool.
key() { printf '%d %d 0 0' "$(($1 & 255))" "$(($1 >> 8))"; }

index_of() { rdma -j dev show "$(vf_rdma "$1")" | jq '.[0].ifindex'; }

# INDEX FILTER [NEW-INDEX]: changes an entry's bytes (struct warden_device), a list of numbers.
rewrite() {
	local value
	# shellcheck disable=SC2046 # words are wanted
	value=$(bpftool -j map lookup pinned "$(map)" key $(key "$1") |
		jq -r ".value | $2 | join(\" \")")
	# shellcheck disable=SC2046,SC2086
	bpftool map update pinned "$(map)" key $(key "${3:-$1}") value $value
}

device_is() { ctl devices --json | jq -es "any(.[]; .pci == \"$vf\" and ($1))" >/dev/null; }
all_known() { [ "$(ctl devices --json | wc -l)" = "$(find /sys/class/infiniband -mindepth 1 | wc -l)" ]; }

begin() {
	warden_start '"mode":"enforce"'
	device_is '.netns.inode != 0 and .qps == 0'
	warden_stop
}

t_moved() {
	local here
	here=$(stat -Lc %i /proc/self/ns/net)
	begin
	rewrite "$(index_of "$vf")" '.[8] = "0x77" | .[16] = "0x77"'
	warden_start '"mode":"enforce"'
	expect 'it is where the kernel has it' device_is ".netns.inode == $here"
}

t_objects() {
	begin
	rewrite "$(index_of "$vf")" '.[32] = "0x05"'
	warden_start '"mode":"enforce"'
	wait_until 10 device_is '.qps == 0'
}

t_gone() {
	begin
	rewrite "$(index_of "$vf")" '.[-128] = "0x7a"' 999
	rewrite 999 '[.[] | if . == "0x68" then "0x7a" else . end]' # hcasim: zcasim
	warden_start '"mode":"enforce"'
	wait_until 10 all_known
}

# CMD…: again where `rdma` does not find the device, whose list is read in parts while others go.
insist() {
	local try
	for try in 1 2 3 4 5; do
		"$@" && return
		echo "try $try of: $*"
	done
	return 1
}

# NETNS VF: there and back, again and again.
wander() {
	local rdma
	rdma=$(vf_rdma "$2")
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
		insist rdma dev set "$rdma" netns "$1" || return 1
		insist ip netns exec "$1" rdma dev set "$rdma" netns lab-host || return 1
	done
}

all_home() {
	local here
	here=$(stat -Lc %i /proc/self/ns/net)
	ctl devices --json | jq -es "all(.[]; .netns.inode == $here)" >/dev/null
}

t_at_once() {
	local one n=0 pids=() skipped
	warden_start '"mode":"audit"'
	ip netns attach lab-host $$
	for one in $(vf_list); do
		n=$((n + 1))
		ip netns add "wander$n"
		wander "wander$n" "$one" &
		pids+=($!)
	done
	for one in "${pids[@]}"; do wait "$one"; done
	skipped=$(ctl status --json | jq '[.programs[] | select(.name | startswith("netns.")) | .skipped] | add')
	echo "    $((n * 24)) moves, $skipped calls skipped" >"$lab_state/wandered"
	wait_until 5 all_home
	while [ "$n" -gt 0 ]; do ip netns delete "wander$n"; n=$((n - 1)); done
	ip netns delete lab-host
}

rdma_mode exclusive
for one in $(vf_list); do vf_hcasim "$one" >/dev/null; done
run_case 'a device that moved untold' t_moved
run_case 'objects that came and went untold' t_objects
run_case 'a device that is gone untold' t_gone
run_case 'all devices on the move at once' t_at_once
cat "$lab_state/wandered"
warden_unload
for one in $(vf_list); do echo "$one" >/sys/kernel/debug/hcasim/remove; done
suite_end
