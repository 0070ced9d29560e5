//! Dialogues: each is played whole, cut once at every place of every turn, and octet by octet; the cut must not show.
//!
//! `> line` goes to the server with CRLF, `>> octets` as written with `\r \n \0 \xff` undone. What follows up to the next
//! `>` is what must come: `< line` of a reply, `* event` for the service. The service here knows alice, bob, carol and
//! postmaster at example.org, and tim with the password secret; it refuses the sender banned@example.net.

use super::*;
use crate::Recipient;
use crate::auth;
use ringpost_types::reply::Enhanced;

const DIALOGUES: &[(&str, Role, Tls, &str)] = &[
    (
        "RFC 5321 §D.1: a typical transaction",
        Role::Mx,
        Tls::Absent,
        "> EHLO bar.com
         < 250-mx.example.org
         < 250-PIPELINING
         < 250-SIZE 40
         < 250-8BITMIME
         < 250-BINARYMIME
         < 250-CHUNKING
         < 250-SMTPUTF8
         < 250-ENHANCEDSTATUSCODES
         < 250 LIMITS MAILMAX=3 RCPTMAX=3
         > MAIL FROM:<Smith@bar.com>
         * mail Smith@bar.com
         < 250 2.1.0 Sender ok
         > RCPT TO:<alice@example.org>
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         > RCPT TO:<Green@example.org>
         * rcpt Green@example.org
         < 550 5.1.1 No such user
         > DATA
         * begin
         < 354 End with CRLF . CRLF
         > Blah
         > ..etc
         > .
         * deliver Blah\\r\\n.etc\\r\\n
         < 250 2.0.0 taken
         > QUIT
         < 221 2.0.0 Bye
         * close",
    ),
    (
        "RFC 2920 §3: commands pipelined, replies in order",
        Role::Mx,
        Tls::Absent,
        "> HELO a
         > MAIL FROM:<>
         > RCPT TO:<alice@example.org>
         > RCPT TO:<nobody@example.org>
         > RCPT TO:<PostMaster>
         > DATA
         < 250 mx.example.org
         * mail <>
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * rcpt nobody@example.org
         < 550 5.1.1 No such user
         * rcpt postmaster
         < 250 2.1.5 Recipient ok
         * begin
         < 354 End with CRLF . CRLF
         > a
         > .
         > MAIL FROM:<b@c>
         > RSET
         > QUIT
         * deliver a\\r\\n
         < 250 2.0.0 taken
         * mail b@c
         < 250 2.1.0 Sender ok
         * reset
         < 250 2.0.0 Flushed
         < 221 2.0.0 Bye
         * close",
    ),
    (
        "out of order",
        Role::Mx,
        Tls::Absent,
        "> MAIL FROM:<a@b>
         < 503 5.5.1 Say EHLO first
         > RCPT TO:<a@b>
         < 503 5.5.1 Say MAIL first
         > DATA
         < 503 5.5.1 Say MAIL first
         > LHLO a
         < 500 5.5.1 Not the greeting of this protocol
         > STARTTLS
         < 502 5.5.1 Not offered here
         > AUTH PLAIN
         < 502 5.5.1 Not offered here
         > HELO a
         < 250 mx.example.org
         > MAIL FROM:<a@b>
         * mail a@b
         < 250 2.1.0 Sender ok
         > MAIL FROM:<a@b>
         < 503 5.5.1 Sender already given
         > DATA
         < 503 5.5.1 Say RCPT first
         > RCPT TO:<x@example.org>
         * rcpt x@example.org
         < 550 5.1.1 No such user
         > DATA
         < 554 5.5.1 No valid recipients
         > HELO a
         * reset
         < 250 mx.example.org
         > RSET
         < 250 2.0.0 Flushed
         > NOOP x
         < 250 2.0.0 Ok
         > HELP
         < 214 2.0.0 See RFC 5321
         > VRFY a
         < 252 2.5.2 Cannot verify; send mail and see
         > EXPN a
         < 502 5.5.1 EXPN is not for strangers",
    ),
    (
        "refusals of syntax",
        Role::Mx,
        Tls::Absent,
        "> BLAH
         < 500 5.5.1 Command not recognized
         > EHLO
         < 501 5.5.4 Syntax error in arguments
         > HELO two names
         < 501 5.5.4 That is not a host name or address literal
         > HELO dörte.example
         < 501 5.5.4 That is not a host name or address literal
         > HELO [127.0.0.1]
         < 250 mx.example.org
         > MAIL FROM:a@b
         < 501 5.1.7 Bad sender address syntax
         > MAIL FROM:<a@b..c>
         < 501 5.1.7 Bad sender address syntax
         > MAIL FROM:<postmaster>
         < 501 5.1.7 Bad sender address syntax
         > MAIL FROM:<a@b> RET=FULL
         < 555 5.5.4 Parameter not recognized
         > MAIL FROM:<a@b> SIZE=x
         < 501 5.5.4 Syntax error in arguments
         > MAIL FROM:<a@b> SIZE=41
         < 552 5.3.4 Message too large
         > MAIL FROM:<dörte@b>
         < 553 5.6.7 Non-ASCII address without SMTPUTF8
         > MAIL FROM:<banned@example.net>
         * mail banned@example.net
         < 550 5.7.1 Not you
         > MAIL FROM:<@x,@y:a@b> SIZE=40 BODY=8BITMIME
         * mail a@b size 40
         < 250 2.1.0 Sender ok
         > RCPT TO:<>
         < 501 5.1.3 Bad recipient address syntax
         > RCPT TO:<a@b@c>
         < 501 5.1.3 Bad recipient address syntax
         > RCPT TO:<alice@example.org> NOTIFY=NEVER
         < 555 5.5.4 Parameter not recognized
         > RCPT TO:<dörte@example.org>
         < 553 5.6.7 Non-ASCII address without SMTPUTF8
         > DATA now
         < 501 5.5.4 Syntax error in arguments",
    ),
    (
        "octets that are no command",
        Role::Mx,
        Tls::Absent,
        ">> NO\\0OP\\r\\n
         < 500 5.5.2 A command is text, ended by CRLF
         >> NOOP\\nQUIT\\r\\n
         < 500 5.5.2 A command is text, ended by CRLF
         >> NOOP\\rQUIT\\r\\n
         < 500 5.5.2 A command is text, ended by CRLF
         >> \\r\\n
         < 500 5.5.1 Command not recognized
         >> NOOP aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\r\\n
         < 250 2.0.0 Ok
         >> NOOP aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\r\\nNOOP\\r\\n
         < 500 5.5.2 Line too long
         < 250 2.0.0 Ok",
    ),
    (
        "recipients up to the limit and one above",
        Role::Mx,
        Tls::Absent,
        "> HELO a
         > MAIL FROM:<a@b>
         > RCPT TO:<alice@example.org>
         > RCPT TO:<bob@example.org>
         > RCPT TO:<carol@example.org>
         > RCPT TO:<postmaster>
         < 250 mx.example.org
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * rcpt carol@example.org
         < 250 2.1.5 Recipient ok
         < 452 4.5.3 Too many recipients",
    ),
    (
        "size up to the limit and one above",
        Role::Mx,
        Tls::Absent,
        "> HELO a
         > MAIL FROM:<a@b>
         > RCPT TO:<bob@example.org>
         > DATA
         < 250 mx.example.org
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 354 End with CRLF . CRLF
         > 45678901234567890123456789012345678901
         > .
         * deliver 45678901234567890123456789012345678901\\r\\n
         < 250 2.0.0 taken
         > MAIL FROM:<a@b>
         > RCPT TO:<bob@example.org>
         > DATA
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 354 End with CRLF . CRLF
         > 456789012345678901234567890123456789012
         > and more
         > .
         > NOOP
         * abandon
         * reset
         < 552 5.3.4 Message too large
         < 250 2.0.0 Ok",
    ),
    (
        "bare line ends: one mail, refused, and nothing smuggled",
        Role::Mx,
        Tls::Absent,
        "> HELO a
         > MAIL FROM:<a@b>
         > RCPT TO:<bob@example.org>
         > DATA
         < 250 mx.example.org
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 354 End with CRLF . CRLF
         >> a\\n.\\nMAIL FROM:<c@d>\\r\\n.\\r\\n
         * abandon
         * reset
         < 550 5.6.11 Bare CR or LF in the message
         > MAIL FROM:<a@b>
         > RCPT TO:<bob@example.org>
         > DATA
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 354 End with CRLF . CRLF
         >> a\\r\\n.\\rb\\r\\n.\\r\\n
         * abandon
         * reset
         < 550 5.6.11 Bare CR or LF in the message
         > MAIL FROM:<a@b>
         > RCPT TO:<bob@example.org>
         > DATA
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 354 End with CRLF . CRLF
         >> a\\nb\\r\\n45678901234567890123456789012345678901234567890\\r\\n.\\r\\n
         * abandon
         * reset
         < 552 5.3.4 Message too large",
    ),
    (
        "a NUL and eight bits in a body are taken",
        Role::Mx,
        Tls::Absent,
        "> HELO a
         > MAIL FROM:<a@b>
         > RCPT TO:<bob@example.org>
         > DATA
         < 250 mx.example.org
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 354 End with CRLF . CRLF
         >> a\\0\\xff\\r\\n.\\r\\n
         * deliver a\\x00\\xff\\r\\n
         < 250 2.0.0 taken",
    ),
    (
        "RFC 3030 §4.2: chunks, one of them empty",
        Role::Mx,
        Tls::Absent,
        "> EHLO a
         < 250-mx.example.org
         < 250-PIPELINING
         < 250-SIZE 40
         < 250-8BITMIME
         < 250-BINARYMIME
         < 250-CHUNKING
         < 250-SMTPUTF8
         < 250-ENHANCEDSTATUSCODES
         < 250 LIMITS MAILMAX=3 RCPTMAX=3
         > MAIL FROM:<ned@ymir.claremont.edu>
         > RCPT TO:<alice@example.org>
         >> BDAT 6\\r\\n.\\r\\nab\\rBDAT 0\\r\\nBDAT 3\\r\\n\\nc.BDAT 2 LAST\\r\\n\\r\\nNOOP\\r\\n
         * mail ned@ymir.claremont.edu
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 250 2.0.0 Chunk taken
         < 250 2.0.0 Chunk taken
         < 250 2.0.0 Chunk taken
         * deliver .\\r\\nab\\r\\nc.\\r\\n
         < 250 2.0.0 taken
         < 250 2.0.0 Ok
         > MAIL FROM:<a@b>
         > RCPT TO:<alice@example.org>
         >> BDAT 3\\r\\na\\r\\nBDAT 0 LAST\\r\\n
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 250 2.0.0 Chunk taken
         * deliver a\\r\\n
         < 250 2.0.0 taken",
    ),
    (
        "chunks out of place are swallowed",
        Role::Mx,
        Tls::Absent,
        ">> BDAT 6 LAST\\r\\nQUIT\\r\\nNOOP\\r\\n
         < 503 5.5.1 Say MAIL first
         < 250 2.0.0 Ok
         > HELO a
         < 250 mx.example.org
         > MAIL FROM:<a@b>
         * mail a@b
         < 250 2.1.0 Sender ok
         >> BDAT 6\\r\\nQUIT\\r\\nBDAT 0 LAST\\r\\n
         * reset
         < 503 5.5.1 Say RCPT first
         < 503 5.5.1 Say MAIL first
         > MAIL FROM:<a@b>
         > RCPT TO:<alice@example.org>
         >> BDAT 3\\r\\na\\r\\nDATA\\r\\nRCPT TO:<bob@example.org>\\r\\nMAIL FROM:<a@b>\\r\\nRSET\\r\\n
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 250 2.0.0 Chunk taken
         < 503 5.5.1 BDAT is under way
         < 503 5.5.1 BDAT is under way
         < 503 5.5.1 BDAT is under way
         * reset
         < 250 2.0.0 Flushed",
    ),
    (
        "chunks too large, and with bare line ends",
        Role::Mx,
        Tls::Absent,
        "> HELO a
         > MAIL FROM:<a@b>
         > RCPT TO:<alice@example.org>
         >> BDAT 3\\r\\na\\r\\nBDAT 38\\r\\n45678901234567890123456789012345678901BDAT 3 LAST\\r\\na\\r\\n
         < 250 mx.example.org
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 250 2.0.0 Chunk taken
         * abandon
         * reset
         < 552 5.3.4 Message too large
         < 503 5.5.1 Say MAIL first
         > MAIL FROM:<a@b>
         > RCPT TO:<alice@example.org>
         >> BDAT 2 LAST\\r\\na\\rNOOP\\r\\n
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * begin
         * reset
         < 550 5.6.11 Bare CR or LF in the message
         < 250 2.0.0 Ok",
    ),
    (
        "RFC 3207: what is pipelined behind STARTTLS is dropped, and the session starts anew",
        Role::Mx,
        Tls::Offered,
        "> EHLO a
         < 250-mx.example.org
         < 250-PIPELINING
         < 250-SIZE 40
         < 250-8BITMIME
         < 250-BINARYMIME
         < 250-CHUNKING
         < 250-SMTPUTF8
         < 250-ENHANCEDSTATUSCODES
         < 250-LIMITS MAILMAX=3 RCPTMAX=3
         < 250 STARTTLS
         > STARTTLS
         > MAIL FROM:<evil@b>
         < 220 2.0.0 Ready to start TLS
         * tls
         > MAIL FROM:<a@b>
         < 503 5.5.1 Say EHLO first
         > EHLO a
         < 250-mx.example.org
         < 250-PIPELINING
         < 250-SIZE 40
         < 250-8BITMIME
         < 250-BINARYMIME
         < 250-CHUNKING
         < 250-SMTPUTF8
         < 250-ENHANCEDSTATUSCODES
         < 250 LIMITS MAILMAX=3 RCPTMAX=3
         > STARTTLS
         < 503 5.5.1 TLS is active",
    ),
    (
        "submission: STARTTLS, then AUTH, then mail",
        Role::Submission,
        Tls::Required,
        "> MAIL FROM:<a@b>
         < 530 5.7.0 Say STARTTLS first
         > AUTH PLAIN AHRpbQBzZWNyZXQ=
         < 530 5.7.0 Say STARTTLS first
         >> BDAT 3 LAST\\r\\na\\r\\nNOOP\\r\\n
         < 530 5.7.0 Say STARTTLS first
         < 250 2.0.0 Ok
         > EHLO a
         < 250-mx.example.org
         < 250-PIPELINING
         < 250-SIZE 40
         < 250-8BITMIME
         < 250-BINARYMIME
         < 250-CHUNKING
         < 250-SMTPUTF8
         < 250-ENHANCEDSTATUSCODES
         < 250-LIMITS MAILMAX=3 RCPTMAX=3
         < 250 STARTTLS
         > STARTTLS
         < 220 2.0.0 Ready to start TLS
         * tls
         > AUTH PLAIN AHRpbQBzZWNyZXQ=
         < 503 5.5.1 Say EHLO first
         > EHLO a
         < 250-mx.example.org
         < 250-PIPELINING
         < 250-SIZE 40
         < 250-8BITMIME
         < 250-BINARYMIME
         < 250-CHUNKING
         < 250-SMTPUTF8
         < 250-ENHANCEDSTATUSCODES
         < 250-LIMITS MAILMAX=3 RCPTMAX=3
         < 250 AUTH PLAIN
         > MAIL FROM:<a@b>
         < 530 5.7.0 Authentication required
         > AUTH LOGIN
         < 504 5.5.4 Mechanism not offered
         > AUTH PLAIN
         * challenge
         < 334 
         > *
         * cancelled
         < 501 5.7.0 Authentication cancelled
         > AUTH PLAIN !
         < 501 5.5.2 Cannot read that response
         > AUTH PLAIN AHRpbQB3cm9uZw==
         * login tim
         < 535 5.7.8 Authentication credentials invalid
         > auth plain
         * challenge
         < 334 
         > AHRpbQBzZWNyZXQ=
         * login tim
         < 235 2.7.0 Authenticated
         > AUTH PLAIN AHRpbQBzZWNyZXQ=
         < 503 5.5.1 AUTH is not possible now
         > MAIL FROM:<a@b>
         * mail a@b
         < 250 2.1.0 Sender ok",
    ),
    (
        "SASL lines up to the limit and one above",
        Role::Submission,
        Tls::Active,
        "> EHLO a
         < 250-mx.example.org
         < 250-PIPELINING
         < 250-SIZE 40
         < 250-8BITMIME
         < 250-BINARYMIME
         < 250-CHUNKING
         < 250-SMTPUTF8
         < 250-ENHANCEDSTATUSCODES
         < 250-LIMITS MAILMAX=3 RCPTMAX=3
         < 250 AUTH PLAIN
         > AUTH PLAIN
         * challenge
         < 334 
         > aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
         * login
         < 535 5.7.8 Authentication credentials invalid
         > AUTH PLAIN
         * challenge
         < 334 
         > aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
         * cancelled
         < 500 5.5.6 Authentication line too long
         > NOOP
         < 250 2.0.0 Ok",
    ),
    (
        "no password in clear",
        Role::Submission,
        Tls::Absent,
        "> EHLO a
         < 250-mx.example.org
         < 250-PIPELINING
         < 250-SIZE 40
         < 250-8BITMIME
         < 250-BINARYMIME
         < 250-CHUNKING
         < 250-SMTPUTF8
         < 250-ENHANCEDSTATUSCODES
         < 250 LIMITS MAILMAX=3 RCPTMAX=3
         > AUTH PLAIN AHRpbQBzZWNyZXQ=
         < 538 5.7.11 Passwords are taken inside TLS only",
    ),
    (
        "RFC 2033 §4.2: LMTP answers for each recipient",
        Role::Lmtp,
        Tls::Absent,
        "> EHLO a
         < 500 5.5.1 Not the greeting of this protocol
         > LHLO foo.edu
         < 250-mx.example.org
         < 250-PIPELINING
         < 250-SIZE 40
         < 250-8BITMIME
         < 250-BINARYMIME
         < 250-CHUNKING
         < 250-SMTPUTF8
         < 250-ENHANCEDSTATUSCODES
         < 250 LIMITS MAILMAX=3 RCPTMAX=3
         > MAIL FROM:<chris@bar.com>
         > RCPT TO:<alice@example.org>
         > RCPT TO:<green@example.org>
         > RCPT TO:<bob@example.org>
         > DATA
         * mail chris@bar.com
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * rcpt green@example.org
         < 550 5.1.1 No such user
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         < 354 End with CRLF . CRLF
         > Blah
         > .
         > QUIT
         * deliver Blah\\r\\n
         < 250 2.0.0 taken
         < 250 2.0.0 taken
         < 221 2.0.0 Bye
         * close",
    ),
    (
        "LMTP: a refused body is refused for each recipient, a refused chunk once",
        Role::Lmtp,
        Tls::Absent,
        "> LHLO foo.edu
         < 250-mx.example.org
         < 250-PIPELINING
         < 250-SIZE 40
         < 250-8BITMIME
         < 250-BINARYMIME
         < 250-CHUNKING
         < 250-SMTPUTF8
         < 250-ENHANCEDSTATUSCODES
         < 250 LIMITS MAILMAX=3 RCPTMAX=3
         > MAIL FROM:<a@b>
         > RCPT TO:<alice@example.org>
         > RCPT TO:<bob@example.org>
         >> BDAT 2 LAST\\r\\na\\n
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * begin
         * abandon
         * reset
         < 550 5.6.11 Bare CR or LF in the message
         < 550 5.6.11 Bare CR or LF in the message
         > MAIL FROM:<a@b>
         > RCPT TO:<alice@example.org>
         >> BDAT 41\\r\\n45678901234567890123456789012345678901234BDAT 2 LAST\\r\\n\\r\\n
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt alice@example.org
         < 250 2.1.5 Recipient ok
         * abandon
         * reset
         < 552 5.3.4 Message too large
         < 503 5.5.1 Say MAIL first",
    ),
    (
        "RFC 2033 §4.2: LMTP without a recipient has nobody to answer for",
        Role::Lmtp,
        Tls::Absent,
        "> LHLO foo.edu
         < 250-mx.example.org
         < 250-PIPELINING
         < 250-SIZE 40
         < 250-8BITMIME
         < 250-BINARYMIME
         < 250-CHUNKING
         < 250-SMTPUTF8
         < 250-ENHANCEDSTATUSCODES
         < 250 LIMITS MAILMAX=3 RCPTMAX=3
         > MAIL FROM:<a@b>
         > RCPT TO:<green@example.org>
         > DATA
         >> BDAT 2 LAST\\r\\na\\n
         * mail a@b
         < 250 2.1.0 Sender ok
         * rcpt green@example.org
         < 550 5.1.1 No such user
         < 503 5.5.1 No valid recipients
         * reset
         < 503 5.5.1 No valid recipients",
    ),
    (
        "a browser made to speak: its headers are no errors to sit out, its body no commands",
        Role::Mx,
        Tls::Absent,
        "> POST / HTTP/1.1
         > Host: mx.example.org
         > HELO a
         > MAIL FROM:<a@b>
         < 521 5.5.1 This is no web server
         * close",
    ),
    (
        "a chunk of unknown length ends the session: what follows is no command",
        Role::Mx,
        Tls::Absent,
        "> HELO a
         < 250 mx.example.org
         > BDAT x LAST
         > MAIL FROM:<a@b>
         < 521 5.5.4 No telling where that chunk ends
         * close",
    ),
    (
        "RFC 6531: UTF-8 addresses with SMTPUTF8, quoted local parts",
        Role::Mx,
        Tls::Absent,
        "> HELO a
         > MAIL FROM:<dörte@sörensen.example> SMTPUTF8
         > RCPT TO:<\"bob\"@EXAMPLE.org>
         > RCPT TO:<ünbekannt@example.org>
         < 250 mx.example.org
         * mail dörte@xn--srensen-90a.example utf8
         < 250 2.1.0 Sender ok
         * rcpt bob@example.org
         < 250 2.1.5 Recipient ok
         * rcpt ünbekannt@example.org
         < 550 5.1.1 No such user",
    ),
];

