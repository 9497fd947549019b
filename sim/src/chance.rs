//! Randomness that depends on the seed and the request, never on the order in which requests
//! arrive.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};

/// Distinct bodies whose repetitions are counted; when there are more, counting starts again.
const BODIES: usize = 200_000;

/// Hands out one generator per request: a function of the seed, the request's body, and how often
/// that body was seen before.
#[derive(Debug)]
pub(crate) struct Chance {
    seed: u64,
    seen: Mutex<HashMap<[u8; 32], u64>>,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            seen: Mutex::default(),
        }
    }

    /// The dice of one request. Equal requests get different dice, but the same ones in every run.
    pub(crate) fn dice(&self, body: &[u8]) -> Dice {
        let digest: [u8; 32] = Sha256::digest(body).into();
        let repetition = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.len() >= BODIES {
                seen.clear();
            }
            let count = seen.entry(digest).or_default();
            *count += 1;
            *count
        };
        let key = Sha256::new()
            .chain_update(self.seed.to_le_bytes())
            .chain_update(repetition.to_le_bytes())
            .chain_update(digest);
        Dice(StdRng::from_seed(key.finalize().into()))
    }
}

/// One request's randomness.
#[derive(Debug)]
pub(crate) struct Dice(StdRng);

impl Dice {
    /// In [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// Whether something of probability `rate` happens.
    pub(crate) fn happens(&mut self, rate: f64) -> bool {
        self.unit() < rate
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0.random()
    }

    /// One of `options`.
    pub(crate) fn choose<'a, T: ?Sized>(&mut self, options: &[&'a T]) -> Option<&'a T> {
        let index = self.0.random_range(0..options.len().max(1));
        options.get(index).copied()
    }
}
