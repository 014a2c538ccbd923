#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# VFs go into pods and come back through the plugin, called as a runtime calls it; after each case the node is as it was.
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../attach.sh
. "$LAB_REPO/tests/vm/attach.sh"

pf_line() { ip link show dev "$(ls "/sys/bus/pci/devices/$1/physfn/net")" | grep -E "^ +vf 0 "; }

# ---- the commands ----

t_commands() {
	version=1.1.0 cni STATUS '' "$(version=1.1.0 conf '')"
	expect 'STATUS prints nothing' test ! -s "$cni_out"
	cni_error 50 '' STATUS '' "$(version=1.1.0 conf '' "$local_ipam")" # Debian's host-local does not know 1.1.0
	cni VERSION '' "$(conf '')"
	told '.supportedVersions | index("0.3.1") and index("0.4.0") and index("1.0.0") and index("1.1.0")'
	netns_new p1
	cni_add p1 "$(conf "$vf" "$local_ipam")"
	told '.ips[0].address == "10.88.0.2/24" and .interfaces[0].sandbox == "/run/netns/p1" and .interfaces[0].name == "net1"'
	expect_match '10\.88\.0\.2/24' "$(ip -n p1 address show dev net1)"
	expect_match '10\.99\.0\.0/16 via 10\.88\.0\.1 dev net1' "$(ip -n p1 route show)"
	expect 'the RDMA device is in the pod' test -n "$(rdma_in p1 "$vf")"
	expect 'the address has its GID' rdma_has_gid p1 "$(rdma_in p1 "$vf")" "$(ipv4_gid 10.88.0.2)"
	expect_match "$vf .*p1 +ml/p1 +claimed" "$(ctl devices)"
	cni CHECK p1 "$(conf "$vf" "$local_ipam,$(prev p1)")"
	cni DEL p1 "$(conf "$vf" "$local_ipam,$(prev p1)")"
	expect 'DEL prints nothing' test ! -s "$cni_out"
	cni DEL p1 "$(conf "$vf" "$local_ipam,$(prev p1)")"
	cni_error 3 'no interface net1' CHECK p1 "$(conf "$vf" "$local_ipam,$(prev p1)")"
	cni GC '' "$(version=1.1.0 conf '' '"cni.dev/valid-attachments":[]')"
}

# VERSION FILTER [KEYS]: its form of a result
in_version() {
	local version=$1 keys=${3-$local_ipam}
	cni_add p1 "$(conf "$vf" "$keys")"
	told ".cniVersion == \"$1\" and ($2)"
	if [ "$1" = 0.3.1 ]; then
		cni_error 1 'CHECK' CHECK p1 "$(conf "$vf" "$keys,$(prev p1)")"
	else
		cni CHECK p1 "$(conf "$vf" "$keys,$(prev p1)")"
	fi
	cni DEL p1 "$(conf "$vf" "$keys,$(prev p1)")"
}

t_versions() {
	netns_new p1
	in_version 0.3.1 '.ips[0].version == "4" and .interfaces[0].mtu == null'
	in_version 0.4.0 '.ips[0].version == "4" and .interfaces[0].pciID == null'
	in_version 1.0.0 '.ips[0].version == null and .interfaces[0].mtu == null'
	in_version 1.1.0 ".interfaces[0].mtu == 1500 and .interfaces[0].pciID == \"$vf\"" '"ipam":{}'
	local version=1.0.0
	cni_error 1 1.1.0 STATUS '' "$(conf '')"
	cni_error 1 1.1.0 GC '' "$(conf '' '"cni.dev/valid-attachments":[]')"
	version=2.0.0
	cni_error 1 2.0.0 ADD p1 "$(conf "$vf")"
}

# ---- what is set, and put back ----

