//! The release ledger as AWS keeps it: a record in each deployment's description, and the last moves
//! of the pointer in the stage's.
//!
//! A record says what a deployment serves and is written once, with the deployment. A move says which
//! deployment the stage was pointed to, by whom and when; it is written by the very call that moves
//! the pointer, so that promoting and going back stay one call each.
//!
//! Both are JSON texts with a schema; what is no such text was not written by gwtf and is left alone.

use crate::model::{Digest, Signature};
use crate::spec::timestamp::Timestamp;
use crate::spec::version::Version;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::read::{DeflateDecoder, DeflateEncoder};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read;

/// Schema of [`Record`].
pub const RECORD_SCHEMA: &str = "gwtf.record/v1";
/// Schema of [`Moves`].
pub const MOVES_SCHEMA: &str = "gwtf.moves/v1";
/// Longest description written, characters. AWS documents no limit for a deployment's or a stage's;
/// this one keeps lists of deployments short.
pub const DESCRIPTION_CHARS_MAX: usize = 4_096;
/// Longest text of moves, characters; the oldest are forgotten first.
const MOVES_CHARS_MAX: usize = 1_024;
/// Longest name of who did it, characters; the rest is left out.
const BY_CHARS_MAX: usize = 128;
/// Largest signature read, bytes of JSON.
const SIGNATURE_BYTES_MAX: u64 = 1 << 20;

/// Who, when, and from which commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// When.
    pub at: Timestamp,
    /// The person's or the machine's name.
    pub by: String,
    /// The commit that the working folder was at, if it is a git repository.
    pub git_commit: Option<String>,
}

/// What a deployment serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`RECORD_SCHEMA`].
    schema: String,
    /// Its place in the ledger, from 1: one more than the highest before it. 0 in records of a gwtf
    /// that wrote none, which are older.
    #[serde(default)]
    pub number: u64,
    /// The version that unpinned routes reach.
    pub version: Version,
    /// The function's published version behind it.
    pub function_version: String,
    /// SHA-256 of the model file as it was given.
    pub model_sha256: Digest,
    /// SHA-256 of the artefact.
    pub artefact_sha256: Digest,
    /// SHA-256 over everything that the deployment snapshots.
    pub snapshot_sha256: Digest,
    /// Every version with pinned routes.
    pub pinned: Vec<Version>,
    /// Settings outside the snapshot as this release left them, by name.
    pub settings: BTreeMap<String, String>,
    /// How the gate ended, if there was one.
    pub gate: Option<String>,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// From which commit.
    pub git_commit: Option<String>,
    /// What the model takes and gives.
    #[serde(with = "packed_signature")]
    pub signature: Signature,
}

/// What a record is made from, besides the stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `Record`")]
pub struct NewRecord {
    pub number: u64,
    pub version: Version,
    pub function_version: String,
    pub model_sha256: Digest,
    pub artefact_sha256: Digest,
    pub snapshot_sha256: Digest,
    pub pinned: Vec<Version>,
    pub settings: BTreeMap<String, String>,
    pub signature: Signature,
}

impl Record {
    /// A record of this release.
    pub fn new(new: NewRecord, stamp: &Stamp) -> Self {
        Self {
            schema: RECORD_SCHEMA.to_owned(),
            number: new.number,
            version: new.version,
            function_version: new.function_version,
            model_sha256: new.model_sha256,
            artefact_sha256: new.artefact_sha256,
            snapshot_sha256: new.snapshot_sha256,
            pinned: new.pinned,
            settings: new.settings,
            gate: None,
            at: stamp.at,
            by: short_name(&stamp.by),
            git_commit: stamp.git_commit.clone(),
            signature: new.signature,
        }
    }

    /// The record in a deployment's description; `None` for a deployment that gwtf did not make.
    pub fn parse(description: &str) -> Option<Self> {
        if description.len() > DESCRIPTION_CHARS_MAX {
            return None;
        }
        let record: Self = serde_json::from_str(description).ok()?;
        (record.schema == RECORD_SCHEMA).then_some(record)
    }

    /// The description to write. It may hold a placeholder for the function's version.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("a record has text keys")
    }
}

/// What moved the pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each variant is the command it names")]
pub enum MoveKind {
    Deploy,
    Promote,
    Rollback,
    Prune,
}

/// One move of the stage's pointer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The command.
    pub kind: MoveKind,
    /// The version it was about.
    pub version: Version,
    /// The deployment that the stage, or its canary, was pointed to.
    pub deployment: String,
    /// The canary's share of the requests; `None` when the move was of the stage itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub canary_percent: Option<u8>,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// The lock that ended with this move.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lock: Option<String>,
}

/// The last moves, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moves {
    schema: String,
    /// Newest first.
    pub moves: Vec<Move>,
}

impl Default for Moves {
    fn default() -> Self {
        Self { schema: MOVES_SCHEMA.to_owned(), moves: Vec::new() }
    }
}

impl Moves {
    /// The moves in a stage's description; none when gwtf wrote none.
    pub fn parse(description: &str) -> Self {
        let parsed = (description.len() <= DESCRIPTION_CHARS_MAX)
            .then(|| serde_json::from_str::<Self>(description).ok())
            .flatten();
        parsed.filter(|moves| moves.schema == MOVES_SCHEMA).unwrap_or_default()
    }

