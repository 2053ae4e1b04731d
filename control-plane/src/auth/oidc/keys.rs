//! This file's job is to check signatures with the keys that an issuer publishes: JWK sets, RFC 7517 and 7518.

use super::token::{Algorithm, Unverified};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

/// Issuers publish a handful; more would only cost.
const KEYS_MAX: usize = 64;

/// An issuer's keys; those of kinds that nothing here is signed with are left out.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<Key>);

#[derive(Debug, Clone)]
struct Key {
    id: Option<String>,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// The uncompressed point.
    P256(Vec<u8>),
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(tag = "kty")]
enum Published {
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
    #[serde(rename = "EC")]
    Ec { crv: String, x: String, y: String },
}

#[derive(Deserialize)]
struct Use {
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
}

impl Keys {
    /// Reads a published set; none when it is not one.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let set: Set = serde_json::from_slice(bytes).ok()?;
        // A set may hold keys of kinds that we do not know.
        Some(Self(set.keys.into_iter().take(KEYS_MAX).filter_map(Key::read).collect()))
    }

    /// Says whether there is a key with this id. A token without one is checked with every key.
    #[must_use]
    pub fn knows(&self, id: Option<&str>) -> bool {
        id.is_none() || self.0.iter().any(|key| key.id.as_deref() == id)
    }

    /// Says whether one of the keys that the token may mean signed it.
    #[must_use]
    pub fn signed(&self, token: &Unverified<'_>) -> bool {
        let wanted = token.key_id.as_deref();
        self.0.iter().filter(|key| wanted.is_none() || key.id.as_deref() == wanted).any(|key| key.kind.signed(token))
    }
}

impl Key {
    fn read(value: serde_json::Value) -> Option<Self> {
        let Use { kid, purpose } = Use::deserialize(&value).ok()?;
        if purpose.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let kind = match Published::deserialize(value).ok()? {
            Published::Rsa { n, e } => Kind::Rsa { n: number(&n)?, e: number(&e)? },
            Published::Ec { crv, x, y } if crv == "P-256" => {
                let point = [vec![4], decode(&x)?, decode(&y)?].concat();
                Kind::P256(point)
            }
            Published::Ec { .. } => return None,
        };
        Some(Self { id: kid, kind })
    }
}

impl Kind {
    /// The kind of key must be the one of the algorithm: a token cannot choose how its issuer's key is used.
    fn signed(&self, token: &Unverified<'_>) -> bool {
        match (self, token.algorithm) {
            (Self::Rsa { n, e }, Algorithm::RS256) => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, token.signed, &token.signature).is_ok()
            }
            (Self::P256(point), Algorithm::ES256) => {
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
                key.verify(token.signed, &token.signature).is_ok()
            }
            (Self::Rsa { .. }, Algorithm::ES256) | (Self::P256(_), Algorithm::RS256) => false,
        }
    }
}

/// Reads a big number; some issuers pad it in front.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = decode(text)?;
    let first = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes[first..].to_vec())
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515, appendix A.3: ES256.
    const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.\
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
        DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    const KEY: &str = r#"{"keys":[{"kty":"oct","k":"AA"},{"kty":"EC","crv":"P-256","kid":"1",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

    #[test]
    fn the_signature_of_rfc_7515_is_believed_and_a_changed_one_is_not() {
        let keys = Keys::read(KEY.as_bytes()).unwrap();
        assert!(keys.signed(&Unverified::read(TOKEN).unwrap()));
        assert!(keys.knows(Some("1")) && keys.knows(None) && !keys.knows(Some("2")));
        let forged = TOKEN.replace("eyJpc3MiOiJqb2Ui", "eyJpc3MiOiJqb2Ei");
        assert!(!keys.signed(&Unverified::read(&forged).unwrap()));
    }

    #[test]
    fn a_key_for_something_else_signs_nothing() {
        let other_use = KEY.replace(r#""kid":"1","#, r#""kid":"1","use":"enc","#);
        assert!(!Keys::read(other_use.as_bytes()).unwrap().signed(&Unverified::read(TOKEN).unwrap()));
        for bad in ["", "[]", "{}", r#"{"keys":1}"#] {
            assert!(Keys::read(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
