//! This file's job is to check that mails are sent, once, with a token that only their reader has.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod rig;

use db::MailKind;
use db::mails::Mail;
use domain::Sha256;
use domain::id::MailId;
use domain::job::{Job, Tier};
use rig::{PATIENCE, Rig, Shape};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use testkit::smtp::TestSmtp;
use testkit::wait_until_async;

const SITE: &str = "https://aloft.example.com";

/// Queues a mail as the control plane does.
async fn queue(rig: &Rig, number: u8, lifetime: Duration) -> MailId {
    let now = rig.clock.now();
    let mail = Mail {
        id: MailId::from_parts(now, [number; 10]),
        kind: MailKind::ResetPassword,
        address: "pat@example.com".parse().unwrap(),
        account: None,
        token_hash: None,
        detail: String::new(),
        created_at: now,
        expires_at: now.plus(lifetime),
        sent_at: None,
        used_at: None,
    };
    let (id, work) = (mail.id.clone(), Job::SendMail { mail: mail.id.clone() });
    rig.db.write(move |tx| db::mails::insert(tx, &mail)).await.unwrap();
    rig.enqueue(&rig.scope, work, Tier::P0).await;
    id
}

async fn finished(rig: &Rig, id: &MailId) {
    let work = Job::SendMail { mail: id.clone() };
    wait_until_async(PATIENCE, || async { !rig.is_queued(&work).await }).await;
}

fn smtp(server: &str) -> [(&'static str, &str); 3] {
    [
        ("ALOFT_WORKER__MAIL_TRANSPORT", "smtp"),
        ("ALOFT_WORKER__MAIL_SMTP_URL", server),
        ("ALOFT_WORKER__PUBLIC_URL", SITE),
    ]
}

/// Returns the token of the link in a mail.
fn token(mail: &str) -> String {
    // Long lines are folded with "=" at their ends (RFC 2045, 6.7), and "=" itself is "=3D".
    let text = mail.replace("=\r\n", "").replace("=3D", "=");
    let link = text.split_whitespace().find(|word| word.starts_with(SITE)).expect("a link");
    link.split_once("#token=").expect("a token").1.to_owned()
}

async fn a_queued_mail_reaches_a_real_server(shape: Shape) {
    let (rig, server) = (Rig::new(shape).await, TestSmtp::start());
    let running = rig.start(rig.config(&smtp(&server.url())));
    let id = queue(&rig, 1, Duration::from_secs(3_600)).await;
    finished(&rig, &id).await;
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("To: pat@example.com") && mails[0].contains("Subject: Set your Aloft password"));
    let (hash, now) = (Sha256::of(token(&mails[0]).as_bytes()), rig.clock.now());
    let find = move |conn: &mut db::DbConn| db::mails::find_by_token(conn, MailKind::ResetPassword, &hash, now);
    let found = rig.db.read(find).await.unwrap().expect("the link's token is the stored one");
    assert_eq!(found.id, id);
    assert!(found.sent_at.is_some());
    // The same job again finds that the mail was sent.
    rig.enqueue(&rig.scope, Job::SendMail { mail: id.clone() }, Tier::P0).await;
    finished(&rig, &id).await;
    assert_eq!(server.mails().len(), 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queued_mail_reaches_a_real_server_in_the_embedded_shape() {
    a_queued_mail_reaches_a_real_server(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queued_mail_reaches_a_real_server_in_the_scaled_shape() {
    a_queued_mail_reaches_a_real_server(Shape::Scaled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_a_server_refuses_for_now_is_sent_again() {
    let (rig, server) = (Rig::new(Shape::Embedded).await, TestSmtp::refusing_first(1));
    let running = rig.start(rig.config(&smtp(&server.url())));
    let id = queue(&rig, 1, Duration::from_secs(3_600)).await;
    finished(&rig, &id).await;
    assert_eq!((server.mails().len(), rig.dead_count().await), (1, 0));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_asks_gets_user_and_password() {
    let (rig, server) = (Rig::new(Shape::Embedded).await, TestSmtp::asking_for_a_password());
    let url = server.url_with_password(TestSmtp::PASSWORD);
    let running = rig.start(rig.config(&smtp(&url)));
    let id = queue(&rig, 1, Duration::from_secs(3_600)).await;
    finished(&rig, &id).await;
    assert_eq!(server.mails().len(), 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_server_mails_are_files_that_only_their_owner_reads() {
    let rig = Rig::new(Shape::Embedded).await;
    let running = rig.start(rig.config(&[("ALOFT_WORKER__PUBLIC_URL", SITE)]));
    let id = queue(&rig, 1, Duration::from_secs(3_600)).await;
    finished(&rig, &id).await;
    let path = rig.mail_folder().join(format!("{id}.eml"));
    assert_eq!(token(&std::fs::read_to_string(&path).unwrap()).len(), 64);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_came_too_late_or_is_gone_is_not_sent() {
    let rig = Rig::new(Shape::Embedded).await;
    let late = queue(&rig, 1, Duration::ZERO).await;
    let gone = MailId::from_parts(rig.clock.now(), [9; 10]);
    rig.enqueue(&rig.scope, Job::SendMail { mail: gone.clone() }, Tier::P0).await;
    let running = rig.start(rig.config(&[]));
    finished(&rig, &late).await;
    finished(&rig, &gone).await;
    assert!(!rig.mail_folder().exists());
    assert_eq!(rig.dead_count().await, 0);
    running.stop().await;
}
