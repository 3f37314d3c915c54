//! What systemd hears, on a socket of ours.

use std::{os::unix::net::UnixDatagram, process::Command};

use tempfile::TempDir;

use crate::{
    caller::Caller,
    harness::{KEY, PATIENCE, Routes, Server, refuse_with, waypost},
};

/// The other end of NOTIFY_SOCKET.
struct Systemd {
    dir: TempDir,
    socket: UnixDatagram,
}

impl Systemd {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { dir, socket }
    }

    fn command(&self) -> Command {
        let mut command = waypost();
        command.env("NOTIFY_SOCKET", self.dir.path().join("notify"));
        command
    }

    /// The next message, line by line.
    fn hears(&self) -> Vec<String> {
        let mut bytes = [0; 4096];
        let len = self.socket.recv(&mut bytes).expect("a message comes");
        String::from_utf8_lossy(&bytes[..len]).lines().map(str::to_owned).collect()
    }

    /// Passes over messages until each of these lines was heard.
    fn hears_all(&self, lines: &[&str]) {
        let mut missing = lines.to_vec();
        while !missing.is_empty() {
            let message = self.hears();
            missing.retain(|line| !message.iter().any(|it| it == line));
        }
    }

    /// Passes over messages until one has this line.
    fn hears_of(&self, line: &str) -> Vec<String> {
        loop {
            let message = self.hears();
            if message.iter().any(|it| it.starts_with(line)) {
                return message;
            }
        }
    }
}

#[test]
fn a_life_from_ready_to_stopping() {
    let systemd = Systemd::new();
    let routes = Routes::of(&refuse_with(480));
    let server = Server::start_by(systemd.command(), &["udp:127.0.0.1:0"], routes.path(), KEY);
    assert_eq!(systemd.hears(), ["READY=1", "STATUS=generation 1, 1 routes"]);

    // Written before it is told: the watcher may be first with the reload, and the answer is the same.
    routes.write(&refuse_with(403));
    server.signal("HUP");
    let reloading = systemd.hears_of("RELOADING=1");
    let usec = reloading[1].strip_prefix("MONOTONIC_USEC=").expect("a time");
    assert!(usec.parse::<u64>().unwrap() > 0);
    // The reload's thread tells the line, the signal's that it is over: either may be first.
    systemd.hears_all(&["READY=1", "STATUS=generation 2, 1 routes"]);
    Caller::here().until(&server, 480, 403);

    routes.write("routes:\n- {answer: {code: 299}}\n");
    server.signal("HUP");
    systemd.hears_of("STATUS=generation 2, 1 routes; the last reload failed, see the log");

    server.signal("TERM");
    let stopping = systemd.hears_of("STOPPING=1");
    assert_eq!(stopping, ["STOPPING=1", "STATUS=answering what is here, then ending"]);
    assert_eq!(server.ended().0.code(), Some(0));
    systemd.socket.set_nonblocking(true).unwrap();
    assert!(systemd.socket.recv(&mut [0; 1]).is_err(), "nothing after the end");
}

#[test]
fn the_watchdog_is_told_while_the_loops_turn() {
    let systemd = Systemd::new();
    let routes = Routes::of(&refuse_with(480));
    let mut command = systemd.command();
    command.env("WATCHDOG_USEC", "200000");
    let _server =
        Server::start_by(command, &["udp:127.0.0.1:0"], routes.path(), &format!("{KEY}workers: 2\n"));
    for _ in 0..3 {
        assert_eq!(systemd.hears_of("WATCHDOG=1"), ["WATCHDOG=1"]);
    }
}

#[test]
fn a_watchdog_of_another_process_is_not_told() {
    let systemd = Systemd::new();
    let routes = Routes::of(&refuse_with(480));
    let mut command = systemd.command();
    command.env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1");
    let server = Server::start_by(command, &["udp:127.0.0.1:0"], routes.path(), KEY);
    assert_eq!(systemd.hears()[0], "READY=1");
    server.signal("TERM");
    assert_eq!(systemd.hears()[0], "STOPPING=1");
}

#[test]
fn who_replaces_is_named_and_then_speaks_for_itself() {
    let systemd = Systemd::new();
    let routes = Routes::of(&refuse_with(480));
    let mut command = systemd.command();
    command.env("WATCHDOG_USEC", "200000");
    let mut server = Server::start_by(command, &["udp:127.0.0.1:0"], routes.path(), KEY);
    systemd.hears_of("READY=1");
    server.replace();
    let told = format!("MAINPID={}", server.pid());
    assert_eq!(systemd.hears_of("MAINPID="), [told]);
    // Not before it was named, or systemd would not listen to it.
    assert_eq!(systemd.hears_of("READY=1"), ["READY=1", "STATUS=generation 1, 1 routes"]);
    systemd.hears_of("WATCHDOG=1");
    assert_eq!(server.first_ended().code(), Some(0));
    server.signal("TERM");
    systemd.hears_of("STOPPING=1");
}
