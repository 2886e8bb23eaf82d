//! A full prod stack from nothing: by the operator, by a bare loop of applies, and by helm.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use crate::{
    audit::{Audit, Request},
    error::{Error, Of},
    operator::Operator,
    procfs,
    report::{Figure, Goal, Section},
    samples::STACK,
    stats::{number, ratios},
    world::{World, operator_user},
};

/// Applies of one stack that the operator runs at the same time.
const PARALLEL: usize = 4;
const LIMIT: Duration = Duration::from_mins(2);
const LOOK: Duration = Duration::from_millis(10);

/// Who makes the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    Operator,
    /// A loop of server-side applies, so many at a time, of objects that are rendered before.
    Loop(usize),
    Helm,
}

const MEANS: [Means; 4] = [Means::Operator, Means::Loop(PARALLEL), Means::Loop(1), Means::Helm];

/// What one creation took.
#[derive(Clone, Copy, Debug, Default)]
struct Made {
    /// From the first request to the last object, in seconds.
    wall: f64,
    /// Of that, for what a loop of applies does not do: buckets and rendering.
    prepare: f64,
    /// From the first applied object to the last.
    apply: f64,
    cpu: f64,
    /// Helm's part of it.
    cpu_helm: f64,
    requests: f64,
    /// Helm's time, as the operator measures it.
    render: f64,
}

#[derive(Debug, Default)]
struct Series(Vec<Made>);

impl Series {
    fn of(&self, value: impl Fn(&Made) -> f64) -> Vec<f64> {
        self.0.iter().map(value).collect()
    }
}

/// Makes the stack so often by each means, in turns, after one turn that does not count.
pub async fn measure(world: &World, repetitions: u32) -> Result<Section, Error> {
    let operator = world.start().await?;
    world.cluster.warm(PARALLEL).await?;
    let mut all: [Series; 4] = Default::default();
    let mut objects = 0;
    for round in 0..=repetitions {
        for turn in 0..MEANS.len() {
            let index = (turn + round as usize) % MEANS.len();
            let Some(means) = MEANS.get(index).copied() else { continue };
            eprintln!("create: round {round} of {repetitions}, {means:?}");
            let namespace = format!("bench-create-{round}-{index}");
            world.make_namespace(&namespace).await?;
            let (made, count) = one(world, &operator, means, &namespace).await?;
            objects = count;
            world.cluster.remove_namespace(&namespace).await?;
            if let Some(series) = all.get_mut(index).filter(|_| round > 0) {
                series.0.push(made);
            }
        }
    }
    operator.stop().await?;
    Ok(section(&all, objects))
}

async fn one(
    world: &World,
    operator: &Operator,
    means: Means,
    namespace: &str,
) -> Result<(Made, usize), Error> {
    let stack = world.samples.prod(namespace)?;
    let objects = world.samples.render(&stack).await?;
    // Let the machine come to rest.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let count = objects.len();
    let mut audit = world.audit()?;
    let made = match means {
        Means::Operator => {
            let render = || operator.metric("obstack_render_duration_seconds_sum", "");
            let (before, rendered) = (operator.cpu()?, render()?);
            world.cluster.make_stack(&stack).await?;
            let requests = until_applied(&mut audit, namespace, count).await?;
            let cpu = operator.cpu()?.since(before);
            Made {
                cpu: cpu.seconds(),
                cpu_helm: cpu.children.as_secs_f64(),
                render: render()? - rendered,
                ..of_operator(&requests, namespace)
            }
        }
        Means::Loop(parallel) => {
            let before = procfs::cpu("self")?;
            world.cluster.apply(&objects, parallel).await?;
            let cpu = procfs::cpu("self")?.since(before);
            let requests = audit.look()?;
            let applies: Vec<_> = applies(&requests, namespace).collect();
            let wall = between(applies.iter().map(|one| one.received).min(), last(&applies));
            Made { wall, apply: wall, cpu: cpu.seconds(), requests: count_of(&applies), ..Made::default() }
        }
        Means::Helm => {
            let before = procfs::cpu("self")?;
            let began = Instant::now();
            helm(world, namespace).await?;
            let wall = began.elapsed().as_secs_f64();
            let cpu = procfs::cpu("self")?.since(before).children.as_secs_f64();
            let requests = audit.look()?.iter().filter(|one| one.agent.starts_with("Helm/")).count();
            Made { wall, cpu, cpu_helm: cpu, requests: number(requests as u64), ..Made::default() }
        }
    };
    Ok((made, count))
}

