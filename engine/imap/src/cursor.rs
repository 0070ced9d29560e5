//! Tokens of a whole command. RFC 3501 §9.
//!
//! In:  the command without its last CRLF, literals in place.
//! Out: tokens borrowed from it; a string with an escape is written out into the arena.
//!
//! A [`Cursor`] only moves forward; each function takes exactly its rule, or says what it missed.

use crate::mailbox;
use bumpalo::Bump;
use bumpalo::collections::Vec as List;

/// What a client is told of a command that is none.
pub(crate) type Fault = &'static str;
pub(crate) type Result<T> = std::result::Result<T, Fault>;

/// A literal whose octets are not in the command: only APPEND meets it, as its last token.
pub(crate) const LITERAL_CUT: Fault = "literal is not complete";

const ATOM: u8 = 1;
const ASTRING: u8 = 2;
const LIST: u8 = 4;

/// For each octet, in which of the classes above it is.
static CLASS: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut octet = 0x21;
    while octet < 0x7f {
        table[octet] = match octet as u8 {
            b'(' | b')' | b'{' | b'"' | b'\\' => 0,
            b'%' | b'*' => LIST,
            b']' => ASTRING | LIST,
            _ => ATOM | ASTRING | LIST,
        };
        octet += 1;
    }
    table
};

/// ASTRING-CHAR = ATOM-CHAR / "]"
pub(crate) fn is_astring(octet: u8) -> bool {
    CLASS[usize::from(octet)] & ASTRING != 0
}

/// A place in a command.
pub(crate) struct Cursor<'c> {
    rest: &'c [u8],
    pub arena: &'c Bump,
    /// Levels of nesting that may still be entered.
    pub nesting: u64,
}

impl<'c> Cursor<'c> {
    pub fn new(octets: &'c [u8], arena: &'c Bump, nesting: u64) -> Self {
        Cursor {
            rest: octets,
            arena,
            nesting,
        }
    }

    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes `octet` if it is next.
    pub fn take(&mut self, octet: u8) -> bool {
        let next = self.peek() == Some(octet);
        if next {
            self.rest = &self.rest[1..];
        }
        next
    }

    pub fn expect(&mut self, octet: u8, fault: Fault) -> Result<()> {
        self.take(octet).then_some(()).ok_or(fault)
    }

    /// SP between arguments. Several are taken for one: clients send them, and nothing else could be meant.
    pub fn space(&mut self) -> Result<()> {
        self.one_space()?;
        while self.take(b' ') {}
        Ok(())
    }

    /// SP, exactly.
    pub fn one_space(&mut self) -> Result<()> {
        self.expect(b' ', "expected a space")
    }

    pub fn end(&self) -> Result<()> {
        self.rest
            .is_empty()
            .then_some(())
            .ok_or("unexpected octets at the end of the command")
    }

    /// Takes `word`, ASCII case-blind, if it is next.
    pub fn take_word(&mut self, word: &str) -> bool {
        let next = self.rest.get(..word.len());
        let found = next.is_some_and(|next| next.eq_ignore_ascii_case(word.as_bytes()));
        if found {
            self.rest = &self.rest[word.len()..];
        }
        found
    }

