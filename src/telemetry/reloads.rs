//! Whether the configuration that is served is the one that was written last.

use metrics::{counter, describe_counter, describe_gauge, gauge};

const RELOADS: &str = "hone_config_reloads_total";
const SUCCESS: &str = "hone_config_reload_success";

/// Tells the recorder what each metric is, and that the start has succeeded.
pub(super) fn describe() {
    describe_counter!(
        RELOADS,
        "Reloads of the configuration, by what came of them."
    );
    describe_gauge!(
        SUCCESS,
        "1 if the last start or reload took the configuration, 0 if an older one is served."
    );
    for result in ["success", "failure"] {
        counter!(RELOADS, "result" => result).increment(0);
    }
    gauge!(SUCCESS).set(1.0);
}

/// The configuration was read again, and taken or not.
pub(crate) fn reloaded(is_taken: bool) {
    let result = if is_taken { "success" } else { "failure" };
    counter!(RELOADS, "result" => result).increment(1);
    gauge!(SUCCESS).set(f64::from(u8::from(is_taken)));
}
