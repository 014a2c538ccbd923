#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The BPF tests on this kernel: its verifier and its BTF are others than those of the machine that built them.
set -uo pipefail
. "$LAB_REPO/tests/vm/lib.sh"

t_program() {
	local said
	said=$(CMOCKA_MESSAGE_OUTPUT=tap timeout 300 "$program" 2>&1) || { echo "$said"; return 1; }
	expect_fail 'a case is skipped' grep '# SKIP' <<<"$said"
	expect_match '^1\.\.[1-9]|ok [0-9]+ - ' "$said"
}

# Not pins: it is about files on a bpffs, and links that 6.1 has not.
for program in "$LAB_REPO"/build/tests/bpf/{layout,verbs_command,packet,pods}_test; do
	run_case "$(basename "$program" _test)" t_program
done
suite_end
