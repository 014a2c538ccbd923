# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What tests/vm/prepare and tests/vm/run share: where things lie and which kernels there are.

vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
repo=$(cd "$vm_dir/../.." && pwd -P)
# LAB_DIR lets several checkouts share one cache.
lab=${LAB_DIR:-$repo/build/lab}
# shellcheck disable=SC2034 # read by those who source this file
kernels=(6.1 6.12 7.3)
modules=(hcasim dcbsim) # test modules, each a folder here

die() { printf '%s: error: %s\n' "${0##*/}" "$*" >&2; exit 1; }

known_kernel() { [[ " ${kernels[*]} " == *" $1 "* ]]; }

kernel_dir() { printf '%s\n' "$lab/kernels/$1"; }

# What comes from the checkout's own files is named by their content, so that checkouts with different test modules use
# one cache at the same time.
content_key() { sha256sum | cut -c 1-16; }

extra_dir() {
	local dir
	dir=$(kernel_dir "$1")
	printf '%s/extra-%s\n' "$dir" "$({
		cat "$dir/release" "$vm_dir/build-module"
		find "${modules[@]/#/$vm_dir/}" -type f | sort | xargs cat
	} | content_key)"
}

initramfs_file() {
	local dir
	dir=$(kernel_dir "$1")
	printf '%s/initramfs-%s.cpio\n' "$dir" "$({
		cat "$dir/package" "$vm_dir"/{guest-modules.txt,guest/initramfs-init,prepare} "$lab/root.stamp"
		basename "$(extra_dir "$1")"
	} | content_key)"
}
