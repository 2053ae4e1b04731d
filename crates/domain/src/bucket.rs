//! This file's job is to place a device in one of a million buckets, the same everywhere and for ever.

use crate::ppm::Ppm;
use sha2::{Digest as _, Sha256};

/// Separates salt and device id, so that ("ab", "c") and ("a", "bc") differ.
const SEPARATOR: u8 = 0x1f;

/// Returns the device's bucket, 0 to 999,999: `(u32_be(sha256(salt ‖ 0x1f ‖ device_id)[0..4]) × 1,000,000) >> 32`.
#[must_use]
pub fn bucket(salt: &str, device_id: &str) -> u32 {
    let digest = Sha256::new().chain_update(salt).chain_update([SEPARATOR]).chain_update(device_id).finalize();
    let head = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    ((u64::from(head) * 1_000_000) >> 32) as u32
}

/// Says whether the device belongs to the first `share` of the population under this salt. One without an id belongs to no part of it:
/// it could not stay in.
#[must_use]
pub fn is_in(salt: &str, device_id: &str, share: Ppm) -> bool {
    let has_bucket = share != Ppm::NONE && !device_id.is_empty();
    share == Ppm::ALL || (has_bucket && bucket(salt, device_id) < share.get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_values_computed_by_another_implementation() {
        // python3 -c "import hashlib;h=lambda s,d:(int.from_bytes(hashlib.sha256(s+b'\x1f'+d).digest()[:4],'big')*1000000)>>32;print(h(b'salt',b'device-1'),h(b'',b''),h('ü'.encode(),b'x'))"
        assert_eq!(bucket("salt", "device-1"), 915_091);
        assert_eq!(bucket("", ""), 999_610);
        assert_eq!(bucket("ü", "x"), 138_758);
    }

    proptest! {
        #[test]
        fn growing_a_rollout_only_adds_devices(salt in ".{0,20}", device in ".{0,40}", a in 0_u32..=1_000_000, b in 0_u32..=1_000_000) {
            let (small, large) = (Ppm::new(a.min(b)).unwrap(), Ppm::new(a.max(b)).unwrap());
            prop_assert!(!is_in(&salt, &device, small) || is_in(&salt, &device, large));
        }

        #[test]
        fn nobody_and_everybody_are_exact(salt in ".{0,20}", device in ".{0,40}") {
            prop_assert!(!is_in(&salt, &device, Ppm::NONE));
            prop_assert!(is_in(&salt, &device, Ppm::ALL));
        }
    }

    #[test]
    fn who_has_no_id_is_in_no_part() {
        let almost_all = Ppm::new(999_999).unwrap();
        assert!((0..100).all(|salt| !is_in(&salt.to_string(), "", almost_all)));
        assert!(is_in("salt", "", Ppm::ALL));
    }

    #[test]
    fn buckets_are_spread_evenly() {
        const DEVICES: u32 = 100_000;
        let mut tenths = [0_u32; 10];
        for device in 0..DEVICES {
            tenths[(bucket("spread", &format!("device-{device}")) / 100_000) as usize] += 1;
        }
        let expected = f64::from(DEVICES) / 10.0;
        let chi_square: f64 = tenths.iter().map(|&seen| (f64::from(seen) - expected).powi(2) / expected).sum();
        assert!(chi_square < 27.88, "chi-square {chi_square} exceeds the 0.1 % point for 9 degrees of freedom");
    }
}
