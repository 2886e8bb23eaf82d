//! Where the charts come from that are rendered here.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum, ValueHint};
use obstack_api::ChartSource;
use obstack_engine::charts::{Helm, Renderer, Store, StoreConfig};

use crate::error::Error;

/// The small charts, as they were when this was built: path and content.
const BUNDLED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/charts.rs"));

/// Flags about charts, named as the operator names them.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Charts")]
pub struct ChartFlags {
    /// Folder with upstream charts, as NAME-VERSION.tgz or unpacked in NAME-VERSION/; nothing is pulled then
    #[arg(long, env = "OBSTACK_CHARTS", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub charts: Option<PathBuf>,
    /// Charts of a stack that does not choose itself [default: those that its operator takes, else upstream]
    #[arg(long, env = "OBSTACK_CHART_SOURCE", value_enum, value_name = "SOURCE")]
    pub chart_source: Option<Source>,
    /// The helm binary that renders charts (3.17 or newer, or 4) [default: helm on PATH]
    #[arg(long, env = "OBSTACK_HELM", value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub helm: Option<PathBuf>,
    /// Folder for pulled charts and rendered manifests; it may be emptied at any time [default: obstack in the user's
    /// cache folder]
    #[arg(long, env = "OBSTACK_CACHE_DIR", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cache_dir: Option<PathBuf>,
}

/// Which set of charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// The charts of the Grafana projects.
    Upstream,
    /// The small charts that come with this command.
    Bundled,
}

impl From<Source> for ChartSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Upstream => Self::Upstream,
            Source::Bundled => Self::Bundled,
        }
    }
}

/// Charts, and what renders them.
pub struct Charts {
    /// Finds them.
    pub store: Store,
    /// Renders them.
    pub renderer: Renderer,
}

impl Charts {
    /// Finds helm and the folders.
    pub async fn open(flags: &ChartFlags) -> Result<Self, Error> {
        let failed = |error| {
            Error::new("charts cannot be rendered")
                .because(error)
                .fix("install helm 3.17 or newer, or name it: --helm PATH (or OBSTACK_HELM)")
        };
        let helm = Helm::find(flags.helm.clone()).await.map_err(|error| failed(error.to_string()))?;
        let cache = match &flags.cache_dir {
            Some(folder) => folder.clone(),
            None => cache_folder()?,
        };
        let config = StoreConfig {
            bundled: bundled(&cache)?,
            charts: flags.charts.clone(),
            cache: cache.clone(),
            helm: helm.path().to_path_buf(),
        };
        Ok(Self { store: Store::new(config), renderer: Renderer::new(helm, &cache) })
    }
}

/// The user's folder for what can be made again.
fn cache_folder() -> Result<PathBuf, Error> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    base.map(|base| base.join("obstack")).ok_or_else(|| {
        Error::new("there is no folder for rendered charts")
            .because("neither XDG_CACHE_HOME nor HOME is set")
            .fix("name one: --cache-dir DIR")
    })
}

/// Writes the small charts below the cache, once a version of them.
fn bundled(cache: &Path) -> Result<PathBuf, Error> {
    let mut names = String::new();
    for (name, content) in BUNDLED {
        names.push_str(name);
        names.push_str(&obstack_core::hash::of_bytes(content));
    }
    let folder = cache.join("bundled").join(obstack_core::hash::short(&names, 16));
    if folder.is_dir() {
        return Ok(folder);
    }
    // Another process may write the same at the same time: each writes its own, and one of them becomes the folder.
    let own = cache.join("bundled").join(format!("new-{}", std::process::id()));
    let write = || {
        for (name, content) in BUNDLED {
            let path = own.join(name);
            fs::create_dir_all(path.parent().unwrap_or(&own))?;
            fs::write(path, content)?;
        }
        match fs::rename(&own, &folder) {
            Err(_) if folder.is_dir() => fs::remove_dir_all(&own),
            renamed => renamed,
        }
    };
    let failed = |error| {
        Error::new("the bundled charts cannot be unpacked")
            .at(folder.display().to_string())
            .because(error)
            .fix("name a folder that can be written to: --cache-dir DIR")
    };
    write().map_err(failed)?;
    Ok(folder)
}
