//! What each kind of failure becomes, through the SDK and over a real connection.

use super::scripted::{Reply, Scripted, reply};
use super::{REGION, text};
use gwtf::apply::{CallError, Cloud as _, Failed, Retry};
use gwtf::aws::Aws;
use gwtf::plan::query::Query;
use std::time::Duration;
use tokio::net::TcpListener;

/// The failure of a question to a server that gives this reply; it is asked once.
async fn failure(query: Query, reply: Reply) -> CallError {
    let server = Scripted::start(reply).await;
    let aws = Aws::emulated(REGION, &server.url).await;
    let error = aws.ask(&query).await.expect_err("the reply is a failure");
    assert_eq!(server.asked().len(), 1, "one attempt, {error}");
    error
}

fn json() -> Query {
    Query::GetFunction { function: text("f") }
}

fn query_xml() -> Query {
    Query::GetRole { role: text("r") }
}

fn rest_xml() -> Query {
    Query::GetObject { bucket: text("b"), owner: text("111122223333"), key: text("k") }
}

#[tokio::test]
async fn a_rate_limit_says_how_long_to_wait() {
    let headers = "x-amzn-errortype: TooManyRequestsException\r\nretry-after: 7\r\n\
                   x-amzn-requestid: 6f2c\r\n";
    let reply = reply(429, headers, r#"{"message":"Too Many Requests"}"#);
    let error = failure(Query::GetRestApis, reply).await;
    assert_eq!((error.failed, error.retry), (Failed::Throttled, Retry::Safe));
    assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
    assert_eq!(
        error.to_string(),
        "apigateway GetRestApis on `the region`: TooManyRequestsException (request 6f2c): Too Many \
         Requests"
    );
}

#[tokio::test]
async fn server_errors_are_told_whatever_their_body_is() {
    let page = "<html><body><h1>502</h1>";
    for query in [json(), query_xml(), rest_xml(), Query::GetCallerIdentity, Query::GetRestApis] {
        for (status, body) in [(500, ""), (502, page), (503, "{"), (504, "<?xml")] {
            let error = failure(query.clone(), reply(status, "", body)).await;
            assert_eq!(
                (error.failed, error.retry, error.code.as_str()),
                (Failed::Server, Retry::Unknown, format!("HTTP{status}").as_str()),
                "{query:?} {status} {body}"
            );
        }
    }
}

#[tokio::test]
async fn replies_that_cannot_be_read_leave_it_unknown() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"Configuration\":";
    for sent in [
        Reply::Reset(Vec::new()),
        Reply::Reset(cut.into()),
        Reply::Bytes(Vec::new()),
        Reply::Bytes(cut.into()),
        Reply::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        reply(200, "", "<html>"),
        reply(200, "", "{\"Configuration\": 7"),
        reply(200, "", "{}"),
    ] {
        let error = failure(json(), sent.clone()).await;
        assert_eq!(
            (error.failed, error.retry),
            (Failed::NoReply, Retry::Unknown),
            "{sent:?} {error}"
        );
    }
    for sent in [reply(200, "", "{"), reply(200, "", "<A>"), Reply::Reset(cut.into())] {
        let error = failure(query_xml(), sent.clone()).await;
        assert_eq!(
            (error.failed, error.retry),
            (Failed::NoReply, Retry::Unknown),
            "{sent:?} {error}"
        );
    }
}

#[tokio::test]
async fn what_never_reached_anybody_may_be_sent_again() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let free = listener.local_addr().unwrap();
    drop(listener);
    for url in [format!("http://{free}"), text("http://no-such-host.invalid")] {
        let aws = Aws::emulated(REGION, &url).await;
        for query in [json(), query_xml(), Query::GetCallerIdentity] {
            let error = aws.ask(&query).await.unwrap_err();
            assert_eq!(
                (error.failed, error.retry, error.code.as_str()),
                (Failed::NoReply, Retry::Safe, "NoConnection"),
                "{url} {error}"
            );
        }
    }
}

