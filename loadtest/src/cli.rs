//! The command line: `ringpost-load smtp|idle|imap|slow|verify`.
//!
//! Exit codes: 0 done and kept, 1 something refused, failed or lost, 2 usage, 3 no connection.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand};
use ringpost_runtime::TlsClient;

use crate::account;
use crate::drive::Threads;
use crate::imap::audit::{self, Bodies, Look};
use crate::imap::client::Login;
use crate::imap::{command, idle};
use crate::ledger::{Ledger, Outcome};
use crate::message::{AUTHOR, Corpus, Form, Random, Sizes};
use crate::process;
use crate::process::tree::Processes;
use crate::progress::Progress;
use crate::report::Report;
use crate::slow;
use crate::slow::crowd;
use crate::slow::way::{Envelope, Way};
use crate::smtp::plan::{Counts, Dialect, Pace, Plan, REST};
use crate::smtp::run::{self, Ran};
use crate::target::{Service, Target, Tls};
use crate::wire::Error;

/// Puts a mail server under load, measures it, and checks that it kept what it accepted.
#[derive(Parser)]
#[command(name = "ringpost-load", version, after_help = AFTER)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str = "Exit codes: 0 all done and kept, 1 something was refused, failed or lost, \
    2 usage, 3 no connection.\n\
    Example: ringpost-load smtp --target 127.0.0.1:2525 --to alice@example.test --messages 10000 --sessions 50 \
    --server-pid $(pidof ringpost) --verify imap:127.0.0.1:1143 --verify-password-file alice.password";

#[derive(Subcommand)]
enum Command {
    /// Sends mails by SMTP or LMTP.
    Smtp(Box<Smtp>),
    /// Holds idle IMAP connections.
    Idle(Idle),
    /// Repeats an IMAP command.
    Imap(Imap),
    /// Holds sessions that trickle octets, and measures what they take from those that work.
    Slow(Slow),
    /// Compares mailboxes with the ledger of an earlier run.
    Verify(Verify),
}

#[derive(Args)]
struct Common {
    /// Process id of the server: its CPU time, memory and disk writes are reported
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// The same for a server of many processes: these and all their descendants, ended ones too
    #[arg(
        long,
        value_name = "PID,...",
        value_delimiter = ',',
        conflicts_with = "server_pid"
    )]
    server_tree: Vec<u32>,
    /// Threads of the generator
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
    /// CPUs of the generator, such as 1 or 1,3; its threads spread over them
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pin: Vec<usize>,
    /// End after so many seconds at the latest
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Allow targets that are not on this machine
    #[arg(long)]
    anywhere: bool,
    /// Report as JSON on standard output
    #[arg(long)]
    json: bool,
    /// No progress bar
    #[arg(long)]
    no_progress: bool,
}

