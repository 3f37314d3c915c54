//! Calls of a list at a server, by the flows of `benches/load`.

use std::sync::Arc;

use crate::{args::Args, calls::Calls, message::CALLS, report::measured};

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
    let tally = measured(args)?;
    // Without an end of its own, time ends it: what was sent is what counts.
    Ok(tally.wrong == 0 && tally.unanswered() == 0 && tally.sent > 0)
}
