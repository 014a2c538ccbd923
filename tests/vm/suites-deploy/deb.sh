#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Debian package on a Debian 12 node whose process 1 is systemd (tests/vm/run --systemd): what the unit takes from wardend it
# does not need, the rule holds through an upgrade, and what was installed is gone in the end. Packages: build/deb (make deb).
#   deb.sh [LINE…]     each a further line of the unit's [Service], to see which case falls
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../attach.sh
. "$LAB_REPO/tests/vm/attach.sh"

# The programs of the package are tested and not those of build/; of these only the raw client of the verbs ABI.
PATH=${PATH#"$LAB_REPO/build:"}
uverbs() { "$LAB_REPO/build/uverbs" "$@"; }
warden_socket=/run/rdma-warden/warden.sock
export RDMA_WARDEN_SOCKET=$warden_socket
cni_plugin=/usr/lib/cni/rdma-warden
config=/etc/rdma-warden/config.json
lines=("$@")
more=/run/systemd/system/wardend.service.d
# Without dataDir: where the plugin itself would keep its addresses, and the unit has to let it.
local_ipam='"ipam":{"type":"host-local","ranges":[[{"subnet":"10.88.0.0/24","gateway":"10.88.0.1"}]]}'
sysctls='"sysctls":{"net.ipv4.conf.IFNAME.rp_filter":"2"}'

# ---- the service ----

is_running() { systemctl is-system-running; }
answers() { [ "$(systemctl show -P ActiveState wardend)" = active ] && ctl status; }
served() { wait_until 60 answers || { journalctl -u wardend --no-pager -n 30; return 1; }; }
pid_of() { systemctl show -P MainPID wardend; }

# JSON: its configuration from now on.
restart_with() {
	printf '%s\n' "$1" >"$config"
	systemctl restart wardend || { journalctl -u wardend --no-pager -n 30; return 1; }
	served
}

# COMMAND [LINE…]: runs it, confined as the unit says and by those lines; what it prints is in $lab_state/confined.
confined() {
	local command=$1
	shift
	{
		sed -e 's/^Type=.*/Type=oneshot/' -e '/^Restart/d' -e '/^ExecStart=/d' -e '/^RuntimeDirectory/d' -e '/^StateDirectory/d' \
			/lib/systemd/system/wardend.service
		printf '[Service]\nStandardOutput=truncate:%s\nStandardError=journal\nExecStart=%s\n' "$lab_state/confined" "$command"
		printf '%s\n' "${lines[@]}" "$@"
	} >/run/systemd/system/confined.service
	rm -f "$lab_state/confined"
	systemctl daemon-reload
	systemctl start confined || { journalctl -u confined --no-pager -n 5; return 1; }
}

# [ARG…] [-- LINE…]
confined_check() {
	local command="/usr/sbin/wardend --check --config $lab_state/full"
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		command+=" $1"
		shift
	done
	[ $# = 0 ] || shift
	confined "$command" "$@"
}

free_check() { wardend --check --config "$lab_state/full" "$@" >"$lab_state/free" 2>/dev/null; }

# What wardend answers, without what hangs on how long it has run.
answers_all() {
	local request
	for request in capabilities devices resources qos; do
		ctl "$request" --json || true # 1 where something is not as it should be, which is told
	done
	ctl verify --all --json || true
}

# ---- cases ----

t_install() {
	dpkg -i "$LAB_REPO/build/deb/rdma-warden_$package.deb"
	served
	[ "$(systemctl is-enabled wardend)" = enabled ]
	ctl status --json | jq -e '.mode == "audit"'
	[ "$(stat -c '%a %U' "$warden_socket")" = '600 root' ]
	curl -fsS http://127.0.0.1:9779/readyz
	[ "$(wardend --version)" = "wardend ${package%_*}" ]
}

# The kernel gives no less to a confined wardend than to a free one; with all that a configuration can ask of it.
t_capabilities() {
	local guard
	for guard in device-cgroup auto; do
		confined_check --guard "$guard"
		free_check --guard "$guard"
		diff "$lab_state/free" "$lab_state/confined"
	done
}

# By what the case before has left. What only pods need has cases below.
t_nothing_too_much() {
	local one
	for one in CapabilityBoundingSet=~CAP_{NET_BROADCAST,SYS_ADMIN} SystemCallFilter=~perf_event_open; do
		! confined_check -- "$one" || ! cmp -s "$lab_state/free" "$lab_state/confined" ||
			{ echo "nothing is missing with $one"; return 1; }
	done
}

t_answers() {
	answers_all | grep -v '"qos.effect' | sort >"$lab_state/confined"
	systemctl stop wardend
	setsid wardend --config "$config" >/dev/null 2>"$lab_state/free.log" </dev/null &
	wait_until 60 ctl status
	answers_all | grep -v '"qos.effect' | sort >"$lab_state/free"
	kill $!
	wait $! || true
	systemctl start wardend
	served
	expect 'they are many' test "$(wc -l <"$lab_state/free")" -gt 100
	diff "$lab_state/free" "$lab_state/confined"
}

restart_enforcing() { restart_with "{$keys}"; }

t_next_boot() { grep -x 'options ib_core netns_mode=0' /etc/modprobe.d/rdma-warden.conf; }

intruder_is_refused() {
	refused uverbs open "$(vf_node "$vf" uverbs)"
}
owner_works() { in_pod p1 "$LAB_REPO/build/uverbs" context "$(vf_node "$vf" uverbs)"; }

t_pod() {
	netns_new p1
	cni_add p1 "$(conf "$vf" "\"vlan\":7,\"mtu\":1400,$sysctls,$local_ipam")"
	expect 'the IPAM plugin ran, and wrote' test -e /var/lib/cni/networks/under/10.88.0.2
	expect 'the sysctl is set' test "$(ip netns exec p1 cat /proc/sys/net/ipv4/conf/net1/rp_filter)" = 2
	cni CHECK p1 "$(conf "$vf" "\"vlan\":7,\"mtu\":1400,$sysctls,$local_ipam,$(prev p1)")"
	intruder_is_refused
	owner_works
	ctl devices --json | jq -es --arg vf "$vf" 'any(.pci == $vf and .netns.name == "p1" and .owner == "ml/p1")'
}

