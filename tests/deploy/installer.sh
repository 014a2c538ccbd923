#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The CNI plugin as its own installer: the real program, in folders of this test. Prints a case a line. What needs root is skipped
# without it.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source=cases.sh
. "$here/cases.sh"
plugin=$here/../../build/rdma-warden
old=$work/old newer=$work/newer # other versions of it
bin=$work/bin

fresh() {
	rm -rf "$bin"
	mkdir "$bin"
}

other_versions() { other_version 0.0.9 "$old" && other_version 9.1.0 "$newer"; }

# The version is in the program and in its note, at the same length.
other_version() {
	LC_ALL=C sed "s/${version//./[.]}/$1/g" "$plugin" >"$2"
	chmod 755 "$2"
	[ "$("$2" --version)" = "rdma-warden $1" ]
}

# NAME VERSION: that copy, whole.
stands() {
	[ "$("$bin/$1" --version)" = "rdma-warden $2" ] || { echo "$1 is not $2"; return 1; }
	[ "$(stat -c %a "$bin/$1")" = 755 ]
}

# FILE…: these and no others are in the folder.
only() {
	diff <(printf '%s\n' "$@" | sed '/^$/d' | sort) <(find "$bin" -mindepth 1 -printf '%P\n' | sort)
}

# ---- a copy ----

alone() {
	fresh
	"$plugin" install --to "$bin" || return
	only rdma-warden && stands rdma-warden "$version" && cmp "$plugin" "$bin/rdma-warden"
}

again() {
	printf '' >"$bin/rdma-warden.tmp" # somebody else's
	"$bin/rdma-warden" install --to "$bin" && only rdma-warden rdma-warden.tmp && cmp "$plugin" "$bin/rdma-warden"
}

whatever_the_umask() {
	fresh
	(umask 077 && "$plugin" install --to "$bin") && stands rdma-warden "$version"
}

upgrade() {
	fresh
	"$old" install --to "$bin" --as sriov && stands sriov 0.0.9 && "$plugin" install --to "$bin" --as sriov &&
		stands sriov "$version" && only sriov
}

newer_refused() {
	fresh
	"$newer" install --to "$bin" --as sriov || return
	fails_with "^rdma-warden: $bin/sriov: is version 9.1.0, newer than $version; --downgrade" \
		"$plugin" install --to "$bin" --as rdma --as sriov || return
	only sriov && stands sriov 9.1.0
}

downgrade() {
	"$plugin" install --to "$bin" --as sriov --downgrade && stands sriov "$version" && only sriov
}

# ---- files of others ----

foreign() {
	fresh
	printf '#!/bin/sh\necho sriov-cni\n' >"$bin/sriov"
	chmod 711 "$bin/sriov"
	ln -s /nowhere "$bin/rdma"
	"$plugin" install --to "$bin" --as rdma-warden --as sriov --as rdma || return
	only rdma-warden sriov rdma {sriov,rdma}.before-rdma-warden && stands sriov "$version" && stands rdma "$version" &&
		[ ! -L "$bin/rdma" ] && [ "$(readlink "$bin/rdma.before-rdma-warden")" = /nowhere ]
}

foreign_again() {
	"$plugin" install --to "$bin" --as sriov && [ "$("$bin/sriov.before-rdma-warden")" = sriov-cni ]
}

restored() {
	"$plugin" uninstall --from "$bin" --as sriov --as rdma --as rdma-warden || return
	only sriov rdma && [ "$("$bin/sriov")" = sriov-cni ] && [ "$(stat -c %a "$bin/sriov")" = 711 ] &&
		[ "$(readlink "$bin/rdma")" = /nowhere ] && "$plugin" uninstall --from "$bin" --as sriov && only sriov rdma
}

# Its owner comes with a new one: that is kept, and given back.
foreign_came_again() {
	fresh
	echo one >"$bin/sriov"
	"$plugin" install --to "$bin" --as sriov && echo two >"$work/two" && mv "$work/two" "$bin/sriov" || return
	"$plugin" uninstall --from "$bin" && only sriov sriov.before-rdma-warden && grep -q two "$bin/sriov" || return
	"$plugin" install --to "$bin" --as sriov && "$plugin" uninstall --from "$bin" --as sriov &&
		only sriov && grep -q two "$bin/sriov"
}

all_copies() {
	fresh
	echo other >"$bin/macvlan"
	echo sriov-cni >"$bin/sriov"
	"$old" install --to "$bin" --as here --as sriov && "$plugin" install --to "$bin" && cp "$plugin" "$bin/by-hand" || return
	rm "$bin/sriov" # by hand: what was kept comes back all the same
	"$newer" uninstall --from "$bin" && only macvlan sriov && grep -q sriov-cni "$bin/sriov"
}

