//! Asks AWS for all that a plan decides on.
//!
//! What does not depend on another answer is asked at once, each question only when its object is
//! there: an endpoint that was never deployed costs one call a kind of object.

use super::calls::Calls;
use super::cloud::{CallError, Cloud, Failed, Retry};
use super::together::{Boxed, all};
use crate::plan::names::EXECUTION_POLICY;
use crate::plan::observed::{Bucket, Function, LogGroup, Object, Repository, RestApi, UsagePlan};
use crate::plan::{Answer, Names, Observed, Query};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Longest resource policy read, bytes; Lambda's own limit is 20 KiB.
const POLICY_BYTES_MAX: usize = 64 << 10;

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scope {
    /// Also the registry's repository (package `image`).
    pub repository: bool,
}

/// The answer of one kind, or the error that says which came instead.
macro_rules! ask {
    ($calls:expr, $query:expr, $kind:ident) => {{
        let query = $query;
        match $calls.ask(&query).await? {
            Answer::$kind(answer) => answer,
            _ => {
                return Err(unexpected(
                    &query,
                    "UnexpectedAnswer",
                    "an answer to another question",
                ));
            }
        }
    }};
}

/// Everything of one endpoint.
///
/// # Errors
/// A question was refused, or not answered after all attempts.
pub async fn observe<C: Cloud>(
    calls: Calls<'_, C>,
    names: &Names,
    scope: Scope,
) -> Result<Observed, CallError> {
    let (caller, account, lambda, storage, execution, log_groups, function, repository, api, keys) =
        tokio::try_join!(
            async { Ok::<_, CallError>(ask!(calls, Query::GetCallerIdentity, Caller)) },
            account(calls, names),
            async { Ok(ask!(calls, Query::GetLambdaAccountSettings, LambdaAccount)) },
            storage(calls, names),
            execution_role(calls, names),
            log_groups(calls, names),
            function(calls, names),
            repository(calls, names, scope),
            rest_api(calls, names),
            usage(calls, names),
        )?;
    let (api_gateway_account, account_role) = account;
    let (bucket, lock, objects) = storage;
    let (execution_role, execution_policy) = execution;
    let (usage_plans, api_keys) = keys;
    Ok(Observed {
        caller,
        api_gateway_account,
        lambda_account: lambda,
        account_role,
        bucket,
        lock,
        objects,
        execution_role,
        execution_policy,
        log_groups,
        function,
        repository,
        rest_api: api.own,
        other_rest_apis: api.others,
        rest_api_count: api.count,
        deployments: api.deployments,
        stages: api.stages,
        usage_plans,
        api_keys,
    })
}

fn unexpected(query: &Query, code: &str, message: &str) -> CallError {
    let (service, operation) = query.operation();
    CallError {
        service: service.prefix(),
        operation,
        object: "the answer".to_owned(),
        failed: Failed::Invalid,
        retry: Retry::Never,
        retry_after: None,
        code: code.to_owned(),
        message: message.to_owned(),
        request_id: None,
    }
}

type Account = (crate::plan::observed::ApiGatewayAccount, Option<crate::plan::observed::Role>);

async fn account<C: Cloud>(calls: Calls<'_, C>, names: &Names) -> Result<Account, CallError> {
    let account = ask!(calls, Query::GetApiGatewayAccount, ApiGatewayAccount);
    let role = match account.cloudwatch_role_arn {
        Some(_) => None,
        None => ask!(calls, Query::GetRole { role: names.account_role() }, Role),
    };
    Ok((account, role))
}

async fn storage<C: Cloud>(
    calls: Calls<'_, C>,
    names: &Names,
) -> Result<(Bucket, Option<Object>, Vec<String>), CallError> {
    let (bucket, owner) = (names.bucket.clone(), names.account_id.clone());
    match ask!(calls, Query::HeadBucket { bucket: bucket.clone(), owner: owner.clone() }, Bucket) {
        Bucket::Own(_) => {}
        other => return Ok((other, None, Vec::new())),
    }
    let at = || (bucket.clone(), owner.clone());
    let (tags, lock, objects) = tokio::try_join!(
        async {
            let (bucket, owner) = at();
            Ok::<_, CallError>(ask!(calls, Query::GetBucketTags { bucket, owner }, Tags))
        },
        async {
            let ((bucket, owner), key) = (at(), names.lock_key());
            Ok(ask!(calls, Query::GetObject { bucket, owner, key }, Object))
        },
        async {
            let ((bucket, owner), prefix) = (at(), names.object_prefix());
            Ok(ask!(calls, Query::ListObjects { bucket, owner, prefix }, Names))
        },
    )?;
    Ok((Bucket::Own(tags), lock, objects))
}

