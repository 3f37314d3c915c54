//! A server that has nothing to do does nothing.

use std::{fs, thread, time::Duration};

use crate::{
    caller::Caller,
    harness::{Routes, Server, eventually, refuse_with},
};

/// How often a thread of the server gave up the processor of its own accord.
fn sleeps(server: &Server, thread: &str) -> u64 {
    let folder = format!("/proc/{}/task/{thread}", server.pid());
    let status = fs::read_to_string(format!("{folder}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    line.trim().parse().unwrap()
}

/// Nothing is due, so nothing wakes the loop: a second of silence, and of what the control side has to do in it.
#[test]
fn a_loop_without_calls_sleeps() {
    let routes = Routes::of(&refuse_with(404));
    let server = Server::start(routes.path(), "");
    let caller = Caller::here();
    assert_eq!(caller.status(&server, "before"), 404);
    let main = server.pid().to_string();
    // The loop goes to sleep after the answer has left.
    eventually("the loop sleeps", || {
        let before = sleeps(&server, &main);
        thread::sleep(Duration::from_millis(100));
        sleeps(&server, &main) == before
    });
    let before = sleeps(&server, &main);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(sleeps(&server, &main), before);
    assert_eq!(caller.status(&server, "after"), 404);
}
