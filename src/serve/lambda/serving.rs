//! The loop: start, then one event after another until Lambda ends the sandbox.

use super::answer::{Answered, Answerer};
use super::api::{Api, ApiError, Fault, Invocation};
use super::event;
use crate::serve::artefact::{Artefact, StartError};
use crate::serve::log::{ErrorClass, EventLine, RequestLine};
use signal_hook::consts::SIGTERM;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long before the function's timeout a run is ended: time to say so to the client.
const DEADLINE_MARGIN: Duration = Duration::from_millis(50);
/// Lambda's longest timeout, for an invocation that tells none (developer guide, "Lambda quotas").
const TIMEOUT_MAX: Duration = Duration::from_secs(900);
/// Memory that comes with one whole core, MiB (developer guide, "Configure Lambda function memory").
const MEMORY_MIB_PER_CORE: u64 = 1_769;
const REPLY_REFUSED: &str = "Lambda did not take the reply";
/// Longest id of API Gateway that is logged, characters: it is a UUID.
const GATEWAY_ID_CHARS_MAX: usize = 64;

/// What the host starts from.
#[derive(Debug)]
pub struct LambdaStart {
    /// When the program started.
    pub started: Instant,
    /// Cores that the process may use.
    pub cores: usize,
    /// The function's memory, MiB, which is a share of cores as well.
    pub memory_mib: Option<u64>,
}

/// Why the host ended other than by SIGTERM.
#[derive(Debug, thiserror::Error)]
pub enum LambdaError {
    /// There is nothing to serve; Lambda has been told.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Lambda's Runtime API is of no use any more.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// Loads the artefact and answers events until SIGTERM. Lines go to `log`.
///
/// # Errors
/// The artefact cannot be loaded, or the Runtime API is gone.
pub fn serve(
    mut api: Api,
    artefact: Result<Artefact, StartError>,
    start: &LambdaStart,
    log: &mut dyn Write,
) -> Result<(), LambdaError> {
    let intra_threads = threads(start.memory_mib, start.cores);
    let opened = artefact.and_then(|artefact| {
        let ended = Ended::watch()?;
        let open = AssertUnwindSafe(|| artefact.open_session(intra_threads));
        let session = catch_unwind(open).unwrap_or(Err(StartError::Panicked))?;
        Ok((artefact, session, ended))
    });
    let (artefact, session, ended) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            // That Lambda cannot be told either is less than why there is nothing to serve.
            let _ = api.fail_init(&Fault::new(error.kind(), &error.message()));
            return Err(error.into());
        }
    };
    let mut host = Host {
        api,
        answerer: Answerer::new(artefact.endpoint(), artefact.version(), session),
        artefact,
        init: Some(now() - start.started),
        line: Vec::new(),
    };
    while !ended.while_waiting() {
        let invocation = host.api.next()?;
        ended.working();
        host.handle(&invocation, log)?;
    }
    Ok(())
}

/// Threads of one run: those that the memory pays for, of those that there are.
fn threads(memory_mib: Option<u64>, cores: usize) -> usize {
    let paid = memory_mib.map_or(u64::MAX, |mib| mib.div_ceil(MEMORY_MIB_PER_CORE));
    cores.min(usize::try_from(paid).unwrap_or(usize::MAX)).max(1)
}

/// SIGTERM: ends the process at once while it starts or waits for an event, and after the reply
/// otherwise.
struct Ended {
    is_waiting: Arc<AtomicBool>,
    is_told: Arc<AtomicBool>,
}

impl Ended {
    fn watch() -> Result<Self, StartError> {
        let (is_waiting, is_told) = (Arc::new(AtomicBool::new(true)), Arc::<AtomicBool>::default());
        let waiting = Arc::clone(&is_waiting);
        let told = Arc::clone(&is_told);
        signal_hook::flag::register_conditional_shutdown(SIGTERM, 0, waiting)
            .and_then(|_| signal_hook::flag::register(SIGTERM, told))
            .map_err(|source| StartError::System {
                action: "waiting for SIGTERM".into(),
                source,
            })?;
        Ok(Self { is_waiting, is_told })
    }

    /// Says that the process waits; `true` when it has been told to end. In this order no signal
    /// is missed: one that comes before is seen here, one that comes after ends the process.
    fn while_waiting(&self) -> bool {
        self.is_waiting.store(true, Ordering::SeqCst);
        self.is_told.load(Ordering::SeqCst)
    }

    fn working(&self) {
        self.is_waiting.store(false, Ordering::SeqCst);
    }
}

struct Host {
    api: Api,
    answerer: Answerer,
    artefact: Artefact,
    /// What the start took, until the first event has been answered.
    init: Option<Duration>,
    line: Vec<u8>,
}

/// What the log says of an event besides its ids.
struct Outcome {
    answered: Answered,
    gateway_request_id: Option<String>,
    message: Option<String>,
}

