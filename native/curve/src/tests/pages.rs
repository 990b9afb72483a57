//! Tables side by side in memory.

use super::Random;
#[cfg(all(target_os = "linux", not(miri)))]
use super::big;
use crate::tables::{Entry, Pages};
#[cfg(all(target_os = "linux", not(miri)))]
use crate::{
    Curve, KeyTable, PublicKey, math::arith::U256, math::curve::P256, math::point::Affine,
};

/// Smaller under Miri, which is slow and has no large pages.
fn table(random: &mut Random, size: usize) -> Vec<Entry> {
    let size = if cfg!(miri) { size.div_ceil(1000) } else { size };
    (0..size).map(|_| Entry { x: random.number(), y: random.number() }).collect()
}

#[test]
fn what_is_pushed_comes_out() {
    // Tables that fill no large page, some that do, one that fills several, and none at all.
    for (count, size) in [(3, 5), (8, 4096), (3, 12_288), (1, 100_000), (0, 7)] {
        let mut random = Random(11);
        let tables: Vec<_> = (0..count).map(|_| table(&mut random, size)).collect();
        let mut pages = Pages::new(count * size);
        tables.iter().for_each(|one| pages.push(one.clone()));
        let mut kept = pages.finish();
        assert_eq!(kept.len(), count);
        // Each table stays valid when others are dropped.
        for _ in 0..count {
            assert!(kept.iter().zip(&tables).all(|(kept, table)| kept.all() == table));
            kept.pop();
        }
    }
}

#[test]
fn more_than_there_is_room_for_is_kept_elsewhere() {
    let mut random = Random(12);
    let mut pages = Pages::new(40_000);
    let tables: Vec<_> = (0..6).map(|_| table(&mut random, 20_000)).collect();
    tables.iter().for_each(|one| pages.push(one.clone()));
    assert!(pages.finish().iter().zip(&tables).all(|(kept, table)| kept.all() == table));
}

#[test]
#[cfg(all(target_os = "linux", not(miri)))]
fn tables_begin_at_a_large_page_and_touch() {
    let mut random = Random(13);
    let mut pages = Pages::new(3 * 12_288);
    (0..3).for_each(|_| pages.push(table(&mut random, 12_288)));
    let kept = pages.finish();
    let at: Vec<_> = kept.iter().map(|one| one.all().as_ptr().addr()).collect();
    assert_eq!(at[0] % (2 << 20), 0);
    assert_eq!([at[1] - at[0], at[2] - at[1]], [786_432; 2]);
}

#[test]
#[cfg(all(target_os = "linux", not(miri)))]
fn tables_built_together_lie_side_by_side() {
    let point = Affine::<P256>::generator();
    let bytes = |a: U256| big(a).to_bytes_be().try_into().unwrap();
    let key =
        PublicKey::new(Curve::P256, &bytes(point.x.value()), &bytes(point.y.value())).unwrap();
    let tables = KeyTable::build_all(&[key; 8], 10).unwrap();
    let at: Vec<_> = tables.iter().map(|one| one.table().entries().as_ptr().addr()).collect();
    assert!(at.windows(2).all(|two| two[1] - two[0] == 786_432));
}
