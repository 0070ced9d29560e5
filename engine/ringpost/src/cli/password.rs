//! A password from the operator: the first line of standard input, or typed twice with echo off.
//!
//! Invariant: it is never an argument, where every user of the machine could read it, and never printed.

use super::exit::Failure;
use ringpost_directory::secret::PASSWORD_OCTETS_MAX;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};

/// The password for `name`.
pub fn read(name: &str, from_stdin: bool) -> Result<Vec<u8>, Failure> {
    if from_stdin {
        let unreadable = |error| Failure::not_well(format!("standard input: {error}"));
        return checked(line(io::stdin().lock()).map_err(unreadable)?);
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
        true => checked(first),
        false => Err(Failure::not_well("the two passwords differ")),
    }
}

/// The first line without its end; what is longer than any password is cut there and refused later.
fn line(input: impl BufRead) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    let bound = PASSWORD_OCTETS_MAX as u64 + 3;
    input.take(bound).read_until(b'\n', &mut octets)?;
    while octets
        .pop_if(|last| matches!(last, b'\n' | b'\r'))
        .is_some()
    {}
    Ok(octets)
}

fn checked(password: Vec<u8>) -> Result<Vec<u8>, Failure> {
    match password.len() {
        0 => Err(Failure::not_well("the password is empty")),
        length if length > PASSWORD_OCTETS_MAX => Err(Failure::not_well(format!(
            "the password is over {PASSWORD_OCTETS_MAX} octets"
        ))),
        _ => Ok(password),
    }
}

/// Asks on the terminal with echo off, and puts echo back whatever comes.
fn ask(mut terminal: &File, prompt: &str) -> io::Result<Vec<u8>> {
    terminal.write_all(prompt.as_bytes())?;
    let before = tcgetattr(terminal)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(terminal, OptionalActions::Flush, &silent)?;
    let typed = line(BufReader::new(terminal));
    tcsetattr(terminal, OptionalActions::Flush, &before)?;
    terminal.write_all(b"\n")?;
    typed
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
        assert!(checked(vec![b'a'; PASSWORD_OCTETS_MAX]).is_ok());
        assert!(checked(vec![b'a'; PASSWORD_OCTETS_MAX + 1]).is_err());
        assert!(checked(Vec::new()).is_err());
    }
}
