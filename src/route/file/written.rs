//! Pure. A route file as it is written. The doc comments here are what editors show: they are the
//! descriptions of the JSON Schema, and the keys that messages list.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::limits::{
    ANSWER_BYTES_MIN, ANSWER_BYTES_ROOM, CONTACTS_MAX, DNS_STALE_S_MAX, NUMBER_BYTES_MAX,
    PROBE_INTERVAL_S_MAX, PROBE_TIMEOUT_MS_MAX, PROBE_TIMEOUT_MS_MIN, PROBES_IN_A_ROW_MAX,
};

use super::{
    access::{AccessWritten, UnknownWritten},
    scalar::{Named, OneOrMany, Text},
    when::WhenWritten,
};

/// One file of a Waypost routes directory. All files are read together, in the order of their names:
/// sections add up, and `routes` follow one another.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Waypost route file")]
pub(super) struct FileWritten {
    /// What holds where a route says nothing.
    pub(super) defaults: Option<DefaultsWritten>,
    /// Named normalisations of numbers: lists of rules, of which the first that matches is applied.
    pub(super) numbers: Option<Named<Vec<NumberRuleWritten>>>,
    /// Named places to send calls to.
    pub(super) gateways: Option<Named<GatewayWritten>>,
    /// Gateways in tiers and weights.
    pub(super) groups: Option<Named<Vec<MemberWritten>>>,
    /// Sets of numbers or prefixes, from CSV files.
    pub(super) tables: Option<Named<TableWritten>>,
    /// Who may ask: named lists of sources, of which the first that holds a source decides.
    pub(super) access: Option<Named<AccessWritten>>,
    /// Named lists of routes, for `jump`.
    pub(super) lists: Option<Named<Vec<RouteWritten>>>,
    /// The routes, tried from top to bottom.
    pub(super) routes: Option<Vec<RouteWritten>>,
}

/// What holds where a route says nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct DefaultsWritten {
    /// Status of redirects: 300, 301, 302 or 305. 302 unless given.
    #[schemars(range(min = 300, max = 699))]
    pub(super) code: Option<u16>,
    /// The normalisation of every number that a call brings, by its name under `numbers`.
    pub(super) numbers: Option<Text>,
    /// The ladder of q values.
    pub(super) q: Option<LadderWritten>,
    /// Contacts in one answer: 1 to 12. 12 unless given.
    #[schemars(range(min = 1, max = CONTACTS_MAX))]
    pub(super) contacts_max: Option<u16>,
    /// Longest answer over UDP, in bytes: the last Contacts are left out until it fits. 1300 unless given.
    #[schemars(range(min = ANSWER_BYTES_MIN, max = ANSWER_BYTES_ROOM))]
    pub(super) answer_bytes_max: Option<u32>,
    /// Status when no route answers. 404 unless given.
    #[schemars(range(min = 300, max = 699))]
    pub(super) no_route: Option<u16>,
    /// What becomes of messages from sources that no access list names. To be given where there are lists.
    pub(super) unknown: Option<UnknownWritten>,
    /// How gateways are probed, where they say nothing of their own.
    pub(super) health: Option<HealthWritten>,
    /// When all gateways of an answer are down: `use_all` offers them as if they were up, `next` tries the next
    /// route, a status refuses. `use_all` unless given.
    pub(super) when_all_down: Option<WhenAllDownWritten>,
}

/// Whether a gateway is probed with OPTIONS, and how.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(super) enum HealthWritten {
    /// `true`: it is probed. `false`: it is not.
    Switch(bool),
    /// With settings.
    Settings(Box<HealthSettings>),
}

