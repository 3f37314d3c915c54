//! Outside. Starts the server, piece by piece, and runs the loops, the first on the calling thread.
//!
//! In:    a [`Config`].
//! Out:   nothing, after SIGTERM or SIGINT; or why the server did not start.
//! Never: serves with half of what it needs: all is loaded and bound before the first packet.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Instant,
};

use arc_swap::ArcSwap;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{Notify, mpsc};

use crate::{
    config::{self, AdminPlace, Config, KeySource, Listen},
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
    admin::{self, About, Access, Admin, Bound, ListenerTold, Readiness, Rooms},
    diff::Differ,
    loader::{Load, LoadError, Loaded, Loader, Shown},
    logging,
    metrics::{Drops, Metrics, Sources},
    mirror::Mirror,
    reload::{Cause, LoadFn, Reloader, unix_s},
    resolver::Resolver,
    sampling::Sampling,
    secrets::{RoutesAndSecrets, Secrets},
    signals::Signals,
    watch::{Timing, Watcher},
    workers::{self, Worker},
};

/// Why the server did not start or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// There is no route table to begin with.
    #[error("{0}")]
    Routes(LoadError),
    /// Another reason, with its remedy.
    #[error("{0}")]
    Other(String),
}

/// Loads the routes, binds everything, serves until told to stop.
pub fn serve(mut config: Config) -> Result<(), ServeError> {
    let log = logging::start(config.log);
    let (started, started_unix_s) = (Instant::now(), unix_s());
    let loader = Arc::new(Loader::new(&config.routes));
    let table = Arc::new(ArcSwap::from_pointee(first_table(&loader, config.workers)?));
    let secrets = Secrets::read(&config).map_err(|error| ServeError::Other(error.to_string()))?;
    let secrets = Arc::new(secrets);

    let streams = stream_settings(&config, &secrets);
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
    let admin_port = config.admin.as_ref().map(|admin| admin::bind(&admin.place)).transpose();
    let admin_port = admin_port.map_err(ServeError::Other)?.map(|port| port.with_tls(secrets.admin_tls()));

    let counters: Vec<_> = loops.iter().map(|_| Arc::new(Counters::default())).collect();
    let names: Vec<Box<str>> = config.listen.iter().map(|listen| listen.name.clone()).collect();
    let reloader = Reloader::start(Arc::clone(&table), load_all(&loader, Arc::clone(&secrets)))
        .map_err(|error| no_thread(&error))?;
    let nudged = reloader.clone();
    let _watcher = Watcher::start(
        Arc::new(RoutesAndSecrets(loader, Arc::clone(&secrets))),
        Timing::default(),
        move || nudged.nudge(Cause::Watch),
    )
    .map_err(|error| no_thread(&error))?;
    let resolver = Resolver::new(config.dns_servers.clone());
    let (mirror, taps) = Mirror::start(&config, config.workers).map_err(|error| {
        ServeError::Other(format!("messages cannot be shown to those who look on: {error}"))
    })?;
    let readiness = Arc::new(Readiness::default());
    let metrics = Metrics::new(Sources {
        counters: counters.clone(),
        table: Arc::clone(&table),
        reloader: reloader.clone(),
        resolver: resolver.clone(),
        readiness: Arc::clone(&readiness),
        hep: mirror.hep(),
        drops: Drops::new(loops.iter().flat_map(|event_loop| {
            names.iter().cloned().zip(event_loop.inodes()).filter_map(|(name, inode)| Some((name, inode?)))
        })),
    })
    .map_err(|error| ServeError::Other(format!("metrics: {error}")))?;

    let dns_cache = DnsCache { handles: handles.clone(), table: Arc::clone(&table) };
    let differ = Arc::new(Differ {
        table: Arc::clone(&table),
        routes: config.routes.clone(),
        settings: Arc::new(config.settings.clone()),
        listen: listeners(&config, &addresses),
    });
    let admin = Arc::new(Admin {
        place: admin_port.as_ref().map_or_else(|| "off".to_owned(), Bound::shown),
        access: access(admin_port.as_ref(), &secrets),
        about: about(started, started_unix_s, &config, &addresses),
        metrics,
        reloader,
        readiness: Arc::clone(&readiness),
        dns_cache,
        resolver: resolver.clone(),
        differ,
        sampling: Arc::new(Sampling::of(counters.clone(), Arc::clone(&table))),
        top: mirror.top(),
        log,
        rooms: Rooms::default(),
    });
    let (mut workers, mut questions) = (Vec::new(), Vec::new());
    let mut taps = taps.into_iter();
    for (event_loop, counters) in loops.into_iter().zip(counters) {
        let (ask, asked) = mpsc::channel(QUESTIONS_UNDER_WAY_MAX);
        let engine = Engine::new(config.settings.clone(), names.clone());
        workers.push(Worker { event_loop: event_loop.with_tap(taps.next()), engine, counters, ask });
        questions.push(asked);
    }
    let control = Control { admin, admin_port, handles: handles.clone(), resolver, questions };
    let admin_place = control.admin.place.clone();
    let control = control.start()?;
    readiness.serve();
    say_hello(&config, &addresses, &admin_place, &table.load());

    let ended = workers::run(workers, &table, &handles);
    mirror.finish();
    control.stop();
    ended.map_err(|error| ServeError::Other(format!("the event loop ended: {error}")))
}

