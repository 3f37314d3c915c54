//! The picture of the comparison is the drawing of its table, and nothing else.

use std::{fs, path::Path, process::Command};

fn committed(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/beside").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn drawn(table: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("table.tsv");
    fs::write(&file, table).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/beside/draw.awk");
    let output = Command::new("awk").arg("-f").arg(script).arg(&file).env("LC_ALL", "C").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_committed_picture_is_the_drawing_of_the_committed_table() {
    let table = committed("results.tsv");
    assert_eq!(drawn(&table), committed("results.svg"), "draw it again: see benches/README.md");
}

#[test]
fn bars_begin_at_zero_and_are_as_long_as_their_figures() {
    let table = "# machine: A & B, 2 processors\n\
        request\tserver\tus\tus_min\tus_max\tof_echo\n\
        small\techo_batched\t2.000\t1.900\t2.100\t1.000\n\
        small\twaypost\t3.000\t2.900\t3.500\t1.500\n";
    let picture = drawn(table);
    let width = |class: &str| -> f64 {
        let bar = picture.lines().find(|line| line.starts_with(&format!("<rect class=\"{class}\""))).unwrap();
        assert!(bar.contains("x=\"176\""), "{bar}");
        bar.split_once("width=\"").unwrap().1.split_once('"').unwrap().0.parse().unwrap()
    };
    assert!((width("waypost") / width("echo") - 1.5).abs() < 0.001);
    assert!(picture.contains(">A &amp; B, 2 processors<"));
    assert!(picture.contains(">3.00 <tspan class=\"note\">(1.50)<"));
}
