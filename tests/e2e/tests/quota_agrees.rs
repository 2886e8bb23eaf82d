//! The quota preflight and the API server agree: what it says fits is let in to the last pod and claim, and of what
//! it says does not fit something is refused. Cases are generated; the quotas lie close to what is needed.
//!
//! `OBSTACK_SEED` repeats a run, `OBSTACK_LONG=1` makes it ten times as long.

mod quota_cases;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use obstack_api::{ConditionStatus, Preflight as Mode, ResourcePolicy};
use obstack_core::{
    assemble::PlannedComponent,
    backends::role::Class,
    live::{Live, QuotaFacts},
    need::PodNeed,
    objects::ObjectId,
    quantity::Amount,
    quota::{Preflight, QuotaWish, Room, preflight},
};
use obstack_e2e::{
    CLAIM, CONFIG_MAP, Cluster, LIMIT_RANGE, NAMESPACE, POD, PRIORITY_CLASS, QUOTA, World, edited,
    eventually, random, room, text,
};
use quota_cases::{Case, Seed};
use serde_json::{Value, json};

/// The quota that tells that admission knows all before it.
const LAST: &str = "zz-last";

#[tokio::test]
async fn what_fits_is_let_in_and_what_does_not_is_refused() {
    let long = std::env::var_os("OBSTACK_LONG").is_some_and(|long| long == "1");
    let given = std::env::var("OBSTACK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u32 = given.unwrap_or_else(|| std::process::id().wrapping_mul(2_654_435_761));
    let cases = if long { 100 } else { 10 };
    println!("OBSTACK_SEED={seed}, {cases} cases");
    World::run("quota-agrees", async |world| {
        let class = format!("e2e-{}", random());
        let object = json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
            "metadata": {"name": class}, "value": 7, "preemptionPolicy": "Never"});
        world.cluster.make(PRIORITY_CLASS, &object).await;
        let metadata = json!({"name": "latest", "namespace": world.namespace});
        let range =
            json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": latest("1")});
        world.cluster.make(LIMIT_RANGE, &range).await;
        let (mut faults, mut fitting) = (Vec::new(), 0);
        for number in 0..cases {
            let case = Case::generate(Seed::new(seed, number), &class);
            let namespace = format!("{}-{number}", world.namespace);
            let found = agree(world, &namespace, number, &case).await;
            world.cluster.delete(NAMESPACE, "", &namespace).await;
            match found {
                Ok(fits) => fitting += u32::from(fits),
                Err(fault) => faults.push(format!("case {number} in {namespace}: {fault}\n{case:#?}")),
            }
        }
        world.cluster.delete(PRIORITY_CLASS, "", &class).await;
        println!("{cases} cases, of which {fitting} fit");
        assert!(faults.is_empty(), "OBSTACK_SEED={seed}\n{}", faults.join("\n\n"));
        assert!(!long || (1..cases).contains(&fitting), "the cases test nothing: {fitting} of {cases} fit");
    })
    .await;
}

