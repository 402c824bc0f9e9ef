//! A network namespace with its own loopback, in which ports 25 and 53 are free; everything that runs in it ends with it.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a daemon may take to come up, and a command to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The namespace, its folder and its daemons. Dropping it ends them all, also when a test fails.
pub struct World {
    name: String,
    folder: TempDir,
    daemons: Vec<(String, Child)>,
    postfix: bool,
}

impl World {
    /// Needs root. `resolver` is what `/etc/resolv.conf` says inside.
    pub fn new(resolver: &str) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("tlsar{}-{made}", std::process::id());
        let folder = tempfile::Builder::new()
            .prefix("senders")
            .tempdir()
            .unwrap();
        // Daemons that run as their own users must get through.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let world = Self {
            name,
            folder,
            daemons: Vec::new(),
            postfix: false,
        };
        let etc = world.etc();
        fs::create_dir_all(&etc).unwrap();
        let conf = format!("nameserver {resolver}\noptions trust-ad edns0 timeout:3 attempts:2\n");
        fs::write(etc.join("resolv.conf"), conf).unwrap();
        // Exim, as Debian builds it, wants a user of its own. Here it has one.
        for (file, line) in [
            (
                "passwd",
                "Debian-exim:x:9025:9025::/nonexistent:/bin/false\n",
            ),
            ("group", "Debian-exim:x:9025:\n"),
        ] {
            let mut text = fs::read_to_string(Path::new("/etc").join(file)).unwrap();
            if !text.contains("\nDebian-exim:") {
                text.push_str(line);
            }
            fs::write(etc.join(file), text).unwrap();
        }
        let outside = |args: &[&str]| {
            let done = Command::new("ip")
                .args(args)
                .output()
                .expect("iproute2 must be installed");
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            assert!(
                done.status.success(),
                "ip {args:?}: {said} (this test must be run by root)"
            );
        };
        outside(&["netns", "add", &world.name]);
        outside(&["-n", &world.name, "link", "set", "lo", "up"]);
        world
    }

    fn etc(&self) -> PathBuf {
        Path::new("/etc/netns").join(&self.name)
    }

    /// A file or folder of this world.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as text.
    pub fn at(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Writes a file, with its folders.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).unwrap()).into_owned()
    }

    /// A command inside the namespace, in the world's folder, with a bare environment.
    pub fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.name, program])
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end; it must succeed. Gives its standard output.
    pub fn run(&self, program: &str, args: &[&str]) -> String {
        let done = self.command(program, args).output().unwrap();
        assert!(done.status.success(), "{program} {args:?}: {}", both(&done));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// Starts a daemon that stays in the foreground.
    pub fn start(&mut self, name: &str, program: &str, args: &[&str]) {
        let command = self.command(program, args);
        self.start_command(name, command);
    }

    /// The same, prepared by the caller.
    pub fn start_command(&mut self, name: &str, mut command: Command) {
        let log = File::create(self.path(&format!("{name}.out"))).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap_or_else(|e| panic!("{name}: {e}"));
        self.daemons.push((name.to_owned(), child));
    }

    /// Waits until a DNS server answers for a zone.
    pub fn wait_for_dns(&self, server: &str, zone: &str) {
        self.wait(&format!("{server} serves {zone}"), || {
            let args = [
                &format!("@{server}"),
                zone,
                "SOA",
                "+norec",
                "+time=1",
                "+tries=1",
            ];
            let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
            let done = self.command("dig", &args).output().unwrap();
            String::from_utf8_lossy(&done.stdout).contains("status: NOERROR")
        });
    }

    /// Waits until something listens.
    pub fn wait_for_port(&self, address: &str, port: u16) {
        let connect = format!("exec 3<>/dev/tcp/{address}/{port}");
        self.wait(&format!("something listens on {address}:{port}"), || {
            let done = self.command("bash", &["-c", &connect]).output().unwrap();
            done.status.success()
        });
    }

    /// Waits, within a bound, until it is so; a daemon that has ended in the meantime is told with its log.
    pub fn wait(&self, what: &str, mut so: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !so() {
            assert!(
                begun.elapsed() < PATIENCE,
                "not within {PATIENCE:?}: {what}\n{}",
                self.logs()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the daemons have said.
    pub fn logs(&self) -> String {
        let mut logs = String::new();
        for (name, _) in &self.daemons {
            let text = self.read(&format!("{name}.out"));
            let tail: Vec<&str> = text.lines().rev().take(8).collect();
            for line in tail.into_iter().rev() {
                logs.push_str(&format!("{name}: {line}\n"));
            }
        }
        if let Ok(text) = fs::read_to_string(self.path("postfix/maillog")) {
            logs.push_str(&text);
        }
        logs
    }

    /// Starts the Postfix instance of `postfix/etc`.
    pub fn start_postfix(&mut self) {
        self.postfix = true;
        let etc = self.at("postfix/etc");
        let done = self
            .command("postfix", &["-c", &etc, "start"])
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "postfix start: {}\n{}",
            both(&done),
            self.logs()
        );
    }
}

/// The program under test: Cargo's, or, for a measurement, the one that lies beside it.
pub fn ours() -> String {
    let beside = || {
        let me = std::env::current_exe().unwrap();
        let at = me.ancestors().nth(2).unwrap().join("tlsa-rotate");
        at.to_str().unwrap().to_owned()
    };
    option_env!("CARGO_BIN_EXE_tlsa-rotate").map_or_else(beside, str::to_owned)
}

/// Standard output and error of a finished command.
pub fn both(done: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    )
}

impl Drop for World {
    fn drop(&mut self) {
        if self.postfix {
            let etc = self.at("postfix/etc");
            let _ = self.command("postfix", &["-c", &etc, "stop"]).output();
        }
        // Asked first, then told: only what was started here, and what that left in the namespace.
        for (_, child) in &self.daemons {
            let _ = Command::new("kill").arg(child.id().to_string()).output();
        }
        let begun = Instant::now();
        for (_, child) in &mut self.daemons {
            while matches!(child.try_wait(), Ok(None)) && begun.elapsed() < Duration::from_secs(3) {
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Ok(left) = Command::new("ip")
            .args(["netns", "pids", &self.name])
            .output()
        {
            for pid in String::from_utf8_lossy(&left.stdout).split_ascii_whitespace() {
                let _ = Command::new("kill").args(["-KILL", pid]).output();
            }
        }
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .output();
        let _ = fs::remove_dir_all(self.etc());
        let _ = fs::remove_dir("/etc/netns");
    }
}
