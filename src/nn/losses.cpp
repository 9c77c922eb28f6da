#include "heddle/nn/losses.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "heddle/nn/activations.h"
#include "heddle/ops.h"
#include "nn/scalar.h"
#include "nn/shown.h"

namespace heddle::nn::losses {
namespace {

std::string shown(const Array& a) { return nn::shown(a.shape()); }

void require_same_shape(const char* name, const Array& x, const char* other_name,
                        const Array& other) {
  if (x.shape() == other.shape()) return;
  throw std::invalid_argument(fmt::format("{} shape {} does not match {} shape {}.", name, shown(x),
                                          other_name, shown(other)));
}

Array weigh(const Array& loss, const Weights& weights) {
  if (!weights) return loss;
  if (weights->shape() != loss.shape()) {
    throw std::invalid_argument(
        fmt::format("Weights with shape {} is not the same as output loss with shape {}.",
                    shown(*weights), shown(loss)));
  }
  return loss * *weights;
}

Array reduce(const Array& loss, Reduction reduction) {
  switch (reduction) {
    case Reduction::mean:
      return mean(loss);
    case Reduction::sum:
      return sum(loss);
    case Reduction::none:
      break;
  }
  return loss;
}

// The entries of x that the targets point at along an axis.
Array chosen(const Array& x, const Array& targets, int axis) {
  return squeeze(take_along_axis(x, expand_dims(targets, axis), axis), axis);
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
  // The softmax does not change; sums in half precision lose less when the largest logit is 0.
  Array x = logits - stop_gradient(max(logits, {axis}, true));
  Array score = as_probabilities ? sum(x * targets, {axis}) : chosen(x, targets, axis);
  if (label_smoothing > 0) {
    score = scalar(1 - label_smoothing, score) * score +
            scalar(label_smoothing, score) * mean(x, {axis});
  }
  return reduce(weigh(logsumexp(x, {axis}) - score, weights), reduction);
}

Array binary_cross_entropy(const Array& inputs, const Array& targets, const Weights& weights,
                           bool with_logits, Reduction reduction) {
  require_same_shape("Inputs", inputs, "targets", targets);
  Array loss;
  if (with_logits) {
    loss = logaddexp(scalar(0, inputs), inputs) - inputs * targets;
  } else {
    auto bounded_log = [](const Array& p) {
      Array y = log(p);
      return clip(y, scalar(-100, y), std::nullopt);
    };
    Array log_true = bounded_log(inputs), log_false = bounded_log(integer(1, inputs) - inputs);
    loss = -(targets * log_true + (integer(1, targets) - targets) * log_false);
  }
  return reduce(weigh(loss, weights), reduction);
}

Array l1_loss(const Array& predictions, const Array& targets, Reduction reduction) {
  require_same_shape("Predictions", predictions, "targets", targets);
  return reduce(abs(predictions - targets), reduction);
}

Array mse_loss(const Array& predictions, const Array& targets, Reduction reduction) {
  require_same_shape("Predictions", predictions, "targets", targets);
  return reduce(square(predictions - targets), reduction);
}

Array nll_loss(const Array& inputs, const Array& targets, int axis, Reduction reduction) {
  return reduce(-chosen(inputs, targets, axis), reduction);
}

Array gaussian_nll_loss(const Array& inputs, const Array& targets, const Array& variances,
                        bool full, double eps, Reduction reduction) {
  require_same_shape("Inputs", inputs, "targets", targets);
  require_same_shape("Inputs", inputs, "vars", variances);
  Array v = maximum(variances, scalar(eps, variances));
  Array loss = log(v) + square(targets - inputs) / v;
  loss = scalar(0.5, loss) * loss;
  if (full) loss = loss + scalar(0.5 * std::log(2 * std::numbers::pi), loss);
  return reduce(loss, reduction);
}

Array kl_div_loss(const Array& inputs, const Array& targets, int axis, Reduction reduction) {
  return reduce(sum(exp(targets) * (targets - inputs), {axis}), reduction);
}

Array smooth_l1_loss(const Array& predictions, const Array& targets, double beta,
                     Reduction reduction) {
  require_same_shape("Predictions", predictions, "targets", targets);
  Array d = abs(predictions - targets), loss = d - scalar(0.5 * beta, d);
  if (beta > 0) {
    Array bound = scalar(beta, d);
    loss = where(d < bound, scalar(0.5, d) * square(d) / bound, loss);
  }
  return reduce(loss, reduction);
}

Array triplet_loss(const Array& anchors, const Array& positives, const Array& negatives, int axis,
                   double p, double margin, double eps, Reduction reduction) {
  auto distance = [&](const Array& x) {
    Array d = anchors - x;
    Array total = sum(power(abs(d), scalar(p, d)), {axis});
    return power(total + scalar(eps, total), scalar(1 / p, total));
  };
  Array difference = distance(positives) - distance(negatives);
  return reduce(relu(difference + scalar(margin, difference)), reduction);
}

Array hinge_loss(const Array& inputs, const Array& targets, Reduction reduction) {
  Array product = inputs * targets;
  return reduce(relu(integer(1, product) - product), reduction);
}

Array huber_loss(const Array& inputs, const Array& targets, double delta, Reduction reduction) {
  Array d = abs(inputs - targets), bound = scalar(delta, d), half = scalar(0.5, d);
  Array linear = bound * (d - half * bound);
  return reduce(where(d <= bound, half * square(d), linear), reduction);
}

Array log_cosh_loss(const Array& inputs, const Array& targets, Reduction reduction) {
  Array errors = inputs - targets;
  // log cosh e = log(exp(e) + exp(-e)) - log 2, without overflow.
  Array loss = logaddexp(errors, -errors);
  return reduce(loss - scalar(std::numbers::ln2, loss), reduction);
}

Array cosine_similarity_loss(const Array& x1, const Array& x2, int axis, double eps,
                             Reduction reduction) {
  auto norm = [&](const Array& x) { return sqrt(sum(square(x), {axis})); };
  Array norms = norm(x1) * norm(x2);
  return reduce(sum(x1 * x2, {axis}) / maximum(norms, scalar(eps, norms)), reduction);
}

Array margin_ranking_loss(const Array& inputs1, const Array& inputs2, const Array& targets,
                          double margin, Reduction reduction) {
  if (inputs1.shape() != inputs2.shape() || inputs1.shape() != targets.shape()) {
    throw std::invalid_argument(fmt::format(
        "The shapes of the arguments do not match. The provided shapes are inputs1.shape={}, "
        "inputs2.shape={}, and targets.shape={}.",
        shown(inputs1), shown(inputs2), shown(targets)));
  }
  Array loss = -targets * (inputs1 - inputs2);
  return reduce(relu(loss + scalar(margin, loss)), reduction);
}

}  // namespace heddle::nn::losses
