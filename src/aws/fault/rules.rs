//! What an error code of AWS means to gwtf, as a table.
//!
//! Codes: "Common errors" and "Errors" of each operation in the services' API references, and the
//! SDKs' list of throttling codes (AWS SDKs and Tools reference, "Retry behavior").

use crate::apply::{Failed, Retry};

/// The first rule that fits decides.
struct Rule {
    /// Codes; `*` at the end stands for anything.
    codes: &'static [&'static str],
    /// What the message has to contain, in lower case; empty for any.
    words: &'static str,
    failed: Failed,
    retry: Retry,
}

const fn rule(
    codes: &'static [&'static str],
    words: &'static str,
    failed: Failed,
    retry: Retry,
) -> Rule {
    Rule { codes, words, failed, retry }
}

const RULES: &[Rule] = &[
    rule(
        &[
            "Throttl*",
            "TooManyRequests*",
            "RequestLimitExceeded",
            "RequestThrottled*",
            "SlowDown",
            "BandwidthLimitExceeded",
        ],
        "",
        Failed::Throttled,
        Retry::Safe,
    ),
    rule(&["*"], "rate exceeded", Failed::Throttled, Retry::Safe),
    // A role is known to other services seconds after IAM made it.
    rule(&["InvalidParameterValue*"], "cannot be assumed by lambda", Failed::NotReady, Retry::Safe),
    rule(
        &["InvalidParameterValue*"],
        "does not have permissions to call puttracesegments",
        Failed::NotReady,
        Retry::Safe,
    ),
    // While the weights of an alias that has just been moved settle (hashicorp/terraform#24957).
    rule(&["InvalidParameterValue*"], "alias with weights", Failed::NotReady, Retry::Safe),
    rule(
        &["BadRequest*"],
        "could not successfully write to cloudwatch logs",
        Failed::NotReady,
        Retry::Safe,
    ),
    rule(
        &["ConflictException"],
        "another deployment is in progress",
        Failed::NotReady,
        Retry::Safe,
    ),
    rule(
        &["BadRequest*"],
        "role arn does not have required permissions",
        Failed::NotReady,
        Retry::Safe,
    ),
    rule(&["ResourceConflict*"], "update is in progress", Failed::NotReady, Retry::Safe),
    rule(&["ResourceConflict*"], "in the following state: pending", Failed::NotReady, Retry::Safe),
    rule(&["ConflictException"], "concurrent modification", Failed::NotReady, Retry::Safe),
    rule(
        &[
            "ConditionalRequestConflict",
            "OperationAborted*",
            "ConcurrentModification*",
            "EntityTemporarilyUnmodifiable*",
            "ResourceNotReady*",
        ],
        "",
        Failed::NotReady,
        Retry::Safe,
    ),
    rule(
        &["InvalidParameterValue*"],
        "unreservedconcurrentexecution below its minimum",
        Failed::Quota,
        Retry::Never,
    ),
    rule(
        &[
            "LimitExceeded*",
            "CodeStorageExceeded*",
            "PolicyLengthExceeded*",
            "ServiceQuotaExceeded*",
            "TooManyBuckets",
        ],
        "",
        Failed::Quota,
        Retry::Never,
    ),
    rule(
        &[
            "ResourceConflict*",
            "EntityAlreadyExists*",
            "Conflict*",
            "ResourceAlreadyExists*",
            "RepositoryAlreadyExists*",
            "RepositoryNotEmpty*",
            "BucketAlreadyExists",
            "BucketAlreadyOwnedByYou",
            "BucketNotEmpty",
            "DeleteConflict*",
            "ResourceInUse*",
        ],
        "",
        Failed::Conflict,
        Retry::Never,
    ),
    rule(&["PreconditionFailed*"], "", Failed::Precondition, Retry::Never),
    rule(
        &[
            "ExpiredToken*",
            "RequestExpired",
            "InvalidClientTokenId",
            "UnrecognizedClient*",
            "InvalidSignature*",
            "SignatureDoesNotMatch",
            "IncompleteSignature*",
            "InvalidAccessKeyId",
            "InvalidToken",
            "InvalidSecurityToken",
            "TokenRefreshRequired",
            "MissingAuthenticationToken*",
            "RequestTimeTooSkewed",
            "AuthFailure",
        ],
        "",
        Failed::Credentials,
        Retry::Never,
    ),
    rule(
        &["AccessDenied*", "Unauthorized*", "AllAccessDisabled", "OptInRequired"],
        "",
        Failed::Denied,
        Retry::Never,
    ),
    rule(
        &[
            "NoSuchEntity*",
            "NoSuchBucket",
            "NoSuchKey",
            "NoSuchTagSet",
            "NotFound",
            "NotFoundException",
            "ResourceNotFound*",
            "RepositoryNotFound*",
            "RepositoryPolicyNotFound*",
            "ProvisionedConcurrencyConfigNotFound*",
        ],
        "",
        Failed::NotFound,
        Retry::Never,
    ),
    // S3 waited for the rest of a body.
    rule(&["RequestTimeout*"], "", Failed::NoReply, Retry::Unknown),
];

