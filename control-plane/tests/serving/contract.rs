//! This file's job is to call any RPC of the contract with a request that its descriptors and comments tell how to fill.
//!
//! A text field whose comment quotes a name such as "apps/{app}/channels/{channel}" gets the name of one of the given things; other
//! fields get a value by their name. So a new RPC is called sensibly without a line here, as long as its comments name its things.

use bytes::{Buf as _, BufMut as _, Bytes};
use prost::Message as _;
use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value,
};
use proto::policy::Policies;
use proto::v1::Policy;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Request, Status};

/// How long a stream that was let in may take to say something. Only bounds streams that have nothing to say.
const FIRST_WORD: Duration = Duration::from_secs(3);
/// Messages in messages.
const DEPTH_MAX: usize = 4;

/// The ids of one organization's things, by the word that stands before them in names: `apps`, `channels` …
pub type Things = BTreeMap<&'static str, String>;

/// All RPCs of ours.
pub struct Contract {
    rpcs: Vec<Rpc>,
    comments: HashMap<(String, Vec<i32>), String>,
    count: AtomicU64,
}

/// One RPC.
pub struct Rpc {
    /// For instance `/aloft.v1.AppService/GetApp`.
    pub path: String,
    /// For instance `AppService/GetApp`.
    pub name: String,
    /// Who may call it.
    pub policy: Policy,
    method: MethodDescriptor,
}

impl Rpc {
    /// Says whether the client sends a stream.
    pub fn is_client_stream(&self) -> bool {
        self.method.is_client_streaming()
    }

    /// Says whether the request asks for a page of a list.
    pub fn is_list(&self) -> bool {
        self.method.input().get_field_by_name("page_token").is_some()
    }
}

/// How a call ended: the bytes of the first answer, nothing when a stream ended or stayed silent, or the refusal.
pub type Answer = Result<Option<Bytes>, Status>;

impl Contract {
    pub fn read() -> Self {
        let pool = DescriptorPool::decode(proto::FILE_DESCRIPTOR_SET).unwrap();
        let policies = Policies::read(proto::FILE_DESCRIPTOR_SET).unwrap();
        let mut comments = HashMap::new();
        for file in pool.files() {
            for location in file.file_descriptor_proto().source_code_info.iter().flat_map(|info| &info.location) {
                let text = location.leading_comments().to_owned();
                comments.insert((file.name().to_owned(), location.path.clone()), text);
            }
        }
        let mut rpcs = Vec::new();
        for service in pool.services().filter(|service| service.full_name().starts_with("aloft.")) {
            for method in service.methods() {
                let path = format!("/{}/{}", service.full_name(), method.name());
                let policy = policies.get(&path).unwrap_or_else(|| panic!("{path} declares no policy")).clone();
                rpcs.push(Rpc { name: format!("{}/{}", service.name(), method.name()), path, policy, method });
            }
        }
        rpcs.sort_by(|a, b| a.path.cmp(&b.path));
        Self { rpcs, comments, count: AtomicU64::new(0) }
    }

    pub fn rpcs(&self) -> impl Iterator<Item = &Rpc> {
        self.rpcs.iter()
    }

