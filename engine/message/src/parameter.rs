//! Content-Type and Content-Disposition: a value, then parameters. RFC 2045 §5.1, RFC 2183 §2.
//!
//! In: an unfolded value. Lenient as mail needs it: unquoted values may hold white space and any octet but `;`, a
//! parameter without `=` is passed over, a `;` may be missing where the line was folded. RFC 2231 forms are given as they are written: IMAP hands them on so.

use crate::lex::Lexer;
use std::borrow::Cow;

/// Type and subtype, and what stands behind them; `None` where there is no `type/subtype`.
pub fn media_type(value: &[u8]) -> Option<(&[u8], &[u8], Parameters<'_>)> {
    let mut lexer = Lexer(value);
    let media_type = token(&mut lexer)?;
    if !lexer.takes(b'/') {
        return None;
    }
    let subtype = token(&mut lexer)?;
    Some((media_type, subtype, Parameters(lexer)))
}

/// The first token of a value, and its parameters.
pub fn disposition(value: &[u8]) -> Option<(&[u8], Parameters<'_>)> {
    let mut lexer = Lexer(value);
    Some((token(&mut lexer)?, Parameters(lexer)))
}

/// A token with the white space around it. RFC 2045 §5.1.
fn token<'v>(lexer: &mut Lexer<'v>) -> Option<&'v [u8]> {
    lexer.space();
    let token = lexer.until(|octet| !is_token(octet));
    lexer.space();
    (!token.is_empty()).then_some(token)
}

fn is_token(octet: u8) -> bool {
    octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&octet)
}

/// Name and value of each parameter, in order.
#[derive(Clone, Debug)]
pub struct Parameters<'v>(Lexer<'v>);

impl<'v> Iterator for Parameters<'v> {
    type Item = (&'v [u8], Cow<'v, [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let lexer = &mut self.0;
        loop {
            lexer.space();
            lexer.takes(b';');
            lexer.peek()?;
            let name = token(lexer).filter(|_| lexer.takes(b'='));
            let Some(name) = name else {
                lexer.until(|octet| octet == b';');
                continue;
            };
            lexer.space();
            let value = match lexer.quoted() {
                Some(text) => text,
                None => Cow::Borrowed(unquoted(lexer)),
            };
            return Some((name, value));
        }
    }
}

/// Up to the next `;`, without a comment at the end.
fn unquoted<'v>(lexer: &mut Lexer<'v>) -> &'v [u8] {
    let run = lexer.until(|octet| octet == b';');
    let comment = run
        .windows(2)
        .position(|pair| matches!(pair, b" (" | b"\t("));
    run[..comment.unwrap_or(run.len())].trim_ascii_end()
}

/// The boundary among `parameters`: the plain one, or the RFC 2231 pieces `boundary*0`, `boundary*1` … joined. `None`
/// where there is none, or it is empty, or longer than a line may be.
pub(crate) fn boundary(parameters: Parameters<'_>) -> Option<Vec<u8>> {
    let mut pieces = Vec::new();
    for (name, value) in parameters {
        if name.eq_ignore_ascii_case(b"boundary") {
            pieces = value.into_owned();
            break;
        }
        if name.len() > 9 && name[..9].eq_ignore_ascii_case(b"boundary*") {
            pieces.extend_from_slice(&value);
        }
    }
    // RFC 2046 §5.1.1 allows 70 octets, and none of them may be white space at the end.
    pieces.truncate(pieces.trim_ascii_end().len());
    (!pieces.is_empty() && pieces.len() <= 990).then_some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types() {
        // (value, type/subtype;name=value…)
        let cases: &[(&str, Option<&str>)] = &[
            ("text/plain", Some("text/plain")),
            (" text / plain ; a=b", Some("text/plain;a=b")),
            (
                "text/plain; charset=us-ascii (Plain text)",
                Some("text/plain;charset=us-ascii"),
            ),
            (
                "text/plain (a (b) c); charset=\"us-ascii\"",
                Some("text/plain;charset=us-ascii"),
            ),
            ("a/b; name=\"x;y\\\"z\"; c=d", Some("a/b;name=x;y\"z;c=d")),
            ("a/b; name=\"open", Some("a/b;name=open")),
            ("a/b; name=\"open\\", Some("a/b;name=open")),
            ("a/b; name=My File.pdf ; c", Some("a/b;name=My File.pdf")),
            ("a/b;;; x=;y=1", Some("a/b;x=;y=1")),
            ("a/b junk; x=1", Some("a/b;x=1")),
            ("a/b x=1", Some("a/b;x=1")),
            ("a/b; x=\"1\" y=\"2\"z; w", Some("a/b;x=1;y=2")),
            ("a/b; @; x=1", Some("a/b;x=1")),
            (
                "a/b; name*0*=u'';name*1=b",
                Some("a/b;name*0*=u'';name*1=b"),
            ),
            ("text", None),
            ("/plain", None),
            ("", None),
            ("((((", None),
        ];
        for (value, expected) in cases {
            let got = media_type(value.as_bytes()).map(|(media_type, subtype, parameters)| {
                let mut text = [media_type, subtype].join(&b'/');
                for (name, value) in parameters {
                    text.extend([b";", name, b"=", &value].concat());
                }
                String::from_utf8(text).expect("the cases are UTF-8")
            });
            assert_eq!(got.as_deref(), *expected, "{value:?}");
        }
    }

    #[test]
    fn boundaries() {
        let cases: &[(&str, Option<&str>)] = &[
            ("a/b; boundary=x", Some("x")),
            ("a/b; Boundary=\"x y \"", Some("x y")),
            ("a/b; boundary*0=x; boundary*1=y", Some("xy")),
            ("a/b; boundary=\"\"", None),
            ("a/b", None),
        ];
        for (value, expected) in cases {
            let (_, _, parameters) = media_type(value.as_bytes()).expect("the cases have a type");
            let got = boundary(parameters);
            assert_eq!(got.as_deref(), expected.map(str::as_bytes), "{value:?}");
        }
    }
}
