//! This file's job is to cut off connections that drag on, with one timer for each connection.
//!
//! Hyper's own deadline for heads makes and drops a timer for every request, which costs more than parsing the request. Here a request does
//! not even look at the clock: only the timer does, each time it fires.

use runtime::failpoint;
use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Head and body of an answer up to this size are sent as one piece: copying them costs less than making the system collect them.
const JOINED_MAX_BYTES: usize = 1_024;

/// How long a client may take. Looked at about once in the shorter of `head` and `idle`, so everything may take that much longer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// A request's head must be there in this time, on a new connection or since it began: slow clients hold nothing for long.
    pub(crate) head: Duration,
    /// A connection on which nothing is asked for is kept for this time.
    pub(crate) idle: Duration,
    /// A client that takes no byte in this time is gone.
    pub(crate) write: Duration,
    /// Answers of which nothing was sent in this time will not be sent: whatever makes one has a shorter deadline. An HTTP/2 client that grants
    /// its streams no room looks like this.
    pub(crate) answer: Duration,
}

impl Limits {
    /// What the device port grants to connections that are kept for the given time.
    pub(crate) fn idle(idle: Duration) -> Self {
        let head = if failpoint::is_broken("edge.head-deadline") { idle } else { Duration::from_secs(10) };
        Self { head, idle, write: Duration::from_secs(30), answer: Duration::from_secs(120) }
    }

    /// How often to look.
    fn look(self) -> Duration {
        self.head.min(self.idle)
    }
}

/// What a connection, its stream and its answers know about its progress. Only the connection's task changes it, so no order is needed.
#[derive(Debug)]
pub(crate) struct Pace {
    /// A head is due: the connection is new, or a request has begun to arrive.
    due: AtomicBool,
    /// Bytes from the client need not be the beginning of a request.
    has_frames: bool,
    /// Answers that are being made or streamed.
    busy: AtomicUsize,
    /// Bytes were sent, or an answer begun, since this was last asked.
    moved: AtomicBool,
    /// The client takes nothing.
    stuck: AtomicBool,
}

/// Lives as long as an answer is being made or streamed.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Pace>);

impl Default for Pace {
    fn default() -> Self {
        let no = || AtomicBool::new(false);
        Self { due: AtomicBool::new(true), has_frames: false, busy: AtomicUsize::new(0), moved: no(), stuck: no() }
    }
}

impl Pace {
    /// For HTTP/2, where most of what a client sends after its answers belongs to the connection. A request that it begins and does not end
    /// costs what an idle connection does, and gets as much time.
    pub(crate) fn of_frames() -> Self {
        Self { has_frames: true, ..Self::default() }
    }

    /// Notes that an answer takes time. Until the guard is gone, the client is not the one who is slow.
    pub(crate) fn busy(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        self.moved.store(true, Ordering::Relaxed);
        Busy(self.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.moved.store(true, Ordering::Relaxed);
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a connection has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spent {
    /// The client has had its time: it must be cut off.
    All,
    /// Nothing was asked for in a while, and nothing is being sent: what requests need can be let go of. Said once until something happens.
    Quiet,
}

/// Says when the client has had its time.
pub(crate) struct Patience {
    pace: Arc<Pace>,
    limits: Limits,
    /// When the client was last seen to have taken something, or to have begun to send or not to take.
    since: Instant,
    /// It has since then.
    again: bool,
    was_due: bool,
    was_stuck: bool,
    was_quiet: bool,
    timer: Pin<Box<Sleep>>,
}

impl Patience {
    pub(crate) fn new(pace: Arc<Pace>, limits: Limits) -> Self {
        let since = Instant::now();
        let timer = Box::pin(sleep_until(since + limits.look()));
        Self { pace, limits, since, again: false, was_due: true, was_stuck: false, was_quiet: false, timer }
    }

    /// Is ready when the connection must be cut off. To be called whenever the connection has nothing to do.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if ready!(self.poll_spent(cx)) == Spent::All {
                return Poll::Ready(());
            }
        }
    }

