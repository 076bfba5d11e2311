//! Signed requests of `invoke` and `loadtest`, verified by another implementation: botocore.

#![expect(clippy::unwrap_used, reason = "a step of a test that fails is a failed test")]

/// A server that keeps requests, and botocore.
pub(crate) mod recorder;

use crate::support::gwtf;
use gwtf::identity::sigv4::{self, BodyHash, Credentials, EXECUTE_API, Scope};
use gwtf::load::authorize::{Authorize, Headers, NoProof};
use gwtf::load::outcome::Outcome;
use gwtf::load::plan::{Plan, Request, Target};
use gwtf::load::schedule::{ArrivalProcess, Schedule};
use gwtf::load::{Snapshot, StopFlag, plan::Pace, run};
use gwtf::spec::Secret;
use recorder::{Recorded, Recorder, SECRET, faults, verify};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, SystemTime};

/// `gwtf` as a caller with these credentials and nothing else of AWS.
fn caller(folder: &Path, token: Option<&str>) -> Command {
    let mut command = nobody(folder);
    command.envs([("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", SECRET)]);
    command.envs(token.map(|token| ("AWS_SESSION_TOKEN", token)));
    command
}

/// `gwtf` with no credentials, whatever the machine has.
fn nobody(folder: &Path) -> Command {
    let mut command = gwtf(folder);
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        command.env_remove(name);
    }
    let absent = folder.join("absent");
    command
        .env("AWS_CONFIG_FILE", &absent)
        .env("AWS_SHARED_CREDENTIALS_FILE", &absent)
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

fn texts(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}\n{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

/// A folder with a body in `body.json`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("body.json"), r#"{"x":1}"#).unwrap();
    folder
}

/// Runs it; what the server got. A busy machine may make a load's own times not valid (1).
fn run_to(command: &mut Command, server: &Recorder) -> Vec<Recorded> {
    let is_load = command.get_args().any(|argument| argument == "loadtest");
    let output = command.output().unwrap();
    let code = output.status.code().unwrap();
    assert!(code == 0 || is_load && code == 1, "{}", texts(&output));
    server.take()
}

#[test]
fn one_request_is_signed_whatever_its_path_query_and_body() {
    let folder = folder();
    let server = Recorder::start();
    let odd: Vec<u8> = (0..=255).collect();
    fs_err::write(folder.path().join("odd.bin"), odd).unwrap();
    fs_err::write(folder.path().join("empty"), b"").unwrap();
    let mut requests = Vec::new();
    for (path, input, token) in [
        ("/prod/v1/predict?model=resnet%2050&v=1", "body.json", None),
        ("/prod/predict", "odd.bin", Some("a/session+token==")),
        ("/", "empty", None),
        ("/prod//v1///predict/", "body.json", None),
        ("/prod/a b/c%20d/e%2Ff/%25/..%2e/g", "body.json", Some("token")),
        ("/prod/./x/../predict", "body.json", None),
        ("/prod/v1/models/iris:predict", "body.json", None),
        ("/prod/!$&'()*+,;=:@-._~", "body.json", None),
        ("/prod/é/日本", "body.json", None),
        ("/prod/p?b=2&a=2&a=1&c&d=&A=%C3%A9&e=%2F%20x", "body.json", None),
        ("/prod/p?filter=a,b:c;d!*'()&z=~._-", "body.json", None),
        ("/prod/p?", "body.json", None),
    ] {
        let mut command = caller(folder.path(), token);
        command.args(["invoke", "--input", input, "--sigv4", "--region", "eu-west-1"]);
        let got = run_to(command.args(["--url", &server.url(path)]), &server);
        assert_eq!(got.len(), 1, "{path}");
        assert_eq!(got[0].header("x-amz-security-token"), token);
        requests.extend(got);
    }
    verify(&requests);

    // The verifier is no rubber stamp.
    let changed = |change: fn(&mut Recorded)| {
        let mut request = requests[1].clone();
        change(&mut request);
        request
    };
    let forged = [
        changed(|request| request.body[0] ^= 1),
        changed(|request| request.method = "PUT".to_owned()),
        changed(|request| request.target.push_str("?a=1")),
        changed(|request| {
            request.headers.retain(|(name, _)| name != "x-amz-security-token");
        }),
        changed(|request| request.headers.retain(|(name, _)| name != "authorization")),
    ];
    let found = faults(&forged);
    assert!(found.iter().all(Option::is_some), "{found:?}");
}

