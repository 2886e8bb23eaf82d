//! `cargo xtask sandbox`: a sandbox by hand.

use std::path::{Path, PathBuf};

use obstack_sandbox::{Backend, Status};
use serde_json::json;

use crate::args::{Output, Place, Sandbox};
use crate::demo;
use crate::error::Error;
use crate::show::Show;
use crate::test::rights;
use crate::workspace;

/// Does what is asked.
pub fn run(task: &Sandbox) -> Result<(), Error> {
    match task {
        Sandbox::Up { place, options } => {
            let sandbox = up(&options.at(dir(place)?))?;
            println!("Kubernetes: {}", sandbox.server);
            println!("S3: {} at {}", sandbox.s3.implementation, sandbox.s3.endpoint);
            println!("kubeconfig: {}", sandbox.kubeconfig.display());
            let option =
                place.dir.as_ref().map(|dir| format!(" --dir {}", dir.display())).unwrap_or_default();
            println!("{}", pods(&sandbox.backends));
            println!("\neval \"$(cargo xtask sandbox env{option})\"\ncargo xtask sandbox down{option}");
        }
        Sandbox::Down(place) => {
            down(&dir(place)?)?;
            if place.dir.is_none() {
                demo::clear_leftovers()?;
            }
        }
        Sandbox::Status { place, output } => {
            let status = obstack_sandbox::status(&dir(place)?)?;
            println!("{}", if *output == Output::Json { as_json(&status) } else { as_table(&status) });
        }
        Sandbox::Env(place) => {
            let sandbox = obstack_sandbox::open(&dir(place)?)?;
            let own = ("OBSTACK_SANDBOX".to_owned(), sandbox.dir.display().to_string());
            for (key, value) in sandbox.env().into_iter().chain([own]) {
                println!("export {key}={}", quoted(&value));
            }
            // kubectl and helm as the sandbox has them; kubectl finds its plugin beside the operator.
            let tools = [&sandbox.tools.kubectl.path, &sandbox.tools.helm.path].map(|tool| tool.parent());
            let built = workspace::root().join("target/debug");
            for folder in tools.into_iter().flatten().chain([built.as_path()]) {
                println!("export PATH={}:\"$PATH\"", quoted(&folder.display().to_string()));
            }
        }
        Sandbox::Rights(place) => {
            let sandbox = obstack_sandbox::open(&dir(place)?)?;
            println!("{}", rights::Usage::read(&sandbox.audit_log)?);
        }
        Sandbox::StopS3(place) => obstack_sandbox::open(&dir(place)?)?.stop_s3()?,
        Sandbox::StartS3(place) => obstack_sandbox::open(&dir(place)?)?.start_s3()?,
    }
    Ok(())
}

/// A text as a shell takes it, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Starts a sandbox and shows how it goes.
pub fn up(options: &obstack_sandbox::Options) -> Result<obstack_sandbox::Sandbox, Error> {
    crate::interrupt::check()?;
    let show = Show::new("sandbox");
    let result = obstack_sandbox::up(options, &mut |progress| show.sandbox(progress));
    // What an interrupt broke is not worth a message of its own.
    if result.is_err() {
        crate::interrupt::check()?;
    }
    Ok(result?)
}

/// Ends a sandbox and shows how it goes.
pub fn down(dir: &Path) -> Result<(), Error> {
    let show = Show::new("sandbox");
    let report = obstack_sandbox::down(dir, &mut |progress| show.sandbox(progress))?;
    if !report.killed.is_empty() {
        show.stay(&format!("did not end when asked to and were killed: {}", report.killed.join(", ")));
    }
    Ok(())
}

fn dir(place: &Place) -> Result<PathBuf, Error> {
    place.dir.clone().map_or_else(|| Ok(obstack_sandbox::default_dir()?), Ok)
}

fn as_table(status: &Status) -> String {
    let head =
        format!("{}: {}", status.dir.display(), if status.running { "running" } else { "not running" });
    if status.parts.is_empty() {
        return head;
    }
    let titles = ["PART", "PID", "ALIVE", "PORT", "VERSION", "LOG"].map(str::to_owned);
    let rows = status.parts.iter().map(|part| {
        let alive = if part.alive { "yes" } else { "no" };
        let (pid, port, log) = (part.pid.to_string(), part.port.to_string(), part.log.display().to_string());
        [part.name.clone(), pid, alive.into(), port, part.version.clone(), log]
    });
    let rows: Vec<[String; 6]> = std::iter::once(titles).chain(rows).collect();
    format!("{head}\n{}\n{}", demo::table::align(&rows).join("\n"), pods(&status.backends))
}

/// What is real in it, backend by backend.
pub fn pods(backends: &[Backend]) -> String {
    if backends.is_empty() {
        return "Pods are simulated: they become ready, and no container runs.".into();
    }
    let lines = backends.iter().map(|backend| {
        let images = backend.images.join(", ");
        format!("  {}: {}{}{images}", backend.name, backend.how, if images.is_empty() { "" } else { " as " })
    });
    std::iter::once("Pods run. Of the backends:".to_owned()).chain(lines).collect::<Vec<_>>().join("\n")
}

fn as_json(status: &Status) -> String {
    let parts: Vec<_> = status
        .parts
        .iter()
        .map(|part| {
            json!({
                "name": part.name, "pid": part.pid, "alive": part.alive, "port": part.port,
                "version": part.version, "log": part.log,
            })
        })
        .collect();
    let s3 = status.s3.as_ref().map(|s3| {
        json!({"endpoint": s3.endpoint, "region": s3.region, "implementation": s3.implementation.to_string()})
    });
    let tools = status.tools.as_ref().map(|tools| {
        let tool = |tool: &obstack_sandbox::Tool| json!({"name": tool.name, "version": tool.version, "path": tool.path});
        tools.all().map(tool)
    });
    let backends: Vec<_> = status
        .backends
        .iter()
        .map(
            |backend| json!({"name": backend.name, "images": backend.images, "how": backend.how.to_string()}),
        )
        .collect();
    let all = json!({
        "dir": status.dir, "running": status.running, "parts": parts, "s3": s3, "tools": tools, "backends": backends,
    });
    format!("{all:#}")
}
