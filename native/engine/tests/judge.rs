//! Steps 6 and 7 in columns.

use ybtoken_engine::judge::{Judged, Mismatch, Moment, Now, Scope, judge};
use ybtoken_engine::{Code, Workers};

const DAY: Moment = Moment { now: Now::Same(1000), skew: 5, max_lifetime: 100 };

/// (entry, iat, exp, city) and the code that was and is to be.
type Row = ((u16, u32, u32, u32), u8);

fn scopes() -> Vec<Scope> {
    let places = || vec![(110_000, 120_000), (330_100, 330_200)];
    vec![
        Scope::new(900, 1_004, None, places()).unwrap(),
        Scope::new(i64::MIN, i64::MAX, Some(990), vec![(0, 1_000_000)]).unwrap(),
        Scope::new(0, 1 << 40, None, vec![]).unwrap(),
    ]
}

fn judged(rows: &[Row], moment: Moment, workers: &Workers) -> Result<Vec<u8>, Mismatch> {
    let column =
        |get: fn(&Row) -> u32| rows.iter().map(|row| get(row).to_le_bytes()).collect::<Vec<_>>();
    let entry: Vec<_> = rows.iter().map(|row| row.0.0.to_le_bytes()).collect();
    let (iat, exp, city) = (column(|row| row.0.1), column(|row| row.0.2), column(|row| row.0.3));
    let mut code: Vec<u8> = rows.iter().map(|row| row.1).collect();
    let columns = Judged { entry: &entry, iat: &iat, exp: &exp, city: &city };
    judge(&mut code, columns, &scopes(), moment, workers).map(|()| code)
}

fn one(entry: u16, iat: u32, exp: u32, city: u32) -> Code {
    one_at(DAY, entry, iat, exp, city)
}

fn one_at(moment: Moment, entry: u16, iat: u32, exp: u32, city: u32) -> Code {
    let codes = [
        Code::Accepted,
        Code::TimeFuture,
        Code::TimeExpired,
        Code::TimeLifetime,
        Code::ScopePeriod,
        Code::ScopeWithdrawn,
        Code::ScopePlace,
    ];
    let code = judged(&[((entry, iat, exp, city), 0)], moment, &Workers::none()).unwrap()[0];
    *codes.iter().find(|known| known.number() == code).unwrap()
}

#[test]
fn time_has_these_edges() {
    assert_eq!(one(0, 1000, 1060, 330_100), Code::Accepted);
    assert_eq!(one(1, 985, 1060, 330_100), Code::Accepted);
    let wide = Moment { skew: 5, ..DAY };
    assert_eq!(one_at(wide, 2, 1005, 1060, 1), Code::ScopePlace, "not from the future");
    assert_eq!(one_at(wide, 2, 1006, 1060, 1), Code::TimeFuture);
    assert_eq!(one(1, 980, 996, 0), Code::Accepted);
    assert_eq!(one(1, 980, 995, 0), Code::TimeExpired);
    assert_eq!(one(1, 980, 1080, 0), Code::Accepted);
    assert_eq!(one(1, 980, 1081, 0), Code::TimeLifetime);
}

#[test]
fn time_is_judged_in_order() {
    let none = Moment { max_lifetime: 0, skew: 0, now: Now::Same(10) };
    assert_eq!(one_at(none, 0, 11, 9, 0), Code::TimeFuture);
    assert_eq!(one_at(none, 0, 5, 10, 0), Code::TimeExpired);
    assert_eq!(one_at(none, 0, 5, 11, 0), Code::TimeLifetime);
}

#[test]
fn no_clock_overflows() {
    for now in [i64::MIN, i64::MAX] {
        for skew in [0, i64::MAX] {
            let moment = Moment { now: Now::Same(now), skew, max_lifetime: i64::MAX };
            let expected = match (now, skew) {
                (i64::MIN, _) => Code::TimeFuture,
                (_, 0) => Code::TimeExpired,
                _ => Code::TimeExpired,
            };
            assert_eq!(one_at(moment, 1, 980, 1000, 0), expected, "{moment:?}");
        }
    }
}

