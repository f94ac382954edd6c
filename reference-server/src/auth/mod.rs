//! Who somebody is: accounts, access and refresh tokens, connection tokens, and the secrets behind
//! them.

pub(crate) mod directory;
pub(crate) mod jwt;
pub(crate) mod secret;
mod signer;
pub(crate) mod token;

pub(crate) use directory::{Directory, User};
pub(crate) use signer::Signer;
pub(crate) use token::Tokens;
