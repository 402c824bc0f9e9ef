//! The hooks as ACME clients run them: the script that `hook install` writes, in an environment that is as bare as theirs,
//! with a `postfix` and a `doveadm` that write down what they are asked.
#![allow(dead_code)]

use crate::rotation_support::{PROGRAM, Run, World};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tlsa_rotate::rotation::timing::Instant;

/// Where the mail server of a world reads its keys.
pub(crate) const LIVE: &str = "live/live.pem";

pub(crate) fn executable(path: &Path, script: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Puts the key in use where the server reads it.
pub(crate) fn serve_with_the_key_in_use(world: &World) {
    let text = world.read("live/privkey.pem") + &world.read("live/fullchain.pem");
    world.write(LIVE, &text);
    let mode = fs::Permissions::from_mode(0o600);
    fs::set_permissions(world.path(LIVE), mode).unwrap();
}

/// Has the script of a client written, with these options.
pub(crate) fn install(world: &World, client: &str, now: Instant, options: &[&str]) -> PathBuf {
    let script = world.path("other/hooks").join(client);
    let (to, live) = (
        script.display().to_string(),
        world.path(LIVE).display().to_string(),
    );
    let mut arguments = vec![
        "hook", "install", client, "mail", "--to", &to, "--live", &live,
    ];
    arguments.extend(options);
    let run = world.run(now, &arguments).ends(0);
    assert_eq!(run.stdout.trim(), to, "{run:#?}");
    // The script calls the program by its place; here the time is another one.
    let at = world.path("other/hooks/program");
    executable(
        &at,
        &format!(
            "exec {PROGRAM} --now \"$(cat {})\" \"$@\"",
            world.path("other/hooks/now").display()
        ),
    );
    let text = fs::read_to_string(&script).unwrap();
    assert!(text.contains(PROGRAM), "{text}");
    fs::write(&script, text.replace(PROGRAM, &at.display().to_string())).unwrap();
    script
}

/// A command in the environment of a client's hook, at `now`.
pub(crate) fn command(world: &World, program: &Path, now: Instant) -> Command {
    let bin = world.path("other/hooks/bin");
    for server in ["postfix", "doveadm"] {
        let told = world.path("other/hooks/told");
        executable(
            &bin.join(server),
            &format!("echo {server} \"$@\" >> {}", told.display()),
        );
    }
    fs::write(world.path("other/hooks/now"), now.to_string()).unwrap();
    let mut command = Command::new(program);
    command
        .env_clear()
        .current_dir("/")
        .env(
            "PATH",
            format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", bin.display()),
        )
        .env("HOME", "/nonexistent");
    command
}

/// Runs a client's script with what the client sets.
pub(crate) fn run(
    world: &World,
    script: &Path,
    now: Instant,
    set: &[(&str, &str)],
    arguments: &[&str],
) -> Run {
    let mut command = command(world, script, now);
    command.args(arguments).envs(set.iter().copied());
    command.output().unwrap().into()
}

/// What the servers were told since this was asked last, one line each.
pub(crate) fn told(world: &World) -> String {
    let told = world.path("other/hooks/told");
    let text = fs::read_to_string(&told).unwrap_or_default();
    let _ = fs::remove_file(told);
    text
}

/// A chain and its key in `directory`, as an ACME client leaves them, for `names`; with `key`, for a key that is there.
pub(crate) fn issue(directory: &Path, kind: &str, names: &[&str]) -> (PathBuf, PathBuf) {
    fs::create_dir_all(directory).unwrap();
    let key = directory.join("privkey.pem");
    if !key.exists() {
        let mut make = Command::new("openssl");
        make.arg("genpkey")
            .args(kind.split(' '))
            .arg("-out")
            .arg(&key);
        assert!(make.output().unwrap().status.success());
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let chain = directory.join("fullchain.pem");
    issue_between(&chain, &key, names, (2020, 2040));
    (chain, key)
}

/// A chain for a key that is there, and for these names, which is valid from the one year to the other.
pub(crate) fn issue_between(chain: &Path, key: &Path, names: &[&str], years: (i32, i32)) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut asked = rcgen::CertificateParams::new(names).unwrap();
    asked.distinguished_name = rcgen::DistinguishedName::new();
    asked
        .distinguished_name
        .push(rcgen::DnType::CommonName, "issued");
    asked.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    asked.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    let pair = rcgen::KeyPair::from_pem(&fs::read_to_string(key).unwrap()).unwrap();
    fs::write(chain, asked.self_signed(&pair).unwrap().pem()).unwrap();
}
pub(crate) const EC: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
pub(crate) const RSA: &str = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";
