//! Releases of Helm that a stack takes over: what they come to, what is in the way, and what a takeover changes.

#![cfg(test)]

mod common;

use common::helm::{Charts, helm, install, plan_of, upstream};
use obstack_core::{
    adopt::{Adoption, Fate, HelmChart, HelmRelease, Obstacle, Takeover, Wish, compare, draft, stack},
    facts::Cluster,
    names::StackKey,
    objects::Kind,
};
use serde_json::{Map, Value};

const NAMESPACE: &str = "monitoring";

/// A release as somebody might run it: chart, version, name and values.
struct Fixture {
    chart: (&'static str, &'static str),
    name: &'static str,
    values: &'static str,
}

const TEMPO: Fixture = Fixture {
    chart: ("tempo", "2.2.4"),
    name: "tempo",
    values: "
tempo:
  retention: 720h
  resources: {requests: {cpu: 200m, memory: 1Gi}, limits: {cpu: 2, memory: 2Gi}}
  extraEnvFrom: [{secretRef: {name: s3-keys}}]
  storage:
    trace:
      backend: s3
      s3: {bucket: my-traces, endpoint: 'minio.storage:9000', insecure: true, forcepathstyle: true}
      wal: {path: /var/tempo/wal}
persistence: {enabled: true, size: 7Gi, storageClassName: fast}
nodeSelector: {disk: ssd}
tolerations: [{key: telemetry, operator: Exists}]
",
};

const TEMPO_DISTRIBUTED: Fixture = Fixture {
    chart: ("tempo-distributed", "2.26.2"),
    name: "prod",
    values: "
traces: {otlp: {grpc: {enabled: true}, http: {enabled: true}}}
memcached: {enabled: false}
cache: {caches: []}
storage:
  trace:
    backend: s3
    s3: {bucket: my-traces, endpoint: s3.eu-central-1.amazonaws.com, region: eu-central-1}
distributor: {replicas: 2, resources: {requests: {cpu: 100m, memory: 256Mi}, limits: {memory: 1Gi}}}
ingester:
  replicas: 3
  persistence: {enabled: true, size: 5Gi}
  resources: {requests: {cpu: 1, memory: 1Gi}, limits: {cpu: 2, memory: 4Gi}}
  config: {replication_factor: 3}
  extraEnv:
    - {name: AWS_ACCESS_KEY_ID, valueFrom: {secretKeyRef: {name: tempo-s3, key: access}}}
    - {name: AWS_SECRET_ACCESS_KEY, valueFrom: {secretKeyRef: {name: tempo-s3, key: secret}}}
    - {name: LOG_STYLE, value: plain}
querier: {replicas: 2, resources: {requests: {cpu: 100m, memory: 512Mi}}}
compactor: {config: {compaction: {block_retention: 336h}}}
",
};

const MIMIR: Fixture = Fixture {
    chart: ("mimir-distributed", "6.1.0"),
    name: "mimir",
    values: "
kafka: {enabled: false}
minio: {enabled: false}
rollout_operator: {enabled: false}
global: {extraEnvFrom: [{secretRef: {name: s3-keys}}]}
mimir:
  structuredConfig:
    multitenancy_enabled: false
    ingest_storage: {enabled: false}
    ingester: {push_grpc_method_enabled: true, ring: {replication_factor: 3}}
    limits: {compactor_blocks_retention_period: 1y, max_global_series_per_user: 300000}
    common:
      storage:
        backend: s3
        s3:
          endpoint: minio.storage:9000
          insecure: true
          access_key_id: ${AWS_ACCESS_KEY_ID}
          secret_access_key: ${AWS_SECRET_ACCESS_KEY}
    blocks_storage: {s3: {bucket_name: mimir-blocks}}
    ruler_storage: {s3: {bucket_name: mimir-ruler}}
    alertmanager_storage: {s3: {bucket_name: mimir-alertmanager}}
ingester:
  replicas: 3
  zoneAwareReplication: {enabled: false}
  persistentVolume: {size: 20Gi}
  resources: {requests: {cpu: 500m, memory: 2Gi}, limits: {cpu: 1, memory: 6Gi}}
store_gateway:
  replicas: 2
  zoneAwareReplication: {enabled: false}
  persistentVolume: {enabled: true, size: 4Gi}
  resources: {requests: {cpu: 100m, memory: 512Mi}}
compactor: {persistentVolume: {size: 8Gi}, podLabels: {team: o11y}}
alertmanager: {zoneAwareReplication: {enabled: false}, persistentVolume: {size: 1Gi}}
query_scheduler: {replicas: 2}
ruler: {enabled: false}
overrides_exporter: {enabled: false}
gateway: {enabled: false}
chunks-cache: {enabled: false}
",
};

