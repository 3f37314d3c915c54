//! Files that come, come again, come in part, or do not come.

use std::fs;

use sha2::Digest as _;
use waypost::{
    control::{
        reload::Cause,
        source::{FirstError, Outcome, SourceError, Timing},
    },
    limits::{SOURCE_MANIFEST_BYTES_MAX, SOURCE_REDIRECTS_MAX, SOURCE_SETS_MAX},
};

use crate::{
    node::{Publisher, Settings, eventually, inode, listed, refuse_with},
    web::{Script, Web},
};

const TABLES: &str = "tables: {t: {file: data/t.csv, match: exact, columns: [number]}}\n";

/// A publisher, its web server, and where a node puts what it fetches.
struct Bench {
    publisher: Publisher,
    web: Web,
    node: tempfile::TempDir,
}

impl Bench {
    /// With serial 1: a route file, and one that names a table.
    fn new() -> Self {
        let bench =
            Self { publisher: Publisher::new(), web: Web::start(), node: tempfile::tempdir().unwrap() };
        bench.publisher.write("data/t.csv", "+441632960001\n");
        bench.publisher.write("tables.yaml", TABLES);
        bench.publish(1, 480);
        bench
    }

    fn publish(&self, serial: u64, code: u16) {
        self.publisher.write("routes.yaml", &refuse_with(code));
        self.web.set_directory(&self.publisher.publish(serial));
    }

    fn settings(&self) -> Settings {
        Settings::new(&self.node.path().join("routes"), &self.web.url("manifest.json"))
    }

    fn sets(&self) -> Vec<String> {
        let names = listed(&self.node.path().join("routes.sets"));
        names.into_iter().filter(|name| !name.starts_with('.')).collect()
    }
}

#[test]
fn a_node_without_files_fetches_them_and_serves() {
    let bench = Bench::new();
    let node = bench.settings().started();
    assert_eq!((node.status.numbers().serial, node.count(Outcome::Loaded)), (1, 1));
    assert_eq!(node.table.load().table.tables[0].len(), 1);
    let routes = bench.node.path().join("routes");
    assert_eq!(listed(&routes), [".manifest.json", "data", "routes.yaml", "tables.yaml"]);
    assert_eq!(fs::read_to_string(routes.join("routes.yaml")).unwrap(), refuse_with(480));
}

#[test]
fn a_new_serial_brings_the_files_that_changed_and_no_others() {
    let bench = Bench::new();
    let node = bench.settings().started();
    let table = bench.node.path().join("routes/data/t.csv");
    let (hash, before) = (node.hash(), inode(&table));
    assert_eq!(bench.web.files_asked(), 3);
    for (serial, code) in [(2, 403), (3, 404), (4, 410)] {
        bench.publish(serial, code);
        node.await_serial(serial);
        assert_eq!(bench.web.files_asked(), 1, "the one that changed");
        assert!(bench.sets().len() <= SOURCE_SETS_MAX, "{:?}", bench.sets());
    }
    assert_ne!(node.hash(), hash);
    assert_ne!(inode(&table), before, "a set has its own files");
    assert_eq!(fs::read_to_string(&table).unwrap(), "+441632960001\n");
}

#[test]
fn what_is_the_same_is_not_sent_again() {
    let bench = Bench::new();
    let node = bench.settings().started();
    bench.web.asked();
    node.await_another(Outcome::Unchanged);
    node.await_another(Outcome::Unchanged);
    let asked = bench.web.asked();
    assert!(asked.len() >= 2 && asked.iter().all(|asked| asked.path == "/manifest.json"), "{asked:?}");
    assert!(asked.iter().all(|asked| asked.conditional), "{asked:?}");
    assert_eq!(node.table.load().generation, 1);
}

#[test]
fn two_manifests_of_one_second_and_one_tag_are_told_apart() {
    let bench = Bench::new();
    let fresh = || {
        let bytes = fs::read(bench.publisher.path("out/manifest.json")).unwrap();
        bench.web.set("manifest.json", Script::Fresh(bytes));
    };
    fresh();
    let node = bench.settings().started();
    node.await_another(Outcome::Unchanged);
    bench.publish(2, 403);
    fresh();
    node.await_serial(2);
}

#[test]
fn a_node_starts_without_its_source_with_what_it_fetched_last() {
    let bench = Bench::new();
    let hash = bench.settings().started().hash();
    bench.web.clear();
    let node = bench.settings().started();
    assert_eq!((node.hash(), node.status.numbers().serial), (hash, 1));
    node.await_another(Outcome::Unreachable);
    bench.publish(2, 403);
    node.await_serial(2);
}

