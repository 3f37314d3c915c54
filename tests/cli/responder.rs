//! A UDP server on 127.0.0.1 that answers as it is told and keeps what it saw.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// One datagram.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) from: SocketAddr,
    pub(crate) text: String,
}

impl Seen {
    pub(crate) fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }
    pub(crate) fn method(&self) -> &str {
        self.first_line().split(' ').next().unwrap_or_default()
    }
    /// The value of a header that must be there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut lines = self.text.split("\r\n").take_while(|line| !line.is_empty());
        let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found.unwrap_or_else(|| panic!("{name} in {}", self.text))
    }
    pub(crate) fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").expect("an empty line").1
    }
}

/// An answer to `seen`: what every answer echoes, then `headers`.
pub(crate) fn answer(seen: &Seen, status: &str, headers: &str) -> String {
    let [via, from, to, call_id, cseq] =
        ["Via", "From", "To", "Call-ID", "CSeq"].map(|name| seen.header(name));
    format!(
        "SIP/2.0 {status}\r\nVia: {via}\r\nFrom: {from}\r\nTo: {to};tag=responder\r\nCall-ID: {call_id}\r\n\
         CSeq: {cseq}\r\n{headers}Content-Length: 0\r\n\r\n"
    )
}

/// The server. It answers everything but ACKs.
pub(crate) struct Responder {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Seen>>,
}

impl Responder {
    pub(crate) fn start(mut answers: impl FnMut(&Seen) -> Vec<String> + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
        let address = socket.local_addr().expect("an address");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let (mut seen, mut buffer) = (Vec::new(), [0; 65_535]);
            loop {
                match socket.recv_from(&mut buffer) {
                    Ok((len, from)) => {
                        let one = Seen { from, text: String::from_utf8_lossy(&buffer[..len]).into_owned() };
                        if one.method() != "ACK" {
                            for answer in answers(&one) {
                                socket.send_to(answer.as_bytes(), from).expect("it is sent");
                            }
                        }
                        seen.push(one);
                    }
                    // The client has ended: what it sent is in the socket, and is read before this.
                    Err(error) if would_block(&error) && stopped.load(Ordering::SeqCst) => return seen,
                    Err(_) => {}
                }
            }
        });
        Self { address, stop, thread }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops, and tells what was seen.
    pub(crate) fn stop(self) -> Vec<Seen> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("the responder did not fail")
    }
}

fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
