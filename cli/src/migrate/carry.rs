//! This file's job is to carry an app over: to find what is missing here, and to make it.

use super::package;
use super::report::{self, State};
use super::server::{App, Deployment, Package, Server};
use crate::connection::Connection;
use crate::error::Error;
use crate::platform::AnyPlatform;
use crate::{paging, platform, retry, upload};
use domain::codepush::{platform_of_name, short_name};
use domain::{Platform, Ppm, Sha256};
use proto::v1;
use std::collections::BTreeMap;
use tonic::Code;

/// Parts per million in a percent.
const PPM_PER_PERCENT: u32 = Ppm::ALL.get() / 100;
/// Workers need seconds for a package; this is for a long queue.
const PROCESSING_MAX_S: u64 = 600;

/// What carries apps from a server to another one.
pub struct Carrier<'a> {
    /// From where.
    pub server: &'a Server,
    /// To where.
    pub connection: &'a Connection,
    /// Whether anything is changed.
    pub apply: bool,
}

/// A channel to which releases are carried.
struct Place {
    app: String,
    channel: String,
    platform: Platform,
    /// What is there, by number.
    releases: BTreeMap<u64, v1::Release>,
}

/// The app's bundles that are there, by the hash that their packages have on the old server.
type Bundles = BTreeMap<String, String>;

impl Carrier<'_> {
    /// Carries an app over.
    pub async fn app(&mut self, app: &App, platform: Option<Platform>) -> Result<report::App, Error> {
        let platform = platform.or_else(|| platform_of_name(&app.name)).ok_or_else(|| {
            let name = &app.name;
            Error::Usage(format!(
                "nothing says what {name:?} runs on: carry it over with --only {name} --platform ios or android"
            ))
        })?;
        let slug = short_name(&app.name);
        let (state, name) = self.make_app(app, &slug).await?;
        let mut deployments = Vec::new();
        let mut bundles = Bundles::new();
        for deployment in self.server.deployments(app).await? {
            let history = self.server.history(app, &deployment).await?;
            deployments.push(self.deployment((&name, platform), &deployment, &history, &mut bundles).await?);
        }
        Ok(report::App { name: app.name.clone(), slug, platform: platform.as_str(), state, deployments })
    }

    async fn make_app(&self, app: &App, slug: &str) -> Result<(State, String), Error> {
        let name = format!("apps/{slug}");
        let request = v1::GetAppRequest { name: name.clone() };
        if found(self.connection.answer(self.connection.apps().get_app(request).await))?.is_some() {
            return Ok((State::There, name));
        }
        if self.apply {
            let (slug, display_name) = (slug.to_owned(), app.name.clone());
            let request = v1::CreateAppRequest { slug, display_name, request_id: String::new() };
            self.connection.answer(self.connection.apps().create_app(request).await)?;
        }
        Ok((State::of_new(self.apply), name))
    }

    async fn deployment(
        &self,
        (app, platform): (&str, Platform),
        deployment: &Deployment,
        history: &[Package],
        bundles: &mut Bundles,
    ) -> Result<report::Deployment, Error> {
        let channel_name = short_name(&deployment.name);
        let channel = format!("{app}/channels/{channel_name}");
        let state = self.make_channel(app, &channel_name, &channel).await?;
        let is_there = self.apply || state == State::There;
        let key_state = self.make_key(&channel, is_there, deployment, platform).await?;
        let releases = if is_there { paging::releases(self.connection, &channel).await? } else { Vec::new() };
        for release in &releases {
            if let Some(package) = &release.codepush_package {
                bundles.insert(hex::encode(&package.hash), release.bundle.clone());
            }
        }
        let releases = releases.into_iter().map(|release| (release.seq, release)).collect();
        let place = Place { app: app.to_owned(), channel, platform, releases };
        let mut carried = Vec::new();
        for package in history {
            carried.push(self.release(&place, package, bundles).await?);
        }
        let (name, key) = (deployment.name.clone(), deployment.key.clone());
        Ok(report::Deployment { name, channel: channel_name, state, key, key_state, releases: carried })
    }

    async fn make_channel(&self, app: &str, channel_name: &str, channel: &str) -> Result<State, Error> {
        let request = v1::GetChannelRequest { name: channel.to_owned() };
        if found(self.connection.answer(self.connection.channels().get_channel(request).await))?.is_some() {
            return Ok(State::There);
        }
        if self.apply {
            let (parent, channel_name) = (app.to_owned(), channel_name.to_owned());
            let request = v1::CreateChannelRequest { parent, channel_name, ..Default::default() };
            self.connection.answer(self.connection.channels().create_channel(request).await)?;
        }
        Ok(State::of_new(self.apply))
    }

    /// Takes the key over. Before the releases, so that each of them is packed when it is made.
    async fn make_key(
        &self,
        channel: &str,
        is_there: bool,
        deployment: &Deployment,
        platform: Platform,
    ) -> Result<State, Error> {
        if is_there {
            let request = v1::ListDeploymentKeysRequest { parent: channel.to_owned() };
            let keys = self.connection.answer(self.connection.deployment_keys().list_deployment_keys(request).await)?;
            if keys.deployment_keys.iter().any(|key| key.key == deployment.key) {
                return Ok(State::There);
            }
        }
        if self.apply {
            let request = v1::CreateDeploymentKeyRequest {
                parent: channel.to_owned(),
                platform: platform::wire(platform).into(),
                deployment_key: deployment.key.clone(),
                request_id: String::new(),
            };
            self.connection.answer(self.connection.deployment_keys().create_deployment_key(request).await)?;
        }
        Ok(State::of_new(self.apply))
    }

    /// Carries a release over. What is wrong with one is noted, and the others go on; what is wrong with a server ends the command.
    async fn release(&self, place: &Place, package: &Package, bundles: &mut Bundles) -> Result<report::Release, Error> {
        let outcome = match self.stands(place, package) {
            Ok(State::There) => Ok((State::There, String::new())),
            Ok(_) if !self.apply => Ok((State::ToDo, String::new())),
            Ok(_) => self.make_release(place, package, bundles).await.map(|note| (State::Done, note)),
            Err(error) => Err(error),
        };
        let (state, note) = match outcome {
            Err(error) if is_own_fault(&error) => (State::Failed, error.to_string()),
            outcome => outcome?,
        };
        Ok(report::Release {
            label: package.label.clone(),
            binary_range: package.app_version.clone(),
            package_hash: package.package_hash.clone(),
            state,
            note,
        })
    }

    fn stands(&self, place: &Place, package: &Package) -> Result<State, Error> {
        let seq = package.seq().ok_or_else(|| Error::Content("it has no label".to_owned()))?;
        if place.releases.contains_key(&seq) {
            return Ok(State::There);
        }
        match place.releases.last_key_value() {
            Some((newest, _)) if *newest > seq => {
                Err(Error::Content(format!("the channel has v{newest} already, and numbers are given out in order")))
            }
            _ => Ok(State::ToDo),
        }
    }

    /// Makes the release. Returns what is otherwise than there.
    async fn make_release(&self, place: &Place, package: &Package, bundles: &mut Bundles) -> Result<String, Error> {
        let (bundle, note) = match bundles.get(&package.package_hash) {
            Some(bundle) => (bundle.clone(), String::new()),
            None => self.make_bundle(place, package).await?,
        };
        let request = release_request(place, package, &bundle);
        let made = retry::repeat(|| async {
            self.connection.answer(self.connection.releases().create_release(request.clone()).await)
        });
        made.await?;
        bundles.insert(package.package_hash.clone(), bundle);
        Ok(note)
    }

    /// Brings the package over. Returns the bundle's name, and what is otherwise than there.
    async fn make_bundle(&self, place: &Place, package: &Package) -> Result<(String, String), Error> {
        let spinner = self.connection.progress.waiting("downloading");
        let file = retry::repeat(|| self.server.download(package)).await?;
        spinner.finish_and_clear();
        let checked = package::check(file.path(), &package.package_hash, place.platform).await?;
        let options = upload::Options {
            platform: None::<AnyPlatform>,
            source_map: None,
            no_source_map: true,
            wait: PROCESSING_MAX_S,
            watch: false,
            limit_rate: None,
        };
        let uploaded = upload::upload(self.connection, &place.app, checked.found, &options).await?;
        let bundle = uploaded.bundle.ok_or_else(|| Error::missing("the bundle"))?;
        let same = checked.hash.to_hex() == package.package_hash.to_ascii_lowercase();
        let note = if same { "" } else { "its hash is another one here: devices that run it download it once more" };
        Ok((bundle, note.to_owned()))
    }
}

