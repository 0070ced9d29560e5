//! Which notices the sender wants: NOTIFY, ORCPT, RET, ENVID. RFC 3461 §4.

use super::BadParameter;
use crate::envelope::{Notify, Orcpt, Ret};
use crate::xtext;

/// Of ENVID, before encoding. RFC 3461 §4.4.
const ENVID_CHARACTERS_MAX: usize = 100;
/// Of ORCPT, as written: what RFC 3461 §4 adds to the length of RCPT.
const ORCPT_OCTETS_MAX: usize = 500;

/// `ret-value = "FULL" / "HDRS"`. RFC 3461 §4.3.
pub(super) fn ret(value: &[u8]) -> Result<Ret, BadParameter> {
    if value.eq_ignore_ascii_case(b"FULL") {
        return Ok(Ret::Full);
    }
    match value.eq_ignore_ascii_case(b"HDRS") {
        true => Ok(Ret::Headers),
        false => Err(BadParameter::Syntax),
    }
}

/// `envid-parameter = "ENVID=" xtext`. RFC 3461 §4.4.
pub(super) fn envid(value: &[u8]) -> Result<Box<str>, BadParameter> {
    let plain = xtext::undo(value).ok_or(BadParameter::Envid)?;
    if plain.len() > ENVID_CHARACTERS_MAX {
        return Err(BadParameter::Envid);
    }
    Ok(plain.into())
}

/// `notify-list = "NEVER" / 1#( "SUCCESS" / "FAILURE" / "DELAY" )`. RFC 3461 §4.1.
pub(super) fn notify(value: &[u8]) -> Result<Notify, BadParameter> {
    const WORDS: &[(&[u8], Notify)] = &[
        (b"NEVER", Notify::NEVER),
        (b"SUCCESS", Notify::SUCCESS),
        (b"FAILURE", Notify::FAILURE),
        (b"DELAY", Notify::DELAY),
    ];
    let mut set: Option<Notify> = None;
    for word in value.split(|&octet| octet == b',') {
        let known = WORDS
            .iter()
            .find(|(name, _)| word.eq_ignore_ascii_case(name));
        let &(_, bit) = known.ok_or(BadParameter::Notify)?;
        let both = match set {
            None => Some(bit),
            // Even NEVER,NEVER is not NEVER alone.
            Some(Notify::NEVER) => None,
            Some(set) => set.with(bit),
        };
        set = Some(both.ok_or(BadParameter::Notify)?);
    }
    set.ok_or(BadParameter::Notify)
}

/// `original-recipient-address = addr-type ";" xtext`, `addr-type = atom`. RFC 3461 §4.2; `utf-8;`: RFC 6533 §3.
pub(super) fn orcpt(value: &[u8], utf8: bool) -> Result<Orcpt, BadParameter> {
    read_orcpt(value, utf8).ok_or(BadParameter::Orcpt)
}

fn read_orcpt(value: &[u8], utf8: bool) -> Option<Orcpt> {
    if value.len() > ORCPT_OCTETS_MAX {
        return None;
    }
    let at = memchr::memchr(b';', value)?;
    let (kind, address) = (&value[..at], &value[at + 1..]);
    if kind.is_empty() || !kind.iter().all(|&octet| is_atext(octet)) {
        return None;
    }
    let address: Box<str> = match kind.eq_ignore_ascii_case(b"utf-8") {
        true => xtext::undo_utf8(address, utf8)?.into(),
        false => xtext::undo(address)?.into(),
    };
    if address.is_empty() {
        return None;
    }
    let kind = std::str::from_utf8(kind).ok()?.to_ascii_lowercase();
    Some(Orcpt {
        kind: kind.into(),
        address,
    })
}

/// `atext`. RFC 5322 §3.2.3.
fn is_atext(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet)
}
