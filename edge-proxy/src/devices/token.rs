//! This file's job is to mint and verify device tokens without any I/O.
//!
//! A token is `adt1.<generation>.<app id>.<device id>.<issued, seconds since 1970>.<mac>`, where `mac` is the HMAC-SHA-256 over
//! everything before the last dot under the app's key of that generation, in base64url without padding. It proves that an edge of this
//! installation registered the device; it does not prove that the device is genuine.

use crate::cut::cut;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Timestamp;
use domain::id::{AppId, DeviceId, EventId};
use domain::snapshot::TokenKey;
use ring::hmac;

/// Longer than any token of this version.
pub(crate) const TOKEN_MAX_BYTES: usize = 256;
const PREFIX: &str = "adt1";
const MAC_BYTES: usize = 32;
/// 32 bytes in base64url without padding.
const MAC_DIGITS: usize = 43;
/// Ids made from a nonce hold no time: their 48 time bits come from the nonce as well.
const TIME_MASK: u64 = 0xffff_ffff_ffff;

/// The keys of an app, newest first.
pub(crate) struct TokenKeys(Vec<(u32, hmac::Key)>);

/// What a token says, before and after it is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim<'a> {
    generation: u32,
    pub(crate) app: &'a str,
    pub(crate) device: &'a str,
    signed: &'a str,
    mac: [u8; MAC_BYTES],
}

/// A device that registered.
pub(crate) struct Registered {
    pub(crate) device: DeviceId,
    /// The same for every repetition of the registration, so that it is stored once.
    pub(crate) event: EventId,
    pub(crate) token: String,
}

impl<'a> Claim<'a> {
    /// Takes a token apart. `None` when it is not shaped like one.
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        if token.len() > TOKEN_MAX_BYTES {
            return None;
        }
        let (signed, tail) = token.split_at_checked(token.len().checked_sub(1 + MAC_DIGITS)?)?;
        let digits = tail.strip_prefix('.')?;
        let (prefix, rest) = cut(signed, b'.');
        let (generation, rest) = cut(rest?, b'.');
        let (app, rest) = cut(rest?, b'.');
        let (device, issued) = cut(rest?, b'.');
        // A part too many is no number.
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if prefix != PREFIX || !is_number(generation) || !is_number(issued?) {
            return None;
        }
        let mut mac = [0_u8; MAC_BYTES];
        if URL_SAFE_NO_PAD.decode_slice_unchecked(digits, &mut mac).ok()? != MAC_BYTES {
            return None;
        }
        Some(Self { generation: generation.parse().ok()?, app, device, signed, mac })
    }
}

impl TokenKeys {
    pub(crate) fn new(keys: &[TokenKey]) -> Self {
        Self(keys.iter().map(|key| (key.generation, hmac::Key::new(hmac::HMAC_SHA256, &key.secret))).collect())
    }

    /// Says whether one of these keys signed the claim. Compares in constant time.
    pub(crate) fn verify(&self, claim: &Claim<'_>) -> bool {
        let key = self.0.iter().find(|(generation, _)| *generation == claim.generation);
        key.is_some_and(|(_, key)| hmac::verify(key, claim.signed.as_bytes(), &claim.mac).is_ok())
    }

    /// Registers the device that chose the nonce. The ids depend on key and nonce only. `None` when there is no key.
    pub(crate) fn register(&self, app: &AppId, nonce: &str, now: Timestamp) -> Option<Registered> {
        let (generation, key) = self.0.first()?;
        // What is hashed here can never be the text of a token, which begins with the prefix.
        let bits = |purpose: &str| hmac::sign(key, format!("{purpose}\u{1f}{app}\u{1f}{nonce}").as_bytes());
        let (time, random) = split(bits("device").as_ref());
        let device = DeviceId::from_parts(time, random);
        let (time, random) = split(bits("registered").as_ref());
        let event = EventId::from_parts(time, random);
        let signed = format!("{PREFIX}.{generation}.{app}.{device}.{}", now.as_ms() / 1_000);
        let mac = URL_SAFE_NO_PAD.encode(hmac::sign(key, signed.as_bytes()));
        Some(Registered { device, event, token: format!("{signed}.{mac}") })
    }
}

