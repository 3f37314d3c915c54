//! Outside. Starts the server, piece by piece, and runs the loops, the first on the calling thread.
//!
//! In:    a [`Config`].
//! Out:   nothing, after SIGTERM or SIGINT; or why the server did not start.
//! Never: serves with half of what it needs: all is loaded and bound before the first packet.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    system::uname,
};
use rustls::ClientConfig;
use siphasher::sip::SipHasher13;
use tokio::sync::{Notify, mpsc};

use crate::{
    config::{self, AdminPlace, Config, KeySource, Listen},
    counters::Counters,
    dns::Question,
    engine::Engine,
    limits::{FILES_BESIDES_CONNECTIONS, QUESTIONS_UNDER_WAY_MAX},
    net::{EventLoop, Handle, StreamSettings},
    overload::{Admission, Keys},
    route::Transport,
    snapshot::Snapshot,
};

use super::{
    DnsCache,
    admin::{self, About, Access, Admin, Bound, ListenerTold, Readiness, Rooms},
    diff::Differ,
    health::{Asking, Gateways, Prober, client_config},
    last_good::LastGood,
    lifecycle::{
        Course, Inherited, Program, Systemd, after_load, all_are_taken, first_table, keep_workers, shared,
    },
    loader::{LoadError, Loader},
    logging,
    metrics::{Drops, Metrics, Sources},
    mirror::Mirror,
    reload::{Cause, LoadFn, Reloader, unix_s},
    resolver::Resolver,
    sampling::Sampling,
    sandbox,
    secrets::{RoutesAndSecrets, Secrets},
    signals::Signals,
    source::{Fetcher, FirstError, SourceError, Timing as SourceTiming},
    watch::{Timing, Watcher},
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
    // Before there are threads.
    let inherited = Inherited::take();
    let program = Program::of_this_process();
    let log = logging::start(config.log);
    let (started, started_unix_s) = (Instant::now(), unix_s());
    let Inherited { mut handed, predecessor } =
        inherited.map_err(|error| ServeError::Other(error.to_string()))?;
    let program = program.map_err(|error| {
        ServeError::Other(format!("the path of this program cannot be known: {error}; is /proc mounted?"))
    })?;
    let is_confined = predecessor.as_ref().is_some_and(|predecessor| predecessor.is_confined);
    let sandbox = sandbox::enter(&config, program.path(), is_confined)
        .map_err(|error| ServeError::Other(error.to_string()))?;
    keep_workers(&mut config, &handed);
    let loader = Arc::new(Loader::new(&config.routes));
    let last_good = config.state.as_deref().map(LastGood::new);
    let mut fetcher = config.source.as_ref().map(|source| fetcher(source, &config)).transpose()?;
    let kept = || first_table(&loader, last_good.as_ref(), config.workers);
    let (first, is_kept) = match &mut fetcher {
        // What was kept serves when neither the source nor what was fetched before gives a table.
        Some(fetcher) => fetcher.first(|| first_table(&loader, None, config.workers)).or_else(|error| {
            kept().map_err(|_| match error {
                FirstError::Load(error) => error,
                FirstError::Source(error) => ServeError::Source(error),
            })
        })?,
        None => kept()?,
    };
    let table = Arc::new(ArcSwap::from_pointee(first));
    let secrets = Secrets::read(&config).map_err(|error| ServeError::Other(error.to_string()))?;
    let secrets = Arc::new(secrets);

    let streams = stream_settings(&config, &secrets);
    raise_file_limit(&config);
    let bound = EventLoop::take_workers(&config.listen, &streams, config.workers, &mut handed);
    let bound = bound.map_err(|error| ServeError::Other(error.to_string()))?;
    let batched =
        |(event_loop, handle): (EventLoop, Handle)| (event_loop.with_batching(config.batching), handle);
    let (loops, handles): (Vec<_>, Vec<_>) = bound.into_iter().map(batched).unzip();
    let addresses = loops.first().map(EventLoop::addresses).unwrap_or_default();
    // Port 0 is a real one now: that is where we are.
    config.settings.ourselves.listeners =
        addresses.iter().map(|address| (address.ip(), address.port())).collect();
    let take_admin = |admin: &config::Admin| admin::take(&admin.place, &mut handed, predecessor.is_some());
    let admin_port = config.admin.as_ref().map(take_admin).transpose();
    let admin_port = admin_port.map_err(ServeError::Other)?.map(|port| port.with_tls(secrets.admin_tls()));
    all_are_taken(handed, predecessor.is_some()).map_err(ServeError::Other)?;
    let sockets = shared(&loops, admin_port.as_ref())
        .map_err(|error| ServeError::Other(format!("the sockets cannot be shared: {error}")))?;

    let counters: Vec<_> = loops.iter().map(|_| Arc::new(Counters::default())).collect();
    let names: Vec<Box<str>> = config.listen.iter().map(|listen| listen.name.clone()).collect();
    let systemd = Systemd::new(predecessor.is_some());
    let replaced = Arc::new(AtomicBool::new(false));
    let after = after_load(last_good, &loader, (&table, is_kept), &systemd, &replaced);
    let reloader = Reloader::start_with(Arc::clone(&table), load_all(&loader, Arc::clone(&secrets)), after)
        .map_err(|error| no_thread(&error))?;
    if is_kept {
        reloader.begin_with_last_known_good();
    }
    let nudged = reloader.clone();
    let _watcher = Watcher::start(
        Arc::new(RoutesAndSecrets(loader, Arc::clone(&secrets))),
        Timing::default(),
        move || nudged.nudge(Cause::Watch),
    )
    .map_err(|error| no_thread(&error))?;
    let source = fetcher.as_ref().map(Fetcher::status);
    let _fetching = fetcher
        .map(|fetcher| fetcher.start(reloader.clone()))
        .transpose()
        .map_err(|error| no_thread(&error))?;
    let resolver = Resolver::new(config.dns_servers.clone());
    let (mirror, taps) = Mirror::start(&config, config.workers).map_err(|error| {
        ServeError::Other(format!("messages cannot be shown to those who look on: {error}"))
    })?;
    let readiness = Arc::new(Readiness::default());
    let gateways = Gateways::new(Arc::clone(&table));
    let of_client = tls_of_probes(&secrets)?;
    let asking = Asking::new(resolver.clone(), config.settings.clone(), of_client);
    let seed = seed(&config.settings.key, &addresses);
    let prober = (Prober::new(gateways.clone(), asking, seed), reloader.loaded());
    let metrics = Metrics::new(Sources {
        counters: counters.clone(),
        table: Arc::clone(&table),
        reloader: reloader.clone(),
        resolver: resolver.clone(),
        readiness: Arc::clone(&readiness),
        hep: mirror.hep(),
        gateways: gateways.clone(),
        source,
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
        gateways,
        sampling: Arc::new(Sampling::of(counters.clone(), Arc::clone(&table))),
        top: mirror.top(),
        log,
        rooms: Rooms::default(),
    });
    let course = Course {
        systemd: systemd.clone(),
        reloader: admin.reloader.clone(),
        readiness: Arc::clone(&readiness),
        loops: handles.clone(),
        sockets,
        program,
        lame_duck: Duration::from_secs(config.stop.lame_duck_s),
        replaced: Box::new(move || replaced.store(true, Ordering::Relaxed)),
    };
    let (mut workers, mut questions) = (Vec::new(), Vec::new());
    let mut taps = taps.into_iter();
    for (event_loop, counters) in loops.into_iter().zip(counters) {
        let (ask, asked) = mpsc::channel(QUESTIONS_UNDER_WAY_MAX);
        let admission = Admission::new(config.overload.clone(), config.workers, keys(&config));
        let engine = Engine::new(config.settings.clone(), names.clone()).with_admission(admission);
        workers.push(Worker { event_loop: event_loop.with_tap(taps.next()), engine, counters, ask });
        questions.push(asked);
    }
    let control =
        Control { admin, admin_port, handles: handles.clone(), resolver, questions, prober, course };
    let admin_place = control.admin.place.clone();
    let control = control.start()?;
    readiness.serve();
    sandbox.tell();
    say_hello(&config, &addresses, &admin_place, &table.load());
    match predecessor {
        Some(predecessor) => predecessor.relieve(systemd),
        None => systemd.ready(),
    }

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
    // A loop has an event queue, held twice, and a waker. Its sockets are there twice, for who replaces us.
    let of_loops = workers.saturating_mul(config.listen.len().saturating_mul(2).saturating_add(3));
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

/// What probes over TLS take for each connection: with the certificate of the `tls:` listeners where there is one.
fn tls_of_probes(secrets: &Secrets) -> Result<Arc<ArcSwap<ClientConfig>>, ServeError> {
    match secrets.probes_tls() {
        Some(in_service) => Ok(in_service),
        None => match client_config(None) {
            Ok(config) => Ok(Arc::new(ArcSwap::from_pointee(config))),
            Err(error) => Err(ServeError::Other(format!("TLS of the probes: {error}"))),
        },
    }
}

/// A number of this server alone, whose fleet has one key: by the name of the machine and where it listens.
fn seed(key: &[u8; 16], addresses: &[SocketAddr]) -> u64 {
    let mut hasher = SipHasher13::new_with_key(key);
    hasher.write(uname().nodename().to_bytes());
    addresses.iter().for_each(|address| hasher.write(address.to_string().as_bytes()));
    hasher.finish()
}

/// Where each source has its bucket is for nobody to foresee, so that nobody aims at another's.
fn keys(config: &Config) -> Keys {
    let secret = RandomState::new();
    let [first, second] = [0_u8, 1].map(|half| secret.hash_one(half).to_ne_bytes());
    let mut of_table = [0; 16];
    of_table.iter_mut().zip(first.into_iter().chain(second)).for_each(|(place, byte)| *place = byte);
    Keys { of_answers: config.settings.key, of_table }
}

/// What fetches the route files. Its looks are where this machine's name puts them, so that those of a fleet are
/// apart.
fn fetcher(source: &config::Source, config: &Config) -> Result<Fetcher, ServeError> {
    Fetcher::open(source, &config.routes, seed(&config.settings.key, &[]), SourceTiming::default())
        .map_err(ServeError::Source)
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
    /// With what tells it of a new table.
    prober: (Prober, Arc<Notify>),
    course: Course,
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
        let Self { admin, admin_port, handles, resolver, questions, prober: (prober, loaded), course } = self;
        tokio::spawn(prober.run(loaded));
        let serving = admin_port.map(|port| {
            tokio::spawn(Arc::clone(&admin.sampling).run());
            let serving = admin::serve(port, admin);
            tokio::spawn(async { serving.await.inspect_err(|error| tracing::error!("admin port: {error}")) })
                .abort_handle()
        });
        for (questions, answers) in questions.into_iter().zip(handles) {
            tokio::spawn(resolver.clone().run(questions, move |question, answer| {
                // One that finds the loop's inlet full is lost: who waits for it gives up in its time.
                answers.answer(question, answer);
            }));
        }
        tokio::select! {
            () = course.run(signals, serving) => {}
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
