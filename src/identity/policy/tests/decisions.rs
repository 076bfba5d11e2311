//! How the layers of policies come together.

use super::*;

const USER: &str = "arn:aws:iam::123456789012:user/carlossalazar";
const ROLE: &str = "arn:aws:iam::111122223333:role/examplerole";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/examplerole/examplerolesessionname";

fn sid(layer: Layer, sid: &str) -> Ground {
    Ground { layer, sid: sid.to_owned() }
}

/// `reference_policies_evaluation-logic.html`, "Example identity-based and resource-based policy
/// evaluation".
#[test]
fn guide_carlos() {
    let own = document(
        r#"{"Version":"2012-10-17","Statement":[
        {"Sid":"AllowS3ListRead","Effect":"Allow","Action":["s3:GetBucketLocation","s3:GetAccountPublicAccessBlock","s3:ListAccessPoints","s3:ListAllMyBuckets"],"Resource":"arn:aws:s3:::*"},
        {"Sid":"AllowS3Self","Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::carlossalazar/*","arn:aws:s3:::carlossalazar"]},
        {"Sid":"DenyS3Logs","Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::*log*"}]}"#,
    );
    let bucket = document(
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/carlossalazar"},
        "Action":"s3:*","Resource":["arn:aws:s3:::carlossalazar/*","arn:aws:s3:::carlossalazar"]}]}"#,
    );
    let policies = Policies {
        identity: std::slice::from_ref(&own),
        resource: Some(&bucket),
        ..Policies::default()
    };
    let put = |resource| {
        let request = Request::new("s3:PutObject", resource).from(Caller::User(USER.to_owned()));
        evaluate(&policies, &request)
    };
    let denied = Decision::ExplicitDeny { by: sid(Layer::Identity, "DenyS3Logs") };
    assert_eq!(put("arn:aws:s3:::carlossalazar-logs/file"), denied);
    assert!(put("arn:aws:s3:::carlossalazar/file").is_allowed());
    let missing = Decision::ImplicitDeny { missing: Layer::Identity };
    assert_eq!(put("arn:aws:s3:::other/file"), missing);
    let list = Request::new("s3:ListAllMyBuckets", "arn:aws:s3:::x");
    assert_eq!(
        decide(&own, &list),
        Decision::Allowed { by: sid(Layer::Identity, "AllowS3ListRead") }
    );
}

/// Same page, "The difference between explicit and implicit denies".
#[test]
fn guide_reports() {
    let document = document(
        r#"{"Version":"2012-10-17","Statement":[
        {"Sid":"AllowGetList","Effect":"Allow","Action":["iam:Get*","iam:List*"],"Resource":"*"},
        {"Sid":"DenyReports","Effect":"Deny","Action":"iam:*Report","Resource":"*"}]}"#,
    );
    let decide = |action| super::decide(&document, &Request::new(action, "*"));
    assert!(decide("iam:GetUser").is_allowed());
    assert_eq!(decide("iam:CreatePolicy"), Decision::ImplicitDeny { missing: Layer::Identity });
    let denied = Decision::ExplicitDeny { by: sid(Layer::Identity, "DenyReports") };
    assert_eq!(decide("iam:GetOrganizationsAccessReport"), denied);
}

#[test]
fn every_layer_that_is_there_must_allow() {
    let (yes, no) = (one("Allow", "s3:*", "*"), one("Allow", "ec2:*", "*"));
    let deny = one("Deny", "s3:GetObject", "*");
    let layers = [None, Some(&yes), Some(&no), Some(&deny)];
    let request = Request::new("s3:GetObject", "arn:aws:s3:::b/k");
    for identity in [&yes, &no, &deny] {
        for boundary in layers {
            for session in layers {
                let identities = std::slice::from_ref(identity);
                let policies =
                    Policies { identity: identities, boundary, session, ..Policies::default() };
                let all = [Some(identity), boundary, session];
                let decision = evaluate(&policies, &request);
                let allowed = all.iter().flatten().all(|document| **document == yes);
                assert_eq!(decision.is_allowed(), allowed);
                let denied = matches!(decision, Decision::ExplicitDeny { .. });
                assert_eq!(denied, all.iter().flatten().any(|document| **document == deny));
            }
        }
    }
}

fn resource_policy(principal: &str) -> Document {
    document(&format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"R","Effect":"Allow","Principal":{principal},"Action":"s3:GetObject","Resource":"*"}}]}}"#
    ))
}

