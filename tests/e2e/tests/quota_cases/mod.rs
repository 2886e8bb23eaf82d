//! Generated cases: workloads, what is there before them, quotas and limit ranges. A seed always gives the same.

use obstack_core::quantity::Amount;
use serde_json::{Map, Value, json};

/// A source of choices (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Seed(u64);

impl Seed {
    pub fn new(run: u32, case: u32) -> Self {
        Self(u64::from(run) << 32 | u64::from(case))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True so many times in a hundred.
    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let index = self.below(from.len() as u64);
        from[usize::try_from(index).expect("an index")]
    }
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    pub workloads: Vec<Value>,
    /// Pods and claims that are there before.
    pub fillers: Vec<Value>,
    pub ranges: Vec<Value>,
    /// Quotas that allow nothing; [`Case::hard`] says what they are to allow.
    pub quotas: Vec<Value>,
    /// Decides how close the quotas come.
    seed: Seed,
}

const POD_RESOURCES: &[&str] = &[
    "cpu",
    "requests.cpu",
    "requests.cpu",
    "requests.cpu",
    "requests.memory",
    "requests.memory",
    "memory",
    "pods",
    "pods",
    "count/pods",
    "requests.ephemeral-storage",
    "limits.ephemeral-storage",
    "requests.example.com/gpu",
    "limits.memory",
    "limits.cpu",
];
const CLAIM_RESOURCES: &[&str] = &[
    "requests.storage",
    "requests.storage",
    "persistentvolumeclaims",
    "count/persistentvolumeclaims",
    "standard.storageclass.storage.k8s.io/requests.storage",
    "late.storageclass.storage.k8s.io/persistentvolumeclaims",
];

impl Case {
    /// The case of a seed. `class` is a priority class that exists.
    pub fn generate(mut seed: Seed, class: &str) -> Self {
        let workloads = (0..=seed.below(3)).map(|index| workload(&mut seed, index, class)).collect();
        let mut fillers = Vec::new();
        for index in 0..seed.below(3) {
            let workload = workload(&mut seed, 100 + index, class);
            fillers.extend(objects(&workload).into_iter().take(2));
        }
        for filler in &mut fillers {
            // They count in quotas, and are none of ours.
            filler["metadata"]["labels"] = json!({});
        }
        let quotas = (0..=seed.below(2)).map(|index| quota(&mut seed, index, class)).collect();
        Self { workloads, fillers, ranges: ranges(&mut seed), quotas, seed }
    }

    /// Claims come with pods, which are not observed.
    pub fn has_ephemeral_claims(&self) -> bool {
        self.workloads.iter().any(|workload| !workload["spec"]["template"]["spec"]["volumes"].is_null())
    }

    /// What a quota is to allow of a resource of which so much is used and so much is needed: mostly enough, by a
    /// hair, or a hair too little.
    pub fn hard(&self, quota: &str, resource: &str, used: Amount, needs: Amount) -> Amount {
        let salt = quota
            .bytes()
            .chain(resource.bytes())
            .fold(0_u64, |salt, byte| salt.wrapping_mul(31) + u64::from(byte));
        let mut seed = Seed(self.seed.0 ^ salt);
        // Quotas are whole numbers but for CPU; this is what is too little of either.
        let hair = if resource.ends_with("cpu") { "1m" } else { "1" };
        let hair = Amount::parse(hair).expect("an amount");
        let exact = used + needs;
        match seed.below(16) {
            0 | 1 => exact.minus(hair),
            2 => used + Amount::parse("1").expect("an amount"),
            3 => exact + hair,
            4 => exact + needs,
            _ => exact,
        }
    }
}

/// Replicas of a workload.
pub fn replicas(workload: &Value) -> u32 {
    workload["spec"]["replicas"].as_u64().and_then(|number| number.try_into().ok()).unwrap_or(1)
}