/// How a gateway is probed. What is not given is that of `defaults`, if it has it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct HealthSettings {
    /// Whether it is. `false` unless given.
    pub(super) probe: Option<bool>,
    /// Seconds between two probes. 20 unless given.
    #[schemars(range(min = 1, max = PROBE_INTERVAL_S_MAX))]
    pub(super) interval_s: Option<u32>,
    /// The share of them by which each pause is longer or shorter, 0 to 0.5 with three decimals. 0.1 unless given.
    #[schemars(range(min = 0.0, max = 0.5))]
    pub(super) jitter: Option<f64>,
    /// How long an answer is waited for, in milliseconds. 2000 unless given.
    #[schemars(range(min = PROBE_TIMEOUT_MS_MIN, max = PROBE_TIMEOUT_MS_MAX))]
    pub(super) timeout_ms: Option<u32>,
    /// Probes in a row without an answer that counts, after which it is down. 2 unless given.
    #[schemars(range(min = 1, max = PROBES_IN_A_ROW_MAX))]
    pub(super) failures: Option<u32>,
    /// Probes in a row with one, after which it is up again. 2 unless given.
    #[schemars(range(min = 1, max = PROBES_IN_A_ROW_MAX))]
    pub(super) successes: Option<u32>,
    /// Answers that count: codes such as `404`, classes such as `4xx`. All but 408, 502, 503 and 504 unless given.
    pub(super) alive: Option<OneOrMany<Text>>,
    /// The URI in From. `sip:waypost@` our own address unless given.
    pub(super) from: Option<Text>,
    /// The user part of the URI that is asked. None unless given.
    pub(super) user: Option<Text>,
}

/// `use_all`, `next`, the status of a refusal, or a refusal with Retry-After.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(super) enum WhenAllDownWritten {
    /// The status of a refusal.
    Code(#[schemars(range(min = 300, max = 699))] u16),
    /// `use_all` or `next`.
    Word(WhenAllDownWord),
    /// A refusal with Retry-After.
    Refusal(RetryLaterWritten),
}

/// What is done without a refusal.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum WhenAllDownWord {
    /// All are offered, as if they were up.
    UseAll,
    /// The next route is tried.
    Next,
}

/// A refusal that says when to come again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct RetryLaterWritten {
    /// 404, 480, 486, 503, 600 or 603.
    #[schemars(range(min = 300, max = 699))]
    pub(super) code: u16,
    /// Retry-After, in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) retry_after_s: u32,
}

/// The ladder of q values: the first Contact gets `first`, every further one `step` less.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct LadderWritten {
    /// q of the first Contact: 0.001 to 1. 0.99 unless given.
    #[schemars(range(min = 0.001, max = 1.0))]
    pub(super) first: Option<f64>,
    /// What each further Contact has less: 0.001 to 1. 0.01 unless given.
    #[schemars(range(min = 0.001, max = 1.0))]
    pub(super) step: Option<f64>,
}

/// A rule for numbers. One with `starts` or `length` takes `strip` characters off and puts `prefix`
/// before the rest; one with `regex` replaces what it finds by `to`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NumberRuleWritten {
    /// Matches numbers that begin so.
    pub(super) starts: Option<Text>,
    /// Matches numbers of so many characters (`+` counts): `10` or `6-8`.
    pub(super) length: Option<Text>,
    /// Characters to take off the beginning (`+` counts).
    #[schemars(range(max = NUMBER_BYTES_MAX))]
    pub(super) strip: Option<u16>,
    /// What to put before the rest.
    pub(super) prefix: Option<Text>,
    /// Matches numbers in which this regular expression is found.
    pub(super) regex: Option<Text>,
    /// Replaces what `regex` found; `$1` to `$9` are its groups.
    pub(super) to: Option<Text>,
}

/// A place to send calls to: a URI, or a URI with settings.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum GatewayWritten {
    /// A URI such as `sip:sbc1.example.net;transport=tcp`. Without a user part it gets that of the call.
    Uri(Text),
    /// A URI with settings.
    Settings(GatewaySettings),
}

