//! Up and down: the order in which parts start and stop, and what happens when one of them does not.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::control_plane as plane;
use crate::credentials::{Files, random_hex};
use crate::errors::{At, Error};
use crate::ports::Ports;
use crate::process::{self, Identity, Part, Process};
use crate::progress::{Progress, Report};
use crate::s3::{self, S3, S3Implementation};
use crate::state::{self, Phase, State};
use crate::tools::{self, Tools};
use crate::{DownReport, Options, Pods, Sandbox, kwok, volumes};

/// How long a part may take to end when asked.
const GRACE: Duration = Duration::from_secs(10);

/// How often a start is tried when another program takes a chosen port first.
const ATTEMPTS: usize = 3;

/// The paths of a sandbox are handed to programs with another working directory.
pub(crate) fn absolute(dir: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(dir).at("find", dir)
}

/// The sandbox of a state, if all of it runs.
pub(crate) fn running(dir: &Path, state: &State) -> Result<Sandbox, Error> {
    let dead: Vec<&str> = state.dead().into_iter().map(|part| part.name.as_str()).collect();
    if state.phase != Phase::Running || !dead.is_empty() {
        return Err(Error::NotRunning { dir: dir.into(), parts: dead.join(", ") });
    }
    Ok(sandbox(dir, state))
}

fn sandbox(dir: &Path, state: &State) -> Sandbox {
    Sandbox {
        dir: dir.into(),
        kubeconfig: Files::of(dir).kubeconfig,
        server: plane::server(state),
        audit_log: dir.join(plane::AUDIT_LOG),
        s3: state.s3.clone(),
        tools: state.tools.clone(),
        nodes: state.nodes,
    }
}

pub(crate) fn up(options: &Options, report: Report<'_>) -> Result<Sandbox, Error> {
    if options.pods == Pods::Real {
        return Err(Error::RealPods);
    }
    if !(1..=250).contains(&options.nodes) {
        return Err(Error::Nodes { asked: options.nodes });
    }
    let start = Instant::now();
    let dir = absolute(&options.dir)?;
    let done = |detail: &str, report: Report<'_>| {
        let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        report(Progress::Done { detail: detail.into(), milliseconds });
    };
    if let Some(state) = State::load(&dir)?
        && !state.s3_stopped
        && let Ok(sandbox) = running(&dir, &state)
    {
        same_as_asked(&dir, &state, options)?;
        done("it runs already", report);
        return Ok(sandbox);
    }
    // Building takes minutes: the folder is not held meanwhile.
    let tools = tools::resolve(options.weed.as_deref(), report)?;
    let _lock = state::lock_new(&dir, report)?;
    match State::load(&dir)? {
        Some(mut state) => {
            if state.phase == Phase::Running && state.dead().iter().all(|part| part.name == s3::NAME) {
                same_as_asked(&dir, &state, options)?;
                resume_s3(&dir, &mut state, report)?;
                done("it runs again", report);
                return Ok(sandbox(&dir, &state));
            }
            report(Progress::step("cleaning", "what is left of an incomplete sandbox is removed"));
            stop_all(&state, report)?;
            clear(&dir, &state)?;
        }
        None if state::is_vacant(&dir)? => {}
        None => return Err(Error::NotASandbox { dir }),
    }
    let sandbox = start_new(&dir, options.nodes, &tools, report)?;
    done(&format!("{} with {}", sandbox.server, sandbox.s3.implementation), report);
    Ok(sandbox)
}

/// A running sandbox is not silently taken for another kind of sandbox.
fn same_as_asked(dir: &Path, state: &State, options: &Options) -> Result<(), Error> {
    let differs = |running: String, asked: String| Error::Differs { dir: dir.into(), running, asked };
    if state.nodes != options.nodes {
        return Err(differs(format!("{} nodes", state.nodes), format!("{} nodes", options.nodes)));
    }
    let weed = options.weed.clone().or_else(tools::named_weed);
    match (&state.s3.implementation, weed) {
        (S3Implementation::VersityGw { .. }, Some(weed)) => {
            Err(differs(state.s3.implementation.to_string(), format!("SeaweedFS ({})", weed.display())))
        }
        _ => Ok(()),
    }
}

