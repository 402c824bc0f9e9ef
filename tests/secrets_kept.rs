//! Secrets: kept as sshd keeps its keys, out of git, out of messages, and never followed through a link that a merge brought.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod hook_support;
mod rotation_support;

use hook_support::{EC, RSA, issue};
use rotation_support::{BEGIN, HOSTS, PROGRAM, Publish, Run, World, ZONE_FILE, hours};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn in_directory(directory: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::new(PROGRAM);
    command.current_dir(directory).args(arguments);
    command.output().unwrap().into()
}

/// Files that hold a key, whole, damaged and in odd orders, by name.
fn secrets(directory: &Path) -> Vec<String> {
    let (_, ec) = issue(&directory.join("ec"), EC, &HOSTS);
    let (_, rsa) = issue(&directory.join("rsa"), RSA, &HOSTS);
    let (ec, rsa) = (
        fs::read_to_string(ec).unwrap(),
        fs::read_to_string(rsa).unwrap(),
    );
    let base64 = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=";
    let files = [
        ("ec.pem", ec.clone()),
        ("rsa.pem", rsa.clone()),
        (
            "bare",
            rsa.split_inclusive('\n')
                .filter(|line| !line.starts_with('-'))
                .collect(),
        ),
        ("headless", ec.split_inclusive('\n').skip(1).collect()),
        ("damaged", rsa.replace("KEY-----\n", "KEY----\n")),
        (
            "xfr.tsig",
            format!("key \"xfr\" {{\n\talgorithm hmac-sha256;\n\tsecret \"{base64}\";\n}};\n"),
        ),
        ("line.tsig", format!("xfr:hmac-sha256:{base64}\n")),
        ("odd.tsig", format!("hmac-sha256:{base64}:xfr\n")),
        (
            "dns.private",
            format!(
                "Private-key-format: v1.3\nAlgorithm: 13 (ECDSAP256SHA256)\nPrivateKey: {base64}\n"
            ),
        ),
        (
            "private_key.json",
            format!(
                "{{\"kty\":\"EC\",\"crv\":\"P-256\",\"d\":\"{}\"}}\n",
                base64.replace('=', "")
            ),
        ),
    ];
    for (name, text) in &files {
        fs::write(directory.join(name), text).unwrap();
        chmod(&directory.join(name), 0o600);
    }
    files.iter().map(|(name, _)| (*name).to_owned()).collect()
}

/// The runs of base64 that a message must not show.
fn tokens(text: &str) -> Vec<String> {
    let base64 = |c: char| c.is_ascii_alphanumeric() || "+/=-_".contains(c);
    let words = text.lines().filter(|line| !line.starts_with("-----"));
    let words = words.flat_map(|line| line.split(move |c| !base64(c)));
    words
        .filter(|word| word.len() >= 20)
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn no_message_shows_a_line_of_a_key() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path();
    let names = secrets(root);
    in_directory(root, &["key", "generate", "example.com", "--keys", "keys"]).ends(0);
    for name in &names {
        let text = fs::read_to_string(root.join(name)).unwrap();
        let including = format!(
            "$ORIGIN example.com.\n$TTL 60\n@ SOA a b 1 2 3 4 5\n@ NS a\n$INCLUDE {name}\n"
        );
        fs::write(root.join("including"), including).unwrap();
        let zone = format!("example.com={name}");
        let runs: [&[&str]; 14] = [
            &["--config", name, "check"],
            &["--config", name, "advance"],
            &["zone", "check", name, "--origin", "example.com"],
            &["zone", "check", name],
            &["zone", "check", "including"],
            &["zone", "verify", name, "--origin", "example.com"],
            &["zone", "verify", "including", "--ds", name],
            &[
                "zone",
                "sign",
                name,
                "--origin",
                "example.com",
                "--keys",
                "keys",
                "--output",
                "signed",
            ],
            &[
                "dane",
                "verify",
                "--tlsa",
                name,
                "--chain",
                name,
                "--host",
                "mx1.example.com",
            ],
            &[
                "verify",
                "example.com",
                "--trust-anchor",
                name,
                "--resolver",
                "127.0.0.1:1",
            ],
            &["change", "show", name],
            &[
                "change",
                "verify",
                name,
                "--allowed-signers",
                name,
                "--base",
                name,
            ],
            &["serve", "--zone", &zone, "--listen", "127.0.0.1:0"],
            &["tlsrpt", name],
        ];
        for arguments in runs {
            let said = in_directory(root, arguments);
            assert_ne!(said.code, Some(0), "{name}: {arguments:?}: {said:#?}");
            let all = format!("{}{}", said.stdout, said.stderr);
            let shown = tokens(&text).into_iter().find(|token| all.contains(token));
            assert_eq!(shown, None, "{name}: {arguments:?}: {said:#?}");
        }
    }
}

