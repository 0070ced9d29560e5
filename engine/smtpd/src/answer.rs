//! Replies on their way out: each refusal names the trace under which the operator finds what happened.
//!
//! In:  a reply, and the connection's trace id. Out: its lines in the output.

use ringpost_types::{Reply, TraceId};
use std::io::Write as _;

/// Writes `reply`; a refusal's last line ends with `(trace …)`.
pub(crate) fn write(reply: &Reply, trace: TraceId, out: &mut Vec<u8>) {
    reply.write(out);
    if !reply.is_positive() {
        out.truncate(out.len() - b"\r\n".len());
        write!(out, " (trace {trace})\r\n").expect("a Vec takes every write");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringpost_types::reply::Enhanced;

    #[test]
    fn refusals_name_the_trace() {
        let cases = [
            (Reply::new(250, Enhanced(2, 0, 0), "Ok"), "250 2.0.0 Ok\r\n"),
            (Reply::plain(354, "Go on"), "354 Go on\r\n"),
            (
                Reply::new(451, Enhanced(4, 3, 0), "No"),
                "451 4.3.0 No (trace 000000000000ab12)\r\n",
            ),
            (
                Reply::new(550, Enhanced(5, 7, 1), "No\nnever"),
                "550-5.7.1 No\r\n550 5.7.1 never (trace 000000000000ab12)\r\n",
            ),
        ];
        for (reply, expected) in cases {
            let mut out = b"before\r\n".to_vec();
            write(&reply, TraceId(0xab12), &mut out);
            assert_eq!(
                String::from_utf8_lossy(&out),
                format!("before\r\n{expected}")
            );
        }
    }
}
