//! This file's job is to serve webhooks.

use crate::app::etag;
use crate::app::webhooks::{self, NewWebhook, Rotation, Update};
use crate::auth::caller::caller;
use crate::context::Context;
use crate::names;
use crate::paging::List;
use db::webhook_deliveries::{Delivery, Try};
use db::webhooks::Webhook;
use domain::Timestamp;
use domain::id::{DeliveryId, WebhookId};
use proto::v1;
use tonic::{Request, Response, Status};

/// The webhook service.
#[derive(Clone)]
pub struct Webhooks {
    /// What use cases need.
    pub context: Context,
}

#[tonic::async_trait]
impl v1::webhook_service_server::WebhookService for Webhooks {
    async fn create_webhook(
        &self,
        request: Request<v1::CreateWebhookRequest>,
    ) -> Result<Response<v1::CreateWebhookResponse>, Status> {
        let (caller, vault) = (caller(&request)?, self.context.vault.clone());
        let new = NewWebhook::new(request.get_ref(), self.context.bounds.web_reach)?;
        let made = self.context.write(caller, move |tx, change| webhooks::create(tx, change, &vault, &new));
        let (row, secret) = made.await?;
        Ok(Response::new(v1::CreateWebhookResponse { webhook: Some(webhook(row)), secret }))
    }

    async fn get_webhook(
        &self,
        request: Request<v1::GetWebhookRequest>,
    ) -> Result<Response<v1::GetWebhookResponse>, Status> {
        let caller = caller(&request)?;
        let id = names::webhook("name", &request.get_ref().name)?;
        let row = self.context.read(move |conn| Ok(db::webhooks::get(conn, caller.live_scope()?, &id)?)).await?;
        Ok(Response::new(v1::GetWebhookResponse { webhook: Some(webhook(row)) }))
    }