#[derive(Args)]
struct Smtp {
    /// ADDRESS:PORT, localhost:PORT or unix:PATH
    #[arg(long)]
    target: Target,
    /// Connections at the same time
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=20_000))]
    sessions: u64,
    /// Mails in all
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    messages: u64,
    /// Mails of one connection before it is closed and opened anew
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    per_connection: u64,
    /// Octets of a mail: 2048, 2k, or a range 1k-400k
    #[arg(long, default_value = "2048", conflicts_with = "folder")]
    size: Sizes,
    /// Send the .eml files of this folder in turn
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Seed of the made mails
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Reverse-path, and From of the made mails
    #[arg(long, default_value = AUTHOR)]
    from: String,
    /// Recipient; may be repeated; %d stands for the numbers from 1 to --accounts
    #[arg(long, required = true)]
    to: Vec<String>,
    /// What %d in --to counts to
    #[arg(long, default_value_t = 1)]
    accounts: u64,
    /// Recipients of each mail, taken in turn
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    recipients: u16,
    #[arg(long, value_enum, default_value_t = Tls::None)]
    tls: Tls,
    /// User for AUTH PLAIN
    #[arg(long, value_name = "USER")]
    auth: Option<String>,
    #[command(flatten)]
    password: Password,
    /// Send the envelope in one piece
    #[arg(long)]
    pipelining: bool,
    /// LMTP instead of SMTP
    #[arg(long)]
    lmtp: bool,
    /// BDAT instead of DATA
    #[arg(long)]
    bdat: bool,
    /// Look afterwards whether all mails arrived: imap:TARGET, imaps:TARGET or imap+starttls:TARGET
    #[arg(long, value_name = "SERVICE")]
    verify: Option<Service>,
    /// Password of the recipients' accounts; otherwise --password-file or --password-stdin
    #[arg(long, value_name = "FILE")]
    verify_password_file: Option<PathBuf>,
    /// Of which mails all octets are compared
    #[arg(long, value_enum, default_value_t = Bodies::All)]
    verify_bodies: Bodies,
    /// Seconds that an accepted mail may take to appear
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    verify_wait: u64,
    /// Write down what was accepted, for `verify`
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Password {
    /// Read the password from a file
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    password_file: Option<PathBuf>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Args)]
struct Access {
    /// ADDRESS:PORT, localhost:PORT or unix:PATH
    #[arg(long)]
    target: Target,
    #[arg(long, value_enum, default_value_t = Tls::None)]
    tls: Tls,
    /// User; %d stands for the numbers from 1 to --accounts
    #[arg(long, required = true)]
    user: Vec<String>,
    /// What %d in --user counts to
    #[arg(long, default_value_t = 1)]
    accounts: u64,
    #[command(flatten)]
    password: Password,
    #[arg(long, default_value = "INBOX")]
    mailbox: String,
}

#[derive(Args)]
struct Idle {
    #[command(flatten)]
    access: Access,
    /// Connections to hold
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=200_000))]
    connections: u64,
    /// Seconds to hold them; the server's memory is read at the end
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    hold: u64,
    /// Append one mail and wait until all connections are told
    #[arg(long)]
    push: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Imap {
    #[command(flatten)]
    access: Access,
    /// The command, without its tag
    #[arg(long, default_value = "FETCH 1:* (FLAGS)")]
    command: String,
    /// How often, in all
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    repeat: u64,
    /// Connections at the same time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=20_000))]
    sessions: u64,
    /// First send so many mails to the user, by way of --fill-target
    #[arg(long, value_name = "N", requires = "fill_target")]
    fill: Option<u64>,
    /// SMTP server for --fill
    #[arg(long, value_name = "TARGET")]
    fill_target: Option<Target>,
    /// --fill speaks LMTP
    #[arg(long)]
    fill_lmtp: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Slow {
    /// ADDRESS:PORT or localhost:PORT, SMTP
    #[arg(long)]
    target: Target,
    /// The same of IMAP, for the way of that name
    #[arg(long, value_name = "TARGET")]
    imap: Option<Target>,
    /// Recipient of the good sessions' mails, and of those that never end
    #[arg(long)]
    to: String,
    /// Reverse-path, and From of the made mails
    #[arg(long, default_value = AUTHOR)]
    from: String,
    /// Slow sessions
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    slow: u64,
    /// Where they are slow, taken in turn; all that there is a target for where nothing is said
    #[arg(long, value_enum, value_name = "WAY,...", value_delimiter = ',')]
    ways: Vec<Way>,
    /// Milliseconds between two octets of one session
    #[arg(long, value_name = "MS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(10..=3_600_000))]
    every: u64,
    /// Addresses from 127.0.1.1 on that they come from; 0: the system chooses
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(0..=2_000))]
    spread: u16,
    /// They say by a PROXY header that they come from as many addresses of 198.18.0.0/15, four of each network
    #[arg(long)]
    proxy: bool,
    /// Good sessions
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=20_000))]
    sessions: u64,
    /// Mails of the good sessions in each run
    #[arg(long, default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    messages: u64,
    /// Octets of a mail
    #[arg(long, default_value = "2048")]
    size: Sizes,
    /// Runs without and with the slow ones, in turn
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: u64,
    /// Exit 1 when the good sessions keep less than so many percent of their mails in a second
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    keep: f64,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Verify {
    /// Ledger of an earlier run
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    /// imap:TARGET, imaps:TARGET or imap+starttls:TARGET
    #[arg(long)]
    service: Service,
    #[command(flatten)]
    password: Password,
    /// Of which mails all octets are compared
    #[arg(long, value_enum, default_value_t = Bodies::All)]
    bodies: Bodies,
    /// Seconds that an accepted mail may take to appear
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    wait: u64,
    #[command(flatten)]
    common: Common,
}

