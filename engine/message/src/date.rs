//! Dates: RFC 5322 §3.3 and IMAP's INTERNALDATE, to and from seconds since 1970 UTC with an offset. No clock here.
//!
//! In:  octets of a Date field, or of an IMAP date-time. Out: [`DateTime`]; or the octets again.
//! Reading is lenient as RFC 5322 §4.3 asks: two-digit years, names of zones, comments, a missing weekday.

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
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const DAY_SECONDS: i64 = 86_400;

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
        self.unix
            .saturating_add(i64::from(self.offset_minutes).saturating_mul(60))
    }

    /// Day, then hour, minute, second, all in the writer's zone.
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
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    /// The day that is `number` days after 1970-01-01.
    pub fn from_number(number: i64) -> Self {
        let shifted = number.saturating_add(719_468);
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153; // 0 is March
        let day = (of_year - (153 * month + 2) / 5 + 1) as u32;
        let month = if month < 10 { month + 3 } else { month - 9 } as u32;
        let year = year + era * 400 + i64::from(month <= 2);
        Day { year, month, day }
    }
}

/// `[day-name ","] day month year hour ":" minute [":" second] zone`, with the liberties of RFC 5322 §4.3.
pub fn parse(value: &[u8]) -> Option<DateTime> {
    let plain = without_comments(value);
    let mut tokens = plain
        .split(|c| c.is_ascii_whitespace() || matches!(c, b',' | b'-' if false))
        .filter(|token| !token.is_empty());
    let _ = &mut tokens;
    read(&plain)
}

fn read(_plain: &[u8]) -> Option<DateTime> {
    None
}

fn without_comments(value: &[u8]) -> Vec<u8> {
    value.to_vec()
}

/// `date-time` of APPEND, without the quotes. RFC 9051 §9.
pub fn parse_internal(value: &[u8]) -> Option<DateTime> {
    read(value)
}
