//! This file's job is to hand mails on: to an SMTP server, or to a folder when there is none.

mod text;

pub(crate) use text::compose;

use crate::config::{Config, MailTransport};
use crate::error::Error;
use lettre::transport::smtp::AsyncSmtpTransport;
use lettre::{AsyncTransport as _, Message, Tokio1Executor};
use runtime::secret::ExposeSecret as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A server that takes longer is away; the queue tries again.
const SMTP_TIMEOUT: Duration = Duration::from_secs(20);

/// Where mails go.
pub(crate) enum Post {
    /// To a server.
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    /// Into a folder, one file each.
    Folder(PathBuf),
}

impl Post {
    /// Makes what the configuration asks for; nothing is connected yet.
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        match config.mail_transport {
            MailTransport::File => Ok(Self::Folder(config.mail_folder.clone())),
            MailTransport::Smtp => {
                let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(config.mail_smtp_url.expose_secret());
                let builder = builder.map_err(|error| Error::Mail(format!("worker.mail_smtp_url: {error}")))?;
                Ok(Self::Smtp(Box::new(builder.timeout(Some(SMTP_TIMEOUT)).build())))
            }
        }
    }

    /// Hands a mail on. `name` is the name of its file.
    pub(crate) async fn send(&self, name: &str, message: Message) -> Result<(), Error> {
        match self {
            Self::Smtp(server) => {
                server.send(message).await.map_err(|error| Error::Mail(error.to_string()))?;
                Ok(())
            }
            Self::Folder(folder) => {
                let (folder, file, bytes) = (folder.clone(), format!("{name}.eml"), message.formatted());
                tokio::task::spawn_blocking(move || write(&folder, &file, &bytes)).await?
            }
        }
    }
}

/// A reader finds the whole mail or none; only the owner of the process can read it, because of the link in it.
fn write(folder: &Path, file: &str, bytes: &[u8]) -> Result<(), Error> {
    let failed = |cause| Error::Spool { action: "writing a mail", cause };
    std::fs::create_dir_all(folder).map_err(failed)?;
    // A temporary file is made with mode 0600.
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    temporary.write_all(bytes).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    let path = folder.join(file);
    temporary.persist(&path).map_err(|error| failed(error.error))?;
    tracing::info!(path = %path.display(), "a mail was written");
    Ok(())
}