/// Why there is no report.
enum Stop {
    /// What was asked for makes no sense: 2.
    Usage(String),
    /// Nobody answers there: 3.
    Unreachable(String),
    /// The run itself broke off: 1.
    Failed(String),
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Stop::Failed(error.to_string())
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            Error::Connect(_) => Stop::Unreachable(error.to_string()),
            error => Stop::Failed(error.to_string()),
        }
    }
}

/// Reads the arguments, runs, reports.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Smtp(options) => smtp(*options),
        Command::Idle(options) => hold_idle(options),
        Command::Imap(options) => imap(options),
        Command::Slow(options) => slow_sessions(options),
        Command::Verify(options) => verify(options),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(stop) => {
            let (text, code) = match stop {
                Stop::Failed(text) => (text, 1),
                Stop::Usage(text) => (text, 2),
                Stop::Unreachable(text) => (text, 3),
            };
            eprintln!("ringpost-load: {text}");
            ExitCode::from(code)
        }
    }
}

impl Common {
    fn threads(&self) -> Threads {
        Threads {
            count: usize::from(self.threads),
            cores: self.pin.clone(),
        }
    }

    fn progress(&self) -> Progress {
        match self.json || self.no_progress {
            true => Progress::Hidden,
            false => Progress::Shown,
        }
    }

    /// Whose usage is reported, if anyone's.
    fn server(&self) -> Option<Processes> {
        let trees = (!self.server_tree.is_empty()).then(|| self.server_tree.clone());
        let one = self.server_pid.map(Processes::One);
        one.or(trees.map(Processes::Trees))
    }

    fn until(&self) -> Instant {
        Instant::now() + Duration::from_secs(self.seconds)
    }

    /// The target may be used, the server's process is there, and there are descriptors enough.
    fn check(&self, target: &Target, connections: u64) -> Result<(), Stop> {
        if !target.is_local() && !self.anywhere {
            let why = "is not on this machine; --anywhere if that is really meant";
            return Err(Stop::Usage(format!("{target} {why}")));
        }
        if self.server().is_some_and(|server| server.read().is_none()) {
            return Err(Stop::Usage(
                "--server-pid or --server-tree names no process that may be read".into(),
            ));
        }
        const OTHER_FILES: u64 = 64;
        let files = process::raise_open_files();
        match files < connections + OTHER_FILES {
            true => Err(Stop::Usage(format!(
                "{connections} connections need more open files than the {files} allowed: ulimit -n {}",
                connections + OTHER_FILES
            ))),
            false => Ok(()),
        }
    }

    fn tell(&self, report: &Report) -> Result<bool, Stop> {
        match self.json {
            true => {
                let json = serde_json::to_string_pretty(report);
                println!("{}", json.map_err(|error| Stop::Failed(error.to_string()))?);
            }
            false => print!("{}", report.text()),
        }
        Ok(report.is_well())
    }
}

impl Password {
    fn read(&self) -> Result<Option<String>, Stop> {
        let given = self.password_stdin || self.password_file.is_some();
        let read = || account::password(self.password_file.as_deref());
        let unreadable = |error| Stop::Usage(format!("the password cannot be read: {error}"));
        given.then(read).transpose().map_err(unreadable)
    }

    fn required(&self) -> Result<String, Stop> {
        let lacking = || Stop::Usage("--password-file or --password-stdin is needed".into());
        self.read()?.ok_or_else(lacking)
    }
}

