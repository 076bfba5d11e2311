//! One HTTP/2 request and its reply as far as it has come.

use super::super::{BODY_BYTES_MAX, ReplyFacts, Ticket};
use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{RecvStream, SendStream};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A request under way.
pub(super) struct Stream {
    pub(super) ticket: Ticket,
    /// Held so that the stream is reset when it is dropped before its end.
    _request: SendStream<Bytes>,
    response: ResponseFuture,
    body: Option<RecvStream>,
    body_bytes: u64,
    pub(super) facts: ReplyFacts,
}

/// How a stream went on.
pub(super) enum Step {
    Pending,
    Whole,
    Failed(h2::Error),
    Fault(&'static str),
}

impl Stream {
    /// A request just sent.
    pub(super) fn new(
        ticket: Ticket,
        response: ResponseFuture,
        request: SendStream<Bytes>,
    ) -> Self {
        Self {
            ticket,
            _request: request,
            response,
            body: None,
            body_bytes: 0,
            facts: ReplyFacts::new(0),
        }
    }

    /// Goes on with the reply as far as it has come.
    pub(super) fn go_on(&mut self, context: &mut Context<'_>) -> Step {
        if self.body.is_none() {
            match Pin::new(&mut self.response).poll(context) {
                Poll::Pending => return Step::Pending,
                Poll::Ready(Err(error)) => return Step::Failed(error),
                Poll::Ready(Ok(response)) => {
                    let (head, body) = response.into_parts();
                    self.facts = ReplyFacts::new(head.status.as_u16());
                    for (name, value) in &head.headers {
                        self.facts.note(name.as_str().as_bytes(), value.as_bytes());
                    }
                    self.body = Some(body);
                }
            }
        }
        let Some(body) = &mut self.body else { return Step::Pending };
        loop {
            match body.poll_data(context) {
                Poll::Pending => return Step::Pending,
                Poll::Ready(Some(Err(error))) => return Step::Failed(error),
                Poll::Ready(Some(Ok(data))) => {
                    self.body_bytes += data.len() as u64;
                    if self.body_bytes > BODY_BYTES_MAX {
                        return Step::Fault("the body is longer than 1 GiB");
                    }
                    if !(200..300).contains(&self.facts.status) {
                        self.facts.body_start.extend(&data);
                    }
                    if let Err(error) = body.flow_control().release_capacity(data.len()) {
                        return Step::Failed(error);
                    }
                }
                Poll::Ready(None) => break,
            }
        }
        match body.poll_trailers(context) {
            Poll::Pending => Step::Pending,
            Poll::Ready(Err(error)) => Step::Failed(error),
            Poll::Ready(Ok(_)) => Step::Whole,
        }
    }
}
