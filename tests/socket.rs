//! The event loop on real sockets of the loopback interface, with a service that is not SIP: it
//! answers what its messages tell it to.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    thread::{self, JoinHandle},
    time::Duration,
};

use waypost::{
    config::Listen,
    counters::{ConnectionEnd, ConnectionRefusal, SocketTrouble},
    dns::{Answer, Failure, Kind, Question},
    engine::{Now, Path, Peer},
    limits::{
        ANSWER_BYTES_ROOM, BATCHES_PER_TURN_MAX, DATAGRAMS_PER_BATCH, MESSAGE_BYTES_MAX, OUT_ARENA_BYTES,
    },
    net::{BindError, Departure, EventLoop, Handle, Order, Ready, Service, StreamSettings},
    route::Transport,
};

/// What the loop did, as its service saw it.
#[derive(Debug, Default)]
struct Echo {
    /// Listener and length of each message, in order.
    messages: Vec<(usize, usize)>,
    troubles: Vec<SocketTrouble>,
    /// Messages seen when the order to drain came.
    drained_at: Option<usize>,
    waiting: Vec<(u64, Path)>,
    told: bool,
    decisions_timed: usize,
    /// While set and not drained: sends this many messages more to each listener for each message.
    flood: Option<(UdpSocket, Vec<SocketAddr>)>,
}

impl Echo {
    fn answer(text: &[u8], path: Path, out: &mut [u8]) -> Option<Departure> {
        out[..text.len()].copy_from_slice(text);
        Some(Departure { len: text.len(), to: path.source, path })
    }
}

impl Service for Echo {
    fn message(
        &mut self,
        bytes: &[u8],
        Peer { path, .. }: Peer<'_>,
        now: Now,
        out: &mut [u8],
    ) -> Option<Departure> {
        assert_eq!(path.transport, Transport::Udp);
        self.messages.push((path.listener, bytes.len()));
        match bytes {
            b"flood" => {
                if let (Some((socket, to)), None) = (&self.flood, self.drained_at) {
                    socket.send_to(b"flood", to[path.listener]).unwrap();
                }
                None
            }
            b"long" => {
                out.fill(b'l');
                Some(Departure { len: out.len(), to: path.source, path })
            }
            b"nowhere" => Some(Departure { len: 1, to: SocketAddr::new(path.source.ip(), 0), path }),
            b"wait" => {
                self.waiting.push((now.ms + 30, path));
                None
            }
            b"wait for an answer" => {
                self.waiting.push((u64::MAX, path));
                None
            }
            _ => Self::answer(bytes, path, out),
        }
    }

    fn answered(&mut self, question: Question, answer: Answer, _now: Now) {
        assert_eq!((question.kind(), answer), (Kind::Srv, Answer::Failed(Failure::Timeout)));
        self.told = true;
    }

    fn next_ready(&mut self, now: Now, out: &mut [u8]) -> Ready {
        let ready = self.waiting.iter().position(|(until_ms, _)| self.told || *until_ms <= now.ms);
        let Some(index) = ready else { return Ready::None };
        let (_, path) = self.waiting.remove(index);
        Self::answer(if self.told { b"told" } else { b"late" }, path, out).map_or(Ready::Silent, Ready::Send)
    }

    fn deadline_ms(&self) -> Option<u64> {
        self.waiting.iter().map(|(until_ms, _)| *until_ms).min()
    }

    fn drain(&mut self, _: bool) {
        self.drained_at = Some(self.messages.len());
    }

    fn trouble(&mut self, trouble: SocketTrouble) {
        self.troubles.push(trouble);
    }

    fn connection_opened(&mut self, transport: Transport) {
        panic!("no {transport:?} is listened on");
    }

    fn connection_refused(&mut self, refusal: ConnectionRefusal) {
        panic!("no connection to refuse: {refusal:?}");
    }

    fn connection_closed(&mut self, transport: Transport, end: ConnectionEnd) {
        panic!("no {transport:?} to end: {end:?}");
    }

    fn decided_in(&mut self, _took: Duration) {
        self.decisions_timed += 1;
    }

    fn rest(&mut self) {}
}

