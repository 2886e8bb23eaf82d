//! Following a stack: its own object and its pods, redrawn in place on a terminal and told line by line elsewhere.

use std::{
    collections::BTreeMap,
    pin::pin,
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use obstack_api::{ObservabilityStack, labels};
use obstack_core::{
    live::{Live, PodFacts},
    names::StackKey,
};
use obstack_engine::cluster::{ClusterError, facts};
use serde::Serialize;
use tokio::time::{self, MissedTickBehavior};

use super::{
    Args,
    lines::{self, Line},
    until::{self, Judgement},
    view,
};
use crate::{
    age,
    args::COMMAND,
    cluster::{Cluster, key_of},
    error::Error,
    exit::Exit,
    output::Format,
    session::Session,
    sight::{self, Sight},
    terminal::{Terminal, Tone},
    told::{self, Verdict},
};

/// How long to wait where nobody says.
const TIMEOUT: Duration = Duration::from_mins(10);
/// Shortest time between two drawings: pods come and go in bursts.
const PACE: Duration = Duration::from_millis(250);
/// Longest time between two drawings: ages go on.
const STEP: Duration = Duration::from_secs(1);

/// What is known of the stack that is followed.
struct Followed {
    key: StackKey,
    stack: Option<ObservabilityStack>,
    /// The stack was in the list that is being read.
    listed: bool,
    pods: BTreeMap<String, PodFacts>,
    /// The list of pods that is being read. Until it is whole, those that are known stay.
    listing: BTreeMap<String, PodFacts>,
    missing: Vec<String>,
    began: Instant,
}

/// Follows a stack to an end.
pub async fn run(
    session: &Session,
    cluster: &Cluster,
    stack: ObservabilityStack,
    args: &Args,
) -> Result<Exit, Error> {
    if session.global.output == Some(Format::Yaml) {
        return Err(Error::new("what changes is not printed as YAML").fix("use -o json: one object a line"));
    }
    let mut followed = Followed::new(stack);
    let key = followed.key.clone();
    let stacks: Api<ObservabilityStack> = Api::namespaced(cluster.client.clone(), &key.namespace);
    let own = watcher::Config::default().fields(&format!("metadata.name={}", key.name));
    let mut stacks = pin!(watcher(stacks, own).default_backoff());
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &key.namespace);
    let own = watcher::Config::default().labels(&format!("{}={}", labels::STACK, key.label()));
    let mut pods = pin!(watcher(pods, own).default_backoff().boxed());
    let timeout = args.timeout.or(args.until.is_some().then_some(TIMEOUT));
    let mut screen = Screen::new(session);
    let mut steps = time::interval(STEP);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // What is known already may do: nothing is waited for then.
    let mut news = true;
    let mut drawn = None;
    loop {
        let end = timeout.map(|timeout| followed.began + timeout);
        if news && let Some(exit) = judge(&mut screen, &followed, args)? {
            return Ok(exit);
        }
        let due = drawn.is_none_or(|at: Instant| at.elapsed() >= PACE);
        if (news || screen.redraws) && due {
            screen.show(&followed, args, end)?;
            (drawn, news) = (Some(Instant::now()), false);
        }
        tokio::select! {
            event = stacks.next() => news |= followed.take_stack(event)?,
            event = next(pods.as_mut()) => news |= followed.take_pod(event),
            _ = steps.tick() => {}
            () = time::sleep(PACE), if news => {}
            () = over(end) => return in_vain(&mut screen, &followed, args, timeout),
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Interrupted),
        }
    }
}

/// The next event; none ever where the stream has ended.
async fn next<T>(mut stream: std::pin::Pin<&mut (impl Stream<Item = T> + ?Sized)>) -> T {
    match stream.next().await {
        Some(item) => item,
        None => futures::future::pending().await,
    }
}

async fn over(end: Option<Instant>) {
    match end {
        Some(end) => time::sleep_until(end.into()).await,
        None => futures::future::pending().await,
    }
}

impl Followed {
    /// A stack from now on.
    fn new(stack: ObservabilityStack) -> Self {
        Self {
            key: key_of(&stack),
            stack: Some(stack),
            listed: true,
            pods: BTreeMap::new(),
            listing: BTreeMap::new(),
            missing: Vec::new(),
            began: Instant::now(),
        }
    }

