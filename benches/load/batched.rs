//! Calls of a request from a file, many by one system call, by one thread that never sleeps.
//!
//! In:    the command line behind `--request`.
//! Out:   what was seen, and the report.
//! Never: sends to a server that has more than the window, or the rate, of calls under way.

use std::{
    fs,
    hint::spin_loop,
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use nix::sys::socket::{setsockopt, sockopt};

use crate::{
    args::{Args, Pace},
    flow::Tally,
    message::Wrong,
    packets::{PER_CALL, Packets, send_segments},
    process::Sample,
    report::report,
    stalls::{Stalls, Waits},
    template::{Expected, Judge, Numbers, Template},
};

/// Calls of one flow whose moment of sending is remembered; see `flow.rs`.
const REMEMBERED: usize = 1 << 17;
/// Asked for; the system may give less.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;
/// After a look that found nothing, so many pauses, about a microsecond: to look without end keeps the
/// server from the lock of the socket.
const PAUSES: usize = 40;
/// Between the end of a run and the look at the server's processor time, which the kernel brings up to date when a
/// thread goes to sleep.
const SETTLES: Duration = Duration::from_millis(5);

/// The part of the command line that `Args` does not know.
struct Own {
    template: Template,
    numbers: Option<String>,
    contacts: Option<String>,
    echo: Option<usize>,
    from: Option<IpAddr>,
    segments: bool,
    steady: bool,
}

/// Whether every call got its right answer. `None` when the command line has no `--request`.
pub(crate) fn measured(words: &[String]) -> Option<Result<bool, String>> {
    words.iter().any(|word| word == "--request").then(|| {
        let (own, args) = read(words)?;
        run(own, &args)
    })
}

fn read(words: &[String]) -> Result<(Own, Args), String> {
    let (mut request, mut numbers, mut contacts, mut echo, mut from) = (None, None, None, None, None);
    let (mut segments, mut steady, mut rest) = (false, false, Vec::new());
    let mut words = words.iter();
    while let Some(flag) = words.next() {
        let place = match flag.as_str() {
            "--request" => &mut request,
            "--calls-from" => &mut numbers,
            "--contacts" => &mut contacts,
            "--echo" => &mut echo,
            "--from" => &mut from,
            "--gso" => {
                segments = true;
                continue;
            }
            "--steady" => {
                steady = true;
                continue;
            }
            "--uri" | "--contact" | "--first" | "--same" | "--distinct-call-ids" => {
                return Err(format!("{flag} is not for --request"));
            }
            _ => {
                rest.push(flag.clone());
                continue;
            }
        };
        *place = Some(words.next().ok_or_else(|| format!("{flag} needs a value"))?.clone());
    }
    let file = request.ok_or("--request is missing")?;
    let bytes = fs::read(&file).map_err(|error| format!("cannot read {file}: {error}"))?;
    let template = Template::new(bytes).map_err(|error| format!("{file}: {error}"))?;
    let own = Own {
        template,
        numbers,
        contacts,
        echo: echo
            .map(|len| len.parse().map_err(|_| format!("--echo {len}: expected a number of bytes")))
            .transpose()?,
        from: from
            .map(|ip| ip.parse().map_err(|_| format!("--from {ip}: expected an address")))
            .transpose()?,
        segments,
        steady,
    };
    let args = Args::read(&rest)?;
    if own.steady && matches!(args.pace, Pace::Window(_)) {
        return Err("--steady is for --rate".to_owned());
    }
    Ok((own, args))
}

fn run(own: Own, args: &Args) -> Result<bool, String> {
    let template = Arc::new(own.template);
    let numbers = match own.numbers {
        None => Numbers::Spread(args.numbers),
        Some(file) => fs::read_to_string(&file)
            .map_err(|error| error.to_string())
            .and_then(|text| Numbers::listed(&text, &template))
            .map_err(|error| format!("{file}: {error}"))?,
    };
    let numbers = Arc::new(numbers);
    let expected = match own.echo {
        Some(len) => Expected::Echo(len),
        None => Expected::Answer { statuses: args.expect.clone(), contacts: own.contacts },
    };
    let flows = (0..args.flows)
        .map(|number| {
            let socket = socket(own.from, template.port, number, args.to)?;
            let local = socket.local_addr().map_err(|error| error.to_string())?;
            let judge = Judge::new(Arc::clone(&template), Arc::clone(&numbers), expected.clone(), local);
            Ok(Flow::new(socket, judge, number, args, template.bytes()))
        })
        .collect::<Result<Vec<_>, String>>()?;

    let before = args.pid.map(Sample::of).transpose()?;
    // In a closed loop the queue is the latency, and what it does between two looks is as much as is there to do.
    let stalls = match args.pace {
        Pace::Window(_) => None,
        Pace::PerSecond(_) => Some(Stalls::new(args.pid.map(Waits::of).unwrap_or_default())),
    };
    let began = Instant::now();
    let len = template.bytes().len();
    let packets = Packets::new();
    let seen = Seen { stalls, ..Seen::default() };
    let mut load = Load {
        flows,
        template,
        numbers,
        packets,
        segments: own.segments,
        steady: own.steady,
        len,
        began,
        seen,
    };
    let result = match args.pace {
        Pace::Window(_) => load.closed(args),
        Pace::PerSecond(rate) => load.open(args, rate),
    };
    let took = began.elapsed();
    result.map_err(|error| format!("cannot use a socket to {}: {error}", args.to))?;
    thread::sleep(SETTLES);
    let after = args.pid.map(Sample::of).transpose()?;
    let tally = load.tally();
    report(&tally, took, before.zip(after));
    if let Some(stalls) = &load.seen.stalls {
        stalls.report();
    }
    println!(
        "request_bytes {len}\nanswer_bytes_min {}\nanswer_bytes_max {}",
        load.seen.shortest(),
        load.seen.longest
    );
    // Without an end of its own, time ends it: what was sent is what counts.
    Ok(tally.wrong == 0 && tally.unanswered() == 0 && tally.sent > 0)
}

/// Flow `number` is the address after that many, with the port to which the first Via sends answers.
fn socket(from: Option<IpAddr>, port: u16, number: u64, to: SocketAddr) -> Result<UdpSocket, String> {
    let local: SocketAddr = match from {
        Some(IpAddr::V4(ip)) => ((u32::from(ip) + number as u32).to_be_bytes(), port).into(),
        Some(IpAddr::V6(ip)) => ((u128::from(ip) + u128::from(number)).to_be_bytes(), port).into(),
        None => {
            return Err(
                "--from is missing: answers go to the port of the first Via, of which address?".to_owned()
            );
        }
    };
    let error = |error: io::Error| format!("cannot use {local}: {error}");
    let socket = UdpSocket::bind(local).map_err(error)?;
    // Connected: answers from any other address are not seen, and count as missing.
    socket.connect(to).map_err(error)?;
    setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER_BYTES).map_err(|errno| error(errno.into()))?;
    Ok(socket)
}

