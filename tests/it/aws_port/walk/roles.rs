//! Roles, log groups, repositories.

use super::{OWNER, create_role, trust};
use crate::aws_port::{REGION, ask, perform, refused, tags, text};
use crate::support::aws::moto::Moto;
use gwtf::apply::{Failed, Retry};
use gwtf::aws::Aws;
use gwtf::plan::change::Change;
use gwtf::plan::observed;
use gwtf::plan::query::{Answer, Query};
use std::collections::BTreeMap;

const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "arn:aws:logs:*:*:log-group:/aws/lambda/gwtf-a+b:*"}]}"#;

#[tokio::test]
async fn roles_and_policies() {
    let moto = Moto::start();
    let aws = Aws::emulated(REGION, &moto.endpoint.url).await;
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
    let aws = Aws::emulated(REGION, &moto.endpoint.url).await;
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