/// Another program can take a port between its choice and its use: then all of it starts again with other ports.
fn start_new(dir: &Path, nodes: usize, tools: &Tools, report: Report<'_>) -> Result<Sandbox, Error> {
    let mut attempt = 1;
    loop {
        let ports = Ports::choose()?;
        let s3 = S3::new(ports.s3, s3::implementation(&tools.s3))?;
        let mut state = State::new(random_hex::<12>()?, nodes, ports, tools.clone(), s3);
        state.save(dir)?;
        let error = match start_parts(dir, &mut state, report) {
            Ok(()) => return Ok(sandbox(dir, &state)),
            Err(error) => error,
        };
        // The first error is the one that counts, and the logs it names stay.
        let stopped = stop_all(&state, report);
        let taken = matches!(&error, Error::PartDied { tail, .. } if tail.contains("address already in use"));
        if !taken || attempt == ATTEMPTS || stopped.is_err() {
            return Err(error);
        }
        attempt += 1;
        report(Progress::step("ports", "a chosen port was taken meanwhile; starting again with others"));
        clear(dir, &state)?;
    }
}

fn start_parts(dir: &Path, state: &mut State, report: Report<'_>) -> Result<(), Error> {
    let logs = dir.join("logs");
    fs::create_dir_all(&logs).at("create", &logs)?;
    Files::of(dir).create(&plane::server(state))?;
    let s3 = start(dir, state, &s3::part(dir, state)?, report)?;
    let etcd = start(dir, state, &plane::etcd(dir, state), report)?;
    plane::wait_etcd(&etcd)?;
    let apiserver = start(dir, state, &plane::apiserver(dir, state)?, report)?;
    plane::wait_serving(dir, state, &apiserver, "/readyz")?;
    let controllers = start(dir, state, &plane::controller_manager(dir, state), report)?;
    let scheduler = start(dir, state, &plane::scheduler(dir, state), report)?;
    let kwok = start(dir, state, &kwok::part(dir, state)?, report)?;
    plane::wait_kwok(&kwok)?;
    report(Progress::step("nodes", format!("creating {} in three zones", state.nodes)));
    plane::create_objects(dir, state)?;
    plane::wait_serving(dir, state, &controllers, "/healthz")?;
    plane::wait_serving(dir, state, &scheduler, "/healthz")?;
    report(Progress::step("nodes", "waiting until they are ready"));
    plane::wait_cluster(dir, state, &kwok)?;
    s3::wait_ready(&s3, state)?;
    // Nothing may have ended while the rest was waited for.
    if let Some(dead) = state.dead().first() {
        return Err(dead.died());
    }
    state.phase = Phase::Running;
    state.save(dir)
}

/// Starts a part and writes it down at once.
fn start(dir: &Path, state: &mut State, part: &Part, report: Report<'_>) -> Result<Process, Error> {
    report(Progress::step(part.name, format!("{} on 127.0.0.1:{}", part.version, part.port)));
    let process = process::spawn(part, &state.id)?;
    state.note(process.clone());
    state.save(dir)?;
    Ok(process)
}

fn resume_s3(dir: &Path, state: &mut State, report: Report<'_>) -> Result<(), Error> {
    state.s3_stopped = false;
    if state.part(s3::NAME).is_some_and(|part| part.id.alive()) {
        return state.save(dir);
    }
    let process = start(dir, state, &s3::part(dir, state)?, report)?;
    s3::wait_ready(&process, state)
}

pub(crate) fn start_s3(dir: &Path) -> Result<(), Error> {
    let (_lock, mut state) = hold(dir)?;
    resume_s3(dir, &mut state, &mut |_| {})
}

pub(crate) fn stop_s3(dir: &Path) -> Result<(), Error> {
    let (_lock, mut state) = hold(dir)?;
    state.s3_stopped = true;
    state.save(dir)?;
    let server: Vec<Identity> = state.part(s3::NAME).map(|part| part.id.clone()).into_iter().collect();
    process::stop(&server, GRACE).map(drop)
}

fn hold(dir: &Path) -> Result<(fs::File, State), Error> {
    let missing = || Error::NotRunning { dir: dir.into(), parts: String::new() };
    let lock = state::lock(dir, &mut |_| {})?.ok_or_else(missing)?;
    let state = State::load(dir)?.ok_or_else(missing)?;
    Ok((lock, state))
}

