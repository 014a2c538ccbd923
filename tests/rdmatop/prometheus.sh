#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rdmatop shows a fleet from a real Prometheus, which scrapes pages.py.
. "$(dirname "$0")/lib.sh"

program=$(command -v prometheus || true)
if [ -z "$program" ]; then
	echo 'skip - rdmatop: a fleet from Prometheus # the program prometheus is not installed'
	finish
	exit
fi

# A port that nobody has now.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

nodes=$(free_port) port=$(free_port)
url=http://127.0.0.1:$port
"$here/pages.py" "$nodes" 2>"$work/pages" &
pages=$!
cat >"$work/prometheus.yaml" <<CONFIG
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
- job_name: wardend
  static_configs:
  - targets: ['127.0.0.1:$nodes']
    labels: { __metrics_path__: /worker-1, node: worker-1 }
  - targets: ['127.0.0.1:$nodes']
    labels: { __metrics_path__: /worker-2, node: worker-2 }
CONFIG
"$program" --config.file="$work/prometheus.yaml" --storage.tsdb.path="$work/data" --web.listen-address="127.0.0.1:$port" \
	>"$work/prometheus.log" 2>&1 &

# FILTER: until jq -e is content with a sample.
until_json() {
	local end=$((SECONDS + 60))
	until "$rdmatop" --prometheus "$url" --window 5 -j -n 1 >"$work/out" 2>"$work/err" && jq -e "$1" "$work/out" >/dev/null; do
		if [ "$SECONDS" -ge "$end" ]; then
			cat "$work/err" "$work/out"
			tail -n 5 "$work/prometheus.log"
			return 1
		fi
		sleep 0.5
	done
}

# Each page counts by its own clock: what the device sends is known.
a_fleet() {
	# Prometheus' rates are whole once its window is full.
	until_json '(.nodes | length) == 2 and (.devices | length) == 3 and all(.devices[]; .tx_bits > 7.5e6 and .tx_bits < 8.5e6)'
	jq -e '[.nodes[].node] | sort == ["worker-1", "worker-2"]' "$work/out"
	jq -e 'all(.nodes[]; .mode == "enforce" and .version == "0.8" and .guard == "lsm")' "$work/out"
	jq -e '.devices | map(select(.node == "worker-1" and .device == "mlx5_2"))[0] |
		.pod_namespace == "ml" and .pod == "trainer-0" and .pci == "0000:3b:00.1" and .pf == "ens1f0" and .state == "claimed" and
		.link == "ACTIVE" and .speed_bits == 1e11 and .qps == 4 and .pinned == 1048576 and .marking == "wrong" and
		.violations == 3 and .cnp > 9 and .cnp < 11 and .ecn == null' "$work/out"
	jq -e '.devices | map(select(.device == "mlx5_3"))[0] | .violations == 0 and .marking == "good" and .cnp == null' "$work/out"
	jq -e '.pfs | map(select(.node == "worker-1"))[0] | .pf == "ens1f0" and .priority == 5 and .pause > 90 and .pause < 110' "$work/out"
}

on_the_screen() {
	start 100 30 --prometheus "$url" --window 5 -d 0.5
	shows '^rdmatop  2 nodes' '^- worker-1 \(2\) .* 8.* wrong' '^- worker-2 \(1\)' '^  ml/trainer-0 +3b:00.1 +mlx5_2 '
	keys g g
	shows '^- worker-1 ens1f0 \(2\) +100G'
}

rounded() { jq -S 'walk(if type == "number" then . * 1000 | round else . end)' "$1"; }

same_again() {
	"$rdmatop" --prometheus "$url" --window 5 -j -n 2 -d 1 --record "$work/copy" >"$work/first"
	"$rdmatop" --replay "$work/copy" -j >"$work/second"
	# The recording has rates in 15 digits.
	cmp <(rounded "$work/first") <(rounded "$work/second")
}

# A node that is gone is not forgotten in silence.
a_node_is_down() {
	kill "$pages"
	until_json '.missing | map(test("node worker-1: Prometheus cannot scrape it")) | any'
}

not_prometheus() {
	fails "$rdmatop" --prometheus "http://127.0.0.1:$nodes" -j -n 1 >"$work/out" 2>"$work/err"
	grep 'is no Prometheus' "$work/err"
}

run_case 'a fleet from Prometheus' a_fleet
run_case 'a fleet on the screen' on_the_screen
run_case 'a fleet is recorded' same_again
run_case 'what is no Prometheus' not_prometheus
run_case 'a node that cannot be scraped' a_node_is_down
finish
