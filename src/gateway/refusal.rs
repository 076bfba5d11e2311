//! Every error that the gateway itself makes: AWS's status, error type and exact body.
//!
//! Source: API Gateway developer guide, "Gateway response types", and recorded replies. Errors from
//! before the integration have no space behind the colon; those of validation and integration do.

use super::limiter::Limiter;
use bytes::Bytes;
use http::StatusCode;
use std::borrow::Cow;

/// A gateway response type with AWS's defaults.
#[derive(Debug)]
pub(super) struct ResponseType {
    /// `$context.error.responseType`. AWS has no `UNKNOWN_STAGE`; that one is never logged.
    pub(super) name: &'static str,
    pub(super) status: StatusCode,
    /// `x-amzn-ErrorType`.
    pub(super) error_type: &'static str,
    /// `$context.error.message`.
    pub(super) message: &'static str,
    pub(super) body: &'static str,
}

macro_rules! response_types {
    ($($constant:ident = $name:literal $status:ident $error_type:literal $message:literal $body:literal;)*) => {
        $(pub(super) static $constant: ResponseType = ResponseType {
            name: $name,
            status: StatusCode::$status,
            error_type: $error_type,
            message: $message,
            body: $body,
        };)*
    };
}

response_types! {
    MISSING_AUTHENTICATION_TOKEN = "MISSING_AUTHENTICATION_TOKEN" FORBIDDEN
        "MissingAuthenticationTokenException" "Missing Authentication Token"
        r#"{"message":"Missing Authentication Token"}"#;
    INCOMPLETE_SIGNATURE = "INVALID_SIGNATURE" FORBIDDEN "IncompleteSignatureException" "" "";
    FORBIDDEN = "INVALID_API_KEY" FORBIDDEN "ForbiddenException" "Forbidden"
        r#"{"message":"Forbidden"}"#;
    UNKNOWN_STAGE = "UNKNOWN_STAGE" FORBIDDEN "ForbiddenException" "Forbidden"
        r#"{"message":"Forbidden"}"#;
    THROTTLED = "THROTTLED" TOO_MANY_REQUESTS "TooManyRequestsException" "Too Many Requests"
        r#"{"message":"Too Many Requests"}"#;
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED" TOO_MANY_REQUESTS "LimitExceededException" "Limit Exceeded"
        r#"{"message":"Limit Exceeded"}"#;
    BAD_REQUEST_PARAMETERS = "BAD_REQUEST_PARAMETERS" BAD_REQUEST "BadRequestException" "" "";
    BAD_REQUEST_BODY = "BAD_REQUEST_BODY" BAD_REQUEST "BadRequestException" "Invalid request body"
        r#"{"message": "Invalid request body"}"#;
    REQUEST_TOO_LARGE = "REQUEST_TOO_LARGE" PAYLOAD_TOO_LARGE "BadRequestException"
        "Request Too Long" r#"{"message": "Request Too Long"}"#;
    INTEGRATION_TIMEOUT = "INTEGRATION_TIMEOUT" GATEWAY_TIMEOUT "InternalServerErrorException"
        "Endpoint request timed out" r#"{"message": "Endpoint request timed out"}"#;
    INTEGRATION_UNREACHABLE = "INTEGRATION_FAILURE" GATEWAY_TIMEOUT "InternalServerErrorException"
        "Network error communicating with endpoint"
        r#"{"message": "Network error communicating with endpoint"}"#;
    API_CONFIGURATION_ERROR = "API_CONFIGURATION_ERROR" INTERNAL_SERVER_ERROR
        "InternalServerErrorException" "Internal server error"
        r#"{"message": "Internal server error"}"#;
    INTEGRATION_FAILURE = "INTEGRATION_FAILURE" BAD_GATEWAY "InternalServerErrorException"
        "Internal server error" r#"{"message": "Internal server error"}"#;
}

/// A request that the gateway answers itself.
#[derive(Debug)]
pub(super) enum Refusal {
    /// In plain text, from before the gateway knows a request: no ids, no access log.
    FrontDoor { status: StatusCode, text: &'static str },
    /// With a gateway response.
    Gateway(GatewayResponse),
}

/// A gateway response of one request.
#[derive(Debug)]
pub(super) struct GatewayResponse {
    pub(super) response_type: &'static ResponseType,
    pub(super) status: StatusCode,
    pub(super) message: Cow<'static, str>,
    pub(super) body: Bytes,
    pub(super) limiter: Option<Limiter>,
    /// `$context.error.validationErrorString`.
    pub(super) validation_error: Option<Cow<'static, str>>,
    /// Whether the stage's access log has a line of it.
    pub(super) is_logged: bool,
}

impl Refusal {
    /// The response type as AWS has it by default.
    pub(super) fn of(response_type: &'static ResponseType) -> Self {
        Self::Gateway(GatewayResponse {
            response_type,
            status: response_type.status,
            message: Cow::Borrowed(response_type.message),
            body: Bytes::from_static(response_type.body.as_bytes()),
            limiter: None,
            validation_error: None,
            is_logged: true,
        })
    }

    /// With a message of the request's own; `space` stands behind the colon of the body.
    pub(super) fn with_message(
        response_type: &'static ResponseType,
        message: String,
        space: &'static str,
    ) -> Self {
        let quoted = serde_json::Value::from(message.as_str());
        let body = Bytes::from(format!("{{\"message\":{space}{quoted}}}"));
        Self::of(response_type).change(|response| {
            response.body = body;
            response.message = Cow::Owned(message);
        })
    }

    /// By a limiter.
    pub(super) fn by(limiter: Limiter) -> Self {
        let response_type = if limiter == Limiter::Quota { &QUOTA_EXCEEDED } else { &THROTTLED };
        Self::of(response_type).change(|response| response.limiter = Some(limiter))
    }

    pub(super) fn with_status(self, status: StatusCode) -> Self {
        self.change(|response| response.status = status)
    }

    pub(super) fn with_limiter(self, limiter: Limiter) -> Self {
        self.change(|response| response.limiter = Some(limiter))
    }

    pub(super) fn with_validation_error(self, error: Cow<'static, str>) -> Self {
        self.change(|response| response.validation_error = Some(error))
    }

    /// Of a request that no stage has: a stage's access log knows nothing of it.
    pub(super) fn outside_stage(self) -> Self {
        self.change(|response| response.is_logged = false)
    }

    /// Whether the access log has a line of it; what the front door refuses has no ids.
    pub(super) fn is_logged(&self) -> bool {
        match self {
            Self::FrontDoor { .. } => false,
            Self::Gateway(response) => response.is_logged,
        }
    }

    fn change(mut self, change: impl FnOnce(&mut GatewayResponse)) -> Self {
        if let Self::Gateway(response) = &mut self {
            change(response);
        }
        self
    }
}
