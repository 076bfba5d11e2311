//! Why a load test cannot start; once it has started, failures are outcomes.

use crate::error::{Exit, Explain};
use std::io;

/// Why a plan is refused or a run does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The target is no URL.
    #[error("url `{url}`")]
    Url {
        /// As given.
        url: String,
        /// What is wrong with it.
        source: url::ParseError,
    },
    /// The target is a URL of another kind.
    #[error("url `{url}`: {reason}")]
    UrlKind {
        /// As given.
        url: String,
        /// What it has or lacks.
        reason: &'static str,
    },
    /// A part of a request that HTTP does not allow, or that is the client's own.
    #[error("{part} `{value}` of a request is not allowed")]
    Request {
        /// `method`, `path` or `header`.
        part: &'static str,
        /// As given; never a header's value.
        value: String,
    },
    /// A number of the plan is out of its range.
    #[error("{what} `{value}`: {rule}")]
    Range {
        /// The setting.
        what: &'static str,
        /// As given.
        value: String,
        /// The range.
        rule: &'static str,
    },
    /// The host has no address.
    #[error("host `{host}` has no address")]
    Resolve {
        /// The host and port asked for.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// Nothing answers at the target.
    #[error("`{target}` cannot be reached")]
    Unreachable {
        /// Scheme, host and port.
        target: String,
        /// What the connection attempt ended in.
        source: io::Error,
    },
    /// The server cannot be talked to in the protocol asked for.
    #[error("TLS with `{target}`")]
    Tls {
        /// Scheme, host and port.
        target: String,
        /// What rustls said.
        source: rustls::Error,
    },
    /// The server speaks TLS but not HTTP/2 in it.
    #[error("`{0}` does not agree to HTTP/2")]
    NoHttp2(String),
    /// Bytes given as certificates are none.
    #[error("the extra CA certificates are no PEM certificates: {0}")]
    Certificates(String),
    /// Nothing proves who sends the requests.
    #[error("the requests cannot be authorized")]
    NoProof {
        /// Why.
        source: super::authorize::NoProof,
    },
    /// The system lends too few file descriptors for the connections asked for.
    #[error("{connections} connections need more open files than the limit of {limit}")]
    OpenFiles {
        /// As planned.
        connections: usize,
        /// The hard limit.
        limit: u64,
    },
    /// The system refused something the generator needs.
    #[error("load generator: {what}")]
    System {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Url { .. }
            | Self::UrlKind { .. }
            | Self::Request { .. }
            | Self::Range { .. }
            | Self::Certificates(_) => Exit::Refused,
            Self::Resolve { .. }
            | Self::Unreachable { .. }
            | Self::Tls { .. }
            | Self::NoHttp2(_)
            | Self::NoProof { .. }
            | Self::OpenFiles { .. }
            | Self::System { .. } => Exit::Machine,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Url { .. } | Self::UrlKind { .. } => {
                "give the whole URL, for instance `http://127.0.0.1:3000/prod/predict`".into()
            }
            Self::Resolve { .. } => "check the host name and the network".into(),
            Self::Unreachable { source, .. }
                if source.kind() == io::ErrorKind::ConnectionRefused =>
            {
                "nothing listens there: start the server first (`gwtf serve`), or check the port"
                    .into()
            }
            Self::Unreachable { .. } => {
                "check the address and whether a firewall is in the way".into()
            }
            Self::Tls { .. } => "name the server's CA certificate, or allow any for a test".into(),
            Self::NoHttp2(_) => "ask for HTTP/1.1".into(),
            Self::OpenFiles { .. } => "ask for fewer connections, or raise `ulimit -n`".into(),
            Self::Request { .. }
            | Self::Range { .. }
            | Self::Certificates(_)
            | Self::NoProof { .. }
            | Self::System { .. } => {
                return None;
            }
        })
    }
}
