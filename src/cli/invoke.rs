//! `gwtf invoke`: one request to the endpoint, with the credentials that it asks for.

mod meaning;
pub(super) mod send;

use super::cloud::{Deployed, deployed};
use super::request_form::{self, add_missing, add_secret};
use super::{Context, TargetArgs, authorize, cannot_print, input};
use crate::config::{Auth, Settings, Target};
use crate::error::{Exit, Failure};
use crate::identity::sigv4::BodyHash;
use crate::load;
use crate::spec::Secret;
use crate::spec::limits::PAYLOAD_BYTES_MAX;
use send::{Reply, Shipment};
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Where `gwtf serve` listens unless told otherwise.
const LOCAL_ORIGIN: &str = "http://127.0.0.1:3000";

/// Send one request to the endpoint
///
/// The reply's body goes to stdout byte for byte; its status, the version that answered and the
/// request's id go to stderr. A status from 200 to 299 ends with 0, any other with 1, no reply with
/// 3. The request's content type follows from its bytes, as with `infer`: JSON, npy, or Open
/// Inference JSON followed by binary tensors.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gwtf invoke --input request.json
  gwtf invoke --input request.json --version v2
  gwtf invoke --input array.npy --url https://ID.execute-api.eu-west-1.amazonaws.com/prod/predict \\
    --sigv4
  gwtf invoke --input request.json --bearer-from TOKEN --path v2/models/iris/infer")]
pub(super) struct Args {
    /// The request; `-` reads stdin
    #[arg(long, value_name = "FILE|-")]
    input: PathBuf,
    /// The version asked, whichever is live
    #[arg(long, value_name = "V")]
    version: Option<crate::release::Version>,
    #[command(flatten)]
    target: TargetArgs,
    /// Any endpoint's URL: the whole one, or with --path or --version that of its stage
    #[arg(long, value_name = "URL", conflicts_with = "target")]
    url: Option<String>,
    /// The route behind the stage [default: predict]
    #[arg(long, value_name = "ROUTE", conflicts_with = "version")]
    path: Option<String>,
    /// Sign the request (SigV4) as the caller that the AWS chain finds [default: what the auth of a
    /// deployed endpoint asks for]
    #[arg(long)]
    sigv4: bool,
    /// Send the API key of this name: gwtf.toml's local one or the variable GWTF_KEY_NAME
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
    /// Send the API key in this environment variable
    #[arg(long, value_name = "ENV", conflicts_with = "key")]
    key_from: Option<String>,
    /// Send the bearer token in this environment variable
    #[arg(long, value_name = "ENV", conflicts_with = "sigv4")]
    bearer_from: Option<String>,
    /// A header to send
    #[arg(long, value_name = "K: V")]
    header: Vec<String>,
    /// How long the whole reply may take
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = load::duration::parse)]
    timeout: Duration,
    /// A CA certificate to trust beside the system's, PEM
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
}

/// What is called.
struct Aim {
    url: Url,
    /// The endpoint of gwtf.toml, in AWS, if it is that one.
    deployed: Option<Deployed>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let settings = context.settings(args.target.target)?;
    let aim = Aim::take(args, &settings, context)?;
    let mut headers = authorize::headers(&args.header)?;
    let credentials = Shown::take(args, &settings, &aim, &headers, context)?;
    authorize::refuse_in_clear(&aim.url, credentials.name(), &headers)?;
    let body = read(args)?;
    add_missing(&mut headers, request_form::headers(&body));
    if let Some(key) = &credentials.key {
        add_secret(&mut headers, "x-api-key", "", key);
    }
    if let Some(token) = &credentials.bearer {
        add_secret(&mut headers, "authorization", "Bearer ", token);
    }
    if credentials.signs {
        let host = authorize::host_of(&aim.url, &headers);
        let signer = authorize::Signer::find(&host, &settings, context)?;
        let hash = BodyHash::of(&body);
        let signature = signer.sign(&aim.url, "POST", &headers, &hash, super::now())?;
        for (name, value) in &signature {
            add_secret(&mut headers, name, "", value);
        }
    }
    let cacert = args.cacert.as_deref().map(input::read_cacert).transpose()?;
    let shipment = Shipment { url: aim.url.clone(), headers, body, timeout: args.timeout, cacert };
    let reply = send::send(shipment)?;
    tell(&reply, &aim.url, &credentials, context)
}

/// Prints a reply, or says what a refusal means.
fn tell(reply: &Reply, url: &Url, shown: &Shown, context: &Context) -> Result<Exit, Failure> {
    if !reply.status.is_success() {
        let text = format!("{}: {}", send::shown(url), reply.refusal());
        let failure = Failure::new(Exit::Verdict, text);
        return Err(match meaning::hint(reply, &shown.proof()) {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        });
    }
    context.console.talk(&reply.summary());
    context.console.data(&reply.body).map_err(cannot_print)?;
    Ok(Exit::Done)
}

impl Aim {
    fn take(args: &Args, settings: &Settings, context: &Context) -> Result<Self, Failure> {
        let route = match (&args.version, &args.path) {
            (Some(version), _) => Some(format!("{version}/predict")),
            (None, path) => path.clone(),
        };
        if let Some(url) = &args.url {
            let mut url = authorize::parse_url(url)?;
            if let Some(route) = &route {
                append(&mut url, route)?;
            }
            return Ok(Self { url, deployed: None });
        }
        let deployed = match settings.target {
            Some(Target::Lambda | Target::Ecs) => {
                settings.release_target(&context.environment)?;
                Some(deployed(settings, context)?)
            }
            Some(Target::Local) | None => None,
        };
        let mut url = match &deployed {
            Some(deployed) => authorize::parse_url(&deployed.url)?,
            None => authorize::parse_url(&format!("{LOCAL_ORIGIN}/{}", settings.stage))?,
        };
        append(&mut url, route.as_deref().unwrap_or("predict"))?;
        Ok(Self { url, deployed })
    }
}

