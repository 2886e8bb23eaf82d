//! Labels, annotations and names that stand on every object of a stack.

/// On every object: `<namespace>.<name>` of the stack it belongs to.
pub const STACK: &str = "obstack.dev/stack";
/// On workloads and their pods: backend and role, such as `metrics.ingester`.
pub const COMPONENT: &str = "obstack.dev/component";
/// On the object that holds a stack's inventory: `true`.
pub const INVENTORY: &str = "obstack.dev/inventory";
/// On pods: a keyed hash of the object store's credentials, so that a rotation rolls them.
pub const CREDENTIALS_HASH: &str = "obstack.dev/credentials-hash";
/// On the pods of a collector: a hash of their configuration, so that a change of it rolls them.
pub const CONFIG_HASH: &str = "obstack.dev/config-hash";
/// On the stack: a moment (RFC 3339) at which somebody asked the operator to look at once. A new value counts, whatever it
/// is; `status.lastHandledReconcileAt` repeats it when the operator has looked.
pub const RECONCILE_REQUESTED_AT: &str = "obstack.dev/reconcile-requested-at";
/// On the stack: held while an object of it lives outside its namespace.
pub const FINALIZER: &str = "obstack.dev/cleanup";
/// Field manager of every object that the operator applies. It never changes: another name would strand fields.
pub const FIELD_MANAGER: &str = "obstack";
/// Field manager of the stack's status.
pub const STATUS_FIELD_MANAGER: &str = "obstack-status";
/// Recommended label: the tool that manages the object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Recommended label: the larger application that the object is part of.
pub const PART_OF: &str = "app.kubernetes.io/part-of";
/// ApplySet (KEP-3659): on a member, the id of its set.
pub const APPLYSET_PART_OF: &str = "applyset.kubernetes.io/part-of";
/// ApplySet (KEP-3659): on the parent, the id of the set.
pub const APPLYSET_ID: &str = "applyset.kubernetes.io/id";
/// ApplySet (KEP-3659): annotation on the parent, the tool that owns the set.
pub const APPLYSET_TOOLING: &str = "applyset.kubernetes.io/tooling";
/// ApplySet (KEP-3659): annotation on the parent, namespaces of members beside its own.
pub const APPLYSET_NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";
/// ApplySet (KEP-3659): annotation on the parent, the kinds of the members.
pub const APPLYSET_CONTAINS: &str = "applyset.kubernetes.io/contains-group-kinds";
