//! A load generator: INVITEs out, each answer checked against its request.
//!
//! In:    `cargo bench --bench load -- --to ADDRESS …`; see [`USAGE`].
//! Out:   a report, one `name value` to a line; status 0 when every call got its right answer, 1
//!        when not, 2 when the command line is wrong.
//! Never: sends without end: calls, flows, rate, window and time have limits.

mod args;
mod flow;
mod message;
mod process;

use std::{
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use args::Args;
use flow::Tally;
use process::Sample;

const USAGE: &str = "\
Sends INVITEs to a SIP redirect server and checks every answer.

usage: cargo bench --bench load -- --to ADDRESS:PORT [options]

  --to ADDRESS:PORT     the server
  --calls N             calls in all                                  [10000]
  --rate R              calls per second in all, whatever comes back  [1000]
  --closed W            instead of a rate: W calls under way in all, each answer starts the next
  --flows F             client sockets, each with its own threads     [1]
  --distinct-call-ids   a Call-ID of its own for every call; without it 1000 of them go round
  --uri URI             Request-URI; {n} becomes eight digits         [sip:+4420{n}@example.net]
  --first N             leave out the first N of those numbers        [0]
  --numbers N           so many numbers, then the first one again     [100000000]
  --expect STATUS,…     statuses that are right                       [302]
  --contact CONTACT     the only Contact header of a 3xx that is right; {n} as in --uri
  --same                an answer is wrong if its status or its Contacts are not those of the first
                        answer to the same number (within a flow)
  --wait-ms MS          how long an answer may take                   [1000]
  --seconds S           stop sending after this time                  [600]
  --pid PID             report memory and processor time of this process

The report: sent, answered (and right), answered_STATUS, wrong (an answer that is not the one to its request, or a
second one), unanswered, answers_per_s, latency_us_p50, _p99, _max (from the moment of sending; p50
and p99 are true to 3 %), sender_late_us_max (how far the sender fell behind its rate), and with
--pid rss_kib_before, rss_kib, cpu_s, cpu_us_per_answer.
";

fn main() -> ExitCode {
    // `cargo bench` adds --bench; `cargo test --benches` runs it with nothing.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if words.is_empty() || words.iter().any(|word| word == "--help") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let result = Args::read(&words).and_then(|args| run(&args));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load: {error}\nload: --help explains");
            ExitCode::from(2)
        }
    }
}

/// Whether every call got its right answer.
fn run(args: &Args) -> Result<bool, String> {
    let before = args.pid.map(Sample::of).transpose()?;
    let began = Instant::now();
    let flows: Vec<_> = (0..args.flows)
        .map(|number| {
            let args = args.clone();
            thread::spawn(move || flow::run(&args, number, began))
        })
        .collect();
    let mut tally = Tally::default();
    for flow in flows {
        let one = flow.join().map_err(|_| "a flow has panicked")?;
        tally.add(&one.map_err(|error| format!("cannot use a socket to {}: {error}", args.to))?);
    }
    let took = began.elapsed();
    let after = args.pid.map(Sample::of).transpose()?;
    report(&tally, took, before.zip(after));
    Ok(tally.wrong == 0 && tally.unanswered() == 0 && tally.sent == args.calls)
}

fn report(tally: &Tally, took: Duration, samples: Option<(Sample, Sample)>) {
    for (name, value) in [
        ("sent", tally.sent),
        ("answered", tally.answered),
        ("wrong", tally.wrong),
        ("unanswered", tally.unanswered()),
        ("latency_us_p50", tally.latency.share_ns(0.5) / 1000),
        ("latency_us_p99", tally.latency.share_ns(0.99) / 1000),
        ("latency_us_max", tally.latency.max_ns() / 1000),
        ("sender_late_us_max", tally.late_ns_max / 1000),
    ] {
        println!("{name} {value}");
    }
    for (status, count) in &tally.statuses {
        println!("answered_{status} {count}");
    }
    println!("seconds {:.3}", took.as_secs_f64());
    println!("answers_per_s {:.0}", tally.answered as f64 / took.as_secs_f64());
    if let Some((before, after)) = samples {
        let cpu_s = after.cpu_s - before.cpu_s;
        println!("rss_kib_before {}", before.rss_kib);
        println!("rss_kib {}", after.rss_kib);
        println!("cpu_s {cpu_s:.2}");
        println!("cpu_us_per_answer {:.3}", cpu_s * 1e6 / (tally.answered.max(1)) as f64);
    }
    for example in &tally.examples {
        println!("example {example}");
    }
}
