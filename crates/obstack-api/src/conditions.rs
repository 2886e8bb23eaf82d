//! The closed vocabulary of a stack's status: conditions and the reasons they can have.
//!
//! A reason is stable: people and pipelines match on it. What changes goes into the message.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares an enum whose variants are their own text, with a one-line meaning each.
macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident { $($variant:ident: $meaning:literal,)+ }) => {
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
        Blocked: "Nothing goes on until what blocks it is solved; see Stalled.",
        Progressing: "Work is going on.",
        Suspended: "spec.suspend is true: nothing is created, changed or repaired.",
        Terminating: "The stack or its namespace is being deleted.",
        Valid: "The spec passes all checks.",
        InvalidSpec: "The spec has a fault that only its author can mend. Nothing but the status was changed.",
        QuerySchedulerRequired: "Mimir 3 (chart 6 and newer) cannot answer queries without a query-scheduler.",
        MemoryLimitRequired: "A component that bears an ingester or a store-gateway has no memory limit.",
        OverrideViolatesPolicy: "values or patches set a CPU limit, which the resource policy forbids.",
        OverrideOwnedByApi: "values set a key that a typed field of the API owns.",
        InvalidPatch: "An entry of patches cannot be carried out on the rendered objects.",
        InvalidQuantity: "A quantity cannot be read.",
        InvalidBucketName: "A bucket name breaks the rules of S3.",
        InvalidEndpoint: "The object storage endpoint is not a URL without a path.",
        BucketConflict: "Two purposes or two stacks claim the same bucket.",
        SecretMissing: "A Secret that the spec names does not exist.",
        SecretKeyMissing: "A Secret that the spec names lacks a key, or the key is empty.",
        ChartUnknown: "The chart version is not in the catalog and the spec gives no digest for it.",
        ChartUnavailable: "The chart could not be had from its source.",
        ChartDigestMismatch: "The chart archive is not the one its digest names.",
        ChartUnsupported: "The chart does not run on this Kubernetes version.",
        RenderFailed: "The chart did not render, or rendered something that the operator never applies.",
        BucketsReady: "Every bucket exists and passed its probe.",
        CreatingBuckets: "Buckets are being made.",
        EndpointUnreachable: "The object store did not answer.",
        AccessKeyRejected: "The object store does not know the access key.",
        SignatureRejected: "The object store knows the access key, but the secret key is wrong.",
        AccessDenied: "The credentials are good, but they may not do what is needed.",
        NoSuchBucket: "A bucket does not exist and spec.objectStorage.buckets.create is false.",
        BucketExists: "A bucket exists already and spec.objectStorage.buckets.adoptExisting is false.",
        BucketOwnedByOther: "A bucket belongs to another account.",
        TLSVerificationFailed: "The object store's certificate is not trusted.",
        StorageFailed: "The object store answered with an error that has no reason of its own.",
        StorageNotReady: "The buckets are not ready; see the condition `StorageReady`.",
        Applied: "Every rendered object is applied.",
        Applying: "Objects are being applied.",
        ApplyFailed: "An object could not be applied.",
        FieldConflict: "Another manager owns a field that the stack needs.",
        QuotaExceeded: "A ResourceQuota stops pods from being made.",
        RolloutInProgress: "Pods are being made or replaced.",
        ComponentsNotReady: "A component has fewer ready pods than it should.",
        NoReadyReplicas: "A component has no ready pod.",
        PodsRefused: "The API server refuses to make pods.",
        Unschedulable: "No node takes a pod.",
        ImagePullFailed: "A container's image cannot be pulled.",
        CrashLoop: "A container ends again and again.",
        DatasourcesNotReady: "The datasources are not in place; see the condition `DatasourcesReady`.",
        NamespaceMissing: "The namespace for the datasources does not exist.",
        DatasourcesProvisioned: "The datasources are where Grafana's sidecar finds them.",
        NoDatasources: "spec.grafana.datasources asks for none.",
        NothingToProtect: "No component has more than one replica.",
        Protected: "Every component with more than one replica has a budget.",
        Disabled: "spec.disruption.podDisruptionBudgets is Disabled.",
        Drifted: "Somebody changed or deleted an object of the stack; it was put back.",
        InternalError: "A fault of the operator; the message says which.",
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
