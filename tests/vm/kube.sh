# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For scripts in the guest, after lib.sh and warden.sh: what stands for Kubernetes there. The kubelet and the API server are stand-ins
# (tests/tools/kubelet, tests/tools/kube-api); a pod is a netns, processes in cgroups of the kubelet's form (pkg/kubelet/cm), and a VF
# that is moved as sriov-cni and rdma-cni move it, or attached by the warden's plugin. POD is what a suite calls it.
#
#   kube_keys [KEYS]                  the configuration's "kubernetes", with those sources instead of the stand-ins
#   kubelet_start [MANNER]   kubelet_stop   kubelet_manner MANNER
#   kubelet_grant POD CONTAINER RESOURCE DEVICE…   kubelet_revoke POD   kubelet_allocatable RESOURCE DEVICE…   kubelet_change JQ…
#   api_start   api_stop   api_pod POD [NETWORK-STATUS] [PHASE]   api_pod_delete POD   api_say WORD
#   kube_pod POD [--name NAME] [--driver systemd|cgroupfs] [--qos guaranteed|burstable|besteffort] [--bare]
#   kube_run POD [NODE…]   kube_exec POD CMD…   kube_get POD KEY   kube_pod_delete POD   kube_tidy
#   kube_move POD VF [netdev|rdma]   kube_return POD VF [netdev|rdma]   kube_attach POD VF [KEYS]   kube_detach POD VF [KEYS]
#   kube_gc                           nothing that the plugin has attached is still wanted
#   ask REQUEST   ask_end             one connection to wardend for many requests, so that nothing has to be started for an answer
# shellcheck disable=SC2154 # lab_state and others are lib.sh's and warden.sh's

kube_dir=$lab_state/kube
rm -rf "$kube_dir" # of a suite before
mkdir -p "$kube_dir"/{pods,api/pods,devinfo/dp,devinfo/cni}

kube_keys() {
	printf '"kubernetes":{"node":"lab","podresources":"%s","checkpoint":"%s","devinfo":"%s",' \
		"$kube_dir/kubelet.sock" "$kube_dir/checkpoint" "$kube_dir/devinfo"
	if [ -e "$kube_dir/api.pid" ]; then
		printf '"api":"https://127.0.0.1:%s","token":"%s","ca":"%s"' \
			"$(<"$kube_dir/api/port")" "$kube_dir/api/token" "$kube_dir/api/ca.crt"
	else
		printf '"api":"off"'
	fi
	printf '}'
}

# Where the machine that built it lacked something, a text that says what is in the stand-in's place.
kube_needs() { [ -x "$LAB_REPO/build/$1" ] || skip "$(<"$LAB_REPO/build/$1")"; }

# NAME INPUT CMD…: in the background until it is told to end; it has said "ready". INPUT is a FIFO.
kube_begin() {
	local name=$1 input=$2
	shift 2
	setsid "$@" <>"$input" >"$kube_dir/$name.out" 2>&1 &
	echo $! >"$kube_dir/$name.pid"
	disown
	wait_until 60 grep -qx ready "$kube_dir/$name.out" || { cat "$kube_dir/$name.out"; return 1; }
}

kube_end() {
	local pid
	[ -e "$kube_dir/$1.pid" ] || return 0
	read -r pid <"$kube_dir/$1.pid"
	kill "$pid" 2>/dev/null || true
	wait_until 10 test ! -e "/proc/$pid"
	rm -f "$kube_dir/$1.pid"
}

# ---- the kubelet ----

kubelet_start() {
	[ -e "$kube_dir/state" ] || kubelet_change .
	rm -f "$kube_dir/kubelet.sock"
	kube_begin kubelet "$lab_never" kubelet-standin "$kube_dir/kubelet.sock" "$kube_dir/state" "${1-plain}"
}

kubelet_stop() {
	kube_end kubelet
	rm -f "$kube_dir/kubelet.sock"
}

kubelet_manner() {
	kubelet_stop
	kubelet_start "$1"
}

