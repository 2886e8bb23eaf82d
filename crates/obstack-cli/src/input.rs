//! Manifests as they are written: files, folders and stdin, several documents in one, lists.

mod marks;

use std::{
    fs,
    io::{self, Read},
    path::PathBuf,
    sync::Arc,
};

use clap::{Args, ValueHint};
use obstack_api::ObservabilityStack;
use obstack_core::names::StackKey;
use serde_json::Value;

pub use self::marks::{Marks, Spot};
use crate::{
    args::COMMAND,
    check::{self, Checker},
    cluster::nearest,
    error::Error,
    path::Path,
    session::Session,
};

/// The kind that all commands are about.
pub const KIND: &str = "ObservabilityStack";
/// Its API.
pub const API_VERSION: &str = "obstack.dev/v1alpha1";

/// Flags about manifests.
#[derive(Clone, Debug, Args)]
pub struct Files {
    /// Manifests: files, folders, or - for stdin; may be repeated
    #[arg(short = 'f', long = "filename", required = true, num_args = 1.., value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,
    /// Read the folders within folders, too
    #[arg(short = 'R', long)]
    pub recursive: bool,
}

impl From<&[PathBuf]> for Files {
    /// These files, and of folders what stands in them.
    fn from(files: &[PathBuf]) -> Self {
        Self { files: files.to_vec(), recursive: false }
    }
}

/// A file, or stdin.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file as it was named; `-` for stdin.
    pub file: String,
    /// Its text.
    pub text: Arc<str>,
}

/// One document of a file.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its file.
    pub source: Source,
    /// Line of the file that the document begins in, from 1.
    pub line: usize,
    /// What it says.
    pub value: Value,
    /// Where its fields stand.
    pub marks: Marks,
}

/// A stack of a file.
#[derive(Clone, Debug)]
pub struct StackFile {
    /// Where it stands.
    pub document: Document,
    /// Namespace and name.
    pub key: StackKey,
    /// The stack. Its namespace is set.
    pub stack: ObservabilityStack,
}

impl StackFile {
    /// File and line, for messages.
    pub fn place(&self) -> String {
        format!("{}:{}", self.document.source.file, self.document.line)
    }
}

/// The stacks of files, each of which has to be one. `default_namespace` is for those that name none.
///
/// What the API server would refuse is refused here, with the same words as `obstack validate`: an invalid stack is
/// neither rendered nor planned.
pub fn stacks(session: &Session, files: &Files, default_namespace: &str) -> Result<Vec<StackFile>, Error> {
    let documents = documents(files)?;
    let checker = check::checker()?;
    let admitted = |document: Document| {
        identify(&document)?;
        if let Some(refused) = refused(checker, &document, None) {
            return Err(refused);
        }
        stack(session, document, default_namespace)
    };
    documents.into_iter().map(admitted).collect()
}

impl StackFile {
    /// Holds the change from what is stored against the rules about changes. What the API server would refuse is
    /// refused here, with the same words as `obstack validate --server`.
    pub fn hold_change(&self, stored: &ObservabilityStack) -> Result<(), Error> {
        // One that cannot be written down cannot be stored either.
        let stored = serde_json::to_value(stored).unwrap_or_default();
        refused(check::checker()?, &self.document, Some(&stored)).map_or(Ok(()), Err)
    }
}

/// The first fault of a document, and how many more there are.
fn refused(checker: &Checker, document: &Document, stored: Option<&Value>) -> Option<Error> {
    let faults = checker.admit(&document.value, stored).faults;
    let spot = |fault: &&check::Fault| document.marks.nearest(&fault.path);
    let first = faults.iter().min_by_key(|fault| spot(fault).map(|spot| (spot.line, spot.column)))?;
    let file = &document.source.file;
    let place = spot(&first);
    let place = place.map_or_else(|| file.clone(), |spot| format!("{file}:{}:{}", spot.line, spot.column));
    let more = match faults.len() - 1 {
        0 => String::new(),
        more => format!("\nand {more} more: {COMMAND} validate -f {file}"),
    };
    let error = Error::new(format!("an {KIND} is not valid")).at(place).because(format!("{first}{more}"));
    Some(match &first.fix {
        Some(fix) => error.fix(fix.clone()),
        None => error,
    })
}

