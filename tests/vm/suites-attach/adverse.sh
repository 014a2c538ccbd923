#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What goes wrong around attachments: journals that are damaged, a disk that is full or read-only, VFs and PFs that go or are
# renamed under a pod, an IPAM that fails or hangs. After each case the node is as it was.
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../attach.sh
. "$LAB_REPO/tests/vm/attach.sh"

is_home() { [ -n "$(vf_netdev "$1")" ] && [ -n "$(vf_rdma "$1")" ]; }

# ---- journals ----

fault_told() { last_event '"kind":"fault"' "$1"; }

# As it was left by whoever wrote or kept it badly. p1's last line is torn, p2's file is damaged, p3's is right.
spoil() {
	truncate -s -5 "$journal_dir/p1:net1"
	cp "$journal_dir/p2:net1" "$cni_dir/p2"
	sed -i '1s/"pci":"[^"]*"/"pci":7/' "$journal_dir/p2:net1"
	cp "$journal_dir/p3:net1" "$journal_dir/copy:net1"
	mkfifo "$journal_dir/pipe:net1"
	ln -s /dev/zero "$journal_dir/link:net1"
	mkdir "$journal_dir/folder:net1"
	head -c 3000 /dev/urandom >"$journal_dir/noise:net1"
	: >"$journal_dir/empty:net1"
}