/// Whatever a URL may hold, raw or encoded, in a path and in a query.
#[test]
fn every_character_is_signed_as_another_signer_does() {
    let raw = (0x21..0x7f_u8).filter(|byte| !b"#?%".contains(byte)).map(|byte| byte as char);
    let raw = raw.map(String::from).collect::<Vec<_>>();
    let encoded = (0..=255_u8).map(|byte| format!("%{byte:02X}"));
    let encoded = encoded.chain((0x20..0x7f_u8).map(|byte| format!("%{byte:02x}")));
    let path = |text: &String| format!("/prod/a{text}b/c");
    let targets = raw.iter().map(path).chain(encoded.clone().map(|text| path(&text)));
    // What is no UTF-8 is decoded by nobody alike.
    let query = |text: &str| format!("/prod?n{text}=v{text}&b=1&a");
    let is_text = |text: &String| u8::from_str_radix(&text[1..], 16).is_ok_and(|b| b < 0x80);
    let in_query = raw.iter().filter(|text| !["&", "="].contains(&text.as_str()));
    let in_query = in_query.map(|text| query(text));
    let targets = targets.chain(in_query).chain(encoded.filter(is_text).map(|text| query(&text)));

    let host = "abcde12345.execute-api.eu-west-1.amazonaws.com";
    let credentials = Credentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new(SECRET),
        session_token: None,
        expires_at: None,
    };
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(NEW_YEAR_S);
    let body = BodyHash::of(b"");
    let (mut requests, mut refused) = (Vec::new(), String::new());
    for target in targets {
        let url = format!("https://{host}{target}");
        let request = sigv4::Request { method: "GET", url: &url, headers: &[], body: &body };
        let scope = Scope { region: "eu-west-1", service: EXECUTE_API };
        let Ok(signed) = sigv4::sign(request, scope, &credentials, at) else {
            refused.push_str(&target);
            continue;
        };
        let signed = signed.into_iter().map(|(name, value)| (name, value.expose().to_owned()));
        let headers = [("host".to_owned(), host.to_owned())].into_iter().chain(signed).collect();
        requests.push(Recorded { method: "GET".to_owned(), target, headers, body: Vec::new() });
    }
    assert!(requests.len() > 600, "{refused}");
    verify(&requests);
}

/// The headers that the person gives are signed with the rest when AWS reads them.
#[test]
fn own_headers_are_sent_and_awss_are_covered() {
    let folder = folder();
    let server = Recorder::start();
    let mut command = caller(folder.path(), None);
    command.args(["invoke", "--input", "body.json", "--sigv4", "--url", &server.url("/prod/p")]);
    command.args(["--header", "X-Amz-Meta:  two   words ", "--header", "X-Own: a"]);
    command.args(["--header", "Content-Type: application/x-own"]);
    command.args(["--header", "Host: abc.execute-api.ap-south-1.amazonaws.com"]);
    let got = run_to(&mut command, &server);
    verify(&got);
    let authorization = got[0].header("authorization").unwrap();
    assert!(authorization.contains("/ap-south-1/execute-api/"), "{authorization}");
    let signed = "SignedHeaders=content-type;host;x-amz-date;x-amz-meta,";
    assert!(authorization.contains(signed), "{authorization}");
    assert_eq!(got[0].header("content-type"), Some("application/x-own"));
    assert_eq!(got[0].header("x-own"), Some("a"));
}

