//! An endpoint of its own on a LocalEmu of its own, driven by the program.

use super::watch::Watch;
use crate::support::aws::local_emu::LocalEmu;
use crate::support::aws::{Answer, Call, output, python, script};
use crate::support::{library, model};
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A row that every iris model takes.
pub(super) const BODY: &str = r#"{"instances":[[5.1,3.5,1.4,0.2]]}"#;
/// The stage that gwtf.toml does not name.
pub(super) const STAGE: &str = "prod";

/// gwtf.toml of an endpoint `iris` with these lines added.
pub(super) fn toml(more: &str) -> String {
    format!("[endpoint]\nname = \"iris\"\ntarget = \"lambda\"\n{more}")
}

pub(super) struct Rig {
    pub(super) emulator: LocalEmu,
    pub(super) folder: tempfile::TempDir,
    /// `gwtf-runtime` without symbols, which a published one has not either.
    runtime: PathBuf,
    api_id: OnceCell<String>,
}

impl Rig {
    /// `None`, said aloud, where LocalEmu cannot run.
    pub(super) fn start(toml: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("gwtf.toml"), toml).unwrap();
        fs_err::write(folder.path().join("body.json"), BODY).unwrap();
        let runtime = folder.path().join("gwtf-runtime");
        let mut strip = Command::new("strip");
        strip.arg("-o").arg(&runtime).arg(env!("CARGO_BIN_EXE_gwtf-runtime"));
        assert!(strip.status().unwrap().success());
        let emulator = LocalEmu::start()?;
        Some(Self { emulator, folder, runtime, api_id: OnceCell::new() })
    }

    /// `gwtf` where the emulator is, with these arguments.
    pub(super) fn gwtf(&self, arguments: &str) -> Command {
        let endpoint = &self.emulator.endpoint;
        let mut command = endpoint.client(Path::new(env!("CARGO_BIN_EXE_gwtf")));
        command.args(arguments.split_whitespace()).current_dir(self.folder.path());
        command
            .env("GWTF_EXECUTE_API_URL", self.emulator.invoke_url("{rest_api}", "{stage}", ""))
            .env("GWTF_RUNTIME", &self.runtime)
            .env("ORT_DYLIB_PATH", library().path)
            .stdin(Stdio::null());
        command
    }

    /// What `gwtf` printed with these arguments, which must succeed.
    #[track_caller]
    pub(super) fn run(&self, arguments: &str) -> String {
        let output = self.gwtf(arguments).output().unwrap();
        assert!(output.status.success(), "gwtf {arguments}: {}", told(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes a fixture model a version, and live or, by its flags, something else.
    #[track_caller]
    pub(super) fn deploy(&self, name: &str, version: &str, flags: &str) {
        self.run(&deploy(name, version, flags));
    }

    /// What a script of `tests/aws` that plays a client prints, which must succeed.
    pub(super) fn client(&self, name: &str, arguments: &[&str]) -> String {
        let mut command = self.emulator.endpoint.client(&python());
        command.arg(script(name)).args(arguments);
        output(command, "")
    }

    /// The id of the only REST API.
    pub(super) fn api_id(&self) -> &str {
        self.api_id.get_or_init(|| {
            let state = self.emulator.endpoint.state();
            let apis = state["rest_apis"].as_array().unwrap();
            assert_eq!(apis.len(), 1, "{apis:#?}");
            apis[0]["id"].as_str().unwrap().to_owned()
        })
    }

    /// The URL of a route of the stage.
    pub(super) fn url(&self, route: &str) -> String {
        self.emulator.invoke_url(self.api_id(), STAGE, route)
    }

    /// A reply to a `POST` with these headers beside the content type.
    pub(super) fn post(&self, route: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send(&[self.call(route, headers, body)]).remove(0)
    }

    /// The replies to so many of the same `POST`.
    pub(super) fn post_times(&self, count: usize, route: &str, body: &str) -> Vec<Answer> {
        self.send(&vec![self.call(route, &[], body); count])
    }

    fn call(&self, route: &str, headers: &[(&str, &str)], body: &str) -> Call {
        let json = [("content-type", "application/json")];
        let headers = json.iter().chain(headers);
        Call {
            method: "POST".to_owned(),
            url: self.url(route),
            headers: headers
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    fn send(&self, calls: &[Call]) -> Vec<Answer> {
        let answers = self.emulator.endpoint.place.call(calls);
        answers.into_iter().map(Result::unwrap).collect()
    }

    /// The version that answers a route.
    #[track_caller]
    pub(super) fn answers(&self, route: &str) -> String {
        let answer = self.post(route, &[], BODY);
        assert_eq!(answer.status, 200, "{route}: {}", answer.body);
        answer.headers["x-gwtf-model-version"].as_str().unwrap().to_owned()
    }

    /// A client that asks what is live.
    pub(super) fn watch(&self) -> Watch {
        Watch::start(&self.emulator.endpoint, &self.url("/predict"), BODY)
    }
}

/// The arguments of a deploy of a fixture model.
pub(super) fn deploy(name: &str, version: &str, flags: &str) -> String {
    format!("deploy {} --version {version} {flags}", model(name))
}

/// Both outputs of a run, to be shown.
pub(super) fn told(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}\n{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}