impl Host {
    fn handle(&mut self, invocation: &Invocation, log: &mut dyn Write) -> Result<(), ApiError> {
        let begun = now();
        let timestamp_ms = epoch_ms();
        let deadline = deadline(invocation.deadline_ms, timestamp_ms, begun);
        let init = self.init.take();
        let request_id = &invocation.request_id;
        let (outcome, is_taken) = match self.answer(invocation, deadline, init) {
            Ok(outcome) => {
                let is_taken = self.api.respond(request_id, self.answerer.document())?;
                if !is_taken {
                    // One that has timed out since takes no error either; it is over then.
                    let fault = Fault::new("Runtime.ReplyRefused", REPLY_REFUSED);
                    self.api.fail(request_id, &fault)?;
                }
                (outcome, is_taken)
            }
            Err(failed) => {
                let fault = Fault::new(failed.kind, &failed.message);
                let is_taken = self.api.fail(request_id, &fault)?;
                (failed.into_outcome(), is_taken)
            }
        };
        if !is_taken {
            let message = format!("{REPLY_REFUSED}: request {request_id}");
            let error = Some("Runtime.ReplyRefused");
            EventLine { level: "error", event: "reply_refused", error, message: &message }
                .emit(log);
        }
        let answered = &outcome.answered;
        let line = RequestLine {
            timestamp_ms,
            endpoint: self.artefact.endpoint(),
            version: self.artefact.version(),
            request_id,
            gateway_request_id: outcome.gateway_request_id.as_deref(),
            trace_id: invocation.trace_id.as_deref(),
            route: answered.route.as_deref(),
            status: answered.status,
            duration: now() - begun,
            inference: answered.inference,
            init,
            request_bytes: answered.request_bytes,
            reply_bytes: answered.reply_bytes,
            error: answered.error,
            message: outcome.message.as_deref(),
        };
        self.line.clear();
        line.write(&mut self.line);
        // A log that takes nothing is no reason to stop serving.
        let _ = log.write_all(&self.line);
        Ok(())
    }

    fn answer(
        &mut self,
        invocation: &Invocation,
        deadline: Instant,
        init: Option<Duration>,
    ) -> Result<Outcome, Failed> {
        let Some(range) = invocation.event.clone() else {
            return Err(Failed::invalid("the event is longer than Lambda's events are"));
        };
        let event = event::parse(self.api.event(range))
            .map_err(|error| Failed::invalid(&error.to_string()))?;
        let answered = guarded(|| self.answerer.answer(&event, deadline, init))?;
        let id = event.gateway_request_id.as_deref().filter(|id| is_gateway_id(id));
        Ok(Outcome { answered, gateway_request_id: id.map(str::to_owned), message: None })
    }
}

/// What `answer` gives; a panic in it is a function error like any other.
fn guarded<T, E: std::error::Error>(answer: impl FnOnce() -> Result<T, E>) -> Result<T, Failed> {
    match catch_unwind(AssertUnwindSafe(answer)) {
        Ok(answered) => answered.map_err(|error| Failed::invalid(&error.to_string())),
        Err(_) => Err(Failed {
            kind: "Runtime.Panic",
            class: ErrorClass::Panic,
            message: "answering ended in a defect of gwtf; the log has its place".to_owned(),
        }),
    }
}

/// A function error.
#[derive(Debug)]
struct Failed {
    kind: &'static str,
    class: ErrorClass,
    message: String,
}

impl Failed {
    fn invalid(message: &str) -> Self {
        let (kind, class) = ("Runtime.InvalidEvent", ErrorClass::InvalidEvent);
        Self { kind, class, message: message.to_owned() }
    }

    fn into_outcome(self) -> Outcome {
        let answered = Answered {
            route: None,
            status: None,
            inference: None,
            request_bytes: 0,
            reply_bytes: 0,
            error: Some(self.class),
        };
        Outcome { answered, gateway_request_id: None, message: Some(self.message) }
    }
}

/// The instant at which a run is ended. A deadline that is a day off is a broken clock or a number
/// of another meaning, and says nothing.
fn deadline(deadline_ms: Option<u64>, now_ms: u64, now: Instant) -> Instant {
    const DAY_MS: u64 = 24 * 3_600 * 1_000;
    let left = match deadline_ms {
        Some(at_ms) if at_ms.abs_diff(now_ms) < DAY_MS => {
            Duration::from_millis(at_ms.saturating_sub(now_ms))
        }
        _ => TIMEOUT_MAX,
    };
    now + left.saturating_sub(DEADLINE_MARGIN)
}

fn is_gateway_id(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    text.len() <= GATEWAY_ID_CHARS_MAX && text.chars().all(inside)
}

#[expect(clippy::disallowed_methods, reason = "the host is where a request's time begins")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "Lambda's deadlines and log lines are in wall time")]
fn epoch_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Error;

    #[test]
    fn a_panic_is_a_function_error() {
        let list: [u8; 0] = [];
        let failed = guarded(|| Ok::<u8, Error>(list[list.len()])).unwrap_err();
        assert_eq!((failed.kind, failed.class), ("Runtime.Panic", ErrorClass::Panic));
        assert_eq!(guarded(|| Err::<u8, _>(Error)).unwrap_err().kind, "Runtime.InvalidEvent");
        assert_eq!(guarded(|| Ok::<_, Error>(7)).unwrap(), 7);
    }

    #[test]
    fn memory_pays_for_threads() {
        let cases = [
            (Some(128), 8, 1),
            (Some(1_769), 8, 1),
            (Some(1_770), 8, 2),
            (Some(10_240), 8, 6),
            (Some(10_240), 2, 2),
            (Some(0), 2, 1),
            (None, 4, 4),
            (None, 0, 1),
        ];
        for (memory_mib, cores, expected) in cases {
            assert_eq!(threads(memory_mib, cores), expected, "{memory_mib:?} {cores}");
        }
    }

    #[test]
    fn a_run_ends_a_little_before_the_function() {
        let now = now();
        let at = 1_700_000_000_000;
        for (deadline_ms, left_ms) in [
            (Some(at + 3_000), 2_950),
            (Some(at + 10), 0),
            (Some(at - 5_000), 0),
            (Some(3_000), 899_950),
            (None, 899_950),
        ] {
            let found = deadline(deadline_ms, at, now) - now;
            assert_eq!(found, Duration::from_millis(left_ms), "{deadline_ms:?}");
        }
    }
}
