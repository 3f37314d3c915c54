//! The data of `benches/tabledata`: figures of tables compare only when everybody measures the same rows, and
//! say something only when those rows are shaped as real ones.

#[path = "../benches/load/args.rs"]
mod args;
#[path = "../benches/tabledata/calls.rs"]
mod calls;
#[path = "../benches/tabledata/csv.rs"]
mod csv;
#[path = "../benches/tabledata/data/mod.rs"]
mod data;
#[path = "../benches/load/flow.rs"]
mod flow;
#[path = "../benches/tabledata/message.rs"]
mod message;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    net::UdpSocket,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use args::Args;
use calls::Calls;
use csv::Lines;
use data::{
    Change, Deck, Number, Offer, Prefix, Range, changes, gateway, ported, ported_calls, prefix_calls,
    prefixes, ranges, shuffled,
};
use flow::Tally;
use message::CALLS;

fn all_prefixes(seed: u64, rows: u64) -> Vec<Prefix> {
    let mut all = Vec::new();
    prefixes(seed, rows, &mut |prefix| all.push(prefix));
    all
}

fn all_offers(seed: u64, rows: u64, carriers: u32) -> Vec<Offer> {
    let mut all = Vec::new();
    Deck { seed, rows, carriers }.offers(&mut |offer| all.push(offer));
    all
}

/// FNV-1a: says whether bytes are the same, on every machine and in every version.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn text(write: impl FnOnce(&mut Lines<&mut Vec<u8>>)) -> String {
    let mut out = Vec::new();
    let mut lines = Lines::new(&mut out);
    write(&mut lines);
    lines.finish().unwrap();
    String::from_utf8(out).unwrap()
}

fn everything(seed: u64) -> [String; 6] {
    [
        text(|lines| ported(seed, 20_000).for_each(|row| lines.number(row))),
        text(|lines| shuffled(seed, 20_000).into_iter().for_each(|row| lines.number(row))),
        text(|lines| prefixes(seed, 20_000, &mut |row| lines.prefix(row))),
        text(|lines| ranges(seed, 20_000).for_each(|row| lines.range(row))),
        text(|lines| Deck { seed, rows: 20_000, carriers: 30 }.offers(&mut |row| lines.offer(row))),
        text(|lines| changes(seed, 0, 20_000, 500).into_iter().for_each(|row| lines.change(row))),
    ]
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let [first, again, other] = [everything(7), everything(7), everything(8)];
    assert_eq!(first, again);
    for (one, two) in first.iter().zip(&other) {
        assert_ne!(one, two);
    }
    // Figures of an earlier version of the program were of this data. Who changes it, says so in
    // benches/README.md.
    let fingerprints = first.map(|text| fingerprint(text.as_bytes()));
    assert_eq!(fingerprints, FINGERPRINTS);
}

const FINGERPRINTS: [u64; 6] = [
    3862148892332549600,
    1217205216336924676,
    16521231251643434117,
    16505616011970379510,
    14913815867949281448,
    16694546279506389082,
];

#[test]
fn lines_are_as_the_columns_say() {
    let first_line = |text: String| text.lines().next().unwrap_or_default().to_owned();
    let lines = everything(7).map(first_line);
    let call = text(|lines| {
        lines.header("number,value");
        lines.call(441_632_960_100, Some("gw-0001"));
        lines.call(441_632_960_101, None);
    });
    assert_eq!(call, "number,value\n+441632960100,gw-0001\n+441632960101,\n");
    assert_eq!(
        lines,
        [
            "+44107370013,+449715965000,1000",
            "+441038499451,+449707858000,1043",
            "+1,gw-0036",
            "+441000000000,+441000000099,gw-0180",
            "+1,carrier-000,0.0185,55,2026-03-09,",
            "+,+441994624138,+449701146000,1005",
        ]
    );
}

