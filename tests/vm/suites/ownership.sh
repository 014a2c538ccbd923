#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Ownership follows what happens to a device: moves, re-registration, the end of a netns and another one of its name.
# And what is done about a violation: reactions, cgroups of the host, merged events.
set -uo pipefail
. "$LAB_REPO/tests/vm/lib.sh"
. "$LAB_REPO/tests/vm/warden.sh"

node() { pod_uverbs owner; }
owner_works() { pod_exec owner uverbs context "$(node)"; }
line() { ctl devices --json | grep -F "\"pci\":\"$(pod_vf owner)\""; }

# The host takes the VF's netdev out of the owner's pod, and gives it back.
t_netdev_move() {
	forget_events
	ip -n owner link set net1 down
	ip -n owner link set net1 netns 1 name stray
	event kind=violation rule=exclusive.netdev-move verdict=observed "owner=test/owner" comm=ip netdev=net1
	ip link set stray netns owner name net1 # the kernel renames after the move
	event kind=change rule=netdev.move "owner=test/owner" comm=ip netdev=stray "netns_to:=$(pod_netns_inode owner)"
	netdev_up owner net1 "$(pod_vf owner)"
}

# The function is reset: another ib_device with another dev_t. Nobody can use what is gone, and what comes back is the
# owner's again, without anybody asking for it.
t_reregistered() {
	local vf before after
	vf=$(pod_vf owner)
	before=$(stat -c %t:%T "$(vf_node "$vf" uverbs)")
	forget_events
	vf_reregister "$vf"
	event kind=change rule=device.remove "pci=$vf" "owner=test/owner"
	event kind=change rule=claim.release "pci=$vf" "owner=test/owner" "message=released: the device is gone"
	event kind=change rule=claim.set "pci=$vf" "owner=test/owner" "message=claimed: the device came back"
	after=$(stat -c %t:%T "$(vf_node "$vf" uverbs)")
	expect 'another dev_t' test "$before" != "$after"
	expect_match '"state":"claimed"' "$(line)"
	refused uverbs open "$(vf_node "$vf" uverbs)"
	expect 'the owner works' pod_exec owner uverbs context "$(vf_node "$vf" uverbs)"
}

# The VF's driver is unbound under the owner and bound again: netdev and RDMA device end, and come back with the host. The VF
# takes another MAC, and the RDMA device with it another GUID: that is not what the owner had, and it is not his.
t_unbound() {
	local vf
	vf=$(pod_vf owner)
	forget_events
	wait_until 20 carrier owner net1
	echo "$vf" >"/sys/bus/pci/drivers/igbvf/unbind"
	event kind=change rule=claim.release "pci=$vf" "owner=test/owner" "message=released: the device is gone"
	echo "$vf" >"/sys/bus/pci/drivers/igbvf/bind"
	wait_until 5 test -d "/sys/bus/pci/devices/$vf/net"
	vf_hcasim "$vf"
	event kind=change rule=device.add "pci=$vf" owner=
	no_event rule=claim.set "pci=$vf"
	refused pod_exec owner uverbs open "$(vf_node "$vf" uverbs)"
	expect 'the host, as with any unclaimed device' uverbs open "$(vf_node "$vf" uverbs)"
	ip link set "$(vf_netdev "$vf")" netns owner name net1
	netdev_up owner net1 "$vf"
	claim owner
}

# A new netns of the old one's name, with a cgroup of the old one's path, is not the owner.
t_recycled_names() {
	local node cgroup
	node=$(node) cgroup=$(pod_cgroup owner)
	vf_set "$(pod_vf owner)" trust on
	ip netns delete owner
	wait_until 5 is_orphan
	rmdir "$cgroup"
	mkdir "$cgroup"
	ip netns add owner
	refused pod_exec owner uverbs open "$node"
	event rule=exclusive.open verdict=denied "owner=test/owner" "cgroup=/kubepods.slice/owner" pod=
	vf_set "$(pod_vf owner)" trust off
	event kind=change rule=claim.release "owner=test/owner"
}
is_orphan() { line | grep -F '"state":"orphan"'; }

# An operator who knows better may end the claim on a device that is not clean.
t_forced() {
	local vf
	pod_create gone --vf next --rdma hcasim
	claim gone
	vf=$(pod_vf gone)
	vf_set "$vf" trust on
	ip netns delete gone
	expect_fail 'released though it is not clean' ctl release --device "$vf"
	ctl release --device "$vf" --force
	ctl devices --json | grep -F "\"pci\":\"$vf\"" | expect_match '"state":"free"' -
	vf_set "$vf" trust off
}

