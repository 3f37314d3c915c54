//! Outside. What a server says over its admin port, for people: aligned, short.
//!
//! In:    its answer in JSON.
//! Out:   text.
//! Never: lets a byte of the server's steer the terminal.

use serde_json::Value;

use super::{Ctl, CtlDns, CtlLog};
use crate::cli::output::{self, Paint, counted, shown};

/// Everything that a command shows.
pub(super) fn of(what: &Ctl, said: &Value, paint: Paint) -> String {
    match what {
        Ctl::Status => status(said, paint),
        Ctl::Routes { .. } => routes(said),
        Ctl::Tables => tables(said),
        Ctl::Gateways => gateways(said),
        Ctl::Top { .. } => top(said),
        Ctl::Explain(_) => explanation(said, paint),
        Ctl::Diff { .. } => comparison(said),
        Ctl::Reload => reload(said),
        Ctl::Drain | Ctl::Undrain => format!("{}\n", draining(said)),
        Ctl::Dns { what: CtlDns::Servers } => dns(said),
        Ctl::Dns { what: CtlDns::Lookup { .. } } => lookup(said),
        Ctl::Dns { what: CtlDns::Flush { .. } } => {
            format!("{} forgotten\n", counted(count(said, "forgotten"), "answer", "answers"))
        }
        Ctl::Log { what: CtlLog::Level { .. } } => {
            format!("{} (the configuration: {})\n", text(said, "level"), text(said, "configured"))
        }
    }
}

/// Why the server did not do it, to stderr.
pub(super) fn refusal(said: &Value) {
    output::stderr(&format!("error: {}", lines(&text(said, "error"))));
}

fn status(said: &Value, paint: Paint) -> String {
    let (table, reloads) = (&said["table"], &said["reloads"]);
    let missing: Vec<_> = items(said, "missing").map(plain).collect();
    let ready = match missing.is_empty() {
        true => paint.good("yes"),
        false => format!("{} ({})", paint.bad("no"), missing.join(", ")),
    };
    let listeners: Vec<_> = items(said, "listeners")
        .map(|it| format!("{}:{} ({})", text(it, "transport"), text(it, "address"), text(it, "name")))
        .collect();
    let hash = text(table, "hash");
    let rows = [
        ["version".to_owned(), text(said, "version")],
        ["ready".to_owned(), ready],
        ["since".to_owned(), format!("{} ({})", moment(said, "started_unix_s"), uptime(said))],
        ["listens".to_owned(), listeners.join(", ")],
        ["workers".to_owned(), text(said, "workers")],
        [
            "routes".to_owned(),
            format!(
                "{}, {} gateways, {} tables",
                text(table, "routes"),
                text(table, "gateways"),
                text(table, "tables")
            ),
        ],
        [
            "generation".to_owned(),
            format!(
                "{} of {} ({})",
                text(table, "generation"),
                moment(table, "loaded_unix_s"),
                hash.get(..12).unwrap_or(&hash)
            ),
        ],
        [
            "reloads".to_owned(),
            format!(
                "{} loaded, {} unchanged, {} failed{}",
                text(reloads, "loaded"),
                text(reloads, "unchanged"),
                text(reloads, "failed"),
                if reloads["failing"] == true { paint.bad("; the last one failed") } else { String::new() }
            ),
        ],
    ];
    let mut page = aligned(rows.map(Vec::from));
    for past in items(reloads, "history") {
        page.push_str(&past_reload(past));
    }
    page
}

fn past_reload(past: &Value) -> String {
    let causes: Vec<_> = items(past, "causes").map(plain).collect();
    let mut line =
        format!("  {}  {}, {} ms", moment(past, "unix_s"), text(past, "result"), text(past, "duration_ms"));
    line.push_str(&format!(", for {}", causes.join(" and ")));
    if count(past, "times") > 1 {
        line.push_str(&format!(", {} times", text(past, "times")));
    }
    if let Some(changes) = past.get("changes") {
        line.push_str(&format!(
            ": {} routes added, {} removed",
            text(changes, "added"),
            text(changes, "removed")
        ));
        if !changes["changed"].is_null() {
            line.push_str(&format!(", {} changed", text(changes, "changed")));
        }
    }
    line.push('\n');
    if let Some(error) = past.get("error") {
        line.push_str(&format!("    {}\n", lines(&plain(error)).replace('\n', "\n    ")));
    }
    line
}