#[test]
fn a_tsig_file_in_another_order_shows_no_secret() {
    let home = tempfile::tempdir().unwrap();
    let names = secrets(home.path());
    let file = |name: &str| home.path().join(name).display().to_string();
    for name in names
        .iter()
        .filter(|name| !["xfr.tsig", "line.tsig"].contains(&name.as_str()))
    {
        let world = World::with(Publish::Current, |config| {
            config.replace(
                "publish = { git = {} }",
                &format!(
                    "publish = {{ git = {{}}, serve = {{ keys = [\"{}\"] }} }}",
                    file(name)
                ),
            )
        });
        let said = world
            .run(BEGIN, &["serve", "--listen", "127.0.0.1:0"])
            .ends(1);
        let text = fs::read_to_string(file(name)).unwrap();
        let shown = tokens(&text)
            .into_iter()
            .find(|token| said.stderr.contains(token));
        assert_eq!(shown, None, "{name}: {said:#?}");
        if name == "odd.tsig" {
            assert!(said.stderr.contains("odd.tsig:1"), "{said:#?}");
        }
    }
}

#[test]
fn what_git_tracks_of_secrets_is_refused_until_it_is_taken_out() {
    let world = World::new(Publish::Current);
    let private = fs::read_dir(world.path("keys")).unwrap();
    let mut private = private.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let private = private.find(|name| name.ends_with(".private")).unwrap();
    let secret =
        "key \"xfr\" { algorithm hmac-sha256; secret \"q83vASNFZ4mrze8BI0VniavN7wE=\"; };\n";
    world.write("keys/xfr.tsig", secret);
    fs::create_dir_all(world.path("acme")).unwrap();
    world.write("acme/private_key.json", "{\"kty\":\"RSA\",\"d\":\"x\"}");
    let table = [
        "keys/xfr.tsig".to_owned(),
        format!("keys/{private}"),
        "live/privkey.pem".to_owned(),
        "acme/private_key.json".to_owned(),
        // Whatever it is called.
        "notes/mail.txt".to_owned(),
    ];
    fs::create_dir_all(world.path("notes")).unwrap();
    let key = world.read("live/privkey.pem");
    world.write("notes/mail.txt", &format!("To whom it concerns:\n\n{key}"));
    world.write(
        "notes/manual.txt",
        "A key begins with\n-----BEGIN PRIVATE KEY-----\nand goes on with its octets.\n",
    );
    world.git("add notes/manual.txt");
    let config = world.read("tlsa-rotate.toml");
    let in_earnest = config.replace("rehearsal = true", "rehearsal = false");
    assert_ne!(config, in_earnest);
    for file in &table {
        world.git(&format!("add --force {file}"));
        world.git("commit --quiet --message oops");
        world.write("tlsa-rotate.toml", &in_earnest);
        for command in [&["start", "mail"][..], &["advance"]] {
            let said = in_directory(&world.path(""), command).ends(1);
            said.complains_of(&format!("git tracks what is secret: {file}"));
            assert!(!said.stderr.contains("q83v"), "{said:#?}");
        }
        // The way out, as it is told.
        let said = in_directory(&world.path(""), &["advance"]);
        world.write("tlsa-rotate.toml", &config);
        // Where nothing rests on the keys it is told, and no more.
        let told = format!("warning: git tracks what is secret: {file};");
        let practised = world.advance(BEGIN).ends(0);
        assert!(practised.stderr.contains(&told), "{practised:#?}");
        let way_out = said
            .stderr
            .lines()
            .find_map(|line| line.split_once("the file stays: "));
        let (_, way_out) = way_out.unwrap_or_else(|| panic!("{said:#?}"));
        let ran = Command::new("sh").args(["-c", way_out]).output().unwrap();
        assert!(ran.status.success(), "{way_out}: {ran:?}");
        assert!(world.path(file).exists());
        world.advance(BEGIN).ends(0);
    }
    world.start(BEGIN).ends(0);
}