    /// Takes in what the watch of the stack tells. Returns whether it is news.
    fn take_stack(
        &mut self,
        event: Option<Result<watcher::Event<ObservabilityStack>, watcher::Error>>,
    ) -> Result<bool, Error> {
        match event {
            Some(Ok(watcher::Event::Apply(stack))) => self.stack = Some(stack),
            Some(Ok(watcher::Event::InitApply(stack))) => {
                self.listed = true;
                self.stack = Some(stack);
            }
            Some(Ok(watcher::Event::Delete(_))) => self.stack = None,
            Some(Ok(watcher::Event::Init)) => {
                self.listed = false;
                return Ok(false);
            }
            // It went while nobody watched.
            Some(Ok(watcher::Event::InitDone)) if !self.listed => self.stack = None,
            // Others heal by themselves: the watch is made anew.
            Some(Err(error)) if code(&error) == 403 => {
                return Err(refused(error, &format!("watch ObservabilityStack {}", self.key)));
            }
            Some(Ok(watcher::Event::InitDone) | Err(_)) => return Ok(false),
            None => return Err(Error::new("the watch of the stack has ended")),
        }
        Ok(true)
    }

    /// Takes in what the watch of its pods tells. Returns whether it is news.
    fn take_pod(&mut self, event: Result<watcher::Event<Pod>, watcher::Error>) -> bool {
        match event {
            Ok(watcher::Event::Apply(pod)) => {
                let now = facts::pod(&pod);
                let before = self.pods.insert(pod.name_any(), now.clone());
                before != Some(now)
            }
            Ok(watcher::Event::InitApply(pod)) => {
                self.listing.insert(pod.name_any(), facts::pod(&pod));
                false
            }
            Ok(watcher::Event::Delete(pod)) => self.pods.remove(&pod.name_any()).is_some(),
            Ok(watcher::Event::Init) => {
                self.listing.clear();
                false
            }
            Ok(watcher::Event::InitDone) => {
                let now = std::mem::take(&mut self.listing);
                std::mem::replace(&mut self.pods, now) != self.pods
            }
            Err(error) if code(&error) == 403 && self.missing.is_empty() => {
                let place = &self.key.namespace;
                self.missing
                    .push(format!("no right to list and watch pods in namespace {place}: what ails them"));
                true
            }
            Err(_) => false,
        }
    }
}

/// HTTP code of the answer that a watch failed with; 0 when there was none.
fn code(error: &watcher::Error) -> u16 {
    match error {
        watcher::Error::WatchError(status)
        | watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => status.code,
        _ => 0,
    }
}

fn refused(error: watcher::Error, what: &str) -> Error {
    match error {
        watcher::Error::InitialListFailed(source)
        | watcher::Error::WatchStartFailed(source)
        | watcher::Error::WatchFailed(source) => {
            ClusterError::Api { what: what.to_owned(), source: Box::new(source) }.into()
        }
        error => Error::new(format!("cannot {what}")).because(error),
    }
}

/// Whether the end has come.
fn judge(screen: &mut Screen<'_>, followed: &Followed, args: &Args) -> Result<Option<Exit>, Error> {
    let Some(stack) = &followed.stack else {
        screen.show(followed, args, None)?;
        let gone = format!("{} is gone", followed.key);
        return Err(Error::new(gone).because("it was deleted while it was followed"));
    };
    let Some(until) = args.until else { return Ok(None) };
    match until::judge(stack, until, args.ignore_stalled) {
        Judgement::Wait => Ok(None),
        Judgement::Reached => {
            screen.show(followed, args, None)?;
            let took = age::full(followed.began.elapsed());
            screen.last(followed, &until.to_string(), &format!("reached after {took}"))?;
            Ok(Some(Exit::Done))
        }
        Judgement::Hopeless => {
            screen.show(followed, args, None)?;
            let what = format!("{} does not get {until} before a person acts", followed.key);
            Err(explained(what, stack, until))
        }
    }
}

/// The time is over.
fn in_vain(
    screen: &mut Screen<'_>,
    followed: &Followed,
    args: &Args,
    timeout: Option<Duration>,
) -> Result<Exit, Error> {
    screen.show(followed, args, None)?;
    let (Some(until), Some(stack)) = (args.until, &followed.stack) else { return Ok(Exit::Done) };
    let within = age::full(timeout.unwrap_or_default());
    Err(explained(format!("{} has not got {until} within {within}", followed.key), stack, until))
}

fn explained(what: String, stack: &ObservabilityStack, until: until::Until) -> Error {
    let (why, fix) = until::why(stack, until);
    let name = format!("{} -n {}", key_of(stack).name, key_of(stack).namespace);
    let more = format!("`{COMMAND} why {name}` shows the evidence");
    Error::new(what).because(why).fix(fix.map_or(more.clone(), |fix| format!("{fix}\n{more}")))
}

/// What was shown, and how it goes on.
struct Screen<'a> {
    session: &'a Session,
    /// It redraws in place.
    redraws: bool,
    /// Lines of the last drawing.
    height: usize,
    told: Option<Vec<Line>>,
}

/// A line for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    elapsed_seconds: u64,
    stack: String,
    #[serde(flatten)]
    line: &'a Line,
}

impl<'a> Screen<'a> {
    fn new(session: &'a Session) -> Self {
        let redraws = session.terminal.redraws && session.global.output != Some(Format::Json);
        Self { session, redraws, height: 0, told: None }
    }

