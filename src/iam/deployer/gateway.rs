//! The REST API, its stage and deployments, usage plans and keys.

use super::{Deployer, Statement};

const GET: &str = "apigateway:GET";
const POST: &str = "apigateway:POST";
const PUT: &str = "apigateway:PUT";
const PATCH: &str = "apigateway:PATCH";
const DELETE: &str = "apigateway:DELETE";

impl Deployer<'_> {
    pub(super) fn gateway(&self) -> Vec<Statement> {
        let control = |path: &str| self.arns().control(path);
        let lists = ["/account", "/restapis", "/usageplans", "/apikeys"];
        let mut statements = vec![
            Statement::allow(
                "ApiFind",
                "finds what belongs to the endpoint, by tag; the list of keys shows their values to \
                 who asks for them",
            )
            .actions([GET])
            .resources(lists.map(control)),
        ];
        statements.extend(self.create());
        statements.extend(self.tags());
        let own = |below: &str| control(&format!("/restapis/{}{below}", self.rest_api_id()));
        let definition = Statement::allow("ApiDefinition", "the routes of all kept versions")
            .actions(Self::chosen(&[(PUT, true), (DELETE, self.is_whole())]))
            .resources([own("")]);
        let (deployments, stages) = (own("/deployments"), own("/stages"));
        let ledger = Statement::allow("ApiLedger", "the ledger: deployments, and the stage")
            .actions(Self::chosen(&[(GET, true), (POST, self.is_whole())]))
            .resources([deployments.clone(), stages]);
        if !self.writes() {
            statements.push(self.of_api(ledger));
            return statements;
        }
        statements.extend([self.of_api(definition), self.of_api(ledger)]);
        if !self.is_whole() {
            let add = Statement::allow("ApiSnapshot", "each version is a deployment of its own")
                .actions([POST])
                .resources([deployments]);
            statements.push(self.of_api(add));
        }
        let stage = own(&format!("/stages/{}", self.names.stage));
        let release = Statement::allow("ApiRelease", "deploy, promote and rollback: one call each")
            .actions([PATCH])
            .resources([stage]);
        let forget =
            Statement::allow("ApiForget", "prune takes deployments away past the last 100")
                .actions([DELETE])
                .resources([own("/deployments/*")]);
        statements.extend([self.of_api(release), self.of_api(forget)]);
        if self.is_whole() && self.shape.access_logs {
            let reason = "the role that API Gateway writes logs with, if the account has none";
            statements.push(
                Statement::allow("ApiAccount", reason)
                    .actions([PATCH])
                    .resources([control("/account")]),
            );
        }
        statements
    }

    /// By its id once that is known, by its tag before; deployments and stages have the tags of
    /// their API.
    fn of_api(&self, statement: Statement) -> Statement {
        if self.rest_api.is_some() { statement } else { self.if_own(statement) }
    }

    fn creates_api(&self) -> bool {
        self.is_whole() && self.rest_api.is_none()
    }

    fn collections(&self) -> Vec<&'static str> {
        Self::chosen(&[
            ("/restapis", self.creates_api()),
            ("/usageplans", self.shape.usage_plans && self.writes()),
            ("/apikeys", self.shape.api_keys && self.writes()),
        ])
    }

    fn create(&self) -> Option<Statement> {
        let collections = self.collections();
        let arns = collections.iter().map(|path| self.arns().control(path));
        let reason = "makes what the endpoint has, with its tag on it";
        let statement = Statement::allow("ApiCreate", reason).actions([POST]).resources(arns);
        (!collections.is_empty()).then(|| self.if_tagging(statement))
    }

    /// The tags of what is made.
    fn tags(&self) -> Option<Statement> {
        let mut paths: Vec<String> =
            self.collections().iter().map(|path| format!("{path}/*")).collect();
        if self.is_whole()
            && let Some(id) = self.rest_api
        {
            paths.push(format!("/restapis/{id}/stages/{}", self.names.stage));
        }
        let advice = match self.rest_api {
            None if self.is_whole() => ", so name the API with --rest-api after the first deploy",
            _ => "",
        };
        let reason = format!(
            "puts the endpoint's tag on what is made; AWS has no condition that would keep others' from \
             being tagged{advice}"
        );
        let statement = Statement::allow("ApiTags", reason)
            .actions([PUT])
            .resources(paths.iter().map(|path| self.arns().tags_of(path)));
        (!paths.is_empty()).then(|| self.if_tagging(statement))
    }

    pub(super) fn usage(&self) -> Vec<Statement> {
        if !self.shape.usage_plans {
            return Vec::new();
        }
        let control = |path: &str| self.arns().control(path);
        let plans = Statement::allow("UsagePlans", "the limits of the endpoint's usage plans")
            .actions([PATCH, DELETE])
            .resources([control("/usageplans/*")]);
        let members = Statement::allow("UsagePlanKeys", "which keys a usage plan has")
            .actions(Self::chosen(&[(GET, true), (POST, self.shape.api_keys && self.writes())]))
            .resources([control("/usageplans/*/keys")]);
        if !self.writes() {
            return vec![self.if_own(members)];
        }
        let mut statements = vec![self.if_own(plans), self.if_own(members)];
        if self.shape.api_keys {
            let reason = match self.shape.keyed {
                true => "keys that gwtf.toml has no more; the value of one for the smoke test",
                false => "keys that gwtf.toml has no more",
            };
            let keys = Statement::allow("ApiKeys", reason)
                .actions(Self::chosen(&[(DELETE, true), (GET, self.shape.keyed)]))
                .resources([control("/apikeys/*")]);
            statements.push(self.if_own(keys));
        }
        statements
    }

    /// Asked after each release, where requests have to be signed.
    pub(super) fn smoke_test(&self) -> Option<Statement> {
        let vague = match self.rest_api {
            Some(_) => "",
            None => "; name the API with --rest-api once it is there, this right knows no tags",
        };
        let route = self.names.execute_arn(self.rest_api_id(), "POST", "/predict");
        let statement = Statement::allow(
            "SmokeTest",
            format!("whether a release answers, asked once it is made{vague}"),
        )
        .actions(["execute-api:Invoke"])
        .resources([route]);
        (self.shape.signed && self.writes()).then_some(statement)
    }
}
