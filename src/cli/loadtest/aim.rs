//! What a run is aimed at: a URL, or an endpoint of our own that is started for each run.

use super::backing::Backing;
use super::requests::{self, Payload};
use super::{Args, Context};
use crate::cli::authorize::{self, Signer};
use crate::cli::cloud::deployed;
use crate::cli::local::{self, Front, Hosted, LocalUpstream, Overrides, Room, contract};
use crate::config::Target;
use crate::console::Console;
use crate::error::{Exit, Failure};
use crate::load::plan::{CONNECTIONS_MAX, Plan};
use crate::model::Signature;
use crate::serve::http::HostOptions;
use crate::spec::{ApiKey, Auth, Gateway, Throttle};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// What every run of this command is aimed at, made once.
pub(super) struct Aim {
    place: Place,
    /// The bodies sent.
    pub(super) payloads: Vec<Payload>,
    /// What they are, for a reader.
    pub(super) payload_text: String,
    /// The model served, for a reader.
    pub(super) served: Option<String>,
    /// Who may call, for a reader.
    pub(super) auth: Option<String>,
    /// The stage's limit in force.
    pub(super) throttle: Option<Throttle>,
    /// The account's limit in force.
    pub(super) account_throttle: Option<Throttle>,
    /// The function's most sandboxes.
    pub(super) reserved_concurrency: Option<u32>,
    /// Keys with values.
    pub(super) keys: Vec<ApiKey>,
    /// What signs the requests.
    pub(super) signer: Option<Arc<Signer>>,
}

enum Place {
    Url(String),
    Local(Box<LocalPlace>),
}

/// An endpoint of our own, not started.
struct LocalPlace {
    backing: Backing,
    contract: Gateway,
    overrides: Overrides,
    seed: u64,
}

impl LocalPlace {
    /// The open files of these connections: both ends are in this process. A client has one sandbox
    /// at most.
    fn room(&self, connections: usize) -> Room {
        let connections = connections.min(CONNECTIONS_MAX);
        let clients = u32::try_from(connections).unwrap_or(u32::MAX);
        local::connections_room(connections, 2, self.backing.sandboxes_max().min(clients))
    }
}

/// A target that takes requests until it is stopped.
pub(super) enum Running {
    /// Somebody else's.
    Url(String),
    /// Started for this run.
    Local(String, Hosted),
}

impl Aim {
    /// Takes aim: loads the model, builds the contract, makes the payloads. Starts nothing.
    pub(super) fn take(args: &Args, context: &Context) -> Result<Self, Failure> {
        let settings = context.settings(None)?;
        let keys = local::api_keys(&settings, context)?;
        let Some(url) = &args.url else {
            let named = args.model.is_some() || args.function.package.is_some();
            if !named && settings.target == Some(Target::Lambda) {
                return Self::at_deployed(args, context, &settings);
            }
            return Self::at_local(args, context, &settings, keys);
        };
        let signer = at_url(args, url, &settings, context)?;
        let (payloads, payload_text) = match args.payload.as_slice() {
            [] => {
                context.console.talk("no --payload: sending GET requests without a body");
                (vec![requests::plain_get()], "GET without a body".to_owned())
            }
            files => (requests::from_files(files)?, files_text(files)),
        };
        let place = Place::Url(url.clone());
        Ok(Self {
            place,
            payloads,
            payload_text,
            served: None,
            auth: shown_auth(args).map(str::to_owned),
            throttle: None,
            account_throttle: None,
            reserved_concurrency: None,
            keys,
            signer,
        })
    }

