//! A TLS client handshake that trusts nobody and asks for one kind of key (RFC 8446 §4.2.3, RFC 5246 §7.4.1.4.1).
//!
//! The client is OpenSSL's, set up as Postfix sets it up where DANE authenticates: what senders can speak, this program can,
//! and nothing that they refuse. Every chain is accepted and kept: judging it is DANE's business. That the peer holds the
//! private key of the leaf it presents is part of every handshake.

use crate::rotation::observation::KeyAlgorithm;
use openssl::error::ErrorStack;
use openssl::ssl::{
    self, ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslVerifyMode,
    SslVersion,
};
use openssl::x509::X509Ref;
use rustls_pki_types::DnsName;
use std::pin::Pin;
use std::sync::OnceLock;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_openssl::SslStream;

/// The level at which Postfix authenticates: 80 bits of strength.
const SECURITY_LEVEL: u32 = 1;

/// Schemes that an RSA key can sign with, one of `id-RSASSA-PSS` among them.
const RSA: &str = "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:\
    rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:\
    RSA+SHA256:RSA+SHA384:RSA+SHA512:RSA+SHA224:RSA+SHA1";

/// Schemes that a key on a curve can sign with.
const ECDSA: &str = "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:ed448:ECDSA+SHA224:ECDSA+SHA1";

/// What a `ClientHello` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Whatever the server prefers: what a sender asks.
    Anything,
    /// Signatures of this algorithm only, in every version of TLS.
    Only(KeyAlgorithm),
    /// Cipher suites of this algorithm only, in TLS 1.2 and before, with every signature scheme: a server that lets the
    /// schemes constrain the signatures *within* its chain too has no reason to hold it back.
    OnlySuites(KeyAlgorithm),
}

/// Why a handshake gave no chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The peer says, by an alert, that nothing it has fits what was asked for.
    #[error("the server has nothing that fits (TLS alert: {0})")]
    NothingFits(String),
    /// The name cannot be sent as SNI.
    #[error("`{0}` is not a host name")]
    BadName(String),
    /// The peer ends it by another alert, or OpenSSL does here, as it would at a sender: no TLS, a wrong signature, what is
    /// too old or too weak.
    #[error("{0}")]
    Ended(String),
    /// Anything else: the connection lost.
    #[error("{0}")]
    Failed(String),
}

/// A finished handshake.
pub struct Secured<S> {
    /// The stream, now encrypted.
    pub stream: SslStream<S>,
    /// The presented certificates in DER, leaf first, as they came.
    pub chain: Vec<Vec<u8>>,
}

/// Does the handshake over `stream` with `name` as SNI. The caller bounds its time.
pub async fn handshake<S>(stream: S, name: &str, ask: Ask) -> Result<Secured<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = name.trim_end_matches('.');
    DnsName::try_from(name).map_err(|_| HandshakeError::BadName(name.to_owned()))?;
    let unready = |error: ErrorStack| HandshakeError::Failed(format!("OpenSSL: {error}"));
    let mut session = Ssl::new(context(ask).map_err(unready)?).map_err(unready)?;
    session.set_hostname(name).map_err(unready)?;
    let mut stream = SslStream::new(session, stream).map_err(unready)?;
    let finished = Pin::new(&mut stream).connect().await;
    finished.map_err(|error| failure(&error, ask))?;
    let chain = stream.ssl().peer_cert_chain();
    let chain = chain.into_iter().flatten().map(X509Ref::to_der);
    let chain = chain.collect::<Result<_, _>>().map_err(unready)?;
    Ok(Secured { stream, chain })
}

/// What is asked with, made once for each way of asking.
fn context(ask: Ask) -> Result<&'static SslContext, ErrorStack> {
    static MADE: [OnceLock<SslContext>; 5] = [const { OnceLock::new() }; 5];
    let [anything, rsa, ecdsa, rsa_suites, ecdsa_suites] = &MADE;
    let made = match ask {
        Ask::Anything => anything,
        Ask::Only(KeyAlgorithm::Rsa) => rsa,
        Ask::Only(KeyAlgorithm::Ecdsa) => ecdsa,
        Ask::OnlySuites(KeyAlgorithm::Rsa) => rsa_suites,
        Ask::OnlySuites(KeyAlgorithm::Ecdsa) => ecdsa_suites,
    };
    if let Some(ready) = made.get() {
        return Ok(ready);
    }
    let new = configured(ask)?;
    Ok(made.get_or_init(|| new))
}

