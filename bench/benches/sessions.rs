//! Whole sessions of the SMTP state machine: what a mail costs beside the network, TLS and the store.
//!
//! `commands` is the session without its mail; `data` and `bdat` bring one of 2 KiB, everything in one piece; `turns` brings
//! it as most clients do, each command in a packet of its own.

use criterion::{Criterion, criterion_group, criterion_main};
use ringpost_smtp::session::Patience;
use ringpost_smtp::{Action, Mechanisms, Options, Role, Session, Tls, reply};
use ringpost_types::limit::Limits;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

const MAIL_OCTETS: usize = 2_048;

const ENVELOPE: &str = "EHLO mail.example.net\r\nMAIL FROM:<alice@example.net> SIZE=2048 BODY=8BITMIME\r\n\
                        RCPT TO:<bob@example.org>\r\n";

fn mail() -> String {
    let head = "From: alice@example.net\r\nTo: bob@example.org\r\nSubject: once\r\n\r\n";
    let line = "A line of a mail, about as long as most of them are in practice.\r\n";
    let lines = (MAIL_OCTETS - head.len()) / line.len();
    [head, &line.repeat(lines)].concat()
}

/// Name, and what the client sends, packet by packet.
fn sessions() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let mail = mail();
    let data = format!("{ENVELOPE}DATA\r\n{mail}.\r\nQUIT\r\n");
    let bdat = format!("{ENVELOPE}BDAT {} LAST\r\n{mail}QUIT\r\n", mail.len());
    let mut turns: Vec<Vec<u8>> = ENVELOPE
        .split_inclusive("\r\n")
        .map(|line| line.as_bytes().to_vec())
        .collect();
    turns.push(b"DATA\r\n".to_vec());
    turns.push(format!("{mail}.\r\n").into_bytes());
    turns.push(b"QUIT\r\n".to_vec());
    vec![
        (
            "commands",
            vec![format!("{ENVELOPE}RSET\r\nQUIT\r\n").into_bytes()],
        ),
        ("data", vec![data.into_bytes()]),
        ("bdat", vec![bdat.into_bytes()]),
        ("turns", turns),
    ]
}

/// Plays a session with a service that says yes to all; octets of mails, and of replies.
fn play(options: &Rc<Options>, packets: &[Vec<u8>], output: &mut Vec<u8>) -> usize {
    let mut session = Session::new(options.clone(), Tls::Absent);
    session.at(1_795_492_800_000);
    session.greeting().write(output);
    let mut octets = 0;
    for packet in packets {
        let mut input = &packet[..];
        loop {
            let (used, action) = session.step(input);
            match action {
                Action::More => break,
                Action::Reply(reply) => reply.write(output),
                Action::Body(run) => octets += black_box(run).len(),
                Action::Mail(_) | Action::Recipient(_) | Action::Begin { .. } => {
                    session.answer(Ok(()));
                }
                Action::Deliver => session.finish(reply::FLUSHED),
                Action::Reset => {}
                Action::Close => return octets,
                other => panic!("nobody asks for {other:?} here"),
            }
            input = &input[used..];
        }
        black_box(session.phase_patience() == Patience::Block);
    }
    panic!("a session ends with QUIT");
}

fn smtp(criterion: &mut Criterion) {
    let options = Rc::new(Options {
        role: Role::Mx,
        hostname: "mx.example.org".into(),
        limits: Limits::default(),
        queue: false,
        mechanisms: Mechanisms::default(),
        xclient: false,
    });
    let mut output = Vec::with_capacity(4_096);
    let mut group = criterion.benchmark_group("smtp/session");
    for (name, packets) in sessions() {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                output.clear();
                black_box(play(&options, black_box(&packets), &mut output))
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = smtp
}
criterion_main!(benches);
