//! Up and down: the order in which parts start and stop, and what happens when one of them does not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::control_plane as plane;
use crate::credentials::{Files, random_hex};
use crate::errors::{At, Error};
use crate::ports::Ports;
use crate::process::{self, Identity, Part, Process};
use crate::progress::{Progress, Report};
use crate::real::{self, Materials, containerd, network, network::Inside};
use crate::s3::{self, S3Implementation};
use crate::state::{self, Phase, State};
use crate::tools::{self, Tools};
use crate::{ContainerSignal, DownReport, Options, Pods, Sandbox, kwok, volumes};

/// How long a part may take to end when asked.
const GRACE: Duration = Duration::from_secs(10);

/// What a process is called that is no part, before its id.
const UNNAMED: &str = "process";

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
        backends: state.real.as_ref().map(|real| real.backends.clone()).unwrap_or_default(),
        pods: pods(state),
    }
}

fn pods(state: &State) -> Pods {
    if state.real.is_some() { Pods::Real } else { Pods::Simulated }
}

pub(crate) fn up(options: &Options, report: Report<'_>) -> Result<Sandbox, Error> {
    if options.pods == Pods::Simulated && !options.binaries.is_empty() {
        return Err(Error::BinariesOfSimulatedPods);
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
    let materials = match options.pods {
        Pods::Real => Some(Materials::gather(&dir, &options.binaries, report)?),
        Pods::Simulated => None,
    };
    let tools = tools::resolve(options.weed.as_deref(), options.pods, report)?;
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
            stop_all(&dir, &state, report)?;
            clear(&dir, &state)?;
        }
        None if state::is_vacant(&dir)? => {}
        None => return Err(Error::NotASandbox { dir }),
    }
    let sandbox = start_new(&dir, options.nodes, &tools, materials.as_ref(), report)?;
    done(&format!("{} with {}", sandbox.server, sandbox.s3.implementation), report);
    Ok(sandbox)
}

