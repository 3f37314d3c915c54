//! Tables against a plain model; images whole, cut and changed.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    key::{Digits, unit},
    *,
};
use crate::limits::{
    NESTED_RANGES_MAX, NUMBER_BYTES_MAX, NUMBERS_AHEAD_MAX, TABLE_ROWS_MAX, TWINS_SHOWN_MAX,
};

type Cells = Vec<String>;

fn shape(kind: Kind, ranged: bool) -> Shape {
    let (names, key): (&[&str], _) = if ranged {
        (&["to", "first", "cost", "last"], KeyColumns::Range { from: 1, to: 3 })
    } else {
        (&["to", "number", "cost"], KeyColumns::One(1))
    };
    Shape { kind, columns: names.iter().map(|&name| name.into()).collect(), key }
}

fn build<'r>(shape: &Shape, rows: impl IntoIterator<Item = &'r (u32, Cells)>) -> Built {
    let mut builder = Builder::new(shape.clone());
    for (line, cells) in rows {
        builder.push(&bytes(cells), *line).expect("a row");
    }
    builder.finish()
}

/// What a table says of an entry: its key and the values of its rows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    first: String,
    last: String,
    rows: Vec<(String, String)>,
}

fn seen_key(table: &Table, entry: u32) -> String {
    let mut key = Vec::new();
    table.key_of(entry, table.shape().key.first(), &mut key);
    String::from_utf8(key).expect("a text")
}

fn seen(table: &Table, entry: u32) -> Seen {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("a text");
    let key = |column| {
        let mut key = Vec::new();
        table.key_of(entry, column, &mut key);
        text(&key)
    };
    let value = |row, column| {
        let value = table.value(row, column);
        assert_eq!(table.values(column).nth(table.value_id(row, column) as usize), Some(value));
        text(value)
    };
    let rows = table.rows_of(entry).map(|row| (value(row, 0), value(row, 2))).collect();
    let last = if table.shape().columns.len() > 3 { key(3) } else { key(1) };
    Seen { first: key(1), last, rows }
}

/// The first line of an entry and the values of its rows.
type Held = (u32, Vec<(String, String)>);

/// A table as a list.
#[derive(Debug, Default)]
struct Model {
    exact: bool,
    entries: BTreeMap<(String, String), Held>,
    equal: Vec<u32>,
    conflicts: Vec<u32>,
}

/// The 15-digit numbers of a range; `None` for a key kept as text.
fn stretch(first: &str, last: &str) -> Option<(bool, u64, u64)> {
    let ((from, whole), (to, _)) = (Digits::leading(first.as_bytes()), Digits::leading(last.as_bytes()));
    whole.then(|| (from.plus, from.start(), to.start() + unit(to.length)))
}

impl Model {
    fn new(shape: &Shape, rows: &[(u32, Cells)]) -> Self {
        let mut model = Self { exact: shape.kind == Kind::Exact, ..Self::default() };
        let mut rows = rows.to_vec();
        rows.sort();
        let mut left_out = BTreeMap::new();
        for (line, cells) in rows {
            let first = cells[1].clone();
            let last = cells.get(3).filter(|last| !last.is_empty()).unwrap_or(&first).clone();
            let values = (cells[0].clone(), cells[2].clone());
            let here = stretch(&first, &last).filter(|_| cells.len() > 3);
            let across = |(a, b): &(String, String)| match (stretch(a, b), here) {
                (Some((plus_a, a, a_end)), Some((plus_b, b, b_end))) if plus_a == plus_b => {
                    (a < b && b < a_end && a_end < b_end) || (b < a && a < b_end && b_end < a_end)
                }
                _ => false,
            };
            if model.entries.keys().any(across) {
                // A row that was left out can have its equals, too.
                let equals = left_out.entry((first, last)).or_insert_with(Vec::new);
                let lines = if equals.contains(&values) { &mut model.equal } else { &mut model.conflicts };
                lines.push(line);
                equals.push(values);
                if shape.kind != Kind::Deck {
                    equals.truncate(1);
                }
                continue;
            }
            let (_, held) = model.entries.entry((first, last)).or_insert((line, Vec::new()));
            if held.contains(&values) {
                model.equal.push(line);
            } else if held.is_empty() || shape.kind == Kind::Deck {
                held.push(values);
                held.sort();
            } else {
                model.conflicts.push(line);
            }
        }
        model
    }