#[test]
fn a_node_that_has_nothing_says_why_it_cannot_start() {
    let bench = Bench::new();
    bench.web.clear();
    let refusal = bench.settings().refusal();
    assert_eq!(refusal.to_string(), "the manifest is answered with 404");
    let nobody = Settings::new(&bench.node.path().join("routes"), "http://127.0.0.1:1/manifest.json");
    let refusal = nobody.refusal().to_string();
    assert!(refusal.starts_with("the manifest: ") && refusal.contains("refused"), "{refusal}");
}

/// The node keeps serial 1 while serial 2 is spoiled so, and takes it when it is whole again.
fn spoiled(spoil: impl Fn(&Web, &str), expected: Outcome) {
    let bench = Bench::new();
    let settings = bench.settings();
    let node = settings.started();
    let hash = node.hash();
    bench.publisher.write("routes.yaml", &refuse_with(403));
    let out = bench.publisher.publish(2);
    let manifest = fs::read_to_string(out.join("manifest.json")).unwrap();
    let name = manifest.split("routes.yaml").nth(1).unwrap().split("\"sha256\":\"").nth(1).unwrap();
    let name = format!("files/{}", name.get(..64).unwrap());
    // Everything is there but that file, before the manifest says so.
    let whole = fs::read(out.join(&name)).unwrap();
    spoil(&bench.web, &name);
    bench.web.set("manifest.json", Script::Bytes(manifest.into_bytes()));
    node.await_another(expected);
    assert_eq!((node.hash(), node.status.numbers().serial), (hash, 1));
    assert_eq!(bench.sets().len(), 1, "half a set is none");
    bench.web.set(&name, Script::Bytes(whole));
    node.await_serial(2);
}

#[test]
fn a_file_with_other_bytes_is_not_taken() {
    let other = refuse_with(404);
    spoiled(|web, name| web.set(name, Script::Bytes(other.clone().into_bytes())), Outcome::BadFile);
}

#[test]
fn a_file_that_is_shorter_or_longer_is_not_taken() {
    spoiled(|web, name| web.set(name, Script::Bytes(b"routes: []".to_vec())), Outcome::BadFile);
    spoiled(|web, name| web.set(name, Script::Endless), Outcome::BadFile);
}

#[test]
fn a_file_that_is_torn_or_missing_is_fetched_again() {
    spoiled(|web, name| web.set(name, Script::Torn(b"routes".to_vec())), Outcome::Unreachable);
    spoiled(|web, name| web.set(name, Script::Status(503)), Outcome::Unreachable);
}

#[test]
fn a_file_that_does_not_come_is_not_waited_for_for_ever() {
    spoiled(|web, name| web.set(name, Script::Silent), Outcome::Unreachable);
}

#[test]
fn a_manifest_without_end_is_cut() {
    let bench = Bench::new();
    bench.web.set("manifest.json", Script::Endless);
    assert_eq!(bench.settings().refusal(), SourceError::ManifestTooLong);
    bench.web.set("manifest.json", Script::Bytes(vec![b' '; SOURCE_MANIFEST_BYTES_MAX + 1]));
    assert_eq!(bench.settings().refusal(), SourceError::ManifestTooLong);
    bench.web.set("manifest.json", Script::Silent);
    let settings = Settings { timing: Timing { answer_ms: 50, ..Timing::default() }, ..bench.settings() };
    assert_eq!(settings.refusal(), SourceError::TooSlow { what: "the manifest".to_owned(), ms: 50 });
}

#[test]
fn redirects_are_followed_up_to_their_limit_and_not_to_where_the_source_may_not_be() {
    let bench = Bench::new();
    let manifest = fs::read(bench.publisher.path("out/manifest.json")).unwrap();
    let chain = |length: usize| {
        bench.web.set("manifest.json", Script::Redirect(bench.web.url("hop1")));
        for hop in 1..length {
            bench.web.set(&format!("hop{hop}"), Script::Redirect(bench.web.url(&format!("hop{}", hop + 1))));
        }
        bench.web.set(&format!("hop{length}"), Script::Bytes(manifest.clone()));
    };
    chain(SOURCE_REDIRECTS_MAX + 1);
    assert!(bench.settings().refusal().to_string().contains("too many redirects"));
    bench.web.set("manifest.json", Script::Redirect("http://192.0.2.1/manifest.json".to_owned()));
    let refusal = bench.settings().refusal().to_string();
    assert!(refusal.contains("to another machine is not encrypted"), "{refusal}");
    chain(SOURCE_REDIRECTS_MAX);
    bench.settings().started();
}

