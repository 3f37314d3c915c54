//! Outside. What other threads may tell the loop, and how it learns of it.
//!
//! In:    orders, DNS answers, and what is wanted of the DNS cache, from any thread.
//! Out:   the same, to the loop, which is woken.
//! Never: blocks the sender.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, Ordering},
    mpsc::{Receiver, SyncSender, sync_channel},
};

use mio::Waker;
use tokio::sync::oneshot;

use crate::{
    dns::{Answer, Cache, Question},
    limits::{CACHE_LOOKS_WAITING_MAX, QUESTIONS_UNDER_WAY_MAX},
};

/// What the control side tells the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Answer OPTIONS with 503 from now on.
    Drain,
    /// Answer OPTIONS as before [`Order::Drain`].
    Undrain,
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

/// What the cache no longer keeps.
#[derive(Debug, Default)]
pub struct Forgotten {
    /// Answers.
    pub count: usize,
    /// All of them, where all were forgotten: to free them takes time that the loop has not.
    pub all: Option<Box<Cache>>,
}

/// What is wanted of the cache.
#[derive(Debug)]
pub(super) enum CacheTask {
    /// The first of these questions that has an answer.
    Look { questions: Vec<Question>, reply: oneshot::Sender<Option<Kept>> },
    /// To forget the answers to these, or all.
    Forget { questions: Option<Vec<Question>>, reply: oneshot::Sender<Forgotten> },
}

/// The control side's hold on the loop. Cloneable; sending wakes the loop.
#[derive(Clone, Debug)]
pub struct Handle {
    orders: Arc<Orders>,
    answers: SyncSender<(Question, Answer)>,
    tasks: SyncSender<CacheTask>,
    waker: Arc<Waker>,
}

impl Handle {
    /// Gives an order. It cannot be lost, and giving it twice is giving it once.
    pub fn order(&self, order: Order) {
        match order {
            Order::Drain => self.orders.drain.store(DRAIN, Ordering::Release),
            Order::Undrain => self.orders.drain.store(UNDRAIN, Ordering::Release),
            Order::Release => self.orders.release.store(true, Ordering::Release),
            Order::Stop => self.orders.stop.store(true, Ordering::Release),
        }
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
        let taken = self.tasks.try_send(CacheTask::Look { questions, reply }).is_ok();
        self.wake();
        taken.then_some(kept)
    }

    /// Has the loop's DNS cache forget the answers to `questions`; all, where there are none. `None` as with
    /// [`Handle::look_into_cache`].
    #[must_use]
    pub fn forget(&self, questions: Option<Vec<Question>>) -> Option<oneshot::Receiver<Forgotten>> {
        let (reply, forgotten) = oneshot::channel();
        let taken = self.tasks.try_send(CacheTask::Forget { questions, reply }).is_ok();
        self.wake();
        taken.then_some(forgotten)
    }

    fn wake(&self) {
        // It fails only when the loop is gone, and then there is nobody to wake.
        let _ = self.waker.wake();
    }
}

const DRAIN: u8 = 1;
const UNDRAIN: u8 = 2;

/// Orders given and not yet taken.
#[derive(Debug, Default)]
struct Orders {
    /// [`DRAIN`], [`UNDRAIN`] or neither: of the two the last one counts.
    drain: AtomicU8,
    release: AtomicBool,
    stop: AtomicBool,
}

/// The loop's end of a [`Handle`].
#[derive(Debug)]
pub(super) struct Inlet {
    orders: Arc<Orders>,
    answers: Receiver<(Question, Answer)>,
    tasks: Receiver<CacheTask>,
}

impl Inlet {
    /// The next order. Drain comes before Release, and that before Stop.
    pub(super) fn next_order(&self) -> Option<Order> {
        let taken = |flag: &AtomicBool, order| flag.swap(false, Ordering::Acquire).then_some(order);
        match self.orders.drain.swap(0, Ordering::Acquire) {
            DRAIN => Some(Order::Drain),
            UNDRAIN => Some(Order::Undrain),
            _ => {
                taken(&self.orders.release, Order::Release).or_else(|| taken(&self.orders.stop, Order::Stop))
            }
        }
    }

    /// The next answer of the resolver.
    pub(super) fn next_answer(&self) -> Option<(Question, Answer)> {
        self.answers.try_recv().ok()
    }

    /// What is wanted next of the DNS cache.
    pub(super) fn next_task(&self) -> Option<CacheTask> {
        self.tasks.try_recv().ok()
    }
}

/// Both ends.
pub(super) fn pair(waker: Waker) -> (Handle, Inlet) {
    let (sender, receiver) = sync_channel(QUESTIONS_UNDER_WAY_MAX);
    let (tasker, tasks) = sync_channel(CACHE_LOOKS_WAITING_MAX);
    let orders = Arc::new(Orders::default());
    let handle =
        Handle { orders: Arc::clone(&orders), answers: sender, tasks: tasker, waker: Arc::new(waker) };
    (handle, Inlet { orders, answers: receiver, tasks })
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
        handle.order(Order::Undrain);
        handle.order(Order::Drain);
        other.order(Order::Stop);
        other.order(Order::Release);
        assert_eq!(inlet.next_order(), Some(Order::Drain));
        assert_eq!(inlet.next_order(), Some(Order::Release));
        assert_eq!(inlet.next_order(), Some(Order::Stop));
        assert_eq!(inlet.next_order(), None);
        handle.order(Order::Drain);
        handle.order(Order::Undrain);
        assert_eq!(inlet.next_order(), Some(Order::Undrain), "the last of the two");
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
        assert!(handle.look_into_cache(questions()).is_none() && handle.forget(None).is_none());
        for mut receiver in waiting {
            let Some(CacheTask::Look { questions: asked, reply }) = inlet.next_task() else { panic!("none") };
            assert_eq!(asked, questions());
            reply.send(None).unwrap();
            assert_eq!(receiver.try_recv(), Ok(None));
        }
        assert!(inlet.next_task().is_none());
        drop(inlet);
        assert!(handle.look_into_cache(questions()).is_none(), "the loop has ended");
    }
}
