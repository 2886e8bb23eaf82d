//! From nothing to a stack that takes telemetry and gives it back: by the operator, and by helm.

use std::{
    collections::BTreeMap,
    process::Stdio,
    time::{Duration, Instant},
};

use futures::future::try_join_all;
use obstack_api::{ConditionType, ObservabilityStack};
use obstack_engine::buckets::{Access, Client, Policy, Secret};

use super::{Real, leader::Leader, path::DataPath, stacks};
use crate::{
    cluster::wait,
    error::{Error, Of},
    report::{Figure, Section},
    samples::{Chart, STACK},
    stats::ratios,
};

const LIMIT: Duration = Duration::from_mins(10);
const BACK_LIMIT: Duration = Duration::from_mins(3);

/// Seconds since the first request.
#[derive(Clone, Debug, Default)]
pub struct Started {
    /// Until every pod was ready, as the operator's `Ready` or helm's `--wait` says.
    ready: f64,
    /// By signal, until telemetry came back for the first time.
    back: BTreeMap<&'static str, f64>,
    /// Until `DataPathVerified` was true; nothing by helm.
    verified: f64,
}

/// Starts the stack so often by each means, in turns, on a machine that does nothing else.
pub async fn measure(real: &Real, repetitions: u32) -> Result<Section, Error> {
    let (mut operator, mut helm) = (Vec::new(), Vec::new());
    for round in 1..=repetitions {
        for (means, all) in [("operator", &mut operator), ("helm", &mut helm)] {
            eprintln!("start: round {round} of {repetitions}, {means}");
            let namespace = format!("bench-{means}-{round}");
            real.make_namespace(&namespace).await?;
            let stack = stacks::whole(real, &namespace)?;
            let started = match means {
                "operator" => by_operator(real, &stack).await?,
                _ => by_helm(real, &stack).await?,
            };
            eprintln!("start: {started:.1?}");
            all.push(started);
            real.remove_namespace(&namespace).await?;
        }
    }
    Ok(section(real, &operator, &helm))
}

/// Makes the stack, and waits until it is ready and what its canary wrote came back.
pub async fn by_operator(real: &Real, stack: &ObservabilityStack) -> Result<Started, Error> {
    let leader = Leader::find(&real.cluster).await?;
    let namespace = stack.metadata.namespace.clone().unwrap_or_default();
    let began = Instant::now();
    real.cluster.make_stack(stack).await?;
    let mut started = Started::default();
    wait(&format!("the stack in {namespace} is ready and verified"), LIMIT, async || {
        let now = real.cluster.stack(&namespace, STACK).await?;
        let seconds = began.elapsed().as_secs_f64();
        let note = |value: &mut f64, is: bool| {
            if is && *value == 0.0 {
                *value = seconds;
            }
        };
        note(&mut started.ready, stacks::is_true(&now, ConditionType::Ready));
        note(&mut started.verified, stacks::is_true(&now, ConditionType::DataPathVerified));
        for signal in real.signals.iter().map(|signal| obstack_core::canary::name(*signal)) {
            let labels = format!("namespace=\"{namespace}\",name=\"{STACK}\",signal=\"{signal}\"");
            let came = leader.metric("obstack_canary_last_success_timestamp_seconds", &labels)? > 0.0;
            if came {
                started.back.entry(signal).or_insert(seconds);
            }
        }
        let done = started.ready > 0.0 && started.verified > 0.0;
        Ok(if done { Ok(started.clone()) } else { Err(format!("{started:?}")) })
    })
    .await
}

