//! This file's job is to follow what happens on the server, over as many connections as it takes.

use crate::connection::Connection;
use crate::error::Error;
use crate::retry::{FIRST_WAIT, LONGEST_WAIT, PATIENCE};
use proto::v1;
use proto::v1::watch_event::Subject;
use proto::v1::watch_response::Message;
use runtime::backoff::Backoff;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tonic::Streaming;

/// The server sends something every 15 seconds; after this long the connection is dead.
const SILENCE_MAX: Duration = Duration::from_secs(40);

/// An upload as it is now, and what it has just reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The upload.
    pub upload: v1::Upload,
    /// For instance "unpacked"; empty for plain changes.
    pub stage: String,
}

/// Follows uploads.
pub struct Watcher<'a> {
    connection: &'a Connection,
    topics: Vec<String>,
    /// Up to where everything is known.
    seq: i64,
    stream: Option<Streaming<v1::WatchResponse>>,
    known: VecDeque<Step>,
    backoff: Backoff,
    heard_at: Instant,
}

impl<'a> Watcher<'a> {
    /// Prepares to follow the topics; connects with the first step.
    #[must_use]
    pub fn new(connection: &'a Connection, topics: Vec<String>) -> Self {
        let backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let heard_at = Instant::now();
        Self { connection, topics, seq: 0, stream: None, known: VecDeque::new(), backoff, heard_at }
    }

    /// Waits for the next step. Broken connections are replaced, and nothing is missed meanwhile.
    pub async fn next(&mut self) -> Result<Step, Error> {
        loop {
            if let Some(step) = self.known.pop_front() {
                return Ok(step);
            }
            match self.receive().await {
                Ok(Some(response)) => {
                    (self.heard_at, self.seq) = (Instant::now(), response.seq);
                    self.backoff.reset();
                    self.take(response.message);
                }
                // The stream ended, as it does now and then: come back.
                Ok(None) => self.stream = None,
                Err(error) if error.is_passing() && self.heard_at.elapsed() < PATIENCE => {
                    self.stream = None;
                    tokio::time::sleep(self.backoff.next_wait()).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn receive(&mut self) -> Result<Option<v1::WatchResponse>, Error> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let request = v1::WatchRequest { topics: self.topics.clone(), after_seq: self.seq };
                let stream = self.connection.answer(self.connection.watches().watch(request).await)?;
                self.stream.insert(stream)
            }
        };
        match tokio::time::timeout(SILENCE_MAX, stream.message()).await {
            Ok(message) => message.map_err(|status| self.connection.explain(status)),
            Err(_) => Ok(None),
        }
    }

    fn take(&mut self, message: Option<Message>) {
        match message {
            Some(Message::Snapshot(snapshot)) => {
                let step = |upload| Step { upload, stage: String::new() };
                self.known.extend(snapshot.uploads.into_iter().map(step));
            }
            Some(Message::Event(event)) => {
                if let Some(Subject::Upload(upload)) = event.subject {
                    self.known.push_back(Step { upload, stage: event.stage });
                }
            }
            Some(Message::GoAway(_)) => self.stream = None,
            Some(Message::Heartbeat(_) | Message::Resync(_)) | None => {}
        }
    }
}
