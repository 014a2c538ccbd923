#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Node policy on igb's PFs: VFs are made, get MACs, drivers and MTUs, once; what is in use or another's is left alone. And the
# exclusive mode, now and at the next boot. At the end the VFs are made anew, as the boot had made them.
set -uo pipefail
. "$LAB_REPO/tests/vm/lib.sh"
. "$LAB_REPO/tests/vm/warden.sh"

read -r pf _ <<<"$LAB_PFS"
pf_dir=/sys/bus/pci/devices/$pf
pf_netdev=$(ls "$pf_dir/net")
out=$lab_state/policy
modprobe_dir=$lab_state/etc/modprobe.d
operator_dir=$lab_state/operator
mkdir -p "$modprobe_dir" "$operator_dir"
dirs="\"operator_dir\":\"$operator_dir\",\"modprobe_dir\":\"$modprobe_dir\""

vfs() { cat "$pf_dir/sriov_numvfs"; }
vf() { basename "$(readlink "$pf_dir/virtfn$1")"; }
vf_mac() { cat "/sys/bus/pci/devices/$(vf "$1")/net/"*/address; }
vf_mtu() { cat "/sys/bus/pci/devices/$(vf "$1")/net/"*/mtu; }
vf_driver() { basename "$(readlink "/sys/bus/pci/devices/$(vf "$1")/driver")"; }
admin_mac() { ip link show dev "$pf_netdev" | sed -n "s/^ *vf $1 .*link\/ether \([0-9a-f:]*\).*/\1/p"; }
macs() { for i in 0 1 2; do vf_mac "$i"; done; }

# igbvf warns when a netdev is closed while it resets: what is up has its carrier first.
vfs_at_rest() {
	local i netdev
	for ((i = 0; i < $(vfs); i++)); do
		netdev=$(vf_netdev "$(vf "$i")")
		[ -z "$netdev" ] || ! grep -q 1 "/sys/class/net/$netdev/carrier" 2>/dev/null || continue
		! cat "/sys/class/net/$netdev/carrier" >/dev/null 2>&1 || wait_until 20 carrier '' "$netdev"
	done
}
no_vfs() { vfs_at_rest; echo 0 >"$pf_dir/sriov_numvfs"; }

# KEYS of the policy beside its selector, and further keys of the configuration
start() {
	warden_start "\"mode\":\"audit\",$dirs,\"node_policy\":[{\"resourceName\":\"lab\",\"nicSelector\":{\"rootDevices\":[\"$pf\"]},$1}]${2:+,$2}"
}

# STATUS CMD…: that exit status; what it says is in $out
answers() {
	local expected=$1 status=0
	shift
	"$@" >"$out" 2>&1 || status=$?
	[ "$status" = "$expected" ] || { printf 'status %s, expected %s, of: %s\n' "$status" "$expected" "$*"; cat "$out"; return 1; }
}
says() { expect_match "$1" "$(cat "$out")"; }
says_not() { expect_fail "no word of $1" grep -qE "$1" "$out"; }

# ---- making VFs ----

t_made() {
	no_vfs
	ip link set "$pf_netdev" down
	start '"numVfs":3,"mtu":2000'
	answers 1 ctl policy --json
	says "\"pf\":\"$pf\".*\"result\":\"fail\",\"state\":\"change\""
	says '"action":"pf-up".*"action":"pf-mtu".*"from":"1500","to":"2000".*"action":"numVfs".*"from":"0","to":"3"'
	expect 'a plan changes nothing' test "$(vfs)" = 0
	answers 0 ctl policy --apply --json
	says_not '"done":"failed"'
	says '"state":"fits"'
	expect 'three VFs' test "$(vfs)" = 3
	expect 'the MTU of the PF' test "$(cat "/sys/class/net/$pf_netdev/mtu")" = 2000
	for i in 0 1 2; do
		expect "the MTU of VF $i" test "$(vf_mtu "$i")" = 2000
		expect "VF $i has the MAC that its PF gives it" test "$(vf_mac "$i")" = "$(admin_mac "$i")"
		expect_match '^.[26ae]:' "$(vf_mac "$i")" # locally administered, of one station
		expect "it is not drawn" test "$(cat "/sys/bus/pci/devices/$(vf "$i")/net/"*/addr_assign_type)" = 0
	done
	expect 'three MACs' test "$(macs | sort -u | wc -l)" = 3
	event kind=change rule=node.policy "subject=$pf_netdev" setting=numVfs from=0 to=3
}

