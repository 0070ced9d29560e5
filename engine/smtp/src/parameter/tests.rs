use super::*;
use crate::envelope::ByMode;
use crate::{Role, Tls};
use BadParameter::{Envid, Priority, Syntax, Twice, Unknown};
use ringpost_types::limit::Limits;

/// 2026-11-24T04:00:00Z.
const NOW: u64 = 1_795_492_800;

fn limits() -> Limits {
    Limits {
        smtp_hold_seconds_max: 86_400,
        ..Limits::default()
    }
}

fn circumstances(limits: &Limits, queue: bool) -> Circumstances<'_> {
    Circumstances {
        role: Role::Submission,
        tls: Tls::Active,
        queue,
        xclient: false,
        mechanisms: &[],
        limits,
        unix: NOW,
    }
}

fn made(change: impl Fn(&mut MailParameters)) -> Result<MailParameters, BadParameter> {
    let mut parameters = MailParameters::default();
    change(&mut parameters);
    Ok(parameters)
}

#[test]
fn of_mail_always() {
    let cases: &[(&str, Result<MailParameters, BadParameter>)] = &[
        ("", made(|_| ())),
        ("size=1000", made(|p| p.size = Some(1000))),
        (
            "SIZE=99999999999999999999 BODY=8BitMime  SMTPUTF8",
            made(|p| {
                p.size = Some(u64::MAX);
                p.body = Body::EightBit;
                p.utf8 = true;
            }),
        ),
        ("BODY=7BIT AUTH=<>", made(|_| ())),
        ("BODY=BINARYMIME", made(|p| p.body = Body::Binary)),
        ("AUTH=e+3Dmc2@example.com", made(|_| ())),
        ("AUTH=a+0D+0Ab", Err(Syntax)),
        ("AUTH", Err(Syntax)),
        ("SIZE=", Err(Syntax)),
        ("SIZE=1x", Err(Syntax)),
        ("SIZE", Err(Syntax)),
        ("SIZE=-1", Err(Syntax)),
        ("SIZE=999999999999999999999", Err(Syntax)),
        ("SIZE=1 SIZE=1", Err(Twice)),
        ("BODY=9BIT", Err(Syntax)),
        ("SMTPUTF8=1", Err(Syntax)),
        ("=x", Err(Syntax)),
        ("A_B=x", Err(Syntax)),
        ("XFOO", Err(Unknown)),
        ("NOTIFY=NEVER", Err(Unknown)),
        ("MT-PRIORITYES=1", Err(Unknown)),
        ("AVERYLONGKEYWORDINDEED=1", Err(Unknown)),
    ];
    let limits = limits();
    for queue in [false, true] {
        for (text, expected) in cases {
            let got = mail(text.as_bytes(), &circumstances(&limits, queue));
            assert_eq!(&got, expected, "{text:?} {queue}");
        }
    }
}

