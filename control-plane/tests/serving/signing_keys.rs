//! This file's job is to check that an app's key that is kept here signs what that app's Expo clients are told, and nothing else.

use crate::expo::{publish, request, runtime, told};
use crate::on_both_databases;
use crate::rig::{Rig, config, reason, serve_with, with};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use db::Role;
use proto::v1::roll_back_channel_request::To;
use proto::v1::{self, Platform, Reason};
use ring::rsa::KeyPair;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use runtime::clock::Clock;
use runtime::secret::Secret;

on_both_databases!(
    a_key_that_is_kept_here_signs_whatever_is_published,
    only_one_rsa_key_in_pem_is_taken,
    certificates_come_with_the_key_that_they_belong_to,
    a_key_signs_for_its_own_app_and_for_real_devices_only,
    another_key_takes_its_place_and_none_signs_when_it_is_gone,
    nothing_is_published_when_the_key_cannot_be_opened,
);

/// RSA keys of 2048 bits, PKCS #1; they open nothing anywhere.
const KEYS: [&[u8]; 2] = [include_bytes!("issuer-1.der"), include_bytes!("issuer-2.der")];

/// A certificate of the first key, which the second one has signed.
const CERTIFICATE: &str = include_str!("issuer-1.pem");

fn pem(der: &[u8]) -> String {
    let lines = STANDARD
        .encode(der)
        .as_bytes()
        .chunks(64)
        .map(|line| format!("{}\n", String::from_utf8_lossy(line)))
        .collect::<String>();
    format!("-----BEGIN RSA PRIVATE KEY-----\n{lines}-----END RSA PRIVATE KEY-----\n")
}

fn signing_key(app: &v1::App, der: &[u8]) -> v1::CreateCredentialRequest {
    v1::CreateCredentialRequest {
        parent: app.name.clone(),
        kind: "signing-key".into(),
        display_name: "main".into(),
        secret: pem(der).into(),
    }
}

async fn keep(rig: &Rig, app: &v1::App, der: &[u8]) -> v1::Credential {
    let request = rig.ask(signing_key(app, der));
    rig.credentials().create_credential(request).await.unwrap().into_inner().credential.unwrap()
}

/// Says which of the keys signed what clients are told of the release; none when nobody did.
async fn signer(rig: &Rig, release: &v1::Release) -> Option<usize> {
    let (update, _) = told(rig, release).await;
    if update.signature.is_empty() {
        return None;
    }
    let inner = update.signature.strip_prefix("sig=\"").unwrap();
    let text = inner.strip_suffix("\", keyid=\"main\", alg=\"rsa-v1_5-sha256\"").unwrap();
    let signature = STANDARD.decode(text).unwrap();
    let fits = |der: &&[u8]| {
        let key = KeyPair::from_der(der).unwrap();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public());
        key.verify(update.body.as_bytes(), &signature).is_ok()
    };
    Some(KEYS.iter().position(fits).expect("one of the keys made the signature"))
}

async fn a_key_that_is_kept_here_signs_whatever_is_published(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let staging = rig.channel_of(&app, "staging").await;
    let before = publish(&rig, request(&rig, &app, &channel).await).await;
    keep(&rig, &app, KEYS[0]).await;
    assert_eq!(signer(&rig, &before).await, None, "what was published before stays as it was");
    let published = publish(&rig, request(&rig, &app, &channel).await).await;
    assert!(published.enabled);
    assert_eq!(signer(&rig, &published).await, Some(0));
    let promote = v1::PromoteReleaseRequest {
        name: before.name.clone(),
        to_channel: staging.name.clone(),
        target: runtime("2"),
        ..Default::default()
    };
    let promoted = rig.releases().promote_release(rig.ask(promote)).await.unwrap().into_inner().release.unwrap();
    assert_eq!(signer(&rig, &promoted).await, Some(0));
    for to in [None, Some(To::Embedded(true))] {
        let platform = Platform::Android.into();
        let back = v1::RollBackChannelRequest { name: channel.name.clone(), platform, to, ..Default::default() };
        let back = rig.releases().roll_back_channel(rig.ask(back)).await.unwrap().into_inner().release.unwrap();
        assert_eq!(signer(&rig, &back).await, Some(0));
    }
    // Who signs with a key of their own has the last word.
    let sign =
        v1::SignExpoUpdateRequest { name: published.name.clone(), signature: vec![1].into(), ..Default::default() };
    rig.releases().sign_expo_update(rig.ask(sign)).await.unwrap();
    assert!(told(&rig, &published).await.0.signature.starts_with("sig=\"AQ==\""));
}

