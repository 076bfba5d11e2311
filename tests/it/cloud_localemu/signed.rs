//! `invoke` and `loadtest` against the deployed endpoint: what they sign, AWS would take.

use super::rig::{BODY, Rig, STAGE, told, toml};
use crate::sigv4::recorder::{Recorded, Recorder, SECRET, verify};
use crate::support::aws::{Call, Endpoint, REGION};
use crate::support::gwtf;
use serde_json::Value;

#[test]
fn calls_and_loads_of_the_deployed_endpoint_are_signed() {
    let Some(rig) = Rig::start(&toml("")) else { return };
    rig.deploy("iris", "v1", "");
    // Where the emulator is, by what gwtf.toml says.
    let reply: Value = serde_json::from_str(&rig.run("invoke --input body.json")).unwrap();
    assert_eq!(reply["predictions"].as_array().unwrap().len(), 1);
    let url = rig.url("/predict");
    let load = "--rps 20 --duration 2s --sigv4 --payload body.json --json";
    let output = rig.gwtf(&format!("loadtest --url {url} {load}")).output().unwrap();
    // A busy machine may make a load's own times not valid (1).
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", told(&output));
    let report = crate::support::held_to_schema(std::str::from_utf8(&output.stdout).unwrap());
    assert_eq!(report["outcomes"]["ok"]["count"], report["sent"], "{report:#}");
    assert_eq!(report["sent"], 40);

    // The same through a server that keeps what comes and hands it on to the endpoint.
    let endpoint = rig.emulator.endpoint.clone();
    let recorder = Recorder::answering(move |request| handed_on(&endpoint, request));
    let url = recorder.url(&format!("/_aws/execute-api/{}/{STAGE}/predict", rig.api_id()));
    for arguments in
        ["invoke --input body.json", "loadtest --rps 4 --duration 1s --payload body.json"]
    {
        let mut command = gwtf(rig.folder.path());
        command.envs([("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", SECRET)]);
        command.env_remove("AWS_SESSION_TOKEN").env("AWS_EC2_METADATA_DISABLED", "true");
        command.args(arguments.split(' ')).args(["--sigv4", "--region", REGION, "--url", &url]);
        let output = command.output().unwrap();
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", told(&output));
        let requests = recorder.take();
        assert_eq!(requests.len(), if arguments.starts_with("invoke") { 1 } else { 4 });
        assert!(requests.iter().all(|request| request.body == BODY.as_bytes()));
        verify(&requests);
    }
}

/// The endpoint's own reply to a request, which must be the model's.
fn handed_on(endpoint: &Endpoint, request: &Recorded) -> (u16, String, Vec<u8>) {
    let call = Call {
        method: request.method.clone(),
        url: format!("{}{}", endpoint.url, request.target),
        headers: request.headers.clone(),
        body: String::from_utf8(request.body.clone()).unwrap(),
    };
    let answer = endpoint.place.call(&[call]).remove(0).unwrap();
    assert_eq!(answer.headers["x-gwtf-model-version"], "v1", "{}", answer.body);
    (answer.status, String::new(), answer.body.into_bytes())
}
