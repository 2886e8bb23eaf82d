//! Amounts of CPU, memory and storage, and the text Kubernetes writes them in.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, AddAssign},
};

use serde::{Deserialize, Serialize};

/// An amount in thousandths of its unit: millicores for CPU, thousandths of a byte for memory and storage.
///
/// Thousandths of a byte look odd, but Kubernetes reads `3.3Gi` and `100m` in the same grammar, and sums must not
/// lose what one of them holds. Parsed amounts are never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(i128);

/// Text that is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a quantity; write for example 200m, 1, 512Mi or 1.5Gi")]
pub struct NotAQuantity {
    /// What was written.
    pub text: String,
}

/// Decimal and binary suffixes with their factor. `m`, `u` and `n` divide and are handled apart.
const SUFFIXES: &[(&str, i128)] = &[
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("Ei", 1 << 60),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000),
];

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Reads a quantity as Kubernetes does (`k8s.io/apimachinery/pkg/api/resource`), rounding up to a thousandth.
    pub fn parse(text: &str) -> Result<Self, NotAQuantity> {
        let fault = || NotAQuantity { text: text.to_owned() };
        let body = text.strip_prefix('+').unwrap_or(text);
        let digits = body.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(body.len());
        let (number, suffix) = body.split_at(digits);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty())
            || fraction.contains('.')
            || whole.len() > 19
            || fraction.len() > 9
        {
            return Err(fault());
        }
        let mut digits: i128 = 0;
        for digit in whole.chars().chain(fraction.chars()) {
            digits = digits * 10 + i128::from(digit.to_digit(10).ok_or_else(fault)?);
        }
        let (factor, mut divisor) = factor_of(suffix).ok_or_else(fault)?;
        divisor *= 10_i128.pow(u32::try_from(fraction.len()).map_err(|_| fault())?);
        let scaled = digits.checked_mul(factor).and_then(|n| n.checked_mul(1_000)).ok_or_else(fault)?;
        Ok(Self(scaled.div_euclid(divisor) + i128::from(scaled.rem_euclid(divisor) != 0)))
    }

    /// A number of things, such as pods.
    pub fn count(number: u32) -> Self {
        Self(i128::from(number) * 1_000)
    }

    /// What is left when `other` is taken away; nothing when `other` is more.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }

    /// Rounded up to a multiple of `step`; as it is when the step is nothing.
    #[must_use]
    pub fn round_up_to(self, step: Self) -> Self {
        if step.0 <= 0 || self.0 % step.0 == 0 {
            return self;
        }
        Self((self.0 / step.0).saturating_add(1).saturating_mul(step.0))
    }

    /// The whole of which this much leaves `percent` free, rounded up to a thousandth. More than 99 counts as 99.
    #[must_use]
    pub fn with_headroom(self, percent: u32) -> Self {
        let share = 100 - i128::from(percent.min(99));
        let hundredfold = self.0.saturating_mul(100);
        Self(hundredfold / share + i128::from(hundredfold % share != 0))
    }

    /// Which share of `whole` it is, in whole percent; 0 of nothing.
    pub fn percent_of(self, whole: Self) -> u32 {
        let share = self.0.saturating_mul(100).checked_div(whole.0).unwrap_or(0);
        u32::try_from(share).unwrap_or(0)
    }

    /// Whether it is more than `times` times `other`, with `times` in thousandths.
    pub fn exceeds_ratio(self, other: Self, times: Self) -> bool {
        self.0.saturating_mul(1_000) > other.0.saturating_mul(times.0)
    }

    /// This much, `times` over.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self(self.0.saturating_mul(i128::from(times)))
    }

    /// As CPU: `2720m`.
    pub fn cpu(self) -> String {
        format!("{}m", self.0)
    }

    /// As memory: `12928Mi`; in bytes when it is no whole number of mebibytes.
    pub fn memory(self) -> String {
        self.in_units(&[("Mi", 1 << 20)])
    }

    /// As storage: `16Gi`, or `1536Mi`; in bytes when it is no whole number of either.
    pub fn storage(self) -> String {
        self.in_units(&[("Gi", 1 << 30), ("Mi", 1 << 20)])
    }

    /// As people write bytes: `16Gi`, `12.5Gi` or `1536Mi`; in bytes when it is none of these.
    pub fn bytes(self) -> String {
        const GIBI: i128 = 1_000 << 30;
        match self.0.checked_mul(10) {
            Some(tenths) if self.0 > GIBI && self.0 % GIBI != 0 && tenths % GIBI == 0 => {
                format!("{}.{}Gi", self.0 / GIBI, tenths / GIBI % 10)
            }
            _ => self.storage(),
        }
    }

    /// As amounts of a resource are written: `200m` of `requests.cpu`, `16Gi` of `requests.storage`, `3` of `pods`.
    pub fn of_resource(self, resource: &str) -> String {
        match ResourceKind::of(resource) {
            ResourceKind::Cpu => self.cpu(),
            ResourceKind::Memory | ResourceKind::Storage => self.bytes(),
            ResourceKind::Count if self.0 % 1_000 == 0 => format!("{}", self.0 / 1_000),
            ResourceKind::Count => {
                let digits = format!("{}.{:03}", self.0 / 1_000, self.0 % 1_000);
                digits.trim_end_matches('0').to_owned()
            }
        }
    }

    /// The same for people: bytes that are no whole number of mebibytes are rounded, and say so: `~24.4Gi`.
    pub fn about(self, resource: &str) -> String {
        let exact = self.of_resource(resource);
        if ResourceKind::of(resource) == ResourceKind::Count || exact.ends_with(|c: char| !c.is_ascii_digit())
        {
            return exact;
        }
        let tenths = self.0.saturating_mul(10).saturating_add(500 << 30) / (1_000 << 30);
        format!("~{}.{}Gi", tenths / 10, tenths % 10)
    }

    fn in_units(self, units: &[(&str, i128)]) -> String {
        for (suffix, size) in units {
            let unit = size * 1_000;
            if self.0 % unit == 0 {
                return format!("{}{suffix}", self.0 / unit);
            }
        }
        format!("{}", self.0.saturating_add(999) / 1_000)
    }
}

