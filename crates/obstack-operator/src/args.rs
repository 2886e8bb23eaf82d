//! The command line. Every flag can also be set by an environment variable.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::docs::Page;

/// What the exit codes mean, as the help says it.
pub const EXIT_CODES: &str = "Exit codes:
  0    stopped as asked (SIGTERM or SIGINT)
  1    failed, or leadership was lost
  2    wrong usage
  130  stopped at once by a second signal";

/// Reconciles `ObservabilityStack` objects.
#[derive(Debug, Parser)]
#[command(name = "obstack-operator", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do; runs the operator when left out.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of the operator.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What the binary can do.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run the operator (the default).
    Run,
    /// Print the `CustomResourceDefinition` as JSON, ready for `kubectl apply --server-side -f -`.
    Crd,
    /// Print the version.
    Version,
    /// Ask a running operator whether it is ready; the exit code is 0 when it is.
    Ready {
        /// Its address, such as <http://obstack.obstack-system.svc:8080/readyz>.
        #[arg(long)]
        url: String,
        /// Seconds to wait until it is.
        #[arg(long, default_value_t = 0)]
        wait: u64,
    },
    /// Print a page of the reference documentation as Markdown.
    #[command(hide = true)]
    Docs {
        /// Which page.
        page: Page,
    },
}

/// Flags of the operator.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Flags about the cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Flags about charts.
    #[command(flatten)]
    pub charts: ChartArgs,
    /// Flags about leader election.
    #[command(flatten)]
    pub lease: LeaseArgs,
    /// Flags about reconciling.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Flags about what can be observed of the process.
    #[command(flatten)]
    pub observe: ObserveArgs,
}

/// Which cluster and which namespaces.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArgs {
    /// Namespace whose stacks are reconciled; repeat the flag for more, leave it out for all namespaces.
    #[arg(
        global = true,
        long = "watch-namespace",
        env = "OBSTACK_WATCH_NAMESPACE",
        value_name = "NAMESPACE",
        value_delimiter = ','
    )]
    pub watch_namespaces: Vec<String>,
    /// Context of the kubeconfig [default: its current context, or the pod's service account].
    #[arg(global = true, long, env = "OBSTACK_CONTEXT")]
    pub context: Option<String>,
}

/// Where charts come from.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Charts")]
pub struct ChartArgs {
    /// The helm binary that renders charts (3.17 or newer, or 4) [default: helm on PATH].
    #[arg(global = true, long, env = "OBSTACK_HELM", value_name = "PATH")]
    pub helm: Option<PathBuf>,
    /// Folder with upstream charts, as NAME-VERSION.tgz or unpacked in NAME-VERSION/; nothing is pulled then.
    #[arg(global = true, long, env = "OBSTACK_CHARTS", value_name = "DIR")]
    pub charts: Option<PathBuf>,
    /// Folder with the small charts that come with the operator.
    #[arg(
        global = true,
        long,
        env = "OBSTACK_BUNDLED_CHARTS",
        value_name = "DIR",
        default_value = "/usr/share/obstack/charts"
    )]
    pub bundled_charts: PathBuf,
    /// Charts of a stack that does not choose itself.
    #[arg(global = true, long, env = "OBSTACK_CHART_SOURCE", value_enum, default_value_t = ChartSource::Upstream)]
    pub chart_source: ChartSource,
    /// Folder for pulled charts and rendered manifests; it may be emptied at any time.
    #[arg(
        global = true,
        long,
        env = "OBSTACK_CACHE_DIR",
        value_name = "DIR",
        default_value = "/var/cache/obstack"
    )]
    pub cache_dir: PathBuf,
}

/// Which set of charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ChartSource {
    /// The charts of the Grafana projects.
    Upstream,
    /// The small charts that come with the operator.
    Bundled,
}

/// Which process of several works.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Leader election")]
pub struct LeaseArgs {
    /// Whether to reconcile only while holding the Lease. Without it, never run two processes.
    #[arg(global = true, long, env = "OBSTACK_LEADER_ELECT", value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub leader_elect: bool,
    /// Namespace of the Lease [default: the pod's, else the kubeconfig's].
    #[arg(global = true, long, env = "OBSTACK_LEASE_NAMESPACE", value_name = "NAMESPACE")]
    pub lease_namespace: Option<String>,
    /// Name of the Lease. Operators with disjoint namespaces to watch need different ones.
    #[arg(global = true, long, env = "OBSTACK_LEASE_NAME", value_name = "NAME", default_value = "obstack")]
    pub lease_name: String,
    /// Name of this process in the Lease, before a random suffix [default: `POD_NAME`, else the host's name].
    #[arg(global = true, long, env = "OBSTACK_IDENTITY", value_name = "NAME")]
    pub identity: Option<String>,
    /// The pod's own namespace, from the downward API.
    #[arg(global = true, long, env = "POD_NAMESPACE", hide = true)]
    pub pod_namespace: Option<String>,
    /// The pod's own name, from the downward API.
    #[arg(global = true, long, env = "POD_NAME", hide = true)]
    pub pod_name: Option<String>,
}

