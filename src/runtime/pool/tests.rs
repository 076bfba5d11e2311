//! The pool with runners that do as they are told: no model, and every order of events on purpose.

use super::*;
use crate::model::{DType, Data, Dim, Tensor, TensorSpec};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// Says that a run began, then waits until it may end; doubles every number.
struct Held {
    began: mpsc::Sender<Tensors>,
    may_end: Arc<Mutex<mpsc::Receiver<()>>>,
}

/// The test's side of [`Held`] runners.
struct Hands {
    began: mpsc::Receiver<Tensors>,
    may_end: mpsc::Sender<()>,
}

impl Runner for Held {
    fn run(&mut self, inputs: Tensors, _outputs: &[String]) -> Result<Tensors, RunError> {
        self.began.send(inputs.clone()).unwrap();
        self.may_end.lock().unwrap().recv().unwrap();
        Ok(doubled(inputs))
    }
}

/// Doubles at once; -1 makes the run fail, -2 makes it panic.
struct Doubling {
    runs: Arc<AtomicUsize>,
}

impl Runner for Doubling {
    fn run(&mut self, inputs: Tensors, _outputs: &[String]) -> Result<Tensors, RunError> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let Data::Int64(numbers) = inputs[0].1.data() else { panic!("int64 goes in") };
        assert!(!numbers.contains(&-2), "told to panic");
        if numbers.contains(&-1) {
            return Err(RunError::Failed { message: "told to fail".to_owned() });
        }
        Ok(doubled(inputs))
    }
}

/// Takes until its moment, whatever the size of what comes in.
struct Until(Instant);

impl Runner for Until {
    fn run(&mut self, inputs: Tensors, _outputs: &[String]) -> Result<Tensors, RunError> {
        while now() < self.0 {
            std::thread::sleep(self.0.saturating_duration_since(now()));
        }
        Ok(doubled(inputs))
    }
}

/// Gives one row whatever comes in.
struct Summing;

impl Runner for Summing {
    fn run(&mut self, inputs: Tensors, _outputs: &[String]) -> Result<Tensors, RunError> {
        let Data::Int64(numbers) = inputs[0].1.data() else { panic!("int64 goes in") };
        let sum = Data::Int64(vec![numbers.iter().sum()]);
        Ok(vec![("y".to_owned(), Tensor::new(vec![1], sum).unwrap())])
    }
}

fn doubled(inputs: Tensors) -> Tensors {
    let (_, tensor) = inputs.into_iter().next().unwrap();
    let (shape, data) = tensor.into_parts();
    let Data::Int64(numbers) = data else { panic!("int64 goes in") };
    let numbers = Data::Int64(numbers.into_iter().map(|n| n * 2).collect());
    vec![("y".to_owned(), Tensor::new(shape, numbers).unwrap())]
}

fn ask(numbers: &[i64]) -> Tensors {
    let tensor = Tensor::new(vec![numbers.len()], Data::Int64(numbers.to_vec())).unwrap();
    vec![("x".to_owned(), tensor)]
}

fn answer(numbers: &[i64]) -> Tensors {
    doubled(ask(numbers))
}

fn signature() -> Signature {
    let spec = |name: &str| TensorSpec {
        name: name.to_owned(),
        dtype: DType::Int64,
        shape: Some(vec![Dim::Symbol("n".to_owned())]),
    };
    Signature { inputs: vec![spec("x")], outputs: vec![spec("y")] }
}

fn options(queue_max: usize, batching: Option<Batching>) -> PoolOptions {
    PoolOptions { queue_max, batching, ..PoolOptions::defaults_for(1) }
}

fn held(sessions: usize, options: PoolOptions) -> (Arc<Pool<Held>>, Hands) {
    let (began, began_here) = mpsc::channel();
    let (may_end, may_end_there) = mpsc::channel();
    let may_end_there = Arc::new(Mutex::new(may_end_there));
    let runners = (0..sessions)
        .map(|_| Held { began: began.clone(), may_end: Arc::clone(&may_end_there) })
        .collect();
    let pool = Arc::new(Pool::new(runners, signature(), &options));
    (pool, Hands { began: began_here, may_end })
}

fn doubling(options: PoolOptions) -> (Arc<Pool<Doubling>>, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let runner = Doubling { runs: Arc::clone(&runs) };
    (Arc::new(Pool::new(vec![runner], signature(), &options)), runs)
}

/// Far enough that no test meets it.
fn far() -> Instant {
    now() + Duration::from_secs(3600)
}

fn spawn<R: Runner>(
    pool: &Arc<Pool<R>>,
    numbers: &[i64],
) -> tokio::task::JoinHandle<Result<Tensors, InferError>> {
    let (pool, inputs) = (Arc::clone(pool), ask(numbers));
    tokio::spawn(async move { pool.infer(inputs, &[], far()).await })
}