fn smtp(options: Smtp) -> Result<bool, Stop> {
    let common = &options.common;
    common.check(&options.target, options.sessions)?;
    let accounts = account::expand(&options.to, options.accounts).map_err(Stop::Usage)?;
    let password = options.password.read()?;
    let login = match (&options.auth, &password) {
        (None, _) => None,
        (Some(user), Some(password)) => Some((user.clone(), password.clone())),
        (Some(_), None) => {
            return Err(Stop::Usage(
                "--auth needs --password-file or --password-stdin".into(),
            ));
        }
    };
    let look = look(&options, &accounts, password)?;
    let corpus = match &options.folder {
        None => Corpus::made(options.seed, &options.size, &options.from),
        Some(folder) => Corpus::folder(folder)
            .map_err(|error| Stop::Usage(format!("{}: {error}", folder.display())))?,
    };
    let plan = Plan {
        target: options.target.clone(),
        tls: options.tls,
        tls_client: TlsClient::dangerous_accept_any(),
        dialect: if options.lmtp {
            Dialect::Lmtp
        } else {
            Dialect::Smtp
        },
        pace: if options.pipelining {
            Pace::Pipelined
        } else {
            Pace::Stepwise
        },
        form: if options.bdat {
            Form::Chunk
        } else {
            Form::Data
        },
        login,
        reverse_path: options.from.clone(),
        accounts: accounts.clone(),
        recipients_per_message: usize::from(options.recipients),
        corpus,
        run: run_id(),
        sessions: options.sessions.min(options.messages),
        messages: options.messages,
        messages_per_connection: options.per_connection,
        until: common.until(),
        rest: REST,
        counts: Counts::default(),
    };
    let Ran {
        mut report,
        ledger,
        unreachable,
    } = run::run(
        Arc::new(plan),
        &common.threads(),
        common.server().as_ref(),
        &common.progress(),
    )?;
    if unreachable {
        return Err(Stop::Unreachable(
            report.complaints.pop().unwrap_or_default(),
        ));
    }
    if let Some(path) = &options.ledger {
        fs::write(path, ledger.write(&accounts))?;
    }
    if let Some(look) = look {
        report.audit = Some(audit::audit(look, ledger, &common.threads())??);
    }
    common.tell(&report)
}

/// Where `smtp` is to look afterwards, if anywhere.
fn look(
    options: &Smtp,
    accounts: &[String],
    password: Option<String>,
) -> Result<Option<Look>, Stop> {
    let Some(service) = &options.verify else {
        return Ok(None);
    };
    options.common.check(&service.target, 1)?;
    let own = Password {
        password_file: options.verify_password_file.clone(),
        password_stdin: false,
    };
    let lacking = || Stop::Usage("--verify needs --verify-password-file".into());
    Ok(Some(Look {
        service: service.clone(),
        tls_client: Arc::new(TlsClient::dangerous_accept_any()),
        accounts: accounts.to_vec(),
        password: own.read()?.or(password).ok_or_else(lacking)?,
        bodies: options.verify_bodies,
        wait: Duration::from_secs(options.verify_wait),
    }))
}

impl Access {
    fn service(&self) -> Service {
        Service {
            target: self.target.clone(),
            tls: self.tls,
        }
    }

    fn logins(&self) -> Result<Vec<Login>, Stop> {
        let password = self.password.required()?;
        let users = account::expand(&self.user, self.accounts).map_err(Stop::Usage)?;
        let login = |user| Login {
            user,
            password: password.clone(),
            mailbox: self.mailbox.clone(),
        };
        Ok(users.into_iter().map(login).collect())
    }
}

fn hold_idle(options: Idle) -> Result<bool, Stop> {
    let (access, common) = (&options.access, &options.common);
    common.check(&access.target, options.connections)?;
    let plan = idle::Plan {
        service: access.service(),
        tls_client: TlsClient::dangerous_accept_any(),
        logins: access.logins()?,
        connections: options.connections,
        hold: Duration::from_secs(options.hold),
        with_push: options.push,
        until: common.until(),
        state: idle::State::default(),
    };
    let (mut report, any) = idle::run(
        Arc::new(plan),
        &common.threads(),
        common.server().as_ref(),
        &common.progress(),
    )?;
    match any {
        true => common.tell(&report),
        false => Err(Stop::Unreachable(
            report.complaints.pop().unwrap_or_default(),
        )),
    }
}

