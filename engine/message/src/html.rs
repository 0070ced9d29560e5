//! What a reader sees of HTML: tags dropped, character references undone, scripts and styles left out.
//!
//! In:  UTF-8, in chunks cut between any two characters.
//! Out: text. White space is one space, as a browser draws it; an element that is drawn on lines of its own begins a
//! new one (CRLF), a cell of a table is set off by a space, other tags leave no trace: `<b>H</b>ello` is `Hello`.
//!
//! One pass, no tree, no stack: an octet is looked at once, and what is kept between chunks is a few octets. It follows
//! the states of the HTML standard (§13.2.5) as far as they decide what is text, and like them it fails on nothing.
//!
//! ```text
//! text  --&--> reference --> text          text --<--> open --letter--> name --> tag -->--> text
//! tag   --=--> before value --quote--> quoted --quote--> tag
//! open  --!--> mark --(--)--> comment -->--(-->)--> text      open --!?--> declaration -->--> text
//! tag of script, style -->--> raw --</script>--> text
//! ```

/// The longest name of a reference has 32 octets with `&` and `;`.
const REFERENCE_OCTETS_MAX: usize = 40;
/// The longest name of an element that matters here.
const NAME_OCTETS_MAX: usize = 12;

/// Elements whose content is not text.
const RAW: [&str; 2] = ["script", "style"];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// Behind `&`; the reference is in `held`.
    Reference,
    /// Behind `<`.
    Open,
    /// Behind `</`.
    Close,
    /// In the name of a tag, which is in `held`.
    Name { closing: bool },
    /// In a tag, behind its name.
    Tag,
    /// Behind `=` in a tag.
    BeforeValue,
    /// In a value that this quote ends.
    Quoted(u8),
    /// In a value without quotes.
    Bare,
    /// Behind `<!` and this many hyphens, 0 or 1.
    Mark(u8),
    /// In a comment, behind this many hyphens, at most 2.
    Comment(u8),
    /// In `<!…>`, `<?…>` or `</` and no letter.
    Declaration,
    /// In a script or style; this many octets of its end tag have come by.
    Raw(usize),
}

/// White space that is due before the next text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Line,
}

/// What is kept between chunks.
#[derive(Debug, Default)]
pub struct Html {
    state: State,
    gap: Gap,
    /// Some text was given out.
    began: bool,
    /// A name or a reference that is not complete.
    held: Vec<u8>,
    /// The element of [`RAW`] that is open, or whose tag is being read.
    raw: Option<usize>,
}

impl Html {
    /// Takes the next chunk, and appends what of it is seen to `out`.
    pub fn feed(&mut self, chunk: &str, out: &mut String) {
        let mut rest = chunk;
        while let Some(&octet) = rest.as_bytes().first() {
            let used = match self.state {
                State::Text => self.text(rest, out),
                State::Reference => self.reference(rest, out),
                State::Open => self.open(octet, out),
                State::Close => self.close(octet),
                State::Name { closing } => self.name(rest, closing),
                State::Tag => self.tag(rest),
                State::BeforeValue => self.before_value(octet),
                State::Quoted(quote) => self.until(rest, quote, State::Tag),
                State::Bare => self.bare(rest),
                State::Mark(hyphens) => self.mark(octet, hyphens),
                State::Comment(hyphens) => self.comment(rest, hyphens),
                State::Declaration => self.until(rest, b'>', State::Text),
                State::Raw(matched) => self.raw(rest, matched),
            };
            rest = &rest[used..];
        }
    }

    /// The HTML ends here.
    pub fn finish(&mut self, out: &mut String) {
        match self.state {
            State::Reference => self.end_reference(out),
            State::Open => self.word("<", out),
            _ => {}
        }
        *self = Html::default();
    }

    fn text(&mut self, rest: &str, out: &mut String) -> usize {
        let end = memchr::memchr2(b'<', b'&', rest.as_bytes());
        self.words(&rest[..end.unwrap_or(rest.len())], out);
        match end {
            None => rest.len(),
            Some(at) => {
                self.state = match rest.as_bytes()[at] {
                    b'<' => State::Open,
                    _ => State::Reference,
                };
                at + 1
            }
        }
    }

