//! This file's job is `aloft transfer`: hand an app over to another organization, or take one.

use crate::connection::Connection;
use crate::error::Error;
use crate::report::AnyReport;
use crate::{moment, names, table};
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// Hands apps over to other organizations; both must agree.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Offers an app to another organization, for a week.
    Offer {
        /// The app, by short name or id.
        app: String,
        /// The other organization's id; its members see it with `aloft whoami --json`.
        #[arg(long, value_name = "ID")]
        to: String,
    },
    /// Takes an offer back.
    Withdraw {
        /// The app, by short name or id.
        app: String,
    },
    /// Lists the apps that your organization is offered.
    Offers,
    /// Takes an offered app over, with everything in it.
    Accept {
        /// The app's id.
        app: String,
        /// Its short name from then on.
        #[arg(long, value_name = "SLUG", default_value = "", hide_default_value = true)]
        slug: String,
    },
    /// Declines an offered app.
    Decline {
        /// The app's id.
        app: String,
    },
}

/// What became of an offer.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// The app's full name.
    pub app: String,
    /// "offered", "withdrawn", "accepted" or "declined".
    pub outcome: &'static str,
}

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} was {}.", names::short(&self.app), self.outcome)
    }
}

/// An app that is offered.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.AppOffer")]
pub struct Offer {
    pub app: String,
    pub slug: String,
    pub display_name: String,
    pub owner_name: String,
    pub created_at_us: i64,
    pub expires_at_us: i64,
}

/// All apps that are offered.
#[derive(Debug, Serialize)]
pub struct Offers {
    /// The offers.
    pub offers: Vec<Offer>,
}

impl Display for Offers {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let row = |offer: &Offer| {
            let id = names::short(&offer.app).to_owned();
            vec![offer.slug.clone(), offer.owner_name.clone(), moment::text(offer.expires_at_us), id]
        };
        let rows: Vec<_> = self.offers.iter().map(row).collect();
        f.write_str(&table::text(&["app", "from", "until", "id"], &rows))
    }
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    let mut client = connection.transfers_of_apps();
    let (app, outcome) = match command {
        Command::Offer { app, to } => {
            let name = names::app(&app)?;
            let request = v1::OfferAppRequest { name: name.clone(), organization_id: to };
            connection.answer(client.offer_app(request).await)?;
            (name, "offered")
        }
        Command::Withdraw { app } => {
            let name = names::app(&app)?;
            connection.answer(client.withdraw_app(v1::WithdrawAppRequest { name: name.clone() }).await)?;
            (name, "withdrawn")
        }
        Command::Offers => {
            let answer = connection.answer(client.list_offered_apps(v1::ListOfferedAppsRequest {}).await)?;
            return Ok(Box::new(Offers { offers: answer.offers.into_iter().map(offer).collect() }));
        }
        Command::Accept { app, slug } => {
            let name = names::app(&app)?;
            let request = v1::AcceptAppRequest { name: name.clone(), new_slug: slug };
            connection.answer(client.accept_app(request).await)?;
            (name, "accepted")
        }
        Command::Decline { app } => {
            let name = names::app(&app)?;
            connection.answer(client.decline_app(v1::DeclineAppRequest { name: name.clone() }).await)?;
            (name, "declined")
        }
    };
    Ok(Box::new(Outcome { app, outcome }))
}

fn offer(row: v1::AppOffer) -> Offer {
    Offer {
        app: row.app,
        slug: row.slug,
        display_name: row.display_name,
        owner_name: row.owner_name,
        created_at_us: row.created_at_us,
        expires_at_us: row.expires_at_us,
    }
}