fn imap(options: Imap) -> Result<bool, Stop> {
    let (access, common) = (&options.access, &options.common);
    common.check(&access.target, options.sessions)?;
    let logins = access.logins()?;
    let [login] = logins.as_slice() else {
        return Err(Stop::Usage("imap takes one --user".into()));
    };
    if let (Some(messages), Some(target)) = (options.fill, &options.fill_target) {
        fill(&options, messages, target, &login.user)?;
    }
    let plan = command::Plan {
        service: access.service(),
        tls_client: TlsClient::dangerous_accept_any(),
        login: login.clone(),
        command: options.command.clone(),
        repeat: options.repeat,
        sessions: options.sessions.min(options.repeat),
        until: common.until(),
        state: command::State::default(),
    };
    let (mut report, mails) = command::run(
        Arc::new(plan),
        &common.threads(),
        common.server().as_ref(),
        &common.progress(),
    )?;
    match mails {
        Some(mails) => {
            eprintln!("{}: {mails} messages", login.mailbox);
            common.tell(&report)
        }
        None => Err(Stop::Unreachable(
            report.complaints.pop().unwrap_or_default(),
        )),
    }
}

fn slow_sessions(options: Slow) -> Result<bool, Stop> {
    let common = &options.common;
    common.check(&options.target, options.slow + options.sessions)?;
    if let Some(imap) = &options.imap {
        common.check(imap, 0)?;
    }
    let has_target = |way: &Way| *way != Way::Imap || options.imap.is_some();
    let ways: Vec<Way> = match options.ways.is_empty() {
        true => Way::ALL.into_iter().filter(has_target).collect(),
        false => options.ways.clone(),
    };
    let targets = [Some(&options.target), options.imap.as_ref()];
    if !ways.iter().all(has_target)
        || targets
            .into_iter()
            .flatten()
            .any(|target| !matches!(target, Target::Tcp(_)))
    {
        let why = "--target and --imap are TCP, and --ways imap needs --imap";
        return Err(Stop::Usage(why.into()));
    }
    let plan = slow::Plan {
        crowd: crowd::Plan {
            smtp: options.target.clone(),
            imap: options.imap.clone(),
            ways,
            sessions: options.slow,
            every: Duration::from_millis(options.every),
            spread: options.spread,
            with_proxy: options.proxy,
            envelope: Envelope {
                reverse_path: options.from.clone(),
                recipient: options.to.clone(),
            },
        },
        rounds: options.rounds,
        keep_percent: options.keep,
        until: common.until(),
    };
    let good = || Plan {
        target: options.target.clone(),
        tls: Tls::None,
        tls_client: TlsClient::dangerous_accept_any(),
        dialect: Dialect::Smtp,
        pace: Pace::Stepwise,
        form: Form::Data,
        login: None,
        reverse_path: options.from.clone(),
        accounts: vec![options.to.clone()],
        recipients_per_message: 1,
        corpus: Corpus::made(1, &options.size, &options.from),
        run: run_id(),
        sessions: options.sessions.min(options.messages),
        messages: options.messages,
        messages_per_connection: 1_000,
        until: common.until(),
        // Beside a crowd it never rests.
        rest: Duration::ZERO,
        counts: Counts::default(),
    };
    let server = common.server();
    let ran = slow::run(
        &plan,
        good,
        &common.threads(),
        server.as_ref(),
        &common.progress(),
    )?;
    let report = ran.map_err(Stop::Unreachable)?;
    match common.json {
        true => {
            let json = serde_json::to_string_pretty(&report);
            println!("{}", json.map_err(|error| Stop::Failed(error.to_string()))?);
        }
        false => print!("{}", report.text()),
    }
    Ok(report.is_well())
}

