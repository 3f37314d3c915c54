//! What comes in: requests, and what a bad network makes of them; and what DNS does with a question.

use std::collections::BTreeMap;

use waypost::{
    dns::{Answer, Failure, Kind, Question},
    engine::Path,
    route::Transport,
};

use super::targets::liar;

/// All chance of one run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        liar::next(&mut self.0) % below
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len() as u64) as usize]
    }
}

/// What happens to the engine from outside.
#[derive(Debug)]
pub(crate) enum Event {
    Datagram(Vec<u8>, Path),
    Answer(Question, Answer),
    /// Another table.
    Reload(usize),
    Drain,
    /// The clock steps forward: everything under way is late at once.
    Step(u64),
}

const METHODS: &[&str] =
    &["INVITE", "INVITE", "INVITE", "INVITE", "INVITE", "OPTIONS", "MESSAGE", "ACK", "CANCEL", "BYE", "JUMP"];

/// A request out of some thousands: many come twice, and ask DNS for the same.
pub(crate) fn request(dice: &mut Dice) -> Vec<u8> {
    let method = dice.one(METHODS);
    let user = match dice.roll(6) {
        0 => "alice@".to_owned(),
        1 => format!("+44207946{:04}@", dice.roll(8)),
        2 | 3 => format!("+1201555{:04}@", dice.roll(20)),
        4 => String::new(),
        _ => "112@".to_owned(),
    };
    let host = match dice.roll(5) {
        0 | 1 => format!("h{}.example.net", dice.roll(20)),
        2 => "office.example.com".to_owned(),
        _ => "192.0.2.1".to_owned(),
    };
    let call = dice.roll(6);
    let extra =
        dice.one(&["", "", "X-Class: gold\r\n", "Subject: sip:bob@example.org\r\n", "Require: 100rel\r\n"]);
    let text = format!(
        "{method} sip:{user}{host} SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7{};branch=z9hG4bK{call}\r\n\
         From: <sip:+442079460001@a.example>;tag={call}\r\nTo: <sip:{user}{host}>\r\nCall-ID: {call}\r\n\
         CSeq: 1 {method}\r\n{extra}Content-Length: 0\r\n\r\n",
        dice.one(&[";rport", ":5070", ""])
    );
    text.into_bytes()
}

/// A request that asks DNS for what no other one does.
pub(crate) fn request_of_its_own(number: u64) -> Vec<u8> {
    let text = format!(
        "INVITE sip:+1{number:010}@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{number}\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: {number}\r\nCSeq: 1 INVITE\r\n\r\n"
    );
    text.into_bytes()
}

/// The same with bits flipped, cut off, or with a piece of another one in it.
pub(crate) fn mangled(mut bytes: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(bytes.len().max(1) as u64) as usize;
        match dice.roll(4) {
            0 => bytes.truncate(at),
            1 => {
                let other = request(dice);
                let from = dice.roll(other.len() as u64) as usize;
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {
                let bit = dice.roll(8);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
        }
    }
    bytes
}

/// Where datagrams come from.
pub(crate) fn path(dice: &mut Dice) -> Path {
    let source = dice.one(&["198.51.100.7:5060", "198.51.100.7:40000", "[2001:db8::7]:5060"]);
    Path {
        source: source.parse().expect("address"),
        local: "192.0.2.1:5060".parse().expect("address"),
        listener: dice.roll(2) as usize,
        transport: if dice.roll(8) == 0 { Transport::Tcp } else { Transport::Udp },
    }
}

/// The name servers: each question is answered otherwise the next time.
#[derive(Default)]
pub(crate) struct Zones {
    asked: BTreeMap<Question, u64>,
}

impl Zones {
    /// What is said to a question, and after how long; `None` when nothing is ever said.
    pub(crate) fn ask(&mut self, question: &Question, dice: &mut Dice) -> Option<(Answer, u64)> {
        let times = self.asked.entry(question.clone()).or_default();
        *times += 1;
        // Two of three times what was said before: a zone does not change with every question.
        let answer = liar::answer(question, *times / 3);
        match dice.roll(40) {
            0..4 => None,
            4 => Some((Answer::Failed(Failure::Overflow), 0)),
            5 => Some((Answer::Failed(Failure::ServFail), dice.roll(200))),
            // Late: most who asked have given up.
            6..10 => Some((answer, 300 + dice.roll(600))),
            _ => Some((answer, 1 + dice.roll(200))),
        }
    }
}

/// A question that nobody may have put.
pub(crate) fn question_of_nobody(dice: &mut Dice) -> Question {
    let kind = [Kind::Naptr, Kind::Srv, Kind::A, Kind::Aaaa][dice.roll(4) as usize];
    let name = dice.one(&["h1.example.net", "a.example.net", "_sip._udp.h2.example.net", "evil.example"]);
    Question::new(name, kind).expect("a name")
}