/// A loop that is bound; it runs from [`Server::start`] to [`Running::stop`].
struct Server {
    event_loop: EventLoop,
    handle: Handle,
    addresses: Vec<SocketAddr>,
}

struct Running {
    thread: JoinHandle<(io::Result<()>, Echo)>,
    handle: Handle,
    addresses: Vec<SocketAddr>,
}

fn listen(addresses: &[&str]) -> Vec<Listen> {
    addresses
        .iter()
        .map(|a| Listen { name: (*a).into(), transport: Transport::Udp, address: a.parse().unwrap() })
        .collect()
}

fn bind(addresses: &[&str]) -> Server {
    let (event_loop, handle) = EventLoop::bind(&listen(addresses), StreamSettings::default()).unwrap();
    let addresses = event_loop.addresses();
    Server { event_loop, handle, addresses }
}

impl Server {
    fn start(self, mut echo: Echo) -> Running {
        let Self { event_loop, handle, addresses } = self;
        let thread = thread::spawn(move || (event_loop.run_with(&mut echo), echo));
        Running { thread, handle, addresses }
    }
}

impl Running {
    fn stop(self) -> Echo {
        self.handle.order(Order::Stop);
        self.ended()
    }

    fn ended(self) -> Echo {
        let (result, echo) = self.thread.join().unwrap();
        result.unwrap();
        echo
    }
}

/// A client whose wait for an answer ends as a failure.
fn client(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket
}

fn receive(client: &UdpSocket) -> (String, SocketAddr) {
    let mut answer = [0; 65_536];
    let (len, from) = client.recv_from(&mut answer).expect("an answer");
    (String::from_utf8(answer[..len].to_vec()).unwrap(), from)
}

/// Sends and expects the same back, from the very address asked.
fn ping(client: &UdpSocket, to: SocketAddr, text: &str) {
    client.send_to(text.as_bytes(), to).unwrap();
    assert_eq!(receive(client), (text.to_owned(), to));
}

#[test]
fn an_answer_leaves_from_the_address_asked() {
    let server = bind(&["0.0.0.0:0", "[::]:0", "127.0.0.4:0", "[::1]:0"]).start(Echo::default());
    let ports: Vec<u16> = server.addresses.iter().map(SocketAddr::port).collect();
    let (v4, v6) = (client("127.0.0.1:0"), client("[::1]:0"));
    for (client, ip, port) in [
        (&v4, "127.0.0.2", ports[0]),
        (&v4, "127.0.0.3", ports[0]),
        (&v4, "127.0.0.1", ports[0]),
        (&v6, "::1", ports[1]),
        (&v4, "127.0.0.4", ports[2]),
        (&v6, "::1", ports[3]),
    ] {
        ping(client, SocketAddr::new(ip.parse().unwrap(), port), ip);
    }
    let echo = server.stop();
    assert_eq!(echo.messages.iter().map(|(listener, _)| *listener).collect::<Vec<_>>(), [0, 0, 0, 1, 2, 3]);
    assert_eq!(echo.troubles, []);
}

#[test]
fn a_flooded_listener_leaves_room_for_the_others_and_for_orders() {
    let server = bind(&["127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"]);
    let quiet = client("127.0.0.1:0");
    let flooder = client("127.0.0.1:0");
    // Listeners 0 and 2 get a new message for each one that they read: they are never empty.
    for _ in 0..DATAGRAMS_PER_BATCH {
        flooder.send_to(b"flood", server.addresses[0]).unwrap();
        flooder.send_to(b"flood", server.addresses[2]).unwrap();
    }
    quiet.send_to(b"quiet", server.addresses[1]).unwrap();
    let echo = Echo { flood: Some((flooder, server.addresses.clone())), ..Echo::default() };
    let server = server.start(echo);
    assert_eq!(receive(&quiet).0, "quiet");
    for number in 0..20 {
        ping(&quiet, server.addresses[1], &number.to_string());
    }
    server.handle.order(Order::Drain);
    let echo = server.stop();

    let turn_max = BATCHES_PER_TURN_MAX * DATAGRAMS_PER_BATCH;
    let first_quiet = echo.messages.iter().position(|(listener, _)| *listener == 1).unwrap();
    assert!(first_quiet <= 2 * turn_max, "{first_quiet}");
    assert!(echo.drained_at.is_some());
    let of = |listener| echo.messages.iter().filter(|message| message.0 == listener).count();
    assert_eq!(of(1), 21);
    assert!(of(0) > turn_max && of(2) > turn_max, "{} {}: no flood, no proof", of(0), of(2));
    // The budget is what ends a share: no longer run of one listener, unless the others were idle.
    let longest = echo.messages.chunk_by(|one, next| one.0 == next.0).map(<[_]>::len).max().unwrap();
    assert!(longest <= turn_max, "{longest}");
}