fn configured(ask: Ask) -> Result<SslContext, ErrorStack> {
    let mut settings = SslContextBuilder::new(SslMethod::tls_client())?;
    settings.set_security_level(SECURITY_LEVEL);
    settings.set_verify(SslVerifyMode::NONE);
    settings.set_options(SslOptions::ALL);
    settings.set_min_proto_version(Some(SslVersion::TLS1))?;
    // Suites of TLS 1.3 do not say what the key is, and are not named here.
    settings.set_cipher_list(match ask {
        Ask::Anything => "HIGH:MEDIUM:!aNULL",
        Ask::Only(KeyAlgorithm::Rsa) | Ask::OnlySuites(KeyAlgorithm::Rsa) => {
            "HIGH+aRSA:MEDIUM+aRSA"
        }
        Ask::Only(KeyAlgorithm::Ecdsa) | Ask::OnlySuites(KeyAlgorithm::Ecdsa) => {
            "HIGH+aECDSA:MEDIUM+aECDSA"
        }
    })?;
    match ask {
        Ask::Only(KeyAlgorithm::Rsa) => settings.set_sigalgs_list(RSA)?,
        Ask::Only(KeyAlgorithm::Ecdsa) => settings.set_sigalgs_list(ECDSA)?,
        Ask::OnlySuites(_) => settings.set_max_proto_version(Some(SslVersion::TLS1_2))?,
        Ask::Anything => {}
    }
    Ok(settings.build())
}

/// Alerts of RFC 8446 §6 as OpenSSL numbers them in its errors.
mod alert {
    /// What is added to an alert's own number.
    pub(super) const OFFSET: i32 = 1000;
    pub(super) const HANDSHAKE_FAILURE: i32 = 40;
    pub(super) const ACCESS_DENIED: i32 = 49;
    pub(super) const PROTOCOL_VERSION: i32 = 70;
    pub(super) const INSUFFICIENT_SECURITY: i32 = 71;
}

/// Which alerts mean "nothing fits": `handshake_failure` and `insufficient_security` (RFC 8446 §4.4.2.2 and §6.2) from most
/// servers, `access_denied` from those on rustls whose resolver has no certificate for the `ClientHello`, and for a question
/// that TLS 1.2 alone can answer, `protocol_version` from those that speak TLS 1.3 only.
fn failure(error: &ssl::Error, ask: Ask) -> HandshakeError {
    let first = error.ssl_error().and_then(|stack| stack.errors().first());
    let Some(first) = first else {
        return HandshakeError::Failed(match error.io_error() {
            Some(lost) => format!("the connection was lost during the TLS handshake: {lost}"),
            None if error.code() == ErrorCode::SYSCALL => closed(),
            None => format!("TLS handshake: {error}"),
        });
    };
    let words = first.reason().unwrap_or("no reason given");
    let told = || {
        words
            .trim_start_matches("tlsv1 alert ")
            .trim_start_matches("sslv3 alert ")
    };
    match first.reason_code().checked_sub(alert::OFFSET) {
        Some(alert::HANDSHAKE_FAILURE | alert::ACCESS_DENIED | alert::INSUFFICIENT_SECURITY) => {
            HandshakeError::NothingFits(told().to_owned())
        }
        Some(alert::PROTOCOL_VERSION) if matches!(ask, Ask::OnlySuites(_)) => {
            HandshakeError::NothingFits(told().to_owned())
        }
        Some(0..=255) => HandshakeError::Ended(format!(
            "the server ended the handshake with the TLS alert {}",
            told()
        )),
        _ if words.contains("unexpected eof") => HandshakeError::Failed(closed()),
        _ => HandshakeError::Ended(format!("TLS handshake: {words}")),
    }
}

fn closed() -> String {
    "the connection was closed during the TLS handshake".to_owned()
}
