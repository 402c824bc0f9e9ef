//! `deploy` of a certificate: who puts the next key on the hosts, who puts the previous one back, and what they are told.

use super::command_of;
use super::document::{Findings, Section};
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::DeValue;

pub(super) const DEPLOY: &[&str] = &["manual", "command", "rollback", "environment"];

/// How a certificate gets onto the hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Deploy {
    /// A person does it when told.
    #[default]
    Manual,
    /// This program and its arguments do it.
    Command(Vec<String>),
}

/// All that `deploy` says.
#[derive(Clone, Debug, Default)]
pub(super) struct Deployment {
    /// How it gets there.
    pub(super) deploy: Deploy,
    /// What puts the previous certificate back, where a program does.
    pub(super) rollback: Option<Vec<String>>,
    /// Variables for these programs.
    pub(super) environment: BTreeMap<String, String>,
}

pub(super) fn read<'t>(
    line: usize,
    value: Spanned<DeValue<'t>>,
    findings: &mut Findings<'t>,
) -> Option<Deployment> {
    let wanted = "`deploy` must be { manual = true } or { command = [\"/usr/local/sbin/deploy-mail-cert\"] }";
    let mut section = Section::open("`deploy`", value, DEPLOY, findings)?;
    let manual = section
        .take("manual", findings)
        .map(|(_, value)| value.get_ref().as_bool());
    let rollback = command_of(&mut section, "rollback", findings);
    let environment = match section.take("environment", findings) {
        Some((_, value)) => read_environment(value, findings),
        None => BTreeMap::new(),
    };
    let deploy = match (manual, command_of(&mut section, "command", findings)) {
        (Some(Some(true)), None) => Deploy::Manual,
        (None, Some(command)) => Deploy::Command(command),
        _ => {
            findings.wrong(line, wanted);
            return None;
        }
    };
    Some(Deployment {
        deploy,
        rollback,
        environment,
    })
}

fn read_environment<'t>(
    value: Spanned<DeValue<'t>>,
    findings: &mut Findings<'t>,
) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    for (named, value) in Section::entries(value, "environment", findings) {
        let name = named.value;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let good = name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit());
        if !good || name.is_empty() || name.starts_with("TLSA_ROTATE_") {
            findings.wrong(
                named.line,
                format!("`environment`: `{name}` must be letters, digits and `_`, and must not begin with TLSA_ROTATE_, which tlsa-rotate sets itself"),
            );
            continue;
        }
        if let Some(text) = findings.text(&name, value) {
            environment.insert(name, text.value);
        }
    }
    environment
}