fn options(role: Role) -> Rc<Options> {
    let limits = Limits {
        smtp_command_octets_max: 100,
        smtp_auth_octets_max: 122,
        smtp_recipients_max: 3,
        smtp_errors_max: 20,
        smtp_login_failures_max: 3,
        smtp_transactions_max: 3,
        message_octets_max: 40,
        ..Limits::default()
    };
    Rc::new(Options {
        role,
        hostname: "mx.example.org".into(),
        limits,
        queue: false,
        mechanisms: Mechanisms {
            clear: Vec::new(),
            tls: match role {
                Role::Submission => vec!["PLAIN"],
                Role::Mx | Role::Lmtp => Vec::new(),
            },
        },
        xclient: false,
    })
}

/// One turn: what the client sends, and what must come.
type Turn = (Vec<u8>, Vec<String>);

fn turns(script: &str) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for line in script.lines().map(str::trim_start) {
        if line.starts_with('>')
            && turns
                .last()
                .is_none_or(|(_, expected)| !expected.is_empty())
        {
            turns.push((Vec::new(), Vec::new()));
        }
        let (sent, expected) = turns.last_mut().expect("a script begins with >");
        if let Some(octets) = line.strip_prefix(">> ") {
            sent.extend(unescape(octets));
        } else if let Some(line) = line.strip_prefix("> ") {
            sent.extend_from_slice(line.as_bytes());
            sent.extend_from_slice(b"\r\n");
        } else {
            expected.push(line.into());
        }
    }
    turns
}

