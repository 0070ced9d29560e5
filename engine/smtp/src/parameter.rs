//! Parameters of MAIL and RCPT. RFC 5321 §4.1.1.11.
//!
//! In:  what follows the path, split at spaces in place; how the session stands.
//! Out: the values of the parameters we offered. One of an extension that is not on offer is [`BadParameter::Unknown`],
//! however well it is written.
//!
//! [`notice`] reads those of RFC 3461, [`timing`] those that say when.

mod notice;
mod timing;

use crate::envelope::{Body, By, Hold, Notify, Orcpt, Ret};
use crate::extension::{self, Circumstances};
use crate::word::Word;
use crate::xtext;
pub(crate) use timing::date;

/// Parameters of MAIL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailParameters {
    /// SIZE: what the message will take, in octets. RFC 1870 §6.
    pub size: Option<u64>,
    /// BODY. RFC 6152 §2, RFC 3030 §3.
    pub body: Body,
    /// SMTPUTF8 was said. RFC 6531 §3.4.
    pub utf8: bool,
    /// RET. RFC 3461 §4.3.
    pub ret: Option<Ret>,
    /// ENVID, xtext undone. RFC 3461 §4.4.
    pub envid: Option<Box<str>>,
    /// REQUIRETLS was said. RFC 8689 §2.
    pub require_tls: bool,
    /// HOLDFOR or HOLDUNTIL. RFC 4865 §4.
    pub hold: Option<Hold>,
    /// BY. RFC 2852 §4.
    pub by: Option<By>,
    /// MT-PRIORITY. RFC 6710 §3.
    pub priority: Option<i8>,
}

/// Parameters of RCPT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RcptParameters {
    /// NOTIFY. RFC 3461 §4.1.
    pub notify: Option<Notify>,
    /// ORCPT. RFC 3461 §4.2.
    pub orcpt: Option<Orcpt>,
}

/// Why parameters are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadParameter {
    /// Not `keyword` or `keyword=value`, or a bad value: 501 5.5.4.
    Syntax,
    /// A parameter of no extension on offer: 555 5.5.4. RFC 5321 §4.1.1.11.
    Unknown,
    /// One said twice: 501 5.5.4. RFC 5321 §4.1.1.11.
    Twice,
    /// NOTIFY with words it does not have, or NEVER in company: 501 5.5.4. RFC 3461 §4.1.
    Notify,
    /// ORCPT that is too long, no address, or encoded wrongly: 501 5.5.4. RFC 3461 §4.2.
    Orcpt,
    /// ENVID that is too long or encoded wrongly: 501 5.5.4. RFC 3461 §4.4.
    Envid,
    /// HOLDFOR or HOLDUNTIL unreadable, both, in the past, too far off, or beyond BY: 501 5.5.4. RFC 4865 §4.
    Hold,
    /// BY unreadable, or a return that is due already: 501 5.5.4. RFC 2852 §4.
    By,
    /// MT-PRIORITY outside -9 to 9: 501 5.5.4. RFC 6710 §3.
    Priority,
}

/// Parameters seen, to find one that comes twice. HOLDFOR and HOLDUNTIL exclude each other: they are one.
#[derive(Clone, Copy)]
#[repr(u16)]
enum Seen {
    Size = 1,
    Body = 2,
    Utf8 = 4,
    Auth = 8,
    Ret = 16,
    Envid = 32,
    RequireTls = 64,
    Hold = 128,
    By = 256,
    Priority = 512,
}

/// Reads the parameters of MAIL.
pub fn mail(text: &[u8], session: &Circumstances<'_>) -> Result<MailParameters, BadParameter> {
    let mut parameters = MailParameters::default();
    let mut seen = 0u16;
    for parameter in split(text) {
        let (keyword, value) = parameter?;
        let bit = match (Word::of(keyword), value) {
            (SIZE, Some(value)) => {
                parameters.size = Some(number(value).ok_or(BadParameter::Syntax)?);
                Seen::Size
            }
            (BODY, Some(value)) => {
                parameters.body = body(value)?;
                Seen::Body
            }
            (SMTPUTF8, None) => {
                parameters.utf8 = true;
                Seen::Utf8
            }
            // The submitter's identity, which we neither trust nor pass on. RFC 4954 §5.
            (AUTH, Some(value)) => {
                let read = value == b"<>" || xtext::undo(value).is_some();
                read.then_some(Seen::Auth).ok_or(BadParameter::Syntax)?
            }
            (RET, Some(value)) if extension::is_offered("DSN", session) => {
                parameters.ret = Some(notice::ret(value)?);
                Seen::Ret
            }
            (ENVID, Some(value)) if extension::is_offered("DSN", session) => {
                parameters.envid = Some(notice::envid(value)?);
                Seen::Envid
            }
            (REQUIRETLS, None) if extension::is_offered("REQUIRETLS", session) => {
                parameters.require_tls = true;
                Seen::RequireTls
            }
            (HOLDFOR | HOLDUNTIL, _) if parameters.hold.is_some() => {
                return Err(BadParameter::Hold);
            }
            (HOLDFOR, Some(value)) if extension::is_offered("FUTURERELEASE", session) => {
                parameters.hold = Some(timing::hold_for(value, session)?);
                Seen::Hold
            }
            (HOLDUNTIL, Some(value)) if extension::is_offered("FUTURERELEASE", session) => {
                parameters.hold = Some(timing::hold_until(value, session)?);
                Seen::Hold
            }
            (BY, Some(value)) if extension::is_offered("DELIVERBY", session) => {
                parameters.by = Some(timing::by(value)?);
                Seen::By
            }
            (MT_PRIORITY, Some(value)) if extension::is_offered("MT-PRIORITY", session) => {
                parameters.priority = Some(timing::priority(value)?);
                Seen::Priority
            }
            (word, _) => return Err(misused(word, OF_MAIL, session)),
        };
        if seen & bit as u16 != 0 {
            return Err(BadParameter::Twice);
        }
        seen |= bit as u16;
    }
    match (parameters.hold, parameters.by) {
        (Some(hold), Some(by)) if !timing::agree(hold, by, session) => Err(BadParameter::Hold),
        _ => Ok(parameters),
    }
}

