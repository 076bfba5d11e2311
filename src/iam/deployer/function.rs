//! The function with its versions, aliases and permissions.

use super::{Deployer, EQUALS, Statement};

impl Deployer<'_> {
    pub(super) fn function(&self) -> Vec<Statement> {
        let (whole, writes, shape) = (self.is_whole(), self.writes(), self.shape);
        let function = self.names.function_arn();
        let qualified = self.arns().qualified("*");
        let reserved = shape.reserved_concurrency && writes;
        let own = Statement::allow("Function", "the function's code, settings and versions")
            .actions(Self::chosen(&[
                ("lambda:CreateFunction", whole),
                ("lambda:TagResource", whole),
                ("lambda:GetFunction", true),
                ("lambda:ListTags", true),
                ("lambda:ListAliases", true),
                ("lambda:ListVersionsByFunction", true),
                ("lambda:ListProvisionedConcurrencyConfigs", true),
                ("lambda:GetPolicy", true),
                ("lambda:UpdateFunctionCode", writes),
                ("lambda:UpdateFunctionConfiguration", writes),
                ("lambda:PublishVersion", writes),
                ("lambda:CreateAlias", writes),
                ("lambda:UpdateAlias", writes),
                ("lambda:DeleteAlias", writes),
                ("lambda:DeleteFunction", writes),
                ("lambda:PutFunctionConcurrency", reserved),
                ("lambda:DeleteFunctionConcurrency", reserved),
            ]))
            .resources([function.clone()]);
        let provisioned = shape.provisioned_concurrency && writes;
        let versions = Statement::allow(
            "FunctionVersions",
            "one of its versions or aliases: who may invoke it, what is held warm, and prune",
        )
        .actions(Self::chosen(&[
            ("lambda:GetPolicy", true),
            ("lambda:GetFunction", writes),
            ("lambda:DeleteFunction", writes),
            ("lambda:PutProvisionedConcurrencyConfig", provisioned),
            ("lambda:DeleteProvisionedConcurrencyConfig", provisioned),
        ]))
        .resources([qualified.clone()]);
        let moves_api = whole && self.rest_api.is_none();
        let permissions = Statement::allow("FunctionPermissions", "lets in API Gateway alone")
            .actions(Self::chosen(&[
                ("lambda:AddPermission", true),
                ("lambda:RemovePermission", moves_api),
            ]))
            .resources([function, qualified])
            .when(EQUALS, "lambda:Principal", ["apigateway.amazonaws.com"]);
        let lists = Statement::allow("Lists", "limits, groups and sign-in that know no resources")
            .actions(Self::chosen(&[
                ("lambda:GetAccountSettings", true),
                ("logs:DescribeLogGroups", true),
                ("ecr:GetAuthorizationToken", shape.image && writes),
            ]))
            .resources(["*"]);
        let permissions = writes.then_some(permissions);
        [own, versions].into_iter().chain(permissions).chain([lists]).collect()
    }
}
