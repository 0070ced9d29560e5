//! What a certificate says that a login can be bound to: its channel binding, and whose it is.
//!
//! In:  one certificate, DER. Out: the octets of `tls-server-end-point`, or the names of a client.
//! What cannot be read has no binding and no name: it is never an error here.

use crate::subject;
use aws_lc_rs::digest;
use ringpost_types::Address;
use std::sync::Arc;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};
use x509_parser::signature_algorithm::SignatureAlgorithm;

/// Names of one client certificate that are kept; a certificate with more is a curiosity.
const NAMES_MAX: usize = 16;

/// A client's certificate that one of the configured authorities signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Mail addresses it is for, as written: those of subjectAltName; without any the subject's emailAddress; without
    /// that the common names that are addresses. RFC 8550 §3, RFC 4422 Appendix A.
    pub addresses: Box<[Box<str>]>,
    /// The subject, as [`subject`] writes it.
    pub subject: Box<str>,
}

/// The hash of the certificate as its signature's algorithm has it, MD5 and SHA-1 raised to SHA-256. None where the
/// algorithm has no single hash (Ed25519). RFC 5929 §4.1.
pub fn end_point(certificate: &[u8]) -> Option<Arc<[u8]>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let hash = hash_of(&parsed)?;
    Some(digest::digest(hash, certificate).as_ref().into())
}

fn hash_of(certificate: &X509Certificate<'_>) -> Option<&'static digest::Algorithm> {
    let algorithm = &certificate.signature_algorithm;
    let oid = algorithm.algorithm.to_id_string();
    if oid == "1.2.840.113549.1.1.10" {
        let Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) =
            SignatureAlgorithm::try_from(algorithm)
        else {
            return None;
        };
        return hash_named(&parameters.hash_algorithm_oid().to_id_string());
    }
    hash_named(&oid)
}

/// The hash of a signature algorithm, or the hash itself. RFC 8017 Appendix A.2.4, RFC 5758 §3.2, RFC 5754 §2.
fn hash_named(oid: &str) -> Option<&'static digest::Algorithm> {
    match oid {
        // MD5, SHA-1 and SHA-256: with RSA, with ECDSA, alone.
        "1.2.840.113549.1.1.4" | "1.2.840.113549.1.1.5" | "1.2.840.113549.1.1.11" => {}
        "1.2.840.10045.4.1" | "1.2.840.10045.4.3.2" => {}
        "1.3.14.3.2.26" | "2.16.840.1.101.3.4.2.1" => {}
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" | "2.16.840.1.101.3.4.2.4" => {
            return Some(&digest::SHA224);
        }
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" | "2.16.840.1.101.3.4.2.2" => {
            return Some(&digest::SHA384);
        }
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" | "2.16.840.1.101.3.4.2.3" => {
            return Some(&digest::SHA512);
        }
        _ => return None,
    }
    Some(&digest::SHA256)
}

/// Whose a verified certificate is.
pub fn client(certificate: &[u8]) -> Option<ClientCertificate> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let mut addresses = alternative(&parsed);
    if addresses.is_empty() {
        addresses = attributes(parsed.subject(), X509Name::iter_email);
    }
    if addresses.is_empty() {
        addresses = attributes(parsed.subject(), X509Name::iter_common_name);
    }
    Some(ClientCertificate {
        addresses: addresses.into(),
        subject: subject::text(parsed.subject()).into(),
    })
}

fn alternative(certificate: &X509Certificate<'_>) -> Vec<Box<str>> {
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|names| &names.value.general_names);
    let addresses = names.filter_map(|name| match name {
        GeneralName::RFC822Name(name) => address(name),
        _ => None,
    });
    addresses.take(NAMES_MAX).collect()
}

fn attributes<'n, 'c: 'n, I>(
    name: &'n X509Name<'c>,
    which: impl FnOnce(&'n X509Name<'c>) -> I,
) -> Vec<Box<str>>
where
    I: Iterator<Item = &'n x509_parser::x509::AttributeTypeAndValue<'c>>,
{
    let texts = which(name).filter_map(|attribute| attribute.as_str().ok());
    texts.filter_map(address).take(NAMES_MAX).collect()
}

fn address(text: &str) -> Option<Box<str>> {
    Address::parse(text).ok().map(|_| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, SignatureAlgorithm};

    fn made(algorithm: &'static SignatureAlgorithm, params: CertificateParams) -> Vec<u8> {
        let key = KeyPair::generate_for(algorithm).expect("a key");
        params.self_signed(&key).expect("signed").der().to_vec()
    }

    #[test]
    fn end_points_by_signature() {
        let cases: &[(&SignatureAlgorithm, Option<&digest::Algorithm>)] = &[
            (&rcgen::PKCS_ECDSA_P256_SHA256, Some(&digest::SHA256)),
            (&rcgen::PKCS_ECDSA_P384_SHA384, Some(&digest::SHA384)),
            (&rcgen::PKCS_ED25519, None),
        ];
        for (algorithm, hash) in cases {
            let der = made(algorithm, CertificateParams::default());
            let expected = hash.map(|hash| digest::digest(hash, &der).as_ref().to_vec());
            let got = end_point(&der).map(|octets| octets.to_vec());
            assert_eq!(got, expected, "{algorithm:?}");
        }
        assert_eq!(end_point(b"no certificate"), None);
    }

    #[test]
    fn hashes_by_name() {
        const CASES: &[(&str, Option<usize>)] = &[
            ("1.2.840.113549.1.1.4", Some(32)),
            ("1.2.840.113549.1.1.5", Some(32)),
            ("1.2.840.113549.1.1.11", Some(32)),
            ("1.2.840.113549.1.1.12", Some(48)),
            ("1.2.840.113549.1.1.13", Some(64)),
            ("1.2.840.113549.1.1.14", Some(28)),
            ("1.2.840.10045.4.1", Some(32)),
            ("1.3.101.112", None),
        ];
        for (oid, octets) in CASES {
            let got = hash_named(oid).map(digest::Algorithm::output_len);
            assert_eq!(got, *octets, "{oid}");
        }
    }

    #[test]
    fn clients_by_name() {
        let params = |san: &[&str], email: Option<&str>, common: &str| {
            let mut params = CertificateParams::default();
            let names = san.iter();
            let names = names.map(|name| SanType::Rfc822Name((*name).try_into().expect("ASCII")));
            params.subject_alt_names = names.collect();
            params.distinguished_name.push(DnType::CommonName, common);
            if let Some(email) = email {
                let oid = DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]);
                params.distinguished_name.push(oid, email);
            }
            params
        };
        type Case = (
            &'static [&'static str],
            Option<&'static str>,
            &'static str,
            &'static [&'static str],
        );
        const CASES: &[Case] = &[
            (
                &["a@x.test", "b@x.test"],
                Some("c@x.test"),
                "d@x.test",
                &["a@x.test", "b@x.test"],
            ),
            (&[], Some("c@x.test"), "d@x.test", &["c@x.test"]),
            (&[], None, "d@x.test", &["d@x.test"]),
            (&[], None, "A. Person", &[]),
        ];
        for (san, email, common, expected) in CASES {
            let der = made(&rcgen::PKCS_ECDSA_P256_SHA256, params(san, *email, common));
            let client = client(&der).expect("parsed");
            let got: Vec<&str> = client.addresses.iter().map(|name| &**name).collect();
            assert_eq!(got, *expected);
            assert!(client.subject.contains(common), "{}", client.subject);
        }
        assert_eq!(client(b"no certificate"), None);
    }
}
