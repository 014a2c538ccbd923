#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From the offline bundle alone: the image comes into a real container runtime, the DaemonSet of the manifest runs there with what its
# manifest gives it, guards pods that the same runtime starts, in audit mode and then in enforce mode, is upgraded under attack,
# downgraded, and taken away. Each capability and each mount of the manifest is taken away once, and what needs it is missed then.
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../attach.sh
. "$LAB_REPO/tests/vm/attach.sh"
runtime_plugins=/opt/cni/bin # as on a node
# shellcheck source=../cri.sh
. "$LAB_REPO/tests/vm/cri.sh"
# shellcheck source=../kube.sh
. "$LAB_REPO/tests/vm/kube.sh"
# shellcheck source=../daemonset.sh
. "$LAB_REPO/tests/vm/daemonset.sh"

bundles=$LAB_REPO/build/bundles
place=$lab_state/bundle
manifest=$lab_state/manifest.yaml
this=$(cut -d ' ' -f 2 <<<"$(wardend --version)")
next=99.0.0 # of the Makefile
agent_dir=$lab_state/agent
plugins=$runtime_plugins
# As on a node: the paths that wardend has by itself.
warden_socket=/run/rdma-warden/warden.sock
unset RDMA_WARDEN_SOCKET
host_ipam='"ipam":{"type":"host-local","ranges":[[{"subnet":"10.88.0.0/24","gateway":"10.88.0.1"}]],"routes":[{"dst":"10.99.0.0/16"}]},"sysctls":{"net.ipv4.conf.IFNAME.rp_filter":"0"}'
agent_ipam='"ipam":{"type":"spiderpool","default_ipv4_ippool":["rail1*"]}'

# ---- the node before ----

unpack() {
	mkdir -p "$place/$1"
	tar -C "$place/$1" --strip-components 1 --zstd -xf "$bundles/rdma-warden-$1-offline.tar.zst"
}

keys='' # more of the configuration
# VERSION MODE [MANIFEST]: as somebody edits the ConfigMap.
edit() { sed "s/\"mode\": \"audit\"/$keys\"mode\": \"$2\"/" "$place/$1/manifests/${3-rdma-warden}.yaml" >"$manifest"; }

# VERSION MODE [OPTION…]: the DaemonSet's pod is replaced by one of that version.
roll() {
	local version=$1 mode=$2
	shift 2
	ds_stop
	edit "$version" "$mode"
	ds_start "$manifest" rdma-warden "$@" || return 1
	ds_wait 60
}

traces() {
	find /opt/cni /etc/cni /run/rdma-warden /var/lib/rdma-warden /sys/fs/bpf /etc/modprobe.d 2>/dev/null || true
	bpftool prog list | sed -n 's/.* name \([a-z_]*\) .*/\1/p' | sort
}

t_install() {
	unpack "$this"
	"$place/$this/install" --containerd --address "$runtime_socket"
	"$place/$this/install" --containerd --address "$runtime_socket"
	roll "$this" audit
	expect_match "wardend +$this, pid" "$(ctl status)"
	expect_match "^rdma-warden $this\$" "$("$plugins/rdma-warden" --version)"
	expect 'the tools are in it' ds_exec /usr/bin/wardenctl status >/dev/null
	ds_exec /usr/bin/rdmatop -b -n 1 | expect_match "${vf#0000:}" -
}

# HANDLER [NODE…]: its container has its own device's node, that of rdma_cm, and those.
attached_pod() {
	local handler=$1
	shift
	sandbox_run p1 "$handler" && container_run p1 "$(vf_node "$vf" uverbs)" /dev/infiniband/rdma_cm "$@"
}

t_audit() {
	attached_pod shared "$(vf_node "$vf2" uverbs)"
	ctl claim --device "$vf" --netns "$(basename "$(sandbox_netns p1)")" --cgroup "$(sandbox_cgroup p1)" --owner ml/p1
	expect_match "ml/p1 +claimed" "$(ctl devices)"
	expect 'audit refuses nothing' uverbs open "$(vf_node "$vf" uverbs)"
	seen_event exclusive.open observed
}

# RULE VERDICT
seen_event() { wait_until 5 event_told "$1" "$2"; }
event_told() { ctl events --json | jq -es --arg rule "$1" --arg verdict "$2" 'any(.[]; .rule == $rule and .verdict == $verdict and .owner == "ml/p1")'; }

