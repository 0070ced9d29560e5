//! The mails that are sent: made from a seed or read from a folder, rendered once, told apart by two lines.
//!
//! In:  a seed and sizes, or a folder of `.eml` files.
//! Out: [`Corpus`]; [`Template::render`] writes a mail for the wire, [`inspect`] reads one that came back.
//!
//! Each mail begins with two lines of fixed length that carry its identity; what follows is the same for
//! all mails of a template and is rendered (dots stuffed) only once. So a mail costs the generator a copy.
//! The second line also carries the digest of everything after it: a mail that comes back can be judged
//! without knowing what was sent, by a later process too.

use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;

use xxhash_rust::xxh3::xxh3_64;

/// Names one mail: the run that sent it and its number in the run, 0 and up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    pub run: u64,
    pub number: u64,
}

const HEADER: &[u8] = b"X-Ringpost-Load: ";
const MESSAGE_ID: &[u8] = b"Message-ID: <";
const DOMAIN: &[u8] = b"@ringpost-load.invalid>\r\n";
/// Who writes the made mails where nobody is named.
pub const AUTHOR: &str = "load@ringpost-load.invalid";
/// Octets of the two lines.
pub const IDENTITY_OCTETS: usize =
    MESSAGE_ID.len() + 16 + 1 + 16 + DOMAIN.len() + HEADER.len() + 3 * 16 + 2 + 2;

/// Writes the two lines that make `id` readable in the mail.
pub fn write_identity(out: &mut Vec<u8>, id: Id, digest: u64) {
    out.extend_from_slice(MESSAGE_ID);
    write_hex(out, id.run);
    out.push(b'.');
    write_hex(out, id.number);
    out.extend_from_slice(DOMAIN);
    out.extend_from_slice(HEADER);
    write_hex(out, id.run);
    out.push(b' ');
    write_hex(out, id.number);
    out.push(b' ');
    write_hex(out, digest);
    out.extend_from_slice(b"\r\n");
}

/// Why a mail that came back is not the one that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No identity in it: not a mail of any load generator.
    Stranger,
    /// The mail of `id`, but its octets are not those sent.
    Altered(Id),
}

/// Reads the identity of a stored mail and checks that every octet after it, and the line before it,
/// is as sent. Lines that the server put in front (trace fields) are not looked at.
pub fn inspect(stored: &[u8]) -> Result<Id, Fault> {
    let at = find_identity(stored).ok_or(Fault::Stranger)?;
    let (id, digest) = read_identity(&stored[at..]).ok_or(Fault::Stranger)?;
    let rest = &stored[at + HEADER.len() + 3 * 16 + 2 + 2..];
    let mut expected = Vec::with_capacity(IDENTITY_OCTETS);
    write_identity(&mut expected, id, digest);
    let lines_end = stored.len() - rest.len();
    match stored[..lines_end].ends_with(&expected) && xxh3_64(rest) == digest {
        true => Ok(id),
        false => Err(Fault::Altered(id)),
    }
}

/// The identity in some header lines, as `BODY[HEADER.FIELDS (X-Ringpost-Load)]` gives them.
pub fn identity_of_header(header: &[u8]) -> Option<Id> {
    let at = find_identity(header)?;
    read_identity(&header[at..]).map(|(id, _)| id)
}

/// Where the identity line begins: within the header, at the start of a line.
fn find_identity(octets: &[u8]) -> Option<usize> {
    let mut at = 0;
    for line in octets.split_inclusive(|&octet| octet == b'\n') {
        if line
            .get(..HEADER.len())
            .is_some_and(|name| name.eq_ignore_ascii_case(HEADER))
        {
            return Some(at);
        }
        if line == b"\r\n" {
            return None;
        }
        at += line.len();
    }
    None
}

fn read_identity(line: &[u8]) -> Option<(Id, u64)> {
    let values = line.get(HEADER.len()..HEADER.len() + 3 * 16 + 2)?;
    if values[16] != b' ' || values[33] != b' ' {
        return None;
    }
    let id = Id {
        run: read_hex(&values[..16])?,
        number: read_hex(&values[17..33])?,
    };
    Some((id, read_hex(&values[34..])?))
}

fn write_hex(out: &mut Vec<u8>, value: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits: [u8; 16] =
        std::array::from_fn(|place| DIGITS[(value >> (60 - 4 * place)) as usize & 15]);
    out.extend_from_slice(&digits);
}

