//! Dialogues as text: what the client says and what it must hear.
//!
//! ```text
//! # a comment
//! ON submission required              the listener it is for: protocol and TLS
//! C: EHLO client.example              said, with CRLF
//! c: half a line                      said without CRLF
//! C*2500: x                           2,500 times `x`, without CRLF
//! S: 250 *                            the next line fits; `*` stands for any run of characters
//! S...: 250 *                         lines up to and with the first that fits
//! S| * FLAGS *                        the lines up to the next `S:` hold this one, in any order
//! TLS                                 a handshake
//! CLOSED                              the server has closed
//! ```
//! In what is said, `\r`, `\n`, `\0`, `\\` and `\xHH` stand for octets. `{name}` stands for a value of the test.

use crate::client::Client;

/// How a dialogue is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Line for line, each answered before the next.
    AsWritten,
    /// Everything at once, up to a handshake. RFC 2920.
    Pipelined,
    /// Each octet in a packet of its own.
    Octets,
}

impl Manner {
    /// All of them.
    pub const ALL: [Manner; 3] = [Manner::AsWritten, Manner::Pipelined, Manner::Octets];
}

/// One line of a dialogue.
enum Step {
    Say(Vec<u8>),
    /// The next line; those wanted before it, in any order.
    Hear(String, Vec<(String, String)>),
    HearUpTo(String),
    Tls,
    Closed,
}

/// The listener that `script` is for, as its `ON` line says.
pub fn listener(script: &str) -> Option<(&str, &str)> {
    let line = script.lines().find_map(|line| line.strip_prefix("ON "))?;
    line.split_once(' ')
}

/// Plays `script` on `client` as it is written; panics at the line that is not so.
pub fn play(name: &str, script: &str, client: &mut Client, values: &[(&str, &str)]) {
    play_so(Manner::AsWritten, name, script, client, values);
}

/// Plays `script` on `client`; panics at the line that is not so.
pub fn play_so(
    manner: Manner,
    name: &str,
    script: &str,
    client: &mut Client,
    values: &[(&str, &str)],
) {
    let steps = read(name, script, values);
    let steps = match manner {
        Manner::Pipelined => pipelined(steps),
        Manner::AsWritten | Manner::Octets => steps,
    };
    let mut steps = steps.into_iter();
    while let Some((at, step)) = steps.next() {
        // What stands before a handshake goes in one packet: what came later would be taken for its first octets.
        let mut more = steps.as_slice().iter();
        let next = more.find(|(_, step)| matches!(step, Step::Say(_) | Step::Tls));
        let whole = matches!(next, Some((_, Step::Tls)));
        let at = format!("{at} ({manner:?})");
        match step {
            Step::Say(octets) if manner == Manner::AsWritten => say(client, &at, &octets),
            // The server may have closed before the last of it: what it said until then is what counts.
            Step::Say(octets) => {
                let size = if manner == Manner::Octets && !whole {
                    1
                } else {
                    octets.len().max(1)
                };
                let mut pieces = octets.chunks(size);
                pieces.all(|piece| client.try_send(piece).is_ok());
            }
            Step::HearUpTo(pattern) => while !fits(&pattern, &hear(client, &at, &pattern)) {},
            Step::Hear(pattern, mut wanted) => hear_all(client, &at, &mut wanted, &pattern),
            Step::Tls => client.start_tls(),
            Step::Closed => assert!(client.is_closed(), "{at}: the server did not close"),
        }
    }
}

/// What is said between two handshakes, in front of all that is heard there; a greeting is waited for.
fn pipelined(steps: Vec<(String, Step)>) -> Vec<(String, Step)> {
    let (mut ordered, mut said, mut heard) = (Vec::new(), Vec::new(), Vec::new());
    let mut first = String::new();
    for (at, step) in steps {
        match step {
            Step::Say(octets) => {
                if said.is_empty() {
                    first = at;
                }
                said.extend(octets);
            }
            Step::Tls | Step::Closed => {
                flush(&mut ordered, &first, &mut said, &mut heard);
                ordered.push((at, step));
            }
            _ if said.is_empty() => ordered.push((at, step)),
            _ => heard.push((at, step)),
        }
    }
    flush(&mut ordered, &first, &mut said, &mut heard);
    ordered
}

fn flush(
    ordered: &mut Vec<(String, Step)>,
    at: &str,
    said: &mut Vec<u8>,
    heard: &mut Vec<(String, Step)>,
) {
    if !said.is_empty() {
        ordered.push((at.to_owned(), Step::Say(std::mem::take(said))));
    }
    ordered.append(heard);
}