async fn only_one_rsa_key_in_pem_is_taken(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let good = signing_key(&app, KEYS[0]);
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let secrets = [
        "x".to_owned(),
        pem(b"no key"),
        format!("{}{certificate}", pem(KEYS[0])),
        format!("{}{}", pem(KEYS[0]), pem(KEYS[1])),
        STANDARD.encode(KEYS[0]),
    ];
    let bad_secrets = secrets.map(|secret| v1::CreateCredentialRequest { secret: secret.into(), ..good.clone() });
    let bad_names = ["a b", "a\"", &"x".repeat(65)].map(str::to_owned);
    let bad_names = bad_names.map(|display_name| v1::CreateCredentialRequest { display_name, ..good.clone() });
    for bad in bad_secrets.into_iter().chain(bad_names) {
        assert_eq!(reason(rig.credentials().create_credential(rig.ask(bad)).await), Reason::InvalidField);
    }
    let kept = keep(&rig, &app, KEYS[0]).await;
    let second = v1::CreateCredentialRequest { display_name: "second".into(), ..good };
    assert_eq!(reason(rig.credentials().create_credential(rig.ask(second)).await), Reason::AlreadyExists);
    let replace = v1::ReplaceCredentialRequest { name: kept.name, secret: "x".into() };
    assert_eq!(reason(rig.credentials().replace_credential(rig.ask(replace)).await), Reason::InvalidField);
}

async fn certificates_come_with_the_key_that_they_belong_to(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let with = |secret: String| v1::CreateCredentialRequest { secret: secret.into(), ..signing_key(&app, KEYS[0]) };
    let bad = [
        format!("{}{CERTIFICATE}", pem(KEYS[1])),
        format!("{CERTIFICATE}{}", pem(KEYS[0])),
        format!("{}{CERTIFICATE}{}", pem(KEYS[0]), pem(KEYS[0])),
        format!("{}{CERTIFICATE}\u{e9}", pem(KEYS[0])),
        format!("{}{}", pem(KEYS[0]), CERTIFICATE.replace("MII", "AII")),
        format!("{}{}", pem(KEYS[0]), CERTIFICATE.repeat(10)),
    ];
    for secret in bad {
        let create = rig.ask(with(secret.clone()));
        assert_eq!(reason(rig.credentials().create_credential(create).await), Reason::InvalidField, "{secret}");
    }
    let chain = CERTIFICATE.repeat(2);
    let create = rig.ask(with(format!("{}{chain}", pem(KEYS[0]))));
    let kept = rig.credentials().create_credential(create).await.unwrap().into_inner().credential.unwrap();
    let first = publish(&rig, request(&rig, &app, &channel).await).await;
    assert_eq!(signer(&rig, &first).await, Some(0));
    assert_eq!(told(&rig, &first).await.0.certificate_chain, chain);
    let replace = v1::ReplaceCredentialRequest { name: kept.name, secret: pem(KEYS[1]).into() };
    rig.credentials().replace_credential(rig.ask(replace)).await.unwrap();
    let second = publish(&rig, request(&rig, &app, &channel).await).await;
    assert_eq!(told(&rig, &second).await.0.certificate_chain, "", "the certificates went with their key");
}

