//! What holds of buckets, budgets, ages and shares, whatever the order of events.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::{
    config::Rate,
    limits::{
        BUDGET_BURST_MIN, BUDGET_RESERVE_SHARE, EMERGENCY_NUMBERS_MAX, LISTENERS_MAX, OC_SEQ_FRACTION_MAX,
        OC_WINDOW_MS, QUEUE_AGE_MS_BELIEVED, QUEUE_AGE_MS_SILENT, REFUSAL_TIME_NS_MEMORY, REFUSAL_TIME_SHARE,
        RETRY_AFTER_S_MAX, SOURCES_MAX, SOURCES_PER_SET,
    },
};

const KEYS: Keys = Keys { of_answers: [1; 16], of_table: [2; 16] };

fn rate(per_s: u32, burst: u32) -> Rate {
    Rate { per_s, burst }
}

fn at(ms: u64) -> Now {
    Now { ms, unix_s: 1_800_000_000 + (ms / 1000) as i64 }
}

fn source(number: u32) -> IpAddr {
    Ipv4Addr::from(0x0a00_0000 + number).into()
}

proptest! {
    #[test]
    fn a_bucket_never_gives_more_than_burst_and_rate(
        per_s in 1_u32..2000,
        burst in 1_u32..500,
        pauses in proptest::collection::vec(0_u64..40, 1..2000),
    ) {
        let mut bucket = Bucket::full(rate(per_s, burst));
        let (mut now_ms, mut given) = (0, 0_u64);
        for pause in pauses {
            now_ms += pause;
            given += u64::from(bucket.take(0, now_ms));
            prop_assert!(given * 1000 <= u64::from(burst) * 1000 + now_ms * u64::from(per_s));
        }
    }

    #[test]
    fn a_source_gets_no_more_whatever_others_ask(
        per_s in 1_u32..100,
        burst in 2_u32..50,
        others in proptest::collection::vec(0_u32..1_000_000, 0..3000),
    ) {
        let mut sources = Sources::new(rate(per_s, burst), KEYS.of_table);
        let (mut now_ms, mut given) = (0, 0_u64);
        for other in others {
            now_ms += 1;
            // It asks without a pause, and forges others between.
            for _ in 0..3 {
                given += u64::from(sources.take(source(2_000_000), now_ms));
            }
            sources.take(source(other), now_ms);
            prop_assert!(given * 1000 <= u64::from(burst) * 1000 + now_ms * u64::from(per_s));
        }
    }

    #[test]
    fn refusals_take_no_more_than_their_part_of_the_time(
        costs in proptest::collection::vec((1_u64..50_000, 1_u64..2_000_000), 1..3000),
    ) {
        let mut behind = Behind::new(10);
        let (mut refusing_ns, mut all_ns, mut dearest) = (0_u64, 0_u64, 0);
        for (refusal_ns, answer_ns) in costs {
            prop_assert!(behind.batch_begins(0, 11), "it is behind all the time");
            let took_ns = if behind.refuses() { refusal_ns } else { answer_ns };
            refusing_ns += if behind.refuses() { took_ns } else { 0 };
            all_ns += took_ns;
            dearest = dearest.max(took_ns);
            behind.batch_ended(took_ns);
            prop_assert!(!behind.refuses());
            // One batch more than the part, for it is not known before how long it takes.
            prop_assert!(refusing_ns * REFUSAL_TIME_SHARE <= all_ns + 2 * REFUSAL_TIME_SHARE * dearest);
        }
    }

    #[test]
    fn any_first_line_is_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let numbers: Vec<Box<str>> = vec!["112".into()];
        let _ = is_emergency(&bytes, &numbers);
        let _ = is_emergency(&[b"INVITE ", &bytes[..]].concat(), &numbers);
    }
}