const MIMIR_5: Fixture = Fixture { chart: ("mimir-distributed", "5.8.0"), ..MIMIR };

const ALL: [Fixture; 4] = [TEMPO, TEMPO_DISTRIBUTED, MIMIR, MIMIR_5];

fn wish() -> Wish {
    Wish {
        key: StackKey { namespace: NAMESPACE.into(), name: "obs".into() },
        environment: "prod".into(),
        credentials: None,
        source: None,
        cluster: Cluster { version: "1.36.3".into(), minor: 36, openshift: false },
    }
}

/// What runs `check` with each fixture as each kind of charts renders it.
fn each(fixtures: &[Fixture], check: impl Fn(&HelmRelease, &Charts)) {
    let Some(helm) = helm() else { return };
    for charts in [Some(Charts::Bundled), upstream()].into_iter().flatten() {
        for fixture in fixtures {
            if let Some(release) = installed(&helm, &charts, fixture, "") {
                check(&release, &charts);
            }
        }
    }
}

fn installed(
    helm: &std::path::Path,
    charts: &Charts,
    fixture: &Fixture,
    overlay: &str,
) -> Option<HelmRelease> {
    let mut values = common::yaml(fixture.values);
    // The bundled chart knows one version of Mimir's configuration.
    if fixture.chart.1 == "5.8.0" {
        for gone in [
            "/mimir/structuredConfig/ingest_storage",
            "/mimir/structuredConfig/ingester/push_grpc_method_enabled",
        ] {
            let (above, key) = gone.rsplit_once('/').unwrap();
            values.pointer_mut(above).unwrap().as_object_mut().unwrap().remove(key);
        }
    }
    if !overlay.is_empty() {
        json_patch::merge(&mut values, &common::yaml(overlay));
    }
    let (objects, defaults) = install(helm, charts, fixture.chart, (fixture.name, NAMESPACE), &values)?;
    Some(release(fixture, &values, &defaults, objects))
}

fn release(fixture: &Fixture, values: &Value, defaults: &Value, objects: Vec<Value>) -> HelmRelease {
    HelmRelease {
        name: fixture.name.into(),
        namespace: NAMESPACE.into(),
        revision: 3,
        status: "deployed".into(),
        chart: HelmChart {
            name: fixture.chart.0.into(),
            version: fixture.chart.1.into(),
            app_version: None,
            bundled: false,
        },
        values: values.as_object().cloned().unwrap_or_default(),
        chart_values: defaults.as_object().cloned().unwrap_or_default(),
        objects,
    }
}

fn adopted(releases: &[&HelmRelease]) -> Adoption {
    let told =
        |obstacles: Vec<Obstacle>| -> Vec<String> { obstacles.iter().map(ToString::to_string).collect() };
    let drafts: Vec<_> =
        releases.iter().map(|release| draft(release, &wish()).map_err(told).unwrap()).collect();
    stack(&drafts, &wish()).map_err(told).unwrap()
}

