//! The access-log format: `$context` variables in one line, the same text on AWS and in the twin.
//!
//! Parsed once when a contract is compiled; the twin fills the pieces, the AWS side sends the text.
//! Names: "Variables for access logging" of the API Gateway developer guide.
//!
//! # Invariants
//! - The API key itself is never logged: a format that names `$context.identity.apiKey` is refused.
//! - `$context.gwtf.*` exists in the twin alone and never reaches AWS.
//!
//! Differs: an unknown variable is refused, where AWS prints `-` for it.

use super::limits::ACCESS_LOG_FORMAT_BYTES_MAX;
use crate::error::{Exit, Explain};

/// The format that endpoints get unless told otherwise. `limiter` is dropped for AWS.
pub const FORMAT_JSON: &str = concat!(
    r#"{"requestId":"$context.requestId","extendedRequestId":"$context.extendedRequestId","#,
    r#""ip":"$context.identity.sourceIp","requestTime":"$context.requestTime","#,
    r#""requestTimeEpoch":"$context.requestTimeEpoch","httpMethod":"$context.httpMethod","#,
    r#""path":"$context.path","resourcePath":"$context.resourcePath","#,
    r#""protocol":"$context.protocol","status":"$context.status","#,
    r#""responseLength":"$context.responseLength","responseLatency":"$context.responseLatency","#,
    r#""integrationLatency":"$context.integrationLatency","#,
    r#""integrationStatus":"$context.integrationStatus","#,
    r#""apiKeyId":"$context.identity.apiKeyId","userAgent":"$context.identity.userAgent","#,
    r#""errorType":"$context.error.responseType","error":"$context.error.message","#,
    r#""limiter":"$context.gwtf.limiter"}"#
);

/// What a `$context` variable stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the variable of that name")]
pub enum Variable {
    RequestId,
    ExtendedRequestId,
    HttpMethod,
    Path,
    ResourcePath,
    Protocol,
    Stage,
    DomainName,
    DomainPrefix,
    RequestTime,
    RequestTimeEpoch,
    SourceIp,
    UserAgent,
    ApiKeyId,
    Status,
    ResponseLength,
    ResponseLatency,
    /// Status of the Lambda API, or of the HTTP endpoint.
    IntegrationStatus,
    /// Status that the function itself returned, or of the HTTP endpoint.
    IntegrationReplyStatus,
    IntegrationLatency,
    IntegrationError,
    ErrorMessage,
    /// The message as a JSON string, quotes included.
    ErrorMessageString,
    ErrorResponseType,
    ErrorValidation,
    /// Twin only: which limiter refused the request.
    Limiter,
    /// Known on AWS, without a value here; prints `-`.
    Unset,
}

use Variable as V;

/// Names behind `$context.` that have a value in the twin.
const NAMED: &[(&str, Variable)] = &[
    ("requestId", V::RequestId),
    ("extendedRequestId", V::ExtendedRequestId),
    ("httpMethod", V::HttpMethod),
    ("path", V::Path),
    ("resourcePath", V::ResourcePath),
    ("protocol", V::Protocol),
    ("stage", V::Stage),
    ("domainName", V::DomainName),
    ("domainPrefix", V::DomainPrefix),
    ("requestTime", V::RequestTime),
    ("requestTimeEpoch", V::RequestTimeEpoch),
    ("identity.sourceIp", V::SourceIp),
    ("identity.userAgent", V::UserAgent),
    ("identity.apiKeyId", V::ApiKeyId),
    ("status", V::Status),
    ("responseLength", V::ResponseLength),
    ("responseLatency", V::ResponseLatency),
    ("integrationStatus", V::IntegrationStatus),
    ("integration.integrationStatus", V::IntegrationStatus),
    ("integration.status", V::IntegrationReplyStatus),
    ("integrationLatency", V::IntegrationLatency),
    ("integration.latency", V::IntegrationLatency),
    ("integrationErrorMessage", V::IntegrationError),
    ("integration.error", V::IntegrationError),
    ("error.message", V::ErrorMessage),
    ("error.messageString", V::ErrorMessageString),
    ("error.responseType", V::ErrorResponseType),
    ("error.validationErrorString", V::ErrorValidation),
    ("gwtf.limiter", V::Limiter),
];

