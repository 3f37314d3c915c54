//! Outside. A lock that is had whatever became of who held it before.
//!
//! In:    what is behind a lock.
//! Out:   it.
//! Never: fails: what is behind a lock in here is replaced as a whole, so that a panic leaves nothing half done.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
