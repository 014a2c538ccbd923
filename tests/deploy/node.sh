#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a node without Kubernetes' help is given: `make install`, the unit, man pages, completion, the Debian package. Needs no root and
# no lab. Prints a case a line. How the package does on a node, tests/vm/suites-deploy/deb.sh tells.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source=cases.sh
. "$here/cases.sh"
repo=$(cd "$here/../.." && pwd -P)
cd "$repo" || exit 2
unset MAKEFLAGS MFLAGS MAKELEVEL SANITIZE FAULTS
pages=(deploy/man/{wardend.8,wardenctl.8,rdma-warden.8,rdmatop.1,rdma-warden.json.5})

# ---- make install ----

# PREFIX: what is to be there, below the folder $work/root.
files_wanted() {
	local page
	cat <<-FILES
		/etc/rdma-warden/config.json 644
		$1/bin/rdmatop 755
		$1/bin/wardenctl 755
		$1/lib/cni/rdma-warden 755
		$1/lib/systemd/system/wardend.service 644
		$1/lib/tmpfiles.d/rdma-warden.conf 644
		$1/sbin/wardend 755
		$1/share/bash-completion/completions/rdmatop 644
		$1/share/bash-completion/completions/wardenctl 644
		$1/share/bash-completion/completions/wardend 644
		$1/share/doc/rdma-warden/LICENSE 644
		$1/share/doc/rdma-warden/README.md 644
		$1/share/doc/rdma-warden/README.zh-CN.md 644
		$1/share/doc/rdma-warden/RUNBOOK.md 644
		$1/share/doc/rdma-warden/metrics.md 644
		$1/share/rdma-warden/grafana/fleet.json 644
		$1/share/rdma-warden/grafana/node.json 644
		$1/share/rdma-warden/grafana/pod.json 644
		$1/share/rdma-warden/grafana/violations.json 644
		$1/share/rdma-warden/modprobe.d/rdma-warden.conf 644
		$1/share/rdma-warden/prometheus/rules.yaml 644
	FILES
	for page in "${pages[@]}"; do echo "$1/share/man/man${page##*.}/${page##*/} 644"; done
}

# PREFIX [ARG…]
installs() {
	local prefix=$1
	shift
	rm -rf "$work/root"
	make --no-print-directory install DESTDIR="$work/root" "$@" || return
	diff <(files_wanted "$prefix" | LC_ALL=C sort) <(find "$work/root" -type f -printf '/%P %m\n' | LC_ALL=C sort)
}

elsewhere() {
	installs /opt/warden PREFIX=/opt/warden &&
		grep -qx 'ExecStart=/opt/warden/sbin/wardend --config .*' "$work/root/opt/warden/lib/systemd/system/wardend.service"
}

keeps_configuration() {
	echo '{"mode":"enforce"}' >"$work/root/etc/rdma-warden/config.json"
	make --no-print-directory install DESTDIR="$work/root" && grep -q enforce "$work/root/etc/rdma-warden/config.json"
}

configuration_is_right() {
	jq -e 'keys == ["mode"] and .mode == "audit"' deploy/config.json
}

# ---- the unit ----

verify_unit() {
	local unit=$work/wardend.service said
	sed "s,/usr/sbin/,$repo/build/," deploy/systemd/wardend.service >"$unit"
	said=$(systemd-analyze verify --man=no "$unit" 2>&1)
	# Of the machine's own units nothing is wanted here.
	said=$(grep -F "wardend.service" <<<"$said")
	[ -z "$said" ] || { printf '%s\n' "$said"; return 1; }
}

# systemd's own mark, in tenths: what is open is open for a reason. A line that is lost shows.
exposure() {
	systemd-analyze security --offline=yes --no-pager --threshold=40 deploy/systemd/wardend.service
}

# ---- man pages ----

# As --help has them, without what it shows of a value.
options_of_help() { grep -oE -- '(^|[^[:alnum:]-])--?[[:alpha:]][[:alpha:]-]*' | grep -oE -- '--?[[:alpha:]].*' | sort -u; }

# In mdoc: Fl -word, Fl x.
options_of_page() { grep -oE '\bFl -?[[:alpha:]][[:alpha:]-]*' "$1" | sed 's/^Fl /-/' | sort -u; }

