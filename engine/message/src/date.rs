//! Dates: RFC 5322 §3.3 and IMAP's date-time, to and from seconds since 1970 UTC with an offset. No clock here.
//!
//! In:  octets of a Date field, or of an IMAP date-time. Out: [`DateTime`]; or the text again.
//! Reading is lenient as RFC 5322 §4.3 asks: years of two digits, names of zones, comments, a missing weekday, hyphens for
//! spaces; a missing or strange zone is `-0000`.

use crate::lex::Lexer;

/// A moment, and the offset its writer used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// Seconds since 1970-01-01 00:00 UTC.
    pub unix: i64,
    /// Minutes east of UTC.
    pub offset_minutes: i32,
}

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Year.
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// From 1970-01-01 on.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const DAY_SECONDS: i64 = 86_400;
/// Years that are read; four digits, so that what is written has four digits too. RFC 5322 §3.3: after 1900.
const YEARS: std::ops::RangeInclusive<i64> = 1_900..=9_999;

impl DateTime {
    /// A moment in UTC.
    pub fn utc(unix: i64) -> Self {
        DateTime {
            unix,
            offset_minutes: 0,
        }
    }

    /// Days since 1970-01-01 of the writer's own calendar day: IMAP's SENTON and ON disregard time and zone.
    /// RFC 9051 §6.4.4.
    pub fn day_number(&self) -> i64 {
        self.local().div_euclid(DAY_SECONDS)
    }

    fn local(&self) -> i64 {
        let offset = i64::from(self.offset_minutes) * 60;
        self.unix.saturating_add(offset)
    }

    /// Day, then hour, minute and second, all in the writer's zone.
    fn fields(&self) -> (Day, [i64; 3]) {
        let second = self.local().rem_euclid(DAY_SECONDS);
        let clock = [second / 3_600, second / 60 % 60, second % 60];
        (Day::from_number(self.day_number()), clock)
    }

    fn zone(&self) -> String {
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        let minutes = self.offset_minutes.unsigned_abs();
        format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
    }

    /// `Thu, 13 Feb 1969 23:32:54 -0330`. RFC 5322 §3.3.
    pub fn to_rfc5322(&self) -> String {
        let (Day { year, month, day }, [hour, minute, second]) = self.fields();
        let weekday = WEEKDAYS[self.day_number().rem_euclid(7) as usize];
        let month = MONTHS[month as usize - 1];
        let zone = self.zone();
        format!("{weekday}, {day} {month} {year:04} {hour:02}:{minute:02}:{second:02} {zone}")
    }

    /// `17-Jul-1996 02:44:25 -0700`, the day in two places, without the quotes. RFC 9051 §9, date-time.
    pub fn to_internal(&self) -> String {
        let (Day { year, month, day }, [hour, minute, second]) = self.fields();
        let month = MONTHS[month as usize - 1];
        let zone = self.zone();
        format!("{day:>2}-{month}-{year:04} {hour:02}:{minute:02}:{second:02} {zone}")
    }
}

