//! This file's job is to reach the server: its address, the credential, and a client for each service.

use crate::error::Error;
use crate::progress::Progress;
use crate::settings::Settings;
use proto::v1::account_service_client::AccountServiceClient;
use proto::v1::api_key_service_client::ApiKeyServiceClient;
use proto::v1::app_service_client::AppServiceClient;
use proto::v1::app_transfer_service_client::AppTransferServiceClient;
use proto::v1::audit_service_client::AuditServiceClient;
use proto::v1::binary_service_client::BinaryServiceClient;
use proto::v1::bundle_service_client::BundleServiceClient;
use proto::v1::channel_service_client::ChannelServiceClient;
use proto::v1::credential_service_client::CredentialServiceClient;
use proto::v1::deployment_key_service_client::DeploymentKeyServiceClient;
use proto::v1::device_service_client::DeviceServiceClient;
use proto::v1::operator_service_client::OperatorServiceClient;
use proto::v1::person_service_client::PersonServiceClient;
use proto::v1::queue_service_client::QueueServiceClient;
use proto::v1::release_service_client::ReleaseServiceClient;
use proto::v1::sign_in_service_client::SignInServiceClient;
use proto::v1::trusted_publisher_service_client::TrustedPublisherServiceClient;
use proto::v1::upload_service_client::UploadServiceClient;
use proto::v1::watch_service_client::WatchServiceClient;
use proto::v1::webhook_service_client::WebhookServiceClient;
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

/// A server on another continent answers a TCP and TLS handshake well within this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than any call that is no transfer takes, also on a loaded server.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Finds out that the other side is gone while a transfer stalls.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// How long the answer to a keep-alive may take.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// A channel that sends the credential with every call.
pub type Wire = InterceptedService<Channel, Credential>;

/// Adds the credential, and a deadline unless the call is a transfer.
#[derive(Clone)]
pub struct Credential {
    header: Option<MetadataValue<Ascii>>,
    timeout: Option<Duration>,
}

impl Interceptor for Credential {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
        if let Some(header) = &self.header {
            request.metadata_mut().insert("authorization", header.clone());
        }
        if let Some(timeout) = self.timeout {
            request.set_timeout(timeout);
        }
        Ok(request)
    }
}

/// A server with the credential to use there. Connects with the first call.
#[derive(Clone)]
pub struct Connection {
    server: String,
    header: Option<MetadataValue<Ascii>>,
    channel: Channel,
    /// Shows how far long steps are.
    pub progress: Progress,
}

impl Connection {
    /// Prepares the way to a server; nothing is sent yet.
    pub fn new(server: &str, credential: Option<&str>, progress: Progress) -> Result<Self, Error> {
        let header = credential.map(header).transpose()?;
        Ok(Self { server: server.to_owned(), header, channel: endpoint(server)?.connect_lazy(), progress })
    }

    /// Takes server and key from the flags or the environment, else from the settings.
    pub fn from_settings(
        server: Option<&str>,
        api_key: Option<&str>,
        settings: &Settings,
        progress: Progress,
    ) -> Result<Self, Error> {
        let credential = api_key.or(settings.credential()).ok_or(Error::NotLoggedIn)?;
        let server = server.or(settings.server.as_deref()).unwrap_or(crate::settings::DEFAULT_SERVER);
        Self::new(server, Some(credential), progress)
    }

    /// Returns the server's URL.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Names the server when it could not be reached; other refusals stay as they are.
    pub fn explain(&self, status: tonic::Status) -> Error {
        // Only a status that this side made has a source.
        let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(&status);
        let connecting = status.code() == tonic::Code::Unavailable && cause.is_some();
        if !connecting {
            return status.into();
        }
        let mut text = status.message().to_owned();
        while let Some(error) = cause {
            text = error.to_string();
            cause = error.source();
        }
        Error::Unreachable { server: self.server.clone(), cause: text }
    }

    /// Unwraps the answer to a call.
    pub fn answer<T>(&self, result: Result<tonic::Response<T>, tonic::Status>) -> Result<T, Error> {
        result.map(tonic::Response::into_inner).map_err(|status| self.explain(status))
    }

    fn wire(&self, timeout: Option<Duration>) -> Wire {
        InterceptedService::new(self.channel.clone(), Credential { header: self.header.clone(), timeout })
    }

