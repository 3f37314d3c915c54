//! Pure. ENUM (RFC 6116): a number to URIs.
//!
//! In:    a number, the apexes and services a route wants, what DNS has told us so far.
//! Out:   URIs best first, the question that stands before them, or why there are none.
//! Never: asks for what is not an E.164 number, compiles an expression.
//!
//! Non-terminal NAPTRs (empty flags) are passed over.

use super::{DnsView, Failure, Kind, Record, Seen, Step, substitution::Expression};
use crate::{
    limits::{NAPTR_TRIED_MAX, URI_BYTES_MAX},
    sip::{Scheme, Uri, same_name},
};

/// Digits of an E.164 number: the shortest that has a country code and a subscriber, and ITU-T
/// E.164 §6.2.1.
const E164_DIGITS: std::ops::RangeInclusive<usize> = 2..=15;
/// Longest domain name, in bytes, with its final dot.
const DOMAIN_BYTES_MAX: usize = 254;

/// How a route looks numbers up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnumPlan {
    /// Apexes in the order they are tried, each with its final dot, in lower case.
    pub apexes: Vec<Box<str>>,
    /// Services wanted, in lower case without `E2U+`: `sip`, `pstn:sip`, `pstn:tel`, `sips`.
    pub services: Vec<Box<str>>,
    /// Time for all lookups of the request, in milliseconds.
    pub within_ms: u64,
}

/// What became of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnumResult {
    /// This many URIs were emitted.
    Found(usize),
    /// Not an E.164 number: never asked (RFC 6116 §3.7).
    NotE164,
    /// Every apex said that there is nothing usable.
    Nothing,
    /// No URI, and at least one apex could not be asked.
    Failed(Failure),
}

/// Looks `number` (`+` and digits) up under the apexes of `plan`, first apex with a usable record
/// wins, and emits its URIs best first. Nothing is emitted before [`Step::Ask`].
pub fn lookup(
    number: &[u8],
    plan: &EnumPlan,
    dns: &DnsView<'_>,
    emit: &mut dyn FnMut(&[u8]),
) -> Step<EnumResult> {
    let Some(digits) = e164_digits(number) else { return Step::Done(EnumResult::NotE164) };
    let mut failure = None;
    for apex in &plan.apexes {
        let mut room = [0; DOMAIN_BYTES_MAX];
        let Some(domain) = domain(digits, apex, &mut room) else {
            failure = failure.or(Some(Failure::Malformed));
            continue;
        };
        match dns.look_or_ask(domain, Kind::Naptr) {
            Err(question) => return Step::Ask(question),
            Ok(Seen::Found(records)) => {
                let records = records.iter().zip(dns.expressions(domain));
                match emit_uris(records, number, plan, emit) {
                    0 => {}
                    count => return Step::Done(EnumResult::Found(count)),
                }
            }
            Ok(Seen::Nothing(_) | Seen::Unknown) => {}
            Ok(Seen::Failed(why)) => failure = failure.or(Some(why)),
        }
    }
    Step::Done(failure.map_or(EnumResult::Nothing, EnumResult::Failed))
}

/// The digits of `+` and 2 to 15 digits.
fn e164_digits(number: &[u8]) -> Option<&[u8]> {
    let digits = number.strip_prefix(b"+")?;
    (E164_DIGITS.contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)).then_some(digits)
}

/// RFC 6116 §3.2: the digits in reverse, each with a dot, then the apex.
fn domain<'r>(digits: &[u8], apex: &str, room: &'r mut [u8; DOMAIN_BYTES_MAX]) -> Option<&'r str> {
    let labels = digits.iter().rev().flat_map(|digit| [*digit, b'.']);
    let mut len = 0_usize;
    for byte in labels.chain(apex.bytes()) {
        *room.get_mut(len)? = byte;
        len = len.checked_add(1)?;
    }
    std::str::from_utf8(room.get(..len)?).ok()
}

