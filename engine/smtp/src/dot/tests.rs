//! Every case, cut everywhere; and both forms over all short strings.

use super::*;

/// (octets on the wire, body, bare line ends, octets after the end)
const CASES: &[(&str, &str, u32, &str)] = &[
    (".\r\n", "", 0, ""),
    ("a\r\n.\r\nQUIT\r\n", "a\r\n", 0, "QUIT\r\n"),
    ("..\r\n.\r\n", ".\r\n", 0, ""),
    (".a\r\n.\r\n", "a\r\n", 0, ""),
    ("a.\r\n.\r\n", "a.\r\n", 0, ""),
    (
        "a\r\n\r\nb\r\nc\r\n..d\r\n.\r\n",
        "a\r\n\r\nb\r\nc\r\n.d\r\n",
        0,
        "",
    ),
    ("a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", 2, ""),
    ("a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", 1, ""),
    ("a\r.\r\n.\r\n", "a\r.\r\n", 1, ""),
    ("a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", 1, ""),
    ("a\r\n.\r\r\n.\r\n", "a\r\n\r\r\n", 1, ""),
    ("\r\n.\r\n", "\r\n", 0, ""),
    ("a\0b\r\n.\r\n", "a\0b\r\n", 0, ""),
];

/// What came of a wire: body, bare line ends, the octets after the end if there was one.
type Read = (Vec<u8>, u32, Option<Vec<u8>>);

macro_rules! reader {
    ($name:ident, $undot:ty) => {
        fn $name(chunks: &[&[u8]]) -> Read {
            let (mut undot, mut body) = (<$undot>::new(), Vec::new());
            let mut after = None;
            for mut chunk in chunks.iter().copied() {
                while after.is_none() && !chunk.is_empty() {
                    let (step, left) = undot.step(chunk);
                    chunk = left;
                    match step {
                        Step::Run(run) => {
                            assert!(!run.is_empty());
                            body.extend_from_slice(run);
                        }
                        Step::More => assert!(chunk.is_empty()),
                        Step::End => after = Some(Vec::new()),
                    }
                }
                if let Some(after) = &mut after {
                    after.extend_from_slice(chunk);
                }
            }
            (body, undot.bare, after)
        }
    };
}
reader!(read, Undot);
reader!(read_plain, plain::Undot);

#[test]
fn cuts_do_not_show() {
    for (wire, body, bare, after) in CASES {
        let wire = wire.as_bytes();
        let expected = (
            body.as_bytes().to_vec(),
            *bare,
            Some(after.as_bytes().to_vec()),
        );
        let cuts = (0..=wire.len()).map(|cut| vec![&wire[..cut], &wire[cut..]]);
        for chunks in cuts.chain([wire.chunks(1).collect()]) {
            assert_eq!(read(&chunks), expected, "{wire:?}");
        }
    }
}

/// All strings of up to 7 octets of four kinds, whole and cut once at every place: the forms agree.
#[test]
fn both_forms_agree() {
    for length in 0..=7u32 {
        for number in 0..4u32.pow(length) {
            let kind = |place: u32| b".\r\na"[(number >> (2 * place) & 3) as usize];
            let short: Vec<u8> = (0..length).map(kind).collect();
            // Behind ordinary octets, so that the kernel's wide form meets them too.
            let long = [
                &b"ordinary octets of one line, 40 of them.."[..],
                &short,
                &short,
            ]
            .concat();
            assert_eq!(read(&[&long]), read_plain(&[&long]), "{long:?}");
            let wire = short;
            for cut in 0..=wire.len() {
                let chunks = [&wire[..cut], &wire[cut..]];
                assert_eq!(read(&chunks), read_plain(&chunks), "{wire:?} cut at {cut}");
            }
        }
    }
}
