//! Pure. `dns:` keys about the addresses that DNS gives: which may be used, which come first.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{
    meaning::{Faults, one_of},
    written::WrittenDns,
};
use crate::{
    dns::{Family, Policy},
    limits::DNS_RANGES_MAX,
};

/// What is written, or the default where it is wrong or nothing is.
pub(super) fn policy(written: &WrittenDns, faults: &mut Faults<'_>) -> Policy {
    let mut policy = Policy::default();
    if let Some(addresses) = &written.addresses {
        policy.addresses = families(addresses, faults);
    }
    if let Some(deny) = &written.deny_answers {
        policy.deny = ranges("dns.deny_answers", deny, DNS_RANGES_MAX, faults);
    }
    if let Some(allow) = &written.allow_answers {
        policy.allow = ranges("dns.allow_answers", allow, DNS_RANGES_MAX, faults);
        if written.deny_answers.is_none() {
            faults.note(
                "dns.allow_answers",
                "nothing is denied, so this has no effect; it makes exceptions from deny_answers",
            );
        }
    }
    policy
}

fn families(written: &[String], faults: &mut Faults<'_>) -> Vec<Family> {
    let known = [("ipv4", Family::Ipv4), ("ipv6", Family::Ipv6)];
    let mut families = Vec::new();
    if written.is_empty() {
        faults.note("dns.addresses", "an empty list, expected ipv4, ipv6 or both, the preferred one first");
    }
    for (index, text) in written.iter().enumerate() {
        let path = format!("dns.addresses[{index}]");
        let Some(family) = faults.take(&path, one_of(text, &known)) else { continue };
        if families.contains(&family) {
            faults.note(&path, format!("\"{text}\" is listed twice; remove one"));
            break;
        }
        families.push(family);
    }
    families
}

pub(super) fn ranges(key: &str, written: &[String], max: usize, faults: &mut Faults<'_>) -> Vec<IpNet> {
    let mut ranges = Vec::new();
    if !faults.fits(key, written.len(), max) {
        return ranges;
    }
    for (index, text) in written.iter().enumerate() {
        ranges.extend(faults.take(&format!("{key}[{index}]"), range(text)));
    }
    ranges
}

/// `10.0.0.0/8`, or an address alone.
fn range(text: &str) -> Result<IpNet, String> {
    let range = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    range.ok_or_else(|| {
        format!("found \"{text}\", expected a range of addresses such as \"10.0.0.0/8\" or \"fc00::/7\"")
    })
}
