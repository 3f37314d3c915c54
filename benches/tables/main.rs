//! Tables of carrier size: memory, lookup, build and load, against what else could hold them.
//!
//! In:    `cargo bench --bench tables -- exact|prefix|deck COUNT`; see [`USAGE`].
//! Out:   a table of figures. Each structure has a process of its own, so that its memory can be measured.
//! Never: keeps a file after it ends.

mod data;

use std::{
    collections::HashMap,
    env, fs,
    hint::black_box,
    io::{Read, Write},
    path::Path,
    process::{Command, ExitCode},
    time::Instant,
};

use data::Prefix;
use waypost::numbers::{Builder, KeyColumns, Kind, Shape, Table, Words};

const USAGE: &str = "\
Number tables against a sorted vector, a hash map and an fst.

usage: tables exact|prefix|deck COUNT

  exact    COUNT ported numbers with one of 20000 routing numbers
  prefix   COUNT prefixes with one of 20000 values; longest match
  deck     COUNT rows: prefixes with 50 to 150 carriers and their costs

Lookups: 80 % of them find something, numbers in random order, as text.
`read` is no structure: it is the time of a single read at random in as much memory as the table of
waypost takes, each place told by the one before. Nothing that does not fit into the cache can be faster.
";

/// Lookups of a measurement.
const CALLS: usize = 2_000_000;
const STRUCTURES: [&str; 5] = ["waypost", "sorted", "map", "fst", "read"];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (kind, count, child) = match words[..] {
        [kind, count] => (kind, count, None),
        [kind, count, structure, folder] => (kind, count, Some((structure, folder))),
        _ => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
    };
    let (true, Ok(count)) =
        (["exact", "prefix", "deck"].contains(&kind), count.replace('_', "").parse::<u64>())
    else {
        print!("{USAGE}");
        return ExitCode::FAILURE;
    };
    match child {
        None => parent(kind, count),
        Some((structure, folder)) => {
            println!("{}", measure(kind, count, structure, Path::new(folder)));
            ExitCode::SUCCESS
        }
    }
}

fn parent(kind: &str, count: u64) -> ExitCode {
    let folder = tempfile::tempdir().expect("a folder");
    println!("{kind}, {count}");
    println!(
        "| structure | entries | bytes each, resident | computed | ns a lookup | build s | peak MiB | write s | load s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    // A table is built in one process and measured in another that only loads it.
    for structure in ["compile"].iter().chain(&STRUCTURES) {
        let program = env::current_exe().expect("this program");
        let arguments = [kind, &count.to_string(), structure, &folder.path().display().to_string()];
        let output = Command::new(program).args(arguments).output().expect("a process");
        if !output.status.success() {
            eprintln!("{structure}: {}", String::from_utf8_lossy(&output.stderr));
            return ExitCode::FAILURE;
        }
        let text = String::from_utf8_lossy(&output.stdout);
        if *structure != "compile" {
            print!("{text}");
        }
        if *structure == "compile" {
            fs::write(folder.path().join("compiled"), text.trim()).expect("a file");
        }
    }
    ExitCode::SUCCESS
}

/// Resident memory of this process, in bytes.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").expect("statm");
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("pages") * 4096
}

/// Time that this process, which has one thread, had a processor: others on the machine do not count.
fn on_cpu_ns() -> u64 {
    let text = fs::read_to_string("/proc/self/schedstat").expect("schedstat");
    text.split(' ').next().and_then(|ns| ns.parse().ok()).expect("nanoseconds")
}

/// The most it ever was, in MiB.
fn peak_mib() -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("status");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") / 1024
}

/// One line of the table.
fn measure(kind: &str, count: u64, structure: &str, folder: &Path) -> String {
    if structure == "compile" {
        return compile(kind, count, folder);
    }
    let prefixes = prefixes_of(kind, count);
    let calls: Vec<[u8; 16]> = match kind {
        "exact" => data::calls_ported(count, CALLS),
        _ => data::calls_prefixed(&prefixes, CALLS),
    }
    .into_iter()
    .map(text_of_call)
    .collect();
    drop(prefixes);
    match structure {
        "waypost" => loaded(folder, &calls),
        "sorted" => report(structure, kind, count, &calls, Sorted::of),
        "map" => report(structure, kind, count, &calls, Map::of),
        "read" => one_read(folder, calls.len()),
        _ => report(structure, kind, count, &calls, Fst::of),
    }
}

