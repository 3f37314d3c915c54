//! The admin port over real sockets.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use waypost::{
    config::{AdminPlace, Listen, Log},
    control::{
        DnsCache,
        admin::{self, About, Access, Admin, Readiness, Rooms},
        diff::Differ,
        health::Gateways,
        loader::{Load, LoadError, Loaded},
        logging,
        metrics::{Drops, Metrics, Sources},
        mirror::Top,
        reload::{LoadFn, Reloader},
        resolver::Resolver,
        sampling::Sampling,
    },
    counters::Counters,
    limits::{
        ADMIN_BODY_BYTES_MAX, ADMIN_BODY_MS_MAX, ADMIN_CONNECTIONS_MAX, ADMIN_HEAD_BYTES_MAX,
        DIFF_BODY_BYTES_MAX, DIFFS_AT_ONCE_MAX, EXPLAINS_AT_ONCE_MAX, SCRAPES_AT_ONCE_MAX,
    },
    net::{EventLoop, StreamSettings},
    route::{
        RouteTable, Transport,
        file::{Diagnostic, Severity},
    },
    snapshot::Snapshot,
};

struct Server {
    address: SocketAddr,
    readiness: Arc<Readiness>,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

/// Starts the port on a thread of its own.
fn start(load: impl Fn(Option<&str>) -> Result<Load, LoadError> + Send + 'static) -> Server {
    start_beside(load, || ())
}

/// The same; every further thread that the port takes to help does this first.
fn start_beside(
    load: impl Fn(Option<&str>) -> Result<Load, LoadError> + Send + 'static,
    helper: impl Fn() + Send + Sync + 'static,
) -> Server {
    start_in("tests/cli/routes", load, helper)
}

/// The same, beside a routes directory for comparisons.
fn start_in(
    routes: impl Into<PathBuf>,
    load: impl Fn(Option<&str>) -> Result<Load, LoadError> + Send + 'static,
    helper: impl Fn() + Send + Sync + 'static,
) -> Server {
    let table =
        Arc::new(ArcSwap::from_pointee(Snapshot::new(RouteTable::default(), "first".into(), 0, None)));
    let load: LoadFn = Box::new(load);
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let listen = Listen { name: "default".into(), transport: Transport::Udp, address };
    // The loop has ended: nobody looks into its cache.
    let differ = Arc::new(Differ {
        table: Arc::clone(&table),
        routes: routes.into(),
        settings: Arc::default(),
        listen: vec![listen.clone()],
    });
    let (_, handle) = EventLoop::bind(&[listen], StreamSettings::default()).unwrap();
    let dns_cache = DnsCache { handles: vec![handle], table: Arc::clone(&table) };
    let reloader = Reloader::start(Arc::clone(&table), load).unwrap();
    let gateways = Gateways::new(Arc::clone(&table));
    let resolver = Resolver::new(vec![([127, 0, 0, 1], 53).into()]);
    let counters = vec![Arc::new(Counters::default())];
    let sampling = Arc::new(Sampling::of(counters.clone(), Arc::clone(&table)));
    let readiness = Arc::new(Readiness::default());
    let sources = Sources {
        counters,
        table,
        gateways: gateways.clone(),
        reloader: reloader.clone(),
        resolver: resolver.clone(),
        readiness: Arc::clone(&readiness),
        hep: Arc::default(),
        source: None,
        drops: Drops::new([("default".into(), 0)]),
    };
    let metrics = Metrics::new(sources).unwrap();
    let port = admin::bind(&AdminPlace::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
    let AdminPlace::Tcp(address) = *port.place() else { panic!("{port:?}") };
    let admin = Admin {
        place: port.shown(),
        access: Access::to(port.place(), None),
        about: About { started: Instant::now(), started_unix_s: 0, workers: 1, listeners: vec![] },
        metrics,
        reloader,
        readiness: Arc::clone(&readiness),
        dns_cache,
        resolver,
        differ,
        gateways,
        sampling,
        top: Arc::new(Top::new(None)),
        log: log_level(),
        rooms: Rooms::default(),
    };
    thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().on_thread_start(helper).build().unwrap();
        runtime.block_on(admin::serve(port, Arc::new(admin))).unwrap();
    });
    Server { address, readiness }
}

/// Of this process: only the first start of the log sets one that can be changed.
fn log_level() -> logging::Level {
    static LEVEL: OnceLock<logging::Level> = OnceLock::new();
    LEVEL.get_or_init(|| logging::start(Log::default())).clone()
}

