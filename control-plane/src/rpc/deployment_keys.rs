//! This file's job is to serve the keys that stand for channels in apps with a CodePush client.

use crate::app::deployment_keys::{self, NewKey};
use crate::app::lookup;
use crate::auth::caller::caller;
use crate::context::{Context, Once, Outcome};
use crate::names;
use db::deployment_keys::Key;
use proto::v1;
use tonic::{Request, Response, Status};

/// The deployment key service.
#[derive(Clone)]
pub struct DeploymentKeys {
    /// What use cases need.
    pub context: Context,
}

fn encode(row: &Key) -> v1::DeploymentKey {
    v1::DeploymentKey {
        key: row.key.to_string(),
        platform: proto::convert::platform_to_wire(row.platform).into(),
        created_by: row.created_by.clone(),
        created_at_us: row.created_at.as_us(),
    }
}

#[tonic::async_trait]
impl v1::deployment_key_service_server::DeploymentKeyService for DeploymentKeys {
    async fn create_deployment_key(
        &self,
        request: Request<v1::CreateDeploymentKeyRequest>,
    ) -> Result<Response<v1::CreateDeploymentKeyResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let once = Once::new("CreateDeploymentKey", &request.request_id, &request)?;
        let new = NewKey::new(&request)?;
        let made = self.context.write_once(caller, once, move |tx, change| {
            let key = deployment_keys::create(tx, change, &new)?;
            Ok(Outcome::Keep(v1::CreateDeploymentKeyResponse { deployment_key: Some(encode(&key)) }))
        });
        Ok(Response::new(made.await?))
    }

    async fn delete_deployment_key(
        &self,
        request: Request<v1::DeleteDeploymentKeyRequest>,
    ) -> Result<Response<v1::DeleteDeploymentKeyResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let channel = names::channel("parent", &request.parent)?;
        let key = deployment_keys::key("deployment_key", &request.deployment_key)?;
        self.context.write(caller, move |tx, change| deployment_keys::delete(tx, change, &channel, &key)).await?;
        Ok(Response::new(v1::DeleteDeploymentKeyResponse {}))
    }

    async fn list_deployment_keys(
        &self,
        request: Request<v1::ListDeploymentKeysRequest>,
    ) -> Result<Response<v1::ListDeploymentKeysResponse>, Status> {
        let caller = caller(&request)?;
        let path = names::channel("parent", &request.get_ref().parent)?;
        let listed = self.context.read(move |conn| {
            let channel = lookup::channel(conn, &caller.scope, &path)?;
            Ok(db::deployment_keys::list(conn, &caller.scope, &channel.id)?)
        });
        let deployment_keys = listed.await?.iter().map(encode).collect();
        Ok(Response::new(v1::ListDeploymentKeysResponse { deployment_keys }))
    }
}
