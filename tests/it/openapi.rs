//! The OpenAPI document of a contract: golden files, every route and back, models judged alike.
//!
//! The golden documents are held to `openapi-spec-validator`, and the program's to the module's.

use crate::support::{fixture, gwtf, model, python};
use gwtf::gateway::schema::{Schema, Verdict};
use gwtf::model::Signature;
use gwtf::model::onnx::read_facts;
use gwtf::spec::endpoint::{Endpoint, Version};
use gwtf::spec::openapi::{Error, Place, document};
use gwtf::spec::{Auth, Gateway, Integration, Operation, Parameter, Route};
use http::Method;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const AUTHS: [(&str, Auth); 3] =
    [("none", Auth::None), ("api-key", Auth::ApiKey), ("iam", Auth::Iam)];

fn signature(name: &str) -> Signature {
    read_facts(Path::new(&model(name))).unwrap().signature
}

fn contract_of(tags: &[(&str, &Signature)], auth: Auth) -> Gateway {
    let versions: Vec<Version> =
        tags.iter().map(|(tag, signature)| Version { tag, signature }).collect();
    let live = tags.last().unwrap().0;
    Gateway::for_endpoint(Endpoint {
        auth,
        integration: Integration::LambdaProxy,
        ..Endpoint::new("iris", "prod", versions, live)
    })
    .unwrap()
}

fn contract(auth: Auth) -> Gateway {
    contract_of(&[("v1", &signature("iris")), ("v2", &signature("iris-v2"))], auth)
}

fn place() -> Place {
    Place::new("eu-west-1", "111122223333", "gwtf-iris").unwrap()
}

#[test]
fn each_auth_has_its_golden_document() {
    for (name, auth) in AUTHS {
        let text = format!("{:#}\n", document(&contract(auth), &place()).unwrap());
        let path = fixture("openapi").join(format!("{name}.json"));
        #[expect(clippy::disallowed_methods, reason = "the switch of every golden file")]
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs_err::write(&path, &text).unwrap();
        }
        let kept = fs_err::read_to_string(&path).unwrap_or_default();
        assert!(kept == text, "{} is behind; UPDATE_GOLDEN=1 brings it along", path.display());
    }
}

/// Whether `openapi-spec-validator` takes these files, and what it says.
pub(crate) fn is_openapi(paths: &[PathBuf]) -> (bool, String) {
    let mut command = Command::new(python());
    let output = command.args(["-m", "openapi_spec_validator"]).args(paths).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn a_validator_of_openapi_takes_every_document() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths: Vec<PathBuf> =
        AUTHS.map(|(name, _)| fixture("openapi").join(format!("{name}.json"))).into();
    for (name, signature) in signatures() {
        let document = document(&contract_of(&[("1.0", &signature)], Auth::Iam), &place()).unwrap();
        paths.push(folder.path().join(format!("{name}.json")));
        fs_err::write(paths.last().unwrap(), document.to_string()).unwrap();
    }
    let (taken, said) = is_openapi(&paths);
    assert!(taken, "{said}");
    // It looks: draft 4's list of types, and an operation named twice.
    let mut document = document(&contract(Auth::None), &place()).unwrap();
    document["components"]["schemas"]["Predictv1"]["type"] = json!(["string", "object"]);
    let path = folder.path().join("bad.json");
    fs_err::write(&path, document.to_string()).unwrap();
    assert!(!is_openapi(&[path]).0);
}

