//! What `waypost publish` writes, and what it refuses.

use std::{fs, process::Command};

use crate::node::{Publisher, listed, refuse_with};

/// The real command; its exit code, stdout and stderr.
fn publish(publisher: &Publisher, more: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waypost"));
    command.arg("publish").arg(publisher.path("routes")).arg("--to").arg(publisher.path("out")).args(more);
    let ran = command.output().unwrap();
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes).unwrap().replace(&publisher.path("").display().to_string(), "DIR/")
    };
    (ran.status.code().unwrap(), text(ran.stdout), text(ran.stderr))
}

fn manifest(publisher: &Publisher) -> serde_json::Value {
    serde_json::from_slice(&fs::read(publisher.path("out/manifest.json")).unwrap()).unwrap()
}

#[test]
fn a_directory_for_a_web_server_is_written() {
    let publisher = Publisher::new();
    publisher.write("routes.yaml", &refuse_with(480));
    publisher.write("tables.yaml", "tables: {t: {file: data/t.csv, match: exact, columns: [number]}}\n");
    publisher.write("data/t.csv", "+441632960001\n");
    publisher.write("data/not named.csv", "");
    let (code, out, err) = publish(&publisher, &["--serial", "5"]);
    assert_eq!((code, &*out), (3, "serial 5: 3 files, 122 bytes\n"));
    assert!(err.starts_with("DIR/routes/tables.yaml:1:10: warning: "), "{err}");
    let manifest = manifest(&publisher);
    let files = manifest["manifest"]["files"].as_array().unwrap();
    let paths: Vec<_> = files.iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["data/t.csv", "routes.yaml", "tables.yaml"]);
    let mut names: Vec<_> = files.iter().map(|file| file["sha256"].as_str().unwrap().to_owned()).collect();
    names.sort_unstable();
    assert_eq!(listed(&publisher.path("out/files")), names);
    assert_eq!(listed(&publisher.path("out")), ["files", "manifest.json"]);
    // As sha256sum has it.
    assert_eq!(files[0]["sha256"], "87e20833f9d41a26753e0e323a7db0056f89c0ffdb6c8932ef6df7a95ed4fb45");
}

#[test]
fn the_serial_goes_up_by_itself_and_not_down() {
    let publisher = Publisher::new();
    publisher.write("routes.yaml", &refuse_with(480));
    publish(&publisher, &["--serial", "4000000000"]);
    let (code, out, _) = publish(&publisher, &[]);
    assert_eq!((code, &*out), (0, "serial 4000000000 is published already, with the same 1 file\n"));
    publisher.write("routes.yaml", &refuse_with(403));
    let (_, out, _) = publish(&publisher, &[]);
    assert!(out.starts_with("serial 4000000001: "), "{out}");
    for serial in ["4000000001", "3"] {
        let (code, out, err) = publish(&publisher, &["--serial", serial]);
        let expected = format!(
            "error: --serial {serial}: serial 4000000001 is published already, and nodes take higher ones only; leave --serial out for the next one\n"
        );
        assert_eq!((code, &*out, err), (1, "", expected));
    }
}

#[test]
fn an_unasked_serial_is_at_least_the_time() {
    let publisher = Publisher::new();
    publisher.write("routes.yaml", &refuse_with(480));
    publish(&publisher, &[]);
    assert!(manifest(&publisher)["manifest"]["serial"].as_u64().unwrap() > 1_767_614_400);
}

#[test]
fn what_a_node_would_refuse_is_not_published() {
    let publisher = Publisher::new();
    publisher.write("routes.yaml", "routes: [{answer: {code: 299}}]\n");
    let (code, out, err) = publish(&publisher, &[]);
    assert_eq!((code, &*out), (1, ""));
    assert_eq!(err, "DIR/routes/routes.yaml:1:26: error: `code` is 299; expected 300 to 699\n");
    assert!(!publisher.path("out").exists());
    publisher.write("routes.yaml", &refuse_with(480));
    publisher.write("a b.yaml", &refuse_with(403).replace("all", "b"));
    let (code, _, err) = publish(&publisher, &[]);
    assert!(code == 1 && err.contains("the manifest names the file \"a b.yaml\""), "{err}");
}

#[test]
fn files_of_two_manifests_stay_and_older_ones_go() {
    let publisher = Publisher::new();
    for (serial, code) in (1..=4).zip([480, 403, 404, 410]) {
        publisher.write("routes.yaml", &refuse_with(code));
        publisher.publish(serial);
        let expected = usize::try_from(serial).unwrap().min(2);
        assert_eq!(listed(&publisher.path("out/files")).len(), expected);
    }
    fs::write(publisher.path("out/files/README"), "not ours").unwrap();
    publisher.write("routes.yaml", &refuse_with(484));
    publisher.publish(5);
    assert!(publisher.path("out/files/README").exists());
}