    /// The endpoint of gwtf.toml, in AWS, with the credentials that it asks for.
    fn at_deployed(
        args: &Args,
        context: &Context,
        settings: &crate::config::Settings,
    ) -> Result<Self, Failure> {
        for (flag, given) in [
            ("--throttle", args.throttle.is_some()),
            ("--account-throttle", args.account_throttle.is_some()),
        ] {
            if given {
                let text = format!("{flag}: AWS's own limits are in force at a deployed endpoint");
                return Err(Failure::new(Exit::Refused, text)
                    .with_hint("name a model to load the twin under these limits"));
            }
        }
        let deployed = deployed(settings, context)?;
        if deployed.auth == Auth::ApiKey && args.key.is_empty() {
            return Err(key_wanted(&deployed.keys));
        }
        let url = format!("{}/predict", deployed.url);
        let parsed = authorize::parse_url(&url)?;
        let headers = authorize::headers(&args.header)?;
        let signs = args.sigv4 || deployed.auth == Auth::Iam;
        let named = match deployed.auth {
            _ if signs => Some("the signature"),
            Auth::ApiKey => Some("the API key"),
            _ => None,
        };
        authorize::refuse_in_clear(&parsed, named, &headers)?;
        let host = authorize::host_of(&parsed, &headers);
        let signer = signs.then(|| Signer::find(&host, settings, context)).transpose()?;
        let (payloads, payload_text) = payloads(args, &deployed.signature)?;
        Ok(Self {
            place: Place::Url(url),
            payloads,
            payload_text,
            served: Some(format!("{} {}", deployed.endpoint, deployed.live)),
            auth: Some(if signs { "sigv4" } else { auth_text(deployed.auth) }.to_owned()),
            throttle: deployed.throttle,
            account_throttle: deployed.account_throttle,
            reserved_concurrency: settings.function.reserved_concurrency,
            keys: deployed.keys,
            signer: signer.map(Arc::new),
        })
    }

    fn at_local(
        args: &Args,
        context: &Context,
        settings: &crate::config::Settings,
        keys: Vec<ApiKey>,
    ) -> Result<Self, Failure> {
        let backing = Backing::take(args, context, settings)?;
        let served = backing.served();
        let overrides = Overrides {
            throttle: args.throttle,
            account_throttle: args.account_throttle,
            limiter_header: true,
            allow_unenforced: args.allow_unenforced.clone(),
            ..Overrides::default()
        };
        let contract = contract(settings, &served, &keys, &overrides)?;
        if contract.auth == Auth::ApiKey && args.key.is_empty() {
            return Err(key_wanted(&keys));
        }
        let (payloads, payload_text) = payloads(args, backing.signature())?;
        let auth = auth_text(contract.auth);
        Ok(Self {
            payloads,
            payload_text,
            served: Some(format!("{} {}", served.endpoint, served.live)),
            auth: Some(auth.to_owned()),
            throttle: contract.throttle,
            account_throttle: Some(contract.account_throttle),
            reserved_concurrency: backing.reserved_concurrency(),
            keys,
            signer: signer(args, "", settings, context)?,
            place: Place::Local(Box::new(LocalPlace {
                backing,
                contract,
                overrides,
                seed: args.seed,
            })),
        })
    }

    /// Starts the endpoint for one run; its buckets are full.
    ///
    /// It is in this process: each of the generator's `connections` takes two open files here.
    pub(super) fn start(&self, connections: usize, console: &Console) -> Result<Running, Failure> {
        let place = match &self.place {
            Place::Url(url) => return Ok(Running::Url(url.clone())),
            Place::Local(place) => place,
        };
        let Room { needed, limit, .. } = place.room(connections);
        if limit < needed {
            let text = format!(
                "{connections} connections to an endpoint of our own need {needed} open files, \
                 more than the limit of {limit}"
            );
            return Err(Failure::new(Exit::Machine, text)
                .with_hint("lower `--connections`, or raise `ulimit -n`"));
        }
        let twin = local::twin(&place.contract, &place.overrides, place.seed, ())?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        // The generator keeps a core to itself where there is more than one.
        let threads = local::cores().saturating_sub(1).max(1);
        // One more than the generator's: its probe.
        let connections_max = connections.min(CONNECTIONS_MAX) + 1;
        let options = HostOptions { connections_max, ..HostOptions::default() };
        let hosted = match &place.backing {
            Backing::Here(loaded) => {
                let upstream = Arc::new(LocalUpstream::new(loaded.versions()));
                Hosted::start(address, || Ok(Front { twin, upstream }), options, threads)?
            }
            Backing::Function(function) => {
                let front = || Ok(Front { twin, upstream: function.start(console)? });
                Hosted::start(address, front, options, threads)?
            }
        };
        let url = format!("http://{}/{}/predict", hosted.address(), place.contract.stage);
        Ok(Running::Local(url, hosted))
    }

