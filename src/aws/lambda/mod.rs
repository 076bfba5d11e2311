//! Lambda: functions, versions, aliases, their permissions and concurrency.

mod read;
mod zip;

pub(super) use read::*;

use super::configuration::upload_timeouts;
use super::fault::{Fault, required, sendable};
use crate::plan::change::{Code, CreateFunction, FunctionSettings, Given};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture, Environment, FunctionCode, PackageType, Runtime, TracingConfig, TracingMode,
};

/// What a zip starts; Lambda looks for nothing else in an OS-only runtime, but wants a name.
const HANDLER: &str = "bootstrap";
/// The action that a permission is for, and for whom.
const INVOKE: &str = "lambda:InvokeFunction";
const API_GATEWAY: &str = "apigateway.amazonaws.com";

fn environment(settings: &FunctionSettings) -> Environment {
    let variables = settings.environment.clone().into_iter().collect();
    Environment::builder().set_variables(Some(variables)).build()
}

fn tracing(settings: &FunctionSettings) -> TracingConfig {
    let mode = if settings.tracing { TracingMode::Active } else { TracingMode::PassThrough };
    TracingConfig::builder().mode(mode).build()
}

/// Makes a function and publishes its first version.
pub(super) async fn create(client: &Client, new: &CreateFunction) -> Result<Given, Fault> {
    let code = FunctionCode::builder();
    let (code, package) = match &new.code {
        Code::Zip { path, sha256 } => {
            (code.zip_file(Blob::new(zip::read(path, sha256).await?)), PackageType::Zip)
        }
        Code::Object { bucket, key, .. } => (code.s3_bucket(bucket).s3_key(key), PackageType::Zip),
        Code::Image { uri, .. } => (code.image_uri(uri), PackageType::Image),
    };
    let mut call = client
        .create_function()
        .function_name(&new.function)
        .description(&new.description)
        .role(&new.settings.role)
        .memory_size(sendable(new.settings.memory_mib)?)
        .timeout(sendable(new.settings.timeout_s)?)
        .environment(environment(&new.settings))
        .tracing_config(tracing(&new.settings))
        .architectures(Architecture::from(new.architecture.as_str()))
        .set_tags(Some(new.tags.clone().into_iter().collect()))
        .publish(true)
        .code(code.build());
    if package == PackageType::Zip {
        call = call.runtime(Runtime::Providedal2023).handler(HANDLER);
    }
    let call = call.package_type(package).customize();
    let call = call.config_override(Builder::new().timeout_config(upload_timeouts()));
    Ok(Given::Id(required(call.send().await?.version, "Version")?))
}

/// Replaces the code and publishes a version.
pub(super) async fn update_code(
    client: &Client,
    function: &str,
    code: &Code,
    architecture: &str,
) -> Result<Given, Fault> {
    let call = client.update_function_code().function_name(function).publish(true);
    let call = call.architectures(Architecture::from(architecture));
    let call = match code {
        Code::Zip { path, sha256 } => call.zip_file(Blob::new(zip::read(path, sha256).await?)),
        Code::Object { bucket, key, .. } => call.s3_bucket(bucket).s3_key(key),
        Code::Image { uri, .. } => call.image_uri(uri),
    };
    let call = call.customize();
    let call = call.config_override(Builder::new().timeout_config(upload_timeouts()));
    Ok(Given::Id(required(call.send().await?.version, "Version")?))
}

pub(super) async fn update_settings(
    client: &Client,
    function: &str,
    settings: &FunctionSettings,
) -> Result<Given, Fault> {
    client
        .update_function_configuration()
        .function_name(function)
        .role(&settings.role)
        .memory_size(sendable(settings.memory_mib)?)
        .timeout(sendable(settings.timeout_s)?)
        .environment(environment(settings))
        .tracing_config(tracing(settings))
        .send()
        .await?;
    Ok(Given::Nothing)
}

/// Publishes `$LATEST` if it is that code still; the same version again when nothing changed.
pub(super) async fn publish(
    client: &Client,
    function: &str,
    code_sha256: &str,
) -> Result<Given, Fault> {
    let call = client.publish_version().function_name(function).code_sha256(code_sha256);
    Ok(Given::Id(required(call.send().await?.version, "Version")?))
}

pub(super) async fn create_alias(
    client: &Client,
    function: &str,
    alias: &str,
    version: &str,
    description: &str,
) -> Result<Given, Fault> {
    let call = client.create_alias().function_name(function).name(alias);
    call.function_version(version).description(description).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn move_alias(
    client: &Client,
    function: &str,
    alias: &str,
    version: &str,
) -> Result<Given, Fault> {
    let call = client.update_alias().function_name(function).name(alias);
    call.function_version(version).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn delete_alias(
    client: &Client,
    function: &str,
    alias: &str,
) -> Result<Given, Fault> {
    client.delete_alias().function_name(function).name(alias).send().await?;
    Ok(Given::Nothing)
}

/// Lets API Gateway invoke an alias from the methods of `source_arn`.
pub(super) async fn permit(
    client: &Client,
    function: &str,
    alias: &str,
    statement: &str,
    source_arn: &str,
) -> Result<Given, Fault> {
    client
        .add_permission()
        .function_name(function)
        .qualifier(alias)
        .statement_id(statement)
        .action(INVOKE)
        .principal(API_GATEWAY)
        .source_arn(source_arn)
        .send()
        .await?;
    Ok(Given::Nothing)
}

pub(super) async fn forbid(
    client: &Client,
    function: &str,
    alias: &str,
    statement: &str,
) -> Result<Given, Fault> {
    let call = client.remove_permission().function_name(function).qualifier(alias);
    call.statement_id(statement).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn reserve(
    client: &Client,
    function: &str,
    reserved: u32,
) -> Result<Given, Fault> {
    let call = client.put_function_concurrency().function_name(function);
    call.reserved_concurrent_executions(sendable(reserved)?).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn unreserve(client: &Client, function: &str) -> Result<Given, Fault> {
    client.delete_function_concurrency().function_name(function).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn keep_warm(
    client: &Client,
    function: &str,
    alias: &str,
    provisioned: u32,
) -> Result<Given, Fault> {
    let call = client.put_provisioned_concurrency_config().function_name(function);
    let call = call.qualifier(alias).provisioned_concurrent_executions(sendable(provisioned)?);
    call.send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn let_cool(client: &Client, function: &str, alias: &str) -> Result<Given, Fault> {
    let call = client.delete_provisioned_concurrency_config().function_name(function);
    call.qualifier(alias).send().await?;
    Ok(Given::Nothing)
}

/// Deletes one version, or with `None` the function with all of them.
pub(super) async fn delete(
    client: &Client,
    function: &str,
    version: Option<&str>,
) -> Result<Given, Fault> {
    let call = client.delete_function().function_name(function);
    call.set_qualifier(version.map(str::to_owned)).send().await?;
    Ok(Given::Nothing)
}
