//! A DNS server that fails in one way, chosen at its start; and a question that waits for a server.
//!
//! In:    `misbehave --listen ADDRESS:PORT --as MODE`; see [`USAGE`].
//! Out:   over UDP, answers that are wrong in that way, or none; it runs until it is ended.
//! Never: takes TCP, remembers more than [`LATE_MAX`] answers that are to be late.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    process::ExitCode,
    sync::mpsc::{Receiver, sync_channel},
    thread,
    time::{Duration, Instant},
};

const USAGE: &str = "\
A DNS server that fails in one way.

usage: misbehave --listen ADDRESS:PORT --as MODE
       misbehave --await ADDRESS:PORT --name NAME

  MODE  silent            never answers
        late:MS           answers rightly, after so many milliseconds
        right             answers rightly, so that what the others get wrong can be seen
        wrong-id          the right answer, to another question's id
        wrong-port        the right answer, from another port
        wrong-question    the right answer to a question for another name
        other-name        the right question, and a record of another name
        garbage           the right id, and nothing that can be read
        cut               the right answer without its last bytes
        loop              a CNAME that leads to itself
        truncated         \"ask again over TCP\", which nobody serves
        servfail, refused, lame (a referral upwards)

  --await asks for NAME until a server answers anything: status 0 then, 1 after ten seconds.

The right answer to every question is one NAPTR to <sip:misbehave@dns.example.net>.
";

/// Answers that may wait to be late.
const LATE_MAX: usize = 65_536;
const LATE_MS_MAX: u64 = 60_000;
const AWAIT: Duration = Duration::from_secs(10);
const TRY: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug)]
enum Mode {
    Silent,
    Late(Duration),
    Right,
    WrongId,
    WrongPort,
    WrongQuestion,
    OtherName,
    Garbage,
    Cut,
    Loop,
    Truncated,
    Code(u8),
    Lame,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match *words {
        [] | ["--help"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        ["--listen", address, "--as", mode] => serve(address, mode),
        ["--await", address, "--name", name] => wait_for(address, name),
        _ => Err("the command line is not one of those that --help shows".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("misbehave: {error}");
            ExitCode::FAILURE
        }
    }
}

fn mode(text: &str) -> Option<Mode> {
    let mode = match text {
        "silent" => Mode::Silent,
        "right" => Mode::Right,
        "wrong-id" => Mode::WrongId,
        "wrong-port" => Mode::WrongPort,
        "wrong-question" => Mode::WrongQuestion,
        "other-name" => Mode::OtherName,
        "garbage" => Mode::Garbage,
        "cut" => Mode::Cut,
        "loop" => Mode::Loop,
        "truncated" => Mode::Truncated,
        "servfail" => Mode::Code(2),
        "refused" => Mode::Code(5),
        "lame" => Mode::Lame,
        _ => {
            let ms = text.strip_prefix("late:")?.parse().ok().filter(|ms| *ms <= LATE_MS_MAX)?;
            Mode::Late(Duration::from_millis(ms))
        }
    };
    Some(mode)
}

fn serve(address: &str, text: &str) -> Result<(), String> {
    let mode = mode(text).ok_or_else(|| format!("--as {text}: no such mode; --help has them"))?;
    let address = parse(address)?;
    let trouble = |error: io::Error| format!("cannot use a socket at {address}: {error}");
    let socket = UdpSocket::bind(address).map_err(trouble)?;
    let other = UdpSocket::bind((address.ip(), 0)).map_err(trouble)?;
    let (late, due) = sync_channel(LATE_MAX);
    let sender = socket.try_clone().map_err(trouble)?;
    thread::spawn(move || send_late(&sender, &due));
    let mut buffer = [0; 4096];
    loop {
        let (len, from) = socket.recv_from(&mut buffer).map_err(trouble)?;
        let Some(question) = buffer.get(..len).and_then(Question::read) else {
            continue;
        };
        let answer = question.answer(mode);
        // An answer that cannot be sent is one more way to fail.
        match mode {
            Mode::Silent => {}
            Mode::Late(after) => drop(late.try_send((Instant::now() + after, answer, from))),
            Mode::WrongPort => drop(other.send_to(&answer, from)),
            _ => drop(socket.send_to(&answer, from)),
        }
    }
}

fn send_late(socket: &UdpSocket, due: &Receiver<(Instant, Vec<u8>, SocketAddr)>) {
    while let Ok((at, answer, to)) = due.recv() {
        thread::sleep(at.saturating_duration_since(Instant::now()));
        drop(socket.send_to(&answer, to));
    }
}

fn wait_for(address: &str, name: &str) -> Result<(), String> {
    let server = parse(address)?;
    let question = question(name)?;
    let trouble = |error: io::Error| format!("cannot use a socket to {address}: {error}");
    let socket = UdpSocket::bind((server.ip(), 0)).map_err(trouble)?;
    socket.connect(server).map_err(trouble)?;
    socket.set_read_timeout(Some(TRY)).map_err(trouble)?;
    let end = Instant::now() + AWAIT;
    while Instant::now() < end {
        let began = Instant::now();
        // Refused, as long as nobody listens there.
        if socket.send(&question).and_then(|_| socket.recv(&mut [0; 4096])).is_ok() {
            return Ok(());
        }
        thread::sleep(TRY.saturating_sub(began.elapsed()));
    }
    Err(format!("{address} has answered nothing for {} s", AWAIT.as_secs()))
}

fn parse(address: &str) -> Result<SocketAddr, String> {
    address.parse().map_err(|_| format!("{address}: expected ADDRESS:PORT"))
}

/// A question for the NAPTRs of a name (RFC 1035 §4.1).
fn question(name: &str) -> Result<Vec<u8>, String> {
    let mut message = [&[0x57, 0x50, 1, 0][..], &counts(1, 0, 0)].concat();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        match u8::try_from(label.len()) {
            Ok(len @ ..64) => message.push(len),
            _ => return Err(format!("{name} is not a domain")),
        }
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, 35, 0, 1]);
    Ok(message)
}

