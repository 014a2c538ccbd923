#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# wardend and wardenctl as programs: bad input, bad clients, two of them, what happens to devices while they run.
# A start takes seconds without KVM, so all cases but those of a start itself ask one wardend.
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"

# ---- refusals ----

# REGEX CMD…: a non-zero status that is no signal's, and one line that says why (a start may have told of its progress)
refuses() {
	local regex=$1 status=0 text
	shift
	text=$(timeout 30 "$@" 2>&1 >/dev/null) || status=$?
	text=$(grep -v '^wardend: the programs on the RDMA modules' <<<"$text")
	[ "$status" != 0 ] || { printf 'it worked: %s\n' "$*"; return 1; }
	[ "$status" -lt 124 ] || { printf 'status %s of: %s\n' "$status" "$*"; return 1; }
	[ "$(wc -l <<<"$text")" = 1 ] || { printf 'more than one line from: %s\n%s\n' "$*" "$text"; return 1; }
	expect_match "$regex" "$text"
}

# TEXT REGEX: the configuration is refused, by a line that names the file too
bad_config() {
	printf '%s' "$1" >"$lab_state/bad.json"
	refuses "^wardend: error: .*$lab_state/bad.json.*$2" wardend --config "$lab_state/bad.json"
}

t_bad_config() {
	bad_config '{"mod":"audit"}' 'unknown key "mod"'
	bad_config '{"qos":{"profile":"spiderpool","reaction":"deny"}}' 'unknown key "qos.reaction"'
	bad_config '{"mode":1}' '"mode" must be'
	bad_config '{"mode":"Enforce"}' '"mode" must be'
	bad_config '{"mode":"audit","mode":"enforce"}' '"mode" stands twice'
	bad_config '{"set_exclusive":"yes"}' '"set_exclusive" must be'
	bad_config '{"umad":true}' '"umad" must be'
	bad_config '{"run_dir":"run"}' '"run_dir" must be'
	bad_config '{"bpffs":7}' '"bpffs" must be'
	bad_config '{"metrics":"127.0.0.1:70000"}' '"metrics" must be'
	bad_config '{"qos":{"on_violation":"deny"}}' '"qos" lacks the key "profile"'
	bad_config '{"qos":{"profile":"mellanox"}}' '"qos.profile" must be'
	bad_config '{"qos":[]}' '"qos" must be'
	bad_config '{"qos":{"profile":{"dscp":64,"priority":5,"cnp_dscp":48,"cnp_priority":6}}}' '"qos.profile.dscp" must be.*63'
	bad_config '{"qos":{"profile":{"dscp":40,"priority":8,"cnp_dscp":48,"cnp_priority":6}}}' '"qos.profile.priority" must be.*7'
	bad_config '{"qos":{"profile":{"dscp":40.5,"priority":5,"cnp_dscp":48,"cnp_priority":6}}}' '"qos.profile.dscp" must be'
	bad_config '{"qos":{"profile":{"dscp":40}}}' '"qos.profile" lacks the key'
}

t_no_json() {
	bad_config '' 'not JSON'
	bad_config 'mode: audit' 'not JSON, line 1'
	bad_config $'{\n"mode":\n}' 'not JSON, line 3'
	bad_config '[]' 'must be one JSON object'
	bad_config '{} {}' 'something follows'
	head -c 2000000 /dev/zero >"$lab_state/large.json"
	refuses 'large.json: larger than' wardend --config "$lab_state/large.json"
	refuses '/nowhere/config.json: No such file' wardend --config /nowhere/config.json
	refuses "$lab_state:.*" wardend --config "$lab_state"
}

t_bad_arguments() {
	expect_fail 'an unknown option' wardend --confg x
	expect_fail 'an argument' wardend start
	expect_fail 'both' wardend --check --unload
	expect_fail 'an unknown mechanism' wardend --guard bpf
}

