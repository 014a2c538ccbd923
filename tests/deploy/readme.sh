#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# README.md and README.zh-CN.md say the same, and what they name is there: files, commands, options, make's targets, the chart's values.
# By the sources alone, without a build. Prints a case a line.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source=cases.sh
. "$here/cases.sh"
cd "$here/../.." || exit 2
export LC_ALL=C.UTF-8
readmes=(README.md README.zh-CN.md)

# ---- a README in parts ----

# FILE: a line a part, "SECTION<tab>KIND<tab>TEXT": heading (its level), code (without its comments), row, text.
parts() {
	awk '
		function part(kind, text) { printf "%d\t%s\t%s\n", section, kind, text }
		/^    / {
			sub(/^    /, "")
			sub(/(^|[ \t]+)# .*/, "")
			if ($0 != "") part("code", $0)
			next
		}
		/^#+ / { section++; part("heading", $1); next }
		/^\|/ { part("row", $0); next }
		NF { part("text", $0) }' "$1"
}

# FILE KIND: as lines "SECTION<tab>TEXT", and none is a mistake.
kind() { parts "$1" | awk -F '\t' -v kind="$2" '$2 == kind { print $1 "\t" $3; any = 1 } END { exit !any }'; }

# What stands between backticks, sorted, on one line; of each line of the input, which begins with a number.
spans() {
	awk -F '`' '{
		n = 0
		for (i = 2; i <= NF; i += 2) list[++n] = $i
		line = ""
		for (; n; n--) {
			least = 1
			for (i = 2; i <= n; i++) if (list[i] < list[least]) least = i
			line = line " `" list[least] "`"
			list[least] = list[n]
		}
		split($1, place, "\t")
		print place[1] ":" line
	}'
}

# A section's text as one line, since what stands between backticks may be broken at the end of one, and a translation orders it anew.
whole_sections() { awk -F '\t' '{ gsub(/^ +| +$/, "", $2); all[$1] = all[$1] " " $2; last = $1 } END { for (i = 0; i <= last; i++) print i "\t" all[i] }'; }

once() { awk '{ line = $1; delete seen; n = split($0, all, " `"); for (i = 2; i <= n; i++) if (!seen[all[i]]++) line = line " `" all[i]; print line }'; }

headings() { kind "$1" heading; }
code() { kind "$1" code; }
# The number of the columns of each row; "\|" is no border.
tables() { kind "$1" row | sed 's/\\|//g' | awk -F '|' '{ split($1, place, "\t"); print place[1] ": a row of " NF - 2 }'; }
row_spans() { kind "$1" row | spans; }
text_spans() { kind "$1" text | whole_sections | spans | once; }

# FUNCTION: gives the same of both.
same() {
	local first
	first=$("$1" README.md)
	[ "$(wc -l <<<"$first")" -ge 5 ] || { echo 'nothing found'; return 1; }
	diff <(echo "$first") <("$1" README.zh-CN.md)
}

link_each_other() {
	head -n 4 README.md | grep -qF '](README.zh-CN.md)' && head -n 4 README.zh-CN.md | grep -qF '](README.md)'
}

# ---- what is named ----

# What is looked for, a line each on the input, is to be in the list FILE.
all_in() {
	local wanted missing
	wanted=$(sort -u)
	[ -n "$wanted" ] || { echo 'nothing found'; return 1; }
	missing=$(grep -vxF -f "$1" <<<"$wanted")
	[ -z "$missing" ] || { printf 'there is no: %s\n' "${missing//$'\n'/, }"; return 1; }
}

links_lead() {
	local link missing=0
	while read -r link; do
		[ -e "${link%%#*}" ] || { echo "$link leads nowhere"; missing=1; }
	done < <(grep -oP '\]\(\K[^)]+' "$1" | grep -v '^http')
	return $missing
}

# In code and in text, from the repository's root; what the build makes is not there.
paths_exist() {
	local path missing=0 any=0
	while read -r path; do
		any=1
		[ -e "${path%[.,:]}" ] || { echo "$path is not there"; missing=1; }
	done < <(grep -oP '(?<![\w/.-])(bpf|user|tools|deploy|tests|vmlinux)/[\w./-]*' "$1" | sort -u)
	[ $any = 1 ] && return $missing
}

ticked() { awk -F '`' '{ for (i = 2; i <= NF; i += 2) print $i }'; }

# FILE: the commands of code and backticks, one a line; what a shell would run beside others is on a line of its own.
commands() {
	{
		kind "$1" code | cut -f 2
		kind "$1" row | sed 's/\\|/|/g' | ticked
		kind "$1" text | whole_sections | ticked
	} | sed -E 's/ && |; |\$\(/\n/g' | sed -E 's/^ *warden NODE /wardenctl /; s/^.* -- (wardenctl )/\1/; s, -- .*,,'
}

