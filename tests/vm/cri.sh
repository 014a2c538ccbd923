# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For scripts in the guest, after lib.sh, warden.sh and attach.sh: containerd, and what stands for the kubelet before it and
# follows the CRI (v1): requests and answers in protobuf's text form, sent by curl as gRPC. Which VF a pod gets is chosen by
# its runtime handler, as each has a network of its own; so much stands for Multus and the device plugin.
#
#   network HANDLER VF [KEYS]   network_of_others HANDLER VF [KEYS]   runtime_start   runtime_stop   runtime_kill   runtime_tidy   runtime_is_clean
#   cri METHOD [FIELDS]   cri_value FIELD
#   sandbox_run POD HANDLER   sandbox_ip POD   sandbox_info POD FILTER   sandbox_netns POD   sandbox_kill POD   sandbox_end POD
#   sandbox_ids FILTER   sandbox_end_id ID   sandbox_get POD id|netns|container   sandbox_remove_cgroup POD
#   container_run POD [NODE…]   container_exec POD CMD…
# shellcheck disable=SC2154 # cni_dir and conf are attach.sh's

runtime_dir=$lab_state/runtime
# Where it looks for plugins: a folder of links to those of the node and ours, or the suite's own, which is as it is.
runtime_plugins=${runtime_plugins-$runtime_dir/plugins}
runtime_socket=$runtime_dir/containerd.sock
runtime_image=docker.io/lab/pod:1
runtime_asks='"capabilities":{"dns":true,"portMappings":true,"cgroupPath":true}' # so that it tells more than it must
cri_answer=$runtime_dir/answer

# ---- the CRI ----

# A message of gRPC: not compressed, its length in four bytes, itself.
grpc_frame() {
	local size
	size=$(stat -c %s "$1")
	printf '\0%b' "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $((size >> 24)) $((size >> 16 & 255)) $((size >> 8 & 255)) $((size & 255)))"
	cat "$1"
}

# encode|decode TYPE
cri_code() { protoc --descriptor_set_in=/usr/share/cri/api.pb "--$1=runtime.v1.$2" api.proto; }

# METHOD [FIELDS]: the answer is in $cri_answer, as text. An error is printed, and in $cri_answer.
cri() {
	local service=RuntimeService
	[[ $1 != Image* ]] || service=ImageService
	cri_code encode "$1Request" <<<"${2-}" >"$cri_answer.request" || return 1
	grpc_frame "$cri_answer.request" >"$cri_answer.frame"
	curl -sS --http2-prior-knowledge --unix-socket "$runtime_socket" -H 'Content-Type: application/grpc' -H 'TE: trailers' \
		--data-binary "@$cri_answer.frame" -D "$cri_answer.headers" -o "$cri_answer.raw" \
		"http://localhost/runtime.v1.$service/$1" >"$cri_answer" || return 1
	if ! grep -aqi '^grpc-status: 0' "$cri_answer.headers"; then
		printf '%s: %s\n' "$1" "$(grep -ai '^grpc-message:' "$cri_answer.headers")" | tee "$cri_answer"
		return 1
	fi
	tail -c +6 "$cri_answer.raw" | cri_code decode "$1Response" >"$cri_answer"
}

# FIELD: of the answer, its first string, unescaped; nothing where it has none.
cri_value() { printf '%b\n' "$(sed -nE "/^ *$1: \"(.*)\"\$/ { s//\\1/; s/\\\\([\"'])/\\1/g; p; q }" "$cri_answer")"; }

# FIELD VALUE…: a repeated string.
cri_strings() {
	local field=$1 value
	shift
	for value; do
		value=${value//\\/\\\\}
		printf '%s: "%s" ' "$field" "${value//\"/\\\"}"
	done
}

# ---- containerd ----

runtime_config() {
	local cri='plugins."io.containerd.grpc.v1.cri"' handler first
	first=$(find "$runtime_dir/net" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | head -n 1)
	cat <<-CONFIG
		version = 2
		root = "$runtime_dir/root"
		state = "$runtime_dir/state"
		disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
		  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.aufs",
		  "io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
		[grpc]
		address = "$runtime_socket"
		[$cri]
		sandbox_image = "$runtime_image"
		[$cri.cni]
		bin_dir = "$runtime_plugins"
		conf_dir = "$runtime_dir/net/$first"
		[$cri.containerd]
		default_runtime_name = "$first"
	CONFIG
	for handler in "$runtime_dir/net"/*; do
		cat <<-CONFIG
			[$cri.containerd.runtimes.${handler##*/}]
			runtime_type = "io.containerd.runc.v2"
			cni_conf_dir = "$handler"
		CONFIG
	done
}

