//! Every question and change on moto, a service at a time: what was made reads back.
//!
//! Where moto forgets what it is told, [`super::requests`] looks at the request instead.

use super::moto::Moto;
use super::{REGION, ask, made, perform, refused, tags, text};
use base64::Engine as _;
use gwtf::apply::{Cloud as _, Failed, Retry};
use gwtf::aws::Aws;
use gwtf::plan::change::{
    Body, Change, Code, Condition, CreateFunction, FunctionSettings, Given, PatchOperation,
};
use gwtf::plan::observed::{self, Bucket, FunctionConfiguration};
use gwtf::plan::query::{Answer, Query};
use gwtf::spec::{Period, Quota, Throttle};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// The account that moto plays.
const OWNER: &str = "123456789012";

#[tokio::test]
async fn bucket_and_objects() {
    let moto = Moto::start();
    let aws = Aws::emulated(REGION, &moto.url).await;
    let Answer::Caller(caller) = ask(&aws, Query::GetCallerIdentity).await else { panic!() };
    assert_eq!(caller.account_id, OWNER);

    let (bucket, owner) = (text("gwtf-bucket"), text(OWNER));
    let head = Query::HeadBucket { bucket: bucket.clone(), owner: owner.clone() };
    let get_tags = Query::GetBucketTags { bucket: bucket.clone(), owner: owner.clone() };
    let object = |key: &str| Query::GetObject {
        bucket: bucket.clone(),
        owner: owner.clone(),
        key: text(key),
    };
    let keys = |prefix: &str| Query::ListObjects {
        bucket: bucket.clone(),
        owner: owner.clone(),
        prefix: text(prefix),
    };
    let put = |key: &str, body: Body, condition: Option<Condition>| Change::PutObject {
        bucket: bucket.clone(),
        owner: owner.clone(),
        key: text(key),
        body,
        condition,
    };
    assert_eq!(ask(&aws, head.clone()).await, Answer::Bucket(Bucket::Missing));
    assert_eq!(ask(&aws, get_tags.clone()).await, Answer::Tags(BTreeMap::new()));
    assert_eq!(ask(&aws, object("a")).await, Answer::Object(None));
    assert_eq!(ask(&aws, keys("")).await, Answer::Names(Vec::new()));
    let create = Change::CreateBucket { bucket: bucket.clone(), region: text(REGION) };
    perform(&aws, create.clone()).await;
    let again = refused(&aws, create).await;
    assert_eq!((again.failed, again.retry), (Failed::Conflict, Retry::Never), "{again}");
    assert_eq!(ask(&aws, head.clone()).await, Answer::Bucket(Bucket::Own(BTreeMap::new())));
    assert_eq!(ask(&aws, get_tags.clone()).await, Answer::Tags(BTreeMap::new()), "no tags yet");
    let change =
        Change::PutBucketTags { bucket: bucket.clone(), owner: owner.clone(), tags: tags() };
    perform(&aws, change).await;
    assert_eq!(ask(&aws, get_tags).await, Answer::Tags(tags()));

    let lock = |value: &str| Body::Text(text(value));
    perform(&aws, put("iris/lock.json", lock("é1"), Some(Condition::Absent))).await;
    let taken = refused(&aws, put("iris/lock.json", lock("2"), Some(Condition::Absent))).await;
    assert_eq!((taken.failed, taken.retry), (Failed::Precondition, Retry::Never), "{taken}");
    let Answer::Object(Some(first)) = ask(&aws, object("iris/lock.json")).await else { panic!() };
    assert_eq!(first.text, "é1");
    let over = |etag: &str| Some(Condition::Matches(text(etag)));
    perform(&aws, put("iris/lock.json", lock("3"), over(&first.etag))).await;
    let Answer::Object(Some(now)) = ask(&aws, object("iris/lock.json")).await else { panic!() };
    assert_eq!(now.text, "3");
    // moto does not look at If-Match on a put; the request does say it (see `requests`).

    let folder = tempfile::tempdir().unwrap();
    let (path, sha256) = file(folder.path(), &[0, 159, 146, 150]);
    let artefact = Body::File { path, sha256 };
    perform(&aws, put("iris/artefacts/1.zip", artefact, None)).await;
    let binary = aws.ask(&object("iris/artefacts/1.zip")).await.unwrap_err();
    assert_eq!((binary.failed, binary.code.as_str()), (Failed::Invalid, "NoText"));
    let names = ["iris/artefacts/1.zip", "iris/lock.json"].map(text);
    assert_eq!(ask(&aws, keys("iris/")).await, Answer::Names(names.to_vec()));
    let delete_bucket = Change::DeleteBucket { bucket: bucket.clone(), owner: owner.clone() };
    let full = refused(&aws, delete_bucket.clone()).await;
    assert_eq!((full.failed, full.object.as_str()), (Failed::Conflict, "gwtf-bucket"));
    for key in names {
        let (bucket, owner) = (bucket.clone(), owner.clone());
        perform(&aws, Change::DeleteObject { bucket, owner, key }).await;
    }
    perform(&aws, delete_bucket).await;
    assert_eq!(ask(&aws, head).await, Answer::Bucket(Bucket::Missing));
}