    /// Shows how the stack stands, where it is not shown already.
    fn show(&mut self, followed: &Followed, args: &Args, end: Option<Instant>) -> Result<(), Error> {
        if self.redraws { self.draw(followed, args, end) } else { self.tell(followed) }
    }

    fn tell(&mut self, followed: &Followed) -> Result<(), Error> {
        let Some(stack) = &followed.stack else { return Ok(()) };
        let now = lines::of(stack, &followed.pods);
        for line in lines::news(self.told.as_deref(), &now) {
            self.line(followed, &line)?;
        }
        self.told = Some(now);
        Ok(())
    }

    fn line(&self, followed: &Followed, line: &Line) -> Result<(), Error> {
        let elapsed = followed.began.elapsed();
        if self.session.global.output == Some(Format::Json) {
            let told = Told { elapsed_seconds: elapsed.as_secs(), stack: followed.key.to_string(), line };
            let text = serde_json::to_string(&told)
                .map_err(|error| Error::new("cannot write the result as JSON").because(error))?;
            return self.session.terminal.print(&format!("{text}\n"));
        }
        let says = line.says.replace('\n', " ");
        self.session.terminal.print(&format!("{:>6}  {}  {says}\n", age::full(elapsed), line.about))
    }

    /// The last word of a wait that came to a good end.
    fn last(&self, followed: &Followed, about: &str, says: &str) -> Result<(), Error> {
        if self.redraws {
            let text = self.session.terminal.paint(Tone::Good, &format!("{about} {says}"));
            return self.session.terminal.print(&format!("{text}\n"));
        }
        self.line(followed, &Line::last(about, says))
    }

    fn draw(&mut self, followed: &Followed, args: &Args, end: Option<Instant>) -> Result<(), Error> {
        let Some(stack) = &followed.stack else { return Ok(()) };
        let mut terminal: Terminal = self.session.terminal;
        let size = terminal_size::terminal_size();
        if let Some((width, _)) = size {
            terminal.width = usize::from(width.0).max(40);
        }
        let live = Live { pods: followed.pods.values().cloned().collect(), ..Live::default() };
        let mut seen = Sight::stored(stack.clone(), sight::now());
        seen.live = Some(live);
        seen.missing.clone_from(&followed.missing);
        let text = view::moving(&seen, &terminal);
        // What has left the screen cannot be redrawn.
        let room = size.map_or(usize::MAX, |(_, height)| usize::from(height.0).saturating_sub(3).max(5));
        let all: Vec<&str> = text.lines().collect();
        let mut shown: Vec<String> = all.iter().take(room).map(|line| (*line).to_owned()).collect();
        if all.len() > room {
            shown.push(terminal.paint(Tone::Dim, &format!("and {} more lines", all.len() - room)));
        }
        shown.push(terminal.paint(Tone::Dim, &footer(followed, args, end)));
        let up = if self.height > 0 { format!("\x1b[{}A", self.height) } else { String::new() };
        self.height = shown.len();
        terminal.print(&format!("{up}\x1b[J{}\n", shown.join("\n")))
    }
}

/// What is waited for, and how long.
fn footer(followed: &Followed, args: &Args, end: Option<Instant>) -> String {
    let elapsed = age::full(followed.began.elapsed());
    let left = end.map(|end| age::full(end.saturating_duration_since(Instant::now())));
    let left = left.map(|left| format!(", {left} left")).unwrap_or_default();
    let ready = followed.stack.as_ref().map(|stack| told::word(Verdict::of(stack).ready)).unwrap_or_default();
    match args.until {
        Some(until) => format!("waiting for {until}: {elapsed}{left}; Ctrl-C ends"),
        None => format!("followed for {elapsed}{left}, Ready {ready}; Ctrl-C ends"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn pods_that_are_listed_anew_are_no_news() {
        let stack = fixtures::stack("ready");
        let mut followed = Followed::new(stack);
        let pod = |name: &str| {
            let mut pod = Pod::default();
            pod.metadata.name = Some(name.to_owned());
            pod
        };
        let list = |followed: &mut Followed, names: &[&str]| {
            let mut news = followed.take_pod(Ok(watcher::Event::Init));
            for name in names {
                news |= followed.take_pod(Ok(watcher::Event::InitApply(pod(name))));
                // What is told in the midst of a list is what was known before it.
                assert!(!news, "{name}");
            }
            followed.take_pod(Ok(watcher::Event::InitDone))
        };
        assert!(list(&mut followed, &["a", "b"]));
        assert!(!list(&mut followed, &["a", "b"]));
        assert!(list(&mut followed, &["b"]));
        assert_eq!(followed.pods.keys().collect::<Vec<_>>(), ["b"]);
    }
}
