//! The SDK's configuration, the same for every client.

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_types::service_config::ServiceConfigKey;
use std::time::Duration;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest call without a large body; `PutRestApi` and `CreateFunction` from S3 take tens of seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest call with a large body: 70 MB, a zip of 50 MB in base64, at 80 kB/s.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(900);
/// How long a body may stand still before the call is given up.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// What AWS's own logs call the program.
const APP_NAME: &str = "gwtf";

/// The configuration of a Region, with the person's own credentials and endpoint overrides.
pub(super) async fn load(region: &str, profile: Option<&str>) -> SdkConfig {
    let mut loader = loader(region);
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    loader.load().await
}

/// The configuration of an emulator, with credentials that belong to nobody.
pub(super) async fn emulated(region: &str, endpoint_url: &str) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "emulator");
    loader(region).endpoint_url(endpoint_url).credentials_provider(credentials).load().await
}

/// What every search for credentials and every client starts from: TLS by ring.
pub(super) fn base() -> ConfigLoader {
    let http_client = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http_client)
}

fn loader(region: &str) -> ConfigLoader {
    base()
        .region(Region::new(region.to_owned()))
        .app_name(AppName::new(APP_NAME).expect("the name is letters"))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts(CALL_TIMEOUT))
        .stalled_stream_protection(
            StalledStreamProtectionConfig::enabled().grace_period(STALL_TIMEOUT).build(),
        )
}

/// Timeouts of a call with a large body.
pub(super) fn upload_timeouts() -> TimeoutConfig {
    timeouts(UPLOAD_TIMEOUT)
}

fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .build()
}

/// Whether S3's endpoint is the person's, where no bucket has a host name of its own.
pub(super) fn has_s3_endpoint(configuration: &SdkConfig) -> bool {
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let own = || {
        let service = configuration.service_config()?;
        service.load_config(key.ok()?)
    };
    configuration.endpoint_url().is_some() || own().is_some()
}