async fn execution_role<C: Cloud>(
    calls: Calls<'_, C>,
    names: &Names,
) -> Result<(Option<crate::plan::observed::Role>, Option<String>), CallError> {
    let role = names.execution_role();
    let observed = ask!(calls, Query::GetRole { role: role.clone() }, Role);
    if observed.is_none() {
        return Ok((None, None));
    }
    let policy = EXECUTION_POLICY.to_owned();
    Ok((observed, ask!(calls, Query::GetRolePolicy { role, policy }, Text)))
}

async fn log_groups<C: Cloud>(
    calls: Calls<'_, C>,
    names: &Names,
) -> Result<BTreeMap<String, LogGroup>, CallError> {
    let of_function = names.function_log_group();
    let prefix = format!("/gwtf/{}/", names.endpoint);
    let (own, others) = tokio::try_join!(
        // Every endpoint whose name goes on after this one's is under this prefix too.
        async {
            let prefix = of_function.clone();
            Ok::<_, CallError>(ask!(calls, Query::DescribeLogGroups { prefix }, LogGroups))
        },
        async { Ok(ask!(calls, Query::DescribeLogGroups { prefix }, LogGroups)) },
    )?;
    let found = own.into_iter().filter(|group| group.name == of_function).chain(others);
    let tagged = found.map(|group| {
        Box::pin(async move {
            let tags = ask!(calls, Query::ListLogGroupTags { arn: group.arn.clone() }, Tags);
            Ok((group.name.clone(), LogGroup { tags, ..group }))
        }) as Boxed<'_, Result<_, CallError>>
    });
    Ok(all(tagged).await?.into_iter().collect())
}

async fn function<C: Cloud>(
    calls: Calls<'_, C>,
    names: &Names,
) -> Result<Option<Function>, CallError> {
    let name = || names.function();
    let query = Query::GetFunction { function: name() };
    let Some(function) = ask!(calls, query, Function) else { return Ok(None) };
    let (aliases, versions, provisioned_concurrency) = tokio::try_join!(
        async {
            let aliases = ask!(calls, Query::ListAliases { function: name() }, Aliases);
            let with_permissions = aliases.into_iter().map(|mut alias| {
                Box::pin(async move {
                    let query = Query::GetPolicy { function: name(), alias: alias.name.clone() };
                    if let Some(policy) = ask!(calls, query.clone(), Text) {
                        alias.permissions = permissions(&policy)
                            .map_err(|why| unexpected(&query, "UnreadablePolicy", &why))?;
                    }
                    Ok(alias)
                }) as Boxed<'_, Result<_, CallError>>
            });
            all(with_permissions).await
        },
        async {
            Ok(ask!(calls, Query::ListVersionsByFunction { function: name() }, FunctionVersions))
        },
        async {
            let query = Query::ListProvisionedConcurrency { function: name() };
            Ok(ask!(calls, query, ProvisionedConcurrency))
        },
    )?;
    Ok(Some(Function { aliases, versions, provisioned_concurrency, ..*function }))
}

/// Statement ids of a resource policy, each with the source ARN of its condition, or an empty text
/// when it has none.
fn permissions(policy: &str) -> Result<BTreeMap<String, String>, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Policy {
        #[serde(default)]
        statement: Vec<Statement>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Statement {
        sid: String,
        #[serde(default)]
        condition: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
    }
    if policy.len() > POLICY_BYTES_MAX {
        return Err(format!("it is longer than {POLICY_BYTES_MAX} bytes"));
    }
    let policy: Policy = serde_json::from_str(policy).map_err(|error| error.to_string())?;
    let source_arn = |statement: &Statement| {
        let mut entries = statement.condition.values().flatten();
        let value = entries.find(|(key, _)| key.eq_ignore_ascii_case("aws:SourceArn"))?.1;
        Some(value.as_str()?.to_owned())
    };
    let entry = |statement: Statement| {
        let arn = source_arn(&statement).unwrap_or_default();
        (statement.sid, arn)
    };
    Ok(policy.statement.into_iter().map(entry).collect())
}

