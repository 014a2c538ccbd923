#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What ADD and DEL cost wardend: netlink messages and processes, whatever else is on the node.
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../attach.sh
. "$LAB_REPO/tests/vm/attach.sh"
# shellcheck source=../cost.sh
. "$LAB_REPO/tests/vm/cost.sh"

readonly -A most_messages=([ADD]=30 [DEL]=40)
static_ipam='"ipam":{"type":"static","addresses":[{"address":"10.77.9.4/24","gateway":"10.77.9.1"}],"routes":[{"dst":"0.0.0.0/0"}]}'

# COMMAND POD CONFIG PROCESSES
costs() {
	local calls messages processes
	read -r calls messages processes < <(cost_of "$1" "$2" "$3")
	echo "    $1: $calls system calls, $messages netlink messages, $processes processes" >&3
	expect 'there was something to count' test "$messages" -gt 4
	expect "at most ${most_messages[$1]} messages, not $messages" test "$messages" -le "${most_messages[$1]}"
	expect "$4 processes, not $processes" test "$processes" = "$4"
}

t_plain() {
	netns_new p1
	costs ADD p1 "$(conf "$vf" '"ipam":{}')" 0
	costs DEL p1 "$(conf "$vf" '"ipam":{}')" 0
	expect_match 'ADD +\(all\) +1 times, half within +[0-9.]+ ms.*ADD +netdev +1 times.*DEL +rdma +1 times' "$(ctl timings | tr '\n' ' ')"
	expect 'a step takes no longer than the whole' jq -es 'map(select(.command == "ADD")) | .[0].max_ns >= (map(.max_ns) | max)' \
		<<<"$(ctl timings --json)" >/dev/null
}

# Everything that a PF and a netdev can be set, addresses and routes; the one process is the IPAM plugin.
t_everything() {
	local keys='"vlan":7,"vlanQoS":3,"mac":"02:11:22:33:44:55","spoofchk":"off","trust":"on","max_tx_rate":100,"mtu":1400'
	netns_new p1
	costs ADD p1 "$(conf "$vf" "$keys,$static_ipam")" 1
	costs DEL p1 "$(conf "$vf" "$keys,$static_ipam")" 1
}

exec 3>&1
rdma_mode exclusive
for vf in $(vf_list); do vf_hcasim "$vf" >/dev/null; done
vf=$(vf_list | head -n 1)
warden_start '"mode":"enforce"' || exit 1
node_note
run_attach 'a VF and its RDMA device, nothing else' t_plain
run_attach 'with all settings, an address and a route' t_everything
warden_unload
suite_end
