{{/* The Deployment or StatefulSet of one role: {root, role, spec, gossip}. */}}
{{- define "mimir.workload" -}}
{{- $root := .root -}}
{{- $role := .role -}}
{{- $spec := .spec -}}
{{- $global := $root.Values.global -}}
{{- $values := get $root.Values ($role | replace "-" "_") -}}
{{- $full := include "mimir.fullname" $root -}}
{{- $stateful := eq $spec.kind "StatefulSet" -}}
{{- $volume := $values.persistentVolume | default dict -}}
{{- $claim := and $stateful $volume.enabled -}}
{{- $fallback := and (eq $role "alertmanager") $values.fallbackConfig -}}
apiVersion: apps/v1
kind: {{ $spec.kind }}
metadata:
  name: {{ $full }}-{{ $role }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "mimir.labels" . | nindent 4 }}
spec:
  replicas: {{ $values.replicas }}
  selector:
    matchLabels:
      {{- include "mimir.selectorLabels" . | nindent 6 }}
  {{- if $stateful }}
  podManagementPolicy: {{ $values.podManagementPolicy | default "Parallel" }}
  serviceName: {{ $full }}-{{ $role }}{{ $spec.governor }}
  {{- if and $claim $volume.enableRetentionPolicy }}
  persistentVolumeClaimRetentionPolicy:
    whenDeleted: {{ $volume.whenDeleted }}
    whenScaled: {{ $volume.whenScaled }}
  {{- end }}
  updateStrategy:
    type: RollingUpdate
  {{- else }}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  {{- end }}
  template:
    metadata:
      labels:
        {{- include "mimir.labels" . | nindent 8 }}
        {{- with merge (dict) ($values.podLabels | default dict) $global.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        checksum/config: {{ include "mimir.config" $root | sha256sum }}
        {{- if $fallback }}
        checksum/alertmanager-fallback-config: {{ $values.fallbackConfig | sha256sum }}
        {{- end }}
        {{- with merge (dict) ($values.podAnnotations | default dict) $global.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "mimir.serviceAccountName" $root }}
      automountServiceAccountToken: {{ $root.Values.serviceAccount.automountServiceAccountToken }}
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
      {{- with $root.Values.image.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      {{- with $values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with $values.securityContext | default $root.Values.rbac.podSecurityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        {{- $spread := $values.topologySpreadConstraints | default (dict "maxSkew" 1 "topologyKey" "kubernetes.io/hostname" "whenUnsatisfiable" "ScheduleAnyway") }}
        {{- $selector := dict "labelSelector" (dict "matchLabels" (include "mimir.selectorLabels" . | fromYaml)) }}
        {{- range kindIs "slice" $spread | ternary $spread (list $spread) }}
        - {{ merge (dict) . $selector | toYaml | nindent 10 | trim }}
        {{- end }}
      containers:
        - name: {{ $role }}
          {{- with merge (dict) ($values.image | default dict) $root.Values.image }}
          image: {{ .repository }}:{{ .tag | default $root.Chart.AppVersion }}
          imagePullPolicy: {{ .pullPolicy }}
          {{- end }}
          args:
            - -target={{ $role }}
            - -config.file=/etc/mimir/mimir.yaml
            - -config.expand-env=true
            {{- range $spec.args }}
            - {{ . }}
            {{- end }}
            {{- range $flag, $value := $values.extraArgs }}
            - -{{ $flag }}={{ $value }}
            {{- end }}
          ports:
            - name: http-metrics
              containerPort: {{ include "mimir.httpPort" $root }}
            - name: grpc
              containerPort: {{ include "mimir.grpcPort" $root }}
            {{- if $spec.gossip }}
            - name: memberlist
              containerPort: 7946
            {{- end }}
          {{- $env := concat $global.extraEnv ($values.env | default list) }}
          {{- with $spec.goProcs }}
          {{- $env = append $env (dict "name" "GOMAXPROCS" "value" (toString .)) }}
          {{- end }}
          {{- with include "mimir.goMemLimit" $values }}
          {{- $env = append $env (dict "name" "GOMEMLIMIT" "value" .) }}
          {{- end }}
          {{- with $env }}
          env:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with concat $global.extraEnvFrom ($values.extraEnvFrom | default list) }}
          envFrom:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- range $probe := list "startupProbe" "livenessProbe" "readinessProbe" }}
          {{ $probe }}:
            {{- get $values $probe | default (get $root.Values $probe) | toYaml | nindent 12 }}
          {{- end }}
          {{- with $values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          securityContext:
            {{- $values.containerSecurityContext | default (include "mimir.containerSecurityContext" . | fromYaml) | toYaml | nindent 12 }}
          volumeMounts:
            - name: config
              mountPath: /etc/mimir
            - name: runtime-config
              mountPath: /var/mimir
            - name: storage
              mountPath: /data
            - name: active-queries
              mountPath: /active-query-tracker
            {{- if $fallback }}
            - name: alertmanager-fallback-config
              mountPath: /configs
            {{- end }}
            {{- if eq $role "alertmanager" }}
            - name: tmp
              mountPath: /tmp
            {{- end }}
            {{- with concat $global.extraVolumeMounts ($values.extraVolumeMounts | default list) }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
      volumes:
        - name: config
          configMap:
            name: {{ $full }}-config
        - name: runtime-config
          configMap:
            name: {{ $full }}-runtime
        - name: active-queries
          emptyDir: {}
        {{- if not $claim }}
        - name: storage
          emptyDir: {}
        {{- end }}
        {{- if $fallback }}
        - name: alertmanager-fallback-config
          configMap:
            name: {{ $full }}-alertmanager-fallback-config
        {{- end }}
        {{- if eq $role "alertmanager" }}
        - name: tmp
          emptyDir: {}
        {{- end }}
        {{- with concat $global.extraVolumes ($values.extraVolumes | default list) }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  {{- if $claim }}
  volumeClaimTemplates:
    - apiVersion: v1
      kind: PersistentVolumeClaim
      metadata:
        name: storage
        {{- with $volume.annotations }}
        annotations:
          {{- toYaml . | nindent 10 }}
        {{- end }}
      spec:
        accessModes:
          {{- toYaml $volume.accessModes | nindent 10 }}
        {{- with $volume.storageClass }}
        storageClassName: {{ eq . "-" | ternary "" . | quote }}
        {{- end }}
        resources:
          requests:
            storage: {{ $volume.size }}
  {{- end }}
{{- end -}}

{{- define "mimir.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
