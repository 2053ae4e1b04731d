//! This file's job is to write mails: what stands in them, in plain text.

use crate::error::Error;
use db::MailKind;
use db::mails::Mail;
use lettre::Message;
use lettre::message::header::ContentType;

/// Writes a mail. The token goes into the fragment of the link's address, which browsers send to nobody.
pub(crate) fn compose(mail: &Mail, from: &str, public_url: &str, token: &str) -> Result<Message, Error> {
    let link = |page: &str| format!("{}/{page}#token={token}", public_url.trim_end_matches('/'));
    let home = public_url;
    let address = &mail.address;
    let (subject, body) = match mail.kind {
        MailKind::SignUp => (
            "Finish making your Aloft account".to_owned(),
            format!(
                "Somebody, most likely you, wants an Aloft account for {address}.\n\nTo make it, open:\n{}\n\nThe link \
                 works once, within 24 hours. If it was not you, do nothing.\n",
                link("sign-up")
            ),
        ),
        MailKind::AccountExists => (
            "You have an Aloft account already".to_owned(),
            format!(
                "Somebody, most likely you, wanted an Aloft account for {address}. There is one already: sign in at\n\
                 {home}/sign-in\nIf you have forgotten the password, that page sends you a link that sets a new one.\n"
            ),
        ),
        MailKind::ResetPassword => (
            "Set your Aloft password".to_owned(),
            format!(
                "To set the password of your Aloft account {address}, open:\n{}\n\nThe link works once, within an hour. If \
                 you did not ask for it, do nothing: the password stays as it is.\n",
                link("reset-password")
            ),
        ),
        MailKind::Invitation => (
            format!("You are invited to {} on Aloft", mail.detail),
            format!(
                "{} invites you to Aloft. To accept, open:\n{}\n\nThe link works once, within a week.\n",
                mail.detail,
                link("invitation")
            ),
        ),
        MailKind::SecurityNotice => (
            "Your Aloft account was changed".to_owned(),
            format!(
                "{} This concerns your Aloft account {address} at {home}. If it was not you, set a new password at once; \
                 the sign-in page sends you a link.\n",
                mail.detail
            ),
        ),
    };
    let wrong = |what: &str| Error::Mail(format!("{what} is no mail address"));
    Message::builder()
        .from(from.parse().map_err(|_| wrong("worker.mail_from"))?)
        .to(address.as_str().parse().map_err(|_| wrong("the receiver"))?)
        .subject(subject)
        .message_id(Some(format!("<{}@{}>", mail.id, domain_of(from))))
        .header(ContentType::TEXT_PLAIN)
        .body(body)
        .map_err(|error| Error::Mail(error.to_string()))
}

/// Returns the domain of an address, also of one such as `Aloft <aloft@example.com>`.
fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("localhost", |(_, domain)| domain.trim_end_matches('>'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Timestamp;
    use domain::id::MailId;

    fn mail(kind: MailKind, detail: &str) -> Mail {
        Mail {
            id: MailId::from_parts(Timestamp::from_us(1), [1; 10]),
            kind,
            address: "pat@example.com".parse().unwrap(),
            account: None,
            token_hash: None,
            detail: detail.to_owned(),
            created_at: Timestamp::from_us(1),
            expires_at: Timestamp::from_us(2),
            sent_at: None,
            used_at: None,
        }
    }

    #[test]
    fn every_kind_of_mail_can_be_written_and_only_links_have_the_token() {
        for &kind in MailKind::ALL {
            let message =
                compose(&mail(kind, "Acme"), "Aloft <a@b.example>", "https://a.example", "as_secret").unwrap();
            let text = String::from_utf8(message.formatted()).unwrap();
            // As a reader sees it: long lines are broken and quoted on the way.
            let text = text.replace("=\r\n", "").replace("=3D", "=");
            assert!(text.contains("To: pat@example.com"), "{text}");
            let has_link = matches!(kind, MailKind::SignUp | MailKind::ResetPassword | MailKind::Invitation);
            assert_eq!(text.contains("#token=as_secret"), has_link, "{kind}: {text}");
        }
    }

    #[test]
    fn a_name_cannot_add_headers() {
        let evil = mail(MailKind::Invitation, "Acme\r\nBcc: all@example.com");
        let message = compose(&evil, "a@b.example", "https://a.example", "t").unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        let head = text.split("\r\n\r\n").next().unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
    }
}
