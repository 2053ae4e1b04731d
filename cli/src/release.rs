//! This file's job is `aloft release`: upload a bundle if need be, and publish it in a channel.

use crate::base;
use crate::channel_address::ChannelAddress;
use crate::codepush_signature::Signer as PackageSigner;
use crate::connection::{Connection, request_id};
use crate::error::Error;
use crate::expo::{Exported, Publishing, Signer};
use crate::hermesc::{Base, Compiled, Compiler};
use crate::releases::Notes;
use crate::renumber::{self, Renumbered};
use crate::report::AnyReport;
use crate::rollout::Retreat;
use crate::source::Found;
use crate::upload::{self, Uploaded};
use crate::{names, percent, retry, source, view};
use domain::bundle::Engine;
use domain::{Platform, Ppm};
use proto::v1;
use proto::v1::target::Rule;
use serde::Serialize;
use std::fmt::{Display, Formatter};
use std::path::{Path, PathBuf};

/// Publishes a bundle in a channel.
///
/// PATH is what you have: a Metro or Hermes bundle file with its assets beside it, the folder of `expo export`, or a
/// CodePush-style folder or zip. Or publish a bundle that was uploaded before with --bundle.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aloft release build/index.android.bundle --app trailhead --channel production --binary-range 1.x
  aloft release dist --app trailhead --channel production --runtime-version 42 --rollout 10%
  aloft release --expo dist --app trailhead --channel production --runtime-version 42 --private-key-path keys/private-key.pem
  aloft release --bundle bun_01j9z3k4m5n6p7q8r9s0t1v2w3 --app trailhead --channel qa --binary-range '*'")]
#[command(group(clap::ArgGroup::new("what").required(true).args(["path", "bundle"])))]
#[command(group(clap::ArgGroup::new("binaries").required(true).args(["binary_range", "runtime_version"])))]
pub struct Arguments {
    /// The bundle.
    pub path: Option<PathBuf>,
    /// A bundle that was uploaded before: its id.
    #[arg(long)]
    pub bundle: Option<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub address: ChannelAddress,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub target: Target,
    /// Devices install it at once instead of at their next restart.
    #[arg(long)]
    pub mandatory: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub notes: Notes,
    /// The share of devices that get it, for instance 5%; everybody when not given.
    #[arg(long, value_name = "SHARE", value_parser = percent::parse)]
    pub rollout: Option<Ppm>,
    /// What happens to devices that fall out of the share later.
    #[arg(long)]
    pub retreat: Option<Retreat>,
    /// Sign the package for apps with a `CodePushPublicKey`: the file of the RSA key in PEM.
    #[arg(long, value_name = "FILE", conflicts_with = "bundle")]
    pub codepush_private_key: Option<PathBuf>,
    /// Publish without offering it to anybody yet.
    #[arg(long)]
    pub disabled: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub compiling: Compiling,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub expo: Publishing,
    /// Check everything and upload, but publish nothing.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at the type")]
    pub options: upload::Options,
}

/// Stands for the compiler that the project's packages bring. An empty path would be refused.
const OF_PROJECT: &str = "node_modules";

/// How a bundle of JavaScript becomes bytecode.
#[derive(Debug, Clone, clap::Args)]
#[command(group(clap::ArgGroup::new("numbering").args(["hermesc", "renumber_strings"])))]
pub struct Compiling {
    /// Compile the bundle to Hermes bytecode: with this hermesc, or without a path with that of the project. The source map lies beside PATH
    /// afterwards, with ".hbc.map" behind its name.
    #[arg(long, value_name = "HERMESC", num_args = 0..=1, require_equals = true, default_missing_value = OF_PROJECT, requires = "path")]
    pub hermesc: Option<PathBuf>,
    /// The launch file whose strings keep their numbers; that of the newest live release, else the one that the newest binary came with,
    /// when not given.
    #[arg(long, value_name = "FILE", requires = "numbering")]
    pub base: Option<PathBuf>,
    /// Compile without a base: patches become several times as large.
    #[arg(long, requires = "hermesc", conflicts_with = "base")]
    pub no_base: bool,
    /// Give the strings of a bundle that is bytecode already the numbers that they have in the base. Patches shrink to a fifth, for
    /// clients that know only bsdiff, too. The file is another one afterwards: what was signed before has to be signed again.
    #[arg(long, requires = "path")]
    pub renumber_strings: bool,
}

/// Which native binaries may run a release.
#[derive(Debug, Clone, clap::Args)]
pub struct Target {
    /// Binaries whose version lies in this range, for instance 1.x or ">=1.2 <2".
    #[arg(long, value_name = "RANGE", conflicts_with = "runtime_version")]
    pub binary_range: Option<String>,
    /// Binaries with exactly this runtime version.
    #[arg(long, value_name = "VERSION")]
    pub runtime_version: Option<String>,
}

