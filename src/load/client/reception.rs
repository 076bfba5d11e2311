//! Reads bytes together with the kernel's note of when they came.
//!
//! Linux stamps each received segment with the wall clock's time (`SO_TIMESTAMPNS`), and a read tells
//! the stamp of its last byte. With it a reply is timed to when it came and not to when the loop got
//! round to it. Elsewhere, and in TLS, no stamp comes and the loop's own clock has to do.

use super::super::clock::{Clock, StampClock};
use mio::net::TcpStream;
use std::io;

/// What a worker's reading keeps between calls.
pub(in super::super) struct Reception {
    stamps: StampClock,
    control: Vec<u8>,
    /// The latest read carried a stamp.
    pub(in super::super) is_stamped: bool,
    /// A read ended within a reply since this was last cleared.
    pub(in super::super) is_in_pieces: bool,
}

impl Reception {
    /// Nothing received yet.
    pub(in super::super) fn new() -> Self {
        Self {
            stamps: StampClock::default(),
            control: kernel::control_space(),
            is_stamped: false,
            is_in_pieces: false,
        }
    }

    /// Reads from a socket, and when the last of it came, in nanoseconds of the wall clock.
    pub(super) fn read(
        &mut self,
        socket: &mut TcpStream,
        buffer: &mut [u8],
    ) -> io::Result<(usize, Option<u64>)> {
        let (count, stamp_ns) = kernel::read(socket, buffer, &mut self.control)?;
        self.is_stamped = stamp_ns.is_some();
        Ok((count, stamp_ns))
    }

    /// When bytes with this stamp came to a request sent at `sent_ns`; now, if the stamp is missing
    /// or cannot be right.
    pub(super) fn came_ns(&mut self, clock: &Clock, stamp_ns: Option<u64>, sent_ns: u64) -> u64 {
        stamp_ns
            .and_then(|stamp_ns| self.stamps.run_ns(stamp_ns, clock.moment()?))
            .filter(|came_ns| *came_ns >= sent_ns)
            .unwrap_or_else(|| clock.now_ns())
    }
}

/// Asks the kernel for stamps. Where it has none to give, reads come without.
pub(in super::super) fn ask_for_stamps(socket: &TcpStream) {
    kernel::ask_for_stamps(socket);
}

#[cfg(target_os = "linux")]
mod kernel {
    use mio::net::TcpStream;
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
    use nix::sys::time::TimeSpec;
    use std::io::{self, IoSliceMut};
    use std::os::fd::AsRawFd;

    pub(super) fn control_space() -> Vec<u8> {
        nix::cmsg_space!(TimeSpec)
    }

    pub(super) fn ask_for_stamps(socket: &TcpStream) {
        let _ = setsockopt(socket, sockopt::ReceiveTimestampns, &true);
    }

    pub(super) fn read(
        socket: &mut TcpStream,
        buffer: &mut [u8],
        control: &mut [u8],
    ) -> io::Result<(usize, Option<u64>)> {
        let mut slices = [IoSliceMut::new(buffer)];
        let fd = socket.as_raw_fd();
        let message = recvmsg::<()>(fd, &mut slices, Some(control), MsgFlags::empty())?;
        let stamp = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(stamp) => Some(stamp),
            _ => None,
        });
        let stamp_ns = stamp.and_then(|stamp| {
            let whole_s = u64::try_from(stamp.tv_sec()).ok()?;
            let rest_ns = u64::try_from(stamp.tv_nsec()).ok()?;
            whole_s.checked_mul(1_000_000_000)?.checked_add(rest_ns)
        });
        Ok((message.bytes, stamp_ns))
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use mio::net::TcpStream;
    use std::io::{self, Read};

    pub(super) fn control_space() -> Vec<u8> {
        Vec::new()
    }

    pub(super) fn ask_for_stamps(_socket: &TcpStream) {}

    pub(super) fn read(
        socket: &mut TcpStream,
        buffer: &mut [u8],
        _control: &mut [u8],
    ) -> io::Result<(usize, Option<u64>)> {
        socket.read(buffer).map(|count| (count, None))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;
    use std::time::Duration;

    #[test]
    fn bytes_are_timed_to_when_they_came() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        ask_for_stamps(&socket);
        let (mut peer, _) = listener.accept().unwrap();
        let clock = Clock::starting_in(Duration::ZERO);
        let mut reception = Reception::new();
        let mut buffer = [0; 16];
        // The kernel begins to stamp a moment after the machine's first socket asked for it.
        for _ in 0..1_000_000 {
            let sent_ns = clock.now_ns();
            peer.write_all(b"reply").unwrap();
            let (count, stamp_ns) = loop {
                match reception.read(&mut socket, &mut buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    read => break read.unwrap(),
                }
            };
            let read_ns = clock.now_ns();
            assert_eq!(&buffer[..count], b"reply");
            assert!(reception.came_ns(&clock, None, sent_ns) >= read_ns);
            if !reception.is_stamped {
                continue;
            }
            // A stamp from before the request cannot be its reply's.
            assert!(reception.came_ns(&clock, stamp_ns, read_ns + 1) >= read_ns);
            // A thread that is held up between the two clocks gets the time of now instead.
            let came_ns = std::iter::repeat_with(|| reception.came_ns(&clock, stamp_ns, sent_ns))
                .take(1_000)
                .find(|came_ns| *came_ns <= read_ns);
            assert!(came_ns.is_some_and(|came_ns| came_ns >= sent_ns), "{sent_ns} {came_ns:?}");
            return;
        }
        panic!("no stamp came");
    }
}
