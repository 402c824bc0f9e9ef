//! What ACME clients and `deploy` run: `tlsa-rotate hook`, through the scripts that `hook install` writes.
#![allow(
    clippy::type_complexity,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod hook_support;
mod rotation_support;

use hook_support::{
    EC, LIVE, RSA, command, executable, install, issue, issue_between, run,
    serve_with_the_key_in_use, told,
};
use rotation_support::{BEGIN, HOSTS, JOURNAL, Publish, World, hours};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tlsa_rotate::rotation::timing::{Instant, Span};
use tlsa_rotate::workflow::renewed;
use tlsa_rotate::workspace::Workspace;

fn world() -> World {
    let world = World::new(Publish::Current);
    serve_with_the_key_in_use(&world);
    world
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn every_client_installs_what_keeps_its_key() {
    let world = world();
    let lineage = text(&world.path("live"));
    let (chain, key) = (
        format!("{lineage}/fullchain.pem"),
        format!("{lineage}/privkey.pem"),
    );
    let clients: [(&str, Vec<(&str, &str)>, Vec<&str>); 5] = [
        ("certbot", vec![("RENEWED_LINEAGE", &lineage)], vec![]),
        (
            "lego",
            vec![
                ("LEGO_HOOK_CERT_PATH", &chain),
                ("LEGO_HOOK_CERT_KEY_PATH", &key),
            ],
            vec![],
        ),
        (
            "lego",
            vec![("LEGO_CERT_PATH", &chain), ("LEGO_CERT_KEY_PATH", &key)],
            vec![],
        ),
        (
            "acme.sh",
            vec![("CERT_FULLCHAIN_PATH", &chain), ("CERT_KEY_PATH", &key)],
            vec![],
        ),
        (
            "dehydrated",
            vec![],
            vec![
                "deploy_cert",
                "mx1.example.com",
                &key,
                "unused",
                &chain,
                "unused",
                "0",
            ],
        ),
    ];
    for (client, set, arguments) in &clients {
        let script = install(&world, client, BEGIN, &[]);
        fs::remove_file(world.path(LIVE)).unwrap();
        run(&world, &script, BEGIN, set, arguments).ends(0);
        assert_eq!(told(&world), "postfix reload\n", "{client}");
        let installed = world.read("live/privkey.pem") + &world.read("live/fullchain.pem");
        assert_eq!(
            world.read(LIVE),
            installed,
            "{client}: the key first, then the chain"
        );
        let mode = fs::metadata(world.path(LIVE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{client}");
    }
    // dehydrated calls for everything; certbot for every lineage.
    let script = install(&world, "dehydrated", BEGIN, &[]);
    run(&world, &script, BEGIN, &[], &["startup_hook"]).ends(0);
    let (other, _) = issue(&world.path("live/web"), EC, &["www.example.com"]);
    let script = install(&world, "certbot", BEGIN, &[]);
    let set = [("RENEWED_LINEAGE", text(other.parent().unwrap()))];
    let said = run(&world, &script, BEGIN, &[(set[0].0, &set[0].1)], &[]).ends(0);
    assert!(said.stderr.contains("www.example.com"), "{said:#?}");
    assert_eq!(told(&world), "");
    assert!(!world.path(JOURNAL).exists(), "nothing was rotated");
}

#[test]
fn where_anything_is_wrong_nothing_is_installed() {
    let world = world();
    let before = world.read(LIVE);
    let script = install(&world, "certbot", BEGIN, &[]);
    let lineage = |name: &str| world.path("live").join(name);
    let good = |name: &str| {
        fs::create_dir_all(lineage(name)).unwrap();
        for file in ["fullchain.pem", "privkey.pem"] {
            fs::copy(world.path("live").join(file), lineage(name).join(file)).unwrap();
        }
        lineage(name)
    };
    let two = good("two");
    let (other, _) = issue(&lineage("other"), EC, &[HOSTS[0]]);
    let both = fs::read_to_string(two.join("fullchain.pem")).unwrap()
        + &fs::read_to_string(other).unwrap();
    fs::write(two.join("fullchain.pem"), both).unwrap();
    let foreign = good("foreign");
    fs::copy(
        lineage("other").join("privkey.pem"),
        foreign.join("privkey.pem"),
    )
    .unwrap();
    let exposed = good("exposed");
    fs::set_permissions(
        exposed.join("privkey.pem"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let empty = good("empty");
    fs::write(empty.join("fullchain.pem"), "").unwrap();
    let fifo = good("fifo");
    fs::remove_file(fifo.join("fullchain.pem")).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(fifo.join("fullchain.pem"))
            .status()
            .unwrap()
            .success()
    );
    let sparse = good("sparse");
    let large = fs::File::create(sparse.join("fullchain.pem")).unwrap();
    large.set_len(10 << 30).unwrap();
    let table: [(PathBuf, &str); 7] = [
        (two, "one chain is expected"),
        (foreign, "is not the key of"),
        (exposed, "can be read by others (mode 0644)"),
        (empty, "empty"),
        (fifo, "a FIFO"),
        (sparse, "larger than 1 MiB"),
        (lineage("nowhere"), "No such file"),
    ];
    for (lineage, why) in table {
        let said = run(
            &world,
            &script,
            BEGIN,
            &[("RENEWED_LINEAGE", &text(&lineage))],
            &[],
        );
        assert_eq!(said.code, Some(1), "{why}: {said:#?}");
        assert!(said.stderr.contains(why), "{why}: {said:#?}");
    }
    let set = text(&world.path("live"));
    let said = run(&world, &script, BEGIN, &[], &[]).ends(1);
    assert!(
        said.stderr.contains("RENEWED_LINEAGE is not set"),
        "{said:#?}"
    );
    // What the server reads is not what was expected there.
    world.write(LIVE, "not a key\n");
    let said = run(&world, &script, BEGIN, &[("RENEWED_LINEAGE", &set)], &[]).ends(1);
    assert!(
        said.stderr.contains("it does not begin with a key"),
        "{said:#?}"
    );
    world.write(LIVE, &before);
    // No configuration, and no program.
    let config = world.path("tlsa-rotate.toml");
    fs::rename(&config, world.path("elsewhere.toml")).unwrap();
    let said = run(&world, &script, BEGIN, &[("RENEWED_LINEAGE", &set)], &[]).ends(1);
    assert!(said.stderr.contains("tlsa-rotate.toml"), "{said:#?}");
    fs::rename(world.path("elsewhere.toml"), &config).unwrap();
    fs::remove_file(world.path("other/hooks/program")).unwrap();
    let said = run(&world, &script, BEGIN, &[("RENEWED_LINEAGE", &set)], &[]);
    assert!(matches!(said.code, Some(126 | 127)), "{said:#?}");
    assert!(!said.stderr.is_empty());
    assert_eq!(world.read(LIVE), before);
    assert_eq!(told(&world), "");
    assert!(!world.path(JOURNAL).exists(), "nothing was rotated");
}

#[test]
fn a_second_renewal_is_kept_for_the_next_rotation_and_one_of_the_same_key_goes_with_this_one() {
    let world = world();
    let before = world.read(LIVE);
    let script = install(&world, "certbot", BEGIN, &[]);
    let renew = |name: &str, hour: u64| {
        let (chain, key) = issue(&world.path("live").join(name), EC, &HOSTS);
        let lineage = text(chain.parent().unwrap());
        run(
            &world,
            &script,
            hours(hour),
            &[("RENEWED_LINEAGE", &lineage)],
            &[],
        )
        .ends(0);
        (
            fs::read_to_string(chain).unwrap(),
            fs::read_to_string(key).unwrap(),
        )
    };
    let (first, key) = renew("a", 0);
    assert_eq!(world.step(BEGIN), "Prepublishing");
    let directory = world.path("keys/tls/mail.1");
    let chain = || fs::read_to_string(directory.join("brought-0.cert.pem")).unwrap();
    assert_eq!(chain(), first);
    // The same key again, in another certificate: that one goes with the rotation.
    let (renewed, same) = renew("a", 1);
    assert_ne!(renewed, first);
    assert_eq!((chain(), &same), (renewed.clone(), &key));
    // Another key: not this rotation's.
    let (second, second_key) = renew("b", 1);
    assert_eq!(chain(), renewed);
    assert_eq!((world.read(LIVE), told(&world)), (before, String::new()));

    world.load();
    world.advance(hours(1)).ends(0);
    world.advance(hours(26)).ends(3);
    let deploy = install(&world, "deploy", BEGIN, &[]);
    no_other_key_is_deployed(&world, 26);
    nothing_is_deployed_on_another_word_or_through_a_link(&world, &deploy, 26);
    run(&world, &deploy, hours(26), &[], &[]).ends(0);
    assert_eq!(world.read(LIVE), key + &renewed);
    assert_eq!(told(&world), "postfix reload\n");
    (0..HOSTS.len()).for_each(|host| world.present(host, &[(LIVE, LIVE)]));
    // `live` in the configuration is what the server reads.
    let config = world.read("tlsa-rotate.toml");
    world.write(
        "tlsa-rotate.toml",
        &config.replace("live/fullchain.pem", LIVE),
    );
    world.advance(hours(28)).ends(0);
    world.watch(28, 52);
    world.advance(hours(52)).ends(0);
    world.load();
    world.advance(hours(53)).ends(0);
    assert_eq!(world.step(hours(53)), "Retired");
    let said = world.advance(hours(54)).ends(0);
    assert!(said.stdout.contains("mail.2"), "{said:#?}");
    let next = |kind: &str| world.read(&format!("keys/tls/mail.2/brought-0.{kind}.pem"));
    assert_eq!((next("cert"), next("key")), (second, second_key));
    assert_eq!(
        fs::read_dir(world.path(".tlsa-rotate/renewed/mail"))
            .unwrap()
            .count(),
        0
    );
    // The key that the first rotation retired never comes back.
    let lineage = world.path("live/old");
    fs::create_dir(&lineage).unwrap();
    for file in ["fullchain.pem", "privkey.pem"] {
        fs::copy(world.path("live").join(file), lineage.join(file)).unwrap();
    }
    let said = run(
        &world,
        &script,
        hours(55),
        &[("RENEWED_LINEAGE", &text(&lineage))],
        &[],
    )
    .ends(1);
    assert!(
        said.stderr
            .contains("was retired in mail.1, and never comes back"),
        "{said:#?}"
    );
}

/// Where another pair lies in the place of the next one it is not installed, by the gate before or by what hands it over.
#[track_caller]
fn no_other_key_is_deployed(world: &World, hour: u64) {
    let world = world.copy();
    let before = world.read(LIVE);
    let (chain, key) = issue(&world.path("live/else"), EC, &HOSTS);
    let directory = world.path("keys/tls/mail.1");
    fs::copy(chain, directory.join("brought-0.cert.pem")).unwrap();
    fs::copy(key, directory.join("brought-0.key.pem")).unwrap();
    let deploy = install(&world, "deploy", BEGIN, &[]);
    let said = run(&world, &deploy, hours(hour), &[], &[]).ends(3);
    assert!(said.stderr.contains("nothing was installed"), "{said:#?}");
    assert_eq!(world.read(LIVE), before);
    let workspace = Workspace::open(&world.path("tlsa-rotate.toml")).unwrap();
    let refused = renewed::to_deploy(&workspace, "mail", hours(hour)).unwrap_err();
    assert!(
        refused.to_string().contains("are not all in its directory"),
        "{refused}"
    );
}

/// What `advance` says to the program that it runs is what is installed; and that lies where a run put it.
#[track_caller]
fn nothing_is_deployed_on_another_word_or_through_a_link(world: &World, deploy: &Path, hour: u64) {
    let before = (world.read(LIVE), told(world));
    let own = text(&world.path("keys/tls/mail.1"));
    for (variable, said) in [
        ("TLSA_ROTATE_ROTATION", "mail.2"),
        ("TLSA_ROTATE_CERTIFICATE", "web"),
        ("TLSA_ROTATE_HOSTS", "mx9.example.com"),
        ("TLSA_ROTATE_HOSTS", "mx1.example.com mx9.example.com"),
        ("TLSA_ROTATE_HOSTS", ""),
        ("TLSA_ROTATE_DIRECTORY", "/tmp"),
        ("TLSA_ROTATE_CONFIG", "/etc/tlsa-rotate.toml"),
    ] {
        let set = [("TLSA_ROTATE_DIRECTORY", &*own), (variable, said)];
        let run = run(world, deploy, hours(hour), &set, &[]).ends(1);
        run.complains_of(&format!("nothing was installed: {variable} says {said}"));
    }
    for file in ["brought-0.key.pem", "brought-0.cert.pem"] {
        let (own, aside) = (Path::new(&own).join(file), world.path("live").join(file));
        fs::rename(&own, &aside).unwrap();
        symlink(&aside, &own).unwrap();
        let run = run(world, deploy, hours(hour), &[], &[]);
        assert_ne!(run.code, Some(0), "{run:#?}");
        assert!(run.stderr.contains("nothing was installed"), "{run:#?}");
        fs::rename(&aside, &own).unwrap();
    }
    assert_eq!((world.read(LIVE), told(world)), before);
}

#[test]
fn a_certificate_that_others_would_refuse_is_not_installed_for_its_key() {
    let world = world();
    let before = world.read(LIVE);
    let directory = world.path("live/odd");
    fs::create_dir_all(&directory).unwrap();
    let (chain, key) = (
        directory.join("fullchain.pem"),
        directory.join("privkey.pem"),
    );
    fs::copy(world.path("live/privkey.pem"), &key).unwrap();
    let (chain, key) = (text(&chain), text(&key));
    let renewed_at = |now: Instant| {
        let live = text(&world.path(LIVE));
        let files = ["--certificate", &*chain, "--key", &*key, "--live", &live];
        world.run(
            now,
            &[
                &["hook", "renewed", "mail", "--reload-with", "/bin/true"],
                &files[..],
            ]
            .concat(),
        )
    };
    let renewed = || renewed_at(BEGIN);
    // An authority whose clock is a little ahead is believed.
    issue_between(Path::new(&chain), Path::new(&key), &HOSTS, (2030, 2040));
    let year_2030 = Instant::from_unix(1_893_456_000);
    let six_before = renewed_at(year_2030 - Span::minutes(6)).ends(1);
    six_before.complains_of("it is valid from 2030-01-01T00:00:00Z on");
    let four_before = renewed_at(year_2030 - Span::minutes(4));
    assert!(
        !four_before.stderr.contains("it is valid from"),
        "{four_before:#?}"
    );
    fs::write(world.path(LIVE), &before).unwrap();
    for (names, years, why) in [
        (
            &HOSTS[..],
            (2030, 2040),
            "it is valid from 2030-01-01T00:00:00Z on",
        ),
        (
            &HOSTS[..],
            (2020, 2021),
            "it was valid until 2021-01-01T00:00:00Z",
        ),
        (
            &["www.example.com"],
            (2020, 2040),
            "none of them is a host of mail",
        ),
    ] {
        issue_between(Path::new(&chain), Path::new(&key), names, years);
        renewed().ends(1).complains_of(why);
        assert_eq!(world.read(LIVE), before);
    }
    issue_between(Path::new(&chain), Path::new(&key), &HOSTS, (2020, 2040));
    // Two versions of lego at once, of which one is of another certificate.
    let script = install(&world, "lego", BEGIN, &[]);
    let set = [
        ("LEGO_HOOK_CERT_PATH", &*chain),
        ("LEGO_CERT_PATH", "/etc/lego/web.crt"),
        ("LEGO_HOOK_CERT_KEY_PATH", &*key),
    ];
    let said = run(&world, &script, BEGIN, &set, &[]).ends(1);
    said.complains_of("LEGO_HOOK_CERT_PATH and LEGO_CERT_PATH name two files");
    assert_eq!(world.read(LIVE), before);
    renewed().ends(0);
    assert_ne!(world.read(LIVE), before);
}

#[test]
fn a_deployment_out_of_its_time_or_for_a_rollback_installs_nothing() {
    let world = world();
    let before = world.read(LIVE);
    world.start(BEGIN).ends(0);
    let deploy = install(&world, "deploy", BEGIN, &[]);
    run(&world, &deploy, BEGIN, &[], &[]).ends(3);
    let said = run(
        &world,
        &deploy,
        BEGIN,
        &[("TLSA_ROTATE_ACTION", "rollback")],
        &[],
    )
    .ends(1);
    assert!(said.stderr.contains("asked for `rollback`"), "{said:#?}");
    assert_eq!((world.read(LIVE), told(&world)), (before, String::new()));
    // At a time that somebody names nothing is installed for real.
    let config = world.read("tlsa-rotate.toml");
    let real = config.replace("rehearsal = true", "rehearsal = false");
    assert_ne!(config, real);
    world.write("tlsa-rotate.toml", &real);
    run(&world, &deploy, BEGIN, &[], &[])
        .ends(1)
        .complains_of("a hook acts on a swap that is open: it cannot be rehearsed");
}

#[test]
fn a_key_is_published_before_its_certificate_is_ordered() {
    let world = World::with(Publish::Current, |config| {
        config.replace(
            "next = { generate = \"ecdsa-p256\" }",
            "next = { key = \"live/roll/privkey.pem\" }",
        )
    });
    serve_with_the_key_in_use(&world);
    let directory = world.path("live/roll");
    let (chain, key) = issue(&directory, EC, &HOSTS);
    let issued = fs::read_to_string(&chain).unwrap();
    fs::remove_file(&chain).unwrap();
    let said = world.start(BEGIN).ends(0);
    assert!(
        said.stderr
            .contains("has its next key and not its certificate"),
        "{said:#?}"
    );
    world.advance(BEGIN).ends(0);
    world.load();
    world.advance(hours(1)).ends(0);
    let said = world.advance(hours(26)).ends(3);
    assert_eq!(world.step(hours(26)), "SwapOpen");
    assert!((said.stdout + &said.stderr).contains("order it for the key"));
    let deploy = install(&world, "deploy", BEGIN, &[]);
    let before = world.read(LIVE);
    let said = run(&world, &deploy, hours(26), &[], &[]).ends(3);
    assert!(said.stderr.contains("not its certificate"), "{said:#?}");
    assert!(said.stderr.contains("nothing was installed"), "{said:#?}");
    assert_eq!(world.read(LIVE), before);
    fs::write(&chain, &issued).unwrap();
    let (chain, key) = (text(&chain), text(&key));
    let arguments = [
        "hook",
        "renewed",
        "mail",
        "--certificate",
        &chain,
        "--key",
        &key,
    ];
    world.run(hours(26), &arguments).ends(0);
    run(&world, &deploy, hours(26), &[], &[]).ends(0);
    assert_eq!(
        world.read(LIVE),
        fs::read_to_string(&key).unwrap() + &issued
    );
    // A public key alone says as much of the record.
    let public = world.path("live/public.pem");
    let mut make = Command::new("openssl");
    make.args(["pkey", "-pubout", "-in", &key, "-out"])
        .arg(&public);
    assert!(make.output().unwrap().status.success());
    let other = World::with(Publish::Current, |config| {
        config.replace(
            "next = { generate = \"ecdsa-p256\" }",
            &format!("next = {{ key = \"{}\" }}", text(&public)),
        )
    });
    let said = other.start(BEGIN).ends(0);
    assert_eq!(
        next_record(&said.stdout),
        next_record(&world.run(BEGIN, &["record", &key]).stdout)
    );
}

/// The digest in the line of the next key, or in the first line.
fn next_record(said: &str) -> String {
    let lines = || said.lines();
    let line = lines()
        .find(|line| line.contains("next"))
        .or_else(|| lines().next());
    line.unwrap()
        .split_whitespace()
        .last()
        .unwrap()
        .to_lowercase()
}

#[test]
fn an_rsa_and_an_ecdsa_key_are_installed_side_by_side() {
    let world = World::shaped(
        Publish::Current,
        |config| {
            config
                .replace(
                    "live = { certificate = \"live/fullchain.pem\" }",
                    "live = [{ certificate = \"live/ec/fullchain.pem\" }, { certificate = \"live/rsa/fullchain.pem\" }]",
                )
        },
        |root| {
            ["ec", "rsa"]
                .map(|name| {
                    let directory = root.join("live").join(name);
                    let kind = if name == "ec" { EC } else { RSA };
                    let (certificate, key) = issue(&directory, kind, &HOSTS);
                    tlsa_rotate::workspace::tls_key::KeyFiles {
                        request: directory.join("request.pem"),
                        certificate,
                        key,
                    }
                })
                .into()
        },
        |text, _| text,
    );
    let script = install(
        &world,
        "certbot",
        BEGIN,
        &["--reload", "postfix", "--reload", "dovecot"],
    );
    let pair = |name: &str| {
        world.read(&format!("live/{name}/privkey.pem"))
            + &world.read(&format!("live/{name}/fullchain.pem"))
    };
    for name in ["rsa", "ec"] {
        let lineage = text(&world.path("live").join(name));
        run(
            &world,
            &script,
            BEGIN,
            &[("RENEWED_LINEAGE", &lineage)],
            &[],
        )
        .ends(0);
        assert_eq!(told(&world), "postfix reload\ndoveadm reload\n");
    }
    let both = world.read(LIVE);
    assert!(
        both.contains(&pair("rsa")) && both.contains(&pair("ec")),
        "{both}"
    );
    assert_eq!(world.read("live/live.rsa.pem"), pair("rsa"));
    assert_eq!(world.read("live/live.ecdsa.pem"), pair("ec"));
    // A server that does not take it is told of, loudly, and the file is whole.
    let failing = world.path("other/hooks/failing");
    executable(&failing, "echo 'No space left on device' >&2; exit 1");
    let option = text(&failing);
    let script = install(&world, "certbot", BEGIN, &["--reload-with", &option]);
    let lineage = text(&world.path("live/ec"));
    let said = run(
        &world,
        &script,
        BEGIN,
        &[("RENEWED_LINEAGE", &lineage)],
        &[],
    )
    .ends(1);
    assert!(said.stderr.contains("the disk is full"), "{said:#?}");
    // certbot's files are links; the server's is none: who knows what is overwritten.
    symlink("live.pem", world.path("live/link.pem")).unwrap();
    let link = text(&world.path("live/link.pem"));
    let arguments = [
        "hook",
        "renewed",
        "mail",
        "--live",
        &link,
        "--certificate",
        &format!("{lineage}/fullchain.pem"),
        "--key",
        &format!("{lineage}/privkey.pem"),
    ];
    let mut command = command(&world, Path::new(rotation_support::PROGRAM), BEGIN);
    command
        .args(["--config", &text(&world.path("tlsa-rotate.toml"))])
        .args(["--now", &BEGIN.to_string()])
        .args(arguments);
    let said: rotation_support::Run = command.output().unwrap().into();
    said.ends(1).complains_of("is a symbolic link");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}
