//! This file's job is to check who may call what.

use crate::on_both_databases;
use crate::rig::{EDGE_TOKEN, Rig, Shape, reason, with};
use db::Role;
use proto::policy::Policies;
use proto::v1::{self, Principal, Reason};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};

on_both_databases!(
    every_rpc_asks_for_a_credential_of_the_right_kind,
    an_rpc_without_a_policy_is_denied_to_everybody,
    roles_may_do_what_the_table_says,
    only_the_exact_key_works,
    health_and_reflection_need_no_credential,
);

/// Calls a method with an empty message, whatever it is; every field has its default.
async fn call(rig: &Rig, path: &str, credential: Option<&str>) -> Status {
    let mut client = tonic::client::Grpc::new(rig.server.channel.clone());
    client.ready().await.unwrap();
    let request = match credential {
        Some(credential) => with(credential, tokio_stream::once(v1::GetCallerRequest {})),
        None => Request::new(tokio_stream::once(v1::GetCallerRequest {})),
    };
    let codec = tonic_prost::ProstCodec::<v1::GetCallerRequest, v1::GetCallerRequest>::default();
    let path: PathAndQuery = path.parse().unwrap();
    match client.streaming(request, path, codec).await {
        Err(status) => status,
        Ok(answer) => match answer.into_inner().message().await {
            Err(status) => status,
            Ok(_) => Status::ok("answered"),
        },
    }
}

async fn every_rpc_asks_for_a_credential_of_the_right_kind(rig: Rig) {
    let policies = Policies::read(proto::FILE_DESCRIPTOR_SET).unwrap();
    let mut count = 0;
    for (path, policy) in policies.iter().filter(|(path, _)| path.starts_with("/aloft.")) {
        let policy = policy.unwrap_or_else(|| panic!("{path} has no policy"));
        count += 1;
        let anonymous = call(&rig, path, None).await;
        if policy.admits(Principal::Anonymous) {
            assert_ne!(proto::error::reason_of(&anonymous), Some(Reason::CredentialInvalid), "{path}");
            continue;
        }
        assert_eq!(anonymous.code(), Code::Unauthenticated, "{path}");
        assert_eq!(proto::error::reason_of(&anonymous), Some(Reason::CredentialInvalid), "{path}");
        for (credential, principal) in [(rig.key.as_str(), Principal::ApiKey), (EDGE_TOKEN, Principal::Edge)] {
            let refused = call(&rig, path, Some(credential)).await.code() == Code::PermissionDenied;
            assert_eq!(refused, !policy.admits(principal), "{path} for {principal:?}");
        }
    }
    assert!(count >= 40, "{count} methods were looked at");
}

async fn an_rpc_without_a_policy_is_denied_to_everybody(rig: Rig) {
    for path in ["/aloft.v1.AppService/Undeclared", "/grpc.health.v1.Health/Undeclared"] {
        for credential in [None, Some(rig.key.as_str()), Some(EDGE_TOKEN)] {
            let status = call(&rig, path, credential).await;
            assert_eq!(status.code(), Code::PermissionDenied, "{path}");
            assert_eq!(proto::error::reason_of(&status), Some(Reason::RoleInsufficient), "{path}");
        }
    }
    assert_eq!(call(&rig, "/aloft.v9.Unknown/Get", Some(&rig.key)).await.code(), Code::Unimplemented);
}

async fn roles_may_do_what_the_table_says(rig: Rig) {
    rig.app("shop").await;
    let (viewer, _) = rig.key(&rig.scope, Role::Viewer).await;
    let (developer, _) = rig.key(&rig.scope, Role::Developer).await;
    let list = || v1::ListChannelsRequest { parent: "apps/shop".into(), ..Default::default() };
    rig.channels().list_channels(with(&viewer, list())).await.unwrap();
    let binary = |version: &str| v1::CreateBinaryRequest {
        parent: "apps/shop".into(),
        binary: Some(v1::Binary { platform: 1, version: version.into(), ..Default::default() }),
        ..Default::default()
    };
    let refused = rig.binaries().create_binary(with(&viewer, binary("1.0"))).await;
    assert_eq!(reason(refused), Reason::RoleInsufficient);
    rig.binaries().create_binary(with(&developer, binary("1.0"))).await.unwrap();
    let app = || v1::CreateAppRequest { slug: "other".into(), ..Default::default() };
    assert_eq!(reason(rig.apps().create_app(with(&developer, app())).await), Reason::RoleInsufficient);
    let caller = rig.accounts().get_caller(with(&viewer, v1::GetCallerRequest {})).await.unwrap().into_inner();
    assert_eq!((caller.role.as_str(), &viewer[..16]), ("viewer", caller.credential.as_str()));
}

async fn only_the_exact_key_works(rig: Rig) {
    let ask = |credential: &str| with(credential, v1::GetCallerRequest {});
    rig.accounts().get_caller(ask(&rig.key)).await.unwrap();
    let unknown = control_plane::ApiKey::generate(domain::Environment::Live);
    let truncated = &rig.key[..rig.key.len() - 1];
    for bad in [unknown.expose(), truncated, "cp_live_", "nonsense"] {
        assert_eq!(reason(rig.accounts().get_caller(ask(bad)).await), Reason::CredentialInvalid);
    }
    // The right public part with another secret.
    let (other, _) = rig.key(&rig.scope, Role::Owner).await;
    let mixed = format!("{}_{}", &rig.key[..16], &other[17..]);
    assert_eq!(reason(rig.accounts().get_caller(ask(&mixed)).await), Reason::CredentialInvalid);
    let mut twice = ask(&rig.key);
    twice.metadata_mut().append("authorization", format!("Bearer {}", rig.key).parse().unwrap());
    assert_eq!(reason(rig.accounts().get_caller(twice).await), Reason::CredentialInvalid);
}

async fn health_and_reflection_need_no_credential(rig: Rig) {
    let mut health = tonic_health::pb::health_client::HealthClient::new(rig.server.channel.clone());
    let answer = health.check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(answer.status(), tonic_health::pb::health_check_response::ServingStatus::Serving);
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let request = tonic_reflection::pb::v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection =
        tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient::new(rig.server.channel.clone());
    let answers = reflection.server_reflection_info(tokio_stream::once(request)).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else { panic!("{answer:?}") };
    assert!(list.service.iter().any(|service| service.name == "aloft.v1.ReleaseService"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_on_after_the_database_dropped_its_connections() {
    let rig = Rig::new(Shape::Scaled).await;
    rig.app("shop").await;
    for round in 0..5 {
        rig.drop_connections();
        let slug = format!("app-{round}");
        rig.app(&slug).await;
        let list = rig.ask(v1::ListAppsRequest::default());
        assert_eq!(rig.apps().list_apps(list).await.unwrap().into_inner().apps.len(), round + 2);
    }
}
