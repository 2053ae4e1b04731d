//! This file's job is `aloft bundles`: show bundles, bring back their source maps, and delete them.

use crate::channel_address::AppAddress;
use crate::connection::Connection;
use crate::error::Error;
use crate::report::AnyReport;
use crate::{moment, names, paging, platform, table, view};
use domain::Sha256;
use domain::hash::Hasher;
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Shows bundles, brings back their source maps, and deletes them.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Lists an app's bundles, newest first.
    List {
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        app: AppAddress,
    },
    /// Shows a bundle, and what is known of its inside.
    Get {
        /// The bundle's id, "bun_…".
        bundle: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        app: AppAddress,
    },
    /// Brings back the source map that was uploaded with a bundle. Takes the right to publish, and is noted in the audit log.
    #[command(
        after_help = "Example:\n  aloft bundles source-map bun_01j9z3k4m5n6p7q8r9s0t1v2w3 --app trailhead --out main.map"
    )]
    SourceMap {
        /// The bundle's id, "bun_…".
        bundle: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        app: AppAddress,
        /// Where it is written. A file that is there is not replaced.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Deletes a bundle that no release uses, with its source map.
    Delete {
        /// The bundle's id, "bun_…".
        bundle: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented at the type")]
        app: AppAddress,
    },
}

/// A bundle.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.Bundle")]
pub struct Bundle {
    pub name: String,
    pub platform: &'static str,
    pub content_sha256: String,
    pub engine: &'static str,
    pub hermes_version: u32,
    pub file_count: u32,
    pub total_size_bytes: u64,
    pub created_at_us: i64,
    /// Absent in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contents: Option<Contents>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_map: Option<SourceMap>,
}

/// A file of a bundle.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.BundleFile")]
pub struct File {
    pub path: String,
    pub sha256: String,
    pub size_bytes: u64,
}

/// What is known of the inside of a bundle.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.BundleContents")]
pub struct Contents {
    pub module_count: u32,
    pub function_count: u32,
    pub image_count: u32,
}

/// A source map.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.BundleSourceMap")]
pub struct SourceMap {
    pub path: String,
    pub sha256: String,
    pub size_bytes: u64,
}

impl From<v1::Bundle> for Bundle {
    fn from(bundle: v1::Bundle) -> Self {
        let file = |file: v1::BundleFile| File {
            sha256: hex::encode(&file.sha256),
            size_bytes: file.size_bytes,
            path: file.path,
        };
        Self {
            platform: platform::text(bundle.platform()),
            content_sha256: hex::encode(&bundle.content_sha256),
            engine: engine_text(bundle.engine()),
            hermes_version: bundle.hermes_version,
            file_count: bundle.file_count,
            total_size_bytes: bundle.total_size_bytes,
            created_at_us: bundle.created_at_us,
            name: bundle.name,
            files: bundle.files.into_iter().map(file).collect(),
            contents: bundle.contents.map(|known| Contents {
                module_count: known.module_count,
                function_count: known.function_count,
                image_count: known.image_count,
            }),
            source_map: bundle.source_map.map(Into::into),
        }
    }
}

impl From<v1::BundleSourceMap> for SourceMap {
    fn from(map: v1::BundleSourceMap) -> Self {
        Self { sha256: hex::encode(&map.sha256), path: map.path, size_bytes: map.size_bytes }
    }
}

const fn engine_text(engine: v1::Engine) -> &'static str {
    match engine {
        v1::Engine::Unspecified => "unknown",
        v1::Engine::Javascript => domain::bundle::Engine::JavaScript.as_str(),
        v1::Engine::Hermes => domain::bundle::Engine::Hermes.as_str(),
    }
}

impl Bundle {
    fn runs(&self) -> String {
        if self.hermes_version > 0 {
            format!("{} {}", self.engine, self.hermes_version)
        } else {
            self.engine.to_owned()
        }
    }
}

