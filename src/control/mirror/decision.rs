//! Outside. The log of decisions: one line for each message of the calls that are sampled.
//!
//! In:    what was decided.
//! Out:   lines at `info` with the target `waypost::decision`.
//! Never: shows more of a number than the configuration allows; lets a byte of a message end a line or begin a field.

use crate::{
    compare::contacts,
    config::Decisions,
    decide::Silence,
    net::{End, Record},
};

use super::{call::Call, escape::Escaped, redact::Redactor};

/// Writes the lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct DecisionLog {
    redactor: Redactor,
}

impl DecisionLog {
    pub(super) fn new(decisions: Decisions, key: [u8; 16]) -> Self {
        let Decisions { numbers, one_in: _ } = decisions;
        Self { redactor: Redactor { numbers, key } }
    }

    pub(super) fn write(&self, record: &Record, call: &Call<'_>) {
        use tracing::field::display;
        let path = record.path();
        let user = |user: &[u8]| display(self.redactor.show(user).to_string());
        let (status, silence) = match record.end() {
            End::Answer(status) => (Some(status), None),
            End::Silence(silence) => (None, Some(Silence::label_of(silence.index()))),
        };
        tracing::info!(
            target: "waypost::decision",
            // The same for all messages of a call, on every node: those of its packets in Homer have one Call-ID.
            call = %format_args!("{:016x}", record.draw()),
            source = %path.source,
            transport = %path.transport.name(),
            method = %Escaped(call.method.unwrap_or(b"unreadable")),
            called = call.called.map(user),
            caller = call.caller.map(user),
            domain = call.domain.map(|domain| display(Escaped(domain))),
            route = record.route(),
            status,
            contacts = status.map(|_| contacts(record.answer()).len()),
            silence = silence.map(display),
            "decided"
        );
    }
}
