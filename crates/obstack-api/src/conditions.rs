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

            /// The word of a status; `None` when it is no word of this vocabulary.
            pub fn named(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text)
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
        Available: "Every component that writes and queries need has enough ready pods to serve. Use it for alerts.",
        Reconciling: "Work is going on (kstatus).",
        Stalled: "Nothing goes on until a person acts (kstatus).",
        SpecValid: "The spec passes the checks that the API server cannot make.",
        StorageReady: "Every bucket exists and takes, returns and deletes an object.",
        PlanApplied: "The rendered objects are the live objects.",
        WorkloadsReady: "Every component is at its newest revision with all its pods ready.",
        DatasourcesReady: "The datasources and dashboards are where Grafana's sidecar or the grafana-operator finds them.",
        QuotaSatisfied: "What the stack needs fits into every quota of its namespace.",
        PolicyCompliant: "Every container of every live pod keeps to the resource policy.",
        RingsHealthy: "Every member of the backends' own rings is active.",
        DataPathVerified: "What was written last through the stack's own doors came back by query, and blocks are in the buckets.",
        DisruptionProtected: "A drain takes one pod of a component at a time, and none of a component that has none to spare.",
        FaultTolerant: "Every component goes on with one of its pods lost.",
        DriftFree: "Nobody else changed an object of the stack within the last ten minutes.",
        Supported: "Every chart is inside its support and was tested with this operator.",
    }
}

