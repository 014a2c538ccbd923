#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Pods come and go at random, with calls that fail and die in between; after each of them the node is what a simple model says
# (tests/tools/attach-random.c).
#
#   random.sh [COUNT [SEED]]   334 of them, other ones each time: with three kernels a thousand
#
# All of it: tests/vm/run --kernel 6.12 --timeout 3000 tests/vm/suites-attach/random.sh 1000
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../attach.sh
. "$LAB_REPO/tests/vm/attach.sh"

count=${1:-334} seed=${2:-$((${EPOCHREALTIME/./} % 1000000))}
faults_dir=$LAB_REPO/build-faults
random_dir=$cni_dir/alone

# IPAM COUNT
happen() {
	local status=0
	"$faults_dir/attach-random" "$random_dir" "$1" "$2" "$seed" >"$cni_dir/said" || status=$?
	[ "$status" = 0 ] || cat "$cni_dir/said"
	tail -n 1 "$cni_dir/said" >&3
	[ "$status" = 0 ]
	node_is_as_before
}

t_random() { happen "{\"type\":\"ipam-files\",\"dataDir\":\"$random_dir/leases\"}" "$count"; }

# The real plugin, which is slow to start here.
t_host_local() {
	local ranges='[[{"subnet":"10.88.0.0/24"}]]'
	happen "{\"type\":\"host-local\",\"dataDir\":\"$random_dir/leases\",\"ranges\":$ranges}" "$((count / 10 + 1))"
}

[ -x "$faults_dir/attach-random" ] || { echo 'not ok - there is no build-faults (see prepare_lab in tests/check)'; exit 1; }
exec 3>&1
rdma_mode exclusive
for vf in $(vf_list); do vf_hcasim "$vf" >/dev/null; done
netns_new p0 # so that ip-netns(8) has made its folder
netns_delete p0
node_note
echo "seed $seed"
run_pods "$count things happen at random, seed $seed" t_random
run_pods 'some of them with host-local' t_host_local
suite_end
