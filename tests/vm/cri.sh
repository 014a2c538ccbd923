# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For scripts in the guest, after lib.sh, warden.sh and attach.sh: containerd, and what stands for the kubelet before it and
# follows the CRI (v1): requests and answers in protobuf's text form, sent by curl as gRPC.
#
#   runtime_start   runtime_stop   runtime_kill   network HANDLER VF [KEYS]   cri METHOD [FIELDS]   cri_value FIELD
# shellcheck disable=SC2154 # cni_dir and conf are attach.sh's

runtime_dir=$lab_state/runtime
runtime_socket=$runtime_dir/containerd.sock
runtime_image=docker.io/lab/pod:1
runtime_handlers='vf vf2 vf3'
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
	cri_code encode "$1Request" <<<"${2-}" >"$cri_answer.request"
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

# FIELD: of the answer, its first string, unescaped.
cri_value() { printf '%b' "$(sed -nE "s/^ *$1: \"(.*)\"\$/\\1/p" "$cri_answer" | head -n 1)"; }

# ---- containerd ----

runtime_config() {
	local cri='plugins."io.containerd.grpc.v1.cri"' handler
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
		bin_dir = "$runtime_dir/plugins"
		conf_dir = "$runtime_dir/net/vf"
		[$cri.containerd]
		default_runtime_name = "vf"
	CONFIG
	for handler in $runtime_handlers; do
		cat <<-CONFIG
			[$cri.containerd.runtimes.$handler]
			runtime_type = "io.containerd.runc.v2"
			cni_conf_dir = "$runtime_dir/net/$handler"
		CONFIG
	done
}

# HANDLER VF [KEYS]: what pods of that handler are attached to.
network() {
	printf '{"cniVersion":"1.0.0","name":"%s","plugins":[%s]}\n' "$1" "$(conf "$2" "${3-}")" >"$runtime_dir/net/$1/new"
	mv "$runtime_dir/net/$1/new" "$runtime_dir/net/$1/10.conflist"
}

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

runtime_setup() {
	local handler plugin
	for handler in $runtime_handlers; do mkdir -p "$runtime_dir/net/$handler"; done
	mkdir -p "$runtime_dir/plugins" "$runtime_dir/root"
	mountpoint -q "$runtime_dir/root" || mount -t tmpfs images "$runtime_dir/root" # an overlay cannot be on an overlay
	for plugin in /usr/lib/cni/{loopback,host-local} "$LAB_REPO/build/rdma-warden"; do ln -sf "$plugin" "$runtime_dir/plugins/"; done
	runtime_config >"$runtime_dir/config.toml"
}

runtime_answers() { cri Version; }

runtime_start() {
	setsid containerd --config "$runtime_dir/config.toml" >>"$runtime_dir/log" 2>&1 </dev/null &
	echo $! >"$runtime_dir/pid"
	disown
	wait_until 120 runtime_answers || { tail -n 20 "$runtime_dir/log"; return 1; }
}

runtime_end() {
	local pid
	read -r pid <"$runtime_dir/pid"
	kill "-$1" "$pid"
	wait_until 20 test ! -e "/proc/$pid"
}
