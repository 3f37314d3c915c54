//! Outside. One request, decided by the code that serves, step by step: for `waypost explain` and for the admin port.
//!
//! In:    a request and the way it comes, a table, what is known of DNS.
//! Out:   the steps, the questions that DNS would be asked, the exact answer bytes.
//! Never: asks DNS, opens a socket, knows a rule of its own.

pub(crate) mod describe;
pub(crate) mod fields;
pub(crate) mod looked;
pub(crate) mod recorder;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod told;

use std::collections::HashMap;

use looked::{Known, Looked};
use recorder::{Recorder, Step};

use crate::{
    access::Identity,
    config::Listen,
    control::{client::Message, diff::reached_at},
    decide::{Arrival, Context, NoTrace, Scratch, Settings, Silence, Verdict, decide},
    dns::{Answer, Cache, DnsView, Failure, Question},
    limits::{ANSWER_BYTES_ROOM, MESSAGE_BYTES_MAX, QUESTIONS_PER_REQUEST_MAX},
    route::{Down, GatewayId, RouteTable, Transport},
};

/// Everything that is known about one request.
#[derive(Debug)]
pub(crate) struct Explanation<'a> {
    pub(crate) table: &'a RouteTable,
    pub(crate) hash: &'a str,
    pub(crate) request: &'a [u8],
    pub(crate) arrival: Arrival<'a>,
    pub(crate) unix_s: i64,
    /// Remarks for people: what was taken for granted.
    pub(crate) notes: Vec<String>,
    /// The server whose DNS cache was looked at.
    pub(crate) live: Option<Live>,
    /// What DNS would be asked, each question as if those before that nobody knows had not been answered.
    pub(crate) questions: Vec<Looked>,
    pub(crate) steps: Vec<Step>,
    /// Steps for which there was no room.
    pub(crate) steps_left_out: usize,
    pub(crate) verdict: Verdict,
    pub(crate) answer: Vec<u8>,
}

/// A server that runs.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// Its admin port.
    pub(crate) admin: String,
    /// Of the routes in service.
    pub(crate) generation: u64,
    pub(crate) routes_hash: String,
}

/// What is to be explained.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) table: &'a RouteTable,
    pub(crate) hash: &'a str,
    pub(crate) settings: &'a Settings,
    pub(crate) request: &'a [u8],
    pub(crate) arrival: Arrival<'a>,
    pub(crate) unix_s: i64,
    /// Gateways that are down.
    pub(crate) down: &'a Down,
    /// As the server does that drains.
    pub(crate) draining: bool,
    pub(crate) steps_max: usize,
}

/// What is known of a question: `None` for nothing; an error ends the explanation.
pub(crate) type Look<'l> = dyn FnMut(&Question) -> Result<Option<Known>, String> + 'l;

impl Explanation<'_> {
    /// Whether a route has answered, or said to be silent.
    pub(crate) fn is_by_a_route(&self) -> bool {
        match self.verdict {
            Verdict::Reply(reply) => reply.route.is_some(),
            Verdict::Silence(why) => matches!(why, Silence::Route(_)),
            Verdict::Ask(_) => false,
        }
    }
}

/// The settings with which a request is explained. One that was made of words is not as long as those that come: its
/// answer is not judged by its length.
pub(crate) fn settings(settings: &Settings, is_as_it_came: bool) -> Settings {
    let most = settings.amplification_max_milli.filter(|_| is_as_it_came);
    Settings { amplification_max_milli: most, ..settings.clone() }
}

/// Explains one request. `look` knows what DNS has said; what it does not know counts as not answered in time.
pub(crate) fn explain<'a>(subject: &Subject<'a>, look: &mut Look<'_>) -> Result<Explanation<'a>, String> {
    let Subject { table, hash, settings, request, arrival, unix_s, down, draining, steps_max } = *subject;
    let questions = questions(subject, look)?;
    let mut cache = Cache::new();
    for Looked { question, kept } in &questions {
        if let Some(Known { answer, .. }) = kept {
            cache.insert(question.clone(), answer.clone(), 0);
        }
    }
    // What is not known counts as not answered in time: what the server does when DNS is down.
    let dns = DnsView::giving_up(&cache, 0);
    let context = Context { settings, table, dns, unix_s, draining, down, guess: None };
    let mut recorder = Recorder::of(steps_max);
    let mut answer = vec![0; ANSWER_BYTES_ROOM];
    let verdict = decide(request, &arrival, &context, &mut Scratch::new(), &mut recorder, &mut answer);
    answer.truncate(if let Verdict::Reply(reply) = verdict { reply.len } else { 0 });
    let (steps, steps_left_out) = recorder.into_steps();
    Ok(Explanation {
        table,
        hash,
        request,
        arrival,
        unix_s,
        notes: Vec::new(),
        live: None,
        questions,
        steps,
        steps_left_out,
        verdict,
        answer,
    })
}

