//! This file's job is to say how much an encoder may take.

/// How hard an encoder tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// A few seconds for a bundle of 3 MB: what is offered first.
    Quick,
    /// The smallest patch, several times slower: what replaces it later.
    Best,
}

/// How much an encoder may take.
pub struct Budget<'a> {
    /// What the encoder may allocate besides the files it is given.
    pub memory_max_bytes: usize,
    /// Asked several times a second; once it says yes, the encoder stops soon, with the best patch it has, if any.
    pub should_stop: &'a dyn Fn() -> bool,
}

impl Budget<'_> {
    /// As much as the encoders ever want, for as long as it takes.
    pub const UNLIMITED: Budget<'static> = Budget { memory_max_bytes: usize::MAX, should_stop: &|| false };

    pub(crate) fn is_spent(&self) -> bool {
        (self.should_stop)()
    }

    pub(crate) const fn allows(&self, needed_bytes: usize) -> bool {
        needed_bytes <= self.memory_max_bytes
    }
}