# A node with cgroup v1 alone: said, and not more than that lost.
t_no_cgroup2() {
	local capabilities
	# shellcheck disable=SC2016 # for the inner shell
	capabilities=$(unshare --mount bash -c 'umount --lazy /sys/fs/cgroup && wardend --check')
	expect_match '"owner.cgroup","state":"unavailable".*netns alone decides' "$capabilities"
	expect_match '"exclusive.open","state":"active"' "$capabilities"
}

t_no_bpffs() {
	mkdir -p "$lab_state/plain"
	bad_start "{\"bpffs\":\"$lab_state/plain/pins\"}" "$lab_state/plain/pins: not on a BPF file system"
	expect 'no folder left' test ! -e "$lab_state/plain/pins"
	bad_start '{"bpffs":"/sys/fs/bpf/no/such/folder"}' 'bpffs /sys/fs/bpf/no/such/folder: No such file'
}

# CONFIG REGEX: read well, and of no use
bad_start() {
	printf '%s' "$1" >"$lab_state/bad.json"
	refuses "^wardend: error: .*$2" wardend --config "$lab_state/bad.json"
}

# Not the host's netns: everything that wardend takes for the host would be somebody else.
t_not_in_a_netns() {
	unshare --net true
	refuses 'must run in the host.s network namespace' unshare --net wardend
}

t_nothing_left() {
	expect 'no pins' test -z "$(ls /sys/fs/bpf)"
	expect 'no folder of a run' test ! -e /run/rdma-warden
	wait_until 20 no_links
}
no_links() { [ -z "$(bpftool link list)" ]; }

t_unload_nothing() {
	wardend --unload
	printf '{"bpffs":"/sys/fs/bpf/never-was"}' >"$lab_state/never.json"
	wardend --config "$lab_state/never.json" --unload
}

# ---- with one wardend ----

devices() { ctl devices --json; }
pid_of_wardend() { ctl status --json | jq -e .pid; }

t_second_wardend() {
	local before
	before=$(pid_of_wardend)
	refuses 'another wardend has it' wardend --config "$warden_dir/config"
	# Its own pins, but the first one's socket.
	printf '{"bpffs":"/sys/fs/bpf/second","run_dir":"%s/run"}' "$warden_dir" >"$lab_state/second.json"
	refuses "$warden_socket: a wardend answers there" wardend --config "$lab_state/second.json"
	expect 'no pins of the second' test ! -e /sys/fs/bpf/second
	expect 'the first one answers' test "$(pid_of_wardend)" = "$before"
	refused uverbs open "$(pod_uverbs owner)"
}

# REGEX ARG…: the claim is refused and nothing has changed
bad_claim() {
	local regex=$1 before
	shift
	before=$(devices)
	refuses "^wardenctl: .*$regex" wardenctl --socket "$warden_socket" claim "$@"
	expect "the devices as before" test "$(devices)" = "$before"
}

t_bad_claims() {
	local vf cgroup
	vf=$(pod_vf other) cgroup=$(pod_cgroup other)
	bad_claim 'rdma9: no such RDMA device' --device rdma9 --netns other --owner test/other
	bad_claim '0000:99:00.0: no such RDMA device' --device 0000:99:00.0 --netns other --owner test/other
	bad_claim 'claimed by test/owner already' --device "$(pod_vf owner)" --netns other --owner test/other
	bad_claim 'claimed by test/owner already' --device "$(pod_vf owner)" --netns owner --owner test/owner
	bad_claim 'netns /run/netns/nobody: it is gone' --device "$vf" --netns nobody --owner test/other
	bad_claim 'is not a network namespace' --device "$vf" --netns /proc/self/ns/mnt --owner test/other
	bad_claim 'is not a network namespace' --device "$vf" --netns /etc/passwd --owner test/other
	bad_claim 'give a name of /run/netns' --device "$vf" --netns ../../proc/1/ns/net --owner test/other
	bad_claim 'netns /proc/4194303/ns/net: it is gone' --device "$vf" --pid 4194303 --owner test/other
	bad_claim 'not a process id' --device "$vf" --pid 0 --owner test/other
	bad_claim 'not a process id' --device "$vf" --pid -1 --owner test/other
	bad_claim 'not a process id' --device "$vf" --pid 1x --owner test/other
	bad_claim 'either "netns" or "pid"' --device "$vf" --netns other --pid 1 --owner test/other
	bad_claim 'either "netns" or "pid"' --device "$vf" --owner test/other
	bad_claim 'give the owner.s --cgroup too' --device "$vf" --pid 1 --owner test/other
	bad_claim 'it is gone' --device "$vf" --netns other --cgroup "${cgroup}x" --owner test/other
	bad_claim 'the root owns nothing' --device "$vf" --pid 1 --cgroup / --owner test/other
	bad_claim '".." is not taken' --device "$vf" --netns other --cgroup "$cgroup/../.." --owner test/other
	bad_claim 'not a cgroup' --device "$vf" --netns other --cgroup "$cgroup/cgroup.procs" --owner test/other
	bad_claim 'needs --owner' --device "$vf" --netns other
	bad_claim 'needs --device' --netns other --owner test/other
}