    /// Goes one level deeper for the time of `inside`.
    pub fn nested<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.nesting = self.nesting.checked_sub(1).ok_or("nested too deeply")?;
        let result = inside(self);
        self.nesting += 1;
        result
    }

    fn run(&mut self, inside: impl Fn(u8) -> bool) -> &'c [u8] {
        let length = self.rest.iter().position(|&octet| !inside(octet));
        let (run, rest) = self.rest.split_at(length.unwrap_or(self.rest.len()));
        self.rest = rest;
        run
    }

    fn class(&mut self, class: u8) -> &'c [u8] {
        self.run(|octet| CLASS[usize::from(octet)] & class != 0)
    }

    /// tag = 1*<any ASTRING-CHAR except "+">
    pub fn tag(&mut self) -> Result<&'c str> {
        ascii(
            self.run(|octet| is_astring(octet) && octet != b'+'),
            "expected a tag",
        )
    }

    /// atom = 1*ATOM-CHAR
    pub fn atom(&mut self) -> Result<&'c str> {
        ascii(self.class(ATOM), "expected an atom")
    }

    /// A keyword of the grammar: letters, digits, `.`, `-`, `_`, `=`. Stops before a bracket, as an atom does not.
    pub fn word(&mut self) -> &'c str {
        let inside = |octet: u8| octet.is_ascii_alphanumeric() || b".-_=".contains(&octet);
        ascii(self.run(inside), "").unwrap_or("")
    }

    /// number64 = 1*DIGIT, below 2^63. RFC 9051 §9.
    pub fn number64(&mut self) -> Result<u64> {
        let digits = self.run(|octet| octet.is_ascii_digit());
        let value = digits.iter().try_fold(0u64, |value, digit| {
            value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        });
        match value {
            Some(value) if !digits.is_empty() && value < 1 << 63 => Ok(value),
            Some(_) if digits.is_empty() => Err("expected a number"),
            _ => Err("number is too large"),
        }
    }

    /// nz-number = digit-nz *DIGIT, below 2^32.
    pub fn nz_number(&mut self) -> Result<u32> {
        let value = self.number64()?;
        let value = u32::try_from(value).map_err(|_| "number is too large")?;
        (value != 0)
            .then_some(value)
            .ok_or("0 is no message number")
    }

    /// astring = 1*ASTRING-CHAR / string
    pub fn astring(&mut self) -> Result<&'c [u8]> {
        self.text_or(ASTRING)
    }

    /// list-mailbox = 1*list-char / string
    fn list_string(&mut self) -> Result<&'c [u8]> {
        self.text_or(LIST)
    }

    fn text_or(&mut self, class: u8) -> Result<&'c [u8]> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => match self.class(class) {
                [] => Err("expected a string or an atom"),
                atom => Ok(atom),
            },
        }
    }

    /// string = quoted / literal
    pub fn string(&mut self) -> Result<&'c [u8]> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal(),
            _ => Err("expected a string"),
        }
    }

    /// nstring = string / nil
    pub fn nstring(&mut self) -> Result<Option<&'c [u8]>> {
        match self.take_word("NIL") {
            true => Ok(None),
            false => self.string().map(Some),
        }
    }

    /// quoted = DQUOTE *QUOTED-CHAR DQUOTE; 8-bit octets are taken too, as RFC 9051 §9 has UTF-8 here.
    fn quoted(&mut self) -> Result<&'c [u8]> {
        self.expect(b'"', "expected a quoted string")?;
        let mut plain: Option<List<'c, u8>> = None;
        loop {
            let run = self.run(|octet| !matches!(octet, b'"' | b'\\' | b'\r' | b'\n' | 0));
            let next = self.peek();
            self.rest = self.rest.get(1..).unwrap_or(&[]);
            match (next, &mut plain) {
                (Some(b'"'), None) => return Ok(run),
                (Some(b'"'), Some(plain)) => {
                    plain.extend_from_slice_copy(run);
                    return Ok(std::mem::replace(plain, List::new_in(self.arena)).into_bump_slice());
                }
                (Some(b'\\'), _) => {
                    let escaped = self.peek().filter(|octet| matches!(octet, b'"' | b'\\'));
                    let escaped =
                        escaped.ok_or("only \\\" and \\\\ are escapes in a quoted string")?;
                    let plain = plain.get_or_insert_with(|| List::new_in(self.arena));
                    plain.extend_from_slice_copy(run);
                    plain.push(escaped);
                    self.rest = &self.rest[1..];
                }
                (None, _) => return Err("quoted string is not closed"),
                (Some(_), _) => return Err("CR, LF or NUL in a quoted string"),
            }
        }
    }

    /// literal = "{" number ["+"] "}" CRLF *CHAR8; CHAR8 is any octet but NUL.
    fn literal(&mut self) -> Result<&'c [u8]> {
        let (octets, _) = self.literal_header()?;
        let octets = usize::try_from(octets).map_err(|_| LITERAL_CUT)?;
        let (literal, rest) = self.rest.split_at_checked(octets).ok_or(LITERAL_CUT)?;
        if memchr::memchr(0, literal).is_some() {
            return Err("NUL in a literal");
        }
        self.rest = rest;
        Ok(literal)
    }

    /// "{" number ["+"] "}" CRLF: how many octets follow, and whether the client waits to send them.
    pub fn literal_header(&mut self) -> Result<(u64, bool)> {
        const FAULT: Fault = "expected a literal";
        self.expect(b'{', FAULT)?;
        let octets = self.number64()?;
        let synchronizing = !self.take(b'+');
        self.expect(b'}', FAULT)?;
        self.expect(b'\r', FAULT)?;
        self.expect(b'\n', FAULT)?;
        Ok((octets, synchronizing))
    }

    /// mailbox = "INBOX" / astring; in UTF-8.
    pub fn mailbox(&mut self) -> Result<&'c str> {
        let octets = self.astring()?;
        mailbox::read(octets, self.arena)
    }

    /// list-mailbox, in UTF-8.
    pub fn list_mailbox(&mut self) -> Result<&'c str> {
        let octets = self.list_string()?;
        mailbox::pattern(octets, self.arena)
    }

    /// "(" item *(SP item) ")", or "()".
    pub fn parenthesized(&mut self, mut item: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.expect(b'(', "expected a list in parentheses")?;
        if self.take(b')') {
            return Ok(());
        }
        loop {
            item(self)?;
            if self.take(b')') {
                return Ok(());
            }
            self.expect(b' ', "expected a space or a closing parenthesis")?;
        }
    }
}

