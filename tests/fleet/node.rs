//! A node without sockets for calls: a fetcher, the loader and the reload thread, as the server has them;
//! and a publisher.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use waypost::{
    config,
    control::{
        loader::{Load, LoadError, Loader},
        reload::Reloader,
        source::{
            Fetcher, FirstError, Outcome, Running, SourceError, Status, Timing,
            keys::SigningKey,
            publish::{Publication, Published, Stamp},
        },
    },
    snapshot::Snapshot,
};

/// How long a test waits for what must come, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "it never came: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Routes that refuse every call with this code.
pub(crate) fn refuse_with(code: u16) -> String {
    format!("routes: [{{name: all, answer: {{code: {code}}}}}]\n")
}

/// Where route files are written and published.
pub(crate) struct Publisher {
    dir: tempfile::TempDir,
}

impl Publisher {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("routes/data")).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path("routes").join(name), text).unwrap();
    }

    /// A pair of keys: files with the private and the public one.
    pub(crate) fn make_key(&self, name: &str) -> (PathBuf, PathBuf) {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let (private, public) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.pub.pem")));
        fs::write(&private, pair.serialize_pem()).unwrap();
        fs::write(&public, pair.public_key_pem()).unwrap();
        (private, public)
    }

    pub(crate) fn publish_as(&self, serial: Option<u64>, key: Option<&Path>) -> Published {
        let key = key.map(|path| SigningKey::read(path).unwrap());
        let stamp = Stamp { serial, key: key.as_ref(), unix_s: 1_000 };
        let publication = Publication::prepare(&self.path("routes")).unwrap();
        publication.into_directory(&self.path("out"), stamp).unwrap()
    }

    /// Publishes unsigned, and gives what a web server would serve.
    pub(crate) fn publish(&self, serial: u64) -> PathBuf {
        assert!(self.publish_as(Some(serial), None).is_new);
        self.path("out")
    }
}

/// A node that serves.
pub(crate) struct Node {
    pub(crate) status: Status,
    pub(crate) table: Arc<ArcSwap<Snapshot>>,
    pub(crate) reloader: Reloader,
    _running: Running,
}

/// What a node is started with.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) routes: PathBuf,
    /// The keys of `source:`.
    pub(crate) source: String,
    pub(crate) timing: Timing,
}

impl Settings {
    /// Looks every second, which is the least; the answers of a test's server are there sooner than that.
    pub(crate) fn new(routes: &Path, url: &str) -> Self {
        let timing = Timing { answer_ms: 2_000, ..Timing::default() };
        Self { routes: routes.to_owned(), source: format!("url: \"{url}\", every_s: 1"), timing }
    }

    pub(crate) fn with(mut self, more: &str) -> Self {
        self.source = format!("{}, {more}", self.source);
        self
    }

    pub(crate) fn fetcher(&self) -> Result<Fetcher, SourceError> {
        let text = format!("source: {{{}}}", self.source);
        let source = config::parse("w.yaml", &text).unwrap_or_else(|e| panic!("{e:#?}")).source.unwrap();
        Fetcher::open(&source, &self.routes, 7, self.timing)
    }

    /// What keeps a node from starting.
    pub(crate) fn refusal(&self) -> SourceError {
        match self.start() {
            Err(FirstError::Source(error)) => error,
            Err(FirstError::Load(error)) => panic!("{error}"),
            Ok(node) => panic!("it started with {:?}", node.status.numbers()),
        }
    }

    pub(crate) fn start(&self) -> Result<Node, FirstError<LoadError>> {
        let mut fetcher = self.fetcher().map_err(FirstError::Source)?;
        let loader = Arc::new(Loader::new(&self.routes));
        let loaded = fetcher.first(|| match loader.load(None)? {
            Load::New(loaded) => Ok(*loaded),
            Load::Same => unreachable!("nothing serves yet"),
        })?;
        let snapshot = Snapshot::new(loaded.table, loaded.hash, 0, None);
        let table = Arc::new(ArcSwap::from_pointee(snapshot));
        let load = Box::new(move |serving: Option<&str>| loader.load(serving));
        let reloader = Reloader::start(Arc::clone(&table), load).unwrap();
        let status = fetcher.status();
        let running = fetcher.start(reloader.clone()).unwrap();
        Ok(Node { status, table, reloader, _running: running })
    }

    pub(crate) fn started(&self) -> Node {
        self.start().unwrap_or_else(|error| panic!("{error:?}"))
    }
}

impl Node {
    pub(crate) fn count(&self, outcome: Outcome) -> u64 {
        let index = Outcome::ALL.iter().position(|known| *known == outcome).unwrap();
        self.status.numbers().counts[index]
    }

    /// Waits until looks ended so once more.
    pub(crate) fn await_another(&self, outcome: Outcome) {
        let before = self.count(outcome);
        eventually(&format!("a look that is {}", outcome.label()), || self.count(outcome) > before);
    }

    pub(crate) fn await_serial(&self, serial: u64) {
        eventually(&format!("serial {serial}"), || self.status.numbers().serial == serial);
    }

    pub(crate) fn hash(&self) -> String {
        self.table.load().hash.clone()
    }
}

/// Names in a directory, hidden ones too.
pub(crate) fn listed(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// Tells a file from a copy of it.
pub(crate) fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}
