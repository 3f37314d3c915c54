//! Pure. What a NAPTR record makes of a number: a rule (RFC 3402 §2), read when its answer comes, for it may be
//! followed by every call until its end.
//!
//! In:    the records of an answer; later, a number.
//! Out:   the result; where a call is to go to it, the URI, read.
//! Never: reads a URI again that is known but for the number in it.

use super::{Answer, Naptr, Record, callable::callable, substitution::Expression};
use crate::{
    limits::NAPTR_COMPILATIONS_MAX,
    sip::{Uri, UriOutline},
};

/// The rule of a record.
#[derive(Debug)]
pub(super) struct Rule {
    expression: Expression,
    has_one_service: bool,
    /// Of its results, where a call can go to each that has one.
    outline: Option<UriOutline>,
}

/// The rules of an answer's records, one for each in their order: `None` for a record that has no expression, or
/// none that ENUM can use. No more than [`NAPTR_COMPILATIONS_MAX`] are compiled, for they come from a stranger.
pub(super) fn rules(answer: &Answer) -> Box<[Option<Rule>]> {
    let Answer::Found { records, .. } = answer else { return Box::default() };
    let mut compilations = NAPTR_COMPILATIONS_MAX;
    let of_record = |record: &Record| match record {
        Record::Naptr(naptr) if naptr.is_terminal() && naptr.enumservices().next().is_some() => {
            Rule::read(naptr, &mut compilations)
        }
        _ => None,
    };
    if records.iter().any(|record| matches!(record, Record::Naptr(_))) {
        records.iter().map(of_record).collect()
    } else {
        Box::default()
    }
}

impl Rule {
    fn read(naptr: &Naptr, compilations: &mut usize) -> Option<Self> {
        let expression = Expression::read(&naptr.regexp, compilations)?;
        let outline = expression.replacement().with_digit().and_then(|(result, number_at)| {
            callable(&result)?;
            UriOutline::of(&result, number_at)
        });
        Some(Self { expression, has_one_service: naptr.has_one_service(), outline })
    }

    /// Whether its record has a service that is wanted; see [`Naptr::has_service`].
    pub(super) fn is_of(&self, record: &Naptr, wanted: &[Box<str>]) -> bool {
        if self.has_one_service { record.has_the_service(wanted) } else { record.has_service(wanted) }
    }

    /// The result for `number`, an E.164 number with its `+`, at the start of `room`.
    pub(super) fn result<'r>(&self, number: &[u8], room: &'r mut [u8]) -> Option<&'r [u8]> {
        self.expression.apply(number, room)
    }

    /// The same when it is a URI that a call can go to.
    pub(super) fn uri<'r>(&self, number: &[u8], room: &'r mut [u8]) -> Option<(&'r [u8], Uri<'r>)> {
        let result = self.result(number, room)?;
        // Whatever group of the number it has in it: digits, or `+` and digits.
        let known = self.outline.and_then(|outline| outline.read(result));
        known.map(|uri| (result, uri)).or_else(|| callable(result))
    }

    /// See [`Expression::tolerated_plus`].
    pub(super) fn tolerated_plus(&self) -> bool {
        self.expression.tolerated_plus()
    }

    /// Memory taken, in bytes, besides its own.
    pub(super) fn heap_bytes(&self) -> usize {
        self.expression.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::URI_BYTES_MAX;

    fn record(regexp: &str) -> Naptr {
        Naptr {
            order: 1,
            preference: 1,
            flags: b"u".as_slice().into(),
            services: b"E2U+sip".as_slice().into(),
            regexp: regexp.as_bytes().into(),
            replacement: ".".into(),
        }
    }

    #[test]
    fn what_is_known_of_a_result_is_what_would_be_read_of_it() {
        for (regexp, is_known) in [
            (r"!^(.*)$!sip:\1@sbc.example.net!", true),
            (r"!^\+44(.*)$!sips:0\1@h:5061;transport=tcp!", true),
            (r"!^\+(44)?([0-9]+)$!sip:\2;npdi@h;user=phone!", true),
            (r"!^\+441632960083(.*)$!sip:\1@h!", true),
            (r"!^\+441632960083(.*)$!sip:a\1@h!", true),
            ("!^.*$!sip:a;x=%20@h;lr!", true),
            // No URI, or none that a call can go to, or not with every number.
            (r"!^(.*)$!sip:%4\1@h!", false),
            (r"!^(.*)$!sip:a;\1@h!", false),
            (r"!^(.*)$!sip:a@h\1!", false),
            (r"!^(.*)$!sip:\1@h;transport=tls!", false),
            (r"!^(.*)$!sip:\1@h;lr;lr!", false),
            (r"!^(.*)$!sip:\1@h?x=y!", false),
            (r"!^(.*)$!sip:\1@h?!", false),
            (r"!^(.*)$!tel:\1!", false),
            (r"!^(.*)$!mailto:\1@h!", false),
            (r"!^(.*)$!\1!", false),
            (r"!^(.*)$!sip:\2@h!", true),
            (r"!^(.*)$!sip:\1\1@h!", false),
            ("!^.*$!sip:h!", false),
        ] {
            let rule = Rule::read(&record(regexp), &mut 1).unwrap();
            assert_eq!(rule.outline.is_some(), is_known, "{regexp}");
            for number in ["+441632960083", "+44", "+123456789012345"] {
                let (mut room, mut other) = ([0; URI_BYTES_MAX], [0; URI_BYTES_MAX]);
                let expected = rule.result(number.as_bytes(), &mut other).and_then(callable);
                assert_eq!(rule.uri(number.as_bytes(), &mut room), expected, "{regexp} {number}");
            }
        }
    }
}