fn prefixes_of(kind: &str, count: u64) -> Vec<Prefix> {
    match kind {
        "exact" => Vec::new(),
        "prefix" => data::prefixes(count as usize),
        _ => data::prefixes(count as usize / 100),
    }
}

/// `+` and twelve digits; padded, so that all have one size.
fn text_of_call(number: u64) -> [u8; 16] {
    let mut text = [0; 16];
    write!(&mut text[..], "+{number:012}").expect("room");
    text
}

fn call(text: &[u8; 16]) -> &[u8] {
    &text[..13]
}

fn compile(kind: &str, count: u64, folder: &Path) -> String {
    let columns = |names: &[&str]| names.iter().map(|&name| name.into()).collect();
    let (kind_of, columns) = match kind {
        "exact" => (Kind::Exact, columns(&["number", "rn"])),
        "prefix" => (Kind::Prefix, columns(&["prefix", "to"])),
        _ => (Kind::Deck, columns(&["prefix", "to", "cost"])),
    };
    let prefixes = prefixes_of(kind, count);
    let before = resident();
    let start = Instant::now();
    let mut builder = Builder::new(Shape { kind: kind_of, columns, key: KeyColumns::One(0) });
    let mut line = 0;
    let (mut key, mut value, mut cost) = (Vec::new(), Vec::new(), Vec::new());
    let mut push = |number: (u64, u32), values: (u64, Option<u64>)| {
        line += 1;
        key.clear();
        value.clear();
        cost.clear();
        write!(key, "+{:0width$}", number.0, width = number.1 as usize).expect("memory");
        write!(value, "D{:05}", values.0).expect("memory");
        if let Some(it) = values.1 {
            write!(cost, "0.{it:05}").expect("memory");
        }
        let cells: [&[u8]; 3] = [&key, &value, &cost];
        let cells = if values.1.is_some() { &cells[..] } else { &cells[..2] };
        builder.push(cells, line).expect("a row");
    };
    match kind {
        "exact" => data::ported(count).for_each(|(number, rn)| push((number, 12), (rn, None))),
        "prefix" => prefixes.iter().for_each(|&prefix| push(prefix, (value_of(prefix), None))),
        _ => prefixes.iter().for_each(|&prefix| {
            data::offers(prefix).for_each(|(carrier, cost)| push(prefix, (carrier, Some(cost))));
        }),
    }
    let table = builder.finish().table;
    let build_s = start.elapsed().as_secs_f64();
    let peak = peak_mib() - before / (1 << 20);
    let start = Instant::now();
    let mut file = fs::File::create(folder.join("table")).expect("a file");
    file.write_all(bytemuck::cast_slice(table.image())).expect("room");
    format!("{build_s:.2} | {peak} | {:.2}", start.elapsed().as_secs_f64())
}

fn value_of(prefix: Prefix) -> u64 {
    data::mixed(prefix.0) % data::ROUTING_NUMBERS
}

fn loaded(folder: &Path, calls: &[[u8; 16]]) -> String {
    let before = resident();
    let start = Instant::now();
    let mut file = fs::File::open(folder.join("table")).expect("the table");
    let size = file.metadata().expect("its size").len() as usize;
    let mut words = Words::zeroed(size / 8).for_lookup();
    file.read_exact(bytemuck::cast_slice_mut(&mut words)).expect("the table");
    let table = Table::from_image(words).expect("a table");
    let load_s = start.elapsed().as_secs_f64();
    let resident = resident() - before;
    let ns = lookups(calls, |number| {
        let row = table.rows_of(table.find(number)?.entry).start;
        Some(table.value_id(row, 1))
    });
    let compiled = fs::read_to_string(folder.join("compiled")).expect("what compiling took");
    let deck = table.shape().kind == Kind::Deck;
    let (name, each) = if deck { ("rows", table.rows()) } else { ("entries", table.entries()) };
    format!(
        "| waypost | {each} {name} | {:.2} | {:.2} | {ns:.0} | {compiled} | {load_s:.3} |",
        resident as f64 / each as f64,
        table.resident_bytes() as f64 / each as f64,
    )
}

