//! Use case `hook`: what to do with a certificate that an ACME client has just got. With the key in use it is installed; with
//! the next key it goes with the rotation; with another key a rotation begins, or, where one is under way, the next one.
//!
//! Whatever is not sure is an error, and installs nothing.

use super::WorkflowError;
use super::admit;
use super::awaited;
use super::case::Case;
use super::head::Heads;
use super::job::follow;
use super::key_files;
use super::start::{self, Offered, Started};
use super::{shared, tracked};
use crate::dane::certificate::Certificate;
use crate::dane::subject::{self, Subject};
use crate::files::guard::Unkept;
use crate::files::links;
use crate::rotation::association::Association;
use crate::rotation::observation::KeyAlgorithm;
use crate::rotation::step::Step;
use crate::rotation::timing::{Instant, Span};
use crate::workspace::Workspace;
use crate::workspace::config::CertificateConfig;
use crate::workspace::inside;
use crate::workspace::journal::RotationId;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The key that a mail server has of each algorithm.
pub type InUse = BTreeMap<KeyAlgorithm, Association>;

/// What is to be done with a renewed certificate, or was.
#[derive(Debug)]
pub enum Renewed {
    /// It has a key that hosts may present now: install it.
    Install {
        /// Why it may be.
        why: String,
    },
    /// It is for none of the hosts: nothing to do here.
    NotOurs {
        /// Whom it names.
        names: Vec<String>,
    },
    /// A rotation began to its key.
    Started(Box<Started>),
    /// It was kept, and nothing is installed yet.
    Kept {
        /// Where, and for what.
        why: String,
    },
}

/// Judges a chain and key that an ACME client has brought for the certificate named `name`, and does what follows. `in_use` is
/// what the mail server reads now, where that is known.
pub fn renewed(
    workspace: &Workspace,
    name: &str,
    brought: &Offered,
    in_use: Option<&InUse>,
    now: Instant,
) -> Result<Renewed, WorkflowError> {
    tracked::none(workspace)?;
    let lock = workspace.lock()?;
    shared::synchronise(workspace, &lock, now)?;
    let mut case = Case::open(workspace, name, now)?;
    case.is_whole(&mut Heads::of(workspace, now))?;
    admit::unlinked(workspace, [&*brought.certificate, &*brought.key])?;
    let leaf = sound(brought)?;
    let key = leaf.spki_association();
    if let Some((id, compromised)) = case.gone_for_good(&key)? {
        return Err(WorkflowError::KeyGoneForGood {
            path: brought.certificate.clone(),
            association: key,
            id,
            compromised,
        });
    }
    is_valid(&brought.certificate, &leaf, now)?;
    let present = present(case.certificate, in_use)?;
    if !names_a_host(&leaf, case.certificate) {
        return Ok(Renewed::NotOurs {
            names: leaf.dns_names().to_vec(),
        });
    }
    if follow::has_left_dane(workspace, name, now)? {
        return Ok(Renewed::Install {
            why: "its hosts have left DANE: no record asks for another key".to_owned(),
        });
    }
    if let Some((id, state)) = case.under_way().cloned() {
        if state.incoming.contains(&key) {
            arrive(workspace, &id, brought, &leaf)?;
            return Ok(if present.contains(&key) {
                Renewed::Install {
                    why: format!("its key is the next one of {id}, and installed already"),
                }
            } else {
                Renewed::Kept {
                    why: format!("it goes with {id}: its key is the next one"),
                }
            });
        }
        if !present.contains(&key) {
            keep(workspace, name, brought)?;
            return Ok(Renewed::Kept {
                why: format!(
                    "{id} is under way to another key: the rotation after it goes to this one"
                ),
            });
        }
    }
    if present.contains(&key) {
        let chains = [admit::chain(&brought.certificate)?];
        start::pinned(&mut Heads::of(workspace, now), case.certificate, &chains)?;
        return Ok(Renewed::Install {
            why: "it has the key in use".to_owned(),
        });
    }
    let started = start::begin(
        &mut Heads::of(workspace, now),
        &lock,
        &mut case,
        (Some(brought), None),
    )?;
    Ok(Renewed::Started(Box::new(started)))
}

/// How far the clock of an authority may be ahead of ours: one that dates nothing back certifies from its own present on, and a
/// client runs its hook only once.
const AHEAD: Span = Span::minutes(5);