#[test]
fn a_clock_that_goes_back_brings_nothing() {
    let mut bucket = Bucket::full(rate(1, 1));
    assert!(bucket.take(0, 5000));
    assert!(!bucket.take(0, 1000) && !bucket.take(0, 5999));
    assert!(bucket.take(0, 6000));
    let mut bucket = Bucket::full(rate(1_000_000, 1_000_000));
    assert!(bucket.take(0, u64::MAX), "no time is too long");
}

#[test]
fn a_million_forged_sources_take_no_memory_and_give_nobody_more() {
    let mut sources = Sources::new(rate(1, 10), KEYS.of_table);
    let bytes = sources.bytes();
    assert_eq!(bytes % SOURCES_MAX, 0);
    assert!(bytes <= SOURCES_MAX * 24, "{bytes}");
    let greedy = source(9_000_000);
    let mut given = 0;
    for number in 0..1_000_000 {
        assert!(sources.take(source(number), 0), "each has its own bucket, or a new one");
        if number % 10 == 0 {
            given += u32::from(sources.take(greedy, 0));
        }
    }
    assert_eq!(given, 10, "the greedy one was not forgotten, and got its burst");
    assert_eq!(sources.bytes(), bytes);
}

#[test]
fn as_many_sources_are_known_as_there_is_room_for() {
    // Of few sources none is forgotten: a second request finds the bucket of the first.
    let mut sources = Sources::new(rate(1, 1), KEYS.of_table);
    let few = (SOURCES_MAX / 64) as u32;
    assert_eq!((0..few).filter(|number| sources.take(source(*number), 0)).count(), few as usize);
    let known = (0..few).filter(|number| !sources.take(source(*number), 0)).count();
    assert_eq!(known, few as usize);
    // A set has so many places: one source more, and somebody has a new bucket.
    let many = (SOURCES_MAX * SOURCES_PER_SET) as u32;
    let mut sources = Sources::new(rate(1, 1), KEYS.of_table);
    assert_eq!((0..many).filter(|number| sources.take(source(*number), 0)).count(), many as usize);
    let known = (0..many).filter(|number| !sources.take(source(*number), 0)).count();
    assert!(known < many as usize / 2, "{known}");
}

#[test]
fn one_ipv6_subscriber_is_one_source() {
    let mut sources = Sources::new(rate(1, 1), KEYS.of_table);
    let address = |subnet: u16, host: u16| Ipv6Addr::new(0x2001, 0xdb8, 0, subnet, 0, 0, 0, host).into();
    assert!(sources.take(address(1, 1), 0));
    assert!(!sources.take(address(1, 2), 0));
    assert!(sources.take(address(2, 1), 0));
    let v4 = Ipv4Addr::new(192, 0, 2, 1);
    assert!(sources.take(v4.into(), 0));
    assert!(!sources.take(v4.to_ipv6_mapped().into(), 0), "the same, on a socket of both families");
}

/// Answers that each rank gets, when all ask without end for so long.
fn given(admission: &mut Admission, seconds: u64, ranks: &[Rank]) -> [u64; 3] {
    let mut given = [0; 3];
    for ms in 0..seconds * 1000 {
        for (number, rank) in (0..).zip(ranks) {
            given[*rank as usize] += u64::from(admission.judge(source(number), at(ms), |_| *rank).is_none());
        }
    }
    given
}

#[test]
fn a_listed_peer_keeps_its_answers_while_a_million_others_ask() {
    let settings =
        Overload { per_source: Some(rate(20, 20)), budget: Some(rate(1000, 1000)), ..Overload::default() };
    let mut admission = Admission::new(settings, 1, KEYS);
    let (mut listed, mut others) = (0, 0);
    for number in 0..1_000_000_u32 {
        // 100,000 in a second, of which the listed peer sends 500.
        let now = at(u64::from(number / 100));
        others += u64::from(admission.judge(source(number), now, |_| Rank::Ordinary).is_none());
        if number % 200 == 0 {
            listed += u64::from(admission.judge(source(5_000_000), now, |_| Rank::Listed).is_none());
        }
    }
    assert_eq!(listed, 5000, "every one");
    assert!((4000..=6000).contains(&others), "what it leaves of the budget: {others}");
    let refused = admission.end_turn().refused;
    assert_eq!(refused[1], 1_000_000 - others, "and each other one is counted");
}