#[test]
fn a_caller_that_is_gone_does_no_harm() {
    let server = bind(&["127.0.0.1:0"]).start(Echo::default());
    let alive = client("127.0.0.1:0");
    for number in 0..50 {
        client("127.0.0.1:0").send_to(b"gone", server.addresses[0]).unwrap();
        ping(&alive, server.addresses[0], &number.to_string());
    }
    assert_eq!(server.stop().messages.len(), 100);
}

#[test]
fn an_answer_that_cannot_be_sent_is_counted_and_costs_no_other() {
    let server = bind(&["127.0.0.1:0"]);
    let client = client("127.0.0.1:0");
    for text in ["one", "nowhere", "two", "nowhere"] {
        client.send_to(text.as_bytes(), server.addresses[0]).unwrap();
    }
    let server = server.start(Echo::default());
    assert_eq!(receive(&client).0, "one");
    assert_eq!(receive(&client).0, "two");
    assert_eq!(server.stop().troubles, [SocketTrouble::Send; 2]);
}

#[test]
fn a_message_that_is_too_long_is_handed_on_as_such() {
    let server = bind(&["127.0.0.1:0"]).start(Echo::default());
    let client = client("127.0.0.1:0");
    for len in [MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX + 1, 40_000] {
        client.send_to(&vec![b'x'; len], server.addresses[0]).unwrap();
        assert_eq!(receive(&client).0.len(), len.min(MESSAGE_BYTES_MAX + 1));
    }
    assert_eq!(server.stop().troubles, [SocketTrouble::Truncated; 2]);
}

#[test]
fn an_empty_datagram_is_a_message_too() {
    let server = bind(&["127.0.0.1:0"]).start(Echo::default());
    ping(&client("127.0.0.1:0"), server.addresses[0], "");
    assert_eq!(server.stop().messages, [(0, 0)]);
}

#[test]
fn stop_answers_what_the_sockets_hold() {
    let server = bind(&["127.0.0.1:0", "127.0.0.1:0"]);
    let client = client("127.0.0.1:0");
    for number in 0..100 {
        client.send_to(format!("{number}").as_bytes(), server.addresses[number % 2]).unwrap();
    }
    server.handle.order(Order::Stop);
    let echo = server.start(Echo::default()).ended();
    assert_eq!(echo.messages.len(), 100);
    let mut answers: Vec<u32> = (0..100).map(|_| receive(&client).0.parse().unwrap()).collect();
    answers.sort_unstable();
    assert_eq!(answers, (0..100).collect::<Vec<_>>());
}

#[test]
fn stop_ends_even_a_flood() {
    let server = bind(&["127.0.0.1:0"]);
    let flooder = client("127.0.0.1:0");
    for _ in 0..DATAGRAMS_PER_BATCH {
        flooder.send_to(b"flood", server.addresses[0]).unwrap();
    }
    let flood = Some((flooder, server.addresses.clone()));
    let echo = server.start(Echo { flood, ..Echo::default() }).stop();
    assert!(echo.messages.len() > DATAGRAMS_PER_BATCH, "no flood, no proof");
}

#[test]
fn orders_reach_an_idle_loop() {
    let server = bind(&["127.0.0.1:0"]).start(Echo::default());
    let client = client("127.0.0.1:0");
    ping(&client, server.addresses[0], "now the loop has nothing to do");
    server.handle.order(Order::Drain);
    ping(&client, server.addresses[0], "draining is not stopping");
    let echo = server.stop();
    assert!(echo.drained_at.is_some());
    assert_eq!(echo.messages.len(), 2);
}

