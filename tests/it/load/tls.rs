//! TLS and HTTP/2 against hyper and rustls with certificates made on the spot, and HTTP/2 against
//! servers that speak frames by hand to misbehave.

use super::server::{Server, http2};
use super::{check, counts, open, plan};
use bytes::Bytes;
use gwtf::error::{Exit, Explain};
use gwtf::load::outcome::Outcome;
use gwtf::load::plan::{HttpVersion, Plan, Target, TlsOptions};
use gwtf::load::recording::Recording;
use gwtf::load::{Error, Snapshot, StopFlag, run};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Barrier;
use tokio_rustls::TlsAcceptor;

/// A hyper server; it stops when dropped.
struct Hyper {
    address: SocketAddr,
    ca_pem: Vec<u8>,
    _runtime: Runtime,
}

/// What a server does.
#[derive(Clone, Copy)]
struct Manner {
    /// ALPN names of a TLS server; `None` is no TLS.
    alpn: Option<&'static [&'static [u8]]>,
    /// Requests that must be under way together before any is answered.
    together: usize,
    /// How long it takes to begin a TLS handshake.
    handshake_after: Duration,
}

impl Hyper {
    fn start(manner: Manner) -> Self {
        let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der()));
        let ca_pem = issued.cert.pem().into_bytes();
        let acceptor = manner.alpn.map(|alpn| {
            let mut config =
                ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                    .with_safe_default_protocol_versions()
                    .unwrap()
                    .with_no_client_auth()
                    .with_single_cert(vec![issued.cert.der().clone()], key)
                    .unwrap();
            config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
            TlsAcceptor::from(Arc::new(config))
        });
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(accept(listener, acceptor, manner));
        Self { address, ca_pem, _runtime: runtime }
    }

    fn plan(&self, http_version: HttpVersion) -> Plan {
        Plan { http_version, ..plan(self.address, open(100.0, 300)) }
    }

    fn tls_plan(&self, http_version: HttpVersion) -> Plan {
        let target = Target::parse(&format!("https://{}/predict", self.address)).unwrap();
        let tls = TlsOptions { extra_ca_pem: Some(self.ca_pem.clone()), insecure: false };
        Plan { target, tls, ..self.plan(http_version) }
    }
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, manner: Manner) {
    let together = Arc::new(Barrier::new(manner.together));
    while let Ok((socket, _)) = listener.accept().await {
        let (acceptor, together) = (acceptor.clone(), Arc::clone(&together));
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&together)));
            let builder = Builder::new(TokioExecutor::new());
            // The probe hangs up on purpose: errors are part of the test.
            match acceptor {
                None => drop(builder.serve_connection(TokioIo::new(socket), service).await),
                Some(acceptor) => {
                    tokio::time::sleep(manner.handshake_after).await;
                    if let Ok(stream) = acceptor.accept(socket).await {
                        drop(builder.serve_connection(TokioIo::new(stream), service).await);
                    }
                }
            }
        });
    }
}

async fn answer(
    request: http::Request<Incoming>,
    together: Arc<Barrier>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let is_right = head.method == "POST" && head.uri.path() == "/predict" && body == "{}";
    together.wait().await;
    let status = if is_right { 200 } else { 400 };
    let reply = Full::new(Bytes::from(vec![b'x'; 100_000]));
    Ok(http::Response::builder().status(status).body(reply).unwrap())
}

fn record(plan: &Plan) -> Result<Recording, Error> {
    let recording = run(plan, &mut |_: &Snapshot| {}, &StopFlag::new())?;
    check(&recording);
    Ok(recording)
}

const PLAIN: Manner = Manner { alpn: None, together: 1, handshake_after: Duration::ZERO };
const BOTH: Manner = Manner { alpn: Some(&[b"h2", b"http/1.1"]), ..PLAIN };

#[test]
fn every_protocol_over_every_transport() {
    let (plain, tls) = (Hyper::start(PLAIN), Hyper::start(BOTH));
    let plans = [
        ("http/1.1", plain.plan(HttpVersion::Http1)),
        ("http/1.1 in TLS", tls.tls_plan(HttpVersion::Http1)),
        ("http/2", plain.plan(HttpVersion::Http2)),
        ("http/2 in TLS", tls.tls_plan(HttpVersion::Http2)),
    ];
    for (name, plan) in plans {
        let recording = record(&plan).unwrap();
        assert_eq!(counts(&recording), BTreeMap::from([(Outcome::Ok, 30)]), "{name}");
        assert_eq!(recording.lateness_us.len(), 30, "{name}");
        assert!(recording.generator.connections_opened < 30, "{name}: connections are reused");
    }
}

#[test]
fn http2_requests_share_a_connection() {
    let server = Hyper::start(Manner { together: 10, ..PLAIN });
    // One request at a time would never be answered.
    let plan = Plan { connections_max: 1, ..server.plan(HttpVersion::Http2) };
    let recording = record(&plan).unwrap();
    assert_eq!(counts(&recording), BTreeMap::from([(Outcome::Ok, 30)]));
    assert_eq!(recording.generator.connections_opened, 1);
}

#[test]
fn http2_requests_time_out_one_by_one() {
    let server = Hyper::start(Manner { together: usize::MAX, ..PLAIN });
    let timeout = Duration::from_millis(100);
    let recording = record(&Plan { timeout, ..server.plan(HttpVersion::Http2) }).unwrap();
    assert_eq!(counts(&recording), BTreeMap::from([(Outcome::ClientTimeout, 30)]));
}

