//! Outside. Starts the server, piece by piece, and runs the loops, the first on the calling thread.
//!
//! In:    a [`Config`].
//! Out:   nothing, after SIGTERM or SIGINT; or why the server did not start.
//! Never: serves with half of what it needs: all is loaded and bound before the first packet.

use std::{
    hash::Hasher as _,
    net::{SocketAddr, TcpListener as StdListener},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use arc_swap::ArcSwap;
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    system::uname,
};
use siphasher::sip::SipHasher24;
use tokio::sync::{Notify, mpsc};

use crate::{
    config::{self, Config, KeySource},
    counters::Counters,
    dns::Question,
    engine::Engine,
    limits::{FILES_BESIDES_CONNECTIONS, QUESTIONS_UNDER_WAY_MAX},
    net::{EventLoop, Handle, Order, StreamSettings},
    route::Transport,
    snapshot::Snapshot,
};

use super::{
    DnsCache,
    admin::{self, Admin, Readiness},
    diff::Differ,
    loader::{Load, LoadError, Loaded, Loader, Shown},
    logging,
    metrics::{Drops, Metrics, Sources},
    reload::{Cause, LoadFn, Reloader, unix_s},
    resolver::Resolver,
    signals::Signals,
    source::{Fetcher, FirstError, SourceError, Timing as SourceTiming},
    tls::Certificates,
    watch::{RoutesAndCertificates, Timing, Watcher},
    workers::{self, Worker},
};

/// Why the server did not start or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// There is no route table to begin with.
    #[error("{0}")]
    Routes(LoadError),
    /// There are no files to make one of.
    #[error("source: {0}")]
    Source(SourceError),
    /// Another reason, with its remedy.
    #[error("{0}")]
    Other(String),
}

/// Loads the routes, binds everything, serves until told to stop.
pub fn serve(mut config: Config) -> Result<(), ServeError> {
    logging::start(config.log);
    let loader = Arc::new(Loader::new(&config.routes));
    let mut fetcher = config.source.as_ref().map(|source| fetcher(source, &config)).transpose()?;
    let first = match &mut fetcher {
        Some(fetcher) => {
            fetcher.first(|| first_table(&loader, config.workers)).map_err(|error| match error {
                FirstError::Load(error) => error,
                FirstError::Source(error) => ServeError::Source(error),
            })?
        }
        None => first_table(&loader, config.workers)?,
    };
    let table = Arc::new(ArcSwap::from_pointee(first));
    let certificates = config.tls.clone().map(Certificates::read).transpose();
    let certificates = certificates.map_err(|error| ServeError::Other(error.to_string()))?.map(Arc::new);

    let streams = stream_settings(&config, certificates.as_deref());
    raise_file_limit(&config);
    let bound = EventLoop::bind_workers(&config.listen, &streams, config.workers);
    let bound = bound.map_err(|error| ServeError::Other(error.to_string()))?;
    let batched =
        |(event_loop, handle): (EventLoop, Handle)| (event_loop.with_batching(config.batching), handle);
    let (loops, handles): (Vec<_>, Vec<_>) = bound.into_iter().map(batched).unzip();
    let addresses = loops.first().map(EventLoop::addresses).unwrap_or_default();
    // Port 0 is a real one now: that is where we are.
    config.settings.ourselves.listeners =
        addresses.iter().map(|address| (address.ip(), address.port())).collect();
    let admin_port = config.admin.map(admin::bind).transpose().map_err(ServeError::Other)?;

    let counters: Vec<_> = loops.iter().map(|_| Arc::new(Counters::default())).collect();
    let names: Vec<Box<str>> = config.listen.iter().map(|listen| listen.name.clone()).collect();
    let reloader = Reloader::start(Arc::clone(&table), load_both(&loader, certificates.clone()))
        .map_err(|error| no_thread(&error))?;
    let nudged = reloader.clone();
    let _watcher =
        Watcher::start(Arc::new(RoutesAndCertificates(loader, certificates)), Timing::default(), move || {
            nudged.nudge(Cause::Watch)
        })
        .map_err(|error| no_thread(&error))?;
    let source = fetcher.as_ref().map(Fetcher::status);
    let _fetching = fetcher
        .map(|fetcher| fetcher.start(reloader.clone()))
        .transpose()
        .map_err(|error| no_thread(&error))?;
    let resolver = Resolver::new(config.dns_servers.clone());
    let metrics = Metrics::new(Sources {
        counters: counters.clone(),
        table: Arc::clone(&table),
        reloader: reloader.clone(),
        resolver: resolver.clone(),
        source,
        drops: Drops::new(loops.iter().flat_map(|event_loop| {
            names.iter().cloned().zip(event_loop.inodes()).filter_map(|(name, inode)| Some((name, inode?)))
        })),
    })
    .map_err(|error| ServeError::Other(format!("metrics: {error}")))?;

    let readiness = Arc::new(Readiness::default());
    let dns_cache = DnsCache { handles: handles.clone(), table: Arc::clone(&table) };
    let differ = Arc::new(Differ {
        table: Arc::clone(&table),
        routes: config.routes.clone(),
        settings: Arc::new(config.settings.clone()),
        listen: config.listen.clone(),
    });
    let admin = Arc::new(Admin { metrics, reloader, readiness: Arc::clone(&readiness), dns_cache, differ });
    let (mut workers, mut questions) = (Vec::new(), Vec::new());
    for (event_loop, counters) in loops.into_iter().zip(counters) {
        let (ask, asked) = mpsc::channel(QUESTIONS_UNDER_WAY_MAX);
        let engine = Engine::new(config.settings.clone(), names.clone());
        workers.push(Worker { event_loop, engine, counters, ask });
        questions.push(asked);
    }
    let control = Control { admin, admin_port, handles: handles.clone(), resolver, questions };
    let admin_address = control.admin_port.as_ref().and_then(|listener| listener.local_addr().ok());
    let control = control.start()?;
    readiness.serve();
    say_hello(&config, &addresses, admin_address, &table.load());

    let ended = workers::run(workers, &table, &handles);
    control.stop();
    ended.map_err(|error| ServeError::Other(format!("the event loop ended: {error}")))
}

