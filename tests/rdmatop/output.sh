#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What rdmatop prints for files and programs, read by jq and awk; recordings; and what it says to wrong arguments.
. "$(dirname "$0")/lib.sh"

record >"$work/twelve"
record --hostile >"$work/hostile"

tables() {
	COLUMNS=80 "$rdmatop" --replay "$work/twelve" -b -n 2 >"$work/out"
	[ "$(count '^# 2026' "$work/out")" = 2 ]
	[ "$(count '^# not known: ECN marks of VFs' "$work/out")" = 2 ]
	awk 'length > 80 && !/^#/ { exit 1 }' "$work/out"
	grep -q '^POD .* TX b/s RX b/s .* MARKING .* VIOL$' "$work/out"
	grep -qE '^  ml/trainer-0 +mlx5_3 +100G +1.0M +500k +3 wrong +3$' "$work/out"
	"$rdmatop" --replay "$work/twelve" -b -n 1 >"$work/out"
	grep -q '^POD .* NETDEV .* STATE *$' "$work/out" # no terminal: all columns
}

# What each VF sends follows from its number: the VF n of a PF sends n Mbit/s, and half of that comes.
json_lines() {
	"$rdmatop" --replay "$work/twelve" -j >"$work/out"
	[ "$(wc -l <"$work/out")" = 4 ] # five samples, rates from the second on
	jq -es 'all(.[]; .interval_s > 0.199 and .interval_s < 0.201 and (.devices | length) == 12)' "$work/out"
	jq -es 'all(.[].devices[] | select(.traffic == "vport"); . as $d |
		($d.netdev | ltrimstr("eth") | tonumber / 2 | floor + 1) as $n |
		($d.tx_bits - $n * 1e6 | fabs) < 200 and ($d.rx_bits - $n * 5e5 | fabs) < 200)' "$work/out"
	jq -es 'all(.[].devices[] | select(.traffic == "none"); .tx_bits == null and .rx_packets == null)' "$work/out"
	jq -es 'all(.[].devices[]; .tx_messages == null)' "$work/out"
	jq -es '.[0].devices | map(select(.device == "mlx5_3"))[0] | .pod == "trainer-0" and .pod_namespace == "ml" and
		.marking == "wrong" and .violations == 3 and .qps == 3 and .pinned == 1048576 and .pause == null' "$work/out"
	jq -es '.[0].pfs[0] | .pf == "ens1f0" and .priority == 5 and (.pause | round) == 500 and .vfs == 6' "$work/out"
	jq -es '.[0] | .missing == ["ECN marks of VFs: their driver does not tell them"] and .nodes[0].node == "worker-1" and
		.nodes[0].mode == "enforce"' "$work/out"
}

csv_lines() {
	"$rdmatop" --replay "$work/twelve" -c -n 2 >"$work/out"
	[ "$(wc -l <"$work/out")" = 25 ]
	awk -F , 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; fields = NF; next }
		NF != fields { exit 1 }
		$at["device"] == "mlx5_3" { seen++; if ($at["tx_bits"] != 1000000 || $at["marking"] != "wrong" || $at["pause"] != "") exit 1 }
		$at["traffic"] == "none" && $at["tx_bits"] != "" { exit 1 }
		END { exit seen != 2 }' "$work/out"
}

one_sample_has_no_rates() {
	record --samples 1 >"$work/one"
	"$rdmatop" --replay "$work/one" -j >"$work/out"
	jq -e '.interval_s == null and all(.devices[]; .tx_bits == null and .qps != null)' "$work/out"
}

selections() {
	"$rdmatop" --replay "$work/twelve" -j -n 1 --filter 'ml/ !wrong' --sort qps --reverse >"$work/out"
	jq -e '[.devices[].qps] == [2, 8]' "$work/out"
	"$rdmatop" --replay "$work/twelve" -b -n 1 --group namespace >"$work/out"
	grep -q '^storage (3)' "$work/out"
}

