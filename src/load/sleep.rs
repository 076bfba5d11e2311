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
const LEAD_STEP_NS: u64 = 100;
const EARLY_STEP_NS: u64 = 7 * LEAD_STEP_NS;
/// The longest sleep that replies do not end.
const DOZE_MAX_NS: u64 = 500_000;
/// Events taken at once.
const EVENTS: usize = 1_024;

/// The worker's place to sleep.
pub(super) struct Sleeper {
    clock: Clock,
    poll: Poll,
    /// What woke it.
    pub(super) events: Events,
    timer: Timer,
    /// The least that wakings are usually late by.
    lead_ns: u64,
    /// The instant that the timer was last set to.
    armed_ns: u64,
    dozer: Dozer,
    /// When sockets were last asked, all that they had to tell being among `events`.
    looked_ns: u64,
}

impl Sleeper {
    /// A poll with its timers.
    pub(super) fn new(clock: Clock) -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = Timer::new(poll.registry())?;
        let events = Events::with_capacity(EVENTS);
        Ok(Self {
            poll,
            events,
            timer,
            lead_ns: 5_000,
            armed_ns: 0,
            dozer: Dozer::new()?,
            looked_ns: 0,
            clock,
        })
    }

    /// Where sockets are registered.
    pub(super) fn registry(&self) -> &mio::Registry {
        self.poll.registry()
    }

    /// What sockets had to tell at this instant has all been told.
    pub(super) fn looked_ns(&self) -> u64 {
        self.looked_ns
    }

    /// Looks at the sockets without waiting.
    pub(super) fn look(&mut self) -> io::Result<()> {
        self.poll_for(Duration::ZERO)
    }

    /// Sleeps until a socket is ready, or the first of the instants `sends_ns` has come, or `other_ns`
    /// has roughly come, or [`SLEEP_MAX_NS`] have passed. May wake for nothing. With `may_doze`
    /// sockets do not wake it while a send is near, and are looked at when it comes.
    pub(super) fn sleep(
        &mut self,
        sends_ns: [Option<u64>; 2],
        other_ns: u64,
        may_doze: bool,
    ) -> io::Result<()> {
        let now_ns = self.clock.now_ns();
        let longest_ns = other_ns.saturating_sub(now_ns).min(SLEEP_MAX_NS);
        let is_soon = |at_ns: &u64| at_ns.saturating_sub(now_ns) <= longest_ns;
        let Some(send_ns) = sends_ns[0].filter(is_soon) else {
            // Rounded up, so that the loop does not turn idly for the last millisecond.
            return self.poll_for(Duration::from_nanos(longest_ns));
        };
        if send_ns <= now_ns + SPIN_NS {
            // Looking is what the spinning does: replies must not starve when the gaps are short.
            self.look()?;
            while self.events.is_empty() && self.clock.now_ns() < send_ns {
                self.look()?;
            }
            return Ok(());
        }
        let wake_ns = send_ns.saturating_sub(self.lead_ns).max(now_ns + 1);
        if may_doze && wake_ns - now_ns <= DOZE_MAX_NS {
            return self.doze(send_ns, sends_ns[1]);
        }
        if self.armed_ns != wake_ns {
            self.timer.set(wake_ns - now_ns)?;
            self.armed_ns = wake_ns;
        }
        self.poll_for(self.timer.timeout(wake_ns - now_ns))?;
        let rung = Timer::RINGS && self.events.iter().any(|event| event.token() == TIMER)
            || !Timer::RINGS && self.events.is_empty();
        if rung {
            self.learn(self.clock.now_ns().saturating_sub(wake_ns));
        }
        Ok(())
    }

    /// Sleeps until `send_ns`, which no socket ends. `after_ns` is the instant for which the next
    /// sleep will be.
    fn doze(&mut self, send_ns: u64, after_ns: Option<u64>) -> io::Result<()> {
        let instants_ns = [send_ns, after_ns.unwrap_or(send_ns)];
        let wake_ns = self.dozer.doze(self.clock.now_ns(), instants_ns, self.lead_ns)?;
        let woken_ns = self.clock.now_ns();
        self.learn(woken_ns.saturating_sub(wake_ns));
        if woken_ns + SPIN_NS >= send_ns {
            while self.clock.now_ns() < send_ns {
                std::hint::spin_loop();
            }
        }
        self.look()
    }

    /// Lets the lead follow the lowest eighth of the delays: that many wakings are early, and what they
    /// wait for is spun away; the others are late by what little the delays differ.
    fn learn(&mut self, late_ns: u64) {
        if late_ns > self.lead_ns {
            self.lead_ns = (self.lead_ns + LEAD_STEP_NS).min(LEAD_MAX_NS);
        } else {
            self.lead_ns = self.lead_ns.saturating_sub(EARLY_STEP_NS);
        }
    }

    fn poll_for(&mut self, timeout: Duration) -> io::Result<()> {
        let asked_ns = self.clock.now_ns();
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.events.clear();
                Ok(())
            }
            Err(error) => Err(error),
            Ok(()) => {
                // A full list may have left something out.
                if self.events.iter().count() < EVENTS {
                    self.looked_ns = asked_ns;
                }
                Ok(())
            }
        }
    }
}

