//! What each ACME client says of a renewal: environment variables, or arguments.

use crate::cli::exit::Failure;
use crate::workflow::start::Offered;
use std::env;
use std::path::{Path, PathBuf};

/// What a client says.
pub(super) enum Word {
    /// Nothing that matters here.
    Nothing,
    /// There is a new certificate.
    Renewed {
        /// Its files.
        files: Offered,
        /// Whether the client says so of every certificate that it has.
        of_all: bool,
    },
}

impl Word {
    pub(super) fn files(certificate: &Path, key: &Path) -> Self {
        Self::Renewed {
            files: Offered {
                certificate: certificate.to_owned(),
                key: key.to_owned(),
            },
            of_all: false,
        }
    }

    fn for_all(certificate: PathBuf, key: PathBuf) -> Self {
        Self::Renewed {
            files: Offered { certificate, key },
            of_all: true,
        }
    }
}

/// certbot: the directory of the lineage. What lies in `renewal-hooks/deploy` is run for every lineage.
pub(super) fn certbot() -> Result<Word, Failure> {
    let lineage = variable(&["RENEWED_LINEAGE"], "certbot")?;
    Ok(Word::for_all(
        lineage.join("fullchain.pem"),
        lineage.join("privkey.pem"),
    ))
}

/// lego: from 5 on its variables for hooks have a prefix of their own.
pub(super) fn lego() -> Result<Word, Failure> {
    let certificate = variable(&["LEGO_HOOK_CERT_PATH", "LEGO_CERT_PATH"], "lego")?;
    let key = variable(&["LEGO_HOOK_CERT_KEY_PATH", "LEGO_CERT_KEY_PATH"], "lego")?;
    Ok(Word::files(&certificate, &key))
}

/// acme.sh, in the reload command of `--install-cert`, or of `--issue`.
pub(super) fn acme_sh() -> Result<Word, Failure> {
    let certificate = variable(&["CERT_FULLCHAIN_PATH"], "acme.sh")?;
    let key = variable(&["CERT_KEY_PATH"], "acme.sh")?;
    Ok(Word::files(&certificate, &key))
}

/// dehydrated calls its hook for everything, with the operation first; one hook serves every certificate.
pub(super) fn dehydrated(words: &[String]) -> Result<Word, Failure> {
    match words {
        [operation, _domain, key, _certificate, chain, ..] if operation == "deploy_cert" => {
            Ok(Word::for_all(chain.into(), key.into()))
        }
        [operation, ..] if operation == "deploy_cert" => Err(Failure::wrong(
            "dehydrated says deploy_cert without the files of a certificate: nothing was installed",
        )
        .hint("dehydrated calls it as: deploy_cert DOMAIN KEYFILE CERTFILE FULLCHAINFILE CHAINFILE TIMESTAMP")),
        [] => Err(Failure::wrong("dehydrated says nothing: nothing was installed")
            .hint("it runs the hook that `HOOK=` in its configuration names, with the operation first")),
        _ => Ok(Word::Nothing),
    }
}

/// The first of these variables that is set, as an absolute path: which directory a client runs hooks in, nobody knows. Those
/// of two versions that are both set, and say two things, say nothing.
fn variable(names: &[&str], client: &str) -> Result<PathBuf, Failure> {
    let first = names.first().copied().unwrap_or_default();
    let set = names
        .iter()
        .filter_map(|name| Some((name, env::var_os(name)?)));
    let mut set = set.filter(|(_, value)| !value.is_empty());
    let found = set.next();
    if let Some((name, value)) = &found
        && let Some((other, _)) = set.find(|(_, other)| other != value)
    {
        return Err(Failure::wrong(format_args!(
            "{name} and {other} name two files: nothing was installed"
        ))
        .hint(format!(
            "{client} sets one of them; see who sets the other, and unset it"
        )));
    }
    let found = found.map(|(_, value)| value).ok_or_else(|| {
        Failure::wrong(format_args!("{first} is not set: nothing was installed")).hint(format!(
            "{client} sets it where it runs the hook; for any other client: tlsa-rotate hook renewed NAME --certificate FILE --key FILE"
        ))
    })?;
    let path = PathBuf::from(found);
    std::path::absolute(&path)
        .map_err(|e| Failure::wrong(format_args!("{first}: {}: {e}", path.display())))
}
