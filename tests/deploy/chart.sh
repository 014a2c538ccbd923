#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Helm chart, the plain manifests and the samples, by a real Helm, the published schemas, and the daemon's own parser. Needs no root,
# no cluster and no lab; what has to be downloaded and cannot be is a skip with its reason. Prints a case a line.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
cd "$here/../.." || exit 2
export PYTHONDONTWRITEBYTECODE=1 HELM=$PWD/build/helm CHECK=$PWD/build/config-check
chart=deploy/helm/rdma-warden
# shellcheck source=cases.sh
. "$here/cases.sh"

template() { "$HELM" template rdma-warden "$CHART" --namespace rdma-warden "$@"; }

# ---- the archive ----

# In another folder, at another time, by somebody with another umask.
packed_again() {
	mkdir -p "$work/elsewhere/deploy/helm"
	(
		umask 077
		cp -R tools "$work/elsewhere"
		cp -R deploy/prometheus deploy/grafana "$work/elsewhere/deploy"
		cp -R --no-dereference "$chart" "$work/elsewhere/deploy/helm"
		find "$work/elsewhere" -exec touch -h -d 2001-01-01 {} +
		"$work/elsewhere/tools/chart" "$work/again.tgz"
	)
	cmp "$CHART" "$work/again.tgz"
}

other_version() {
	tools/chart "$work/other.tgz" 1.2.3-rc.1
	[ "$("$HELM" show chart "$work/other.tgz" | grep -cxE '(version|appVersion): 1.2.3-rc.1')" = 2 ] &&
		"$HELM" template "$work/other.tgz" | grep 'image: rdma-warden:1.2.3-rc.1$'
}

same_as_folder() {
	local all=deploy/samples/2-values.yaml # with rules and dashboards
	diff <(template --values $all) <("$HELM" template rdma-warden "$chart" --namespace rdma-warden --values $all 2>"$work/links")
}

# Who packs the folder with links in it has no rules and no dashboards, and would see no error.
packed_with_links() {
	tar -C deploy/helm -czf "$work/links.tgz" rdma-warden
	fails_with 'lacks files/rules.yaml' "$HELM" template "$work/links.tgz" --set metrics.prometheusRule.enabled=true &&
		fails_with 'lacks files/dashboards' "$HELM" template "$work/links.tgz" --set metrics.dashboards.enabled=true
}

lint() {
	"$HELM" lint --strict "$CHART" && "$HELM" lint --strict "$CHART" --values deploy/samples/2-values.yaml &&
		"$HELM" lint --strict "$CHART" --set uninstall=true,createNamespace=true
}

manifests_are_fresh() {
	tools/manifests "$HELM" "$work/manifests" && diff -r deploy/manifests "$work/manifests"
}

# ---- what must not be taken ----

# WHAT REGEX OPTION…: template and lint refuse those values, with that cause.
refused() {
	local what=$1 regex=$2
	shift 2
	try "refused: $what" both_refuse "$regex" "$@"
}

both_refuse() {
	local regex=$1
	shift
	fails_with "$regex" template "$@" && fails_with "$regex" "$HELM" lint --strict "$CHART" "$@"
}

refusals() {
	refused 'a mode that there is not' 'mode must be one of .*"audit", "enforce"' --set mode=block
	refused 'a value that there is not' 'Additional property metric is not allowed' --set metric.port=1
	refused 'a key of another name' 'rdmaCNI: Additional property enabled is not allowed' --set rdmaCNI.enabled=true
	refused 'a key that the daemon does not know' 'config: Additional property qoss is not allowed' --set config.qoss.profile=nvidia
	refused 'a key of the configuration that is a value of the chart' 'config: Additional property metrics is not allowed' --set config.metrics=x
	refused 'a path that the mounts fix' 'config: Additional property run_dir is not allowed' --set config.run_dir=/x
	refused 'a number out of range in the configuration' 'config.ipam_timeout: Must be greater than or equal to 1' --set config.ipam_timeout=0
	refused 'a wrong type in the configuration' 'config.packets: Invalid type. Expected: boolean, given: string' --set-string config.packets=true
	refused 'a profile that lacks what nobody can guess' 'config.qos.profile' --set config.qos.profile.dscp=40
	refused 'a rule that cannot kill' 'config.reactions.spoof.source' --set-json 'config={"reactions": {"spoof.source": "kill"}}'
	refused 'a node policy without a number of VFs' 'numVfs is required' --set-json 'config={"node_policy": [{"resourceName": "r", "nicSelector": {"vendor": "15b3"}}]}'
	refused 'an address that is a name' "metrics.address: Does not match format 'ipv4'" --set metrics.address=localhost
	refused 'a port out of range' 'metrics.port: Must be less than or equal to 65535' --set metrics.port=65536
	refused 'a folder that is not absolute' 'cni.binDir: Does not match pattern' --set cni.binDir=opt/cni/bin
	refused 'a name that the plugin does not have' 'cni.names.0 must be one of' --set 'cni.names={bridge}'
	refused 'a pull policy that there is not' 'image.pullPolicy must be one of' --set image.pullPolicy=Sometimes
	# What the templates refuse, helm lint lets pass.
	try 'refused: a ServiceMonitor of a page that only the node reads' fails_with 'metrics.address is 127.0.0.1' \
		template --set metrics.serviceMonitor.enabled=true
	try 'refused: a Kubernetes that is too old' fails_with 'requires kubeVersion' template --kube-version 1.23.0
}

