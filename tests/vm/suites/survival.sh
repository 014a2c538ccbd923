#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The rule outlives attacks on the warden itself, and its upgrade to a version whose maps have another layout.
set -uo pipefail
. "$LAB_REPO/tests/vm/lib.sh"
. "$LAB_REPO/tests/vm/warden.sh"

owner_works() { pod_exec owner uverbs context "$(pod_uverbs owner)"; }

map_id() { bpftool map list | sed -n "s/^\([0-9]*\): .* name $1 .*/\1/p" | head -n 1; }
link_id() { bpftool -j link list | tr '{' '\n' | sed -n 's/^"id":\([0-9]*\),.*/\1/p' | head -n 1; }
prog_id() { bpftool prog list | sed -n 's/^\([0-9]*\): .* name open_.*/\1/p' | head -n 1; }

# A privileged pod: root with every capability, the host's /sys/fs/bpf, its own netns and process namespace.
in_pod() {
	# Not `ip netns exec`, which mounts a sysfs of its own over the one with the pins.
	# shellcheck disable=SC2016 # for the inner shell
	bash -c 'echo $$ >"$1/cgroup.procs"; shift; exec nsenter --net=/run/netns/owner unshare --fork --pid --mount-proc "$@"' \
		pod "$(pod_cgroup owner)" "$@"
}

tampers() {
	local rule=$1
	shift
	expect_fail "a pod: $*" in_pod "$@"
	event "rule=$rule" verdict=denied "cgroup=/kubepods.slice/owner"
	forget_events
}

t_pod_cannot() {
	forget_events
	tampers warden.tamper bpftool map dump id "$(map_id claims)"
	tampers warden.tamper bpftool map dump pinned "$(echo "$warden_pins"/maps-*)/claims"
	tampers warden.tamper bpftool map update id "$(map_id settings)" key 0 0 0 0 value 0 0 0 0
	tampers warden.tamper bpftool prog show id "$(prog_id)"
	tampers warden.tamper bpftool link show id "$(link_id)"
	tampers warden.tamper rm "$(find "$warden_pins/links" -name 'guard_open_*')"
	tampers warden.tamper mv "$(find "$warden_pins/links" -name 'guard_open_*')" "$warden_pins/links/elsewhere"
	tampers warden.tamper rmdir "$warden_pins/links"
	refused uverbs open "$(pod_uverbs owner)"
	expect 'the host reads' bpftool map dump id "$(map_id claims)" >/dev/null
}

t_socket_is_roots() {
	expect_match '^srw-------' "$(ls -l "$warden_socket")"
	expect_fail 'another user' setpriv --reuid 65534 --clear-groups wardenctl --socket "$warden_socket" status
}

# Host root may, and is named; what he took is put back within a second.
t_host_is_told() {
	local pin
	pin=$(find "$warden_pins/links" -name 'guard_open_*')
	forget_events
	rm "$pin"
	event rule=warden.tamper verdict=observed comm=rm uid:=0 cgroup=/
	wait_until 1 test -e "$pin"
	event kind=fault rule=warden.fault
}

# What a start of wardend itself does to its pins is no tampering.
t_own_start() {
	forget_events
	warden_start '"mode":"enforce"'
	no_event rule=warden.tamper
}

t_upgrade() {
	local maps
	maps=$(ls -d "$warden_pins"/maps-*)
	forget_events
	intruder_begin "$(pod_uverbs owner)"
	warden_stop
	PATH=$LAB_REPO/build/other-layout:$PATH warden_start '"mode":"enforce"'
	expect_fail 'the maps are the same ones' test -e "$maps"
	event kind=fault rule=warden.fault | expect_match 'another layout' -
	expect_match '"owner":"test/owner","claim_source":"manual"' "$(ctl devices --json)"
	expect 'the owner works' owner_works
	sleep 1
	warden_kill
	warden_start '"mode":"enforce"'
	expect 'the maps of the first version are back' test -e "$maps"
	expect "one layout is left" test "$(find "$warden_pins" -maxdepth 1 -name 'maps-*' | wc -l)" = 1
	expect_match '"owner":"test/owner","claim_source":"manual"' "$(ctl devices --json)"
	expect 'the owner works' owner_works
	intruder_end
}