vocabulary! {
    /// Why a condition has its status.
    Reason {
        Pending: "The operator has not looked at this spec yet.",
        AllReady: "Everything the condition speaks of is in place.",
        Serving: "Every component that writes and queries need has enough ready pods.",
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
        OverrideViolatesPolicy: "values or patches set a CPU limit, which the resource policy forbids, or have pods beyond Pod Security restricted."
            => "Take what the message names out of `values` or `patches`. If a CPU limit is meant, set `resourcePolicy.cpuLimits: Allow`.",
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
        SecurityPolicyDenied: "The namespace's security rules (Pod Security, or OpenShift's SCC) refuse the pods."
            => "Read which rule the message names. On OpenShift set `platform: OpenShift`; elsewhere lower the namespace's Pod Security level, or keep the webhook that changes the pods away from them.",
        LimitRangeDenied: "A LimitRange refuses the pods or claims."
            => "Change the component's requests or limits to what the LimitRange allows, or change the LimitRange the message names.",
        PodsRefused: "The API server refuses to make pods."
            => "Read the message: a webhook or a rule of the API server refuses the pods.",
        PVCPending: "A volume claim is not bound, so its pod cannot start."
            => "Create the StorageClass the message names, set `storage.className` to one that exists, or see why its provisioner makes no volume.",
        Unschedulable: "No node takes a pod."
            => "Add nodes, or change nodeSelector, tolerations or requests; the message has the scheduler's own counts.",
        NodeLost: "A pod's node no longer answers."
            => "Bring the node back, or delete it from the cluster: only then does a StatefulSet replace the pod.",
        Evicted: "A node evicted a pod because it ran out of something."
            => "Give the node more of what the message names, or the component higher requests, so that it is placed where there is room.",
        ImagePullFailed: "A container's image cannot be pulled."
            => "Check the image's name and the registry's credentials and reachability.",
        ContainerNotCreated: "The kubelet cannot create a container."
            => "Read the kubelet's words in the message: most often a ConfigMap that is not there, a command that the image does not have, or a user that the pod's security settings forbid.",
        StorageUnreachable: "Pods do not start because the object store does not answer them."
            => "Is the S3 service up, does its name resolve inside the cluster, does a NetworkPolicy let the pods through? Read the condition `StorageReady` too.",
        BucketMissing: "Pods do not start because a bucket does not exist."
            => "Read the condition `StorageReady`; with `objectStorage.buckets.create: true` the operator makes missing buckets.",
        OOMKilled: "A container was killed because it used more memory than its limit."
            => "Raise `resources.limits.memory` of the component the message names, or lower the load on it.",
        CrashLoop: "A container ends again and again."
            => "Read the last line in the message and the container's log.",
        ProbeFailing: "A container runs, but its readiness or startup probe fails."
            => "Read the probe's answer in the message and the container's log.",
        DeadlineExceeded: "A pod has not become ready for fifteen minutes, and nothing says why."
            => "Read the pod's log and its events; the message names the pod.",
        VolumeExpansionUnsupported: "A volume claim cannot grow."
            => "Set `allowVolumeExpansion: true` on the StorageClass the message names. Where its driver cannot grow volumes, read the runbook: the way is a new claim, one ingester at a time.",
        RingUnhealthy: "A member of a backend's ring is not active or no longer reports."
            => "Read the message: it names ring and member. A member that is gone for good is forgotten on the ring's own page.",
        QuorumLost: "So many ring members are gone that the backend refuses writes or reads."
            => "Bring the ingesters the message names back. A replication factor of 3 with three ingesters survives one.",
        RingsActive: "Every ring member is active.",
        RingsUnknown: "The rings could not be asked."
            => "Let the operator reach the backends' Services, or allow it `get` on `services/proxy` and set `--reach proxy`.",
        NoRings: "No component of this stack has a ring.",
        Verified: "What the canary wrote last came back by query, and blocks are in the buckets or none is due yet.",
        NotYetRun: "The canary has not passed yet: the stack is not up, or nobody could reach its doors.",
        WriteFailed: "What the canary writes is not accepted at the door that applications use."
            => "Read the message: it names the door and the backend's own words. Applications are refused in the same way.",
        ReadBackTimeout: "What the canary wrote was accepted and does not come back by query."
            => "Look at the queriers and the query-frontend of the backend the message names: their logs, their memory, their connection to the ingesters.",
        ObjectNotSeen: "Writes are accepted and can be queried, but nothing reaches the bucket: the only copy is on the ingesters' volumes."
            => "Is the object store up, and do the pods' keys still work? Read the message and the ingesters' logs. Do not delete ingesters or their claims meanwhile.",
        DataPathBroken: "Every pod is ready, and yet telemetry is not taken, not found or not kept; see the condition `DataPathVerified`."
            => "Read the condition `DataPathVerified`.",
        QuotaFits: "What does not run yet fits into every quota.",
        InsufficientQuota: "A ResourceQuota has too little left for what does not run yet."
            => "Ask for the quota that `status.quota.suggestedHard` names, or lower the requests.",
        QuotaRequiresCPULimits: "A ResourceQuota counts limits.cpu, so it refuses every pod without a CPU limit; the policy sets none."
            => "Remove limits.cpu from the quota, or give it a scope that leaves these pods out, or set `resourcePolicy.cpuLimits: Allow` with a CPU limit on every component.",
        LimitRangeConflict: "A LimitRange will change or refuse the stack's pods."
            => "Take the rule the message names out of the LimitRange, or change the component's requests or limits to what it allows.",
        QuotaUnreadable: "Whether the stack fits cannot be told: the operator may not read what decides it, or a quota is not counted yet."
            => "Allow the operator what the message names (`list` and `watch` on resourcequotas and limitranges in this namespace); a new quota is counted within seconds.",
        PolicyKept: "Every container of every live pod keeps to the policy.",
        CPULimitFromLimitRange: "A LimitRange of the namespace puts CPU limits on pods that have none."
            => "Take `default.cpu` (and `max.cpu`) out of the LimitRange the message names; new pods are without it then.",
        CPULimitFromWebhook: "Something at admission, such as a mutating webhook, puts CPU limits on pods."
            => "Exclude the namespace from the webhook (`kubectl get mutatingwebhookconfigurations`).",
        CPULimitByHand: "Somebody put a CPU limit on a running pod."
            => "Delete the pod: its controller makes it without the limit.",
        MissingRequest: "A container requests no CPU or no memory."
            => "The message says where the container comes from: most often a sidecar that a webhook adds. Give it requests there, then make the pods anew.",
        MissingMemoryLimit: "An ingester or a store-gateway runs without a memory limit."
            => "The message says what took it off. Mend that, then delete the pods one at a time.",
        UnexpectedMemoryLimit: "A container has a memory limit that the policy does not want."
            => "The message says where it comes from: most often `default.memory` of a LimitRange.",
        NotVerified: "No pod is there to look at yet.",
        PolicyViolation: "A live pod breaks the resource policy; see the condition `PolicyCompliant`."
            => "Read the condition `PolicyCompliant`.",
        Tolerant: "Every component goes on with one of its pods lost.",
        ReplicationFactorTooLow: "With this replication factor the loss of one ingester stops writes or hides data."
            => "Set `replicationFactor: 3` with at least 3 ingesters.",
        SingleReplica: "A component runs once: while its pod is gone, what it does stands still."
            => "Expected for development; elsewhere give the component the message names more replicas.",
        ZonesTooFew: "The pods of a component stand on too few nodes or zones to survive the loss of one."
            => "Add nodes in another zone, or spread the pods.",
        NoSlack: "A drain waits: a component has no pod to spare right now."
            => "Read the message; most often a pod has to become ready again first.",
        Unprotected: "A component with more than one replica has no disruption budget."
            => "Set `disruption.podDisruptionBudgets: Auto`.",
        NoDrift: "Nobody else changed an object of the stack.",
        Repaired: "Somebody changed or deleted an object of the stack; it was put back."
            => "Make the change in the spec instead. The message names who changed what.",
        Contested: "Another manager changes the same field again and again; repairs are made less and less often."
            => "Take the field out of the other manager's manifest; the message names both.",
        AwaitingApproval: "A change waits for approval."
            => "Read `status.plan`, then set `spec.changes.approvedPlan` to `status.plan.digest`.",
        ApprovalStale: "`approvedPlan` names another plan than the one that waits."
            => "Read `status.plan` again and approve its digest.",
        InSupport: "Every chart is inside its support and was tested with this operator.",
        ChartEndOfSupport: "A chart runs a version whose support has ended."
            => "Move to a version of the catalog that is supported.",
        UntestedVersion: "A chart version was not tested with this operator."
            => "Use a version of the catalog, or test the stack's data path yourself.",
        DatasourcesNotReady: "The datasources or dashboards are not in place; see the condition `DatasourcesReady`."
            => "Read the condition `DatasourcesReady`.",
        NamespaceMissing: "The namespace for the datasources or the dashboards does not exist."
            => "Create the namespace the message names, or change `grafana.datasources.namespace` or `grafana.dashboards.namespace`.",
        GrafanaOperatorMissing: "The cluster does not serve the grafana-operator's API."
            => "Install the grafana-operator, or choose a sidecar as `provider` in `spec.grafana`.",
        DatasourcesProvisioned: "The datasources and dashboards are where Grafana's sidecar or the grafana-operator finds them.",
        NoDatasources: "spec.grafana asks for no datasources and no dashboards.",
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
