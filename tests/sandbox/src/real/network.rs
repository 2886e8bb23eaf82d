//! The network of real pods: a namespace of its own, joined to the machine by one pair of links.
//!
//! The whole sandbox lives in it, and its addresses are one block that the machine has a route to. So clients outside
//! reach the API server, the object store, Services and pods as they are, and nothing inside reaches further than the
//! machine. The namespace has no name: it is gone with its last process.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde::{Deserialize, Serialize};

use crate::errors::{At, Error};
use crate::process::{Part, Process};
use crate::state::State;

/// The part that keeps the namespace.
pub(crate) const NAME: &str = "network";

/// The first address of the first block. Backends look for a private address of their own (RFC 1918) when they join
/// a ring, so these are private ones.
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 0);
/// How many sandboxes fit beside each other.
const BLOCKS: u8 = 16;
/// Addresses in one block: a /19.
const BLOCK_SIZE: u32 = 8192;
const BLOCK_PREFIX: u32 = 19;

const UNSHARE_LIMIT: Duration = Duration::from_secs(5);

/// The addresses of one sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Network {
    /// The link on the machine's side.
    pub(crate) link: String,
    block: u8,
}

impl Network {
    /// The first block that no route of this machine touches, from `from` on.
    pub(crate) fn choose(id: &str, from: u8) -> Result<Self, Error> {
        let path = Path::new("/proc/net/route");
        let routes = routes(&fs::read_to_string(path).at("read", path)?);
        let short: String = id.chars().take(8).collect();
        (from..BLOCKS)
            .map(|block| Self { link: format!("obs{short}"), block })
            .find(|network| routes.iter().all(|(to, mask)| !network.overlaps(*to, *mask)))
            .ok_or(Error::NoAddresses { from: FIRST, blocks: BLOCKS })
    }