/// The steps of a script, each with its place.
fn read(name: &str, script: &str, values: &[(&str, &str)]) -> Vec<(String, Step)> {
    let mut steps = Vec::new();
    let mut wanted: Vec<(String, String)> = Vec::new();
    for (number, line) in script.lines().enumerate() {
        let at = format!("{name}:{}", number + 1);
        let filled = values.iter().fold(line.to_owned(), |line, (name, value)| {
            line.replace(&format!("{{{name}}}"), value)
        });
        let line = filled.trim_end();
        if line.is_empty() || line.starts_with('#') || line.starts_with("ON ") {
            continue;
        }
        let words = line
            .split_once(": ")
            .unwrap_or((line.trim_end_matches(':'), ""));
        let step = match words {
            ("C", text) => Step::Say([&octets(text)[..], b"\r\n"].concat()),
            ("c", text) => Step::Say(octets(text)),
            ("S...", pattern) => Step::HearUpTo(pattern.to_owned()),
            ("S", pattern) => Step::Hear(pattern.to_owned(), std::mem::take(&mut wanted)),
            ("TLS", _) => Step::Tls,
            ("CLOSED", _) => Step::Closed,
            (word, text) => match (word.strip_prefix("C*"), line.strip_prefix("S| ")) {
                (Some(times), _) => {
                    let times = times
                        .parse()
                        .unwrap_or_else(|_| panic!("{at}: not a number"));
                    Step::Say(octets(text).repeat(times))
                }
                (None, Some(pattern)) => {
                    wanted.push((at, pattern.to_owned()));
                    continue;
                }
                (None, None) => panic!("{at}: not a line of a dialogue: {line}"),
            },
        };
        steps.push((at, step));
    }
    steps
}

fn say(client: &mut Client, at: &str, octets: &[u8]) {
    if let Err(error) = client.try_send(octets) {
        panic!("{at}: the server does not listen: {error}");
    }
}

fn hear(client: &mut Client, at: &str, pattern: &str) -> String {
    client
        .try_line()
        .unwrap_or_else(|error| panic!("{at}: expected {pattern:?}, but {error}"))
}

/// Lines that were wanted in any order, then one that fits `pattern`.
fn hear_all(client: &mut Client, at: &str, wanted: &mut Vec<(String, String)>, pattern: &str) {
    let unordered = !wanted.is_empty();
    loop {
        let line = hear(client, at, pattern);
        match wanted.iter().position(|(_, wanted)| fits(wanted, &line)) {
            Some(found) => drop(wanted.remove(found)),
            None if fits(pattern, &line) => break,
            None if unordered => {}
            None => panic!("{at}: expected {pattern:?}, heard {line:?}"),
        }
    }
    assert!(wanted.is_empty(), "{at}: not heard: {wanted:?}");
}

/// Whether `line` fits `pattern`, in which ` *` at the end or `*` within words stands for anything. A `*` that opens
/// the pattern is a star: untagged IMAP responses begin with one.
pub fn fits(pattern: &str, line: &str) -> bool {
    let (pattern, line) = match pattern.strip_prefix("* ") {
        Some(rest) => match line.strip_prefix("* ") {
            Some(line) => (rest, line),
            None => return false,
        },
        None => (pattern, line),
    };
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or("");
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else {
        return rest.is_empty();
    };
    for piece in middle {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Undoes the escapes of what is said.
fn octets(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        let escaped = match (octet, rest) {
            (b'\\', [b'r', after @ ..]) => Some((b'\r', after)),
            (b'\\', [b'n', after @ ..]) => Some((b'\n', after)),
            (b'\\', [b'0', after @ ..]) => Some((0, after)),
            (b'\\', [b'\\', after @ ..]) => Some((b'\\', after)),
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digit = |octet: &u8| char::from(*octet).to_digit(16).unwrap_or(0) as u8;
                Some((digit(high) << 4 | digit(low), after))
            }
            _ => None,
        };
        let (octet, after) = escaped.unwrap_or((octet, rest));
        octets.push(octet);
        rest = after;
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        const CASES: &[(&str, &str, bool)] = &[
            ("250 ok", "250 ok", true),
            ("250 ok", "250 okay", false),
            ("250 *", "250 okay", true),
            ("250-*SIZE*", "250-SIZE 100", true),
            ("* OK *", "* OK hello", true),
            ("* OK *", "a OK hello", false),
            ("a OK [*] *", "a OK [READ-WRITE] done", true),
            ("a*b*c", "a-c-b-c", true),
            ("a*b*c", "a-c-b", false),
        ];
        for (pattern, line, expected) in CASES {
            assert_eq!(fits(pattern, line), *expected, "{pattern} {line}");
        }
    }

    #[test]
    fn escapes() {
        assert_eq!(octets("a\\r\\n\\0\\\\\\xff\\q"), b"a\r\n\0\\\xff\\q");
    }
}
