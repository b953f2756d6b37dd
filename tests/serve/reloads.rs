//! Configuration and register read again.

use crate::daemon::{Place, REGISTER, dump, long_dump};
use std::fs;

fn owners(place: &Place) -> Vec<String> {
    let mut owners: Vec<_> = place.alerts().into_keys().map(|(owner, _)| owner).collect();
    owners.dedup();
    owners
}

#[test]
fn a_reload_swaps_owners_for_the_next_run_and_not_for_the_one_under_way() {
    let place = Place::new();
    let daemon = place.start();
    place.bring("long.csv", long_dump(400 << 20, 1));
    place.wait("a run", || !place.status()["running"].as_array().unwrap().is_empty());
    place.write("register.csv", REGISTER.replace("isp,", "other-isp,").replace("school,", "other-school,"));
    daemon.reload();
    assert!(!place.path("done/f/long.csv").exists(), "the run was too fast for the test: make it larger");
    place.wait_for("done/f/long.csv");
    assert_eq!(owners(&place), ["school"]);
    place.bring("a.csv", dump(40, 1));
    place.wait_for("done/f/a.csv");
    assert_eq!(owners(&place), ["other-isp", "other-school", "school"]);
    daemon.stop();
}

#[test]
fn what_is_wrong_with_a_reload_is_said_and_the_old_stays() {
    let place = Place::new();
    let daemon = place.start();
    let config = fs::read_to_string(place.path("dijkwacht.toml")).unwrap();
    for (file, text, said) in [
        (
            "dijkwacht.toml",
            config.replace("settle_seconds", "settel_seconds"),
            "did you mean `settle_seconds`",
        ),
        ("dijkwacht.toml", "not toml".to_owned(), "dijkwacht.toml:1"),
        ("register.csv", REGISTER.replace("192.0.2.0/28", "192.0.2.1/28"), "rows cannot be used"),
    ] {
        place.write(file, text);
        daemon.reload();
        let status = place.status();
        let error = status["reloads"]["last_error"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains(said), "{status}");
        assert_eq!(status["index"]["owners"], 2);
        place.write("dijkwacht.toml", &config);
    }
    place.bring("a.csv", dump(40, 1));
    place.wait_for("done/f/a.csv");
    assert_eq!(owners(&place), ["isp", "school"]);
    place.write("register.csv", REGISTER);
    daemon.reload();
    assert!(place.status()["reloads"]["last_error"].is_null());
    daemon.stop();
}

#[test]
fn with_rebuild_a_source_that_changed_is_built_and_one_that_is_wrong_is_not() {
    let place = Place::with("rescan_seconds = 1");
    let config = fs::read_to_string(place.path("dijkwacht.toml")).unwrap();
    let with_index = format!("register.index = \"owners.dwi\"\nregister.rebuild = true\n{config}");
    place.write("dijkwacht.toml", with_index);
    let daemon = place.start();
    let first = fs::read(place.path("owners.dwi")).unwrap();
    place.write("register.csv", "owner_id,network\nbroken,not a network\n");
    place.wait("it is refused", || place.status()["reloads"]["failed"] == 1);
    assert_eq!(fs::read(place.path("owners.dwi")).unwrap(), first);
    place.write("register.csv", REGISTER.replace("isp,", "another,"));
    place.wait("it is built", || place.status()["reloads"]["succeeded"] == 1);
    place.bring("a.csv", dump(40, 1));
    place.wait_for("done/f/a.csv");
    assert_eq!(owners(&place), ["another", "school"]);
    daemon.stop();
}

#[test]
fn a_rebuild_that_moves_too_much_is_refused_until_somebody_accepts_it() {
    let place = Place::with("rescan_seconds = 1");
    let config = fs::read_to_string(place.path("dijkwacht.toml")).unwrap();
    let register = "register.index = \"owners.dwi\"\nregister.rebuild = true\nregister.change_max = 0.1";
    place.write("dijkwacht.toml", format!("{register}\n{config}"));
    let daemon = place.start();
    let first = fs::read(place.path("owners.dwi")).unwrap();
    place.write("register.csv", REGISTER.replace("isp,", "another,"));
    place.wait("it is refused", || place.status()["reloads"]["failed"] == 1);
    let error = place.status()["reloads"]["last_error"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("isp gains 0") && error.contains("then SIGHUP"), "{error}");
    assert_eq!(fs::read(place.path("owners.dwi")).unwrap(), first);
    let hash: String = error.rsplit("--accept-changes ").next().unwrap().chars().take(16).collect();
    let mut build = std::process::Command::new(env!("CARGO_BIN_EXE_dijkwacht"));
    build.current_dir(place.path("")).args(["index", "build", "-q", "--config", "dijkwacht.toml"]);
    build.args(["--accept-changes", &hash, "-o", "owners.dwi", "register.csv"]);
    assert!(build.status().unwrap().success());
    daemon.reload();
    place.bring("a.csv", dump(40, 1));
    place.wait_for("done/f/a.csv");
    assert_eq!(owners(&place), ["another", "school"]);
    daemon.stop();
}

#[test]
fn a_daemon_without_inbox_spool_or_register_says_what_is_missing() {
    let place = Place::new();
    for (config, said) in [
        ("", "[inbox] path is missing"),
        ("inbox.path = \"inbox\"", "[spool] path is missing"),
        ("inbox.path = \"inbox\"\nspool.path = \"spool\"", "[register]"),
    ] {
        place.write("dijkwacht.toml", config);
        assert_eq!(place.serve_command().status().unwrap().code(), Some(78));
        assert!(place.log().contains(said), "{}", place.log());
    }
}
