//! The three environments of `deploy/samples`: what runs is what the rollout document says, read from live objects.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use obstack_e2e::{
    BUDGET, CLAIM, CONFIG_MAP, Cluster, DEPLOYMENT, Flags, POD, SERVICE, STATEFUL_SET, World, edited, text,
};
use serde_json::{Value, json};

const ENVIRONMENTS: [&str; 3] = ["dev", "test", "prod"];

/// Pods, CPU in millicores, memory in Mi, volumes in Gi.
type Sums = (usize, u64, u64, u64);

const SAMPLES: [Sums; 3] = [(9, 410, 2112, 4), (9, 910, 4160, 8), (26, 2720, 12928, 16)];
/// The tables of the rollout document to the letter: Mimir 2 needs no query-scheduler.
const WITHOUT_SCHEDULER: [Sums; 3] = [(8, 400, 2048, 4), (8, 900, 4096, 8), (24, 2700, 12800, 16)];

fn without_scheduler(sample: &Value) -> Value {
    let none = json!({"replicas": 0});
    edited(
        sample,
        &[("/spec/metrics/chart/version", "5.8.0".into()), ("/spec/metrics/components/queryScheduler", none)],
    )
}

#[tokio::test]
async fn the_samples_become_what_the_rollout_document_says() {
    World::with("samples", &ENVIRONMENTS, async |world| {
        check(world, &Flags::default(), Value::clone, SAMPLES).await;
    })
    .await;
}

#[tokio::test]
async fn mimir_2_without_a_query_scheduler_gives_the_documents_tables_to_the_letter() {
    World::with("mimir2", &ENVIRONMENTS, async |world| {
        check(world, &Flags::default(), without_scheduler, WITHOUT_SCHEDULER).await;
    })
    .await;
}

#[tokio::test]
async fn the_upstream_charts_give_the_same_objects_and_sums() {
    let given = ["OBSTACK_UPSTREAM_CHARTS", "OBSTACK_CHARTS"].into_iter().find_map(std::env::var_os);
    let Some(charts) = given.map(PathBuf::from) else {
        println!("not run: upstream charts (OBSTACK_UPSTREAM_CHARTS is not set)");
        return;
    };
    let flags = Flags { charts: Some(charts), ..Flags::default() };
    let mut names = Vec::new();
    World::with("upstream", &ENVIRONMENTS, async |world| {
        names = check(world, &flags, Value::clone, SAMPLES).await;
    })
    .await;
    World::with("upstream2", &ENVIRONMENTS, async |world| {
        check(world, &flags, without_scheduler, WITHOUT_SCHEDULER).await;
    })
    .await;
    World::with("bundled", &ENVIRONMENTS, async |world| {
        let bundled = check(world, &Flags::default(), Value::clone, SAMPLES).await;
        for (environment, (bundled, upstream)) in ENVIRONMENTS.iter().zip(bundled.iter().zip(&names)) {
            let only =
                |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
            let (ours, theirs) = (only(bundled, upstream), only(upstream, bundled));
            println!("{environment}: only bundled: {ours:?}, only upstream: {theirs:?}");
            assert!(ours.is_empty() && theirs.is_empty(), "{environment}: {ours:?} {theirs:?}");
        }
    })
    .await;
}