    async fn list_webhooks(
        &self,
        request: Request<v1::ListWebhooksRequest>,
    ) -> Result<Response<v1::ListWebhooksResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let list = List { method: "ListWebhooks", parent: "", organization: caller.organization() };
        let page = self.context.pages.read::<WebhookId>(list, request.page_size, &request.page_token)?;
        let (scope, after, limit) = (caller.live_scope()?.clone(), page.after.clone(), page.probe());
        let listed = self.context.read(move |conn| Ok(db::webhooks::list(conn, &scope, after.as_ref(), limit)?));
        let mut rows = listed.await?;
        let next_page_token = self.context.pages.finish(list, &page, &mut rows, |row| row.id.to_string());
        let webhooks = rows.into_iter().map(webhook).collect();
        Ok(Response::new(v1::ListWebhooksResponse { webhooks, next_page_token }))
    }

    async fn update_webhook(
        &self,
        request: Request<v1::UpdateWebhookRequest>,
    ) -> Result<Response<v1::UpdateWebhookResponse>, Status> {
        let caller = caller(&request)?;
        let v1::UpdateWebhookRequest { webhook: wanted, update_mask, etag } = request.into_inner();
        let mask = update_mask.unwrap_or_default().paths;
        let update = Update::new(&wanted.unwrap_or_default(), &mask, &etag, self.context.bounds.web_reach)?;
        let row = self.context.write(caller, move |tx, change| webhooks::update(tx, change, &update)).await?;
        Ok(Response::new(v1::UpdateWebhookResponse { webhook: Some(webhook(row)) }))
    }

    async fn rotate_webhook_secret(
        &self,
        request: Request<v1::RotateWebhookSecretRequest>,
    ) -> Result<Response<v1::RotateWebhookSecretResponse>, Status> {
        let (caller, vault) = (caller(&request)?, self.context.vault.clone());
        let rotation = Rotation::new(request.get_ref())?;
        let rotated = self.context.write(caller, move |tx, change| webhooks::rotate(tx, change, &vault, &rotation));
        let (row, secret) = rotated.await?;
        Ok(Response::new(v1::RotateWebhookSecretResponse { webhook: Some(webhook(row)), secret }))
    }

    async fn delete_webhook(
        &self,
        request: Request<v1::DeleteWebhookRequest>,
    ) -> Result<Response<v1::DeleteWebhookResponse>, Status> {
        let caller = caller(&request)?;
        let id = names::webhook("name", &request.get_ref().name)?;
        self.context.write(caller, move |tx, change| webhooks::delete(tx, change, &id)).await?;
        Ok(Response::new(v1::DeleteWebhookResponse {}))
    }

    async fn test_webhook(
        &self,
        request: Request<v1::TestWebhookRequest>,
    ) -> Result<Response<v1::TestWebhookResponse>, Status> {
        let caller = caller(&request)?;
        let id = names::webhook("name", &request.get_ref().name)?;
        let to = id.clone();
        let row = self.context.write(caller, move |tx, change| webhooks::test(tx, change, &id)).await?;
        Ok(Response::new(v1::TestWebhookResponse { delivery: Some(delivery(&to, row)) }))
    }

    async fn list_webhook_deliveries(
        &self,
        request: Request<v1::ListWebhookDeliveriesRequest>,
    ) -> Result<Response<v1::ListWebhookDeliveriesResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let id = names::webhook("parent", &request.parent)?;
        let list =
            List { method: "ListWebhookDeliveries", parent: &request.parent, organization: caller.organization() };
        let page = self.context.pages.read::<DeliveryId>(list, request.page_size, &request.page_token)?;
        let (scope, to, before, limit) = (caller.live_scope()?.clone(), id.clone(), page.after.clone(), page.probe());
        let listed =
            self.context.read(move |conn| Ok(db::webhook_deliveries::list(conn, &scope, &to, before.as_ref(), limit)?));
        let mut rows = listed.await?;
        let next_page_token = self.context.pages.finish(list, &page, &mut rows, |row| row.id.to_string());
        let deliveries = rows.into_iter().map(|row| v1::WebhookDelivery { body: String::new(), ..delivery(&id, row) });
        Ok(Response::new(v1::ListWebhookDeliveriesResponse { deliveries: deliveries.collect(), next_page_token }))
    }

    async fn get_webhook_delivery(
        &self,
        request: Request<v1::GetWebhookDeliveryRequest>,
    ) -> Result<Response<v1::GetWebhookDeliveryResponse>, Status> {
        let caller = caller(&request)?;
        let path = names::delivery("name", &request.get_ref().name)?;
        let to = path.webhook.clone();
        let found = self.context.read(move |conn| {
            let row = db::webhook_deliveries::get(conn, caller.live_scope()?, &path.webhook, &path.delivery)?;
            let tries = db::webhook_deliveries::tries(conn, &row.id)?;
            Ok((row, tries))
        });
        let (row, tries) = found.await?;
        let tries = tries.into_iter().map(one_try).collect();
        let delivery = v1::WebhookDelivery { tries, ..delivery(&to, row) };
        Ok(Response::new(v1::GetWebhookDeliveryResponse { delivery: Some(delivery) }))
    }

    async fn redeliver_webhook(
        &self,
        request: Request<v1::RedeliverWebhookRequest>,
    ) -> Result<Response<v1::RedeliverWebhookResponse>, Status> {
        let caller = caller(&request)?;
        let path = names::delivery("name", &request.get_ref().name)?;
        let to = path.webhook.clone();
        let row = self.context.write(caller, move |tx, change| webhooks::redeliver(tx, change, &path)).await?;
        Ok(Response::new(v1::RedeliverWebhookResponse { delivery: Some(delivery(&to, row)) }))
    }
}

fn us(at: Option<Timestamp>) -> i64 {
    at.map_or(0, Timestamp::as_us)
}

/// Writes a webhook; its secrets stay where they are.
fn webhook(row: Webhook) -> v1::Webhook {
    v1::Webhook {
        name: names::of_webhook(&row.id),
        app: row.app.as_ref().map(names::of_app).unwrap_or_default(),
        url: row.url,
        events: row.events.iter().map(ToString::to_string).collect(),
        enabled: row.enabled,
        etag: etag::of(row.revision),
        created_by: row.created_by,
        created_at_us: row.created_at.as_us(),
        updated_at_us: row.updated_at.as_us(),
        previous_secret_until_us: us(row.previous_until),
    }
}

fn delivery(to: &WebhookId, row: Delivery) -> v1::WebhookDelivery {
    v1::WebhookDelivery {
        name: names::of_delivery(to, &row.id),
        message_id: row.message.to_string(),
        event: row.event.to_string(),
        state: row.state.to_string(),
        try_count: row.tries,
        next_try_at_us: us(row.next_try_at),
        error: row.error.unwrap_or_default(),
        created_at_us: row.created_at.as_us(),
        finished_at_us: us(row.finished_at),
        body: row.body,
        tries: Vec::new(),
    }
}

fn one_try(row: Try) -> v1::WebhookTry {
    v1::WebhookTry {
        number: row.number,
        at_us: row.at.as_us(),
        duration_ms: row.duration_ms,
        status: row.status.unwrap_or(0),
        error: row.error.unwrap_or_default(),
    }
}