/// A gateway with settings.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct GatewaySettings {
    /// A URI such as `sip:sbc1.example.net;transport=tcp`. Without a user part it gets that of the call.
    pub(super) uri: Text,
    /// Digits put before the number, after `strip`.
    pub(super) prefix: Option<Text>,
    /// Characters taken off the beginning of the number (`+` counts).
    #[schemars(range(max = NUMBER_BYTES_MAX))]
    pub(super) strip: Option<u16>,
    /// User parameters for this gateway only; they win over what routes `set`.
    #[serde(default)]
    pub(super) params: Named<ParamWritten>,
    /// `expires` of its Contact, in seconds.
    #[schemars(range(max = 4_294_967_295_u32))]
    pub(super) expires: Option<u32>,
    /// `true`: its Contacts are the servers that DNS has for the URI (RFC 3263), with address, port and
    /// transport; for sips: the names. A gateway that DNS does not find is left out.
    pub(super) resolve: Option<bool>,
    /// Whether it is probed with OPTIONS, and how: while it does not answer, it is left out of Contact lists.
    pub(super) health: Option<HealthWritten>,
}

/// A parameter: a text, `true` for the name alone, `false` to take it off.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum ParamWritten {
    /// `true`: the name alone. `false`: taken off.
    Switch(bool),
    /// The value, with `{…}` in it.
    Value(Text),
}

/// A member of a group: a gateway, or a gateway with tier and weight.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum MemberWritten {
    /// The name of a gateway.
    Name(Text),
    /// A gateway with tier and weight.
    Settings(MemberSettings),
}

/// A member of a group with tier and weight.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct MemberSettings {
    /// The name of a gateway.
    pub(super) to: Text,
    /// Lower tiers come first. 1 unless given.
    #[schemars(range(min = 1, max = 65535))]
    pub(super) tier: Option<u16>,
    /// Share of the calls for which it comes first in its tier. 1 unless given. There is no weight 0:
    /// take the member out to send it nothing, or give it a later tier to try it last.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) weight: Option<u32>,
}

/// A set of numbers or prefixes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TableWritten {
    /// Path of the file, from the routes directory. It is CSV, plain or compressed with gzip or zstd, or a table
    /// that `waypost compile` made (`NAME.wpt`). A line of CSV is a comment when it begins with `#` and then
    /// a space, a letter, or nothing; `#31#` is a number, and so is `"#A1"` in quotes.
    pub(super) file: Text,
    /// `exact` for whole numbers, `prefix` for the longest beginning. A compiled table knows it.
    #[serde(rename = "match")]
    pub(super) match_kind: Option<MatchWritten>,
    /// Names of the columns, when the file has no header line. `to` names a gateway or group, `cost` is
    /// a decimal; both are for `lcr`.
    pub(super) columns: Option<Vec<Text>>,
    /// Whether the first line of the file names the columns.
    #[serde(default)]
    pub(super) header: bool,
    /// The column with the number or prefix. `number` or `prefix` unless given. Two columns hold the first
    /// and the last number of a range: `[from, until]`, which need no `key` when they are named so.
    pub(super) key: Option<OneOrMany<Text>>,
    /// The character between columns, or `tab`. `,` unless given.
    pub(super) separator: Option<Text>,
    /// What becomes of rows that are wrong: `reject` refuses the file, `skip` leaves them out and warns.
    /// `reject` unless given.
    pub(super) bad_rows: Option<BadRowsWritten>,
    /// What becomes of a row whose number an earlier row has with other values: `reject` refuses the file,
    /// `first` keeps the earlier row and warns. `reject` unless given. Equal rows are only warned of.
    pub(super) conflicts: Option<ConflictsWritten>,
    /// Paths of CSV files with changes, applied in this order: `+,` and then the cells of a row that is added
    /// or put in place of the one with its number, `-,` and then the number of a row that is taken away.
    pub(super) changes: Option<Vec<Text>>,
}

/// How a table is looked up.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum MatchWritten {
    /// Whole numbers.
    Exact,
    /// The longest beginning.
    Prefix,
}

/// What becomes of rows that are wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum BadRowsWritten {
    /// The file is refused.
    #[default]
    Reject,
    /// They are left out and counted.
    Skip,
}

/// What becomes of rows that contradict an earlier one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum ConflictsWritten {
    /// The file is refused.
    #[default]
    Reject,
    /// The earlier row stays.
    First,
}

