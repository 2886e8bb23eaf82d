//! Building a pinned binary from its Go module into the cache. A build needs nothing but `go` and a module proxy.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::errors::{At, Error};
use crate::process::tail;
use crate::progress::{Progress, Report};
use crate::recipes::Recipe;
use crate::tools::{Origin, Tool, is_executable};

/// Whether the cache has the binary.
pub(crate) fn is_built(recipe: &Recipe) -> Result<bool, Error> {
    Ok(is_executable(&recipe.binary(&cache_dir()?.join("tools"))))
}

/// Hands out binaries, and counts those it has to build.
pub(crate) struct Builder<'a> {
    cache: PathBuf,
    index: usize,
    of: usize,
    report: Report<'a>,
}

impl<'a> Builder<'a> {
    /// `needed`: every recipe that will be asked for without a binary from outside.
    pub(crate) fn new(needed: &[&Recipe], report: Report<'a>) -> Result<Self, Error> {
        let cache = cache_dir()?.join("tools");
        let of = needed.iter().filter(|recipe| !is_executable(&recipe.binary(&cache))).count();
        Ok(Self { cache, index: 0, of, report })
    }

    /// The binary from outside if there is one, else the cached one, else a new build.
    pub(crate) fn tool(&mut self, recipe: &Recipe, outside: Option<Tool>) -> Result<Tool, Error> {
        if let Some(tool) = outside {
            return Ok(tool);
        }
        let binary = recipe.binary(&self.cache);
        if is_executable(&binary) {
            return Ok(recipe.tool(binary, Origin::Cache));
        }
        let _lock = self.lock()?;
        if is_executable(&binary) {
            return Ok(recipe.tool(binary, Origin::Cache));
        }
        self.index += 1;
        (self.report)(Progress::Building { tool: recipe.name.into(), index: self.index, of: self.of });
        let start = Instant::now();
        self.build(recipe, &binary)?;
        (self.report)(Progress::Built { tool: recipe.name.into(), seconds: start.elapsed().as_secs() });
        Ok(recipe.tool(binary, Origin::Built))
    }

    /// One build at a time on this machine: two at once would only slow each other down.
    fn lock(&mut self) -> Result<File, Error> {
        fs::create_dir_all(&self.cache).at("create", &self.cache)?;
        let path = self.cache.join(".lock");
        let file = File::options().create(true).append(true).open(&path).at("open", &path)?;
        if file.try_lock().is_err() {
            (self.report)(Progress::step("tools", "another run builds; waiting for it"));
            file.lock().at("lock", &path)?;
        }
        Ok(file)
    }

    /// The binary appears under its name only when it is complete.
    fn build(&self, recipe: &Recipe, binary: &Path) -> Result<(), Error> {
        let family = recipe.family;
        let module = self.cache.join(".modules").join(family.name);
        fs::create_dir_all(&module).at("create", &module)?;
        for (name, text) in [("go.mod", family.go_mod), ("go.sum", family.go_sum)] {
            let path = module.join(name);
            fs::write(&path, text).at("write", &path)?;
        }
        let log = self.cache.join(format!("{}-v{}.log", recipe.name, recipe.version));
        let output = File::create(&log).at("create", &log)?;
        let errors = output.try_clone().at("create", &log)?;
        let dir = binary.parent().unwrap_or(&self.cache);
        fs::create_dir_all(dir).at("create", dir)?;
        let unfinished = dir.join(format!(".{}.unfinished", recipe.name));
        let status = Command::new("go")
            .args(["build", "-mod=readonly", "-trimpath", "-tags", recipe.c_tags.unwrap_or_default()])
            .args(["-ldflags", &recipe.linker_flags(), "-o"])
            .arg(&unfinished)
            .arg(recipe.package)
            .current_dir(&module)
            .env("CGO_ENABLED", if recipe.c_tags.is_some() { "1" } else { "0" })
            .env("GOWORK", "off")
            .env_remove("GOOS")
            .env_remove("GOARCH")
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .status()
            .map_err(|source| go_failed(recipe, source))?;
        if !status.success() {
            return Err(Error::Build { tool: recipe.name.into(), tail: tail(&log), log });
        }
        fs::rename(&unfinished, binary).at("rename", &unfinished)
    }
}

fn go_failed(recipe: &Recipe, source: std::io::Error) -> Error {
    if source.kind() == std::io::ErrorKind::NotFound {
        let looked = match recipe.name {
            "helm" => "PATH",
            "versitygw" => "a SeaweedFS `weed` on PATH or in OBSTACK_WEED serves instead",
            "kube-apiserver" | "kube-controller-manager" | "kube-scheduler" | "kubectl" | "etcd" => {
                "KUBEBUILDER_ASSETS, for simulated pods"
            }
            _ => "only the cache, see OBSTACK_CACHE",
        };
        return Error::NoGo { tool: recipe.name.into(), looked: looked.into() };
    }
    Error::Run { program: "go".into(), source }
}

/// `OBSTACK_CACHE`, or the folder for `obstack` in the cache folder of the user.
fn cache_dir() -> Result<PathBuf, Error> {
    match env::var_os("OBSTACK_CACHE").filter(|dir| !dir.is_empty()).map(PathBuf::from) {
        Some(dir) => std::path::absolute(&dir).at("find", &dir),
        None => user_dir("XDG_CACHE_HOME", ".cache"),
    }
}

/// The folder for `obstack` under one of the base folders of the user.
pub(crate) fn user_dir(base: &'static str, in_home: &str) -> Result<PathBuf, Error> {
    let variable = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base_dir = variable(base).or_else(|| variable("HOME").map(|home| home.join(in_home)));
    base_dir.map(|dir| dir.join("obstack")).ok_or(Error::NoHome { variable: base })
}
