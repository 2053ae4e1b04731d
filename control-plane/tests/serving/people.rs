//! This file's job is to check how people come in, stay in and are kept out.

use crate::browser::{Browser, PASSWORD};
use crate::on_both_databases;
use crate::rig::{Rig, config, now, reason, serve_with, with};
use control_plane::SignUp;
use db::members::Member;
use db::{MailKind, Role, Scope};
use domain::ErrorKind;
use proto::v1::{self, Reason};
use runtime::clock::Clock;
use std::time::Duration;
use tonic::{Code, Request, Status};

on_both_databases!(
    a_sign_up_ends_in_a_session_that_works_until_it_is_ended,
    a_cookie_works_only_from_the_servers_own_pages,
    a_link_works_once_and_only_for_what_it_was_sent_for,
    a_link_ends_with_its_time,
    no_answer_tells_whether_an_account_exists,
    guessing_stops_soon_and_alike_for_everybody,
    a_mailbox_is_not_flooded,
    a_reset_replaces_the_password_and_ends_every_session,
    a_changed_password_ends_the_other_sessions,
    sessions_belong_to_their_owner,
    a_session_acts_in_the_role_of_its_organization,
    a_session_lasts_a_week_from_the_last_day_of_change,
    a_clock_that_jumps_ends_no_session_for_good_and_makes_none_longer,
    the_first_owner_gets_a_link_for_a_password,
    new_people_come_in_by_invitation_unless_told_otherwise,
    spellings_of_one_address_are_one_account,
);

/// Makes the person a member.
async fn join(rig: &Rig, browser: &Browser, scope: &Scope, role: Role) {
    let row = Member { organization: scope.organization().clone(), account: browser.id(), role, created_at: now() };
    rig.db.write(move |tx| db::members::insert(tx, &row)).await.unwrap();
}

/// What everybody can see of a refusal. How long to wait depends on when one asks.
fn seen(status: &Status) -> (Code, String, Option<Reason>) {
    (status.code(), status.message().to_owned(), proto::error::reason_of(status))
}

async fn a_sign_up_ends_in_a_session_that_works_until_it_is_ended(rig: Rig) {
    let browser = rig.sign_up("Pat@Example.com").await;
    let person = browser.whoami(&rig).await.unwrap();
    assert_eq!((person.email.as_str(), person.memberships.len()), ("pat@example.com", 0));
    let again = rig.sign_in("pat@example.com", PASSWORD).await.unwrap();
    assert_ne!(again.token, browser.token);
    let answer = rig.person().sign_out(browser.ask(v1::SignOutRequest {})).await.unwrap();
    let cookie = answer.metadata().get("set-cookie").unwrap().to_str().unwrap();
    assert!(cookie.contains("Max-Age=0"), "{cookie}");
    assert_eq!(reason(browser.whoami(&rig).await), Reason::CredentialInvalid);
    assert!(again.whoami(&rig).await.is_ok(), "other sessions go on");
}

async fn a_cookie_works_only_from_the_servers_own_pages(rig: Rig) {
    let browser = rig.sign_up("pat@example.com").await;
    let call = async |request: Request<v1::GetPersonRequest>| reason(rig.person().get_person(request).await);
    assert_eq!(call(browser.ask_without_origin(v1::GetPersonRequest {})).await, Reason::OriginRefused);
    for origin in ["https://ops.example.com", "https://evil.example", "null", "http://127.0.0.1"] {
        let elsewhere = Browser { origin: origin.into(), ..browser.clone() };
        assert_eq!(call(elsewhere.ask(v1::GetPersonRequest {})).await, Reason::OriginRefused, "{origin}");
    }
    let as_key = with(&browser.token, v1::GetPersonRequest {});
    assert_eq!(call(as_key).await, Reason::CredentialInvalid, "a cookie's token is no key");
    for token in ["", "as_", "as_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &browser.token[..45]] {
        let forged = Browser { token: token.into(), ..browser.clone() };
        assert_eq!(call(forged.ask(v1::GetPersonRequest {})).await, Reason::CredentialInvalid, "{token}");
    }
    let stored = rig.db.read({
        let id = browser.id();
        move |conn| db::sessions::list(conn, &id)
    });
    let stored = format!("{:?}", stored.await.unwrap());
    assert!(!stored.contains(&browser.token), "the database has the token's hash only");
}

