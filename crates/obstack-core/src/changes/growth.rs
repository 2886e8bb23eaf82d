//! Claims that grow: the one change of a StatefulSet's claim templates that can be carried out under running pods.

use crate::{need::ClaimNeed, quantity::Amount};

/// A claim template that asks for more than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Name of the template: its claims are named `TEMPLATE-WORKLOAD-ORDINAL`.
    pub template: String,
    /// Size before.
    pub from: Amount,
    /// Size after.
    pub to: Amount,
}

/// Templates that grow, when nothing else about them changes; otherwise none. A class or a name cannot be changed under
/// running pods, and no claim ever shrinks. Claims that come and go with their pod are part of its template instead.
pub fn growth(before: &[ClaimNeed], after: &[ClaimNeed]) -> Vec<Growth> {
    let lasting = |claims: &[ClaimNeed]| -> Vec<ClaimNeed> {
        claims.iter().filter(|claim| !claim.ephemeral).cloned().collect()
    };
    let (before, after) = (lasting(before), lasting(after));
    let mut grown = Vec::new();
    if before.len() != after.len() {
        return grown;
    }
    for new in after {
        let same = |old: &&ClaimNeed| ClaimNeed { size: new.size, ..(*old).clone() } == new;
        let Some(old) = before.iter().find(same).filter(|old| old.size <= new.size) else {
            return Vec::new();
        };
        if new.size > old.size {
            grown.push(Growth { template: new.name, from: old.size, to: new.size });
        }
    }
    grown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Claims as `NAME SIZE [CLASS]`, separated by commas; one whose name ends with `~` goes with its pod.
    fn claims(text: &str) -> Vec<ClaimNeed> {
        let claim = |text: &str| {
            let mut words = text.split_whitespace();
            let name = words.next().unwrap();
            ClaimNeed {
                name: name.to_owned(),
                size: Amount::parse(words.next().unwrap()).unwrap(),
                class: words.next().map(str::to_owned),
                ephemeral: name.ends_with('~'),
                ..ClaimNeed::default()
            }
        };
        text.split(',').map(claim).collect()
    }

    #[test]
    fn only_growth_alone_is_growth() {
        let check = |before: &str, after: &str, expect: &[&str]| {
            let grown = growth(&claims(before), &claims(after));
            let grown: Vec<_> = grown.iter().map(|g| format!("{} {}", g.template, g.to.storage())).collect();
            assert_eq!(grown, expect, "{before} -> {after}");
        };
        check("data 1Gi", "data 1Gi", &[]);
        check("data 1Gi", "data 2Gi", &["data 2Gi"]);
        check("data 1Gi", "data 1024Mi", &[]);
        check("data 1Gi fast", "data 2Gi fast", &["data 2Gi"]);
        check("data 1Gi,wal 1Gi", "wal 2Gi,data 1Gi", &["wal 2Gi"]);
        check("data 2Gi", "data 1Gi", &[]);
        check("data 1Gi,wal 2Gi", "data 2Gi,wal 1Gi", &[]);
        check("data 1Gi fast", "data 2Gi", &[]);
        check("data 1Gi", "data 2Gi slow", &[]);
        check("data 1Gi", "storage 2Gi", &[]);
        check("data 1Gi", "data 2Gi,wal 1Gi", &[]);
        check("data 1Gi", "data 2Gi,tmp~ 1Gi", &["data 2Gi"]);
        check("tmp~ 1Gi", "tmp~ 2Gi", &[]);
    }
}