/// A file with base64 of its SHA-256.
fn file(folder: &Path, bytes: &[u8]) -> (std::path::PathBuf, String) {
    let sha256 = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(bytes));
    let path = folder.join(sha256.replace('/', "_"));
    fs_err::write(&path, bytes).unwrap();
    (path, sha256)
}

/// Lists of more than one page: S3's are of 1000 keys.
#[tokio::test]
async fn lists_are_read_to_their_end() {
    let moto = Moto::start();
    let aws = Aws::emulated(REGION, &moto.url).await;
    let (bucket, owner) = (text("many"), text(OWNER));
    perform(&aws, Change::CreateBucket { bucket: bucket.clone(), region: text(REGION) }).await;
    for n in 0..1003 {
        let (bucket, owner) = (bucket.clone(), owner.clone());
        let body = Body::Text(String::new());
        let key = format!("a/{n:04}");
        perform(&aws, Change::PutObject { bucket, owner, key, body, condition: None }).await;
    }
    let query = Query::ListObjects { bucket, owner, prefix: text("a/") };
    let Answer::Names(names) = ask(&aws, query).await else { panic!() };
    assert_eq!((names.len(), names[1002].as_str()), (1003, "a/1002"));
    // moto's pages of log groups and attached policies are of 50 and 100.
    for n in 0..60 {
        let log_group = format!("/gwtf/many/{n}");
        perform(&aws, Change::CreateLogGroup { log_group, tags: BTreeMap::new() }).await;
    }
    let query = Query::DescribeLogGroups { prefix: text("/gwtf/many/") };
    let Answer::LogGroups(groups) = ask(&aws, query).await else { panic!() };
    assert_eq!(groups.len(), 60);
}

fn trust(service: &str) -> String {
    format!(
        r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Principal": {{"Service": "{service}"}}, "Action": "sts:AssumeRole"}}]}}"#
    )
}

const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "arn:aws:logs:*:*:log-group:/aws/lambda/gwtf-a+b:*"}]}"#;

async fn create_role(aws: &Aws, role: &str, boundary: Option<&str>) {
    let change = Change::CreateRole {
        role: text(role),
        path: text("/gwtf/"),
        description: text("runs iris"),
        trust: trust("lambda.amazonaws.com"),
        boundary: boundary.map(text),
        tags: tags(),
    };
    perform(aws, change).await;
}