t_settings() {
	local keys='"vlan":7,"vlanQoS":3,"vlanProto":"802.1q","mac":"02:11:22:33:44:55","spoofchk":"off","trust":"on","max_tx_rate":100' line
	keys+=',"mtu":1400,"sysctls":{"net.ipv4.conf.IFNAME.rp_filter":"2","net.ipv6.conf.IFNAME.accept_ra":"0"}'
	netns_new p1
	cni_add p1 "$(conf "$vf" "$keys,$local_ipam")"
	told '.interfaces[0].mac == "02:11:22:33:44:55"'
	line=$(pf_line "$vf")
	expect_match 'link/ether 02:11:22:33:44:55 .*vlan 7, qos 3, .*tx rate 100.*spoof checking off, .*trust on' "$line"
	line=$(ip -n p1 link show dev net1)
	expect_match 'UP.* mtu 1400 .*link/ether 02:11:22:33:44:55 ' "$line"
	expect_match '^2 0$' "$(ip netns exec p1 cat /proc/sys/net/ipv4/conf/net1/rp_filter /proc/sys/net/ipv6/conf/net1/accept_ra | paste -sd' ')"
	cni CHECK p1 "$(conf "$vf" "$keys,$local_ipam,$(prev p1)")"
	cni DEL p1 "$(conf "$vf" "$keys,$local_ipam")"
}

# What the driver does not take is an error that names it, and nothing stays of the rest.
t_settings_refused() {
	netns_new p1
	cni_error 100 'link state' ADD p1 "$(conf "$vf" '"vlan":7,"link_state":"disable"')"
	node_looks_the_same
	cni_error 100 'VLAN' ADD p1 "$(conf "$vf" '"vlan":7,"vlanProto":"802.1ad","spoofchk":"off"')"
	node_looks_the_same
	cni_error 100 'MTU' ADD p1 "$(conf "$vf" '"vlan":7,"mtu":65000')"
	node_looks_the_same
	cni_error 100 'no_such' ADD p1 "$(conf "$vf" '"vlan":7,"sysctls":{"net.ipv4.conf.IFNAME.no_such":"1"}')"
	node_looks_the_same
}

t_mac_of_runtime() {
	netns_new p1
	cni_add p1 "$(conf "$vf" '"mac":"02:00:00:00:00:01","runtimeConfig":{"mac":"02:00:00:00:00:02"}')"
	told '.interfaces[0].mac == "02:00:00:00:00:02" and (.ips == null or .ips == [])'
	cni DEL p1 "$(conf "$vf")"
}

t_static() {
	local ipam='"ipam":{"type":"static","addresses":[{"address":"10.77.9.4/24","gateway":"10.77.9.1"},{"address":"2001:db8:9::4/64"}],"routes":[{"dst":"0.0.0.0/0"}]}'
	netns_new p1
	cni_add p1 "$(conf "$vf" "$ipam")"
	expect_match '10\.77\.9\.4/24.*2001:db8:9::4/64' "$(ip -n p1 address show dev net1)"
	expect 'each address has its GID' rdma_has_gid p1 "$(rdma_in p1 "$vf")" 2001:0db8:0009:0000:0000:0000:0000:0004
	expect_match 'via 10\.77\.9\.1 dev net1' "$(ip -n p1 route show default)"
	cni CHECK p1 "$(conf "$vf" "$ipam,$(prev p1)")"
	cni DEL p1 "$(conf "$vf" "$ipam")"
	netns_new p2
	cni_add p2 "$(conf "$vf" '"ipam":{}')"
	cni CHECK p2 "$(conf "$vf" "\"ipam\":{},$(prev p2)")"
	cni DEL p2 "$(conf "$vf" '"ipam":{}')"
}

# ---- CHECK ----

