//! What the kernel knows of processes and of the machine.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    error::{Error, Of},
    stats::number,
};

/// Processor time that processes have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// The process itself.
    pub own: Duration,
    /// Its children that have ended and that it has waited for.
    pub children: Duration,
}

impl Cpu {
    /// All of it, in seconds.
    pub fn seconds(self) -> f64 {
        (self.own + self.children).as_secs_f64()
    }

    /// What was used since an earlier look.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            own: self.own.saturating_sub(earlier.own),
            children: self.children.saturating_sub(earlier.children),
        }
    }
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident.
    pub rss: u64,
    /// Resident, with pages that several processes share divided among them.
    pub pss: u64,
    /// Resident and not backed by a file: what the process has allocated itself.
    pub anonymous: u64,
    /// The most that was ever resident.
    pub peak: u64,
}

/// Processor time of a process; `self` for this one.
pub fn cpu(process: &str) -> Result<Cpu, Error> {
    let path = PathBuf::from(format!("/proc/{process}/stat"));
    let text = fs::read_to_string(&path).of(&path)?;
    let ticks = parse_stat(&text)
        .ok_or_else(|| Error::Format { what: path.display().to_string(), reason: text.clone() })?;
    let second = rustix::param::clock_ticks_per_second().max(1);
    let time = |ticks: u64| Duration::from_secs_f64(number(ticks) / number(second));
    let [user, system, child_user, child_system] = ticks;
    Ok(Cpu { own: time(user + system), children: time(child_user + child_system) })
}

/// User and system time of the process and of its children, in ticks.
fn parse_stat(text: &str) -> Option<[u64; 4]> {
    // The name may hold spaces and parentheses: what follows the last one is fixed.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse().ok();
    Some([next()?, next()?, next()?, next()?])
}

/// Memory of a process.
pub fn memory(process: u32) -> Result<Memory, Error> {
    let read = |file: &str| {
        let path = PathBuf::from(format!("/proc/{process}/{file}"));
        fs::read_to_string(&path).of(&path)
    };
    let (rollup, status) = (read("smaps_rollup")?, read("status")?);
    Ok(Memory {
        rss: kibibytes(&rollup, "Rss:"),
        pss: kibibytes(&rollup, "Pss:"),
        anonymous: kibibytes(&rollup, "Anonymous:"),
        peak: kibibytes(&status, "VmHWM:"),
    })
}

fn kibibytes(text: &str, field: &str) -> u64 {
    let value =
        text.lines().find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse().ok());
    value.map_or(0, |kibibytes: u64| kibibytes * 1024)
}

/// The machine, in one line.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let read = |path: &str| fs::read_to_string(Path::new(path)).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let of = |field: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(field))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = of("model name").unwrap_or_else(|| "processor".to_owned());
    let memory = kibibytes(&read("/proc/meminfo"), "MemTotal:") >> 30;
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = kernel.trim().split('-').next().unwrap_or_default().to_owned();
    format!("{cores} cores ({model}), {memory} GiB, Linux {kernel}")
}

/// How many processes want to run, on average over the last minute.
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|one| one.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 9 8 7 6 11 12 13 14 20 0 1";
        assert_eq!(parse_stat(stat), Some([11, 12, 13, 14]));
        assert_eq!(parse_stat("7 (a"), None);
        assert!(cpu("self").is_ok());
    }

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(kibibytes("Rss:    12 kB\nPss:    3 kB\n", "Pss:"), 3072);
        assert_eq!(kibibytes("", "Pss:"), 0);
        let own = memory(std::process::id()).unwrap();
        assert!(own.rss > 0 && own.peak >= own.rss / 2);
    }
}