#[test]
fn a_message_that_waits_is_dealt_with_when_its_time_is_over() {
    let server = bind(&["0.0.0.0:0"]).start(Echo::default());
    let client = client("127.0.0.1:0");
    let to = SocketAddr::new("127.0.0.9".parse().unwrap(), server.addresses[0].port());
    client.send_to(b"wait", to).unwrap();
    assert_eq!(receive(&client), ("late".to_owned(), to));
    server.stop();
}

#[test]
fn stop_waits_for_a_message_that_waits() {
    let server = bind(&["127.0.0.1:0"]);
    let client = client("127.0.0.1:0");
    client.send_to(b"wait", server.addresses[0]).unwrap();
    server.handle.order(Order::Stop);
    server.start(Echo::default()).ended();
    assert_eq!(receive(&client).0, "late");
}

#[test]
fn a_released_socket_is_left_to_whoever_else_has_it() {
    let server = bind(&["127.0.0.1:0"]);
    let other = UdpSocket::from(server.event_loop.share().unwrap().remove(0).socket);
    let server = server.start(Echo::default());
    let (client, to) = (client("127.0.0.1:0"), server.addresses[0]);
    ping(&client, to, "ours");
    server.handle.order(Order::Release);
    // Nobody told it to stop: there is nothing left to do.
    assert_eq!(server.ended().messages.len(), 1);
    client.send_to(b"theirs", to).unwrap();
    other.set_nonblocking(false).unwrap();
    other.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(receive(&other).0, "theirs");
}

#[test]
fn release_waits_for_a_message_that_waits_and_reads_no_other() {
    let server = bind(&["127.0.0.1:0"]);
    let other = UdpSocket::from(server.event_loop.share().unwrap().remove(0).socket);
    let (client, to) = (client("127.0.0.1:0"), server.addresses[0]);
    client.send_to(b"wait", to).unwrap();
    // Before its first turn, in which it takes what is there.
    server.handle.order(Order::Release);
    let server = server.start(Echo::default());
    assert_eq!(receive(&client).0, "late");
    assert_eq!(server.ended().messages.len(), 1);
    client.send_to(b"after", to).unwrap();
    other.set_nonblocking(false).unwrap();
    other.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(receive(&other).0, "after");
}

#[test]
fn stop_does_not_wait_for_ever() {
    let server = bind(&["127.0.0.1:0"]);
    let client = client("127.0.0.1:0");
    client.send_to(b"wait for an answer", server.addresses[0]).unwrap();
    server.handle.order(Order::Stop);
    assert_eq!(server.start(Echo::default()).ended().waiting.len(), 1);
}

#[test]
fn the_answer_to_a_question_wakes_the_loop() {
    let server = bind(&["127.0.0.1:0"]).start(Echo::default());
    let client = client("127.0.0.1:0");
    client.send_to(b"wait for an answer", server.addresses[0]).unwrap();
    ping(&client, server.addresses[0], "the first message has been read");
    let question = Question::new("_sip._udp.example.net.", Kind::Srv).unwrap();
    assert!(server.handle.answer(question, Answer::Failed(Failure::Timeout)));
    assert_eq!(receive(&client).0, "told");
    server.stop();
}

#[test]
fn answers_longer_than_the_arena_holds_at_once_all_leave() {
    let server = bind(&["127.0.0.1:0"]);
    let client = client("127.0.0.1:0");
    // The kernel gives no more than net.core.rmem_max, which holds as many of the longest answers.
    socket2::SockRef::from(&client).set_recv_buffer_size(1 << 20).unwrap();
    let at_once = OUT_ARENA_BYTES / ANSWER_BYTES_ROOM;
    for _ in 0..=at_once {
        client.send_to(b"long", server.addresses[0]).unwrap();
    }
    let server = server.start(Echo::default());
    for _ in 0..=at_once {
        assert_eq!(receive(&client).0.len(), ANSWER_BYTES_ROOM);
    }
    assert_eq!(server.stop().troubles, []);
}

