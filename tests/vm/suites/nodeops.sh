#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The operations that an attachment is made of, one at a time on real VFs: ip, rdma and tcpdump are the witnesses.
set -uo pipefail
. "$LAB_REPO/tests/vm/lib.sh"

vf=$(vf_list | head -n 1)
far=$(vf_list | tail -n 1) # of the other PF: between both is the wire
state() { nodeops vf-get "$vf"; }

# JQ: what ip says of the VF.
ip_says() {
	local pf number
	pf=$(ls "/sys/bus/pci/devices/$vf/physfn/net")
	for number in 0 1 2 3 4 5 6 7; do
		[ "$(basename "$(readlink "/sys/bus/pci/devices/$vf/physfn/virtfn$number")")" != "$vf" ] || break
	done
	ip -j link show "$pf" | jq -c --argjson vf "$number" ".[0].vfinfo_list[] | select(.vf == \$vf) | $1"
}

says() { [ "$(ip_says "$1")" = "$2" ] || { printf 'ip says %s: %s, not %s\n' "$1" "$(ip_says .)" "$2"; return 1; }; }

# REGEX CMD…: it fails, with such a sentence.
fails() {
	local wanted=$1 said
	shift
	if said=$("$@" 2>&1); then printf 'worked: %s\n' "$*"; return 1; fi
	expect_match "$wanted" "$said"
}

# What a case has left in the netns "moved" comes back, so that one failure does not make the next.
put_back() {
	if [ -e /run/netns/moved ]; then
		if ip -n moved link show net1 >/dev/null 2>&1; then nodeops move moved net1 - restored; fi
		ip netns delete moved
	fi
	vf_no_hcasim "$vf"
}

# ---- VFs ----

t_settings() {
	local before
	before=$(state)
	nodeops vf-set "$vf" vlan=100 qos=3 mac=02:00:00:00:77:01 spoofchk=0 trust=1
	says '.vlan_list[0] | [.vlan, .qos]' '[100,3]'
	says '[.address, .spoofchk, .trust]' '["02:00:00:00:77:01",false,true]'
	expect_match '^mac=02:00:00:00:77:01 vlan=100 qos=3 proto=8100 .*spoofchk=0 trust=1 link=0$' "$(state)"
	nodeops vf-set "$vf" vlan=0 qos=0 mac=00:00:00:00:00:00 spoofchk=1 trust=0
	expect_match "^${before#* }\$" "$(state | cut -d ' ' -f 2-)"
}

# From before to after, with another state between.
t_restored() {
	local before
	nodeops vf-set "$vf" vlan=7 mac=02:00:00:00:77:02 spoofchk=1 trust=0
	before=$(state)
	expect_match '^mac=02:00:00:00:77:03 vlan=9 .*spoofchk=0 trust=1' \
		"$(nodeops vf-around "$vf" vlan=9 mac=02:00:00:00:77:03 spoofchk=0 trust=1)"
	expect_match "^$before\$" "$(state)"
	nodeops vf-set "$vf" vlan=0 mac=00:00:00:00:00:00
}

# igb has no link state, and no 802.1ad. What is so already is not asked of it.
t_refused() {
	fails "^VF $vf: cannot set link state: Operation not supported\$" nodeops vf-set "$vf" vlan=5 link=1
	says '.vlan_list[0].vlan' 5 # what came before is there, and can be told by looking
	nodeops vf-set "$vf" vlan=0 link=0
	fails "^VF $vf: cannot set VLAN: Protocol not supported\$" nodeops vf-set "$vf" vlan=5 proto=802.1ad
	fails "^VF $vf: no such VLAN\$" nodeops vf-set "$vf" vlan=4095 # which igb would take
	fails "^VF $vf: no such VLAN priority\$" nodeops vf-set "$vf" vlan=5 qos=8
	fails "^VF $vf: cannot set rate: " nodeops vf-set "$vf" max=1000000
	fails 'No such device' nodeops vf-set 0000:00:00.0 vlan=5
	expect_match ' vlan=0 qos=0 ' "$(state)"
}

