//! This file's job is to read lists to their end.

use crate::connection::Connection;
use crate::error::Error;
use proto::v1;

/// The most that the server gives at once.
const PAGE_SIZE: i32 = 1_000;

macro_rules! all_pages {
    ($connection:expr, $client:ident . $method:ident, $request:ident { $($field:ident : $value:expr),* }, $items:ident) => {{
        let mut items = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::$request { $($field: $value,)* page_size: PAGE_SIZE, page_token };
            let answer = $connection.answer($connection.$client().$method(request).await)?;
            items.extend(answer.$items);
            if answer.next_page_token.is_empty() {
                break Ok(items);
            }
            page_token = answer.next_page_token;
        }
    }};
}

/// Lists all apps.
pub async fn apps(connection: &Connection) -> Result<Vec<v1::App>, Error> {
    all_pages!(connection, apps.list_apps, ListAppsRequest {}, apps)
}

/// Lists all API keys.
pub async fn api_keys(connection: &Connection) -> Result<Vec<v1::ApiKey>, Error> {
    all_pages!(connection, keys.list_api_keys, ListApiKeysRequest {}, api_keys)
}

/// Lists all webhooks.
pub async fn webhooks(connection: &Connection) -> Result<Vec<v1::Webhook>, Error> {
    all_pages!(connection, webhooks.list_webhooks, ListWebhooksRequest {}, webhooks)
}

/// Lists everything that a webhook was told, newest first.
pub async fn webhook_deliveries(connection: &Connection, webhook: &str) -> Result<Vec<v1::WebhookDelivery>, Error> {
    all_pages!(
        connection,
        webhooks.list_webhook_deliveries,
        ListWebhookDeliveriesRequest { parent: webhook.to_owned() },
        deliveries
    )
}

/// Lists all organizations, for the operator.
pub async fn organizations(connection: &Connection) -> Result<Vec<v1::OrganizationSummary>, Error> {
    all_pages!(connection, operator.list_organizations, ListOrganizationsRequest {}, organizations)
}

/// Lists all channels of an app.
pub async fn channels(connection: &Connection, app: &str) -> Result<Vec<v1::Channel>, Error> {
    all_pages!(connection, channels.list_channels, ListChannelsRequest { parent: app.to_owned() }, channels)
}

/// Lists all binaries of an app.
pub async fn binaries(connection: &Connection, app: &str) -> Result<Vec<v1::Binary>, Error> {
    all_pages!(connection, binaries.list_binaries, ListBinariesRequest { parent: app.to_owned() }, binaries)
}

/// Lists all bundles of an app, newest first.
pub async fn bundles(connection: &Connection, app: &str) -> Result<Vec<v1::Bundle>, Error> {
    all_pages!(connection, bundles.list_bundles, ListBundlesRequest { parent: app.to_owned() }, bundles)
}

/// Lists all releases of a channel, newest first.
pub async fn releases(connection: &Connection, channel: &str) -> Result<Vec<v1::Release>, Error> {
    all_pages!(connection, releases.list_releases, ListReleasesRequest { parent: channel.to_owned() }, releases)
}

/// Lists all devices of an app that are refused.
pub async fn revoked_devices(connection: &Connection, app: &str) -> Result<Vec<v1::DeviceRevocation>, Error> {
    all_pages!(
        connection,
        devices.list_revoked_devices,
        ListRevokedDevicesRequest { parent: app.to_owned() },
        revocations
    )
}

/// Lists all pins of a channel.
pub async fn pins(connection: &Connection, channel: &str) -> Result<Vec<v1::DevicePin>, Error> {
    all_pages!(connection, channels.list_device_pins, ListDevicePinsRequest { parent: channel.to_owned() }, pins)
}
