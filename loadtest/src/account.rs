//! Who is written to and who logs in: addresses made from patterns, one password for all.
//!
//! In:  `--to` patterns, where `%d` is a number from 1 to `--accounts`; files with passwords.
//! Out: names and a password.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

/// Accounts of one run.
const ACCOUNTS_MAX: usize = 100_000;

/// The addresses of `patterns`: those with `%d` once for each number from 1 to `count`.
pub fn expand(patterns: &[String], count: u64) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for pattern in patterns {
        if pattern
            .bytes()
            .any(|octet| octet.is_ascii_control() || matches!(octet, b' ' | b'<' | b'>'))
        {
            return Err(format!("{pattern:?} is not an address"));
        }
        match pattern.contains("%d") {
            true => {
                names.extend((1..=count).map(|number| pattern.replace("%d", &number.to_string())))
            }
            false => names.push(pattern.clone()),
        }
        if names.len() > ACCOUNTS_MAX {
            return Err(format!("more than {ACCOUNTS_MAX} accounts"));
        }
    }
    Ok(names)
}

/// The first line of a file, or of standard input.
pub fn password(file: Option<&Path>) -> io::Result<String> {
    let mut text = String::new();
    match file {
        Some(path) => text = fs::read_to_string(path)?,
        None => {
            io::stdin().take(64 * 1024).read_to_string(&mut text)?;
        }
    }
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let expand = |patterns: &[&str], count| {
            super::expand(
                &patterns.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>(),
                count,
            )
        };
        assert_eq!(expand(&["a@x"], 3).unwrap(), ["a@x"]);
        assert_eq!(
            expand(&["u%d@x", "b@x"], 2).unwrap(),
            ["u1@x", "u2@x", "b@x"]
        );
        assert!(expand(&["a b@x"], 1).is_err());
        assert!(expand(&["a@x>\r\nRCPT"], 1).is_err());
        assert!(expand(&["u%d@x"], ACCOUNTS_MAX as u64 + 1).is_err());
        assert!(expand(&["u%d@x"], ACCOUNTS_MAX as u64).is_ok());
    }

    #[test]
    fn first_line_is_the_password() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "secret word\nmore\n").unwrap();
        assert_eq!(password(Some(file.path())).unwrap(), "secret word");
    }
}
