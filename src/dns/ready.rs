//! Pure. What the rules of an answer make of the number that its name stands for: made once, when the answer comes, for
//! every call to that number will have it.
//!
//! In:    a name, and the records of its answer with their rules; later, a number and the services wanted.
//! Out:   the URIs that the rules would make, and where they lead.
//! Never: of an answer with a record that leads on to another name, or has several services: those are looked at call by call.

use std::{hint::black_box, ops::Range};

use super::{
    Answer, Found, Record, ahead::touch_lines, enum_lookup::E164_DIGITS, name_key::digit_labels,
    naptr::is_one_of, rule::Rule,
};
use crate::{
    limits::{NAPTR_TRIED_MAX, URI_BYTES_MAX},
    sip::{Destination, Uri, differ_in_host},
};

/// Room for the longest number, with its `+`.
const NUMBER_ROOM: usize = 1 + *E164_DIGITS.end();

/// The URIs of a number. All that a call looks at lies side by side.
#[derive(Debug)]
pub(super) struct Ready {
    number: [u8; NUMBER_ROOM],
    number_len: usize,
    records: Box<[OfRecord]>,
    /// Service and URI of each, end to end.
    text: Box<[u8]>,
    /// Whether all are of one service and lead to different names.
    are_alike: bool,
}

/// What becomes of one record.
#[derive(Debug)]
struct OfRecord {
    /// Where they end in the text; there is no URI where no call can go to what the rule makes.
    service_end: u32,
    uri_end: u32,
    /// Of one that leads to a name; others are read again.
    destination: Option<Destination>,
}

impl Ready {
    /// `None` says nothing: then the rules are to be applied.
    pub(super) fn of(name: &str, answer: &Answer, rules: &[Option<Rule>]) -> Option<Self> {
        let Answer::Found { records, .. } = answer else { return None };
        let (number, number_len) = number_of(name)?;
        let digits = number.get(..number_len)?;
        let (mut all, mut text) = (Vec::with_capacity(records.len()), Vec::new());
        let mut room = [0; URI_BYTES_MAX];
        for (record, rule) in records.iter().zip(rules) {
            let (Record::Naptr(naptr), Some(rule)) = (record, rule) else { return None };
            text.extend_from_slice(naptr.the_service()?);
            let service_end = u32::try_from(text.len()).ok()?;
            let uri = rule.uri(digits, &mut room).map(|(uri, _)| uri);
            text.extend_from_slice(uri.unwrap_or_default());
            let uri_end = u32::try_from(text.len()).ok()?;
            let destination = uri.and_then(Destination::of).filter(Destination::is_name);
            all.push(OfRecord { service_end, uri_end, destination });
        }
        let (is_whole, are_alike) = (rules.len() == records.len(), are_alike(&all, &text));
        let (records, text) = (all.into(), text.into());
        is_whole.then_some(Self { number, number_len, records, text, are_alike })
    }

    /// Whether it is what the rules make of the number that has these digits.
    pub(super) fn is_of(&self, digits: &[u8]) -> bool {
        self.number.get(1..self.number_len) == Some(digits)
    }

    /// All URIs, where each is of a service that is wanted and they lead to different names.
    pub(super) fn together(&self, wanted: &[Box<str>]) -> Option<Together<'_>> {
        let all = Together { records: &self.records, text: &self.text };
        let (service, ..) = parts(&self.records, &self.text).next()?;
        (self.are_alike && is_one_of(service, wanted)).then_some(all)
    }

    /// For each record with one of the services that are wanted, in their order: what its rule makes of the number;
    /// `None` where it makes no URI that a call can go to. Until `take` says no.
    pub(super) fn each(&self, wanted: &[Box<str>], take: &mut impl FnMut(Option<Found<'_, '_>>) -> bool) {
        for (service, uri, destination) in parts(&self.records, &self.text) {
            if !is_one_of(service, wanted) {
                continue;
            }
            let goes_on = match destination {
                _ if uri.is_empty() => take(None),
                Some(destination) => take(Some(Found::Leading(uri, destination))),
                None => take(Uri::parse(uri).as_ref().map(|read| Found::Uri(uri, read))),
            };
            if !goes_on {
                return;
            }
        }
    }

    /// How many records it is of.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Reads all that a call looks at.
    pub(super) fn touch(&self) {
        self.records.iter().for_each(|record| {
            black_box((record.uri_end, record.destination.is_some()));
        });
        touch_lines(&self.text);
    }

    /// Memory taken, in bytes, besides its own.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.records) + self.text.len()
    }
}