    /// The connections of a run that names none: `usual`, or as many as there are open files for.
    pub(super) fn connections_default(&self, usual: usize) -> usize {
        match &self.place {
            Place::Url(_) => usual,
            Place::Local(place) => place.room(usual).connections,
        }
    }

    /// How the function ran, for a reader; empty when the model was served in this process.
    pub(super) fn function_facts(&self) -> BTreeMap<String, String> {
        match &self.place {
            Place::Url(_) => BTreeMap::new(),
            Place::Local(place) => place.backing.facts(),
        }
    }

    /// Ends what outlives the single runs.
    pub(super) fn end(&self) {
        if let Place::Local(place) = &self.place {
            place.backing.end();
        }
    }

    /// The target as reports name it: an endpoint of our own had a port for this run only.
    pub(super) fn shown_url(&self, plan: &Plan) -> String {
        match &self.place {
            Place::Url(url) => url.clone(),
            Place::Local(place) => {
                format!("local twin of {}, {}", place.contract.endpoint, plan.target.path())
            }
        }
    }
}

impl Running {
    /// Where requests go.
    pub(super) fn url(&self) -> &str {
        match self {
            Self::Url(url) | Self::Local(url, _) => url,
        }
    }

    /// Stops what was started.
    pub(super) fn stop(self) {
        if let Self::Local(_, hosted) = self {
            hosted.stop();
        }
    }
}

fn key_wanted(keys: &[ApiKey]) -> Failure {
    let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    Failure::new(Exit::Refused, "the endpoint wants API keys and no --key is given").with_hint(
        format!("name keys and shares, for instance --key {}=1", names.join("=1 --key ")),
    )
}

/// The bodies in the files that are named, or one made from the signature; and what they are.
fn payloads(args: &Args, signature: &Signature) -> Result<(Vec<Payload>, String), Failure> {
    match args.payload.as_slice() {
        [] => {
            let made = requests::from_signature(signature, args.seed, &args.dim)?;
            let text = format!("POST, {} bytes made from the signature", made.body.len());
            Ok((vec![made], text))
        }
        files => Ok((requests::from_files(files)?, files_text(files))),
    }
}

fn auth_text(auth: Auth) -> &'static str {
    match auth {
        Auth::None => "none",
        Auth::ApiKey => "api-key",
        Auth::Iam => "iam",
    }
}

/// Who signs requests to a URL, if somebody is to; no credential goes there in clear.
fn at_url(
    args: &Args,
    url: &str,
    settings: &crate::config::Settings,
    context: &Context,
) -> Result<Option<Arc<Signer>>, Failure> {
    let headers = authorize::headers(&args.header)?;
    let url = authorize::parse_url(url)?;
    let named = match args {
        Args { sigv4: true, .. } => Some("the signature"),
        Args { bearer_from: Some(_), .. } => Some("the bearer token"),
        Args { key, .. } if !key.is_empty() => Some("the API key"),
        _ => None,
    };
    authorize::refuse_in_clear(&url, named, &headers)?;
    signer(args, &authorize::host_of(&url, &headers), settings, context)
}

fn signer(
    args: &Args,
    host: &str,
    settings: &crate::config::Settings,
    context: &Context,
) -> Result<Option<Arc<Signer>>, Failure> {
    let found = args.sigv4.then(|| Signer::find(host, settings, context));
    Ok(found.transpose()?.map(Arc::new))
}

/// How requests to a URL prove who sends them, for a reader.
fn shown_auth(args: &Args) -> Option<&'static str> {
    match args {
        Args { sigv4: true, .. } => Some("sigv4"),
        Args { bearer_from: Some(_), .. } => Some("bearer"),
        _ => None,
    }
}

fn files_text(files: &[std::path::PathBuf]) -> String {
    match files {
        [file] => format!("POST, {}", file.display()),
        files => format!("POST, {} files in turn", files.len()),
    }
}
