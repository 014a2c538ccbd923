# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For scripts in the guest, after warden.sh: two owners with soft RoCE in the host's netns, who talk over the wire.
#
#   make_hosts_pods   in_cgroup bw-a|bw-b CMD…   listens PORT   with_clock FUNCTION ARG…
# shellcheck disable=SC2154 # lab_state is lib.sh's

# rxe cannot change netns before 7.3, and has no traffic between netns there: the owners are told apart by cgroup alone.
make_hosts_pods() {
	local vfs
	mapfile -t vfs < <(vf_list)
	# A free VF of each PF, so that what is sent crosses the hub between them; the pods have the first two.
	vf_a=${vfs[2]} vf_b=${vfs[$((${#vfs[@]} - 1))]}
	rxe_a=$(vf_rxe "$vf_a") rxe_b=$(vf_rxe "$vf_b")
	vf_wire "$vf_a" "$vf_b"
	mkdir -p /sys/fs/cgroup/kubepods.slice/bw-a /sys/fs/cgroup/kubepods.slice/bw-b
	ctl claim --device "$rxe_a" --pid 1 --cgroup /sys/fs/cgroup/kubepods.slice/bw-a --owner test/bw-a
	ctl claim --device "$rxe_b" --pid 1 --cgroup /sys/fs/cgroup/kubepods.slice/bw-b --owner test/bw-b
}

in_cgroup() {
	(
		echo "$BASHPID" >"/sys/fs/cgroup/kubepods.slice/$1/cgroup.procs"
		shift
		exec "$@"
	)
}

listens() { ss -Hltn "sport = :$1" | grep -q .; }

# FUNCTION ARG…: a round of perftest, once or twice more where all that failed is perftest's own clock: it calibrates it at the
# end, and gives no report where the machine was too busy, which says nothing of the traffic.
with_clock() {
	local status
	for _ in 1 2 3; do
		status=0
		"$@" >"$lab_state/round" 2>&1 || status=$?
		if [ "$status" = 0 ] || ! grep -qF "Can't produce a report" "$lab_state/round"; then break; fi
		echo 'perftest could not read its clock'
	done
	cat "$lab_state/round"
	return "$status"
}
