#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What an operator is given in deploy/: that Prometheus takes it, that its parts agree with each other, and that a real Prometheus that
# scrapes a page with all families answers each panel of the dashboards. Needs no root and no lab. Prints a case a line.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
deploy=$here/../../deploy
export PYTHONDONTWRITEBYTECODE=1
# shellcheck source=../deploy/cases.sh
. "$here/../deploy/cases.sh"
pids=()

# shellcheck disable=SC2317 # by cases.sh at the end
end_servers() {
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null
	wait
}
finish_hooks+=(end_servers)

# Waits up to a minute until CMD succeeds.
wait_for() {
	local i
	for ((i = 0; i < 600; i++)); do
		if "$@" >"$work/waited" 2>&1; then return; fi
		sleep 0.1
	done
	echo "waited in vain for: $*; its last words:"
	cat "$work/waited" "$work"/*.log
	return 1
}

# ---- a real server ----

# A port of 127.0.0.1 that is free now.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

start_page() {
	"$here/page.py" "$work/page.port" >"$work/page.log" 2>&1 &
	pids+=($!)
	wait_for test -s "$work/page.port"
	page=127.0.0.1:$(cat "$work/page.port")
}

# The page is two nodes, so that what a dashboard does with several is seen.
start_prometheus() {
	cat >"$work/prometheus.yml" <<-CONFIG
		global: {scrape_interval: 1s, evaluation_interval: 1s}
		rule_files: [$deploy/prometheus/rules.yaml]
		scrape_configs:
		  - job_name: rdma-warden
		    static_configs:
		      - {targets: ["$page"], labels: {instance: node-a}}
		      - {targets: ["$page"], labels: {instance: node-b.example}}
	CONFIG
	url=http://127.0.0.1:$(free_port)
	prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/data" \
		--web.listen-address="${url#http://}" >"$work/prometheus.log" 2>&1 &
	pids+=($!)
	wait_for ready
}

# Both nodes have been scraped twice, and what is recorded of that, too: there are rates of all of it.
ready() {
	local of metric
	for metric in 'process_cpu_seconds_total' 'rule:rdma_warden_violations_refused:sum' 'command:rdma_warden_attach_duration_seconds:p99_10m'; do
		of="count(count by (instance) (increase(${metric}[5m]))) == 2"
		curl -fsS --get "$url/api/v1/query" --data-urlencode "query=$of" | jq -e '.data.result | length > 0' || return
	done
}

# Neither a rule that errs (two series that match one, a label that is twice) nor one that was not evaluated.
rules_are_well() {
	curl -fsS "$url/api/v1/rules" >"$work/rules.json"
	jq -r '.data.groups[].rules[] | select(.health != "ok") | "\(.name): \(.health) \(.lastError)"' "$work/rules.json"
	jq -e '[.data.groups[].rules[]] | length > 0 and all(.health == "ok")' "$work/rules.json"
}

# ---- panels.py itself: a bad dashboard is never taken for a good one ----

# WHAT JQ-PROGRAM REGEX [OPTION…]: the fleet's dashboard, changed so, fails with that in its output.
refused() {
	local what=$1 program=$2 regex=$3
	shift 3
	rm -rf "$work/changed"
	mkdir "$work/changed"
	jq "$program" "$deploy/grafana/fleet.json" >"$work/changed/fleet.json"
	try "panels.py: $what" fails_with "$regex" "$here/panels.py" "$url" "$work/changed" "$@"
}

fails_with() {
	local regex=$1 said
	shift
	if said=$("$@" 2>&1); then
		echo "it succeeded: $said"
		return 1
	fi
	grep -qE -- "$regex" <<<"$said" || { printf '%s\n' "wanted: $regex; said:" "$said"; return 1; }
}

# LINE…: the list of what may be empty.
may_be_empty() {
	printf '%s\n' "$@" >"$work/may-be-empty"
	printf '%s\n' "$work/may-be-empty"
}

panels_refuse() {
	local nothing='(.panels[] | select(.title == "Nodes")).targets[0].expr = "rdma_warden_nothing"' list
	refused 'a query that is an error' '(.panels[] | select(.title == "Nodes")).targets[0].expr = "sum("' '^not ok - rdma-warden-fleet / Nodes: 400: .*parse error'
	refused 'no data' "$nothing" '^not ok - rdma-warden-fleet / Nodes: no data: rdma_warden_nothing$'
	refused 'an answer that is no number' '(.panels[] | select(.title == "Nodes")).targets[0].expr = "rdma_warden_pods / 0 * 0"' '/ Nodes: no data'
	refused 'no data of one query among several' '(.panels[] | select(.title == "Congestion by node")).targets[1].expr = "rdma_warden_nothing"' \
		'^not ok - rdma-warden-fleet / Congestion by node: no data'
	refused 'a panel without a query' '(.panels[] | select(.title == "Nodes")).targets = []' '/ Nodes: no query$'
	# shellcheck disable=SC2016 # Grafana's variable
	refused 'a variable that is not there' '(.panels[] | select(.title == "Nodes")).targets[0].expr = "up{instance=\"$node\"}"' '/ Nodes: \$node is no variable'
	refused 'a variable without a value' '.templating.list += [{type: "query", name: "node", query: {query: "label_values(rdma_warden_nothing, instance)"}}]' \
		'^not ok - rdma-warden-fleet: variable node: .* has no value$'
	list=$(may_be_empty 'rdma-warden-fleet / Nodes # there are none')
	refused 'not empty, though it may be' . 'Nodes: has data, and is named' --may-be-empty "$list"
	list=$(may_be_empty 'rdma-warden-fleet / Edges # there are none')
	refused 'a panel that may be empty and does not exist' . 'there is no panel rdma-warden-fleet / Edges' --may-be-empty "$list"
	list=$(may_be_empty 'rdma-warden-fleet / Nodes')
	refused 'one that may be empty for no reason' "$nothing" 'not UID / TITLE # REASON' --may-be-empty "$list"
	list=$(may_be_empty '# where nobody is' '' 'rdma-warden-fleet / Nodes # there are none')
	try 'panels.py: one that may be empty, and is, is a skip with its reason' skips_nodes "$nothing" "$list"
}

skips_nodes() {
	jq "$1" "$deploy/grafana/fleet.json" >"$work/changed/fleet.json"
	"$here/panels.py" "$url" "$work/changed" --may-be-empty "$2" >"$work/skipped" || { cat "$work/skipped"; return 1; }
	grep -q '^skip - rdma-warden-fleet / Nodes # there are none$' "$work/skipped"
}

# ---- all of it ----

agreement() {
	local name what
	while IFS=$'\t' read -r name what; do
		try "deploy: $what" "$here/deploy.py" "$name"
	done < <("$here/deploy.py")
}

live() {
	start_page
	try 'the stand-in of wardend'"'"'s page is one as Prometheus wants it' bash -c "curl -fsS http://$page/metrics | promtool check metrics"
	try 'a real Prometheus scrapes it' start_prometheus || return
	try 'a real Prometheus evaluates each rule without an error' rules_are_well
	"$here/panels.py" "$url" "$deploy/grafana" || failed=1
	panels_refuse
}

page='' url=''
try 'rules.yaml: Prometheus takes it' promtool check rules "$deploy/prometheus/rules.yaml"
try 'rules_test.yaml: each alert fires when it should, and then only' promtool test rules "$deploy/prometheus/rules_test.yaml"
agreement
live
[ "$failed" = 0 ]
