// What graphs show of MLX's own operations: the names of their primitives.
#include "mlx/primitives.h"

#include <functional>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "mlx/mlx.h"

using namespace mlx::core;

int main() {
  array x({0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f}, {2, 3});
  array y({1.5f, 2.5f, 3.5f, 4.5f, 5.5f, 6.5f}, {2, 3});
  array n({3, 1, 2, 6, 5, 4}, {2, 3});
  array square_matrix({2.0f, 1.0f, 1.0f, 3.0f}, {2, 2});
  const std::vector<std::pair<std::string, array>> graphs{
      {"abs", abs(x)},
      {"add", x + y},
      {"addmm", addmm(array(1.0f), x, transpose(y))},
      {"arange", arange(0.0, 5.0, 1.0)},
      {"arccos", arccos(x)},
      {"arctan2", arctan2(x, y)},
      {"argmax", argmax(x, 1, true)},
      {"argpartition", argpartition(x, 1, 1)},
      {"argsort", argsort(x, 1)},
      {"astype", astype(x, int32)},
      {"as_strided", as_strided(x, {2, 2}, {1, 1}, 0)},
      {"bitwise_and", bitwise_and(n, n)},
      {"left_shift", left_shift(n, n)},
      {"broadcast_to", broadcast_to(x, {4, 2, 3})},
      {"ceil", ceil(x)},
      {"concatenate", concatenate({x, y}, 0)},
      {"conv1d", conv1d(ones({1, 5, 2}), ones({3, 2, 2}))},
      {"cos", cos(x)},
      {"cummax", cummax(x, 1)},
      {"cumsum", cumsum(x, 1)},
      {"divide", x / y},
      {"equal", equal(x, y)},
      {"erf", erf(x)},
      {"exp", exp(x)},
      {"expand_dims", expand_dims(x, 0)},
      {"expm1", expm1(x)},
      {"flatten", flatten(x)},
      {"floor", floor(x)},
      {"greater", x > y},
      {"less_equal", x <= y},
      {"log", log(y)},
      {"log2", log2(y)},
      {"log10", log10(y)},
      {"log1p", log1p(y)},
      {"logaddexp", logaddexp(x, y)},
      {"logical_not", logical_not(x)},
      {"logical_and", logical_and(x, y)},
      {"matmul", matmul(x, transpose(y))},
      {"max", max(x, 1, true)},
      {"prod", prod(x, 1, true)},
      {"sum", sum(x, 1, true)},
      {"all", all(x, 1, true)},
      {"maximum", maximum(x, y)},
      {"negative", -x},
      {"pad", pad(x, 1)},
      {"partition", partition(x, 1, 1)},
      {"power", power(x, y)},
      {"remainder", remainder(x, y)},
      {"reshape", reshape(x, {3, 2})},
      {"round", round(x)},
      {"rsqrt", rsqrt(y)},
      {"sigmoid", sigmoid(x)},
      {"sign", sign(x)},
      {"sin", sin(x)},
      {"slice", slice(x, {0, 1}, {2, 3})},
      {"slice_update", slice_update(x, slice(y, {0, 0}, {1, 3}), Shape{0, 0}, Shape{1, 3})},
      {"softmax", softmax(x, 1)},
      {"logsumexp", logsumexp(x, 1, true)},
      {"sort", sort(x, 1)},
      {"split", split(x, 3, 1)[0]},
      {"sqrt", sqrt(x)},
      {"square", square(x)},
      {"squeeze", squeeze(reshape(x, {1, 6}))},
      {"stop_gradient", stop_gradient(x)},
      {"subtract", x - y},
      {"take_along_axis", take_along_axis(x, zeros({2, 1}, int32), 1)},
      {"tan", tan(x)},
      {"tanh", tanh(x)},
      {"transpose", transpose(x)},
      {"unflatten", unflatten(x, 1, {3, 1})},
      {"view", view(x, int32)},
      {"where", where(x > y, x, y)},
      {"bits", random::bits({3})},
      {"cholesky", linalg::cholesky(square_matrix)},
      {"inverse", linalg::inv(square_matrix)},
      {"fft", fft::fft(x)},
      {"contiguous", contiguous(transpose(x))},
  };
  for (const auto& [label, a] : graphs) {
    std::cout << label << ": " << (a.has_primitive() ? a.primitive().name() : "none") << std::endl;
  }
}
