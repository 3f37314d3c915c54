//! Outside. `explain`: one request, decided by the code that serves, step by step.
//!
//! In:    [`ExplainArgs`]; configuration and routes as `serve` would read them.
//! Out:   the steps, the questions that DNS would be asked, the exact answer bytes.
//! Never: asks DNS, opens a socket but for --live, or knows a rule of its own.

mod human;
mod live;

use std::{
    collections::HashSet,
    fs::File,
    io::{self, IsTerminal as _, Read as _},
    path::Path,
};

use live::Server;

use super::{
    Exit,
    adapters::{self, Routes},
    args::{ExplainArgs, Global},
    output::{self, Paint},
};
use crate::{
    access::Identity,
    config::Config,
    control::{
        explain::{self, Explanation, Subject, Words, fields, told::Told},
        reload::unix_s,
    },
    decide::{Arrival, Settings},
    limits::MESSAGE_BYTES_MAX,
    route::{Down, RouteTable},
};

/// Explains one request.
pub(crate) fn run(global: &Global, args: &ExplainArgs) -> Exit {
    let loaded = adapters::load_config(global)
        .and_then(|config| adapters::load_routes(&config.routes).map(|routes| (config, routes)));
    let (config, routes) = match loaded {
        Ok(loaded) => loaded,
        Err(findings) => {
            output::diagnostics(&findings);
            return Exit::Refused;
        }
    };
    output::diagnostics(&routes.warnings);
    let identity = fields::identity(&args.certificate);
    let prepared =
        arrival(args, &config, identity.as_ref()).and_then(|arrival| Ok((arrival, request(args, &arrival)?)));
    let (arrival, request) = match prepared {
        Ok(prepared) => prepared,
        Err(message) => return refuse(&message, Exit::Usage),
    };
    let live = match args.live.then(|| reach(&config)).transpose() {
        Ok(live) => live,
        Err((message, exit)) => return refuse(&message, exit),
    };
    let live_down = live.as_ref().map(Server::down).unwrap_or_default();
    let down = match down(&args.down, live_down, &routes.table) {
        Ok(down) => down,
        Err(message) => return refuse(&message, Exit::Usage),
    };
    let settings = explain::settings(&config.settings, args.raw.is_some());
    let explained = explain(&routes, &down, live, &settings, &request, arrival, args);
    let explanation = match explained {
        Ok(explanation) => explanation,
        Err(message) => return refuse(&message, Exit::Unreachable),
    };
    if args.json {
        output::json(&serde_json::json!(Told::of(&explanation)));
    } else {
        output::stdout(&human::of(&explanation, Paint::of_stdout(), io::stdout().is_terminal()));
    }
    if explanation.is_by_a_route() { Exit::Ok } else { Exit::NoRoute }
}

/// The gateways that are down: those named, and those of the server, which may have other routes.
fn down(named: &[String], live: &[String], table: &RouteTable) -> Result<Down, String> {
    let named = explain::gateways(named, table).map_err(|why| format!("--down: {why}"))?;
    let live: HashSet<&str> = live.iter().map(String::as_str).collect();
    let gateways = table.gateways.iter().enumerate();
    let live = gateways.filter(|(_, gateway)| live.contains(&*gateway.name)).map(|(id, _)| id);
    Ok(Down::of(named.into_iter().chain(live)))
}

fn refuse(message: &str, exit: Exit) -> Exit {
    output::stderr(&format!("error: {message}"));
    exit
}

fn reach(config: &Config) -> Result<Server, (String, Exit)> {
    let Some(admin) = &config.admin else {
        let message = "--live asks the server at its admin port, and `admin` is off in this configuration; set it there, or name that of the server: --admin ADDR:PORT";
        return Err((message.to_owned(), Exit::Usage));
    };
    Server::reach(admin)
}

fn explain<'a>(
    routes: &'a Routes,
    down: &'a Down,
    live: Option<Server>,
    settings: &'a Settings,
    request: &'a [u8],
    arrival: Arrival<'a>,
    args: &ExplainArgs,
) -> Result<Explanation<'a>, String> {
    let subject = Subject {
        table: &routes.table,
        hash: &routes.hash,
        settings,
        request,
        arrival,
        unix_s: args.at.unwrap_or_else(unix_s),
        down,
        draining: false,
        // Whoever reads it here has the room.
        steps_max: usize::MAX,
    };
    let explained = explain::explain(&subject, &mut |question| {
        live.as_ref().map(|live| live.look(question)).transpose().map(Option::flatten)
    })?;
    Ok(Explanation {
        notes: explain::notes(args.uri.as_deref(), args.raw.is_some().then_some(request)),
        live: live.map(Server::into_told),
        ..explained
    })
}

/// The way the request comes: from the flags, the rest as the first fitting listener has it.
fn arrival<'a>(
    args: &ExplainArgs,
    config: &'a Config,
    identity: Option<&'a Identity>,
) -> Result<Arrival<'a>, String> {
    explain::arrival(&config.listen, args.from, args.listener.as_deref(), args.transport, identity)
        .map_err(|why| if args.listener.is_some() { format!("--listener: {why}") } else { why })
}

fn request(args: &ExplainArgs, arrival: &Arrival<'_>) -> Result<Vec<u8>, String> {
    match (&args.raw, &args.uri) {
        (Some(path), _) => read_raw(path),
        (None, Some(uri)) => Ok(written(args, uri, arrival)),
        (None, None) => Err("expected a URI, a number or --raw FILE".to_owned()),
    }
}

/// One byte more than a message may have, so that too long is seen as too long.
fn read_raw(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MESSAGE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| format!("--raw {}: {error}", path.display()))?;
    Ok(bytes)
}

/// The request of the flags.
fn written(args: &ExplainArgs, uri: &str, arrival: &Arrival<'_>) -> Vec<u8> {
    let words = Words {
        method: &args.method,
        uri,
        caller: args.caller.as_deref(),
        pai: args.pai.as_deref(),
        call_id: &args.call_id,
        headers: &args.header,
    };
    words.request(arrival)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::diff::reached_at;

    #[test]
    fn a_listener_on_every_address_is_reached_at_one() {
        for (bound, reached) in [
            ("0.0.0.0:5060", "127.0.0.1:5060"),
            ("[::]:5070", "[::1]:5070"),
            ("192.0.2.1:5060", "192.0.2.1:5060"),
        ] {
            assert_eq!(reached_at(bound.parse().unwrap()), reached.parse().unwrap());
        }
    }

    #[test]
    fn a_file_is_read_one_byte_over_the_longest_message() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("raw");
        for (len, read) in [
            (0, 0),
            (MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX),
            (MESSAGE_BYTES_MAX + 1, MESSAGE_BYTES_MAX + 1),
            (MESSAGE_BYTES_MAX + 2, MESSAGE_BYTES_MAX + 1),
        ] {
            std::fs::write(&file, vec![b'x'; len]).unwrap();
            assert_eq!(read_raw(&file).unwrap().len(), read);
        }
        assert!(read_raw(&dir.path().join("none")).unwrap_err().starts_with("--raw "));
    }
}