/// The claims and pods that a workload's controller would make.
pub fn objects(workload: &Value) -> Vec<Value> {
    let mut objects = Vec::new();
    let name = workload["metadata"]["name"].as_str().expect("a name");
    let template = &workload["spec"]["template"];
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let claim = |name: String, claim: &Value| {
        let (kind, metadata) = ("PersistentVolumeClaim", json!({"name": name}));
        json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": claim["spec"]})
    };
    for ordinal in 0..replicas(workload) {
        let pod = format!("{name}-{ordinal}");
        for template in list(&workload["spec"]["volumeClaimTemplates"]) {
            let of = template["metadata"]["name"].as_str().expect("a name");
            objects.push(claim(format!("{of}-{pod}"), &template));
        }
        for volume in list(&template["spec"]["volumes"]) {
            let of = volume["name"].as_str().expect("a name");
            objects.push(claim(format!("{pod}-{of}"), &volume["ephemeral"]["volumeClaimTemplate"]));
        }
        let metadata = json!({"name": pod, "labels": {"obstack.dev/component": name}});
        objects
            .push(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}));
    }
    objects
}

fn workload(seed: &mut Seed, index: u64, class: &str) -> Value {
    let stateful = seed.chance(50);
    let mut init = Vec::new();
    for number in 0..seed.below(4) {
        let mut container = container(seed, &format!("init{number}"), 3);
        if seed.chance(50) {
            container["restartPolicy"] = "Always".into();
        }
        init.push(container);
    }
    let main: Vec<_> =
        (0..=seed.below(2)).map(|number| container(seed, &format!("main{number}"), 1)).collect();
    let mut pod = json!({"containers": main, "initContainers": init, "terminationGracePeriodSeconds": 0});
    if seed.chance(25) {
        pod["priorityClassName"] = class.into();
    }
    if seed.chance(10) {
        pod["resources"] = json!({"requests": {"cpu": "20"}, "limits": {"memory": "64Gi"}});
    }
    if seed.chance(15) {
        let template = claim_template(seed, "unused");
        pod["volumes"] =
            json!([{"name": "cache", "ephemeral": {"volumeClaimTemplate": {"spec": template["spec"]}}}]);
    }
    let claims: Vec<_> = (0..seed.below(3))
        .filter(|_| stateful)
        .map(|number| claim_template(seed, &format!("data{number}")))
        .collect();
    let spec = json!({
        "replicas": 1 + seed.below(3),
        "template": {"spec": pod},
        "volumeClaimTemplates": claims,
    });
    let kind = if stateful { "StatefulSet" } else { "Deployment" };
    json!({"kind": kind, "metadata": {"name": format!("w{index}")}, "spec": spec})
}

/// A container, most of which request CPU and memory, and some have limits of as much or twice as much.
fn container(seed: &mut Seed, name: &str, size: u64) -> Value {
    let (mut requests, mut limits) = (Map::new(), Map::new());
    let amounts: [(&str, u64, &str, u64, u64); 3] = [
        ("cpu", 10 + seed.below(100) * size, "m", 97, 20),
        ("memory", 16 + seed.below(200) * size, "Mi", 97, 35),
        ("ephemeral-storage", 1 + seed.below(100), "Mi", 15, 10),
    ];
    for (resource, amount, unit, requested, limited) in amounts {
        if seed.chance(requested) {
            requests.insert(resource.into(), format!("{amount}{unit}").into());
        }
        if seed.chance(limited) {
            let times = 1 + seed.below(2);
            limits.insert(resource.into(), format!("{}{unit}", amount * times).into());
        }
    }
    if seed.chance(5) {
        requests.insert("example.com/gpu".into(), "2".into());
        limits.insert("example.com/gpu".into(), "2".into());
    }
    json!({"name": name, "image": "none", "resources": {"requests": requests, "limits": limits}})
}

fn claim_template(seed: &mut Seed, name: &str) -> Value {
    let size = seed.pick(&["1Gi", "2Gi", "1.5Gi", "1500000000500m"]);
    let mut spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}});
    if seed.chance(50) {
        spec["storageClassName"] = seed.pick(&["standard", "late", ""]).into();
    }
    json!({"metadata": {"name": name}, "spec": spec})
}

