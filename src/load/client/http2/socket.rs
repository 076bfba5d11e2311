//! What `h2` is run by: the socket as its I/O, and wakers that note who asked to be polled.

use super::super::transport::{Transport, is_not_now};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The transport as `h2` wants it: would-block is pending, and the worker polls again when the
/// socket is ready.
pub(super) struct Socket {
    pub(super) transport: Transport,
}

fn poll_of<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if is_not_now(&error) => Poll::Pending,
        other => Poll::Ready(other),
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = ready!(poll_of(self.transport.read(buffer.initialize_unfilled())))?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll_of(self.transport.write_parts([bytes, &[], &[], &[]], 0))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_of(self.transport.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The socket is closed when the connection is dropped, a moment later.
        self.poll_flush(context)
    }
}

/// The connection's waker.
pub(super) struct Flag(pub(super) AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A stream's waker.
pub(super) struct StreamWake {
    pub(super) woken: Arc<Mutex<Vec<usize>>>,
    pub(super) slot: usize,
}

impl Wake for StreamWake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        lock(&self.woken).push(self.slot);
    }
}

/// The list behind a lock that is never held across a call, so that poison means nothing.
pub(super) fn lock(list: &Mutex<Vec<usize>>) -> MutexGuard<'_, Vec<usize>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}