    /// Text without markup: words and what is between them. A no-break space is drawn like any other.
    fn words(&mut self, run: &str, out: &mut String) {
        let octets = run.as_bytes();
        let mut start = 0;
        let mut at = 0;
        while at < octets.len() {
            let space = match octets[at] {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0c => 1,
                0xc2 if octets.get(at + 1) == Some(&0xa0) => 2,
                _ => {
                    at += 1;
                    continue;
                }
            };
            self.word(&run[start..at], out);
            self.gap = self.gap.max(Gap::Space);
            at += space;
            start = at;
        }
        self.word(&run[start..], out);
    }

    fn word(&mut self, word: &str, out: &mut String) {
        if word.is_empty() {
            return;
        }
        match self.gap {
            _ if !self.began => {}
            Gap::None => {}
            Gap::Space => out.push(' '),
            Gap::Line => out.push_str("\r\n"),
        }
        (self.gap, self.began) = (Gap::None, true);
        out.push_str(word);
    }

    fn reference(&mut self, rest: &str, out: &mut String) -> usize {
        let room = REFERENCE_OCTETS_MAX - self.held.len();
        let named = |octet: &&u8| octet.is_ascii_alphanumeric() || **octet == b'#';
        let name = rest.bytes().take(room);
        let length = name.take_while(|octet| named(&octet)).count();
        self.held.extend_from_slice(&rest.as_bytes()[..length]);
        match rest.as_bytes().get(length) {
            None => length,
            Some(b';') if length < room => {
                self.held.push(b';');
                self.end_reference(out);
                length + 1
            }
            Some(_) => {
                self.end_reference(out);
                length
            }
        }
    }

    fn end_reference(&mut self, out: &mut String) {
        self.state = State::Text;
        let held = std::mem::take(&mut self.held);
        let reference = [b"&", &held[..]].concat();
        let reference = std::str::from_utf8(&reference).unwrap_or("&");
        self.words(&htmlize::unescape(reference), out);
        self.held = held;
        self.held.clear();
    }

    fn open(&mut self, octet: u8, out: &mut String) -> usize {
        match octet {
            b'/' => self.state = State::Close,
            b'!' => self.state = State::Mark(0),
            b'?' => self.state = State::Declaration,
            _ if octet.is_ascii_alphabetic() => {
                self.state = State::Name { closing: false };
                return 0;
            }
            _ => {
                self.word("<", out);
                self.state = State::Text;
                return 0;
            }
        }
        1
    }

    fn close(&mut self, octet: u8) -> usize {
        self.state = match octet {
            b'>' => State::Text,
            _ if octet.is_ascii_alphabetic() => State::Name { closing: true },
            _ => State::Declaration,
        };
        usize::from(octet == b'>')
    }

    fn name(&mut self, rest: &str, closing: bool) -> usize {
        let ends = |octet: u8| octet.is_ascii_whitespace() || octet == b'/' || octet == b'>';
        let end = rest.bytes().position(ends);
        let length = end.unwrap_or(rest.len());
        // A longer name is none that matters; one octet too many is kept, so that it is told from a shorter one.
        let room = (NAME_OCTETS_MAX + 1).saturating_sub(self.held.len());
        self.held
            .extend_from_slice(&rest.as_bytes()[..length.min(room)]);
        if end.is_some() {
            self.named(closing);
            self.state = State::Tag;
        }
        length
    }

    /// A tag's name is complete.
    fn named(&mut self, closing: bool) {
        self.held.make_ascii_lowercase();
        let name = &self.held[..];
        if is_block(name) {
            self.gap = Gap::Line;
        } else if name == b"td" || name == b"th" {
            self.gap = self.gap.max(Gap::Space);
        } else if !closing {
            self.raw = RAW.iter().position(|raw| raw.as_bytes() == name);
        }
        self.held.clear();
    }