async fn a_key_signs_for_its_own_app_and_for_real_devices_only(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    keep(&rig, &app, KEYS[0]).await;
    let (other, its_channel) = rig.app("other").await;
    let unsigned = publish(&rig, request(&rig, &other, &its_channel).await).await;
    assert_eq!(signer(&rig, &unsigned).await, None);
    let (trial, _) = rig.issue(&rig.scope, domain::Environment::Test, &|_| ()).await;
    let make =
        v1::CreateChannelRequest { parent: app.name.clone(), channel_name: "trial".into(), ..Default::default() };
    let made = rig.channels().create_channel(with(&trial, make)).await.unwrap().into_inner().channel.unwrap();
    let unsigned = with(&trial, request(&rig, &app, &made).await);
    let unsigned = rig.releases().create_release(unsigned).await.unwrap().into_inner().release.unwrap();
    let get = v1::GetExpoUpdateRequest { name: unsigned.name };
    let update = rig.releases().get_expo_update(with(&trial, get)).await.unwrap().into_inner();
    assert_eq!(update.signature, "", "tests get nothing that real devices believe");
    // A stranger neither sees the key nor has anything signed with it.
    let twin = rig.organization("twin").await;
    let (stranger, _) = rig.key(&twin, Role::Owner).await;
    let list = v1::ListCredentialsRequest { parent: app.name.clone() };
    assert_eq!(reason(rig.credentials().list_credentials(with(&stranger, list)).await), Reason::NotFound);
    let theirs = with(&stranger, request(&rig, &app, &channel).await);
    assert_eq!(reason(rig.releases().create_release(theirs).await), Reason::NotFound);
    // Publishing is enough to have something signed, but not to touch the key.
    let (developer, _) = rig.key(&rig.scope, Role::Developer).await;
    let signed = with(&developer, request(&rig, &app, &channel).await);
    let signed = rig.releases().create_release(signed).await.unwrap().into_inner().release.unwrap();
    assert_eq!(signer(&rig, &signed).await, Some(0));
    let set = with(&developer, signing_key(&other, KEYS[1]));
    assert_eq!(reason(rig.credentials().create_credential(set).await), Reason::RoleInsufficient);
}

async fn another_key_takes_its_place_and_none_signs_when_it_is_gone(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let kept = keep(&rig, &app, KEYS[0]).await;
    let first = publish(&rig, request(&rig, &app, &channel).await).await;
    let replace = v1::ReplaceCredentialRequest { name: kept.name.clone(), secret: pem(KEYS[1]).into() };
    rig.credentials().replace_credential(rig.ask(replace)).await.unwrap();
    let second = publish(&rig, request(&rig, &app, &channel).await).await;
    assert_eq!((signer(&rig, &first).await, signer(&rig, &second).await), (Some(0), Some(1)));
    rig.credentials().delete_credential(rig.ask(v1::DeleteCredentialRequest { name: kept.name })).await.unwrap();
    let third = publish(&rig, request(&rig, &app, &channel).await).await;
    assert_eq!((signer(&rig, &second).await, signer(&rig, &third).await), (Some(1), None));
}

async fn nothing_is_published_when_the_key_cannot_be_opened(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let kept = keep(&rig, &app, KEYS[0]).await;
    publish(&rig, request(&rig, &app, &channel).await).await;
    // API keys are checked with the pepper, too: so it is the master key that is lost here.
    let configured =
        control_plane::Config { master_keys: vec![Secret::from(format!("a:{}", "a".repeat(64)))], ..config() };
    let (server, _) = serve_with(&rig.db, &rig.store, Clock::system(), configured).await;
    let rig = rig.served_by(server);
    let replace = v1::ReplaceCredentialRequest { name: kept.name.clone(), secret: pem(KEYS[0]).into() };
    rig.credentials().replace_credential(rig.ask(replace.clone())).await.unwrap();
    let (server, _) = serve_with(&rig.db, &rig.store, Clock::system(), config()).await;
    let rig = rig.served_by(server);
    let count = async || {
        let list = v1::ListReleasesRequest { parent: channel.name.clone(), ..Default::default() };
        rig.releases().list_releases(rig.ask(list)).await.unwrap().into_inner().releases.len()
    };
    let request = request(&rig, &app, &channel).await;
    assert_eq!(reason(rig.releases().create_release(rig.ask(request.clone())).await), Reason::SigningKeyLost);
    let platform = Platform::Android.into();
    let to = Some(To::Embedded(true));
    let back = v1::RollBackChannelRequest { name: channel.name.clone(), platform, to, ..Default::default() };
    assert_eq!(reason(rig.releases().roll_back_channel(rig.ask(back)).await), Reason::SigningKeyLost);
    assert_eq!(count().await, 1, "what cannot be signed is not made");
    // Other clients are not concerned, and a key that is stored anew mends it.
    rig.publish(&channel, &request.bundle).await;
    rig.credentials().replace_credential(rig.ask(replace)).await.unwrap();
    let signed = publish(&rig, request).await;
    assert_eq!(signer(&rig, &signed).await, Some(0));
}
