//! Pure. [`RouteTable`]: the routes as meant. Immutable; names are resolved to indices, texts to
//! patterns and templates, so that a decision compares and copies and does nothing else.

use super::{
    Calendar, CertificatePattern, ContactsOfColumn, Dispatch, FixedContact, Normalisation, NumberPattern,
    NumberTable, SealedContacts, Template, TextPattern, UriTemplate,
};
use crate::{
    access::{AccessId, AccessLists},
    dns::{Apex, EnumPlan, Failure, Results},
    limits::{COLUMN_CONTACTS_MAX, TABLE_AHEAD_FROM_BYTES, TABLES_AHEAD_MAX},
    sip::{Method, Scheme},
};
use ipnet::IpNet;
use std::{net::IpAddr, sync::Arc};

/// Index of a gateway in [`RouteTable::gateways`].
pub type GatewayId = usize;
/// Index of a group in [`RouteTable::groups`].
pub type GroupId = usize;
/// Index of a number table in [`RouteTable::tables`].
pub type TableId = usize;
/// Index of a normalisation in [`RouteTable::normalisations`].
pub type NormalisationId = usize;
/// Index of a list in [`RouteTable::lists`]; 0 is the main one.
pub type ListId = usize;
/// Index of a route in [`RouteTable::routes`].
pub type RouteId = usize;

/// All that decides where calls go.
#[derive(Debug, Default)]
pub struct RouteTable {
    /// Named places to send calls.
    pub gateways: Vec<Gateway>,
    /// Gateways in tiers and weights.
    pub groups: Vec<Group>,
    /// Sets of numbers or prefixes.
    pub tables: Vec<NumberTable>,
    /// Named number rules.
    pub normalisations: Vec<Normalisation>,
    /// Lists of routes: `lists[0]` is `routes:` of all files, the others are the named ones.
    pub lists: Vec<List>,
    /// All routes; lists refer to them.
    pub routes: Vec<Route>,
    /// The index of each list that has one, by [`ListId`]; empty when none has. See [`RouteTable::seal`].
    pub dispatch: Vec<Option<Dispatch>>,
    /// The Contact of each gateway that is the same for every call but for the number, by [`GatewayId`]. Those of
    /// templates are beside them: [`ContactTemplate::fixed`].
    pub fixed: Vec<Option<FixedContact>>,
    /// The Contacts of the answer of each route that are known together, by [`RouteId`]; empty when there are none.
    pub sealed: Vec<Option<Box<SealedContacts>>>,
    /// The large tables that calls are looked up in by their number; see [`RouteTable::seal`].
    pub ahead: Vec<TableId>,
    /// The apex that most calls are looked up under by their number: the first one of the first route with ENUM.
    pub apex_ahead: Option<Apex>,
    /// What holds where a route says nothing.
    pub defaults: Defaults,
    /// Who may ask.
    pub access: AccessLists,
}

impl RouteTable {
    /// Makes the indices of the lists and the Contacts that are known but for the number. Nothing of lists, routes and gateways may
    /// change after it. Without it every decision is the same, looks at each route and renders each Contact.
    pub fn seal(&mut self) {
        self.fixed = self.gateways.iter().map(FixedContact::of_gateway).collect();
        let tables = std::mem::take(&mut self.tables);
        let mut room = COLUMN_CONTACTS_MAX;
        for contact in self.contacts_mut() {
            contact.fixed = FixedContact::of_template(contact);
            contact.of_column = ContactsOfColumn::of(contact, &tables, &mut room);
        }
        self.tables = tables;
        self.sealed = self.routes.iter().map(|route| self.sealed_contacts(route)).collect();
        if self.sealed.iter().all(Option::is_none) {
            self.sealed = Vec::new();
        }
        self.ahead = self.tables_ahead();
        self.apex_ahead = self.routes.iter().find_map(Route::apex_by_number).cloned();
        self.dispatch = self.lists.iter().map(|list| Dispatch::of(list, &self.routes)).collect();
        // A decision asks this once, however many short lists there are.
        if self.dispatch.iter().all(Option::is_none) {
            self.dispatch = Vec::new();
        }
    }

    fn tables_ahead(&self) -> Vec<TableId> {
        let is_large = |id: &TableId| {
            let table = self.tables.get(*id);
            table.is_some_and(|table| table.table().resident_bytes() >= TABLE_AHEAD_FROM_BYTES)
        };
        let mut found = Vec::new();
        self.routes.iter().for_each(|route| route.add_tables_by_number(&mut found));
        found.retain(is_large);
        found.sort_unstable();
        found.dedup();
        found.truncate(TABLES_AHEAD_MAX);
        found
    }

