//! The tags of a DKIM-Signature that say how to hash the body. RFC 6376 §3.2, §3.5.
//!
//! In:  the field's value as it stands, folding and all. Out: [`Signature`], or why there is nothing to compare.
//!
//! Tags of no use before the key is there (`b`, `h`, `i`, `q`, `t`, `x`, `z`) are passed over; duplicates are refused as
//! RFC 6376 §3.2 demands.

use data_encoding::BASE64;
use ringpost_scan::canon::Form;

/// Octets of a SHA-256.
pub const HASH_OCTETS: usize = 32;

/// What a signature says of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `a=`: the algorithm that signs; the hash is SHA-256 with all of them.
    pub algorithm: Algorithm,
    /// Second half of `c=`. RFC 6376 §3.5: simple where it is not said.
    pub body: Form,
    /// `l=`: how many canonical octets count; all of them where it is not said.
    pub octets: Option<u64>,
    /// `bh=`.
    pub hash: [u8; HASH_OCTETS],
    /// `d=`, lower case.
    pub domain: String,
    /// `s=`.
    pub selector: String,
}

/// RFC 6376 §3.3, RFC 8463 §3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    RsaSha256,
    Ed25519Sha256,
}

/// Why a signature is not looked at. The signer's fault; permanent; the mail goes on as if it were not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadSignature {
    /// Not a tag list, or a tag twice. RFC 6376 §3.2.
    Syntax,
    /// `v=` is not 1, or missing.
    Version,
    /// `a=` is not known, or no longer trusted: rsa-sha1. RFC 8301 §3.1.
    Algorithm,
    /// `c=` is not known.
    Canonicalization,
    /// `bh=` is missing or no SHA-256.
    BodyHash,
    /// `l=` is no number.
    Length,
    /// `d=` or `s=` is missing.
    Key,
}

impl BadSignature {
    /// One word for traces.
    pub fn name(self) -> &'static str {
        match self {
            BadSignature::Syntax => "syntax",
            BadSignature::Version => "version",
            BadSignature::Algorithm => "algorithm",
            BadSignature::Canonicalization => "canonicalization",
            BadSignature::BodyHash => "body-hash",
            BadSignature::Length => "length",
            BadSignature::Key => "key",
        }
    }
}

/// Tags read here, in the order of [`Tags::values`].
const TAGS: [&[u8]; 7] = [b"v", b"a", b"c", b"l", b"bh", b"d", b"s"];

/// The values of [`TAGS`], white space taken out.
#[derive(Debug, Default)]
struct Tags {
    values: [Option<Vec<u8>>; TAGS.len()],
}

impl Tags {
    /// `tag-list = tag-spec *( ";" tag-spec ) [ ";" ]`. RFC 6376 §3.2.
    fn parse(value: &[u8]) -> Result<Self, BadSignature> {
        let mut tags = Tags::default();
        let mut specs = value.split(|octet| *octet == b';').peekable();
        while let Some(spec) = specs.next() {
            let spec = spec.trim_ascii();
            if spec.is_empty() && specs.peek().is_none() {
                break;
            }
            let equals = spec.iter().position(|octet| *octet == b'=');
            let equals = equals.ok_or(BadSignature::Syntax)?;
            let (name, text) = (spec[..equals].trim_ascii(), &spec[equals + 1..]);
            let Some(place) = TAGS.iter().position(|tag| *tag == name) else {
                continue;
            };
            // None of the values read here may hold white space but for folding.
            let text: Vec<u8> = text
                .iter()
                .copied()
                .filter(|octet| !octet.is_ascii_whitespace())
                .collect();
            if tags.values[place].replace(text).is_some() {
                return Err(BadSignature::Syntax);
            }
        }
        Ok(tags)
    }
}

impl Signature {
    /// Reads the value of a DKIM-Signature field.
    pub fn parse(value: &[u8]) -> Result<Self, BadSignature> {
        let Tags { values } = Tags::parse(value)?;
        let [version, algorithm, form, octets, hash, domain, selector] = values;
        if version.as_deref() != Some(b"1") {
            return Err(BadSignature::Version);
        }
        let algorithm = match algorithm
            .unwrap_or_default()
            .to_ascii_lowercase()
            .as_slice()
        {
            b"rsa-sha256" => Algorithm::RsaSha256,
            b"ed25519-sha256" => Algorithm::Ed25519Sha256,
            _ => return Err(BadSignature::Algorithm),
        };
        let hash = BASE64
            .decode(&hash.unwrap_or_default())
            .ok()
            .and_then(|hash| hash.try_into().ok())
            .ok_or(BadSignature::BodyHash)?;
        Ok(Signature {
            algorithm,
            body: body_form(form.as_deref())?,
            octets: octets.as_deref().map(length).transpose()?,
            hash,
            domain: key_text(domain)?.to_lowercase(),
            selector: key_text(selector)?,
        })
    }
}