    pub fn get(&self, name: &str) -> &Rpc {
        self.rpcs.iter().find(|rpc| rpc.name == name).unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// Fills a request that names these things.
    pub fn request(&self, rpc: &Rpc, things: &Things) -> DynamicMessage {
        self.fill(&rpc.method.input(), things, DEPTH_MAX)
    }

    /// Says whether the request names a thing of this kind.
    pub fn mentions(&self, rpc: &Rpc, word: &str) -> bool {
        self.mentioned(&rpc.method.input(), word, DEPTH_MAX)
    }

    fn mentioned(&self, descriptor: &MessageDescriptor, word: &str, depth: usize) -> bool {
        let part = format!("{word}/{{");
        descriptor.fields().any(|field| match field.kind() {
            Kind::String => named(self.comment(&field)).is_some_and(|pattern| pattern.contains(&part)),
            Kind::Message(kind) => depth > 0 && self.mentioned(&kind, word, depth - 1),
            _ => false,
        })
    }

    /// Calls an RPC with a filled request.
    pub async fn ask(&self, channel: &Channel, rpc: &Rpc, credential: Option<&str>, things: &Things) -> Answer {
        call(channel, rpc, credential, &self.request(rpc, things)).await
    }

    /// Reads an answer.
    pub fn decode(rpc: &Rpc, bytes: Bytes) -> DynamicMessage {
        DynamicMessage::decode(rpc.method.output(), bytes).unwrap()
    }

    fn fill(&self, descriptor: &MessageDescriptor, things: &Things, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        for field in descriptor.fields() {
            let first_of_choice = field.containing_oneof().is_none_or(|choice| {
                choice.is_synthetic() || choice.fields().next().is_some_and(|first| first.number() == field.number())
            });
            if first_of_choice && let Some(value) = self.value(&field, things, depth) {
                message.set_field(&field, value);
            }
        }
        message
    }

    fn value(&self, field: &FieldDescriptor, things: &Things, depth: usize) -> Option<Value> {
        let comment = self.comment(field);
        if field.cardinality() == Cardinality::Repeated {
            // What is watched is the one list that names what must not be foreign.
            let is_list_of_names = field.name() == "topics";
            let name = named(comment).filter(|_| is_list_of_names).map(|pattern| expand(pattern, things));
            return name.map(|name| Value::List(vec![Value::String(name)]));
        }
        match field.kind() {
            Kind::String => match named(comment).map(|pattern| expand(pattern, things)) {
                Some(name) => Some(Value::String(name)),
                None => self.text(field).map(Value::String),
            },
            Kind::Bytes if field.name().contains("sha256") || comment.contains("32 bytes") => {
                Some(Value::Bytes(crate::rig::sha256(b"bytes")))
            }
            Kind::Bytes => Some(Value::Bytes("x".into())),
            Kind::Enum(kind) => {
                kind.values().map(|value| value.number()).find(|number| *number != 0).map(Value::EnumNumber)
            }
            Kind::Message(kind) if kind.full_name() == "google.protobuf.FieldMask" => {
                let mask = prost_types::FieldMask { paths: vec![quoted(comment).next()?.to_owned()] };
                let mut message = DynamicMessage::new(kind);
                message.transcode_from(&mask).unwrap();
                Some(Value::Message(message))
            }
            // It goes with a runtime version and with the files of one bundle only.
            Kind::Message(kind) if kind.name() == "ExpoPublication" => None,
            Kind::Message(kind) if depth > 0 && !kind.full_name().starts_with("google.") => {
                Some(Value::Message(self.fill(&kind, things, depth - 1)))
            }
            Kind::Uint64 if field.name() == "archive_size_bytes" => Some(Value::U64(5)),
            Kind::Uint32 if field.name() == "share_ppm" => Some(Value::U32(500_000)),
            _ => None,
        }
    }

    /// Values of text fields that name nothing.
    fn text(&self, field: &FieldDescriptor) -> Option<String> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        match field.name() {
            "slug" | "channel_name" | "device" => Some(format!("fresh-{number}")),
            "deployment_key" => Some(format!("deployment-key-{number}")),
            "device_id" => Some(format!("dev_{}", "0".repeat(26))),
            "embedded_update_id" => Some("00000000-0000-4000-8000-000000000001".to_owned()),
            "version" => Some(format!("1.0.{number}")),
            "release" => Some("v1".to_owned()),
            "binary_range" => Some("1.x".to_owned()),
            "runtime_version" => Some("1".to_owned()),
            "display_name" | "notes" | "reason" => Some(format!("text {number}")),
            "email" => Some(format!("person-{number}@example.com")),
            "role" => Some("viewer".to_owned()),
            "url" => Some("https://hooks.example.com/aloft".to_owned()),
            "password" | "current_password" | "new_password" => Some("correct horse battery".to_owned()),
            "token" => Some(format!("forged-{number}")),
            "person_id" => Some(format!("usr_{}", "0".repeat(26))),
            "organization_id" => Some(format!("org_{}", "0".repeat(26))),
            "session_id" => Some(format!("ses_{}", "0".repeat(26))),
            "invitation_id" => Some(format!("inv_{}", "0".repeat(26))),
            "plan" => Some("pro".to_owned()),
            "issuer" => Some("https://gitlab.com".to_owned()),
            "repository" => Some("acme/shop".to_owned()),
            "repository_id" | "owner_id" => Some("74".to_owned()),
            "workflow" => Some("release.yml".to_owned()),
            // Jobs have kinds, too: none stands for all of them.
            "kind" if field.full_name().contains("Credential") => Some("store-token".to_owned()),
            "compiler" => Some("hermesc 1.0.0".to_owned()),
            "path" => Some("index.bundle".to_owned()),
            "job_id" => Some("job_00000000000000000000000000".to_owned()),
            _ => None,
        }
    }

    fn comment(&self, field: &FieldDescriptor) -> &str {
        let place = (field.parent_file().name().to_owned(), field.path().to_vec());
        self.comments.get(&place).map_or("", String::as_str)
    }
}

fn quoted(comment: &str) -> impl Iterator<Item = &str> {
    comment.split('"').skip(1).step_by(2)
}

/// Returns the first quoted resource name of a comment.
fn named(comment: &str) -> Option<&str> {
    quoted(comment).find(|text| text.contains("/{"))
}

/// Puts ids into `apps/{app}/channels/{channel}`. A thing that there is none of gets a word that nothing is called.
fn expand(pattern: &str, things: &Things) -> String {
    let mut parts: Vec<&str> = pattern.split('/').collect();
    for index in 1..parts.len() {
        if parts[index].starts_with('{') {
            parts[index] = things.get(parts[index - 1]).map_or("nothing", String::as_str);
        }
    }
    parts.join("/")
}

/// Calls an RPC, whatever kind of stream it is, with one message.
pub async fn call(channel: &Channel, rpc: &Rpc, credential: Option<&str>, message: &DynamicMessage) -> Answer {
    call_with(channel, rpc, credential, Bytes::from(message.encode_to_vec())).await
}

/// Calls an RPC with one message of these bytes.
pub async fn call_with(channel: &Channel, rpc: &Rpc, credential: Option<&str>, message: Bytes) -> Answer {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let messages = tokio_stream::once(message);
    let request = match credential {
        Some(credential) => crate::rig::with(credential, messages),
        None => Request::new(messages),
    };
    let mut answers = client.streaming(request, rpc.path.parse().unwrap(), Plain).await?.into_inner();
    match tokio::time::timeout(FIRST_WORD, answers.message()).await {
        Ok(answer) => answer,
        Err(_) => Ok(None),
    }
}

/// Messages as their bytes.
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put(item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(source.copy_to_bytes(source.remaining())))
    }
}
