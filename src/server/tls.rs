//! TLS with a certificate that may change while the server runs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_secs(5);

/// The certificate in use, and the files it came from.
#[derive(Debug)]
pub(super) struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads the files.
    pub(super) fn load(chain: &Path, key: &Path) -> io::Result<Arc<Self>> {
        let current = RwLock::new(Arc::new(read(chain, key)?));
        Ok(Arc::new(Self { chain: chain.to_owned(), key: key.to_owned(), current }))
    }

    /// What a listener of HTTP/1.1 needs. It names its protocol, so that a peer that speaks only
    /// others is turned away in the handshake: RFC 7301 §3.2.
    pub(super) fn server_config(self: &Arc<Self>) -> io::Result<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Reads the files again whenever they change; a bad pair is reported and the old one stays.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut seen = self.changed();
        loop {
            tokio::time::sleep(INTERVAL).await;
            let now = self.changed();
            if now == seen {
                continue;
            }
            seen = now;
            self.reread();
        }
    }

    /// Reads the files again. Blocks.
    pub(super) fn reread(&self) {
        match read(&self.chain, &self.key) {
            Ok(fresh) => {
                *self.current.write() = Arc::new(fresh);
                tracing::info!(file = %self.chain.display(), "the certificate was read again");
            }
            Err(error) => {
                tracing::error!(%error, "the new certificate cannot be used; the old one stays");
            }
        }
    }

    fn changed(&self) -> [Option<SystemTime>; 2] {
        let modified = |path: &Path| path.metadata().and_then(|about| about.modified()).ok();
        [modified(&self.chain), modified(&self.key)]
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().clone())
    }
}

fn read(chain: &Path, key: &Path) -> io::Result<CertifiedKey> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        io::Error::other(format!("`{}`: {error}", path.display()))
    };
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(chain, &error))?;
    if certificates.is_empty() {
        return Err(failed(chain, &"no certificate in it"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(key, &error))?;
    let provider = aws_lc_rs::default_provider();
    CertifiedKey::from_der(certificates, private, &provider).map_err(|error| failed(key, &error))
}
