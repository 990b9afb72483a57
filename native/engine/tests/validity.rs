//! Steps 6 and 7: their edges and their order.

use ybtoken_engine::claims::Claims;
use ybtoken_engine::validity::check;
use ybtoken_engine::{Code, Limits, Scope};

const NOW: i64 = 1000;
const LIMITS: Limits = Limits { skew: 5, max_lifetime: 100 };

fn anything() -> Scope {
    Scope::new(i64::MIN, i64::MAX, None, vec![(0, 1_000_000)]).unwrap()
}

fn nowhere() -> Scope {
    Scope::new(i64::MIN, i64::MAX, None, vec![]).unwrap()
}

fn claims(issued_at: u32, expires_at: u32, city: u32) -> Claims {
    Claims { issued_at, expires_at, city, ..Claims::default() }
}

/// The outcome for claims that any scope accepts.
fn time(now: i64, limits: Limits, issued_at: u32, expires_at: u32) -> Code {
    check(&claims(issued_at, expires_at, 0), &anything(), now, limits)
}

/// The outcome for claims that the limits accept.
fn scope(scope: &Scope, issued_at: u32, city: u32) -> Code {
    check(&claims(issued_at, 1000, city), scope, 950, LIMITS)
}

#[test]
fn time_has_these_edges() {
    let at = |issued_at, expires_at| time(NOW, LIMITS, issued_at, expires_at);
    assert_eq!(at(1005, 1060), Code::Accepted);
    assert_eq!(at(1006, 1060), Code::TimeFuture);
    assert_eq!(at(980, 996), Code::Accepted);
    assert_eq!(at(980, 995), Code::TimeExpired);
    assert_eq!(at(980, 1080), Code::Accepted);
    assert_eq!(at(980, 1081), Code::TimeLifetime);
}

#[test]
fn the_first_rule_that_refuses_counts() {
    let none = Limits { max_lifetime: 0, skew: 0 };
    assert_eq!(time(10, none, 11, 9), Code::TimeFuture);
    assert_eq!(time(10, none, 5, 10), Code::TimeExpired);
    assert_eq!(time(10, none, 5, 11), Code::TimeLifetime);
    let never = Scope::new(2000, 1000, Some(0), vec![]).unwrap();
    let withdrawn = Scope::new(0, 2000, Some(0), vec![]).unwrap();
    assert_eq!(check(&claims(5, 11, 0), &never, 10, none), Code::TimeLifetime);
    assert_eq!(scope(&never, 940, 0), Code::ScopePeriod);
    assert_eq!(scope(&withdrawn, 940, 0), Code::ScopeWithdrawn);
    assert_eq!(scope(&nowhere(), 940, 0), Code::ScopePlace);
}

#[test]
fn no_clock_overflows() {
    for (now, expected) in [(i64::MIN, Code::TimeFuture), (i64::MAX, Code::TimeExpired)] {
        for skew in [0, i64::MAX] {
            let limits = Limits { skew, max_lifetime: i64::MAX };
            assert_eq!(time(now, limits, 980, 1000), expected, "{now} {skew}");
        }
    }
}

#[test]
fn a_key_signs_for_its_time() {
    let some = Scope::new(900, 950, Some(940), vec![(0, 1)]).unwrap();
    let whole = Scope::new(900, 950, None, vec![(0, 1)]).unwrap();
    assert_eq!(scope(&whole, 900, 0), Code::Accepted);
    assert_eq!(check(&claims(899, 990, 0), &whole, 950, LIMITS), Code::ScopePeriod);
    assert_eq!(scope(&whole, 949, 0), Code::Accepted);
    assert_eq!(scope(&whole, 950, 0), Code::ScopePeriod);
    assert_eq!(scope(&some, 939, 0), Code::Accepted);
    assert_eq!(scope(&some, 940, 0), Code::ScopeWithdrawn);
}

#[test]
fn a_key_signs_for_its_places() {
    let places = vec![(110_000, 120_000), (330_100, 330_200)];
    let some = Scope::new(0, 2000, None, places).unwrap();
    for (city, inside) in [
        (0, false),
        (109_999, false),
        (110_000, true),
        (119_999, true),
        (120_000, false),
        (330_099, false),
        (330_100, true),
        (330_199, true),
        (330_200, false),
        (999_999, false),
    ] {
        let expected = if inside { Code::Accepted } else { Code::ScopePlace };
        assert_eq!(scope(&some, 950, city), expected, "{city}");
    }
    assert_eq!(scope(&nowhere(), 950, 0), Code::ScopePlace);
}

#[test]
fn places_are_in_order() {
    let made = |places| Scope::new(0, 1, None, places).is_some();
    assert!(made(vec![]) && made(vec![(1, 2), (2, 3)]));
    assert!(!made(vec![(2, 2)]) && !made(vec![(1, 3), (2, 4)]) && !made(vec![(5, 6), (1, 2)]));
}
