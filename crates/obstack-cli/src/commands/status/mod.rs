//! `status`: how stacks stand.

mod lines;
mod parts;
mod table;
#[cfg(test)]
mod tests;
mod until;
mod view;
mod watch;

use std::time::Duration;

use obstack_api::StackStatus;
use schemars::JsonSchema;
use serde::Serialize;

use self::{table::Row, until::Until};
use crate::{
    age,
    error::Error,
    evidence,
    exit::Exit,
    named::StackName,
    output::{self, Format},
    progress,
    session::Session,
    sight::{self, Sight},
    story::FirstCause,
    told,
};

/// Flags of `status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl obstack status -A -o wide
  kubectl obstack status dts-dev
  kubectl obstack status dts-dev --watch
  kubectl obstack status dts-dev --until Ready --timeout 15m

It ends with 0 whatever it shows. With --until it ends with 0 when the condition is so for the present spec, and with 1
when the time is over, when the stack is gone, or as soon as nothing goes on until a person acts: Stalled=True, the stack
is suspended, or Ready or PlanApplied is waited for and the change waits for approval. What was mended without a change of
the spec, such as a Secret, is seen at the operator's next look: run `kubectl obstack reconcile` first, or give --ignore-stalled.")]
pub struct Args {
    #[command(flatten)]
    stack: StackName,
    /// The stacks of all namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["name", "namespace"])]
    all_namespaces: bool,
    /// Follow the stack: redraw on a terminal, elsewhere a line for each change
    #[arg(short, long, conflicts_with = "all_namespaces")]
    watch: bool,
    /// Follow the stack until a condition is so, such as Ready, Available or Stalled=False
    #[arg(long, value_name = "CONDITION[=STATUS]", conflicts_with = "all_namespaces")]
    until: Option<Until>,
    /// How long to follow it [default with --until: 10m]
    #[arg(long, value_name = "DURATION", value_parser = age::parse)]
    timeout: Option<Duration>,
    /// Wait on although a person has to act
    #[arg(long, requires = "until")]
    ignore_stalled: bool,
}

/// A list of stacks.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::commands) struct List {
    /// Stack by stack.
    items: Vec<Row>,
}

/// One stack.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::commands) struct One<'a> {
    #[serde(flatten)]
    row: Row,
    /// Whether the status speaks of the spec as it is.
    current: bool,
    /// The first cause as it is seen now.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Seen>,
    /// Pods that are not ready.
    pods: Vec<Pod<'a>>,
    /// What is not known, and why.
    missing: &'a [String],
    /// The status as it is stored.
    #[schemars(extend("x-api" = "status"))]
    status: Option<&'a StackStatus>,
}

/// The first cause as it is seen now.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Seen {
    /// The component.
    component: String,
    /// What is wrong with it.
    message: String,
    #[serde(flatten)]
    cause: FirstCause,
}

/// A pod that is not ready.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Pod<'a> {
    /// Its name.
    name: &'a str,
    /// The component that it is of.
    component: &'a str,
    /// How far it is, in one word.
    phase: &'static str,
    /// Its node.
    node: &'a str,
    /// How often its containers were started again.
    restarts: i32,
    /// What its fields say.
    says: Vec<evidence::Link>,
}

/// Shows how stacks stand.
pub async fn run(session: &Session, args: &Args) -> Result<Exit, Error> {
    let follows = args.watch || args.until.is_some();
    if args.timeout.is_some() && !follows {
        return Err(Error::new("--timeout goes with --watch or --until"));
    }
    let looking = progress::show("asking the cluster");
    let cluster = session.cluster().await?;
    if follows {
        let stack = args.stack.find(session, &cluster).await?;
        drop(looking);
        return watch::run(session, &cluster, stack, args).await;
    }
    let format = session.format();
    if args.stack.name.is_some() {
        let stack = args.stack.find(session, &cluster).await?;
        let seen = sight::look(&cluster, stack).await;
        drop(looking);
        sight::note_other_version(session, seen.operator.as_deref());
        let text = match output::for_programs(format, "StackStatus", &one(&seen))? {
            Some(text) => text,
            None => view::text(&seen, &session.terminal),
        };
        session.terminal.print(&text)?;
        return Ok(Exit::Done);
    }
    let namespace = (!args.all_namespaces).then(|| session.namespace(&cluster));
    let stacks = cluster.stacks(namespace.as_deref()).await?;
    drop(looking);
    let now = sight::now();
    let list = List { items: stacks.iter().map(|stack| Row::of(stack, now)).collect() };
    if let Some(text) = output::for_programs(format, "StackList", &list)? {
        session.terminal.print(&text)?;
    } else if stacks.is_empty() {
        let place = namespace.map_or("this cluster".to_owned(), |name| format!("namespace {name}"));
        session.terminal.note(&format!("there is no ObservabilityStack in {place}"));
    } else {
        session.terminal.print(&table::table(&stacks, now, format == Format::Wide, &session.terminal))?;
    }
    Ok(Exit::Done)
}

fn one(seen: &Sight) -> One<'_> {
    let cause = seen.first().map(|(component, trouble)| Seen {
        component: component.status.name.clone(),
        message: trouble.message.clone(),
        cause: FirstCause::of(trouble.reason.as_str()),
    });
    let pods = seen.live.iter().flat_map(|live| &live.pods).filter(|pod| !pod.ready);
    let pod = |pod| -> Pod<'_> {
        let pod: &obstack_core::live::PodFacts = pod;
        Pod {
            name: &pod.name,
            component: &pod.component,
            phase: evidence::phase(pod),
            node: &pod.node,
            restarts: evidence::restarts(pod),
            says: evidence::of_pod(pod),
        }
    };
    One {
        row: Row::of(&seen.stack, seen.now),
        current: told::Told::of(&seen.stack) == told::Told::Now,
        cause,
        pods: pods.map(pod).collect(),
        missing: &seen.missing,
        status: seen.stack.status.as_ref(),
    }
}
