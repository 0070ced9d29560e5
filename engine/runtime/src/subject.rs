//! The subject of a certificate as text, in one way: RFC 4514, as `openssl x509 -subject -nameopt RFC2253` prints it.
//!
//! In:  a parsed name. Out: `CN=laptop,O=Example`, the last of its parts first.
//!
//! Invariant: two names that differ have two texts. What divides parts is escaped within them: a CN of `laptop,O=Example`
//! is not that of Example's laptop. Attributes that openssl calls by rarer names are their numbers here.

use std::fmt::Write;
use x509_parser::prelude::X509Name;
use x509_parser::x509::AttributeTypeAndValue;

/// Attributes by their short names. RFC 4514 §3, RFC 4519, and what openssl calls the others that occur.
const NAMES: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.46", "dnQualifier"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// See the head of this file.
pub fn text(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    let parts: Vec<_> = name.iter_rdn().collect();
    for part in parts.into_iter().rev() {
        let attributes: Vec<_> = part.iter().collect();
        for (at, attribute) in attributes.into_iter().rev().enumerate() {
            match (at, text.is_empty()) {
                (0, true) => {}
                (0, false) => text.push(','),
                _ => text.push('+'),
            }
            write(attribute, &mut text);
        }
    }
    text
}

fn write(attribute: &AttributeTypeAndValue<'_>, text: &mut String) {
    let number = attribute.attr_type().to_id_string();
    let known = NAMES.iter().find(|(known, _)| *known == number);
    match (known, attribute.as_str()) {
        (Some((_, name)), Ok(value)) => {
            text.push_str(name);
            text.push('=');
            escape(value, text);
        }
        // RFC 4514 §2.4: a value that is no text, or of a type that has no name, is its encoding.
        (known, _) => {
            text.push_str(known.map_or(&*number, |(_, name)| name));
            text.push_str("=#");
            encoded(attribute, text);
        }
    }
}

/// RFC 4514 §2.4; control characters and what is not ASCII by their octets, as openssl has it.
fn escape(value: &str, text: &mut String) {
    let last = value.len().saturating_sub(1);
    for (at, octet) in value.bytes().enumerate() {
        let divides = matches!(octet, b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';');
        let at_edge = octet == b' ' && (at == 0 || at == last) || octet == b'#' && at == 0;
        match octet {
            b' '..=b'~' => {
                if divides || at_edge {
                    text.push('\\');
                }
                text.push(char::from(octet));
            }
            // Writing to a String cannot fail.
            octet => _ = write!(text, "\\{octet:02X}"),
        }
    }
}

/// The value in DER, hexadecimal.
fn encoded(attribute: &AttributeTypeAndValue<'_>, text: &mut String) {
    let value = attribute.attr_value();
    let octets = value.data;
    // Writing to a String cannot fail.
    let _ = write!(text, "{:02X}", value.tag().0);
    match octets.len() {
        short @ 0..=127 => _ = write!(text, "{short:02X}"),
        long @ 128..=255 => _ = write!(text, "81{long:02X}"),
        longer => _ = write!(text, "82{longer:04X}"),
    }
    octets.iter().for_each(|octet| {
        let _ = write!(text, "{octet:02X}");
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};
    use x509_parser::prelude::{FromDer, X509Certificate};

    fn subject(parts: &[(DnType, &str)]) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in parts {
            let value = DnValue::Utf8String((*value).to_owned());
            params.distinguished_name.push(kind.clone(), value);
        }
        let key = KeyPair::generate().expect("a key");
        let made = params.self_signed(&key).expect("signed");
        let (_, parsed) = X509Certificate::from_der(made.der()).expect("parsed");
        text(parsed.subject())
    }

    /// As openssl 3 prints the same names.
    #[test]
    fn subjects() {
        use DnType::{CommonName, CountryName, OrganizationName};
        let email = || DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]);
        let rare = || DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 99_999, 1]);
        let cases: &[(&[(DnType, &str)], &str)] = &[
            (&[], ""),
            (
                &[(OrganizationName, "Example"), (CommonName, "laptop")],
                "CN=laptop,O=Example",
            ),
            // One part that pretends to be two.
            (&[(CommonName, "laptop,O=Example")], "CN=laptop\\,O=Example"),
            (
                &[(CountryName, "DE"), (CommonName, " a#b+\"<>;\\ ")],
                "CN=\\ a#b\\+\\\"\\<\\>\\;\\\\\\ ,C=DE",
            ),
            (&[(CommonName, "#1")], "CN=\\#1"),
            (&[(CommonName, "Zo\u{eb}\n\0")], "CN=Zo\\C3\\AB\\0A\\00"),
            (
                &[(CommonName, "x"), (email(), "a@x.test")],
                "emailAddress=a@x.test,CN=x",
            ),
            (&[(rare(), "hi")], "1.3.6.1.4.1.99999.1=#0C026869"),
        ];
        for (parts, expected) in cases {
            assert_eq!(subject(parts), *expected);
        }
    }
}