#[test]
fn files_that_do_not_load_are_told_once_and_the_old_ones_serve_on() {
    let bench = Bench::new();
    let settings = bench.settings();
    let node = settings.started();
    let (hash, routes) = (node.hash(), bench.node.path().join("routes"));
    // The publisher would not let it through: somebody made it by hand.
    let bad = b"routes: [{answer: {code: 299}}]\n";
    publish_by_hand(&bench.web, 2, "routes.yaml", bad);
    node.await_another(Outcome::Refused);
    assert_eq!((node.hash(), node.status.numbers().serial), (hash.clone(), 1));
    assert_eq!(fs::read_to_string(routes.join("routes.yaml")).unwrap(), refuse_with(480), "the link is back");
    let report = node.reloader.request(Cause::Http).unwrap().blocking_recv().unwrap();
    assert_eq!((report.error, &report.hash), (None, &hash), "whoever asks is told of what serves");
    // It is not fetched, nor tried, again.
    bench.web.asked();
    let loads = node.reloader.status().counts;
    node.await_another(Outcome::Refused);
    node.await_another(Outcome::Refused);
    assert_eq!((bench.web.files_asked(), node.reloader.status().counts), (0, loads));
    assert_eq!(bench.sets().len(), SOURCE_SETS_MAX, "it can be looked at");
    // A restart serves what served.
    drop(node);
    let node = settings.started();
    assert_eq!(node.hash(), hash);
    node.await_another(Outcome::Refused);
    bench.publish(3, 403);
    node.await_serial(3);
}

#[test]
fn a_set_that_was_being_tried_when_the_node_was_killed_gives_way() {
    let bench = Bench::new();
    let settings = bench.settings();
    let hash = settings.started().hash();
    publish_by_hand(&bench.web, 2, "routes.yaml", b"routes: 5\n");
    let node = settings.started();
    node.await_another(Outcome::Refused);
    drop(node);
    // As if the link had never been moved back.
    let bad = bench.sets().into_iter().find(|name| name.starts_with("2-")).unwrap();
    let link = bench.node.path().join("routes");
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(format!("routes.sets/{bad}"), &link).unwrap();
    bench.web.clear();
    let node = settings.started();
    assert_eq!((node.hash(), node.status.numbers().serial), (hash, 1));
}

#[test]
fn a_first_set_that_does_not_load_leaves_nothing_in_the_way_of_the_next() {
    let bench = Bench::new();
    publish_by_hand(&bench.web, 1, "routes.yaml", b"routes: 5\n");
    let settings = bench.settings();
    let Err(FirstError::Load(error)) = settings.start() else { panic!("it must not start") };
    assert!(error.to_string().contains("routes.yaml:1:9: error: "), "{error}");
    assert!(!bench.node.path().join("routes").exists());
    bench.publisher.write("routes.yaml", &refuse_with(403));
    bench.web.set_directory(&bench.publisher.publish(2));
    assert_eq!(settings.started().status.numbers().serial, 2);
}

#[test]
fn two_processes_with_one_directory_do_not_disturb_each_other() {
    let bench = Bench::new();
    let (one, two) = (bench.settings().started(), bench.settings().started());
    for (serial, code) in [(2, 403), (3, 404), (4, 410)] {
        bench.publish(serial, code);
        one.await_serial(serial);
        two.await_serial(serial);
    }
    assert!(bench.sets().len() <= SOURCE_SETS_MAX);
    // What the one moved, the other reads when it looks at its files, as its watcher does.
    for node in [&one, &two] {
        node.reloader.nudge(Cause::Watch);
    }
    eventually("one table", || one.hash() == two.hash());
}

/// A manifest of one file, whatever is in it.
pub(crate) fn publish_by_hand(web: &Web, serial: u64, path: &str, bytes: &[u8]) {
    use waypost::control::source::manifest::{Entry, Manifest};
    let sha256 = sha2::Sha256::digest(bytes).into();
    let entry = Entry { path: path.to_owned(), bytes: bytes.len() as u64, sha256 };
    web.set(&format!("files/{}", entry.name()), Script::Bytes(bytes.to_vec()));
    let (manifest, _) = Manifest::write(serial, 0, &[entry], None).unwrap();
    web.set("manifest.json", Script::Bytes(manifest));
}
