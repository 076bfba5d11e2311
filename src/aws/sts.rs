//! STS: who the credentials are.

use super::fault::{Fault, required};
use crate::plan::observed::Caller;
use crate::plan::query::Answer;
use aws_sdk_sts::Client;

/// The caller.
pub(super) async fn caller(client: &Client) -> Result<Answer, Fault> {
    let output = client.get_caller_identity().send().await?;
    Ok(Answer::Caller(Caller {
        account_id: required(output.account, "Account")?,
        arn: required(output.arn, "Arn")?,
    }))
}
