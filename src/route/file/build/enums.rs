//! Pure. `enum:` to a lookup and the redirect that is made of what it finds.

use std::{net::SocketAddr, sync::Arc};

use super::{Builder, codes};
use crate::{
    dns::{Apex, Branch, EnumPlan, OwnLives, Results, Upstream, server_address},
    limits::{DNS_SERVERS_MAX, ENUM_APEXES_MAX, LOOKUP_MS_DEFAULT, LOOKUP_MS_MAX},
    route::{
        Answer, Body, EnumRoute, Failed, NotFound, WhenAllDown,
        file::{
            marks::At,
            near::instead,
            scalar::{OneOrMany, Text},
            written::{
                ApexSettings, ApexWritten, BranchWritten, EnumWritten, FailedWritten, NextOrCode,
                NotFoundWritten,
            },
        },
    },
};

use super::answers::EMPTY_CODE;

/// ENUM services whose URIs can be Contacts (RFC 3764, 4415, 4769).
const ENUM_SERVICES: [&str; 6] = ["sip", "sips", "pstn:sip", "pstn:tel", "voice:tel", "tel"];

impl Builder<'_> {
    pub(super) fn enum_route(&mut self, at: At<'_>, written: &EnumWritten) -> Option<EnumRoute> {
        let attributes =
            written.attributes.as_ref().map(|names| self.attributes(at.key("attributes"), names));
        let results = if attributes.is_some() { Results::Any } else { Results::Uris };
        let services = match &written.services {
            None => vec!["sip".into()],
            Some(services) => self.services(at.key("services"), services, results),
        };
        let apexes = self.apexes(at.key("apexes"), written.apexes.as_slice(), &services, results);
        let within_ms = self.within(at.key("within"), written.within.as_ref()).unwrap_or(LOOKUP_MS_DEFAULT);
        let code = written.code.unwrap_or(self.table.defaults.code);
        self.findings.ok(&at.key("code").place(), codes::redirect(code));
        let answer = Answer {
            code,
            reason: self.reason(at, written.reason.as_ref()),
            targets: Vec::new(),
            contacts_max: self.contacts_max(at, written.contacts_max),
            answer_bytes_max: self.answer_bytes_max(written.answer_bytes_max),
            expires_s: written.expires,
            headers: self.headers(at.key("headers"), code, &written.headers.0),
            body: Body::None,
            empty: self.next_or_code(at.key("empty"), written.empty.as_ref(), Some(EMPTY_CODE)),
            within_ms,
            when_all_down: WhenAllDown::UseAll,
        };
        Some(EnumRoute {
            plan: EnumPlan { apexes, parallel: written.parallel, within_ms, results },
            answer,
            attributes,
            despite_di: written.despite_di,
            not_found: self.not_found(at.key("not_found"), written.not_found.as_ref()),
            failed: self.failed(at.key("failed"), written.failed.as_ref()),
        })
    }

    fn apexes(
        &mut self,
        at: At<'_>,
        written: &[ApexWritten],
        services: &[Box<str>],
        results: Results,
    ) -> Vec<Apex> {
        if written.len() > ENUM_APEXES_MAX {
            let message = format!("{} apexes; expected at most {ENUM_APEXES_MAX}", written.len());
            self.error(at.item(ENUM_APEXES_MAX), message);
        }
        let apexes = written.iter().enumerate().take(ENUM_APEXES_MAX);
        apexes.filter_map(|(index, apex)| self.apex(at.item(index), apex, services, results)).collect()
    }

    fn apex(
        &mut self,
        at: At<'_>,
        written: &ApexWritten,
        services: &[Box<str>],
        results: Results,
    ) -> Option<Apex> {
        let settings = match written {
            ApexWritten::Name(name) => {
                let name = self.findings.ok(&at.place(), domain(&name.0))?;
                let services = services.to_vec();
                return Some(Apex {
                    upstream: upstream(&name, &[], OwnLives::default()),
                    name,
                    services,
                    within_ms: None,
                    branch: None,
                });
            }
            ApexWritten::Settings(settings) => settings,
        };
        let name = self.findings.ok(&at.key("apex").place(), domain(&settings.apex.0));
        let servers = self.servers(at.key("servers"), settings.servers.as_ref());
        let lives = self.lives(at, settings);
        let services = match &settings.services {
            None => services.to_vec(),
            Some(services) => self.services(at.key("services"), services, results),
        };
        let within_ms = self.within(at.key("within"), settings.within.as_ref());
        let branch = settings.branch.as_ref().and_then(|branch| self.branch(at.key("branch"), branch));
        let name = name?;
        if branch.as_ref().is_some_and(|branch| name.len() + branch.label.len() > APEX_BYTES_MAX) {
            self.error(
                at.key("branch"),
                "with this label the name of a long number would be too long for DNS",
            );
        }
        Some(Apex { upstream: upstream(&name, &servers, lives), name, services, within_ms, branch })
    }

    fn servers(&mut self, at: At<'_>, written: Option<&OneOrMany<Text>>) -> Vec<SocketAddr> {
        let written = written.map_or(&[][..], OneOrMany::as_slice);
        if written.len() > DNS_SERVERS_MAX {
            let message = format!("{} servers; expected at most {DNS_SERVERS_MAX}", written.len());
            self.error(at.item(DNS_SERVERS_MAX), message);
        }
        let servers = written.iter().enumerate().take(DNS_SERVERS_MAX);
        servers
            .filter_map(|(index, server)| self.findings.ok(&at.item(index).place(), server_named(&server.0)))
            .collect()
    }

    fn lives(&mut self, at: At<'_>, written: &ApexSettings) -> OwnLives {
        let ApexSettings { ttl_s_min, ttl_s_max, negative_s_max, stale_s, .. } = *written;
        if let (Some(least), Some(most)) = (ttl_s_min, ttl_s_max)
            && least > most
        {
            let message =
                format!("`ttl_s_min` is {least} and `ttl_s_max` {most}; the least is more than the most");
            self.error(at.key("ttl_s_min"), message);
        }
        OwnLives { ttl_s_min, ttl_s_max, negative_s_max, stale_s }
    }

    fn branch(&mut self, at: At<'_>, written: &BranchWritten) -> Option<Branch> {
        let label = self.findings.ok(&at.key("label").place(), label(&written.label.0))?;
        Some(Branch { label, after_digits: written.after })
    }

    fn services(&mut self, at: At<'_>, written: &OneOrMany<Text>, results: Results) -> Vec<Box<str>> {
        let services = written.as_slice().iter().enumerate();
        services
            .filter_map(|(index, service)| {
                self.findings.ok(&at.item(index).place(), enum_service(&service.0, results))
            })
            .collect()
    }

    fn attributes(&mut self, at: At<'_>, written: &OneOrMany<Text>) -> Vec<Box<str>> {
        let names = written.as_slice().iter().enumerate();
        names
            .filter_map(|(index, name)| {
                let at = at.item(index);
                self.set_var(at, &name.0).then(|| name.0.as_str().into())
            })
            .collect()
    }

    fn within(&mut self, at: At<'_>, written: Option<&Text>) -> Option<u64> {
        written.and_then(|within| self.findings.ok(&at.place(), milliseconds(&within.0)))
    }

    fn not_found(&mut self, at: At<'_>, written: Option<&NotFoundWritten>) -> NotFound {
        match written {
            None => NotFound::default(),
            Some(NotFoundWritten::All(all)) => {
                let all = self.next_or_code(at, Some(all), None);
                NotFound { nxdomain: all, nodata: all, unusable: all, not_asked: all }
            }
            Some(NotFoundWritten::Each(each)) => NotFound {
                nxdomain: self.one_reason(at, "nxdomain", each.nxdomain.as_ref()),
                nodata: self.one_reason(at, "nodata", each.nodata.as_ref()),
                unusable: self.one_reason(at, "unusable", each.unusable.as_ref()),
                not_asked: self.one_reason(at, "not_asked", each.not_asked.as_ref()),
            },
        }
    }

    fn failed(&mut self, at: At<'_>, written: Option<&FailedWritten>) -> Failed {
        match written {
            None => Failed::default(),
            Some(FailedWritten::All(all)) => {
                let all = self.next_or_code(at, Some(all), None);
                Failed { timeout: all, refused: all, servfail: all, lame: all, malformed: all, overflow: all }
            }
            Some(FailedWritten::Each(each)) => Failed {
                timeout: self.one_reason(at, "timeout", each.timeout.as_ref()),
                refused: self.one_reason(at, "refused", each.refused.as_ref()),
                servfail: self.one_reason(at, "servfail", each.servfail.as_ref()),
                lame: self.one_reason(at, "lame", each.lame.as_ref()),
                malformed: self.one_reason(at, "malformed", each.malformed.as_ref()),
                overflow: self.one_reason(at, "overflow", each.overflow.as_ref()),
            },
        }
    }

    fn one_reason(&mut self, at: At<'_>, reason: &str, written: Option<&NextOrCode>) -> Option<u16> {
        self.next_or_code(at.key(reason), written, None)
    }
}