/// What a refusal means; by the code where it says something, else by the status.
pub(super) fn judge(status: u16, code: &str, message: &str) -> (Failed, Retry) {
    let message = message.to_ascii_lowercase();
    let fits = |rule: &&Rule| {
        rule.codes.iter().any(|pattern| matches(pattern, code)) && message.contains(rule.words)
    };
    if let Some(rule) = RULES.iter().find(fits) {
        return (rule.failed, rule.retry);
    }
    match status {
        401 | 403 => (Failed::Denied, Retry::Never),
        // 404 alone may be any web server's: a thing is missing only where its service says so.
        408 => (Failed::NoReply, Retry::Unknown),
        409 => (Failed::Conflict, Retry::Never),
        412 => (Failed::Precondition, Retry::Never),
        429 => (Failed::Throttled, Retry::Safe),
        500.. => (Failed::Server, Retry::Unknown),
        _ => (Failed::Invalid, Retry::Never),
    }
}

fn matches(pattern: &str, code: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => code.starts_with(beginning),
        None => code == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Failed::*;
    use Retry::{Never, Safe, Unknown};

    /// Status, code, message, and what they mean.
    const CASES: &[(u16, &str, &str, Failed, Retry)] = &[
        (429, "TooManyRequestsException", "Too Many Requests", Throttled, Safe),
        (400, "ThrottlingException", "Rate exceeded", Throttled, Safe),
        (400, "Throttling", "", Throttled, Safe),
        (400, "RequestLimitExceeded", "", Throttled, Safe),
        (503, "SlowDown", "Please reduce your request rate.", Throttled, Safe),
        (400, "Anything", "Rate exceeded", Throttled, Safe),
        (429, "", "", Throttled, Safe),
        (429, "LimitExceededException", "Maximum number of APIs", Quota, Never),
        (409, "LimitExceeded", "Cannot exceed quota for RolesPerAccount", Quota, Never),
        (400, "CodeStorageExceededException", "", Quota, Never),
        (
            400,
            "InvalidParameterValueException",
            "Specified ReservedConcurrentExecutions for function decreases account's \
                 UnreservedConcurrentExecution below its minimum value of [10].",
            Quota,
            Never,
        ),
        (
            400,
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
            NotReady,
            Safe,
        ),
        (400, "InvalidParameterValueException", "bad memory", Invalid, Never),
        (
            400,
            "BadRequestException",
            "The role ARN does not have required permissions configured. Please grant trust \
                 permission for API Gateway",
            NotReady,
            Safe,
        ),
        (400, "BadRequestException", "Invalid stage", Invalid, Never),
        (
            409,
            "ResourceConflictException",
            "The operation cannot be performed at this time. An update is in progress for \
                 resource: arn:aws:lambda:…",
            NotReady,
            Safe,
        ),
        (
            409,
            "ResourceConflictException",
            "The operation cannot be performed at this time. The function is currently in the \
                 following state: Pending",
            NotReady,
            Safe,
        ),
        (409, "ResourceConflictException", "Function already exist: f", Conflict, Never),
        (409, "EntityAlreadyExists", "Role with name r already exists.", Conflict, Never),
        (
            409,
            "ConflictException",
            "Unable to complete operation due to concurrent modification. Please try again \
                 later.",
            NotReady,
            Safe,
        ),
        (409, "ConflictException", "Stage already exists", Conflict, Never),
        (400, "ResourceAlreadyExistsException", "", Conflict, Never),
        (409, "BucketAlreadyOwnedByYou", "", Conflict, Never),
        (412, "PreconditionFailed", "", Precondition, Never),
        (412, "", "", Precondition, Never),
        (409, "ConditionalRequestConflict", "", NotReady, Safe),
        (409, "OperationAborted", "", NotReady, Safe),
        (403, "ExpiredToken", "", Credentials, Never),
        (403, "ExpiredTokenException", "", Credentials, Never),
        (403, "InvalidClientTokenId", "", Credentials, Never),
        (403, "UnrecognizedClientException", "", Credentials, Never),
        (403, "InvalidSignatureException", "", Credentials, Never),
        (403, "SignatureDoesNotMatch", "", Credentials, Never),
        (403, "AccessDenied", "", Denied, Never),
        (403, "AccessDeniedException", "", Denied, Never),
        (403, "", "", Denied, Never),
        (404, "NoSuchEntity", "", NotFound, Never),
        (404, "NotFoundException", "", NotFound, Never),
        (404, "RepositoryPolicyNotFoundException", "", NotFound, Never),
        (404, "", "", Invalid, Never),
        (404, "UnknownOperationException", "", Invalid, Never),
        (500, "ServiceException", "", Server, Unknown),
        (503, "ServiceUnavailable", "", Server, Unknown),
        (502, "", "", Server, Unknown),
        (400, "RequestTimeout", "", NoReply, Unknown),
        (400, "MalformedPolicyDocument", "", Invalid, Never),
    ];

    #[test]
    fn each_code_has_its_meaning() {
        for (status, code, message, failed, retry) in CASES {
            let judged = judge(*status, code, message);
            assert_eq!(judged, (*failed, *retry), "{status} {code}: {message}");
        }
    }
}