#[test]
fn those_who_say_that_they_are_an_emergency_leave_listed_peers_their_part() {
    let budget = rate(BUDGET_BURST_MIN, 80);
    let reserve = u64::from(budget.burst / BUDGET_RESERVE_SHARE);
    let admission = || Admission::new(Overload { budget: Some(budget), ..Overload::default() }, 1, KEYS);
    let [ordinary, ..] = given(&mut admission(), 0, &[]);
    assert_eq!(ordinary, 0);
    let mut all = admission();
    let take = |all: &mut Admission, rank| {
        (0..1000).filter(|number| all.judge(source(*number), at(0), |_| rank).is_none()).count() as u64
    };
    assert_eq!(take(&mut all, Rank::Ordinary), u64::from(budget.burst) - reserve);
    assert_eq!(take(&mut all, Rank::Emergency), reserve / 2);
    assert_eq!(take(&mut all, Rank::Listed), reserve / 2);
    assert_eq!(take(&mut all, Rank::Listed), 0, "the budget holds for all");
}

#[test]
fn a_source_beyond_its_bucket_is_refused_and_its_emergency_is_not() {
    let settings = Overload { per_source: Some(rate(1, 2)), ..Overload::default() };
    let mut admission = Admission::new(settings, 1, KEYS);
    let mut judge = |rank| admission.judge(source(1), at(0), |_| rank);
    assert_eq!((judge(Rank::Ordinary), judge(Rank::Ordinary)), (None, None));
    assert_eq!(judge(Rank::Ordinary), Some(Reason::Source));
    assert_eq!((judge(Rank::Emergency), judge(Rank::Listed)), (None, None));
}

#[test]
fn nobody_is_asked_for_his_rank_while_nothing_is_refused() {
    let settings =
        Overload { per_source: Some(rate(9, 9)), budget: Some(rate(90, 90)), ..Overload::default() };
    let mut admission = Admission::new(settings, 1, KEYS);
    for _ in 0..9 {
        assert_eq!(admission.judge(source(1), at(0), |_| unreachable!()), None);
    }
}

#[test]
fn a_queue_is_old_until_it_is_half_as_old() {
    let mut behind = Behind::new(100);
    let mut begins = |listener, age_ms| {
        let is_behind = behind.batch_begins(listener, age_ms);
        if is_behind {
            behind.batch_ended(1);
        }
        is_behind
    };
    assert!(!begins(0, 100));
    assert!(begins(0, 101) && begins(0, 99) && begins(0, 51));
    assert!(!begins(1, 99), "each socket has its own queue");
    assert!(!begins(0, 50) && !begins(0, 100));
    // What nobody waits for is no age, but a clock that was set.
    assert!(begins(0, QUEUE_AGE_MS_BELIEVED));
    assert!(!begins(0, QUEUE_AGE_MS_BELIEVED + 1));
    let last = LISTENERS_MAX - 1;
    assert!(begins(last, 101) && !begins(LISTENERS_MAX, 101));
    assert_eq!(behind.take_age_ms(), QUEUE_AGE_MS_BELIEVED);
    assert_eq!(behind.take_age_ms(), 0);
    assert!(!Behind::new(0).batch_begins(0, 30_000), "0 turns it off");
}

#[test]
fn what_was_long_ago_does_not_keep_a_queue_from_being_refused() {
    let mut behind = Behind::new(1);
    // A refusal that took a whole second is made good for by a hundred seconds of answers, not by more than that.
    behind.batch_begins(0, 2);
    assert!(behind.refuses());
    behind.batch_ended(REFUSAL_TIME_NS_MEMORY);
    let mut answers = 0;
    loop {
        behind.batch_begins(0, 2);
        if behind.refuses() {
            break;
        }
        behind.batch_ended(10_000_000);
        answers += 1;
        assert!(answers < 10_000);
    }
    assert!((100..=1700).contains(&answers), "{answers}");
}

