//! SIGUSR2: another process of the same program takes over the sockets, and nobody notices.

use std::{
    fs,
    io::Read as _,
    net::UdpSocket,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use tempfile::TempDir;

use crate::{
    caller::{Caller, call_id, invite, status},
    harness::{KEY, PATIENCE, Routes, Server, eventually, refuse_with},
    names::{ENUM, Names},
    streams::{Stream, tcp},
};

const URI: &str = "sip:+442079460123@waypost.example.net";

/// For a program that is a script: the sandbox runs no shell.
const OPEN: &str = "key: 000102030405060708090a0b0c0d0e0f\nstop: {lame_duck_s: 0}\nsandbox: off\n";

/// Calls one by one until it `is_over`; each must be answered. How many there were.
fn call(
    caller: &Caller,
    server: std::net::SocketAddr,
    flow: usize,
    expected: u16,
    is_over: &AtomicBool,
) -> usize {
    let mut calls = 0;
    while !is_over.load(Ordering::SeqCst) {
        let answer = caller.ask(server, &invite(&format!("{flow}-{calls}"), URI));
        assert_eq!(status(&answer), expected, "{answer}");
        calls += 1;
    }
    calls
}

#[test]
fn calls_by_udp_and_tcp_go_on_while_the_program_is_replaced_again_and_again() {
    const FLOWS: usize = 8;
    const TIMES: usize = 3;
    let routes = Routes::of(&refuse_with(480));
    let listen = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"];
    let mut server = Server::start_on(&listen, routes.path(), &format!("{KEY}workers: 2\n"));
    let (udp, by_tcp) = (server.listeners[0], server.listeners[1]);
    let (is_over, connections) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for flow in 0..FLOWS {
            let is_over = &is_over;
            threads.push(scope.spawn(move || call(&Caller::here(), udp, flow, 480, is_over)));
        }
        let (is_over, connections) = (&is_over, &connections);
        threads.push(scope.spawn(move || {
            let mut calls = 0;
            // A connection that ends in order is followed by another one, and what it left unanswered is sent there.
            while !is_over.load(Ordering::SeqCst) {
                connections.fetch_add(1, Ordering::SeqCst);
                let mut stream = Stream::to(by_tcp);
                while !is_over.load(Ordering::SeqCst) {
                    let request = tcp(&format!("tcp-{calls}"));
                    stream.send(&request);
                    let Some(answer) = stream.answer_or_end() else { break };
                    assert_eq!((call_id(&answer), status(&answer)), (call_id(&request), 480));
                    calls += 1;
                }
            }
            calls
        }));
        let first = server.pid();
        for time in 1..=TIMES {
            server.replace();
            assert_eq!(server.get("/readyz").status, 200);
            eventually("a new connection", || connections.load(Ordering::SeqCst) > time);
        }
        assert_ne!(server.pid(), first);
        assert_eq!(server.first_ended().code(), Some(0));
        is_over.store(true, Ordering::SeqCst);
        for thread in threads {
            assert!(thread.join().unwrap() > 0);
        }
    });
    // They are gone, but for the last one.
    let serves = format!("serves udp:{udp} ({}), tcp:{by_tcp} ({})", listen[0], listen[1]);
    assert_eq!(
        server.log().iter().filter(|line| line.contains(&serves)).count(),
        TIMES + 1,
        "{:#?}",
        server.log()
    );
    // And the last one ends like the first.
    server.signal("TERM");
    eventually("its end", || !Path::new(&format!("/proc/{}", server.pid())).exists());
}

#[test]
fn a_connection_goes_on_with_the_process_that_took_it_for_its_lame_duck_time() {
    let routes = Routes::of(&refuse_with(480));
    let mut server = Server::start_on(&["tcp:127.0.0.1:0"], routes.path(), "stop: {lame_duck_s: 3600}\n");
    let mut before = Stream::to(server.address());
    before.ask(&tcp("before"));
    let first = server.pid();
    server.replace();
    routes.write(&refuse_with(403));
    assert_eq!(server.reload().status, 200);
    let mut after = Stream::to(server.address());
    assert_eq!(status(&after.ask(&tcp("new-connection"))), 403);
    before.ask(&tcp("old-connection"));
    // The old process ends with its last connection, long before its time is over.
    drop(before);
    assert_eq!(server.first_ended().code(), Some(0));
    assert_ne!(server.pid(), first);
    assert_eq!(status(&after.ask(&tcp("still-there"))), 403);
}

#[test]
fn who_waits_for_dns_is_answered_by_the_process_that_asked() {
    let names = Names::dead();
    let routes = Routes::of(ENUM);
    let mut server = Server::start(routes.path(), &format!("{KEY}{}", names.config()));
    let (address, is_over, calls) = (server.address(), AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for flow in 0..4 {
            let (is_over, calls) = (&is_over, &calls);
            // Each waits half a second: whenever the program is replaced, some of them do.
            scope.spawn(move || {
                calls.fetch_add(call(&Caller::here(), address, flow, 503, is_over), Ordering::SeqCst)
            });
        }
        eventually("questions", || !names.seen().is_empty());
        server.replace();
        assert_eq!(server.first_ended().code(), Some(0));
        is_over.store(true, Ordering::SeqCst);
    });
    assert!(calls.into_inner() >= 4);
}

/// The program, in a directory where another one can take its place.
pub(crate) struct Installed {
    dir: TempDir,
}

impl Installed {
    pub(crate) fn new() -> Self {
        let installed = Self { dir: tempfile::tempdir().unwrap() };
        installed.put("cp \"$0\" \"$1\"", env!("CARGO_BIN_EXE_waypost"));
        installed
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("waypost")
    }

