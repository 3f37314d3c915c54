//! Pure. The end of a Contact list that is known but for the number: its bytes are made once, when a table is sealed.
//!
//! In:    the targets of an answer, of which the last ones have a [`FixedContact`].
//! Out:   these Contacts with all that stands around them, and what a decision still has to ask.
//! Never: two with one host, nor more Contacts than the answer may have: those are judged call by call.

use std::{net::IpAddr, ops::RangeInclusive};

use super::{Answer, AnswerTarget, Defaults, FixedContact, GatewayId, NumberIn, RouteTable};
use crate::{
    limits::URI_BYTES_MAX,
    sip::{NextHop, Writer, differ_in_host},
};

/// The last Contacts of an answer, or all of them.
#[derive(Debug)]
pub struct SealedContacts {
    /// Targets before them: one Contact each, or these here do not follow.
    pub first: usize,
    /// What is to be known of the number.
    pub number: NumberIn,
    /// The gateways among them.
    pub gateways: Box<[GatewayId]>,
    /// What stands around the numbers; `Contact: ` before the first Contact of the line, no line end.
    text: Box<[u8]>,
    contacts: Box<[SealedContact]>,
    hosts: Box<[Box<[u8]>]>,
    next_hosts: Box<[Box<[u8]>]>,
    addresses: Box<[(IpAddr, u16)]>,
    /// Lengths of the number with which all are legal URIs.
    number_len: RangeInclusive<usize>,
    /// How often the number stands there, and the characters taken off it all together.
    numbers: usize,
    stripped: usize,
    /// Length of the first URI without its number.
    first_len: usize,
    /// What stands behind the URI of the Contact before them, when that is the only one and the route's own.
    front_end: Option<Box<[u8]>>,
}

/// One of them.
#[derive(Debug)]
struct SealedContact {
    /// Where the number stands in the text.
    number_at: usize,
    /// Where it ends in the text.
    end: usize,
    /// Characters taken off the number; `None` where there is no number.
    strip: Option<usize>,
}

impl SealedContacts {
    /// `None` when not even the last Contact is known.
    #[must_use]
    pub fn of(answer: &Answer, table: &RouteTable) -> Option<Self> {
        if answer.targets.len() > answer.contacts_max {
            return None;
        }
        let ones: Vec<One<'_>> =
            answer.targets.iter().map(|target| One::of(target, table)).collect::<Option<_>>()?;
        let known = last_known(&ones);
        let first = ones.len() - known.len();
        let (text, contacts) = text_of(&ones, &known, answer.expires_s, &table.defaults);
        let front_end = match answer.targets.first()? {
            AnswerTarget::Uri(contact) if first == 1 => {
                let q_milli = table.defaults.next_q(None, contact.q_milli);
                Some(end_of(q_milli, contact.expires_s.or(answer.expires_s)).into())
            }
            _ => None,
        };
        let strips = || contacts.iter().filter_map(|contact| contact.strip);
        let hops = || known.iter().map(|fixed| fixed.next_hop());
        let address = |hop: NextHop<'_>| Some((hop.address?, hop.port.unwrap_or(hop.default_port)));
        let len_max = |fixed: &&FixedContact| {
            let has_number = fixed.number != NumberIn::Nothing;
            has_number.then(|| URI_BYTES_MAX - fixed.len_around() + fixed.strip)
        };
        Some(Self {
            first,
            number: known.iter().map(|fixed| fixed.number).max()?,
            gateways: ones.iter().skip(first).filter_map(|one| one.gateway).collect(),
            hosts: known.iter().map(|fixed| fixed.host().into()).collect(),
            next_hosts: hops().map(|hop| hop.host.into()).collect(),
            addresses: hops().filter_map(address).collect(),
            number_len: strips().max().map_or(0, |strip| strip + 1)
                ..=known.iter().filter_map(len_max).min().unwrap_or(usize::MAX),
            numbers: strips().count(),
            stripped: strips().sum(),
            first_len: known.first().map_or(0, |fixed| fixed.len_around()),
            front_end,
            text: text.into(),
            contacts: contacts.into(),
        })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.contacts.len()
    }

