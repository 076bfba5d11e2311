//! `docker-registry` on loopback, with its store in a temporary folder.

use super::output;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running registry; dropped, it is ended.
pub(super) struct Registry {
    child: Child,
    pub(super) host: String,
    folder: tempfile::TempDir,
}

impl Registry {
    /// One that lets everybody in.
    pub(super) fn start() -> Self {
        Self::start_with(tempfile::tempdir().unwrap(), "")
    }

    /// One that lets in `user` with `password`, as ECR does with `AWS` and a token.
    pub(super) fn start_protected(user: &str, password: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut htpasswd = Command::new("htpasswd");
        let line = output(htpasswd.args(["-Bbn", user, password]));
        let path = folder.path().join("htpasswd");
        fs_err::write(&path, line).unwrap();
        let auth = format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", path.display());
        Self::start_with(folder, &auth)
    }

    fn start_with(folder: tempfile::TempDir, more: &str) -> Self {
        let store = folder.path().join("store");
        let configuration = format!(
            "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {}\n\
             http:\n  addr: 127.0.0.1:0\n  secret: test\n{more}",
            store.display()
        );
        let path = folder.path().join("config.yml");
        fs_err::write(&path, configuration).unwrap();
        let log = fs_err::File::create(folder.path().join("access.log")).unwrap();
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stdout(Stdio::from(log.into_parts().0))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let host = address(&mut child);
        Self { child, host, folder }
    }

    /// The requests that the registry logged, each as `METHOD path`.
    pub(super) fn requests(&self) -> Vec<String> {
        let mut file = fs_err::File::open(self.folder.path().join("access.log")).unwrap();
        file.rewind().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let quoted = |line: &str| line.split('"').nth(1).map(str::to_owned);
        text.lines().filter_map(quoted).collect()
    }
}

/// The address that the registry says it listens on; its further log is read so that it never waits.
fn address(child: &mut Child) -> String {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let said = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, rest) = line.split_once("listening on ")?;
        let end = rest.find(|c: char| c != '.' && c != ':' && !c.is_ascii_digit());
        Some(rest[..end.unwrap_or(rest.len())].to_owned())
    });
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    said.expect("the registry says where it listens")
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Docker configuration's folder with this one entry.
pub(super) fn docker_configuration(folder: &Path, host: &str, user: &str, password: &str) {
    use base64::Engine as _;
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    let document = serde_json::json!({ "auths": { host: { "auth": auth } } });
    fs_err::write(folder.join("config.json"), document.to_string()).unwrap();
}