/// Applies the three samples, waits until they are ready, and holds what is live against the document. Gives the
/// names of each environment's workloads, Services and claims.
async fn check(
    world: &World,
    flags: &Flags,
    variant: impl Fn(&Value) -> Value,
    sums: [Sums; 3],
) -> Vec<BTreeSet<String>> {
    let samples = ENVIRONMENTS.map(|environment| variant(&world.sample(environment)));
    for (environment, sample) in ENVIRONMENTS.iter().zip(&samples) {
        let namespace = text(sample, "/metadata/namespace");
        world.put_keys(namespace, &format!("dts-s3-{environment}"), &world.keys()).await;
    }
    let operator = world.spawn(flags);
    operator.working().await;
    for sample in &samples {
        world.make(sample).await;
    }
    let mut names = Vec::new();
    for ((environment, sample), sums) in ENVIRONMENTS.iter().zip(&samples).zip(sums) {
        world.ready(sample).await;
        // The budgets' controller counts a moment later.
        let protected = if *environment == "prod" { "Protected" } else { "NothingToProtect" };
        let stack = world.until(sample, "DisruptionProtected", "True", protected).await;
        let namespace = text(&stack, "/metadata/namespace");
        let pods = world.cluster.list(POD, namespace).await;
        let claims = world.cluster.list(CLAIM, namespace).await;
        assert_eq!(live_sums(&pods, &claims), sums, "{environment}: pods, CPU, memory, volumes");
        said(&stack, sums);
        let source = if flags.charts.is_some() { "Upstream" } else { "Bundled" };
        let charts = stack["status"]["charts"].as_array().expect("charts");
        assert!(charts.len() == 2 && charts.iter().all(|chart| chart["source"] == source), "{charts:?}");
        limits(&pods);
        budgets(&world.cluster, namespace, &pods).await;
        conditions(&stack, *environment == "prod");
        endpoints(&world.cluster, &stack).await;
        datasources(world, &stack, environment).await;
        names.push(object_names(&world.cluster, namespace).await);
    }
    let mut buckets: Vec<_> = ENVIRONMENTS
        .iter()
        .flat_map(|environment| {
            ["traces-{}-blocks", "metrics-{}-blocks", "metrics-{}-ruler", "metrics-{}-alertmanager"]
                .map(|name| format!("{}-{}", world.prefix, name.replace("{}", environment)))
        })
        .collect();
    buckets.sort();
    assert_eq!(world.s3.buckets(&world.prefix).await, buckets);
    let refused = world.audit.refused();
    assert!(refused.is_empty(), "I12: the shipped rights are enough: {refused:?}");
    names
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let list = |field: &str| pod["spec"][field].as_array().into_iter().flatten();
    list("initContainers").chain(list("containers"))
}

/// What the quota counts: the requests of the containers, or of the largest init container.
fn live_sums(pods: &[Value], claims: &[Value]) -> Sums {
    let request =
        |container: &Value, of: &str| quantity(text(container, &format!("/resources/requests/{of}")));
    let of_pod = |pod: &Value, of: &str| {
        let list = |field: &str| pod["spec"][field].as_array().cloned().unwrap_or_default();
        let main: u64 = list("containers").iter().map(|container| request(container, of)).sum();
        list("initContainers").iter().map(|container| request(container, of)).fold(main, u64::max)
    };
    let sum = |of: &str| pods.iter().map(|pod| of_pod(pod, of)).sum::<u64>();
    let volumes: u64 =
        claims.iter().map(|claim| quantity(text(claim, "/spec/resources/requests/storage"))).sum();
    (pods.len(), sum("cpu"), sum("memory") / (1000 << 20), volumes / (1000 << 30))
}

/// A quantity in thousandths.
fn quantity(text: &str) -> u64 {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().unwrap_or_else(|_| panic!("no quantity: {text:?}"));
    number
        * match &text[digits.len()..] {
            "m" => 1,
            "" => 1000,
            "Mi" => 1000 << 20,
            "Gi" => 1000 << 30,
            unit => panic!("unit {unit} of {text}"),
        }
}

/// The status says the same as the live objects.
fn said(stack: &Value, (pods, cpu, memory, volumes): Sums) {
    let said = json!({
        "pods": pods, "cpu": format!("{cpu}m"), "memory": format!("{memory}Mi"), "storage": format!("{volumes}Gi"),
    });
    assert_eq!(stack["status"]["requests"], said);
    let components = stack["status"]["components"].as_array().expect("components");
    let ready: u64 = components.iter().filter_map(|component| component["ready"].as_u64()).sum();
    assert_eq!(usize::try_from(ready), Ok(pods), "{components:#?}");
    for component in components {
        let state = text(component, "/state");
        let answered = state == "NotProvidedByBackend" && component["name"] == "traces.storeGateway";
        assert!(state == "Ready" || answered, "{component}");
    }
}