agrees() {
	local page=deploy/man/$1 program=${1%.*}
	# rdmatop's says "-d" in its text of others; the page of rdma-warden shows no option but its own.
	diff <("build/$program" --help | sed '/^columns$/,$d' | options_of_help) <(options_of_page "$page" | grep -vxF -f <(unlisted "$program"))
}

# Options that the program knows and its --help does not list, as nobody asks how to ask for help.
unlisted() {
	case $1 in
	wardenctl | rdma-warden) echo --help ;;
	*) echo none ;;
	esac
}

commands_agree() {
	diff <(build/wardenctl --help | sed -n 's/^  \([a-z]\+\) .*/\1/p' | sort) <(sed -n 's/^\.It Ic \([a-z]*\).*/\1/p' deploy/man/wardenctl.8 | sort)
}

# Each has a head, which may hold a blank, of eight letters before its name.
columns_of_help() { build/rdmatop --help | sed -nE '1,/^columns$/d; s/^  .{8} ([a-z_]+) .*/\1/p'; }

columns_agree() {
	diff <(columns_of_help) <(sed -n 's/^\.It Cm //p' deploy/man/rdmatop.1)
}

# The keys that the code reads, each with the object that it is in; a profile and a policy have tables of their own in the page.
keys_of_code() {
	awk '
		/^static const struct key [a-z_]+\[\]/ {
			match($0, /[a-z_]+\[\]/)
			array = substr($0, RSTART, RLENGTH - 2)
			sub(/_?keys$/, "", array)
			section = array == "selector" ? "nicSelector." : array ~ /^(qos|kubernetes|notify)$/ ? array "." : ""
			inside = 1
			next
		}
		/^}/ { inside = 0 }
		inside && match($0, /"[A-Za-z_]+"/) { print section substr($0, RSTART + 1, RLENGTH - 2) }
	' user/config/*.c | grep -vxE 'qos|kubernetes|notify' | sort -u
}

keys_of_page() {
	{
		sed -n 's/^\.It Va //p' deploy/man/rdma-warden.json.5 | sed 's/ , /\n/g'
		echo nicSelector # is named in the text before its keys
	} | sort -u
}

keys_agree() {
	[ "$(keys_of_code | wc -l)" -gt 50 ] && diff <(keys_of_code) <(keys_of_page)
}

lint() { mandoc -Tlint -W warning "$1"; }

manual() {
	MANWIDTH=80 man --warnings -l "$1" >"$work/page" 2>"$work/warnings" || return
	[ ! -s "$work/warnings" ] || { cat "$work/warnings"; return 1; }
	[ "$(wc -l <"$work/page")" -gt 30 ]
}

# ---- completion ----

# PROGRAM WORD…: what bash offers for the last word, a line each. A fresh bash, and the build's programs.
complete_words() {
	PATH=$work/programs:$repo/build:$PATH bash --norc -c '
		source "$1" || exit
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
		function=$(complete -p "$1" | sed -n "s/.*-F \([^ ]*\) .*/\1/p")
		"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" 2>&1
		printf "%s\n" "${COMPREPLY[@]}"
	' bash "deploy/completion/$1" "$@"
}

# WANTED PROGRAM WORD…: exactly these words, in any order.
offers() {
	local wanted=$1
	shift
	diff <(tr ' ' '\n' <<<"$wanted" | sed '/^$/d' | sort -u) <(complete_words "$@" | sed '/^$/d' | sort -u) || { echo "after: $*"; return 1; }
}

# All that --help names is offered, and no more.
completes_options() {
	offers "$("build/$1" --help | sed '/^columns$/,$d' | options_of_help | xargs) --help" "$1" -
}

completes_wardenctl() {
	local command line
	while read -r command; do
		line=$(build/wardenctl --help | sed -n "/^  $command /,/^  [a-z]/p" | sed '1!{/^  [a-z]/d}')
		offers "$(options_of_help <<<"$line" | xargs) --json --socket" wardenctl "$command" -- || return
		offers "$command" wardenctl --json "$command" || return
	done < <(build/wardenctl --help | sed -n 's/^  \([a-z]\+\) .*/\1/p')
	offers '--version --help --json --socket' wardenctl --
}