/// Asks the preflight, then the API server. Gives what both say.
async fn agree(world: &World, namespace: &str, number: u32, case: &Case) -> Result<bool, String> {
    let cluster = &world.cluster;
    cluster.make_namespace(namespace).await;
    let account = obstack_e2e::SERVICE_ACCOUNT;
    eventually("the namespace takes pods", async || {
        cluster.find(account, namespace, "default").await.map(drop).ok_or_else(|| "no account".to_owned())
    })
    .await;
    for object in &case.fillers {
        create(cluster, &placed(object, namespace))
            .await
            .map_err(|refusal| format!("a filler: {refusal}"))?;
    }
    make_ranges(world, namespace, number, case).await;
    make_quotas(cluster, namespace, case).await;

    let components: Vec<_> = case.workloads.iter().map(|workload| component(workload, namespace)).collect();
    let before = room(cluster, namespace).await;
    let foretold = look(&components, &before);
    let mut refusals = Vec::new();
    for object in case.workloads.iter().flat_map(quota_cases::objects) {
        refusals.extend(create(cluster, &placed(&object, namespace)).await.err());
    }
    let after = look(&components, &room(cluster, namespace).await);
    let says = |found: &Preflight| {
        let finding = found.finding.clone().expect("somebody looked");
        (finding.status == ConditionStatus::True, finding.message)
    };
    let ((fits, words), (still_fits, words_after)) = (says(&foretold), says(&after));
    let all_in = refusals.is_empty();
    let context = format!("{refusals:#?}\n{:#?}\n{:#?}", before.quotas, before.limit_ranges);
    // What was refused still does not fit beside the rest; what runs needs nothing more.
    if still_fits != all_in && !case.has_ephemeral_claims() {
        return Err(format!("afterwards the preflight said `{words_after}`, and was refused: {context}"));
    }
    let right = all_in && (fits || !too_much_was_let_in(cluster, namespace).await);
    if fits != right {
        return Err(format!("the preflight said `{words}`, and the API server refused: {context}"));
    }
    Ok(fits)
}

/// The quota controller counts from a cache that may lack what was let in a moment ago. Then a quota has room once
/// more for what it already holds, until it is counted again: whether it holds too much shows by then.
async fn too_much_was_let_in(cluster: &Cluster, namespace: &str) -> bool {
    let look = async || {
        let quotas = room(cluster, namespace).await.quotas.unwrap_or_default();
        let over = |quota: &QuotaFacts| {
            let over = |(resource, used): (&String, &Amount)| {
                quota.hard.get(resource).is_some_and(|hard| used > hard)
            };
            quota.name != LAST && quota.used.iter().any(over)
        };
        quotas.iter().any(over)
    };
    for _ in 0..50 {
        if look().await {
            println!("{namespace}: the API server let in more than a quota allows");
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

fn look(components: &[PlannedComponent], live: &Live) -> Preflight {
    let whole = |text: &str| Amount::parse(text).expect("an amount");
    let wish = QuotaWish {
        preflight: Mode::Enforce,
        headroom_percent: 20,
        round_up_to: Room { cpu: whole("1"), memory: whole("1Gi"), storage: whole("1Gi") },
        reserved: None,
        // Limits that a range adds are no refusal.
        policy: ResourcePolicy {
            cpu_limits: obstack_api::CpuLimits::Allow,
            memory_limits: obstack_api::MemoryLimits::Any,
        },
    };
    preflight(&wish, components, &BTreeSet::new(), &BTreeMap::new(), live)
}

fn component(workload: &Value, namespace: &str) -> PlannedComponent {
    let name = text(workload, "/metadata/name");
    let id = format!("{}/{namespace}/{name}", text(workload, "/kind"));
    PlannedComponent {
        name: name.to_owned(),
        workload: id.parse::<ObjectId>().expect("a workload"),
        desired: quota_cases::replicas(workload),
        image: String::new(),
        protected: false,
        class: Class::Other,
        need: PodNeed::of(workload),
    }
}

fn placed(object: &Value, namespace: &str) -> Value {
    edited(object, &[("/metadata/namespace", namespace.into())])
}

/// Makes a pod or claim, or gives the API server's refusal. A quota that somebody counts at the same time is no
/// refusal.
async fn create(cluster: &Cluster, object: &Value) -> Result<(), String> {
    let kind = if object["kind"] == "Pod" { POD } else { CLAIM };
    let name = text(object, "/metadata/name");
    eventually("the API server answers", async || match cluster.create(kind, object, false).await {
        Ok(_) => Ok(Ok(())),
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 422) => {
            Ok(Err(format!("{} {name}: {}", kind.name, status.message)))
        }
        Err(kube::Error::Api(status)) if status.code == 409 && status.reason != "AlreadyExists" => {
            Err(status.message.clone())
        }
        Err(error) => panic!("create {} {name}: {error}", kind.name),
    })
    .await
}

/// The spec of a range that shows which one of them admission knows.
fn latest(request: &str) -> Value {
    json!({"limits": [{"type": "Container", "defaultRequest": {"cpu": request}}]})
}

/// Makes the ranges that are valid, and waits until admission knows them. It learns of ranges in their order: when it
/// knows one of the test's own that was changed later, it knows all before.
async fn make_ranges(world: &World, namespace: &str, number: u32, case: &Case) {
    let cluster = &world.cluster;
    for range in &case.ranges {
        match cluster.create(LIMIT_RANGE, &placed(range, namespace), false).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 422 => {}
            Err(error) => panic!("{range}: {error}"),
        }
    }
    let request = format!("{}m", number + 1);
    let patch = json!({"spec": latest(&request)});
    cluster.merge(LIMIT_RANGE, &world.namespace, "latest", "e2e", patch).await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe", "namespace": world.namespace},
        "spec": {"containers": [{"name": "c", "image": "i"}]}});
    eventually("admission knows the ranges", async || {
        let made = cluster.create(POD, &pod, true).await.map_err(|error| error.to_string())?;
        let seen = text(&made, "/spec/containers/0/resources/requests/cpu");
        if seen == request { Ok(()) } else { Err(format!("it sets {seen}, not {request}")) }
    })
    .await;
}