/// `helm upgrade --install --wait` of each chart at the same time, with the operator's own values, buckets made before.
async fn by_helm(real: &Real, stack: &ObservabilityStack) -> Result<Started, Error> {
    let namespace = stack.metadata.namespace.clone().unwrap_or_default();
    make_buckets(real, stack).await?;
    let charts = real.samples.charts(stack).await?;
    let began = Instant::now();
    try_join_all(charts.iter().map(|chart| upgrade(real, &namespace, chart))).await?;
    let mut started = Started { ready: began.elapsed().as_secs_f64(), ..Started::default() };
    for probe in real.samples.probes(stack)? {
        let path = DataPath::new(&real.cluster.client, probe);
        path.until_back(BACK_LIMIT).await?;
        started.back.insert(path.signal(), began.elapsed().as_secs_f64());
    }
    Ok(started)
}

async fn make_buckets(real: &Real, stack: &ObservabilityStack) -> Result<(), Error> {
    let s3 = &real.sandbox.s3;
    let store = Client::new(&Access {
        endpoint: s3.endpoint.clone(),
        region: s3.region.clone(),
        force_path_style: true,
        ca_pem: None,
        access_key: s3.access_key.clone(),
        secret_key: Secret::new(s3.secret_key.as_str()),
    })?;
    for bucket in real.samples.buckets(stack)? {
        store.ensure(&bucket, "bench", Policy { create: true, adopt: true }).await?;
    }
    Ok(())
}

async fn upgrade(real: &Real, namespace: &str, chart: &Chart) -> Result<(), Error> {
    let home = real.dir.join(format!("helm-{namespace}-{}", chart.release));
    std::fs::create_dir_all(&home).of(&home)?;
    let values = home.join("values.json");
    // JSON is YAML.
    std::fs::write(&values, chart.values.to_string()).of(&values)?;
    let mut command = tokio::process::Command::new(&real.sandbox.tools.helm.path);
    command
        .args(["upgrade", "--install", "--wait", "--timeout", "10m", &chart.release])
        .arg(&chart.path)
        .args(["--namespace", namespace, "--values"])
        .arg(&values)
        .env_clear()
        .env("KUBECONFIG", &real.sandbox.kubeconfig)
        .env("HOME", &home)
        .stdin(Stdio::null());
    let output = command.output().await.of(&real.sandbox.tools.helm.path)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Program { program: format!("helm upgrade --install --wait {}", chart.release), said })
}

fn section(real: &Real, operator: &[Started], helm: &[Started]) -> Section {
    let of =
        |all: &[Started], value: &dyn Fn(&Started) -> f64| -> Vec<f64> { all.iter().map(value).collect() };
    let ready = |started: &Started| started.ready;
    let mut figures = vec![Figure::median("operator: from the CR to Ready", &of(operator, &ready), " s")];
    for signal in real.signals.iter().map(|signal| obstack_core::canary::name(*signal)) {
        let back = |started: &Started| started.back.get(signal).copied().unwrap_or_default();
        let name = format!("operator: to the first {signal} that came back to the canary");
        figures.push(Figure::median(name, &of(operator, &back), " s"));
    }
    let verified = of(operator, &|started| started.verified);
    figures.push(Figure::median("operator: to DataPathVerified", &verified, " s"));
    figures.push(Figure::median("helm upgrade --install --wait", &of(helm, &ready), " s"));
    for signal in real.signals.iter().map(|signal| obstack_core::canary::name(*signal)) {
        let back = |started: &Started| started.back.get(signal).copied().unwrap_or_default();
        figures.push(Figure::median(
            format!("helm: to the first {signal} that came back to a client"),
            &of(helm, &back),
            " s",
        ));
    }
    figures.push(Figure::median("helm / operator", &ratios(&of(helm, &ready), &of(operator, &ready)), "x"));
    Section {
        title: "Start: dev on real pods".to_owned(),
        how: format!(
            "deploy/samples/dev.yaml with platform Kubernetes, in a new namespace each time, by each means in turns; \
             the canary's interval is {}. helm gets the operator's values, installs all charts at the same time, and \
             finds its buckets made; the operator makes them. Looked at five times a second.",
            stacks::INTERVAL
        ),
        figures,
    }
}
