//! REST APIs, deployments, stages, usage plans, keys.

use super::OWNER;
use crate::aws_port::{REGION, ask, made, perform, tags, text};
use crate::support::aws::moto::Moto;
use gwtf::apply::{Cloud as _, Failed, Retry};
use gwtf::aws::Aws;
use gwtf::plan::change::{Change, Given, PatchOperation};
use gwtf::plan::observed;
use gwtf::plan::query::{Answer, Query};
use gwtf::spec::{Period, Quota, Throttle};
use std::collections::BTreeMap;

const DOCUMENT: &str = r#"{"openapi": "3.0.1", "info": {"title": "iris", "version": "1", "description": "é"}, "paths": {"/predict": {"post": {"responses": {"200": {"description": "ok"}}, "x-amazon-apigateway-integration": {"type": "mock", "uri": "x", "httpMethod": "POST"}}}}}"#;

#[tokio::test]
async fn an_api_from_its_making_to_its_end() {
    let moto = Moto::start();
    let aws = Aws::emulated(REGION, &moto.endpoint.url).await;
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
    // A plan that is for a stage cannot be deleted.
    let off = |stage: &String| PatchOperation {
        value: Some(stage.clone()),
        ..PatchOperation::remove("/apiStages")
    };
    let patch = all[0].stages.keys().map(off).collect();
    perform(aws, Change::UpdateUsagePlan { usage_plan: plan.clone(), patch }).await;
    perform(aws, Change::DeleteUsagePlan { usage_plan: plan }).await;
    assert_eq!(ask(aws, Query::GetUsagePlans).await, Answer::UsagePlans(Vec::new()));
}
