//! This file's job is to serve apps.

use super::encode;
use crate::app::apps::{self, NewApp, Update};
use crate::app::lookup;
use crate::auth::caller::caller;
use crate::context::{Context, Once, Outcome};
use crate::names;
use crate::paging::List;
use domain::id::AppId;
use proto::v1;
use tonic::{Request, Response, Status};

/// The app service.
#[derive(Clone)]
pub struct Apps {
    /// What use cases need.
    pub context: Context,
}

#[tonic::async_trait]
impl v1::app_service_server::AppService for Apps {
    async fn create_app(
        &self,
        request: Request<v1::CreateAppRequest>,
    ) -> Result<Response<v1::CreateAppResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let once = Once::new("CreateApp", &request.request_id, &request)?;
        let new = NewApp::new(&request.slug, &request.display_name)?;
        let made = self.context.write_once(caller, once, move |tx, change| {
            let app = apps::create(tx, change, &new)?;
            Ok(Outcome::Keep(v1::CreateAppResponse { app: Some(encode::app(&app)) }))
        });
        Ok(Response::new(made.await?))
    }

    async fn get_app(&self, request: Request<v1::GetAppRequest>) -> Result<Response<v1::GetAppResponse>, Status> {
        let caller = caller(&request)?;
        let name = names::app("name", &request.get_ref().name)?;
        let app = self.context.read(move |conn| lookup::app(conn, &caller.scope, &name)).await?;
        Ok(Response::new(v1::GetAppResponse { app: Some(encode::app(&app)) }))
    }

    async fn list_apps(&self, request: Request<v1::ListAppsRequest>) -> Result<Response<v1::ListAppsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let list = List { method: "ListApps", parent: "", organization: caller.organization() };
        let page = self.context.pages.read::<AppId>(list, request.page_size, &request.page_token)?;
        let (scope, after, limit) = (caller.scope.clone(), page.after.clone(), page.probe());
        let listed =
            self.context.read(move |conn| Ok(db::apps::list(conn, &scope, after.as_ref().map(AppId::as_str), limit)?));
        let mut rows = listed.await?;
        let next_page_token = self.context.pages.finish(list, &page, &mut rows, |row| row.id.to_string());
        Ok(Response::new(v1::ListAppsResponse { apps: rows.iter().map(encode::app).collect(), next_page_token }))
    }

    async fn update_app(
        &self,
        request: Request<v1::UpdateAppRequest>,
    ) -> Result<Response<v1::UpdateAppResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let mask = request.update_mask.unwrap_or_default().paths;
        let update = Update::new(&request.app.unwrap_or_default(), &mask, &request.etag)?;
        let app = self.context.write(caller, move |tx, change| apps::update(tx, change, &update)).await?;
        Ok(Response::new(v1::UpdateAppResponse { app: Some(encode::app(&app)) }))
    }

    async fn delete_app(
        &self,
        request: Request<v1::DeleteAppRequest>,
    ) -> Result<Response<v1::DeleteAppResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let name = names::app("name", &request.name)?;
        let deleted = self.context.write(caller, move |tx, change| apps::delete(tx, change, &name, &request.etag));
        deleted.await?;
        Ok(Response::new(v1::DeleteAppResponse {}))
    }
}