# Written by a version whose journals this one does not know: it says so, touches nothing, and the rule goes on.
t_cannot_go_back() {
	warden_stop
	expect_match '^1 ' "$(<"$warden_dir/state/format")"
	echo '2147483647 9.9.9' >"$warden_dir/state/format"
	cp "$warden_dir/state/claims.json" "$lab_state/claims.json"
	expect_fail 'the older one starts' timeout 30 wardend --config "$warden_dir/config" 2>"$lab_state/said"
	expect_match 'wardend 9\.9\.9 wrote it in format 2147483647, and this one .* cannot go back' "$(<"$lab_state/said")"
	cmp "$warden_dir/state/claims.json" "$lab_state/claims.json"
	refused uverbs open "$(pod_uverbs owner)"
	expect 'the owner works' owner_works
	echo '1 9.9.9' >"$warden_dir/state/format"
	warden_start '"mode":"enforce"'
	expect_match '"owner":"test/owner","claim_source":"manual"' "$(ctl devices --json)"
}

# All pins go while no wardend runs: the rule is off. The next start knows the claims from the journal.
t_journal() {
	warden_stop
	rm -r "$warden_pins"
	wait_until 60 rule_is_off || { bpftool link list; return 1; }
	warden_start '"mode":"enforce"'
	refused uverbs open "$(pod_uverbs owner)"
	expect_match '"owner":"test/owner","claim_source":"manual"' "$(ctl devices --json)"
	expect 'the owner works' owner_works
}
rule_is_off() { uverbs open "$(pod_uverbs owner)"; }

# A damaged journal is said, and nothing of it is believed; one of another boot is void.
t_bad_journal() {
	warden_stop
	rm -r "$warden_pins"
	sed -i 's/"netns_cookie":"[0-9]*"/"netns_cookie":"-1"/' "$warden_dir/state/claims.json"
	: >"$warden_log"
	warden_start '"mode":"enforce"'
	expect_match 'claims.json: damaged' "$(cat "$warden_log")"
	expect_match '"claims":0,' "$(ctl status --json)"
	claim owner
	warden_stop
	rm -r "$warden_pins"
	sed -i 's/"boot_id":"[^"]*"/"boot_id":"another"/' "$warden_dir/state/claims.json"
	warden_start '"mode":"enforce"'
	expect_match '"claims":0,' "$(ctl status --json)"
	claim owner
}

# The map of character devices is full when a device comes: its node is closed to all, and both are counted.
t_full_map() {
	local id new
	id=$(map_id cdevs)
	# Numbers of a major that the RDMA stack has not; the map has 6,144 places.
	for n in $(seq 0 6143); do
		printf 'map update id %d key hex %02x %02x 00 fa value hex 01 00 00 00 ff ff ff ff\n' "$id" $((n % 256)) $((n / 256))
	done >"$lab_state/batch"
	bpftool batch file "$lab_state/batch" >/dev/null 2>&1 || true # ends when the map is full
	new=$(vf_list | tail -n 1)
	vf_hcasim "$new"
	refused uverbs open "$(vf_node "$new" uverbs)"
	expect_match '"lost.cdevs":[1-9]' "$(ctl status --json)"
	expect_match '"unreadable.nodes":[1-9]' "$(ctl status --json)"
	expect 'the owner works' owner_works
	echo "$new" >/sys/kernel/debug/hcasim/remove
}

# Of all programs only the device cgroup's can be detached while wardend holds it.
t_detached() {
	local id
	warden_start '"mode":"enforce"' --guard device-cgroup
	refused uverbs open "$(pod_uverbs owner)"
	id=$(bpftool link list | sed -n 's/^\([0-9]*\): cgroup .*/\1/p')
	[ -n "$id" ]
	forget_events
	bpftool link detach id "$id"
	event kind=fault rule=warden.fault | expect_match 'detached by somebody and is attached again' -
	refused uverbs open "$(pod_uverbs owner)"
	expect 'the owner works' owner_works
}

t_unload() {
	warden_unload
	expect_fail 'a journal is left' test -e "$warden_dir/state/claims.json"
	expect_fail 'a format is left' test -e "$warden_dir/state/format"
}

rdma_mode shared
pod_create owner --vf next --rdma hcasim
warden_start '"mode":"enforce"'
claim owner
run_case 'a privileged pod cannot reach maps, programs, links and pins' t_pod_cannot
run_case 'the control socket is root'"'"'s' t_socket_is_roots
run_case 'what host root takes away is told, and put back' t_host_is_told
run_case 'a start is no tampering' t_own_start
run_case 'an upgrade to another layout and back leaves no moment without the rule' t_upgrade
run_case 'a version that does not know the journals refuses to start, and the rule goes on' t_cannot_go_back
run_case 'claims come back from the journal' t_journal
run_case 'a damaged journal, and one of another boot' t_bad_journal
run_case 'a full map of character devices closes what is not in it' t_full_map
run_case 'a program of the device cgroup that is detached is attached again' t_detached
run_case 'unload ends the journal too' t_unload
delete_pods_except ''
suite_end