#[test]
fn a_key_that_a_link_of_the_workspace_leads_to_is_not_offered() {
    let world = World::new(Publish::Current);
    let outside = tempfile::tempdir().unwrap();
    let (chain, key) = issue(outside.path(), EC, &HOSTS);
    symlink(&chain, world.path("chain")).unwrap();
    symlink(&key, world.path("key")).unwrap();
    let (chain, key) = (chain.to_str().unwrap(), key.to_str().unwrap());
    let start = |chain: &str, key: &str| {
        world.run(
            BEGIN,
            &["start", "mail", "--certificate", chain, "--key", key],
        )
    };
    start(chain, "key")
        .ends(1)
        .complains_of("key is a symbolic link");
    start("chain", key)
        .ends(1)
        .complains_of("chain is a symbolic link");
    // Clients have theirs elsewhere (certbot's `live`).
    let live = outside.path().join("live");
    symlink(outside.path(), &live).unwrap();
    let of = |name: &str| live.join(name).display().to_string();
    start(&of("fullchain.pem"), &of("privkey.pem")).ends(0);
}

#[test]
fn what_a_command_says_is_shown_without_keys() {
    let world = World::with(Publish::Current, |config| {
        config.replace(
            "[[zone]]",
            "[[zone]]\nreload = [\"sh\", \"-c\", \"echo reloading >&2; cat said >&2 || exit 0; exit 7\"]",
        )
    });
    let home = tempfile::tempdir().unwrap();
    for (nth, name) in (1..).zip(secrets(home.path())) {
        let text = fs::read_to_string(home.path().join(&name)).unwrap();
        world.write("said", &text);
        // Something is to be reloaded in each run.
        let zone = world.read(ZONE_FILE);
        world.write(ZONE_FILE, &format!("{zone}new{nth} A 192.0.2.9\n"));
        world.git("commit --quiet --all --message more");
        let run = world.advance(hours(nth));
        assert_ne!(run.code, Some(0), "{run:#?}");
        assert!(run.stderr.contains("reloading"), "{run:#?}");
        for token in tokens(&text) {
            let told = format!("{}{}", run.stdout, run.stderr);
            assert!(!told.contains(&token), "{name}: {run:#?}");
        }
    }
    // Nor is a file quoted that is its owner's alone, and no zone.
    world.write("shadow", "root:$6$hunter2hunter2:19000\n");
    let check = || {
        world.run(
            BEGIN,
            &["zone", "check", "shadow", "--origin", "example.com"],
        )
    };
    assert!(check().ends(1).stderr.contains("hunter2") || check().stdout.contains("hunter2"));
    chmod(&world.path("shadow"), 0o600);
    let run = check().ends(1);
    let told = format!("{}{}", run.stdout, run.stderr);
    assert!(
        !told.contains("hunter2") && told.contains("its owner alone"),
        "{told}"
    );
}

