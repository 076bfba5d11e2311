//! A version's code on its way to the function: in the request, through the bucket, or as an image.

use super::super::action::Verb;
use super::super::change::{Change, Code};
use super::super::wanted::ArtefactForm;
use super::function::code_sha256;
use super::{Planner, Refused};
use crate::model::Digest;
use crate::spec::limits::LAMBDA_ZIP_UPLOAD_BYTES_MAX;

impl Planner<'_> {
    /// The code, and the action that uploads it where it is not sent in the request itself.
    pub(super) fn code(&mut self) -> Result<(Code, Option<usize>), Refused> {
        let wanted = self.wanted;
        let names = &wanted.names;
        let artefact = wanted.artefact.as_ref();
        let artefact = artefact.ok_or_else(|| self.without_artefact())?;
        let sha256 = code_sha256(artefact);
        match &artefact.form {
            ArtefactForm::Zip { path, size_bytes }
                if *size_bytes <= LAMBDA_ZIP_UPLOAD_BYTES_MAX =>
            {
                Ok((Code::Zip { path: path.clone(), sha256 }, None))
            }
            ArtefactForm::Zip { path, .. } => {
                let key = names.artefact_key(&artefact.digest.to_string());
                let code = Code::Object {
                    bucket: names.bucket.clone(),
                    key: key.clone(),
                    sha256: sha256.clone(),
                };
                if self.observed.objects.contains(&key) {
                    self.keep(("object", &key), "the artefact is there");
                    return Ok((code, None));
                }
                let put = Change::PutObject {
                    bucket: names.bucket.clone(),
                    owner: names.account_id.clone(),
                    key: key.clone(),
                    body: super::super::change::Body::File { path: path.clone(), sha256 },
                    condition: None,
                };
                let reason = "the zip is larger than what Lambda takes directly";
                Ok((code, Some(self.act(Verb::Create, ("object", &key), reason, put, []))))
            }
            ArtefactForm::Image { layout } => self.image(layout, &artefact.digest),
        }
    }

    fn image(
        &mut self,
        layout: &std::path::Path,
        digest: &Digest,
    ) -> Result<(Code, Option<usize>), Refused> {
        let names = &self.wanted.names;
        let repository = names.repository();
        let object = ("repository", repository.as_str());
        let mut after = Vec::new();
        if self.observed.repository.is_none() {
            let create =
                Change::CreateRepository { repository: repository.clone(), tags: names.tags() };
            after.push(self.act(Verb::Create, object, "it is not there", create, []));
        }
        let document = repository_policy(&names.function_arn());
        let observed = self.observed.repository.as_ref().and_then(|one| one.policy.as_deref());
        if !observed.is_some_and(|text| super::account::same_json(text, &document)) {
            let set = Change::SetRepositoryPolicy { repository: repository.clone(), document };
            let reason = "the function, and nobody else, is let in to pull";
            after = vec![self.act(Verb::Update, object, reason, set, after)];
        }
        let tag = self.wanted.version.to_string();
        let push =
            Change::PushImage { layout: layout.to_path_buf(), repository: repository.clone(), tag };
        let image = format!("{repository}:{}", self.wanted.version);
        let reason = "the version's image; layers that are there stay";
        let pushed = self.act(Verb::Create, ("image", &image), reason, push, after);
        let registry = names.registry();
        let uri = format!("{registry}/{repository}@sha256:{digest}");
        Ok((Code::Image { uri, sha256: digest.to_string() }, Some(pushed)))
    }
}

/// Who may pull: Lambda, for this function (Lambda developer guide, "Amazon ECR permissions").
fn repository_policy(function_arn: &str) -> String {
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "GwtfFunctionPulls",
            "Effect": "Allow",
            "Principal": { "Service": "lambda.amazonaws.com" },
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            "Condition": { "ArnLike": { "aws:SourceArn": function_arn } },
        }],
    })
    .to_string()
}
