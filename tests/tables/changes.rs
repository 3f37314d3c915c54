//! Files of changes: the table that comes of them is that of a new file, bit for bit.

use std::sync::Arc;

use super::directory::{Directory, gzip, load, rows, settle};

const EXACT: &str = "match: exact, columns: [number, rn]";

/// The table of `base` with `changes`, and that of `whole`, must be the same words.
fn same(table: &str, base: &str, changes: &[&str], whole: &str) {
    let names: Vec<String> = (0..changes.len()).map(|index| format!("c{index}.csv")).collect();
    let written = format!("file: t.csv, {table}, changes: [{}]", names.join(", "));
    let changed = Directory::new(&written, &[("t.csv", base.as_bytes())]);
    for (name, text) in names.iter().zip(changes) {
        changed.write(name, text.as_bytes());
    }
    let rebuilt = Directory::new(&format!("file: t.csv, {table}"), &[("t.csv", whole.as_bytes())]);
    let (changed, _) = changed.table().unwrap_or_else(|errors| panic!("{errors}"));
    let (rebuilt, _) = rebuilt.table().unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(rows(&changed), rows(&rebuilt));
    assert!(changed.image() == rebuilt.image(), "{table}: the images differ");
}

#[test]
fn a_changed_table_is_that_of_a_new_file() {
    same(EXACT, "1,a\n2,b\n3,c\n", &["+,4,d\n-,2\n+,3,x\n"], "4,d\n3,x\n1,a\n");
    same(EXACT, "1,a\n", &["-,1\n", "# again\n+,1,b\n+,*21,c\n", "+,1,c\n"], "1,c\n*21,c\n");
    same(EXACT, "1,a\n", &["-,1\n"], "");
    same(EXACT, "", &["+,1,a\n"], "1,a\n");
    same(
        "match: prefix, columns: [prefix, x]",
        "+44,a\n+441,b\n",
        &["-,+44\n+,+4416,c\n"],
        "+4416,c\n+441,b\n",
    );
    same(
        "match: prefix, columns: [from, until, x]",
        "+441,+443,a\n+445,,b\n+447,+448,c\n",
        &["-,+441,+443\n+,+441,+442,d\n-,+445\n+,+447,+448,e\n"],
        "+447,+448,e\n+441,+442,d\n",
    );
}

#[test]
fn many_changes_make_no_difference() {
    let row = |number: u32, value: u32| format!("+4416329{number:05},{value}\n");
    let base: String = (0..20_000).map(|number| row(number, number % 7)).collect();
    let changes: String = (0..20_000)
        .filter(|number| number % 3 == 0)
        .map(|number| match number % 2 {
            0 => format!("-,+4416329{number:05}\n"),
            _ => format!("+,{}", row(number, number % 11)),
        })
        .collect();
    let whole: String = (0..20_000)
        .rev()
        .filter(|number| number % 6 != 0)
        .map(|number| row(number, if number % 3 == 0 { number % 11 } else { number % 7 }))
        .collect();
    same(EXACT, &base, &[&changes], &whole);
}

#[test]
fn in_a_deck_a_row_takes_the_place_of_that_of_its_carrier() {
    let gateways = "gateways: { a: 'sip:a.example', b: 'sip:b.example' }\n";
    let table = |files: &str| {
        format!(
            "{gateways}tables: {{ t: {{ {files}, match: prefix, columns: [prefix, to, cost] }} }}\nroutes: [ {{ answer: {{ lcr: t }} }} ]\n"
        )
    };
    let base = "+44,a,1\n+44,b,2\n+441,a,3\n+442,a,4\n+442,b,5\n";
    let changes = "+,+44,a,9\n-,+441\n-,+442,b,0\n+,+443,b,6\n";
    let changed = Directory::new("", &[("t.csv", base.as_bytes()), ("c.csv", changes.as_bytes())]);
    changed.write("a.yaml", table("file: t.csv, changes: [c.csv]").as_bytes());
    let whole = "+442,a,4\n+44,b,2\n+44,a,9\n+443,b,6\n";
    let rebuilt = Directory::new("", &[("t.csv", whole.as_bytes())]);
    rebuilt.write("a.yaml", table("file: t.csv").as_bytes());
    let ((changed, _), (rebuilt, _)) = (changed.table().unwrap(), rebuilt.table().unwrap());
    assert_eq!(rows(&changed), ["+44,a,9", "+44,b,2", "+442,a,4", "+443,b,6"]);
    assert!(changed.image() == rebuilt.image());
}