#[test]
fn a_long_burst_is_answered_whole() {
    const MESSAGES: usize = 20_000;
    /// Datagrams under way: few enough for the default receive buffer of any client.
    const WINDOW: usize = 100;
    let server = bind(&["127.0.0.1:0"]).start(Echo::default());
    let client = client("127.0.0.1:0");
    let mut answered = vec![false; MESSAGES];
    for number in 0..MESSAGES + WINDOW {
        if number < MESSAGES {
            client.send_to(number.to_string().as_bytes(), server.addresses[0]).unwrap();
        }
        if number >= WINDOW {
            let (answer, from) = receive(&client);
            assert_eq!(from, server.addresses[0]);
            let first_time = !std::mem::replace(&mut answered[answer.parse::<usize>().unwrap()], true);
            assert!(first_time, "{answer} was answered twice");
        }
    }
    assert!(answered.iter().all(|answered| *answered));
    let echo = server.stop();
    assert_eq!((echo.messages.len(), echo.troubles), (MESSAGES, vec![]));
    assert!(echo.decisions_timed > 0);
}

#[test]
fn the_first_decision_of_each_turn_is_timed() {
    let server = bind(&["127.0.0.1:0"]);
    let client = client("127.0.0.1:0");
    for number in 0..=BATCHES_PER_TURN_MAX * DATAGRAMS_PER_BATCH {
        client.send_to(number.to_string().as_bytes(), server.addresses[0]).unwrap();
    }
    server.handle.order(Order::Stop);
    assert_eq!(server.start(Echo::default()).ended().decisions_timed, 2);
}

#[test]
fn the_sockets_are_known_by_inode_and_address() {
    let server = bind(&["127.0.0.1:0", "[::1]:0"]);
    assert!(server.addresses.iter().all(|address| address.port() != 0));
    let inodes: Vec<u64> = server.event_loop.inodes().into_iter().flatten().collect();
    let tables = ["/proc/net/udp", "/proc/net/udp6"].map(|file| std::fs::read_to_string(file).unwrap());
    for (inode, table) in inodes.iter().zip(&tables) {
        let found = table.lines().any(|line| line.split_whitespace().nth(9) == Some(&inode.to_string()));
        assert!(found, "{inode} in\n{table}");
    }
    assert_eq!(inodes.len(), 2);
}

#[test]
fn each_flow_is_served_by_one_of_several_workers() {
    const FLOWS: usize = 64;
    const EACH: usize = 3;
    let bound = EventLoop::bind_workers(&listen(&["127.0.0.1:0"]), &StreamSettings::default(), 2).unwrap();
    let workers: Vec<_> = bound
        .into_iter()
        .map(|(event_loop, handle)| {
            let addresses = event_loop.addresses();
            Server { event_loop, handle, addresses }.start(Echo::default())
        })
        .collect();
    let to = workers[0].addresses[0];
    // Each flow is known by the length of its messages.
    for flow in 1..=FLOWS {
        let client = client("127.0.0.1:0");
        for _ in 0..EACH {
            client.send_to(&vec![b'x'; flow], to).unwrap();
            assert_eq!(receive(&client), ("x".repeat(flow), to));
        }
    }
    let seen: Vec<_> = workers.into_iter().map(|worker| worker.stop().messages).collect();
    for flow in 1..=FLOWS {
        let mut by_worker: Vec<_> =
            seen.iter().map(|messages| messages.iter().filter(|(_, len)| *len == flow).count()).collect();
        by_worker.sort_unstable();
        assert_eq!(by_worker, [0, EACH], "flow {flow}");
    }
    assert!(seen.iter().all(|messages| !messages.is_empty()), "one worker had nothing to do");
}

#[test]
fn a_port_that_is_taken_is_an_error_that_names_it() {
    let first = bind(&["127.0.0.1:0"]);
    let address = first.addresses[0];
    let error = EventLoop::bind(&listen(&[&address.to_string()]), StreamSettings::default()).unwrap_err();
    assert!(matches!(error, BindError::InUse(_)));
    let message = error.to_string();
    assert!(
        message.starts_with(&format!("cannot listen on udp {address}: address already in use")),
        "{message}"
    );
}
