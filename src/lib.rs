//! distributary
