#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Who looks at the cluster and not at the node is told, too: violations are Kubernetes Events on the pod and on the node, and alerts at
# a real Alertmanager. A flood of them is few writes, and a server that is away, or refuses, misses nothing in silence.
#   notify.sh [FUNCTION…]
set -uo pipefail
# shellcheck source=../lib.sh
. "$LAB_REPO/tests/vm/lib.sh"
# shellcheck source=../warden.sh
. "$LAB_REPO/tests/vm/warden.sh"
# shellcheck source=../kube.sh
. "$LAB_REPO/tests/vm/kube.sh"
# shellcheck source=../track.sh
. "$LAB_REPO/tests/vm/track.sh"

alerts_url=http://127.0.0.1:9093
events_dir=$kube_dir/api/events
writes=$kube_dir/api/writes
interval=10 # seconds between two writes of one Event

# ---- the Alertmanager ----

alertmanager_start() {
	local config=$kube_dir/alertmanager.yml
	echo '{"route":{"receiver":"none"},"receivers":[{"name":"none"}]}' >"$config"
	setsid prometheus-alertmanager --config.file="$config" --storage.path="$kube_dir/alertmanager" --cluster.listen-address= \
		--web.listen-address="${alerts_url#http://}" >"$kube_dir/alertmanager.log" 2>&1 </dev/null &
	echo $! >"$kube_dir/alertmanager.pid"
	disown
	wait_until 120 curl -sf "$alerts_url/-/ready" || { tail "$kube_dir/alertmanager.log"; return 1; }
}

alertmanager_stop() { kube_end alertmanager; }

# FILTER [ARG…]: an active alert has it.
alert_is() {
	local filter=$1
	shift
	curl -sf "$alerts_url/api/v2/alerts" | jq -e "$@" "any(.[]; $filter)"
}
no_alert_is() { ! alert_is "$@"; }

# POD: of its refused open.
# shellcheck disable=SC2016 # jq's own
alert_of() {
	alert_is '.labels.alertname == "RdmaWardenExclusiveOpen" and .labels.pod == $pod and .labels.namespace == "ml" and
		.labels.owner == $owner and .labels.pci == $pci and .labels.node == "lab" and .labels.verdict == "denied"' \
		--arg pod "$(kube_get "$1" name)" --arg owner "ml/$(kube_get a name)" --arg pci "$vf"
}

# ---- Events at the API's stand-in ----

# NAMESPACE.NAME FILTER [ARG…]: an Event on what is called so has it.
kube_event() {
	local begin=$1 filter=$2
	shift 2
	cat "$events_dir/$begin".*.json | jq -se "$@" "any(.[]; $filter)"
}

# POD: the Event of its refused open.
# shellcheck disable=SC2016 # jq's own
event_on_pod() {
	kube_event "ml.$(kube_get "$1" name)" '.reason == "ExclusiveOpen" and .action == "Deny" and .type == "Warning" and
		.regarding == {apiVersion: "v1", kind: "Pod", namespace: "ml", name: $name, uid: $uid} and
		.related.uid == $owner and .reportingController == "rdma-warden" and .reportingInstance == "lab"' \
		--arg name "$(kube_get "$1" name)" --arg uid "$(kube_get "$1" uid)" --arg owner "$(kube_get a uid)"
}

# How many Events there are on the pod, and how often what they tell of has happened.
events_on() { cat "$events_dir/ml.$(kube_get "$1" name)".*.json | jq -s length; }
times_on() { cat "$events_dir/ml.$(kube_get "$1" name)".*.json | jq -s 'map(.series.count // 1) | add'; }
has_times() { [ "$(times_on "$1")" = "$2" ]; }
writes_on() { grep -c " ml/$(kube_get "$1" name)\." "$writes"; }

# NAME STATE: what `status` says of a server.
notify_is() { status_has "\"name\":\"$1\",\"state\":\"$2\""; }
nothing_dropped() { expect 'nothing was dropped' status_has '"notify":\[\{[^]]*"dropped":0[^]]*"dropped":0'; }

# ---- cases ----

# NAME: a pod with a VF, and one that reaches for it.
two_pods() {
	kube_pod a --name "owner-$1"
	kube_pod b --name "thief-$1"
	api_pod a
	api_pod b
	kubelet_grant a main "$kube_resource" "$vf"
	kube_move a "$vf"
	wait_until 20 claimed_for "$vf" a kubelet
	node=$(vf_node "$vf" uverbs)
}

reach() {
	refused kube_exec b uverbs open "$node"
	event rule=exclusive.open verdict=denied "pci=$vf" "pod=ml/$(kube_get b name)" >/dev/null
}

