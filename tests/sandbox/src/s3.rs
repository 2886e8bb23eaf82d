//! The S3 server: `SeaweedFS` when a `weed` binary is there, versitygw otherwise. Which one runs is always said.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::credentials::{random_hex, write_private};
use crate::errors::{At, Error};
use crate::ports::{self, Ports};
use crate::process::{self, Part, Process};
use crate::state::State;
use crate::tools::Tool;

/// The name of the part, whichever server it is.
pub(crate) const NAME: &str = "s3";

const READY_LIMIT: Duration = Duration::from_mins(1);

/// A path no bucket can have, so the health check of versitygw hides none.
const HEALTH: &str = "/-/health";

/// Which server provides S3. They differ: `SeaweedFS` knows bucket lifecycles and deletes a bucket with its
/// contents, versitygw does neither.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum S3Implementation {
    /// The server that production setups of `obstack` are written for.
    SeaweedFS {
        /// Its version.
        version: String,
    },
    /// The stand-in where no `weed` binary is given.
    VersityGw {
        /// Its version.
        version: String,
    },
}

impl std::fmt::Display for S3Implementation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SeaweedFS { version } => write!(f, "SeaweedFS {version}"),
            Self::VersityGw { version } => write!(f, "versitygw {version}"),
        }
    }
}

/// How to reach the S3 server of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3 {
    /// Such as `http://127.0.0.1:18333`, for this machine and for pods; buckets are addressed by path.
    pub endpoint: String,
    /// The region to sign requests for.
    pub region: String,
    /// The key of the administrator.
    pub access_key: String,
    /// The secret of the administrator.
    pub secret_key: String,
    /// The key of a second administrator, for those who rotate their keys.
    pub spare_access_key: String,
    /// The secret of that administrator.
    pub spare_secret_key: String,
    /// The key of an account that creates and changes nothing. On `SeaweedFS` it reads every bucket; on versitygw
    /// it reads those buckets whose policy allows it.
    pub read_only_access_key: String,
    /// The secret of that account.
    pub read_only_secret_key: String,
    /// Which server runs.
    pub implementation: S3Implementation,
}

impl S3 {
    /// New credentials for a server at this address.
    pub(crate) fn new(address: Ipv4Addr, port: u16, implementation: S3Implementation) -> Result<Self, Error> {
        Ok(Self {
            endpoint: format!("http://{address}:{port}"),
            region: "us-east-1".into(),
            access_key: format!("ADMIN{}", random_hex::<8>()?.to_uppercase()),
            secret_key: random_hex::<20>()?,
            spare_access_key: format!("SPARE{}", random_hex::<8>()?.to_uppercase()),
            spare_secret_key: random_hex::<20>()?,
            read_only_access_key: format!("READER{}", random_hex::<8>()?.to_uppercase()),
            read_only_secret_key: random_hex::<20>()?,
            implementation,
        })
    }
}

/// Which implementation a binary is.
pub(crate) fn implementation(tool: &Tool) -> S3Implementation {
    let version = tool.version.clone();
    if tool.name == "weed" {
        S3Implementation::SeaweedFS { version }
    } else {
        S3Implementation::VersityGw { version }
    }
}

/// The server as a part; its data lies in the folder of the sandbox and survives a stop.
pub(crate) fn part(dir: &Path, state: &State) -> Result<Part, Error> {
    let home = dir.join("s3");
    let data = home.join("data");
    fs::create_dir_all(&data).at("create", &data)?;
    let tool = &state.tools.s3;
    let (args, env) = match state.s3.implementation {
        S3Implementation::SeaweedFS { .. } => (weed(&home, &data, state)?, Vec::new()),
        S3Implementation::VersityGw { .. } => versitygw(&home, &data, state)?,
    };
    Ok(Part {
        name: NAME,
        program: tool.path.clone(),
        args,
        env,
        dir: home,
        log: dir.join("logs/s3.log"),
        port: state.ports.s3,
        version: state.s3.implementation.to_string(),
    })
}

type Start = (Vec<String>, Vec<(String, String)>);

fn versitygw(home: &Path, data: &Path, state: &State) -> Result<Start, Error> {
    let S3 { access_key, secret_key, region, .. } = &state.s3;
    let account = |access: &str, secret: &str, role: &str, id: u32| {
        json!({
            "access": access, "secret": secret, "role": role,
            "userID": id, "groupID": id, "projectID": 0,
        })
    };
    let S3 { spare_access_key, spare_secret_key, read_only_access_key, read_only_secret_key, .. } = &state.s3;
    let accounts = json!({ "accessAccounts": {
        read_only_access_key.as_str(): account(read_only_access_key, read_only_secret_key, "user", 1),
        spare_access_key.as_str(): account(spare_access_key, spare_secret_key, "admin", 2),
    }});
    let iam = home.join("iam");
    write_private(&iam.join("users.json"), &accounts.to_string())?;
    let args = vec![
        format!("--port={}:{}", state.listen(), state.ports.s3),
        format!("--region={region}"),
        format!("--health={HEALTH}"),
        format!("--iam-dir={}", iam.display()),
        "--quiet".into(),
        "posix".into(),
        data.display().to_string(),
    ];
    let env = [("ROOT_ACCESS_KEY", access_key), ("ROOT_SECRET_KEY", secret_key)];
    Ok((args, env.map(|(key, value)| (key.into(), value.clone())).into()))
}

