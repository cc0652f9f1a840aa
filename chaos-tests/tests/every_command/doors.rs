//! The doors: the same method with the same fields, over gRPC or HTTP/JSON. Paths and shapes are taken from the OpenAPI document that the
//! node serves, so that what the document says is what is done.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assent_chaos_tests::support::raw_client::RawClient;
use assent_proto::describe::{Method, SERVICES};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::wire::{self, Bytes, Shapes};

/// Longest time for one call.
const CALL_MAX: Duration = Duration::from_secs(20);

/// Why a call failed: what both protocols say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    pub code: String,
    pub write: String,
    pub message: String,
}

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Grpc,
    Http,
}

/// A protocol at one or several nodes, which are asked in turn: a follower passes commands on.
pub struct Door {
    pub protocol: Protocol,
    grpc: Vec<RawClient>,
    http: Vec<HttpClient>,
    document: Arc<Document>,
    asked: Mutex<(usize, BTreeSet<&'static str>)>,
}

impl Door {
    /// At these nodes, as (client port, HTTP/JSON port); the first leads.
    pub async fn open(protocol: Protocol, keys: &Path, ports: &[(u16, u16)], document: Arc<Document>) -> Door {
        let (mut grpc, mut http) = (Vec::new(), Vec::new());
        for (client, http_api) in ports {
            grpc.push(RawClient::connect(keys, *client).await.unwrap());
            http.push(HttpClient::new(keys, *http_api));
        }
        Door { protocol, grpc, http, document, asked: Mutex::default() }
    }

    /// Paths of the methods that were called here.
    pub fn asked(&self) -> BTreeSet<&'static str> {
        self.asked.lock().unwrap().1.clone()
    }

    /// Calls a method, `Service.Method`; repeats it for as long as the cluster did not accept it.
    pub async fn call(&self, name: &str, token: &str, fields: Value) -> Result<Value, Failed> {
        let method = method(name);
        for _ in 0..100 {
            let node = {
                let mut asked = self.asked.lock().unwrap();
                asked.0 += 1;
                asked.1.insert(method.path);
                if reads(method) { 0 } else { asked.0 % self.grpc.len() }
            };
            let answer = match self.protocol {
                Protocol::Grpc => self.over_grpc(node, method, token, &fields).await,
                Protocol::Http => self.over_http(node, name, token, &fields).await,
            };
            match answer {
                Err(failed) if failed.write != "refused" => sleep(Duration::from_millis(100)).await,
                answer => return answer,
            }
        }
        panic!("{name} was not accepted for 10 s");
    }

    async fn over_grpc(&self, node: usize, method: &Method, token: &str, fields: &Value) -> Result<Value, Failed> {
        let shapes = &self.document.shapes;
        let bytes = wire::encode(method.input, fields, shapes);
        let answer = timeout(CALL_MAX, self.grpc[node].send(method.path, token, bytes)).await.unwrap();
        let answer = answer.map_err(|status| {
            let text = |key| status.metadata().get(key).unwrap_or_else(|| panic!("{status:?}")).to_str().unwrap();
            let (code, write) = (text("assent-code").to_owned(), text("assent-write").to_owned());
            Failed { code, write, message: status.message().to_owned() }
        })?;
        Ok(wire::decode(method.output, &answer, shapes))
    }

    async fn over_http(&self, node: usize, name: &str, token: &str, fields: &Value) -> Result<Value, Failed> {
        let operation = &self.document.operations[name];
        let mut rest = fields.as_object().unwrap().clone();
        let mut path = Vec::new();
        for part in operation.path.split('/') {
            path.push(match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(field) => escaped(rest.remove(field).unwrap().as_str().unwrap()),
                None => part.to_owned(),
            });
        }
        let mut path = path.join("/");
        let body = if operation.verb == "get" {
            let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let pairs: Vec<String> = rest.iter().map(|(name, v)| format!("{name}={}", escaped(&plain(v)))).collect();
            path = format!("{path}?{}", pairs.join("&"));
            None
        } else {
            Some(Value::Object(rest).to_string())
        };
        let verb = operation.verb.to_ascii_uppercase();
        let (status, answer) = self.http[node].request(&verb, &path, token, body.as_deref()).await;
        if status == 200 {
            return Ok(answer);
        }
        let text = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{status} {answer}")).to_owned();
        Err(Failed { code: text("code"), write: text("write"), message: text("message") })
    }
}

