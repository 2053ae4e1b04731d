//! This file's job is to turn a sorted block into few different symbols: move to front, then numbers for runs of zeros.

/// The first of the two digits that runs of zeros are written with.
const RUN_A: u16 = 0;

/// What the prefix codes are made for.
pub(super) struct Symbols {
    /// Which bytes occur.
    pub(super) used: [bool; 256],
    /// The symbols, the last being the end.
    pub(super) list: Vec<u16>,
    /// How many different symbols there can be.
    pub(super) alphabet: usize,
}

/// Makes symbols of the last column of a sorted block.
pub(super) fn make(last: &[u8]) -> Symbols {
    let mut used = [false; 256];
    for &byte in last {
        used[usize::from(byte)] = true;
    }
    let mut front: Vec<u8> = (0..=255).filter(|&byte| used[usize::from(byte)]).collect();
    let alphabet = front.len() + 2;
    let mut list = Vec::with_capacity(last.len() / 2);
    let mut zeros = 0_usize;
    for &byte in last {
        if front[0] == byte {
            zeros += 1;
            continue;
        }
        write_zeros(&mut list, zeros);
        zeros = 0;
        let mut carried = front[0];
        let mut position = 0;
        while carried != byte {
            position += 1;
            std::mem::swap(&mut carried, &mut front[position]);
        }
        front[0] = byte;
        list.push(position as u16 + 1);
    }
    write_zeros(&mut list, zeros);
    list.push(alphabet as u16 - 1);
    Symbols { used, list, alphabet }
}

/// Writes how many zeros there were, with the digits 1 and 2, the lowest first.
fn write_zeros(list: &mut Vec<u16>, mut count: usize) {
    while count > 0 {
        let odd = count & 1;
        list.push(if odd == 1 { RUN_A } else { RUN_A + 1 });
        count = (count + odd - 2) >> 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_bijective_numbers() {
        let digits = |count| {
            let mut list = Vec::new();
            write_zeros(&mut list, count);
            list
        };
        assert_eq!(digits(0), [0_u16; 0]);
        assert_eq!(digits(1), [0]);
        assert_eq!(digits(2), [1]);
        assert_eq!(digits(3), [0, 0]);
        assert_eq!(digits(4), [1, 0]);
        assert_eq!(digits(6), [1, 1]);
    }

    #[test]
    fn a_byte_seen_again_is_a_small_number() {
        let symbols = make(b"ccbbc");
        assert_eq!(symbols.list, [2, 0, 2, 0, 2, 3]);
        assert_eq!(symbols.alphabet, 4);
    }
}
