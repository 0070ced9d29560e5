//! What MAIL and RCPT say, read and checked: the envelope as a service and the queue see it. RFC 5321 §2.3.1.
//!
//! Invariant: nothing here holds a control character, whatever encoding it came in: an envelope may become header
//! fields of a notice (RFC 3464 §2.2.1), and a line end in it would begin a field of the sender's own.

use ringpost_types::Address;
use std::fmt;

/// A transaction's beginning. RFC 5321 §3.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// `None` is `<>`.
    pub reverse_path: Option<Address>,
    /// What the client says the message will take, in octets. RFC 1870 §6.
    pub size: Option<u64>,
    /// The client said SMTPUTF8. RFC 6531 §3.4.
    pub utf8: bool,
    /// What octets the body may have.
    pub body: Body,
    /// What a notice is to return. RFC 3461 §4.3.
    pub ret: Option<Ret>,
    /// The sender's name for this mail, xtext undone: 1 to 100 printable ASCII characters. RFC 3461 §4.4.
    pub envid: Option<Box<str>>,
    /// It may travel through verified TLS alone. RFC 8689 §2.
    pub require_tls: bool,
    /// It is not to leave before. RFC 4865.
    pub hold: Option<Hold>,
    /// When it must have arrived, and what else. RFC 2852.
    pub by: Option<By>,
    /// -9 to 9. RFC 6710 §3.
    pub priority: Option<i8>,
}

impl Mail {
    /// A transaction without parameters.
    pub fn from(reverse_path: Option<Address>) -> Self {
        Mail {
            reverse_path,
            size: None,
            utf8: false,
            body: Body::SevenBit,
            ret: None,
            envid: None,
            require_tls: false,
            hold: None,
            by: None,
            priority: None,
        }
    }
}

/// What BODY announces. RFC 6152 §2, RFC 3030 §3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// Lines of ASCII; where nothing was said. Kept as a fact: we take eight bits anyway.
    #[default]
    SevenBit,
    /// Lines of octets.
    EightBit,
    /// Any octets, by BDAT alone: outside its header CR and LF are octets as others.
    Binary,
}

/// What a notice returns of the mail. RFC 3461 §4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    /// `FULL`.
    Full,
    /// `HDRS`.
    Headers,
}

/// How long a mail is held. RFC 4865 §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// `HOLDFOR`, in seconds from now.
    For(u32),
    /// `HOLDUNTIL`, in seconds since 1970.
    Until(u64),
}

/// A time to deliver by. RFC 2852 §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By {
    /// From now on. With [`ByMode::Notify`] it may have passed: zero or less.
    pub seconds: i64,
    /// What becomes of a mail that is late.
    pub mode: ByMode,
    /// `T`: each host that takes it over tells the sender.
    pub trace: bool,
}

/// What becomes of a mail that is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByMode {
    /// `R`: back to the sender.
    Return,
    /// `N`: a notice, and it is tried further.
    Notify,
}

/// One recipient, and what the sender wants to hear of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rcpt {
    /// For whom.
    pub path: Recipient,
    /// When to send a notice; `None`: as the host likes, which is when it fails. RFC 3461 §4.1.
    pub notify: Option<Notify>,
    /// To whom the sender had addressed it. RFC 3461 §4.2.
    pub orcpt: Option<Orcpt>,
}

/// Whom a mail is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// An address.
    Mailbox(Address),
    /// `<postmaster>` of this host. RFC 5321 §4.1.1.3.
    Postmaster,
}

/// When to send a notice: a set. RFC 3461 §4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notify(u8);

impl Notify {
    /// Not at all; stands alone.
    pub const NEVER: Notify = Notify(1);
    /// When it is delivered.
    pub const SUCCESS: Notify = Notify(2);
    /// When it cannot be delivered.
    pub const FAILURE: Notify = Notify(4);
    /// When it takes long.
    pub const DELAY: Notify = Notify(8);

    /// Of the bits of [`Notify::bits`]; `None` where they are no set that NOTIFY can say.
    pub fn of_bits(bits: u8) -> Option<Notify> {
        let alone = bits == Notify::NEVER.0;
        let several = bits & Notify::NEVER.0 == 0 && (1..16).contains(&bits);
        (alone || several).then_some(Notify(bits))
    }

    /// The set as bits, for a row: 1 NEVER, 2 SUCCESS, 4 FAILURE, 8 DELAY.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of `other` is in the set.
    pub fn has(self, other: Notify) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both.
    pub(crate) fn with(self, other: Notify) -> Option<Notify> {
        Notify::of_bits(self.0 | other.0)
    }
}

/// An original recipient. RFC 3461 §4.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orcpt {
    /// `rfc822`, `utf-8` or another; lower case.
    pub kind: Box<str>,
    /// The address, xtext or utf-8-addr-xtext undone.
    pub address: Box<str>,
}

impl fmt::Display for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reverse_path {
            Some(address) => write!(f, "<{address}>"),
            None => f.write_str("<>"),
        }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Recipient::Mailbox(address) => write!(f, "<{address}>"),
            Recipient::Postmaster => f.write_str("<postmaster>"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_stands_alone() {
        let sets: Vec<u8> = (0..=255)
            .filter(|&bits| Notify::of_bits(bits).is_some())
            .collect();
        assert_eq!(sets, [1, 2, 4, 6, 8, 10, 12, 14]);
        assert_eq!(Notify::NEVER.with(Notify::DELAY), None);
        let both = Notify::SUCCESS.with(Notify::DELAY).expect("a set");
        assert!(both.has(Notify::DELAY) && !both.has(Notify::FAILURE));
    }
}
