#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# /metrics in the lab: each family of the contract, the same figures as other tools read from the kernel, series that end with their pod,
# violations at once, and what a scrape costs.
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../attach.sh
. "$LAB_REPO/tests/vm/attach.sh"

page=$lab_state/page
url=http://127.0.0.1:9779

scrape() { curl -sS --fail -o "$page" "$url/metrics"; }

# SERIES-PIECE…: the value of the one sample that has them all.
value() {
	awk 'BEGIN { for (i = 2; i < ARGC; i++) { pieces[i] = ARGV[i]; delete ARGV[i] } }
		/^#/ { next }
		{ for (i in pieces) if (!index($0, pieces[i])) next; print $NF; n++ }
		END { exit n != 1 }' "$page" "$@" || { printf 'not one sample has: %s\n' "$*" >&2; return 1; }
}

# VALUE SERIES-PIECE…
sample_is() {
	local expected=$1 found
	shift
	found=$(value "$@")
	[ "$found" = "$expected" ] || { printf '%s is %s, expected %s\n' "$*" "$found" "$expected"; return 1; }
}

# REGEX: no sample has it.
no_sample() { expect_fail "no sample has $1" grep -v '^#' "$page" -e '' | grep -E "$1"; }

# NETNS CMD…: with the sysfs of that netns.
inside() { ip netns exec "$@"; }

counter() { printf '/sys/kernel/debug/hcasim/%s/counters/%s\n' "$1" "$2"; }

families='build_info enforcing guard_info exclusive_mode capability devices claims attachments quarantined_vfs contradictions device_info
	device_link_up device_link_speed_bytes_per_second device_queue_pairs device_memory_regions device_memory_region_bytes
	device_completion_queues device_contexts device_connections device_receive_bytes_total device_transmit_bytes_total
	device_receive_packets_total device_transmit_packets_total device_marking device_address_vectors_total roce_packets_total
	roce_bytes_total violations_total device_violations_total pf_link_up pf_link_speed_bytes_per_second pf_pause_frames_total
	pf_discards_total pf_pfc_enabled attach_duration_seconds lost_total program_skipped_total programs source_up source_age_seconds
	source_failures_total pods scrape_duration_seconds scrape_unread'

t_families() {
	local family
	pod_add p1 "$vf"
	scrape
	for family in $families; do
		expect "the family $family stands there once" test "$(grep -c "^# TYPE rdma_warden_$family " "$page")" = 1
	done
	promtool check metrics <"$page"
	sample_is 1 'rdma_warden_exclusive_mode'
	sample_is 1 'rdma_warden_enforcing'
	sample_is 0 'rdma_warden_scrape_unread'
	sample_is 1 'rdma_warden_device_info{' "pci=\"$vf\"" 'pod_namespace="ml",pod_name="p1"' 'state="claimed",claim_source="cni"'
	sample_is 1 'rdma_warden_attachments{step="attached"}'
	sample_is 1 'rdma_warden_attach_duration_seconds_count{command="ADD",step=""}'
	pod_del p1 "$vf"
}

# Those of RDMA netlink as rdma(8) reads them in the pod's netns, after each has been given another value; sysfs says the same.
t_counters() {
	local device name value n=0
	pod_add p1 "$vf"
	device=$(rdma_in p1 "$vf")
	for name in np_cnp_sent rp_cnp_handled out_of_sequence packet_seq_err rx_write_requests rx_read_requests; do
		echo $((n += 1000003)) >"$(counter "$vf" "$name")"
	done
	scrape
	inside p1 rdma -j statistic show link "$device/1" >"$lab_state/statistic"
	while read -r name value; do
		sample_is "$value" "rdma_${name}_total{" "ifname=\"$device\"" 'is_root="false"' 'pod_namespace="ml",pod_name="p1"'
		[ "$(inside p1 cat "/sys/class/infiniband/$device/ports/1/hw_counters/$name")" = "$value" ]
	done < <(jq -r '.[0] | to_entries[] | select(.value | type == "number") | select(.key != "port" and .key != "ifindex") | "\(.key) \(.value)"' "$lab_state/statistic")
	sample_is 1000003 'rdma_np_cnp_sent_total{' "ifname=\"$device\""
	expect 'all of them were compared' test "$(jq '.[0] | length' "$lab_state/statistic")" -gt 25
	pod_del p1 "$vf"
}

