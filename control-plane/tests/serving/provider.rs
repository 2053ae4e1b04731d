//! This file's job is to check how people sign in with an OpenID Connect provider: a real one, and browsers that follow its pages.

use crate::browser::Browser;
use crate::on_both_databases;
use crate::rig::{Rig, config, now, serve_with};
use control_plane::SignUp;
use proto::v1;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Response, Url};
use runtime::clock::Clock;
use runtime::secret::Secret;
use std::collections::BTreeMap;
use testkit::oidc::TestProvider;

on_both_databases!(
    a_person_comes_in_with_the_provider_and_stays_the_same_person,
    only_a_verified_address_finds_an_account,
    strangers_come_in_only_where_anybody_may,
    a_way_back_that_another_browser_began_is_refused,
    forged_and_repeated_ways_back_are_refused,
);

/// A server that trusts a provider, at an address that both know before they start.
struct World {
    rig: Rig,
    provider: TestProvider,
    address: String,
}

impl World {
    async fn new(rig: Rig, sign_up: SignUp) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let address = format!("http://{free}");
        let provider = TestProvider::start(&format!("{address}/sign-in/provider/back"));
        let config = control_plane::Config {
            listen: free,
            sign_up,
            provider_issuer: provider.issuer.clone(),
            provider_client_id: TestProvider::CLIENT_ID.into(),
            provider_client_secret: Secret::from(TestProvider::CLIENT_SECRET),
            provider_name: "the test".into(),
            ..config()
        };
        let (server, _) = serve_with(&rig.db, &rig.store, Clock::system(), config).await;
        Self { rig: rig.served_by(server), provider, address }
    }

    fn visitor(&self) -> Visitor {
        // An error means that a provider of TLS is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().redirect(reqwest::redirect::Policy::none()).http1_only().build().unwrap();
        Visitor { http, cookies: BTreeMap::new() }
    }

    /// Signs in at the provider with this address, and returns the page that the browser ends at.
    async fn sign_in(&self, visitor: &mut Visitor, email: &str) -> Url {
        let back = self.to_the_way_back(visitor, email).await;
        visitor.follow(back, &self.address).await
    }

    /// Signs in at the provider, and returns the address that it sends the browser back to.
    async fn to_the_way_back(&self, visitor: &mut Visitor, email: &str) -> Url {
        let begin: Url = format!("{}/sign-in/provider", self.address).parse().unwrap();
        let mut page = visitor.get(begin).await;
        loop {
            page = match visitor.location(&page) {
                Some(next) if next.as_str().starts_with(&self.address) => return next,
                Some(next) => visitor.get(next).await,
                None => visitor.fill(page, email).await,
            };
        }
    }

    async fn whoami(&self, visitor: &Visitor) -> v1::Person {
        let token = visitor.cookies.get("aloft-session-local").expect("a session's cookie").clone();
        let browser = Browser { person: v1::Person::default(), token, origin: self.address.clone() };
        browser.whoami(&self.rig).await.unwrap()
    }
}

/// A browser that follows links and fills in forms.
struct Visitor {
    http: Client,
    cookies: BTreeMap<String, String>,
}

impl Visitor {
    fn take_cookies(&mut self, answer: &Response) {
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), rest.split(';').next().unwrap().to_owned());
        }
    }

    fn cookie_header(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    async fn get(&mut self, address: Url) -> Response {
        let answer = self.http.get(address).header(COOKIE, self.cookie_header()).send().await.unwrap();
        self.take_cookies(&answer);
        answer
    }

    fn location(&self, answer: &Response) -> Option<Url> {
        let location = answer.headers().get(LOCATION)?.to_str().unwrap();
        Some(answer.url().join(location).unwrap())
    }

    /// Types the address and any password in; agrees to everything.
    async fn fill(&mut self, page: Response, email: &str) -> Response {
        let address = page.url().clone();
        let text = page.text().await.unwrap();
        let prompt = if text.contains("name=\"login\"") { "login" } else { "consent" };
        assert!(text.contains(&format!("value=\"{prompt}\"")), "{text}");
        let form = [("prompt", prompt), ("login", email), ("password", "x")];
        let answer = self.http.post(address).header(COOKIE, self.cookie_header()).form(&form).send().await.unwrap();
        self.take_cookies(&answer);
        answer
    }

    /// Follows an address until no redirect stays on the site; returns the last one.
    async fn follow(&mut self, address: Url, site: &str) -> Url {
        let answer = self.get(address).await;
        let next = self.location(&answer).expect("the way back leads to a page");
        assert!(next.as_str().starts_with(site), "{next}");
        next
    }
}

fn problem(page: &Url) -> String {
    let said = page.fragment().unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(said.as_bytes());
    pairs.find(|(name, _)| name == "problem").map(|(_, text)| text.into_owned()).unwrap_or_default()
}

