//! Which backends are real in a sandbox, and how they became so.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::elf;
use super::registry;
use crate::errors::Error;
use crate::progress::{Progress, Report};
use crate::tools;

/// A program whose image the charts ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// Such as `mimir`.
    pub name: String,
    /// The images, with their tags, that are in the node; none where it is simulated.
    pub images: Vec<String>,
    /// Where they come from.
    pub how: How,
}

/// How a backend came into a sandbox, or why it did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// From its registry.
    Pulled,
    /// Put together from a binary that was built from its Go module.
    Built {
        /// The version of the binary, whatever the tag says.
        version: String,
    },
    /// Put together from a binary that was given.
    Given {
        /// The binary.
        path: PathBuf,
    },
    /// Its pods are simulated.
    Simulated {
        /// Why.
        why: String,
    },
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pulled => f.write_str("real (pulled)"),
            Self::Built { version } => write!(f, "real ({version}, built from its Go module)"),
            Self::Given { path } => write!(f, "real (given: {})", path.display()),
            Self::Simulated { why } => write!(f, "simulated ({why})"),
        }
    }
}

impl Backend {
    /// Whether its containers run.
    pub fn is_real(&self) -> bool {
        !matches!(self.how, How::Simulated { .. })
    }
}

/// What the charts ask for, and what an image of it needs to have.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) repository: &'static str,
    /// Of the bundled charts, and of the upstream ones that the binary can stand in for: Mimir 3 is no Mimir 2.17.
    pub(crate) tags: &'static [&'static str],
    /// None: it is more than one program, and can only be pulled.
    pub(crate) shape: Option<Shape>,
}

/// What an image has beside its program.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Where the program is, as in the image of its makers.
    pub(crate) entrypoint: &'static str,
    pub(crate) user: &'static str,
    /// Folders that its user may write to.
    pub(crate) writable: &'static [&'static str],
}

pub(crate) const KNOWN: [Known; 4] = [
    Known {
        name: "mimir",
        repository: "docker.io/grafana/mimir",
        tags: &["3.1.2", "3.0.4"],
        shape: Some(Shape { entrypoint: "/bin/mimir", user: "10001", writable: &["/data"] }),
    },
    Known {
        name: "tempo",
        repository: "docker.io/grafana/tempo",
        tags: &["2.10.8"],
        shape: Some(Shape { entrypoint: "/tempo", user: "10001", writable: &["/var/tempo"] }),
    },
    Known {
        name: "alloy",
        repository: "docker.io/grafana/alloy",
        tags: &["v1.18.1"],
        shape: Some(Shape { entrypoint: "/bin/alloy", user: "0", writable: &["/var/lib/alloy"] }),
    },
    Known {
        name: "nginx",
        repository: "docker.io/nginxinc/nginx-unprivileged",
        tags: &["1.29-alpine"],
        shape: None,
    },
];

impl Known {
    /// The images as the charts name them.
    pub(crate) fn images(&self) -> Vec<String> {
        self.tags.iter().map(|tag| format!("{}:{tag}", self.repository)).collect()
    }
}

/// Where a backend can be had from, before anything runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// From its registry, which answers.
    Registry,
    /// From this binary.
    Binary(PathBuf, How),
    /// From nowhere, and why.
    Nowhere(String),
}

/// Looks for every backend. What was given counts first, then the registry; one that is a Go module is built.
pub(crate) fn find(
    given: &BTreeMap<String, PathBuf>,
    report: Report<'_>,
) -> Result<Vec<(&'static Known, Source)>, Error> {
    check_names(given)?;
    report(Progress::step("images", format!("asking {} whether it answers", registry::HOST)));
    let online = registry::answers();
    let mut found = Vec::with_capacity(KNOWN.len());
    for known in &KNOWN {
        let source = match given.get(known.name) {
            Some(path) => binary(path)?,
            None if online => Source::Registry,
            None if known.name == "mimir" => {
                let tool = tools::mimir(report)?;
                Source::Binary(tool.path, How::Built { version: tool.version })
            }
            None => Source::Nowhere(match known.shape {
                Some(_) => format!("{} does not answer, and no --binary {}=PATH", registry::HOST, known.name),
                None => format!("{} does not answer", registry::HOST),
            }),
        };
        found.push((known, source));
    }
    Ok(found)
}

fn check_names(given: &BTreeMap<String, PathBuf>) -> Result<(), Error> {
    let can: Vec<&str> = KNOWN.iter().filter(|known| known.shape.is_some()).map(|known| known.name).collect();
    match given.keys().find(|name| !can.contains(&name.as_str())) {
        Some(name) => Err(Error::UnknownBinary { name: name.clone(), known: can.join(", ") }),
        None => Ok(()),
    }
}

/// An image holds no libraries.
fn binary(path: &Path) -> Result<Source, Error> {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    elf::check_static(&path)?;
    Ok(Source::Binary(path.clone(), How::Given { path }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_backends_can_be_given() {
        let given = |name: &str| BTreeMap::from([(name.to_owned(), PathBuf::from("/bin/true"))]);
        check_names(&given("tempo")).unwrap();
        for name in ["nginx", "loki", ""] {
            let error = check_names(&given(name)).unwrap_err().to_string();
            assert!(error.contains("mimir, tempo, alloy"), "{error}");
        }
    }

    #[test]
    fn the_bundled_charts_find_their_images() {
        let charts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/bundled");
        let known: Vec<String> = KNOWN.iter().flat_map(Known::images).collect();
        for (chart, repository) in [
            ("mimir-distributed", "mimir"),
            ("tempo", "tempo"),
            ("tempo-distributed", "tempo"),
            ("alloy", "alloy"),
        ] {
            let text = std::fs::read_to_string(charts.join(chart).join("Chart.yaml")).unwrap();
            let version = text.lines().find_map(|line| line.strip_prefix("appVersion: ")).unwrap();
            let image = format!("docker.io/grafana/{repository}:{}", version.trim_matches('"'));
            assert!(known.contains(&image), "{chart}: {image}");
        }
    }
}