/// The questions of the request, each put after those before it have their answer, or have failed.
fn questions(subject: &Subject<'_>, look: &mut Look<'_>) -> Result<Vec<Looked>, String> {
    let Subject { table, settings, request, arrival, unix_s, down, draining, .. } = *subject;
    let (mut cache, mut asked) = (Cache::new(), Vec::<Looked>::new());
    let (mut scratch, mut answer) = (Scratch::new(), vec![0; ANSWER_BYTES_ROOM]);
    while asked.len() < QUESTIONS_PER_REQUEST_MAX {
        let dns = DnsView::new(&cache, 0);
        let context = Context { settings, table, dns, unix_s, draining, down, guess: None };
        let verdict = decide(request, &arrival, &context, &mut scratch, &mut NoTrace, &mut answer);
        let Verdict::Ask(ask) = verdict else { break };
        for question in ask.questions {
            // A failure that is not kept would be asked for for ever.
            if asked.iter().any(|looked| looked.question == question) {
                return Ok(asked);
            }
            let kept = look(&question)?;
            let failed = || Answer::Failed(Failure::Timeout);
            let answer = kept.as_ref().map_or_else(failed, |kept| kept.answer.clone());
            cache.insert(question.clone(), answer, 0);
            asked.push(Looked { question, kept });
        }
    }
    Ok(asked)
}

/// The gateways of these names, of which each must be in the table.
pub(crate) fn gateways(names: &[String], table: &RouteTable) -> Result<Vec<GatewayId>, String> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let gateways = table.gateways.iter().enumerate();
    let ids: HashMap<&str, GatewayId> = gateways.map(|(id, gateway)| (&*gateway.name, id)).collect();
    let found = |name: &String| {
        let id = ids.get(&**name).copied();
        id.ok_or_else(|| format!("there is no gateway \"{name}\" in these routes"))
    };
    names.iter().map(found).collect()
}

/// What was taken for granted: of a Request-URI that was made, of the bytes of a whole request that was given.
pub(crate) fn notes(uri: Option<&str>, raw: Option<&[u8]>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(uri) = uri.filter(|uri| fields::is_made_of_number(uri)) {
        notes.push(format!("a bare number; explaining a call to {uri}"));
    }
    if raw.is_some_and(|raw| !raw.is_empty() && !raw.windows(2).any(|pair| pair == b"\r\n")) {
        notes
            .push("no line of the file ends with CR LF, as those of SIP do (unix2dos makes them)".to_owned());
    }
    if raw.is_some_and(|raw| raw.len() > MESSAGE_BYTES_MAX) {
        notes.push(format!(
            "the file was read up to {MESSAGE_BYTES_MAX_AND_ONE} bytes: no longer message is taken"
        ));
    }
    notes
}

const MESSAGE_BYTES_MAX_AND_ONE: usize = MESSAGE_BYTES_MAX + 1;

/// The way a request comes: to the listener of this name; without one, to the first of its transport, which is TLS where a
/// certificate is shown. The error names the listeners that there are.
pub(crate) fn arrival<'a>(
    listen: &'a [Listen],
    source: std::net::SocketAddr,
    name: Option<&str>,
    transport: Option<Transport>,
    identity: Option<&'a Identity>,
) -> Result<Arrival<'a>, String> {
    let transport = match identity {
        Some(_) if name.is_none() => transport.or(Some(Transport::Tls)),
        _ => transport,
    };
    let by_transport = |one: &&Listen| transport.is_none_or(|transport| one.transport == transport);
    let listener = match name {
        Some(name) => listen.iter().find(|one| &*one.name == name).ok_or_else(|| {
            let names: Vec<_> = listen.iter().map(|one| &*one.name).collect();
            format!("there is no listener \"{name}\", expected one of: {}", names.join(", "))
        })?,
        None => listen
            .iter()
            .find(by_transport)
            .or_else(|| listen.first())
            .ok_or("the configuration has no listener")?,
    };
    let transport = transport.unwrap_or(listener.transport);
    if identity.is_some() && transport != Transport::Tls {
        return Err(format!(
            "a certificate is shown over tls only, and this request comes over {}",
            transport.name()
        ));
    }
    Ok(Arrival {
        source,
        local: reached_at(listener.address),
        listener: &listener.name,
        transport,
        identity: identity.map(Identity::names),
    })
}

/// A request in a few words; all of them checked by [`fields`].
#[derive(Debug)]
pub(crate) struct Words<'w> {
    pub(crate) method: &'w str,
    pub(crate) uri: &'w str,
    pub(crate) caller: Option<&'w str>,
    pub(crate) pai: Option<&'w str>,
    pub(crate) call_id: &'w str,
    pub(crate) headers: &'w [(String, String)],
}

/// The Call-ID where nobody says another one.
pub(crate) const CALL_ID: &str = "explain@waypost";

impl Words<'_> {
    /// The whole request. Its branch and tag are fixed: the same words explain the same request.
    pub(crate) fn request(&self, arrival: &Arrival<'_>) -> Vec<u8> {
        let ours = format!("<sip:waypost@{}>", arrival.source);
        let mut headers = self.headers.to_vec();
        headers.extend(self.pai.iter().map(|pai| ("P-Asserted-Identity".to_owned(), (*pai).to_owned())));
        let message = Message {
            method: self.method,
            uri: self.uri,
            transport: &arrival.transport.name().to_ascii_uppercase(),
            local: arrival.source,
            branch: "z9hG4bKexplain",
            from: self.caller.unwrap_or(&ours),
            from_tag: "explain",
            to: None,
            call_id: self.call_id,
            cseq: 1,
            headers: &headers,
        };
        message.request()
    }
}
