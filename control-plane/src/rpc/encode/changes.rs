//! This file's job is to write what differs between two bundles as the contract's messages.

use crate::app::releases::Difference;
use crate::names;
use bundle::{Change, ChangeKind, Subject};
use proto::v1;
use std::collections::BTreeMap;

/// Writes a page of the changes with the sums of all of them.
pub fn difference(found: &Difference, page: &[Change], next_page_token: String) -> v1::DiffReleasesResponse {
    v1::DiffReleasesResponse {
        old_bundle: names::of_bundle(&found.old.app, &found.old.id),
        new_bundle: names::of_bundle(&found.new.app, &found.new.id),
        before_bytes: found.old.total_size_bytes,
        after_bytes: found.new.total_size_bytes,
        has_modules: found.comparison.has_modules,
        totals: totals(&found.comparison.changes),
        changes: page.iter().map(change).collect(),
        next_page_token,
    }
}

fn totals(changes: &[Change]) -> Vec<v1::BundleChangeTotal> {
    let mut totals: BTreeMap<(Subject, ChangeKind), v1::BundleChangeTotal> = BTreeMap::new();
    for change in changes {
        let total = totals.entry((change.subject, change.kind)).or_default();
        total.set_subject(subject(change.subject));
        total.set_kind(kind(change.kind));
        total.count += 1;
        total.before_bytes += change.before_bytes;
        total.after_bytes += change.after_bytes;
    }
    totals.into_values().collect()
}

fn change(change: &Change) -> v1::BundleChange {
    let (width, height) = change.pixels.unwrap_or_default();
    v1::BundleChange {
        subject: subject(change.subject).into(),
        kind: kind(change.kind).into(),
        name: change.name.clone(),
        before_bytes: change.before_bytes,
        after_bytes: change.after_bytes,
        width,
        height,
    }
}

const fn subject(subject: Subject) -> v1::ChangeSubject {
    match subject {
        Subject::Launch => v1::ChangeSubject::Launch,
        Subject::Asset => v1::ChangeSubject::Asset,
        Subject::Module => v1::ChangeSubject::Module,
    }
}

const fn kind(kind: ChangeKind) -> v1::ChangeKind {
    match kind {
        ChangeKind::Added => v1::ChangeKind::Added,
        ChangeKind::Removed => v1::ChangeKind::Removed,
        ChangeKind::Changed => v1::ChangeKind::Changed,
    }
}
