//! Certificates, plain text and garbage on the ports.

use super::*;

/// Who has no certificate of the cluster's authority is not served, and only nodes are served at the peer port.
pub(super) async fn certificates(world: &mut World, other: &std::path::Path) {
    let out = other.to_string_lossy();
    let args = ["keys", "dev", "--out", &out, "--origin", "assent.example/fleet", "--nodes", "n1"];
    world.cluster.commands().run(Program::Assent, &args).await.unwrap();
    let (keys, before) = (world.cluster.keys_dir(), world.size().await);
    for index in 0..3 {
        let ports = world.cluster.nodes()[index].ports;
        for port in [ports.client, ports.peer] {
            for (case, own, name) in [
                ("no certificate", None, "client"),
                ("another authority's", Some(other), "client"),
                ("another authority's node", Some(other), "node-n1"),
            ] {
                // The node's refusal may come with the connection or with the first call on it.
                if let Ok(client) = RawClient::connect_as(&keys, own, name, port).await {
                    let answer = ClusterClient::new(client.channel()).info(v1::ClusterInfoRequest {}).await;
                    let status = answer.expect_err(case);
                    // The handshake was broken off: no service was reached, whatever the transport calls it.
                    let broken = matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled);
                    assert!(broken && std::error::Error::source(&status).is_some(), "{case}: {status:?}");
                }
            }
            let plain = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap().connect_lazy();
            let mut client = ClusterClient::new(plain);
            let answer = timeout(Duration::from_secs(20), client.info(v1::ClusterInfoRequest {})).await;
            assert!(answer.expect("plain text is answered or cut off").is_err());
        }
        let client = RawClient::connect(&keys, ports.peer).await.unwrap();
        let target = world.cluster.nodes()[index].id.0;
        let (kind, ledger) = (v1::raft_call::Kind::Vote.into(), world.cluster.origin().to_string());
        let call = v1::RaftCall { kind, ledger: ledger.clone(), target, body: vec![0; 8].into() };
        let status = PeerClient::new(client.channel()).call(call).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
        assert!(status.message().contains("this port is for nodes"), "{status:?}");
        let ask = v1::CosignRequest { ledger, size: 1, root: vec![0; 32].into() };
        let status = PeerClient::new(client.channel()).cosign(ask).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    }
    assert_eq!(world.size().await, before);
    world.alive("wrong certificates").await;
}

/// Bytes that are no protocol at all, on every port, and connections that say nothing.
pub(super) async fn garbage(world: &mut World) {
    let before = world.size().await;
    let noise: Vec<u8> = (0..8192u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let hello = [&[0x16, 3, 1, 0xff, 0xff, 1][..], &noise[..512]].concat();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    let mut half_open = Vec::new();
    for index in 0..3 {
        let ports = world.cluster.nodes()[index].ports;
        for port in [ports.client, ports.peer, ports.http] {
            for bytes in [&noise, &hello, &preface, &vec![0; 64], &b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()] {
                exchange(port, bytes).await;
            }
            for started in [&b""[..], &hello[..3], b"GET /hea"] {
                let mut connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                connection.write_all(started).await.unwrap();
                half_open.push(connection);
            }
        }
        let long = format!("GET /health/live HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(1 << 20));
        for (request, answer) in [
            ("GET /health/nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "HTTP/1.1 404 "),
            (
                "POST /health/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                "HTTP/1.1 405 ",
            ),
            ("GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "HTTP/1.1 404 "),
            ("NONSENSE\r\n\r\n", "HTTP/1.1 400 "),
            (&long, ""),
        ] {
            let got = exchange(ports.http, request.as_bytes()).await;
            assert!(got.starts_with(answer) && !got.starts_with("HTTP/1.1 200 "), "{request:.60}: {got:.200}");
        }
    }
    assert_eq!(world.size().await, before);
    world.alive("garbage, with connections half open").await;
    drop(half_open);
}

/// Sends bytes and reads what comes until the other side closes, falls silent for a while, or breaks the connection.
pub(super) async fn exchange(port: u16, bytes: &[u8]) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    // A node may hang up before everything was sent; that is an answer, too.
    let _ = connection.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(Ok(length)) = timeout(Duration::from_millis(300), connection.read(&mut piece)).await {
        if length == 0 {
            break;
        }
        answer.extend_from_slice(&piece[..length]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}
