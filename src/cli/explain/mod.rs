//! Outside. `explain`: one request, decided by the code that serves, step by step.
//!
//! In:    [`ExplainArgs`]; configuration and routes as `serve` would read them.
//! Out:   the steps, the questions that DNS would be asked, the exact answer bytes.
//! Never: asks DNS, opens a socket but for --live, or knows a rule of its own.

mod human;
mod json;
mod live;
mod recorder;
#[cfg(test)]
mod samples;

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read as _},
    path::Path,
};

use live::{Kept, Live, Looked};
use recorder::{Recorder, Step};

use super::{
    Exit,
    adapters::{self, Routes},
    args::{ExplainArgs, Global},
    output::{self, Paint},
    target,
};
use crate::{
    config::{Config, Listen},
    control::{client::Message, diff::reached_at, reload::unix_s},
    decide::{Arrival, Context, NoTrace, Scratch, Settings, Silence, Verdict, decide},
    dns::{Answer, Cache, DnsView, Failure},
    limits::{ANSWER_BYTES_ROOM, MESSAGE_BYTES_MAX, QUESTIONS_PER_REQUEST_MAX},
    route::{Down, RouteTable},
};

/// Everything that is known about one request.
#[derive(Debug)]
struct Explanation<'a> {
    table: &'a RouteTable,
    hash: &'a str,
    request: &'a [u8],
    arrival: Arrival<'a>,
    unix_s: i64,
    /// Remarks for people: what was taken for granted.
    notes: Vec<String>,
    /// The server whose DNS cache was looked at.
    live: Option<Live>,
    /// What DNS would be asked, each question as if those before that nobody knows had not been answered.
    questions: Vec<Looked>,
    steps: Vec<Step>,
    verdict: Verdict,
    answer: Vec<u8>,
}

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
    let prepared = arrival(args, &config).and_then(|arrival| Ok((arrival, request(args, &arrival)?)));
    let (arrival, request) = match prepared {
        Ok(prepared) => prepared,
        Err(message) => return refuse(&message, Exit::Usage),
    };
    let live = match args.live.then(|| reach(&config)).transpose() {
        Ok(live) => live,
        Err((message, exit)) => return refuse(&message, exit),
    };
    let live_down = live.as_ref().map(|live| live.down.as_slice()).unwrap_or_default();
    let down = match down(&args.down, live_down, &routes.table) {
        Ok(down) => down,
        Err(message) => return refuse(&message, Exit::Usage),
    };
    let explained = explain(&routes, down, live, &config.settings, &request, arrival, args);
    let explanation = match explained {
        Ok(explanation) => explanation,
        Err(message) => return refuse(&message, Exit::Unreachable),
    };
    if args.json {
        output::json(&json::of(&explanation));
    } else {
        output::stdout(&human::of(&explanation, Paint::of_stdout(), io::stdout().is_terminal()));
    }
    explanation.exit()
}

/// The gateways that are down: those named, and those of the server, which may have other routes.
fn down(named: &[String], live: &[String], table: &RouteTable) -> Result<Down, String> {
    let id = |name: &String| table.gateways.iter().position(|gateway| *gateway.name == **name);
    let found =
        |name| id(name).ok_or_else(|| format!("--down: there is no gateway \"{name}\" in these routes"));
    let named = named.iter().map(found).collect::<Result<Vec<_>, _>>()?;
    Ok(Down::of(named.into_iter().chain(live.iter().filter_map(id))))
}

fn refuse(message: &str, exit: Exit) -> Exit {
    output::stderr(&format!("error: {message}"));
    exit
}

fn reach(config: &Config) -> Result<Live, (String, Exit)> {
    let Some(admin) = config.admin else {
        let message = "--live asks the server at its admin port, and `admin` is off in this configuration; set it there, or name that of the server: --admin ADDR:PORT";
        return Err((message.to_owned(), Exit::Usage));
    };
    Live::reach(reached_at(admin)).map_err(|message| (message, Exit::Unreachable))
}

impl Explanation<'_> {
    fn exit(&self) -> Exit {
        match self.verdict {
            Verdict::Reply(reply) if reply.route.is_some() => Exit::Ok,
            Verdict::Silence(Silence::Route(_)) => Exit::Ok,
            _ => Exit::NoRoute,
        }
    }
}