fn release_request(place: &Place, package: &Package, bundle: &str) -> v1::CreateReleaseRequest {
    let rule = v1::target::Rule::BinaryRange(package.app_version.clone());
    let share = package.rollout.unwrap_or(100).min(100) * PPM_PER_PERCENT;
    // Whoever repeats the command after a lost answer gets the release that was made.
    let id = Sha256::of(format!("{} {} {bundle}", place.channel, package.label).as_bytes()).to_hex();
    v1::CreateReleaseRequest {
        parent: place.channel.clone(),
        bundle: bundle.to_owned(),
        target: Some(v1::Target { rule: Some(rule) }),
        mandatory: package.is_mandatory.unwrap_or(false),
        notes: package.description.clone().unwrap_or_default(),
        share_ppm: Some(share),
        // What was taken back there, devices left there.
        retreat: v1::Retreat::NextColdStart.into(),
        disabled: package.is_disabled.unwrap_or(false),
        seq: package.seq().unwrap_or_default(),
        request_id: id,
        ..Default::default()
    }
}

/// Tells an absent thing from a failure.
fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Err(Error::Refused(refusal)) if refusal.code == Code::NotFound => Ok(None),
        answer => answer.map(Some),
    }
}

/// Says whether something is wrong with one release, and not with a server or the way there.
fn is_own_fault(error: &Error) -> bool {
    match error {
        Error::Content(_) | Error::UploadFailed { .. } => true,
        Error::Refused(refusal) => {
            matches!(refusal.code, Code::InvalidArgument | Code::FailedPrecondition | Code::AlreadyExists)
        }
        Error::Usage(_)
        | Error::NotLoggedIn
        | Error::Settings { .. }
        | Error::File { .. }
        | Error::Unreachable { .. }
        | Error::ProcessingTimeout { .. }
        | Error::AuditBroken(_)
        | Error::Answer(_) => false,
    }
}
