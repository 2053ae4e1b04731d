//! This file's job is to make a key and its certificate, as Expo clients want them.
//!
//! They take RSA keys only, and certificates for signing code that sign themselves.

use crate::error::Error;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256,
    date_time_ymd,
};
use rsa::RsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::time::{SystemTime, UNIX_EPOCH};

/// What Expo's own tool makes.
const KEY_BITS: usize = 2_048;
/// Nearly: the certificate is good from the first of January of this year.
const SECONDS_PER_YEAR: u64 = 31_556_952;

/// A key and its certificate, in PEM.
pub(super) struct Identity {
    pub(super) private_key: String,
    pub(super) certificate: String,
}

impl Identity {
    /// Makes both.
    pub(super) fn generate(common_name: &str, valid_years: u16) -> Result<Self, Error> {
        let failed = |cause: &dyn std::fmt::Display| Error::Content(format!("the key cannot be made: {cause}"));
        let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, KEY_BITS).map_err(|error| failed(&error))?;
        let der = key.to_pkcs8_der().map_err(|error| failed(&error))?;
        let private_key = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| failed(&error))?.to_string();
        let pair = PrivatePkcs8KeyDer::from(der.as_bytes());
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&pair, &PKCS_RSA_SHA256).map_err(|error| failed(&error))?;
        let mut parameters = CertificateParams::default();
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, common_name);
        parameters.distinguished_name = name;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        let year = this_year();
        parameters.not_before = date_time_ymd(year, 1, 1);
        parameters.not_after = date_time_ymd(year + i32::from(valid_years), 12, 31);
        let certificate = parameters.self_signed(&pair).map_err(|error| failed(&error))?;
        Ok(Self { private_key, certificate: certificate.pem() })
    }
}

fn this_year() -> i32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    1970 + i32::try_from(since.as_secs() / SECONDS_PER_YEAR).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expo::signing::Signer;

    #[test]
    fn what_is_made_signs() {
        let identity = Identity::generate("shop", 10).unwrap();
        let signer = Signer::new(identity.private_key.as_bytes(), String::new(), String::new()).unwrap();
        assert_eq!(signer.signature(b"body").unwrap().len(), KEY_BITS / 8);
        assert!(identity.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
    }
}
