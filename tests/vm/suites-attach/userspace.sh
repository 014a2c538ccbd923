#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A VF that a userspace driver has: there is no netdev to be moved, and what the PF enforces on it is set all the same. The driver
# is uio_pci_generic, since vfio-pci wants an IOMMU; for the warden both are drivers that give a function to a process.
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../attach.sh
. "$LAB_REPO/tests/vm/attach.sh"

# VF DRIVER
bind_to() {
	local device=/sys/bus/pci/devices/$1
	[ ! -e "$device/driver" ] || echo "$1" >"$device/driver/unbind"
	echo "$2" >"$device/driver_override"
	echo "$1" >/sys/bus/pci/drivers_probe
	[ "$(basename "$(readlink "$device/driver")")" = "$2" ]
}

pf_line() { ip link show dev "$(ls "/sys/bus/pci/devices/$vf/physfn/net")" | grep -E "^ +vf 0 "; }

t_there_and_back() {
	local version=1.1.0 keys='"vlan":7,"vlanQoS":3,"mac":"02:11:22:33:44:55","trust":"on","spoofchk":"off"'
	netns_new p1
	cni_add p1 "$(conf "$vf" "$keys,\"ipam\":{}")"
	told ".interfaces | length == 1 and .[0].pciID == \"$vf\" and .[0].mac == \"02:11:22:33:44:55\" and .[0].sandbox == \"/run/netns/p1\""
	expect_match 'link/ether 02:11:22:33:44:55 .*vlan 7, qos 3, .*spoof checking off, .*trust on' "$(pf_line)"
	expect_match '^lo$' "$(ip -n p1 -json link show | jq -r '.[].ifname')"
	cni CHECK p1 "$(conf "$vf" "$keys,\"ipam\":{},$(prev p1)")"
	cni DEL p1 "$(conf "$vf" "$keys,\"ipam\":{}")"
}

# As a netdev has addresses and a userspace driver none, they are the plugin's answer and nothing else.
t_ipam() {
	netns_new p1
	cni_add p1 "$(conf "$vf" "$local_ipam")"
	told '.ips[0].address == "10.88.0.2/24"'
	cni DEL p1 "$(conf "$vf" "$local_ipam")"
}

t_what_a_netdev_needs_is_refused() {
	netns_new p1
	cni_error 7 'MTU|mtu' ADD p1 "$(conf "$vf" '"mtu":1400')"
	cni_error 7 'sysctl' ADD p1 "$(conf "$vf" '"sysctls":{"net.ipv4.conf.IFNAME.rp_filter":"2"}')"
	cni_error 7 'softroce' ADD p1 "$(conf "$vf" '"softroce":true')"
}

rdma_mode exclusive
vf=$(vf_list | head -n 1)
modprobe uio_pci_generic
bind_to "$vf" uio_pci_generic || { echo 'not ok - the VF cannot be given to uio_pci_generic'; exit 1; }
warden_start '"mode":"enforce"' || exit 1
node_note
run_attach 'the PF enforces what the configuration says' t_there_and_back
run_attach 'addresses are for the process' t_ipam
run_attach 'what needs a netdev is refused' t_what_a_netdev_needs_is_refused
warden_unload
bind_to "$vf" igbvf || echo 'not ok - the VF is not back'
echo >"/sys/bus/pci/devices/$vf/driver_override"
suite_end
