//! Pure. Where an answer sends the call: its Contacts before they are expanded.

use super::{Builder, enums::milliseconds, names::TargetName};
use crate::{
    limits::{CARRIERS_PER_TABLE_MAX, GROUP_MEMBERS_MAX, LOOKUP_MS_DEFAULT},
    route::{
        AnswerTarget, ContactTemplate, LeastCost, RowTarget, UriTemplate,
        file::{
            marks::At,
            near::listed,
            scalar::Text,
            written::{AnswerSettings, ContactSettings, ContactWritten, LcrSettings, LcrWritten},
        },
        micro_of,
    },
};

impl Builder<'_> {
    pub(super) fn targets(&mut self, at: At<'_>, written: &AnswerSettings) -> Vec<AnswerTarget> {
        let given: Vec<&str> = target_keys(written).collect();
        if let [first, second, ..] = given.as_slice() {
            let message = format!(
                "both `{first}` and `{second}`: which comes first? Put all into `contacts:` in the order wanted, \
                 such as `contacts: [{{ lcr: rates }}, {{ group: london }}]`"
            );
            self.error(at.key(second), message);
        }
        let mut targets = Vec::new();
        if let Some(contact) = &written.contact {
            targets.extend(self.contact(at.key("contact"), contact));
        }
        for (index, contact) in written.contacts.iter().flatten().enumerate() {
            targets.extend(self.contact(at.key("contacts").item(index), contact));
        }
        if let Some(group) = &written.group {
            targets.extend(self.group_target(at.key("group"), group));
        }
        if let Some(lcr) = &written.lcr {
            targets.extend(self.least_cost(at.key("lcr"), lcr));
        }
        if let Some(locate) = &written.locate {
            targets.extend(self.locate(at.key("locate"), locate));
        }
        self.check_q(at.key("contacts"), written);
        self.check_count(at, &targets);
        targets
    }

    /// Time for the lookups of the Contacts, in milliseconds.
    pub(super) fn lookup_time(&mut self, at: At<'_>, written: &AnswerSettings) -> u64 {
        let Some(Text(within)) = &written.within else { return LOOKUP_MS_DEFAULT };
        self.findings.ok(&at.key("within").place(), milliseconds(within)).unwrap_or(LOOKUP_MS_DEFAULT)
    }

    fn contact(&mut self, at: At<'_>, written: &ContactWritten) -> Option<AnswerTarget> {
        match written {
            ContactWritten::Text(Text(text)) if text.contains(':') || text.starts_with('{') => {
                let uri = self.uri_template(at, text)?;
                Some(AnswerTarget::Uri(ContactTemplate::new(uri, None, None)))
            }
            ContactWritten::Text(Text(name)) => {
                Some(match self.findings.ok(&at.place(), self.names.target(name))? {
                    TargetName::Gateway(gateway) => AnswerTarget::Gateway(gateway),
                    TargetName::Group(group) => AnswerTarget::Group(group),
                })
            }
            ContactWritten::Settings(settings) => self.contact_settings(at, settings),
        }
    }

    fn contact_settings(&mut self, at: At<'_>, written: &ContactSettings) -> Option<AnswerTarget> {
        let ContactSettings { uri, q, expires, gateway, group, lcr, locate } = written;
        let kinds = [uri.is_some(), gateway.is_some(), group.is_some(), lcr.is_some(), locate.is_some()];
        if kinds.into_iter().filter(|given| *given).count() != 1 {
            self.error(at, "expected one of `uri`, `gateway`, `group`, `lcr`, `locate`");
            return None;
        }
        for (key, given) in [("q", q.is_some()), ("expires", expires.is_some())] {
            if given && uri.is_none() {
                let other = if key == "q" {
                    "`defaults: { q: … }` makes the others'"
                } else {
                    "set it on the gateway or the answer"
                };
                self.error(at.key(key), format!("`{key}` goes with `uri` only; {other}"));
            }
        }
        if let Some(Text(uri)) = uri {
            let q_milli = q.and_then(|q| self.thousandths(at.key("q"), q));
            let uri = self.uri_template(at.key("uri"), uri)?;
            return Some(AnswerTarget::Uri(ContactTemplate::new(uri, q_milli, *expires)));
        }
        if let Some(Text(name)) = gateway {
            let gateway = self.names.gateways.find_or_say("gateway", "gateways", name);
            return self.findings.ok(&at.key("gateway").place(), gateway).map(AnswerTarget::Gateway);
        }
        if let Some(group) = group {
            return self.group_target(at.key("group"), group);
        }
        if let Some(lcr) = lcr {
            return self.least_cost(at.key("lcr"), lcr);
        }
        locate.as_ref().and_then(|locate| self.locate(at.key("locate"), locate))
    }

    fn group_target(&mut self, at: At<'_>, Text(name): &Text) -> Option<AnswerTarget> {
        let group = self.names.groups.find_or_say("group", "groups", name);
        self.findings.ok(&at.place(), group).map(AnswerTarget::Group)
    }

    fn least_cost(&mut self, at: At<'_>, written: &LcrWritten) -> Option<AnswerTarget> {
        let (table, key) = match written {
            LcrWritten::Table(name) => self.table_and_key(at, at, name, None)?,
            LcrWritten::Settings(settings) => {
                self.table_and_key(at, at.key("table"), &settings.table, settings.key.as_ref())?
            }
        };
        if self.names.column_of(table, "to").is_none() {
            let columns =
                self.table.tables.get(table).map(|table| table.columns().to_vec()).unwrap_or_default();
            let message = format!(
                "`lcr` needs a table with a column `to` (the name of a gateway or group) and, for prices, `cost`; \
                 its columns are {}",
                listed(columns.iter().map(|column| &**column))
            );
            self.error(at, message);
            return None;
        }
        let mut lcr = LeastCost {
            table,
            key,
            count_max: CARRIERS_PER_TABLE_MAX,
            cost_max_micro: None,
            price: None,
            margin_milli: 0,
            quality_min_micro: None,
            blocked: Vec::new(),
            customer: None,
        };
        if let LcrWritten::Settings(settings) = written {
            self.lcr_settings(at, settings, &mut lcr);
        }
        Some(AnswerTarget::LeastCost(Box::new(lcr)))
    }

    fn lcr_settings(&mut self, at: At<'_>, written: &LcrSettings, lcr: &mut LeastCost) {
        for (key, given, column) in [
            ("cost_max", written.cost_max.is_some(), "cost"),
            ("price", written.price.is_some(), "cost"),
            ("quality_min", written.quality_min.is_some(), "quality"),
            ("customer", written.customer.is_some(), "customer"),
        ] {
            if given && self.names.column_of(lcr.table, column).is_none() {
                self.error(
                    at.key(key),
                    format!("`{key}` needs a column `{column}`, which the table does not have"),
                );
            }
        }
        if let Some(count) = written.carriers_max {
            lcr.count_max = count.into();
        }
        lcr.cost_max_micro = self.decimal(at.key("cost_max"), written.cost_max.as_ref());
        lcr.quality_min_micro = self.decimal(at.key("quality_min"), written.quality_min.as_ref());
        lcr.price = written.price.as_ref().and_then(|price| self.template(at.key("price"), &price.0));
        lcr.customer =
            written.customer.as_ref().and_then(|customer| self.template(at.key("customer"), &customer.0));
        if let Some(margin) = written.margin {
            lcr.margin_milli = self.thousandths(at.key("margin"), margin).unwrap_or(0);
            if written.price.is_none() {
                self.error(at.key("margin"), "`margin` is a share of the `price`; add `price`");
            }
        }
        for (index, name) in written.block.iter().enumerate() {
            let target = self.findings.ok(&at.key("block").item(index).place(), self.names.target(&name.0));
            lcr.blocked.extend(target.map(|target| match target {
                TargetName::Gateway(gateway) => RowTarget::Gateway(gateway),
                TargetName::Group(group) => RowTarget::Group(group),
            }));
        }
    }

    fn decimal(&mut self, at: At<'_>, written: Option<&Text>) -> Option<u64> {
        let text = &written?.0;
        let micro = micro_of(text.as_bytes()).map_err(|fault| format!("`{text}`: {fault}"));
        self.findings.ok(&at.place(), micro)
    }

    fn locate(&mut self, at: At<'_>, Text(text): &Text) -> Option<AnswerTarget> {
        let uri = self.findings.ok(&at.place(), UriTemplate::parse_host_or_uri(text, self.names))?;
        self.note_values(uri.values(), at);
        Some(AnswerTarget::Locate(uri))
    }

    /// Own q values: of all Contacts or of none, each less than the one before.
    fn check_q(&mut self, at: At<'_>, written: &AnswerSettings) {
        let contacts = written.contacts.as_deref().unwrap_or_default();
        let q = |contact: &ContactWritten| match contact {
            ContactWritten::Settings(settings) => settings.q,
            ContactWritten::Text(_) => None,
        };
        if contacts.iter().all(|contact| q(contact).is_none()) {
            return;
        }
        let mut before: Option<f64> = None;
        for (index, contact) in contacts.iter().enumerate() {
            let at = at.item(index);
            let Some(own) = q(contact) else {
                self.error(at, "this Contact has no `q`, but another has; give one to all, or to none");
                continue;
            };
            if let Some(before) = before.filter(|before| own >= *before) {
                let message = format!(
                    "q {own} after q {before}; list Contacts in order of preference, each with less q"
                );
                self.error(at.key("q"), message);
            }
            before = Some(own);
        }
    }

    fn check_count(&mut self, at: At<'_>, targets: &[AnswerTarget]) {
        let count: usize = targets
            .iter()
            .map(|target| match target {
                AnswerTarget::Group(group) => {
                    self.table.groups.get(*group).map_or(1, |group| group.members.len())
                }
                _ => 1,
            })
            .sum();
        if count > GROUP_MEMBERS_MAX {
            self.error(
                at,
                format!("{count} targets, groups counted by member; expected at most {GROUP_MEMBERS_MAX}"),
            );
        }
    }
}

/// The keys that say where a call goes, as far as they are given.
pub(super) fn target_keys(written: &AnswerSettings) -> impl Iterator<Item = &'static str> {
    [
        ("contact", written.contact.is_some()),
        ("contacts", written.contacts.is_some()),
        ("group", written.group.is_some()),
        ("lcr", written.lcr.is_some()),
        ("locate", written.locate.is_some()),
    ]
    .into_iter()
    .filter(|(_, given)| *given)
    .map(|(key, _)| key)
}
