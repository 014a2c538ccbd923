# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For scripts in the guest, after attach.sh: what a call costs wardend, counted by strace from outside.
#
#   cost_of COMMAND POD CONFIG     prints SYSCALLS MESSAGES PROCESSES: of the second those sent over netlink
# shellcheck disable=SC2154 # cni_dir and warden_dir are attach.sh's and warden.sh's

strace_watches() { [ -s "$cni_dir/strace.pid" ] && grep -q "^TracerPid:	$(<"$cni_dir/strace.pid")$" "/proc/$(<"$warden_dir/pid")/status"; }

# A line for each call that began. A message's header is in it in full; those of a program that was started are not wardend's.
count_cost() {
	awk '
		/ resumed>/ { next }
		{ pid = $1 }
		/ execve\(/ { foreign[pid] = 1 }
		pid in foreign { next }
		{ calls++ }
		/ (sendto|sendmsg)\(/ { messages += gsub(/nlmsg_flags=NLM_F_REQUEST/, "") }
		/ (fork|vfork)\(/ || (/ clone3?\(/ && !/CLONE_THREAD/) { processes++ }
		END { print calls + 0, messages + 0, processes + 0 }' "$1"
}

cost_of() {
	local tracer
	strace -f -v -s 65536 -o "$cni_dir/strace" -p "$(<"$warden_dir/pid")" 2>"$cni_dir/strace.said" &
	tracer=$!
	echo "$tracer" >"$cni_dir/strace.pid"
	wait_until 20 strace_watches
	cni "$@"
	ctl status >"$cni_dir/status" # the loop has ended what it had to do for the call
	kill "$tracer"
	wait "$tracer" || true
	count_cost "$cni_dir/strace"
}
