{{- define "obstack.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "obstack.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "obstack.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "obstack.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "obstack.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{ include "obstack.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: obstack
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "obstack.image" -}}
{{- $name := .Values.image.repository -}}
{{- with .Values.image.registry }}{{- $name = printf "%s/%s" . $name -}}{{- end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end }}

{{- /* Whether nodes and storage classes may be read: "true" or nothing. */ -}}
{{- define "obstack.room" -}}
{{- if kindIs "invalid" .Values.rbac.room -}}
{{- if eq .Values.mode "Cluster" }}true{{ end -}}
{{- else if .Values.rbac.room -}}true{{- end -}}
{{- end }}

{{- /* Whether view, edit and admin cover stacks: "true" or nothing. */ -}}
{{- define "obstack.aggregate" -}}
{{- if kindIs "invalid" .Values.rbac.aggregate -}}
{{- if ne .Values.mode "NamespaceAdmin" }}true{{ end -}}
{{- else if .Values.rbac.aggregate -}}true{{- end -}}
{{- end }}

{{- /* Namespaces to watch, with commas; nothing for all. */ -}}
{{- define "obstack.watched" -}}
{{- if eq .Values.mode "NamespaceAdmin" -}}
{{- .Release.Namespace -}}
{{- else if eq .Values.mode "Namespaces" -}}
{{- join "," .Values.watchNamespaces -}}
{{- end -}}
{{- end }}

{{- /* A role and its binding. Takes root, kind, name, namespace (may be empty), rules. */ -}}
{{- define "obstack.role" -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "obstack.labels" .root | nindent 4 }}
rules:
{{ .rules | trim | indent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "obstack.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "obstack.account" .root }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}