t_bad_owners() {
	local owner
	for owner in other /other test/ / -/- test/a. .test/a test/a/b 'test/a b' Test/other "$(printf 'n%.0s' {1..64})/other" $'test/a\nb' 'test/"'; do
		bad_claim 'give NAMESPACE/NAME' --device "$(pod_vf other)" --netns other --owner "$owner"
	done
	bad_claim 'must be a string' --device "$(pod_vf other)" --netns other --owner ''
}

t_bad_release() {
	local before
	before=$(devices)
	refuses 'it is not claimed' wardenctl --socket "$warden_socket" release --device "$(pod_vf other)"
	refuses 'no such RDMA device' wardenctl --socket "$warden_socket" release --device rdma9
	refuses 'needs --device' wardenctl --socket "$warden_socket" release
	expect 'the devices as before' test "$(devices)" = "$before"
}

t_wardenctl_arguments() {
	expect_fail 'no command' ctl
	expect_fail 'an unknown command' ctl claims
	expect_fail 'an unknown option' ctl status --verbose
	expect_fail 'an argument' ctl status now
	refuses 'status does not take --device' wardenctl --socket "$warden_socket" status --device x
	refuses 'since "yesterday"' wardenctl --socket "$warden_socket" events --since yesterday
	refuses 'no wardend answers there' wardenctl --socket "$lab_state/none.sock" status
}

# ---- clients that are not wardenctl ----

# What wardend answers to standard input; the client closes its side at the end.
raw() { timeout 30 socat -t 5 - "UNIX-CONNECT:$warden_socket" 2>/dev/null || true; }
says_error() { expect_match "^\{\"ok\":false,\"error\":\".*$1.*\",\"errno\":[0-9]+\}\$" -; }
goes_on() { expect "it goes on after $1" ctl status >/dev/null; }

t_garbage() {
	local request
	echo 'hello' | raw | says_error 'not JSON'
	head -c 300 /dev/urandom | tr -d '\n' | sed 's/$/\n/' | raw | says_error 'not JSON'
	printf '\n' | raw | says_error 'not JSON'
	echo '{"request":"status"} {"request":"devices"}' | raw | says_error 'not JSON'
	echo '{"request":"status"}x' | raw | says_error 'not JSON'
	printf '{"request":"status"}\0\n' | raw | says_error 'not JSON'
	printf '%s\n' '[]' | raw | says_error 'a request is'
	printf '%s\n' '{"request":7}' | raw | says_error 'a request is'
	printf '%s\n' '{"request":"stat"}' | raw | says_error 'unknown request'
	for request in '{"request":"status","all":true}' '{"request":"claim","device":5}' '{"request":"events","since":"x"}' \
		'{"request":"events","follow":1}' '{"request":"events","since":1e300}'; do
		printf '%s\n' "$request" | raw | says_error 'argument'
	done
	# As deep as the reader's buffer is long.
	{ head -c 60000 /dev/zero | tr '\0' '['; echo; } | raw | says_error 'not JSON'
	goes_on garbage
	# Two requests in one piece, the first of them bad.
	printf 'x\n{"request":"status"}\n' | raw >"$lab_state/two"
	head -n 1 "$lab_state/two" | says_error 'not JSON'
	tail -n 1 "$lab_state/two" | expect_match '^\{"ok":true\}$' -
}