    fn at(&self, offset: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(FIRST) + u32::from(self.block) * BLOCK_SIZE + offset)
    }

    fn overlaps(&self, to: u32, mask: u32) -> bool {
        let own = !(BLOCK_SIZE - 1);
        let both = own & mask;
        u32::from(self.at(0)) & both == to & both
    }

    /// All of them, as the machine routes them.
    fn block(&self) -> String {
        format!("{}/{BLOCK_PREFIX}", self.at(0))
    }

    /// Those of Services.
    pub(crate) fn services(&self) -> String {
        format!("{}/20", self.at(0))
    }

    /// The API server's own Service: always the first address.
    pub(crate) fn apiserver_service(&self) -> Ipv4Addr {
        self.at(1)
    }

    /// Those of pods.
    pub(crate) fn pods(&self) -> String {
        format!("{}/21", self.at(4096))
    }

    /// The machine, as pods see it.
    pub(crate) fn host(&self) -> Ipv4Addr {
        self.at(BLOCK_SIZE - 3)
    }

    /// The node, on which the API server, the object store and the name server listen too.
    pub(crate) fn node(&self) -> Ipv4Addr {
        self.at(BLOCK_SIZE - 2)
    }

    /// The block after this one, if another program took this one meanwhile.
    pub(crate) fn next(&self, id: &str) -> Result<Self, Error> {
        Self::choose(id, self.block + 1)
    }

    /// Joins the namespace of a process to the machine. `false`: another sandbox was faster.
    pub(crate) fn connect(&self, keeper: &Process) -> Result<bool, Error> {
        let pid = keeper.id.pid.to_string();
        let link = self.link.as_str();
        let (host, node) = (format!("{}/30", self.host()), format!("{}/30", self.node()));
        ip(&["link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", &pid])?;
        ip(&["address", "add", &host, "dev", link])?;
        ip(&["link", "set", link, "up"])?;
        let via = self.node().to_string();
        match ip(&["route", "add", &self.block(), "via", &via, "dev", link]) {
            Ok(()) => {}
            Err(error) if error.to_string().contains("File exists") => {
                self.disconnect()?;
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        let _inside = Inside::of(keeper)?;
        ip(&["address", "add", &node, "dev", "eth0"])?;
        ip(&["link", "set", "lo", "up"])?;
        ip(&["link", "set", "eth0", "up"])?;
        // Of this namespace only, as the thread is in it.
        let forward = Path::new("/proc/sys/net/ipv4/ip_forward");
        fs::write(forward, "1").at("write", forward)?;
        try_rules()?;
        Ok(true)
    }

    /// Takes the link away, and with it the addresses and the route.
    pub(crate) fn disconnect(&self) -> Result<(), Error> {
        if !Path::new("/sys/class/net").join(&self.link).exists() {
            return Ok(());
        }
        match ip(&["link", "delete", &self.link]) {
            // It goes away on its own with the namespace.
            Err(error) if error.to_string().contains("Cannot find device") => Ok(()),
            other => other,
        }
    }
}

/// The process that holds the namespace open and does nothing.
pub(crate) fn keeper(dir: &Path) -> Part {
    Part {
        name: NAME,
        program: "unshare".into(),
        args: ["--net", "--", "sleep", "infinity"].map(String::from).into(),
        env: Vec::new(),
        dir: dir.into(),
        log: dir.join("logs/network.log"),
        port: 0,
        version: String::new(),
    }
}

/// Waits until the keeper has its own namespace.
pub(crate) fn wait_unshared(keeper: &Process) -> Result<(), Error> {
    let path = Path::new("/proc/thread-self/ns/net");
    let own = fs::read_link(path).at("read", path)?;
    let start = Instant::now();
    while start.elapsed() < UNSHARE_LIMIT {
        if !keeper.id.alive() {
            return Err(keeper.died());
        }
        if fs::read_link(namespace(keeper)).is_ok_and(|theirs| theirs != own) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Err(keeper.died())
}

fn namespace(process: &Process) -> PathBuf {
    format!("/proc/{}/ns/net", process.id.pid).into()
}

/// As long as it lives, this thread and what it starts are in the namespace. File systems stay those of the machine.
#[derive(Debug)]
pub(crate) struct Inside {
    before: File,
}

impl Inside {
    /// Enters the namespace of a sandbox with real pods; simulated ones have none.
    pub(crate) fn enter(state: &State) -> Result<Option<Self>, Error> {
        match (&state.real, state.part(NAME)) {
            (Some(_), Some(keeper)) => Self::of(keeper).map(Some),
            _ => Ok(None),
        }
    }

    fn of(keeper: &Process) -> Result<Self, Error> {
        let path = Path::new("/proc/thread-self/ns/net");
        let before = File::open(path).at("open", path)?;
        let path = namespace(keeper);
        let there = File::open(&path).at("open", &path)?;
        switch(&there).at("enter", &path)?;
        Ok(Self { before })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // The way back needs no more rights than the way there.
        let _ = switch(&self.before);
    }
}

fn switch(namespace: &File) -> std::io::Result<()> {
    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
}

fn ip(args: &[&str]) -> Result<(), Error> {
    run("ip", args)
}

/// Service addresses are rules of the kernel's packet filter. What they need is tried, and nothing is changed.
fn try_rules() -> Result<(), Error> {
    let rules = "table ip obstack { \
         chain before { type nat hook prerouting priority -100; ct state established accept; \
         fib daddr type local accept; }; \
         chain after { type nat hook postrouting priority 100; masquerade; }; }";
    run("nft", &["--check", rules])
}

fn run(program: &str, args: &[&str]) -> Result<(), Error> {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Error::Run { program: program.into(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Network { command: format!("{program} {}", args.join(" ")), reason })
}

/// Destination and mask of every route but the default one.
fn routes(table: &str) -> Vec<(u32, u32)> {
    let hex =
        |text: Option<&str>| text.and_then(|text| u32::from_str_radix(text, 16).ok()).map(u32::swap_bytes);
    let route = |line: &str| {
        let mut fields = line.split_whitespace();
        let to = hex(fields.nth(1))?;
        Some((to, hex(fields.nth(5))?))
    };
    table.lines().skip(1).filter_map(route).filter(|(_, mask)| *mask != 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(block: u8) -> Network {
        Network { link: "obs".into(), block }
    }

    #[test]
    fn every_kind_of_address_has_its_own_part_of_the_block() {
        let second = network(1);
        assert_eq!(second.block(), "10.200.32.0/19");
        assert_eq!(second.services(), "10.200.32.0/20");
        assert_eq!(second.apiserver_service().to_string(), "10.200.32.1");
        assert_eq!(second.pods(), "10.200.48.0/21");
        assert_eq!(second.host().to_string(), "10.200.63.253");
        assert_eq!(second.node().to_string(), "10.200.63.254");
        assert_eq!(network(BLOCKS - 1).node().to_string(), "10.201.255.254");
    }

    #[test]
    fn a_block_that_a_route_touches_is_not_taken() {
        let table = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
                     eth0 00000000 010011AC 0003 0 0 0 00000000 0 0 0\n\
                     obs1 0000C80A FE1FC80A 0003 0 0 0 00E0FFFF 0 0 0\n\
                     eth0 0020C80A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n";
        let routes = routes(table);
        assert_eq!(routes.len(), 2);
        let free = |block: u8| routes.iter().all(|(to, mask)| !network(block).overlaps(*to, *mask));
        assert_eq!([0, 1, 2].map(free), [false, false, true]);
        let wide = (u32::from(Ipv4Addr::new(10, 0, 0, 0)), u32::from(Ipv4Addr::new(255, 0, 0, 0)));
        assert!(network(2).overlaps(wide.0, wide.1));
    }
}
