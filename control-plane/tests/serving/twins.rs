//! This file's job is to check that whatever happens in one organization, every answer of another stays as it was, byte for byte.

use crate::contract::{Contract, Rpc, Things, call};
use crate::on_both_databases;
use crate::rig::Rig;
use crate::tenants::Tenant;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Value};
use proto::v1::Principal;
use std::collections::BTreeMap;

on_both_databases!(operations_in_one_organization_leave_every_answer_of_another_as_it_was);

/// Operations of one run; each RPC that changes something comes up twice or so.
const OPERATIONS: usize = 80;
/// Beginnings of the names of RPCs that only look.
const LOOKING: [&str; 5] = ["Get", "List", "Find", "Explain", "Export"];

/// Numbers that look random and come again for the same seed (xorshift64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

fn looks(name: &str) -> bool {
    let method = name.rsplit('/').next().unwrap();
    LOOKING.iter().any(|beginning| method.starts_with(beginning))
}

/// Returns every question that an organization can ask about its own things.
fn questions<'a>(contract: &'a Contract, tenant: &Tenant) -> Vec<(&'a Rpc, DynamicMessage)> {
    let asking = contract.rpcs().filter(|rpc| looks(&rpc.name) && rpc.policy.admits(Principal::ApiKey));
    asking.map(|rpc| (rpc, contract.request(rpc, &tenant.things))).collect()
}

/// Asks them all.
async fn read_out(rig: &Rig, tenant: &Tenant, questions: &[(&Rpc, DynamicMessage)]) -> BTreeMap<String, Vec<u8>> {
    let mut answers = BTreeMap::new();
    for (rpc, question) in questions {
        let bytes = match call(&rig.server.channel, rpc, Some(&tenant.owner), question).await {
            Ok(bytes) => {
                let mut message = Contract::decode(rpc, bytes.unwrap_or_default());
                settle(&mut message);
                message.encode_to_vec()
            }
            Err(status) => format!("{:?} {}", status.code(), status.message()).into_bytes(),
        };
        answers.insert(rpc.name.clone(), bytes);
    }
    answers
}

/// Removes what reading out changes itself: when the key was last used.
fn settle(message: &mut DynamicMessage) {
    message.clear_field_by_name("last_used_at_us");
    for (_, value) in message.fields_mut() {
        match value {
            Value::Message(inner) => settle(inner),
            Value::List(items) => items.iter_mut().filter_map(Value::as_message_mut).for_each(settle),
            _ => (),
        }
    }
}

/// Returns the RPC whose answer holds an id, if there is one.
fn tells<'a>(answers: &'a BTreeMap<String, Vec<u8>>, things: &Things) -> Option<&'a str> {
    let holds = |bytes: &[u8], id: &str| bytes.windows(id.len()).any(|window| window == id.as_bytes());
    answers.iter().find(|(_, bytes)| things.values().any(|id| holds(bytes, id))).map(|(name, _)| name.as_str())
}

async fn operations_in_one_organization_leave_every_answer_of_another_as_it_was(rig: Rig) {
    let seed = u64::from_be_bytes(runtime::random::bytes()) | 1;
    println!("seed {seed}");
    let (mut draw, contract) = (Draw(seed), Contract::read());
    let mut ours = Tenant::new(&rig, "ours").await;
    let theirs = Tenant::new(&rig, "theirs").await;
    let questions = questions(&contract, &theirs);
    let before = read_out(&rig, &theirs, &questions).await;
    let acting: Vec<_> =
        contract.rpcs().filter(|rpc| !looks(&rpc.name) && rpc.policy.admits(Principal::ApiKey)).collect();
    let mut done = 0;
    for _ in 0..OPERATIONS {
        let rpc = acting[draw.below(acting.len())];
        let foreign = draw.below(3) == 0;
        let things = if foreign { &theirs.things } else { &ours.things };
        if contract.ask(&rig.server.channel, rpc, Some(&ours.owner), things).await.is_ok() {
            done += 1;
            if draw.below(4) == 0 {
                ours.furnish(&rig).await;
            }
        }
    }
    assert!(done >= OPERATIONS / 10, "only {done} operations of seed {seed} took effect");
    let after = read_out(&rig, &theirs, &questions).await;
    for (name, answer) in &before {
        assert_eq!(answer, &after[name], "{name} of the other organization changed; seed {seed}");
    }
    assert_eq!(tells(&after, &ours.things), None, "an id of the other organization shows; seed {seed}");
    // The check can fail: an operation of its own does change what an organization reads.
    let create = contract.get("AppService/CreateApp");
    contract.ask(&rig.server.channel, create, Some(&theirs.owner), &theirs.things).await.unwrap();
    assert_ne!(read_out(&rig, &theirs, &questions).await, before);
    assert_eq!(tells(&after, &theirs.things).map(|_| ()), Some(()), "ids are found where they are");
}
