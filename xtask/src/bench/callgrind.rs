//! This file's job is to read what Callgrind counted: instructions, and calls of the allocator.
//!
//! The format is that of Valgrind's manual, "Callgrind Format Specification": a name stands in full where it first occurs and as its number
//! in parentheses after that; `fn=` begins the lines of a function, and `cfn=` with the `calls=` after it is a call that it makes.

use std::collections::HashMap;

/// The C library's functions that hand out memory, and those of the allocator in the edge.
const ALLOCATORS: [&str; 11] = [
    "malloc",
    "calloc",
    "realloc",
    "memalign",
    "aligned_alloc",
    "posix_memalign",
    "mi_malloc",
    "mi_malloc_aligned",
    "mi_zalloc",
    "mi_zalloc_aligned",
    "mi_realloc_aligned",
];

/// What a program did from its start to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Instructions, without the kernel's.
    pub instructions: u64,
    /// Calls for memory.
    pub allocations: u64,
}

/// Reads a file of Callgrind; nothing when it has no total.
pub fn read(file: &str) -> Option<Counts> {
    let total = file.lines().find_map(|line| line.strip_prefix("totals:").or_else(|| line.strip_prefix("summary:")))?;
    let instructions = total.split_whitespace().next()?.parse().ok()?;
    Some(Counts { instructions, allocations: allocations(file)? })
}

fn allocations(file: &str) -> Option<u64> {
    let mut names = HashMap::new();
    let (mut caller, mut called, mut count) = ("", "", 0);
    for line in file.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            caller = full(name, &mut names)?;
        } else if let Some(name) = line.strip_prefix("cfn=") {
            called = full(name, &mut names)?;
        } else if let Some(calls) = line.strip_prefix("calls=") {
            // Allocators call each other on the way.
            if is_allocator(called) && !is_allocator(caller) {
                count += calls.split_whitespace().next()?.parse::<u64>().ok()?;
            }
        }
    }
    Some(count)
}

/// A function that calls itself has the depth behind its name.
fn is_allocator(name: &str) -> bool {
    ALLOCATORS.contains(&name.split('\'').next().unwrap_or_default())
}

fn full<'f>(name: &'f str, names: &mut HashMap<&'f str, &'f str>) -> Option<&'f str> {
    match name.split_once(' ') {
        Some((number, full)) => {
            names.insert(number, full);
            Some(full)
        }
        None => names.get(name).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "version: 1\nevents: Ir\nsummary: 123456\n\nfn=(1) main\n16 400\ncfn=(2) mi_malloc_aligned\n\
        calls=7 0\n16 400\ncfn=(3) free\ncalls=7 0\n16 90\n\nfn=(2)\n1 2\ncfn=(4) malloc\ncalls=5 0\n1 2\n\n\
        fn=(5) serve\n1 2\ncfn=(2)\ncalls=30 0\n1 2\ncfn=(6) realloc'2\ncalls=2 0\n1 2\ntotals: 123456\n";

    #[test]
    fn calls_of_allocators_are_counted_unless_one_calls_another() {
        assert_eq!(read(FILE), Some(Counts { instructions: 123_456, allocations: 39 }));
    }

    #[test]
    fn a_file_that_broke_off_is_not_read() {
        assert_eq!(read("version: 1\n"), None);
        assert_eq!(read("fn=(1)\ntotals: 5\n"), None, "a number without its name");
    }
}