/// What a read at random takes in memory as large as the table.
fn one_read(folder: &Path, reads: usize) -> String {
    let count = fs::metadata(folder.join("table")).expect("the table").len() / 8;
    let mut words = Words::zeroed(count as usize).for_lookup();
    for (index, word) in (0..count).zip(words.iter_mut()) {
        *word = data::mixed(index) % count;
    }
    let mut turns: Vec<f64> = (0..3)
        .map(|turn| {
            let start = on_cpu_ns();
            let mut at = turn;
            for read in 0..reads as u64 {
                // What is read alone may lead round in a small circle.
                at = (words[at as usize] + data::mixed(read)) % count;
            }
            black_box(at);
            (on_cpu_ns() - start) as f64 / reads as f64
        })
        .collect();
    turns.sort_by(f64::total_cmp);
    format!("| read | {count} words | | | {:.0} | | | | |", turns[1])
}

/// Nanoseconds of a lookup; the middle one of three turns.
fn lookups(calls: &[[u8; 16]], find: impl Fn(&[u8]) -> Option<u32>) -> f64 {
    let mut turns: Vec<f64> = (0..3)
        .map(|_| {
            let start = on_cpu_ns();
            let mut found = 0_usize;
            for text in calls {
                found += usize::from(black_box(find(call(text))).is_some());
            }
            let ns = (on_cpu_ns() - start) as f64 / calls.len() as f64;
            let share = found as f64 / calls.len() as f64;
            assert!((0.79..0.81).contains(&share), "{share} of the numbers were found");
            ns
        })
        .collect();
    turns.sort_by(f64::total_cmp);
    turns[1]
}

/// What the other structures are made of, in order: keys with an id, or the first of a run of offers.
struct Data<'d> {
    whole: bool,
    count: usize,
    entries: &'d mut dyn Iterator<Item = (u64, u32, u32)>,
}

trait Structure {
    fn find(&self, number: &[u8]) -> Option<u32>;
    fn bytes(&self) -> usize;
}