t_half_request() {
	printf '{"request":"sta' | raw | says_error 'ended before its newline'
	{ printf '{"request":"sta'; sleep 13; } | raw | says_error 'no whole request within 10 seconds'
	goes_on 'half a request'
}

# The client may meet a closed connection before it has read the answer; wardend's memory must not care.
t_large_request() {
	local before after
	{ head -c 4194304 /dev/zero | tr '\0' ' '; } | raw | says_error 'larger than 4 MiB'
	before=$(resident)
	{ head -c 10485760 /dev/zero | tr '\0' x || true; } | raw >"$lab_state/large"
	[ ! -s "$lab_state/large" ] || says_error 'larger than 4 MiB' <"$lab_state/large"
	goes_on '10 MiB'
	after=$(resident)
	[ $((after - before)) -lt 1024 ] || { echo "resident: $before KiB before, $after KiB after"; return 1; }
}
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$(cat "$warden_dir/pid")/status"; }

t_not_root() {
	refuses 'Permission denied' setpriv --reuid 65534 --regid 65534 --clear-groups wardenctl --socket "$warden_socket" status
}

# ---- what wardend prints ----

valid_json() {
	local text
	text=$("$@")
	expect "some output of $*" test -n "$text"
	expect "valid JSON from $*" jq -e 'type == "object"' <<<"$text" >/dev/null
	# One object a line.
	expect "a line for each object of $*" test "$(jq -c . <<<"$text" | wc -l)" = "$(wc -l <<<"$text")"
}

t_json() {
	valid_json ctl status --json
	valid_json ctl capabilities --json
	valid_json ctl devices --json
	valid_json ctl events --json
	valid_json ctl events --since 1h --json
	valid_json cat "$warden_events"
	# The sequence has no hole and no twin.
	ctl events --json | jq -se 'map(.seq) | . == [range(.[0]; .[0] + length)]' >/dev/null
	expect 'nothing is newer than tomorrow' test -z "$(ctl events --since $(($(date +%s) + 86400)))"
}

t_human() {
	ctl status | expect_match $'mode +enforce.*\nclaims +1\n' -
	ctl capabilities | expect_match 'exclusive.open +active +(lsm|fmod_ret)' -
	ctl devices | expect_match "DEVICE +PCI.*$(pod_vf owner) .*test/owner +claimed" -
	refused uverbs open "$(pod_uverbs owner)"
	ctl events | tail -n 1 | expect_match "denied +exclusive.open +$(pod_rdma owner) of test/owner: .*by uverbs, pid [0-9]+, uid 0, cgroup /" -
}

t_follow() {
	local lines follower
	ctl events --follow --since 1h --json >"$lab_state/follow" &
	follower=$!
	wait_until 10 test -s "$lab_state/follow"
	wait_until 10 follows_all
	lines=$(wc -l <"$lab_state/follow")
	refused uverbs open "$(pod_uverbs owner)"
	wait_until 5 more_than "$lines" "$lab_state/follow"
	kill "$follower"
	tail -n 1 "$lab_state/follow" | jq -e '.rule == "exclusive.open" and .verdict == "denied"' >/dev/null
}
follows_all() { [ "$(wc -l <"$lab_state/follow")" = "$(ctl events --json | wc -l)" ]; }
more_than() { [ "$(wc -l <"$2")" -gt "$1" ]; }

# ---- devices that change while wardend watches ----

claimed_line() { devices | grep -F '"owner":"test/owner"'; }
owner_works() { pod_exec owner uverbs context "$(pod_uverbs owner)"; }