    fn sealed_contacts(&self, route: &Route) -> Option<Box<SealedContacts>> {
        match &route.then {
            Then::Answer(answer) => SealedContacts::of(answer, self).map(Box::new),
            _ => None,
        }
    }

    /// The Contacts that routes have by themselves.
    pub fn contacts_mut(&mut self) -> impl Iterator<Item = &mut ContactTemplate> {
        let targets = self.routes.iter_mut().flat_map(|route| match &mut route.then {
            Then::Answer(answer) => answer.targets.as_mut_slice(),
            _ => &mut [],
        });
        targets.filter_map(|target| match target {
            AnswerTarget::Uri(contact) => Some(contact),
            _ => None,
        })
    }
}

/// A named list of routes.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct List {
    pub name: Box<str>,
    pub routes: Vec<RouteId>,
}

/// Where something stands in the route files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Path as given by the loader, relative to the routes directory.
    pub file: Box<str>,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
}

/// `defaults:`.
#[derive(Debug)]
pub struct Defaults {
    /// Status of redirects.
    pub code: u16,
    /// How the number of the Request-URI, From and P-Asserted-Identity is normalised.
    pub normalisation: Option<NormalisationId>,
    /// The q ladder: first value and step, in thousandths.
    pub q_first_milli: u16,
    /// See `q_first_milli`.
    pub q_step_milli: u16,
    /// Contacts in one answer.
    pub contacts_max: usize,
    /// Budget of an answer over UDP.
    pub answer_bytes_max: usize,
    /// Status when no route answers.
    pub no_route_code: u16,
    /// What follows when all gateways of an answer are down.
    pub when_all_down: WhenAllDown,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            code: 302,
            normalisation: None,
            q_first_milli: 990,
            q_step_milli: 10,
            contacts_max: crate::limits::CONTACTS_MAX,
            answer_bytes_max: crate::limits::ANSWER_BYTES_DEFAULT,
            no_route_code: 404,
            when_all_down: WhenAllDown::UseAll,
        }
    }
}

impl Defaults {
    /// The next rung of the q ladder, behind a Contact with `last`. RFC 3261 §8.1.3.4: equal q may be tried in parallel,
    /// so q decreases strictly.
    #[must_use]
    pub fn next_q(&self, last: Option<u16>, wanted: Option<u16>) -> u16 {
        match (last, wanted) {
            (None, wanted) => wanted.unwrap_or(self.q_first_milli),
            (Some(last), Some(wanted)) if wanted < last => wanted,
            (Some(last), _) => last.saturating_sub(self.q_step_milli.max(1)),
        }
    }
}

/// A gateway: a URI to which the user part of the call is added unless it has one of its own.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Gateway {
    pub name: Box<str>,
    pub place: Place,
    /// Its URI as the route file has it, for people.
    pub written: Box<str>,
    /// A template without a user part stands for `{number}` with the parameters that were set
    /// (`rn`, `npdi`, `cic`, `tgrp`, `trunk-context`); one with a user part is taken as it is.
    pub uri: UriTemplate,
    /// Digits put before the user's number (a tech prefix), after `strip`.
    pub prefix: Box<str>,
    /// Leading characters (`+` counts) taken off the user's number.
    pub strip: usize,
    /// User parameters of this gateway only: `tgrp`, `trunk-context` and the like. Wins over what routes set.
    pub params: Vec<(Box<str>, ParamValue)>,
    /// `expires` of its Contact, in seconds.
    pub expires_s: Option<u32>,
    /// Whether its Contacts are the servers that DNS has for it (RFC 3263), not its URI.
    pub resolve: bool,
    /// How it is probed; `None`: it is not.
    pub health: Option<Box<super::Health>>,
}

/// What a parameter is set to.
#[derive(Clone, Debug)]
pub enum ParamValue {
    /// `name=value`.
    Value(Template),
    /// `name` alone (`npdi: true`).
    Flag,
    /// Taken off, should the request have it.
    Remove,
}

/// A group.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Group {
    pub name: Box<str>,
    pub place: Place,
    pub members: Vec<Member>,
}

/// One member of a group. Tiers come lowest first; inside a tier the order is drawn by weight.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Member {
    pub gateway: GatewayId,
    pub tier: u16,
    pub weight: u32,
}

