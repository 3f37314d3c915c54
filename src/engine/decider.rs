//! Deterministic. What the engine asks for a verdict: [`decide`] with its memory. Tests bring others,
//! so that waiting is tested without SIP.

use crate::decide::{Arrival, Context, NoTrace, Scratch, Settings, Silence, Verdict, decide, refuse};

/// Gives verdicts. The same arguments give the same verdict and bytes, and there is no
/// [`Verdict::Ask`] when all the time has passed ([`crate::dns::DnsView::giving_up`]).
pub trait Decide {
    /// Decides what one message deserves.
    fn decide(
        &mut self,
        message: &[u8],
        arrival: &Arrival<'_>,
        context: &Context<'_>,
        out: &mut [u8],
    ) -> Verdict;

    /// Refuses a message that there is no time for; see [`refuse`].
    fn refuse(
        &mut self,
        _message: &[u8],
        _arrival: &Arrival<'_>,
        _settings: &Settings,
        _retry_after_s: Option<u32>,
        _out: &mut [u8],
    ) -> Verdict {
        Verdict::Silence(Silence::Overload)
    }
}

/// The server's own.
#[derive(Debug)]
pub struct Decider {
    scratch: Scratch,
}

impl Decider {
    /// Takes its memory once.
    #[must_use]
    pub fn new() -> Self {
        Self { scratch: Scratch::new() }
    }
}

impl Default for Decider {
    fn default() -> Self {
        Self::new()
    }
}

impl Decide for Decider {
    fn decide(
        &mut self,
        message: &[u8],
        arrival: &Arrival<'_>,
        context: &Context<'_>,
        out: &mut [u8],
    ) -> Verdict {
        decide(message, arrival, context, &mut self.scratch, &mut NoTrace, out)
    }

    fn refuse(
        &mut self,
        message: &[u8],
        arrival: &Arrival<'_>,
        settings: &Settings,
        retry_after_s: Option<u32>,
        out: &mut [u8],
    ) -> Verdict {
        refuse(message, arrival, settings, retry_after_s, &mut self.scratch, out)
    }
}