t_rename() {
	local old new=hca_renamed
	old=$(pod_rdma owner)
	ip netns exec owner rdma dev set "$old" name "$new"
	pod_set owner rdma "$new"
	event kind=change rule=device.rename "device=$old" "new_name=$new" owner=test/owner
	claimed_line | expect_match "\"device\":\"$new\".*\"cdevs\":\[.*\"$(basename "$(pod_uverbs owner)")\"" -
	expect 'the owner works' owner_works
	forget_events
	refused uverbs open "$(pod_uverbs owner)"
	event rule=exclusive.open verdict=denied "device=$new" owner=test/owner
	refuses 'claimed by test/owner already' wardenctl --socket "$warden_socket" claim --device "$new" --netns other --owner test/other
}

# rdma puts /run/netns/ before whatever it is given, and the host's netns has no name there.
to_host() { ip netns exec "$1" rdma dev set "$(pod_rdma "$1")" netns ../../proc/1/ns/net; }

# The claim is the owner's netns, not the device's place: taken away, the device is nobody's until it is back or released.
t_moved_away() {
	local device
	device=$(pod_rdma owner)
	forget_events
	to_host owner
	event kind=violation rule=exclusive.device-move verdict=observed "device=$device" owner=test/owner comm=rdma
	claimed_line | expect_match '"state":"claimed"' -
	refused uverbs open "$(pod_uverbs owner)"
	event rule=exclusive.open verdict=denied owner=test/owner
	refused pod_exec other uverbs open "$(pod_uverbs owner)"
	# Here it is the kernel that refuses: the device is in another netns.
	refused pod_exec owner uverbs open "$(pod_uverbs owner)"
	rdma dev set "$device" netns owner
	event kind=change rule=device.move "device=$device" owner=test/owner
	expect 'the owner works again' owner_works
}

hcasim() { nsenter --net="/run/netns/$1" sh -c "echo '$2' >/sys/kernel/debug/hcasim/$3"; }

t_removed_and_added() {
	local vf old new
	vf=$(pod_vf owner) old=$(pod_rdma owner)
	forget_events
	hcasim owner "$vf" remove
	event kind=change rule=device.remove "device=$old" "pci=$vf" owner=test/owner
	expect_fail 'the device is shown' eval "devices | grep -F '\"pci\":\"$vf\"'"
	ctl status --json | jq -e '.claims == 0' >/dev/null
	hcasim owner "$vf net1" add
	event kind=change rule=device.add "pci=$vf" owner=
	event kind=change rule=claim.set "pci=$vf" owner=test/owner
	new=$(vf_rdma "$vf")
	devices | grep -F "\"pci\":\"$vf\"" | expect_match "\"device\":\"$new\".*\"owner\":\"test/owner\".*\"state\":\"claimed\"" -
	rdma dev set "$new" netns owner
	pod_set owner rdma "$new"
	expect 'the owner works' owner_works
	# A claim that was given up does not come back with the device.
	release owner
	hcasim owner "$vf" remove
	rdma_is_gone "$vf"
	hcasim owner "$vf net1" add
	new=$(vf_rdma "$vf")
	rdma dev set "$new" netns owner
	pod_set owner rdma "$new"
	refused pod_exec owner uverbs open "$(pod_uverbs owner)"
	event rule=exclusive.open verdict=denied "device=$new" owner=
	claim owner
	expect 'the owner works' owner_works
}
rdma_is_gone() { wait_until 5 test ! -d "/sys/bus/pci/devices/$1/infiniband"; }

# ---- two of them ----

# CMD…, asked of the second one: the helpers' folders are dynamic
second() {
	# shellcheck disable=SC2034 # the helpers read them
	local warden_dir=$lab_state/warden2 warden_socket=$lab_state/warden2/run/warden.sock \
		warden_events=$lab_state/warden2/events warden_log=$lab_state/warden2/log
	mkdir -p "$warden_dir"
	"$@"
}

