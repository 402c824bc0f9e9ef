//! Recursive resolvers as a source of answers that nobody has to trust: which are asked, in which order, how many
//! questions at once (RFC 1034 §5.3.1, resolv.conf(5)).

use super::chain::Source;
use super::dns::{self, Reply, Silence, rcode_name};
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The servers of a resolv.conf that are looked at, as the C library does.
const SERVERS: usize = 3;

/// Resolvers, asked one after the other until one has an answer.
#[derive(Debug)]
pub struct Resolvers {
    servers: Vec<SocketAddr>,
    patience: Duration,
    free: Semaphore,
}

impl Resolvers {
    /// These servers, in this order, each given `patience` for one question, at most `at_once` questions under way.
    pub fn new(servers: Vec<SocketAddr>, patience: Duration, at_once: usize) -> Self {
        Self {
            servers,
            patience,
            free: Semaphore::new(at_once.max(1)),
        }
    }
}

impl Source for Resolvers {
    /// The first answer; a server that is silent or answers neither NOERROR nor NXDOMAIN leaves the word to the next.
    async fn ask(&self, name: &Name, rtype: Rtype) -> Result<Reply, String> {
        // The semaphore is never closed; a permit it cannot give bounds nothing worse.
        let _permit = self.free.acquire().await;
        let mut failures = Vec::new();
        let mut refusal = None;
        for server in &self.servers {
            match dns::ask_resolver(*server, name, rtype, self.patience).await {
                Ok(reply) if matches!(reply.rcode, 0 | 3) => return Ok(reply),
                Ok(reply) => {
                    failures.push(format!("{server} answers {}", rcode_name(reply.rcode)));
                    refusal = refusal.or(Some(reply));
                }
                Err(Silence::Unaskable(why)) => return Err(why),
                Err(silence) => failures.push(format!("{server}: {silence}")),
            }
        }
        match refusal {
            // One that did answer says more than one that was silent.
            Some(reply) if failures.len() == 1 => Ok(reply),
            _ if failures.is_empty() => Err("no resolver is known".to_owned()),
            _ => Err(failures.join("; ")),
        }
    }
}

/// The servers that a resolv.conf names, on port 53. Lines that cannot be read are passed over, as the C library does.
pub fn servers_of(resolv_conf: &str) -> Vec<SocketAddr> {
    resolv_conf
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            (words.next()? == "nameserver").then_some(())?;
            let address: IpAddr = words.next()?.parse().ok()?;
            Some(SocketAddr::new(address, 53))
        })
        .take(SERVERS)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn servers_stand_in_lines_of_their_own() {
        let table = [
            ("nameserver 192.0.2.1\n", "192.0.2.1:53", "one"),
            (
                "# nameserver 192.0.2.9\nsearch a\n\tnameserver\t::1 # x\nnameserver 192.0.2.2\n",
                "[::1]:53 192.0.2.2:53",
                "comments, tabs, IPv6",
            ),
            (
                "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n",
                "192.0.2.1:53 192.0.2.2:53 192.0.2.3:53",
                "three at most",
            ),
            (
                "nameserver\nnameserver x\nnameservers 192.0.2.1\n",
                "",
                "none",
            ),
        ];
        for (text, expected, why) in table {
            let servers: Vec<String> = servers_of(text).iter().map(ToString::to_string).collect();
            assert_eq!(servers.join(" "), expected, "{why}");
        }
    }
}
