# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A private apt beside the machine's own: other suites, own state, nothing of the host is read but its mirror and keys.
# Sourced by tests/vm/prepare after common.sh.

: "${repo:?}" "${lab:?}"
# shellcheck source=../../tools/lib/apt.sh
. "$repo/tools/lib/apt.sh"

lab_suites=(bookworm trixie trixie-backports)

lab_apt_options() {
	local apt=$lab/apt
	# Sandbox user root: the files belong to whoever runs this and _apt could not write them.
	printf '%s\n' \
		-qq \
		-o "Dir::State=$apt/state" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache" \
		-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$apt/sources" \
		-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
		-o APT::Architecture=amd64 -o APT::Architectures=amd64 \
		-o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3
}

lab_apt() {
	local tool=$1 options
	shift
	mapfile -t options < <(lab_apt_options)
	"$tool" "${options[@]}" "$@"
}

lab_apt_setup() {
	local apt=$lab/apt
	mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/sources"
	: >>"$apt/status"
	apt_source_stanza "${lab_suites[@]}" >"$apt/sources/lab.sources"
}

# Fetches the package lists unless they are younger than the minutes given. Lists that cannot be renewed still serve
# what is cached already.
lab_apt_update() {
	local stamp=$lab/apt/updated
	[ -z "$(find "$stamp" -mmin "-$1" 2>/dev/null)" ] || return 0
	lab_apt_setup
	if lab_apt apt-get update; then
		touch "$stamp"
	elif [ -e "$stamp" ]; then
		echo 'the package lists cannot be renewed; going on with the old ones' >&2
	else
		return 1
	fi
}