impl Display for Bundle {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let known = |count: fn(&Contents) -> u32| {
            self.contents.as_ref().map(count).filter(|count| *count > 0).map(|count| count.to_string())
        };
        let map = self.source_map.as_ref().map(|map| format!("{}, {}", map.path, table::size(map.size_bytes)));
        f.write_str(&table::pairs(&[
            ("bundle", names::short(&self.name).to_owned()),
            ("platform", self.platform.to_owned()),
            ("engine", self.runs()),
            ("content", self.content_sha256.clone()),
            ("files", format!("{} of {}", self.file_count, table::size(self.total_size_bytes))),
            ("modules", known(|known| known.module_count).unwrap_or_default()),
            ("functions", known(|known| known.function_count).unwrap_or_default()),
            ("images", known(|known| known.image_count).unwrap_or_default()),
            ("source map", map.unwrap_or_default()),
            ("created", moment::text(self.created_at_us)),
        ]))
    }
}

/// All bundles of an app.
#[derive(Debug, Serialize)]
pub struct Bundles {
    /// The bundles, newest first.
    pub bundles: Vec<Bundle>,
}

impl Display for Bundles {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let row = |bundle: &Bundle| {
            vec![
                names::short(&bundle.name).to_owned(),
                bundle.platform.to_owned(),
                bundle.runs(),
                table::size(bundle.total_size_bytes),
                moment::text(bundle.created_at_us),
            ]
        };
        let rows: Vec<_> = self.bundles.iter().map(row).collect();
        f.write_str(&table::text(&["bundle", "platform", "engine", "size", "created"], &rows))
    }
}

/// A source map that was brought back.
#[derive(Debug, Serialize)]
pub struct Written {
    /// Where it was written.
    pub file: String,
    /// What it is.
    #[serde(flatten)]
    pub source_map: SourceMap,
}

impl Display for Written {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} was written to {}", table::size(self.source_map.size_bytes), self.file)
    }
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    match command {
        Command::List { app } => {
            let bundles = paging::bundles(connection, &app.name()?).await?.into_iter().map(Into::into).collect();
            Ok(Box::new(Bundles { bundles }))
        }
        Command::Get { bundle, app } => {
            let request = v1::GetBundleRequest { name: names::bundle(&app.app, &bundle)? };
            let found = connection.answer(connection.bundles().get_bundle(request).await)?.bundle;
            Ok(Box::new(Bundle::from(found.ok_or_else(|| Error::missing("the bundle"))?)))
        }
        Command::SourceMap { bundle, app, out } => {
            Ok(Box::new(download(connection, names::bundle(&app.app, &bundle)?, &out).await?))
        }
        Command::Delete { bundle, app } => {
            let name = names::bundle(&app.app, &bundle)?;
            let request = v1::DeleteBundleRequest { name: name.clone() };
            connection.answer(connection.bundles().delete_bundle(request).await)?;
            Ok(Box::new(view::Deleted { deleted: name }))
        }
    }
}

/// Writes the source map beside its place, and gives it its name once its hash is right.
async fn download(connection: &Connection, name: String, out: &Path) -> Result<Written, Error> {
    let fail = |source| Error::file(out, source);
    let folder = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
    let request = v1::DownloadSourceMapRequest { name };
    let mut stream = connection.answer(connection.source_maps().download_source_map(request).await)?;
    let (mut found, mut hasher) = (None, Hasher::default());
    while let Some(piece) = stream.message().await.map_err(|status| connection.explain(status))? {
        found = piece.source_map.or(found);
        hasher.update(&piece.data);
        file.write_all(&piece.data).map_err(fail)?;
    }
    let map = found.ok_or_else(|| Error::missing("the source map"))?;
    let expected = Sha256::try_from(map.sha256.as_ref()).map_err(|error| Error::Answer(error.to_string()))?;
    if hasher.finish() != expected {
        return Err(Error::Answer("the source map arrived damaged; try again".to_owned()));
    }
    file.persist_noclobber(out).map_err(|error| Error::file(out, error.error))?;
    Ok(Written { file: out.display().to_string(), source_map: map.into() })
}
