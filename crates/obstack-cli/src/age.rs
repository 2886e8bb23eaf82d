//! Durations as people write and read them.

use std::time::Duration;

/// Units, longest first, with their seconds.
const UNITS: &[(&str, u64)] = &[("d", 24 * 60 * 60), ("h", 60 * 60), ("m", 60), ("s", 1)];

/// Reads a duration such as `30s`, `10m` or `1h30m`.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration: write it as 30s, 10m, 1h or 1h30m");
    let mut seconds: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let unit = UNITS.iter().find(|(unit, _)| tail.starts_with(unit)).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let more = number.checked_mul(unit.1).ok_or_else(wrong)?;
        seconds = seconds.checked_add(more).ok_or_else(wrong)?;
        rest = tail.strip_prefix(unit.0).unwrap_or_default();
    }
    if text.is_empty() { Err(wrong()) } else { Ok(Duration::from_secs(seconds)) }
}

/// An age in its largest unit, as `kubectl get` shows it.
pub fn short(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    // Minutes say too little before two of them are over.
    let fits = |(_, unit): &&(&str, u64)| seconds >= *unit && (*unit != 60 || seconds >= 120);
    let (name, unit) = UNITS.iter().find(fits).copied().unwrap_or(("s", 1));
    format!("{}{name}", seconds / unit)
}

/// A span of time in all its units, such as `1m5s`.
pub fn full(span: Duration) -> String {
    let mut seconds = span.as_secs();
    let mut text = String::new();
    for (name, unit) in UNITS {
        if seconds >= *unit || (*unit == 1 && text.is_empty()) {
            text.push_str(&(seconds / unit).to_string());
            text.push_str(name);
            seconds %= unit;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [("30s", 30), ("10m", 600), ("1h", 3600), ("1h30m", 5400), ("2d", 172_800)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
            assert_eq!(full(Duration::from_secs(seconds)), text);
        }
        for text in ["", "10", "m", "1x", "-1s", "1.5h", "99999999999999999999s", "999999999999999999d"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_age_is_told_in_its_largest_unit() {
        for (seconds, text) in
            [(-3, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (7200, "2h"), (200_000, "2d")]
        {
            assert_eq!(short(seconds), text);
        }
    }
}
