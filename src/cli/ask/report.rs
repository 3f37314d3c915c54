//! Outside. What `ask` prints.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};

use super::exchange::{Answered, Trouble};
use crate::{
    cli::{
        args::AskArgs,
        output::{self, Paint},
    },
    control::client::Contact,
};

/// Prints call by call and keeps the sum.
#[derive(Debug)]
pub(super) struct Reporter<'a> {
    args: &'a AskArgs,
    paint: Paint,
    round_trips: Vec<Duration>,
    redirects: usize,
    silent: usize,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(args: &'a AskArgs) -> Self {
        Self { args, paint: Paint::of_stdout(), round_trips: Vec::new(), redirects: 0, silent: 0 }
    }

    /// A message went out.
    pub(super) fn sent(&self, bytes: &[u8]) {
        self.message("sent", bytes);
    }

    /// The final answer came in.
    pub(super) fn received(&self, bytes: &[u8]) {
        self.message("received", bytes);
    }

    /// A call was answered.
    pub(super) fn answered(&mut self, address: SocketAddr, answered: &Answered) {
        self.round_trips.push(answered.round_trip);
        self.redirects += usize::from((300..400).contains(&answered.response.status));
        let contacts = answered.response.contacts();
        if self.args.json {
            output::stdout(format!("{}\n", answer_json(address, answered, &contacts)).as_bytes());
        } else {
            output::stdout(answer_text(address, answered, &contacts, self.paint).as_bytes());
        }
    }

    /// A call was not answered.
    pub(super) fn trouble(&mut self, address: SocketAddr, trouble: &Trouble) {
        self.silent += 1;
        let message = trouble_text(address, trouble, self.args.timeout);
        if self.args.json {
            let line = json!({ "server": address.to_string(), "status": null, "error": message });
            output::stdout(format!("{line}\n").as_bytes());
        } else {
            output::stderr(&format!("error: {message}"));
        }
    }

    /// All calls are over.
    pub(super) fn summary(&self) {
        if self.args.count > 1 && !self.args.json {
            output::stdout(self.summary_text().as_bytes());
        }
    }

    fn message(&self, what: &str, bytes: &[u8]) {
        if self.args.verbose {
            let text = output::shown_message(bytes);
            output::stdout(format!("{}\n{text}\n", self.paint.dim(format_args!("--- {what}"))).as_bytes());
        }
    }

    fn summary_text(&self) -> String {
        let answered = self.round_trips.len();
        let mut text = format!(
            "{}: {}, {}, {} without answer",
            output::counted(answered + self.silent, "call", "calls"),
            output::counted(self.redirects, "redirect", "redirects"),
            output::counted(answered - self.redirects, "other answer", "other answers"),
            self.silent
        );
        let count = u32::try_from(answered).unwrap_or(u32::MAX);
        if let (Some(least), Some(most)) = (self.round_trips.iter().min(), self.round_trips.iter().max()) {
            let mean = self.round_trips.iter().sum::<Duration>() / count.max(1);
            text.push_str(&format!(
                "; round trip {} least, {} mean, {} most",
                milliseconds(*least),
                milliseconds(mean),
                milliseconds(*most)
            ));
        }
        text.push('\n');
        text
    }
}

fn answer_text(address: SocketAddr, answered: &Answered, contacts: &[Contact], paint: Paint) -> String {
    let response = &answered.response;
    let status = format!("{} {}", response.status, response.reason);
    let redirect = (300..400).contains(&response.status);
    let status = if redirect { paint.good(status) } else { paint.bad(status) };
    let mut text = format!("{status}  from {address} after {}", milliseconds(answered.round_trip));
    if answered.sent > 1 {
        text.push_str(&format!(", the INVITE was sent {} times", answered.sent));
    }
    text.push('\n');
    for (index, contact) in contacts.iter().enumerate() {
        text.push_str(&format!("{:>3}  q={}  {}", index + 1, q_text(contact), paint.bold(&contact.uri)));
        if !contact.display.is_empty() {
            text.push_str(&format!("  \"{}\"", contact.display));
        }
        for (name, value) in contact.params.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("q")) {
            text.push_str(&format!("  {name}"));
            text.push_str(&value.as_ref().map(|value| format!("={value}")).unwrap_or_default());
        }
        text.push('\n');
    }
    if redirect && contacts.is_empty() {
        text.push_str("     no Contact: the answer redirects to nowhere\n");
    }
    text
}

fn answer_json(address: SocketAddr, answered: &Answered, contacts: &[Contact]) -> Value {
    let contacts: Vec<_> = contacts
        .iter()
        .map(|contact| {
            let params = contact.params.iter().map(|(name, value)| (name.clone(), json!(value)));
            json!({
                "uri": contact.uri,
                "q": f64::from(contact.q_milli()) / 1000.0,
                "display": contact.display,
                "params": params.collect::<serde_json::Map<_, _>>(),
            })
        })
        .collect();
    json!({
        "server": address.to_string(),
        "status": answered.response.status,
        "reason": answered.response.reason,
        "round_trip_ms": answered.round_trip.as_secs_f64() * 1000.0,
        "invites_sent": answered.sent,
        "contacts": contacts,
    })
}

fn trouble_text(address: SocketAddr, trouble: &Trouble, timeout: Duration) -> String {
    match trouble {
        Trouble::Refused => format!(
            "nothing listens on udp:{address}. Start the server (`waypost serve`), or say where it is with --to ADDR:PORT"
        ),
        Trouble::Silent { sent, provisional: None } => format!(
            "no answer from udp:{address} in {timeout:?}; the INVITE was sent {}. Check that the server runs and listens \
             on this address, that no firewall drops UDP on the way there or back, and that no route says \
             `silence` to this call (`waypost explain URI`)",
            output::counted(*sent as usize, "time", "times")
        ),
        Trouble::Silent { provisional: Some(status), .. } => format!(
            "udp:{address} said {status} and no final answer came in {timeout:?}; the call was cancelled. A redirect \
             server sends no 1xx: a proxy or a phone answers there"
        ),
        Trouble::Socket(error) => {
            format!("cannot send to udp:{address}: {error}. Check the address and the route to it")
        }
    }
}

/// `0.990`, and `1.000 (unsaid)` where the answer does not say.
fn q_text(contact: &Contact) -> String {
    let q = contact.q_milli();
    let text = format!("{}.{:03}", q / 1000, q % 1000);
    match contact.param("q") {
        None => format!("{text} (by default)"),
        Some(written) if q == 1000 && !written.is_some_and(|written| written.starts_with('1')) => {
            format!("{text} (cannot read \"{}\")", written.unwrap_or_default())
        }
        Some(_) => text,
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1000.0)
}