# Of any content: no copy of ours, and kept.
odd_content() {
	local name
	fresh
	: >"$bin/empty"
	head -c 100 "$plugin" >"$bin/cut"
	truncate -s 3G "$bin/large"
	cp /bin/true "$bin/elf"
	printf 'rdma-warden\0%s' "$version" >"$bin/words"
	set -- empty cut large elf words
	for name; do "$plugin" install --to "$bin" --as "$name" || return; done
	only "$@" "${@/%/.before-rdma-warden}" && "$plugin" uninstall --from "$bin" && only "$@"
}

no_files() {
	fresh
	mkdir "$bin/folder"
	mkfifo "$bin/pipe"
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$bin/socket"
	local name
	for name in folder pipe socket; do
		fails_with "$bin/$name: is no file" timeout 20 "$plugin" install --to "$bin" --as "$name" || return
	done
	timeout 20 "$plugin" uninstall --from "$bin" && only folder pipe socket
}

# While another process writes anew, cuts and replaces what is looked at.
under_change() {
	local i end=$((SECONDS + 3))
	fresh
	while [ "$SECONDS" -lt "$end" ]; do
		for i in 0 1 100 5000; do head -c "$i" "$old" >"$bin/sriov"; done
		cp "$old" "$bin/.other" && mv "$bin/.other" "$bin/sriov"
		rm -f "$bin/sriov" && mkfifo "$bin/sriov" && rm -f "$bin/sriov"
	done 2>/dev/null &
	local other=$!
	while kill -0 "$other" 2>/dev/null; do
		timeout 20 "$plugin" install --to "$bin" --as sriov >"$work/said" 2>&1
		case $? in 0 | 1) ;; *) cat "$work/said"; kill "$other"; return 1 ;; esac
	done
	wait "$other"
	"$plugin" install --to "$bin" --as sriov && stands sriov "$version"
}

# ---- what is asked wrongly ----

names() {
	local name
	fresh
	for name in '' . .. .hidden a/b ../a x.before-rdma-warden "$(printf 'a%.0s' {1..250})"; do
		fails_with 'is (no|a) name for' "$plugin" install --to "$bin" --as good --as "$name" || return
	done
	only ''
}

arguments() {
	fails_with 'usage: ' "$plugin" install && fails_with 'usage: ' "$plugin" install --to "$bin" more &&
		fails_with 'usage: ' "$plugin" uninstall --from "$bin" --downgrade && fails_with 'usage: ' "$plugin" remove &&
		fails_with "$work/none: No such file" "$plugin" install --to "$work/none" &&
		fails_with "$plugin: Not a directory" "$plugin" install --to "$plugin" &&
		fails_with "$plugin: Not a directory" "$plugin" uninstall --from "$plugin"
}

as_plugin() {
	fails_with 'a CNI plugin, called by a container runtime' env -u CNI_COMMAND "$plugin" || return
	[ "$(CNI_COMMAND=VERSION "$plugin" <<<'{"cniVersion":"0.4.0"}' | jq -c '[.cniVersion, .supportedVersions[0]]')" = '["0.4.0","0.3.1"]' ] || return
	CNI_COMMAND=ADD RDMA_WARDEN_SOCKET=$work/none "$plugin" <<<'{"cniVersion":"1.0.0","name":"a"}' >"$work/answer" && return 1
	jq -e '.cniVersion == "1.0.0" and .code == 11 and (.msg | test("no wardend answers there"))' "$work/answer"
}

# Nothing of the host's is asked for: no loader, no library.
statically() {
	if readelf -lWd "$plugin" | grep -E 'INTERP|NEEDED'; then return 1; fi
	[ "$(id -u)" = 0 ] || return 0
	fresh
	mkdir -p "$work/empty/proc" "$work/empty/to"
	cp "$plugin" "$work/empty/"
	chroot "$work/empty" /rdma-warden --version
}

# ---- what goes wrong ----

# Mounts of this test alone. The functions come with it.
in_mounts() {
	unshare -m bash -c "$(declare -p plugin old newer version bin work; declare -f only stands fails_with "$1"); $1"
}

read_only() {
	mount -t tmpfs none "$bin" && "$old" install --to "$bin" && mount -o remount,ro "$bin" || return
	fails_with "$bin/.rdma-warden.new: Read-only file system" "$plugin" install --to "$bin" || return
	fails_with "$bin/.*: Read-only file system" "$plugin" uninstall --from "$bin" || return
	only rdma-warden && stands rdma-warden 0.0.9
}

