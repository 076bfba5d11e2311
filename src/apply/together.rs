//! Futures of one task polled together: all of a list, or the next of a few that is ready.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// A future on the heap, so that several kinds stand in one list.
pub(super) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Futures under way; a finished one leaves the list.
pub(super) struct Running<'a, T>(Vec<Boxed<'a, T>>);

impl<'a, T> Running<'a, T> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, future: impl Future<Output = T> + Send + 'a) {
        self.0.push(Box::pin(future));
    }

    /// What the next one to end gives; `None` when none is under way.
    pub(super) async fn next(&mut self) -> Option<T> {
        if self.0.is_empty() {
            return None;
        }
        poll_fn(|context| {
            for (index, future) in self.0.iter_mut().enumerate() {
                if let Poll::Ready(value) = future.as_mut().poll(context) {
                    drop(self.0.swap_remove(index));
                    return Poll::Ready(Some(value));
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// The values of all futures in their order, or the first error.
pub(super) async fn all<'a, T: Send + 'a, E: Send + 'a>(
    futures: impl IntoIterator<Item = Boxed<'a, Result<T, E>>>,
) -> Result<Vec<T>, E> {
    let mut running = Running::new();
    let mut values = Vec::new();
    for (index, future) in futures.into_iter().enumerate() {
        values.push(None);
        running.push(async move { (index, future.await) });
    }
    while let Some((index, value)) = running.next().await {
        values[index] = Some(value?);
    }
    Ok(values.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    async fn after(ms: u64, value: Result<u64, u64>) -> Result<u64, u64> {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        value
    }

    #[tokio::test(start_paused = true)]
    async fn values_keep_their_order_and_run_at_once() {
        let started = tokio::time::Instant::now();
        let futures =
            [30_u64, 10, 20].map(|ms| Box::pin(after(ms, Ok(ms))) as Boxed<Result<u64, u64>>);
        assert_eq!(all(futures).await, Ok(vec![30, 10, 20]));
        assert_eq!(started.elapsed(), Duration::from_millis(30));
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_error_ends_it() {
        let futures: [Boxed<Result<u64, u64>>; 2] =
            [Box::pin(after(30, Ok(1))), Box::pin(after(10, Err(2)))];
        assert_eq!(all(futures).await, Err(2));
    }
}
