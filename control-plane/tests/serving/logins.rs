//! This file's job is to check how command lines are let in by people at browsers.

use crate::browser::Browser;
use crate::on_both_databases;
use crate::rig::{Rig, config, now, reason, serve_with, with};
use db::Role;
use db::members::Member;
use proto::v1::{self, LoginState, Reason};
use runtime::clock::Clock;
use std::time::Duration;
use tonic::Status;

on_both_databases!(
    a_login_that_was_approved_begins_one_session,
    a_login_that_was_denied_says_so_and_begins_none,
    a_login_ends_with_its_time,
    a_clock_that_goes_back_begins_no_second_session,
    polls_that_come_too_soon_are_slowed_down,
    a_session_touches_only_the_organization_that_was_chosen,
    only_browsers_let_command_lines_in,
    guessing_user_codes_stops_soon,
    a_network_begins_few_logins,
    of_two_polls_at_once_one_gets_the_session,
);

async fn start(rig: &Rig) -> v1::StartLoginResponse {
    let request = v1::StartLoginRequest { client: "aloft\u{7} on a laptop".into() };
    rig.sign_ins().start_login(request).await.unwrap().into_inner()
}

async fn poll(rig: &Rig, login: &v1::StartLoginResponse) -> Result<v1::PollLoginResponse, Status> {
    let request = v1::PollLoginRequest { device_code: login.device_code.clone() };
    rig.sign_ins().poll_login(request).await.map(tonic::Response::into_inner)
}

fn decision(user_code: &str, approve: bool) -> v1::DecideLoginRequest {
    v1::DecideLoginRequest { user_code: user_code.into(), approve, organization: String::new() }
}

async fn decide(rig: &Rig, browser: &Browser, request: v1::DecideLoginRequest) -> Result<(), Status> {
    rig.person().decide_login(browser.ask(request)).await.map(drop)
}

async fn join(rig: &Rig, browser: &Browser, scope: &db::Scope) {
    let (organization, account) = (scope.organization().clone(), browser.id());
    let row = Member { organization, account, role: Role::Owner, created_at: now() };
    rig.db.write(move |tx| db::members::insert(tx, &row)).await.unwrap();
}

async fn a_login_that_was_approved_begins_one_session(rig: Rig) {
    let browser = rig.sign_up("pat@example.com").await;
    join(&rig, &browser, &rig.scope).await;
    let login = start(&rig).await;
    let page = format!("http://{}/login", rig.server.address);
    assert_eq!(login.verification_uri, page);
    assert_eq!(login.verification_uri_complete, format!("{page}?code={}", login.user_code));
    assert_eq!((login.expires_in_seconds, login.interval_seconds), (600, 5));
    assert_eq!(poll(&rig, &login).await.unwrap().state(), LoginState::Pending);
    let typed = login.user_code.replace('-', " ").to_lowercase();
    let request = v1::GetLoginRequest { user_code: typed.clone() };
    let seen = rig.person().get_login(browser.ask(request)).await.unwrap().into_inner();
    assert_eq!((seen.client.as_str(), seen.address.as_str()), ("aloft on a laptop", "127.0.0.1"));
    decide(&rig, &browser, decision(&typed, true)).await.unwrap();
    assert_eq!(reason(decide(&rig, &browser, decision(&typed, false)).await), Reason::NotFound, "it is decided");
    let polled = poll(&rig, &login).await.unwrap();
    assert_eq!(
        (polled.state(), polled.person.as_ref()),
        (LoginState::Approved, Some(&browser.whoami(&rig).await.unwrap()))
    );
    assert_eq!(reason(poll(&rig, &login).await), Reason::LoginEnded, "the token is handed out once");
    let caller = rig.accounts().get_caller(with(&polled.session_token, v1::GetCallerRequest {})).await.unwrap();
    assert_eq!(caller.get_ref().role, "owner");
    let sessions = rig.person().list_sessions(browser.ask(v1::ListSessionsRequest {})).await.unwrap().into_inner();
    let session = sessions.sessions.iter().find(|session| session.kind == "command-line").unwrap();
    assert_eq!((session.client.as_str(), &session.session_id), ("aloft on a laptop", &caller.get_ref().credential));
    let mut as_cookie = browser.clone();
    as_cookie.token.clone_from(&polled.session_token);
    assert_eq!(reason(as_cookie.whoami(&rig).await), Reason::CredentialInvalid, "a command line's token is no cookie");
    rig.person().sign_out(with(&polled.session_token, v1::SignOutRequest {})).await.unwrap();
    let ended = rig.accounts().get_caller(with(&polled.session_token, v1::GetCallerRequest {})).await;
    assert_eq!(reason(ended), Reason::CredentialInvalid);
    let scope = rig.scope.clone();
    let audit = rig.db.read(move |conn| db::audit::list(conn, &scope, None, 10)).await.unwrap();
    let actions: Vec<_> = audit.iter().map(|entry| entry.action.as_str()).take(3).collect();
    assert_eq!(actions, ["SignOut", "PollLogin", "DecideLogin"]);
}

