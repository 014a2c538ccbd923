#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Addresses of a VF by Spiderpool's agent, which a stand-in plays by its HTTP contract (tests/tools/spiderpool-agent.c): what it
# gives comes into the pod and goes back, whatever it answers and when it is away.
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../attach.sh
. "$LAB_REPO/tests/vm/attach.sh"

agent_dir=$cni_dir/spiderpool
agent_socket=$agent_dir/agent.sock
mkdir -p "$agent_dir"
ipam='"ipam":{"type":"spiderpool","ipam_unix_socket_path":"'$agent_socket'","default_ipv4_ippool":["rail1*"],"match_master_subnet":true}'

agent_start() {
	setsid spiderpool-agent "$agent_socket" "$agent_dir" >>"$agent_dir/log" 2>&1 </dev/null &
	echo $! >"$agent_dir/pid"
	disown
	wait_until 10 test -S "$agent_socket"
}
agent_stop() {
	kill "$(<"$agent_dir/pid")"
	rm -f "$agent_socket"
}

# LINE…: how the agent answers from now on.
wish() { printf '%s\n' "$@" >"$agent_dir/wishes"; }
wish_nothing() { rm -f "$agent_dir/wishes"; }
given() { ls "$agent_dir/leases"; }
requests() { cut -d ' ' -f 1,2 "$agent_dir/requests" | paste -sd' '; }
none_given() { expect_match '^$' "$(given)"; }

# Before each case: it does what it should and has given nothing.
agent_fresh() { rm -f "$agent_dir/wishes" "$agent_dir/requests" "$agent_dir/leases"/*; }

# ---- as it should be ----

t_there_and_back() {
	agent_fresh
	netns_new p1
	cni_add p1 "$(conf "$vf" "$ipam")"
	told '[.ips[] | .address] == ["10.7.0.5/16", "fd07::5/64"] and .ips[0].gateway == "10.7.0.1" and .ips[0].interface == 0'
	told '.routes == [{"dst": "10.70.0.0/16", "gw": "10.7.0.1"}]'
	expect_match '10\.7\.0\.5/16.*fd07::5/64' "$(ip -n p1 address show dev net1)"
	expect_fail "another interface's address" expect_match '10\.6\.0\.5' "$(ip -n p1 address show)"
	expect_match '10\.70\.0\.0/16 via 10\.7\.0\.1 dev net1' "$(ip -n p1 route show)"
	expect 'the address has its GID' rdma_has_gid p1 "$(rdma_in p1 "$vf")" "$(ipv4_gid 10.7.0.5)"
	expect_match 'p1:net1' "$(<"$agent_dir/leases/10.7.0.5")"
	cni CHECK p1 "$(conf "$vf" "$ipam,$(prev p1)")"
	cni DEL p1 "$(conf "$vf" "$ipam,$(prev p1)")"
	none_given
	cni DEL p1 "$(conf "$vf" "$ipam")"
	expect_match '^GET /v1/ipam/healthy POST /v1/ipam/ip (GET /v1/ipam/healthy DELETE /v1/ipam/ip ?){2}$' "$(requests)"
	sed -n 's/^POST [^{]*//p' "$agent_dir/requests" >"$cni_out"
	told '.podUID == "uid-p1" and .podNamespace == "ml" and .podName == "p1" and .containerID == "p1" and .ifName == "net1"'
	told '.netNamespace == "/run/netns/p1" and .defaultIPv4IPPool == ["rail1*"] and .matchMasterSubnet == true'
	told 'has("defaultIPv6IPPool") and .defaultIPv6IPPool == null and (has("cleanGateway") | not)'
	sed -n 's/^DELETE [^{]*//p' "$agent_dir/requests" | head -n 1 >"$cni_out"
	told 'keys == ["containerID", "ifName", "netNamespace", "podName", "podNamespace", "podUID"]'
}

t_two_interfaces() {
	agent_fresh
	netns_new p1
	cni_add p1 "$(conf "$vf" "$ipam")"
	ifname=net2 cni ADD p1 "$(conf "$vf2" "$ipam")"
	told '[.ips[] | .address] == ["10.7.0.6/16", "fd07::6/64"]'
	netns_delete p1
	ifname=net2 cni DEL p1 "$(conf "$vf2" "$ipam")"
	expect_match '^10\.7\.0\.5$' "$(given)"
	cni DEL p1 "$(conf "$vf" "$ipam")"
	none_given
}