async fn a_link_works_once_and_only_for_what_it_was_sent_for(rig: Rig) {
    rig.sign_ins().sign_up(v1::SignUpRequest { email: "pat@example.com".into() }).await.unwrap();
    let token = rig.mail_token(MailKind::SignUp, "pat@example.com").await;
    let complete = |token: &str| v1::CompleteSignUpRequest {
        token: token.into(),
        display_name: "Pat".into(),
        password: PASSWORD.into(),
    };
    let reset = |token: &str| v1::ResetPasswordRequest { token: token.into(), password: PASSWORD.into() };
    assert_eq!(reason(rig.sign_ins().reset_password(reset(&token)).await), Reason::LinkInvalid, "for a sign-up");
    assert_eq!(reason(rig.sign_ins().complete_sign_up(complete(&token[1..])).await), Reason::LinkInvalid, "changed");
    assert_eq!(reason(rig.sign_ins().complete_sign_up(complete("")).await), Reason::LinkInvalid);
    let (one, two) = tokio::join!(async { rig.sign_ins().complete_sign_up(complete(&token)).await }, async {
        rig.sign_ins().complete_sign_up(complete(&token)).await
    },);
    assert!(one.is_ok() != two.is_ok(), "of two who use it at once, one gets in");
    assert_eq!(reason(rig.sign_ins().complete_sign_up(complete(&token)).await), Reason::LinkInvalid, "used");
}

async fn a_link_ends_with_its_time(rig: Rig) {
    let clock = Clock::manual(now());
    let (server, _) = serve_with(&rig.db, &rig.store, clock.clone(), config()).await;
    let late = rig.served_by(server);
    late.sign_up("pat@example.com").await;
    let request = v1::RequestPasswordResetRequest { email: "pat@example.com".into() };
    late.sign_ins().request_password_reset(request).await.unwrap();
    let token = late.mail_token(MailKind::ResetPassword, "pat@example.com").await;
    clock.advance(Duration::from_secs(60 * 60));
    let request = v1::ResetPasswordRequest { token, password: "another long password".into() };
    assert_eq!(reason(late.sign_ins().reset_password(request).await), Reason::LinkInvalid);
    assert!(late.sign_in("pat@example.com", PASSWORD).await.is_ok());
}

async fn no_answer_tells_whether_an_account_exists(rig: Rig) {
    rig.sign_up("pat@example.com").await;
    let known = rig.sign_in("pat@example.com", "a wrong password").await.unwrap_err();
    let unknown = rig.sign_in("nobody@example.com", "a wrong password").await.unwrap_err();
    assert_eq!(seen(&known), seen(&unknown));
    assert_eq!(known.details(), unknown.details());
    assert_eq!(proto::error::reason_of(&known), Some(Reason::SignInFailed));
    for email in ["pat@example.com", "nobody@example.com"] {
        rig.sign_ins().sign_up(v1::SignUpRequest { email: email.into() }).await.unwrap();
        let request = v1::RequestPasswordResetRequest { email: email.into() };
        rig.sign_ins().request_password_reset(request).await.unwrap();
    }
    let kinds = async |email: &str| rig.mails(email).await.iter().map(|mail| mail.kind).collect::<Vec<_>>();
    let known = [MailKind::SignUp, MailKind::AccountExists, MailKind::ResetPassword];
    assert_eq!(kinds("pat@example.com").await, known);
    assert_eq!(kinds("nobody@example.com").await, [MailKind::SignUp]);
}

