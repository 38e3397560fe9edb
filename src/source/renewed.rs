//! A client that is made when it is first needed, and anew when it fails after its password has
//! changed: librdkafka cannot be told another one, and a broker closes a connection that rests.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::config::ClientConfig;

use super::SourceError;
use super::password::Password;
use crate::config::Source;

/// A client of Kafka, `C`, beside the group's own.
pub struct Renewed<C> {
    source: Arc<Source>,
    settings: fn(&Source) -> Result<ClientConfig, SourceError>,
    made: Mutex<Option<(C, Password)>>,
}

impl<C: Clone> Renewed<C> {
    /// A client with these settings; not made yet.
    #[must_use]
    pub fn new(
        source: Arc<Source>,
        settings: fn(&Source) -> Result<ClientConfig, SourceError>,
    ) -> Self {
        Self {
            source,
            settings,
            made: Mutex::default(),
        }
    }

    /// The client; if there is none, `make` makes one with the password as it is now.
    ///
    /// # Errors
    /// When the password cannot be read, or those of `make`.
    pub fn get(
        &self,
        make: impl FnOnce(ClientConfig) -> Result<C, SourceError>,
    ) -> Result<C, SourceError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((client, _)) = &*made {
            return Ok(client.clone());
        }
        let settings = (self.settings)(&self.source)?;
        let password = Password::of(&self.source, &settings);
        let client = make(settings)?;
        *made = Some((client.clone(), password));
        Ok(client)
    }

    /// The client is of no use any more: the next one is another.
    pub fn gone(&self) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.take();
    }

    /// The client has failed: the next one is another if the password is.
    pub fn failed(&self) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        // One that was made meanwhile has the password as it is.
        made.take_if(|(_, password)| password.has_changed());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{Groups, Protocol, Secret, Security};
    use crate::source::settings;

    #[test]
    fn a_client_that_fails_is_made_anew_once_its_password_has_changed_and_only_then() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "first").unwrap();
        let source = Source {
            brokers: vec!["localhost:9092".to_owned()],
            group: "shop".to_owned(),
            groups: Groups::Shared,
            protocol: Protocol::Classic,
            security: Some(Security {
                protocol: "sasl_plaintext".to_owned(),
                mechanism: Some("plain".to_owned()),
                username: Some("shop".to_owned()),
                password: Some(Secret::File(file.clone())),
                ca: None,
            }),
            properties: BTreeMap::new(),
        };
        let renewed = Renewed::new(Arc::new(source), settings::client);
        let password = || {
            let made = renewed.get(|settings| Ok(settings.get("sasl.password").map(str::to_owned)));
            made.unwrap().unwrap()
        };
        assert_eq!(password(), "first");
        std::fs::write(&file, "second").unwrap();
        assert_eq!(password(), "first", "a connection that stands goes on");
        renewed.failed();
        assert_eq!(password(), "second");
        renewed.failed();
        let made = renewed.get(|_| panic!("the password is the same"));
        assert_eq!(made.unwrap().as_deref(), Some("second"));
    }
}
