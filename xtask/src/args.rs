//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// The commands of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub task: Task,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Shows the operator at work: dev, test and prod on a control plane of their own
    Demo(Demo),
    /// Runs every check: format, lints, dependencies, tests, and the end-to-end tests on a sandbox
    Test(Test),
    /// Measures the operator against helm and against a bare loop of applies, on a sandbox
    Bench(crate::bench::Options),
    /// A control plane on this machine, without Docker
    #[command(subcommand)]
    Sandbox(Sandbox),
    /// Writes the operator's image as an OCI archive, without Docker
    Image(Image),
    /// Writes the files that are made from the code
    Codegen {
        /// Change nothing and fail when a file is not what the code makes
        #[arg(long)]
        check: bool,
    },
}

/// Options of `demo`.
#[derive(Debug, ClapArgs)]
pub struct Demo {
    /// Leave everything running at the end
    #[arg(long)]
    pub keep: bool,
    /// Use the cluster of this kubectl context and not a sandbox; needs --s3-endpoint
    #[arg(long, value_name = "NAME", requires = "s3_endpoint", conflicts_with_all = ["weed", "pods", "binary"])]
    pub context: Option<String>,
    /// With --context: an S3 server that this machine and the pods reach; keys in `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`
    #[arg(long, value_name = "URL", requires = "context")]
    pub s3_endpoint: Option<String>,
    /// The quota of the prod namespace
    #[arg(long, value_enum, default_value_t = Quota::Fits)]
    pub quota: Quota,
    /// Upstream charts, as NAME-VERSION.tgz or unpacked NAME-VERSION/; without it the bundled ones
    #[arg(long, value_name = "DIR")]
    pub charts: Option<PathBuf>,
    /// How long the stacks may take to become ready
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub timeout: Duration,
    /// Build the operator for speed
    #[arg(long)]
    pub release: bool,
    /// The sandbox.
    #[command(flatten)]
    pub sandbox: SandboxOptions,
}

/// The quota of the prod namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Quota {
    /// The requested increase: prod fits
    Fits,
    /// What is free today: prod does not fit, and says so
    Today,
}

/// Options of `test`.
#[derive(Debug, ClapArgs)]
pub struct Test {
    /// Leave out everything that needs a sandbox
    #[arg(long)]
    pub fast: bool,
    /// Run nothing but the tests on real pods, which otherwise come last where this is root
    #[arg(long, conflicts_with_all = ["fast", "long"])]
    pub real: bool,
    /// For the tests on real pods: a static binary for a backend, such as tempo=./tempo; may be repeated
    #[arg(long, value_name = "NAME=PATH", value_parser = binary)]
    pub binary: Vec<(String, PathBuf)>,
    /// Generate ten times as many quotas to compare with the API server: 100, in about a minute
    #[arg(long, conflicts_with = "fast")]
    pub long: bool,
    /// Upstream charts for those end-to-end tests that want them
    #[arg(long, value_name = "DIR")]
    pub charts: Option<PathBuf>,
    /// A `SeaweedFS` binary for S3; without it the one on PATH, else versitygw
    #[arg(long, value_name = "PATH")]
    pub weed: Option<PathBuf>,
}

/// Options of `image`.
#[derive(Debug, ClapArgs)]
pub struct Image {
    /// The archive; beside it lies FILE.cdx.json, which lists what is in it
    #[arg(long, value_name = "FILE", required_unless_present = "root")]
    pub out: Option<PathBuf>,
    /// A folder for the image's files instead, for a Dockerfile's last stage
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    pub root: Option<PathBuf>,
    /// Build as the tests do, in seconds where little has changed: larger, and without link-time optimization
    #[arg(long)]
    pub fast: bool,
    /// The image's name in it
    #[arg(long, value_name = "NAME:TAG", default_value = crate::image::NAME)]
    pub name: String,
    /// Upstream charts to put into it, as NAME-VERSION.tgz or unpacked NAME-VERSION/; nothing is pulled then
    #[arg(long, value_name = "DIR")]
    pub charts: Option<PathBuf>,
}

/// What to do with a sandbox.
#[derive(Debug, Subcommand)]
pub enum Sandbox {
    /// Starts it, or finds it running
    Up {
        /// Where it lies.
        #[command(flatten)]
        place: Place,
        /// What it is made of.
        #[command(flatten)]
        options: SandboxOptions,
    },
    /// Ends it, with the operator that a demo left in it, and removes its folder
    Down(Place),
    /// Lists its processes
    Status {
        /// Where it lies.
        #[command(flatten)]
        place: Place,
        /// How to print it
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Prints what a shell needs: eval "$(cargo xtask sandbox env)"
    Env(Place),
    /// Prints which of the operator's rights were used on it so far
    Rights(Place),
    /// Stops its S3 server and keeps the data
    StopS3(Place),
    /// Starts its S3 server again
    StartS3(Place),
}

/// Where a sandbox lies.
#[derive(Debug, ClapArgs)]
pub struct Place {
    /// Its folder; without it `obstack/sandbox` in your state folder
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// What a sandbox is made of.
#[derive(Debug, ClapArgs)]
pub struct SandboxOptions {
    /// A `SeaweedFS` binary for S3; without it `OBSTACK_WEED`, `weed` on PATH, else versitygw
    #[arg(long, value_name = "PATH")]
    pub weed: Option<PathBuf>,
    /// What happens inside of pods
    #[arg(long, value_enum, default_value_t = Pods::Simulated)]
    pub pods: Pods,
    /// With --pods real: a static binary for a backend, such as tempo=./tempo; may be repeated
    #[arg(long, value_name = "NAME=PATH", value_parser = binary)]
    pub binary: Vec<(String, PathBuf)>,
}

/// What happens inside of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Pods {
    /// Nothing: they become ready without running
    Simulated,
    /// Their containers run, where an image can be had; needs root
    Real,
}

/// How to print a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Table,
    /// For programs
    Json,
}

impl SandboxOptions {
    /// As the sandbox takes them.
    pub fn at(&self, dir: PathBuf) -> obstack_sandbox::Options {
        let pods = match self.pods {
            Pods::Simulated => obstack_sandbox::Pods::Simulated,
            Pods::Real => obstack_sandbox::Pods::Real,
        };
        let binaries = self.binary.iter().cloned().collect();
        let weed = self.weed.clone();
        obstack_sandbox::Options { weed, pods, binaries, ..obstack_sandbox::Options::new(dir) }
    }
}

/// `tempo=./tempo`.
fn binary(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.into(), path.into())),
        _ => Err("write it as NAME=PATH".into()),
    }
}

/// `90s`, `10m` or `1h`; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(['s', 'm', 'h']);
    let unit = match text.strip_prefix(digits) {
        Some("" | "s") => 1,
        Some("m") => 60,
        Some("h") => 3600,
        _ => return Err("write it as 90s, 10m or 1h".into()),
    };
    let number: u64 = digits.parse().map_err(|_| "write it as 90s, 10m or 1h".to_owned())?;
    Ok(Duration::from_secs(number.saturating_mul(unit)))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_context_needs_an_s3_server() {
        assert!(Args::try_parse_from(["xtask", "demo", "--context", "kind"]).is_err());
        assert!(
            Args::try_parse_from(["xtask", "demo", "--context", "kind", "--s3-endpoint", "http://s3:8333"])
                .is_ok()
        );
    }

    #[test]
    fn times_are_read() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("10m"), Ok(Duration::from_mins(10)));
        assert_eq!(duration("1h"), Ok(Duration::from_hours(1)));
        for wrong in ["", "m", "10 m", "10mm", "-1s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
