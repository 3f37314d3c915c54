//! TLS as its peers meet it: rustls as the client, certificates made here.

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tempfile::TempDir;

use crate::{
    admin::nonzero,
    caller::{invite, status},
    harness::{KEY, PATIENCE, Routes, Server, eventually, waypost},
    streams::Stream,
};

const LONDON: &str = "sips:+442079460123@waypost.example.net";

const ROUTES: &str = "
gateways: { lon1: sips:sbc1.lon.example.net }
routes: [ { name: all, answer: { contacts: [lon1] } } ]
";

/// Who issues certificates.
pub(crate) struct Issuer(CertifiedIssuer<'static, KeyPair>);

impl Issuer {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// Certificate and key for this name, PEM.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        self.issue_with(CertificateParams::new(vec![name.to_owned()]).unwrap())
    }

    /// Certificate and key for this domain of SIP, and the name of one of its servers.
    fn issue_for_domain(&self, domain: &str, server: &str) -> (String, String) {
        let mut params = CertificateParams::new(vec![server.to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI(format!("sip:{domain}").try_into().unwrap()));
        self.issue_with(params)
    }

    fn issue_with(&self, params: CertificateParams) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }
}

fn write(dir: &Path, (certificate, key): &(String, String)) {
    fs::write(dir.join("cert.pem"), certificate).unwrap();
    fs::write(dir.join("key.pem"), key).unwrap();
}

/// The server with a certificate of `issuer`, and the directory of its files.
pub(crate) fn server(issuer: &Issuer, more: &str) -> (Routes, TempDir, Server) {
    server_of(ROUTES, issuer, more)
}

fn server_of(routes: &str, issuer: &Issuer, more: &str) -> (Routes, TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &issuer.issue("waypost.example.net"));
    fs::write(dir.path().join("ca.pem"), issuer.pem()).unwrap();
    let routes = Routes::of(routes);
    let d = dir.path().display();
    let config = format!(
        "{KEY}tls: {{certificate: {d}/cert.pem, key: {d}/key.pem{}}}\n",
        more.replace("DIR", &d.to_string())
    );
    let server = Server::start_on(&["tls:127.0.0.1:0", "udp:127.0.0.1:0"], routes.path(), &config);
    (routes, dir, server)
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A connection that trusts `issuer`, with a certificate of its own or without.
fn connect(address: SocketAddr, issuer: &Issuer, own: Option<(String, String)>) -> Stream<Tls> {
    connect_with(address, client(issuer, own))
}

fn client(issuer: &Issuer, own: Option<(String, String)>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(issuer.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    })
}

fn connect_with(address: SocketAddr, config: Arc<ClientConfig>) -> Stream<Tls> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = "waypost.example.net".try_into().unwrap();
    Stream::of(StreamOwned::new(ClientConnection::new(config, name).unwrap(), stream))
}

fn tls(call: &str) -> String {
    invite(call, LONDON).replace("SIP/2.0/UDP", "SIP/2.0/TLS")
}

/// Whether a call over a new connection is answered; not, when the handshake fails.
fn is_served(address: SocketAddr, issuer: &Issuer, own: Option<(String, String)>) -> bool {
    let mut stream = connect(address, issuer, own).into_inner();
    let sent = stream.write_all(tls("a").as_bytes()).and_then(|()| stream.flush());
    let mut start = [0; 12];
    sent.and_then(|()| stream.read_exact(&mut start)).is_ok() && start == *b"SIP/2.0 302 "
}

