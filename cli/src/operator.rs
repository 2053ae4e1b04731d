//! This file's job is `aloft operator`: what whoever runs the installation does to organizations and plans.

use crate::connection::Connection;
use crate::error::Error;
use crate::report::AnyReport;
use crate::{moment, names, paging, table, view};
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// Runs the installation; needs the server's operator_token as --api-key, or the login of somebody in its operator_domains.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Lists all organizations.
    Organizations,
    /// Lists what the plans allow.
    Plans,
    /// Changes what a plan allows.
    SetPlan(SetPlan),
    /// Gives an organization another plan.
    ChangePlan {
        /// The organization's id.
        organization: String,
        /// free, pro, team or enterprise.
        plan: String,
    },
    /// Lets an organization only look, from now on.
    Suspend {
        /// The organization's id.
        organization: String,
        /// For the audit log.
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
        /// Give its devices nothing meanwhile.
        #[arg(long)]
        block_devices: bool,
    },
    /// Seals all secrets in the database under the newest master key.
    Reseal,
    /// Ends a suspension.
    Resume {
        /// The organization's id.
        organization: String,
    },
}

/// The numbers of a plan; those that are not given stay.
#[derive(Debug, clap::Args)]
pub struct SetPlan {
    /// free, pro, team or enterprise.
    plan: String,
    /// The queue tier, p0 (best) to p3.
    #[arg(long)]
    tier: Option<String>,
    /// Uploads at the same time.
    #[arg(long)]
    uploads: Option<u32>,
    /// The largest archive in bytes.
    #[arg(long)]
    archive_bytes: Option<u64>,
    /// Processed uploads in a month.
    #[arg(long)]
    builds: Option<u32>,
    /// Requests of one credential in a minute.
    #[arg(long)]
    requests: Option<u32>,
    /// Registered devices.
    #[arg(long)]
    devices: Option<u64>,
    /// Days for which reports, and releases that nobody can be offered any more, are kept.
    #[arg(long)]
    retention_days: Option<u32>,
}

/// An organization.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.OrganizationSummary")]
pub struct Organization {
    pub organization_id: String,
    pub slug: String,
    pub display_name: String,
    pub plan: String,
    pub suspended: bool,
    pub devices_blocked: bool,
    pub created_at_us: i64,
}

impl From<v1::OrganizationSummary> for Organization {
    fn from(organization: v1::OrganizationSummary) -> Self {
        Self {
            organization_id: organization.organization_id,
            slug: organization.slug,
            display_name: organization.display_name,
            plan: organization.plan,
            suspended: organization.suspended,
            devices_blocked: organization.devices_blocked,
            created_at_us: organization.created_at_us,
        }
    }
}

/// All organizations.
#[derive(Debug, Serialize)]
pub struct Organizations {
    /// The organizations, oldest first.
    pub organizations: Vec<Organization>,
}

impl Display for Organizations {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let row = |organization: &Organization| {
            vec![
                organization.slug.clone(),
                organization.plan.clone(),
                view::yes(organization.suspended),
                view::yes(organization.devices_blocked),
                organization.organization_id.clone(),
                moment::text(organization.created_at_us),
            ]
        };
        let rows: Vec<_> = self.organizations.iter().map(row).collect();
        f.write_str(&table::text(&["organization", "plan", "suspended", "devices blocked", "id", "created"], &rows))
    }
}

/// What a plan allows.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.Plan")]
pub struct Plan {
    pub plan: String,
    pub tier: String,
    pub uploads_max: u32,
    pub archive_max_bytes: u64,
    pub builds_per_month: u32,
    pub requests_per_minute: u32,
    pub devices_max: u64,
    pub retention_days: u32,
}

impl From<v1::Plan> for Plan {
    fn from(plan: v1::Plan) -> Self {
        Self {
            plan: plan.plan,
            tier: plan.tier,
            uploads_max: plan.uploads_max,
            archive_max_bytes: plan.archive_max_bytes,
            builds_per_month: plan.builds_per_month,
            requests_per_minute: plan.requests_per_minute,
            devices_max: plan.devices_max,
            retention_days: plan.retention_days,
        }
    }
}

