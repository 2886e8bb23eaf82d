//! `adopt`: takes over what Helm runs, object by object and without making any of them anew.

mod foresee;
mod look;
mod owned;
mod print;
pub(super) mod report;
mod take;
mod undo;

use std::io::{self, BufRead, IsTerminal, Write};

use obstack_api::CredentialsSecretRef;

use self::{
    look::Look,
    report::{Report, State},
};
use crate::{
    charts::ChartFlags,
    error::Error,
    exit::Exit,
    output::{self, Format},
    progress,
    session::Session,
};

/// Flags of `adopt`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --apply nothing is changed: it says what a takeover comes to, object by object. -o yaml prints the stack \
alone, ready for kubectl apply or for git.

With --apply:
  1. Every object is tried on the API server, by dry runs. One that it would refuse ends it here.
  2. Helm's fields are handed over to the operator, object by object. Nothing restarts by that.
  3. The ObservabilityStack is made. From here on the releases are taken over, and the operator applies its objects.
  4. The Secrets of the releases are kept, with the label owner=obstack: helm does not find them any more.
Before step 3 an error or Ctrl-C hands everything back, and nothing was taken. A process that is killed leaves a state in \
which Helm goes on: run the same command again, and it finishes from wherever it was; or give back with --undo.

deletionPolicy is Retain: deleting the stack leaves everything as it runs, and --undo then gives it back to Helm.

Examples:
  kubectl obstack adopt --release mimir -n monitoring
  kubectl obstack adopt --release tempo --release mimir -n monitoring --name obs --environment prod -o yaml > obs.yaml
  kubectl obstack adopt --release mimir -n monitoring --apply
  kubectl obstack adopt --undo mimir -n monitoring

Exit codes: 0 taken over, 2 there is something to take over, 1 failed or impossible, 130 interrupted and nothing was taken."
)]
pub struct Args {
    /// The release of Tempo or Mimir; may be repeated, for one of each in one stack
    #[arg(long = "release", value_name = "NAME", required_unless_present = "undo", conflicts_with = "undo")]
    releases: Vec<String>,
    /// Name of the stack [default: that of the first release]
    #[arg(long, value_name = "STACK", conflicts_with = "undo")]
    name: Option<String>,
    /// Name of the environment; it never changes [default: the end of the namespace's name]
    #[arg(long, value_name = "ENV", conflicts_with = "undo")]
    environment: Option<String>,
    /// The Secret with the object store's keys, with the names of its fields where they are not `AWS_ACCESS_KEY_ID` and
    /// `AWS_SECRET_ACCESS_KEY` [default: the one that the releases use]
    #[arg(long, value_name = "NAME[:ACCESS,SECRET]", value_parser = credentials, conflicts_with = "undo")]
    credentials_secret: Option<CredentialsSecretRef>,
    /// Take over
    #[arg(long, conflicts_with = "undo")]
    apply: bool,
    /// Give a release back to Helm, whose stack was deleted or was never made
    #[arg(long, value_name = "NAME")]
    undo: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    charts: ChartFlags,
}

fn credentials(text: &str) -> Result<CredentialsSecretRef, String> {
    let (name, fields) = text.split_once(':').map_or((text, None), |(name, fields)| (name, Some(fields)));
    let (access, secret) = match fields.map(|fields| fields.split_once(',')) {
        None => (None, None),
        Some(Some((access, secret))) if !access.is_empty() && !secret.is_empty() => {
            (Some(access.to_owned()), Some(secret.to_owned()))
        }
        Some(_) => return Err("write it as NAME or as NAME:ACCESSFIELD,SECRETFIELD".to_owned()),
    };
    if name.is_empty() {
        return Err("it names no Secret".to_owned());
    }
    Ok(CredentialsSecretRef { name: name.to_owned(), access_key_field: access, secret_key_field: secret })
}

/// Says what a takeover comes to, and carries it out with `--apply`.
pub async fn run(session: &Session, args: &Args) -> Result<Exit, Error> {
    if let Some(release) = &args.undo {
        return undo::run(session, release, args.yes).await;
    }
    let progress = progress::show("reading releases");
    let cluster = session.cluster().await?;
    let mut look = Box::pin(look::look(session, &cluster, args, &progress)).await?;
    drop(progress);
    let quiet = args.apply && session.format() != Format::Table && session.format() != Format::Wide;
    if !quiet {
        show(session, &look.report, args.apply)?;
    }
    match look.report.state {
        State::Blocked => Err(blocked(&look)),
        State::TakenOver => {
            if quiet {
                show(session, &look.report, true)?;
            }
            Ok(Exit::Done)
        }
        State::Possible | State::Begun if !args.apply => Ok(Exit::Changes),
        State::Possible | State::Begun => {
            if !args.yes {
                confirm(&format!("Take over into ObservabilityStack {}?", look.key))?;
            }
            let exit = take::take(session, &cluster, &look).await?;
            if quiet && exit == Exit::Done {
                look.report.state = State::TakenOver;
                show(session, &look.report, true)?;
            }
            Ok(exit)
        }
    }
}

/// Prints what a takeover comes to. As YAML it is the stack alone: that is what people put into git.
fn show(session: &Session, report: &Report, applies: bool) -> Result<(), Error> {
    let format = session.format();
    let text = match format {
        Format::Yaml if report.state == State::Blocked => return Ok(()),
        Format::Yaml => output::yaml(&report.manifest)?,
        _ => match output::for_programs(format, "Adoption", report)? {
            Some(text) => text,
            None => print::text(report, &session.terminal, format == Format::Wide, applies),
        },
    };
    session.terminal.print(&text)?;
    if format == Format::Yaml {
        for note in &report.notes {
            session.terminal.note(&format!("{}: {}", note.subject, note.message));
        }
    }
    Ok(())
}

fn blocked(look: &Look) -> Error {
    let obstacles = look.in_the_way();
    let why: Vec<_> = obstacles.iter().map(|one| format!("{}: {}", one.subject, one.why)).collect();
    let mut fixes: Vec<_> = obstacles.iter().map(|one| one.fix.clone()).collect();
    fixes.dedup();
    let names: Vec<_> = look.report.releases.iter().map(|release| release.name.clone()).collect();
    Error::new(format!("{} cannot be taken over", names.join(" and ")))
        .because(why.join("\n"))
        .fix(fixes.join("\n"))
}

/// Asks on the terminal. Where nobody can answer, it must have been said before.
fn confirm(question: &str) -> Result<(), Error> {
    if !io::stdin().is_terminal() {
        return Err(Error::new("nobody can be asked, so nothing was changed").fix("say it beforehand: --yes"));
    }
    // Nobody is left to tell when stderr is closed.
    let _ = write!(io::stderr(), "{question} [y/N] ");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Error::new("the answer cannot be read").because(error))?;
    if ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
        Ok(())
    } else {
        Err(Error::new("nothing was changed").because("the answer was no"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_named_with_or_without_its_fields() {
        let plain = credentials("s3").unwrap();
        assert_eq!((plain.name.as_str(), plain.access_key_field), ("s3", None));
        let full = credentials("s3:a,b").unwrap();
        assert_eq!(
            (full.access_key_field.as_deref(), full.secret_key_field.as_deref()),
            (Some("a"), Some("b"))
        );
        for wrong in ["", ":a,b", "s3:a", "s3:a,", "s3:"] {
            assert!(credentials(wrong).is_err(), "{wrong}");
        }
    }
}