t_enforce() {
	roll "$this" enforce
	expect_match "ml/p1 +claimed" "$(ctl devices)"
	refused uverbs open "$(vf_node "$vf" uverbs)"
	seen_event exclusive.open denied
	expect 'its device opens' container_exec p1 /build/uverbs context "$(vf_node "$vf" uverbs)"
	refused container_exec p1 /build/uverbs open "$(vf_node "$vf2" uverbs)"
}

# ---- upgrade and downgrade ----

# CMD…: while a stranger tries to get in.
under_attack() {
	local status=0
	intruder_begin "$(vf_node "$vf" uverbs)"
	"$@" || status=$?
	sleep 1
	intruder_end
	expect 'its device opens' container_exec p1 /build/uverbs context "$(vf_node "$vf" uverbs)"
	return "$status"
}

upgrade() {
	unpack "$next"
	"$place/$next/install" --containerd --address "$runtime_socket"
	roll "$next" enforce
}

t_upgrade() {
	under_attack upgrade
	expect_match "wardend +$next, pid" "$(ctl status)"
	expect_match "ml/p1 +claimed" "$(ctl devices)"
	expect_match "^rdma-warden $next\$" "$("$plugins/rdma-warden" --version)"
}

# Without a word that it is meant, the older one does not replace the later plugin; the pod waits, and the rule goes on.
refused_downgrade() {
	expect_fail 'it goes back' roll "$this" enforce
	expect_match "$next.*$this" "$(ds_log 1.cni)"
}
t_downgrade_refused() {
	under_attack refused_downgrade
	expect_match "^rdma-warden $next\$" "$("$plugins/rdma-warden" --version)"
}

downgrade() {
	ds_stop
	edit "$this" enforce
	allow_downgrade
	ds_start "$manifest" rdma-warden
	ds_wait 60
}
# As the chart's cni.allowDowngrade has it.
allow_downgrade() { sed -i '/^ *- install$/ { p; s/install/--downgrade/ }' "$manifest"; }

t_downgrade() {
	under_attack downgrade
	expect_match "wardend +$this, pid" "$(ctl status)"
	expect_match "ml/p1 +claimed" "$(ctl devices)"
	expect_match "^rdma-warden $this\$" "$("$plugins/rdma-warden" --version)"
}

# ---- what each privilege is for: CHECK, which holds with the whole manifest, and does not without that one ----

# Judges packets, for which it hears of the netdevs of all netns.
profile='"qos": {"profile": "spiderpool"}, '
c_profile() {
	keys=$profile
	roll "$this" enforce
}
c_answers() { ctl status; }
c_journal() { test -e /var/lib/rdma-warden/format; }

# HANDLER CMD…: while there is such a pod.
with_pod() {
	local status=0
	sandbox_run p2 "$1" || { sandbox_remove_cgroup p2; return 1; }
	shift
	"$@" || status=1
	sandbox_end p2
	return "$status"
}
c_attaches() { with_pod vf2 true; }
has_lease() { test -e "/var/lib/cni/networks/under/$(sandbox_ip p2)"; }
c_lease() { with_pod vf2 has_lease; }
c_agent() { with_pod agent true; }

# A neighbour hears of the address.
heard() { grep -qF "$(sandbox_ip p2)" "$lab_state/heard"; }
c_announces() {
	local listener status=0
	timeout 60 tcpdump -lni "$neighbour" arp >"$lab_state/heard" 2>&1 &
	listener=$!
	wait_until 10 grep -q listening "$lab_state/heard"
	with_pod vf2 wait_until 5 heard || status=1
	kill "$listener" 2>/dev/null || true
	wait "$listener" || true
	return "$status"
}

# An event names the cgroup of who broke the rule.
c_names_cgroup() {
	mkdir -p /sys/fs/cgroup/intruder
	(
		echo "$BASHPID" >/sys/fs/cgroup/intruder/cgroup.procs
		exec uverbs open "$(vf_node "$vf" uverbs)"
	) || true
	wait_until 5 cgroup_told
}
cgroup_told() { ctl events --json | jq -es 'any(.[]; .actor.cgroup == "/intruder")'; }

