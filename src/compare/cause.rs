//! Pure. In what two answers to one call differ: one word for each pair.

use schemars::JsonSchema;
use serde::Serialize;

use super::made::{Made, Side};
use crate::sip::{NameAddr, Uri, list_values};

/// In what two answers differ: the first of these that fits, from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The same bytes by the route of the same name.
    Same,
    /// The same bytes by another route.
    OtherRoute,
    /// Other questions for DNS.
    AsksDns,
    /// One side says nothing, or both for other reasons.
    Silence,
    /// Another status code.
    Status,
    /// The same Contacts in another order, or with another q.
    Order,
    /// Contacts besides those of old.
    ContactsAdded,
    /// Contacts of old that new has not, and no others.
    ContactsRemoved,
    /// Contacts to the same users and hosts with other parameters, as rn.
    Parameters,
    /// Other Contacts.
    ContactsChanged,
    /// The reason phrase, another header, or the body.
    Headers,
}

impl Cause {
    /// Every cause, in the order of reports.
    pub const ALL: [Self; 11] = [
        Self::Same,
        Self::OtherRoute,
        Self::AsksDns,
        Self::Silence,
        Self::Status,
        Self::Order,
        Self::ContactsAdded,
        Self::ContactsRemoved,
        Self::Parameters,
        Self::ContactsChanged,
        Self::Headers,
    ];

    /// The name in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::OtherRoute => "other route",
            Self::AsksDns => "asks dns",
            Self::Silence => "silence",
            Self::Status => "status",
            Self::Order => "order",
            Self::ContactsAdded => "contacts added",
            Self::ContactsRemoved => "contacts removed",
            Self::Parameters => "parameters",
            Self::ContactsChanged => "contacts changed",
            Self::Headers => "headers",
        }
    }

    /// Whether the caller would see it.
    #[must_use]
    pub const fn is_difference(self) -> bool {
        !matches!(self, Self::Same | Self::OtherRoute)
    }
}

/// In what the two sides differ on the call they decided last.
pub(super) fn of(old: &Side<'_>, new: &Side<'_>, is_same_route: bool) -> Cause {
    let same = if is_same_route { Cause::Same } else { Cause::OtherRoute };
    if old.asks() != new.asks() {
        return Cause::AsksDns;
    }
    match (old.made(), new.made()) {
        (Made::Silence(old), Made::Silence(new)) if old == new => same,
        (Made::Silence(_), _) | (_, Made::Silence(_)) => Cause::Silence,
        // Both echo one request with one key: what differs is what the routes made.
        _ if old.answer() == new.answer() => same,
        (Made::Reply { status: old, .. }, Made::Reply { status: new, .. }) if old != new => Cause::Status,
        _ => of_contacts(&contacts(old.answer()), &contacts(new.answer())).unwrap_or(Cause::Headers),
    }
}

/// The Contacts of an answer of ours, in order.
pub(crate) fn contacts(answer: &[u8]) -> Vec<NameAddr<'_>> {
    let lines = header_lines(answer).filter(|(name, _)| *name == b"Contact");
    lines.flat_map(|(_, value)| list_values(value)).filter_map(NameAddr::parse).collect()
}

/// Names and values of the header lines of an answer of ours: none is folded.
pub(super) fn header_lines(answer: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = answer.split(|byte| *byte == b'\n').skip(1);
    lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).take_while(|line| !line.is_empty()).filter_map(
        |line| {
            let colon = memchr::memchr(b':', line)?;
            let (name, value) = line.split_at_checked(colon)?;
            Some((name, value.get(1..)?.trim_ascii_start()))
        },
    )
}

fn of_contacts(old: &[NameAddr<'_>], new: &[NameAddr<'_>]) -> Option<Cause> {
    if old.iter().map(|contact| contact.uri).eq(new.iter().map(|contact| contact.uri)) {
        let differ =
            |what: fn(&NameAddr<'_>) -> Option<Vec<u8>>| !old.iter().map(what).eq(new.iter().map(what));
        return if differ(|contact| contact.param(b"q").map(<[u8]>::to_vec)) {
            Some(Cause::Order)
        } else if differ(|contact| Some(contact.params.to_vec())) {
            Some(Cause::Parameters)
        } else {
            None
        };
    }
    let (gone, come) = (missing(old, new), missing(new, old));
    Some(match (gone, come) {
        (0, 0) => Cause::Order,
        (0, _) => Cause::ContactsAdded,
        (_, 0) => Cause::ContactsRemoved,
        _ if old.len() == new.len() && old.iter().zip(new).all(|(old, new)| is_same_place(old, new)) => {
            Cause::Parameters
        }
        _ => Cause::ContactsChanged,
    })
}

/// How many URIs of `these` have no partner among `those`.
fn missing(these: &[NameAddr<'_>], those: &[NameAddr<'_>]) -> usize {
    let mut left: Vec<&[u8]> = those.iter().map(|contact| contact.uri).collect();
    let mut missing = 0;
    for contact in these {
        match left.iter().position(|uri| *uri == contact.uri) {
            Some(at) => drop(left.swap_remove(at)),
            None => missing += 1,
        }
    }
    missing
}

fn is_same_place(old: &NameAddr<'_>, new: &NameAddr<'_>) -> bool {
    fn place<'a>(uri: &Uri<'a>) -> (&'a [u8], Vec<u8>, Option<u16>) {
        (uri.user_name(), uri.host.to_ascii_lowercase(), uri.port)
    }
    match (old.parsed_uri(), new.parsed_uri()) {
        (Some(old), Some(new)) => old.scheme == new.scheme && place(&old) == place(&new),
        _ => false,
    }
}