# FILTER [ARG…]: changes what the kubelet says. Its checkpoint says the same.
kubelet_change() {
	local filter=$1 checkpoint
	shift
	[ -e "$kube_dir/state" ] || echo '{"list":{"pod_resources":[]},"allocatable":{"devices":[]}}' >"$kube_dir/state"
	# shellcheck disable=SC2016 # jq's own
	checkpoint='{Data: {PodDeviceEntries: [.list.pod_resources[] | .uid as $uid | .containers[] | .name as $container | .devices[] |
		{PodUID: $uid, ContainerName: $container, ResourceName: .resource_name, DeviceIDs: {"0": .device_ids}, AllocResp: ""}],
		RegisteredDevices: ([.allocatable.devices[] | {(.resource_name): .device_ids}] | add)}, Checksum: 1}'
	jq -c "$@" "$filter | ., $checkpoint" "$kube_dir/state" >"$kube_dir/state.both"
	sed -n 1p "$kube_dir/state.both" >"$kube_dir/state.new"
	sed -n 2p "$kube_dir/state.both" >"$kube_dir/checkpoint.new"
	mv "$kube_dir/state.new" "$kube_dir/state"
	mv "$kube_dir/checkpoint.new" "$kube_dir/checkpoint"
}

kubelet_grant() {
	local pod=$1 container=$2 resource=$3
	shift 3
	# shellcheck disable=SC2016 # jq's own
	kubelet_change '.list.pod_resources |= (map(select(.uid != $uid)) + [(map(select(.uid == $uid))[0] //
		{uid: $uid, namespace: "ml", name: $name, containers: []}) | .containers += [{name: $container, devices: [
		{resource_name: $resource, device_ids: ($devices | split(" ")), topology: {nodes: [{ID: 0}]}}]}]])' \
		--arg uid "$(kube_get "$pod" uid)" --arg name "$(kube_get "$pod" name)" --arg container "$container" \
		--arg resource "$resource" --arg devices "$*"
}

kubelet_revoke() {
	# shellcheck disable=SC2016 # jq's own
	kubelet_change '.list.pod_resources |= map(select(.uid != $uid))' --arg uid "$(kube_get "$1" uid)"
}

kubelet_allocatable() {
	local resource=$1
	shift
	# shellcheck disable=SC2016 # jq's own
	kubelet_change '.allocatable.devices |= (map(select(.resource_name != $resource)) +
		if $devices == "" then [] else [{resource_name: $resource, device_ids: ($devices | split(" ")), topology: {nodes: [{ID: 0}]}}] end)' \
		--arg resource "$resource" --arg devices "$*"
}

# ---- the API server ----

api_start() {
	[ -p "$kube_dir/api.words" ] || mkfifo "$kube_dir/api.words"
	kube_begin api "$kube_dir/api.words" kube-api-standin "$kube_dir/api"
}
api_stop() { kube_end api; }
api_say() { echo "$1" 1<>"$kube_dir/api.words"; } # which waits for nobody

api_pod() {
	# shellcheck disable=SC2016 # jq's own
	jq -nc --arg name "$(kube_get "$1" name)" --arg uid "$(kube_get "$1" uid)" --arg id "$(kube_get "$1" container)" \
		--arg status "${2-}" --arg phase "${3-Running}" '{apiVersion: "v1", kind: "Pod",
		metadata: ({namespace: "ml", name: $name, uid: $uid, labels: {app: "lab"}} +
			if $status == "" then {} else {annotations: {"k8s.v1.cni.cncf.io/network-status": $status}} end),
		spec: {nodeName: "lab", containers: [{name: "main", image: "lab"}]},
		status: {phase: $phase, containerStatuses: [{name: "main", containerID: "containerd://\($id)"}]}}' >"$kube_dir/api/$1.new"
	mv "$kube_dir/api/$1.new" "$kube_dir/api/pods/$1.json"
	api_say sync
}

api_pod_delete() {
	rm -f "$kube_dir/api/pods/$1.json"
	api_say sync
}

# ---- pods ----

kube_set() { printf '%s\n' "$3" >"$kube_dir/pods/$1.$2"; }
kube_get() { first_line "$kube_dir/pods/$1.$2"; }

new_uuid() { first_line /proc/sys/kernel/random/uuid; }

# As a runtime's: 64 hexadecimal digits.
new_container_id() {
	local id
	id=$(new_uuid)$(new_uuid)
	printf '%s\n' "${id//-/}"
}