#[test]
fn tls_is_answered_with_and_without_a_client_certificate() {
    let issuer = Issuer::new();
    for more in ["", ", client_ca: DIR/ca.pem, client: optional"] {
        let (_routes, _dir, server) = server(&issuer, more);
        for own in [None, Some(issuer.issue("proxy.example.net"))] {
            let mut stream = connect(server.address(), &issuer, own);
            for call in ["a", "b"] {
                let answer = stream.ask(&tls(call));
                assert_eq!(status(&answer), 302, "{answer}");
                assert!(
                    answer.contains("\r\nContact: <sips:+442079460123@sbc1.lon.example.net>;q=0.99\r\n"),
                    "{answer}"
                );
            }
        }
        assert_eq!(server.sample(r#"waypost_requests_total{method="INVITE",transport="tls"}"#), 4.0);
    }
}

/// What the client's TLS keeps of bytes that the socket does not take, at most, and a record.
const CLIENT_BUFFER_BYTES: usize = 96 * 1024;

/// The server's TLS buffer, its socket and ours are full of answers when we begin to read; nothing that we
/// send wakes the server then, only the room that we make.
#[test]
fn who_stops_reading_for_a_while_gets_all_answers_without_sending_more() {
    let issuer = Issuer::new();
    let (_routes, _dir, server) = server(&issuer, "");
    let mut stream = connect(server.address(), &issuer, None);
    let request = tls("a");
    assert_eq!(status(&stream.ask(&request)), 302);
    let mut stream = stream.into_inner();
    stream.sock.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let many = request.repeat(1000);
    let mut sent = 0;
    loop {
        assert!(sent < 1 << 30, "the server reads on although its answers are not taken");
        match stream.write(&many.as_bytes()[sent % many.len()..]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    stream.sock.set_write_timeout(None).unwrap();
    let (mut text, mut chunk, mut answers) = (Vec::new(), [0; 65_536], 0);
    // What did not leave our own TLS buffer does not count.
    let whole = (sent - CLIENT_BUFFER_BYTES) / request.len();
    while answers < whole {
        // Not by `stream.read`, which sends first what could not be sent above.
        let tls_bytes = stream.conn.read_tls(&mut stream.sock).expect("an answer comes");
        stream.conn.process_new_packets().unwrap();
        let closed = || nonzero(&server.samples(), "waypost_connections_closed_total").len();
        assert!(tls_bytes > 0, "{answers} of {whole} answers came, {} ended", closed());
        let Ok(count) = stream.conn.reader().read(&mut chunk) else { continue };
        text.extend_from_slice(&chunk[..count]);
        let found = memchr::memmem::find_iter(&text, b"\r\n\r\n").last();
        answers += memchr::memmem::find_iter(&text, b"\r\n\r\n").count();
        text.drain(..found.map_or(0, |at| at + 4));
    }
}

#[test]
fn a_client_certificate_of_a_stranger_is_refused() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let (_routes, _dir, server) = server(&issuer, ", client_ca: DIR/ca.pem");
    assert!(is_served(server.address(), &issuer, Some(issuer.issue("proxy.example.net"))));
    assert!(!is_served(server.address(), &issuer, Some(stranger.issue("proxy.example.net"))));
    assert!(!is_served(server.address(), &issuer, None), "required is what holds without a word");
    eventually("both are counted", || {
        server.sample(r#"waypost_connections_closed_total{reason="tls"}"#) == 2.0
    });
}

/// Each certificate to its own route; the code says which.
const BY_CERTIFICATE: &str = "
gateways: { lon1: sips:sbc1.lon.example.net }
routes:
  - { name: partner, when: { certificate: partner.example }, answer: { contacts: [lon1] } }
  - { name: customers, when: { certificate: '*.customers.example' }, answer: 480 }
  - { name: any, when: { certificate: '*' }, answer: 410 }
  - { name: none, answer: 403 }
";

#[test]
fn the_name_in_a_client_certificate_chooses_the_route() {
    let issuer = Issuer::new();
    let (_routes, _dir, server) =
        server_of(BY_CERTIFICATE, &issuer, ", client_ca: DIR/ca.pem, client: optional");
    for (own, expected) in [
        (Some(issuer.issue_for_domain("Partner.example", "anna.customers.example")), 302),
        (Some(issuer.issue("partner.example")), 302),
        (Some(issuer.issue("anna.customers.example")), 480),
        (Some(issuer.issue("b.anna.customers.example")), 410),
        (Some(issuer.issue("notpartner.example")), 410),
        (None, 403),
    ] {
        let mut stream = connect(server.address(), &issuer, own);
        for call in ["a", "b"] {
            let answer = stream.ask(&tls(call));
            assert_eq!(status(&answer), expected, "{answer}");
        }
    }
    // One that is not verified opens no connection, so that nothing is asked of its name.
    let stranger = Issuer::new().issue("partner.example");
    let mut stream = connect(server.address(), &issuer, Some(stranger)).into_inner();
    let _ = stream.write_all(tls("c").as_bytes()).and_then(|()| stream.flush());
    assert!(stream.read_exact(&mut [0; 12]).is_err(), "a stranger's certificate is answered");
    server.until(r#"waypost_connections_closed_total{reason="tls"}"#, 1.0);
    assert_eq!(server.sample(r#"waypost_requests_total{method="INVITE",transport="tls"}"#), 12.0);
}

#[test]
fn certificates_that_nobody_checks_are_no_identity() {
    let issuer = Issuer::new();
    let (_routes, _dir, server) = server_of(BY_CERTIFICATE, &issuer, "");
    let mut stream = connect(server.address(), &issuer, Some(issuer.issue("partner.example")));
    assert_eq!(status(&stream.ask(&tls("a"))), 403);
}

/// TLS takes up the session of an earlier connection: the certificate is not sent again, and is known all the same.
#[test]
fn a_resumed_session_keeps_its_certificate() {
    let issuer = Issuer::new();
    let (_routes, _dir, server) =
        server_of(BY_CERTIFICATE, &issuer, ", client_ca: DIR/ca.pem, client: optional");
    let config = client(&issuer, Some(issuer.issue("partner.example")));
    let mut kinds = Vec::new();
    for call in ["a", "b"] {
        let mut stream = connect_with(server.address(), Arc::clone(&config));
        assert_eq!(status(&stream.ask(&tls(call))), 302);
        kinds.push(stream.into_inner().conn.handshake_kind().unwrap());
    }
    assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed]);
}

#[test]
fn pings_over_tls_are_answered_inside_it() {
    let issuer = Issuer::new();
    let (_routes, _dir, server) = server(&issuer, "");
    let mut stream = connect(server.address(), &issuer, None);
    stream.send("\r\n");
    stream.send("\r\n");
    assert_eq!(stream.bytes(2), b"\r\n");
    assert_eq!(status(&stream.ask(&tls("a"))), 302);
}

#[test]
fn a_new_certificate_serves_new_connections_and_a_bad_one_none() {
    let (old, new) = (Issuer::new(), Issuer::new());
    let (_routes, dir, server) = server(&old, "");
    let mut before = connect(server.address(), &old, None);
    assert_eq!(status(&before.ask(&tls("a"))), 302);

    write(dir.path(), &new.issue("waypost.example.net"));
    eventually("the new certificate serves", || is_served(server.address(), &new, None));
    assert!(!is_served(server.address(), &old, None));
    assert_eq!(status(&before.ask(&tls("b"))), 302, "the old connection goes on");

    // The key of another certificate: what serves goes on to serve.
    fs::write(dir.path().join("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let said = server.reload();
    assert_eq!(said.status, 422, "{}", said.body);
    assert!(said.body.contains("cert.pem: "), "{}", said.body);
    assert!(is_served(server.address(), &new, None));
}

#[test]
fn bytes_that_are_no_tls_end_the_connection_with_an_alert() {
    let issuer = Issuer::new();
    let (_routes, _dir, server) = server(&issuer, "");
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(tls("a").as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    // RFC 8446 §5.1: content type 21 is an alert.
    assert_eq!(bytes.first(), Some(&21));
    server.until(r#"waypost_connections_closed_total{reason="tls"}"#, 1.0);
}

#[test]
fn tls_that_cannot_be_had_is_told_at_the_start() {
    let issuer = Issuer::new();
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &issuer.issue("a"));
    fs::write(dir.path().join("empty.pem"), "").unwrap();
    let routes = Routes::of(ROUTES);
    for (certificate, key, expected) in [
        ("none.pem", "key.pem", "none.pem cannot be read: No such file"),
        ("empty.pem", "key.pem", "empty.pem has no certificate in PEM form"),
        ("cert.pem", "cert.pem", "cert.pem has no private key in PEM form"),
    ] {
        let config = dir.path().join("waypost.yaml");
        fs::write(&config, format!("tls: {{certificate: {certificate}, key: {key}}}\n")).unwrap();
        let ran = waypost()
            .arg("--config")
            .arg(&config)
            .arg("--routes")
            .arg(routes.path())
            .args(["--listen", "tls:127.0.0.1:0", "--admin", "off"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(said.contains(expected), "{said}");
        assert_eq!(ran.status.code(), Some(1));
    }
}