/// One rule: when all of `when` holds, `set` what is to be set, then answer, jump, or go on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteWritten {
    /// Shown by metrics and `explain`. FILE#N unless given.
    pub(super) name: Option<Text>,
    /// Conditions: all must hold. Lists within one are alternatives.
    pub(super) when: Option<WhenWritten>,
    /// What changes from here on.
    pub(super) set: Option<SetWritten>,
    /// Looks the number up in a table of ported numbers; the next routes see the routing number.
    pub(super) dip: Option<DipWritten>,
    /// The answer; a number alone is a refusal.
    pub(super) answer: Option<AnswerWritten>,
    /// Looks the number up in ENUM and answers with what is found.
    #[serde(rename = "enum")]
    pub(super) enum_lookup: Option<EnumWritten>,
    /// Walks a list of `lists`; when it does not answer, the next route is tried.
    pub(super) jump: Option<Text>,
    /// `true`: no answer at all.
    pub(super) silence: Option<bool>,
}

/// Changes for the rest of the decision, made in this order: `var`, `number`, `normalise`, parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct SetWritten {
    /// Values of your own, for `{var.NAME}`.
    #[serde(default)]
    pub(super) var: Named<Text>,
    /// The number, from here on.
    pub(super) number: Option<Text>,
    /// Normalises the number by a name under `numbers`.
    pub(super) normalise: Option<Text>,
    /// Routing number (RFC 4694).
    pub(super) rn: Option<ParamWritten>,
    /// `true`: the number portability dip has been done (RFC 4694).
    pub(super) npdi: Option<ParamWritten>,
    /// Carrier identification code (RFC 4694).
    pub(super) cic: Option<ParamWritten>,
    /// Trunk group (RFC 4904). Goes with `trunk-context`.
    pub(super) tgrp: Option<ParamWritten>,
    /// Where the trunk group name is known (RFC 4904). Goes with `tgrp`.
    #[serde(rename = "trunk-context")]
    pub(super) trunk_context: Option<ParamWritten>,
    /// Any other user parameter.
    #[serde(default)]
    pub(super) params: Named<ParamWritten>,
}

/// An answer: a refusal's status alone, or all that it has.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(super) enum AnswerWritten {
    /// The status of a refusal, such as 404.
    Code(#[schemars(range(min = 300, max = 699))] u16),
    /// A redirect, or a refusal with details.
    Settings(Box<AnswerSettings>),
}

/// A redirect, or a refusal with details.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerSettings {
    /// 300, 301, 302, 305, 380, or the status of a refusal such as 404. That of `defaults` unless given.
    #[schemars(range(min = 300, max = 699))]
    pub(super) code: Option<u16>,
    /// The reason phrase instead of the usual one.
    pub(super) reason: Option<Text>,
    /// One Contact: see `contacts`.
    pub(super) contact: Option<ContactWritten>,
    /// Contacts in order of preference: names of gateways and groups, URIs, or maps.
    pub(super) contacts: Option<Vec<ContactWritten>>,
    /// The gateways of a group, by tier and weight.
    pub(super) group: Option<Text>,
    /// The carriers of a rate deck, cheapest first.
    pub(super) lcr: Option<LcrWritten>,
    /// The servers of a host or URI, by DNS (RFC 3263).
    pub(super) locate: Option<Text>,
    /// `emergency`, with code 380: the body of 3GPP TS 24.229.
    pub(super) service: Option<ServiceWritten>,
    /// The text in the body of `service: emergency`.
    pub(super) reason_text: Option<Text>,
    /// Extra headers, with `{…}` in their values.
    #[serde(default)]
    pub(super) headers: Named<Text>,
    /// `expires` of the Contacts, in seconds.
    #[schemars(range(max = 4_294_967_295_u32))]
    pub(super) expires: Option<u32>,
    /// Contacts in this answer: 1 to 12.
    #[schemars(range(min = 1, max = CONTACTS_MAX))]
    pub(super) contacts_max: Option<u16>,
    /// Longest answer over UDP, in bytes.
    #[schemars(range(min = ANSWER_BYTES_MIN, max = ANSWER_BYTES_ROOM))]
    pub(super) answer_bytes_max: Option<u32>,
    /// When no Contact is left: `next` for the next route, or the status of a refusal. 480 unless given.
    pub(super) empty: Option<NextOrCode>,
    /// Time for the lookups of `locate` and of gateways with `resolve`, such as `300ms`: up to 500 ms. 400 ms
    /// unless given.
    pub(super) within: Option<Text>,
    /// When all its gateways are down: `use_all`, `next`, or the status of a refusal. That of `defaults` unless
    /// given.
    pub(super) when_all_down: Option<WhenAllDownWritten>,
}

