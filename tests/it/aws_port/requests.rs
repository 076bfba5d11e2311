//! Requests as they are sent, where moto forgets or lacks what it is told.

use super::scripted::{Asked, Reply, Scripted, reply};
use super::{REGION, ask, made, perform, tags, text};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use gwtf::aws::Aws;
use gwtf::plan::change::{
    Body, Change, Code, Condition, CreateFunction, FunctionSettings, PatchOperation,
};
use gwtf::plan::observed::LambdaAccount;
use gwtf::plan::query::{Answer, Query};
use gwtf::spec::limits::LAMBDA_ZIP_UPLOAD_BYTES_MAX;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

const OWNER: &str = "111122223333";

/// The request of a change.
async fn sent(change: Change, answer: Reply) -> Asked {
    let server = Scripted::start(answer).await;
    let aws = Aws::emulated(REGION, &server.url).await;
    perform(&aws, change).await;
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    asked.into_iter().next().unwrap()
}

/// The answer to a question.
async fn answered(query: Query, body: &str) -> (Answer, Asked) {
    let server = Scripted::start(reply(200, "", body)).await;
    let aws = Aws::emulated(REGION, &server.url).await;
    let answer = ask(&aws, query).await;
    (answer, server.asked().into_iter().next().unwrap())
}

#[tokio::test]
async fn a_definition_is_replaced_and_a_warning_is_a_failure() {
    let change = Change::PutRestApi { rest_api: text("abc"), document: text("{\"é\": 1}") };
    let asked = sent(change, reply(200, "", "{}")).await;
    let (path, query) = asked.line.split_once('?').unwrap();
    assert_eq!(path, "PUT /restapis/abc");
    let mut query: Vec<&str> = query.split('&').collect();
    query.sort_unstable();
    assert_eq!(query, ["failonwarnings=true", "mode=overwrite"]);
    assert_eq!(asked.body, "{\"é\": 1}".as_bytes());
    assert!(asked.header("x-amz-user-agent").unwrap().contains("app/gwtf"), "{:?}", asked.headers);
    assert!(asked.header("authorization").unwrap().contains("eu-west-1/apigateway"));
}

