//! HTTP/JSON for clients: the same services as over gRPC, in another notation.
//!
//! A request is read into the message that gRPC carries, the service is called within the process, and its answer is written as
//! JSON: authentication, admission, forwarding to the leader and every error are the services' own. What is refused here is only what is
//! no request at all. The routes are one table (`routes`), the schemas come from the .proto files (`openapi`).

mod call;
mod codes;
mod listen;
mod openapi;
mod parse;
mod problem;
mod query;
mod read;
mod routes;
mod shape;
mod streams;
mod wire;
mod write;

pub use call::Services;
pub use listen::serve;
pub use openapi::document;

use std::sync::Arc;
use std::time::Duration;

use assent_proto::describe::{Field, Label, Message};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Api;
use super::server::{LEDGER_MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX};
use problem::Problem;
use routes::{Answer, ROUTES, Route, Verb};

/// Where the description of all this is served.
pub const OPENAPI_PATH: &str = "/v1/openapi.json";
/// Bodies that may be in memory at once, in KiB.
const ROOM_KIB: u32 = 64 << 10;
const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";
const EVENTS: &str = "text/event-stream";

/// What the routes share.
struct Gateway {
    api: Arc<Api>,
    services: Services,
    room: Arc<Semaphore>,
    description: String,
}

/// Every route, over the services of gRPC.
pub fn router(api: Arc<Api>, services: Services) -> Router {
    let room = Arc::new(Semaphore::new(ROOM_KIB as usize));
    let gateway = Gateway { api, services, room, description: document() };
    Router::new().fallback(answer).with_state(Arc::new(gateway))
}

async fn answer(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let answered = match found(request.method(), request.uri().path()) {
        Ok(Found::Description) => Ok(json(StatusCode::OK, gateway.description.clone())),
        Ok(Found::Route(route)) => gateway.call(route, request).await,
        Err(response) => Err(response),
    };
    answered.unwrap_or_else(|refused| {
        if let Refused::AtDoor(code, _) = &refused {
            gateway.api.metrics().refused(code);
        }
        refused.into_response()
    })
}

/// What a path stands for.
enum Found {
    Description,
    Route(&'static Route),
}

/// Why there is no answer, and who says so.
enum Refused {
    /// This door; the code is counted here.
    AtDoor(&'static str, Box<Response>),
    /// A service, which has counted it.
    Service(Box<Problem>),
}

impl Refused {
    fn at_door(status: StatusCode, code: &'static str, message: impl std::fmt::Display) -> Self {
        Refused::AtDoor(code, Box::new(Problem::at_door(status, code, message).into_response()))
    }
}

impl From<crate::outcome::ApiError> for Refused {
    fn from(error: crate::outcome::ApiError) -> Self {
        Refused::AtDoor(error.code, Box::new(Problem::from(error).into_response()))
    }
}

impl From<tonic::Status> for Refused {
    fn from(status: tonic::Status) -> Self {
        Refused::Service(Box::new(Problem::from(&status)))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Refused::AtDoor(_, response) => *response,
            Refused::Service(problem) => problem.into_response(),
        }
    }
}

fn found(method: &Method, path: &str) -> Result<Found, Refused> {
    let verb = match *method {
        Method::GET => Some(Verb::Get),
        Method::POST => Some(Verb::Post),
        _ => None,
    };
    if path == OPENAPI_PATH {
        return if verb == Some(Verb::Get) { Ok(Found::Description) } else { Err(other_method("GET")) };
    }
    let mut here: Vec<&'static Route> = ROUTES.iter().filter(|route| route.matches(path).is_some()).collect();
    if let Some(route) = here.iter().find(|route| Some(route.verb) == verb) {
        return Ok(Found::Route(route));
    }
    here.sort_unstable_by_key(|route| route.verb);
    here.dedup_by_key(|route| route.verb);
    match here.as_slice() {
        [] => {
            let message = format!("there is nothing at this path; GET {OPENAPI_PATH} describes what there is");
            Err(Refused::at_door(StatusCode::NOT_FOUND, "NO_SUCH_PATH", message))
        }
        [one] if one.verb == Verb::Get => Err(other_method("GET")),
        [_] => Err(other_method("POST")),
        _ => Err(other_method("GET, POST")),
    }
}

fn other_method(allowed: &'static str) -> Refused {
    let message = format!("this path takes {allowed} only");
    let problem = Problem::at_door(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message);
    let mut response = problem.into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    Refused::AtDoor("METHOD_NOT_ALLOWED", Box::new(response))
}

impl Gateway {
    async fn call(&self, route: &'static Route, request: Request) -> Result<Response, Refused> {
        let token = token(request.headers())?;
        match route.answer {
            Answer::Lines => streams::lines(self, route, request, token).await,
            Answer::Entries => {
                let message = query_of(route, &request)?;
                streams::entries(self, route, message, request.headers(), token).await
            }
            Answer::One => {
                // Held until the answer is there: the message is as long as the body.
                let (message, _room) = match route.verb {
                    Verb::Get => (query_of(route, &request)?, None),
                    Verb::Post => {
                        let (message, room) = self.body_of(route, request).await?;
                        (message, Some(room))
                    }
                };
                let answer = self.services.one(route.method, message, token.as_deref()).await?;
                Ok(json(StatusCode::OK, written(route.method.output, &answer)?))
            }
        }
    }

