# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For scripts in the guest, after lib.sh: one wardend with its own folders, and questions to it.
#
#   warden_start JSON [ARG…]   warden_stop   warden_kill   warden_unload   ctl COMMAND…   claim POD
#   event KEY=VALUE…   no_event PIECE…   forget_events   refused CMD…   kept_out CMD…   intruder_begin NODE…   intruder_end
# shellcheck disable=SC2154 # lab_state is lib.sh's

warden_dir=$lab_state/warden
warden_socket=$warden_dir/run/warden.sock
warden_events=$warden_dir/events
warden_log=$warden_dir/log
# shellcheck disable=SC2034 # for the suites
warden_pins=/sys/fs/bpf/rdma-warden
mkdir -p "$warden_dir"

# The configuration's keys without the braces, and further arguments of wardend. What suites put into pods by hand they claim
# themselves, or want to be nobody's, unless they say otherwise.
warden_start() {
	local keys=$1
	shift
	[[ $keys == *'"discover"'* ]] || keys+="${keys:+,}\"discover\":\"off\""
	warden_stop
	printf '{%s%s"run_dir":"%s/run","state_dir":"%s/state"}\n' "$keys" "${keys:+,}" "$warden_dir" "$warden_dir" >"$warden_dir/config"
	# Not in the case's subshell: it outlives the case that starts it. ASan's leak check needs ptrace, which is there.
	setsid wardend --config "$warden_dir/config" "$@" >>"$warden_events" 2>>"$warden_log" </dev/null &
	echo $! >"$warden_dir/pid"
	disown # or bash would report its end in the middle of a case
	wait_until 120 warden_answers || { tail -n 20 "$warden_log"; return 1; }
}

# wardend makes its socket when all else is done.
warden_answers() {
	warden_is_there || return 1
	[ "$warden_socket" -nt "$warden_dir/pid" ] && ctl status
}

warden_end() {
	[ -e "$warden_dir/pid" ] || return 0
	kill "-$1" "$(cat "$warden_dir/pid")" 2>/dev/null || true
	wait_until 10 warden_is_gone
	rm -f "$warden_dir/pid"
}
warden_is_there() {
	local pid
	read -r pid <"$warden_dir/pid" && kill -0 "$pid"
}
warden_is_gone() { ! warden_is_there; }
warden_stop() { warden_end TERM; }
warden_kill() { warden_end KILL; }

warden_unload() {
	warden_stop
	wardend --config "$warden_dir/config" --unload
}

ctl() { wardenctl --socket "$warden_socket" "$@"; }

# What a device is called in a request: by its PCI function where it has one, since names are not unique on 7.3.
pod_device() { if [ "$(pod_get "$1" kind)" = hcasim ]; then pod_vf "$1"; else pod_rdma "$1"; fi; }

pod_netns() { if pod_is_host "$1"; then echo /proc/1/ns/net; else echo "$1"; fi; }

# A pod owns its device, by netns and cgroup. POD [OPTION…]
claim() {
	local pod=$1
	shift
	ctl claim --device "$(pod_device "$pod")" --netns "$(pod_netns "$pod")" --cgroup "$(pod_cgroup "$pod")" --owner "test/$pod" "$@"
}
release() { ctl release --device "$(pod_device "$1")"; }

# The last event that has all of the pieces of text, whole.
last_event() {
	awk 'BEGIN { for (i = 2; i < ARGC; i++) { pieces[i] = ARGV[i]; delete ARGV[i] } }
		{ for (i in pieces) if (!index($0, pieces[i])) next; last = $0 }
		END { if (last == "") exit 1; print last }' "$warden_events" "$@"
}
event_found() { last_event "$@" >"$lab_state/event"; }

# KEY=VALUE…: waits for an event with them all, and prints it. A value is a string, or with KEY:=VALUE a number.
event() {
	local pair pieces=()
	for pair in "$@"; do
		case $pair in
		*:=*) pieces+=("\"${pair%%:=*}\":${pair#*:=}") ;;
		*) pieces+=("\"${pair%%=*}\":\"${pair#*=}\"") ;;
		esac
	done
	wait_until 5 event_found "${pieces[@]}"
	first_line "$lab_state/event"
}

forget_events() { : >"$warden_events"; }

# A request to wardend empties the ring first, so that what had to come has come.
no_event() {
	ctl events >/dev/null
	expect_fail "no event with $*" last_event "$@"
}

# CMD… is refused with EPERM, as the raw verbs client says by its exit status.
refused() {
	local status=0
	"$@" || status=$?
	[ "$status" = 3 ] || { printf 'status %s, expected EPERM, of: %s\n' "$status" "$*"; return 1; }
}

# As above; or killed in the call, where the kernel says that it skipped one of the guard's tracing programs: while others open at the
# same time, on a preemptible kernel (guard.every-call).
kept_out() {
	local status=0
	"$@" || status=$?
	[ "$status" != 137 ] || { skips_calls && return; }
	[ "$status" = 3 ] || { printf 'status %s, expected EPERM, of: %s\n' "$status" "$*"; return 1; }
}
skips_calls() { bpftool -j prog list | jq -e 'any(.[]; (.name // "" | startswith("open_")) and .recursion_misses > 0)'; }

intruder_tries=$lab_state/tries
intruder_got=$lab_state/opened

# Who is neither refused nor killed in the call (137: what fmod_ret programs may miss, the second line kills) is written down with his
# status: who finds no node proves nothing.
open_again() {
	local node status
	while :; do
		for node; do
			echo "$node" >>"$intruder_tries"
			status=0
			uverbs open "$node" >/dev/null 2>&1 || status=$?
			[ "$status" = 3 ] || [ "$status" = 137 ] || echo "$node: status $status" >>"$intruder_got"
		done
	done
}

# NODE…: a stranger opens them, again and again, until intruder_end.
intruder_begin() {
	rm -f "$intruder_tries" "$intruder_got"
	open_again "$@" &
	intruder=$!
}

# It tried, and nothing came through: a single success shows a moment without the rule.
intruder_end() {
	kill "$intruder"
	wait "$intruder" 2>/dev/null || true
	expect 'it tried' test "$(wc -l <"$intruder_tries")" -gt 10
	[ ! -e "$intruder_got" ] || { echo 'an open came through:' && cat "$intruder_got" && return 1; }
}
