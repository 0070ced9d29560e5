//! A server small enough to be seen through, that keeps its promises or breaks one of them on purpose.
//!
//! It speaks as much SMTP, LMTP and IMAP as the load generator does, one blocking thread for each connection.

use std::io::{BufRead, BufReader, Read as _, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// The promise it breaks, for mail number 3 of those it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sin {
    None,
    Lose,
    Double,
    Alter,
    /// Not a sin: it says no.
    Refuse,
    /// Not one either: it closes without a reply, and keeps the mail.
    Vanish,
}

pub struct Small {
    pub smtp: SocketAddr,
    pub imap: SocketAddr,
}

struct State {
    sin: Sin,
    taken: Mutex<u64>,
    /// Recipient and octets.
    mails: Mutex<Vec<(String, Vec<u8>)>>,
    idle: Mutex<Vec<TcpStream>>,
}

/// Starts it; its threads end with the test's process.
pub fn start(sin: Sin) -> Small {
    let (taken, mails, idle) = (Mutex::new(0), Mutex::default(), Mutex::default());
    let state = Arc::new(State {
        sin,
        taken,
        mails,
        idle,
    });
    Small {
        smtp: listen(state.clone(), smtp),
        imap: listen(state, imap),
    }
}

type Talk = fn(&State, TcpStream) -> Option<()>;

fn listen(state: Arc<State>, talk: Talk) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let state = state.clone();
            thread::spawn(move || talk(&state, stream));
        }
    });
    address
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    reader
        .read_line(&mut line)
        .ok()
        .filter(|&octets| octets > 0)?;
    Some(line.trim_end().to_owned())
}

/// Ends with `None` when the connection does.
fn smtp(state: &State, stream: TcpStream) -> Option<()> {
    let mut out = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    let (mut lmtp, mut recipients) = (false, Vec::new());
    out.write_all(b"220 small\r\n").ok()?;
    loop {
        let command = line(&mut reader)?;
        let verb = command.split(' ').next()?;
        let mail = match verb {
            "EHLO" | "LHLO" => {
                lmtp = verb == "LHLO";
                out.write_all(
                    b"250-small\r\n250-PIPELINING\r\n250-SIZE 9999999\r\n250 CHUNKING\r\n",
                )
                .ok()?;
                continue;
            }
            "RCPT" => {
                recipients.push(
                    command
                        .strip_prefix("RCPT TO:<")?
                        .strip_suffix('>')?
                        .to_owned(),
                );
                out.write_all(b"250 ok\r\n").ok()?;
                continue;
            }
            "DATA" => {
                out.write_all(b"354 go\r\n").ok()?;
                data(&mut reader)?
            }
            "BDAT" => {
                let mut mail = vec![0; command.split(' ').nth(1)?.parse().ok()?];
                reader.read_exact(&mut mail).ok()?;
                mail
            }
            "QUIT" => return out.write_all(b"221 bye\r\n").ok(),
            _ => {
                recipients.clear();
                out.write_all(b"250 ok\r\n").ok()?;
                continue;
            }
        };
        let replies = if lmtp { recipients.len() } else { 1 };
        let reply = keep(state, &mut recipients, mail)?;
        out.write_all(reply.repeat(replies).as_bytes()).ok()?;
    }
}

fn data(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut mail = Vec::new();
    loop {
        let start = mail.len();
        reader
            .read_until(b'\n', &mut mail)
            .ok()
            .filter(|&octets| octets > 0)?;
        if &mail[start..] == b".\r\n" {
            mail.truncate(start);
            return Some(mail);
        }
        if mail[start] == b'.' {
            mail.remove(start);
        }
    }
}

