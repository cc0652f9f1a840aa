//! Requests at the door, without a node behind it where none is needed.

use super::*;

#[tokio::test]
async fn paths_and_methods_that_are_not_there_are_told_apart() {
    for (method, path, status, allow) in [
        (Method::GET, "/v1/nothing", 404, None),
        (Method::GET, "/v1/evaluate", 405, Some("POST")),
        (Method::POST, "/v1/entries", 405, Some("GET")),
        (Method::DELETE, "/v1/seals", 405, Some("GET, POST")),
        (Method::POST, OPENAPI_PATH, 405, Some("GET")),
    ] {
        let Err(refused) = found(&method, path) else { panic!("{method} {path} was found") };
        let response = refused.into_response();
        assert_eq!(response.status().as_u16(), status, "{method} {path}");
        assert_eq!(response.headers().get("allow").map(|v| v.to_str().unwrap()), allow, "{method} {path}");
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((body["write"].as_str(), body["retry_after_ms"].as_u64()), (Some("refused"), Some(0)));
    }
    assert!(matches!(found(&Method::GET, OPENAPI_PATH), Ok(Found::Description)));
    assert!(matches!(found(&Method::POST, "/v1/seals"), Ok(Found::Route(route)) if route.verb == Verb::Post));
}

#[test]
fn only_the_right_media_type_is_taken() {
    let headers = |values: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CONTENT_TYPE, HeaderValue::from_static(value));
        }
        headers
    };
    for right in ["application/json", "Application/JSON; charset=utf-8", "application/json;charset=\"utf-8\""] {
        assert!(must_be(JSON, &headers(&[right])).is_ok(), "{right}");
    }
    for wrong in [
        &[][..],
        &["text/plain"],
        &["application/json; charset=latin1"],
        &["application/jsonx"],
        &["application/json", "application/json"],
    ] {
        assert!(must_be(JSON, &headers(wrong)).is_err(), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_body_over_its_length_is_told_from_one_that_broke_off() {
    let error = axum::body::to_bytes(Body::from("12345"), 4).await.unwrap_err();
    assert!(is_length(&error), "{error:?}");
    let parts = futures::stream::iter([Err::<bytes::Bytes, _>(std::io::Error::other("gone"))]);
    let error = axum::body::to_bytes(Body::from_stream(parts), 4).await.unwrap_err();
    assert!(!is_length(&error), "{error:?}");
}

#[test]
fn a_token_stands_once_or_not_at_all() {
    let mut headers = HeaderMap::new();
    assert!(matches!(token(&headers), Ok(None)));
    headers.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer x"));
    assert!(matches!(token(&headers), Ok(Some(text)) if text == "Bearer x"));
    headers.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer x"));
    assert!(token(&headers).is_err());
}

#[test]
fn the_last_number_of_a_field_counts() {
    let field = assent_proto::describe::ENTRIES_REQUEST.field("limit").unwrap();
    let mut message = Vec::new();
    assert_eq!(number_in(&message, field), 0);
    wire::put_number(&mut message, field.number, 7);
    wire::put_number(&mut message, field.number, 9);
    assert_eq!(number_in(&message, field), 9);
}