t_check() {
	local keys='"vlan":7' address
	netns_new p1 p2
	cni_add p1 "$(conf "$vf" "$keys,$local_ipam")"
	address=$(jq -r '.ips[0].address' <"$cni_out")
	checked() { cni CHECK p1 "$(conf "$vf" "$keys,$local_ipam,$(prev p1)")"; }
	missed() { cni_error 100 "$1" CHECK p1 "$(conf "$vf" "$keys,$local_ipam,$(prev p1)")"; }
	checked
	vf_set "$vf" vlan 8
	missed VLAN
	vf_set "$vf" vlan 7
	ip -n p1 link set net1 down
	ip -n p1 link set net1 name net7
	missed 'called net7'
	ip -n p1 link set net7 name net1
	ip -n p1 link set net1 up
	missed 'lost its route to 10.99.0.0/16'
	ip -n p1 route add 10.99.0.0/16 via 10.88.0.1 dev net1
	checked
	ip -n p1 address delete "$address" dev net1
	missed "lost its address $address"
	ip -n p1 address add "$address" dev net1
	missed 'lost its route to 10.99.0.0/16'
	ip -n p1 route add 10.99.0.0/16 via 10.88.0.1 dev net1 table 77 # as plugins for source routing do
	# What is below the kubelet's cgroups is a pod's. Who is not may move it also from there, as other plugins do.
	expect_fail 'a pod moves its RDMA device on' in_pod p1 rdma dev set "$(rdma_in p1 "$vf")" netns p2
	checked
	echo "$vf" >/sys/kernel/debug/hcasim/remove # as when its driver is unloaded
	missed 'RDMA device'
	cni DEL p1 "$(conf "$vf" "$keys,$local_ipam")"
	vf_hcasim "$vf"
	is_unclaimed "$vf" # though its last owner lives
}

# ---- errors ----

t_errors() {
	local netns_path
	cni_error 8 'gone' ADD p1 "$(conf "$vf")"
	netns_path='' cni_error 4 CNI_NETNS ADD p1 "$(conf "$vf")"
	netns_new p1
	cni_error 2 'vlna.* \(7\)' ADD p1 "$(conf "$vf" '"vlna":7')"
	cni_error 7 'deviceID' ADD p1 "$(conf '')"
	cni_error 7 'none' ADD p1 "$(conf 0000:7f:1f.7)"
	cni_error 6 '' ADD p1 '{"cniVersion":"1.0.0"'
	ifname=a/b cni_error 4 CNI_IFNAME ADD p1 "$(conf "$vf")"
	ifname=lo cni_error 4 taken ADD p1 "$(conf "$vf" "$local_ipam")"
	cni_error 4 CNI_COMMAND PLAY p1 "$(conf "$vf")"
	netns_path=/run/netns/../../etc/hostname cni_error 8 'not a network namespace' ADD p1 "$(conf "$vf")"
	netns_path=/proc/1/ns/net cni_error 8 "host's own" ADD p1 "$(conf "$vf")"
	cni_error 7 name ADD p1 "$(network='' conf "$vf")"
	node_looks_the_same
	# IPAM's own error comes through, and nothing stays.
	cni_error '[0-9]+' '' ADD p1 "$(conf "$vf" '"ipam":{"type":"host-local","dataDir":"'"$lease_dir"'","ranges":[]}')"
	cni_error '[0-9]+' 'no-such' ADD p1 "$(conf "$vf" '"ipam":{"type":"no-such-plugin"}')"
	node_looks_the_same
}

t_in_use() {
	netns_new p1 p2
	cni_add p1 "$(conf "$vf" "$local_ipam")"
	cni_error 11 "$vf is attached to container p1" ADD p1 "$(conf "$vf" "$local_ipam")"
	cni_error 11 "$vf is attached to container p1" ADD p2 "$(conf "$vf" "$local_ipam")"
	cni_error 4 'has an interface net1 already' ADD p1 "$(conf "$vf2" "$local_ipam")"
	cni CHECK p1 "$(conf "$vf" "$local_ipam,$(prev p1)")"
	cni DEL p2 "$(conf "$vf" "$local_ipam")" # knows nothing of it
	cni CHECK p1 "$(conf "$vf" "$local_ipam,$(prev p1)")"
	cni DEL p1 "$(conf "$vf" "$local_ipam")"
}

# ---- ends ----

t_netns_gone() {
	local netns_path
	netns_new p1 p2
	cni_add p1 "$(conf "$vf" "\"vlan\":9,$local_ipam")"
	cni_add p2 "$(conf "$vf2" "\"mtu\":1400,$local_ipam")"
	netns_delete p1 p2
	cni DEL p1 "$(conf "$vf" "\"vlan\":9,$local_ipam")"
	netns_path='' cni DEL p2 "$(conf "$vf2" "\"mtu\":1400,$local_ipam")"
	cni DEL p1 "$(conf "$vf" "\"vlan\":9,$local_ipam")"
}