/// I7: no CPU limit; memory limits where ingesters and store-gateways run, and nowhere else.
fn limits(pods: &[Value]) {
    for pod in pods {
        let component = text(pod, "/metadata/labels/obstack.dev~1component");
        let bears =
            [".ingester", ".storeGateway", ".singleBinary"].iter().any(|end| component.ends_with(end));
        for container in containers(pod) {
            let limits = &container["resources"]["limits"];
            assert!(limits["cpu"].is_null(), "{component}: {limits}");
            assert_eq!(!limits["memory"].is_null(), bears, "{component}: {limits}");
            for request in ["cpu", "memory"] {
                assert!(
                    !text(container, &format!("/resources/requests/{request}")).is_empty(),
                    "{component}: {container}"
                );
            }
        }
    }
}

/// Each pod of a component with more than one replica is covered by one budget, every other one by none.
async fn budgets(cluster: &Cluster, namespace: &str, pods: &[Value]) {
    let budgets = cluster.list(BUDGET, namespace).await;
    let mut replicas: BTreeMap<&str, usize> = BTreeMap::new();
    for pod in pods {
        *replicas.entry(text(pod, "/metadata/labels/obstack.dev~1component")).or_default() += 1;
    }
    for pod in pods {
        let labels = pod["metadata"]["labels"].as_object().expect("labels");
        let covers = |budget: &&Value| {
            let selector = budget["spec"]["selector"]["matchLabels"].as_object().expect("a selector");
            selector.iter().all(|(key, value)| labels.get(key) == Some(value))
        };
        let covering = budgets.iter().filter(covers).count();
        let component = text(pod, "/metadata/labels/obstack.dev~1component");
        assert_eq!(covering, usize::from(replicas[component] > 1), "{namespace}: budgets of {component}");
    }
    for budget in &budgets {
        assert_eq!(budget["spec"]["maxUnavailable"], 1, "{budget}");
    }
}

fn conditions(stack: &Value, protected: bool) {
    let documented: BTreeMap<&str, (&str, &str)> = [
        ("Ready", ("True", "AllReady")),
        ("Available", ("True", "Serving")),
        ("Reconciling", ("False", "Idle")),
        ("Stalled", ("False", "Progressing")),
        ("SpecValid", ("True", "Valid")),
        ("StorageReady", ("True", "BucketsReady")),
        ("PlanApplied", ("True", "Applied")),
        ("WorkloadsReady", ("True", "AllReady")),
        ("DatasourcesReady", ("True", "DatasourcesProvisioned")),
        ("QuotaSatisfied", ("True", "QuotaFits")),
        ("PolicyCompliant", ("True", "PolicyKept")),
        // No container runs, so nobody can answer.
        ("RingsHealthy", ("Unknown", "RingsUnknown")),
        ("DataPathVerified", ("Unknown", "NotYetRun")),
        ("DisruptionProtected", ("True", if protected { "Protected" } else { "NothingToProtect" })),
        ("FaultTolerant", ("False", if protected { "ReplicationFactorTooLow" } else { "SingleReplica" })),
        ("DriftFree", ("True", "NoDrift")),
        ("Supported", ("True", "InSupport")),
    ]
    .into();
    let conditions = stack["status"]["conditions"].as_array().expect("conditions");
    let found: BTreeMap<_, _> =
        conditions.iter().map(|c| (text(c, "/type"), (text(c, "/status"), text(c, "/reason")))).collect();
    assert_eq!(found, documented);
    let generation = &stack["metadata"]["generation"];
    assert!(
        conditions.iter().all(|condition| condition["observedGeneration"] == *generation),
        "{conditions:#?}"
    );
    assert_eq!(stack["status"]["observedGeneration"], *generation);
}

