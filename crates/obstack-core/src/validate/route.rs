//! The Route of a backend.

use std::net::IpAddr;

use obstack_api::{Reason, Route};

use crate::{backends::Backend, violation::Violation};

/// Checks a Route. `openshift` says whether the stack is for `OpenShift`.
pub(super) fn validate(backend: Backend, route: &Route, openshift: bool, faults: &mut Vec<Violation>) {
    let field = format!("spec.{}.route", backend.signal());
    if !openshift {
        faults.push(Violation::new(
            Reason::InvalidSpec,
            &*field,
            "is a Route, which only OpenShift has; take it out, and make an Ingress or HTTPRoute of your own",
        ));
    }
    for (number, network) in route.allow_from.iter().enumerate() {
        // A list with one wrong entry is dropped as a whole by the router, which then lets everybody in.
        if !is_network(network) {
            faults.push(Violation::new(
                Reason::InvalidSpec,
                format!("{field}.allowFrom[{number}]"),
                format!("{network} is neither an address nor a network; write it as 192.0.2.7 or 10.0.0.0/8"),
            ));
        }
    }
}

/// Whether it is an address, or one with the length of its prefix.
fn is_network(text: &str) -> bool {
    let (address, prefix) =
        text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let longest = if address.is_ipv4() { 32 } else { 128 };
    prefix.is_none_or(|prefix| {
        prefix.bytes().all(|byte| byte.is_ascii_digit())
            && prefix.parse().is_ok_and(|length: u8| length <= longest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_with_or_without_its_prefix() {
        for good in ["192.0.2.7", "10.0.0.0/8", "0.0.0.0/0", "::1", "2001:db8::/32"] {
            assert!(is_network(good), "{good}");
        }
        for bad in
            ["", "10.0.0.0/33", "10.0.0/8", "example.com", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.1 10.0.0.2"]
        {
            assert!(!is_network(bad), "{bad}");
        }
    }
}
