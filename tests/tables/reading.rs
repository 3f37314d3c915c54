//! Rows of files, and what is said of them.

use waypost::limits::{
    DIAGNOSTICS_MAX, ROWS_PER_PREFIX_MAX, TABLE_CHANGES_MAX, TABLE_ERRORS_MAX, TABLE_FILE_BYTES_MAX,
};

use super::directory::{Directory, gzip, rows, zstd};

const EXACT: &str = "file: t.csv, match: exact, columns: [number, rn]";

fn csv(text: &str) -> Directory {
    Directory::new(EXACT, &[("t.csv", text.as_bytes())])
}

#[test]
fn a_file_may_be_compressed_whatever_its_name_is() {
    let text = "# ported\n+441632960100,+441632970000\n\n+441632960101,+441632970001\n".as_bytes();
    let mut seen = Vec::new();
    for bytes in [text.to_vec(), gzip(text), zstd(text)] {
        let directory = Directory::new(EXACT, &[("t.csv", &bytes)]);
        let (table, warnings) = directory.table().unwrap();
        assert_eq!(warnings, "");
        seen.push(rows(&table));
    }
    assert_eq!(seen[0], ["+441632960100,+441632970000", "+441632960101,+441632970001"]);
    assert_eq!((&seen[1], &seen[2]), (&seen[0], &seen[0]));
}

#[test]
fn a_compressed_file_that_is_cut_short_says_so() {
    for (kind, bytes) in [("gzip", gzip(b"1,2\n")), ("zstd", zstd(b"1,2\n"))] {
        let directory = Directory::new(EXACT, &[("t.csv", &bytes[..bytes.len() - 3])]);
        assert_eq!(
            directory.errors(),
            format!(
                "a.yaml:2:14: cannot read `t.csv`: is {kind}, and ends too soon: was it still being written?; \
                 paths are relative to the routes directory\n"
            )
        );
    }
}

#[test]
fn columns_come_from_the_header_or_the_route_file_in_any_order() {
    for (table, text) in [
        ("file: t.csv, match: exact, header: true", "number,rn\n1,2\n"),
        ("file: t.csv, match: exact, header: true, key: rn", "# a\n\nnumber , rn\r\n2,1\r\n"),
        ("file: t.csv, match: exact, columns: [x, msisdn], key: msisdn, separator: ';'", "2;1\n"),
        ("file: t.csv, match: exact, columns: [number, rn], separator: tab", "1\t2"),
        ("file: t.csv, match: exact, columns: [number, rn], separator: '|'", "\"1\"|2"),
    ] {
        let directory = Directory::new(table, &[("t.csv", text.as_bytes())]);
        let (found, _) = directory.table().unwrap_or_else(|errors| panic!("{table}: {errors}"));
        let hit = found.find(b"1").unwrap_or_else(|| panic!("{table}"));
        let key = found.shape().key.first();
        let row = found.rows_of(hit.entry).start;
        assert_eq!(found.value(row, 1 - key), b"2", "{table}");
    }
}

#[test]
fn ranges_have_two_columns() {
    for key in ["", ", key: [from, until]"] {
        let table = format!("file: t.csv, match: prefix, columns: [from, until, rn]{key}");
        let directory = Directory::new(&table, &[("t.csv", b"+4416,+4418,a\n+4420,,b\n")]);
        let (found, _) = directory.table().unwrap();
        for (number, expected) in
            [("+44171", Some("a")), ("+4418", Some("a")), ("+4419", None), ("+44201", Some("b"))]
        {
            let value =
                found.find(number.as_bytes()).map(|hit| found.value(found.rows_of(hit.entry).start, 2));
            assert_eq!(value, expected.map(str::as_bytes), "{number}");
        }
    }
    let wrong = Directory::new(
        "file: t.csv, match: prefix, columns: [from, until, rn]",
        &[("t.csv", b"+4418,+4416,a\n+44,+4416,b\nx,1,c\n1,x,d\n*1,*2,e\n")],
    );
    assert_eq!(
        wrong.errors(),
        "t.csv:1:1: `+4418` to `+4416` is a range that ends before it begins; the row: +4418,+4416,a\n\
         t.csv:2:1: `+44` to `+4416` is a range whose ends differ in length; expected as many digits in both; the row: +44,+4416,b\n\
         t.csv:3:1: `from` is `x`, which holds a character no number has; expected digits, an optional leading `+`, `*`, `#`, A to D; the row: x,1,c\n\
         t.csv:4:1: `until` is `x`, which holds a character no number has; expected digits, an optional leading `+`, `*`, `#`, A to D; the row: 1,x,d\n\
         t.csv:5:1: `*1` to `*2` is a range of other than digits; expected an optional `+` and at most 15 digits; the row: *1,*2,e\n"
    );
    let exact = Directory::new("file: t.csv, match: exact, columns: [from, until]", &[("t.csv", b"1,2\n")]);
    assert_eq!(
        exact.errors(),
        "a.yaml:2:44: ranges are looked up by `match: prefix`; expected it, or one column as the key\n"
    );
}

