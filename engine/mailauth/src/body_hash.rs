//! Hashes a body as DKIM-Signatures ask, while it arrives. RFC 6376 §3.7.
//!
//! In:  the values of the DKIM-Signature fields once the header is complete; then the body, cut anywhere.
//! Out: for each signature whether the body is the one that was signed.
//!
//! Invariants: at most [`SIGNATURES_MAX`] signatures are looked at, and signatures that ask for the same form and length
//! share one hash, so a stranger cannot multiply our work.

use crate::signature::{BadSignature, HASH_OCTETS, Signature};
use aws_lc_rs::digest::{Context, SHA256};
use ringpost_scan::canon::{Body, Form};

/// Signatures that are looked at; the rest are taken as not there.
pub const SIGNATURES_MAX: usize = 8;

/// Short runs are gathered up to this many octets before they are hashed: a call costs more than copying them.
const GATHER_OCTETS: usize = 1_024;

/// One canonical form of one body, hashed.
#[derive(Clone)]
pub struct BodyHash {
    canon: Body,
    hash: Hash,
}

/// Takes canonical octets up to `left`.
#[derive(Clone)]
struct Hash {
    context: Context,
    gathered: Vec<u8>,
    left: u64,
    /// Canonical octets so far, those above the limit too.
    octets: u64,
}

impl Hash {
    fn take(&mut self, run: &[u8]) {
        self.octets += run.len() as u64;
        // RFC 6376 §3.4.5: what is behind `l` octets is not signed.
        let run = &run[..usize::try_from(self.left).map_or(run.len(), |left| left.min(run.len()))];
        self.left -= run.len() as u64;
        if self.gathered.len() + run.len() > GATHER_OCTETS {
            self.flush();
        }
        if run.len() >= GATHER_OCTETS / 4 && self.gathered.is_empty() {
            self.context.update(run);
        } else {
            self.gathered.extend_from_slice(run);
        }
    }

    fn flush(&mut self) {
        self.context.update(&self.gathered);
        self.gathered.clear();
    }
}

/// A finished [`BodyHash`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashed {
    /// SHA-256 of the canonical form.
    pub hash: [u8; HASH_OCTETS],
    /// Octets of the canonical form, before `l` cut it. RFC 6376 §3.4.5.
    pub octets: u64,
}

impl BodyHash {
    /// Starts before the first octet of a body; hashes `octets_max` canonical octets at most.
    pub fn new(form: Form, octets_max: Option<u64>) -> Self {
        BodyHash {
            canon: Body::new(form),
            hash: Hash {
                context: Context::new(&SHA256),
                gathered: Vec::with_capacity(GATHER_OCTETS),
                left: octets_max.unwrap_or(u64::MAX),
                octets: 0,
            },
        }
    }

    /// Takes more of the body.
    pub fn update(&mut self, octets: &[u8]) {
        let hash = &mut self.hash;
        self.canon.update(octets, &mut |run| hash.take(run));
    }

    /// The body is complete.
    pub fn finish(self) -> Hashed {
        let BodyHash { canon, mut hash } = self;
        canon.finish(&mut |run| hash.take(run));
        hash.flush();
        let octets = hash.octets;
        let digest = hash.context.finish();
        Hashed {
            hash: digest.as_ref().try_into().expect("SHA-256 has 32 octets"),
            octets,
        }
    }
}

/// What came of one signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyResult {
    /// The body is as it was signed.
    Match,
    /// It is up to `l` octets; this many more follow that nobody signed.
    MatchWithMore(u64),
    /// It is not.
    Mismatch,
    /// `l` is more than the body has. RFC 6376 §6.1.1.
    TooShort,
    /// There was nothing to compare with.
    Bad(BadSignature),
}

impl BodyResult {
    /// One word for traces.
    pub fn name(self) -> &'static str {
        match self {
            BodyResult::Match => "match",
            BodyResult::MatchWithMore(_) => "match-with-more",
            BodyResult::Mismatch => "mismatch",
            BodyResult::TooShort => "too-short",
            BodyResult::Bad(bad) => bad.name(),
        }
    }
}

/// All the hashes that the signatures of one message ask for.
#[derive(Clone, Default)]
pub struct BodyHashes {
    /// Each with its hash's place in `hashes`.
    signatures: Vec<Result<(Signature, usize), BadSignature>>,
    hashes: Vec<((Form, Option<u64>), BodyHash)>,
}

impl BodyHashes {
    /// Reads the values of DKIM-Signature fields, in the order of the header.
    pub fn new<'m>(values: impl IntoIterator<Item = &'m [u8]>) -> Self {
        let mut all = BodyHashes::default();
        for value in values.into_iter().take(SIGNATURES_MAX) {
            let placed = Signature::parse(value).map(|signature| {
                let asked = (signature.body, signature.octets);
                let known = all.hashes.iter().position(|(known, _)| *known == asked);
                let place = known.unwrap_or_else(|| {
                    all.hashes.push((asked, BodyHash::new(asked.0, asked.1)));
                    all.hashes.len() - 1
                });
                (signature, place)
            });
            all.signatures.push(placed);
        }
        all
    }

    /// Whether no octet of the body is needed.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Takes more of the body.
    pub fn update(&mut self, octets: &[u8]) {
        for (_, hash) in &mut self.hashes {
            hash.update(octets);
        }
    }

    /// The body is complete: each signature, if it could be read, and its result, in the order of the header.
    pub fn finish(self) -> Vec<(Option<Signature>, BodyResult)> {
        let hashes: Vec<Hashed> = self
            .hashes
            .into_iter()
            .map(|(_, hash)| hash.finish())
            .collect();
        let judge = |placed| match placed {
            Ok((signature, place)) => {
                let result = compare(&signature, &hashes[place]);
                (Some(signature), result)
            }
            Err(bad) => (None, BodyResult::Bad(bad)),
        };
        self.signatures.into_iter().map(judge).collect()
    }
}