async fn guessing_stops_soon_and_alike_for_everybody(rig: Rig) {
    rig.sign_up("pat@example.com").await;
    let guess = async |email: &str| -> Vec<_> {
        let mut seen_by = Vec::new();
        for _ in 0..11 {
            seen_by.push(seen(&rig.sign_in(email, "a wrong password").await.unwrap_err()));
        }
        seen_by
    };
    let (known, unknown) = (guess("pat@example.com").await, guess("nobody@example.com").await);
    assert_eq!(known, unknown);
    assert_eq!(known[9].2, Some(Reason::SignInFailed));
    assert_eq!(known[10].2, Some(Reason::TooManyAttempts));
    let right = rig.sign_in("pat@example.com", PASSWORD).await;
    assert_eq!(reason(right.map(drop)), Reason::TooManyAttempts, "the right password says nothing either");
}

async fn a_mailbox_is_not_flooded(rig: Rig) {
    rig.sign_up("pat@example.com").await;
    for _ in 0..10 {
        let request = v1::RequestPasswordResetRequest { email: "pat@example.com".into() };
        rig.sign_ins().request_password_reset(request).await.unwrap();
    }
    assert_eq!(rig.mails("pat@example.com").await.len(), 5);
    let mut refused = None;
    for number in 0..100 {
        let request = v1::RequestPasswordResetRequest { email: format!("nobody{number}@example.com") };
        refused = rig.sign_ins().request_password_reset(request).await.err();
    }
    assert_eq!(refused.as_ref().and_then(proto::error::reason_of), Some(Reason::TooManyAttempts));
}

async fn a_reset_replaces_the_password_and_ends_every_session(rig: Rig) {
    let browser = rig.sign_up("pat@example.com").await;
    let ask = || v1::RequestPasswordResetRequest { email: "pat@example.com".into() };
    rig.sign_ins().request_password_reset(ask()).await.unwrap();
    let older = rig.mail_token(MailKind::ResetPassword, "pat@example.com").await;
    rig.sign_ins().request_password_reset(ask()).await.unwrap();
    let token = rig.mail_token(MailKind::ResetPassword, "pat@example.com").await;
    let reset =
        |token: &str, password: &str| v1::ResetPasswordRequest { token: token.into(), password: password.into() };
    let short = rig.sign_ins().reset_password(reset(&token, "short")).await;
    assert_eq!(reason(short), Reason::InvalidField, "a bad password does not use the link up");
    rig.sign_ins().reset_password(reset(&token, "another long password")).await.unwrap();
    assert_eq!(
        reason(rig.sign_ins().reset_password(reset(&older, "a third long password")).await),
        Reason::LinkInvalid
    );
    assert_eq!(reason(browser.whoami(&rig).await), Reason::CredentialInvalid);
    assert_eq!(reason(rig.sign_in("pat@example.com", PASSWORD).await.map(drop)), Reason::SignInFailed);
    assert!(rig.sign_in("pat@example.com", "another long password").await.is_ok());
    let kinds: Vec<_> = rig.mails("pat@example.com").await.iter().map(|mail| mail.kind).collect();
    assert_eq!(kinds.last(), Some(&MailKind::SecurityNotice));
}

async fn a_changed_password_ends_the_other_sessions(rig: Rig) {
    let browser = rig.sign_up("pat@example.com").await;
    let other = rig.sign_in("pat@example.com", PASSWORD).await.unwrap();
    let change = |current: &str| v1::ChangePasswordRequest {
        current_password: current.into(),
        new_password: "another long password".into(),
    };
    assert_eq!(reason(rig.person().change_password(browser.ask(change("wrong"))).await), Reason::InvalidField);
    rig.person().change_password(browser.ask(change(PASSWORD))).await.unwrap();
    assert!(browser.whoami(&rig).await.is_ok());
    assert_eq!(reason(other.whoami(&rig).await), Reason::CredentialInvalid);
}