# The pod died without a DEL, and the VF has got a new owner before it comes.
t_late_del() {
	netns_new p1
	cni_add p1 "$(conf "$vf" "\"vlan\":9,$local_ipam")"
	netns_delete p1
	netns_new p2
	cni_add p2 "$(conf "$vf" "\"vlan\":10,$local_ipam")"
	cni DEL p1 "$(conf "$vf" "\"vlan\":9,$local_ipam")"
	cni CHECK p2 "$(conf "$vf" "\"vlan\":10,$local_ipam,$(prev p2)")"
	expect 'the first lease was given back' test "$(cat "$lease_dir/$network/"10.* | grep -c .)" = 2
	cni DEL p2 "$(conf "$vf" "\"vlan\":10,$local_ipam")"
}

t_id_again() {
	netns_new p1
	cni_add p1 "$(conf "$vf" "$local_ipam")"
	netns_delete p1
	netns_new p1
	cni_add p1 "$(conf "$vf" "$local_ipam")"
	cni CHECK p1 "$(conf "$vf" "$local_ipam,$(prev p1)")"
	netns_delete p1
	netns_new p1
	cni_add p1 "$(conf "$vf2" "$local_ipam")" # the same name, another VF
	cni CHECK p1 "$(conf "$vf2" "$local_ipam,$(prev p1)")"
	cni DEL p1 "$(conf "$vf2" "$local_ipam")"
}

t_gc() {
	netns_new p1 p2 p3
	cni_add p1 "$(conf "$vf" "$local_ipam")"
	cni_add p2 "$(conf "$vf2" "$local_ipam")"
	cni_add p3 "$(network=other conf "$vf3" "$local_ipam")"
	cni GC '' "$(version=1.1.0 conf '' '"cni.dev/valid-attachments":[{"containerID":"p2","ifname":"net1"}]')"
	expect 'the VF of p1 is back' test -n "$(vf_netdev "$vf")"
	cni CHECK p2 "$(conf "$vf2" "$local_ipam,$(prev p2)")"
	cni CHECK p3 "$(network=other conf "$vf3" "$local_ipam,$(prev p3)")"
	cni DEL p1 "$(conf "$vf" "$local_ipam")"
	cni DEL p2 "$(conf "$vf2" "$local_ipam")"
	cni DEL p3 "$(network=other conf "$vf3" "$local_ipam")"
}

# The pod does what a pod may do to its own interface and device.
t_changed_in_pod() {
	local node
	netns_new p1 p2
	cni_add p1 "$(conf "$vf" "\"trust\":\"on\",$local_ipam")"
	node=$(vf_node "$vf" uverbs)
	ip netns exec p1 bash -c "exec 9<>$node && echo >$cni_dir/open && exec sleep 1000" &
	echo $! >"$cni_dir/sleeper"
	wait_until 5 test -e "$cni_dir/open"
	ip -n p1 link set net1 promisc on
	ip -n p1 link set net1 allmulticast on
	ip -n p1 link set net1 down
	ip -n p1 link set net1 name data0
	ip -n p1 link property add dev data0 altname of-the-pod
	ip -n p1 link set data0 mtu 1300
	ip -n p1 link set data0 up
	cni DEL p1 "$(conf "$vf" "\"trust\":\"on\",$local_ipam")"
	expect_fail 'the alternative name is gone' ip link show dev of-the-pod
	cni_add p2 "$(conf "$vf" "$local_ipam")"
	cni DEL p2 "$(conf "$vf" "$local_ipam")"
	attach_wake
}

# ---- a chain of sriov and rdma, as they are configured today ----

chain_add() {
	type=sriov cni_add p1 "$(type=sriov conf "$vf" "\"vlan\":5,$local_ipam")"
	expect 'sriov leaves the RDMA device' test -n "$(vf_rdma "$vf")"
	cp "$cni_out" "$cni_dir/sriov"
	type=rdma cni ADD p1 "$(type=rdma conf '' "$(prev p1)")"
	expect 'the result is handed on' diff <(jq -S . "$cni_dir/sriov") <(jq -S . "$cni_out")
	expect 'the RDMA device is in the pod' test -n "$(rdma_in p1 "$vf")"
}

