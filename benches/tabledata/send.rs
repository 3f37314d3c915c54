//! Calls of a list at a server, by the flows of `benches/load`.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    args::Args,
    calls::Calls,
    flow::{self, Tally},
    message::CALLS,
    process::Sample,
};

/// Whether every call got its right answer. The report is that of `benches/load`.
pub(crate) fn run(words: &[String]) -> Result<bool, String> {
    let (mut from, mut found, mut missed, mut rest) = (None, None, None, Vec::new());
    let mut words = words.iter();
    while let Some(flag) = words.next() {
        let place = match flag.as_str() {
            "--calls-from" => &mut from,
            "--found" => &mut found,
            "--missed" => &mut missed,
            "--uri" | "--contact" | "--first" | "--numbers" | "--expect" => {
                return Err(format!("{flag} is not for send: the list has the numbers"));
            }
            _ => {
                rest.push(flag.clone());
                continue;
            }
        };
        *place = Some(words.next().ok_or_else(|| format!("{flag} needs a value"))?.clone());
    }
    let args = Args::read(&rest)?;
    let from = from.ok_or("--calls-from is missing: which calls?")?;
    let found = found.ok_or("--found is missing: which Contact is right?")?;
    let calls = Arc::new(Calls::read(&from, found, missed)?);
    CALLS.set(calls).map_err(|_| "the list is set twice")?;
    send(&args)
}

fn send(args: &Args) -> Result<bool, String> {
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
    // Without an end of its own, time ends it: what was sent is what counts.
    Ok(tally.wrong == 0 && tally.unanswered() == 0 && tally.sent > 0)
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
