//! An SMTP reply: code, enhanced status code, text. RFC 5321 §4.2, RFC 3463.

use std::borrow::Cow;

/// Enhanced status code: class, subject, detail. RFC 3463 §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enhanced(pub u8, pub u16, pub u16);

/// One reply. The text may hold several lines, separated by `\n`; each goes out as a reply line of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits, 200 to 599. RFC 5321 §4.2.1.
    pub code: u16,
    /// Sent before the text of every line, where the reply may carry one. RFC 2034 §4.
    pub enhanced: Option<Enhanced>,
    /// What a human reads.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// A reply with an enhanced code and fixed text.
    pub const fn new(code: u16, enhanced: Enhanced, text: &'static str) -> Self {
        Reply {
            code,
            enhanced: Some(enhanced),
            text: Cow::Borrowed(text),
        }
    }

    /// A reply without an enhanced code: greetings, EHLO, 354 and 334. RFC 2034 §3.
    pub const fn plain(code: u16, text: &'static str) -> Self {
        Reply {
            code,
            enhanced: None,
            text: Cow::Borrowed(text),
        }
    }

    /// The same with text made at run time.
    pub fn with_text(code: u16, enhanced: Option<Enhanced>, text: String) -> Self {
        Reply {
            code,
            enhanced,
            text: Cow::Owned(text),
        }
    }

    /// Whether the peer may go on as if done: 2xx and 3xx.
    pub fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// Appends the reply's lines, CRLF-ended, to `out`. RFC 5321 §4.2.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (mut head, length) = self.head();
        let mut rest = self.text.as_bytes();
        while let Some(end) = rest.iter().position(|&octet| octet == b'\n') {
            head[SEPARATOR] = b'-';
            write_line(&head[..length], &rest[..end], out);
            rest = &rest[end + 1..];
        }
        head[SEPARATOR] = b' ';
        write_line(&head[..length], rest, out);
    }

    /// What every line begins with, and its octets: the code, the place of the separator, the enhanced code.
    fn head(&self) -> ([u8; HEAD_MAX], usize) {
        let mut head = [0; HEAD_MAX];
        let mut length = SEPARATOR + 1;
        head[0] = b'0' + (self.code / 100 % 10) as u8;
        head[1] = b'0' + (self.code / 10 % 10) as u8;
        head[2] = b'0' + (self.code % 10) as u8;
        if let Some(Enhanced(class, subject, detail)) = self.enhanced {
            head[length] = b'0' + class % 10;
            head[length + 1] = b'.';
            length += 2;
            write_number(subject, &mut head, &mut length);
            head[length] = b'.';
            length += 1;
            write_number(detail, &mut head, &mut length);
            head[length] = b' ';
            length += 1;
        }
        (head, length)
    }
}

/// Where `-` or a space stands behind the code.
const SEPARATOR: usize = 3;
/// Octets of `250 2.65535.65535 `.
const HEAD_MAX: usize = 18;

fn write_line(head: &[u8], text: &[u8], out: &mut Vec<u8>) {
    out.reserve(head.len() + text.len() + 2);
    out.extend_from_slice(head);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

/// Decimal digits, of which there is nearly always one. `write!` would do, at several times the cost, and every command
/// has a reply.
#[inline]
fn write_number(number: u16, head: &mut [u8; HEAD_MAX], length: &mut usize) {
    if number >= 10 {
        write_number(number / 10, head, length);
    }
    head[*length] = b'0' + (number % 10) as u8;
    *length += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let cases: &[(Reply, &str)] = &[
            (Reply::new(250, Enhanced(2, 1, 0), "Ok"), "250 2.1.0 Ok\r\n"),
            (
                Reply::new(538, Enhanced(5, 7, 11), "No"),
                "538 5.7.11 No\r\n",
            ),
            (
                Reply::new(550, Enhanced(5, 100, 999), "No"),
                "550 5.100.999 No\r\n",
            ),
            (
                Reply::new(550, Enhanced(5, u16::MAX, u16::MAX), "a\n\nb"),
                "550-5.65535.65535 a\r\n550-5.65535.65535 \r\n550 5.65535.65535 b\r\n",
            ),
            (Reply::plain(354, "Go on"), "354 Go on\r\n"),
            (
                Reply::plain(250, "mx\nPIPELINING\nSIZE 7"),
                "250-mx\r\n250-PIPELINING\r\n250 SIZE 7\r\n",
            ),
        ];
        for (reply, wire) in cases {
            let mut out = Vec::new();
            reply.write(&mut out);
            assert_eq!(out, wire.as_bytes());
        }
    }
}
