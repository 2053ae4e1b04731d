//! This file's job is to read and write the numbers of the format: 8 bytes, little endian, the top bit being the sign.

const SIGN: u64 = 1 << 63;

pub(super) fn read(bytes: [u8; 8]) -> i64 {
    let number = u64::from_le_bytes(bytes);
    let size = (number & !SIGN).cast_signed();
    if number & SIGN == 0 { size } else { -size }
}

#[cfg(feature = "encode")]
pub(super) fn write(number: i64) -> [u8; 8] {
    let sign = if number < 0 { SIGN } else { 0 };
    (number.unsigned_abs() | sign).to_le_bytes()
}

#[cfg(all(test, feature = "encode"))]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_and_the_sign_is_a_bit() {
        for number in [0, 1, -1, 255, -256, i64::MAX, -i64::MAX] {
            assert_eq!(read(write(number)), number);
        }
        assert_eq!(write(-2), [2, 0, 0, 0, 0, 0, 0, 0x80]);
    }
}
