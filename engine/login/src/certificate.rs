//! Whom a client's certificate names. RFC 4422 appendix A, RFC 8550 §3.
//!
//! The authority that signed it is one that the operator configured for this, and has been checked in the handshake. What
//! the certificate says counts where its subject is not in the operator's own table.

use crate::name::is_same;
use ringpost_runtime::ClientCertificate;
use std::collections::HashMap;

/// Accounts by the subject of a certificate, as `openssl x509 -subject -nameopt RFC2253` and our events write it.
pub type Subjects = HashMap<String, String>;

/// The account that `certificate` names: the one in the table, else the one that was asked for among its addresses, else
/// the only address there is.
pub fn account<'c>(
    certificate: &'c ClientCertificate,
    subjects: &'c Subjects,
    wanted: Option<&str>,
) -> Option<&'c str> {
    let is_wanted = |name: &str| wanted.is_none_or(|wanted| is_same(wanted, name));
    if let Some(account) = subjects.get(&*certificate.subject) {
        return Some(&**account).filter(|account| is_wanted(account));
    }
    let mut named = certificate.addresses.iter().map(|address| &**address);
    match wanted {
        Some(_) => named.find(|address| is_wanted(address)),
        None => match &certificate.addresses[..] {
            [only] => Some(only),
            _ => None,
        },
    }
}

/// Whether `certificate` names anybody.
pub fn names(certificate: &ClientCertificate, subjects: &Subjects) -> bool {
    !certificate.addresses.is_empty() || subjects.contains_key(&*certificate.subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts() {
        let subjects = Subjects::from([("CN=laptop".to_owned(), "carol@x.test".to_owned())]);
        type Case = (
            &'static str,
            &'static [&'static str],
            Option<&'static str>,
            Option<&'static str>,
        );
        const CASES: &[Case] = &[
            ("CN=a", &["a@x.test"], None, Some("a@x.test")),
            ("CN=a", &["a@x.test"], Some("A@X.test"), Some("a@x.test")),
            ("CN=a", &["a@x.test"], Some("b@x.test"), None),
            ("CN=a", &["a@x.test"], Some("a@x.test/phone"), None),
            (
                "CN=a",
                &["a@xn--srensen-90a.test"],
                Some("a@s\u{f6}rensen.test"),
                Some("a@xn--srensen-90a.test"),
            ),
            ("CN=a", &["a@x.test", "b@x.test"], None, None),
            (
                "CN=a",
                &["a@x.test", "b@x.test"],
                Some("b@x.test"),
                Some("b@x.test"),
            ),
            ("CN=a", &[], None, None),
            ("CN=laptop", &[], None, Some("carol@x.test")),
            ("CN=laptop", &["a@x.test"], None, Some("carol@x.test")),
            ("CN=laptop", &["a@x.test"], Some("a@x.test"), None),
        ];
        for (subject, addresses, wanted, expected) in CASES {
            let certificate = ClientCertificate {
                addresses: addresses.iter().map(|name| (*name).into()).collect(),
                subject: (*subject).into(),
            };
            let got = account(&certificate, &subjects, *wanted);
            assert_eq!(got, *expected, "{subject} {addresses:?} {wanted:?}");
        }
    }
}
