//! This file's job is to speak the part of libpq that waits for notifications: Diesel does not show its connection's socket.
#![expect(unsafe_code, reason = "libpq is a C library; each call says why it is sound")]

use crate::error::{Error, Result};
use pq_sys as pq;
use std::ffi::{CStr, CString, c_char};
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

/// A connection that only listens and notifies. Stays on one thread, as the pointer inside is not `Send`.
pub(super) struct Connection(NonNull<pq::PGconn>);

/// A notification that arrived.
pub(super) struct Notification {
    /// The server process of whoever sent it.
    pub(super) process_id: i32,
    pub(super) payload: String,
}

impl Connection {
    /// Connects as Diesel does: the same library reads the same URL.
    pub(super) fn open(url: &str) -> Result<Self> {
        let url = CString::new(url).map_err(Error::internal)?;
        // SAFETY: the text ends with NUL and is only read during the call.
        let conn = unsafe { pq::PQconnectdb(url.as_ptr()) };
        let conn = Self(NonNull::new(conn).ok_or_else(|| Error::away("libpq has no memory"))?);
        // SAFETY: the connection is open until `self` is dropped.
        let status = unsafe { pq::PQstatus(conn.0.as_ptr()) };
        if status == pq::ConnStatusType::CONNECTION_OK { Ok(conn) } else { Err(conn.error()) }
    }

    /// Runs statements that give no rows.
    pub(super) fn execute(&mut self, sql: &str) -> Result<()> {
        let sql = CString::new(sql).map_err(Error::internal)?;
        // SAFETY: the connection is open and the text ends with NUL. The result, which may be null, is asked and freed once.
        let status = unsafe {
            let result = pq::PQexec(self.0.as_ptr(), sql.as_ptr());
            let status = pq::PQresultStatus(result);
            pq::PQclear(result);
            status
        };
        if status == pq::ExecStatusType::PGRES_COMMAND_OK { Ok(()) } else { Err(self.error()) }
    }

    /// Takes what has arrived, without waiting.
    pub(super) fn notifications(&mut self) -> Result<Vec<Notification>> {
        // SAFETY: the connection is open.
        if unsafe { pq::PQconsumeInput(self.0.as_ptr()) } == 0 {
            return Err(self.error());
        }
        let mut arrived = Vec::new();
        // SAFETY: the connection is open; what it returns is ours until it is freed.
        while let Some(notification) = NonNull::new(unsafe { pq::PQnotifies(self.0.as_ptr()) }) {
            // SAFETY: libpq made the struct and its texts, which end with NUL; it is read before it is freed, once.
            unsafe {
                let found = notification.as_ref();
                arrived.push(Notification { process_id: found.be_pid, payload: text(found.extra) });
                pq::PQfreemem(notification.as_ptr().cast());
            }
        }
        Ok(arrived)
    }

    /// Returns the server process that serves this connection.
    pub(super) fn process_id(&self) -> i32 {
        // SAFETY: the connection is open.
        unsafe { pq::PQbackendPID(self.0.as_ptr()) }
    }

    /// Returns the socket, to wait on.
    pub(super) fn socket(&self) -> std::io::Result<BorrowedFd<'_>> {
        // SAFETY: the connection is open.
        let socket = unsafe { pq::PQsocket(self.0.as_ptr()) };
        if socket < 0 {
            return Err(std::io::Error::other("the connection has no socket"));
        }
        // SAFETY: the socket stays open as long as the connection, which the result borrows.
        Ok(unsafe { BorrowedFd::borrow_raw(socket) })
    }

    fn error(&self) -> Error {
        // SAFETY: the connection is open; its message lives until the next call and is copied here.
        Error::away(unsafe { text(pq::PQerrorMessage(self.0.as_ptr())) }.trim().to_owned())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: nobody uses the connection after this.
        unsafe { pq::PQfinish(self.0.as_ptr()) }
    }
}

/// Copies a C text; an absent one is empty.
///
/// # Safety
/// The pointer is null, or its text ends with NUL.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
