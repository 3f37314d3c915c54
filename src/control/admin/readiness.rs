//! Outside. Whether calls should be sent here, and if not, why.
//!
//! In:    what the server says of itself: it serves, it drains.
//! Out:   what is missing, in words.
//! Never: asks a loop.

use std::sync::atomic::{AtomicBool, Ordering};

/// What a load balancer should know.
#[derive(Debug, Default)]
pub struct Readiness {
    serving: AtomicBool,
    draining: AtomicBool,
    ending: AtomicBool,
}

impl Readiness {
    /// The table is loaded and the listeners are bound.
    pub fn serve(&self) {
        self.serving.store(true, Ordering::Relaxed);
    }

    /// No new work, please.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// No new work any more: the server ends.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// New work is welcome again. `false` when the server ends: it is not.
    pub fn undrain(&self) -> bool {
        self.draining.store(false, Ordering::Relaxed);
        !self.is_ending()
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Whether it drains.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed) || self.is_ending()
    }

    /// What is not ready.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if !self.serving.load(Ordering::Relaxed) {
            missing.push("the route table is not loaded");
        }
        if self.is_draining() {
            missing.push("the server is draining");
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_ends_is_ready_for_nobody_any_more() {
        let readiness = Readiness::default();
        readiness.serve();
        readiness.drain();
        assert_eq!(readiness.missing(), ["the server is draining"]);
        assert!(readiness.undrain() && readiness.missing().is_empty());
        readiness.end();
        assert!(!readiness.undrain() && readiness.is_draining());
        assert_eq!(readiness.missing(), ["the server is draining"]);
    }
}
