//! What can go wrong, in words that say what to do next.

use std::io;
use std::path::{Path, PathBuf};

/// Why a command of this repository did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Ctrl-C, or the like.
    #[error("interrupted")]
    Interrupted,
    /// The sandbox.
    #[error(transparent)]
    Sandbox(#[from] obstack_sandbox::Error),
    /// A file or folder could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The reason given by the system.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot run `{program}`: {source}")]
    Run {
        /// The program.
        program: String,
        /// The reason given by the system.
        source: io::Error,
    },
    /// A program ended with an error.
    #[error("cannot {what}: `{command}` failed\n{output}")]
    Failed {
        /// What was tried, as a verb.
        what: String,
        /// The command line.
        command: String,
        /// The last lines of its output.
        output: String,
    },
    /// The operator could not be built.
    #[error("the operator could not be built; `{command}` alone shows why")]
    Build {
        /// The command line.
        command: String,
    },
    /// A file or an answer is not what it should be.
    #[error("{what} is not understood: {reason}")]
    Format {
        /// The file, or what was asked.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Generated files differ from the code.
    #[error("{} is not what the code makes{line}; run `cargo xtask codegen` and commit the result", path.display())]
    Outdated {
        /// The file.
        path: PathBuf,
        /// The first line that differs.
        line: String,
    },
    /// The environment lacks something.
    #[error("{variable} is not set: {why}")]
    Variable {
        /// The variable.
        variable: &'static str,
        /// What it is for.
        why: &'static str,
    },
    /// A flag that has no meaning for the pods that are asked for.
    #[error("{flag} means nothing with --pods {pods}; leave it out")]
    NotWith {
        /// The flag.
        flag: &'static str,
        /// The pods.
        pods: &'static str,
    },
    /// The operator ended while it should run.
    #[error("the operator ended on its own ({status}); the end of its log:\n{tail}")]
    OperatorDied {
        /// How it ended.
        status: String,
        /// The last lines of its log.
        tail: String,
    },
    /// The operator runs but does not become ready.
    #[error("the operator was not ready after {seconds} s ({last}); the end of its log:\n{tail}")]
    OperatorNotReady {
        /// How long it was waited for.
        seconds: u64,
        /// The answer of the last check.
        last: String,
        /// The last lines of its log.
        tail: String,
    },
    /// Two demos at once would end one another.
    #[error("another demo runs; wait for its end, or look at it with `cargo xtask sandbox status --dir {}`", dir.display())]
    AnotherDemo {
        /// The folder of its sandbox.
        dir: PathBuf,
    },
}

/// Adds the path to an error of the system.
pub trait At<T> {
    /// `action` as a verb, such as `read`.
    fn at(self, action: &'static str, path: &Path) -> Result<T, Error>;
}

/// The end of a removal: what was not there is gone, too.
pub fn gone(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

impl<T> At<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io { action, path: path.into(), source })
    }
}
