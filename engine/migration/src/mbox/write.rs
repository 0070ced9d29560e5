//! Mails into an mbox file, as mboxrd with our block in front of each.
//!
//! In:  a mail with its marks. Out: octets to append.

use super::{depth, fields, from};
use crate::line;
use crate::marks::Marks;

/// Appends one mail to `out`.
pub fn write(sender: &str, marks: &Marks, mail: &[u8], out: &mut Vec<u8>) {
    from::write(sender, marks.date.unwrap_or(0), out);
    let quoted = quote(&line::to_lf(mail));
    fields::write(marks, quoted.len(), out);
    out.extend_from_slice(&quoted);
    // Every mail ends with a line end and an empty line here.
    if !quoted.ends_with(b"\n") {
        out.push(b'\n');
    }
    out.push(b'\n');
}

/// Each line `>*From ` with one `>` more.
fn quote(mail: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(mail.len() + 16);
    for line in mail.split_inclusive(|&octet| octet == b'\n') {
        if depth(line).is_some() {
            quoted.push(b'>');
        }
        quoted.extend_from_slice(line);
    }
    quoted
}
