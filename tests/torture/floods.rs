//! The CVE rows that are no single message: floods. The traffic is bounded, and what counts is that the
//! next call is answered as the first one was.

use std::{fs, net::UdpSocket};

use crate::{
    harness::PATIENCE,
    messages::{Message, SETS},
    play::{Event, Player},
    shown::text_of,
    wire::Ports,
};

/// Calls of a flood.
const CALLS: usize = 20_000;
/// Calls on their way at once: they fit into any receive buffer.
const WINDOW: usize = 50;
/// What the server's memory may grow by, in KiB, during a flood. A state of 250 bytes for each call
/// would be more.
pub(crate) const GROWTH_KIB_MAX: usize = 4 * 1024;

/// CVE-2021-41145: each call of a flood left a state behind, and memory was gone in 90 s.
#[test]
fn a_flood_leaves_nothing_behind() {
    let ports = Ports::start();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let source = socket.local_addr().unwrap();
    socket.connect(ports.udp(source)).unwrap();
    let message = message("cve/11-invite-flood");
    let first = answer_to(&socket, &message.bytes);
    flood(&socket, &message, 0..CALLS / 10);
    let before = memory_kib(&ports);
    flood(&socket, &message, CALLS / 10..CALLS);
    let growth = memory_kib(&ports).saturating_sub(before);
    assert!(growth <= GROWTH_KIB_MAX, "{growth} KiB after {CALLS} calls");
    assert_eq!(answer_to(&socket, &message.bytes), first);
    let expected = match Player::new().play(&message.bytes, source).udp {
        Event::Send { bytes, .. } => text_of(&bytes),
        Event::Silence(why) => panic!("{why}"),
    };
    assert_eq!(first, expected);
}

/// CVE-2018-8828: one byte beyond a buffer, at critical lengths of the branch and of the From tag.
#[test]
fn lengths_around_every_power_of_two_are_answered() {
    let mut player = Player::new();
    let mut answered = 0;
    for name in ["cve/05-branch-overlong", "cve/05-from-tag-overlong"] {
        let message = message(name);
        let long = vec![b'A'; 4096];
        let at = message.bytes.windows(long.len()).position(|window| window == long).expect("the long run");
        for len in (4..=12).flat_map(|power| (1_usize << power) - 3..=(1 << power) + 3) {
            let run = vec![b'A'; len];
            let bytes = [&message.bytes[..at], &run, &message.bytes[at + long.len()..]].concat();
            let Event::Send { bytes: answer, .. } = player.play(&bytes, SETS[2].source()).udp else {
                panic!("{name} of {len}: silence");
            };
            assert!(answer.starts_with(b"SIP/2.0 302 "), "{name} of {len}");
            let echoed = answer.split(|&byte| byte != b'A').map(<[u8]>::len).max();
            assert_eq!(echoed, Some(len), "{name}: the run is echoed whole");
            answered += 1;
        }
    }
    assert_eq!(answered, 2 * 9 * 7);
}

pub(crate) fn message(name: &str) -> Message {
    let found = SETS.iter().flat_map(|set| set.messages()).find(|message| message.name == name);
    found.unwrap_or_else(|| panic!("no {name}"))
}

/// The message with another Call-ID.
pub(crate) fn call(message: &Message, call: usize) -> Vec<u8> {
    let text = String::from_utf8(message.bytes.clone()).unwrap();
    let changed = text.replace("\r\nCall-ID: ", &format!("\r\nCall-ID: {call}-"));
    assert_ne!(changed, text);
    changed.into_bytes()
}

fn flood(socket: &UdpSocket, message: &Message, calls: std::ops::Range<usize>) {
    let mut room = [0; 2048];
    for window in calls.collect::<Vec<_>>().chunks(WINDOW) {
        for &number in window {
            socket.send(&call(message, number)).unwrap();
        }
        for _ in window {
            let len = socket.recv(&mut room).expect("an answer to each call");
            assert!(room[..len].starts_with(b"SIP/2.0 302 "), "{}", text_of(&room[..len]));
        }
    }
}

fn answer_to(socket: &UdpSocket, bytes: &[u8]) -> String {
    socket.send(bytes).unwrap();
    let mut room = [0; 2048];
    let len = socket.recv(&mut room).expect("an answer");
    text_of(&room[..len])
}

/// Resident memory of the server.
pub(crate) fn memory_kib(ports: &Ports) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", ports.server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("KiB")
}
