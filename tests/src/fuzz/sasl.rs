//! SASL: whole exchanges, by every mechanism, of a hostile client.
//!
//! An input is lines: a mechanism and how the server stands, then responses. The server says yes to whatever is asked but
//! to one name, and has one set of SCRAM keys, so that what lies behind a success is reached too.

use super::Target;
use crate::random::Random;
use ringpost_sasl::exchange::{PASSWORD_OCTETS_MAX, RESPONSE_OCTETS_MAX, Setting};
use ringpost_sasl::prep::NAME_OCTETS_MAX;
use ringpost_sasl::{Binding, Exchange, Keys, Mechanism, Question, Step, offer};

/// Steps that any exchange may take: LOGIN and SCRAM have the most.
const STEPS_MAX: usize = 6;

pub const SASL: Target = Target {
    name: "sasl",
    seeds: || SEEDS.iter().map(|seed| seed.as_bytes().to_vec()).collect(),
    words: &[
        b"\n",
        b"\x01",
        b"\0",
        b"n,,",
        b"y,,",
        b"p=tls-exporter,,",
        b"p=tls-server-end-point,,",
        b"a=",
        b"n=",
        b",r=",
        b"m=",
        b"=2C",
        b"=3D",
        b"c=biws,",
        b",p=",
        b"auth=Bearer ",
        b"user=",
        b"PLAIN",
        b"\xff",
        b"\xc2\xad",
        b"\xe2\x85\xa8",
    ],
    check,
};

const SEEDS: &[&str] = &[
    "PLAIN\n\0tim\0tanstaaftanstaaf",
    "LOGIN\ntim\ntanstaaftanstaaf",
    "EXTERNAL\nfred@example.com",
    "OAUTHBEARER\nn,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01",
    "XOAUTH2\nuser=nobody\x01auth=Bearer ya29.x\x01\x01\n",
    "SCRAM-SHA-256\nn,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=\n",
    "SCRAM-SHA-256-PLUS\np=tls-exporter,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=cD10bHMtZXhwb3J0ZXIsLAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH,r=x,p=AA==\n",
    "SCRAM-SHA-256\ny,a=a=2Cb,n=a=2Cb,r=x,e=f\nc=eSxhPWE9MkNiLA==,r=x,e=f,p=AA==",
];

/// RFC 7677 §3.
fn keys() -> Keys {
    let salt = *b"\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81";
    Keys::derive(b"pencil", salt, 1)
}

fn check(input: &[u8], random: &mut Random) {
    let mut lines = input.split(|&octet| octet == b'\n');
    let name = lines.next().unwrap_or_default();
    let name = String::from_utf8_lossy(name);
    let mechanism = Mechanism::parse(&name).unwrap_or_else(|| {
        let all = Mechanism::ALL;
        all[random.below(all.len())]
    });
    let binding = Binding {
        exporter: (random.below(2) == 0).then_some([7; 32]),
        end_point: (random.below(2) == 0).then(|| Box::from([9; 48])),
    };
    let setting = Setting {
        plus: binding.is_possible(),
        binding,
        nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".into(),
    };
    // The same with an initial response and without.
    let initial = match random.below(2) {
        0 => lines.next(),
        _ => None,
    };
    let (mut exchange, mut step) = Exchange::begin(mechanism, setting, initial);
    let (mut steps, mut asked, mut good) = (0, None, false);
    loop {
        steps += 1;
        assert!(steps <= STEPS_MAX, "{mechanism:?} goes on and on");
        step = match step {
            Step::Challenge(octets) => {
                // A challenge has at most what the client said and what we say beside it.
                assert!(octets.len() <= 1_024, "{}", octets.len());
                exchange.respond(lines.next().unwrap_or_default())
            }
            Step::Ask(question) => {
                inspect(&question);
                assert!(asked.is_none(), "{mechanism:?} asks twice");
                let is_keys = matches!(question, Question::Keys { .. });
                good = !is_keys && !format!("{question:?}").contains("nobody");
                asked = Some(question);
                match is_keys {
                    true => exchange.keys(keys()),
                    false => exchange.answer(good),
                }
            }
            Step::Accepted => {
                let by_proof = matches!(asked, Some(Question::Keys { .. }));
                assert!(good || by_proof, "{mechanism:?} without a good answer");
                break;
            }
            Step::Refused(_) => break,
        };
    }
    // It is over, whatever comes.
    for last in [b"".as_slice(), b"\x01", b"*"] {
        assert!(matches!(exchange.respond(last), Step::Refused(_)));
    }
    assert!(matches!(exchange.answer(true), Step::Refused(_)));
    assert!(offer(&Default::default()).is_empty());
}

/// What is asked has the form that a directory may rely on.
fn inspect(question: &Question) {
    let name = |name: &str| {
        assert!(
            !name.is_empty() && name.len() <= NAME_OCTETS_MAX,
            "{name:?}"
        );
        assert!(!name.contains(['\0', '\r', '\n']), "{name:?}");
    };
    match question {
        Question::Password { identity, password } => {
            name(identity);
            let octets = password.expose().len();
            assert!((1..=PASSWORD_OCTETS_MAX).contains(&octets));
            // Whoever prints it shows no more.
            assert_eq!(format!("{password:?}"), format!("<{octets} octets>"));
        }
        Question::Keys { identity } => name(identity),
        Question::Bearer { identity, token } => {
            identity.iter().for_each(|identity| name(identity));
            let token = token.expose();
            assert!(!token.is_empty() && token.len() <= RESPONSE_OCTETS_MAX);
            assert!(token.iter().all(u8::is_ascii_graphic));
        }
        Question::Certificate { identity } => identity.iter().for_each(|identity| name(identity)),
    }
}
