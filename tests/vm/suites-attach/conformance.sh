#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The plugin by the letter of the CNI specification 1.1.0: what each command needs, takes and answers, with real plugins before
# and behind it, and an IPAM plugin that notes what it is asked. What the commands do is in attach.sh.
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../attach.sh
. "$LAB_REPO/tests/vm/attach.sh"

# Stands for an IPAM plugin; it notes commands, input and environment in $ipam_log (tests/unit/ipam_standin.sh).
ipam_log=$cni_dir/ipam
mkdir -p "$cni_dir/plugins" "$ipam_log"
install -m 755 "$LAB_REPO/tests/unit/ipam_standin.sh" "$cni_dir/plugins/standin"

# [KEYS]: its configuration.
standin() { printf '"ipam":{"type":"standin","log":"%s"%s}' "$ipam_log" "${1:+,$1}"; }
asked() { paste -sd' ' "$ipam_log/commands"; }

# VARIABLE=VALUE… CONFIG: called with these variables alone.
bare() {
	local config=${!#}
	env -i PATH="$PATH" RDMA_WARDEN_SOCKET="$RDMA_WARDEN_SOCKET" "${@:1:$#-1}" rdma-warden <<<"$config" >"$cni_out"
}

# CODE REGEX VARIABLE=VALUE… CONFIG
bare_error() {
	local code=$1 regex=$2
	shift 2
	expect_fail "$*" bare "$@"
	told ".code == $code"
	expect_match "$regex" "$(<"$cni_out")"
}

# ---- parameters ----

t_parameters() {
	local all=(CNI_CONTAINERID=p1 CNI_NETNS=/run/netns/p1 CNI_IFNAME=net1) command missing
	netns_new p1
	for command in ADD CHECK; do
		for missing in 0 1 2; do
			bare_error 4 "${all[missing]%=*}" "CNI_COMMAND=$command" "${all[@]:0:missing}" "${all[@]:missing+1}" "$(conf "$vf")"
		done
	done
	bare_error 4 CNI_CONTAINERID CNI_COMMAND=DEL "${all[@]:1}" "$(conf "$vf")"
	bare_error 4 CNI_IFNAME CNI_COMMAND=DEL "${all[@]:0:2}" "$(conf "$vf")"
	bare_error 4 CNI_PATH CNI_COMMAND=GC "$(version=1.1.0 conf '' '"cni.dev/valid-attachments":[]')"
	bare_error 4 CNI_CONTAINERID CNI_COMMAND=ADD CNI_CONTAINERID=../p1 "${all[@]:1}" "$(conf "$vf")"
	bare_error 4 CNI_ARGS CNI_COMMAND=ADD "${all[@]}" CNI_ARGS=colour=red "$(conf "$vf")"
	# Neither CNI_ARGS nor, where no plugin is to be found, CNI_PATH is needed; DEL does without CNI_NETNS, too.
	bare CNI_COMMAND=STATUS "$(version=1.1.0 conf '')"
	bare CNI_COMMAND=ADD "${all[@]}" "$(conf "$vf")"
	told '.interfaces[0].name == "net1"'
	bare CNI_COMMAND=DEL CNI_CONTAINERID=p1 CNI_IFNAME=net1 "$(conf "$vf")"
	node_looks_the_same
	bare_error 4 CNI_PATH CNI_COMMAND=ADD "${all[@]}" "$(conf "$vf" "$local_ipam")"
}

# ---- errors ----

t_input() {
	netns_new p1
	cni_error 6 '' ADD p1 ''
	cni_error 6 '' ADD p1 '[]'
	cni_error 6 '' ADD p1 "$(conf "$vf")}"
	cni_error 7 '"name' ADD p1 '{"cniVersion":"1.0.0","type":"rdma-warden"}'
	cni_error 7 'type' ADD p1 "$(type=bridge conf "$vf")"
	# A configuration without a version is one of 0.1.0.
	cni_error 1 '0.1.0' ADD p1 '{"name":"under","type":"rdma-warden"}'
	cni_error 2 'ipam.direkt.*true' ADD p1 "$(conf "$vf" '"ipam":{"type":"spiderpool","direkt":true}')"
	# What belongs to others is passed over.
	cni ADD p1 "$(conf "$vf" '"args":{"labels":{"a":"b"}},"runtimeConfig":{"portMappings":[]},"capabilities":{"ips":true}')"
	cni DEL p1 "$(conf "$vf" '"args":{"labels":{"a":"b"}}')"
}

t_interface_is_there() {
	netns_new p1
	ip -n p1 link add net1 type veth peer name peer
	cni_error 4 taken ADD p1 "$(conf "$vf" "$local_ipam")"
	ip -n p1 link delete net1
}

# ---- VERSION ----

t_version() {
	local version
	for version in 0.3.1 1.0.0 1.1.0 0.2.0 9.9.9; do
		bare CNI_COMMAND=VERSION "$(conf '')"
		told ".cniVersion == \"$version\" and .supportedVersions == [\"0.3.1\", \"0.4.0\", \"1.0.0\", \"1.1.0\"]"
	done
}

# ---- a chain, with real plugins before and behind ours ----

# PLUGIN COMMAND CONFIG: a plugin of the distribution's, called for p1.
other() {
	CNI_COMMAND=$2 CNI_CONTAINERID=p1 CNI_NETNS=/run/netns/p1 CNI_IFNAME=net1 CNI_PATH=$cni_path "$cni_path/$1" <<<"$3" >"$cni_out"
}

t_chain() {
	local loopback tuning ours
	netns_new p1
	loopback=$(type=loopback conf '') tuning='"sysctl":{"net.ipv4.conf.net1.log_martians":"1"}'
	other loopback ADD "$loopback"
	keep p1
	cni ADD p1 "$(conf "$vf" "$local_ipam,$(prev p1)")"
	told '[.interfaces[].name] == ["lo", "net1"] and .interfaces[1].sandbox == "/run/netns/p1"'
	told '.ips[-1] | .interface == 1 and .address == "10.88.0.2/24"'
	told '[.ips[] | select(.interface == 0)] | length > 0'
	keep p1
	other tuning ADD "$(type=tuning conf '' "$tuning,$(prev p1)")"
	told '[.interfaces[].name] == ["lo", "net1"]'
	keep p1
	ours=$(conf "$vf" "$local_ipam,$(prev p1)")
	cni CHECK p1 "$ours"
	other tuning CHECK "$(type=tuning conf '' "$tuning,$(prev p1)")"
	# What others have made is not ours to judge.
	ip -n p1 address delete 127.0.0.1/8 dev lo
	cni CHECK p1 "$ours"
	other tuning DEL "$(type=tuning conf '' "$tuning,$(prev p1)")"
	cni DEL p1 "$ours"
	other loopback DEL "$loopback"
}

# ---- DEL and CHECK ----

t_del() {
	netns_new p1
	cni DEL p1 "$(conf "$vf" "$local_ipam")" # never added
	netns_path=/run/netns/never cni DEL never "$(conf "$vf" "$local_ipam")"
	cni_add p1 "$(conf "$vf" "$local_ipam")"
	cni_error 7 prevResult CHECK p1 "$(conf "$vf" "$local_ipam")"
	cni_error 6 '' CHECK p1 "$(conf "$vf" "$local_ipam,\"prevResult\":{\"ips\":7}")"
	cni_error 3 'other' CHECK other "$(conf "$vf" "$local_ipam,$(prev p1)")"
	cni CHECK p1 "$(conf "$vf" "$local_ipam,$(prev p1)")"
	cni DEL p1 "$(conf "$vf" "$local_ipam,\"prevResult\":null")"
	node_looks_the_same
	cni_add p1 "$(conf "$vf" "$local_ipam")"
	cni DEL p1 "$(conf "$vf" "$local_ipam,\"prevResult\":{\"ips\":7}")"
	node_looks_the_same
}

