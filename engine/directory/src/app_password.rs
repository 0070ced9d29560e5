//! App passwords: a password for one program of an account's owner, made here, shown once, taken away alone.
//!
//! It is 128 random bits, so nobody guesses it, and what is kept of it need not be slow: SHA-256 with a salt verifies
//! it on the shard. `abcde-fghij-klmno-pqrst-uvwxyz`, in base32: no capitals, and no digit that looks like a letter.
//!
//! SCRAM has one salt for a name, so it has to be told which password is meant: a client that logs in as
//! `alice@example.org/phone` uses the app password called `phone`. With PLAIN, LOGIN and IMAP's LOGIN the plain name does.

use crate::secret::SecretError;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, rand};
use data_encoding::{BASE32_NOPAD, BASE64_NOPAD};
use ringpost_sasl::scram::keys::{ITERATIONS_RANDOM, Keys};

/// Random octets of one.
const OCTETS: usize = 16;
/// Their characters in base32.
const CHARACTERS: usize = 26;
/// Characters of a group, but for the last one.
const GROUP: usize = 5;
/// What a stored form begins with.
const PREFIX: &str = "$sha256$";

/// A new one.
#[derive(Clone)]
pub struct AppPassword {
    /// What its owner types; never kept.
    pub text: String,
    /// What [`Candidate::fits`] verifies it by.
    pub secret: String,
    /// Keys for SCRAM, of `text` as it is.
    pub keys: Keys,
}

/// Makes one.
pub fn generate() -> Result<AppPassword, SecretError> {
    let mut random = [[0; OCTETS]; 3];
    for octets in &mut random {
        rand::fill(octets).map_err(|_| SecretError::Machine)?;
    }
    let [octets, salt, scram] = random;
    let text = text(&octets);
    Ok(AppPassword {
        secret: stored(&octets, &salt),
        keys: Keys::derive(text.as_bytes(), scram, ITERATIONS_RANDOM),
        text,
    })
}

fn text(octets: &[u8; OCTETS]) -> String {
    let plain = BASE32_NOPAD.encode(octets).to_ascii_lowercase();
    let mut text = String::with_capacity(CHARACTERS + 4);
    for (at, character) in plain.chars().enumerate() {
        if at > 0 && at % GROUP == 0 && at < CHARACTERS - 1 {
            text.push('-');
        }
        text.push(character);
    }
    text
}

fn stored(octets: &[u8; OCTETS], salt: &[u8]) -> String {
    let (salt, hash) = (BASE64_NOPAD.encode(salt), hash(octets, salt));
    format!("{PREFIX}{salt}${}", BASE64_NOPAD.encode(&hash))
}

fn hash(octets: &[u8; OCTETS], salt: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(salt);
    context.update(octets);
    let hash = context.finish();
    hash.as_ref().try_into().expect("SHA-256 has 32 octets")
}

/// Something typed that may be an app password.
pub struct Candidate([u8; OCTETS]);

impl Candidate {
    /// Reads what was typed, in any case, with or without hyphens and spaces. Most passwords are none.
    pub fn read(typed: &[u8]) -> Option<Candidate> {
        let mut plain = [0; CHARACTERS];
        let mut length = 0;
        for octet in typed.iter().filter(|octet| !matches!(octet, b'-' | b' ')) {
            *plain.get_mut(length)? = octet.to_ascii_uppercase();
            length += 1;
        }
        let octets = BASE32_NOPAD.decode(&plain[..length]).ok()?;
        octets.try_into().ok().map(Candidate)
    }

    /// Whether it is the one that `stored` was made of. Constant in time.
    pub fn fits(&self, stored: &str) -> bool {
        let Some((salt, expected)) = read_stored(stored) else {
            return false;
        };
        verify_slices_are_equal(&hash(&self.0, &salt), &expected).is_ok()
    }
}

fn read_stored(stored: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let (salt, hash) = stored.strip_prefix(PREFIX)?.split_once('$')?;
    let decoded = |text: &str| BASE64_NOPAD.decode(text.as_bytes()).ok();
    Some((decoded(salt)?, decoded(hash)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_and_typed() {
        let made = generate().expect("the machine gives random octets");
        let groups: Vec<usize> = made.text.split('-').map(str::len).collect();
        assert_eq!(groups, [5, 5, 5, 5, 6]);
        assert_ne!(made.text, generate().expect("random octets").text);
        let typed = [
            made.text.clone(),
            made.text.replace('-', ""),
            made.text.replace('-', " "),
            made.text.to_uppercase(),
        ];
        for typed in typed {
            let candidate = Candidate::read(typed.as_bytes()).expect("has the form");
            assert!(candidate.fits(&made.secret), "{typed}");
        }
        assert_eq!(made.keys, {
            let (text, keys) = (made.text.as_bytes(), &made.keys);
            Keys::derive(text, keys.salt, ITERATIONS_RANDOM)
        });
    }

    #[test]
    fn what_does_not_fit() {
        let secret = stored(&[7; OCTETS], b"salt");
        let candidate = Candidate::read(text(&[7; OCTETS]).as_bytes()).expect("has the form");
        assert!(candidate.fits(&secret));
        assert!(!candidate.fits(&stored(&[8; OCTETS], b"salt")));
        for damaged in [
            "",
            "$sha256$",
            "$sha256$c2FsdA",
            "$sha256$c2FsdA$",
            "$argon2id$x",
        ] {
            assert!(!candidate.fits(damaged), "{damaged}");
        }
        let other = Candidate::read(text(&[9; OCTETS]).as_bytes()).expect("has the form");
        assert!(!other.fits(&secret));
    }

    #[test]
    fn what_is_no_app_password() {
        let long = "a".repeat(27);
        let cases = [
            "",
            "correct horse",
            "aaaaa-aaaaa-aaaaa-aaaaa-aaaaa",
            "aaaaa-aaaaa-aaaaa-aaaaa-aaaaab",
            "aaaaa-aaaaa-aaaaa-aaaaa-aaaa1a",
            &long,
        ];
        for typed in cases {
            assert!(Candidate::read(typed.as_bytes()).is_none(), "{typed}");
        }
    }
}
