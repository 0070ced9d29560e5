//! What the server keeps of a password for SCRAM: enough to check it, not enough to log in with. RFC 5802 §3.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac, pbkdf2};
use std::fmt;
use std::num::NonZeroU32;

/// Rounds of PBKDF2 for a password that a human chose. RFC 7677 §4 asks for 4,096 at least, for the machines of 2015. Whoever
/// steals the store attacks the cheapest of what is kept of a password: OWASP counts 600,000 rounds as equal to the
/// Argon2id parameters that are kept beside. But Cyrus SASL, by which Postfix, mutt and mbsync log in, computes no more than
/// 65,536 and then fails instead of taking another mechanism, so it is that.
pub const ITERATIONS: u32 = 65_536;

/// Rounds for a secret of 128 random bits, which nobody guesses: as few as RFC 7677 §4 allows.
pub const ITERATIONS_RANDOM: u32 = 4_096;

/// Octets of a salt.
pub const SALT_OCTETS: usize = 16;

/// Keys of one password.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// What the password was salted with.
    pub salt: [u8; SALT_OCTETS],
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// SHA-256 of the client's key: checks a proof.
    pub stored: [u8; 32],
    /// Signs for the server.
    pub server: [u8; 32],
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({} rounds)", self.iterations)
    }
}

impl Keys {
    /// Keys of `password`, which is prepared ([`crate::prep::password`]). Slow: never on a shard.
    pub fn derive(password: &[u8], salt: [u8; SALT_OCTETS], iterations: u32) -> Keys {
        let rounds = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
        let mut salted = [0; 32];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            rounds,
            &salt,
            password,
            &mut salted,
        );
        Keys {
            salt,
            iterations: rounds.get(),
            stored: sha256(&sign(&salted, b"Client Key")),
            server: sign(&salted, b"Server Key"),
        }
    }

    /// Keys for a name that nobody has: the same to everyone who asks, and good for no password. `secret` is the
    /// server's own; without it they look like anybody's. RFC 5802 §9 leaves hiding names to us. `name` in the one form
    /// that it is looked up in: if two spellings of it had two salts, it could not be somebody's.
    pub fn nobody(secret: &[u8], name: &str, iterations: u32) -> Keys {
        let part = |what: &str| sign(secret, &[what.as_bytes(), b"\0", name.as_bytes()].concat());
        let mut salt = [0; SALT_OCTETS];
        salt.copy_from_slice(&part("salt")[..SALT_OCTETS]);
        Keys {
            salt,
            iterations,
            stored: part("stored"),
            server: part("server"),
        }
    }

    /// Whether `proof` is of whoever knows the password. Constant in time. RFC 5802 §3:
    /// `StoredKey = H(ClientProof XOR HMAC(StoredKey, AuthMessage))`.
    pub fn fits(&self, proof: &[u8; 32], message: &[u8]) -> bool {
        let mut client = sign(&self.stored, message);
        client.iter_mut().zip(proof).for_each(|(a, b)| *a ^= b);
        verify_slices_are_equal(&sha256(&client), &self.stored).is_ok()
    }

    /// What shows the client that the server knows the password too.
    pub fn signature(&self, message: &[u8]) -> [u8; 32] {
        sign(&self.server, message)
    }
}

/// HMAC-SHA-256.
pub(super) fn sign(key: &[u8], message: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    tag.as_ref().try_into().expect("HMAC-SHA-256 has 32 octets")
}

/// SHA-256.
pub(super) fn sha256(octets: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, octets);
    digest.as_ref().try_into().expect("SHA-256 has 32 octets")
}