fn same(_: Option<&str>) -> Result<Load, LoadError> {
    Ok(Load::Same)
}

impl Server {
    fn send(&self, bytes: &[u8]) -> Answer {
        Self::read(self.begin(bytes))
    }

    fn begin(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    }

    fn read(mut stream: TcpStream) -> Answer {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).map_or(0, |status| status.parse().unwrap());
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    fn ask(&self, method: &str, path: &str) -> Answer {
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
    }
}

#[test]
fn a_loop_that_has_ended_shows_no_cache_and_its_routes() {
    let server = start(same);
    let routes = server.ask("GET", "/dns/cache");
    assert_eq!(
        (routes.status, &*routes.body),
        (200, "{\n  \"generation\": 1,\n  \"routes_hash\": \"first\",\n  \"gateways_down\": []\n}\n")
    );
    let cache = server.ask("GET", "/dns/cache?name=example.net&type=A");
    assert_eq!(cache.status, 503);
    assert!(cache.body.contains("try again"), "{}", cache.body);
}

#[test]
fn probes_say_what_is_missing() {
    let server = start(same);
    let health = server.ask("GET", "/healthz");
    assert_eq!((health.status, &*health.body), (200, "ok\n"));
    let ready = server.ask("GET", "/readyz");
    assert_eq!((ready.status, &*ready.body), (503, "not ready: the route table is not loaded\n"));
    server.readiness.serve();
    let ready = server.ask("GET", "/readyz");
    assert_eq!((ready.status, &*ready.body), (200, "ready\n"));
    server.readiness.drain();
    let ready = server.ask("GET", "/readyz");
    assert_eq!((ready.status, &*ready.body), (503, "not ready: the server is draining\n"));
    assert_eq!(server.ask("GET", "/healthz").status, 200);
    assert_eq!(server.ask("HEAD", "/healthz").body, "");
}

#[test]
fn a_reload_answers_with_what_came_of_it() {
    let diagnostic = Diagnostic {
        file: "10.yaml".into(),
        line: 3,
        column: 5,
        severity: Severity::Error,
        message: "no such gateway".into(),
    };
    let calls = Mutex::new(0);
    let server = start(move |_| {
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        match *calls {
            1 => Ok(Load::New(Box::new(Loaded {
                table: RouteTable::default(),
                warnings: vec![],
                hash: "second".into(),
            }))),
            2 => Ok(Load::Same),
            _ => Err(LoadError::Rejected { dir: "routes".into(), diagnostics: vec![diagnostic.clone()] }),
        }
    });
    let mut answers = (0..3).map(|_| {
        let answer = server.ask("POST", "/-/reload");
        assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
        let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        (answer.status, json)
    });
    let (status, json) = answers.next().unwrap();
    assert_eq!(status, 200);
    assert_eq!(json["result"], "loaded");
    assert_eq!(
        (&json["generation"], &json["hash"], &json["routes"]),
        (&2.into(), &"second".into(), &0.into())
    );
    assert!(json["duration_ms"].is_u64());
    let (status, json) = answers.next().unwrap();
    assert_eq!((status, &json["result"], &json["generation"]), (200, &"unchanged".into(), &2.into()));
    let (status, json) = answers.next().unwrap();
    assert_eq!((status, &json["result"], &json["generation"]), (422, &"failed".into(), &2.into()));
    assert_eq!(json["error"], "routes/10.yaml:3:5: error: no such gateway");
    let expected = serde_json::json!([
        { "file": "10.yaml", "line": 3, "column": 5, "severity": "error", "message": "no such gateway" }
    ]);
    assert_eq!(json["diagnostics"], expected);
}

#[test]
fn a_wrong_method_says_the_right_one() {
    let server = start(same);
    let answer = server.ask("GET", "/-/reload");
    assert_eq!((answer.status, &*answer.body), (405, "GET is not for /-/reload, use POST\n"));
    assert!(answer.head.contains("allow: post"), "{}", answer.head);
    let path = "/api/v1/gateways/lon1/down";
    let answer = server.ask("GET", path);
    assert_eq!((answer.status, answer.body), (405, format!("GET is not for {path}, use POST\n")));
    let answer = server.ask("POST", "/metrics");
    assert_eq!((answer.status, &*answer.body), (405, "POST is not for /metrics, use GET\n"));
    assert!(answer.head.contains("allow: get,head"), "{}", answer.head);
}

