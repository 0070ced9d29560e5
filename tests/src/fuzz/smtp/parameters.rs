//! Parameters of MAIL and RCPT, and of XCLIENT.
//!
//! What holds: nothing that is read can end a line; every value is within its bounds; written anew it reads the same;
//! without a queue nothing of the extensions that need one is read.

use crate::fuzz::Target;
use ringpost_smtp::client::{self, Attribute, Client};
use ringpost_smtp::extension::Circumstances;
use ringpost_smtp::parameter::{self, BadParameter, MailParameters, RcptParameters};
use ringpost_smtp::xtext::breaks_lines;
use ringpost_smtp::{Body, ByMode, Hold, Notify, Ret, Role, Tls};
use ringpost_types::limit::Limits;
use std::fmt::Write;
use std::net::IpAddr;

/// 2026-11-24T04:00:00Z.
const NOW: u64 = 1_795_492_800;
const HOLD_SECONDS_MAX: u64 = 100_000;

pub const PARAMETERS: Target = Target {
    name: "smtp-parameters",
    seeds: || SEEDS.iter().map(|text| text.as_bytes().to_vec()).collect(),
    words: &[
        b" ",
        b"=",
        b";",
        b",",
        b"+0D+0A",
        b"+2B",
        b"\\x{F6}",
        b"\\x{2028}",
        b"NOTIFY=",
        b"ORCPT=",
        b"ENVID=",
        b"RET=",
        b"BY=",
        b"HOLDFOR=",
        b"HOLDUNTIL=",
        b"MT-PRIORITY=",
        b"REQUIRETLS",
        b"SMTPUTF8",
        b"NEVER",
        b"DELAY",
        b"utf-8;",
        b"rfc822;",
        b"\xc3\xb6",
        b"\xc0\x8a",
    ],
    check: |input, _| check_parameters(input),
};

pub const XCLIENT: Target = Target {
    name: "smtp-xclient",
    seeds: || {
        [
            "NAME=spike.porcupine.org ADDR=168.100.189.2",
            "ADDR=IPV6:2001:db8::1 PORT=25 PROTO=ESMTP",
            "HELO=[192.0.2.1] LOGIN=a+2Bb@example.org",
            "NAME=[UNAVAILABLE] DESTADDR=192.0.2.1 DESTPORT=65535",
            "name=[tempunavail] proto=smtp login=[unavailable]",
        ]
        .map(|text| text.as_bytes().to_vec())
        .into()
    },
    words: &[
        b" ",
        b"=",
        b"NAME=",
        b"ADDR=",
        b"PORT=",
        b"PROTO=",
        b"HELO=",
        b"LOGIN=",
        b"DESTADDR=",
        b"DESTPORT=",
        b"[UNAVAILABLE]",
        b"IPV6:",
        b"+0A",
        b"+5B",
        b"ESMTP",
    ],
    check: |input, _| check_client(input),
};

const SEEDS: &[&str] = &[
    "SIZE=1000 BODY=8BITMIME SMTPUTF8",
    "BODY=BINARYMIME AUTH=<> RET=FULL ENVID=QQ314159",
    "RET=HDRS ENVID=a+2Bb+20c REQUIRETLS",
    "HOLDFOR=60 BY=120;R MT-PRIORITY=-9",
    "HOLDUNTIL=2026-11-24T05:00:00Z BY=-10;NT MT-PRIORITY=9",
    "HOLDUNTIL=2026-11-24T06:00:00.5+01:00",
    "NOTIFY=SUCCESS,DELAY,FAILURE ORCPT=rfc822;Bob+2Bx@Example.COM",
    "NOTIFY=NEVER ORCPT=utf-8;d\\x{F6}rte\\x{2B}@example.org",
    "ORCPT=UTF-8;d\u{f6}rte@s\u{f6}rensen.example",
];

