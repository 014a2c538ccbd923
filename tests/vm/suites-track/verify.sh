#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `verify` on a node with two pods: all is well; then one thing after the other is broken, and exactly the checks of that fail; it is
# mended, and all is well again.
#   verify.sh [FUNCTION…]
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../kube.sh
. "$LAB_REPO/tests/vm/kube.sh"
# shellcheck source=../track.sh
. "$LAB_REPO/tests/vm/track.sh"

# ---- how a case is: break_NAME, then exactly these checks fail, then mend_NAME ----

is_well() {
	checks || { failing; return 1; }
	expect_match '^$' "$(failing)"
	expect 'the last line says so' test "$(tail -n 1 "$kube_dir/checks" | jq .fail)" = 0
}

# Each with a cure, and what was found.
fails_are_whole() {
	jq -se 'map(select(.result == "fail")) | length > 0 and all(.cure != "" and .found != "" and .expected != "")' "$kube_dir/checks" >/dev/null
}

# What fails is, sorted, $expected.
fails_as_expected() {
	! checks || { echo 'verify is content'; return 1; }
	[ "$(failing | sort)" = "$(sort <<<"$expected")" ] || { printf 'expected:\n%s\nfailing:\n%s\n' "$expected" "$(failing)"; return 1; }
}

broken_and_mended() {
	"break_$what"
	wait_until 20 fails_as_expected || { fails_as_expected || true; jq -c 'select(.result == "fail")' "$kube_dir/checks"; return 1; }
	fails_are_whole
	"mend_$what"
	wait_until 20 is_well || { is_well || true; jq -c 'select(.result == "fail")' "$kube_dir/checks"; return 1; }
}

