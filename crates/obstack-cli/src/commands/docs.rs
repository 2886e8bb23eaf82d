//! `docs`: the manual pages, and the pages of the reference, made from the command line itself.

mod markdown;
mod results;
pub(super) mod schemas;

use std::{fs, path::PathBuf};

use clap::{CommandFactory, Subcommand, ValueHint};

use crate::{args::Cli, error::Error, exit::Exit, output, session::Session};

/// Flags of `docs`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    page: Page,
}

/// What can be written.
#[derive(Debug, Subcommand)]
enum Page {
    /// Write manual pages: obstack.1, and one a command
    #[command(after_help = "Examples:
  kubectl obstack docs man --dir ~/.local/share/man/man1")]
    Man {
        /// Folder to write into; it is made when it is not there
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
    /// Print docs/reference/kubectl-obstack.md
    #[command(hide = true)]
    Markdown,
    /// Print docs/reference/kubectl-obstack-output.md
    #[command(hide = true)]
    Results,
    /// Print the JSON schema of each kind of result
    #[command(hide = true)]
    Schemas,
}

/// Writes or prints pages.
pub fn run(session: &Session, args: &Args) -> Result<Exit, Error> {
    match &args.page {
        Page::Markdown => session.terminal.print(&markdown::page())?,
        Page::Results => session.terminal.print(&results::page())?,
        Page::Schemas => session.terminal.print(&output::json(&schemas::all())?)?,
        Page::Man { dir } => {
            let failed = |error| {
                Error::new("the manual pages cannot be written")
                    .at(dir.display().to_string())
                    .because(error)
                    .fix("name a folder that can be written to: --dir DIR")
            };
            fs::create_dir_all(dir).map_err(failed)?;
            clap_mangen::generate_to(Cli::command(), dir).map_err(failed)?;
            session.terminal.note(&format!("manual pages are in {}", dir.display()));
        }
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_manual_page() {
        let dir = tempfile::tempdir().unwrap();
        clap_mangen::generate_to(Cli::command(), dir.path()).unwrap();
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let page = dir.path().join(format!("obstack-{}.1", command.get_name()));
            let text = fs::read_to_string(&page).unwrap();
            assert!(text.contains(".TH") && text.contains("namespace"), "{}", page.display());
        }
        assert!(dir.path().join("obstack.1").is_file());
    }
}
