//! Outside. `ctl`: a running server, seen and steered over its admin port.
//!
//! In:    [`CtlArgs`]; the configuration, for where the port is and what token it has.
//! Out:   what the server says, for people or as JSON; [`Exit::Unreachable`] when it says nothing.
//! Never: decides anything itself.

mod args;
pub(crate) mod client;
mod page;

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
    time::Duration,
};

pub(crate) use args::{Calls, Ctl, CtlArgs, CtlDns, CtlExplain, CtlLog, CtlMark};
use clap::ValueEnum as _;
use client::{Ask, Client, Options, Said};
use serde_json::{Map, Value, json};

use super::{
    Exit, adapters,
    args::{Global, LogLevel},
    output::{self, Paint},
};
use crate::{
    config,
    limits::{CTL_MS_MAX, DIFF_BODY_BYTES_MAX, MESSAGE_BYTES_MAX},
};

const JSON: Option<&str> = Some("application/json");

/// Runs one command.
pub(crate) fn run(global: &Global, args: &CtlArgs) -> Exit {
    let config = match adapters::load_config(global) {
        Ok(config) => config,
        Err(findings) => {
            output::diagnostics(&findings);
            return Exit::Usage;
        }
    };
    let Some(admin) = config.admin else {
        return refuse(
            "`admin` is off in this configuration; name the port of the server: --admin ADDR:PORT or --admin unix:PATH",
            Exit::Usage,
        );
    };
    match prepared(&admin, args) {
        Ok((client, ask)) => match client.ask(ask, Duration::from_millis(CTL_MS_MAX)) {
            Ok(said) => report(args, &said),
            Err(why) => refuse(&why, Exit::Unreachable),
        },
        Err(why) => refuse(&why, Exit::Usage),
    }
}

fn refuse(why: &str, exit: Exit) -> Exit {
    output::stderr(&format!("error: {why}"));
    exit
}

fn prepared(admin: &config::Admin, args: &CtlArgs) -> Result<(Client, Ask), String> {
    let options = Options {
        token_file: args.token_file.as_deref(),
        ca: args.ca.as_deref(),
        tls_name: args.tls_name.as_deref(),
    };
    Ok((Client::to(admin, options)?, ask(&args.what)?))
}

/// Prints what the server said.
fn report(args: &CtlArgs, said: &Said) -> Exit {
    let Ok(value) = serde_json::from_slice::<Value>(&said.body) else {
        let shown = output::shown(&said.body);
        return refuse(
            &format!(
                "the server says {} and no JSON; is it a waypost of this version? {}",
                said.status,
                shown.trim()
            ),
            Exit::Refused,
        );
    };
    if args.json {
        output::json(&value);
    }
    if !(200..300).contains(&said.status) {
        if !args.json {
            page::refusal(&value);
        }
        return Exit::Refused;
    }
    if !args.json {
        output::stdout(page::of(&args.what, &value, Paint::of_stdout()).as_bytes());
    }
    Exit::Ok
}

