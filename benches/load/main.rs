//! A load generator: INVITEs out, each answer checked against its request.
//!
//! In:    `cargo run --release --example load -- --to ADDRESS …`; see [`USAGE`].
//! Out:   a report, one `name value` to a line; status 0 when every call got its right answer, 1
//!        when not, 2 when the command line is wrong.
//! Never: sends without end: calls, flows, rate, window and time have limits.

mod args;
mod batched;
mod flow;
mod message;
mod packets;
mod process;
mod report;
mod stalls;
mod template;

use std::{
    io,
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
    thread,
};

use args::Args;
use report::measured;

const USAGE: &str = "\
Sends INVITEs to a SIP redirect server and checks every answer.

usage: cargo run --release --example load -- --to ADDRESS:PORT [options]

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
  --until-eof           stop sending when standard input ends, be it before --calls and --seconds
  --pid PID             report memory and processor time of this process

With --request the calls are of a request from a file and leave many by one system call, by one thread that
takes a processor of its own. Not with it: --uri, --contact, --first, --same, --distinct-call-ids, --until-eof.

  --request FILE        an INVITE as on the wire; branch, tag, Call-ID and number of each call are its
                        own, of the same length
  --from IP             address of the first flow, each further one has the next; the port is that of
                        the request's first Via, to which answers go
  --contacts LIST       all Contacts of a 3xx that is right, in their order, in one header line or more,
                        as CONTACT, CONTACT; {n} is the called number
  --calls-from FILE     lines NUMBER,VALUE: the numbers that go round; {v} in --contacts is the value
  --echo BYTES          the answer that is right is the request, cut or filled with blanks to this length
  --gso                 requests of one flow leave as segments of one datagram
  --steady              with --rate: calls that fell due while the generator stood still (for more than 200 us) are
                        not made up for; without it they leave at once, and queue at the server

The report: sent, answered (and right), answered_STATUS, wrong (an answer that is not the one to its request, or a
second one), unanswered, answers_per_s, latency_us_p50, _p99, _p999, _max (from the moment of sending),
sender_late_us_max (how far the sender fell behind its rate), and with --pid rss_kib_before, rss_kib,
cpu_s and cpu_us_per_answer of the process; thread_us_per_answer and thread_busy of the thread of it that
worked most: its time on a processor, and what share of the run that was; thread_user_us_per_answer and
thread_system_us_per_answer are its parts, by the kernel's tick (CONFIG_HZ times a second). With --request also request_bytes,
answer_bytes_min and answer_bytes_max, and with --rate what stalls of the machine leave of it: clear_us_p50, _p99, _p999 of calls that no
stall touched, stalled (answers that one did), sender_stalls and sender_stalls_us (the generator's loop stood still), server_stalls
and server_stalls_us (with --pid: the thread that answers was ready to run, and had no processor for more than 200 us of 1 ms).
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() || words.iter().any(|word| word == "--help") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let result = batched::measured(&words).unwrap_or_else(|| Args::read(&words).and_then(|args| run(&args)));
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
    if args.until_eof {
        stop_at_end_of_input(args);
    }
    let tally = measured(args)?;
    Ok(tally.wrong == 0 && tally.unanswered() == 0 && (args.until_eof || tally.sent == args.calls))
}

/// For a script that holds the load as long as something else lasts: if the script dies, the load ends, too.
fn stop_at_end_of_input(args: &Args) {
    let stop = Arc::clone(&args.stop);
    thread::spawn(move || {
        // Input that cannot be read has ended.
        drop(io::copy(&mut io::stdin().lock(), &mut io::sink()));
        stop.store(true, Ordering::Relaxed);
    });
}
