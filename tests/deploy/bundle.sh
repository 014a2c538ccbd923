#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The offline bundle of `make bundle`: what is in it, and its `install` with a real registry on the loopback and a real containerd of this
# test's own, where they are there and can be started. Helm and kubectl are stand-ins, which note what they are asked. Prints a case a line.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source=cases.sh
. "$here/cases.sh"
repo=$(cd "$here/../.." && pwd -P)
finish_hooks+=(stop_servers)
pids=()
unset MAKEFLAGS MFLAGS MAKELEVEL

stop_servers() {
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null
	wait
	# A containerd leaves what it has unpacked mounted, if a test has failed.
	awk -v work="$work" 'index($2, work) == 1 { print $2 }' /proc/mounts | xargs -r umount -l
}

# Waits up to half a minute until CMD succeeds.
wait_for() {
	local i
	for ((i = 0; i < 300; i++)); do
		if "$@" >/dev/null 2>&1; then return; fi
		sleep 0.1
	done
	echo "waited in vain for: $*"
	cat "$work"/*.log
	return 1
}

# TOOL…: a folder for PATH that has what the installer always needs, and these.
tools() {
	local tool
	rm -rf "$work/tools"
	mkdir "$work/tools"
	for tool in bash sha256sum zstd cat dirname mktemp rm sed grep "$@"; do
		ln -s "$(type -P "$tool")" "$work/tools/$tool"
	done
}

# With those tools only.
install_with_tools() { env PATH="$work/tools" "$bundle/install" "$@"; }

# ---- the archive ----

unpack() {
	tar --zstd -xf "$archive" -C "$work" && bundle=$work/rdma-warden-$version-offline && [ "$(cat "$bundle/VERSION")" = "$version" ]
}

content() {
	local name
	for name in install README.txt image/rdma-warden.oci.tar.zst image/sbom.spdx.json "chart/rdma-warden-$version.tgz" \
		manifests/rdma-warden.yaml manifests/uninstall.yaml samples/README.md grafana/node.json prometheus/rules.yaml \
		prometheus/RUNBOOK.md; do
		[ -s "$bundle/$name" ] || { echo "no $name"; return 1; }
	done
	[ -x "$bundle/install" ] && cmp "$bundle/image/rdma-warden.oci.tar.zst" "$repo/build/image/rdma-warden.oci.tar.zst" &&
		! grep -r '@VERSION@' "$bundle" && [ -z "$(find "$bundle" -type l -o -perm /022)" ]
}

# Each file is in the list, which sha256sum takes.
sums() {
	(cd "$bundle" && sha256sum --quiet -c SHA256SUMS && diff <(sed 's/^[0-9a-f]*  //' SHA256SUMS | sort) \
		<(find . -type f ! -name SHA256SUMS -printf '%P\n' | sort))
}

same_again() {
	(umask 077 && cd / && "$repo/deploy/bundle/build" "$repo/build/image" "$version" "$work/again") && cmp "$archive" "$work/again/${archive##*/}"
}

other_version() {
	"$repo/deploy/bundle/build" "$repo/build/image" 0.2.0-rc.1 "$work/other" || return
	tar --zstd -xf "$work/other/rdma-warden-0.2.0-rc.1-offline.tar.zst" -C "$work/other" || return
	grep -rhE 'image: |app.kubernetes.io/version' "$work/other"/*/manifests | grep -v '0\.2\.0-rc\.1' && return 1
	tar -xOf "$work/other"/*/chart/rdma-warden-0.2.0-rc.1.tgz rdma-warden/Chart.yaml | grep -qx 'version: 0.2.0-rc.1'
}

# ---- what is refused ----