/// The request that a command stands for.
fn ask(what: &Ctl) -> Result<Ask, String> {
    let get = |path: &str| Ask { method: "GET", path: format!("/api/v1/{path}"), ..Ask::default() };
    let post = |path: &str, value: Value| Ask {
        method: "POST",
        path: format!("/api/v1/{path}"),
        media_type: JSON,
        body: value.to_string().into_bytes(),
        ..Ask::default()
    };
    Ok(match what {
        Ctl::Status => get("status"),
        Ctl::Routes { name, limit, from, order } => {
            let number = |number: &Option<usize>| number.map(|number| number.to_string());
            let order = order.and_then(|order| Some(order.to_possible_value()?.get_name().to_owned()));
            let pairs =
                [("name", name.clone()), ("limit", number(limit)), ("from", number(from)), ("order", order)];
            get(&with_query("routes", pairs))
        }
        Ctl::Top { limit } => get(&with_query("top", [("n", limit.map(|limit| limit.to_string()))])),
        Ctl::Tables => get("tables"),
        Ctl::Gateways { mark: None } => get("gateways"),
        Ctl::Gateways { mark: Some(mark) } => {
            let (gateway, mark) = match mark {
                CtlMark::Down(gateway) => (gateway, "down"),
                CtlMark::Up(gateway) => (gateway, "up"),
                CtlMark::Auto(gateway) => (gateway, "auto"),
            };
            post(&format!("gateways/{}/{mark}", escaped(&gateway.name)), json!({}))
        }
        Ctl::Explain(call) => post("explain", explained(call)?),
        Ctl::Diff { calls, format, limit } => diff(calls, *format, *limit)?,
        Ctl::Reload => post("reload", json!({})),
        Ctl::Drain => post("drain", json!({})),
        Ctl::Undrain => post("undrain", json!({})),
        Ctl::Dns { what: CtlDns::Servers } => get("dns"),
        Ctl::Dns { what: CtlDns::Flush { name: Some(name), .. } } => {
            post("dns/flush", json!({ "name": name }))
        }
        Ctl::Dns { what: CtlDns::Flush { name: None, .. } } => post("dns/flush", json!({ "all": true })),
        Ctl::Dns { what: CtlDns::Lookup { name, kind, apex, server } } => {
            let servers = server.iter().map(|server| ("server", Some(server.to_string())));
            let question =
                [("name", Some(name.clone())), ("type", Some(kind.clone())), ("apex", apex.clone())];
            get(&with_query("dns/cache", question.into_iter().chain(servers)))
        }
        Ctl::Log { what: CtlLog::Level { level: None } } => get("log/level"),
        Ctl::Log { what: CtlLog::Level { level: Some(level) } } => {
            post("log/level", json!({ "level": config::LogLevel::from(*level).name() }))
        }
    })
}