# DRIVER QOS UID: the pod's own cgroup.
kube_cgroup() {
	local class=$2 uid=$3
	[ "$class" != guaranteed ] || class=
	case $1 in
	systemd) printf '/kubepods.slice/%skubepods%s-pod%s.slice' "${class:+kubepods-$class.slice/}" "${class:+-$class}" "${uid//-/_}" ;;
	cgroupfs) printf '/kubepods/%spod%s' "${class:+$class/}" "$uid" ;;
	esac
}

# DRIVER ID: its container's, below it.
container_cgroup() { if [ "$1" = systemd ]; then printf 'cri-containerd-%s.scope' "$2"; else printf '%s' "$2"; fi; }

# POD ID CMD…: a process of a container: in its cgroup and the pod's netns, with a /dev/infiniband of its own. Prints nothing;
# its PID is $kube_pid.
kube_process() {
	local pod=$1 cgroup ready=$kube_dir/ready
	cgroup=/sys/fs/cgroup$(kube_get "$pod" cgroup)/$(container_cgroup "$(kube_get "$pod" driver)" "$2")
	shift 2
	mkdir -p "$cgroup"
	rm -f "$ready"
	# ip gives it a mount namespace; what is mounted in it is not seen outside.
	# shellcheck disable=SC2016 # the inner shell's own
	(
		echo "$BASHPID" >"$cgroup/cgroup.procs"
		exec setsid ip netns exec "$(kube_get "$pod" netns)" bash -c 'mount -t tmpfs -o mode=755 dev /dev/infiniband
			for node; do mknod "/dev/infiniband/${node##*/}" c $((0x$(stat -Lc %t "/proc/1/root$node"))) $((0x$(stat -Lc %T "/proc/1/root$node"))); done
			: >"$0"; exec busybox sleep 1000000' "$ready" "$@"
	) >/dev/null 2>&1 </dev/null &
	kube_pid=$!
	disown
	wait_until 30 test -e "$ready"
}

kube_pod() {
	local pod=$1 name=$1 driver=systemd qos=burstable bare=no id
	shift
	while [ $# -gt 0 ]; do
		case $1 in
		--name) name=$2 ;;
		--driver) driver=$2 ;;
		--qos) qos=$2 ;;
		--bare) bare=yes; shift; continue ;; # no process is in it, as between a sandbox's making and its start
		*) echo "kube_pod: unknown option $1" >&2; return 1 ;;
		esac
		shift 2
	done
	kube_set "$pod" name "$name"
	kube_set "$pod" driver "$driver"
	kube_set "$pod" uid "$(new_uuid)"
	kube_set "$pod" netns "cni-$(new_uuid)"
	kube_set "$pod" cgroup "$(kube_cgroup "$driver" "$qos" "$(kube_get "$pod" uid)")"
	id=$(new_container_id)
	kube_set "$pod" sandbox "$id"
	kube_set "$pod" container "$(new_container_id)"
	ip netns add "$(kube_get "$pod" netns)"
	ip -n "$(kube_get "$pod" netns)" link set lo up
	[ "$bare" = yes ] || kube_process "$pod" "$id"
}

# Its one container beside the sandbox, which has the nodes that a device plugin gives it.
kube_run() {
	local pod=$1
	shift
	kube_process "$pod" "$(kube_get "$pod" container)" "$@"
	kube_set "$pod" pid "$kube_pid"
}

# In the container's cgroup and the pod's netns; /dev is the node's own, with all its nodes.
kube_exec() {
	local pod=$1 cgroup
	cgroup=/sys/fs/cgroup$(kube_get "$pod" cgroup)/$(container_cgroup "$(kube_get "$pod" driver)" "$(kube_get "$pod" container)")
	shift
	(
		mkdir -p "$cgroup"
		echo "$BASHPID" >"$cgroup/cgroup.procs"
		exec ip netns exec "$(kube_get "$pod" netns)" "$@"
	)
}

kube_pod_delete() {
	local cgroup
	cgroup=/sys/fs/cgroup$(kube_get "$1" cgroup) || return 0
	if [ -d "$cgroup" ]; then
		pod_end_processes "$cgroup"
		find "$cgroup" -depth -type d -exec rmdir {} +
	fi
	ip netns delete "$(kube_get "$1" netns)" || true
	rm -f "$kube_dir/pods/$1".*
}

