//! Outside. The tap: shows some of the messages, with what became of them, to whoever looks on.
//!
//! In:    what the loop decided, message by message.
//! Out:   copies of those that are sampled, to the other end; of the rest nothing.
//! Never: blocks, allocates after the start, makes the loop wait for who looks on: what finds no free record is dropped
//!        and counted.
//!
//! Calls are sampled by a keyed hash of the Call-ID: the request, its retransmission, its ACK and a CANCEL are shown
//! together or not at all, by every worker and every node of a fleet that has the same key, and a stranger cannot tell
//! which calls are shown. Who wants one in a hundred has calls that are among those of who wants one in ten.
//!
//! What is counted for the top talkers is sampled otherwise, message by message: a flood with one Call-ID would be
//! all or nothing by its hash. The gaps are drawn, since traffic that repeats itself (INVITE, ACK, INVITE, ACK) would
//! show one side to whoever took every nth.
//!
//! Records come from a pool, go to the other end by a bounded queue, and come back by another one.

mod record;
#[cfg(test)]
mod tests;

use std::{
    hash::Hasher as _,
    num::NonZeroU32,
    sync::{
        Arc, OnceLock,
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
    thread::{self, Thread},
};

use siphasher::sip::SipHasher13;

pub use record::{End, Record, Seen};

use crate::{
    limits::{TAP_RECORDS, TAP_RECORDS_OF_TOP},
    sip::call_id_in,
};

/// Which messages are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampling {
    /// Of the draws; the same on every node of a fleet.
    pub key: [u8; 16],
    /// One call in so many; `None`: no calls.
    pub calls: Option<NonZeroU32>,
    /// One message in so many is counted, on the average; `None`: none.
    pub messages: Option<NonZeroU32>,
}

/// The loop's end.
#[derive(Debug)]
pub struct Tap {
    key: [u8; 16],
    calls: Option<NonZeroU32>,
    messages: Option<NonZeroU32>,
    /// Messages until the next one that is counted, and those counted so far, which draw it.
    until_counted: u32,
    counted: u64,
    // A record goes from hand to hand as a pointer, not as some hundred bytes.
    #[allow(clippy::vec_box)]
    free: Vec<Box<Record>>,
    back: Receiver<Box<Record>>,
    /// `None` only while it is dropped.
    out: Option<SyncSender<Box<Record>>>,
    reader: Arc<OnceLock<Thread>>,
}

/// What a message is shown for.
#[derive(Clone, Copy, Debug)]
pub struct Chosen {
    draw: u64,
    is_counted: bool,
}

/// The other end, of all workers.
#[derive(Debug)]
pub struct Outlet {
    records: Receiver<Box<Record>>,
    /// By worker.
    back: Vec<SyncSender<Box<Record>>>,
    reader: Arc<OnceLock<Thread>>,
}

/// What there is at the other end.
#[derive(Debug)]
pub enum Next {
    /// A record, to be given back.
    Record(Box<Record>),
    /// Nothing yet.
    Nothing,
    /// Nothing any more: all loops have ended.
    Ended,
}

/// A tap for each worker, and their other end. `None`: nothing is to be shown.
#[must_use]
pub fn taps(workers: usize, sampling: Sampling) -> Option<(Vec<Tap>, Outlet)> {
    let Sampling { key, calls, messages } = sampling;
    let records = match (calls, messages) {
        (None, None) => return None,
        (None, Some(_)) => TAP_RECORDS_OF_TOP,
        (Some(_), _) => TAP_RECORDS,
    };
    let (out, received) = sync_channel(records.saturating_mul(workers));
    let reader = Arc::new(OnceLock::new());
    let mut givers = Vec::new();
    let mut tap = |worker| {
        let (giver, back) = sync_channel(records);
        givers.push(giver);
        let free = (0..records).map(|_| Box::new(Record::empty(worker))).collect();
        let (out, reader) = (Some(out.clone()), Arc::clone(&reader));
        Tap { key, calls, messages, until_counted: 1, counted: 0, free, back, out, reader }
    };
    let taps = (0..workers).map(&mut tap).collect();
    Some((taps, Outlet { records: received, back: givers, reader }))
}

