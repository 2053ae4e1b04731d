//! This file's job is to describe how bytes are made from similar ones: steps that take old bytes, then new ones, and move on.

#[cfg(feature = "zstandard")]
use crate::error::DeltaError;
#[cfg(feature = "zstandard")]
use crate::hermes::broken;

/// One step: so many bytes like old ones, then so many new ones, then a move in the old bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Step {
    pub(super) add: usize,
    pub(super) copy: usize,
    pub(super) seek: i64,
}

impl Step {
    /// Returns where in the old bytes the next step begins.
    pub(super) fn next(&self, position: usize) -> Option<usize> {
        position.checked_add(self.add)?.checked_add_signed(isize::try_from(self.seek).ok()?)
    }
}

/// Makes the new bytes, exactly as many as there is room for.
#[cfg(feature = "zstandard")]
pub(super) fn apply(steps: &[Step], mut copies: &[u8], old: &[u8], new: &mut [u8]) -> Result<(), DeltaError> {
    let outside = || broken("a step is too long");
    let mut rest = new;
    let mut position = 0_usize;
    for step in steps {
        let (added, after) = rest.split_at_mut_checked(step.add).ok_or_else(outside)?;
        let source = old.get(position..).and_then(|old| old.get(..step.add)).ok_or_else(outside)?;
        added.copy_from_slice(source);
        let (copied, after) = after.split_at_mut_checked(step.copy).ok_or_else(outside)?;
        let (source, left) = copies.split_at_checked(step.copy).ok_or_else(outside)?;
        copied.copy_from_slice(source);
        (rest, copies) = (after, left);
        position = step.next(position).ok_or_else(outside)?;
    }
    if rest.is_empty() { Ok(()) } else { Err(broken("steps are missing")) }
}

/// Says where old bytes went.
#[derive(Debug, Default)]
pub(super) struct Alignment {
    pieces: Vec<Piece>,
}

/// Old bytes that went somewhere together; in the order of the old bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    old: usize,
    length: usize,
    new: usize,
}

impl Alignment {
    /// Follows steps that were applied, so that they fit.
    pub(super) fn new(steps: &[Step]) -> Self {
        let (mut old, mut new) = (0_usize, 0_usize);
        let mut pieces = Vec::with_capacity(steps.len());
        for step in steps {
            if step.add > 0 {
                pieces.push(Piece { old, length: step.add, new });
            }
            old = step.next(old).unwrap_or(0);
            new += step.add + step.copy;
        }
        pieces.sort_unstable();
        Self { pieces }
    }

    /// Returns where an old position went. Of the pieces that begin before it, the longest of the last few that hold it, or else the last.
    pub(super) fn map(&self, old: usize) -> Option<usize> {
        const LOOK_BACK: usize = 4;
        let after = self.pieces.partition_point(|piece| piece.old <= old);
        let before = &self.pieces[..after];
        let holding = before.iter().rev().take(LOOK_BACK).filter(|piece| old - piece.old < piece.length);
        let piece = holding.max_by_key(|piece| piece.length).or_else(|| before.last())?;
        (old - piece.old).checked_add(piece.new)
    }
}

#[cfg(all(test, feature = "zstandard"))]
mod tests {
    use super::*;

    const STEPS: [Step; 3] =
        [Step { add: 2, copy: 1, seek: 1 }, Step { add: 3, copy: 0, seek: -6 }, Step { add: 1, copy: 0, seek: 0 }];

    #[test]
    fn steps_take_old_bytes_and_new_ones_and_move() {
        let mut new = [0; 7];
        apply(&STEPS, b"+", b"abcdef", &mut new).unwrap();
        assert_eq!(&new, b"ab+defa");
    }

    #[test]
    fn steps_that_do_not_fit_are_errors() {
        let made = |steps: &[Step], size: usize| apply(steps, b"+", b"abcdef", &mut vec![0; size]);
        assert!(made(&STEPS, 6).is_err());
        assert!(made(&STEPS, 8).is_err());
        assert!(made(&[Step { add: 7, copy: 0, seek: 0 }], 7).is_err());
        assert!(made(&[Step { add: 0, copy: 2, seek: 0 }], 2).is_err());
        assert!(made(&[Step { add: usize::MAX, copy: 0, seek: 0 }], 7).is_err());
        assert!(made(&[Step { add: 0, copy: 0, seek: -1 }, Step { add: 1, copy: 0, seek: 0 }], 1).is_err());
        assert!(
            made(&[Step { add: 0, copy: 0, seek: i64::MAX }, Step { add: 1, copy: 0, seek: i64::MAX }], 1).is_err()
        );
    }

    #[test]
    fn positions_go_where_their_bytes_went() {
        let alignment = Alignment::new(&STEPS);
        let went: Vec<_> = (0..7).map(|old| alignment.map(old)).collect();
        // The byte at 0 went to two places, the longer piece counts; that at 2 went nowhere, as did that behind the end.
        assert_eq!(went, [0, 1, 2, 3, 4, 5, 6].map(Some));
        assert_eq!(Alignment::new(&[]).map(3), None);
    }
}
