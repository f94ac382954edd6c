pub(crate) fn time(us: u64) -> String {
    format!("{us} us")
}
pub(crate) fn count(n: u64) -> String {
    n.to_string()
}
pub(crate) fn share(r: f64) -> String {
    format!("{} %", r * 100.0)
}
