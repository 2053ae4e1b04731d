//! This file's job is to check every RPC for every kind of caller against own, foreign and absent things.
//!
//! The answers stand in `authorization.golden`, for people to review. After a change that is meant:
//! `ALOFT_BLESS=1 cargo test -p control-plane --test serving authorization`, then read the diff.

use crate::contract::{Answer, Contract, Rpc, Things, call, call_with};
use crate::rig::{EDGE_TOKEN, OPERATOR_TOKEN, Rig, Shape};
use crate::tenants::{Tenant, absent};
use bytes::Bytes;
use db::Role;
use domain::Environment;
use domain::plan::PlanName;
use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};
use proto::v1::{Principal, Reason};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use tonic::Code;

const HEADER: &str = "\
# Who may call what. For each RPC: the answers for an own, a foreign and an absent thing, and the callers that get them.
# Written by: ALOFT_BLESS=1 cargo test -p control-plane --test serving authorization
";
/// RPCs that refuse their generated request before they look for anything, so that the matrix shows less of them than it should. Each
/// has a test of its own. This number may only shrink.
const EXCEPTIONS_MAX: usize = 0;
const EXCEPTIONS: [&str; EXCEPTIONS_MAX] = [];

/// The etag of whatever was just made.
const FIRST_ETAG: &str = "r1";
/// To whom no organization is foreign.
const OPERATOR: &str = "operator";

/// Somebody who calls.
struct Somebody {
    name: &'static str,
    credential: Option<String>,
    /// The role of a person who signs in anew for each RPC, since some of them end the session.
    signs_in_as: Option<Role>,
    /// Whose things are its own.
    home: Home,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Home {
    Ours,
    Suspended,
}

struct World {
    rig: Rig,
    contract: Contract,
    homes: BTreeMap<Home, Tenant>,
    theirs: Tenant,
}

impl World {
    async fn new() -> Self {
        let rig = Rig::new(Shape::Embedded).await;
        let homes = BTreeMap::from([
            (Home::Ours, Tenant::new(&rig, "ours").await),
            (Home::Suspended, Tenant::new(&rig, "suspended").await),
        ]);
        let theirs = Tenant::new(&rig, "theirs").await;
        rig.suspend(&homes[&Home::Suspended].scope, true).await;
        Self { rig, contract: Contract::read(), homes, theirs }
    }

    /// Makes one of each kind of caller.
    async fn everybody(&self) -> Vec<Somebody> {
        let ours = &self.homes[&Home::Ours];
        let other_app =
            crate::rig::with(&ours.owner, proto::v1::CreateAppRequest { slug: "other".into(), ..Default::default() });
        let other_app = self.rig.apps().create_app(other_app).await.unwrap().into_inner().app.unwrap().app_id;
        let key = async |change: &dyn Fn(&mut db::api_keys::ApiKey)| {
            Some(self.rig.issue(&ours.scope, Environment::Live, change).await.0)
        };
        let unknown = control_plane::ApiKey::generate(Environment::Live).expose().to_owned();
        let past = crate::rig::now().minus(std::time::Duration::from_secs(60));
        let test_key = self.rig.issue(&ours.scope, Environment::Test, &|_| ()).await.0;
        let somebody = |name, credential| Somebody { name, credential, signs_in_as: None, home: Home::Ours };
        let person = |name, role| Somebody { name, credential: None, signs_in_as: Some(role), home: Home::Ours };
        vec![
            somebody("anonymous", None),
            somebody("owner", Some(ours.owner.clone())),
            somebody("admin", key(&|row| row.role = Role::Admin).await),
            somebody("developer", key(&|row| row.role = Role::Developer).await),
            somebody("viewer", key(&|row| row.role = Role::Viewer).await),
            somebody("key-for-reading", key(&|row| row.scopes = vec!["action:*.read".into()]).await),
            somebody("key-for-another-app", key(&|row| row.scopes = vec![format!("app:{other_app}")]).await),
            somebody("test-key", Some(test_key)),
            somebody("revoked-key", key(&|row| row.revoked_at = Some(past)).await),
            somebody("expired-key", key(&|row| row.expires_at = Some(past)).await),
            somebody("truncated-key", Some(ours.owner[..ours.owner.len() - 1].to_owned())),
            somebody("unknown-key", Some(unknown)),
            somebody("device-token", Some(format!("v1.1.{}.{}", "A".repeat(48), "B".repeat(43)))),
            somebody("edge", Some(EDGE_TOKEN.to_owned())),
            somebody(OPERATOR, Some(OPERATOR_TOKEN.to_owned())),
            person("person-owner", Role::Owner),
            person("person-admin", Role::Admin),
            person("person-developer", Role::Developer),
            person("person-viewer", Role::Viewer),
            Somebody {
                name: "suspended",
                credential: Some(self.homes[&Home::Suspended].owner.clone()),
                signs_in_as: None,
                home: Home::Suspended,
            },
        ]
    }

