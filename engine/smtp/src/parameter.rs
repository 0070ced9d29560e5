//! Parameters of MAIL and RCPT. RFC 5321 §4.1.1.11.
//!
//! In:  what follows the path, split at spaces in place.
//! Out: the values of the parameters we offered; anything else is [`BadParameter::Unknown`].

/// Parameters of MAIL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailParameters {
    /// SIZE: what the message will take, in octets. RFC 1870 §6.
    pub size: Option<u64>,
    /// BODY=8BITMIME was said. Kept as a fact: we take eight bits anyway. RFC 6152 §2.
    pub eight_bit: bool,
    /// SMTPUTF8 was said. RFC 6531 §3.4.
    pub utf8: bool,
}

/// Why parameters are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadParameter {
    /// Not `keyword` or `keyword=value`, a bad value, or one said twice: 501 5.5.4.
    Syntax,
    /// A parameter of no extension on offer: 555 5.5.4. RFC 5321 §4.1.1.11.
    Unknown,
}

/// Reads the parameters of MAIL.
pub fn mail(text: &[u8]) -> Result<MailParameters, BadParameter> {
    let mut parameters = MailParameters::default();
    let mut seen = 0u8;
    for parameter in split(text) {
        let (keyword, value) = parameter?;
        let bit = match (keyword, value) {
            (keyword, Some(value)) if keyword.eq_ignore_ascii_case(b"SIZE") => {
                parameters.size = Some(number(value).ok_or(BadParameter::Syntax)?);
                1
            }
            (keyword, Some(value)) if keyword.eq_ignore_ascii_case(b"BODY") => {
                parameters.eight_bit = body(value)?;
                2
            }
            (keyword, None) if keyword.eq_ignore_ascii_case(b"SMTPUTF8") => {
                parameters.utf8 = true;
                4
            }
            // The submitter's identity, which we neither trust nor pass on. RFC 4954 §5.
            (keyword, Some(_)) if keyword.eq_ignore_ascii_case(b"AUTH") => 8,
            (keyword, _) if known(keyword) => return Err(BadParameter::Syntax),
            _ => return Err(BadParameter::Unknown),
        };
        if seen & bit != 0 {
            return Err(BadParameter::Syntax);
        }
        seen |= bit;
    }
    Ok(parameters)
}

/// Reads the parameters of RCPT: none is on offer.
pub fn rcpt(text: &[u8]) -> Result<(), BadParameter> {
    match split(text).next() {
        None => Ok(()),
        Some(parameter) => parameter.and(Err(BadParameter::Unknown)),
    }
}

fn known(keyword: &[u8]) -> bool {
    [&b"SIZE"[..], b"BODY", b"SMTPUTF8", b"AUTH"]
        .iter()
        .any(|name| keyword.eq_ignore_ascii_case(name))
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
        let in_keyword = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-';
        // UTF-8 may stand in a value. RFC 6531 §3.3.
        let in_value = |octet: &u8| *octet > b' ' && *octet != b'=' && *octet != 0x7f;
        let keyword_ok = !keyword.is_empty() && keyword.iter().all(in_keyword);
        let value_ok = value.is_none_or(|value| !value.is_empty() && value.iter().all(in_value));
        if keyword_ok && value_ok {
            Ok((keyword, value))
        } else {
            Err(BadParameter::Syntax)
        }
    })
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

/// `body-value = "7BIT" / "8BITMIME"`. RFC 6152 §2. BINARYMIME is not on offer.
fn body(value: &[u8]) -> Result<bool, BadParameter> {
    if value.eq_ignore_ascii_case(b"7BIT") {
        return Ok(false);
    }
    if value.eq_ignore_ascii_case(b"8BITMIME") {
        return Ok(true);
    }
    Err(BadParameter::Syntax)
}

#[cfg(test)]
mod tests {
    use super::*;
    use BadParameter::*;

    fn made(
        size: Option<u64>,
        eight_bit: bool,
        utf8: bool,
    ) -> Result<MailParameters, BadParameter> {
        Ok(MailParameters {
            size,
            eight_bit,
            utf8,
        })
    }

    #[test]
    fn of_mail() {
        let cases: &[(&str, Result<MailParameters, BadParameter>)] = &[
            ("", made(None, false, false)),
            ("size=1000", made(Some(1000), false, false)),
            (
                "SIZE=99999999999999999999 BODY=8BitMime  SMTPUTF8",
                made(Some(u64::MAX), true, true),
            ),
            ("BODY=7BIT AUTH=<>", made(None, false, false)),
            ("AUTH=e+3Dmc2@example.com", made(None, false, false)),
            ("SIZE=", Err(Syntax)),
            ("SIZE=1x", Err(Syntax)),
            ("SIZE", Err(Syntax)),
            ("SIZE=999999999999999999999", Err(Syntax)),
            ("SIZE=1 SIZE=1", Err(Syntax)),
            ("BODY=BINARYMIME", Err(Syntax)),
            ("SMTPUTF8=1", Err(Syntax)),
            ("=x", Err(Syntax)),
            ("A_B=x", Err(Syntax)),
            ("RET=FULL", Err(Unknown)),
            ("XFOO", Err(Unknown)),
        ];
        for (text, expected) in cases {
            assert_eq!(&mail(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn of_rcpt() {
        let cases: &[(&str, Result<(), BadParameter>)] = &[
            ("", Ok(())),
            (" ", Ok(())),
            ("NOTIFY=NEVER", Err(Unknown)),
            ("!", Err(Syntax)),
        ];
        for (text, expected) in cases {
            assert_eq!(&rcpt(text.as_bytes()), expected, "{text:?}");
        }
    }
}