#[test]
fn scope_has_these_edges() {
    assert_eq!(one(0, 900, 999, 330_100), Code::Accepted);
    assert_eq!(one(0, 899, 999, 330_100), Code::ScopePeriod);
    assert_eq!(one(0, 1003, 1060, 330_100), Code::Accepted);
    assert_eq!(one(0, 1004, 1060, 330_100), Code::ScopePeriod);
    assert_eq!(one(1, 989, 1060, 0), Code::Accepted);
    assert_eq!(one(1, 990, 1060, 0), Code::ScopeWithdrawn);
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
        assert_eq!(one(0, 950, 1000, city) == Code::Accepted, inside, "{city}");
        assert_eq!(one(0, 950, 1000, city) == Code::ScopePlace, !inside, "{city}");
    }
    assert_eq!(one(2, 950, 1000, 0), Code::ScopePlace, "no place at all");
}

#[test]
fn only_accepted_rows_are_judged() {
    let rows = [((0xffff, 0, 0, 0), 65), ((0xffff, 0, 0, 0), 255), ((0, 1000, 1060, 330_100), 0)];
    assert_eq!(judged(&rows, DAY, &Workers::none()), Ok(vec![65, 255, 0]));
}

#[test]
fn an_entry_without_a_scope_is_a_mismatch() {
    assert_eq!(judged(&[((3, 1000, 1060, 0), 0)], DAY, &Workers::none()), Err(Mismatch));
    let columns = Judged { entry: &[[0; 2]; 2], iat: &[[0; 4]], exp: &[[0; 4]], city: &[[0; 4]] };
    assert_eq!(judge(&mut [0], columns, &scopes(), DAY, &Workers::none()), Err(Mismatch));
}

#[test]
fn rows_may_have_a_time_each() {
    let rows = [((1, 980, 1000, 0), 0); 4];
    let times: Vec<_> = [974_i64, 975, 1004, 1005].map(i64::to_le_bytes).to_vec();
    let moment = Moment { now: Now::Each(&times), ..DAY };
    let expected = [Code::TimeFuture, Code::Accepted, Code::Accepted, Code::TimeExpired];
    let expected = expected.map(Code::number).to_vec();
    assert_eq!(judged(&rows, moment, &Workers::none()), Ok(expected));
    assert_eq!(judged(&rows[..3], moment, &Workers::none()), Err(Mismatch));
}

#[test]
fn places_are_in_order() {
    let made = |places| Scope::new(0, 1, None, places).is_some();
    assert!(made(vec![]) && made(vec![(1, 2), (2, 3)]));
    assert!(!made(vec![(2, 2)]) && !made(vec![(1, 3), (2, 4)]) && !made(vec![(5, 6), (1, 2)]));
}

#[test]
#[cfg_attr(miri, ignore = "slow")]
fn any_number_of_rows_and_threads_agrees() {
    let row = |at: u32| {
        (
            (at as u16 % 3, 880 + at % 140, 960 + at % 200, at * 7919 % 1_000_000),
            u8::from(at.is_multiple_of(5)) * 65,
        )
    };
    let rows: Vec<Row> = (0..50_000).map(row).collect();
    let alone: Vec<u8> =
        rows.iter().map(|row| judged(&[*row], DAY, &Workers::none()).unwrap()[0]).collect();
    for threads in [1, 2, 3] {
        let workers = Workers::new(threads).unwrap();
        for size in [0, 1, 16_383, 16_384, 16_385, 50_000] {
            assert_eq!(judged(&rows[..size], DAY, &workers).unwrap(), alone[..size]);
        }
    }
    for code in [0, 65, 97, 98, 99, 113, 114, 115] {
        assert!(alone.contains(&code), "{code}");
    }
}
