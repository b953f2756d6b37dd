//! `lookup` as an operator runs it: who owns an address, and why not another.

use crate::work::{Done, Work};
use serde_json::{Value, json};

/// A university, a spin-off inside, a provider around; two claimants of one prefix; one whose time is over.
const REGISTER: &str = "\
owner_id,role,network,contact,constituency,valid_until
isp,network,192.0.2.0 - 192.0.2.199,noc@isp.example,business,
university,user,192.0.2.0/25,cert@uni.example,business,
spin-off,user,192.0.2.0/27,it@spin.example,vital,
left,user,192.0.2.0/28,it@left.example,business,2025-12-31
one,user,198.51.100.0/24,a@one.example,business,
two,user,198.51.100.0/24,b@two.example,business,
six,user,2001:db8::/32,it@six.example,business,
";

fn work() -> Work {
    let work = Work::new();
    work.write("r.csv", REGISTER);
    work
}

fn look_up(work: &Work, words: &str) -> Done {
    work.run(&format!("lookup --register r.csv --run-time 2026-11-22 {words}"))
}

/// The answers, a JSON object a line.
fn answers(done: &Done) -> Vec<Value> {
    done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_answer_names_the_owner_the_rule_the_sender_and_every_covering_registration() {
    let done = look_up(&work(), "--json 192.0.2.5");
    done.check(0, &[]);
    let answer = &answers(&done)[0];
    assert_eq!(answer["input"], "192.0.2.5");
    assert_eq!(
        (&answer["kind"], &answer["owner"], &answer["rule"], &answer["sender"], &answer["conflict"]),
        (&json!("address"), &json!("spin-off"), &json!("user-prefix"), &json!("ncsc"), &json!(false))
    );
    let covering: Vec<_> = answer["covering"].as_array().unwrap().iter().collect();
    let column = |key: &str| covering.iter().map(|one| one[key].clone()).collect::<Vec<_>>();
    assert_eq!(
        column("registration"),
        ["192.0.2.0/28", "192.0.2.0/27", "192.0.2.0/25", "192.0.2.0 - 192.0.2.199"]
    );
    assert_eq!(column("owner_id"), ["left", "spin-off", "university", "isp"]);
    assert_eq!(column("role"), ["user", "user", "user", "network"]);
    assert_eq!(column("line"), [5, 4, 3, 2]);
    assert_eq!(column("wins"), [false, true, false, false]);
    assert_eq!(column("valid_until"), [json!("2025-12-31"), Value::Null, Value::Null, Value::Null]);
    assert!(
        covering.iter().all(|one| one["source"] == "r.csv" && !one["reason"].as_str().unwrap().is_empty())
    );
}

#[test]
fn what_nobody_owns_or_two_claim_is_1() {
    let work = work();
    for (words, owner, conflict) in [
        ("192.0.2.200", Value::Null, false),
        ("198.51.100.9", Value::Null, true),
        ("10.0.0.1", Value::Null, false),
    ] {
        let done = look_up(&work, &format!("--json 192.0.2.5 {words} 2001:db8::1"));
        done.check(1, &[]);
        let answers = answers(&done);
        assert_eq!((&answers[1]["owner"], &answers[1]["conflict"]), (&owner, &json!(conflict)), "{words}");
        assert_eq!((answers.len(), &answers[2]["owner"]), (3, &json!("six")));
    }
}

#[test]
fn a_prefix_is_owned_by_what_holds_all_of_it() {
    let done = look_up(&work(), "--json 192.0.2.0/26 192.0.2.128/26");
    done.check(0, &[]);
    let owners: Vec<_> = answers(&done).iter().map(|answer| answer["owner"].clone()).collect();
    assert_eq!(owners, ["university", "isp"]);
}

#[test]
fn what_cannot_be_read_is_65_with_the_remedy_and_the_others_are_answered() {
    let work = work();
    for (words, said) in [
        ("192.0.2.1/24", "write 192.0.2.0/24 for the network or 192.0.2.1 for the one address"),
        ("192.0.2.0/024", "no leading zero"),
        ("192.0.2.0/33", "from 0 to 32"),
        ("010.1.2.3", "leading zero"),
        ("fe80::1%eth0", "leave out %"),
        ("1.2.3", "no address, prefix, host name or AS number"),
        ("64496", "such as"),
    ] {
        let done = look_up(&work, &format!("--json {words} 192.0.2.5"));
        done.check(65, &[said]);
        assert_eq!(answers(&done).len(), 1, "{words}");
    }
}

#[test]
fn a_name_and_an_as_number_have_owners_too() {
    let work = Work::new();
    let rows = "hoster,hoster.example,,\nshop,Bücher.hoster.example,,user\nisp,isp.example,64496,network\n";
    let rows: String = rows.lines().map(|row| format!("{row},x@x.example\n")).collect();
    work.write("r.csv", format!("owner_id,domain,asn,role,contact\n{rows}"));
    let done =
        look_up(&work, "--json www.xn--bcher-kva.hoster.example https://HOSTER.example:8443/x AS64496");
    done.check(0, &[]);
    let told = answers(&done).into_iter().map(|answer| {
        let covering = answer["covering"].as_array().unwrap();
        let registrations: Vec<_> =
            covering.iter().map(|one| one["registration"].as_str().unwrap()).collect();
        format!("{} {} {} {}", answer["kind"], answer["owner"], answer["rule"], registrations.join(" "))
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            r#""hostname" "shop" "user-name" xn--bcher-kva.hoster.example hoster.example"#,
            r#""hostname" "hoster" "user-name" hoster.example"#,
            r#""asn" "isp" "network-asn" AS64496"#,
        ]
    );
    let done = look_up(&work, "nothoster.example isp.example AS64497");
    done.check(1, &[]);
    assert!(done.out.contains("isp.example: no owner\n  isp.example isp as network"), "{}", done.out);
}

#[test]
fn addresses_come_from_standard_input_and_a_reader_may_leave() {
    let work = work();
    let words = "lookup --register r.csv --run-time 2026-11-22";
    let done = work.run_with_input(&format!("{words} -"), b"# mine\n\n192.0.2.5\r\n  2001:db8::1 \n");
    done.check(0, &[]);
    assert!(done.out.starts_with("192.0.2.5: spin-off (user-prefix, warned by ncsc)\n"), "{}", done.out);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let done = Done::of(work.command(&format!("{words} 192.0.2.5 10.0.0.1")).stdout(writer).spawn().unwrap());
    done.check(0, &[]);
    assert_eq!(done.err, "");
}