/// A number of 16 hexadecimal digits.
pub fn read_hex(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok()?;
    let plain = digits.len() == 16 && digits.bytes().all(|octet| octet.is_ascii_hexdigit());
    plain
        .then(|| u64::from_str_radix(digits, 16).ok())
        .flatten()
}

/// A mail but for its identity.
#[derive(Debug)]
pub struct Template {
    /// As it is stored.
    plain: Vec<u8>,
    /// As DATA carries it, end of data included. RFC 5321 §4.5.2.
    stuffed: Vec<u8>,
    digest: u64,
}

/// How a mail goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// After DATA: dots stuffed, CRLF "." CRLF at the end.
    Data,
    /// After BDAT: as it is. RFC 3030 §2.
    Chunk,
}

impl Template {
    /// A mail of these octets after the identity lines. It gets a last line end where it has none: DATA
    /// cannot carry a mail without.
    pub fn new(mut plain: Vec<u8>) -> Self {
        if !plain.ends_with(b"\r\n") {
            plain.extend_from_slice(b"\r\n");
        }
        let mut stuffed = Vec::with_capacity(plain.len() + plain.len() / 64 + 5);
        for line in plain.split_inclusive(|&octet| octet == b'\n') {
            // Only CRLF ends a line: what follows a bare LF is not at the start of one.
            if line.starts_with(b".") && (stuffed.is_empty() || stuffed.ends_with(b"\r\n")) {
                stuffed.push(b'.');
            }
            stuffed.extend_from_slice(line);
        }
        stuffed.extend_from_slice(b".\r\n");
        let digest = xxh3_64(&plain);
        Template {
            plain,
            stuffed,
            digest,
        }
    }

    /// Octets of a whole mail as SIZE counts them. RFC 1870 §5.
    pub fn octets(&self) -> usize {
        IDENTITY_OCTETS + self.plain.len()
    }

    /// The mail called `id`: its identity goes into `out`, what is the same for all is returned.
    pub fn render(&self, out: &mut Vec<u8>, id: Id, form: Form) -> &[u8] {
        write_identity(out, id, self.digest);
        match form {
            Form::Data => &self.stuffed,
            Form::Chunk => &self.plain,
        }
    }
}

/// Sizes of made mails, in octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes(pub RangeInclusive<usize>);

impl FromStr for Sizes {
    type Err = String;

    /// `2048`, `2k`, `1k-400k`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        let (low, high) = (octets(low)?, octets(high)?);
        match low <= high && low >= SIZE_OCTETS_MIN && high <= SIZE_OCTETS_MAX {
            true => Ok(Sizes(low..=high)),
            false => Err(format!(
                "sizes go from {SIZE_OCTETS_MIN} to {SIZE_OCTETS_MAX} octets"
            )),
        }
    }
}

/// Room for identity and header.
const SIZE_OCTETS_MIN: usize = 512;
const SIZE_OCTETS_MAX: usize = 256 << 20;

fn octets(text: &str) -> Result<usize, String> {
    let (digits, unit) = match text.to_ascii_lowercase() {
        lower if lower.ends_with('k') => (&text[..text.len() - 1], 1 << 10),
        lower if lower.ends_with('m') => (&text[..text.len() - 1], 1 << 20),
        _ => (text, 1),
    };
    let count: usize = digits
        .parse()
        .map_err(|_| format!("{text:?} is not a number of octets"))?;
    count
        .checked_mul(unit)
        .ok_or_else(|| format!("{text:?} is too large"))
}

/// All templates of a run.
#[derive(Debug)]
pub struct Corpus {
    templates: Vec<Template>,
}

/// Templates made for one run; enough that no two neighbours are alike.
const TEMPLATES: u64 = 16;
/// All templates together; they are held in memory twice.
const CORPUS_OCTETS_MAX: u64 = 1 << 30;

impl Corpus {
    /// Mails of words, sizes spread evenly over the orders of magnitude of `sizes`. `author` stands in From; the same
    /// seed gives the same octets.
    pub fn made(seed: u64, sizes: &Sizes, author: &str) -> Self {
        let (low, high) = (*sizes.0.start() as f64, *sizes.0.end() as f64);
        let size = |number: u64| {
            let place = number as f64 / (TEMPLATES - 1) as f64;
            (low * (high / low).powf(place)).round() as usize
        };
        let template =
            |number: u64| Template::new(words(seed ^ number << 32, number, size(number), author));
        Corpus {
            templates: (0..TEMPLATES).map(template).collect(),
        }
    }

