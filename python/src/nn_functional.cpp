// In heddle.core._nn: the functions of heddle/nn/functional.h, which layers call.
#include "heddle/nn/functional.h"
#include "nn.h"

namespace heddle::python {
namespace {

using Ints = std::vector<int64_t>;

nn::Windows windows_of(const Ints& kernel, const Ints& stride, const PadWidths& padding,
                       const Ints& dilation, bool ceil_mode) {
  return {Shape(kernel.begin(), kernel.end()), Shape(stride.begin(), stride.end()), padding,
          Shape(dilation.begin(), dilation.end()), ceil_mode};
}

nb::object pair(nn::MaxPooled found) {
  return nb::make_tuple(wrap(std::move(found.values)), wrap(std::move(found.indices)));
}

void bind_pools(nb::module_& m) {
  m.def(
      "max_pool",
      [](const Array& x, const Ints& kernel, const Ints& stride, const PadWidths& padding,
         const Ints& dilation, bool ceil_mode) {
        return nn::max_pool(x, windows_of(kernel, stride, padding, dilation, ceil_mode));
      },
      "x"_a, "kernel"_a, "stride"_a = Ints{}, "padding"_a = PadWidths{}, "dilation"_a = Ints{},
      "ceil_mode"_a = false);
  m.def(
      "max_pool_with_indices",
      [](const Array& x, const Ints& kernel, const Ints& stride, const PadWidths& padding,
         const Ints& dilation, bool ceil_mode) {
        return pair(
            nn::max_pool_with_indices(x, windows_of(kernel, stride, padding, dilation, ceil_mode)));
      },
      "x"_a, "kernel"_a, "stride"_a = Ints{}, "padding"_a = PadWidths{}, "dilation"_a = Ints{},
      "ceil_mode"_a = false);
  m.def(
      "average_pool",
      [](const Array& x, const Ints& kernel, const Ints& stride, const PadWidths& padding,
         const Ints& dilation, bool ceil_mode, bool count_include_pad,
         std::optional<int64_t> divisor) {
        return nn::average_pool(x, windows_of(kernel, stride, padding, dilation, ceil_mode),
                                {count_include_pad, divisor});
      },
      "x"_a, "kernel"_a, "stride"_a = Ints{}, "padding"_a = PadWidths{}, "dilation"_a = Ints{},
      "ceil_mode"_a = false, "count_include_pad"_a = true, "divisor"_a = nb::none());
  m.def(
      "adaptive_max_pool",
      [](const Array& x, const Ints& sizes) {
        return nn::adaptive_max_pool(x, Shape(sizes.begin(), sizes.end()));
      },
      "x"_a, "sizes"_a);
  m.def(
      "adaptive_max_pool_with_indices",
      [](const Array& x, const Ints& sizes) {
        return pair(nn::adaptive_max_pool_with_indices(x, Shape(sizes.begin(), sizes.end())));
      },
      "x"_a, "sizes"_a);
  m.def(
      "adaptive_average_pool",
      [](const Array& x, const Ints& sizes) {
        return nn::adaptive_average_pool(x, Shape(sizes.begin(), sizes.end()));
      },
      "x"_a, "sizes"_a);
}

}  // namespace

void bind_nn_functions(nb::module_& m) { bind_pools(m); }

}  // namespace heddle::python
