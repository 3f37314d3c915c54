//! What was seen of one run, so that a test can tell whether what it asserts was put to the test.

/// What was seen of one run, or of several.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    pub(crate) steps: usize,
    pub(crate) sent: usize,
    pub(crate) silences: usize,
    pub(crate) unanswerable: usize,
    pub(crate) waited: u64,
    pub(crate) retransmissions: u64,
    pub(crate) overflows: u64,
    pub(crate) timeouts: u64,
    pub(crate) reloads: usize,
    pub(crate) drained: usize,
    pub(crate) equal_again: usize,
    pub(crate) equal_again_by_dns: usize,
    /// Digest of everything that was sent, in order.
    pub(crate) transcript: u64,
}

impl Observed {
    pub(crate) fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.sent += other.sent;
        self.silences += other.silences;
        self.unanswerable += other.unanswerable;
        self.waited += other.waited;
        self.retransmissions += other.retransmissions;
        self.overflows += other.overflows;
        self.timeouts += other.timeouts;
        self.reloads += other.reloads;
        self.drained += other.drained;
        self.equal_again += other.equal_again;
        self.equal_again_by_dns += other.equal_again_by_dns;
        self.transcript ^= other.transcript;
    }
}
