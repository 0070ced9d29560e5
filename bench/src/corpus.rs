//! Mails made to look like mail: the same ones in every run.

/// Words of a text body; what they say does not matter, how long they are does.
const WORDS: &[&str] = &[
    "the",
    "meeting",
    "is",
    "on",
    "Thursday",
    "and",
    "please",
    "send",
    "your",
    "comments",
    "before",
    "noon",
    "to",
    "a",
    "quarterly",
    "report",
    "with",
    "figures",
    "for",
    "review",
    "I",
    "think",
    "we",
    "should",
    "agree",
    "about",
    "it",
];

/// Numbers that look random: xorshift, always from the same start.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Lines of words, up to 72 octets long, an empty one now and then, one in 200 with a dot at its start.
pub fn text(octets: usize) -> Vec<u8> {
    let mut random = Random(1);
    let mut text = Vec::with_capacity(octets + 80);
    while text.len() < octets {
        match random.below(200) {
            0 => text.push(b'.'),
            1..=30 => text.extend_from_slice(b"\r\n"),
            _ => {}
        }
        let start = text.len();
        while text.len() - start < 60 {
            text.extend_from_slice(WORDS[random.below(WORDS.len())].as_bytes());
            text.push(b' ');
        }
        text.pop();
        text.extend_from_slice(b"\r\n");
    }
    text
}

/// HTML as mail programs indent it: runs of spaces, which relaxed canonicalization reduces.
pub fn html(octets: usize) -> Vec<u8> {
    let mut random = Random(2);
    let mut html = Vec::with_capacity(octets + 80);
    while html.len() < octets {
        html.resize(html.len() + 2 * random.below(8), b' ');
        let word = WORDS[random.below(WORDS.len())];
        html.extend_from_slice(format!("<td class=\"{word}\">{word}</td>\r\n").as_bytes());
    }
    html
}

/// Base64 in lines of 76.
pub fn base64(octets: usize) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut random = Random(3);
    let mut lines = Vec::with_capacity(octets + 80);
    while lines.len() < octets {
        for _ in 0..76 {
            lines.push(alphabet[random.below(64)]);
        }
        lines.extend_from_slice(b"\r\n");
    }
    lines
}

/// A header as it comes from a large provider, up to Content-Type.
pub const HEADER: &str = "Received: from mx.example.net (mx.example.net [192.0.2.7])\r\n\tby mail.example.org with ESMTPS id 4f0c2d1e;\r\n\tMon, 23 Nov 2026 10:00:01 +0000\r\n\
Received: by mx.example.net with SMTP id 20so1234567lfj.3 for <bob@example.org>;\r\n        Mon, 23 Nov 2026 02:00:00 -0800 (PST)\r\n\
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=20260401;\r\n h=from:to:subject:date:message-id:mime-version:content-type;\r\n bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB4nujc7YopdG5dWLSdNg6x\r\n NAZpOPr+kHxt1IrE+NahM6L/LbvaHutKVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx\r\n 0orEtZV4bmp/YzhwvcubU4=\r\n\
X-Mailer: Example 1.0\r\nMIME-Version: 1.0\r\nReferences: <1@example.net> <2@example.net> <3@example.net>\r\nIn-Reply-To: <3@example.net>\r\n\
From: =?utf-8?Q?Alice_Ex=C3=A4mple?= <alice@example.net>\r\nDate: Mon, 23 Nov 2026 11:00:00 +0100\r\nMessage-ID: <CAB1234567890abcdef@mail.example.net>\r\n\
Subject: Re: The quarterly report and what we think of it\r\nTo: Bob Example <bob@example.org>, \"Carol, too\" <carol@example.org>\r\nCc: team@example.org\r\n";

/// A text mail of about `octets`.
pub fn plain(octets: usize) -> Vec<u8> {
    let body = text(octets.saturating_sub(HEADER.len()));
    let head = format!("{HEADER}Content-Type: text/plain; charset=\"utf-8\"\r\n\r\n");
    [head.as_bytes(), &body].concat()
}

/// multipart/mixed of multipart/alternative (text, HTML) and an attachment that makes up most of `octets`.
pub fn multipart(octets: usize) -> Vec<u8> {
    let some = octets / 16;
    [
        HEADER.as_bytes(),
        b"Content-Type: multipart/mixed; boundary=\"000000000000a1b2c3d4e5f6\"\r\n\r\n\
--000000000000a1b2c3d4e5f6\r\nContent-Type: multipart/alternative; boundary=\"000000000000f6e5d4c3b2a1\"\r\n\r\n\
--000000000000f6e5d4c3b2a1\r\nContent-Type: text/plain; charset=\"UTF-8\"\r\n\r\n",
        &text(some),
        b"\r\n--000000000000f6e5d4c3b2a1\r\nContent-Type: text/html; charset=\"UTF-8\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
        &html(some),
        b"\r\n--000000000000f6e5d4c3b2a1--\r\n--000000000000a1b2c3d4e5f6\r\nContent-Type: application/pdf; name=\"report.pdf\"\r\n\
Content-Disposition: attachment; filename=\"report.pdf\"\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <f_1>\r\n\r\n",
        &base64(octets.saturating_sub(2 * some)),
        b"\r\n--000000000000a1b2c3d4e5f6--\r\n",
    ]
    .concat()
}
