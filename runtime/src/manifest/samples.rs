//! Entries of every kind of trigger, for the tests of this module.

use super::Entry;

/// One entry per trigger, and some that have every option between them, sorted by name.
pub(super) fn all() -> Vec<Entry> {
    let mut entries: Vec<Entry> = [
        "time(15)",
        "time(43200, once)",
        r#"every("10s")"#,
        r#"every("90s", once)"#,
        r#"cron("0 3 * * Mon-Fri", tz = "Europe/Berlin")"#,
        r#"at("02:30")"#,
        r#"at("02:30:15", tz = "Asia/Kolkata", once)"#,
        "maintenance(60)",
        "system(internet_available)",
        "system(time_zone_change, once)",
        "application",
        "media_processing",
        "push",
        r#"push("news")"#,
        r#"socket("tcp://127.0.0.1:7000")"#,
        r#"control_channel("main", keep_alive = 30)"#,
        r#"files("~/Pictures", recursive)"#,
        r#"device(add | remove, subsystem = "usb")"#,
        "device_use",
        "device_servicing",
        r#"custom("sync")"#,
        r#"app_service("echo")"#,
        "toast_action",
        "startup",
        "voip",
    ]
    .iter()
    .enumerate()
    .map(|(index, trigger)| {
        let mut json = base(&format!("task_{index:02}"));
        json["trigger"] = (*trigger).into();
        if ["device_use", "device_servicing", "voip", "startup"].contains(trigger) {
            json["host"] = "process".into();
        }
        entry(json)
    })
    .collect();
    let mut json = base("with_everything");
    json["description"] = "Line one.\nLine \"two\" \\ größe".into();
    json["crate"] = "mail-tasks".into();
    for (word, value) in [
        ("trigger", "time(15)"),
        ("condition", "internet && (ac_power || battery_above(30))"),
        ("host", r#"process("media")"#),
        ("timeout", "10m"),
        ("grace", "2s"),
        ("memory", "512MiB"),
        (
            "retry",
            r#"max = 5, backoff = exponential("1s", max = "10m", jitter)"#,
        ),
        ("overlap", "queue(3)"),
        ("missed", "all(4)"),
        ("exclusive", "disk"),
        ("jitter", "30s"),
        ("registration_group", "lib"),
        ("unique", "path"),
        ("idle_timeout", "1m"),
    ] {
        json[word] = value.into();
    }
    json["priority"] = (-3).into();
    json["nice"] = 10.into();
    json["standby"] = true.into();
    json["register"] = false.into();
    entries.push(entry(json));
    let mut json = base("with_the_rest");
    for (word, value) in [
        ("trigger", "time(15)"),
        ("pending", "queue(2)"),
        ("delivery", "at_most_once"),
        ("on_overrun", "abort"),
    ] {
        json[word] = value.into();
    }
    json["cancel_on_condition_loss"] = true.into();
    json["condition"] = "internet".into();
    json["network_requested"] = true.into();
    entries.push(entry(json));
    let mut json = base("with_time_on_the_cpu");
    json["trigger"] = "application".into();
    json["host"] = "process".into();
    json["cpu"] = "30s".into();
    entries.push(entry(json));
    entries
}

fn base(name: &str) -> serde_json::Value {
    serde_json::json!({
        "name": name,
        "function": format!("sample::{name}"),
        "crate": "sample",
        "crate_version": "1.2.3",
        "macros": env!("CARGO_PKG_VERSION"),
    })
}

fn entry(json: serde_json::Value) -> Entry {
    Entry::from_json(json.to_string().as_bytes()).unwrap()
}