    /// The `.eml` files of a folder, in the order of their names. A file without any CRLF has its LFs turned into CRLF.
    pub fn folder(folder: &Path) -> io::Result<Self> {
        let mut paths: Vec<_> = fs::read_dir(folder)?
            .map(|entry| entry.map(|e| e.path()))
            .collect::<Result<_, _>>()?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
        paths.sort();
        let mut templates = Vec::with_capacity(paths.len());
        let mut total = 0;
        for path in paths {
            let octets = fs::read(&path)?;
            total += octets.len() as u64;
            if total > CORPUS_OCTETS_MAX {
                return Err(io::Error::other(format!(
                    "more than {CORPUS_OCTETS_MAX} octets of mail"
                )));
            }
            templates.push(Template::new(with_crlf(octets)));
        }
        match templates.is_empty() {
            true => Err(io::Error::new(
                io::ErrorKind::NotFound,
                "no .eml file in it",
            )),
            false => Ok(Corpus { templates }),
        }
    }

    /// The template of mail `number`.
    pub fn template(&self, number: u64) -> &Template {
        &self.templates[(number % self.templates.len() as u64) as usize]
    }
}

fn with_crlf(octets: Vec<u8>) -> Vec<u8> {
    let has_crlf = octets.windows(2).any(|pair| pair == b"\r\n");
    if has_crlf {
        return octets;
    }
    let mut out = Vec::with_capacity(octets.len() + octets.len() / 32);
    for line in octets.split_inclusive(|&octet| octet == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(text) => {
                out.extend_from_slice(text);
                out.extend_from_slice(b"\r\n");
            }
            None => out.extend_from_slice(line),
        }
    }
    out
}

/// Header and lines of words, `size` octets in all with the identity lines. `author` stands in From.
fn words(seed: u64, number: u64, size: usize, author: &str) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "mail", "ring", "post", "the", "of", "letter", "arrives", "and", "a", "box", "tomorrow",
        "morning", "stamp", "without", "carrier", "signed",
    ];
    let mut out = format!(
        "From: Load <{author}>\r\nTo: you@ringpost-load.invalid\r\n\
         Subject: Load template {number}\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
    )
    .into_bytes();
    let size = size.saturating_sub(IDENTITY_OCTETS).max(out.len() + 4);
    let mut random = Random(seed);
    let mut column = 0;
    while out.len() < size {
        let bits = random.next();
        // One line in sixteen starts with a dot, so that stuffing is always exercised.
        if column == 0 && bits >> 60 == 0 {
            out.push(b'.');
        }
        let word = WORDS[(bits & 15) as usize];
        out.extend_from_slice(word.as_bytes());
        column += word.len() + 1;
        match column > 64 {
            true => {
                out.extend_from_slice(b"\r\n");
                column = 0;
            }
            false => out.push(b' '),
        }
    }
    out.truncate(size - 2);
    // The cut may fall inside a line end; neither half of it may stay.
    while let Some(b'\r' | b'\n') = out.last() {
        out.pop();
    }
    out.resize(size - 2, b'.');
    out.extend_from_slice(b"\r\n");
    out
}