#[test]
fn of_mail_with_a_queue() {
    let hundred = "e".repeat(100);
    let by = |seconds, mode, trace| {
        made(move |p| {
            p.by = Some(By {
                seconds,
                mode,
                trace,
            })
        })
    };
    let held = |hold, seconds, mode| {
        made(move |p| {
            p.hold = Some(Hold::For(hold));
            p.by = Some(By {
                seconds,
                mode,
                trace: false,
            })
        })
    };
    let cases: &[(&str, Result<MailParameters, BadParameter>)] = &[
        ("RET=FULL", made(|p| p.ret = Some(Ret::Full))),
        ("ret=hdrs", made(|p| p.ret = Some(Ret::Headers))),
        ("RET=BODY", Err(Syntax)),
        ("RET", Err(Syntax)),
        ("RET=FULL RET=FULL", Err(Twice)),
        // RFC 3461 §10.
        (
            "ENVID=QQ314159",
            made(|p| p.envid = Some("QQ314159".into())),
        ),
        ("ENVID=a+2Bb+20c", made(|p| p.envid = Some("a+b c".into()))),
        ("ENVID=a+0D+0AX:1", Err(Envid)),
        ("ENVID=a+00", Err(Envid)),
        ("ENVID=+", Err(Envid)),
        ("ENVID=ö", Err(Envid)),
        (
            &format!("ENVID={hundred}"),
            made(|p| p.envid = Some(hundred.as_str().into())),
        ),
        (&format!("ENVID={hundred}e"), Err(Envid)),
        ("REQUIRETLS", made(|p| p.require_tls = true)),
        ("REQUIRETLS=1", Err(Syntax)),
        ("REQUIRETLS REQUIRETLS", Err(Twice)),
        ("HOLDFOR=1", made(|p| p.hold = Some(Hold::For(1)))),
        ("HOLDFOR=86400", made(|p| p.hold = Some(Hold::For(86_400)))),
        ("HOLDFOR=86401", Err(BadParameter::Hold)),
        ("HOLDFOR=0", Err(BadParameter::Hold)),
        // What comes back when it is late must be able to leave before.
        ("HOLDFOR=60 BY=60;R", Err(BadParameter::Hold)),
        ("BY=60;RT HOLDFOR=60", Err(BadParameter::Hold)),
        (
            "HOLDUNTIL=2026-11-24T05:00:00Z BY=3600;R",
            Err(BadParameter::Hold),
        ),
        ("HOLDFOR=60 BY=61;R", held(60, 61, ByMode::Return)),
        ("HOLDFOR=60 BY=1;N", held(60, 1, ByMode::Notify)),
        ("HOLDFOR=01", Err(BadParameter::Hold)),
        ("HOLDFOR=-1", Err(BadParameter::Hold)),
        ("HOLDFOR=9999999999", Err(BadParameter::Hold)),
        ("HOLDFOR", Err(Syntax)),
        ("HOLDFOR=1 HOLDFOR=1", Err(BadParameter::Hold)),
        (
            "HOLDFOR=1 HOLDUNTIL=2026-11-24T05:00:00Z",
            Err(BadParameter::Hold),
        ),
        (
            "HOLDUNTIL=2026-11-24T05:00:00Z",
            made(|p| p.hold = Some(Hold::Until(NOW + 3_600))),
        ),
        (
            "HOLDUNTIL=2026-11-24T06:00:00.5+01:00",
            made(|p| p.hold = Some(Hold::Until(NOW + 3_600))),
        ),
        (
            "HOLDUNTIL=2026-11-24T04:00:00Z",
            made(|p| p.hold = Some(Hold::Until(NOW))),
        ),
        (
            "HOLDUNTIL=2026-11-25T04:00:00z",
            made(|p| p.hold = Some(Hold::Until(NOW + 86_400))),
        ),
        ("HOLDUNTIL=2026-11-25T04:00:01Z", Err(BadParameter::Hold)),
        ("HOLDUNTIL=2026-11-24T03:59:59Z", Err(BadParameter::Hold)),
        ("HOLDUNTIL=1926-11-24T05:00:00Z", Err(BadParameter::Hold)),
        ("HOLDUNTIL=2026-11-24", Err(BadParameter::Hold)),
        ("HOLDUNTIL=2026-11-24T05:00:00", Err(BadParameter::Hold)),
        ("HOLDUNTIL=2026-02-30T05:00:00Z", Err(BadParameter::Hold)),
        ("HOLDUNTIL=20261124T050000Z", Err(BadParameter::Hold)),
        (
            "HOLDUNTIL=2026-11-24T05:00:00+01[UTC]",
            Err(BadParameter::Hold),
        ),
        // RFC 2852 §4.
        ("BY=125;R", by(125, ByMode::Return, false)),
        ("by=+999999999;nt", by(999_999_999, ByMode::Notify, true)),
        ("BY=-10;N", by(-10, ByMode::Notify, false)),
        ("BY=0;N", by(0, ByMode::Notify, false)),
        ("BY=0;R", Err(BadParameter::By)),
        ("BY=-1;RT", Err(BadParameter::By)),
        ("BY=1000000000;R", Err(BadParameter::By)),
        ("BY=1", Err(BadParameter::By)),
        ("BY=;R", Err(BadParameter::By)),
        ("BY=1;X", Err(BadParameter::By)),
        ("BY=1;RX", Err(BadParameter::By)),
        ("BY=1;RTT", Err(BadParameter::By)),
        ("BY=+-1;R", Err(BadParameter::By)),
        ("BY=1;R BY=1;R", Err(Twice)),
        ("MT-PRIORITY=0", made(|p| p.priority = Some(0))),
        ("mt-priority=9", made(|p| p.priority = Some(9))),
        ("MT-PRIORITY=-9", made(|p| p.priority = Some(-9))),
        ("MT-PRIORITY=10", Err(Priority)),
        ("MT-PRIORITY=-10", Err(Priority)),
        ("MT-PRIORITY=+1", Err(Priority)),
        ("MT-PRIORITY=-0", Err(Priority)),
        ("MT-PRIORITY=x", Err(Priority)),
        ("MT-PRIORITY", Err(Syntax)),
    ];
    let limits = limits();
    for (text, expected) in cases {
        let got = mail(text.as_bytes(), &circumstances(&limits, true));
        assert_eq!(&got, expected, "{text:?}");
        // Without a queue none of them is known, however it is written.
        let got = mail(text.as_bytes(), &circumstances(&limits, false));
        assert!(matches!(got, Err(Unknown)), "{text:?} {got:?}");
    }
}