t_driver() {
	expect_match '^netdev igbvf$' "$(nodeops driver "$far")"
	wait_until 20 test -n "$(vf_netdev "$far")"
	echo "$far" >/sys/bus/pci/drivers/igbvf/unbind
	expect_match '^none $' "$(nodeops driver "$far")"
	echo "$far" >/sys/bus/pci/drivers/igbvf/bind
	wait_until 5 test -d "/sys/bus/pci/devices/$far/net"
	fails 'No such device' nodeops driver 0000:ff:1f.7
	fails 'No such device' nodeops driver ../..
}

# ---- netdevs ----

t_moved() {
	trap put_back EXIT
	local netdev mac
	netdev=$(vf_netdev "$vf") mac=$(cat "/sys/class/net/$(vf_netdev "$vf")/address")
	ip netns add moved
	expect_match '^moved net1$' "$(nodeops move - "$netdev" moved net1 02:00:00:00:77:05 1400)"
	expect_match '^\["02:00:00:00:77:05",1400\]$' "$(ip -n moved -j link show net1 | jq -c '.[0] | [.address, .mtu]')"
	fails "the name lo is taken in the target netns" nodeops move moved net1 - lo
	expect_match "^moved $netdev\$" "$(nodeops move moved net1 - "$netdev" "$mac" 1500)"
	expect_match "^\"$mac\",1500\$" "$(ip -j link show "$netdev" | jq -rc '.[0] | "\"\(.address)\",\(.mtu)"')"
}

# Where the PF has set a MAC, igbvf has that one after its next reset and takes no other.
t_mac() {
	local netdev mac
	netdev=$(vf_netdev "$vf") mac=$(cat "/sys/class/net/$(vf_netdev "$vf")/address")
	nodeops mac - "$netdev" 02:00:00:00:77:06
	expect_match '^02:00:00:00:77:06$' "$(cat "/sys/class/net/$netdev/address")"
	nodeops vf-set "$vf" mac=02:00:00:00:77:08
	nodeops mac - "$netdev" 02:00:00:00:77:08
	expect_match '^02:00:00:00:77:08$' "$(cat "/sys/class/net/$netdev/address")"
	fails "netdev $netdev: cannot set the MAC: " nodeops mac - "$netdev" 02:00:00:00:77:09
	nodeops vf-set "$vf" mac=00:00:00:00:00:00
	nodeops mac - "$netdev" "$mac"
}

two_pods() {
	pod_create near --vf "$vf"
	pod_create far --vf "$far"
	ip -n near address flush dev net1
	nodeops configure near net1 10.77.1.5/24 2001:db8:77:1::5/64
}

# A tcpdump in the other pod hears what is announced.
t_announced() {
	local mac heard pid
	two_pods
	mac=$(ip netns exec near cat /sys/class/net/net1/address) heard=$lab_state/heard
	ip netns exec far tcpdump -Z root -i net1 -nne -l 'arp or (icmp6 and ip6[40] == 136)' >"$heard" 2>"$heard.err" &
	pid=$!
	wait_until 20 grep -q 'listening on' "$heard.err"
	nodeops announce near net1 10.77.1.5/24 2001:db8:77:1::5/64
	wait_until 10 grep -q "$mac > ff:ff:ff:ff:ff:ff, ethertype ARP .*Announcement 10.77.1.5\|$mac > ff:ff:ff:ff:ff:ff, ethertype ARP .*who-has 10.77.1.5 .*tell 10.77.1.5" "$heard"
	wait_until 10 grep -q "$mac > 33:33:00:00:00:01, .*2001:db8:77:1::5 > ff02::1: .*neighbor advertisement, .*tgt is 2001:db8:77:1::5" "$heard"
	kill "$pid"
	wait "$pid" || true
}

t_conflicts_and_gateways() {
	local mac
	two_pods
	mac=$(ip netns exec far cat /sys/class/net/net1/address)
	nodeops configure far net1 10.77.1.6/24 2001:db8:77:1::6/64
	nodeops conflicts near net1 10.77.1.7/24 2001:db8:77:1::7/64
	fails "10.77.1.6/24 is in use by $mac" nodeops conflicts near net1 10.77.1.6/24
	fails "2001:db8:77:1::6/64 is in use by $mac" nodeops conflicts near net1 2001:db8:77:1::6/64
	nodeops gateway near net1 10.77.1.6 10.77.1.5
	nodeops gateway near net1 2001:db8:77:1::6 2001:db8:77:1::5
	fails 'the gateway 10.77.1.9 did not answer' nodeops gateway near net1 10.77.1.9 10.77.1.5
	nodeops flush near net1
	expect_match '^0$' "$(ip -n near -j address show dev net1 | jq '.[0].addr_info | length')"
}