t_refused() {
	two_pods one
	reach
	wait_until 20 event_on_pod b || { cat "$writes" "$events_dir"/*; return 1; }
	wait_until 20 kube_event default.lab '.reason == "ExclusiveOpen" and .regarding.kind == "Node" and .regarding.uid == "lab"'
	wait_until 20 alert_of b || { curl -s "$alerts_url/api/v2/alerts"; return 1; }
	wait_until 20 notify_is kubernetes-events ok
	wait_until 20 notify_is "$alerts_url" ok
	nothing_dropped
	grep -q '^notify  *kubernetes-events ok: ' <<<"$(ctl status)"
	expect_fail 'the API server had to refuse one' grep -vE '^(POST 201|PATCH 200) ' "$writes"
}

# Four processes; wardend counts what the programs have merged.
t_thousand() {
	local begin=$SECONDS
	two_pods many
	for _ in 1 2 3 4; do kube_exec b attack flood "$node" 250; done
	wait_until 60 has_times b 1000 || { cat "$events_dir"/*; return 1; }
	expect 'one Event' test "$(events_on b)" = 1
	printf '    1,000 refused opens: %s writes of their Event; wardend has %s KiB\n' "$(writes_on b)" \
		"$(sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$(<"$warden_dir/pid")/status")" >>"$kube_dir/figures"
	expect 'few writes' test "$(writes_on b)" -le $(((SECONDS - begin) / interval + 2))
	wait_until 60 alert_of b
	expect 'one alert' test "$(curl -sf "$alerts_url/api/v2/alerts" |
		jq --arg pod "$(kube_get b name)" 'map(select(.labels.pod == $pod)) | length')" = 1
}

# A pod whose name nobody has told is told of on the node, and in no namespace of its own.
t_nameless() {
	two_pods nameless
	kube_pod c --name thief-unnamed
	refused kube_exec c uverbs open "$node"
	event rule=exclusive.open verdict=denied "pci=$vf" "pod=pod-uid/$(kube_get c uid)" >/dev/null
	# shellcheck disable=SC2016 # jq's own
	wait_until 20 kube_event default.lab '.note | contains($uid)' --arg uid "$(kube_get c uid)"
	wait_until 20 status_has '"name":"kubernetes-events"[^}]*"waiting":0'
	expect_fail 'no namespace is called so' grep -q ' pod-uid/' "$writes"
	nothing_dropped
}

t_state() {
	kube_pod a --name stray
	api_pod a
	kube_move a "$vf"
	wait_until 40 alert_is '.labels.alertname == "RdmaWardenTrackStray"'
	# The pod is named where the API has told its name.
	wait_until 20 kube_event default.lab '.reason == "TrackStray" and .type == "Warning"'
	kubelet_grant a main "$kube_resource" "$vf"
	wait_until 40 no_alert_is '.labels.alertname == "RdmaWardenTrackStray"'
	wait_until 20 kube_event default.lab '.reason == "TrackStrayEnded" and .type == "Normal"'
}

t_api_away() {
	two_pods away
	api_say cut
	reach
	wait_until 20 notify_is kubernetes-events failed
	expect 'it waits' status_has '"name":"kubernetes-events"[^}]*"waiting":[1-9]'
	expect_fail 'nothing was written' event_on_pod b
	wait_until 20 alert_of b # who is not away
	api_say serve
	wait_until 60 event_on_pod b
	wait_until 20 notify_is kubernetes-events ok
	nothing_dropped
}

t_alertmanager_away() {
	two_pods late
	alertmanager_stop
	reach
	wait_until 40 notify_is "$alerts_url" failed
	wait_until 20 event_on_pod b
	alertmanager_start
	wait_until 90 alert_of b
	wait_until 20 notify_is "$alerts_url" ok
	nothing_dropped
}

t_forbidden() {
	two_pods forbidden
	api_say forbid
	reach
	wait_until 20 last_event '"rule":"warden.fault"' 'allow verb \"create\" on resource \"events\" of API group \"events.k8s.io\"'
	wait_until 40 grep -q '^POST 403' "$writes"
	kube_exec b attack flood "$node" 100
	expect 'it was said once' test "$(grep -c 'allow verb' "$warden_events")" = 1
	api_say serve
	wait_until 60 event_on_pod b
	wait_until 60 has_times b 101
	nothing_dropped
}

# ---- the suite ----

rdma_mode exclusive
for vf in $(vf_list); do vf_hcasim "$vf" >/dev/null; done
vf=$(vf_list | head -n 1)
( kube_needs kubelet-standin && kube_needs kube-api-standin ) || { echo "skip - all # $(cat "$lab_state/skip")"; exit; }
kubelet_start || exit 1
api_start || exit 1
alertmanager_start || exit 1
track_warden "$(kube_keys),\"notify\":{\"alertmanager\":[\"$alerts_url\"]}" || exit 1
track_cases "$@" <<-'CASES'
	a_refused_open_is_an_Event_and_an_alert t_refused
	a_thousand_refused_opens_are_one_Event_in_few_writes t_thousand
	a_pod_without_a_name_is_told_of_on_the_node t_nameless
	what_begins_and_ends_is_an_alert_that_does t_state
	the_API_server_is_away,_and_back t_api_away
	the_Alertmanager_is_away,_and_back t_alertmanager_away
	the_right_to_write_Events_is_missing t_forbidden
CASES
cat "$kube_dir/figures"
alertmanager_stop
kubelet_stop
api_stop
warden_unload
suite_end
