//! Layer: who calls, and whether they may. The place of authorizers and IAM; today it lets pass.
//!
//! It stands where AWS has it: behind the route, so that only known methods cost an authorizer
//! call, and in front of key and usage plan, which therefore do not protect an authorizer.

use super::exchange::Exchange;
use super::refusal::Refusal;
use http::request::Parts;

/// Lets everybody pass: `Auth::None` asks nobody, and keys are the next layer's.
#[expect(
    clippy::unnecessary_wraps,
    reason = "an authorizer refuses; the stack already treats this layer as one that can"
)]
pub(super) fn authorize(_head: &Parts, _exchange: &mut Exchange) -> Result<(), Refusal> {
    Ok(())
}