/// Servers and lives of an apex. Its name goes with them, for the metrics.
fn upstream(name: &str, servers: &[SocketAddr], lives: OwnLives) -> Option<Arc<Upstream>> {
    Some(Arc::new(Upstream::new(name.trim_end_matches('.'), servers, lives)))
}

/// `ADDRESS` or `ADDRESS:PORT`.
fn server_named(text: &str) -> Result<SocketAddr, String> {
    server_address(text).ok_or_else(|| {
        format!("`{text}` is not a DNS server; expected an IP address, with a port if it is not 53, such as 192.0.2.53 or [2001:db8::53]:5353")
    })
}

/// A label of a domain, in lower case.
fn label(text: &str) -> Result<Box<str>, String> {
    let name = domain(text).ok().filter(|_| !text.contains('.'));
    name.map(|name| name.trim_end_matches('.').into())
        .ok_or_else(|| format!("`{text}` is not one label of a domain; expected one such as i"))
}

/// With the digits of the longest number and their dots before it, a name may have 253 bytes.
const APEX_BYTES_MAX: usize = 253 - 2 * 15;

/// A domain in lower case with its final dot.
fn domain(text: &str) -> Result<Box<str>, String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > APEX_BYTES_MAX || !name.split('.').all(label) {
        return Err(format!("`{text}` is not a domain; expected one such as e164.arpa or e164.example.net"));
    }
    Ok(format!("{}.", name.to_ascii_lowercase()).into())
}