/// What a resource of a quota or a container is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    /// Cores.
    Cpu,
    /// Bytes of memory.
    Memory,
    /// Bytes of a volume or a disk.
    Storage,
    /// Pieces.
    Count,
}

impl ResourceKind {
    /// By its name, such as `cpu`, `limits.memory`, `count/pods` or
    /// `CLASS.storageclass.storage.k8s.io/requests.storage`.
    pub fn of(resource: &str) -> Self {
        let plain = resource.rsplit_once('/').map_or(resource, |(_, last)| last);
        let plain =
            plain.strip_prefix("requests.").or_else(|| plain.strip_prefix("limits.")).unwrap_or(plain);
        match plain {
            "cpu" => Self::Cpu,
            "memory" => Self::Memory,
            "storage" | "ephemeral-storage" => Self::Storage,
            _ if plain.starts_with("hugepages-") => Self::Memory,
            _ => Self::Count,
        }
    }
}

/// Factor and divisor of a suffix.
fn factor_of(suffix: &str) -> Option<(i128, i128)> {
    match suffix {
        "" => Some((1, 1)),
        "m" => Some((1, 1_000)),
        "u" => Some((1, 1_000_000)),
        "n" => Some((1, 1_000_000_000)),
        _ => match suffix.strip_prefix(['e', 'E']).and_then(|e| e.parse::<i32>().ok()) {
            Some(exponent @ 0..=18) => Some((10_i128.pow(exponent.unsigned_abs()), 1)),
            Some(exponent @ -9..=-1) => Some((1, 10_i128.pow(exponent.unsigned_abs()))),
            _ => SUFFIXES.iter().find(|(name, _)| *name == suffix).map(|(_, factor)| (*factor, 1)),
        },
    }
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// What pods request together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Pods.
    pub pods: u32,
    /// CPU.
    pub cpu: Amount,
    /// Memory.
    pub memory: Amount,
    /// Volume claims.
    pub storage: Amount,
}