#[test]
fn ported_numbers_are_distinct_ascending_and_as_many_as_asked_for() {
    for rows in [1, 2, 999, 20_000, 300_000] {
        let all: Vec<Number> = ported(3, rows).collect();
        assert_eq!(all.len() as u64, rows);
        // Ascending as numbers is: by length, then by digits.
        assert!(all.is_sorted_by(|a, b| a.digits < b.digits), "{rows} rows");
        assert!(all.iter().all(|number| number.digits.to_string().starts_with("44")));
    }
}

#[test]
fn ported_numbers_lie_in_blocks_dense_and_sparse() {
    let all: Vec<Number> = ported(3, 300_000).collect();
    let mut thousands: HashMap<u64, u64> = HashMap::new();
    let mut lengths: BTreeMap<u32, usize> = BTreeMap::new();
    for number in &all {
        *thousands.entry(number.digits / 1_000).or_default() += 1;
        *lengths.entry(number.digits.ilog10() + 1).or_default() += 1;
    }
    let dense = thousands.values().filter(|&&count| count > 900).count();
    let sparse = thousands.values().filter(|&&count| count < 60).count();
    assert!(dense * 100 > thousands.len(), "{dense} of {} thousands are dense", thousands.len());
    assert!(sparse * 3 > thousands.len(), "{sparse} of {} thousands are sparse", thousands.len());
    // All fit in fewer blocks by far than numbers that lie anywhere.
    assert!(thousands.len() < 3_000, "{}", thousands.len());
    assert_eq!(lengths.keys().copied().collect::<Vec<_>>(), [11, 12]);
    assert!(lengths[&11] * 5 > lengths[&12] / 5, "{lengths:?}");

    let networks: HashSet<u64> = all.iter().map(|number| number.network.routing_number()).collect();
    let operators: HashSet<u64> = all.iter().map(|number| number.network.operator()).collect();
    assert!((1_000..=20_000).contains(&networks.len()), "{}", networks.len());
    assert!((200..=300).contains(&operators.len()), "{}", operators.len());
}

#[test]
fn shuffled_are_the_same_numbers_in_no_order() {
    let mut mixed = shuffled(3, 50_000);
    let sorted: Vec<Number> = ported(3, 50_000).collect();
    let ascents = mixed.windows(2).filter(|pair| pair[0].digits < pair[1].digits).count();
    assert!((20_000..30_000).contains(&ascents), "{ascents}");
    mixed.sort_by_key(|number| number.digits);
    assert_eq!(mixed, sorted);
}

#[test]
fn changes_are_of_that_table_each_number_once() {
    let table: HashMap<u64, Number> = ported(3, 50_000).map(|number| (number.digits, number)).collect();
    let all = changes(3, 1, 50_000, 5_000);
    assert_eq!(all.len(), 5_000);
    let (mut seen, mut new, mut moved, mut gone) = (HashSet::new(), 0, 0, 0);
    for change in all {
        let digits = match change {
            Change::Add(number) if table.contains_key(&number.digits) => {
                moved += 1;
                number.digits
            }
            Change::Add(number) => {
                new += 1;
                number.digits
            }
            Change::Remove(digits) => {
                assert!(table.contains_key(&digits));
                gone += 1;
                digits
            }
        };
        assert!(seen.insert(digits), "{digits} comes twice");
    }
    assert!(new > 2_000 && moved > 1_000 && gone > 500, "{new} {moved} {gone}");
    assert_ne!(changes(3, 1, 50_000, 100), changes(3, 2, 50_000, 100));
}

#[test]
fn calls_say_what_the_table_has() {
    let table: HashMap<u64, Number> = ported(3, 50_000).map(|number| (number.digits, number)).collect();
    let mut misses = 0;
    for (digits, network) in ported_calls(3, 0, 50_000, 20_000, 20) {
        assert_eq!(table.get(&digits).map(|number| number.network), network, "{digits}");
        misses += usize::from(network.is_none());
    }
    assert!((3_600..4_400).contains(&misses), "{misses}");

    let table: HashMap<String, u32> =
        all_prefixes(3, 50_000).iter().map(|prefix| (prefix.digits.to_string(), prefix.gateway)).collect();
    let mut misses = 0;
    for (digits, to) in prefix_calls(3, 0, 50_000, 20_000, 20) {
        let number = digits.to_string();
        assert_eq!(number.len(), 12);
        let longest = (1..=12).rev().find_map(|len| table.get(&number[..len]));
        assert_eq!(longest.copied(), to, "{digits}");
        misses += usize::from(to.is_none());
    }
    assert!((3_600..4_400).contains(&misses), "{misses}");
}

