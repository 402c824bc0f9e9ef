//! ring's randomness in the shape that the `rsa` crate takes: that crate makes the RSA keys, of zones and of mail hosts alike.

use ring::rand::SecureRandom;
use rsa::rand_core::{TryCryptoRng, TryRng};

/// A source of randomness for RSA keys.
pub struct Randomness<'a>(pub &'a dyn SecureRandom);

/// The source gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no randomness")]
pub struct NoRandomness;

impl TryRng for Randomness<'_> {
    type Error = NoRandomness;

    fn try_next_u32(&mut self) -> Result<u32, NoRandomness> {
        let mut octets = [0; 4];
        self.try_fill_bytes(&mut octets)?;
        Ok(u32::from_ne_bytes(octets))
    }

    fn try_next_u64(&mut self) -> Result<u64, NoRandomness> {
        let mut octets = [0; 8];
        self.try_fill_bytes(&mut octets)?;
        Ok(u64::from_ne_bytes(octets))
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), NoRandomness> {
        self.0.fill(octets).map_err(|_| NoRandomness)
    }
}

impl TryCryptoRng for Randomness<'_> {}
