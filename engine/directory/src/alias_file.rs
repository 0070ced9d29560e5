//! `/etc/aliases`: a table of another mail server, read for import. aliases(5).
//!
//! ```text
//! # comment
//! postmaster: root, alice@example.org
//! root:       alice,
//!             "bob smith"@example.org       a line that begins with white space goes on
//! "j. doe":   \jdoe                         the account itself, whatever alias has its name
//! ```
//!
//! In:  the file's text. Out: [`Entry`] lines in their order, and every [`Fault`] with its line.
//!
//! What would run a program, read a file or write one is refused: `|command`, `:include:`, `/file`. So is a name that
//! is there twice: which one was meant is for the operator to say.

use std::collections::HashMap;
use std::fmt;

/// One alias of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The line it begins on, from 1.
    pub line: usize,
    /// Its name, unquoted; with a domain or without.
    pub name: String,
    /// Where it leads, at least one.
    pub targets: Vec<Target>,
}

/// Where an alias of the file leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A name or an address.
    Name(String),
    /// `\name`: an account.
    Account(String),
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From 1.
    pub line: usize,
    /// What, and what to do.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.what)
    }
}

/// Reads the file.
pub fn parse(text: &str) -> Result<Vec<Entry>, Vec<Fault>> {
    let (mut entries, mut faults) = (Vec::new(), Vec::new());
    let mut lines: HashMap<String, usize> = HashMap::new();
    for (line, text) in logical_lines(text) {
        match entry(line, &text) {
            Ok(entry) => match lines.insert(entry.name.to_lowercase(), line) {
                None => entries.push(entry),
                Some(before) => faults.push(Fault {
                    line,
                    what: format!("{} is here already, in line {before}", entry.name),
                }),
            },
            Err(what) => faults.push(Fault { line, what }),
        }
    }
    match faults.is_empty() {
        true => Ok(entries),
        false => Err(faults),
    }
}

/// Lines with those that go on put together, without comments and empty ones; each with the line it begins on.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let goes_on = line.starts_with([' ', '\t']);
        match lines.last_mut() {
            Some((_, before)) if goes_on => {
                before.push(' ');
                before.push_str(trimmed);
            }
            _ => lines.push((at + 1, trimmed.to_owned())),
        }
    }
    lines
}

fn entry(line: usize, text: &str) -> Result<Entry, String> {
    let parts = cut(text, ':', 2)?;
    let [name, targets] = &parts[..] else {
        return Err("expected NAME: TARGET, TARGET ...".to_owned());
    };
    let name = plain(name)?;
    if name.is_empty() {
        return Err("an alias without a name".to_owned());
    }
    // Taken by itself it would be the name of one mailbox.
    if name == "*" || name == "@" || name.starts_with("*@") {
        return Err(format!("{name}: a catch-all is written @DOMAIN"));
    }
    let mut leads = Vec::new();
    for item in cut(targets, ',', usize::MAX)? {
        // A comma at the end is common where a line goes on.
        if !item.is_empty() {
            leads.push(target(item)?);
        }
    }
    match leads.is_empty() {
        true => Err(format!("{name} leads nowhere")),
        false => Ok(Entry {
            line,
            name,
            targets: leads,
        }),
    }
}

fn target(item: &str) -> Result<Target, String> {
    let text = plain(item)?;
    // Programs and files are often quoted for their spaces.
    let why = match text.as_bytes() {
        [b'|', ..] => "programs are not run from an alias",
        [b'/', ..] => "mail is not written to files; make an account",
        [b':', ..] if starts_with_word(&text, ":include:") => {
            "other files are not read; name the addresses themselves"
        }
        [b':', ..] => "words of other servers are not known",
        [] => "an empty target",
        _ => {
            return Ok(match text.strip_prefix('\\') {
                Some(name) => Target::Account(name.to_owned()),
                None => Target::Name(text),
            });
        }
    };
    Err(format!("{text}: {why}"))
}

fn starts_with_word(text: &str, word: &str) -> bool {
    let head = text.get(..word.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(word))
}

/// `text` cut at `separator` outside quotes, into `most` parts, without white space around them.
fn cut(text: &str, separator: char, most: usize) -> Result<Vec<&str>, String> {
    let (mut parts, mut from, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if c == separator && !quoted && parts.len() + 1 < most => {
                parts.push(text[from..at].trim());
                from = at + c.len_utf8();
            }
            _ => {}
        }
    }
    if quoted {
        return Err("a quote is left open".to_owned());
    }
    parts.push(text[from..].trim());
    Ok(parts)
}

/// A word that is quoted as a whole without its quotes; an address with a quoted local part stays as it is.
fn plain(text: &str) -> Result<String, String> {
    let Some(inside) = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    else {
        return Ok(text.to_owned());
    };
    // "a b" as a name is the local part "a b", with its quotes; a plain word loses them.
    let mut word = String::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.extend(chars.next()),
            '"' => return Err("quotes within a word".to_owned()),
            c => word.push(c),
        }
    }
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Target {
        Target::Name(text.to_owned())
    }

    #[test]
    fn the_manual_page() {
        let text = "# comment\n\n   # indented\npostmaster: root, alice@example.org\n\
            root:\talice,\n\t bob@example.org\n# between\n  ,carol\n\
            \"j. doe\": \\jdoe , \"bob smith\"@example.org,\n\"quoted\":x\nsys@example.net : y\n";
        let entries = parse(text).expect("a good file");
        let expected = [
            (
                4,
                "postmaster",
                vec![name("root"), name("alice@example.org")],
            ),
            (
                5,
                "root",
                vec![name("alice"), name("bob@example.org"), name("carol")],
            ),
            (
                9,
                "j. doe",
                vec![
                    Target::Account("jdoe".to_owned()),
                    name("\"bob smith\"@example.org"),
                ],
            ),
            (10, "quoted", vec![name("x")]),
            (11, "sys@example.net", vec![name("y")]),
        ];
        let expected = expected.map(|(line, name, targets)| Entry {
            line,
            name: name.to_owned(),
            targets,
        });
        assert_eq!(entries, expected);
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let text = "a: |/usr/bin/vacation\nb: \"|prog arg, x\"\nc: :include:/etc/list\nd: /var/mail/d\n\
            e: :fail: gone\nf:\nno colon\n: x\ng: \"open\nh: ok\nH: ok\ni: ,\nj: a\"b\"c\n*: ok\n@: ok\n*@example.org: ok\n@example.org: ok\n";
        let faults = parse(text).expect_err("a bad file");
        let told: Vec<String> = faults.iter().map(Fault::to_string).collect();
        let expected = [
            "1: |/usr/bin/vacation: programs are not run from an alias",
            "2: |prog arg, x: programs are not run from an alias",
            "3: :include:/etc/list: other files are not read; name the addresses themselves",
            "4: /var/mail/d: mail is not written to files; make an account",
            "5: :fail: gone: words of other servers are not known",
            "6: f leads nowhere",
            "7: expected NAME: TARGET, TARGET ...",
            "8: an alias without a name",
            "9: a quote is left open",
            "11: H is here already, in line 10",
            "12: i leads nowhere",
            "14: *: a catch-all is written @DOMAIN",
            "15: @: a catch-all is written @DOMAIN",
            "16: *@example.org: a catch-all is written @DOMAIN",
        ];
        assert_eq!(told, expected);
    }
}
