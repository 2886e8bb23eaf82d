{{/* One Service of a role: {root, role, suffix, service}. */}}
{{- define "tempo.service" -}}
{{- $http := .root.Values.server.httpListenPort -}}
{{- $ports := dict
      "http" (dict "name" (ternary "http" "http-metrics" (has "grpclb" .service.ports)) "port" $http "targetPort" "http-metrics")
      "grpc" (dict "name" "grpc" "port" 9095 "targetPort" "grpc")
      "grpclb" (dict "name" "grpclb" "port" 9096 "targetPort" "grpc")
      "otlp-http" (dict "name" "distributor-otlp-http" "port" 4318 "targetPort" "otlp-http")
      "otlp-grpc" (dict "name" "grpc-distributor-otlp" "port" 4317 "targetPort" "grpc-otlp")
      "otlp-legacy" (dict "name" "distributor-otlp-legacy" "port" 55680 "targetPort" "grpc-otlp") -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "tempo.fullname" .root }}-{{ .role }}{{ .suffix }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "tempo.labels" . | nindent 4 }}
    {{- if .service.headless }}
    prometheus.io/service-monitor: "false"
    {{- end }}
spec:
  type: ClusterIP
  {{- if .service.headless }}
  clusterIP: None
  {{- end }}
  {{- if .service.early }}
  publishNotReadyAddresses: true
  {{- end }}
  selector:
    {{- include "tempo.selectorLabels" . | nindent 4 }}
  ports:
    {{- range .service.ports }}
    - {{ get $ports . | toYaml | nindent 6 | trim }}
    {{- end }}
{{- end -}}