/// A running sandbox is not silently taken for another kind of sandbox.
fn same_as_asked(dir: &Path, state: &State, options: &Options) -> Result<(), Error> {
    let differs = |running: String, asked: String| Error::Differs { dir: dir.into(), running, asked };
    if state.nodes != options.nodes {
        return Err(differs(format!("{} nodes", state.nodes), format!("{} nodes", options.nodes)));
    }
    if pods(state) != options.pods {
        let named = |pods| match pods {
            Pods::Simulated => "simulated pods".to_owned(),
            Pods::Real => "pods that run".to_owned(),
        };
        return Err(differs(named(pods(state)), named(options.pods)));
    }
    if let Some(real) = &state.real
        && !options.binaries.is_empty()
        && real.given != options.binaries
    {
        let named = |binaries: &BTreeMap<String, PathBuf>| {
            let each = binaries.iter().map(|(name, path)| format!("{name}={}", path.display()));
            format!("the binaries [{}]", each.collect::<Vec<_>>().join(", "))
        };
        return Err(differs(named(&real.given), named(&options.binaries)));
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
fn start_new(
    dir: &Path,
    nodes: usize,
    tools: &Tools,
    materials: Option<&Materials>,
    report: Report<'_>,
) -> Result<Sandbox, Error> {
    let mut attempt = 1;
    loop {
        let ports = Ports::choose()?;
        let id = random_hex::<12>()?;
        let real = materials.map(|materials| materials.plan(&id)).transpose()?;
        let mut state = State::new(id, nodes, ports, tools.clone(), real)?;
        state.save(dir)?;
        let error = match start_parts(dir, &mut state, materials, report) {
            Ok(()) => return Ok(sandbox(dir, &state)),
            Err(error) => error,
        };
        // The first error is the one that counts, and the logs it names stay.
        let stopped = stop_all(dir, &state, report);
        let taken = matches!(&error, Error::PartDied { tail, .. } if tail.contains("address already in use"));
        if !taken || attempt == ATTEMPTS || stopped.is_err() {
            return Err(error);
        }
        attempt += 1;
        report(Progress::step("ports", "a chosen port was taken meanwhile; starting again with others"));
        clear(dir, &state)?;
    }
}

fn start_parts(
    dir: &Path,
    state: &mut State,
    materials: Option<&Materials>,
    report: Report<'_>,
) -> Result<(), Error> {
    let logs = dir.join("logs");
    fs::create_dir_all(&logs).at("create", &logs)?;
    if let Some(materials) = materials {
        real::prepare(dir, state, materials, report)?;
    }
    let _inside = Inside::enter(state)?;
    Files::of(dir).create(&plane::server(state), &state.addresses())?;
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
    if materials.is_some() {
        real::start_node(dir, state, report)?;
    }
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
pub(crate) fn start(
    dir: &Path,
    state: &mut State,
    part: &Part,
    report: Report<'_>,
) -> Result<Process, Error> {
    report(Progress::step(part.name, part.description()));
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
    let _inside = Inside::enter(state)?;
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

pub(crate) fn import_image(dir: &Path, archive: &Path) -> Result<(), Error> {
    real::import(dir, &known(dir)?, archive)
}

pub(crate) fn kill_container(
    dir: &Path,
    container: (&str, &str, &str),
    signal: ContainerSignal,
) -> Result<(), Error> {
    real::signal(dir, &known(dir)?, container, signal)
}

fn known(dir: &Path) -> Result<State, Error> {
    State::load(dir)?.ok_or_else(|| Error::NotRunning { dir: dir.into(), parts: String::new() })
}

fn hold(dir: &Path) -> Result<(fs::File, State), Error> {
    let missing = || Error::NotRunning { dir: dir.into(), parts: String::new() };
    let lock = state::lock(dir, &mut |_| {})?.ok_or_else(missing)?;
    Ok((lock, known(dir)?))
}

pub(crate) fn down(dir: &Path, report: Report<'_>) -> Result<DownReport, Error> {
    let begin = Instant::now();
    let dir = absolute(dir)?;
    let mut result = DownReport::default();
    if let Some(_lock) = state::lock(&dir, report)? {
        match State::load(&dir)? {
            Some(state) => {
                result = stop_all(&dir, &state, report)?;
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

/// Stops clients before servers, and the kubelet before its containers. An API server without its store does not end
/// when asked to: it is not waited for. What a stopped sandbox took of the machine is given back.
fn stop_all(dir: &Path, state: &State, report: Report<'_>) -> Result<DownReport, Error> {
    let mut alive: Vec<(String, Identity)> = process::marked(&state.id)
        .into_iter()
        .map(|id| {
            let name = state.parts.iter().find(|part| part.id == id).map(|part| part.name.clone());
            (name.unwrap_or_else(|| format!("{UNNAMED} {}", id.pid)), id)
        })
        .collect();
    for part in &state.parts {
        if part.id.alive() && !alive.iter().any(|(_, id)| *id == part.id) {
            alive.push((part.name.clone(), part.id.clone()));
        }
    }
    let turn = |name: &str| match name {
        network::NAME => 4,
        plane::ETCD => 3,
        plane::APISERVER => 2,
        containerd::NAME => 1,
        _ => 0,
    };
    let has_store = alive.iter().any(|(name, _)| name == plane::ETCD);
    let mut result = DownReport::default();
    for now in 0..=4 {
        if now == turn(containerd::NAME) {
            real::end_containers(state, report)?;
        }
        let group: Vec<&(String, Identity)> = alive.iter().filter(|(name, _)| turn(name) == now).collect();
        if group.is_empty() {
            continue;
        }
        let names: Vec<&str> = group.iter().map(|(name, _)| name.as_str()).collect();
        report(Progress::step("stopping", listed(&names)));
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
    // Those that containerd was just starting.
    process::stop(&process::marked(&state.id), Duration::ZERO)?;
    real::end_containers(state, &mut |_| {})?;
    real::release(dir, state)?;
    Ok(result)
}

/// The parts by name. What they started themselves is only counted.
fn listed(names: &[&str]) -> String {
    let (others, parts): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| name.starts_with(UNNAMED));
    match others.len() {
        0 => parts.join(", "),
        count => format!("{} and {count} more", parts.join(", ")),
    }
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
        let binaries = BTreeMap::from([("tempo".to_owned(), PathBuf::from("/bin/true"))]);
        let given = Options { binaries, ..Options::new(&new) };
        assert!(matches!(up(&given, &mut |_| {}), Err(Error::BinariesOfSimulatedPods)));
        let long = Options { pods: Pods::Real, ..Options::new(new.join("x".repeat(60))) };
        assert!(matches!(up(&long, &mut |_| {}), Err(Error::LongPath { .. })));
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
