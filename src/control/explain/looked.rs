//! Outside. A question of a decision, and what a DNS cache has of it.
//!
//! In:    what was looked for, and found.
//! Out:   a line for people, a value for programs.
//! Never: asks.

use schemars::JsonSchema;
use serde::Serialize;

use super::{super::dns_json::AnswerTold, describe};
use crate::dns::{Answer, Question};

/// A question of the decision, and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Looked {
    pub(crate) question: Question,
    /// `None`: nothing, or nobody was asked.
    pub(crate) kept: Option<Known>,
}

/// What the server's cache keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) answer: Answer,
    /// 0: past its end.
    pub(crate) fresh_for_ms: u64,
}

/// [`Looked`] for programs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct LookedTold {
    /// Type and name.
    question: String,
    /// Whether the cache has an answer.
    found: bool,
    /// It is past its end: used when DNS does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<bool>,
    /// For how many milliseconds more it is fresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    fresh_for_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<AnswerTold>,
}

impl Looked {
    /// One line.
    pub(crate) fn line(&self) -> String {
        let question = describe::question(&self.question);
        match &self.kept {
            None => format!("{question}: not in the cache: the server would ask"),
            Some(Known { answer, fresh_for_ms: 0 }) => {
                format!("{question}: {}, stale: used when DNS does not answer", describe::dns_answer(answer))
            }
            Some(Known { answer, fresh_for_ms }) => {
                let left_s = fresh_for_ms.div_ceil(1000);
                format!("{question}: {}, fresh for {left_s} s", describe::dns_answer(answer))
            }
        }
    }

    /// The same for programs.
    pub(crate) fn told(&self) -> LookedTold {
        let fresh_for_ms = self.kept.as_ref().map(|kept| kept.fresh_for_ms);
        LookedTold {
            question: describe::question(&self.question),
            found: self.kept.is_some(),
            stale: fresh_for_ms.filter(|left_ms| *left_ms == 0).map(|_| true),
            fresh_for_ms: fresh_for_ms.filter(|left_ms| *left_ms > 0),
            answer: self.kept.as_ref().map(|kept| AnswerTold::of(&kept.answer)),
        }
    }
}
