# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For scripts in the guest: `. "$LAB_REPO/tests/vm/lib.sh"`. A test frame, and pods as a node has them.
#
#   run_case NAME FUNCTION [ARG…]   suite_end   skip REASON   expect WHAT CMD…   expect_fail WHAT CMD…   expect_match REGEX TEXT|-
#   wait_until SECONDS CMD…
#   rdma_mode exclusive|shared      rdma_works KIND (does the kernel let a pod own such a device?)
#   vf_list   vf_set BDF WORD…   vf_netdev BDF   vf_rdma BDF   vf_address BDF   vf_rxe BDF   vf_wire BDF BDF
#   vf_hcasim BDF   vf_no_hcasim BDF
#   vf_node BDF uverbs|umad|issm   vf_reregister BDF (hcasim)
#   pod_create NAME [--host] [--vf BDF|next] [--rdma rxe|hcasim|none]   pod_delete NAME   pod_exec NAME CMD…
#   pod_rdma NAME   pod_uverbs NAME   pod_netns_inode NAME   pod_ip NAME   pod_ip6 NAME   pod_vf NAME   pod_cgroup NAME
#   pod_cgroup_id NAME

: "${LAB_MODULES:?only in the guest of tests/vm/run}"

# ---- test frame ----

lab_state=/run/lab/state
lab_cases=$lab_state/cases
mkdir -p "$lab_state/pods"
: >"$lab_cases"
# Without KVM a fork costs 5 ms and an exec 10 more, so what runs often here is of the shell's own commands.
lab_never=$lab_state/never
[ -p "$lab_never" ] || mkfifo "$lab_never"

skip() { printf '%s\n' "$*" >"$lab_state/skip"; exit 77; }

# NAME FUNCTION: FUNCTION runs in a subshell, any command that fails in it fails the case. Pods that the case made and
# left are deleted, so that one failure does not make the next.
run_case() {
	local name=$1 log=$lab_state/log status=0 before
	shift
	before=$(pods)
	rm -f "$lab_state/skip"
	echo "lab: case $name" >/dev/kmsg
	# Started in the background: behind || or in an if, bash would ignore set -e inside.
	(
		set -Eeuo pipefail
		trap 'echo "failed (status $?) in ${FUNCNAME[0]:-main} line $LINENO: $BASH_COMMAND"' ERR
		"$@"
	) >"$log" 2>&1 &
	wait $! || status=$?
	delete_pods_except "$before" >>"$log" 2>&1 || status=1
	case $status in
	0) say_case ok "$name" ;;
	77) say_case skip "$name # $(cat "$lab_state/skip" 2>/dev/null || echo 'no reason given')" ;;
	*)
		say_case 'not ok' "$name"
		sed 's/^/    /' "$log"
		;;
	esac
}

say_case() {
	printf '%s - %s\n' "$1" "$2"
	printf '%s\n' "$1" >>"$lab_cases"
}

count_cases() { grep -cx "$1" "$lab_cases" || true; }

suite_end() {
	local passed failed skipped
	passed=$(count_cases ok) failed=$(count_cases 'not ok') skipped=$(count_cases skip)
	printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
	[ "$failed" = 0 ] && [ "$((passed + skipped))" -gt 0 ]
}

expect() {
	local what=$1
	shift
	"$@" || { printf 'expected: %s (status %s of: %s)\n' "$what" "$?" "$*"; return 1; }
}

expect_fail() {
	local what=$1
	shift
	if "$@"; then
		printf 'expected to fail: %s (but it worked: %s)\n' "$what" "$*"
		return 1
	fi
}

# TEXT is - for standard input.
expect_match() {
	local text=$2
	[ "$text" != - ] || text=$(cat)
	[[ $text =~ $1 ]] || { printf 'expected a match of: %s\nin:\n%s\n' "$1" "$text"; return 1; }
}

pause() { read -rt "$1" <>"$lab_never" || true; }

# FILE: its first line.
first_line() {
	local line
	{ read -r line <"$1"; } 2>/dev/null && printf '%s\n' "$line"
}

wait_until() {
	local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000)) seconds=$1
	shift
	until "$@" >/dev/null 2>&1; do
		if [ "${EPOCHREALTIME/./}" -gt "$deadline" ]; then
			printf 'waited %s s in vain for: %s\n' "$seconds" "$*" >&2
			return 1
		fi
		pause 0.05
	done
}

# ---- kernel and RDMA subsystem ----

kernel_at_least() { printf '%s\n%s\n' "$1" "$(uname -r)" | sort -CV; }

rdma_mode_is() { [[ $(rdma system show) == *"netns $1"* ]]; }

# The kernel changes it only while there is no netns but the initial one; a netns that has just ended may still be there.
rdma_mode() { rdma_mode_is "$1" || wait_until 5 rdma system set netns "$1"; }

