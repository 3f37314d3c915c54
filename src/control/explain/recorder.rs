//! Outside. Keeps what a decision tells, in the order it tells it.

use crate::{
    access::Standing,
    decide::Trace,
    route::{GatewayId, ListId, RouteId, Row, TableId},
};

/// One thing that [`Trace`] was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Access(Standing),
    List(ListId),
    Route(RouteId),
    Condition { index: usize, saw: Vec<u8>, holds: bool },
    LookedUp { table: TableId, key: Vec<u8>, row: Option<Row> },
    Set { name: String, value: Vec<u8> },
    Acts(RouteId),
    Contact { uri: Vec<u8>, q_milli: u16 },
    Dropped { uri: Vec<u8>, why: &'static str },
    Down(GatewayId),
    Note(String),
}

/// The sink. Bounded by what a decision may do (routes examined, Contacts, questions) and by its room.
#[derive(Debug)]
pub(crate) struct Recorder {
    steps: Vec<Step>,
    steps_max: usize,
    left_out: usize,
}

impl Recorder {
    /// With room for this many steps.
    pub(crate) fn of(steps_max: usize) -> Self {
        Self { steps: Vec::new(), steps_max, left_out: 0 }
    }

    /// The first steps, and how many came after them.
    pub(crate) fn into_steps(self) -> (Vec<Step>, usize) {
        (self.steps, self.left_out)
    }

    fn keep(&mut self, step: Step) {
        if self.steps.len() < self.steps_max {
            self.steps.push(step);
        } else {
            self.left_out += 1;
        }
    }
}

impl Trace for Recorder {
    const ON: bool = true;

    fn access(&mut self, standing: Standing) {
        self.keep(Step::Access(standing));
    }
    fn list(&mut self, list: ListId) {
        self.keep(Step::List(list));
    }
    fn route(&mut self, route: RouteId) {
        self.keep(Step::Route(route));
    }
    fn condition(&mut self, index: usize, saw: &[u8], holds: bool) {
        self.keep(Step::Condition { index, saw: saw.to_vec(), holds });
    }
    fn looked_up(&mut self, table: TableId, key: &[u8], row: Option<Row>) {
        self.keep(Step::LookedUp { table, key: key.to_vec(), row });
    }
    fn set(&mut self, name: &str, value: &[u8]) {
        self.keep(Step::Set { name: name.to_owned(), value: value.to_vec() });
    }
    fn acts(&mut self, route: RouteId) {
        self.keep(Step::Acts(route));
    }
    fn contact(&mut self, uri: &[u8], q_milli: u16) {
        self.keep(Step::Contact { uri: uri.to_vec(), q_milli });
    }
    fn dropped(&mut self, uri: &[u8], why: &'static str) {
        self.keep(Step::Dropped { uri: uri.to_vec(), why });
    }
    fn down(&mut self, gateway: GatewayId) {
        self.keep(Step::Down(gateway));
    }
    fn note(&mut self, what: &str) {
        self.keep(Step::Note(what.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::STEPS_SHOWN_MAX;

    #[test]
    fn the_first_steps_are_kept_and_the_rest_is_counted() {
        let steps = |count: usize| {
            let mut recorder = Recorder::of(STEPS_SHOWN_MAX);
            (0..count).for_each(|route| recorder.route(route));
            let (steps, left_out) = recorder.into_steps();
            (steps.len(), steps.last().cloned(), left_out)
        };
        let last = Some(Step::Route(STEPS_SHOWN_MAX - 1));
        assert_eq!(steps(STEPS_SHOWN_MAX), (STEPS_SHOWN_MAX, last.clone(), 0));
        assert_eq!(steps(STEPS_SHOWN_MAX + 3), (STEPS_SHOWN_MAX, last, 3));
    }
}
