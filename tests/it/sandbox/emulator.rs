//! AWS's Runtime Interface Emulator with the same function.

use crate::runtime_program::root::emulator_path;
use crate::support::served::request;
use serde_json::Value;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The emulator, which takes one call at a time.
pub(crate) struct Emulator {
    child: Child,
    address: String,
}

impl Emulator {
    /// Starts `folder/bootstrap` behind it.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    /// With variables more.
    pub(crate) fn start_with(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let (address, runtime_api) = (free(), free());
        let mut child = Command::new(emulator_path())
            .args(["--runtime-interface-emulator-address", &address])
            .args(["--runtime-api-address", &runtime_api, "./bootstrap"])
            .current_dir(folder)
            .env_clear()
            .envs(variables.iter().copied())
            .env("PATH", "/usr/bin:/bin")
            .env("AWS_LAMBDA_FUNCTION_NAME", "iris")
            .env("AWS_LAMBDA_FUNCTION_TIMEOUT", "60")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while TcpStream::connect(&address).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "the emulator has ended");
            std::thread::yield_now();
        }
        Self { child, address }
    }

    /// What an invocation gives.
    pub(crate) async fn invoke(&self, event: &Value) -> Value {
        let (address, event) = (self.address.clone(), event.to_string());
        let path = "/2015-03-31/functions/function/invocations";
        let call = move || request(&address, "POST", path, &[], event.as_bytes()).json();
        tokio::task::spawn_blocking(call).await.unwrap()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Told to end, it ends its function as well.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}
