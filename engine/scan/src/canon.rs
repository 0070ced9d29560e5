//! DKIM's two canonical forms of a body, streaming. RFC 6376 §3.4.3, §3.4.4.
//!
//! In:  body octets, cut anywhere. Out: borrowed runs of the canonical form, handed to a sink in order.
//!
//! Invariants: only CRLF ends a line, a CR or LF alone is an ordinary octet; what may still turn out to be nothing (empty
//! lines, white space at a line's end) is counted, never kept.
//!
//! The canonical form of ordinary mail is mostly the mail itself. So a kernel looks for the next octet where
//! the two may differ, what lies before goes to the sink as it is, and one octet at a time is taken through
//! the states below until the forms agree again.

/// Which form. RFC 6376 §3.4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// Only empty lines at the end go. RFC 6376 §3.4.3.
    #[default]
    Simple,
    /// White space is reduced too. RFC 6376 §3.4.4.
    Relaxed,
}

/// What is kept between chunks.
#[derive(Clone, Debug)]
pub struct Body {
    form: Form,
    /// Line ends not yet handed on: dropped when nothing but line ends follows.
    lines: u64,
    /// White space not yet handed on; only in the relaxed form.
    space: bool,
    /// A CR that may begin a line end.
    cr: bool,
    /// Whether anything was handed on.
    any: bool,
}

/// Line ends, and one space behind them: what is held is mostly a piece of its end.
const HELD: &[u8] = &{
    let mut octets = [b'\r'; 2 * LINES_MAX + 1];
    let mut at = 1;
    while at < octets.len() {
        octets[at] = b'\n';
        at += 2;
    }
    octets[2 * LINES_MAX] = b' ';
    octets
};
const LINES_MAX: usize = 64;

impl Body {
    /// Starts before the first octet of a body.
    pub fn new(form: Form) -> Self {
        Body {
            form,
            lines: 0,
            space: false,
            cr: false,
            any: false,
        }
    }

    /// Takes more of the body.
    pub fn update(&mut self, octets: &[u8], sink: &mut impl FnMut(&[u8])) {
        let mut at = 0;
        while at < octets.len() {
            at += self.hold(&octets[at..], sink);
            let rest = &octets[at..];
            if rest.is_empty() {
                return;
            }
            let same = match self.form {
                Form::Simple => run::<false>(rest),
                Form::Relaxed => run::<true>(rest),
            };
            if same > 0 {
                self.hand_on(&rest[..same], sink);
                at += same;
            }
        }
    }

    /// The body is complete.
    pub fn finish(mut self, sink: &mut impl FnMut(&[u8])) {
        if self.cr {
            self.hand_on(b"\r", sink);
        }
        // RFC 6376 §3.4.3: a body of nothing is one CRLF; §3.4.4: it stays nothing.
        if self.any || self.form == Form::Simple {
            sink(b"\r\n");
        }
    }

    /// Takes the octets that may turn out to be nothing; returns how many there are at the start of `octets`. The one behind
    /// them counts, whatever follows it.
    fn hold(&mut self, octets: &[u8], sink: &mut impl FnMut(&[u8])) -> usize {
        for (at, &octet) in octets.iter().enumerate() {
            if std::mem::take(&mut self.cr) {
                if octet == b'\n' {
                    self.space = false; // RFC 6376 §3.4.4: no white space at the end of a line.
                    self.lines += 1;
                    continue;
                }
                self.hand_on(b"\r", sink);
            }
            match (octet, self.form) {
                (b'\r', _) => self.cr = true,
                (b' ' | b'\t', Form::Relaxed) => self.space = true,
                _ => return at,
            }
        }
        octets.len()
    }

    /// Hands on what was held, then `octets`, which is not empty.
    fn hand_on(&mut self, octets: &[u8], sink: &mut impl FnMut(&[u8])) {
        self.any = true;
        while self.lines > LINES_MAX as u64 {
            sink(&HELD[..2 * LINES_MAX]);
            self.lines -= LINES_MAX as u64;
        }
        let end = HELD.len() - usize::from(!self.space);
        let held = &HELD[2 * (LINES_MAX - self.lines as usize)..end];
        (self.lines, self.space) = (0, false);
        if !held.is_empty() {
            sink(held);
        }
        sink(octets);
    }
}

/// Octets that are the same in the canonical form, from one that is not held on: up to a line end whose next line is
/// empty, or may be; in the relaxed form also up to a tab, or a space before white space or CR.
#[inline]
fn run<const RELAXED: bool>(octets: &[u8]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if crate::avx2() {
        // SAFETY: the processor has AVX2.
        return unsafe { run_avx2::<RELAXED>(octets) };
    }
    run_scalar::<RELAXED>(octets, 0)
}

/// Stops at the first octet whose pair with the next one may be changed; the last octet has no next one and stops
/// if it could begin such a pair. A line end stops when the line behind it is empty.
pub(crate) fn run_scalar<const RELAXED: bool>(octets: &[u8], from: usize) -> usize {
    let stops = |at: usize| {
        let next = octets.get(at + 1).copied();
        match octets[at] {
            b'\r' => match next {
                None => true,
                // A line end may go if the next line is empty, or is not there yet, or may be empty.
                Some(b'\n') => {
                    let behind = octets.get(at + 2).copied();
                    matches!(behind, None | Some(b'\r'))
                        || RELAXED && matches!(behind, Some(b' ' | b'\t'))
                }
                Some(_) => false,
            },
            b'\t' => RELAXED,
            b' ' => RELAXED && matches!(next, None | Some(b' ' | b'\t' | b'\r')),
            _ => false,
        }
    };
    (from..octets.len())
        .find(|&at| stops(at))
        .unwrap_or(octets.len())
}

