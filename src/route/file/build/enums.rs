//! Pure. `enum:` to a lookup and the redirect that is made of what it finds.

use super::{Builder, codes};
use crate::{
    dns::{Apex, EnumPlan, Results},
    limits::{LOOKUP_MS_DEFAULT, LOOKUP_MS_MAX},
    route::{
        Answer, Body, EnumRoute,
        file::{marks::At, near::instead, written::EnumWritten},
    },
};

use super::answers::EMPTY_CODE;

/// ENUM services whose URIs can be Contacts (RFC 3764, 4415, 4769).
const ENUM_SERVICES: [&str; 6] = ["sip", "sips", "pstn:sip", "pstn:tel", "voice:tel", "tel"];

impl Builder<'_> {
    pub(super) fn enum_route(&mut self, at: At<'_>, written: &EnumWritten) -> Option<EnumRoute> {
        let apexes = written.apexes.as_slice().iter().enumerate();
        let apexes: Vec<Box<str>> = apexes
            .filter_map(|(index, apex)| {
                self.findings.ok(&at.key("apexes").item(index).place(), domain(&apex.0))
            })
            .collect();
        let services = match &written.services {
            None => vec!["sip".into()],
            Some(services) => {
                let services = services.as_slice().iter().enumerate();
                services
                    .filter_map(|(index, service)| {
                        let place = at.key("services").item(index).place();
                        self.findings.ok(&place, enum_service(&service.0))
                    })
                    .collect()
            }
        };
        let within_ms = match &written.within {
            None => LOOKUP_MS_DEFAULT,
            Some(within) => {
                let read = milliseconds(&within.0);
                self.findings.ok(&at.key("within").place(), read).unwrap_or(LOOKUP_MS_DEFAULT)
            }
        };
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
        };
        let apex =
            |name| Apex { name, upstream: None, services: services.clone(), within_ms: None, branch: None };
        let apexes = apexes.into_iter().map(apex).collect();
        Some(EnumRoute {
            plan: EnumPlan { apexes, parallel: false, within_ms, results: Results::Uris },
            answer,
            not_found: self.next_or_code(at.key("not_found"), written.not_found.as_ref(), None),
            failed: self.next_or_code(at.key("failed"), written.failed.as_ref(), None),
        })
    }
}

/// A domain in lower case with its final dot.
fn domain(text: &str) -> Result<Box<str>, String> {
    /// With the digits of the longest number and their dots before it, a name may have 253 bytes.
    const BYTES_MAX: usize = 253 - 2 * 15;
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > BYTES_MAX || !name.split('.').all(label) {
        return Err(format!("`{text}` is not a domain; expected one such as e164.arpa or e164.example.net"));
    }
    Ok(format!("{}.", name.to_ascii_lowercase()).into())
}

fn enum_service(text: &str) -> Result<Box<str>, String> {
    let lower = text.to_ascii_lowercase();
    let service = lower.strip_prefix("e2u+").unwrap_or(&lower);
    if ENUM_SERVICES.contains(&service) {
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
