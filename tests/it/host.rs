//! The HTTP host: idle connections, room for bodies; the twin's 504 for a real model.

use crate::support::{engine, fixture};
use bytes::Bytes;
use gwtf::gateway::{self, Call, IntegrationError, Invocation, Options, SystemClock, Twin};
use gwtf::model::Signature;
use gwtf::runtime::{Pool, PoolOptions};
use gwtf::serve::ModelService;
use gwtf::serve::http::{Answer, Body, HostOptions, serve};
use gwtf::spec::Gateway;
use gwtf::spec::endpoint::{Endpoint, Version};
use http::{Request, Response};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Says how many body bytes came.
#[derive(Clone)]
struct Count;

impl Answer for Count {
    async fn answer(&self, request: Request<Body>, _peer: IpAddr) -> Response<Bytes> {
        Response::new(Bytes::from(match request.body() {
            Body::Whole(bytes) => bytes.len().to_string(),
            Body::TooLarge => "too large".to_owned(),
        }))
    }
}

async fn start(options: HostOptions) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, Count, options, std::future::pending()));
    address
}

async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.unwrap();
    String::from_utf8(reply).unwrap()
}

/// A connection that says nothing, or only the beginning of something, does not keep its place.
#[tokio::test]
async fn idle_connections_end_whatever_they_began() {
    let idle_timeout = Duration::from_millis(100);
    let address = start(HostOptions { idle_timeout, ..HostOptions::default() }).await;
    for beginning in [&b""[..], b"PR", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(beginning).await.unwrap();
        let mut reply = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut reply));
        // An end or a reset: either way the server let go.
        let _ = ended.await.expect("the server ends an idle connection");
    }
}

#[tokio::test]
async fn bodies_wait_for_room_and_none_is_lost() {
    let options =
        HostOptions { bodies_bytes_max: 4096, body_bytes_max: 4096, ..HostOptions::default() };
    let address = start(options).await;
    let request = |n: usize| {
        let head = format!(
            "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {n}\r\n\r\n"
        );
        [head.into_bytes(), vec![b'x'; n]].concat()
    };
    let tasks: Vec<_> = (0..32)
        .map(|_| tokio::spawn(async move { exchange(address, &request(4000)).await }))
        .collect();
    for task in tasks {
        assert!(task.await.unwrap().ends_with("\r\n\r\n4000"));
    }
    assert!(exchange(address, &request(5000)).await.ends_with("too large"));
    let chunked = b"POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    assert!(exchange(address, chunked).await.ends_with("\r\n\r\n3"));
}

/// A9 with a model that is really too slow: the twin's body, not the service's.
#[tokio::test]
async fn a_model_that_is_too_slow_gets_the_gateways_504() {
    let options = PoolOptions { sessions: 1, ..PoolOptions::defaults_for(1) };
    let pool = Pool::open(&engine(), &fixture("models/slow/model.onnx"), &options).unwrap();
    let service = Arc::new(ModelService::new("slow", "v1", pool));
    let signature: Signature = service.signature().clone();
    let versions = vec![Version { tag: "v1", signature: &signature }];
    let mut endpoint = Endpoint::new("slow", "prod", versions, "v1");
    endpoint.integration_timeout = Duration::from_millis(1);
    let contract = Gateway::for_endpoint(endpoint).unwrap();
    let clock = Arc::new(SystemClock::new());
    let twin = Twin::new(&contract, Options::new(0), clock, ()).unwrap();
    let inputs = gwtf::model::sample::sample_inputs(&signature, 0, &Default::default()).unwrap();
    let body = gwtf::model::payload::render_request(&inputs, &signature).unwrap();
    let upstream = |invocation: Invocation| {
        let service = Arc::clone(&service);
        async move {
            let deadline = invocation.deadline.into_std();
            let answered =
                service.answer(invocation.route.operation, &invocation.request, deadline).await;
            answered.map_err(|_| IntegrationError::Timeout)
        }
    };
    for _ in 0..3 {
        let request = Request::post("/prod/predict")
            .header("content-type", "application/json")
            .body(gateway::Body::Full(Bytes::from(body.clone())))
            .unwrap();
        let peer = IpAddr::from(Ipv4Addr::LOCALHOST);
        let response = twin.call(Call { request, peer }, &upstream).await;
        assert_eq!(response.status(), 504);
        assert_eq!(&response.body()[..], br#"{"message": "Endpoint request timed out"}"#);
        assert_eq!(response.headers()["x-amzn-errortype"], "InternalServerErrorException");
    }
}

/// Replies with more than sockets hold.
#[derive(Clone)]
struct Large;

impl Answer for Large {
    async fn answer(&self, _request: Request<Body>, _peer: IpAddr) -> Response<Bytes> {
        Response::new(Bytes::from(vec![b' '; 32 << 20]))
    }
}

/// Clients that ask and do not read fill no more memory than there is room for.
#[tokio::test]
async fn a_body_keeps_its_room_until_the_reply_is_read() {
    let options = HostOptions {
        body_bytes_max: 1024,
        bodies_bytes_max: 1024,
        body_timeout: Duration::from_millis(200),
        ..HostOptions::default()
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, Large, options, std::future::pending()));
    let mut request =
        b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1024\r\n\r\n".to_vec();
    request.resize(request.len() + 1024, b' ');
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(&request).await.unwrap();
    let mut first = [0; 12];
    slow.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let refused = exchange(address, &request).await;
    assert!(refused.starts_with("HTTP/1.1 408"), "{:.80}", refused);
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).await.unwrap();
    assert!(exchange(address, &request).await.starts_with("HTTP/1.1 200"));
}