t_rdma_cm() {
	pod_create bare
	[ -e /dev/infiniband/rdma_cm ] || skip 'no rdma_cm node here'
	refused pod_exec bare uverbs open /dev/infiniband/rdma_cm
	event rule=exclusive.open verdict=denied node=rdma_cm "cgroup=/kubepods.slice/bare"
	expect 'who owns a device' pod_exec other uverbs open /dev/infiniband/rdma_cm
	expect 'the host' uverbs open /dev/infiniband/rdma_cm
	refused in_netns other uverbs open /dev/infiniband/rdma_cm
}

# 500 refused opens of one process: the first is told, the rest by count, and none is lost.
t_merged() {
	local told
	forget_events
	bash -c 'for ((i = 0; i < 500; i++)); do : <"$1"; done' attacker "$(pod_uverbs other)" 2>/dev/null || true
	wait_until 10 all_told 500
	told=$(grep -c '"comm":"bash"' "$warden_events")
	expect "few events ($told)" test "$told" -lt 50
}
all_told() {
	ctl events >/dev/null
	[ "$(grep '"comm":"bash"' "$warden_events" | sed 's/.*"merged":\([0-9]*\).*/\1/' | awk '{ n += $1 + 1 } END { print n + 0 }')" = "$1" ]
}

# A rule's reaction is the operator's choice: here the open kills, and a passed descriptor is only told.
t_reactions() {
	local status=0
	warden_start '"mode":"enforce","reactions":{"exclusive.open":"kill","exclusive.netlink":"observe"}'
	uverbs open "$(pod_uverbs other)" || status=$?
	[ "$status" = 137 ] || { echo "status $status, expected 137 (SIGKILL)"; return 1; }
	event rule=exclusive.open verdict=killed comm=uverbs "owner=test/other"
	pod_exec other rdma dev set "$(pod_rdma other)" name mine
	event rule=exclusive.netlink verdict=observed comm=rdma
	pod_exec other rdma dev set mine name "$(pod_rdma other)"
}

# An agent that runs as a pod and acts for the host (Multus' daemon does).
t_host_cgroups() {
	warden_start '"mode":"enforce"'
	pod_create agent --host
	expect_fail 'a pod renames' pod_exec agent rdma dev set "$(pod_rdma hostside)" name mine
	warden_start '"mode":"enforce","host_cgroups":["kubepods.slice/agent"]'
	pod_exec agent rdma dev set "$(pod_rdma hostside)" name mine
	pod_exec agent rdma dev set mine name "$(pod_rdma hostside)"
	refused pod_exec agent uverbs open "$(pod_uverbs other)"
}

# From 7.3 on a name is unique in its netns alone: what is known by name is the wrong one's half of the time.
t_same_name() {
	local a b
	for pod in owner other; do
		pod_create "$pod" --vf next --rdma hcasim
		claim "$pod"
	done
	a=$(pod_uverbs owner) b=$(pod_uverbs other)
	in_netns owner rdma dev set "$(pod_rdma owner)" name twin
	if ! in_netns other rdma dev set "$(pod_rdma other)" name twin; then
		in_netns owner rdma dev set twin name "$(pod_rdma owner)"
		skip 'this kernel has each name once'
	fi
	expect 'each works on its own' pod_exec owner uverbs context "$a"
	expect 'each works on its own' pod_exec other uverbs context "$b"
	refused pod_exec owner uverbs open "$b"
	event rule=exclusive.open device=twin "owner=test/other" "pod=test/owner" "pci=$(pod_vf other)"
	refused pod_exec other uverbs open "$a"
	event rule=exclusive.open device=twin "owner=test/owner" "pod=test/other" "pci=$(pod_vf owner)"
	expect_match '2 devices go by that' "$(ctl release --device twin 2>&1 || true)"
	in_netns owner rdma dev set twin name "$(pod_rdma owner)"
	in_netns other rdma dev set twin name "$(pod_rdma other)"
}

rdma_mode shared
pod_create owner --vf next --rdma hcasim
pod_create other --vf next --rdma hcasim
pod_create hostside --host --vf next --rdma rxe
warden_start '"mode":"enforce"'
claim owner
claim other
run_case 'the netdev of a claimed device is moved' t_netdev_move
run_case 'a device that comes back is its owner'"'"'s again' t_reregistered
run_case 'the driver of a claimed device is unbound' t_unbound
run_case 'names that come again are not the owner' t_recycled_names
run_case 'a claim is ended by force' t_forced
run_case 'rdma_cm is for owners and the host' t_rdma_cm
run_case 'a flood is merged, and counted' t_merged
run_case 'reactions' t_reactions
run_case 'cgroups of the host' t_host_cgroups
warden_stop
delete_pods_except ''
rdma_mode exclusive
warden_start '"mode":"enforce"'
run_case 'two devices of one name' t_same_name
warden_unload
delete_pods_except ''
suite_end
