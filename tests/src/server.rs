//! A real `ringpost serve` in a scratch directory: started, stopped, killed, started again.
//!
//! In:  a list of [`Listen`]ers and accounts. Out: a running process with the addresses it really listens on.
//! Invariant: nothing outlives its [`Server`]: dropping one kills the process and removes the directory.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long anything may take before a test calls it hung.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The domain every test server has.
pub const DOMAIN: &str = "example.test";
/// The password of every test account.
pub const PASSWORD: &str = "correct horse";

/// One `[[listener]]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// `smtp`, `submission`, `lmtp`, `imap`.
    pub protocol: &'static str,
    /// `none`, `starttls`, `required`, `implicit`.
    pub tls: &'static str,
    /// Address and port, or `unix:` and a path relative to the directory.
    pub bind: &'static str,
}

/// The listeners of a usual host, on ports that the kernel picks.
pub const USUAL: &[Listen] = &[
    Listen {
        protocol: "smtp",
        tls: "starttls",
        bind: "127.0.0.1:0",
    },
    Listen {
        protocol: "submission",
        tls: "required",
        bind: "127.0.0.1:0",
    },
    Listen {
        protocol: "submission",
        tls: "implicit",
        bind: "127.0.0.1:0",
    },
    Listen {
        protocol: "lmtp",
        tls: "none",
        bind: "unix:lmtp.sock",
    },
    Listen {
        protocol: "imap",
        tls: "none",
        bind: "127.0.0.1:0",
    },
    Listen {
        protocol: "imap",
        tls: "starttls",
        bind: "127.0.0.1:0",
    },
    Listen {
        protocol: "imap",
        tls: "implicit",
        bind: "127.0.0.1:0",
    },
];

/// A program of this workspace, beside the test executable's folder.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its own file");
    let profile = test
        .parent()
        .and_then(Path::parent)
        .expect("tests run from target/<profile>/deps");
    let path = profile.join(name);
    assert!(
        path.exists(),
        "{} is not built: run `cargo test --workspace`",
        path.display()
    );
    path
}

/// Lines of standard error so far.
#[derive(Default)]
struct Lines {
    lines: Mutex<(Vec<String>, bool)>,
    grew: Condvar,
}

/// A directory with a configuration, and a process that serves it.
pub struct Server {
    directory: tempfile::TempDir,
    listeners: Vec<Listen>,
    bound: Vec<String>,
    child: Option<Child>,
    errors: Arc<Lines>,
}

impl Server {
    /// Makes the directory and the accounts, and starts the server.
    pub fn start(listeners: &[Listen], accounts: &[&str]) -> Server {
        let mut server = Server::prepare(listeners, accounts, "");
        server.serve();
        server
    }

    /// Makes the directory and the accounts. `more` is added to the configuration.
    pub fn prepare(listeners: &[Listen], accounts: &[&str], more: &str) -> Server {
        let directory = tempfile::tempdir().expect("a scratch directory");
        let server = Server {
            directory,
            listeners: listeners.to_vec(),
            bound: Vec::new(),
            child: None,
            errors: Arc::default(),
        };
        let into = server.path("host");
        let into = into.to_str().expect("UTF-8 path");
        server.run(
            &[
                "init",
                "--dir",
                into,
                "--hostname",
                "mx.example.test",
                "--domain",
                DOMAIN,
            ],
            "",
        );
        server.configure(more);
        for account in accounts {
            server.command(
                &[
                    "account",
                    "add",
                    &format!("{account}@{DOMAIN}"),
                    "--password-stdin",
                ],
                PASSWORD,
            );
        }
        server
    }

    /// Writes the configuration file anew, with `more` behind the listeners.
    pub fn configure(&self, more: &str) {
        let mut text = format!(
            "hostname = \"mx.example.test\"\ndata_dir = \"data\"\n\n[[domain]]\nname = \"{DOMAIN}\"\n"
        );
        for Listen {
            protocol,
            tls,
            bind,
        } in &self.listeners
        {
            text += &format!(
                "\n[[listener]]\nprotocol = \"{protocol}\"\nbind = \"{bind}\"\ntls = \"{tls}\"\n"
            );
        }
        text += "\n[tls]\ncertificate = \"tls/cert.pem\"\nkey = \"tls/key.pem\"\n";
        if !more.contains("[runtime]") {
            text += "\n[runtime]\nshards = 2\n";
        }
        std::fs::write(self.config(), text + "\n" + more)
            .expect("the configuration can be written");
    }