# A claim by hand names one.
c_claims_cgroup() {
	mkdir -p /sys/fs/cgroup/intruder
	ctl claim --device "$vf3" --pid 1 --cgroup /sys/fs/cgroup/intruder --owner test/by-hand && ctl release --device "$vf3"
}

source_is() { [[ $(ctl status) == *"$1"* ]]; }
kubelet_on() {
	[ ! -e "$kube_dir/kubelet.pid" ] || return 0
	kubelet_change .
	cp "$kube_dir/checkpoint" /var/lib/kubelet/device-plugins/kubelet_internal_checkpoint
	kube_begin kubelet "$lab_never" kubelet-standin /var/lib/kubelet/pod-resources/kubelet.sock "$kube_dir/state" plain
}
kubelet_off() {
	kube_end kubelet
	rm -f /var/lib/kubelet/pod-resources/kubelet.sock
}
c_kubelet() {
	kube_needs kubelet-standin
	kubelet_on
	wait_until 15 source_is 'kubelet=ok'
}
# Which is asked where the socket does not answer.
c_checkpoint() {
	kubelet_off
	wait_until 15 source_is 'checkpoint=ok'
}
# What lies there is no folder, as only who looks there can say.
c_devinfo() {
	rm -rf /run/k8s.cni.cncf.io/devinfo/cni
	: >/run/k8s.cni.cncf.io/devinfo/cni
	wait_until 15 source_is 'devinfo=failed'
}
c_next_boot() { source_is 'at the next boot: yes'; }

# Not the administrator, but the distribution says how ib_core starts.
t_distribution() {
	mv /etc/modprobe.d/ib_core.conf /usr/lib/modprobe.d/
	roll "$this" enforce
	c_next_boot
}

# Without $case_what it does not even start, where that is said, or else it does, and the check fails.
privilege_case() {
	[ "$case_what" != NET_BROADCAST ] || keys=$profile
	if [ "$case_check" = c_starts ]; then
		expect_fail "it starts without $case_what" roll "$this" enforce "--without-$case_kind" "$case_what"
		return
	fi
	roll "$this" enforce "--without-$case_kind" "$case_what"
	expect_fail "$case_check holds without $case_what" "$case_check"
}

# What holds with the whole manifest, so that what is missed without a part of it is missed for that.
whole_case() { "$case_check"; }
whole() {
	for case_check; do run_case "with the whole manifest $case_check holds" whole_case; done
}

# ---- a healthy node ----

t_verified() {
	attached_pod vf
	roll "$this" enforce
	wait_until 15 verified || { ctl verify; return 1; }
}
verified() { [[ $(ctl verify) == *'verdict: pass'* ]]; }

# ---- uninstall ----

cleared() { [[ $(ds_log "$(ds_main)") == *'unloaded: the rule has ended'* ]]; }

clear_node() {
	edit "$this" enforce uninstall
	ds_start "$manifest" rdma-warden
}
drains() { [[ $(ds_log 0.drain) == *': ready: mode enforce'* ]]; }

# What the runtime could not take back while something was missing, as the kubelet ends it later.
end_failed() {
	local id
	for id in $(sandbox_ids 'filter { state { state: SANDBOX_NOTREADY } }'); do sandbox_end_id "$id"; done
	expect 'nothing but the pod is attached' test "$(ctl attachments --json | wc -l)" = 1
}

# The pod goes on, guarded, and can end; nothing new begins. A pod of others keeps what it has.
t_uninstall() {
	local clearing
	mv /usr/lib/modprobe.d/ib_core.conf /etc/modprobe.d/
	roll "$this" enforce
	end_failed
	ip netns add others
	ip link set "$(vf_netdev "$vf3")" netns others
	rdma dev set "$(vf_rdma "$vf3")" netns others
	ds_stop
	cri_answer=$cri_answer.clearing clear_node &
	clearing=$!
	wait_until 60 drains
	refused uverbs open "$(vf_node "$vf" uverbs)"
	expect 'its device opens' container_exec p1 /build/uverbs context "$(vf_node "$vf" uverbs)"
	expect_fail 'another pod begins' sandbox_run p2 vf2
	expect_match 'attaches nothing more' "$(<"$cri_answer")"
	version=1.1.0 cni_plugin=$plugins/rdma-warden cni_error 50 'attaches nothing more' STATUS '' "$(version=1.1.0 conf '')"
	sandbox_remove_cgroup p2
	sandbox_end p1 # with more than one DEL, as the kubelet does it
	wait "$clearing"
	wait_until 30 cleared
	expect_match "$vf3" "$(ip netns exec others ls -l /sys/class/infiniband)"
	expect 'nobody is kept out' uverbs open "$(vf_node "$vf" uverbs)"
	ds_stop
	ip netns delete others
	expect_match '^$' "$(diff "$lab_state/before" <(traces))"
}