/// What an import makes of an operation: the route that it came from, and what answers it.
fn read_back(path: &str, verb: &str, operation: &Value, document: &Value) -> (Route, String) {
    let verb = verb.to_uppercase();
    let integration = &operation["x-amazon-apigateway-integration"];
    let uri = integration["uri"].as_str().unwrap();
    let serves = uri.strip_suffix("/invocations").unwrap().rsplit(':').next().unwrap();
    let id = operation["operationId"].as_str().unwrap();
    let (name, version) = id.split_once('_').map_or((id, None), |(n, v)| (n, Some(v)));
    let known = [
        ("predict", Operation::Predict),
        ("tensorflowPredict", Operation::TensorflowPredict),
        ("tensorflowStatus", Operation::TensorflowStatus),
        ("tensorflowMetadata", Operation::TensorflowMetadata),
        ("openInferenceInfer", Operation::OpenInferenceInfer),
        ("openInferenceModel", Operation::OpenInferenceModel),
        ("openInferenceModelReady", Operation::OpenInferenceModelReady),
        ("openInferenceServer", Operation::OpenInferenceServer),
        ("openInferenceLive", Operation::OpenInferenceLive),
        ("openInferenceReady", Operation::OpenInferenceReady),
    ];
    let (_, kind) = known.into_iter().find(|(known, _)| *known == name).unwrap();
    let method = Method::from_bytes(verb.as_bytes()).unwrap();
    let mut route = Route::new(method, path, kind, version);
    serves.clone_into(&mut route.serves);
    route.api_key_required = !operation["security"][0]["api_key"].is_null();
    // Without a validator API Gateway checks nothing, whatever else is said.
    let validator = operation["x-amazon-apigateway-request-validator"].as_str();
    let checks = |what: &str| {
        let validators = &document["x-amazon-apigateway-request-validators"];
        validator.is_some_and(|name| validators[name][what].as_bool().unwrap())
    };
    if checks("validateRequestBody") {
        for (content_type, media) in operation["requestBody"]["content"].as_object().unwrap() {
            let reference = media["schema"]["$ref"].as_str().unwrap();
            let name = reference.strip_prefix("#/components/schemas/").unwrap();
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
            route.request_models.insert(content_type.clone(), name.to_owned());
        }
    }
    if checks("validateRequestParameters") {
        for parameter in operation["parameters"].as_array().unwrap() {
            assert_eq!(parameter["required"], true);
            let name = parameter["name"].as_str().unwrap().to_owned();
            route.required_parameters.push(match parameter["in"].as_str().unwrap() {
                "header" => Parameter::Header(name),
                _ => Parameter::Query(name),
            });
        }
    }
    (route, integration["httpMethod"].as_str().unwrap().to_owned())
}

/// Every route is exactly one operation that says all of it, and every operation is a route.
fn assert_same_routes(contract: &Gateway) {
    let document = document(contract, &place()).unwrap();
    let mut ids = BTreeSet::new();
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (verb, operation) in methods.as_object().unwrap() {
            let (route, invoked_by) = read_back(path, verb, operation, &document);
            assert_eq!(invoked_by, "POST", "{}", route.key());
            assert!(ids.insert(operation["operationId"].to_string()), "{}", route.key());
            let signed = !operation["security"][0]["sigv4"].is_null();
            assert_eq!(signed, contract.auth == Auth::Iam, "{}", route.key());
            found.push(route);
        }
    }
    let mut wanted: Vec<Route> = contract.routes.iter().map(|route| (**route).clone()).collect();
    for route in &mut wanted {
        route.required_parameters.sort();
        // The stage's settings, not the document's.
        route.throttle = None;
    }
    let key = |route: &Route| route.key();
    wanted.sort_by_key(key);
    found.sort_by_key(key);
    assert_eq!(found, wanted);
    let models: BTreeSet<&String> = contract.models.keys().collect();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    assert_eq!(schemas.keys().collect::<BTreeSet<_>>(), models);
}