impl Day {
    /// Days since 1970-01-01.
    pub fn number(self) -> i64 {
        // Years begin in March here, so that the leap day is the last one.
        let month = i64::from(self.month);
        let year = self.year - i64::from(month <= 2);
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    /// The day that is `number` days after 1970-01-01.
    pub fn from_number(number: i64) -> Self {
        let shifted = number.saturating_add(719_468);
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = (of_year - (153 * from_march + 2) / 5 + 1) as u32;
        let month = (from_march + 2) % 12 + 1;
        let year = year + era * 400 + i64::from(month <= 2);
        let month = month as u32;
        Day { year, month, day }
    }

    /// The same day if the calendar has it.
    fn checked(self) -> Option<Self> {
        let known = YEARS.contains(&self.year) && (1..=12).contains(&self.month);
        (known && Day::from_number(self.number()) == self).then_some(self)
    }
}

/// `[ day-name "," ] day month year hour ":" minute [ ":" second ] zone`. RFC 5322 §3.3, §4.3.
pub fn parse(value: &[u8]) -> Option<DateTime> {
    let mut lexer = Lexer(value);
    separate(&mut lexer);
    if lexer.peek()?.is_ascii_alphabetic() {
        word(&mut lexer); // The weekday says nothing new.
        separate(&mut lexer);
    }
    let day = number(&mut lexer)?.0;
    separate(&mut lexer);
    let month = month(word(&mut lexer))?;
    separate(&mut lexer);
    let (year, digits) = number(&mut lexer)?;
    let year = i64::from(full_year(year, digits));
    separate(&mut lexer);
    let seconds = clock(&mut lexer)?;
    lexer.space();
    let offset_minutes = zone(&mut lexer);
    let day = Day { year, month, day }.checked()?;
    let local = day.number() * DAY_SECONDS + seconds;
    Some(DateTime {
        unix: local - i64::from(offset_minutes) * 60,
        offset_minutes,
    })
}

/// `date-time` of APPEND, without the quotes: `17-Jul-1996 02:44:25 -0700`. Strict. RFC 9051 §9.
pub fn parse_internal(value: &[u8]) -> Option<DateTime> {
    let shape = b"dd-aaa-dddd dd:dd:dd +dddd";
    let fits = |(octet, shape): (&u8, &u8)| match shape {
        b'd' => octet.is_ascii_digit(),
        b'a' => octet.is_ascii_alphabetic(),
        b'+' => matches!(octet, b'+' | b'-'),
        shape => octet == shape,
    };
    let mut padded: [u8; 26] = value.try_into().ok()?;
    if padded[0] == b' ' {
        padded[0] = b'0'; // date-day-fixed: a space before one digit.
    }
    let well_formed = padded.iter().zip(shape).all(fits);
    well_formed.then(|| parse(&padded)).flatten()
}

/// White space, comments, and the commas, hyphens and dots that stand between the pieces of dates.
fn separate(lexer: &mut Lexer<'_>) {
    loop {
        lexer.space();
        match lexer.peek() {
            Some(b',' | b'-' | b'.') => lexer.skip(1),
            _ => return,
        }
    }
}

fn word<'v>(lexer: &mut Lexer<'v>) -> &'v [u8] {
    lexer.until(|octet| !octet.is_ascii_alphabetic())
}

/// A number and how many digits it had; at most four.
fn number(lexer: &mut Lexer<'_>) -> Option<(u32, usize)> {
    let digits = lexer.until(|octet| !octet.is_ascii_digit());
    let value = digits.iter().fold(0u32, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(u32::from(digit - b'0'))
    });
    (1..=4)
        .contains(&digits.len())
        .then_some((value, digits.len()))
}

/// By the first three letters, in any case.
fn month(name: &[u8]) -> Option<u32> {
    let name = name.get(..3)?;
    let place = MONTHS
        .iter()
        .position(|known| known.as_bytes().eq_ignore_ascii_case(name));
    place.map(|place| place as u32 + 1)
}

/// RFC 5322 §4.3: two digits below 50 are of this century, other two and three digits count from 1900.
fn full_year(year: u32, digits: usize) -> u32 {
    match digits {
        1 | 2 if year < 50 => year + 2_000,
        1..=3 => year + 1_900,
        _ => year,
    }
}

/// `hour ":" minute [ ":" second ]` in seconds. A leap second is the second behind it.
fn clock(lexer: &mut Lexer<'_>) -> Option<i64> {
    let hour = number(lexer)?.0;
    let mut rest = [0, 0];
    for (place, part) in rest.iter_mut().enumerate() {
        lexer.space();
        if !lexer.takes(b':') {
            match place {
                0 => return None,
                _ => break,
            }
        }
        lexer.space();
        *part = number(lexer)?.0;
    }
    let [minute, second] = rest;
    let known = hour < 24 && minute < 60 && second <= 60;
    known.then_some(i64::from(hour * 3_600 + minute * 60 + second))
}

/// Minutes east of UTC. Names but those of RFC 5322 §4.3 mean UTC: their meaning is lost.
fn zone(lexer: &mut Lexer<'_>) -> i32 {
    let sign = match lexer.peek() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return named_zone(word(lexer)),
    };
    lexer.skip(1);
    match number(lexer) {
        Some((value, 3..=4)) if value % 100 < 60 => sign * (value / 100 * 60 + value % 100) as i32,
        Some((hours, _)) if hours < 24 => sign * hours as i32 * 60,
        _ => 0,
    }
}