/// One rule. Conditions must all hold; then the settings are made, in order; then `then`.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Route {
    pub name: Box<str>,
    pub place: Place,
    pub when: Vec<Condition>,
    pub set: Vec<Setting>,
    pub then: Then,
}

impl Route {
    /// Adds the tables in which it looks up the number of a call.
    /// The apex that it looks numbers up under for URIs, without a branch.
    fn apex_by_number(&self) -> Option<&Apex> {
        let Then::Enum(route) = &self.then else { return None };
        let apex = route.plan.apexes.first().filter(|_| route.plan.results == Results::Uris)?;
        apex.branch.is_none().then_some(apex)
    }

    fn add_tables_by_number(&self, found: &mut Vec<TableId>) {
        self.when.iter().for_each(|condition| condition.add_tables_by_number(found));
        match &self.then {
            Then::Dip(dip) => found.push(dip.table),
            Then::Answer(answer) => {
                found.extend(answer.targets.iter().filter_map(|target| match target {
                    AnswerTarget::LeastCost(wanted) if wanted.key.is_number() => Some(wanted.table),
                    _ => None,
                }));
            }
            _ => {}
        }
    }
}

impl Condition {
    fn add_tables_by_number(&self, found: &mut Vec<TableId>) {
        match self {
            Self::In(table, key) if key.is_number() => found.push(*table),
            Self::Not(together) => {
                together.iter().for_each(|condition| condition.add_tables_by_number(found))
            }
            Self::Any(choices) => {
                choices.iter().flatten().for_each(|condition| condition.add_tables_by_number(found));
            }
            _ => {}
        }
    }
}

/// A condition.
#[derive(Debug)]
pub enum Condition {
    /// The packet came from one of these.
    Source(Vec<IpNet>),
    /// One of these access lists decided on its source.
    Access(Vec<AccessId>),
    /// Its credentials are of one of these users. Never holds where its access list asks for none.
    Username(Vec<TextPattern>),
    /// Its connection has shown a certificate with one of these names.
    Certificate(Vec<CertificatePattern>),
    /// It came to one of these listeners.
    Listener(Vec<Box<str>>),
    /// Over one of these transports.
    Transport(Vec<Transport>),
    /// Its method is one of these; names not in [`Method`] are compared as written.
    Method(Vec<MethodPattern>),
    /// The Request-URI's scheme is one of these.
    Scheme(Vec<Scheme>),
    /// A number (normalised): of the Request-URI, From or P-Asserted-Identity.
    Number(Party, Vec<NumberPattern>),
    /// The number that routes go by: the routing number where there is one, otherwise the number (RFC 4694
    /// §5.1).
    Routing(Vec<NumberPattern>),
    /// The user part without parameters, as written: escapes are decoded, nothing is normalised.
    User(Party, Vec<TextPattern>),
    /// The host, in any case.
    Host(Party, Vec<TextPattern>),
    /// A parameter of the Request-URI: in the user part first, then after the host. A value set by
    /// an earlier route (`set: {rn: …}`) is what is seen.
    Param(Box<str>, ValueTest),
    /// A header of the request, any name; the first line that passes counts.
    Header(Box<str>, ValueTest),
    /// A column of a table hit by an earlier `in`, or a variable: `var: { "ported.rn": … }`.
    Value(Template, Vec<TextPattern>),
    /// The key is in the table. The row it finds stands for the rest of the decision.
    In(TableId, Template),
    /// The time of day, of week, of year.
    Time(Calendar),
    /// None of these holds together.
    Not(Vec<Self>),
    /// One of these holds.
    Any(Vec<Vec<Self>>),
}

/// Whose number or host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Party {
    RequestUri,
    From,
    PAssertedIdentity,
}

/// A transport a request can come over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
}

impl Transport {
    /// Every transport, in the order of the metrics.
    pub const ALL: [Self; 3] = [Self::Udp, Self::Tcp, Self::Tls];

    /// The transport of this [`Transport::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// Its name in route files, metrics and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// A method to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum MethodPattern {
    Known(Method),
    Other(Box<str>),
}

/// A test of a value that may be missing.
#[derive(Debug)]
pub enum ValueTest {
    /// There.
    Present,
    /// Not there.
    Absent,
    /// There, and one of these.
    Is(Vec<TextPattern>),
}

