//! This file's job is `aloft rollout`: set the share of devices that get a release, pause and resume.

use crate::channel_address::ChannelAddress;
use crate::connection::Connection;
use crate::error::Error;
use crate::percent;
use crate::platform::OnePlatform;
use crate::report::AnyReport;
use crate::{releases, view};
use clap::ValueEnum;
use domain::Ppm;
use proto::v1;

/// Sets the share of devices that get a release, pauses and resumes.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Sets the share of devices. Growing only adds devices.
    #[command(
        after_help = "Examples:\n  aloft rollout set 25% --app trailhead --channel production\n  aloft rollout set 0% --release v4 --retreat now"
    )]
    Set {
        /// The share, for instance 25%, 0.5% or 5000ppm.
        #[arg(value_parser = percent::parse)]
        share: Ppm,
        /// What happens to devices that fall out of the share.
        #[arg(long)]
        retreat: Option<Retreat>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        which: Which,
    },
    /// Takes in no further devices; those that run the release keep it.
    Pause {
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        which: Which,
    },
    /// Takes in devices again.
    Resume {
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        which: Which,
    },
}

/// The releases that are meant.
#[derive(Debug, clap::Args)]
pub struct Which {
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub address: ChannelAddress,
    /// The release: its label such as v4, or its id. Without it: the newest enabled release of each platform.
    #[arg(long)]
    pub release: Option<String>,
    /// Only the newest enabled release of this platform.
    #[arg(long, conflicts_with = "release")]
    pub platform: Option<OnePlatform>,
}

/// What happens to devices that run a release which is no longer offered to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Retreat {
    /// They keep it until something newer is offered.
    Stay,
    /// They go back at the next cold start.
    NextColdStart,
    /// They go back at once.
    Now,
}

impl Retreat {
    /// Returns the contract's value.
    #[must_use]
    pub const fn wire(self) -> v1::Retreat {
        match self {
            Self::Stay => v1::Retreat::Stay,
            Self::NextColdStart => v1::Retreat::NextColdStart,
            Self::Now => v1::Retreat::Now,
        }
    }
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    let unchanged = v1::SetRolloutRequest::default();
    let (which, change) = match command {
        Command::Set { share, retreat, which } => {
            let retreat = retreat.map_or(v1::Retreat::Unspecified, Retreat::wire).into();
            (which, v1::SetRolloutRequest { share_ppm: Some(share.get()), retreat, ..unchanged })
        }
        Command::Pause { which } => {
            (which, v1::SetRolloutRequest { state: v1::RolloutState::Paused.into(), ..unchanged })
        }
        Command::Resume { which } => {
            (which, v1::SetRolloutRequest { state: v1::RolloutState::Active.into(), ..unchanged })
        }
    };
    let channel = which.address.name()?;
    let mut changed = Vec::new();
    for release in releases::choose(connection, &channel, which.release.as_deref(), which.platform).await? {
        // The etag makes sure that the release which was looked at is the one that is changed.
        let request = v1::SetRolloutRequest { name: release.name, etag: release.etag, ..change.clone() };
        let answer = connection.answer(connection.releases().set_rollout(request).await)?;
        changed.push(answer.release.ok_or_else(|| Error::missing("the release"))?);
    }
    Ok(Box::new(view::Releases::from(changed)))
}