# Whether a pod can own a device of that kind, by kernel and mode:
#   rxe     7.3 in exclusive mode: the device moves into the pod (but has no QP1 afterwards, so no rdma_cm).
#           Before 7.3 rxe cannot change netns. In shared mode, on every kernel, it is made from inside the pod on the
#           pod's netdev, belongs to the initial netns and can be opened from everywhere, as hardware can in that mode.
#           Traffic between such pods runs on 7.3 only: before, rxe's sockets are in the initial netns. For traffic on
#           any kernel use vf_rxe and vf_wire, without pods.
#   hcasim  everywhere that the module is.
rdma_works() {
	case $1 in
	none) ;;
	rxe) rdma_mode_is shared || kernel_at_least 7.0 ;;
	hcasim) [ -e "$LAB_MODULES/hcasim.ko" ] ;;
	*) return 1 ;;
	esac
}

need_rdma() { rdma_works "$1" || skip "no $1 in a pod here: kernel $(uname -r), $(rdma system show), modules $(ls "$LAB_MODULES")"; }

# The sysfs of a netns shows what is in that netns, so the look-ups take the netns ('' is the initial one).
in_netns() {
	local netns=$1
	shift
	if [ -n "$netns" ]; then ip netns exec "$netns" "$@"; else "$@"; fi
}

rdma_has_gid() { in_netns "$1" grep -qrix "$3" "/sys/class/infiniband/$2/ports/1/gids"; }

ipv4_gid() {
	local a b c d
	IFS=. read -r a b c d <<<"$1"
	printf '0000:0000:0000:0000:0000:ffff:%02x%02x:%02x%02x\n' "$a" "$b" "$c" "$d"
}

rdma_wait_gid() { wait_until 15 rdma_has_gid "$1" "$2" "$(ipv4_gid "$3")"; }

# ---- VFs ----

vf_list() {
	# shellcheck disable=SC2086 # one word for each
	(cd /sys/bus/pci/devices && find -H $LAB_PFS -maxdepth 1 -name 'virtfn*' -printf '%l\n') | sed 's,.*/,,' | sort
}

# Empty while the netdev is in another netns.
vf_netdev() { ls "/sys/bus/pci/devices/$1/net" 2>/dev/null || true; }

# The RDMA device whose parent the VF is: as hardware has it, and hcasim; rxe is nobody's child.
vf_rdma() { ls "/sys/bus/pci/devices/$1/infiniband" 2>/dev/null || true; }

