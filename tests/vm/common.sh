# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What tests/vm/prepare and tests/vm/run share: where things lie and which kernels there are.

vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
repo=$(cd "$vm_dir/../.." && pwd -P)
# LAB_DIR lets several checkouts share one cache.
lab=${LAB_DIR:-$repo/build/lab}
# shellcheck disable=SC2034 # read by those who source this file
kernels=(6.1 6.12 7.3)

die() { printf '%s: error: %s\n' "${0##*/}" "$*" >&2; exit 1; }

known_kernel() { [[ " ${kernels[*]} " == *" $1 "* ]]; }

kernel_dir() { printf '%s\n' "$lab/kernels/$1"; }