    /// The description after one more move; the oldest are left out when it grows too long.
    #[must_use]
    pub fn with(&self, newest: Move) -> String {
        let mut next = self.clone();
        let by = short_name(&newest.by);
        next.moves.insert(0, Move { by, ..newest });
        loop {
            let text = serde_json::to_string(&next).expect("moves have text keys");
            if text.len() <= MOVES_CHARS_MAX || next.moves.len() == 1 {
                return text;
            }
            next.moves.pop();
        }
    }

    /// The description with a newest move that ends no lock.
    #[must_use]
    pub fn holding_lock(mut self) -> String {
        if let Some(newest) = self.moves.first_mut() {
            newest.lock = None;
        }
        serde_json::to_string(&self).expect("moves have text keys")
    }

    /// Whether a lock ended with one of these moves.
    pub fn ended_lock(&self, id: &str) -> bool {
        self.moves.iter().any(|one| one.lock.as_deref() == Some(id))
    }
}

/// Whatever calls itself who: descriptions are short.
fn short_name(by: &str) -> String {
    by.chars().take(BY_CHARS_MAX).collect()
}

/// A signature as base64 of its deflated JSON: names repeat, and descriptions are short.
mod packed_signature {
    use super::{
        BASE64, Compression, DeflateDecoder, DeflateEncoder, Deserialize, Read,
        SIGNATURE_BYTES_MAX, Signature,
    };
    use base64::Engine as _;
    use serde::de::Error as _;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        signature: &Signature,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let json = serde_json::to_vec(signature).expect("a signature has text keys");
        let mut packed = Vec::new();
        DeflateEncoder::new(json.as_slice(), Compression::best())
            .read_to_end(&mut packed)
            .map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&BASE64.encode(packed))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Signature, D::Error> {
        let text = String::deserialize(deserializer)?;
        let packed = BASE64.decode(text).map_err(D::Error::custom)?;
        let mut json = Vec::new();
        DeflateDecoder::new(packed.as_slice())
            .take(SIGNATURE_BYTES_MAX)
            .read_to_end(&mut json)
            .map_err(D::Error::custom)?;
        serde_json::from_slice(&json).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DType, Dim, TensorSpec};

    fn signature(inputs: usize) -> Signature {
        let tensor = |index: usize| TensorSpec {
            name: format!("input_tensor_{index}"),
            dtype: DType::Float32,
            shape: Some(vec![Dim::Symbol("batch".to_owned()), Dim::Fixed(4 + index)]),
        };
        Signature { inputs: (0..inputs).map(tensor).collect(), outputs: vec![tensor(99)] }
    }

    fn record(inputs: usize) -> Record {
        let version: Version = "v2".parse().unwrap();
        let new = NewRecord {
            number: 3,
            version: version.clone(),
            function_version: "7".to_owned(),
            model_sha256: Digest::of(b"m"),
            artefact_sha256: Digest::of(b"a"),
            snapshot_sha256: Digest::of(b"s"),
            pinned: vec![version],
            settings: BTreeMap::from([("function.memory_mib".to_owned(), "1769".to_owned())]),
            signature: signature(inputs),
        };
        let stamp = Stamp {
            at: "2026-11-24T12:00:00Z".parse().unwrap(),
            by: "ci@host".to_owned(),
            git_commit: Some("0".repeat(40)),
        };
        Record::new(new, &stamp)
    }

    #[test]
    fn a_record_is_read_back_and_short() {
        let record = record(3);
        assert_eq!(Record::parse(&record.text()), Some(record.clone()));
        assert!(record.text().len() < 1_024, "{}", record.text().len());
        assert!(super::tests::record(60).text().len() < DESCRIPTION_CHARS_MAX);
    }

    #[test]
    fn a_record_without_a_number_is_older_than_all_that_have_one() {
        let mut text: serde_json::Value = serde_json::from_str(&record(1).text()).unwrap();
        text.as_object_mut().unwrap().remove("number");
        assert_eq!(Record::parse(&text.to_string()), Some(Record { number: 0, ..record(1) }));
    }

    #[test]
    fn what_gwtf_did_not_write_is_no_record() {
        let mut other: serde_json::Value = serde_json::from_str(&record(1).text()).unwrap();
        other["schema"] = "gwtf.record/v9".into();
        let bad_signature = record(1).text().replace("\"signature\":\"", "\"signature\":\"%");
        for text in ["", "made by hand", "{}", &other.to_string(), &bad_signature] {
            assert_eq!(Record::parse(text), None, "{text}");
            assert_eq!(Moves::parse(text), Moves::default());
        }
        assert_eq!(Record::parse(&" ".repeat(DESCRIPTION_CHARS_MAX + 1)), None);
    }

    #[test]
    fn moves_stay_short_and_keep_the_newest() {
        let mut description = String::new();
        for number in 0..50 {
            let lock = Some(format!("lock-{number}"));
            let newest = Move {
                kind: MoveKind::Deploy,
                version: format!("v{number}").parse().unwrap(),
                deployment: "abc123".to_owned(),
                canary_percent: None,
                at: "2026-11-24T12:00:00Z".parse().unwrap(),
                // A name of any length leaves room for moves.
                by: format!("ci@host{}", "é".repeat(if number == 20 { 9_000 } else { 0 })),
                lock,
            };
            description = Moves::parse(&description).with(newest);
            assert!(description.len() <= MOVES_CHARS_MAX);
        }
        let moves = Moves::parse(&description);
        assert_eq!(moves.moves[0].version.as_str(), "v49");
        assert!(moves.moves.len() >= 3, "{}", moves.moves.len());
        assert!(moves.ended_lock("lock-49") && !moves.ended_lock("lock-0"));
    }
}
