//! Deterministic. Messages that are refused before they are decided on, since there are too many.

use std::net::SocketAddr;

use super::{Decide, Engine, Outcome, Path, Turn};
use crate::{
    access::{AccessPolicy, Standing},
    config::Refuse,
    decide::{Arrival, Silence, Verdict},
    overload::{Admission, Rank, Tallies},
};

impl<D: Decide> Engine<D> {
    /// The batch that begins at this listener has waited so long in its socket. `true`: [`Engine::batch_ended`] is to be
    /// told how long it took.
    pub fn batch_begins(&mut self, listener: usize, age_ms: u64) -> bool {
        self.admission.as_mut().is_some_and(|admission| admission.batch_begins(listener, age_ms))
    }

    /// The batch has ended, after so long.
    pub fn batch_ended(&mut self, took_ns: u64) {
        if let Some(admission) = &mut self.admission {
            admission.batch_ended(took_ns);
        }
    }

    /// What was refused so far. Called at the end of each turn.
    pub fn end_turn(&mut self) -> Tallies {
        self.admission.as_mut().map(|admission| admission.end_turn()).unwrap_or_default()
    }

    /// What a message gets that is not to be decided on; `None`: it is.
    #[inline]
    pub(super) fn refused(
        &mut self,
        bytes: &[u8],
        path: &Path,
        turn: Turn<'_>,
        out: &mut [u8],
    ) -> Option<Outcome> {
        let admission = self.admission.as_mut()?;
        let passes = admission.passes(turn.now);
        if admission.take_news() {
            self.settings.feedback = admission.feedback();
        }
        if !passes && self.is_refused(bytes, path, turn) { Some(self.refuse(bytes, path, out)) } else { None }
    }

    fn is_refused(&mut self, bytes: &[u8], path: &Path, turn: Turn<'_>) -> bool {
        let Some(admission) = &mut self.admission else { return false };
        let listener = self.listeners.get(path.listener).map_or("", |name| name);
        let standing = || turn.routes.table.access.standing(path.source.ip(), listener);
        // Whoever is not answered anyway uses up nothing of what others may ask.
        if admission.charges() && standing().policy == AccessPolicy::Silence {
            return false;
        }
        let ip = path.source.ip();
        let reason = admission
            .judge_counted(ip, turn.now, |admission| rank(admission, bytes, path.source, standing()));
        reason.is_some()
    }

    #[cold]
    fn refuse(&mut self, bytes: &[u8], path: &Path, out: &mut [u8]) -> Outcome {
        let admission = self.admission.as_ref();
        let admission = admission.filter(|admission| admission.refuse() == Refuse::Answer);
        let Some(admission) = admission else { return Outcome::Silence(Silence::Overload) };
        let arrival = Arrival {
            source: path.source,
            local: path.local,
            listener: self.listeners.get(path.listener).map_or("", |name| name),
            transport: path.transport,
            // No route is asked.
            identity: None,
        };
        let retry_after_s = admission.retry_after_s(path.source.ip());
        match self.decider.refuse(bytes, &arrival, &self.settings, retry_after_s, out) {
            Verdict::Reply(reply) => Outcome::Send { reply, path: *path },
            Verdict::Silence(silence) => Outcome::Silence(silence),
            Verdict::Ask(_) => Outcome::Silence(Silence::Overload),
        }
    }
}

/// Who is refused last. With access lists, those that one of them lets in by name; without, nobody is known by his address.
fn rank(admission: &Admission, bytes: &[u8], source: SocketAddr, standing: Standing) -> Rank {
    let is_listed = standing.id.is_some() && standing.known;
    if is_listed || admission.lists(source.ip()) {
        Rank::Listed
    } else if admission.is_emergency(bytes) {
        Rank::Emergency
    } else {
        Rank::Ordinary
    }
}
