//! Changes of seeds at random, the same every time.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// The longest text that is made, in bytes.
const LONGEST: usize = 64 * 1024;

/// Numbers that lengths and counts are changed into.
const AWKWARD: [u64; 8] = [0, 1, 0x7f, 0xff, 0x7fff_ffff, 0xffff_ffff, i64::MAX as u64, u64::MAX];

/// Returns `rounds` changed seeds.
pub(super) fn mutations(seeds: &[Vec<u8>], rounds: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut random = StdRng::seed_from_u64(20_261_128);
    (0..rounds).map(move |_| {
        let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
        for _ in 0..random.random_range(1..5) {
            let other = &seeds[random.random_range(0..seeds.len())];
            change(&mut bytes, other, &mut random);
        }
        bytes.truncate(LONGEST);
        bytes
    })
}

fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut impl Rng) {
    let from = random.random_range(0..=bytes.len());
    let to = random.random_range(from..=bytes.len().min(from + 64));
    match random.random_range(0..7) {
        // Change a bit or a byte.
        0 if from < bytes.len() => bytes[from] ^= 1 << random.random_range(0..8),
        1 if from < bytes.len() => bytes[from] = random.random(),
        // Remove a part, or repeat it.
        2 => drop(bytes.drain(from..to)),
        3 => {
            let part = bytes[from..to].to_vec();
            let times = random.random_range(1..100);
            bytes.splice(from..from, part.repeat(times));
        }
        // Cut the end off, or replace it by the end of another seed.
        4 => bytes.truncate(from),
        5 => {
            bytes.truncate(from);
            bytes.extend_from_slice(&other[random.random_range(0..=other.len())..]);
        }
        // Write an awkward number over what is there.
        _ => {
            let number = AWKWARD[random.random_range(0..AWKWARD.len())].to_le_bytes();
            let number = &number[..[1, 2, 4, 8][random.random_range(0..4)]];
            for (byte, new) in bytes[from..].iter_mut().zip(number) {
                *byte = *new;
            }
        }
    }
}