# FILE PROGRAM: its commands, without its folder.
commands_of() { commands "$1" | grep -oP "^(build/|/usr/\w+/(\w+/)?)?$2 \K.*"; }
options() { grep -oP '(?<![\w-])--[a-z][a-z-]*'; }

# The sources' "COMMAND --option", a line each.
wardenctl_knows() {
	sed -nE 's/^\t\{ "([a-z]+)", "([^"]*)".*/\1 \2 --json --socket/p' tools/wardenctl/wardenctl.c | with_options
}

# Lines of COMMAND and ARGUMENTS: COMMAND alone, and with each option.
with_options() {
	local command rest option
	while read -r command rest; do
		echo "$command"
		for option in $(options <<<"$rest"); do echo "$command $option"; done
	done
}

wardenctl_exists() {
	wardenctl_knows >"$work/known"
	commands_of "$1" wardenctl | grep -P '^[a-z]' | with_options | all_in "$work/known"
}

# The table of commands has them all, and all their options.
wardenctl_is_whole() {
	local said
	said=$(kind "$1" row | sed 's/\\|//g' | awk -F '`' '$1 ~ /\t\| $/ { print $2 }' | grep -E "^($(commands_regex))( |$)" | with_options | sort -u)
	diff <(wardenctl_knows | grep -vE -- '--(json|socket)$' | sort -u) <(echo "$said")
}
commands_regex() { wardenctl_knows | grep -v ' ' | paste -sd '|'; }

# PROGRAM: the options of its source.
source_options() {
	case $1 in
	wardend) options <user/arguments.c ;;
	rdma-warden) options <tools/rdma-warden/command.c ;;
	rdmatop) sed -nE 's/.*\{ "([a-z-]+)", (no|required)_argument.*/--\1/p' tools/rdmatop/*.c ;;
	./install) options <deploy/bundle/install ;;
	tests/vm/run) options <tests/vm/run ;;
	esac
}

options_exist() {
	source_options "$2" | sort -u >"$work/known"
	commands_of "$1" "$2" | options | all_in "$work/known"
}

# An option alone between backticks: somebody's.
lone_options_exist() {
	local program
	{
		for program in wardend rdma-warden rdmatop ./install; do source_options "$program"; done
		wardenctl_knows | options
	} | sort -u >"$work/known"
	commands "$1" | grep -xE -- '--[a-z-]+' | all_in "$work/known"
}

targets_exist() {
	sed -nE 's/^([a-z-]+):.*/\1/p' Makefile | sort -u >"$work/known"
	commands "$1" | grep -oP '^make \K[a-z -]+' | tr ' ' '\n' | sed '/^$/d' | all_in "$work/known"
}

# The chart's values by their paths: a.b.c
values_exist() {
	awk '/^ *[A-Za-z]+:/ {
		depth = match($0, /[^ ]/) - 1
		name[depth / 2] = substr($1, 1, index($1, ":") - 1)
		path = name[0]
		for (i = 1; i <= depth / 2; i++) path = path "." name[i]
		print path
	}' deploy/helm/rdma-warden/values.yaml >"$work/known"
	commands "$1" | grep -oP -- '(--set |^)\K(mode|uninstall|(image|cni|metrics|rdmaCNI|sriovCNI)\.[A-Za-z.]+)(?==|$)' | grep -v '[.]md$' |
		all_in "$work/known"
}

# What a table quotes of a message, in "", the sources say.
messages_exist() {
	local message missing=0 any=0
	while read -r message; do
		any=1
		grep -rqF -- "$message" user tools || { echo "nobody says: $message"; missing=1; }
	done < <(kind "$1" row | awk -F '`' '{ for (i = 1; i <= NF; i += 2) print $i }' | grep -oP '"\K[a-z-][^"]* [^"]*(?=")')
	[ $any = 1 ] && return $missing
}

try 'README: each is linked at the top of the other' link_each_other
try 'README: the same headings, by their levels' same headings
try 'README: the same code, apart from comments' same code
try 'README: the same tables, row by row' same tables
try 'README: the same commands and names in each row' same row_spans
try 'README: the same commands and names in the text of each section' same text_spans
for readme in "${readmes[@]}"; do
	try "$readme: links lead to files" links_lead "$readme"
	try "$readme: files that it names are there" paths_exist "$readme"
	try "$readme: commands and options of wardenctl" wardenctl_exists "$readme"
	try "$readme: the table has all of wardenctl" wardenctl_is_whole "$readme"
	for program in wardend rdma-warden rdmatop ./install tests/vm/run; do
		try "$readme: options of $program" options_exist "$readme" "$program"
	done
	try "$readme: options that stand alone" lone_options_exist "$readme"
	try "$readme: targets of make" targets_exist "$readme"
	try "$readme: values of the chart" values_exist "$readme"
	try "$readme: messages that it quotes" messages_exist "$readme"
done
[ "$failed" = 0 ]
