//! The bucket and its objects; lists of many pages.

use super::{OWNER, file};
use crate::aws_port::{REGION, ask, perform, refused, tags, text};
use crate::support::aws::moto::Moto;
use gwtf::apply::{Cloud as _, Failed, Retry};
use gwtf::aws::Aws;
use gwtf::plan::change::{Body, Change, Condition};
use gwtf::plan::observed::Bucket;
use gwtf::plan::query::{Answer, Query};
use std::collections::BTreeMap;

#[tokio::test]
async fn bucket_and_objects() {
    let moto = Moto::start();
    let aws = Aws::emulated(REGION, &moto.endpoint.url).await;
    let Answer::Caller(caller) = ask(&aws, Query::GetCallerIdentity).await else { panic!() };
    assert_eq!(caller.account_id, OWNER);

    let (bucket, owner) = (text("gwtf-bucket"), text(OWNER));
    let head = Query::HeadBucket { bucket: bucket.clone(), owner: owner.clone() };
    let get_tags = Query::GetBucketTags { bucket: bucket.clone(), owner: owner.clone() };
    let object = |key: &str| Query::GetObject {
        bucket: bucket.clone(),
        owner: owner.clone(),
        key: text(key),
    };
    let keys = |prefix: &str| Query::ListObjects {
        bucket: bucket.clone(),
        owner: owner.clone(),
        prefix: text(prefix),
    };
    let put = |key: &str, body: Body, condition: Option<Condition>| Change::PutObject {
        bucket: bucket.clone(),
        owner: owner.clone(),
        key: text(key),
        body,
        condition,
    };
    assert_eq!(ask(&aws, head.clone()).await, Answer::Bucket(Bucket::Missing));
    assert_eq!(ask(&aws, get_tags.clone()).await, Answer::Tags(BTreeMap::new()));
    assert_eq!(ask(&aws, object("a")).await, Answer::Object(None));
    assert_eq!(ask(&aws, keys("")).await, Answer::Names(Vec::new()));
    let create = Change::CreateBucket { bucket: bucket.clone(), region: text(REGION) };
    perform(&aws, create.clone()).await;
    // One's own is made already, by a deploy at the same time.
    perform(&aws, create).await;
    assert_eq!(ask(&aws, head.clone()).await, Answer::Bucket(Bucket::Own(BTreeMap::new())));
    assert_eq!(ask(&aws, get_tags.clone()).await, Answer::Tags(BTreeMap::new()), "no tags yet");
    let change =
        Change::PutBucketTags { bucket: bucket.clone(), owner: owner.clone(), tags: tags() };
    perform(&aws, change).await;
    assert_eq!(ask(&aws, get_tags).await, Answer::Tags(tags()));

    let lock = |value: &str| Body::Text(text(value));
    perform(&aws, put("iris/lock.json", lock("é1"), Some(Condition::Absent))).await;
    let taken = refused(&aws, put("iris/lock.json", lock("2"), Some(Condition::Absent))).await;
    assert_eq!((taken.failed, taken.retry), (Failed::Precondition, Retry::Never), "{taken}");
    let Answer::Object(Some(first)) = ask(&aws, object("iris/lock.json")).await else { panic!() };
    assert_eq!(first.text, "é1");
    let over = |etag: &str| Some(Condition::Matches(text(etag)));
    perform(&aws, put("iris/lock.json", lock("3"), over(&first.etag))).await;
    let Answer::Object(Some(now)) = ask(&aws, object("iris/lock.json")).await else { panic!() };
    assert_eq!(now.text, "3");
    // moto does not look at If-Match on a put; the request does say it (see `requests`).

    let folder = tempfile::tempdir().unwrap();
    let (path, sha256) = file(folder.path(), &[0, 159, 146, 150]);
    let artefact = Body::File { path, sha256 };
    perform(&aws, put("iris/artefacts/1.zip", artefact, None)).await;
    let binary = aws.ask(&object("iris/artefacts/1.zip")).await.unwrap_err();
    assert_eq!((binary.failed, binary.code.as_str()), (Failed::Invalid, "NoText"));
    let names = ["iris/artefacts/1.zip", "iris/lock.json"].map(text);
    assert_eq!(ask(&aws, keys("iris/")).await, Answer::Names(names.to_vec()));
    let delete_bucket = Change::DeleteBucket { bucket: bucket.clone(), owner: owner.clone() };
    let full = refused(&aws, delete_bucket.clone()).await;
    assert_eq!((full.failed, full.object.as_str()), (Failed::Conflict, "gwtf-bucket"));
    for key in names {
        let (bucket, owner) = (bucket.clone(), owner.clone());
        perform(&aws, Change::DeleteObject { bucket, owner, key }).await;
    }
    perform(&aws, delete_bucket).await;
    assert_eq!(ask(&aws, head).await, Answer::Bucket(Bucket::Missing));
}

/// Lists of more than one page: S3's are of 1000 keys.
#[tokio::test]
async fn lists_are_read_to_their_end() {
    let moto = Moto::start();
    let aws = Aws::emulated(REGION, &moto.endpoint.url).await;
    let (bucket, owner) = (text("many"), text(OWNER));
    perform(&aws, Change::CreateBucket { bucket: bucket.clone(), region: text(REGION) }).await;
    for n in 0..1003 {
        let (bucket, owner) = (bucket.clone(), owner.clone());
        let body = Body::Text(String::new());
        let key = format!("a/{n:04}");
        perform(&aws, Change::PutObject { bucket, owner, key, body, condition: None }).await;
    }
    let query = Query::ListObjects { bucket, owner, prefix: text("a/") };
    let Answer::Names(names) = ask(&aws, query).await else { panic!() };
    assert_eq!((names.len(), names[1002].as_str()), (1003, "a/1002"));
    // moto's pages of log groups and attached policies are of 50 and 100.
    for n in 0..60 {
        let log_group = format!("/gwtf/many/{n}");
        perform(&aws, Change::CreateLogGroup { log_group, tags: BTreeMap::new() }).await;
    }
    let query = Query::DescribeLogGroups { prefix: text("/gwtf/many/") };
    let Answer::LogGroups(groups) = ask(&aws, query).await else { panic!() };
    assert_eq!(groups.len(), 60);
}