impl Add for Sums {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            pods: self.pods + other.pods,
            cpu: self.cpu + other.cpu,
            memory: self.memory + other.memory,
            storage: self.storage + other.storage,
        }
    }
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} pods, {} / {} / {}",
            self.pods,
            self.cpu.cpu(),
            self.memory.memory(),
            self.storage.storage()
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Amount, ResourceKind};

    fn cpu(text: &str) -> String {
        Amount::parse(text).unwrap().cpu()
    }

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        assert_eq!(cpu("200m"), "200m");
        assert_eq!(cpu("1"), "1000m");
        assert_eq!(cpu("0.1"), "100m");
        assert_eq!(cpu(".5"), "500m");
        assert_eq!(cpu("1e3"), "1000000m");
        assert_eq!(cpu("1500u"), "2m", "rounded up, as the API server does");
        assert_eq!(Amount::parse("3.3Gi").unwrap(), Amount::parse("3543348019.2").unwrap());
        assert_eq!(Amount::parse("1Gi").unwrap().memory(), "1024Mi");
        assert_eq!(Amount::parse("512Mi").unwrap().storage(), "512Mi");
        assert_eq!(Amount::parse("16384Mi").unwrap().storage(), "16Gi");
        assert_eq!(Amount::parse("1000").unwrap().memory(), "1000");
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "Gi", "1.2.3", "1gb", "-1", "1 Gi", "lots", "1e99", "99999999999999999999"] {
            assert!(Amount::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_are_rounded_up_and_never_negative() {
        let read = |text| Amount::parse(text).unwrap();
        assert_eq!(read("2").minus(read("500m")).cpu(), "1500m");
        assert_eq!(read("2").minus(read("3")), Amount::ZERO);
        assert_eq!(read("8100m").round_up_to(read("2")), read("10"));
        assert_eq!(read("8").round_up_to(read("2")), read("8"));
        assert_eq!(read("8").round_up_to(Amount::ZERO), read("8"));
        assert_eq!(read("6480m").with_headroom(20), read("8100m"));
        assert_eq!(read("1").with_headroom(33).cpu(), "1493m", "1492.5 rounded up");
        assert_eq!(read("1").with_headroom(100), read("100"));
        assert!(read("301m").exceeds_ratio(read("100m"), read("3")));
        assert!(!read("300m").exceeds_ratio(read("100m"), read("3")));
    }

    #[test]
    fn amounts_are_written_as_their_resource_is() {
        let check = |text: &str, resource: &str, expect: &str| {
            assert_eq!(Amount::parse(text).unwrap().of_resource(resource), expect, "{resource}");
        };
        check("2", "requests.cpu", "2000m");
        check("12.5Gi", "memory", "12.5Gi");
        check("3.3Gi", "limits.memory", "3.3Gi");
        check("12928Mi", "requests.memory", "12928Mi");
        check("0.5Gi", "requests.memory", "512Mi");
        check("64Gi", "gold.storageclass.storage.k8s.io/requests.storage", "64Gi");
        check("64", "gold.storageclass.storage.k8s.io/persistentvolumeclaims", "64");
        check("1Gi", "requests.ephemeral-storage", "1Gi");
        check("2Mi", "requests.hugepages-2Mi", "2Mi");
        check("3", "count/deployments.apps", "3");
        check("1.25", "a ratio", "1.25");
        let about = |text: &str, resource: &str| Amount::parse(text).unwrap().about(resource);
        assert_eq!(about("26226144052", "requests.memory"), "~24.4Gi");
        assert_eq!(about("1Gi", "requests.memory"), "1Gi");
        assert_eq!((about("3", "pods"), about("1500m", "cpu")), ("3".to_owned(), "1500m".to_owned()));
        assert_eq!(ResourceKind::of("requests.example.com/memory-card"), ResourceKind::Count);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(milli in 0..10_000_000_u32, mebi in 0..10_000_000_u32) {
            let cpu = Amount::parse(&format!("{milli}m")).unwrap();
            prop_assert_eq!(Amount::parse(&cpu.cpu()).unwrap(), cpu);
            let memory = Amount::parse(&format!("{mebi}Mi")).unwrap();
            prop_assert_eq!(Amount::parse(&memory.memory()).unwrap(), memory);
            prop_assert_eq!(Amount::parse(&memory.storage()).unwrap(), memory);
            prop_assert_eq!(Amount::parse(&memory.bytes()).unwrap(), memory);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let Ok(amount) = Amount::parse(&text) else { return Ok(()) };
            let _ = (amount.bytes(), amount.with_headroom(90), amount.round_up_to(amount), amount.times(9));
        }
    }
}