fn with_query(path: &str, pairs: impl IntoIterator<Item = (&'static str, Option<String>)>) -> String {
    let pairs = pairs.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", escaped(&value?))));
    let query = pairs.collect::<Vec<_>>().join("&");
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// Everything but what can be mistaken in no query and in no part of a path (RFC 3986 §2.3).
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

fn explained(call: &CtlExplain) -> Result<Value, String> {
    let CtlExplain {
        uri,
        from,
        method,
        listener,
        transport,
        certificate,
        header,
        caller,
        pai,
        call_id,
        at,
        down,
        raw,
    } = call;
    let mut asked = Map::new();
    let mut put = |key: &str, value: Option<String>| {
        asked.extend(value.map(|value| (key.to_owned(), Value::from(value))));
    };
    put("uri", uri.clone());
    put("source", from.map(|from| from.to_string()));
    put("method", method.clone());
    put("listener", listener.clone());
    put("transport", transport.map(|transport| transport.name().to_owned()));
    put("from", caller.clone());
    put("pai", pai.clone());
    put("call_id", call_id.clone());
    put("at", at.clone());
    put("raw", raw.as_deref().map(raw_text).transpose()?);
    if !certificate.is_empty() {
        asked.insert("certificate".to_owned(), certificate.clone().into());
    }
    if !header.is_empty() {
        let headers: Vec<_> = header.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        asked.insert("headers".to_owned(), headers.into());
    }
    if !down.is_empty() {
        asked.insert("down".to_owned(), down.clone().into());
    }
    Ok(asked.into())
}

/// One byte more than a message may have, so that too long is seen as too long.
fn raw_text(path: &Path) -> Result<String, String> {
    let bytes =
        read(path, MESSAGE_BYTES_MAX).map_err(|error| format!("--raw {}: {error}", path.display()))?;
    String::from_utf8(bytes).map_err(|_| {
        format!(
            "--raw {}: is not UTF-8, and JSON has no other bytes; use waypost explain --raw",
            path.display()
        )
    })
}

fn diff(path: &Path, format: Option<Calls>, limit: Option<usize>) -> Result<Ask, String> {
    let body = read(path, DIFF_BODY_BYTES_MAX).map_err(|error| format!("{}: {error}", path.display()))?;
    let is_csv = match format {
        Some(format) => format == Calls::Csv,
        None => path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv")),
    };
    let limit = limit.map(|limit| limit.to_string());
    Ok(Ask {
        method: "POST",
        path: format!("/api/v1/{}", with_query("diff", [("limit", limit)])),
        media_type: Some(if is_csv { "text/csv" } else { "text/plain" }),
        body,
        ..Ask::default()
    })
}

/// A file up to one byte more than the server takes: it says that it is too long.
fn read(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(most).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

impl From<LogLevel> for config::LogLevel {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::Error,
            LogLevel::Warn => Self::Warn,
            LogLevel::Info => Self::Info,
            LogLevel::Debug => Self::Debug,
            LogLevel::Trace => Self::Trace,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn asked(line: &str) -> String {
        let words = line.split_whitespace();
        let Some(Command::Ctl(args)) = Cli::try_parse_from(words).unwrap().command else { panic!("{line}") };
        let Ask { method, path, body, .. } = ask(&args.what).unwrap();
        format!("{method} {path} {}", String::from_utf8(body).unwrap()).trim_end().to_owned()
    }

    #[test]
    fn each_command_is_one_request() {
        for (line, expected) in [
            ("status", "GET /api/v1/status"),
            ("routes --name uk&de --limit 5", "GET /api/v1/routes?name=uk%26de&limit=5"),
            ("routes --order hits", "GET /api/v1/routes?order=hits"),
            ("top", "GET /api/v1/top"),
            ("top --limit 3", "GET /api/v1/top?n=3"),
            ("reload", "POST /api/v1/reload {}"),
            ("gateways", "GET /api/v1/gateways"),
            ("gateways down lon1", "POST /api/v1/gateways/lon1/down {}"),
            ("gateways up a/b?", "POST /api/v1/gateways/a%2Fb%3F/up {}"),
            ("gateways auto lon1", "POST /api/v1/gateways/lon1/auto {}"),
            (
                "explain +44 --down lon1 --down lon2",
                r#"POST /api/v1/explain {"down":["lon1","lon2"],"uri":"sip:+44@localhost"}"#,
            ),
            (
                "dns lookup Example.com srv --server 192.0.2.1",
                "GET /api/v1/dns/cache?name=example.com.&type=srv&server=192.0.2.1%3A53",
            ),
            ("dns flush example.com", r#"POST /api/v1/dns/flush {"name":"example.com."}"#),
            ("dns flush --all", r#"POST /api/v1/dns/flush {"all":true}"#),
            ("dns servers", "GET /api/v1/dns"),
            ("log level", "GET /api/v1/log/level"),
            ("log level debug", r#"POST /api/v1/log/level {"level":"debug"}"#),
            (
                "explain +44 --from 192.0.2.7",
                r#"POST /api/v1/explain {"source":"192.0.2.7:5060","uri":"sip:+44@localhost"}"#,
            ),
        ] {
            assert_eq!(asked(&format!("waypost ctl {line}")), expected);
        }
        for wrong in [
            "waypost ctl",
            "waypost ctl gateways down",
            "waypost ctl dns flush",
            "waypost ctl dns flush a.b --all",
            "waypost ctl log level loud",
        ] {
            assert!(Cli::try_parse_from(wrong.split_whitespace()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_is_read_one_byte_over_what_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("calls");
        for (len, read_len) in [(0, 0), (7, 7), (8, 8), (9, 8)] {
            std::fs::write(&file, vec![b'1'; len]).unwrap();
            assert_eq!(read(&file, 7).unwrap().len(), read_len);
        }
        std::fs::write(&file, b"\xff").unwrap();
        assert!(raw_text(&file).unwrap_err().contains("is not UTF-8"));
    }
}
