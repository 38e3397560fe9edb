//! Secrets are named in the configuration and read when they are needed (D12).
//!
//! They never pass through the layers, which would lay them open to interpolation, to error
//! excerpts and to a dump of the configuration. Reading again gives the current value, so a
//! rotated password needs no restart.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

/// Where a secret is kept. Validation never reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// A file; one trailing newline is no part of the secret.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

impl Secret {
    /// Reads the secret as it is now.
    ///
    /// # Errors
    /// [`SecretError`] names the file or variable, never the content.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        match self {
            Self::File(path) => read_file(path),
            Self::Env(name) => read_variable(name),
        }
    }
}

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read, or is not UTF-8.
    #[error("cannot read the secret file {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The variable is not set, or is not UTF-8.
    #[error("the environment variable {name}, which holds a secret, is not set to readable text")]
    Variable {
        /// The variable.
        name: String,
    },
    /// There is nothing in it: most likely a mount that is not there yet.
    #[error("the secret in {place} is empty")]
    Empty {
        /// The file or variable.
        place: String,
    },
}

fn read_file(path: &Path) -> Result<SecretString, SecretError> {
    let mut text = std::fs::read_to_string(path).map_err(|reason| SecretError::File {
        path: path.to_owned(),
        reason,
    })?;
    // `echo secret > file` and most editors end the file with a newline that nobody means.
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() {
        return Err(SecretError::Empty {
            place: path.display().to_string(),
        });
    }
    Ok(text.into())
}

fn read_variable(name: &str) -> Result<SecretString, SecretError> {
    match std::env::var(name) {
        Ok(text) if text.is_empty() => Err(SecretError::Empty {
            place: format!("the environment variable {name}"),
        }),
        Ok(text) => Ok(text.into()),
        Err(_) => Err(SecretError::Variable {
            name: name.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_file_loses_one_newline_and_nothing_else_and_is_read_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        let secret = Secret::File(path.clone());
        std::fs::write(&path, " 0123\n\n").unwrap();
        assert_eq!(secret.read().unwrap().expose_secret(), " 0123\n");
        std::fs::write(&path, "rotated\r\n").unwrap();
        assert_eq!(secret.read().unwrap().expose_secret(), "rotated");
    }

    #[test]
    fn what_is_missing_or_empty_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        let error = Secret::File(path.clone()).read().unwrap_err();
        assert!(error.to_string().contains("password: No such"), "{error}");
        std::fs::write(&path, "\n").unwrap();
        let error = Secret::File(path).read().unwrap_err();
        assert!(error.to_string().ends_with("is empty"), "{error}");
        let error = Secret::Env("DISTRIBUTARY_NOT_SET".into())
            .read()
            .unwrap_err();
        assert!(
            error.to_string().contains("DISTRIBUTARY_NOT_SET"),
            "{error}"
        );
    }
}