kube_tidy() {
	local path
	for path in "$kube_dir/pods"/*.uid; do
		[ ! -e "$path" ] || { path=${path##*/}; kube_pod_delete "${path%.uid}"; }
	done
	kubelet_change '.list.pod_resources = [] | .allocatable.devices = []'
	rm -f "$kube_dir/api/pods"/*.json
	[ ! -e "$kube_dir/api.pid" ] || api_say sync
}

# ---- VFs into pods: by hand, in the order of a chain of sriov-cni and rdma-cni, which is the reverse on the way back ----

move_netdev() {
	local netdev
	netdev=$(vf_netdev "$2")
	kube_set "$1" netdev "$netdev"
	netdev_down "$netdev"
	ip link set "$netdev" netns "$(kube_get "$1" netns)" name net1
	netdev_up "$(kube_get "$1" netns)" net1 "$2"
}

move_rdma() { rdma dev set "$(vf_rdma "$2")" netns "$(kube_get "$1" netns)"; }

return_netdev() {
	ip -n "$(kube_get "$1" netns)" link set net1 down
	ip -n "$(kube_get "$1" netns)" link set net1 name "$(kube_get "$1" netdev)" netns 1
}

return_rdma() {
	local netns
	netns=$(kube_get "$1" netns)
	# rdma puts /var/run/netns/ before whatever it is given, and the initial netns has no name there.
	ip netns exec "$netns" rdma dev set "$(in_netns "$netns" ls "/sys/bus/pci/devices/$2/infiniband")" netns ../../proc/1/ns/net
}

kube_move() {
	[ "${3-netdev}" != netdev ] || move_netdev "$1" "$2"
	[ "${3-rdma}" != rdma ] || move_rdma "$1" "$2"
}

kube_return() {
	[ "${3-rdma}" != rdma ] || return_rdma "$1" "$2"
	[ "${3-netdev}" != netdev ] || return_netdev "$1" "$2"
}

# ---- by the warden's plugin, as a runtime calls it ----

# COMMAND POD VF [KEYS]
kube_cni() {
	CNI_COMMAND=$1 CNI_CONTAINERID=$(kube_get "$2" sandbox) CNI_NETNS=/run/netns/$(kube_get "$2" netns) CNI_IFNAME=net1 \
		CNI_PATH=/usr/lib/cni RDMA_WARDEN_SOCKET=$warden_socket \
		CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=ml;K8S_POD_NAME=$(kube_get "$2" name);K8S_POD_UID=$(kube_get "$2" uid)" \
		rdma-warden <<<"{\"cniVersion\":\"1.0.0\",\"name\":\"roce\",\"type\":\"rdma-warden\",\"deviceID\":\"$3\"${4:+,$4}}" >"$kube_dir/cni.out" ||
		{ cat "$kube_dir/cni.out"; return 1; }
}
kube_gc() {
	CNI_COMMAND=GC CNI_PATH=/usr/lib/cni RDMA_WARDEN_SOCKET=$warden_socket \
		rdma-warden <<<'{"cniVersion":"1.1.0","name":"roce","type":"rdma-warden","cni.dev/valid-attachments":[]}' >/dev/null
}
kube_attach() { kube_cni ADD "$@"; }
kube_detach() { kube_cni DEL "$@"; }

# ---- wardend, by one connection ----

ask_begin() {
	coproc asked { exec socat - "UNIX-CONNECT:$warden_socket"; }
	ask_pid=$asked_PID ask_shell=$BASHPID
	trap '' PIPE # that nobody listens any more is an error, and not the end
}

ask_end() {
	[ "${ask_shell-}" = "$BASHPID" ] || return 0
	kill "$ask_pid" 2>/dev/null || true
	ask_shell=
}

# REQUEST [MEMBERS]: the answer's lines, but the last one, are in the array $answer; nothing is started.
ask() {
	local line
	# A subshell has not the descriptors of the coprocess that is the outer shell's.
	if [ "${ask_shell-}" != "$BASHPID" ] || ! kill -0 "$ask_pid" 2>/dev/null; then ask_begin; fi
	printf '{"request":"%s"%s}\n' "$1" "${2:+,$2}" >&"${asked[1]}" || { echo 'no wardend listens'; return 1; }
	answer=()
	while read -r line <&"${asked[0]}"; do
		case $line in
		'{"ok":true}') return ;;
		*'"ok":'*) printf '%s\n' "$line"; return 1 ;;
		esac
		answer+=("$line")
	done
	return 1
}