t_chain() {
	local version
	netns_new p1
	for version in 0.4.0 1.0.0; do
		chain_add
		cni CHECK p1 "$(type=sriov conf "$vf" "\"vlan\":5,$local_ipam,$(prev p1)")"
		cni CHECK p1 "$(type=rdma conf '' "$(prev p1)")"
		cni DEL p1 "$(type=rdma conf '' "$(prev p1)")"
		expect 'the RDMA device is back' test -n "$(vf_rdma "$vf")"
		cni DEL p1 "$(type=sriov conf "$vf" "\"vlan\":5,$local_ipam")"
	done
	# The other way round, and with the netns gone: some runtimes do.
	chain_add
	netns_delete p1
	cni DEL p1 "$(type=sriov conf "$vf" "\"vlan\":5,$local_ipam")"
	cni DEL p1 "$(type=rdma conf '' "$(prev p1)")"
}

# ---- many at once ----

t_parallel() {
	local n=0 one pids=()
	for one in $vfs; do n=$((n + 1)); netns_new "p$n"; done
	each() { # COMMAND
		n=0 pids=()
		for one in $vfs; do
			n=$((n + 1))
			cni_out=$cni_out.$n cni "$1" "p$n" "$(conf "$one" "\"vlan\":$((n + 20)),$local_ipam")" &
			pids+=($!)
		done
		for one in "${pids[@]}"; do wait "$one"; done
	}
	each ADD
	expect 'all are attached' test "$(ctl attachments --json | grep -c '"attached"')" = "$n"
	expect 'each has its own address' test "$(cat "$cni_out".* | jq -r '.ips[0].address' | sort -u | wc -l)" = "$n"
	each DEL
}

# Two pods race for one VF: one has it, and the other is told to come again.
t_race() {
	local one=0 two=0 winner=p1 loser=p2
	netns_new p1 p2
	cni_out=$cni_out.1 cni ADD p1 "$(conf "$vf" "$local_ipam")" >/dev/null &
	cni_out=$cni_out.2 cni ADD p2 "$(conf "$vf" "$local_ipam")" >/dev/null || two=1
	wait $! || one=1
	expect 'one of them has it' test $((one + two)) = 1
	[ $one = 0 ] || winner=p2 loser=p1
	expect_match '"code":11' "$(<"$cni_out.${loser#p}")"
	cni DEL "$loser" "$(conf "$vf" "$local_ipam")"
	cp "$cni_out.${winner#p}" "$cni_dir/result.$winner"
	cni CHECK "$winner" "$(conf "$vf" "$local_ipam,$(prev "$winner")")"
	cni DEL "$winner" "$(conf "$vf" "$local_ipam")"
}

# ---- wardend comes and goes ----

t_warden_away() {
	netns_new p1 p2 p3
	cni_add p1 "$(conf "$vf" "\"vlan\":5,$local_ipam")"
	cni_add p2 "$(conf "$vf2" "\"vlan\":6,$local_ipam")"
	warden_stop
	cni_error 50 wardend STATUS '' "$(version=1.1.0 conf '')"
	cni_error 11 wardend ADD p3 "$(conf "$vf3" "$local_ipam")"
	cni_error 11 wardend DEL p1 "$(conf "$vf" "\"vlan\":5,$local_ipam")"
	warden_start "$warden_config"
	cni CHECK p1 "$(conf "$vf" "\"vlan\":5,$local_ipam,$(prev p1)")"
	cni_error 11 "$vf is attached to container p1" ADD p3 "$(conf "$vf" "$local_ipam")"
	cni DEL p1 "$(conf "$vf" "\"vlan\":5,$local_ipam")"
	warden_kill
	netns_delete p2
	warden_start "$warden_config"
	cni DEL p2 "$(conf "$vf2" "\"vlan\":6,$local_ipam")"
}

