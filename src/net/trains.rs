//! Outside. Which answers of a batch leave as one: by UDP segmentation, answers of one length to one peer cost
//! the kernel one way through its stack.
//!
//! In:    the answers of one socket, in order: whose they are, how long, and whether they can be made longer.
//! Out:   trains, each of answers to one peer in their order.
//! Never: puts answers of different peers into one train, or one behind a later one of its peer.
//!
//! The kernel cuts a train into pieces of one length, so shorter answers are made as long as the longest by
//! spaces before the value of Content-Length: RFC 3261 §25.1 has SWS there (`HCOLON`).

use crate::limits::{
    DATAGRAMS_PER_BATCH, TRAIN_ANSWER_BYTES_MAX, TRAIN_BYTES_MAX, TRAIN_PADDING_BYTES_MAX,
    TRAINS_LOOKED_AT_MAX,
};

/// What of an answer decides with which others it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wagon<'p> {
    /// Where to and where from, as bytes for the kernel.
    pub(super) peer: (&'p [u8], &'p [u8]),
    pub(super) len: usize,
    /// Whether spaces can be put into it.
    pub(super) stretches: bool,
}

/// Answers that leave as one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Train {
    first: usize,
    last: usize,
    /// Answers.
    pub(super) count: usize,
    shortest: usize,
    /// The length of each, in bytes.
    pub(super) longest: usize,
    stretches: bool,
}

/// The trains of a batch; memory that is used again.
#[derive(Debug)]
pub(super) struct Trains {
    trains: Vec<Train>,
    /// By answer: the one behind it in its train.
    behind: Vec<Option<usize>>,
}

impl Trains {
    pub(super) fn new() -> Self {
        Self {
            trains: Vec::with_capacity(DATAGRAMS_PER_BATCH),
            behind: Vec::with_capacity(DATAGRAMS_PER_BATCH),
        }
    }

    /// As few trains as a look at the last [`TRAINS_LOOKED_AT_MAX`] finds. `wagon(index)` is the answer `index`.
    pub(super) fn couple<'p>(&mut self, count: usize, wagon: impl Fn(usize) -> Wagon<'p>) {
        self.clear();
        for index in 0..count {
            let this = wagon(index);
            let same_peer = |train: &&mut Train| wagon(train.first).peer == this.peer;
            let train = self.trains.iter_mut().rev().take(TRAINS_LOOKED_AT_MAX).find(same_peer);
            match train.filter(|train| train.takes(this)) {
                Some(train) => {
                    if let Some(behind) = self.behind.get_mut(train.last) {
                        *behind = Some(index);
                    }
                    train.add(this, index);
                    self.behind.push(None);
                }
                None => self.begin(this),
            }
        }
    }

    /// All trains, in the order in which they leave.
    pub(super) fn all(&self) -> &[Train] {
        &self.trains
    }

    /// The answers of a train.
    pub(super) fn answers(&self, train: Train) -> impl Iterator<Item = usize> + '_ {
        let next = |&index: &usize| self.behind.get(index).copied().flatten();
        std::iter::successors(Some(train.first), next).take(train.count)
    }

    fn clear(&mut self) {
        self.trains.clear();
        self.behind.clear();
    }

    fn begin(&mut self, Wagon { len, stretches, .. }: Wagon<'_>) {
        let index = self.behind.len();
        self.behind.push(None);
        self.trains.push(Train {
            first: index,
            last: index,
            count: 1,
            shortest: len,
            longest: len,
            stretches,
        });
    }
}

impl Train {
    fn takes(&self, wagon: Wagon<'_>) -> bool {
        let (shortest, longest) = (self.shortest.min(wagon.len), self.longest.max(wagon.len));
        let even = shortest == longest
            || (self.stretches && wagon.stretches && longest - shortest <= TRAIN_PADDING_BYTES_MAX);
        even && longest <= TRAIN_ANSWER_BYTES_MAX
            && shortest > 0
            && self.count < DATAGRAMS_PER_BATCH
            && (self.count + 1) * longest <= TRAIN_BYTES_MAX
    }

    fn add(&mut self, wagon: Wagon<'_>, index: usize) {
        self.last = index;
        self.count += 1;
        self.shortest = self.shortest.min(wagon.len);
        self.longest = self.longest.max(wagon.len);
        self.stretches &= wagon.stretches;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Given = (u8, usize, bool);
    type Made<'m> = (&'m [usize], usize);

