//! A client without manners: one connection to one port, whatever certificate, token and bytes the test wants.

use std::path::Path;
use std::time::Duration;

use assent_proto::v1::ledger_client::LedgerClient;
use assent_proto::v1::{EvaluateRequest, EvaluateResponse};
use bytes::{Buf, BufMut};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Response, Status};

/// Longest time for anything.
const CALL_MAX: Duration = Duration::from_secs(20);

/// One connection.
#[derive(Clone)]
pub struct RawClient {
    channel: Channel,
}

impl RawClient {
    /// With the certificates of a cluster's key folder.
    pub async fn connect(keys: &Path, port: u16) -> Result<Self, String> {
        Self::connect_as(keys, Some(keys), "client", port).await
    }

    /// Trusting the authority in `trusted`, presenting `<name>.pem` and `<name>.key` of the folder `own`, if any.
    pub async fn connect_as(trusted: &Path, own: Option<&Path>, name: &str, port: u16) -> Result<Self, String> {
        let read = |path: &Path| std::fs::read(path).unwrap();
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(&trusted.join("ca.pem"))));
        if let Some(own) = own {
            let (cert, key) = (own.join(format!("{name}.pem")), own.join(format!("{name}.key")));
            tls = tls.identity(Identity::from_pem(read(&cert), read(&key)));
        }
        let endpoint = Endpoint::from_shared(format!("https://127.0.0.1:{port}")).unwrap();
        let endpoint = endpoint.tls_config(tls).unwrap().connect_timeout(CALL_MAX).timeout(CALL_MAX);
        let channel = endpoint.connect().await.map_err(|error| format!("{error:?}"))?;
        Ok(RawClient { channel })
    }

    /// One call to be decided; an empty token sends none.
    pub async fn evaluate(&self, token: &str, mut call: EvaluateRequest) -> Result<EvaluateResponse, Status> {
        if call.request_id.is_empty() {
            call.request_id = assent_client::Client::request_id().unwrap();
        }
        let mut client = LedgerClient::new(self.channel.clone()).max_encoding_message_size(usize::MAX);
        client.evaluate(with_token(token, call)).await.map(Response::into_inner)
    }

    /// The connection, for other services.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Bytes to any method.
    pub async fn send(&self, method: &str, token: &str, bytes: Vec<u8>) -> Result<Vec<u8>, Status> {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone()).max_encoding_message_size(usize::MAX);
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path: PathAndQuery = method.parse().unwrap();
        grpc.unary(with_token(token, bytes), path, Bytes).await.map(Response::into_inner)
    }
}

/// A request with a bearer token; an empty one is left out.
pub fn with_token<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if !token.is_empty() {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    request
}

/// Messages as they are.
#[derive(Clone, Copy, Default)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Bytes;
    type Decoder = Bytes;

    fn encoder(&mut self) -> Bytes {
        Bytes
    }

    fn decoder(&mut self) -> Bytes {
        Bytes
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining()).to_vec()))
    }
}
