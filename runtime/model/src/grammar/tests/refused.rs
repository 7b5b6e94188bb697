//! Each rule by an attribute that breaks it: its code and its place.

use super::{declared, told};

#[test]
fn triggers_that_are_wrong() {
    for (text, code, at) in [
        ("trigger = tmie(15)", "unknown_trigger", "tmie"),
        ("trigger = internet", "unknown_trigger", "internet"),
        (
            "trigger = internet_available",
            "unknown_trigger",
            "internet_available",
        ),
        ("trigger = time(14)", "time_minutes", "14"),
        ("trigger = time(43_201)", "time_minutes", "43_201"),
        ("trigger = time(-15)", "time_minutes", "-15"),
        (
            "trigger = time(99999999999999999999)",
            "time_minutes",
            "99999999999999999999",
        ),
        ("trigger = time", "missing_value", "time"),
        ("trigger = time()", "missing_value", "time()"),
        ("trigger = time(15u32)", "number_form", "15u32"),
        ("trigger = time(1.5)", "number_form", "1.5"),
        ("trigger = time(0x20)", "number_form", "0x20"),
        ("trigger = time(15m)", "minutes_expected", "15m"),
        ("trigger = time(\"15m\")", "minutes_expected", "\"15m\""),
        ("trigger = time(\"15\")", "number_expected", "\"15\""),
        ("trigger = time(15, onec)", "unknown_word", "onec"),
        ("trigger = time(15, 20)", "unexpected", "20"),
        ("trigger = time(15, once, once)", "given_twice", "once"),
        ("trigger = time(15, once = maybe)", "flag_value", "maybe"),
        ("trigger = time(15, tz = \"UTC\")", "unknown_word", "tz"),
        ("trigger = time(15) || application", "one_trigger", "||"),
        ("trigger = maintenance(5)", "maintenance_minutes", "5"),
        ("trigger = every(10)", "duration_text", "10"),
        ("trigger = every(\"10\")", "duration_unit", "\"10\""),
        ("trigger = every(\"10x\")", "duration_unit", "\"10x\""),
        ("trigger = every(\"soon\")", "duration_form", "\"soon\""),
        ("trigger = every(\"0s\")", "zero_duration", "\"0s\""),
        ("trigger = every(\"1us\")", "short_period", "\"1us\""),
        ("trigger = every(\"11y\")", "long_duration", "\"11y\""),
        ("trigger = cron(\"0 3 * * Mno\")", "cron_value", "Mno"),
        ("trigger = cron(\"0 3 * *\")", "cron_fields", "0 3 * *"),
        ("trigger = cron(\"0 3 31 2 *\")", "cron_never", "31 2"),
        (
            "trigger = cron(\"* * * * *\", tz = \"Berlin\")",
            "unknown_zone",
            "\"Berlin\"",
        ),
        ("trigger = cron(\"* * * * *\", once)", "unexpected", "once"),
        ("trigger = at(\"24:00\")", "time_of_day", "\"24:00\""),
        ("trigger = at(\"2:30 am\")", "time_of_day", "\"2:30 am\""),
        ("trigger = at(2)", "text_expected", "2"),
        (
            "trigger = system(internet_availible)",
            "unknown_word",
            "internet_availible",
        ),
        (
            "trigger = system(user_away(1))",
            "unexpected",
            "user_away(1)",
        ),
        (
            "trigger = system(control_channel_reset, once)",
            "reset_once",
            "once",
        ),
        ("trigger = system", "missing_value", "system"),
        ("trigger = application(5)", "unexpected", "5"),
        ("trigger = push(\"\")", "empty_text", "\"\""),
        (
            "trigger = socket(\"127.0.0.1:7000\")",
            "socket_address",
            "\"127.0.0.1:7000\"",
        ),
        (
            "trigger = socket(\"tcp://h:70000\")",
            "socket_address",
            "\"tcp://h:70000\"",
        ),
        (
            "trigger = socket(\"tcp://[::1:5\")",
            "socket_address",
            "\"tcp://[::1:5\"",
        ),
        (
            "trigger = control_channel(\"c\")",
            "missing_value",
            "control_channel(\"c\")",
        ),
        (
            "trigger = control_channel(\"c\", keep_alive = 14)",
            "keep_alive_minutes",
            "14",
        ),
        ("trigger = files(\"\")", "empty_text", "\"\""),
        (
            "trigger = files(\"Pictures\")",
            "relative_file",
            "\"Pictures\"",
        ),
        (
            "trigger = files(\"~ada/Pictures\")",
            "relative_file",
            "\"~ada/Pictures\"",
        ),
        ("trigger = device(ad)", "unknown_word", "ad"),
        ("trigger = device(add | add)", "given_twice", "add"),
        ("trigger = device", "missing_value", "device"),
        ("trigger = custom(name)", "text_expected", "name"),
        ("trigger = time 15", "unexpected", "15"),
        ("trigger = 15", "word_expected", "15"),
        ("trigger =", "missing_value", "trigger"),
    ] {
        assert_eq!(told(text), [(code, at)], "{text}");
    }
    let long = format!(
        "trigger = control_channel(\"{}\", keep_alive = 15)",
        "x".repeat(65)
    );
    assert_eq!(told(&long)[0].0, "channel_id_length");
}

