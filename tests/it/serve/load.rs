//! Load on the endpoint: what a throttle admits, releases and a stop in the middle of it, memory.

use crate::support::served::{Reply, Served};
use crate::support::{gwtf, held_to_schema, model};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const ROW: &str = r#"{"instances":[[5.1,3.5,1.4,0.2]]}"#;

fn run(folder: &Path, line: &str) -> Output {
    gwtf(folder).args(line.split(' ')).output().unwrap()
}

/// Runs what must succeed; its stdout.
#[track_caller]
fn done(folder: &Path, line: &str) -> String {
    let output = run(folder, line);
    assert_eq!(output.status.code(), Some(0), "{line}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn count(report: &Value, outcome: &str) -> u64 {
    report["outcomes"][outcome]["count"].as_u64().unwrap_or(0)
}

/// A load test in the background; its document when it has ended.
struct Loadtest(Child);

impl Loadtest {
    fn start(folder: &Path, url: &str, arguments: &str) -> Self {
        let mut command: Command = gwtf(folder);
        command.args(["loadtest", "--json", "--url", url, "--payload", "row.json"]);
        fs_err::write(folder.join("row.json"), ROW).unwrap();
        command.args(arguments.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    fn report(self) -> (Option<i32>, Value) {
        let output = self.0.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        (output.status.code(), held_to_schema(&text))
    }
}

#[test]
fn loaded_a_throttle_admits_what_its_bucket_holds() {
    let folder = tempfile::tempdir().unwrap();
    let model = model("iris");
    let line = format!(
        "loadtest {model} --rps 500 --duration 10s --throttle 200:100 --json \
         --report x.html --report x.json --report x.xml --report x.md"
    );
    // A generator that other programs kept from its instants says so, and its run says little of
    // the twin: then once more. Only a machine that others keep busy excuses three such runs.
    let mut others_shares = Vec::new();
    let report = loop {
        let before = CpuTime::now();
        let output = run(folder.path(), &line);
        let report = held_to_schema(std::str::from_utf8(&output.stdout).unwrap());
        others_shares.push(CpuTime::now().others_share_since(&before));
        if report["generator"]["valid"] == true {
            assert_eq!((output.status.code(), &report["passed"]), (Some(0), &true.into()));
            break report;
        }
        let reason = &report["generator"]["reason"];
        assert!(others_shares.last() > Some(&0.2), "{reason} on a machine that was free");
        if others_shares.len() == 3 {
            break report;
        }
    };
    assert_eq!((&report["offered"], &report["completed"]), (&5_000.into(), &5_000.into()));
    // 100 at once and 200 a second for ten seconds; fewer only when arrivals were held up so long
    // that the bucket ran over.
    let ok = count(&report, "ok");
    let least = if report["generator"]["valid"] == true { 2_079 } else { 1 };
    assert!((least..=2_121).contains(&ok), "{ok} admitted");
    assert_eq!(ok + count(&report, "throttled_stage"), 5_000, "{:#}", report["outcomes"]);
    let written = |name: &str| fs_err::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(held_to_schema(&written("x.json"))["outcomes"], report["outcomes"]);
    assert!(written("x.html").starts_with("<!doctype html>"), "{:.80}", written("x.html"));
    assert!(written("x.xml").starts_with("<?xml"));
    assert!(written("x.md").contains("throttled"));
}

/// CPU time since the machine started, in clock ticks.
struct CpuTime {
    total: i64,
    busy: i64,
    /// This process and its children that have ended.
    own: i64,
}

impl CpuTime {
    fn now() -> Self {
        let numbers = |text: &str| -> Vec<i64> {
            text.split_whitespace().map_while(|word| word.parse().ok()).collect()
        };
        let machine = fs_err::read_to_string("/proc/stat").unwrap();
        // user nice system idle iowait irq softirq steal; guests are within user.
        let cpu = numbers(machine.lines().next().unwrap().trim_start_matches("cpu"));
        let total = cpu[..8].iter().sum();
        let stat = fs_err::read_to_string("/proc/self/stat").unwrap();
        // Behind the command's name in brackets and the state: the 11th is utime, then stime,
        // cutime, cstime.
        let own = numbers(&stat[stat.rfind(')').unwrap() + 4..])[10..14].iter().sum();
        Self { total, busy: total - cpu[3] - cpu[4], own }
    }

    /// The share of the machine that was used by other programs.
    fn others_share_since(&self, before: &Self) -> f64 {
        let others = (self.busy - before.busy) - (self.own - before.own);
        others as f64 / (self.total - before.total).max(1) as f64
    }
}

#[test]
fn loaded_releases_fail_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, version) in [("iris", "v1"), ("iris-v2", "v2")] {
        let path = model(name);
        done(folder, &format!("deploy {path} --version {version} --target local"));
    }
    let served = Served::start(folder, &[]);
    assert_eq!(served.announced["versions"], serde_json::json!(["v1", "v2"]));
    let mut load = Loadtest::start(folder, served.url(), "--rps 500 --duration 6s");
    // Releases follow each other for as long as the load lasts; each is waited for.
    let deploy_v3 = format!("deploy {} --version v3 --target local", model("iris"));
    let first = [("rollback", "v1"), ("rollback", "v2"), (deploy_v3.as_str(), "v3")];
    let then = [
        ("rollback", "v2"),
        ("rollback --to v1", "v1"),
        ("rollback", "v2"),
        ("rollback --to v3", "v3"),
    ];
    let (mut seen, mut releases) = (BTreeSet::new(), 0);
    for (change, wanted) in first.into_iter().chain(then.into_iter().cycle()) {
        if load.has_ended() {
            break;
        }
        done(folder, change);
        releases += 1;
        while live(&served, &mut seen) != wanted {
            // Polls at the pace of `serve` itself, to leave the cores to the load.
            std::thread::sleep(Duration::from_millis(20));
        }
        let pinned = served.post("/prod/v1/predict", ROW);
        assert_eq!(pinned.header("x-gwtf-model-version"), Some("v1"), "pinned routes stay");
    }
    let (_, report) = load.report();
    // Whether the generator kept its instants beside the releases is not the question here.
    assert_eq!(count(&report, "ok"), 3_000, "{:#}\n{}", report["outcomes"], report["examples"]);
    assert!(releases >= 4, "only {releases} releases under load");
    assert_eq!(seen, ["v1", "v2", "v3"].map(str::to_owned).into());
    assert!(served.end().0.success());
}

/// The version that an unpinned request meets now.
fn live(served: &Served, seen: &mut BTreeSet<String>) -> String {
    let reply: Reply = served.post("/prod/predict", ROW);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let version = reply.header("x-gwtf-model-version").unwrap().to_owned();
    seen.insert(version.clone());
    version
}

/// What a hundred thousand requests may add to the resident memory: the allocator's own pools of
/// threads that had not run before, and pages of the library that the first round did not touch.
const MEMORY_SLACK_KIB: u64 = 8 * 1024;

#[test]
fn loaded_a_hundred_thousand_requests_leave_memory_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let everything = "1000000:1000000";
    let served = Served::start(folder.path(), &[&model("iris"), "--account-throttle", everything]);
    let round = |duration: &str| {
        let arguments = format!("--rps max --connections 16 --duration {duration}");
        let (_, report) = Loadtest::start(folder.path(), served.url(), &arguments).report();
        assert_eq!(report["outcomes"]["ok"]["count"], report["completed"], "{report:#}");
        count(&report, "ok")
    };
    round("3s");
    let before_kib = resident_kib(served.pid());
    let mut answered = 0;
    while answered < 100_000 {
        answered += round("5s");
    }
    let after_kib = resident_kib(served.pid());
    assert!(
        after_kib <= before_kib + MEMORY_SLACK_KIB,
        "{before_kib} KiB before, {after_kib} KiB after {answered} requests"
    );
}

