//! Waits for sockets and for the next send instant, whichever comes first, to a few microseconds.
//!
//! epoll's own timeout counts whole milliseconds. On Linux a timerfd among the sockets wakes the
//! loop instead; kqueue takes the exact timeout itself. Either way the kernel wakes us a little late,
//! so the timer is set early by the usual delay, and what is left is spun away: a few microseconds
//! before a send, in which replies are still seen.

use super::clock::Clock;
use mio::{Events, Poll, Token};
use std::io;
use std::time::Duration;

/// The token of the timer; no connection has it.
pub(super) const TIMER: Token = Token(usize::MAX - 1);
/// The longest sleep: within it a raised stop flag is seen.
pub(super) const SLEEP_MAX_NS: u64 = 100_000_000;
/// What is nearer than this is spun for: a sleep would take about as long.
const SPIN_NS: u64 = 8_000;
/// The most that the timer is set early by, and the step in which that follows the delays.
const LEAD_MAX_NS: u64 = 60_000;
const LEAD_STEP_NS: u64 = 200;
/// Events taken at once.
const EVENTS: usize = 1_024;

/// The worker's place to sleep.
pub(super) struct Sleeper {
    poll: Poll,
    /// What woke it.
    pub(super) events: Events,
    timer: Timer,
    /// The usual delay between the timer's instant and our waking.
    lead_ns: u64,
    /// The instant that the timer was last set to.
    armed_ns: u64,
    /// Shortest time between two wakings for sends.
    window_ns: u64,
    /// The send instant last woken for.
    woken_for_ns: u64,
}

impl Sleeper {
    /// A poll with its timer, which wakes for sends at most once in `window`.
    pub(super) fn new(window: Duration) -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = Timer::new(poll.registry())?;
        let events = Events::with_capacity(EVENTS);
        let window_ns = window.as_nanos() as u64;
        Ok(Self { poll, events, timer, lead_ns: 5_000, armed_ns: 0, window_ns, woken_for_ns: 0 })
    }

    /// Where sockets are registered.
    pub(super) fn registry(&self) -> &mio::Registry {
        self.poll.registry()
    }

    /// Looks at the sockets without waiting.
    pub(super) fn look(&mut self) -> io::Result<()> {
        self.poll_for(Duration::ZERO)
    }

    /// Sleeps until a socket is ready, or the instant `send_ns` has come, or `other_ns` has roughly
    /// come, or [`SLEEP_MAX_NS`] have passed. May wake for nothing.
    pub(super) fn sleep(
        &mut self,
        clock: &Clock,
        send_ns: Option<u64>,
        other_ns: u64,
    ) -> io::Result<()> {
        let now_ns = clock.now_ns();
        let longest_ns = other_ns.saturating_sub(now_ns).min(SLEEP_MAX_NS);
        let held_ns = self.woken_for_ns + self.window_ns;
        let send_ns = send_ns.map(|at_ns| if at_ns > now_ns { at_ns.max(held_ns) } else { at_ns });
        let Some(send_ns) = send_ns.filter(|at| at.saturating_sub(now_ns) <= longest_ns) else {
            // Rounded up, so that the loop does not turn idly for the last millisecond.
            return self.poll_for(Duration::from_nanos(longest_ns));
        };
        if send_ns <= now_ns + SPIN_NS {
            // Looking is what the spinning does: replies must not starve when the gaps are short.
            self.look()?;
            while self.events.is_empty() && clock.now_ns() < send_ns {
                self.look()?;
            }
            self.woken_for_ns = send_ns;
            return Ok(());
        }
        let wake_ns = send_ns.saturating_sub(self.lead_ns).max(now_ns + 1);
        if self.armed_ns != wake_ns {
            self.timer.set(wake_ns - now_ns)?;
            self.armed_ns = wake_ns;
        }
        self.poll_for(self.timer.timeout(wake_ns - now_ns))?;
        let rung = Timer::RINGS && self.events.iter().any(|event| event.token() == TIMER)
            || !Timer::RINGS && self.events.is_empty();
        if rung {
            self.woken_for_ns = send_ns;
            self.learn(clock.now_ns().saturating_sub(wake_ns));
        }
        Ok(())
    }

    /// Lets the lead follow the quartile of the delays: a quarter of the wakings are early, and what
    /// they wait for is spun away; the others are late by what little the delays differ.
    fn learn(&mut self, late_ns: u64) {
        if late_ns > self.lead_ns {
            self.lead_ns = (self.lead_ns + LEAD_STEP_NS).min(LEAD_MAX_NS);
        } else {
            self.lead_ns = self.lead_ns.saturating_sub(3 * LEAD_STEP_NS);
        }
    }

    fn poll_for(&mut self, timeout: Duration) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.events.clear();
                Ok(())
            }
            other => other,
        }
    }
}

#[cfg(target_os = "linux")]
use timerfd::Timer;

#[cfg(target_os = "linux")]
mod timerfd {
    //! A timerfd registered edge-triggered: it never needs to be read.

    use super::{SLEEP_MAX_NS, TIMER};
    use mio::unix::SourceFd;
    use mio::{Interest, Registry};
    use rustix::fd::OwnedFd;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use std::io;
    use std::os::fd::AsRawFd;
    use std::time::Duration;

    pub(super) struct Timer(OwnedFd);

    impl Timer {
        /// Whether its ringing is an event.
        pub(super) const RINGS: bool = true;

        pub(super) fn new(registry: &Registry) -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            registry.register(&mut SourceFd(&fd.as_raw_fd()), TIMER, Interest::READABLE)?;
            Ok(Self(fd))
        }

        pub(super) fn set(&mut self, from_now_ns: u64) -> io::Result<()> {
            let it_value = Timespec {
                tv_sec: (from_now_ns / 1_000_000_000).cast_signed(),
                tv_nsec: (from_now_ns % 1_000_000_000).cast_signed(),
            };
            let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
            let once = Itimerspec { it_interval, it_value };
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
            Ok(())
        }

        /// What the poll itself waits at most: the timer wakes it before.
        pub(super) fn timeout(&self, _from_now_ns: u64) -> Duration {
            Duration::from_nanos(SLEEP_MAX_NS)
        }
    }
}

#[cfg(not(target_os = "linux"))]
use exact_poll::Timer;

#[cfg(not(target_os = "linux"))]
mod exact_poll {
    //! Where the poll's own timeout is exact.

    use mio::Registry;
    use std::io;
    use std::time::Duration;

    pub(super) struct Timer;

    impl Timer {
        /// Whether its ringing is an event.
        pub(super) const RINGS: bool = false;

        pub(super) fn new(_registry: &Registry) -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) fn set(&mut self, _from_now_ns: u64) -> io::Result<()> {
            Ok(())
        }

        pub(super) fn timeout(&self, from_now_ns: u64) -> Duration {
            Duration::from_nanos(from_now_ns)
        }
    }
}