same_again() {
	local form
	for form in -b -j -c; do
		"$rdmatop" --replay "$work/hostile" "$form" --record "$work/copy" >"$work/first"
		"$rdmatop" --replay "$work/copy" "$form" >"$work/second"
		cmp "$work/first" "$work/second"
	done
	[ "$(stat -c %a "$work/copy")" = 600 ]
	# Value by value, as numbers may be spelt in more than one way.
	cmp <(jq -cS . "$work/hostile") <(jq -cS . "$work/copy")
}

broken_recordings() {
	local size
	size=$(stat -c %s "$work/twelve")
	record --cut >"$work/cut"
	"$rdmatop" --replay "$work/cut" -j >"$work/out"
	[ "$(wc -l <"$work/out")" = 3 ]
	for cut in 5 40 4000 $((size / 2)) $((size - 3)); do
		head -c "$cut" "$work/twelve" >"$work/cut"
		"$rdmatop" --replay "$work/cut" -j >"$work/out" 2>"$work/err" || grep -q 'no recording of rdmatop' "$work/err"
	done
	head -c 100000 /dev/urandom >"$work/cut"
	fails "$rdmatop" --replay "$work/cut" -j 2>"$work/err"
	(echo '{"kind":"rdmatop","format":1}'; head -c 100000 /dev/urandom; echo; echo '{"kind":"end"}') >"$work/cut"
	"$rdmatop" --replay "$work/cut" -b >/dev/null
	echo '{"kind":"rdmatop","format":2}' >"$work/cut"
	fails "$rdmatop" --replay "$work/cut" -b 2>"$work/err"
	grep -q 'another version' "$work/err"
}

no_escape_is_printed() {
	local form
	for form in -b -j -c; do
		"$rdmatop" --replay "$work/hostile" "$form" >"$work/out"
		grep -q 'evil?\]0;owned' "$work/out"
		fails env LC_ALL=C grep -q "$(printf '[\001-\011\013-\037\177]')" "$work/out"
		fails grep -q "$(printf '[\u009b\u202e]')" "$work/out"
		grep -q 'räum-日本-2' "$work/out"
	done
	LC_ALL=C "$rdmatop" --replay "$work/hostile" -b >"$work/out"
	fails env LC_ALL=C grep -q "$(printf '[^ -~]')" "$work/out"
}

wrong_arguments() {
	local line
	while read -r line; do
		# shellcheck disable=SC2086 # words
		if "$rdmatop" $line >"$work/out" 2>"$work/err"; then
			echo "accepted: $line"
			return 1
		fi
		[ ! -s "$work/out" ]
		grep -q '^rdmatop' "$work/err"
	done <<-'LINES'
		-d 0
		-d x -b
		-d 1e9 -b
		-n 0 -b
		-n 5
		--group nothing -b
		--sort nothing -b
		--window 0 -b
		--replay /nonexistent -b
		--socket a --replay b -b
		--socket /nonexistent -b
		--prometheus http://127.0.0.1:1 -b
		--prometheus file:///etc/passwd -b
		word
		--record /nonexistent/x --replay y -b
	LINES
	"$rdmatop" --help >"$work/out"
	grep -q '^  TX b/s   tx_bits ' "$work/out"
	[ "$(count '' "$work/out")" -gt 40 ]
}

# A table that cannot be written is no success.
full_disk() { fails "$rdmatop" --replay "$work/twelve" -b -n 1 >/dev/full 2>"$work/err"; }

run_case 'tables in as many columns as there are' tables
run_case 'JSON has what each VF sends' json_lines
run_case 'CSV has the same' csv_lines
run_case 'one sample has no rates' one_sample_has_no_rates
run_case 'filter, order and groups of outputs' selections
run_case 'a recording of a replay is the same' same_again
run_case 'broken recordings' broken_recordings
run_case 'no control character is printed' no_escape_is_printed
run_case 'wrong arguments' wrong_arguments
run_case 'a full disk is told' full_disk
finish
