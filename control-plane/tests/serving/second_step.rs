//! This file's job is to check the second step of a person's sign-in.

use crate::browser::{Browser, PASSWORD};
use crate::on_both_databases;
use crate::rig::{Rig, config, now, reason, serve_with, with};
use db::{MailKind, Role};
use proto::v1::{self, Reason};
use ring::hmac;
use runtime::clock::Clock;
use std::time::Duration;
use tonic::Status;

on_both_databases!(
    an_app_that_is_confirmed_is_asked_for_from_then_on,
    a_code_works_once_and_so_does_a_recovery_code,
    a_first_step_counts_for_five_minutes_and_one_password,
    guessing_codes_stops_soon,
    a_clock_that_goes_back_makes_no_code_work_again,
    the_second_step_is_turned_off_with_a_code_only,
    only_browsers_change_the_second_step,
    the_secret_is_sealed_in_the_database,
);

/// The app on a phone, with another implementation of RFC 6238.
struct Phone(Vec<u8>);

impl Phone {
    /// Types the secret in.
    fn new(base32: &str) -> Self {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let digits = base32.bytes().map(|digit| alphabet.iter().position(|known| *known == digit).unwrap());
        let bits: String = digits.map(|digit| format!("{digit:05b}")).collect();
        Self(
            bits.as_bytes()
                .chunks_exact(8)
                .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
                .collect(),
        )
    }