fn check_parameters(input: &[u8]) {
    let limits = Limits {
        smtp_hold_seconds_max: HOLD_SECONDS_MAX,
        ..Limits::default()
    };
    let session = |queue| Circumstances {
        role: Role::Submission,
        tls: Tls::Active,
        queue,
        xclient: true,
        mechanisms: &[],
        limits: &limits,
        unix: NOW,
    };
    if let Ok(read) = parameter::mail(input, &session(true)) {
        check_mail(&read);
        let written = write_mail(&read);
        let again = parameter::mail(written.as_bytes(), &session(true));
        assert_eq!(again.as_ref(), Ok(&read), "{written:?}");
        let without = parameter::mail(input, &session(false));
        let asks = MailParameters {
            size: read.size,
            body: read.body,
            utf8: read.utf8,
            ..MailParameters::default()
        } != read;
        let expected = if asks {
            Err(BadParameter::Unknown)
        } else {
            Ok(read)
        };
        assert_eq!(without, expected);
    }
    for utf8 in [false, true] {
        if let Ok(read) = parameter::rcpt(input, utf8, &session(true)) {
            check_rcpt(&read, utf8);
            let written = write_rcpt(&read);
            let again = parameter::rcpt(written.as_bytes(), utf8, &session(true));
            assert_eq!(again.as_ref(), Ok(&read), "{written:?}");
            let without = parameter::rcpt(input, utf8, &session(false));
            assert!(without.is_err() || read == RcptParameters::default());
        }
    }
}

fn check_mail(read: &MailParameters) {
    if let Some(envid) = &read.envid {
        let printable = envid.bytes().all(|octet| (b' '..=b'~').contains(&octet));
        assert!(printable && (1..=100).contains(&envid.len()), "{envid:?}");
    }
    match read.hold {
        None => {}
        Some(Hold::For(seconds)) => assert!((1..=HOLD_SECONDS_MAX).contains(&seconds.into())),
        Some(Hold::Until(unix)) => assert!((NOW..=NOW + HOLD_SECONDS_MAX).contains(&unix)),
    }
    if let Some(by) = read.by {
        assert!(by.seconds.abs() <= 999_999_999);
        assert!(by.mode == ByMode::Notify || by.seconds > 0);
    }
    assert!(
        read.priority
            .is_none_or(|priority| (-9..=9).contains(&priority))
    );
}

fn check_rcpt(read: &RcptParameters, utf8: bool) {
    assert!(
        read.notify
            .is_none_or(|set| Notify::of_bits(set.bits()) == Some(set))
    );
    if let Some(orcpt) = &read.orcpt {
        assert!(!orcpt.address.is_empty() && orcpt.address.len() <= 500);
        assert!(!orcpt.address.chars().any(breaks_lines), "{orcpt:?}");
        assert!(
            &*orcpt.kind == "utf-8" || orcpt.address.is_ascii(),
            "{orcpt:?} {utf8}"
        );
        assert!(orcpt.kind.is_ascii() && !orcpt.kind.contains([' ', ';', '(', '<']));
    }
}