#[test]
fn load_is_signed_with_bodies_keys_and_without_either() {
    let folder = folder();
    let server = Recorder::start();
    fs_err::write(folder.path().join("other.json"), r#"{"y":[2]}"#).unwrap();
    let base = ["--rps", "40", "--duration", "200ms", "--sigv4", "--region", "eu-west-1"];
    for (extra, method) in [
        (&["--payload", "body.json", "other.json", "--key", "gold=1"][..], "POST"),
        (&[][..], "GET"),
    ] {
        let mut command = caller(folder.path(), Some("the+token="));
        command.env("GWTF_KEY_GOLD", "a-value-of-enough-characters");
        command.args(["loadtest", "--url", &server.url("/prod//v1/predict?b=%20&a=1")]);
        let got = run_to(command.args(base).args(extra), &server);
        assert_eq!(got.len(), 8);
        assert!(got.iter().all(|request| request.method == method));
        let keys = got.iter().filter(|request| request.header("x-api-key").is_some()).count();
        assert_eq!(keys, if method == "POST" { 8 } else { 0 });
        verify(&got);
    }
}

/// A day of its own: threads agree on what time it is.
#[derive(Debug)]
struct Day {
    now_s: AtomicU64,
    /// Signatures that the server has seen by the instant they were made at.
    seen_s: Mutex<u64>,
    seen: Condvar,
}

/// 2026-01-01T00:00:00Z.
const NEW_YEAR_S: u64 = 1_767_225_600;
/// What AWS allows for between a signature and its arrival.
const HOLDS_S: u64 = 300;

impl Day {
    fn stamp(at_s: u64) -> String {
        let since_s = at_s - NEW_YEAR_S;
        let (hour, minute, second) = (since_s / 3600, since_s / 60 % 60, since_s % 60);
        format!("20260101T{hour:02}{minute:02}{second:02}Z")
    }
}

/// Signs as of the day's clock, a minute later each time, once the last signature has arrived.
#[derive(Debug)]
struct Driven {
    day: Arc<Day>,
    url: String,
}

impl Authorize for Driven {
    fn prove(&self) -> Result<Vec<Headers>, NoProof> {
        let before_s = self.day.now_s.load(Ordering::SeqCst);
        let seen = self.day.seen_s.lock().unwrap();
        let limit = Duration::from_secs(30);
        let waits = |seen: &mut u64| before_s > NEW_YEAR_S && *seen < before_s;
        let _seen = self.day.seen.wait_timeout_while(seen, limit, waits).unwrap();
        let now_s = before_s + 60;
        self.day.now_s.store(now_s, Ordering::SeqCst);
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Secret::new(SECRET),
            session_token: None,
            expires_at: None,
        };
        let body = BodyHash::of(b"{}");
        let request = sigv4::Request { method: "POST", url: &self.url, headers: &[], body: &body };
        let scope = Scope { region: "eu-west-1", service: EXECUTE_API };
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(now_s);
        let signed = sigv4::sign(request, scope, &credentials, at)?;
        let plain = |(name, value): (String, Secret)| (name, value.expose().to_owned());
        Ok(vec![signed.into_iter().map(plain).collect()])
    }

    fn renew_every(&self) -> Duration {
        Duration::from_millis(1)
    }
}

