//! IMAP responses, cut into pieces without understanding them. RFC 9051 §7.
//!
//! In:  what the server has sent, from the end of the last piece on.
//! Out: one borrowed [`Piece`] and how many octets it took.
//!
//! A response is a line, or a line whose parts are joined by literals. Literals are handed on as they come,
//! so a mail of any size needs no buffer here.

/// One piece of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'p> {
    /// Text that ends its response (CRLF taken off).
    Last(&'p [u8]),
    /// Text before a literal (its announcement taken off) of so many octets.
    Before(&'p [u8], usize),
    /// Octets of a literal; `0` when these are its last.
    Literal(&'p [u8], usize),
}

/// A line without end, or not one of IMAP: the connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

const LINE_OCTETS_MAX: usize = 1 << 20;

/// Where in a response the input stands.
#[derive(Clone, Debug, Default)]
pub struct Cutter {
    literal_left: usize,
}

impl Cutter {
    /// Cuts the next piece off `input`; `None` while more must come.
    pub fn next<'p>(&mut self, input: &'p [u8]) -> Result<Option<(Piece<'p>, usize)>, Malformed> {
        if self.literal_left > 0 {
            let taken = self.literal_left.min(input.len());
            if taken == 0 {
                return Ok(None);
            }
            self.literal_left -= taken;
            return Ok(Some((
                Piece::Literal(&input[..taken], self.literal_left),
                taken,
            )));
        }
        let Some(length) = memchr::memchr(b'\n', input) else {
            return match input.len() > LINE_OCTETS_MAX {
                true => Err(Malformed),
                false => Ok(None),
            };
        };
        let line = input[..length].strip_suffix(b"\r").ok_or(Malformed)?;
        let piece = match announced(line) {
            Some((text, octets)) => {
                self.literal_left = octets;
                Piece::Before(text, octets)
            }
            None => Piece::Last(line),
        };
        Ok(Some((piece, length + 1)))
    }
}

/// ```abnf
/// literal = "{" number64 ["+"] "}" CRLF *CHAR8
/// ```
fn announced(line: &[u8]) -> Option<(&[u8], usize)> {
    let inside = line.strip_suffix(b"}")?;
    let open = inside.iter().rposition(|&octet| octet == b'{')?;
    let digits = std::str::from_utf8(&inside[open + 1..]).ok()?;
    let octets = digits
        .parse()
        .ok()
        .filter(|_| digits.bytes().all(|o| o.is_ascii_digit()))?;
    Some((&line[..open], octets))
}

/// The number that follows `name` and a space, as in `UID 12`.
pub fn number_after(text: &[u8], name: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(text, name)? + name.len();
    let digits = text[at..].strip_prefix(b" ")?;
    leading_number(digits)
}

/// The number of an untagged response such as `* 23 EXISTS`.
pub fn counted(line: &[u8], name: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"* ")?;
    let space = memchr::memchr(b' ', rest)?;
    rest[space + 1..]
        .eq_ignore_ascii_case(name)
        .then(|| leading_number(rest))
        .flatten()
}

fn leading_number(text: &[u8]) -> Option<u64> {
    let length = text
        .iter()
        .take_while(|octet| octet.is_ascii_digit())
        .count();
    std::str::from_utf8(&text[..length]).ok()?.parse().ok()
}

/// A quoted string. RFC 9051 §4.3.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIALOGUE: &[u8] = b"* 23 EXISTS\r\n* 1 FETCH (UID 7 BODY[] {5}\r\na\r\nb{ FLAGS ())\r\n\
        * 2 FETCH (UID 9 BODY[] {0}\r\n)\r\nA1 OK done {x}\r\n";

    /// Pieces joined: literals as `<octets>`, ends as `|`.
    fn cut(chunks: &[&[u8]]) -> String {
        let (mut cutter, mut held, mut out) = (Cutter::default(), Vec::new(), String::new());
        for chunk in chunks {
            held.extend_from_slice(chunk);
            while let Some((piece, taken)) = cutter.next(&held).unwrap() {
                match piece {
                    Piece::Last(text) => out += &format!("{}|", String::from_utf8_lossy(text)),
                    Piece::Before(text, _) => out += &format!("{}<", String::from_utf8_lossy(text)),
                    Piece::Literal(octets, left) => {
                        out += &String::from_utf8_lossy(octets);
                        out += if left == 0 { ">" } else { "" };
                    }
                }
                held.drain(..taken);
            }
        }
        assert!(held.is_empty());
        out
    }

    #[test]
    fn cuts_do_not_show() {
        let expected = "* 23 EXISTS|* 1 FETCH (UID 7 BODY[] <a\r\nb{> FLAGS ())|\
            * 2 FETCH (UID 9 BODY[] <)|A1 OK done {x}|";
        for at in 0..DIALOGUE.len() {
            assert_eq!(
                cut(&[&DIALOGUE[..at], &DIALOGUE[at..]]),
                expected,
                "cut at {at}"
            );
        }
        assert_eq!(cut(&DIALOGUE.chunks(1).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn bad_lines() {
        assert_eq!(Cutter::default().next(b"* OK\n"), Err(Malformed));
        assert_eq!(
            Cutter::default().next(&vec![b'x'; LINE_OCTETS_MAX + 1]),
            Err(Malformed)
        );
        assert_eq!(Cutter::default().next(b"* OK"), Ok(None));
    }

    #[test]
    fn numbers() {
        assert_eq!(
            number_after(b"* 1 FETCH (UID 70 FLAGS ())", b"UID"),
            Some(70)
        );
        assert_eq!(
            number_after(b"* OK [UIDNEXT 4392] x", b"UIDNEXT"),
            Some(4392)
        );
        assert_eq!(number_after(b"* 1 FETCH (FLAGS ())", b"UID"), None);
        assert_eq!(counted(b"* 172 EXISTS", b"EXISTS"), Some(172));
        assert_eq!(counted(b"* 172 RECENT", b"EXISTS"), None);
        assert_eq!(quoted("a\"\\b"), "\"a\\\"\\\\b\"");
    }
}