# ---- RDMA without hardware ----

t_softroce() {
	local one two keys='"softroce":true'
	rdma_works rxe || skip 'rxe cannot change its netns on this kernel'
	for one in "$vf" "$vf2"; do echo "$one" >/sys/kernel/debug/hcasim/remove; done
	netns_new p1 p2
	cni_add p1 "$(conf "$vf" "$keys,$local_ipam")"
	one=$(jq -r '.ips[0].address' <"$cni_out")
	cni_add p2 "$(conf "$vf2" "$keys,$local_ipam")"
	cni CHECK p1 "$(conf "$vf" "$keys,$local_ipam,$(prev p1)")"
	two=$(ip netns exec p2 ls /sys/class/infiniband)
	expect 'the host has none of them' test -z "$(find /sys/class/infiniband -name 'rxe*')"
	ip -n p1 link set lo up
	ip -n p2 link set lo up
	wait_until 15 ip netns exec p2 ping -c 1 -W 1 "${one%/*}"
	ip netns exec p1 timeout 60 ibv_rc_pingpong -g 1 -n 20 >"$cni_dir/server" 2>&1 &
	wait_until 20 ip netns exec p2 timeout 30 ibv_rc_pingpong -d "$two" -g 1 -n 20 "${one%/*}"
	wait $!
	cni DEL p1 "$(conf "$vf" "$keys,$local_ipam")"
	netns_delete p2
	cni DEL p2 "$(conf "$vf2" "$keys,$local_ipam")"
	expect_fail 'an rxe device is left' expect_match rxe "$(rdma link show)"
	for one in "$vf" "$vf2"; do vf_hcasim "$one"; done
}

# The kernel ends the soft device of a netns that ends. Who deletes it meanwhile makes 7.3 use a socket after it has freed it: a race,
# but that it was asked to can be seen.
t_softroce_ends() {
	local soft tracing=/sys/kernel/tracing
	rdma_works rxe || skip 'rxe cannot change its netns on this kernel'
	soft=$(conf "$vf" "\"softroce\":true,$local_ipam")
	echo 'p:softroce_deleted rxe_dellink' >>$tracing/kprobe_events
	echo 1 >$tracing/events/kprobes/softroce_deleted/enable
	echo "$vf" >/sys/kernel/debug/hcasim/remove
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
		netns_new p1
		cni_add p1 "$soft"
		netns_delete p1
		cni DEL p1 "$soft"
	done
	expect_fail 'it is deleted' grep softroce_deleted: $tracing/trace
	netns_new p1
	cni_add p1 "$soft"
	cni DEL p1 "$soft"
	expect 'that would be seen' grep softroce_deleted: $tracing/trace
	echo 0 >$tracing/events/kprobes/softroce_deleted/enable
	echo '-:softroce_deleted' >>$tracing/kprobe_events
	vf_hcasim "$vf"
}

attach_begin '"mode":"enforce"'
attach_cases "$@" <<-'CASES'
	the_six_commands t_commands
	each_version_has_its_form t_versions
	VF_settings,_MTU_and_sysctls_are_set_and_put_back t_settings
	a_setting_that_is_refused_leaves_nothing t_settings_refused
	the_MAC_of_the_runtime t_mac_of_runtime
	static_addresses_and_none t_static
	CHECK_finds_what_has_changed t_check
	errors_have_the_codes_of_the_specification t_errors
	a_device_in_use t_in_use
	a_netns_that_is_gone_before_DEL t_netns_gone
	a_late_DEL_leaves_the_next_owner_alone t_late_del
	a_container's_name_comes_again t_id_again
	GC_keeps_what_is_valid t_gc
	what_a_pod_has_changed_is_put_back t_changed_in_pod
	a_chain_of_sriov_and_rdma t_chain
	all_VFs_at_once t_parallel
	two_pods_race_for_a_VF t_race
	wardend_stops_and_is_killed_in_between t_warden_away
	a_soft_RDMA_device_carries_data t_softroce
	a_soft_RDMA_device_ends_with_its_netns t_softroce_ends
CASES
