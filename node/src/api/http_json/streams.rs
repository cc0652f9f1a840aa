//! Answers of many parts: entries in pages or as server-sent events, and decisions line by line.

use std::convert::Infallible;
use std::time::Duration;

use assent_proto::describe::{ENTRIES_REQUEST, ENTRY_RECORD, Field, Message};
use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::problem::Problem;
use super::routes::Route;
use super::{EVENTS, Gateway, LINES, Refused, json, must_be, number_in, parse, read, wire, write, written};
use crate::api::convert::wrong;
use crate::api::server::MESSAGE_BYTES_MAX;

/// Entries of a page that does not say how many it wants.
const PAGE_DEFAULT: u64 = 100;
/// Most entries of a page.
pub const PAGE_MAX: u64 = 1000;
/// How often a quiet stream of events says that it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Lines read ahead of the decisions.
const LINES_AHEAD: usize = 64;

fn field(message: &'static Message, name: &str) -> Result<&'static Field, Refused> {
    message.field(name).ok_or_else(|| tonic::Status::internal(format!("no field {name}")).into())
}

/// A page of entries, or what comes, as events.
pub async fn entries(
    gateway: &Gateway,
    route: &'static Route,
    mut message: Vec<u8>,
    headers: &HeaderMap,
    token: Option<String>,
) -> Result<Response, Refused> {
    let (limit, from) = (field(&ENTRIES_REQUEST, "limit")?, field(&ENTRIES_REQUEST, "from_seq")?);
    let follow = field(&ENTRIES_REQUEST, "follow")?;
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // What is appended here stands later in the message, and the last one counts.
    if accepts.contains(EVENTS) || number_in(&message, follow) == 1 {
        wire::put_number(&mut message, follow.number, 1);
        if let Some(last) = last_event(headers)? {
            wire::put_number(&mut message, from.number, last.saturating_add(1));
        }
        let records = gateway.services.many(route.method, message, token.as_deref()).await?;
        return Ok(events(records));
    }
    let asked = match number_in(&message, limit) {
        0 => PAGE_DEFAULT,
        asked if asked > PAGE_MAX => {
            return Err(wrong("limit", format_args!("is {asked}"), format_args!("at most {PAGE_MAX}")).into());
        }
        asked => asked,
    };
    wire::put_number(&mut message, limit.number, asked);
    let records = gateway.services.many(route.method, message, token.as_deref()).await?;
    page(records, asked).await
}

async fn page(mut records: Streaming<Bytes>, asked: u64) -> Result<Response, Refused> {
    let seq = field(&ENTRY_RECORD, "seq")?;
    let (mut text, mut count, mut last) = (String::from("{\"entries\":["), 0u64, 0u64);
    while let Some(record) = records.message().await? {
        if count > 0 {
            text.push(',');
        }
        text.push_str(&written(&ENTRY_RECORD, &record)?);
        (count, last) = (count + 1, number_in(&record, seq));
    }
    text.push(']');
    if count == asked {
        text.push_str(&format!(",\"next_from_seq\":{}", last.saturating_add(1)));
    }
    text.push('}');
    Ok(json(StatusCode::OK, text))
}

/// The last event that a caller has seen before its connection broke.
fn last_event(headers: &HeaderMap) -> Result<Option<u64>, Refused> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let seq = value.to_str().ok().and_then(|text| text.parse().ok());
    seq.map(Some).ok_or_else(|| wrong("last-event-id", "is no number", "the id of the last event").into())
}

fn events(records: Streaming<Bytes>) -> Response {
    let events = futures::stream::unfold(Some(records), |records| async {
        let mut records = records?;
        let event = match tokio::time::timeout(KEEP_ALIVE, records.message()).await {
            Err(_) => (": still here\n\n".to_owned(), Some(records)),
            Ok(Ok(Some(record))) => (entry_event(&record), Some(records)),
            Ok(Ok(None)) => return None,
            Ok(Err(status)) => (format!("event: problem\ndata: {}\n\n", Problem::from(&status).json()), None),
        };
        Some(event)
    });
    streamed(EVENTS, events)
}

fn entry_event(record: &[u8]) -> String {
    let seq = ENTRY_RECORD.field("seq").map_or(0, |seq| number_in(record, seq));
    let data = write::message(&ENTRY_RECORD, record).unwrap_or_default();
    format!("id: {seq}\nevent: entry\ndata: {data}\n\n")
}

fn streamed(media_type: &'static str, parts: impl Stream<Item = String> + Send + 'static) -> Response {
    let body = Body::from_stream(parts.map(|part| Ok::<_, Infallible>(Bytes::from(part))));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// One answer for each line of the body, in their order, as they come. A line that is no request ends the stream: its failure is the
/// last line of the answer, after the answers to what came before it.
pub async fn lines(
    gateway: &Gateway,
    route: &'static Route,
    request: Request,
    token: Option<String>,
) -> Result<Response, Refused> {
    must_be(LINES, request.headers())?;
    let (messages, receiver) = mpsc::channel(LINES_AHEAD);
    let (ended, failure) = oneshot::channel();
    let body = request.into_body().into_data_stream();
    tokio::spawn(async move {
        let _ = ended.send(read_lines(route.method.input, body, messages).await.err());
    });
    let answers = gateway.services.stream(route.method, ReceiverStream::new(receiver), token.as_deref()).await?;
    let output = route.method.output;
    let answers = futures::stream::unfold(Some((answers, failure)), move |state| async move {
        let (mut answers, failure) = state?;
        match answers.message().await {
            Ok(Some(answer)) => {
                let text = write::message(output, &answer).unwrap_or_default();
                Some((format!("{text}\n"), Some((answers, failure))))
            }
            Ok(None) => {
                let problem = failure.await.ok().flatten()?;
                Some((format!("{{\"failure\":{}}}\n", problem.json()), None))
            }
            Err(status) => Some((format!("{{\"failure\":{}}}\n", Problem::from(&status).json()), None)),
        }
    });
    Ok(streamed(LINES, answers))
}

/// Reads lines into messages until the body ends or a line is no message.
async fn read_lines(
    kind: &'static Message,
    mut body: BodyDataStream,
    messages: mpsc::Sender<Bytes>,
) -> Result<(), Problem> {
    let mut waiting: Vec<u8> = Vec::new();
    while let Some(part) = body.next().await {
        let broken =
            |_| Problem::at_door(StatusCode::BAD_REQUEST, "MALFORMED", "the body broke off; send the rest again");
        waiting.extend_from_slice(&part.map_err(broken)?);
        while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
            let rest = waiting.split_off(end + 1);
            let line = std::mem::replace(&mut waiting, rest);
            if !send_line(kind, &line, &messages).await? {
                return Ok(());
            }
        }
        if waiting.len() > MESSAGE_BYTES_MAX {
            let message = format!("a line is longer than {MESSAGE_BYTES_MAX} bytes");
            return Err(Problem::at_door(StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE", message));
        }
    }
    send_line(kind, &waiting, &messages).await.map(|_| ())
}

/// Sends one line; false when nobody takes it any more.
async fn send_line(kind: &'static Message, line: &[u8], messages: &mpsc::Sender<Bytes>) -> Result<bool, Problem> {
    if line.trim_ascii().is_empty() {
        return Ok(true);
    }
    let message = read::message(kind, parse::document(line)?, &[])?;
    Ok(messages.send(Bytes::from(message)).await.is_ok())
}
