//! Data for tables as carriers have them, and calls to it.
//!
//! In:    `cargo run --release --example tabledata -- KIND --rows N …`; see [`USAGE`].
//! Out:   CSV on standard output, decided by the options alone; `send` gives the report of `benches/load`.
//! Never: makes more rows than [`ROWS_MAX`].

#[path = "../load/args.rs"]
mod args;
mod calls;
mod csv;
mod data;
#[path = "../load/flow.rs"]
mod flow;
mod message;
#[path = "../load/process.rs"]
mod process;
#[path = "../load/report.rs"]
mod report;
mod send;

use std::{
    io::{self, ErrorKind, Write},
    process::ExitCode,
};

use csv::Lines;
use data::Deck;

const USAGE: &str = "\
Writes data for tables, the same for the same options on every machine.

usage: cargo run --release --example tabledata -- KIND --rows N [options] > FILE
       cargo run --release --example tabledata -- send --calls-from FILE --found CONTACT --to ADDRESS:PORT [options]

  KIND  ported     number,rn,spid: ported numbers of a country, clustered by block
        prefixes   prefix,to: prefixes of all countries, nested
        ranges     from,until,to: blocks of numbers, some within others
        deck       prefix,to,cost,quality,valid_from,valid_to: prices of many carriers
        changes    +,number,rn,spid and -,number: a daily update of `ported`, without a header
        calls      number,value: calls, and what the table has for each (nothing: a miss); no header

  --rows N         rows, without the header
  --seed S         other data of the same shape                     [1]
  --unsorted       ported: in no order
  --carriers N     deck: how many                                   [120]
  --of N           changes, calls: the rows of the table they are for (its --seed must be the same)
  --table TABLE    calls: to a `ported` or a `prefixes` table       [ported]
  --misses PERCENT calls: to what the table does not have           [20]
  --series N       changes, calls: another set for the same table   [0]

`send` makes calls of such a file, in its order and then again, with the options of `benches/load` (but
for --uri, --contact, --first, --numbers and --expect). --found is the Contact that must come with a 302
when the table has the number ({n}: the number with its +, {v}: its value); a miss must get 404, or with
--missed CONTACT a 302 with that Contact.
";

/// Twice the largest table that is spoken of.
const ROWS_MAX: u64 = 200_000_000;
const CARRIERS_MAX: u64 = 10_000;

#[derive(Debug)]
struct Options {
    kind: String,
    rows: u64,
    seed: u64,
    series: u64,
    unsorted: bool,
    carriers: u32,
    of: u64,
    table: String,
    misses: u64,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = match words.split_first() {
        Some((kind, _)) if kind == "--help" => return usage(),
        None => return usage(),
        Some((kind, rest)) if kind == "send" => send::run(rest),
        Some((kind, rest)) => {
            Options::read(kind, rest).and_then(|options| write(&options, io::stdout().lock())).map(|()| true)
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tabledata: {error}\ntabledata: --help explains");
            ExitCode::from(2)
        }
    }
}

fn usage() -> ExitCode {
    print!("{USAGE}");
    ExitCode::SUCCESS
}

impl Options {
    fn read(kind: &str, words: &[String]) -> Result<Self, String> {
        let mut options = Self {
            kind: kind.to_owned(),
            rows: 0,
            seed: 1,
            series: 0,
            unsorted: false,
            carriers: 120,
            of: 0,
            table: "ported".to_owned(),
            misses: 20,
        };
        let mut words = words.iter();
        while let Some(flag) = words.next() {
            if flag == "--unsorted" {
                options.unsorted = true;
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{flag} needs a value, or is not known"))?;
            options.set(flag, value)?;
        }
        if options.rows == 0 {
            return Err("--rows is missing".to_owned());
        }
        if options.of == 0 && matches!(kind, "changes" | "calls") {
            return Err("--of is missing: how many rows has the table?".to_owned());
        }
        if options.unsorted && kind != "ported" {
            return Err(format!("--unsorted is for ported, not for {kind}"));
        }
        Ok(options)
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<(), String> {
        let number = |min: u64, max: u64| match value.parse() {
            Ok(number) if (min..=max).contains(&number) => Ok(number),
            _ => Err(format!("{flag} {value}: expected a number from {min} to {max}")),
        };
        match flag {
            "--rows" => self.rows = number(1, ROWS_MAX)?,
            "--of" => self.of = number(1, ROWS_MAX)?,
            "--seed" => self.seed = number(0, u64::MAX)?,
            "--series" => self.series = number(0, u64::MAX)?,
            "--carriers" => self.carriers = number(1, CARRIERS_MAX)? as u32,
            "--misses" => self.misses = number(0, 100)?,
            "--table" => value.clone_into(&mut self.table),
            _ => return Err(format!("{flag} is not known")),
        }
        Ok(())
    }
}

fn write(options: &Options, to: impl Write) -> Result<(), String> {
    let Options { rows, seed, series, of, carriers, .. } = *options;
    let mut lines = Lines::new(to);
    match (options.kind.as_str(), options.table.as_str()) {
        ("ported", _) => {
            lines.header("number,rn,spid");
            if options.unsorted {
                data::shuffled(seed, rows).into_iter().for_each(|row| lines.number(row));
            } else {
                data::ported(seed, rows).for_each(|row| lines.number(row));
            }
        }
        ("prefixes", _) => {
            lines.header("prefix,to");
            data::prefixes(seed, rows, &mut |row| lines.prefix(row));
        }
        ("ranges", _) => {
            lines.header("from,until,to");
            data::ranges(seed, rows).for_each(|row| lines.range(row));
        }
        ("deck", _) => {
            lines.header("prefix,to,cost,quality,valid_from,valid_to");
            Deck { seed, rows, carriers }.offers(&mut |row| lines.offer(row));
        }
        ("changes", _) => {
            data::changes(seed, series, of, rows).into_iter().for_each(|change| lines.change(change));
        }
        ("calls", "ported") => {
            for (digits, network) in data::ported_calls(seed, series, of, rows, options.misses) {
                let rn = network.map(|network| format!("+{}", network.routing_number()));
                lines.call(digits, rn.as_deref());
            }
        }
        ("calls", "prefixes") => {
            for (digits, to) in data::prefix_calls(seed, series, of, rows, options.misses) {
                lines.call(digits, to.map(data::gateway).as_deref());
            }
        }
        ("calls", table) => return Err(format!("--table {table}: expected ported or prefixes")),
        (kind, _) => return Err(format!("{kind} is not a kind of data")),
    }
    match lines.finish() {
        Ok(written) if written == rows => Ok(()),
        Ok(written) => {
            Err(format!("{written} rows were made, not {rows}: the table is too small for so many"))
        }
        // Whoever reads has seen enough, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(format!("cannot write: {error}")),
    }
}
