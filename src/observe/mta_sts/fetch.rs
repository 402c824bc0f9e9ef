//! Fetching a policy over HTTPS as a sender does: no redirects, a trusted certificate, plain text, bounded (RFC 8461 §3.3).

use super::policy::{NotPolicy, Policy};
use crate::dane::certificate::Certificate;
use crate::rotation::timing::Instant;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::crypto::ring as provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// No policy is longer.
const MAX_OCTETS: usize = 64 * 1024;
/// No response head is longer.
const MAX_HEAD: usize = 16 * 1024;
/// Addresses of the policy host that are tried.
const ADDRESSES: usize = 8;
const HTTPS: u16 = 443;

/// How policies are fetched.
#[derive(Clone, Debug)]
pub struct Way {
    /// The roots that the policy host's certificate must lead to.
    pub roots: Vec<Certificate>,
    /// Where the policy host is reached; empty: where the system's resolver says.
    pub addresses: Vec<SocketAddr>,
    /// How long all of it may take (RFC 8461 §3.3 suggests a minute).
    pub patience: Duration,
}

/// Why there is no policy to go by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// It took too long.
    #[error("no answer from {host} within {} s", .patience.as_secs())]
    TimedOut {
        /// The policy host.
        host: String,
        /// How long was waited.
        patience: Duration,
    },
    /// The policy host has no address.
    #[error("{host} has no address: {why}")]
    NoAddress {
        /// The policy host.
        host: String,
        /// What the resolver says.
        why: String,
    },
    /// No connection.
    #[error("{host} cannot be connected to: {why}")]
    NotConnected {
        /// The policy host.
        host: String,
        /// What the system says, for the last address.
        why: String,
    },
    /// TLS failed: most often the certificate.
    #[error("{host} does not pass as an HTTPS server: {why}")]
    Tls {
        /// The policy host.
        host: String,
        /// Why.
        why: String,
    },
    /// Something that is no HTTP response.
    #[error("{host} does not answer in HTTP: {why}")]
    Http {
        /// The policy host.
        host: String,
        /// Why.
        why: String,
    },
    /// A status other than 200; redirects are not followed.
    #[error("{host} answers {status}{}", if .status.starts_with('3') { ", and senders follow no redirect" } else { "" })]
    Status {
        /// The policy host.
        host: String,
        /// The status, with its words.
        status: String,
    },
    /// Not `text/plain`.
    #[error(
        "{host} sends the policy as `{media}`, which senders do not take: it must be text/plain"
    )]
    MediaType {
        /// The policy host.
        host: String,
        /// What it says it sends.
        media: String,
    },
    /// Not a policy.
    #[error("what {host} sends is no MTA-STS policy: {why}")]
    NotPolicy {
        /// The policy host.
        host: String,
        /// Why.
        why: NotPolicy,
    },
}

/// Fetches the policy of `domain` as a sender would at `at`.
pub async fn fetch(domain: &str, way: &Way, at: Instant) -> Result<Policy, FetchError> {
    let host = format!("mta-sts.{}", domain.trim_end_matches('.'));
    match timeout(way.patience, fetch_from(&host, way, at)).await {
        Ok(fetched) => fetched,
        Err(_) => Err(FetchError::TimedOut {
            host,
            patience: way.patience,
        }),
    }
}

async fn fetch_from(host: &str, way: &Way, at: Instant) -> Result<Policy, FetchError> {
    let stream = connect(host, &way.addresses).await?;
    let stream = secure(host, stream, way, at).await?;
    // Dropped with this future, at the deadline too: it ends the connection.
    let mut connection = JoinSet::new();
    let response = get(host, stream, &mut connection).await?;
    let media = response.headers().get(CONTENT_TYPE);
    let media = media.map(|media| String::from_utf8_lossy(media.as_bytes()).into_owned());
    let media = media.unwrap_or_default();
    let kind = media.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("text/plain") {
        return Err(FetchError::MediaType {
            host: host.to_owned(),
            media: shown(&media),
        });
    }
    let body = Limited::new(response.into_body(), MAX_OCTETS);
    let body = body.collect().await.map_err(|e| http(host, &e))?.to_bytes();
    Policy::parse(&body).map_err(|why| FetchError::NotPolicy {
        host: host.to_owned(),
        why,
    })
}

async fn connect(host: &str, addresses: &[SocketAddr]) -> Result<TcpStream, FetchError> {
    let no_address = |why: String| FetchError::NoAddress {
        host: host.to_owned(),
        why,
    };
    let addresses: Vec<SocketAddr> = if addresses.is_empty() {
        let found = lookup_host((host, HTTPS)).await;
        found.map_err(|e| no_address(e.to_string()))?.collect()
    } else {
        addresses.to_vec()
    };
    let mut last = None;
    for address in addresses.iter().take(ADDRESSES) {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(format!("{address}: {error}")),
        }
    }
    Err(match last {
        Some(why) => FetchError::NotConnected {
            host: host.to_owned(),
            why,
        },
        None => no_address("the answer is empty".to_owned()),
    })
}

async fn secure(
    host: &str,
    stream: TcpStream,
    way: &Way,
    at: Instant,
) -> Result<TlsStream<TcpStream>, FetchError> {
    let tls = |why: String| FetchError::Tls {
        host: host.to_owned(),
        why,
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(
        way.roots
            .iter()
            .map(|root| CertificateDer::from(root.der())),
    );
    let config = ClientConfig::builder_with_details(
        Arc::new(provider::default_provider()),
        Arc::new(At(at)),
    )
    .with_safe_default_protocol_versions()
    .map_err(|e| tls(e.to_string()))?
    .with_root_certificates(roots)
    .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|e| tls(e.to_string()))?;
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|e: io::Error| tls(e.to_string()))
}

async fn get(
    host: &str,
    stream: TlsStream<TcpStream>,
    connection: &mut JoinSet<hyper::Result<()>>,
) -> Result<Response<Incoming>, FetchError> {
    let (mut sender, driver) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|e| http(host, &e))?;
    connection.spawn(driver);
    let request = Request::get("/.well-known/mta-sts.txt")
        .header(HOST, host)
        .header(USER_AGENT, "tlsa-rotate")
        .body(Empty::<Bytes>::new())
        .map_err(|e| http(host, &e))?;
    let response = sender.send_request(request).await;
    let response = response.map_err(|e| http(host, &e))?;
    if response.status() == StatusCode::OK {
        return Ok(response);
    }
    Err(FetchError::Status {
        host: host.to_owned(),
        status: response.status().to_string(),
    })
}

fn http(host: &str, error: &impl ToString) -> FetchError {
    FetchError::Http {
        host: host.to_owned(),
        why: shown(&error.to_string()),
    }
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}

/// The one instant at which certificates are judged.
#[derive(Debug)]
struct At(Instant);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(
            self.0.unix(),
        )))
    }
}