/// A quota of pods, sometimes with a scope, or of claims; it allows nothing yet.
fn quota(seed: &mut Seed, index: u64, class: &str) -> Value {
    let of_claims = seed.chance(35);
    let resources = if of_claims { CLAIM_RESOURCES } else { POD_RESOURCES };
    let mut hard: Map<_, _> =
        (0..=seed.below(3)).map(|_| (seed.pick(resources).to_owned(), Value::from("0"))).collect();
    let mut spec = json!({});
    if !of_claims && seed.chance(50) {
        let classes = json!([class, "other"]);
        let (scope, operator) = match seed.below(8) {
            0 => ("Terminating", "Exists"),
            1 => ("NotTerminating", "Exists"),
            2 => ("BestEffort", "Exists"),
            3 => ("NotBestEffort", "Exists"),
            4 => ("PriorityClass", "Exists"),
            5 => ("PriorityClass", "DoesNotExist"),
            6 => ("PriorityClass", "In"),
            _ => ("PriorityClass", "NotIn"),
        };
        if scope == "BestEffort" {
            hard = Map::from_iter([("pods".to_owned(), Value::from("0"))]);
        }
        let mut selector = json!({"scopeName": scope, "operator": operator});
        if operator.ends_with("In") {
            selector["values"] = classes;
        }
        spec["scopeSelector"] = json!({"matchExpressions": [selector]});
        // Under a scope the API server takes pods, CPU and memory, of what it knows.
        hard.retain(|resource, _| !resource.contains("ephemeral"));
        if hard.is_empty() {
            hard.insert("pods".to_owned(), "0".into());
        }
    }
    spec["hard"] = hard.into();
    json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": format!("q{index}")}, "spec": spec})
}

/// Limit ranges, some of which refuse something. Two never have defaults for the same: the API server would take
/// either.
fn ranges(seed: &mut Seed) -> Vec<Value> {
    let mut rules = Vec::new();
    if seed.chance(45) {
        let mut rule = json!({"type": "Container"});
        let fields = [
            (40, "/default/memory", &["600Mi", "1Gi", "4Gi"][..]),
            (20, "/default/cpu", &["250m", "1"]),
            (30, "/defaultRequest/memory", &["64Mi", "128Mi"]),
            (30, "/defaultRequest/cpu", &["25m"]),
            (20, "/defaultRequest/ephemeral-storage", &["5Mi"]),
            (15, "/min/cpu", &["5m", "15m"]),
            (10, "/max/memory", &["700Mi", "2Gi"]),
            (10, "/max/cpu", &["300m", "2"]),
            (8, "/maxLimitRequestRatio/memory", &["2", "40"]),
        ];
        for (percent, pointer, amounts) in fields {
            if seed.chance(percent) {
                let amount = seed.pick(amounts);
                obstack_e2e::set(&mut rule, pointer, amount.into());
            }
        }
        rules.push(rule);
    }
    if seed.chance(12) {
        let field = seed.pick(&["min", "max"]);
        let amount = seed.pick(&["30m", "300m"]);
        rules.push(json!({"type": "Pod", field: {"cpu": amount}}));
    }
    if seed.chance(20) {
        let (field, amount) =
            if seed.chance(50) { ("min", "1Gi") } else { ("max", seed.pick(&["1700Mi", "2Gi"])) };
        rules.push(json!({"type": "PersistentVolumeClaim", field: {"storage": amount}}));
    }
    let together = seed.chance(50);
    let range = |(index, limits): (usize, Vec<Value>)| {
        let metadata = json!({"name": format!("r{index}")});
        json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": {"limits": limits}})
    };
    let groups = if together { vec![rules] } else { rules.into_iter().map(|rule| vec![rule]).collect() };
    groups.into_iter().filter(|group| !group.is_empty()).enumerate().map(range).collect()
}
