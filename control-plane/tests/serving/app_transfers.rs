//! This file's job is to check that an app changes hands only when both organizations agree, and then with everything in it.

use crate::on_both_databases;
use crate::rig::{Rig, reason, with};
use db::{Role, Scope};
use domain::snapshot::ChannelKey;
use proto::v1::{self, Reason};

on_both_databases!(
    an_accepted_app_moves_with_everything_in_it,
    nobody_takes_what_they_are_not_offered,
    an_offer_can_be_taken_back_and_declined,
    an_app_with_a_taken_name_or_an_open_upload_stays,
);

struct World {
    rig: Rig,
    app: v1::App,
    channel: v1::Channel,
    other: Scope,
    other_key: String,
}

impl World {
    async fn new(rig: Rig) -> Self {
        let (app, channel) = rig.app("shop").await;
        let bundle = rig.bundle(&app, "content").await;
        rig.publish(&channel, &bundle).await;
        let other = rig.organization("other").await;
        let (other_key, _) = rig.key(&other, Role::Owner).await;
        Self { rig, app, channel, other, other_key }
    }

    async fn offer_to(&self, organization: &str) -> Result<v1::OfferAppResponse, tonic::Status> {
        let request = v1::OfferAppRequest { name: self.app.name.clone(), organization_id: organization.into() };
        self.rig.transfers().offer_app(self.rig.ask(request)).await.map(tonic::Response::into_inner)
    }

    async fn accept(&self, key: &str, new_slug: &str) -> Result<v1::App, tonic::Status> {
        let request = v1::AcceptAppRequest { name: self.app.name.clone(), new_slug: new_slug.into() };
        let accepted = self.rig.transfers().accept_app(with(key, request)).await?;
        Ok(accepted.into_inner().app.unwrap())
    }

    async fn offers(&self, key: &str) -> Vec<v1::AppOffer> {
        let answer = self.rig.transfers().list_offered_apps(with(key, v1::ListOfferedAppsRequest {})).await;
        answer.unwrap().into_inner().offers
    }

    async fn sees_app(&self, key: &str) -> bool {
        let request = v1::GetAppRequest { name: self.app.name.clone() };
        self.rig.apps().get_app(with(key, request)).await.is_ok()
    }
}

async fn an_accepted_app_moves_with_everything_in_it(rig: Rig) {
    let world = World::new(rig).await;
    world.offer_to(world.other.organization().as_str()).await.unwrap();
    let offers = world.offers(&world.other_key).await;
    assert_eq!((offers.len(), offers[0].slug.as_str(), &offers[0].app), (1, "shop", &world.app.name));
    assert!(world.sees_app(&world.rig.key).await && !world.sees_app(&world.other_key).await, "nothing has moved yet");
    let key = ChannelKey { app: world.app.app_id.parse().unwrap(), channel: "production".parse().unwrap() };
    let snapshot = async || {
        let key = key.clone();
        world.rig.db.read(move |conn| db::snapshots::load(conn, &key)).await.unwrap().unwrap()
    };
    let before = snapshot().await;
    let moved = world.accept(&world.other_key, "their-shop").await.unwrap();
    assert_eq!((moved.slug.as_str(), &moved.app_id), ("their-shop", &world.app.app_id));
    assert!(!world.sees_app(&world.rig.key).await && world.sees_app(&world.other_key).await);
    let after = snapshot().await;
    assert!(after.version > before.version, "edges learn of it");
    assert_eq!((&after.bundles, &after.releases), (&before.bundles, &before.releases), "devices get what they got");
    let request = v1::ListReleasesRequest { parent: world.channel.name.clone(), ..Default::default() };
    let releases = world.rig.releases().list_releases(with(&world.other_key, request)).await.unwrap().into_inner();
    assert_eq!(releases.releases.len(), 1);
    assert_eq!(world.offers(&world.other_key).await, []);
    for scope in [&world.rig.scope, &world.other] {
        let scope = scope.clone();
        let audit = world.rig.db.read(move |conn| db::audit::list(conn, &scope, None, 1)).await.unwrap();
        assert_eq!(audit[0].action, "AcceptApp", "both logs say so");
    }
}

async fn nobody_takes_what_they_are_not_offered(rig: Rig) {
    let world = World::new(rig).await;
    assert_eq!(reason(world.accept(&world.other_key, "").await), Reason::NotFound);
    let third = world.rig.organization("third").await;
    let (third_key, _) = world.rig.key(&third, Role::Owner).await;
    let (developer, _) = world.rig.key(&world.other, Role::Developer).await;
    world.offer_to(world.other.organization().as_str()).await.unwrap();
    assert_eq!(reason(world.accept(&third_key, "").await), Reason::NotFound);
    assert_eq!(world.offers(&third_key).await, []);
    assert_eq!(reason(world.accept(&developer, "").await), Reason::RoleInsufficient);
    let own = world.offer_to(world.rig.scope.organization().as_str()).await;
    assert_eq!(reason(own), Reason::InvalidField);
    assert!(world.offer_to("org_00000000000000000000000000").await.is_ok(), "nobody learns who there is");
    assert_eq!(reason(world.accept(&world.other_key, "").await), Reason::NotFound, "the newer offer counts");
    assert!(world.sees_app(&world.rig.key).await);
}

async fn an_offer_can_be_taken_back_and_declined(rig: Rig) {
    let world = World::new(rig).await;
    let other = world.other.organization().to_string();
    let name = || world.app.name.clone();
    world.offer_to(&other).await.unwrap();
    let withdraw = || world.rig.ask(v1::WithdrawAppRequest { name: name() });
    world.rig.transfers().withdraw_app(withdraw()).await.unwrap();
    assert_eq!(reason(world.rig.transfers().withdraw_app(withdraw()).await), Reason::NotFound);
    assert_eq!(reason(world.accept(&world.other_key, "").await), Reason::NotFound);
    world.offer_to(&other).await.unwrap();
    let decline = || with(&world.other_key, v1::DeclineAppRequest { name: name() });
    world.rig.transfers().decline_app(decline()).await.unwrap();
    assert_eq!(reason(world.rig.transfers().decline_app(decline()).await), Reason::NotFound);
    assert!(world.sees_app(&world.rig.key).await);
}

async fn an_app_with_a_taken_name_or_an_open_upload_stays(rig: Rig) {
    let world = World::new(rig).await;
    world.offer_to(world.other.organization().as_str()).await.unwrap();
    let twin = v1::CreateAppRequest { slug: "shop".into(), ..Default::default() };
    world.rig.apps().create_app(with(&world.other_key, twin)).await.unwrap();
    assert_eq!(reason(world.accept(&world.other_key, "").await), Reason::AlreadyExists);
    let upload = v1::CreateUploadRequest {
        parent: world.app.name.clone(),
        platform: 1,
        archive_format: 1,
        archive_size_bytes: 5,
        archive_sha256: crate::rig::sha256(b"other"),
        ..Default::default()
    };
    let upload = world.rig.uploads().create_upload(world.rig.ask(upload)).await.unwrap().into_inner().upload.unwrap();
    let refused = world.accept(&world.other_key, "shop-2").await;
    assert_eq!(reason(refused), Reason::InUse);
    assert!(world.sees_app(&world.rig.key).await, "nothing has moved");
    let cancel = v1::CancelUploadRequest { name: upload.name };
    world.rig.uploads().cancel_upload(world.rig.ask(cancel)).await.unwrap();
    assert!(world.accept(&world.other_key, "shop-2").await.is_ok(), "the offer still stands");
}
