//! A caller: one UDP socket, the requests it sends, and the answers it gets.

use std::{
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
};

use crate::harness::{PATIENCE, Server, eventually};

/// One socket.
pub(crate) struct Caller {
    socket: UdpSocket,
}

impl Caller {
    /// On any port of this address.
    pub(crate) fn at(ip: &str) -> Self {
        let socket = UdpSocket::bind(SocketAddr::new(ip.parse().unwrap(), 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket2::SockRef::from(&socket).set_recv_buffer_size(1 << 20).unwrap();
        Self { socket }
    }

    pub(crate) fn here() -> Self {
        Self::at("127.0.0.1")
    }

    pub(crate) fn port(&self) -> u16 {
        self.socket.local_addr().unwrap().port()
    }

    pub(crate) fn send(&self, to: SocketAddr, request: impl AsRef<[u8]>) {
        self.socket.send_to(request.as_ref(), to).unwrap();
    }

    /// The next datagram, and who sent it.
    pub(crate) fn receive(&self) -> (SocketAddr, String) {
        let mut bytes = [0; 65_535];
        let (len, from) = self.socket.recv_from(&mut bytes).expect("an answer comes");
        (from, String::from_utf8_lossy(&bytes[..len]).into_owned())
    }

    /// Sends a request, and waits for its answer, which must come from where the request went to.
    pub(crate) fn ask(&self, to: SocketAddr, request: &str) -> String {
        self.send(to, request);
        let (from, answer) = self.receive();
        assert_eq!(from, to, "{answer}");
        assert_eq!(call_id(&answer), call_id(request), "{answer}");
        answer
    }

    /// Whether nothing has come. Ask it after an answer to a later request: what is here is here.
    pub(crate) fn heard_nothing(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let nothing = self.socket.recv_from(&mut [0; 1]).is_err_and(|e| e.kind() == ErrorKind::WouldBlock);
        self.socket.set_nonblocking(false).unwrap();
        nothing
    }

    /// Calls until an answer has the status `new`; all before it must have `old`.
    pub(crate) fn until(&self, server: &Server, old: u16, new: u16) {
        let mut number = 0;
        eventually(&format!("an answer {new}"), || {
            number += 1;
            let request = invite(&format!("until-{new}-{number}"), "sip:+442079460123@waypost.example.net");
            let found = status(&self.ask(server.address(), &request));
            assert!(found == old || found == new, "{found}, neither {old} nor {new}");
            found == new
        });
    }

    /// The status of a call.
    pub(crate) fn status(&self, server: &Server, call: &str) -> u16 {
        status(&self.ask(server.address(), &invite(call, "sip:+442079460123@waypost.example.net")))
    }
}

/// An INVITE that does not depend on the caller's port, so that its answer can be foreseen.
pub(crate) fn invite(call: &str, uri: &str) -> String {
    request("INVITE", call, uri)
}

/// A request of any method.
pub(crate) fn request(method: &str, call: &str, uri: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\n\
         Via: SIP/2.0/UDP proxy.example.net:5070;branch=z9hG4bK{call};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:+441632960001@proxy.example.net>;tag=a1\r\n\
         To: <{uri}>\r\n\
         Call-ID: {call}\r\n\
         CSeq: 1 {method}\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// The status code of an answer.
pub(crate) fn status(answer: &str) -> u16 {
    let code = answer.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3));
    code.and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no status in {answer:?}"))
}

/// The value of a header that stands on one line; empty when there is none.
pub(crate) fn header<'m>(message: &'m str, name: &str) -> &'m str {
    let value = |line: &'m str| line.strip_prefix(name)?.strip_prefix(": ");
    message.split("\r\n").find_map(value).unwrap_or_default()
}

/// The Call-ID.
pub(crate) fn call_id(message: &str) -> &str {
    header(message, "Call-ID")
}

/// The To tag of an answer.
pub(crate) fn to_tag(answer: &str) -> &str {
    header(answer, "To").split_once(";tag=").unwrap_or_else(|| panic!("no To tag in {answer}")).1
}