/// URIs that lead to different names, in one text.
#[derive(Clone, Copy, Debug)]
pub struct Together<'r> {
    records: &'r [OfRecord],
    text: &'r [u8],
}

impl<'r> Together<'r> {
    /// How many.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Where they stand, among other things.
    #[must_use]
    #[inline]
    pub fn text(&self) -> &'r [u8] {
        self.text
    }

    /// The place of each in the text, and where it leads.
    #[inline]
    pub fn each(&self) -> impl Iterator<Item = (Range<usize>, &'r Destination)> {
        self.records.iter().filter_map(|record| {
            let place = record.service_end as usize..record.uri_end as usize;
            Some((place, record.destination.as_ref()?))
        })
    }
}

/// Service and URI of each, and where that leads.
#[inline]
fn parts<'r>(
    records: &'r [OfRecord],
    text: &'r [u8],
) -> impl Iterator<Item = (&'r [u8], &'r [u8], Option<&'r Destination>)> {
    let mut start = 0;
    records.iter().map(move |record| {
        let (service_end, uri_end) = (record.service_end as usize, record.uri_end as usize);
        let service = text.get(start..service_end).unwrap_or_default();
        let uri = text.get(service_end..uri_end).unwrap_or_default();
        start = uri_end;
        (service, uri, record.destination.as_ref())
    })
}

/// Whether all these are of one service and lead to different names; not where there are more than are tried.
fn are_alike(records: &[OfRecord], text: &[u8]) -> bool {
    let Some((first, ..)) = parts(records, text).next() else { return false };
    let mut hosts: Vec<&[u8]> = Vec::with_capacity(NAPTR_TRIED_MAX);
    records.len() <= NAPTR_TRIED_MAX
        && parts(records, text).all(|(service, uri, destination)| {
            let host = destination.map(|destination| destination.host(uri));
            let is_other = host.is_some_and(|host| hosts.iter().all(|other| differ_in_host(host, other)));
            hosts.extend(host);
            is_other && service.eq_ignore_ascii_case(first)
        })
}