pub(crate) fn down(dir: &Path, report: Report<'_>) -> Result<DownReport, Error> {
    let begin = Instant::now();
    let dir = absolute(dir)?;
    let mut result = DownReport::default();
    if let Some(_lock) = state::lock(&dir, report)? {
        match State::load(&dir)? {
            Some(state) => {
                result = stop_all(&state, report)?;
                clear(&dir, &state)?;
            }
            None if state::is_vacant(&dir)? => {}
            None => return Err(Error::NotASandbox { dir }),
        }
        fs::remove_dir_all(&dir).at("remove", &dir)?;
        result.removed = true;
    }
    let detail = if result.removed { "nothing is left of it" } else { "nothing was there" };
    let milliseconds = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    report(Progress::Done { detail: detail.into(), milliseconds });
    Ok(result)
}

/// Stops clients before servers. An API server without its store does not end when asked to: it is not waited for.
fn stop_all(state: &State, report: Report<'_>) -> Result<DownReport, Error> {
    let mut alive: Vec<(String, Identity)> = process::marked(&state.id)
        .into_iter()
        .map(|id| {
            let name = state.parts.iter().find(|part| part.id == id).map(|part| part.name.clone());
            (name.unwrap_or_else(|| format!("process {}", id.pid)), id)
        })
        .collect();
    for part in &state.parts {
        if part.id.alive() && !alive.iter().any(|(_, id)| *id == part.id) {
            alive.push((part.name.clone(), part.id.clone()));
        }
    }
    let turn = |name: &str| match name {
        plane::ETCD => 2,
        plane::APISERVER => 1,
        _ => 0,
    };
    let has_store = alive.iter().any(|(name, _)| name == plane::ETCD);
    let mut result = DownReport::default();
    for now in 0..=2 {
        let group: Vec<&(String, Identity)> = alive.iter().filter(|(name, _)| turn(name) == now).collect();
        if group.is_empty() {
            continue;
        }
        let names: Vec<&str> = group.iter().map(|(name, _)| name.as_str()).collect();
        report(Progress::step("stopping", names.join(", ")));
        let ids: Vec<Identity> = group.iter().map(|(_, id)| id.clone()).collect();
        let grace = if now == turn(plane::APISERVER) && !has_store { Duration::ZERO } else { GRACE };
        let killed = process::stop(&ids, grace)?;
        for (name, id) in group {
            result.stopped.push(name.clone());
            if killed.contains(&id.pid) {
                result.killed.push(name.clone());
            }
        }
    }
    Ok(result)
}

/// Removes what a stopped sandbox wrote, inside of its folder and outside, and its memory last.
fn clear(dir: &Path, state: &State) -> Result<(), Error> {
    volumes::remove(&dir.join("etcd"));
    for path in s3::leftovers(state) {
        let _ = fs::remove_file(path);
    }
    let mut memory = Vec::new();
    for entry in fs::read_dir(dir).at("read", dir)?.flatten() {
        let path = entry.path();
        if state::is_memory(&path) {
            memory.push(path);
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            fs::remove_dir_all(&path).at("remove", &path)?;
        } else {
            fs::remove_file(&path).at("remove", &path)?;
        }
    }
    memory.iter().try_for_each(|path| fs::remove_file(path).at("remove", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_had_is_refused_before_anything_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("new");
        let real = Options { pods: Pods::Real, ..Options::new(&new) };
        assert!(matches!(up(&real, &mut |_| {}), Err(Error::RealPods)));
        let none = Options { nodes: 0, ..Options::new(&new) };
        assert!(matches!(up(&none, &mut |_| {}), Err(Error::Nodes { asked: 0 })));
        assert!(!new.exists());
    }

    #[test]
    fn a_folder_of_someone_else_is_never_removed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        assert!(matches!(down(dir.path(), &mut |_| {}), Err(Error::NotASandbox { .. })));
        assert!(dir.path().join("notes.txt").exists());
    }

    #[test]
    fn nothing_to_take_down_is_fine() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(down(&dir.path().join("missing"), &mut |_| {}).unwrap(), DownReport::default());
        let empty = dir.path().join("empty");
        fs::create_dir(&empty).unwrap();
        assert!(down(&empty, &mut |_| {}).unwrap().removed);
        assert!(!empty.exists());
    }
}
