#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rdmatop on a terminal: keys, sizes, colours. All of it from a generated recording.
. "$(dirname "$0")/lib.sh"

record >"$work/twelve"
record --vfs 128 --samples 3 >"$work/many"
record --hostile >"$work/hostile"
record --samples 400 --seconds 0.1 >"$work/long"

at_its_end() { start "$1" "$2" --replay "${@:3}" && shows ' END *$'; }

small_terminal() {
	at_its_end 80 24 "$work/twelve"
	shows '^rdmatop  worker-1 .* wardend 0.8  enforce' '^12 of 12 devices .* marking wrong  violations 9$'
	shows '^not known: ECN marks of VFs' '^POD +DEVICE +LINK TX b/svRX b/s +QPS MARKING +VIOL'
	shows '^- ens1f0 \(6\) .* 100G ' '^  ml/trainer-0 .* mlx5_3 .* 100G .* 1.0M .* 500k .* 3 wrong .* 3$'
	shows '^  \(free\) .* mlx5_9 .* DOWN ' '^h help  q quit'
	# Nobody counts what this one sends: no zero.
	shows '^  storage/trainer-2 +mlx5_7 +100G +- +- '
}

wide_terminal() {
	at_its_end 200 60 "$work/twelve"
	shows '^POD +VF +DEVICE +LINK TX b/svRX b/s HISTORY +TX p/s RX p/s TXMS/s RXMS/s +QPS +MRS PINNED +CONN +CNP/s +ECN/s RETX/s +OOS/s PAUS/s MARKING +VIOL STATE'
	tmux resize-window -x 240 -y 60
	shows '^POD +VF +DEVICE +NETDEV +LINK TX b/svRX b/s HISTORY +TX p/s .* STATE'
	shows '^  hpc/trainer-4 .*3b:00.5 .*mlx5_10 .*eth8 .*5.0M .*2.5M .*█.* 625 .* 500 good '
}

keys_move() {
	at_its_end 80 24 "$work/twelve"
	selects '^- ens2f0'
	keys Down
	selects '^  \(free\) .*mlx5_13'
	keys Down
	selects '^  hpc/trainer-4 .*mlx5_11'
	keys Up
	selects mlx5_13
	keys End
	selects mlx5_12
	keys Home
	selects '^- ens2f0'
	keys NPage
	selects mlx5_12
	keys PPage
	selects '^- ens2f0'
}

many_rows_scroll() {
	at_its_end 80 24 "$work/many"
	selects '^- ens.f0 \(64\)'
	keys End
	selects mlx5_
	hides '^- ens2f0'
	keys Home
	selects '^- ens.f0 \(64\)'
	keys NPage
	keys NPage
	hides '^- ens2f0'
}

columns_sort() {
	at_its_end 80 24 "$work/twelve" --sort device --group none
	[ "$(line_of mlx5_2)" -lt "$(line_of mlx5_3)" ]
	[ "$(line_of mlx5_3)" -lt "$(line_of mlx5_13)" ]
	keys r
	shows '^POD .*DEVICE +\^'
	[ "$(line_of mlx5_13)" -lt "$(line_of mlx5_3)" ]
	keys s
	shows 'sorted by netdev: network interface'
	keys '<' '<'
	shows 'sorted by vf:'
}

filter_and_search() {
	at_its_end 80 24 "$work/twelve"
	keys / m l /
	shows '^filter: ml/_$' '^3 of 12 devices'
	hides 'hpc/trainer'
	keys ' ' '!' w r o n g Enter
	shows '^filter: ml/ !wrong$' '^2 of 12 devices'
	hides mlx5_3
	keys Escape
	shows '^12 of 12 devices'
	keys L s t o r a g e Enter
	selects 'storage/trainer-2 .*mlx5_7'
	keys n
	selects 'storage/trainer-2 .*mlx5_6'
	keys n
	selects 'storage/trainer-5 .*mlx5_12'
	keys n
	selects 'storage/trainer-2 .*mlx5_7'
	keys / n o n e o f t h e m Enter
	shows 'no device matches the filter' '^0 of 12 devices .* tx -b/s'
}

groups_fold() {
	at_its_end 80 24 "$work/twelve"
	keys f
	shows '^\+ ens2f0 \(6\)'
	hides mlx5_13
	shows mlx5_10
	keys Enter
	shows '^- ens2f0 \(6\)' mlx5_13
	keys F
	shows '^\+ ens2f0' '^\+ ens1f0'
	hides 'mlx5_'
	keys F
	shows mlx5_13 mlx5_10
	keys g
	shows '^- hpc/trainer-4 \(2\)' '^- no pod \(3\)' 'group \(pod\)'
	keys g
	shows '^- storage \(' 'group \(namespace\)'
	keys g
	shows '^- worker-1 \(12\)'
	keys g
	shows '^hpc/trainer-4 ' 'group \(none\)'
}

details() {
	at_its_end 100 40 "$work/twelve" --group none --sort device
	selects mlx5_2
	keys Enter
	shows '^mlx5_2  0000:3b:00.1  worker-1' '^pod +ml/trainer-0  container main  by podresources' '^place .* index 10  PF ens1f0'
	shows '^64 +RC +RTS +900 +192.0.2.9:18515 +- +4711 ib_write_bw' '^65 .* 40 +4711'
	shows 'violation +marking.qp +denied +DSCP 0 of a queue pair' '^tx_vport_rdma_unicast_bytes +100000 '
	keys Escape
	shows '^POD'
	keys Down Enter
	shows '^np_cnp_sent +1 ' '^violations 3$' '^marking +wrong  right 1  wrong 1 '
	keys q
	shows 'ended with 0'
}

