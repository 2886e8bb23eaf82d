//! What must be said of each cause: which object, which number.

use obstack_sandbox::Fault;

use crate::{
    drill::{Cause, Said},
    inject::{Injection, shows},
    simulated::Shown,
};

const fn said(
    by: &'static str,
    status: &'static str,
    reason: &'static str,
    words: &'static [&'static str],
) -> Said {
    Said { by, status, reason, words }
}

/// What quotas and limit ranges refuse.
pub const REFUSED: &[Cause] = &[
    Cause {
        name: "QuotaExceeded",
        inject: Injection::TightQuota,
        said: &[
            said(
                "WorkloadsReady",
                "False",
                "QuotaExceeded",
                &["StatefulSet dts-dev-tempo", "exceeded quota: team", "requests.cpu=10m", "requests.cpu=5m"],
            ),
            said("Ready", "False", "QuotaExceeded", &["team"]),
            said("QuotaSatisfied", "False", "InsufficientQuota", &["ResourceQuota team", "10m", "5m"]),
        ],
    },
    Cause {
        name: "QuotaRequiresCPULimits",
        inject: Injection::QuotaOnCpuLimits,
        said: &[
            said(
                "WorkloadsReady",
                "False",
                "QuotaRequiresCPULimits",
                &["StatefulSet dts-dev-tempo", "failed quota: limits", "limits.cpu"],
            ),
            said("QuotaSatisfied", "False", "QuotaRequiresCPULimits", &["ResourceQuota limits"]),
        ],
    },
    Cause {
        name: "LimitRangeDenied",
        inject: Injection::LowMaximum,
        said: &[
            said(
                "WorkloadsReady",
                "False",
                "LimitRangeDenied",
                &[
                    "StatefulSet dts-dev-tempo",
                    "maximum memory usage per Container is 32Mi",
                    "LimitRange small",
                ],
            ),
            said("QuotaSatisfied", "False", "LimitRangeConflict", &["LimitRange small", "32Mi"]),
        ],
    },
];

/// What admission denies or changes. With a stack of its own: refusals of a StatefulSet are told by events alone, and a
/// controller tells no more than 25 of one object in a row.
pub const ADMISSION: &[Cause] = &[
    Cause {
        name: "SecurityPolicyDenied",
        inject: Injection::HostPath,
        said: &[said(
            "WorkloadsReady",
            "False",
            "SecurityPolicyDenied",
            &[
                "StatefulSet dts-dev-tempo",
                "violates PodSecurity \"restricted:latest\"",
                "\"host\"",
                "hostPath",
            ],
        )],
    },
    Cause {
        name: "LimitRangeConflict",
        inject: Injection::DefaultToCome,
        said: &[
            said(
                "QuotaSatisfied",
                "False",
                "LimitRangeConflict",
                &["LimitRange defaults", "limits.cpu=500m", "traces.singleBinary"],
            ),
            said("WorkloadsReady", "False", "SecurityPolicyDenied", &[]),
        ],
    },
    Cause {
        name: "CPULimitFromLimitRange",
        inject: Injection::Default,
        said: &[
            said(
                "PolicyCompliant",
                "False",
                "CPULimitFromLimitRange",
                &["traces.singleBinary", "CPU limit 500m", "LimitRange defaults (default.cpu)"],
            ),
            said("Ready", "False", "PolicyViolation", &["CPULimitFromLimitRange"]),
        ],
    },
    Cause {
        name: "LimitRangeDenied cpu",
        inject: Injection::LowCpu,
        said: &[
            said(
                "WorkloadsReady",
                "False",
                "LimitRangeDenied",
                &[
                    "StatefulSet dts-dev-tempo",
                    "must be less than or equal to cpu limit of 5m",
                    "LimitRange small",
                ],
            ),
            said("QuotaSatisfied", "False", "LimitRangeConflict", &["LimitRange small", "10m", "5m"]),
        ],
    },
];

/// What a kubelet shows.
pub const PODS: &[Cause] = &[
    Cause {
        name: "ImagePullFailed",
        inject: shows(Fault::Image),
        said: &[said(
            "WorkloadsReady",
            "False",
            "ImagePullFailed",
            &["pod dts-dev-tempo-0", "container tempo", "grafana/tempo:", "not found"],
        )],
    },
    Cause {
        name: "CrashLoop",
        inject: Injection::Shown(Shown::Crash),
        said: &[said(
            "WorkloadsReady",
            "False",
            "CrashLoop",
            &[
                "pod dts-dev-tempo-0",
                "container tempo",
                "exit code 1",
                "listen tcp :3200: bind: address already in use",
            ],
        )],
    },
    Cause {
        name: "OOMKilled",
        inject: shows(Fault::Oom),
        said: &[said(
            "WorkloadsReady",
            "False",
            "OOMKilled",
            &["pod dts-dev-tempo-0", "memory limit 1Gi", "traces.singleBinary", "resources.limits.memory"],
        )],
    },
    Cause {
        name: "ProbeFailing",
        inject: shows(Fault::Probe),
        said: &[said(
            "WorkloadsReady",
            "False",
            "ProbeFailing",
            &["pod dts-dev-tempo-0", "container tempo", "Readiness probe failed", "statuscode: 503"],
        )],
    },
    Cause {
        name: "SecretMissing pod",
        inject: shows(Fault::Secret),
        said: &[said(
            "WorkloadsReady",
            "False",
            "SecretMissing",
            &["pod dts-dev-tempo-0", "container tempo", "Secret s3"],
        )],
    },
    Cause {
        name: "SecretKeyMissing pod",
        inject: shows(Fault::SecretKey),
        said: &[said(
            "WorkloadsReady",
            "False",
            "SecretKeyMissing",
            &["pod dts-dev-tempo-0", "container tempo", "key AWS_", "Secret s3"],
        )],
    },
    Cause {
        name: "Evicted",
        inject: shows(Fault::Evicted),
        said: &[said(
            "WorkloadsReady",
            "False",
            "Evicted",
            &["pod dts-dev-tempo-0", "The node was low on resource: memory"],
        )],
    },
];