fn weed(home: &Path, data: &Path, state: &State) -> Result<Vec<String>, Error> {
    let S3 { access_key, secret_key, .. } = &state.s3;
    let S3 { spare_access_key, spare_secret_key, read_only_access_key, read_only_secret_key, .. } = &state.s3;
    let identity = |name: &str, key: &str, secret: &str, actions: &[&str]| {
        json!({
            "name": name,
            "credentials": [{ "accessKey": key, "secretKey": secret }],
            "actions": actions,
        })
    };
    let all = ["Admin", "Read", "Write", "List", "Tagging"];
    let identities = json!({ "identities": [
        identity("admin", access_key, secret_key, &all),
        identity("spare", spare_access_key, spare_secret_key, &all),
        identity("reader", read_only_access_key, read_only_secret_key, &["Read", "List"]),
    ]});
    let config = home.join("identities.json");
    write_private(&config, &identities.to_string())?;
    let Ports { s3, weed_master, weed_volume, weed_filer, .. } = state.ports;
    let mut args = vec![
        "server".into(),
        format!("-dir={}", data.display()),
        format!("-ip={}", state.address()),
        format!("-ip.bind={}", state.listen()),
        format!("-master.port={weed_master}"),
        "-master.volumeSizeLimitMB=64".into(),
        format!("-volume.port={weed_volume}"),
        // A bucket is a collection, and each grows by several volumes at once: twelve buckets need about ninety.
        "-volume.max=2000".into(),
        "-volume.preStopSeconds=0".into(),
        format!("-filer.port={weed_filer}"),
        "-s3".into(),
        format!("-s3.port={s3}"),
        format!("-s3.config={}", config.display()),
    ];
    let known = weed_flags(&state.tools.s3.path);
    let off = ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"];
    args.extend(off.into_iter().filter(|flag| knows_flag(&known, flag)).map(String::from));
    Ok(args)
}

/// Newer versions open more fixed ports unless told not to, and older ones refuse to be told.
fn weed_flags(weed: &Path) -> String {
    let output = Command::new(weed).args(["help", "server"]).stdin(Stdio::null()).output();
    output.map_or_else(
        |_| String::new(),
        |output| {
            let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.push_str(&String::from_utf8_lossy(&output.stderr));
            text
        },
    )
}

fn knows_flag(help: &str, flag: &str) -> bool {
    let name = flag.split('=').next().unwrap_or(flag);
    help.split(|c: char| c.is_whitespace() || c == '=').any(|word| word == name)
}

/// Waits until objects can be written.
pub(crate) fn wait_ready(process: &Process, state: &State) -> Result<(), Error> {
    let Ports { s3, weed_master, .. } = state.ports;
    process::wait_ready(process, READY_LIMIT, || match state.s3.implementation {
        S3Implementation::VersityGw { .. } => ports::http_ok(s3, HEALTH),
        // The gateway answers before there is a volume to write to; the master assigns one when there is.
        S3Implementation::SeaweedFS { .. } => {
            ports::http_status(s3, "/").map(drop)?;
            ports::http_ok(weed_master, "/dir/assign")
        }
    })
}

/// The sockets `SeaweedFS` leaves outside of its folder.
pub(crate) fn leftovers(state: &State) -> Vec<PathBuf> {
    match state.s3.implementation {
        S3Implementation::VersityGw { .. } => Vec::new(),
        S3Implementation::SeaweedFS { .. } => vec![
            format!("/tmp/seaweedfs-s3-{}.sock", state.ports.s3).into(),
            format!("/tmp/seaweedfs-filer-{}.sock", state.ports.weed_filer).into(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_known_by_its_whole_name() {
        let help = "  -s3.port int\n  -s3.port.iceberg=8181: the port\n";
        assert!(knows_flag(help, "-s3.port.iceberg=0"));
        assert!(!knows_flag(help, "-s3.port.lance=0"));
        assert!(!knows_flag("-s3.port.iceberg.x", "-s3.port.iceberg=0"));
    }

    #[test]
    fn every_sandbox_has_its_own_credentials() {
        let new = || {
            S3::new(Ipv4Addr::LOCALHOST, 8333, S3Implementation::VersityGw { version: "1".into() }).unwrap()
        };
        let (one, two) = (new(), new());
        assert_ne!(one.secret_key, two.secret_key);
        assert_ne!(one.access_key, one.read_only_access_key);
        assert_eq!(one.endpoint, "http://127.0.0.1:8333");
    }
}