#[test]
fn routes_and_operations_are_the_same() {
    for (_, auth) in AUTHS {
        let mut contract = contract(auth);
        assert_same_routes(&contract);
        let header = Parameter::Header("x-request".to_owned());
        let query = Parameter::Query("v".to_owned());
        for (n, route) in contract.routes.iter_mut().enumerate() {
            let route = Arc::make_mut(route);
            route.api_key_required = n % 2 == 0;
            route.required_parameters = match n % 3 {
                0 => vec![],
                1 => vec![query.clone(), header.clone()],
                _ => vec![header.clone()],
            };
        }
        assert_same_routes(&contract);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn routes_and_operations_are_the_same_for_any_tags(
        tags in prop::collection::btree_set("[a-z][a-z0-9_-]{0,6}", 1..6),
    ) {
        // Tags with a dot or of digits alone have aliases of other names: `openapi::place` tests.
        let signature = signature("iris");
        let tags: Vec<(&str, &Signature)> =
            tags.iter().map(|tag| (tag.as_str(), &signature)).collect();
        assert_same_routes(&contract_of(&tags, Auth::ApiKey));
    }
}

/// Requests that the models are about, good ones and bad ones; changed at random below.
const BODIES: [&str; 9] = [
    r#"{"instances":[[5.1,3.5,1.4,0.2],[1,2,"NaN",4]]}"#,
    r#"{"instances":[{"x":[1,2,3,4]}],"signature_name":"serving_default"}"#,
    r#"{"inputs":[[1,2,3,4]]}"#,
    r#"{"inputs":{"features":[[1,1,1]],"tokens":[[1,2]]}}"#,
    r#"{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}"#,
    r#"{"inputs":{"text":["a",{"b64":"aGk="}]}}"#,
    r#"{"instances":["a",{"b64":"aGk="},true,7]}"#,
    r#"{"instances":{}}"#,
    r"{}",
];

/// A word model: strings come as text or as an object, which OpenAPI has to say in two forms.
fn words() -> Signature {
    serde_json::from_value(json!({
        "inputs": [{ "name": "text", "dtype": "string", "shape": ["n"] }],
        "outputs": [],
    }))
    .unwrap()
}

/// Signatures of every form.
fn signatures() -> Vec<(&'static str, Signature)> {
    let names = ["iris", "two-inputs", "scalar-input", "all-dtypes"];
    names.into_iter().map(|name| (name, signature(name))).chain([("words", words())]).collect()
}

/// Each model of these signatures: as the contract has it, and as the document has it.
fn model_pairs() -> Vec<(String, Schema, Schema)> {
    let mut pairs = Vec::new();
    for (_, signature) in signatures() {
        let contract = Gateway::for_endpoint(Endpoint {
            integration: Integration::LambdaProxy,
            check_open_inference_bodies: true,
            ..Endpoint::new("m", "prod", vec![Version { tag: "v1", signature: &signature }], "v1")
        })
        .unwrap();
        let document = document(&contract, &place()).unwrap();
        for (name, model) in &contract.models {
            let rendered = &document["components"]["schemas"][name];
            let pair = (Schema::compile(model).unwrap(), Schema::compile(rendered).unwrap());
            pairs.push((format!("{model} {rendered}"), pair.0, pair.1));
        }
    }
    assert_eq!(pairs.len(), 15);
    pairs
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        Just(json!(0.5)),
        prop::sample::select(vec!["NaN", "x", "a", "FP32"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map("(x|name|data|b64)", inner, 0..2)
                .prop_map(|members| json!(members)),
        ]
    })
}

/// Puts `new` in the place that `choices` lead to.
fn replace(value: &mut Value, choices: &[usize], new: Value) {
    let inner: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(members) => members.values_mut().collect(),
        _ => Vec::new(),
    };
    match choices {
        [first, rest @ ..] if !inner.is_empty() => {
            let chosen = first % inner.len();
            replace(inner.into_iter().nth(chosen).unwrap(), rest, new);
        }
        _ => *value = new,
    }
}

#[test]
fn a_rendered_model_takes_and_refuses_what_the_twin_does() {
    let pairs = model_pairs();
    let (mut taken, mut refused) = (0, 0);
    let mut judge = |body: &str| {
        for (models, contract, rendered) in &pairs {
            let verdict = contract.check(body.as_bytes());
            assert_eq!(verdict, rendered.check(body.as_bytes()), "{body} under {models}");
            if verdict == Verdict::Valid {
                taken += 1;
            } else {
                refused += 1;
            }
        }
    };
    for body in BODIES {
        judge(body);
    }
    let change = (0..BODIES.len(), prop::collection::vec(0..8usize, 1..6), any_json());
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..2_000 {
        let tree = change.new_tree(&mut runner).unwrap();
        let (body, choices, new) = tree.current();
        let mut body: Value = serde_json::from_str(BODIES[body]).unwrap();
        replace(&mut body, &choices, new);
        judge(&body.to_string());
    }
    assert!(taken > 500 && refused > 500, "{taken} taken, {refused} refused");
}

#[test]
fn what_an_import_would_lose_is_refused_by_name() {
    type Change = fn(&mut Gateway);
    fn first(contract: &mut Gateway) -> &mut Route {
        Arc::make_mut(&mut contract.routes[0])
    }
    let cases: [(Change, &str); 12] = [
        (|c| c.integration = Integration::HttpProxy, "integration: only a Lambda function's"),
        (|c| c.integration_timeout = Duration::from_millis(49), "integration timeout 49ms"),
        (|c| c.integration_timeout = Duration::from_micros(50_500), "integration timeout 50.5ms"),
        (|c| first(c).method = Method::TRACE, "route `/predict/TRACE`: API Gateway has no such"),
        (|c| first(c).path = "/{proxy+}".to_owned(), "route `/{proxy+}/POST`: API Gateway takes"),
        (|c| first(c).path = "/a//b".to_owned(), "route `/a//b/POST`: API Gateway takes"),
        (|c| first(c).path = String::new(), "route `/POST`: API Gateway takes"),
        (|c| c.routes.push(Arc::clone(&c.routes[0])), "route `/predict/POST` stands twice"),
        (
            |c| first(c).required_parameters = vec![Parameter::Header("Accept".to_owned())],
            "route `/predict/POST`: OpenAPI ignores a parameter named `Accept`",
        ),
        (|c| c.models.clear(), "route `/predict/POST` uses request model `Predictv2`"),
        (
            |c| drop(c.models.insert("Other".to_owned(), json!({ "minItems": 1 }))),
            "request model `Other`: `minItems` at `#`",
        ),
        (|c| first(c).serves.clear(), "version ``: no alias"),
    ];
    for (change, refusal) in cases {
        let mut contract = contract(Auth::None);
        change(&mut contract);
        let error: Error = document(&contract, &place()).unwrap_err();
        assert!(error.to_string().starts_with(refusal), "{error}");
    }
}

