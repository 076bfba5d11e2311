//! A push through the port to AWS, as a deploy does it.

use super::registry::Registry;
use super::*;
use gwtf::apply::{Cloud as _, Failed, Retry};
use gwtf::aws::Aws;
use gwtf::plan::change::{Change, Given};

#[tokio::test]
async fn an_image_is_pushed_through_the_port() {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("image");
    write("a model", &layout);
    let registry = Registry::start();
    // The registry is named whole, so nothing is asked of AWS.
    let aws = Aws::emulated("eu-west-1", "http://127.0.0.1:1").await;
    let push = |host: &str| Change::PushImage {
        layout: layout.clone(),
        repository: format!("{host}/gwtf/iris"),
        tag: "v1".to_owned(),
    };
    assert_eq!(aws.perform(&push(&registry.host)).await, Ok(Given::Nothing));
    let put = "PUT /v2/gwtf/iris/manifests/v1";
    let requests = registry.requests();
    assert!(requests.iter().any(|line| line.starts_with(put)), "{requests:#?}");

    let closed = Registry::start_protected("AWS", "token");
    let error = aws.perform(&push(&closed.host)).await.unwrap_err();
    assert_eq!((error.failed, error.retry), (Failed::Denied, Retry::Never), "{error}");
}
