//! What real pods need of the machine: root, the kernel, and a few programs.

use std::fs;
use std::process::{Command, Stdio};

use rustix::process::geteuid;

use super::cgroups;
use crate::errors::Error;
use crate::progress::{Progress, Report};
use crate::tools::on_path;

/// A package, with the version that Debian 12 has of it.
struct Package {
    name: &'static str,
    version: &'static str,
}

const IP: Package = Package { name: "iproute2", version: "6.1.0-3" };
const NFT: Package = Package { name: "nftables", version: "1.0.6-2+deb12u2" };
const SECCOMP: Package = Package { name: "libseccomp-dev", version: "2.5.4-1+deb12u1" };
const PKG_CONFIG: Package = Package { name: "pkg-config", version: "1.8.1-1" };

/// Looks before anything is built or started. Programs that are missing are installed where that is possible.
pub(crate) fn check(report: Report<'_>) -> Result<(), Error> {
    if !geteuid().is_root() {
        return Err(Error::NotRoot);
    }
    let mut missing: Vec<String> =
        cgroups::missing().into_iter().map(|name| format!("the cgroup controller `{name}`")).collect();
    let filesystems = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if !filesystems.split_whitespace().any(|name| name == "overlay") && !load("overlay") {
        missing.push("the file system `overlay`".into());
    }
    // In util-linux and coreutils, which every system has; and a compiler, which the build of this very program needed.
    let basic =
        ["mount", "umount", "unshare", "sleep", "cc"].into_iter().filter(|name| on_path(name).is_none());
    let basic: Vec<&str> = basic.collect();
    if !basic.is_empty() {
        return Err(Error::Programs { missing: basic.join(", ") });
    }
    // Root of a container that holds its rights back.
    if !may(&["--net", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]) {
        missing.push("the right to make networks and mounts (CAP_NET_ADMIN, CAP_SYS_ADMIN)".into());
    }
    if !cgroups::writable() {
        missing.push("control groups that can be written to".into());
    }
    if !missing.is_empty() {
        return Err(Error::Kernel { missing: missing.join(", ") });
    }
    let packages: Vec<Package> = [("ip", IP), ("nft", NFT)]
        .into_iter()
        .filter(|(program, _)| on_path(program).is_none())
        .map(|(_, package)| package)
        .collect();
    install(&packages, report)
}

/// runc is made with C: it filters system calls with a library of the system.
pub(crate) fn install_for_runc(report: Report<'_>) -> Result<(), Error> {
    let config = on_path("pkg-config");
    let library = config.as_ref().is_some_and(|program| {
        Command::new(program).args(["--exists", "libseccomp"]).status().is_ok_and(|status| status.success())
    });
    let mut packages = Vec::new();
    if config.is_none() {
        packages.push(PKG_CONFIG);
    }
    if !library {
        packages.push(SECCOMP);
    }
    install(&packages, report)
}

/// Whether something can be done in namespaces of its own, which go with it.
fn may(args: &[&str]) -> bool {
    let mut command = Command::new("unshare");
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn load(module: &str) -> bool {
    Command::new("modprobe").arg(module).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn install(packages: &[Package], report: Report<'_>) -> Result<(), Error> {
    if packages.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = packages.iter().map(|package| package.name).collect();
    let pinned: Vec<String> =
        packages.iter().map(|package| format!("{}={}", package.name, package.version)).collect();
    report(Progress::step("packages", format!("installing {}", pinned.join(", "))));
    let options = ["install", "--yes", "--no-install-recommends"];
    let args: Vec<&str> = options.into_iter().chain(pinned.iter().map(String::as_str)).collect();
    // A bare system has no lists of packages, or old ones.
    apt(&args)
        .or_else(|_| apt(&["update"]).and_then(|()| apt(&args)))
        .map_err(|reason| Error::Packages { names: names.join(" "), reason })
}

fn apt(args: &[&str]) -> Result<(), String> {
    let output = Command::new("apt-get")
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("apt-get: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(errors.lines().rev().find(|line| line.starts_with("E:")).unwrap_or("apt-get failed").to_owned())
}
