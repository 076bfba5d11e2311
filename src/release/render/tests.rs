//! What a person reads, at 80 and at 160 columns.

use super::*;
use crate::model::Digest;
use crate::model::{DType, Dim, Signature, TensorSpec};
use crate::plan::Stamp;
use crate::release::record::{ArtefactFile, Deploy};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// Three versions: v1, v2 live, a canary with a long name deployed by somebody with a long name.
fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    let steps =
        [("v1", None, "ada"), ("v2", None, "ada"), ("2026-06-candidate", Some(10), "ci-runner-eu")];
    for (n, (version, canary_percent, by)) in steps.into_iter().enumerate() {
        let digest = Digest::of(version.as_bytes());
        let file = ArtefactFile { path: "model.onnx".into(), digest, size_bytes: 98_765_432 };
        let spec = |name: &str, dtype| TensorSpec {
            name: name.into(),
            dtype,
            shape: Some(vec![Dim::Symbol("batch".into()), Dim::Fixed(4)]),
        };
        let request = Deploy {
            endpoint: "iris".into(),
            version: version.parse().unwrap(),
            artefact: Artefact { digest, files: vec![file] },
            signature: Signature {
                inputs: vec![spec("features", DType::Float32)],
                outputs: vec![spec("label", DType::Int64), spec("scores", DType::Float32)],
            },
            canary_percent,
            breaking: Vec::new(),
            allow_breaking: false,
        };
        let at = UNIX_EPOCH + Duration::from_secs(1_790_000_000 + 3_600 * n as u64);
        let git_commit = (n > 0).then(|| "0123456789abcdef0123456789abcdef01234567".to_owned());
        let stamp = Stamp { at: at.into(), by: by.into(), git_commit };
        ledger = ledger.deploy(request, stamp).unwrap().unwrap();
    }
    ledger
}

fn at(columns: usize, render: impl Fn(Place<'_>, &Ledger, usize) -> String) -> String {
    let store = Store::new(Path::new("/home/ada/iris"));
    let place = Place { endpoint: "iris", stage: "prod", store: &store };
    let text = render(place, &ledger(), columns);
    for line in text.lines() {
        assert!(line.chars().count() <= columns, "{line:?} is wider than {columns}");
    }
    text
}

#[test]
fn status_fits_80_and_160_columns() {
    assert_eq!(
        at(80, |place, ledger, columns| place.status_text(ledger, &[], columns)),
        "\
iris (local, stage prod)
  live      v2
  canary    2026-06-candidate at 10 %
  previous  v1

 VERSION            ROLE    SIZE       RELEASED           BY
 2026-06-candidate  canary  94.19 MiB  2026-09-21 16:13Z  ci-runner-eu
 v2                 live    94.19 MiB  2026-09-21 15:13Z  ada
 v1                 kept    94.19 MiB  2026-09-21 14:13Z  ada
"
    );
    let wide = at(160, |place, ledger, columns| place.status_text(ledger, &[], columns));
    let table = wide.split_once("\n\n").unwrap().1;
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(
        rows[..3],
        [
            " VERSION            ROLE    SIZE       RELEASED           BY            MODEL         \
             COMMIT      TAKES                      GIVES",
            " 2026-06-candidate  canary  94.19 MiB  2026-09-21 16:13Z  ci-runner-eu  76a87a859add  \
             0123456789  features float32[batch,4]  label int64[batch,4]",
            &format!("{}scores float32[batch,4]", " ".repeat(125)),
        ]
    );
}

#[test]
fn history_fits_80_and_160_columns() {
    assert_eq!(
        at(80, |place, ledger, columns| place.history_text(ledger, columns)),
        " #  COMMAND  VERSION            CANARY  LIVE  WHEN               BY
 3  deploy   2026-06-candidate  10 %    v2    2026-09-21 16:13Z  ci-runner-eu
 2  deploy   v2                         v2    2026-09-21 15:13Z  ada
 1  deploy   v1                         v1    2026-09-21 14:13Z  ada
"
    );
    let wide = at(160, |place, ledger, columns| place.history_text(ledger, columns));
    assert_eq!(
        wide.lines().take(2).collect::<Vec<_>>(),
        [
            " #  COMMAND  VERSION            CANARY  LIVE  WHEN               BY            \
             MODEL         COMMIT",
            " 3  deploy   2026-06-candidate  10 %    v2    2026-09-21 16:13Z  ci-runner-eu  \
             76a87a859add  0123456789",
        ]
    );
}

#[test]
fn damage_shows_in_status() {
    let error = || Error::LedgerDamaged { path: "x".into(), reason: "y".into() };
    let damage = [("v1".parse().unwrap(), error())];
    let text = at(80, |place, ledger, columns| place.status_text(ledger, &damage, columns));
    let line = text.lines().find(|line| line.trim_start().starts_with("v1")).unwrap();
    assert!(line.contains("damaged"), "{text}");
}