    /// Trains of answers given as peer, length and whether they stretch: their members and the length of each.
    fn trains(answers: &[Given]) -> Vec<(Vec<usize>, usize)> {
        let peers: Vec<[u8; 1]> = answers.iter().map(|answer| [answer.0]).collect();
        let mut trains = Trains::new();
        trains.couple(answers.len(), |index| Wagon {
            peer: (&peers[index], &[]),
            len: answers[index].1,
            stretches: answers[index].2,
        });
        trains.all().iter().map(|&train| (trains.answers(train).collect(), train.longest)).collect()
    }

    #[test]
    fn answers_to_one_peer_leave_as_one() {
        let cases: &[(&str, &[Given], &[Made<'_>])] = &[
            ("none", &[], &[]),
            ("one", &[(1, 500, true)], &[(&[0], 500)]),
            ("of one length", &[(1, 500, false), (1, 500, false)], &[(&[0, 1], 500)]),
            (
                "made as long as the longest",
                &[(1, 500, true), (1, 510, true), (1, 505, true)],
                &[(&[0, 1, 2], 510)],
            ),
            ("those that do not stretch", &[(1, 500, true), (1, 510, false)], &[(&[0], 500), (&[1], 510)]),
            (
                "two peers",
                &[(1, 500, true), (2, 500, true), (1, 501, true), (2, 490, true)],
                &[(&[0, 2], 501), (&[1, 3], 500)],
            ),
            (
                "too different",
                &[(1, 500, true), (1, 501 + TRAIN_PADDING_BYTES_MAX, true)],
                &[(&[0], 500), (&[1], 501 + TRAIN_PADDING_BYTES_MAX)],
            ),
            (
                "too long for one packet",
                &[(1, TRAIN_ANSWER_BYTES_MAX + 1, true); 2],
                &[(&[0], TRAIN_ANSWER_BYTES_MAX + 1), (&[1], TRAIN_ANSWER_BYTES_MAX + 1)],
            ),
            ("empty", &[(1, 0, false); 2], &[(&[0], 0), (&[1], 0)]),
        ];
        for (name, answers, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|&(members, len)| (members.to_vec(), len)).collect();
            assert_eq!(trains(answers), expected, "{name}");
        }
    }

    #[test]
    fn a_train_has_an_end() {
        let longest = [(1, TRAIN_ANSWER_BYTES_MAX, false); DATAGRAMS_PER_BATCH];
        let lengths: Vec<_> =
            trains(&longest).into_iter().map(|(members, len)| members.len() * len).collect();
        assert!(lengths.len() > 1 && lengths.iter().all(|&bytes| bytes <= TRAIN_BYTES_MAX), "{lengths:?}");
        assert!(lengths[0] + TRAIN_ANSWER_BYTES_MAX > TRAIN_BYTES_MAX);
        let short = [(1, 100, false); DATAGRAMS_PER_BATCH + 1];
        assert_eq!(
            trains(&short).into_iter().map(|(members, _)| members.len()).collect::<Vec<_>>(),
            [DATAGRAMS_PER_BATCH, 1]
        );
    }

    #[test]
    fn a_train_too_far_back_is_not_looked_for() {
        let peers = u8::try_from(TRAINS_LOOKED_AT_MAX).unwrap();
        let round: Vec<_> = (0..peers).chain([0]).map(|peer| (peer, 500, true)).collect();
        assert_eq!(trains(&round).len(), TRAINS_LOOKED_AT_MAX);
        let round: Vec<_> = (0..=peers).chain([0]).map(|peer| (peer, 500, true)).collect();
        assert_eq!(trains(&round).len(), TRAINS_LOOKED_AT_MAX + 2);
    }

    proptest! {
        #[test]
        fn each_answer_leaves_once_and_in_the_order_of_its_peer(
            answers in prop::collection::vec((0_u8..6, 450_usize..600, any::<bool>()), 0..=DATAGRAMS_PER_BATCH)
        ) {
            let trains = trains(&answers);
            let order: Vec<usize> = trains.iter().flat_map(|(members, _)| members.iter().copied()).collect();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert!(sorted.into_iter().eq(0..answers.len()));
            for peer in 0..6 {
                prop_assert!(order.iter().filter(|&&index| answers[index].0 == peer).is_sorted());
            }
            for (members, len) in trains {
                let all = || members.iter().map(|&index| answers[index]);
                prop_assert!(all().all(|answer| answer.0 == answers[members[0]].0 && answer.1 <= len));
                prop_assert!(all().all(|answer| answer.1 == len || answer.2));
            }
        }
    }
}
