//! The lock of an endpoint: an object in its bucket, written only under a condition.
//!
//! ```text
//! absent ------------- acquire (If-None-Match: *) ---> held
//! expired, released,
//! or to be broken ---- acquire (If-Match: etag) -----> held
//! held --------------- a stage update that names its id, or unlock ---> free
//! ```
//!
//! A lock ends with the update of the stage that carries its id among its last moves, so that a
//! release or a rollback spends no call on unlocking; what ends without such an update unlocks by
//! deleting the object. A lock that a killed process left expires.

use super::calls::Calls;
use super::cloud::{CallError, Cloud, Failed};
use crate::error::{Exit, Explain};
use crate::plan::change::{Body, Change, Condition};
use crate::plan::observed::Object;
use crate::plan::{Answer, Names, Query};
use crate::spec::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};

/// How long a lock holds if nothing ends it: beyond the longest deploy, that of a large image to
/// an account whose calls are throttled.
pub const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// Longest lock read, bytes.
const LOCK_BYTES_MAX: usize = 4 << 10;
/// Longest holder written or printed, characters.
const HOLDER_CHARS_MAX: usize = 200;
const SCHEMA: &str = "gwtf.lock/v1";

/// A lock as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    schema: String,
    /// Its id, which the stage update that ends it names.
    pub id: String,
    /// Who holds it: `user@host, pid`.
    pub holder: String,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

impl Lock {
    /// A lock from now on.
    pub fn new(id: &str, holder: &str, now: SystemTime) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            id: id.to_owned(),
            holder: holder.chars().filter(|c| !c.is_control()).take(HOLDER_CHARS_MAX).collect(),
            since: Timestamp::from(now),
            expires_at: Timestamp::from(now + LIFETIME),
        }
    }

    /// Its text.
    pub fn render(&self) -> String {
        serde_json::to_string(self).expect("a lock is plain data")
    }

    fn parse(text: &str) -> Option<Self> {
        if text.len() > LOCK_BYTES_MAX {
            return None;
        }
        let lock: Self = serde_json::from_str(text).ok()?;
        let printable = |text: &str| {
            text.chars().count() <= HOLDER_CHARS_MAX && !text.chars().any(char::is_control)
        };
        (lock.schema == SCHEMA && printable(&lock.holder) && printable(&lock.id)).then_some(lock)
    }
}

/// What a lock object says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody holds it.
    Free,
    /// Somebody does.
    Held(Lock),
    /// Its time is over; its process was killed, or is very slow.
    Expired(Lock),
    /// It is no lock that this program knows: somebody else's object, or a newer gwtf's.
    Unreadable,
}

/// Judges a lock object's text at an instant. `released` says whether the stage's last moves name
/// an id.
pub fn judge(text: Option<&str>, now: SystemTime, released: impl Fn(&str) -> bool) -> Verdict {
    let Some(text) = text else { return Verdict::Free };
    match Lock::parse(text) {
        None => Verdict::Unreadable,
        Some(lock) if released(&lock.id) => Verdict::Free,
        Some(lock) if lock.expires_at <= Timestamp::from(now) => Verdict::Expired(lock),
        Some(lock) => Verdict::Held(lock),
    }
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else holds it.
    #[error(
        "lock of `{endpoint}`: held by {} since {} (until {} at the latest)",
        .lock.holder, .lock.since, .lock.expires_at
    )]
    Held {
        /// The endpoint.
        endpoint: String,
        /// Their lock.
        lock: Box<Lock>,
    },
    /// The object is no lock.
    #[error("lock of `{endpoint}`: `{key}` in `{bucket}` is not a lock that this gwtf reads")]
    Unreadable {
        /// The endpoint.
        endpoint: String,
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
    },
    /// It changed hands while it was asked for.
    #[error("lock of `{endpoint}`: taken and released by somebody else at this moment")]
    Contended {
        /// The endpoint.
        endpoint: String,
    },
    /// A call failed.
    #[error("lock of `{endpoint}`")]
    Call {
        /// The endpoint.
        endpoint: String,
        /// The failure.
        source: Box<CallError>,
    },
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        Exit::Machine
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Held { .. } => {
                "wait for it to end; if its process is gone, `--break-lock` takes it over"
                    .to_owned()
            }
            Self::Unreadable { .. } => {
                "look at the object; `--break-lock` overwrites it".to_owned()
            }
            Self::Contended { .. } => "run the command again".to_owned(),
            Self::Call { source, .. } => return source.hint(),
        })
    }
}

/// What a lock is asked with.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The lock to write.
    pub lock: Lock,
    /// The lock object as it was observed.
    pub observed: Option<&'a Object>,
    /// Now.
    pub now: SystemTime,
    /// Whether a lock that somebody holds is taken over.
    pub break_lock: bool,
}

