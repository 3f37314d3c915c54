//! A DNS server on 127.0.0.1 that says what it is told to.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use hickory_resolver::proto::{
    op::{Message, OpCode, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, NAPTR, SRV},
    },
};

/// Routes whose calls to numbers wait for DNS.
pub(crate) const ENUM: &str = "
routes:
- name: enum
  when: {number: \"+*\"}
  enum: {apexes: [e164.example.net], services: [sip], within: 500ms, failed: 503}
- answer: {code: 404}
";

/// What comes back for a question.
pub(crate) enum Reply {
    /// Records of the type asked for.
    Records(Vec<RData>),
    /// No error and no records.
    NoData,
    /// Another code.
    Code(ResponseCode),
    /// Bytes that are no answer; the ID is right.
    Garbage,
    /// Fewer bytes than a header has, then this.
    Short(Box<Self>),
    /// Nothing.
    Silence,
}

/// The server. It ends with its hold.
pub(crate) struct Names {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Names {
    /// `reply` gets each name in lower case, with its final dot.
    pub(crate) fn start(reply: impl Fn(&str, RecordType) -> Reply + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let address = socket.local_addr().unwrap();
        let (seen, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let thread = thread::spawn({
            let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
            move || {
                let mut bytes = [0; 4096];
                while !stop.load(Ordering::Relaxed) {
                    match socket.recv_from(&mut bytes) {
                        Ok((len, from)) => serve(&socket, from, &bytes[..len], &seen, &reply),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        });
        Self { address, seen, stop, thread: Some(thread) }
    }

    /// One that never answers.
    pub(crate) fn dead() -> Self {
        Self::start(|_, _| Reply::Silence)
    }

    /// The part of a configuration that names this server.
    pub(crate) fn config(&self) -> String {
        format!("dns: {{servers: [\"{}\"]}}\n", self.address)
    }

    /// What was asked so far, as `name type`.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))), "the DNS server of the test failed");
    }
}

fn serve(
    socket: &UdpSocket,
    from: SocketAddr,
    bytes: &[u8],
    seen: &Mutex<Vec<String>>,
    reply: &impl Fn(&str, RecordType) -> Reply,
) {
    let question = Message::from_vec(bytes).expect("a DNS message");
    let query = question.queries[0].clone();
    let name = query.name().to_lowercase().to_ascii();
    seen.lock().unwrap().push(format!("{name} {}", query.query_type()));
    let mut reply = reply(&name, query.query_type());
    // The socket that asked may be gone: then nobody wants to know.
    let send = |bytes: &[u8]| drop(socket.send_to(bytes, from));
    let mut message = Message::response(question.id, OpCode::Query);
    message.metadata.recursion_available = true;
    message.add_query(query.clone());
    loop {
        match reply {
            Reply::Short(then) => {
                send(b"abc");
                reply = *then;
                continue;
            }
            Reply::Silence => return,
            Reply::Garbage => return send(&[&question.id.to_be_bytes()[..], &[0xff; 30]].concat()),
            Reply::NoData => {}
            Reply::Code(code) => message.metadata.response_code = code,
            Reply::Records(records) => {
                for data in records {
                    message.add_answer(Record::from_rdata(query.name().clone(), 300, data));
                }
            }
        }
        return send(&message.to_vec().unwrap());
    }
}

/// A terminal NAPTR (RFC 6116) whose substitution gives `uri`.
pub(crate) fn naptr(order: u16, preference: u16, service: &str, uri: &str) -> RData {
    let text = |text: &str| text.as_bytes().into();
    let regexp = text(&format!("!^.*$!{uri}!"));
    RData::NAPTR(NAPTR::new(order, preference, text("u"), text(service), regexp, Name::root()))
}

pub(crate) fn srv(priority: u16, port: u16, target: &str) -> RData {
    RData::SRV(SRV::new(priority, 0, port, Name::from_ascii(target).unwrap()))
}

pub(crate) fn a(address: [u8; 4]) -> RData {
    RData::A(A(Ipv4Addr::from(address)))
}

/// The name of a number under an apex (RFC 6116 §3.2).
pub(crate) fn name_of(digits: &str, apex: &str) -> String {
    let labels: String = digits.chars().rev().map(|digit| format!("{digit}.")).collect();
    format!("{labels}{apex}.")
}
