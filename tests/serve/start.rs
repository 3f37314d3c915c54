//! A server that cannot start says what is in its way, and what to do.

use std::net::{TcpListener, UdpSocket};

use crate::harness::{Routes, refuse_with, run_until_it_ends};

/// Runs with a free port for whatever is not given.
fn start(routes: &Routes, listen: &str, admin: &str) -> (i32, String) {
    let routes = routes.path().to_str().unwrap();
    run_until_it_ends(&["--routes", routes, "--listen", listen, "--admin", admin])
}

const ANY: &str = "udp:127.0.0.1:0";
const ANY_ADMIN: &str = "127.0.0.1:0";

#[test]
fn a_taken_sip_port_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (code, said) = start(&Routes::of(&refuse_with(404)), &format!("udp:{address}"), ANY_ADMIN);
    let expected = format!(
        "error: cannot listen on udp {address}: address already in use; another server (or a second waypost) \
         has it: stop it, or choose another address with --listen\n"
    );
    assert_eq!((code, &*said), (1, &*expected));
}

#[test]
fn a_taken_admin_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (code, said) = start(&Routes::of(&refuse_with(404)), ANY, &address.to_string());
    let expected = format!(
        "error: admin address {address} cannot be had: Address already in use (os error 98): another process \
         has it; set `admin` to a free port, or to off\n"
    );
    assert_eq!((code, &*said), (1, &*expected));
}

#[test]
fn a_missing_routes_directory_is_named_with_the_command_that_makes_one() {
    let routes = Routes::empty();
    let dir = routes.path().join("none");
    let dir = dir.to_str().unwrap();
    let (code, said) = run_until_it_ends(&["--routes", dir, "--listen", ANY, "--admin", ANY_ADMIN]);
    let make =
        format!("mkdir -p {dir} && echo 'routes: [{{answer: {{code: 404}}}}]' > {dir}/90-default.yaml");
    let expected = format!("error: no routes directory {dir}: make one, e.g. {make}\n");
    assert_eq!((code, &*said), (1, &*expected));
}

#[test]
fn an_empty_routes_directory_is_named_with_the_command_that_fills_it() {
    let routes = Routes::empty();
    let dir = routes.path().to_str().unwrap();
    let (code, said) = start(&routes, ANY, ANY_ADMIN);
    let make =
        format!("mkdir -p {dir} && echo 'routes: [{{answer: {{code: 404}}}}]' > {dir}/90-default.yaml");
    let expected = format!(
        "error: no route file in {dir}, expected at least one *.yaml or *.yml: make one, e.g. {make}\n"
    );
    assert_eq!((code, &*said), (1, &*expected));
}

#[test]
fn a_bad_route_file_is_named_with_the_place_and_what_was_expected() {
    let routes = Routes::of("routes:\n- name: all\n  answer: {code: 299}\n");
    let (code, said) = start(&routes, ANY, ANY_ADMIN);
    let file = routes.path().join("routes.yaml");
    let expected = format!("{}:3:18: error: `code` is 299; expected 300 to 699\n", file.display());
    assert_eq!((code, said), (1, expected));
}

#[test]
fn an_unknown_flag_is_a_mistake_of_usage() {
    let (code, said) = run_until_it_ends(&["--lisen", "udp:127.0.0.1:0"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("unexpected argument '--lisen'") && said.contains("--listen"), "{said}");
}
