//! Whom an identity means: an account by its primary address, and perhaps one of its app passwords by name.
//!
//! `alice@example.org` is the account, `alice@example.org/phone` its app password called `phone`: SCRAM has to know
//! before the proof which password it is about. A domain has no `/`, so nobody's address is hidden by that.
//!
//! An address can be written in more ways than anybody can count: `"a\lice"@example.org`, `alice@EXAMPLE.org.`. All find the
//! same account, so all are one to whatever is kept of a name: [`Name::account_key`] to what counts guesses, which a guesser
//! would otherwise get around by quoting one letter more; [`Name::key`] to keys of nobody, which would otherwise differ
//! between spellings where somebody's do not, and so tell who is there.

use ringpost_types::Address;

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

    /// The account in the form it is looked up in; in lower case what is no address and can be nobody's.
    pub fn account_key(&self) -> String {
        let address = Address::parse(self.account);
        address.map_or_else(|_| self.account.to_lowercase(), |address| address.key())
    }

    /// The same with the app password's name as it is: that has one spelling.
    pub fn key(&self) -> String {
        let mut key = self.account_key();
        if let Some(app) = self.app {
            key.push('/');
            key.push_str(app);
        }
        key
    }

    /// Whose own password a wrong one may have been a guess at; empty where an app password is named: those are random, so
    /// nobody guesses them, and however many try at the account's own, the programs of its owner go in from anywhere.
    pub fn guess_key(&self) -> String {
        match self.app {
            Some(_) => String::new(),
            None => self.account_key(),
        }
    }
}

/// Whether two identities are of one account and, where they name one, of one app password.
pub fn is_same(one: &str, other: &str) -> bool {
    one == other || Name::read(one).key() == Name::read(other).key()
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

    #[test]
    fn spellings() {
        const CASES: &[(&str, &str)] = &[
            ("a@x.test", "a@x.test"),
            ("A@X.test.", "a@x.test"),
            ("\"a\"@x.test", "a@x.test"),
            ("\"\\a\"@x.test", "a@x.test"),
            (
                "\"\\A\"@s\u{f6}rensen.test./Phone",
                "a@xn--srensen-90a.test/Phone",
            ),
            ("a@x.test/", "a@x.test/"),
            ("No Address", "no address"),
            ("", ""),
        ];
        for (identity, expected) in CASES {
            let name = Name::read(identity);
            assert_eq!(name.key(), *expected, "{identity}");
            let account = expected.split('/').next().unwrap_or_default();
            assert_eq!(name.account_key(), account, "{identity}");
            let guessed = if name.app.is_some() { "" } else { account };
            assert_eq!(name.guess_key(), guessed, "{identity}");
        }
    }
}
