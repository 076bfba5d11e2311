//! Desired state: the contract of an endpoint and AWS's limits on it. Pure.

pub mod access_log;
pub mod artefact;
pub mod endpoint;
pub mod gateway;
pub mod limits;
pub mod openapi;
pub mod request_model;
pub mod route;
pub mod throttle;
pub mod timestamp;
pub mod version;

pub use artefact::{Architecture, ArtefactManifest};
pub use endpoint::{Endpoint, Version};
pub use gateway::{ANY_MEDIA_TYPE, ApiKey, Auth, Gateway, Integration, Secret, UsagePlan};
pub use route::{Operation, Parameter, Route};
pub use throttle::{Period, Quota, Throttle};