async fn a_login_that_was_denied_says_so_and_begins_none(rig: Rig) {
    let browser = rig.sign_up("pat@example.com").await;
    let login = start(&rig).await;
    decide(&rig, &browser, decision(&login.user_code, false)).await.unwrap();
    for _ in 0..2 {
        assert_eq!(reason(poll(&rig, &login).await), Reason::LoginDenied);
    }
    assert_eq!(reason(decide(&rig, &browser, decision(&login.user_code, true)).await), Reason::NotFound);
}

async fn a_login_ends_with_its_time(rig: Rig) {
    let clock = Clock::manual(now());
    let (server, _) = serve_with(&rig.db, &rig.store, clock.clone(), config()).await;
    let rig = rig.served_by(server);
    let browser = rig.sign_up("pat@example.com").await;
    let (open, approved) = (start(&rig).await, start(&rig).await);
    decide(&rig, &browser, decision(&approved.user_code, true)).await.unwrap();
    clock.advance(Duration::from_secs(600));
    assert_eq!(reason(poll(&rig, &open).await), Reason::LoginEnded);
    assert_eq!(reason(poll(&rig, &approved).await), Reason::LoginEnded, "an approval that nobody took");
    assert_eq!(reason(decide(&rig, &browser, decision(&open.user_code, true)).await), Reason::NotFound);
    let forged = v1::StartLoginResponse { device_code: format!("{}x", open.device_code), ..open };
    assert_eq!(reason(poll(&rig, &forged).await), Reason::LoginEnded, "never was looks the same");
}

async fn polls_that_come_too_soon_are_slowed_down(rig: Rig) {
    let clock = Clock::manual(now());
    let (server, _) = serve_with(&rig.db, &rig.store, clock.clone(), config()).await;
    let rig = rig.served_by(server);
    let login = start(&rig).await;
    let state = async || {
        let polled = poll(&rig, &login).await.unwrap();
        (polled.state(), polled.interval_seconds)
    };
    assert_eq!(state().await, (LoginState::Pending, 5));
    clock.advance(Duration::from_secs(4));
    assert_eq!(state().await, (LoginState::SlowDown, 10));
    clock.advance(Duration::from_secs(9));
    assert_eq!(state().await, (LoginState::SlowDown, 15));
    clock.advance(Duration::from_secs(15));
    assert_eq!(state().await, (LoginState::Pending, 15));
}

