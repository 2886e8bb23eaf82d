{{- define "tempo.name" -}}
{{- .Values.nameOverride | default "tempo" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "tempo.fullname" -}}
{{- $name := .Values.nameOverride | default "tempo" -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default $full | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "tempo.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "tempo.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* Selector of one role: {root, role}; of the release without role. */}}
{{- define "tempo.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tempo.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .role }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "tempo.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{ include "tempo.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Values.tempo.image.tag | default .root.Chart.AppVersion | toString | splitList "@" | first | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end -}}

{{/*
The roles: which key of values.yaml configures them, what they are, and the Services in front of them.
`services` maps a name's suffix to {ports, headless, early (also pods that are not ready)}.
*/}}
{{- define "tempo.roles" -}}
{{- $otlp := list -}}
{{- if .Values.traces.otlp.http.enabled }}{{ $otlp = append $otlp "otlp-http" }}{{ end -}}
{{- if .Values.traces.otlp.grpc.enabled }}{{ $otlp = concat $otlp (list "otlp-grpc" "otlp-legacy") }}{{ end -}}
distributor:
  key: distributor
  kind: Deployment
  services:
    "": {ports: {{ concat (list "http" "grpc") $otlp | toJson }}}
    "-discovery": {ports: {{ concat (list "http") $otlp | toJson }}, headless: true}
ingester:
  key: ingester
  kind: StatefulSet
  services:
    "": {ports: [http, grpc]}
    "-discovery": {ports: [http, grpc], headless: true}
querier:
  key: querier
  kind: Deployment
  services:
    "": {ports: [http, grpc]}
query-frontend:
  key: queryFrontend
  kind: Deployment
  services:
    "": {ports: [http, grpc]}
    "-discovery": {ports: [http, grpc, grpclb], headless: true, early: true}
compactor:
  key: compactor
  kind: Deployment
  services:
    "": {ports: [http]}
{{- if .Values.metricsGenerator.enabled }}
metrics-generator:
  key: metricsGenerator
  kind: Deployment
  services:
    "": {ports: [http, grpc]}
    "-discovery": {ports: [http, grpc], headless: true}
{{- end }}
{{- end -}}

{{/* 85 % of a memory limit given in Mi or Gi, in Go's own unit; nothing for any other notation. */}}
{{- define "tempo.goMemLimit" -}}
{{- $limit := dig "limits" "memory" "" (.resources | default dict) | toString -}}
{{- if hasSuffix "Gi" $limit -}}
{{- printf "%dMiB" (mulf (trimSuffix "Gi" $limit | float64) 1024 0.85 | int) -}}
{{- else if hasSuffix "Mi" $limit -}}
{{- printf "%dMiB" (mulf (trimSuffix "Mi" $limit | float64) 0.85 | int) -}}
{{- end -}}
{{- end -}}

{{/* A value that may be YAML or, as upstream has it, a string with templates: {root, value}. */}}
{{- define "tempo.render" -}}
{{- if kindIs "string" .value }}{{ tpl .value .root }}{{ else }}{{ toYaml .value }}{{ end -}}
{{- end -}}
