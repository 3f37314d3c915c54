//! Outside. An explanation for people.

use crate::{
    cli::output::{Paint, counted, shown},
    control::explain::{Explanation, Live, describe, recorder::Step},
    decide::{Reply, Verdict},
    route::{Condition, RouteId, RouteTable, Row, TableId},
};

/// All of it: text, then the answer's bytes as they are. On a terminal the bytes of the answer are
/// made harmless; into a file or pipe they go untouched.
pub(super) fn of(explanation: &Explanation<'_>, paint: Paint, terminal: bool) -> Vec<u8> {
    let mut page = Page { table: explanation.table, paint, text: String::new(), at: None };
    page.head(explanation);
    for step in &explanation.steps {
        page.step(step);
    }
    page.end(explanation);
    let mut bytes = page.text.into_bytes();
    if terminal {
        bytes.extend(crate::cli::output::shown_message(&explanation.answer).as_bytes());
    } else {
        bytes.extend(&explanation.answer);
    }
    bytes
}

struct Page<'a> {
    table: &'a RouteTable,
    paint: Paint,
    text: String,
    /// The route being looked at.
    at: Option<RouteId>,
}

impl Page<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn head(&mut self, explanation: &Explanation<'_>) {
        let Explanation { arrival, request, unix_s, .. } = explanation;
        let first = request.split(|byte| *byte == b'\r' || *byte == b'\n').next().unwrap_or_default();
        let first = shown(first);
        let title = self.paint.bold(first.strip_suffix(" SIP/2.0").unwrap_or(&first));
        self.line(&title);
        let time =
            jiff::Timestamp::from_second(*unix_s).map_or_else(|_| unix_s.to_string(), |at| at.to_string());
        let transport = match arrival.identity {
            Some(names) => format!("{}, certificate {}", arrival.transport.name(), names.join(", ")),
            None => arrival.transport.name().to_owned(),
        };
        self.line(&format!(
            "from {} to {} (listener \"{}\", {transport}), at {time}",
            arrival.source, arrival.local, arrival.listener
        ));
        if let Some(live) = &explanation.live {
            self.live(live, explanation.hash);
        }
        for note in &explanation.notes {
            self.line(&format!("note: {note}"));
        }
    }

    fn live(&mut self, live: &Live, hash: &str) {
        let Live { admin, generation, routes_hash, .. } = live;
        self.line(&format!(
            "live: DNS as the cache of the server at {admin} has it; its routes are generation {generation}"
        ));
        if routes_hash != hash {
            let warning = self.paint.bad("warning: the server has other routes than these");
            self.line(&format!(
                "{warning} (hash {}, here {}): reload it, or explain its own directory",
                short(routes_hash),
                short(hash)
            ));
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Access(standing) => {
                let words = describe::standing(*standing, self.table);
                self.line(&format!("access {}", shown(words.as_bytes())));
            }
            Step::List(list) => {
                let name = self.table.lists.get(*list).map_or("?", |list| &list.name);
                self.line(&format!("\nlist {name}"));
            }
            Step::Route(route) => self.route(*route),
            Step::Condition { index, saw, holds } => self.condition(*index, saw, *holds),
            Step::LookedUp { table, key, row } => self.looked_up(*table, key, *row),
            Step::Set { name, value } => self.line(&format!("    set  {name} = {}", quoted(value))),
            Step::Acts(route) => {
                let then = self.table.routes.get(*route).map(|route| describe::then(&route.then, self.table));
                let acts = self.paint.good(then.unwrap_or_default());
                self.line(&format!("    =>   {acts}"));
            }
            Step::Contact { uri, q_milli } => {
                let uri = self.paint.bold(shown(uri));
                self.line(&format!("    contact  q={}.{:03}  {uri}", q_milli / 1000, q_milli % 1000));
            }
            Step::Dropped { uri, why } => self.line(&format!("    dropped  {}: {why}", shown(uri))),
            Step::Down(gateway) => {
                let name = describe::gateway(*gateway, self.table);
                self.line(&format!("    down     {}: left out", self.paint.bad(name)));
            }
            Step::Note(what) => self.line(&format!("    note {}", shown(what.as_bytes()))),
        }
    }

    fn route(&mut self, id: RouteId) {
        self.at = Some(id);
        let Some(route) = self.table.routes.get(id) else { return };
        let place = format!("{}:{}:{}", route.place.file, route.place.line, route.place.column);
        let line =
            format!("  route {}  {}", self.paint.bold(shown(route.name.as_bytes())), self.paint.dim(place));
        self.line(&line);
        if route.when.is_empty() {
            let yes = self.paint.good("yes");
            self.line(&format!("    {yes}  no condition"));
        }
    }

    fn condition(&mut self, index: usize, saw: &[u8], holds: bool) {
        let words = match condition(self.table, self.at, index) {
            Some(condition) => describe::condition(condition, self.table),
            None => format!("condition {}", index + 1),
        };
        let verdict = if holds { self.paint.good("yes") } else { self.paint.bad("no ") };
        let saw = if saw.is_empty() { "nothing".to_owned() } else { quoted(saw) };
        self.line(&format!("    {verdict}  {words}: saw {saw}"));
    }

    fn looked_up(&mut self, id: TableId, key: &[u8], row: Option<Row>) {
        let Some(table) = self.table.tables.get(id) else { return };
        let Some(row) = row else {
            return self.line(&format!("    table {}: {} is not in it", table.name(), quoted(key)));
        };
        let columns = table.columns().iter().enumerate();
        let columns: Vec<_> = columns
            .map(|(column, name)| format!("{name}={}", shown(&describe::cell(table, row, column))))
            .collect();
        let hit = self.paint.bold(shown(&describe::key(table, row)));
        self.line(&format!("    table {}: {} hits {hit}: {}", table.name(), quoted(key), columns.join(", ")));
    }

    fn end(&mut self, explanation: &Explanation<'_>) {
        self.line("");
        self.questions(explanation);
        match &explanation.verdict {
            Verdict::Reply(reply) => self.reply(reply, &explanation.answer),
            Verdict::Silence(why) => {
                self.line(&format!("no answer: {}", describe::silence(*why, self.table)));
            }
            // Given up on DNS, a decision asks no more.
            Verdict::Ask(ask) => {
                let questions: Vec<_> = ask.questions.iter().map(describe::question).collect();
                self.line(&format!("no answer: it waits for {}", questions.join(", ")));
            }
        }
    }

    fn questions(&mut self, explanation: &Explanation<'_>) {
        let Explanation { questions, live, .. } = explanation;
        if questions.is_empty() {
            return;
        }
        if live.is_some() {
            self.line("DNS as the server knows it (what is not in its cache counts above as not answered)");
            for looked in questions {
                self.line(&format!("  {}", looked.line()));
            }
        } else {
            self.line("DNS would be asked (explain asks nobody: the steps above are those of a DNS that does not answer)");
            for looked in questions {
                self.line(&format!("  would ask: {}", describe::question(&looked.question)));
            }
        }
        self.line("");
    }

    fn reply(&mut self, reply: &Reply, answer: &[u8]) {
        let by = match (reply.route.and_then(|route| self.table.routes.get(route)), reply.fault) {
            (Some(route), _) => format!("by route {}", shown(route.name.as_bytes())),
            (None, Some(fault)) => {
                format!("before any route: the request is at fault ({})", describe::fault(fault))
            }
            (None, None) => "by no route".to_owned(),
        };
        let length = counted(answer.len(), "byte", "bytes");
        let mut line = format!("answer {} {by}, {length} to {}", reply.status, reply.to);
        if reply.contacts_trimmed > 0 {
            let count = counted(reply.contacts_trimmed.into(), "Contact", "Contacts");
            line.push_str(&format!(", {count} left out for the limits"));
        }
        if reply.contacts_dropped > 0 {
            let count = counted(reply.contacts_dropped.into(), "Contact", "Contacts");
            line.push_str(&format!(", {count} dropped"));
        }
        if reply.headers_trimmed > 0 {
            let count = counted(reply.headers_trimmed.into(), "header", "headers");
            line.push_str(&format!(", {count} left out for the limits"));
        }
        self.line(&line);
        self.line("");
    }
}

