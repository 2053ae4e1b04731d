//! This file's job is to run two sides of a comparison in turns, so that both see the same machine.

use anyhow::Result;

/// The samples of both sides, in the order they were taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// What ours measured.
    pub ours: Vec<f64>,
    /// What the peer measured.
    pub peer: Vec<f64>,
}

/// Runs A B A B …, `rounds` times each; the first error ends it.
pub fn interleave(
    rounds: usize,
    mut ours: impl FnMut() -> Result<f64>,
    mut peer: impl FnMut() -> Result<f64>,
) -> Result<Samples> {
    let mut samples = Samples { ours: Vec::with_capacity(rounds), peer: Vec::with_capacity(rounds) };
    for _ in 0..rounds {
        samples.ours.push(ours()?);
        samples.peer.push(peer()?);
    }
    Ok(samples)
}

/// The middle sample, or the mean of the two in the middle; nothing for no samples.
pub fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use anyhow::bail;

    use super::*;

    #[test]
    fn the_sides_take_turns() {
        let order = RefCell::new(String::new());
        let side = |letter: char, value: f64| {
            let order = &order;
            move || {
                order.borrow_mut().push(letter);
                Ok(value)
            }
        };
        let samples = interleave(3, side('a', 1.0), side('b', 2.0)).unwrap();
        assert_eq!(*order.borrow(), "ababab");
        assert_eq!(samples, Samples { ours: vec![1.0; 3], peer: vec![2.0; 3] });
    }

    #[test]
    fn a_side_that_fails_fails_the_comparison() {
        assert!(interleave(2, || Ok(1.0), || bail!("peer did not start")).is_err());
    }

    #[test]
    fn the_median_ignores_order_and_outliers() {
        assert_eq!(median(&[900.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }
}
