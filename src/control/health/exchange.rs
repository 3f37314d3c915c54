//! Outside. One OPTIONS to one address, over UDP, TCP or TLS (RFC 3261 §11.1, §17.1.2).
//!
//! In:    where it goes, what it is made of, how long an answer is waited for.
//! Out:   the status of the final answer, or why there is none.
//! Never: takes what another address sent, or another transaction's answer; waits beyond its time.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;

use super::Heard;
use crate::{
    control::client::{Message, Response, random},
    dns::{Target, TargetTransport},
    limits::MESSAGE_BYTES_MAX,
    route::Health,
    sip::{Framed, Framer, HeaderIndex, Scheme, Uri},
};

/// RFC 3261 §17.1.2.1.
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);

/// Asks one address.
pub(super) async fn ask(target: &Target<'_>, health: &Health, tls: &Arc<ClientConfig>) -> Heard {
    let wait = Duration::from_millis(health.timeout_ms);
    let address = SocketAddr::new(target.address, target.port);
    let asked = async {
        match target.transport {
            TargetTransport::Udp => over_udp(address, health).await,
            TargetTransport::Tcp => {
                let stream = TcpStream::connect(address).await?;
                let local = local(stream.local_addr()?);
                over_stream(stream, Asked::of(health, "TCP", local)).await
            }
            TargetTransport::Tls => over_tls(address, &target.name, health, tls).await,
        }
    };
    match timeout(wait, asked).await {
        Err(_) => Heard::Silence,
        Ok(Ok(heard)) => heard,
        Ok(Err(error)) => heard_of(&error),
    }
}

fn heard_of(error: &io::Error) -> Heard {
    match error.kind() {
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::TimedOut => Heard::Unreachable,
        // No descriptor, no address: that is about us.
        _ => Heard::Unasked,
    }
}

/// The kernel passes on what comes from this address only, and says when nothing listens there.
async fn over_udp(address: SocketAddr, health: &Health) -> io::Result<Heard> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    let asked = Asked::of(health, "UDP", local(socket.local_addr()?));
    let mut buffer = vec![0; MESSAGE_BYTES_MAX];
    // Timer E: T1, doubled up to T2; after a 1xx T2.
    let mut pause = T1;
    loop {
        socket.send(&asked.bytes).await?;
        let again_at = Instant::now() + pause;
        pause = (pause * 2).min(T2);
        while let Ok(len) = timeout_at(again_at, socket.recv(&mut buffer)).await {
            match asked.status(buffer.get(..len?).unwrap_or_default()) {
                Some(status) if status >= 200 => return Ok(Heard::Status(status)),
                Some(_) => pause = T2,
                None => {}
            }
        }
    }
}

async fn over_tls(
    address: SocketAddr,
    name: &str,
    health: &Health,
    tls: &Arc<ClientConfig>,
) -> io::Result<Heard> {
    let bare = name.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_owned();
    let Ok(name) = ServerName::try_from(bare) else { return Ok(Heard::NoTls) };
    let stream = TcpStream::connect(address).await?;
    let local = local(stream.local_addr()?);
    match TlsConnector::from(Arc::clone(tls)).connect(name, stream).await {
        Ok(stream) => over_stream(stream, Asked::of(health, "TLS", local)).await,
        Err(_) => Ok(Heard::NoTls),
    }
}

async fn over_stream(mut stream: impl AsyncRead + AsyncWrite + Unpin, asked: Asked) -> io::Result<Heard> {
    stream.write_all(&asked.bytes).await?;
    stream.flush().await?;
    let (mut buffer, mut framer, mut index) = (Vec::new(), Framer::default(), HeaderIndex::new());
    loop {
        let (len, is_message) = match framer.next(&buffer, &mut index) {
            Framed::Message { len } => (len, true),
            Framed::Blank { len, .. } => (len, false),
            Framed::Part => {
                // A message that grows beyond all limits is told by the framer.
                if stream.read_buf(&mut buffer).await? == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                continue;
            }
            Framed::Last { .. } | Framed::Garbage => return Ok(Heard::NoSip),
        };
        let status = is_message.then(|| asked.status(buffer.get(..len).unwrap_or_default())).flatten();
        if let Some(status) = status.filter(|status| *status >= 200) {
            return Ok(Heard::Status(status));
        }
        buffer.drain(..len);
    }
}