    /// Whether each is a legal URI with a number of this length.
    #[must_use]
    pub fn has_room_for(&self, number_len: usize) -> bool {
        self.number_len.contains(&number_len)
    }

    /// Whether a URI with this host may be equal to one of them.
    #[must_use]
    pub fn may_have(&self, host: &[u8]) -> bool {
        !self.hosts.iter().all(|own| differ_in_host(own, host))
    }

    /// Whether a client sends one of them to a host of this name.
    #[must_use]
    pub fn leads_to_name(&self, name: &[u8]) -> bool {
        self.next_hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
    }

    /// Whether a client sends one of them to an address, not to a name.
    #[must_use]
    pub fn leads_to_addresses(&self) -> bool {
        !self.addresses.is_empty()
    }

    /// Whether a client sends one of them to this one.
    #[must_use]
    pub fn leads_to(&self, ip: IpAddr, port: u16) -> bool {
        self.addresses.contains(&(ip, port))
    }

    /// Length of the first URI with a number of this length.
    #[must_use]
    pub fn first_uri_len(&self, number_len: usize) -> usize {
        self.first_len + self.contacts.first().map_or(0, |contact| contact.number_len(number_len))
    }

    /// How many of them have no more bytes than this, with a number of this length.
    #[must_use]
    pub fn count_within(&self, bytes_max: usize, number_len: usize) -> usize {
        let whole = (self.text.len() + self.numbers * number_len).saturating_sub(self.stripped);
        if whole <= bytes_max { self.count() } else { self.count_within_less(bytes_max, number_len) }
    }

    #[cold]
    fn count_within_less(&self, bytes_max: usize, number_len: usize) -> usize {
        let mut numbers_len = 0;
        let fits = |contact: &&SealedContact| {
            numbers_len += contact.number_len(number_len);
            contact.end + numbers_len <= bytes_max
        };
        self.contacts.iter().take_while(fits).count()
    }

    /// Whether the Contact before them, the only one, may be written by [`SealedContacts::write_front`].
    #[must_use]
    #[inline]
    pub fn has_front(&self) -> bool {
        self.front_end.is_some()
    }

    /// Writes the Contact before them.
    pub fn write_front(&self, front: &FixedContact, number: &[u8], out: &mut Writer<'_>) {
        let end = self.front_end.as_deref().unwrap_or_default();
        out.put_all([FIRST, front.before_number(), number, front.behind_number(), end]);
    }

    /// Writes the first so many of them.
    #[inline(never)]
    pub fn write(&self, count: usize, number: &[u8], out: &mut Writer<'_>) {
        let text = |place| self.text.get(place).unwrap_or_default();
        let (mut from, mut end) = (0, 0);
        for contact in self.contacts.iter().take(count) {
            let number = contact.strip.and_then(|strip| number.get(strip..)).unwrap_or_default();
            out.put_all([text(from..contact.number_at), number]);
            (from, end) = (contact.number_at, contact.end);
        }
        out.put(text(from..end));
    }
}

impl SealedContact {
    /// Length of what stands in it of a number of this length.
    fn number_len(&self, number_len: usize) -> usize {
        self.strip.map_or(0, |strip| number_len.saturating_sub(strip))
    }
}

/// RFC 3261 §25.1 `qvalue`: at most three digits, none for nothing. The text and its length.
#[must_use]
pub fn q_text(q_milli: u16) -> ([u8; 5], usize) {
    if q_milli >= 1000 {
        return (*b"1    ", 1);
    }
    let digit = |divisor: u16| b'0' + (q_milli / divisor % 10) as u8;
    let text = [b'0', b'.', digit(100), digit(10), digit(1)];
    let len = match text {
        [.., b'0', b'0', b'0'] => 1,
        [.., b'0', b'0'] => 3,
        [.., b'0'] => 4,
        _ => 5,
    };
    (text, len)
}

