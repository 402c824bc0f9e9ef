//! An HTTPS server of our own that says exactly what a test wants said.
#![allow(dead_code)] // each test file uses its part

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

/// What the server does with a connection.
#[derive(Clone)]
pub(crate) enum Says {
    /// Reads the request, writes these octets, closes.
    Octets(Vec<u8>),
    /// Reads the request, writes the head of a good answer, then the same octets for ever.
    Endless,
    /// Reads the request and says nothing.
    Nothing,
    /// Closes before TLS.
    Closes,
}

pub(crate) struct PolicyServer {
    pub(crate) address: SocketAddr,
    says: Arc<Mutex<Says>>,
    requests: Arc<Mutex<Vec<String>>>,
    _runtime: Runtime,
}

/// A 200 with this policy, as a simple server sends it.
pub(crate) fn ok(policy: &str) -> Says {
    Says::Octets(
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{policy}",
            policy.len()
        )
        .into_bytes(),
    )
}

impl PolicyServer {
    pub(crate) fn start(chain: &Path, key: &Path, says: Says) -> Self {
        let chain: Vec<_> = CertificateDer::pem_file_iter(chain)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let tls = TlsAcceptor::from(Arc::new(config));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let says = Arc::new(Mutex::new(says));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (all, heard) = (Arc::clone(&says), Arc::clone(&requests));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let says = all.lock().unwrap().clone();
                let (tls, heard) = (tls.clone(), Arc::clone(&heard));
                tokio::spawn(async move {
                    if matches!(says, Says::Closes) {
                        return;
                    }
                    let Ok(mut stream) = tls.accept(stream).await else {
                        return;
                    };
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        match stream.read_u8().await {
                            Ok(octet) => request.push(octet),
                            Err(_) => return,
                        }
                    }
                    heard
                        .lock()
                        .unwrap()
                        .push(String::from_utf8_lossy(&request).into_owned());
                    match says {
                        Says::Octets(octets) => {
                            let _ = stream.write_all(&octets).await;
                            let _ = stream.shutdown().await;
                        }
                        Says::Endless => {
                            let opening = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
                            let _ = stream.write_all(opening).await;
                            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
                        }
                        Says::Nothing | Says::Closes => {
                            let _ = stream.read_u8().await;
                        }
                    }
                });
            }
        });
        Self {
            address,
            says,
            requests,
            _runtime: runtime,
        }
    }

    pub(crate) fn now_says(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}