# A second time there is nothing to do, and nothing is done.
t_idempotent() {
	local before after
	before=$(cat "$pf_dir"/virtfn*/net/*/ifindex)
	forget_events
	answers 0 ctl policy --apply --json
	says_not '"action":'
	after=$(cat "$pf_dir"/virtfn*/net/*/ifindex)
	expect 'the same netdevs' test "$before" = "$after"
	no_event rule=node.policy
	answers 0 ctl policy
	says "^pass +$pf +$pf_netdev: fits"
}

# As after a reboot, and by the start itself.
t_at_start() {
	local before
	before=$(macs)
	warden_stop
	no_vfs
	start '"numVfs":3,"mtu":2000' '"node_policy_apply":true'
	expect 'three VFs when it is ready' test "$(vfs)" = 3
	expect 'with the MACs of before' test "$(macs)" = "$before"
	answers 0 ctl policy
}

t_driver_taken_away() {
	vf 1 >/sys/bus/pci/drivers/igbvf/unbind
	answers 1 ctl policy --json
	says '"action":"vf-bind","subject":"[^"]*","vf":1,"from":"no driver"'
	answers 0 ctl policy --apply
	expect 'its driver' test "$(vf_driver 1)" = igbvf
	answers 0 ctl policy
}

# ---- what is left alone ----

t_used() {
	pod_create owner --vf "$(vf 0)" --rdma hcasim
	ip netns add holder
	ip link set "$(vf_netdev "$(vf 1)")" netns holder name held
	start '"numVfs":5'
	claim owner
	answers 1 ctl policy --apply --json
	says '"state":"refused"'
	says "numVfs cannot be changed; VF 0 \\($(vf 0)\\): [^ ]+ is claimed by test/owner; VF 1 \\($(vf 1)\\): its netdev held is in netns holder"
	says_not '"done"'
	expect 'still three' test "$(vfs)" = 3
	release owner
	pod_delete owner
	answers 1 ctl policy
	says "VF 1 \\($(vf 1)\\): its netdev held is in netns holder"
	says_not 'claimed'
	ip netns delete holder
	wait_until 10 test -n "$(vf_netdev "$(vf 1)")"
}

# One VF of a pod does not keep the others from theirs.
t_partly_used() {
	pod_create owner --host --vf "$(vf 1)" --rdma hcasim
	start '"numVfs":3,"mtu":1800'
	claim owner
	answers 1 ctl policy --apply --json
	says "VF 1 \\($(vf 1)\\) is to be changed \\(vf-mtu\\), but [^ ]+ is claimed by test/owner"
	expect 'VF 0' test "$(vf_mtu 0)" = 1800
	expect 'VF 2' test "$(vf_mtu 2)" = 1800
	expect 'VF 1 is as it was' test "$(vf_mtu 1)" = 2000
	release owner
	answers 0 ctl policy --apply
	expect 'VF 1' test "$(vf_mtu 1)" = 1800
	pod_delete owner
}

t_operators() {
	echo '{}' >"$operator_dir/$pf"
	start '"numVfs":5' '"node_policy_apply":true'
	answers 1 ctl policy --apply --json
	says "\"state\":\"watched\".*\"manager\":\"$operator_dir/$pf\".*it has 3 VFs, and is to have 5"
	says_not '"done"'
	expect 'still three' test "$(vfs)" = 3
	rm "$operator_dir/$pf"
	start '"numVfs":5,"externallyManaged":true'
	answers 1 ctl policy --apply --json
	says '"state":"watched"'
	expect 'still three' test "$(vfs)" = 3
	start '"numVfs":2,"externallyManaged":true'
	answers 0 ctl policy
}

t_no_policy() {
	warden_start '"mode":"audit"'
	answers 1 ctl policy
	says 'the configuration has no node_policy'
	answers 2 ctl policy --revert
}

# Without an IOMMU vfio-pci takes no function: the VF is not left without a driver.
t_vfio() {
	start '"numVfs":3,"deviceType":"vfio-pci"'
	[ -e /sys/bus/pci/drivers/vfio-pci ] || {
		answers 1 ctl policy
		says 'load the module vfio-pci'
	}
	modprobe vfio-pci || skip "no module vfio-pci in this guest"
	[ ! -e "$pf_dir/iommu_group" ] || skip 'there is an IOMMU here, so vfio-pci would take the VF'
	answers 1 ctl policy --apply --json
	says '"action":"vf-bind".*"to":"vfio-pci".*"done":"failed","error":".*no driver took it.*it is with igbvf again"'
	for i in 0 1 2; do
		expect "VF $i has its driver" test "$(vf_driver "$i")" = igbvf
		expect "VF $i has its netdev" test -n "$(vf_netdev "$(vf "$i")")"
		expect "VF $i may have any driver" test "$(cat "/sys/bus/pci/devices/$(vf "$i")/driver_override")" = '(null)'
	done
	modprobe -r vfio-pci
}

# ---- exclusive mode ----

boot_file=$modprobe_dir/rdma-warden.conf

t_netns_in_the_way() {
	local pid
	rdma_mode shared
	ip netns add in-the-way
	unshare -n sleep 1000 &
	pid=$!
	wait_until 5 grep -qx sleep "/proc/$pid/comm"
	forget_events
	warden_start "\"mode\":\"audit\",\"set_exclusive\":true,$dirs"
	event kind=fault | expect_match "other network namespaces exist \\(in-the-way, process $pid \\(sleep\\)\\)" -
	event kind=fault | expect_match "the next boot is exclusive by $boot_file" -
	expect 'shared' rdma_mode_is shared
	answers 0 ctl status --json
	says "\"exclusive\":\{\"now\":false,\"problem\":\"set_exclusive: [^\"]*in-the-way.*\"next_boot\":true,\"by\":\"$boot_file\""
	answers 0 ctl capabilities
	says "kernel.rdma-netns +fallback +shared .*at the next boot: exclusive, by $boot_file"
	kill "$pid"
	wait "$pid" || true
	ip netns delete in-the-way
}

# modprobe itself takes the file for what it is meant to be.
t_next_boot() {
	local before
	modprobe -C "$modprobe_dir" -c | grep -x 'options ib_core netns_mode=0'
	before=$(stat -c %i:%Y "$boot_file")
	warden_start "\"mode\":\"audit\",\"set_exclusive\":true,$dirs"
	expect 'not written again' test "$(stat -c %i:%Y "$boot_file")" = "$before"
	expect 'exclusive, now that nothing is in the way' rdma_mode_is exclusive
	answers 0 ctl status
	says "exclusive  now: yes; at the next boot: yes, by $boot_file"
	answers 0 ctl capabilities
	says 'kernel.rdma-netns +active +exclusive'
}

t_contradicted() {
	rm "$boot_file"
	echo 'options ib_core netns_mode=1' >"$modprobe_dir/vendor.conf"
	forget_events
	warden_start "\"mode\":\"audit\",\"set_exclusive\":true,$dirs"
	event kind=fault | expect_match "$modprobe_dir/vendor.conf says that ib_core starts with netns_mode=1" -
	expect 'no file of the warden' test ! -e "$boot_file"
	answers 0 ctl status --json
	says "\"next_boot\":false,\"by\":\"$modprobe_dir/vendor.conf\",\"against\":\"$modprobe_dir/vendor.conf\""
	rm "$modprobe_dir/vendor.conf"
	# Without set_exclusive nothing is written, and a look at what could be done leaves nothing.
	warden_start "\"mode\":\"audit\",$dirs"
	answers 0 ctl status
	says 'at the next boot: no'
	printf '{"set_exclusive":true,%s,"bpffs":"/sys/fs/bpf/look"}' "$dirs" >"$lab_state/look.json"
	rdma_mode shared
	wardend --config "$lab_state/look.json" --check >/dev/null
	expect 'still shared' rdma_mode_is shared
	expect 'no file' test ! -e "$boot_file"
}

rdma_mode shared
run_case 'VFs are made, and set up' t_made
run_case 'a second time nothing is done' t_idempotent
run_case 'the start makes them as they were' t_at_start
run_case 'a VF without a driver' t_driver_taken_away
run_case 'VFs in use are kept, and told' t_used
run_case 'free VFs beside one in use' t_partly_used
run_case 'a PF of somebody else is only watched' t_operators
run_case 'no policy' t_no_policy
run_case 'vfio-pci that cannot be had' t_vfio
run_case 'netns in the way of the exclusive mode are named' t_netns_in_the_way
run_case 'the next boot' t_next_boot
run_case 'who contradicts the next boot is named' t_contradicted
warden_unload
delete_pods_except ''
rdma_mode shared
no_vfs
ip link set "$pf_netdev" mtu 1500
ip link set "$pf_netdev" up
echo "$LAB_VFS" >"$pf_dir/sriov_numvfs"
for netdev in "$pf_dir"/virtfn*/net/*; do ip link set "${netdev##*/}" up; done
suite_end
