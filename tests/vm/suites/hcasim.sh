#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The test module hcasim and the test client uverbs themselves: what other suites take for granted of them.
#   hcasim.sh [CASE…]     default: all
set -euo pipefail

# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"

control=/sys/kernel/debug/hcasim
refused=3 # exit status of uverbs for EPERM

exits() {
	local wanted=$1 status=0
	shift
	"$@" || status=$?
	[ "$status" = "$wanted" ] || { printf 'expected exit status %s, got %s of: %s\n' "$wanted" "$status" "$*"; return 1; }
}

load() { [ -e "$control" ] || insmod "$LAB_MODULES/hcasim.ko"; }

unload() { [ ! -e "$control" ] || rmmod hcasim; }

first_vf() { vf_list | head -n 1; }

# The modify went through and a query gives back the traffic class.
marks() {
	local tclass=$1
	shift
	expect_match "state 2 tclass $tclass " "$("$@" --tclass "$tclass")"
}

write_fails() { expect_match "$2" "$( (echo "$3" >"$1") 2>&1 || true)"; }

remove_all() {
	local vf
	for vf in $(vf_list); do
		[ -z "$(vf_rdma "$vf")" ] || echo "$vf" >"$control/remove"
	done
}

# DEVICE [OPTION…]: a process with an open context and objects, until it is released.
start_holder() {
	rm -f /run/holder
	mkfifo /run/holder
	uverbs hold --qps 4 --mrs 2 "$@" </run/holder >/run/held &
	holder=$!
	exec 7>/run/holder
	wait_until 10 grep -qx ready /run/held
}

release_holder() {
	exec 7>&-
	wait "$holder"
}

held_lines() { [ "$(wc -l </run/held)" = "$1" ]; }

# What the holder's next command comes to.
ask_holder() {
	local lines
	lines=$(wc -l </run/held)
	echo >&7
	wait_until 5 held_lines "$((lines + 1))"
	tail -n 1 /run/held
}

has_rdma() { [ -n "$(vf_rdma "$1")" ]; }

has_netdev() { [ -n "$(vf_netdev "$1")" ]; }

unbind_vf() { echo "$1" >/sys/bus/pci/drivers/igbvf/unbind; }

bind_vf() {
	echo "$1" >/sys/bus/pci/drivers/igbvf/bind
	wait_until 10 has_netdev "$1"
}

set_vfs() { echo "$2" >"/sys/bus/pci/devices/$1/sriov_numvfs"; }

registers() {
	local vf name netdev
	vf=$(first_vf)
	vf_address "$vf"
	name=$(vf_hcasim "$vf")
	netdev=$(vf_netdev "$vf")
	expect_match '^hcasim[0-9]+$' "$name"
	expect_match "link $name/1 state ACTIVE .* netdev $netdev" "$(rdma link show "$name/1")"
	expect "a uverbs node" test -c "$(vf_node "$vf" uverbs)"
	expect "a umad node" test -c "$(vf_node "$vf" umad)"
	guid_is_of_mac "$(cat "/sys/class/infiniband/$name/node_guid")" "$(cat "/sys/class/net/$netdev/address")"
}

