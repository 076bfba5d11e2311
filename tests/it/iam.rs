//! The IAM documents: sufficient and minimal for every configuration, and as they were agreed.

use crate::support::{aws, gwtf, held_to_schema};
use gwtf::iam::{
    Ci, Deployer, Jobs, Proof, Reach, Routes, Shape, deployer, deployer_calls, execution,
    execution_trust, invoker, prove, record, trust,
};
use gwtf::identity::policy::{Attachment, Document};
use gwtf::plan::Names;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/gwtf-boundary";
const REST_API: &str = "z9y8x7w6v5";

fn names() -> Names {
    Names::new("iris", "prod", "eu-west-1", "111122223333", None).unwrap()
}

fn proofs(asked: &Deployer<'_>) -> Vec<Proof> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(prove(asked)).unwrap()
}

/// Every flag alone, none, and all, with a zip and with an image.
fn shapes() -> Vec<Shape> {
    let flags: [fn(&mut Shape); 9] = [
        |_| {},
        |shape| shape.access_logs = true,
        |shape| shape.tracing = true,
        |shape| shape.usage_plans = true,
        |shape| (shape.usage_plans, shape.api_keys) = (true, true),
        |shape| shape.signed = true,
        |shape| (shape.usage_plans, shape.api_keys, shape.keyed) = (true, true, true),
        |shape| shape.reserved_concurrency = true,
        |shape| shape.provisioned_concurrency = true,
    ];
    let mut shapes: Vec<Shape> = flags
        .iter()
        .map(|set| {
            let mut shape = Shape::default();
            set(&mut shape);
            shape
        })
        .collect();
    let mut all = Shape::default();
    flags.iter().for_each(|set| set(&mut all));
    // Who signs has no key.
    shapes.push(Shape { keyed: false, ..all.clone() });
    shapes.push(Shape { signed: false, ..all });
    // With an image or a boundary: the least and the most.
    let few = [shapes[0].clone(), shapes[shapes.len() - 1].clone()];
    let images = few.clone().map(|shape| Shape { image: true, ..shape });
    let bounded = few.map(|shape| Shape { boundary: Some(BOUNDARY.to_owned()), ..shape });
    shapes.into_iter().chain(images).chain(bounded).collect()
}

/// What is wrong with the documents of one shape.
fn faults(shape: &Shape) -> Vec<String> {
    let names = names();
    let mut faults = Vec::new();
    for reach in [Reach::Whole, Reach::Releases, Reach::Reads] {
        for rest_api in [None, Some(REST_API)] {
            let proofs = proofs(&Deployer { names: &names, shape, reach, rest_api });
            assert_eq!(proofs.len(), 3);
            for proof in proofs {
                assert!(proof.calls > 1, "{proof:?}");
                let at = format!("{} {reach:?} {rest_api:?} {shape:?}", proof.document);
                let denied = proof.denied.iter().map(|one| format!("{at}: denied: {one:?}"));
                faults.extend(denied);
                let more = proof.superfluous.iter().flatten();
                faults.extend(more.map(|one| format!("{at}: not needed: {}", one.mutation)));
            }
        }
    }
    faults
}

