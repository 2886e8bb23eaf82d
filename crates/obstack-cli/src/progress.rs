//! What is going on, on stderr, where somebody watches and it takes more than two seconds.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

/// How long something may take before it is spoken of.
const PATIENCE: Duration = Duration::from_secs(2);

/// A line that says what is going on until it is dropped.
pub struct Progress(Option<(ProgressBar, JoinHandle<()>)>);

/// Begins to say what is going on.
pub fn show(what: impl Into<String>) -> Progress {
    if !io::stderr().is_terminal() {
        return Progress(None);
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.set_message(what.into());
    let late = bar.clone();
    let shown = tokio::spawn(async move {
        tokio::time::sleep(PATIENCE).await;
        late.set_draw_target(ProgressDrawTarget::stderr());
        late.enable_steady_tick(Duration::from_millis(120));
    });
    Progress(Some((bar, shown)))
}

impl Progress {
    /// Says something else from now on.
    pub fn now(&self, what: impl Into<String>) {
        if let Some((bar, _)) = &self.0 {
            bar.set_message(what.into());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((bar, shown)) = self.0.take() {
            shown.abort();
            bar.finish_and_clear();
        }
    }
}
