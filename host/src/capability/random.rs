//! Randomness from the run's seed.

use assay_bindings::imports::random;
use rand::Rng as _;
use rand_chacha::ChaCha12Rng;

/// Most bytes of one call.
const MOST: u32 = 65_536;

/// One instance's random stream.
pub(crate) struct Random(pub(crate) ChaCha12Rng);

impl random::Host for Random {
    fn next(&mut self) -> wasmtime::Result<u64> {
        Ok(self.0.next_u64())
    }

    fn bytes(&mut self, count: u32) -> wasmtime::Result<Vec<u8>> {
        let mut bytes = vec![0; count.min(MOST) as usize];
        self.0.fill_bytes(&mut bytes);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_stream_and_no_call_too_much() {
        let stream = || {
            let mut random = Random(ChaCha12Rng::from_seed([7; 32]));
            let bytes = random::Host::bytes(&mut random, 10).expect("bytes");
            (random::Host::next(&mut random).expect("a number"), bytes)
        };
        assert_eq!(stream(), stream());
        let mut random = Random(ChaCha12Rng::from_seed([7; 32]));
        assert_eq!(random::Host::bytes(&mut random, u32::MAX).expect("bytes").len(), 65_536);
    }
}
