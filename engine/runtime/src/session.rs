//! One TLS session, driven between buffers: octets of the wire in, plain octets out, and back. No socket.
//!
//! Invariant: a peer that ends the stream without close_notify is told apart from one that ends it properly: an
//! attacker can cut the wire, but not say goodbye in the peer's name. RFC 8446 §6.1.

use crate::certificate;
use crate::hello::Hello;
use crate::tls::{Pair, TlsClient, TlsInfo, TlsServer};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, Connection, ProtocolVersion, ServerConnection};
use std::io::{self, BufRead, Write};
use std::sync::Arc;

/// Plain octets sealed at once: a handful of full records.
pub const SEAL_OCTETS: usize = 64 * 1024;

/// A session and what was agreed on.
pub struct Session {
    connection: Connection,
    info: Option<TlsInfo>,
    /// What the server's side needs until the handshake is over.
    shaking: Option<Box<Shaking>>,
    ended: bool,
}

struct Shaking {
    pair: Arc<Pair>,
    hello: Hello,
}

/// RFC 9266 §2.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

impl Session {
    /// The server's side, before the client's first octet.
    pub fn accept(server: &TlsServer) -> io::Result<Session> {
        let pair = server.pair();
        let connection = ServerConnection::new(pair.config.clone()).map_err(invalid)?;
        let hello = Hello::default();
        let mut session = Self::begin(connection.into());
        session.shaking = Some(Box::new(Shaking { pair, hello }));
        Ok(session)
    }

    /// The client's side, to a server called `name`.
    pub fn connect(client: &TlsClient, name: &str) -> io::Result<Session> {
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "not a server's name"))?;
        let connection = ClientConnection::new(client.config.clone(), name).map_err(invalid)?;
        Ok(Self::begin(connection.into()))
    }

    fn begin(connection: Connection) -> Session {
        Session {
            connection,
            info: None,
            shaking: None,
            ended: false,
        }
    }

    /// Whether the handshake is still going on.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// What was agreed on, once the handshake is over.
    pub fn info(&self) -> Option<&TlsInfo> {
        self.info.as_ref()
    }

    /// Whether the peer has said close_notify.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Takes octets of the wire and puts the plain ones behind `plain`. After an error the alert for the peer is
    /// among what [`Session::pull`] gives.
    pub fn open(&mut self, mut wire: &[u8], plain: &mut Vec<u8>) -> io::Result<()> {
        if let Some(shaking) = &mut self.shaking {
            shaking.hello.take(wire);
        }
        while !wire.is_empty() && !self.ended {
            self.connection.read_tls(&mut wire)?;
            let state = self.connection.process_new_packets().map_err(invalid)?;
            self.ended = state.peer_has_closed();
            if state.plaintext_bytes_to_read() > 0 {
                self.take_plain(state.plaintext_bytes_to_read(), plain)?;
            }
        }
        if self.info.is_none() && !self.connection.is_handshaking() {
            let shaking = self.shaking.take();
            self.info = Some(self.agreed(shaking.as_deref()));
        }
        Ok(())
    }

    fn take_plain(&mut self, mut octets: usize, plain: &mut Vec<u8>) -> io::Result<()> {
        let mut reader = self.connection.reader();
        while octets > 0 {
            let chunk = reader.fill_buf()?;
            let taken = chunk.len();
            plain.extend_from_slice(chunk);
            reader.consume(taken);
            octets -= taken.min(octets);
        }
        Ok(())
    }

    /// Takes up to [`SEAL_OCTETS`] of `plain` into records; tells how many.
    pub fn seal(&mut self, plain: &[u8]) -> io::Result<usize> {
        let piece = &plain[..plain.len().min(SEAL_OCTETS)];
        self.connection.writer().write(piece)
    }

    /// Puts what is to be sent behind `wire`.
    pub fn pull(&mut self, wire: &mut Vec<u8>) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(wire)?;
        }
        Ok(())
    }

    /// Whether [`Session::pull`] has something.
    pub fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    /// Queues close_notify. RFC 8446 §6.1.
    pub fn end(&mut self) {
        self.connection.send_close_notify();
    }

    fn agreed(&self, shaking: Option<&Shaking>) -> TlsInfo {
        let suite = self.connection.negotiated_cipher_suite();
        let shown = self.connection.peer_certificates().unwrap_or_default();
        let (end_point, client) = match shaking {
            Some(shaking) => (shaking.pair.end_point.clone(), shaking.pair.client(shown)),
            None => (
                shown.first().and_then(|own| certificate::end_point(own)),
                None,
            ),
        };
        let sni = match &self.connection {
            Connection::Server(server) => server.server_name().map(Into::into),
            Connection::Client(_) => None,
        };
        TlsInfo {
            version: match self.connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "TLSv1.3",
            },
            cipher: suite
                .and_then(|suite| suite.suite().as_str())
                .map_or("unknown", iana_name),
            sni,
            exporter: self.exporter(shaking),
            end_point,
            client,
        }
    }

    /// Channel binding `tls-exporter`; as a client in TLS 1.2 it is not known whether it binds.
    fn exporter(&self, shaking: Option<&Shaking>) -> Option<[u8; 32]> {
        let binds = self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3)
            || shaking.is_some_and(|shaking| shaking.hello.extended_master_secret());
        if !binds {
            return None;
        }
        let connection = &self.connection;
        connection
            .export_keying_material([0; 32], EXPORTER_LABEL, Some(b""))
            .ok()
    }
}

/// The name as IANA has it; rustls says TLS13 where the registry says TLS.
fn iana_name(name: &'static str) -> &'static str {
    match name {
        "TLS13_AES_256_GCM_SHA384" => "TLS_AES_256_GCM_SHA384",
        "TLS13_AES_128_GCM_SHA256" => "TLS_AES_128_GCM_SHA256",
        "TLS13_CHACHA20_POLY1305_SHA256" => "TLS_CHACHA20_POLY1305_SHA256",
        name => name,
    }
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
