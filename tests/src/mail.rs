//! Mails of every shape that arrives at a real server, made here so that nobody's mail is in the repository.
//!
//! The small ones stand in `tests/mail/*.eml` for other programs to send; a test keeps folder and generator the same.

use crate::random::Random;
use std::fmt::Write;

/// A mail and the name of its file.
#[derive(Clone, Debug)]
pub struct Sample {
    pub name: &'static str,
    pub octets: Vec<u8>,
}

/// Every small mail, none over 100 KiB. CRLF unless the shape says otherwise.
pub fn samples() -> Vec<Sample> {
    let text = |name, text: &str| Sample {
        name,
        octets: crlf(text),
    };
    let octets = |name, octets| Sample { name, octets };
    vec![
        text("plain", PLAIN),
        text("alternative", ALTERNATIVE),
        octets("attachments", attachments()),
        text("forwarded", FORWARDED),
        octets("eight_bit", eight_bit()),
        text("utf8_header", UTF8_HEADER),
        text("encoded_words", ENCODED_WORDS),
        text("no_to", NO_TO),
        octets("thousand_fields", thousand_fields()),
        octets("nul", nul()),
        octets("long_lines", long_lines()),
        text("empty_body", "From: alice@example.test\nSubject: empty\n\n"),
        text("header_only", "From: alice@example.test\nSubject: no end\n"),
        text("no_header", "\nA body without a header.\n"),
        octets("nothing", Vec::new()),
        text("pgp_mime", PGP_MIME),
        text("smime_signed", SMIME_SIGNED),
        text("bad_boundary", BAD_BOUNDARY),
        text("bad_fields", BAD_FIELDS),
        octets("deep", deep(60)),
        octets("bare_line_ends", PLAIN.as_bytes().to_vec()),
        text("groups", GROUPS),
        text("dots", DOTS),
        text("delivery_status", DELIVERY_STATUS),
    ]
}

/// A mail with one base64 attachment of `octets` octets before encoding.
pub fn attached(octets: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut raw = Vec::with_capacity(octets + 8);
    while raw.len() < octets {
        raw.extend_from_slice(&random.bits().to_le_bytes());
    }
    raw.truncate(octets);
    let mut mail = crlf(ATTACHED_HEAD);
    let encoded = data_encoding::BASE64.encode(&raw);
    mail.reserve(encoded.len() + encoded.len() / 38 + 64);
    for line in encoded.as_bytes().chunks(76) {
        mail.extend_from_slice(line);
        mail.extend_from_slice(b"\r\n");
    }
    mail.extend_from_slice(b"--frontier--\r\n");
    mail
}

/// A small mail of about `octets` octets that no other number makes.
pub fn numbered(number: u64, octets: usize) -> Vec<u8> {
    let mut mail = format!(
        "From: Load <load@example.test>\r\nTo: bob@example.test\r\nSubject: message {number}\r\n\
         Message-ID: <{number}@load.example.test>\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\n"
    );
    let mut random = Random::new(number);
    while mail.len() < octets {
        writeln!(
            mail,
            "{number} {:016x}{:016x}\r",
            random.bits(),
            random.bits()
        )
        .expect("a String takes every write");
    }
    mail.into_bytes()
}

fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

fn attachments() -> Vec<u8> {
    let mut mail = attached(3000, 1);
    let end = mail.len() - b"--frontier--\r\n".len();
    mail.truncate(end);
    mail.extend_from_slice(&crlf(
        "--frontier\nContent-Type: text/csv; charset=iso-8859-1;\n \
         name*0=\"a very long name in\"; name*1=\" two pieces.csv\"\n\
         Content-Disposition: attachment; filename*=utf-8''%C3%A9t%C3%A9.csv\n\
         Content-Transfer-Encoding: quoted-printable\n\nname;prix=\n en francs\n=E9t=E9;3=3D3\n--frontier--\nepilogue\n",
    ));
    mail
}

