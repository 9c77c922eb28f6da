// Loss functions. The losses of single examples are averaged, added up or returned as they are.
// Shapes that do not match throw std::invalid_argument.
#pragma once

#include <optional>
#include <string>

#include "heddle/array.h"

namespace heddle::nn::losses {

enum class Reduction { none, mean, sum };
Reduction reduction_from(const std::string& name);  // "none", "mean" or "sum"

using Weights = std::optional<Array>;  // factors of the losses, of their shape

// Between targets and the softmax of the logits along `axis`. Targets are class numbers, in the
// shape of the logits without the axis, or probabilities in their shape. Label smoothing, in [0,
// 1), spreads that part of the probability evenly.
Array cross_entropy(const Array& logits, const Array& targets, const Weights& weights = {},
                    int axis = -1, double label_smoothing = 0.0,
                    Reduction reduction = Reduction::none);

// Between targets of 0 and 1 and logits or, without `with_logits`, probabilities, whose logarithms
// are cut off at -100.
Array binary_cross_entropy(const Array& inputs, const Array& targets, const Weights& weights = {},
                           bool with_logits = true, Reduction reduction = Reduction::mean);

Array l1_loss(const Array& predictions, const Array& targets,
              Reduction reduction = Reduction::mean);
Array mse_loss(const Array& predictions, const Array& targets,
               Reduction reduction = Reduction::mean);

// The negative logarithmic probability of the target classes along `axis`.
Array nll_loss(const Array& inputs, const Array& targets, int axis = -1,
               Reduction reduction = Reduction::none);

// (log v + (x - y)^2 / v) / 2 with v not below eps; `full` adds log(2 pi) / 2.
Array gaussian_nll_loss(const Array& inputs, const Array& targets, const Array& variances,
                        bool full = false, double eps = 1e-6,
                        Reduction reduction = Reduction::mean);

// The divergence of one distribution from that of the targets; both as logarithms.
Array kl_div_loss(const Array& inputs, const Array& targets, int axis = -1,
                  Reduction reduction = Reduction::none);

// d^2 / (2 beta) below beta, |d| - beta / 2 from there on.
Array smooth_l1_loss(const Array& predictions, const Array& targets, double beta = 1.0,
                     Reduction reduction = Reduction::mean);

// max(|a - p| - |a - n| + margin, 0) with the p-norm along `axis`.
Array triplet_loss(const Array& anchors, const Array& positives, const Array& negatives,
                   int axis = -1, double p = 2, double margin = 1.0, double eps = 1e-6,
                   Reduction reduction = Reduction::none);

Array hinge_loss(const Array& inputs, const Array& targets,  // max(0, 1 - x y)
                 Reduction reduction = Reduction::none);
Array huber_loss(const Array& inputs, const Array& targets, double delta = 1.0,
                 Reduction reduction = Reduction::none);
Array log_cosh_loss(const Array& inputs, const Array& targets,
                    Reduction reduction = Reduction::none);

// The cosine of the angle between vectors along `axis`; the product of norms is not below eps.
Array cosine_similarity_loss(const Array& x1, const Array& x2, int axis = 1, double eps = 1e-8,
                             Reduction reduction = Reduction::none);

// max(0, -y (x1 - x2) + margin)
Array margin_ranking_loss(const Array& inputs1, const Array& inputs2, const Array& targets,
                          double margin = 0.0, Reduction reduction = Reduction::none);

}  // namespace heddle::nn::losses