#[test]
fn keys_are_judged_as_sshd_judges_its_own() {
    let world = World::new(Publish::Current);
    let keys = world.path("keys");
    let list = || world.run(BEGIN, &["key", "list", "example.com", "--keys", "keys"]);
    for mode in [0o770, 0o777, 0o1777] {
        chmod(&keys, mode);
        list().ends(1).complains_of("others may write to");
        // So is whatever acts.
        for command in [&["start", "mail"][..], &["advance"]] {
            let said = world.run(BEGIN, command).ends(1);
            said.complains_of("others may write to");
        }
    }
    chmod(&keys, 0o755);
    list().ends(0);
    let entries = fs::read_dir(&keys)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let private = entries
        .into_iter()
        .find(|path| path.extension().is_some_and(|e| e == "private"));
    let private = private.unwrap();
    chmod(&private, 0o640);
    list()
        .ends(1)
        .complains_of("can be read by others (mode 0640)");
    chmod(&private, 0o600);
    fs::rename(&private, world.path("elsewhere.private")).unwrap();
    symlink(world.path("elsewhere.private"), &private).unwrap();
    list().ends(1).complains_of("symbolic link");
    fs::remove_file(&private).unwrap();
    fs::rename(world.path("elsewhere.private"), &private).unwrap();
    fs::rename(&keys, world.path("others")).unwrap();
    symlink("others", &keys).unwrap();
    list().ends(1).complains_of("keys is a symbolic link");
    world
        .advance(BEGIN)
        .ends(1)
        .complains_of("keys is a symbolic link");
}