fn unescape(text: &str) -> Vec<u8> {
    let text = text
        .replace("\\r", "\r")
        .replace("\\n", "\n")
        .replace("\\0", "\0");
    let mut octets = Vec::new();
    for (at, piece) in text.split("\\xff").enumerate() {
        if at > 0 {
            octets.push(0xff);
        }
        octets.extend_from_slice(piece.as_bytes());
    }
    octets
}

/// A session, its service, and what both said.
struct Played {
    session: Session,
    body: Vec<u8>,
    said: Vec<String>,
}

impl Played {
    fn new(role: Role, tls: Tls) -> Self {
        Played {
            session: Session::new(options(role), tls),
            body: Vec::new(),
            said: Vec::new(),
        }
    }

    /// Hands over one turn, cut at `ends`.
    fn play(&mut self, wire: &[u8], ends: &[usize]) {
        let mut at = 0;
        for &end in ends {
            // STARTTLS may have dropped what came later.
            while at <= end {
                let (used, action) = self.session.step(&wire[at..end]);
                assert!(used <= end - at);
                at += used;
                let event = match action {
                    Action::More => break,
                    Action::Reply(reply) => {
                        let mut octets = Vec::new();
                        reply.write(&mut octets);
                        let lines = String::from_utf8(octets).expect("replies are text");
                        self.said
                            .extend(lines.split_terminator("\r\n").map(|l| format!("< {l}")));
                        continue;
                    }
                    Action::Mail(mail) => {
                        let banned = mail
                            .reverse_path
                            .as_ref()
                            .is_some_and(|a| a.local() == "banned");
                        let refusal = Reply::new(550, Enhanced(5, 7, 1), "Not you");
                        self.session
                            .answer(if banned { Err(refusal) } else { Ok(()) });
                        let path = mail
                            .reverse_path
                            .map_or("<>".into(), |path| path.to_string());
                        let size = mail
                            .size
                            .map_or(String::new(), |size| format!(" size {size}"));
                        format!(
                            "* mail {path}{size}{}",
                            if mail.utf8 { " utf8" } else { "" }
                        )
                    }
                    Action::Recipient(recipient) => {
                        let name = match &recipient.path {
                            Recipient::Postmaster => "postmaster".to_string(),
                            Recipient::Mailbox(address) => address.to_string(),
                        };
                        let local = name.split('@').next().unwrap_or_default();
                        let known = ["alice", "bob", "carol", "postmaster"].contains(&local);
                        let refusal = Reply::new(550, Enhanced(5, 1, 1), "No such user");
                        self.session
                            .answer(if known { Ok(()) } else { Err(refusal) });
                        format!("* rcpt {name}")
                    }
                    Action::Begin { .. } => {
                        self.session.answer(Ok(()));
                        "* begin".into()
                    }
                    Action::Body(run) => {
                        self.body.extend_from_slice(run);
                        continue;
                    }
                    Action::Abandon => {
                        self.body.clear();
                        "* abandon".into()
                    }
                    Action::Deliver => {
                        self.session
                            .finish(Reply::new(250, Enhanced(2, 0, 0), "taken"));
                        let body = std::mem::take(&mut self.body);
                        format!("* deliver {}", body.escape_ascii())
                    }
                    Action::Reset => {
                        self.body.clear();
                        "* reset".into()
                    }
                    Action::StartTls => {
                        self.session.tls_started();
                        self.said.push("* tls".into());
                        return;
                    }
                    Action::Authenticate { initial: None, .. } => {
                        self.session.challenge(b"");
                        "* challenge".into()
                    }
                    Action::Authenticate {
                        initial: Some(response),
                        ..
                    }
                    | Action::Response(response) => match auth::plain(&response) {
                        Ok(credentials) => {
                            let right = credentials.password == "secret";
                            let answer = if right {
                                Ok(())
                            } else {
                                Err(reply::AUTH_FAILED)
                            };
                            self.session.answer(answer);
                            format!("* login {}", credentials.identity)
                        }
                        Err(_) => {
                            self.session.answer(Err(reply::AUTH_FAILED));
                            "* login".into()
                        }
                    },
                    Action::Cancelled => "* cancelled".into(),
                    Action::Client(_) => {
                        self.session.answer(Ok(()));
                        "* client".into()
                    }
                    Action::Close => {
                        self.said.push("* close".into());
                        return;
                    }
                };
                self.said.push(event);
            }
        }
    }
}

