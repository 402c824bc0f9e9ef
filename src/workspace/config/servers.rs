//! Of `[[zone]]`: where its name servers and resolvers are asked, and what the name servers run.

use super::access;
use super::document::{Findings, Located, Section};
use crate::zone::servers::ServerKind;
use std::net::SocketAddr;

/// What the servers run.
pub(super) fn read_kinds<'t>(
    section: &mut Section<'t>,
    findings: &mut Findings<'t>,
) -> Vec<ServerKind> {
    let texts = section.texts("servers_run", findings);
    let texts = texts.map(|texts| texts.value).unwrap_or_default();
    let mut kinds = Vec::new();
    for text in texts {
        if let Some(kind) = ServerKind::parse(&text.value) {
            kinds.push(kind);
        } else {
            let all = ServerKind::ALL.map(ServerKind::word).join(", ");
            let message = format!("`servers_run`: `{}` is none of {all}", text.value);
            findings.wrong(text.line, message);
        }
    }
    kinds
}

/// The addresses at `key`, as of servers of DNS; none if the key is not there.
pub(super) fn read_servers<'t>(
    section: &mut Section<'t>,
    key: &str,
    findings: &mut Findings<'t>,
) -> Vec<SocketAddr> {
    let texts = section.texts(key, findings);
    let texts = texts.map(|texts| texts.value).unwrap_or_default();
    let read = |text: Located<String>| server(key, &text, findings);
    texts.into_iter().filter_map(read).collect()
}

/// The address of a server: with a port, or without one for port 53.
fn server(key: &str, text: &Located<String>, findings: &mut Findings<'_>) -> Option<SocketAddr> {
    let address = access::socket_address(&text.value);
    if address.is_none() {
        let wanted = "an IP address is expected, with a port if it is not 53, such as 192.0.2.53 or [2001:db8::53]:5353";
        findings.wrong(text.line, format!("`{key}`: `{}`: {wanted}", text.value));
    }
    address
}