fn eight_bit() -> Vec<u8> {
    let mut mail = crlf(
        "From: =?iso-8859-1?q?Andr=E9?= <andre@example.test>\nTo: bob@example.test\nSubject: 8bit\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n",
    );
    mail.extend_from_slice(b"\xC9t\xE9 \xE0 la plage, co\xFBt: 3\xA4\r\n");
    mail
}

fn thousand_fields() -> Vec<u8> {
    let mut mail = String::from("From: alice@example.test\r\nSubject: many fields\r\n");
    for number in 0..1000 {
        write!(mail, "X-Field-{number}: value {number}\r\n").expect("a String takes every write");
    }
    (mail + "\r\nbody\r\n").into_bytes()
}

fn nul() -> Vec<u8> {
    b"From: a\0lice@example.test\r\nSubject: nul \0 here\r\n\r\nbody \0\0 with NULs\r\n\0!\r\n"
        .to_vec()
}

/// Lines of 998 octets, the most that RFC 5322 §2.1.1 allows, of 999, and of 10,000.
fn long_lines() -> Vec<u8> {
    let mut mail = b"From: alice@example.test\r\nSubject: long lines\r\nX-Long: ".to_vec();
    for length in [990, 998, 999, 10_000] {
        mail.extend(std::iter::repeat_n(b'a' + (length % 26) as u8, length));
        mail.extend_from_slice(if length == 990 { b"\r\n\r\n" } else { b"\r\n" });
    }
    mail
}

/// Multiparts in multiparts, deeper than is told apart.
fn deep(levels: usize) -> Vec<u8> {
    let mut mail = String::from("From: alice@example.test\nSubject: deep\nMIME-Version: 1.0\n");
    for level in 0..levels {
        write!(
            mail,
            "Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"
        )
        .expect("a String takes every write");
    }
    mail += "Content-Type: text/plain\n\nat the bottom\n";
    for level in (0..levels).rev() {
        writeln!(mail, "--b{level}--").expect("a String takes every write");
    }
    crlf(&mail)
}

const PLAIN: &str = "Date: Thu, 1 Jan 2026 12:00:00 +0100
From: Alice Example <alice@example.test>
To: Bob <bob@example.test>
Subject: Lunch
Message-ID: <1@example.test>

Shall we meet at noon?

-- 
Alice
";

const ALTERNATIVE: &str = "Date: Thu, 1 Jan 2026 12:00:00 +0100
From: Newsletter <news@example.test>
To: bob@example.test
Subject: This month
Message-ID: <2@example.test>
MIME-Version: 1.0
Content-Type: multipart/alternative;
 boundary=\"----=_Part_17\"

This is a message in MIME format.
------=_Part_17
Content-Type: text/plain; charset=utf-8; format=flowed
Content-Transfer-Encoding: quoted-printable

Caf=C3=A9 opens =
today.
------=_Part_17
Content-Type: multipart/related; boundary=rel; type=\"text/html\"

--rel
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<p>Caf=C3=A9 <img src=3D\"cid:logo\"></p>
--rel
Content-Type: image/png
Content-ID: <logo>
Content-Transfer-Encoding: base64
Content-Disposition: inline; filename=logo.png

iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9
awAAAABJRU5ErkJggg==
--rel--

------=_Part_17--
";

const ATTACHED_HEAD: &str = "Date: Thu, 1 Jan 2026 12:00:00 +0100
From: Alice <alice@example.test>
To: bob@example.test
Subject: Report attached
Message-ID: <3@example.test>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=frontier

--frontier
Content-Type: text/plain; charset=us-ascii

See attachment.
--frontier
Content-Type: application/octet-stream; name=report.bin
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename=report.bin

";

const FORWARDED: &str = "Date: Thu, 1 Jan 2026 12:00:00 +0100
From: bob@example.test
To: carol@example.test
Subject: Fwd: Lunch
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

--outer

What do you think?
--outer
Content-Type: message/rfc822
Content-Description: Lunch

Date: Wed, 31 Dec 2025 12:00:00 +0100
From: Alice <alice@example.test>
To: bob@example.test
Subject: Lunch
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=inner

--inner

Inner text.
--inner
Content-Type: message/rfc822

From: deeper@example.test
Subject: Deeper

Deepest text.
--inner--
--outer--
";