fn routes(said: &Value) -> String {
    let head = ["HITS", "LAST", "ROUTE", "LIST", "PLACE"];
    let row = |route: &Value| {
        let last = if route["last_hit_unix_s"].is_null() {
            "-".to_owned()
        } else {
            moment(route, "last_hit_unix_s")
        };
        let place = format!("{}:{}", text(route, "file"), text(route, "line"));
        vec![text(route, "hits"), last, text(route, "name"), text(route, "list"), place]
    };
    let mut page = table(&head, items(said, "routes").map(row));
    let (told, total) = (items(said, "routes").count(), count(said, "total"));
    if told < total {
        page.push_str(&format!("{told} of {total}; for more: --limit N, --from N\n"));
    }
    page
}

fn tables(said: &Value) -> String {
    let row = |table: &Value| {
        vec![
            text(table, "name"),
            text(table, "kind"),
            text(table, "entries"),
            text(table, "bytes"),
            text(table, "file"),
        ]
    };
    table(&["TABLE", "KIND", "ENTRIES", "BYTES", "FILE"], items(said, "tables").map(row))
}

fn gateways(said: &Value) -> String {
    let row = |gateway: &Value| {
        let group = |it: &Value| {
            format!("{} (tier {}, weight {})", text(it, "group"), text(it, "tier"), text(it, "weight"))
        };
        let groups: Vec<_> = items(gateway, "groups").map(group).collect();
        vec![text(gateway, "name"), text(gateway, "uri"), groups.join(", ")]
    };
    table(&["GATEWAY", "URI", "GROUPS"], items(said, "gateways").map(row))
}

fn top(said: &Value) -> String {
    let mut page = format!(
        "{} messages in {} s, reckoned from one in {}\n",
        text(said, "messages"),
        text(said, "window_s"),
        text(said, "one_in")
    );
    for (list, head) in
        [("sources", "SOURCE"), ("numbers", "NUMBER"), ("prefixes", "PREFIX"), ("domains", "DOMAIN")]
    {
        let row = |one: &Value| vec![text(one, "messages"), text(one, "at_least"), text(one, "key")];
        page.push('\n');
        page.push_str(&table(&["MESSAGES", "AT LEAST", head], items(said, list).map(row)));
    }
    page
}

fn dns(said: &Value) -> String {
    let row = |server: &Value| {
        let up = if server["up"] == true { "up" } else { "down" };
        let rtt_us = server["rtt_us"].as_u64();
        let rtt = rtt_us.map_or_else(|| "-".to_owned(), |us| format!("{}.{:03} ms", us / 1000, us % 1000));
        vec![text(server, "address"), up.to_owned(), rtt]
    };
    let mut page = table(&["SERVER", "STATE", "TIME"], items(said, "servers").map(row));
    let cache = &said["cache"];
    page.push_str(&format!(
        "cache: {} answers, {} bytes; {} messages wait for {} questions\n",
        text(cache, "entries"),
        text(cache, "bytes"),
        text(said, "waiting"),
        text(said, "questions_under_way")
    ));
    page
}

fn lookup(said: &Value) -> String {
    let question = format!("{} {}", text(said, "type"), text(said, "name"));
    if said["found"] != true {
        return format!("{question}: not in the cache\n");
    }
    let answer = &said["answer"];
    let age = match said["fresh_for_ms"].as_u64() {
        Some(left_ms) => format!("fresh for {} s", left_ms.div_ceil(1000)),
        None => "stale".to_owned(),
    };
    let mut page = format!("{question}: {}, {age}\n", text(answer, "result"));
    for record in items(answer, "records") {
        let fields = record.as_object().into_iter().flatten();
        let fields: Vec<_> =
            fields.map(|(key, value)| format!("{}={}", shown(key.as_bytes()), plain(value))).collect();
        page.push_str(&format!("  {}\n", fields.join(" ")));
    }
    page
}

fn draining(said: &Value) -> &'static str {
    if said["draining"] == true { "draining: /readyz and OPTIONS say 503" } else { "not draining" }
}

fn reload(said: &Value) -> String {
    let mut page = format!(
        "{}: generation {}, {} routes, {} ms\n",
        text(said, "result"),
        text(said, "generation"),
        text(said, "routes"),
        text(said, "duration_ms")
    );
    for found in items(said, "diagnostics") {
        page.push_str(&format!(
            "{}:{}:{}: {}: {}\n",
            text(found, "file"),
            text(found, "line"),
            text(found, "column"),
            text(found, "severity"),
            text(found, "message")
        ));
    }
    page
}

