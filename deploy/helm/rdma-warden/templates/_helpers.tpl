{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{- define "warden.name" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "warden.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "warden.labels" -}}
{{ include "warden.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "warden.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "warden.name" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "warden.image" -}}
{{- .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion -}}
{{- end -}}

{{/* What wardend listens at, with an IPv6 address in brackets. */}}
{{- define "warden.metrics" -}}
{{- $address := .Values.metrics.address -}}
{{- if contains ":" $address }}[{{ $address }}]{{ else }}{{ $address }}{{ end }}:{{ .Values.metrics.port }}
{{- end -}}

{{/* Where the kubelet, which is in the same network, finds that. */}}
{{- define "warden.probed" -}}
{{- $address := .Values.metrics.address -}}
{{- if eq $address "0.0.0.0" }}127.0.0.1{{ else if eq $address "::" }}::1{{ else }}{{ $address }}{{ end }}
{{- end -}}

{{/* config.json */}}
{{- define "warden.config" -}}
{{- $own := dict "mode" .Values.mode "metrics" (include "warden.metrics" .) -}}
{{- merge $own (deepCopy .Values.config) | toPrettyJson -}}
{{- end -}}

{{/* "true" where wardend asks the API server, and where it writes Events there. */}}
{{- define "warden.asks" -}}
{{- ne (dig "kubernetes" "api" "auto" .Values.config) "off" -}}
{{- end -}}
{{- define "warden.tells" -}}
{{- and (eq (include "warden.asks" .) "true") (dig "notify" "kubernetes_events" true .Values.config) -}}
{{- end -}}

{{/* A list of the plugin's names, as arguments. */}}
{{- define "warden.as" -}}
{{- range . }}
- --as
- {{ . | quote }}
{{- end }}
{{- end -}}

{{/* What both containers of the plugin have: they write into one folder, as root, and nothing else. */}}
{{- define "warden.cni" -}}
securityContext:
  runAsUser: 0
  privileged: false
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  seccompProfile:
    type: RuntimeDefault
  # The folder is the node's.
  seLinuxOptions:
    type: spc_t
  capabilities:
    drop: [ALL]
resources:
  requests:
    cpu: 10m
    memory: 16Mi
volumeMounts:
  - name: cni-bin
    mountPath: /host/opt/cni/bin
{{- end -}}

{{- /* What a container has that runs wardend: each capability and each mount with its reason, which is with the volumes for these. */ -}}
{{- define "warden.daemon" -}}
env:
  # Only its own node's pods are asked for, and Events name it.
  - name: NODE_NAME
    valueFrom:
      fieldRef:
        fieldPath: spec.nodeName
securityContext:
  runAsUser: 0
  privileged: false
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  {{- if semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version }}
  # AppArmor's profile of the runtimes forbids to write below /sys, where pins and SR-IOV's switches are.
  appArmorProfile:
    type: Unconfined
  {{- end }}
  # The runtimes' own profile allows the calls that the capabilities below are for.
  seccompProfile:
    type: RuntimeDefault
  # What SELinux calls a container that manages its node; nothing where there is no SELinux.
  seLinuxOptions:
    type: spc_t
  capabilities:
    drop: [ALL]
    add:
      - NET_ADMIN # moves netdevs and RDMA devices, sets VFs up; attaches to netdevs; DCB; exclusive mode
      - NET_RAW # announces a pod's addresses, and finds them in use (ARP, neighbour discovery)
      - NET_BROADCAST # hears of the netdevs of all network namespaces, of which it judges packets
      - SYS_ADMIN # loads and attaches programs; enters pods' network namespaces and the host's cgroup namespace
      - SYS_PTRACE # looks into other processes' namespaces, roots and descriptors below /proc
      - DAC_READ_SEARCH # finds a cgroup by its ID, for its name in events
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: config
    mountPath: /etc/rdma-warden
    readOnly: true
  - name: sys
    mountPath: /sys
    mountPropagation: HostToContainer
  - name: cgroup
    mountPath: /sys/fs/cgroup
    mountPropagation: HostToContainer
    readOnly: true
  - name: run
    mountPath: /run/rdma-warden
  - name: state
    mountPath: /var/lib/rdma-warden
  - name: netns
    mountPath: /run/netns
    mountPropagation: HostToContainer
    readOnly: true
  - name: pod-resources
    mountPath: /var/lib/kubelet/pod-resources
    readOnly: true
  - name: device-plugins
    mountPath: /var/lib/kubelet/device-plugins
    readOnly: true
  - name: devinfo
    mountPath: /run/k8s.cni.cncf.io
    readOnly: true
  - name: spidernet
    mountPath: /run/spidernet
    readOnly: true
  - name: cni-bin
    mountPath: {{ .Values.cni.binDir }}
    readOnly: true
  - name: cni-state
    mountPath: /var/lib/cni
  - name: modprobe
    mountPath: /etc/modprobe.d
    readOnly: {{ not (dig "set_exclusive" false .Values.config) }}
  - name: modprobe-usr
    mountPath: /usr/lib/modprobe.d
    readOnly: true
  {{- if .Values.config.node_policy }}
  - name: operator
    mountPath: /etc/sriov-operator/pci
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
