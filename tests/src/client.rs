//! A connection that speaks lines, in clear or in TLS: what a plain SMTP or IMAP client is made of.

use crate::server::PATIENCE;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

/// What octets go through.
trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

/// A client's side of a connection. Every read ends after [`PATIENCE`].
pub struct Client {
    stream: Box<dyn Stream>,
    /// For STARTTLS: the socket below.
    socket: Option<TcpStream>,
    input: Vec<u8>,
}

/// TLS with whoever is there, before its handshake.
fn tls() -> ClientConnection {
    let config = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone::new()))
        .with_no_client_auth();
    let name = ServerName::try_from("mx.example.test").expect("a host name");
    ClientConnection::new(Arc::new(config), name).expect("the configuration is complete")
}

impl Client {
    /// In clear.
    pub fn connect(address: SocketAddr) -> Client {
        Client::try_connect(address).expect("the server listens")
    }

    /// In clear; an error where nobody listens.
    pub fn try_connect(address: SocketAddr) -> io::Result<Client> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Client {
            stream: Box::new(socket.try_clone()?),
            socket: Some(socket),
            input: Vec::new(),
        })
    }

    /// Over a unix socket.
    pub fn connect_unix(path: &Path) -> Client {
        let socket = UnixStream::connect(path).expect("the server listens");
        socket
            .set_read_timeout(Some(PATIENCE))
            .expect("a timeout can be set");
        Client {
            stream: Box::new(socket),
            socket: None,
            input: Vec::new(),
        }
    }

    /// In TLS from the first octet on.
    pub fn connect_tls(address: SocketAddr) -> Client {
        let mut client = Client::connect(address);
        client.start_tls();
        client
    }

    /// The same, and what SCRAM binds to: `tls-exporter`. RFC 9266 §2.
    pub fn connect_bound(address: SocketAddr) -> (Client, [u8; 32]) {
        let mut client = Client::connect(address);
        let mut socket = client.socket.take().expect("it is TCP");
        let mut connection = tls();
        let shaken = connection.complete_io(&mut socket);
        shaken.expect("a handshake");
        let label = b"EXPORTER-Channel-Binding";
        let exporter = connection.export_keying_material([0; 32], label, Some(b""));
        client.stream = Box::new(StreamOwned::new(connection, socket));
        (client, exporter.expect("TLS 1.3 exports"))
    }

    /// Goes on in TLS. Octets received in clear and not yet read stay: a test may ask what they were.
    pub fn start_tls(&mut self) {
        let socket = self.socket.take().expect("TLS is begun once, over TCP");
        self.stream = Box::new(StreamOwned::new(tls(), socket));
    }

    /// Sends octets.
    pub fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.try_send(octets.as_ref())
            .expect("the server takes octets");
    }

    /// Sends octets; an error where the server has closed.
    pub fn try_send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.write_all(octets)?;
        self.stream.flush()
    }

    /// The next line without its CRLF; an error at the end of the connection or of [`PATIENCE`].
    pub fn try_line(&mut self) -> io::Result<String> {
        let mut looked = 0;
        loop {
            if let Some(at) = self.input[looked..]
                .iter()
                .position(|&octet| octet == b'\n')
            {
                let mut line: Vec<u8> = self.input.drain(..=looked + at).collect();
                while matches!(line.last(), Some(b'\r' | b'\n')) {
                    line.pop();
                }
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            looked = self.input.len();
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The next line.
    pub fn line(&mut self) -> String {
        self.try_line().expect("a line from the server")
    }

    /// The next `count` octets.
    pub fn octets(&mut self, count: usize) -> Vec<u8> {
        while self.input.len() < count {
            let read = self.fill().expect("octets from the server");
            assert!(read > 0, "the server closed in a literal");
        }
        self.input.drain(..count).collect()
    }

    /// Whether the server has closed, once it has.
    pub fn is_closed(&mut self) -> bool {
        loop {
            match self.fill() {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => {
                    return matches!(
                        error.kind(),
                        io::ErrorKind::UnexpectedEof
                            | io::ErrorKind::ConnectionReset
                            | io::ErrorKind::BrokenPipe
                    );
                }
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 16384];
        let read = self.stream.read(&mut chunk)?;
        self.input.extend_from_slice(&chunk[..read]);
        Ok(read)
    }

    /// An SMTP reply: its code and all its lines.
    pub fn reply(&mut self) -> (u16, String) {
        self.try_reply().expect("a reply from the server")
    }

    /// An SMTP reply, or how the connection ended.
    pub fn try_reply(&mut self) -> io::Result<(u16, String)> {
        let mut text = String::new();
        loop {
            let line = self.try_line()?;
            let last = line.as_bytes().get(3) != Some(&b'-');
            let code = line.get(..3).and_then(|code| code.parse().ok());
            text += &line;
            text.push('\n');
            if last {
                return Ok((code.unwrap_or_else(|| panic!("not a reply: {line}")), text));
            }
        }
    }

    /// Sends an SMTP command; the reply's code and lines.
    pub fn smtp(&mut self, command: &str) -> (u16, String) {
        self.send(format!("{command}\r\n"));
        self.reply()
    }

    /// Sends an SMTP command, and the code must be `expected`.
    pub fn expect(&mut self, command: &str, expected: u16) -> String {
        let (code, text) = self.smtp(command);
        assert_eq!(code, expected, "{command}: {text}");
        text
    }

    /// Sends an IMAP command; all lines up to the tagged one, literals in their lines as text. The tagged line is
    /// last.
    pub fn imap(&mut self, command: &str) -> Vec<String> {
        self.send(format!("t {command}\r\n"));
        self.imap_answer()
    }

    /// Sends an IMAP command, and its answer must be OK.
    pub fn imap_ok(&mut self, command: &str) -> Vec<String> {
        let lines = self.imap(command);
        let last = lines.last().map_or("", String::as_str);
        assert!(last.starts_with("t OK"), "{command}: {lines:#?}");
        lines
    }

    /// Lines up to the one tagged `t`.
    pub fn imap_answer(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.imap_line();
            let last = line.starts_with("t ");
            lines.push(line);
            if last {
                return lines;
            }
        }
    }

    /// A response line, its literals read in.
    pub fn imap_line(&mut self) -> String {
        let mut line = self.line();
        while let Some(octets) = announced(&line) {
            line += "\r\n";
            line += &String::from_utf8_lossy(&self.octets(octets));
            let rest = self.line();
            line += &rest;
            if announced(&rest).is_none() {
                break;
            }
        }
        line
    }
}

/// `{n}` at the end of a line.
fn announced(line: &str) -> Option<usize> {
    let (_, digits) = line.strip_suffix('}')?.rsplit_once('{')?;
    digits.parse().ok()
}

/// Trusts every certificate: a test server's is self-signed, and what is tested is not trust.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl Anyone {
    fn new() -> Self {
        Anyone(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
    }
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