/// `VmRSS` of a process.
fn resident_kib(pid: u32) -> u64 {
    let status = fs_err::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_stop_lets_requests_under_way_end() {
    let folder = tempfile::tempdir().unwrap();
    // One session and 30 ms a run: when the first reply is there, seven are yet to come.
    let arguments = [&model("slow"), "--sessions", "1", "--threads", "1"];
    let served = Served::start(folder.path(), &arguments);
    let mut connections: Vec<TcpStream> =
        (0..8).map(|_| TcpStream::connect(served.authority()).unwrap()).collect();
    for connection in &mut connections {
        // A reply says that the connection is not just in the listener's line.
        connection.write_all(b"GET /prod/v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        read_to_json_end(connection);
    }
    let body = r#"{"instances":[[1,1,1,1]]}"#;
    let head = "POST /prod/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    for connection in &mut connections {
        connection.write_all(request.as_bytes()).unwrap();
    }
    read_to_json_end(&mut connections[0]);
    served.terminate();
    for connection in &mut connections[1..] {
        let reply = read_to_json_end(connection);
        assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
        assert!(reply.contains("predictions"), "{reply}");
    }
    let (status, talk) = served.ended();
    assert!(status.success(), "{status}: {talk}");
    assert!(talk.contains("stopping") && !talk.contains("did not end"), "{talk}");
}

/// Bytes up to the brace that ends a reply's JSON.
fn read_to_json_end(connection: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    let depth = |bytes: &[u8], brace| bytes.iter().filter(|byte| **byte == brace).count();
    while depth(&bytes, b'{') == 0 || depth(&bytes, b'{') > depth(&bytes, b'}') {
        connection.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}
