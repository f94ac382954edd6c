//! The close codes this server sends or reports.

/// Shutting down.
pub(crate) const GOING_AWAY: u16 = 1001;
/// A frame broke the protocol.
pub(crate) const PROTOCOL: u16 = 1002;
/// A binary message.
pub(crate) const UNSUPPORTED: u16 = 1003;
/// A close frame without a code; never sent.
pub(crate) use crate::wire::NO_CODE;
/// The connection ended without a close frame; never sent.
pub(crate) const ABNORMAL: u16 = 1006;
/// A text message that is not UTF-8.
pub(crate) const INVALID_TEXT: u16 = 1007;
/// Over the frame limit.
pub(crate) const TOO_BIG: u16 = 1009;
/// Redis or the channel layer is gone.
pub(crate) const FAILURE: u16 = 1011;
/// Connection limit, or too slow a reader.
pub(crate) const TRY_AGAIN: u16 = 1013;
/// No acceptable credential.
pub(crate) const UNAUTHENTICATED: u16 = 4001;
/// Origin not allowed, or not a participant.
pub(crate) const FORBIDDEN: u16 = 4003;
/// 4001 on the admin feed.
pub(crate) const ADMIN_UNAUTHENTICATED: u16 = 4401;
/// 4003 on the admin feed.
pub(crate) const ADMIN_FORBIDDEN: u16 = 4403;
/// Silent for too long.
pub(crate) const IDLE: u16 = 4408;
/// Ignores the rate limit.
pub(crate) const FLOODING: u16 = 4429;