#[test]
fn wrong_rows_are_shown_up_to_a_limit_and_counted() {
    let text = |count: usize| format!("1,2\n{}", "alice,3\n".repeat(count));
    let errors = csv(&text(DIAGNOSTICS_MAX - 1)).errors();
    assert_eq!(errors.lines().count(), DIAGNOSTICS_MAX - 1);
    let errors = csv(&text(DIAGNOSTICS_MAX)).errors();
    assert_eq!(errors.lines().count(), DIAGNOSTICS_MAX);
    assert_eq!(errors.lines().last(), Some("t.csv:50:1: and 1 more errors in this file"));
    let long = format!("alice,{}\n", "x".repeat(200));
    let errors = csv(&long).errors();
    assert!(errors.ends_with(&format!("; the row: alice,{}…\n", "x".repeat(74))), "{errors}");
    let errors = csv(&text(TABLE_ERRORS_MAX + 5)).errors();
    assert_eq!(
        errors.lines().last(),
        Some("t.csv:50:1: and 9951 more errors in this file; the rest of this file was not read")
    );
}

#[test]
fn wrong_rows_may_be_left_out() {
    let table = format!("{EXACT}, bad_rows: skip");
    let directory = |text: &str| Directory::new(&table, &[("t.csv", text.as_bytes())]);
    let (found, warnings) = directory("1,2\nx,3\n4\n5,6\n").table().unwrap();
    assert_eq!(rows(&found), ["1,2", "5,6"]);
    assert_eq!(
        warnings,
        "t.csv:2:1: 2 rows are wrong and were left out: line 2: `number` is `x`, which holds a character no number has; \
         expected digits, an optional leading `+`, `*`, `#`, A to D; the row: x,3; line 3: the row has 1 cells, the table 2 columns; \
         is the `separator` right?; the row: 4\n"
    );
    let warnings = directory(&format!("1,2\n{}", "x,y\n".repeat(20_000))).warnings();
    assert!(
        warnings.starts_with("t.csv:2:1: 20000 rows are wrong and were left out: line 2: "),
        "{warnings}"
    );
    assert!(
        warnings.ends_with("; and more\n") && warnings.matches("; the row: x,y").count() == 3,
        "{warnings}"
    );
    assert_eq!(
        directory("x,1\n").errors(),
        "t.csv:1:1: no row is right, and none would be left: line 1: `number` is `x`, which holds a character no number has; expected digits, an optional \
         leading `+`, `*`, `#`, A to D; the row: x,1\n"
    );
}

#[test]
fn rows_that_repeat_or_contradict_an_earlier_one_are_named() {
    assert_eq!(
        csv("1,2\n3,4\n1,2\n").warnings(),
        "t.csv:3:1: 1 row repeats an earlier one: line 3: `1` is that of line 1\n"
    );
    let text = "1,2\n3,4\n1,5\n3,6\n3,4\n";
    assert_eq!(
        csv(text).errors(),
        "t.csv:3:1: `1` is in the table twice, with different values; the first is on line 1; correct one, or keep the first with `conflicts: first`\n\
         t.csv:4:1: `3` is in the table twice, with different values; the first is on line 2; correct one, or keep the first with `conflicts: first`\n"
    );
    let directory = Directory::new(&format!("{EXACT}, conflicts: first"), &[("t.csv", text.as_bytes())]);
    let (table, warnings) = directory.table().unwrap();
    assert_eq!(rows(&table), ["1,2", "3,4"]);
    assert_eq!(
        warnings,
        "t.csv:3:1: 2 rows contradict an earlier one and were left out: line 3: `1` is in the table twice, with different values; the first is on line 1; \
         line 4: `3` is in the table twice, with different values; the first is on line 2\n\
         t.csv:5:1: 1 row repeats an earlier one: line 5: `3` is that of line 2\n"
    );
}

