//! This file's job is `aloft promote`: publish a release's bundle in another channel of the app.

use crate::channel_address::ChannelAddress;
use crate::connection::{Connection, request_id};
use crate::error::Error;
use crate::expo::Signing;
use crate::platform::OnePlatform;
use crate::release::Target;
use crate::releases::Notes;
use crate::report::AnyReport;
use crate::{names, percent, releases, view};
use domain::Ppm;
use proto::v1;

/// Publishes a release's bundle in another channel of the app.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  aloft promote --app trailhead --channel staging --to production --rollout 10%")]
pub struct Arguments {
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub address: ChannelAddress,
    /// The channel that gets it.
    #[arg(long, value_name = "CHANNEL")]
    pub to: String,
    /// The release: its label such as v4, or its id. Without it: the newest enabled release of each platform.
    #[arg(long)]
    pub release: Option<String>,
    /// Only the newest enabled release of this platform.
    #[arg(long, conflicts_with = "release")]
    pub platform: Option<OnePlatform>,
    /// The share of devices that get it; everybody when not given.
    #[arg(long, value_name = "SHARE", value_parser = percent::parse)]
    pub rollout: Option<Ppm>,
    /// Whether devices install it at once; as in the first release when not given.
    #[arg(long, value_name = "true|false")]
    pub mandatory: Option<bool>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub notes: Notes,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub target: Target,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub signing: Signing,
    /// Check everything, change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Promotes each release that is meant.
pub async fn run(arguments: Arguments, connection: &Connection) -> Result<AnyReport, Error> {
    let from = arguments.address.name()?;
    let to_channel = names::channel(&arguments.address.app, &arguments.to)?;
    let (notes, target) = (arguments.notes.read()?, arguments.target.wire()?);
    let signer = arguments.signing.signer()?;
    let mut made = Vec::new();
    for release in releases::choose(connection, &from, arguments.release.as_deref(), arguments.platform).await? {
        let request = v1::PromoteReleaseRequest {
            name: release.name,
            to_channel: to_channel.clone(),
            target: target.clone(),
            mandatory: arguments.mandatory,
            notes: notes.clone(),
            share_ppm: arguments.rollout.map(Ppm::get),
            validate_only: arguments.dry_run,
            request_id: request_id(),
            disabled: signer.is_some(),
        };
        let answer = connection.answer(connection.releases().promote_release(request).await)?;
        let release = answer.release.ok_or_else(|| Error::missing("the release"))?;
        made.push(match &signer {
            Some(signer) if !arguments.dry_run => signer.sign(connection, release, None, false).await?,
            Some(_) | None => release,
        });
    }
    Ok(Box::new(view::Releases::from(made)))
}