#[test]
fn a_wrong_path_lists_the_right_ones() {
    let answer = start(same).ask("GET", "/no-such-path");
    assert_eq!(answer.status, 404);
    for path in [
        "GET  / ",
        "GET  /metrics ",
        "GET  /healthz ",
        "GET  /readyz ",
        "GET  /dns/cache ",
        "POST /diff ",
        "POST /-/reload ",
        "GET  /api/v1/status ",
        "POST /api/v1/drain ",
    ] {
        assert!(answer.body.contains(path), "{}", answer.body);
    }
}

#[test]
fn every_listed_path_is_there() {
    let server = start(same);
    server.readiness.serve();
    for line in server.ask("GET", "/no-such-path").body.lines() {
        let mut words = line.split_whitespace();
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-Waypost: 1\r\n\r\n");
        let answer = server.send(request.as_bytes());
        // Some need to be told what of; one asks a loop, and here there is none; there is no gateway, either.
        let expected = match path {
            // Nothing is counted here.
            "/api/v1/top" => 404,
            "/api/v1/explain" | "/api/v1/dns/flush" => 400,
            "/api/v1/log/level" if method == "POST" => 400,
            _ if path.contains("{name}") => 404,
            _ => 200,
        };
        assert_eq!(answer.status, expected, "{line}: {}", answer.body);
        if path.contains("{name}") {
            assert!(answer.body.contains("there is no gateway of this name"), "{line}: {}", answer.body);
        }
    }
}