/// Adds a route to a stage's URL; the route may bring a query along.
fn append(url: &mut Url, route: &str) -> Result<(), Failure> {
    let (path, query) = match route.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (route, None),
    };
    let whole = format!("{}/{}", url.path().trim_end_matches('/'), path.trim_start_matches('/'));
    url.set_path(&whole);
    if query.is_some() {
        url.set_query(query);
    }
    if path.chars().any(char::is_control) {
        return Err(Failure::new(Exit::Refused, "--path: a control character in it")
            .with_hint("write the route as it is in a URL, for instance v2/models/iris/infer"));
    }
    Ok(())
}

/// The credentials that a request shows.
struct Shown {
    signs: bool,
    key: Option<Secret>,
    bearer: Option<Secret>,
    /// A header of the command line proves who calls.
    has_own: bool,
}

impl Shown {
    fn take(
        args: &Args,
        settings: &Settings,
        aim: &Aim,
        headers: &[(String, String)],
        context: &Context,
    ) -> Result<Self, Failure> {
        let key = match (&args.key, &args.key_from) {
            (Some(name), _) => match &aim.deployed {
                Some(deployed) => Some(authorize::key_value(name, &deployed.keys, context)?),
                None => Some(authorize::named_key(name, settings, context)?),
            },
            (None, Some(variable)) => {
                Some(authorize::secret_from("--key-from", variable, context)?)
            }
            (None, None) => {
                let keys = aim.deployed.iter().flat_map(|deployed| &deployed.keys);
                keys.map(|key| key.value.clone()).next()
            }
        };
        let bearer = args.bearer_from.as_ref();
        let bearer = bearer
            .map(|name| authorize::secret_from("--bearer-from", name, context))
            .transpose()?;
        let has_own = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        // An endpoint of ours whose configuration names no auth wants signatures.
        let wants = matches!(settings.file.gateway.auth, None | Some(Auth::Iam));
        let signs = args.sigv4 || aim.deployed.is_some() && wants && bearer.is_none() && !has_own;
        authorize::refuse_two("--sigv4", signs, headers)?;
        authorize::refuse_two("--bearer-from", bearer.is_some(), headers)?;
        Ok(Self { signs, key, bearer, has_own })
    }

    /// What is shown, for a refusal to show it in clear.
    fn name(&self) -> Option<&'static str> {
        match self {
            Self { signs: true, .. } => Some("the signature"),
            Self { bearer: Some(_), .. } => Some("the bearer token"),
            Self { key: Some(_), .. } => Some("the API key"),
            _ => None,
        }
    }

    fn proof(&self) -> meaning::Proof {
        meaning::Proof {
            signed: self.signs,
            token: self.bearer.is_some() || self.has_own,
            key: self.key.is_some(),
        }
    }
}

/// The request's body, if it is not too long for API Gateway.
fn read(args: &Args) -> Result<Vec<u8>, Failure> {
    input::read_file_or_stdin("input", &args.input, PAYLOAD_BYTES_MAX).map_err(|failure| {
        match failure.message.contains(": more than ") {
            true => failure.with_hint("API Gateway takes a body of 10 MB at most; send fewer rows"),
            false => failure,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn aim(line: &str, target: Option<Target>) -> Result<String, String> {
        let words = ["invoke", "--input", "-"].into_iter().chain(line.split_whitespace());
        let args = Line::try_parse_from(words).map_err(|error| error.to_string())?.args;
        let environment = crate::config::Environment::new("/", [("HOME", "/")]);
        let flags = crate::config::Flags { target, ..Default::default() };
        let settings = Settings::load(&flags, &environment).unwrap();
        let context = Context {
            console: crate::console::Console::default(),
            environment,
            flags,
            now: std::time::SystemTime::UNIX_EPOCH,
        };
        let aim = Aim::take(&args, &settings, &context).map_err(|failure| failure.message)?;
        Ok(aim.url.to_string())
    }

    #[test]
    fn the_url_is_the_one_given_or_that_of_this_machines_endpoint() {
        const HOST: &str = "https://abc.execute-api.eu-west-1.amazonaws.com";
        for (line, url) in [
            ("", "http://127.0.0.1:3000/prod/predict".to_owned()),
            ("--version v3", "http://127.0.0.1:3000/prod/v3/predict".to_owned()),
            (
                "--path /v2/models/a/infer",
                "http://127.0.0.1:3000/prod/v2/models/a/infer".to_owned(),
            ),
            ("--path p?a=%20&b", "http://127.0.0.1:3000/prod/p?a=%20&b".to_owned()),
            (&format!("--url {HOST}/prod/predict?x=1"), format!("{HOST}/prod/predict?x=1")),
            (&format!("--url {HOST}/prod/ --version v3"), format!("{HOST}/prod/v3/predict")),
            (&format!("--url {HOST}/prod --path a%2Fb/"), format!("{HOST}/prod/a%2Fb/")),
        ] {
            for target in [None, Some(Target::Local)] {
                assert_eq!(aim(line, target), Ok(url.clone()), "{line}");
            }
        }
        let refused = aim("", Some(Target::Lambda)).unwrap_err();
        assert!(refused.starts_with("region: none is named"), "{refused}");
        for line in [
            "--url ftp://h/",
            "--url http://u:hunter2@h/",
            "--version v1 --path p",
            "--path p\u{7f}",
        ] {
            let refused = aim(line, None).unwrap_err();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}
