//! Outside. What `enum` found, for people.

use std::net::SocketAddr;

use super::{
    apexes::Verdict,
    asking::Asked,
    enumerate::{Done, Ladder, Shown},
    show,
};
use crate::{
    cli::{
        describe,
        output::{Paint, counted, shown},
    },
    dns::{EnumResult, Nothing, attribute},
    route::Place,
};

pub(super) struct Page<'p> {
    pub(super) asked: &'p [Asked],
    pub(super) paint: Paint,
    pub(super) text: String,
    pub(super) ladder: Ladder,
}

impl Page<'_> {
    /// All of it.
    pub(super) fn of(
        mut self,
        number: &str,
        servers: &[SocketAddr],
        done: &[Done],
        left_out: usize,
    ) -> String {
        let title = self.paint.bold(format!("enum {number}"));
        self.line(0, &title);
        self.line(0, &show::servers(servers));
        for one in done {
            self.line(0, "");
            self.done(one);
        }
        if left_out > 0 {
            let routes = counted(left_out, "more route", "more routes");
            self.line(0, &format!("\n{routes} with enum: not looked at"));
        }
        self.text
    }

    fn line(&mut self, indent: usize, line: &str) {
        self.text.push_str(&" ".repeat(indent));
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn done(&mut self, done: &Done) {
        if let Some((name, Place { file, line, column })) = &done.task.route {
            let place = self.paint.dim(format!("{file}:{line}:{column}"));
            let name = self.paint.bold(shown(name.as_bytes()));
            self.line(0, &format!("route {name}  {place}"));
        }
        for apex in &done.apexes {
            self.apex(apex, done);
        }
        let verdict = result_words(done.result, &done.results);
        self.line(2, &verdict);
        match &done.task.attributes {
            Some(names) => self.attributes(names, &done.results),
            None => self.uris(done),
        }
    }

    fn apex(&mut self, shown_apex: &Shown, done: &Done) {
        let Shown { apex, nodes, is_chosen } = shown_apex;
        self.line(2, &format!("apex {} for {}", apex.name, apex.services.join(", ")));
        if nodes.is_empty() {
            self.line(4, "not asked: the name of this number would be too long");
        }
        for node in nodes {
            let indent = 4 + 2 * node.depth;
            let Some(asked) = self.asked.iter().find(|asked| asked.question == node.question) else {
                let why = if matches!(done.result, EnumResult::Found(_)) {
                    "an apex before it has results"
                } else {
                    "the time was over"
                };
                self.line(indent, &format!("{}: not asked, {why}", describe::question(&node.question)));
                continue;
            };
            self.line(indent, &show::asked(asked));
            for (record, verdict) in &node.records {
                self.line(indent + 2, &show::record(record));
                let words = self.verdict(verdict, *is_chosen, &done.results);
                self.line(indent + 4, &words);
            }
        }
    }

    fn verdict(&self, verdict: &Verdict, is_chosen: bool, results: &[Vec<u8>]) -> String {
        let words = verdict_words(verdict, is_chosen, results);
        if words.is_used { self.paint.good(words.text) } else { words.text }
    }

    fn attributes(&mut self, names: &[Box<str>], results: &[Vec<u8>]) {
        let Some(first) = results.first() else { return };
        for name in names {
            match attribute(first, name.as_bytes()) {
                Some(value) => self.line(4, &format!("set {name} = \"{}\"", shown(value))),
                None => self.line(4, &format!("{name} is not in it")),
            }
        }
    }

    fn uris(&mut self, done: &Done) {
        for (index, uri) in done.results.iter().enumerate() {
            if index >= done.task.contacts_max {
                self.line(4, &format!("left out  {}", shown(uri)));
                continue;
            }
            let q_milli = self.ladder.q_milli(index);
            let uri = self.paint.bold(shown(uri));
            self.line(4, &format!("q={}.{:03}  {uri}", q_milli / 1000, q_milli % 1000));
        }
    }
}

/// A verdict in words.
pub(super) struct Words {
    pub(super) is_used: bool,
    /// A name for programs.
    pub(super) key: &'static str,
    pub(super) text: String,
}

pub(super) fn verdict_words(verdict: &Verdict, is_chosen: bool, results: &[Vec<u8>]) -> Words {
    let (key, text) = match verdict {
        Verdict::Makes(uri) if is_chosen && results.contains(uri) => {
            ("used", format!("used: {}", shown(uri)))
        }
        Verdict::Makes(uri) if is_chosen => {
            ("over_limit", format!("not used: makes {}, behind more records than are tried", shown(uri)))
        }
        Verdict::Makes(uri) => {
            ("not_chosen", format!("not used: makes {}, and another apex is preferred", shown(uri)))
        }
        Verdict::LeadsTo(name) => ("leads_on", format!("not terminal: goes on at {name}")),
        Verdict::OtherFlags => ("other_flags", "cannot be used: its flags are not \"u\"".to_owned()),
        Verdict::OtherService => ("other_service", "wrong service".to_owned()),
        Verdict::NoExpression => {
            ("no_expression", "cannot be used: its regexp field is no expression".to_owned())
        }
        Verdict::NoMatch => {
            ("no_match", "cannot be used: its expression does not match the number".to_owned())
        }
        Verdict::NotCallable(uri) => {
            ("not_callable", format!("cannot be used: makes {}, which no call can go to", shown(uri)))
        }
    };
    Words { is_used: key == "used", key, text }
}

fn result_words(result: EnumResult, results: &[Vec<u8>]) -> String {
    match result {
        EnumResult::Found(_) => format!("found {}, best first", counted(results.len(), "result", "results")),
        EnumResult::NotE164 => "not an E.164 number: never asked for".to_owned(),
        EnumResult::Nothing(Nothing::NxDomain) => {
            "nothing: ENUM does not have this number (NXDOMAIN)".to_owned()
        }
        EnumResult::Nothing(Nothing::NoData) => {
            "nothing: ENUM has this number, without a NAPTR record".to_owned()
        }
        EnumResult::Unusable => "nothing: there are records, and none that can be used".to_owned(),
        EnumResult::Failed(why) => format!("no result: {}", describe::failure(why)),
    }
}
