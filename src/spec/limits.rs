//! AWS's limits as named constants, each with its source.
//!
//! Source unless said otherwise: API Gateway developer guide, "Quotas and important notes".

use std::time::Duration;

/// Largest request or response body through API Gateway (10 MB), bytes.
pub const PAYLOAD_BYTES_MAX: usize = 10_485_760;
/// Largest synchronous Lambda payload each way, the whole event document, bytes.
pub const LAMBDA_PAYLOAD_BYTES_MAX: usize = 6_291_556;
/// Names and values of all request headers together, bytes.
pub const HEADERS_BYTES_MAX: usize = 10_240;
/// Longest URL of a regional API, bytes.
pub const URL_BYTES_MAX: usize = 10_240;
/// Shortest integration timeout.
pub const INTEGRATION_TIMEOUT_MIN: Duration = Duration::from_millis(50);
/// Longest integration timeout without a raised quota.
pub const INTEGRATION_TIMEOUT_MAX: Duration = Duration::from_millis(29_000);
/// An account's default request rate in most Regions, requests per second.
pub const ACCOUNT_RATE_RPS: f64 = 10_000.0;
/// An account's default burst in most Regions, requests.
pub const ACCOUNT_BURST: u32 = 5_000;
/// Shortest and longest API key values, characters.
pub const API_KEY_CHARS: std::ops::RangeInclusive<usize> = 20..=128;
/// Longest access-log format, bytes (documented for HTTP APIs).
pub const ACCESS_LOG_FORMAT_BYTES_MAX: usize = 3_072;
/// Largest Lambda zip with its layers, unzipped (Lambda developer guide, "Lambda quotas"), bytes.
pub const LAMBDA_UNZIPPED_BYTES_MAX: u64 = 262_144_000;
/// Largest Lambda zip that the API itself takes (50 MB, same page); larger ones go through S3, bytes.
pub const LAMBDA_ZIP_UPLOAD_BYTES_MAX: u64 = 52_428_800;
/// Largest Lambda container image, uncompressed (10 GB, same page), bytes.
pub const LAMBDA_IMAGE_BYTES_MAX: u64 = 10 << 30;
/// Most memory that a Lambda function can have (same page), MiB.
pub const LAMBDA_MEMORY_MIB_MAX: u64 = 10_240;
/// Least memory that a Lambda function can have (same page), MiB.
pub const LAMBDA_MEMORY_MIB_MIN: u64 = 128;
/// Longest timeout of a Lambda function (same page); it is set in whole seconds.
pub const LAMBDA_TIMEOUT_MAX: Duration = Duration::from_secs(900);
/// Regional REST APIs of an account in a Region.
pub const REST_APIS_MAX: usize = 600;
/// Resources of a REST API, the root among them.
pub const RESOURCES_MAX: usize = 300;
/// Largest definition that is imported (6 MB), bytes.
pub const DEFINITION_BYTES_MAX: usize = 6 << 20;
/// Largest request model (400 KB), bytes.
pub const MODEL_BYTES_MAX: usize = 400 << 10;
/// Sandboxes of an account that no function may reserve (Lambda developer guide, "Configuring
/// reserved concurrency").
pub const LAMBDA_UNRESERVED_MIN: u32 = 100;