# ---- GC and STATUS ----

# KEY: that it is the list of the valid ones.
gc_by() {
	cni_add p1 "$(version=1.0.0 conf "$vf" "$local_ipam")"
	cni_add p2 "$(version=1.0.0 conf "$vf2" "$local_ipam")"
	cni GC '' "$(conf '' "\"$1\":[{\"containerID\":\"p2\",\"ifname\":\"net1\"},{\"containerID\":\"p1\",\"ifname\":\"net2\"}]")"
	expect 'GC prints nothing' test ! -s "$cni_out"
	attached p1
	attached p2 attached
	cni CHECK p2 "$(version=1.0.0 conf "$vf2" "$local_ipam,$(prev p2)")"
	cni DEL p2 "$(version=1.0.0 conf "$vf2" "$local_ipam")"
	cni DEL p1 "$(version=1.0.0 conf "$vf" "$local_ipam")"
}

t_gc() {
	local version=1.1.0
	netns_new p1 p2
	cni_error 7 'cni.dev/valid-attachments' GC '' "$(conf '')"
	cni_error 7 'cni.dev/valid-attachments' GC '' "$(conf '' '"cni.dev/valid-attachments":[{"containerID":"p1"}]')"
	gc_by cni.dev/valid-attachments
	gc_by cni.dev/attachments # libcni's name for it before the specification had one
}