# ---- what has to be downloaded ----

# The modules of chart-requirements.txt, kept where Helm is. The reason is in $lacks when they cannot be had.
lacks=''
python_modules() {
	local kept
	kept=$PWD/build/lab/tools/python-$({ cat "$here/chart-requirements.txt"; python3 -V; } | sha256sum | cut -c 1-16)
	export PYTHONPATH=$kept
	[ ! -d "$kept" ] || return 0
	mkdir -p "${kept%/*}"
	if ! python3 -m venv "$work/venv" >"$work/pip.log" 2>&1 ||
		! timeout 300 "$work/venv/bin/pip" install -q --require-hashes --only-binary :all: --target "$work/python" -r "$here/chart-requirements.txt" >"$work/pip.log" 2>&1; then
		lacks="Python's modules cannot be had: $(grep . "$work/pip.log" | tail -n 1)"
		return 1
	fi
	cp -R "$work/python" "$kept.$$" && mv "$kept.$$" "$kept"
}

# MODULE@VERSION SUM FILE: takes the file out of the module as Go's client brings it, into $work/others. 1, and the reason in $lacks,
# where it cannot be had. A Go that is too old for the module's code brings it all the same, and says so.
go_file() {
	local said zip
	said=$(cd / && PATH=$PATH:/usr/lib/go-1.22/bin GOTOOLCHAIN=local GOFLAGS=-mod=mod timeout 300 go mod download -json "$1" 2>&1)
	zip=$(jq -r '.Zip // ""' <<<"$said" 2>/dev/null)
	if [ -z "$zip" ]; then
		lacks="it cannot be had: $(jq -r '.Error | gsub("\n"; " ")' <<<"$said" 2>/dev/null || echo "${said##*$'\n'}")"
		return 1
	fi
	if [ "$(jq -r .Sum <<<"$said")" != "$2" ]; then
		echo "its sum is $(jq -r .Sum <<<"$said")" >"$work/others"
		return 2
	fi
	python3 -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' "$zip" "$1/$3" >"$work/others"
}

not_it() {
	cat "$work/others"
	false
}

others_schemas() {
	local kind module sum file name what status
	while read -r kind module sum file; do
		name="each $kind fits the schema of ${module##*/}" what=crd:$kind
		[ "$kind" != values ] || name="the values for Spiderpool are some of ${module##*/}" what=values:spiderpool
		status=0
		go_file "$module" "$sum" "$file" || status=$?
		case $status in
		0) try "$name" "$here/chart.py" "$what" "$work/others" ;;
		1) skip "$name" "$lacks" ;;
		*) try "$name" not_it ;;
		esac
	done < <(grep -v '^#' "$here/chart-crds.txt")
}

judged_by_schemas() {
	local name what
	if ! python_modules; then
		skip 'what is rendered, the samples and the values schema' "$lacks"
		return
	fi
	while IFS=$'\t' read -r name what; do
		try "$what" "$here/chart.py" "$name"
	done < <("$here/chart.py")
	others_schemas
}

# ---- all of it ----

make --no-print-directory -s build/helm build/config-check >"$work/make" 2>&1 || { cat "$work/make"; exit 1; }
export CHART=$work/chart.tgz
try 'the chart is packed without Helm' tools/chart "$CHART" || exit 1
try 'the same bytes each time' packed_again
if [ ! -x "$HELM" ]; then
	skip 'the chart, by Helm' "$(cat "$HELM")"
	exit "$failed"
fi
try 'helm lint --strict finds nothing' lint
try 'the archive is what the folder is' same_as_folder
try 'one of another version' other_version
try 'an archive without the rules and dashboards says so' packed_with_links
try 'deploy/manifests is what the chart renders' manifests_are_fresh
refusals
judged_by_schemas
[ "$failed" = 0 ]
