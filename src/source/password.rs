//! Whether the password that librdkafka was given is still the one that is configured.

use rdkafka::config::ClientConfig;
use secrecy::{ExposeSecret, SecretString};

use super::SourceError;
use crate::config::{Secret, Source};

/// Kafka's password, if there is one: where it is kept, and what a client was given.
pub(super) struct Password(Option<(Secret, SecretString)>);

impl Password {
    /// The password in a client's settings.
    pub(super) fn of(source: &Source, settings: &ClientConfig) -> Self {
        let secret = source.security.as_ref().and_then(|it| it.password.clone());
        let given = settings.get("sasl.password").map(SecretString::from);
        Self(secret.zip(given))
    }

    /// Whether there is another one by now. One that cannot be read just now is none.
    pub(super) fn has_changed(&self) -> bool {
        let Some((secret, used)) = &self.0 else {
            return false;
        };
        let now = secret.read();
        now.is_ok_and(|now| now.expose_secret() != used.expose_secret())
    }

    /// Asked where a broker refuses us or does not answer, which an old password may be why.
    ///
    /// # Errors
    /// [`SourceError::Rotated`] when there is another one by now.
    pub(super) fn check(&self) -> Result<(), SourceError> {
        match self.has_changed() {
            true => Err(SourceError::Rotated),
            false => Ok(()),
        }
    }
}
