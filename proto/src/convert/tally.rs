//! This file's job is to convert what edges count.

use super::{InField as _, InvalidMessage, optional_sha256_from_wire, sha256_to_wire};
use crate::v1;
use domain::tally::{Amount, TallyKey};

/// Writes a number with what it is about.
#[must_use]
pub fn tally_to_wire(key: &TallyKey, amount: Amount) -> v1::Tally {
    v1::Tally {
        app_id: key.app.to_string(),
        channel_name: key.channel.as_ref().map(ToString::to_string).unwrap_or_default(),
        release_id: key.release.as_ref().map(ToString::to_string).unwrap_or_default(),
        bundle_sha256: key.bundle.as_ref().map(sha256_to_wire).unwrap_or_default(),
        measure: key.measure.to_string(),
        times: amount.times,
        bytes: amount.bytes,
    }
}

/// Reads a number with what it is about.
///
/// # Errors
/// The first field that breaks a rule.
pub fn tally_from_wire(tally: &v1::Tally) -> Result<(TallyKey, Amount), InvalidMessage> {
    let given = |text: &str| Some(text).filter(|text| !text.is_empty()).map(str::to_owned);
    let key = TallyKey {
        app: tally.app_id.parse().in_field("app_id")?,
        channel: given(&tally.channel_name).map(|name| name.parse()).transpose().in_field("channel_name")?,
        release: given(&tally.release_id).map(|id| id.parse()).transpose().in_field("release_id")?,
        bundle: optional_sha256_from_wire(&tally.bundle_sha256, "bundle_sha256")?,
        measure: tally.measure.parse().in_field("measure")?,
    };
    Ok((key, Amount { times: tally.times, bytes: tally.bytes }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Sha256;
    use domain::Timestamp;
    use domain::id::{AppId, ReleaseId};
    use domain::tally::{CheckResult, Measure, Product};

    #[test]
    fn numbers_come_back_as_they_were_written() {
        let at = Timestamp::from_us(1);
        let check = TallyKey {
            app: AppId::from_parts(at, [1; 10]),
            channel: Some("production".parse().unwrap()),
            release: Some(ReleaseId::from_parts(at, [2; 10])),
            bundle: None,
            measure: Measure::Check(CheckResult::Offered),
        };
        let served = TallyKey {
            channel: None,
            release: None,
            bundle: Some(Sha256::of(b"bundle")),
            measure: Measure::Served(Product::Patch("dcz".into())),
            ..check.clone()
        };
        for key in [check, served] {
            let amount = Amount { times: 3, bytes: 5 };
            let wire = tally_to_wire(&key, amount);
            assert_eq!(tally_from_wire(&wire), Ok((key, amount)));
            for (field, broken) in [
                ("app_id", v1::Tally { app_id: String::new(), ..wire.clone() }),
                ("channel_name", v1::Tally { channel_name: "A b".into(), ..wire.clone() }),
                ("release_id", v1::Tally { release_id: "rel_1".into(), ..wire.clone() }),
                ("bundle_sha256", v1::Tally { bundle_sha256: vec![1].into(), ..wire.clone() }),
                ("measure", v1::Tally { measure: "luck".into(), ..wire.clone() }),
            ] {
                assert_eq!(tally_from_wire(&broken).unwrap_err().field, field);
            }
        }
    }
}