# BDF WORD…: what the PF has set for the VF, as `ip link set PF vf N WORD…`.
vf_set() {
	local vf=$1 pf number link
	shift
	pf=$(ls "/sys/bus/pci/devices/$vf/physfn/net")
	for link in "/sys/bus/pci/devices/$vf/physfn/"virtfn*; do
		[ "$(basename "$(readlink "$link")")" != "$vf" ] || number=${link##*virtfn}
	done
	ip link set "$pf" vf "$number" "$@"
}

# The character device of such an RDMA device.
vf_node() {
	local dir=infiniband_mad node
	[ "$2" != uverbs ] || dir=infiniband_verbs
	for node in "/sys/bus/pci/devices/$1/$dir/$2"[0-9]*; do
		[ -e "$node" ] || return 1
		printf '/dev/infiniband/%s\n' "${node##*/}"
		return
	done
}

# A number of its own for each VF, from which its addresses come.
vf_number() { vf_list | awk -v vf="$1" '$0 == vf { print NR }'; }

vf_ip() { printf '10.77.0.%s\n' "$((10 + $(vf_number "$1")))"; }
vf_ip6() { printf '2001:db8:77::%x\n' "$((16 + $(vf_number "$1")))"; }

carrier() { [ "$(in_netns "$1" cat "/sys/class/net/$2/carrier")" = 1 ]; }

# NETNS NETDEV BDF
netdev_up() {
	ip ${1:+-n "$1"} link set "$2" up
	ip ${1:+-n "$1"} address replace "$(vf_ip "$3")/24" dev "$2"
	ip ${1:+-n "$1"} address replace "$(vf_ip6 "$3")/64" dev "$2" nodad
	wait_until 20 carrier "$1" "$2"
}

# igbvf resets a VF when its PF comes up, and warns when the netdev is closed meanwhile (igbvf_close); with its carrier
# the reset is over.
netdev_down() {
	# The file cannot be read of a netdev that is down already.
	if cat "/sys/class/net/$1/carrier" >/dev/null 2>&1; then wait_until 20 carrier '' "$1"; fi
	ip link set "$1" down
}

# Gives the VF's netdev its addresses in the initial netns, waits for the carrier and prints the IPv4 address.
vf_address() {
	netdev_up '' "$(vf_netdev "$1")" "$1"
	vf_ip "$1"
}

# An rxe device on the VF in the initial netns, with addresses; prints its name.
vf_rxe() {
	local netdev name
	netdev=$(vf_netdev "$1")
	name=rxe_$netdev
	netdev_up '' "$netdev" "$1"
	vf_no_hcasim "$1"
	[ -e "/sys/class/infiniband/$name" ] || rdma link add "$name" type rxe netdev "$netdev"
	rdma_wait_gid '' "$name" "$(vf_ip "$1")"
	printf '%s\n' "$name"
}

# Makes what one VF of the initial netns sends to another go over the wire (the hub between the PFs) rather than
# through the loopback: what is locally sent is routed out of the VF before the local table is asked.
vf_wire() {
	if ! ip rule show | grep -q '^32000:.*lookup local'; then
		ip rule add pref 32000 lookup local
		ip rule del pref 0
	fi
	vf_wire_one "$1" "$2"
	vf_wire_one "$2" "$1"
}

vf_wire_one() {
	local from to table
	from=$(vf_netdev "$1") to=$(vf_netdev "$2") table=$((100 + $(vf_number "$1")))
	sysctl -qw "net.ipv4.conf.$from.accept_local=1" "net.ipv4.conf.$from.rp_filter=0" net.ipv4.conf.all.rp_filter=0
	ip route replace "$(vf_ip "$2")" dev "$from" src "$(vf_ip "$1")" table "$table"
	ip rule show | grep -q "lookup $table" || ip rule add pref "$table" iif lo from "$(vf_ip "$1")" to "$(vf_ip "$2")" lookup "$table"
	ip neigh replace "$(vf_ip "$2")" lladdr "$(cat "/sys/class/net/$to/address")" dev "$from" nud permanent
}

# hcasim stands for the VF's hardware RDMA device; prints its name.
vf_hcasim() {
	[ -e /sys/kernel/debug/hcasim/add ] || insmod "$LAB_MODULES/hcasim.ko"
	[ -n "$(vf_rdma "$1")" ] || echo "$1 $(vf_netdev "$1")" >/sys/kernel/debug/hcasim/add
	wait_until 5 test -d "/sys/bus/pci/devices/$1/infiniband"
	vf_rdma "$1"
}

# A second RDMA device on the VF's netdev has the same GIDs, and the kernel's rdma_cm binds to whichever of them it finds first: to one
# that user space cannot use.
vf_no_hcasim() { [ -z "$(vf_rdma "$1")" ] || echo "$1" >/sys/kernel/debug/hcasim/remove; }

# As after a reset of the function: hcasim's device goes and comes again, with other nodes and another index, and it is in
# the initial netns.
vf_reregister() { echo "$1" >/sys/kernel/debug/hcasim/reregister; }

# ---- pods: a netns, a cgroup where the kubelet would have it, a VF, an RDMA device ----

pods() {
	local dir
	for dir in "$lab_state"/pods/*/; do
		[ ! -d "$dir" ] || { dir=${dir%/}; printf '%s\n' "${dir##*/}"; }
	done
}

pod_get() { first_line "$lab_state/pods/$1/$2"; }

pod_set() { printf '%s\n' "$3" >"$lab_state/pods/$1/$2"; }

pod_cgroup() { printf '/sys/fs/cgroup/kubepods.slice/%s\n' "$1"; }
pod_cgroup_id() { stat -c %i "$(pod_cgroup "$1")"; }
pod_is_host() { [ -e "$lab_state/pods/$1/is-host" ]; } # a hostNetwork pod: told from the host by its cgroup alone
pod_netns_inode() { if pod_is_host "$1"; then stat -Lc %i /proc/self/ns/net; else stat -Lc %i "/run/netns/$1"; fi; }
pod_vf() { pod_get "$1" vf; }
pod_ip() { vf_ip "$(pod_vf "$1")"; }
pod_ip6() { vf_ip6 "$(pod_vf "$1")"; }
pod_rdma() { pod_get "$1" rdma; }

# By the VF where the device is its child: names are not unique on 7.3.
pod_uverbs() {
	local node
	if [ "$(pod_get "$1" kind)" = hcasim ]; then
		vf_node "$(pod_vf "$1")" uverbs
		return
	fi
	node=$(grep -lx "$(pod_rdma "$1")" /sys/class/infiniband_verbs/uverbs*/ibdev) || return
	node=${node%/ibdev}
	[ -e "/dev/infiniband/${node##*/}" ] && printf '/dev/infiniband/%s\n' "${node##*/}"
}

# In the pod's cgroup and netns, with the sysfs of that netns.
pod_exec() {
	local name=$1
	shift
	(
		echo "$BASHPID" >"$(pod_cgroup "$name")/cgroup.procs"
		if pod_is_host "$name"; then exec "$@"; fi
		exec ip netns exec "$name" "$@"
	)
}