# NAME WHAT CHECK…: each check is "ID OWNER SUBJECT".
breakage() {
	local name=$1
	[ ${#only[@]} = 0 ] || [[ " ${only[*]} " == *" $2 "* ]] || return 0
	what=$2
	shift 2
	expected=$(printf '%s\n' "$@")
	run_case "${name//_/ }" broken_and_mended
	[ "$(tail -n 1 "$lab_cases")" = ok ] || remake
}

# ---- the node ----

in_a() { ip netns exec "$(kube_get a netns)" "$@"; }
in_b() { ip netns exec "$(kube_get b netns)" "$@"; }
# What runs in the container of pod a sees its /dev.
dev_of_a() { nsenter -t "$(kube_get a pid)" -m "$@"; }
mac_of() { in_netns "$(kube_get "$1" netns)" cat /sys/class/net/net1/address; }
node_of_a() { first_line "$kube_dir/node.a"; }
number_of() { stat -c '%Hr %Lr' "$1"; }

status_of_a() {
	printf '[{"name":"ml/roce","interface":"net1","ips":["%s"],"mac":"%s","mtu":1500,"dns":{},"device-info":{"type":"pci","version":"1.1.0","pci":{"pci-address":"%s"}}}%s]' \
		"$(vf_ip "$vf")" "$(mac_of a)" "$vf" "${1-}"
}

# shellcheck disable=SC2046 # one word for each VF
advertise() { kubelet_allocatable "$kube_resource" $(vf_list); }

# Pod a by hand, as sriov-cni and rdma-cni would, pod b by the warden.
make_pods() {
	kube_pod a
	kubelet_grant a main "$kube_resource" "$vf"
	kube_move a "$vf"
	vf_node "$vf" uverbs >"$kube_dir/node.a"
	kube_run a "$(node_of_a)" /dev/infiniband/rdma_cm
	api_pod a "$(status_of_a)"
	kube_pod b --driver cgroupfs --qos guaranteed
	kubelet_grant b main "$kube_resource" "$vf2"
	kube_attach b "$vf2" '"ipam":{"type":"host-local","dataDir":"'"$kube_dir"'/leases","ranges":[[{"subnet":"10.88.0.0/24"}]]}'
	kube_run b "$(vf_node "$vf2" uverbs)" /dev/infiniband/rdma_cm
	api_pod b
	advertise
	wait_until 20 carrier "$(kube_get b netns)" net1
	wait_until 20 claimed_for "$vf" a kubelet
	wait_until 20 claimed_for "$vf2" b cni
}

# As the profile wants it, of what is with the host.
mark_node() { ctl qos --apply --yes >"$kube_dir/qos" || [ "$(ctl qos --json | grep -c '"result":"fail"')" = 0 ] || { cat "$kube_dir/qos"; return 1; }; }

# After a case that failed.
remake() {
	local one
	ask_end
	for one in "$vf" "$vf2" "$vf3"; do ctl release --device "$one" --force >/dev/null 2>&1 || true; done
	track_tidy
	rm -f "$modprobe"/*lab*.conf
	make_pods
	mark_node
}

# ---- breakages: of what the pod was promised ----

break_address() { in_a ip address del "$(vf_ip "$vf")/24" dev net1; }
mend_address() { in_a ip address add "$(vf_ip "$vf")/24" dev net1; }

address_of_b() { in_b ip -o -4 address show dev net1 | awk '{ print $4 }'; }
break_address_b() {
	address_of_b >"$kube_dir/address"
	in_b ip address del "$(<"$kube_dir/address")" dev net1
}
mend_address_b() { in_b ip address add "$(<"$kube_dir/address")" dev net1; }

break_mtu() { in_a ip link set net1 mtu 1400; }
mend_mtu() { in_a ip link set net1 mtu 1500; }

break_mac() {
	mac_of a >"$kube_dir/mac"
	vf_set "$vf" mac 02:00:00:00:77:01
}
mend_mac() { vf_set "$vf" mac "$(<"$kube_dir/mac")"; }

break_interface() { api_pod a "$(status_of_a ',{"name":"ml/storage","interface":"net7","dns":{}}')"; }
mend_interface() { api_pod a "$(status_of_a)"; }

break_link() { in_a ip link set net1 down; }
mend_link() {
	in_a ip link set net1 up
	wait_until 20 carrier "$(kube_get a netns)" net1
	in_a ip address replace "$(vf_ip6 "$vf")/64" dev net1 nodad
}

# ---- of its nodes ----

break_no_node() { dev_of_a rm "$(node_of_a)"; }
mend_no_node() {
	local number
	read -ra number < <(number_of "$(node_of_a)")
	dev_of_a mknod "$(node_of_a)" c "${number[@]}"
}

break_no_cm() { dev_of_a rm /dev/infiniband/rdma_cm; }
mend_no_cm() {
	local number
	read -ra number < <(number_of /dev/infiniband/rdma_cm)
	dev_of_a mknod /dev/infiniband/rdma_cm c "${number[@]}"
}

# Of another pod's device, under a name that tells nothing.
break_other_node() {
	local number
	read -ra number < <(number_of "$(vf_node "$vf2" uverbs)")
	dev_of_a mknod /dev/infiniband/nothing c "${number[@]}"
}
mend_other_node() { dev_of_a rm /dev/infiniband/nothing; }

break_other_umad() {
	local number
	read -ra number < <(number_of "$(vf_node "$vf3" umad)")
	dev_of_a mknod /dev/infiniband/umad7 c "${number[@]}"
}
mend_other_umad() { dev_of_a rm /dev/infiniband/umad7; }

# ---- of what its PF enforces, and of its claim ----

break_spoofchk() { vf_set "$vf" spoofchk off; }
mend_spoofchk() { vf_set "$vf" spoofchk on; }

break_trust() { vf_set "$vf" trust on; }
mend_trust() { vf_set "$vf" trust off; }

claim_again() {
	ctl release --device "$vf"
	ctl claim --device "$vf" "$@" --owner ml/a
}
mend_claim() {
	ctl release --device "$vf"
	wait_until 20 claimed_for "$vf" a kubelet
}

break_claim_cgroup() { claim_again --netns "$(kube_get a netns)" --cgroup "/sys/fs/cgroup$(kube_get b cgroup)"; }
mend_claim_cgroup() { mend_claim; }

break_claim_netns() { claim_again --netns "$(kube_get b netns)"; }
mend_claim_netns() { mend_claim; }


# ---- of what the kubelet says ----

break_missing() { kubelet_grant a side "$kube_resource" "$vf3"; }
mend_missing() {
	kubelet_revoke a
	kubelet_grant a main "$kube_resource" "$vf"
}

break_stray() { kube_move a "$vf3" rdma; }
mend_stray() {
	kube_return a "$vf3" rdma
	mark_node
}

break_split() { kube_return a "$vf" rdma; }
mend_split() {
	kube_move a "$vf" rdma
	wait_until 20 claimed_for "$vf" a kubelet
}

break_two_pods() {
	kubelet_revoke a
	kubelet_grant b side "$kube_resource" "$vf"
}
mend_two_pods() {
	kubelet_revoke b
	kubelet_grant b main "$kube_resource" "$vf2"
	kubelet_grant a main "$kube_resource" "$vf"
}

break_resource_name() { kubelet_allocatable "$kube_resource"; }
mend_resource_name() { advertise; }

# shellcheck disable=SC2046 # one word for each VF
break_resource_count() { kubelet_allocatable "$kube_resource" $(vf_list | head -n -1); }
mend_resource_count() { advertise; }

# shellcheck disable=SC2046 # one word for each VF
break_resource_device() { kubelet_allocatable "$kube_resource" $(vf_list | head -n -1) 0000:09:00.1; }
mend_resource_device() { advertise; }

break_shared_plugin() { kubelet_allocatable rdma/hca_shared_devices_a {0..9}; }
mend_shared_plugin() { kubelet_allocatable rdma/hca_shared_devices_a; }

# ---- of the node itself ----

break_next_boot() { echo 'options ib_core netns_mode=1' >"$modprobe/zz-lab.conf"; }
mend_next_boot() { rm "$modprobe/zz-lab.conf"; }

break_policy() { ip link set "$pf2" down; }
mend_policy() { ip link set "$pf2" up; }

rdma_is_home() { [ -n "$(vf_rdma "$1")" ]; }

# Claimed by hand, its owner is gone, and it is not as nobody has set it up.
break_orphan() {
	kube_pod c --bare
	ctl claim --device "$vf3" --netns "$(kube_get c netns)" --owner ml/c
	kube_move c "$vf3"
	vf_set "$vf3" trust on
	kube_pod_delete c
	wait_until 20 rdma_is_home "$vf3"
	mark_node
}
mend_orphan() {
	vf_set "$vf3" trust off
	wait_until 20 is_home "$vf3"
	mark_node
}

# What the marking's audit finds is told as it is.
break_tos() {
	mkdir -p "/sys/kernel/config/rdma_cm/$rdma3"
	echo 104 >"/sys/kernel/config/rdma_cm/$rdma3/ports/1/default_roce_tos"
}
mend_tos() { mark_node; }

break_pause() { ethtool -A "$pf1" rx on tx on; }
mend_pause() { mark_node; }

# A PF in a pod: the node's policy misses it, too.
break_netdev() { ip link set "$pf2" netns "$(kube_get a netns)"; }
mend_netdev() {
	in_a ip link set "$pf2" netns 1
	ip link set "$pf2" up
}

# ---- what is not known is not well and not broken ----

kubelet_is_unknown() {
	checks || { failing; return 1; }
	jq -e 'select(.id == "source.kubelet") | .result == "unknown"' "$kube_dir/checks" >/dev/null
}

t_unknown() {
	kubelet_manner garbage
	wait_until 30 kubelet_is_unknown
	expect 'the verdict is not that all is well' test "$(tail -n 1 "$kube_dir/checks" | jq -r .verdict)" = unknown
	kubelet_manner plain
	wait_until 20 is_well
}

t_owner() {
	ctl verify --owner ml/a --json >"$kube_dir/checks"
	expect 'only what is of it' test "$(jq -r 'select(.id) | .owner' "$kube_dir/checks" | sort -u)" = ml/a
	expect_fail 'nobody of that name' ctl verify --owner ml/nobody
	expect_match 'verdict: (pass|unknown)' "$(ctl verify)"
	expect_match 'ml/a' "$(ctl verify --all)"
}

t_well() {
	wait_until 20 is_well || { is_well || true; jq -c 'select(.result == "fail")' "$kube_dir/checks"; return 1; }
	# The PFs of the lab have no DCB, and the settings of RDMA devices in pods are not to be seen from outside.
	expect_match '^$' "$(jq -r 'select(.result == "unknown" and (.id | startswith("qos.") | not))' "$kube_dir/checks")"
}

# ---- the suite ----

only=("$@")
modprobe=$kube_dir/modprobe.d
mkdir -p "$modprobe"
rdma_mode exclusive
{ read -r vf && read -r vf2 && read -r vf3; } < <(vf_list)
pf1=$(ls "/sys/bus/pci/devices/${LAB_PFS% *}/net") pf2=$(ls "/sys/bus/pci/devices/${LAB_PFS#* }/net")
( kube_needs kubelet-standin && kube_needs kube-api-standin ) || { echo "skip - all # $(cat "$lab_state/skip")"; exit; }
kubelet_start || exit 1
api_start || exit 1
policy='"node_policy":[{"resourceName":"roce","nicSelector":{"pfNames":["'$pf1'","'$pf2'"]},"numVfs":'$LAB_VFS',"isRdma":true}]'
track_warden "$(kube_keys),$policy,\"set_exclusive\":true,\"modprobe_dir\":\"$modprobe\",\"qos\":{\"profile\":{\"base\":\"spiderpool\",\"mtu\":0},\"on_violation\":\"observe\"}" || exit 1
# igb heeds what is said of pauses only where they are not negotiated.
for one in "$pf1" "$pf2"; do ethtool -A "$one" autoneg off rx off tx off || exit 1; done
ctl policy --apply >/dev/null || true # what it still lacks are the RDMA devices
for one in $(vf_list); do vf_hcasim "$one" >/dev/null; done
rdma3=$(vf_rdma "$vf3")
make_pods || exit 1
mark_node || exit 1

run_case 'a healthy node with two pods' t_well
breakage an_address_is_gone address 'pod.address ml/a net1'
breakage an_address_that_the_plugin_gave_is_gone address_b 'pod.address ml/b net1'
breakage another_MTU mtu 'pod.mtu ml/a net1'
breakage the_PF_has_another_MAC mac 'pod.mac ml/a net1'
breakage an_interface_is_missing interface 'pod.interface ml/a net7'
breakage the_link_is_down link 'pod.link ml/a net1' "pod.link ml/a $vf"
breakage no_uverbs_node no_node "pod.nodes ml/a $vf"
breakage no_rdma_cm no_cm 'pod.nodes ml/a rdma_cm'
breakage a_node_of_another_pod other_node 'pod.nodes ml/a others'
breakage a_umad_node_of_the_host other_umad 'pod.nodes ml/a others'
breakage spoof_check_is_off spoofchk "pod.spoofchk ml/a $vf"
breakage the_VF_is_trusted trust "pod.trust ml/a $vf"
breakage claimed_for_another_cgroup claim_cgroup "pod.claim ml/a $vf"
breakage claimed_for_another_netns claim_netns "pod.claim ml/a $vf"
breakage given_and_not_there missing "track.missing ml/a $vf3" "pod.devices ml/a $vf3" "pod.claim ml/a $vf3" "pod.nodes ml/a $vf3"
breakage there_and_not_given stray "track.stray ml/a $vf3" "track.split ml/a $vf3" "pod.devices ml/a $vf3"
breakage netdev_and_RDMA_device_are_apart split "qos.tos  $(in_netns "$(kube_get a netns)" ls "/sys/bus/pci/devices/$vf/infiniband")" "track.split ml/a $vf" "track.missing ml/a $vf" "pod.devices ml/a $vf"
breakage given_to_another_pod two_pods "track.pod ml/a $vf" "track.pod ml/b $vf" "track.missing ml/a $vf" \
	"track.missing ml/b $vf" "pod.devices ml/a $vf" 'pod.nodes ml/a others'
breakage a_resource_is_not_advertised resource_name 'resource.name  roce'
breakage too_few_devices_are_advertised resource_count 'resource.count  roce'
breakage a_device_is_advertised_that_there_is_not resource_device 'resource.device  0000:09:00.1'
breakage the_plugin_for_shared_devices shared_plugin 'resource.shared-plugin  rdma/hca_shared_devices_a'
breakage the_next_boot_would_be_shared next_boot 'exclusive.next-boot  RDMA subsystem'
breakage a_PF_is_down policy "sriov.policy  $pf2"
breakage an_orphan_that_is_not_clean orphan "device.orphan  $vf3"
breakage a_wrong_ToS_by_configfs tos "qos.tos  $rdma3"
breakage the_link_pauses pause "qos.pause  $pf1"
breakage a_PF_in_a_pod netdev "pod.netdevs ml/a $pf2" 'resource.count  roce'
run_case 'a kubelet that does not answer is unknown' t_unknown
run_case 'one pod alone, and what a person reads' t_owner
track_tidy
kubelet_stop
api_stop
warden_unload
suite_end
