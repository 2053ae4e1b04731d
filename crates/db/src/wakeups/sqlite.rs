//! This file's job is to carry notes between the processes of one SQLite file.
//!
//! Every process has a datagram socket in a folder beside the file; whoever commits rings all others. The file's version, which
//! SQLite itself moves with every commit, is looked at now and then for what no ring told of, for instance a restored backup.

use super::{Notes, Signals};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often the file's version is looked at; a look takes some microseconds.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Sockets in the folder that are rung at most: a folder with more is not ours.
const RUNG_MAX: usize = 1_000;

/// Rings the other processes.
pub(super) struct Bell {
    folder: Folder,
    /// The name of this process's own socket.
    own: String,
    sender: UnixDatagram,
}

impl Bell {
    /// Makes this process's socket and starts to listen on it.
    pub(super) fn hang(path: &str, signals: &Arc<Signals>) -> std::io::Result<Self> {
        let folder = Folder::open(Path::new(&format!("{path}-bells")))?;
        // Not the process id alone: one process may open a file twice, and ids come again.
        let own = format!("{}-{:016x}", std::process::id(), u64::from_le_bytes(runtime::random::bytes()));
        let socket = UnixDatagram::bind(folder.socket(&own))?;
        socket.set_read_timeout(Some(LOOK_EVERY))?;
        let sender = UnixDatagram::unbound()?;
        sender.set_nonblocking(true)?;
        let listener = Listener {
            path: path.to_owned(),
            location: folder.path.join(&own),
            socket,
            signals: Arc::downgrade(signals),
            conn: None,
        };
        std::thread::Builder::new().name("aloft-bell".into()).spawn(move || listener.run())?;
        Ok(Self { folder, own, sender })
    }

    /// Tells the others. Never waits: a socket that is full has been rung already.
    pub(super) fn ring(&self, notes: Notes) {
        let Ok(entries) = std::fs::read_dir(&self.folder.path) else { return };
        for entry in entries.flatten().take(RUNG_MAX) {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| *name != self.own) else { continue };
            match self.sender.send_to(&[notes.0], self.folder.socket(name)) {
                // Its process was killed.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    let _gone = std::fs::remove_file(entry.path());
                }
                Ok(_) | Err(_) => {}
            }
        }
    }
}

/// The folder of sockets. The address of a socket has room for about 100 bytes, so the folder is named by its descriptor where the
/// system knows that.
struct Folder {
    path: PathBuf,
    prefix: PathBuf,
    _open: File,
}

impl Folder {
    fn open(path: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(path)?;
        let open = File::open(path)?;
        let short = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()));
        let prefix = if short.exists() { short } else { path.to_owned() };
        Ok(Self { path: path.to_owned(), prefix, _open: open })
    }

    fn socket(&self, name: &str) -> PathBuf {
        self.prefix.join(name)
    }
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = BigInt)]
    data_version: i64,
}

struct Listener {
    path: String,
    location: PathBuf,
    socket: UnixDatagram,
    signals: Weak<Signals>,
    /// A connection and the version that it saw last.
    conn: Option<(SqliteConnection, i64)>,
}

impl Listener {
    fn run(mut self) {
        let mut byte = [0];
        loop {
            let notes = match self.socket.recv(&mut byte) {
                Ok(1) => Notes(byte[0]),
                Ok(_) => Notes::default(),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => self.look(),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::warn!(%error, "the bell of the database broke; pollers will find changes");
                    break;
                }
            };
            // The database was closed.
            let Some(signals) = self.signals.upgrade() else { break };
            signals.fire(notes);
        }
        let _gone = std::fs::remove_file(&self.location);
    }

    /// Compares the file's version with the last one. Commits of this process count as well; being woken once too often is cheap.
    fn look(&mut self) -> Notes {
        let version = |conn: &mut SqliteConnection| {
            let found = diesel::sql_query("PRAGMA data_version").get_result::<Version>(conn);
            found.map(|version| version.data_version)
        };
        let Some((conn, last)) = &mut self.conn else {
            let opened = SqliteConnection::establish(&self.path).ok();
            self.conn = opened.and_then(|mut conn| version(&mut conn).ok().map(|version| (conn, version)));
            return Notes::default();
        };
        match version(conn) {
            Ok(version) if version == *last => Notes::default(),
            Ok(version) => {
                *last = version;
                Notes::ALL
            }
            Err(error) => {
                tracing::debug!(%error, "the version of the database cannot be read");
                self.conn = None;
                Notes::default()
            }
        }
    }
}