#[test]
fn metrics_come_with_their_media_type() {
    let answer = start(same).ask("GET", "/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    assert!(answer.body.contains("\nwaypost_build_info{version="), "{}", answer.body);
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let server = start(same);
    let request = |len: usize| {
        let head = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ";
        format!("{head}{}\r\n\r\n", "x".repeat(len - head.len() - 4))
    };
    assert_eq!(server.send(request(ADMIN_HEAD_BYTES_MAX - 1).as_bytes()).status, 200);
    assert_eq!(server.send(request(ADMIN_HEAD_BYTES_MAX + 1).as_bytes()).status, 431);
    assert_eq!(server.send(b"nonsense\r\n\r\n").status, 400);
}

#[test]
fn connections_that_say_nothing_do_not_shut_the_others_out() {
    let server = start(same);
    let idle: Vec<TcpStream> =
        (0..ADMIN_CONNECTIONS_MAX).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    // It waits for a place, and gets one when the first of them has said nothing for too long.
    assert_eq!(server.ask("GET", "/healthz").status, 200);
    for mut stream in idle {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
    }
}

#[test]
fn a_slow_reload_keeps_no_one_from_the_probes() {
    let (go, wait) = mpsc::channel::<()>();
    let (tell, began) = mpsc::channel();
    let wait = Mutex::new(wait);
    let server = Arc::new(start(move |_| {
        tell.send(()).unwrap();
        wait.lock().unwrap().recv().unwrap();
        Ok(Load::Same)
    }));
    let reload = thread::spawn({
        let server = Arc::clone(&server);
        move || server.ask("POST", "/-/reload").status
    });
    began.recv().unwrap();
    assert_eq!(server.ask("GET", "/healthz").status, 200);
    assert_eq!(server.ask("GET", "/metrics").status, 200);
    go.send(()).unwrap();
    assert_eq!(reload.join().unwrap(), 200);
}

#[test]
fn scrapes_keep_no_one_waiting_and_are_few_at_a_time() {
    let (go, wait) = mpsc::channel::<()>();
    let (tell, began) = mpsc::channel();
    let wait = Mutex::new(wait);
    // Whoever renders stands still before it begins.
    let server = start_beside(same, move || {
        tell.send(()).unwrap();
        let _ = wait.lock().unwrap().recv();
    });
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let scrapes: Vec<_> = (0..SCRAPES_AT_ONCE_MAX + 3).map(|_| server.begin(request)).collect();
    for _ in 0..SCRAPES_AT_ONCE_MAX {
        began.recv_timeout(Duration::from_secs(60)).expect("a thread beside that of the port");
    }
    // Connections are taken in their order: the port has seen all scrapes when it answers this one.
    for _ in 0..10 {
        assert_eq!(server.ask("GET", "/healthz").status, 200);
    }
    assert!(began.try_recv().is_err(), "no more than {SCRAPES_AT_ONCE_MAX} threads");
    drop(go);
    for scrape in scrapes {
        assert_eq!(Server::read(scrape).status, 200);
    }
}

impl Server {
    /// A comparison; its answer as JSON.
    fn diff(&self, query: &str, media_type: &str, calls: &str) -> (u16, serde_json::Value) {
        let len = calls.len();
        let head = format!(
            "POST /diff{query} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media_type}\r\nContent-Length: {len}"
        );
        let answer = self.send(format!("{head}\r\n\r\n{calls}").as_bytes());
        (answer.status, serde_json::from_str(&answer.body).unwrap())
    }

    fn refusal(&self, query: &str, media_type: &str, calls: &str) -> (u16, String) {
        let (status, json) = self.diff(query, media_type, calls);
        assert_eq!(json["result"], "failed");
        (status, json["error"].as_str().unwrap().to_owned())
    }
}

#[test]
fn a_comparison_says_what_a_reload_would_change_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("10.yaml");
    // The table in service has no route.
    fs::write(
        &file,
        "routes: [{ name: new, when: { number: '+44*' }, answer: { contact: 'sip:gw@a.example' } }]",
    )
    .unwrap();
    let server = start_in(dir.path(), same, || ());
    let (status, json) = server.diff("", "text/plain", "# numbers\n+441\n+442\nnobody\n+33\n");
    assert_eq!(status, 200);
    assert_eq!(
        (&json["old"]["hash"], &json["old"]["routes"], &json["new"]["routes"]),
        (&"first".into(), &0.into(), &1.into())
    );
    assert_eq!((&json["calls"], &json["differing"], &json["skipped"]), (&3.into(), &2.into(), &1.into()));
    assert_eq!((&json["causes"]["status"], &json["causes"]["same"]), (&2.into(), &1.into()));
    assert_eq!(
        json["routes"][0],
        serde_json::json!({ "old": "(no route)", "new": "new", "calls": 2, "differing": 2 })
    );
    assert_eq!(json["shown"].as_array().unwrap().len(), 2);
    assert_eq!(json["shown"][0]["call"]["place"], "calls:2");
    assert_eq!(json["shown"][0]["new"]["contacts"][0]["uri"], "sip:gw@a.example");
    let serving = server.ask("GET", "/dns/cache");
    assert!(serving.body.contains("\"routes_hash\": \"first\""), "{}", serving.body);

    let (status, json) =
        server.diff("?limit=1", "text/csv; charset=utf-8", "number,domain\n+441,a.example\n+442,\n");
    assert_eq!((status, json["shown"].as_array().unwrap().len()), (200, 1));
    assert_eq!(json["shown"][0]["call"]["request_uri"], "sip:+441@a.example");

    // Each time, the files are what they are then.
    fs::write(&file, "routes: [{ answer: { contact: nowhere } }]").unwrap();
    let (status, json) = server.diff("", "text/plain", "+441\n");
    assert_eq!((status, &json["result"]), (422, &"failed".into()));
    assert_eq!(json["diagnostics"][0]["message"], "no gateway or group `nowhere`; none is defined");
    assert!(json["error"].as_str().unwrap().contains("10.yaml:1:"), "{json}");
}

#[test]
fn calls_that_cannot_be_compared_are_refused() {
    let server = start(same);
    let known = "number, uri, from, source, domain, host, method";
    assert_eq!(
        server.refusal("", "text/csv", "number,cost\n"),
        (400, format!("calls: line 1: unknown column `cost`; expected some of {known}"))
    );
    for query in ["?limit=x", "?limit=10001", "?all"] {
        let error = "expected ?limit=N with N from 0 to 10000".to_owned();
        assert_eq!(server.refusal(query, "text/plain", "+44\n"), (400, error));
    }
    let (status, error) = server.refusal("", "application/x-www-form-urlencoded", "+44\n");
    assert_eq!(status, 415);
    assert!(error.starts_with("expected calls as text/plain"), "{error}");
    let room = "#".repeat(DIFF_BODY_BYTES_MAX - 4) + "\n+44";
    let (status, json) = server.diff("", "text/plain", &room);
    assert_eq!((status, &json["calls"], &json["skipped"]), (200, &1.into(), &1.into()));
    let error = format!("the calls did not come whole, or are longer than {DIFF_BODY_BYTES_MAX} bytes");
    assert_eq!(server.refusal("", "text/plain", &(room + "1")), (413, error));
}

#[test]
fn comparisons_keep_no_one_waiting_and_are_few_at_a_time() {
    let (go, wait) = mpsc::channel::<()>();
    let (tell, began) = mpsc::channel();
    let wait = Mutex::new(wait);
    // Whoever compares stands still before it begins.
    let server = start_beside(same, move || {
        tell.send(()).unwrap();
        let _ = wait.lock().unwrap().recv();
    });
    let request = b"POST /diff HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n+441";
    let under_way: Vec<_> = (0..DIFFS_AT_ONCE_MAX).map(|_| server.begin(request)).collect();
    for _ in 0..DIFFS_AT_ONCE_MAX {
        began.recv_timeout(Duration::from_secs(60)).expect("a thread beside that of the port");
    }
    assert_eq!(server.ask("GET", "/healthz").status, 200);
    let error = "another comparison is under way".to_owned();
    assert_eq!(server.refusal("", "text/plain", "+441"), (503, error));
    drop(go);
    for one in under_way {
        assert_eq!(Server::read(one).status, 200);
    }
    let after = server.diff("", "text/plain", "+441");
    assert_eq!((after.0, &after.1["calls"]), (200, &1.into()));
}

/// A change that the API is asked for, as it goes over the wire.
fn change(path: &str, len: usize, body: &str) -> Vec<u8> {
    let head = format!(
        "POST /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len}\r\n\r\n"
    );
    (head + body).into_bytes()
}

#[test]
fn a_body_that_is_too_long_is_refused() {
    let server = start(same);
    let call = |len: usize| {
        let call = r#"{"number": "+44"}"#;
        call.to_owned() + &" ".repeat(len - call.len())
    };
    let send = |body: &str| server.send(&change("explain", body.len(), body));
    assert_eq!(send(&call(ADMIN_BODY_BYTES_MAX)).status, 200);
    let answer = send(&call(ADMIN_BODY_BYTES_MAX + 1));
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains(&format!("longer than {ADMIN_BODY_BYTES_MAX} bytes")), "{}", answer.body);
}

