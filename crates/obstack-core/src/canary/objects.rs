//! What a look into a bucket means. Each look is one request, whatever the bucket holds.
//!
//! - **Mimir** names a block by a ULID, which begins with the time it was cut at. The first key behind that of a given
//!   moment is a block no older than it, or there is none.
//! - **Tempo** names a block by a random UUID, so a list says nothing of age. But whoever builds the tenant's index
//!   writes it anew at each poll (`storage.trace.blocklist_poll`, 5 min) while the tenant has a block, and deletes it
//!   when it has none (`tempodb/backend/raw.go`, v2.10). A young index says that blocks are there and that pods reach
//!   the bucket. It does not say which ingester has flushed what.

use std::time::Duration;

use obstack_api::{Reason, Signal};

use super::{Blocks, Miss, Objects};

/// An ingester cuts the first block when its head spans one and a half block ranges (3 h of Mimir's 2 h,
/// `tsdb.Head.compactable`), and one each 2 h from then on. Half an hour is for compacting and shipping.
pub const MIMIR_DUE: Duration = Duration::from_mins(210);
/// A trace is in a block of at most 30 min (`ingester.max_block_duration`), and the index follows within one poll.
pub const TEMPO_DUE: Duration = Duration::from_hours(1);
/// Six polls, and the 15 min that S3 lets two clocks differ by.
const TEMPO_INDEX_AGE: Duration = Duration::from_mins(45);

/// Tenants of a backend that runs without tenancy.
const MIMIR_PREFIX: &str = "anonymous/";
/// Where Tempo's index is.
const TEMPO_INDEX: &str = "single-tenant/index.json.gz";
/// Crockford's alphabet, in which a ULID is written.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a ULID that are its time, and of all of it.
const ULID: (usize, usize) = (10, 26);

/// What to ask the bucket of a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The first key below a prefix and behind another key.
    FirstKey {
        /// Beginning of the key.
        prefix: &'static str,
        /// Key that it must stand behind.
        after: String,
    },
    /// When an object was written.
    Written {
        /// Its key.
        key: &'static str,
    },
}

/// What a bucket answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A key.
    Key(String),
    /// The time of an object, since the Unix epoch.
    At(Duration),
}

/// What to ask at a time since the Unix epoch.
pub fn ask(signal: Signal, now: Duration) -> Ask {
    match signal {
        Signal::Metrics => {
            let after = format!("{MIMIR_PREFIX}{}", ulid_time(now.saturating_sub(MIMIR_DUE)));
            Ask::FirstKey { prefix: MIMIR_PREFIX, after }
        }
        Signal::Traces => Ask::Written { key: TEMPO_INDEX },
    }
}

/// What the answer means, when writes have been accepted without a break for `accepted`. A failed look is told in the
/// words of the S3 client.
pub fn judge(
    signal: Signal,
    blocks: &Blocks,
    answer: Result<Found, String>,
    accepted: Duration,
    now: Duration,
) -> Result<Objects, Miss> {
    let unseen = |message| Miss { reason: Reason::ObjectNotSeen, reached: true, message };
    let name = super::name(signal);
    let found = answer.map_err(|error| {
        unseen(format!("{name} are accepted, but the bucket cannot be looked into: {error}"))
    })?;
    let fresh = match &found {
        Found::Nothing => false,
        Found::Key(key) => is_block(key),
        Found::At(at) => now.saturating_sub(*at) <= TEMPO_INDEX_AGE,
    };
    match blocks.due {
        _ if fresh => Ok(Objects::Seen),
        Some(due) if accepted >= due => {
            let what = match (signal, &found) {
                (Signal::Metrics, _) => format!("no block of the last {} min is in", due.as_secs() / 60),
                (Signal::Traces, Found::Nothing) => "no block is listed in".to_owned(),
                (Signal::Traces, _) => {
                    format!("the list of blocks is older than {} min in", TEMPO_INDEX_AGE.as_secs() / 60)
                }
            };
            Err(unseen(format!(
                "{name} have been accepted all the while, but {what} bucket {}: what is younger is on the ingesters' volumes alone",
                blocks.bucket
            )))
        }
        _ => Ok(Objects::NotDue),
    }
}

/// `anonymous/ULID/...`: other keys below the prefix stand behind every ULID, because they are in lower case.
fn is_block(key: &str) -> bool {
    let name = key.strip_prefix(MIMIR_PREFIX).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    name.len() == ULID.1 && name.bytes().all(|byte| ALPHABET.contains(&byte))
}

/// The characters of a ULID that are its time: milliseconds, 5 bits each.
fn ulid_time(at: Duration) -> String {
    let millis = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
    let digit = |place: usize| {
        let bits = millis >> (5 * place) & 31;
        usize::try_from(bits).ok().and_then(|at| ALPHABET.get(at)).map_or('0', |byte| char::from(*byte))
    };
    (0..ULID.0).rev().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_ulid_is_that_of_the_specification() {
        // https://github.com/ulid/spec: 1469918176385 is 01ARYZ6S41.
        assert_eq!(ulid_time(Duration::from_millis(1_469_918_176_385)), "01ARYZ6S41");
        assert_eq!(ulid_time(Duration::ZERO), "0000000000");
    }

    #[test]
    fn only_a_block_is_a_block() {
        assert!(is_block("anonymous/01JCZ8M6Y0ABCDEFGHJKMNPQRS/meta.json"));
        for key in
            ["anonymous/bucket-index.json.gz", "anonymous/markers/01JCZ8M6Y0ABCDEFGHJKMNPQRS-x", "other/"]
        {
            assert!(!is_block(key), "{key}");
        }
    }
}
