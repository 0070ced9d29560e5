//! The small files beside the mails: keywords, order, subscriptions.
//!
//! In:  their octets, at most [`OCTETS_MAX`]; a file that is not there is an empty one.
//! Out: lists. A line that cannot be understood is passed over: these files help, and no mail hangs on them.

use super::file::{KEYWORDS_MAX, Name};
use super::open_regular;
use crate::name;
use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;

/// Octets of such a file at most: an order of a million mails.
pub const OCTETS_MAX: u64 = 256 * 1024 * 1024;

/// Keywords in the order of their letters.
pub const KEYWORDS: &str = "dovecot-keywords";
/// Names, one on each line.
pub const SUBSCRIPTIONS: &str = "subscriptions";
/// The order of mails, as Dovecot keeps it.
pub const ORDER: &str = "dovecot-uidlist";
/// Likewise, and as Courier does.
const ORDERS: [&str; 2] = [ORDER, "courierimapuiddb"];

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = match open_regular(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let mut octets = Vec::new();
    file.take(OCTETS_MAX).read_to_end(&mut octets)?;
    Ok(octets)
}

/// The folder's keywords: number n is letter `a` + n. A number that is not there is an empty name.
pub fn keywords(folder: &Path) -> io::Result<Vec<String>> {
    Ok(parse_keywords(&read(&folder.join(KEYWORDS))?))
}

fn parse_keywords(octets: &[u8]) -> Vec<String> {
    let mut keywords = Vec::new();
    for line in String::from_utf8_lossy(octets).lines() {
        let Some((number, keyword)) = line.split_once(' ') else {
            continue;
        };
        match number.parse::<usize>() {
            Ok(number) if number < KEYWORDS_MAX => {
                if keywords.len() <= number {
                    keywords.resize(number + 1, String::new());
                }
                keywords[number] = keyword.to_owned();
            }
            _ => {}
        }
    }
    keywords
}

/// The octets of a keywords file.
pub fn write_keywords(keywords: &[String]) -> String {
    let lines = keywords.iter().take(KEYWORDS_MAX).enumerate();
    let named = lines.filter(|(_, keyword)| !keyword.is_empty());
    named
        .map(|(number, keyword)| format!("{number} {keyword}\n"))
        .collect()
}

/// The number of each mail in the folder's order, by the unique part of its name. Empty where nobody kept one.
pub fn order(folder: &Path) -> io::Result<HashMap<Box<[u8]>, u32>> {
    for list in ORDERS {
        let octets = read(&folder.join(list))?;
        if !octets.is_empty() {
            return Ok(parse_order(&octets));
        }
    }
    Ok(HashMap::new())
}

/// Whether Dovecot has written the list at `path`: it names the mailbox in the first line, which ours do not.
pub fn is_dovecots_own(path: &Path) -> io::Result<bool> {
    let octets = read(path)?;
    let head = octets.split(|&octet| octet == b'\n').next();
    Ok(head.is_some_and(|head| head.windows(2).any(|two| two == b" G")))
}

/// A head line, then for each mail `UID [extensions] :NAME` (Dovecot) or `UID NAME` (Courier).
fn parse_order(octets: &[u8]) -> HashMap<Box<[u8]>, u32> {
    let mut order = HashMap::new();
    for line in octets.split(|&octet| octet == b'\n').skip(1) {
        let Some(space) = line.iter().position(|&octet| octet == b' ') else {
            continue;
        };
        let uid = std::str::from_utf8(&line[..space]).map(str::parse);
        let Ok(Ok(uid)) = uid else { continue };
        let rest = &line[space + 1..];
        let file = match rest.windows(2).position(|two| two == b" :") {
            Some(at) => &rest[at + 2..],
            None => rest.strip_prefix(b":").unwrap_or(rest),
        };
        if let Some(file) = Name::read(file) {
            order.insert(file.unique().into(), uid);
        }
    }
    order
}

/// Subscribed folders as levels. `None` where there is no such file.
pub fn subscriptions(root: &Path) -> io::Result<Option<Vec<Vec<String>>>> {
    let octets = read(&root.join(SUBSCRIPTIONS))?;
    Ok((!octets.is_empty()).then(|| parse_subscriptions(&octets)))
}

/// Version 1: levels after dots (or slashes, with directories in directories). Version 2 says so in its first line, and
/// has tabs between levels.
fn parse_subscriptions(octets: &[u8]) -> Vec<Vec<String>> {
    let mut lines = octets.split(|&octet| octet == b'\n').peekable();
    let tabs = lines.next_if(|line| line.starts_with(b"V\t")).is_some();
    let named = lines.filter(|line| !line.is_empty());
    let levels = named.map(|line| {
        let between = match tabs {
            true => b'\t',
            false if line.contains(&b'/') => b'/',
            false => b'.',
        };
        let each = line.split(|&octet| octet == between);
        each.map(name::from_disk).collect()
    });
    levels.collect()
}

/// The octets of a subscriptions file; `None` for a name that cannot stand in it.
pub fn write_subscription(mailbox: &str) -> Option<String> {
    let levels: Option<Vec<String>> = mailbox
        .split('/')
        .map(|level| name::to_disk(level, "."))
        .collect();
    Some(levels?.join(".") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyword_lists() {
        let read = parse_keywords(b"0 $Label1\n2 Work\nx y\n26 Late\n3\n");
        assert_eq!(read, ["$Label1", "", "Work"]);
        assert_eq!(write_keywords(&read), "0 $Label1\n2 Work\n");
    }

    #[test]
    fn orders() {
        let dovecot =
            b"3 V1 N9 G0\n7 W12 S10 :2.M1.h,S=10:2,S\n3 :1.M1.h\nx :y\n5 :.\n8\n4000000000000 :z\n";
        let courier = b"1 1134 9 abc\n4 1.M1.h\n2 2.M1.h:2,\n";
        let listed = |octets: &[u8]| {
            let order = parse_order(octets);
            let mut order: Vec<_> = order.into_iter().map(|(name, uid)| (uid, name)).collect();
            order.sort();
            order
                .into_iter()
                .map(|(uid, name)| format!("{uid} {}", String::from_utf8_lossy(&name)))
                .collect::<Vec<_>>()
        };
        assert_eq!(listed(dovecot), ["3 1.M1.h", "7 2.M1.h"]);
        assert_eq!(listed(courier), ["2 2.M1.h", "4 1.M1.h"]);
    }

    #[test]
    fn subscription_lists() {
        let joined = |octets: &[u8]| {
            let read = parse_subscriptions(octets);
            read.iter()
                .map(|levels| levels.join("|"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            joined(b"Sent\nA.B\n\nEntw&APw-rfe\n"),
            ["Sent", "A|B", "Entwürfe"]
        );
        assert_eq!(joined(b"V\t2\n\nA\tb.c\nSent\n"), ["A|b.c", "Sent"]);
        let written = write_subscription("A/b.c").expect("short");
        assert_eq!(written, "A.b\\2ec\n");
        assert_eq!(joined(written.as_bytes()), ["A|b.c"]);
    }
}
