//! redis-server with its append-only file.

use super::line::Lines;
use super::{Subject, Syncs, alone};
use crate::commands::Failure;
use crate::systems::NodePlan;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

/// See the module.
pub struct Redis {
    /// The program.
    pub program: String,
}

impl Subject for Redis {
    fn name(&self) -> String {
        "redis-server".into()
    }

    fn lay_out(&self, folder: &Path, syncs: Syncs) -> Result<Vec<NodePlan>, Failure> {
        let fsync = match syncs {
            Syncs::Never => "no",
            Syncs::EachWrite => "always",
        };
        alone(folder, |data, address| {
            let (port, dir) = (address.port().to_string(), data.to_string_lossy().into_owned());
            let options = ["--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", fsync, "--save", ""];
            let place = ["--port", &port, "--dir", &dir];
            Ok([self.program.as_str()].into_iter().chain(options).chain(place).map(str::to_owned).collect())
        })
    }

    fn ready(&self, address: SocketAddr, _: Option<Syncs>) -> io::Result<bool> {
        let mut redis = Lines::connect(address)?;
        redis.send("PING\r\n")?;
        Ok(redis.line()? == "+PONG")
    }

    fn write(&self, address: SocketAddr, from: u64, to: u64) -> io::Result<()> {
        let mut redis = Lines::connect(address)?;
        for key in from..to {
            redis.send(&format!("SET key-{key} value\r\n"))?;
            let told = redis.line()?;
            if told != "+OK" {
                return Err(io::Error::other(format!("redis said {told}")));
            }
        }
        Ok(())
    }

    fn count(&self, address: SocketAddr) -> io::Result<u64> {
        let mut redis = Lines::connect(address)?;
        redis.send("DBSIZE\r\n")?;
        let told = redis.line()?;
        let number = told.strip_prefix(':').and_then(|number| number.parse().ok());
        number.ok_or_else(|| io::Error::other(format!("redis said {told}")))
    }
}
