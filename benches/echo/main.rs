//! A bare UDP echo: the least that any server on this machine pays for an answer.
//!
//! In:    `cargo run --release --example echo -- --listen ADDRESS [--mode MODE] [--answer-bytes N]`.
//! Out:   each datagram again to where it came from, cut or filled with blanks to N bytes, so that the kernel
//!        copies as much as for the answer of another server.
//! Never: looks into a datagram, allocates while it serves, or takes up processor time while none comes.

mod echo;

use std::process::ExitCode;

use echo::{Args, Echo, Mode, ROOM};

const USAGE: &str = "\
Sends back what it gets, by UDP over IPv4, until it is ended.

usage: cargo run --release --example echo -- --listen ADDRESS:PORT [options]

  --mode MODE        batched: up to 64 datagrams by each system call   [batched]
                     single: one datagram by each
                     gso: batched, and all to one peer as segments of one datagram
  --answer-bytes N   cut or fill answers to N bytes; without it, they are as long as the request
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() || words.iter().any(|word| word == "--help") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match read(&words).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}\necho: --help explains");
            ExitCode::from(2)
        }
    }
}

fn run(args: Args) -> Result<(), String> {
    let mut echo = Echo::bind(&args)?;
    let address = echo.address().map_err(|error| error.to_string())?;
    println!("echoes on {address}");
    echo.serve().map_err(|error| error.to_string())
}

fn read(words: &[String]) -> Result<Args, String> {
    let (mut listen, mut mode, mut answer_bytes) = (None, Mode::Batched, None);
    for pair in words.chunks(2) {
        let [flag, value] = pair else {
            return Err(format!("{} needs a value, or is not known", pair.concat()));
        };
        match (flag.as_str(), value.as_str()) {
            ("--listen", _) => {
                listen = Some(value.parse().map_err(|_| format!("--listen {value}: expected IPV4:PORT"))?);
            }
            ("--mode", "batched") => mode = Mode::Batched,
            ("--mode", "single") => mode = Mode::Single,
            ("--mode", "gso") => mode = Mode::Segments,
            ("--answer-bytes", _) => match value.parse() {
                Ok(len) if (1..=ROOM).contains(&len) => answer_bytes = Some(len),
                _ => return Err(format!("--answer-bytes {value}: expected a number from 1 to {ROOM}")),
            },
            _ => return Err(format!("{flag} {value} is not known")),
        }
    }
    Ok(Args { listen: listen.ok_or("--listen is missing")?, mode, answer_bytes })
}