fn comparison(said: &Value) -> String {
    let mut page = format!(
        "{} calls, {} answered differently, {} skipped\n",
        text(said, "calls"),
        text(said, "differing"),
        text(said, "skipped")
    );
    let pairs = items(said, "routes").filter(|pair| count(pair, "differing") > 0);
    let pairs: Vec<_> =
        pairs.map(|pair| vec![text(pair, "differing"), text(pair, "old"), text(pair, "new")]).collect();
    if !pairs.is_empty() {
        page.push_str(&table(&["CALLS", "OLD ROUTE", "NEW ROUTE"], pairs));
    }
    for one in items(said, "shown") {
        page.push_str(&format!(
            "{}: {} {}: {}: {} -> {}\n",
            text(&one["call"], "place"),
            text(&one["call"], "method"),
            text(&one["call"], "request_uri"),
            text(one, "cause").replace('_', " "),
            side(&one["old"]),
            side(&one["new"])
        ));
    }
    page
}

fn side(side: &Value) -> String {
    let status = if side["status"].is_null() { "silence".to_owned() } else { text(side, "status") };
    let contacts: Vec<_> = items(side, "contacts").map(|contact| text(contact, "uri")).collect();
    if contacts.is_empty() { status } else { format!("{status} {}", contacts.join(", ")) }
}

fn explanation(said: &Value, paint: Paint) -> String {
    let first = text(said, "request");
    let first =
        plain(said.get("request").unwrap_or(&Value::Null)).lines().next().map_or(first, str::to_owned);
    let mut page = format!("{}\n", paint.bold(first.split("\\x0d").next().unwrap_or(&first)));
    page.push_str(&format!(
        "from {} to {} (listener \"{}\", {}), generation {}\n",
        text(said, "from"),
        text(said, "to"),
        text(said, "listener"),
        text(said, "transport"),
        text(&said["live"], "generation")
    ));
    for note in items(said, "notes") {
        page.push_str(&format!("note: {}\n", plain(note)));
    }
    items(said, "steps").for_each(|one| page.push_str(&step(one, paint)));
    if said.get("steps_left_out").is_some() {
        page.push_str(&format!("and {} steps more\n", text(said, "steps_left_out")));
    }
    page.push('\n');
    for question in items(&said["live"], "dns") {
        let state = match (question["found"] == true, question["stale"] == true) {
            (false, _) => "not in the cache: the server would ask",
            (true, true) => "stale",
            (true, false) => "fresh",
        };
        page.push_str(&format!("DNS {}: {state}\n", text(question, "question")));
    }
    page.push_str(&verdict(&said["verdict"]));
    page
}

fn step(step: &Value, paint: Paint) -> String {
    let route = || {
        format!(
            "{}  {}:{}",
            text(&step["route"], "name"),
            text(&step["route"], "file"),
            text(&step["route"], "line")
        )
    };
    match step["step"].as_str().unwrap_or_default() {
        "list" => format!("\nlist {}\n", text(step, "list")),
        "route" => format!("  route {}\n", route()),
        "condition" => {
            let holds = if step["holds"] == true { paint.good("yes") } else { paint.bad("no ") };
            format!("    {holds}  {}: saw \"{}\"\n", text(step, "condition"), text(step, "saw"))
        }
        "table" => match step["row"].as_object() {
            None => format!("    table {}: \"{}\" is not in it\n", text(step, "table"), text(step, "key")),
            Some(_) => format!(
                "    table {}: \"{}\" hits {}\n",
                text(step, "table"),
                text(step, "key"),
                text(&step["row"], "matched")
            ),
        },
        "set" => format!("    set  {} = \"{}\"\n", text(step, "name"), text(step, "value")),
        "acts" => format!("    =>   {}\n", paint.good(text(step, "does"))),
        "contact" => format!("    contact  q={}  {}\n", text(step, "q"), text(step, "uri")),
        "dropped" => format!("    dropped  {}: {}\n", text(step, "uri"), text(step, "why")),
        _ => format!("    note {}\n", text(step, "note")),
    }
}

