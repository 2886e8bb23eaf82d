{{/* One Service of a role: {root, role, gossip, httpOnly?, headless?: "" | ready | early}. */}}
{{- define "mimir.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "mimir.fullname" .root }}-{{ .role }}{{ if .headless }}-headless{{ end }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "mimir.labels" . | nindent 4 }}
    {{- if .headless }}
    prometheus.io/service-monitor: "false"
    {{- end }}
spec:
  type: ClusterIP
  {{- if .headless }}
  clusterIP: None
  {{- end }}
  {{- if eq .headless "early" }}
  publishNotReadyAddresses: true
  {{- end }}
  selector:
    {{- include "mimir.selectorLabels" . | nindent 4 }}
  ports:
    - name: http-metrics
      port: {{ include "mimir.httpPort" .root }}
      targetPort: http-metrics
    {{- if not .httpOnly }}
    - name: grpc
      port: {{ include "mimir.grpcPort" .root }}
      targetPort: grpc
    {{- end }}
    {{- if and .headless (eq .role "alertmanager") }}
    - name: cluster
      port: 9094
    {{- end }}
{{- end -}}
