//! This file's job is to let the fuzzer feed everything of the edge that reads foreign bytes.
//!
//! Each function panics when something is broken that must hold for any input.

use crate::blobs::range::{self, Asked};
use crate::check::answer::{Answer, AnswerKey};
use crate::check::query::{Codings, Decoded, Query};
use crate::devices::register;
use crate::devices::token::{Claim, TokenKeys};
use crate::protocols::codepush::outcome::Outcome;
use crate::protocols::codepush::query::Query as PackageQuery;
use crate::protocols::codepush::report::Report;
use crate::protocols::expo::Place;
use crate::protocols::expo::asked;
use crate::snapshot::interned::Interned;
use crate::snapshot::{Channel, disk};
use crate::telemetry::{intake, segment};
use domain::decide::{UpdateCheck, decide};
use domain::snapshot::TokenKey;
use domain::{Platform, Sha256, Timestamp};
use std::fs::File;

/// A query of an update check is understood or refused.
pub fn query(text: &str) {
    let mut decoded = Decoded::default();
    if let Ok(query) = Query::parse(text, &mut decoded) {
        assert!(!query.app.is_empty() && !query.channel.is_empty());
        // Refused later, when it is needed.
        let _ = query.runtime();
    }
}

/// A CodePush client's query is understood or refused, and has room in the answer as it was written.
pub fn codepush_query(text: &str) {
    if let Ok(query) = PackageQuery::parse(text) {
        assert!(!query.app_version.is_empty() && query.app_version.len() <= text.len());
    }
}

/// A CodePush client's report is understood or refused.
pub fn codepush_report(body: &[u8]) {
    for is_download in [false, true] {
        // An error is an answer to the device.
        let _ = Report::parse(body, is_download);
    }
}

/// A text that no key of ours signed is no token.
pub fn token(text: &str) {
    let keys = TokenKeys::new(&[TokenKey { generation: 1, secret: [7; 32] }]);
    if let Some(claim) = Claim::parse(text) {
        assert!(!keys.verify(&claim), "a forged token is accepted: {text}");
    }
}

/// A part of a blob lies in the blob.
pub fn range(header: &str, size_bytes: u64) {
    if let Asked::Part(part) = range::parse(header, size_bytes) {
        assert!(part.start < part.end && part.end <= size_bytes, "{part:?} of {size_bytes}");
    }
}

/// What an Expo client says is understood or refused. The first line is the path with a query, the others are headers.
pub fn expo(text: &str) {
    let mut lines = text.lines();
    let mut request = http::Request::builder().uri(lines.next().unwrap_or_default());
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        request = request.header(name, value.trim());
    }
    let Ok(request) = request.body(()) else { return };
    if let Some(Place::Manifest { app, channel }) = Place::of(request.uri().path())
        && let Ok(asked) = asked::Asked::read(&request, app, channel)
    {
        assert!(asked.failed.len() <= 16 && asked.fatal_error.is_none_or(|error| error.len() <= 2_048));
        assert!(asked.device.is_none_or(|device| device.key().is_ok()));
    }
}

/// A registration is understood or refused.
pub fn registration(body: &[u8]) {
    // An error is an answer to the device.
    let _ = register::parse(body);
}

/// What is taken of a report fits into the spool, and the control plane takes it.
pub fn report(body: &[u8]) {
    let (app, device) = ("app_01j9zzzzzzzzzzzzzzzzzzzzzz", "dev_01j9zzzzzzzzzzzzzzzzzzzzzz");
    let token = format!("adt1.1.{app}.{device}.1.{}", "A".repeat(43));
    let claim = Claim::parse(&token).expect("a well-formed token");
    let Ok((common, events)) = intake::parse(body, &claim, Timestamp::from_us(1)) else { return };
    let (accepted, _refused) = intake::sort(&common, events);
    for event in accepted {
        let wire = proto::convert::event_to_wire(&event);
        let mut record = Vec::new();
        segment::encode(&wire, &mut record);
        assert!(record.len() <= segment::RECORD_MAX_BYTES, "an event of {} bytes would be lost", record.len());
        assert_eq!(proto::convert::event_from_wire(wire).as_ref(), Ok(&event));
    }
}

/// A file of a snapshot is understood or set aside.
pub fn snapshot_file(bytes: &[u8]) {
    // An error sets the file aside.
    let _ = disk::parse_file(bytes, &Interned::default());
}

/// Whatever can be decided from a snapshot that was accepted can be answered.
pub fn snapshot(encoded: &[u8]) {
    let digest = Sha256::of(encoded);
    let Ok(channel) = Channel::compile(encoded, digest, &Interned::default()) else { return };
    for &platform in Platform::ALL {
        for device in 0..8_u8 {
            let check = UpdateCheck {
                device: format!("device-{device}").parse().expect("a well-formed device"),
                platform,
                binary_version: "1.4.0".parse().ok(),
                runtime_version: None,
                current: None,
            };
            let version = "deployment_key=deployment-key&app_version=1.4.0";
            let query = PackageQuery::parse(version).expect("a well-formed query");
            let _ = Outcome::decide(&channel, platform, &query);
            let decision = decide(&channel.snapshot, &check);
            let key =
                AnswerKey { snapshot: digest, decision, delta: None, codings: Codings::default(), check_class: 0 };
            assert!(Answer::make(&channel, &key, 60).is_some(), "{decision:?} has no answer");
        }
    }
}

/// Reading a damaged segment of the spool ends at the damage.
pub fn segment(file: &File, size_bytes: u64) {
    let batch = segment::read(file, 0, size_bytes, usize::MAX).expect("the file can be read");
    assert!(batch.end <= size_bytes);
}
