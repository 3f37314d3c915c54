//! Outside. Lists of calls, line by line, into a [`Comparer`]; and the comparison behind `POST /diff`: the
//! table in service with what the routes directory holds now.
//!
//! Never: puts a table into service, or tells the loader of the server what was read: a reload finds the
//! files as new as they are.

use std::{
    io::{self, BufRead, Read as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use arc_swap::ArcSwap;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    loader::{Load, LoadError, Loader},
    reload::unix_s,
};
use crate::{
    compare::{Comparer, Format, LineFault, Lines, Report},
    config::Listen,
    decide::{Arrival, Settings},
    limits::DIFF_LINE_BYTES_MAX,
    route::{RouteTable, Transport},
    snapshot::Snapshot,
};

/// A whole comparison.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub struct Compared {
    pub old: Compiled,
    pub new: Compiled,
    #[serde(flatten)]
    pub report: Report,
}

/// One of the two tables.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Compiled {
    /// SHA-256 of all its files.
    pub hash: String,
    /// How many routes it has.
    pub routes: usize,
}

/// Why calls cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The system says so.
    #[error("{0}")]
    System(#[from] io::Error),
    /// The line that names the columns.
    #[error("line {line}: {why}")]
    #[allow(missing_docs)]
    Columns { line: u64, why: String },
}

impl Compiled {
    /// What is known of a table.
    #[must_use]
    pub fn of(table: &RouteTable, hash: &str) -> Self {
        Self { hash: hash.to_owned(), routes: table.routes.len() }
    }
}

/// The way of a call that says nothing about it: to the first listener, UDP ones before others.
#[must_use]
pub fn arrival(listen: &[Listen], source: SocketAddr) -> Option<Arrival<'_>> {
    let udp = listen.iter().find(|listen| listen.transport == Transport::Udp);
    let listener = udp.or_else(|| listen.first())?;
    Some(Arrival {
        source,
        local: reached_at(listener.address),
        listener: &listener.name,
        transport: listener.transport,
        identity: None,
    })
}

/// A listener on every address is reached at one of them.
pub(crate) fn reached_at(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Compares every call of a list. `name` is what places are told by.
pub fn feed(
    input: &mut impl BufRead,
    name: &str,
    format: Format,
    arrival: Arrival<'_>,
    comparer: &mut Comparer<'_>,
) -> Result<(), FeedError> {
    let transport = arrival.transport.name().to_ascii_uppercase();
    let mut lines = Lines::new(format);
    let (mut line, mut request, mut number) = (Vec::new(), String::new(), 0_u64);
    loop {
        number += 1;
        line.clear();
        let most = u64::try_from(DIFF_LINE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
        if input.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let place = format_args!("{name}:{number}");
        if line.strip_suffix(b"\n").unwrap_or(&line).len() > DIFF_LINE_BYTES_MAX {
            comparer.skip("is longer than any request", place);
            if !line.ends_with(b"\n") {
                input.skip_until(b'\n')?;
            }
            continue;
        }
        match lines.read(line.strip_suffix(b"\n").unwrap_or(&line)) {
            Ok(None) => {}
            Ok(Some(call)) => {
                let source = call.source.unwrap_or(arrival.source);
                call.request(number, source, &transport, &mut request);
                comparer.call(request.as_bytes(), &Arrival { source, ..arrival }, place);
            }
            Err(LineFault::NoCall(why)) => comparer.skip(&why, place),
            Err(LineFault::Columns(why)) => return Err(FeedError::Columns { line: number, why }),
        }
    }
}

/// What `POST /diff` compares.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Differ {
    pub table: Arc<ArcSwap<Snapshot>>,
    pub routes: PathBuf,
    pub settings: Arc<Settings>,
    pub listen: Vec<Listen>,
}

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
pub enum DifferError {
    /// A reload would be refused.
    #[error("{0}")]
    Refused(LoadError),
    /// The calls cannot be read.
    #[error("calls: {0}")]
    Calls(#[from] FeedError),
    /// There is nothing that a call could come to.
    #[error("the server has no listener")]
    NoListener,
}

impl Differ {
    /// Compares the table in service with the directory as it is now. Takes as long as a reload, and some
    /// microseconds for each call.
    pub fn compare(&self, calls: &[u8], format: Format, shown_max: usize) -> Result<Compared, DifferError> {
        // Its memory of what it has read is its own.
        let loaded = match Loader::new(&self.routes).load(None).map_err(DifferError::Refused)? {
            Load::New(loaded) => loaded,
            // Only said to whoever names a hash.
            Load::Same => {
                let what = "nothing was loaded".to_owned();
                return Err(DifferError::Refused(LoadError::Internal { what }));
            }
        };
        let old = self.table.load_full();
        let source = SocketAddr::from(([127, 0, 0, 1], 5060));
        let arrival = arrival(&self.listen, source).ok_or(DifferError::NoListener)?;
        let mut comparer = Comparer::new(&self.settings, &old.table, &loaded.table, unix_s(), shown_max);
        feed(&mut &*calls, "calls", format, arrival, &mut comparer)?;
        Ok(Compared {
            old: Compiled::of(&old.table, &old.hash),
            new: Compiled::of(&loaded.table, &loaded.hash),
            report: comparer.report(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(list: &[u8]) -> Report {
        let (settings, table) = (Settings::default(), RouteTable::default());
        let address = SocketAddr::from(([0, 0, 0, 0], 5060));
        let listen = [Listen { name: "core".into(), transport: Transport::Udp, address }];
        let arrival = arrival(&listen, address).unwrap();
        let mut comparer = Comparer::new(&settings, &table, &table, 0, 1);
        feed(&mut &*list, "calls", Format::Numbers, arrival, &mut comparer).unwrap();
        comparer.report()
    }

    #[test]
    fn a_line_that_is_too_long_is_no_call_and_the_next_one_is() {
        let line = |bytes: usize| format!("{}@h", "1".repeat(bytes - 2));
        for (list, calls, places) in [
            (format!("{}\n1\n", line(DIFF_LINE_BYTES_MAX)), 2, &[][..]),
            (format!("{}\n1", line(DIFF_LINE_BYTES_MAX + 1)), 1, &["calls:1"]),
            (format!("{}\n1\n", line(3 * DIFF_LINE_BYTES_MAX)), 1, &["calls:1"]),
            (format!("1\n{}", line(2 * DIFF_LINE_BYTES_MAX)), 1, &["calls:2"]),
        ] {
            let report = fed(list.as_bytes());
            let told: Vec<_> = report.skipped_shown.iter().map(|skipped| &*skipped.place).collect();
            assert_eq!((report.calls, &*told), (calls, places));
        }
    }

    #[test]
    fn calls_come_to_the_first_listener_and_udp_is_first() {
        let listen = |name: &str, transport, address: &str| Listen {
            name: name.into(),
            transport,
            address: address.parse().unwrap(),
        };
        let source = "192.0.2.7:5060".parse().unwrap();
        let two = [listen("t", Transport::Tcp, "127.0.0.1:1"), listen("u", Transport::Udp, "[::]:2")];
        let way = arrival(&two, source).unwrap();
        assert_eq!((way.listener, way.local), ("u", "[::1]:2".parse().unwrap()));
        let way = arrival(two.get(..1).unwrap(), source).unwrap();
        assert_eq!((way.listener, way.transport), ("t", Transport::Tcp));
        assert!(arrival(&[], source).is_none());
    }
}