    /// The message of a request with a body.
    async fn body_of(&self, route: &Route, request: Request) -> Result<(Vec<u8>, OwnedSemaphorePermit), Refused> {
        if request.uri().query().is_some_and(|query| !query.is_empty()) {
            let message = "this path takes its fields in the body, not in a query";
            return Err(Refused::at_door(StatusCode::BAD_REQUEST, "MALFORMED", message));
        }
        let path = request.uri().path().to_owned();
        let fields = route.matches(&path).unwrap_or_default();
        let mut message = query::message(route.method.input, &fields, None)?;
        must_be(JSON, request.headers())?;
        let max = if route.method.service == "Ledger" { LEDGER_MESSAGE_BYTES_MAX } else { MESSAGE_BYTES_MAX };
        let (body, room) = self.whole(request, max).await?;
        let given: Vec<&str> = route.in_path().collect();
        message.extend(read::message(route.method.input, parse::document(&body)?, &given)?);
        Ok((message, room))
    }

    /// A whole body of at most `max` bytes.
    async fn whole(&self, request: Request, max: usize) -> Result<(bytes::Bytes, OwnedSemaphorePermit), Refused> {
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok()).unwrap_or(max);
        let too_large = || {
            let message = format!("the body is longer than {max} bytes; send less at once");
            Refused::at_door(StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE", message)
        };
        if length > max {
            return Err(too_large());
        }
        let weight = u32::try_from(length.div_ceil(1024)).unwrap_or(ROOM_KIB).saturating_add(1);
        let room = self.room.clone().try_acquire_many_owned(weight);
        let room = room.map_err(|_| Refused::AtDoor("OVERLOADED", Box::new(Problem::overloaded().into_response())))?;
        let reading = axum::body::to_bytes(request.into_body(), max);
        match tokio::time::timeout(self.patience(), reading).await {
            Ok(Ok(body)) => Ok((body, room)),
            Ok(Err(error)) if is_length(&error) => Err(too_large()),
            Ok(Err(_)) => {
                Err(Refused::at_door(StatusCode::BAD_REQUEST, "MALFORMED", "the body broke off; send it again"))
            }
            Err(_) => {
                let message = "the body did not arrive in time; send it again";
                Err(Refused::at_door(StatusCode::REQUEST_TIMEOUT, "BODY_TOO_SLOW", message))
            }
        }
    }

    /// How long a body may take to arrive.
    fn patience(&self) -> Duration {
        self.api.request_timeout()
    }
}

/// Whether reading stopped because there was too much to read.
fn is_length(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("length limit exceeded") {
            return true;
        }
        cause = error.source();
    }
    false
}

fn query_of(route: &Route, request: &Request) -> Result<Vec<u8>, Refused> {
    let fields = route.matches(request.uri().path()).unwrap_or_default();
    Ok(query::message(route.method.input, &fields, request.uri().query())?)
}

/// The value of the one `authorization` header, as it is passed on to the service.
fn token(headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    match text {
        Some(text) => Ok(Some(text.to_owned())),
        None => {
            let message = "`authorization` must stand once, as `Bearer `, then 64 lower-case hexadecimal characters";
            Err(crate::outcome::ApiError::unauthenticated(message).into())
        }
    }
}

/// Refuses a body of another media type; UTF-8 may be stated, for nothing else is read.
fn must_be(right: &str, headers: &HeaderMap) -> Result<(), Refused> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let text = values.next().and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let (essence, parameter) = text.split_once(';').unwrap_or((&text, ""));
    let plain = matches!(parameter.trim(), "" | "charset=utf-8" | "charset=\"utf-8\"");
    if essence.trim() == right && plain && values.next().is_none() {
        return Ok(());
    }
    let message = format!("the body must come with `content-type: {right}`");
    Err(Refused::at_door(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message))
}

/// A message of a service as JSON.
fn written(kind: &'static Message, message: &[u8]) -> Result<String, Refused> {
    let text = write::message(kind, message);
    text.ok_or_else(|| tonic::Status::internal("the answer cannot be written as JSON").into())
}

/// The number that stands last under a field; zero when none does.
fn number_in(message: &[u8], field: &Field) -> u64 {
    let fields = wire::fields(message).unwrap_or_default();
    let numbers = fields.iter().filter(|(number, _)| *number == field.number && field.label != Label::Repeated);
    numbers.fold(0, |last, (_, value)| if let wire::Wire::Number(number) = value { *number } else { last })
}

fn json(status: StatusCode, mut text: String) -> Response {
    text.push('\n');
    let mut response = (status, Body::from(text)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}

#[cfg(test)]
mod tests;
