//! Pure. `health:` of gateways and `when_all_down:` of answers.

use std::sync::Arc;

use super::{Builder, DraftFile, codes};
use crate::{
    limits::GATEWAYS_PROBED_MAX,
    route::{
        AliveCodes, Answer, Health, Template, UriTemplate, WhenAllDown,
        file::{
            marks::At,
            scalar::Text,
            written::{
                HealthSettings, HealthWritten, RetryLaterWritten, WhenAllDownWord, WhenAllDownWritten,
            },
        },
    },
    sip::{Scheme, Uri},
};

/// Where nothing is said: a gateway that dies is out after half a minute, and one lost packet changes nothing.
const INTERVAL_S: u32 = 20;
const TIMEOUT_MS: u32 = 2_000;
const IN_A_ROW: u32 = 2;
const JITTER_MILLI: u16 = 100;

/// What holds for gateways that say nothing.
pub(super) struct Defaults(HealthSettings);

impl Defaults {
    /// The one of all files; that it is one is checked with the other defaults.
    pub(super) fn of(files: &[DraftFile]) -> Self {
        let written = files.iter().find_map(|file| file.written.defaults.as_ref()?.health.as_ref());
        Self(written.map(settings).unwrap_or_default())
    }
}

fn settings(written: &HealthWritten) -> HealthSettings {
    match written {
        HealthWritten::Switch(probe) => HealthSettings { probe: Some(*probe), ..HealthSettings::default() },
        HealthWritten::Settings(settings) => (**settings).clone(),
    }
}

