//! One thing that `check` found: what, where, by which rule, and what to do about it.

use std::fmt;

/// How pressing it is; the later the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Could be better; nothing depends on it today.
    Advice,
    /// A person should act.
    PersonNeeded,
    /// Senders refuse or defer mail, or are about to.
    DeliveryAtRisk,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How pressing it is.
    pub severity: Severity,
    /// The check that found it, a word or two with hyphens: a key for programs.
    pub check: &'static str,
    /// The domain, host, RRset or server.
    pub place: String,
    /// What is wrong and why it matters.
    pub what: String,
    /// Where it is written.
    pub rfc: &'static str,
    /// What to do.
    pub remedy: String,
}

impl Finding {
    /// A finding of the check named `check` at `place`.
    pub(super) fn new(
        check: &'static str,
        place: impl fmt::Display,
        what: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::PersonNeeded,
            check,
            place: place.to_string(),
            what: what.into(),
            rfc: "",
            remedy: String::new(),
        }
    }

    /// The same, with delivery at risk.
    pub(super) fn at_risk(self) -> Self {
        self.with(Severity::DeliveryAtRisk)
    }

    /// The same, as advice.
    pub(super) fn advice(self) -> Self {
        self.with(Severity::Advice)
    }

    /// The same, so pressing.
    pub(super) fn with(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    /// The same, with its source.
    pub(super) fn by(self, rfc: &'static str) -> Self {
        Self { rfc, ..self }
    }

    /// The same, with its remedy.
    pub(super) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self {
            remedy: remedy.into(),
            ..self
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Advice => "advice",
            Self::PersonNeeded => "person needed",
            Self::DeliveryAtRisk => "delivery at risk",
        })
    }
}