/// Sends mails to `user` before the commands; small ones, for it is their number that counts.
fn fill(options: &Imap, messages: u64, target: &Target, user: &str) -> Result<(), Stop> {
    let common = &options.common;
    common.check(target, FILL_SESSIONS)?;
    let plan = Plan {
        target: target.clone(),
        tls: Tls::None,
        tls_client: TlsClient::dangerous_accept_any(),
        dialect: if options.fill_lmtp {
            Dialect::Lmtp
        } else {
            Dialect::Smtp
        },
        pace: Pace::Pipelined,
        form: Form::Data,
        login: None,
        reverse_path: AUTHOR.into(),
        accounts: vec![user.to_owned()],
        recipients_per_message: 1,
        corpus: Corpus::made(1, &Sizes(1024..=1024), AUTHOR),
        run: run_id(),
        sessions: FILL_SESSIONS,
        messages,
        messages_per_connection: 1_000,
        until: common.until(),
        rest: REST,
        counts: Counts::default(),
    };
    let ran = run::run(
        Arc::new(plan),
        &common.threads(),
        common.server().as_ref(),
        &common.progress(),
    )?;
    match ran.report.is_well() {
        true => Ok(()),
        false => Err(Stop::Failed(format!(
            "--fill did not succeed\n{}",
            ran.report.text()
        ))),
    }
}

const FILL_SESSIONS: u64 = 50;

fn verify(options: Verify) -> Result<bool, Stop> {
    let common = &options.common;
    common.check(&options.service.target, 1)?;
    let text = fs::read_to_string(&options.ledger)
        .map_err(|error| Stop::Usage(format!("{}: {error}", options.ledger.display())))?;
    let no_ledger = || Stop::Usage(format!("{} is no ledger", options.ledger.display()));
    let (ledger, accounts) = Ledger::read(&text).ok_or_else(no_ledger)?;
    let look = Look {
        service: options.service.clone(),
        tls_client: Arc::new(TlsClient::dangerous_accept_any()),
        accounts,
        password: options.password.required()?,
        bodies: options.bodies,
        wait: Duration::from_secs(options.wait),
    };
    let outcome: Outcome = audit::audit(look, ledger, &common.threads())??;
    let json = serde_json::to_string_pretty(&outcome);
    println!("{}", json.map_err(|error| Stop::Failed(error.to_string()))?);
    Ok(outcome.is_well())
}

/// Tells this run's mails from those of any other.
fn run_id() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Random(now.as_nanos() as u64 ^ u64::from(std::process::id()) << 48).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn what_is_taken_and_what_is_not() {
        for line in [
            "x smtp --target 127.0.0.1:25 --to a@x",
            "x smtp --target unix:/l --lmtp --to u%d@x --accounts 9 --to b@x --size 1k-64k --bdat --pipelining",
            "x smtp --target 127.0.0.1:25 --to a@x --folder /f --tls starttls --auth a --password-stdin --pin 1,2 --server-tree 3,4",
            "x idle --target 127.0.0.1:143 --user a@x --password-file f --connections 5000 --hold 0 --push",
            "x imap --target 127.0.0.1:143 --user a@x --password-file f --fill 9 --fill-target 127.0.0.1:25",
            "x slow --target 127.0.0.1:25 --to a@x --slow 10000 --spread 200 --proxy --keep 80",
            "x slow --target 127.0.0.1:25 --to a@x --imap 127.0.0.1:143 --ways imap,data --every 100",
            "x verify --ledger f --service imaps:127.0.0.1:993 --password-stdin",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in [
            "x smtp --to a@x",
            "x smtp --target 127.0.0.1:25",
            "x smtp --target 127.0.0.1:25 --to a@x --size 1k --folder f",
            "x smtp --target 127.0.0.1:25 --to a@x --sessions 0",
            "x smtp --target 127.0.0.1:25 --to a@x --server-pid 1 --server-tree 2",
            "x imap --target 127.0.0.1:143 --user a@x --fill 9",
            "x idle --target mx:143 --user a@x",
            "x slow --target 127.0.0.1:25 --to a@x --ways sideways",
            "x slow --target 127.0.0.1:25 --to a@x --every 1",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn far_targets_need_a_word() {
        let Ok(Cli {
            command: Command::Smtp(options),
        }) = parse("x smtp --target 192.0.2.1:25 --to a@x")
        else {
            panic!("the line is well-formed");
        };
        assert!(matches!(smtp(*options), Err(Stop::Usage(text)) if text.contains("--anywhere")));
    }
}