fn explain<'a>(
    routes: &'a Routes,
    down: Down,
    live: Option<Live>,
    settings: &Settings,
    request: &'a [u8],
    arrival: Arrival<'a>,
    args: &ExplainArgs,
) -> Result<Explanation<'a>, String> {
    let Routes { table, hash, .. } = routes;
    let unix_s = args.at.unwrap_or_else(unix_s);
    let down = &down;
    let questions = questions(routes, down, live.as_ref(), settings, request, &arrival, unix_s)?;
    let mut cache = Cache::new();
    for Looked { question, kept } in &questions {
        if let Some(Kept { answer, .. }) = kept {
            cache.insert(question.clone(), answer.clone(), 0);
        }
    }
    // What is not known counts as not answered in time: what the server does when DNS is down.
    let dns = DnsView::giving_up(&cache, 0);
    let context = Context { settings, table, dns, unix_s, draining: false, down };
    let mut recorder = Recorder::default();
    let mut answer = vec![0; ANSWER_BYTES_ROOM];
    let verdict = decide(request, &arrival, &context, &mut Scratch::new(), &mut recorder, &mut answer);
    answer.truncate(if let Verdict::Reply(reply) = verdict { reply.len } else { 0 });
    let (steps, notes) = (recorder.into_steps(), notes(args, request));
    Ok(Explanation { table, hash, request, arrival, unix_s, notes, live, questions, steps, verdict, answer })
}

/// The questions of the request, each put after those before it have their answer of the live server, or have
/// failed.
fn questions(
    routes: &Routes,
    down: &Down,
    live: Option<&Live>,
    settings: &Settings,
    request: &[u8],
    arrival: &Arrival<'_>,
    unix_s: i64,
) -> Result<Vec<Looked>, String> {
    let table = &routes.table;
    let (mut cache, mut asked) = (Cache::new(), Vec::<Looked>::new());
    let (mut scratch, mut answer) = (Scratch::new(), vec![0; ANSWER_BYTES_ROOM]);
    while asked.len() < QUESTIONS_PER_REQUEST_MAX {
        let dns = DnsView::new(&cache, 0);
        let context = Context { settings, table, dns, unix_s, draining: false, down };
        let verdict = decide(request, arrival, &context, &mut scratch, &mut NoTrace, &mut answer);
        let Verdict::Ask(ask) = verdict else { break };
        for question in ask.questions {
            // A failure that is not kept would be asked for for ever.
            if asked.iter().any(|looked| looked.question == question) {
                return Ok(asked);
            }
            let kept = live.map(|live| live.look(&question)).transpose()?.flatten();
            let failed = || Answer::Failed(Failure::Timeout);
            let answer = kept.as_ref().map_or_else(failed, |kept| kept.answer.clone());
            cache.insert(question.clone(), answer, 0);
            asked.push(Looked { question, kept });
        }
    }
    Ok(asked)
}

fn notes(args: &ExplainArgs, request: &[u8]) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(uri) = args.uri.as_ref().filter(|uri| target::is_made_of_number(uri)) {
        notes.push(format!("a bare number; explaining a call to {uri}"));
    }
    if args.raw.is_some() && !request.is_empty() && !request.windows(2).any(|pair| pair == b"\r\n") {
        notes
            .push("no line of the file ends with CR LF, as those of SIP do (unix2dos makes them)".to_owned());
    }
    if request.len() > MESSAGE_BYTES_MAX {
        notes.push(format!("the file was read up to {} bytes: no longer message is taken", request.len()));
    }
    notes
}

/// The way the request comes: from the flags, the rest as the first fitting listener has it.
fn arrival<'a>(args: &ExplainArgs, config: &'a Config) -> Result<Arrival<'a>, String> {
    let by_transport =
        |listen: &&Listen| args.transport.is_none_or(|transport| listen.transport == transport);
    let listener = match &args.listener {
        Some(name) => config.listen.iter().find(|listen| *listen.name == **name).ok_or_else(|| {
            let names: Vec<_> = config.listen.iter().map(|listen| &*listen.name).collect();
            format!("--listener: there is no listener \"{name}\", expected one of: {}", names.join(", "))
        })?,
        None => config
            .listen
            .iter()
            .find(by_transport)
            .or_else(|| config.listen.first())
            .ok_or("the configuration has no listener")?,
    };
    Ok(Arrival {
        source: args.from,
        local: reached_at(listener.address),
        listener: &listener.name,
        transport: args.transport.unwrap_or(listener.transport),
    })
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

/// The request of the flags. Its branch and tag are fixed: the same flags explain the same request.
fn written(args: &ExplainArgs, uri: &str, arrival: &Arrival<'_>) -> Vec<u8> {
    let from = args.caller.clone().unwrap_or_else(|| format!("<sip:waypost@{}>", arrival.source));
    let mut headers = args.header.clone();
    headers.extend(args.pai.iter().map(|pai| ("P-Asserted-Identity".to_owned(), pai.clone())));
    let message = Message {
        method: &args.method,
        uri,
        transport: &arrival.transport.name().to_ascii_uppercase(),
        local: arrival.source,
        branch: "z9hG4bKexplain",
        from: &from,
        from_tag: "explain",
        to: None,
        call_id: &args.call_id,
        cseq: 1,
        headers: &headers,
    };
    message.request()
}

#[cfg(test)]
mod tests {
    use super::*;

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
