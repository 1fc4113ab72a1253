//! A session with a vCenter over HTTPS: SOAP, REST and storage policies with one login each. Source: vsphere §2.2, §2.7, §2.8.
//!
//! Whatever the server sends, an answer has a size, a time and a shape that it may not leave. A session that ended is opened again
//! once, and the call that met its end is repeated: a server that doesn't know who calls has not begun.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, SET_COOKIE};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tokio::sync::{OnceCell, RwLock};
use vmtwin_model::vsphere::{Fault, FaultName};

use crate::soap::{AnswerError, Call, Header, Reference, Service};
use crate::xml::{Element, Unspeakable};

/// The largest answer that is read.
const BODY_BYTES_MAX: usize = 64 << 20;

/// Where a vCenter is and how it is talked to.
#[derive(Clone)]
pub struct Endpoint {
    /// `https://vcenter.example`.
    pub address: String,
    /// The user.
    pub user: String,
    /// The password; it is never printed.
    pub password: String,
    /// The certificates, in PEM, of the authorities that are trusted; absent: the system's.
    pub authorities: Option<Vec<u8>>,
    /// How long an ordinary call may take.
    pub timeout: Duration,
    /// How long a deploy may take, whose call ends with it.
    pub deploy_timeout: Duration,
}

impl Endpoint {
    /// A vCenter with the usual patience.
    #[must_use]
    pub fn new(address: &str, user: &str, password: &str) -> Self {
        Self {
            address: address.trim_end_matches('/').to_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
            authorities: None,
            timeout: Duration::from_secs(60),
            deploy_timeout: Duration::from_secs(3600),
        }
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("address", &self.address).field("user", &self.user).finish_non_exhaustive()
    }
}

/// Why a call gave nothing back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// vSphere said no.
    #[error("{0}")]
    Fault(Fault),
    /// The server can't be reached, or doesn't prove who it is, or the connection broke.
    #[error("{0}")]
    Transport(String),
    /// The server took too long.
    #[error("no answer within {0:?}")]
    Slow(Duration),
    /// The answer is larger than any that is expected.
    #[error("the answer is larger than {BODY_BYTES_MAX} bytes")]
    Large,
    /// Something else than the service answered: a proxy, or a server that is starting.
    #[error("HTTP status {0}")]
    Status(StatusCode),
    /// The answer can't be understood.
    #[error("{0}")]
    Answer(#[from] AnswerError),
    /// The answer lacks something that it must have.
    #[error("the answer to {method} has no {what}")]
    Lacking {
        /// What was asked.
        method: &'static str,
        /// What is missing.
        what: &'static str,
    },
    /// The answer of a REST call is no JSON.
    #[error("the answer is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The request can't be written.
    #[error("{0}")]
    Unspeakable(#[from] Unspeakable),
    /// The configuration makes no connection.
    #[error("{0}")]
    Setup(String),
}

impl Error {
    /// The fault, if vSphere said no.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            _ => None,
        }
    }

    /// Whether vSphere said no with this fault or a sort of it.
    #[must_use]
    pub fn is_a(&self, name: &str) -> bool {
        self.fault().is_some_and(|fault| fault.name.is_a(name))
    }
}

/// The references of the managers, and which vCenter it is.
#[derive(Clone, Debug)]
pub struct Content(Element);

impl Content {
    /// A manager's reference, by its property of `ServiceContent`.
    ///
    /// # Errors
    /// If this vCenter has none.
    pub fn manager(&self, property: &'static str) -> Result<Reference, Error> {
        let found = self.0.child(property).and_then(Reference::of);
        found.ok_or(Error::Lacking { method: "RetrieveServiceContent", what: property })
    }

    /// `about.instanceUuid`.
    #[must_use]
    pub fn instance_uuid(&self) -> &str {
        self.0.text_at("about.instanceUuid").unwrap_or_default()
    }

    /// `about.apiVersion`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.0.text_at("about.apiVersion").unwrap_or_default()
    }
}

/// The sessions; every login makes another generation.
#[derive(Clone, Debug, Default)]
struct Session {
    generation: u64,
    cookie: String,
    rest: Option<String>,
}

struct Shared {
    endpoint: Endpoint,
    http: reqwest::Client,
    content: Content,
    session: RwLock<Session>,
    policies: OnceCell<Element>,
}

/// A session with a vCenter; clones share it.
#[derive(Clone)]
pub struct Connection(Arc<Shared>);

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connection").field(&self.0.endpoint).finish()
    }
}

