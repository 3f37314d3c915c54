//! Outside. What a server says over its admin port, for people: aligned, short.
//!
//! In:    its answer in JSON.
//! Out:   text.
//! Never: lets a byte of the server's steer the terminal.

use serde_json::Value;

mod cells;
mod explained;

use cells::{aligned, count, items, lines, moment, plain, table, text, uptime};

use super::{Ctl, CtlDns, CtlLog};
use crate::cli::output::{self, Paint, counted, shown};

/// Everything that a command shows.
pub(super) fn of(what: &Ctl, said: &Value, paint: Paint) -> String {
    match what {
        Ctl::Status => status(said, paint),
        Ctl::Routes { .. } => routes(said),
        Ctl::Tables => tables(said),
        Ctl::Gateways { mark: None } => gateways(said),
        Ctl::Gateways { mark: Some(_) } => marked(said, paint),
        Ctl::Top { .. } => top(said),
        Ctl::Explain(_) => explained::explanation(said, paint),
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
        let since = if gateway["changed_unix_s"].is_null() {
            "-".to_owned()
        } else {
            moment(gateway, "changed_unix_s")
        };
        vec![
            text(gateway, "name"),
            state(gateway).to_owned(),
            by(gateway),
            since,
            text(gateway, "uri"),
            groups.join(", "),
        ]
    };
    table(&["GATEWAY", "STATE", "BY", "SINCE", "URI", "GROUPS"], items(said, "gateways").map(row))
}

fn marked(said: &Value, paint: Paint) -> String {
    let state = if said["up"] == true { paint.good(state(said)) } else { paint.bad(state(said)) };
    format!("{} is {state} (by {})\n", text(said, "name"), by(said))
}

fn state(gateway: &Value) -> &'static str {
    if gateway["up"] == true { "up" } else { "down" }
}

/// What makes a gateway up or down: a mark wins over probes.
fn by(gateway: &Value) -> String {
    match (gateway["mark"] == "auto", gateway["probed"] == true, gateway["last_probe"].is_null()) {
        (false, ..) => "a mark".to_owned(),
        (true, false, _) => "default".to_owned(),
        (true, true, true) => "default, not probed yet".to_owned(),
        (true, true, false) => format!("probes: {}", text(gateway, "last_probe")),
    }
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
    fn gateways_say_why_they_are_up_or_down() {
        let gateway = |name: &str, state: Value| {
            let mut gateway = json!({ "name": name, "uri": "sip:a", "groups": [] });
            gateway.as_object_mut().unwrap().extend(state.as_object().unwrap().clone());
            gateway
        };
        let said = json!({ "generation": 1, "gateways": [
            gateway("a", json!({ "up": true, "mark": "auto", "probed": false, "last_probe": null, "changed_unix_s": null })),
            gateway("b", json!({ "up": false, "mark": "down", "probed": true, "last_probe": "it answers 200", "changed_unix_s": 60 })),
            gateway("c", json!({ "up": true, "mark": "auto", "probed": true, "last_probe": null, "changed_unix_s": null })),
            gateway("d", json!({ "up": false, "mark": "auto", "probed": true, "last_probe": "it does not answer", "changed_unix_s": 61 })),
        ]});
        assert_eq!(
            gateways(&said),
            "GATEWAY  STATE  BY                          SINCE                 URI    GROUPS\n\
             a        up     default                     -                     sip:a\n\
             b        down   a mark                      1970-01-01T00:01:00Z  sip:a\n\
             c        up     default, not probed yet     -                     sip:a\n\
             d        down   probes: it does not answer  1970-01-01T00:01:01Z  sip:a\n"
        );
        assert_eq!(marked(&said["gateways"][1], Paint::off()), "b is down (by a mark)\n");
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