#[tokio::test]
async fn roles_and_policies() {
    let moto = Moto::start();
    let aws = Aws::emulated(REGION, &moto.url).await;
    let role = || text("gwtf-iris");
    let get = Query::GetRole { role: role() };
    let get_policy = Query::GetRolePolicy { role: role(), policy: text("execution") };
    let attached = Query::ListAttachedRolePolicies { role: role() };
    assert_eq!(ask(&aws, get.clone()).await, Answer::Role(None));
    assert_eq!(ask(&aws, get_policy.clone()).await, Answer::Text(None));
    assert_eq!(ask(&aws, attached.clone()).await, Answer::Names(Vec::new()));
    let boundary = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    create_role(&aws, "gwtf-iris", Some(boundary)).await;
    let expected = |service: &str, boundary: Option<&str>| {
        Answer::Role(Some(observed::Role {
            arn: format!("arn:aws:iam::{OWNER}:role/gwtf/gwtf-iris"),
            trust: trust(service),
            boundary: boundary.map(text),
            tags: tags(),
        }))
    };
    assert_eq!(ask(&aws, get.clone()).await, expected("lambda.amazonaws.com", Some(boundary)));
    perform(&aws, Change::DeleteRolePermissionsBoundary { role: role() }).await;
    let change =
        Change::UpdateAssumeRolePolicy { role: role(), trust: trust("apigateway.amazonaws.com") };
    perform(&aws, change).await;
    assert_eq!(ask(&aws, get.clone()).await, expected("apigateway.amazonaws.com", None));
    let other = "arn:aws:iam::aws:policy/PowerUserAccess";
    let change = Change::PutRolePermissionsBoundary { role: role(), boundary: text(other) };
    perform(&aws, change).await;
    assert_eq!(ask(&aws, get.clone()).await, expected("apigateway.amazonaws.com", Some(other)));

    let (policy, document) = (text("execution"), text(POLICY));
    perform(&aws, Change::PutRolePolicy { role: role(), policy, document }).await;
    assert_eq!(ask(&aws, get_policy.clone()).await, Answer::Text(Some(text(POLICY))));
    let (policy, document) = (text("execution"), text("{"));
    let bad = refused(&aws, Change::PutRolePolicy { role: role(), policy, document }).await;
    assert_eq!((bad.failed, bad.object.as_str()), (Failed::Invalid, "gwtf-iris/execution"));
    let policy_arn =
        text("arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs");
    let change = Change::AttachRolePolicy { role: role(), policy_arn: policy_arn.clone() };
    perform(&aws, change).await;
    assert_eq!(ask(&aws, attached).await, Answer::Names(vec![policy_arn]));
    let used = refused(&aws, Change::DeleteRole { role: role() }).await;
    assert_eq!((used.failed, used.retry), (Failed::Conflict, Retry::Never), "{used}");
    perform(&aws, Change::DeleteRolePolicy { role: role(), policy: text("execution") }).await;
    assert_eq!(ask(&aws, get_policy).await, Answer::Text(None));
    create_role(&aws, "gwtf-plain", None).await;
    perform(&aws, Change::DeleteRole { role: text("gwtf-plain") }).await;
    let gone = refused(&aws, Change::DeleteRole { role: text("gwtf-plain") }).await;
    assert_eq!((gone.failed, gone.retry), (Failed::NotFound, Retry::Never));
}

#[tokio::test]
async fn log_groups_and_repositories() {
    let moto = Moto::start();
    let aws = Aws::emulated(REGION, &moto.url).await;
    let describe = Query::DescribeLogGroups { prefix: text("/gwtf/iris/") };
    assert_eq!(ask(&aws, describe.clone()).await, Answer::LogGroups(Vec::new()));
    let log_group = || text("/gwtf/iris/access");
    let create = Change::CreateLogGroup { log_group: log_group(), tags: tags() };
    perform(&aws, create.clone()).await;
    let again = refused(&aws, create).await;
    assert_eq!((again.failed, again.retry), (Failed::Conflict, Retry::Never));
    perform(&aws, Change::PutRetentionPolicy { log_group: log_group(), days: 30 }).await;
    let arn = format!("arn:aws:logs:{REGION}:{OWNER}:log-group:/gwtf/iris/access");
    let expected = observed::LogGroup {
        name: log_group(),
        arn: arn.clone(),
        retention_days: Some(30),
        tags: BTreeMap::new(),
    };
    assert_eq!(ask(&aws, describe.clone()).await, Answer::LogGroups(vec![expected]));
    let query = Query::ListLogGroupTags { arn };
    assert_eq!(ask(&aws, query.clone()).await, Answer::Tags(tags()));
    perform(&aws, Change::DeleteLogGroup { log_group: log_group() }).await;
    assert_eq!(ask(&aws, describe).await, Answer::LogGroups(Vec::new()));
    let arn = format!("arn:aws:logs:{REGION}:{OWNER}:log-group:/gwtf/iris/none");
    let none = ask(&aws, Query::ListLogGroupTags { arn }).await;
    assert_eq!(none, Answer::Tags(BTreeMap::new()));

    let repository = || text("gwtf/iris");
    let describe = Query::DescribeRepository { repository: repository() };
    let policy = Query::GetRepositoryPolicy { repository: repository() };
    assert_eq!(ask(&aws, describe.clone()).await, Answer::Repository(None));
    assert_eq!(ask(&aws, policy.clone()).await, Answer::Text(None));
    let create = Change::CreateRepository { repository: repository(), tags: tags() };
    perform(&aws, create.clone()).await;
    assert_eq!(refused(&aws, create).await.failed, Failed::Conflict);
    let Answer::Repository(Some(own)) = ask(&aws, describe.clone()).await else { panic!() };
    assert_eq!(own.uri, format!("{OWNER}.dkr.ecr.{REGION}.amazonaws.com/gwtf/iris"));
    assert_eq!(own.arn, format!("arn:aws:ecr:{REGION}:{OWNER}:repository/gwtf/iris"));
    assert_eq!(ask(&aws, policy.clone()).await, Answer::Text(None), "it has none yet");
    let document = text(
        r#"{"Version":"2012-10-17","Statement":[{"Sid":"lambda","Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":["ecr:BatchGetImage"]}]}"#,
    );
    let change = Change::SetRepositoryPolicy { repository: repository(), document };
    perform(&aws, change).await;
    let Answer::Text(Some(set)) = ask(&aws, policy).await else { panic!() };
    assert!(set.contains("ecr:BatchGetImage"), "{set}");
    perform(&aws, Change::DeleteRepository { repository: repository() }).await;
    assert_eq!(ask(&aws, describe).await, Answer::Repository(None));
}

