//! A password from the operator: the first line of standard input, or typed twice with echo off.
//!
//! Invariants: it is never an argument, where every user of the machine could read it, and never printed. Echo comes back
//! whatever is typed: while it is off, Ctrl-C is a character that ends the line, and no signal that ends us.

use super::exit::Failure;
use ringpost_directory::secret::PASSWORD_OCTETS_MAX;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Read, Write};

/// Characters of a password at least: NIST SP 800-63B §3.1.1.2 takes none that is shorter. Rules for what is in it are no help.
const CHARACTERS_MIN: usize = 8;
/// What Ctrl-C types.
const GIVEN_UP: u8 = 3;

/// The password for `name`.
pub fn read(name: &str, from_stdin: bool) -> Result<Vec<u8>, Failure> {
    if from_stdin {
        let unreadable = |error| Failure::not_well(format!("standard input: {error}"));
        return checked(name, line(io::stdin().lock()).map_err(unreadable)?);
    }
    let Ok(terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else {
        return Err(Failure::usage(
            "there is no terminal to ask for the password; give it on standard input with --password-stdin",
        ));
    };
    let unreadable = |error| Failure::not_well(format!("the terminal: {error}"));
    let first = ask(&terminal, &format!("Password for {name}: ")).map_err(unreadable)?;
    let again = ask(&terminal, "Once more: ").map_err(unreadable)?;
    match first == again {
        true => checked(name, first),
        false => Err(Failure::not_well("the two passwords differ")),
    }
}

/// The first line without its end; what is longer than any password is cut there and refused later.
fn line(input: impl BufRead) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    let bound = PASSWORD_OCTETS_MAX as u64 + 3;
    input.take(bound).read_until(b'\n', &mut octets)?;
    Ok(without_end(octets))
}

fn without_end(mut line: Vec<u8>) -> Vec<u8> {
    while line.pop_if(|last| matches!(last, b'\n' | b'\r')).is_some() {}
    line
}

/// The password of `name`, if it can be one.
fn checked(name: &str, password: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let no = |what: String| Err(Failure::not_well(what));
    let characters = std::str::from_utf8(&password).map(|text| text.chars().count());
    let local = name.split('@').next().unwrap_or_default();
    let is_name = [name, local].map(|name| password.eq_ignore_ascii_case(name.as_bytes()));
    match password.len() {
        0 => no("the password is empty".to_owned()),
        length if length > PASSWORD_OCTETS_MAX => {
            no(format!("the password is over {PASSWORD_OCTETS_MAX} octets"))
        }
        length if characters.unwrap_or(length) < CHARACTERS_MIN => no(format!(
            "the password has fewer than {CHARACTERS_MIN} characters"
        )),
        _ if is_name.contains(&true) => no("the password is the account's name".to_owned()),
        _ => Ok(password),
    }
}

/// Asks on the terminal with echo off, and puts echo back whatever comes.
fn ask(mut terminal: &File, prompt: &str) -> io::Result<Vec<u8>> {
    terminal.write_all(prompt.as_bytes())?;
    let before = tcgetattr(terminal)?;
    let mut silent = before.clone();
    silent
        .local_modes
        .remove(LocalModes::ECHO | LocalModes::ISIG);
    silent.special_codes[SpecialCodeIndex::VEOL] = GIVEN_UP;
    tcsetattr(terminal, OptionalActions::Flush, &silent)?;
    let typed = typed(terminal);
    tcsetattr(terminal, OptionalActions::Flush, &before)?;
    terminal.write_all(b"\n")?;
    typed
}

/// One line from a terminal, which hands over whole ones.
fn typed(terminal: impl Read) -> io::Result<Vec<u8>> {
    let (mut octets, mut terminal) = (Vec::new(), terminal.take(PASSWORD_OCTETS_MAX as u64 + 3));
    let mut piece = [0; 256];
    loop {
        let read = terminal.read(&mut piece)?;
        octets.extend_from_slice(&piece[..read]);
        match octets.last() {
            Some(&GIVEN_UP) => return Err(io::ErrorKind::Interrupted.into()),
            Some(b'\n') => return Ok(without_end(octets)),
            _ if read == 0 => return Ok(without_end(octets)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_line_without_its_end() {
        let cases: &[(&[u8], &[u8])] = &[
            (b"open\n", b"open"),
            (b"open\r\n", b"open"),
            (b"open", b"open"),
            (b"two words \nsecond line\n", b"two words "),
            (b"\n", b""),
        ];
        for (input, expected) in cases {
            assert_eq!(&line(*input).expect("a slice reads"), expected);
        }
    }

    #[test]
    fn what_can_be_a_password() {
        let long = "a".repeat(PASSWORD_OCTETS_MAX);
        let longer = "a".repeat(PASSWORD_OCTETS_MAX + 1);
        let cases: &[(&str, Option<&str>)] = &[
            ("", Some("empty")),
            ("1234567", Some("fewer than 8")),
            ("p\u{e4}ssw\u{f6}r", Some("fewer than 8")),
            ("12345678", None),
            ("p\u{e4}ssw\u{f6}rt", None),
            (&long, None),
            (&longer, Some("over 1024")),
            ("alice.smith@example.org", Some("the account's name")),
            ("Alice.Smith", Some("the account's name")),
            ("alice.smith.", None),
        ];
        for (password, expected) in cases {
            let got = checked("alice.smith@example.org", password.as_bytes().to_vec());
            match expected {
                None => assert!(got.is_ok(), "{password}"),
                Some(why) => {
                    let told = got.expect_err(password).text;
                    assert!(told.contains(why), "{password}: {told}");
                }
            }
        }
        let octets = checked("a@example.org", vec![0xff; CHARACTERS_MIN]);
        assert!(octets.is_ok(), "what is no text is counted in octets");
    }

    #[test]
    fn what_is_typed() {
        let cases: &[(&[u8], Option<&[u8]>)] = &[
            (b"open sesame\n", Some(b"open sesame")),
            (b"open", Some(b"open")),
            (b"", Some(b"")),
            (b"open\x03", None),
        ];
        for (input, expected) in cases {
            assert_eq!(typed(*input).ok().as_deref(), *expected);
        }
    }
}
