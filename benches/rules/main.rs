//! Lists of routes, short and long: what an answer costs by the index of the list, and by a look at each route.
//!
//! In:    `cargo bench --bench rules -- KIND|all [COUNT…]`; see [`USAGE`].
//! Out:   a table of figures: both ways in one run, on the same calls.
//! Never: judges. `tests/dispatch.rs` says that the answers are the same, and how many routes are looked at.

mod calls;
mod files;

use std::{env, process::ExitCode, time::Instant};

use calls::{Server, request};
use files::Kind;
use waypost::route::{Dispatch, RouteTable, file};

const USAGE: &str = "\
Lists of 10 to 100000 routes: nanoseconds an answer, by the index of the list and without it.

usage: cargo bench --bench rules -- KIND|all [COUNT...]

  number   each route has a prefix of its own, of 8 to 15 digits
  host     each route has a domain of its own
  source   each route has a network of its own, /24 or /32
  grid     customers by network and destinations by prefix: no condition alone tells a route
  mixed    a third by number, host and source each, every tenth with a second condition; one in a
           hundred is by a header, which no index knows

COUNT: 10 100 1000 10000 100000 unless given.

Calls are for routes in no order; one in five is for none and gets the last route's 410. A decision is
whole: the datagram is parsed, decided and its answer written.
";

/// Calls of one measurement, of which none comes twice in a row.
const CALLS: usize = 20_000;

/// Time that is spent on one figure: by a look at each of 100,000 routes a call takes milliseconds.
const FIGURE_MS: u128 = 300;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    let Some((kind, counts)) = words.split_first() else {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    };
    let kinds: Vec<Kind> =
        Kind::ALL.into_iter().filter(|known| kind == "all" || kind == known.name()).collect();
    let counts: Result<Vec<usize>, _> = counts.iter().map(|count| count.replace('_', "").parse()).collect();
    let (false, Ok(mut counts)) = (kinds.is_empty(), counts) else {
        print!("{USAGE}");
        return ExitCode::FAILURE;
    };
    if counts.is_empty() {
        counts = vec![10, 100, 1_000, 10_000, 100_000];
    }
    println!(
        "| routes | of | ns an answer | without index | ratio | index, bytes a route | load s | of it the index |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for kind in kinds {
        for &count in &counts {
            println!("{}", measure(kind, count));
        }
    }
    ExitCode::SUCCESS
}

/// One line of the table.
fn measure(kind: Kind, count: usize) -> String {
    // The last one is for every call.
    let rules = count.saturating_sub(1).max(1);
    let files = files::of(kind, rules);
    let start = Instant::now();
    let mut table = load(files);
    let load_s = start.elapsed().as_secs_f64();
    let start = Instant::now();
    table.seal();
    let index_s = start.elapsed().as_secs_f64();
    let bytes: usize = table.dispatch.iter().flatten().map(Dispatch::bytes).sum();
    let calls: Vec<_> = (0..CALLS).map(|call| request(kind, call, rules)).collect();
    let mut server = Server::new(table);
    let by_index = server.ns_per_answer(&calls, FIGURE_MS);
    server.forget_indices();
    let each = server.ns_per_answer(&calls, FIGURE_MS);
    format!(
        "| {count} | {} | {by_index:.0} | {each:.0} | {:.1} | {:.0} | {load_s:.3} | {index_s:.3} |",
        kind.name(),
        each / by_index,
        bytes as f64 / count as f64,
    )
}

fn load(files: Vec<file::Source>) -> RouteTable {
    let draft = file::parse(&files).unwrap_or_else(|errors| panic!("{errors:#?}"));
    draft.build_from(&|_| Err("no file".to_owned())).unwrap_or_else(|errors| panic!("{errors:#?}")).0
}
