//! This file's job is `aloft app`: make, show, change and delete apps.

use crate::connection::{Connection, request_id};
use crate::error::Error;
use crate::report::AnyReport;
use crate::{moment, names, paging, table, view};
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// Makes, shows, changes and deletes apps.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Makes an app.
    #[command(after_help = "Example:\n  aloft app create trailhead --display-name Trailhead")]
    Create {
        /// Short name, unique in the organization: a-z, 0-9, "-", "_" and ".".
        slug: String,
        /// Name for people; the short name when not given.
        #[arg(long, default_value = "", hide_default_value = true)]
        display_name: String,
    },
    /// Lists the organization's apps.
    List,
    /// Shows an app.
    Get {
        /// The app: its short name or its id.
        #[arg(env = "ALOFT_APP")]
        app: String,
    },
    /// Changes an app's names.
    Update {
        /// The app: its short name or its id.
        app: String,
        /// New short name.
        #[arg(long, required_unless_present = "display_name")]
        slug: Option<String>,
        /// New name for people.
        #[arg(long)]
        display_name: Option<String>,
    },
    /// Deletes an app that has no channels.
    Delete {
        /// The app: its short name or its id.
        app: String,
    },
}

/// All apps.
#[derive(Debug, Serialize)]
pub struct Apps {
    /// The apps, oldest first.
    pub apps: Vec<view::App>,
}

impl Display for Apps {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let row = |app: &view::App| {
            vec![app.slug.clone(), app.display_name.clone(), app.app_id.clone(), moment::text(app.created_at_us)]
        };
        let rows: Vec<_> = self.apps.iter().map(row).collect();
        f.write_str(&table::text(&["app", "display name", "id", "created"], &rows))
    }
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    match command {
        Command::Create { slug, display_name } => {
            let request = v1::CreateAppRequest { slug, display_name, request_id: request_id() };
            show(connection.answer(connection.apps().create_app(request).await)?.app)
        }
        Command::List => {
            let apps = paging::apps(connection).await?.into_iter().map(Into::into).collect();
            Ok(Box::new(Apps { apps }))
        }
        Command::Get { app } => {
            let request = v1::GetAppRequest { name: names::app(&app)? };
            show(connection.answer(connection.apps().get_app(request).await)?.app)
        }
        Command::Update { app, slug, display_name } => update(connection, &app, slug, display_name).await,
        Command::Delete { app } => {
            let name = names::app(&app)?;
            let request = v1::DeleteAppRequest { name: name.clone(), etag: String::new() };
            connection.answer(connection.apps().delete_app(request).await)?;
            Ok(Box::new(view::Deleted { deleted: name }))
        }
    }
}

async fn update(
    connection: &Connection,
    app: &str,
    slug: Option<String>,
    display_name: Option<String>,
) -> Result<AnyReport, Error> {
    let mut paths = Vec::new();
    paths.extend(slug.is_some().then(|| "slug".to_owned()));
    paths.extend(display_name.is_some().then(|| "display_name".to_owned()));
    let app = v1::App {
        name: names::app(app)?,
        slug: slug.unwrap_or_default(),
        display_name: display_name.unwrap_or_default(),
        ..Default::default()
    };
    let update_mask = Some(prost_types::FieldMask { paths });
    let request = v1::UpdateAppRequest { app: Some(app), update_mask, etag: String::new() };
    show(connection.answer(connection.apps().update_app(request).await)?.app)
}

fn show(app: Option<v1::App>) -> Result<AnyReport, Error> {
    Ok(Box::new(view::App::from(app.ok_or_else(|| Error::missing("the app"))?)))
}