# What processes have, as `rdma resource` lists it.
# WORD: those that processes have; the netns shows its own device alone.
listed() { inside p1 rdma -j resource show "$1" | jq '[.[] | select(.pid)]'; }
held() { [ "$(listed qp | jq length)" = 2 ]; }
t_objects() {
	local kind word holder
	pod_add p1 "$vf"
	ip netns exec p1 uverbs hold "$(vf_node "$vf" uverbs)" --qps 2 --mrs 3 <>"$lab_never" >"$lab_state/holder" 2>&1 3>&- &
	holder=$!
	wait_until 20 held
	scrape
	for kind in 'qp queue_pairs' 'mr memory_regions' 'cq completion_queues' 'ctx contexts'; do
		word=${kind% *}
		sample_is "$(listed "$word" | jq length)" \
			"rdma_warden_device_${kind#* }{" "pci=\"$vf\""
	done
	sample_is 2 'rdma_warden_device_queue_pairs{' "pci=\"$vf\""
	sample_is 3 'rdma_warden_device_memory_regions{' "pci=\"$vf\""
	sample_is "$(listed mr | jq 'map(.mrlen) | add')" \
		'rdma_warden_device_memory_region_bytes{' "pci=\"$vf\""
	printf '{"request":"qps","device":"%s"}\n' "$vf" | socat -t10 - "UNIX:$warden_socket" >"$lab_state/qps"
	# shellcheck disable=SC2016 # it is jq's variable
	expect 'both queue pairs, of that process' jq -es --argjson pid "$holder" \
		'length == 3 and .[0].pid == $pid and .[1].pid == $pid and .[0].comm == "uverbs" and .[0].qpn != .[1].qpn and .[2].ok' \
		"$lab_state/qps"
	kill "$holder"
	wait "$holder" || true
	pod_del p1 "$vf"
}

denied_are() { scrape && sample_is "$1" 'rdma_warden_violations_total{rule="exclusive.open",verdict="denied"}'; }

# A refused open is there with the next scrape, and all of many that were merged.
t_violations() {
	local node before i
	pod_add p1 "$vf"
	node=$(vf_node "$vf" uverbs)
	scrape
	before=$(value 'rdma_warden_violations_total{rule="exclusive.open",verdict="denied"}' || echo 0)
	refused uverbs open "$node"
	scrape
	sample_is $((before + 1)) 'rdma_warden_violations_total{rule="exclusive.open",verdict="denied"}'
	sample_is 1 'rdma_warden_device_violations_total{' "pci=\"$vf\"" 'pod_name="p1"' 'rule="exclusive.open",verdict="denied"'
	for ((i = 0; i < 5; i++)); do refused uverbs open "$node"; done
	wait_until 20 denied_are $((before + 6))
	pod_del p1 "$vf"
}

# With the pod its series end, and the next one on the same VF begins with none of its violations.
t_end() {
	pod_add p1 "$vf"
	refused uverbs open "$(vf_node "$vf" uverbs)"
	scrape
	expect 'it is there' grep -q 'pod_name="p1"' "$page"
	pod_del p1 "$vf"
	scrape
	expect_fail 'no series of p1 is left' grep 'pod_name="p1"' "$page"
	sample_is 1 'rdma_warden_device_info{' "pci=\"$vf\"" 'pod_namespace="",pod_name=""' 'state="free"'
	pod_add p2 "$vf"
	scrape
	expect_fail 'p2 has no violations' grep '^rdma_warden_device_violations_total{.*pod_name="p2"' "$page"
	pod_del p2 "$vf"
}

t_http() {
	curl -sS -D "$lab_state/head" -o "$page" -H 'Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5' "$url/metrics"
	expect_match 'application/openmetrics-text; version=1.0.0' "$(<"$lab_state/head")"
	expect_match '# EOF$' "$(tail -n 1 "$page")"
	grep -qx '# TYPE rdma_warden_violations counter' "$page"
	expect_match 'text/plain; version=0.0.4' "$(curl -sS -I "$url/metrics")"
	expect_match '^ready' "$(curl -sS --fail "$url/readyz")"
	expect_match '^alive' "$(curl -sS --fail "$url/healthz")"
	expect '404' test "$(curl -sS -o /dev/null -w '%{http_code}' "$url/")" = 404
	expect '405' test "$(curl -sS -o /dev/null -w '%{http_code}' -X POST -d x "$url/metrics")" = 405
}

is_taken() { [ -n "$(ss -Hltn 'sport = :9779')" ]; }

# A wardend whose address is taken says so, and which key.
t_bind() {
	local taker
	warden_stop
	socat TCP-LISTEN:9779,bind=127.0.0.1,reuseaddr,fork /dev/null </dev/null >/dev/null 2>&1 3>&- &
	taker=$!
	# shellcheck disable=SC2064 # that process
	trap "kill $taker" EXIT
	wait_until 10 is_taken
	forget_events
	warden_start "$keys"
	event kind=fault 'message=metrics: cannot listen on 127.0.0.1:9779: Address already in use; it is tried again'
	kill "$taker"
	trap - EXIT
	wait_until 60 curl -sS --fail "$url/readyz"
	warden_start '"mode":"enforce","metrics":""'
	expect_fail 'nobody listens' curl -sS "$url/healthz"
	warden_start "$keys,\"metrics\":\"[::1]:9779\""
	curl -sS --fail -g 'http://[::1]:9779/healthz'
	warden_start "$keys"
}

