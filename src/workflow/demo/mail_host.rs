//! A mail host on loopback: SMTP with STARTTLS, certificates swappable while it runs, deliveries counted (RFC 5321, RFC 3207).
//!
//! It takes mail over TLS only and keeps none of it. It is there for the demo and for tests, not for the Internet.

use crate::rotation::observation::KeyAlgorithm;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SignatureAlgorithm};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// RFC 5321 §4.5.3.1.4 asks for 512 octets.
const MAX_LINE: u64 = 2048;
/// The largest message taken.
const MAX_MESSAGE: usize = 1024 * 1024;
/// How long a client may be silent.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many clients are served at once; others wait to be accepted.
const CLIENTS: usize = 64;

/// A chain and its private key, ready to be presented.
#[derive(Clone, Debug)]
pub struct KeyedChain(Arc<CertifiedKey>);

/// Why a chain and a key cannot be presented.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chain and its key cannot be presented: {0}")]
pub struct NotPresentable(String);

impl KeyedChain {
    /// From a PEM chain, leaf first, and its PEM private key.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, NotPresentable> {
        let wrong = |e: &dyn std::fmt::Display| NotPresentable(e.to_string());
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| wrong(&e))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| wrong(&e))?;
        let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(|e| wrong(&e))?;
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(|e| wrong(&e))?;
        Ok(Self(Arc::new(certified)))
    }

    fn algorithm(&self) -> KeyAlgorithm {
        match self.0.key.algorithm() {
            SignatureAlgorithm::RSA => KeyAlgorithm::Rsa,
            _ => KeyAlgorithm::Ecdsa,
        }
    }
}

/// A running mail host. Dropping it stops it.
#[derive(Debug)]
pub struct MailHost {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    name: String,
    chains: Arc<Presented>,
    tls: Arc<ServerConfig>,
    delivered: AtomicU64,
}

impl MailHost {
    /// Listens on `listen` (port 0: any free one) as `name`, presenting `chains`: of each algorithm at most one.
    pub async fn start(
        name: &str,
        listen: SocketAddr,
        chains: Vec<KeyedChain>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let chains = Arc::new(Presented(RwLock::new(chains)));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Presented>::clone(&chains));
        // A resumed session would go on under a certificate that is no longer presented.
        tls.send_tls13_tickets = 0;
        tls.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            chains,
            tls: Arc::new(tls),
            delivered: AtomicU64::new(0),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            task,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Presents other chains from the next handshake on.
    pub fn present(&self, chains: Vec<KeyedChain>) {
        let mut presented = self
            .shared
            .chains
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *presented = chains;
    }

    /// How many messages were taken over.
    pub fn delivered(&self) -> u64 {
        self.shared.delivered.load(Ordering::SeqCst)
    }
}

impl Drop for MailHost {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The chains, chosen from by what the client can verify.
#[derive(Debug)]
struct Presented(RwLock<Vec<KeyedChain>>);

impl ResolvesServerCert for Presented {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let chains = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let fitting = chains.iter().find(|chain| {
            let signs = chain.0.key.choose_scheme(hello.signature_schemes());
            signs.is_some() && has_suite_for(&hello, chain.algorithm())
        });
        // With one that does not fit, rustls says `handshake_failure`, as other servers do; with none, `access_denied`.
        let chain = fitting.or_else(|| chains.first())?;
        Some(Arc::clone(&chain.0))
    }
}

/// Suites of TLS 1.3 go with any key; those of TLS 1.2 name its algorithm.
fn has_suite_for(hello: &ClientHello<'_>, algorithm: KeyAlgorithm) -> bool {
    let part = match algorithm {
        KeyAlgorithm::Rsa => "_RSA_",
        KeyAlgorithm::Ecdsa => "_ECDSA_",
    };
    hello
        .cipher_suites()
        .iter()
        .filter_map(|suite| suite.as_str())
        .any(|name| name.starts_with("TLS13_") || name.contains(part))
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let slots = Arc::new(Semaphore::new(CLIENTS));
    // Dropped with this task, and then every conversation ends.
    let mut clients = JoinSet::new();
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        while clients.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: they come back as clients leave.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        clients.spawn(async move {
            // What goes wrong with one client is that client's to notice.
            let _ = stream.set_nodelay(true);
            let _ = converse(stream, &shared).await;
            drop(slot);
        });
    }
}

