//! `validate`: schema, admission rules and the operator's own checks, with file, line and column.

pub(super) mod report;
mod server;

use std::path::PathBuf;

use clap::ValueHint;
use obstack_api::ObservabilityStack;
use obstack_core::names::StackKey;
use serde_json::Value;

use self::report::{HeldAgainst, Report, Skipped, Subject};
use crate::{
    charts,
    check::{self, Checker, Fault, Source},
    cluster::{Cluster, nearest},
    error::Error,
    exit::Exit,
    input::{self, API_VERSION, Document, Files, KIND},
    output,
    path::Path,
    planner::{AssumeFlags, World},
    session::Session,
};

/// What no file can show.
const NOT_CHECKED: &[&str] = &[
    "Secrets and their keys",
    "quotas",
    "buckets, and other stacks that claim the same",
    "StorageClasses",
    "fields that cannot be changed once they are stored",
];
/// What an API server's dry run does not show either.
const NOT_CHECKED_BY_SERVER: &[&str] = &["quotas", "buckets and their credentials", "StorageClasses"];

/// Flags of `validate`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "No cluster is asked unless --server is given, so that a check of a pull request never depends on a \
kubeconfig.\nSchema and rules are those of the CustomResourceDefinition of this version.

Examples:
  kubectl obstack validate -f dev.yaml
  kubectl obstack validate -f deploy/ -R --skip-others -o json
  kubectl obstack validate -f dev.yaml --server"
)]
pub struct Args {
    #[command(flatten)]
    files: Files,
    /// Ask the API server of the context too: its dry run, and the change from what is stored
    #[arg(long, conflicts_with = "offline")]
    server: bool,
    /// Pass over documents of another kind instead of failing
    #[arg(long)]
    skip_others: bool,
    /// Charts of a stack that does not choose itself
    #[arg(long, env = "OBSTACK_CHART_SOURCE", value_enum, value_name = "SOURCE", default_value = "upstream")]
    chart_source: charts::Source,
    /// Stacks as they are stored: rules about changes are held against them
    #[arg(long, hide = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    old: Option<PathBuf>,
    #[command(flatten)]
    assume: AssumeFlags,
}

/// Checks every document, and ends well if all are valid.
pub async fn run(session: &Session, args: &Args) -> Result<Exit, Error> {
    let cluster = if args.server { Some(session.cluster().await?) } else { None };
    let stored = match &args.old {
        Some(file) => input::documents(&Files::from(std::slice::from_ref(file)))?,
        None => Vec::new(),
    };
    let validation = Validation { session, args, cluster, stored, checker: check::checker()? };
    let report = validation.report().await?;
    match output::for_programs(session.format(), "Validation", &report)? {
        Some(text) => session.terminal.print(&text)?,
        None => report.show(&session.terminal)?,
    }
    Ok(if report.valid { Exit::Done } else { Exit::Failed })
}

/// One run of the command.
struct Validation<'a> {
    session: &'a Session,
    args: &'a Args,
    cluster: Option<Cluster>,
    stored: Vec<Document>,
    checker: &'static Checker,
}

