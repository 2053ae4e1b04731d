//! This file's job is to read the PROXY protocol's header, in which a TCP load balancer says who has connected to it.
//!
//! Both versions are understood: <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>. Nothing behind the header is read.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tokio::io::{AsyncRead, AsyncReadExt as _};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest header of version 1, by the specification.
const TEXT_MAX_BYTES: usize = 107;
/// Two addresses and what balancers add (TLS details, ids of networks) take a few hundred bytes.
const BINARY_MAX_BYTES: usize = 2_048;

/// Reads the header. `None` when the load balancer speaks for itself, as in health checks.
///
/// # Errors
/// When what comes is no such header.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    let mut head = [0; SIGNATURE.len()];
    stream.read_exact(&mut head).await?;
    if head == *SIGNATURE { read_binary(stream).await } else { read_text(stream, &head).await }
}

/// Version 1: `PROXY TCP4 <source> <destination> <port> <port>\r\n`.
async fn read_text(stream: &mut (impl AsyncRead + Unpin), head: &[u8]) -> io::Result<Option<IpAddr>> {
    let mut line = head.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() == TEXT_MAX_BYTES || !line.starts_with(b"PROXY ") {
            return Err(malformed());
        }
        // One by one: what is behind the line is not ours. It is short, and comes once for a connection.
        line.push(stream.read_u8().await?);
    }
    let line = std::str::from_utf8(&line).map_err(|_| malformed())?;
    let mut words = line.trim_end().split(' ').skip(1);
    match (words.next(), words.next(), words.count()) {
        (Some("UNKNOWN"), ..) => Ok(None),
        (Some("TCP4"), Some(source), 3) => source.parse().map(|it: Ipv4Addr| Some(it.into())).map_err(|_| malformed()),
        (Some("TCP6"), Some(source), 3) => source.parse().map(|it: Ipv6Addr| Some(it.into())).map_err(|_| malformed()),
        _ => Err(malformed()),
    }
}

/// Version 2: command, family, length, then that many bytes that begin with the addresses.
async fn read_binary(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    const LOCAL: u8 = 0x20;
    const PROXY: u8 = 0x21;
    const TCP4: u8 = 0x11;
    const TCP6: u8 = 0x21;
    let (command, family) = (stream.read_u8().await?, stream.read_u8().await?);
    let size_bytes = usize::from(stream.read_u16().await?);
    if size_bytes > BINARY_MAX_BYTES {
        return Err(malformed());
    }
    let mut rest = vec![0; size_bytes];
    stream.read_exact(&mut rest).await?;
    match (command, family) {
        (LOCAL, _) => Ok(None),
        (PROXY, TCP4) if size_bytes >= 12 => Ok(rest.first_chunk::<4>().map(|&source| source.into())),
        (PROXY, TCP6) if size_bytes >= 36 => Ok(rest.first_chunk::<16>().map(|&source| source.into())),
        _ => Err(malformed()),
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a header of the PROXY protocol")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BEHIND: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

    /// Reads a header and returns what it says, with what is left behind it.
    fn parse(header: &[u8]) -> io::Result<(Option<String>, Vec<u8>)> {
        let all = [header, BEHIND].concat();
        let mut stream = all.as_slice();
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let address = runtime.block_on(read(&mut stream))?;
        Ok((address.map(|address| address.to_string()), stream.to_vec()))
    }

    fn binary(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let size = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family][..], &size, addresses].concat()
    }

    #[test]
    fn the_source_is_found_and_nothing_behind_the_header_is_taken() {
        let v4 = [192, 0, 2, 1, 198, 51, 100, 1, 0, 1, 0, 2];
        let mut v6 = [0; 40];
        v6[..2].copy_from_slice(&[0x20, 0x01]);
        v6[15] = 9;
        for (header, address) in [
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 5000 443\r\n".to_vec(), Some("192.0.2.1")),
            (b"PROXY TCP6 2001:db8::1 2001:db8::2 5000 443\r\n".to_vec(), Some("2001:db8::1")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(), None),
            (binary(0x21, 0x11, &v4), Some("192.0.2.1")),
            // Additions follow the addresses.
            (binary(0x21, 0x21, &v6), Some("2001::9")),
            (binary(0x20, 0, &[]), None),
        ] {
            let (seen, left) = parse(&header).unwrap();
            assert_eq!((seen.as_deref(), left.as_slice()), (address, BEHIND), "{header:?}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for header in [
            BEHIND.to_vec(),
            b"PROXY TCP4 192.0.2.1 198.51.100.1 5000\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::1 198.51.100.1 5000 443\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 198.51.100.1 5000 443 6\r\n".to_vec(),
            b"PROXY UDP4 192.0.2.1 198.51.100.1 5000 443\r\n".to_vec(),
            [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200], b"\r\n"].concat(),
            binary(0x31, 0x11, &[0; 12]),
            binary(0x21, 0x11, &[0; 11]),
            binary(0x21, 0x21, &[0; 12]),
            binary(0x21, 0x31, &[0; 216]),
            binary(0x21, 0x11, &[0; 3_000]),
        ] {
            assert!(parse(&header).is_err(), "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_reading_panic(
            command in any::<u8>(), family in any::<u8>(), addresses in proptest::collection::vec(any::<u8>(), 0..300), text in ".{0,120}",
        ) {
            let _ = parse(&binary(command, family, &addresses));
            let _ = parse(format!("PROXY {text}\r\n").as_bytes());
        }
    }
}