/// SplitMix64: small, even, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    #[expect(
        clippy::should_implement_trait,
        reason = "endless: an Option would never be None"
    )]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Id = Id {
        run: 0x0123_4567_89ab_cdef,
        number: 41,
    };

    fn rendered(template: &Template, form: Form) -> Vec<u8> {
        let mut out = Vec::new();
        let rest = template.render(&mut out, ID, form).to_vec();
        out.extend_from_slice(&rest);
        out
    }

    #[test]
    fn made_mails_have_their_size_and_their_identity() {
        for size in [512, 513, 2048, 70_000] {
            let corpus = Corpus::made(7, &Sizes(size..=size), AUTHOR);
            for number in 0..TEMPLATES {
                let template = corpus.template(number);
                let mail = rendered(template, Form::Chunk);
                assert_eq!((mail.len(), template.octets()), (size, size));
                assert!(mail.ends_with(b"\r\n"));
                assert_eq!(inspect(&mail), Ok(ID));
                let bare = mail
                    .split(|&o| o == b'\n')
                    .rev()
                    .skip(1)
                    .any(|l| !l.ends_with(b"\r"));
                assert!(!bare && mail.split(|&o| o == b'\n').all(|l| l.len() < 998));
            }
        }
    }

    #[test]
    fn same_seed_same_octets() {
        let sizes: Sizes = "1k-64k".parse().unwrap();
        let (one, two, other) = (
            Corpus::made(1, &sizes, AUTHOR),
            Corpus::made(1, &sizes, AUTHOR),
            Corpus::made(2, &sizes, AUTHOR),
        );
        assert_eq!(one.template(3).plain, two.template(3).plain);
        assert_ne!(one.template(3).plain, other.template(3).plain);
        assert_eq!(one.template(0).octets(), 1024);
        assert_eq!(one.template(TEMPLATES - 1).octets(), 65_536);
    }

    #[test]
    fn dots_are_stuffed() {
        let template = Template::new(b".a\r\n..\r\nb.\r\n".to_vec());
        assert_eq!(template.stuffed, b"..a\r\n...\r\nb.\r\n.\r\n");
        let template = Template::new(b"no line end".to_vec());
        assert_eq!(template.stuffed, b"no line end\r\n.\r\n");
        assert_eq!(template.plain, b"no line end\r\n");
        let template = Template::new(b"bare\n.x\r\n.y\r\n".to_vec());
        assert_eq!(template.stuffed, b"bare\n.x\r\n..y\r\n.\r\n");
    }

    #[test]
    fn every_changed_octet_shows() {
        let corpus = Corpus::made(7, &Sizes(512..=512), AUTHOR);
        let sent = rendered(corpus.template(0), Form::Chunk);
        let stored = [b"Return-Path: <a@b>\r\nReceived: x\r\n".as_slice(), &sent].concat();
        assert_eq!(inspect(&stored), Ok(ID));
        let front = stored.len() - sent.len();
        for at in front..stored.len() {
            let mut altered = stored.clone();
            altered[at] ^= 1;
            assert_ne!(inspect(&altered), Ok(ID), "octet {at}");
        }
        assert!(matches!(
            inspect(&stored[..stored.len() - 1]),
            Err(Fault::Altered(ID))
        ));
        assert_eq!(
            inspect(b"Subject: x\r\n\r\nX-Ringpost-Load: "),
            Err(Fault::Stranger)
        );
        assert_eq!(inspect(b""), Err(Fault::Stranger));
    }

    #[test]
    fn header_alone_tells_the_id() {
        let sent = rendered(
            Corpus::made(7, &Sizes(512..=512), AUTHOR).template(0),
            Form::Chunk,
        );
        let at = find_identity(&sent).unwrap();
        assert_eq!(
            identity_of_header(&sent[at..at + HEADER.len() + 52]),
            Some(ID)
        );
        assert_eq!(identity_of_header(b"\r\n"), None);
    }

    #[test]
    fn sizes() {
        assert_eq!("2048".parse(), Ok(Sizes(2048..=2048)));
        assert_eq!("1k-2M".parse(), Ok(Sizes(1024..=2 << 20)));
        for text in ["", "k", "511", "2k-1k", "1g", "1-2-3", "257m"] {
            assert!(text.parse::<Sizes>().is_err(), "{text}");
        }
    }

    #[test]
    fn folder_of_mails() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Corpus::folder(dir.path()).is_err());
        fs::write(dir.path().join("b.eml"), b"Subject: b\n\n.x\n").unwrap();
        fs::write(
            dir.path().join("a.eml"),
            b"Subject: a\r\n\r\nbare\nstays\r\n",
        )
        .unwrap();
        fs::write(dir.path().join("c.txt"), b"no").unwrap();
        let corpus = Corpus::folder(dir.path()).unwrap();
        assert_eq!(corpus.templates.len(), 2);
        assert_eq!(
            corpus.template(0).plain,
            b"Subject: a\r\n\r\nbare\nstays\r\n"
        );
        assert_eq!(
            corpus.template(1).stuffed,
            b"Subject: b\r\n\r\n..x\r\n.\r\n"
        );
    }
}
