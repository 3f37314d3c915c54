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

    /// New work is welcome again.
    pub fn undrain(&self) {
        self.draining.store(false, Ordering::Relaxed);
    }

    /// Whether it drains.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
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
