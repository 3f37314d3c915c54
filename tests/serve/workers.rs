//! Several workers on the same ports: to their callers they are one server.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use crate::{
    admin::nonzero,
    caller::{Caller, call_id, invite, status},
    harness::{KEY, PATIENCE, Routes, Server, eventually, refuse_with, run_until_it_ends},
    names::{ENUM, Names, Reply, name_of, naptr},
};

const TWO: &str = "workers: 2\n";
const URI: &str = "sip:+442079460123@waypost.example.net";

/// Flows enough that both workers have some.
const FLOWS: usize = 64;

fn start(routes: &Routes, more: &str) -> Server {
    Server::start(routes.path(), &format!("{KEY}{TWO}{more}"))
}

fn callers() -> Vec<Caller> {
    (0..FLOWS).map(|_| Caller::here()).collect()
}

/// Nothing is read from when this returns until `CONT`.
fn stand_still(server: &Server) {
    server.signal("STOP");
    let tasks = format!("/proc/{}/task", server.pid());
    let stands = |stat: String| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'));
    eventually("all threads stand still", || {
        fs::read_dir(&tasks)
            .unwrap()
            .all(|task| stands(fs::read_to_string(task.unwrap().path().join("stat")).unwrap_or_default()))
    });
}

#[test]
fn two_workers_answer_on_one_port_and_are_counted_as_one_server() {
    let routes = Routes::of(&refuse_with(480));
    let mut server = start(&routes, "");
    assert!(server.line_with(" serves ").ends_with("; 2 workers"));
    let threads = || -> BTreeSet<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
        tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok()).collect()
    };
    // A worker's thread begins after the server has said hello.
    eventually("the second worker runs", || threads().contains("worker-2\n"));
    assert!(!threads().contains("worker-3\n"), "{:?}", threads());

    let callers = callers();
    for round in 0..3 {
        for (flow, caller) in callers.iter().enumerate() {
            assert_eq!(caller.status(&server, &format!("{round}-{flow}")), 480);
        }
    }
    let sent = 3.0 * FLOWS as f64;
    let samples = server.samples();
    let counted = |family| nonzero(&samples, family);
    assert_eq!(counted("waypost_requests_total"), [(r#"method="INVITE",transport="udp""#, sent)]);
    assert_eq!(counted("waypost_answers_total"), [(r#"code="480""#, sent)]);
    assert_eq!(counted("waypost_route_answers_total"), [(r#"route="all""#, sent)]);
    let drops = server.get("/metrics").body.matches("\nwaypost_socket_drops_total{").count();
    assert_eq!(drops, 1, "one listener");
}

#[test]
fn connections_are_shared_out_and_counted_together() {
    let routes = Routes::of(&refuse_with(480));
    let server = Server::start_on(&["tcp:127.0.0.1:0"], routes.path(), &format!("{KEY}{TWO}"));
    let mut streams: Vec<_> = (0..FLOWS).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    for stream in &mut streams {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(invite("tcp", URI).replace("SIP/2.0/UDP", "SIP/2.0/TCP").as_bytes()).unwrap();
    }
    for stream in &mut streams {
        let mut answer = [0; 11];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"SIP/2.0 480");
    }
    assert_eq!(server.sample(r#"waypost_connections{transport="tcp"}"#), FLOWS as f64);
    for stream in &mut streams {
        stream.shutdown(Shutdown::Write).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    server.until(r#"waypost_connections_closed_total{reason="peer"}"#, FLOWS as f64);
    assert_eq!(server.sample(r#"waypost_connections{transport="tcp"}"#), 0.0);
}

#[test]
fn the_same_request_gets_the_same_answer_of_each_worker() {
    let routes =
        Routes::of("routes: [{name: all, answer: {contacts: [\"sip:{number}@sbc.example.net\"]}}]\n");
    let server = start(&routes, "");
    let request = invite("same", URI);
    let ask = |caller: &Caller| {
        let answer = caller.ask(server.address(), &request);
        // All that an answer has of the flow.
        answer.replace(&format!("rport={}", caller.port()), "rport=PORT")
    };
    let answers: BTreeSet<String> = callers().iter().map(ask).collect();
    assert_eq!(answers.len(), 1, "{answers:#?}");
}

#[test]
fn a_port_with_several_workers_is_refused_to_a_second_server() {
    let routes = Routes::of(&refuse_with(480));
    let server = start(&routes, "");
    let place = format!("udp:{}", server.address());
    let config = routes.path().join("second.conf");
    for workers in [1, 2] {
        fs::write(&config, format!("{KEY}workers: {workers}\n")).unwrap();
        let [config, routes] = [&config, routes.path()].map(|path| path.to_str().unwrap());
        let (code, said) = run_until_it_ends(&[
            "--config",
            config,
            "--routes",
            routes,
            "--listen",
            &place,
            "--admin",
            "127.0.0.1:0",
        ]);
        let expected = format!("error: cannot listen on udp {}: address already in use", server.address());
        assert_eq!(code, 1, "{said}");
        assert!(said.starts_with(&expected), "{said}");
    }
    assert_eq!(Caller::here().status(&server, "still-here"), 480);
}

#[test]
fn retransmissions_of_calls_that_wait_for_dns_get_one_answer() {
    const COPIES: usize = 3;
    let (names, routes) = (Names::dead(), Routes::of(ENUM));
    let server = start(&routes, &names.config());
    let callers = callers();
    // What arrives while it stands still is read in one turn: no answer is between two copies.
    stand_still(&server);
    for (flow, caller) in callers.iter().enumerate() {
        let call = invite(&format!("call-{flow}"), &URI.replace("60123", &format!("6{flow:04}")));
        (0..COPIES).for_each(|_| caller.send(server.address(), &call));
    }
    server.signal("CONT");
    for (flow, caller) in callers.iter().enumerate() {
        let (_, answer) = caller.receive();
        assert_eq!((call_id(&answer), status(&answer)), (&*format!("call-{flow}"), 503));
    }
    server.until("waypost_waiting", 0.0);
    for caller in &callers {
        caller.ask(server.address(), &invite("later", "sip:alice@waypost.example.net"));
        assert!(caller.heard_nothing());
    }
    server.until("waypost_dns_waits_total", FLOWS as f64);
    let samples = server.samples();
    assert_eq!(samples["waypost_dns_retransmissions_total"], ((COPIES - 1) * FLOWS) as f64);
    assert_eq!(samples["waypost_dns_questions_total"], FLOWS as f64);
}

#[test]
fn each_worker_knows_dns_for_itself_and_the_admin_port_sees_all() {
    let names = Names::start(|_, _| Reply::Records(vec![naptr(1, 1, "E2U+sip", "sip:a@example.net")]));
    let routes = Routes::of(ENUM);
    let server = start(&routes, &names.config());
    // A number of its own for each flow, so that each is known to one worker.
    for (flow, caller) in callers().iter().enumerate() {
        let digits = format!("44207946{flow:04}");
        let uri = format!("sip:+{digits}@waypost.example.net");
        assert_eq!(status(&caller.ask(server.address(), &invite(&format!("a-{flow}"), &uri))), 302);
        let name = name_of(&digits, "e164.example.net");
        let kept = server.get(&format!("/dns/cache?name={name}&type=NAPTR"));
        assert_eq!((kept.status, &kept.json()["found"]), (200, &true.into()), "{}", kept.body);
    }
    server.until("waypost_dns_cache_entries", FLOWS as f64);
    let other = server.get("/dns/cache?name=1.e164.example.net&type=NAPTR");
    assert_eq!((other.status, &other.json()["found"]), (200, &false.into()), "{}", other.body);
    // One that all ask for is asked for once by each.
    for (flow, caller) in callers().iter().enumerate() {
        caller.ask(server.address(), &invite(&format!("b-{flow}"), URI));
    }
    let known = format!("{} NAPTR", name_of("442079460123", "e164.example.net"));
    assert_eq!(names.seen().iter().filter(|name| **name == known).count(), 2);
}

#[test]
fn a_reload_under_load_loses_no_call() {
    const RELOADS: usize = 20;
    let routes = Routes::of(&refuse_with(480));
    let server = start(&routes, "");
    let (is_over, calls) = (AtomicBool::new(false), AtomicUsize::new(0));
    let call_on = |number: usize| {
        let callers: Vec<_> = (0..8).map(|_| Caller::here()).collect();
        let mut codes = BTreeSet::new();
        let mut round = 0;
        while !is_over.load(Ordering::SeqCst) {
            round += 1;
            for (flow, caller) in callers.iter().enumerate() {
                codes.insert(caller.status(&server, &format!("{number}-{round}-{flow}")));
                calls.fetch_add(1, Ordering::SeqCst);
            }
        }
        // The worker may still be in the turn in which the last table came.
        callers.iter().for_each(|caller| caller.until(&server, 480, 403));
        codes
    };
    let codes: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|number| {
                scope.spawn({
                    let call_on = &call_on;
                    move || call_on(number)
                })
            })
            .collect();
        for code in [403, 480].into_iter().cycle().take(RELOADS + 1) {
            routes.write(&refuse_with(code));
            let said = server.reload();
            assert_eq!(said.status, 200, "{}", said.body);
            // Every table is called by somebody.
            let before = calls.load(Ordering::SeqCst);
            eventually("calls", || calls.load(Ordering::SeqCst) >= before + FLOWS);
        }
        is_over.store(true, Ordering::SeqCst);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(codes.into_iter().flatten().collect::<BTreeSet<_>>(), BTreeSet::from([403, 480]));
    let samples = server.samples();
    let sum = |family| nonzero(&samples, family).iter().map(|(_, count)| count).sum::<f64>();
    assert_eq!(sum("waypost_route_answers_total"), sum("waypost_requests_total"));
    assert_eq!(sum("waypost_answers_total"), sum("waypost_requests_total"));
    assert!(sum("waypost_requests_total") >= calls.into_inner() as f64);
}

#[test]
fn sigterm_ends_all_workers_when_what_is_queued_is_answered() {
    let routes = Routes::of(&refuse_with(480));
    let server = start(&routes, "");
    let callers = callers();
    stand_still(&server);
    for (flow, caller) in callers.iter().enumerate() {
        caller.send(server.address(), invite(&format!("queued-{flow}"), URI));
    }
    server.signal("TERM");
    server.signal("CONT");
    for (flow, caller) in callers.iter().enumerate() {
        assert_eq!(call_id(&caller.receive().1), format!("queued-{flow}"));
    }
    let (ended, log) = server.ended();
    assert_eq!(ended.code(), Some(0), "{log:#?}");
}
