//! This file's job is `aloft releases`: show, change and delete releases.

use crate::channel_address::ChannelAddress;
use crate::connection::Connection;
use crate::downloads::ReleaseWithDownloads;
use crate::error::Error;
use crate::platform::{OnePlatform, wire};
use crate::release::Target;
use crate::report::AnyReport;
use crate::{names, paging, reach, view};
use proto::v1;
use std::path::PathBuf;

/// Shows, changes and deletes releases.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Lists a channel's releases, newest first.
    #[command(after_help = "Example:\n  aloft releases list --app trailhead --channel production")]
    List {
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        address: ChannelAddress,
    },
    /// Shows a release, what devices download for it and do with it, and on which edges it is live.
    #[command(after_help = "Examples:\n  aloft releases get v4\n  aloft releases get v4 --watch")]
    Get {
        /// The release: its label such as v4, or its id.
        release: String,
        /// Wait until no edge is on its way to it any more, for five minutes at most.
        #[arg(long)]
        watch: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        address: ChannelAddress,
    },
    /// Changes a release: offer it or not, notes, mandatory, which binaries may run it.
    #[command(
        after_help = "Examples:\n  aloft releases update v4 --disable\n  aloft releases update v4 --notes-file notes.md --mandatory true"
    )]
    Update(Update),
    /// Deletes a disabled release. Its label is not used again.
    Delete {
        /// The release: its label such as v4, or its id.
        release: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        address: ChannelAddress,
    },
}

/// What can change about a release.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("change").required(true).multiple(true)
    .args(["enable", "disable", "mandatory", "notes", "notes_file", "binary_range", "runtime_version"])))]
pub struct Update {
    /// The release: its label such as v4, or its id.
    pub release: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub address: ChannelAddress,
    /// Offer it.
    #[arg(long, conflicts_with = "disable")]
    pub enable: bool,
    /// Offer it to nobody.
    #[arg(long)]
    pub disable: bool,
    /// Whether devices install it at once instead of at their next restart.
    #[arg(long, value_name = "true|false")]
    pub mandatory: Option<bool>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub notes: Notes,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub target: Target,
}

/// Text for people on the device.
#[derive(Debug, Clone, clap::Args)]
pub struct Notes {
    /// Text for people on the device; at most 16 KiB.
    #[arg(long, conflicts_with = "notes_file")]
    pub notes: Option<String>,
    /// A file with the text.
    #[arg(long, value_name = "FILE")]
    pub notes_file: Option<PathBuf>,
}

impl Notes {
    /// Returns the text, if one was given.
    pub fn read(&self) -> Result<Option<String>, Error> {
        let notes = match &self.notes_file {
            Some(path) => Some(std::fs::read_to_string(path).map_err(|source| Error::file(path, source))?),
            None => self.notes.clone(),
        };
        match &notes {
            Some(text) if text.len() > domain::release::NOTES_MAX_BYTES => {
                Err(Error::Usage(format!("the notes have {} bytes; at most 16384 are allowed", text.len())))
            }
            Some(_) | None => Ok(notes),
        }
    }
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    match command {
        Command::List { address } => {
            Ok(Box::new(view::Releases::from(paging::releases(connection, &address.name()?).await?)))
        }
        Command::Get { release, watch, address } => {
            let answer = reach::get(connection, names::release(&address.name()?, &release)?, watch).await?;
            Ok(Box::new(ReleaseWithDownloads::from(answer)))
        }
        Command::Update(change) => update(change, connection).await,
        Command::Delete { release, address } => {
            let name = names::release(&address.name()?, &release)?;
            let request = v1::DeleteReleaseRequest { name: name.clone(), etag: String::new() };
            connection.answer(connection.releases().delete_release(request).await)?;
            Ok(Box::new(view::Deleted { deleted: name }))
        }
    }
}

/// Reads one release.
pub async fn get(connection: &Connection, channel_name: &str, release: &str) -> Result<v1::Release, Error> {
    let request = v1::GetReleaseRequest { name: names::release(channel_name, release)? };
    let answer = connection.answer(connection.releases().get_release(request).await)?;
    answer.release.ok_or_else(|| Error::missing("the release"))
}

/// Returns the release that was named, or the newest enabled release of each platform (or of the one platform).
pub async fn choose(
    connection: &Connection,
    channel_name: &str,
    release: Option<&str>,
    platform: Option<OnePlatform>,
) -> Result<Vec<v1::Release>, Error> {
    if let Some(release) = release {
        return Ok(vec![get(connection, channel_name, release).await?]);
    }
    let chosen = newest_of_each_platform(paging::releases(connection, channel_name).await?, platform);
    if chosen.is_empty() {
        return Err(Error::Usage(format!("{channel_name} has no enabled release; name one, for instance v4")));
    }
    Ok(chosen)
}

fn newest_of_each_platform(newest_first: Vec<v1::Release>, platform: Option<OnePlatform>) -> Vec<v1::Release> {
    let wanted = platform.map(|platform| wire(platform.domain()));
    let mut chosen: Vec<v1::Release> = Vec::new();
    for release in newest_first.into_iter().filter(|release| release.enabled) {
        let is_wanted = wanted.is_none_or(|wanted| release.platform() == wanted);
        if is_wanted && !chosen.iter().any(|newer| newer.platform == release.platform) {
            chosen.push(release);
        }
    }
    chosen
}

async fn update(change: Update, connection: &Connection) -> Result<AnyReport, Error> {
    let (notes, target) = (change.notes.read()?, change.target.wire()?);
    let enabled = (change.enable || change.disable).then_some(change.enable);
    let fields = [
        ("enabled", enabled.is_some()),
        ("mandatory", change.mandatory.is_some()),
        ("notes", notes.is_some()),
        ("target", target.is_some()),
    ];
    let paths = fields.into_iter().filter(|(_, changes)| *changes).map(|(field, _)| field.to_owned()).collect();
    let release = v1::Release {
        name: names::release(&change.address.name()?, &change.release)?,
        enabled: enabled.unwrap_or_default(),
        mandatory: change.mandatory.unwrap_or_default(),
        notes: notes.unwrap_or_default(),
        target,
        ..Default::default()
    };
    let update_mask = Some(prost_types::FieldMask { paths });
    let request = v1::UpdateReleaseRequest { release: Some(release), update_mask, etag: String::new() };
    let answer = connection.answer(connection.releases().update_release(request).await)?;
    Ok(Box::new(view::Release::from(answer.release.ok_or_else(|| Error::missing("the release"))?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(seq: u64, platform: v1::Platform, enabled: bool) -> v1::Release {
        v1::Release { seq, platform: platform.into(), enabled, ..Default::default() }
    }

    #[test]
    fn without_a_name_the_newest_enabled_release_of_each_platform_is_meant() {
        let releases = vec![
            release(5, v1::Platform::Android, false),
            release(4, v1::Platform::Ios, true),
            release(3, v1::Platform::Android, true),
            release(2, v1::Platform::Ios, true),
        ];
        let seqs =
            |platform| newest_of_each_platform(releases.clone(), platform).iter().map(|r| r.seq).collect::<Vec<_>>();
        assert_eq!(seqs(None), [4, 3]);
        assert_eq!(seqs(Some(OnePlatform::Android)), [3]);
    }

    #[test]
    fn notes_that_no_phone_would_show_are_refused() {
        let notes = |text: String| Notes { notes: Some(text), notes_file: None }.read();
        assert!(notes("a".repeat(16 * 1024)).is_ok());
        assert!(notes("a".repeat(16 * 1024 + 1)).is_err());
    }
}