#[test]
fn only_new_changes_are_read() {
    let files: [(&str, &[u8]); 4] =
        [("t.csv", b"1,a\n"), ("c1.csv", b"+,2,b\n"), ("c2.csv", &gzip(b"-,1\n")), ("c3.csv", b"+,3,c\n")];
    let written = |changes: &str| format!("file: t.csv, {EXACT}, changes: [{changes}]");
    let directory = Directory::new(&written("c1.csv"), &files);
    settle();
    let loader = directory.loader();
    let table = |reads: u64| {
        let loaded = load(&loader).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(loader.table_reads(), reads);
        Arc::clone(loaded.table.tables[0].table())
    };
    assert_eq!(rows(&table(2)), ["1,a", "2,b"]);
    directory.say(&written("c1.csv, c2.csv"));
    assert_eq!(rows(&table(3)), ["2,b"]);
    directory.say(&written("c1.csv, c2.csv, c3.csv"));
    assert_eq!(rows(&table(4)), ["2,b", "3,c"]);
    // What was applied is changed: from the beginning.
    directory.say(&written("c1.csv, c3.csv"));
    assert_eq!(rows(&table(7)), ["1,a", "2,b", "3,c"]);
    directory.write("c1.csv", b"-,1\n");
    assert_eq!(rows(&table(10)), ["3,c"]);
}

#[test]
fn wrong_changes_are_named_and_leave_the_table_as_it_was() {
    let written = |more: &str| format!("file: t.csv, {EXACT}, changes: [c.csv]{more}");
    let text = "*,1,a\n+,1\n+,x,a\n-,x\n-\n-,1,2,3\n+,5,e\n1,a\n";
    let directory = Directory::new(&written(""), &[("t.csv", b"1,a\n"), ("c.csv", text.as_bytes())]);
    assert_eq!(
        directory.errors(),
        "c.csv:1:1: the first cell is `*`; expected `+` and the cells of a row that is put in, or `-` and the number of one that is taken away; the row: *,1,a\n\
         c.csv:2:1: the row has 1 cells, the table 2 columns; is the `separator` right?; the sign not counted; the row: +,1\n\
         c.csv:3:1: `number` is `x`, which holds a character no number has; expected digits, an optional leading `+`, `*`, `#`, A to D; the row: +,x,a\n\
         c.csv:4:1: `number` is `x`, which holds a character no number has; expected digits, an optional leading `+`, `*`, `#`, A to D; the row: -,x\n\
         c.csv:5:1: `-` has 0 cells after it; expected the number alone, as `-,+441632960000`, or a whole row; the row: -\n\
         c.csv:6:1: `-` has 3 cells after it; expected the number alone, as `-,+441632960000`, or a whole row; the row: -,1,2,3\n\
         c.csv:8:1: the first cell is `1`; expected `+` and the cells of a row that is put in, or `-` and the number of one that is taken away; the row: 1,a\n"
    );
    directory.say(&written(", bad_rows: skip"));
    let (table, warnings) = directory.table().unwrap();
    assert_eq!(rows(&table), ["1,a", "5,e"]);
    assert!(warnings.starts_with("c.csv:1:1: 7 rows are wrong and were left out: line 1: "), "{warnings}");
    directory.say(&written(""));
    directory.write("c.csv", b"-,7\n-,8\n");
    assert_eq!(
        directory.warnings(),
        "c.csv:1:1: 2 numbers are taken away and not there: line 1: `7`; line 2: `8`\n"
    );
    directory.say(&format!("file: t.csv, {EXACT}, changes: [none.csv]"));
    assert_eq!(
        directory.errors(),
        "a.yaml:2:68: cannot read `none.csv`: cannot be read: No such file or directory (os error 2); paths are relative to the routes directory\n"
    );
}

#[test]
fn ranges_that_would_overlap_are_refused() {
    let written = "file: t.csv, match: prefix, columns: [from, until, x], changes: [c.csv]";
    let directory = Directory::new(written, &[("t.csv", b"+441,+443,a\n"), ("c.csv", b"+,+442,+445,b\n")]);
    assert_eq!(
        directory.errors(),
        "c.csv:1:1: the range `+442` to `+445` overlaps in part one that is in the table; take that out first\n"
    );
}