#[test]
fn a_body_that_does_not_come_holds_its_place_for_a_while_only() {
    let server = start(same);
    let slow: Vec<_> =
        ["log/level", "explain", "dns/flush"].map(|path| server.begin(&change(path, 100, "{\"lev"))).into();
    assert_eq!(server.ask("GET", "/healthz").status, 200);
    for stream in slow {
        let answer = Server::read(stream);
        assert_eq!(answer.status, 408);
        let within = format!("did not come within {} s", ADMIN_BODY_MS_MAX / 1000);
        assert!(answer.body.contains(&within), "{}", answer.body);
    }
}

#[test]
fn explanations_keep_no_one_waiting_and_are_few_at_a_time() {
    let (go, wait) = mpsc::channel::<()>();
    let (tell, began) = mpsc::channel();
    let wait = Mutex::new(wait);
    // Whoever explains stands still before it begins.
    let server = start_beside(same, move || {
        tell.send(()).unwrap();
        let _ = wait.lock().unwrap().recv();
    });
    let body = r#"{"number": "+44"}"#;
    let request = change("explain", body.len(), body);
    let under_way: Vec<_> = (0..EXPLAINS_AT_ONCE_MAX + 2).map(|_| server.begin(&request)).collect();
    for _ in 0..EXPLAINS_AT_ONCE_MAX {
        began.recv_timeout(Duration::from_secs(60)).expect("a thread beside that of the port");
    }
    for _ in 0..10 {
        assert_eq!(server.ask("GET", "/healthz").status, 200);
    }
    assert!(began.try_recv().is_err(), "no more than {EXPLAINS_AT_ONCE_MAX} threads");
    drop(go);
    for one in under_way {
        let answer = Server::read(one);
        let told: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, &told["verdict"]["status"]), (200, &404.into()));
    }
}

#[test]
fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = admin::bind(&AdminPlace::Tcp(address)).unwrap_err();
    assert_eq!(
        error,
        format!(
            "admin address {address} cannot be had: Address already in use (os error 98): another process has it; set `admin` to a free port, or to off"
        )
    );
    let error = admin::bind(&AdminPlace::parse("192.0.2.1:9560").unwrap()).unwrap_err();
    assert!(error.ends_with("set `admin` to an address of this machine, or to off"), "{error}");
}