fn report<S: Structure>(
    name: &str,
    kind: &str,
    count: u64,
    calls: &[[u8; 16]],
    of: impl Fn(Data<'_>) -> S,
) -> String {
    let prefixes = prefixes_of(kind, count);
    let before = resident();
    let start = Instant::now();
    let mut offers: Vec<(u32, u32)> = Vec::new();
    let whole = kind == "exact";
    let (structure, each) = if whole {
        let mut entries = data::ported(count).map(|(number, rn)| (number, 12, rn as u32));
        let each = data::ported(count).count();
        (of(Data { whole, count: each, entries: &mut entries }), each)
    } else if kind == "prefix" {
        let mut entries = prefixes.iter().map(|&prefix| (prefix.0, prefix.1, value_of(prefix) as u32));
        (of(Data { whole, count: prefixes.len(), entries: &mut entries }), prefixes.len())
    } else {
        let rows = prefixes.iter().map(|&prefix| data::offers(prefix).count()).sum();
        offers.reserve_exact(rows);
        let mut entries = prefixes.iter().map(|&prefix| {
            let first = offers.len() as u32;
            offers.extend(data::offers(prefix).map(|(carrier, cost)| (carrier as u32, cost as u32)));
            (prefix.0, prefix.1, first)
        });
        let structure = of(Data { whole, count: prefixes.len(), entries: &mut entries });
        (structure, rows)
    };
    let build_s = start.elapsed().as_secs_f64();
    let resident = resident().saturating_sub(before);
    let deck = kind == "deck";
    let ns = lookups(calls, |number| {
        let found = structure.find(number)?;
        if deck { offers.get(found as usize).map(|offer| offer.0) } else { Some(found) }
    });
    format!(
        "| {name} | {each} {} | {:.2} | {:.2} | {ns:.0} | {build_s:.2} | {} | | |",
        if deck { "rows" } else { "entries" },
        resident as f64 / each as f64,
        (structure.bytes() + offers.len() * 8) as f64 / each as f64,
        peak_mib() - before / (1 << 20),
    )
}

/// A one, then the digits: keeps leading zeros.
fn key(digits: u64, length: u32) -> u64 {
    10_u64.pow(length) + digits
}

fn digits(number: &[u8]) -> u64 {
    number[1..].iter().fold(0, |value, byte| value * 10 + u64::from(byte - b'0'))
}

/// All beginnings of a number that a table may hold, longest first.
fn beginnings(whole: bool, number: &[u8]) -> impl Iterator<Item = u64> {
    let value = digits(number);
    let shortest = if whole { 12 } else { 5 };
    let longest = if whole { 12 } else { 10 };
    (shortest..=longest).rev().map(move |length| key(value / 10_u64.pow(12 - length), length))
}

struct Sorted {
    whole: bool,
    keys: Vec<u64>,
    values: Vec<u32>,
}

impl Sorted {
    fn of(data: Data<'_>) -> Self {
        let mut pairs: Vec<(u64, u32)> = Vec::new();
        let (mut keys, mut values) = (Vec::with_capacity(data.count), Vec::with_capacity(data.count));
        for (digits, length, value) in data.entries {
            if data.whole {
                keys.push(key(digits, length));
                values.push(value);
            } else {
                pairs.push((key(digits, length), value));
            }
        }
        pairs.sort_unstable();
        keys.extend(pairs.iter().map(|pair| pair.0));
        values.extend(pairs.iter().map(|pair| pair.1));
        Self { whole: data.whole, keys, values }
    }
}

impl Structure for Sorted {
    fn find(&self, number: &[u8]) -> Option<u32> {
        beginnings(self.whole, number)
            .find_map(|key| self.keys.binary_search(&key).ok().and_then(|at| self.values.get(at).copied()))
    }

    fn bytes(&self) -> usize {
        self.keys.capacity() * 8 + self.values.capacity() * 4
    }
}

struct Map {
    whole: bool,
    map: HashMap<u64, u32, ahash::RandomState>,
}

impl Map {
    fn of(data: Data<'_>) -> Self {
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        let mut map = HashMap::with_capacity_and_hasher(data.count, hasher);
        map.extend(data.entries.map(|(digits, length, value)| (key(digits, length), value)));
        Self { whole: data.whole, map }
    }
}

impl Structure for Map {
    fn find(&self, number: &[u8]) -> Option<u32> {
        beginnings(self.whole, number).find_map(|key| self.map.get(&key).copied())
    }

    fn bytes(&self) -> usize {
        // Of eight places seven are used at most; each has a byte besides.
        (self.map.capacity() * 8 / 7).next_power_of_two() * (size_of::<(u64, u32)>() + 1)
    }
}

struct Fst {
    whole: bool,
    map: fst::Map<Vec<u8>>,
}

impl Fst {
    fn of(data: Data<'_>) -> Self {
        let mut builder = fst::MapBuilder::memory();
        let mut text = Vec::new();
        for (digits, length, value) in data.entries {
            text.clear();
            write!(text, "+{digits:0width$}", width = length as usize).expect("memory");
            builder.insert(&text, u64::from(value)).expect("sorted keys");
        }
        let mut bytes = builder.into_inner().expect("memory");
        bytes.shrink_to_fit();
        Self { whole: data.whole, map: fst::Map::new(bytes).expect("an fst") }
    }
}

impl Structure for Fst {
    fn find(&self, number: &[u8]) -> Option<u32> {
        if self.whole {
            return self.map.get(number).map(|value| value as u32);
        }
        let fst = self.map.as_fst();
        let mut node = fst.root();
        let mut sum = fst::raw::Output::zero();
        let mut found = None;
        for &byte in number {
            if node.is_final() {
                found = Some(sum.cat(node.final_output()).value() as u32);
            }
            let Some(index) = node.find_input(byte) else { return found };
            let step = node.transition(index);
            sum = sum.cat(step.out);
            node = fst.node(step.addr);
        }
        found
    }

    fn bytes(&self) -> usize {
        self.map.as_fst().size()
    }
}