/// How often, how long and by which way.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Probes and pace")]
pub struct PaceArgs {
    /// Seconds between two probes of a stack's buckets.
    #[arg(global = true, long, env = "OBSTACK_PROBE_INTERVAL", value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub probe_interval: Duration,
    /// Seconds after which one reconcile is given up and tried again later.
    #[arg(global = true, long, env = "OBSTACK_RECONCILE_DEADLINE", value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    pub reconcile_deadline: Duration,
    /// How Mimir and Tempo are reached, for their rings and for the canary: at their Services, through the API server
    /// (which needs the rights to `get` and `create` services/proxy), or not at all.
    #[arg(global = true, long, env = "OBSTACK_REACH", value_enum, default_value_t = ReachWay::Service)]
    pub reach: ReachWay,
}

/// How the backends are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReachWay {
    /// Straight at the Services, from inside the cluster.
    Service,
    /// Through the API server.
    Proxy,
    /// Not at all.
    Off,
}

/// Logs, health and metrics.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Observing")]
pub struct ObserveArgs {
    /// Address of /healthz, /readyz and /metrics; with port 0 the chosen one is in the log.
    #[arg(global = true, long, env = "OBSTACK_LISTEN", value_name = "ADDR", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// Form of the log lines [default: text on a terminal, json elsewhere].
    #[arg(global = true, long, env = "OBSTACK_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
    /// Level of the log, or a filter such as `info,obstack_engine=debug`.
    #[arg(global = true, long, env = "OBSTACK_LOG_LEVEL", value_name = "FILTER", default_value = "info")]
    pub log_level: String,
}

/// Form of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(error) => Err(format!("not a whole number of seconds: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(["obstack-operator"].iter().chain(args))
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_an_environment_variable_and_a_help_text() {
        for arg in
            Cli::command().get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()))
        {
            let env = arg.get_env().unwrap_or_default().to_string_lossy().into_owned();
            assert!(env.starts_with("OBSTACK_") || arg.is_hide_set(), "{arg}: {env}");
            assert!(arg.get_help().is_some(), "{arg}");
        }
    }

    #[test]
    fn without_arguments_the_operator_runs_with_the_documented_defaults() {
        let cli = parse(&[]).unwrap();
        assert_eq!(cli.command, None);
        assert!(cli.run.cluster.watch_namespaces.is_empty());
        assert!(cli.run.lease.leader_elect);
        assert_eq!(cli.run.charts.chart_source, ChartSource::Upstream);
        assert_eq!(cli.run.pace.probe_interval, Duration::from_secs(30));
        assert_eq!(cli.run.observe.listen, "0.0.0.0:8080".parse().unwrap());
    }

    #[test]
    fn flags_may_stand_before_or_after_the_command() {
        for args in [["--lease-name", "x", "run"], ["run", "--lease-name", "x"]] {
            let cli = parse(&args).unwrap();
            assert_eq!((cli.command, cli.run.lease.lease_name.as_str()), (Some(Command::Run), "x"));
        }
    }

    #[test]
    fn namespaces_to_watch_may_be_repeated_or_listed() {
        let cli = parse(&["--watch-namespace", "a", "--watch-namespace", "b,c"]).unwrap();
        assert_eq!(cli.run.cluster.watch_namespaces, ["a", "b", "c"]);
    }

    #[test]
    fn leader_election_is_switched_off_by_a_value() {
        assert!(!parse(&["--leader-elect=false"]).unwrap().run.lease.leader_elect);
        assert!(!parse(&["--leader-elect", "false"]).unwrap().run.lease.leader_elect);
    }

    #[test]
    fn a_wrong_word_is_answered_with_the_right_ones() {
        let error = parse(&["--chart-source", "bundle"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(text.contains("possible values: upstream, bundled") && text.contains("'bundled'"), "{text}");
    }

    #[test]
    fn an_interval_of_nothing_is_refused() {
        let text = parse(&["--probe-interval", "0"]).unwrap_err().to_string();
        assert!(text.contains("must be at least 1"), "{text}");
        assert!(parse(&["--reconcile-deadline", "2m"]).is_err());
    }
}