fn compare(signature: &Signature, hashed: &Hashed) -> BodyResult {
    let signed = signature.octets.unwrap_or(hashed.octets);
    if signed > hashed.octets {
        return BodyResult::TooShort;
    }
    match (signature.hash == hashed.hash, hashed.octets - signed) {
        (false, _) => BodyResult::Mismatch,
        (true, 0) => BodyResult::Match,
        (true, more) => BodyResult::MatchWithMore(more),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::BASE64;

    fn hash(form: Form, octets: Option<u64>, chunks: &[&[u8]]) -> Hashed {
        let mut hash = BodyHash::new(form, octets);
        for chunk in chunks {
            hash.update(chunk);
        }
        hash.finish()
    }

    /// RFC 6376 §3.4.3 and §3.4.4: the hash of an empty body; appendix A.2: that of a real one.
    #[test]
    fn examples() {
        let football = b"Hi.\r\n\r\nWe lost the game. Are you hungry yet?\r\n\r\nJoe.\r\n";
        let cases: &[(Form, &[u8], &str)] = &[
            (
                Form::Simple,
                b"",
                "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=",
            ),
            (
                Form::Relaxed,
                b"",
                "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            ),
            (
                Form::Simple,
                football,
                "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=",
            ),
            (
                Form::Relaxed,
                football,
                "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=",
            ),
        ];
        for (form, body, expected) in cases {
            for cut in 0..=body.len() {
                let (head, tail) = body.split_at(cut);
                let hashed = hash(*form, None, &[head, tail]);
                assert_eq!(BASE64.encode(&hashed.hash), *expected, "{form:?} {body:?}");
            }
        }
    }

    fn signature(form: &str, octets: &str, hash: &[u8; 32]) -> Vec<u8> {
        let hash = BASE64.encode(hash);
        format!("v=1; a=rsa-sha256; c=simple/{form}; d=x; s=y; {octets} bh={hash}").into_bytes()
    }

    #[test]
    fn results() {
        let body = b"one \r\ntwo\r\n\r\n";
        let simple = hash(Form::Simple, None, &[body]);
        let relaxed = hash(Form::Relaxed, None, &[body]);
        let four = hash(Form::Relaxed, Some(4), &[body]);
        assert_eq!((simple.octets, relaxed.octets), (11, 10));
        let values = [
            signature("simple", "", &simple.hash),
            signature("relaxed", "", &relaxed.hash),
            signature("relaxed", "", &simple.hash),
            signature("relaxed", "l=4;", &four.hash),
            signature("relaxed", "l=10;", &relaxed.hash),
            signature("relaxed", "l=11;", &relaxed.hash),
            b"v=1".to_vec(),
        ];
        let mut hashes = BodyHashes::new(values.iter().map(Vec::as_slice));
        assert_eq!(hashes.hashes.len(), 5);
        hashes.update(body);
        let results: Vec<_> = hashes
            .finish()
            .into_iter()
            .map(|(_, result)| result)
            .collect();
        let expected = [
            BodyResult::Match,
            BodyResult::Match,
            BodyResult::Mismatch,
            BodyResult::MatchWithMore(6),
            BodyResult::Match,
            BodyResult::TooShort,
            BodyResult::Bad(BadSignature::Algorithm),
        ];
        assert_eq!(results, expected);
    }

    #[test]
    fn signatures_limit() {
        let value = signature("simple", "", &[0; 32]);
        for (given, taken) in [(8, 8), (9, 8)] {
            let hashes = BodyHashes::new(vec![&value[..]; given]);
            assert_eq!((hashes.signatures.len(), hashes.hashes.len()), (taken, 1));
        }
        assert!(BodyHashes::new([]).is_empty());
    }

    proptest::proptest! {
        /// However long the runs are and wherever the limit falls: the hash of the canonical form's beginning.
        #[test]
        fn as_the_naive_twin(
            lines in proptest::collection::vec("[ \ta-c]{0,12}|x{200,1500}", 0..12),
            octets in proptest::option::of(0u64..4_000),
            chunk in 1usize..3_000,
        ) {
            let body = lines.join("\r\n");
            for form in [Form::Simple, Form::Relaxed] {
                let mut canonical = Vec::new();
                let mut whole = Body::new(form);
                let mut sink = |run: &[u8]| canonical.extend_from_slice(run);
                whole.update(body.as_bytes(), &mut sink);
                whole.finish(&mut sink);
                let signed = octets.unwrap_or(u64::MAX).min(canonical.len() as u64) as usize;
                let digest = aws_lc_rs::digest::digest(&SHA256, &canonical[..signed]);
                let chunks: Vec<&[u8]> = body.as_bytes().chunks(chunk).collect();
                let hashed = hash(form, octets, &chunks);
                proptest::prop_assert_eq!(&hashed.hash[..], digest.as_ref());
                proptest::prop_assert_eq!(hashed.octets, canonical.len() as u64);
            }
        }
    }
}
