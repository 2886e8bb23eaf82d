//! The closed vocabulary of a stack's status: conditions and the reasons they can have.
//!
//! A reason is stable: people and pipelines match on it. What changes goes into the message.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares an enum whose variants are their own text, with a one-line meaning each and, where a person has to act,
/// what to do.
macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident { $($variant:ident: $meaning:literal $(=> $fix:literal)?,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name { $(#[doc = $meaning] $variant,)+ }

        impl $name {
            /// Every word, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word as it stands in a status.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant),)+ }
            }

            /// What the word means, in one line.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// What to do, where a person has to act.
            pub fn fix(self) -> Option<&'static str> {
                match self { $(Self::$variant => None$(.or(Some($fix)))?,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.as_str()) }
        }
    };
}

vocabulary! {
    /// A condition of a stack.
    ConditionType {
        Ready: "The current spec is fully in place: every desired pod is ready at the newest revision, every bucket is reachable.",
        Available: "Every component has enough ready pods to serve. Use it for alerts.",
        Reconciling: "Work is going on (kstatus).",
        Stalled: "Nothing goes on until a person acts (kstatus).",
        SpecValid: "The spec passes the checks that the API server cannot make.",
        StorageReady: "Every bucket exists and takes, returns and deletes an object.",
        PlanApplied: "The rendered objects are the live objects.",
        WorkloadsReady: "Every component is at its newest revision with all its pods ready.",
        DatasourcesReady: "The datasources are where Grafana's sidecar finds them.",
        DisruptionProtected: "A disruption budget covers every component with more than one replica.",
    }
}

vocabulary! {
    /// Why a condition has its status.
    Reason {
        Pending: "The operator has not looked at this spec yet.",
        AllReady: "Everything the condition speaks of is in place.",
        Serving: "Every component has enough ready pods.",
        Idle: "Nothing is left to do.",
        Blocked: "Nothing goes on until what blocks it is solved; see Stalled."
            => "Read the condition `Stalled` and mend what it names.",
        Progressing: "Work is going on.",
        Suspended: "spec.suspend is true: nothing is created, changed or repaired.",
        Terminating: "The stack or its namespace is being deleted.",
        Valid: "The spec passes all checks.",
        InvalidSpec: "The spec has a fault that only its author can mend. Nothing but the status was changed."
            => "Read the message: it names each field and what to write. Correct the spec; the stack goes on by itself.",
        QuerySchedulerRequired: "Mimir 3 (chart 6 and newer) cannot answer queries without a query-scheduler."
            => "Set `metrics.components.queryScheduler.replicas` to 1 or more, or pin `metrics.chart.version: 5.8.0`.",
        MemoryLimitRequired: "A component that bears an ingester or a store-gateway has no memory limit."
            => "Set `resources.limits.memory` on the component the message names: 4Gi to 8Gi for an ingester, 2Gi to 4Gi for a store-gateway.",
        OverrideViolatesPolicy: "values or patches set a CPU limit, which the resource policy forbids."
            => "Remove the CPU limit from `values` or `patches`. If it is meant, set `resourcePolicy.cpuLimits: Allow`.",
        OverrideOwnedByApi: "values set a key that a typed field of the API owns."
            => "Move the setting into the typed field the message names and remove it from `values`.",
        InvalidPatch: "An entry of patches cannot be carried out on the rendered objects."
            => "Compare the patch's path with the rendered object (`kubectl get KIND NAME -o yaml`) and correct it.",
        InvalidQuantity: "A quantity cannot be read."
            => "Write quantities as Kubernetes does: 200m, 1, 512Mi, 1.5Gi.",
        InvalidBucketName: "A bucket name breaks the rules of S3."
            => "Shorten prefix or environment, or give the bucket a name of 3 to 63 characters of a-z, 0-9, - and dots.",
        InvalidEndpoint: "The object storage endpoint is not a URL without a path."
            => "Write `http://host:port` or `https://host:port`, without a path.",
        BucketConflict: "Two purposes or two stacks claim the same bucket."
            => "Give one of the two stacks another environment, prefix or bucket name. The older stack keeps the bucket.",
        SecretMissing: "A Secret that the spec names does not exist."
            => "Create the Secret the message names, in the stack's namespace.",
        SecretKeyMissing: "A Secret that the spec names lacks a key, or the key is empty."
            => "Set the key the message names to a value that is not empty.",
        ChartUnknown: "The chart version is not in the catalog and the spec gives no digest for it."
            => "Use a version of the catalog, or set `chart.digest` to the sha256 of the chart archive.",
        ChartUnavailable: "The chart could not be had from its source."
            => "Check that the operator reaches the chart repository, or give it the charts with `--charts`, or use `chart.source: Bundled`.",
        ChartDigestMismatch: "The chart archive is not the one its digest names."
            => "Somebody replaced the archive, or the digest is wrong. Compare both with the chart's publisher before you change either.",
        ChartUnsupported: "The chart does not run on this Kubernetes version."
            => "Use the chart version the message names, or upgrade Kubernetes.",
        RenderFailed: "The chart did not render, or rendered something that the operator never applies."
            => "Read the chart's message; most often `values` hold something the chart cannot take. Nothing that runs was changed.",
        BucketsReady: "Every bucket exists and passed its probe.",
        CreatingBuckets: "Buckets are being made.",
        EndpointUnreachable: "The object store did not answer."
            => "Is the S3 service up, does its name resolve, does a NetworkPolicy let the operator and the pods through?",
        AccessKeyRejected: "The object store does not know the access key."
            => "Correct the access key in the credentials Secret, or create the identity in the object store.",
        SignatureRejected: "The object store knows the access key, but the secret key is wrong."
            => "Correct the secret key in the credentials Secret: the object store knows the access key.",
        AccessDenied: "The credentials are good, but they may not do what is needed."
            => "Allow the identity what the message names (for SeaweedFS: actions Read, Write, List and, to make buckets, Admin).",
        NoSuchBucket: "A bucket does not exist and spec.objectStorage.buckets.create is false."
            => "Create the bucket, or set `objectStorage.buckets.create: true`.",
        BucketExists: "A bucket exists already and spec.objectStorage.buckets.adoptExisting is false."
            => "Set `objectStorage.buckets.adoptExisting: true` if the bucket is meant, or choose another name.",
        BucketOwnedByOther: "A bucket belongs to another account."
            => "Choose another bucket. If the owner the message names is gone for good, delete its claim from the bucket (`obstack-owner`, in Mimir's buckets `__mimir_cluster/obstack-owner`).",
        TLSVerificationFailed: "The object store's certificate is not trusted."
            => "Set `objectStorage.caSecretRef` to the authority that signed the object store's certificate, or use a name that stands in it.",
        StorageFailed: "The object store answered with an error that has no reason of its own."
            => "Read the object store's own log at the time of the message.",
        StorageNotReady: "The buckets are not ready; see the condition `StorageReady`."
            => "Read the condition `StorageReady`.",
        Applied: "Every rendered object is applied.",
        Applying: "Objects are being applied.",
        ApplyFailed: "An object could not be applied."
            => "Read the API server's message; it names the object and the rule.",
        ApplyRejected: "The API server refuses an object, and will refuse it again."
            => "Read the API server's message; it names the object and the rule. Correct the spec, or allow the operator what it lacks.",
        FieldConflict: "Another manager owns a field that the stack needs."
            => "Take the field out of the other manager's manifest, or delete the object; the stack makes it anew.",
        QuotaExceeded: "A ResourceQuota stops pods from being made."
            => "Raise the ResourceQuota the message names, or lower what the stack requests (`status.requests`).",
        RolloutInProgress: "Pods are being made or replaced.",
        ComponentsNotReady: "A component has fewer ready pods than it should."
            => "Read `status.components`: each component that is not ready says why.",
        NoReadyReplicas: "A component has no ready pod."
            => "Read the condition `WorkloadsReady`.",
        PodsRefused: "The API server refuses to make pods."
            => "Read the message: a Pod Security level, a webhook or a LimitRange refuses the pods.",
        Unschedulable: "No node takes a pod."
            => "Add nodes, or change nodeSelector, tolerations or requests; the message has the scheduler's own counts.",
        ImagePullFailed: "A container's image cannot be pulled."
            => "Check the image's name and the registry's credentials and reachability.",
        CrashLoop: "A container ends again and again."
            => "Read the last line in the message and the container's log.",
        DatasourcesNotReady: "The datasources are not in place; see the condition `DatasourcesReady`."
            => "Read the condition `DatasourcesReady`.",
        NamespaceMissing: "The namespace for the datasources does not exist."
            => "Create the namespace the message names, or change `grafana.datasources.namespace`.",
        DatasourcesProvisioned: "The datasources are where Grafana's sidecar finds them.",
        NoDatasources: "spec.grafana.datasources asks for none.",
        NothingToProtect: "No component has more than one replica.",
        Protected: "Every component with more than one replica has a budget.",
        Disabled: "spec.disruption.podDisruptionBudgets is Disabled.",
        Drifted: "Somebody changed or deleted an object of the stack; it was put back."
            => "Nothing, if it happened once. If it repeats, two managers fight over the object: the event names the other.",
        InternalError: "A fault of the operator; the message says which."
            => "Please report it with the operator's log.",
    }
}

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody has looked, or looking failed.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn a_reason_is_camel_case_and_says_what_it_means() {
        for reason in Reason::ALL {
            assert!(reason.as_str().chars().all(|c| c.is_ascii_alphanumeric()), "{reason}");
            assert!(reason.as_str().starts_with(|c: char| c.is_ascii_uppercase()), "{reason}");
            assert!(reason.meaning().ends_with('.'), "{reason}");
        }
    }
}
