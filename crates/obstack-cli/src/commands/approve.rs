//! `approve`: lets the change that waits be carried out.

use std::io::{self, BufRead, IsTerminal, Write};

use obstack_api::{ObservabilityStack, PlanState, PlanStatus};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::{
    args::COMMAND,
    cluster::{Cluster, key_of},
    edit,
    error::Error,
    exit::Exit,
    gitops::GitOps,
    named::StackName,
    output, progress,
    session::Session,
    sight,
    terminal::{Terminal, Tone},
    told::{self, Told},
    tree::Node,
};

/// Fewest digits of a digest that name a plan; the API takes no fewer.
const DIGITS: usize = 12;
/// What a digest begins with.
const ALGORITHM: &str = "sha256:";

/// Flags of `approve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl obstack approve dts-prod
  kubectl obstack approve dts-prod --plan sha256:8b212b70e56f
  kubectl obstack approve dts-prod --yes

An approval is good for one plan. Where the change is approved by a pipeline, name the plan that was read: --yes approves
what waits at this moment.")]
pub struct Args {
    #[command(flatten)]
    stack: StackName,
    /// Digest of the plan that is meant, or its first digits, 12 at least; nothing is asked then
    #[arg(long, value_name = "DIGEST")]
    plan: Option<String>,
    /// Approve what waits without asking
    #[arg(short, long)]
    yes: bool,
}

/// Whether the change was approved.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::commands) struct Done {
    /// Namespace and name of the stack.
    stack: String,
    /// It was approved by this command.
    approved: bool,
    /// Why not, or what it comes to.
    says: String,
    /// The plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-api" = "status.plan"))]
    plan: Option<PlanStatus>,
    /// Who applies the stack from git, if anybody shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    managed_by: Option<GitOps>,
}

/// Approves the plan that waits.
pub async fn run(session: &Session, args: &Args) -> Result<Exit, Error> {
    let asking = progress::show("asking the cluster");
    let cluster = session.cluster().await?;
    let stack = args.stack.find(session, &cluster).await?;
    let key = key_of(&stack);
    let operator = sight::operator(&cluster, &key).await;
    drop(asking);
    sight::note_other_version(session, operator.as_deref());
    let plan = match waiting(&stack, args.plan.as_deref())? {
        Waiting::Plan(plan) => plan,
        Waiting::Nothing(says) => {
            let done = Done { stack: key.to_string(), approved: false, says, plan: None, managed_by: None };
            return finish(session, &done, &format!("{key}: {}\n", done.says));
        }
    };
    if let Some(caveat) = Told::of(&stack).caveat() {
        session.terminal.warn(&format!("{caveat}: another plan may wait in a moment"));
    }
    if output::for_programs(session.format(), "Plan", &plan)?.is_none() {
        session.terminal.print(&plan_text(&key.to_string(), &plan, &session.terminal))?;
    }
    if args.plan.is_none() && !args.yes && !confirmed(&key.to_string())? {
        return Err(Error::new(format!("nothing was approved: {key} was not confirmed")));
    }
    approve(&cluster, &stack, &plan).await?;
    let managed_by = GitOps::of(&stack);
    if let Some(owner) = &managed_by {
        let yaml = format!("spec:\n  changes:\n    approvedPlan: {}", plan.digest);
        session.terminal.warn(&owner.warning(&yaml));
    }
    let says = "approved: the operator carries it out now".to_owned();
    let text = format!("{key} is {says}\n  {COMMAND} status {} -n {} --watch\n", key.name, key.namespace);
    let done = Done { stack: key.to_string(), approved: true, says, plan: Some(plan), managed_by };
    finish(session, &done, &text)
}

fn finish(session: &Session, done: &Done, text: &str) -> Result<Exit, Error> {
    let printed = output::for_programs(session.format(), "Approval", done)?;
    session.terminal.print(&printed.unwrap_or_else(|| text.to_owned()))?;
    Ok(Exit::Done)
}

async fn approve(cluster: &Cluster, stack: &ObservabilityStack, plan: &PlanStatus) -> Result<(), Error> {
    // Over the version that was read: what somebody changed meanwhile comes to another plan.
    let patch = json!({
        "metadata": {"resourceVersion": stack.metadata.resource_version},
        "spec": {"changes": {"approvedPlan": plan.digest}},
    });
    edit::merge(cluster, stack, &patch).await.map(|_| ())
}

/// What waits.
#[derive(Debug, PartialEq)]
enum Waiting {
    /// This plan.
    Plan(PlanStatus),
    /// Nothing, and why.
    Nothing(String),
}