#[tokio::test]
async fn an_api_is_regional_and_a_key_is_on() {
    let change = Change::CreateRestApi { name: text("iris"), description: text("d"), tags: tags() };
    let asked = sent(change, reply(201, "", r#"{"id":"abc"}"#)).await;
    assert_eq!(asked.line, "POST /restapis");
    assert_eq!(
        asked.json(),
        json!({
            "name": "iris",
            "description": "d",
            "endpointConfiguration": {"types": ["REGIONAL"]},
            "tags": {"gwtf:endpoint": "iris"},
        })
    );
    let change = Change::CreateApiKey { name: text("alice"), tags: tags() };
    let asked = sent(change, reply(201, "", r#"{"id":"k"}"#)).await;
    assert_eq!(
        asked.json(),
        json!({"name": "alice", "enabled": true, "tags": {"gwtf:endpoint": "iris"}})
    );
}

/// moto lacks a canary's promotion.
#[tokio::test]
async fn a_patch_keeps_its_order() {
    let patch = vec![
        PatchOperation::replace("/canarySettings/percentTraffic", "0.0"),
        PatchOperation::copy("/canarySettings/deploymentId", "/deploymentId"),
        PatchOperation::add("/x", "y"),
        PatchOperation::remove("/canarySettings"),
    ];
    let change = Change::UpdateStage { rest_api: text("abc"), stage: text("prod"), patch };
    let asked = sent(change, reply(200, "", "{}")).await;
    assert_eq!(asked.line, "PATCH /restapis/abc/stages/prod");
    assert_eq!(
        asked.json(),
        json!({"patchOperations": [
            {"op": "replace", "path": "/canarySettings/percentTraffic", "value": "0.0"},
            {"op": "copy", "path": "/deploymentId", "from": "/canarySettings/deploymentId"},
            {"op": "add", "path": "/x", "value": "y"},
            {"op": "remove", "path": "/canarySettings"},
        ]})
    );
}

#[tokio::test]
async fn a_canary_is_read() {
    let body = r#"{"item": [{"stageName": "prod", "deploymentId": "d1", "lastUpdatedDate": 1780306200,
        "canarySettings": {"percentTraffic": 12.5, "deploymentId": "d2"}}]}"#;
    let (answer, _) = answered(Query::GetStages { rest_api: text("abc") }, body).await;
    let Answer::Stages(stages) = answer else { panic!() };
    let canary = stages[0].canary.as_ref().unwrap();
    assert_eq!((canary.deployment_id.as_str(), canary.percent), ("d2", 12.5));
    assert_eq!(stages[0].last_updated_at.unwrap().to_string(), "2026-06-01T09:30:00Z");
}

fn new_function(code: Code) -> Change {
    Change::CreateFunction(Box::new(CreateFunction {
        function: text("f"),
        code,
        architecture: text("x86_64"),
        settings: FunctionSettings {
            role: text("arn:aws:iam::111122223333:role/r"),
            memory_mib: 512,
            timeout_s: 30,
            environment: BTreeMap::new(),
            tracing: false,
        },
        description: text("d"),
        tags: tags(),
    }))
}

#[tokio::test]
async fn a_function_is_published_as_it_is_made() {
    let key = text("iris/artefacts/1.zip");
    let code = Code::Object { bucket: text("b"), key, sha256: text("s") };
    let server = Scripted::start(reply(201, "", r#"{"Version":"1"}"#)).await;
    let aws = Aws::emulated(REGION, &server.url).await;
    assert_eq!(made(&aws, new_function(code)).await, "1");
    let asked = &server.asked()[0];
    assert_eq!(asked.line, "POST /2015-03-31/functions");
    assert_eq!(
        asked.json(),
        json!({
            "FunctionName": "f",
            "Runtime": "provided.al2023",
            "Role": "arn:aws:iam::111122223333:role/r",
            "Handler": "bootstrap",
            "Code": {"S3Bucket": "b", "S3Key": "iris/artefacts/1.zip"},
            "Description": "d",
            "Timeout": 30,
            "MemorySize": 512,
            "Publish": true,
            "PackageType": "Zip",
            "Environment": {"Variables": {}},
            "TracingConfig": {"Mode": "PassThrough"},
            "Tags": {"gwtf:endpoint": "iris"},
            "Architectures": ["x86_64"],
        })
    );
    let uri = text("111122223333.dkr.ecr.eu-west-1.amazonaws.com/gwtf/iris@sha256:00");
    let code = Code::Image { uri: uri.clone(), sha256: text("00") };
    made(&aws, new_function(code.clone())).await;
    let body = server.asked()[1].json();
    assert_eq!(body["Code"], json!({"ImageUri": uri}));
    assert_eq!((&body["PackageType"], &body["Publish"]), (&json!("Image"), &json!(true)));
    assert_eq!((body.get("Runtime"), body.get("Handler")), (None, None));
    let (function, architecture) = (text("f"), text("x86_64"));
    made(&aws, Change::UpdateFunctionCode { function, code, architecture }).await;
    let body = server.asked()[2].json();
    let expected = json!({"ImageUri": uri, "Publish": true, "Architectures": ["x86_64"]});
    assert_eq!(body, expected);
}

/// moto forgets the tracing of an update.
#[tokio::test]
async fn settings_are_sent_whole() {
    let settings = FunctionSettings {
        role: text("arn:aws:iam::111122223333:role/r"),
        memory_mib: 1024,
        timeout_s: 30,
        environment: BTreeMap::from([(text("A"), text("1"))]),
        tracing: false,
    };
    let change = Change::UpdateFunctionConfiguration { function: text("f"), settings };
    let asked = sent(change, reply(200, "", "{}")).await;
    assert_eq!(asked.line, "PUT /2015-03-31/functions/f/configuration");
    assert_eq!(
        asked.json(),
        json!({
            "Role": "arn:aws:iam::111122223333:role/r",
            "MemorySize": 1024,
            "Timeout": 30,
            "Environment": {"Variables": {"A": "1"}},
            "TracingConfig": {"Mode": "PassThrough"},
        })
    );
    let change = Change::PublishVersion { function: text("f"), code_sha256: text("s=") };
    let asked = sent(change, reply(201, "", r#"{"Version":"3"}"#)).await;
    assert_eq!(asked.json(), json!({"CodeSha256": "s="}));
}

/// moto ignores the qualifier, and has no provisioned concurrency.
#[tokio::test]
async fn aliases_are_named_in_every_request() {
    let (f, v1) = (|| text("f"), || text("v1"));
    let warm = Change::PutProvisionedConcurrency { function: f(), alias: v1(), provisioned: 3 };
    let asked = sent(warm, reply(202, "", "{}")).await;
    let path = "/2019-09-30/functions/f/provisioned-concurrency?Qualifier=v1";
    assert_eq!(asked.line, format!("PUT {path}"));
    assert_eq!(asked.json(), json!({"ProvisionedConcurrentExecutions": 3}));
    let cool = Change::DeleteProvisionedConcurrency { function: f(), alias: v1() };
    assert_eq!(sent(cool, reply(204, "", "")).await.line, format!("DELETE {path}"));
    let (function, alias, statement) = (f(), v1(), text("s1"));
    let source_arn = text("arn:aws:execute-api:eu-west-1:111122223333:abc/prod/POST/predict");
    let permit =
        Change::AddPermission { function, alias, statement, source_arn: source_arn.clone() };
    let asked = sent(permit, reply(201, "", "{}")).await;
    assert_eq!(asked.line, "POST /2015-03-31/functions/f/policy?Qualifier=v1");
    assert_eq!(
        asked.json(),
        json!({
            "StatementId": "s1",
            "Action": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": source_arn,
        })
    );
    let (function, alias, statement) = (f(), v1(), text("s1"));
    let forbid = Change::RemovePermission { function, alias, statement };
    let asked = sent(forbid, reply(204, "", "")).await;
    assert_eq!(asked.line, "DELETE /2015-03-31/functions/f/policy/s1?Qualifier=v1");
    let change = Change::DeleteFunctionVersion { function: f(), version: text("7") };
    let asked = sent(change, reply(204, "", "")).await;
    assert_eq!(asked.line, "DELETE /2015-03-31/functions/f?Qualifier=7");
    let (answer, asked) =
        answered(Query::GetPolicy { function: f(), alias: v1() }, r#"{"Policy":"{}"}"#).await;
    assert_eq!(answer, Answer::Text(Some(text("{}"))));
    assert_eq!(asked.line, "GET /2015-03-31/functions/f/policy?Qualifier=v1");
}

#[tokio::test]
async fn lambdas_account_and_warm_sandboxes_are_read() {
    let body = r#"{"AccountLimit": {"TotalCodeSize": 80530636800, "ConcurrentExecutions": 1000,
        "UnreservedConcurrentExecutions": 900}, "AccountUsage": {"TotalCodeSize": 5000000000}}"#;
    let (answer, _) = answered(Query::GetLambdaAccountSettings, body).await;
    let expected = LambdaAccount {
        concurrent_executions: Some(1000),
        unreserved_concurrent_executions: Some(900),
        code_size_bytes_max: Some(80_530_636_800),
        code_size_bytes: Some(5_000_000_000),
    };
    assert_eq!(answer, Answer::LambdaAccount(expected));
    let body = r#"{"ProvisionedConcurrencyConfigs": [{
        "FunctionArn": "arn:aws:lambda:eu-west-1:111122223333:function:f:v1",
        "RequestedProvisionedConcurrentExecutions": 3}]}"#;
    let query = Query::ListProvisionedConcurrency { function: text("f") };
    let (answer, _) = answered(query, body).await;
    assert_eq!(answer, Answer::ProvisionedConcurrency(BTreeMap::from([(text("v1"), 3)])));
}

#[tokio::test]
async fn objects_are_written_on_a_condition_and_with_their_digest() {
    let put = |body, condition| Change::PutObject {
        bucket: text("b"),
        owner: text(OWNER),
        key: text("iris/a b.json"),
        body,
        condition,
    };
    let change = put(Body::Text(text("abc")), Some(Condition::Absent));
    let asked = sent(change, reply(200, "", "")).await;
    assert_eq!(asked.line, "PUT /b/iris/a%20b.json?x-id=PutObject");
    assert_eq!((asked.header("if-none-match"), asked.header("if-match")), (Some("*"), None));
    assert_eq!(asked.header("x-amz-expected-bucket-owner"), Some(OWNER));
    // SHA-256 of `abc`, FIPS 180-2's first example.
    let sha256 = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
    assert_eq!(asked.header("x-amz-checksum-sha256"), Some(sha256));
    assert_eq!(asked.body, b"abc");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zip");
    fs_err::write(&path, b"abc").unwrap();
    let body = Body::File { path, sha256: text(sha256) };
    let change = put(body, Some(Condition::Matches(text("\"e1\""))));
    let asked = sent(change, reply(200, "", "")).await;
    assert_eq!((asked.header("if-none-match"), asked.header("if-match")), (None, Some("\"e1\"")));
    assert_eq!(asked.header("x-amz-checksum-sha256"), Some(sha256));
    assert_eq!(asked.body, b"abc", "the file as it is, without chunks");
}

#[tokio::test]
async fn a_bucket_says_its_region_except_the_first() {
    let create = |region: &str| Change::CreateBucket { bucket: text("b"), region: text(region) };
    let asked = sent(create("eu-west-1"), reply(200, "", "")).await;
    let body = String::from_utf8(asked.body).unwrap();
    assert!(body.contains("<LocationConstraint>eu-west-1</LocationConstraint>"), "{body}");
    let asked = sent(create("us-east-1"), reply(200, "", "")).await;
    assert_eq!(asked.body, b"");
}

/// The largest zip that Lambda takes in a request, and the same as an object.
#[tokio::test]
async fn large_bodies_arrive_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zip");
    let bytes = vec![7; usize::try_from(LAMBDA_ZIP_UPLOAD_BYTES_MAX).unwrap()];
    fs_err::write(&path, &bytes).unwrap();
    let sha256 = BASE64.encode(Sha256::digest(&bytes));
    let code = Code::Zip { path: path.clone(), sha256: sha256.clone() };
    let asked = sent(new_function(code), reply(201, "", r#"{"Version":"1"}"#)).await;
    let (begins, ends) = (&asked.body[..256], &asked.body[asked.body.len() - 256..]);
    let length = BASE64.encode([7; 3]).len() * bytes.len().div_ceil(3);
    assert!(asked.body.len() > length, "{} bytes", asked.body.len());
    assert!(begins.starts_with(b"{") && ends.ends_with(b"}"));
    let change = Change::PutObject {
        bucket: text("b"),
        owner: text(OWNER),
        key: text("k"),
        body: Body::File { path, sha256 },
        condition: None,
    };
    let asked = sent(change, reply(200, "", "")).await;
    assert!(asked.body == bytes, "{} bytes", asked.body.len());
}
