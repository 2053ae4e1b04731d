//! This file's job is to serve what is decided about single devices.

use crate::app::{devices, lookup};
use crate::auth::caller::caller;
use crate::context::Context;
use crate::error::Error;
use crate::names;
use crate::paging::List;
use db::device_revocations::Revocation;
use domain::id::DeviceId;
use proto::v1;
use tonic::{Request, Response, Status};

/// The device service.
#[derive(Clone)]
pub struct Devices {
    /// What use cases need.
    pub context: Context,
}

fn encode(row: &Revocation) -> v1::DeviceRevocation {
    v1::DeviceRevocation {
        device_id: row.device.to_string(),
        created_by: row.created_by.clone(),
        created_at_us: row.created_at.as_us(),
    }
}

fn device(text: &str) -> Result<DeviceId, Error> {
    text.parse().map_err(Error::in_field("device_id"))
}

#[tonic::async_trait]
impl v1::device_service_server::DeviceService for Devices {
    async fn revoke_device(
        &self,
        request: Request<v1::RevokeDeviceRequest>,
    ) -> Result<Response<v1::RevokeDeviceResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let (app, device) = (names::app("parent", &request.parent)?, device(&request.device_id)?);
        let row = self.context.write(caller, move |tx, change| devices::revoke(tx, change, &app, &device)).await?;
        Ok(Response::new(v1::RevokeDeviceResponse { revocation: Some(encode(&row)) }))
    }

    async fn restore_device(
        &self,
        request: Request<v1::RestoreDeviceRequest>,
    ) -> Result<Response<v1::RestoreDeviceResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let (app, device) = (names::app("parent", &request.parent)?, device(&request.device_id)?);
        self.context.write(caller, move |tx, change| devices::restore(tx, change, &app, &device)).await?;
        Ok(Response::new(v1::RestoreDeviceResponse {}))
    }

    async fn list_revoked_devices(
        &self,
        request: Request<v1::ListRevokedDevicesRequest>,
    ) -> Result<Response<v1::ListRevokedDevicesResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let path = names::app("parent", &request.parent)?;
        let list = List { method: "ListRevokedDevices", parent: &request.parent, organization: caller.organization() };
        let page = self.context.pages.read::<DeviceId>(list, request.page_size, &request.page_token)?;
        let (scope, after, limit) = (caller.scope.clone(), page.after.clone(), page.probe());
        let listed = self.context.read(move |conn| {
            let app = lookup::app(conn, &scope, &path)?;
            let after = after.as_ref().map(DeviceId::as_str);
            Ok(db::device_revocations::list(conn, &scope, &app.id, after, limit)?)
        });
        let mut rows = listed.await?;
        let next_page_token = self.context.pages.finish(list, &page, &mut rows, |row| row.device.to_string());
        let revocations = rows.iter().map(encode).collect();
        Ok(Response::new(v1::ListRevokedDevicesResponse { revocations, next_page_token }))
    }

    async fn rotate_device_key(
        &self,
        request: Request<v1::RotateDeviceKeyRequest>,
    ) -> Result<Response<v1::RotateDeviceKeyResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let app = names::app("parent", &request.parent)?;
        let made =
            self.context.write(caller, move |tx, change| devices::rotate_key(tx, change, &app, request.retire_earlier));
        Ok(Response::new(v1::RotateDeviceKeyResponse { generation: made.await? }))
    }
}
