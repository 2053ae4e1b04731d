//! This file's job is to serve the operator.

use super::ledger;
use crate::app::operator::{self as operating, Suspension};
use crate::app::reseal;
use crate::auth::caller::operator;
use crate::context::Context;
use crate::error::{self, Error};
use crate::names;
use crate::paging::List;
use domain::Timestamp;
use domain::id::OrganizationId;
use domain::plan::{Plan, PlanName};
use proto::v1;
use tonic::{Request, Response, Status};

/// The operator service.
#[derive(Clone)]
pub struct Operator {
    /// What use cases need.
    pub context: Context,
}

fn plan_name(text: &str) -> error::Result<PlanName> {
    text.parse().map_err(Error::in_field("plan"))
}

fn plan(plan: &v1::Plan) -> error::Result<Plan> {
    if plan.requests_per_minute == 0 {
        return Err(Error::field("plan.requests_per_minute", "must not be 0: nobody could call any more"));
    }
    Ok(Plan {
        name: plan_name(&plan.plan)?,
        tier: plan.tier.parse().map_err(Error::in_field("plan.tier"))?,
        uploads_max: plan.uploads_max,
        archive_max_bytes: plan.archive_max_bytes,
        builds_per_month: plan.builds_per_month,
        requests_per_minute: plan.requests_per_minute,
        devices_max: plan.devices_max,
        retention_days: plan.retention_days,
    })
}

/// Page tokens of the operator belong to no organization.
fn nobody() -> OrganizationId {
    OrganizationId::from_parts(Timestamp::from_us(0), [0; 10])
}

#[tonic::async_trait]
impl v1::operator_service_server::OperatorService for Operator {
    async fn list_organizations(
        &self,
        request: Request<v1::ListOrganizationsRequest>,
    ) -> Result<Response<v1::ListOrganizationsResponse>, Status> {
        operator(&request)?;
        let (request, nobody) = (request.into_inner(), nobody());
        let list = List { method: "ListOrganizations", parent: "", organization: &nobody };
        let page = self.context.pages.read::<OrganizationId>(list, request.page_size, &request.page_token)?;
        let (after, limit) = (page.after.clone(), page.probe());
        let listed = self.context.read(move |conn| {
            Ok(db::organizations::list_all(conn, after.as_ref().map(OrganizationId::as_str), limit)?)
        });
        let mut rows = listed.await?;
        let next_page_token = self.context.pages.finish(list, &page, &mut rows, |row| row.id.to_string());
        let organizations = rows.iter().map(ledger::organization).collect();
        Ok(Response::new(v1::ListOrganizationsResponse { organizations, next_page_token }))
    }

    async fn change_plan(
        &self,
        request: Request<v1::ChangePlanRequest>,
    ) -> Result<Response<v1::ChangePlanResponse>, Status> {
        let operator = operator(&request)?;
        let id = names::organization("name", &request.get_ref().name)?;
        let plan = plan_name(&request.get_ref().plan)?;
        let changed = self.context.operate(operator, move |tx, change| operating::change_plan(tx, change, &id, plan));
        Ok(Response::new(v1::ChangePlanResponse { organization: Some(ledger::organization(&changed.await?)) }))
    }

    async fn reseal_secrets(
        &self,
        request: Request<v1::ResealSecretsRequest>,
    ) -> Result<Response<v1::ResealSecretsResponse>, Status> {
        let resealed = reseal::reseal(&self.context, operator(&request)?).await?;
        Ok(Response::new(v1::ResealSecretsResponse { resealed: i64::try_from(resealed).unwrap_or(i64::MAX) }))
    }

    async fn suspend_organization(
        &self,
        request: Request<v1::SuspendOrganizationRequest>,
    ) -> Result<Response<v1::SuspendOrganizationResponse>, Status> {
        let operator = operator(&request)?;
        let request = request.into_inner();
        let id = names::organization("name", &request.name)?;
        let how = Suspension::new(&request.reason, request.block_devices)?;
        let suspended = self.context.operate(operator, move |tx, change| operating::suspend(tx, change, &id, &how));
        let organization = Some(ledger::organization(&suspended.await?));
        Ok(Response::new(v1::SuspendOrganizationResponse { organization }))
    }

    async fn resume_organization(
        &self,
        request: Request<v1::ResumeOrganizationRequest>,
    ) -> Result<Response<v1::ResumeOrganizationResponse>, Status> {
        let operator = operator(&request)?;
        let id = names::organization("name", &request.get_ref().name)?;
        let resumed = self.context.operate(operator, move |tx, change| operating::resume(tx, change, &id));
        Ok(Response::new(v1::ResumeOrganizationResponse { organization: Some(ledger::organization(&resumed.await?)) }))
    }

    async fn list_plans(
        &self,
        request: Request<v1::ListPlansRequest>,
    ) -> Result<Response<v1::ListPlansResponse>, Status> {
        operator(&request)?;
        let plans = self.context.read(|conn| Ok(db::plans::list(conn)?)).await?;
        Ok(Response::new(v1::ListPlansResponse { plans: plans.iter().map(ledger::plan).collect() }))
    }

    async fn update_plan(
        &self,
        request: Request<v1::UpdatePlanRequest>,
    ) -> Result<Response<v1::UpdatePlanResponse>, Status> {
        let operator = operator(&request)?;
        let plan = plan(&request.into_inner().plan.unwrap_or_default())?;
        let changed = plan.clone();
        self.context.operate(operator, move |tx, change| operating::update_plan(tx, change, &changed)).await?;
        Ok(Response::new(v1::UpdatePlanResponse { plan: Some(ledger::plan(&plan)) }))
    }
}
