//! redis-server with its append-only file.

use super::line::Lines;
use super::{Place, Subject, Syncs};
use std::io;
use std::net::SocketAddr;

/// See the module.
pub struct Redis {
    /// The program.
    pub program: String,
}

impl Subject for Redis {
    fn argv(&self, place: &Place, syncs: Syncs) -> io::Result<Vec<String>> {
        let fsync = match syncs {
            Syncs::Never => "no",
            Syncs::EachWrite => "always",
        };
        let (port, dir) = (place.address.port().to_string(), place.data.to_string_lossy().into_owned());
        let options = ["--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", fsync, "--save", ""];
        let place = ["--port", &port, "--dir", &dir];
        Ok([self.program.as_str()].into_iter().chain(options).chain(place).map(str::to_owned).collect())
    }

    fn ready(&self, address: SocketAddr, _: bool) -> io::Result<bool> {
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
