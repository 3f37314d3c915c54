//! Pure. `when:` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    scalar::{Named, OneOrMany, Text},
    written::LookupWritten,
};

/// Conditions: all must hold. Lists within one are alternatives.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WhenWritten {
    /// Where the packet came from: addresses or networks such as 192.0.2.0/24.
    pub(super) source: Option<OneOrMany<Text>>,
    /// The access list that decided on the source, by its name under `access`; `unknown` for sources that none names.
    pub(super) access: Option<OneOrMany<Text>>,
    /// The user whose credentials were right, where the access list asks for them: `text`, `text*`, `*text`, `*`, or
    /// `/regex/`.
    pub(super) username: Option<OneOrMany<Text>>,
    /// A name in the certificate that the client has shown over TLS (RFC 5922 §7.1): `sbc.example.com`, `*.example.com` for one
    /// label more, `*` for any certificate.
    pub(super) certificate: Option<OneOrMany<Text>>,
    /// The listener it came to, by its name in the server's configuration.
    pub(super) listener: Option<OneOrMany<Text>>,
    /// udp, tcp or tls.
    pub(super) transport: Option<OneOrMany<TransportWritten>>,
    /// The method, in capitals.
    pub(super) method: Option<OneOrMany<Text>>,
    /// Scheme of the Request-URI: sip, sips or tel.
    pub(super) scheme: Option<OneOrMany<SchemeWritten>>,
    /// The called number, normalised: `+441632960000`, `+44*`, FIRST-LAST of one length, or `/regex/`.
    pub(super) number: Option<OneOrMany<Text>>,
    /// The number that routes go by: the routing number (`rn`) that the call came with or a `dip` found,
    /// otherwise the called number. In the forms of `number`.
    pub(super) routing: Option<OneOrMany<Text>>,
    /// The user part of the Request-URI: `text`, `text*`, `*text`, `*`, or `/regex/`.
    pub(super) user: Option<OneOrMany<Text>>,
    /// The host of the Request-URI, in any case: `text`, `text*`, `*text`, `*`, or `/regex/`.
    pub(super) host: Option<OneOrMany<Text>>,
    /// Parameters of the Request-URI: patterns, `true` for present, `false` for absent.
    #[serde(default)]
    pub(super) params: Named<ValueTestWritten>,
    /// The From header.
    pub(super) from: Option<PartyWritten>,
    /// The P-Asserted-Identity header.
    pub(super) pai: Option<PartyWritten>,
    /// Headers: patterns, `true` for present, `false` for absent.
    #[serde(default)]
    pub(super) header: Named<ValueTestWritten>,
    /// The time of day, of week, of year.
    pub(super) time: Option<TimeWritten>,
    /// The number is in this table; its columns are then `{TABLE.COLUMN}`.
    #[serde(rename = "in")]
    pub(super) in_table: Option<OneOrMany<LookupWritten>>,
    /// Values: a table column such as `ported.rn`, or `var.NAME`, with patterns.
    #[serde(default)]
    pub(super) var: Named<OneOrMany<Text>>,
    /// Does not hold when all of these hold.
    pub(super) not: Option<Box<Self>>,
    /// Holds when one of these holds.
    pub(super) any: Option<Vec<Self>>,
    /// Holds when all of these hold; for a second condition of one kind.
    pub(super) all: Option<Vec<Self>>,
}

/// A transport.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[allow(missing_docs)]
pub(super) enum TransportWritten {
    Udp,
    Tcp,
    Tls,
}

/// A scheme.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[allow(missing_docs)]
pub(super) enum SchemeWritten {
    Sip,
    Sips,
    Tel,
}

/// A test of a value that may be missing: patterns, or whether it is there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(super) enum ValueTestWritten {
    /// `true`: present. `false`: absent.
    There(bool),
    /// Present, and one of these patterns: `text`, `text*`, `*text`, `*`, or `/regex/`.
    Is(OneOrMany<Text>),
}

/// Who calls.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct PartyWritten {
    /// The number, normalised: `+441632960000`, `+44*`, FIRST-LAST of one length, or `/regex/`.
    pub(super) number: Option<OneOrMany<Text>>,
    /// The user part: `text`, `text*`, `*text`, `*`, or `/regex/`.
    pub(super) user: Option<OneOrMany<Text>>,
    /// The host, in any case: `text`, `text*`, `*text`, `*`, or `/regex/`.
    pub(super) host: Option<OneOrMany<Text>>,
}

/// A calendar: all that is given must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct TimeWritten {
    /// The clock that is meant, by its IANA name, such as Europe/London or UTC.
    pub(super) zone: Text,
    /// `mon`, `mon-fri` …
    pub(super) days: Option<OneOrMany<Text>>,
    /// `08:00-18:00` … A span that ends before it begins passes midnight and belongs to the day on
    /// which it begins.
    pub(super) hours: Option<OneOrMany<Text>>,
    /// `2026-12-31`, `12-25` for every year, or spans such as `12-24..12-26`.
    pub(super) dates: Option<OneOrMany<Text>>,
    /// `dec`, `jun-aug` …
    pub(super) months: Option<OneOrMany<Text>>,
}