/// All plans.
#[derive(Debug, Serialize)]
pub struct Plans {
    /// The plans, least first.
    pub plans: Vec<Plan>,
}

impl Display for Plans {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let row = |plan: &Plan| {
            vec![
                plan.plan.clone(),
                plan.tier.clone(),
                plan.uploads_max.to_string(),
                plan.archive_max_bytes.to_string(),
                plan.builds_per_month.to_string(),
                plan.requests_per_minute.to_string(),
                plan.devices_max.to_string(),
                plan.retention_days.to_string(),
            ]
        };
        let rows: Vec<_> = self.plans.iter().map(row).collect();
        let headings =
            ["plan", "tier", "uploads", "archive bytes", "builds a month", "requests a minute", "devices", "days kept"];
        f.write_str(&table::text(&headings, &rows))
    }
}

/// What was sealed anew.
#[derive(Debug, Serialize)]
pub struct Resealed {
    /// How many secrets.
    pub resealed: i64,
}

impl Display for Resealed {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} secrets were sealed anew.", self.resealed)
    }
}

/// Runs one of the commands.
pub async fn run(command: Command, connection: &Connection) -> Result<AnyReport, Error> {
    let mut client = connection.operator();
    match command {
        Command::Organizations => {
            let organizations = paging::organizations(connection).await?.into_iter().map(Into::into).collect();
            Ok(Box::new(Organizations { organizations }))
        }
        Command::Plans => show_plans(plans(connection).await?),
        Command::SetPlan(set) => {
            let plan = set.over(plans(connection).await?)?;
            let answer = connection.answer(client.update_plan(v1::UpdatePlanRequest { plan: Some(plan) }).await)?;
            show_plans(answer.plan.into_iter().collect())
        }
        Command::ChangePlan { organization, plan } => {
            let request = v1::ChangePlanRequest { name: names::organization(&organization)?, plan };
            show(connection.answer(client.change_plan(request).await)?.organization)
        }
        Command::Suspend { organization, reason, block_devices } => {
            let name = names::organization(&organization)?;
            let request = v1::SuspendOrganizationRequest { name, reason, block_devices };
            show(connection.answer(client.suspend_organization(request).await)?.organization)
        }
        Command::Reseal => {
            let answer = connection.operator().reseal_secrets(v1::ResealSecretsRequest {}).await;
            Ok(Box::new(Resealed { resealed: connection.answer(answer)?.resealed }))
        }
        Command::Resume { organization } => {
            let request = v1::ResumeOrganizationRequest { name: names::organization(&organization)? };
            show(connection.answer(client.resume_organization(request).await)?.organization)
        }
    }
}

async fn plans(connection: &Connection) -> Result<Vec<v1::Plan>, Error> {
    Ok(connection.answer(connection.operator().list_plans(v1::ListPlansRequest {}).await)?.plans)
}

impl SetPlan {
    /// Puts what was given over the plan's present numbers.
    fn over(self, plans: Vec<v1::Plan>) -> Result<v1::Plan, Error> {
        let before = plans.into_iter().find(|plan| plan.plan == self.plan);
        let before = before.ok_or_else(|| Error::Usage(format!("there is no plan {:?}", self.plan)))?;
        Ok(v1::Plan {
            tier: self.tier.unwrap_or(before.tier),
            uploads_max: self.uploads.unwrap_or(before.uploads_max),
            archive_max_bytes: self.archive_bytes.unwrap_or(before.archive_max_bytes),
            builds_per_month: self.builds.unwrap_or(before.builds_per_month),
            requests_per_minute: self.requests.unwrap_or(before.requests_per_minute),
            devices_max: self.devices.unwrap_or(before.devices_max),
            retention_days: self.retention_days.unwrap_or(before.retention_days),
            plan: before.plan,
        })
    }
}

fn show_plans(plans: Vec<v1::Plan>) -> Result<AnyReport, Error> {
    Ok(Box::new(Plans { plans: plans.into_iter().map(Into::into).collect() }))
}

fn show(organization: Option<v1::OrganizationSummary>) -> Result<AnyReport, Error> {
    let organization = organization.ok_or_else(|| Error::missing("the organization"))?;
    Ok(Box::new(Organizations { organizations: vec![organization.into()] }))
}
