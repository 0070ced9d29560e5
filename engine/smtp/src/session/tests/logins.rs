//! STARTTLS and AUTH. RFC 3207, RFC 4954.

use super::played::*;

const DIALOGUES: &[Dialogue] = &[
    (
        "RFC 3207: what is pipelined behind STARTTLS is dropped, and the session starts anew",
        MX_STARTTLS,
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
        SUBMISSION,
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
        SUBMISSION_TLS,
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
        SUBMISSION_CLEAR,
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
        "an exchange of several steps, and its ends",
        Setting {
            mechanisms: &["STEPS", "PLAIN"],
            ..SUBMISSION_TLS
        },
        "> EHLO a
         = offer AUTH STEPS PLAIN
         > AUTH STEPS =
         * steps \"\"
         < 334 b25l
         > *
         * cancelled
         < 501 5.7.0 Authentication cancelled
         > AUTH STEPS
         * steps -
         < 334 b25l
         > no base64
         * cancelled
         < 501 5.5.2 Cannot read that response
         > AUTH steps AHg=
         > b25l
         > dHdv
         * steps \"\\x00x\"
         < 334 b25l
         * step one
         < 334 dHdv
         * step two
         < 235 2.7.0 Authenticated",
    ),
    (
        "an empty response is one; what is pipelined behind the last one is a command",
        Setting {
            mechanisms: &["STEPS"],
            ..SUBMISSION_TLS
        },
        "> EHLO a
         = offer AUTH STEPS
         > AUTH STEPS
         >> \\r\\n\\r\\nNOOP\\r\\n
         * steps -
         < 334 b25l
         * step 
         < 334 dHdv
         * step 
         < 535 5.7.8 Authentication credentials invalid
         < 250 2.0.0 Ok",
    ),
    (
        "a mechanism that shows no password may be had in clear, where the service says so",
        Setting {
            clear: &["STEPS"],
            tls: Tls::Offered,
            ..SUBMISSION
        },
        "> EHLO a
         = offer STARTTLS|AUTH STEPS
         > AUTH PLAIN AHRpbQBzZWNyZXQ=
         < 530 5.7.0 Say STARTTLS first
         > AUTH OTHER
         < 504 5.5.4 Mechanism not offered
         > AUTH STEPS
         * steps -
         < 334 b25l
         > *
         * cancelled
         < 501 5.7.0 Authentication cancelled",
    ),
    (
        "no mechanism, no AUTH",
        MX_STARTTLS,
        "> EHLO a
         = offer STARTTLS
         > AUTH PLAIN AHRpbQBzZWNyZXQ=
         < 502 5.5.1 Not offered here",
    ),
    (
        "no AUTH within a transaction",
        Setting {
            role: Role::Mx,
            ..SUBMISSION_TLS
        },
        "> EHLO a
         = offer AUTH PLAIN
         > MAIL FROM:<a@b>
         * mail a@b
         < 250 2.1.0 Sender ok
         > AUTH PLAIN AHRpbQBzZWNyZXQ=
         < 503 5.5.1 AUTH is not possible now",
    ),
];

#[test]
fn dialogues_however_cut() {
    check_all(DIALOGUES);
}
