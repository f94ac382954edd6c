//! This module fits the law: least squares on logarithms, by Gauss and Newton.
//!
//! **In:** rows of terms and the logarithm of what their sum was measured to be; where the
//! coefficients may lie. **Out:** a [`Solution`]. The law is linear in its coefficients (see the
//! room), so that the first step, least squares of the relative residuals, is all but the answer;
//! the others only polish.

/// The coefficients, or what multiplies them.
pub(super) type Vector = [f64; 3];

const STEPS_MAX: u32 = 50;
const HALVINGS_MAX: u32 = 30;
/// A step that gains less than this share of the squares is the last.
const GAIN_RATIO: f64 = 1e-12;
/// A column of which less is left by the columns before it says nothing of its own.
const LEFT_RATIO: f64 = 1e-10;

/// One observation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row {
    pub terms: Vector,
    /// Logarithm of what the sum of terms times coefficients was measured to be.
    pub log: f64,
}

/// Where coefficients may lie: `at`, plus any mix of `along`.
pub(super) struct Space {
    at: Vector,
    along: Vec<Vector>,
}

impl Space {
    /// Those of the coefficients that `free` names; the others are 0.
    pub(super) fn axes(free: [bool; 3]) -> Self {
        let axis = |which: usize| std::array::from_fn(|place| f64::from(u8::from(place == which)));
        Self {
            at: [0.0; 3],
            along: (0..3).filter(|which| free[*which]).map(axis).collect(),
        }
    }

    /// Where the sum of `terms` times coefficients is `sum`.
    pub(super) fn plane(terms: Vector, sum: f64) -> Self {
        let length = dot(&terms, &terms).sqrt();
        let normal = terms.map(|term| term / length);
        // Away from the largest part of the normal, two directions across it.
        let smaller =
            |one: &usize, other: &usize| normal[*one].abs().total_cmp(&normal[*other].abs());
        let least = (0..3).min_by(smaller).unwrap_or(0);
        let mut first = normal.map(|part| -part * normal[least]);
        first[least] += 1.0;
        Self {
            at: normal.map(|part| part * sum / length),
            along: vec![first, cross(&normal, &first)],
        }
    }

    /// Where the sum of `terms` times the first two coefficients is `sum`, and the third is 0.
    pub(super) fn line([first, second]: [f64; 2], sum: f64) -> Self {
        let share = sum / (first * first + second * second);
        Self {
            at: [first * share, second * share, 0.0],
            along: vec![[-second, first, 0.0]],
        }
    }
}

/// The best coefficients of a space.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Solution {
    pub beta: Vector,
    /// Sum of the squares of what is left of the logarithms.
    pub squares: f64,
    /// R of the QR decomposition of the last step, by columns.
    triangle: Vec<Vec<f64>>,
}

impl Solution {
    /// Standard error of the sum of `gradient` times coefficients, for a noise of 1; of the whole
    /// space only.
    pub(super) fn error_of(&self, gradient: &Vector) -> f64 {
        let mut solved: Vec<f64> = Vec::new();
        for (part, column) in gradient.iter().zip(&self.triangle) {
            let known: f64 = column
                .iter()
                .zip(&solved)
                .map(|(one, other)| one * other)
                .sum();
            let own = column.last().copied().unwrap_or(f64::INFINITY);
            solved.push((part - known) / own);
        }
        solved.iter().map(|part| part * part).sum::<f64>().sqrt()
    }
}

pub(super) fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

fn cross(one: &Vector, other: &Vector) -> Vector {
    std::array::from_fn(|place| {
        let (next, last) = ((place + 1) % 3, (place + 2) % 3);
        one[next] * other[last] - one[last] * other[next]
    })
}

/// What the logarithms are off by; `None` where a sum is not above 0.
pub(super) fn residuals(rows: &[Row], beta: &Vector) -> Option<Vec<f64>> {
    rows.iter()
        .map(|row| {
            let sum = dot(&row.terms, beta);
            (sum > 0.0).then(|| row.log - sum.ln())
        })
        .collect()
}

/// The coefficients of the space with the least squares; `None` where none of them fits within 100
/// %, or the rows do not tell the directions of the space apart.
pub(super) fn solve(rows: &[Row], space: &Space) -> Option<Solution> {
    // Relative to what was measured first, then to what is fitted.
    let sums: Vec<f64> = rows.iter().map(|row| row.log.exp()).collect();
    let offs = rows.iter().zip(&sums);
    let offs = offs.map(|(row, sum)| 1.0 - dot(&row.terms, &space.at) / sum);
    let (step, mut triangle) = step(rows, &sums, offs.collect(), space)?;
    let mut beta = moved(&space.at, &step, 1.0, space);
    let mut left = residuals(rows, &beta)?;
    for _ in 0..STEPS_MAX {
        let squares = dot(&left, &left);
        let sums: Vec<f64> = rows.iter().map(|row| dot(&row.terms, &beta)).collect();
        let (step, new_triangle) = self::step(rows, &sums, left.clone(), space)?;
        triangle = new_triangle;
        let shorter = (0..HALVINGS_MAX).map(|halvings| 0.5_f64.powi(halvings.cast_signed()));
        let better = shorter.into_iter().find_map(|share| {
            let beta = moved(&beta, &step, share, space);
            let left = residuals(rows, &beta)?;
            (dot(&left, &left) < squares).then_some((beta, left))
        });
        let Some((new_beta, new_left)) = better else {
            break;
        };
        (beta, left) = (new_beta, new_left);
        if squares - dot(&left, &left) <= GAIN_RATIO * squares {
            break;
        }
    }
    Some(Solution {
        beta,
        squares: dot(&left, &left),
        triangle,
    })
}

fn moved(from: &Vector, step: &[f64], share: f64, space: &Space) -> Vector {
    std::array::from_fn(|place| {
        let along = step.iter().zip(&space.along);
        from[place] + share * along.map(|(step, along)| step * along[place]).sum::<f64>()
    })
}

/// The step along the directions of the space that takes most of `offs` away, and R: Gram and
/// Schmidt, modified.
fn step(
    rows: &[Row],
    sums: &[f64],
    mut offs: Vec<f64>,
    space: &Space,
) -> Option<(Vec<f64>, Vec<Vec<f64>>)> {
    let mut columns: Vec<Vec<f64>> = Vec::new();
    let (mut triangle, mut shares) = (Vec::new(), Vec::new());
    for along in &space.along {
        let slope = rows
            .iter()
            .zip(sums)
            .map(|(row, sum)| dot(&row.terms, along) / sum);
        let mut column: Vec<f64> = slope.collect();
        let whole = dot(&column, &column).sqrt();
        let mut parts = Vec::new();
        for before in &columns {
            let part = dot(before, &column);
            take(&mut column, before, part);
            parts.push(part);
        }
        let own = dot(&column, &column).sqrt();
        if own.is_nan() || own <= LEFT_RATIO * whole {
            return None;
        }
        for value in &mut column {
            *value /= own;
        }
        let share = dot(&column, &offs);
        take(&mut offs, &column, share);
        parts.push(own);
        triangle.push(parts);
        shares.push(share);
        columns.push(column);
    }
    let mut step = shares;
    for place in (0..step.len()).rev() {
        let later: f64 = (place + 1..step.len())
            .map(|after| triangle[after][place] * step[after])
            .sum();
        step[place] = (step[place] - later) / triangle[place][place];
    }
    Some((step, triangle))
}

fn take(from: &mut [f64], what: &[f64], times: f64) {
    from.iter_mut()
        .zip(what)
        .for_each(|(value, what)| *value -= times * what);
}
