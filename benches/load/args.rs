//! The command line → [`Args`], each within its limit.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

const CALLS_MAX: u64 = 100_000_000;
const FLOWS_MAX: u64 = 64;
const RATE_MAX: u64 = 1_000_000;
/// Calls under way, of all flows.
const WINDOW_MAX: u64 = 65_536;
const SECONDS_MAX: u64 = 24 * 3600;
/// As many as eight digits can tell apart.
pub(crate) const NUMBERS_MAX: u64 = 100_000_000;

/// How calls are started.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// So many per second, whatever comes back.
    PerSecond(u64),
    /// So many under way.
    Window(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) to: SocketAddr,
    pub(crate) calls: u64,
    pub(crate) flows: u64,
    pub(crate) pace: Pace,
    pub(crate) distinct_call_ids: bool,
    pub(crate) uri: String,
    pub(crate) first: u64,
    pub(crate) numbers: u64,
    pub(crate) expect: Vec<u16>,
    pub(crate) contact: Option<String>,
    pub(crate) same: bool,
    pub(crate) wait: Duration,
    pub(crate) seconds: u64,
    pub(crate) pid: Option<u32>,
    pub(crate) until_eof: bool,
    /// No call is started any more.
    pub(crate) stop: Arc<AtomicBool>,
}

impl Args {
    pub(crate) fn read(words: &[String]) -> Result<Self, String> {
        let mut args = Self {
            to: ([127, 0, 0, 1], 0).into(),
            calls: 10_000,
            flows: 1,
            pace: Pace::PerSecond(1000),
            distinct_call_ids: false,
            uri: "sip:+4420{n}@example.net".to_owned(),
            first: 0,
            numbers: NUMBERS_MAX,
            expect: vec![302],
            contact: None,
            same: false,
            wait: Duration::from_secs(1),
            seconds: 600,
            pid: None,
            until_eof: false,
            stop: Arc::default(),
        };
        let mut words = words.iter();
        while let Some(flag) = words.next() {
            match flag.as_str() {
                "--distinct-call-ids" => args.distinct_call_ids = true,
                "--same" => args.same = true,
                "--until-eof" => args.until_eof = true,
                _ => {
                    let value =
                        words.next().ok_or_else(|| format!("{flag} needs a value, or is not known"))?;
                    args.set(flag, value)?;
                }
            }
        }
        if args.to.port() == 0 {
            return Err("--to is missing: which server?".to_owned());
        }
        args.flows = args.flows.min(args.calls);
        if let Pace::Window(window) = args.pace
            && window < args.flows
        {
            return Err(format!(
                "--closed {window} is less than --flows {}: a flow would stand still",
                args.flows
            ));
        }
        Ok(args)
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<(), String> {
        let number = |max: u64| match value.parse() {
            Ok(number) if (1..=max).contains(&number) => Ok(number),
            _ => Err(format!("{flag} {value}: expected a number from 1 to {max}")),
        };
        match flag {
            "--to" => {
                self.to = value.parse().map_err(|_| format!("--to {value}: expected ADDRESS:PORT"))?;
            }
            "--calls" => self.calls = number(CALLS_MAX)?,
            "--flows" => self.flows = number(FLOWS_MAX)?,
            "--rate" => self.pace = Pace::PerSecond(number(RATE_MAX)?),
            "--closed" => self.pace = Pace::Window(number(WINDOW_MAX)?),
            "--uri" => value.clone_into(&mut self.uri),
            "--first" => self.first = number(NUMBERS_MAX)?,
            "--numbers" => self.numbers = number(NUMBERS_MAX)?,
            "--expect" => self.expect = statuses(value)?,
            "--contact" => self.contact = Some(value.to_owned()),
            "--wait-ms" => self.wait = Duration::from_millis(number(60_000)?),
            "--seconds" => self.seconds = number(SECONDS_MAX)?,
            "--pid" => self.pid = Some(u32::try_from(number(u32::MAX.into())?).map_err(|e| e.to_string())?),
            _ => return Err(format!("{flag} is not known")),
        }
        Ok(())
    }

    /// The part of `total` that falls to a flow.
    pub(crate) fn part(&self, total: u64, flow: u64) -> u64 {
        total / self.flows + u64::from(flow < total % self.flows)
    }
}

fn statuses(list: &str) -> Result<Vec<u16>, String> {
    list.split(',')
        .map(|status| match status.parse() {
            Ok(status @ 100..700) => Ok(status),
            _ => Err(format!("--expect {list}: {status} is not a SIP status")),
        })
        .collect()
}
