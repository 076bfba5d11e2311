//! A stand-in of the shape of the sandboxes, until they are here.
#![allow(missing_docs, reason = "replaced by the sandboxes")]

use bytes::Bytes;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub struct FunctionOptions {
    pub task_root: PathBuf,
    pub name: String,
    pub version: String,
    pub memory_mib: u32,
    pub timeout: Duration,
    pub reserved_concurrency: Option<u32>,
    pub cold_starts: Option<Vec<Duration>>,
    pub log: Arc<dyn Fn(&[u8]) + Send + Sync>,
}

pub struct InvokeRequest {
    pub trace_id: String,
}

pub struct Invoked {
    pub payload: Bytes,
    pub cold_start: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    #[error("throttled")]
    Throttled,
    #[error("{0}")]
    Function(String),
}

pub struct Fleet;

impl Fleet {
    pub fn start(_options: FunctionOptions) -> std::io::Result<Self> {
        Ok(Self)
    }

    pub fn limits(&self) -> String {
        "nothing is enforced".to_owned()
    }

    pub async fn invoke(
        &self,
        _event: Bytes,
        _request: InvokeRequest,
    ) -> Result<Invoked, InvokeError> {
        Err(InvokeError::Throttled)
    }
}
