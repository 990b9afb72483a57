use ybtoken_curve::{Curve, Job, KeyTable, Path, PublicKey, Verifier};
#[path = "../tests/common/signatures.rs"]
mod signatures;
fn main() {
    let a: Vec<_> = std::env::args().collect();
    let curve = if a[1] == "sm2" { Curve::Sm2 } else { Curve::P256 };
    let path = if a[2] == "ifma" { Path::Ifma } else { Path::Scalar };
    let size: usize = a[3].parse().unwrap();
    let total: usize = a[4].parse().unwrap();
    let w: u32 = a.get(5).map_or(8, |w| w.parse().unwrap());
    let signed = signatures::signatures(curve, 32, size, 1);
    let tables: Vec<_> = signed
        .keys
        .iter()
        .map(|(x, y)| KeyTable::build(&PublicKey::new(curve, x, y).unwrap(), w).unwrap())
        .collect();
    let jobs: Vec<_> =
        signed.all.iter().map(|o| Job { table: &tables[o.key], e: o.e, r: o.r, s: o.s }).collect();
    let v = Verifier::new(path).unwrap();
    let mut acc = vec![false; size];
    v.verify_batch(curve, &jobs, &mut acc);
    let rounds = total / size;
    let mut best = f64::MAX;
    let t0 = cpu();
    for _ in 0..rounds {
        let t = std::time::Instant::now();
        v.verify_batch(curve, &jobs, &mut acc);
        best = best.min(t.elapsed().as_secs_f64());
        assert!(acc.iter().all(|&a| a));
    }
    let mean = (cpu() - t0) / rounds as f64;
    println!(
        "{curve:?} {path:?} {size}: best {:.0}/s {:.1} ns, mean {:.0}/s",
        size as f64 / best,
        best / size as f64 * 1e9,
        size as f64 / mean
    );
}

fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    s.split(' ').next().unwrap().parse::<f64>().unwrap() * 1e-9
}
