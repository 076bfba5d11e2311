//! The IAM documents: sufficient and minimal for every configuration, and as they were agreed.

use gwtf::iam::{Deployer, Proof, Reach, Shape, prove};
use gwtf::plan::Names;

const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/gwtf-boundary";
const REST_API: &str = "z9y8x7w6v5";

fn names() -> Names {
    Names::new("iris", "prod", "eu-west-1", "111122223333", None).unwrap()
}

fn proofs(asked: &Deployer<'_>) -> Vec<Proof> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(prove(asked)).unwrap()
}

/// Every flag alone, none, and all, with a zip and with an image.
fn shapes() -> Vec<Shape> {
    let flags: [fn(&mut Shape); 8] = [
        |_| {},
        |shape| shape.access_logs = true,
        |shape| shape.log_retention = true,
        |shape| shape.tracing = true,
        |shape| shape.usage_plans = true,
        |shape| (shape.usage_plans, shape.api_keys) = (true, true),
        |shape| shape.reserved_concurrency = true,
        |shape| shape.provisioned_concurrency = true,
    ];
    let mut shapes: Vec<Shape> = flags
        .iter()
        .map(|set| {
            let mut shape = Shape::default();
            set(&mut shape);
            shape
        })
        .collect();
    let mut all = Shape::default();
    flags.iter().for_each(|set| set(&mut all));
    shapes.push(all);
    let with = |change: fn(&mut Shape)| {
        shapes.iter().cloned().map(move |mut shape| {
            change(&mut shape);
            shape
        })
    };
    let images: Vec<Shape> = with(|shape| shape.image = true).collect();
    let bounded: Vec<Shape> = with(|shape| shape.boundary = Some(BOUNDARY.to_owned())).collect();
    shapes.into_iter().chain(images).chain(bounded).collect()
}

#[test]
fn every_document_is_sufficient_and_minimal_for_every_configuration() {
    let names = names();
    let mut faults = Vec::new();
    for shape in shapes() {
        for reach in [Reach::Whole, Reach::Releases] {
            for rest_api in [None, Some(REST_API)] {
                let asked = Deployer { names: &names, shape: &shape, reach, rest_api };
                for proof in proofs(&asked) {
                    assert!(proof.calls > 1, "{proof:?}");
                    for denied in &proof.denied {
                        let request = &denied.request;
                        faults.push(format!(
                            "{shape:?} {reach:?} {rest_api:?}: {} DENIED {}: {} {} {:?}",
                            proof.document,
                            denied.operation,
                            request.action,
                            request.resource,
                            request.context,
                        ));
                    }
                    for one in proof.superfluous.iter().flatten() {
                        faults.push(format!(
                            "{shape:?} {reach:?} {rest_api:?}: {} TOO MUCH {}",
                            proof.document, one.mutation
                        ));
                    }
                }
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults\n{}",
        faults.len(),
        faults[..faults.len().min(40)].join("\n")
    );
}
