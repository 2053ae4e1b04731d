//! This file's job is to tell every part of a process to stop.

use std::sync::Arc;
use tokio::sync::watch;

/// Says when to stop. Dropping every handle stops too.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

/// Learns when to stop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

/// Makes a connected pair.
#[must_use]
pub fn channel() -> (Shutdown, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Shutdown(Arc::new(sender)), Stop(receiver))
}

impl Shutdown {
    /// Tells every [`Stop`] to stop. Saying it twice changes nothing.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Waits until it is time to stop; returns at once when it is.
    pub async fn stopped(&self) {
        // An error means that every sender is gone, which means stop as well.
        let _ = self.0.clone().wait_for(|stopped| *stopped).await;
    }

    /// Says whether it is time to stop.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Runs the future until it ends or it is time to stop, in which case the answer is `None`.
    pub async fn run_until<F: Future>(&self, future: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            () = self.stopped() => None,
            output = future => Some(output),
        }
    }
}

/// Stops on the first SIGINT or SIGTERM; a second one ends the process at once with code 130.
///
/// # Errors
/// When the process may not listen for signals.
pub fn on_signal(shutdown: Shutdown) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = interrupt.recv() => (),
                _ = terminate.recv() => (),
            }
            if first {
                tracing::info!("stopping");
                shutdown.stop();
            } else {
                std::process::exit(130);
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_learns_of_the_stop() {
        let (shutdown, stop) = channel();
        let other = stop.clone();
        assert!(!other.is_stopped());
        shutdown.stop();
        stop.stopped().await;
        assert!(other.is_stopped());
        assert_eq!(other.run_until(std::future::pending::<()>()).await, None);
    }

    #[tokio::test]
    async fn dropping_the_handle_stops() {
        let (shutdown, stop) = channel();
        drop(shutdown);
        stop.stopped().await;
        assert!(stop.is_stopped());
    }
}
