//! This file's job is to repeat a fault, then to see its test fail once with a guard broken, and to write down what was lost.

use std::path::PathBuf;
use std::time::Instant;

/// Rounds of each fault; one when it is not set, which is what continuous integration runs.
const ROUNDS: &str = "ALOFT_FAULTS_ROUNDS";
/// Drives every random choice; 1 when it is not set.
const SEED: &str = "ALOFT_FAULTS_SEED";
/// The folder that gets a file for each fault, as `./x faults` reads them.
const FOLDER: &str = "ALOFT_FAULTS_FOLDER";

/// What one round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Harm {
    /// Things that were promised and are gone.
    pub lost: u64,
    /// Things that are there and should not be, or differ.
    pub wrong: u64,
}

impl Harm {
    /// Adds what else was done.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { lost: self.lost + other.lost, wrong: self.wrong + other.wrong }
    }
}

/// Whether the guard stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// As it ships.
    Stands,
    /// Left out: the test must notice.
    Broken,
}

/// A random choice that a seed repeats.
#[derive(Debug, Clone, Copy)]
pub struct Dice(u64);

impl Dice {
    /// Makes choices that the seed repeats.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below the bound (SplitMix64).
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}

/// What one round did, and how often it injected the fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// How often the fault was injected.
    pub injected: u64,
    /// What it did.
    pub harm: Harm,
}

/// Runs the rounds with the guard standing and one with it broken. Every round injects the fault once.
///
/// # Panics
/// When anything was lost or wrong, or when the broken guard went unnoticed.
pub async fn repeat(fault: &str, guard: &str, round: impl AsyncFn(Guard, Dice) -> Harm) {
    repeat_many(fault, guard, 1, round).await;
}

/// Like [`repeat`] for rounds that inject the fault so many times.
///
/// # Panics
/// When anything was lost or wrong, or when the broken guard went unnoticed.
pub async fn repeat_many(fault: &str, guard: &str, injected: u64, round: impl AsyncFn(Guard, Dice) -> Harm) {
    repeat_counted(fault, guard, async |guard, dice| Round { injected, harm: round(guard, dice).await }).await;
}

/// Like [`repeat`] for rounds that count how often they inject the fault.
///
/// # Panics
/// When anything was lost or wrong, or when the broken guard went unnoticed.
pub async fn repeat_counted(fault: &str, guard: &str, round: impl AsyncFn(Guard, Dice) -> Round) {
    let (rounds, seed) = (number(ROUNDS), number(SEED));
    println!("{fault}: {rounds} rounds, seed {seed}");
    let begun = Instant::now();
    let (mut harm, mut injected) = (Harm::default(), 0);
    for number in 0..rounds {
        let done = round(Guard::Stands, Dice(seed.wrapping_add(number))).await;
        harm = harm.and(done.harm);
        injected += done.injected;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let control = round(Guard::Broken, Dice(seed)).await;
    let seen = control.harm != Harm::default();
    println!("{fault}: injected {injected}, {harm:?}; without {guard}: {:?}", control.harm);
    write_down(fault, guard, Round { injected, harm }, seconds, seen);
    assert_eq!(harm, Harm::default(), "{fault} with seed {seed}");
    assert!(seen, "without {guard} nothing is lost: the test of {fault} proves nothing");
}

/// Writes down what `./x faults` reads; nothing when it does not ask.
fn write_down(fault: &str, guard: &str, round: Round, seconds: f64, control_seen: bool) {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let line = serde_json::json!({
        "fault": fault, "injected": round.injected, "lost": round.harm.lost, "wrong": round.harm.wrong, "seconds": seconds,
        "control": guard, "control_seen": control_seen,
    });
    let path = PathBuf::from(folder).join(format!("{}.json", fault.replace(' ', "-")));
    std::fs::write(path, line.to_string()).expect("the record can be written");
}

fn number(variable: &str) -> u64 {
    std::env::var(variable).map_or(1, |text| text.parse().expect("a number"))
}
