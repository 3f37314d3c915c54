//! Outside. Starts the server, piece by piece, and runs the loops, the first on the calling thread.
//!
//! In:    a [`Config`].
//! Out:   nothing, after SIGTERM or SIGINT; or why the server did not start.
//! Never: serves with half of what it needs: all is loaded and bound before the first packet.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use rustls::ClientConfig;
use tokio::sync::mpsc;

use crate::{
    config::{self, AdminPlace, Config},
    counters::Counters,
    engine::Engine,
    limits::QUESTIONS_UNDER_WAY_MAX,
    overload::Admission,
    snapshot::Snapshot,
};

use super::{
    DnsCache,
    admin::{Access, Admin, Bound, Readiness, Rooms},
    diff::Differ,
    health::{Asking, Gateways, Prober, client_config},
    last_good::LastGood,
    lifecycle::{Course, Inherited, Program, Systemd, after_load, first_table, keep_workers},
    loader::{LoadError, Loader},
    logging,
    metrics::{Drops, Metrics, Sources},
    mirror::Mirror,
    reload::{Cause, LoadFn, Reloader, unix_s},
    resolver::Resolver,
    sampling::Sampling,
    sandbox,
    secrets::{RoutesAndSecrets, Secrets},
    source::{Fetcher, FirstError, SourceError, Timing as SourceTiming},
    watch::{Timing, Watcher},
    workers::{self, Worker},
};

mod control_thread;
mod hello;
mod keys;
mod sockets;

use control_thread::Control;
use hello::{about, listeners, say_hello};
use keys::{keys, seed};
use sockets::Sockets;

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
    let Inherited { handed, predecessor } =
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
    let (first, is_kept) = first_routes(&config, &loader, last_good.as_ref(), fetcher.as_mut())?;
    let table = Arc::new(ArcSwap::from_pointee(first));
    let secrets = Secrets::read(&config).map_err(|error| ServeError::Other(error.to_string()))?;
    let secrets = Arc::new(secrets);

    let Sockets { loops, handles, addresses, admin_port, shared } =
        Sockets::bind(&config, &secrets, handed, predecessor.is_some())?;
    // Port 0 is a real one now: that is where we are.
    config.settings.ourselves.listeners =
        addresses.iter().map(|address| (address.ip(), address.port())).collect();

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
        sockets: shared,
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

/// The table to begin with, and whether it is one that was kept.
fn first_routes(
    config: &Config,
    loader: &Loader,
    last_good: Option<&LastGood>,
    fetcher: Option<&mut Fetcher>,
) -> Result<(Snapshot, bool), ServeError> {
    let kept = || first_table(loader, last_good, config.workers);
    let Some(fetcher) = fetcher else { return kept() };
    // What was kept serves when neither the source nor what was fetched before gives a table.
    fetcher.first(|| first_table(loader, None, config.workers)).or_else(|error| {
        kept().map_err(|_| match error {
            FirstError::Load(error) => error,
            FirstError::Source(error) => ServeError::Source(error),
        })
    })
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

/// What fetches the route files. Its looks are where this machine's name puts them, so that those of a fleet are
/// apart.
fn fetcher(source: &config::Source, config: &Config) -> Result<Fetcher, ServeError> {
    Fetcher::open(source, &config.routes, seed(&config.settings.key, &[]), SourceTiming::default())
        .map_err(ServeError::Source)
}

fn no_thread(error: &std::io::Error) -> ServeError {
    ServeError::Other(format!("no thread can be started: {error}"))
}
