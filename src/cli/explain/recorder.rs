//! Outside. Keeps what a decision tells, in the order it tells it.

use crate::{
    decide::Trace,
    route::{GatewayId, ListId, RouteId, Row, TableId},
};

/// One thing that [`Trace`] was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
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

/// The sink. Bounded by what a decision may do: routes examined, Contacts, questions.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    steps: Vec<Step>,
}

impl Recorder {
    pub(super) fn into_steps(self) -> Vec<Step> {
        self.steps
    }
}

impl Trace for Recorder {
    const ON: bool = true;

    fn list(&mut self, list: ListId) {
        self.steps.push(Step::List(list));
    }
    fn route(&mut self, route: RouteId) {
        self.steps.push(Step::Route(route));
    }
    fn condition(&mut self, index: usize, saw: &[u8], holds: bool) {
        self.steps.push(Step::Condition { index, saw: saw.to_vec(), holds });
    }
    fn looked_up(&mut self, table: TableId, key: &[u8], row: Option<Row>) {
        self.steps.push(Step::LookedUp { table, key: key.to_vec(), row });
    }
    fn set(&mut self, name: &str, value: &[u8]) {
        self.steps.push(Step::Set { name: name.to_owned(), value: value.to_vec() });
    }
    fn acts(&mut self, route: RouteId) {
        self.steps.push(Step::Acts(route));
    }
    fn contact(&mut self, uri: &[u8], q_milli: u16) {
        self.steps.push(Step::Contact { uri: uri.to_vec(), q_milli });
    }
    fn dropped(&mut self, uri: &[u8], why: &'static str) {
        self.steps.push(Step::Dropped { uri: uri.to_vec(), why });
    }
    fn down(&mut self, gateway: GatewayId) {
        self.steps.push(Step::Down(gateway));
    }
    fn note(&mut self, what: &str) {
        self.steps.push(Step::Note(what.to_owned()));
    }
}