/// Plays a dialogue with turn `cut.0` cut at `cut.1`, or every turn octet by octet.
fn check(name: &str, role: Role, tls: Tls, turns: &[Turn], cut: Option<(usize, usize)>) {
    let mut played = Played::new(role, tls);
    for (number, (wire, expected)) in turns.iter().enumerate() {
        let ends: Vec<usize> = match cut {
            None => (0..=wire.len()).collect(),
            Some((turn, at)) if turn == number => vec![at, wire.len()],
            Some(_) => vec![wire.len()],
        };
        played.play(wire, &ends);
        assert_eq!(&played.said, expected, "{name}: turn {number}, cut {cut:?}");
        played.said.clear();
    }
}

#[test]
fn dialogues_however_cut() {
    for &(name, role, tls, script) in DIALOGUES {
        let turns = turns(script);
        check(name, role, tls, &turns, None);
        for (number, (wire, _)) in turns.iter().enumerate() {
            for at in 0..=wire.len() {
                check(name, role, tls, &turns, Some((number, at)));
            }
        }
    }
}

#[test]
fn greetings() {
    for (role, text) in [
        (Role::Mx, "220 mx.example.org ESMTP Ringpost\r\n"),
        (Role::Submission, "220 mx.example.org ESMTP Ringpost\r\n"),
        (Role::Lmtp, "220 mx.example.org LMTP Ringpost\r\n"),
    ] {
        let mut out = Vec::new();
        Session::new(options(role), Tls::Absent)
            .greeting()
            .write(&mut out);
        assert_eq!(out, text.as_bytes());
    }
}

