{{/* The Deployment or StatefulSet of one role: {root, role, spec}. */}}
{{- define "tempo.workload" -}}
{{- $root := .root -}}
{{- $role := .role -}}
{{- $stateful := eq .spec.kind "StatefulSet" -}}
{{- $values := get $root.Values .spec.key -}}
{{- $defaults := $root.Values.defaults -}}
{{- $persistence := $values.persistence | default dict -}}
{{- $claim := and $stateful $persistence.enabled -}}
{{- $data := ternary "data" (printf "tempo-%s-store" $role) $stateful -}}
apiVersion: apps/v1
kind: {{ .spec.kind }}
metadata:
  name: {{ include "tempo.fullname" $root }}-{{ $role }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "tempo.labels" . | nindent 4 }}
    app.kubernetes.io/part-of: memberlist
spec:
  replicas: {{ $values.replicas }}
  revisionHistoryLimit: {{ $root.Values.tempo.revisionHistoryLimit }}
  selector:
    matchLabels:
      {{- include "tempo.selectorLabels" . | nindent 6 }}
  {{- if $stateful }}
  podManagementPolicy: Parallel
  {{- /* serviceName is immutable, so as upstream has it. Nothing resolves it: members find each other by gossip. */}}
  serviceName: {{ $role }}
  {{- if $claim }}
  {{- with $values.persistentVolumeClaimRetentionPolicy }}
  {{- if .enabled }}
  persistentVolumeClaimRetentionPolicy:
    whenDeleted: {{ .whenDeleted }}
    whenScaled: {{ .whenScaled }}
  {{- end }}
  {{- end }}
  {{- end }}
  {{- else }}
  minReadySeconds: 10
  strategy:
    rollingUpdate:
      maxSurge: 0
      maxUnavailable: 1
  {{- end }}
  template:
    metadata:
      labels:
        {{- include "tempo.labels" . | nindent 8 }}
        app.kubernetes.io/part-of: memberlist
        {{- with merge (dict) ($values.podLabels | default dict) $defaults.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        checksum/config: {{ include "tempo.config" $root | sha256sum }}
        {{- with merge (dict) ($values.podAnnotations | default dict) $defaults.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "tempo.serviceAccountName" $root }}
      automountServiceAccountToken: {{ $root.Values.serviceAccount.automountServiceAccountToken }}
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
      {{- with $root.Values.tempo.image.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      {{- with $root.Values.tempo.podSecurityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.priorityClassName | default $defaults.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with $values.nodeSelector | default $defaults.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations | default $defaults.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.affinity }}
      affinity:
        {{- include "tempo.render" (dict "root" $root "value" .) | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        {{- if $values.topologySpreadConstraints }}
        {{- include "tempo.render" (dict "root" $root "value" $values.topologySpreadConstraints) | nindent 8 }}
        {{- else }}
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "tempo.selectorLabels" . | nindent 14 }}
        {{- end }}
      containers:
        - name: {{ $role }}
          {{- with $root.Values.tempo.image }}
          image: {{ .registry }}/{{ .repository }}:{{ .tag | default $root.Chart.AppVersion }}
          imagePullPolicy: {{ .pullPolicy }}
          {{- end }}
          args:
            - -target={{ $role }}
            - -config.file=/conf/tempo.yaml
            {{- with concat $defaults.extraArgs ($values.extraArgs | default list) }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            - name: http-metrics
              containerPort: {{ $root.Values.server.httpListenPort }}
            - name: grpc
              containerPort: 9095
            - name: http-memberlist
              containerPort: 7946
            {{- if eq $role "distributor" }}
            {{- if $root.Values.traces.otlp.grpc.enabled }}
            - name: grpc-otlp
              containerPort: 4317
            {{- end }}
            {{- if $root.Values.traces.otlp.http.enabled }}
            - name: otlp-http
              containerPort: 4318
            {{- end }}
            {{- end }}
          {{- $resources := $values.resources | default $defaults.resources }}
          {{- $env := concat $defaults.extraEnv ($values.extraEnv | default list) }}
          {{- with include "tempo.goMemLimit" (dict "resources" $resources) }}
          {{- $env = append $env (dict "name" "GOMEMLIMIT" "value" .) }}
          {{- end }}
          {{- with $env }}
          env:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with concat $defaults.extraEnvFrom ($values.extraEnvFrom | default list) }}
          envFrom:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- range $probe := list "startupProbe" "livenessProbe" "readinessProbe" }}
          {{- with get $values $probe | default (get $root.Values.tempo $probe) }}
          {{ $probe }}:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- end }}
          {{- with $resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with $root.Values.tempo.securityContext }}
          securityContext:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          volumeMounts:
            - name: config
              mountPath: /conf
            - name: runtime-config
              mountPath: /runtime-config
            - name: {{ $data }}
              mountPath: /var/tempo
            {{- with concat $defaults.extraVolumeMounts ($values.extraVolumeMounts | default list) }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
      volumes:
        - name: config
          configMap:
            name: {{ include "tempo.fullname" $root }}-config
        - name: runtime-config
          configMap:
            name: {{ include "tempo.fullname" $root }}-runtime
        {{- if not $claim }}
        - name: {{ $data }}
          emptyDir: {}
        {{- end }}
        {{- with concat $defaults.extraVolumes ($values.extraVolumes | default list) }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  {{- if $claim }}
  volumeClaimTemplates:
    - apiVersion: v1
      kind: PersistentVolumeClaim
      metadata:
        name: {{ $data }}
        {{- with $persistence.annotations }}
        annotations:
          {{- toYaml . | nindent 10 }}
        {{- end }}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $persistence.storageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources:
          requests:
            storage: {{ $persistence.size }}
  {{- end }}
{{- end -}}