/// Reads the parameters of RCPT; `utf8` is whether MAIL said SMTPUTF8.
pub fn rcpt(
    text: &[u8],
    utf8: bool,
    session: &Circumstances<'_>,
) -> Result<RcptParameters, BadParameter> {
    let mut parameters = RcptParameters::default();
    for parameter in split(text) {
        let (keyword, value) = parameter?;
        let twice = match (Word::of(keyword), value) {
            (NOTIFY, Some(value)) if extension::is_offered("DSN", session) => {
                let notify = notice::notify(value)?;
                parameters.notify.replace(notify).is_some()
            }
            (ORCPT, Some(value)) if extension::is_offered("DSN", session) => {
                let orcpt = notice::orcpt(value, utf8)?;
                parameters.orcpt.replace(orcpt).is_some()
            }
            (word, _) => return Err(misused(word, OF_RCPT, session)),
        };
        if twice {
            return Err(BadParameter::Twice);
        }
    }
    Ok(parameters)
}

macro_rules! words {
    ($($word:ident $text:literal,)*) => {
        $(const $word: Word = Word::of($text);)*
    };
}

words! {
    SIZE b"SIZE",
    BODY b"BODY",
    SMTPUTF8 b"SMTPUTF8",
    AUTH b"AUTH",
    RET b"RET",
    ENVID b"ENVID",
    REQUIRETLS b"REQUIRETLS",
    HOLDFOR b"HOLDFOR",
    HOLDUNTIL b"HOLDUNTIL",
    BY b"BY",
    MT_PRIORITY b"MT-PRIORITY",
    NOTIFY b"NOTIFY",
    ORCPT b"ORCPT",
}

/// Parameters of MAIL, and the extension that each is on offer with. AUTH is read everywhere and used nowhere.
const OF_MAIL: &[(Word, &str)] = &[
    (SIZE, "SIZE"),
    (BODY, "8BITMIME"),
    (SMTPUTF8, "SMTPUTF8"),
    (AUTH, "SIZE"),
    (RET, "DSN"),
    (ENVID, "DSN"),
    (REQUIRETLS, "REQUIRETLS"),
    (HOLDFOR, "FUTURERELEASE"),
    (HOLDUNTIL, "FUTURERELEASE"),
    (BY, "DELIVERBY"),
    (MT_PRIORITY, "MT-PRIORITY"),
];

/// The same of RCPT.
const OF_RCPT: &[(Word, &str)] = &[(NOTIFY, "DSN"), (ORCPT, "DSN")];

/// Why a parameter that could not be read is refused: one on offer is written wrongly, any other is not known.
fn misused(word: Word, known: &[(Word, &str)], session: &Circumstances<'_>) -> BadParameter {
    let on_offer = known
        .iter()
        .any(|&(known, of)| known == word && extension::is_offered(of, session));
    match on_offer {
        true => BadParameter::Syntax,
        false => BadParameter::Unknown,
    }
}

type Parameter<'c> = Result<(&'c [u8], Option<&'c [u8]>), BadParameter>;

/// `esmtp-param = esmtp-keyword ["=" esmtp-value]`. RFC 5321 §4.1.2.
fn split(text: &[u8]) -> impl Iterator<Item = Parameter<'_>> {
    let words = text
        .split(|&octet| octet == b' ')
        .filter(|word| !word.is_empty());
    words.map(|word| {
        let (keyword, value) = match memchr::memchr(b'=', word) {
            Some(at) => (&word[..at], Some(&word[at + 1..])),
            None => (word, None),
        };
        let in_keyword = |octet: u8| octet.is_ascii_alphanumeric() | (octet == b'-');
        // UTF-8 may stand in a value. RFC 6531 §3.3.
        let in_value = |octet: u8| (octet > b' ') & (octet != b'=') & (octet != 0x7f);
        let keyword_ok = !keyword.is_empty() && every(keyword, in_keyword);
        let value_ok = value.is_none_or(|value| !value.is_empty() && every(value, in_value));
        if keyword_ok && value_ok {
            Ok((keyword, value))
        } else {
            Err(BadParameter::Syntax)
        }
    })
}

/// Whether all octets are of a kind; all are looked at, none decides alone: it compiles to vectors.
fn every(octets: &[u8], kind: impl Fn(u8) -> bool) -> bool {
    octets.iter().fold(true, |all, &octet| all & kind(octet))
}

/// `size-value = 1*20DIGIT`. RFC 1870 §5. More than fits counts as the most there is.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 20 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let step = |sum: u64, digit: &u8| {
        sum.saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    };
    Some(digits.iter().fold(0, step))
}

/// `body-value = "7BIT" / "8BITMIME" / "BINARYMIME"`. RFC 6152 §2, RFC 3030 §3.
fn body(value: &[u8]) -> Result<Body, BadParameter> {
    const WORDS: &[(&[u8], Body)] = &[
        (b"7BIT", Body::SevenBit),
        (b"8BITMIME", Body::EightBit),
        (b"BINARYMIME", Body::Binary),
    ];
    let found = WORDS
        .iter()
        .find(|(word, _)| value.eq_ignore_ascii_case(word));
    found.map(|&(_, body)| body).ok_or(BadParameter::Syntax)
}

#[cfg(test)]
mod tests;