/// A load of the certificates, then of the routes. New certificates make a new generation, so that
/// whoever asked sees that something changed.
fn load_both(loader: &Arc<Loader>, certificates: Option<Arc<Certificates>>) -> LoadFn {
    let loader = Arc::clone(loader);
    let failed = Mutex::new(None);
    Box::new(move |serving| {
        let renewed = certificates.as_ref().map_or(Ok(false), |certificates| certificates.reload());
        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
        match renewed {
            Ok(renewed) => {
                *failed = None;
                if renewed {
                    tracing::info!("TLS certificates renewed");
                }
                loader.load(serving.filter(|_| !renewed))
            }
            Err(error) => {
                let error = LoadError::Tls(error);
                let before = failed.replace(error.clone());
                Err(if before.as_ref() == Some(&error) { LoadError::Again(Box::new(error)) } else { error })
            }
        }
    })
}

fn stream_settings(config: &Config, certificates: Option<&Certificates>) -> StreamSettings {
    StreamSettings {
        // Of one worker.
        connections_max: config.connections.max.div_ceil(config.workers.max(1)),
        per_source_max: config.connections.per_source,
        idle_ms: config.connections.idle_s.saturating_mul(1000),
        tls: certificates.map(Certificates::in_service),
        ..StreamSettings::default()
    }
}

/// Each connection takes a file descriptor, and so does each listener of each worker; a process has 1024 by
/// default. The system grants more to whoever asks.
fn raise_file_limit(config: &Config) {
    let is_udp_only = config.listen.iter().all(|listen| listen.transport == Transport::Udp);
    if is_udp_only && config.workers == 1 {
        return;
    }
    let connections_max = if is_udp_only { 0 } else { config.connections.max };
    let workers = config.workers;
    // A loop has an event queue, held twice, and a waker.
    let of_loops = workers.saturating_mul(config.listen.len().saturating_add(3));
    let needed = FILES_BESIDES_CONNECTIONS.saturating_add(connections_max).saturating_add(of_loops);
    let needed = u64::try_from(needed).unwrap_or(u64::MAX);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return;
    }
    let granted = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let set = setrlimit(Resource::Nofile, Rlimit { current: Some(granted), maximum: limit.maximum });
    if granted < needed || set.is_err() {
        tracing::warn!(
            "{connections_max} connections and {workers} workers need {needed} open files, and this process may have {granted}: raise LimitNOFILE (systemd) or `ulimit -n`, or lower connections.max"
        );
    }
}

fn first_table(loader: &Loader, workers: usize) -> Result<Snapshot, ServeError> {
    match loader.load(None).map_err(ServeError::Routes)? {
        Load::New(loaded) => {
            let Loaded { table, warnings, hash } = *loaded;
            for diagnostic in &warnings {
                tracing::warn!("{}", Shown { dir: loader.dir(), diagnostic });
            }
            Ok(Snapshot::first(table, hash, unix_s(), workers))
        }
        Load::Same => {
            Err(ServeError::Other("internal error: nothing was loaded; please report it".to_owned()))
        }
    }
}

