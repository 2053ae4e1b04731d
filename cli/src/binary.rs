//! This file's job is `aloft binary`: make native builds known, show, change and forget them.

use crate::channel_address::AppAddress;
use crate::connection::{Connection, request_id};
use crate::error::Error;
use crate::platform::{OnePlatform, wire};
use crate::report::AnyReport;
use crate::{names, paging, table, view};
use domain::Sha256;
use domain::expo::UpdateId;
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// Makes native builds known, shows, changes and forgets them.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Makes a native build known.
    #[command(
        after_help = "Example:\n  aloft binary create --app trailhead --platform android --version 1.4.0 --build-number 42"
    )]
    Create {
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        app: AppAddress,
        /// What it runs on.
        #[arg(long)]
        platform: OnePlatform,
        /// The version that people see.
        #[arg(long)]
        version: String,
        /// The store's build number.
        #[arg(long, default_value = "", hide_default_value = true)]
        build_number: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        content: Content,
    },
    /// Lists an app's binaries.
    List {
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        app: AppAddress,
    },
    /// Shows a binary.
    Get {
        /// The binary's id, "bin_…".
        binary: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        app: AppAddress,
    },
    /// Changes a binary's runtime version, or what came with it.
    Update {
        /// The binary's id, "bin_…".
        binary: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        app: AppAddress,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        content: Content,
    },
    /// Forgets a binary.
    Delete {
        /// The binary's id, "bin_…".
        binary: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        app: AppAddress,
    },
}

/// What can change about a binary.
#[derive(Debug, clap::Args)]
pub struct Content {
    /// The runtime version.
    #[arg(long)]
    pub runtime_version: Option<String>,
    /// Content hash of the bundle that it came with: 64 hexadecimal digits.
    #[arg(long, value_name = "SHA256")]
    pub embedded_bundle: Option<Sha256>,
    /// The version of Hermes bytecode that it runs, for instance 96; 0 forgets it. That of the embedded bundle counts when that was uploaded.
    #[arg(long, value_name = "VERSION")]
    pub hermes_version: Option<u32>,
    /// By what Expo clients name the update that it came with: the UUID in its app.manifest.
    #[arg(long, value_name = "UUID")]
    pub embedded_update_id: Option<UpdateId>,
}

/// All binaries of an app.
#[derive(Debug, Serialize)]
pub struct Binaries {
    /// The binaries, oldest first.
    pub binaries: Vec<view::Binary>,
}

impl Display for Binaries {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let row = |binary: &view::Binary| {
            vec![
                names::short(&binary.name).to_owned(),
                binary.platform.to_owned(),
                binary.version.clone(),
                binary.build_number.clone(),
                binary.runtime_version.clone(),
            ]
        };
        let rows: Vec<_> = self.binaries.iter().map(row).collect();
        f.write_str(&table::text(&["binary", "platform", "version", "build", "runtime version"], &rows))
    }
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    match command {
        Command::Create { app, platform, version, build_number, content } => {
            let binary = v1::Binary {
                platform: wire(platform.domain()).into(),
                version,
                build_number,
                ..binary(String::new(), content)
            };
            let request =
                v1::CreateBinaryRequest { parent: app.name()?, binary: Some(binary), request_id: request_id() };
            show(connection.answer(connection.binaries().create_binary(request).await)?.binary)
        }
        Command::List { app } => {
            let binaries = paging::binaries(connection, &app.name()?).await?.into_iter().map(Into::into).collect();
            Ok(Box::new(Binaries { binaries }))
        }
        Command::Get { binary, app } => {
            let request = v1::GetBinaryRequest { name: names::binary(&app.app, &binary)? };
            show(connection.answer(connection.binaries().get_binary(request).await)?.binary)
        }
        Command::Update { binary, app, content } => {
            update(connection, names::binary(&app.app, &binary)?, content).await
        }
        Command::Delete { binary, app } => {
            let name = names::binary(&app.app, &binary)?;
            let request = v1::DeleteBinaryRequest { name: name.clone(), etag: String::new() };
            connection.answer(connection.binaries().delete_binary(request).await)?;
            Ok(Box::new(view::Deleted { deleted: name }))
        }
    }
}

async fn update(connection: &Connection, name: String, content: Content) -> Result<AnyReport, Error> {
    let mut paths = Vec::new();
    paths.extend(content.runtime_version.is_some().then(|| "runtime_version".to_owned()));
    paths.extend(content.embedded_bundle.is_some().then(|| "embedded_bundle".to_owned()));
    paths.extend(content.hermes_version.is_some().then(|| "hermes_version".to_owned()));
    paths.extend(content.embedded_update_id.is_some().then(|| "embedded_update_id".to_owned()));
    if paths.is_empty() {
        let text =
            "nothing to change: give --runtime-version, --embedded-bundle, --hermes-version or --embedded-update-id";
        return Err(Error::Usage(text.to_owned()));
    }
    let update_mask = Some(prost_types::FieldMask { paths });
    let request = v1::UpdateBinaryRequest { binary: Some(binary(name, content)), update_mask, etag: String::new() };
    show(connection.answer(connection.binaries().update_binary(request).await)?.binary)
}

fn binary(name: String, content: Content) -> v1::Binary {
    let embedded = content.embedded_bundle.map(|hash| hash.as_bytes().to_vec().into());
    v1::Binary {
        name,
        runtime_version: content.runtime_version.unwrap_or_default(),
        embedded_bundle: embedded.unwrap_or_default(),
        hermes_version: content.hermes_version.unwrap_or_default(),
        embedded_update_id: content.embedded_update_id.map(|update| update.to_string()).unwrap_or_default(),
        ..Default::default()
    }
}

fn show(binary: Option<v1::Binary>) -> Result<AnyReport, Error> {
    Ok(Box::new(view::Binary::from(binary.ok_or_else(|| Error::missing("the binary"))?)))
}