async fn sessions_belong_to_their_owner(rig: Rig) {
    let (pat, kim) = (rig.sign_up("pat@example.com").await, rig.sign_up("kim@example.com").await);
    let second = rig.sign_in("pat@example.com", PASSWORD).await.unwrap();
    let list = async |browser: &Browser| {
        let answer = rig.person().list_sessions(browser.ask(v1::ListSessionsRequest {})).await;
        answer.unwrap().into_inner().sessions
    };
    let sessions = list(&pat).await;
    assert_eq!(sessions.iter().map(|session| session.current).collect::<Vec<_>>(), [false, true]);
    let revoke = |id: &str| v1::RevokeSessionRequest { session_id: id.into() };
    let foreign = rig.person().revoke_session(kim.ask(revoke(&sessions[0].session_id))).await.unwrap_err();
    let absent = rig.person().revoke_session(kim.ask(revoke("ses_00000000000000000000000000"))).await.unwrap_err();
    assert_eq!((seen(&foreign), foreign.details()), (seen(&absent), absent.details()));
    assert!(second.whoami(&rig).await.is_ok());
    rig.person().revoke_session(pat.ask(revoke(&sessions[0].session_id))).await.unwrap();
    assert_eq!(reason(second.whoami(&rig).await), Reason::CredentialInvalid);
    assert_eq!(list(&pat).await.len(), 1);
}

async fn a_session_acts_in_the_role_of_its_organization(rig: Rig) {
    let browser = rig.sign_up("pat@example.com").await;
    let list = || v1::ListAppsRequest::default();
    let create = |slug: &str| v1::CreateAppRequest { slug: slug.into(), ..Default::default() };
    assert_eq!(reason(rig.apps().list_apps(browser.ask(list())).await), Reason::OrganizationUnclear, "no member");
    let foreign = rig.organization("foreign").await;
    let (as_foreign, as_absent) = (
        rig.apps().list_apps(browser.ask_for("foreign", list())).await.unwrap_err(),
        rig.apps().list_apps(browser.ask_for("absent", list())).await.unwrap_err(),
    );
    assert_eq!((seen(&as_foreign), as_foreign.details()), (seen(&as_absent), as_absent.details()));
    join(&rig, &browser, &rig.scope, Role::Admin).await;
    let app = rig.apps().create_app(browser.ask(create("mine"))).await.unwrap().into_inner().app.unwrap();
    let seen_by_key = rig.apps().list_apps(rig.ask(list())).await.unwrap().into_inner().apps;
    assert_eq!(seen_by_key, [app]);
    join(&rig, &browser, &foreign, Role::Viewer).await;
    assert_eq!(reason(rig.apps().list_apps(browser.ask(list())).await), Reason::OrganizationUnclear, "two of them");
    assert!(rig.apps().list_apps(browser.ask_for("foreign", list())).await.unwrap().into_inner().apps.is_empty());
    let refused = rig.apps().create_app(browser.ask_for("foreign", create("x"))).await;
    assert_eq!(reason(refused), Reason::RoleInsufficient);
    let scope = rig.scope.clone();
    let audit = rig.db.read(move |conn| db::audit::list(conn, &scope, None, 1)).await.unwrap();
    assert_eq!((audit[0].actor_kind.as_str(), audit[0].actor_id.as_str()), ("person", browser.id().as_str()));
}

async fn a_session_lasts_a_week_from_the_last_day_of_change(rig: Rig) {
    let clock = Clock::manual(now());
    let (server, _) = serve_with(&rig.db, &rig.store, clock.clone(), config()).await;
    let rig = rig.served_by(server);
    let browser = rig.sign_up("pat@example.com").await;
    join(&rig, &browser, &rig.scope, Role::Owner).await;
    let day = Duration::from_secs(24 * 60 * 60);
    let read = async || rig.apps().list_apps(browser.ask(v1::ListAppsRequest::default())).await;
    let change = async |slug: &str| {
        let request = v1::CreateAppRequest { slug: slug.into(), ..Default::default() };
        let answer = rig.apps().create_app(browser.ask(request)).await.unwrap();
        answer.metadata().get("set-cookie").map(|cookie| cookie.to_str().unwrap().to_owned())
    };
    assert_eq!(change("at-once").await, None, "a new session needs no refresh");
    clock.advance(day * 6);
    assert_eq!(read().await.unwrap().metadata().get("set-cookie"), None, "reading refreshes nothing");
    let cookie = change("after-six-days").await.expect("a change refreshes");
    assert!(cookie.contains(&browser.token) && cookie.contains("Max-Age=604800"), "{cookie}");
    assert_eq!(change("again").await, None, "once a day");
    clock.advance(day * 7 - Duration::from_secs(1));
    assert!(read().await.is_ok());
    clock.advance(Duration::from_secs(1));
    assert_eq!(reason(read().await), Reason::CredentialInvalid);
}

