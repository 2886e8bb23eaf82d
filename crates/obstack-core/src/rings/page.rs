//! The pages as dskit writes them. What is missing stays unknown; nothing is guessed.

use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::Value;

use super::Why;

/// Seconds of the Unix epoch from which on a number cannot be seconds.
const NO_SECONDS: i64 = 100_000_000_000;

/// Longest name of a pod.
const NAME_MAX: usize = 253;

/// What the page of a ring says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ring {
    /// Its members.
    pub members: Vec<Member>,
    /// Second of the Unix epoch at which the page was made; `None` when it cannot be read.
    pub now: Option<i64>,
}

/// A member of a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, which is its pod's unless somebody set another.
    pub id: String,
    /// Its state.
    pub state: State,
    /// When it reported last.
    pub heartbeat: Heartbeat,
    /// It takes no writes.
    pub read_only: bool,
    /// Its zone; empty when it has none.
    pub zone: String,
    /// How many tokens it has; `None` when the page does not say. Without any it holds no keys.
    pub tokens: Option<usize>,
}

/// State of a member (`InstanceState` in dskit's `ring/ring.proto`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It serves.
    Active,
    /// It shuts down, or has shut down and keeps its place.
    Leaving,
    /// It has started and does not take part yet.
    Pending,
    /// It takes its place.
    Joining,
    /// It is no longer part of the ring.
    Left,
    /// The page's word for a member that is silent. Its last state is hidden behind it.
    Unhealthy,
    /// A word that is not known.
    Other,
}

/// When a member reported last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// At this second of the Unix epoch.
    At(i64),
    /// Never.
    Never,
    /// The page does not say, or not in a way that can be read.
    Unreadable,
}

#[derive(Deserialize)]
struct RawRing {
    // With its own function, or a page without the key would pass for an empty ring.
    #[serde(deserialize_with = "Option::deserialize")]
    shards: Option<Vec<RawMember>>,
    now: Option<Value>,
}

#[derive(Deserialize)]
struct RawMember {
    id: String,
    state: String,
    timestamp: Option<Value>,
    read_only: Option<bool>,
    zone: Option<String>,
    #[serde(default, deserialize_with = "count")]
    tokens: Option<usize>,
}

/// A Go list without entries is written as null, so null is 0 and only absence is unknown.
fn count<'de, D: Deserializer<'de>>(tokens: D) -> Result<Option<usize>, D::Error> {
    Ok(Some(Option::<Vec<IgnoredAny>>::deserialize(tokens)?.map_or(0, |tokens| tokens.len())))
}

#[derive(Deserialize)]
struct RawGossip {
    #[serde(rename = "SortedMembers", deserialize_with = "Option::deserialize")]
    members: Option<Vec<RawNode>>,
}

#[derive(Deserialize)]
struct RawNode {
    #[serde(rename = "Name")]
    name: String,
}

/// Reads the page of a ring.
pub fn ring(body: &[u8]) -> Result<Ring, Why> {
    let raw: RawRing = serde_json::from_slice(body).map_err(|error| why(&error))?;
    let members = raw.shards.unwrap_or_default().into_iter().map(|member| Member {
        state: state(&member.state),
        heartbeat: heartbeat(member.timestamp.as_ref()),
        id: name(member.id),
        read_only: member.read_only.unwrap_or(false),
        zone: member.zone.unwrap_or_default(),
        tokens: member.tokens,
    });
    let now = match heartbeat(raw.now.as_ref()) {
        Heartbeat::At(second) => Some(second),
        Heartbeat::Never | Heartbeat::Unreadable => None,
    };
    Ok(Ring { members: members.collect(), now })
}

/// Reads the names on the page of the gossip (`/memberlist`): those whom the rest hears.
pub fn gossip(body: &[u8]) -> Result<Vec<String>, Why> {
    let raw: RawGossip = serde_json::from_slice(body).map_err(|error| why(&error))?;
    Ok(raw.members.unwrap_or_default().into_iter().map(|node| node.name).collect())
}