    async fn ask(&self, rpc: &Rpc, somebody: &Somebody, things: &Things) -> Answer {
        self.contract.ask(&self.rig.server.channel, rpc, somebody.credential.as_deref(), things).await
    }

    /// Undoes whatever the operator did to the organizations.
    async fn set_back(&self) {
        let everybody = self.homes.iter().map(|(home, tenant)| (tenant, *home == Home::Suspended));
        for (tenant, suspended) in everybody.chain([(&self.theirs, false)]) {
            let id = tenant.scope.organization().clone();
            let write = move |tx: &mut db::Tx<'_>| {
                let plan = db::plans::get(tx, PlanName::Enterprise)?;
                db::organizations::set_plan(tx, &id, &plan, crate::rig::now())
            };
            self.rig.db.write(write).await.unwrap();
            self.rig.suspend(&tenant.scope, suspended).await;
        }
    }

    /// Calls with own, foreign and absent things.
    async fn row(&mut self, rpc_name: &str, somebody: &Somebody) -> [Answer; 3] {
        let fresh;
        let somebody = match somebody.signs_in_as {
            Some(role) => {
                let credential = Some(self.rig.signed_in_member(&self.homes[&somebody.home].scope, role).await);
                fresh = Somebody { name: somebody.name, credential, signs_in_as: None, home: somebody.home };
                &fresh
            }
            None => somebody,
        };
        let rpc = self.contract.get(rpc_name);
        let own = &self.homes[&somebody.home].things;
        let answers = [
            self.ask(rpc, somebody, own).await,
            self.ask(rpc, somebody, &self.theirs.things).await,
            self.ask(rpc, somebody, &absent(own)).await,
        ];
        if somebody.name == OPERATOR {
            self.set_back().await;
        } else if answers[0].is_ok() && rpc.policy.action != "read" && somebody.home == Home::Ours {
            // Whatever it did, the next caller finds one of each thing.
            let rig = &self.rig;
            self.homes.get_mut(&Home::Ours).unwrap().furnish(rig).await;
        }
        answers
    }
}

/// Returns how the golden file writes an answer.
fn word(answer: &Answer) -> String {
    match answer {
        Ok(_) => "OK".to_owned(),
        Err(status) => match proto::error::reason_of(status) {
            Some(reason) => proto::error::reason_text(reason).to_owned(),
            None => format!("{:?}", status.code()),
        },
    }
}

