//! Outside. What other threads may tell the loop, and how it learns of it.
//!
//! In:    orders, DNS answers and looks at the DNS cache, from any thread.
//! Out:   the same, to the loop, which is woken.
//! Never: blocks the sender.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
    mpsc::{Receiver, SyncSender, sync_channel},
};

use mio::Waker;
use tokio::sync::oneshot;

use crate::{
    dns::{Answer, Question},
    limits::{CACHE_LOOKS_WAITING_MAX, QUESTIONS_UNDER_WAY_MAX},
};

/// What the control side tells the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Answer OPTIONS with 503 from now on.
    Drain,
    /// Leave the listening sockets to another process that has them, too. Answer what was taken, and the
    /// connections that are here; return when they have ended.
    Release,
    /// Answer what the sockets hold and what waits for DNS, end the connections, then return.
    Stop,
}

/// What the DNS cache keeps of one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The question.
    pub question: Question,
    /// Its answer.
    pub answer: Answer,
    /// For how many milliseconds more it is fresh; 0: past its end.
    pub fresh_for_ms: u64,
}

/// A look at the cache: questions, the first of which that has an answer is wanted.
#[derive(Debug)]
pub(super) struct CacheLook {
    pub(super) questions: Vec<Question>,
    pub(super) reply: oneshot::Sender<Option<Kept>>,
}

/// The control side's hold on the loop. Cloneable; sending wakes the loop.
#[derive(Clone, Debug)]
pub struct Handle {
    orders: Arc<Orders>,
    answers: SyncSender<(Question, Answer)>,
    looks: SyncSender<CacheLook>,
    waker: Arc<Waker>,
}

impl Handle {
    /// Gives an order. It cannot be lost, and giving it twice is giving it once.
    pub fn order(&self, order: Order) {
        let flag = match order {
            Order::Drain => &self.orders.drain,
            Order::Release => &self.orders.release,
            Order::Stop => &self.orders.stop,
        };
        flag.store(true, Ordering::Release);
        self.wake();
    }

    /// Hands in the answer to a question. `false` when it was lost, since more answers than
    /// [`QUESTIONS_UNDER_WAY_MAX`] stand in line or the loop has ended: those who wait for it are
    /// served when their time is over.
    pub fn answer(&self, question: Question, answer: Answer) -> bool {
        let taken = self.answers.try_send((question, answer)).is_ok();
        self.wake();
        taken
    }

    /// Looks for the first of `questions` of which the loop's DNS cache keeps an answer. `None` when as many
    /// looks as may be stand in line ([`CACHE_LOOKS_WAITING_MAX`]), or the loop has ended.
    #[must_use]
    pub fn look_into_cache(&self, questions: Vec<Question>) -> Option<oneshot::Receiver<Option<Kept>>> {
        let (reply, kept) = oneshot::channel();
        let taken = self.looks.try_send(CacheLook { questions, reply }).is_ok();
        self.wake();
        taken.then_some(kept)
    }

    fn wake(&self) {
        // It fails only when the loop is gone, and then there is nobody to wake.
        let _ = self.waker.wake();
    }
}

/// Orders given and not yet taken.
#[derive(Debug, Default)]
struct Orders {
    drain: AtomicBool,
    release: AtomicBool,
    stop: AtomicBool,
}

/// The loop's end of a [`Handle`].
#[derive(Debug)]
pub(super) struct Inlet {
    orders: Arc<Orders>,
    answers: Receiver<(Question, Answer)>,
    looks: Receiver<CacheLook>,
}

impl Inlet {
    /// The next order. Drain comes before Release, and that before Stop.
    pub(super) fn next_order(&self) -> Option<Order> {
        let taken = |flag: &AtomicBool| flag.swap(false, Ordering::Acquire);
        if taken(&self.orders.drain) {
            Some(Order::Drain)
        } else if taken(&self.orders.release) {
            Some(Order::Release)
        } else if taken(&self.orders.stop) {
            Some(Order::Stop)
        } else {
            None
        }
    }

    /// The next answer of the resolver.
    pub(super) fn next_answer(&self) -> Option<(Question, Answer)> {
        self.answers.try_recv().ok()
    }

    /// The next look at the DNS cache.
    pub(super) fn next_look(&self) -> Option<CacheLook> {
        self.looks.try_recv().ok()
    }
}

/// Both ends.
pub(super) fn pair(waker: Waker) -> (Handle, Inlet) {
    let (sender, receiver) = sync_channel(QUESTIONS_UNDER_WAY_MAX);
    let (looker, looks) = sync_channel(CACHE_LOOKS_WAITING_MAX);
    let orders = Arc::new(Orders::default());
    let handle =
        Handle { orders: Arc::clone(&orders), answers: sender, looks: looker, waker: Arc::new(waker) };
    (handle, Inlet { orders, answers: receiver, looks })
}

#[cfg(test)]
mod tests {
    use mio::{Poll, Token};

    use super::*;

    fn ends() -> (Poll, Handle, Inlet) {
        let poll = Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), Token(0)).unwrap();
        let (handle, inlet) = pair(waker);
        (poll, handle, inlet)
    }

    #[test]
    fn an_order_is_taken_once_however_often_it_was_given() {
        let (_poll, handle, inlet) = ends();
        assert_eq!(inlet.next_order(), None);
        let other = handle.clone();
        handle.order(Order::Stop);
        handle.order(Order::Drain);
        other.order(Order::Stop);
        other.order(Order::Release);
        assert_eq!(inlet.next_order(), Some(Order::Drain));
        assert_eq!(inlet.next_order(), Some(Order::Release));
        assert_eq!(inlet.next_order(), Some(Order::Stop));
        assert_eq!(inlet.next_order(), None);
    }

    #[test]
    fn an_answer_too_many_is_refused_and_the_others_stand() {
        use crate::dns::{Failure, Kind};
        let (_poll, handle, inlet) = ends();
        let question = |number| Question::new(&format!("n{number}.example.net."), Kind::A).unwrap();
        for number in 0..QUESTIONS_UNDER_WAY_MAX {
            assert!(handle.answer(question(number), Answer::Failed(Failure::Timeout)));
        }
        assert!(!handle.answer(question(0), Answer::Failed(Failure::Timeout)));
        for number in 0..QUESTIONS_UNDER_WAY_MAX {
            assert_eq!(inlet.next_answer().unwrap().0, question(number));
        }
        assert_eq!(inlet.next_answer(), None);
        drop(inlet);
        assert!(!handle.answer(question(0), Answer::Failed(Failure::Timeout)), "the loop has ended");
    }

    #[test]
    fn a_look_too_many_is_refused_and_the_others_stand() {
        use crate::dns::Kind;
        let (_poll, handle, inlet) = ends();
        let questions = || vec![Question::new("a.example.net", Kind::A).unwrap()];
        let waiting: Vec<_> =
            (0..CACHE_LOOKS_WAITING_MAX).map(|_| handle.look_into_cache(questions()).unwrap()).collect();
        assert!(handle.look_into_cache(questions()).is_none());
        for mut receiver in waiting {
            let CacheLook { questions: asked, reply } = inlet.next_look().unwrap();
            assert_eq!(asked, questions());
            reply.send(None).unwrap();
            assert_eq!(receiver.try_recv(), Ok(None));
        }
        assert!(inlet.next_look().is_none());
        drop(inlet);
        assert!(handle.look_into_cache(questions()).is_none(), "the loop has ended");
    }
}
