//! This file's job is to let the fuzzer feed what the control plane reads of callers beyond protobuf.
//!
//! Each function panics when something is broken that must hold for any input.

use crate::names::{self, NamedRelease, ReleaseRef};
use crate::paging::{List, PageTokens};
use domain::Timestamp;
use domain::id::OrganizationId;

/// A name is understood or refused, and a label has one spelling.
pub fn resource_name(text: &str) {
    // Errors are answers to the caller.
    let _ = (names::app("name", text), names::channel("name", text), names::bundle("name", text));
    let _ = (names::upload("name", text), names::binary("name", text));
    let release = match names::named_release("name", text) {
        Ok(NamedRelease::Full(path)) => path.release,
        Ok(NamedRelease::Short(release)) => release,
        Err(_) => return,
    };
    if let ReleaseRef::Seq(seq) = release {
        assert!(text.ends_with(&format!("v{seq}")), "{text} is read as v{seq}");
    }
}

/// Only a token that was written for the list is read.
pub fn page_token(text: &str) {
    let tokens = PageTokens::new(b"the fuzzer's pepper");
    let organization = OrganizationId::from_parts(Timestamp::from_us(1), [1; 10]);
    let list = List { method: "ListApps", parent: "", organization: &organization };
    if let Ok(page) = tokens.read::<String>(list, 10, text)
        && let Some(position) = page.after
    {
        assert_eq!(tokens.write(list, &position), text);
    }
}
