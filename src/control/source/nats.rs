//! Outside. A source that is NATS JetStream: `source: nats://…`.
//!
//! In:    the manifest, the value of a key; files, in the object store of the same name, by their SHA-256.
//! Out:   the same as of a web server, and a wake when the key is written.
//! Never: relies on the wake: the regular look finds what it missed, and connects anew when it fails.

use std::{fmt, sync::Arc, time::Duration};

use async_nats::{
    Client, ConnectOptions, Event,
    jetstream::{
        self, kv,
        object_store::{self, ObjectStore},
        stream::DiscardPolicy,
    },
};
use futures_util::StreamExt as _;
use tokio::{io::AsyncReadExt as _, sync::Notify};

use super::{
    SourceError, Timing,
    manifest::{Entry, Manifest},
    publish::{Publication, PublishError, Published, Stamp},
    writer::Writer,
};
use crate::{
    config::{Origin, Source},
    limits::{SOURCE_CONNECT_MS_MAX, SOURCE_MANIFEST_BYTES_MAX, SOURCE_PING_MS, SOURCE_RETRY_MS_MIN},
};

/// A key of a NATS server.
pub(super) struct Nats {
    source: Source,
    timing: Timing,
    connected: Option<Connected>,
    /// Of the manifest that came last, and of the one that was dealt with.
    revision: Option<u64>,
    settled: Option<u64>,
}

struct Connected {
    kv: kv::Store,
    objects: ObjectStore,
    key: String,
    watch: Option<kv::Watch>,
    /// The connection was lost and is there again: something may have been missed.
    reconnected: Arc<Notify>,
    _client: Client,
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").field("origin", &self.source.origin.shown()).finish_non_exhaustive()
    }
}

impl Nats {
    pub(super) fn new(source: &Source, timing: Timing) -> Self {
        Self { source: source.clone(), timing, connected: None, revision: None, settled: None }
    }

    /// The manifest; `None`: it is the one that was dealt with.
    pub(super) async fn manifest(&mut self) -> Result<Option<Vec<u8>>, SourceError> {
        let ms = self.timing.answer_ms;
        let come = tokio::time::timeout(Duration::from_millis(ms), self.fetch_manifest()).await;
        let come = come.unwrap_or_else(|_| Err(SourceError::TooSlow { what: "the manifest".to_owned(), ms }));
        if come.is_err() {
            self.connected = None;
        }
        come
    }

    async fn fetch_manifest(&mut self) -> Result<Option<Vec<u8>>, SourceError> {
        let connected = match self.connected.take() {
            Some(connected) => self.connected.insert(connected),
            None => self.connected.insert(Connected::open(&self.source, false).await?),
        };
        if connected.watch.is_none() {
            // Before the value is read: what is written after that makes a wake.
            connected.watch =
                Some(connected.kv.watch(&connected.key).await.map_err(|e| away("the watch", &e))?);
        }
        let entry = connected.kv.entry(&connected.key).await.map_err(|error| away("the manifest", &error))?;
        let written = entry.filter(|entry| entry.operation == kv::Operation::Put);
        let Some(entry) = written else {
            let why = format!("the key {} has no value", connected.key);
            return Err(SourceError::Unreachable { what: "the manifest".to_owned(), why });
        };
        if self.settled == Some(entry.revision) {
            return Ok(None);
        }
        self.revision = Some(entry.revision);
        if entry.value.len() > SOURCE_MANIFEST_BYTES_MAX {
            return Err(SourceError::ManifestTooLong);
        }
        Ok(Some(entry.value.to_vec()))
    }

    /// The manifest that came last need not come again.
    pub(super) const fn settle(&mut self) {
        if let Some(revision) = self.revision.take() {
            self.settled = Some(revision);
        }
    }

    /// Pours a file into its writer.
    pub(super) async fn file(&mut self, entry: &Entry, writer: &mut Writer) -> Result<(), SourceError> {
        let what = format!("file {}", entry.path);
        let Some(connected) = &self.connected else {
            return Err(SourceError::Unreachable { what, why: "not connected".to_owned() });
        };
        let come = async {
            let object = connected.objects.get(entry.name()).await;
            let mut object = object.map_err(|error| away(&what, &error))?;
            let mut piece = vec![0; 64 * 1024];
            loop {
                match object.read(&mut piece).await.map_err(|error| away(&what, &error))? {
                    0 => return Ok(()),
                    len => writer.write(&piece[..len])?,
                }
            }
        };
        let come = self.timing.bounded(entry, come).await;
        if matches!(come, Err(SourceError::Unreachable { .. } | SourceError::TooSlow { .. })) {
            self.connected = None;
        }
        come
    }

    /// Returns when the key was written.
    pub(super) async fn woken(&mut self) {
        let Some(connected) = &mut self.connected else { return std::future::pending().await };
        let Some(watch) = &mut connected.watch else { return std::future::pending().await };
        let is_well = tokio::select! {
            written = watch.next() => matches!(written, Some(Ok(_))),
            () = connected.reconnected.notified() => true,
        };
        if !is_well {
            // The next look makes another one.
            connected.watch = None;
            tokio::time::sleep(Duration::from_millis(SOURCE_RETRY_MS_MIN)).await;
        }
    }
}

