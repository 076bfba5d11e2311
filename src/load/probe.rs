//! Before the start: the host's address, whether anything listens there, whether it can be spoken to.
//!
//! A target that cannot be reached at all is an error that ends the run before it begins; whatever
//! fails later is an outcome.

use super::client::transport::TlsTarget;
use super::error::Error;
use super::plan::Target;
use rustls::ClientConnection;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// The longest wait for each of: a connection, and a read or write of the TLS handshake.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// The most addresses of a host that are tried.
const ADDRESSES_MAX: usize = 8;

/// The first address of the target that takes a connection.
///
/// # Errors
/// The host has no address, none takes a connection, its certificate is not trusted, or it does not
/// agree to HTTP/2 in TLS.
pub(super) fn probe(
    target: &Target,
    tls: Option<&TlsTarget>,
    timeout: Duration,
) -> Result<SocketAddr, Error> {
    let wait = timeout.clamp(Duration::from_millis(100), WAIT_MAX);
    let resolve = |source| Error::Resolve { host: target.host.clone(), source };
    let addresses = (target.host.as_str(), target.port).to_socket_addrs().map_err(resolve)?;
    let mut refused = None;
    for address in addresses.take(ADDRESSES_MAX) {
        match TcpStream::connect_timeout(&address, wait) {
            Ok(socket) => {
                if let Some(tls) = tls {
                    shake_hands(target, tls, socket, wait)?;
                }
                return Ok(address);
            }
            Err(source) => refused = Some(source),
        }
    }
    Err(match refused {
        Some(source) => Error::Unreachable { target: target.to_string(), source },
        None => resolve(io::Error::new(io::ErrorKind::NotFound, "the resolver names none")),
    })
}

/// A whole TLS handshake. A server that is slow at it or breaks it off is left for the run to show.
fn shake_hands(
    target: &Target,
    tls: &TlsTarget,
    mut socket: TcpStream,
    wait: Duration,
) -> Result<(), Error> {
    let fails = |source| Error::Tls { target: target.to_string(), source };
    let mut session =
        ClientConnection::new(Arc::clone(&tls.config), tls.name.clone()).map_err(fails)?;
    let bounded =
        socket.set_read_timeout(Some(wait)).and_then(|()| socket.set_write_timeout(Some(wait)));
    bounded.map_err(|source| Error::System { what: "set a socket's timeouts", source })?;
    while session.is_handshaking() {
        if let Err(error) = session.complete_io(&mut socket) {
            // complete_io wraps what rustls objects to in an I/O error.
            return match error.downcast::<rustls::Error>() {
                Ok(source) => Err(fails(source)),
                Err(_slow_or_broken) => Ok(()),
            };
        }
    }
    if tls.http2 && session.alpn_protocol() != Some(b"h2") {
        return Err(Error::NoHttp2(target.to_string()));
    }
    session.send_close_notify();
    // The probe has what it wanted; whether the farewell arrives does not matter.
    let _ = session.complete_io(&mut socket);
    Ok(())
}