/// Enough of a hash to tell two apart.
fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

fn condition(table: &RouteTable, route: Option<RouteId>, index: usize) -> Option<&Condition> {
    table.routes.get(route?)?.when.get(index)
}

fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", shown(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::explain::samples;

    #[test]
    fn an_explanation_is_read_from_top_to_bottom() {
        let table = samples::table();
        let explanation = samples::explanation(&table);
        let page = String::from_utf8(of(&explanation, Paint::off(), false)).unwrap();
        assert_eq!(
            page,
            "INVITE sip:\\x1b@h
from 192.0.2.7:5060 to 127.0.0.1:5060 (listener \"core\", udp), at 1970-01-01T00:01:00Z
note: remark

list routes
  route first  a.yaml:2:5
    no   transport is tcp: saw \"udp\"
  route second  a.yaml:4:5
    yes  no condition
    set  rn = \"+44\"
    =>   answers 302
    contact  q=0.990  sip:a@b
    dropped  sip:c@d: the Request-URI again
    down     ?: left out
    note a remark of the decision

answer 302 by route second, 22 bytes to 192.0.2.7:5060, 1 Contact left out for the limits, 2 Contacts dropped

SIP/2.0 302 \x1bMoved\r\n\r\n"
        );
    }

    #[test]
    fn on_a_terminal_the_answer_is_harmless() {
        let table = samples::table();
        let page = String::from_utf8(of(&samples::explanation(&table), Paint::off(), true)).unwrap();
        assert!(page.ends_with("\nSIP/2.0 302 \\x1bMoved\n\n"), "{page}");
    }

    #[test]
    fn silence_says_why() {
        let table = samples::table();
        let mut explanation = samples::explanation(&table);
        explanation.verdict = Verdict::Silence(crate::decide::Silence::Ack);
        explanation.answer.clear();
        let page = String::from_utf8(of(&explanation, Paint::off(), false)).unwrap();
        assert!(page.ends_with("\nno answer: an ACK is never answered\n"), "{page}");
    }
}