fn settings(role: &str) -> FunctionSettings {
    FunctionSettings {
        role: text(role),
        memory_mib: 512,
        timeout_s: 30,
        environment: BTreeMap::from([(text("GWTF_VERSION"), text("v1"))]),
        tracing: true,
    }
}

/// An empty archive; moto takes any bytes.
const ZIP: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

async fn function(aws: &Aws) -> observed::Function {
    let query = Query::GetFunction { function: text("gwtf-iris") };
    let Answer::Function(Some(own)) = ask(aws, query).await else { panic!("it is there") };
    *own
}

#[tokio::test]
async fn a_function_from_its_making_to_its_end() {
    let moto = Moto::start();
    let aws = Aws::emulated(REGION, &moto.url).await;
    let name = || text("gwtf-iris");
    let get = Query::GetFunction { function: name() };
    let aliases = Query::ListAliases { function: name() };
    let versions = Query::ListVersionsByFunction { function: name() };
    assert_eq!(ask(&aws, get.clone()).await, Answer::Function(None));
    assert_eq!(ask(&aws, aliases.clone()).await, Answer::Aliases(Vec::new()));
    assert_eq!(ask(&aws, versions.clone()).await, Answer::FunctionVersions(Vec::new()));
    create_role(&aws, "gwtf-iris", None).await;
    let role = format!("arn:aws:iam::{OWNER}:role/gwtf/gwtf-iris");
    let folder = tempfile::tempdir().unwrap();
    let (path, first_sha256) = file(folder.path(), ZIP);
    let new = CreateFunction {
        function: name(),
        code: Code::Zip { path, sha256: first_sha256.clone() },
        architecture: text("arm64"),
        settings: settings(&role),
        description: text("iris"),
        tags: tags(),
    };
    let create = Change::CreateFunction(Box::new(new));
    assert_eq!(made(&aws, create.clone()).await, "1");
    let again = refused(&aws, create).await;
    assert_eq!((again.failed, again.retry), (Failed::Conflict, Retry::Never), "{again}");
    let configuration = FunctionConfiguration {
        role: role.clone(),
        memory_mib: 512,
        timeout_s: 30,
        environment: settings(&role).environment,
        tracing: true,
    };
    let own = function(&aws).await;
    assert_eq!(own.arn, format!("arn:aws:lambda:{REGION}:{OWNER}:function:gwtf-iris"));
    assert_eq!(own.code_sha256, first_sha256, "the body arrived byte for byte");
    assert_eq!((own.architecture.as_str(), own.is_image), ("arm64", false));
    assert_eq!((own.state.as_str(), own.tags.clone()), ("Active", tags()));
    assert_eq!(own.last_update_status, "Successful");
    assert!(own.last_modified.is_some());
    assert_eq!(own.configuration, configuration);

    let (path, sha256) = file(folder.path(), &[ZIP, b"\xff"].concat());
    let code = Code::Zip { path, sha256: sha256.clone() };
    let change = Change::UpdateFunctionCode { function: name(), code, architecture: text("arm64") };
    assert_eq!(made(&aws, change).await, "2");
    let mut larger = settings(&role);
    (larger.memory_mib, larger.tracing) = (1024, false);
    larger.environment = BTreeMap::from([(text("GWTF_VERSION"), text("v2"))]);
    let change = Change::UpdateFunctionConfiguration { function: name(), settings: larger };
    perform(&aws, change).await;
    let own = function(&aws).await;
    assert_eq!((own.code_sha256.as_str(), own.configuration.memory_mib), (&*sha256, 1024));
    let environment = BTreeMap::from([(text("GWTF_VERSION"), text("v2"))]);
    assert_eq!(own.configuration.environment, environment);
    let change = Change::PublishVersion { function: name(), code_sha256: sha256.clone() };
    made(&aws, change).await;
    let Answer::FunctionVersions(all) = ask(&aws, versions).await else { panic!() };
    assert_eq!(all[0].version, "1");
    assert_eq!(all[0].code_sha256, first_sha256);
    assert_eq!(all[0].configuration.memory_mib, 512);
    assert_eq!((all[1].version.as_str(), all[1].code_sha256.as_str()), ("2", &*sha256));
    concurrency_and_aliases(&aws, aliases).await;
    let change = Change::DeleteFunctionVersion { function: name(), version: text("1") };
    perform(&aws, change).await;
    assert_eq!(function(&aws).await.code_sha256, sha256, "one version was deleted, not all");
    perform(&aws, Change::DeleteFunction { function: name() }).await;
    assert_eq!(ask(&aws, get).await, Answer::Function(None));
}

