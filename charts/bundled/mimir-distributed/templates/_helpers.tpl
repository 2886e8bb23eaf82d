{{- define "mimir.name" -}}
{{- .Values.nameOverride | default "mimir" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "mimir.fullname" -}}
{{- $name := .Values.nameOverride | default "mimir" -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default $full | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "mimir.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "mimir.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* Selector of one role: {root, role}; of the release without role. */}}
{{- define "mimir.selectorLabels" -}}
app.kubernetes.io/name: {{ include "mimir.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .role }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* {root, role?, gossip?} */}}
{{- define "mimir.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{ include "mimir.selectorLabels" . }}
{{- if .gossip }}
app.kubernetes.io/part-of: memberlist
{{- end }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | toString | splitList "@" | first | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end -}}

{{- define "mimir.httpPort" -}}
{{- dig "server" "http_listen_port" 8080 .Values.mimir.structuredConfig -}}
{{- end -}}

{{- define "mimir.grpcPort" -}}
{{- dig "server" "grpc_listen_port" 9095 .Values.mimir.structuredConfig -}}
{{- end -}}

{{/*
The roles, by the name Mimir gives them (-target). The key of values.yaml is the same with underscores.
  gossip    takes part in the hash rings
  headless  a second Service for gRPC clients that balance over pods; "early" lists pods before they are ready
  governor  serviceName of the StatefulSet: immutable, so as upstream has it
  args      flags that only make sense for this role; goProcs keeps Go from using all cores of a big node
*/}}
{{- define "mimir.roles" -}}
{{- $scheduler := .Values.query_scheduler.enabled -}}
distributor:
  kind: Deployment
  gossip: true
  headless: ready
  goProcs: 8
  # Clients reconnect every minute; a stopping distributor serves them for longer than that.
  args: [-server.grpc.keepalive.max-connection-age=60s, -server.grpc.keepalive.max-connection-age-grace=5m, -server.grpc.keepalive.max-connection-idle=1m, -shutdown-delay=90s]
ingester:
  kind: StatefulSet
  gossip: true
  headless: ready
  governor: -headless
  goProcs: 5
  args: [-ingester.ring.instance-availability-zone=zone-default, -server.grpc-max-concurrent-streams=500, -memberlist.abort-if-fast-join-fails=true]
querier:
  kind: Deployment
  gossip: true
  goProcs: 8
  args: [-querier.store-gateway-client.grpc-max-recv-msg-size=209715200]
query-frontend:
  kind: Deployment
  {{- if not $scheduler }}
  headless: early
  {{- end }}
  args: [-server.grpc.keepalive.max-connection-age=30s, -shutdown-delay=90s]
{{- if $scheduler }}
query-scheduler:
  kind: Deployment
  headless: early
{{- end }}
store-gateway:
  kind: StatefulSet
  gossip: true
  headless: ready
  governor: -headless
  goProcs: 8
  args: [-server.grpc-max-send-msg-size-bytes=209715200]
compactor:
  kind: StatefulSet
  gossip: true
  governor: ""
{{- if .Values.alertmanager.enabled }}
alertmanager:
  kind: StatefulSet
  gossip: true
  headless: early
  governor: ""
  # Longer than the five minutes Grafana and clients keep idle connections.
  args: [-server.http-idle-timeout=6m]
{{- end }}
{{- if .Values.ruler.enabled }}
ruler:
  kind: Deployment
  gossip: true
  httpOnly: true
  args: [-distributor.remote-timeout=10s]
{{- end }}
{{- if .Values.overrides_exporter.enabled }}
overrides-exporter:
  kind: Deployment
{{- end }}
{{- end -}}

{{/* 85 % of a memory limit given in Mi or Gi, in Go's own unit; nothing for any other notation. */}}
{{- define "mimir.goMemLimit" -}}
{{- $limit := dig "limits" "memory" "" (.resources | default dict) | toString -}}
{{- if hasSuffix "Gi" $limit -}}
{{- printf "%dMiB" (mulf (trimSuffix "Gi" $limit | float64) 1024 0.85 | int) -}}
{{- else if hasSuffix "Mi" $limit -}}
{{- printf "%dMiB" (mulf (trimSuffix "Mi" $limit | float64) 0.85 | int) -}}
{{- end -}}
{{- end -}}