fn lines(said: &[impl ToString]) -> String {
    said.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn said(adoption: &Adoption) -> String {
    lines(&adoption.notes)
}

/// A takeover by the same charts that rendered the release.
fn takeover(release: &HelmRelease, charts: &Charts) -> (Takeover, Adoption) {
    let adoption = adopted(&[release]);
    let (plan, _) = plan_of(&helm().unwrap(), charts, adoption.stack.clone());
    (compare(&release.objects, NAMESPACE, &plan), adoption)
}

#[test]
fn every_stateful_set_is_taken_over_with_its_claims() {
    each(&ALL, |release, charts| {
        let (takeover, adoption) = takeover(release, charts);
        let about = format!("{} {:?}\n{}", release.chart.name, charts, said(&adoption));
        assert_eq!(takeover.refusals(), Vec::<String>::new(), "{about}");
        let sets = takeover.objects.iter().filter(|object| object.name.kind == "StatefulSet");
        let sets: Vec<_> = sets.collect();
        assert!(!sets.is_empty());
        for set in sets {
            assert!(
                matches!(set.fate, Fate::Changed(_) | Fate::Unchanged),
                "{}: {:?}\n{about}",
                set.name,
                set.fate
            );
        }
        let workloads = takeover.objects.iter().filter(|object| {
            object.name.kind.parse().is_ok_and(Kind::is_workload) && object.fate == Fate::New
        });
        assert_eq!(workloads.count(), 0, "{about}");
    });
}

/// Fields of one object that a takeover changes.
fn changes(takeover: &Takeover, name: &str) -> Vec<String> {
    let object = takeover.objects.iter().find(|object| object.name.to_string() == name).unwrap();
    match &object.fate {
        Fate::Changed(fields) => fields.iter().map(ToString::to_string).collect(),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn what_a_takeover_changes_is_named_by_its_path() {
    each(&[TEMPO], |release, charts| {
        let (takeover, adoption) = takeover(release, charts);
        let fields = changes(&takeover, "StatefulSet/monitoring/tempo");
        let gone = "spec.template.spec.containers[tempo].resources.limits.cpu: 2 is removed";
        assert!(fields.iter().any(|field| field == gone), "{fields:#?}");
        let same = ["requests", "limits.memory", "volumeClaimTemplates", "serviceName", "selector"];
        for path in same {
            assert!(
                !fields.iter().any(|field| field.split(':').next().unwrap().contains(path)),
                "{path}: {fields:#?}"
            );
        }
        let said = said(&adoption);
        assert!(said.contains("has the CPU limit 2, which the resource policy forbids"), "{said}");
    });
}

#[test]
fn a_monolithic_tempo_becomes_traces() {
    each(&[TEMPO], |release, _| {
        let made = adopted(&[release]).stack;
        let spec = serde_json::to_value(&made.spec).unwrap();
        let wanted = common::yaml(
            "
mode: Monolithic
releaseName: tempo
retention: 720h
buckets: {blocks: {name: my-traces}}
metricsGenerator: {enabled: false}
chart: {source: Upstream, version: 2.2.4}
components:
  singleBinary:
    replicas: 1
    resources: {requests: {cpu: 200m, memory: 1Gi}, limits: {memory: 2Gi}}
    storage: {type: PersistentVolumeClaim, size: 7Gi, className: fast}
    nodeSelector: {disk: ssd}
    tolerations: [{key: telemetry, operator: Exists}]
",
        );
        let mut traces = spec["traces"].clone();
        let values = traces.as_object_mut().unwrap().remove("values").unwrap();
        assert_eq!(traces, wanted);
        assert_eq!(values["tempo"]["extraEnvFrom"][0]["secretRef"]["name"], "s3-keys");
        assert!(
            values.get("persistence").is_none() && values["tempo"].get("resources").is_none(),
            "{values}"
        );
        let store = &spec["objectStorage"];
        assert_eq!(store["endpoint"], "http://minio.storage:9000");
        assert_eq!((&store["forcePathStyle"], &store["provider"]), (&true.into(), &"S3".into()));
        assert_eq!(store["credentials"], common::yaml("{secretRef: {name: s3-keys}}"));
        assert_eq!(spec["deletionPolicy"], "Retain");
    });
}

#[test]
fn a_distributed_tempo_becomes_traces_with_the_secret_of_its_ingesters() {
    each(&[TEMPO_DISTRIBUTED], |release, _| {
        let adoption = adopted(&[release]);
        let spec = serde_json::to_value(&adoption.stack.spec).unwrap();
        let traces = &spec["traces"];
        assert_eq!((&traces["mode"], &traces["releaseName"]), (&"Distributed".into(), &"prod".into()));
        assert_eq!((&traces["replicationFactor"], &traces["retention"]), (&3.into(), &"336h".into()));
        let store = &spec["objectStorage"];
        assert_eq!(store["endpoint"], "https://s3.eu-central-1.amazonaws.com");
        assert_eq!((&store["region"], &store["forcePathStyle"]), (&"eu-central-1".into(), &false.into()));
        let keys = "{secretRef: {name: tempo-s3, accessKeyField: access, secretKeyField: secret}}";
        assert_eq!(store["credentials"], common::yaml(keys));
        let components = &traces["components"];
        assert_eq!(components["metricsGenerator"]["replicas"], 0);
        assert_eq!(
            components["distributor"]["resources"],
            common::yaml("{requests: {cpu: 100m, memory: 256Mi}}")
        );
        assert_eq!(components["ingester"]["resources"]["requests"]["cpu"], "1");
        let said = said(&adoption);
        for words in [
            "Deployment prod-tempo-distributor: has the memory limit 1Gi",
            "sets LOG_STYLE",
            "Deployment prod-tempo-compactor: requests no cpu; the stack requests 50m",
        ] {
            assert!(said.contains(words), "{words}:\n{said}");
        }
    });
}

#[test]
fn caches_and_gateways_that_run_go_on() {
    let Some(helm) = helm() else { return };
    let Some(charts) = upstream() else { return };
    let overlay = "{memcached: {enabled: true}, cache: null, gateway: {enabled: true}}";
    let Some(release) = installed(&helm, &charts, &TEMPO_DISTRIBUTED, overlay) else { return };
    let (takeover, adoption) = takeover(&release, &charts);
    assert_eq!(takeover.refusals(), Vec::<String>::new());
    for name in ["StatefulSet/monitoring/prod-tempo-memcached", "Deployment/monitoring/prod-tempo-gateway"] {
        let object = takeover.objects.iter().find(|object| object.name.to_string() == name).unwrap();
        assert!(matches!(object.fate, Fate::Changed(_)), "{name}: {:?}", object.fate);
    }
    let values = adoption.stack.spec.traces.unwrap().values.unwrap();
    assert_eq!(values["cache"]["caches"][0]["memcached"]["consistent_hash"], true);
}

#[test]
fn a_mimir_becomes_metrics() {
    each(&[MIMIR, MIMIR_5], |release, charts| {
        let adoption = adopted(&[release]);
        let spec = serde_json::to_value(&adoption.stack.spec).unwrap();
        let metrics = &spec["metrics"];
        assert_eq!((&metrics["replicationFactor"], &metrics["retention"]), (&3.into(), &"8760h".into()));
        for purpose in ["blocks", "ruler", "alertmanager"] {
            assert_eq!(metrics["buckets"][purpose]["name"], format!("mimir-{purpose}"));
        }
        let components = &metrics["components"];
        assert_eq!(components["storeGateway"]["replicas"], 2, "{charts:?}");
        // Requests without a limit where the policy wants one.
        assert_eq!(components["storeGateway"]["resources"]["limits"]["memory"], "2Gi");
        assert_eq!(components["storeGateway"]["storage"]["size"], "4Gi");
        assert_eq!(components["ruler"]["replicas"], 0);
        let config = &metrics["values"]["mimir"]["structuredConfig"];
        assert_eq!(config["limits"], common::yaml("{max_global_series_per_user: 300000}"));
        assert_eq!(metrics["values"]["compactor"], common::yaml("{podLabels: {team: o11y}}"));
        assert!(config.get("common").is_none() && config.get("blocks_storage").is_none(), "{config}");
    });
}

#[test]
fn members_of_mimir_keep_the_label_by_which_they_hear_each_other() {
    each(&[MIMIR], |release, charts| {
        let adoption = adopted(&[release]);
        let (plan, _) = plan_of(&helm().unwrap(), charts, adoption.stack);
        let config = |objects: &[Value]| {
            let is_config = |object: &&Value| object.pointer("/data/mimir.yaml").is_some();
            let object = objects.iter().find(is_config).unwrap();
            let text = object.pointer("/data/mimir.yaml").and_then(Value::as_str).unwrap();
            let label = common::yaml(text).pointer("/memberlist/cluster_label").cloned();
            label.and_then(|label| label.as_str().map(str::to_owned)).unwrap_or_default()
        };
        let bodies: Vec<_> = plan.objects.iter().map(|object| object.body.clone()).collect();
        assert_eq!(config(&bodies), config(&release.objects));
    });
}

#[test]
fn two_releases_with_one_store_become_one_stack() {
    let Some(helm) = helm() else { return };
    let tempo = installed(&helm, &Charts::Bundled, &TEMPO, "").unwrap();
    let mimir = installed(&helm, &Charts::Bundled, &MIMIR, "").unwrap();
    let made = adopted(&[&tempo, &mimir]).stack;
    assert!(made.spec.traces.is_some() && made.spec.metrics.is_some());
    common::valid(&made);
    let other = installed(&helm, &Charts::Bundled, &TEMPO_DISTRIBUTED, "").unwrap();
    let drafts: Vec<_> = [&other, &mimir].map(|release| draft(release, &wish()).unwrap()).into();
    let obstacles: Vec<_> = stack(&drafts, &wish()).unwrap_err().iter().map(ToString::to_string).collect();
    let all = obstacles.join("\n");
    assert!(all.contains("a stack has one object store") && all.contains("--credentials-secret"), "{all}");
}

/// A release of chart `tempo` written by hand, so that obstacles are told without Helm too.
fn by_hand(config: &str) -> HelmRelease {
    let manifest = common::yaml(
        "
- apiVersion: apps/v1
  kind: StatefulSet
  metadata: {name: tempo, namespace: monitoring}
  spec:
    replicas: 1
    selector: {matchLabels: {app.kubernetes.io/name: tempo, app.kubernetes.io/instance: tempo}}
    serviceName: tempo-headless
    template:
      spec:
        containers:
          - name: tempo
            envFrom: [{secretRef: {name: s3-keys}}]
            resources: {requests: {cpu: 1, memory: 1Gi}, limits: {memory: 2Gi}}
    volumeClaimTemplates:
      - metadata: {name: storage}
        spec: {resources: {requests: {storage: 5Gi}}}
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: tempo, namespace: monitoring}
",
    );
    let mut objects = manifest.as_array().cloned().unwrap();
    objects[1]["data"] = serde_json::json!({"tempo.yaml": config});
    release(&TEMPO, &Value::Object(Map::new()), &Value::Object(Map::new()), objects)
}

const CONFIG: &str = "
multitenancy_enabled: false
compactor: {compaction: {block_retention: 48h}}
storage: {trace: {backend: s3, s3: {bucket: my-traces, endpoint: s3.example.org, forcepathstyle: true}}}
";

/// The obstacles of a release, in words.
fn obstacles(release: &HelmRelease) -> String {
    lines(&draft(release, &wish()).unwrap_err())
}

#[test]
fn a_release_by_hand_is_drafted() {
    let made = adopted(&[&by_hand(CONFIG)]).stack;
    let spec = serde_json::to_value(&made.spec).unwrap();
    assert_eq!(spec["objectStorage"]["endpoint"], "https://s3.example.org");
    assert_eq!(spec["traces"]["retention"], "48h");
}

#[test]
fn what_cannot_be_taken_over_says_why_and_what_to_do() {
    let check = |change: &dyn Fn(&mut HelmRelease), words: &[&str]| {
        let mut release = by_hand(CONFIG);
        change(&mut release);
        let told = obstacles(&release);
        for word in words {
            assert!(told.contains(word), "{word}:\n{told}");
        }
    };
    check(
        &|release| release.chart.name = "loki".into(),
        &["is of chart loki, which the operator does not run"],
    );
    check(&|release| release.chart.version = "3.0.1".into(), &["tempo 3.0.1", "runs Tempo 2"]);
    check(&|release| release.chart.version = "1.24.0".into(), &["knows 2.2.4", "with helm first"]);
    check(&|release| release.status = "pending-upgrade".into(), &["pending-upgrade", "roll back"]);
    check(&|release| release.namespace = "other".into(), &["namespace other"]);
    check(&|release| release.objects[0]["kind"] = "Deployment".into(), &["is no StatefulSet"]);
    check(&|release| _ = release.objects.remove(0), &["has no workload with ingesters"]);
    let value =
        |release: &mut HelmRelease, key: &str, value: Value| _ = release.values.insert(key.into(), value);
    check(&|release| value(release, "fullnameOverride", "x".into()), &["values.fullnameOverride: is x"]);
    check(&|release| value(release, "config", "a: b".into()), &["values.config", "structuredConfig"]);
    check(&|release| value(release, "useExternalConfig", true.into()), &["values.useExternalConfig"]);
    let env = |release: &mut HelmRelease, env: Value| {
        let main = release.objects[0].pointer_mut("/spec/template/spec/containers/0").unwrap();
        main.as_object_mut().unwrap().remove("envFrom");
        main["env"] = env;
    };
    let inline = serde_json::json!([{"name": "AWS_ACCESS_KEY_ID", "value": "AKIDEXAMPLE"}]);
    check(
        &|release| env(release, inline.clone()),
        &["stand in the environment of tempo", "--credentials-secret"],
    );
    check(&|release| env(release, Value::Null), &["are in no Secret", "AWS_ACCESS_KEY_ID"]);
}

#[test]
fn a_configuration_that_cannot_be_followed_is_an_obstacle() {
    let check = |from: &str, to: &str, words: &[&str]| {
        let config = CONFIG.replace(from, to);
        assert_ne!(config, CONFIG);
        let told = obstacles(&by_hand(&config));
        for word in words {
            assert!(told.contains(word), "{word}:\n{told}");
        }
    };
    check("backend: s3", "backend: local", &["is local", "keeps data on S3"]);
    check("multitenancy_enabled: false", "multitenancy_enabled: true", &["kept by tenant"]);
    check("48h", "soon", &["soon is no retention"]);
    check("endpoint: s3.example.org, ", "", &["s3.endpoint: is missing"]);
    check("bucket: my-traces", "prefix: a, bucket: my-traces", &["below a prefix"]);
    check("backend: s3", "backend: [", &["not readable as YAML"]);
    let keys = "endpoint: s3.example.org, access_key: AKIDEXAMPLE, secret_key: wJalrXUtnFEMI";
    check("endpoint: s3.example.org", keys, &["stand in the configuration itself", "--credentials-secret"]);
    check("endpoint:", "tls_ca_path: /etc/ca/ca.crt, endpoint:", &["read from /etc/ca/ca.crt"]);
}

#[test]
fn i9_no_key_of_a_release_is_in_its_draft() {
    let keys = "endpoint: s3.example.org, access_key: AKIDEXAMPLE, secret_key: wJalrXUtnFEMI";
    let mut release = by_hand(&CONFIG.replace("endpoint: s3.example.org", keys));
    let values = common::yaml(
        "
tempo:
  storage: {trace: {s3: {access_key: AKIDEXAMPLE, secret_key: wJalrXUtnFEMI}}}
  extraEnv: [{name: AWS_SECRET_ACCESS_KEY, value: wJalrXUtnFEMI}]
  podLabels: {a: b}
minio: {rootPassword: wJalrXUtnFEMI}
some: {where: {password: wJalrXUtnFEMI, list: [{basic_auth: {password: wJalrXUtnFEMI}}, {a: b}]}}
",
    );
    release.values = values.as_object().cloned().unwrap();
    let told = obstacles(&release);
    assert!(!told.contains("wJalrXUtnFEMI") && !told.contains("AKIDEXAMPLE"), "{told}");
    let mut wish = wish();
    let secret = common::yaml("{name: given}");
    wish.credentials = Some(serde_json::from_value(secret).unwrap());
    let draft = draft(&release, &wish).unwrap();
    let made = stack(&[draft], &wish).unwrap();
    let text = format!("{} {}", serde_json::to_string(&made.stack).unwrap(), said(&made));
    assert!(!text.contains("wJalrXUtnFEMI") && !text.contains("AKIDEXAMPLE"), "{text}");
    assert_eq!(made.stack.spec.object_storage.credentials.secret_ref.name, "given");
    let kept = made.stack.spec.traces.unwrap().values.unwrap();
    assert_eq!(Value::Object(kept)["some"]["where"]["list"], common::yaml("[{a: b}]"));
}

#[test]
fn a_zone_aware_mimir_is_an_obstacle() {
    let Some(helm) = helm() else { return };
    let mut release = installed(&helm, &Charts::Bundled, &MIMIR, "").unwrap();
    for object in &mut release.objects {
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        if object["kind"] == "StatefulSet" && name == "mimir-ingester" {
            object["metadata"]["name"] = "mimir-ingester-zone-a".into();
        }
    }
    let told = obstacles(&release);
    assert!(told.contains("mimir-ingester-zone-a") && told.contains("zone-aware"), "{told}");
}

#[test]
fn a_field_that_never_changes_refuses_the_takeover() {
    let Some(helm) = helm() else { return };
    let release = installed(&helm, &Charts::Bundled, &TEMPO, "").unwrap();
    let adoption = adopted(&[&release]);
    let (plan, _) = plan_of(&helm, &Charts::Bundled, adoption.stack);
    let check = |pointer: &str, value: Value, words: &str| {
        let mut objects = release.objects.clone();
        let set = objects.iter_mut().find(|object| object["kind"] == "StatefulSet").unwrap();
        let (above, key) = pointer.rsplit_once('/').unwrap();
        set.pointer_mut(above).unwrap()[key] = value;
        let refusals = compare(&objects, NAMESPACE, &plan).refusals();
        assert!(refusals.iter().any(|line| line.contains(words)), "{words}: {refusals:?}");
    };
    check("/spec/serviceName", "other".into(), "spec.serviceName: \"other\" -> \"tempo-headless\"");
    check(
        "/spec/podManagementPolicy",
        "OrderedReady".into(),
        "podManagementPolicy: \"OrderedReady\" -> \"Parallel\"",
    );
    check("/spec/selector/matchLabels", common::yaml("{a: b}"), "spec.selector.matchLabels.a");
    check("/spec/volumeClaimTemplates/0/spec/storageClassName", "slow".into(), "volumeClaimTemplates");
    check("/kind", "Deployment".into(), "kind: \"Deployment\" -> \"StatefulSet\"");
}

#[test]
fn what_the_release_has_and_the_stack_does_not_is_left_alone() {
    each(&[TEMPO], |release, charts| {
        let mut release = release.clone();
        release
            .objects
            .push(common::yaml("{apiVersion: apps/v1, kind: Deployment, metadata: {name: tempo-vulture}}"));
        release.objects.push(common::yaml("{apiVersion: batch/v1, kind: Job, metadata: {name: once}}"));
        let (takeover, adoption) = takeover(&release, charts);
        for name in ["Deployment/monitoring/tempo-vulture", "Job/monitoring/once"] {
            let found = takeover.objects.iter().find(|object| object.name.to_string() == name).unwrap();
            assert_eq!(found.fate, Fate::LeftAlone);
        }
        assert!(said(&adoption).contains("Deployment tempo-vulture: is nothing that the operator runs"));
    });
}