async fn repository<C: Cloud>(
    calls: Calls<'_, C>,
    names: &Names,
    scope: Scope,
) -> Result<Option<Repository>, CallError> {
    if !scope.repository {
        return Ok(None);
    }
    let repository = names.repository();
    let query = Query::DescribeRepository { repository: repository.clone() };
    let Some(observed) = ask!(calls, query, Repository) else { return Ok(None) };
    let policy = ask!(calls, Query::GetRepositoryPolicy { repository }, Text);
    Ok(Some(Repository { policy, ..observed }))
}

/// The REST APIs as the endpoint sees them.
struct RestApis {
    own: Option<RestApi>,
    others: Vec<RestApi>,
    count: usize,
    deployments: Vec<crate::plan::observed::Deployment>,
    stages: Vec<crate::plan::observed::Stage>,
}

async fn rest_api<C: Cloud>(calls: Calls<'_, C>, names: &Names) -> Result<RestApis, CallError> {
    let apis = ask!(calls, Query::GetRestApis, RestApis);
    let count = apis.len();
    let (mut tagged, untagged): (Vec<_>, Vec<_>) =
        apis.into_iter().partition(|api| names.owns(&api.tags));
    // Of several the same one each time, whatever order they come in.
    tagged.sort_by(|a, b| b.id.cmp(&a.id));
    let own = tagged.pop();
    let same_name = untagged.into_iter().filter(|api| api.name == names.endpoint);
    let others: Vec<RestApi> = tagged.into_iter().chain(same_name).collect();
    let Some(rest_api) = own.as_ref().map(|api| api.id.clone()) else {
        return Ok(RestApis { own, others, count, deployments: Vec::new(), stages: Vec::new() });
    };
    let (stages, mut deployments) = tokio::try_join!(
        async {
            let rest_api = rest_api.clone();
            Ok::<_, CallError>(ask!(calls, Query::GetStages { rest_api }, Stages))
        },
        async {
            let rest_api = rest_api.clone();
            Ok(ask!(calls, Query::GetDeployments { rest_api }, Deployments))
        },
    )?;
    deployments.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    Ok(RestApis { own, others, count, deployments, stages })
}

async fn usage<C: Cloud>(
    calls: Calls<'_, C>,
    names: &Names,
) -> Result<(Vec<UsagePlan>, Vec<crate::plan::observed::ApiKey>), CallError> {
    tokio::try_join!(
        async {
            let plans = ask!(calls, Query::GetUsagePlans, UsagePlans);
            let own = plans.into_iter().filter(|plan| names.owns(&plan.tags));
            let with_keys = own.map(|mut plan| {
                Box::pin(async move {
                    let query = Query::GetUsagePlanKeys { usage_plan: plan.id.clone() };
                    plan.key_ids = ask!(calls, query, Names);
                    Ok(plan)
                }) as Boxed<'_, Result<_, CallError>>
            });
            all(with_keys).await
        },
        async {
            let keys = ask!(calls, Query::GetApiKeys, ApiKeys);
            Ok(keys.into_iter().filter(|key| names.owns(&key.tags)).collect())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_the_statements_source_arns() {
        let policy = r#"{"Version":"2012-10-17","Id":"default","Statement":[
            {"Sid":"a","Effect":"Allow","Condition":{"ArnLike":{"AWS:SourceArn":"arn:x"}}},
            {"Sid":"b","Effect":"Allow","Condition":{"StringEquals":{"aws:SourceAccount":"1"},
             "StringLike":{"aws:SourceArn":"arn:y"}}},
            {"Sid":"c","Effect":"Allow"}]}"#;
        let expected = [("a", "arn:x"), ("b", "arn:y"), ("c", "")];
        let expected = expected.map(|(sid, arn)| (sid.to_owned(), arn.to_owned()));
        assert_eq!(permissions(policy), Ok(BTreeMap::from(expected)));
        assert!(permissions("{").is_err());
        assert!(permissions(&" ".repeat(POLICY_BYTES_MAX + 1)).unwrap_err().contains("longer"));
    }
}