fn enum_service(text: &str, results: Results) -> Result<Box<str>, String> {
    let lower = text.to_ascii_lowercase();
    let service = lower.strip_prefix("e2u+").unwrap_or(&lower);
    // RFC 6116 §3.4.3: type and subtypes are of letters, digits and hyphens.
    let is_service = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':');
    let is_any = results == Results::Any && !service.is_empty() && service.bytes().all(is_service);
    if is_any || ENUM_SERVICES.contains(&service) {
        return Ok(service.into());
    }
    let rest = instead(service, || ENUM_SERVICES.into_iter(), "expected one of");
    Err(format!("`{text}` is not an ENUM service that leads to a call{rest}"))
}

/// `400ms` or `0.4s`.
pub(super) fn milliseconds(text: &str) -> Result<u64, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let milliseconds = if let Some(number_text) = text.strip_suffix("ms") {
        number(number_text)
    } else {
        text.strip_suffix('s').and_then(number).map(|seconds| seconds * 1000.0)
    };
    let within =
        (1..=LOOKUP_MS_MAX).find(|&ms| milliseconds.is_some_and(|wanted| (wanted - ms as f64).abs() < 1e-6));
    within.ok_or_else(|| {
        // RFC 3261 §17.1.1.1: after T1 the caller sends the request again.
        format!(
            "`{text}` is not a time that lookups may take; expected a number with its unit, from 1ms to \
             {LOOKUP_MS_MAX}ms, such as 400ms"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookup_times_have_a_unit_and_end_at_t1() {
        for (text, ms) in [("400ms", 400), ("1ms", 1), ("500ms", 500), ("0.5s", 500), ("0.25 s", 250)] {
            assert_eq!(milliseconds(text), Ok(ms), "{text}");
        }
        for text in ["400", "0ms", "501ms", "1s", "0.5ms", "ms", "s", "-1ms", "infs", "4 hours"] {
            assert!(milliseconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn domains_leave_room_for_a_number() {
        assert_eq!(domain("E164.Arpa").as_deref(), Ok("e164.arpa."));
        assert_eq!(domain("e164.arpa.").as_deref(), Ok("e164.arpa."));
        let long = |bytes: usize| format!("{}a", "a.".repeat(bytes / 2));
        assert!(domain(&long(222)).is_ok());
        assert!(domain(&long(224)).is_err());
        for text in ["", ".", "a..b", "-a", "a b", "{number}", &"a".repeat(64)] {
            assert!(domain(text).is_err(), "{text}");
        }
    }
}