/// A body.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum ServiceWritten {
    /// An emergency call that belongs elsewhere: 3GPP TS 24.229 §7.6.
    Emergency,
}

/// `next`, or the status of a refusal.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(super) enum NextOrCode {
    /// The status of a refusal.
    Code(#[schemars(range(min = 300, max = 699))] u16),
    /// `next`: the next route is tried.
    Next(NextWord),
}

/// The word `next`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum NextWord {
    /// The next route is tried.
    Next,
}

/// A Contact: the name of a gateway or group, a URI, or a map.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum ContactWritten {
    /// The name of a gateway or group, or a URI with `{…}` in it.
    Text(Text),
    /// One of `uri`, `gateway`, `group`, `lcr`, `locate`.
    Settings(ContactSettings),
}

/// A Contact with settings: one of `uri`, `gateway`, `group`, `lcr`, `locate`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct ContactSettings {
    /// A URI with `{…}` in it.
    pub(super) uri: Option<Text>,
    /// `q` of the URI, 0 to 1 with three decimals; all Contacts of the answer have one, or none.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) q: Option<f64>,
    /// `expires` of the URI, in seconds.
    #[schemars(range(max = 4_294_967_295_u32))]
    pub(super) expires: Option<u32>,
    /// The name of a gateway.
    pub(super) gateway: Option<Text>,
    /// The gateways of a group, by tier and weight.
    pub(super) group: Option<Text>,
    /// The carriers of a rate deck, cheapest first.
    pub(super) lcr: Option<LcrWritten>,
    /// The servers of a host or URI, by DNS (RFC 3263).
    pub(super) locate: Option<Text>,
}

/// A table, looked up with the number of the call or another key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum LookupWritten {
    /// The name of a table, looked up with `{number}`.
    Table(Text),
    /// A table and what to look up in it.
    Settings(LookupSettings),
}

/// A table and what to look up in it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct LookupSettings {
    /// The name of a table.
    pub(super) table: Text,
    /// What is looked up, with `{…}` in it. `{number}` unless given.
    pub(super) key: Option<Text>,
}

/// A rate deck: a table with a column `to`, looked up with the number of the call or another key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum LcrWritten {
    /// The name of a table, looked up with `{number}`.
    Table(Text),
    /// A table and what is wanted of it.
    Settings(Box<LcrSettings>),
}

/// A rate deck and what is wanted of it. Each carrier bids with the row of its longest prefix that is
/// valid now (`valid_from`, `valid_to`) and for everybody or this `customer`; a bid that is too dear, too
/// poor or blocked is out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct LcrSettings {
    /// The name of a table.
    pub(super) table: Text,
    /// What is looked up, with `{…}` in it. `{number}` unless given.
    pub(super) key: Option<Text>,
    /// Carriers that are offered, the cheapest of all: 1 to 12. As many as the answer has room for unless
    /// given.
    #[schemars(range(min = 1, max = CONTACTS_MAX))]
    pub(super) carriers_max: Option<u16>,
    /// No carrier may cost more: a decimal such as `0.05`.
    pub(super) cost_max: Option<Text>,
    /// What the call brings in, with `{…}` in it, such as `{customer.price}`. Goes with `margin`.
    pub(super) price: Option<Text>,
    /// The share of `price` that must remain, 0 to 1 with three decimals: a carrier that leaves less is
    /// left out. 0 unless given.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) margin: Option<f64>,
    /// No carrier may have less in the column `quality`: a decimal.
    pub(super) quality_min: Option<Text>,
    /// Gateways and groups that are left out.
    #[serde(default)]
    pub(super) block: Vec<Text>,
    /// Whose rows count besides those of everybody, with `{…}` in it: rows whose column `customer` has
    /// this value.
    pub(super) customer: Option<Text>,
}