    /// Is ready when there is something to say about the connection. To be called whenever the connection has nothing to do.
    pub(crate) fn poll_spent(&mut self, cx: &mut Context<'_>) -> Poll<Spent> {
        let (due, stuck) = (self.pace.due.load(Ordering::Relaxed), self.pace.stuck.load(Ordering::Relaxed));
        if self.pace.moved.swap(false, Ordering::Relaxed) || due != self.was_due {
            self.was_due = due;
            self.again = true;
            if mem::take(&mut self.was_quiet) {
                self.timer.as_mut().reset(Instant::now() + self.limits.look());
            }
        }
        if stuck != self.was_stuck {
            self.was_stuck = stuck;
            (self.since, self.again) = (Instant::now(), false);
            self.timer.as_mut().reset(self.since + self.limits.look());
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let busy = self.pace.busy.load(Ordering::Relaxed) > 0;
            let now = Instant::now();
            if mem::take(&mut self.again) {
                self.since = now;
            }
            let limit = match (stuck, busy, due) {
                (true, _, _) => self.limits.write,
                (false, true, _) => self.limits.answer,
                (false, false, true) => self.limits.head,
                (false, false, false) => self.limits.idle,
            };
            let end = self.since + limit;
            if end <= now {
                return Poll::Ready(Spent::All);
            }
            if !(stuck || busy || due || self.was_quiet) && self.since + self.limits.head <= now {
                // Thousands of quiet connections would keep the edge busy with looking; whatever ends the quiet is noticed.
                self.timer.as_mut().reset(end);
                self.was_quiet = true;
                return Poll::Ready(Spent::Quiet);
            }
            // Before its time is over something shorter may begin to count.
            self.timer.as_mut().reset(end.min(now + self.limits.look()));
        }
        Poll::Pending
    }
}

/// A stream that notes its progress.
pub(crate) struct Paced<I> {
    io: I,
    pace: Arc<Pace>,
    /// What [`Self::poll_first`] has read.
    first: Option<u8>,
}

impl<I> Paced<I> {
    pub(crate) const fn new(io: I, pace: Arc<Pace>) -> Self {
        Self { io, pace, first: None }
    }

    fn note<T>(&self, result: Poll<T>) -> Poll<T> {
        self.pace.stuck.store(result.is_pending(), Ordering::Relaxed);
        if result.is_ready() {
            self.pace.moved.store(true, Ordering::Relaxed);
            self.pace.due.store(false, Ordering::Relaxed);
        }
        result
    }
}

impl<I: AsyncRead + Unpin> Paced<I> {
    /// Waits for the first byte of a request, which whoever reads next will get. False when the client has left.
    pub(crate) fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let result = ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer));
        self.first = result.ok().and_then(|()| buffer.filled().first().copied());
        self.pace.due.store(true, Ordering::Relaxed);
        Poll::Ready(self.first.is_some())
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Paced<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(first) = self.first.take() {
            buffer.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        let had = buffer.filled().len();
        let result = Pin::new(&mut self.io).poll_read(cx, buffer);
        if buffer.filled().len() > had && !self.pace.has_frames {
            self.pace.due.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Paced<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.note(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut joined = [0; JOINED_MAX_BYTES];
        let result = match join(slices, &mut joined) {
            Some(bytes) => Pin::new(&mut self.io).poll_write(cx, bytes),
            None => Pin::new(&mut self.io).poll_write_vectored(cx, slices),
        };
        self.note(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    // Hyper flushes also when there is nothing to send, so a flush that is done is no progress.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.io).poll_flush(cx);
        self.pace.stuck.store(result.is_pending(), Ordering::Relaxed);
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.io).poll_shutdown(cx);
        self.note(result)
    }
}

/// Copies the slices behind one another, if all of them fit.
fn join<'a>(slices: &[IoSlice<'_>], joined: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut end = 0;
    for slice in slices {
        joined.get_mut(end..end + slice.len())?.copy_from_slice(slice);
        end += slice.len();
    }
    Some(&joined[..end])
}

#[cfg(test)]
mod tests;
