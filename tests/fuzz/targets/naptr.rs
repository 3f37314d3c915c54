//! Target `naptr`: a zone's answer to an ENUM question. First line the number, then four lines for each
//! record: its order, which is the line's first byte, flags, services, regexp.

use waypost::{
    dns::{
        Answer, Apex, Cache, DnsView, EnumPlan, EnumResult, Kind, Naptr, Question, Record, Results, Step,
        lookup,
    },
    limits::{DNS_RECORDS_MAX, QUESTIONS_PER_REQUEST_MAX, URI_BYTES_MAX},
    sip::{Scheme, Uri},
};

pub fn check(bytes: &[u8]) {
    let mut lines = bytes.split(|&byte| byte == b'\n');
    let number = lines.next().unwrap_or_default();
    let lines: Vec<_> = lines.collect();
    let records: Vec<_> = lines.chunks(4).take(DNS_RECORDS_MAX + 1).map(record).collect();
    let (result, uris) = found(number, &records);
    // A record of another type, and one that nobody wants, change nothing where there are records: an
    // answer without any is no data, one whose records are of no use is unusable.
    let more: Vec<_> = records
        .iter()
        .cloned()
        .chain([Record::A([192, 0, 2, 1].into()), of(u16::MAX, b"", b"", b"")])
        .collect();
    if (1..DNS_RECORDS_MAX).contains(&records.len()) {
        assert_eq!((result, &uris), (found(number, &more).0, &found(number, &more).1));
    }
    for uri in uris {
        assert!(uri.len() <= URI_BYTES_MAX);
        let read = Uri::parse(&uri).expect("a URI");
        assert!(matches!(read.scheme, Scheme::Sip | Scheme::Sips | Scheme::Tel));
        assert!(read.headers.is_empty() && !read.has_double_param());
        assert!(!read.param(b"transport").flatten().is_some_and(|value| value.eq_ignore_ascii_case(b"tls")));
    }
}

fn record(lines: &[&[u8]]) -> Record {
    let line = |at: usize| lines.get(at).copied().unwrap_or_default();
    let order = line(0).first().copied().unwrap_or_default();
    of(order.into(), line(1), line(2), line(3))
}

fn of(order: u16, flags: &[u8], services: &[u8], regexp: &[u8]) -> Record {
    Record::Naptr(Naptr {
        order,
        preference: 10,
        flags: flags.into(),
        services: services.into(),
        regexp: regexp.into(),
        replacement: ".".into(),
    })
}

fn found(number: &[u8], records: &[Record]) -> (EnumResult, Vec<Vec<u8>>) {
    let apex = |name: &str| Apex {
        name: name.into(),
        upstream: None,
        services: vec!["sip".into(), "pstn:tel".into()],
        within_ms: None,
        branch: None,
    };
    let apexes = vec![apex("e164.example.net."), apex("e164.example.org.")];
    let plan =
        EnumPlan { apexes, parallel: number.len().is_multiple_of(2), within_ms: 400, results: Results::Uris };
    let mut cache = Cache::new();
    for round in 0.. {
        let mut uris = Vec::new();
        let dns = DnsView::new(&cache, 0);
        match lookup(number, &plan, &dns, &mut |uri| uris.push(uri.to_vec())) {
            Step::Done(result) => {
                let count = if let EnumResult::Found(count) = result { count } else { 0 };
                assert_eq!(count, uris.len());
                return (result, uris);
            }
            Step::Ask(ask) => {
                assert!(uris.is_empty() && round < QUESTIONS_PER_REQUEST_MAX && !ask.questions.is_empty());
                for question in ask.questions {
                    assert_eq!(question.kind(), Kind::Naptr);
                    assert_eq!(Question::new(question.name(), Kind::Naptr), Some(question.clone()));
                    let answer = Answer::Found { records: records.to_vec(), ttl_s: 60 };
                    cache.insert(question, answer, 0);
                }
            }
        }
    }
    unreachable!()
}