/// Makes the two parts of an id from 18 bytes.
pub(crate) fn split(bits: &[u8]) -> (Timestamp, [u8; 10]) {
    let mut time = [0_u8; 8];
    time.copy_from_slice(&bits[..8]);
    let mut random = [0_u8; 10];
    random.copy_from_slice(&bits[8..18]);
    let time_ms = u64::from_be_bytes(time) & TIME_MASK;
    (Timestamp::from_us((time_ms * 1_000).cast_signed()), random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(generations: &[u32]) -> TokenKeys {
        let key = |&generation: &u32| TokenKey { generation, secret: [generation as u8; 32] };
        TokenKeys::new(&generations.iter().map(key).collect::<Vec<_>>())
    }

    fn app(random: u8) -> AppId {
        AppId::from_parts(Timestamp::from_us(1_790_000_000_000_000), [random; 10])
    }

    const NONCE: &str = "a-nonce-that-is-long-enough";

    fn verifies(keys: &TokenKeys, token: &str) -> bool {
        Claim::parse(token).is_some_and(|claim| keys.verify(&claim))
    }

    #[test]
    fn a_token_verifies_and_names_the_device() {
        let keys = keys(&[2, 1]);
        let registered = keys.register(&app(1), NONCE, Timestamp::from_us(5_000_000)).unwrap();
        let claim = Claim::parse(&registered.token).unwrap();
        assert!(keys.verify(&claim));
        assert_eq!((claim.app, claim.device), (app(1).as_str(), registered.device.as_str()));
    }

    #[test]
    fn registering_again_gives_the_same_ids_and_another_nonce_or_app_gives_others() {
        let keys = keys(&[1]);
        let register = |app: &AppId, nonce: &str, us| keys.register(app, nonce, Timestamp::from_us(us)).unwrap();
        let first = register(&app(1), NONCE, 0);
        let again = register(&app(1), NONCE, 99_000_000);
        assert_eq!((&first.device, &first.event), (&again.device, &again.event));
        assert_ne!(first.device, register(&app(1), "another-nonce-that-is-long", 0).device);
        assert_ne!(first.device, register(&app(2), NONCE, 0).device);
    }

    #[test]
    fn rotation_keeps_old_tokens_until_their_key_is_gone() {
        let old = keys(&[1]).register(&app(1), NONCE, Timestamp::from_us(0)).unwrap();
        assert!(verifies(&keys(&[2, 1]), &old.token));
        assert!(!verifies(&keys(&[2]), &old.token));
    }

    #[test]
    fn the_last_digit_of_the_mac_has_one_spelling() {
        let keys = keys(&[1]);
        let token = keys.register(&app(1), NONCE, Timestamp::from_us(0)).unwrap().token;
        let spellings = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']);
        let accepted = spellings.filter(|last| verifies(&keys, &format!("{}{last}", &token[..token.len() - 1])));
        assert_eq!(accepted.count(), 1);
    }

    proptest! {
        #[test]
        fn any_changed_or_cut_token_is_refused(position in 0_usize..200, byte in 0x20_u8..0x7f, cut in 0_usize..200) {
            let keys = keys(&[1]);
            let token = keys.register(&app(1), NONCE, Timestamp::from_us(0)).unwrap().token;
            let mut changed = token.clone().into_bytes();
            let position = position % changed.len();
            prop_assume!(changed[position] != byte);
            changed[position] = byte;
            prop_assert!(!verifies(&keys, &String::from_utf8(changed).unwrap()));
            prop_assert!(!verifies(&keys, &token[..cut % token.len()]));
        }

        #[test]
        fn no_text_makes_parsing_panic(text in ".{0,300}") {
            let _ = Claim::parse(&text);
        }
    }
}