# A neighbour hears of the pod's address: CAP_NET_RAW and AF_PACKET.
t_announced() {
	local listener neighbour
	neighbour=$(basename "$(echo "/sys/bus/pci/devices/${LAB_PFS##* }"/net/*)")
	ip link set "$neighbour" up
	timeout 60 tcpdump -lni "$neighbour" arp >"$lab_state/heard" 2>&1 &
	listener=$!
	wait_until 20 grep -q listening "$lab_state/heard"
	netns_new p6
	cni_add p6 "$(conf "$vf2" "$local_ipam")"
	wait_until 5 grep -qF "$(jq -r '.ips[0].address | sub("/.*"; "")' "$cni_out")" "$lab_state/heard"
	kill "$listener"
	wait "$listener" || true
	cni DEL p6 "$(conf "$vf2" "$local_ipam")"
	netns_delete p6
}

# A process of another user: its netns, by which a device is claimed, and its descriptors, which the node policy looks through for
# VFIO. CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.
t_strangers_process() {
	local pid
	netns_new p2
	ip netns exec p2 setpriv --reuid 1000 --regid 1000 --clear-groups sleep 1000 </dev/null &
	pid=$!
	wait_until 5 grep -qx sleep "/proc/$pid/comm"
	ctl claim --device "$vf2" --pid "$pid" --owner test/p2
	ctl release --device "$vf2" --force
	confined "/bin/ls -l /proc/$pid/fd/0"
	grep -q -- '-> /dev/null' "$lab_state/confined"
	kill "$pid"
	netns_delete p2
}

t_policy() {
	local pf=${LAB_PFS#* } policy
	policy='"node_policy":[{"resourceName":"roce","nicSelector":{"rootDevices":["'$pf'"]},"numVfs":3}]'
	restart_with "{$keys,$policy}"
	ctl policy --apply
	[ "$(cat "/sys/bus/pci/devices/$pf/sriov_numvfs")" = 3 ]
	restart_with "{$keys}"
}

t_netns_ends() {
	netns_new p3
	systemctl restart wardend # whose view of /run/netns begins with p3
	served
	netns_new p4
	netns_delete p3 p4
	wait_until 20 netns_are 1
}
netns_are() { [ "$(ip netns list-id | wc -l)" = "$1" ]; }

t_dies() {
	local before
	before=$(pid_of)
	[ "$before" != 0 ]
	kill -9 "$before"
	intruder_is_refused
	wait_until 60 another_than "$before"
	served
	intruder_is_refused
	owner_works
}
another_than() { [ "$(pid_of)" != "$1" ] && [ "$(pid_of)" != 0 ]; }

t_stopped() {
	systemctl stop wardend
	intruder_is_refused
	owner_works
	systemctl start wardend
	served
}

# A call under way is waited for, and with it its IPAM plugin, which is a process of the service.
t_stop_waits() {
	local slow=$lab_state/slow call ipam=${local_ipam/host-local/slow-ipam}
	local cni_path=$slow
	mkdir -p "$slow"
	printf '#!/bin/sh\nsleep 3\nexec /usr/lib/cni/host-local\n' >"$slow/slow-ipam"
	chmod +x "$slow/slow-ipam"
	netns_new p5
	cni_add p5 "$(conf "$vf2" "$ipam")" &
	call=$!
	wait_until 20 pgrep slow-ipam
	systemctl stop wardend
	wait "$call"
	systemctl start wardend
	served
	attached p5 attached
	cni DEL p5 "$(conf "$vf2" "$ipam")"
	netns_delete p5
}

# The next version: the same package with another number, and with the wardend whose maps have another layout.
make_next() {
	local tree=$lab_state/next
	dpkg-deb -R "$LAB_REPO/build/deb/rdma-warden_$package.deb" "$tree"
	cp "$LAB_REPO/build/other-layout/wardend" "$tree/usr/sbin/wardend"
	sed -i "s/^Version: .*/Version: 99.0/" "$tree/DEBIAN/control"
	sed -i '/sbin\/wardend$/d' "$tree/DEBIAN/md5sums"
	dpkg-deb -Znone --root-owner-group -b "$tree" "$lab_state/next.deb"
}

t_upgrade() {
	local before maps
	make_next
	before=$(pid_of) maps=$(ls -d /sys/fs/bpf/rdma-warden/maps-*)
	intruder_begin "$(vf_node "$vf" uverbs)"
	dpkg -i "$lab_state/next.deb"
	served
	intruder_end
	another_than "$before"
	expect_fail 'its maps are the old ones' test -e "$maps"
	expect 'the configuration stays' test "$(cat "$config")" = "{$keys}"
	owner_works
	intruder_is_refused
}

t_remove() {
	cni DEL p1 "$(conf "$vf" "\"vlan\":7,\"mtu\":1400,$sysctls,$local_ipam")"
	netns_delete p1
	dpkg -r rdma-warden
	expect 'no pin' test -z "$(ls /sys/fs/bpf)"
	expect 'no folder of a run' test ! -e /run/rdma-warden
	expect 'the configuration stays' test -e "$config"
	wait_until 20 uverbs open "$(vf_node "$vf" uverbs)"
}

# What is on the node, without what it writes by itself.
files() {
	find / -xdev -not -path '/var/lib/dpkg/*' -not -path '/var/log/*' -not -path '/var/cache/*' -not -path '/tmp/*' \
		-not -path '/run/*' | sort
	find /run /sys/fs/bpf -mindepth 1 -not -path '/run/lab*' -not -path '/run/systemd/*' -not -path '/run/log*' \
		-not -path '/run/netns*' | sort
}

t_purge() {
	rm -r /var/lib/cni/networks # the IPAM plugin's
	dpkg --purge rdma-warden
	files >"$lab_state/after"
	diff "$lab_state/before" "$lab_state/after"
}

package=$(cd "$LAB_REPO/build/deb" && ls rdma-warden_*.deb) || { echo 'skip - the Debian package # not built: make deb'; exit 0; }
package=${package#rdma-warden_}
package=${package%.deb}
keys='"mode":"enforce","set_exclusive":true,"qos":{"profile":"spiderpool"}'
printf '{%s}\n' "$keys" >"$lab_state/full"
wait_until 120 is_running || systemctl --failed
if [ ${#lines[@]} != 0 ]; then
	mkdir -p "$more"
	printf '%s\n' '[Service]' "${lines[@]}" >"$more/lines.conf"
fi
rdma_mode exclusive
attach_cgroup=/sys/fs/cgroup/kubepods.slice/attach
mkdir -p "$attach_cgroup"
for one in $(vf_list); do vf_hcasim "$one" >/dev/null; done
{ read -r vf && read -r vf2; } < <(vf_list)
files >"$lab_state/before"
run_case 'the package installs, and the service runs in audit mode' t_install
run_case 'confined, wardend finds what it finds without the confinement' t_capabilities
run_case 'the unit leaves nothing open that a start can do without' t_nothing_too_much
run_case 'enforce mode begins with a restart' restart_enforcing
run_case 'the file for the next boot is written' t_next_boot
run_case 'a pod gets its VF: netns, IPAM plugin, sysctls, MTU; an intruder is refused' t_pod
run_case 'a neighbour hears of a pod'"'"'s address' t_announced
run_case 'confined, wardend answers what it answers without the confinement' t_answers
run_case 'a process of another user is asked for its netns' t_strangers_process
run_case 'the node policy makes VFs' t_policy
run_case 'a netns is not held by the service' t_netns_ends
run_case 'the rule outlives the daemon, which comes back' t_dies
run_case 'the rule holds while the service is stopped' t_stopped
run_case 'a stop waits for an ADD under way' t_stop_waits
run_case 'no open comes through during an upgrade' t_upgrade
run_case 'removing the package ends the rule' t_remove
run_case 'purging it leaves no file' t_purge
suite_end
