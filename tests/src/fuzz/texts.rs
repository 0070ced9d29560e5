//! Searchable text: mails and HTML, whole and in pieces.

use super::{Target, cuts};
use crate::mail;
use crate::random::Random;
use ringpost_message::html::{self, Html};
use ringpost_message::searchable::{self, Reader};
use ringpost_message::{Digest, Scanner};
use ringpost_types::limit::Limits;

const HTML: &[&str] = &[
    "<!DOCTYPE html><html><head><title>T</title><style>p { a: \"</p>\" }</style></head><body><p class='x>y'>One &amp; two<br>three</p>\
     <script>if (a < b) { \"</scrip\" }</script><!-- gone --><table><tr><td>a</td><td>b&nbsp;c</td></tr></table></body></html>",
    "&#x1F600;&#128;&notit;&CounterClockwiseContourIntegral;&lt<b/>a</b ><![if !mso]>x<![endif]><?xml ?></>",
];

pub const HTML_TEXT: Target = Target {
    name: "html",
    seeds: || HTML.iter().map(|html| html.as_bytes().to_vec()).collect(),
    words: &[
        b"<",
        b">",
        b"</",
        b"<!--",
        b"-->",
        b"--",
        b"<!",
        b"&",
        b"&#",
        b"&#x",
        b";",
        b"=\"",
        b"'",
        b"<p>",
        b"<td>",
        b"<script",
        b"</script",
        b"<style>",
        b"</style>",
        b"&amp;",
        b"&nbsp;",
        b"\xc2\xa0",
        b"  ",
    ],
    check: |input, random| {
        let text = String::from_utf8_lossy(input);
        let seen = html::visible(&text);
        assert!(seen.len() <= 4 * text.len() + 4, "what is seen is bounded");
        let (mut reader, mut out, mut from) = (Html::default(), String::new(), 0);
        let cuts = cuts(text.len(), random);
        for to in cuts.iter().map(|&cut| text.floor_char_boundary(cut)) {
            reader.feed(&text[from..to], &mut out);
            from = to;
        }
        reader.finish(&mut out);
        assert!(out == seen, "cut at {cuts:?}");
    },
};

pub const SEARCHABLE: Target = Target {
    name: "searchable",
    seeds: || {
        let samples = mail::samples().into_iter().map(|sample| sample.octets);
        let html = HTML.iter().map(|html| {
            let mail = format!("Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{html}");
            mail.into_bytes()
        });
        samples.chain(html).collect()
    },
    words: &[
        b"\r\n\r\n",
        b"=\r\n",
        b"=C3=BC",
        b"=?utf-8?q?=C3=9C?=",
        b"R3LDvG4=",
        b"<p>",
        b"&uuml;",
        b"\xc3\x9c",
        b"\xff",
        b"Content-Type: text/html\r\n",
        b"Content-Type: text/plain; charset=utf-16\r\n",
        b"--b1\r\n",
        b"Content-Type: text/plain; charset=iso-2022-jp\r\n",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n",
        b"\x1b$B4A\x1b(B",
    ],
    check: check_searchable,
};

fn check_searchable(input: &[u8], random: &mut Random) {
    let mut scanner = Scanner::new(&Limits::default());
    scanner.feed(input, 0);
    let digest = scanner.finish(input, 0);
    let digest = Digest::read(&digest).expect("what is written reads back");
    let found = searchable::of(&digest, input, usize::MAX).expect("no bound");
    assert!(found.text.len() <= 6 * input.len() + 16 * (digest.parts() + 2));
    assert!(found.inner <= found.body && found.body <= found.text.len());
    assert!(
        std::str::from_utf8(&found.text).is_ok(),
        "folded text is UTF-8"
    );
    assert!(std::str::from_utf8(&found.keys).is_ok(), "so are the keys");
    let (mut reader, mut text) = (Reader::default(), Vec::new());
    for piece in searchable::pieces(&digest) {
        let octets = piece.span.of(input);
        let mut from = 0;
        reader.begin(&piece);
        for to in cuts(octets.len(), random) {
            reader.feed(&octets[from..to], &mut text);
            from = to;
        }
        reader.finish(&mut text);
    }
    assert!(text == found.text, "in pieces it reads the same");
}
