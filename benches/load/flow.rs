//! One client socket: its calls out, their answers in, and the count of both.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    args::{Args, Pace},
    message::{Caller, Wrong, said},
};

/// Calls of one flow of which the moment of sending is remembered. An answer that comes after so
/// many others were sent counts as wrong.
const REMEMBERED: usize = 1 << 17;
/// Wrong answers that are shown.
const EXAMPLES_MAX: usize = 3;

/// What one flow, or all, saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    pub(crate) wrong: u64,
    /// Right answers by status.
    pub(crate) statuses: BTreeMap<String, u64>,
    pub(crate) latency: Histogram,
    pub(crate) late_ns_max: u64,
    /// Since the beginning; while calls are missing the run goes on after it.
    pub(crate) last_answer_ns: u64,
    pub(crate) examples: Vec<String>,
}

impl Tally {
    /// Calls without a right answer. A call whose answer was wrong is one of them.
    pub(crate) fn unanswered(&self) -> u64 {
        self.sent.saturating_sub(self.answered)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.wrong += other.wrong;
        for (status, count) in &other.statuses {
            *self.statuses.entry(status.clone()).or_default() += count;
        }
        self.latency.add(&other.latency);
        self.late_ns_max = self.late_ns_max.max(other.late_ns_max);
        self.last_answer_ns = self.last_answer_ns.max(other.last_answer_ns);
        self.examples.extend(other.examples.iter().cloned());
        self.examples.truncate(EXAMPLES_MAX);
    }

    /// A right answer; both times are since the beginning.
    pub(crate) fn right(&mut self, sent_at_ns: u64, now_ns: u64) {
        self.answered += 1;
        self.latency.count(now_ns.saturating_sub(sent_at_ns));
        self.last_answer_ns = self.last_answer_ns.max(now_ns);
    }

    pub(crate) fn wrong(&mut self, why: Wrong, answer: &[u8]) {
        self.wrong += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(format!("{why:?} in {:?}", String::from_utf8_lossy(answer)));
        }
    }
}

/// Runs one flow to its end.
pub(crate) fn run(args: &Args, number: u64, began: Instant) -> io::Result<Tally> {
    let any: SocketAddr =
        if args.to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any)?;
    // Connected: answers from any other address are not seen, and count as missing.
    socket.connect(args.to)?;
    let caller = Caller {
        local: socket.local_addr()?,
        run: std::process::id(),
        flow: number,
        flows: args.flows,
        uri: args.uri.clone(),
        distinct_call_ids: args.distinct_call_ids,
        first: args.first,
        numbers: args.numbers,
        expect: args.expect.clone(),
        contact: args.contact.clone(),
    };
    let calls = args.part(args.calls, number);
    let flow = Flow {
        caller,
        socket,
        calls,
        wait: args.wait,
        began,
        ends: began + Duration::from_secs(args.seconds),
        stop: Arc::clone(&args.stop),
        said: args.same.then(Mutex::default),
        sent_at: (0..REMEMBERED).map(|_| AtomicU64::new(0)).collect(),
    };
    match args.pace {
        Pace::Window(window) => flow.closed(args.part(window, number)),
        Pace::PerSecond(rate) => flow.open(Duration::from_secs_f64(args.flows as f64 / rate as f64)),
    }
}

struct Flow {
    caller: Caller,
    socket: UdpSocket,
    calls: u64,
    wait: Duration,
    began: Instant,
    ends: Instant,
    stop: Arc<AtomicBool>,
    /// By number, when it must stay the same: what its first answer said.
    said: Option<Mutex<HashMap<u64, String>>>,
    /// By call, modulo its length: nanoseconds since `began`; 0 when answered or never sent.
    sent_at: Box<[AtomicU64]>,
}

impl Flow {
    /// Whether no call is started any more.
    fn is_over(&self, now: Instant) -> bool {
        now >= self.ends || self.stop.load(Ordering::Relaxed)
    }

    /// Keeps `window` calls under way.
    fn closed(&self, window: u64) -> io::Result<Tally> {
        let (mut tally, mut text) = (Tally::default(), String::new());
        self.socket.set_read_timeout(Some(self.wait))?;
        let mut under_way = 0;
        loop {
            while under_way < window && tally.sent < self.calls && !self.is_over(Instant::now()) {
                self.send(tally.sent, &mut text)?;
                tally.sent += 1;
                under_way += 1;
            }
            if under_way == 0 {
                return Ok(tally);
            }
            if self.receive(&mut tally)? {
                under_way -= 1;
            } else {
                // Nothing came for so long: what is under way is lost.
                under_way = 0;
            }
        }
    }

