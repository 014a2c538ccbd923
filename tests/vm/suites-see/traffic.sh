#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Traffic between two pods, by perftest and rping: what /metrics and rdmatop say of it is what perftest itself reports, within 5 %.
# On soft RoCE, whose bytes vf.bpf.c counts on the VFs' netdevs; real HCAs' own counters have never been met.
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"

metrics=127.0.0.1:9779
message=65536
frame=58 # Ethernet 14, IPv4 20, UDP 8, BTH 12, ICRC 4; the RETH of a message is less than the 5 %

page() { curl -sf "http://$metrics/metrics"; }

# FAMILY POD: the value of the pod's device.
metric() {
	page | awk -v family="$1" -v pod="pod_name=\"$2\"" 'index($1, family "{") == 1 && index($0, pod) { print $NF; found = 1 } END { exit !found }'
}

# WHAT EXPECTED FOUND: within 5 %.
within_5() {
	printf '    %s: %s, by perftest %s\n' "$1" "$3" "$2" >>"$lab_state/figures"
	awk -v a="$2" -v b="$3" 'BEGIN { exit !(a > 0 && b >= a * 0.95 && b <= a * 1.05) }' ||
		{ echo "$1: $3, expected $2 within 5 %"; return 1; }
}

gid_of() { pod_exec "$1" sh -c 'grep -lix "$1" /sys/class/infiniband/"$2"/ports/1/gids/*' - "$(ipv4_gid "$(pod_ip "$1")")" "$(pod_rdma "$1")" | tail -n 1 | sed 's,.*/,,'; }

listens() { ip netns exec "$1" ss -Hltn "sport = :$2" | grep -q .; }

# ARG…: ib_write_bw from beta to alpha; the client's report is in $lab_state/client.
write_bw() {
	local server status=0
	pod_exec alpha timeout 200 ib_write_bw -d "$(pod_rdma alpha)" -F -x "$(gid_of alpha)" -s "$message" --tclass 160 "$@" >"$lab_state/server" 2>&1 &
	server=$!
	wait_until 20 listens alpha 18515
	pod_exec beta timeout 200 ib_write_bw -d "$(pod_rdma beta)" -F -x "$(gid_of beta)" -s "$message" --tclass 160 "$@" "$(pod_ip alpha)" >"$lab_state/client" 2>&1 || status=$?
	wait "$server" || status=$?
	[ "$status" = 0 ] || cat "$lab_state/server" "$lab_state/client"
	return "$status"
}

# COLUMN: of the report's line: bytes, iterations, peak, average (MiB/s), messages (Mpps).
reported() { awk -v size="$message" -v column="$1" '$1 == size { print $column }' "$lab_state/client"; }

t_bytes() {
	local out packets in before_in before_out before_packets sent
	before_out=$(metric rdma_warden_device_transmit_bytes_total beta)
	before_packets=$(metric rdma_warden_device_transmit_packets_total beta)
	before_in=$(metric rdma_warden_device_receive_bytes_total alpha)
	write_bw -n 200
	out=$(($(metric rdma_warden_device_transmit_bytes_total beta) - before_out))
	packets=$(($(metric rdma_warden_device_transmit_packets_total beta) - before_packets))
	in=$(($(metric rdma_warden_device_receive_bytes_total alpha) - before_in))
	sent=$(($(reported 2) * message))
	within_5 'bytes that beta sent' "$sent" "$((out - packets * frame))"
	within_5 'bytes that alpha received' "$sent" "$((in - packets * frame))"
	within_5 'packets that beta sent' "$((sent / 1024))" "$packets"
}