/// What all flows saw, besides their tally.
#[derive(Debug, Default)]
struct Seen {
    late_ns_max: u64,
    longest: usize,
    shortest: Option<usize>,
    /// Of an open loop.
    stalls: Option<Stalls>,
}

impl Seen {
    fn look(&mut self, now_ns: u64) {
        if let Some(stalls) = &mut self.stalls {
            stalls.look(now_ns);
        }
    }

    /// How long the generator has stood still.
    fn stood_ns(&self) -> u64 {
        self.stalls.as_ref().map_or(0, |stalls| stalls.own.ns)
    }

    fn shortest(&self) -> usize {
        self.shortest.unwrap_or_default()
    }
}

struct Load {
    flows: Vec<Flow>,
    template: Arc<Template>,
    numbers: Arc<Numbers>,
    packets: Packets,
    segments: bool,
    steady: bool,
    /// Of a request.
    len: usize,
    began: Instant,
    seen: Seen,
}

/// One socket and its calls.
struct Flow {
    socket: UdpSocket,
    judge: Judge,
    number: u64,
    flows: u64,
    calls: u64,
    window: u64,
    /// As many requests as leave by one call, one after another.
    requests: Vec<u8>,
    /// By call, modulo its length: nanoseconds since the beginning; 0 when answered or never sent.
    sent_at: Vec<u64>,
    under_way: u64,
    tally: Tally,
    statuses: Vec<u64>,
}

impl Flow {
    fn new(socket: UdpSocket, judge: Judge, number: u64, args: &Args, request: &[u8]) -> Self {
        let window = match args.pace {
            Pace::Window(window) => args.part(window, number),
            Pace::PerSecond(_) => u64::MAX,
        };
        Self {
            socket,
            judge,
            number,
            flows: args.flows,
            calls: args.part(args.calls, number),
            window,
            requests: request.repeat(PER_CALL),
            sent_at: vec![0; REMEMBERED],
            under_way: 0,
            tally: Tally::default(),
            statuses: vec![0; 700],
        }
    }

    fn room(&self) -> u64 {
        (self.window - self.under_way).min(self.calls - self.tally.sent)
    }
}

impl Load {
    /// Keeps the window of every flow full.
    fn closed(&mut self, args: &Args) -> io::Result<()> {
        let ends = Duration::from_secs(args.seconds);
        let mut last = Duration::ZERO;
        loop {
            let now = self.began.elapsed();
            let (mut came, mut sent) = (0, 0);
            for flow in 0..self.flows.len() {
                came += self.receive(flow)?;
                if now < ends {
                    sent += self.send(flow, self.flows[flow].room())?;
                }
            }
            if came + sent > 0 {
                last = now;
            } else if self.under_way() == 0 || now - last > args.wait {
                // Nothing came for so long: what is under way is lost.
                return Ok(());
            } else {
                pause();
            }
        }
    }