impl Tap {
    /// Whether a message is to be shown. Asked once for each, and before anything is made of what is not: by far the most.
    #[inline]
    pub fn choose(&mut self, request: &[u8]) -> Option<Chosen> {
        let is_counted = self.is_counted();
        let draw = self.calls.map(|_| draw(&self.key, request));
        let is_shown = draw.zip(self.calls).is_some_and(|(draw, one_in)| is_drawn(draw, one_in));
        if !is_shown && !is_counted {
            return None;
        }
        // Who does not look at calls does not look at draws.
        Some(Chosen { draw: draw.filter(|_| is_shown).unwrap_or(u64::MAX), is_counted })
    }

    /// Shows a chosen one; `false` when no record is free.
    pub fn show(&mut self, seen: &Seen<'_>, chosen: Chosen) -> bool {
        self.free.extend(self.back.try_recv());
        let Some(mut record) = self.free.pop() else { return false };
        record.take(seen, chosen.draw, chosen.is_counted);
        // The queue has room for all records that there are; only who has ended takes none.
        let taken = self.out.as_ref().map_or(Ok(()), |out| out.try_send(record)).is_ok();
        self.wake();
        taken
    }

    #[inline]
    fn is_counted(&mut self) -> bool {
        let Some(one_in) = self.messages else { return false };
        self.until_counted = self.until_counted.saturating_sub(1);
        if self.until_counted > 0 {
            return false;
        }
        self.draw_gap(one_in);
        true
    }

    #[cold]
    fn draw_gap(&mut self, one_in: NonZeroU32) {
        self.counted = self.counted.wrapping_add(1);
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(&self.counted.to_le_bytes());
        // From 1 to twice the mean less 1.
        let spread = u64::from(one_in.get()).saturating_mul(2).saturating_sub(1);
        let gap = hasher.finish().checked_rem(spread).unwrap_or(0).saturating_add(1);
        self.until_counted = u32::try_from(gap).unwrap_or(u32::MAX);
    }

    /// Costs a system call only when the other end sleeps.
    fn wake(&self) {
        if let Some(reader) = self.reader.get() {
            reader.unpark();
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.out = None;
        self.wake();
    }
}

impl Outlet {
    /// The next record, without waiting.
    #[must_use]
    pub fn next(&self) -> Next {
        match self.records.try_recv() {
            Ok(record) => Next::Record(record),
            Err(TryRecvError::Empty) => Next::Nothing,
            Err(TryRecvError::Disconnected) => Next::Ended,
        }
    }

    /// Sleeps until there may be something. One thread calls this, always the same.
    pub fn wait(&self) {
        // Whoever offered before it was known that we sleep could not wake us.
        if self.reader.set(thread::current()).is_err() {
            thread::park();
        }
    }

    /// Gives a record back, to be used again.
    pub fn give_back(&self, record: Box<Record>) {
        if let Some(back) = self.back.get(record.worker) {
            // There is room for all of them; the loop may have ended.
            let _ = back.try_send(record);
        }
    }
}

/// The draw of a call.
fn draw(key: &[u8; 16], message: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_key(key);
    hasher.write(b"tap");
    // What has no Call-ID is no call: each such message is drawn by itself.
    hasher.write(call_id_in(message).unwrap_or(message));
    // Never the draw of those that are shown to nobody.
    hasher.finish().min(u64::MAX - 1)
}

/// Whether a draw is among one in so many: low ones are, so that rarer samples are part of denser ones.
fn is_drawn(draw: u64, one_in: NonZeroU32) -> bool {
    draw != u64::MAX && draw <= u64::MAX / u64::from(one_in.get())
}
