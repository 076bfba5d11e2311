//! Bytes over a non-blocking socket, plain or in TLS, alike to the protocol above.

use super::reception::Reception;
use mio::net::TcpStream;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

/// The ALPN name of HTTP/2.
const ALPN_HTTP2: &[u8] = b"h2";

/// How connections to the target are secured.
#[derive(Debug, Clone)]
pub(in super::super) struct TlsTarget {
    /// Trust and protocol names.
    pub(in super::super) config: Arc<ClientConfig>,
    /// Whom the certificate must name.
    pub(in super::super) name: ServerName<'static>,
    /// Whether the server must agree to HTTP/2.
    pub(in super::super) http2: bool,
}

/// A byte stream over a socket, connected or still connecting.
pub(in super::super) enum Transport {
    /// TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream>),
}

impl Transport {
    /// Takes a socket over.
    pub(in super::super) fn new(socket: TcpStream, tls: Option<&TlsTarget>) -> io::Result<Self> {
        let Some(tls) = tls else { return Ok(Self::Plain(socket)) };
        let session = ClientConnection::new(Arc::clone(&tls.config), tls.name.clone())
            .map_err(io::Error::other)?;
        Ok(Self::Tls(Box::new(TlsStream { socket, session, http2: tls.http2 })))
    }

    /// Writes as much as fits of the parts, skipping `done` bytes of them. Would block while the
    /// connection is not there yet.
    pub(super) fn write_parts(&mut self, parts: [&[u8]; 4], done: usize) -> io::Result<usize> {
        let mut skip = done;
        let mut slices = [IoSlice::new(&[]); 4];
        let mut count = 0;
        for part in parts {
            let skipped = skip.min(part.len());
            skip -= skipped;
            if skipped < part.len() {
                slices[count] = IoSlice::new(&part[skipped..]);
                count += 1;
            }
        }
        let written = match self {
            // send() is cheaper than writev() for the one slice that most requests are.
            Self::Plain(socket) if count == 1 => socket.write(&slices[0]),
            Self::Plain(socket) => socket.write_vectored(&slices[..count]),
            Self::Tls(stream) => stream.write_vectored(&slices[..count]),
        };
        match written {
            // A socket that is still connecting says so on some systems.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            other => other,
        }
    }

    /// Reads; 0 is the peer's end, whether or not TLS was ended properly.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        };
        as_stream(read, 0)
    }

    /// Reads as [`Self::read`] does, and the kernel's stamp of when the bytes came, if there is one:
    /// nanoseconds of the wall clock.
    pub(super) fn read_stamped(
        &mut self,
        buffer: &mut [u8],
        reception: &mut Reception,
    ) -> io::Result<(usize, Option<u64>)> {
        let read = match self {
            Self::Plain(socket) => reception.read(socket, buffer),
            Self::Tls(stream) => stream.read(buffer).map(|count| (count, None)),
        };
        as_stream(read, (0, None))
    }

    /// Whether a read that did not fill its buffer has emptied the socket.
    pub(super) fn short_read_drains(&self) -> bool {
        // epoll(7): for streams, a short read says so. TLS has its own buffer in between.
        matches!(self, Self::Plain(_))
    }

    /// Sends what is held back inside: TLS records that did not fit, and the handshake.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// TLS over a socket.
pub(in super::super) struct TlsStream {
    socket: TcpStream,
    session: ClientConnection,
    http2: bool,
}

impl TlsStream {
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.handshake()?;
        let accepted = self.session.writer().write_vectored(slices)?;
        self.flush()?;
        if accepted == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(accepted) }
    }

    /// Goes on with the handshake; would block until it is done.
    fn handshake(&mut self) -> io::Result<()> {
        while self.session.is_handshaking() {
            self.flush()?;
            if self.session.is_handshaking() && !self.receive()? {
                return Err(io::Error::new(
                    io::ErrorKind::ConnectionAborted,
                    "the server ended the connection in the TLS handshake",
                ));
            }
        }
        if self.http2 && self.session.alpn_protocol() != Some(ALPN_HTTP2) {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the server does not agree to HTTP/2",
            ));
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.handshake()?;
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            self.receive()?;
        }
    }

    /// Takes received bytes in; false at the peer's end, of which the reader then tells.
    fn receive(&mut self) -> io::Result<bool> {
        let read = self.session.read_tls(&mut self.socket)?;
        let processed = self.session.process_new_packets().map(|_state| ());
        // An alert that says what is wrong goes out before the error is told.
        let flushed = self.flush();
        processed.map_err(|error| io::Error::new(io::ErrorKind::ConnectionAborted, error))?;
        flushed?;
        Ok(read > 0)
    }

    /// Sends TLS records until there are none left or the socket takes no more.
    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.socket) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if is_not_now(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A read's result as the protocols want it: `end` where TLS was cut off, and would-block where some
/// systems say that the socket is still connecting.
fn as_stream<T>(read: io::Result<T>, end: T) -> io::Result<T> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(end),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        other => other,
    }
}

/// Whether the socket only cannot do this yet.
pub(super) fn is_not_now(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected | io::ErrorKind::Interrupted
    )
}