/// Names behind `$context.` that AWS knows and the twin has no value for.
const UNSET: &[&str] = &[
    "accountId",
    "apiId",
    "awsEndpointRequestId",
    "deploymentId",
    "resourceId",
    "isCanaryRequest",
    "wafResponseCode",
    "webaclArn",
    "xrayTraceId",
    "customDomain.basePathMatched",
    "integration.requestId",
    "authorize.error",
    "authorize.latency",
    "authorize.status",
    "authenticate.error",
    "authenticate.latency",
    "authenticate.status",
    "waf.error",
    "waf.latency",
    "waf.status",
    "identity.accountId",
    "identity.caller",
    "identity.cognitoAuthenticationProvider",
    "identity.cognitoAuthenticationType",
    "identity.cognitoIdentityId",
    "identity.cognitoIdentityPoolId",
    "identity.principalOrgId",
    "identity.user",
    "identity.userArn",
    "identity.vpcId",
    "identity.vpceId",
];
/// Families of such names whose last part is free.
const UNSET_FAMILIES: &[&str] =
    &["authorizer.", "identity.clientCert.", "requestOverride.", "responseOverride."];

/// A piece of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text as it is.
    Text(String),
    /// A value to fill in.
    Variable(Variable),
}

/// A parsed access-log format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    text: String,
    pieces: Vec<Piece>,
}

/// Why a format was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It would write a secret.
    #[error("access-log format: `$context.identity.apiKey` is the API key itself")]
    LogsApiKey,
    /// AWS has no such variable.
    #[error("access-log format: there is no variable `${name}`")]
    UnknownVariable {
        /// The name as written, without the dollar sign.
        name: String,
    },
    /// AWS refuses it.
    #[error("access-log format: {0}")]
    Shape(&'static str),
    /// It names what only the twin has, in a place that cannot be cut out.
    #[error("access-log format: `$context.gwtf.limiter` exists in the local twin alone")]
    TwinOnly,
}

impl Explain for FormatError {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::LogsApiKey => "log `$context.identity.apiKeyId` instead".to_owned(),
            Self::UnknownVariable { .. } => {
                "the names are under \"Variables for access logging\" in AWS's guide".to_owned()
            }
            Self::Shape(_) => "one line of at most 3072 bytes with `$context.requestId`".to_owned(),
            Self::TwinOnly => {
                "write it as a member of a JSON object, or leave it out for AWS".to_owned()
            }
        })
    }
}

impl Format {
    /// Reads a format.
    ///
    /// # Errors
    /// More than one line, too long, without a request id, an unknown variable, or one that would
    /// log the API key.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        if text.contains(['\n', '\r']) {
            return Err(FormatError::Shape("it has more than one line"));
        }
        if text.len() > ACCESS_LOG_FORMAT_BYTES_MAX {
            return Err(FormatError::Shape("it is too long"));
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, name, after)) = next_variable(rest) {
            push_text(&mut pieces, before);
            pieces.push(Piece::Variable(variable(name)?));
            rest = after;
        }
        push_text(&mut pieces, rest);
        let has = |wanted| pieces.contains(&Piece::Variable(wanted));
        if !has(V::RequestId) && !has(V::ExtendedRequestId) {
            return Err(FormatError::Shape("it has no request id"));
        }
        Ok(Self { text: text.to_owned(), pieces })
    }

    /// The pieces in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The text for AWS: JSON members that only the twin has are cut out.
    ///
    /// # Errors
    /// A twin-only variable stands where it cannot be cut out.
    pub fn for_aws(&self) -> Result<String, FormatError> {
        let mut text = self.text.clone();
        while let Some(at) = text.find(TWIN_ONLY) {
            let cut = json_member_around(&text, at).ok_or(FormatError::TwinOnly)?;
            text.replace_range(cut, "");
        }
        Ok(text)
    }
}

const TWIN_ONLY: &str = "$context.gwtf.";

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

/// Splits at the next `$context.NAME` or `$stageVariables.NAME`; a full stop that ends a sentence
/// is no part of the name.
fn next_variable(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.match_indices('$').map(|(at, _)| at).find(|at| {
        let behind = &text[at + 1..];
        behind.starts_with("context.") || behind.starts_with("stageVariables.")
    })?;
    let behind = &text[start + 1..];
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
    let end = behind.find(|c| !is_name(c)).unwrap_or(behind.len());
    let name = behind[..end].trim_end_matches('.');
    Some((&text[..start], name, &behind[name.len()..]))
}

