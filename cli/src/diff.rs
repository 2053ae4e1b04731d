//! This file's job is `aloft diff`: say what differs between two releases.

use crate::channel_address::ChannelAddress;
use crate::connection::Connection;
use crate::error::Error;
use crate::report::AnyReport;
use crate::{names, table};
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter, Write as _};

/// The most that the server gives at once.
const PAGE_SIZE: i32 = 1_000;
/// Lines of text that people read; `--json` has everything.
const LINES_MAX: usize = 200;

/// Says what differs between two releases: modules and assets that were added, removed or changed, with bytes.
///
/// Modules are known by their path when a source map was uploaded with the bundle. Without one, modules of a Metro bundle are told apart
/// by their content; of Hermes bytecode nothing is known but its size.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aloft diff v3 v4 --app trailhead --channel production
  aloft diff apps/trailhead/channels/staging/releases/v9 v4 --app trailhead --channel production")]
pub struct Arguments {
    /// The old release: its label such as v3, its id, or the full name of one in another channel.
    pub old: String,
    /// The new release: its label such as v4, or its id.
    pub new: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub address: ChannelAddress,
}

/// What differs between two bundles.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.DiffReleasesResponse")]
pub struct Difference {
    pub old_bundle: String,
    pub new_bundle: String,
    pub before_bytes: u64,
    pub after_bytes: u64,
    pub has_modules: bool,
    pub totals: Vec<Total>,
    pub changes: Vec<Change>,
}

/// The sum of all changes of one kind.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.BundleChangeTotal")]
pub struct Total {
    pub subject: &'static str,
    pub kind: &'static str,
    pub count: u32,
    pub before_bytes: u64,
    pub after_bytes: u64,
}

/// One difference.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.BundleChange")]
pub struct Change {
    pub subject: &'static str,
    pub kind: &'static str,
    pub name: String,
    pub before_bytes: u64,
    pub after_bytes: u64,
    /// Absent for what is no image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

impl From<v1::BundleChangeTotal> for Total {
    fn from(total: v1::BundleChangeTotal) -> Self {
        Self {
            subject: subject_text(total.subject()),
            kind: kind_text(total.kind()),
            count: total.count,
            before_bytes: total.before_bytes,
            after_bytes: total.after_bytes,
        }
    }
}

impl From<v1::BundleChange> for Change {
    fn from(change: v1::BundleChange) -> Self {
        let some = |pixels: u32| Some(pixels).filter(|pixels| *pixels > 0);
        Self {
            subject: subject_text(change.subject()),
            kind: kind_text(change.kind()),
            before_bytes: change.before_bytes,
            after_bytes: change.after_bytes,
            width: some(change.width),
            height: some(change.height),
            name: change.name,
        }
    }
}

impl Display for Difference {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        if self.changes.is_empty() {
            return f.write_str("The two releases have the same content.\n");
        }
        let sizes = |before: u64, after: u64| [table::size(before), table::size(after), step(before, after)];
        let row = |change: &Change| {
            let what = [change.subject.to_owned(), change.kind.to_owned(), change.name.clone()];
            let pixels = change.width.zip(change.height).map(|(width, height)| format!("{width}x{height}"));
            what.into_iter().chain(sizes(change.before_bytes, change.after_bytes)).chain(pixels).collect()
        };
        let rows: Vec<Vec<String>> = self.changes.iter().take(LINES_MAX).map(row).collect();
        f.write_str(&table::text(&["what", "change", "name", "before", "after", "difference", ""], &rows))?;
        if self.changes.len() > LINES_MAX {
            writeln!(f, "… and {} more; --json has all of them.", self.changes.len() - LINES_MAX)?;
        }
        let total = |total: &Total| {
            let what = [total.subject.to_owned(), total.kind.to_owned(), total.count.to_string()];
            what.into_iter().chain(sizes(total.before_bytes, total.after_bytes)).collect()
        };
        let mut totals: Vec<Vec<String>> = self.totals.iter().map(total).collect();
        let all = ["all files".to_owned(), String::new(), String::new()];
        totals.push(all.into_iter().chain(sizes(self.before_bytes, self.after_bytes)).collect());
        f.write_char('\n')?;
        f.write_str(&table::text(&["total", "change", "count", "before", "after", "difference"], &totals))?;
        if !self.has_modules {
            f.write_str("\nThe modules are not known: upload the bundles with their source maps.\n")?;
        }
        Ok(())
    }
}

/// Writes a difference with its sign.
fn step(before: u64, after: u64) -> String {
    if after >= before {
        format!("+{}", table::size(after - before))
    } else {
        format!("-{}", table::size(before - after))
    }
}

const fn subject_text(subject: v1::ChangeSubject) -> &'static str {
    match subject {
        v1::ChangeSubject::Unspecified => "unknown",
        v1::ChangeSubject::Launch => "launch file",
        v1::ChangeSubject::Asset => "asset",
        v1::ChangeSubject::Module => "module",
    }
}

const fn kind_text(kind: v1::ChangeKind) -> &'static str {
    match kind {
        v1::ChangeKind::Unspecified => "unknown",
        v1::ChangeKind::Added => "added",
        v1::ChangeKind::Removed => "removed",
        v1::ChangeKind::Changed => "changed",
    }
}

/// Asks for all changes.
pub async fn run(arguments: Arguments, connection: &Connection) -> Result<AnyReport, Error> {
    let channel = arguments.address.name()?;
    let mut request = v1::DiffReleasesRequest {
        name: names::release(&channel, &arguments.new)?,
        old_release: arguments.old,
        page_size: PAGE_SIZE,
        page_token: String::new(),
    };
    let mut changes = Vec::new();
    loop {
        let answer = connection.answer(connection.releases().diff_releases(request.clone()).await)?;
        changes.extend(answer.changes.into_iter().map(Change::from));
        if answer.next_page_token.is_empty() {
            return Ok(Box::new(Difference {
                old_bundle: answer.old_bundle,
                new_bundle: answer.new_bundle,
                before_bytes: answer.before_bytes,
                after_bytes: answer.after_bytes,
                has_modules: answer.has_modules,
                totals: answer.totals.into_iter().map(Into::into).collect(),
                changes,
            }));
        }
        request.page_token = answer.next_page_token;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_a_line_for_each_change_and_says_when_modules_are_unknown() {
        let change = Change {
            subject: "asset",
            kind: "added",
            name: "a.png".into(),
            before_bytes: 0,
            after_bytes: 100,
            width: Some(3),
            height: Some(4),
        };
        let difference = Difference {
            old_bundle: "apps/a/bundles/b".into(),
            new_bundle: "apps/a/bundles/c".into(),
            before_bytes: 1_000,
            after_bytes: 900,
            has_modules: false,
            totals: Vec::new(),
            changes: vec![change],
        };
        let text = difference.to_string();
        assert!(text.contains("a.png") && text.contains("+100 B") && text.contains("3x4"), "{text}");
        assert!(text.contains("-100 B") && text.contains("source maps"), "{text}");
    }
}