fn verdict(verdict: &Value) -> String {
    match verdict["kind"].as_str().unwrap_or_default() {
        "reply" => {
            let by = if verdict["route"].is_null() {
                "no route".to_owned()
            } else {
                text(&verdict["route"], "name")
            };
            let answer = verdict["answer"].as_str().unwrap_or_default();
            format!(
                "answer {} by {by}, to {}\n\n{}",
                text(verdict, "status"),
                text(verdict, "to"),
                output::shown_message(answer.as_bytes())
            )
        }
        "silence" => format!("no answer: {}\n", text(verdict, "why")),
        _ => "no answer: it waits for DNS\n".to_owned(),
    }
}

/// Rows under a head.
fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let head = head.iter().map(|word| (*word).to_owned()).collect();
    aligned(std::iter::once(head).chain(rows))
}

/// Columns as wide as their widest cell; the last one as it is.
fn aligned(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let rows: Vec<_> = rows.into_iter().collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut page = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        page.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        page.push('\n');
    }
    page
}

fn items<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn count(value: &Value, key: &str) -> usize {
    value.get(key).and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok()).unwrap_or_default()
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).map_or_else(|| "?".to_owned(), plain)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => shown(text.as_bytes()),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

/// Line ends as they are.
fn lines(text: &str) -> String {
    text.replace("\\x0a", "\n")
}

fn moment(value: &Value, key: &str) -> String {
    let unix_s = value.get(key).and_then(Value::as_i64).unwrap_or_default();
    jiff::Timestamp::from_second(unix_s).map_or_else(|_| unix_s.to_string(), |at| at.to_string())
}

fn uptime(said: &Value) -> String {
    let s = count(said, "uptime_s");
    let (days, hours, minutes) = (s / 86_400, s / 3_600 % 24, s / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{s} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_aligned_and_nothing_steers_the_terminal() {
        let said = json!({ "generation": 1, "tables": [
            { "name": "ported", "kind": "exact", "entries": 12, "bytes": 4096, "file": "data/ported.csv" },
            { "name": "a\u{1b}[31m", "kind": "rates", "entries": 1_000_000, "bytes": 1, "file": "r" },
        ]});
        assert_eq!(
            tables(&said),
            "TABLE      KIND   ENTRIES  BYTES  FILE\n\
             ported     exact  12       4096   data/ported.csv\n\
             a\\x1b[31m  rates  1000000  1      r\n"
        );
    }

    #[test]
    fn routes_say_when_there_are_more() {
        let route = json!({ "name": "uk", "list": "routes", "file": "a.yaml", "line": 3, "hits": 7, "last_hit_unix_s": 60 });
        let quiet = json!({ "name": "de", "list": null, "file": "a.yaml", "line": 9, "hits": 0, "last_hit_unix_s": null });
        assert_eq!(
            routes(&json!({ "generation": 1, "total": 3, "routes": [route, quiet] })),
            "HITS  LAST                  ROUTE  LIST    PLACE\n\
             7     1970-01-01T00:01:00Z  uk     routes  a.yaml:3\n\
             0     -                     de     -       a.yaml:9\n\
             2 of 3; for more: --limit N, --from N\n"
        );
    }

    #[test]
    fn the_top_ones_come_in_four_lists() {
        let one = json!({ "key": "192.0.2.1", "messages": 64, "at_least": 32 });
        let said = json!({ "window_s": 60, "one_in": 32, "messages": 64, "sources": [one], "numbers": [],
            "prefixes": [], "domains": [{ "key": "a\u{1b}", "messages": 32, "at_least": 32 }] });
        assert_eq!(
            top(&said),
            "64 messages in 60 s, reckoned from one in 32\n\n\
             MESSAGES  AT LEAST  SOURCE\n64        32        192.0.2.1\n\n\
             MESSAGES  AT LEAST  NUMBER\n\n\
             MESSAGES  AT LEAST  PREFIX\n\n\
             MESSAGES  AT LEAST  DOMAIN\n32        32        a\\x1b\n"
        );
    }

    #[test]
    fn times_are_as_long_as_they_need_to_be() {
        for (uptime_s, expected) in [(59, "59 s"), (61, "1 min"), (3_700, "1 h 1 min"), (180_000, "2 d 2 h")]
        {
            assert_eq!(uptime(&json!({ "uptime_s": uptime_s })), expected);
        }
    }
}
