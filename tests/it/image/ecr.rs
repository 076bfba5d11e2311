//! ECR's password, from a stand-in for its API: the SDK finds credentials and endpoint in the
//! environment, which a test gives to a process of its own.

use super::push::wait;
use super::scripted::Scripted;
use super::*;

const CHILD: &str = "image::ecr::asks_for_a_login";

#[test]
#[ignore = "run by the test below, in an environment of its own"]
fn asks_for_a_login() {
    match wait(gwtf::aws::ecr::login("eu-west-1", None)) {
        Ok(login) => println!("login {} {}", login.username, login.password.expose()),
        Err(error) => println!("error {}", gwtf::error::chain(&error)),
    }
}

/// What a process says that asks the server.
fn asked(server: &Scripted) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", CHILD, "--ignored", "--nocapture"]).env_clear();
    child.env("AWS_ENDPOINT_URL", format!("http://{}", server.host));
    child.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "example");
    child.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", "/nonexistent");
    output(&mut child)
}

#[test]
fn a_login_comes_from_the_api_and_a_refusal_is_quoted() {
    let server = Scripted::start(|request| {
        let target = request.header("x-amz-target").unwrap().to_owned();
        assert!(target.ends_with("GetAuthorizationToken"), "{target}");
        let signed = request.header("authorization").unwrap();
        assert!(signed.contains("AKIDEXAMPLE") && signed.contains("eu-west-1/ecr"), "{signed}");
        let token = r#"{"authorizationData":[{"authorizationToken":"QVdTOnRva2Vu"}]}"#;
        Some((200, Vec::new(), token.to_owned()))
    });
    assert!(asked(&server).contains("login AWS token\n"));

    let server = Scripted::start(|_| {
        let headers = vec![("x-amzn-RequestId", "4f1c".to_owned())];
        let body = r#"{"__type":"AccessDeniedException","message":"not for you"}"#;
        Some((400, headers, body.to_owned()))
    });
    let said = asked(&server);
    let expected = "error ecr GetAuthorizationToken in `eu-west-1`: AccessDeniedException \
                    (request 4f1c): not for you\n";
    assert!(said.contains(expected), "{said}");
}
