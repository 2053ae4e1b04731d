//! This file's job is to offer an app to another organization, when CodePush's clients ask to transfer it.

use super::name;
use super::refusal::Refusal;
use super::services::Services;
use domain::id::OrganizationId;
use http::StatusCode;
use proto::v1;

/// Clients think of an account's address.
const ORGANIZATIONS_ONLY: &str = "An app belongs to an organization: write the id of the one that is to have it, \"org_…\", in place of \
    the e-mail address.";

/// `POST /apps/{app}/transfer/{organization}`: the app moves when the other organization accepts it.
pub(super) async fn offer(services: &Services, app: &str, to: &str) -> Result<(), Refusal> {
    let app = name::app(services, app).await?;
    let organization: OrganizationId =
        to.parse().map_err(|_| Refusal::Text(StatusCode::BAD_REQUEST, ORGANIZATIONS_ONLY.to_owned()))?;
    let request = v1::OfferAppRequest { name: app.name, organization_id: organization.to_string() };
    services.transfers().offer_app(request).await?;
    Ok(())
}