async fn a_person_comes_in_with_the_provider_and_stays_the_same_person(rig: Rig) {
    let world = World::new(rig, SignUp::Open).await;
    let ways = world.rig.sign_ins().get_ways_in(v1::GetWaysInRequest {}).await.unwrap().into_inner();
    assert_eq!((ways.provider_name.as_str(), ways.sign_up_open), ("the test", true));
    let mut visitor = world.visitor();
    let page = world.sign_in(&mut visitor, "pat@example.com").await;
    assert_eq!(page.as_str(), format!("{}/sign-in#entered", world.address));
    let person = world.whoami(&visitor).await;
    assert_eq!((person.email.as_str(), person.display_name.as_str()), ("pat@example.com", "Pat Person"));
    let mut again = world.visitor();
    world.sign_in(&mut again, "pat@example.com").await;
    assert_eq!(world.whoami(&again).await.person_id, person.person_id);
    assert_eq!(visitor.cookies.get("aloft-way-local").map(String::as_str), Some(""), "the way is forgotten");
}

async fn only_a_verified_address_finds_an_account(rig: Rig) {
    let world = World::new(rig, SignUp::Open).await;
    for email in ["pat@example.com", "un@example.com"] {
        world.rig.sign_up(email).await;
    }
    let mut visitor = world.visitor();
    let page = world.sign_in(&mut visitor, "un@example.com").await;
    assert!(problem(&page).contains("not verified"), "{page}");
    assert!(!visitor.cookies.contains_key("aloft-session-local"));
    let mut visitor = world.visitor();
    world.sign_in(&mut visitor, "pat@example.com").await;
    let person = world.whoami(&visitor).await;
    assert_eq!(person.display_name, "A Person", "the account that there was");
    let refused = world.rig.sign_in("pat@example.com", "a wrong password").await;
    assert!(refused.is_err());
}

async fn strangers_come_in_only_where_anybody_may(rig: Rig) {
    let world = World::new(rig, SignUp::Invited).await;
    let page = world.sign_in(&mut world.visitor(), "pat@example.com").await;
    assert!(problem(&page).contains("invitation"), "{page}");
    let invite = v1::CreateInvitationRequest { email: "pat@example.com".into(), role: "viewer".into() };
    let owner = world.rig.signed_in_member(&world.rig.scope, db::Role::Owner).await;
    let mut organizations =
        v1::organization_service_client::OrganizationServiceClient::new(world.rig.server.channel.clone());
    organizations.create_invitation(crate::rig::with(&owner, invite)).await.unwrap();
    let mut visitor = world.visitor();
    world.sign_in(&mut visitor, "pat@example.com").await;
    assert_eq!(
        world.whoami(&visitor).await.memberships,
        [],
        "it has an account; the invitation's link makes it a member"
    );
}

async fn a_way_back_that_another_browser_began_is_refused(rig: Rig) {
    let world = World::new(rig, SignUp::Open).await;
    let (mut attacker, mut victim) = (world.visitor(), world.visitor());
    let back = world.to_the_way_back(&mut attacker, "attacker@example.com").await;
    let page = victim.follow(back.clone(), &world.address).await;
    assert!(problem(&page).contains("did not begin"), "{page}");
    victim.get(format!("{}/sign-in/provider", world.address).parse().unwrap()).await;
    let page = victim.follow(back.clone(), &world.address).await;
    assert!(problem(&page).contains("another browser"), "{page}");
    assert!(!victim.cookies.contains_key("aloft-session-local"));
    let page = attacker.follow(back, &world.address).await;
    assert_eq!(page.fragment(), Some("entered"), "the control");
}

async fn forged_and_repeated_ways_back_are_refused(rig: Rig) {
    let world = World::new(rig, SignUp::Open).await;
    let mut visitor = world.visitor();
    let back = world.to_the_way_back(&mut visitor, "pat@example.com").await;
    let kept = visitor.cookies.clone();
    let changed = |name: &str, value: &str| {
        let mut address = back.clone();
        let pairs: Vec<(String, String)> = back
            .query_pairs()
            .map(|(key, old)| {
                let new = if key == name { value.to_owned() } else { old.into_owned() };
                (key.into_owned(), new)
            })
            .collect();
        address.query_pairs_mut().clear().extend_pairs(pairs);
        address
    };
    for address in [changed("code", "forged"), changed("state", "forged"), changed("code", ""), changed("state", "")] {
        visitor.cookies.clone_from(&kept);
        let page = visitor.follow(address, &world.address).await;
        assert!(!problem(&page).is_empty() && !visitor.cookies.contains_key("aloft-session-local"), "{page}");
    }
    visitor.cookies.clone_from(&kept);
    let page = visitor.follow(back.clone(), &world.address).await;
    assert_eq!(page.fragment(), Some("entered"), "the control");
    visitor.cookies.clone_from(&kept);
    let page = visitor.follow(back, &world.address).await;
    assert!(problem(&page).contains("took the code for wrong"), "a code works once: {page}");
    let account = world.rig.db.read(|conn| db::accounts::find_by_email(conn, &"pat@example.com".parse().unwrap()));
    assert!(account.await.unwrap().unwrap().created_at <= now());
    assert!(world.provider.issuer.starts_with("http://127.0.0.1"));
}