/// What the spec asks for and is not there.
pub const SPEC: &[Cause] = &[
    Cause {
        name: "SecretMissing",
        inject: Injection::NoSecret,
        said: &[
            said("SpecValid", "False", "SecretMissing", &["Secret s3"]),
            said("Ready", "False", "InvalidSpec", &["Secret s3"]),
            said("Available", "True", "Serving", &[]),
        ],
    },
    Cause {
        name: "SecretKeyMissing",
        inject: Injection::NoSecretKey,
        said: &[
            said("SpecValid", "False", "SecretKeyMissing", &["Secret s3", "AWS_SECRET_ACCESS_KEY"]),
            said("Ready", "False", "InvalidSpec", &["Secret s3"]),
            said("Available", "True", "Serving", &[]),
        ],
    },
    Cause {
        name: "ChartUnavailable",
        inject: Injection::NoChart,
        said: &[
            said(
                "PlanApplied",
                "False",
                "ChartUnavailable",
                &["chart tempo 2.9.9", "tempo-2.9.9.tgz", "helm pull tempo"],
            ),
            said("Ready", "False", "ChartUnavailable", &["tempo 2.9.9"]),
            said("Available", "True", "Serving", &[]),
        ],
    },
    Cause {
        name: "Unschedulable",
        inject: Injection::NoNode,
        said: &[said(
            "WorkloadsReady",
            "False",
            "Unschedulable",
            &[
                "pod dts-dev-tempo-0",
                "0/",
                "nodes are available",
                "didn't match Pod's node affinity/selector",
            ],
        )],
    },
];

/// What the object store refuses.
pub const STORAGE: &[Cause] = &[
    Cause {
        name: "EndpointUnreachable",
        inject: Injection::ClosedDoor,
        said: &[
            said("StorageReady", "False", "EndpointUnreachable", &["{endpoint}"]),
            said("Ready", "False", "StorageNotReady", &["{endpoint}"]),
            said("Available", "True", "Serving", &[]),
        ],
    },
    Cause {
        name: "StorageUnreachable",
        inject: Injection::Shown(Shown::NoStore),
        said: &[
            said(
                "WorkloadsReady",
                "False",
                "StorageUnreachable",
                &["it waits for the object store", "{endpoint}"],
            ),
            said("StorageReady", "False", "EndpointUnreachable", &["{endpoint}"]),
            // Two backends that show it in two ways, and one that tells of it.
            said("metrics.ingester", "Blocked", "StorageUnreachable", &["{endpoint}"]),
            said(
                "traces.singleBinary",
                "Blocked",
                "StorageUnreachable",
                &["it waits for the object store, as metrics.ingester does"],
            ),
        ],
    },
    Cause {
        name: "AccessDenied",
        inject: Injection::ReadersKeys,
        said: &[
            said("StorageReady", "False", "AccessDenied", &["{prefix}-traces-dev-blocks", "{endpoint}"]),
            said("Ready", "False", "StorageNotReady", &["{prefix}-traces-dev-blocks"]),
            said("Stalled", "True", "AccessDenied", &[]),
        ],
    },
    Cause {
        name: "NoSuchBucket",
        inject: Injection::NoBucket,
        said: &[
            said("StorageReady", "False", "NoSuchBucket", &["{prefix}-traces-dev-blocks"]),
            said("Ready", "False", "StorageNotReady", &["{prefix}-traces-dev-blocks"]),
        ],
    },
    Cause {
        name: "BucketMissing",
        inject: Injection::Shown(Shown::NoBucket),
        said: &[
            said("WorkloadsReady", "False", "BucketMissing", &["{prefix}-traces-dev-blocks"]),
            said("StorageReady", "False", "NoSuchBucket", &["{prefix}-traces-dev-blocks"]),
        ],
    },
];

/// By an operator that may read classes.
pub const CLAIM: &[Cause] = &[Cause {
    name: "PVCPending",
    inject: Injection::NoClass,
    said: &[said(
        "WorkloadsReady",
        "False",
        "PVCPending",
        &["pod dts-dev-tempo-0", "volume claim", "its StorageClass {prefix}-fast does not exist"],
    )],
}];

/// By an operator that may not.
pub const CLAIM_OF_FEW_RIGHTS: &[Cause] = &[Cause {
    name: "PVCPending namespaced",
    inject: Injection::NoClass,
    said: &[said(
        "WorkloadsReady",
        "False",
        "PVCPending",
        &["pod dts-dev-tempo-0", "volume claim", "storageclass.storage.k8s.io \"{prefix}-fast\" not found"],
    )],
}];

/// What becomes of pods without their node.
pub const NODE: &[Cause] = &[Cause {
    name: "NodeLost",
    inject: Injection::Shown(Shown::Node),
    said: &[said("WorkloadsReady", "False", "NodeLost", &["pod dts-dev-tempo-0", "{prefix}-node"])],
}];