async fn the_first_owner_gets_a_link_for_a_password(rig: Rig) {
    let token = rig.mail_token(MailKind::ResetPassword, "owner@localhost").await;
    let request = v1::ResetPasswordRequest { token, password: PASSWORD.into() };
    rig.sign_ins().reset_password(request).await.unwrap();
    let browser = rig.sign_in("owner@localhost", PASSWORD).await.unwrap();
    assert_eq!(browser.person.memberships[0].role, "owner");
    let request = v1::CreateAppRequest { slug: "first".into(), ..Default::default() };
    assert!(rig.apps().create_app(browser.ask(request)).await.is_ok());
}

async fn new_people_come_in_by_invitation_unless_told_otherwise(rig: Rig) {
    let invited = control_plane::Config { sign_up: SignUp::Invited, ..config() };
    let (server, _) = serve_with(&rig.db, &rig.store, Clock::system(), invited).await;
    let rig = rig.served_by(server);
    for email in ["pat@example.com", "owner@localhost"] {
        let refused = rig.sign_ins().sign_up(v1::SignUpRequest { email: email.into() }).await;
        assert_eq!(reason(refused), Reason::SignUpClosed, "the same whether or not there is an account");
    }
}

async fn spellings_of_one_address_are_one_account(rig: Rig) {
    rig.sign_up("pat@example.com").await;
    for spelling in ["PAT@EXAMPLE.COM", " pat@ｅｘａｍｐｌｅ.com"] {
        assert!(rig.sign_in(spelling, PASSWORD).await.is_ok(), "{spelling}");
    }
    for look_alike in ["p\u{0430}t@example.com", "pat@example", "pat@ex\u{0430}mple.com"] {
        assert!(rig.sign_in(look_alike, PASSWORD).await.is_err(), "{look_alike}");
    }
    let twin = db::organizations::Organization {
        slug: "def-au1t".into(),
        id: domain::id::OrganizationId::from_parts(now(), [1; 10]),
        name: "Default".into(),
        tier: domain::job::Tier::P3,
        suspended: false,
        plan: domain::plan::PlanName::Free,
        devices_blocked: false,
        created_at: now(),
    };
    let refused = rig.db.write(move |tx| db::organizations::insert(tx, &twin)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists, "names that look alike are one name");
}

async fn a_clock_that_jumps_ends_no_session_for_good_and_makes_none_longer(rig: Rig) {
    let clock = Clock::manual(now());
    let (server, _) = serve_with(&rig.db, &rig.store, clock.clone(), config()).await;
    let rig = rig.served_by(server);
    let browser = rig.sign_up("pat@example.com").await;
    let day = Duration::from_secs(24 * 60 * 60);
    clock.turn_back(day * 3);
    assert_eq!(reason(browser.whoami(&rig).await), Reason::CredentialInvalid, "it would live longer than a week");
    clock.advance(day * 13);
    assert_eq!(reason(browser.whoami(&rig).await), Reason::CredentialInvalid, "ten days after it began");
    clock.turn_back(day * 10);
    assert!(browser.whoami(&rig).await.is_ok());
    clock.advance(day * 7);
    assert_eq!(reason(browser.whoami(&rig).await), Reason::CredentialInvalid, "a week is a week");
}
