#include "heddle/nn/losses.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "heddle/nn/activations.h"
#include "heddle/ops/index.h"
#include "heddle/ops/norm.h"
#include "heddle/ops/pointwise.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "nn/scalar.h"
#include "nn/shown.h"
#include "nn/wide.h"

namespace heddle::nn::losses {
namespace {

std::string shown(const Array& a) { return nn::shown(a.shape()); }

void require_same_shape(const char* name, const Array& x, const char* other_name,
                        const Array& other) {
  if (x.shape() == other.shape()) return;
  throw std::invalid_argument(fmt::format("{} shape {} does not match {} shape {}.", name, shown(x),
                                          other_name, shown(other)));
}

// a * b, where 0 times infinity is 0: what has no weight does not count, however large.
Array times(const Array& a, const Array& b) {
  Array absent = logical_and(equal(a, integer(0, a)), isinf(b));
  return a * where(absent, integer(0, b), b);
}

// The losses as they were asked for, rounded once: a half if all that they are made of is.
Array finish(Array loss, Reduction reduction, Dtype dtype, const Weights& weights = {}) {
  if (weights) {
    if (weights->shape() != loss.shape()) {
      throw std::invalid_argument(
          fmt::format("Weights with shape {} is not the same as output loss with shape {}.",
                      shown(*weights), shown(loss)));
    }
    dtype = promote_types(dtype, weights->dtype());
    loss = times(widened(*weights), loss);
  }
  if (reduction == Reduction::mean) loss = mean(loss);
  if (reduction == Reduction::sum) loss = sum(loss);
  return rounded(loss, dtype);
}

// max(0, margin - a * b). Where that is 0 the operands are left out: the derivative is 0 beside an
// infinite one, too.
Array above(const Array& margin, const Array& a, const Array& b) {
  Array enough = a * b >= margin;
  return margin - where(enough, margin, a) * where(enough, integer(1, b), b);
}

// The entries of x that the targets point at along an axis.
Array chosen(const Array& x, const Array& targets, int axis) {
  return squeeze(take_along_axis(x, expand_dims(targets, axis), axis), axis);
}

// The largest magnitudes along an axis, by which to divide before squaring; 1 for zeros and where
// one is infinite. For the gradient a constant: results do not depend on it.
Array magnitude(const Array& x, int axis) {
  Array largest = max(abs(x), {axis}, true);
  Array usable = logical_and(isfinite(largest), largest > integer(0, largest));
  return stop_gradient(where(usable, largest, scalar(1, largest)));
}

}  // namespace

Reduction reduction_from(const std::string& name) {
  if (name == "none") return Reduction::none;
  if (name == "mean") return Reduction::mean;
  if (name == "sum") return Reduction::sum;
  throw std::invalid_argument("Invalid reduction. Must be one of ('none', 'mean', 'sum').");
}

Array cross_entropy(const Array& logits, const Array& targets, const Weights& weights, int axis,
                    double label_smoothing, Reduction reduction) {
  if (label_smoothing < 0 || label_smoothing >= 1) {
    throw std::invalid_argument(
        fmt::format("Label smoothing must be in [0, 1), got {:#}.", label_smoothing));
  }
  bool as_probabilities = targets.ndim() == logits.ndim();
  Shape wanted = logits.shape();
  if (!as_probabilities) {
    wanted.erase(wanted.begin() + normalize_axis("cross_entropy", axis, logits.ndim()));
  }
  if (targets.shape() != wanted) {
    throw std::invalid_argument(fmt::format("Targets shape {} does not match logits shape {}.",
                                            shown(targets), shown(logits)));
  }
  // The largest logit is taken away first: the difference of two large numbers has few digits.
  Array wide = widened_to_float(logits), top = stop_gradient(max(wide, {axis}, true));
  Array x = where(isposinf(wide), scalar(0, wide), wide - top), score;
  if (as_probabilities) {
    score = sum(times(widened(targets), x), {axis});
  } else {
    score = chosen(x, targets, axis);
  }
  if (label_smoothing > 0) {
    score = scalar(1 - label_smoothing, score) * score +
            scalar(label_smoothing, score) * mean(x, {axis});
  }
  const Dtype dtype = as_probabilities ? together({logits, targets}) : logits.dtype();
  return finish(log(sum(exp(x), {axis})) - score, reduction, dtype, weights);
}

Array binary_cross_entropy(const Array& inputs, const Array& targets, const Weights& weights,
                           bool with_logits, Reduction reduction) {
  require_same_shape("Inputs", inputs, "targets", targets);
  Array x = widened_to_float(inputs), y = widened_to_float(targets);
  Array no = scalar(1, y) - y, loss;
  if (with_logits) {
    // no softplus(x) + y softplus(-x) = softplus(-|x|) + w |x|, where w is the share of the wrong
    // answer. |x| is made so that at 0 its derivative goes with w.
    Array positive = x > scalar(0, x), size = where(positive, x, -x);
    loss = softplus(-size) + times(where(positive, no, y), size);
  } else {
    auto bounded_log = [](const Array& p) {
      Array zero = equal(p, scalar(0, p)), least = scalar(-100, p);
      return where(zero, least, maximum(log(where(zero, scalar(1, p), p)), least));
    };
    loss = -(y * bounded_log(x) + no * bounded_log(scalar(1, x) - x));
  }
  return finish(loss, reduction, together({inputs, targets}), weights);
}

Array l1_loss(const Array& predictions, const Array& targets, Reduction reduction) {
  require_same_shape("Predictions", predictions, "targets", targets);
  return finish(abs(widened(predictions) - widened(targets)), reduction,
                together({predictions, targets}));
}

Array mse_loss(const Array& predictions, const Array& targets, Reduction reduction) {
  require_same_shape("Predictions", predictions, "targets", targets);
  return finish(square(widened(predictions) - widened(targets)), reduction,
                together({predictions, targets}));
}

Array nll_loss(const Array& inputs, const Array& targets, int axis, Reduction reduction) {
  return finish(-widened(chosen(inputs, targets, axis)), reduction, inputs.dtype());
}

Array gaussian_nll_loss(const Array& inputs, const Array& targets, const Array& variances,
                        bool full, double eps, Reduction reduction) {
  require_same_shape("Inputs", inputs, "targets", targets);
  require_same_shape("Inputs", inputs, "vars", variances);
  Array v = widened_to_float(variances), d = widened(targets) - widened(inputs);
  v = maximum(v, scalar(eps, v));
  Array loss = log(v) + d * (d / v);  // d^2 may overflow where the quotient does not
  loss = scalar(0.5, loss) * loss;
  if (full) loss = loss + scalar(0.5 * std::log(2 * std::numbers::pi), loss);
  return finish(loss, reduction, together({inputs, targets, variances}));
}

Array kl_div_loss(const Array& inputs, const Array& targets, int axis, Reduction reduction) {
  // What has probability 0 counts nothing, whatever was predicted.
  Array y = widened_to_float(targets), probability = exp(y);
  Array impossible = equal(probability, scalar(0, y));
  Array distance = where(impossible, scalar(0, y), y - widened(inputs));
  return finish(sum(probability * distance, {axis}), reduction, together({inputs, targets}));
}

Array smooth_l1_loss(const Array& predictions, const Array& targets, double beta,
                     Reduction reduction) {
  require_same_shape("Predictions", predictions, "targets", targets);
  Array d = abs(widened_to_float(predictions) - widened(targets));
  Array loss = d - scalar(0.5 * beta, d);
  if (beta > 0) {
    Array bound = scalar(beta, d), inside = minimum(d, bound);
    loss = where(d < bound, scalar(0.5, d) * inside * (inside / bound), loss);
  }
  return finish(loss, reduction, together({predictions, targets}));
}

Array triplet_loss(const Array& anchors, const Array& positives, const Array& negatives, int axis,
                   double p, double margin, double eps, Reduction reduction) {
  const Array wide = widened_to_float(anchors);
  auto distance = [&](const Array& x) {
    Array d = abs(wide - widened(x));
    // Powers of numbers above 1 may overflow: these are made smaller first.
    Array unit = magnitude(d, axis);
    unit = maximum(unit, scalar(1, unit));
    Array total = sum(power(d / unit, scalar(p, d)), {axis});
    unit = squeeze(unit, axis);
    total = total + scalar(eps, unit) * power(unit, scalar(-p, unit));
    return unit * power(total, scalar(1 / p, total));
  };
  Array difference = distance(positives) - distance(negatives);
  return finish(relu(difference + scalar(margin, difference)), reduction,
                together({anchors, positives, negatives}));
}

Array hinge_loss(const Array& inputs, const Array& targets, Reduction reduction) {
  Array x = widened(inputs), y = widened(targets);
  return finish(above(integer(1, x * y), x, y), reduction, together({inputs, targets}));
}

Array huber_loss(const Array& inputs, const Array& targets, double delta, Reduction reduction) {
  Array d = abs(widened_to_float(inputs) - widened(targets));
  Array bound = scalar(delta, d), half = scalar(0.5, d);
  Array linear = bound * (d - half * bound);
  return finish(where(d < bound, half * square(minimum(d, bound)), linear), reduction,
                together({inputs, targets}));
}

Array log_cosh_loss(const Array& inputs, const Array& targets, Reduction reduction) {
  Array errors = widened_to_float(inputs) - widened(targets);
  // log(1 + sinh^2) / 2 keeps the digits of small errors; of large ones e^-e is below the last.
  const double large = 40;
  Array inside = clip(errors, scalar(-large, errors), scalar(large, errors));
  Array near = scalar(0.5, errors) * log1p(square(sinh(inside)));
  Array far = abs(errors) - scalar(std::numbers::ln2, errors);
  return finish(where(abs(errors) > scalar(large, errors), far, near), reduction,
                together({inputs, targets}));
}

Array cosine_similarity_loss(const Array& x1, const Array& x2, int axis, double eps,
                             Reduction reduction) {
  struct Scaled {
    Array x, factor, unit, norm;
    // Made anew for each sum, which then computes it on its way.
    Array values() const { return x * factor; }
  };
  auto scaled = [&](const Array& given) {
    Array x = widened_to_float(given);
    // Within what has a reciprocal.
    const bool wide = x.dtype() == float64;
    Array unit = clip(magnitude(x, axis), scalar(wide ? 0x1p-1020 : 0x1p-120, x),
                      scalar(wide ? 0x1p1000 : 0x1p100, x));
    Scaled s{x, reciprocal(unit), squeeze(unit, axis), {}};
    // Only zeros have less, at which a root has no derivative.
    s.norm = sqrt(maximum(sum(square(s.values()), {axis}), scalar(1e-35, x)));
    return s;
  };
  const Scaled a = scaled(x1), b = scaled(x2);
  Array norms = a.norm * b.norm;
  Array least = scalar(eps, norms) / a.unit / b.unit;
  return finish(sum(a.values() * b.values(), {axis}) / maximum(norms, least), reduction,
                together({x1, x2}));
}

Array margin_ranking_loss(const Array& inputs1, const Array& inputs2, const Array& targets,
                          double margin, Reduction reduction) {
  if (inputs1.shape() != inputs2.shape() || inputs1.shape() != targets.shape()) {
    throw std::invalid_argument(fmt::format(
        "The shapes of the arguments do not match. The provided shapes are inputs1.shape={}, "
        "inputs2.shape={}, and targets.shape={}.",
        shown(inputs1), shown(inputs2), shown(targets)));
  }
  Array y = widened(targets), difference = widened(inputs1) - widened(inputs2);
  return finish(above(scalar(margin, y * difference), y, difference), reduction,
                together({inputs1, inputs2, targets}));
}

}  // namespace heddle::nn::losses