async fn concurrency_and_aliases(aws: &Aws, aliases: Query) {
    let (name, v1) = (|| text("gwtf-iris"), || text("v1"));
    perform(aws, Change::PutFunctionConcurrency { function: name(), reserved: 7 }).await;
    assert_eq!(function(aws).await.reserved_concurrency, Some(7));
    perform(aws, Change::DeleteFunctionConcurrency { function: name() }).await;
    assert_eq!(function(aws).await.reserved_concurrency, None);
    let (version, description) = (text("1"), text("v1 of iris"));
    let change = Change::CreateAlias { function: name(), alias: v1(), version, description };
    perform(aws, change).await;
    let version = text("2");
    perform(aws, Change::UpdateAlias { function: name(), alias: v1(), version }).await;
    let Answer::Aliases(all) = ask(aws, aliases.clone()).await else { panic!() };
    let expected = observed::Alias { name: v1(), version: text("2"), permissions: BTreeMap::new() };
    assert_eq!(all, [expected]);
    let policy = Query::GetPolicy { function: name(), alias: v1() };
    assert_eq!(ask(aws, policy.clone()).await, Answer::Text(None));
    let change = Change::AddPermission {
        function: name(),
        alias: v1(),
        statement: text("gwtf-1"),
        source_arn: format!("arn:aws:execute-api:{REGION}:{OWNER}:abc/prod/POST/predict"),
    };
    perform(aws, change).await;
    let Answer::Text(Some(document)) = ask(aws, policy.clone()).await else { panic!() };
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let statement = &document["Statement"][0];
    assert_eq!(statement["Sid"], "gwtf-1");
    assert_eq!(statement["Principal"]["Service"], "apigateway.amazonaws.com");
    assert_eq!(statement["Action"], "lambda:InvokeFunction");
    assert!(statement.to_string().contains("abc/prod/POST/predict"), "{statement}");
    let (function, alias, statement) = (name(), v1(), text("gwtf-1"));
    perform(aws, Change::RemovePermission { function, alias, statement }).await;
    let Answer::Text(left) = ask(aws, policy).await else { panic!() };
    assert!(!left.unwrap_or_default().contains("gwtf-1"));
    perform(aws, Change::DeleteAlias { function: name(), alias: v1() }).await;
    assert_eq!(ask(aws, aliases).await, Answer::Aliases(Vec::new()));
}

const DOCUMENT: &str = r#"{"openapi": "3.0.1", "info": {"title": "iris", "version": "1", "description": "é"}, "paths": {"/predict": {"post": {"responses": {"200": {"description": "ok"}}, "x-amazon-apigateway-integration": {"type": "mock", "uri": "x", "httpMethod": "POST"}}}}}"#;

