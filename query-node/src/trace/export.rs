//! Sends finished steps to a collector with OpenTelemetry's SDK: OTLP over HTTP as protobuf, over TLS where the endpoint is
//! `https`.
//!
//! [`Step`](super::Step) alone decides what may be told: each finished step becomes one span, and the SDK collects nothing
//! by itself. It batches spans on a thread of its own, sends a batch again after a pause where that can help, and loses spans
//! rather than hold up what they tell of. A collector that is away costs the node a warning and the spans, never a question.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::resource::{EnvResourceDetector, ResourceBuilder};
use opentelemetry_sdk::trace::{BatchSpanProcessor, SpanData, SpanExporter, SpanProcessor};
use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;

/// Longest time for one request, and for what is sent again after it.
const PATIENCE: Duration = Duration::from_secs(5);

/// File of the CAs that may vouch for the collector, as OpenTelemetry names it; the machine's CAs if it is not set.
const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";

/// Processor of this process's spans: it has one, whatever runs in it.
static PROCESSOR: OnceLock<BatchSpanProcessor> = OnceLock::new();

/// Hands a span over, if there is a collector. A full queue loses it.
pub(super) fn send(span: impl FnOnce() -> SpanData) {
    if let Some(processor) = PROCESSOR.get() {
        processor.on_end(span());
    }
}

/// Returns the name and version that every span carries.
pub(super) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("query-node").with_version(env!("CARGO_PKG_VERSION")).build()
}

/// Error of a text that is no endpoint of a collector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "traces cannot be sent to {0}: the endpoint is http://HOST:PORT or https://HOST:PORT of a collector for OTLP over HTTP"
)]
pub struct EndpointError(String);

/// Reason why traces cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum ExporterError {
    /// The file of CAs cannot be read, or holds none.
    #[error("the certificates in {}, which {CERTIFICATE} names: {source}", .path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// The fault in it.
        source: pem::Error,
    },
    /// A certificate in it is no CA's.
    #[error("the TLS settings of the connection to the collector: {0}")]
    Tls(#[from] rustls::Error),
    /// The machine's CAs cannot be read.
    #[error("the machine's certificate authorities: {0}")]
    Machine(io::Error),
    /// A variable of OpenTelemetry has a value that cannot be used.
    #[error(transparent)]
    Settings(#[from] ExporterBuildError),
}

/// Collector that traces go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exporter {
    scheme: String,
    authority: String,
    path: String,
}

impl std::str::FromStr for Exporter {
    type Err = EndpointError;

    fn from_str(endpoint: &str) -> Result<Self, Self::Err> {
        let wrong = || EndpointError(endpoint.to_owned());
        let uri: Uri = endpoint.parse().map_err(|_| wrong())?;
        let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme)).ok_or_else(wrong)?;
        let authority = uri.authority().ok_or_else(wrong)?;
        if uri.query().is_some() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        let port = authority.port_u16().unwrap_or(4318);
        Ok(Self {
            scheme: scheme.to_owned(),
            authority: format!("{}:{port}", authority.host()),
            path: format!("{}/v1/traces", uri.path().trim_end_matches('/')),
        })
    }
}

impl Exporter {
    /// Sends this process's spans there from now on. Must be called within a runtime; a second call changes nothing.
    ///
    /// # Errors
    /// The variables of OpenTelemetry cannot be used.
    pub fn start(&self) -> Result<(), ExporterError> {
        let mut processor = BatchSpanProcessor::builder(self.exporter(std::env::var_os(CERTIFICATE))?).build();
        processor.set_resource(&resource());
        // The first of two stays, and the second is dropped with its thread.
        let _ = PROCESSOR.set(processor);
        Ok(())
    }