const UTF8_HEADER: &str = "Date: Thu, 1 Jan 2026 12:00:00 +0100
From: J\u{f6}rg M\u{fc}ller <j\u{f6}rg@example.test>
To: \u{674e}\u{56db} <bob@example.test>
Subject: Gr\u{fc}\u{df}e aus K\u{f6}ln \u{1f600}
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Sch\u{f6}ne Gr\u{fc}\u{df}e, \u{65e5}\u{672c}\u{8a9e}.
";

const ENCODED_WORDS: &str = "Date: Thu, 1 Jan 2026 12:00:00 +0100
From: =?ISO-8859-1?Q?Patrik_F=E4ltstr=F6m?= <paf@example.test>
To: =?utf-8?B?5p2O5Zub?= <bob@example.test>
Cc: =?US-ASCII?Q?Keith_Moore?= <moore@example.test>
Subject: =?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=
 =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=

Encoded words of RFC 2047, section 8.
";

const NO_TO: &str = "From: alice@example.test
Subject: to nobody in particular

There is no To.
";

const PGP_MIME: &str = "From: Michael <alice@example.test>
To: bob@example.test
Subject: signed
MIME-Version: 1.0
Content-Type: multipart/signed; boundary=bar; micalg=pgp-sha256;
 protocol=\"application/pgp-signature\"

--bar
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

=A1Hola!

Trailing spaces must stay: =20
--bar
Content-Type: application/pgp-signature; name=signature.asc

-----BEGIN PGP SIGNATURE-----

iHUEARYKAB0WIQTnotarealsignatureatallbutofthisshapeAAUCAAAAAAoJEAAA
=AAAA
-----END PGP SIGNATURE-----

--bar--
";

const SMIME_SIGNED: &str = "From: alice@example.test
To: bob@example.test
Subject: S/MIME
MIME-Version: 1.0
Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\";
 micalg=sha-256; boundary=boundary42

--boundary42
Content-Type: text/plain

This is a clear-signed message.

--boundary42
Content-Type: application/pkcs7-signature; name=smime.p7s
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename=smime.p7s

MIAGCSqGSIb3DQEHAqCAMIACAQExDzANBglghkgBZQMEAgEFADCABgkqhkiG9w0BBwEAAA==
--boundary42--
";

const BAD_BOUNDARY: &str = "From: alice@example.test
Subject: boundaries that do not fit
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=\"a

--a
Content-Type: multipart/mixed

--
--a
Content-Type: ; charset
Content-Transfer-Encoding: x-none

--a-- trailing
--b
Content-Type: text/plain

never closed
";

const BAD_FIELDS: &str = "From alice@example.test Thu Jan  1 12:00:00 2026
From: @@@, <, \"open <alice@example.test
: no name
Subject : space before the colon
Subject: second subject
NoColonAtAll
 a continuation of nothing
To: (comment (nested) \\) <bob@example.test>, ,,; group: ;
Date: yesterday
Content-Type: text
Content-Type: text/html; charset=\"\\
Message-ID: <no end

Body.
";

const GROUPS: &str = "From: \"Smith, John\" <john@example.test>
Sender: secretary@example.test
Reply-To: a@example.test, b@example.test
To: Friends: alice@example.test, \"Bob \\\"B\\\" B\" <bob@example.test>;,
 undisclosed-recipients:;
Cc: <@relay.example:carol@example.test>
Bcc: hidden@example.test
Subject: groups
In-Reply-To: <1@example.test>
References: <0@example.test> <1@example.test>

Hello all.
";

const DOTS: &str = "From: alice@example.test
Subject: dots

.
..
.leading
...
a.
";

const DELIVERY_STATUS: &str = "From: MAILER-DAEMON@example.test
To: alice@example.test
Subject: Undeliverable
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=dsn

--dsn

Your mail could not be delivered.
--dsn
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.test

Final-Recipient: rfc822; nobody@example.test
Action: failed
Status: 5.1.1
--dsn
Content-Type: text/rfc822-headers

From: alice@example.test
To: nobody@example.test
Subject: Lunch
--dsn--
";