    fn matches(&self, number: &str) -> Vec<(usize, Seen)> {
        let is_match = |first: &str, last: &str| {
            if self.exact {
                return first == number;
            }
            // Digits of one length: then the order of bytes is that of numbers.
            let digits = |start: &str| first == last || Digits::leading(start.as_bytes()).1;
            number.get(..first.len()).is_some_and(|start| digits(start) && start >= first && start <= last)
        };
        let mut found: Vec<_> =
            self.entries.iter().filter(|((first, last), _)| is_match(first, last)).collect();
        found.sort_by_key(|((first, last), _)| {
            let width = stretch(first, last).map_or(0, |(_, from, to)| to - from);
            (width, std::cmp::Reverse(first.len()))
        });
        let see = |((first, last), (_, rows)): (&(String, String), &Held)| {
            (first.len(), Seen { first: first.clone(), last: last.clone(), rows: rows.clone() })
        };
        found.into_iter().map(see).collect()
    }
}

fn found(table: &Table, number: &str) -> Vec<(usize, Seen)> {
    table.matches(number.as_bytes()).map(|hit| (hit.length, seen(table, hit.entry))).collect()
}

/// Keys that share beginnings: few digits, sometimes a `+`, sometimes others than digits or too many.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => "\\+?[0-2]{1,4}",
        3 => "\\+?[0-9]{13,15}",
        1 => "\\+?[0-1]{0,3}[*#A-D][0-1]{0,2}",
        1 => "\\+?1{14,20}",
        1 => Just("+".to_owned()),
    ]
}

fn ends() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        1 => key().prop_map(|key| (key, String::new())),
        1 => "[0-2]{1,4}".prop_map(|key| (key.clone(), key)),
        4 => ("\\+?", 1_u32..5).prop_flat_map(|(plus, digits)| {
            let end = 10_u64.pow(digits);
            (0..end, 0..end).prop_map(move |(a, b)| {
                let text = |value| format!("{plus}{value:0width$}", width = digits as usize);
                (text(a.min(b)), text(a.max(b)))
            })
        }),
    ]
}

fn rows(ranged: bool) -> impl Strategy<Value = Vec<(u32, Cells)>> {
    let row = (key(), ends(), "[ab]?", "[xyz]");
    prop::collection::vec(row, 0..200).prop_map(move |rows| {
        let cells = |(key, (first, last), to, cost): (String, (String, String), String, String)| {
            if ranged { vec![to, first, cost, last] } else { vec![to, key, cost] }
        };
        (1_u32..).zip(rows.into_iter().map(cells)).collect()
    })
}

fn tables() -> impl Strategy<Value = (Shape, Vec<(u32, Cells)>)> {
    prop_oneof![
        Just((Kind::Exact, false)),
        Just((Kind::Prefix, false)),
        Just((Kind::Prefix, true)),
        Just((Kind::Deck, false)),
        Just((Kind::Deck, true)),
    ]
    .prop_flat_map(|(kind, ranged)| rows(ranged).prop_map(move |rows| (shape(kind, ranged), rows)))
}

fn bytes(cells: &Cells) -> Vec<&[u8]> {
    cells.iter().map(String::as_bytes).collect()
}

/// The rows of a table, as a file would have them.
fn held(shape: &Shape, table: &Table) -> Vec<Cells> {
    let entries = table.in_order().map(|entry| seen(table, entry));
    let rows = entries.flat_map(|entry| {
        let ranged = shape.columns.len() > 3;
        let cells = move |(to, cost): (String, String)| {
            let mut cells = vec![to, entry.first.clone(), cost];
            cells.extend(ranged.then(|| entry.last.clone()));
            cells
        };
        entry.rows.into_iter().map(cells).collect::<Vec<_>>()
    });
    rows.collect()
}