impl Connection {
    /// Connects and logs in.
    ///
    /// # Errors
    /// If the server can't be reached, isn't trusted, is no vCenter, or doesn't let the user in.
    pub async fn open(endpoint: Endpoint) -> Result<Self, Error> {
        let http = client(&endpoint)?;
        let content = service_content(&http, &endpoint).await?;
        if content.0.text_at("about.apiType") != Some("VirtualCenter") {
            let found = content.0.text_at("about.apiType").unwrap_or("nothing");
            return Err(Error::Setup(format!("{} is no vCenter: about.apiType is {found}", endpoint.address)));
        }
        let shared = Shared { endpoint, http, content, session: RwLock::default(), policies: OnceCell::new() };
        let connection = Self(Arc::new(shared));
        connection.log_in(0).await?;
        Ok(connection)
    }

    /// What the vCenter told of itself.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.0.content
    }

    /// How it is talked to.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// Which login it is: objects that live in a session are gone when this changes.
    pub async fn generation(&self) -> u64 {
        self.0.session.read().await.generation
    }

    /// Ends the session.
    ///
    /// # Errors
    /// If the server doesn't take it.
    pub async fn close(&self) -> Result<(), Error> {
        let session = std::mem::take(&mut *self.0.session.write().await);
        if let Some(id) = &session.rest {
            let request = self.rest_request(&Method::DELETE, "/rest/com/vmware/cis/session", None).header("vmware-api-session-id", id);
            body(request, self.0.endpoint.timeout).await?;
        }
        let call = Call::vim(&self.content().manager("sessionManager")?, "Logout", Vec::new());
        self.send(&call, &session, "", self.0.endpoint.timeout).await.map(drop)
    }

    /// Calls a method and gives what it returned. `operation_id` is what vCenter's logs call it.
    ///
    /// # Errors
    /// If there is no answer, or it is a fault.
    pub async fn call(&self, call: &Call, operation_id: &str) -> Result<Vec<Element>, Error> {
        self.call_for(call, operation_id, self.0.endpoint.timeout).await
    }

    /// The same with another patience.
    ///
    /// # Errors
    /// If there is no answer, or it is a fault.
    pub async fn call_for(&self, call: &Call, operation_id: &str, patience: Duration) -> Result<Vec<Element>, Error> {
        let session = self.0.session.read().await.clone();
        match self.send(call, &session, operation_id, patience).await {
            Err(error) if error.is_a("NotAuthenticated") => {
                self.log_in(session.generation).await?;
                let session = self.0.session.read().await.clone();
                self.send(call, &session, operation_id, patience).await
            }
            other => other,
        }
    }

    /// Calls a method that returns one reference.
    ///
    /// # Errors
    /// If there is no answer, it is a fault, or it is no reference.
    pub async fn call_for_reference(&self, call: &Call, operation_id: &str) -> Result<Reference, Error> {
        let returned = self.call(call, operation_id).await?;
        returned.first().and_then(Reference::of).ok_or(Error::Lacking { method: call.method, what: "reference" })
    }

    async fn send(&self, call: &Call, session: &Session, operation_id: &str, patience: Duration) -> Result<Vec<Element>, Error> {
        let value = session.cookie.split_once('=').map(|(_, value)| value.trim_matches('"').to_owned());
        let header = Header { operation_id: operation_id.to_owned(), session: value.filter(|_| call.service == Service::Pbm) };
        let version = match call.service {
            Service::Vim => format!("{}/{}", call.service.namespace(), self.content().api_version()),
            Service::Pbm => call.service.namespace().to_owned(),
        };
        let request = soap_request(&self.0.http, &self.0.endpoint, call, &header, &version)?.header(COOKIE, &session.cookie);
        soap_answer(request, call, patience).await.map(|(returned, _)| returned)
    }

    /// Logs in, unless somebody else has since that generation.
    async fn log_in(&self, seen: u64) -> Result<(), Error> {
        let mut session = self.0.session.write().await;
        if session.generation != seen {
            return Ok(());
        }
        let endpoint = &self.0.endpoint;
        let arguments = vec![Element::text("userName", endpoint.user.as_str()), Element::text("password", endpoint.password.as_str())];
        let call = Call::vim(&self.content().manager("sessionManager")?, "Login", arguments);
        let request = soap_request(&self.0.http, endpoint, &call, &Header::default(), call.service.namespace())?;
        let (_, cookie) = soap_answer(request, &call, endpoint.timeout).await?;
        let cookie = cookie.ok_or(Error::Lacking { method: "Login", what: "session cookie" })?;
        *session = Session { generation: seen + 1, cookie, rest: None };
        Ok(())
    }

    /// Asks a REST service, and gives the JSON of its answer (`/rest` wraps it in `value`, which is taken off).
    ///
    /// # Errors
    /// If there is no answer, or it is an error.
    pub async fn rest(&self, method: Method, path: &str, body: Option<&Value>, patience: Duration) -> Result<Value, Error> {
        let mut id = self.rest_session(None).await?;
        for attempt in 0.. {
            let request = self.rest_request(&method, path, body).header("vmware-api-session-id", &id);
            match rest_answer(request, patience).await {
                Err(error) if error.is_a("NotAuthenticated") && attempt == 0 => id = self.rest_session(Some(&id)).await?,
                other => return other,
            }
        }
        unreachable!("the second attempt returns")
    }

    fn rest_request(&self, method: &Method, path: &str, body: Option<&Value>) -> RequestBuilder {
        let request = self.0.http.request(method.clone(), format!("{}{path}", self.0.endpoint.address));
        match body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.to_string()),
            None => request,
        }
    }

    /// The REST session's id; another than `stale`, if that one ended.
    async fn rest_session(&self, stale: Option<&str>) -> Result<String, Error> {
        let mut session = self.0.session.write().await;
        if let Some(id) = session.rest.as_ref().filter(|id| Some(id.as_str()) != stale) {
            return Ok(id.clone());
        }
        let endpoint = &self.0.endpoint;
        let secret = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", endpoint.user, endpoint.password));
        let request =
            self.rest_request(&Method::POST, "/rest/com/vmware/cis/session", None).header(AUTHORIZATION, format!("Basic {secret}"));
        let answer = rest_answer(request, endpoint.timeout).await?;
        let id = answer.as_str().ok_or(Error::Lacking { method: "the REST login", what: "session id" })?.to_owned();
        session.rest = Some(id.clone());
        Ok(id)
    }

    /// A manager of the storage policy service, by its property of `PbmServiceInstanceContent`.
    ///
    /// # Errors
    /// If the service doesn't answer or has none.
    pub async fn policy_manager(&self, property: &'static str) -> Result<Reference, Error> {
        let content = self.0.policies.get_or_try_init(|| async {
            let instance = Reference::new("PbmServiceInstance", "ServiceInstance");
            let returned = self.call(&Call::pbm(&instance, "PbmRetrieveServiceContent", Vec::new()), "").await?;
            returned.into_iter().next().ok_or(Error::Lacking { method: "PbmRetrieveServiceContent", what: "content" })
        });
        let manager = content.await?.child(property).and_then(Reference::of);
        manager.ok_or(Error::Lacking { method: "PbmRetrieveServiceContent", what: property })
    }
}