#[test]
fn conditions_that_are_wrong() {
    for (text, code, at) in [
        ("internte", "unknown_condition", "internte"),
        ("vpn_up", "unknown_condition", "vpn_up"),
        ("time(15)", "unknown_condition", "time"),
        ("internet & ac_power", "unexpected", "&"),
        ("internet | ac_power", "unexpected", "|"),
        ("internet and ac_power", "unexpected", "and"),
        ("internet, ac_power && ", "unknown_argument", "ac_power"),
        ("internet || not ac_power", "unexpected", "not"),
        ("battery", "unknown_condition", "battery"),
        ("internet &&", "condition_ends", "&&"),
        ("internet && \"ac_power\"", "unexpected", "\"ac_power\""),
        ("internet(5)", "unexpected", "internet(5)"),
        ("battery_above", "missing_value", "battery_above"),
        ("battery_above(100)", "battery_percent", "100"),
        ("battery_above(30%)", "number_expected", "30%"),
        ("load_below(0)", "load_range", "0"),
        ("load_below(0.8001)", "load_number", "0.8001"),
        ("load_below(LIMIT)", "load_number", "LIMIT"),
        ("self::vpn()", "unexpected", "self::vpn()"),
        ("self::", "path_form", "self::"),
        ("internet && no_internet", "contradiction", "no_internet"),
        ("internet && !internet", "contradiction", "internet"),
        (
            "(internet && no_internet) || ac_power",
            "contradiction",
            "no_internet",
        ),
        (
            "internet && (no_internet || !internet)",
            "contradiction",
            "no_internet",
        ),
        (
            "(no_internet || !internet) && internet",
            "contradiction",
            "no_internet",
        ),
        ("!(internet || no_internet)", "contradiction", "no_internet"),
        (
            "user_present && user_not_present",
            "contradiction",
            "user_not_present",
        ),
        (
            "session_connected && session_disconnected",
            "contradiction",
            "session_disconnected",
        ),
        (
            "battery_above(50) && !battery_above(30)",
            "contradiction",
            "battery_above(30)",
        ),
        (
            "internet, condition = no_internet",
            "contradiction",
            "no_internet",
        ),
        ("self::a && !self::a", "contradiction", "self::a"),
    ] {
        let text = format!("trigger = time(15), condition = {text}");
        let told = told(&text);
        assert_eq!(told, [(code, at)], "{text}");
    }
    for text in [
        "internet || no_internet",
        "internet && (no_internet || ac_power)",
        "!(internet && no_internet)",
        "battery_above(30) && !battery_above(50)",
        "load_below(0.8) && !load_below(0.5)",
    ] {
        declared(&format!("trigger = time(15), condition = {text}"));
    }
    let deep = format!(
        "trigger = time(15), condition = {}internet",
        "!".repeat(1000)
    );
    assert_eq!(told(&deep)[0].0, "condition_depth");
    let deep = format!(
        "trigger = time(15), condition = {}internet{}",
        "(".repeat(400),
        ")".repeat(400)
    );
    assert_eq!(told(&deep)[0].0, "condition_depth");
    let wide = format!(
        "trigger = time(15), condition = internet{}",
        " && internet".repeat(600)
    );
    assert_eq!(told(&wide)[0].0, "condition_size");
}

