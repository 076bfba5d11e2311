//! JUnit XML: one test case per assertion, and one for the generator, for CI systems that show it.

use super::document::Report;
use super::text::clean;
use super::words;
use crate::load::assertion::AssertionResult;
use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// The class name of the test cases, which CI systems group by.
const CLASS: &str = "gwtf.loadtest";

/// The report as JUnit XML. Without timestamps or ids: same report, same bytes.
pub fn render(report: &Report) -> Vec<u8> {
    // A report read back may hold anything; a run of years is as good as an endless one.
    let elapsed = Duration::try_from_secs_f64(report.elapsed_s).unwrap_or_default();
    let mut suite = TestSuite::new(format!("gwtf loadtest {}", clean(&report.target)));
    suite.set_time(elapsed);
    for (name, value) in words::facts(report) {
        suite.add_property((name.as_str(), value.as_str()));
    }
    suite.add_test_case(generator(report));
    suite.add_test_cases(report.assertions.iter().map(assertion));
    suite.set_system_out(words::headline(report));
    let mut document = Document::new("gwtf loadtest");
    document.set_time(elapsed).add_test_suite(suite);
    let mut bytes = Vec::new();
    document.serialize(&mut bytes).expect("writing XML to memory does not fail");
    bytes
}

fn generator(report: &Report) -> TestCase {
    let status = match words::not_valid(report) {
        None => TestCaseStatus::success(),
        Some(reason) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(reason).set_type("generator not valid");
            status
        }
    };
    let mut case = TestCase::new("the generator is valid", status);
    case.set_classname(CLASS).set_system_out(words::generator(report));
    case
}

fn assertion(result: &AssertionResult) -> TestCase {
    let actual = words::actual(result);
    let status = if result.passed {
        TestCaseStatus::success()
    } else {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(format!("measured {actual}")).set_type("assertion");
        status
    };
    let mut case = TestCase::new(clean(&result.expr), status);
    case.set_classname(CLASS).set_system_out(format!("measured {actual}"));
    case
}