damaged() {
	local file
	for file in image/rdma-warden.oci.tar.zst manifests/rdma-warden.yaml install; do
		cp "$bundle/$file" "$work/saved"
		printf ' ' >>"$bundle/$file"
		fails_with "checksums are not those of SHA256SUMS.*|$file: FAILED" "$bundle/install" --registry 127.0.0.1:1/x || return
		cat "$work/saved" >"$bundle/$file"
	done
	mv "$bundle/README.txt" "$work/saved"
	fails_with 'README.txt: No such file' "$bundle/install" --apply || return
	mv "$work/saved" "$bundle/README.txt"
}

wrong_arguments() {
	fails_with '^usage: ' "$bundle/install" && fails_with '^usage: ' "$bundle/install" --push &&
		fails_with '--registry needs a value' "$bundle/install" --registry &&
		fails_with 'without a scheme' "$bundle/install" --registry https://example.com/x
}

missing_tools() {
	tools
	fails_with 'there is no ctr, which' install_with_tools --containerd &&
		fails_with 'there is neither skopeo nor ctr' install_with_tools --registry 127.0.0.1:1/x &&
		fails_with 'there is neither helm nor kubectl' install_with_tools --apply || return
	rm "$work/tools/sha256sum"
	fails_with 'there is no sha256sum, which' install_with_tools --apply || return
	tools
	ln -s "$(type -P true)" "$work/tools/ctr"
	fails_with "$work/none.sock is no socket" install_with_tools --containerd --address "$work/none.sock"
}

# ---- helm and kubectl ----

# NAME: one that notes its arguments and what comes from stdin.
standin() {
	cat >"$work/tools/$1" <<-STANDIN
		#!/bin/sh
		echo "\$@" >"$work/$1.asked"
		[ "\$1" != apply ] || cat >"$work/$1.read"
	STANDIN
	chmod +x "$work/tools/$1"
	rm -f "$work/$1.asked"
}

by_helm() {
	tools
	standin helm
	standin kubectl
	install_with_tools --apply --namespace other -- --set mode=enforce || return
	diff "$work/helm.asked" - <<-ASKED || return
		upgrade --install rdma-warden chart/rdma-warden-$version.tgz --namespace other --create-namespace --set image.repository=rdma-warden --set mode=enforce
	ASKED
	[ ! -e "$work/kubectl.asked" ]
}

by_kubectl() {
	tools
	standin kubectl
	fails_with 'other needs helm' install_with_tools --apply --namespace other || return
	install_with_tools --apply -- --dry-run=client || return
	[ "$(cat "$work/kubectl.asked")" = 'apply -f - --dry-run=client' ] && cmp "$work/kubectl.read" "$bundle/manifests/rdma-warden.yaml"
}

# ---- a registry ----

start_registry() {
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	cat >"$work/registry.yml" <<-CONFIG
		version: 0.1
		storage: {filesystem: {rootdirectory: $work/registry}}
		http: {addr: "127.0.0.1:$port"}
	CONFIG
	docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
	pids+=($!)
	wait_for curl -fs "http://127.0.0.1:$port/v2/"
}

# PREFIX: what is there is the image, under the digest that it was made with.
registry_has() {
	local digest
	digest=$(jq -r '.manifests[0].digest' "$repo/build/image/oci/index.json")
	curl -fsS -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://127.0.0.1:$port/v2/$1/rdma-warden/manifests/$version" >"$work/manifest" &&
		[ "sha256:$(sha256sum <"$work/manifest" | cut -d' ' -f1)" = "$digest" ]
}

push_by_skopeo() {
	"$bundle/install" --registry "127.0.0.1:$port/a/b" --plain-http >"$work/said" || return
	registry_has a/b && grep -qx "for the chart: --set image.repository=127.0.0.1:$port/a/b/rdma-warden" "$work/said" &&
		"$bundle/install" --registry "127.0.0.1:$port/a/b" --plain-http
}

