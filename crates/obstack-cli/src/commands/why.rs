//! `why`: from Ready down to the first cause, with the evidence.

use crate::{
    error::Error,
    evidence::Link,
    exit::Exit,
    named::StackName,
    output, progress,
    session::Session,
    sight,
    story::{self, Story},
    terminal::{Terminal, Tone},
    tree::{Node, pad, widest},
};

/// Flags of `why`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl obstack why dts-dev
  kubectl obstack why dts-dev -o json | jq .cause

It ends with 0 whatever the answer is: to ask is not to fail. `kubectl obstack status NAME --until Ready` is for pipelines.")]
pub struct Args {
    #[command(flatten)]
    stack: StackName,
}

/// Explains why a stack is not ready.
pub async fn run(session: &Session, args: &Args) -> Result<Exit, Error> {
    let looking = progress::show("looking at the stack");
    let cluster = session.cluster().await?;
    let stack = args.stack.find(session, &cluster).await?;
    let seen = sight::look(&cluster, stack).await;
    drop(looking);
    sight::note_other_version(session, seen.operator.as_deref());
    let story = story::of(&seen);
    let told = match output::for_programs(session.format(), "StackStory", &story)? {
        Some(text) => text,
        None => text(&story, &session.terminal),
    };
    session.terminal.print(&told)?;
    Ok(Exit::Done)
}

/// The story as text.
pub fn text(story: &Story, terminal: &Terminal) -> String {
    let (tone, head) = match (story.ready.as_str(), &story.cause) {
        ("True", _) => (Tone::Good, format!("{} is ready", story.stack)),
        (_, Some(cause)) => (Tone::Bad, format!("{} is not ready: {}", story.stack, cause.reason)),
        (_, None) => (Tone::Warn, format!("{} is not known to be ready", story.stack)),
    };
    let mut root = Node::new(tone, head);
    root.extend(by_object(&story.chain));
    if let Some(cause) = &story.cause {
        let meaning = cause.meaning.clone().unwrap_or_default();
        let mut node =
            Node::new(Tone::Strong, "First cause").and(Tone::Bad, &*cause.reason).says(Tone::Plain, meaning);
        node.extend(cause.fix.iter().map(|fix| Node::new(Tone::Good, "fix").says(Tone::Plain, fix)));
        node.extend(cause.runbook.iter().map(|page| Node::new(Tone::Dim, "runbook").says(Tone::Plain, page)));
        root.extend([node]);
    }
    let list = |head: &str, words: &[String]| {
        let mut node = Node::new(Tone::Warn, head);
        node.extend(words.iter().map(|words| Node::new(Tone::Dim, "").says(Tone::Plain, words)));
        (!node.is_bare()).then_some(node)
    };
    if !story.imperfect.is_empty() {
        let mut node = Node::new(Tone::Warn, "Not perfect");
        node.extend(by_object(&story.imperfect));
        root.extend([node]);
    }
    root.extend(list("Know too", &story.notes));
    root.extend(list("Not known", &story.missing));
    root.text(terminal)
}

/// Links below their objects, in the order of the chain.
fn by_object(links: &[Link]) -> Vec<Node> {
    links
        .chunk_by(|a, b| a.object == b.object)
        .map(|links| {
            let width = widest(links.iter().map(|link| link.field.as_str()));
            let reason = widest(links.iter().filter_map(|link| link.reason.as_deref()));
            let mut node =
                Node::new(Tone::Strong, links.first().map(|link| link.object.as_str()).unwrap_or_default());
            node.extend(links.iter().map(|link| {
                Node::new(Tone::Dim, pad(&link.field, width))
                    .and(Tone::Warn, link.reason.as_deref().map(|word| pad(word, reason)).unwrap_or_default())
                    .says(Tone::Plain, &link.says)
            }));
            node
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{commands::docs::schemas, fixtures, terminal::Colour};

    fn told(fixture: &str) -> String {
        text(&story::of(&fixtures::sight(fixture)), &Terminal::new(Colour::Never))
    }

    #[test]
    fn a_chain_goes_from_ready_to_the_words_of_the_kubelet() {
        insta::assert_snapshot!(told("crash-loop"));
    }

    #[test]
    fn a_bucket_leads_to_its_secret() {
        insta::assert_snapshot!(told("signature-rejected"));
    }

    #[test]
    fn a_quota_leads_to_its_numbers() {
        insta::assert_snapshot!(told("quota-exceeded"));
    }

    #[test]
    fn what_waits_for_approval_says_how_to_approve() {
        insta::assert_snapshot!(told("awaiting-approval"));
    }

    #[test]
    fn a_stack_that_is_ready_says_what_is_not_perfect() {
        insta::assert_snapshot!(told("ready"));
    }

    #[test]
    fn a_suspended_stack_says_who_suspended_it() {
        insta::assert_snapshot!(told("suspended"));
    }

    #[test]
    fn a_stack_that_nobody_has_looked_at_says_so() {
        let mut seen = fixtures::sight("ready");
        seen.stack.status = None;
        seen.health.clear();
        insta::assert_snapshot!(text(&story::of(&seen), &Terminal::new(Colour::Never)));
    }

    #[test]
    fn programs_get_a_list_of_links() {
        let json = output::json(&story::of(&fixtures::sight("crash-loop"))).expect("JSON");
        insta::assert_snapshot!(json);
        for fixture in fixtures::STACKS {
            schemas::hold("StackStory", &story::of(&fixtures::sight(fixture)));
        }
    }
}
