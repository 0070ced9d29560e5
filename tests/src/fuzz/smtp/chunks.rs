//! BDAT: a mail cut into chunks, and the session cut anywhere, brings the mail as it was or refuses it for a reason that
//! the plain reading of the mail gives too.

use super::session::{Heard, Setting, hear};
use crate::fuzz::{Target, cuts};
use crate::random::Random;

/// The largest mail here.
pub(super) const MESSAGE_OCTETS_MAX: u64 = 10_000;

/// Chunks of a mail: fewer than a session here bears of small ones.
const CHUNKS_MAX: usize = 40;

pub const BDAT: Target = Target {
    name: "smtp-bdat",
    seeds: || {
        [
            &b"Subject: x\r\n\r\nbody\r\n"[..],
            b"A: b\r\n\r\n.\r\n\r\n.\r\nMAIL FROM:<a@b>\r\n",
            b"A: b\r\n\r\n\n.\n\r.\r\0",
            b"A: b\r\n\r\n\0.\r\n.\0\r\n",
            b"A: b\nC: d\r\n\r\n",
            b"",
        ]
        .map(<[u8]>::to_vec)
        .into()
    },
    words: &[
        b"\r\n",
        b"\r\n.\r\n",
        b"\n",
        b"\r",
        b"\0",
        b"\0.\r\n",
        b"BDAT 3 LAST\r\n",
        b"QUIT\r\n",
        b"\r\n\r\n",
    ],
    check: check_chunks,
};

fn check_chunks(mail: &[u8], random: &mut Random) {
    let setting = *random.pick(&Setting::ALL);
    let binary = random.below(2) == 0;
    let hello = if setting.is_lmtp() { "LHLO" } else { "EHLO" };
    let body = if binary { " BODY=BINARYMIME" } else { "" };
    let mut wire = format!("{hello} a\r\n");
    if setting.has_login() {
        wire += "AUTH PLAIN AGEAYg==\r\n";
    }
    wire += &format!("MAIL FROM:<a@b.example>{body}\r\nRCPT TO:<b@c.example>\r\n");
    let mut wire = wire.into_bytes();
    let mut ends = cuts(mail.len(), random);
    // Small chunks are counted, and the session ends with one too many of them.
    ends.drain(..ends.len().saturating_sub(CHUNKS_MAX));
    let mut from = 0;
    let empty_last = random.below(2) == 0;
    for (number, &end) in ends.iter().enumerate() {
        let last = number + 1 == ends.len() && !empty_last;
        let word = if last { " LAST" } else { "" };
        wire.extend_from_slice(format!("BDAT {}{word}\r\n", end - from).as_bytes());
        wire.extend_from_slice(&mail[from..end]);
        from = end;
    }
    if empty_last {
        wire.extend_from_slice(b"BDAT 0 LAST\r\n");
    }
    wire.extend_from_slice(b"NOOP\r\nQUIT\r\n");

    let heard = hear(&wire, &cuts(wire.len(), random), setting);
    let too_large = mail.len() as u64 > MESSAGE_OCTETS_MAX;
    let broken = is_broken(mail, binary);
    let expected: &[&[u8]] = if too_large || broken { &[] } else { &[mail] };
    assert_eq!(heard.delivered, expected, "{}", heard.replies);
    // Of a mail with both faults the one is told that its chunks showed first.
    let told = |code: &str| heard.replies.contains(code);
    assert!(!told("552 5.3.4") || too_large, "{}", heard.replies);
    assert!(!told("550 5.6.11") || broken, "{}", heard.replies);
    let refused = told("552 5.3.4") || told("550 5.6.11");
    assert_eq!(refused, too_large || broken, "{}", heard.replies);
    assert!(
        heard.replies.ends_with("250 2.0.0 Ok\n221 2.0.0 Bye\n"),
        "{}",
        heard.replies
    );
    let Heard {
        commands, answers, ..
    } = heard;
    assert_eq!(commands, answers);
}

/// What a mail must not have, read plainly: line ends that are not CRLF, and lines of NULs and dots; of a binary mail
/// only its header is looked at, and only for line ends.
pub(super) fn is_broken(mail: &[u8], binary: bool) -> bool {
    let looked_at = match binary {
        true => &mail[..header_end(mail)],
        false => mail,
    };
    let text: String = looked_at.iter().map(|&octet| char::from(octet)).collect();
    let without = text.replace("\r\n", "\u{100}");
    let nuls = |line: &str| line.contains('\0') && line.trim_matches(['\0', '.']).is_empty();
    without.contains(['\r', '\n']) || !binary && without.split('\u{100}').any(nuls)
}

/// Behind the first empty line; all of it where there is none.
fn header_end(mail: &[u8]) -> usize {
    let mut from = 0;
    while let Some(at) = mail[from..].windows(2).position(|two| two == b"\r\n") {
        if at == 0 {
            return from + 2;
        }
        from += at + 2;
    }
    mail.len()
}
