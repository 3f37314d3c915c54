//! Socket activation: sockets that were bound before the server was started, as systemd hands them down.

use std::{
    fs,
    net::{SocketAddr, TcpListener, UdpSocket},
    os::fd::OwnedFd,
    process::{Command, Stdio},
};

use command_fds::{CommandFdExt as _, FdMapping};
use socket2::{Domain, Socket, Type};

use crate::{
    caller::{Caller, call_id, invite, status},
    harness::{KEY, Routes, Server, refuse_with},
    streams::{Stream, tcp},
};

const URI: &str = "sip:+442079460123@waypost.example.net";

/// The program with these sockets, as systemd would start it: LISTEN_PID is its own process.
fn activated(sockets: Vec<OwnedFd>, names: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_waypost")])
        .env("LISTEN_FDS", sockets.len().to_string())
        .env("LISTEN_FDNAMES", names)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mappings = sockets.into_iter().zip(3..);
    let mappings = mappings.map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd });
    command.fd_mappings(mappings.collect()).unwrap();
    command
}

fn udp() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn listen(places: &[String]) -> Vec<&str> {
    places.iter().map(String::as_str).collect()
}

#[test]
fn sockets_are_taken_by_transport_and_address_with_what_waits_in_them() {
    let routes = Routes::of(&refuse_with(480));
    let (datagrams, udp) = udp();
    let stream = TcpListener::bind("127.0.0.1:0").unwrap();
    let by_tcp = stream.local_addr().unwrap();
    // They call before there is a server.
    let (caller, mut connection) = (Caller::here(), Stream::to(by_tcp));
    caller.send(udp, invite("early", URI));
    connection.send(tcp("early-tcp"));
    let command = activated(vec![stream.into(), datagrams.try_clone().unwrap().into()], "waypost:waypost");
    // One of three is not handed down: it is bound here.
    let places = [format!("udp:{udp}"), format!("tcp:{by_tcp}"), "udp:127.0.0.1:0".to_owned()];
    let server = Server::start_by(command, &listen(&places), routes.path(), KEY);
    assert_eq!(call_id(&caller.receive().1), "early");
    assert_eq!(call_id(&connection.answer()), "early-tcp");
    assert_eq!(status(&caller.ask(server.listeners[2], &invite("third", URI))), 480);

    // The server goes, the socket stays with who bound it, and the next one finds what came meanwhile.
    server.signal("TERM");
    assert_eq!(server.ended().0.code(), Some(0));
    caller.send(udp, invite("between", URI));
    let command = activated(vec![datagrams.into()], "waypost");
    let server = Server::start_by(command, &listen(&places[..1]), routes.path(), KEY);
    assert_eq!(call_id(&caller.receive().1), "between");
    assert_eq!(caller.status(&server, "after"), 480);
}

#[test]
fn what_was_handed_down_is_handed_on() {
    let routes = Routes::of(&refuse_with(480));
    let (socket, address) = udp();
    let places = [format!("udp:{address}")];
    let command = activated(vec![socket.into()], "waypost");
    let mut server = Server::start_by(command, &listen(&places), routes.path(), KEY);
    server.replace();
    assert_eq!(server.first_ended().code(), Some(0));
    assert_eq!(Caller::here().status(&server, "replaced"), 480);
}

/// The code and the words of a server that does not start with these sockets.
fn refused(sockets: Vec<OwnedFd>, places: &[String], config: &str) -> (i32, String) {
    let routes = Routes::of(&refuse_with(480));
    let file = routes.path().join("waypost.conf");
    fs::write(&file, config).unwrap();
    let mut command = activated(sockets, "waypost.socket");
    command.arg("--config").arg(file).arg("--routes").arg(routes.path()).args(["--admin", "off"]);
    for place in places {
        command.args(["--listen", place]);
    }
    let output = command.output().unwrap();
    (output.status.code().expect("an exit code"), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_socket_that_nobody_asked_for_is_named() {
    let ((wanted, wanted_at), (other, other_at)) = (udp(), udp());
    let (code, said) = refused(vec![wanted.into(), other.into()], &[format!("udp:{wanted_at}")], KEY);
    let expected = format!(
        "error: handed down (LISTEN_FDS) and not in `listen`, nor the admin port: udp {other_at}; name it there as it \
         is in waypost.socket, or take it out there\n"
    );
    assert_eq!((code, &*said), (1, &*expected));
}

#[test]
fn a_udp_socket_is_no_tcp_listener() {
    let (socket, address) = udp();
    let (code, said) = refused(vec![socket.into()], &[format!("tcp:{address}")], KEY);
    assert_eq!(code, 1);
    assert!(said.contains(&format!("and not in `listen`, nor the admin port: udp {address};")), "{said}");
}

#[test]
fn what_is_no_socket_is_named() {
    let file = fs::File::open("/dev/null").unwrap();
    let (code, said) = refused(vec![file.into()], &["udp:127.0.0.1:0".to_owned()], KEY);
    assert_eq!(code, 1);
    let begins = "error: socket 1 of those handed down (LISTEN_FDS, name \"waypost.socket\") is neither a UDP socket \
                  nor a TCP listener: ";
    assert!(said.starts_with(begins), "{said}");
}

#[test]
fn a_socket_for_both_families_is_refused() {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, None).unwrap();
    socket.set_only_v6(false).unwrap();
    socket.bind(&"[::]:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let (code, said) = refused(vec![socket.into()], &[format!("udp:{address}")], KEY);
    let expected = format!(
        "error: cannot listen on udp {address}: the socket that was handed down takes IPv4, too: set \
         BindIPv6Only=ipv6-only in waypost.socket\n"
    );
    assert_eq!((code, &*said), (1, &*expected));
}

#[test]
fn variables_for_another_process_are_passed_over() {
    let routes = Routes::of(&refuse_with(480));
    let mut command = crate::harness::waypost();
    command.env("LISTEN_FDS", "1").env("LISTEN_PID", "1").env("WAYPOST_REPLACES", "1");
    let server = Server::start_by(command, &["udp:127.0.0.1:0"], routes.path(), KEY);
    assert_eq!(Caller::here().status(&server, "bound-by-itself"), 480);
}

#[test]
fn more_sockets_than_the_limit_are_refused() {
    use waypost::limits::HANDED_SOCKETS_MAX;
    let mut command = crate::harness::waypost();
    let output = command.env("LISTEN_FDS", (HANDED_SOCKETS_MAX + 1).to_string()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let told = format!(
        "error: {} sockets were handed down (LISTEN_FDS), expected at most {HANDED_SOCKETS_MAX}\n",
        HANDED_SOCKETS_MAX + 1
    );
    assert_eq!((output.status.code(), said), (Some(1), told));
}