fn counts(questions: u8, answers: u8, authorities: u8) -> [u8; 8] {
    [0, questions, 0, answers, 0, authorities, 0, 0]
}

/// What a question says, as its bytes.
struct Question<'a> {
    id: [u8; 2],
    name: &'a [u8],
    kind: &'a [u8],
}

/// A pointer to the name of the question (RFC 1035 §4.1.4).
const ITS_NAME: [u8; 2] = [0xc0, 12];
/// Another name: `else.`
const ANOTHER_NAME: &[u8] = b"\x04else\0";
const TTL_60: [u8; 4] = [0, 0, 0, 60];

impl<'a> Question<'a> {
    fn read(message: &'a [u8]) -> Option<Self> {
        let rest = message.get(12..)?;
        let mut end = 0;
        loop {
            match *rest.get(end)? {
                0 => break,
                len @ ..64 => end += 1 + usize::from(len),
                _ => return None,
            }
        }
        let name = rest.get(..=end)?;
        let kind = rest.get(end + 1..end + 5)?;
        Some(Self { id: [*message.first()?, *message.get(1)?], name, kind })
    }

    fn answer(&self, mode: Mode) -> Vec<u8> {
        let id = u16::from_be_bytes(self.id);
        let right = self.message(self.name, 0x84, 0, counts(1, 1, 0), &naptr(&ITS_NAME));
        match mode {
            Mode::WrongId => {
                [&id.wrapping_add(1).to_be_bytes()[..], right.get(2..).unwrap_or_default()].concat()
            }
            Mode::WrongQuestion => self.message(ANOTHER_NAME, 0x84, 0, counts(1, 1, 0), &naptr(&ITS_NAME)),
            Mode::OtherName => self.message(self.name, 0x84, 0, counts(1, 1, 0), &naptr(ANOTHER_NAME)),
            Mode::Garbage => [&self.id[..], &[0xff; 40]].concat(),
            Mode::Cut => right.get(..right.len() - 7).unwrap_or_default().to_vec(),
            Mode::Loop => {
                let cname = [&ITS_NAME[..], &[0, 5, 0, 1], &TTL_60, &[0, 2], &ITS_NAME].concat();
                self.message(self.name, 0x84, 0, counts(1, 1, 0), &cname)
            }
            Mode::Truncated => self.message(self.name, 0x86, 0, counts(1, 0, 0), &[]),
            Mode::Code(code) => self.message(self.name, 0x84, code, counts(1, 0, 0), &[]),
            // The root's name servers, and not authoritative: "I know nothing of this name".
            Mode::Lame => {
                let ns = [&[0, 0, 2, 0, 1], &TTL_60[..], &[0, 6], ANOTHER_NAME].concat();
                self.message(self.name, 0x80, 0, counts(1, 0, 1), &ns)
            }
            Mode::Silent | Mode::Late(_) | Mode::Right | Mode::WrongPort => right,
        }
    }

    fn message(&self, name: &[u8], flags: u8, code: u8, counts: [u8; 8], records: &[u8]) -> Vec<u8> {
        [&self.id[..], &[flags | 1, code], &counts, name, self.kind, records].concat()
    }
}

/// The right answer, as a record of this name (RFC 3403 §4.1).
fn naptr(name: &[u8]) -> Vec<u8> {
    let mut data = vec![0, 100, 0, 10];
    for text in ["u", "E2U+sip", "!^.*$!sip:misbehave@dns.example.net!"] {
        data.push(u8::try_from(text.len()).unwrap_or_default());
        data.extend(text.as_bytes());
    }
    data.push(0);
    let len = u16::try_from(data.len()).unwrap_or_default().to_be_bytes();
    [name, &[0, 35, 0, 1], &TTL_60, &len, &data].concat()
}
