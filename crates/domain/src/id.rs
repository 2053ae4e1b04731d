//! This file's job is to list the typed, prefixed, time-sortable ids of everything that has one.

use crate::error::Invalid;
use crate::time::Timestamp;

/// Crockford's base 32 alphabet in lower case: no i, l, o, u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 48 bits of milliseconds and 80 random bits make 26 digits (a ULID).
const DIGITS: usize = 26;

/// Writes the 128 bits as 26 base-32 digits, most significant first.
fn encode(value: u128) -> String {
    (0..DIGITS).rev().map(|i| char::from(ALPHABET[((value >> (5 * i)) & 31) as usize])).collect()
}

/// Reads 26 digits back; only their lowest 128 bits count.
fn decode(digits: &str) -> u128 {
    let digit = |byte| ALPHABET.iter().position(|known| *known == byte).unwrap_or_default() as u128;
    digits.bytes().fold(0, |value, byte| value << 5 | digit(byte))
}

fn is_ulid(text: &str) -> bool {
    text.len() == DIGITS && text.as_bytes()[0] <= b'7' && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

/// Makes the text of an id from its prefix, the time and ten random bytes.
fn compose(prefix: &str, now: Timestamp, random: [u8; 10]) -> String {
    let mut low = [0_u8; 16];
    low[6..].copy_from_slice(&random);
    let value = (u128::from(now.as_ms() & 0xffff_ffff_ffff) << 80) | u128::from_be_bytes(low);
    format!("{prefix}_{}", encode(value))
}

macro_rules! typed_ids {
    ($($(#[$meta:meta])* $name:ident => $prefix:literal),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The prefix before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Makes an id from the time and ten random bytes; ids of one process sort by time.
            #[must_use]
            pub fn from_parts(now: Timestamp, random: [u8; 10]) -> Self {
                Self(compose($prefix, now, random).into())
            }

            /// Makes an id from its 128 bits, for things whose ids other protocols made.
            #[must_use]
            pub fn from_bits(bits: u128) -> Self {
                Self(format!("{}_{}", $prefix, encode(bits)).into())
            }

            /// Returns the 128 bits, for protocols that write ids in another way.
            #[must_use]
            pub fn bits(&self) -> u128 {
                decode(&self.0[$prefix.len() + 1..])
            }

            /// Returns the text form, for instance `app_01j9…`.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text.strip_prefix(concat!($prefix, "_")) {
                    Some(rest) if is_ulid(rest) => Ok(Self(text.into())),
                    Some(_) | None => {
                        Err(Invalid::new(stringify!($name), concat!("must look like ", $prefix, "_ and 26 base-32 digits")))
                    }
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.to_string()
            }
        }
    )+};
}

typed_ids! {
    /// A tenant.
    OrganizationId => "org",
    /// A person with an account.
    UserId => "usr",
    /// An API key.
    ApiKeyId => "key",
    /// An app of an organization.
    AppId => "app",
    /// A workflow that may publish without a key.
    PublisherId => "pub",
    /// A secret of an app.
    CredentialId => "crd",
    /// A channel of an app.
    ChannelId => "chn",
    /// A native build that devices run.
    BinaryId => "bin",
    /// A resumable transfer and its processing record.
    UploadId => "upl",
    /// One processed upload: immutable content.
    BundleId => "bun",
    /// A bundle offered in a channel.
    ReleaseId => "rel",
    /// A device that registered itself.
    DeviceId => "dev",
    /// A job of the queue.
    JobId => "job",
    /// An edge proxy's installation.
    EdgeId => "edg",
    /// One incarnation of a worker process.
    WorkerId => "wrk",
    /// A person's session.
    SessionId => "ses",
    /// An invitation to an organization.
    InvitationId => "inv",
    /// A mail that is to be sent, or was.
    MailId => "mal",
    /// An address that is told what happens.
    WebhookId => "whk",
    /// What is, or was, sent to one webhook.
    DeliveryId => "whd",
    /// What is told, the same for every webhook.
    MessageId => "msg",
    /// An entry of the audit log.
    AuditId => "aud",
    /// One telemetry event.
    EventId => "evt",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_sort_by_time() {
        let early = AppId::from_parts(Timestamp::from_us(1_000_000), [255; 10]);
        let late = AppId::from_parts(Timestamp::from_us(2_000_000), [0; 10]);
        assert!(early < late);
        assert_eq!(early.as_str().parse::<AppId>(), Ok(early.clone()));
        assert!(early.as_str().parse::<ChannelId>().is_err());
    }

    #[test]
    fn bits_and_text_say_the_same() {
        for bits in [0, 1, 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210, u128::MAX] {
            let id = DeviceId::from_bits(bits);
            assert_eq!((id.bits(), id.as_str().parse()), (bits, Ok(id.clone())));
        }
    }

    #[test]
    fn foreign_spellings_are_refused() {
        for text in [
            "app_",
            "app_01",
            "APP_00000000000000000000000000",
            "app_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "app_i0000000000000000000000000",
        ] {
            assert!(text.parse::<AppId>().is_err(), "{text}");
        }
    }
}