push_and_apply() {
	tools skopeo
	standin kubectl
	install_with_tools --registry "127.0.0.1:$port/c" --plain-http --apply || return
	registry_has c && [ "$(grep -c 'image: ' "$work/kubectl.read")" -ge 2 ] &&
		! grep 'image: ' "$work/kubectl.read" | grep -v "image: 127.0.0.1:$port/c/rdma-warden:$version"
}

nobody_there() { fails_with 'the push has failed' "$bundle/install" --registry 127.0.0.1:1/x; }

# ---- a containerd ----

start_containerd() {
	cat >"$work/containerd.toml" <<-CONFIG
		version = 2
		root = "$work/containerd/root"
		state = "$work/containerd/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		  address = "$socket"
	CONFIG
	containerd --config "$work/containerd.toml" >"$work/containerd.log" 2>&1 &
	pids+=($!)
	wait_for ctr --address "$socket" version
}

in_containerd() { ctr --address "$socket" --namespace k8s.io "$@"; }

import() {
	"$bundle/install" --containerd --address "$socket" && "$bundle/install" --containerd --address "$socket" || return
	in_containerd images check >"$work/checked"
	cat "$work/checked"
	grep -E "^docker.io/library/rdma-warden:$version .* complete .* true *$" "$work/checked"
}

# Whether this machine lets a container run at all.
others_run() {
	mkdir -p "$work/control/bin"
	cp "$(type -P busybox)" "$work/control/bin" && in_containerd run --rm --rootfs "$work/control" "control$$" /bin/busybox true
}

runs() {
	[ "$(in_containerd run --rm "docker.io/library/rdma-warden:$version" "test$$" /usr/sbin/wardend --version)" = "wardend $version" ]
}

push_by_ctr() {
	tools ctr
	install_with_tools --registry "127.0.0.1:$port/by-ctr" --plain-http --address "$socket" && registry_has by-ctr &&
		[ "$(in_containerd images list -q)" = "docker.io/library/rdma-warden:$version" ]
}

with_registry() {
	if ! command -v docker-registry >/dev/null || ! command -v skopeo >/dev/null; then
		skip 'bundle: --registry' 'there is no docker-registry, or no skopeo'
		return
	fi
	try 'bundle: a real registry' start_registry || return
	try 'bundle: --registry pushes by skopeo, and again' push_by_skopeo
	try 'bundle: --registry and --apply' push_and_apply
	try 'bundle: no registry there' nobody_there
}

with_containerd() {
	if [ "$(id -u)" != 0 ] || ! command -v containerd >/dev/null; then
		skip 'bundle: --containerd' 'needs root and containerd'
		return
	fi
	if ! start_containerd >"$work/output"; then
		skip 'bundle: --containerd' "containerd does not start here: $(tail -n 1 "$work/containerd.log")"
		return
	fi
	try 'bundle: --containerd imports it, and again' import
	if others_run >"$work/output" 2>&1; then
		try 'bundle: the image runs in containerd' runs
	else
		skip 'bundle: the image runs in containerd' "no container runs here: $(tail -n 1 "$work/output")"
	fi
	[ -z "$port" ] || try 'bundle: --registry pushes by ctr' push_by_ctr
}

cd "$repo" || exit
bundle='' port='' socket=$work/containerd.sock
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
try 'bundle: it is made' make --no-print-directory -j2 bundle || exit
version=$(build/wardend --version) version=${version#wardend }
archive=$repo/build/bundle/rdma-warden-$version-offline.tar.zst
try 'bundle: it is an archive' unpack || exit
try 'bundle: all is in it' content
try 'bundle: checksums of all files' sums
try 'bundle: the same bytes again' same_again
try 'bundle: chart and manifests are for its version' other_version
try 'bundle: a damaged file is refused' damaged
try 'bundle: arguments that are refused' wrong_arguments
try 'bundle: missing tools and sockets are named' missing_tools
try 'bundle: --apply by helm' by_helm
try 'bundle: --apply by kubectl' by_kubectl
with_registry
with_containerd
[ "$failed" = 0 ]
