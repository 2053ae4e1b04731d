//! This file's job is `aloft audit`: list, export and check who did what.

use crate::connection::Connection;
use crate::error::Error;
use crate::report::AnyReport;
use crate::{moment, table};
use domain::Sha256;
use domain::audit::GENESIS;
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};
use std::io::Write as _;
use std::path::PathBuf;

/// Shows and checks who did what in the organization.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Lists the newest entries.
    List {
        /// How many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i32).range(1..=1_000))]
        limit: i32,
    },
    /// Writes every entry in its order, one JSON document a line.
    Export {
        /// The file.
        file: PathBuf,
    },
    /// Checks that no entry was changed or removed: computes the whole chain anew.
    #[command(
        after_help = "Keep the head that it prints: with --head, a later run also notices when the newest entries were cut off.\n\nExample:\n  aloft audit verify --head 120:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    )]
    Verify {
        /// A head that was printed earlier: it must still be part of the chain.
        #[arg(long, value_name = "SEQ:HASH", value_parser = head)]
        head: Option<Head>,
    },
}

/// The number and the hash of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    seq: u64,
    hash: Sha256,
}

/// One entry.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.AuditEntry")]
pub struct Entry {
    pub seq: u64,
    pub id: String,
    pub organization_id: String,
    pub actor_kind: String,
    pub actor_id: String,
    pub credential: String,
    pub action: String,
    pub resource: String,
    pub outcome: String,
    pub detail: String,
    pub at_us: i64,
    pub previous_hash: String,
    pub hash: String,
}

impl From<v1::AuditEntry> for Entry {
    fn from(entry: v1::AuditEntry) -> Self {
        Self {
            seq: entry.seq,
            id: entry.id,
            organization_id: entry.organization_id,
            actor_kind: entry.actor_kind,
            actor_id: entry.actor_id,
            credential: entry.credential,
            action: entry.action,
            resource: entry.resource,
            outcome: entry.outcome,
            detail: entry.detail,
            at_us: entry.at_us,
            previous_hash: hex::encode(&entry.previous_hash),
            hash: hex::encode(&entry.hash),
        }
    }
}

/// Some entries.
#[derive(Debug, Serialize)]
pub struct Entries {
    /// The entries, newest first.
    pub entries: Vec<Entry>,
}

impl Display for Entries {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let row = |entry: &Entry| {
            let who = format!("{} {}", entry.actor_kind, entry.credential);
            let time = moment::text(entry.at_us);
            vec![entry.seq.to_string(), time, who, entry.action.clone(), entry.resource.clone(), entry.outcome.clone()]
        };
        let rows: Vec<_> = self.entries.iter().map(row).collect();
        f.write_str(&table::text(&["no", "time", "who", "did", "to", "outcome"], &rows))
    }
}

/// An export that was written.
#[derive(Debug, Serialize)]
pub struct Exported {
    /// Where.
    pub file: PathBuf,
    /// How many entries.
    pub entries: u64,
}

impl Display for Exported {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "wrote {} entries to {}", self.entries, self.file.display())
    }
}

/// A chain that holds.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// How many entries.
    pub entries: u64,
    /// The newest entry's number and hash, to keep for the next run.
    pub head: String,
}

impl Display for Verified {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "the chain of {} entries holds; its head is {}", self.entries, self.head)
    }
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    match command {
        Command::List { limit } => {
            let request = v1::ListAuditEntriesRequest { page_size: limit, page_token: String::new() };
            let answer = connection.answer(connection.audit().list_audit_entries(request).await)?;
            Ok(Box::new(Entries { entries: answer.entries.into_iter().map(Into::into).collect() }))
        }
        Command::Export { file } => export(connection, file).await,
        Command::Verify { head } => verify(connection, head).await,
    }
}

async fn export(connection: &Connection, path: PathBuf) -> Result<AnyReport, Error> {
    let fail = |source: std::io::Error| Error::file(&path, source);
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).map_err(fail)?);
    let mut count = 0;
    each(connection, |entry| {
        count += 1;
        let line = serde_json::to_string(&Entry::from(entry)).map_err(|cause| fail(cause.into()))?;
        writeln!(file, "{line}").map_err(fail)
    })
    .await?;
    file.flush().map_err(fail)?;
    Ok(Box::new(Exported { file: path.clone(), entries: count }))
}