async fn a_session_touches_only_the_organization_that_was_chosen(rig: Rig) {
    let browser = rig.sign_up("pat@example.com").await;
    let other = rig.organization("other").await;
    join(&rig, &browser, &rig.scope).await;
    join(&rig, &browser, &other).await;
    let login = start(&rig).await;
    let choose = |organization: &str| v1::DecideLoginRequest {
        organization: organization.into(),
        ..decision(&login.user_code, true)
    };
    rig.organization("foreign").await;
    assert_eq!(reason(decide(&rig, &browser, choose("foreign")).await), Reason::NotFound);
    assert_eq!(reason(decide(&rig, &browser, choose("absent")).await), Reason::NotFound);
    decide(&rig, &browser, choose("other")).await.unwrap();
    let polled = poll(&rig, &login).await.unwrap();
    assert_eq!(polled.person.unwrap().memberships.len(), 1);
    let mut request = with(&polled.session_token, v1::GetCallerRequest {});
    let caller = rig.accounts().get_caller(with(&polled.session_token, v1::GetCallerRequest {})).await.unwrap();
    assert_eq!(caller.get_ref().organization_slug, "other", "there is only one, so it need not be named");
    request.metadata_mut().insert("aloft-organization", rig.scope.organization().as_str().parse().unwrap());
    assert_eq!(reason(rig.accounts().get_caller(request).await), Reason::NotFound);
}

async fn only_browsers_let_command_lines_in(rig: Rig) {
    let login = start(&rig).await;
    let token = rig.signed_in_member(&rig.scope, Role::Owner).await;
    let refused = rig.person().decide_login(with(&token, decision(&login.user_code, true))).await;
    assert_eq!(reason(refused), Reason::RoleInsufficient);
    let request = v1::GetLoginRequest { user_code: login.user_code.clone() };
    assert_eq!(reason(rig.person().get_login(with(&token, request)).await), Reason::RoleInsufficient);
    assert_eq!(poll(&rig, &login).await.unwrap().state(), LoginState::Pending);
}

async fn guessing_user_codes_stops_soon(rig: Rig) {
    let browser = rig.sign_up("pat@example.com").await;
    let login = start(&rig).await;
    for code in ["BBBB-BBBB", "", "x", "WDJB-MJH1"].iter().cycle().take(20) {
        let request = v1::GetLoginRequest { user_code: (*code).to_owned() };
        assert_eq!(reason(rig.person().get_login(browser.ask(request)).await), Reason::NotFound, "{code}");
    }
    let refused = decide(&rig, &browser, decision(&login.user_code, true)).await;
    assert_eq!(reason(refused), Reason::TooManyAttempts, "the right code says nothing either");
    let other = rig.sign_up("kim@example.com").await;
    assert!(decide(&rig, &other, decision(&login.user_code, true)).await.is_ok(), "others are not kept out");
}

async fn a_network_begins_few_logins(rig: Rig) {
    for _ in 0..100 {
        start(&rig).await;
    }
    let refused = rig.sign_ins().start_login(v1::StartLoginRequest::default()).await;
    assert_eq!(reason(refused), Reason::TooManyAttempts);
}

async fn of_two_polls_at_once_one_gets_the_session(rig: Rig) {
    let browser = rig.sign_up("pat@example.com").await;
    let login = start(&rig).await;
    decide(&rig, &browser, decision(&login.user_code, true)).await.unwrap();
    let (one, two) = tokio::join!(poll(&rig, &login), poll(&rig, &login));
    let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
    assert_eq!(won.unwrap().state(), LoginState::Approved);
    assert_eq!(reason(lost), Reason::LoginEnded);
}

async fn a_clock_that_goes_back_begins_no_second_session(rig: Rig) {
    let clock = Clock::manual(now());
    let (server, _) = serve_with(&rig.db, &rig.store, clock.clone(), config()).await;
    let rig = rig.served_by(server);
    let browser = rig.sign_up("pat@example.com").await;
    join(&rig, &browser, &rig.scope).await;
    let login = start(&rig).await;
    decide(&rig, &browser, decision(&login.user_code, true)).await.unwrap();
    clock.turn_back(Duration::from_secs(3_600));
    assert_eq!(poll(&rig, &login).await.unwrap().state(), LoginState::Approved);
    assert_eq!(reason(poll(&rig, &login).await), Reason::LoginEnded, "it was taken");
    clock.advance(Duration::from_secs(7_200));
    assert_eq!(reason(poll(&rig, &login).await), Reason::LoginEnded);
}
