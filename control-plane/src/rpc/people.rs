//! This file's job is to serve people: signing up, signing in, and their sessions.

use super::encode;
use crate::app::people::second_step::{self, Begun};
use crate::app::people::{self, Entry, NewSession, SignUpForm, logins};
use crate::auth::caller::signed_in;
use crate::auth::oidc::Provider;
use crate::auth::session::{BROWSER_LIFETIME, Client};
use crate::context::Context;
use crate::error::Error;
use crate::peer;
use proto::v1;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The services for people.
#[derive(Clone)]
pub struct People {
    /// What use cases need.
    pub context: Context,
    /// With which people may sign in.
    pub provider: Option<Arc<Provider>>,
}

impl People {
    /// Puts the session's cookie on an answer.
    fn enter<T>(&self, session: &NewSession, answer: T) -> Result<Response<T>, Status> {
        self.with_cookie(&session.token, BROWSER_LIFETIME.as_secs(), answer)
    }

    fn with_cookie<T>(&self, token: &str, seconds: u64, answer: T) -> Result<Response<T>, Status> {
        let mut response = Response::new(answer);
        let cookie = self.context.site.set_cookie(token, seconds).parse();
        let cookie = cookie.map_err(|_| Status::internal("a cookie could not be written"))?;
        response.metadata_mut().insert("set-cookie", cookie);
        Ok(response)
    }
}

/// Describes who signs in.
fn client<T>(request: &Request<T>) -> Client {
    let name = request.metadata().get("user-agent").and_then(|name| name.to_str().ok()).unwrap_or_default();
    Client::new(name, peer::of(request).map(|address| address.to_string()).unwrap_or_default())
}

#[tonic::async_trait]
impl v1::sign_in_service_server::SignInService for People {
    async fn sign_up(&self, request: Request<v1::SignUpRequest>) -> Result<Response<v1::SignUpResponse>, Status> {
        people::sign_up(&self.context, &request.get_ref().email, peer::of(&request)).await?;
        Ok(Response::new(v1::SignUpResponse {}))
    }

    async fn complete_sign_up(
        &self,
        request: Request<v1::CompleteSignUpRequest>,
    ) -> Result<Response<v1::CompleteSignUpResponse>, Status> {
        let client = client(&request);
        let v1::CompleteSignUpRequest { token, display_name, password } = request.into_inner();
        let form = SignUpForm { token: &token, name: &display_name, password: &password };
        let session = people::complete(&self.context, form, client).await?;
        let person = Some(encode::person(&session.account, &session.places));
        self.enter(&session, v1::CompleteSignUpResponse { person })
    }

    async fn sign_in(&self, request: Request<v1::SignInRequest>) -> Result<Response<v1::SignInResponse>, Status> {
        let (client, peer) = (client(&request), peer::of(&request));
        let v1::SignInRequest { email, password } = request.into_inner();
        match people::sign_in(&self.context, &email, &password, client, peer).await? {
            Entry::Session(session) => {
                let person = Some(encode::person(&session.account, &session.places));
                self.enter(&session, v1::SignInResponse { person, ..Default::default() })
            }
            Entry::SecondStep(second_step_token) => {
                Ok(Response::new(v1::SignInResponse { person: None, second_step_token }))
            }
        }
    }

    async fn get_ways_in(
        &self,
        _request: Request<v1::GetWaysInRequest>,
    ) -> Result<Response<v1::GetWaysInResponse>, Status> {
        let provider_name = self.provider.as_ref().map(|provider| provider.name().to_owned()).unwrap_or_default();
        let sign_up_open = self.context.door.is_open();
        Ok(Response::new(v1::GetWaysInResponse { provider_name, sign_up_open }))
    }

    async fn complete_sign_in(
        &self,
        request: Request<v1::CompleteSignInRequest>,
    ) -> Result<Response<v1::CompleteSignInResponse>, Status> {
        let client = client(&request);
        let v1::CompleteSignInRequest { second_step_token, code } = request.into_inner();
        let session = people::complete_sign_in(&self.context, &second_step_token, &code, client).await?;
        let person = Some(encode::person(&session.account, &session.places));
        self.enter(&session, v1::CompleteSignInResponse { person })
    }

    async fn request_password_reset(
        &self,
        request: Request<v1::RequestPasswordResetRequest>,
    ) -> Result<Response<v1::RequestPasswordResetResponse>, Status> {
        people::request_reset(&self.context, &request.get_ref().email, peer::of(&request)).await?;
        Ok(Response::new(v1::RequestPasswordResetResponse {}))
    }

    async fn reset_password(
        &self,
        request: Request<v1::ResetPasswordRequest>,
    ) -> Result<Response<v1::ResetPasswordResponse>, Status> {
        let request = request.into_inner();
        people::reset(&self.context, &request.token, &request.password).await?;
        Ok(Response::new(v1::ResetPasswordResponse {}))
    }

