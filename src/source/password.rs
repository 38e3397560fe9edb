//! Whether the password that librdkafka was given is still the one that is configured.

use secrecy::{ExposeSecret, SecretString};

use super::SourceError;
use crate::config::{Secret, Source};

/// Kafka's password, if there is one: where it is kept, and what it was at the start.
pub(super) struct Password(Option<(Secret, SecretString)>);

impl Password {
    /// # Errors
    /// [`SourceError::Secret`] when it cannot be read.
    pub(super) fn of(source: &Source) -> Result<Self, SourceError> {
        let secret = source.security.as_ref().and_then(|it| it.password.clone());
        let read = secret.map(|it| it.read().map(|text| (it, text)));
        let read = read.transpose();
        read.map(Self)
            .map_err(|error| SourceError::Secret(error.to_string()))
    }

    /// Whether there is another one by now. One that cannot be read just now is none.
    pub(super) fn has_changed(&self) -> bool {
        let Some((secret, used)) = &self.0 else {
            return false;
        };
        let now = secret.read();
        now.is_ok_and(|now| now.expose_secret() != used.expose_secret())
    }
}