/// The number that a name stands for, when its digits stand together (RFC 6116 §3.2); and its length.
fn number_of(name: &str) -> Option<([u8; NUMBER_ROOM], usize)> {
    let labels = digit_labels(name);
    let mut number = [b'+'; NUMBER_ROOM];
    let places = number.get_mut(1..=labels.len())?;
    for (place, [digit, _]) in places.iter_mut().rev().zip(labels) {
        *place = *digit;
    }
    (!labels.is_empty()).then_some((number, labels.len() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Naptr, rule::rules};

    const NAME: &str = "3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa.";
    const NUMBER: &[u8] = b"+441632960083";

    fn naptr(flags: &str, services: &str, regexp: &str) -> Naptr {
        Naptr {
            order: 1,
            preference: 1,
            flags: flags.as_bytes().into(),
            services: services.as_bytes().into(),
            regexp: regexp.as_bytes().into(),
            replacement: "other.example.".into(),
        }
    }

    fn found(records: &[Naptr]) -> Answer {
        Answer::Found { records: records.iter().cloned().map(Record::Naptr).collect(), ttl_s: 60 }
    }

    #[test]
    fn what_is_ready_is_what_the_rules_make() {
        let records = [
            ("E2U+sip", r"!^(.*)$!sip:\1@a.example.net!"),
            ("e2u+SIP", r"!^\+44(.*)$!sip:0\1@b.example.net:5061;transport=tcp?x=y!"),
            ("E2U+sip", "!^.*$!sip:host.example.net!"),
            // Another number's, and no URI that a call can go to.
            ("E2U+sip", r"!^\+1(.*)$!sip:\1@c.example.net!"),
            ("E2U+sip", "!^.*$!mailto:a@d.example.net!"),
            ("E2U+pstn:tel", r"!^(.*)$!tel:\1;npdi!"),
            ("E2U+pstn:sip", r"!^(\+44)(.*)$!sip:\2;x\1@[2001:db8::1]!"),
        ]
        .map(|(services, regexp)| naptr("u", services, regexp));
        let answer = found(&records);
        let rules = rules(&answer);
        let ready = Ready::of(NAME, &answer, &rules).expect("records of one service each");
        assert!(ready.is_of(&NUMBER[1..]) && !ready.is_of(b"44163296008") && !ready.is_of(b"441632960084"));
        for wanted in [&["sip"][..], &["pstn:tel"], &["pstn:sip", "sip"], &["sips"], &[]] {
            let wanted: Vec<Box<str>> = wanted.iter().map(|name| (*name).into()).collect();
            let mut room = [0; URI_BYTES_MAX];
            let mut expected = Vec::new();
            for (record, rule) in records.iter().zip(&rules) {
                let rule = rule.as_ref().expect("an expression");
                if rule.is_of(record, &wanted) {
                    expected.push(rule.uri(NUMBER, &mut room).map(|(uri, _)| uri.to_vec()));
                }
            }
            let mut made = Vec::new();
            ready.each(&wanted, &mut |one| {
                made.push(one.map(|found| match found {
                    Found::Uri(uri, read) if Some(*read) == Uri::parse(uri) => uri.to_vec(),
                    Found::Leading(uri, to) if Some(*to) == Destination::of(uri) => uri.to_vec(),
                    other => panic!("{other:?}"),
                }));
                true
            });
            assert_eq!(made, expected, "{wanted:?}");
        }
    }

    #[test]
    fn what_has_to_be_looked_at_is_not_ready() {
        let usual = || naptr("u", "E2U+sip", r"!^(.*)$!sip:\1@h!");
        for (what, name, records, is_ready) in [
            ("a usual record", NAME, vec![usual()], true),
            ("one that leads on", NAME, vec![usual(), naptr("", "", "")], false),
            ("several services", NAME, vec![naptr("u", "E2U+sip+voice:tel", r"!^(.*)$!sip:\1@h!")], false),
            ("no expression", NAME, vec![usual(), naptr("u", "E2U+sip", "!")], false),
            ("a name that is no number", "a.example.", vec![usual()], false),
        ] {
            let answer = found(&records);
            assert_eq!(Ready::of(name, &answer, &rules(&answer)).is_some(), is_ready, "{what}");
        }
    }

    #[test]
    fn the_number_of_a_name() {
        let text = |(number, len): ([u8; NUMBER_ROOM], usize)| {
            String::from_utf8(number[..len].into()).expect("digits")
        };
        for (name, expected) in [
            ("3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa.", Some("+441632960083")),
            ("5.4.3.2.1.0.9.8.7.6.5.4.3.2.1.e164.arpa.", Some("+123456789012345")),
            ("6.5.4.3.2.1.0.9.8.7.6.5.4.3.2.1.e164.arpa.", Some("+234567890123456")),
            ("1.", Some("+1")),
            ("1", None),
            ("", None),
            ("e164.arpa.", None),
            // Digits of a branch, or of an apex, make another number than was asked for.
            ("3.8.i.4.4.e164.arpa.", Some("+83")),
            ("3.8.44.e164.arpa.", Some("+83")),
        ] {
            assert_eq!(number_of(name).map(text).as_deref(), expected, "{name}");
        }
    }
}