    fn code(&self, clock: &Clock) -> String {
        let step = clock.now().as_us() / 30_000_000;
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let digest = hmac::sign(&key, &step.to_be_bytes()).as_ref().to_vec();
        let offset = usize::from(digest[19] & 15);
        let number = u32::from_be_bytes(digest[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", number % 1_000_000)
    }
}

/// A person with an authenticator app, on a server whose time the test tells.
struct World {
    rig: Rig,
    clock: Clock,
    browser: Browser,
    phone: Phone,
    recovery_codes: Vec<String>,
}

impl World {
    async fn new(rig: Rig) -> Self {
        let clock = Clock::manual(now());
        let (server, _) = serve_with(&rig.db, &rig.store, clock.clone(), config()).await;
        let rig = rig.served_by(server);
        let browser = rig.sign_up("pat@example.com").await;
        let request = v1::BeginSecondStepRequest { password: PASSWORD.into() };
        let begun = rig.person().begin_second_step(browser.ask(request)).await.unwrap().into_inner();
        assert!(begun.uri.contains(&begun.secret) && begun.uri.starts_with("otpauth://totp/"), "{}", begun.uri);
        let phone = Phone::new(&begun.secret);
        let request = v1::ConfirmSecondStepRequest { code: phone.code(&clock) };
        let confirmed = rig.person().confirm_second_step(browser.ask(request)).await.unwrap().into_inner();
        clock.advance(Duration::from_secs(30));
        Self { rig, clock, browser, phone, recovery_codes: confirmed.recovery_codes }
    }

    /// Takes the first step.
    async fn token(&self) -> String {
        let request = v1::SignInRequest { email: "pat@example.com".into(), password: PASSWORD.into() };
        let answer = self.rig.sign_ins().sign_in(request).await.unwrap();
        assert!(answer.metadata().get("set-cookie").is_none() && answer.get_ref().person.is_none());
        answer.into_inner().second_step_token
    }

    async fn complete(&self, token: &str, code: &str) -> Result<Browser, Status> {
        let request = v1::CompleteSignInRequest { second_step_token: token.into(), code: code.into() };
        let answer = self.rig.sign_ins().complete_sign_in(request).await?;
        let person = answer.get_ref().person.clone().unwrap();
        Ok(Browser::enter(&self.rig, person, &answer))
    }

    async fn status(&self) -> (bool, i32) {
        let answer =
            self.rig.person().get_person(self.browser.ask(v1::GetPersonRequest {})).await.unwrap().into_inner();
        (answer.second_step, answer.recovery_codes_left)
    }
}

async fn an_app_that_is_confirmed_is_asked_for_from_then_on(rig: Rig) {
    let browser = rig.sign_up("kim@example.com").await;
    let begin = |password: &str| v1::BeginSecondStepRequest { password: password.into() };
    assert_eq!(reason(rig.person().begin_second_step(browser.ask(begin("wrong"))).await), Reason::InvalidField);
    rig.person().begin_second_step(browser.ask(begin(PASSWORD))).await.unwrap();
    let request = v1::ConfirmSecondStepRequest { code: "000000".into() };
    assert_eq!(reason(rig.person().confirm_second_step(browser.ask(request)).await), Reason::InvalidField);
    assert!(rig.sign_in("kim@example.com", PASSWORD).await.is_ok(), "a secret that is not confirmed does not count");

    let world = World::new(rig).await;
    assert_eq!(world.status().await, (true, 10));
    let token = world.token().await;
    let entered = world.complete(&token, &world.phone.code(&world.clock)).await.unwrap();
    assert!(entered.whoami(&world.rig).await.is_ok());
    let again = world.rig.person().begin_second_step(world.browser.ask(begin(PASSWORD))).await;
    assert_eq!(reason(again), Reason::AlreadyExists);
    let mails = world.rig.mails("pat@example.com").await;
    assert_eq!(mails.iter().filter(|mail| mail.kind == MailKind::SecurityNotice).count(), 1);
}

async fn a_code_works_once_and_so_does_a_recovery_code(rig: Rig) {
    let world = World::new(rig).await;
    let code = world.phone.code(&world.clock);
    assert!(world.complete(&world.token().await, &code).await.is_ok());
    assert_eq!(reason(world.complete(&world.token().await, &code).await), Reason::CodeInvalid, "replayed");
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(reason(world.complete(&world.token().await, &code).await), Reason::CodeInvalid, "replayed a step later");
    let recovery = world.recovery_codes[3].replace('-', "").to_uppercase();
    assert!(world.complete(&world.token().await, &recovery).await.is_ok());
    assert_eq!(reason(world.complete(&world.token().await, &recovery).await), Reason::CodeInvalid);
    assert_eq!(world.status().await, (true, 9));
    let token = world.token().await;
    let next = world.phone.code(&world.clock);
    let (one, two) = tokio::join!(world.complete(&token, &next), world.complete(&token, &next));
    assert!(one.is_ok() != two.is_ok(), "of two who use a code at once, one gets in");
}

async fn a_first_step_counts_for_five_minutes_and_one_password(rig: Rig) {
    let world = World::new(rig).await;
    let token = world.token().await;
    let forged = format!("{}{}", if token.starts_with('A') { 'B' } else { 'A' }, &token[1..]);
    let code = |world: &World| world.phone.code(&world.clock);
    for bad in ["", "x", forged.as_str()] {
        assert_eq!(reason(world.complete(bad, &code(&world)).await), Reason::CodeInvalid, "{bad}");
    }
    let change =
        v1::ChangePasswordRequest { current_password: PASSWORD.into(), new_password: "another long password".into() };
    world.clock.advance(Duration::from_secs(299));
    let late = world.token().await;
    assert!(world.complete(&token, &code(&world)).await.is_ok());
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(reason(world.complete(&token, &code(&world)).await), Reason::CodeInvalid, "too late");
    world.rig.person().change_password(world.browser.ask(change)).await.unwrap();
    assert_eq!(reason(world.complete(&late, &code(&world)).await), Reason::CodeInvalid, "of the old password");
}

async fn guessing_codes_stops_soon(rig: Rig) {
    let world = World::new(rig).await;
    // One try was the confirmation.
    let token = world.token().await;
    for _ in 0..4 {
        assert_eq!(reason(world.complete(&token, "000000").await), Reason::CodeInvalid);
    }
    let right = world.complete(&token, &world.phone.code(&world.clock)).await;
    assert_eq!(reason(right), Reason::TooManyAttempts, "the right code says nothing either");
    world.clock.advance(Duration::from_secs(30 * 60));
    assert!(world.complete(&world.token().await, &world.phone.code(&world.clock)).await.is_ok());
}

async fn the_second_step_is_turned_off_with_a_code_only(rig: Rig) {
    let world = World::new(rig).await;
    let remove = async |code: &str| {
        let request = v1::RemoveSecondStepRequest { code: code.into() };
        world.rig.person().remove_second_step(world.browser.ask(request)).await
    };
    assert_eq!(reason(remove("000000").await), Reason::InvalidField);
    remove(&world.recovery_codes[0]).await.unwrap();
    assert_eq!(reason(remove(&world.recovery_codes[1]).await), Reason::NotFound);
    assert!(world.rig.sign_in("pat@example.com", PASSWORD).await.is_ok());
    assert_eq!(world.status().await, (false, 0));
}

async fn only_browsers_change_the_second_step(rig: Rig) {
    let token = rig.signed_in_member(&rig.scope, Role::Owner).await;
    let begun = rig.person().begin_second_step(with(&token, v1::BeginSecondStepRequest::default())).await;
    assert_eq!(reason(begun), Reason::RoleInsufficient);
    let removed = rig.person().remove_second_step(with(&token, v1::RemoveSecondStepRequest::default())).await;
    assert_eq!(reason(removed), Reason::RoleInsufficient);
}

async fn the_secret_is_sealed_in_the_database(rig: Rig) {
    let world = World::new(rig).await;
    let id = world.browser.id();
    let stored = world.rig.db.read(move |conn| db::second_factors::find(conn, &id)).await.unwrap().unwrap();
    assert_eq!(stored.master_key, "pepper");
    let holds = |part: &[u8]| stored.sealed_secret.windows(part.len()).any(|bytes| bytes == part);
    assert!(!holds(&world.phone.0[..4]));
}

async fn a_clock_that_goes_back_makes_no_code_work_again(rig: Rig) {
    let world = World::new(rig).await;
    let earlier = world.phone.code(&world.clock);
    world.clock.advance(Duration::from_secs(120));
    let code = world.phone.code(&world.clock);
    assert!(world.complete(&world.token().await, &code).await.is_ok());
    world.clock.turn_back(Duration::from_secs(120));
    assert_eq!(reason(world.complete(&world.token().await, &code).await), Reason::CodeInvalid, "used");
    assert_eq!(
        reason(world.complete(&world.token().await, &earlier).await),
        Reason::CodeInvalid,
        "older than one used"
    );
    // Nobody is locked out for good: recovery codes have no time, and the clock comes to new codes again.
    assert!(world.complete(&world.token().await, &world.recovery_codes[0]).await.is_ok());
    world.clock.advance(Duration::from_secs(180));
    let code = world.phone.code(&world.clock);
    assert!(world.complete(&world.token().await, &code).await.is_ok());
}