#[test]
fn a_list_of_calls_says_what_is_right() {
    let found = "<sip:{n};rn={v}@x>".to_owned();
    let calls = Calls::new("+441,+449\n+442,\n", found.clone(), None).unwrap();
    let (hit, miss, again) = (calls.get(0), calls.get(1), calls.get(2));
    assert_eq!((hit.uri.as_str(), hit.status), ("sip:+441@example.net", 302));
    assert_eq!(hit.contact.as_deref(), Some("<sip:+441;rn=+449@x>"));
    assert_eq!((miss.uri.as_str(), miss.status, miss.contact), ("sip:+442@example.net", 404, None));
    assert_eq!(again.uri, hit.uri);
    let miss = Calls::new("+442,", found.clone(), Some("<sip:{n}@y>".to_owned())).unwrap().get(0);
    assert_eq!((miss.status, miss.contact.as_deref()), (302, Some("<sip:+442@y>")));
    for wrong in ["", "+441", "+441,\n\n"] {
        assert!(Calls::new(wrong, found.clone(), None).is_err(), "{wrong:?}");
    }
    assert!(Calls::read("tests/no such file", found, None).is_err());
}

/// A server that knows two numbers, the second one wrongly, and no other.
fn answer(request: &str) -> String {
    let (head, _) = request.split_once("\r\n\r\n").unwrap();
    let (called, contact) = match head {
        _ if head.contains("sip:+441@") => ("302 Moved", "Contact: <sip:+441;rn=+4491@x>\r\n"),
        _ if head.contains("sip:+442@") => ("302 Moved", "Contact: <sip:+442;rn=+4491@x>\r\n"),
        _ => ("404 Not Found", ""),
    };
    let line = |name: &str| head.split("\r\n").find(|line| line.starts_with(name)).unwrap();
    let [via, from, to, call_id, cseq] = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].map(line);
    format!("SIP/2.0 {called}\r\n{via}\r\n{from}\r\n{to};tag=1\r\n{call_id}\r\n{cseq}\r\n{contact}\r\n")
}

#[test]
fn an_answer_that_is_right_for_another_number_is_wrong() {
    const CALLS_MADE: usize = 40;
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = server.local_addr().unwrap().to_string();
    server.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let serving = thread::spawn(move || {
        let mut buffer = [0; 4096];
        for _ in 0..CALLS_MADE {
            let (len, from) = server.recv_from(&mut buffer).unwrap();
            let request = String::from_utf8_lossy(&buffer[..len]).into_owned();
            server.send_to(answer(&request).as_bytes(), from).unwrap();
        }
    });
    // Known; known with another value; not there; there, but the server says that it is not.
    let list = "+441,+4491\n+442,+4492\n+443,\n+444,+4494\n";
    let calls = Calls::new(list, "<sip:{n};rn={v}@x>".to_owned(), None).unwrap();
    CALLS.set(Arc::new(calls)).unwrap();
    let words = ["--to", &to, "--calls", "40", "--closed", "1", "--wait-ms", "20000"].map(str::to_owned);
    let mut tally = Tally::default();
    tally.add(&flow::run(&Args::read(&words).unwrap(), 0, Instant::now()).unwrap());
    serving.join().unwrap();
    assert_eq!((tally.sent, tally.answered, tally.wrong, tally.unanswered()), (40, 20, 20, 20));
    assert!(tally.latency.share_ns(0.5) <= tally.latency.max_ns());
    let right: Vec<_> = tally.statuses.iter().map(|(status, count)| (status.as_str(), *count)).collect();
    assert_eq!(right, [("302", 10), ("404", 10)]);
}