impl Builder<'_> {
    /// What is wrong in `defaults:` is told there, and not once for each gateway.
    pub(super) fn check_health_defaults(&mut self, at: At<'_>, written: Option<&HealthWritten>) {
        let Some(written) = written else { return };
        let before = self.findings.count();
        let written = settings(written);
        self.probe(at, &written, &HealthSettings::default(), "sip:a.example");
        if self.findings.count() > before {
            self.health = Defaults(HealthSettings { probe: written.probe, ..HealthSettings::default() });
        }
    }

    /// How a gateway is probed. `uri_at` is where its URI stands.
    pub(super) fn health(
        &mut self,
        uri_at: At<'_>,
        at: At<'_>,
        uri: &str,
        template: &UriTemplate,
        written: Option<&HealthWritten>,
    ) -> Option<Box<Health>> {
        let own = written.map(settings).unwrap_or_default();
        if !own.probe.or(self.health.0.probe).unwrap_or(false) {
            if written.is_some() && own.probe.is_none() {
                let message =
                    "`health` says how to probe, but not to do so; add `probe: true` here or in `defaults`";
                self.findings.warning(&at.place(), message);
            }
            return None;
        }
        let has_host = matches!(template.scheme(), Some(Scheme::Sip | Scheme::Sips));
        if !has_host || template.values().next().is_some() {
            // One that is probed because all are is simply none of those that can be.
            if own.probe == Some(true) {
                let message = format!(
                    "`{uri}` cannot be probed: it names no host, or another one for each call; take `health` out"
                );
                self.error(uri_at, message);
            }
            return None;
        }
        self.probed = self.probed.saturating_add(1);
        if self.probed == GATEWAYS_PROBED_MAX + 1 {
            let message = format!(
                "more than {GATEWAYS_PROBED_MAX} gateways are probed; give the others `health: false`"
            );
            self.error(at, message);
        }
        let defaults = self.health.0.clone();
        self.probe(at, &own, &defaults, uri).map(Box::new)
    }

    fn probe(
        &mut self,
        at: At<'_>,
        own: &HealthSettings,
        defaults: &HealthSettings,
        uri: &str,
    ) -> Option<Health> {
        let interval_s = own.interval_s.or(defaults.interval_s).unwrap_or(INTERVAL_S);
        let timeout_ms =
            own.timeout_ms.or(defaults.timeout_ms).unwrap_or_else(|| TIMEOUT_MS.min(interval_s * 1000));
        if u64::from(timeout_ms) > u64::from(interval_s) * 1000 {
            let message = format!(
                "an answer is waited for {timeout_ms} ms, and the next probe leaves after {interval_s} s; make `timeout_ms` smaller or `interval_s` greater"
            );
            self.error(at.key(if own.timeout_ms.is_some() { "timeout_ms" } else { "interval_s" }), message);
        }
        let jitter_milli = match own.jitter.or(defaults.jitter) {
            None => JITTER_MILLI,
            Some(jitter) => self.thousandths(at.key("jitter"), jitter).unwrap_or(JITTER_MILLI),
        };
        let alive = match own.alive.as_ref().or(defaults.alive.as_ref()) {
            None => AliveCodes::default(),
            Some(codes) => {
                let codes = AliveCodes::parse(codes.as_slice().iter().map(|code| code.0.as_str()));
                self.findings.ok(&at.key("alive").place(), codes)?
            }
        };
        let from = own.from.as_ref().or(defaults.from.as_ref());
        let from = from.map(|from| self.uri_of_from(at.key("from"), &from.0));
        let user = own.user.as_ref().or(defaults.user.as_ref());
        let uri = self.request_uri(at.key("user"), uri, user)?;
        Some(Health {
            uri,
            from: from.flatten(),
            interval_ms: u64::from(interval_s) * 1000,
            jitter_milli,
            timeout_ms: timeout_ms.into(),
            failures: own.failures.or(defaults.failures).unwrap_or(IN_A_ROW),
            successes: own.successes.or(defaults.successes).unwrap_or(IN_A_ROW),
            alive,
        })
    }

    fn uri_of_from(&mut self, at: At<'_>, text: &str) -> Option<Box<str>> {
        let uri = Uri::parse(text.as_bytes());
        // RFC 3261 §19.1.1: a URI in From has neither headers nor parameters of a transport.
        let fits = uri.is_some_and(|uri| {
            matches!(uri.scheme, Scheme::Sip | Scheme::Sips)
                && uri.params.is_empty()
                && uri.headers.is_empty()
        });
        if !fits {
            let message =
                format!("`{text}` cannot stand in From; expected one such as sip:waypost@example.net");
            self.error(at, message);
        }
        fits.then(|| text.into())
    }

    /// The gateway's URI with another user part or none, and without headers (RFC 3261 §19.1.1: none in a
    /// Request-URI).
    fn request_uri(&mut self, at: At<'_>, text: &str, user: Option<&Text>) -> Option<Box<str>> {
        let (scheme, rest) = text.split_once(':')?;
        let host_on = rest.rsplit_once('@').map_or(rest, |(_, host_on)| host_on);
        let host_on = host_on.split('?').next().unwrap_or(host_on);
        let user = user.map(|user| format!("{}@", user.0)).unwrap_or_default();
        let uri = format!("{scheme}:{user}{host_on}");
        let is_legal = Uri::parse(uri.as_bytes()).is_some_and(|uri| uri.user.is_some() != user.is_empty());
        if !is_legal {
            let message =
                format!("`{uri}` would be no legal URI; expected `user` to be a user part, such as ping");
            self.error(at, message);
        }
        is_legal.then(|| uri.into())
    }

    pub(super) fn when_all_down(&mut self, at: At<'_>, written: &WhenAllDownWritten) -> WhenAllDown {
        match written {
            WhenAllDownWritten::Word(WhenAllDownWord::UseAll) => WhenAllDown::UseAll,
            WhenAllDownWritten::Word(WhenAllDownWord::Next) => WhenAllDown::Next,
            WhenAllDownWritten::Code(code) => {
                let code = self.findings.ok(&at.place(), codes::refusal(*code));
                code.map_or(WhenAllDown::UseAll, |code| self.refusal(code, Vec::new()))
            }
            WhenAllDownWritten::Refusal(written) => self.retry_later(at, written),
        }
    }

    fn retry_later(&mut self, at: At<'_>, written: &RetryLaterWritten) -> WhenAllDown {
        let RetryLaterWritten { code, retry_after_s } = *written;
        let Some(code) = self.findings.ok(&at.key("code").place(), codes::refusal(code)) else {
            return WhenAllDown::UseAll;
        };
        match code {
            404 | 480 | 486 | 600 | 603 => {}
            // RFC 3261 §21.5.4: a client then leaves the whole server alone for that time.
            503 => self.findings.warning(
                &at.key("retry_after_s").place(),
                "Retry-After on a 503 makes clients send this server nothing at all for that time, whoever they call; \
                 that is right where every call goes to these gateways, otherwise take 480",
            ),
            _ => {
                // RFC 3261 §20.33.
                let message = format!("Retry-After does not go with {code}; expected 404, 480, 486, 503, 600 or 603");
                self.error(at.key("code"), message);
            }
        }
        let value = self.template(at, &retry_after_s.to_string());
        let header = value.map(|value: Template| (Box::from("Retry-After"), value));
        self.refusal(code, header.into_iter().collect())
    }

    fn refusal(&self, code: u16, headers: Vec<(Box<str>, Template)>) -> WhenAllDown {
        WhenAllDown::Refuse(Arc::new(Answer { code, headers, ..Answer::refusal(&self.table) }))
    }
}