help_and_missing() {
	at_its_end 80 24 "$work/twelve"
	keys h
	shows '^space +pause' '^ECN marks of VFs: their driver does not tell them' 'more below'
	keys End
	shows '^STATE +free, claimed' '\(end\)'
	keys '?'
	shows '^- ens2f0'
}

pause_holds() {
	local before
	start 80 24 --replay "$work/long"
	shows 'wardend 0.8' mlx5_13
	keys Space
	shows PAUSED
	sleep 0.3
	before=$(screen | head -n 1)
	sleep 0.5
	[ "$(screen | head -n 1)" = "$before" ]
	keys Space
	hides PAUSED
	sleep 1.2
	[ "$(screen | head -n 1)" != "$before" ]
}

all_columns_scroll() {
	at_its_end 80 24 "$work/twelve"
	keys c
	shows '^POD .* VF .* NETDEV'
	keys Right Right Right Right Right
	shows '^POD +RX b/s|^POD +TX b/s'
	keys c
	shows '^POD .* MARKING .* VIOL'
}

sizes_change() {
	local size
	at_its_end 80 24 "$work/twelve"
	for size in '20 5' '200 60' '1 1' '10 2' '300 3' '40 12' '20 5' '80 24'; do
		# shellcheck disable=SC2086 # two numbers
		set -- $size
		tmux resize-window -x "$1" -y "$2"
		sleep 0.2
		keys Down
		keys h
		sleep 0.1
		keys h
	done
	shows '^POD .* MARKING' '^12 of 12'
	hides 'ended with'
}

# The first line and some rows, at the least.
tiny_terminal() {
	at_its_end 20 5 "$work/twelve"
	shows '^- ens2f0' '^POD .* TX b/s'
	keys Down Down Down
	selects '^  '
	hides 'ended with'
}

no_escape_reaches_the_terminal() {
	at_its_end 200 60 "$work/hostile" --group none --sort device
	shows 'evil\?\]0;owned\?\?\[31m\?2J\?gnp\?\?x' 'räum-日本-2'
	keys Enter
	shows '4711 evil\?' 'denied +evil\?'
	[ "$(tmux display-message -p '#{pane_title}')" != owned ]
}

# No background but that of what is in reverse is ever painted; and none of the colours that one of them hides.
colours_suit_any_background() {
	at_its_end 200 60 "$work/twelve"
	screen -e >"$work/painted"
	grep -qF "$(printf '\033[31m')" "$work/painted"
	fails grep -aqE "$(printf '\033')"'\[([0-9;]*;)?(4[0-7]|48|10[0-7]|3[03467]|9[0-7])(;|m)' "$work/painted"
}

# SETTING or TERMINAL: not a single colour, and what is wrong is bold.
without_colours() {
	at_its_end 80 24 "$work/twelve"
	screen -e >"$work/painted"
	fails grep -aqE "$(printf '\033')"'\[([0-9;]*;)?(3[0-7]|4[0-7]|38|48)(;|m)' "$work/painted"
	shows '^  ml/trainer-0 .* wrong '
	grep -aqE "$(printf '\033')"'\[[0-9;]*1m *wrong' "$work/painted"
}

no_color() { SETTING=NO_COLOR=1 without_colours; }
vt100() { TERMINAL=vt100 without_colours; }

dumb() {
	TERMINAL=dumb start 80 24 --replay "$work/twelve"
	shows 'ended with 0'
	screen | grep '^ens2f0 (6)' >/dev/null
	grep -q 'cannot place its cursor' "$work/stderr"
}

ascii() {
	SETTING='LC_ALL=C' at_its_end 200 60 "$work/hostile"
	shows 'hpc/r\?um-\?\?-2' '#'
	screen >"$work/painted"
	fails env LC_ALL=C grep '[^ -~]' "$work/painted"
}

ends_well() {
	local how
	for how in q C-c; do
		at_its_end 80 24 "$work/twelve"
		keys "$how"
		shows 'ended with 0'
		tmux kill-server
		server=$server.
	done
}

run_case '80x24 shows who sends what, and how it is marked' small_terminal
run_case '200x60 shows all columns' wide_terminal
run_case 'keys move the selection' keys_move
run_case '128 VFs scroll' many_rows_scroll
run_case 'columns sort, both ways' columns_sort
run_case 'a filter hides, a search finds' filter_and_search
run_case 'groups fold and change' groups_fold
run_case 'details of a device: queue pairs, events, counters' details
run_case 'help, and what is missing' help_and_missing
run_case 'a pause holds' pause_holds
run_case 'all columns scroll' all_columns_scroll
run_case 'any size will do' sizes_change
run_case '20x5 is enough' tiny_terminal
run_case 'no control character of a name reaches the terminal' no_escape_reaches_the_terminal
run_case 'colours suit any background' colours_suit_any_background
run_case 'NO_COLOR' no_color
run_case 'vt100' vt100
run_case 'a terminal that cannot place its cursor gets tables' dumb
run_case 'ASCII alone' ascii
run_case 'q and Ctrl-C end it' ends_well
finish
