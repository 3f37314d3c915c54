//! Outside. One connection's bytes, plain or through TLS.
//!
//! In:    bytes of the socket, bytes to be sent.
//! Out:   the same as the peer means them.
//! Never: blocks, frames, keeps more than one TLS record of what was read.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::Shutdown,
    sync::Arc,
};

use mio::net::TcpStream;
use rustls::{ServerConfig, ServerConnection};

use crate::{
    access::Identity,
    limits::{READS_PER_VISIT_MAX, UNSENT_BYTES_MAX},
};

/// See the file's first lines.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

#[derive(Debug)]
pub(super) struct Tls {
    stream: TcpStream,
    session: ServerConnection,
}

impl Wire {
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self::Plain(stream)
    }

    pub(super) fn tls(stream: TcpStream, config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        let mut session = ServerConnection::new(config)?;
        session.set_buffer_limit(Some(UNSENT_BYTES_MAX));
        Ok(Self::Tls(Box::new(Tls { stream, session })))
    }

    pub(super) fn stream(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(tls) => &mut tls.stream,
        }
    }

    /// Whether the peer has not shown yet that it speaks TLS.
    pub(super) fn is_handshaking(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.session.is_handshaking(),
        }
    }

    /// Who the peer is, once the handshake is over; `None`: it has shown no certificate. TLS takes none that it has not
    /// verified.
    pub(super) fn identity(&self) -> Option<Identity> {
        let Self::Tls(tls) = self else { return None };
        tls.session.peer_certificates()?.first().map(|own| Identity::of_certificate(own))
    }

    /// Reads; 0 is the end. `Interrupted`: the peer made work and sent nothing, come again.
    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(into),
            Self::Tls(tls) => tls.read(into),
        }
    }

    /// Takes what there is room for; says how much. `WouldBlock`: nothing.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(tls) => {
                let mut taken = tls.session.writer().write(bytes)?;
                tls.flush()?;
                if taken == 0 && !tls.session.wants_write() {
                    // TLS was full, and the socket took all of it: the socket will not tell of room,
                    // since it was never without.
                    taken = tls.session.writer().write(bytes)?;
                    tls.flush()?;
                }
                if taken == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(taken) }
            }
        }
    }

    /// Sends what TLS holds of its own; says whether it holds more.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        match self {
            Self::Plain(_) => Ok(false),
            Self::Tls(tls) => {
                tls.flush()?;
                Ok(tls.session.wants_write())
            }
        }
    }

    /// Ends our side, once everything was sent.
    pub(super) fn end(&mut self) {
        if let Self::Tls(tls) = self {
            tls.session.send_close_notify();
            // What does not fit into an empty send buffer now is not worth waiting for.
            let _ = tls.flush();
        }
        let _ = self.stream().shutdown(Shutdown::Write);
    }
}

impl Tls {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        for _ in 0..READS_PER_VISIT_MAX {
            match self.session.reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            if self.session.read_tls(&mut self.stream)? == 0 {
                return Ok(0);
            }
            if let Err(error) = self.session.process_new_packets() {
                // The alert tells the peer why; whether it leaves does not matter to us any more.
                let _ = self.flush();
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
            self.flush()?;
        }
        Err(ErrorKind::Interrupted.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.stream) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