# Another agent unpins what it does not know, or the whole folder. wardend holds the links open, so the rule goes on, and
# pins them again, so that it also goes on without wardend.
t_pins_put_back() {
	forget_events
	rm "$warden_pins"/links/guard_*
	refused uverbs open "$(pod_uverbs owner)"
	event kind=fault rule=warden.fault
	wait_until 5 test -e "$warden_pins/links/guard_cdev_added"
	rm -r "$warden_pins" || true # wardend may be quicker and fill a folder that is being emptied
	refused uverbs open "$(pod_uverbs owner)"
	wait_until 5 pins_are_whole
	warden_kill
	refused uverbs open "$(pod_uverbs owner)"
	expect 'the owner works' owner_works
	warden_start '"mode":"enforce"'
	refused uverbs open "$(pod_uverbs owner)"
	claimed_line >/dev/null
}

pins_are_whole() {
	[ "$(ls "$warden_pins"/maps-*)" = $'cdevs\nclaims\ncm_classes\ncounters\ndevices\nevents\nmajors\nmerges\nown\nowners\npod_cgroups\npod_leaves\npod_netns\npods\nsettings' ] &&
		[ "$(find "$warden_pins/links" -type f | wc -l)" = "$(ctl status --json | grep -o '"state":"pinned"' | wc -l)" ]
}

# In audit mode: a device that the second one does not know as claimed is closed to every pod under its rule, too.
t_side_by_side() {
	second warden_start '"mode":"audit","bpffs":"/sys/fs/bpf/rdma-warden-2"'
	expect 'two processes' test "$(second pid_of_wardend)" != "$(pid_of_wardend)"
	second ctl devices --json | grep -F "\"pci\":\"$(pod_vf owner)\"" | expect_match '"owner":""' -
	second claim other
	claimed_line >/dev/null
	devices | grep -F "\"pci\":\"$(pod_vf other)\"" | expect_match '"owner":""' -
	second forget_events
	forget_events
	refused uverbs open "$(pod_uverbs owner)"
	event rule=exclusive.open verdict=denied owner=test/owner
	expect 'the owner works' owner_works
	# To the second one the owner of an unclaimed device is a pod as any other.
	second event rule=exclusive.open verdict=observed owner= cgroup=/kubepods.slice/owner
	second warden_unload
	expect 'its pins are gone' test ! -e /sys/fs/bpf/rdma-warden-2
	expect 'the first one answers' ctl status
	refused uverbs open "$(pod_uverbs owner)"
	expect 'the owner works' owner_works
}

# ---- the run ----

rdma_mode exclusive
rdma_works hcasim || { echo 'not ok - hcasim is missing'; exit 1; }
run_case 'a configuration with a wrong key or value is refused by name' t_bad_config
run_case 'a configuration that is no JSON object is refused' t_no_json
run_case 'wrong arguments of wardend' t_bad_arguments
run_case 'a folder of pins that is not on a BPF file system' t_no_bpffs
run_case 'without cgroup v2' t_no_cgroup2
run_case 'wardend in another netns than the host'"'"'s' t_not_in_a_netns
run_case 'none of them left anything' t_nothing_left
run_case 'unload where nothing is' t_unload_nothing

pod_create owner --vf next --rdma hcasim
pod_create other --vf next --rdma hcasim
warden_start '"mode":"enforce"' || { echo 'not ok - wardend starts'; exit 1; }
claim owner
run_case 'a second wardend on the same folders' t_second_wardend
run_case 'claims that make no sense' t_bad_claims
run_case 'owners that are no NAMESPACE/NAME' t_bad_owners
run_case 'releases that make no sense' t_bad_release
run_case 'wrong arguments of wardenctl' t_wardenctl_arguments
run_case 'a client that sends garbage' t_garbage
run_case 'a client that sends half a request' t_half_request
run_case 'a client that sends 10 MiB' t_large_request
run_case 'a client that is not root' t_not_root
run_case 'every line of --json' t_json
run_case 'what people read' t_human
run_case 'who follows gets what was and what comes' t_follow
run_case 'a device is renamed' t_rename
run_case 'a device is moved out of its owner'"'"'s netns' t_moved_away
run_case 'a device is removed and added again' t_removed_and_added
run_case 'pins that somebody takes away' t_pins_put_back
run_case 'two wardends side by side' t_side_by_side
warden_unload
delete_pods_except ''
suite_end