/// Half an hour by the day's clock, under a server that lets signatures age five minutes.
#[test]
fn no_signature_grows_old_in_a_long_run() {
    const END_S: u64 = NEW_YEAR_S + 1_800;
    let day = Arc::new(Day {
        now_s: AtomicU64::new(NEW_YEAR_S),
        seen_s: Mutex::new(0),
        seen: Condvar::new(),
    });
    let stop = StopFlag::new();
    let server = {
        let (day, stop) = (Arc::clone(&day), stop.clone());
        Recorder::answering(move |request| {
            let now_s = day.now_s.load(Ordering::SeqCst);
            let date = request.header("x-amz-date").unwrap();
            let age_s = (0..=now_s - NEW_YEAR_S).find(|age_s| Day::stamp(now_s - age_s) == date);
            let age_s = age_s.expect("a date of this day");
            *day.seen_s.lock().unwrap() = now_s - age_s;
            day.seen.notify_all();
            if now_s - age_s >= END_S {
                stop.raise();
            }
            (if age_s <= HOLDS_S { 200 } else { 403 }, String::new(), Vec::new())
        })
    };
    let target = Target::parse(&server.url("/prod/predict")).unwrap();
    let request = Request {
        method: "POST".to_owned(),
        path: target.path().to_owned(),
        headers: Vec::new(),
        body: "{}".into(),
    };
    let limit = Duration::from_secs(30);
    let schedule = Schedule::constant(1_000.0, limit, ArrivalProcess::Constant, 0).unwrap();
    let driven = Driven { day: Arc::clone(&day), url: server.url("/prod/predict") };
    let mut plan = Plan::new(target, vec![request], Pace::Open(schedule));
    plan.authorize = Some(Arc::new(driven));
    plan.connections_max = 1;
    let recording = run(&plan, &mut |_: &Snapshot| {}, &stop).unwrap();
    assert!(day.now_s.load(Ordering::SeqCst) >= END_S, "the day did not pass");
    let outcomes: Vec<&Outcome> = recording.outcomes.keys().collect();
    assert_eq!(outcomes, [&Outcome::Ok]);
    let requests = server.take();
    let dates: std::collections::BTreeSet<_> =
        requests.iter().filter_map(|request| request.header("x-amz-date")).collect();
    assert!(dates.len() >= 30, "{dates:?}");
    verify(&requests);
}

/// A process that gives credentials for a minute is asked again before they end.
#[test]
fn credentials_that_are_about_to_end_are_had_anew() {
    let folder = folder();
    let server = Recorder::start();
    let script = format!(
        "#!/bin/sh\necho x >> calls\nn=$(wc -l < calls)\nend=$(date -u -d '+60 seconds' +%FT%TZ)\n\
         printf '{{\"Version\":1,\"AccessKeyId\":\"AKID%d\",\"SecretAccessKey\":\"{SECRET}\",\
         \"SessionToken\":\"token\",\"Expiration\":\"%s\"}}' $n $end\n"
    );
    fs_err::write(folder.path().join("give.sh"), script).unwrap();
    let profile = "[profile giver]\nregion = sa-east-1\ncredential_process = sh give.sh\n";
    fs_err::write(folder.path().join("config"), profile).unwrap();
    let mut command = nobody(folder.path());
    command.env("AWS_CONFIG_FILE", "config").args(["--profile", "giver", "invoke", "--sigv4"]);
    command.args(["--input", "body.json", "--url", &server.url("/prod/predict")]);
    let got = run_to(&mut command, &server);
    verify(&got);
    let authorization = got[0].header("authorization").unwrap();
    assert!(authorization.contains("Credential=AKID2/"), "{authorization}");
    assert!(authorization.contains("/sa-east-1/"), "the profile's region: {authorization}");
}

#[test]
fn no_credential_leaves_this_machine_in_clear() {
    let folder = folder();
    let proofs: [&[&str]; 4] = [
        &["--sigv4"],
        &["--bearer-from", "TOKEN"],
        &["--header", "Authorization: Basic hunter2"],
        &["--header", "X-Api-Key: hunter2"],
    ];
    for (command, key) in [
        (&["invoke", "--input", "body.json"][..], &["--key-from", "TOKEN"][..]),
        (&["loadtest", "--rps", "1"][..], &["--key", "gold=1"][..]),
    ] {
        for proof in proofs.iter().chain([&key]) {
            // TEST-NET-1: nothing is there, and nothing is asked.
            let mut program = caller(folder.path(), None);
            program.env("TOKEN", "hunter2").env("GWTF_KEY_GOLD", "hunter2-hunter2-hunter2");
            let output = program
                .args(command)
                .args(*proof)
                .args(["-v", "--url", "http://192.0.2.1/prod/predict"])
                .output()
                .unwrap();
            let text = texts(&output);
            assert_eq!(output.status.code(), Some(2), "{command:?} {proof:?}: {text}");
            assert!(text.contains("in clear"), "{command:?} {proof:?}: {text}");
            assert!(!text.contains("hunter2") && !text.contains(SECRET), "{text}");
        }
    }
}

