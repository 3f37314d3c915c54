//! Outside. The admin port itself: bound, its connections few and short.
//!
//! In:    a place; connections, plain or TLS.
//! Out:   each with one request, which the router answers.
//! Never: waits long for a head, takes a long one, or more connections than [`ADMIN_CONNECTIONS_MAX`].

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    os::unix::net::UnixListener as StdUnixListener,
    path::Path,
    sync::Arc,
    time::Duration,
};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::Semaphore,
    task::AbortHandle,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{
    Admin,
    router::router,
    socket::{self, Left, SocketFile},
};
use crate::{
    config::AdminPlace,
    limits::{ADMIN_CONNECTIONS_MAX, ADMIN_HEAD_BYTES_MAX, ADMIN_HEAD_MS_MAX, ADMIN_REQUEST_MS_MAX},
    net::{ADMIN, Handed, Listening, TlsInService},
};

/// A port that is bound.
#[derive(Debug)]
pub struct Bound {
    listener: Listener,
    place: AdminPlace,
    tls: Option<TlsInService>,
}

#[derive(Debug)]
enum Listener {
    Tcp(StdListener),
    Unix(StdUnixListener, SocketFile),
}

impl Bound {
    fn tcp(listener: StdListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let place = AdminPlace::Tcp(listener.local_addr()?);
        Ok(Self { listener: Listener::Tcp(listener), place, tls: None })
    }

    /// The socket once more, for a process that replaces us. `None` for a Unix socket: who replaces us puts its own in
    /// the place of ours.
    pub fn share(&self) -> io::Result<Option<Listening>> {
        let Listener::Tcp(listener) = &self.listener else { return Ok(None) };
        Ok(Some(Listening { name: ADMIN, socket: listener.try_clone()?.into() }))
    }

    /// Where it is, port 0 resolved.
    #[must_use]
    pub fn place(&self) -> &AdminPlace {
        &self.place
    }

    /// The same over TLS, with the certificate that is in service at each connection.
    #[must_use]
    pub fn with_tls(self, tls: Option<TlsInService>) -> Self {
        Self { tls, ..self }
    }

    /// As a log has it: `http://127.0.0.1:9560`, `unix:/run/waypost/admin.sock`.
    #[must_use]
    pub fn shown(&self) -> String {
        match (&self.place, &self.tls) {
            (AdminPlace::Tcp(address), None) => format!("http://{address}"),
            (AdminPlace::Tcp(address), Some(_)) => format!("https://{address}"),
            (place @ AdminPlace::Unix(_), _) => place.to_string(),
        }
    }
}

/// Binds the port. The error names it and says what to do.
pub fn bind(place: &AdminPlace) -> Result<Bound, String> {
    take(place, &mut Handed::default(), false)
}

/// Takes the port from the sockets that were handed down, or binds it. `replaces`: a server that we replace listens on
/// its Unix socket still.
pub fn take(place: &AdminPlace, handed: &mut Handed, replaces: bool) -> Result<Bound, String> {
    match place {
        AdminPlace::Tcp(address) => match handed.take_admin(*address) {
            Some(listener) => {
                Bound::tcp(listener).map_err(|error| format!("admin address {address}: {error}"))
            }
            None => bind_tcp(*address),
        },
        AdminPlace::Unix(path) => bind_unix(path, replaces),
    }
}

fn bind_tcp(address: SocketAddr) -> Result<Bound, String> {
    StdListener::bind(address).and_then(Bound::tcp).map_err(|error: io::Error| {
        let remedy = if error.kind() == io::ErrorKind::AddrInUse {
            "another process has it; set `admin` to a free port, or to off"
        } else {
            "set `admin` to an address of this machine, or to off"
        };
        format!("admin address {address} cannot be had: {error}: {remedy}")
    })
}

fn bind_unix(path: &Path, replaces: bool) -> Result<Bound, String> {
    let listen = if replaces { socket::listen_beside } else { socket::listen };
    let (listener, file) = listen(path).map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "another server listens there, or it is no socket; set `admin` to another path, or to off"
            }
            io::ErrorKind::NotFound => "make its directory, or set `admin` to another path",
            _ => "set `admin` to a path where the server may make files, or to off",
        };
        format!("admin socket {} cannot be had: {error}: {remedy}", path.display())
    })?;
    let place = AdminPlace::Unix(path.to_path_buf());
    Ok(Bound { listener: Listener::Unix(listener, file), place, tls: None })
}

/// What serves the admin port, in a task of its own.
#[derive(Debug)]
pub struct Serving {
    task: AbortHandle,
    left: Left,
}

impl Serving {
    /// Begins, inside a tokio runtime.
    pub fn begin(bound: Bound, admin: Arc<Admin>) -> Self {
        let left = match &bound.listener {
            Listener::Tcp(_) => Left::default(),
            Listener::Unix(_, file) => file.left(),
        };
        let serving = serve(bound, admin);
        let told = async { serving.await.inspect_err(|error| tracing::error!("admin port: {error}")) };
        Self { task: tokio::spawn(told).abort_handle(), left }
    }

    /// Ends, and leaves its place to the process that replaces us.
    pub fn leave(self) {
        self.left.set();
        self.task.abort();
    }
}

/// Serves for ever, inside a tokio runtime.
pub async fn serve(bound: Bound, admin: Arc<Admin>) -> io::Result<()> {
    let (router, room) = (router(admin), Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX)));
    let (listener, tls) = (Accepting::of(bound.listener)?, bound.tls);
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return Ok(()) };
        match listener.accept().await {
            Ok(stream) => {
                let router = router.clone();
                let tls = tls.as_ref().map(|tls| TlsAcceptor::from(tls.load_full()));
                tokio::spawn(async move {
                    match tls {
                        None => connection(stream, router).await,
                        Some(tls) => tls_connection(stream, &tls, router).await,
                    }
                    drop(place);
                });
            }
            // Out of file descriptors, as a rule: it may be over in a moment.
            Err(error) => {
                tracing::warn!("admin port: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// A listener of the runtime.
enum Accepting {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// A connection, whatever it comes over.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Accepting {
    fn of(listener: Listener) -> io::Result<Self> {
        Ok(match listener {
            Listener::Tcp(listener) => Self::Tcp(TcpListener::from_std(listener)?),
            Listener::Unix(listener, mut file) => {
                file.settle()?;
                Self::Unix(UnixListener::from_std(listener)?, file)
            }
        })
    }

    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
            Self::Unix(listener, _file) => Box::new(listener.accept().await?.0),
        })
    }
}

/// A handshake has the time of a head.
async fn tls_connection(stream: Box<dyn Stream>, tls: &TlsAcceptor, router: Router) {
    match timeout(Duration::from_millis(ADMIN_HEAD_MS_MAX), tls.accept(stream)).await {
        Ok(Ok(stream)) => connection(stream, router).await,
        Ok(Err(error)) => tracing::debug!("admin connection: {error}"),
        Err(_) => tracing::debug!("admin connection: no TLS handshake in time"),
    }
}

async fn connection(stream: impl Stream + 'static, router: Router) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(ADMIN_HEAD_MS_MAX))
        .max_buf_size(ADMIN_HEAD_BYTES_MAX)
        // One request to a connection: an idle one must not hold a place.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let ended = timeout(Duration::from_millis(ADMIN_REQUEST_MS_MAX), serving).await;
    if let Ok(Err(error)) = ended {
        tracing::debug!("admin connection: {error}");
    }
}