/// Lets other tasks run until the pool looks as wanted.
async fn until<R: Runner>(pool: &Pool<R>, is_so: impl Fn(&PoolStats) -> bool) {
    while !is_so(&pool.stats()) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let (pool, hands) = held(1, options(2, None));
    let running = spawn(&pool, &[1]);
    until(&pool, |stats| stats.running == 1).await;
    let waiting = [spawn(&pool, &[2]), spawn(&pool, &[3])];
    until(&pool, |stats| stats.queue_depth == 2).await;
    assert_eq!(pool.infer(ask(&[4]), &[], far()).await, Err(InferError::Overloaded));
    (0..3).for_each(|_| hands.may_end.send(()).unwrap());
    assert_eq!(running.await.unwrap(), Ok(answer(&[1])));
    for (task, number) in waiting.into_iter().zip([2, 3]) {
        assert_eq!(task.await.unwrap(), Ok(answer(&[number])));
    }
    let stats = pool.stats();
    assert_eq!((stats.overloaded, stats.runs, stats.queue_depth), (1, 3, 0));
}

#[tokio::test]
async fn a_request_without_a_queue_runs_when_a_session_is_free() {
    let (pool, hands) = held(1, options(0, None));
    let running = spawn(&pool, &[1]);
    until(&pool, |stats| stats.running == 1).await;
    assert_eq!(pool.infer(ask(&[2]), &[], far()).await, Err(InferError::Overloaded));
    hands.may_end.send(()).unwrap();
    assert_eq!(running.await.unwrap(), Ok(answer(&[1])));
}

#[tokio::test]
async fn a_request_is_not_run_once_its_deadline_has_passed() {
    let (pool, hands) = held(1, options(8, None));
    let running = spawn(&pool, &[1]);
    until(&pool, |stats| stats.running == 1).await;
    let soon = now() + Duration::from_millis(5);
    assert_eq!(pool.infer(ask(&[2]), &[], soon).await, Err(InferError::DeadlineExceeded));
    assert_eq!(pool.infer(ask(&[3]), &[], now()).await, Err(InferError::DeadlineExceeded));
    (0..2).for_each(|_| hands.may_end.send(()).unwrap());
    assert_eq!(running.await.unwrap(), Ok(answer(&[1])));
    assert_eq!(pool.infer(ask(&[4]), &[], far()).await, Ok(answer(&[4])));
    let began: Vec<Tensors> = hands.began.try_iter().collect();
    assert_eq!(began, [ask(&[1]), ask(&[4])], "the expired ones never ran");
}

#[tokio::test]
async fn a_caller_that_goes_away_frees_its_place_in_the_queue() {
    let (pool, hands) = held(1, options(1, None));
    let running = spawn(&pool, &[1]);
    until(&pool, |stats| stats.running == 1).await;
    let gone = spawn(&pool, &[2]);
    until(&pool, |stats| stats.queue_depth == 1).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    let next = spawn(&pool, &[3]);
    until(&pool, |stats| stats.abandoned == 1).await;
    (0..2).for_each(|_| hands.may_end.send(()).unwrap());
    assert_eq!(running.await.unwrap(), Ok(answer(&[1])));
    assert_eq!(next.await.unwrap(), Ok(answer(&[3])));
    assert_eq!(hands.began.try_iter().count(), 2, "the abandoned one never ran");
}

#[tokio::test]
async fn a_caller_that_goes_away_during_its_run_costs_no_session() {
    let (pool, hands) = held(1, options(1, None));
    let gone = spawn(&pool, &[1]);
    until(&pool, |stats| stats.running == 1).await;
    gone.abort();
    (0..2).for_each(|_| hands.may_end.send(()).unwrap());
    assert_eq!(pool.infer(ask(&[2]), &[], far()).await, Ok(answer(&[2])));
    assert_eq!(pool.stats().running, 0);
}

#[tokio::test]
async fn sessions_run_side_by_side() {
    let (pool, hands) = held(2, options(8, None));
    let tasks = [spawn(&pool, &[1]), spawn(&pool, &[2])];
    until(&pool, |stats| stats.running == 2).await;
    (0..2).for_each(|_| hands.may_end.send(()).unwrap());
    for (task, number) in tasks.into_iter().zip([1, 2]) {
        assert_eq!(task.await.unwrap(), Ok(answer(&[number])));
    }
}