#[test]
fn errors_up_to_the_limit_and_one_above() {
    let mut played = Played::new(Role::Mx, Tls::Absent);
    let wire = b"BLAH\r\n".repeat(20);
    played.play(&wire, &[wire.len()]);
    assert_eq!(played.said, vec!["< 500 5.5.1 Command not recognized"; 20]);
    played.said.clear();
    played.play(b"NOOP\r\nBLAH\r\nNOOP\r\n", &[18]);
    assert_eq!(
        played.said,
        ["< 250 2.0.0 Ok", "< 421 4.7.0 Too many errors", "* close"]
    );
}

#[test]
fn failed_logins_up_to_the_limit() {
    let mut played = Played::new(Role::Submission, Tls::Active);
    let wire =
        b"EHLO a\r\nAUTH PLAIN AHRpbQB3cm9uZw==\r\nAUTH PLAIN !\r\nAUTH PLAIN AHRpbQB3cm9uZw==\r\n";
    played.play(wire, &[wire.len()]);
    let refused = "< 535 5.7.8 Authentication credentials invalid";
    let failures = played.said.iter().filter(|said| *said == refused);
    assert_eq!(failures.count(), 2);
    played.said.clear();
    let wire = b"AUTH PLAIN AHRpbQB3cm9uZw==\r\nAUTH PLAIN AHRpbQBzZWNyZXQ=\r\n";
    played.play(wire, &[wire.len()]);
    let last = "< 421 4.7.0 Too many failed logins";
    assert_eq!(played.said, ["* login tim", last, "* close"]);
}