/// Refuses a certificate that clients without DANE would refuse now, by its dates.
fn is_valid(path: &Path, leaf: &Certificate, now: Instant) -> Result<(), WorkflowError> {
    let when = if now + AHEAD < leaf.not_before() {
        format!("it is valid from {} on, and it is {now}", leaf.not_before())
    } else if now > leaf.not_after() {
        format!("it was valid until {}, and it is {now}", leaf.not_after())
    } else {
        return Ok(());
    };
    Err(WorkflowError::NotValidNow {
        path: path.to_owned(),
        when,
    })
}

/// What is to be installed of a rotation under way.
#[derive(Debug)]
pub struct ToDeploy {
    /// The rotation.
    pub id: RotationId,
    /// Where its keys lie.
    pub directory: PathBuf,
    /// They and their chains.
    pub pairs: Vec<Offered>,
}

/// The next chains and keys of the rotation under way, for this host: all of them, each whole.
pub fn to_deploy(
    workspace: &Workspace,
    name: &str,
    now: Instant,
) -> Result<ToDeploy, WorkflowError> {
    let case = Case::open(workspace, name, now)?;
    case.is_whole(&mut Heads::of(workspace, now))?;
    let Some((id, state)) = case.under_way() else {
        return Err(WorkflowError::NothingUnderWay {
            name: name.to_owned(),
        });
    };
    let made_by = state.made_by.as_deref();
    let elsewhere = made_by.map(|host| format!("; a runner on {host} made them"));
    let not_here = |why: &'static str| WorkflowError::NotFromHere {
        id: id.clone(),
        step: state.step,
        what: "install the next key of",
        why,
        way_out: format!(
            "see what lies in {}{}; `tlsa-rotate status {name}` says what is awaited",
            admit::directory(workspace, id).display(),
            elsewhere.as_deref().unwrap_or_default()
        ),
    };
    if !awaited::missing(workspace, id).is_empty() {
        return Err(not_here("its certificate has not come yet"));
    }
    if !admit::holds(workspace, id, &state.incoming)? {
        return Err(not_here("its next keys are not all in its directory"));
    }
    let pairs = sound_pairs(workspace, id)?;
    for pair in &pairs {
        is_valid(&pair.certificate, &admit::leaf(&pair.certificate)?, now)?;
    }
    Ok(ToDeploy {
        id: id.clone(),
        directory: admit::directory(workspace, id),
        pairs,
    })
}

/// The certificates of a rotation's next keys, each with the private key beside it, which is its own and kept as one.
pub(super) fn sound_pairs(
    workspace: &Workspace,
    id: &RotationId,
) -> Result<Vec<Offered>, WorkflowError> {
    let files = admit::chain_files(&admit::directory(workspace, id))?;
    let mut pairs = Vec::new();
    let unlinked = |path: &Path| links::none_on(path).map_err(Unkept::Link);
    for certificate in files {
        let stem = certificate.to_string_lossy();
        let stem = stem.strip_suffix(admit::CHAIN).unwrap_or(&stem);
        let key = PathBuf::from(format!("{stem}.key.pem"));
        let pair = Offered { certificate, key };
        // Both were put there by a run; a link leads to what somebody else chose.
        unlinked(&pair.certificate)?;
        unlinked(&pair.key)?;
        // Of two that are renewed together one can have kept its key: that is in use, and may be installed, too.
        sound(&pair)?;
        pairs.push(pair);
    }
    Ok(pairs)
}

/// The leaf of a file that holds one chain, whose private key is the other file's.
pub(super) fn sound(brought: &Offered) -> Result<Certificate, WorkflowError> {
    let leaf = admit::belongs_together(&brought.certificate, &brought.key)?;
    let wrong = |reason: String| WorkflowError::NotACertificate {
        path: brought.certificate.clone(),
        reason,
    };
    let octets = admit::read_file(&brought.certificate)?;
    let subjects = subject::read(&octets).map_err(|e| wrong(e.to_string()))?;
    match subjects.as_slice() {
        [Subject::Certificate(_)] => Ok(leaf),
        several => Err(wrong(format!(
            "one chain is expected, its leaf first, and there are {} certificates in it that issue none of the others",
            several.len()
        ))),
    }
}

/// The keys that hosts are known to have: those in the file that the server reads, and for an algorithm that it has none of,
/// those of `live` in the configuration.
fn present(
    certificate: &CertificateConfig,
    in_use: Option<&InUse>,
) -> Result<BTreeSet<Association>, WorkflowError> {
    let live = match (admit::in_use(certificate), in_use) {
        // The file says enough.
        (Err(_), Some(in_use)) => return Ok(in_use.values().cloned().collect()),
        (live, _) => live?,
    };
    let mut keys: BTreeSet<Association> = in_use
        .into_iter()
        .flat_map(BTreeMap::values)
        .cloned()
        .collect();
    for leaf in live.iter().filter_map(|chain| chain.first()) {
        let algorithm = leaf.key_algorithm();
        let has_one = |in_use: &InUse| algorithm.is_some_and(|a| in_use.contains_key(&a));
        if !in_use.is_some_and(has_one) {
            keys.insert(leaf.spki_association());
        }
    }
    Ok(keys)
}