# Who asks while a reading is under way gets that one: of eight at once fewer than eight are read. wardend is held meanwhile, so that
# they come together however slow the machine is.
eight_wait() { [ "$(ss -Htn state established 'dport = :9779' | wc -l)" -ge 8 ]; }
at_once() {
	local i pids=() pid
	pid=$(cat "$warden_dir/pid")
	rm -f "$lab_state"/at-once.*
	kill -STOP "$pid"
	for i in 1 2 3 4 5 6 7 8; do
		curl -sS --fail -o "$lab_state/at-once.$i" "$url/metrics" &
		pids+=($!)
	done
	wait_until 20 eight_wait
	kill -CONT "$pid"
	wait "${pids[@]}"
	[ "$(sed -n 's/^rdma_warden_scrape_duration_seconds //p' "$lab_state"/at-once.* | sort -u | wc -l)" -lt 8 ]
}
t_shared_reading() {
	for _ in 1 2 3 4 5; do
		if at_once; then return 0; fi
	done
	return 1
}

is_traced() { grep -q '^TracerPid:[[:space:]]*[1-9]' "/proc/$(<"$warden_dir/pid")/status"; }

# System calls of wardend for one scrape.
calls_of_a_scrape() {
	local pid tracer
	pid=$(cat "$warden_dir/pid")
	strace -qq -f -c -o "$lab_state/calls" -p "$pid" 2>"$lab_state/strace" &
	tracer=$!
	wait_until 20 is_traced
	scrape
	kill "$tracer"
	wait "$tracer" || true
	awk '$NF == "total" { print $4 }' "$lab_state/calls"
}

# The least of five: wardend does other things, too.
calls() { for _ in 1 2 3 4 5; do calls_of_a_scrape; done | sort -n | head -n 1; }

# What a scrape costs grows with the devices in pods, by so many calls each, and not with netns and processes that have none.
t_cost() {
	local none some crowded n=0 one i sleepers=()
	scrape
	none=$(calls)
	for one in $(vf_list); do
		n=$((n + 1))
		pod_add "p$n" "$one"
	done
	scrape
	some=$(calls)
	for ((i = 0; i < 64; i++)); do
		ip netns add "crowd$i"
		ip netns exec "crowd$i" sleep 200 </dev/null >/dev/null 2>&1 3>&- &
		sleepers+=($!)
	done
	scrape
	crowded=$(calls)
	scrape
	printf '    %s calls with no pod, %s with %s pods, %s with 64 netns beside; %s s\n' "$none" "$some" "$n" "$crowded" \
		"$(value rdma_warden_scrape_duration_seconds)" >&3
	kill "${sleepers[@]}"
	for ((i = 0; i < 64; i++)); do ip netns delete "crowd$i"; done
	n=0
	for one in $(vf_list); do
		n=$((n + 1))
		pod_del "p$n" "$one"
	done
	expect 'at most 60 calls a pod' test $((some - none)) -le $((n * 60))
	expect 'others cost nothing' test $((crowded - some)) -le 100
}

# Where netns do not tell whose a device is: one whose netdev is in a pod, and one of a hostNetwork pod. The others are nobody's.
t_shared() {
	rdma_mode shared
	warden_start "$keys"
	pod_create inside --vf next --rdma hcasim
	pod_create beside --host --vf next --rdma hcasim
	claim inside
	claim beside
	scrape
	sample_is 0 'rdma_warden_exclusive_mode'
	sample_is 1 'rdma_warden_device_info{' "pci=\"$(pod_vf inside)\"" 'pod_namespace="test",pod_name="inside"'
	sample_is 1 'rdma_warden_device_info{' "pci=\"$(pod_vf beside)\"" 'pod_namespace="test",pod_name="beside"'
	value 'rdma_np_cnp_sent_total{' "rdma_parent_name=\"$(cd "/sys/bus/pci/devices/$(pod_vf inside)/physfn/net" && echo *)\"" 'pod_namespace="test",pod_name="inside"'
	expect 'no other device has a pod' test "$(grep '^rdma_warden_device_info{' "$page" | grep -vc 'pod_name=""')" = 2
}

# NAME FUNCTION: what a case that failed has left does not make the next.
run_see() {
	local path
	run_case "$1" "$2"
	for path in /run/netns/*; do
		[ -e "$path" ] || continue
		cni DEL "${path##*/}" "$(conf "$vf" '"ipam":{}')" >/dev/null || true
		ip netns delete "${path##*/}"
	done
}

exec 3>&1
ip link set lo up
rdma_mode exclusive
for vf in $(vf_list); do vf_hcasim "$vf" >/dev/null; done
vf=$(vf_list | head -n 1)
keys='"mode":"enforce","qos":{"profile":"nvidia"}'
warden_start "$keys" || exit 1
run_see 'each family of the contract, and promtool finds nothing' t_families
run_see 'counters are those of rdma statistic and sysfs' t_counters
run_see 'objects are those of rdma resource' t_objects
run_see 'a refused open is there with the next scrape' t_violations
run_see 'series end with their pod' t_end
run_see 'formats, endpoints and methods' t_http
run_see 'scrapes at once share a reading' t_shared_reading
run_see 'what a scrape costs' t_cost
run_see 'an address that is taken, none, and IPv6' t_bind
run_see 'shared mode, and a hostNetwork pod' t_shared
warden_unload
rdma_mode_is exclusive || wait_until 30 rdma system set netns exclusive # for the next suite
suite_end
