//! `sandbox up|down|status DIR`: a sandbox by hand.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use obstack_sandbox::{Error, Options, Pods, Progress, down, open, status, up};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (command, dir) = (args.next().unwrap_or_default(), args.next().map(PathBuf::from));
    let dir = match dir.map_or_else(obstack_sandbox::default_dir, Ok) {
        Ok(dir) => dir,
        Err(error) => return failed(&error),
    };
    let result = match command.as_str() {
        "up" | "start-s3" => start(&dir),
        "down" => down(&dir, &mut show).map(|report| println!("{report:?}")),
        "status" => list(&dir),
        "env" => open(&dir).map(|sandbox| {
            sandbox.env().iter().for_each(|(key, value)| println!("export {key}='{value}'"));
        }),
        "stop-s3" => open(&dir).and_then(|sandbox| sandbox.stop_s3()),
        "helm" => obstack_sandbox::helm(&mut show).map(|path| println!("{}", path.display())),
        _ => {
            eprintln!("usage: sandbox up|down|status|env|stop-s3|start-s3|helm [DIR]");
            return ExitCode::FAILURE;
        }
    };
    result.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
}

fn failed(error: &Error) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}

fn show(progress: Progress) {
    match progress {
        Progress::Step { name, detail } => println!("{name}: {detail}"),
        Progress::Building { tool, index, of } => println!("building {tool} ({index} of {of})"),
        Progress::Built { tool, seconds } => println!("built {tool} in {seconds} s"),
        Progress::Done { detail, milliseconds } => println!("done in {milliseconds} ms: {detail}"),
        _ => {}
    }
}

fn start(dir: &Path) -> Result<(), Error> {
    let mut options = Options::new(dir);
    if let Some(nodes) = std::env::var("NODES").ok().and_then(|nodes| nodes.parse().ok()) {
        options.nodes = nodes;
    }
    if std::env::var("PODS").is_ok_and(|pods| pods == "real") {
        options.pods = Pods::Real;
    }
    for binary in std::env::var("BINARIES").unwrap_or_default().split_whitespace() {
        if let Some((name, path)) = binary.split_once('=') {
            options.binaries.insert(name.into(), path.into());
        }
    }
    let sandbox = up(&options, &mut show)?;
    for backend in &sandbox.backends {
        println!("{}: {} {}", backend.name, backend.how, backend.images.join(", "));
    }
    println!("kubeconfig: {}", sandbox.kubeconfig.display());
    println!("S3: {} at {}", sandbox.s3.implementation, sandbox.s3.endpoint);
    for tool in sandbox.tools.all() {
        println!("{} {} ({:?}): {}", tool.name, tool.version, tool.origin, tool.path.display());
    }
    Ok(())
}

fn list(dir: &Path) -> Result<(), Error> {
    let status = status(dir)?;
    println!("{}: {}", status.dir.display(), if status.running { "running" } else { "not running" });
    for part in status.parts {
        let alive = if part.alive { "alive" } else { "gone" };
        let log = part.log.display();
        println!("{:25} {:>7} {alive:5} :{} {} {log}", part.name, part.pid, part.port, part.version);
    }
    Ok(())
}