fn names_a_host(leaf: &Certificate, certificate: &CertificateConfig) -> bool {
    let mut hosts = certificate.hosts.iter();
    hosts.any(|host| names(leaf, host))
}

/// Whether a certificate is for this host.
pub(super) fn names(leaf: &Certificate, host: &str) -> bool {
    let covers = |name: &String| match name.strip_prefix("*.") {
        None => host.eq_ignore_ascii_case(name),
        Some(parent) => host
            .split_once('.')
            .is_some_and(|(_, above)| above.eq_ignore_ascii_case(parent)),
    };
    leaf.dns_names().iter().any(covers)
}

/// Puts the certificate of a next key where that key lies: in place of an earlier one, or of the stand-in.
fn arrive(
    workspace: &Workspace,
    id: &RotationId,
    brought: &Offered,
    leaf: &Certificate,
) -> Result<(), WorkflowError> {
    let directory = admit::directory(workspace, id);
    inside::create_directory(&directory, 0o700)?;
    let octets = admit::read_file(&brought.certificate)?;
    let there = admit::chain_files(&directory)?;
    let same = there.into_iter().find(|path| {
        let other = admit::leaf(path);
        other.is_ok_and(|other| other.spki_association() == leaf.spki_association())
    });
    let stem = match &same {
        Some(path) => {
            let path = path.to_string_lossy();
            let ending = if path.ends_with(awaited::ENDING) {
                awaited::ENDING
            } else {
                admit::CHAIN
            };
            path.strip_suffix(ending).unwrap_or(&path).to_owned()
        }
        // The key was made by another runner.
        None => directory.join("brought-0").display().to_string(),
    };
    // The key first: a certificate without its key would be installed by nobody.
    key_files::copy_key(&brought.key, Path::new(&format!("{stem}.key.pem")))?;
    inside::replace(Path::new(&format!("{stem}{}", admit::CHAIN)), &octets)?;
    inside::remove(Path::new(&format!("{stem}{}", awaited::ENDING)))?;
    inside::remove(Path::new(&format!("{stem}.pub.pem")))?;
    Ok(())
}

/// Where a pair is kept for the rotation after the one that is under way.
fn place(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.state().join("renewed").join(name)
}

/// Keeps a pair for the next rotation, in place of one that was kept before.
fn keep(workspace: &Workspace, name: &str, brought: &Offered) -> Result<(), WorkflowError> {
    let place = place(workspace, name);
    inside::create_directory(&place, 0o700)?;
    let (chain, key) = (
        admit::read_file(&brought.certificate)?,
        admit::read_file(&brought.key)?,
    );
    let digest = admit::leaf(&brought.certificate)?.spki_association();
    let stem = data_encoding::HEXLOWER.encode(digest.data.get(..8).unwrap_or_default());
    let key_file = place.join(format!("{stem}.key.pem"));
    key_files::copy(&key, &key_file, 0o600)?;
    let chain_file = place.join(format!("{stem}{}", admit::CHAIN));
    inside::replace(&chain_file, &chain)?;
    for entry in fs::read_dir(&place).into_iter().flatten().flatten() {
        let path = entry.path();
        if path != key_file && path != chain_file {
            inside::remove(&path)?;
        }
    }
    Ok(())
}

/// The pair that is kept for the next rotation, if one is.
pub(super) fn kept(workspace: &Workspace, name: &str) -> Option<Offered> {
    let certificate = admit::chain_files(&place(workspace, name)).ok()?.pop()?;
    let stem = certificate
        .to_string_lossy()
        .strip_suffix(admit::CHAIN)?
        .to_owned();
    let key = PathBuf::from(format!("{stem}.key.pem"));
    Some(Offered { certificate, key })
}

/// Lets the kept pair go: a rotation has it, or nobody needs it.
pub(super) fn let_go(workspace: &Workspace, name: &str) -> Result<(), WorkflowError> {
    if let Some(pair) = kept(workspace, name) {
        inside::remove(&pair.certificate)?;
        inside::remove(&pair.key)?;
    }
    Ok(())
}

/// Whether a rotation that ended so is followed by one to the pair that was kept: a rotation that was given up is not.
pub(super) fn follows(step: Option<Step>) -> bool {
    step.is_none_or(|step| step == Step::Retired)
}
