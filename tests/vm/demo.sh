#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The story of two pods and an intruder, told live: `make demo`, or tests/vm/run --kernel 7.3 tests/vm/demo.sh [--colour].
# 7.3 because there an rxe device moves into a pod and carries traffic in it; a third pod has a simulated one that, unlike rxe
# and like hardware, is a child of its VF and outlives its pod. Everything that is told is checked; the first
# thing that goes otherwise ends the demo with a status of 1 and the name of its scene.
set -uo pipefail
# shellcheck source=lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
set +m

config=/etc/rdma-warden/config.json
work=$lab_state/demo
events_json=$work/events.json
wardend_log=$work/wardend.log
seen_events=$work/seen
mkdir -p "$work"
: >"$seen_events"

right_class=160 # DSCP 40, what the profile spiderpool expects
wrong_class=104 # DSCP 26

# The guest's standard output is never a terminal; who starts it says whether the other end is one.
bold='' dim='' red='' green='' yellow='' blue='' plain=''
if [ "${1-}" = --colour ]; then
	bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' blue=$'\e[36m' plain=$'\e[0m'
fi

# ---- telling ----

scene_letter='' scene_title='' scene_expected=''
rows=()

# LETTER TITLE EXPECTED; the text is on standard input
scene() {
	scene_letter=$1 scene_title=$2 scene_expected=$3
	printf '\n%s== (%s) %s%s\n' "$bold$blue" "$1" "$2" "$plain"
	sed 's/^\t*/   /'
	mark_events
}

# What was seen, for the table at the end.
scene_end() {
	rows+=("$scene_letter|$scene_expected|$1")
	printf '   %s=> %s%s\n' "$green" "$1" "$plain"
}

say() { printf '   %s%s%s\n' "$dim" "$*" "$plain"; }

# WHERE COMMAND: a prompt of the node or of a pod, and what is typed there
show() {
	local where=$1
	shift
	printf ' %s%s $%s %s\n' "$bold" "$where" "$plain" "$*"
}

# WHERE CMD…: shows the command, runs it there and shows its output; the status is left in $status, the output in $output.
run() {
	local where=$1
	shift
	show "$where" "$*"
	run_quietly "$where" "$@"
	[ -z "$output" ] || printf '     %s\n' "${output//$'\n'/$'\n'     }"
	[ "$status" = 0 ] || printf '     %s(status %s)%s\n' "$dim" "$status" "$plain"
}

run_quietly() {
	local where=$1
	shift
	status=0
	if [ "$where" = node ]; then
		output=$("$@" 2>&1) || status=$?
	else
		output=$(pod_exec "$where" "$@" 2>&1) || status=$?
	fi
}

# ---- checking ----

# WHAT CMD…
must() {
	local what=$1
	shift
	if "$@"; then
		printf '   %sok%s %s\n' "$green" "$plain" "$what"
	else
		not_as_told "$what"
	fi
}

not_as_told() {
	printf '\n%sNOT AS TOLD in scene (%s) %s: %s%s\n' "$red$bold" "$scene_letter" "$scene_title" "$*" "$plain"
	[ ! -s "$wardend_log" ] || tail -n 20 "$wardend_log" | sed 's/^/   wardend: /'
	rows+=("$scene_letter|$scene_expected|NOT: $*")
	summary
	exit 1
}

worked() { [ "$status" = 0 ]; }
# The raw verbs client ends with 3 on EPERM.
refused() { [ "$status" = 3 ]; }
ended_with_an_error() { [ "$status" != 0 ]; }
# What this version of the warden does not judge yet is said too, and is no lack of the kernel.
lacks_nothing() { ! grep unavailable <<<"$output" | grep -qEv 'not in (this version|use)'; }

said() { grep -qE -- "$1" <<<"$output"; }

# ---- the events, as they come ----

follow_events() {
	show node "wardenctl events --follow &"
	wardenctl events --follow 2>/dev/null > >(
		while IFS= read -r line; do
			# First shown, then noted: whoever waits for the event has it on the screen.
			printf '   %s| event | %s%s\n' "$yellow" "$line" "$plain"
			printf '%s\n' "$line" >>"$seen_events"
		done
	) &
	follower=$!
	wait_until 5 follower_is_connected
}
follower_is_connected() { ss -xH state established | grep -q /run/rdma-warden/warden.sock; }

mark_events() { events_before=$(wc -l <"$seen_events"); }
new_events() { tail -n "+$((events_before + 1))" "$seen_events"; }
event_came() { new_events | grep -qE -- "$1"; }
# WHAT REGEX: the event has come, within five seconds, since the last mark
must_report() { must "$1" wait_until 5 event_came "$2"; }

# ---- the table ----

summary() {
	local row scene expected seen
	printf '\n%s%-6s %-57s %s%s\n' "$bold" scene expected seen "$plain"
	for row in "${rows[@]}"; do
		IFS='|' read -r scene expected seen <<<"$row"
		printf ' (%s)   %-57s %s\n' "$scene" "$expected" "$seen"
	done
}

# ---- wardend ----

wardend_answers() { kill -0 "$wardend" && wardenctl status; }

start_wardend() {
	show node "wardend --config $config &"
	wardend --config "$config" >>"$events_json" 2>"$wardend_log" </dev/null &
	wardend=$!
	disown
	wait_until 40 wardend_answers || not_as_told 'wardend starts'
	sed 's/^/     /' "$wardend_log"
}

no_wardend() { ! kill -0 "$wardend" 2>/dev/null; }

# By the PCI function where the device is its child, as on hardware.
device_of() { if [ "$(pod_get "$1" kind)" = hcasim ]; then pod_vf "$1"; else pod_rdma "$1"; fi; }

claim() {
	run node wardenctl claim --device "$(device_of "$1")" --netns "$1" --cgroup "$(pod_cgroup "$1")" --owner "demo/$1"
	must "$(pod_rdma "$1") belongs to demo/$1" worked
}

# ---- traffic ----

listens() { ip netns exec "$1" ss -Hltn "sport = :$2" | grep -q .; }

server=''
# POD PORT CLASS [ARG…]
start_server() {
	local pod=$1 port=$2 command
	command=(ib_write_bw -d "$(pod_rdma "$pod")" -p "$port" --tclass="$3" "${@:4}")
	show "$pod" "${command[*]} &"
	pod_exec "$pod" "${command[@]}" >"$work/server" 2>&1 &
	server=$!
	wait_until 20 listens "$pod" "$port" || not_as_told "the server in $pod listens"
}

# The job is a shell that waits for it, so it is ended as a pod is.
end_processes() {
	show node "echo 1 >$(pod_cgroup "$1")/cgroup.kill"
	pod_end_processes "$(pod_cgroup "$1")"
}

# Of perftest's report, the queue pair that answered and the figures.
bandwidth() { awk '/BW average/ { getline; printf "%s messages of %s bytes, %s MiB/s on average\n", $2, $1, $4 }' <<<"$output"; }

# ---- scenes ----

scene_node() {
	local pod
	scene a 'The node, without the warden' 'the kernel holds some doors and leaves two open' <<-'TEXT'
	Pods, each with an SR-IOV VF and an RDMA device on it, as a CNI chain leaves them. The RDMA subsystem is in exclusive mode, so the kernel shows and opens a device only in its own network namespace. It asks that at the open, and it asks
	for the namespace alone.
	TEXT
	run node rdma system show
	must 'the mode is exclusive' said 'netns exclusive'
	for pod in pod-a pod-b pod-c; do
		run "$pod" rdma link show
		must "$pod sees its own device and no other" is_the_only "$(pod_rdma "$pod")"
	done
	node_a=$(pod_uverbs pod-a)
	say "pod-a's device is $node_a. A process of the host:"
	run node uverbs open "$node_a"
	must 'the kernel refuses it' refused
	say 'The same process, once it has entered the network namespace (no pod, no container, only setns):'
	run node ip netns exec pod-a uverbs open "$node_a"
	must 'the kernel lets it in' worked
	say 'A descriptor that pod-a opened, used after its holder has left for the host'"'"'s namespace:'
	run pod-a uverbs reuse "$node_a" --netns /proc/1/ns/net
	must 'the kernel lets that through, too' worked
	scene_end 'plain open refused; setns and a carried descriptor went through'
}

is_the_only() { [[ $output == "link $1/1 state ACTIVE"* && $output != *$'\n'* ]]; }

scene_start() {
	scene b 'The warden takes over' 'features active, three devices claimed' <<-'TEXT'
	wardend loads its BPF programs, pins them and finds the devices. A claim says whose a device is: the owner's network
	namespace and its cgroup. From then on nobody else touches it, the host's root included.
	TEXT
	mkdir -p "${config%/*}"
	printf '{"mode":"enforce","qos":{"profile":"spiderpool","on_violation":"deny"}}\n' >"$config"
	run node cat "$config"
	start_wardend
	follow_events
	run node wardenctl capabilities
	must 'the guard is in force' said '^exclusive.open +active'
	must 'queue pairs are judged' said '^marking.verdict +active'
	must 'this kernel lacks nothing' lacks_nothing
	claim pod-a
	claim pod-b
	claim pod-c
	run node wardenctl devices
	must 'all are claimed' test "$(grep -cE 'demo/pod-[abc] +claimed' <<<"$output")" = 3
	must_report 'the claims are on record' 'claim.set +.*demo/pod-c'
	scene_end "guard $(wardenctl capabilities --json | sed -n 's/.*guard.mechanism".*"by":"\([a-z_]*\)".*/\1/p'), three claims"
}

# POD: the client's side of a transfer with the right class
transfer() {
	start_server pod-a 18515 "$right_class" -s 4096 -n 100
	run_shown_short pod-b ib_write_bw -d "$(pod_rdma pod-b)" -p 18515 --tclass="$right_class" -s 4096 -n 100 "$(pod_ip pod-a)"
	if ! worked; then
		sed 's/^/     server: /' "$work/server"
		end_processes pod-a
		return
	fi
	wait "$server" || status=$?
}

# perftest prints a page; the figures, or the error, are enough.
run_shown_short() {
	show "$1" "${*:2}"
	run_quietly "$@"
	if worked; then bandwidth; else grep -iE 'fail|unable|cannot' <<<"$output"; fi | sed 's/^ */     /'
	worked || printf '     %s(status %s)%s\n' "$dim" "$status" "$plain"
}

scene_traffic() {
	scene c 'The owners work' 'RDMA between the pods with DSCP 40' <<-TEXT
	RDMA writes from pod-b into pod-a's memory, over the wire between two VFs. Traffic class $right_class is DSCP 40, which is what the
	profile expects: the priority that the fabric keeps lossless.
	TEXT
	transfer
	must 'the transfer has run' worked
	run node wardenctl devices
	must 'the marking of both was seen and is good' test "$(grep -c ' good$' <<<"$output")" = 2
	scene_end "$(cut -d , -f 1 <<<"$(bandwidth_of_server)"), marking good"
}
bandwidth_of_server() { output=$(<"$work/server") bandwidth; }

scene_intruder() {
	scene d 'The intruder' 'all four refused and reported' <<-'TEXT'
	The doors of scene (a) once more, and the neighbour's. The last two are those that the kernel alone had left open.
	TEXT
	run node uverbs open "$node_a"
	must 'a process of the host is refused' refused
	must_report 'and reported' 'denied +exclusive.open +rxe_pod-a of demo/pod-a.*cgroup /\]'
	mark_events
	run pod-b uverbs open "$node_a"
	must 'the other pod is refused' refused
	must_report 'and named' 'denied +exclusive.open +rxe_pod-a of demo/pod-a.*pod demo/pod-b'
	mark_events
	run node ip netns exec pod-a uverbs open "$node_a"
	must 'the namespace is not enough: the cgroup is not pod-a'"'"'s' refused
	must_report 'and reported, not as the pod' 'denied +exclusive.open +rxe_pod-a of demo/pod-a.*cgroup /\]'
	mark_events
	run pod-a uverbs reuse "$node_a" --netns /proc/1/ns/net
	must 'the carried descriptor is dead' refused
	must_report 'and reported' 'denied +exclusive.inherited-fd +rxe_pod-a of demo/pod-a'
	scene_end 'four times EPERM, four events'
}

scene_marking() {
	local client right_server before command
	scene e 'The wrong marking' 'DSCP 26 refused while DSCP 40 runs' <<-TEXT
	An application of pod-b asks for traffic class $wrong_class, DSCP 26. Hardware would put that on the wire without the kernel seeing a
	packet, so the warden judges the queue pair when it is set up. The other application must not notice.
	TEXT
	# Endless, so that however slow the machine is the wrong one meets it.
	start_server pod-a 18515 "$right_class" -s 4096 -D 1 --run_infinitely
	right_server=$server
	command=(ib_write_bw -d "$(pod_rdma pod-b)" -p 18515 --tclass="$right_class" -s 4096 -D 1 --run_infinitely "$(pod_ip pod-a)")
	show pod-b "${command[*]} &"
	pod_exec pod-b "${command[@]}" >"$work/client" 2>&1 &
	client=$!
	must 'the right one sends' wait_until 20 sent_more_than "$(($(sent) + 100))"
	start_server pod-a 18516 "$right_class" -s 4096 -n 100
	run_shown_short pod-b ib_write_bw -d "$(pod_rdma pod-b)" -p 18516 --tclass="$wrong_class" -s 4096 -n 100 "$(pod_ip pod-a)"
	must 'the queue pair is refused' ended_with_an_error
	must_report 'and reported, with what was asked for and what is expected' \
		'denied +marking.dscp +rxe_pod-b of demo/pod-b: DSCP 26 asked for, by application; the profile expects 40'
	before=$(sent)
	must 'the right one still runs' kill -0 "$client"
	must 'and sends on' wait_until 20 sent_more_than "$((before + 100))"
	say "pod-b's device has sent $before packets until the refusal, $(($(sent) - before)) since"
	end_processes pod-b
	end_processes pod-a
	wait "$client" "$right_server" "$server" 2>/dev/null
	must 'stopped, its queue pairs are gone' wait_until 10 no_queue_pairs
	scene_end 'wrong one refused at set-up, right one undisturbed'
}
# Counted by the driver, whatever perftest says.
sent() { in_netns pod-b cat "/sys/class/infiniband/$(pod_rdma pod-b)/ports/1/hw_counters/sent_pkts"; }
sent_more_than() { [ "$(sent)" -gt "$1" ]; }
no_queue_pairs() { ! wardenctl devices --json | grep 'demo/pod-[ab]' | grep -v '"qps":0'; }

scene_killed() {
	local since
	scene f 'kill -9 wardend' 'rule in force without it; events kept for it' <<-'TEXT'
	The programs are pinned: the rule is the kernel's and does not need the daemon. What happens meanwhile waits in the ring.
	TEXT
	since=$(date +%s)
	run node kill -9 "$wardend"
	must 'wardend is gone' wait_until 10 no_wardend
	wait "$follower" 2>/dev/null
	run node wardenctl status
	must 'nobody answers' ended_with_an_error
	run node ip netns exec pod-a uverbs open "$node_a"
	must 'the intruder is still refused' refused
	run pod-a uverbs reuse "$node_a" --netns /proc/1/ns/net
	must 'the carried descriptor is still dead' refused
	transfer
	must 'the owners still work' worked
	start_wardend
	run node wardenctl events --since "$since"
	must 'it reports the open that it was not there for' said 'denied +exclusive.open +rxe_pod-a of demo/pod-a'
	must 'and the use of the descriptor' said 'denied +exclusive.inherited-fd +rxe_pod-a of demo/pod-a'
	must 'the claims are still there' test "$(wardenctl devices | grep -cE 'demo/pod-[abc] +claimed')" = 3
	follow_events
	scene_end 'refused without wardend, two events delivered late'
}

scene_pod_dies() {
	local vf node_c
	scene g 'A pod dies' 'device closed to all until proved clean' <<-'TEXT'
	pod-c's network namespace ends and the kernel hands the device back to the host, with whatever the pod had: here the PF still
	trusts its VF. The claim outlives the namespace: nobody gets the device until it is proved clean.
	TEXT
	vf=$(pod_vf pod-c)
	vf_set "$vf" trust on
	run node ip netns delete pod-c
	must_report 'the device is reported as an orphan' 'exclusive.orphan +hcasim0 of demo/pod-c'
	wait_until 5 is_orphan "$vf"
	run node wardenctl devices
	must 'and shown as one' said 'demo/pod-c +orphan'
	must 'with what is not clean' said 'not clean: .*trusted'
	node_c=$(vf_node "$vf" uverbs)
	run node uverbs open "$node_c"
	must 'the host is refused' refused
	vf_set "$vf" trust off
	must_report 'with the VF mended, the claim ends by itself' 'claim.release .*its owner is gone and it is clean'
	run node uverbs open "$node_c"
	must 'now it is the host'"'"'s' worked
	scene_end 'orphan refused, free once clean'
}
is_orphan() { wardenctl devices --json | grep -F "\"pci\":\"$1\"" | grep -F '"state":"orphan"'; }

scene_unload() {
	scene h 'Unload' 'nothing is left' <<-'TEXT'
	A stopped wardend leaves the rule in force, as an upgrade needs. --unload ends it.
	TEXT
	run node kill "$wardend"
	must 'wardend is gone' wait_until 10 no_wardend
	wait "$follower" 2>/dev/null
	run node ls /sys/fs/bpf/rdma-warden
	must 'its pins are there' said links
	run node wardend --config "$config" --unload
	must 'unloaded' worked
	# The kernel frees programs and links when it gets to it.
	wait_until 20 nothing_attached || true
	run node ls -A /sys/fs/bpf
	must 'no pin' test -z "$output"
	run node bpftool link list
	must 'no link' test -z "$output"
	run node bpftool map list
	must 'no map' test -z "$output"
	run node ip netns exec pod-a uverbs open "$node_a"
	must 'and the kernel is alone again, as in scene (a)' worked
	scene_end 'no pin, no link, no map; the open door is open again'
}
nothing_attached() { [ -z "$(bpftool link list)" ] && [ -z "$(bpftool map list)" ]; }

prepare_pods() {
	local vfs
	mapfile -t vfs < <(vf_list)
	rdma_mode exclusive
	# A VF of each PF, so that what the pods send to each other crosses the wire between the PFs.
	pod_create pod-a --vf "${vfs[0]}" --rdma rxe && pod_create pod-b --vf "${vfs[-1]}" --rdma rxe &&
		pod_create pod-c --vf next --rdma hcasim
}

rdma_works rxe || rdma_mode exclusive
rdma_works rxe || { echo "demo: this kernel ($(uname -r)) cannot move an rxe device into a pod; take --kernel 7.3"; exit 1; }
printf '%sRDMA Warden: one RDMA device, one pod%s\n' "$bold" "$plain"
say "Linux $(uname -r), SR-IOV VFs of QEMU's igb, RDMA by the kernel's own rdma_rxe. '$ ' stands before what is typed, on the node"
say "or in a pod; '| event |' before what wardend reports; 'ok' before what the demo has checked."
prepare_pods || { echo 'demo: the pods cannot be made'; exit 1; }
scene_node
scene_start
scene_traffic
scene_intruder
scene_marking
scene_killed
scene_pod_dies
scene_unload
summary
