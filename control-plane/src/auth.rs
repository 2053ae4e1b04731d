//! This file's job is to name the parts that decide who a caller is and what it may do.

pub mod caller;
pub mod denials;
pub mod grant;
pub mod guard;
pub mod key;
pub mod limiter;
pub mod oidc;
pub mod password;
pub mod role;
pub mod second_step;
pub mod session;
pub mod shared_token;
pub mod site;
pub mod throttle;
pub mod totp;
pub mod verify;
pub mod watch;
pub mod window;
