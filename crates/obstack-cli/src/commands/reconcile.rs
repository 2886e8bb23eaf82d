//! `reconcile`: has the operator look now, and says what it saw.

use std::time::{Duration, Instant};

use futures::future::join_all;
use jiff::Timestamp;
use obstack_api::{ObservabilityStack, labels};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::{
    age,
    args::COMMAND,
    cluster::{Cluster, key_of},
    edit,
    error::Error,
    exit::Exit,
    named::StackName,
    output, progress,
    session::Session,
    sight,
    table::{Cell, Table},
    terminal::{Terminal, Tone},
    told::{self, Verdict},
};

/// How often to see whether the operator has looked.
const STEP: Duration = Duration::from_millis(500);

/// Flags of `reconcile`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl obstack reconcile dts-dev
  kubectl obstack reconcile --all -n ca7f8f-dev --wait=false

The operator follows a stack by itself. This is for what it cannot see: an object store that was mended. It forgets its
back-off, and probes the buckets anew. The command ends with 0 once the operator has looked, whatever it saw.")]
pub struct Args {
    #[command(flatten)]
    stack: StackName,
    /// All stacks of the namespace
    #[arg(long, conflicts_with = "name")]
    all: bool,
    /// Wait until the operator has looked
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_name = "BOOL")]
    wait: bool,
    /// How long to wait
    #[arg(long, value_name = "DURATION", value_parser = age::parse, default_value = "30s")]
    timeout: Duration,
}

/// What came of it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Came {
    /// Namespace and name of the stack.
    stack: String,
    /// The operator has looked since it was asked; absent when nobody waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    looked: Option<bool>,
    /// Status of Ready for the spec as it is: `True`, `False` or `Unknown`.
    ready: &'static str,
    /// Why, in one word.
    reason: String,
    /// Why.
    message: String,
}

/// What came of it, stack by stack.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::commands) struct List {
    /// Stack by stack.
    items: Vec<Came>,
}

/// Has the operator look.
pub async fn run(session: &Session, args: &Args) -> Result<Exit, Error> {
    let asking = progress::show("asking the cluster");
    let cluster = session.cluster().await?;
    let stacks = if args.all {
        let namespace = session.namespace(&cluster);
        let stacks = cluster.stacks(Some(&namespace)).await?;
        if stacks.is_empty() {
            return Err(Error::new(format!("there is no ObservabilityStack in namespace {namespace}")).fix(
                format!("name another namespace with -n; `{COMMAND} status -A` shows the stacks of all"),
            ));
        }
        stacks
    } else {
        vec![args.stack.find(session, &cluster).await?]
    };
    let moment = Timestamp::now().to_string();
    let mut asked = Vec::new();
    for stack in stacks {
        let patch = json!({"metadata": {"annotations": {labels::RECONCILE_REQUESTED_AT: moment}}});
        asked.push(edit::merge(&cluster, &stack, &patch).await?);
    }
    asking.now("the operator looks");
    let end = Instant::now() + args.timeout;
    let one = |stack| looked(&cluster, stack, &moment, args.wait.then_some(end));
    let items: Result<Vec<_>, Error> = join_all(asked.iter().map(one)).await.into_iter().collect();
    let list = List { items: items? };
    drop(asking);
    let text = match output::for_programs(session.format(), "Reconciliation", &list)? {
        Some(text) => text,
        None => words(&list.items, &session.terminal),
    };
    session.terminal.print(&text)?;
    let unseen: Vec<_> =
        asked.iter().zip(&list.items).filter(|(_, item)| item.looked == Some(false)).collect();
    let Some((stack, _)) = unseen.first() else { return Ok(Exit::Done) };
    let key = key_of(stack);
    sight::note_other_version(session, sight::operator(&cluster, &key).await.as_deref());
    let names: Vec<_> = unseen.iter().map(|(_, item)| item.stack.as_str()).collect();
    Err(Error::new(format!("the operator has not finished looking at {} within {}", names.join(", "), age::full(args.timeout)))
        .because("status.lastHandledReconcileAt does not repeat the request yet")
        .fix(format!(
            "see that the operator runs and watches namespace {}; an object store that answers slowly needs a longer --timeout",
            key.namespace
        )))
}

/// Waits until the operator has looked, or until the end.
async fn looked(
    cluster: &Cluster,
    stack: &ObservabilityStack,
    moment: &str,
    end: Option<Instant>,
) -> Result<Came, Error> {
    let key = key_of(stack);
    let mut now = stack.clone();
    let mut done = None;
    while let Some(end) = end {
        let handled = told::status(&now).last_handled_reconcile_at;
        done = Some(has_followed(handled.as_deref(), moment));
        if done == Some(true) || Instant::now() >= end {
            break;
        }
        tokio::time::sleep(STEP).await;
        now = cluster.find(&key).await?.ok_or_else(|| {
            Error::new(format!("{key} is gone"))
                .because("it was deleted while the operator was asked to look")
        })?;
    }
    let Verdict { ready, reason, message } = Verdict::of(&now);
    Ok(Came { stack: key.to_string(), looked: done, ready: told::word(ready), reason, message })
}

/// Whether a request was followed: this one, or one that was made later by somebody else.
fn has_followed(handled: Option<&str>, moment: &str) -> bool {
    let time = |text: &str| text.parse::<Timestamp>().ok();
    handled.is_some_and(|handled| {
        handled == moment || time(handled).zip(time(moment)).is_some_and(|(handled, asked)| handled >= asked)
    })
}

fn words(items: &[Came], terminal: &Terminal) -> String {
    let mut table = Table::new(&["STACK", "OPERATOR", "READY", "REASON", "MESSAGE"]);
    for item in items {
        let (tone, operator) = match item.looked {
            Some(true) => (Tone::Good, "looked"),
            Some(false) => (Tone::Bad, "has not looked"),
            None => (Tone::Dim, "was asked"),
        };
        let tone_of_ready = match item.ready {
            "True" => Tone::Good,
            "False" => Tone::Bad,
            _ => Tone::Warn,
        };
        table.row([
            item.stack.as_str().into(),
            Cell::new(tone, operator),
            Cell::new(tone_of_ready, item.ready),
            item.reason.as_str().into(),
            item.message.as_str().into(),
        ]);
    }
    table.text(terminal, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::docs::schemas;

    #[test]
    fn programs_get_what_the_schema_says() {
        let came = |looked| Came {
            stack: "ns/dev".to_owned(),
            looked,
            ready: "True",
            reason: "Ready".to_owned(),
            message: String::new(),
        };
        schemas::hold("Reconciliation", &List { items: vec![came(None), came(Some(true))] });
    }

    #[test]
    fn a_request_is_followed_by_itself_or_by_a_later_one() {
        let at = "2026-01-02T03:04:05.678Z";
        assert!(!has_followed(None, at));
        assert!(!has_followed(Some("2026-01-02T03:04:05.677Z"), at));
        assert!(!has_followed(Some("by hand"), at));
        assert!(has_followed(Some(at), at));
        assert!(has_followed(Some("2026-01-02T03:04:06Z"), at));
    }
}