/// What is found for one number.
fn ahead(table: &Table, number: &[u8]) -> Option<Near> {
    let mut found = None;
    table.look_ahead(std::iter::once(number), |index, near| found = Some((index, near)));
    found.map(|(index, near)| {
        assert_eq!(index, 0);
        near
    })
}

fn agrees(table: &Table, model: &Model, numbers: &[String]) -> Result<(), TestCaseError> {
    prop_assert_eq!(table.entries(), model.entries.len());
    prop_assert_eq!(table.rows(), model.entries.values().map(|(_, rows)| rows.len()).sum::<usize>());
    let mut all: Vec<_> = table.in_order().map(|entry| seen(table, entry)).collect();
    all.sort();
    let see = |((first, last), (_, rows)): (&(String, String), &Held)| Seen {
        first: first.clone(),
        last: last.clone(),
        rows: rows.clone(),
    };
    prop_assert_eq!(all, model.entries.iter().map(see).collect::<Vec<_>>());
    let another = small();
    let keys =
        model.entries.keys().flat_map(|(first, last)| [first.clone(), last.clone() + "5", last.clone()]);
    for number in keys.chain(numbers.iter().cloned()) {
        prop_assert_eq!(found(table, &number), model.matches(&number), "{}", number);
        let first = model.matches(&number).into_iter().next();
        prop_assert_eq!(table.find(number.as_bytes()).map(|hit| (hit.length, seen(table, hit.entry))), first);
        // An entry is proved: a wrong one changes nothing, nor does what another table has for this number.
        let (ahead, of_another) = (ahead(table, number.as_bytes()), ahead(&another, number.as_bytes()));
        let entries = u32::try_from(table.entries()).expect("few");
        let whole: Vec<Hit> = table.matches(number.as_bytes()).collect();
        let any = (0..entries).chain([entries, u32::MAX]).map(Near::elsewhere);
        for near in any.chain(ahead).chain(of_another) {
            let matches: Vec<Hit> = table.matches_near(number.as_bytes(), Some(&near)).collect();
            prop_assert_eq!(&matches, &whole, "{} near {:?}", number, near);
            let found = table.find_near(number.as_bytes(), Some(&near));
            prop_assert_eq!(found, whole.first().copied(), "{} near {:?}", number, near);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn tables_are_as_the_model((shape, rows) in tables(), numbers in prop::collection::vec("\\+?[0-2]{0,6}[*0-9]{0,12}", 0..50)) {
        let Built { table, twins } = build(&shape, &rows);
        let model = Model::new(&shape, &rows);
        agrees(&table, &model, &numbers)?;
        prop_assert_eq!(twins.equal as usize, model.equal.len());
        prop_assert_eq!(twins.conflicts as usize, model.conflicts.len());
        let shown = |twins: &mut dyn Iterator<Item = &Twin>| twins.map(|twin| twin.line).collect::<Vec<_>>();
        let first = |lines: &[u32]| lines.iter().copied().take(TWINS_SHOWN_MAX).collect::<Vec<_>>();
        prop_assert_eq!(shown(&mut twins.equal_shown()), first(&model.equal));
        prop_assert_eq!(shown(&mut twins.conflicts_shown()), first(&model.conflicts));
        let again = Table::from_image(table.image().to_vec());
        let again = again.expect("its own image");
        prop_assert_eq!(again.image(), table.image());
        prop_assert_eq!(again.shape(), &shape);
        agrees(&again, &model, &numbers)?;
    }

    #[test]
    fn the_order_of_rows_does_not_show(
        (shape, rows, shuffled) in tables().prop_flat_map(|(shape, rows)| {
            (Just(shape), Just(rows.clone()), Just(rows).prop_shuffle())
        })
    ) {
        let (table, other) = (build(&shape, &rows).table, build(&shape, &shuffled).table);
        prop_assert_eq!(table.image(), other.image());
        let mut sorted = rows;
        sorted.sort_by(|(_, a), (_, b)| (&a[1], a.get(3)).cmp(&(&b[1], b.get(3))));
        let other = build(&shape, &sorted).table;
        prop_assert_eq!(table.image(), other.image());
    }

    #[test]
    fn a_changed_table_is_that_of_the_changed_rows(
        ((shape, rows), added, places) in tables().prop_flat_map(|(shape, all)| {
            let ranged = shape.columns.len() > 3;
            (Just((shape, all)), rows(ranged), prop::collection::vec(any::<prop::sample::Index>(), 0..40))
        }),
        by_target in any::<bool>(),
    ) {
        let to = by_target.then_some(0);
        let in_deck = shape.kind == Kind::Deck && by_target;
        let table = build(&shape, &rows).table;
        let old = held(&shape, &table);
        let mut change = Change::new(&table, to);
        let mut gone: Vec<(Cells, bool)> = Vec::new();
        for place in places.iter().filter(|_| !rows.is_empty()) {
            let (_, cells) = place.get(&rows);
            change.remove(&bytes(cells)).expect("a key");
            gone.push((cells.clone(), in_deck && !cells[0].is_empty()));
        }
        let added: Vec<_> = added.into_iter().take(60).collect();
        for (line, cells) in &added {
            change.add(&bytes(cells), *line).expect("a row");
            gone.push((cells.clone(), in_deck && !cells[0].is_empty()));
        }
        let key = |cells: &Cells| {
            let last = cells.get(3).filter(|last| !last.is_empty()).unwrap_or(&cells[1]);
            (cells[1].clone(), last.clone())
        };
        let is_gone = |cells: &Cells| {
            gone.iter().any(|(it, by_target)| key(it) == key(cells) && (!by_target || it[0] == cells[0]))
        };
        let kept = old.into_iter().filter(|cells| !is_gone(cells)).map(|cells| (0, cells));
        let changed: Vec<_> = kept.chain(added).collect();
        let Built { table: expected, .. } = build(&shape, &changed);
        let Built { table, .. } = change.finish().expect("room");
        prop_assert_eq!(table.image(), expected.image());
    }

    #[test]
    fn any_words_are_refused_or_harmless((shape, rows) in tables(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>(), 0_u8..3), 1..4)) {
        let mut words = build(&shape, &rows).table.image().to_vec();
        for (place, value, how) in changes {
            let place = place.get_mut(&mut words);
            *place = match how {
                0 => value,
                1 => *place ^ (1 << (value % 64)),
                _ => place.wrapping_add(value % 5).wrapping_sub(2),
            };
        }
        image::seal(&mut words);
        use_all(words);
    }
}

/// Whatever a table from these words says, it says it.
fn use_all(words: Vec<u64>) {
    let Ok(table) = Table::from_image(words) else { return };
    let entries = u32::try_from(table.entries()).expect("few");
    assert!(table.facts_are_small());
    assert!(table.in_order().count() <= table.image().len() * 64);
    for entry in (0..entries.min(500)).chain(table.in_order().take(500)).chain([entries, u32::MAX]) {
        let mut key = Vec::new();
        (0..6).for_each(|column| table.key_of(entry, column, &mut key));
        for row in table.rows_of(entry).take(300) {
            (0..6).for_each(|column| assert!(table.value(row, column).len() < 1 << 20));
        }
        let number = String::from_utf8_lossy(&key).into_owned();
        let numbers = [&number, "+", "", "0", "1", "12", "+1", "*2", "111111111111111111"];
        table.look_ahead(numbers.iter().map(|number| number.as_bytes()), |_, _| ());
        for number in numbers {
            assert!(table.matches(number.as_bytes()).count() <= NESTED_RANGES_MAX + 1 + NUMBER_BYTES_MAX);
        }
    }
    (0..6).for_each(|column| assert!(table.values(column).count() < 1 << 20));
}

#[test]
fn no_more_numbers_are_looked_for_ahead_than_the_limit() {
    let exact = build(&shape(Kind::Exact, false), &[]).table;
    for table in [small(), exact] {
        let mut asked = 0;
        let numbers = std::iter::repeat_n(&b"+4420"[..], NUMBERS_AHEAD_MAX + 1).inspect(|_| asked += 1);
        let mut found = Vec::new();
        table.look_ahead(numbers, |index, _| found.push(index));
        assert_eq!(asked, NUMBERS_AHEAD_MAX);
        let expected = if table.shape().kind == Kind::Exact { 0 } else { NUMBERS_AHEAD_MAX };
        assert!(found.into_iter().eq(0..expected));
    }
}

/// Blocks and lanes, and numbers before, between and behind them all.
#[test]
fn what_is_looked_for_ahead_is_what_a_look_up_begins_with() {
    let key = |number: u32| match number % 3 {
        0 => format!("+44{:05}", number * 7 % 99_991),
        _ => format!("{:05}", number * 11 % 99_991),
    };
    let rows: Vec<(u32, Cells)> =
        (1..3000).map(|line| (line, vec!["a".to_owned(), key(line), "x".to_owned()])).collect();
    let table = build(&shape(Kind::Deck, false), &rows).table;
    let mut found = 0;
    for number in (0..1000).flat_map(|number| {
        let number = number * 101;
        [
            format!("{number:05}99"),
            format!("+44{number:05}"),
            format!("+43{number:05}"),
            format!("+45{number}"),
        ]
    }) {
        let (digits, _) = Digits::leading(number.as_bytes());
        let last = table.sorted.last_until(&table.words, usize::from(digits.plus), digits.start(), None);
        let ahead = ahead(&table, number.as_bytes());
        assert_eq!(ahead.map(|near| near.entry as usize), last.map(|(entry, _)| entry), "{number}");
        let guess = ahead.map(|near| near.entry);
        let near = table.sorted.last_until(&table.words, usize::from(digits.plus), digits.start(), guess);
        assert_eq!(near, last, "{number}");
        let known = ahead.map(|near| near.found(&table, number.as_bytes()));
        assert_eq!(known, ahead.map(|_| Some(table.find(number.as_bytes()))), "{number}");
        let other = format!("{number}0");
        assert_eq!(ahead.and_then(|near| near.found(&table, other.as_bytes())), None, "{other}");
        found += usize::from(last.is_some());
    }
    assert!((2000..4000).contains(&found), "{found} of 4000");
}

fn small() -> Table {
    let rows: Vec<(u32, Cells)> =
        [("+44", "a", "x"), ("+4420", "b", "x"), ("7", "", "y"), ("*21", "c", "z"), ("+44", "b", "y")]
            .iter()
            .zip(1..)
            .map(|(&(key, to, cost), line)| (line, vec![to.to_owned(), key.to_owned(), cost.to_owned()]))
            .collect();
    build(&shape(Kind::Deck, false), &rows).table
}

#[test]
fn an_image_with_a_changed_bit_is_refused() {
    let words = small().image().to_vec();
    assert!(Table::from_image(words.clone()).is_ok());
    for index in 0..words.len() {
        for bit in 0..64 {
            let mut words = words.clone();
            words[index] ^= 1 << bit;
            let fault = Table::from_image(words).expect_err("a changed bit");
            let right = match index {
                0 => fault == ImageFault::NotOurs,
                2 => matches!(fault, ImageFault::ForeignVersion { .. }),
                3 => matches!(fault, ImageFault::Torn { .. }),
                _ => fault == ImageFault::Checksum,
            };
            assert!(right, "word {index}, bit {bit}: {fault:?}");
        }
    }
}

#[test]
fn an_image_that_is_cut_off_or_too_long_is_refused() {
    let words = small().image().to_vec();
    let whole = words.len() as u64;
    for length in 0..words.len() {
        let fault = Table::from_image(words[..length].to_vec()).expect_err("cut off");
        let torn = matches!(fault, ImageFault::Torn { found, .. } if found == length as u64);
        assert!(torn || (length == 0 && fault == ImageFault::NotOurs), "{length}: {fault:?}");
    }
    let longer = [&words[..], &[0]].concat();
    let fault = Table::from_image(longer).expect_err("too long");
    assert_eq!(fault, ImageFault::Torn { found: whole + 1, expected: whole });
}

#[test]
fn an_image_of_another_machine_or_version_is_refused() {
    let words = small().image().to_vec();
    // The bytes stay where they are; what they mean is turned round.
    let mut foreign: Vec<u64> = words.iter().map(|word| word.swap_bytes()).collect();
    foreign[0] = words[0];
    assert_eq!(Table::from_image(foreign).expect_err("foreign"), ImageFault::ForeignOrder);
    let mut other = words;
    other[2] = IMAGE_VERSION + 1;
    let fault = Table::from_image(other).expect_err("another version");
    assert_eq!(fault.to_string(), "is a table of another version of waypost (layout 5); compile it again");
}

#[test]
fn faults_of_rows() {
    let long = "1".repeat(NUMBER_BYTES_MAX + 1);
    let mut builder = Builder::new(shape(Kind::Prefix, true));
    let mut push =
        |first: &str, last: &str| builder.push(&[b"a", first.as_bytes(), b"x", last.as_bytes()], 1).err();
    for (first, last, fault) in [
        ("", "", Some(RowFault::Empty)),
        ("", "4", Some(RowFault::Empty)),
        (&long, "", Some(RowFault::Long)),
        (&long[1..], "", None),
        ("+44 20", "", Some(RowFault::Separators)),
        ("44", "4-5", Some(RowFault::Separators)),
        ("4+4", "", Some(RowFault::PlusInside)),
        ("44x", "", Some(RowFault::Character)),
        ("44", "445", Some(RowFault::RangeLengths)),
        ("44", "+4", Some(RowFault::RangeLengths)),
        ("45", "44", Some(RowFault::RangeOrder)),
        ("*1", "*2", Some(RowFault::RangeDigits)),
        ("*1", "*1", None),
        ("44", "44", None),
        ("44", "", None),
        ("000", "999", None),
    ] {
        assert_eq!(push(first, last), fault, "{first} to {last}");
    }
    assert_eq!(builder.push(&[b"a", b"1"], 1), Err(RowFault::Cells));
    assert_eq!(builder.finish().table.entries(), 4);
}

#[test]
fn a_table_has_only_so_many_rows_and_those_that_repeat_another_count() {
    let mut builder = Builder::new(shape(Kind::Exact, false));
    assert_eq!(builder.rows_max, TABLE_ROWS_MAX);
    builder.rows_max = 3;
    let row: [&[u8]; 3] = [b"a", b"44", b"x"];
    for line in 1..=3 {
        assert_eq!(builder.push(&row, line), Ok(()));
    }
    assert_eq!(builder.push(&row, 4), Err(RowFault::Full));
    assert_eq!(builder.finish().table.entries(), 1);
}

#[test]
fn only_so_many_ranges_lie_in_each_other() {
    let rows: Vec<(u32, Cells)> = (0..NESTED_RANGES_MAX as u32 + 3)
        .map(|depth| {
            (
                depth + 1,
                vec!["a".into(), format!("{:04}", 1000 + depth), "x".into(), format!("{:04}", 2000 - depth)],
            )
        })
        .collect();
    let Built { table, twins } = build(&shape(Kind::Prefix, true), &rows);
    assert_eq!((table.entries(), twins.conflicts), (NESTED_RANGES_MAX, 3));
    assert_eq!(table.matches(b"1500").count(), NESTED_RANGES_MAX);
    assert_eq!(table.matches(b"1000").count(), 1);
    let shown: Vec<_> = twins.conflicts_shown().cloned().collect();
    let left_out = |line: u32| Twin {
        key: format!("{}-{}", 999 + line, 2001 - line),
        first_line: NESTED_RANGES_MAX as u32,
        line,
    };
    assert_eq!(shown, [65, 66, 67].map(left_out));
}

#[test]
fn only_the_first_twins_are_shown() {
    let count = TWINS_SHOWN_MAX as u32 + 5;
    let cells = |to: &str| vec![to.to_owned(), "7".to_owned(), "x".to_owned()];
    let equal = (0..count).map(|line| (line * 2 + 2, cells("a")));
    let other = (0..count).map(|line| (line * 2 + 3, cells("b")));
    let rows: Vec<_> = [(1, cells("a"))].into_iter().chain(equal).chain(other).rev().collect();
    let twins = build(&shape(Kind::Exact, false), &rows).twins;
    assert_eq!((twins.equal, twins.conflicts), (u64::from(count), u64::from(count)));
    let twin = |line| Twin { key: "7".into(), first_line: 1, line };
    let shown = TWINS_SHOWN_MAX as u32;
    assert!(twins.equal_shown().cloned().eq((0..shown).map(|line| twin(line * 2 + 2))));
    assert!(twins.conflicts_shown().cloned().eq((0..shown).map(|line| twin(line * 2 + 3))));
}

#[test]
fn first_lines_are_known_until_the_table_is_an_image() {
    let row = |line, key: &str, to: &str| (line, vec![to.to_owned(), key.to_owned(), "x".to_owned()]);
    let table =
        build(&shape(Kind::Exact, false), &[row(3, "1", "b"), row(4, "2", "a"), row(5, "0", "b")]).table;
    assert_eq!(table.values(0).collect::<Vec<_>>(), [b"a", b"b"]);
    assert_eq!((table.first_line(0, 0), table.first_line(0, 1), table.first_line(0, 2)), (4, 3, 0));
    assert_eq!(table.values(1).count(), 0);
    let again = Table::from_image(table.image().to_vec()).expect("its own image");
    assert_eq!(again.first_line(0, 0), 0);
}

#[test]
fn a_table_without_rows_or_values() {
    for kind in [Kind::Exact, Kind::Prefix, Kind::Deck] {
        let only = Shape { kind, columns: vec!["number".into()], key: KeyColumns::One(0) };
        let table = Builder::new(only.clone()).finish().table;
        assert_eq!((table.rows(), table.entries(), table.find(b"1"), table.rows_of(0)), (0, 0, None, 0..0));
        let mut builder = Builder::new(only);
        for number in ["1", "12", "1"] {
            builder.push(&[number.as_bytes()], 1).expect("a row");
        }
        let table = builder.finish().table;
        let found: Vec<_> =
            table.find(b"12").map(|hit| (hit.length, seen_key(&table, hit.entry))).into_iter().collect();
        assert_eq!(found, [(2, "12".to_owned())]);
        assert_eq!((table.rows(), table.value(0, 0)), (2, &b""[..]));
    }
}

/// Enough numbers for several segments, some of them in lines that are too small for all, against the standard map.
#[test]
fn many_numbers() {
    let mut known = BTreeMap::new();
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    for _ in 0..60_000 {
        known.insert(format!("+49{:09}", next() % 3_000_000), format!("D{:03}", next() % 700));
        known.insert(format!("{:07}", next() % 100_000), format!("D{:03}", next() % 700));
    }
    let shape =
        Shape { kind: Kind::Exact, columns: vec!["number".into(), "rn".into()], key: KeyColumns::One(0) };
    let mut builder = Builder::new(shape);
    for (line, (number, rn)) in (1..).zip(&known) {
        builder.push(&[number.as_bytes(), rn.as_bytes()], line).expect("a row");
    }
    let Built { table, twins } = builder.finish();
    assert_eq!((table.rows(), table.entries(), twins), (known.len(), known.len(), Twins::default()));
    let (plus, others): (Vec<_>, Vec<_>) = known.keys().cloned().partition(|number| number.starts_with('+'));
    assert!(
        plus.len() > segments::SEGMENT && others.len() > segments::SEGMENT,
        "too few for several segments"
    );
    // By length, then by digits.
    let in_order = table.in_order().map(|entry| seen_key(&table, entry));
    assert!(in_order.eq(others.into_iter().chain(plus)));
    let plus = (0..3_000_000_u64).step_by(7).map(|number| format!("+49{number:09}"));
    for number in plus.chain((0..100_000_u64).map(|number| format!("{number:07}"))) {
        let value = table.find(number.as_bytes()).map(|hit| table.value(table.rows_of(hit.entry).start, 1));
        assert_eq!(value, known.get(&number).map(|rn| rn.as_bytes()), "{number}");
    }
}
