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
mod report;

use std::process::ExitCode;

use args::Args;
use report::measured;

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
    let tally = measured(args)?;
    Ok(tally.wrong == 0 && tally.unanswered() == 0 && tally.sent == args.calls)
}