#[test]
fn transactions_up_to_the_limit_and_one_above() {
    let mut played = Played::new(Role::Mx, Tls::Absent);
    let mail = b"MAIL FROM:<a@b>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n.\r\n";
    let wire = [&b"HELO a\r\n"[..], &mail.repeat(3)].concat();
    played.play(&wire, &[wire.len()]);
    assert_eq!(
        played
            .said
            .iter()
            .filter(|said| *said == "* deliver ")
            .count(),
        3
    );
    played.said.clear();
    played.play(mail, &[mail.len()]);
    let last = "< 421 4.7.0 Too many mails on one connection, open another";
    assert_eq!(played.said, [last, "* close"]);
}

/// The service may refuse while the body comes; the body is read to its end.
#[test]
fn refused_by_the_service_meanwhile() {
    let mut played = Played::new(Role::Mx, Tls::Absent);
    let begin = b"HELO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nabc";
    played.play(begin, &[begin.len()]);
    played
        .session
        .refuse_body(Reply::new(452, Enhanced(4, 3, 1), "Full"));
    played.said.clear();
    let end = b"def\r\n.\r\nNOOP\r\n";
    played.play(end, &[end.len()]);
    assert_eq!(
        played.said,
        ["* reset", "< 452 4.3.1 Full", "< 250 2.0.0 Ok"]
    );
}
