//! Pure. `when:` to conditions, in the order in which they are tried: what is cheap comes first.

use super::{Builder, settings::is_token};
use crate::{
    access::network,
    route::{
        Calendar, CertificatePattern, Condition, MethodPattern, NumberPattern, Party, Template, TextPattern,
        Transport, ValueTest,
        file::{
            marks::At,
            near::did_you_mean,
            scalar::{OneOrMany, Text},
            when::{
                PartyWritten, SchemeWritten, TimeWritten, TransportWritten, ValueTestWritten, WhenWritten,
            },
            written::LookupWritten,
        },
    },
    sip::{Method, Scheme},
};

type Patterns = Option<OneOrMany<Text>>;

impl Builder<'_> {
    pub(super) fn conditions(&mut self, at: At<'_>, written: &WhenWritten) -> Vec<Condition> {
        let mut all = Vec::new();
        self.packet_conditions(at, written, &mut all);
        self.request_uri_conditions(at, written, &mut all);
        for (key, party, written) in
            [("from", Party::From, &written.from), ("pai", Party::PAssertedIdentity, &written.pai)]
        {
            if let Some(written) = written {
                self.party_conditions(at.key(key), party, written, &mut all);
            }
        }
        let headers = at.key("header");
        for (index, (name, test)) in written.header.0.iter().enumerate() {
            let (key, value) = headers.entry(index);
            if !is_token(name) {
                self.error(key, format!("`{name}` is not the name of a header"));
            }
            all.push(Condition::Header(name.as_str().into(), self.value_test(value, test)));
        }
        if let Some(time) = &written.time {
            all.extend(self.calendar(at.key("time"), time).map(Condition::Time));
        }
        if let Some(lookups) = &written.in_table {
            all.extend(self.lookups(at.key("in"), lookups));
        }
        self.value_conditions(at.key("var"), written, &mut all);
        self.nested_conditions(at, written, &mut all);
        all
    }

    fn packet_conditions(&mut self, at: At<'_>, written: &WhenWritten, all: &mut Vec<Condition>) {
        if let Some(sources) = &written.source {
            let networks = self.each(at.key("source"), sources, |text| network(&text.0));
            all.push(Condition::Source(networks));
        }
        if let Some(lists) = &written.access {
            let names = self.names;
            let ids = self.each(at.key("access"), lists, |text| names.access_list(&text.0));
            all.push(Condition::Access(ids));
        }
        if let Some(patterns) = &written.username {
            let patterns = self.each(at.key("username"), patterns, |text| TextPattern::parse(&text.0, false));
            all.push(Condition::Username(patterns));
        }
        if let Some(patterns) = &written.certificate {
            let patterns =
                self.each(at.key("certificate"), patterns, |text| CertificatePattern::parse(&text.0));
            all.push(Condition::Certificate(patterns));
        }
        if let Some(listeners) = &written.listener {
            let names = self.each(at.key("listener"), listeners, |text| match text.0.as_str() {
                "" => Err("an empty name; expected that of a listener".to_owned()),
                name => Ok(name.into()),
            });
            all.push(Condition::Listener(names));
        }
        if let Some(transports) = &written.transport {
            let transports = transports.as_slice().iter().map(|transport| match transport {
                TransportWritten::Udp => Transport::Udp,
                TransportWritten::Tcp => Transport::Tcp,
                TransportWritten::Tls => Transport::Tls,
            });
            all.push(Condition::Transport(transports.collect()));
        }
        if let Some(methods) = &written.method {
            all.push(Condition::Method(self.each(at.key("method"), methods, |text| method(&text.0))));
        }
    }

    fn request_uri_conditions(&mut self, at: At<'_>, written: &WhenWritten, all: &mut Vec<Condition>) {
        let WhenWritten { scheme, number, routing, user, host, params, .. } = written;
        if let Some(schemes) = scheme {
            let schemes = schemes.as_slice().iter().map(|scheme| match scheme {
                SchemeWritten::Sip => Scheme::Sip,
                SchemeWritten::Sips => Scheme::Sips,
                SchemeWritten::Tel => Scheme::Tel,
            });
            all.push(Condition::Scheme(schemes.collect()));
        }
        self.address_conditions(at, Party::RequestUri, [number, user, host], all);
        if let Some(patterns) = routing {
            let patterns = self.each(at.key("routing"), patterns, |text| NumberPattern::parse(&text.0));
            all.push(Condition::Routing(patterns));
        }
        let params_at = at.key("params");
        for (index, (name, test)) in params.0.iter().enumerate() {
            let (key, value) = params_at.entry(index);
            if !is_token(name) {
                self.error(key, format!("`{name}` is not the name of a parameter"));
            }
            let name = name.to_ascii_lowercase().into();
            all.push(Condition::Param(name, self.value_test(value, test)));
        }
    }

    fn party_conditions(
        &mut self,
        at: At<'_>,
        party: Party,
        written: &PartyWritten,
        all: &mut Vec<Condition>,
    ) {
        let PartyWritten { number, user, host } = written;
        if number.is_none() && user.is_none() && host.is_none() {
            self.error(at, "no condition in it; expected `number`, `user` or `host`");
        }
        self.address_conditions(at, party, [number, user, host], all);
    }

    fn address_conditions(
        &mut self,
        at: At<'_>,
        party: Party,
        [number, user, host]: [&Patterns; 3],
        all: &mut Vec<Condition>,
    ) {
        if let Some(patterns) = host {
            let patterns = self.each(at.key("host"), patterns, |text| host_pattern(&text.0));
            all.push(Condition::Host(party, patterns));
        }
        if let Some(patterns) = number {
            let patterns = self.each(at.key("number"), patterns, |text| NumberPattern::parse(&text.0));
            all.push(Condition::Number(party, patterns));
        }
        if let Some(patterns) = user {
            // RFC 3261 §19.1.4: the user part is compared in its case.
            let patterns = self.each(at.key("user"), patterns, |text| TextPattern::parse(&text.0, false));
            all.push(Condition::User(party, patterns));
        }
    }

    fn value_conditions(&mut self, at: At<'_>, written: &WhenWritten, all: &mut Vec<Condition>) {
        for (index, (name, patterns)) in written.var.0.iter().enumerate() {
            let (key, value) = at.entry(index);
            if name.contains(['{', '}']) {
                self.error(key, format!("`{name}` has braces; write the name alone, such as ported.rn"));
                continue;
            }
            let template = self.template(key, &format!("{{{name}}}"));
            let patterns = self.each(value, patterns, |text| TextPattern::parse(&text.0, true));
            all.extend(template.map(|template| Condition::Value(template, patterns)));
        }
    }

    fn nested_conditions(&mut self, at: At<'_>, written: &WhenWritten, all: &mut Vec<Condition>) {
        if let Some(inner) = &written.not {
            let before = self.findings.count();
            let conditions = self.conditions(at.key("not"), inner);
            if conditions.is_empty() && self.findings.count() == before {
                self.error(at.key("not"), "`not` of nothing never holds; name a condition in it");
            }
            all.push(Condition::Not(conditions));
        }
        if let Some(choices) = &written.any {
            let choices = choices.iter().enumerate().map(|(index, inner)| {
                let at = at.key("any").item(index);
                let before = self.findings.count();
                let conditions = self.conditions(at, inner);
                if conditions.is_empty() && self.findings.count() == before {
                    self.error(
                        at,
                        "an empty choice always holds, and then so does `any`; name a condition in it",
                    );
                }
                conditions
            });
            all.push(Condition::Any(choices.collect()));
        }
        for (index, inner) in written.all.iter().flatten().enumerate() {
            let at = at.key("all").item(index);
            all.extend(self.conditions(at, inner));
        }
    }

    fn lookups(&mut self, at: At<'_>, written: &OneOrMany<LookupWritten>) -> Option<Condition> {
        let mut found: Vec<_> = written
            .as_slice()
            .iter()
            .enumerate()
            .filter_map(|(index, lookup)| {
                let (table, key) = self.lookup(at.item(index), lookup)?;
                if let Some(looked_up) = self.tables_looked_up.get_mut(table) {
                    *looked_up = true;
                }
                Some(Condition::In(table, key))
            })
            .collect();
        match found.len() {
            0 | 1 => found.pop(),
            _ => Some(Condition::Any(found.into_iter().map(|condition| vec![condition]).collect())),
        }
    }

    /// A table and the key to look up in it.
    pub(super) fn lookup(&mut self, at: At<'_>, written: &LookupWritten) -> Option<(usize, Template)> {
        let (name, key) = match written {
            LookupWritten::Table(name) => (name, None),
            LookupWritten::Settings(settings) => (&settings.table, settings.key.as_ref()),
        };
        let name_at = if at.text().is_some() { at } else { at.key("table") };
        self.table_and_key(at, name_at, name, key)
    }

    /// A table by its name, and the key: `{number}` unless given.
    pub(super) fn table_and_key(
        &mut self,
        at: At<'_>,
        name_at: At<'_>,
        name: &Text,
        key: Option<&Text>,
    ) -> Option<(usize, Template)> {
        let table = self.names.tables.find_or_say("table", "tables", &name.0);
        let table = self.findings.ok(&name_at.place(), table);
        let (key_at, key) = key.map_or((at, "{number}"), |key| (at.key("key"), key.0.as_str()));
        let key = self.template(key_at, key);
        table.zip(key)
    }

    fn value_test(&mut self, at: At<'_>, written: &ValueTestWritten) -> ValueTest {
        match written {
            ValueTestWritten::There(true) => ValueTest::Present,
            ValueTestWritten::There(false) => ValueTest::Absent,
            ValueTestWritten::Is(patterns) => {
                ValueTest::Is(self.each(at, patterns, |text| TextPattern::parse(&text.0, true)))
            }
        }
    }

    fn calendar(&mut self, at: At<'_>, written: &TimeWritten) -> Option<Calendar> {
        let zone_at = at.key("zone").place();
        let mut calendar = match Calendar::new(&written.zone.0) {
            Ok(calendar) => calendar,
            Err(message) => {
                let zones: Vec<String> = match self.findings.is_full() {
                    true => Vec::new(),
                    false => Calendar::zones().collect(),
                };
                let hint = did_you_mean(&written.zone.0, zones.iter().map(String::as_str));
                self.findings.error(&zone_at, format!("{message}{hint}"));
                return None;
            }
        };
        let TimeWritten { days, hours, dates, months, .. } = written;
        if days.is_none() && hours.is_none() && dates.is_none() && months.is_none() {
            self.error(at, "every time is meant; expected `days`, `hours`, `dates` or `months`");
        }
        type Add = fn(&mut Calendar, &str) -> Result<(), String>;
        let parts: [(&str, &Patterns, Add); 4] = [
            ("days", days, Calendar::add_days),
            ("hours", hours, Calendar::add_hours),
            ("dates", dates, Calendar::add_dates),
            ("months", months, Calendar::add_months),
        ];
        for (key, texts, add) in parts {
            if let Some(texts) = texts {
                self.each(at.key(key), texts, |text| add(&mut calendar, &text.0));
            }
        }
        Some(calendar)
    }

    /// What `read` makes of each text; errors are noted at their places.
    pub(super) fn each<T>(
        &mut self,
        at: At<'_>,
        texts: &OneOrMany<Text>,
        mut read: impl FnMut(&Text) -> Result<T, String>,
    ) -> Vec<T> {
        let texts = texts.as_slice().iter().enumerate();
        texts.filter_map(|(index, text)| self.findings.ok(&at.item(index).place(), read(text))).collect()
    }
}

