//! What every command has: where it prints to, and the way to the cluster.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use kube::Client;
use obstack_core::names::StackKey;
use obstack_engine::client::{self, ClientError, ClientSettings};

use crate::{
    cluster::Cluster,
    error::Error,
    output::Format,
    terminal::{Colour, Terminal},
};

/// Flags that every command takes, named as kubectl names them.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cluster and output")]
pub struct Global {
    /// Namespace of the stack [default: that of the manifest, else of the kubeconfig's context]
    #[arg(short, long, global = true, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig
    #[arg(long, global = true, env = "OBSTACK_CONTEXT", value_name = "NAME")]
    pub context: Option<String>,
    /// The kubeconfig [default: those of KUBECONFIG, else ~/.kube/config]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub kubeconfig: Option<PathBuf>,
    /// Act as this user
    #[arg(long = "as", global = true, value_name = "USER")]
    pub act_as: Option<String>,
    /// Act as a member of this group; may be repeated
    #[arg(long = "as-group", global = true, value_name = "GROUP", requires = "act_as")]
    pub act_as_groups: Vec<String>,
    /// How to print the result [default: what suits the command]
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT")]
    pub output: Option<Format>,
    /// Whether to print colours; `NO_COLOR` switches them off too
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Colour::Auto)]
    pub color: Colour,
    /// Say on stderr what is asked and what came back; twice for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// What every command has.
#[derive(Debug)]
pub struct Session {
    /// The flags.
    pub global: Global,
    /// Where it prints to.
    pub terminal: Terminal,
}

impl Session {
    /// A session with these flags.
    pub fn new(global: Global) -> Self {
        let terminal = Terminal::new(global.color);
        let filter = match global.verbose {
            0 => "error",
            1 => "obstack_engine=debug,warn",
            _ => "debug",
        };
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
        Self { global, terminal }
    }

    /// How to print, for a command that prints tables unless told otherwise.
    pub fn format(&self) -> Format {
        self.global.output.unwrap_or(Format::Table)
    }

    /// The cluster of the kubeconfig, once it has said what it serves.
    pub async fn cluster(&self) -> Result<Cluster, Error> {
        Cluster::of(self.client().await?).await
    }

    /// The client, before anything was asked.
    pub async fn client(&self) -> Result<Client, Error> {
        Ok(client::connect(&self.settings()).await?)
    }

    fn settings(&self) -> ClientSettings {
        ClientSettings {
            context: self.global.context.clone(),
            kubeconfig: self.global.kubeconfig.clone(),
            act_as: self.global.act_as.clone().map(|user| (user, self.global.act_as_groups.clone())),
            ..ClientSettings::default()
        }
    }

    /// The client, unless nothing names a cluster: neither a flag nor a kubeconfig nor a service account.
    pub async fn client_if_configured(&self) -> Result<Option<Client>, Error> {
        let asked = self.global.context.is_some() || self.global.kubeconfig.is_some();
        match client::connect(&self.settings()).await {
            Ok(client) => Ok(Some(client)),
            Err(ClientError::NotConfigured(_)) if !asked => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Namespace and name of a stack that was named on the command line: NAME, or NAMESPACE/NAME.
    pub fn key(&self, cluster: &Cluster, name: &str) -> StackKey {
        let (namespace, name) = match name.split_once('/') {
            Some((namespace, name)) => (namespace.to_owned(), name),
            None => (self.namespace(cluster), name),
        };
        StackKey { namespace, name: name.to_owned() }
    }

    /// The namespace that is asked about when nothing names one.
    pub fn namespace(&self, cluster: &Cluster) -> String {
        self.global.namespace.clone().unwrap_or_else(|| cluster.client.default_namespace().to_owned())
    }
}
