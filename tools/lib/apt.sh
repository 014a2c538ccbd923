# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The machine's own apt sources, read so that scripts can use the same mirror for other suites.
# Sourced by tools/setup and the lab. Nothing here names a host.

apt_codename() { (. /etc/os-release && printf '%s\n' "$VERSION_CODENAME"); }

# The URI from which this machine takes its Debian release.
apt_mirror() {
	# shellcheck disable=SC2016 # apt's variables
	apt-get indextargets --format '$(CODENAME) $(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
		awk -v c="$(apt_codename)" '$1 == c && $2 == "Debian" && $3 == "Debian" { print $4; exit }'
}

# A deb822 stanza for each suite named, on the machine's own mirror.
apt_source_stanza() {
	local mirror
	mirror=$(apt_mirror)
	[ -n "$mirror" ] || { echo "no Debian mirror in this machine's apt sources (run apt-get update first?)" >&2; return 1; }
	cat <<-STANZA
		Types: deb
		URIs: $mirror
		Suites: $*
		Components: main
		Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
	STANZA
}