/// Each endpoint names a Service and a port that exist.
async fn endpoints(cluster: &Cluster, stack: &Value) {
    let endpoints = stack["status"]["endpoints"].as_object().expect("endpoints");
    assert_eq!(endpoints.len(), 6, "{endpoints:?}");
    for (what, url) in endpoints {
        let url = url.as_str().expect("text");
        let host = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
        let (host, port) = host.rsplit_once(':').unwrap_or_else(|| panic!("{what}: {url} has no port"));
        let mut parts = host.split('.');
        let (Some(name), Some(namespace), Some("svc"), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            panic!("{what}: {url}")
        };
        let service = cluster.get(SERVICE, namespace, name).await;
        let port: u64 = port.parse().expect("a port");
        let served = service["spec"]["ports"].as_array().expect("ports");
        assert!(served.iter().any(|one| one["port"] == port), "{what}: {url}: {served:?}");
    }
}

async fn datasources(world: &World, stack: &Value, environment: &str) {
    let name =
        format!("{}-{}-datasources", text(stack, "/metadata/namespace"), text(stack, "/metadata/name"));
    let made = world.cluster.list(CONFIG_MAP, &world.tools).await;
    let label = format!("{}.{}", text(stack, "/metadata/namespace"), text(stack, "/metadata/name"));
    let object = made
        .iter()
        .find(|object| {
            object["metadata"]["name"] == name.as_str()
                || text(object, "/metadata/labels/obstack.dev~1stack") == label
        })
        .unwrap_or_else(|| panic!("no ConfigMap {name} in {}: {made:#?}", world.tools));
    assert_eq!(object["metadata"]["labels"]["grafana_datasource"], "1");
    assert!(
        object["metadata"]["ownerReferences"].is_null(),
        "an owner in another namespace would be collected"
    );
    let files = object["data"].as_object().expect("data");
    assert_eq!(files.len(), 1);
    let (file, content) = files.iter().next().expect("a file");
    assert!(file.ends_with(".yaml"), "{file}");
    let content: Value = serde_saphyr::from_str(content.as_str().expect("text")).expect("YAML");
    let [tempo, mimir] = content["datasources"].as_array().expect("datasources").as_slice() else {
        panic!("{content:#}")
    };
    let uid = |backend: &str| format!("{backend}-{environment}");
    assert_eq!(
        (text(tempo, "/name"), text(tempo, "/uid")),
        (&*format!("Tempo ({environment})"), &*uid("tempo"))
    );
    assert_eq!(
        (text(mimir, "/name"), text(mimir, "/uid")),
        (&*format!("Mimir ({environment})"), &*uid("mimir"))
    );
    assert_eq!((text(tempo, "/type"), text(mimir, "/type")), ("tempo", "prometheus"));
    let endpoints = &stack["status"]["endpoints"];
    assert_eq!((&tempo["url"], &mimir["url"]), (&endpoints["tracesQuery"], &endpoints["metricsQuery"]));
    let links = mimir["jsonData"]["exemplarTraceIdDestinations"].as_array().expect("exemplar links");
    assert!(links.iter().all(|link| link["datasourceUid"] == uid("tempo")), "{links:?}");
    assert!(links.iter().any(|link| link["name"] == "trace_id"), "{links:?}");
    assert_eq!(stack["status"]["datasources"].as_array().map(Vec::len), Some(2));
}

async fn object_names(cluster: &Cluster, namespace: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for kind in [DEPLOYMENT, STATEFUL_SET, SERVICE, CLAIM, BUDGET] {
        for object in cluster.list(kind, namespace).await {
            names.insert(format!("{}/{}", kind.name, text(&object, "/metadata/name")));
        }
    }
    names
}