fn variable(name: &str) -> Result<Variable, FormatError> {
    let unknown = || FormatError::UnknownVariable { name: name.to_owned() };
    if name.starts_with("stageVariables.") {
        return Ok(V::Unset);
    }
    let key = name.strip_prefix("context.").ok_or_else(unknown)?;
    if key == "identity.apiKey" {
        return Err(FormatError::LogsApiKey);
    }
    if let Some((_, variable)) = NAMED.iter().find(|(known, _)| *known == key) {
        return Ok(*variable);
    }
    let in_family =
        || UNSET_FAMILIES.iter().any(|family| key.len() > family.len() && key.starts_with(family));
    if UNSET.contains(&key) || in_family() { Ok(V::Unset) } else { Err(unknown()) }
}

/// The range of `,"name":"$context…"` (or with the comma behind) around the variable at `at`.
fn json_member_around(text: &str, at: usize) -> Option<std::ops::Range<usize>> {
    let name_end = text[..at].strip_suffix("\":\"")?.len();
    let name_start = text[..name_end].rfind('"')?;
    let value_end = at + text[at..].find('"')? + 1;
    if text[..name_start].ends_with(',') {
        Some(name_start - 1..value_end)
    } else if text[value_end..].starts_with(',') {
        Some(name_start..value_end + 1)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_text_and_variables() {
        let format = Format::parse("$context.requestId took $context.responseLatency.").unwrap();
        let expected = [
            Piece::Variable(V::RequestId),
            Piece::Text(" took ".into()),
            Piece::Variable(V::ResponseLatency),
            Piece::Text(".".into()),
        ];
        assert_eq!(format.pieces(), expected);
    }

    #[test]
    fn the_documented_formats_and_ours_are_read() {
        let clf = "$context.identity.sourceIp $context.identity.caller $context.identity.user \
                   [$context.requestTime] \"$context.httpMethod $context.resourcePath \
                   $context.protocol\" $context.status $context.responseLength \
                   $context.requestId $context.extendedRequestId";
        for text in [clf, FORMAT_JSON, "$context.requestId costs 5$ $x $stageVariables.alias"] {
            Format::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        for name in UNSET {
            let format = Format::parse(&format!("$context.requestId $context.{name}")).unwrap();
            assert!(format.pieces().contains(&Piece::Variable(V::Unset)), "{name}");
        }
    }

    #[test]
    fn refuses_what_must_not_be_logged_and_what_aws_refuses() {
        let cases = [
            ("$context.requestId $context.identity.apiKey", "the API key itself"),
            ("$context.requestId $context.nonsense", "`$context.nonsense`"),
            ("$context.requestId $context.authorizer.", "`$context.authorizer`"),
            ("$context.status", "no request id"),
            ("$context.requestId\n", "more than one line"),
        ];
        for (text, reason) in cases {
            let error = Format::parse(text).unwrap_err();
            assert!(error.to_string().contains(reason), "{text}: {error}");
            assert!(error.hint().is_some());
        }
        let long = format!("$context.requestId{}", "x".repeat(ACCESS_LOG_FORMAT_BYTES_MAX));
        assert_eq!(Format::parse(&long), Err(FormatError::Shape("it is too long")));
    }

    #[test]
    fn the_text_for_aws_is_the_same_without_what_only_the_twin_has() {
        let ours = Format::parse(FORMAT_JSON).unwrap().for_aws().unwrap();
        assert_eq!(ours, FORMAT_JSON.replace(r#","limiter":"$context.gwtf.limiter""#, ""));
        let first = r#"{"l":"$context.gwtf.limiter","id":"$context.requestId"}"#;
        let aws = Format::parse(first).unwrap().for_aws().unwrap();
        assert_eq!(aws, r#"{"id":"$context.requestId"}"#);
        let line = Format::parse("$context.requestId $context.gwtf.limiter").unwrap();
        assert_eq!(line.for_aws(), Err(FormatError::TwinOnly));
    }
}
