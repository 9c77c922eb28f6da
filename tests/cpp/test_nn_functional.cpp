// What layers compute, as functions: pools of every form beside loops over their windows, and each
// function once as a program calls it. Beside torch: tests/python/test_nn_functional.py.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "heddle/heddle.h"
#include "heddle/nn/functional.h"
#include "nn_checks.h"

using namespace heddle;
using test::close;

namespace {

// One window of a line with padding: what lies in it, and how many elements count.
struct Window {
  std::vector<float> inside;
  int with_padding = 0;
};

std::vector<Window> windows_of(const std::vector<float>& line, int kernel, int stride, int before,
                               int after, int dilation, bool ceil_mode) {
  const int n = static_cast<int>(line.size()), reach = dilation * (kernel - 1) + 1;
  std::vector<Window> out;
  for (int start = 0;; start += stride) {
    const int last = start + reach - 1;
    // A window that leaves the padding is one of ceil_mode's, and starts before the padding's end.
    if (last >= n + before + after && (!ceil_mode || start >= n + before)) break;
    if (last >= n + before + after + stride - 1) break;
    Window w;
    for (int k = 0; k < kernel; k++) {
      const int at = start + k * dilation;
      if (at < n + before + after) w.with_padding++;
      if (at >= before && at < n + before)
        w.inside.push_back(line[static_cast<size_t>(at - before)]);
    }
    out.push_back(w);
    if (last >= n + before + after) break;
  }
  return out;
}

}  // namespace

TEST_CASE("pools of every form have what their windows have") {
  const std::vector<float> line{3, -1, 4, 1, -5, 9, 2, 6, -5};
  const Array x(line.begin(), Shape{1, 9, 1});
  auto near = [](const Array& y, const std::vector<float>& wanted) {
    return close(y, Array(wanted.begin(), Shape{1, static_cast<int64_t>(wanted.size()), 1}), 1e-6);
  };
  int forms = 0;
  for (int form = 0; form < 3 * 3 * 3 * 3 * 2 * 2; form++) {
    int rest = form;
    auto next = [&](int count) {
      const int value = rest % count;
      rest /= count;
      return value;
    };
    const int kernel = 1 + next(3), stride = 1 + next(3), before = next(3), after = next(3);
    const int dilation = 1 + next(2);
    const bool ceil_mode = next(2) == 1;
    const nn::Windows w{{kernel}, {stride}, {{before, after}}, {dilation}, ceil_mode};
    std::vector<float> largest, all, inside, sums;
    bool empty = false;
    for (const Window& window :
         windows_of(line, kernel, stride, before, after, dilation, ceil_mode)) {
      float sum = 0, top = -std::numeric_limits<float>::infinity();
      for (float value : window.inside) {
        sum += value;
        top = std::max(top, value);
      }
      empty = empty || window.inside.empty();
      largest.push_back(top);
      sums.push_back(sum / 4);
      all.push_back(sum / static_cast<float>(window.with_padding));
      inside.push_back(sum / static_cast<float>(window.inside.size()));
    }
    CAPTURE(form);
    CHECK(near(nn::max_pool(x, w), largest));
    CHECK(near(nn::average_pool(x, w), all));
    CHECK(near(nn::average_pool(x, w, {.divisor = 4}), sums));
    if (empty) {
      CHECK_THROWS_AS(nn::max_pool_with_indices(x, w), std::invalid_argument);
      CHECK_THROWS_AS(nn::average_pool(x, w, {.count_include_pad = false}), std::invalid_argument);
      continue;
    }
    forms++;
    CHECK(near(nn::average_pool(x, w, {.count_include_pad = false}), inside));
    auto [values, indices] = nn::max_pool_with_indices(x, w);
    CHECK(near(values, largest));
    CHECK(near(take(x, flatten(indices), 1), largest));
  }
  CHECK(forms > 150);
}

TEST_CASE("every function as a program calls it") {
  const Array x = random::normal({2, 6, 4}), ones4 = ones({4});
  const Array scale = full({4}, Array(2.f));
  CHECK(close(nn::linear(x, ones({3, 4})), matmul(x, ones({4, 3}))));
  CHECK(nn::bilinear(x, x, ones({3, 4, 4}), ones({3})).shape() == Shape{2, 6, 3});
  CHECK(close(nn::dropout(x, 0), x));
  const Array key = random::key(1);
  CHECK(close(nn::dropout(x, 0.5, 1, key), nn::dropout(x, 0.5, 1, key)));
  CHECK(close(mean(nn::instance_norm(x, scale, ones4), {1}), ones({2, 4})));
  CHECK(close(nn::group_norm(x, 1), nn::group_norm(x, 1, {}, {}, 1e-5, nn::Grouping::strided)));
  auto [y, running] = nn::batch_norm(x, nn::RunningStatistics{zeros({4}), ones4}, {}, {},
                                     {.training = true, .momentum = 1});
  CHECK(close(running.mean, mean(x, {0, 1}), 1e-4));
  CHECK(close(running.variance, var(x, std::vector<int>{0, 1}, false, 1), 1e-4));
  CHECK(close(nn::batch_norm(x).result, y));
  CHECK_FALSE(bool(nn::batch_norm(x).running.mean));
  CHECK(nn::adaptive_average_pool(x, {4}).shape() == Shape{2, 4, 4});
  CHECK(close(nn::adaptive_max_pool(x, {1}), max(x, {1}, true)));
  CHECK(nn::adaptive_max_pool_with_indices(x, {-1}).indices.dtype() == uint32);
  CHECK(close(nn::pad(x, {{0, 0}, {6, 6}, {0, 0}}, nn::PadMode::circular), tile(x, {1, 3, 1})));
  CHECK(nn::pad_mode_from("edge") == nn::PadMode::replicate);
  const Array frequencies = nn::sinusoidal_frequencies(4);
  CHECK(close(frequencies, Array({1.f, 0.0001f})));
  CHECK(close(nn::sinusoidal_encoding(zeros({1}), frequencies, 2, true),
              reshape(Array({2.f, 2.f, 0.f, 0.f}), {1, 4})));
  CHECK(close(flatten(nn::alibi_slopes(2)), Array({0.0625f, 0.00390625f})));
  CHECK(close(nn::alibi(zeros({1, 2, 3, 3})), nn::alibi_matrix(3, 3, 2)));
  CHECK(close(nn::multi_head_attention(x, x, ones_like(x), 2, "causal"), ones_like(x)));
  CHECK(close(nn::residual_branches(
                  x, {{[](const Array& z) { return z; }, [](const Array& z) { return z + z; }}}),
              x * Array(3.f)));
  CHECK(close(nn::rnn(x, ones({1, 4}), zeros({1, 1}), {}, {},
                      nn::Part([](const Array& z) { return square(z); })),
              square(sum(x, {2}, true)), 1e-4));
  nn::RecurrentWeights weights{random::normal({12, 4}), random::normal({12, 3})};
  auto layers =
      nn::recurrent_layers(x, {weights, weights}, {.cell = nn::Cell::lstm, .bidirectional = true});
  CHECK(layers.output.shape() == Shape{2, 6, 6});
  CHECK(layers.cell.shape() == Shape{2, 2, 3});
  CHECK(close(
      take(layers.output, -1, 1),
      concatenate(
          {take(layers.hidden, 0, 0), take(take(layers.output, -1, 1), Array({3, 4, 5}), 1)}, 1)));
}