    async fn start_login(
        &self,
        request: Request<v1::StartLoginRequest>,
    ) -> Result<Response<v1::StartLoginResponse>, Status> {
        let peer = peer::of(&request);
        let address = peer.map(|address| address.to_string()).unwrap_or_default();
        let client = Client::new(&request.get_ref().client, address);
        let started = logins::start(&self.context, client, peer).await?;
        Ok(Response::new(encode::started_login(started, &self.context.site)))
    }

    async fn poll_login(
        &self,
        request: Request<v1::PollLoginRequest>,
    ) -> Result<Response<v1::PollLoginResponse>, Status> {
        let polled = logins::poll(&self.context, &request.get_ref().device_code).await?;
        Ok(Response::new(encode::polled_login(polled)))
    }
}

#[tonic::async_trait]
impl v1::person_service_server::PersonService for People {
    async fn get_person(
        &self,
        request: Request<v1::GetPersonRequest>,
    ) -> Result<Response<v1::GetPersonResponse>, Status> {
        let person = signed_in(&request)?;
        let (second_step, left) = second_step::status(&self.context, &person).await?;
        let recovery_codes_left = i32::try_from(left).unwrap_or(i32::MAX);
        let person = Some(encode::person(&person.account, &person.places));
        Ok(Response::new(v1::GetPersonResponse { person, second_step, recovery_codes_left }))
    }

    async fn sign_out(&self, request: Request<v1::SignOutRequest>) -> Result<Response<v1::SignOutResponse>, Status> {
        people::sign_out(&self.context, signed_in(&request)?).await?;
        self.with_cookie("", 0, v1::SignOutResponse {})
    }

    async fn change_password(
        &self,
        request: Request<v1::ChangePasswordRequest>,
    ) -> Result<Response<v1::ChangePasswordResponse>, Status> {
        let (person, peer) = (signed_in(&request)?, peer::of(&request));
        let v1::ChangePasswordRequest { current_password, new_password } = request.into_inner();
        people::change_password(&self.context, person, &current_password, &new_password, peer).await?;
        Ok(Response::new(v1::ChangePasswordResponse {}))
    }

    async fn list_sessions(
        &self,
        request: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsResponse>, Status> {
        let person = signed_in(&request)?;
        let rows = people::list(&self.context, &person).await?;
        let sessions = rows.iter().map(|row| encode::session(row, &person.session.id)).collect();
        Ok(Response::new(v1::ListSessionsResponse { sessions }))
    }

    async fn revoke_session(
        &self,
        request: Request<v1::RevokeSessionRequest>,
    ) -> Result<Response<v1::RevokeSessionResponse>, Status> {
        let person = signed_in(&request)?;
        let id = request.get_ref().session_id.parse().map_err(Error::in_field("session_id"))?;
        people::revoke(&self.context, person, id).await?;
        Ok(Response::new(v1::RevokeSessionResponse {}))
    }

    async fn get_login(&self, request: Request<v1::GetLoginRequest>) -> Result<Response<v1::GetLoginResponse>, Status> {
        let (person, peer) = (signed_in(&request)?, peer::of(&request));
        let login = logins::find(&self.context, &person, &request.get_ref().user_code, peer).await?;
        let created_at_us = login.created_at.as_us();
        Ok(Response::new(v1::GetLoginResponse { client: login.client, address: login.address, created_at_us }))
    }

    async fn decide_login(
        &self,
        request: Request<v1::DecideLoginRequest>,
    ) -> Result<Response<v1::DecideLoginResponse>, Status> {
        let (person, peer) = (signed_in(&request)?, peer::of(&request));
        let v1::DecideLoginRequest { user_code, approve, organization } = request.into_inner();
        logins::decide(&self.context, person, (&user_code, approve, &organization), peer).await?;
        Ok(Response::new(v1::DecideLoginResponse {}))
    }

    async fn begin_second_step(
        &self,
        request: Request<v1::BeginSecondStepRequest>,
    ) -> Result<Response<v1::BeginSecondStepResponse>, Status> {
        let (person, peer) = (signed_in(&request)?, peer::of(&request));
        let Begun { secret, uri } =
            second_step::begin(&self.context, person, &request.get_ref().password, peer).await?;
        Ok(Response::new(v1::BeginSecondStepResponse { secret, uri }))
    }

    async fn confirm_second_step(
        &self,
        request: Request<v1::ConfirmSecondStepRequest>,
    ) -> Result<Response<v1::ConfirmSecondStepResponse>, Status> {
        let person = signed_in(&request)?;
        let recovery_codes = second_step::confirm(&self.context, person, &request.get_ref().code).await?;
        Ok(Response::new(v1::ConfirmSecondStepResponse { recovery_codes }))
    }

    async fn remove_second_step(
        &self,
        request: Request<v1::RemoveSecondStepRequest>,
    ) -> Result<Response<v1::RemoveSecondStepResponse>, Status> {
        let person = signed_in(&request)?;
        second_step::remove(&self.context, person, &request.get_ref().code).await?;
        Ok(Response::new(v1::RemoveSecondStepResponse {}))
    }
}
