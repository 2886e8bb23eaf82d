//! The helm binary: found once, at start, and asked for its version.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::HelmError;
use super::process::{self, Run, Unfinished};

/// A helm that works. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Helm {
    path: PathBuf,
    version: String,
}

impl Helm {
    /// The helm at `path`, or the first one on `PATH`. Takes helm 3.17 and newer, and helm 4.
    pub async fn find(path: Option<PathBuf>) -> Result<Self, HelmError> {
        let path = match path {
            Some(path) => std::path::absolute(&path)
                .ok()
                .filter(|path| path.is_file())
                .ok_or_else(|| HelmError::NotFound { looked: path.display().to_string() })?,
            None => {
                on_path().ok_or_else(|| HelmError::NotFound { looked: "any folder of PATH".to_owned() })?
            }
        };
        let version = version(&path).await?;
        if supported(&version) {
            Ok(Self { path, version })
        } else {
            Err(HelmError::Unsupported { path, version })
        }
    }

    /// The binary, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `helm version --short` says, such as `v3.17.3+ge4da497`.
    pub fn version(&self) -> &str {
        &self.version
    }
}

fn on_path() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("helm"))
        .find(|file| file.is_file())
}

async fn version(path: &Path) -> Result<String, HelmError> {
    let broken = |detail: String| HelmError::NotRunnable { path: path.to_owned(), detail };
    let home = process::private_dir().map_err(|error| broken(format!("no private folder: {error}")))?;
    let run = Run {
        program: path,
        args: vec!["version".into(), "--short".into()],
        home: home.path(),
        inherit: &[],
        deadline: Duration::from_secs(10),
        limit: 4096,
    };
    let finished = run.finish().await.map_err(|error| match error {
        Unfinished::TimedOut => broken("`helm version` did not end in 10 s".to_owned()),
        Unfinished::TooBig => broken("`helm version` wrote more than 4 KiB".to_owned()),
        Unfinished::Io(error) => broken(error.to_string()),
    })?;
    if !finished.status.success() {
        return Err(broken(process::first_line(&finished.stderr)));
    }
    let text = String::from_utf8_lossy(&finished.stdout);
    Ok(text.trim().chars().filter(|c| !c.is_control()).take(100).collect())
}

/// Whether `v3.17.3+ge4da497` and the like is a helm that takes our flags.
fn supported(version: &str) -> bool {
    let mut parts = version.trim_start_matches('v').split(['.', '-', '+']);
    let mut number = || parts.next().and_then(|part| part.parse::<u32>().ok());
    match (number(), number()) {
        (Some(3), Some(minor)) => minor >= 17,
        (Some(major), Some(_)) => major == 4,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::supported;

    #[test]
    fn helm_3_17_and_helm_4_are_supported() {
        for good in ["v3.17.0", "v3.17.3+ge4da497", "v3.20.1", "v4.3.1", "v4.0.0-rc.1"] {
            assert!(supported(good), "{good}");
        }
        for bad in ["v3.16.4", "v2.17.0", "v5.0.0", "", "helm", "v3"] {
            assert!(!supported(bad), "{bad}");
        }
    }
}