impl Validation<'_> {
    async fn report(&self) -> Result<Report, Error> {
        let mut subjects = Vec::new();
        let mut skipped = Vec::new();
        for source in input::sources(&self.args.files)? {
            let documents = match input::split(&source) {
                Ok(documents) => documents,
                Err(error) => {
                    subjects.push(Subject::not_yaml(&source, &error));
                    continue;
                }
            };
            for document in documents {
                let Some(kind) = other(&document).filter(|_| self.args.skip_others) else {
                    subjects.push(self.subject(document).await?);
                    continue;
                };
                skipped.push(Skipped { file: source.file.clone(), line: document.line, kind });
            }
        }
        if subjects.is_empty() && skipped.is_empty() {
            return Err(input::nothing());
        }
        let not_checked = if self.cluster.is_some() { NOT_CHECKED_BY_SERVER } else { NOT_CHECKED };
        Ok(Report::new(subjects, skipped, self.held_against(), not_checked))
    }

    fn held_against(&self) -> HeldAgainst {
        HeldAgainst {
            schema: format!("{API_VERSION} of version {}", env!("CARGO_PKG_VERSION")),
            kubernetes: match &self.cluster {
                Some(cluster) => cluster.facts.version.clone(),
                None => self.args.assume.kube_version.clone(),
            },
            server: self.cluster.is_some(),
        }
    }

    /// What is found in one document.
    async fn subject(&self, document: Document) -> Result<Subject, Error> {
        if let Err(error) = input::identify(&document) {
            let fault = of_error("OtherKind", Path::of(&["kind"]), error);
            return Ok(Subject::new(&document, None, false, vec![fault]));
        }
        let text = |path: &str| document.value.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let namespace = match &self.cluster {
            Some(cluster) => self.session.namespace(cluster),
            None => self.session.global.namespace.clone().unwrap_or_else(|| "default".to_owned()),
        };
        let key = StackKey {
            namespace: text("/metadata/namespace").unwrap_or_else(|| namespace.clone()),
            name: text("/metadata/name").unwrap_or_default(),
        };
        let stored = self.stored(&key).await?;
        let admitted = self.checker.admit(&document.value, stored.as_ref());
        let mut faults = admitted.faults;
        match input::stack(self.session, document.clone(), &namespace) {
            Ok(mut file) if admitted.ruled => {
                let world = self.world(&mut file.stack, stored.as_ref()).await?;
                check::hold_by_operator(&file.stack, &document.value, &world.facts, &mut faults);
            }
            // Where schema or rules found something, that is why it cannot be read.
            Err(error) if faults.is_empty() => {
                let other_namespace = self.session.global.namespace.is_some();
                let path =
                    if other_namespace { Path::of(&["metadata", "namespace"]) } else { Path::default() };
                faults.push(of_error("Unreadable", path, error));
            }
            _ => {}
        }
        if let Some(cluster) = self.cluster.as_ref().filter(|_| admitted.ruled) {
            server::hold(cluster, &key, &document.value, stored.as_ref(), &mut faults).await?;
        }
        Ok(Subject::new(&document, Some(&key), admitted.ruled, faults))
    }

    /// The stack as it is stored, if it is known.
    async fn stored(&self, key: &StackKey) -> Result<Option<Value>, Error> {
        if let Some(cluster) = self.cluster.as_ref().filter(|_| !key.name.is_empty()) {
            return server::stored(cluster, key).await;
        }
        let name = |document: &Document| document.value.pointer("/metadata/name").cloned();
        let same = |document: &&Document| name(document).is_some_and(|name| name == key.name.as_str());
        Ok(self.stored.iter().find(same).map(|document| document.value.clone()))
    }

    async fn world(&self, stack: &mut ObservabilityStack, stored: Option<&Value>) -> Result<World, Error> {
        let source = Some(self.args.chart_source.into());
        let Some(cluster) = &self.cluster else {
            return Ok(World::assumed(stack, &self.args.assume, source));
        };
        // One that is stored and cannot be read is of another version: then it tells nothing.
        let stored = stored.and_then(|stored| serde_json::from_value(stored.clone()).ok());
        World::seen(cluster, stack, stored.as_ref(), source).await
    }
}

/// The kind of a document that is of another kind altogether, and not one of ours that is misspelt.
fn other(document: &Document) -> Option<String> {
    let text = |field: &str| document.value.get(field).and_then(Value::as_str);
    let kind = text("kind")?;
    let (group, _) = API_VERSION.split_once('/').unwrap_or_default();
    let ours = text("apiVersion").is_some_and(|api| api.split('/').next() == Some(group));
    let misspelt = nearest(kind, [KIND].into_iter()).is_some();
    (!ours && !misspelt).then(|| kind.to_owned())
}

fn of_error(reason: &str, path: Path, error: Error) -> Fault {
    let message = match error.why {
        Some(why) => format!("{}: {why}", error.what),
        None => error.what,
    };
    let fault = Fault::new(Source::Manifest, reason, path, message);
    match error.fix {
        Some(fix) => fault.fix(fix),
        None => fault,
    }
}
