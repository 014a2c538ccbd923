#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# wardend before the RDMA modules: tests/vm/run --no-rdma tests/vm/suites-late.sh (another boot than that of the suites).
set -uo pipefail
# shellcheck source=lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=warden.sh
. "$LAB_REPO/tests/vm/warden.sh"

capability() { ctl capabilities --json | grep -F "\"feature\":\"$1\""; }
is_active() { capability "$1" | grep -q '"state":"active"'; }

needs_modules='devices.register devices.rename devices.netns-end inventory.objects marking.audit'

t_without_modules() {
	local feature
	expect 'no RDMA module' test ! -e /sys/module/ib_core
	expect 'the guard is in force already' is_active exclusive.open
	for feature in $needs_modules; do
		capability "$feature" | expect_match '"state":"unavailable","by":"","reason":"module ib_core is not loaded"' -
	done
	expect 'no devices' test -z "$(ctl devices --json)"
	ctl capabilities | expect_match 'devices.register +unavailable +- +module ib_core is not loaded' -
	expect_fail 'a claim' ctl claim --device rxe0 --pid 1 --cgroup /kubepods.slice --owner test/late
}

t_modules_come() {
	local feature
	modprobe -a ib_core ib_uverbs ib_umad rdma_cm rdma_ucm rdma_rxe
	for feature in $needs_modules; do
		wait_until 10 is_active "$feature"
	done
	expect_fail 'something unavailable' eval "ctl capabilities | grep unavailable | grep -Ev 'not in (this version|use)'"
}

# In shared mode every kernel lets every process open every device.
t_device_is_guarded() {
	pod_create late --vf next --rdma rxe
	event kind=change rule=device.add "device=$(pod_rdma late)"
	expect 'free: the host may' uverbs open "$(pod_uverbs late)"
	refused pod_exec late uverbs open "$(pod_uverbs late)"
	claim late
	expect 'the owner works' pod_exec late uverbs context "$(pod_uverbs late)"
	refused uverbs open "$(pod_uverbs late)"
	event rule=exclusive.open verdict=denied "device=$(pod_rdma late)" owner=test/late comm=uverbs
}

# The programs on ib_core's functions hold it.
t_modules_go() {
	pod_delete late
	event kind=change rule=device.remove device=rxe_late owner=test/late
	modprobe -r rdma_rxe
	warden_stop
	expect_fail 'ib_core goes under the pinned programs' unload_rdma
	warden_unload
	expect 'no pins' test -z "$(ls /sys/fs/bpf)"
	wait_until 20 unload_rdma
}

unload_rdma() {
	local module
	for module in rdma_ucm rdma_cm iw_cm ib_umad ib_uverbs ib_uverbs_support ib_cm ib_core; do # the support since 7.3
		[ ! -e "/sys/module/$module" ] || rmmod "$module" || return 1
	done
}

# The mode is switched when there is one to switch, and the next boot seen to before.
t_exclusive_when_modules_come() {
	local dir=$lab_state/modprobe.d
	mkdir "$dir"
	warden_start "\"mode\":\"enforce\",\"set_exclusive\":true,\"modprobe_dir\":\"$dir\""
	expect 'no RDMA module' test ! -e /sys/module/ib_core
	ctl status | expect_match "exclusive  now: unknown; at the next boot: yes, by $dir/rdma-warden.conf" -
	modprobe -a ib_core ib_uverbs
	wait_until 10 grep -qx N /sys/module/ib_core/parameters/netns_mode
	ctl status --json | expect_match '"exclusive":\{"now":true,"problem":""' -
	capability kernel.rdma-netns | expect_match '"state":"active","by":"exclusive"' -
}

warden_start '"mode":"enforce"' || { echo 'not ok - wardend starts'; exit 1; }
run_case 'without modules: what is missing, and why' t_without_modules
run_case 'the modules are loaded: all becomes active' t_modules_come
run_case 'a device made then is guarded' t_device_is_guarded
run_case 'the modules go, but not before the programs' t_modules_go
run_case 'exclusive mode is set when the modules come' t_exclusive_when_modules_come
suite_end