#[tokio::test]
async fn credentials_are_told_in_every_protocol() {
    let xml = |code: &str| {
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>no</Message></Error><RequestId>6f2c</RequestId></ErrorResponse>"
        )
    };
    let s3 = "<?xml version=\"1.0\"?><Error><Code>ExpiredToken</Code><Message>no</Message></Error>";
    let kind = |code: &str| format!("x-amzn-errortype: {code}:http://amazon.com/\r\n");
    let typed = |code: &str| format!(r#"{{"__type":"com.amazon.coral#{code}","message":"no"}}"#);
    let logs = Query::DescribeLogGroups { prefix: text("/gwtf/") };
    let ecr = Query::DescribeRepository { repository: text("gwtf/iris") };
    for (query, sent, code) in [
        (Query::GetCallerIdentity, reply(403, "", &xml("ExpiredToken")), "ExpiredToken"),
        (query_xml(), reply(403, "", &xml("InvalidClientTokenId")), "InvalidClientTokenId"),
        (rest_xml(), reply(400, "", s3), "ExpiredToken"),
        (
            json(),
            reply(403, &kind("ExpiredTokenException"), r#"{"message":"no"}"#),
            "ExpiredTokenException",
        ),
        (
            Query::GetRestApis,
            reply(403, &kind("UnrecognizedClientException"), r#"{"message":"no"}"#),
            "UnrecognizedClientException",
        ),
        (logs, reply(400, "", &typed("ExpiredTokenException")), "ExpiredTokenException"),
        (ecr, reply(400, "", &typed("InvalidSignatureException")), "InvalidSignatureException"),
    ] {
        let error = failure(query.clone(), sent).await;
        assert_eq!(
            (error.failed, error.retry, error.code.as_str(), error.message.as_str()),
            (Failed::Credentials, Retry::Never, code, "no"),
            "{query:?}"
        );
    }
}

/// The explanation of a wrong signature quotes the request's headers.
#[tokio::test]
async fn a_session_token_is_not_repeated() {
    let message = "The request signature we calculated does not match.\\n\\nThe Canonical String for \
                   this request should have been\\n'GET\\nx-amz-security-token:IQoJ'";
    let body = format!(r#"{{"message":"{message}"}}"#);
    let headers = "x-amzn-errortype: InvalidSignatureException\r\n";
    let error = failure(json(), reply(403, headers, &body)).await;
    assert_eq!(error.failed, Failed::Credentials);
    assert_eq!(error.message, "The request signature we calculated does not match.");
}

#[tokio::test]
async fn a_bucket_is_judged_by_the_status_alone() {
    use gwtf::plan::observed::Bucket;
    use gwtf::plan::query::Answer;
    let query = Query::HeadBucket { bucket: text("b"), owner: text("111122223333") };
    for (status, expected) in [
        (200, Bucket::Own(Default::default())),
        (404, Bucket::Missing),
        (403, Bucket::Forbidden),
        (301, Bucket::Forbidden),
    ] {
        let server = Scripted::start(reply(status, "", "")).await;
        let aws = Aws::emulated(REGION, &server.url).await;
        assert_eq!(aws.ask(&query).await, Ok(Answer::Bucket(expected)), "{status}");
        let asked = &server.asked()[0];
        assert_eq!(asked.line, "HEAD /b/", "path-style on an endpoint of one's own");
        assert_eq!(asked.header("x-amz-expected-bucket-owner"), Some("111122223333"));
    }
    let error = failure(query, reply(500, "", "")).await;
    assert_eq!(error.failed, Failed::Server);
}

const CHILD: &str = "aws_port::failures::asks_with_what_it_finds";

#[tokio::test]
#[ignore = "run by the tests below, in environments of their own"]
async fn asks_with_what_it_finds() {
    let aws = Aws::new(REGION, None).await;
    let head = Query::HeadBucket { bucket: text("b"), owner: text("111122223333") };
    println!("said {:?}", aws.ask(&head).await);
}

/// What a process says that has nothing but these variables.
fn said(variables: &[(&str, &str)]) -> String {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", CHILD, "--ignored", "--nocapture"]).env_clear();
    child.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", "/nonexistent");
    let output = child.envs(variables.iter().copied()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn no_credentials_are_told_before_anything_is_sent() {
    let server = Scripted::start(reply(200, "", "")).await;
    let url = server.url.clone();
    let said = tokio::task::spawn_blocking(move || said(&[("AWS_ENDPOINT_URL", &url)]));
    let said = said.await.unwrap();
    assert!(said.contains("failed: Credentials, retry: Never"), "{said}");
    assert!(server.asked().is_empty());
}

/// An endpoint for S3 alone is one of the person's own too: no bucket has a host name there.
#[tokio::test]
async fn the_environments_endpoint_and_credentials_are_used() {
    for name in ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"] {
        let server = Scripted::start(reply(200, "", "")).await;
        // A host name, since the SDK does not put buckets before an address anyhow.
        let url = server.url.replace("127.0.0.1", "localhost");
        let said = tokio::task::spawn_blocking(move || {
            said(&[
                (name, &url),
                ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "example"),
            ])
        });
        let said = said.await.unwrap();
        assert!(said.contains("Ok(Bucket(Own("), "{said}");
        let asked = server.asked();
        assert_eq!(asked[0].line, "HEAD /b/");
        assert!(asked[0].header("authorization").unwrap().contains("AKIDEXAMPLE"));
    }
}