    /// Sends what is due, whatever comes back.
    fn open(&mut self, args: &Args, rate: u64) -> io::Result<()> {
        let calls = args.calls.min(rate * args.seconds);
        let (mut begun, mut ended) = (0, None);
        loop {
            let now_ns = self.now_ns();
            let due_ns = u128::from(now_ns - if self.steady { self.seen.stood_ns() } else { 0 });
            let due = ((due_ns * u128::from(rate) / 1_000_000_000) as u64 + 1).min(calls);
            if begun < due {
                let first_ns = u128::from(begun) * 1_000_000_000 / u128::from(rate);
                self.seen.late_ns_max = self.seen.late_ns_max.max(due_ns.saturating_sub(first_ns) as u64);
            }
            let flows = self.flows.len() as u64;
            for flow in 0..flows {
                // Of the calls with the numbers from `begun` to `due`, those of this flow.
                let of_flow = |all: u64| (all + flows - 1 - flow) / flows;
                self.send(flow as usize, of_flow(due) - of_flow(begun))?;
            }
            begun = due;
            let mut came = 0;
            for flow in 0..self.flows.len() {
                came += self.receive(flow)?;
            }
            if begun == calls {
                let ended_ns = *ended.get_or_insert(now_ns);
                if self.under_way() == 0 || u128::from(now_ns - ended_ns) > args.wait.as_nanos() {
                    if let Some(stalls) = &mut self.seen.stalls {
                        stalls.settle(now_ns);
                    }
                    return Ok(());
                }
            }
            if came == 0 {
                pause();
            }
        }
    }

    /// Looks at the clock.
    fn now_ns(&mut self) -> u64 {
        let now_ns = (self.began.elapsed().as_nanos() as u64).max(1);
        self.seen.look(now_ns);
        now_ns
    }

    fn send(&mut self, flow: usize, count: u64) -> io::Result<u64> {
        let mut left = count;
        while left > 0 {
            let now_ns = self.now_ns();
            let Some(flow) = self.flows.get_mut(flow) else {
                return Ok(0);
            };
            let mut filled = 0;
            for request in flow.requests.chunks_exact_mut(self.len).take(left.min(PER_CALL as u64) as usize) {
                let call = flow.tally.sent;
                self.template.vary(request, call * flow.flows + flow.number, &self.numbers);
                flow.sent_at[call as usize % REMEMBERED] = now_ns;
                flow.tally.sent += 1;
                flow.under_way += 1;
                left -= 1;
                filled += self.len;
            }
            let requests = &flow.requests[..filled];
            if self.segments && filled > self.len {
                send_segments(&flow.socket, requests, self.len)?;
            } else {
                self.packets.send(&flow.socket, requests, self.len)?;
            }
        }
        Ok(count)
    }

    fn receive(&mut self, flow: usize) -> io::Result<u64> {
        let Some(Flow { socket, judge, number, flows, sent_at, under_way, tally, statuses, .. }) =
            self.flows.get_mut(flow)
        else {
            return Ok(0);
        };
        let (began, seen) = (self.began, &mut self.seen);
        let (mut came, mut now_ns) = (0, None);
        self.packets.receive(socket, |answer| {
            came += 1;
            // One look at the clock for all that came by this call, after it.
            let now_ns = *now_ns.get_or_insert_with(|| {
                let now_ns = began.elapsed().as_nanos() as u64;
                seen.look(now_ns);
                now_ns
            });
            let right = judge.check(answer).and_then(|(id, status)| {
                let (call, of) = (id / *flows, id % *flows);
                let sent_at = sent_at.get_mut(call as usize % REMEMBERED).filter(|_| of == *number);
                match sent_at.map(std::mem::take) {
                    None => Err(Wrong::NoBranchOfOurs),
                    Some(0) => Err(Wrong::Twice),
                    Some(sent_at) => Ok((sent_at, status)),
                }
            });
            match right {
                Err(why) => tally.wrong(why, answer),
                Ok((sent_at, status)) => {
                    *under_way -= 1;
                    tally.right(sent_at, now_ns);
                    statuses[usize::from(status)] += 1;
                    if let Some(stalls) = &mut seen.stalls {
                        stalls.answered(sent_at, now_ns.saturating_sub(sent_at));
                    }
                    seen.longest = seen.longest.max(answer.len());
                    seen.shortest = Some(seen.shortest.map_or(answer.len(), |least| least.min(answer.len())));
                }
            }
        })?;
        Ok(came)
    }

    fn under_way(&self) -> u64 {
        self.flows.iter().map(|flow| flow.under_way).sum()
    }

    fn tally(&mut self) -> Tally {
        let mut all = Tally { late_ns_max: self.seen.late_ns_max, ..Tally::default() };
        for flow in &mut self.flows {
            for (status, count) in
                (0..).zip(&flow.statuses).filter(|(status, count): &(u16, _)| *status > 0 && **count > 0)
            {
                flow.tally.statuses.insert(status.to_string(), *count);
            }
            all.add(&flow.tally);
        }
        all
    }
}

fn pause() {
    for _ in 0..PAUSES {
        spin_loop();
    }
}
