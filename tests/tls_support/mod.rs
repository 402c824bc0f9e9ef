//! `openssl s_server`: a real server with any kind of key, on a port where TLS begins at once.
#![allow(dead_code)]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Ended when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// With `name.key` and `name.pem` of `directory`, at any free port, and more options.
    pub(crate) fn start(directory: &Path, name: &str, more: &str) -> Self {
        Self::start_at(directory, name, more, "127.0.0.1:0")
    }

    /// The same at an address.
    pub(crate) fn start_at(directory: &Path, name: &str, more: &str, address: &str) -> Self {
        let files = [format!("{name}.key"), format!("{name}.pem")];
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", address])
            .args(["-key", &files[0], "-cert", &files[1]])
            .args(more.split_whitespace())
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl must be installed");
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        // Where it was told the port, it does not say it again.
        let listens = |line: String| Some(line.strip_prefix("ACCEPT")?.trim().to_owned());
        let told = out.find_map(|line| listens(line.unwrap()));
        let told = told.expect("s_server says that it listens");
        let address = if told.is_empty() { address } else { &told };
        // Whoever stops reading would stop the server, which reports each connection.
        std::thread::spawn(move || out.for_each(drop));
        Self {
            child,
            address: address.parse().unwrap(),
        }
    }

    /// The same server with another certificate, at the same place.
    pub(crate) fn presents(&mut self, directory: &Path, name: &str) {
        let address = self.address.to_string();
        self.end();
        *self = Self::start_at(directory, name, "", &address);
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