fn keep(state: &State, recipients: &mut Vec<String>, mail: Vec<u8>) -> Option<&'static str> {
    let mut taken = state.taken.lock().expect("no thread panics");
    *taken += 1;
    let sin = if *taken == 3 { state.sin } else { Sin::None };
    drop(taken);
    let mut mails = state.mails.lock().expect("no thread panics");
    let recipients = std::mem::take(recipients);
    for recipient in recipients {
        let mut stored = [b"Return-Path: <x>\r\n".as_slice(), &mail].concat();
        match sin {
            Sin::Lose | Sin::Refuse => continue,
            Sin::Double => mails.push((recipient.clone(), stored.clone())),
            Sin::Alter => *stored.last_mut()? = b' ',
            Sin::Vanish | Sin::None => {}
        }
        mails.push((recipient, stored));
    }
    match sin {
        Sin::Refuse => Some("452 4.3.1 not now\r\n"),
        Sin::Vanish => None,
        _ => Some("250 ok\r\n"),
    }
}

fn imap(state: &State, stream: TcpStream) -> Option<()> {
    let mut out = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    let mut user = String::new();
    out.write_all(b"* OK small\r\n").ok()?;
    loop {
        let command = line(&mut reader)?;
        let (tag, command) = command.split_once(' ')?;
        let verb = command.split(' ').next()?;
        let mine = || -> Vec<Vec<u8>> {
            let mails = state.mails.lock().expect("no thread panics");
            mails
                .iter()
                .filter(|mail| mail.0 == user)
                .map(|mail| mail.1.clone())
                .collect()
        };
        match verb {
            "LOGIN" => user = command.split('"').nth(1)?.to_owned(),
            "SELECT" => write!(out, "* {} EXISTS\r\n", mine().len()).ok()?,
            "FETCH" => {
                for number in 1..=mine().len() {
                    write!(out, "* {number} FETCH (FLAGS ())\r\n").ok()?;
                }
            }
            "UID" => fetch(
                &mut out,
                command.split(' ').nth(2)?,
                command.contains("HEADER"),
                mine(),
            )?,
            "APPEND" => {
                out.write_all(b"+ go\r\n").ok()?;
                let octets = command
                    .split('{')
                    .nth(1)?
                    .strip_suffix('}')?
                    .parse::<usize>()
                    .ok()?;
                let mut mail = vec![0; octets + 2];
                reader.read_exact(&mut mail).ok()?;
                state
                    .mails
                    .lock()
                    .expect("no thread panics")
                    .push((user.clone(), mail));
                for idle in state.idle.lock().expect("no thread panics").iter_mut() {
                    idle.write_all(b"* 1 EXISTS\r\n").ok()?;
                }
            }
            "IDLE" => {
                state
                    .idle
                    .lock()
                    .expect("no thread panics")
                    .push(out.try_clone().ok()?);
                out.write_all(b"+ idling\r\n").ok()?;
                continue;
            }
            _ => {}
        }
        write!(out, "{tag} OK done\r\n").ok()?;
    }
}

/// Answers a UID FETCH of one literal; UIDs are places in the list.
fn fetch(out: &mut impl Write, set: &str, header: bool, mails: Vec<Vec<u8>>) -> Option<()> {
    for range in set.split(',') {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        let last = last.parse().unwrap_or(mails.len());
        let first: usize = first.parse().ok()?;
        for uid in first.min(last)..=last {
            let Some(mail) = mails.get(uid.checked_sub(1)?) else {
                continue;
            };
            let literal = if header { identity(mail) } else { mail.clone() };
            write!(
                out,
                "* {uid} FETCH (UID {uid} BODY[] {{{}}}\r\n",
                literal.len()
            )
            .ok()?;
            out.write_all(&literal).ok()?;
            out.write_all(b")\r\n").ok()?;
        }
    }
    Some(())
}

fn identity(mail: &[u8]) -> Vec<u8> {
    let mut lines = mail.split_inclusive(|&octet| octet == b'\n');
    let line = lines
        .find(|line| line.starts_with(b"X-Ringpost-Load:"))
        .unwrap_or_default();
    [line, b"\r\n"].concat()
}