fn client(endpoint: &Endpoint) -> Result<reqwest::Client, Error> {
    // One provider serves the process; whoever comes second finds it there.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).connect_timeout(endpoint.timeout);
    if let Some(pem) = &endpoint.authorities {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| Error::Setup(chain(&error)))?;
        if certificates.is_empty() {
            return Err(Error::Setup("the file of trusted certificates holds no certificate in PEM".into()));
        }
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(|error| Error::Setup(chain(&error)))
}

async fn service_content(http: &reqwest::Client, endpoint: &Endpoint) -> Result<Content, Error> {
    let call = Call::vim(&Reference::new("ServiceInstance", "ServiceInstance"), "RetrieveServiceContent", Vec::new());
    let request = soap_request(http, endpoint, &call, &Header::default(), call.service.namespace())?;
    let (returned, _) = soap_answer(request, &call, endpoint.timeout).await?;
    let content = returned.into_iter().next().ok_or(Error::Lacking { method: call.method, what: "content" })?;
    Ok(Content(content))
}

fn soap_request(http: &reqwest::Client, endpoint: &Endpoint, call: &Call, header: &Header, version: &str) -> Result<RequestBuilder, Error> {
    let request = http
        .post(format!("{}{}", endpoint.address, call.service.path()))
        .header(CONTENT_TYPE, "text/xml; charset=\"utf-8\"")
        .header("SOAPAction", format!("\"{version}\""));
    Ok(request.body(call.envelope(header)?))
}

/// What a SOAP call returned, and the session cookie that came with it.
async fn soap_answer(request: RequestBuilder, call: &Call, patience: Duration) -> Result<(Vec<Element>, Option<String>), Error> {
    let (status, cookie, bytes) = body(request, patience).await?;
    // A fault is an answer with status 500; other errors are of somebody before the service.
    if status != StatusCode::OK && status != StatusCode::INTERNAL_SERVER_ERROR {
        return Err(Error::Status(status));
    }
    let returned = call.answer(&bytes)?.map_err(Error::Fault)?;
    Ok((returned, cookie))
}

