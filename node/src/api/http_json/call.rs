//! Calling the services from within the process, as gRPC calls them: behind this both protocols are one.

use assent_proto::describe::Method;
use axum::Router;
use bytes::{Buf, BufMut, Bytes};
use futures::Stream;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::{Request, Status, Streaming};

use crate::api::auth::AUTHORIZATION_KEY;
use crate::api::server::LEDGER_MESSAGE_BYTES_MAX;

/// The services, and who asks them.
#[derive(Clone)]
pub struct Services {
    routes: Router,
}

impl Services {
    /// Over the router that serves gRPC.
    pub const fn new(routes: Router) -> Self {
        Services { routes }
    }

    fn client(&self) -> Grpc<Router> {
        Grpc::new(self.routes.clone())
            .max_decoding_message_size(usize::MAX)
            .max_encoding_message_size(LEDGER_MESSAGE_BYTES_MAX)
    }

    /// One message in, one message out.
    pub async fn one(&self, method: &Method, message: Vec<u8>, token: Option<&str>) -> Result<Bytes, Status> {
        let request = asked(Bytes::from(message), token)?;
        let answer = self.client().unary(request, path(method), Verbatim).await;
        answer.map(tonic::Response::into_inner)
    }

    /// One message in, many out.
    pub async fn many(
        &self,
        method: &Method,
        message: Vec<u8>,
        token: Option<&str>,
    ) -> Result<Streaming<Bytes>, Status> {
        let request = asked(Bytes::from(message), token)?;
        let answer = self.client().server_streaming(request, path(method), Verbatim).await;
        answer.map(tonic::Response::into_inner)
    }

    /// Many messages in, many out.
    pub async fn stream(
        &self,
        method: &Method,
        messages: impl Stream<Item = Bytes> + Send + 'static,
        token: Option<&str>,
    ) -> Result<Streaming<Bytes>, Status> {
        let request = asked(messages, token)?;
        let answer = self.client().streaming(request, path(method), Verbatim).await;
        answer.map(tonic::Response::into_inner)
    }
}

const fn path(method: &Method) -> PathAndQuery {
    // Paths are generated from names of services and methods.
    PathAndQuery::from_static(method.path)
}

fn asked<T>(message: T, token: Option<&str>) -> Result<Request<T>, Status> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        let value = MetadataValue::try_from(token);
        let value =
            value.map_err(|_| crate::outcome::ApiError::unauthenticated("`authorization` is not plain text"))?;
        request.metadata_mut().insert(AUTHORIZATION_KEY, value);
    }
    Ok(request)
}

/// Messages as the bytes that they are.
struct Verbatim;

impl Codec for Verbatim {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Verbatim;
    type Decoder = Verbatim;

    fn encoder(&mut self) -> Verbatim {
        Verbatim
    }

    fn decoder(&mut self) -> Verbatim {
        Verbatim
    }
}

impl Encoder for Verbatim {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Verbatim {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
