//! A start with broken routes, or none, serves the last good ones, and says so.

use std::fs;

use tempfile::TempDir;

use crate::{
    caller::Caller,
    harness::{KEY, Routes, Server, eventually, refuse_with, run_until_it_ends},
};

const TABLE: &str = "
tables: { ours: { file: ours.csv, match: exact, columns: [number] } }
routes:
- { name: ours, when: { in: ours }, answer: { code: 480 } }
- { name: others, answer: { code: 404 } }
";

struct Bench {
    state: TempDir,
    routes: Routes,
}

impl Bench {
    fn new() -> Self {
        let routes = Routes::empty();
        fs::write(routes.path().join("ours.csv"), "+442079460123\n").unwrap();
        routes.write(TABLE);
        Self { state: tempfile::tempdir().unwrap(), routes }
    }

    fn start(&self) -> Server {
        Server::start(self.routes.path(), &format!("{KEY}state: {}\n", self.state.path().display()))
    }

    /// A server that has kept its table, and ended.
    fn keeps(&self) {
        let server = self.start();
        let hash = self.state.path().join("last-known-good/current/hash");
        eventually("it is kept", || hash.exists());
        server.signal("TERM");
        assert_eq!(server.ended().0.code(), Some(0));
    }
}

const KEPT: &str = "waypost_routes_last_known_good";

#[test]
fn broken_routes_are_replaced_by_the_last_good_ones_until_they_are_mended() {
    let bench = Bench::new();
    bench.keeps();
    bench.routes.write("routes: [{answer: {code: 299}}]\n");
    fs::remove_file(bench.routes.path().join("ours.csv")).unwrap();
    let mut server = bench.start();
    let caller = Caller::here();
    assert_eq!(caller.status(&server, "kept"), 480);
    let ready = server.get("/readyz");
    let told = "ready\nserving the last known good routes: those of now gave no table, see the log\n";
    assert_eq!((ready.status, &*ready.body), (200, told));
    assert_eq!((server.sample(KEPT), server.sample("waypost_reload_successful")), (1.0, 0.0));
    server.line_with("give no table, the last known good ones are served until they do:");
    server.line_with("routes.yaml:1:26: error: `code` is 299; expected 300 to 699");

    bench.routes.write(&refuse_with(403));
    caller.until(&server, 480, 403);
    assert_eq!(server.get("/readyz").body, "ready\n");
    assert_eq!((server.sample(KEPT), server.sample("waypost_reload_successful")), (0.0, 1.0));
}

#[test]
fn a_missing_directory_is_waited_for() {
    let bench = Bench::new();
    bench.keeps();
    let path = bench.routes.path().to_path_buf();
    let away = path.with_extension("away");
    fs::rename(&path, &away).unwrap();
    let server = bench.start();
    assert_eq!((Caller::here().status(&server, "kept"), server.sample(KEPT)), (480, 1.0));
    fs::rename(&away, &path).unwrap();
    // They are the same: nothing is new but that they are there.
    eventually("they are found", || server.sample(KEPT) == 0.0);
    assert_eq!(server.sample("waypost_table_generation"), 1.0);
}

#[test]
fn a_reload_is_kept_as_well() {
    let bench = Bench::new();
    let server = bench.start();
    bench.routes.write(&refuse_with(403));
    assert_eq!(server.reload().status, 200);
    let hash =
        || fs::read_to_string(bench.state.path().join("last-known-good/current/hash")).unwrap_or_default();
    eventually("it is kept", || {
        server.samples().contains_key(&format!("waypost_table_info{{hash=\"{}\"}}", hash()))
    });
    drop(server);
    bench.routes.write("routes: [");
    assert_eq!(Caller::here().status(&bench.start(), "kept"), 403);
}

#[test]
fn torn_ones_are_refused_and_the_server_does_not_start() {
    let bench = Bench::new();
    bench.keeps();
    fs::write(bench.state.path().join("last-known-good/current/routes/ours.csv"), "44").unwrap();
    bench.routes.write("routes: [{answer: {code: 299}}]\n");
    let config = bench.state.path().join("waypost.yaml");
    let written = format!(
        "listen: [\"udp:127.0.0.1:0\"]\nadmin: off\nroutes: {}\nstate: {}\n",
        bench.routes.path().display(),
        bench.state.path().display()
    );
    fs::write(&config, written).unwrap();
    let (code, said) = run_until_it_ends(&["--config", config.to_str().unwrap()]);
    assert_eq!(code, 1, "{said}");
    let kept = bench.state.path().join("last-known-good");
    for told in [
        format!("no last known good routes: {}/current is torn: its files have the hash ", kept.display()),
        format!("no last known good routes: nothing is kept in {}/previous", kept.display()),
        "routes.yaml:1:26: error: `code` is 299; expected 300 to 699".to_owned(),
    ] {
        assert!(said.contains(&told), "{told:?} in {said}");
    }
}