#[test]
fn what_a_route_file_says_of_a_table_is_checked_before_the_file_is_read() {
    for (table, expected) in [
        (
            "file: t.csv, columns: [number]",
            "a.yaml:2:6: `match` is missing; add `match: exact` for whole numbers, or `match: prefix` for the longest beginning\n",
        ),
        (
            "file: t.csv, match: prefix, columns: [a, b, c], key: [a, b, c]",
            "a.yaml:2:61: expected one column, or two with the first and the last number of a range: `[from, until]`\n",
        ),
        (
            "file: t.csv, match: prefix, columns: [a, b], key: [a, a]",
            "a.yaml:2:58: the first and the last number of a range are in two columns; expected two names\n",
        ),
        (
            "file: t.wpt, header: true",
            "a.yaml:2:29: a compiled table knows its columns and its key; take this out, or name the CSV file it was made of\n",
        ),
        (
            "file: ../t.csv, match: exact, columns: [number]",
            "a.yaml:2:14: cannot read `../t.csv`: leaves the routes directory: write a path relative to it, without \"..\"; \
             paths are relative to the routes directory\n",
        ),
    ] {
        assert_eq!(Directory::new(table, &[]).errors(), expected, "{table}");
    }
    let changes = |count: usize| format!("{EXACT}, changes: [{}]", vec!["c.csv"; count].join(", "));
    let directory =
        Directory::new(&changes(TABLE_CHANGES_MAX), &[("t.csv", b"1,2\n"), ("c.csv", b"+,3,4\n")]);
    assert_eq!(directory.warnings(), "");
    directory.say(&changes(TABLE_CHANGES_MAX + 1));
    assert_eq!(
        directory.errors(),
        "a.yaml:2:67: 65 files of changes; expected at most 64: make a new file of the table, and begin again\n"
    );
}

#[test]
fn a_file_over_the_limit_is_refused_unread() {
    let directory = csv("");
    let beyond = u64::try_from(TABLE_FILE_BYTES_MAX).unwrap() + 1;
    // A hole: it takes no room on the disk.
    std::fs::File::options().write(true).open(directory.path("t.csv")).unwrap().set_len(beyond).unwrap();
    assert_eq!(
        directory.errors(),
        "a.yaml:2:14: cannot read `t.csv`: is longer than 4294967296 bytes, the most that is read; paths are relative to the routes directory\n"
    );
}

#[test]
fn what_is_no_file_is_not_read() {
    let directory = Directory::new(EXACT, &[]);
    std::fs::create_dir(directory.path("t.csv")).unwrap();
    assert!(directory.errors().contains("cannot read `t.csv`: is not a regular file; "));
}

#[test]
fn rows_of_a_deck_are_told_apart_and_not_too_many() {
    let directory = Directory::new("", &[]);
    let table = "gateways: { a: 'sip:a.example' }\ntables: { t: { file: t.csv, match: prefix, columns: [prefix, to, cost, customer] } }\n\
         routes: [ { answer: { lcr: t } } ]\n";
    directory.write("a.yaml", table.as_bytes());
    let rows = |count: usize| (0..count).map(|customer| format!("+44,a,1,{customer}\n")).collect::<String>();
    directory.write("t.csv", rows(ROWS_PER_PREFIX_MAX).as_bytes());
    assert_eq!(directory.warnings(), "");
    directory.write("t.csv", rows(ROWS_PER_PREFIX_MAX + 1).as_bytes());
    assert_eq!(directory.errors(), "t.csv:1:1: more than 1024 rows for the prefix `+44`\n");
    directory.write("t.csv", b"+44,a,1,x\n+44,a,2,y\n+44,a,3,x\n+44,a,3,x\n");
    assert_eq!(
        directory.errors(),
        "t.csv:1:1: the prefix `+44` has two rows with the same to, customer: a, x; take one out\n"
    );
}
