//! This file's job is to furnish organizations for tests about who may touch what.

use crate::contract::Things;
use crate::rig::{Rig, put_bundle, put_package, put_source_map, range, sha256, with};
use db::{Role, Scope};
use domain::bundle::Blob;
use proto::v1::{self, Platform};

/// An organization with one of each thing.
pub struct Tenant {
    /// All of it.
    pub scope: Scope,
    /// Its owner's key.
    pub owner: String,
    /// The ids of its things.
    pub things: Things,
}

impl Tenant {
    /// Makes an organization with one of each thing.
    pub async fn new(rig: &Rig, slug: &str) -> Self {
        let scope = rig.organization(slug).await;
        let (owner, _) = rig.key(&scope, Role::Owner).await;
        let mut tenant = Self { scope, owner, things: Things::new() };
        tenant.furnish(rig).await;
        tenant
    }

    /// Makes one more of each thing. The earlier ones stay, only an unfinished upload is given up.
    pub async fn furnish(&mut self, rig: &Rig) {
        let ask = |message| with(&self.owner, message);
        if let (Some(app), Some(upload)) = (self.things.get("apps"), self.things.get("uploads")) {
            let name = format!("apps/{app}/uploads/{upload}");
            // It may be gone.
            let _ = rig.uploads().cancel_upload(with(&self.owner, v1::CancelUploadRequest { name })).await;
        }
        let slug = format!("app-{}", hex::encode(runtime::random::bytes::<6>()));
        let app = v1::CreateAppRequest { slug, ..Default::default() };
        let app = rig.apps().create_app(ask(app)).await.unwrap().into_inner().app.unwrap();
        let channel = v1::CreateChannelRequest {
            parent: app.name.clone(),
            channel_name: "production".into(),
            ..Default::default()
        };
        let channel =
            rig.channels().create_channel(with(&self.owner, channel)).await.unwrap().into_inner().channel.unwrap();
        rig.store.put(&Blob::of(b"one"), &b"one"[..]).await.unwrap();
        let bundle = put_bundle(&rig.db, &self.scope, &app.app_id, "one").await;
        put_source_map(rig, &self.scope, &bundle, b"{}").await;
        put_package(rig, &self.scope, &bundle, b"package").await;
        let release = v1::CreateReleaseRequest {
            parent: channel.name.clone(),
            bundle: bundle.clone(),
            target: Some(range("1.x")),
            ..Default::default()
        };
        let release =
            rig.releases().create_release(with(&self.owner, release)).await.unwrap().into_inner().release.unwrap();
        let upload = v1::CreateUploadRequest {
            parent: app.name.clone(),
            platform: Platform::Ios.into(),
            archive_format: 1,
            archive_size_bytes: 5,
            archive_sha256: sha256(b"other"),
            ..Default::default()
        };
        let upload = rig.uploads().create_upload(with(&self.owner, upload)).await.unwrap().into_inner().upload.unwrap();
        let binary = v1::Binary { platform: 1, version: "1.0".into(), ..Default::default() };
        let binary = v1::CreateBinaryRequest { parent: app.name.clone(), binary: Some(binary), ..Default::default() };
        let binary =
            rig.binaries().create_binary(with(&self.owner, binary)).await.unwrap().into_inner().binary.unwrap();
        let (publisher, credential) = self.furnish_trust(rig, &app, &channel).await;
        let (webhook, delivery) = self.furnish_webhook(rig, &app).await;
        let last = |name: &str| name.rsplit('/').next().unwrap().to_owned();
        let (_, key) = rig.key(&self.scope, Role::Viewer).await;
        self.things.extend([
            ("keys", key.to_string()),
            ("organizations", self.scope.organization().to_string()),
            ("apps", app.app_id),
            ("channels", channel.channel_id),
            ("releases", last(&release.name)),
            ("bundles", last(&bundle)),
            ("uploads", last(&upload.name)),
            ("binaries", last(&binary.name)),
            ("publishers", last(&publisher)),
            ("credentials", last(&credential)),
            ("webhooks", last(&webhook)),
            ("deliveries", last(&delivery)),
        ]);
    }

    /// Makes a webhook that was told something; returns the names of both.
    async fn furnish_webhook(&self, rig: &Rig, app: &v1::App) -> (String, String) {
        let webhook = v1::CreateWebhookRequest {
            app: app.name.clone(),
            url: "https://hooks.example.com/".into(),
            ..Default::default()
        };
        let webhook = rig.webhooks().create_webhook(with(&self.owner, webhook)).await;
        let name = webhook.unwrap().into_inner().webhook.unwrap().name;
        let test = v1::TestWebhookRequest { name: name.clone() };
        let delivery = rig.webhooks().test_webhook(with(&self.owner, test)).await;
        (name, delivery.unwrap().into_inner().delivery.unwrap().name)
    }

    /// Makes a trusted publisher and a credential; returns their names.
    async fn furnish_trust(&self, rig: &Rig, app: &v1::App, channel: &v1::Channel) -> (String, String) {
        let publisher = v1::CreateTrustedPublisherRequest {
            parent: app.name.clone(),
            channel: channel.name.clone(),
            issuer: "https://gitlab.com".into(),
            repository: "acme/shop".into(),
            repository_id: "1".into(),
            owner_id: "2".into(),
            workflow: ".gitlab-ci.yml".into(),
            ..Default::default()
        };
        let publisher = rig.publishers().create_trusted_publisher(with(&self.owner, publisher)).await;
        let publisher = publisher.unwrap().into_inner().trusted_publisher.unwrap();
        let credential = v1::CreateCredentialRequest {
            parent: app.name.clone(),
            kind: "store-token".into(),
            display_name: "one".into(),
            secret: "secret".into(),
        };
        let credential = rig.credentials().create_credential(with(&self.owner, credential)).await;
        let credential = credential.unwrap().into_inner().credential.unwrap();
        (publisher.name, credential.name)
    }
}

/// Changes the last digit of every id, so that the names have the right shape and name nothing.
pub fn absent(things: &Things) -> Things {
    let change = |id: &String| format!("{}{}", &id[..id.len() - 1], if id.ends_with('0') { '1' } else { '0' });
    things.iter().map(|(word, id)| (*word, change(id))).collect()
}
