//! Whom an identity means: an account by its primary address, and perhaps one of its app passwords by name.
//!
//! `alice@example.org` is the account, `alice@example.org/phone` its app password called `phone`: SCRAM has to know
//! before the proof which password it is about. A domain has no `/`, so nobody's address is hidden by that.

/// An identity, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'n> {
    /// The account's primary address.
    pub account: &'n str,
    /// The name of an app password.
    pub app: Option<&'n str>,
}

impl<'n> Name<'n> {
    /// Takes an identity apart.
    pub fn read(identity: &'n str) -> Name<'n> {
        let domain = identity.rfind('@').map_or(identity.len(), |at| at + 1);
        match identity[domain..].split_once('/') {
            Some((host, app)) => Name {
                account: &identity[..domain + host.len()],
                app: Some(app),
            },
            None => Name {
                account: identity,
                app: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        const CASES: &[(&str, &str, Option<&str>)] = &[
            ("a@x.test", "a@x.test", None),
            ("a@x.test/phone", "a@x.test", Some("phone")),
            ("a@x.test/my/phone", "a@x.test", Some("my/phone")),
            ("a@x.test/", "a@x.test", Some("")),
            ("a/b@x.test", "a/b@x.test", None),
            ("\"a@b/c\"@x.test", "\"a@b/c\"@x.test", None),
            ("a/b", "a/b", None),
            ("", "", None),
        ];
        for (identity, account, app) in CASES {
            let expected = Name { account, app: *app };
            assert_eq!(Name::read(identity), expected, "{identity}");
        }
    }
}
