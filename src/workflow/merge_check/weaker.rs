//! What a request makes weaker in the configuration, setting by setting, in words: a list for whoever reviews it.

use crate::rotation::policy::Policy;
use crate::rotation::timing::Span;
use crate::workspace::config::{CertificateConfig, Config, Signing, ZoneConfig};
use crate::zone::name::Name;
use std::fmt::{self, Debug};

/// What a setting is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Everything,
    Zone(Name),
    Certificate(String),
}

/// One setting that is weaker, or that says who acts and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Weaker {
    /// What it is of: a policy can be that of many certificates.
    pub(super) of: Vec<Of>,
    /// Whether a rotation under way could conclude too much by it.
    pub(super) is_grave: bool,
    what: String,
}

impl Weaker {
    /// One thing that a rotation goes by.
    pub(super) fn of(of: Of, what: String) -> Self {
        Self {
            of: vec![of],
            is_grave: true,
            what,
        }
    }
}

impl fmt::Display for Weaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = self.of.iter().filter_map(|of| match of {
            Of::Everything => None,
            Of::Zone(name) => Some(format!("zone {name}")),
            Of::Certificate(name) => Some(format!("certificate {name}")),
        });
        let of: Vec<String> = of.collect();
        f.write_str(&self.what)?;
        match of.as_slice() {
            [] => Ok(()),
            all => write!(f, " ({})", all.join(", ")),
        }
    }
}

/// Everything that `after` weakens, in the order of the base's configuration.
pub(super) fn all(before: &Config, after: &Config) -> Vec<Weaker> {
    let mut list = List {
        of: Of::Everything,
        all: Vec::new(),
    };
    list.other("branch", &before.branch, &after.branch);
    list.shorter("conversation", before.conversation, after.conversation);
    if after.rehearsal && !before.rehearsal {
        list.say("rehearsal: the clock may be set by hand".to_owned());
    }
    list.other("journal", &before.journal, &after.journal);
    list.other("vantage points", &before.vantages, &after.vantages);
    for zone in &before.zones {
        list.of = Of::Zone(zone.name.clone());
        match after.zones.iter().find(|other| other.name == zone.name) {
            Some(other) => list.zone(zone, other),
            None => list.say(format!("zone {} is configured no more", zone.name)),
        }
    }
    for certificate in &before.certificates {
        list.of = Of::Certificate(certificate.name.clone());
        match after.certificate(&certificate.name) {
            Some(other) => list.certificate(certificate, other),
            None => list.say(format!(
                "certificate {} is configured no more",
                certificate.name
            )),
        }
    }
    list.all
}

struct List {
    of: Of,
    all: Vec<Weaker>,
}

impl List {
    fn say(&mut self, what: String) {
        self.add(what, true);
    }

    fn add(&mut self, what: String, is_grave: bool) {
        let of = self.of.clone();
        match self.all.iter_mut().find(|one| one.what == what) {
            Some(one) => one.of.push(of),
            None => self.all.push(Weaker {
                of: vec![of],
                is_grave,
                what,
            }),
        }
    }

    /// What a reviewer should know, and no rotation goes by.
    fn aside<T: PartialEq + Debug>(&mut self, key: &str, before: &T, after: &T) {
        if before != after {
            self.add(format!("{key} is another"), false);
        }
    }

    fn other<T: PartialEq + Debug>(&mut self, key: &str, before: &T, after: &T) {
        if before != after {
            self.say(format!("{key} is another"));
        }
    }

    fn shorter(&mut self, key: &str, before: Span, after: Span) {
        if after < before {
            self.say(format!("{key} goes from {before} to {after}"));
        }
    }

    fn lacks<T: PartialEq + ToString>(&mut self, key: &str, before: &[T], after: &[T]) {
        let gone = before.iter().filter(|one| !after.contains(one));
        let gone: Vec<String> = gone.map(ToString::to_string).collect();
        if !gone.is_empty() {
            self.say(format!("{key} lacks {}", gone.join(", ")));
        }
    }