impl Target {
    /// Returns the contract's value, if a rule was given and makes sense.
    pub fn wire(&self) -> Result<Option<v1::Target>, Error> {
        let refuse = |option: &str, error: domain::error::Invalid| Error::Usage(format!("{option} {}", error.rule));
        let rule = match (&self.binary_range, &self.runtime_version) {
            (Some(range), _) => {
                range.parse::<domain::target::BinaryRange>().map_err(|error| refuse("--binary-range", error))?;
                Rule::BinaryRange(range.clone())
            }
            (None, Some(version)) => {
                version
                    .parse::<domain::target::RuntimeVersion>()
                    .map_err(|error| refuse("--runtime-version", error))?;
                Rule::RuntimeVersion(version.clone())
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(v1::Target { rule: Some(rule) }))
    }
}

/// A new release with the upload that it was made from.
#[derive(Debug, Serialize)]
pub struct Published {
    /// The release.
    #[serde(flatten)]
    pub release: view::Release,
    /// The upload; absent when the bundle was uploaded before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload: Option<Uploaded>,
    /// How it was compiled; absent when it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<Built>,
    /// Whose numbers the strings got; absent when that was not wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renumbered: Option<Renumbered>,
}

/// How a bundle was compiled.
#[derive(Debug, Serialize)]
pub struct Built {
    /// The compiler with its version.
    pub compiler: String,
    /// What it was told.
    pub flags: Vec<String>,
    /// Whose strings keep their numbers, for people; absent without a base.
    pub base: Option<String>,
    /// What makes patches larger than they need to be.
    pub warnings: Vec<String>,
}

/// The new releases of one command.
#[derive(Debug, Serialize)]
pub struct AllPublished {
    /// One for each platform.
    pub releases: Vec<Published>,
}

impl Display for AllPublished {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        for (index, published) in self.releases.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            write!(f, "{gap}{}", published.release)?;
            if let Some(upload) = &published.upload {
                write!(f, "\n{upload}")?;
            }
            if let Some(Built { compiler, flags, base, warnings }) = &published.build {
                let base = base.as_deref().unwrap_or("none");
                write!(f, "\nCompiled by {compiler} with {}; base: {base}.\n", flags.join(" "))?;
                warnings.iter().try_for_each(|warning| writeln!(f, "warning: {warning}"))?;
            }
            if let Some(renumbered) = &published.renumbered {
                write!(f, "\n{renumbered}\n")?;
            }
        }
        Ok(())
    }
}

/// Uploads what was given and publishes it.
pub async fn run(arguments: Arguments, connection: &Connection) -> Result<AnyReport, Error> {
    // Everything that can be wrong without the server is found before a byte is sent.
    let (draft, signer) = (draft(&arguments)?, arguments.expo.signing.signer()?);
    let package_signer = arguments.codepush_private_key.as_deref().map(PackageSigner::read).transpose()?;
    let app = names::app(&arguments.address.app)?;
    let mut releases = Vec::new();
    if let Some(bundle) = &arguments.bundle {
        let bundle = names::bundle(&arguments.address.app, bundle)?;
        let release = publish(connection, draft.clone(), bundle).await?;
        releases.push(Published { release: release.into(), upload: None, build: None, renumbered: None });
    }
    if let Some(path) = arguments.path.clone() {
        let exported = arguments.expo.read(&path)?;
        let plan = Plan { exported, arguments: &arguments, app, draft, signer, package_signer };
        let found = source::find(path, arguments.options.platform, arguments.options.map()).await?;
        check_channel(connection, &plan.draft.parent).await?;
        for found in found {
            releases.push(plan.publish(connection, found).await?);
        }
    }
    Ok(Box::new(AllPublished { releases }))
}

/// What all bundles of one command have in common.
struct Plan<'a> {
    arguments: &'a Arguments,
    app: String,
    draft: v1::CreateReleaseRequest,
    exported: Exported,
    signer: Option<Signer>,
    package_signer: Option<PackageSigner>,
}

impl Plan<'_> {
    /// Compiles a bundle when that is wanted, uploads it and publishes it.
    async fn publish(&self, connection: &Connection, found: Found) -> Result<Published, Error> {
        let Self { arguments, app, draft, exported, signer, package_signer } = self;
        let base = arguments.compiling.base(connection, (&draft.parent, app), found.platform).await?;
        let (found, compiled) = match &arguments.compiling.hermesc {
            Some(hermesc) => {
                let (mut found, compiled) = compile(hermesc, base.clone(), &found).await?;
                // What lies beside the JavaScript does not lead from the bytecode; what was named does.
                source::add_map(&mut found, &[], &arguments.options.map())?;
                (found, Some(compiled))
            }
            None => (found, None),
        };
        let (found, renumbered) = match arguments.compiling.renumber_strings {
            true => {
                let (found, renumbered) = renumber::renumber(found, base).await?;
                (found, Some(renumbered))
            }
            false => (found, None),
        };
        // What is signed is what devices get: behind the compiler.
        let found = match package_signer {
            Some(signer) => signer.sign(found)?,
            None => found,
        };
        let expo = exported.publication(&found, draft.target.as_ref()).await?;
        let upload = upload::upload(connection, app, found, &arguments.options).await?;
        let bundle = upload.bundle.clone().ok_or_else(|| Error::ProcessingTimeout {
            upload: upload.upload.clone(),
            seconds: arguments.options.wait,
        })?;
        let draft = v1::CreateReleaseRequest {
            build: compiled.as_ref().map(|compiled| compiled.build.clone()),
            expo: expo.as_ref().map(|expo| expo.wire.clone()),
            ..draft.clone()
        };
        let mut release = publish(connection, draft, bundle).await?;
        if let (Some(signer), Some(expo), false) = (signer, &expo, arguments.dry_run) {
            release = signer.sign(connection, release, Some(expo), arguments.disabled).await?;
        }
        let build = compiled.map(Built::from);
        Ok(Published { release: release.into(), upload: Some(upload), build, renumbered })
    }
}

