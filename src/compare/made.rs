//! Pure. What one table makes of a call.

use crate::{
    decide::{Arrival, Context, NoTrace, Scratch, Settings, Silence, Verdict, decide},
    dns::{Answer, Cache, DnsView, Failure, Question},
    limits::{ANSWER_BYTES_ROOM, QUESTIONS_PER_REQUEST_MAX},
    route::{Down, RouteId, RouteTable},
};

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// This route.
    Route(RouteId),
    /// None: the default refusal, or the server for itself.
    NoRoute,
    /// None: the request is at fault.
    Fault,
}

/// An answer, or that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// These many bytes of the buffer.
    Reply { len: usize, status: u16 },
    /// The metric label of the reason.
    Silence(&'static str),
}

/// One of the two tables, and what it made of the last call.
#[derive(Debug)]
pub(super) struct Side<'a> {
    table: &'a RouteTable,
    scratch: Scratch,
    /// Stays empty: a call that asks DNS gets a cache of its own.
    nothing_known: Cache,
    buffer: Vec<u8>,
    made: Made,
    by: By,
    asks: Vec<Question>,
}

impl<'a> Side<'a> {
    pub(super) fn new(table: &'a RouteTable) -> Self {
        Self {
            table,
            scratch: Scratch::new(),
            nothing_known: Cache::new(),
            buffer: vec![0; ANSWER_BYTES_ROOM],
            made: Made::Silence(""),
            by: By::NoRoute,
            asks: Vec::new(),
        }
    }

    pub(super) fn table(&self) -> &'a RouteTable {
        self.table
    }

    pub(super) fn made(&self) -> Made {
        self.made
    }

    pub(super) fn by(&self) -> By {
        self.by
    }

    /// What DNS would be asked, each question as if those before it had not been answered.
    pub(super) fn asks(&self) -> &[Question] {
        &self.asks
    }

    /// The bytes of the answer; none for silence.
    pub(super) fn answer(&self) -> &[u8] {
        match self.made {
            Made::Reply { len, .. } => self.buffer.get(..len).unwrap_or_default(),
            Made::Silence(_) => &[],
        }
    }

    pub(super) fn decide(&mut self, request: &[u8], arrival: &Arrival<'_>, settings: &Settings, unix_s: i64) {
        let Self { table, scratch, nothing_known, buffer, asks, .. } = self;
        let mut decided = |dns: DnsView<'_>| {
            let context =
                Context { settings, table, dns, unix_s, draining: false, down: Down::NONE, guess: None };
            decide(request, arrival, &context, scratch, &mut NoTrace, buffer)
        };
        asks.clear();
        let verdict = match decided(DnsView::new(nothing_known, 0)) {
            Verdict::Ask(ask) => {
                let cache = failing(ask.questions, asks, &mut decided);
                decided(DnsView::giving_up(&cache, 0))
            }
            verdict => verdict,
        };
        (self.made, self.by) = match verdict {
            Verdict::Reply(reply) => {
                let by = match (reply.route, reply.fault) {
                    (Some(route), _) => By::Route(route),
                    (None, Some(_)) => By::Fault,
                    (None, None) => By::NoRoute,
                };
                (Made::Reply { len: reply.len, status: reply.status }, by)
            }
            Verdict::Silence(silence) => {
                let by = if let Silence::Route(route) = silence { By::Route(route) } else { By::NoRoute };
                (Made::Silence(Silence::label_of(silence.index())), by)
            }
            // A view that gives up knows everything.
            Verdict::Ask(_) => (Made::Silence("asks_dns"), By::NoRoute),
        };
    }
}

/// Lets each question fail in its turn, until no new one comes; collects them.
fn failing(
    first: Vec<Question>,
    asks: &mut Vec<Question>,
    decided: &mut impl FnMut(DnsView<'_>) -> Verdict,
) -> Cache {
    let mut cache = Cache::new();
    let mut questions = first;
    loop {
        for question in questions {
            // A failure that is not kept would be asked for for ever.
            if asks.contains(&question) || asks.len() >= QUESTIONS_PER_REQUEST_MAX {
                return cache;
            }
            cache.insert(question.clone(), Answer::Failed(Failure::Timeout), 0);
            asks.push(question);
        }
        match decided(DnsView::new(&cache, 0)) {
            Verdict::Ask(ask) => questions = ask.questions,
            _ => return cache,
        }
    }
}