/// The plan that waits, if it is the one that is meant.
fn waiting(stack: &ObservabilityStack, meant: Option<&str>) -> Result<Waiting, Error> {
    let meant = meant.map(digits).transpose()?;
    let nothing = |why: &str| Ok(Waiting::Nothing(format!("nothing waits for approval{why}")));
    let Some(plan) = told::status(stack).plan else {
        return nothing(&Told::of(stack).caveat().map(|caveat| format!(": {caveat}")).unwrap_or_default());
    };
    match plan.state {
        PlanState::Applied => return nothing(": the last change is carried out"),
        PlanState::Held => {
            return nothing(&format!(": the change is held by something else; `{COMMAND} why` says by what"));
        }
        PlanState::PendingApproval => {}
    }
    let waits = plan.digest.strip_prefix(ALGORITHM).unwrap_or(&plan.digest);
    if let Some(meant) = meant.filter(|meant| !waits.starts_with(meant.as_str())) {
        return Err(Error::new(format!("the plan that waits for {} is another one", key_of(stack)))
            .because(format!("waits: {}\nnamed: {ALGORITHM}{meant}", plan.digest))
            .fix(format!("read what waits (`{COMMAND} status NAME`), and approve its digest")));
    }
    let approved = stack.spec.changes.approved_plan.as_deref().and_then(|plan| plan.strip_prefix(ALGORITHM));
    if approved.is_some_and(|approved| waits.starts_with(approved)) {
        return Ok(Waiting::Nothing(
            "the plan is approved already; the operator has not begun it yet".to_owned(),
        ));
    }
    Ok(Waiting::Plan(plan))
}

/// The digits of a digest that was given.
fn digits(text: &str) -> Result<String, Error> {
    let digits = text.strip_prefix(ALGORITHM).unwrap_or(text).to_ascii_lowercase();
    let fits = (DIGITS..=64).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_hexdigit());
    if fits {
        return Ok(digits);
    }
    Err(Error::new(format!("`{text}` names no plan"))
        .because(format!("a digest has {DIGITS} to 64 hexadecimal digits, after `{ALGORITHM}` or without it"))
        .fix(format!("copy it from `{COMMAND} status NAME`")))
}

/// What is approved.
fn plan_text(stack: &str, plan: &PlanStatus, terminal: &Terminal) -> String {
    let counts = format!("{} objects made, {} changed, {} deleted", plan.created, plan.changed, plan.deleted);
    let restarts = if plan.restarts.is_empty() { "nothing".to_owned() } else { plan.restarts.join(", ") };
    let mut node = Node::new(Tone::Strong, format!("The change of {stack} that waits"))
        .with(Node::new(Tone::Plain, "objects ").says(Tone::Plain, counts))
        .with(Node::new(Tone::Plain, "restarts").says(Tone::Plain, restarts));
    node.extend(plan.disruptive.iter().map(|why| Node::new(Tone::Warn, "disruptive").says(Tone::Plain, why)));
    node.with(Node::new(Tone::Plain, "digest  ").says(Tone::Dim, &plan.digest)).text(terminal)
}

fn confirmed(stack: &str) -> Result<bool, Error> {
    let unasked = || {
        Error::new("there is nobody to ask whether the plan is approved")
            .because("this is no terminal")
            .fix("name the plan with --plan DIGEST, or give --yes")
    };
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(unasked());
    }
    let mut err = io::stderr();
    let _ = write!(err, "Carry it out on {stack}? [y/N] ");
    let _ = err.flush();
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|error| unasked().because(error))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{commands::docs::schemas, fixtures, terminal::Colour};

    const DIGEST: &str = "sha256:8b212b70e56f86da51696bb16a28e22e1077f05b23fa69e75970d5caf25bd8f4";

    #[test]
    fn a_plan_is_named_by_its_first_digits_and_no_other_is_approved() {
        let stack = fixtures::stack("awaiting-approval");
        let digest = |meant: Option<&str>| match waiting(&stack, meant) {
            Ok(Waiting::Plan(plan)) => plan.digest,
            other => panic!("{other:?}"),
        };
        assert_eq!(digest(None), DIGEST);
        assert_eq!(digest(Some("8B212B70E56F")), DIGEST);
        assert_eq!(digest(Some(&DIGEST[..25])), DIGEST);
        let other = waiting(&stack, Some("sha256:0123456789ab")).unwrap_err().to_string();
        assert!(other.contains(DIGEST) && other.contains("0123456789ab"), "{other}");
        for text in ["8b212b70e56", "sha256:", "not-hexadecimal"] {
            assert!(waiting(&stack, Some(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn what_does_not_wait_is_not_approved() {
        let said = |stack: &ObservabilityStack| match waiting(stack, None) {
            Ok(Waiting::Nothing(says)) => says,
            other => panic!("{other:?}"),
        };
        assert!(said(&fixtures::stack("ready")).starts_with("nothing waits for approval"));
        let mut stack = fixtures::stack("awaiting-approval");
        stack.spec.changes.approved_plan = Some(DIGEST[..19].to_owned());
        assert!(said(&stack).starts_with("the plan is approved already"));
        stack.status = None;
        assert_eq!(said(&stack), "nothing waits for approval: no operator has looked at it yet");
    }

    #[test]
    fn what_is_approved_is_shown() {
        let plan = told::status(&fixtures::stack("awaiting-approval")).plan.expect("a plan");
        let managed_by = GitOps { tool: "Flux", told_by: "a label".to_owned() };
        let done = |plan, managed_by| Done {
            stack: "ns/dts-dev".to_owned(),
            approved: true,
            says: String::new(),
            plan,
            managed_by,
        };
        schemas::hold("Approval", &done(None, None));
        schemas::hold("Approval", &done(Some(plan.clone()), Some(managed_by)));
        insta::assert_snapshot!(plan_text("ns/dts-dev", &plan, &Terminal::new(Colour::Never)));
    }
}
