//! This module says between which values a quantity of the fit lies: by its profile.
//!
//! **In:** the fit, and a quantity that is a sum of terms times coefficients, or a ratio of two.
//! **Out:** its 95 % interval.
//!
//! **Method.** A value is inside when the best fit *that has this value* is worse than the best fit
//! by no more than Student's t allows: (S(v) - S) / s² <= t². The curve may bend as it likes and
//! the interval need not be symmetric or finite, which is what a ratio of two uncertain numbers
//! needs. Either end is found by false position (Illinois).

use super::squares::{Row, Solution, Space, Vector, dot, solve};

/// A value farther away than 2^60 standard errors is called infinite.
const DOUBLINGS_MAX: u32 = 60;
const STEPS_MAX: u32 = 60;
/// How exact an end is, as a share of its distance from the estimate.
const EXACT_RATIO: f64 = 1e-6;

/// What an interval is asked of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Quantity {
    Sum(Vector),
    Ratio { part: Vector, whole: Vector },
}

impl Quantity {
    pub(super) fn of(&self, beta: &Vector) -> f64 {
        match self {
            Self::Sum(terms) => dot(terms, beta),
            Self::Ratio { part, whole } => dot(part, beta) / dot(whole, beta),
        }
    }

    /// Where the quantity has this value.
    fn plane(&self, value: f64) -> (Vector, f64) {
        match self {
            Self::Sum(terms) => (*terms, value),
            Self::Ratio { part, whole } => (less(part, whole, value), 0.0),
        }
    }

    pub(super) fn gradient(&self, beta: &Vector) -> Vector {
        match self {
            Self::Sum(terms) => *terms,
            Self::Ratio { part, whole } => {
                less(part, whole, self.of(beta)).map(|term| term / dot(whole, beta))
            }
        }
    }
}

fn less(part: &Vector, whole: &Vector, times: f64) -> Vector {
    std::array::from_fn(|place| part[place] - times * whole[place])
}

/// What the best fit is, and how much worse a fit may be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Profile {
    pub rows: Vec<Row>,
    /// The best fit whatever the signs of its coefficients.
    pub free: Solution,
    /// Whether only curves without coherency are looked at.
    pub flat: bool,
    /// Coefficients of the estimate.
    pub beta: Vector,
    /// Most squares of a fit inside.
    pub squares_max: f64,
}

impl Profile {
    /// The end of the interval towards `end`, which is as far as values have a meaning.
    pub(super) fn end(&self, quantity: &Quantity, end: f64) -> f64 {
        let from = quantity.of(&self.beta);
        if from.is_nan() || (end - from).abs() <= f64::EPSILON * from.abs() {
            return end;
        }
        let sign = (end - from).signum();
        let worse = |distance: f64| self.worse(quantity, from + sign * distance);
        let reach = (end - from).abs();
        // Where a linear model has its end.
        let allowed = (self.squares_max - self.free.squares).max(0.0).sqrt();
        let error = self.free.error_of(&quantity.gradient(&self.beta));
        let (mut inside, mut outside) = (0.0, allowed * error);
        if !(outside > 0.0 && outside.is_finite()) {
            return end;
        }
        let mut doublings = 0;
        while outside < reach && worse(outside) <= 0.0 {
            (inside, outside) = (outside, 2.0 * outside);
            doublings += 1;
            if doublings == DOUBLINGS_MAX {
                return end;
            }
        }
        if outside >= reach {
            if reach.is_infinite() || worse(reach) <= 0.0 {
                return end;
            }
            outside = reach;
        }
        from + sign * crossing(worse, inside, outside, allowed)
    }

    /// The best fit that has the value.
    pub(super) fn fit_at(&self, quantity: &Quantity, value: f64) -> Option<Solution> {
        let (terms, sum) = quantity.plane(value);
        let space = if self.flat {
            Space::line([terms[0], terms[1]], sum)
        } else {
            Space::plane(terms, sum)
        };
        solve(&self.rows, &space)
    }

    /// The same points and as much worse, of the curves without coherency.
    pub(super) fn flattened(&self) -> Option<Self> {
        let free = solve(&self.rows, &Space::axes([true, true, false]))?;
        Some(Self {
            rows: self.rows.clone(),
            flat: true,
            beta: free.beta,
            squares_max: free.squares + self.squares_max - self.free.squares,
            free,
        })
    }

    /// Above 0 where the value is outside; about linear in its distance from the estimate.
    fn worse(&self, quantity: &Quantity, value: f64) -> f64 {
        let root = |squares: f64| (squares - self.free.squares).max(0.0).sqrt();
        let squares = self
            .fit_at(quantity, value)
            .map_or(f64::INFINITY, |fit| fit.squares);
        root(squares) - root(self.squares_max)
    }
}

/// Where `worse` becomes more than 0; it is at its least, and about -`least`, at the estimate.
fn crossing(worse: impl Fn(f64) -> f64, mut inside: f64, mut outside: f64, least: f64) -> f64 {
    let (mut low, mut high) = (worse(inside), worse(outside));
    for _ in 0..STEPS_MAX {
        let straight = inside + (outside - inside) * low / (low - high);
        let middle = if high.is_finite() && straight > inside && straight < outside {
            straight
        } else {
            f64::midpoint(inside, outside)
        };
        let found = worse(middle);
        if found.abs() <= EXACT_RATIO * least {
            return middle;
        }
        if found > 0.0 {
            (outside, high, low) = (middle, found, low / 2.0);
        } else {
            (inside, low, high) = (middle, found, high / 2.0);
        }
    }
    f64::midpoint(inside, outside)
}