/// An OPTIONS, and what its answer must have.
struct Asked {
    bytes: Vec<u8>,
    branch: String,
    call_id: String,
}

impl Asked {
    fn of(health: &Health, transport: &str, local: SocketAddr) -> Self {
        let (branch, call_id) = (format!("z9hG4bK{}", random()), format!("{}@waypost", random()));
        let from = match &health.from {
            Some(from) => format!("<{from}>"),
            None => format!("<sip:waypost@{}>", in_uri(local)),
        };
        let to = to(&health.uri);
        let message = Message {
            method: "OPTIONS",
            uri: &health.uri,
            transport,
            local,
            branch: &branch,
            from: &from,
            from_tag: &random(),
            to: to.as_deref(),
            call_id: &call_id,
            cseq: 1,
            // RFC 3261 §11.1.
            headers: &[("Accept".to_owned(), "application/sdp".to_owned())],
        };
        Self { bytes: message.request(), branch, call_id }
    }

    /// The status, when these bytes answer it (RFC 3261 §17.1.3).
    fn status(&self, bytes: &[u8]) -> Option<u16> {
        let response = Response::parse(bytes)?;
        response.answers(&self.branch, &self.call_id, 1, "OPTIONS").then_some(response.status)
    }
}

/// RFC 3261 §19.1.1: a URI in To has no port and no parameters of a transport.
fn to(uri: &str) -> Option<String> {
    let parsed = Uri::parse(uri.as_bytes())?;
    let scheme = if parsed.scheme == Scheme::Sips { "sips" } else { "sip" };
    let host = std::str::from_utf8(parsed.host).ok()?;
    let user = parsed.user.and_then(|user| std::str::from_utf8(user).ok()).map(|user| format!("{user}@"));
    Some(format!("<{scheme}:{}{host}>", user.unwrap_or_default()))
}

/// A scope has no place in a Via.
fn local(mut address: SocketAddr) -> SocketAddr {
    if let SocketAddr::V6(v6) = &mut address {
        v6.set_scope_id(0);
    }
    address
}

fn in_uri(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        route::AliveCodes,
        sip::{Parsed, parse},
    };

    #[test]
    fn an_options_is_whole() {
        let health = Health {
            uri: "sip:ping@gw.example:5070;transport=tcp".into(),
            from: None,
            interval_ms: 1,
            jitter_milli: 0,
            timeout_ms: 1,
            failures: 1,
            successes: 1,
            alive: AliveCodes::default(),
        };
        let asked = Asked::of(&health, "TCP", "[::1]:40000".parse().unwrap());
        let text = String::from_utf8(asked.bytes.clone()).unwrap();
        let Asked { branch, call_id, .. } = &asked;
        let tag = text.split(";tag=").nth(1).unwrap().split("\r\n").next().unwrap();
        assert_eq!(
            text,
            format!(
                "OPTIONS sip:ping@gw.example:5070;transport=tcp SIP/2.0\r\n\
                 Via: SIP/2.0/TCP [::1]:40000;branch={branch};rport\r\n\
                 Max-Forwards: 70\r\n\
                 From: <sip:waypost@[::1]>;tag={tag}\r\n\
                 To: <sip:ping@gw.example>\r\n\
                 Call-ID: {call_id}\r\n\
                 CSeq: 1 OPTIONS\r\n\
                 Accept: application/sdp\r\n\
                 Content-Length: 0\r\n\r\n"
            )
        );
        assert!(matches!(parse(&asked.bytes, &mut HeaderIndex::new()), Parsed::Sound(_)));
        let other = Asked::of(&health, "TCP", "[::1]:40000".parse().unwrap());
        assert!(other.branch != asked.branch && other.call_id != asked.call_id);
        let answer = text.replace("OPTIONS sip:ping@gw.example:5070;transport=tcp SIP/2.0", "SIP/2.0 404 No");
        assert_eq!(asked.status(answer.as_bytes()), Some(404));
        assert_eq!(other.status(answer.as_bytes()), None, "another transaction's");
    }
}
