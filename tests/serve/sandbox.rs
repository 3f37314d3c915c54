//! What the kernel refuses to the server: files that nobody named, and other programs. Real processes, real refusals:
//! these tests run as root as well, whom permissions of files would not stop.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    thread,
};

use landlock::{
    ABI, Access as _, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
};
use tempfile::TempDir;

use crate::{
    caller::Caller,
    harness::{KEY, Routes, Server, eventually, refuse_with, run_until_it_ends},
    replace::Installed,
};

/// Domains that the kernel stacks (LANDLOCK_MAX_NUM_LAYERS).
const STACKED: usize = 16;

/// Routes that stand in a directory of their own: what is around them may be read, too.
struct Bench {
    dir: TempDir,
    /// Beside it, and named by nobody.
    outside: TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap(), outside: tempfile::tempdir().unwrap() };
        fs::create_dir_all(bench.routes()).unwrap();
        fs::write(bench.routes().join("a.yaml"), refuse_with(480)).unwrap();
        fs::write(bench.outside.path().join("b.yaml"), "routes: [{name: b, answer: 486}]\n").unwrap();
        bench
    }

    fn routes(&self) -> PathBuf {
        self.dir.path().join("etc/routes")
    }

    fn link(&self) -> PathBuf {
        self.routes().join("b.yaml")
    }

    fn link_outside(&self) {
        symlink(self.outside.path().join("b.yaml"), self.link()).unwrap();
    }

    fn start(&self, sandbox: &str) -> Server {
        Server::start(&self.routes(), &format!("{KEY}sandbox: {sandbox}\n"))
    }
}

/// A line of /proc/PID/status.
fn status(pid: u32, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
}

fn confinement(server: &Server) -> (String, String) {
    (status(server.pid(), "NoNewPrivs"), status(server.pid(), "Seccomp"))
}

fn word(text: &str) -> String {
    text.to_owned()
}

#[test]
fn a_file_that_nobody_named_is_refused_with_a_word_on_why_and_the_routes_serve_on() {
    let bench = Bench::new();
    let server = bench.start("required");
    assert_eq!(confinement(&server), (word("1"), word("2")));
    bench.link_outside();
    let said = server.reload().body;
    let expected = format!(
        "{} cannot be read: Permission denied (os error 13), or the sandbox keeps this server from it: it uses what its \
         configuration named at the start, where that was then; restart it, or write sandbox: off",
        bench.link().display()
    );
    assert!(said.contains(&expected), "{said}");
    assert_eq!(Caller::here().status(&server, "refused"), 480);
    // What is in the directories that were named may come and go.
    fs::remove_file(bench.link()).unwrap();
    fs::write(bench.link(), "routes: []\n").unwrap();
    assert!(server.reload().json()["result"] == "loaded");
    let other = bench.dir.path().join("etc/other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("a.yaml"), refuse_with(404)).unwrap();
    fs::rename(bench.routes(), bench.dir.path().join("etc/old")).unwrap();
    fs::rename(other, bench.routes()).unwrap();
    Caller::here().until(&server, 480, 404);
}

#[test]
fn a_link_that_was_there_at_the_start_is_followed_and_what_it_leads_to_may_change() {
    let bench = Bench::new();
    bench.link_outside();
    let mut server = bench.start("required");
    server.line_with("2 routes");
    let new = bench.outside.path().join("new");
    fs::write(&new, "routes: [{name: b, answer: 486}, {name: c, answer: 486}]\n").unwrap();
    fs::rename(new, bench.outside.path().join("b.yaml")).unwrap();
    let reloaded = server.reload().json();
    assert_eq!(reloaded["routes"], 3, "{reloaded}");
}

#[test]
fn without_it_everything_is_as_the_system_has_it_but_for_new_privileges() {
    let bench = Bench::new();
    let mut server = bench.start("off");
    server.line_with("sandbox: off");
    assert_eq!(confinement(&server), (word("1"), word("0")));
    bench.link_outside();
    assert_eq!(server.reload().json()["routes"], 2);
}

#[test]
fn it_is_there_unless_said_otherwise() {
    let routes = Routes::of(&refuse_with(480));
    let mut server = Server::start(routes.path(), KEY);
    server.line_with("sandbox: 55 system calls are refused");
    let told = server.line_with("sandbox: besides");
    let program = Path::new(env!("CARGO_BIN_EXE_waypost")).parent().unwrap();
    assert!(told.contains(&format!("runs in {}", program.display())), "{told}");
    assert_eq!(confinement(&server), (word("1"), word("2")));
    // Each thread of it.
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let filters: Vec<String> = tasks
        .map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap())
        .map(|text| text.lines().find(|line| line.starts_with("Seccomp:")).unwrap().to_owned())
        .collect();
    assert!(filters.len() > 3 && filters.iter().all(|line| line.ends_with('2')), "{filters:?}");
}