/// Emits the URIs of the records that are wanted; how many. They come sorted by the cache.
fn emit_uris<'r>(
    records: impl Iterator<Item = (&'r Record, &'r Option<Expression>)>,
    number: &[u8],
    plan: &EnumPlan,
    emit: &mut dyn FnMut(&[u8]),
) -> usize {
    let mut room = [0; URI_BYTES_MAX];
    let mut count = 0;
    // RFC 6116 §5.2: a record that cannot be used never ends the query. One of a worse order
    // counts too, as long as it can be used.
    let wanted = records.filter_map(|(record, expression)| match record {
        Record::Naptr(naptr) if naptr.is_terminal() && naptr.has_service(&plan.services) => Some(expression),
        _ => None,
    });
    for expression in wanted.take(NAPTR_TRIED_MAX).flatten() {
        if let Some(uri) = expression.apply(number, &mut room).and_then(callable) {
            emit(uri);
            count += 1;
        }
    }
    count
}

/// A result, when it is a URI that a call can go to, without the header fields after its `?`: the
/// caller would put them into its next request (RFC 3261 §19.1.5), and a zone is a stranger's. `None`
/// for `transport=tls`, which a redirect server must not use (RFC 5630 §5.4), and for a URI with a
/// parameter that stands twice, which could hide it.
fn callable(result: &[u8]) -> Option<&[u8]> {
    let uri = Uri::parse(result).filter(|uri| !uri.has_double_param())?;
    let secure = uri.param(b"transport").flatten().is_some_and(|transport| same_name(transport, b"tls"));
    match uri.scheme {
        Scheme::Sip | Scheme::Sips if secure => None,
        // A user may have `?` in it, host and parameters may not: what is left after them is ours to cut.
        Scheme::Sip | Scheme::Sips => {
            let end = result.len().checked_sub(uri.headers.len())?;
            let kept = result.get(..end)?;
            Some(kept.strip_suffix(b"?").unwrap_or(kept))
        }
        // RFC 3966 §5.1.5, §5.4: nobody could place a call to it.
        Scheme::Tel => (!uri.lacks_phone_context() && !uri.has_mandatory_param()).then_some(result),
        Scheme::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dns::{Answer, Cache, Naptr, Nothing, Question, ere::COMPILED},
        limits::NAPTR_COMPILATIONS_MAX,
    };

    const NUMBER: &str = "+441632960083";
    const DOMAIN: &str = "3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa.";

    fn naptr(order: u16, preference: u16, flags: &str, services: &str, regexp: &str) -> Record {
        Record::Naptr(Naptr {
            order,
            preference,
            flags: flags.as_bytes().into(),
            services: services.as_bytes().into(),
            regexp: regexp.as_bytes().into(),
            replacement: ".".into(),
        })
    }

    fn sip(order: u16, preference: u16, uri: &str) -> Record {
        naptr(order, preference, "u", "E2U+sip", &format!("!^.*$!{uri}!"))
    }

    fn plan(apexes: &[&str]) -> EnumPlan {
        EnumPlan {
            apexes: apexes.iter().map(|apex| (*apex).into()).collect(),
            services: vec!["sip".into(), "pstn:sip".into(), "pstn:tel".into()],
            within_ms: 400,
        }
    }

    fn cache(answers: &[(&str, Answer)]) -> Cache {
        let mut cache = Cache::new();
        for (name, answer) in answers {
            cache.insert(Question::new(name, Kind::Naptr).unwrap(), answer.clone(), 0);
        }
        cache
    }

    fn found(records: &[Record]) -> Answer {
        Answer::Found { records: records.to_vec(), ttl_s: 60 }
    }

    fn run(number: &str, plan: &EnumPlan, cache: &Cache, give_up: bool) -> (Step<EnumResult>, Vec<String>) {
        let mut uris = Vec::new();
        let dns = DnsView { cache, now_ms: 0, give_up };
        let step = lookup(number.as_bytes(), plan, &dns, &mut |uri| {
            uris.push(String::from_utf8_lossy(uri).into_owned());
        });
        (step, uris)
    }

    fn uris_of(records: &[Record]) -> Vec<String> {
        run(NUMBER, &plan(&["e164.arpa."]), &cache(&[(DOMAIN, found(records))]), false).1
    }

    #[test]
    fn no_more_records_are_tried_than_the_limit() {
        let records: Vec<_> = (0..=NAPTR_TRIED_MAX)
            .map(|number| sip(100, u16::try_from(number).unwrap(), &format!("sip:r{number}@example.net")))
            .collect();
        assert_eq!(uris_of(&records[..NAPTR_TRIED_MAX]).len(), NAPTR_TRIED_MAX);
        assert_eq!(uris_of(&records).len(), NAPTR_TRIED_MAX);
    }

    #[test]
    fn only_e164_numbers_are_asked_for() {
        let plan = plan(&["e164.arpa."]);
        let cache = Cache::new();
        for number in
            ["", "+", "+4", "441632960083", "+44 1632", "+44a", "+1234567890123456", "112", "++44", "+44+"]
        {
            let step = run(number, &plan, &cache, false).0;
            assert_eq!(step, Step::Done(EnumResult::NotE164), "{number}");
        }
        for number in ["+44", "+123456789012345"] {
            assert!(matches!(run(number, &plan, &cache, false).0, Step::Ask(_)), "{number}");
        }
    }

    #[test]
    fn a_number_is_asked_for_under_its_domain() {
        let (step, uris) = run(NUMBER, &plan(&["e164.arpa."]), &Cache::new(), false);
        assert_eq!(step, Step::Ask(Question::new(DOMAIN, Kind::Naptr).unwrap()));
        assert!(uris.is_empty());
    }

    #[test]
    fn uris_come_by_order_then_preference_then_as_they_came() {
        let records = [
            sip(101, 1, "sip:e@x"),
            sip(100, 20, "sip:c@x"),
            sip(100, 20, "sip:d@x"),
            sip(100, 10, "sip:b@x"),
            sip(99, 90, "sip:a@x"),
        ];
        assert_eq!(uris_of(&records), ["sip:a@x", "sip:b@x", "sip:c@x", "sip:d@x", "sip:e@x"]);
    }

    #[test]
    fn a_record_that_cannot_be_used_ends_nothing() {
        let records = [
            naptr(1, 1, "", "E2U+sip", "!^.*$!sip:no@x!"),
            naptr(1, 2, "s", "E2U+sip", "!^.*$!sip:no@x!"),
            naptr(1, 3, "u", "E2U+email:mailto", "!^.*$!mailto:no@x!"),
            naptr(1, 4, "u", "SIP+D2U", "!^.*$!sip:no@x!"),
            naptr(1, 5, "u", "E2U+sip", "!^.*$!no uri!"),
            naptr(1, 6, "u", "E2U+sip", "!^.*$!https://no.example!"),
            naptr(1, 7, "u", "E2U+pstn:tel", "!^.*$!mcc=310;mnc=012!"),
            naptr(1, 8, "u", "E2U+sip", "!^\\+1!sip:no@x!"),
            naptr(1, 9, "u", "E2U+sip", "!^.*$!sip:no@x\r\nEvil: 1!"),
            naptr(9, 9, "U", "e2u+SIP", "!^.*$!sip:yes@x!"),
        ];
        assert_eq!(uris_of(&records), ["sip:yes@x"]);
    }

    #[test]
    fn expressions_are_compiled_once_when_their_answer_comes() {
        let plan = plan(&["e164.arpa."]);
        // None of the plain form.
        let record = naptr(1, 1, "u", "E2U+sip", r"!^\+44([0-9]+)$!sip:\1@x!");
        let before = COMPILED.get();
        let cache = cache(&[(DOMAIN, found(&vec![record; NAPTR_COMPILATIONS_MAX + 1]))]);
        assert_eq!(COMPILED.get() - before, NAPTR_COMPILATIONS_MAX);
        for number in [NUMBER, NUMBER, "+441"] {
            let step = run(number, &plan, &cache, true).0;
            let all = Step::Done(EnumResult::Found(NAPTR_COMPILATIONS_MAX));
            assert_eq!(step == all, number == NUMBER, "{number}");
        }
        assert_eq!(COMPILED.get() - before, NAPTR_COMPILATIONS_MAX);
    }

    #[test]
    fn what_enum_cannot_use_is_not_compiled() {
        let before = COMPILED.get();
        let odd = r"!^\+44([0-9]+)$!sip:\1@x!";
        let records = [
            naptr(1, 1, "", "E2U+sip", odd),
            naptr(1, 2, "u", "SIP+D2U", odd),
            sip(1, 3, "sip:a@x"),
            naptr(1, 4, "u", "E2U+sip", "!^.*$!no end"),
        ];
        assert_eq!(uris_of(&records), ["sip:a@x"]);
        assert_eq!(COMPILED.get(), before);
    }

    #[test]
    fn hostile_expressions_are_passed_over_after_the_limit_and_plain_ones_are_not() {
        let odd = |uri: &str| naptr(1, 1, "u", "E2U+sip", &format!(r"!^\+(4|5)4!{uri}!"));
        let hostile = naptr(1, 1, "u", "E2U+sip", "!((a{100}){100}){100}!sip:no@x!");
        for (before, expected) in [
            (NAPTR_COMPILATIONS_MAX - 1, &["sip:odd@x", "sip:plain@x"][..]),
            (NAPTR_COMPILATIONS_MAX, &["sip:plain@x"]),
        ] {
            let mut records = vec![hostile.clone(); before];
            records.extend([odd("sip:odd@x"), sip(2, 1, "sip:plain@x")]);
            assert_eq!(uris_of(&records), expected, "{before}");
        }
    }

    #[test]
    fn a_zone_cannot_put_header_fields_into_the_next_request() {
        for (uri, kept) in [
            ("sip:a@x?Route=%3Csip:evil%3E", "sip:a@x"),
            ("sips:a@x:5061;lr?Replaces=a&body=b", "sips:a@x:5061;lr"),
            ("sip:a?b@x?Require=c?d", "sip:a?b@x"),
            ("sip:a@x?", "sip:a@x"),
            ("sip:x?a=b", "sip:x"),
            ("sip:a?b@x", "sip:a?b@x"),
            ("sip:a?@x", "sip:a?@x"),
            ("sip:a@x;p=%3F", "sip:a@x;p=%3F"),
        ] {
            assert_eq!(uris_of(&[sip(1, 1, uri)]), [kept], "{uri}");
        }
    }

    #[test]
    fn a_tel_uri_that_nobody_could_place_a_call_to_is_passed_over() {
        for uri in ["tel:7042", "tel:7042;ext=1", "tel:+44;m-new=1", "tel:+44;M-NEW"] {
            assert_eq!(uris_of(&[sip(1, 1, uri), sip(1, 2, "sip:b@x")]), ["sip:b@x"], "{uri}");
        }
        for uri in ["tel:7042;phone-context=example.net", "tel:+44;ext=1"] {
            assert_eq!(uris_of(&[sip(1, 1, uri)]), [uri], "{uri}");
        }
    }

    #[test]
    fn transport_tls_is_passed_over_and_sips_is_not() {
        for uri in [
            "sip:a@x;transport=tls",
            "sip:a@x;Transport=TLS",
            "sip:a@x;tr%61nsport=%74ls",
            "sips:a@x;transport=tls",
            "sip:a@x;transport=tls?a=b",
            "sip:a@x;transport=tcp;transport=tls",
        ] {
            assert_eq!(uris_of(&[sip(1, 1, uri), sip(1, 2, "sip:b@x")]), ["sip:b@x"], "{uri}");
        }
        for uri in ["sips:a@x", "sips:a@x;transport=tcp", "sip:a;transport=tls@x", "sip:a@x;transport"] {
            assert_eq!(uris_of(&[sip(1, 1, uri)]), [uri], "{uri}");
        }
    }

    #[test]
    fn services_may_be_compound_obsolete_or_several() {
        let records = [
            naptr(1, 1, "u", "E2U+voice:tel+pstn:tel", r"!^(.*)$!tel:\1!"),
            naptr(1, 2, "u", "sip+E2U", r"!^\+44(.*)$!sip:\1@gw.example!"),
            naptr(1, 3, "u", "E2U+pstn:sip", r"!^(.*)$!sip:\1;npdi;rn=+441632@gw.example;user=phone!"),
        ];
        let expected = [
            "tel:+441632960083",
            "sip:1632960083@gw.example",
            "sip:+441632960083;npdi;rn=+441632@gw.example;user=phone",
        ];
        assert_eq!(uris_of(&records), expected);
    }

    #[test]
    fn the_first_apex_with_a_usable_record_wins() {
        let plan = plan(&["a.example.", "b.example.", "c.example."]);
        let name = |apex: &str| DOMAIN.replace("e164.arpa.", apex);
        let nothing = Answer::Nothing { why: Nothing::NxDomain, ttl_s: 60 };
        let unusable = found(&[naptr(1, 1, "u", "E2U+email:mailto", "!^.*$!mailto:a@x!")]);
        let failed = Answer::Failed(Failure::ServFail);
        let (a, b, c) = (name("a.example."), name("b.example."), name("c.example."));
        let table = [
            (vec![(&*a, found(&[sip(1, 1, "sip:a@x")]))], Step::Done(EnumResult::Found(1))),
            (vec![(&*a, nothing.clone())], Step::Ask(Question::new(&b, Kind::Naptr).unwrap())),
            (vec![(&*a, unusable), (&*b, found(&[sip(1, 1, "sip:b@x")]))], Step::Done(EnumResult::Found(1))),
            (
                vec![(&*a, failed.clone()), (&*b, found(&[sip(1, 1, "sip:b@x"), sip(1, 2, "sip:c@x")]))],
                Step::Done(EnumResult::Found(2)),
            ),
            (
                vec![(&*a, nothing.clone()), (&*b, failed), (&*c, nothing.clone())],
                Step::Done(EnumResult::Failed(Failure::ServFail)),
            ),
            (
                vec![(&*a, nothing.clone()), (&*b, nothing.clone()), (&*c, nothing)],
                Step::Done(EnumResult::Nothing),
            ),
        ];
        for (answers, expected) in table {
            assert_eq!(run(NUMBER, &plan, &cache(&answers), false).0, expected, "{answers:?}");
        }
    }

    #[test]
    fn giving_up_is_a_timeout() {
        let step = run(NUMBER, &plan(&["e164.arpa."]), &Cache::new(), true).0;
        assert_eq!(step, Step::Done(EnumResult::Failed(Failure::Timeout)));
    }

    #[test]
    fn an_apex_that_makes_the_name_too_long_cannot_be_asked() {
        let label = "a".repeat(63);
        let apex = format!("{label}.{label}.{label}.{}.", "a".repeat(37));
        let longest = format!("{label}.{label}.{label}.{}.", "a".repeat(38));
        let short = run(NUMBER, &plan(&[&apex]), &Cache::new(), false).0;
        assert!(matches!(short, Step::Ask(_)), "{short:?}");
        let long = run(NUMBER, &plan(&[&longest]), &Cache::new(), false).0;
        assert_eq!(long, Step::Done(EnumResult::Failed(Failure::Malformed)));
    }
}