t_journals() {
	local name
	netns_new p1 p2 p3
	cni_add p1 "$(conf "$vf" "\"vlan\":5,$local_ipam")"
	cni_add p2 "$(conf "$vf2" "\"vlan\":6,$local_ipam")"
	cni_add p3 "$(conf "$vf3" "\"vlan\":7,$local_ipam")"
	warden_stop
	spoil
	forget_events
	warden_start "$warden_config"
	for name in p2 copy pipe link folder noise; do
		fault_told "$journal_dir/$name:net1: damaged; set aside as"
		expect "$name is set aside" test -e "$journal_dir/$name:net1.damaged" -o -L "$journal_dir/$name:net1.damaged"
	done
	expect 'nothing had begun' test ! -e "$journal_dir/empty:net1"
	# Its ADD was never answered.
	wait_until 20 attached p1
	expect 'the VF of p1 is home' is_home "$vf"
	cni_error 3 'no interface net1' CHECK p1 "$(conf "$vf" "\"vlan\":5,$local_ipam,$(prev p1)")"
	cni DEL p1 "$(conf "$vf" "\"vlan\":5,$local_ipam")"
	cni CHECK p3 "$(conf "$vf3" "\"vlan\":7,$local_ipam,$(prev p3)")"
	cni DEL p3 "$(conf "$vf3" "\"vlan\":7,$local_ipam")"
	# The one whose journal is lost stays, and is nobody else's.
	expect 'the VF of p2 is still there' test -n "$(rdma_in p2 "$vf2")"
	cni_error 11 '' ADD p1 "$(conf "$vf2" "$local_ipam")"
	warden_stop
	rm -rf "$journal_dir"/*.damaged
	cp "$cni_dir/p2" "$journal_dir/p2:net1"
	warden_start "$warden_config"
	cni CHECK p2 "$(conf "$vf2" "\"vlan\":6,$local_ipam,$(prev p2)")"
	cni DEL p2 "$(conf "$vf2" "\"vlan\":6,$local_ipam")"
}

# ---- the disk ----

# OPTIONS: a small file system of its own for the journal, or that one changed.
small_disk() { mount -t tmpfs -o "$1" tmpfs "$journal_dir"; }
fill_disk() { head -c 100000 /dev/zero >"$journal_dir/.fill" 2>/dev/null || true; }
free_page() { truncate -s -4096 "$journal_dir/.fill"; }

# COUNT: the configuration, longer by so many bytes.
padded() { conf "$vf" "\"vlan\":5,\"args\":{\"pad\":\"$(printf '%*s' "$1" '' | tr ' ' x)\"},$local_ipam"; }

t_disk_full() {
	local length steps room
	netns_new p1
	small_disk size=12k
	cni ADD p1 "$(padded 0)"
	length=$(head -n 1 "$journal_dir/p1:net1" | wc -c)
	steps=$(($(wc -c <"$journal_dir/p1:net1") - length))
	fill_disk
	cni DEL p1 "$(padded 0)"
	node_looks_the_same
	fill_disk
	cni_error 5 'No space left' ADD p1 "$(padded 0)"
	node_looks_the_same
	# It ends within the first step, some steps later, and when the answer is to be written.
	free_page
	for room in 5 $((steps / 4)) $((steps - 20)); do
		cni_error 5 'No space left' ADD p1 "$(padded $((4096 - room - length)))"
		node_looks_the_same
	done
	rm "$journal_dir/.fill"
	cni ADD p1 "$(padded 0)"
	cni DEL p1 "$(padded 0)"
	umount "$journal_dir"
}

t_read_only() {
	netns_new p1 p2
	small_disk size=64k
	cni_add p1 "$(conf "$vf" "\"vlan\":5,$local_ipam")"
	small_disk remount,ro
	cni_error 5 'Read-only' ADD p2 "$(conf "$vf2" "$local_ipam")"
	version=1.1.0 cni_error 50 'Read-only' STATUS '' "$(version=1.1.0 conf '')"
	cni CHECK p1 "$(conf "$vf" "\"vlan\":5,$local_ipam,$(prev p1)")"
	cni_error 5 'Read-only' DEL p1 "$(conf "$vf" "\"vlan\":5,$local_ipam")"
	expect 'the VF of p1 is home' is_home "$vf"
	is_unclaimed "$vf"
	expect 'the address is free' test "$(leases)" = 0
	cni_error 5 'Read-only' DEL p1 "$(conf "$vf" "\"vlan\":5,$local_ipam")"
	small_disk remount,rw
	cni DEL p1 "$(conf "$vf" "\"vlan\":5,$local_ipam")"
	umount "$journal_dir"
}

# ---- devices that go ----

unbind() { wait_until 20 carrier "$1" net1; echo "$2" >/sys/bus/pci/drivers/igbvf/unbind; } # POD VF
has_netdev() { [ -n "$(vf_netdev "$1")" ]; }
bind() {
	echo "$1" >/sys/bus/pci/drivers/igbvf/bind
	wait_until 20 has_netdev "$1"
	vf_hcasim "$1"
}

# A netdev that is new, and was up: its driver has drawn another MAC.
come_up() {
	ip link set "$(vf_netdev "$1")" up
	wait_until 20 carrier '' "$(vf_netdev "$1")"
}

t_vf_unbound() {
	netns_new p1 p2
	cni_add p1 "$(conf "$vf" "\"vlan\":5,$local_ipam")"
	unbind p1 "$vf"
	cni_error 100 'not in the pod' CHECK p1 "$(conf "$vf" "\"vlan\":5,$local_ipam,$(prev p1)")"
	cni DEL p1 "$(conf "$vf" "\"vlan\":5,$local_ipam")"
	attached p1
	cni_error 11 'neither a netdev' ADD p2 "$(conf "$vf" "$local_ipam")"
	bind "$vf"
	is_unclaimed "$vf" # though p1 lives
	cni_add p2 "$(conf "$vf" "$local_ipam")"
	cni DEL p2 "$(conf "$vf" "$local_ipam")"
	come_up "$vf"
	node_note
	# It is back, at home, before the DEL comes.
	cni_add p1 "$(conf "$vf" "\"vlan\":5,$local_ipam")"
	unbind p1 "$vf"
	bind "$vf"
	cni_error 100 'not in the pod' CHECK p1 "$(conf "$vf" "\"vlan\":5,$local_ipam,$(prev p1)")"
	cni_error 11 "attached to container p1" ADD p2 "$(conf "$vf" "$local_ipam")"
	cni DEL p1 "$(conf "$vf" "\"vlan\":5,$local_ipam")"
}

t_vfs_removed() {
	local pf=${LAB_PFS%% *} one
	netns_new p1
	cni_add p1 "$(conf "$vf" "\"vlan\":5,$local_ipam")"
	wait_until 20 carrier p1 net1
	echo 0 >"/sys/bus/pci/devices/$pf/sriov_numvfs"
	cni_error 100 'not in the pod' CHECK p1 "$(conf "$vf" "\"vlan\":5,$local_ipam,$(prev p1)")"
	cni DEL p1 "$(conf "$vf" "\"vlan\":5,$local_ipam")"
	attached p1
	expect 'the address is free' test "$(leases)" = 0
	cni_error 7 'there is none' ADD p1 "$(conf "$vf" "$local_ipam")"
	echo "$LAB_VFS" >"/sys/bus/pci/devices/$pf/sriov_numvfs"
	for one in $vfs; do
		wait_until 20 has_netdev "$one"
		vf_hcasim "$one"
		come_up "$one"
	done
	node_note
	is_unclaimed "$vf"
	cni_add p1 "$(conf "$vf" "\"vlan\":5,$local_ipam")"
	cni DEL p1 "$(conf "$vf" "\"vlan\":5,$local_ipam")"
}

# 0|1: whether the VFs of the first one's PF have their link, at home or in p1.
links_are() {
	local one netdev pod
	for one in $vfs; do
		[ "/sys/bus/pci/devices/$one/physfn" -ef "/sys/bus/pci/devices/$vf/physfn" ] || continue
		netdev=$(vf_netdev "$one") pod=
		[ -n "$netdev" ] || netdev=net1 pod=p1
		[ "$(in_netns "$pod" cat "/sys/class/net/$netdev/carrier")" = "$1" ] || return 1
	done
}

# FROM TO: a VF notices that its PF is down, and is reset when that comes up; until then it is not to be closed, and its PF has
# no MAC for it.
rename_pf() {
	ip link set "$1" down
	ip link set "$1" name "$2"
	wait_until 20 links_are 0
	ip link set "$2" up
	wait_until 30 links_are 1
	wait_until 30 pf_knows_macs
}

t_pf_renamed() {
	local pf
	pf=$(ls "/sys/bus/pci/devices/$vf/physfn/net")
	netns_new p1
	cni_add p1 "$(conf "$vf" "\"vlan\":5,\"trust\":\"on\",$local_ipam")"
	wait_until 20 carrier p1 net1
	rename_pf "$pf" uplink7
	cni CHECK p1 "$(conf "$vf" "\"vlan\":5,\"trust\":\"on\",$local_ipam,$(prev p1)")"
	cni DEL p1 "$(conf "$vf" "\"vlan\":5,\"trust\":\"on\",$local_ipam")"
	rename_pf uplink7 "$pf"
}

# ---- IPAM ----

# host-local itself, but for what the wish names.
make_sullen() {
	mkdir -p "$cni_dir/plugins"
	cat >"$cni_dir/plugins/sullen" <<-'PLUGIN'
		#!/bin/sh
		# Test code: stands for an IPAM plugin in trouble, by the delegation contract of the CNI specification.
		dir=${0%/*}
		hang() { sleep 1000 & echo $! >"$dir/child"; wait; }
		wish=$(cat "$dir/wish")
		case $wish in
		"fail $CNI_COMMAND") echo '{"cniVersion":"1.0.0","code":101,"msg":"the store is away"}'; exit 1 ;;
		"hang $CNI_COMMAND") hang ;;
		"hang after $CNI_COMMAND") /usr/lib/cni/host-local; hang ;;
		esac
		exec /usr/lib/cni/host-local
	PLUGIN
	chmod +x "$cni_dir/plugins/sullen"
	wish none
}

wish() { echo "$*" >"$cni_dir/plugins/wish"; }
child_is_dead() { ! kill -0 "$(<"$cni_dir/plugins/child")" 2>/dev/null; }
sullen=${local_ipam/host-local/sullen}

t_ipam_fails_del() {
	local cni_path=$cni_dir/plugins
	netns_new p1 p2
	cni_add p1 "$(conf "$vf" "\"vlan\":5,$sullen")"
	wish fail DEL
	cni_error 101 'the store is away' DEL p1 "$(conf "$vf" "\"vlan\":5,$sullen")"
	attached p1 home
	expect 'the VF is home' is_home "$vf"
	expect 'the address is still given' test "$(leases)" = 1
	cni_error 3 'any more' CHECK p1 "$(conf "$vf" "\"vlan\":5,$sullen,$(prev p1)")"
	cni_error 11 'not home: the store is away' ADD p1 "$(conf "$vf2" "$sullen")"
	# The VF is free, and what is left of its last owner does not touch the next one.
	cni_add p2 "$(conf "$vf" "\"vlan\":6,$sullen")"
	cni_error 101 'the store is away' DEL p1 "$(conf "$vf" "\"vlan\":5,$sullen")"
	wish none
	cni DEL p1 "$(conf "$vf" "\"vlan\":5,$sullen")"
	attached p1
	expect 'one address is given' test "$(leases)" = 1
	cni CHECK p2 "$(conf "$vf" "\"vlan\":6,$sullen,$(prev p2)")"
	# GC gives it back, too.
	wish fail DEL
	cni_error 101 'the store is away' DEL p2 "$(conf "$vf" "\"vlan\":6,$sullen")"
	version=1.1.0 cni_error 11 'p2: the store is away' GC '' "$(version=1.1.0 conf '' '"cni.dev/valid-attachments":[]')"
	attached p2 home
	wish none
	cni GC '' "$(version=1.1.0 conf '' '"cni.dev/valid-attachments":[]')"
	attached p2
	node_looks_the_same
	# And so does an ADD of the same container.
	cni_add p1 "$(conf "$vf" "$sullen")"
	wish fail DEL
	cni_error 101 'the store is away' DEL p1 "$(conf "$vf" "$sullen")"
	wish none
	cni_add p1 "$(conf "$vf2" "$sullen")"
	expect 'one address is given' test "$(leases)" = 1
	cni DEL p1 "$(conf "$vf2" "$sullen")"
}

# IPAM has little time here, and hangs at all that it is asked meanwhile; what it is to do in the end has the usual time.
t_ipam_hangs() {
	local cni_path=$cni_dir/plugins
	netns_new p1 p2
	cni_add p1 "$(conf "$vf" "\"vlan\":5,$sullen")"
	warden_start "$warden_config,\"ipam_timeout\":3"
	wish hang ADD
	cni_error 11 'did not end in time' ADD p2 "$(conf "$vf2" "\"vlan\":6,$sullen")"
	expect 'its child is dead' child_is_dead
	attached p2
	expect 'the VF of p2 is home' is_home "$vf2"
	wish hang after ADD # it gave an address, and its answer never came
	cni_error 11 'did not end in time' ADD p2 "$(conf "$vf2" "\"vlan\":6,$sullen")"
	expect 'its child is dead' child_is_dead
	expect 'only the address of p1 is given' test "$(leases)" = 1
	wish hang DEL
	cni_error 11 'did not end in time' DEL p1 "$(conf "$vf" "\"vlan\":5,$sullen")"
	expect 'its child is dead' child_is_dead
	attached p1 home
	expect 'the VF of p1 is home' is_home "$vf"
	wish none
	warden_start "$warden_config" # which asks again
	wait_until 20 attached p1
	expect 'the address is free' test "$(leases)" = 0
}

make_sullen
attach_begin '"mode":"enforce"'
attach_cases "$@" <<-'CASES'
	journals_that_are_damaged t_journals
	a_disk_that_is_full t_disk_full
	a_disk_that_is_read-only t_read_only
	a_VF_that_loses_its_driver t_vf_unbound
	VFs_that_are_no_more t_vfs_removed
	a_PF_with_another_name t_pf_renamed
	an_IPAM_that_takes_nothing_back t_ipam_fails_del
	an_IPAM_that_hangs t_ipam_hangs
CASES
