// What layers compute, as functions of their parameters: the layers of C++ and Python hold these
// and call the same functions. Channels, or features, are the last axis: (N, spatial..., C).
//
// Statistics, sums and what is computed from them are float32 or wider; a result is rounded once,
// to the dtype that the array and the parameters have together, but where a function says
// otherwise. Shapes and settings that do not fit throw std::invalid_argument "[function] ..."; so
// do dtypes that a function does not take. A parameter that is not given is left out of the
// formula.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "heddle/array.h"
#include "heddle/ops/random.h"
#include "heddle/ops/recurrent.h"
#include "heddle/ops/shape.h"

namespace heddle::nn {

// --- Linear maps and dropout ---------------------------------------------------------------------

// x W^T + b along the last axis; weight (output, input), bias (output).
Array linear(const Array& x, const Array& weight, const std::optional<Array>& bias = {});

// y_i = x2^T W_i x1 + b_i; x1 (..., input1), x2 (..., input2), weight (output, input2, input1).
Array bilinear(const Array& x1, const Array& x2, const Array& weight,
               const std::optional<Array>& bias = {});

// Zero with probability p, in [0, 1], and x / (1 - p) otherwise: each element, or whole channels
// (of the last axis) over the `spatial_dims` axes before it. Without a key the calling thread's
// next one is drawn; nothing is drawn where p is 0. The dtype of x; integers give float32.
Array dropout(const Array& x, double p = 0.5, int spatial_dims = 0, const random::Key& key = {});

// --- Normalizations ------------------------------------------------------------------------------
// (x - mean) / sqrt(variance + eps) weight + bias, the statistics being those of x over some axes
// (biased variance), weight and bias of a number for each channel; integers are computed as
// float32. Squares of numbers up to 1e30 overflow in a variance that is returned alone. An eps that
// is not positive is refused. For layer_norm and rms_norm see heddle/ops/norm.h.

// Over the spatial axes of each channel of each example; x has at least three axes.
Array instance_norm(const Array& x, const std::optional<Array>& weight = {},
                    const std::optional<Array>& bias = {}, double eps = 1e-5);

// Over groups of channels of each example, and the spatial axes; x has at least two axes. A group
// is a run of neighbours (PyTorch, ONNX), or channel c belongs to group c % groups (MLX's default).
enum class Grouping { runs, strided };
Array group_norm(const Array& x, int64_t groups, const std::optional<Array>& weight = {},
                 const std::optional<Array>& bias = {}, double eps = 1e-5,
                 Grouping grouping = Grouping::runs);

// Over all axes but the last, of the batch; or by given statistics, unless `training`. In training
// each given statistic moves towards that of the batch (of the variance, the unbiased one):
// (1 - momentum) running + momentum now, without gradient; this takes two values of each channel.
// `running` is given for both or none; what is not given comes back empty.
struct BatchNormOptions {
  bool training = false;
  double momentum = 0.1, eps = 1e-5;
};
struct RunningStatistics {
  Array mean, variance;  // (channels)
};
struct BatchNormed {
  Array result;
  RunningStatistics running;
};
BatchNormed batch_norm(const Array& x, const std::optional<RunningStatistics>& running = {},
                       const std::optional<Array>& weight = {},
                       const std::optional<Array>& bias = {}, const BatchNormOptions& options = {});

// --- Pools ---------------------------------------------------------------------------------------

// Windows over the spatial axes of (N, spatial..., C), one to three of them, with an entry for
// each. Along an axis of n elements, between padding `before` and `after`, there are
//   (n + before + after - dilation (kernel - 1) - 1) / stride + 1
// windows, rounded down; with `ceil_mode` up, as long as the last one starts before the padding at
// the end (PyTorch's and ONNX's rule).
struct Windows {
  Shape kernel;
  Shape stride = {};       // of the kernel's size if empty
  PadWidths padding = {};  // (before, after); none if empty
  Shape dilation = {};     // the step between the elements of a window; 1 if empty
  bool ceil_mode = false;
};

// The largest element of each window: NaN where there is one. Padding is lower than every element
// (minus infinity, or the lowest integer). Equal maxima share the gradient. All dtypes but complex.
Array max_pool(const Array& x, const Windows& windows);

// The same with where each maximum lies: uint32, counted in row-major order over the spatial axes
// of x, the first of several. A window that holds padding alone is refused.
struct MaxPooled {
  Array values, indices;
};
MaxPooled max_pool_with_indices(const Array& x, const Windows& windows);

// The sum of each window divided by its number of elements, or by `divisor`. Padding counts as
// zeros unless `count_include_pad` is false, and what a last window of ceil_mode has beyond it
// never does; a window without any element that counts is refused. Integers and bools give float32.
struct AverageOptions {
  bool count_include_pad = true;
  std::optional<int64_t> divisor = {};
};
Array average_pool(const Array& x, const Windows& windows, const AverageOptions& options = {});

// `sizes` windows along each spatial axis of n elements, as equal as they can be: window i has the
// elements from floor(i n / size) to ceil((i + 1) n / size), which is left out. -1 keeps n.
Array adaptive_max_pool(const Array& x, const Shape& sizes);
MaxPooled adaptive_max_pool_with_indices(const Array& x, const Shape& sizes);
Array adaptive_average_pool(const Array& x, const Shape& sizes);

// --- Padding -------------------------------------------------------------------------------------

// More elements around the array, (before, after) for each axis or one pair for all; a negative
// number takes elements away, first. The border is repeated by `replicate`, mirrored by `reflect`
// (about the outermost element) and `symmetric` (about the edge), and `circular` goes on with the
// other side. All but `constant` need an element along each axis that grows.
enum class PadMode { constant, replicate, reflect, symmetric, circular };
PadMode pad_mode_from(const std::string& name);
Array pad(const Array& x, const PadWidths& widths, PadMode mode, const Array& value = Array(0));

// --- Positions -----------------------------------------------------------------------------------
// For rotary positions see fast::rope.

// `dims` / 2 frequencies in a geometric series from the highest down to the lowest, float32; times
// 2 pi if they count turns. `dims` is positive and even.
Array sinusoidal_frequencies(int dims, double min_freq = 0.0001, double max_freq = 1,
                             bool full_turns = false);

// (..., 2 frequencies): the sines and cosines of each position times each frequency, times `scale`.
Array sinusoidal_encoding(const Array& positions, const Array& frequencies, double scale,
                          bool cos_first = false);

// Biases of attention scores that fall off with the distance, in each head by its slope (O. Press
// et al., Train short, test long, 2022). For a power of two the slopes are the series that begins
// with and proceeds by 2^(-8 / heads); other numbers take those of the next lower power of two,
// then every other one of the next higher. (heads, 1, 1).
Array alibi_slopes(int heads, Dtype dtype = float32);
// For the queries at offset ... queries - 1: (1, heads, queries - offset, keys).
Array alibi_matrix(int queries, int keys, int heads, int offset = 0, Dtype dtype = float32);
// Scores (..., heads, queries, keys) with these biases and `mask`, which is added.
Array alibi(const Array& scores, int offset = 0, const std::optional<Array>& mask = {});

// --- Attention and transformers ------------------------------------------------------------------

// What a mask of attention is: none, "causal", or an array as scaled_dot_product_attention takes
// it.
using AttentionMask = std::variant<std::monostate, std::string, Array>;

// Attention of projected queries (B, Lq, D) to keys (B, Lk, D) and values (B, Lk, Dv) in `heads`
// parts of the features, scaled by sqrt(heads / D): (B, Lq, Dv). The projections, before and after,
// are linear maps.
Array multi_head_attention(const Array& queries, const Array& keys, const Array& values,
                           int64_t heads, const AttentionMask& mask = {});

// (n, n): the lowest number of the dtype where a key comes after the query, else zero. Not minus
// infinity, which would make rows that are hidden altogether NaN.
Array additive_causal_mask(int n, Dtype dtype = float32);

// One branch of a transformer's layer, as functions of one array.
using Part = std::function<Array(const Array&)>;
struct Branch {
  Part norm, part;
};
// What the layers of transformers are: one branch after the other adds to x, x + part(norm(x)), or
// with the norm at the end, norm(x + part(x)).
Array residual_branches(const Array& x, const std::vector<Branch>& branches,
                        bool norm_first = true);

// --- Recurrent layers ----------------------------------------------------------------------------
// For GRU and LSTM of one layer see heddle/ops/recurrent.h.

// h' = f(wx x + bias + wh h) for x (..., time, features), all steps: see fast::rnn, which computes
// the two functions that it knows.
using Nonlinearity = std::variant<fast::RecurrentActivation, Part>;
Array rnn(const Array& x, const Array& wx, const Array& wh, const std::optional<Array>& bias = {},
          const std::optional<Array>& hidden = {},
          const Nonlinearity& f = fast::RecurrentActivation::tanh);

// Recurrent layers one above the other, each in one direction or in both, whose outputs are joined
// along the features.
enum class Cell { rnn, gru, lstm };
struct RecurrentWeights {
  Array wx, wh;  // (gates * hidden, features), (gates * hidden, outputs)
  std::optional<Array> bias = {}, bias_hn = {};  // bias_hn: of a GRU
  std::optional<Array> projection = {};  // (outputs, hidden), of an LSTM: h = projection (o tanh c)
};
struct RecurrentOptions {
  Cell cell = Cell::lstm;
  bool bidirectional = false;
  fast::RecurrentActivation activation = fast::RecurrentActivation::tanh;  // of an rnn
  double dropout = 0;    // of what goes from one layer to the next
  random::Key key = {};  // for it
};
struct Recurrent {
  Array output;  // (..., time, directions * outputs), of the last layer
  Array hidden,
      cell;  // (layers * directions, ..., outputs | hidden): the last states; cells of an LSTM
};
// `weights` has an entry for each layer and, inside, each direction, forward first; initial states
// are shaped like the last ones, and zero if absent. With `lengths` (batch), integers between 1 and
// the number of steps, x is (batch, time, features): what comes after a sequence's end counts for
// nothing, its outputs are zero, the last states are those at the end, and backward it begins
// there.
Recurrent recurrent_layers(const Array& x, const std::vector<RecurrentWeights>& weights,
                           const RecurrentOptions& options, const std::optional<Array>& hidden = {},
                           const std::optional<Array>& cell = {},
                           const std::optional<Array>& lengths = {});

}  // namespace heddle::nn