free_vf() { vf_list | grep -vxF -f <(cat "$lab_state"/pods/*/vf 2>/dev/null) | head -n 1; }

make_cgroup() {
	local parent=/sys/fs/cgroup/kubepods.slice
	mkdir -p "$parent/$1"
	tr ' ' '\n' <"$parent/cgroup.controllers" | sed 's/^/+/' | while read -r controller; do
		echo "$controller" >"$parent/cgroup.subtree_control"
	done
}

pod_create() {
	local name=$1 vf='' rdma=none host=no
	shift
	while [ $# -gt 0 ]; do
		case $1 in
		--host) host=yes; shift; continue ;;
		--vf) vf=$2 ;;
		--rdma) rdma=$2 ;;
		*) echo "pod_create: unknown option $1" >&2; return 1 ;;
		esac
		shift 2
	done
	[ "$vf" != next ] || vf=$(free_vf)
	[ "$rdma" = none ] || [ -n "$vf" ] || { echo "pod_create: an RDMA device needs a VF" >&2; return 1; }
	[ "$host" = yes ] || rdma_works "$rdma" || { echo "pod_create: no $rdma in a pod with this kernel and mode" >&2; return 1; }
	mkdir "$lab_state/pods/$name"
	pod_set "$name" kind "$rdma"
	[ "$host" = no ] || pod_set "$name" is-host yes
	make_cgroup "$name"
	if [ "$host" = yes ]; then
		pod_set "$name" vf "$vf"
		pod_set "$name" rdma "$("vf_$rdma" "$vf")"
		return
	fi
	ip netns add "$name"
	ip -n "$name" link set lo up
	[ -z "$vf" ] || pod_add_vf "$name" "$vf" "$rdma"
}

pod_add_vf() {
	local name=$1 vf=$2 rdma=$3 netdev device=''
	netdev=$(vf_netdev "$vf")
	pod_set "$name" vf "$vf"
	pod_set "$name" netdev "$netdev"
	# The order of a CNI chain for hardware: the RDMA device is the VF's and there already; the netdev moves first.
	[ "$rdma" != hcasim ] || device=$(vf_hcasim "$vf")
	netdev_down "$netdev"
	ip link set "$netdev" netns "$name" name net1
	netdev_up "$name" net1 "$vf"
	# Moving the netdev destroys an rxe device, so it is made afterwards, inside; it appears in the initial netns.
	if [ "$rdma" = rxe ]; then
		device=rxe_$name
		ip netns exec "$name" rdma link add "$device" type rxe netdev net1
	fi
	[ -n "$device" ] || return 0
	pod_set "$name" rdma "$device"
	if rdma_mode_is exclusive; then rdma dev set "$device" netns "$name"; fi
	rdma_wait_gid "$name" "$device" "$(vf_ip "$vf")"
}

# Undone in reverse; what is gone already (a test may have taken it) is no error.
pod_delete() {
	local name=$1 cgroup netdev
	[ -d "$lab_state/pods/$name" ] || return 0
	cgroup=$(pod_cgroup "$name")
	[ ! -e "$cgroup" ] || pod_end_processes "$cgroup"
	if pod_is_host "$name"; then
		pod_remove_rdma "$name" || true
		rmdir "$cgroup"
		rm -rf "${lab_state:?}/pods/$name"
		return
	fi
	pod_return_rdma "$name" || true
	netdev=$(pod_get "$name" netdev) || netdev=
	if [ -n "$netdev" ]; then
		ip -n "$name" link set net1 down 2>/dev/null || true
		ip -n "$name" link set net1 netns 1 name "$netdev" 2>/dev/null || true
	fi
	ip netns delete "$name" 2>/dev/null || true
	[ ! -e "$cgroup" ] || rmdir "$cgroup"
	rm -rf "${lab_state:?}/pods/$name"
}

pod_end_processes() {
	echo 1 >"$1/cgroup.kill"
	wait_until 5 grep -qx 'populated 0' "$1/cgroup.events"
}

pod_return_rdma() {
	local name=$1 device
	device=$(pod_rdma "$name") || return 0
	if rdma_mode_is exclusive; then
		# rdma puts /var/run/netns/ before whatever it is given, and the initial netns has no name there.
		ip netns exec "$name" rdma dev set "$device" netns ../../proc/1/ns/net
	fi
	pod_remove_rdma "$name"
}

pod_remove_rdma() {
	if [ "$(pod_get "$1" kind)" = rxe ]; then
		rdma link delete "$(pod_rdma "$1")"
	else
		pod_vf "$1" >/sys/kernel/debug/hcasim/remove
	fi
}

delete_pods_except() {
	local name
	for name in $(pods); do
		[[ $'\n'$1$'\n' == *$'\n'$name$'\n'* ]] || pod_delete "$name"
	done
}