#[test]
fn where_refusals_are_cheap_many_are_refused_for_each_answer() {
    // 300 µs an answer and 5 µs a refusal, in batches of one.
    let mut behind = Behind::new(1);
    let (mut refused, mut answered) = (0, 0);
    for _ in 0..10_000 {
        behind.batch_begins(0, 2);
        if behind.refuses() {
            refused += 1;
            behind.batch_ended(5_000);
        } else {
            answered += 1;
            behind.batch_ended(300_000);
        }
    }
    assert!(refused > answered, "{refused} refused, {answered} answered");
}

#[test]
fn an_old_batch_is_refused_but_for_those_who_have_priority() {
    let mut admission = Admission::new(Overload::default(), 1, KEYS);
    let judge = |admission: &mut Admission, rank| admission.judge(source(1), at(0), |_| rank);
    assert_eq!(judge(&mut admission, Rank::Ordinary), None);
    assert!(admission.batch_begins(0, 400));
    assert_eq!(judge(&mut admission, Rank::Ordinary), Some(Reason::QueueAge));
    assert_eq!((judge(&mut admission, Rank::Emergency), judge(&mut admission, Rank::Listed)), (None, None));
    admission.batch_ended(10);
    assert_eq!(judge(&mut admission, Rank::Ordinary), None, "what comes over TCP is of no batch");
    assert_eq!(admission.end_turn(), Tallies { refused: [0, 0, 1], loss_percent: 0, age_ms: 400 });
}

#[test]
fn what_its_client_has_sent_again_is_refused_without_a_word() {
    let mut admission = Admission::new(Overload::default(), 1, KEYS);
    for (age_ms, expected) in
        [(QUEUE_AGE_MS_SILENT, Refuse::Answer), (QUEUE_AGE_MS_SILENT + 1, Refuse::Silence)]
    {
        admission.batch_begins(0, age_ms);
        assert_eq!(admission.refuse(), expected, "{age_ms}");
        assert_eq!(admission.judge(source(1), at(0), |_| Rank::Listed), None);
        admission.batch_ended(0);
    }
    assert_eq!(admission.refuse(), Refuse::Answer, "of what comes over TCP, and of buckets");
}

#[test]
fn peers_are_told_the_part_that_was_refused_in_the_last_second() {
    let mut loss = Loss::default();
    let second = |loss: &mut Loss, start_ms: u64, refused: u32, taken: u32| {
        for number in 0..taken {
            loss.taken(at(start_ms));
            if number < refused {
                loss.refused();
            }
        }
        loss.taken(at(start_ms + OC_WINDOW_MS));
        let Feedback { loss_percent, validity_ms, seq_s, seq_fraction } = loss.feedback();
        (loss_percent, validity_ms, (seq_s, seq_fraction))
    };
    assert_eq!(loss.feedback(), Feedback::default());
    let (percent, validity_ms, first) = second(&mut loss, 10_000, 0, 100);
    assert_eq!((percent, validity_ms), (0, 0), "RFC 7339 §5.1: not overloaded");
    let (percent, validity_ms, next) = second(&mut loss, 11_000, 20, 99);
    assert_eq!((percent, validity_ms), (20, 2 * OC_WINDOW_MS));
    assert!(next > first, "RFC 7339 §4.4");
    assert_eq!(second(&mut loss, 12_000, 1, 1000).0, 1, "rounded up");
    assert_eq!(second(&mut loss, 13_000, 1000, 1000).0, 100, "RFC 7339 §7.1");
    loss.taken(at(60_000));
    assert_eq!(loss.feedback().loss_percent, 0, "after a pause nothing is known");
}