#[test]
fn options_that_are_wrong() {
    for (text, code, at) in [
        ("timeout = 10", "duration_text", "10"),
        ("timeout = 10s", "duration_text", "10s"),
        ("timeout = \"0s\"", "zero_duration", "\"0s\""),
        ("timeout", "missing_value", "timeout"),
        ("grace = \"2h\"", "long_grace", "\"2h\""),
        ("host = process, memory = \"512\"", "memory_unit", "\"512\""),
        (
            "host = process, memory = \"512mb\"",
            "memory_unit",
            "\"512mb\"",
        ),
        (
            "host = process, memory = \"1.5GiB\"",
            "memory_form",
            "\"1.5GiB\"",
        ),
        (
            "host = process, memory = \"10KiB\"",
            "memory_range",
            "\"10KiB\"",
        ),
        ("host = process, memory = 512", "text_expected", "512"),
        ("retry", "missing_value", "retry"),
        ("retry = 5", "unexpected", "5"),
        ("retry(max = 0)", "retry_max", "0"),
        ("retry(maximum = 5)", "unknown_word", "maximum"),
        (
            "retry(max = 5, backoff = linear(\"1s\"))",
            "unknown_word",
            "linear",
        ),
        ("retry(max = 5, backoff = fixed)", "missing_value", "fixed"),
        (
            "retry(max = 5, backoff = exponential(\"2m\", max = \"1m\"))",
            "backoff_order",
            "exponential(\"2m\", max = \"1m\")",
        ),
        ("overlap = skp", "unknown_word", "skp"),
        ("overlap = \"skip\"", "word_expected", "\"skip\""),
        ("overlap = skip(1)", "unexpected", "skip(1)"),
        ("overlap = queue", "missing_value", "queue"),
        ("overlap = queue(0)", "queue_length", "0"),
        ("overlap = allow(10001)", "allowed_runs", "10001"),
        ("pending = last", "unknown_word", "last"),
        ("missed = all(0)", "missed_runs", "0"),
        ("exclusive = \" \"", "empty_text", "\" \""),
        ("exclusive = key", "text_expected", "key"),
        ("priority = high", "number_expected", "high"),
        ("priority = 3000000000", "priority_range", "3000000000"),
        ("standby = \"true\"", "flag_value", "\"true\""),
        ("delivery = exactly_once", "unknown_word", "exactly_once"),
        ("on_overrun = kill", "unknown_word", "kill"),
        ("host = proces", "unknown_word", "proces"),
        ("host = process(\"\")", "empty_text", "\"\""),
        ("host = in_process(\"x\")", "unexpected", "\"x\""),
        ("host = process, nice = 20", "nice_range", "20"),
        ("host = process, sandbox()", "empty_sandbox", "sandbox"),
        (
            "host = process, sandbox(read = \"/etc\")",
            "list_expected",
            "\"/etc\"",
        ),
        (
            "host = process, sandbox(read = [\"etc\"])",
            "relative_file",
            "\"etc\"",
        ),
        ("host = process, env(\"A=B\" = \"x\")", "env_key", "\"A=B\""),
        (
            "host = process, env(A = \"x\", A = \"y\")",
            "given_twice",
            "A",
        ),
        ("host = process, env(A)", "env_form", "A"),
        ("host = process, env()", "missing_value", "env"),
        ("handle = \"Name\"", "handle_form", "\"Name\""),
        ("name = \"\"", "empty_text", "\"\""),
        ("name = \"a\\nb\"", "control_character", "\"a\\nb\""),
        ("colour = red", "unknown_argument", "colour"),
        ("\"time(15)\"", "argument_form", "\"time(15)\""),
    ] {
        let text = format!("trigger = time(20), {text}");
        assert_eq!(told(&text), [(code, at)], "{text}");
    }
    let name = format!("trigger = time(15), name = \"{}\"", "é".repeat(201));
    assert_eq!(told(&name)[0].0, "name_length");
}

#[test]
fn arguments_that_do_not_go_together() {
    for (text, found) in [
        ("name = \"x\"", vec![("missing_trigger", "name = \"x\"")]),
        (
            "trigger = time(15), trigger = time(20)",
            vec![("one_trigger", "trigger")],
        ),
        (
            "trigger = time(15), name = \"a\", name = \"b\"",
            vec![("given_twice", "name")],
        ),
        ("time(15)", vec![("unknown_argument", "time")]),
        (
            "trigger = device_use",
            vec![("host_of_trigger", "device_use")],
        ),
        (
            "trigger = device_servicing, host = in_process",
            vec![("host_of_trigger", "device_servicing")],
        ),
        ("trigger = voip", vec![("host_of_trigger", "voip")]),
        (
            "trigger = device_use, host = process, condition = internet",
            vec![("device_use_condition", "condition")],
        ),
        (
            "trigger = time(15), memory = \"1GiB\", cpu = \"1s\", sandbox(read = [\"/\"]), multiple_instances, nice = 1, env(A = \"b\")",
            [
                "memory",
                "cpu",
                "sandbox",
                "multiple_instances",
                "nice",
                "env",
            ]
            .map(|at| ("process_argument", at))
            .to_vec(),
        ),
        (
            "trigger = application, host = process(\"g\"), multiple_instances",
            vec![("instances_in_group", "multiple_instances")],
        ),
        (
            "trigger = application, host = process(\"g\"), cpu = \"1s\"",
            vec![("instances_in_group", "cpu")],
        ),
        (
            "trigger = application, host = process, on_overrun = abort",
            vec![("overrun_of_process", "on_overrun")],
        ),
        (
            "trigger = application, host = process, delivery = volatile",
            vec![("volatile_process", "volatile")],
        ),
        (
            "trigger = application, jitter = \"1s\", missed = skip",
            vec![("timed_argument", "jitter"), ("timed_argument", "missed")],
        ),
        (
            "trigger = application, cancel_on_condition_loss",
            vec![("loss_without_condition", "cancel_on_condition_loss")],
        ),
        (
            "trigger = every(\"10s\"), jitter = \"11s\"",
            vec![("jitter_range", "\"11s\"")],
        ),
        (
            "trigger = application, overlap = allow(2), exclusive = \"k\"",
            vec![("allow_exclusive", "allow(2)")],
        ),
        (
            "trigger = application, retry(max = 1), delivery = at_most_once",
            vec![("retry_at_most_once", "retry")],
        ),
    ] {
        assert_eq!(told(text), found, "{text}");
    }
    for text in [
        "trigger = maintenance(60), cancel_on_condition_loss",
        "trigger = time(15), multiple_instances = false",
        "trigger = voip, host = process",
        "trigger = application, host = process, multiple_instances",
        "trigger = time(MINUTES), jitter = \"1h\"",
    ] {
        declared(text);
    }
}
