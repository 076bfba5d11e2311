//! Signs requests as the caller whom the AWS chain finds.

use crate::aws::credentials::Caller;
use crate::cli::Context;
use crate::config::Settings;
use crate::error::{Exit, Failure};
use crate::identity::sigv4::{self, BodyHash, Credentials, EXECUTE_API, Request, Scope};
use crate::spec::Secret;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::runtime::{Builder, Runtime};
use url::Url;

/// Temporary credentials are fetched anew when they end within this time.
const FRESH_FOR: Duration = Duration::from_secs(300);

/// A caller with credentials, which signs for one Region.
#[derive(Debug)]
pub(in crate::cli) struct Signer {
    region: String,
    caller: Caller,
    runtime: Runtime,
    credentials: Mutex<Credentials>,
}

impl Signer {
    /// Finds credentials, and the Region: `--region`, else the one in an execute-api host, else
    /// the settings', else the profile's.
    ///
    /// # Errors
    /// There are no credentials or no Region.
    pub(in crate::cli) fn find(
        host: &str,
        settings: &Settings,
        context: &Context,
    ) -> Result<Self, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
            Failure::new(Exit::Machine, format!("the network cannot be used: {error}"))
        })?;
        let region = context.flags.region.as_deref().or_else(|| region_of(host));
        let region = region.or(settings.region.as_deref());
        let caller = runtime.block_on(Caller::find(region, settings.profile.as_deref()))?;
        let region = caller.region().map(str::to_owned).ok_or_else(|| {
            Failure::new(Exit::Refused, "--sigv4: the Region to sign for is not known")
                .with_hint("name it with --region or AWS_REGION")
        })?;
        let credentials = runtime.block_on(caller.credentials())?;
        context.console.detail(&format!(
            "signing for `{EXECUTE_API}` in `{region}` as access key `{}`",
            credentials.access_key_id
        ));
        Ok(Self { region, caller, runtime, credentials: Mutex::new(credentials) })
    }

    /// The headers that sign a request sent at `at`. `headers` are all of the request's own.
    ///
    /// # Errors
    /// The request cannot be signed, or the credentials have ended and there are no new ones.
    pub(in crate::cli) fn sign(
        &self,
        url: &Url,
        method: &str,
        headers: &[(String, String)],
        body: &BodyHash,
        at: SystemTime,
    ) -> Result<Vec<(String, Secret)>, Failure> {
        let credentials = self.fresh(at)?;
        let covered: Vec<_> =
            headers.iter().filter(|(name, _)| is_covered(name)).cloned().collect();
        let request = Request { method, url: url.as_str(), headers: &covered, body };
        let scope = Scope { region: &self.region, service: EXECUTE_API };
        Ok(sigv4::sign(request, scope, &credentials, at)?)
    }

    fn fresh(&self, at: SystemTime) -> Result<Credentials, Failure> {
        let mut held = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        let ends_by = |credentials: &Credentials, instant: SystemTime| {
            credentials.expires_at.is_some_and(|end| end <= instant)
        };
        if ends_by(&held, at + FRESH_FOR) {
            match self.runtime.block_on(self.caller.credentials()) {
                Ok(new) => *held = new,
                // The old ones still hold for a while: the next try may be luckier.
                Err(_) if !ends_by(&held, at) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(held.clone())
    }
}

/// What a signature covers of the headers: what decides how the request is read, and all of AWS's
/// own. The others may be changed on the way by who forwards a request.
fn is_covered(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "host" || name == "content-type" || name.starts_with("x-amz-")
}

/// The Region in the name of an API's own host: `ID.execute-api.REGION.amazonaws.com`, in China
/// with `.cn` behind it, of a VPC endpoint with `vpce` in between.
fn region_of(host: &str) -> Option<&str> {
    let host = host.split(':').next()?;
    let name = host.strip_suffix(".cn").unwrap_or(host).strip_suffix(".amazonaws.com")?;
    let name = name.strip_suffix(".vpce").unwrap_or(name);
    let (before, region) = name.rsplit_once('.')?;
    let is_api = before == EXECUTE_API || before.ends_with(".execute-api");
    is_api.then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apis_host_names_its_region() {
        for (host, region) in [
            ("abc.execute-api.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("abc.execute-api.eu-west-1.amazonaws.com:443", Some("eu-west-1")),
            ("abc.execute-api.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("abc-vpce-1.execute-api.us-east-1.amazonaws.com", Some("us-east-1")),
            ("vpce-1.execute-api.us-east-1.vpce.amazonaws.com", Some("us-east-1")),
            ("abc.lambda-url.eu-west-1.on.aws", None),
            ("s3.eu-west-1.amazonaws.com", None),
            ("abc.execute-api.eu-west-1.amazonaws.com.example.com", None),
            ("api.example.com", None),
            ("127.0.0.1:3000", None),
            ("", None),
        ] {
            assert_eq!(region_of(host), region, "{host}");
        }
    }

    #[test]
    fn what_proxies_change_is_not_covered() {
        let covered = ["Host", "Content-Type", "X-Amz-Target", "x-amz-date"];
        assert!(covered.iter().all(|name| is_covered(name)));
        let open = ["accept", "user-agent", "x-api-key", "accept-encoding", "x-trace"];
        assert!(!open.iter().any(|name| is_covered(name)));
    }
}
