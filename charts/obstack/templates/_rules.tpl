{{/*
# Made by `cargo xtask codegen` from crates/obstack-api/src/rights.rs. Do not edit.
*/}}
{{- define "obstack.rules.stacks" -}}
# The stacks. `patch` is for metadata.finalizers alone; the spec is never written.
- apiGroups: [obstack.dev]
  resources: [observabilitystacks]
  verbs: [list, watch, patch]
# What the operator says of a stack, by server-side apply.
- apiGroups: [obstack.dev]
  resources: [observabilitystacks/status]
  verbs: [patch]
# Rendered objects, by server-side apply: `create` makes a new one, `get` reads one again before it is deleted.
# Secrets also: reading the object store's keys that a stack names, and hearing when they change.
- apiGroups: [""]
  resources: [configmaps, secrets, services, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
# The inventory of a stack is replaced as a whole, over the version that was read.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [update]
# The workloads.
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets]
  verbs: [get, list, watch, create, patch, delete]
# A budget for every component with more than one replica.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# Datasources and dashboards, where spec.grafana leaves them to the grafana-operator.
- apiGroups: [grafana.integreatly.org]
  resources: [grafanadashboards, grafanadatasources]
  verbs: [get, list, watch, create, patch, delete]
# On OpenShift: Routes to where backends are queried, where a stack asks for them.
- apiGroups: [route.openshift.io]
  resources: [routes]
  verbs: [get, list, watch, create, patch, delete]
# On OpenShift: a Route with a host that the stack gives.
- apiGroups: [route.openshift.io]
  resources: [routes/custom-host]
  verbs: [create]
# Why a component is not ready: image pulls, crashes, scheduling. What the resource policy says of live pods.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
# Why a StatefulSet makes no pods (quota, admission), why an image or a volume does not come: only an Event says it.
- apiGroups: [""]
  resources: [events]
  verbs: [list, watch]
# Whether the stack fits, what a LimitRange puts on its pods, why a claim is not bound. Without these rights the
# conditions that need them are Unknown.
- apiGroups: [""]
  resources: [persistentvolumeclaims, resourcequotas, limitranges]
  verbs: [list, watch]
# A claim grows when its size in the spec does. None is ever made or deleted.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [patch]
# Events about the stacks; `patch` counts a repeated one.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{- define "obstack.rules.room" -}}
# Whether the node of a pod is lost, and whether pods stand in more than one zone.
- apiGroups: [""]
  resources: [nodes]
  verbs: [list, watch]
# Why a claim is not bound, and whether it may grow.
- apiGroups: [storage.k8s.io]
  resources: [storageclasses]
  verbs: [list, watch]
{{- end }}

{{- define "obstack.rules.own" -}}
# Leader election: one replica works, the others wait.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, create, patch]
{{- end }}

{{- define "obstack.rules.proxy" -}}
# The rings of Mimir and Tempo, and with `create` the canary, through the API server. It opens every page of every
# Service of the namespace.
- apiGroups: [""]
  resources: [services/proxy]
  verbs: [get, create]
{{- end }}

{{- define "obstack.aggregates" -}}
view:
  to: [view, edit, admin, cluster-reader]
  rules:
    - apiGroups: [obstack.dev]
      resources: [observabilitystacks]
      verbs: [get, list, watch]
edit:
  to: [edit, admin]
  rules:
    - apiGroups: [obstack.dev]
      resources: [observabilitystacks]
      verbs: [create, update, patch, delete, deletecollection]
{{- end }}