#[test]
fn sequence_numbers_grow_whatever_the_clock_does() {
    let mut loss = Loss::default();
    let mut last = (0, 0);
    for window in 1..=u64::from(OC_SEQ_FRACTION_MAX) + 10 {
        // The wall clock was set back for good.
        let unix_s = if window < 3 { 1_800_000_000 } else { 5 };
        loss.taken(Now { ms: window * OC_WINDOW_MS, unix_s });
        let Feedback { seq_s, seq_fraction, .. } = loss.feedback();
        assert!((seq_s, seq_fraction) > last && seq_fraction <= OC_SEQ_FRACTION_MAX);
        last = (seq_s, seq_fraction);
    }
    assert_eq!(last.0, 1_800_000_001);
}

#[test]
fn one_source_that_asks_too_much_is_no_loss_of_the_others() {
    let settings = Overload { per_source: Some(rate(1, 1)), ..Overload::default() };
    let mut admission = Admission::new(settings, 1, KEYS);
    for ms in 0..3000 {
        admission.judge(source(1), at(ms), |_| Rank::Ordinary);
    }
    assert!(admission.end_turn().refused[0] > 2000);
    assert_eq!(admission.feedback().map(|feedback| feedback.loss_percent), Some(0));
    let silent = Admission::new(Overload { oc: false, ..Overload::default() }, 1, KEYS);
    assert_eq!(silent.feedback(), None);
}

#[test]
fn refused_sources_come_back_at_different_times() {
    let told = |retry_after_s| {
        let admission = Admission::new(Overload { retry_after_s, ..Overload::default() }, 1, KEYS);
        move |number| admission.retry_after_s(source(number))
    };
    assert_eq!(told(0)(1), None);
    let five = told(5);
    let seconds: std::collections::BTreeSet<_> = (0..200).map(|number| five(number).unwrap()).collect();
    assert_eq!(seconds.into_iter().collect::<Vec<_>>(), [5, 6, 7, 8, 9, 10]);
    assert_eq!(five(7), told(5)(7), "each the same every time");
    assert!((0..200).all(|number| told(RETRY_AFTER_S_MAX)(number) <= Some(2 * RETRY_AFTER_S_MAX)));
}

#[test]
fn who_calls_for_help() {
    let numbers: Vec<Box<str>> = ["112", "911", "+44999"].map(Into::into).to_vec();
    assert!(numbers.len() <= EMERGENCY_NUMBERS_MAX);
    for (line, expected) in [
        ("INVITE urn:service:sos SIP/2.0", true),
        ("INVITE urn:service:sos.police SIP/2.0", true),
        ("INVITE URN:Service:SOS SIP/2.0", true),
        ("\r\n\r\nINVITE urn:service:sos SIP/2.0", true),
        ("INVITE urn:service:sosyes SIP/2.0", false),
        ("INVITE urn:service:counseling SIP/2.0", false),
        ("INVITE sip:112@example.net SIP/2.0", true),
        ("INVITE sips:112;phone-context=x@example.net;user=phone SIP/2.0", true),
        ("INVITE sip:112:secret@example.net SIP/2.0", true),
        ("INVITE sip:1-1.2@example.net SIP/2.0", true),
        ("INVITE tel:911 SIP/2.0", true),
        ("INVITE tel:911;phone-context=+1 SIP/2.0", true),
        ("INVITE tel:+44-999 SIP/2.0", true),
        ("INVITE tel:44999 SIP/2.0", false),
        ("INVITE sip:1123@example.net SIP/2.0", false),
        ("INVITE sip:112 SIP/2.0", false),
        ("INVITE sip:example.net SIP/2.0", false),
        ("INVITE mailto:112@example.net SIP/2.0", false),
        ("INVITE sip:112@example.net", false),
        ("INVITE", false),
        ("SIP/2.0 200 OK", false),
        ("", false),
    ] {
        let message =
            if line.ends_with("2.0") { format!("{line}\r\nTo: x\r\n\r\n") } else { line.to_owned() };
        assert_eq!(is_emergency(message.as_bytes(), &numbers), expected, "{line}");
    }
    assert!(!is_emergency(b"INVITE sip:112@h SIP/2.0\r\n", &[]));
    assert!(is_emergency(b"INVITE urn:service:sos SIP/2.0\r\n", &[]));
}
