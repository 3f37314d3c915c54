//! Outside. Old values that somebody may still look at: kept until nobody does, then dropped here.
//!
//! In:    what was taken out of service.
//! Out:   how much of it is still in use.
//! Never: lets another thread be the last to hold a value. To free the table of a million numbers
//! takes milliseconds; the loop must not be the one that does it.

use std::sync::Arc;

/// Values out of service.
#[derive(Debug)]
pub struct Retired<T> {
    kept: Vec<Arc<T>>,
}

impl<T> Default for Retired<T> {
    fn default() -> Self {
        Self { kept: Vec::new() }
    }
}

impl<T> Retired<T> {
    /// Keeps a value that no one can take hold of any more, except by a hold they have.
    pub fn keep(&mut self, value: Arc<T>) {
        self.kept.push(value);
    }

    /// Drops, on this thread, what nobody else holds; says how many are still held.
    pub fn sweep(&mut self) -> usize {
        let kept = std::mem::take(&mut self.kept);
        self.kept = kept.into_iter().filter_map(|value| Arc::try_unwrap(value).err()).collect();
        self.kept.len()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc,
        thread::{self, ThreadId},
    };

    use arc_swap::ArcSwap;

    use super::*;

    /// Tells on which thread it was dropped.
    struct Witness(mpsc::Sender<ThreadId>);

    impl Drop for Witness {
        fn drop(&mut self) {
            let _ = self.0.send(thread::current().id());
        }
    }

    #[test]
    fn a_value_is_dropped_by_the_sweeper_however_late_its_reader_lets_go() {
        let (told, dropped) = mpsc::channel();
        let swap = Arc::new(ArcSwap::from_pointee(Some(Witness(told))));
        let (borrowed, wait_borrowed) = mpsc::channel();
        let (let_go, wait_let_go) = mpsc::channel::<()>();
        let (gone, wait_gone) = mpsc::channel();
        let reader = thread::spawn({
            let swap = Arc::clone(&swap);
            move || {
                let guard = swap.load();
                borrowed.send(()).unwrap();
                wait_let_go.recv().unwrap();
                drop(guard);
                gone.send(()).unwrap();
            }
        });
        wait_borrowed.recv().unwrap();

        let mut retired = Retired::default();
        retired.keep(swap.swap(Arc::new(None)));
        assert_eq!(retired.sweep(), 1, "the reader still has it");
        let_go.send(()).unwrap();
        wait_gone.recv().unwrap();
        reader.join().unwrap();
        assert!(dropped.try_recv().is_err(), "the reader was not the last to hold it");
        assert_eq!(retired.sweep(), 0);
        assert_eq!(dropped.try_recv(), Ok(thread::current().id()));
    }
}