    fn tag(&mut self, rest: &str) -> usize {
        let Some(at) = memchr::memchr2(b'>', b'=', rest.as_bytes()) else {
            return rest.len();
        };
        if rest.as_bytes()[at] == b'=' {
            self.state = State::BeforeValue;
        } else {
            self.end_tag();
        }
        at + 1
    }

    fn end_tag(&mut self) {
        self.state = match self.raw {
            Some(_) => State::Raw(0),
            None => State::Text,
        };
    }

    fn before_value(&mut self, octet: u8) -> usize {
        match octet {
            b'"' | b'\'' => self.state = State::Quoted(octet),
            b'>' => self.end_tag(),
            _ if octet.is_ascii_whitespace() => {}
            _ => {
                self.state = State::Bare;
                return 0;
            }
        }
        1
    }

    fn bare(&mut self, rest: &str) -> usize {
        let ends = |octet: u8| octet.is_ascii_whitespace() || octet == b'>';
        match rest.bytes().position(ends) {
            None => rest.len(),
            Some(at) => {
                match rest.as_bytes()[at] {
                    b'>' => self.end_tag(),
                    _ => self.state = State::Tag,
                }
                at + 1
            }
        }
    }

    fn mark(&mut self, octet: u8, hyphens: u8) -> usize {
        self.state = match (octet, hyphens) {
            (b'-', 0) => State::Mark(1),
            // `<!-->` is a whole comment.
            (b'-', _) => State::Comment(2),
            _ => State::Declaration,
        };
        usize::from(octet == b'-')
    }

    fn comment(&mut self, rest: &str, hyphens: u8) -> usize {
        match (rest.as_bytes()[0], hyphens) {
            (b'>', 2) => self.state = State::Text,
            (b'-', _) => self.state = State::Comment((hyphens + 1).min(2)),
            _ => {
                self.state = State::Comment(0);
                return memchr::memchr(b'-', rest.as_bytes()).unwrap_or(rest.len());
            }
        }
        1
    }

    fn raw(&mut self, rest: &str, matched: usize) -> usize {
        let octets = rest.as_bytes();
        if matched == 0 {
            let Some(at) = memchr::memchr(b'<', octets) else {
                return rest.len();
            };
            self.state = State::Raw(1);
            return at + 1;
        }
        let name = RAW[self.raw.unwrap_or(0)].as_bytes();
        let expected = match matched {
            1 => Some(b'/'),
            _ => name.get(matched - 2).copied(),
        };
        self.state = match expected {
            Some(expected) if octets[0].eq_ignore_ascii_case(&expected) => State::Raw(matched + 1),
            // The whole name: it is the end tag unless the name goes on.
            None if octets[0].is_ascii_whitespace() || matches!(octets[0], b'/' | b'>') => {
                self.raw = None;
                State::Tag
            }
            _ => State::Raw(0),
        };
        // What was not expected may begin an end tag of its own.
        usize::from(matches!(self.state, State::Raw(matched) if matched > 0))
    }

    /// Passes over everything up to and with `octet`, behind which `state` is.
    fn until(&mut self, rest: &str, octet: u8, state: State) -> usize {
        match memchr::memchr(octet, rest.as_bytes()) {
            None => rest.len(),
            Some(at) => {
                self.state = state;
                at + 1
            }
        }
    }
}

/// Whether an element is drawn on lines of its own. A `match` of octets, for this is asked of every tag: sought in a
/// sorted list the names took half of the time.
#[rustfmt::skip]
fn is_block(name: &[u8]) -> bool {
    matches!(
        name,
        b"address" | b"article" | b"aside" | b"blockquote" | b"body" | b"br" | b"caption" | b"center" | b"dd"
        | b"details" | b"dialog" | b"dir" | b"div" | b"dl" | b"dt" | b"fieldset" | b"figcaption" | b"figure"
        | b"footer" | b"form" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"head" | b"header" | b"hr"
        | b"html" | b"legend" | b"li" | b"main" | b"menu" | b"nav" | b"ol" | b"optgroup" | b"option" | b"p"
        | b"pre" | b"section" | b"select" | b"summary" | b"table" | b"tbody" | b"textarea" | b"tfoot"
        | b"thead" | b"title" | b"tr" | b"ul"
    )
}

