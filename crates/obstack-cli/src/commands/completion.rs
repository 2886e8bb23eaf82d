//! `completion`: scripts for shells, and for kubectl, which completes its plugins itself.

mod words;

use std::{io::IsTerminal as _, time::Duration};

use clap::{Command, CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};

use self::words::{Asked, Wanted};
use crate::{
    args::{Cli, called_as},
    error::Error,
    exit::Exit,
    session::Session,
};

/// Longest time that the names of stacks are waited for: somebody has pressed a key.
const PATIENCE: Duration = Duration::from_secs(1);

/// Flags of `completion`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The script is for the name that this command is called by. Where it goes:

  bash        obstack completion bash > ~/.local/share/bash-completion/completions/obstack
  zsh         obstack completion zsh > \"${fpath[1]}/_obstack\"    and start zsh anew
  fish        obstack completion fish > ~/.config/fish/completions/obstack.fish
  powershell  obstack completion powershell >> $PROFILE
  elvish      obstack completion elvish >> ~/.config/elvish/rc.elv

Of `kubectl obstack`, kubectl 1.26 or newer asks an executable kubectl_complete-obstack on PATH, where its own \
completion is set up. It knows the names of stacks, too:

  kubectl obstack completion kubectl > ~/.local/bin/kubectl_complete-obstack
  chmod +x ~/.local/bin/kubectl_complete-obstack")]
pub struct Args {
    /// The shell, or kubectl
    #[arg(value_enum)]
    shell: For,
}

/// Who completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum For {
    /// GNU Bash
    Bash,
    /// Zsh
    Zsh,
    /// The friendly interactive shell
    Fish,
    /// `PowerShell`
    Powershell,
    /// Elvish
    Elvish,
    /// What kubectl runs to complete its plugin
    Kubectl,
}

/// What kubectl runs: the answer comes from the command itself.
const KUBECTL: &str = "#!/bin/sh
# kubectl runs this with the words so far, the last of which is to be completed.
exec kubectl-obstack __complete -- \"$@\"
";

/// Prints a script.
pub fn run(session: &Session, args: &Args) -> Result<Exit, Error> {
    let shell = match args.shell {
        For::Bash => Some(Shell::Bash),
        For::Zsh => Some(Shell::Zsh),
        For::Fish => Some(Shell::Fish),
        For::Powershell => Some(Shell::PowerShell),
        For::Elvish => Some(Shell::Elvish),
        For::Kubectl => None,
    };
    let text = match shell {
        Some(shell) => script(shell, file_name()),
        None => KUBECTL.to_owned(),
    };
    session.terminal.print(&text)?;
    if std::io::stdout().is_terminal() {
        session.terminal.note("`completion -h` says where to put this");
    }
    Ok(Exit::Done)
}

/// The name by which a shell runs this. A shell completes the words of kubectl by asking kubectl.
fn file_name() -> &'static str {
    if called_as() == "obstack" { "obstack" } else { "kubectl-obstack" }
}

fn script(shell: Shell, name: &str) -> String {
    let all = Cli::command();
    // Some shells would offer what is hidden.
    let shown = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut shown = Command::new("obstack")
        .disable_help_subcommand(true)
        .args(all.get_arguments().cloned())
        .subcommands(shown);
    let mut text = Vec::new();
    generate(shell, &mut shown, name, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The words so far, as kubectl hands them over.
#[derive(Debug, clap::Args)]
pub struct Words {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
    words: Vec<String>,
}

/// Prints what the last word can become, one a line, and what the shell may add (cobra's directives).
pub async fn complete(session: &Session, args: &Words) -> Result<Exit, Error> {
    let mut command = Cli::command();
    command.build();
    let asked = words::look(&command, &args.words);
    let mut lines: Vec<String> = asked.candidates.iter().map(words::Candidate::line).collect();
    if asked.wanted == Wanted::Stacks {
        lines.extend(tokio::time::timeout(PATIENCE, stacks(session, &asked)).await.unwrap_or_default());
    }
    let directive = if asked.wanted == Wanted::Files { words::FILES } else { words::NO_FILES };
    lines.push(format!(":{directive}\n"));
    session.terminal.print(&lines.join("\n"))?;
    Ok(Exit::Done)
}

/// The stacks that can be meant. Whatever fails here is nobody's news: then there are none.
async fn stacks(session: &Session, asked: &Asked) -> Vec<String> {
    let mut global = session.global.clone();
    let flag = |name: &str| asked.flags.get(name).cloned();
    global.namespace = flag("namespace").or(global.namespace);
    global.context = flag("context").or(global.context);
    global.kubeconfig = flag("kubeconfig").map(Into::into).or(global.kubeconfig);
    let session = Session { global, terminal: session.terminal };
    let Ok(client) = session.client().await else { return Vec::new() };
    let own = session.global.namespace.clone().unwrap_or_else(|| client.default_namespace().to_owned());
    let elsewhere = asked.word.split_once('/').map(|(namespace, _)| namespace.to_owned());
    let before = elsewhere.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
    let namespace = elsewhere.unwrap_or(own);
    let api: kube::Api<obstack_api::ObservabilityStack> = kube::Api::namespaced(client, &namespace);
    let Ok(found) = api.list_metadata(&kube::api::ListParams::default()).await else { return Vec::new() };
    let names = found.items.into_iter().filter_map(|stack| stack.metadata.name);
    names.map(|name| format!("{before}{name}")).filter(|name| name.starts_with(&asked.word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_completes_the_name_it_is_made_for() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            for name in ["obstack", "kubectl-obstack"] {
                let text = script(shell, name);
                assert!(text.contains(name) && text.contains("verify"), "{shell} {name}");
                assert!(!text.contains("__complete"), "{shell}: what is hidden stays hidden");
            }
        }
    }
}
