//! Outside. `diff`: which calls new routes would answer differently from old ones, and how.
//!
//! In:    [`DiffArgs`]; two routes directories, lists of calls and captures.
//! Out:   counts by cause and by route, the first calls that differ, both sides whole.
//! Never: asks DNS, opens a socket, keeps more of a list than one line.

mod capture;
mod human;

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use serde_json::json;

use super::{
    Exit, adapters,
    args::{CallsFormat, DiffArgs, Global},
    output::{self, Paint},
};
use crate::{
    compare::{Comparer, Format},
    config::Config,
    control::{
        diff::{self, Compared, Compiled},
        reload::unix_s,
    },
    decide::Arrival,
};

/// How much of a file is read at once.
const READ_BYTES: usize = 64 * 1024;

/// Compares two directories.
pub(crate) fn run(global: &Global, args: &DiffArgs) -> Exit {
    match compare(global, args) {
        Ok(compared) => {
            if args.json {
                output::json(&json!(compared));
            } else {
                output::stdout(human::of(&compared, Paint::of_stdout()).as_bytes());
            }
            if compared.report.differing == 0 { Exit::Ok } else { Exit::Refused }
        }
        Err(message) => {
            if let Some(message) = message {
                output::stderr(&format!("error: {message}"));
            }
            Exit::Usage
        }
    }
}

/// `None` when all that there is to say was said.
fn compare(global: &Global, args: &DiffArgs) -> Result<Compared, Option<String>> {
    let told = |findings: Vec<_>| {
        output::diagnostics(&findings);
        None
    };
    let config = adapters::load_config(global).map_err(told)?;
    let old = adapters::load_routes(&args.old).map_err(told)?;
    let new = adapters::load_routes(&args.new).map_err(told)?;
    output::diagnostics(&new.warnings);
    let arrival = diff::arrival(&config.listen, args.from)
        .ok_or_else(|| "the configuration has no listener".to_owned())?;
    let unix_s = args.at.unwrap_or_else(unix_s);
    let mut comparer = Comparer::new(&config.settings, &old.table, &new.table, unix_s, args.limit);
    for path in &args.calls {
        let before = comparer.calls();
        feed(path, args.format, &config, arrival, &mut comparer)
            .map_err(|why| format!("{}: {why}", path.display()))?;
        if comparer.calls() == before {
            return Err(Some(nothing_in(path, comparer)));
        }
    }
    Ok(Compared {
        old: Compiled::of(&old.table, &old.hash),
        new: Compiled::of(&new.table, &new.hash),
        report: comparer.report(),
    })
}

fn feed(
    path: &Path,
    format: CallsFormat,
    config: &Config,
    arrival: Arrival<'_>,
    comparer: &mut Comparer<'_>,
) -> Result<(), String> {
    let name = path.display().to_string();
    let mut input: Box<dyn BufRead + Send> = if path == Path::new("-") {
        Box::new(BufReader::with_capacity(READ_BYTES, io::stdin()))
    } else {
        let file = File::open(path).map_err(|error| error.to_string())?;
        Box::new(BufReader::with_capacity(READ_BYTES, file))
    };
    let format = match format {
        CallsFormat::Numbers => Format::Numbers,
        CallsFormat::Csv => Format::Csv,
        CallsFormat::Pcap => return capture::feed(input, &name, &config.listen, arrival, comparer),
        CallsFormat::Auto => {
            if capture::is_capture(input.fill_buf().map_err(|error| error.to_string())?) {
                return capture::feed(input, &name, &config.listen, arrival, comparer);
            }
            Format::Auto
        }
    };
    diff::feed(&mut input, &name, format, arrival, comparer).map_err(|error| error.to_string())
}

/// A comparison of nothing says nothing: it would pass for one without a difference.
fn nothing_in(path: &Path, comparer: Comparer<'_>) -> String {
    let report = comparer.report();
    let mut message = format!("{}: no call in it", path.display());
    for skipped in &report.skipped_shown {
        message.push_str(&format!("\n  {}: {}", skipped.place, output::shown(skipped.why.as_bytes())));
    }
    for passed in &report.passed_over {
        message.push_str(&format!(
            "\n  {} {}",
            human::counted(passed.packets, "packet", "packets"),
            passed.why
        ));
    }
    message
}

#[cfg(test)]
mod tests {
    use crate::{compare::Lines, control::client::Message};

    /// What `explain` makes of the same call: it explains what `diff` compared.
    #[test]
    fn requests_are_those_of_explain() {
        let source = "[2001:db8::7]:5062".parse().unwrap();
        for (line, method, uri, from) in [
            (&b"+441"[..], "INVITE", "sip:+441@localhost", "<sip:waypost@[2001:db8::7]:5062>"),
            (b"tel:+442", "INVITE", "tel:+442", "<sip:waypost@[2001:db8::7]:5062>"),
        ] {
            let mut lines = Lines::default();
            let mut request = String::new();
            lines.read(line).unwrap().unwrap().request(7, source, "UDP", &mut request);
            let message = Message {
                method,
                uri,
                transport: "UDP",
                local: source,
                branch: "z9hG4bKexplain",
                from,
                from_tag: "explain",
                to: None,
                call_id: "7.diff@waypost",
                cseq: 1,
                headers: &[],
            };
            assert_eq!(request.as_bytes(), message.request());
        }
    }
}
