//! The pool on real models. Its order of events is tested beside its code, without a model.

#![expect(clippy::unwrap_used, reason = "a test's helpers end the test")]

use crate::support::{engine, fixture};
use gwtf::model::{Data, Tensor};
use gwtf::runtime::{
    Batching, InferError, Pool, PoolOptions, RunError, Session, SessionOptions, Tensors,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn open(name: &str, options: &PoolOptions) -> Arc<Pool> {
    let path = fixture(&format!("runtime/{name}.onnx"));
    Arc::new(Pool::open(&engine(), &path, options).unwrap())
}

/// All requests of a test go into one batch: it is full before its delay is over.
fn batched(size_max: usize) -> PoolOptions {
    let batching = Batching { size_max, delay_max: Duration::from_secs(600) };
    PoolOptions { batching: Some(batching), ..PoolOptions::defaults_for(1) }
}

#[expect(clippy::disallowed_methods, reason = "deadlines are compared with the present")]
fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

/// Asks for everything at once; answers in the order of the requests.
async fn ask_all(pool: &Arc<Pool>, requests: Vec<Tensors>) -> Vec<Result<Tensors, InferError>> {
    let tasks: Vec<_> = requests
        .into_iter()
        .map(|inputs| {
            let pool = Arc::clone(pool);
            tokio::spawn(async move { pool.infer(inputs, &[], far()).await })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

/// `rows` rows of four features, different in every request.
fn features(request: usize, rows: usize) -> Tensors {
    let values = (0..rows * 4).map(|at| (at as f32 * 0.37 + request as f32).sin()).collect();
    vec![("features".to_owned(), Tensor::new(vec![rows, 4], Data::Float32(values)).unwrap())]
}

fn index(values: &[i64]) -> Tensors {
    let tensor = Tensor::new(vec![values.len()], Data::Int64(values.to_vec())).unwrap();
    vec![("index".to_owned(), tensor)]
}

#[tokio::test]
async fn batched_outputs_equal_single_ones() {
    let rows = [1, 3, 1, 2, 1];
    let pool = open("classifier", &batched(rows.iter().sum()));
    let requests: Vec<Tensors> =
        rows.iter().enumerate().map(|(at, rows)| features(at, *rows)).collect();
    let answers = ask_all(&pool, requests.clone()).await;
    assert_eq!(pool.stats().batch_sizes.get(&rows.len()), Some(&1), "{:?}", pool.stats());
    let path = fixture("runtime/classifier.onnx");
    let mut session = Session::open(&engine(), &path, &SessionOptions::default()).unwrap();
    for (answer, inputs) in answers.into_iter().zip(requests) {
        let (answer, single) = (answer.unwrap(), session.run(inputs, &[]).unwrap());
        assert_eq!(answer[1], single[1]);
        assert_eq!(answer[0].1.shape(), single[0].1.shape());
        let (Data::Float32(batched), Data::Float32(single)) =
            (answer[0].1.data(), single[0].1.data())
        else {
            panic!("probabilities are float32")
        };
        for (batched, single) in batched.iter().zip(single) {
            // Sums of a matrix product may be taken in another order for other sizes.
            assert!((batched - single).abs() < 1e-6, "{batched} {single}");
        }
    }
}

#[tokio::test]
async fn a_bad_request_in_a_batch_fails_alone() {
    let pool = open("lookup", &batched(3));
    let answers = ask_all(&pool, vec![index(&[1]), index(&[9]), index(&[3])]).await;
    let row = |values: [f32; 2]| {
        let tensor = Tensor::new(vec![1, 2], Data::Float32(values.to_vec())).unwrap();
        vec![("row".to_owned(), tensor)]
    };
    assert_eq!(answers[0], Ok(row([2.0, 3.0])));
    assert!(
        matches!(&answers[1], Err(InferError::Run(RunError::Refused { .. }))),
        "{:?}",
        answers[1]
    );
    assert_eq!(answers[2], Ok(row([6.0, 7.0])));
}

#[tokio::test]
async fn a_model_whose_outputs_are_not_rows_is_not_batched() {
    let pool = open("filtered", &batched(2));
    assert_eq!(pool.stats().batching_off, None, "nothing declared tells");
    let tensor = |rows: usize, value: f32| {
        Tensor::new(vec![rows, 2], Data::Float32(vec![value; rows * 2])).unwrap()
    };
    let x = |value: f32| vec![("x".to_owned(), tensor(1, value))];
    let answers = ask_all(&pool, vec![x(1.0), x(-1.0)]).await;
    for (answer, expected) in answers.into_iter().zip([tensor(1, 1.0), tensor(0, 0.0)]) {
        assert_eq!(answer, Ok(vec![("y".to_owned(), expected)]));
    }
    let reason = pool.stats().batching_off.unwrap();
    assert!(reason.contains("`y` has shape [1, 2] for 2 rows"), "{reason}");
}

#[tokio::test]
async fn string_requests_are_joined() {
    let pool = open("identity_string", &batched(2));
    let strings = |first: &str| {
        let values = vec![first.to_owned(), "é".to_owned()];
        vec![("x".to_owned(), Tensor::new(vec![1, 2], Data::String(values)).unwrap())]
    };
    let answers = ask_all(&pool, vec![strings("a"), strings("")]).await;
    for (answer, first) in answers.into_iter().zip(["a", ""]) {
        assert_eq!(answer.unwrap()[0].1, strings(first)[0].1);
    }
    assert_eq!(pool.stats().batch_sizes.get(&2), Some(&1));
}

#[tokio::test]
async fn a_warm_pool_knows_that_a_classifier_is_cheap() {
    // Whether it is cheap enough for the default bound depends on the machine; this bound does not.
    let options =
        PoolOptions { inline_run_max: Duration::from_secs(60), ..PoolOptions::defaults_for(4) };
    let pool = open("classifier", &options);
    let stats = pool.stats();
    assert!(stats.run_expected_ns.is_some());
    assert_eq!(stats.sessions, 4, "a small model gets a session a core: {stats:?}");
    pool.infer(features(0, 1), &[], far()).await.unwrap();
    assert_eq!(pool.stats().runs_inline, 1);
}

#[tokio::test]
async fn runs_that_may_not_be_inline_are_handed_over() {
    let options = PoolOptions { inline_run_max: Duration::ZERO, ..PoolOptions::defaults_for(2) };
    let pool = open("classifier", &options);
    let answers = ask_all(&pool, (0..64).map(|at| features(at, 1)).collect()).await;
    assert!(answers.iter().all(Result::is_ok));
    let stats = pool.stats();
    assert_eq!((stats.runs, stats.runs_inline, stats.queue_depth), (64, 0, 0));
}

#[tokio::test]
async fn wrong_inputs_are_told_apart_from_failures() {
    let pool = open("classifier", &PoolOptions::defaults_for(1));
    let error = pool.infer(index(&[1]), &[], far()).await.unwrap_err();
    let InferError::Run(error) = error else { panic!("{error}") };
    assert!(error.is_request_fault());
}

#[tokio::test]
async fn a_sessions_memory_decides_how_many_are_opened() {
    let nothing_fits =
        PoolOptions { memory_extra_bytes_max: Some(0), ..PoolOptions::defaults_for(4) };
    let stats = open("classifier", &nothing_fits).stats();
    assert_eq!((stats.sessions, stats.intra_threads), (1, 4));
    let unbounded = PoolOptions { memory_extra_bytes_max: None, ..PoolOptions::defaults_for(3) };
    let stats = open("classifier", &unbounded).stats();
    assert_eq!((stats.sessions, stats.intra_threads), (3, 1));
}