async fn rest_answer(request: RequestBuilder, patience: Duration) -> Result<Value, Error> {
    let (status, _, bytes) = body(request, patience).await?;
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes);
    if status.is_success() {
        let answer = if bytes.is_empty() { Value::Null } else { json(&bytes)? };
        return Ok(match answer {
            Value::Object(mut object) if object.len() == 1 && object.contains_key("value") => object.remove("value").unwrap_or_default(),
            other => other,
        });
    }
    let name = match status {
        StatusCode::UNAUTHORIZED => FaultName::NotAuthenticated,
        StatusCode::FORBIDDEN => FaultName::NoPermission,
        StatusCode::NOT_FOUND => FaultName::ManagedObjectNotFound,
        StatusCode::BAD_REQUEST => FaultName::InvalidArgument,
        StatusCode::INTERNAL_SERVER_ERROR => FaultName::SystemError,
        other => return Err(Error::Status(other)),
    };
    let text = json(&bytes).ok().and_then(|error| message(&error)).unwrap_or_else(|| format!("HTTP status {status}"));
    Err(Error::Fault(Fault::new(name, text)))
}

/// The first message of a vAPI error, else its type.
pub(crate) fn message(error: &Value) -> Option<String> {
    let value = error.get("value").unwrap_or(error);
    let text = value.pointer("/messages/0/default_message").or_else(|| error.get("type"))?;
    text.as_str().map(str::to_owned)
}

/// Sends, and reads the answer as far as it may go.
async fn body(request: RequestBuilder, patience: Duration) -> Result<(StatusCode, Option<String>, Vec<u8>), Error> {
    let transport = |error: reqwest::Error| Error::Transport(chain(&error));
    let read = async {
        let mut response = request.send().await.map_err(transport)?;
        let (status, cookie) = (response.status(), session_cookie(&response));
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if bytes.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(Error::Large);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok((status, cookie, bytes))
    };
    tokio::time::timeout(patience, read).await.unwrap_or(Err(Error::Slow(patience)))
}

fn session_cookie(response: &reqwest::Response) -> Option<String> {
    let cookies = response.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.filter_map(|cookie| cookie.split(';').next());
    pairs.map(str::trim).find(|pair| pair.starts_with("vmware_soap_session=")).map(str::to_owned)
}