#[test]
fn the_twin_refuses_signed_requests_until_it_looks_at_signatures() {
    let clock = Arc::new(gwtf::gateway::ManualClock::new(0));
    let options = gwtf::gateway::Options::new(1);
    let refused = gwtf::gateway::Twin::new(&contract(Auth::Iam), options, clock, ());
    assert_eq!(refused.err(), Some(gwtf::gateway::Error::SignedRequests));
}

/// `gwtf export` in a folder with this gwtf.toml.
fn export(
    toml: &str,
    arguments: &[&str],
    account_id: Option<&str>,
) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("gwtf.toml"), toml).unwrap();
    let mut command = gwtf(folder.path());
    command.arg("export").args(arguments);
    command.env_remove("AWS_ACCOUNT_ID").env_remove("AWS_DEFAULT_REGION");
    command.envs(account_id.map(|id| ("AWS_ACCOUNT_ID", id)));
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn export_prints_the_document_of_a_model() {
    let iris = model("iris");
    let signature = signature("iris");
    for (auth_toml, auth) in [("", Auth::Iam), ("auth = \"none\"", Auth::None)] {
        let toml = format!("[endpoint]\nregion = \"eu-west-1\"\n[gateway]\n{auth_toml}\n");
        let arguments = ["openapi", &iris, "--version", "v7"];
        let (code, text, said) = export(&toml, &arguments, Some("111122223333"));
        assert_eq!(code, Some(0), "{said}");
        let wanted = document(&contract_of(&[("v7", &signature)], auth), &place()).unwrap();
        assert_eq!(text, format!("{wanted:#}\n"));
    }
    // Flags go before the environment, and the environment before the file.
    let toml = "[endpoint]\nregion = \"eu-west-1\"\n";
    let arguments = ["openapi", &iris, "--account", "444455556666", "--region", "cn-north-1"];
    let (_, text, _) = export(toml, &arguments, Some("111122223333"));
    assert!(text.contains("arn:aws-cn:lambda:cn-north-1:444455556666:function:gwtf-iris:v1/"));
}

#[test]
fn export_refuses_with_a_next_step() {
    let iris = model("iris");
    let region = "[endpoint]\nregion = \"eu-west-1\"\n";
    let jwt = "[gateway.jwt]\nissuer = \"https://a.example\"\naudience = [\"a\"]\n";
    let jwt = format!("{region}[gateway]\nauth = \"jwt\"\n{jwt}");
    let cognito = format!("{region}[gateway]\nauth = \"cognito\"\n");
    let ecs = format!("{region}target = \"ecs\"\n");
    let account = Some("111122223333");
    let openapi = ["openapi", iris.as_str()];
    type Case<'a> = (&'a str, &'a [&'a str], Option<&'a str>, &'a str, &'a str);
    let cases: [Case<'_>; 9] = [
        (region, &openapi, None, "account: none is named", "AWS_ACCOUNT_ID"),
        ("", &openapi, account, "region: none is named", "AWS_REGION"),
        (region, &openapi, Some("12"), "account `12`: an AWS account id has", "--account"),
        (region, &["openapi"], account, "model: none is named", "`model`"),
        (&jwt, &openapi, account, "gateway.auth `jwt`", "api-key"),
        (&cognito, &openapi, account, "identity work", "iam"),
        (&ecs, &openapi, account, "target `ecs`", "lambda"),
        (region, &["openapi", &iris, "--region", "EU"], account, "region `EU`", "--region"),
        (region, &["terraform", &iris], account, "terraform", "openapi"),
    ];
    for (toml, arguments, account, message, hint) in cases {
        let (code, text, said) = export(toml, arguments, account);
        assert_eq!((code, text.as_str()), (Some(2), ""), "{said}");
        assert!(said.contains(message) && said.contains(hint), "{message}: {said}");
    }
}
