//! What tests of the program share: it is run to its end, or a server of it lives beside the test. Everything is on
//! loopback and in scratch folders; ports are chosen by the kernel.
#![allow(dead_code)] // Each test program uses its part.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_ringpost");
/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Alone among the tests of this process. Who opens a store in it would find it locked otherwise: a child that another
/// test starts has the lock too, until it becomes the program.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the program to its end.
pub fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(PROGRAM)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A program that refuses its arguments does not read.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

pub fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// Exit code, stdout and stderr must be as told.
#[track_caller]
pub fn expect(output: &Output, code: i32, stdout: &str, stderr: &str) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(
        output.status.code(),
        Some(code),
        "stdout {out:?} stderr {err:?}"
    );
    assert!(out.contains(stdout), "{out:?} has no {stdout:?}");
    assert!(err.contains(stderr), "{err:?} has no {stderr:?}");
}

/// A folder laid out by `ringpost init`, with listeners on ports of the kernel's choice.
pub struct House {
    pub dir: tempfile::TempDir,
    pub config: String,
}

impl House {
    pub fn new() -> House {
        let dir = tempfile::tempdir().expect("a scratch folder");
        let path = dir.path().to_str().expect("UTF-8").to_owned();
        let init = [
            "init",
            "--dir",
            &path,
            "--hostname",
            "mx.example.test",
            "--domain",
        ];
        let output = run(&[&init[..], &["example.test"]].concat(), "");
        expect(&output, 0, "example.test.", "");
        let config = format!("{path}/ringpost.toml");
        let house = House { dir, config };
        house.append(
            "[[listener]]\nprotocol = \"smtp\"\nbind = \"127.0.0.1:0\"\n\
             [[listener]]\nprotocol = \"imap\"\nbind = \"127.0.0.1:0\"\ntls = \"none\"\n\
             [runtime]\nshards = 2\n[limits]\ndrain_ms = 1000\n",
        );
        house
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    pub fn append(&self, text: &str) {
        let before = fs::read_to_string(&self.config).expect("a configuration");
        fs::write(&self.config, before + text).expect("writes");
    }

    pub fn run(&self, arguments: &[&str], input: &str) -> Output {
        run(&[arguments, &["--config", &self.config]].concat(), input)
    }
}

/// A running server. Killed when a test ends early.
pub struct Server {
    pub child: Child,
    pub lines: Receiver<String>,
    /// Address of each listener, by protocol.
    pub listening: Vec<(String, String)>,
    /// Everything it said up to "ready".
    pub told: Vec<String>,
}

impl Server {
    /// Starts `arguments` and waits for "ready".
    pub fn start(arguments: &[&str]) -> Server {
        let mut child = Command::new(PROGRAM)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut server = Server {
            child,
            lines,
            listening: Vec::new(),
            told: Vec::new(),
        };
        server.told = server.until("ready");
        for line in &server.told {
            if let Some((protocol, address)) = line
                .strip_prefix("listening ")
                .and_then(|line| line.split_once(' '))
            {
                server
                    .listening
                    .push((protocol.to_owned(), address.to_owned()));
            }
        }
        server
    }

    /// Lines of stderr up to and with the one that contains `end`.
    #[track_caller]
    pub fn until(&self, end: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => lines.push(line),
                Err(error) => panic!("{error} before {end:?}: {lines:?}"),
            }
            if lines.last().is_some_and(|line| line.contains(end)) {
                return lines;
            }
        }
    }

    pub fn address(&self, protocol: &str) -> &str {
        let found = self.listening.iter().find(|(of, _)| of == protocol);
        &found.expect("the server listens").1
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// SIGTERM; the exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends lines, each when the answer to the one before is there, and returns all answers.
pub fn converse(address: &str, lines: &[&str], is_end: impl Fn(&str) -> bool) -> Vec<String> {
    let stream = TcpStream::connect(address).expect("the server accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut output = stream.try_clone().expect("a second handle");
    let mut input = BufReader::new(stream);
    let mut answers = Vec::new();
    let mut answer = || {
        loop {
            let mut line = String::new();
            input.read_line(&mut line).expect("an answer");
            let end = line.is_empty() || is_end(&line);
            answers.push(line);
            if end {
                break;
            }
        }
    };
    answer();
    for line in lines {
        output.write_all(line.as_bytes()).expect("the server reads");
        answer();
    }
    answers
}

pub fn smtp(address: &str, lines: &[&str]) -> Vec<String> {
    converse(address, lines, |line| line.as_bytes().get(3) == Some(&b' '))
}

pub fn imap(address: &str, lines: &[&str]) -> Vec<String> {
    converse(address, lines, |line| {
        line.starts_with("a ") || line.starts_with("* OK [CAPABILITY")
    })
}
