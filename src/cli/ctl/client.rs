//! Outside. One request to the admin port of a server, over TCP, TLS or a Unix socket.
//!
//! In:    where it is, who we are; a request.
//! Out:   status and body, or why the server cannot be reached.
//! Never: waits without end, reads without end, trusts a certificate that it was not told to.

use std::{io, path::Path, sync::Arc, time::Duration};

use axum::body::{Body, to_bytes};
use hyper::{
    Request,
    client::conn::http1::handshake,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, crypto::ring, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::{error::Elapsed, timeout},
};
use tokio_rustls::TlsConnector;

use crate::{
    config::{Admin, AdminPlace},
    control::{admin::token, diff::reached_at, tls},
    limits::{CTL_BYTES_MAX, CTL_CONNECT_MS_MAX},
};

/// The way to a server.
#[derive(Debug)]
pub(crate) struct Client {
    place: AdminPlace,
    token: Option<String>,
    tls: Option<Tls>,
}

#[derive(Debug)]
struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// What the command line says besides the place.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options<'o> {
    pub(crate) token_file: Option<&'o Path>,
    pub(crate) ca: Option<&'o Path>,
    pub(crate) tls_name: Option<&'o str>,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) media_type: Option<&'static str>,
    pub(crate) body: Vec<u8>,
    /// Longest answer that is read.
    pub(crate) bytes_max: usize,
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            method: "GET",
            path: "/".to_owned(),
            media_type: None,
            body: Vec::new(),
            bytes_max: CTL_BYTES_MAX,
        }
    }
}

/// Why nothing was said.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{0}")]
    System(#[from] io::Error),
    #[error("it took too long")]
    Time(#[from] Elapsed),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("its answer did not come whole, or is too long")]
    Body,
}

/// What the server said.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// The way to this port. The error says what is wrong with what was given.
    pub(crate) fn to(admin: &Admin, options: Options<'_>) -> Result<Self, String> {
        let place = match &admin.place {
            AdminPlace::Tcp(address) => AdminPlace::Tcp(reached_at(*address)),
            place => place.clone(),
        };
        let token = options.token_file.or(admin.token_file.as_deref()).map(token::read).transpose();
        let own = admin.tls.as_ref().map(|tls| &*tls.certificate);
        let roots = options.ca.or(own).filter(|_| place.path().is_none());
        let tls = roots.map(|roots| Tls::trusting(roots, &place, options.tls_name)).transpose()?;
        Ok(Self { token: token.map_err(|error| error.to_string())?, place, tls })
    }

    /// The place, for people.
    pub(crate) fn place(&self) -> String {
        self.place.to_string()
    }

    /// Asks, and waits for the answer no longer than this. The error says why there is none.
    pub(crate) fn ask(&self, ask: Ask, within: Duration) -> Result<Said, String> {
        let unreachable = |why: &dyn std::fmt::Display| {
            format!(
                "no server answers at its admin port {} ({why}); start it, or name the port it has: --admin ADDR:PORT or --admin unix:PATH",
                self.place
            )
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| unreachable(&error))?;
        let said = runtime.block_on(async { timeout(within, self.exchange(ask)).await });
        match said.unwrap_or_else(|late| Err(late.into())) {
            Ok(said) => Ok(said),
            Err(Fault::Http(error)) if error.is_parse() => Err(self.no_waypost()),
            Err(fault) => Err(unreachable(&fault)),
        }
    }

    /// Somebody else answers there.
    pub(crate) fn no_waypost(&self) -> String {
        format!(
            "what answers at {} is not the admin port of a waypost of this version; name that of the server: --admin ADDR:PORT",
            self.place
        )
    }

    async fn exchange(&self, ask: Ask) -> Result<Said, Fault> {
        let bytes_max = ask.bytes_max;
        let request = self.request(ask)?;
        let connect_ms = Duration::from_millis(CTL_CONNECT_MS_MAX);
        match &self.place {
            AdminPlace::Unix(path) => {
                exchange_over(timeout(connect_ms, UnixStream::connect(path)).await??, request, bytes_max)
                    .await
            }
            AdminPlace::Tcp(address) => {
                let stream = timeout(connect_ms, TcpStream::connect(address)).await??;
                let Some(Tls { config, name }) = &self.tls else {
                    return exchange_over(stream, request, bytes_max).await;
                };
                let connector = TlsConnector::from(Arc::clone(config));
                let connecting = connector.connect(name.clone(), stream);
                exchange_over(timeout(connect_ms, connecting).await??, request, bytes_max).await
            }
        }
    }

    fn request(&self, ask: Ask) -> io::Result<Request<Body>> {
        let host = match &self.place {
            AdminPlace::Tcp(address) => address.to_string(),
            AdminPlace::Unix(_) => "localhost".to_owned(),
        };
        let request = Request::builder().method(ask.method).uri(ask.path).header(HOST, host);
        // What no page of another site can send: a change may come without JSON.
        let mut request = request.header("X-Waypost", "1");
        if let Some(media_type) = ask.media_type {
            request = request.header(CONTENT_TYPE, media_type);
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        request.body(Body::from(ask.body)).map_err(io::Error::other)
    }
}

impl Tls {
    fn trusting(roots: &Path, place: &AdminPlace, name: Option<&str>) -> Result<Self, String> {
        let roots = tls::roots(roots).map_err(|error| error.to_string())?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = match (name, place) {
            (Some(name), _) => ServerName::try_from(name.to_owned()).map_err(|_| {
                format!("--tls-name: found \"{name}\", expected a host name or an IP address")
            })?,
            (None, AdminPlace::Tcp(address)) => ServerName::IpAddress(address.ip().into()),
            (None, AdminPlace::Unix(_)) => return Err("a Unix socket has no TLS".to_owned()),
        };
        Ok(Self { config: Arc::new(config), name })
    }
}

async fn exchange_over<S>(stream: S, request: Request<Body>, bytes_max: usize) -> Result<Said, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let body = to_bytes(Body::new(response.into_body()), bytes_max).await;
    // One request to a connection.
    connection.abort();
    match body {
        Ok(body) => Ok(Said { status, body: body.into() }),
        Err(_) => Err(Fault::Body),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread,
    };

    use super::*;

    /// What comes of a server that sends this after its head.
    fn said(body_len: usize) -> Result<usize, String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let chunk = vec![b' '; 64 * 1024];
            let mut left = body_len;
            let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            // The client may have read enough.
            while sent.is_ok() && left > 0 {
                let now = left.min(chunk.len());
                sent = stream.write_all(&chunk[..now]);
                left -= now;
            }
        });
        let client = Client::to(&Admin::at(AdminPlace::Tcp(address)), Options::default()).unwrap();
        let said = client.ask(Ask::default(), Duration::from_secs(60)).map(|said| said.body.len());
        server.join().unwrap();
        said
    }

    #[test]
    fn an_answer_is_read_up_to_its_limit() {
        assert_eq!(said(CTL_BYTES_MAX), Ok(CTL_BYTES_MAX));
        assert!(said(CTL_BYTES_MAX + 1).unwrap_err().contains("or is too long"));
    }
}
