//! Whether a client's first TLS message asks for the extended master secret. RFC 7627 §5.1.
//!
//! In:  octets of the wire from the first one on, in pieces of any size. Out: yes, no, or not known yet.
//!
//! rustls uses the extension where the client asks for it, but does not tell. In TLS 1.2 without it two connections
//! can be brought to one master secret, so `tls-exporter` binds nothing: RFC 9266 §4.2 forbids it there.
//!
//! Invariant: at most [`OCTETS_MAX`] are kept; what is longer or cannot be read is a "no".

/// Octets of a ClientHello that are looked through: with post-quantum keys it has about 2,000.
const OCTETS_MAX: usize = 16 * 1024;
/// Octets of a record's header: type, version, length. RFC 5246 §6.2.1.
const RECORD_HEADER: usize = 5;
/// The extension's number.
const EXTENDED_MASTER_SECRET: u16 = 23;

/// The hello as far as it has come.
#[derive(Debug, Default)]
pub struct Hello {
    wire: Vec<u8>,
    answer: Option<bool>,
}

impl Hello {
    /// Takes what came next.
    pub fn take(&mut self, wire: &[u8]) {
        if self.answer.is_some() {
            return;
        }
        // The whole hello in one read, as nearly always: nothing is copied.
        self.answer = if self.wire.is_empty() {
            asks(wire)
        } else {
            self.wire.extend_from_slice(wire);
            asks(&self.wire)
        };
        if self.answer.is_some() {
            self.wire = Vec::new();
        } else if self.wire.is_empty() {
            self.wire.extend_from_slice(wire);
        }
    }

    /// Whether the client asked for it.
    pub fn extended_master_secret(&self) -> bool {
        self.answer == Some(true)
    }
}

/// What the records so far say; none while the hello is not whole.
fn asks(wire: &[u8]) -> Option<bool> {
    let mut message = Vec::new();
    let mut rest = wire;
    while rest.len() >= RECORD_HEADER {
        let length = usize::from(u16::from_be_bytes([rest[3], rest[4]]));
        // Record type 22 is handshake.
        if rest[0] != 22 || message.len() + length > OCTETS_MAX {
            return Some(false);
        }
        let fragment = &rest[RECORD_HEADER..];
        if fragment.len() < length {
            break;
        }
        message.extend_from_slice(&fragment[..length]);
        rest = &fragment[length..];
        if let Some(answer) = in_message(&message) {
            return Some(answer);
        }
    }
    (wire.len() > OCTETS_MAX).then_some(false)
}

/// As [`asks`], of the handshake message itself. RFC 5246 §7.4.1.2.
fn in_message(message: &[u8]) -> Option<bool> {
    let header: [u8; 4] = message.get(..4)?.try_into().ok()?;
    let length = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
    if header[0] != 1 || length > OCTETS_MAX {
        return Some(false);
    }
    let hello = message.get(4..4 + length)?;
    Some(in_hello(hello).is_some())
}

/// `Some` when the extension is there.
fn in_hello(hello: &[u8]) -> Option<()> {
    // Version and random; then session id, cipher suites and compression methods, each behind its length.
    let mut rest = hello.get(34..)?;
    for octets_of_length in [1, 2, 1] {
        rest = split(rest, octets_of_length)?.1;
    }
    let (mut extensions, _) = split(rest, 2)?;
    while let Some(number) = extensions.get(..2) {
        if u16::from_be_bytes([number[0], number[1]]) == EXTENDED_MASTER_SECRET {
            return Some(());
        }
        extensions = split(&extensions[2..], 2)?.1;
    }
    None
}

/// A field behind its length, and what follows it.
fn split(octets: &[u8], octets_of_length: usize) -> Option<(&[u8], &[u8])> {
    let length = octets.get(..octets_of_length)?;
    let length = length
        .iter()
        .fold(0, |sum, octet| sum << 8 | usize::from(*octet));
    octets[octets_of_length..].split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(extensions: &[(u16, &[u8])]) -> Vec<u8> {
        let mut list = Vec::new();
        for (number, body) in extensions {
            list.extend(number.to_be_bytes());
            list.extend((body.len() as u16).to_be_bytes());
            list.extend_from_slice(body);
        }
        let mut hello = vec![3, 3];
        hello.extend([7; 32]);
        hello.extend([2, 9, 9]);
        hello.extend([0, 2, 0xc0, 0x2b]);
        hello.extend([1, 0]);
        hello.extend((list.len() as u16).to_be_bytes());
        hello.extend(list);
        let mut message = vec![1, 0];
        message.extend((hello.len() as u16).to_be_bytes());
        message.extend(hello);
        message
    }

    fn records(message: &[u8], octets: usize) -> Vec<u8> {
        let mut wire = Vec::new();
        for fragment in message.chunks(octets) {
            wire.extend([22, 3, 1]);
            wire.extend((fragment.len() as u16).to_be_bytes());
            wire.extend_from_slice(fragment);
        }
        wire
    }

    fn asked(pieces: &[&[u8]]) -> bool {
        let mut hello = Hello::default();
        pieces.iter().for_each(|piece| hello.take(piece));
        hello.extended_master_secret()
    }

    /// Cut into records and reads at every place.
    #[test]
    fn seen_wherever_it_is_cut() {
        type Extensions = [(u16, &'static [u8])];
        let cases: [(&Extensions, bool); 4] = [
            (&[(0, b"name"), (23, b""), (10, b"ab")], true),
            (&[(23, b"")], true),
            (&[(0, b"\x00\x17\x00\x00"), (10, b"ab")], false),
            (&[], false),
        ];
        for (extensions, expected) in cases {
            let message = hello(extensions);
            for octets in [1, 7, 40, 1000] {
                let wire = records(&message, octets);
                assert_eq!(asked(&[&wire]), expected, "{extensions:?}");
                for cut in 0..wire.len() {
                    let pieces = [&wire[..cut], &wire[cut..]];
                    assert_eq!(asked(&pieces), expected, "{extensions:?} at {cut}");
                    assert!(!asked(&pieces[..1]), "half a hello says nothing");
                }
            }
        }
    }

    #[test]
    fn what_is_no_hello_is_a_no() {
        let mut answered = Hello::default();
        answered.take(b"EHLO example.org\r\n");
        assert_eq!(answered.answer, Some(false));
        let long = hello(&[(0, &[0; OCTETS_MAX]), (23, b"")]);
        assert!(!asked(&[&records(&long, 16_000)]));
        let fits = hello(&[(0, &vec![0; OCTETS_MAX - 100]), (23, b"")]);
        assert!(asked(&[&records(&fits, 16_000)]));
    }
}