#[test]
fn http2_to_a_server_of_another_kind_is_an_error_and_no_hang() {
    let server = Server::start(|mut connection| {
        connection.request();
        connection.write(b"HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n");
    });
    let base = plan(server.address, open(100.0, 200));
    let recording = record(&Plan { http_version: HttpVersion::Http2, ..base }).unwrap();
    assert_eq!(recording.completed, 0);
    let only = [Outcome::ConnectError, Outcome::ProtocolError];
    assert!(recording.outcomes.keys().all(|outcome| only.contains(outcome)), "{recording:?}");
}

#[test]
fn a_certificate_must_be_trusted_or_trust_waived() {
    let server = Hyper::start(BOTH);
    let trusted = server.tls_plan(HttpVersion::Http1);
    let untrusted = Plan { tls: TlsOptions::default(), ..trusted.clone() };
    let error = record(&untrusted).unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error}");
    assert_eq!(error.exit(), Exit::Machine);
    let waived = TlsOptions { extra_ca_pem: None, insecure: true };
    assert!(record(&Plan { tls: waived, ..trusted.clone() }).is_ok());
    for pem in [&b"nothing"[..], b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        let tls = TlsOptions { extra_ca_pem: Some(pem.to_vec()), insecure: false };
        let error = record(&Plan { tls, ..trusted.clone() }).unwrap_err();
        assert!(matches!(error, Error::Certificates(_)), "{error}");
    }
}

#[test]
fn http2_in_tls_has_to_be_agreed_to() {
    let server = Hyper::start(Manner { alpn: Some(&[]), ..PLAIN });
    let error = record(&server.tls_plan(HttpVersion::Http2)).unwrap_err();
    assert!(matches!(error, Error::NoHttp2(_)), "{error}");
    assert!(record(&server.tls_plan(HttpVersion::Http1)).is_ok());
}

/// A plan for a server that speaks frames by hand, over one connection.
fn by_hand(server: &Server) -> Plan {
    let plan = plan(server.address, open(100.0, 300));
    Plan { http_version: HttpVersion::Http2, connections_max: 1, ..plan }
}

#[test]
fn http2_requests_refused_together_wait_in_order() {
    let server = Server::start(|mut connection| {
        if connection.http2_begin().is_none() {
            return;
        }
        let mut streams = Vec::new();
        for n in 0..8 {
            let Some(stream) = connection.http2_request() else { return };
            if n < 4 { connection.http2_reply(stream) } else { streams.push(stream) }
        }
        connection.http2_frame(http2::SETTINGS, 0, 0, http2::NO_MORE_STREAMS);
        for stream in streams.into_iter().rev() {
            connection.http2_frame(http2::RST_STREAM, 0, stream, http2::REFUSED_STREAM);
        }
        while connection.http2_request().is_some() {}
    });
    let timeout = Duration::from_millis(300);
    let recording = record(&Plan { streams_max: 4, timeout, ..by_hand(&server) }).unwrap();
    assert_eq!(counts(&recording), [(Outcome::Ok, 4), (Outcome::ClientTimeout, 26)].into());
    assert_eq!((recording.sent, recording.generator.connections_stale), (8, 4));
    // Each waited its own time, not that of one it was taken for.
    let timed_out = &recording.outcomes[&Outcome::ClientTimeout];
    assert!(timed_out.response_time_us.min() >= 299_000, "{timed_out:?}");
}

#[test]
fn a_refused_http2_request_takes_the_room_that_is_left() {
    let server = Server::start(|mut connection| {
        let mut requests = 0;
        let mut next = connection.http2_begin().and_then(|()| connection.http2_request());
        while let Some(stream) = next {
            requests += 1;
            if requests == 30 {
                connection.http2_frame(http2::RST_STREAM, 0, stream, http2::REFUSED_STREAM);
            } else {
                connection.http2_reply(stream);
            }
            next = connection.http2_request();
        }
    });
    let recording = record(&by_hand(&server)).unwrap();
    assert_eq!(counts(&recording), [(Outcome::Ok, 30)].into());
    assert_eq!(recording.generator.connections_opened, 1);
}

#[test]
fn an_http2_server_that_breaks_every_second_request_is_not_forgiven() {
    let server = Server::start(|mut connection| {
        let first = connection.http2_begin().and_then(|()| connection.http2_request());
        if let Some(stream) = first {
            connection.http2_reply(stream);
            connection.http2_request();
        }
    });
    let recording = record(&Plan { streams_max: 1, ..by_hand(&server) }).unwrap();
    assert_eq!(counts(&recording), [(Outcome::Ok, 15), (Outcome::ConnectError, 15)].into());
    assert_eq!(recording.generator.connections_stale, 0);
}

#[test]
fn a_slow_handshake_is_not_the_generators_lateness() {
    let server = Hyper::start(Manner { handshake_after: Duration::from_secs(1), ..BOTH });
    for http_version in [HttpVersion::Http1, HttpVersion::Http2] {
        let recording = record(&server.tls_plan(http_version)).unwrap();
        assert_eq!(counts(&recording), BTreeMap::from([(Outcome::Ok, 30)]), "{http_version:?}");
        // All were due within 300 ms and sent after the handshake, 700 ms late or more.
        assert_eq!(recording.outcomes[&Outcome::Ok].response_time_us.count_between(0, 690_000), 0);
        let late = recording.lateness_us.count_between(690_000, u64::MAX);
        assert_eq!((recording.lateness_us.len(), late), (30, 0), "{http_version:?}");
    }
}
