#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The lab's own suite: what tests/vm/run and lib.sh promise to every other suite.
#   tests/vm/run --kernel 6.12 tests/vm/suites/lab.sh
set -euo pipefail

# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../traffic.sh
. "$LAB_REPO/tests/vm/traffic.sh"

# ---- the machine ----

has_vfs() {
	local vf pf
	expect "VFs of both PFs" [ "$(vf_list | wc -l)" = "$((2 * LAB_VFS))" ]
	for vf in $(vf_list); do
		pf=$(basename "$(readlink "/sys/bus/pci/devices/$vf/physfn")")
		expect_match "$pf" "$LAB_PFS"
		expect "a netdev on $vf" [ -n "$(vf_netdev "$vf")" ]
	done
}

reports_vf_attributes() {
	local pf
	pf=$(vf_netdev "${LAB_PFS%% *}")
	ip link set "$pf" vf 0 vlan 100 qos 3
	expect_match 'vf 0 .*vlan 100, qos 3' "$(ip link show "$pf" | tr '\n' ' ')"
	ip link set "$pf" vf 0 vlan 0
}

has_places() {
	local path
	expect_match '^/.*/tests/vm/suites/lab.sh$' "$(realpath "$0")"
	expect_match "^$LAB_REPO/build:" "$PATH"
	expect_fail "writing to the repository" touch "$LAB_REPO/written"
	expect "the scratch folder is writable" touch "$LAB_SCRATCH/written"
	for path in /sys/fs/bpf /sys/kernel/debug /sys/kernel/tracing /sys/kernel/security /sys/kernel/config /sys/fs/cgroup; do
		expect "$path is mounted" mountpoint -q "$path"
	done
	expect "the rdma controller is enabled" grep -qw rdma /sys/fs/cgroup/cgroup.subtree_control
}

has_rdma_modules() {
	expect "rdma_cm is there" [ -c /dev/infiniband/rdma_cm ]
	expect "umad is loaded" [ -d /sys/module/ib_umad ]
	expect "rxe is loaded" [ -d /sys/module/rdma_rxe ]
	expect "BTF of ib_uverbs" [ -s /sys/kernel/btf/ib_uverbs ]
}

# ---- traffic between two VFs, over the wire, in the initial netns: on every kernel ----

# Leaves the first and the last VF (of different PFs) in $one and $two, with an rxe device each.
rxe_pair() {
	one=$(vf_list | head -n 1) two=$(vf_list | tail -n 1)
	rxe_one=$(vf_rxe "$one") rxe_two=$(vf_rxe "$two")
	vf_wire "$one" "$two"
}

write_bw() {
	local server status=0
	timeout 60 ib_write_bw -d "$rxe_two" -x 1 -n 10 -s 4096 --tclass=104 >"$lab_state/server" 2>&1 &
	server=$!
	wait_until 10 listens 18515
	timeout 60 ib_write_bw -d "$rxe_one" -x 1 -n 10 -s 4096 --tclass=104 "$(vf_ip "$two")" || status=$?
	wait "$server" || status=$?
	[ "$status" = 0 ] || cat "$lab_state/server"
	return "$status"
}

write_bw_runs() {
	rxe_pair
	tcpdump -i "$(vf_netdev "$one")" -w "$LAB_SCRATCH/roce.pcap" -U udp port 4791 2>/dev/null &
	wait_until 10 test -s "$LAB_SCRATCH/roce.pcap"
	with_clock write_bw
	wait_until 10 captured 'tos 0x68' # tcpdump gets its packets in batches
	rdma link delete "$rxe_one"
	rdma link delete "$rxe_two"
}

captured() { expect_match "$1" "$(tcpdump -nvr "$LAB_SCRATCH/roce.pcap" 2>/dev/null)"; }

# ---- pods ----

makes_pod() {
	rdma_mode shared
	pod_create alpha --vf next
	expect_match '^10\.77\.0\.[0-9]+$' "$(pod_ip alpha)"
	expect_match ' UP .*2001:db8:77::' "$(pod_exec alpha ip -br address show net1)"
	expect "the netns' inode" [ "$(pod_netns_inode alpha)" = "$(pod_exec alpha stat -Lc %i /proc/self/ns/net)" ]
	expect "the cgroup" [ "$(pod_exec alpha grep ^0:: /proc/self/cgroup)" = 0::/kubepods.slice/alpha ]
	expect "the VF's netdev is gone from the host" [ -z "$(vf_netdev "$(pod_vf alpha)")" ]
}