#[tokio::test]
async fn cheap_runs_happen_on_the_callers_thread() {
    // The bound is far above what doubling takes even on a busy machine.
    let options = PoolOptions { inline_run_max: Duration::from_secs(60), ..options(8, None) };
    let (pool, _) = doubling(options);
    for number in 0..5 {
        assert_eq!(pool.infer(ask(&[number]), &[], far()).await, Ok(answer(&[number])));
    }
    let stats = pool.stats();
    assert_eq!((stats.runs, stats.runs_inline), (5, 4), "the first one is not known to be cheap");
}

#[tokio::test]
async fn one_long_run_on_the_callers_thread_is_the_last() {
    let inline_run_max = Duration::from_micros(1);
    let deadline = now() + Duration::from_millis(200);
    let options = PoolOptions { inline_run_max, ..options(8, None) };
    let pool = Pool::new(vec![Until(deadline)], signature(), &options);
    // So cheap that one long run does not change the expectation enough.
    pool.shared.lock().cost.observe(1, Duration::from_nanos(1));
    assert_eq!(pool.infer(ask(&[1]), &[], deadline).await, Err(InferError::DeadlineExceeded));
    let stats = pool.stats();
    assert_eq!((stats.runs, stats.runs_inline, stats.inline_off), (1, 1, true));
    assert!(pool.shared.lock().cost.expect(1).unwrap() < inline_run_max);
    assert_eq!(pool.infer(ask(&[2]), &[], far()).await, Ok(answer(&[2])));
    let stats = pool.stats();
    assert_eq!((stats.runs, stats.runs_inline), (2, 1));
}

#[tokio::test]
async fn a_run_that_panics_fails_its_request_alone() {
    for inline_run_max in [Duration::ZERO, Duration::from_secs(60)] {
        let (pool, _) = doubling(PoolOptions { inline_run_max, ..options(8, None) });
        pool.infer(ask(&[1]), &[], far()).await.unwrap();
        match spawn(&pool, &[-2]).await {
            Ok(result) => assert!(matches!(result, Err(InferError::Run(RunError::Failed { .. })))),
            Err(error) => assert!(error.is_panic()),
        }
        assert_eq!(pool.infer(ask(&[3]), &[], far()).await, Ok(answer(&[3])));
    }
}

#[tokio::test]
async fn a_closed_pool_finishes_what_waits_and_takes_no_more() {
    let (pool, hands) = held(1, options(8, None));
    let tasks = [spawn(&pool, &[1]), spawn(&pool, &[2])];
    until(&pool, |stats| stats.running == 1 && stats.queue_depth == 1).await;
    pool.close();
    assert_eq!(pool.infer(ask(&[3]), &[], far()).await, Err(InferError::Closed));
    let drained = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { pool.drain().await }
    });
    (0..2).for_each(|_| hands.may_end.send(()).unwrap());
    drained.await.unwrap();
    for (task, number) in tasks.into_iter().zip([1, 2]) {
        assert_eq!(task.await.unwrap(), Ok(answer(&[number])));
    }
}

#[tokio::test]
async fn a_closed_pool_does_not_wait_for_callers_that_are_gone() {
    let (pool, hands) = held(1, options(8, None));
    let running = spawn(&pool, &[1]);
    until(&pool, |stats| stats.running == 1).await;
    let gone = spawn(&pool, &[2]);
    until(&pool, |stats| stats.queue_depth == 1).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    hands.may_end.send(()).unwrap();
    pool.drain().await;
    assert_eq!(running.await.unwrap(), Ok(answer(&[1])));
}

#[tokio::test]
async fn a_session_is_free_again_when_its_answer_arrives() {
    let (pool, _) = doubling(PoolOptions { inline_run_max: Duration::ZERO, ..options(0, None) });
    for number in 0..200 {
        assert_eq!(pool.infer(ask(&[number]), &[], far()).await, Ok(answer(&[number])));
    }
    assert_eq!(pool.stats().overloaded, 0);
}

/// Batches that form only by being full: no test waits this long, and no deadline is this near.
const SLOW: Batching = Batching { size_max: 4, delay_max: Duration::from_secs(1800) };

/// Batches of whatever waits.
const GREEDY: Batching = Batching { size_max: 4, delay_max: Duration::ZERO };

