#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The dashboards and the alert rules at a real Prometheus that scrapes wardend: a node with pods, traffic, attachments and violations.
# A panel whose query is an error or has no data fails, unless dashboards.empty names it with the reason.
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../traffic.sh
. "$LAB_REPO/tests/vm/traffic.sh"
# shellcheck source=../attach.sh
. "$LAB_REPO/tests/vm/attach.sh"

metrics=127.0.0.1:9779
url=http://127.0.0.1:9090
folder=$lab_state/prometheus

prometheus_start() {
	mkdir -p "$folder"
	cat >"$folder/config.yml" <<-CONFIG
		global: {scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 2s}
		rule_files: [$LAB_REPO/deploy/prometheus/rules.yaml]
		scrape_configs:
		  - {job_name: rdma-warden, static_configs: [{targets: ["$metrics"], labels: {instance: lab}}]}
	CONFIG
	setsid prometheus --config.file="$folder/config.yml" --storage.tsdb.path="$folder/data" \
		--web.listen-address="${url#http://}" >"$folder/log" 2>&1 </dev/null &
	echo $! >"$folder/pid"
	disown
	wait_until 120 curl -sf "$url/-/ready" || { tail "$folder/log"; return 1; }
}

# QUERY: has an answer.
answers() { curl -sf --get "$url/api/v1/query" --data-urlencode "query=$1" | jq -e '.data.result | length > 0'; }

# What the dashboards are about, once before the first scrapes that count and once between them.
happens() {
	local pod=p$1 counter
	with_clock hosts_write_bw 160 "$2"
	refused pod_exec stranger uverbs open "$(pod_uverbs owner)"
	netns_new "$pod"
	cni_add "$pod" "$(conf "$vf" "$local_ipam")"
	cni DEL "$pod" "$(conf "$vf" "$local_ipam")"
	netns_delete "$pod"
	for counter in "$hcasim_counters"/*; do echo $(($(<"$counter") + 7)) >"$counter"; done
	for counter in /sys/kernel/debug/dcbsim/counters/*; do echo $(($(<"$counter") + 7)) >"$counter"; done
}

t_seen() {
	prometheus_start
	happens 1 160
	wait_until 60 answers 'rdma_warden_violations_total > 0'
	happens 2 104
	happens 3 160
	wait_until 60 answers 'increase(rdma_warden_attach_duration_seconds_count{command="DEL"}[1m]) > 0'
	wait_until 60 answers 'sum(increase(rdma_warden_roce_packets_total[1m])) > 0'
}

t_rules() {
	local states
	wait_until 60 rules_are_well
	states=$(curl -sf "$url/api/v1/alerts" | jq -r '.data.alerts[].labels.alertname' | sort -u)
	expect_match 'RdmaWarden[A-Za-z]*' "$states"
	printf '%s\n' "$states"
}
rules_are_well() { curl -sf "$url/api/v1/rules" | jq -e '[.data.groups[].rules[]] | length > 0 and all(.health == "ok")'; }

# Each panel is a case of its own.
panels() {
	local word
	python3 "$LAB_REPO/tests/see/panels.py" "$url" "$LAB_REPO/deploy/grafana" --may-be-empty "$LAB_REPO/tests/vm/suites-see/dashboards.empty" >"$folder/panels" 2>&1
	while read -r line; do
		word=${line%% - *}
		case $word in
		ok | 'not ok' | skip) say_case "$word" "${line#* - }" ;;
		*) printf '    %s\n' "$line" ;;
		esac
	done <"$folder/panels"
}

begin() {
	insmod "$LAB_MODULES/dcbsim.ko"
	ip link set dcbsim0 up
	rdma link add rxe_port type rxe netdev dcbsim0
	warden_start '"mode":"enforce","qos":{"profile":"spiderpool","netdevs":["dcbsim0"]},"metrics":"127.0.0.1:9779"'
	make_hosts_pods
	pod_create owner --vf next --rdma hcasim
	pod_create stranger
	claim owner
	vf=$(free_vf)
	vf_hcasim "$vf"
	hcasim_counters=/sys/kernel/debug/hcasim/$(pod_vf owner)/counters
	attach_cgroup=/sys/fs/cgroup/kubepods.slice/attach
	wait_until 5 curl -sf "http://$metrics/readyz"
}

rdma_mode exclusive
begin >"$lab_state/begun" 2>&1
run_case 'a Prometheus sees what happens on the node' t_seen
run_case 'each alert rule is evaluated, and some alerts are raised' t_rules
panels
kill "$(<"$folder/pid")"
rdma link delete rxe_port
rmmod dcbsim
warden_unload
rdma link delete "$rxe_a"
rdma link delete "$rxe_b"
delete_pods_except ''
suite_end
