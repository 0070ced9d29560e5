//! From_ lines: `From alice@example.org Thu Jan  1 00:00:00 1970`.
//!
//! In:  a line. Out: the date, or that it is no From_ line.
//!
//! Strict where it counts: weekday, month, day, time and year must be there, or a line of a letter that begins with
//! "From " behind an empty line would cut a mail in two. Zones are taken in front of the year or behind it.

use ringpost_message::date::{self, DateTime};

/// Octets of a From_ line that are looked at.
pub const OCTETS_MAX: usize = 1_024;

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// What the line says: seconds since 1970 UTC. `None`: it begins no mail.
pub fn read(line: &[u8]) -> Option<i64> {
    let line = line.get(..line.len().min(OCTETS_MAX))?;
    let text = String::from_utf8_lossy(line.strip_prefix(b"From ")?);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    // The sender may be any words, or none: the date is looked for.
    let places = (0..words.len()).filter(|&at| WEEKDAYS.contains(&words[at].trim_end_matches(',')));
    places.rev().find_map(|at| moment(&words[at + 1..]))
}

/// `month day time [zone] year [zone]`, and day and month the other way round.
fn moment(words: &[&str]) -> Option<i64> {
    let [one, other, clock, rest @ ..] = words else {
        return None;
    };
    let (month, day) = match one.starts_with(|c: char| c.is_ascii_digit()) {
        true => (other, one),
        false => (one, other),
    };
    if !clock.contains(':') {
        return None;
    }
    let (year, zone) = match rest {
        [year, zone, ..] if is_year(year) => (year, Some(zone)),
        [year] if is_year(year) => (year, None),
        [zone, year, ..] if is_year(year) => (year, Some(zone)),
        _ => return None,
    };
    // What stands behind the year is no zone as a rule, but "remote from".
    let zone = zone.filter(|zone| is_zone(zone)).unwrap_or(&"+0000");
    let text = format!("{day} {month} {year} {clock} {zone}");
    date::parse(text.as_bytes()).map(|moment| moment.unix)
}

fn is_year(word: &str) -> bool {
    word.len() == 4 && word.bytes().all(|octet| octet.is_ascii_digit())
}

fn is_zone(word: &str) -> bool {
    let digits = word.strip_prefix(['+', '-']);
    match digits {
        Some(digits) => is_year(digits),
        None => {
            (3..=4).contains(&word.len()) && word.bytes().all(|octet| octet.is_ascii_uppercase())
        }
    }
}

/// The line in front of a mail from `sender`, in UTC as RFC 4155 has it.
pub fn write(sender: &str, unix: u64, out: &mut Vec<u8>) {
    // Never beyond the years that a date has.
    let unix = i64::try_from(unix).unwrap_or(0).min(253_402_300_799);
    let date = DateTime::utc(unix).to_rfc5322();
    let mut words = date.split([' ', ',']).filter(|word| !word.is_empty());
    let [weekday, day, month, year, clock] = std::array::from_fn(|_| words.next().unwrap_or(""));
    let line = format!("From {sender} {weekday} {month} {day:>2} {clock} {year}\n");
    out.extend_from_slice(line.as_bytes());
}

/// A sender that is one word of a From_ line.
pub fn sender(address: Option<String>) -> String {
    let fits = |text: &String| {
        (1..=255).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic())
    };
    address
        .filter(fits)
        .unwrap_or_else(|| "MAILER-DAEMON".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading() {
        let cases: &[(&str, Option<i64>)] = &[
            ("From a@b Thu Jan  1 00:00:01 1970", Some(1)),
            ("From a@b Thu Jan  1 00:00:01 1970\r", Some(1)),
            ("From - Fri Nov 21 15:55:06 1997", Some(880_127_706)),
            ("From Fri Nov 21 15:55:06 1997", Some(880_127_706)),
            ("From \"a b\"@c Fri Nov 21 15:55:06 1997", Some(880_127_706)),
            ("From a@b Fri Nov 21 09:55:06 -0600 1997", Some(880_127_706)),
            ("From a@b Fri Nov 21 09:55:06 1997 -0600", Some(880_127_706)),
            ("From a@b Fri Nov 21 09:55:06 CST 1997", Some(880_127_706)),
            (
                "From a!b Fri Nov 21 15:55 1997 remote from c",
                Some(880_127_700),
            ),
            ("From a@b Fri, 21 Nov 1997 15:55:06", None),
            ("From Fri Thu Jan  1 00:00:01 1970", Some(1)),
            ("From here on, all is well", None),
            ("From Monday on", None),
            ("From a@b Thu Jan 32 00:00:01 1970", None),
            ("From a@b Thu Foo  1 00:00:01 1970", None),
            ("From ", None),
            (">From a@b Thu Jan  1 00:00:01 1970", None),
            ("from a@b Thu Jan  1 00:00:01 1970", None),
        ];
        for (line, expected) in cases {
            assert_eq!(read(line.as_bytes()), *expected, "{line:?}");
        }
    }

    #[test]
    fn writing() {
        for unix in [0, 1, 880_127_706, 4_102_444_799, u64::MAX] {
            let mut line = Vec::new();
            write("a@b", unix, &mut line);
            let back = read(line.trim_ascii_end()).expect("a From_ line");
            assert_eq!(
                back,
                unix.min(253_402_300_799) as i64 * i64::from(unix != u64::MAX)
            );
        }
        let mut line = Vec::new();
        write(&sender(Some("a b@c".into())), 0, &mut line);
        assert_eq!(line, b"From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n");
    }
}