/// A name as pods have them. Messages name members, and nothing else of a page may get into one.
fn name(id: String) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let is_name = (1..=NAME_MAX).contains(&id.len()) && id.bytes().all(plain);
    if is_name { id } else { "(not a name)".to_owned() }
}

fn why(error: &serde_json::Error) -> Why {
    match error.classify() {
        serde_json::error::Category::Eof => Why::Truncated,
        serde_json::error::Category::Data => Why::OtherPage,
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => Why::NotJson,
    }
}

fn state(word: &str) -> State {
    match word.to_ascii_uppercase().as_str() {
        "ACTIVE" => State::Active,
        "LEAVING" => State::Leaving,
        "PENDING" => State::Pending,
        "JOINING" => State::Joining,
        "LEFT" => State::Left,
        "UNHEALTHY" => State::Unhealthy,
        _ => State::Other,
    }
}

/// RFC 3339, or seconds of the Unix epoch. Go's zero time and second 0 are what is never set.
fn heartbeat(stamp: Option<&Value>) -> Heartbeat {
    let second = match stamp {
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("never") => Some(0),
        Some(Value::String(text)) => seconds(text).or_else(|| text.parse().ok()),
        _ => None,
    };
    match second {
        Some(second) if second <= 0 => Heartbeat::Never,
        Some(second) if second < NO_SECONDS => Heartbeat::At(second),
        _ => Heartbeat::Unreadable,
    }
}

/// Second of the Unix epoch of a time in RFC 3339; parts of a second are left out.
fn seconds(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(['T', 't'])?;
    let mut date = date.splitn(3, '-').map(digits);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let zone = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at_checked(zone)?;
    let mut clock = clock.split('.').next()?.splitn(3, ':').map(digits);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let possible = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..=23).contains(&hour)
        && (0..=59).contains(&minute)
        && (0..=60).contains(&second);
    possible.then_some(days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset(zone)?)
}

/// At most four digits.
fn digits(text: &str) -> Option<i64> {
    let plain = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

/// Seconds that a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    Some(sign * (digits(hours)? * 3_600 + digits(minutes)? * 60))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar
/// (`days_from_civil` of <https://howardhinnant.github.io/date_algorithms.html>).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_is_read_in_every_form_that_has_one_meaning() {
        let check = |stamp: Value, expect| assert_eq!(heartbeat(Some(&stamp)), expect, "{stamp}");
        check(json!("2026-11-20T16:22:05Z"), Heartbeat::At(1_795_191_725));
        check(json!("2026-11-20T16:22:05.81446127Z"), Heartbeat::At(1_795_191_725));
        check(json!("2026-11-20T17:22:05+01:00"), Heartbeat::At(1_795_191_725));
        check(json!("2026-11-20T14:52:05.5-01:30"), Heartbeat::At(1_795_191_725));
        check(json!("2000-02-29T00:00:00Z"), Heartbeat::At(951_782_400));
        check(json!(1_795_191_725), Heartbeat::At(1_795_191_725));
        check(json!("1795191725"), Heartbeat::At(1_795_191_725));
        check(json!("0001-01-01T00:00:00Z"), Heartbeat::Never);
        check(json!("1970-01-01T00:00:00Z"), Heartbeat::Never);
        check(json!("Never"), Heartbeat::Never);
        check(json!(0), Heartbeat::Never);
        for stamp in [
            json!("12s ago"),
            json!(""),
            json!(null),
            json!({"seconds": 1}),
            json!(1_795_191_725_000_i64),
            json!("2026-13-20T16:22:05Z"),
            json!("2026-11-20T16:22:05"),
            json!("2026-11-20 16:22"),
            json!("2026-11-20T16:22:05+é0:00"),
        ] {
            check(stamp, Heartbeat::Unreadable);
        }
        assert_eq!(heartbeat(None), Heartbeat::Unreadable);
    }
}