#[tokio::test]
async fn an_api_from_its_making_to_its_end() {
    let moto = Moto::start();
    let aws = Aws::emulated(REGION, &moto.url).await;
    let Answer::ApiGatewayAccount(account) = ask(&aws, Query::GetApiGatewayAccount).await else {
        panic!()
    };
    assert_eq!(account.cloudwatch_role_arn, None);
    let cloudwatch_role_arn = format!("arn:aws:iam::{OWNER}:role/logs");
    let change = Change::UpdateAccount { cloudwatch_role_arn: cloudwatch_role_arn.clone() };
    perform(&aws, change).await;
    let Answer::ApiGatewayAccount(account) = ask(&aws, Query::GetApiGatewayAccount).await else {
        panic!()
    };
    assert_eq!(account.cloudwatch_role_arn, Some(cloudwatch_role_arn));
    assert_eq!((account.rate_rps, account.burst), (Some(10_000.0), Some(5_000)));

    let create = Change::CreateRestApi { name: text("iris"), description: text("d"), tags: tags() };
    let id = made(&aws, create).await;
    let expected = observed::RestApi { id: id.clone(), name: text("iris"), tags: tags() };
    assert_eq!(ask(&aws, Query::GetRestApis).await, Answer::RestApis(vec![expected]));
    let rest_api = || id.clone();
    let stages = Query::GetStages { rest_api: rest_api() };
    let deployments = Query::GetDeployments { rest_api: rest_api() };
    assert_eq!(ask(&aws, stages.clone()).await, Answer::Stages(Vec::new()));
    assert_eq!(ask(&aws, deployments.clone()).await, Answer::Deployments(Vec::new()));
    perform(&aws, Change::PutRestApi { rest_api: rest_api(), document: text(DOCUMENT) }).await;
    let description = text("{\"n\":1}");
    let deploy = Change::CreateDeployment { rest_api: rest_api(), description };
    let first = made(&aws, deploy.clone()).await;
    let second = made(&aws, deploy).await;
    let Answer::Deployments(all) = ask(&aws, deployments.clone()).await else { panic!() };
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].description, "{\"n\":1}");
    assert!(all.iter().all(|own| own.created_at.is_some()));

    let change = Change::CreateStage {
        rest_api: rest_api(),
        stage: text("prod"),
        deployment: first.clone(),
        description: text("moves"),
        tracing: true,
        tags: tags(),
    };
    perform(&aws, change).await;
    let destination = format!("arn:aws:logs:{REGION}:{OWNER}:log-group:/gwtf/iris/access");
    let patch = vec![
        PatchOperation::replace("/deploymentId", &second),
        PatchOperation::replace("/description", "moved"),
        PatchOperation::replace("/tracingEnabled", "false"),
        PatchOperation::replace("/accessLogSettings/destinationArn", &destination),
        PatchOperation::replace("/accessLogSettings/format", "$context.requestId"),
        PatchOperation::replace("/*/*/throttling/rateLimit", "12.5"),
        PatchOperation::replace("/*/*/throttling/burstLimit", "5"),
        PatchOperation::replace("/~1predict/POST/logging/loglevel", "ERROR"),
        PatchOperation::replace("/~1predict/POST/metrics/enabled", "true"),
        PatchOperation::replace("/~1predict/POST/throttling/rateLimit", "-1"),
        PatchOperation::replace("/~1predict/POST/throttling/burstLimit", "-1"),
    ];
    let (stage, rest) = (text("prod"), rest_api());
    perform(&aws, Change::UpdateStage { rest_api: rest, stage, patch }).await;
    let Answer::Stages(all) = ask(&aws, stages.clone()).await else { panic!() };
    let own = &all[0];
    assert_eq!((own.name.as_str(), &own.deployment_id), ("prod", &second));
    assert_eq!((own.description.as_str(), own.tracing, &own.tags), ("moved", false, &tags()));
    assert_eq!(own.access_log_destination.as_deref(), Some(destination.as_str()));
    assert_eq!(own.access_log_format.as_deref(), Some("$context.requestId"));
    let everywhere = &own.method_settings["*/*"];
    assert_eq!((everywhere.rate_rps, everywhere.burst), (Some(12.5), Some(5)));
    let predict = &own.method_settings["~1predict/POST"];
    assert_eq!((predict.rate_rps, predict.burst, predict.metrics), (None, None, true));
    assert_eq!(predict.logging_level.as_deref(), Some("ERROR"));

    // moto deletes one that the stage points to, which AWS refuses.
    let change = Change::DeleteDeployment { rest_api: rest_api(), deployment: first };
    perform(&aws, change).await;
    let Answer::Deployments(all) = ask(&aws, deployments).await else { panic!() };
    assert_eq!(all.iter().map(|own| &own.id).collect::<Vec<_>>(), [&second]);
    plans_and_keys(&aws, &id).await;
    perform(&aws, Change::DeleteRestApi { rest_api: rest_api() }).await;
    assert_eq!(ask(&aws, Query::GetRestApis).await, Answer::RestApis(Vec::new()));
    assert_eq!(ask(&aws, stages).await, Answer::Stages(Vec::new()));
}