# Lines of KIND WHAT CHECK.
run_privileges() {
	while read -r case_kind case_what case_check; do
		run_case "without the $case_kind $case_what, $case_check is missed" privilege_case
	done
}

privileges() {
	cat <<-'PRIVILEGES'
		capability NET_ADMIN c_attaches
		capability NET_RAW c_announces
		capability NET_BROADCAST c_starts
		capability SYS_ADMIN c_starts
		capability SYS_PTRACE c_starts
		capability DAC_READ_SEARCH c_names_cgroup
		mount /etc/rdma-warden c_starts
		mount /sys c_starts
		mount /sys/fs/cgroup c_claims_cgroup
		mount /run/netns c_attaches
		mount /run/rdma-warden c_starts
		mount /var/lib/rdma-warden c_starts
		mount /host/opt/cni/bin c_starts
		mount /opt/cni/bin c_attaches
		mount /var/lib/cni c_lease
		mount /run/spidernet c_agent
		mount /var/lib/kubelet/pod-resources c_kubelet
		mount /var/lib/kubelet/device-plugins c_checkpoint
		mount /run/k8s.cni.cncf.io c_devinfo
		mount /etc/modprobe.d c_next_boot
	PRIVILEGES
}

# What they show of the node: the sources that wardend asks have something to tell.
node_before() {
	mkdir -p "$plugins" /run/spidernet /var/lib/kubelet/{pod-resources,device-plugins} /run/k8s.cni.cncf.io/devinfo/cni "$agent_dir"
	cp -L /usr/lib/cni/{loopback,host-local} "$plugins"
	echo 'options ib_core netns_mode=0' >/etc/modprobe.d/ib_core.conf
	setsid spiderpool-agent /run/spidernet/spiderpool.sock "$agent_dir" >"$agent_dir/log" 2>&1 </dev/null &
	disown
}

# In shared mode the kernel itself keeps nobody out, so that who is refused is refused by the warden.
rdma_mode shared
for vf in $(vf_list); do vf_hcasim "$vf" >/dev/null; done
{ read -r vf && read -r vf2 && read -r vf3; } < <(vf_list)
neighbour=$(basename "$(echo "/sys/bus/pci/devices/${LAB_PFS##* }"/net/*)")
ip link set "$neighbour" up
node_before
network shared "$vf" "\"rdma\":false,$host_ipam"
network vf "$vf" "$host_ipam"
network vf2 "$vf2" "$host_ipam"
network agent "$vf2" "$agent_ipam"
runtime_start || exit 1
traces >"$lab_state/before"
run_case 'from the bundle alone: image, plugin and daemon' t_install
run_case 'audit: an intruder is reported, and let in' t_audit
run_case 'enforce: he is refused, and the pod is not' t_enforce
run_case 'an upgrade under attack lets nobody in' t_upgrade
run_case 'a downgrade that nobody asked for is refused, and the rule goes on' t_downgrade_refused
run_case 'a downgrade under attack lets nobody in' t_downgrade
sandbox_end p1 >/dev/null
rdma_mode exclusive
run_case 'in exclusive mode verify passes, from the node to the pod' t_verified
whole c_answers c_journal c_attaches c_lease c_agent c_announces c_names_cgroup c_claims_cgroup c_kubelet c_checkpoint c_devinfo c_next_boot c_profile
run_privileges < <(privileges)
run_case 'the distribution is asked for the next boot, too' t_distribution
run_privileges <<<'mount /usr/lib/modprobe.d c_next_boot'
run_case 'an uninstall waits for the pods that need the plugin, and leaves nothing behind' t_uninstall
runtime_stop
suite_end
