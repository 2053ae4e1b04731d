//! This file's job is to name the two worlds that channels and API keys belong to.

use crate::text_enum::text_enum;

text_enum! {
    /// Where a channel's devices live. A key of one environment never sees a channel of the other.
    pub enum Environment {
        /// Real devices.
        Live => "live",
        /// Trials.
        Test => "test",
    }
}
