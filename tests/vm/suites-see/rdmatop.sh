#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # the variables are those of jq
# rdmatop in the lab: asks the real wardend, and without it the kernel. The rest of it is tested without a lab, in tests/rdmatop.
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../attach.sh
. "$LAB_REPO/tests/vm/attach.sh"

seen=$lab_state/seen

# FILTER: jq -e, with the VF as $vf.
seen_is() { jq -es --arg vf "$vf" "$1" "$seen" >/dev/null || { cat "$seen"; return 1; }; }

# The VF's counters go on between two samples, of which the recording says what they were.
t_wardend() {
	pod_add p1 "$vf"
	echo 1000 >"/sys/kernel/debug/hcasim/$vf/counters/np_cnp_sent"
	rdmatop --socket "$warden_socket" -j -n 1 -d 1 --record "$lab_state/recording" >"$seen"
	seen_is '.[0].nodes[0] | .daemon and .mode == "enforce" and .version != "" and .guard != "none"'
	seen_is '.[0].devices | map(select(.pci == $vf)) | length == 1 and (.[0] | .owner == "ml/p1" and .pod == "p1" and
		.pod_namespace == "ml" and .state == "claimed" and .cnp == 0 and .qps == 0 and .violations != null)'
	rdmatop --replay "$lab_state/recording" -j >"$lab_state/again"
	cmp "$seen" "$lab_state/again"
	jq -es --arg vf "$vf" 'map(select(.pci == $vf)) | length == 2 and all(.[]; .counters.np_cnp_sent == 1000)' "$lab_state/recording"
	pod_del p1 "$vf"
}

# All devices of all netns, and that nobody says whose they are.
t_kernel() {
	pod_add p1 "$vf"
	rdmatop -j -n 1 -d 1 >"$seen" # no wardend at the socket of a node
	seen_is '.[0] | (.nodes[0].daemon | not) and (.missing | map(test("only wardend knows")) | any)'
	seen_is '.[0].devices | map(select(.pci == $vf)) | length == 1 and (.[0] | .owner == "" and .pod == "" and .violations == null)'
	pod_del p1 "$vf"
}

ip link set lo up
rdma_mode exclusive
for vf in $(vf_list); do vf_hcasim "$vf" >/dev/null; done
vf=$(vf_list | head -n 1)
warden_start '"mode":"enforce","qos":{"profile":"nvidia"}' || exit 1
run_case 'rdmatop: what wardend says of a VF, and its recording' t_wardend
run_case 'rdmatop: the kernel alone' t_kernel
warden_unload
suite_end