#[tokio::test]
async fn a_full_batch_runs_before_its_delay() {
    let (pool, runs) = doubling(options(8, Some(SLOW)));
    let tasks = [spawn(&pool, &[1]), spawn(&pool, &[2, 3]), spawn(&pool, &[4])];
    for (task, numbers) in tasks.into_iter().zip([&[1][..], &[2, 3], &[4]]) {
        assert_eq!(task.await.unwrap(), Ok(answer(numbers)));
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(pool.stats().batch_sizes, BTreeMap::from([(3, 1)]));
}

#[tokio::test]
async fn a_batch_does_not_wait_beyond_a_deadline_or_the_end() {
    let (pool, _) = doubling(options(8, Some(SLOW)));
    let deadline = now() + Duration::from_secs(600);
    assert_eq!(pool.infer(ask(&[1]), &[], deadline).await, Ok(answer(&[1])));
    let patient = {
        let pool = Arc::clone(&pool);
        tokio::spawn(
            async move { pool.infer(ask(&[2]), &[], now() + Duration::from_secs(7200)).await },
        )
    };
    until(&pool, |stats| stats.queue_depth == 1).await;
    pool.close();
    assert_eq!(patient.await.unwrap(), Ok(answer(&[2])));
}

#[tokio::test]
async fn requests_that_differ_are_not_joined() {
    let (pool, hands) = held(1, options(8, Some(GREEDY)));
    let running = spawn(&pool, &[0]);
    until(&pool, |stats| stats.running == 1).await;
    let wide = Tensor::new(vec![1, 2], Data::Int64(vec![5, 6])).unwrap();
    let scalar = Tensor::new(vec![], Data::Int64(vec![7])).unwrap();
    let many = ask(&[1, 2, 3, 4, 5]);
    let others = [many, vec![("x".to_owned(), wide)], vec![("x".to_owned(), scalar)]];
    let mut tasks = Vec::new();
    for (at, inputs) in others.into_iter().enumerate() {
        let (shared, expected) = (Arc::clone(&pool), doubled(inputs.clone()));
        let task = tokio::spawn(async move { shared.infer(inputs, &[], far()).await });
        tasks.push((task, expected));
        until(&pool, |stats| stats.queue_depth == at + 1).await;
    }
    (0..4).for_each(|_| hands.may_end.send(()).unwrap());
    assert_eq!(running.await.unwrap(), Ok(answer(&[0])));
    for (task, expected) in tasks {
        assert_eq!(task.await.unwrap(), Ok(expected));
    }
    assert_eq!(pool.stats().batch_sizes, BTreeMap::from([(1, 4)]));
}

#[tokio::test]
async fn one_bad_request_fails_alone() {
    let (pool, _) = doubling(options(8, Some(SLOW)));
    let tasks = [spawn(&pool, &[1]), spawn(&pool, &[-1]), spawn(&pool, &[3, 4])];
    let failed = RunError::Failed { message: "told to fail".to_owned() };
    let expected = [Ok(answer(&[1])), Err(failed.into()), Ok(answer(&[3, 4]))];
    for (task, expected) in tasks.into_iter().zip(expected) {
        assert_eq!(task.await.unwrap(), expected);
    }
    let stats = pool.stats();
    assert_eq!(stats.batch_sizes, BTreeMap::from([(1, 3), (3, 1)]));
    assert_eq!(stats.batching_off, None, "a bad request says nothing of the model");
}

#[tokio::test]
async fn a_model_that_mixes_rows_is_not_batched_any_more() {
    let pool = Arc::new(Pool::new(vec![Summing], signature(), &options(8, Some(SLOW))));
    let tasks = [spawn(&pool, &[1]), spawn(&pool, &[2]), spawn(&pool, &[3, 4])];
    for (task, sum) in tasks.into_iter().zip([1, 2, 7]) {
        let tensor = Tensor::new(vec![1], Data::Int64(vec![sum])).unwrap();
        assert_eq!(task.await.unwrap(), Ok(vec![("y".to_owned(), tensor)]));
    }
    let reason = pool.stats().batching_off.unwrap();
    assert!(reason.contains("output `y` has shape [1] for 4 rows"), "{reason}");
    pool.infer(ask(&[5]), &[], far()).await.unwrap();
    assert_eq!(pool.stats().batch_sizes[&1], 4);
}

#[test]
fn a_fixed_or_differently_named_first_dimension_is_not_batched() {
    let spec = |name: &str, dim: Dim| TensorSpec {
        name: name.to_owned(),
        dtype: DType::Int64,
        shape: Some(vec![dim]),
    };
    let symbol = |name: &str| Dim::Symbol(name.to_owned());
    let cases = [
        (symbol("n"), symbol("n"), None),
        (symbol("unk__1"), symbol("unk__2"), None),
        (Dim::Unknown, symbol("n"), None),
        (symbol("n"), symbol("m"), Some("the first dimension is `n` in `x` and `m` in `y`")),
        (Dim::Fixed(1), symbol("n"), Some("the first dimension of `x` is fixed")),
        (symbol("n"), Dim::Fixed(1), Some("the first dimension of `y` is fixed")),
    ];
    for (input, output, expected) in cases {
        let signature =
            Signature { inputs: vec![spec("x", input)], outputs: vec![spec("y", output)] };
        let pool = Pool::new(vec![Summing], signature, &options(8, Some(GREEDY)));
        assert_eq!(pool.stats().batching_off.as_deref(), expected);
    }
}