    fn exporter(&self, certificates: Option<std::ffi::OsString>) -> Result<Reporting, ExporterError> {
        let https = HttpsConnectorBuilder::new();
        let connector = match certificates.filter(|path| !path.is_empty()) {
            Some(path) => https.with_tls_config(trusting(&authorities(path.into())?)?),
            None if self.scheme == "https" => {
                https.with_provider_and_native_roots(provider()).map_err(ExporterError::Machine)?
            }
            None => https.with_tls_config(trusting(&[])?),
        };
        let connector = connector.https_or_http().enable_http1().build();
        let failure = Arc::new(Mutex::new(None));
        let client = OnRuntime {
            client: HyperClient::new(connector, PATIENCE, None),
            runtime: Handle::current(),
            failure: Arc::clone(&failure),
        };
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}://{}{}", self.scheme, self.authority, self.path))
            .with_timeout(PATIENCE)
            .build()?;
        Ok(Reporting { exporter, collector: self.authority.clone(), failure, failing: AtomicBool::new(false) })
    }

    /// Sends what is left, but not for ever. Spans that end later are lost.
    pub async fn shutdown() {
        let ended = tokio::task::spawn_blocking(|| PROCESSOR.get().map(|p| p.shutdown_with_timeout(PATIENCE)));
        if let Ok(Some(Err(error))) = ended.await {
            tracing::debug!(%error, "the last traces are lost");
        }
    }
}

/// Returns the resource that the spans are of: `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`, where they are set.
fn resource() -> Resource {
    let named = std::env::var("OTEL_SERVICE_NAME").ok().filter(|name| !name.is_empty());
    let resource = Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", "query-node"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ])
        .with_detector(Box::new(EnvResourceDetector::new()));
    named.into_iter().fold(resource, ResourceBuilder::with_service_name).build()
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Reads the CAs in a PEM file.
fn authorities(path: PathBuf) -> Result<Vec<CertificateDer<'static>>, ExporterError> {
    let read = || {
        let text = wanqu_file::read(&path, wanqu_file::SMALL).map_err(pem::Error::Io)?;
        let found: Vec<_> = CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>()?;
        if found.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(found) }
    };
    read().map_err(|source| ExporterError::Certificates { path, source })
}

/// Returns the client's side of TLS that trusts these CAs and no others.
fn trusting(authorities: &[CertificateDer<'static>]) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone())?;
    }
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// HTTP client that sends on the node's runtime, whatever thread asks for it: the SDK's has none.
#[derive(Debug)]
struct OnRuntime {
    client: HyperClient<HttpsConnector<HttpConnector>>,
    runtime: Handle,
    /// Cause of the last failure, which the SDK does not pass on.
    failure: Arc<Mutex<Option<String>>>,
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move { client.send_bytes(request).await });
        let answer = sent.await.map_err(HttpError::from).and_then(|answer| answer);
        *self.failure.lock() = answer.as_ref().err().map(|error| causes(error.as_ref()));
        answer
    }
}

/// Returns an error with everything that caused it.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Exporter that logs once when the collector goes away, and once when it is back.
#[derive(Debug)]
struct Reporting {
    exporter: opentelemetry_otlp::SpanExporter,
    collector: String,
    failure: Arc<Mutex<Option<String>>>,
    failing: AtomicBool,
}

impl SpanExporter for Reporting {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let outcome = self.exporter.export(batch).await;
        let failed_before = self.failing.swap(outcome.is_err(), Ordering::SeqCst);
        let collector = &self.collector;
        match &outcome {
            Err(error) if !failed_before => {
                let cause = self.failure.lock().take();
                tracing::warn!(%error, cause, collector, "traces cannot be sent; they are lost until they can be");
            }
            Ok(()) if failed_before => tracing::info!(collector, "traces are sent again"),
            _ => {}
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_http_or_https() {
        let exporter = |text: &str| text.parse::<Exporter>();
        let at = |scheme: &str, authority: &str, path: &str| Exporter {
            scheme: scheme.to_owned(),
            authority: authority.to_owned(),
            path: path.to_owned(),
        };
        assert_eq!(exporter("http://collector:4318").unwrap(), at("http", "collector:4318", "/v1/traces"));
        assert_eq!(exporter("http://[::1]:1/otlp/").unwrap(), at("http", "[::1]:1", "/otlp/v1/traces"));
        assert_eq!(exporter("https://collector").unwrap(), at("https", "collector:4318", "/v1/traces"));
        for wrong in ["", "collector:4318", "http://a:b@c", "http://c?x", "grpc://c"] {
            assert!(exporter(wrong).unwrap_err().to_string().contains("http://HOST:PORT"), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_file_that_holds_no_certificate_is_named() {
        let exporter: Exporter = "https://collector".parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        for text in [None, Some("")] {
            if let Some(text) = text {
                std::fs::write(&path, text).unwrap();
            }
            let error = exporter.exporter(Some(path.clone().into())).unwrap_err().to_string();
            assert!(error.contains("ca.pem") && error.contains(CERTIFICATE), "{error}");
        }
    }
}
