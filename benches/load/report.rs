//! All flows of a run, and its report.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    args::Args,
    flow::{self, Tally},
    process::Sample,
};

/// Sends the calls by all flows and prints the report.
pub(crate) fn measured(args: &Args) -> Result<Tally, String> {
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
    Ok(tally)
}

pub(crate) fn report(tally: &Tally, took: Duration, samples: Option<(Sample, Sample)>) {
    for (name, value) in [
        ("sent", tally.sent),
        ("answered", tally.answered),
        ("wrong", tally.wrong),
        ("unanswered", tally.unanswered()),
        ("latency_us_p50", tally.latency.share_ns(0.5) / 1000),
        ("latency_us_p99", tally.latency.share_ns(0.99) / 1000),
        ("latency_us_p999", tally.latency.share_ns(0.999) / 1000),
        ("latency_us_max", tally.latency.max_ns() / 1000),
        ("sender_late_us_max", tally.late_ns_max / 1000),
    ] {
        println!("{name} {value}");
    }
    for (status, count) in &tally.statuses {
        println!("answered_{status} {count}");
    }
    println!("seconds {:.3}", took.as_secs_f64());
    println!("seconds_to_last_answer {:.3}", Duration::from_nanos(tally.last_answer_ns).as_secs_f64());
    println!("answers_per_s {:.0}", tally.answered as f64 / took.as_secs_f64());
    if let Some((before, after)) = samples {
        let cpu_s = after.cpu_s - before.cpu_s;
        println!("rss_kib_before {}", before.rss_kib);
        println!("rss_kib {}", after.rss_kib);
        println!("cpu_s {cpu_s:.2}");
        println!("cpu_us_per_answer {:.3}", cpu_s * 1e6 / (tally.answered.max(1)) as f64);
        let thread = after.ran_since(&before);
        let per_answer_us = |ns: f64| ns / 1000.0 / (tally.answered.max(1)) as f64;
        println!("thread_us_per_answer {:.3}", per_answer_us(thread.ns));
        println!("thread_user_us_per_answer {:.3}", per_answer_us(thread.user_ns));
        println!("thread_system_us_per_answer {:.3}", per_answer_us(thread.ns - thread.user_ns));
        println!("thread_busy {:.3}", thread.ns / took.as_nanos() as f64);
    }
    for example in &tally.examples {
        println!("example {example}");
    }
}