impl Compiling {
    /// Returns the base that was named, or fetches the one that devices will most likely have. None when none is wanted or there.
    async fn base(
        &self,
        connection: &Connection,
        (channel, app): (&str, &str),
        platform: Platform,
    ) -> Result<Option<Base>, Error> {
        if self.no_base || (self.hermesc.is_none() && !self.renumber_strings) {
            return Ok(None);
        }
        match &self.base {
            Some(file) => Ok(Some(Base { file: file.clone(), what: file.display().to_string(), build: None })),
            None => base::fetch(connection, channel, app, platform).await,
        }
    }
}

/// Compiles the bundle, and leaves the source map beside it.
async fn compile(hermesc: &Path, base: Option<Base>, found: &Found) -> Result<(Found, Compiled), Error> {
    let source = found.launch_location().ok_or_else(|| Error::missing("the launch file"))?.to_owned();
    if found.detected.engine != Engine::JavaScript {
        return Err(Error::Usage(
            "the bundle is bytecode already: say --renumber-strings instead of --hermesc".to_owned(),
        ));
    }
    let given = Some(hermesc.to_owned()).filter(|path| path.as_os_str() != OF_PROJECT);
    let compiler = Compiler::find(given, source.parent().map(Path::to_owned).unwrap_or_default()).await?;
    let folder = tempfile::tempdir().map_err(|error| Error::file(&std::env::temp_dir(), error))?;
    let compiled = compiler.compile(source.clone(), base, folder.path().to_owned()).await?;
    let [from, to] = [(&compiled.bytecode, ".map"), (&source, ".hbc.map")].map(|(path, suffix)| {
        let mut name = path.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    });
    std::fs::copy(&from, &to).map_err(|error| Error::file(&to, error))?;
    Ok((found.with_launch(&compiled.bytecode, folder)?, compiled))
}

impl From<Compiled> for Built {
    fn from(compiled: Compiled) -> Self {
        let Compiled { bytecode: _, build, base, warnings } = compiled;
        Self { compiler: build.compiler, flags: build.flags, base, warnings }
    }
}

fn draft(arguments: &Arguments) -> Result<v1::CreateReleaseRequest, Error> {
    if arguments.bundle.is_some() && (arguments.expo.expo || arguments.expo.signing.is_asked_for()) {
        return Err(Error::Usage("Expo clients need the exported folder instead of --bundle".to_owned()));
    }
    Ok(v1::CreateReleaseRequest {
        parent: arguments.address.name()?,
        bundle: String::new(),
        target: arguments.target.wire()?,
        mandatory: arguments.mandatory,
        notes: arguments.notes.read()?.unwrap_or_default(),
        share_ppm: arguments.rollout.map(Ppm::get),
        retreat: arguments.retreat.map_or(v1::Retreat::Unspecified, Retreat::wire).into(),
        // What must be signed is offered when it is.
        disabled: arguments.disabled || arguments.expo.signing.is_asked_for(),
        validate_only: arguments.dry_run,
        request_id: String::new(),
        build: None,
        expo: None,
        seq: 0,
    })
}

/// A missing channel is better found before a long upload than after it.
async fn check_channel(connection: &Connection, name: &str) -> Result<(), Error> {
    let request = v1::GetChannelRequest { name: name.to_owned() };
    connection.answer(connection.channels().get_channel(request).await).map(|_| ())
}

async fn publish(
    connection: &Connection,
    draft: v1::CreateReleaseRequest,
    bundle: String,
) -> Result<v1::Release, Error> {
    let request = v1::CreateReleaseRequest { bundle, request_id: request_id(), ..draft };
    let call = || async {
        let answer = connection.answer(connection.releases().create_release(request.clone()).await)?;
        answer.release.ok_or_else(|| Error::missing("the release"))
    };
    retry::repeat(call).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_ranges_are_refused_before_anything_is_sent() {
        let target = |range: &str| Target { binary_range: Some(range.into()), runtime_version: None }.wire();
        assert!(target("1.x").unwrap().is_some());
        assert!(matches!(target("not a range"), Err(Error::Usage(text)) if text.contains("--binary-range")));
    }
}