/// Takes the lock: writes its object under the condition that it is as it was observed.
///
/// # Errors
/// Somebody holds it, or won; the error names who. Or a call failed.
pub async fn acquire<C: Cloud>(
    calls: Calls<'_, C>,
    names: &Names,
    request: Request<'_>,
    released: impl Fn(&str) -> bool + Send,
) -> Result<Lock, Error> {
    let Request { lock, observed, now, break_lock } = request;
    let text = observed.map(|object| object.text.as_str());
    if !break_lock {
        refuse_if_held(names, judge(text, now, &released))?;
    }
    let write = Change::PutObject {
        bucket: names.bucket.clone(),
        owner: names.account_id.clone(),
        key: names.lock_key(),
        body: Body::Text(lock.render()),
        condition: Some(
            observed.map_or(Condition::Absent, |object| Condition::Matches(object.etag.clone())),
        ),
    };
    let Err(error) = calls.perform(&write).await else { return Ok(lock) };
    // Another one may have won, or the reply to our own write was lost: the object says which.
    let told = matches!(
        error.failed,
        Failed::Precondition
            | Failed::Conflict
            | Failed::NotFound
            | Failed::Server
            | Failed::NoReply
    );
    let failed = |source| call_failed(names, source);
    if !told || error.code == "NoSuchBucket" {
        return Err(failed(error));
    }
    let Ok(Answer::Object(present)) = calls.ask(&read(names)).await else {
        return Err(failed(error));
    };
    let text = present.as_ref().map(|object| object.text.as_str());
    match judge(text, now, &released) {
        Verdict::Held(present) if present.id == lock.id => return Ok(lock),
        verdict => refuse_if_held(names, verdict)?,
    }
    match error.failed {
        Failed::Server | Failed::NoReply => Err(failed(error)),
        _ => Err(Error::Contended { endpoint: names.endpoint.clone() }),
    }
}

/// Gives the lock of this id back where no stage update has ended it. One that somebody has taken
/// over meanwhile is theirs.
///
/// # Errors
/// The object could not be read or deleted; the lock then expires.
pub async fn unlock<C: Cloud>(calls: Calls<'_, C>, names: &Names, id: &str) -> Result<(), Error> {
    let failed = |source| call_failed(names, source);
    let Answer::Object(present) = calls.ask(&read(names)).await.map_err(failed)? else {
        return Ok(());
    };
    if present.and_then(|object| Lock::parse(&object.text)).is_none_or(|lock| lock.id != id) {
        return Ok(());
    }
    let delete = Change::DeleteObject {
        bucket: names.bucket.clone(),
        owner: names.account_id.clone(),
        key: names.lock_key(),
    };
    calls.perform(&delete).await.map(drop).map_err(failed)
}

fn call_failed(names: &Names, source: CallError) -> Error {
    Error::Call { endpoint: names.endpoint.clone(), source: Box::new(source) }
}

fn read(names: &Names) -> Query {
    Query::GetObject {
        bucket: names.bucket.clone(),
        owner: names.account_id.clone(),
        key: names.lock_key(),
    }
}

fn refuse_if_held(names: &Names, verdict: Verdict) -> Result<(), Error> {
    let endpoint = names.endpoint.clone();
    match verdict {
        Verdict::Free | Verdict::Expired(_) => Ok(()),
        Verdict::Held(lock) => Err(Error::Held { endpoint, lock: Box::new(lock) }),
        Verdict::Unreadable => {
            let (bucket, key) = (names.bucket.clone(), names.lock_key());
            Err(Error::Unreadable { endpoint, bucket, key })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn at(s: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(s)
    }

    #[test]
    fn a_lock_is_held_until_it_expires_or_is_named() {
        let lock = Lock::new("id-1", "ada@host, 7", at(1_000));
        let text = lock.render();
        let judge_at = |s, released: &str| judge(Some(&text), at(s), |id| id == released);
        let end = 1_000 + LIFETIME.as_secs();
        assert_eq!(judge_at(1_000, ""), Verdict::Held(lock.clone()));
        assert_eq!(judge_at(end - 1, ""), Verdict::Held(lock.clone()));
        assert_eq!(judge_at(end, ""), Verdict::Expired(lock));
        assert_eq!(judge_at(1_000, "id-1"), Verdict::Free);
        assert_eq!(judge(None, at(0), |_| false), Verdict::Free);
    }

    #[test]
    fn what_is_no_lock_is_not_taken_for_one() {
        let lock = Lock::new("id", "ada", at(0)).render();
        let long = format!("{lock}{}", " ".repeat(LOCK_BYTES_MAX));
        let escape = lock.replace("ada", "\\u001b[2J");
        let newer = lock.replace("lock/v1", "lock/v2");
        for text in ["", "{}", "[]", "null", &long, &escape, &newer, &lock[..20]] {
            assert_eq!(judge(Some(text), at(0), |_| true), Verdict::Unreadable, "{text}");
        }
        let holder = Lock::new("id", &format!("a\u{1b}[2J{}", "b".repeat(999)), at(0)).holder;
        assert_eq!((holder.chars().count(), holder.contains('\u{1b}')), (HOLDER_CHARS_MAX, false));
    }
}