#[test]
fn it_outlives_more_replacements_than_the_kernel_stacks() {
    let bench = Bench::new();
    let mut server = bench.start("required");
    for time in 0..=STACKED {
        server.replace();
        assert_eq!(status(server.pid(), "Seccomp_filters"), "1", "replaced {time} times");
        assert_eq!(Caller::here().status(&server, &format!("call-{time}")), 480);
    }
    bench.link_outside();
    assert!(server.reload().body.contains("or the sandbox keeps this server from it"));
    fs::remove_file(bench.link()).unwrap();
    assert_eq!(server.reload().status, 200);
}

#[test]
fn a_successor_whose_configuration_names_another_place_says_so_and_the_server_goes_on() {
    let bench = Bench::new();
    let mut server = bench.start("required");
    fs::write(bench.outside.path().join("key"), "00112233445566778899aabbccddeeff\n").unwrap();
    let key = bench.outside.path().join("key");
    fs::write(server.config_file(), format!("key_file: {}\n", key.display())).unwrap();
    server.signal("USR2");
    server.line_with("not replaced");
    eventually("the reason", || {
        server.log().iter().any(|line| line.contains("Permission denied") && line.contains("key"))
    });
    assert_eq!(Caller::here().status(&server, "goes-on"), 480);
}

#[test]
fn no_shell_is_run_in_the_place_of_the_program() {
    let (installed, bench) = (Installed::new(), Bench::new());
    let proof = bench.dir.path().join("it-ran");
    let config = format!("{KEY}sandbox: required\n");
    let mut server = Server::start_by(installed.command(), &["udp:127.0.0.1:0"], &bench.routes(), &config);
    installed.put_script(&format!("#!/bin/sh\necho > {}\n", proof.display()));
    server.signal("USR2");
    server.line_with(
        "cannot be started: Permission denied (os error 13), or the sandbox keeps this server from it",
    );
    assert!(!proof.exists());
    assert_eq!(Caller::here().status(&server, "goes-on"), 480);
}

#[test]
fn what_is_kept_and_the_admin_socket_are_written_where_they_were_named() {
    let bench = Bench::new();
    let state = bench.dir.path().join("var/state");
    let socket = bench.dir.path().join("run/admin.sock");
    fs::create_dir(bench.dir.path().join("run")).unwrap();
    let config = format!("{KEY}sandbox: required\nstate: {}\n", state.display());
    let admin = format!("unix:{}", socket.display());
    let mut server = Server::start_at(&admin, &["udp:127.0.0.1:0"], &bench.routes(), &config);
    let kept = state.join("last-known-good/current/routes/a.yaml");
    eventually("the routes are kept", || kept.exists());
    server.replace();
    assert!(fs::symlink_metadata(&socket).is_ok());
    // Kept again, with links between directories.
    fs::write(bench.routes().join("c.yaml"), "routes: []\n").unwrap();
    eventually("the next ones are kept", || state.join("last-known-good/current/routes/c.yaml").exists());
    assert!(!server.log().iter().any(|line| line.contains("cannot")), "{:#?}", server.log());
}

/// Does it where no Landlock is to be had any more, as on a kernel without: all that can be stacked is.
fn without_landlock<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    let confined = move || {
        let all = AccessFs::from_all(ABI::V2);
        for _ in 0..STACKED {
            let rules = Ruleset::default().handle_access(all).unwrap().create().unwrap();
            let anything = PathBeneath::new(PathFd::new("/").unwrap(), all);
            rules.add_rule(anything).unwrap().restrict_self().unwrap();
        }
        act()
    };
    thread::scope(|scope| scope.spawn(confined).join().unwrap())
}

#[test]
fn where_the_kernel_has_it_not_it_goes_on_and_says_so_unless_it_is_required() {
    let bench = Bench::new();
    without_landlock(|| {
        let mut server = bench.start("auto");
        let told = server.line_with("Landlock is not to be had");
        assert!(told.ends_with("; going on without, since it is not required"), "{told}");
        assert_eq!(confinement(&server), (word("1"), word("2")), "the rest of it is there");
        bench.link_outside();
        assert_eq!(server.reload().json()["routes"], 2);
        let file = bench.dir.path().join("etc/waypost.yaml");
        fs::write(&file, "sandbox: required\nroutes: routes\n").unwrap();
        let (code, said) = run_until_it_ends(&["serve", "--config", file.to_str().unwrap()]);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("sandbox: required, but Landlock is not to be had"), "{said}");
        assert!(said.contains("or write sandbox: auto"), "{said}");
    });
}

#[test]
fn another_word_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("w.yaml");
    fs::write(&file, "sandbox: yes please\n").unwrap();
    let (code, said) = run_until_it_ends(&["serve", "--config", file.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(said.contains(":1:10: "), "{said}");
    assert!(said.contains("expected auto"), "{said}");
}