#[test]
fn of_rcpt() {
    let parsed = |notify: Option<Notify>, orcpt: Option<(&str, &str)>| {
        let orcpt = orcpt.map(|(kind, address)| Orcpt {
            kind: kind.into(),
            address: address.into(),
        });
        Ok(RcptParameters { notify, orcpt })
    };
    let set = |bits| parsed(Notify::of_bits(bits), None);
    let address = |kind, address| parsed(None, Some((kind, address)));
    let long = "a".repeat(493);
    type Expected = Result<RcptParameters, BadParameter>;
    let cases: &[(&str, bool, Expected)] = &[
        ("NOTIFY=NEVER", false, set(1)),
        ("notify=success", false, set(2)),
        ("NOTIFY=FAILURE,DELAY", false, set(12)),
        ("NOTIFY=DELAY,SUCCESS,FAILURE,DELAY", false, set(14)),
        ("NOTIFY=NEVER,DELAY", false, Err(BadParameter::Notify)),
        ("NOTIFY=DELAY,NEVER", false, Err(BadParameter::Notify)),
        ("NOTIFY=NEVER,NEVER", false, Err(BadParameter::Notify)),
        ("NOTIFY=SUCCESS,", false, Err(BadParameter::Notify)),
        ("NOTIFY=ALWAYS", false, Err(BadParameter::Notify)),
        ("NOTIFY", false, Err(Syntax)),
        ("NOTIFY=DELAY NOTIFY=DELAY", false, Err(Twice)),
        // RFC 3461 §10.
        (
            "ORCPT=rfc822;Bob@Example.COM",
            false,
            address("rfc822", "Bob@Example.COM"),
        ),
        ("ORCPT=RFC822;a+2Bb@x", false, address("rfc822", "a+b@x")),
        ("ORCPT=x400;+2FS=a", false, Err(Syntax)),
        (
            "ORCPT=rfc822;a+0D+0ABcc:+20b",
            false,
            Err(BadParameter::Orcpt),
        ),
        ("ORCPT=rfc822;a+0Ab", false, Err(BadParameter::Orcpt)),
        ("ORCPT=rfc822;a+00b", false, Err(BadParameter::Orcpt)),
        ("ORCPT=rfc822;", false, Err(BadParameter::Orcpt)),
        ("ORCPT=;a@b", false, Err(BadParameter::Orcpt)),
        ("ORCPT=a@b", false, Err(BadParameter::Orcpt)),
        ("ORCPT=rfc(822;a@b", false, Err(BadParameter::Orcpt)),
        ("ORCPT=rfc822;dörte@b", true, Err(BadParameter::Orcpt)),
        (
            "ORCPT=utf-8;d\\x{F6}rte@b",
            false,
            address("utf-8", "dörte@b"),
        ),
        ("ORCPT=UTF-8;dörte@b", true, address("utf-8", "dörte@b")),
        ("ORCPT=utf-8;dörte@b", false, Err(BadParameter::Orcpt)),
        (
            "ORCPT=utf-8;d\\x{0D}\\x{0A}@b",
            true,
            Err(BadParameter::Orcpt),
        ),
        ("ORCPT=utf-8;a\u{2028}@b", true, Err(BadParameter::Orcpt)),
        (
            &format!("ORCPT=rfc822;{long}"),
            false,
            address("rfc822", &long),
        ),
        (
            &format!("ORCPT=rfc822;{long}a"),
            false,
            Err(BadParameter::Orcpt),
        ),
        ("ORCPT=rfc822;a ORCPT=rfc822;a", false, Err(Twice)),
        (
            "NOTIFY=NEVER ORCPT=rfc822;a@b",
            false,
            parsed(
                Some(crate::envelope::Notify::NEVER),
                Some(("rfc822", "a@b")),
            ),
        ),
    ];
    let limits = limits();
    for (text, utf8, expected) in cases {
        let got = rcpt(text.as_bytes(), *utf8, &circumstances(&limits, true));
        assert_eq!(&got, expected, "{text:?}");
        let got = rcpt(text.as_bytes(), *utf8, &circumstances(&limits, false));
        assert!(got.is_err(), "{text:?}");
    }
    let always: &[(&str, Expected)] = &[
        ("", Ok(RcptParameters::default())),
        (" ", Ok(RcptParameters::default())),
        ("SIZE=1", Err(Unknown)),
        ("!", Err(Syntax)),
    ];
    for (text, expected) in always {
        for queue in [false, true] {
            let got = rcpt(text.as_bytes(), true, &circumstances(&limits, queue));
            assert_eq!(&got, expected, "{text:?}");
        }
    }
}
