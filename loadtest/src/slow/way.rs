//! Where a session is slow: what it says at once, and what it then says octet by octet.
//!
//! | way      | at once, one line a turn      | octet by octet            | what bounds it at the server        |
//! |----------|-------------------------------|---------------------------|-------------------------------------|
//! | greeting | nothing                       | its first command         | `smtp_initial_ms`, `smtp_command_ms` |
//! | command  | EHLO                          | a MAIL that never ends    | `smtp_command_ms`                   |
//! | data     | EHLO, MAIL, RCPT, DATA        | lines of a mail           | `smtp_data_block_ms`                |
//! | tls      | EHLO, STARTTLS                | a ClientHello             | `tls_handshake_ms`                  |
//! | imap     | nothing                       | a LOGIN that never ends   | `imap_preauth_ms`                   |
//!
//! Replies are not read for what they say: a slow client that is refused goes on all the same.

/// A way to be slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    Greeting,
    Command,
    Data,
    Tls,
    Imap,
}

/// What a session says in one turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words<'w> {
    /// A line of its opening, with CRLF.
    Line(&'w str),
    /// A line of its opening that names a mailbox.
    Named(&'static str, &'w str),
    Octet(u8),
}

/// Who a mail that never ends is from and for.
#[derive(Clone, Debug)]
pub struct Envelope {
    pub reverse_path: String,
    pub recipient: String,
}

impl Way {
    /// All, in order.
    pub const ALL: [Way; 5] = [Way::Greeting, Way::Command, Way::Data, Way::Tls, Way::Imap];

    /// What a session says in its `turn`-th turn, from 0.
    pub fn words(self, turn: u64, envelope: &Envelope) -> Words<'_> {
        const EHLO: &str = "EHLO slow.invalid\r\n";
        let opening = match (self, turn) {
            (Way::Command | Way::Data | Way::Tls, 0) => Some(Words::Line(EHLO)),
            (Way::Data, 1) => Some(Words::Named("MAIL FROM", &envelope.reverse_path)),
            (Way::Data, 2) => Some(Words::Named("RCPT TO", &envelope.recipient)),
            (Way::Data, 3) => Some(Words::Line("DATA\r\n")),
            (Way::Tls, 1) => Some(Words::Line("STARTTLS\r\n")),
            _ => None,
        };
        let said = match self {
            Way::Greeting | Way::Imap => 0,
            Way::Command => 1,
            Way::Tls => 2,
            Way::Data => 4,
        };
        opening.unwrap_or_else(|| Words::Octet(self.octet((turn - said) as usize)))
    }

    /// The `at`-th octet of what never ends.
    fn octet(self, at: usize) -> u8 {
        let (head, tail): (&[u8], &[u8]) = match self {
            Way::Greeting => (b"EHLO ", b"a"),
            Way::Command => (b"MAIL FROM:<", b"a"),
            Way::Data => (b"Subject: slow\r\n\r\n", b"trickle\r\n"),
            // A record of 512 octets with a ClientHello of 508. RFC 8446 §4, §5.1.
            Way::Tls => (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00"),
            Way::Imap => (b"a LOGIN ", b"a"),
        };
        let behind = || tail[(at - head.len()) % tail.len()];
        head.get(at).copied().unwrap_or_else(behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(way: Way, turns: u64) -> String {
        let envelope = Envelope {
            reverse_path: "a@x".into(),
            recipient: "b@x".into(),
        };
        let words = |turn| match way.words(turn, &envelope) {
            Words::Line(line) => line.to_owned(),
            Words::Named(verb, name) => format!("{verb}:<{name}>\r\n"),
            Words::Octet(octet) => char::from(octet).to_string(),
        };
        (0..turns).map(words).collect()
    }

    #[test]
    fn openings_and_what_never_ends() {
        const CASES: &[(Way, u64, &str)] = &[
            (Way::Greeting, 8, "EHLO aaa"),
            (Way::Command, 14, "EHLO slow.invalid\r\nMAIL FROM:<aa"),
            (
                Way::Data,
                4 + 17 + 10,
                "EHLO slow.invalid\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\nSubject: slow\r\n\r\ntrickle\r\nt",
            ),
            (Way::Tls, 4, "EHLO slow.invalid\r\nSTARTTLS\r\n\x16\x03"),
            (Way::Imap, 10, "a LOGIN aa"),
        ];
        for (way, turns, expected) in CASES {
            assert_eq!(said(*way, *turns), *expected, "{way:?}");
        }
    }
}