/// The listeners, with the ports that they have.
fn listeners(config: &Config, addresses: &[SocketAddr]) -> Vec<Listen> {
    let listener = |(listen, address): (&Listen, &SocketAddr)| Listen { address: *address, ..listen.clone() };
    config.listen.iter().zip(addresses).map(listener).collect()
}

fn about(started: Instant, started_unix_s: i64, config: &Config, addresses: &[SocketAddr]) -> About {
    let told = |listen: Listen| ListenerTold {
        name: listen.name.into(),
        transport: listen.transport.name(),
        address: listen.address,
    };
    let listeners = listeners(config, addresses).into_iter().map(told).collect();
    About { started, started_unix_s, workers: config.workers, listeners }
}

fn access(port: Option<&Bound>, secrets: &Secrets) -> Access {
    // Without a port nobody asks.
    let nowhere = AdminPlace::Tcp(SocketAddr::from(([0; 4], 0)));
    Access::to(port.map_or(&nowhere, Bound::place), secrets.token())
}

/// A load of certificates and token, then of the routes. New ones make a new generation, so that
/// whoever asked sees that something changed.
fn load_all(loader: &Arc<Loader>, secrets: Arc<Secrets>) -> LoadFn {
    let loader = Arc::clone(loader);
    let failed = Mutex::new(None);
    Box::new(move |serving| {
        let renewed = secrets.reload();
        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
        match renewed {
            Ok(renewed) => {
                *failed = None;
                loader.load(serving.filter(|_| !renewed))
            }
            Err(error) => {
                let before = failed.replace(error.clone());
                Err(if before.as_ref() == Some(&error) { LoadError::Again(Box::new(error)) } else { error })
            }
        }
    })
}

fn stream_settings(config: &Config, secrets: &Secrets) -> StreamSettings {
    StreamSettings {
        // Of one worker.
        connections_max: config.connections.max.div_ceil(config.workers.max(1)),
        per_source_max: config.connections.per_source,
        idle_ms: config.connections.idle_s.saturating_mul(1000),
        tls: secrets.listeners_tls(),
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

fn no_thread(error: &std::io::Error) -> ServeError {
    ServeError::Other(format!("no thread can be started: {error}"))
}

/// The one line that says that the server is there, and what should not stay as it is. Whoever reads
/// it may send requests and signals.
fn say_hello(config: &Config, addresses: &[SocketAddr], admin: &str, snapshot: &Snapshot) {
    if config.key == KeySource::Default {
        tracing::warn!(
            "no key is set: strangers can foresee our To tags and weighted choices; set `key` (openssl rand -hex 16) in the configuration, the same on all servers of a fleet"
        );
    }
    if let Some(config::Admin { place, token_file, tls }) =
        config.admin.as_ref().filter(|admin| !admin.place.is_local())
    {
        match (token_file, tls) {
            (None, _) => tracing::warn!(
                "the admin port {place} has no token: beyond metrics and probes it answers nobody; set admin: {{address: …, token_file: FILE}}, or keep it on loopback or a Unix socket"
            ),
            (Some(_), None) => tracing::warn!(
                "the admin port {place} has no TLS: who listens on the way learns the token; set admin: {{tls: {{certificate: FILE, key: FILE}}}}"
            ),
            (Some(_), Some(_)) => {}
        }
    }
    let listening: Vec<String> = config
        .listen
        .iter()
        .zip(addresses)
        .map(|(listen, address)| format!("{}:{address} ({})", listen.transport.name(), listen.name))
        .collect();
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
    admin_port: Option<Bound>,
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
        if let Some(port) = admin_port {
            tokio::spawn(Arc::clone(&admin.sampling).run());
            let serving = admin::serve(port, Arc::clone(&admin));
            tokio::spawn(async { serving.await.inspect_err(|error| tracing::error!("admin port: {error}")) });
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
            let settings =
                stream_settings(&Config { workers, connections, ..Config::default() }, &Secrets::default());
            (settings.connections_max, settings.per_source_max)
        };
        for (workers, max, each) in [(1, 5, 5), (2, 5, 3), (5, 5, 1), (64, 5, 1)] {
            assert_eq!(settings(workers, max), (each, 7), "{workers} workers, {max} connections");
        }
    }
}
