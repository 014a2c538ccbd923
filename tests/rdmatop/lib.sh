# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of rdmatop share: a terminal (tmux on a server of its own), recordings, and cases.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
repo=$(dirname "$(dirname "$here")")
export rdmatop=${RDMATOP:-$repo/build/rdmatop} # another build of it
work=$(mktemp -d)
failures=0 finished=0
# What the caller's terminal and shell are must not matter.
unset NO_COLOR COLUMNS LINES TMUX
export LC_ALL=C.UTF-8

# A server for each case: one that has just been told to end may still take a command.
server=0
tmux() { command tmux -L "rdmatop-$$-$server" -f /dev/null "$@"; }

tidy() {
	local pid
	[ "$finished" = 1 ] || echo "not ok - rdmatop: $(basename "$0" .sh) ended before its end"
	tmux kill-server 2>/dev/null || true
	for pid in $(jobs -p); do kill "$pid" 2>/dev/null || true; done
	wait 2>/dev/null || true
	rm -rf "$work"
}
trap tidy EXIT
trap 'exit 130' INT TERM

# NAME FUNCTION [ARG…]: one case. In it every command that fails is a failure, so it must not stand behind || or if.
run_case() {
	local name=$1 status
	shift
	server=$((server + 1))
	set +e
	(
		set -eE
		trap 'echo "    line $LINENO: $BASH_COMMAND"' ERR
		"$@"
	) >"$work/output" 2>&1
	status=$?
	set -e
	if [ "$status" = 0 ]; then
		echo "ok - rdmatop: $name"
	else
		echo "not ok - rdmatop: $name"
		sed 's/^/    /' "$work/output"
		failures=$((failures + 1))
	fi
	tmux kill-server 2>/dev/null || true
}

# CMD…: it must fail; "!" alone would not end a case.
fails() {
	if "$@"; then
		echo "this did not fail: $*"
		return 1
	fi
}

# PATTERN [FILE]: how many lines match.
count() { awk -v pattern="$1" '$0 ~ pattern { n++ } END { print n + 0 }' "${@:2}"; }

# To be called last.
finish() {
	finished=1
	[ "$failures" = 0 ]
}

record() { "$here/recording.py" "$@"; }

# ---- the terminal ----

# COLUMNS LINES ARG…: rdmatop in a terminal of that size; $TERMINAL and $SETTING (NAME=VALUE) are its environment.
start() {
	local columns=$1 lines=$2
	shift 2
	tmux new-session -d -x "$columns" -y "$lines" \
		"env TERM=${TERMINAL-screen-256color} ${SETTING-} $(printf '%q ' "$rdmatop" "$@") 2>$work/stderr; echo ended with \$?; sleep 600"
	tmux set-option -g status off
	tmux resize-window -x "$columns" -y "$lines"
}

screen() { tmux capture-pane -p "$@"; }
keys() { tmux send-keys "$@"; }

# WHAT CMD…: until CMD succeeds, at most 20 s; then WHAT is said, and the screen shown.
await() {
	local what=$1 end=$((SECONDS + ${PATIENCE:-20}))
	shift
	until "$@"; do
		if [ "$SECONDS" -ge "$end" ]; then
			echo "$what"
			screen
			return 1
		fi
		sleep 0.05
	done
}

# grep -q would end before what writes to it has, which is a failure under pipefail.
screen_has() { screen | grep -E -- "$1" >/dev/null; }
screen_lacks() { ! screen_has "$1"; }
selected_is() { selected | grep -E -- "$1" >/dev/null; }

# PATTERN…: until the screen shows a line for each (grep -E).
shows() {
	local pattern
	for pattern; do await "the screen does not show: $pattern" screen_has "$pattern"; done
}

# PATTERN: until no line does.
hides() { await "the screen still shows: $1" screen_lacks "$1"; }

# The line number of the first line that matches.
line_of() { screen | grep -nE -- "$1" | awk -F : 'NR == 1 { print $1 }'; }

# The text of the row that is selected: the last line that begins in reverse. Attributes go on from line to line.
selected() {
	screen -e | awk '{
		line = $0; text = ""; first = -1
		while (match(line, /\033\[[0-9;]*m/)) {
			if (RSTART > 1 && first < 0) first = reversed
			text = text substr(line, 1, RSTART - 1)
			count = split(substr(line, RSTART + 2, RLENGTH - 3), parts, ";")
			if (count == 0) reversed = 0
			for (i = 1; i <= count; i++) if (parts[i] == 7) reversed = 1; else if (parts[i] == 0) reversed = 0
			line = substr(line, RSTART + RLENGTH)
		}
		if (first < 0) first = reversed
		if (first && text line ~ /[^ ]/) selected = text line
	} END { print selected }'
}

# PATTERN: until that row is selected.
selects() { await "the row that is selected is not: $1" selected_is "$1" || { selected; return 1; }; }