fn ascii(octets: &[u8], fault: Fault) -> Result<&str> {
    match std::str::from_utf8(octets) {
        Ok(text) if !text.is_empty() => Ok(text),
        _ => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings() {
        type Case = (&'static [u8], Result<&'static [u8]>);
        const CASES: &[Case] = &[
            (b"a]b", Ok(b"a]b")),
            (b"\"\"", Ok(b"")),
            (b"\"a b\"", Ok(b"a b")),
            (b"\"a\\\"b\\\\\"", Ok(b"a\"b\\")),
            (b"\"\xC3\xA9\"", Ok(b"\xC3\xA9")),
            (b"{3}\r\na\r\n", Ok(b"a\r\n")),
            (b"{0+}\r\n", Ok(b"")),
            (b"\"a", Err("quoted string is not closed")),
            (
                b"\"a\\",
                Err("only \\\" and \\\\ are escapes in a quoted string"),
            ),
            (
                b"\"a\\n\"",
                Err("only \\\" and \\\\ are escapes in a quoted string"),
            ),
            (b"\"a\r\"", Err("CR, LF or NUL in a quoted string")),
            (b"\"a\0\"", Err("CR, LF or NUL in a quoted string")),
            (b"{1}\r\n\0", Err("NUL in a literal")),
            (b"{2}\r\na", Err(LITERAL_CUT)),
            (b"{18446744073709551616}\r\n", Err("number is too large")),
            (b"{}", Err("expected a number")),
            (b"{1}", Err("expected a literal")),
            (b"(", Err("expected a string or an atom")),
            (b"", Err("expected a string or an atom")),
            (b"\xC3\xA9", Err("expected a string or an atom")),
        ];
        let arena = Bump::new();
        for (octets, expected) in CASES {
            let mut cursor = Cursor::new(octets, &arena, 1);
            assert_eq!(cursor.astring(), *expected, "{octets:?}");
        }
    }

    #[test]
    fn numbers() {
        let arena = Bump::new();
        let nz = |text: &'static str| Cursor::new(text.as_bytes(), &arena, 0).nz_number();
        assert_eq!(nz("1"), Ok(1));
        assert_eq!(nz("4294967295"), Ok(u32::MAX));
        assert_eq!(nz("4294967296"), Err("number is too large"));
        assert_eq!(nz("0"), Err("0 is no message number"));
        assert_eq!(nz("x"), Err("expected a number"));
    }

    #[test]
    fn nesting_has_its_limit() {
        let arena = Bump::new();
        let mut cursor = Cursor::new(b"", &arena, 1);
        assert_eq!(cursor.nested(|_| Ok(1)), Ok(1));
        assert!(cursor.nested(|cursor| cursor.nested(|_| Ok(1))).is_err());
    }
}
