//! Dates of IMAP: `17-Jul-1996` and `"17-Jul-1996 02:44:25 -0700"`. RFC 3501 §9, `date`, `date-time`.

/// Month names, January first.
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
const DAY_SECONDS: i64 = 86_400;

/// Days since 1970-01-01 of a day of the Gregorian calendar. Counts years from March, so that the leap day is last.
pub fn days(year: i32, month: u32, day: u32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year as i32;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days`]: year, month, day.
pub fn civil(days: i32) -> (i32, u32, u32) {
    let shifted = i64::from(days) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as i32, month as u32, day as u32)
}

/// date-text = date-day "-" date-month "-" date-year; in days since 1970-01-01.
pub fn parse_day(text: &[u8]) -> Option<i32> {
    let mut pieces = text.split(|&octet| octet == b'-');
    let (day, month, year) = (pieces.next()?, pieces.next()?, pieces.next()?);
    if pieces.next().is_some() || day.is_empty() || day.len() > 2 || year.len() != 4 {
        return None;
    }
    checked_days(digits(year)?, month_number(month)?, digits(day)?)
}

/// date-time, inside its quotes, in seconds since 1970 UTC; a time before 1970 is 1970.
/// date-time = date-day-fixed "-" date-month "-" date-year SP time SP zone
pub fn parse(text: &[u8]) -> Option<u64> {
    let &[
        d1,
        d2,
        b'-',
        m1,
        m2,
        m3,
        b'-',
        y1,
        y2,
        y3,
        y4,
        b' ',
        ref clock @ ..,
    ] = text
    else {
        return None;
    };
    let &[
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
        b' ',
        sign,
        z1,
        z2,
        z3,
        z4,
    ] = clock
    else {
        return None;
    };
    let day = if d1 == b' ' {
        digits(&[d2])?
    } else {
        digits(&[d1, d2])?
    };
    let days = checked_days(
        digits(&[y1, y2, y3, y4])?,
        month_number(&[m1, m2, m3])?,
        day,
    )?;
    let (hour, minute, second) = (digits(&[h1, h2])?, digits(&[n1, n2])?, digits(&[s1, s2])?);
    let (zone_hour, zone_minute) = (digits(&[z1, z2])?, digits(&[z3, z4])?);
    // 60: a leap second.
    if hour > 23 || minute > 59 || second > 60 || zone_minute > 59 {
        return None;
    }
    let zone = i64::from(zone_hour * 3600 + zone_minute * 60);
    let zone = match sign {
        b'+' => zone,
        b'-' => -zone,
        _ => return None,
    };
    let clock = i64::from(hour * 3600 + minute * 60 + second);
    let seconds = i64::from(days) * DAY_SECONDS + clock - zone;
    Some(seconds.max(0) as u64)
}

/// `"17-Jul-1996 02:44:25 +0000"`, with its quotes: 28 octets.
#[inline]
pub fn write(out: &mut Vec<u8>, seconds: u64) {
    // Years have four digits: 31-Dec-9999 23:59:59 is the last.
    let seconds = seconds.min(253_402_300_799);
    let (year, month, day) = civil((seconds / DAY_SECONDS as u64) as i32);
    let clock = (seconds % DAY_SECONDS as u64) as u32;
    let two = |value: u32| [b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8];
    let mut text = *b"\"00-Jan-0000 00:00:00 +0000\"";
    text[1..3].copy_from_slice(&two(day));
    if day < 10 {
        text[1] = b' ';
    }
    text[4..7].copy_from_slice(MONTHS[month as usize - 1]);
    text[8..10].copy_from_slice(&two(year as u32 / 100));
    text[10..12].copy_from_slice(&two(year as u32 % 100));
    text[13..15].copy_from_slice(&two(clock / 3600));
    text[16..18].copy_from_slice(&two(clock / 60 % 60));
    text[19..21].copy_from_slice(&two(clock % 60));
    out.extend_from_slice(&text);
}

fn checked_days(year: u32, month: u32, day: u32) -> Option<i32> {
    let days = days(year as i32, month, day);
    (civil(days) == (year as i32, month, day)).then_some(days)
}

fn month_number(name: &[u8]) -> Option<u32> {
    let at = MONTHS
        .iter()
        .position(|month| month.eq_ignore_ascii_case(name))?;
    Some(at as u32 + 1)
}

/// At most four digits.
fn digits(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0, |value, octet| {
        let digit = octet.wrapping_sub(b'0');
        (digit <= 9).then(|| value * 10 + u32::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_back() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 2, 29), 11_016);
        for day in days(1890, 1, 1)..days(2110, 1, 1) {
            let (year, month, date) = civil(day);
            assert_eq!(days(year, month, date), day);
        }
    }

    #[test]
    fn day_texts() {
        const CASES: &[(&str, Option<i32>)] = &[
            ("1-Jan-1970", Some(0)),
            ("01-jan-1970", Some(0)),
            ("29-Feb-2000", Some(11_016)),
            ("31-Dec-1969", Some(-1)),
            ("29-Feb-2001", None),
            ("0-Jan-1970", None),
            ("32-Jan-1970", None),
            ("1-Foo-1970", None),
            ("1-Jan-70", None),
            ("001-Jan-1970", None),
            ("1-Jan-1970-", None),
            ("", None),
        ];
        for (text, expected) in CASES {
            assert_eq!(parse_day(text.as_bytes()), *expected, "{text}");
        }
    }

    #[test]
    fn date_times() {
        const CASES: &[(&str, Option<u64>)] = &[
            ("17-Jul-1996 02:44:25 -0700", Some(837_596_665)),
            (" 1-Jan-1970 00:00:00 +0000", Some(0)),
            (" 1-Jan-1970 00:00:00 +0100", Some(0)),
            ("01-Feb-1994 21:52:25 -0800", Some(760_168_345)),
            ("1-Feb-1994 21:52:25 -0800", None),
            ("31-Feb-1994 21:52:25 -0800", None),
            ("17-Jul-1996 24:44:25 -0700", None),
            ("17-Jul-1996 02:60:25 -0700", None),
            ("17-Jul-1996 02:44:25 0700", None),
            ("17-Jul-1996 02:44:25 *0700", None),
            ("17-Jul-1996 02:44:25 -07x0", None),
        ];
        for (text, expected) in CASES {
            assert_eq!(parse(text.as_bytes()), *expected, "{text}");
            if let Some(seconds) = expected {
                let mut out = Vec::new();
                write(&mut out, *seconds);
                assert_eq!(parse(&out[1..out.len() - 1]), *expected);
            }
        }
        let mut out = Vec::new();
        write(&mut out, u64::MAX);
        assert_eq!(out, b"\"31-Dec-9999 23:59:59 +0000\"");
    }
}