    /// Puts what `script` makes of `source` in place of the program. By another process: a file that this one has
    /// open for writing while a thread starts a child cannot be run.
    fn put(&self, script: &str, source: &str) {
        let new = self.dir.path().join("new");
        let done = Command::new("sh").args(["-c", script, source]).arg(&new).status().unwrap();
        assert!(done.success());
        fs::rename(new, self.path()).unwrap();
    }

    pub(crate) fn put_script(&self, text: &str) {
        self.put("printf '%s' \"$0\" >\"$1\" && chmod +x \"$1\"", text);
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }
}

#[test]
fn a_program_that_does_not_come_up_leaves_the_old_one_in_service() {
    let installed = Installed::new();
    let routes = Routes::of(&refuse_with(480));
    let mut server = Server::start_by(installed.command(), &["udp:127.0.0.1:0"], routes.path(), OPEN);
    let caller = Caller::here();
    let path = installed.path().display().to_string();

    installed.put_script("#!/bin/sh\nexit 7\n");
    server.signal("USR2");
    let told = format!("not replaced, serving on: {path} ended with exit status: 7 before it was ready");
    server.line_with(&told);
    assert_eq!(caller.status(&server, "after-exit-7"), 480);

    fs::remove_file(installed.path()).unwrap();
    server.signal("USR2");
    server.line_with(&format!("not replaced, serving on: {path} cannot be started: No such file"));
    assert_eq!(caller.status(&server, "after-none"), 480);

    // The program is good, the configuration is not.
    installed.put("cp \"$0\" \"$1\"", env!("CARGO_BIN_EXE_waypost"));
    fs::write(server.config_file(), "workers: 0\n").unwrap();
    server.signal("USR2");
    server.line_with("workers: found 0, expected 1 to 64");
    server.line_with("ended with exit status: 1 before it was ready");
    assert_eq!((caller.status(&server, "after-config"), server.get("/readyz").status), (480, 200));

    // And with both as they should be, it is replaced.
    fs::write(server.config_file(), KEY).unwrap();
    let first = server.pid();
    server.log_is_read();
    server.replace();
    assert_ne!(server.pid(), first);
    assert_eq!(server.first_ended().code(), Some(0));
    assert_eq!(caller.status(&server, "by-the-new-one"), 480);
}

#[test]
fn a_signal_to_end_while_the_new_program_starts_ends_both() {
    let installed = Installed::new();
    let routes = Routes::of(&refuse_with(480));
    let mut server = Server::start_by(installed.command(), &["udp:127.0.0.1:0"], routes.path(), OPEN);
    let file = installed.path().with_file_name("pid");
    installed.put_script(&format!("#!/bin/sh\necho $$ >{}\nexec sleep 600\n", file.display()));
    server.signal("USR2");
    let pid = || fs::read_to_string(&file).ok()?.trim().parse::<u32>().ok();
    eventually("its start", || pid().is_some());
    // A second one is not started.
    server.signal("USR2");
    server.line_with("a program that is to replace us is starting already");
    server.signal("TERM");
    assert_eq!(server.first_ended().code(), Some(0));
    let status = || fs::read_to_string(format!("/proc/{}/stat", pid().unwrap()));
    eventually("the end of both", || status().map_or(true, |stat| stat.contains(") Z ")));
}

/// A port that is free, and nobody's.
fn free() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn listeners_that_changed_are_bound_and_closed_and_the_others_go_on() {
    let routes = Routes::of(&refuse_with(480));
    let [kept, old, new] = [free(), free(), free()];
    let listen = |ports: [u16; 2]| {
        format!("{KEY}listen: [\"udp:127.0.0.1:{}\", \"udp:127.0.0.1:{}\"]\n", ports[0], ports[1])
    };
    let mut server = Server::start_by(crate::harness::waypost(), &[], routes.path(), &listen([kept, old]));
    let caller = Caller::here();
    let ask = |port: u16| caller.ask(([127, 0, 0, 1], port).into(), &invite(&format!("to-{port}"), URI));
    assert_eq!((status(&ask(kept)), status(&ask(old))), (480, 480));
    fs::write(server.config_file(), listen([new, kept])).unwrap();
    server.replace();
    assert_eq!(server.first_ended().code(), Some(0));
    assert_eq!((status(&ask(kept)), status(&ask(new))), (480, 480));
    UdpSocket::bind(("127.0.0.1", old)).expect("it is free");
    server.line_with(&format!("closing what is not listened on any more: udp 127.0.0.1:{old}"));
}

#[test]
fn fewer_workers_would_lose_what_their_queues_hold_and_more_are_added() {
    let routes = Routes::of(&refuse_with(480));
    let config = |workers: usize| format!("{KEY}workers: {workers}\n");
    let mut server = Server::start(routes.path(), &config(1));
    fs::write(server.config_file(), config(3)).unwrap();
    server.replace();
    server.line_with("; 3 workers");
    fs::write(server.config_file(), config(2)).unwrap();
    server.replace();
    server.line_with(
        "3 sockets of one address were handed down: 3 workers, instead of 2, until the next start without",
    );
    for _ in 0..8 {
        assert_eq!(Caller::here().status(&server, "answered"), 480);
    }
}

impl Stream {
    /// The next answer; `None` when the connection has ended.
    fn answer_or_end(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        while !bytes.ends_with(b"\r\n\r\n") {
            match self.inner().read(&mut chunk) {
                Ok(0) => return None,
                Ok(count) => bytes.extend_from_slice(&chunk[..count]),
                // What was sent when the other side had closed is answered so.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no answer within {PATIENCE:?}: {error}"),
            }
        }
        Some(String::from_utf8(bytes).unwrap())
    }
}