/// Makes the quotas, so that what is free in each lies close to what is needed, and waits until admission knows them
/// counted: the last one refuses a `ConfigMap`, and admission learns of quotas in their order.
async fn make_quotas(cluster: &Cluster, namespace: &str, case: &Case) {
    for quota in &case.quotas {
        let name = text(quota, "/metadata/name");
        cluster.make(QUOTA, &placed(quota, namespace)).await;
        counted(cluster, namespace, name).await;
    }
    let components: Vec<_> = case.workloads.iter().map(|workload| component(workload, namespace)).collect();
    let now = room(cluster, namespace).await;
    // Nothing is allowed yet, so every need is a blocker.
    let status = look(&components, &now).status.expect("somebody looked");
    for quota in &case.quotas {
        let name = text(quota, "/metadata/name");
        let facts = now.quotas.iter().flatten().find(|facts| facts.name == name).expect("it was made");
        let needs = |resource: &str| {
            let mut blockers = status.blockers.iter();
            let found = blockers.find(|blocker| blocker.quota == name && blocker.resource == resource);
            found.and_then(|blocker| Amount::parse(&blocker.needs).ok()).unwrap_or_default()
        };
        let hard: BTreeMap<_, _> = facts
            .used
            .iter()
            .map(|(resource, used)| {
                let amount = case.hard(name, resource, *used, needs(resource));
                (resource.clone(), amount.of_resource(resource))
            })
            .collect();
        cluster.merge(QUOTA, namespace, name, "e2e", json!({"spec": {"hard": hard}})).await;
        counted(cluster, namespace, name).await;
    }
    let metadata = json!({"name": LAST, "namespace": namespace});
    let last = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata,
        "spec": {"hard": {"count/configmaps": "0"}}});
    cluster.make(QUOTA, &last).await;
    let metadata = json!({"name": "probe", "namespace": namespace});
    let probe = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
    eventually("admission knows the quotas", async || match cluster.create(CONFIG_MAP, &probe, true).await {
        Err(kube::Error::Api(status)) if status.message.contains(&format!("exceeded quota: {LAST}")) => {
            Ok(())
        }
        other => Err(format!("{other:?}")),
    })
    .await;
}

/// Waits until the quota controller has counted what a quota now allows.
async fn counted(cluster: &Cluster, namespace: &str, name: &str) {
    eventually("the quota is counted", async || {
        let quota = cluster.get(QUOTA, namespace, name).await;
        let (status, hard) = (&quota["status"], &quota["spec"]["hard"]);
        let keys = |map: &Value| map.as_object().map(|map| map.keys().cloned().collect::<BTreeSet<_>>());
        if status["hard"] == *hard && keys(&status["used"]) == keys(hard) {
            Ok(())
        } else {
            Err(quota.to_string())
        }
    })
    .await;
}