/// `header "/" body`, or `header` alone: then the body is simple. RFC 6376 §3.5.
fn body_form(value: Option<&[u8]>) -> Result<Form, BadSignature> {
    let value = value.unwrap_or(b"simple/simple").to_ascii_lowercase();
    let mut halves = value.split(|octet| *octet == b'/');
    let header = halves.next().unwrap_or_default();
    let body = halves.next().unwrap_or(b"simple");
    let known = |form: &[u8]| match form {
        b"simple" => Ok(Form::Simple),
        b"relaxed" => Ok(Form::Relaxed),
        _ => Err(BadSignature::Canonicalization),
    };
    known(header)?;
    match halves.next() {
        Some(_) => Err(BadSignature::Canonicalization),
        None => known(body),
    }
}

/// 1*76DIGIT; above 64 bits it is more than any body has.
fn length(value: &[u8]) -> Result<u64, BadSignature> {
    if value.is_empty() || value.len() > 76 || !value.iter().all(u8::is_ascii_digit) {
        return Err(BadSignature::Length);
    }
    let add = |sum: u64, octet: &u8| {
        sum.saturating_mul(10)
            .saturating_add(u64::from(octet - b'0'))
    };
    Ok(value.iter().fold(0, add))
}

fn key_text(value: Option<Vec<u8>>) -> Result<String, BadSignature> {
    value
        .and_then(|value| String::from_utf8(value).ok())
        .filter(|text| !text.is_empty())
        .ok_or(BadSignature::Key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=";

    #[test]
    fn refused() {
        let rest = format!("d=x; s=y; bh={HASH}");
        let cases: &[(String, BadSignature)] = &[
            (String::new(), BadSignature::Version),
            ("v=1".into(), BadSignature::Algorithm),
            (format!("v=2; a=rsa-sha256; {rest}"), BadSignature::Version),
            (format!("v=1; a=rsa-sha1; {rest}"), BadSignature::Algorithm),
            (
                format!("v=1; a=rsa-sha256; c=x/y; {rest}"),
                BadSignature::Canonicalization,
            ),
            (
                format!("v=1; a=rsa-sha256; c=simple/simple/simple; {rest}"),
                BadSignature::Canonicalization,
            ),
            (
                format!("v=1; a=rsa-sha256; l=x; {rest}"),
                BadSignature::Length,
            ),
            (
                format!("v=1; a=rsa-sha256; l=; {rest}"),
                BadSignature::Length,
            ),
            (
                format!("v=1; v=1; a=rsa-sha256; {rest}"),
                BadSignature::Syntax,
            ),
            (format!("v=1;; a=rsa-sha256; {rest}"), BadSignature::Syntax),
            (
                "v=1; a=rsa-sha256; d=x; s=y; bh=AAAA".into(),
                BadSignature::BodyHash,
            ),
            (
                format!("v=1; a=rsa-sha256; d=x; bh={HASH}"),
                BadSignature::Key,
            ),
            (
                format!("v=1; a=rsa-sha256; d=; s=y; bh={HASH}"),
                BadSignature::Key,
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(
                Signature::parse(value.as_bytes()),
                Err(*expected),
                "{value}"
            );
        }
    }

    /// RFC 6376 appendix A.2 and RFC 8463 appendix A.3, as they are folded there.
    #[test]
    fn taken() {
        let value = b"v=1; a=rsa-sha256; s=brisbane; d=Example.com;\r\n c=simple/simple; q=dns/txt; i=joe@football.example.com;\r\n\
 h=Received : From : To : Subject : Date : Message-ID;\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv\r\n 8=;\r\n b=AuUoFEfD\r\n;";
        let signature = Signature::parse(value).expect("it is the RFC's");
        assert_eq!(signature.body, Form::Simple);
        assert_eq!(signature.domain, "example.com");
        assert_eq!(signature.selector, "brisbane");
        assert_eq!(BASE64.encode(&signature.hash), HASH);
        let forms: &[(&str, Form)] = &[
            ("", Form::Simple),
            ("c=relaxed;", Form::Simple),
            ("c=relaxed/relaxed;", Form::Relaxed),
            ("c=simple/relaxed;", Form::Relaxed),
        ];
        for (form, expected) in forms {
            let value = format!("v=1; a=ed25519-sha256; {form} d=x; s=y; l=10; bh={HASH}");
            let signature = Signature::parse(value.as_bytes()).expect("it is well formed");
            assert_eq!(signature.body, *expected, "{form}");
            assert_eq!(signature.octets, Some(10));
        }
    }
}