guid_is_of_mac() {
	local guid=${1//:/} mac=${2//:/}
	expect_match "${mac:2:4}fffe${mac:6}$" "$guid"
}

says_no() {
	local vf
	vf=$(first_vf)
	vf_hcasim "$vf"
	write_fails "$control/add" 'File exists' "$vf $(vf_netdev "$vf")"
	write_fails "$control/add" 'No such device' "$vf nosuch0"
	write_fails "$control/add" 'No such device' "0000:ff:1f.7 lo"
	write_fails "$control/add" 'Invalid argument' "$vf"
	write_fails "$control/remove" 'No such device' "$(vf_list | tail -n 1)"
}

every_vf() {
	local vf
	for vf in $(vf_list); do vf_hcasim "$vf"; done
	expect_match "^$(vf_list | wc -l)$" "$(rdma link | grep -c '^link hcasim')"
	remove_all
	expect_match '^0$' "$(rdma link | grep -c '^link hcasim' || true)"
}

gids_follow() {
	local vf name netdev
	vf=$(first_vf)
	vf_address "$vf"
	name=$(vf_hcasim "$vf")
	netdev=$(vf_netdev "$vf")
	rdma_wait_gid '' "$name" "$(vf_ip "$vf")"
	ip address add 192.0.2.1/24 dev "$netdev"
	rdma_wait_gid '' "$name" 192.0.2.1
	ip address del 192.0.2.1/24 dev "$netdev"
	expect_fail "the GID of an address that is gone" wait_until 2 rdma_has_gid '' "$name" "$(ipv4_gid 192.0.2.1)"
}

counters() {
	local vf name
	vf=$(first_vf)
	name=$(vf_hcasim "$vf")
	echo 4294967297 >"$control/$vf/counters/np_cnp_sent"
	echo 7 >"$control/$vf/counters/rx_icrc_encapsulated"
	wait_until 2 grep -qx 4294967297 "/sys/class/infiniband/$name/ports/1/hw_counters/np_cnp_sent"
	expect_match '"np_cnp_sent":4294967297,"rx_icrc_encapsulated":7' "$(rdma -j statistic show link "$name/1")"
}

client_on() {
	local name=$1
	uverbs open "$name"
	uverbs context "$name"
	uverbs context "$name" --via write
	marks 104 uverbs modify "$name"
	marks 105 uverbs modify "$name" --via write
	marks 106 uverbs modify "$name" --extended
	marks 107 uverbs modify "$name" --extended --via write
	marks 108 uverbs modify "$name" --pad-attrs 8
	marks 109 uverbs modify "$name" --pad-attrs 250
	marks 110 uverbs modify "$name" --unmapped
	marks 111 uverbs modify "$name" --unmapped=header
	marks 112 uverbs modify "$name" --unmapped --via write
	marks 113 uverbs modify "$name" --unmapped --extended --pad-attrs 3
	uverbs ah "$name" --tclass 104
	uverbs ah "$name" --tclass 104 --via write
	expect_match '^ready$' "$(uverbs hold "$name" --qps 3 --mrs 4 </dev/null)"
	# The core has no alternate paths for RoCE; the command gets as far as that.
	expect_match '^failed modify-rtr EINVAL$' "$(uverbs modify "$name" --alt-tclass 1 || true)"
}

client_on_hcasim() {
	local vf name
	vf=$(first_vf)
	vf_address "$vf"
	name=$(vf_hcasim "$vf")
	rdma_wait_gid '' "$name" "$(vf_ip "$vf")"
	client_on "$name"
	# rxe does not keep the service level, so this is not for both.
	expect_match 'sl 5 ' "$(uverbs modify "$name" --sl 5)"
	echo "$vf" >"$control/remove"
}

client_on_rxe() {
	local name
	name=$(vf_rxe "$(vf_list | tail -n 1)")
	client_on "$name"
	rdma link delete "$name"
}

pod_owns() {
	local node
	rdma_mode exclusive
	pod_create a --vf next --rdma hcasim
	pod_create b --vf next --rdma hcasim
	node=$(pod_uverbs a)
	expect_match '^$' "$(ls /sys/class/infiniband)"
	marks 104 pod_exec a uverbs modify "$node"
	exits "$refused" uverbs open "$node"
	exits "$refused" pod_exec b uverbs open "$node"
	exits "$refused" uverbs context "$node"
	exits "$refused" uverbs open "$(vf_node "$(pod_vf a)" umad)"
	pod_exec a uverbs open "$(vf_node "$(pod_vf a)" umad)"
	expect_match 'np_cnp_sent' "$(pod_exec a rdma statistic show)"
	pod_delete a
	marks 104 pod_exec b uverbs modify "$(pod_uverbs b)"
}

# What a bare kernel lets through in exclusive mode: the descriptor is looked at when it is opened, and never again.
descriptors_travel() {
	local node receiver socket=/run/pass.sock
	rdma_mode exclusive
	pod_create a --vf next --rdma hcasim
	node=$(pod_uverbs a)
	expect_match 'after setns' "$(pod_exec a uverbs reuse "$node" --netns /proc/1/ns/net)"
	uverbs receive "$socket" >/run/received &
	receiver=$!
	pod_exec a uverbs pass "$node" "$socket"
	wait "$receiver"
	expect_match 'received descriptor' "$(cat /run/received)"
}

# A move ends the contexts that are open, and whoever holds one keeps nothing but a dead descriptor.
move_under_holder() {
	local vf name
	rdma_mode exclusive
	pod_create a
	vf=$(first_vf)
	name=$(vf_hcasim "$vf")
	start_holder "$name"
	expect_match '"qp":[1-9]' "$(rdma -j resource show "$name")"
	rdma dev set "$name" netns a
	expect_match '^$' "$(ls /sys/class/infiniband)"
	release_holder
	ip netns delete a
	wait_until 10 test -e "/sys/class/infiniband/$name"
}

netns_ends() {
	local vf name
	rdma_mode exclusive
	pod_create a --vf next --rdma hcasim
	vf=$(pod_vf a)
	name=$(pod_rdma a)
	expect_match "^$" "$(vf_netdev "$vf")"
	ip netns delete a
	wait_until 10 test -e "/sys/class/infiniband/$name"
	wait_until 10 has_netdev "$vf"
	ip link set "$(vf_netdev "$vf")" up
	uverbs context "$name"
	# The pod is gone by halves; what is left is for pod_delete.
	ip link set "$(vf_netdev "$vf")" down
	ip link set "$(vf_netdev "$vf")" name "$(pod_get a netdev)"
	echo "$vf" >"$control/remove"
}

# The driver is taken off the VF, as when a VF goes: the RDMA device must go before the PCI function.
netdev_ends() {
	local vf
	vf=$(first_vf)
	vf_hcasim "$vf"
	unbind_vf "$vf"
	wait_until 10 test ! -e "/sys/bus/pci/devices/$vf/infiniband"
	expect "no counters left" test ! -e "$control/$vf"
	bind_vf "$vf"
	vf_hcasim "$vf"
	echo "$vf" >"$control/remove"
}

vfs_end() {
	local pf=${LAB_PFS##* } vf count
	count=$(cat "/sys/bus/pci/devices/$pf/sriov_numvfs")
	vf=$(basename "$(readlink "/sys/bus/pci/devices/$pf/virtfn0")")
	vf_hcasim "$vf"
	set_vfs "$pf" 0
	expect_match '^0$' "$(rdma link | grep -c '^link hcasim' || true)"
	set_vfs "$pf" "$count"
	wait_until 10 has_netdev "$vf"
	vf_hcasim "$vf"
	echo "$vf" >"$control/remove"
}

# VF ABI CMD…: a process that holds the VF's device open outlives the end of the device by CMD, but for its commands.
outlived_by_holder() {
	local vf=$1 abi=$2 dev
	shift 2
	vf_address "$vf"
	rdma_wait_gid '' "$(vf_hcasim "$vf")" "$(vf_ip "$vf")"
	dev=$(cat "/sys/bus/pci/devices/$vf/infiniband_verbs/"*/dev)
	start_holder "$(vf_rdma "$vf")" --via "$abi" --ahs 2 --rtr
	expect_match '^alive$' "$(ask_holder)"
	"$@"
	expect_match '^EIO$' "$(ask_holder)"
	expect_match 'uverbs[0-9]+ \(deleted\)' "$(ls -l "/proc/$holder/fd")"
	expect_fail "a uverbs node with the old number" grep -qx "$dev" "/sys/bus/pci/devices/$vf/infiniband_verbs/"*/dev
	release_holder
}

unbind_under_holder() {
	local vf abi
	vf=$(first_vf)
	for abi in ioctl write; do
		outlived_by_holder "$vf" "$abi" unbind_vf "$vf"
		expect "no RDMA device" test -z "$(vf_rdma "$vf")"
		bind_vf "$vf"
	done
}

vfs_end_under_holder() {
	local pf=${LAB_PFS##* } vf count
	count=$(cat "/sys/bus/pci/devices/$pf/sriov_numvfs")
	vf=$(basename "$(readlink "/sys/bus/pci/devices/$pf/virtfn0")")
	outlived_by_holder "$vf" ioctl set_vfs "$pf" 0
	expect "no VF" test ! -e "/sys/bus/pci/devices/$vf"
	set_vfs "$pf" "$count"
	wait_until 10 has_netdev "$vf"
}

reregister_under_holder() {
	local vf
	vf=$(first_vf)
	outlived_by_holder "$vf" ioctl vf_reregister "$vf"
	uverbs context "$(vf_rdma "$vf")"
}

# VF: what stays over a re-registration, and what does not.
identity() { cat "/sys/bus/pci/devices/$1/infiniband/"*/node_guid; }
numbers() {
	cat "/sys/bus/pci/devices/$1/infiniband_verbs/"*/dev "/sys/bus/pci/devices/$1/infiniband_mad/umad"*/dev
	rdma -j dev show "$(vf_rdma "$1")" | grep -o '"ifindex":[0-9]*'
}

reregisters() {
	local vf name guid before
	vf=$(first_vf)
	vf_address "$vf"
	name=$(vf_hcasim "$vf")
	write_fails "$control/reregister" 'No such device' "$(vf_list | tail -n 1)"
	for _ in 1 2; do
		guid=$(identity "$vf")
		before=$(numbers "$vf")
		vf_reregister "$vf"
		expect_match "^$guid$" "$(identity "$vf")"
		expect_fail "a number of before: $before" grep -xF "$before" <(numbers "$vf")
		expect_match '^1$' "$(rdma link | grep -c '^link hcasim')"
		rdma_wait_gid '' "$name" "$(vf_ip "$vf")"
		marks 104 uverbs modify "$(vf_node "$vf" uverbs)"
	done
}

# The netdev stays where it is, the device comes back in the initial netns.
reregisters_in_pod() {
	local vf
	rdma_mode exclusive
	pod_create a --vf next --rdma hcasim
	vf=$(pod_vf a)
	expect "no device in the initial netns" test -z "$(ls /sys/class/infiniband)"
	vf_reregister "$vf"
	expect_match '^hcasim[0-9]+$' "$(ls /sys/class/infiniband)"
	exits "$refused" pod_exec a uverbs open "$(vf_node "$vf" uverbs)"
}

# 6.1 makes issm nodes for RoCE ports always, 6.12 and 7.3 never.
issm() {
	local vf
	vf=$(first_vf)
	vf_hcasim "$vf"
	if kernel_at_least 6.12; then
		expect_fail "an issm node" test -c "$(vf_node "$vf" issm)"
	else
		expect "an issm node" test -c "$(vf_node "$vf" issm)"
	fi
	echo "$vf" >"$control/remove"
	echo Y >"$control/issm"
	vf_hcasim "$vf"
	expect "an issm node" test -c "$(vf_node "$vf" issm)"
	expect "a umad node" test -c "$(vf_node "$vf" umad)"
	exec 8<>"$(vf_node "$vf" issm)"
	echo "$vf" >"$control/remove"
	exec 8>&-
}

issm_in_pod() {
	local node
	rdma_mode exclusive
	echo Y >"$control/issm"
	pod_create a --vf next --rdma hcasim
	node=$(vf_node "$(pod_vf a)" issm)
	exits "$refused" uverbs open "$node"
	pod_exec a uverbs open "$node"
}

# 6.1 and 6.12 know a name once for all network namespaces, 7.3 once in each.
one_name() {
	local vf_a vf_b name other guid_a guid_b
	rdma_mode exclusive
	vf_a=$(first_vf) vf_b=$(vf_list | tail -n 1)
	name=$(vf_hcasim "$vf_a") other=$(vf_hcasim "$vf_b")
	guid_a=$(identity "$vf_a") guid_b=$(identity "$vf_b")
	pod_create a
	pod_create b
	rdma dev set "$name" netns a
	rdma dev set "$other" netns b
	if ! kernel_at_least 7.0; then
		expect_match 'File exists' "$(pod_exec b rdma dev set "$other" name "$name" 2>&1 || true)"
		return
	fi
	pod_exec b rdma dev set "$other" name "$name"
	expect_match "^$guid_a$" "$(pod_exec a cat "/sys/class/infiniband/$name/node_guid")"
	expect_match "^$guid_b$" "$(pod_exec b cat "/sys/class/infiniband/$name/node_guid")"
	pod_exec a uverbs context "$(vf_node "$vf_a" uverbs)"
	pod_exec b uverbs context "$(vf_node "$vf_b" uverbs)"
	exits "$refused" pod_exec b uverbs open "$(vf_node "$vf_a" uverbs)"
	ip netns delete a
	wait_until 10 test -e "/sys/class/infiniband/$name"
	# The second to come back finds its name taken; the kernel makes one of its index.
	ip netns delete b
	wait_until 10 has_rdma "$vf_b"
	expect_match '^ibdev[0-9]+$' "$(vf_rdma "$vf_b")"
}

lines_of_holder() { expect_match "^$1$" "$(grep -c "pid $holder " "$control/$2")"; }

attributes() {
	local vf name path
	vf=$(first_vf)
	vf_address "$vf"
	name=$(vf_hcasim "$vf")
	rdma_wait_gid '' "$name" "$(vf_ip "$vf")"
	start_holder "$name" --qps 3 --mrs 2 --ahs 4 --rtr --tclass 106 --sl 5
	path="port 1 sl 5 static_rate 0 tclass 106 flow_label 0 hop_limit 64 sgid_index [0-9]+ dgid $(ipv4_gid "$(vf_ip "$vf")") "
	path+="dmac $(cat "/sys/class/net/$(vf_netdev "$vf")/address")"
	lines_of_holder 3 "$vf/qps"
	lines_of_holder 2 "$vf/mrs"
	lines_of_holder 4 "$vf/ahs"
	expect_match "qpn [0-9]+ type 2 pid $holder state 2 given 0x[0-9a-f]+ .* path_mtu 3 dest_qpn [0-9]+ .* $path" \
		"$(cat "$control/$vf/qps")"
	expect_match "pid $holder $path" "$(cat "$control/$vf/ahs")"
	expect_match "pid $holder start 0x[0-9a-f]+ length 4096 access 0x1" "$(cat "$control/$vf/mrs")"
	expect_match 'qpn 1 type 1 pid 0 state 3 ' "$(cat "$control/$vf/qps")"
	release_holder
	expect_fail "an object of a process that is gone" grep -r "pid $holder " "$control/$vf"
}

many_times() {
	local vf netdev
	vf=$(first_vf)
	netdev=$(vf_netdev "$vf")
	for _ in {1..50}; do
		echo "$vf $netdev" >"$control/add"
		echo "$vf" >"$control/remove"
	done
}

# Both orders of "the device is added" and "its netdev ends" happen here; either is right, as long as nothing is left.
add_races_unbind() {
	local vf netdev
	vf=$(first_vf)
	for _ in {1..20}; do
		netdev=$(vf_netdev "$vf")
		echo "$vf $netdev" >"$control/add" 2>/dev/null &
		unbind_vf "$vf"
		wait $! || true
		wait_until 10 test ! -e "$control/$vf"
		expect "no RDMA device" test -z "$(vf_rdma "$vf")"
		bind_vf "$vf"
	done
}

configfs_knows() {
	local name dir
	modprobe -q rdma_cm
	name=$(vf_hcasim "$(first_vf)")
	dir=/sys/kernel/config/rdma_cm/$name
	mkdir "$dir"
	echo 104 >"$dir/ports/1/default_roce_tos"
	expect_match '^104$' "$(cat "$dir/ports/1/default_roce_tos")"
	rmdir "$dir"
}

unloads() {
	local vf name
	rdma_mode exclusive
	for vf in $(vf_list); do vf_hcasim "$vf"; done
	pod_create a
	name=$(vf_rdma "$(first_vf)")
	rdma dev set "$name" netns a
	rmmod hcasim
	expect_match '^0$' "$(rdma link | grep -c '^link hcasim' || true)"
	expect "the control folder is gone" test ! -e "$control"
}

# As with mlx5: a driver that can disassociate contexts is not kept by those that are open.
unloads_under_holder() {
	start_holder "$(vf_hcasim "$(first_vf)")"
	rmmod hcasim
	release_holder
}

shared_mode() {
	rdma_mode shared
	pod_create a --vf next --rdma hcasim
	marks 104 pod_exec a uverbs modify "$(pod_uverbs a)"
	uverbs context "$(pod_uverbs a)"
}

# Each case starts with the module loaded and no device.
each() {
	load
	remove_all
	echo N >"$control/issm"
	"$1"
}

[ $# -gt 0 ] || set -- registers says_no every_vf gids_follow counters attributes client_on_hcasim client_on_rxe issm shared_mode \
	pod_owns issm_in_pod descriptors_travel one_name move_under_holder netns_ends netdev_ends vfs_end unbind_under_holder \
	vfs_end_under_holder reregisters reregisters_in_pod reregister_under_holder many_times add_races_unbind configfs_knows \
	unloads unloads_under_holder
for case; do
	eval "run_$case() { each $case; }"
	run_case "$case" "run_$case"
done
run_case "unload" unload
suite_end
