//! Reverse-path and forward-path, cut out of a command in place. RFC 5321 §4.1.2.
//!
//! In:  what follows `FROM:` or `TO:`.
//! Out: the path, and what follows it. What stands in the brackets is checked by `Address::parse` where it is used.
//!
//! A source route is accepted and ignored. RFC 5321 §3.3, appendix C.

/// What stands between the angle brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path<'c> {
    /// `<>`.
    Null,
    /// `<local-part@domain>`, source route gone, not yet checked.
    Mailbox(&'c str),
    /// `<postmaster>` without a domain, in any case. RFC 5321 §4.1.1.3.
    Postmaster,
}

/// Not `<`, a path, `>`, and then a space or the end; or not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPath;

/// `Path = "<" [ A-d-l ":" ] Mailbox ">"`, `Reverse-path = Path / "<>"`. RFC 5321 §4.1.2.
///
/// Spaces between the colon and the path are let through: RFC 5321 §3.3 forbids them to senders, and too many send them.
pub fn parse(text: &[u8]) -> Result<(Path<'_>, &[u8]), BadPath> {
    let text = text.trim_ascii_start();
    let inside = text.strip_prefix(b"<").ok_or(BadPath)?;
    let end = closing(inside).ok_or(BadPath)?;
    let rest = match &inside[end + 1..] {
        [] => &[][..],
        [b' ', rest @ ..] => rest,
        _ => return Err(BadPath),
    };
    let inside = std::str::from_utf8(&inside[..end]).map_err(|_| BadPath)?;
    let path = match unroute(inside)? {
        "" if inside.is_empty() => Path::Null,
        "" => return Err(BadPath),
        mailbox if mailbox.eq_ignore_ascii_case("postmaster") => Path::Postmaster,
        mailbox => Path::Mailbox(mailbox),
    };
    Ok((path, rest))
}

/// Where the `>` stands that no quoted string holds. RFC 5321 §4.1.2, Quoted-string. Where no quote comes before the first
/// one, as nearly always, that is it; else octet after octet tells.
fn closing(text: &[u8]) -> Option<usize> {
    let first = memchr::memchr(b'>', text)?;
    if memchr::memchr(b'"', &text[..first]).is_none() {
        return Some(first);
    }
    let mut quoted = false;
    let mut pair = false;
    for (at, &octet) in text.iter().enumerate() {
        match octet {
            _ if pair => pair = false,
            b'\\' if quoted => pair = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// `A-d-l = At-domain *( "," At-domain )`, `At-domain = "@" Domain`. RFC 5321 §4.1.2.
fn unroute(inside: &str) -> Result<&str, BadPath> {
    if !inside.starts_with('@') {
        return Ok(inside);
    }
    let (route, mailbox) = inside.split_once(':').ok_or(BadPath)?;
    let domains = |hop: &str| {
        hop.strip_prefix('@')
            .is_some_and(|domain| !domain.is_empty())
    };
    if route.split(',').all(domains) {
        Ok(mailbox)
    } else {
        Err(BadPath)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Expected = Result<(Path<'static>, &'static str), BadPath>;

    const CASES: &[(&str, Expected)] = &[
        ("<>", Ok((Path::Null, ""))),
        ("<a@b>", Ok((Path::Mailbox("a@b"), ""))),
        (" <a@b>", Ok((Path::Mailbox("a@b"), ""))),
        ("<a@b> SIZE=1", Ok((Path::Mailbox("a@b"), "SIZE=1"))),
        ("<\"a>b\"@c>", Ok((Path::Mailbox("\"a>b\"@c"), ""))),
        ("<\"a\\\">b\"@c>", Ok((Path::Mailbox("\"a\\\">b\"@c"), ""))),
        ("<@x,@y:a@b>", Ok((Path::Mailbox("a@b"), ""))),
        ("<a@[IPv6:::1]>", Ok((Path::Mailbox("a@[IPv6:::1]"), ""))),
        ("<PostMaster>", Ok((Path::Postmaster, ""))),
        ("<dörte@b>", Ok((Path::Mailbox("dörte@b"), ""))),
        ("a@b", Err(BadPath)),
        ("<a@b", Err(BadPath)),
        ("<\"a@b>", Err(BadPath)),
        ("<a@b>x", Err(BadPath)),
        ("<@x:>", Err(BadPath)),
        ("<@x,y:a@b>", Err(BadPath)),
        ("<@x>", Err(BadPath)),
        ("", Err(BadPath)),
    ];

    #[test]
    fn cases() {
        for (text, expected) in CASES {
            let got = parse(text.as_bytes());
            assert_eq!(
                got,
                expected.map(|(path, rest)| (path, rest.as_bytes())),
                "{text:?}"
            );
        }
        assert_eq!(parse(b"<\xff@b>"), Err(BadPath));
    }
}
