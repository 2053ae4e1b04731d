//! This file's job is to check that every reason of an error has its page, and every page its reason.

use proto::v1::Reason;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_reason_has_a_page_and_every_page_a_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
    let pages: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    let wanted: BTreeSet<String> = (1..1_000)
        .filter_map(|number| Reason::try_from(number).ok())
        .map(|reason| format!("{}.md", proto::error::reason_text(reason).to_lowercase()))
        .collect();
    assert_eq!(pages, wanted);
    let index = std::fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(wanted.iter().all(|page| index.contains(&format!("({page})"))));
}
