{{- define "tempo.config" -}}
{{- $v := .Values -}}
{{- $memberlistRing := dict "kvstore" (dict "store" "memberlist") -}}
{{- $receivers := dict -}}
{{- if $v.traces.otlp.grpc.enabled }}{{ $_ := set $receivers "grpc" (merge (dict) ($v.traces.otlp.grpc.receiverConfig | default dict) (dict "endpoint" "0.0.0.0:4317")) }}{{ end -}}
{{- if $v.traces.otlp.http.enabled }}{{ $_ := set $receivers "http" (merge (dict) ($v.traces.otlp.http.receiverConfig | default dict) (dict "endpoint" "0.0.0.0:4318")) }}{{ end -}}
{{- $ingester := omit $v.ingester.config "replication_factor" -}}
{{- range $key, $value := $ingester }}{{ if kindIs "invalid" $value }}{{ $ingester = omit $ingester $key }}{{ end }}{{ end -}}
{{- $trace := merge (dict) $v.storage.trace (dict "local" (dict "path" "/var/tempo/traces") "wal" (dict "path" "/var/tempo/wal")) -}}
{{- $config := dict
      "stream_over_http_enabled" $v.streamOverHTTPEnabled
      "multitenancy_enabled" $v.multitenancyEnabled
      "usage_report" (dict "reporting_enabled" $v.reportingEnabled)
      "server" (dict "http_listen_port" $v.server.httpListenPort "log_level" $v.server.logLevel "log_format" $v.server.logFormat)
      "memberlist" (dict
        "cluster_label" (printf "%s.%s" .Release.Name .Release.Namespace)
        "abort_if_cluster_join_fails" false
        "join_members" (list (printf "dns+%s-gossip-ring:7946" (include "tempo.fullname" .))))
      "distributor" (dict "ring" $memberlistRing "receivers" (dict "otlp" (dict "protocols" $receivers)))
      "ingester" (merge $ingester (dict "lifecycler" (dict
        "ring" (dict "replication_factor" $v.ingester.config.replication_factor "kvstore" (dict "store" "memberlist"))
        "tokens_file_path" "/var/tempo/tokens.json")))
      "compactor" (dict "ring" $memberlistRing "compaction" $v.compactor.config.compaction)
      "querier" (merge (dict) ($v.querier.config | default dict) (dict "frontend_worker" (dict "frontend_address" (printf "%s-query-frontend-discovery:9095" (include "tempo.fullname" .)))))
      "storage" (dict "trace" $trace)
      "overrides" $v.overrides -}}
{{- if $v.metricsGenerator.enabled -}}
{{- $generator := dict "ring" $memberlistRing "storage" $v.metricsGenerator.config.storage "traces_storage" $v.metricsGenerator.config.traces_storage -}}
{{- range $block := list "processor" "registry" -}}
{{- with get $v.metricsGenerator.config $block }}{{ $_ := set $generator $block . }}{{ end -}}
{{- end -}}
{{- $_ := set $config "metrics_generator" $generator -}}
{{- end -}}
{{- with $v.cache.caches }}{{ $_ := set $config "cache" $v.cache }}{{ end -}}
{{- mergeOverwrite $config (deepCopy $v.tempo.structuredConfig) | toYaml -}}
{{- end -}}