/// What a route changes for the rest of the decision.
#[derive(Debug)]
pub enum Setting {
    /// A user parameter of the Contacts made from gateways: `rn`, `npdi`, `cic`, `tgrp` …
    Param(Box<str>, ParamValue),
    /// The number itself, from here on.
    Number(Template),
    /// The number, by a named normalisation.
    Normalise(NormalisationId),
    /// A variable of the route file's own, `{var.NAME}`.
    Var(Box<str>, Template),
}

/// What a route does when its conditions hold.
#[derive(Debug)]
pub enum Then {
    /// Go on with the next route.
    Next,
    /// Walk this list; when it does not answer, go on after this route.
    Jump(ListId),
    /// Answer.
    Answer(Box<Answer>),
    /// Look the number up in ENUM and answer with what is found.
    Enum(Box<EnumRoute>),
    /// Look the number up in a table of ported numbers and go on with its routing number.
    Dip(Box<Dip>),
    /// Say nothing at all.
    Silence,
}

/// `dip:`, a number portability dip (RFC 4694 §5).
#[derive(Debug)]
pub struct Dip {
    /// Exact or prefix.
    pub table: TableId,
    /// Numbers that are looked up; empty: all.
    pub only: Vec<NumberPattern>,
    /// Index of the column with the routing number.
    pub rn: usize,
    /// Index of a column with a carrier identification code.
    pub cic: Option<usize>,
    /// Where routing numbers without `+` hold (RFC 4694 §4).
    pub rn_context: Option<Box<str>>,
    /// Whether the routing number stands in place of the number, not beside it.
    pub in_user: bool,
    /// How the dip is marked; `None`: not at all.
    pub npdi: Option<DipMark>,
    /// The status when the number is not in the table; `None`: the next route.
    pub not_found: Option<u16>,
    /// Whether a call is looked up that comes with `npdi`, `rn` or `cic`.
    pub again: bool,
}

/// How a dip is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DipMark {
    /// `;npdi` (RFC 4694 §4).
    Flag,
    /// `;npdi=yes`, as some peers want it.
    Yes,
}

/// `enum:`.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct EnumRoute {
    pub plan: EnumPlan,
    /// The redirect to make of what is found; its `targets` are empty.
    pub answer: Answer,
    /// Variables to set from the first result, instead of an answer; `None`: an answer.
    pub attributes: Option<Vec<Box<str>>>,
    /// Whether a number that comes with `npdi` or `enumdi` is looked up all the same.
    pub despite_di: bool,
    pub not_found: NotFound,
    pub failed: Failed,
}

/// What follows when ENUM has nothing: a status for each reason; `None`: the next route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct NotFound {
    pub nxdomain: Option<u16>,
    pub nodata: Option<u16>,
    /// There are records, and none that can be used.
    pub unusable: Option<u16>,
    /// No E.164 number, or one that was looked up before.
    pub not_asked: Option<u16>,
}

/// What follows when DNS does not answer: a status for each reason; `None`: the next route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Failed {
    pub timeout: Option<u16>,
    pub refused: Option<u16>,
    pub servfail: Option<u16>,
    pub lame: Option<u16>,
    pub malformed: Option<u16>,
    pub overflow: Option<u16>,
}

impl NotFound {
    /// Whether no reason leads to the next route.
    #[must_use]
    pub fn is_final(&self) -> bool {
        let Self { nxdomain, nodata, unusable, not_asked } = self;
        [nxdomain, nodata, unusable, not_asked].iter().all(|status| status.is_some())
    }
}

impl Failed {
    /// Whether no reason leads to the next route.
    #[must_use]
    pub fn is_final(&self) -> bool {
        let Self { timeout, refused, servfail, lame, malformed, overflow } = self;
        [timeout, refused, servfail, lame, malformed, overflow].iter().all(|status| status.is_some())
    }

    /// The status for one reason.
    #[must_use]
    pub fn status(&self, why: Failure) -> Option<u16> {
        match why {
            Failure::Timeout => self.timeout,
            Failure::Refused => self.refused,
            Failure::ServFail => self.servfail,
            Failure::Lame => self.lame,
            Failure::Malformed => self.malformed,
            Failure::Overflow => self.overflow,
        }
    }
}

