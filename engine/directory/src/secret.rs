//! What is kept of a password: Argon2id in PHC strings, and keys for SCRAM. RFC 9106, OWASP's parameters m=19 MiB,
//! t=2, p=1; RFC 7677.
//!
//! A password is hashed as SASLprep makes it, so that it fits however a keyboard composes its letters. RFC 4616 §2.
//! One that was hashed as it came, by an earlier version, fits as it came.
//!
//! All of it takes some tens of milliseconds, the hashes 19 MiB: never on a shard.

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
pub use ringpost_sasl::exchange::PASSWORD_OCTETS_MAX;
use ringpost_sasl::prep;
use ringpost_sasl::scram::keys::{ITERATIONS, Keys, SALT_OCTETS};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Passwords hashed since the process began.
static HASHED: AtomicU64 = AtomicU64::new(0);

/// How many passwords this process has hashed, to store them or to verify. What a login cost can be told from it.
pub fn hashed() -> u64 {
    HASHED.load(Relaxed)
}

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

/// What is kept of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets {
    /// Argon2id PHC string.
    pub phc: String,
    /// For SCRAM.
    pub keys: Keys,
}

/// Derives all that is kept of `password`, with new random salts. Slow.
pub fn derive(password: &[u8]) -> Result<Secrets, SecretError> {
    Ok(Secrets {
        phc: hash(password)?,
        keys: keys(password)?,
    })
}

/// Hashes `password` with a new random salt. Slow.
pub fn hash(password: &[u8]) -> Result<String, SecretError> {
    let salt = salt(password)?;
    HASHED.fetch_add(1, Relaxed);
    let hash = argon2id().hash_password_with_salt(&prep::password(password), &salt);
    hash.map(|phc| phc.to_string())
        .map_err(|_| SecretError::Machine)
}

/// Derives SCRAM keys of `password` with a new random salt. Slow.
pub fn keys(password: &[u8]) -> Result<Keys, SecretError> {
    let salt = salt(password)?;
    Ok(Keys::derive(&prep::password(password), salt, ITERATIONS))
}

/// A salt for a password that may be one.
fn salt(password: &[u8]) -> Result<[u8; SALT_OCTETS], SecretError> {
    match password.len() {
        0 => return Err(SecretError::Empty),
        1..=PASSWORD_OCTETS_MAX => {}
        _ => return Err(SecretError::TooLong),
    }
    let mut salt = [0; SALT_OCTETS];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| SecretError::Machine)?;
    Ok(salt)
}

/// Whether `password` is the one that `phc` was made of. Slow, as slow for [`NOBODY`]; compares in constant time.
pub fn verify(password: &[u8], phc: &str) -> bool {
    let usable = !phc.is_empty() && !password.is_empty() && password.len() <= PASSWORD_OCTETS_MAX;
    let (password, phc) = if usable {
        (password, phc)
    } else {
        (&b"nobody"[..], NOBODY)
    };
    let fits = |password: &[u8]| {
        HASHED.fetch_add(1, Relaxed);
        argon2id().verify_password(password, phc).is_ok()
    };
    let prepared = prep::password(password);
    let good = fits(&prepared) || (*prepared != *password && fits(password));
    good && usable
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

    /// Typed on a keyboard that composes, and on one that does not; and hashed before there was preparation.
    #[test]
    fn forms_of_one_password() {
        let (composed, decomposed) = ("p\u{e4}ssword".as_bytes(), "pa\u{308}ssword".as_bytes());
        let phc = hash(decomposed).expect("hashes");
        assert!(verify(composed, &phc) && verify(decomposed, &phc));
        let salt = [7; SALT_OCTETS];
        let old = argon2id().hash_password_with_salt(decomposed, &salt);
        let old = old.expect("hashes").to_string();
        assert!(verify(decomposed, &old) && !verify(composed, &old));
        let derived = |password: &[u8]| Keys::derive(&prep::password(password), salt, 4_096);
        assert_eq!(derived(composed), derived(decomposed));
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
