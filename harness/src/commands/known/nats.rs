//! nats-server with a JetStream stream on files: a static Go program, which nothing preloaded reaches.

use super::line::Lines;
use super::{Subject, Syncs, alone};
use crate::commands::Failure;
use crate::systems::NodePlan;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

/// See the module.
pub struct Nats {
    /// The program.
    pub program: String,
}

const STREAM: &str = r#"{"name":"S","subjects":["s"],"storage":"file","retention":"limits","num_replicas":1}"#;

fn connect(address: SocketAddr) -> io::Result<Lines> {
    let mut nats = Lines::connect(address)?;
    // It introduces itself first.
    nats.line()?;
    nats.send("CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB inbox 1\r\nPING\r\n")?;
    while nats.line()? != "PONG" {}
    Ok(nats)
}

/// Publishes and waits for the answer.
fn ask(nats: &mut Lines, subject: &str, payload: &str) -> io::Result<String> {
    nats.send(&format!("PUB {subject} inbox {}\r\n{payload}\r\n", payload.len()))?;
    loop {
        let line = nats.line()?;
        match line.split(' ').next() {
            Some("MSG") => return nats.line(),
            Some("PING") => nats.send("PONG\r\n")?,
            Some("-ERR") => return Err(io::Error::other(line)),
            _ => (),
        }
    }
}

fn sound(answer: String) -> io::Result<String> {
    if answer.contains("\"error\"") { Err(io::Error::other(answer)) } else { Ok(answer) }
}

impl Subject for Nats {
    fn name(&self) -> String {
        "nats-server".into()
    }

    fn lay_out(&self, folder: &Path, syncs: Syncs) -> Result<Vec<NodePlan>, Failure> {
        let interval = match syncs {
            Syncs::Never => "\"10m\"",
            Syncs::EachWrite => "always",
        };
        alone(folder, |data, address| {
            let config = folder.join("nats.conf");
            let (port, data) = (address.port(), data.display());
            let text = format!(
                "host: 127.0.0.1\nport: {port}\njetstream {{ store_dir: \"{data}\", sync_interval: {interval} }}\n"
            );
            std::fs::write(&config, text)?;
            Ok(vec![self.program.clone(), "-c".into(), config.to_string_lossy().into_owned()])
        })
    }

    fn ready(&self, address: SocketAddr, new: Option<Syncs>) -> io::Result<bool> {
        let mut nats = connect(address)?;
        let (what, payload) = if new.is_some() { ("CREATE", STREAM) } else { ("INFO", "") };
        sound(ask(&mut nats, &format!("$JS.API.STREAM.{what}.S"), payload)?).map(|_| true)
    }

    fn write(&self, address: SocketAddr, from: u64, to: u64) -> io::Result<()> {
        let mut nats = connect(address)?;
        (from..to).try_for_each(|number| sound(ask(&mut nats, "s", &format!("message {number}"))?).map(drop))
    }

    fn count(&self, address: SocketAddr) -> io::Result<u64> {
        let answer = sound(ask(&mut connect(address)?, "$JS.API.STREAM.INFO.S", "")?)?;
        let told: serde_json::Value = serde_json::from_str(&answer)?;
        told["state"]["messages"].as_u64().ok_or_else(|| io::Error::other(answer))
    }
}
