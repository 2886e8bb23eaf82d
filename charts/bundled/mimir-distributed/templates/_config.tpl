{{/* mimir.yaml. Only what differs from Mimir's own defaults; mimir.structuredConfig is merged over it. */}}
{{- define "mimir.config" -}}
{{- $base := include "mimir.baseConfig" . | fromYaml -}}
{{- mergeOverwrite $base (deepCopy .Values.mimir.structuredConfig) | toYaml -}}
{{- end -}}

{{- define "mimir.baseConfig" -}}
{{- $full := include "mimir.fullname" . -}}
{{- $domain := printf "%s.svc.%s" .Release.Namespace .Values.global.clusterDomain -}}
{{- $grpc := include "mimir.grpcPort" . -}}
activity_tracker:
  filepath: /active-query-tracker/activity.log
alertmanager:
  data_dir: /data
  enable_api: true
  external_url: /alertmanager
  {{- if .Values.alertmanager.fallbackConfig }}
  fallback_config_file: /configs/alertmanager_fallback_config.yaml
  {{- end }}
blocks_storage:
  bucket_store:
    sync_dir: /data/tsdb-sync
  tsdb:
    dir: /data/tsdb
compactor:
  data_dir: /data
  # A ring with slow heartbeats: fewer gossip messages, and a pod that restarts keeps its place.
  sharding_ring:
    heartbeat_period: 1m
    heartbeat_timeout: 4m
    wait_stability_min_duration: 1m
distributor:
  ring:
    heartbeat_period: 1m
    heartbeat_timeout: 4m
{{- if .Values.query_scheduler.enabled }}
{{- $scheduler := printf "%s-query-scheduler-headless.%s.svc:%s" $full .Release.Namespace $grpc }}
frontend:
  parallelize_shardable_queries: true
  scheduler_address: {{ $scheduler }}
frontend_worker:
  scheduler_address: {{ $scheduler }}
{{- else }}
frontend:
  parallelize_shardable_queries: true
frontend_worker:
  frontend_address: {{ $full }}-query-frontend-headless.{{ .Release.Namespace }}.svc:{{ $grpc }}
{{- end }}
  grpc_client_config:
    max_send_msg_size: 419430400
ingester:
  ring:
    # Tokens live on the volume and a stopped ingester stays in the ring: a restart moves no series.
    final_sleep: 0s
    num_tokens: 512
    tokens_file_path: /data/tokens
    unregister_on_shutdown: false
    heartbeat_period: 2m
    heartbeat_timeout: 10m
ingester_client:
  grpc_client_config:
    max_recv_msg_size: 104857600
    max_send_msg_size: 104857600
limits:
  max_total_query_length: 12000h
  max_query_parallelism: 240
  max_cache_freshness: 10m
memberlist:
  abort_if_cluster_join_fails: false
  compression_enabled: false
  # Two stacks whose pods reuse each other's addresses never merge their rings.
  cluster_label: {{ .Release.Name }}.{{ .Release.Namespace }}
  join_members:
    - dns+{{ $full }}-gossip-ring.{{ $domain }}:7946
query_scheduler:
  max_outstanding_requests_per_tenant: 800
ruler:
  alertmanager_url: dnssrvnoa+http://_http-metrics._tcp.{{ $full }}-alertmanager-headless.{{ $domain }}/alertmanager
  enable_api: true
  rule_path: /data
runtime_config:
  file: /var/mimir/runtime.yaml
store_gateway:
  sharding_ring:
    heartbeat_period: 1m
    heartbeat_timeout: 10m
    wait_stability_min_duration: 1m
    tokens_file_path: /data/tokens
    unregister_on_shutdown: false
usage_stats:
  enabled: false
{{- end -}}