#[test]
fn prefixes_are_distinct_nested_and_as_many_as_asked_for() {
    for rows in [1, 300, 20_000, 300_000] {
        let all = all_prefixes(3, rows);
        assert_eq!(all.len() as u64, rows);
        let texts: Vec<String> = all.iter().map(|prefix| prefix.digits.to_string()).collect();
        assert!(texts.is_sorted_by(|a, b| a < b), "{rows} rows");
        assert!(all.iter().zip(&texts).all(|(prefix, text)| prefix.len as usize == text.len()));
    }
    let all = all_prefixes(3, 300_000);
    let lengths: BTreeSet<u32> = all.iter().map(|prefix| prefix.len).collect();
    let countries = all.iter().filter(|prefix| prefix.depth == 0).count();
    assert!(lengths.len() >= 9, "{lengths:?}");
    assert!((180..=250).contains(&countries), "{countries}");
    // Every prefix is below its country, every level in the table.
    let set: HashSet<u64> = all.iter().map(|prefix| prefix.digits).collect();
    assert!(all.iter().all(|prefix| prefix.depth == 0 || set.contains(&(prefix.digits / 10))));
    let gateways: HashSet<String> = all.iter().map(|prefix| gateway(prefix.gateway)).collect();
    assert!((150..=200).contains(&gateways.len()), "{}", gateways.len());
}

#[test]
fn ranges_overlap_only_when_one_is_within_the_other() {
    let all: Vec<Range> = ranges(3, 50_000).collect();
    assert_eq!(all.len(), 50_000);
    let (mut open, mut inner): (Vec<Range>, usize) = (Vec::new(), 0);
    let mut last = 0;
    for range in all {
        assert!(range.from <= range.until && range.from.ilog10() == range.until.ilog10());
        assert!(range.from >= last);
        last = range.from;
        open.retain(|outer| outer.until >= range.from);
        assert!(open.iter().all(|outer| outer.until >= range.until), "{range:?} in {open:?}");
        inner += usize::from(!open.is_empty());
        open.push(range);
    }
    assert!((1_000..15_000).contains(&inner), "{inner}");
}

#[test]
fn a_deck_has_its_rows_and_carriers_of_different_depth() {
    for (rows, carriers) in [(1, 1), (1_000, 1), (1_000, 7), (60_000, 120)] {
        assert_eq!(all_offers(3, rows, carriers).len() as u64, rows, "{carriers} carriers");
    }
    let all = all_offers(3, 300_000, 120);
    let mut rows: HashMap<u32, usize> = HashMap::new();
    let mut costs = HashSet::new();
    for offer in &all {
        *rows.entry(offer.carrier).or_default() += 1;
        costs.insert(offer.cost);
        assert!(offer.cost > 0 && offer.quality.is_none_or(|quality| (1..=100).contains(&quality)));
    }
    assert_eq!(rows.len(), 120);
    let (least, most) = (rows.values().min().unwrap(), rows.values().max().unwrap());
    assert!(least * 10 < *most, "{least} {most}");
    // Prices are few; each comes many times.
    assert!(costs.len() < 5_000, "{}", costs.len());
    // Two prices of a carrier for one prefix are for different days.
    let same = |a: &Offer, b: &Offer| a.prefix == b.prefix && a.carrier == b.carrier;
    let pairs: Vec<_> = all.windows(2).filter(|pair| same(&pair[0], &pair[1])).collect();
    assert!((2_000..12_000).contains(&pairs.len()), "{}", pairs.len());
    assert!(pairs.iter().all(|pair| pair[0].until_day.is_some_and(|day| day < pair[1].from_day)));
    let distinct: HashSet<_> =
        all.iter().map(|offer| (offer.prefix, offer.carrier, offer.from_day)).collect();
    assert_eq!(distinct.len(), all.len());
}
