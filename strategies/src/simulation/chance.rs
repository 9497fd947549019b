//! Randomness as a function of a few numbers.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// The randomness of one reply or question.
pub(super) struct Chance(StdRng);

impl Chance {
    /// The randomness that belongs to these numbers in this order.
    pub(super) fn new(of: &[u64]) -> Self {
        let seed = of.iter().fold(0x9e37_79b9_7f4a_7c15, |state: u64, part| {
            scramble(state.rotate_left(23) ^ scramble(*part))
        });
        Self(StdRng::seed_from_u64(seed))
    }

    /// Whether something of probability `rate` happens.
    pub(super) fn happens(&mut self, rate: f64) -> bool {
        self.unit() < rate
    }

    /// In [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// From the standard normal distribution (Box and Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// A whole number below `bound`; 0 if there is none.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        self.0.random_range(0..bound.max(1))
    }

    /// One of `options`.
    pub(super) fn choose<'a, T>(&mut self, options: &'a [T]) -> Option<&'a T> {
        let index = self.0.random_range(0..options.len().max(1));
        options.get(index)
    }
}

/// A number for a text (FNV-1a).
pub(super) fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The finaliser of splitmix64: near numbers become unrelated ones.
fn scramble(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