# HANDLER VF [KEYS]: what pods of that handler are attached to: one network, other devices. Before the start.
network() {
	mkdir -p "$runtime_dir/net/$1"
	printf '{"cniVersion":"1.0.0","name":"%s","plugins":[%s]}\n' "$network" "$(conf "$2" "$runtime_asks${3:+,$3}")" >"$runtime_dir/net/$1/10.conflist"
}

# The same by sriov-cni and rdma-cni in a chain, where their programs, as their own projects build them, are at hand; else by
# host-device of the CNI plugins and a stand-in for rdma-cni.
network_of_others() {
	local first='"type":"host-device","pciBusID"'
	[ ! -x "$peers/sriov" ] || first='"type":"sriov","deviceID"'
	mkdir -p "$runtime_dir/net/$1"
	printf '{"cniVersion":"1.0.0","name":"others","plugins":[{%s:"%s"%s},{"type":"rdma","deviceID":"%s"}]}\n' \
		"$first" "$2" "${3:+,$3}" "$2" >"$runtime_dir/net/$1/10.conflist"
}
peers=$LAB_REPO/build/tests/bench/peers
peers_name() { if [ -x "$peers/sriov" ]; then echo 'sriov-cni and rdma-cni'; else echo 'host-device and a stand-in for rdma-cni'; fi; }

# A static program to be what a pod is when nothing runs in it, and links to the node's own programs, to be mounted.
image_layer() {
	local root=$runtime_dir/image/root link
	mkdir -p "$root"/{usr,etc/libibverbs.d,tmp,build}
	cp "$(command -v busybox)" "$root/busybox"
	for link in bin sbin lib lib64; do ln -s "usr/$link" "$root/$link"; done
	tar -C "$root" -cf "$runtime_dir/image/layer.tar" .
}

image_archive() {
	local dir=$runtime_dir/image digest
	image_layer
	digest=$(sha256sum <"$dir/layer.tar")
	cat >"$dir/config.json" <<-CONFIG
		{"architecture":"amd64","os":"linux","config":{"Entrypoint":["/busybox","sleep","1000000"]},
		 "rootfs":{"type":"layers","diff_ids":["sha256:${digest%% *}"]}}
	CONFIG
	printf '[{"Config":"config.json","RepoTags":["lab/pod:1"],"Layers":["layer.tar"]}]\n' >"$dir/manifest.json"
	tar -C "$dir" -cf "$dir.tar" manifest.json config.json layer.tar
}

link_plugins() {
	local plugin
	mkdir -p "$runtime_plugins"
	for plugin in /usr/lib/cni/{loopback,host-local,host-device} "$LAB_REPO/build/rdma-warden" "$peers"/{sriov,rdma}; do
		[ ! -e "$plugin" ] || ln -sf "$plugin" "$runtime_plugins/"
	done
	[ -e "$runtime_plugins/rdma" ] || ln -s "$LAB_REPO/tests/tools/rdma-plugin" "$runtime_plugins/rdma"
}

runtime_setup() {
	mkdir -p "$runtime_dir"/{root,pods}
	mountpoint -q "$runtime_dir/root" || mount -t tmpfs images "$runtime_dir/root" # an overlay cannot be on an overlay
	[ "$runtime_plugins" != "$runtime_dir/plugins" ] || link_plugins
	image_archive
	runtime_config >"$runtime_dir/config.toml"
}

runtime_answers() { cri Version; }
image_is_known() { cri ImageStatus "image { image: \"$runtime_image\" }" && grep -q '^  id:' "$cri_answer"; }

runtime_start() {
	[ -e "$runtime_dir/config.toml" ] || runtime_setup
	setsid containerd --config "$runtime_dir/config.toml" >>"$runtime_dir/log" 2>&1 </dev/null &
	echo $! >"$runtime_dir/pid"
	disown
	wait_until 120 runtime_answers || { tail -n 20 "$runtime_dir/log"; return 1; }
	image_is_known && return
	ctr --address "$runtime_socket" --namespace k8s.io images import "$runtime_dir/image.tar" >>"$runtime_dir/log"
	wait_until 20 image_is_known
}

# What runs in pods goes on.
runtime_end() {
	local pid
	read -r pid <"$runtime_dir/pid"
	kill "-$1" "$pid"
	wait_until 20 test ! -e "/proc/$pid"
}
runtime_stop() { runtime_end TERM; }
runtime_kill() { runtime_end KILL; }

# ---- pods, as the kubelet makes them and takes them away ----

# A UUID for each name, the same at each time.
sandbox_uid() {
	local sum
	sum=$(md5sum <<<"$1")
	printf '%s-%s-4%s-8%s-%s\n' "${sum:0:8}" "${sum:8:4}" "${sum:13:3}" "${sum:17:3}" "${sum:20:12}"
}
# As the kubelet with the cgroupfs driver has it, of class Burstable.
sandbox_cgroup() { printf '/kubepods/burstable/pod%s' "$(sandbox_uid "$1")"; }
sandbox_remove_cgroup() { rmdir "/sys/fs/cgroup$(sandbox_cgroup "$1")"; }
sandbox_get() { first_line "$runtime_dir/pods/$1.$2"; }

