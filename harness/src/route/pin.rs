//! This module holds addresses that a user names for a host, in place of what a resolver would say.
//!
//! **In:** `HOST:PORT:ADDRESS`, more addresses after commas. **Out:** a [`Pin`], or what is wrong.

use std::net::{IpAddr, SocketAddr};

/// The addresses of one host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    host: String,
    port: u16,
    addresses: Vec<IpAddr>,
}

impl Pin {
    /// Reads it; `Err`: what is wrong, as a clause.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (host, rest) = text.split_once(':').ok_or("it holds no port")?;
        let (port, addresses) = rest.split_once(':').ok_or("it holds no address")?;
        if host.is_empty() {
            return Err("it holds no host");
        }
        let port = port
            .parse()
            .map_err(|_no_number| "the port is no number up to 65535")?;
        let addresses = addresses.split(',').map(|address| {
            let bare = address.trim().trim_start_matches('[').trim_end_matches(']');
            bare.parse::<IpAddr>()
        });
        let addresses: Result<Vec<IpAddr>, _> = addresses.collect();
        Ok(Self {
            host: host.to_owned(),
            port,
            addresses: addresses.map_err(|_no_address| "what follows the port is no address")?,
        })
    }

    pub(crate) fn is_of(&self, host: &str) -> bool {
        self.host.eq_ignore_ascii_case(host)
    }

    /// All of its addresses are this machine's own.
    pub(crate) fn is_loopback(&self) -> bool {
        let mut addresses = self.addresses.iter();
        addresses.all(|address| address.to_canonical().is_loopback())
    }

    /// Its addresses, if it is about that host and port.
    pub(crate) fn of(&self, (host, port): (&str, u16)) -> Option<Vec<SocketAddr>> {
        let is_meant = self.is_of(host) && self.port == port;
        let addresses = self.addresses.iter();
        is_meant.then(|| {
            addresses
                .map(|address| SocketAddr::new(*address, port))
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_names_a_host_a_port_and_addresses() {
        let pin = Pin::parse("Chat.example.org:443:127.0.0.1,[::1]").unwrap();
        let found = pin.of(("chat.example.org", 443)).unwrap();
        assert_eq!(
            found,
            [
                "127.0.0.1:443".parse().unwrap(),
                "[::1]:443".parse().unwrap()
            ]
        );
        assert_eq!(pin.of(("chat.example.org", 80)), None);
        assert_eq!(pin.of(("other", 443)), None);
        for (text, why) in [
            ("chat", "no port"),
            ("chat:80", "no address"),
            (":80:127.0.0.1", "no host"),
            ("chat:x:127.0.0.1", "no number"),
            ("chat:80:here", "is no address"),
            ("chat:80:", "is no address"),
        ] {
            assert!(Pin::parse(text).unwrap_err().contains(why), "{text}");
        }
    }
}