fn method(text: &str) -> Result<MethodPattern, String> {
    if !is_token(text) {
        return Err(format!("`{text}` is not a method; expected one such as INVITE"));
    }
    // RFC 3261 §7.1: methods are case-sensitive, and all that are registered are in capitals.
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Err(format!(
            "`{text}` never comes: methods are in capitals; write `{}`",
            text.to_ascii_uppercase()
        ));
    }
    Ok(match Method::from_token(text.as_bytes()) {
        Method::Other => MethodPattern::Other(text.into()),
        known => MethodPattern::Known(known),
    })
}

fn host_pattern(text: &str) -> Result<TextPattern, String> {
    let plain = !text.starts_with('/');
    let ipv6 = text.starts_with('[');
    if plain && (text.contains(['@', '/', ';', ' ']) || text.starts_with("sip:") || text.starts_with("sips:"))
    {
        return Err(format!(
            "`{text}` is more than a host; expected one such as example.net, or *.example.net"
        ));
    }
    if plain && !ipv6 && text.matches(':').count() == 1 {
        return Err(format!("`{text}` has a port, but hosts are compared without; take it out"));
    }
    if plain && !ipv6 && text.contains(':') {
        return Err(format!("`{text}` is an IPv6 address; write it in brackets, as URIs do: \"[{text}]\""));
    }
    TextPattern::parse(text, true)
}
