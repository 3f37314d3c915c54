//! What did not change is not read again.

use std::{fs, sync::Arc};

use waypost::{control::loader::Loader, numbers::Table};

use super::directory::{Directory, load, settle};

const EXACT: &str = "file: t.csv, match: exact, columns: [number, rn]";

fn table(loader: &Loader) -> Arc<Table> {
    let loaded = load(loader).unwrap_or_else(|errors| panic!("{errors}"));
    Arc::clone(loaded.table.tables[0].table())
}

#[test]
fn a_change_of_the_routes_alone_keeps_the_table() {
    let directory = Directory::new(EXACT, &[("t.csv", b"1,2\n")]);
    settle();
    let loader = directory.loader();
    let first = table(&loader);
    assert_eq!(loader.table_reads(), 1);
    let path = directory.path("a.yaml");
    let text = fs::read_to_string(&path).unwrap().replace("404", "410");
    fs::write(&path, format!("# moved down\n{text}")).unwrap();
    assert!(Arc::ptr_eq(&first, &table(&loader)));
    // Also after a load that failed.
    fs::write(&path, "routes: 1").unwrap();
    load(&loader).expect_err("no routes");
    fs::write(&path, text).unwrap();
    assert!(Arc::ptr_eq(&first, &table(&loader)));
    assert_eq!(loader.table_reads(), 1);
}

#[test]
fn the_same_bytes_written_again_keep_the_table_and_others_do_not() {
    let directory = Directory::new(EXACT, &[("t.csv", b"1,2\n")]);
    settle();
    let loader = directory.loader();
    let first = table(&loader);
    directory.write("t.csv", b"1,2\n");
    assert!(Arc::ptr_eq(&first, &table(&loader)), "by the hash");
    assert_eq!(loader.table_reads(), 1);
    // As long as before, and the system may not tell the times apart.
    directory.write("t.csv", b"1,3\n");
    let second = table(&loader);
    assert!(!Arc::ptr_eq(&first, &second));
    assert_eq!(second.value(0, 1), b"3");
    directory.write("t.csv", b"x,3\n");
    load(&loader).expect_err("no number");
    directory.write("t.csv", b"1,3\n");
    assert!(Arc::ptr_eq(&second, &table(&loader)), "back to what it was");
    directory.write("t.csv", b"1,3\n2,4\n");
    assert_eq!(table(&loader).rows(), 2);
}

#[test]
fn another_meaning_of_the_same_bytes_is_another_table() {
    let directory = Directory::new(EXACT, &[("t.csv", b"1,2\n")]);
    let loader = directory.loader();
    let first = table(&loader);
    directory.say("file: t.csv, match: exact, columns: [rn, number]");
    let second = table(&loader);
    assert!(first.find(b"1").is_some() && second.find(b"1").is_none() && second.find(b"2").is_some());
}

#[test]
fn two_tables_of_one_file_are_one() {
    let directory = Directory::new(EXACT, &[("t.csv", b"1,2\n")]);
    let one = "{ file: t.csv, match: exact, columns: [number, rn] }";
    let text =
        format!("tables: {{ t: {one}, u: {one} }}\nroutes: [ {{ when: {{ in: [t, u] }}, answer: 404 }} ]\n");
    directory.write("a.yaml", text.as_bytes());
    let loader = directory.loader();
    let loaded = load(&loader).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(Arc::ptr_eq(loaded.table.tables[0].table(), loaded.table.tables[1].table()));
    assert_eq!(loader.table_reads(), 1);
}

#[test]
fn the_hash_names_the_files_whether_they_were_read_or_not() {
    let directory = Directory::new(EXACT, &[("t.csv", b"1,2\n")]);
    settle();
    let loader = directory.loader();
    let first = load(&loader).unwrap().hash;
    assert_eq!(load(&loader).unwrap().hash, first);
    assert_eq!(load(&directory.loader()).unwrap().hash, first);
    directory.write("t.csv", b"1,3\n");
    assert_ne!(load(&loader).unwrap().hash, first);
    directory.write("t.csv", b"1,2\n");
    assert_eq!(load(&loader).unwrap().hash, first);
}

#[test]
fn a_table_that_no_route_file_names_any_more_is_let_go() {
    let directory = Directory::new(EXACT, &[("t.csv", b"1,2\n")]);
    let loader = directory.loader();
    let held = Arc::downgrade(&table(&loader));
    assert!(held.upgrade().is_some());
    directory.write("a.yaml", b"routes: [ { answer: 404 } ]\n");
    load(&loader).unwrap();
    assert!(held.upgrade().is_none());
}