# The agent wants the address to be probed, and the VF of another node has it.
t_conflict() {
	local netdev
	netdev=$(vf_netdev "$vf2")
	agent_fresh
	netns_new p1
	wish conflicts
	cni ADD p1 "$(conf "$vf" "$ipam")"
	cni DEL p1 "$(conf "$vf" "$ipam")"
	wait_until 20 carrier '' "$netdev"
	ip address add 10.7.0.5/16 dev "$netdev"
	cni_error 100 '10\.7\.0\.5' ADD p1 "$(conf "$vf" "$ipam")"
	none_given
	ip address delete 10.7.0.5/16 dev "$netdev"
}

# ---- an agent that does not do it ----

t_refused() {
	agent_fresh
	netns_new p1
	wish 'post 500 plain "all IP addresses used out"'
	cni_error 101 '\[500\] all IP addresses used out' ADD p1 "$(conf "$vf" "\"vlan\":5,$ipam")"
	node_looks_the_same
	wish 'post 422 slow {"code":602,"message":"podUID in body is required"}'
	cni_error 101 '\[422\] podUID in body is required' ADD p1 "$(conf "$vf" "$ipam")"
	node_looks_the_same
	wish 'health 500 plain "not yet"'
	cni_error 11 'not yet' ADD p1 "$(conf "$vf" "$ipam")"
	version=1.1.0 cni_error 50 'not yet' STATUS '' "$(version=1.1.0 conf '' "$ipam")"
	node_looks_the_same
}

# It gave addresses, and nobody could read which.
t_unreadable() {
	local body
	agent_fresh
	netns_new p1
	for body in 'hello' '{"ips":[{"version":4,"address":"10.7.0.5","nic":"net1"}]}' '{"ips":null,"routes":null}' '{"ips":[],"ips":[]}'; do
		wish "post 200 plain $body"
		cni_error '(6|101)' 'agent gave' ADD p1 "$(conf "$vf" "$ipam")"
		none_given
		node_looks_the_same
	done
	wish 'post 0 cut'
	cni_error 11 'POST /ipam/ip' ADD p1 "$(conf "$vf" "\"vlan\":5,$ipam")"
	none_given
	node_looks_the_same
	wish 'post 0 huge'
	cni_error 101 'more than' ADD p1 "$(conf "$vf" "$ipam")"
	none_given
}

t_hangs() {
	agent_fresh
	netns_new p1 p2
	cni_add p2 "$(conf "$vf2" "$ipam")"
	warden_start "$warden_config,\"ipam_timeout\":3"
	wish 'post 0 hang'
	cni_error 11 'POST /ipam/ip' ADD p1 "$(conf "$vf" "\"vlan\":5,$ipam")"
	expect_match '^10\.7\.0\.5$' "$(given)"
	attached p1
	wish 'delete 0 hang'
	cni_error 11 'DELETE /ipam/ip' DEL p2 "$(conf "$vf2" "$ipam")"
	attached p2 home
	wish_nothing
	cni DEL p2 "$(conf "$vf2" "$ipam")"
	none_given
	warden_start "$warden_config"
}

# As Spiderpool's own plugin: what the agent answers to a DELETE does not hold up the end of a pod; its controller collects.
t_delete_refused() {
	agent_fresh
	netns_new p1
	cni_add p1 "$(conf "$vf" "$ipam")"
	wish 'delete 500 plain "the pod lives"'
	cni DEL p1 "$(conf "$vf" "$ipam")"
	attached p1
	expect_match '^10\.7\.0\.5$' "$(given)"
}

t_away() {
	agent_fresh
	netns_new p1 p2
	cni_add p1 "$(conf "$vf" "\"vlan\":5,$ipam")"
	agent_stop
	version=1.1.0 cni_error 50 'unhealthy spiderpool-agent' STATUS '' "$(version=1.1.0 conf '' "$ipam")"
	cni_error 11 'unhealthy spiderpool-agent' ADD p2 "$(conf "$vf2" "$ipam")"
	attached p2
	cni_error 11 'unhealthy spiderpool-agent' DEL p1 "$(conf "$vf" "\"vlan\":5,$ipam")"
	attached p1 home
	cni ADD p2 "$(conf "$vf")" # the VF is free
	cni DEL p2 "$(conf "$vf")"
	agent_start
	version=1.1.0 cni STATUS '' "$(version=1.1.0 conf '' "$ipam")"
	cni DEL p1 "$(conf "$vf" "\"vlan\":5,$ipam")"
	none_given
}

agent_start || exit 1
trap agent_stop EXIT
attach_begin '"mode":"enforce"'
attach_cases "$@" <<-'CASES'
	addresses_come_and_go t_there_and_back
	each_interface_has_its_own t_two_interfaces
	an_address_that_somebody_has t_conflict
	an_agent_that_refuses t_refused
	an_answer_that_cannot_be_read t_unreadable
	an_agent_that_hangs t_hangs
	an_agent_that_does_not_take_back t_delete_refused
	an_agent_that_is_away t_away
CASES