sandbox_fields() {
	printf 'metadata { name: "%s" uid: "%s" namespace: "ml" } hostname: "%s" ' "$1" "$(sandbox_uid "$1")" "$1"
	printf 'dns_config { servers: "10.88.0.53" } port_mappings { container_port: 80 host_port: 8080 } '
	printf 'linux { cgroup_parent: "%s" security_context { namespace_options { pid: CONTAINER } } }' "$(sandbox_cgroup "$1")"
}

sandbox_run() {
	mkdir -p "/sys/fs/cgroup$(sandbox_cgroup "$1")"
	cri RunPodSandbox "config { $(sandbox_fields "$1") } runtime_handler: \"$2\"" || return 1
	cri_value pod_sandbox_id >"$runtime_dir/pods/$1.id"
	sandbox_info "$1" '.runtimeSpec.linux.namespaces[] | select(.type == "network").path' >"$runtime_dir/pods/$1.netns"
}

sandbox_netns() { sandbox_get "$1" netns; }

sandbox_status() { cri PodSandboxStatus "pod_sandbox_id: \"$(sandbox_get "$1" id)\" verbose: true"; }
sandbox_ip() {
	sandbox_status "$1"
	cri_value ip
}
# POD FILTER: of what containerd knows beyond the CRI.
sandbox_info() {
	sandbox_status "$1"
	cri_value value | jq -er "$2"
}

# POD [NODE…]: the one container of the pod, with these character devices; container_command is what it runs.
container_command=(/busybox sleep 1000000)
container_fields() {
	local path node
	shift
	printf 'metadata { name: "main" } image { image: "%s" } ' "$runtime_image"
	cri_strings command "${container_command[@]}"
	for path in /usr /etc/libibverbs.d; do printf 'mounts { container_path: "%s" host_path: "%s" readonly: true } ' "$path" "$path"; done
	printf 'mounts { container_path: "/build" host_path: "%s/build" readonly: true } ' "$LAB_REPO"
	for node; do printf 'devices { container_path: "%s" host_path: "%s" permissions: "rwm" } ' "$node" "$node"; done
	printf 'linux { security_context { namespace_options { pid: CONTAINER } } }'
}

container_run() {
	cri CreateContainer "pod_sandbox_id: \"$(sandbox_get "$1" id)\" config { $(container_fields "$@") } sandbox_config { $(sandbox_fields "$1") }"
	cri_value container_id >"$runtime_dir/pods/$1.container"
	cri StartContainer "container_id: \"$(sandbox_get "$1" container)\""
}

# Prints what CMD prints; the status is CMD's.
container_exec() {
	local pod=$1
	shift
	container_exec_id "$(sandbox_get "$pod" container)" "$@"
}

# ID CMD…
container_exec_id() {
	local id=$1 status
	shift
	cri ExecSync "container_id: \"$id\" timeout: 120 $(cri_strings cmd "$@")" || return 255
	cri_value stdout
	cri_value stderr >&2
	status=$(sed -n 's/^exit_code: //p' "$cri_answer")
	return "${status:-0}"
}

# ID
sandbox_end_id() { cri StopPodSandbox "pod_sandbox_id: \"$1\"" && cri RemovePodSandbox "pod_sandbox_id: \"$1\""; }

# Its containers and its network go; the kubelet stops a pod more than once.
sandbox_end() {
	sandbox_end_id "$(sandbox_get "$1" id)"
	sandbox_remove_cgroup "$1"
	rm "$runtime_dir/pods/$1".*
}

sandbox_kill() { echo 1 >"/sys/fs/cgroup$(sandbox_cgroup "$1")/cgroup.kill"; }

# FILTER: a line each; an empty one for all.
sandbox_ids() { cri ListPodSandbox "$1" && sed -nE 's/^  id: "(.*)"$/\1/p' "$cri_answer"; }

runtime_is_clean() {
	expect_match '^$' "$(sandbox_ids '')"
	expect_match '^$' "$(compgen -G '/run/netns/cni-*' || true)"
	expect_match '^$' "$(compgen -G '/sys/fs/cgroup/kubepods/burstable/pod*' || true)"
}

# After a case that failed.
runtime_tidy() {
	local id path
	for id in $(sandbox_ids ''); do sandbox_end_id "$id" || true; done
	for path in /run/netns/cni-*; do [ ! -e "$path" ] || ip netns delete "${path##*/}"; done
	for path in /sys/fs/cgroup/kubepods/burstable/pod*; do [ ! -e "$path" ] || rmdir "$path"; done
	rm -f "$runtime_dir"/pods/*
}