    fn zone(&mut self, before: &ZoneConfig, after: &ZoneConfig) {
        // No servers are all that the zone names.
        if before.servers.is_empty() && !after.servers.is_empty() {
            self.say("servers names some instead of all that the zone has".to_owned());
        } else if !after.servers.is_empty() {
            self.lacks("servers", &before.servers, &after.servers);
        }
        self.aside("servers_run", &before.servers_run, &after.servers_run);
        self.other("resolvers", &before.resolvers, &after.resolvers);
        self.other("include", &before.included, &after.included);
        self.other("publish", &before.publication, &after.publication);
        self.other("serve", &before.serve, &after.serve);
        self.other("reload", &before.reload, &after.reload);
        self.other("proposals", &before.proposal_key, &after.proposal_key);
        match (&before.signing, &after.signing) {
            (
                Signing::Here {
                    keys,
                    denial,
                    signed,
                    validity,
                    refresh,
                    jitter: _,
                },
                Signing::Here {
                    keys: keys_after,
                    denial: denial_after,
                    signed: signed_after,
                    validity: validity_after,
                    refresh: refresh_after,
                    jitter: _,
                },
            ) => {
                self.other("sign.keys", keys, keys_after);
                self.other("sign.denial", denial, denial_after);
                self.aside("sign.signed", signed, signed_after);
                if validity != validity_after {
                    self.say(format!(
                        "sign.validity goes from {validity} to {validity_after}"
                    ));
                }
                self.shorter("sign.refresh", *refresh, *refresh_after);
            }
            (before, after) => self.other("sign", before, after),
        }
    }

    fn certificate(&mut self, before: &CertificateConfig, after: &CertificateConfig) {
        self.lacks("hosts", &before.hosts, &after.hosts);
        self.lacks("ports", &before.ports, &after.ports);
        self.lacks("domains", &before.domains, &after.domains);
        for host in &before.hosts {
            if before.addresses.get(host) != after.addresses.get(host) && after.hosts.contains(host)
            {
                self.say(format!("addresses of {host} are others"));
            }
        }
        self.other("live", &before.live, &after.live);
        self.other("next", &before.next, &after.next);
        self.other("deploy", &before.deploy, &after.deploy);
        self.other(
            "deploy.environment",
            &before.deploy_environment,
            &after.deploy_environment,
        );
        self.other("deploy.rollback", &before.rollback, &after.rollback);
        self.aside("tlsrpt", &before.tlsrpt, &after.tlsrpt);
        self.aside("mta_sts", &before.mta_sts, &after.mta_sts);
        if after.ttl_before < before.ttl_before && after.ttl_before.is_some() {
            self.say("ttl_before is smaller".to_owned());
        }
        if after.assume_ttl < before.assume_ttl {
            self.say(format!(
                "assume_ttl goes from {} to {}",
                before.assume_ttl, after.assume_ttl
            ));
        }
        self.policy(&before.policy, &after.policy);
        self.aside("when rotations begin", &before.cadence, &after.cadence);
    }

    fn policy(&mut self, before: &Policy, after: &Policy) {
        self.shorter("min_wait", before.min_wait, after.min_wait);
        self.shorter("soak", before.soak, after.soak);
        self.shorter("safety_margin", before.safety_margin, after.safety_margin);
        self.shorter(
            "deadline_notice",
            before.deadline_notice,
            after.deadline_notice,
        );
        self.shorter(
            "keep_retired_keys",
            before.keep_retired_keys,
            after.keep_retired_keys,
        );
        if after.patience > before.patience {
            self.say(format!(
                "patience goes from {} to {}: a person is asked later",
                before.patience, after.patience
            ));
        }
        // None is all at once.
        let most = |count: Option<u32>| count.unwrap_or(u32::MAX);
        if most(after.concurrent) > most(before.concurrent) {
            let told = |count: Option<u32>| count.map_or("all".to_owned(), |n| n.to_string());
            self.say(format!(
                "concurrent goes from {} to {}",
                told(before.concurrent),
                told(after.concurrent)
            ));
        }
        self.other("rest", &before.rest, &after.rest);
    }
}