/// A number portability dip: the routing number of the called number, put into the call as RFC 4694 says.
/// The next routes see it (`routing`, `rn`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct DipWritten {
    /// The name of the table.
    pub(super) table: Text,
    /// Numbers that are looked up, in the forms of `number`; others go on to the next route. All unless given.
    pub(super) only: Option<OneOrMany<Text>>,
    /// The column with the routing number. `rn` unless given. Empty: the number is not ported.
    pub(super) rn: Option<Text>,
    /// A column with a carrier identification code, which goes out as `cic`.
    pub(super) cic: Option<Text>,
    /// `rn-context` of routing numbers without `+`, such as `+44` (RFC 4694 §4).
    pub(super) rn_context: Option<Text>,
    /// `parameter` for `;rn=` beside the number, `user` for the routing number instead of the number.
    /// `parameter` unless given.
    pub(super) format: Option<DipFormatWritten>,
    /// How the dip is marked: `flag` for `;npdi` (RFC 4694), `value` for the `;npdi=yes` of some peers, `none`. `flag`
    /// unless given.
    pub(super) npdi: Option<NpdiWritten>,
    /// When the number is not in the table: `next` for the next route, with the mark of the dip, or the
    /// status of a refusal. `next` unless given.
    pub(super) not_found: Option<NextOrCode>,
    /// Whether a call is looked up that comes with `npdi`, `rn` or `cic`. `false` unless given: what it
    /// came with holds.
    #[serde(default)]
    pub(super) again: bool,
}

/// Where the routing number stands.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum DipFormatWritten {
    /// `;rn=` beside the number.
    #[default]
    Parameter,
    /// Instead of the number.
    User,
}

/// How a dip is marked.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum NpdiWritten {
    /// `;npdi`.
    #[default]
    Flag,
    /// `;npdi=yes`.
    Value,
    /// Not at all.
    None,
}

/// An ENUM lookup (RFC 6116).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct EnumWritten {
    /// Domains under which the number is looked up, in order of preference.
    pub(super) apexes: OneOrMany<ApexWritten>,
    /// `true`: all apexes are asked at once. Otherwise each when those before it have nothing.
    #[serde(default)]
    pub(super) parallel: bool,
    /// ENUM services wanted: `sip`, `sips`, `pstn:sip`, `pstn:tel` … `sip` unless given.
    pub(super) services: Option<OneOrMany<Text>>,
    /// Names whose values are taken out of the first result (`mcc=310;mnc=012`, or parameters of a URI) into
    /// `{var.NAME}`. The next route goes on with them, and no answer is made here.
    pub(super) attributes: Option<OneOrMany<Text>>,
    /// `true`: a number that comes with `npdi` or `enumdi` is looked up all the same.
    #[serde(default)]
    pub(super) despite_di: bool,
    /// Time for all lookups, since the request came, such as `400ms`: up to 500 ms.
    pub(super) within: Option<Text>,
    /// When nothing is found: `next`, or the status of a refusal; for all reasons or for each. `next` unless
    /// given.
    pub(super) not_found: Option<NotFoundWritten>,
    /// When DNS does not answer: `next`, or the status of a refusal; for all reasons or for each. `next`
    /// unless given.
    pub(super) failed: Option<FailedWritten>,
    /// When no Contact is left of what was found: `next`, or the status of a refusal. 480 unless given.
    pub(super) empty: Option<NextOrCode>,
    /// 300, 301, 302 or 305. That of `defaults` unless given.
    #[schemars(range(min = 300, max = 699))]
    pub(super) code: Option<u16>,
    /// The reason phrase instead of the usual one.
    pub(super) reason: Option<Text>,
    /// Extra headers, with `{…}` in their values.
    #[serde(default)]
    pub(super) headers: Named<Text>,
    /// `expires` of the Contacts, in seconds.
    #[schemars(range(max = 4_294_967_295_u32))]
    pub(super) expires: Option<u32>,
    /// Contacts in this answer: 1 to 12.
    #[schemars(range(min = 1, max = CONTACTS_MAX))]
    pub(super) contacts_max: Option<u16>,
    /// Longest answer over UDP, in bytes.
    #[schemars(range(min = ANSWER_BYTES_MIN, max = ANSWER_BYTES_ROOM))]
    pub(super) answer_bytes_max: Option<u32>,
}