/// The documents of files, lists taken apart.
pub fn documents(files: &Files) -> Result<Vec<Document>, Error> {
    let mut documents = Vec::new();
    for source in sources(files)? {
        documents.extend(split(&source)?);
    }
    if documents.is_empty() {
        return Err(nothing());
    }
    Ok(documents)
}

/// That files hold no document.
pub fn nothing() -> Error {
    Error::new("there is nothing to read")
        .because("the files hold no document")
        .fix(format!("give a manifest with kind: {KIND}"))
}

/// The files with their texts, folders taken apart.
pub fn sources(files: &Files) -> Result<Vec<Source>, Error> {
    let read = |path: PathBuf| Ok(Source { file: path.display().to_string(), text: read(&path)?.into() });
    expand(files)?.into_iter().map(read).collect()
}

/// Folders by their manifests, in order.
fn expand(files: &Files) -> Result<Vec<PathBuf>, Error> {
    let mut all = Vec::new();
    for path in &files.files {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let mut found = Vec::new();
        let folders = list(path, files.recursive, &mut found)?;
        if found.is_empty() {
            let empty = Error::new("a folder holds no manifest").at(path.display().to_string());
            let why = "none of its files ends in .yaml, .yml or .json";
            return Err(if folders && !files.recursive {
                empty.because(format!("{why}; its folders were not read")).fix("read them too: -R")
            } else {
                empty.because(why)
            });
        }
        found.sort();
        all.extend(found);
    }
    Ok(all)
}

/// The manifests of a folder. Returns whether it has folders.
fn list(folder: &std::path::Path, recursive: bool, found: &mut Vec<PathBuf>) -> Result<bool, Error> {
    let failed = |error| Error::new("cannot list a folder").at(folder.display().to_string()).because(error);
    let mut folders = false;
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        // A link to a folder is not followed: it may lead back here.
        if entry.file_type().map_err(failed)?.is_dir() {
            folders = true;
            if recursive {
                list(&path, recursive, found)?;
            }
            continue;
        }
        let ends = path.extension().and_then(|ends| ends.to_str());
        if matches!(ends, Some("yaml" | "yml" | "json")) && path.is_file() {
            found.push(path);
        }
    }
    Ok(folders)
}

fn read(path: &std::path::Path) -> Result<String, Error> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        let read = io::stdin().lock().read_to_string(&mut text);
        return read.map(|_| text).map_err(|error| Error::new("cannot read stdin").because(error));
    }
    fs::read_to_string(path).map_err(|error| {
        let failed = Error::new("cannot read a manifest").at(path.display().to_string()).because(&error);
        match error.kind() {
            io::ErrorKind::NotFound => {
                failed.fix("see that the path is right: it is taken from the current folder")
            }
            io::ErrorKind::InvalidData => failed.fix("a manifest is text in UTF-8"),
            _ => failed,
        }
    })
}

/// A text that is not YAML: where, and why.
#[derive(Clone, Debug)]
pub struct NotYaml {
    /// Its file.
    pub file: String,
    /// Line, from 1, if it is known.
    pub spot: Option<Spot>,
    /// Why.
    pub why: String,
    /// What to do.
    pub fix: Option<&'static str>,
}

impl From<NotYaml> for Error {
    fn from(error: NotYaml) -> Self {
        let place = |spot: Spot| format!("{}:{}:{}", error.file, spot.line, spot.column);
        let place = error.spot.map_or_else(|| error.file.clone(), place);
        let failed = Self::new("a manifest is not YAML").at(place).because(error.why);
        match error.fix {
            Some(fix) => failed.fix(fix),
            None => failed,
        }
    }
}

