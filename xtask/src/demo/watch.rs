//! Looking on while the stacks become ready.

use std::io::IsTerminal;
use std::time::{Duration, Instant, SystemTime};

use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::args::Quota;
use crate::demo::contents::Stack;
use crate::demo::place::Place;
use crate::demo::table::{self, Row};
use crate::error::Error;
use crate::interrupt;
use crate::show;

const POLL: Duration = Duration::from_millis(500);

/// Where the stacks came to.
pub enum Outcome {
    /// All are ready.
    Ready,
    /// The small ones are ready, and the large one says that the quota holds it.
    HeldByQuota(String),
    /// The time is up; what holds each one that is not ready.
    TimedOut(Vec<String>),
}

impl Outcome {
    /// Says what is not as it would be best. Whether it is as it should be.
    pub fn tell(&self, limit: Duration) -> bool {
        match self {
            Self::Ready => {}
            Self::HeldByQuota(message) => {
                println!("\nprod is held by the quota of today, as it should be:\n  {message}");
            }
            Self::TimedOut(causes) => {
                println!("\nNot ready after {} s:\n  {}", limit.as_secs(), causes.join("\n  "));
            }
        }
        !matches!(self, Self::TimedOut(_))
    }
}

/// Shows the table as it changes, until the stacks are where they should be or the time is up. An error of `check` ends
/// it.
pub fn until_settled(
    place: &Place,
    check: &mut dyn FnMut() -> Result<(), Error>,
    stacks: &[&Stack],
    quota: Quota,
    limit: Duration,
) -> Result<Outcome, Error> {
    let (begin, since) = (Instant::now(), SystemTime::now());
    let mut view = View::new();
    loop {
        check()?;
        let rows = rows(place, stacks)?;
        view.show(&rows, since);
        let outcome =
            settled(&rows, stacks, quota).or_else(|| (begin.elapsed() >= limit).then(|| timed_out(&rows)));
        if let Some(outcome) = outcome {
            drop(view);
            println!("{}", table::lines(&rows, since).join("\n"));
            return Ok(outcome);
        }
        interrupt::sleep(POLL)?;
    }
}

/// The stacks as they are, in the order of the samples; one that is not there has an empty row.
fn rows(place: &Place, stacks: &[&Stack]) -> Result<Vec<Row>, Error> {
    let found = place.list(&["observabilitystacks.obstack.dev", "--all-namespaces"])?;
    let found: Vec<Row> = found.iter().map(Row::of).collect();
    let row = |stack: &&Stack| {
        let same = |row: &&Row| row.namespace == stack.namespace && row.name == stack.name;
        let missing =
            || Row { namespace: stack.namespace.clone(), name: stack.name.clone(), ..Row::default() };
        found.iter().find(same).cloned().unwrap_or_else(missing)
    };
    Ok(stacks.iter().map(row).collect())
}

fn settled(rows: &[Row], stacks: &[&Stack], quota: Quota) -> Option<Outcome> {
    if rows.iter().all(Row::is_ready) {
        return Some(Outcome::Ready);
    }
    if quota == Quota::Fits {
        return None;
    }
    let mut held = None;
    for (row, stack) in rows.iter().zip(stacks) {
        let names_the_quota = row.current && row.message.to_lowercase().contains("quota");
        match (row.is_ready(), stack.large && names_the_quota) {
            (true, _) => {}
            (false, true) => held = Some(Outcome::HeldByQuota(row.message.clone())),
            (false, false) => return None,
        }
    }
    held
}

fn timed_out(rows: &[Row]) -> Outcome {
    Outcome::TimedOut(rows.iter().filter(|row| !row.is_ready()).map(Row::cause).collect())
}

/// A table that is redrawn on a terminal; elsewhere each line that changed.
struct View {
    bar: Option<ProgressBar>,
    last: Vec<Row>,
}

impl View {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(show::style("{msg}\n{spinner} {elapsed}"));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, last: Vec::new() }
    }

    fn show(&mut self, rows: &[Row], since: SystemTime) {
        if let Some(bar) = &self.bar {
            bar.set_message(table::lines(rows, since).join("\n"));
            return;
        }
        let seconds = since.elapsed().unwrap_or_default().as_secs();
        for row in rows.iter().filter(|row| !self.last.contains(row)) {
            let components = if row.components.is_empty() { "-" } else { &row.components };
            println!("{seconds:>4}s  {} {} {} {}", row.name, row.ready, components, row.reason);
            if !row.is_ready() && !row.message.is_empty() {
                println!("       {}", row.message);
            }
        }
        self.last = rows.to_vec();
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::contents;

    fn row(ready: bool, message: &str) -> Row {
        let ready = if ready { "True" } else { "False" };
        Row { ready: ready.into(), message: message.into(), current: true, ..Row::default() }
    }

    fn outcome(rows: &[Row], quota: Quota) -> Option<Outcome> {
        let stacks = contents::stacks("http://127.0.0.1:1").unwrap();
        settled(rows, &stacks.iter().collect::<Vec<_>>(), quota)
    }

    #[test]
    fn it_ends_when_all_are_ready() {
        let all = [row(true, ""), row(true, ""), row(true, "")];
        assert!(matches!(outcome(&all, Quota::Fits), Some(Outcome::Ready)));
        assert!(matches!(outcome(&all, Quota::Today), Some(Outcome::Ready)));
    }

    #[test]
    fn with_the_quota_of_today_only_prod_may_be_held_and_only_by_the_quota() {
        let exceeded = "exceeded quota: free, requested requests.cpu=200m";
        let held = [row(true, ""), row(true, ""), row(false, exceeded)];
        assert!(matches!(outcome(&held, Quota::Today), Some(Outcome::HeldByQuota(_))));
        assert!(outcome(&held, Quota::Fits).is_none());
        assert!(outcome(&[row(true, ""), row(true, ""), row(false, "no bucket")], Quota::Today).is_none());
        assert!(
            outcome(&[row(true, ""), row(false, exceeded), row(false, exceeded)], Quota::Today).is_none()
        );
    }
}
