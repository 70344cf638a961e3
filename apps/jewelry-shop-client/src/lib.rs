//! How a browser uses the jewelry shop: what its behaviors share.
//!
//! A [`Session`] is signed in as one account of one tenant. Its pages notice when the shop sends
//! them to the sign-in form instead, which answers 200 and would otherwise pass for a success.

mod accounts;
mod sales;
mod session;

pub use accounts::{Account, Accounts};
pub use sales::{Outcome, Sales, audit};
pub use session::Session;