#[test]
fn no_secret_is_printed_nor_reported() {
    let folder = folder();
    let (token, key) = ("hunter2-session-token", "hunter2-key-of-many-characters");
    let bearer = "hunter2.bearer.token";
    let refusing = Recorder::answering(|_| (403, "x-amzn-errortype: X\r\n".into(), vec![]));
    let fine = Recorder::start();
    let proofs: [&[&str]; 2] = [&["--sigv4", "--region", "eu-west-1"], &["--bearer-from", "T"]];
    let invoke = ["invoke", "--input", "body.json"];
    let load = ["loadtest", "--rps", "20", "--duration", "200ms", "--payload", "body.json"];
    let report = ["--json", "--report", "r.html", "r.json", "r.md", "r.xml"];
    for server in [&refusing, &fine] {
        for proof in proofs {
            for (command, extra) in [
                (&invoke[..], &["--key", "gold"][..]),
                (&load[..], &[&["--key", "gold=1"][..], &report].concat()[..]),
            ] {
                let mut program = caller(folder.path(), Some(token));
                program.envs([("GWTF_KEY_GOLD", key), ("T", bearer)]);
                program.args(command).args(proof).args(extra);
                let output = program.args(["-v", "--url", &server.url("/p")]).output().unwrap();
                let mut text = texts(&output);
                for name in ["r.html", "r.json", "r.md", "r.xml"] {
                    text += &fs_err::read_to_string(folder.path().join(name)).unwrap_or_default();
                }
                for secret in ["hunter2", SECRET, "Signature="] {
                    assert!(!text.contains(secret), "{command:?} {proof:?}: {text}");
                }
            }
        }
    }
    let sent = fine.take();
    assert!(sent.iter().all(|request| request.header("x-api-key") == Some(key)));
    let bearers = sent
        .iter()
        .filter(|request| request.header("authorization").unwrap() == format!("Bearer {bearer}"));
    assert_eq!(bearers.count(), 5, "one of invoke and four of loadtest");
}

#[test]
fn credentials_that_cannot_be_had_or_sent_are_refused() {
    let folder = folder();
    fs_err::write(
        folder.path().join("config"),
        "[profile broken]\ncredential_process = echo hunter2\n",
    )
    .unwrap();
    let url = "http://127.0.0.1:1/";
    let cases: [(&[&str], i32, &str); 8] = [
        (&["--sigv4", "--region", "eu-west-1"], 3, "AWS credentials: there are none"),
        (&["--sigv4", "--profile", "broken", "--region", "eu-west-1"], 3, "could not parse"),
        (&["--sigv4"], 2, "the Region to sign for is not known"),
        (&["--sigv4", "--header", "Authorization: a"], 2, "has an `authorization` too"),
        (&["--bearer-from", "T", "--header", "authorization: a"], 2, "has an `authorization` too"),
        (&["--bearer-from", "UNSET"], 2, "`UNSET` is not set"),
        (&["--bearer-from", "SPLIT"], 2, "cannot be sent in a header"),
        (&["--bearer-from", "T", "--sigv4"], 2, "cannot be used with"),
    ];
    for (arguments, code, part) in cases {
        for command in [&["invoke", "--input", "body.json"][..], &["loadtest", "--rps", "1"]] {
            let mut program = nobody(folder.path());
            program.env("AWS_CONFIG_FILE", "config").env_remove("AWS_DEFAULT_REGION");
            program.envs([("T", "hunter2"), ("SPLIT", "hunter2\nx: y")]);
            let output = program.args(command).args(["--url", url]).args(arguments);
            let output = output.output().unwrap();
            let text = texts(&output);
            assert_eq!(output.status.code(), Some(code), "{command:?} {arguments:?}: {text}");
            assert!(text.contains(part), "{command:?} {arguments:?}: {text}");
            assert!(!text.contains("hunter2"), "{command:?} {arguments:?}: {text}");
        }
    }
}
