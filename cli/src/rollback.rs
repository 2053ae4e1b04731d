//! This file's job is `aloft rollback`: send devices back to an earlier release or to the bundle in their binary.

use crate::channel_address::ChannelAddress;
use crate::connection::{Connection, request_id};
use crate::error::Error;
use crate::expo::Signing;
use crate::platform::OnePlatform;
use crate::report::AnyReport;
use crate::{releases, view};
use proto::v1;
use proto::v1::roll_back_channel_request::To;

/// Sends devices back to an earlier release, or to the bundle in their binary.
///
/// Makes a new release with the earlier content. Without --to and --embedded: the content before the newest enabled release.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  aloft rollback --app trailhead --channel production\n  aloft rollback --to v3\n  aloft rollback --embedded --mandatory"
)]
pub struct Arguments {
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub address: ChannelAddress,
    /// The release to go back to: its label such as v3, or its id.
    #[arg(long, value_name = "RELEASE", conflicts_with = "embedded")]
    pub to: Option<String>,
    /// Go back to the bundle that came with the binary.
    #[arg(long)]
    pub embedded: bool,
    /// Only this platform; otherwise every platform with an enabled release.
    #[arg(long)]
    pub platform: Option<OnePlatform>,
    /// Devices change over as soon as they can instead of at their next restart.
    #[arg(long)]
    pub mandatory: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub signing: Signing,
    /// Check everything, change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Rolls the channel back on each platform that is meant.
pub async fn run(arguments: Arguments, connection: &Connection) -> Result<AnyReport, Error> {
    let channel = arguments.address.name()?;
    let targets: Vec<(i32, Option<To>)> = match &arguments.to {
        Some(label) => {
            let release = releases::get(connection, &channel, label).await?;
            vec![(release.platform, Some(To::Release(release.name)))]
        }
        None => {
            let newest = releases::choose(connection, &channel, None, arguments.platform).await?;
            let to = arguments.embedded.then_some(To::Embedded(true));
            newest.into_iter().map(|release| (release.platform, to.clone())).collect()
        }
    };
    let signer = arguments.signing.signer()?;
    let mut made = Vec::new();
    for (platform, to) in targets {
        let request = v1::RollBackChannelRequest {
            name: channel.clone(),
            platform,
            to,
            mandatory: arguments.mandatory,
            validate_only: arguments.dry_run,
            request_id: request_id(),
            disabled: signer.is_some(),
        };
        let answer = connection.answer(connection.releases().roll_back_channel(request).await)?;
        let release = answer.release.ok_or_else(|| Error::missing("the release"))?;
        made.push(match &signer {
            Some(signer) if !arguments.dry_run => signer.sign(connection, release, None, false).await?,
            Some(_) | None => release,
        });
    }
    Ok(Box::new(view::Releases::from(made)))
}
