//! Outside. What else is read again with every reload of the routes: certificates, and the token of the admin port.
//!
//! In:    what the configuration names.
//! Out:   whether any is new, or which is wrong.
//! Never: takes a new one out of service for a fault of another.

use std::{path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use rustls::ClientConfig;

use super::{admin::token::Token, load_error::LoadError, loader::Loader, tls::Certificates, watch::Watched};
use crate::{config::Config, net::TlsInService};

/// All of them.
#[derive(Debug, Default)]
pub struct Secrets {
    /// For `tls:` listeners.
    listeners: Option<Certificates>,
    admin: Option<Certificates>,
    token: Option<Arc<Token>>,
}

impl Secrets {
    /// Reads them for the first time.
    pub fn read(config: &Config) -> Result<Self, LoadError> {
        let admin = config.admin.as_ref();
        let certificates = |tls: Option<_>| tls.map(Certificates::read).transpose().map_err(LoadError::Tls);
        let token = admin.and_then(|admin| admin.token_file.as_deref()).map(Token::read);
        Ok(Self {
            listeners: certificates(config.tls.clone())?,
            admin: certificates(admin.and_then(|admin| admin.tls.clone()))?,
            token: token.transpose().map_err(LoadError::Token)?.map(Arc::new),
        })
    }

    /// What `tls:` listeners take for each connection.
    #[must_use]
    pub fn listeners_tls(&self) -> Option<TlsInService> {
        self.listeners.as_ref().map(Certificates::in_service)
    }

    /// Likewise the admin port.
    #[must_use]
    pub fn admin_tls(&self) -> Option<TlsInService> {
        self.admin.as_ref().map(Certificates::in_service)
    }

    /// What probes of gateways take, with the certificate of the listeners; `None`: there is none.
    #[must_use]
    pub fn probes_tls(&self) -> Option<Arc<ArcSwap<ClientConfig>>> {
        self.listeners.as_ref().map(Certificates::of_client)
    }

    /// The token of the admin port.
    #[must_use]
    pub fn token(&self) -> Option<Arc<Token>> {
        self.token.clone()
    }

    /// Reads all of them again; whether any is new.
    pub fn reload(&self) -> Result<bool, LoadError> {
        let mut is_new = false;
        for certificates in self.certificates() {
            if certificates.reload().map_err(LoadError::Tls)? {
                tracing::info!("TLS certificates renewed");
                is_new = true;
            }
        }
        if let Some(token) = &self.token
            && token.reload().map_err(LoadError::Token)?
        {
            tracing::info!("token of the admin port renewed");
            is_new = true;
        }
        Ok(is_new)
    }

    fn certificates(&self) -> impl Iterator<Item = &Certificates> {
        self.listeners.iter().chain(&self.admin)
    }

    fn directories(&self) -> Vec<PathBuf> {
        let of_certificates = self.certificates().flat_map(Certificates::directories);
        of_certificates.chain(self.token.iter().map(|token| token.directory())).collect()
    }

    fn is_stale(&self) -> bool {
        self.certificates().any(Certificates::is_stale)
            || self.token.as_ref().is_some_and(|token| token.is_stale())
    }
}

/// All that is watched.
#[derive(Debug)]
pub struct RoutesAndSecrets(pub Arc<Loader>, pub Arc<Secrets>);

impl Watched for RoutesAndSecrets {
    fn directories(&self) -> Vec<PathBuf> {
        let mut directories = self.0.directories();
        directories.extend(self.1.directories());
        directories
    }

    fn is_stale(&self) -> bool {
        self.0.is_stale() || self.1.is_stale()
    }
}
