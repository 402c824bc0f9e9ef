//! What `advance` says to a deployment in its environment, held against what is to be installed here: a program that was run
//! for another rotation, another host or another workspace installs nothing.

use crate::cli::exit::Failure;
use crate::workflow::renewed::ToDeploy;
use crate::workspace::Workspace;
use std::env;
use std::fs;
use std::path::Path;

/// Refuses a variable that says something else. Where none is set, a person runs the hook.
pub(super) fn fits(workspace: &Workspace, name: &str, to_deploy: &ToDeploy) -> Result<(), Failure> {
    let id = to_deploy.id.to_string();
    is("TLSA_ROTATE_CERTIFICATE", name, |said| said == name)?;
    is("TLSA_ROTATE_ROTATION", &id, |said| said == id)?;
    let same = |path: &Path| {
        let path = path.to_owned();
        move |said: &str| {
            let real = |path: &Path| fs::canonicalize(path).ok();
            path == Path::new(said)
                || real(&path).is_some_and(|path| Some(path) == real(said.as_ref()))
        }
    };
    let path = &workspace.config_path;
    is("TLSA_ROTATE_CONFIG", path.display(), same(path))?;
    let path = &to_deploy.directory;
    is("TLSA_ROTATE_DIRECTORY", path.display(), same(path))?;
    let certificate = workspace.config.certificate(name);
    let hosts = certificate.map(|one| one.hosts.clone()).unwrap_or_default();
    is("TLSA_ROTATE_HOSTS", hosts.join(" "), |said| {
        let mut words = said.split_whitespace().peekable();
        words.peek().is_some() && words.all(|word| hosts.iter().any(|host| host == word))
    })
}

/// Refuses a variable that is set, and does not say what is so.
fn is(
    variable: &str,
    so: impl std::fmt::Display,
    says_it: impl Fn(&str) -> bool,
) -> Result<(), Failure> {
    let Some(said) = env::var_os(variable) else {
        return Ok(());
    };
    let said = said.to_string_lossy();
    if says_it(&said) {
        return Ok(());
    }
    Err(Failure::wrong(format_args!(
        "nothing was installed: {variable} says {said}, and here it is {so}"
    ))
    .hint("`advance` sets it where it runs the command of `deploy`; run by hand, unset it"))
}