/// Says whether a refusal of a foreign thing could be told from that of an absent one.
fn differ(foreign: &Answer, absent: &Answer) -> bool {
    match (foreign, absent) {
        (Ok(_), Ok(_)) => false,
        (Err(foreign), Err(absent)) => {
            (foreign.code(), foreign.message(), foreign.details())
                != (absent.code(), absent.message(), absent.details())
        }
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => true,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authorization_is_as_reviewed() {
    let mut world = World::new().await;
    let everybody = world.everybody().await;
    let names: Vec<String> = world.contract.rpcs().map(|rpc| rpc.name.clone()).collect();
    let mut text = HEADER.to_owned();
    let (mut telling, mut unanswered) = (Vec::new(), BTreeSet::new());
    for rpc in &names {
        let mut rows: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for somebody in &everybody {
            let answers = world.row(rpc, somebody).await;
            if somebody.name != OPERATOR && differ(&answers[1], &answers[2]) {
                telling.push(format!("{rpc} tells {} a foreign thing from an absent one: {answers:?}", somebody.name));
            }
            let invalid = proto::error::reason_text(Reason::InvalidField);
            if somebody.name == "owner" && answers[..2].iter().all(|answer| word(answer) == invalid) {
                unanswered.insert(rpc.as_str());
            }
            rows.entry(answers.each_ref().map(word).join(" ")).or_default().push(somebody.name);
        }
        writeln!(text, "\n{rpc}").unwrap();
        for (answers, names) in rows {
            writeln!(text, "  {answers}: {}", names.join(" ")).unwrap();
        }
    }
    assert!(telling.is_empty(), "{telling:#?}");
    assert_eq!(unanswered, BTreeSet::from(EXCEPTIONS), "RPCs that refuse their generated request");
    compare(&text);
}

fn compare(text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serving/authorization.golden");
    if std::env::var_os("ALOFT_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let changed: Vec<String> = text
        .lines()
        .filter(|line| !golden.lines().any(|known| known == *line))
        .map(|line| format!("+{line}"))
        .chain(golden.lines().filter(|line| !text.lines().any(|new| new == *line)).map(|line| format!("-{line}")))
        .collect();
    assert!(golden == text, "who may call what has changed; see the text of matrix.rs\n{}", changed.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_token_works_for_its_own_organization_only() {
    let mut world = World::new().await;
    let mut looked_at = 0;
    // Two of each thing that has no parent make a second page.
    world.homes.get_mut(&Home::Ours).unwrap().furnish(&world.rig).await;
    let ours = &world.homes[&Home::Ours];
    let channel = &world.rig.server.channel;
    for rpc in world.contract.rpcs().filter(|rpc| rpc.is_list()) {
        let mut request = world.contract.request(rpc, &ours.things);
        request.set_field_by_name("page_size", Value::I32(1));
        let Ok(Some(bytes)) = call(channel, rpc, Some(&ours.owner), &request).await else { continue };
        let answer = Contract::decode(rpc, bytes);
        let token = answer.get_field_by_name("next_page_token").unwrap().into_owned();
        if token.as_str().is_none_or(str::is_empty) {
            continue;
        }
        looked_at += 1;
        request.set_field_by_name("page_token", token.clone());
        call(channel, rpc, Some(&ours.owner), &request)
            .await
            .unwrap_or_else(|status| panic!("{}: {status:?}", rpc.name));
        let mut replay = world.contract.request(rpc, &world.theirs.things);
        replay.set_field_by_name("page_token", token);
        let refused = call(channel, rpc, Some(&world.theirs.owner), &replay).await.unwrap_err();
        assert_eq!(proto::error::reason_of(&refused), Some(Reason::PageTokenInvalid), "{}", rpc.name);
    }
    assert!(looked_at >= 2, "{looked_at} lists had a second page");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_half_another_organizations_answers_like_one_of_nothing() {
    let world = World::new().await;
    let (ours, theirs) = (&world.homes[&Home::Ours], &world.theirs);
    let (channel, owner) = (&world.rig.server.channel, Some(ours.owner.as_str()));
    let (mut mixed_names, mut told_apart) = (0, Vec::new());
    for rpc in world.contract.rpcs() {
        for word in theirs.things.keys().filter(|word| world.contract.mentions(rpc, word)) {
            mixed_names += 1;
            let mix = |from: &Things| {
                let mut things = ours.things.clone();
                things.insert(word, from[word].clone());
                things
            };
            let foreign = world.contract.ask(channel, rpc, owner, &mix(&theirs.things)).await;
            let nothing = world.contract.ask(channel, rpc, owner, &mix(&absent(&theirs.things))).await;
            // Some requests hold a whole thing, of which only some fields are looked at.
            let shows = |bytes: &Bytes| bytes.windows(26).any(|part| theirs.things[word].as_bytes().ends_with(part));
            if foreign.as_ref().is_ok_and(|bytes| bytes.as_ref().is_some_and(shows)) || differ(&foreign, &nothing) {
                told_apart.push(format!("{} with {word} of others: {foreign:?} {nothing:?}", rpc.name));
            }
        }
    }
    assert!(told_apart.is_empty(), "{told_apart:#?}");
    assert!(mixed_names > 100, "only {mixed_names} names were mixed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etag_of_another_organization_opens_nothing() {
    let mut world = World::new().await;
    let mut replayed = 0;
    for rpc in world.contract.rpcs() {
        let ours = world.homes.get_mut(&Home::Ours).unwrap();
        let mut request = world.contract.request(rpc, &ours.things);
        // Nothing of ours was changed since it was made.
        if !set_etag(&mut request, FIRST_ETAG) {
            continue;
        }
        replayed += 1;
        let mut nothing = world.contract.request(rpc, &absent(&ours.things));
        set_etag(&mut nothing, FIRST_ETAG);
        let (channel, thief) = (&world.rig.server.channel, Some(world.theirs.owner.as_str()));
        let replay = call(channel, rpc, thief, &request).await;
        assert!(replay.is_err() && !differ(&replay, &call(channel, rpc, thief, &nothing).await), "{}", rpc.name);
        // The etag is the right one, and the replay has not used it up.
        let meant = call(channel, rpc, Some(&ours.owner), &request).await;
        assert_ne!(word(&meant), proto::error::reason_text(Reason::EtagMismatch), "{}", rpc.name);
        assert_ne!(word(&meant), "NOT_FOUND", "{}", rpc.name);
        ours.furnish(&world.rig).await;
    }
    assert!(replayed >= 5, "{replayed} RPCs take an etag");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_rpc_takes_a_message_of_more_than_five_megabytes() {
    let world = World::new().await;
    let (channel, owner) = (&world.rig.server.channel, world.homes[&Home::Ours].owner.as_str());
    // Field 1,000, which no message has, as so many bytes.
    let padded = |size: usize| {
        let mut bytes = vec![0; size];
        let head = [0xc2, 0x3e];
        let length = size - head.len() - 4;
        bytes[..2].copy_from_slice(&head);
        for (index, byte) in bytes[2..6].iter_mut().enumerate() {
            *byte = ((length >> (7 * index)) & 0x7f) as u8 | if index < 3 { 0x80 } else { 0 };
        }
        Bytes::from(bytes)
    };
    let person = world.rig.signed_in_member(&world.homes[&Home::Ours].scope, Role::Owner).await;
    let mut taken = 0;
    // What clients stream is bounded in tests of its own.
    for rpc in world.contract.rpcs().filter(|rpc| !rpc.is_client_stream()) {
        let admits = |principal: Principal| rpc.policy.principals().any(|admitted| admitted == principal);
        let credential = match () {
            () if admits(Principal::ApiKey) => Some(owner),
            () if admits(Principal::Edge) => Some(EDGE_TOKEN),
            () if admits(Principal::Session) => Some(person.as_str()),
            () if admits(Principal::Operator) => Some(OPERATOR_TOKEN),
            () => None,
        };
        let refused = call_with(channel, rpc, credential, padded(5_000_001)).await;
        let refused = refused.expect_err(&rpc.name);
        let (code, text) = (refused.code(), refused.message());
        assert!(code == Code::OutOfRange && text.contains("too large"), "{}: {code:?} {text}", rpc.name);
        let read = call_with(channel, rpc, credential, padded(4_000_000)).await;
        taken += usize::from(read.err().is_none_or(|status| status.code() != Code::OutOfRange));
    }
    assert!(taken > 30, "{taken} RPCs read a message of that form; what people type into forms is far smaller");
}

/// Writes an etag wherever the request has room for one; says whether there was any.
fn set_etag(message: &mut DynamicMessage, etag: &str) -> bool {
    let mut found = false;
    for field in message.descriptor().fields() {
        if field.name() == "etag" {
            message.set_field(&field, Value::String(etag.to_owned()));
            found = true;
        } else if let Value::Message(inner) = message.get_field_mut(&field) {
            found |= set_etag(inner, etag);
        }
    }
    found
}
