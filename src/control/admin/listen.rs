//! Outside. The admin port itself: bound, its connections few and short.
//!
//! In:    an address; connections.
//! Out:   each with one request, which the router answers.
//! Never: waits long for a head, takes a long one, or more connections than [`ADMIN_CONNECTIONS_MAX`].

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
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
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use super::{Admin, router::router};
use crate::limits::{ADMIN_CONNECTIONS_MAX, ADMIN_HEAD_BYTES_MAX, ADMIN_HEAD_MS_MAX, ADMIN_REQUEST_MS_MAX};

/// Binds the port. The error names it and says what to do.
pub fn bind(address: SocketAddr) -> Result<StdListener, String> {
    let listen = || {
        let listener = StdListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    listen().map_err(|error: io::Error| {
        let remedy = if error.kind() == io::ErrorKind::AddrInUse {
            "another process has it; set `admin` to a free port, or to off"
        } else {
            "set `admin` to an address of this machine, or to off"
        };
        format!("admin address {address} cannot be had: {error}: {remedy}")
    })
}

/// Serves for ever.
pub async fn serve(listener: TcpListener, admin: Arc<Admin>) {
    let router = router(admin);
    let room = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    connection(stream, router).await;
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

async fn connection(stream: TcpStream, router: Router) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(ADMIN_HEAD_MS_MAX))
        .max_buf_size(ADMIN_HEAD_BYTES_MAX)
        // One request to a connection: an idle one must not hold a place.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let ended = tokio::time::timeout(Duration::from_millis(ADMIN_REQUEST_MS_MAX), serving).await;
    if let Ok(Err(error)) = ended {
        tracing::debug!("admin connection: {error}");
    }
}