#[test]
fn a_key_from_nobody_knows_where_is_not_used_and_a_live_one_that_others_read_is_told() {
    let world = World::with(Publish::Current, |config| {
        config.replace(
            "live = { certificate = \"live/fullchain.pem\" }",
            "live = { certificate = \"live/fullchain.pem\", key = \"live/privkey.pem\" }",
        )
    });
    chmod(&world.path("live/privkey.pem"), 0o644);
    let planted = world.path("keys/tls/mail.1");
    let (_, key) = issue(&world.path("live/planted"), EC, &HOSTS);
    fs::create_dir_all(&planted).unwrap();
    chmod(&planted, 0o700);
    fs::copy(&key, planted.join("ecdsa-p256.key.pem")).unwrap();
    let said = world.start(BEGIN).ends(1);
    said.complains_of("which this program did not make for mail.1");
    // The way out, as it is told.
    let way_out = said
        .stderr
        .lines()
        .find_map(|line| line.split_once("a new key is made: "));
    let ran = Command::new("sh").args(["-c", way_out.unwrap().1]).status();
    assert!(ran.unwrap().success());
    let said = world.start(BEGIN).ends(0);
    assert!(
        said.stderr.contains("the key in use of mail: "),
        "{said:#?}"
    );
    assert!(
        said.stderr.contains("can be read by others (mode 0644)"),
        "{said:#?}"
    );
    let made = fs::read(planted.join("ecdsa-p256.key.pem")).unwrap();
    assert_ne!(made, fs::read(key).unwrap());
    assert_eq!(
        fs::read_dir(world.path(".tlsa-rotate/made"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn a_compromised_key_never_comes_back() {
    let world = World::new(Publish::Current);
    let arguments = [
        "emergency",
        "mail",
        "--priority",
        "delivery",
        "--reason",
        "leaked",
    ];
    let said = world.run(BEGIN, &arguments);
    assert!(matches!(said.code, Some(0 | 3 | 4)), "{said:#?}");
    world.run(hours(1), &["abort", "mail", "--reason", "mistaken"]);
    // Offered as another certificate of the same key.
    let lineage = world.path("live/again");
    fs::create_dir(&lineage).unwrap();
    fs::copy(world.path("live/privkey.pem"), lineage.join("privkey.pem")).unwrap();
    let (chain, key) = issue(&lineage, EC, &HOSTS);
    let (chain, key) = (chain.display().to_string(), key.display().to_string());
    let arguments = [
        "hook",
        "renewed",
        "mail",
        "--certificate",
        &chain,
        "--key",
        &key,
    ];
    let said = world.run(hours(2), &arguments).ends(1);
    said.complains_of("was declared compromised in mail.1, and never comes back");
    // Nor for another certificate.
    let config = world.read("tlsa-rotate.toml");
    let other = "[[certificate]]\nname = \"spare\"\nhosts = [\"mx3.example.com\"]\nlive = { certificate = \"live/fullchain.pem\" }\n";
    world.write("tlsa-rotate.toml", &format!("{config}\n{other}"));
    let spare = arguments.map(|word| if word == "mail" { "spare" } else { word });
    let said = world.run(hours(2), &spare).ends(1);
    said.complains_of("was declared compromised in mail.1, and never comes back");
    // Nor once the configuration does not name the certificate any more whose rotation that was.
    world.write(
        "tlsa-rotate.toml",
        &config.replace("name = \"mail\"", "name = \"post\""),
    );
    let post = arguments.map(|word| if word == "mail" { "post" } else { word });
    let said = world.run(hours(2), &post).ends(1);
    said.complains_of("was declared compromised in mail.1, and never comes back");
}

#[test]
fn no_link_that_a_merge_can_bring_is_followed() {
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    fs::create_dir(outside.path().join("directory")).unwrap();
    let links = [
        (ZONE_FILE, "victim"),
        ("example.com.zone.signed", "victim"),
        (".tlsa-rotate/lock", "victim"),
        (".tlsa-rotate/journal", "directory"),
        (".tlsa-rotate/journal/mail.jsonl", "victim"),
        (".tlsa-rotate", "directory"),
        ("keys/tls", "directory"),
    ];
    for (link, to) in links {
        let world = World::new(Publish::Current);
        let path = world.path(".").join(link);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if path.exists() {
            fs::rename(&path, outside.path().join("aside")).unwrap();
        }
        symlink(outside.path().join(to), &path).unwrap();
        for command in [&["advance"][..], &["start", "mail"], &["status"]] {
            let said = world.run(BEGIN, command).ends(1);
            said.complains_of("is a symbolic link");
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched", "{link}");
        assert_eq!(
            fs::read_dir(outside.path().join("directory"))
                .unwrap()
                .count(),
            0,
            "{link}"
        );
        let aside = outside.path().join("aside");
        let _ = fs::remove_file(&aside).or_else(|_| fs::remove_dir_all(&aside));
    }
}

#[test]
fn nothing_is_written_to_a_secret_or_out_of_the_workspace() {
    let table = [
        (
            "sign = { keys = \"keys\" }",
            "sign = { keys = \"keys\", signed = \"/etc/passwd\" }",
            "below the directory",
        ),
        (
            "sign = { keys = \"keys\" }",
            "sign = { keys = \"keys\", signed = \"../x\" }",
            "below the directory",
        ),
        (
            "sign = { keys = \"keys\" }",
            "sign = { keys = \"keys\", signed = \"live/privkey.pem\" }",
            "a key in use",
        ),
        (
            "sign = { keys = \"keys\" }",
            "sign = { keys = \"keys\", signed = \"keys/xfr.tsig\" }",
            "ends in `.tsig`",
        ),
        (
            "sign = { keys = \"keys\" }",
            "sign = { keys = \"keys\", signed = \"keys/K.private\" }",
            "ends in `.private`",
        ),
        (
            "sign = { keys = \"keys\" }",
            "sign = { keys = \"keys\", signed = \".git/config\" }",
            "git's own",
        ),
        (
            "sign = { keys = \"keys\" }",
            "sign = { keys = \"keys\", signed = \".tlsa-rotate/lock\" }",
            "what tlsa-rotate remembers",
        ),
        (
            "sign = { keys = \"keys\" }",
            "sign = { keys = \"keys\", signed = \"tlsa-rotate.toml\" }",
            "this configuration",
        ),
        (
            "file = \"example.com.zone\"",
            "file = \"keys/tls/mail.1/zone\"",
            "where the keys of rotations lie",
        ),
    ];
    let world = World::with(Publish::Current, |config| {
        config.replace(
            "live = { certificate = \"live/fullchain.pem\" }",
            "live = { certificate = \"live/fullchain.pem\", key = \"live/privkey.pem\" }",
        )
    });
    let config = world.read("tlsa-rotate.toml");
    for (from, to, why) in table {
        assert!(config.contains(from), "{from}");
        world.write("tlsa-rotate.toml", &config.replace(from, to));
        let said = world.advance(BEGIN).ends(1);
        assert!(said.stderr.contains(why), "{to}: {said:#?}");
        assert!(said.stderr.contains("tlsa-rotate.toml:"), "{said:#?}");
    }
}
