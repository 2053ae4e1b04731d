//! This file's job is to serve channels, their pins and explanations.

use super::encode;
use crate::app::channels::{self, NewChannel, Update};
use crate::app::explain::{self, Question};
use crate::app::lookup;
use crate::app::pins::{self, NewPin};
use crate::auth::caller::caller;
use crate::context::{Context, Once, Outcome};
use crate::names;
use crate::paging::List;
use domain::device::DeviceKey;
use domain::id::ChannelId;
use proto::v1;
use tonic::{Request, Response, Status};

/// The channel service.
#[derive(Clone)]
pub struct Channels {
    /// What use cases need.
    pub context: Context,
}

#[tonic::async_trait]
impl v1::channel_service_server::ChannelService for Channels {
    async fn create_channel(
        &self,
        request: Request<v1::CreateChannelRequest>,
    ) -> Result<Response<v1::CreateChannelResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let once = Once::new("CreateChannel", &request.request_id, &request)?;
        let new = NewChannel::new(&request)?;
        let made = self.context.write_once(caller, once, move |tx, change| {
            let channel = channels::create(tx, change, &new)?;
            Ok(Outcome::Keep(v1::CreateChannelResponse { channel: Some(encode::channel(&channel)) }))
        });
        Ok(Response::new(made.await?))
    }

    async fn get_channel(
        &self,
        request: Request<v1::GetChannelRequest>,
    ) -> Result<Response<v1::GetChannelResponse>, Status> {
        let caller = caller(&request)?;
        let path = names::channel("name", &request.get_ref().name)?;
        let channel = self.context.read(move |conn| lookup::channel(conn, &caller.scope, &path)).await?;
        Ok(Response::new(v1::GetChannelResponse { channel: Some(encode::channel(&channel)) }))
    }

    async fn list_channels(
        &self,
        request: Request<v1::ListChannelsRequest>,
    ) -> Result<Response<v1::ListChannelsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let parent = names::app("parent", &request.parent)?;
        let list = List { method: "ListChannels", parent: &request.parent, organization: caller.organization() };
        let page = self.context.pages.read::<ChannelId>(list, request.page_size, &request.page_token)?;
        let (scope, after, limit) = (caller.scope.clone(), page.after.clone(), page.probe());
        let listed = self.context.read(move |conn| {
            let app = lookup::app(conn, &scope, &parent)?;
            Ok(db::channels::list(conn, &scope, &app.id, after.as_ref().map(ChannelId::as_str), limit)?)
        });
        let mut rows = listed.await?;
        let next_page_token = self.context.pages.finish(list, &page, &mut rows, |row| row.id.to_string());
        let channels = rows.iter().map(encode::channel).collect();
        Ok(Response::new(v1::ListChannelsResponse { channels, next_page_token }))
    }

    async fn update_channel(
        &self,
        request: Request<v1::UpdateChannelRequest>,
    ) -> Result<Response<v1::UpdateChannelResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let mask = request.update_mask.unwrap_or_default().paths;
        let update = Update::new(&request.channel.unwrap_or_default(), &mask, &request.etag)?;
        let channel = self.context.write(caller, move |tx, change| channels::update(tx, change, &update)).await?;
        Ok(Response::new(v1::UpdateChannelResponse { channel: Some(encode::channel(&channel)) }))
    }

    async fn delete_channel(
        &self,
        request: Request<v1::DeleteChannelRequest>,
    ) -> Result<Response<v1::DeleteChannelResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let path = names::channel("name", &request.name)?;
        let deleted = self.context.write(caller, move |tx, change| channels::delete(tx, change, &path, &request.etag));
        deleted.await?;
        Ok(Response::new(v1::DeleteChannelResponse {}))
    }

    async fn pin_device(
        &self,
        request: Request<v1::PinDeviceRequest>,
    ) -> Result<Response<v1::PinDeviceResponse>, Status> {
        let caller = caller(&request)?;
        let new = NewPin::new(request.get_ref())?;
        let (pin, release) = self.context.write(caller, move |tx, change| pins::pin(tx, change, &new)).await?;
        Ok(Response::new(v1::PinDeviceResponse { pin: Some(encode::pin(&pin, release)) }))
    }

    async fn unpin_device(
        &self,
        request: Request<v1::UnpinDeviceRequest>,
    ) -> Result<Response<v1::UnpinDeviceResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let channel = names::channel("parent", &request.parent)?;
        let device = pins::device("device", &request.device)?;
        self.context.write(caller, move |tx, change| pins::unpin(tx, change, &channel, &device)).await?;
        Ok(Response::new(v1::UnpinDeviceResponse {}))
    }

    async fn list_device_pins(
        &self,
        request: Request<v1::ListDevicePinsRequest>,
    ) -> Result<Response<v1::ListDevicePinsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let path = names::channel("parent", &request.parent)?;
        let list = List { method: "ListDevicePins", parent: &request.parent, organization: caller.organization() };
        let page = self.context.pages.read::<DeviceKey>(list, request.page_size, &request.page_token)?;
        let (scope, after, limit) = (caller.scope.clone(), page.after.clone(), page.probe());
        let listed = self.context.read(move |conn| {
            let channel = lookup::channel(conn, &scope, &path)?;
            let after = after.as_ref().map(DeviceKey::as_str);
            Ok((db::device_pins::list(conn, &scope, &channel.id, after, limit)?, channel))
        });
        let (mut rows, channel) = listed.await?;
        let next_page_token = self.context.pages.finish(list, &page, &mut rows, |row| row.device_key.to_string());
        let name = |pin: &db::device_pins::Pin| names::of_release(&channel.app, &channel.id, &pin.release);
        let pins = rows.iter().map(|pin| encode::pin(pin, name(pin))).collect();
        Ok(Response::new(v1::ListDevicePinsResponse { pins, next_page_token }))
    }

    async fn explain(&self, request: Request<v1::ExplainRequest>) -> Result<Response<v1::ExplainResponse>, Status> {
        let caller = caller(&request)?;
        let question = Question::new(request.get_ref())?;
        let found = self.context.read(move |conn| explain::answer(conn, &caller.scope, &question)).await?;
        Ok(Response::new(encode::explanation(&found)))
    }
}
