//! Mailbox names: modified UTF-7, INBOX, and the patterns of LIST. RFC 3501 §5.1.
//!
//! Inside, a name is UTF-8 with levels separated by `/`; on the wire it is modified UTF-7. Invariant: a name has one
//! wire form; another spelling of the same name is refused, so that no two names look alike to a client.

use crate::cursor::{Fault, Result};
use bumpalo::Bump;
use bumpalo::collections::{String as Text, Vec as List};

/// What separates levels.
pub const DELIMITER: u8 = b'/';
/// The mailbox that is always there. RFC 3501 §5.1.
pub const INBOX: &str = "INBOX";

pub(crate) const NOT_UTF7: Fault = "mailbox name is not in modified UTF-7";

/// Whether the UTF-8 name is its own wire form.
pub fn is_plain(name: &str) -> bool {
    name.bytes()
        .all(|octet| matches!(octet, b' '..=b'~') && octet != b'&')
}

/// The wire form of a UTF-8 name. RFC 3501 §5.1.3.
pub fn encode(name: &str) -> String {
    let mut wire = String::with_capacity(name.len() * 2);
    let mut bits = Bits::default();
    for c in name.chars() {
        let plain = matches!(c, ' '..='~');
        if plain && bits.open {
            bits.close(&mut wire);
        }
        match c {
            '&' => wire.push_str("&-"),
            _ if plain => wire.push(c),
            _ => {
                if !bits.open {
                    wire.push('&');
                    bits.open = true;
                }
                for unit in c.encode_utf16(&mut [0; 2]) {
                    bits.put(*unit, &mut wire);
                }
            }
        }
    }
    if bits.open {
        bits.close(&mut wire);
    }
    wire
}

/// "modified BASE64": `,` stands for `/`, and there is no padding.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// Bits of a shifted run that are not written yet.
#[derive(Default)]
struct Bits {
    open: bool,
    held: u32,
    count: u32,
}

impl Bits {
    fn put(&mut self, unit: u16, wire: &mut String) {
        self.held = self.held << 16 | u32::from(unit);
        self.count += 16;
        while self.count >= 6 {
            self.count -= 6;
            self.digit(self.held >> self.count, wire);
        }
        self.held &= (1 << self.count) - 1;
    }

    fn digit(&self, value: u32, wire: &mut String) {
        wire.push(char::from(BASE64[(value & 63) as usize]));
    }

    fn close(&mut self, wire: &mut String) {
        if self.count > 0 {
            self.digit(self.held << (6 - self.count), wire);
        }
        wire.push('-');
        *self = Bits::default();
    }
}

/// A name or pattern from the wire, in UTF-8. Raw UTF-8 is taken as it is, as RFC 9051 §5.1 has it.
pub fn decode<'c>(wire: &'c [u8], arena: &'c Bump) -> Result<&'c str> {
    let text = std::str::from_utf8(wire).map_err(|_| NOT_UTF7)?;
    if text.chars().any(char::is_control) {
        return Err("control character in a mailbox name");
    }
    if !text.is_ascii() || !text.contains('&') {
        return Ok(text);
    }
    let mut name = Text::with_capacity_in(text.len(), arena);
    let mut rest = text;
    while let Some((plain, shifted)) = rest.split_once('&') {
        name.push_str(plain);
        let (run, after) = shifted.split_once('-').ok_or(NOT_UTF7)?;
        match run {
            "" => name.push('&'),
            _ => unshift(run, &mut name)?,
        }
        rest = after;
    }
    name.push_str(rest);
    if encode(&name) != text {
        return Err(NOT_UTF7);
    }
    if name.chars().any(char::is_control) {
        return Err("control character in a mailbox name");
    }
    Ok(name.into_bump_str())
}

/// Appends the characters of one shifted run. What its last bits are is settled by encoding it again.
fn unshift(run: &str, name: &mut Text<'_>) -> Result<()> {
    let mut units = List::with_capacity_in(run.len() / 2, name.bump());
    let (mut held, mut count) = (0u32, 0);
    for octet in run.bytes() {
        let digit = BASE64
            .iter()
            .position(|&known| known == octet)
            .ok_or(NOT_UTF7)?;
        held = held << 6 | digit as u32;
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push((held >> count) as u16);
            held &= (1 << count) - 1;
        }
    }
    for c in char::decode_utf16(units.iter().copied()) {
        name.push(c.map_err(|_| NOT_UTF7)?);
    }
    Ok(())
}

