#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The CNI plugin, called as a runtime calls it: a VF and its RDMA device go into a netns and come back. What else is tried of it
# is in tests/vm/suites-attach, which is not part of `make check` yet.
set -uo pipefail
. "$LAB_REPO/tests/vm/lib.sh"
. "$LAB_REPO/tests/vm/warden.sh"

export RDMA_WARDEN_SOCKET=$warden_socket
leases=$lab_state/leases
answer=$lab_state/answer

conf() {
	printf '{"cniVersion":"%s","name":"roce","type":"rdma-warden","deviceID":"%s","vlan":5,"mac":"02:11:22:33:44:55","mtu":1400,%s%s}' \
		"${version-1.0.0}" "$vf" "\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"$leases\",\"ranges\":[[{\"subnet\":\"10.88.0.0/24\"}]]}" "${1-}"
}

# COMMAND CONTAINER [MORE]: the configuration with more keys.
cni() {
	CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/$2 CNI_IFNAME=net1 CNI_PATH=/usr/lib/cni \
		CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=test;K8S_POD_NAME=$2" rdma-warden >"$answer" <<<"$(conf "${3-}")"
}

refused_with() {
	local code=$1
	shift
	expect_fail "refused with $code" "$@"
	expect_match "\"code\":$code," "$(<"$answer")"
}

# All that the VF has at home: netdev, MAC, MTU, what its PF sets, and its RDMA device.
at_home() {
	local netdev
	netdev=$(vf_netdev "$vf")
	printf '%s %s %s ' "$netdev" "$(<"/sys/class/net/$netdev/address")" "$(<"/sys/class/net/$netdev/mtu")"
	ip link show "$pf" | grep "vf $number "
	vf_rdma "$vf"
}

is_home() {
	[ "$(at_home)" = "$as_before" ] || { printf 'at home: %s\nbefore: %s\n' "$(at_home)" "$as_before"; return 1; }
	[ -z "$(ctl attachments --json)" ]
	expect_match '^$' "$(ls "$warden_dir/state/attach")"
	expect_match '^$' "$(compgen -G "$leases/roce/10.*" || true)"
}

t_there_and_back() {
	ip netns add p1
	cni ADD p1
	expect_match '"address":"10.88.0.[0-9]+/24"' "$(<"$answer")"
	expect_match 'mtu 1400 .*link/ether 02:11:22:33:44:55 .*inet 10.88.0' "$(ip -n p1 address show net1 | tr '\n' ' ')"
	expect_match "$rdma/1 state ACTIVE .* netdev net1" "$(ip netns exec p1 rdma link)"
	expect_match 'vlan 5' "$(ip link show "$pf" | grep "vf $number ")"
	expect_match '"owner":"test/p1"' "$(ctl devices --json | grep -F "\"pci\":\"$vf\"")"
	cni CHECK p1 ",\"prevResult\":$(<"$answer")"
	refused_with 11 cni ADD p1
	cni DEL p1
	is_home
	cni DEL p1
	ip netns delete p1
}

t_netns_gone() {
	ip netns add p2
	cni ADD p2
	ip netns delete p2
	cni DEL p2
	is_home
}

t_killed_between() {
	ip netns add p3
	cni ADD p3
	warden_kill
	refused_with 11 cni DEL p3
	warden_start "$enforce"
	cni DEL p3
	is_home
	ip netns delete p3
}

t_errors() {
	local version=1.1.0
	ip netns add p4
	refused_with 7 cni ADD p4 ',"spoofcheck":"on"'
	expect_match 'spoofchk' "$(<"$answer")"
	refused_with 8 cni ADD nowhere
	refused_with 1 cni ADD p4 # Debian's host-local knows no 1.1.0
	is_home
	CNI_COMMAND=VERSION rdma-warden <<<'{"cniVersion":"1.0.0"}' | expect_match '"supportedVersions":\["0.3.1","0.4.0","1.0.0","1.1.0"\]' -
	ip netns delete p4
}

enforce='"mode":"enforce","qos":{"profile":"spiderpool","on_violation":"deny"}'
rdma_mode exclusive
rdma_works hcasim || { echo 'skip - a VF with an RDMA device # no test device here'; suite_end; exit; }
vf=$(free_vf) rdma=$(vf_hcasim "$vf")
pf=$(ls "/sys/bus/pci/devices/$vf/physfn/net")
number=0
netdev_up '' "$(vf_netdev "$vf")" "$vf"
as_before=$(at_home)
warden_start "$enforce" || { echo 'not ok - wardend starts'; exit 1; }
run_case 'a VF goes into a netns and comes back' t_there_and_back
run_case 'a netns that is gone before DEL' t_netns_gone
run_case 'wardend is killed between ADD and DEL' t_killed_between
run_case 'errors have their codes, and leave nothing' t_errors
warden_unload
ip address flush dev "$(vf_netdev "$vf")"
echo "$vf" >/sys/kernel/debug/hcasim/remove
suite_end