fn named_zone(name: &[u8]) -> i32 {
    const HOURS: &[(&str, i32)] = &[
        ("EST", -5),
        ("EDT", -4),
        ("CST", -6),
        ("CDT", -5),
        ("MST", -7),
        ("MDT", -6),
        ("PST", -8),
        ("PDT", -7),
    ];
    let known = HOURS
        .iter()
        .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name));
    known.map_or(0, |(_, hours)| hours * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading() {
        let cases: &[(&str, Option<(i64, i32)>)] = &[
            // RFC 5322 appendix A.1.1, A.5, A.6.2.
            ("Fri, 21 Nov 1997 09:55:06 -0600", Some((880_127_706, -360))),
            (
                "Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)",
                Some((-27_723_480, -210)),
            ),
            ("21 Nov 97 09:55:06 GMT", Some((880_106_106, 0))),
            ("1 Jan 1970 00:00:00 +0000", Some((0, 0))),
            ("Thu, 1 Jan 1970 00:00 Z", Some((0, 0))),
            ("1-Jan-70 00:00:00 EST", Some((18_000, -300))),
            (
                "Sun, 29 Feb 2004 10:00:00 +0100 (CET)",
                Some((1_078_045_200, 60)),
            ),
            (
                "Sun 29 February 2004 10:00:00 +1",
                Some((1_078_045_200, 60)),
            ),
            ("31 Dec 2016 23:59:60 +0000", Some((1_483_228_800, 0))),
            ("1 Jan 101 00:00:00 +0000", Some((978_307_200, 0))),
            ("1 Jan 2000 00:00:00", Some((946_684_800, 0))),
            ("1 Jan 2000 00:00:00 +9999", Some((946_684_800, 0))),
            (
                "1 Jan 2000 00:00:00 +01018446744073709551615",
                Some((946_684_800, 0)),
            ),
            ("30 Feb 2004 10:00:00 +0100", None),
            ("29 Feb 1900 10:00:00 +0100", None),
            ("1 Jan 1899 00:00:00 +0000", None),
            ("1 Jan 20000 00:00:00 +0000", None),
            ("0 Jan 2000 00:00:00 +0000", None),
            ("1 Foo 2000 00:00:00 +0000", None),
            ("1 Jan 2000 24:00:00 +0000", None),
            ("1 Jan 2000 10 +0000", None),
            ("", None),
            ("Mon", None),
            ("yesterday", None),
        ];
        for (value, expected) in cases {
            let got = parse(value.as_bytes()).map(|date| (date.unix, date.offset_minutes));
            assert_eq!(got, *expected, "{value:?}");
        }
    }

    #[test]
    fn internal() {
        let cases: &[(&str, bool)] = &[
            ("17-Jul-1996 02:44:25 -0700", true),
            (" 1-Jan-2000 00:00:00 +0000", true),
            ("01-Jan-2000 00:00:00 +0000", true),
            ("1-Jan-2000 00:00:00 +0000", false),
            ("17-Jul-1996 02:44:25", false),
            ("17-Jul-1996 02:44:25  0700", false),
            ("31-Feb-1996 02:44:25 -0700", false),
            ("17-Xxx-1996 02:44:25 -0700", false),
        ];
        for (value, taken) in cases {
            let got = parse_internal(value.as_bytes());
            assert_eq!(got.is_some(), *taken, "{value:?}");
            if let Some(date) = got {
                assert_eq!(
                    date.to_internal().trim_start(),
                    value.trim_start_matches([' ', '0'])
                );
            }
        }
    }

    #[test]
    fn writing() {
        let date = DateTime {
            unix: -27_723_426,
            offset_minutes: -210,
        };
        assert_eq!(date.to_rfc5322(), "Thu, 13 Feb 1969 23:32:54 -0330");
        assert_eq!(DateTime::utc(0).to_internal(), " 1-Jan-1970 00:00:00 +0000");
        assert_eq!(date.day_number(), DateTime::utc(date.unix).day_number() - 1);
    }

    proptest::proptest! {
        #[test]
        fn there_and_back(unix in -2_000_000_000i64..250_000_000_000, offset_minutes in -1_439i32..1_440) {
            let date = DateTime { unix, offset_minutes };
            proptest::prop_assert_eq!(parse(date.to_rfc5322().as_bytes()), Some(date));
            proptest::prop_assert_eq!(parse_internal(date.to_internal().as_bytes()), Some(date));
        }

        #[test]
        fn never_panics(value in "[0-9A-Za-z:+(), -]{0,40}") {
            let _ = parse(value.as_bytes());
        }
    }
}
