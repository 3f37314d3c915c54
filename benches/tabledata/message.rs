//! `benches/load`'s requests and checks, with the number of each call from a list: what `flow.rs` of it takes
//! in place of its own.

#[path = "../load/message.rs"]
mod one;

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

pub(crate) use one::{Wrong, said};

use crate::calls::Calls;

/// The list, for all flows. `flow.rs` makes its callers from the command line of `benches/load`, which has
/// no place for it.
pub(crate) static CALLS: OnceLock<Arc<Calls>> = OnceLock::new();

/// As in `benches/load`, but for the fields that the list replaces.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) local: SocketAddr,
    pub(crate) run: u32,
    pub(crate) flow: u64,
    pub(crate) flows: u64,
    pub(crate) uri: String,
    pub(crate) distinct_call_ids: bool,
    pub(crate) first: u64,
    pub(crate) numbers: u64,
    pub(crate) expect: Vec<u16>,
    pub(crate) contact: Option<String>,
}

impl Caller {
    pub(crate) fn write_request(&self, call: u64, out: &mut String) {
        self.one(call).write_request(call, out);
    }

    pub(crate) fn check(&self, answer: &[u8]) -> Result<u64, Wrong> {
        // The branch says which call it is: the list then says what is right for it.
        let branch = format!(";branch=z9hG4bK-{:x}-{}-", self.run, self.flow);
        let text = String::from_utf8_lossy(answer);
        let call = text.split_once(&branch).and_then(|(_, rest)| {
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            rest.get(..end)?.parse().ok()
        });
        self.one(call.ok_or(Wrong::NoBranchOfOurs)?).check(answer)
    }

    pub(crate) fn number(&self, call: u64) -> u64 {
        self.first + (call * self.flows + self.flow) % self.numbers
    }

    fn one(&self, call: u64) -> one::Caller {
        let (mut uri, mut expect, mut contact) =
            (self.uri.clone(), self.expect.clone(), self.contact.clone());
        if let Some(calls) = CALLS.get() {
            let listed = calls.get(self.number(call));
            (uri, expect, contact) = (listed.uri, vec![listed.status], listed.contact);
        }
        one::Caller {
            local: self.local,
            run: self.run,
            flow: self.flow,
            flows: self.flows,
            uri,
            distinct_call_ids: self.distinct_call_ids,
            first: self.first,
            numbers: self.numbers,
            expect,
            contact,
        }
    }
}