const FIRST: &[u8] = b"Contact: <";
const NEXT: &[u8] = b", <";

/// A target that makes one Contact, or none.
struct One<'t> {
    fixed: Option<&'t FixedContact>,
    q_milli: Option<u16>,
    gateway: Option<GatewayId>,
}

impl<'t> One<'t> {
    fn of(target: &'t AnswerTarget, table: &'t RouteTable) -> Option<Self> {
        match target {
            AnswerTarget::Uri(contact) => {
                Some(Self { fixed: contact.fixed.as_ref(), q_milli: contact.q_milli, gateway: None })
            }
            AnswerTarget::Gateway(id) => Some(Self::of_gateway(*id, table)),
            AnswerTarget::Group(id) => match table.groups.get(*id)?.members.as_slice() {
                [only] => Some(Self::of_gateway(only.gateway, table)),
                _ => None,
            },
            AnswerTarget::LeastCost(_) | AnswerTarget::Locate(_) => None,
        }
    }

    fn of_gateway(id: GatewayId, table: &'t RouteTable) -> Self {
        let fixed = table.fixed.get(id).and_then(Option::as_ref);
        Self { fixed, q_milli: None, gateway: Some(id) }
    }
}

/// The last Contacts that are known and differ in their hosts.
fn last_known<'t>(ones: &[One<'t>]) -> Vec<&'t FixedContact> {
    let mut known: Vec<&FixedContact> = Vec::new();
    for one in ones.iter().rev() {
        let Some(fixed) = one.fixed.filter(|fixed| fixed.len_around() <= URI_BYTES_MAX) else { break };
        if !known.iter().all(|later| differ_in_host(later.host(), fixed.host())) {
            break;
        }
        known.push(fixed);
    }
    known.reverse();
    known
}

fn text_of(
    ones: &[One<'_>],
    known: &[&FixedContact],
    expires_s: Option<u32>,
    defaults: &Defaults,
) -> (Vec<u8>, Vec<SealedContact>) {
    let (mut text, mut contacts) = (Vec::new(), Vec::new());
    let mut rung = None;
    let q_milli = ones.iter().map(|one| {
        let q_milli = defaults.next_q(rung, one.q_milli);
        rung = Some(q_milli);
        q_milli
    });
    let first = ones.len() - known.len();
    for (at, (fixed, q_milli)) in known.iter().zip(q_milli.skip(first)).enumerate() {
        text.extend_from_slice(if first + at == 0 { FIRST } else { NEXT });
        text.extend_from_slice(fixed.before_number());
        let number_at = text.len();
        text.extend_from_slice(fixed.behind_number());
        text.extend(end_of(q_milli, fixed.expires_s.or(expires_s)));
        let strip = (fixed.number != NumberIn::Nothing).then_some(fixed.strip);
        contacts.push(SealedContact { number_at, end: text.len(), strip });
    }
    (text, contacts)
}

/// What stands behind the URI of a Contact.
fn end_of(q_milli: u16, expires_s: Option<u32>) -> Vec<u8> {
    let (q, q_len) = q_text(q_milli);
    let expires = expires_s.map(|expires_s| format!(";expires={expires_s}")).unwrap_or_default();
    [b">;q=", q.get(..q_len).unwrap_or_default(), expires.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_is_written_without_trailing_noughts() {
        for (q_milli, text) in
            [(1000, "1"), (990, "0.99"), (985, "0.985"), (900, "0.9"), (5, "0.005"), (10, "0.01"), (0, "0")]
        {
            let (written, len) = q_text(q_milli);
            assert_eq!(&written[..len], text.as_bytes(), "{q_milli}");
        }
    }
}