# In the place of wardenctl: one that is there, one that hangs, one with names that a shell would run.
stand_in() {
	mkdir -p "$work/programs"
	printf '#!/bin/sh\n%s\n' "$1" >"$work/programs/wardenctl"
	chmod +x "$work/programs/wardenctl"
}

completes_devices() {
	# shellcheck disable=SC2016 # the name is meant so
	stand_in 'printf "%s\n" "{\"device\":\"mlx5_0\",\"owner\":\"ml/a\"}" "{\"device\":\"mlx5_1\",\"owner\":\"\"}" "{\"device\":\"\$(touch '"$work"'/run)\",\"owner\":\"x\"}"'
	offers 'mlx5_0 mlx5_1' wardenctl claim --device m && offers ml/a wardenctl verify --owner ml || return
	complete_words wardenctl claim --device '' >"$work/names"
	[ ! -e "$work/run" ] || { echo 'a name was run'; return 1; }
	stand_in 'exec sleep 60'
	SECONDS=0
	offers '' wardenctl release --device m && [ "$SECONDS" -lt 10 ]
}

completes_rdmatop_columns() {
	offers "$(columns_of_help | xargs)" rdmatop --sort ''
}

# ---- the package ----

package_of() { echo build/deb/rdma-warden_*_amd64.deb; }

is_whole() {
	local package
	package=$(package_of)
	rm -rf "$work/package"
	dpkg-deb -x "$package" "$work/package" || return
	[ "$(dpkg-deb -f "$package" Version)" = "$("$work/package/usr/sbin/wardend" --version | cut -d ' ' -f 2)" ] || return
	grep -qx /etc/rdma-warden/config.json <(dpkg-deb --ctrl-tarfile "$package" | tar -xO ./conffiles) || return
	# Its stripped plugin still knows itself for what it is.
	mkdir "$work/cni" && "$work/package/usr/lib/cni/rdma-warden" install --to "$work/cni" &&
		"$work/package/usr/lib/cni/rdma-warden" install --to "$work/cni" && [ "$(ls "$work/cni")" = rdma-warden ]
}

names_no_path() {
	local found
	found=$(grep -raoF "$repo" "$work/package" | head -n 5)
	[ -z "$found" ] || { printf '%s\n' "$found"; return 1; }
}

libbpf_is_asked_for() { dpkg-deb -f "$(package_of)" Depends | grep -qF 'libbpf1 (>= 1:1.3)'; }

package() {
	if ! command -v dh dpkg-buildpackage lintian >/dev/null; then
		skip 'the Debian package' 'no debhelper or lintian here: make setup'
		return
	fi
	try 'deb: the package is built' make --no-print-directory deb || return
	try 'deb: lintian finds no error and nothing to warn of' lintian --fail-on error,warning build/deb/*.changes
	try 'deb: version, configuration, and a plugin that installs itself' is_whole
	try 'deb: no path of this machine is in it' names_no_path
	try 'deb: it asks for a libbpf that has tcx' libbpf_is_asked_for
}

try 'the programs are built' make --no-print-directory -j "$(nproc)" all || exit 1
try 'make install: all of it, and no more' installs /usr
try 'make install: an existing configuration stays' keeps_configuration
try 'make install: elsewhere, and the unit knows' elsewhere
try 'the configuration shipped refuses nothing' configuration_is_right
try 'the unit: systemd takes each line' verify_unit
try 'the unit: systemd finds it confined' exposure
for page in "${pages[@]}"; do
	try "man: ${page##*/}: mandoc has nothing to warn of" lint "$page"
	try "man: ${page##*/}: man has nothing to warn of" manual "$page"
done
for page in wardend.8 wardenctl.8 rdma-warden.8 rdmatop.1; do
	try "man: $page: its options are those of --help" agrees "$page"
done
try 'man: wardenctl.8: each command' commands_agree
try 'man: rdmatop.1: each column' columns_agree
try 'man: rdma-warden.json.5: each key that the code reads' keys_agree
try 'completion: wardend' completes_options wardend
try 'completion: rdmatop' completes_options rdmatop
try 'completion: wardenctl: each command and its options' completes_wardenctl
try 'completion: wardenctl: devices and owners, also when nobody answers' completes_devices
try 'completion: rdmatop: columns' completes_rdmatop_columns
package
[ "$failed" = 0 ]