# ---- IPAM by delegation ----

t_delegation() {
	local version=1.1.0 cni_path=$cni_dir/plugins
	netns_new p1
	rm -f "$ipam_log"/*
	cni_add p1 "$(conf "$vf" "$(standin)")"
	cni CHECK p1 "$(conf "$vf" "$(standin),$(prev p1)")"
	cni STATUS '' "$(conf '' "$(standin)")"
	cni GC '' "$(conf '' "$(standin),\"cni.dev/valid-attachments\":[{\"containerID\":\"p1\",\"ifname\":\"net1\"}]")"
	cni DEL p1 "$(conf "$vf" "$(standin)")"
	expect_match '^ADD CHECK STATUS GC DEL$' "$(asked)"
	expect 'all of the configuration' diff <(conf "$vf" "$(standin)" | jq -S .) <(jq -S . "$ipam_log/input.ADD")
	expect_match '"cni.dev/valid-attachments":\[\{"containerID":"p1","ifname":"net1"' "$(<"$ipam_log/input.GC")"
	expect_match 'CNI_CONTAINERID=p1 CNI_IFNAME=net1 CNI_NETNS=/run/netns/p1 CNI_PATH=' "$(paste -sd' ' "$ipam_log/environment.DEL")"
	# An ADD that fails is undone by a DEL, and its error is the answer.
	rm -f "$ipam_log"/*
	cni_error 11 'used.* up' ADD p1 "$(conf "$vf" "$(standin '"behaviour":"error"')")"
	expect_match '^ADD DEL$' "$(asked)"
	node_looks_the_same
	cni_error 51 'half dead' STATUS '' "$(conf '' "$(standin '"status":"limited"')")"
	cni_error 50 '' STATUS '' "$(conf '' "$(standin '"status":"text"')")"
	cni_error 11 'used.* up' GC '' "$(conf '' "$(standin '"gc":"error"'),\"cni.dev/valid-attachments\":[]")"
	cni_add p1 "$(conf "$vf" "$(standin)")"
	cni_error 11 'used.* up' CHECK p1 "$(conf "$vf" "$(standin '"check":"error"'),$(prev p1)")"
	cni DEL p1 "$(conf "$vf" "$(standin)")"
}

attach_begin '"mode":"enforce"'
attach_cases "$@" <<-'CASES'
	which_variables_each_command_needs t_parameters
	what_is_no_configuration_of_ours t_input
	an_interface_of_that_name_is_there t_interface_is_there
	VERSION_in_any_version t_version
	a_chain_with_other_plugins t_chain
	DEL_and_CHECK_with_what_they_get t_del
	GC_by_both_names_of_its_list t_gc
	IPAM_is_asked_and_answered_for t_delegation
CASES
