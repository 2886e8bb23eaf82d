//! What a caller can show while it waits.

/// A piece of news from a running operation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Something begins: a part is started, or a state is waited for.
    Step {
        /// The part, such as `etcd`.
        name: String,
        /// What is done, such as `starting on 127.0.0.1:12379`.
        detail: String,
    },
    /// A binary is being built; this takes up to minutes.
    Building {
        /// The binary.
        tool: String,
        /// Which one of those to build, from 1.
        index: usize,
        /// How many are to be built.
        of: usize,
    },
    /// A binary was built.
    Built {
        /// The binary.
        tool: String,
        /// How long it took.
        seconds: u64,
    },
    /// The operation is complete.
    Done {
        /// The outcome in one line.
        detail: String,
        /// How long the whole took.
        milliseconds: u64,
    },
}

impl Progress {
    pub(crate) fn step(name: &str, detail: impl Into<String>) -> Self {
        Self::Step { name: name.into(), detail: detail.into() }
    }
}

/// The receiver of the news.
pub(crate) type Report<'a> = &'a mut dyn FnMut(Progress);