# ---- RDMA devices ----

need_exclusive() {
	need_rdma hcasim
	rdma_mode exclusive
}

t_rdma_device() {
	trap put_back EXIT
	local device
	need_exclusive
	device=$(vf_hcasim "$vf")
	expect_match "^$device\$" "$(nodeops rdma-children - "$vf")"
	expect_match '^$' "$(nodeops rdma-children - "$far")"
	ip netns add moved
	nodeops move - "$(vf_netdev "$vf")" moved net1 >"$lab_state/was"
	nodeops rdma-move - "$device" moved
	expect_match '^$' "$(nodeops rdma-children - "$vf")"
	expect_match "^$device\$" "$(nodeops rdma-children moved "$vf")" # by its parent, in the netns it is in
	expect_fail 'the host sees it' rdma dev show "$device"
	ip netns exec moved rdma dev show "$device"
	fails 'no GID of the address' nodeops rdma-gid moved "$device" 10.77.1.5 100
	nodeops configure moved net1 10.77.1.5/24 2001:db8:77:1::5/64
	nodeops rdma-gid moved "$device" 10.77.1.5 15000
	nodeops rdma-gid moved "$device" 2001:db8:77:1::5 15000
	fails 'No such device' nodeops rdma-gid - "$device" 10.77.1.5 100
	nodeops rdma-rename moved "$device" other_name
	expect_match '^other_name$' "$(nodeops rdma-children moved "$vf")"
	fails '"a%d" is no name' nodeops rdma-rename moved other_name a%d
	nodeops rdma-rename moved other_name "$device"
	nodeops rdma-move moved "$device" -
	expect_match "^$device\$" "$(nodeops rdma-children - "$vf")"
}

t_shared_mode() {
	trap put_back EXIT
	local device
	need_rdma hcasim
	rdma_mode shared
	device=$(vf_hcasim "$vf")
	ip netns add moved
	fails 'cannot be moved: the RDMA subsystem is in shared netns mode' nodeops rdma-move - "$device" moved
}

t_rxe() {
	trap put_back EXIT
	kernel_at_least 7.0 || skip "before 7.3 rxe cannot change netns: $(uname -r)"
	rdma_mode exclusive
	ip netns add moved
	nodeops move - "$(vf_netdev "$vf")" moved net1
	nodeops configure moved net1 10.77.1.5/24
	nodeops rxe-add moved rxe_pod net1
	nodeops rdma-move - rxe_pod moved
	nodeops rdma-gid moved rxe_pod 10.77.1.5 15000
	fails 'File exists|busy' nodeops rxe-add moved rxe_two net1
	nodeops rxe-delete moved rxe_pod
	expect_fail 'it is there' ip netns exec moved rdma dev show rxe_pod
	fails 'No such device' nodeops rxe-add moved rxe_pod net9
}

# Before 7.3 a device is made and ended where its netdev is, in the initial netns.
t_rxe_here() {
	local netdev
	netdev=$(vf_netdev "$vf")
	nodeops rxe-add - rxe_here "$netdev"
	rdma dev show rxe_here
	nodeops rxe-delete - rxe_here
	expect_fail 'it is there' rdma dev show rxe_here
	fails 'is no name' nodeops rxe-add - '' "$netdev"
}

run_case 'settings of a VF' t_settings
run_case 'a VF is restored' t_restored
run_case 'what the driver refuses' t_refused
run_case 'the driver of a function' t_driver
run_case 'a VF moves and comes back' t_moved
run_case "a VF's MAC" t_mac
run_case 'addresses are announced' t_announced
run_case 'conflicts and gateways' t_conflicts_and_gateways
run_case 'soft RoCE in the initial netns' t_rxe_here
run_case 'an RDMA device moves' t_rdma_device
run_case 'shared netns mode' t_shared_mode
run_case 'soft RoCE in a pod' t_rxe
suite_end