/// An error with all that lies behind it: what TLS found wrong stands at the end of the chain.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// What a server does with a call that is neither the greeting nor the login.
    #[derive(Clone)]
    enum Manners {
        /// It answers with this status and body.
        Says(&'static str, String),
        /// It says nothing, and keeps the connection.
        Hangs,
        /// It begins an answer, and goes away.
        BreaksOff,
        /// It never stops answering.
        Floods,
    }

    const CONTENT: &str = "<returnval><sessionManager type=\"SessionManager\">SessionManager</sessionManager><about><apiType>VirtualCenter</apiType>\
        <apiVersion>8.0.3.0</apiVersion><instanceUuid>u</instanceUuid></about></returnval>";

    fn envelope(method: &str, content: &str) -> String {
        format!("<e:Envelope xmlns:e=\"s\"><e:Body><{method}Response>{content}</{method}Response></e:Body></e:Envelope>")
    }

    fn fault(name: &str) -> String {
        format!(
            "<e:Envelope xmlns:e=\"s\" xmlns:x=\"i\"><e:Body><e:Fault><faultstring>no</faultstring><detail><f x:type=\"{name}\"/></detail></e:Fault></e:Body></e:Envelope>"
        )
    }

    /// A server of these manners; its address.
    async fn server(manners: Manners) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, manners.clone()));
            }
        });
        Endpoint { timeout: Duration::from_millis(500), ..Endpoint::new(&address, "user", "secret") }
    }

    async fn serve(mut stream: TcpStream, manners: Manners) {
        while let Some(request) = request(&mut stream).await {
            let (status, body) = if request.contains("<RetrieveServiceContent ") {
                ("200 OK", envelope("RetrieveServiceContent", CONTENT))
            } else if request.contains("<Login ") {
                ("200 OK", envelope("Login", "<returnval/>"))
            } else {
                match &manners {
                    Manners::Says(status, body) => (*status, body.clone()),
                    Manners::Hangs => return std::future::pending().await,
                    Manners::BreaksOff => {
                        drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<e:Envelope>").await);
                        return;
                    }
                    Manners::Floods => {
                        drop(stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await);
                        let chunk = [format!("{:x}\r\n", 1 << 20).as_bytes(), &vec![b'a'; 1 << 20], b"\r\n"].concat();
                        while stream.write_all(&chunk).await.is_ok() {}
                        return;
                    }
                }
            };
            let cookie = "Set-Cookie: vmware_soap_session=\"abc\"; Path=/; HttpOnly";
            let answer = format!("HTTP/1.1 {status}\r\n{cookie}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    /// One request with its body; nothing when the client is gone.
    async fn request(stream: &mut TcpStream) -> Option<String> {
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length =
                    head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok());
                if body.len() >= length.unwrap_or_default() {
                    return Some(text);
                }
            }
            let mut buffer = [0; 4096];
            match stream.read(&mut buffer).await {
                Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
                _ => return None,
            }
        }
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test);
    }

    async fn told(manners: Manners) -> Error {
        let connection = Connection::open(server(manners).await).await.expect("the greeting goes well");
        let call = Call::vim(&Reference::new("ServiceInstance", "ServiceInstance"), "CurrentTime", Vec::new());
        tokio::time::timeout(Duration::from_secs(30), connection.call(&call, "")).await.expect("nothing hangs").expect_err("no good answer")
    }

    #[test]
    fn a_server_of_bad_manners_is_an_error_and_never_a_hang() {
        run(async {
            let says = |status, body: &str| Manners::Says(status, body.to_owned());
            assert!(matches!(told(Manners::Hangs).await, Error::Slow(_)));
            assert!(matches!(told(Manners::BreaksOff).await, Error::Transport(_)));
            assert!(matches!(told(Manners::Floods).await, Error::Large | Error::Slow(_)));
            assert!(matches!(told(says("503 Service Unavailable", "<html/>")).await, Error::Status(status) if status == 503));
            assert!(matches!(told(says("302 Found", "")).await, Error::Status(status) if status == 302));
            assert!(matches!(told(says("200 OK", "<html>")).await, Error::Answer(AnswerError::Xml(_))));
            assert!(matches!(told(says("200 OK", &"<a>".repeat(100_000))).await, Error::Answer(AnswerError::Xml(_))));
            assert!(matches!(told(says("200 OK", &envelope("Other", ""))).await, Error::Answer(AnswerError::Shape { .. })));
        });
    }

    #[test]
    fn a_fault_that_stays_after_a_new_login_is_the_answer() {
        run(async {
            let error = told(Manners::Says("500 Internal Server Error", fault("NotAuthenticated"))).await;
            assert!(error.is_a("NoPermission"), "{error}");
            assert_eq!(told(Manners::Says("500 Internal Server Error", fault("SystemError"))).await.to_string(), "SystemError: no");
        });
    }

    #[test]
    fn a_rest_service_says_no_by_its_status() {
        run(async {
            let body = r#"{"type":"com.vmware.vapi.std.errors.not_found","value":{"messages":[{"default_message":"no such item"}]}}"#;
            for (status, answer, told) in [
                ("404 Not Found", body, "ManagedObjectNotFound: no such item"),
                ("401 Unauthorized", "", "NotAuthenticated: HTTP status 401 Unauthorized"),
                ("503 Service Unavailable", "", "HTTP status 503 Service Unavailable"),
                ("200 OK", "<html>", "the answer is no JSON"),
                ("200 OK", "{\"value\":7}", "the answer to the REST login has no session id"),
            ] {
                let endpoint = server(Manners::Says(status, answer.to_owned())).await;
                let connection = Connection::open(endpoint).await.expect("the greeting goes well");
                let error = connection.rest(Method::GET, "/rest/x", None, Duration::from_secs(5)).await.expect_err(told).to_string();
                assert!(error.starts_with(told), "{error}");
            }
        });
    }

    #[test]
    fn who_is_no_vcenter_or_not_there_is_told_at_once() {
        run(async {
            let gone = Endpoint { timeout: Duration::from_millis(500), ..Endpoint::new("http://127.0.0.1:1", "user", "secret") };
            assert!(matches!(Connection::open(gone).await.expect_err("nobody is there"), Error::Transport(_)));
            let odd = Connection::open(Endpoint::new("no address", "user", "secret")).await.expect_err("no address");
            assert!(matches!(odd, Error::Transport(_)), "{odd}");
        });
    }

    #[test]
    fn a_password_is_never_printed() {
        let endpoint = Endpoint::new("https://vc", "user", "secret");
        assert!(!format!("{endpoint:?}").contains("secret"));
    }
}
