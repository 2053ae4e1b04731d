//! This file's job is to act as a browser: it keeps the session's cookie and says which page calls.

use crate::rig::{Rig, now};
use db::accounts::Account;
use db::members::Member;
use db::sessions::Session;
use db::{MailKind, Role, Scope, SessionKind};
use domain::id::{SessionId, UserId};
use domain::{EmailAddress, Sha256};
use proto::v1;
use proto::v1::person_service_client::PersonServiceClient;
use proto::v1::sign_in_service_client::SignInServiceClient;
use std::time::Duration;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

/// What every person here has chosen.
pub const PASSWORD: &str = "correct horse battery";
/// The cookie without encryption, as on every server that tests start.
const COOKIE: &str = "aloft-session-local";

/// A person at a browser.
#[derive(Debug, Clone)]
pub struct Browser {
    /// The person.
    pub person: v1::Person,
    /// The session's token.
    pub token: String,
    /// The page that calls; the server's own.
    pub origin: String,
}

impl Browser {
    /// Takes the cookie of an answer.
    pub fn enter<T>(rig: &Rig, person: v1::Person, answer: &Response<T>) -> Self {
        let cookie = answer.metadata().get("set-cookie").unwrap().to_str().unwrap();
        assert!(cookie.ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax"), "{cookie}");
        let token = cookie.split(['=', ';']).nth(1).unwrap().to_owned();
        Self { person, token, origin: format!("http://{}", rig.server.address) }
    }

    /// Puts the cookie and the page on a request.
    pub fn ask<T>(&self, message: T) -> Request<T> {
        let mut request = self.ask_without_origin(message);
        request.metadata_mut().insert("origin", self.origin.parse().unwrap());
        request
    }

    /// Puts the cookie on a request that no page makes.
    pub fn ask_without_origin<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("cookie", format!("theme=dark; {COOKIE}={}", self.token).parse().unwrap());
        request
    }

    /// Puts the cookie, the page and an organization on a request.
    pub fn ask_for<T>(&self, organization: &str, message: T) -> Request<T> {
        let mut request = self.ask(message);
        request.metadata_mut().insert("aloft-organization", organization.parse().unwrap());
        request
    }

    /// Asks who is signed in.
    pub async fn whoami(&self, rig: &Rig) -> Result<v1::Person, Status> {
        let answer = rig.person().get_person(self.ask(v1::GetPersonRequest {})).await?;
        Ok(answer.into_inner().person.unwrap())
    }

    /// The person's id.
    pub fn id(&self) -> UserId {
        self.person.person_id.parse().unwrap()
    }
}

impl Rig {
    /// A client for people who are not signed in.
    pub fn sign_ins(&self) -> SignInServiceClient<Channel> {
        SignInServiceClient::new(self.server.channel.clone())
    }

    /// A client for people who are.
    pub fn person(&self) -> PersonServiceClient<Channel> {
        PersonServiceClient::new(self.server.channel.clone())
    }

    /// Makes an account.
    pub async fn sign_up(&self, email: &str) -> Browser {
        self.sign_ins().sign_up(v1::SignUpRequest { email: email.into() }).await.unwrap();
        let token = self.mail_token(MailKind::SignUp, email).await;
        let request = v1::CompleteSignUpRequest { token, display_name: "A Person".into(), password: PASSWORD.into() };
        let answer = self.sign_ins().complete_sign_up(request).await.unwrap();
        let person = answer.get_ref().person.clone().unwrap();
        Browser::enter(self, person, &answer)
    }

    /// Makes an account that is a member and has logged its command line in; returns the token.
    pub async fn signed_in_member(&self, scope: &Scope, role: Role) -> String {
        let id = UserId::from_parts(now(), runtime::random::bytes());
        let account = Account {
            id: id.clone(),
            email: format!("{id}@example.com").parse().unwrap(),
            name: "A Member".into(),
            password_hash: None,
            email_verified_at: Some(now()),
            created_at: now(),
        };
        let member =
            Member { organization: scope.organization().clone(), account: id.clone(), role, created_at: now() };
        let token = format!("as_{}", hex::encode(runtime::random::bytes::<32>()).get(..43).unwrap());
        let session = Session {
            id: SessionId::from_parts(now(), runtime::random::bytes()),
            account: id,
            token_hash: Sha256::of(token.as_bytes()),
            kind: SessionKind::CommandLine,
            organization: Some(scope.organization().clone()),
            client: "aloft".into(),
            address: String::new(),
            created_at: now(),
            refreshed_at: now(),
            expires_at: now().plus(Duration::from_secs(60 * 60)),
        };
        let made = self.db.write(move |tx| {
            db::accounts::insert(tx, &account)?;
            db::members::insert(tx, &member)?;
            db::sessions::insert(tx, &session)
        });
        made.await.unwrap();
        token
    }

    /// Signs in.
    pub async fn sign_in(&self, email: &str, password: &str) -> Result<Browser, Status> {
        let request = v1::SignInRequest { email: email.into(), password: password.into() };
        let answer = self.sign_ins().sign_in(request).await?;
        let person = answer.get_ref().person.clone().unwrap();
        Ok(Browser::enter(self, person, &answer))
    }

    /// Returns the kinds of mail that an address is to get, oldest first.
    pub async fn mails(&self, email: &str) -> Vec<db::mails::Mail> {
        let address: EmailAddress = email.parse().unwrap();
        self.db.read(move |conn| db::mails::list(conn, &address)).await.unwrap()
    }

    /// Does what the worker does when it sends the newest mail of a kind; returns the token in its link.
    pub async fn mail_token(&self, kind: MailKind, email: &str) -> String {
        let mail = self.mails(email).await.into_iter().rfind(|mail| mail.kind == kind).expect("a mail was queued");
        let token = format!("token-{}-{}", mail.id, now().as_us());
        let hash = Sha256::of(token.as_bytes());
        self.db.write(move |tx| db::mails::set_token(tx, &mail.id, &hash)).await.unwrap();
        token
    }
}
