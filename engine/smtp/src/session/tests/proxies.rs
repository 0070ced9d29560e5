//! XCLIENT. Postfix's XCLIENT_README.

use super::played::*;

const DIALOGUES: &[Dialogue] = &[
    (
        "the README's example: the session starts anew for another client",
        MX_PROXIED,
        "> EHLO proxy.example
         = offer XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT
         > XCLIENT NAME=spike.porcupine.org ADDR=168.100.189.2
         * client Some(168.100.189.2) Some(\"spike.porcupine.org\") - -
         < 220 mx.example.org ESMTP Ringpost
         > MAIL FROM:<a@b>
         < 503 5.5.1 Say EHLO first
         > EHLO spike.porcupine.org
         = offer XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT
         > MAIL FROM:<a@b>
         * mail a@b
         < 250 2.1.0 Sender ok
         > XCLIENT NAME=x
         < 503 5.5.1 A mail is under way",
    ),
    (
        "what it says outlives the new beginning",
        MX_PROXIED,
        "> XCLIENT HELO=spike.porcupine.org PROTO=ESMTP
         > XCLIENT ADDR=IPV6:2001:db8::1
         > MAIL FROM:<a@b>
         * client - - Some(\"spike.porcupine.org\") -
         < 220 mx.example.org ESMTP Ringpost
         * client Some(2001:db8::1) - - -
         < 220 mx.example.org ESMTP Ringpost
         * mail a@b
         < 250 2.1.0 Sender ok
         > RSET
         * reset
         < 250 2.0.0 Flushed
         > XCLIENT HELO=[UNAVAILABLE]
         > MAIL FROM:<a@b>
         * client - - - -
         < 220 mx.example.org ESMTP Ringpost
         < 503 5.5.1 Say EHLO first",
    ),
    (
        "a client that logged in at the proxy",
        Setting {
            xclient: true,
            ..SUBMISSION_TLS
        },
        "> HELO a
         > MAIL FROM:<a@b>
         < 250 mx.example.org
         < 530 5.7.0 Authentication required
         > XCLIENT LOGIN=tim HELO=b
         > MAIL FROM:<a@b>
         * client - - Some(\"b\") Some(\"tim\")
         < 220 mx.example.org ESMTP Ringpost
         * mail a@b
         < 250 2.1.0 Sender ok
         > RSET
         > XCLIENT LOGIN=[UNAVAILABLE]
         > MAIL FROM:<a@b>
         * reset
         < 250 2.0.0 Flushed
         * client - - - -
         < 220 mx.example.org ESMTP Ringpost
         < 530 5.7.0 Authentication required",
    ),
    (
        "a login of ours does not pass to another client",
        Setting {
            xclient: true,
            ..SUBMISSION_TLS
        },
        "> HELO a
         > AUTH PLAIN AHRpbQBzZWNyZXQ=
         > XCLIENT ADDR=192.0.2.1
         > HELO a
         > MAIL FROM:<a@b>
         < 250 mx.example.org
         * login tim
         < 235 2.7.0 Authenticated
         * client Some(192.0.2.1) - - -
         < 220 mx.example.org ESMTP Ringpost
         < 250 mx.example.org
         < 530 5.7.0 Authentication required",
    ),
    (
        "what it said in clear is forgotten in TLS",
        Setting {
            xclient: true,
            ..SUBMISSION
        },
        "> EHLO a
         = offer STARTTLS|XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT
         > XCLIENT LOGIN=tim HELO=b
         < 530 5.7.0 Say STARTTLS first",
    ),
    (
        "and a login of before is none",
        Setting {
            tls: Tls::Offered,
            xclient: true,
            ..SUBMISSION
        },
        "> XCLIENT LOGIN=tim HELO=b PROTO=ESMTP
         * client - - Some(\"b\") Some(\"tim\")
         < 220 mx.example.org ESMTP Ringpost
         > STARTTLS
         < 220 2.0.0 Ready to start TLS
         * tls
         > XCLIENT PORT=1 HELO=b
         * client - - Some(\"b\") -
         < 220 mx.example.org ESMTP Ringpost
         > MAIL FROM:<a@b>
         < 530 5.7.0 Authentication required",
    ),
    (
        "attributes that cannot be read, and line ends in them",
        MX_PROXIED,
        "> XCLIENT
         < 501 5.5.4 Bad XCLIENT attribute
         > XCLIENT NAME
         < 501 5.5.4 Bad XCLIENT attribute
         > XCLIENT ADDR=1.2.3
         < 501 5.5.4 Bad XCLIENT attribute
         > XCLIENT COLOUR=red
         < 501 5.5.4 Bad XCLIENT attribute
         > XCLIENT NAME=a+0D+0AReceived:
         < 501 5.5.4 Bad XCLIENT attribute
         >> XCLIENT NAME=a\\nb\\r\\n
         < 500 5.5.2 A command is text, ended by CRLF
         > XCLIENT NAME=bad.example
         > NOOP
         * client - Some(\"bad.example\") - -
         < 550 5.7.1 Not that one
         * close",
    ),
];

#[test]
fn dialogues_however_cut() {
    check_all(DIALOGUES);
}
