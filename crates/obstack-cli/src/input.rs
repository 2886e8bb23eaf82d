//! Manifests as they are written: files, folders and stdin, several documents in one, lists.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};
use obstack_api::ObservabilityStack;
use obstack_core::names::StackKey;
use serde_json::Value;

use crate::{cluster::nearest, error::Error, session::Session};

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
}

/// One document of a file.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file as it was named; `-` for stdin.
    pub file: String,
    /// Line of the file that the document begins in, from 1.
    pub line: usize,
    /// Its text.
    pub text: String,
    /// What it says.
    pub value: Value,
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
        format!("{}:{}", self.document.file, self.document.line)
    }
}

/// The stacks of files, each of which has to be one. `default_namespace` is for those that name none.
pub fn stacks(session: &Session, files: &Files, default_namespace: &str) -> Result<Vec<StackFile>, Error> {
    let documents = documents(&files.files)?;
    documents.into_iter().map(|document| stack(session, document, default_namespace)).collect()
}

/// The one stack of files.
pub fn one_stack(session: &Session, files: &Files, default_namespace: &str) -> Result<StackFile, Error> {
    let mut stacks = stacks(session, files, default_namespace)?;
    match (stacks.pop(), stacks.len()) {
        (Some(stack), 0) => Ok(stack),
        (_, more) => Err(Error::new(format!("this command is about one stack, and {} were given", more + 1))
            .fix("give one file with one ObservabilityStack")),
    }
}

/// The documents of files, lists taken apart.
pub fn documents(files: &[PathBuf]) -> Result<Vec<Document>, Error> {
    let mut documents = Vec::new();
    for path in expand(files)? {
        let text = read(&path)?;
        documents.extend(split(&path.display().to_string(), &text)?);
    }
    if documents.is_empty() {
        return Err(Error::new("there is nothing to read")
            .because("the files hold no document")
            .fix(format!("give a manifest with kind: {KIND}")));
    }
    Ok(documents)
}

/// Folders by their manifests, in order.
fn expand(files: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut all = Vec::new();
    for path in files {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let failed = |error| Error::new("cannot list a folder").at(path.display().to_string()).because(error);
        let mut found = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let ends = path.extension().and_then(|ends| ends.to_str());
            if matches!(ends, Some("yaml" | "yml" | "json")) && path.is_file() {
                found.push(path);
            }
        }
        if found.is_empty() {
            return Err(Error::new("a folder holds no manifest")
                .at(path.display().to_string())
                .because("none of its files ends in .yaml, .yml or .json"));
        }
        found.sort();
        all.extend(found);
    }
    Ok(all)
}

fn read(path: &Path) -> Result<String, Error> {
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

/// Takes a text apart at its document marks.
fn split(file: &str, text: &str) -> Result<Vec<Document>, Error> {
    let mut documents = Vec::new();
    let mut parts: Vec<(usize, String)> = vec![(1, String::new())];
    for (number, line) in text.lines().enumerate() {
        if line == "---" || line.starts_with("--- ") {
            parts.push((number + 2, String::new()));
        } else if let Some((_, part)) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    for (line, text) in parts {
        let value: Value = serde_saphyr::from_str(&text).map_err(|error| not_yaml(file, line, &error))?;
        let items = value.get("items").and_then(Value::as_array);
        match items {
            _ if value.is_null() => {}
            Some(items) if value["kind"] == "List" || value["kind"] == "ObservabilityStackList" => {
                let of_list = |item: &Value| Document {
                    file: file.to_owned(),
                    line,
                    text: text.clone(),
                    value: item.clone(),
                };
                documents.extend(items.iter().map(of_list));
            }
            _ => documents.push(Document { file: file.to_owned(), line, text, value }),
        }
    }
    Ok(documents)
}

fn not_yaml(file: &str, line: usize, error: &serde_saphyr::Error) -> Error {
    let at = error.location().map(|at| (line + usize::try_from(at.line()).unwrap_or(1) - 1, at.column()));
    let place = at.map_or_else(|| file.to_owned(), |(line, column)| format!("{file}:{line}:{column}"));
    let why = error.to_string();
    let why = why.lines().next().unwrap_or_default();
    Error::new("a manifest is not YAML").at(place).because(why)
}

fn stack(session: &Session, document: Document, default_namespace: &str) -> Result<StackFile, Error> {
    let value = &document.value;
    let text = |path: &str| value.pointer(path).and_then(Value::as_str);
    let place = format!("{}:{}", document.file, document.line);
    let (kind, api) = (text("/kind").unwrap_or_default(), text("/apiVersion").unwrap_or_default());
    if kind != KIND || api != API_VERSION {
        let other = Error::new(format!("a document is not an {KIND}")).at(place);
        let other = other.because(match (kind, api) {
            ("", _) => "it has no kind".to_owned(),
            (KIND, api) => format!("its apiVersion is {api}, which this version does not know"),
            (kind, _) => format!("its kind is {kind}"),
        });
        return Err(match nearest(kind, [KIND].into_iter()) {
            Some(meant) if kind != meant => other.fix(format!("did you mean kind: {meant}?")),
            _ => other.fix(format!("give documents with apiVersion: {API_VERSION} and kind: {KIND} only")),
        });
    }
    let mut stack: ObservabilityStack = serde_json::from_value(value.clone()).map_err(|error| {
        Error::new(format!("an {KIND} cannot be read"))
            .at(place.clone())
            .because(error)
            .fix("obstack validate -f FILE names each fault with its line")
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