/// An apex: a domain, or a domain with settings.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum ApexWritten {
    /// A domain such as `e164.arpa`.
    Name(Text),
    /// A domain with settings.
    Settings(Box<ApexSettings>),
}

/// An apex with settings.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct ApexSettings {
    /// A domain such as `e164.arpa`.
    pub(super) apex: Text,
    /// DNS servers of this apex, such as `192.0.2.53` or `[2001:db8::53]:5353`. Those of the server's
    /// configuration unless given.
    pub(super) servers: Option<OneOrMany<Text>>,
    /// ENUM services wanted here. Those of the route unless given.
    pub(super) services: Option<OneOrMany<Text>>,
    /// Its share of the time, such as `150ms`: then the next apex has its turn.
    pub(super) within: Option<Text>,
    /// A label among the digits, for infrastructure ENUM.
    pub(super) branch: Option<BranchWritten>,
    /// Shortest life of its records, in seconds. That of the server's configuration unless given.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) ttl_s_min: Option<u32>,
    /// Longest life of its records, in seconds. That of the server's configuration unless given.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) ttl_s_max: Option<u32>,
    /// Longest life of "there is no such number", in seconds. That of the server's configuration unless given.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) negative_s_max: Option<u32>,
    /// How long answers may be used after their end while its servers do not answer, in seconds; 0 for never.
    /// That of the server's configuration unless given.
    #[schemars(range(max = DNS_STALE_S_MAX))]
    pub(super) stale_s: Option<u32>,
}

/// The label of infrastructure ENUM, and where it stands.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct BranchWritten {
    /// The label, such as `i`.
    pub(super) label: Text,
    /// Digits of the number between the label and the apex. Those of the country code unless given.
    #[schemars(range(max = 15))]
    pub(super) after: Option<u8>,
}

/// What follows when nothing is found.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(super) enum NotFoundWritten {
    /// One for all reasons.
    All(NextOrCode),
    /// One for each reason; `next` where none is given.
    Each(NotFoundEach),
}

/// One for each reason; `next` where none is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct NotFoundEach {
    /// The number is in no zone (NXDOMAIN).
    pub(super) nxdomain: Option<NextOrCode>,
    /// The number is in a zone, without a NAPTR record.
    pub(super) nodata: Option<NextOrCode>,
    /// There are records, and none with a service that is wanted and a result that a call can go to.
    pub(super) unusable: Option<NextOrCode>,
    /// It is no E.164 number, or it was looked up before (`npdi`, `enumdi`): it is not asked for.
    pub(super) not_asked: Option<NextOrCode>,
}

/// What follows when DNS does not answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(super) enum FailedWritten {
    /// One for all reasons.
    All(NextOrCode),
    /// One for each reason; `next` where none is given.
    Each(FailedEach),
}

/// One for each reason; `next` where none is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct FailedEach {
    /// No server answered in time.
    pub(super) timeout: Option<NextOrCode>,
    /// The servers refuse to answer us.
    pub(super) refused: Option<NextOrCode>,
    /// The servers cannot answer.
    pub(super) servfail: Option<NextOrCode>,
    /// The servers know nothing of the zone.
    pub(super) lame: Option<NextOrCode>,
    /// What came back is no answer.
    pub(super) malformed: Option<NextOrCode>,
    /// More questions than this server may ask at one time.
    pub(super) overflow: Option<NextOrCode>,
}
