//! `batching: {connected: true}`: peers with many answers get them by a socket that is connected to them, and do not notice.

use std::{fs, net::SocketAddr};

use waypost::limits::CONNECTED_AFTER_ANSWERS;

use crate::{
    caller::{Caller, call_id, invite, status},
    harness::{KEY, Routes, Server, refuse_with},
};

const BURST: usize = 64;
/// Bursts after which every caller has earned a socket, with some to spare: a batch may begin and end within a burst.
const BURSTS: usize = 2 * CONNECTED_AFTER_ANSWERS as usize / BURST;

/// How many sockets of this machine are connected to the caller from the server's port, in the group that nobody uses.
fn connected(server: SocketAddr, caller: &Caller) -> usize {
    let table = fs::read_to_string("/proc/net/udp").unwrap();
    // Addresses in there are words of this machine's order.
    let group = u32::from_ne_bytes([232, 0, 0, 0]);
    let peer = u32::from_ne_bytes([127, 0, 0, 1]);
    let pair = format!("{group:08X}:{:04X} {peer:08X}:{:04X}", server.port(), caller.port());
    table.lines().filter(|line| line.contains(&pair)).count()
}

/// Every call is answered, from where it went to, in its order.
fn burst(server: SocketAddr, caller: &Caller, name: &str) {
    let ids: Vec<_> = (0..BURST).map(|number| format!("{name}-{number}")).collect();
    for id in &ids {
        caller.send(server, invite(id, "sip:+442079460123@waypost.example.net"));
    }
    for id in &ids {
        let (from, answer) = caller.receive();
        assert_eq!((from, call_id(&answer), status(&answer)), (server, &**id, 480));
    }
}

#[test]
fn peers_with_many_answers_get_them_by_a_socket_of_their_own_and_notice_nothing() {
    let routes = Routes::of(&refuse_with(480));
    let mut server = Server::start(routes.path(), KEY);
    let (address, callers) = (server.address(), [Caller::here(), Caller::here()]);
    for number in 0..BURSTS {
        callers.iter().for_each(|caller| burst(address, caller, &format!("first-{number}")));
    }
    let rare = Caller::here();
    assert_eq!(rare.status(&server, "rare"), 480);
    assert_eq!(callers.each_ref().map(|caller| connected(address, caller)), [1, 1]);
    assert_eq!(connected(address, &rare), 0);

    // The process after this one has its own. Whose answers were under way when it came is not to be foreseen.
    server.replace();
    for number in 0..BURSTS {
        callers.iter().for_each(|caller| burst(address, caller, &format!("second-{number}")));
    }
    assert!(callers.iter().all(|caller| connected(address, caller) >= 1));
    assert!(server.sample("waypost_socket_errors_total{kind=\"send\"}") == 0.0);
    assert!(callers.iter().all(Caller::heard_nothing));
}

#[test]
fn it_can_be_switched_off_and_is_not_for_every_address_at_once() {
    let routes = Routes::of(&refuse_with(480));
    for (listen, more) in [
        ("udp:127.0.0.1:0", "batching: {connected: false}\n"),
        ("udp:0.0.0.0:0", ""),
        ("udp:127.0.0.2:0", ""),
    ] {
        let server = Server::start_on(&[listen], routes.path(), &format!("{KEY}{more}"));
        let ip = if listen.contains(".2:") { "127.0.0.2" } else { "127.0.0.1" };
        let address = SocketAddr::new(ip.parse().unwrap(), server.address().port());
        let caller = Caller::here();
        (0..BURSTS).for_each(|number| burst(address, &caller, &number.to_string()));
        assert_eq!(connected(address, &caller), 0, "{listen} {more}");
    }
}
