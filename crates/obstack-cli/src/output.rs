//! How a result is printed: for people, or with a stable schema for programs.

use clap::ValueEnum;
use serde::Serialize;

use crate::error::Error;

/// How to print a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For people, with more columns.
    Wide,
    /// For programs.
    Json,
    /// For programs and people.
    Yaml,
}

/// Version of the schema of what `-o json` and `-o yaml` print. Fields are added without a new one.
pub const API_VERSION: &str = "cli.obstack.dev/v1";

/// What programs get: the kind of the result, and the result.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a, T> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    result: &'a T,
}

/// A result for programs; `None` where people are asked for.
pub fn for_programs<T: Serialize>(
    format: Format,
    kind: &'static str,
    result: &T,
) -> Result<Option<String>, Error> {
    let envelope = Envelope { api_version: API_VERSION, kind, result };
    match format {
        Format::Table | Format::Wide => Ok(None),
        Format::Json => json(&envelope).map(Some),
        Format::Yaml => yaml(&envelope).map(Some),
    }
}

/// As JSON, with a line end.
pub fn json(value: &impl Serialize) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(value);
    text.map(|text| text + "\n").map_err(|error| Error::new("cannot write the result as JSON").because(error))
}

/// As YAML.
pub fn yaml(value: &impl Serialize) -> Result<String, Error> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: true };
    let failed = |error: String| Error::new("cannot write the result as YAML").because(error);
    // By way of a JSON value: nothing depends on how a type spells itself in YAML.
    let value = serde_json::to_value(value).map_err(|error| failed(error.to_string()))?;
    serde_saphyr::to_string_with_options(&value, options).map_err(|error| failed(error.to_string()))
}
