//! Pure. `answer:` to an answer.

use super::{Builder, codes, contacts::target_keys, settings::is_token};
use crate::{
    limits::{ANSWER_HEADERS_MAX, HEADER_VALUE_BYTES_MAX, REASON_BYTES_MAX},
    route::{
        Answer, Body, Template,
        file::{
            marks::At,
            scalar::Text,
            written::{AnswerSettings, AnswerWritten, NextOrCode, ServiceWritten},
        },
    },
};

/// Status when no Contact is left: 480, for another attempt may find one.
pub(super) const EMPTY_CODE: u16 = 480;

/// Body of an emergency answer, unless the route has its own text.
const EMERGENCY_REASON: &str = "Emergency call: use the emergency service of your access network.";

/// Headers that the server writes, by their long and compact names (RFC 3261 §7.3.3), and those of a
/// body, which it writes too.
const OWN_HEADERS: [&str; 22] = [
    "via",
    "v",
    "from",
    "f",
    "to",
    "t",
    "call-id",
    "i",
    "cseq",
    "contact",
    "m",
    "content-length",
    "l",
    "content-type",
    "c",
    "content-encoding",
    "e",
    "content-disposition",
    "content-language",
    "server",
    "record-route",
    "route",
];

impl Builder<'_> {
    pub(super) fn answer(&mut self, at: At<'_>, written: &AnswerWritten) -> Option<Answer> {
        match written {
            AnswerWritten::Code(code) => {
                let settings = AnswerSettings { code: Some(*code), ..AnswerSettings::default() };
                self.answer_of(at, at, &settings)
            }
            AnswerWritten::Settings(settings) => self.answer_of(at, at.key("code"), settings),
        }
    }

    fn answer_of(&mut self, at: At<'_>, code_at: At<'_>, written: &AnswerSettings) -> Option<Answer> {
        let targets = self.targets(at, written);
        let given = target_keys(written).count();
        if given == 0 && written.code.is_none() {
            self.error(
                at,
                "neither `code` nor `contacts`; expected a status such as 404, or where the call goes",
            );
            return None;
        }
        let code = written.code.unwrap_or(self.table.defaults.code);
        let redirect = codes::is_redirect(code);
        let checked = if redirect { codes::redirect(code) } else { codes::refusal(code) };
        self.findings.ok(&code_at.place(), checked);
        let body = self.body(at, code, written);
        if redirect && given == 0 && matches!(body, Body::None) {
            let message = format!(
                "{code} says where to go, but names no place; add `contacts`, `group`, `lcr` or `locate`, \
                 or refuse with a status such as 404"
            );
            self.error(code_at, message);
        }
        if !redirect {
            self.check_refusal(at, code, written);
        }
        Some(Answer {
            code,
            reason: self.reason(at, written.reason.as_ref()),
            targets,
            contacts_max: self.contacts_max(at, written.contacts_max),
            answer_bytes_max: self.answer_bytes_max(written.answer_bytes_max),
            expires_s: written.expires,
            headers: self.headers(at.key("headers"), code, &written.headers.0),
            body,
            empty: self.next_or_code(at.key("empty"), written.empty.as_ref(), Some(EMPTY_CODE)),
            within_ms: self.lookup_time(at, written),
            when_all_down: match &written.when_all_down {
                Some(all_down) => self.when_all_down(at.key("when_all_down"), all_down),
                None => self.table.defaults.when_all_down.clone(),
            },
        })
    }

    /// A refusal has no Contacts, nor anything that is about them.
    fn check_refusal(&mut self, at: At<'_>, code: u16, written: &AnswerSettings) {
        let about_contacts = [
            ("expires", written.expires.is_some()),
            ("contacts_max", written.contacts_max.is_some()),
            ("answer_bytes_max", written.answer_bytes_max.is_some()),
            ("empty", written.empty.is_some()),
            ("within", written.within.is_some()),
            ("when_all_down", written.when_all_down.is_some()),
        ];
        let keys = about_contacts.into_iter().filter(|(_, given)| *given).map(|(key, _)| key);
        for key in target_keys(written).chain(keys) {
            let message = format!(
                "`{key}` is about Contacts, and the refusal {code} has none; use 302, or take `{key}` out"
            );
            self.error(at.key(key), message);
        }
    }

    fn body(&mut self, at: At<'_>, code: u16, written: &AnswerSettings) -> Body {
        if written.service.is_some() && code != 380 {
            self.error(
                at.key("service"),
                format!("`service` belongs to 380 (RFC 3261 §21.3.5), not to {code}"),
            );
        }
        if written.reason_text.is_some() && written.service.is_none() {
            self.error(
                at.key("reason_text"),
                "`reason_text` is the text of `service: emergency`; add that, or use `reason`",
            );
        }
        let Some(ServiceWritten::Emergency) = written.service else { return Body::None };
        let reason = written.reason_text.as_ref().map_or(EMERGENCY_REASON, |text| &text.0);
        self.check_phrase(at.key("reason_text"), reason);
        Body::Emergency { reason: reason.into() }
    }

    pub(super) fn reason(&mut self, at: At<'_>, written: Option<&Text>) -> Option<Box<str>> {
        let reason = written?;
        self.check_phrase(at.key("reason"), &reason.0);
        Some(reason.0.as_str().into())
    }

    fn check_phrase(&mut self, at: At<'_>, text: &str) {
        if text.trim().is_empty() || text.len() > REASON_BYTES_MAX {
            self.error(at, format!("a text of {} bytes; expected 1 to {REASON_BYTES_MAX}", text.len()));
        }
        if text.contains(|char: char| char.is_control()) {
            self.error(at, "a line break or control character; expected one line of text");
        }
    }

    pub(super) fn contacts_max(&mut self, at: At<'_>, written: Option<u16>) -> usize {
        let Some(contacts_max) = written.map(usize::from) else { return self.table.defaults.contacts_max };
        let on_ladder = self.contacts_on_ladder();
        if contacts_max > on_ladder {
            let message = format!(
                "{contacts_max} Contacts, but the ladder of q values (`defaults: {{ q: … }}`) ends after {on_ladder}"
            );
            self.error(at.key("contacts_max"), message);
        }
        contacts_max
    }

    pub(super) fn answer_bytes_max(&self, written: Option<u32>) -> usize {
        written.map_or(self.table.defaults.answer_bytes_max, |bytes| {
            usize::try_from(bytes).unwrap_or(usize::MAX)
        })
    }

    pub(super) fn next_or_code(
        &mut self,
        at: At<'_>,
        written: Option<&NextOrCode>,
        default: Option<u16>,
    ) -> Option<u16> {
        match written {
            None => default,
            Some(NextOrCode::Next(_)) => None,
            Some(NextOrCode::Code(code)) => self.findings.ok(&at.place(), codes::refusal(*code)),
        }
    }

    pub(super) fn headers(
        &mut self,
        at: At<'_>,
        code: u16,
        written: &[(String, Text)],
    ) -> Vec<(Box<str>, Template)> {
        if written.len() > ANSWER_HEADERS_MAX {
            let message = format!("{} headers; expected at most {ANSWER_HEADERS_MAX}", written.len());
            self.error(at.entry(ANSWER_HEADERS_MAX).0, message);
        }
        let mut headers = Vec::new();
        for (index, (name, value)) in written.iter().enumerate().take(ANSWER_HEADERS_MAX) {
            let (key, value_at) = at.entry(index);
            if let Some(fault) = header_fault(name, code) {
                self.error(key, fault);
                continue;
            }
            let same = |(before, _): &&(String, Text)| before.eq_ignore_ascii_case(name);
            if let Some((before, _)) = written.iter().take(index).find(same) {
                self.error(
                    key,
                    format!("`{name}` is the header `{before}` again; write both values with a comma in one"),
                );
                continue;
            }
            let Some(template) = self.template(value_at, &value.0) else { continue };
            if value.0.trim().is_empty() || value.0.len() > HEADER_VALUE_BYTES_MAX {
                let message =
                    format!("a value of {} bytes; expected 1 to {HEADER_VALUE_BYTES_MAX}", value.0.len());
                self.error(value_at, message);
            }
            headers.push((name.as_str().into(), template));
        }
        headers
    }
}

/// Why a route may not put this header on its answer.
fn header_fault(name: &str, code: u16) -> Option<String> {
    if !is_token(name) {
        return Some(format!("`{name}` is not the name of a header; expected one such as Diversion"));
    }
    let lower = name.to_ascii_lowercase();
    if OWN_HEADERS.contains(&lower.as_str()) {
        return Some(format!("`{name}` is written by the server itself; take it out"));
    }
    if lower == "retry-after" && code == 503 {
        // RFC 3261 §21.5.4: a client then leaves the whole server alone for that time.
        return Some(
            "Retry-After on a 503 makes clients send this server nothing at all for that time, whoever they call; \
             take it out, or refuse with 480"
                .to_owned(),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_headers_are_not_for_routes() {
        for name in ["Via", "v", "CONTACT", "Content-Length", "a b", ""] {
            assert!(header_fault(name, 302).is_some(), "{name}");
        }
        assert!(header_fault("Retry-After", 503).is_some());
        assert!(header_fault("Retry-After", 480).is_none());
        assert!(header_fault("Diversion", 302).is_none());
    }
}