/// The plain form with masks of 32 octets; the octets one and two behind come from loads moved by one and two.
///
/// # Safety
/// - The processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1")]
pub(crate) unsafe fn run_avx2<const RELAXED: bool>(octets: &[u8]) -> usize {
    use crate::wide::{WIDTH, equal, load};
    let mut at = 0;
    while at + WIDTH + 2 <= octets.len() {
        // SAFETY: AVX2 by the caller; at + 2 + 32 <= octets.len() by the loop's condition.
        let [here, next, behind] =
            unsafe { [load(octets, at), load(octets, at + 1), load(octets, at + 2)] };
        let white = |vector| equal(vector, b' ') | equal(vector, b'\t');
        let mut empty = equal(behind, b'\r');
        if RELAXED {
            empty |= white(behind);
        }
        let mut stops = equal(here, b'\r') & equal(next, b'\n') & empty;
        if RELAXED {
            stops |= equal(here, b'\t');
            stops |= equal(here, b' ') & (white(next) | equal(next, b'\r'));
        }
        if stops != 0 {
            return at + stops.trailing_zeros() as usize;
        }
        at += WIDTH;
    }
    run_scalar::<RELAXED>(octets, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(form: Form, chunks: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut sink = |run: &[u8]| out.extend_from_slice(run);
        let mut body = Body::new(form);
        for chunk in chunks {
            body.update(chunk, &mut sink);
        }
        body.finish(&mut sink);
        out
    }

    /// (body, simple, relaxed)
    const CASES: &[(&[u8], &[u8], &[u8])] = &[
        (b"", b"\r\n", b""),
        (b"\r\n", b"\r\n", b""),
        (b"\r\n\r\n", b"\r\n", b""),
        (b" ", b" \r\n", b""),
        (b" \r\n\t\r\n", b" \r\n\t\r\n", b""),
        (b"a", b"a\r\n", b"a\r\n"),
        (b"a\r", b"a\r\r\n", b"a\r\r\n"),
        (b"a\r\n", b"a\r\n", b"a\r\n"),
        (b"a \r\n\r\n \r\n", b"a \r\n\r\n \r\n", b"a\r\n"),
        (
            b"a\r\n\r\n\r\nb\r\n",
            b"a\r\n\r\n\r\nb\r\n",
            b"a\r\n\r\n\r\nb\r\n",
        ),
        (b"a\n\r\nb \rc", b"a\n\r\nb \rc\r\n", b"a\n\r\nb \rc\r\n"),
        // RFC 6376 §3.4.5.
        (
            b" C \r\nD \t E\r\n\r\n\r\n",
            b" C \r\nD \t E\r\n",
            b" C\r\nD E\r\n",
        ),
    ];

    #[test]
    fn cuts_do_not_show() {
        for (body, simple, relaxed) in CASES {
            for (form, expected) in [(Form::Simple, simple), (Form::Relaxed, relaxed)] {
                for cut in 0..=body.len() {
                    let (head, tail) = body.split_at(cut);
                    assert_eq!(
                        canonical(form, &[head, tail]),
                        *expected,
                        "{body:?} {form:?}"
                    );
                }
                let octets: Vec<&[u8]> = body.chunks(1).collect();
                assert_eq!(canonical(form, &octets), *expected, "{body:?} {form:?}");
            }
        }
    }

    /// RFC 6376 §3.4.3 and §3.4.4 read line by line.
    fn naive(form: Form, body: &[u8]) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> = vec![Vec::new()];
        let mut at = 0;
        while at < body.len() {
            if body[at..].starts_with(b"\r\n") {
                lines.push(Vec::new());
                at += 2;
            } else {
                lines.last_mut().expect("there is one").push(body[at]);
                at += 1;
            }
        }
        if form == Form::Relaxed {
            for line in &mut lines {
                let white = |octet: u8| matches!(octet, b' ' | b'\t');
                let mut reduced: Vec<u8> = Vec::new();
                for &octet in line.iter() {
                    match octet {
                        _ if !white(octet) => reduced.push(octet),
                        _ if reduced.last() == Some(&b' ') => {}
                        _ => reduced.push(b' '),
                    }
                }
                if reduced.last() == Some(&b' ') {
                    reduced.pop();
                }
                *line = reduced;
            }
        }
        while lines.last().is_some_and(Vec::is_empty) {
            lines.pop();
        }
        if lines.is_empty() && form == Form::Simple {
            return b"\r\n".to_vec();
        }
        lines
            .into_iter()
            .flat_map(|line| [line, b"\r\n".to_vec()].concat())
            .collect()
    }

    proptest::proptest! {
        #[test]
        fn as_the_naive_twin(body in "[ \t\r\na]{0,200}|([a-c ]{0,40}\r\n){0,8}", cut in 0usize..200) {
            let body = body.as_bytes();
            let (head, tail) = body.split_at(cut.min(body.len()));
            for form in [Form::Simple, Form::Relaxed] {
                proptest::prop_assert_eq!(canonical(form, &[head, tail]), naive(form, body));
            }
        }
    }
}