impl Connected {
    /// Connects, and makes what is not there if told to.
    async fn open(source: &Source, make: bool) -> Result<Self, SourceError> {
        let Origin::Nats { server, bucket, key } = &source.origin else {
            return Err(SourceError::Unreachable {
                what: source.origin.shown(),
                why: "is no URL of NATS".to_owned(),
            });
        };
        let reconnected = Arc::new(Notify::new());
        let options = options(source, &reconnected).await?;
        let client = options.connect(server.as_str()).await.map_err(|error| away("NATS", &error))?;
        let context = jetstream::new(client.clone());
        if make {
            make_stores(&context, bucket).await?;
        }
        let kv = context.get_key_value(bucket).await;
        let kv = kv.map_err(|error| away(&format!("the bucket {bucket}"), &error))?;
        let objects = context.get_object_store(bucket).await;
        let objects = objects.map_err(|error| away(&format!("the object store {bucket}"), &error))?;
        Ok(Self { kv, objects, key: key.clone(), watch: None, reconnected, _client: client })
    }
}

/// Makes the bucket and the object store that are not there. The bucket by the settings of NATS' own
/// architecture note ADR-8: the call of the client that does so reads what a server of version 2.9 does not say.
async fn make_stores(context: &jetstream::Context, bucket: &str) -> Result<(), SourceError> {
    let stream = jetstream::stream::Config {
        name: format!("KV_{bucket}"),
        subjects: vec![format!("$KV.{bucket}.>")],
        max_messages_per_subject: 8,
        discard: DiscardPolicy::New,
        num_replicas: 1,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        ..Default::default()
    };
    if context.get_key_value(bucket).await.is_err() {
        context.create_stream(stream).await.map_err(|error| away("the bucket", &error))?;
    }
    if context.get_object_store(bucket).await.is_err() {
        let config = object_store::Config { bucket: bucket.to_owned(), ..Default::default() };
        context.create_object_store(config).await.map_err(|error| away("the object store", &error))?;
    }
    Ok(())
}

async fn options(source: &Source, reconnected: &Arc<Notify>) -> Result<ConnectOptions, SourceError> {
    let reconnected = Arc::clone(reconnected);
    let is_tls = matches!(&source.origin, Origin::Nats { server, .. } if server.scheme() == "tls");
    let mut options = ConnectOptions::new()
        .name("waypost")
        .require_tls(is_tls)
        // Where it is is written in the configuration; what a server says of others is not asked for.
        .ignore_discovered_servers()
        .connection_timeout(Duration::from_millis(SOURCE_CONNECT_MS_MAX))
        .ping_interval(Duration::from_millis(SOURCE_PING_MS))
        .event_callback(move |event| {
            tracing::debug!("source: NATS: {event}");
            if matches!(event, Event::Connected) {
                reconnected.notify_one();
            }
            std::future::ready(())
        });
    if let Some(ca) = &source.ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let Some(path) = &source.credentials {
        let wrong = |error: std::io::Error| SourceError::Local { path: path.clone(), why: error.to_string() };
        options = options.credentials_file(path).await.map_err(wrong)?;
    }
    Ok(options)
}

fn away(what: &str, error: &dyn std::error::Error) -> SourceError {
    SourceError::Unreachable { what: what.to_owned(), why: error.to_string() }
}

/// Publishes: the files, then the manifest, which is taken only if nobody else wrote one meanwhile.
pub(super) async fn publish(
    publication: &Publication,
    source: &Source,
    stamp: Stamp<'_>,
) -> Result<Published, PublishError> {
    let connected = Connected::open(source, true).await?;
    let Connected { kv, objects, key, .. } = &connected;
    let before = kv.entry(key).await.map_err(|error| away("the manifest", &error))?;
    let revision = before.as_ref().map_or(0, |entry| entry.revision);
    let before = before.filter(|entry| entry.operation == kv::Operation::Put).map(|entry| entry.value);
    let (bytes, published) = publication.manifest(before.as_deref(), stamp)?;
    for entry in publication.files() {
        let name = entry.name();
        let there = objects.info(&name).await;
        if there.is_ok_and(|info| !info.deleted && u64::try_from(info.size) == Ok(entry.bytes)) {
            continue;
        }
        let path = publication.dir().join(&entry.path);
        let mut file =
            tokio::fs::File::open(&path).await.map_err(|error| SourceError::disk(&path, &error))?;
        objects.put(name.as_str(), &mut file).await.map_err(|error| away(&entry.path, &error))?;
        if !publication.is_still(entry) {
            objects.delete(&name).await.map_err(|error| away(&entry.path, &error))?;
            return Err(PublishError::Changed);
        }
    }
    if published.is_new {
        kv.update(key, bytes.into(), revision).await.map_err(|error| away("the manifest", &error))?;
        prune(publication, before.as_deref(), objects).await?;
    }
    Ok(published)
}

/// Removes files that neither this manifest nor the one before it names.
async fn prune(
    publication: &Publication,
    before: Option<&[u8]>,
    objects: &ObjectStore,
) -> Result<(), SourceError> {
    let before = before.and_then(|bytes| Manifest::read(bytes, None).ok());
    let keep = publication.names_kept(before.as_ref());
    let failed = |error: &dyn std::error::Error| away("the object store", error);
    let mut list = objects.list().await.map_err(|error| failed(&error))?;
    let mut old = Vec::new();
    while let Some(info) = list.next().await {
        let info = info.map_err(|error| failed(&error))?;
        if super::hex::read::<32>(&info.name).is_some() && !keep.contains(&info.name) {
            old.push(info.name);
        }
    }
    for name in old {
        objects.delete(&name).await.map_err(|error| failed(&error))?;
    }
    Ok(())
}