/// What fetches the route files. Its looks are where this machine's name puts them, so that those of a fleet are
/// apart.
fn fetcher(source: &config::Source, config: &Config) -> Result<Fetcher, ServeError> {
    let mut hasher = SipHasher24::new_with_key(&config.settings.key);
    hasher.write(uname().nodename().to_bytes());
    Fetcher::open(source, &config.routes, hasher.finish(), SourceTiming::default())
        .map_err(ServeError::Source)
}

fn no_thread(error: &std::io::Error) -> ServeError {
    ServeError::Other(format!("no thread can be started: {error}"))
}

/// The one line that says that the server is there, and what should not stay as it is. Whoever reads
/// it may send requests and signals.
fn say_hello(config: &Config, addresses: &[SocketAddr], admin: Option<SocketAddr>, snapshot: &Snapshot) {
    if config.key == KeySource::Default {
        tracing::warn!(
            "no key is set: strangers can foresee our To tags and weighted choices; set `key` (openssl rand -hex 16) in the configuration, the same on all servers of a fleet"
        );
    }
    if let Some(address) = config.admin.filter(|address| !address.ip().is_loopback()) {
        tracing::warn!(
            "the admin port {address} has no login: whoever reaches it can read metrics and reload routes"
        );
    }
    let listening: Vec<String> = config
        .listen
        .iter()
        .zip(addresses)
        .map(|(listen, address)| format!("{}:{address} ({})", listen.transport.name(), listen.name))
        .collect();
    let admin = admin.map_or_else(|| "off".to_owned(), |address| format!("http://{address}"));
    let workers = match config.workers {
        1 => String::new(),
        several => format!("; {several} workers"),
    };
    tracing::info!(
        "waypost {} serves {}; admin {admin}; {} routes from {}, generation {}{workers}",
        env!("CARGO_PKG_VERSION"),
        listening.join(", "),
        snapshot.table.routes.len(),
        config.routes.display(),
        snapshot.generation
    );
}

/// What the control thread takes with it.
struct Control {
    admin: Arc<Admin>,
    admin_port: Option<StdListener>,
    /// Of the workers, and their questions likewise.
    handles: Vec<Handle>,
    resolver: Resolver,
    questions: Vec<mpsc::Receiver<Question>>,
}

/// The control thread.
struct Running {
    thread: JoinHandle<()>,
    end: Arc<Notify>,
}

impl Control {
    /// Starts the thread; signals are caught when this returns.
    fn start(self) -> Result<Running, ServeError> {
        let failed =
            |error: std::io::Error| ServeError::Other(format!("the control thread cannot start: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let end = Arc::new(Notify::new());
        let ended = Arc::clone(&end);
        let signals = {
            let _on_runtime = runtime.enter();
            Signals::catch().map_err(failed)?
        };
        let thread = thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || {
                runtime.block_on(self.run(signals, &ended));
                // A comparison under way is of no use any more, and may take long.
                runtime.shutdown_background();
            })
            .map_err(failed)?;
        Ok(Running { thread, end })
    }

    async fn run(self, signals: Signals, end: &Notify) {
        let Self { admin, admin_port, handles, resolver, questions } = self;
        match admin_port.map(tokio::net::TcpListener::from_std).transpose() {
            Ok(Some(listener)) => drop(tokio::spawn(admin::serve(listener, Arc::clone(&admin)))),
            Ok(None) => {}
            Err(error) => tracing::error!("admin port: {error}"),
        }
        for (questions, answers) in questions.into_iter().zip(handles.clone()) {
            tokio::spawn(resolver.clone().run(questions, move |question, answer| {
                // One that finds the loop's inlet full is lost: who waits for it gives up in its time.
                answers.answer(question, answer);
            }));
        }
        let reload = || admin.reloader.nudge(Cause::Signal);
        let stop = |signal: &str| {
            tracing::info!("{signal}: answering what is here, then ending");
            admin.readiness.drain();
            for handle in &handles {
                handle.order(Order::Drain);
                handle.order(Order::Stop);
            }
        };
        tokio::select! {
            () = signals.heed(reload, stop) => {}
            () = end.notified() => {}
        }
    }
}

impl Running {
    /// Ends the thread, and with it connections and questions under way.
    fn stop(self) {
        self.end.notify_one();
        if self.thread.join().is_err() {
            tracing::error!("the control thread had ended before: a bug, please report it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Connections;

    #[test]
    fn the_workers_share_out_the_connections() {
        let settings = |workers, max| {
            let connections = Connections { max, per_source: 7, ..Connections::default() };
            let settings = stream_settings(&Config { workers, connections, ..Config::default() }, None);
            (settings.connections_max, settings.per_source_max)
        };
        for (workers, max, each) in [(1, 5, 5), (2, 5, 3), (5, 5, 1), (64, 5, 1)] {
            assert_eq!(settings(workers, max), (each, 7), "{workers} workers, {max} connections");
        }
    }
}