fn write_mail(read: &MailParameters) -> String {
    let mut text = String::new();
    let mut word = |word: Option<String>| {
        if let Some(word) = word {
            write!(text, " {word}").expect("a String takes every write");
        }
    };
    word(read.size.map(|size| format!("size={size}")));
    word(match read.body {
        Body::SevenBit => None,
        Body::EightBit => Some("BODY=8bitmime".into()),
        Body::Binary => Some("BODY=BinaryMIME".into()),
    });
    word(read.utf8.then(|| "smtputf8".into()));
    word(read.ret.map(|ret| match ret {
        Ret::Full => "RET=full".into(),
        Ret::Headers => "RET=hdrs".into(),
    }));
    word(
        read.envid
            .as_ref()
            .map(|envid| format!("ENVID={}", xtext(envid))),
    );
    word(read.require_tls.then(|| "requiretls".into()));
    word(read.hold.map(|hold| match hold {
        Hold::For(seconds) => format!("HOLDFOR={seconds}"),
        Hold::Until(unix) => {
            let (day, second) = ((unix / 86_400) as i64, unix % 86_400);
            let (year, month, day) = civil(day);
            let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
            format!("HOLDUNTIL={year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
        }
    }));
    word(read.by.map(|by| {
        let mode = if by.mode == ByMode::Return { "r" } else { "n" };
        format!(
            "BY={};{mode}{}",
            by.seconds,
            if by.trace { "t" } else { "" }
        )
    }));
    word(
        read.priority
            .map(|priority| format!("MT-PRIORITY={priority}")),
    );
    text
}

/// Year, month and day of a day since 1970, counted one by one: slow, and plainly right.
fn civil(days: i64) -> (i64, u8, i64) {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut year, mut rest) = (1970, days);
    while rest >= 365 + i64::from(leap(year)) {
        rest -= 365 + i64::from(leap(year));
        year += 1;
    }
    let lengths = [
        31,
        28 + i64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let mut month = 0;
    while rest >= lengths[month] {
        rest -= lengths[month];
        month += 1;
    }
    (year, month as u8 + 1, rest + 1)
}

fn write_rcpt(read: &RcptParameters) -> String {
    let mut text = String::new();
    if let Some(set) = read.notify {
        let words = [
            (Notify::NEVER, "never"),
            (Notify::SUCCESS, "success"),
            (Notify::FAILURE, "failure"),
            (Notify::DELAY, "delay"),
        ];
        let said: Vec<&str> = words
            .iter()
            .filter(|(bit, _)| set.has(*bit))
            .map(|(_, word)| *word)
            .collect();
        text.push_str(&format!(" NOTIFY={}", said.join(",")));
    }
    if let Some(orcpt) = &read.orcpt {
        let address = match &*orcpt.kind {
            "utf-8" => xtext_utf8(&orcpt.address),
            _ => xtext(&orcpt.address),
        };
        // Written in the longest form it may be over the length that RCPT has for it.
        let value = format!("{};{address}", orcpt.kind);
        if value.len() <= 500 {
            return format!("{text} ORCPT={value}");
        }
        let short: String = orcpt.address.chars().map(plain_or_encoded).collect();
        return format!("{text} ORCPT={};{short}", orcpt.kind);
    }
    text
}

fn xtext(plain: &str) -> String {
    let hexed = |octet: u8| match octet {
        b'!'..=b'*' | b','..=b'<' | b'>'..=b'~' => char::from(octet).to_string(),
        octet => format!("+{octet:02X}"),
    };
    plain.bytes().map(hexed).collect()
}

fn xtext_utf8(plain: &str) -> String {
    let encoded = |c: char| match c {
        '!'..='*' | ','..='<' | '>'..='[' | ']'..='~' => c.to_string(),
        c => format!("\\x{{{:02X}}}", u32::from(c)),
    };
    plain.chars().map(encoded).collect()
}

/// The short form: raw UTF-8, which only an SMTPUTF8 transaction could have brought.
fn plain_or_encoded(c: char) -> String {
    match c {
        c if !c.is_ascii() => c.to_string(),
        c => xtext_utf8(c.encode_utf8(&mut [0; 4])),
    }
}

fn check_client(input: &[u8]) {
    let Ok(read) = client::parse(input) else {
        return;
    };
    for text in [&read.name, &read.helo, &read.login] {
        if let Some(text) = text.value() {
            assert!(!text.chars().any(breaks_lines) && (1..=256).contains(&text.len()));
        }
    }
    let written = write_client(&read);
    assert_eq!(client::parse(written.as_bytes()), Ok(read), "{written:?}");
}

fn write_client(client: &Client) -> String {
    let address = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("IPV6:{ip}"),
    };
    [
        attribute("NAME", &client.name, |text| xtext(text)),
        attribute("ADDR", &client.addr, address),
        attribute("PORT", &client.port, u16::to_string),
        attribute("PROTO", &client.extended, |extended| {
            if *extended { "esmtp" } else { "smtp" }.into()
        }),
        attribute("HELO", &client.helo, |text| xtext(text)),
        attribute("LOGIN", &client.login, |text| xtext(text)),
        attribute("DESTADDR", &client.dest_addr, address),
        attribute("DESTPORT", &client.dest_port, u16::to_string),
    ]
    .concat()
}

fn attribute<T>(name: &str, attribute: &Attribute<T>, value: impl Fn(&T) -> String) -> String {
    let value = match attribute {
        Attribute::Unsaid => return String::new(),
        Attribute::Unavailable => "[unavailable]".into(),
        Attribute::Later => "[TempUnavail]".into(),
        Attribute::Is(read) => value(read),
    };
    format!(" {name}={value}")
}