pods_meet() {
	pod_create alpha --vf next
	pod_create beta --vf "$(vf_list | tail -n 1)"
	pod_exec alpha ping -qc 1 -W 5 "$(pod_ip beta)"
	pod_exec alpha ping -qc 1 -W 5 "$(pod_ip6 beta)"
}

deletes_pod() {
	local vf before
	vf=$(vf_list | head -n 1)
	before=$(vf_netdev "$vf")
	pod_create alpha --vf "$vf"
	pod_exec alpha sleep 1000 &
	wait_until 5 grep -qx 'populated 1' "$(pod_cgroup alpha)/cgroup.events"
	pod_delete alpha
	expect "the VF's netdev is back under its name" [ "$(vf_netdev "$vf")" = "$before" ]
	expect_fail "the netns is there" test -e /run/netns/alpha
	expect_fail "the cgroup is there" test -e "$(pod_cgroup alpha)"
}

# KIND MODE: the device answers in the pod, and on the host only in shared mode.
pod_owns() {
	local kind=$1 mode=$2 device
	rdma_mode "$mode"
	need_rdma "$kind"
	pod_create alpha --vf next --rdma "$kind"
	device=$(pod_rdma alpha)
	expect_match "$device" "$(pod_exec alpha rdma link)"
	expect "a character device" [ -c "$(pod_uverbs alpha)" ]
	expect "the pod opens it" pod_exec alpha test_open "$(pod_uverbs alpha)"
	if [ "$mode" = exclusive ]; then
		expect_fail "the host opens it" test_open "$(pod_uverbs alpha)"
		expect_fail "the host sees it" rdma dev show "$device"
	else
		expect "the host opens it" test_open "$(pod_uverbs alpha)"
	fi
	pod_delete alpha
	expect_fail "the device outlives the pod" rdma dev show "$device"
}

# A program, not a function, so that it can run inside a pod.
# shellcheck disable=SC2016 # for the program
printf '#!/bin/bash\nexec 3<>"$1"\n' >/usr/local/bin/test_open
chmod +x /usr/local/bin/test_open

rxe_pod_shared() { pod_owns rxe shared; }
rxe_pod_exclusive() { pod_owns rxe exclusive; }
hcasim_pod_shared() { pod_owns hcasim shared; }
hcasim_pod_exclusive() { pod_owns hcasim exclusive; }

rxe_pods_talk() {
	local mode=$1 server
	kernel_at_least 7.0 || skip "rxe does not carry traffic in a pod's netns before 7.3"
	rdma_mode "$mode"
	pod_create alpha --vf next --rdma rxe
	pod_create beta --vf "$(vf_list | tail -n 1)" --rdma rxe
	pod_exec beta timeout 60 ibv_rc_pingpong -d "$(pod_rdma beta)" -g 1 -n 20 &
	server=$!
	wait_until 10 pod_listens beta 18515
	pod_exec alpha timeout 60 ibv_rc_pingpong -d "$(pod_rdma alpha)" -g 1 -n 20 "$(pod_ip beta)"
	wait "$server"
}

pod_listens() { [ -n "$(pod_exec "$1" ss -Hltn "sport = :$2")" ]; }

rxe_pods_talk_shared() { rxe_pods_talk shared; }
rxe_pods_talk_exclusive() { rxe_pods_talk exclusive; }

run_case 'VFs hang on their PFs and have netdevs' has_vfs
run_case 'a PF sets and reports attributes of a VF' reports_vf_attributes
run_case 'repository, scratch folder and file systems are in place' has_places
run_case 'RDMA modules are loaded' has_rdma_modules
run_case 'ib_write_bw between two VFs goes over the wire with its DSCP' write_bw_runs
run_case 'a pod has its netns, cgroup, VF and addresses' makes_pod
run_case 'pods on different PFs reach each other' pods_meet
run_case 'a deleted pod leaves nothing' deletes_pod
run_case 'an rxe pod in shared mode' rxe_pod_shared
run_case 'an rxe pod in exclusive mode' rxe_pod_exclusive
run_case 'rxe traffic between pods in shared mode' rxe_pods_talk_shared
run_case 'rxe traffic between pods in exclusive mode' rxe_pods_talk_exclusive
run_case 'an hcasim pod in shared mode' hcasim_pod_shared
run_case 'an hcasim pod in exclusive mode' hcasim_pod_exclusive
suite_end