async fn verify(connection: &Connection, kept: Option<Head>) -> Result<AnyReport, Error> {
    let mut chain = Chain { seq: 0, hash: GENESIS };
    let mut kept_is_there = kept.is_none();
    each(connection, |entry| {
        chain.extend(&entry)?;
        kept_is_there |= kept.as_ref().is_some_and(|kept| kept.seq == chain.seq && kept.hash == chain.hash);
        Ok(())
    })
    .await?;
    if !kept_is_there {
        return Err(Error::AuditBroken("the head that was kept is no longer part of the chain".to_owned()));
    }
    Ok(Box::new(Verified { entries: chain.seq, head: format!("{}:{}", chain.seq, chain.hash) }))
}

/// Calls `work` with every entry in order.
async fn each(connection: &Connection, mut work: impl FnMut(v1::AuditEntry) -> Result<(), Error>) -> Result<(), Error> {
    let request = v1::ExportAuditEntriesRequest { after_seq: 0 };
    let mut stream = connection.answer(connection.audit_export().export_audit_entries(request).await)?;
    while let Some(answer) = stream.message().await.map_err(|status| connection.explain(status))? {
        answer.entries.into_iter().try_for_each(&mut work)?;
    }
    Ok(())
}

/// The part of a chain that was checked.
struct Chain {
    seq: u64,
    hash: Sha256,
}

impl Chain {
    fn extend(&mut self, entry: &v1::AuditEntry) -> Result<(), Error> {
        let seq = self.seq + 1;
        let hash = proto::convert::link_from_wire(entry).hash(&self.hash);
        let fits =
            entry.seq == seq && entry.previous_hash == self.hash.as_bytes()[..] && entry.hash == hash.as_bytes()[..];
        if !fits {
            return Err(Error::AuditBroken(format!("entry {seq} was changed, or one before it was removed")));
        }
        (self.seq, self.hash) = (seq, hash);
        Ok(())
    }
}

fn head(text: &str) -> Result<Head, String> {
    let refuse = || "write SEQ:HASH as `aloft audit verify` prints it".to_owned();
    let (seq, hash) = text.split_once(':').ok_or_else(refuse)?;
    Ok(Head { seq: seq.parse().map_err(|_| refuse())?, hash: hash.parse().map_err(|_| refuse())? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Timestamp;
    use domain::audit::Link;

    /// Entries whose hashes fit.
    fn entries(count: u64) -> Vec<v1::AuditEntry> {
        let mut previous = GENESIS;
        let make = |seq| {
            let action = format!("Act{seq}");
            let hash = Link { seq, at: Timestamp::from_us(5), texts: ["", "", "", "", "", &action, "", "", ""] }
                .hash(&previous);
            let entry = v1::AuditEntry {
                seq,
                action,
                at_us: 5,
                previous_hash: previous.as_bytes().to_vec().into(),
                hash: hash.as_bytes().to_vec().into(),
                ..Default::default()
            };
            previous = hash;
            entry
        };
        (1..=count).map(make).collect()
    }

    fn holds(entries: &[v1::AuditEntry]) -> bool {
        let mut chain = Chain { seq: 0, hash: GENESIS };
        entries.iter().try_for_each(|entry| chain.extend(entry)).is_ok()
    }

    #[test]
    fn a_changed_removed_or_swapped_entry_breaks_the_chain() {
        let whole = entries(6);
        assert!(holds(&whole) && holds(&[]));
        for index in 0..whole.len() {
            let mut changed = whole.clone();
            changed[index].action.push('x');
            assert!(!holds(&changed), "{index} changed");
            let mut removed = whole.clone();
            removed.remove(index);
            assert_eq!(holds(&removed), index == whole.len() - 1, "only a kept head notices a missing end: {index}");
        }
        let mut swapped = whole;
        swapped.swap(1, 2);
        assert!(!holds(&swapped));
    }

    #[test]
    fn heads_are_read_as_they_are_printed() {
        let hash = Sha256::of(b"x");
        assert_eq!(head(&format!("12:{hash}")), Ok(Head { seq: 12, hash }));
        for bad in ["", "12", "x:00", "12:00"] {
            assert!(head(bad).is_err(), "{bad}");
        }
    }
}
