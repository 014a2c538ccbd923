#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The container image of `make image`: what is in it, that its programs start in it, and that it comes out the same when it is built
# elsewhere. Prints a case a line. What needs root is skipped without it.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source=cases.sh
. "$here/cases.sh"
repo=$(cd "$here/../.." && pwd -P)
image=$repo/build/image
root=$work/root other=$work/other
readonly max_bytes=$((40 << 20))

# What a make above this one was given is not for those below.
unset MAKEFLAGS MFLAGS MAKELEVEL
SOURCE_DATE_EPOCH=$(git -C "$repo" log -1 --format=%ct)
REVISION=$(git -C "$repo" rev-parse HEAD)
export SOURCE_DATE_EPOCH REVISION

make_image() { make --no-print-directory -j2 "$@" image; }

# LAYOUT ROOT
unpack() {
	local manifest layer
	manifest=$(jq -r '.manifests[0].digest' "$1/index.json")
	layer=$(jq -r '.layers[0].digest' "$1/blobs/${manifest/://}")
	rm -rf "$2"
	mkdir "$2"
	tar -xzf "$1/blobs/${layer/://}" -C "$2"
}

archive_is_layout() {
	local size
	size=$(stat -c %s "$image/rdma-warden.oci.tar.zst")
	echo "$size bytes"
	[ "$size" -le "$max_bytes" ] || return
	mkdir "$work/archive"
	zstd -dc "$image/rdma-warden.oci.tar.zst" | tar -x -C "$work/archive" && diff -r "$work/archive" "$image/oci"
}

others_read_it() {
	skopeo inspect "oci:$image/oci:$version" >"$work/inspected" && jq -e '.Layers | length == 1' "$work/inspected"
}

# ROOT VERSION
start_in() {
	local program
	for program in /usr/sbin/wardend /usr/bin/wardenctl /usr/bin/rdmatop /usr/lib/rdma-warden/cni/rdma-warden; do
		[ "$(chroot "$1" "$program" --version)" = "${program##*/} $2" ] || { echo "$program"; return 1; }
	done
}

# libcurl is loaded only when it is asked for: here by one who asks a closed port.
loads_libcurl() {
	fails_with "Couldn't connect" chroot "$root" /usr/bin/rdmatop -b -n 1 --prometheus http://127.0.0.1:1
}

# The pod's row, drawn by escapes, is on the screen; at most 20 s from now.
row_is_drawn() {
	local i
	for ((i = 0; i < 200; i++)); do
		grep -qa $'\e.*trainer-1' "$work/screen" && return
		sleep 0.1
	done
	return 1
}

# TERMINAL: the screen is that of rdmatop on such a terminal; its key q is pressed when the row is there, or is not coming.
draws_on() {
	: >"$work/screen"
	{ row_is_drawn; printf q; } |
		TERM=$1 timeout 60 script -qec "stty rows 40 cols 120; chroot $root /usr/bin/rdmatop --replay /recording" /dev/null \
			>"$work/screen" 2>&1
	row_is_drawn || { echo "$1:"; cat -v "$work/screen"; return 1; }
}

# A recording, on a terminal of each kind that the image knows: where one is not known, rdmatop prints tables without escapes.
draws() {
	local terminal
	"$here/../rdmatop/recording.py" >"$root/recording"
	LANG=C.UTF-8 chroot "$root" /usr/bin/rdmatop -b -n 2 --replay /recording >"$work/tables" || return
	grep -q █ "$work/tables" || return # not "#": it has UTF-8
	for terminal in linux screen screen-256color tmux tmux-256color vt100 xterm xterm-256color; do
		draws_on "$terminal" || return
	done
}

# ---- elsewhere, another day, by somebody else ----

# As it is now: what is deleted and not committed is passed over.
copy_tree() {
	mkdir "$other"
	git -C "$repo" ls-files -z --cached --others --exclude-standard |
		tar -C "$repo" --ignore-failed-read --null -T - -c 2>/dev/null | tar -x -C "$other"
}

same_elsewhere() {
	(umask 077 && LC_ALL=C TZ=Asia/Tokyo make_image -C "$other" VERSION="$version") && diff -r "$image" "$other/build/image"
}

# Another version in the same tree, and back: what has the version in it is made anew, and nothing else.
another_version() {
	make_image -C "$other" VERSION=0.2.0-rc.1 >"$work/log" || { cat "$work/log"; return 1; }
	grep -E '^  (CC|CLANG)' "$work/log"
	[ "$(grep -cE '^  (CC|CLANG)' "$work/log")" = 2 ] && "$here/image.py" config "$other/build/image/oci" - || return
	[ "$(id -u)" = 0 ] || return 0
	unpack "$other/build/image/oci" "$work/root2" && start_in "$work/root2" 0.2.0-rc.1
}

and_back() {
	make_image -C "$other" VERSION="$version" && diff -r "$image" "$other/build/image"
}

refuses() {
	fails_with 'is no version that an image can have' make_image -C "$other" VERSION=1.2.3+build &&
		fails_with 'SOURCE_DATE_EPOCH.* is not set' env -u SOURCE_DATE_EPOCH make --no-print-directory -C "$other" image VERSION="$version"
}

cd "$repo" || exit
try 'image: it is made' make_image || exit
version=$(build/wardend --version) version=${version#wardend }
try 'image: its layer is an archive' unpack "$image/oci" "$root" || exit
while IFS=$'\t' read -r check what; do
	try "image: $what" "$here/image.py" "$check" "$image/oci" "$root"
done <<-CHECKS
	layout	each blob is what the layout says
	config	entrypoint and labels
	modes	root's files, none setuid, none to be written to by others
	shell	no shell, and no program but the four
	libraries	the libraries that are needed, and no others
	data	certificates, terminals, links
	paths	where it was built is not told
	sbom	the SBOM is SPDX 2.3, and true
CHECKS
try "image: the archive is the layout, and not above $((max_bytes >> 20)) MiB" archive_is_layout
if command -v skopeo >/dev/null; then
	try 'image: skopeo reads it' others_read_it
else
	skip 'image: skopeo reads it' 'there is no skopeo'
fi
if [ "$(id -u)" = 0 ]; then
	try 'image: its programs start in it' start_in "$root" "$version"
	try 'image: libcurl can be loaded in it' loads_libcurl
	try 'image: rdmatop draws on all terminals' draws
else
	skip 'image: its programs start in it' 'needs root'
	skip 'image: libcurl can be loaded in it' 'needs root'
	skip 'image: rdmatop draws on all terminals' 'needs root'
fi
copy_tree
try 'image: another folder, umask, language and time zone make the same bytes' same_elsewhere
try 'image: another version in the same tree' another_version
try 'image: and back: the same bytes again' and_back
try 'image: versions and dates that are refused' refuses
[ "$failed" = 0 ]
