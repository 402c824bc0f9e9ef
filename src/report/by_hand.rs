//! The commands of other people's tools that show what a step of the plan claims: `dig`, `openssl`, `posttls-finger`.

use crate::rotation::observation::{Authority, Endpoint, TlsaName};
use crate::rotation::step::Rotation;

/// What the commands are about.
pub(super) struct Subject<'a> {
    /// The rotation.
    pub(super) state: &'a Rotation,
    /// The authoritative servers.
    pub(super) authorities: &'a [Authority],
    /// The files of the incoming certificates.
    pub(super) certificates: &'a [String],
}

impl Subject<'_> {
    /// The commands for a chapter, 1 to 7.
    pub(super) fn commands(&self, chapter: u8) -> Vec<String> {
        let names = self.state.names();
        let endpoints = self.state.endpoints.iter();
        match chapter {
            1 => self.certificates.iter().map(|file| dates(file)).collect(),
            // What a reviewer of the proposal can hold its records against.
            2 | 3 => self.certificates.iter().map(|file| digest(file)).collect(),
            4 | 7 => names
                .iter()
                .flat_map(|name| self.authorities.iter().map(move |server| dig(server, name)))
                .collect(),
            5 => endpoints.map(|endpoint| self.s_client(endpoint)).collect(),
            6 => endpoints.map(posttls_finger).collect(),
            _ => vec![],
        }
    }

    /// OpenSSL judges the chain by the incoming records, so that it passes on hosts that have been deployed only.
    fn s_client(&self, endpoint: &Endpoint) -> String {
        let Endpoint { host, port } = endpoint;
        let records = self.state.incoming.iter();
        let records: Vec<String> = records
            .map(|record| format!(" -dane_tlsa_rrdata '{record}'"))
            .collect();
        let start = match port {
            443 | 465 | 993 | 995 => "",
            _ => " -starttls smtp",
        };
        let dane = if records.is_empty() {
            String::new()
        } else {
            format!(
                " -dane_tlsa_domain {host}{} -verify_return_error",
                records.concat()
            )
        };
        format!(
            "openssl s_client{start} -connect {host}:{port} -servername {host}{dane} </dev/null"
        )
    }
}

fn dates(file: &str) -> String {
    format!("openssl x509 -in {file} -noout -subject -dates -ext subjectAltName")
}

fn digest(file: &str) -> String {
    format!(
        "openssl x509 -in {file} -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256"
    )
}

fn dig(server: &Authority, name: &TlsaName) -> String {
    let address = server.0.rsplit(' ').next().unwrap_or_default();
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "53"));
    let host = host.trim_matches(['[', ']']);
    let port = if port == "53" {
        String::new()
    } else {
        format!(" -p {port}")
    };
    format!("dig +dnssec +norecurse{port} @{host} {name} TLSA")
}

fn posttls_finger(endpoint: &Endpoint) -> String {
    format!(
        "posttls-finger -c -l dane-only \"[{}]:{}\"",
        endpoint.host, endpoint.port
    )
}