full() {
	mount -t tmpfs -o size=1200k none "$bin" && "$old" install --to "$bin" && echo sriov-cni >"$bin/sriov" || return
	fails_with "$bin/.rdma-warden.new: No space left" "$plugin" install --to "$bin" || return
	fails_with "$bin/.rdma-warden.new: No space left" "$plugin" install --to "$bin" --as sriov || return
	only rdma-warden sriov && stands rdma-warden 0.0.9 && grep -q sriov-cni "$bin/sriov" && "$plugin" uninstall --from "$bin"
}

# Killed at any time, again and again: each name has one whole version or what was there, and the next one clears up.
killed() {
	local i delay killed=0 pid
	fresh
	echo sriov-cni >"$bin/sriov"
	for ((i = 0; i < 300; i++)); do
		if ((i % 3 == 0)); then
			"$plugin" uninstall --from "$bin" >/dev/null || return
			only sriov && grep -q sriov-cni "$bin/sriov" || return
		fi
		if ((i % 2)); then set -- "$old" --downgrade; else set -- "$plugin"; fi
		"$1" install --to "$bin" --as sriov --as rdma "${@:2}" >/dev/null &
		pid=$!
		printf -v delay '0.%04d' $((RANDOM % 120))
		sleep "$delay"
		kill -KILL "$pid" 2>/dev/null && killed=$((killed + 1))
		wait "$pid" 2>/dev/null
		if ! whole sriov sriov-cni || ! whole rdma ''; then
			echo "after $i"
			return 1
		fi
	done
	[ "$killed" -ge 30 ] || { echo "only $killed of them were killed"; return 1; }
	"$plugin" install --to "$bin" --as sriov --as rdma --downgrade && only sriov rdma sriov.before-rdma-warden &&
		stands sriov "$version" && stands rdma "$version" || return
}

# NAME TEXT: one of the versions, or the text, or where that is empty, nothing.
whole() {
	if [ ! -e "$bin/$1" ]; then
		[ -z "$2" ]
	else
		cmp -s "$bin/$1" "$plugin" || cmp -s "$bin/$1" "$old" || { [ -n "$2" ] && grep -qx "$2" "$bin/$1"; }
	fi
}

# Many at once, up and down: none fails, and one of the versions stands.
together() {
	local i pids=()
	fresh
	echo sriov-cni >"$bin/sriov"
	for ((i = 0; i < 20; i++)); do
		"$plugin" install --to "$bin" --as sriov --as rdma --downgrade &
		pids+=($!)
		"$old" install --to "$bin" --as sriov --as rdma --downgrade &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i" || return; done
	only sriov rdma sriov.before-rdma-warden && whole sriov x && whole rdma x && "$plugin" uninstall --from "$bin" && only sriov
}

locked() {
	local status=0
	fresh
	flock "$bin" sleep 2 &
	sleep 0.5
	"$plugin" install --to "$bin" --as a || status=1
	wait
	[ "$status" = 0 ] && only a
}

version=$("$plugin" --version) || { echo 'not ok - installer: there is no build/rdma-warden'; exit 1; }
version=${version#rdma-warden }
try 'installer: it is linked statically' statically
try 'installer: other versions of it, for this test' other_versions || exit
try 'installer: the plugin is what it was' as_plugin
try 'installer: a copy' alone
try 'installer: the same again' again
try 'installer: the mode does not hang on the umask' whatever_the_umask
try 'installer: an older copy is replaced' upgrade
try 'installer: a newer one is refused, and nothing is changed' newer_refused
try 'installer: a newer one is replaced with --downgrade' downgrade
try 'installer: files of others are kept' foreign
try 'installer: they are kept when it is installed again' foreign_again
try 'installer: they are put back' restored
try 'installer: one whose owner came again' foreign_came_again
try 'installer: all copies are found, and no file of others' all_copies
try 'installer: files of any content' odd_content
try 'installer: a folder, a pipe and a socket are refused' no_files
try 'installer: a file that changes meanwhile' under_change
try 'installer: names that are refused' names
try 'installer: arguments that are refused' arguments
try 'installer: it waits for another one' locked
try 'installer: many at once' together
try 'installer: killed at any time' killed
if [ "$(id -u)" = 0 ]; then
	try 'installer: a read-only folder' in_mounts read_only
	try 'installer: a full disk' in_mounts full
else
	skip 'installer: a read-only folder' 'needs root'
	skip 'installer: a full disk' 'needs root'
fi
[ "$failed" = 0 ]
