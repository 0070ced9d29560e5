//! Password hashes: Argon2id in PHC strings. RFC 9106, OWASP's parameters m=19 MiB, t=2, p=1.
//!
//! Both functions take some tens of milliseconds and 19 MiB: never call them on a shard.

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use std::fmt;

/// Octets of a password at most; what is longer is no password, and hashing it would be work for nothing.
pub const PASSWORD_OCTETS_MAX: usize = 1_024;

/// Verified in place of the hash of a user who is not there, so that both cost the same. Fits no password.
pub const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGlzIGhlcmUh$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Why a password cannot be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretError {
    /// Nothing was given.
    Empty,
    /// Over [`PASSWORD_OCTETS_MAX`].
    TooLong,
    /// The machine gave no random salt or no memory.
    Machine,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SecretError::Empty => "the password is empty",
            SecretError::TooLong => "the password is over 1,024 octets",
            SecretError::Machine => "the machine gave no random octets or no memory to hash with",
        })
    }
}

impl std::error::Error for SecretError {}

fn argon2id() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, Some(32)).expect("constants within Argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Hashes `password` with a new random salt. Slow.
pub fn hash(password: &[u8]) -> Result<String, SecretError> {
    match password.len() {
        0 => return Err(SecretError::Empty),
        1..=PASSWORD_OCTETS_MAX => {}
        _ => return Err(SecretError::TooLong),
    }
    let mut salt = [0; 16];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| SecretError::Machine)?;
    let hash = argon2id().hash_password_with_salt(password, &salt);
    hash.map(|phc| phc.to_string())
        .map_err(|_| SecretError::Machine)
}

/// Whether `password` is the one that `phc` was made of. Slow, whatever comes out; compares in constant time.
pub fn verify(password: &[u8], phc: &str) -> bool {
    let usable = !phc.is_empty() && !password.is_empty() && password.len() <= PASSWORD_OCTETS_MAX;
    let (password, phc) = if usable {
        (password, phc)
    } else {
        (&b"nobody"[..], NOBODY)
    };
    argon2id().verify_password(password, phc).is_ok() && usable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_and_verify() {
        let phc = hash(b"correct horse").expect("hashes");
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(verify(b"correct horse", &phc));
        assert!(!verify(b"correct horse ", &phc));
        assert!(!verify(b"", &phc));
        assert!(!verify(b"correct horse", ""));
        assert!(!verify(b"correct horse", "not a hash"));
        assert_ne!(phc, hash(b"correct horse").expect("hashes"), "salted");
    }

    #[test]
    fn nobody_is_a_hash_that_fits_nothing() {
        assert!(argon2::PasswordHash::new(NOBODY).is_ok());
        assert!(!verify(b"nobody", NOBODY));
    }

    #[test]
    fn limits() {
        assert_eq!(hash(b""), Err(SecretError::Empty));
        assert!(hash(&[b'a'; PASSWORD_OCTETS_MAX]).is_ok());
        let long = [b'a'; PASSWORD_OCTETS_MAX + 1];
        assert_eq!(hash(&long), Err(SecretError::TooLong));
        assert!(!verify(&long, NOBODY));
    }
}