/// A pattern from the wire. One that no name's wire form can match is no error to LIST: it is taken as it stands.
pub(crate) fn pattern<'c>(wire: &'c [u8], arena: &'c Bump) -> Result<&'c str> {
    match decode(wire, arena) {
        Err(NOT_UTF7) => std::str::from_utf8(wire).map_err(|_| NOT_UTF7),
        decoded => decoded,
    }
}

/// A mailbox argument from the wire: decoded, and INBOX in capitals, also as the parent of others.
pub(crate) fn read<'c>(wire: &'c [u8], arena: &'c Bump) -> Result<&'c str> {
    let name = decode(wire, arena)?;
    if has_inbox(name) && !name.starts_with(INBOX) {
        let mut capital = Text::with_capacity_in(name.len(), arena);
        capital.push_str(INBOX);
        capital.push_str(&name[INBOX.len()..]);
        return Ok(capital.into_bump_str());
    }
    Ok(name)
}

/// Whether the first level is INBOX in any case.
fn has_inbox(name: &str) -> bool {
    let (first, rest) = name.as_bytes().split_at(name.len().min(INBOX.len()));
    first.eq_ignore_ascii_case(INBOX.as_bytes()) && matches!(rest.first(), None | Some(&DELIMITER))
}

/// Octets of a name that a pattern can match; the limit table's bound is below it.
const NAME_OCTETS_MAX: usize = 1024;

/// A pattern of LIST: `*` matches anything, `%` anything within a level. RFC 3501 §6.3.8.
#[derive(Clone, Copy, Debug)]
pub struct Pattern<'c> {
    /// Reference and pattern joined, neighbouring wildcards made one. `None`: too long to match any name.
    text: Option<&'c str>,
}

impl<'c> Pattern<'c> {
    /// The canonical form of `reference` and `pattern`: the one after the other.
    pub fn new(reference: &str, pattern: &str, arena: &'c Bump) -> Self {
        let mut text = Text::new_in(arena);
        for c in reference.chars().chain(pattern.chars()) {
            match (text.chars().next_back(), c) {
                (Some('*'), '*' | '%') | (Some('%'), '%') => {}
                (Some('%'), '*') => {
                    text.pop();
                    text.push('*');
                }
                _ => text.push(c),
            }
            // Wildcards stand apart now, and every other octet takes one of the name.
            if text.len() > 2 * NAME_OCTETS_MAX + 1 {
                return Pattern { text: None };
            }
        }
        Pattern {
            text: Some(text.into_bump_str()),
        }
    }

    /// Whether `name` (UTF-8) matches; INBOX in any case.
    ///
    /// Walks the pattern once and keeps the set of places in the name that it may have come to: O(pattern × name),
    /// whatever the pattern. Backtracking is quicker on plain patterns and hangs on those made to hang it.
    pub fn matches(&self, name: &str) -> bool {
        let (Some(text), name) = (self.text, name.as_bytes()) else {
            return false;
        };
        if name.len() > NAME_OCTETS_MAX {
            return false;
        }
        let inbox = if has_inbox(std::str::from_utf8(name).unwrap_or("")) {
            INBOX.len()
        } else {
            0
        };
        let mut places = [false; NAME_OCTETS_MAX + 1];
        let places = &mut places[..=name.len()];
        places[0] = true;
        for octet in text.bytes() {
            match octet {
                b'*' | b'%' => {
                    for at in 1..places.len() {
                        let pass = octet == b'*' || name[at - 1] != DELIMITER;
                        places[at] |= places[at - 1] && pass;
                    }
                }
                _ => {
                    for at in (1..places.len()).rev() {
                        let same = match at <= inbox {
                            true => name[at - 1].eq_ignore_ascii_case(&octet),
                            false => name[at - 1] == octet,
                        };
                        places[at] = places[at - 1] && same;
                    }
                    places[0] = false;
                }
            }
        }
        places[name.len()]
    }
}

#[cfg(test)]
#[path = "mailbox/tests.rs"]
mod tests;