/// The table "Resource-based policies and implicit denies in other policy types (same account)",
/// and both sides for other accounts.
#[test]
fn what_a_resource_policy_names() {
    let user = || Caller::User("arn:aws:iam::111122223333:user/u".to_owned());
    let session = || Caller::RoleSession { role: ROLE.to_owned(), session: SESSION.to_owned() };
    let service = || Caller::Service("lambda.amazonaws.com".to_owned());
    let federated = || Caller::Federated("accounts.google.com".to_owned());
    // Principal, caller, then allowed: by itself; with a boundary that does not allow; in another
    // account without, and with, an identity policy that allows.
    let table = [
        (r#"{"AWS":"arn:aws:iam::111122223333:user/u"}"#, user(), [true, true, false, true]),
        (r#"{"AWS":"arn:aws:iam::111122223333:user/v"}"#, user(), [false; 4]),
        (r#"{"AWS":"arn:aws:iam::111122223333:user/*"}"#, user(), [false; 4]),
        (r#"{"AWS":["x","111122223333"]}"#, user(), [false, false, false, true]),
        (r#"{"AWS":"arn:aws:iam::111122223333:root"}"#, user(), [false, false, false, true]),
        (r#"{"AWS":"arn:aws:iam::999999999999:root"}"#, user(), [false; 4]),
        (r#"{"AWS":"*"}"#, user(), [true, true, false, true]),
        (r#""*""#, session(), [true, true, false, true]),
        (&format!(r#"{{"AWS":"{ROLE}"}}"#), session(), [true, false, false, true]),
        (&format!(r#"{{"AWS":"{SESSION}"}}"#), session(), [true, true, false, true]),
        (r#"{"AWS":"111122223333"}"#, session(), [false, false, false, true]),
        (r#"{"Service":"lambda.amazonaws.com"}"#, service(), [true; 4]),
        (r#"{"Service":"ecs.amazonaws.com"}"#, service(), [false; 4]),
        (r#"{"AWS":"lambda.amazonaws.com"}"#, service(), [false; 4]),
        (r#"{"Federated":"accounts.google.com"}"#, federated(), [true, true, false, true]),
        (r#""*""#, Caller::Anonymous, [true; 4]),
        (r#"{"AWS":"111122223333"}"#, Caller::Anonymous, [false; 4]),
    ];
    let (yes, no) = (one("Allow", "s3:*", "*"), one("Allow", "ec2:*", "*"));
    for (principal, caller, expected) in table {
        let policy = resource_policy(principal);
        let request = Request::new("s3:GetObject", "arn:aws:s3:::b/k").from(caller.clone());
        let resource = Some(&policy);
        let alone = Policies { resource, ..Policies::default() };
        let other = Policies { accounts: Accounts::Other, ..alone };
        let cases = [
            alone,
            Policies { boundary: Some(&no), ..alone },
            other,
            Policies { identity: std::slice::from_ref(&yes), ..other },
        ];
        let found = cases.map(|policies| evaluate(&policies, &request).is_allowed());
        assert_eq!(found, expected, "{principal} {caller:?}");
    }
}

#[test]
fn either_side_denies() {
    let yes = one("Allow", "s3:*", "*");
    let mut policy = resource_policy(r#"{"AWS":"111122223333"}"#);
    policy.statements[0].effect = Effect::Deny;
    let user = Caller::User("arn:aws:iam::111122223333:user/u".to_owned());
    let request = Request::new("s3:GetObject", "arn:aws:s3:::b/k").from(user);
    let identity = std::slice::from_ref(&yes);
    let policies = Policies { identity, resource: Some(&policy), ..Policies::default() };
    let denied = Decision::ExplicitDeny { by: sid(Layer::Resource, "R") };
    assert_eq!(evaluate(&policies, &request), denied);
    // All but this account is not this account.
    let Some(Principals::Listed(listed)) = policy.statements[0].principals.clone() else {
        panic!()
    };
    policy.statements[0].principals = Some(Principals::AllBut(listed));
    let policies = Policies { identity, resource: Some(&policy), ..Policies::default() };
    assert!(evaluate(&policies, &request).is_allowed());
}

/// A principal is not part of an identity policy: an Allow with one is no Allow there.
#[test]
fn principals_in_the_wrong_place() {
    let policy = resource_policy(r#""*""#);
    assert!(!allows(&policy, &Request::new("s3:GetObject", "arn:aws:s3:::b/k")));
    let plain = one("Allow", "s3:*", "*");
    let policies = Policies { resource: Some(&plain), ..Policies::default() };
    assert!(!evaluate(&policies, &Request::new("s3:GetObject", "*")).is_allowed());
}

/// The trust document of a Lambda function: its service may assume the role, nobody else.
#[test]
fn trust_documents_need_no_resource() {
    let trust = document(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}"#,
    );
    let policies = Policies { resource: Some(&trust), ..Policies::default() };
    let assume = |service: &str| {
        let request = Request::new("sts:AssumeRole", ROLE);
        evaluate(&policies, &request.from(Caller::Service(service.to_owned()))).is_allowed()
    };
    assert!(assume("lambda.amazonaws.com"));
    assert!(!assume("ecs-tasks.amazonaws.com"));
}
