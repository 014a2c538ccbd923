# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For scripts in the guest, after warden.sh: two owners with soft RoCE in the host's netns, who talk over the wire.
#
#   make_hosts_pods   in_cgroup bw-a|bw-b CMD…   listens PORT   hosts_write_bw CLASS CLASS
#   with_clock FUNCTION ARG…
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

# SERVER-CLASS CLIENT-CLASS: ib_write_bw from bw-b to bw-a.
hosts_write_bw() {
	local status=0 server
	in_cgroup bw-a timeout 60 ib_write_bw -d "$rxe_a" -s 1024 -n 50 --tclass "$1" >"$lab_state/server" 2>&1 &
	server=$!
	wait_until 20 listens 18515
	in_cgroup bw-b timeout 60 ib_write_bw -d "$rxe_b" -s 1024 -n 50 --tclass "$2" "$(vf_ip "$vf_a")" || status=$?
	wait "$server" || status=$?
	[ "$status" = 0 ] || cat "$lab_state/server"
	return "$status"
}

# FUNCTION ARG…: a round of perftest, once or twice more where all that failed is perftest's own clock: it calibrates it at the
# end, and gives no report where the machine was too busy, which says nothing of the traffic. The function shows what both sides said
# when it fails; its variables are its own.
with_clock() {
	local status
	for _ in 1 2 3; do
		set +e # or what fails in the function would not end it
		(
			set -e
			"$@"
		) >"$lab_state/round" 2>&1
		status=$?
		set -e
		if [ "$status" = 0 ] || ! grep -qF "Can't produce a report" "$lab_state/round"; then break; fi
		echo 'perftest could not read its clock'
	done
	cat "$lab_state/round"
	return "$status"
}