/// Whether a node answers with what it has applied itself: the first node, which leads, has applied whatever was answered.
fn reads(method: &Method) -> bool {
    match method.service {
        "State" | "Cluster" => true,
        "Ledger" => !method.name.starts_with("Evaluate"),
        _ => false,
    }
}

/// A method of the protocol.
pub fn method(name: &str) -> &'static Method {
    let found = SERVICES.iter().flat_map(|s| s.methods).find(|m| format!("{}.{}", m.service, m.name) == name);
    found.unwrap_or_else(|| panic!("there is no method {name}"))
}

fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// What of the OpenAPI document is needed to make calls.
pub struct Document {
    operations: BTreeMap<String, Operation>,
    shapes: Shapes,
}

struct Operation {
    verb: String,
    path: String,
}

impl Document {
    /// The document that a node serves.
    pub async fn of(keys: &Path, http_api: u16) -> (Document, Value) {
        let (status, text) = HttpClient::new(keys, http_api).request("GET", "/v1/openapi.json", "", None).await;
        assert_eq!(status, 200, "{text}");
        let mut operations = BTreeMap::new();
        let mut shapes = Shapes::new();
        for (path, verbs) in text["paths"].as_object().unwrap() {
            for (verb, operation) in verbs.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
                operations.insert(id, Operation { verb: verb.clone(), path: path.clone() });
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    shape(parameter["name"].as_str().unwrap(), &parameter["schema"], &mut shapes);
                }
            }
        }
        for schema in text["components"]["schemas"].as_object().unwrap().values() {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                let item = if property["type"] == "array" { &property["items"] } else { property };
                shape(name, item, &mut shapes);
            }
        }
        (Document { operations, shapes }, text)
    }
}

fn shape(name: &str, schema: &Value, shapes: &mut Shapes) {
    let kind = match (schema["pattern"].as_str(), schema["type"].as_str(), schema["$ref"].as_str()) {
        (Some(pattern), ..) if pattern.contains("0-9a-f") => Bytes::Hex,
        (_, Some("string"), _) => Bytes::Text,
        (_, None, None) => Bytes::Json,
        _ => return,
    };
    // Names of bytes have one shape everywhere; some are texts elsewhere, which are not looked up here.
    let known = shapes.entry(name.to_owned()).or_insert(kind);
    if *known == Bytes::Text {
        *known = kind;
    }
}

/// HTTP/1.1 over mutual TLS, one request a connection.
struct HttpClient {
    tls: TlsConnector,
    port: u16,
}

impl HttpClient {
    fn new(keys: &Path, port: u16) -> HttpClient {
        let read = |name: &str| std::fs::read(keys.join(name)).unwrap();
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&read("ca.pem")) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let chain = CertificateDer::pem_slice_iter(&read("client.pem")).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(&read("client.key")).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_client_auth_cert(chain, key).unwrap();
        HttpClient { tls: TlsConnector::from(Arc::new(config)), port }
    }

    async fn request(&self, verb: &str, path: &str, token: &str, body: Option<&str>) -> (u16, Value) {
        let exchange = async {
            let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
            let name = ServerName::try_from("127.0.0.1").unwrap();
            let mut stream = self.tls.connect(name, stream).await.unwrap();
            let mut head = format!("{verb} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n");
            if !token.is_empty() {
                head.push_str(&format!("authorization: Bearer {token}\r\n"));
            }
            if let Some(body) = body {
                head.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
            }
            let request = format!("{head}\r\n{}", body.unwrap_or_default());
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            // The end of the connection may come without TLS's own goodbye; the length of the body tells whether all is there.
            let _ = stream.read_to_end(&mut answer).await;
            String::from_utf8(answer).unwrap()
        };
        let answer = timeout(CALL_MAX, exchange).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{verb} {path}: {answer}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        assert_eq!(length, Some(body.len()), "{verb} {path}: {head}");
        (status, serde_json::from_str(body).unwrap_or_else(|_| json!(body)))
    }
}