#[cfg(target_os = "linux")]
use timerfd::{Dozer, Timer};

#[cfg(target_os = "linux")]
mod timerfd {
    //! A timerfd registered edge-triggered: it never needs to be read.

    use super::{SLEEP_MAX_NS, TIMER};
    use mio::unix::SourceFd;
    use mio::{Interest, Registry};
    use rustix::fd::OwnedFd;
    use rustix::io::Errno;
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
            let fd = create(TimerfdFlags::NONBLOCK)?;
            registry.register(&mut SourceFd(&fd.as_raw_fd()), TIMER, Interest::READABLE)?;
            Ok(Self(fd))
        }

        pub(super) fn set(&mut self, from_now_ns: u64) -> io::Result<()> {
            set(&self.0, from_now_ns)
        }

        /// What the poll itself waits at most: the timer wakes it before.
        pub(super) fn timeout(&self, _from_now_ns: u64) -> Duration {
            Duration::from_nanos(SLEEP_MAX_NS)
        }
    }

    /// A timer of a [`Dozer`].
    struct Alarm {
        fd: OwnedFd,
        /// The instant that it was set for, and the earlier one that it rings at.
        set_for_ns: Option<u64>,
        rings_ns: u64,
    }

    /// Two timers, of which one is set while the other is slept for.
    ///
    /// Setting the timer that is the processor's next to ring programs its clock, which on a virtual
    /// machine may cost more than the rest of a sleep. One that rings later costs nothing: the clock
    /// is programmed for it when the earlier one rings, as it has to be anyhow.
    pub(super) struct Dozer([Alarm; 2]);

    impl Dozer {
        pub(super) fn new() -> io::Result<Self> {
            let alarm = || -> io::Result<Alarm> {
                let fd = create(TimerfdFlags::empty())?;
                Ok(Alarm { fd, set_for_ns: None, rings_ns: 0 })
            };
            Ok(Self([alarm()?, alarm()?]))
        }

        /// Blocks until `lead_ns` before the first instant, having set a timer for the second; tells
        /// when it was to wake.
        pub(super) fn doze(
            &mut self,
            now_ns: u64,
            [first_ns, second_ns]: [u64; 2],
            lead_ns: u64,
        ) -> io::Result<u64> {
            if self.0[0].set_for_ns != Some(first_ns) {
                self.0.swap(0, 1);
            }
            let [first, second] = &mut self.0;
            for (alarm, at_ns) in [(&mut *first, first_ns), (second, second_ns)] {
                if alarm.set_for_ns != Some(at_ns) {
                    alarm.rings_ns = at_ns.saturating_sub(lead_ns).max(now_ns + 1);
                    set(&alarm.fd, alarm.rings_ns - now_ns)?;
                    alarm.set_for_ns = Some(at_ns);
                }
            }
            first.set_for_ns = None;
            match rustix::io::read(&first.fd, &mut [0; 8]) {
                Ok(_) | Err(Errno::INTR) => Ok(first.rings_ns),
                Err(error) => Err(error.into()),
            }
        }
    }

    fn create(flags: TimerfdFlags) -> io::Result<OwnedFd> {
        Ok(timerfd_create(TimerfdClockId::Monotonic, flags | TimerfdFlags::CLOEXEC)?)
    }

    fn set(fd: &OwnedFd, from_now_ns: u64) -> io::Result<()> {
        let it_value = Timespec {
            tv_sec: (from_now_ns / 1_000_000_000).cast_signed(),
            tv_nsec: (from_now_ns % 1_000_000_000).cast_signed(),
        };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        let once = Itimerspec { it_interval, it_value };
        timerfd_settime(fd, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
use exact_poll::{Dozer, Timer};

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

    pub(super) struct Dozer;

    impl Dozer {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) fn doze(
            &mut self,
            now_ns: u64,
            [first_ns, _second_ns]: [u64; 2],
            lead_ns: u64,
        ) -> io::Result<u64> {
            let wake_ns = first_ns.saturating_sub(lead_ns).max(now_ns);
            std::thread::sleep(Duration::from_nanos(wake_ns - now_ns));
            Ok(wake_ns)
        }
    }
}