/// Takes a file apart into its documents, and lists into their items.
pub fn split(source: &Source) -> Result<Vec<Document>, NotYaml> {
    let mut documents = Vec::new();
    for (value, marks) in marks::read(&source.text).map_err(|error| not_yaml(&source.file, &error))? {
        let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
        let list = kind == "List" || kind == "ObservabilityStackList";
        let items = value.get("items").and_then(Value::as_array).filter(|_| list);
        let document = |value: Value, marks: Marks| {
            let line = marks.nearest(&Path::default()).map_or(1, |spot| spot.line);
            Document { source: source.clone(), line, value, marks }
        };
        match items {
            Some(items) => documents.extend(items.iter().enumerate().map(|(number, item)| {
                let marks = marks.below(&Path::of(&["items"]).index(number));
                document(item.clone(), marks)
            })),
            None => documents.push(document(value, marks)),
        }
    }
    Ok(documents)
}

fn not_yaml(file: &str, error: &serde_saphyr::Error) -> NotYaml {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let spot = error.location().filter(|at| at.line() > 0);
    let spot = spot.map(|at| Spot { line: number(at.line()), column: number(at.column()), length: 1 });
    let why = error.without_snippet().to_string();
    let why = why.lines().next().unwrap_or_default();
    // Place and options of the parser are nothing to a reader of a manifest.
    let why = spot.map_or(why, |at| {
        why.strip_suffix(&format!(" at line {}, column {}", at.line, at.column)).unwrap_or(why)
    });
    let why = why.split(", set DuplicateKeyPolicy").next().unwrap_or(why);
    let fix = if why.starts_with("tabs disallowed") {
        Some("indent with spaces")
    } else if why.starts_with("duplicate mapping key") {
        Some("keep one of them: the API server would take the last one and drop the others")
    } else {
        None
    };
    NotYaml { file: file.to_owned(), spot, why: why.to_owned(), fix }
}

/// Whether a document is a stack at all.
pub fn identify(document: &Document) -> Result<(), Error> {
    let value = &document.value;
    let text = |path: &str| value.pointer(path).and_then(Value::as_str);
    let (kind, api) = (text("/kind").unwrap_or_default(), text("/apiVersion").unwrap_or_default());
    if kind == KIND && api == API_VERSION {
        return Ok(());
    }
    let other = Error::new(format!("a document is not an {KIND}"));
    let other = other.at(format!("{}:{}", document.source.file, document.line)).because(match (kind, api) {
        _ if !value.is_object() => "it is no map of fields".to_owned(),
        ("", _) => "it has no kind".to_owned(),
        (KIND, "") => "it has no apiVersion".to_owned(),
        (KIND, api) => format!("its apiVersion is {api}, which this version does not know"),
        (kind, _) => format!("its kind is {kind}"),
    });
    Err(match nearest(kind, [KIND].into_iter()) {
        Some(meant) if kind != meant => other.fix(format!("did you mean kind: {meant}?")),
        _ => other.fix(format!("give documents with apiVersion: {API_VERSION} and kind: {KIND} only")),
    })
}

/// The stack of a document that is one. `default_namespace` is for one that names none.
pub fn stack(session: &Session, document: Document, default_namespace: &str) -> Result<StackFile, Error> {
    let place = format!("{}:{}", document.source.file, document.line);
    let mut stack: ObservabilityStack = serde_json::from_value(check::without_nulls(&document.value))
        .map_err(|error| {
            Error::new(format!("an {KIND} cannot be read"))
                .at(place.clone())
                .because(error)
                .fix(format!("{COMMAND} validate -f FILE names each fault with its line"))
        })?;
    let namespace = match (stack.metadata.namespace.clone(), session.global.namespace.clone()) {
        (Some(own), Some(asked)) if own != asked => {
            return Err(Error::new("a manifest is of another namespace than the one that was asked for")
                .at(place)
                .because(format!("it says {own}, and --namespace says {asked}"))
                .fix("leave --namespace out, or the namespace in the manifest"));
        }
        (own, asked) => own.or(asked).unwrap_or_else(|| default_namespace.to_owned()),
    };
    let Some(name) = stack.metadata.name.clone().filter(|name| !name.is_empty()) else {
        return Err(Error::new(format!("an {KIND} has no name")).at(place).fix("set metadata.name"));
    };
    stack.metadata.namespace = Some(namespace.clone());
    Ok(StackFile { document, key: StackKey { namespace, name }, stack })
}