    /// Returns a client.
    #[must_use]
    pub fn account(&self) -> AccountServiceClient<Wire> {
        AccountServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client.
    #[must_use]
    pub fn sign_in(&self) -> SignInServiceClient<Wire> {
        SignInServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client.
    #[must_use]
    pub fn person(&self) -> PersonServiceClient<Wire> {
        PersonServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client.
    #[must_use]
    pub fn transfers_of_apps(&self) -> AppTransferServiceClient<Wire> {
        AppTransferServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client.
    #[must_use]
    pub fn publishers(&self) -> TrustedPublisherServiceClient<Wire> {
        TrustedPublisherServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client.
    #[must_use]
    pub fn credentials(&self) -> CredentialServiceClient<Wire> {
        CredentialServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client.
    #[must_use]
    pub fn webhooks(&self) -> WebhookServiceClient<Wire> {
        WebhookServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client.
    #[must_use]
    pub fn apps(&self) -> AppServiceClient<Wire> {
        AppServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client.
    #[must_use]
    pub fn binaries(&self) -> BinaryServiceClient<Wire> {
        BinaryServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client.
    #[must_use]
    pub fn bundles(&self) -> BundleServiceClient<Wire> {
        BundleServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client.
    #[must_use]
    pub fn channels(&self) -> ChannelServiceClient<Wire> {
        ChannelServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client.
    #[must_use]
    pub fn deployment_keys(&self) -> DeploymentKeyServiceClient<Wire> {
        DeploymentKeyServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client.
    #[must_use]
    pub fn devices(&self) -> DeviceServiceClient<Wire> {
        DeviceServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client.
    #[must_use]
    pub fn releases(&self) -> ReleaseServiceClient<Wire> {
        ReleaseServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client.
    #[must_use]
    pub fn uploads(&self) -> UploadServiceClient<Wire> {
        UploadServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client.
    #[must_use]
    pub fn keys(&self) -> ApiKeyServiceClient<Wire> {
        ApiKeyServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client.
    #[must_use]
    pub fn audit(&self) -> AuditServiceClient<Wire> {
        AuditServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client whose calls may take as long as a source map needs.
    #[must_use]
    pub fn source_maps(&self) -> BundleServiceClient<Wire> {
        BundleServiceClient::new(self.wire(None))
    }

    /// Returns a client whose calls may take as long as the log is.
    #[must_use]
    pub fn audit_export(&self) -> AuditServiceClient<Wire> {
        AuditServiceClient::new(self.wire(None))
    }

    /// Returns a client.
    #[must_use]
    pub fn operator(&self) -> OperatorServiceClient<Wire> {
        OperatorServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client.
    #[must_use]
    pub fn queue(&self) -> QueueServiceClient<Wire> {
        QueueServiceClient::new(self.wire(Some(CALL_TIMEOUT)))
    }

    /// Returns a client whose streams last as long as anybody watches.
    #[must_use]
    pub fn watches(&self) -> WatchServiceClient<Wire> {
        WatchServiceClient::new(self.wire(None))
    }

    /// Returns a client whose calls may take as long as the bytes need.
    #[must_use]
    pub fn transfers(&self) -> UploadServiceClient<Wire> {
        UploadServiceClient::new(self.wire(None))
    }
}

/// Makes an id that lets the server recognise a repeated call.
#[must_use]
pub fn request_id() -> String {
    hex::encode(runtime::random::bytes::<16>())
}

fn header(credential: &str) -> Result<MetadataValue<Ascii>, Error> {
    let header = format!("Bearer {}", credential.trim()).parse();
    let mut header: MetadataValue<Ascii> =
        header.map_err(|_| Error::Usage("the API key has characters that no key has".to_owned()))?;
    header.set_sensitive(true);
    Ok(header)
}

fn endpoint(server: &str) -> Result<Endpoint, Error> {
    let refuse = |why: &str| Error::Usage(format!("{server:?} is no server address: {why}"));
    let secure = server.starts_with("https://");
    if !secure && !server.starts_with("http://") {
        return Err(refuse("it must begin with https:// or http://"));
    }
    let endpoint = Endpoint::from_shared(server.to_owned()).map_err(|error| refuse(&error.to_string()))?;
    let endpoint = endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    if secure {
        let roots = ClientTlsConfig::new().with_webpki_roots();
        return endpoint.tls_config(roots).map_err(|error| refuse(&error.to_string()));
    }
    Ok(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_without_a_scheme_are_refused_with_the_rule() {
        for server in ["localhost:8070", "ftp://x", ""] {
            let error = endpoint(server).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains("https://"), "{error}");
        }
    }

    #[tokio::test]
    async fn flags_win_over_stored_settings() {
        let settings =
            Settings { server: Some("http://stored:1".into()), api_key: Some("stored".into()), session: None };
        let connection =
            Connection::from_settings(Some("http://given:2"), None, &settings, Progress::new(true)).unwrap();
        assert_eq!(connection.server(), "http://given:2");
        let connection = Connection::from_settings(None, Some("given"), &settings, Progress::new(true)).unwrap();
        assert_eq!(connection.server(), "http://stored:1");
        let nothing = Connection::from_settings(None, None, &Settings::default(), Progress::new(true));
        assert!(matches!(nothing.map(|_| ()), Err(Error::NotLoggedIn)));
    }

    #[tokio::test]
    async fn a_closed_port_is_reported_as_unreachable() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let connection = Connection::new(&server, Some("key"), Progress::new(true)).unwrap();
        let status = connection.account().get_caller(proto::v1::GetCallerRequest {}).await.unwrap_err();
        assert!(matches!(connection.explain(status), Error::Unreachable { .. }));
    }
}