/// Waits until the operator has applied so many objects, and returns all requests until then.
async fn until_applied(audit: &mut Audit, namespace: &str, count: usize) -> Result<Vec<Request>, Error> {
    let end = Instant::now() + LIMIT;
    let mut requests = Vec::new();
    loop {
        requests.extend(audit.look()?);
        let applied = applies(&requests, namespace).count();
        if applied >= count {
            return Ok(requests);
        }
        if Instant::now() > end {
            let what = format!("{count} objects are applied in {namespace}");
            return Err(Error::TooLate { what, seconds: LIMIT.as_secs(), last: format!("{applied} are") });
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Applies of a stack's objects, whoever sent them.
fn applies<'a>(requests: &'a [Request], namespace: &'a str) -> impl Iterator<Item = &'a Request> {
    requests.iter().filter(move |one| {
        one.namespace == namespace
            && one.verb == "patch"
            && !one.resource.starts_with("observabilitystacks")
            && !one.resource.contains('/')
            && one.code < 300
            && (one.user == operator_user() || !one.user.starts_with("system:"))
    })
}

fn of_operator(requests: &[Request], namespace: &str) -> Made {
    let own: Vec<_> = requests.iter().filter(|one| one.user == operator_user() && !one.is_lease()).collect();
    let created = requests.iter().find(|one| one.verb == "create" && one.resource == "observabilitystacks");
    let applies: Vec<_> = applies(requests, namespace).collect();
    let inventory = own.iter().find(|one| one.verb == "create" && one.resource == "configmaps");
    // The first status says that buckets are being made; the list of objects is written once there are objects.
    let waits = own.iter().find(|one| one.verb == "patch" && one.resource == "observabilitystacks/status");
    let end = last(&applies);
    Made {
        wall: between(created.map(|one| one.received), end),
        prepare: between(waits.map(|one| one.answered), inventory.map(|one| one.received)),
        apply: between(applies.iter().map(|one| one.received).min(), end),
        requests: number(own.len() as u64),
        ..Made::default()
    }
}

fn last(requests: &[&Request]) -> Option<Timestamp> {
    requests.iter().map(|one| one.answered).max()
}

fn count_of(requests: &[&Request]) -> f64 {
    number(requests.len() as u64)
}

fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> f64 {
    from.zip(to).map_or(0.0, |(from, to)| to.duration_since(from).as_secs_f64())
}

/// `helm upgrade --install` of each chart, one after the other, with an empty home.
async fn helm(world: &World, namespace: &str) -> Result<(), Error> {
    let home = world.dir.join(format!("helm-{namespace}"));
    std::fs::create_dir_all(&home).of(&home)?;
    for chart in world.samples.charts(&world.samples.prod(namespace)?).await? {
        let values = home.join(format!("{}.json", chart.release));
        // JSON is YAML.
        std::fs::write(&values, chart.values.to_string()).of(&values)?;
        let mut command = tokio::process::Command::new(&world.sandbox.tools.helm.path);
        command
            .args(["upgrade", "--install", &chart.release])
            .arg(&chart.path)
            .args(["--namespace", namespace, "--values"])
            .arg(&values)
            .env_clear()
            .env("KUBECONFIG", &world.sandbox.kubeconfig)
            .env("HOME", &home)
            .stdin(Stdio::null());
        let output = command.output().await.of(&world.sandbox.tools.helm.path)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Error::Program {
                program: format!("helm upgrade --install {}", chart.release),
                said,
            });
        }
    }
    Ok(())
}

fn section(all: &[Series; 4], objects: usize) -> Section {
    let [operator, four, one, helm] = all;
    let (wall, cpu) = (|made: &Made| made.wall, |made: &Made| made.cpu);
    let without = operator.of(|made| made.wall - made.prepare);
    let waves = operator.of(|made| made.apply);
    let (four_wall, helm_wall) = (four.of(wall), helm.of(wall));
    let figures = vec![
        Figure::one("objects of the stack", number(objects as u64), ""),
        Figure::median("operator: from the CR to the last object", &operator.of(wall), " s"),
        Figure::median("  of that, making buckets and rendering", &operator.of(|made| made.prepare), " s"),
        Figure::median(
            "  helm template, as the operator measures it",
            &operator.of(|made| made.render),
            " s",
        ),
        Figure::median("  applying", &waves, " s"),
        Figure::median("operator: processor time with its helms", &operator.of(cpu), " s"),
        Figure::median("  of that, helm template", &operator.of(|made| made.cpu_helm), " s"),
        Figure::median("operator: requests", &operator.of(|made| made.requests), ""),
        Figure::median("loop of applies, 4 at a time: wall", &four_wall, " s"),
        Figure::median("loop of applies, 4 at a time: processor time", &four.of(cpu), " s"),
        Figure::median("loop of applies, one by one: wall", &one.of(wall), " s"),
        Figure::median("helm upgrade --install: wall", &helm_wall, " s"),
        Figure::median("helm upgrade --install: processor time", &helm.of(cpu), " s"),
        Figure::median("helm upgrade --install: requests", &helm.of(|made| made.requests), ""),
        Figure::median("operator without preparing / loop of 4", &ratios(&without, &four_wall), "x")
            .goal(Goal::AtMost(1.3)),
        Figure::median("operator applying / loop of 4", &ratios(&waves, &four_wall), "x"),
        Figure::median("operator without preparing / loop one by one", &ratios(&without, &one.of(wall)), "x"),
        Figure::median("operator in all / loop of 4", &ratios(&operator.of(wall), &four_wall), "x"),
        Figure::median("helm / operator in all: wall", &ratios(&helm_wall, &operator.of(wall)), "x")
            .goal(Goal::AtLeast(3.0)),
        Figure::median("helm / operator: processor time", &ratios(&helm.of(cpu), &operator.of(cpu)), "x")
            .goal(Goal::AtLeast(5.0)),
    ];
    Section {
        title: "Create: a full prod stack from nothing".to_owned(),
        how: format!(
            "deploy/samples/prod.yaml with the bundled charts, stack {STACK} in a new namespace each time, by each \
             means in turns; times are those of the API server's audit log, helm's those of its process. \
             Ratios are paired within a turn."
        ),
        figures,
    }
}
