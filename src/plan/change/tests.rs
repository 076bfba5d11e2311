use super::*;

#[test]
fn placeholders_become_what_earlier_actions_gave() {
    let change = Change::UpdateStage {
        rest_api: placeholder("rest_api"),
        stage: "prod".to_owned(),
        patch: vec![PatchOperation::replace(
            "/description",
            format!("a {} b {}", placeholder("deployment"), placeholder("rest_api")),
        )],
    };
    let given = BTreeMap::from(
        [("rest_api", "abc"), ("deployment", "d1")]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    let Ok(Change::UpdateStage { rest_api, patch, .. }) = change.resolve(&given) else {
        panic!("it resolves")
    };
    assert_eq!((rest_api.as_str(), patch[0].value.as_deref()), ("abc", Some("a d1 b abc")));
    let error = change.resolve(&BTreeMap::new()).unwrap_err();
    assert_eq!(error, Unresolved { operation: "UpdateStage", key: "deployment".to_owned() });
}

#[test]
fn text_that_only_looks_like_a_placeholder_stays() {
    let text = "${gwtf: $context.requestId";
    let change = Change::DeleteRole { role: text.to_owned() };
    assert_eq!(change.resolve(&BTreeMap::new()).unwrap(), change);
}
