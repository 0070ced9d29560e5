//! SMTP and LMTP replies, read in place. RFC 5321 §4.2.
//!
//! In:  what the server has sent so far.
//! Out: one borrowed [`Reply`] and how many octets it took; `None` while it is not complete.

/// A whole reply, all its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'r> {
    /// The three digits.
    pub code: u16,
    /// All lines as received, the last CRLF included.
    pub octets: &'r [u8],
}

/// What came is not a reply, or one without end: the server's fault, the connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A reply longer than this is none. RFC 5321 §4.5.3.1.5 allows 512 octets a line; EHLO has a few dozen lines.
const REPLY_OCTETS_MAX: usize = 64 * 1024;

impl<'r> Reply<'r> {
    /// 2yz and 3yz.
    pub fn is_positive(&self) -> bool {
        (200..400).contains(&self.code)
    }

    /// The text of each line, without code, separator and line end.
    pub fn lines(&self) -> impl Iterator<Item = &'r [u8]> {
        self.octets
            .split(|&octet| octet == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| {
                line.strip_suffix(b"\r")
                    .unwrap_or(line)
                    .get(4..)
                    .unwrap_or_default()
            })
    }

    /// Whether an EHLO reply offers `keyword`. RFC 5321 §4.1.1.1.
    pub fn offers(&self, keyword: &str) -> bool {
        self.lines().skip(1).any(|line| {
            let name = line
                .split(|&octet| octet == b' ')
                .next()
                .unwrap_or_default();
            name.eq_ignore_ascii_case(keyword.as_bytes())
        })
    }

    /// Code and last line, for people.
    pub fn say(&self) -> String {
        let last = self.lines().last().unwrap_or_default();
        format!("{} {}", self.code, String::from_utf8_lossy(last))
    }
}

/// Reads the first reply of `input`.
///
/// ```abnf
/// Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
/// ```
pub fn parse(input: &[u8]) -> Result<Option<Reply<'_>>, Malformed> {
    let mut at = 0;
    let mut first_code = None;
    while let Some(length) = input[at..].iter().position(|&octet| octet == b'\n') {
        let line = &input[at..at + length];
        let line = line.strip_suffix(b"\r").ok_or(Malformed)?;
        let code = code(line).ok_or(Malformed)?;
        if *first_code.get_or_insert(code) != code {
            return Err(Malformed);
        }
        at += length + 1;
        match line.get(3) {
            Some(b'-') => {}
            Some(b' ') | None => {
                return Ok(Some(Reply {
                    code,
                    octets: &input[..at],
                }));
            }
            Some(_) => return Err(Malformed),
        }
    }
    match input.len() > REPLY_OCTETS_MAX {
        true => Err(Malformed),
        false => Ok(None),
    }
}

fn code(line: &[u8]) -> Option<u16> {
    match line {
        [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', ..] => Some(
            [a, b, c]
                .iter()
                .fold(0, |sum, digit| sum * 10 + u16::from(**digit - b'0')),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Code and length of the first reply.
    type Read = Result<Option<(u16, usize)>, Malformed>;

    const CASES: &[(&str, Read)] = &[
        ("", Ok(None)),
        ("250", Ok(None)),
        ("250 ok\r", Ok(None)),
        ("250 ok\r\n", Ok(Some((250, 8)))),
        ("250\r\n", Ok(Some((250, 5)))),
        ("250-a\r\n", Ok(None)),
        ("250-a\r\n250 b\r\n354 go\r\n", Ok(Some((250, 14)))),
        ("421 4.3.2 bye\r\n", Ok(Some((421, 15)))),
        ("250-a\r\n251 b\r\n", Err(Malformed)),
        ("250 ok\n", Err(Malformed)),
        ("* OK IMAP\r\n", Err(Malformed)),
        ("999 no\r\n", Err(Malformed)),
        ("250_ok\r\n", Err(Malformed)),
    ];

    #[test]
    fn table() {
        for (input, expected) in CASES {
            let got = parse(input.as_bytes()).map(|r| r.map(|r| (r.code, r.octets.len())));
            assert_eq!(got, *expected, "{input:?}");
        }
    }

    #[test]
    fn endless_is_malformed() {
        let endless = b"250-x\r\n".repeat(REPLY_OCTETS_MAX / 7 + 1);
        assert_eq!(parse(&endless), Err(Malformed));
    }

    #[test]
    fn extensions() {
        let ehlo = b"250-mx.example.test\r\n250-SIZE 1000\r\n250-pipelining\r\n250 STARTTLS\r\n";
        let reply = parse(ehlo).unwrap().unwrap();
        assert!(reply.offers("SIZE") && reply.offers("PIPELINING") && reply.offers("STARTTLS"));
        assert!(!reply.offers("CHUNKING") && !reply.offers("mx.example.test"));
        assert_eq!(reply.say(), "250 STARTTLS");
    }
}