    /// Starts a call every `interval`.
    fn open(&self, interval: Duration) -> io::Result<Tally> {
        let sending = AtomicBool::new(true);
        thread::scope(|scope| {
            let receiver = scope.spawn(|| {
                let mut tally = Tally::default();
                self.socket.set_read_timeout(Some(self.wait))?;
                let mut end = None;
                loop {
                    if !sending.load(Ordering::Acquire) {
                        // The last call was sent before; it has its whole wait. Answers that trickle in
                        // after that do not make the run longer.
                        let end = *end.get_or_insert_with(|| Instant::now() + self.wait);
                        if Instant::now() >= end {
                            return Ok(tally);
                        }
                    }
                    self.receive(&mut tally)?;
                }
            });
            let sender = self.send_at_rate(interval);
            sending.store(false, Ordering::Release);
            let received: io::Result<Tally> =
                receiver.join().unwrap_or_else(|_| Err(ErrorKind::Other.into()));
            let mut tally = received?;
            (tally.sent, tally.late_ns_max) = sender?;
            Ok(tally)
        })
    }

    /// Says how many were sent, and by how much the latest was late.
    fn send_at_rate(&self, interval: Duration) -> io::Result<(u64, u64)> {
        let (mut text, mut late_ns_max) = (String::new(), 0);
        let start = Instant::now();
        for call in 0..self.calls {
            let due = start + interval.mul_f64(call as f64);
            if self.is_over(due) {
                return Ok((call, late_ns_max));
            }
            let now = Instant::now();
            match due.checked_duration_since(now) {
                Some(early) => thread::sleep(early),
                None => late_ns_max = late_ns_max.max(nanos(now - due)),
            }
            self.send(call, &mut text)?;
        }
        Ok((self.calls, late_ns_max))
    }

    fn send(&self, call: u64, text: &mut String) -> io::Result<()> {
        self.caller.write_request(call, text);
        if let Some(sent_at) = self.sent_at(call) {
            sent_at.store(nanos(self.began.elapsed()).max(1), Ordering::Release);
        }
        match self.socket.send(text.as_bytes()) {
            // Nobody listens, says the answer to an earlier one: this call stays unanswered.
            Err(error) if error.kind() != ErrorKind::ConnectionRefused => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes one answer. `false` when none came in time.
    fn receive(&self, tally: &mut Tally) -> io::Result<bool> {
        let mut buffer = [0; 65_536];
        let len = match self.socket.recv(&mut buffer) {
            Ok(len) => len,
            Err(error) => {
                return match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => Ok(false),
                    ErrorKind::ConnectionRefused | ErrorKind::Interrupted => Ok(true),
                    _ => Err(error),
                };
            }
        };
        let answer = buffer.get(..len).unwrap_or_default();
        match self.caller.check(answer) {
            Err(why) => tally.wrong(why, answer),
            Ok(call) => match self.sent_at(call).map_or(0, |sent_at| sent_at.swap(0, Ordering::AcqRel)) {
                0 => tally.wrong(Wrong::Twice, answer),
                _ if self.has_changed(call, answer) => tally.wrong(Wrong::Changed, answer),
                sent_at => {
                    let status = String::from_utf8_lossy(answer.get(8..11).unwrap_or_default()).into_owned();
                    *tally.statuses.entry(status).or_default() += 1;
                    tally.right(sent_at, nanos(self.began.elapsed()));
                }
            },
        }
        Ok(true)
    }

    /// Whether an earlier call to the same number was told something else.
    fn has_changed(&self, call: u64, answer: &[u8]) -> bool {
        let Some(all) = &self.said else {
            return false;
        };
        let now = said(answer);
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry(self.caller.number(call)).or_insert_with(|| now.clone()) != now
    }

    fn sent_at(&self, call: u64) -> Option<&AtomicU64> {
        self.sent_at.get(usize::try_from(call).ok()? % REMEMBERED)
    }
}

/// Durations, true to a thousandth.
#[derive(Clone, Debug)]
pub(crate) struct Histogram(hdrhistogram::Histogram<u64>);

/// The longest that is told from longer ones.
const LATENCY_NS_MAX: u64 = 600 * 1_000_000_000;

impl Default for Histogram {
    fn default() -> Self {
        let histogram = hdrhistogram::Histogram::new_with_max(LATENCY_NS_MAX, 3);
        Self(histogram.expect("the bounds are those that the crate allows"))
    }
}

impl Histogram {
    pub(crate) fn count(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    pub(crate) fn max_ns(&self) -> u64 {
        self.0.max()
    }

    /// The duration that this share of all did not exceed.
    pub(crate) fn share_ns(&self, share: f64) -> u64 {
        self.0.value_at_quantile(share)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
