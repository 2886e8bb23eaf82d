{{- define "tempo.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "tempo.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default $full | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "tempo.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "tempo.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "tempo.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tempo.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tempo.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "tempo.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.tempo.tag | default .Chart.AppVersion | toString | splitList "@" | first | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* Receivers that are on, as Tempo's config wants them: {otlp: {protocols: {grpc: {...}, http: {...}}}}. */}}
{{- define "tempo.receivers" -}}
{{- $on := dict -}}
{{- range $protocol, $config := .Values.tempo.receivers.otlp.protocols -}}
{{- if dig "endpoint" "" ($config | default dict) }}{{ $_ := set $on $protocol $config }}{{ end -}}
{{- end -}}
{{- if not $on }}{{ fail "tempo.receivers.otlp.protocols: at least one of grpc and http needs an endpoint" }}{{ end -}}
{{- dict "otlp" (dict "protocols" $on) | toYaml -}}
{{- end -}}

{{- define "tempo.config" -}}
{{- $t := .Values.tempo -}}
{{- $config := dict
      "stream_over_http_enabled" $t.streamOverHttpEnabled
      "multitenancy_enabled" $t.multitenancyEnabled
      "usage_report" (dict "reporting_enabled" $t.reportingEnabled)
      "memberlist" (dict "cluster_label" (printf "%s.%s" .Release.Name .Release.Namespace))
      "server" $t.server
      "distributor" (dict "receivers" (include "tempo.receivers" . | fromYaml))
      "compactor" (dict "compaction" (dict "block_retention" $t.retention))
      "storage" $t.storage
      "overrides" $t.overrides -}}
{{- range $block, $given := dict "ingester" $t.ingester "querier" $t.querier "query_frontend" $t.queryFrontend -}}
{{- if $given }}{{ $_ := set $config $block $given }}{{ end -}}
{{- end -}}
{{- with $t.metricsGenerator }}{{ if .enabled -}}
{{- $generator := dict "storage" .storage "traces_storage" .traces_storage -}}
{{- range $block := list "processor" "registry" -}}
{{- with get $t.metricsGenerator $block }}{{ $_ := set $generator $block . }}{{ end -}}
{{- end -}}
{{- $_ := set $config "metrics_generator" $generator -}}
{{- end }}{{ end -}}
{{- $config | toYaml -}}
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