/// What a reader sees of `html`.
pub fn visible(html: &str) -> String {
    let (mut reader, mut out) = (Html::default(), String::new());
    reader.feed(html, &mut out);
    reader.finish(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &[(&str, &str)] = &[
        ("", ""),
        ("plain", "plain"),
        ("<b>H</b>ello", "Hello"),
        ("a  b\r\n\tc", "a b c"),
        ("  a ", "a"),
        ("<p>a</p><p>b</p>", "a\r\nb"),
        ("a<br>b<BR/>c", "a\r\nb\r\nc"),
        ("<div><div>a</div></div> <div>b", "a\r\nb"),
        ("<tr><td>a</td><td>b</td></tr><tr><td>c", "a b\r\nc"),
        ("<a href=\"x>y\">z</a>", "z"),
        ("<a href='x>y' title = \"<b>\">z</a>", "z"),
        ("<a href=x>z</a>", "z"),
        ("<a b=>z</a>", "z"),
        ("a<script>var b = \"</scrip>\" < c;</script>d", "ad"),
        ("a<style type='text/css'>b{}</STYLE >c", "ac"),
        ("<script></scripty></script/>a", "a"),
        ("a<script><</script>b", "ab"),
        ("a<script>b", "a"),
        ("<scripty>a", "a"),
        ("a<!-- b > c --d -->e", "ae"),
        ("a<!-->b<!--->c<!---->d", "abcd"),
        ("a<!--b", "a"),
        (
            "<!DOCTYPE html><html><head><title>T</title></head><body>a",
            "T\r\na",
        ),
        ("<![if !mso]>a<![endif]>", "a"),
        ("<?xml a='>'?>b", "'?>b"),
        ("a</>b</ c>d", "abd"),
        ("1 < 2 <3 a<b", "1 < 2 <3 a"),
        ("a<", "a<"),
        ("&lt;b&gt; &amp;amp; &quot;", "<b> &amp; \""),
        ("Gr&uuml;n &#252; &#xFC; &#XFC;", "Grün ü ü ü"),
        ("a&nbsp;b\u{a0}c&#160;d", "a b c d"),
        (
            "&copy 2026 &notit; &nosuch; &;&",
            "© 2026 ¬it; &nosuch; &;&",
        ),
        ("&#0; &#x110000; &#128;", "\u{fffd} \u{fffd} €"),
        ("&CounterClockwiseContourIntegral;", "∳"),
        ("漢<b>字</b>&#128512;", "漢字😀"),
        ("a<x-long-custom-element-name c>b", "ab"),
    ];

    /// Every case, whole and cut between any two characters: the cut must not show.
    #[test]
    fn cuts_do_not_show() {
        for (html, expected) in CASES {
            assert_eq!(visible(html), *expected, "{html:?}");
            let (mut reader, mut out) = (Html::default(), String::new());
            let mut octets = [0; 4];
            for character in html.chars() {
                reader.feed(character.encode_utf8(&mut octets), &mut out);
            }
            reader.finish(&mut out);
            assert_eq!(out, *expected, "{html:?}, character by character");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_octets(html in "([<>&;/!\"'= -]{1,3}|script|style|p|a|nbsp|#x?[0-9a-f]{0,9}|\\PC{0,3}){0,40}", cut in 0usize..80) {
            let cut = html.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(html.len());
            let (mut reader, mut out) = (Html::default(), String::new());
            reader.feed(&html[..cut], &mut out);
            reader.feed(&html[cut..], &mut out);
            reader.finish(&mut out);
            proptest::prop_assert!(out.len() <= 4 * html.len() + 4);
            proptest::prop_assert_eq!(out, visible(&html));
        }
    }
}