#[test]
fn every_document_is_sufficient_and_minimal_for_every_configuration() {
    let shapes = shapes();
    let faults: Vec<String> = std::thread::scope(|scope| {
        let parts: Vec<_> = shapes
            .chunks(shapes.len().div_ceil(4))
            .map(|part| scope.spawn(|| part.iter().flat_map(faults).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

fn all() -> Shape {
    Shape {
        image: false,
        access_logs: true,
        tracing: true,
        usage_plans: true,
        api_keys: true,
        signed: false,
        keyed: true,
        reserved_concurrency: true,
        provisioned_concurrency: true,
        boundary: Some(BOUNDARY.to_owned()),
    }
}

/// Every document that is held to its file and to the linter.
fn documents() -> Vec<(&'static str, Document)> {
    let names = names();
    let least = Shape { signed: true, ..Shape::default() };
    let (zip, image) = (all(), Shape { image: true, signed: true, keyed: false, ..all() });
    let of = |shape, reach, rest_api| deployer(&Deployer { names: &names, shape, reach, rest_api });
    let routes = Routes { live: true, versions: vec!["v3".to_owned()] };
    let github = Ci::Github {
        repository: "acme/models".to_owned(),
        organization_id: None,
        repository_id: Some(1_296_269),
        jobs: Jobs::Environment("production".to_owned()),
    };
    let Ci::Github { repository, repository_id, jobs, .. } = github.clone() else { panic!() };
    let organization_id = Some(583_231);
    let numbered = Ci::Github { repository, organization_id, repository_id, jobs };
    let gitlab = Ci::Gitlab { project: "acme/ml/models".to_owned(), branch: "main".to_owned() };
    vec![
        ("execution", execution(&names, false)),
        ("execution-tracing", execution(&names, true)),
        ("execution-trust", execution_trust()),
        ("deployer-least", of(&least, Reach::Whole, None)),
        ("deployer-zip", of(&zip, Reach::Whole, None)),
        ("deployer-image", of(&image, Reach::Whole, None)),
        ("deployer-releases", of(&zip, Reach::Releases, Some(REST_API))),
        ("deployer-reads", of(&image, Reach::Reads, None)),
        ("invoker", invoker(&names, Some(REST_API), &routes)),
        ("invoker-any-id", invoker(&names, None, &routes)),
        ("trust-github", trust("aws", "111122223333", &github).unwrap()),
        ("trust-github-numbered", trust("aws", "111122223333", &numbered).unwrap()),
        ("trust-gitlab", trust("aws", "111122223333", &gitlab).unwrap()),
    ]
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/iam/{name}.txt"))
}

#[test]
fn documents_are_as_they_were_agreed() {
    #[expect(clippy::disallowed_methods, reason = "the switch of every golden file")]
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for (name, document) in documents() {
        let path = golden(name);
        let text = document.render_text();
        if update {
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(&path, &text).unwrap();
        }
        let kept = fs_err::read_to_string(&path).unwrap();
        assert!(kept == text, "{} is behind; UPDATE_GOLDEN=1 brings it along", path.display());
    }
}

#[test]
fn every_statement_has_a_name_and_a_reason_and_every_document_a_place() {
    for (name, document) in documents() {
        for statement in &document.statements {
            assert!(statement.sid.is_some() && statement.reason.is_some(), "{name} {statement:?}");
        }
        let attachment =
            if name.contains("trust") { Attachment::Trust } else { Attachment::RoleInline };
        document.check(attachment).unwrap();
    }
    let document = |wanted: &str| {
        let mut all = documents().into_iter();
        all.find_map(|(name, document)| (name == wanted).then_some(document)).unwrap()
    };
    for name in ["execution-tracing", "deployer-least", "invoker"] {
        document(name).check(Attachment::Managed).unwrap();
    }
    // The widest one is longer than a managed policy; `gwtf iam deployer` says so.
    assert!(document("deployer-image").check(Attachment::Managed).is_err());
}

/// `Allow` with `*` or a wildcard in a trust document's subject would let others in.
#[test]
fn nothing_is_allowed_on_everything_that_could_be_named() {
    for (name, document) in documents() {
        for statement in &document.statements {
            let sid = statement.sid.as_deref().unwrap();
            let all = statement.resources.iter().flat_map(|resources| resources.patterns());
            let named = ["Lists", "Traces"].contains(&sid);
            assert!(named || !all.clone().any(|arn| arn == "*"), "{name} {sid}");
            assert!(!statement.actions.patterns().iter().any(|action| action.contains('*')));
            let values = statement.conditions.iter().flat_map(|condition| &condition.values);
            assert!(!values.clone().any(|value| value.contains(['*', '?'])), "{name} {sid}");
        }
    }
}

#[test]
fn a_trust_document_never_names_more_than_one() {
    let github = |repository: &str, jobs| Ci::Github {
        repository: repository.to_owned(),
        organization_id: None,
        repository_id: None,
        jobs,
    };
    let main = || Jobs::Branch("main".to_owned());
    let wrong = [
        github("acme/*", main()),
        github("acme", main()),
        github("acme/models/x", main()),
        github("acme/models:pull_request", main()),
        github("acme/models", Jobs::Branch("*".to_owned())),
        github("acme/models", Jobs::Branch(String::new())),
        github("acme/models", Jobs::Environment("prod*".to_owned())),
        github("acme/models", Jobs::Environment("a:b".to_owned())),
        Ci::Gitlab { project: "acme/*".to_owned(), branch: "main".to_owned() },
        Ci::Gitlab { project: "acme/m".to_owned(), branch: "ma?n".to_owned() },
    ];
    for ci in wrong {
        assert!(trust("aws", "111122223333", &ci).is_err(), "{ci:?}");
    }
    let document = trust("aws-cn", "111122223333", &github("acme/models", main())).unwrap();
    let text = document.render_compact();
    assert!(text.contains("repo:acme/models:ref:refs/heads/main"), "{text}");
    // Both spellings of one repository, each exact.
    let jobs = Jobs::Environment("prod".to_owned());
    let (organization_id, repository_id) = (Some(123_456), Some(456_789));
    let ci = Ci::Github {
        repository: "octocat/my-repo".to_owned(),
        organization_id,
        repository_id,
        jobs,
    };
    let document = serde_json::to_value(trust("aws", "111122223333", &ci).unwrap()).unwrap();
    let equals = &document["Statement"][0]["Condition"]["StringEquals"];
    let subjects = [
        "repo:octocat/my-repo:environment:prod",
        "repo:octocat@123456/my-repo@456789:environment:prod",
    ];
    assert_eq!(equals["token.actions.githubusercontent.com:sub"], serde_json::json!(subjects));
    assert_eq!(equals["token.actions.githubusercontent.com:repository_id"], "456789");
    assert!(text.contains("arn:aws-cn:iam::111122223333:oidc-provider/token.actions"), "{text}");
}

/// Takes each action and each resource away in turn; each time a call must be denied.
#[test]
fn a_weakened_document_is_found() {
    use gwtf::identity::policy::{Effect, Which};
    let (names, shape) = (names(), all());
    let asked = Deployer { names: &names, shape: &shape, reach: Reach::Whole, rest_api: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let calls = deployer_calls(&asked, &runtime.block_on(record(&asked)).unwrap());
    let whole = deployer(&asked);
    let mut weakened = 0;
    for (index, statement) in whole.statements.iter().enumerate() {
        if statement.effect == Effect::Deny {
            continue;
        }
        for action in statement.actions.patterns() {
            let mut less = whole.clone();
            let Which::Listed(actions) = &mut less.statements[index].actions else { panic!() };
            actions.retain(|other| other != action);
            let proof = Proof::of_foreign("weakened", &less, &calls);
            assert!(!proof.denied.is_empty(), "{:?} without {action}", statement.sid);
            weakened += 1;
        }
    }
    assert!(weakened > 60, "{weakened}");
    // One that grants more is sufficient, and not minimal.
    let mut more = whole.clone();
    let Which::Listed(actions) = &mut more.statements[0].actions else { panic!() };
    actions.push("apigateway:DELETE".to_owned());
    let proof = Proof::of("more", &more, &calls);
    assert!(proof.denied.is_empty() && !proof.holds(), "{proof:?}");
}

#[test]
fn the_linter_finds_nothing() {
    let documents: Vec<Document> = documents().into_iter().map(|(_, document)| document).collect();
    let mut command = Command::new(aws::python());
    command.arg(aws::script("lint_policies.py"));
    assert_eq!(aws::output(command, &serde_json::to_string(&documents).unwrap()), "");
}

/// What the deployer's document and administrator rights besides it do not allow.
#[test]
fn a_boundary_cannot_be_taken_off_or_edited() {
    use gwtf::identity::policy::{Policies, Request, evaluate, parse};
    let (names, shape) = (names(), all());
    let own =
        deployer(&Deployer { names: &names, shape: &shape, reach: Reach::Whole, rest_api: None });
    let role = names.role_arn(&names.execution_role());
    let key = "iam:PermissionsBoundary";
    let allowed = |identity: &[Document], request: &Request| {
        evaluate(&Policies { identity, ..Policies::default() }, request).is_allowed()
    };
    let bare = [own.clone()];
    for action in ["iam:CreateRole", "iam:PutRolePolicy"] {
        let request = Request::new(action, &role);
        assert!(allowed(&bare, &request.clone().with(key, [BOUNDARY])), "{action}");
        assert!(!allowed(&bare, &request), "{action} without a boundary");
        let other = ["arn:aws:iam::111122223333:policy/other"];
        assert!(!allowed(&bare, &request.with(key, other)), "{action} with another boundary");
    }
    let admin = parse(
        br#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#,
    );
    let both = [own, admin.unwrap()];
    for (action, resource) in [
        ("iam:CreatePolicyVersion", BOUNDARY),
        ("iam:SetDefaultPolicyVersion", BOUNDARY),
        ("iam:DeletePolicy", BOUNDARY),
        ("iam:DeleteRolePermissionsBoundary", &role),
    ] {
        let request = Request::new(action, resource).with(key, [BOUNDARY]);
        assert!(!allowed(&both, &request), "{action}");
    }
}

/// Another endpoint's things, by name and by tag; other services and principals.
#[test]
fn what_is_not_the_endpoints_is_denied() {
    use gwtf::identity::policy::{Policies, Request, evaluate};
    let (names, shape) = (names(), all());
    let identity =
        [deployer(&Deployer { names: &names, shape: &shape, reach: Reach::Whole, rest_api: None })];
    let policies = Policies { identity: &identity, ..Policies::default() };
    let api = "arn:aws:apigateway:eu-west-1::/restapis/a1b2c3d4e5";
    let function = "arn:aws:lambda:eu-west-1:111122223333:function:gwtf-iris";
    let role = names.role_arn(&names.execution_role());
    let request = Request::new;
    let tag = "aws:ResourceTag/gwtf:endpoint";
    let denied = [
        request("apigateway:PUT", api),
        request("apigateway:PUT", api).with(tag, ["other"]),
        request("apigateway:PATCH", &format!("{api}/stages/other")).with(tag, ["iris"]),
        request("apigateway:DELETE", &format!("{api}/stages/prod")).with(tag, ["iris"]),
        request("apigateway:UpdateRestApiPolicy", api).with(tag, ["iris"]),
        request("apigateway:POST", "arn:aws:apigateway:eu-west-1::/restapis"),
        request("lambda:UpdateFunctionCode", &format!("{function}-2")),
        request("lambda:InvokeFunction", function),
        request("lambda:AddPermission", function).with("lambda:Principal", ["*"]),
        request("iam:PassRole", &role).with("iam:PassedToService", ["ec2.amazonaws.com"]),
        request("iam:PassRole", "arn:aws:iam::111122223333:role/admin")
            .with("iam:PassedToService", ["lambda.amazonaws.com"]),
        request("iam:AttachRolePolicy", &role)
            .with("iam:PolicyARN", ["arn:aws:iam::aws:policy/AdministratorAccess"])
            .with("iam:PermissionsBoundary", [BOUNDARY]),
        request("s3:GetObject", "arn:aws:s3:::gwtf-111122223333-eu-west-1/other/lock.json"),
        request("s3:DeleteBucket", "arn:aws:s3:::gwtf-111122223333-eu-central-1"),
        request(
            "execute-api:Invoke",
            "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/POST/predict",
        ),
        request("logs:DeleteLogGroup", "arn:aws:logs:eu-west-1:111122223333:log-group:/gwtf/iris"),
    ];
    for request in denied {
        assert!(!evaluate(&policies, &request).is_allowed(), "{request:?}");
    }
    let own = request("apigateway:PUT", api).with(tag, ["iris"]);
    assert!(evaluate(&policies, &own).is_allowed());
}

const ACCOUNT: [&str; 4] = ["--account", "111122223333", "--region", "eu-west-1"];

fn run(folder: &Path, arguments: &[&str]) -> Output {
    gwtf(folder)
        .arg("iam")
        .args(arguments)
        .args(ACCOUNT)
        .env_remove("AWS_ACCOUNT_ID")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_program_prints_documents_that_follow_their_schema() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [&[&str]; 7] = [
        &["execution"],
        &["deployer"],
        &["deployer", "--without-bootstrap", "--rest-api", REST_API, "--boundary", BOUNDARY],
        &["deployer", "--read-only", "--rest-api", REST_API],
        &["deployer", "--trust", "github", "--repository", "acme/models", "--branch", "main"],
        &["invoker", "--version", "v3", "--pinned-only"],
        &["invoker", "--rest-api", REST_API],
    ];
    for arguments in cases {
        let json = [arguments, &["--json"]].concat();
        let document = held_to_schema(&stdout(&run(folder.path(), &json)));
        assert_eq!(document["document"], arguments[0]);
        for statement in document["policy"]["Statement"].as_array().unwrap() {
            let sid = statement["Sid"].as_str().unwrap();
            assert!(document["reasons"][sid].is_string(), "{arguments:?} {sid}");
        }
        // The text without its reasons is the document.
        let text = stdout(&run(folder.path(), arguments));
        let policy: String =
            text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        let mut documents = serde_json::Deserializer::from_str(&policy).into_iter();
        let policy: serde_json::Value = documents.next().unwrap().unwrap();
        assert_eq!(policy, document["policy"], "{arguments:?}");
        let trust: Option<serde_json::Value> = documents.next().map(Result::unwrap);
        assert_eq!(trust.as_ref(), document.get("trust"), "{arguments:?}");
    }
}

#[test]
fn the_program_follows_gwtf_toml() {
    let folder = tempfile::tempdir().unwrap();
    let print = |toml: &str| {
        fs_err::write(folder.path().join("gwtf.toml"), toml).unwrap();
        stdout(&run(folder.path(), &["deployer"]))
    };
    let least = print("[endpoint]\nname = \"iris\"\n[observe]\naccess_logs = false\n");
    assert_eq!(least, fs_err::read_to_string(golden("deployer-least")).unwrap());
    let image = print("[function]\npackage = \"image\"\n");
    assert!(image.contains("ecr:PutImage") && image.contains("iam:AttachRolePolicy"), "{image}");
    assert!(!least.contains("ecr:") && !least.contains("iam:AttachRolePolicy"), "{least}");
}

#[test]
fn verify_proves_and_refutes() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["verify", "--json"]);
    let document = held_to_schema(&stdout(&output));
    assert_eq!(
        (output.status.code(), &document["passed"]),
        (Some(0), &true.into()),
        "{document:#}"
    );
    let text = stdout(&run(folder.path(), &["verify"]));
    assert_eq!(text.matches("sufficient and minimal").count(), 3, "{text}");
    // One's own document: gwtf's, as it was printed.
    let own = folder.path().join("own.txt");
    let printed = stdout(&run(folder.path(), &["deployer"]));
    fs_err::write(&own, &printed).unwrap();
    let output = run(folder.path(), &["verify", "--policy", "own.txt"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    // The same with one action less.
    fs_err::write(&own, printed.replace("lambda:CreateAlias", "lambda:GetAlias")).unwrap();
    let output = run(folder.path(), &["verify", "--policy", "own.txt"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("first deploy: CreateAlias: lambda:CreateAlias on arn:aws:lambda"),
        "{text}"
    );
    let json = run(folder.path(), &["verify", "--policy", "own.txt", "--json"]);
    assert_eq!(held_to_schema(&stdout(&json))["passed"], false);
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("broken.json"), "{\"Statement\": 1}").unwrap();
    let cases: [&[&str]; 9] = [
        &["deployer", "--read-only", "--without-bootstrap"],
        &["deployer", "--rest-api", "*"],
        &["deployer", "--boundary", "arn:aws:iam::111122223333:role/x"],
        &["deployer", "--trust", "github", "--repository", "acme/*", "--branch", "main"],
        &["deployer", "--trust", "github", "--repository", "acme/models"],
        &["deployer", "--trust", "gitlab", "--branch", "main"],
        &["deployer", "--name", "Iris"],
        &["verify", "--policy", "broken.json"],
        &["verify", "--policy", "missing.json"],
    ];
    for arguments in cases {
        let output = run(folder.path(), arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.starts_with("error: ") && output.stdout.is_empty(), "{arguments:?}: {text}");
    }
    let output = gwtf(folder.path())
        .args(["iam", "execution", "--region", "eu-west-1"])
        .envs([("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_CONFIG_FILE", "/dev/null")])
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env_remove("AWS_ACCOUNT_ID")
        .env_remove("AWS_ACCESS_KEY_ID")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("account: none is named") && text.contains("--account ID"), "{text}");
}
