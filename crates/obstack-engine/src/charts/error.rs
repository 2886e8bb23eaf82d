//! What can go wrong with helm, a chart or a render, and what to do about it.

use std::path::PathBuf;

use obstack_api::Reason;
use thiserror::Error;

/// Why there is no usable helm.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HelmError {
    /// There is no helm.
    #[error("helm was not found at {looked}; install helm 3.17 or newer, or name the binary with --helm")]
    NotFound {
        /// Where it was looked for.
        looked: String,
    },
    /// It does not run.
    #[error("{path} does not run: {detail}; install helm 3.17 or newer, or name another binary with --helm")]
    NotRunnable {
        /// The binary.
        path: PathBuf,
        /// What happened.
        detail: String,
    },
    /// It is too old or too new.
    #[error("{path} is helm {version}; install helm 3.17 or newer, or helm 4")]
    Unsupported {
        /// The binary.
        path: PathBuf,
        /// What it says its version is.
        version: String,
    },
}

/// Why a chart cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChartError {
    /// Nothing says which archive is meant.
    #[error(
        "chart {name} {version} has no digest to verify it by; give its sha256 as chart.digest, or use a version of \
         the catalog"
    )]
    Unknown {
        /// The chart.
        name: String,
        /// Its version.
        version: String,
    },
    /// The name, the version, the digest or the repository is not one.
    #[error("chart {name:?} {version:?} cannot be asked for: {detail}")]
    Invalid {
        /// The chart.
        name: String,
        /// Its version.
        version: String,
        /// What is wrong, and what to write.
        detail: String,
    },
    /// The source does not have it.
    #[error("chart {name} {version} could not be had from {source_name}: {detail}")]
    Unavailable {
        /// The chart.
        name: String,
        /// Its version.
        version: String,
        /// The folder or the repository.
        source_name: String,
        /// What was tried, what happened and what to do.
        detail: String,
    },
    /// The archive is another one.
    #[error(
        "chart {name} {version} at {place} has sha256 {found}, and {wanted} was asked for; if the new archive is meant, \
         give its digest as chart.digest, and otherwise find out who changed it"
    )]
    DigestMismatch {
        /// The chart.
        name: String,
        /// Its version.
        version: String,
        /// File or repository.
        place: String,
        /// Hex sha256 of the archive.
        found: String,
        /// Hex sha256 that was asked for.
        wanted: String,
    },
}

impl ChartError {
    /// The one reason for a condition.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unknown { .. } => Reason::ChartUnknown,
            Self::Invalid { .. } | Self::Unavailable { .. } => Reason::ChartUnavailable,
            Self::DigestMismatch { .. } => Reason::ChartDigestMismatch,
        }
    }
}

/// Why a chart did not render. Each message starts with the chart and the release.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RenderError {
    /// A release, namespace or version that helm must not see.
    #[error("{what}: {detail}")]
    Invalid {
        /// Chart and release.
        what: String,
        /// What is wrong.
        detail: String,
    },
    /// The chart refuses this Kubernetes version.
    #[error("{what}: {message}; choose a chart version that supports this Kubernetes version")]
    Unsupported {
        /// Chart and release.
        what: String,
        /// What helm said, one line.
        message: String,
    },
    /// helm ended with an error.
    #[error(
        "{what}: helm template failed: {message}; most often values hold something the chart cannot take, the operator's log has all of it"
    )]
    Failed {
        /// Chart and release.
        what: String,
        /// What helm said, one line.
        message: String,
        /// The end of what helm wrote to stderr, at most 2 KiB.
        stderr: String,
    },
    /// helm took too long and was ended.
    #[error("{what}: helm template did not end in {seconds} s; does a template of the chart loop?")]
    TimedOut {
        /// Chart and release.
        what: String,
        /// The deadline, in seconds.
        seconds: u64,
    },
    /// helm wrote too much and was ended.
    #[error("{what}: the chart rendered more than {limit} bytes; look for the values that blow it up")]
    TooBig {
        /// Chart and release.
        what: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// What helm wrote is not YAML, or is YAML that no chart needs.
    #[error("{what}: the rendered text cannot be read: {detail}; the chart or a value in it breaks the YAML")]
    NotYaml {
        /// Chart and release.
        what: String,
        /// Where and why.
        detail: String,
    },
    /// A rendered document is not a Kubernetes object.
    #[error(
        "{what}: rendered document {index} {detail}; every document must have apiVersion, kind and metadata.name"
    )]
    NotAnObject {
        /// Chart and release.
        what: String,
        /// Which document, from 0, empty ones not counted.
        index: usize,
        /// What it lacks.
        detail: String,
    },
    /// Nothing was rendered.
    #[error("{what}: the chart rendered no object; is everything in it switched off?")]
    Empty {
        /// Chart and release.
        what: String,
    },
    /// helm could not be started, or a file could not be written.
    #[error("{what}: {detail}; look at the operator's disk and its helm binary")]
    Broken {
        /// Chart and release.
        what: String,
        /// What happened.
        detail: String,
    },
}

impl RenderError {
    /// The one reason for a condition.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unsupported { .. } => Reason::ChartUnsupported,
            Self::Broken { .. } => Reason::InternalError,
            _ => Reason::RenderFailed,
        }
    }
}