async fn converse(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut clear = Conversation::new(stream, shared);
    clear.say(&format!("220 {} ESMTP", shared.name)).await?;
    if clear.until_starttls_or_end(true).await? == End::Quit {
        return Ok(());
    }
    let stream = clear.stream.into_inner();
    let acceptor = TlsAcceptor::from(Arc::clone(&shared.tls));
    let stream = timeout(PATIENCE, acceptor.accept(stream)).await??;
    let mut secured = Conversation::new(stream, shared);
    secured.until_starttls_or_end(false).await?;
    secured.stream.shutdown().await
}

#[derive(PartialEq, Eq)]
enum End {
    StartTls,
    Quit,
}

struct Conversation<'a, S> {
    stream: BufReader<S>,
    shared: &'a Shared,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Conversation<'a, S> {
    fn new(stream: S, shared: &'a Shared) -> Self {
        Self {
            stream: BufReader::new(stream),
            shared,
        }
    }

    async fn until_starttls_or_end(&mut self, in_clear: bool) -> io::Result<End> {
        let mut recipients = false;
        let mut sender = false;
        loop {
            let line = self.line().await?;
            let verb = line
                .split(|byte| matches!(byte, b' ' | b':'))
                .next()
                .unwrap_or_default()
                .to_ascii_uppercase();
            match verb.as_slice() {
                b"EHLO" if in_clear => {
                    let greeting = format!("250-{}\r\n250 STARTTLS", self.shared.name);
                    self.say(&greeting).await?;
                }
                b"EHLO" | b"HELO" => self.say(&format!("250 {}", self.shared.name)).await?,
                b"STARTTLS" if in_clear => {
                    if !self.stream.buffer().is_empty() {
                        // Commands sent along with STARTTLS in clear text must not be obeyed over TLS.
                        return self.say("501 5.5.1 pipelined").await.map(|()| End::Quit);
                    }
                    self.say("220 2.0.0 ready").await?;
                    return Ok(End::StartTls);
                }
                b"NOOP" => self.say("250 2.0.0 yes").await?,
                b"QUIT" => return self.say("221 2.0.0 bye").await.map(|()| End::Quit),
                _ if in_clear => self.say("530 5.7.0 STARTTLS first").await?,
                b"RSET" => {
                    (sender, recipients) = (false, false);
                    self.say("250 2.0.0 forgotten").await?;
                }
                b"MAIL" => {
                    sender = true;
                    self.say("250 2.1.0 go on").await?;
                }
                b"RCPT" if sender => {
                    recipients = true;
                    self.say("250 2.1.5 go on").await?;
                }
                b"DATA" if recipients => {
                    self.say("354 end with a dot").await?;
                    self.take_message().await?;
                    (sender, recipients) = (false, false);
                    self.shared.delivered.fetch_add(1, Ordering::SeqCst);
                    self.say("250 2.0.0 taken").await?;
                }
                b"RCPT" | b"DATA" => self.say("503 5.5.1 not now").await?,
                _ => self.say("500 5.5.2 unknown").await?,
            }
        }
    }

    async fn take_message(&mut self) -> io::Result<()> {
        let mut taken: usize = 0;
        loop {
            let line = self.line().await?;
            if line == b"." {
                return Ok(());
            }
            taken = taken.saturating_add(line.len());
            if taken > MAX_MESSAGE {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
        }
    }

    async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.stream).take(MAX_LINE);
        timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await??;
        if line.pop() != Some(b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(line)
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        let octets = format!("{text}\r\n");
        let said = async {
            self.stream.write_all(octets.as_bytes()).await?;
            self.stream.flush().await
        };
        timeout(PATIENCE, said).await?
    }
}
