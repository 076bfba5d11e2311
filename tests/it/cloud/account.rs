//! An account that moto plays, a folder with models, and the program.

use super::normal;
use crate::support::aws::microburst::Microburst;
use crate::support::aws::moto::Moto;
use crate::support::aws::{Endpoint, StateReader, output, python, script};
use crate::support::{fixture, library};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// What most tests write into gwtf.toml.
pub(crate) const IRIS: &str = r#"
[endpoint]
name = "iris"
model = "v1.onnx"
target = "lambda"
"#;

/// moto, and a folder with `gwtf.toml`, `v1.onnx` and `v2.onnx`.
pub(crate) struct Account {
    pub(crate) moto: Moto,
    pub(crate) folder: tempfile::TempDir,
    reader: StateReader,
    faults: OnceLock<Microburst>,
    runtime: PathBuf,
}

/// A run of the program.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None`: ended by a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Account {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let moto = Moto::start();
        let reader = StateReader::start(&moto.endpoint);
        let folder = tempfile::tempdir().unwrap();
        for (name, model) in [("v1", "iris"), ("v2", "iris-v2")] {
            let from = fixture("models").join(model).join("model.onnx");
            fs_err::copy(from, folder.path().join(format!("{name}.onnx"))).unwrap();
        }
        let faults = OnceLock::new();
        let account = Self { moto, folder, reader, faults, runtime: stripped_runtime() };
        account.write("gwtf.toml", IRIS);
        account
    }

    /// Where its AWS is.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.moto.endpoint
    }

    /// Faults before moto, by these rules alone.
    pub(crate) fn faults(&self, rules: &Value) -> &Microburst {
        let faults = self.faults.get_or_init(|| Microburst::start(&self.moto.endpoint));
        faults.set_rules(rules);
        faults.forget();
        faults
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs_err::write(self.folder.path().join(name), bytes).unwrap();
    }

    /// The program with these arguments, whose AWS is at `endpoint`.
    pub(crate) fn command(&self, endpoint: &Endpoint, arguments: &str) -> Command {
        let mut command = endpoint.client(Path::new(env!("CARGO_BIN_EXE_gwtf")));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env("GWTF_RUNTIME", &self.runtime)
            .env("ORT_DYLIB_PATH", library().path)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, endpoint: &Endpoint, arguments: &str) -> Ended {
        Ended::of(self.command(endpoint, arguments).output().unwrap())
    }

    /// Runs it straight against moto; it must succeed.
    #[track_caller]
    pub(crate) fn done(&self, arguments: &str) -> Ended {
        self.run(self.endpoint(), arguments).exits(0)
    }

    /// A call that gwtf does not make, and its reply.
    pub(crate) fn by_hand(&self, service: &str, operation: &str, arguments: &Value) -> Value {
        self.by_hands(service, operation, arguments, 1)
    }

    /// The same call so often.
    pub(crate) fn by_hands(
        &self,
        service: &str,
        operation: &str,
        arguments: &Value,
        times: usize,
    ) -> Value {
        let mut command = self.endpoint().client(&python());
        command.arg(script("by_hand.py")).args([service, operation, &arguments.to_string()]);
        command.arg(times.to_string());
        serde_json::from_str(&output(command, "")).unwrap()
    }

    /// What is there.
    pub(crate) fn state(&self) -> Value {
        self.reader.state()
    }

    /// What is there, as [`normal::normal`] has it.
    pub(crate) fn normal(&self) -> Value {
        normal::normal(&self.state())
    }
}

impl Ended {
    pub(crate) fn of(output: std::process::Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        let ended = Self { code: output.status.code(), stdout, stderr };
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        ended
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        self
    }

    /// The `error:` and the `hint:` line.
    #[track_caller]
    pub(crate) fn complaint(&self) -> String {
        let line = |start: &str| {
            self.stderr.lines().find(|line| line.starts_with(start)).map(str::to_owned)
        };
        let error = line("error: ").unwrap_or_else(|| panic!("no error line: {}", self.stderr));
        let hint = line("hint: ").unwrap_or_else(|| panic!("no hint line: {}", self.stderr));
        format!("{error}\n{hint}")
    }

    #[track_caller]
    pub(crate) fn complains(self, words: &[&str]) -> Self {
        let complaint = self.complaint();
        for word in words {
            assert!(complaint.contains(word), "`{word}` is not in: {complaint}");
        }
        self
    }
}

/// Runs every job, a few at once, each in an account of its own thread's; the programs mostly wait.
pub(crate) fn share<T: Send>(jobs: Vec<T>, threads: usize, run: impl Fn(&Account, T) + Sync) {
    let jobs = Mutex::new(jobs.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let account = Account::new();
                loop {
                    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(job) = job else { break };
                    run(&account, job);
                }
            });
        }
    });
}

/// This build's `gwtf-runtime` without its symbols, made once a build: a debug build's are 100 MB.
fn stripped_runtime() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_gwtf-runtime"));
    let meta = fs_err::metadata(program).unwrap();
    let age = meta.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("gwtf-runtime-{}-{}", meta.len(), age.as_nanos()));
    if !path.is_file() {
        let own = tempfile::tempdir_in(folder).unwrap();
        let made = own.path().join("gwtf-runtime");
        let status = Command::new("strip").arg("-o").arg(&made).arg(program).status().unwrap();
        assert!(status.success(), "strip failed");
        fs_err::rename(made, &path).unwrap();
    }
    path
}
