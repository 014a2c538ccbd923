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
