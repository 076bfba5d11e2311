//! Functions, versions, aliases.

use super::{OWNER, create_role, file};
use crate::aws_port::{REGION, ask, made, perform, refused, tags, text};
use crate::support::aws::moto::Moto;
use gwtf::apply::{Failed, Retry};
use gwtf::aws::Aws;
use gwtf::plan::change::{Change, Code, CreateFunction, FunctionSettings};
use gwtf::plan::observed::{self, FunctionConfiguration};
use gwtf::plan::query::{Answer, Query};
use std::collections::BTreeMap;

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
    let aws = Aws::emulated(REGION, &moto.endpoint.url).await;
    let name = || text("gwtf-iris");
    let get = Query::GetFunction { function: name() };
    let aliases = Query::ListAliases { function: name() };
    let versions = Query::ListVersionsByFunction { function: name() };
    assert_eq!(ask(&aws, get.clone()).await, Answer::Function(None));
    assert_eq!(ask(&aws, aliases.clone()).await, Answer::Aliases(Vec::new()));
    assert_eq!(ask(&aws, versions.clone()).await, Answer::FunctionVersions(Vec::new()));
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
    // moto says of a role that is not there what Lambda says of one that it does not know yet.
    let early = refused(&aws, create.clone()).await;
    assert_eq!((early.failed, early.retry), (Failed::NotReady, Retry::Safe), "{early}");
    create_role(&aws, "gwtf-iris", None).await;
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
