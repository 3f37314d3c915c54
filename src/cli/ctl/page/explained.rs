//! Outside. An explanation of the server's, step by step.
//!
//! In:    the answer to `POST /api/v1/explain`.
//! Out:   text, nearly that of `waypost explain`.
//! Never: lets a byte of the server's steer the terminal.

use serde_json::Value;

use super::cells::{items, plain, text};
use crate::cli::output::{self, Paint};

pub(super) fn explanation(said: &Value, paint: Paint) -> String {
    let first = text(said, "request");
    let first =
        plain(said.get("request").unwrap_or(&Value::Null)).lines().next().map_or(first, str::to_owned);
    let mut page = format!("{}\n", paint.bold(first.split("\\x0d").next().unwrap_or(&first)));
    let names: Vec<String> = items(said, "certificate").map(plain).collect();
    let transport = match said.get("certificate") {
        Some(_) => format!("{}, certificate {}", text(said, "transport"), names.join(", ")),
        None => text(said, "transport"),
    };
    page.push_str(&format!(
        "from {} to {} (listener \"{}\", {}), generation {}\n",
        text(said, "from"),
        text(said, "to"),
        text(said, "listener"),
        transport,
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
        "down" => format!("    down     {}: left out\n", paint.bad(text(step, "gateway"))),
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