async fn plans_and_keys(aws: &Aws, rest_api: &str) {
    assert_eq!(ask(aws, Query::GetUsagePlans).await, Answer::UsagePlans(Vec::new()));
    let limit = Throttle { rate_rps: 2.0, burst: 1 };
    let methods = BTreeMap::from([(text("/predict/POST"), limit)]);
    let throttle = Some(Throttle { rate_rps: 100.5, burst: 50 });
    let quota = Some(Quota { limit: 1000, period: Period::Week });
    let change = Change::CreateUsagePlan {
        name: text("iris-free"),
        throttle,
        quota,
        rest_api: text(rest_api),
        stage: text("prod"),
        methods: methods.clone(),
        tags: tags(),
    };
    let plan = made(aws, change).await;
    let expected = observed::UsagePlan {
        id: plan.clone(),
        name: text("iris-free"),
        throttle,
        quota,
        stages: BTreeMap::from([(format!("{rest_api}:prod"), methods)]),
        tags: tags(),
        key_ids: Vec::new(),
    };
    assert_eq!(ask(aws, Query::GetUsagePlans).await, Answer::UsagePlans(vec![expected]));
    assert_eq!(ask(aws, Query::GetApiKeys).await, Answer::ApiKeys(Vec::new()));
    let key = made(aws, Change::CreateApiKey { name: text("alice"), tags: tags() }).await;
    let expected =
        observed::ApiKey { id: key.clone(), name: text("alice"), enabled: true, tags: tags() };
    assert_eq!(ask(aws, Query::GetApiKeys).await, Answer::ApiKeys(vec![expected]));
    let query = Query::GetApiKeyValue { api_key: key.clone() };
    let Answer::Secret(value) = ask(aws, query).await else { panic!() };
    assert!(value.expose().len() >= 20);
    let keys = Query::GetUsagePlanKeys { usage_plan: plan.clone() };
    assert_eq!(ask(aws, keys.clone()).await, Answer::Names(Vec::new()));
    let (usage_plan, api_key) = (plan.clone(), key.clone());
    let given = perform(aws, Change::CreateUsagePlanKey { usage_plan, api_key }).await;
    assert_eq!(given, Given::Nothing);
    assert_eq!(ask(aws, keys).await, Answer::Names(vec![key.clone()]));
    let patch =
        vec![PatchOperation::replace("/throttle/rateLimit", "7"), PatchOperation::remove("/quota")];
    perform(aws, Change::UpdateUsagePlan { usage_plan: plan.clone(), patch }).await;
    let Answer::UsagePlans(all) = ask(aws, Query::GetUsagePlans).await else { panic!() };
    assert_eq!(all[0].throttle, Some(Throttle { rate_rps: 7.0, burst: 50 }));
    assert_eq!(all[0].quota, None);
    perform(aws, Change::DeleteApiKey { api_key: key.clone() }).await;
    let gone = aws.ask(&Query::GetApiKeyValue { api_key: key }).await.unwrap_err();
    assert_eq!((gone.failed, gone.retry), (Failed::NotFound, Retry::Never), "{gone}");
    perform(aws, Change::DeleteUsagePlan { usage_plan: plan }).await;
    assert_eq!(ask(aws, Query::GetUsagePlans).await, Answer::UsagePlans(Vec::new()));
}
