//! What the rehearsed account refuses, as AWS does.

use super::run::{look, names, release, run};
use gwtf::apply::rehearsal::{Knobs, Rehearsal};
use gwtf::apply::{Cloud, Failed};
use gwtf::plan::change::{Given, PatchOperation};
use gwtf::plan::{Change, Observed};

/// An account with a live version.
async fn account() -> Rehearsal {
    let cloud = Rehearsal::new(&names(), Knobs::default());
    run(&cloud, |observed: &Observed| release("v1", observed)).await.unwrap();
    cloud
}

async fn refused(cloud: &Rehearsal, change: Change) -> (Failed, String) {
    let error = cloud.perform(&change).await.expect_err("it is refused");
    (error.failed, error.code)
}

#[tokio::test]
async fn names_are_taken_once() {
    let (cloud, names) = (account().await, names());
    let (function, alias) = (names.function(), "v1".to_owned());
    let cases = [
        Change::CreateLogGroup { log_group: names.function_log_group(), tags: names.tags() },
        Change::CreateAlias {
            function: function.clone(),
            alias: alias.clone(),
            version: "1".to_owned(),
            description: String::new(),
        },
        Change::AddPermission {
            function,
            alias,
            statement: "gwtf".to_owned(),
            source_arn: "arn".to_owned(),
        },
        Change::CreateRole {
            role: names.execution_role(),
            path: "/gwtf/".to_owned(),
            description: String::new(),
            trust: "{}".to_owned(),
            boundary: None,
            tags: names.tags(),
        },
    ];
    for change in cases {
        assert_eq!(refused(&cloud, change.clone()).await.0, Failed::Conflict, "{change:?}");
    }
}

#[tokio::test]
async fn what_others_hang_on_is_not_deleted() {
    let (cloud, names) = (account().await, names());
    let observed = look(&cloud).await;
    let rest_api = observed.rest_api.unwrap().id;
    let live = observed.deployments[0].id.clone();
    let conflict = |code: &str| (Failed::Conflict, code.to_owned());
    let role = Change::DeleteRole { role: names.execution_role() };
    assert_eq!(refused(&cloud, role).await, conflict("DeleteConflict"));
    let (function, version) = (names.function(), "1".to_owned());
    let version = Change::DeleteFunctionVersion { function: function.clone(), version };
    assert_eq!(refused(&cloud, version).await, conflict("ResourceConflictException"));
    let pinned = Change::DeleteDeployment { rest_api: rest_api.clone(), deployment: live };
    assert_eq!(refused(&cloud, pinned).await.0, Failed::Invalid);
    let plan = Change::CreateUsagePlan {
        name: "plan".to_owned(),
        throttle: None,
        quota: None,
        rest_api: rest_api.clone(),
        stage: names.stage.clone(),
        methods: Default::default(),
        tags: names.tags(),
    };
    let Given::Id(usage_plan) = cloud.perform(&plan).await.unwrap() else { panic!("an id") };
    let delete = Change::DeleteUsagePlan { usage_plan: usage_plan.clone() };
    assert_eq!(refused(&cloud, delete.clone()).await.0, Failed::Invalid);
    let mut remove = PatchOperation::remove("/apiStages");
    remove.value = Some(format!("{rest_api}:{}", names.stage));
    cloud.perform(&Change::UpdateUsagePlan { usage_plan, patch: vec![remove] }).await.unwrap();
    cloud.perform(&delete).await.unwrap();
}

#[tokio::test]
async fn access_logs_need_the_accounts_role() {
    let (cloud, names) = (account().await, names());
    let rest_api = look(&cloud).await.rest_api.unwrap().id;
    let arn = names.log_group_arn(&names.access_log_group());
    let update = Change::UpdateStage {
        rest_api,
        stage: names.stage.clone(),
        patch: vec![PatchOperation::replace("/accessLogSettings/destinationArn", arn)],
    };
    assert_eq!(refused(&cloud, update.clone()).await.0, Failed::Invalid);
    let role = names.account_role();
    let account = Change::UpdateAccount { cloudwatch_role_arn: names.role_arn(&role) };
    assert_eq!(refused(&cloud, account.clone()).await.0, Failed::NotReady, "there is no such role");
    let create = Change::CreateRole {
        role: role.clone(),
        path: "/gwtf/".to_owned(),
        description: String::new(),
        trust: "{}".to_owned(),
        boundary: None,
        tags: Default::default(),
    };
    let attach = Change::AttachRolePolicy { role, policy_arn: names.log_policy_arn() };
    for change in [create, attach, account, update] {
        cloud.perform(&change).await.unwrap();
    }
}

#[tokio::test]
async fn a_deployment_is_a_snapshot_and_the_data_plane_follows_it() {
    let (cloud, names) = (account().await, names());
    let rest_api = look(&cloud).await.rest_api.unwrap().id;
    let served = || cloud.answers(&names, "POST", "/predict").unwrap().live;
    let before = served().unwrap();
    let document = r#"{"info":{"title":"iris"},"paths":{"/other":{"post":{}}}}"#.to_owned();
    cloud.perform(&Change::PutRestApi { rest_api, document }).await.unwrap();
    assert_eq!(served(), Ok(before), "an import alone changes nothing");
    let (function, alias) = (names.function(), "v1".to_owned());
    let statement = "gwtf".to_owned();
    let remove = Change::RemovePermission { function: function.clone(), alias, statement };
    cloud.perform(&remove).await.unwrap();
    assert!(served().unwrap_err().contains("no permission"));
    cloud.perform(&Change::DeleteFunction { function }).await.unwrap();
    assert!(served().unwrap_err().contains("is not there"));
}