/// An answer as a route describes it.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Answer {
    pub code: u16,
    /// Instead of the default phrase.
    pub reason: Option<Box<str>>,
    /// In order of preference. Empty for a refusal.
    pub targets: Vec<AnswerTarget>,
    pub contacts_max: usize,
    pub answer_bytes_max: usize,
    /// Default `expires` of the Contacts, in seconds.
    pub expires_s: Option<u32>,
    /// Extra headers.
    pub headers: Vec<(Box<str>, Template)>,
    pub body: Body,
    /// What happens when no Contact is left (all dropped, or nothing located): this status;
    /// `None`: the next route.
    pub empty: Option<u16>,
    /// Time for the lookups of its Contacts, in milliseconds since the request came.
    pub within_ms: u64,
    /// What follows when no Contact is left because gateways are down.
    pub when_all_down: WhenAllDown,
}

/// What follows when no Contact is left of an answer because gateways are down.
#[derive(Clone, Debug, Default)]
pub enum WhenAllDown {
    /// All are offered, as if they were up. That a gateway is silent towards us does not say that it is towards
    /// the caller, and when all are, our own network is the likelier fault. A try costs time; a refusal costs the call.
    #[default]
    UseAll,
    /// The next route.
    Next,
    /// This refusal.
    Refuse(Arc<Answer>),
}

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// None.
    None,
    /// 3GPP TS 24.229 §7.6 `application/3gpp-ims+xml`, type `emergency`, with the reason text.
    Emergency {
        /// Text of `<reason>`.
        reason: Box<str>,
    },
}

/// One item of a Contact list before it is expanded.
#[derive(Debug)]
pub enum AnswerTarget {
    /// A URI by template, or an urn.
    Uri(ContactTemplate),
    /// A gateway.
    Gateway(GatewayId),
    /// A group: tiers, then weights.
    Group(GroupId),
    /// The carriers of a rate deck, cheapest first.
    LeastCost(Box<LeastCost>),
    /// The servers of a URI or host by RFC 3263.
    Locate(UriTemplate),
}

/// What is wanted of a rate deck: a table with a column `to`.
#[derive(Debug)]
pub struct LeastCost {
    /// The deck.
    pub table: TableId,
    /// The number whose carriers are wanted.
    pub key: Template,
    /// Carriers, the cheapest of all.
    pub count_max: usize,
    /// No carrier may cost more, in millionths.
    pub cost_max_micro: Option<u64>,
    /// What the call brings in, a decimal; a carrier that leaves less than `margin_milli` of it is left
    /// out. When it does not render or is no decimal, nothing is left out for it.
    pub price: Option<Template>,
    /// In thousandths of the price.
    pub margin_milli: u16,
    /// No carrier may have less, in millionths.
    pub quality_min_micro: Option<u64>,
    /// Gateways and groups that are left out.
    pub blocked: Vec<super::RowTarget>,
    /// Whose rows count besides those of everybody (column `customer`).
    pub customer: Option<Template>,
}

/// A Contact by template.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct ContactTemplate {
    pub uri: UriTemplate,
    pub expires_s: Option<u32>,
    pub q_milli: Option<u16>,
    /// See [`RouteTable::seal`].
    pub fixed: Option<FixedContact>,
    /// The same for each value of the column of a table that it names.
    pub of_column: Option<ContactsOfColumn>,
}

impl ContactTemplate {
    /// As a route file has it.
    #[must_use]
    pub fn new(uri: UriTemplate, q_milli: Option<u16>, expires_s: Option<u32>) -> Self {
        Self { uri, expires_s, q_milli, fixed: None, of_column: None }
    }
}

/// Addresses that are ourselves: no Contact may name them.
#[derive(Clone, Debug, Default)]
pub struct Ourselves {
    /// Where we listen. Behind an unspecified address, it is the one that a request came to; others
    /// of this host are ourselves only when `names` has them.
    pub listeners: Vec<(IpAddr, u16)>,
    /// Names under which we are reached.
    pub names: Vec<Box<str>>,
}

impl Answer {
    /// An answer without Contacts, headers and body; its code is still to be said.
    #[must_use]
    pub fn refusal(table: &RouteTable) -> Self {
        Self {
            code: table.defaults.no_route_code,
            reason: None,
            targets: Vec::new(),
            contacts_max: table.defaults.contacts_max,
            answer_bytes_max: table.defaults.answer_bytes_max,
            expires_s: None,
            headers: Vec::new(),
            body: Body::None,
            empty: None,
            within_ms: crate::limits::LOOKUP_MS_DEFAULT,
            when_all_down: WhenAllDown::UseAll,
        }
    }
}