    /// Starts the process and waits for its `ready`.
    pub fn serve(&mut self) {
        let mut child = Command::new(program("ringpost"))
            .args(["serve", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server can be started");
        let errors = Arc::new(Lines::default());
        let (sink, stderr) = (
            Arc::clone(&errors),
            child.stderr.take().expect("stderr is a pipe"),
        );
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                sink.lines.lock().expect("no panic holds it").0.push(line);
                sink.grew.notify_all();
            }
            sink.lines.lock().expect("no panic holds it").1 = true;
            sink.grew.notify_all();
        });
        self.child = Some(child);
        self.errors = errors;
        self.wait_for_line(|line| line.trim() == "ready");
        let lines = self.lines();
        let bound = lines
            .iter()
            .filter_map(|line| line.strip_prefix("listening ")?.split(' ').nth(1));
        self.bound = bound.map(str::to_owned).collect();
        assert_eq!(
            self.bound.len(),
            self.listeners.len(),
            "a line for each listener: {lines:#?}"
        );
    }

    /// Standard error so far.
    pub fn lines(&self) -> Vec<String> {
        self.errors
            .lines
            .lock()
            .expect("no panic holds it")
            .0
            .clone()
    }

    /// Waits until standard error has a line that fits; panics with all of it when none comes.
    pub fn wait_for_line(&self, fits: impl Fn(&str) -> bool) -> String {
        self.wait_for(|lines| lines.iter().find(|line| fits(line)).cloned())
    }

    /// Waits until so many of its lines fit.
    pub fn wait_for_lines(&self, count: usize, fits: impl Fn(&str) -> bool) {
        let are_there = |lines: &[String]| lines.iter().filter(|line| fits(line)).count() >= count;
        self.wait_for(|lines| are_there(lines).then_some(()));
    }

    /// Waits until its lines show what is looked for.
    fn wait_for<T>(&self, look: impl Fn(&[String]) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut guard = self.errors.lines.lock().expect("no panic holds it");
        loop {
            if let Some(found) = look(&guard.0) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if guard.1 || left.is_zero() {
                let lines = guard.0.clone();
                // Nobody who comes after this finds the lock broken.
                drop(guard);
                panic!("the server did not say it: {lines:#?}");
            }
            guard = self
                .errors
                .grew
                .wait_timeout(guard, left)
                .expect("no panic holds it")
                .0;
        }
    }

    /// The address of the first listener with this protocol and TLS mode, as the server printed it.
    pub fn bound(&self, protocol: &str, tls: &str) -> &str {
        let at = self
            .listeners
            .iter()
            .position(|l| l.protocol == protocol && l.tls == tls);
        &self.bound[at.unwrap_or_else(|| panic!("no {protocol} listener with tls {tls}"))]
    }

    /// The same as a socket address.
    pub fn address(&self, protocol: &str, tls: &str) -> SocketAddr {
        self.bound(protocol, tls)
            .parse()
            .expect("an IP address and a port")
    }

    /// A path in the scratch directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.path("host/ringpost.toml")
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    /// Runs a command of `ringpost` on this configuration, `input` on its standard input; its output.
    pub fn command(&self, arguments: &[&str], input: &str) -> String {
        let config = self.config();
        let config = config.to_str().expect("UTF-8 path");
        self.run(&[arguments, &["--config", config]].concat(), input)
    }

    fn run(&self, arguments: &[&str], input: &str) -> String {
        let mut child = Command::new(program("ringpost"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ringpost can be started");
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        writeln!(stdin, "{input}").expect("ringpost reads its input");
        drop(stdin);
        let output = child.wait_with_output().expect("ringpost ends");
        let said = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        assert!(
            output.status.success(),
            "{arguments:?}: {}{}",
            said(&output.stdout),
            said(&output.stderr)
        );
        said(&output.stdout)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: libc::c_int) {
        let sent = signal_process(self.pid(), signal);
        assert!(sent, "the server was gone already: {:#?}", self.lines());
    }

    /// SIGTERM; waits for the end.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(libc::SIGTERM);
        self.wait()
    }

    /// SIGKILL, as a crash: no goodbye; waits for the end.
    pub fn kill(&mut self) -> ExitStatus {
        self.signal(libc::SIGKILL);
        self.wait()
    }

    /// Waits for the process to end by itself.
    pub fn wait(&mut self) -> ExitStatus {
        self.child
            .take()
            .expect("the server runs")
            .wait()
            .expect("a child can be waited for")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // An error here means that it is gone already, which is what is wanted.
            let _gone = child.kill();
            let _gone = child.wait();
            if std::thread::panicking() {
                eprintln!("the server said:\n{}", self.lines().join("\n"));
            }
        }
    }
}

/// Sends `signal`; whether there was a process to take it. The crate has no unsafe code, so `kill(1)` does it.
fn signal_process(pid: u32, signal: libc::c_int) -> bool {
    let status = Command::new("kill")
        .args([format!("-{signal}"), pid.to_string()])
        .status();
    status.expect("kill can be run").success()
}
