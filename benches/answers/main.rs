//! Answers of one kind, one after the other, and nothing else: for profilers and for counting
//! instructions (tests/instructions.sh).
//!
//! In:    `cargo run --release --example answers -- KIND-REQUEST COUNT`; see [`USAGE`].
//! Out:   the processor time of one answer.
//! Never: opens a socket.

#[path = "../stages/scene.rs"]
mod scene;

use std::{env, hint::black_box, process::ExitCode, time::Instant};

use scene::Scene;

const USAGE: &str = "\
Answers of one kind, without sockets.

usage: answers KIND-REQUEST COUNT [PREFIXES]

  KIND      static prefix group dip deck enum locate not-found options idle admitted refused
  REQUEST   small or real: 364 or 1461 bytes, all of one length; mixed: the longer one with numbers of ten to
            thirteen digits; unlike: the longer one, no two of one length
  COUNT     how many answers
  PREFIXES  rows of the table of `prefix`; 1000000 by default
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (name, count, prefixes) = match words[..] {
        [name, count] => (name, count, "1000000"),
        [name, count, prefixes] => (name, count, prefixes),
        _ => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
    };
    let scene = name.rsplit_once('-').zip(prefixes.parse().ok());
    let scene = scene.and_then(|((kind, size), prefixes)| Scene::new(kind, size, prefixes));
    let (Some(mut scene), Ok(count)) = (scene, count.parse::<u32>()) else {
        print!("{USAGE}");
        return ExitCode::FAILURE;
    };
    let began = Instant::now();
    let bytes: usize = (0..count).map(|_| black_box(scene.answer())).sum();
    let took_ns = began.elapsed().as_nanos() as f64;
    println!(
        "{name}: {:.1} ns an answer of {} bytes",
        took_ns / f64::from(count),
        bytes as f64 / f64::from(count)
    );
    ExitCode::SUCCESS
}
