//! The probe against a real Postfix with an RSA and an ECDSA chain. Postfix must be started by root.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod dane_support;

use dane_support::Bench;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tlsa_rotate::dane::subject::read_chain;
use tlsa_rotate::observe::probe::{Answer, probe};
use tlsa_rotate::observe::smtp::Caller;
use tlsa_rotate::rotation::observation::{Endpoint, KeyAlgorithm, Seen};

const HOST: &str = "mx1.example.com";

/// A Postfix of its own: configuration, queue and port; stopped when dropped.
struct Postfix<'a> {
    bench: &'a Bench,
    address: SocketAddr,
}

impl<'a> Postfix<'a> {
    fn start(bench: &'a Bench, chains: &[&str]) -> Self {
        // Its daemons run as their own user and must get through to the queue.
        fs::set_permissions(bench.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for directory in ["etc", "queue", "data"] {
            fs::create_dir_all(bench.path(directory)).unwrap();
        }
        assert!(
            Command::new("chown")
                .args(["postfix", bench.path("data").to_str().unwrap()])
                .status()
                .unwrap()
                .success(),
            "Postfix must be installed, and this test be run by root"
        );
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let dir = bench.dir.path().display();
        let chain_files: Vec<String> = chains
            .iter()
            .map(|name| {
                bench.concat(
                    &format!("{name}.both"),
                    &[&format!("{name}.key"), &format!("{name}.pem")],
                );
                format!("{dir}/{name}.both")
            })
            .collect();
        bench.write(
            "etc/main.cf",
            format!(
                "compatibility_level = 3.6\nqueue_directory = {dir}/queue\ndata_directory = {dir}/data\n\
                 command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\n\
                 shlib_directory = /usr/lib/postfix\nmeta_directory = /etc/postfix\nmail_owner = postfix\n\
                 setgid_group = postdrop\nmyhostname = {HOST}\nmydestination = example.com\n\
                 inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmynetworks = 127.0.0.0/8\nalias_maps =\n\
                 alias_database =\nmaillog_file = {dir}/maillog\nmaillog_file_prefixes = /tmp, {dir}\n\
                 smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {}\n",
                chain_files.join(", ")
            ),
        );
        bench.write(
            "etc/master.cf",
            format!(
                "127.0.0.1:{} inet n - n - - smtpd\npickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\n\
                 qmgr unix n - n 300 1 qmgr\ntlsmgr unix - - n 1000? 1 tlsmgr\nrewrite unix - - n - - trivial-rewrite\n\
                 bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\n\
                 proxymap unix - - n - - proxymap\nanvil unix - - n - 1 anvil\npostlog unix-dgram n - n - 1 postlogd\n",
                address.port()
            ),
        );
        let postfix = Self { bench, address };
        let output = postfix.say("start");
        assert!(
            output.status.success(),
            "postfix start: {} {}",
            String::from_utf8_lossy(&output.stderr),
            fs::read_to_string(bench.path("maillog")).unwrap_or_default()
        );
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "postfix does not listen"
            );
            std::thread::yield_now();
        }
        postfix
    }

    fn say(&self, command: &str) -> std::process::Output {
        Command::new("postfix")
            .arg("-c")
            .arg(self.bench.path("etc"))
            .arg(command)
            .stdin(Stdio::null())
            .output()
            .expect("Postfix must be installed")
    }
}

impl Drop for Postfix<'_> {
    fn drop(&mut self) {
        self.say("stop");
    }
}

#[tokio::test]
async fn postfix_presents_each_chain_when_asked_for_it() {
    let bench = Bench::new();
    bench.self_signed("rsa", "rsa", HOST);
    bench.self_signed("ec", "p256", HOST);
    let chain = |name: &str| {
        let chain = read_chain(&bench.read(&format!("{name}.pem"))).unwrap();
        Seen::Known(Answer::Chain(vec![chain[0].der().to_vec()]))
    };
    let caller = Caller {
        name: "probe.example.net".to_owned(),
        step: Duration::from_secs(10),
        whole: Duration::from_secs(20),
        via: None,
    };
    let endpoint = Endpoint {
        host: HOST.to_owned(),
        port: 25,
    };
    for (chains, rsa, ecdsa) in [
        (&["rsa", "ec"][..], chain("rsa"), chain("ec")),
        (&["ec"], Seen::Known(Answer::NotOffered), chain("ec")),
    ] {
        let postfix = Postfix::start(&bench, chains);
        for (algorithm, expected) in [(KeyAlgorithm::Rsa, rsa), (KeyAlgorithm::Ecdsa, ecdsa)] {
            let seen = probe(&endpoint, postfix.address, algorithm, &caller).await;
            assert_eq!(seen, expected, "{chains:?} {algorithm}");
        }
        let log = fs::read_to_string(bench.path("maillog")).unwrap();
        assert!(
            !log.contains("lost connection after STARTTLS") || chains.len() == 1,
            "{log}"
        );
    }
}
