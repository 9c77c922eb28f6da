// Convolutions.
#include <fmt/format.h>

#include "bind.h"
#include "heddle/ops/conv.h"

namespace heddle::python {
namespace {

using Extent = std::variant<int, std::vector<int>>;
// Symmetric padding, or a pair of sequences: before and after.
using Padding = std::variant<int, std::vector<int>, std::pair<std::vector<int>, std::vector<int>>>;

std::vector<int> list_of(const Extent& e) {
  if (const int* n = std::get_if<int>(&e)) return {*n};
  return std::get<std::vector<int>>(e);
}

void bind_dims(nb::module_& m, int dims) {
  std::string size = dims == 1   ? "int"
                     : dims == 2 ? "Union[int, tuple[int, int]]"
                                 : "Union[int, tuple[int, int, int]]";
  auto text = [&](const char* name, bool transposed) {
    return fmt::format(
        "def {}{}d(input: array, weight: array, /, stride: {} = 1, padding: {} = 0, dilation: {} = "
        "1, "
        "{}groups: int = 1, *, stream: StreamOrDevice = None) -> array",
        name, dims, size, size, size,
        transposed ? fmt::format("output_padding: {} = 0, ", size) : "");
  };
  std::string forward = text("conv", false), backward = text("conv_transpose", true);
  m.def(
      fmt::format("conv{}d", dims).c_str(),
      [dims](const Array& input, const Array& weight, Extent stride, Extent padding,
             Extent dilation, int groups, StreamOrDevice s) {
        return conv(dims, input, weight, list_of(stride), list_of(padding), list_of(dilation),
                    groups, s);
      },
      nb::arg(), nb::arg(), "stride"_a = 1, "padding"_a = 0, "dilation"_a = 1, "groups"_a = 1,
      nb::kw_only(), "stream"_a = nb::none(), nb::sig(forward.c_str()),
      R"(Convolution of channels-last arrays.

Args:
  input: shape ``(N, spatial..., C_in)``, floating.
  weight: shape ``(C_out, kernel..., C_in / groups)``.
  stride, padding, dilation: one number for all spatial dimensions, or one for each.
  groups: channels are convolved in so many separate groups.

Returns:
  array: shape ``(N, spatial..., C_out)``.

Raises:
  ValueError: ranks, channels or groups that do not fit, or a kernel larger than the padded input.)");
  m.def(
      fmt::format("conv_transpose{}d", dims).c_str(),
      [dims](const Array& input, const Array& weight, Extent stride, Extent padding,
             Extent dilation, Extent output_padding, int groups, StreamOrDevice s) {
        return conv_transpose(dims, input, weight, list_of(stride), list_of(padding),
                              list_of(dilation), list_of(output_padding), groups, s);
      },
      nb::arg(), nb::arg(), "stride"_a = 1, "padding"_a = 0, "dilation"_a = 1,
      "output_padding"_a = 0, "groups"_a = 1, nb::kw_only(), "stream"_a = nb::none(),
      nb::sig(backward.c_str()),
      R"(Transposed convolution of channels-last arrays: the adjoint of a convolution in its input.

Args are those of the convolution; ``output_padding`` adds to the end of each spatial dimension of the
result.)");
}

}  // namespace

void bind_convolution(nb::module_& m) {
  for (int dims = 1; dims <= 3; dims++) bind_dims(m, dims);
  m.def(
      "conv_general",
      [](const Array& input, const Array& weight, Extent stride, Padding padding,
         Extent kernel_dilation, Extent input_dilation, int groups, bool flip, StreamOrDevice s) {
        std::vector<int> low, high;
        if (const int* n = std::get_if<int>(&padding)) {
          low = high = {*n};
        } else if (const auto* list = std::get_if<std::vector<int>>(&padding)) {
          low = high = *list;
        } else {
          std::tie(low, high) = std::get<2>(padding);
        }
        return conv_general(input, weight, list_of(stride), low, high, list_of(kernel_dilation),
                            list_of(input_dilation), groups, flip, s);
      },
      nb::arg(), nb::arg(), "stride"_a = 1, "padding"_a = 0, "kernel_dilation"_a = 1,
      "input_dilation"_a = 1, "groups"_a = 1, "flip"_a = false, nb::kw_only(),
      "stream"_a = nb::none(),
      nb::sig(
          "def conv_general(input: array, weight: array, /, stride: Union[int, Sequence[int]] = 1, "
          "padding: Union[int, Sequence[int], tuple[Sequence[int], Sequence[int]]] = 0, "
          "kernel_dilation: Union[int, Sequence[int]] = 1, input_dilation: Union[int, "
          "Sequence[int]] "
          "= 1, groups: int = 1, flip: bool = False, *, stream: StreamOrDevice = None) -> array"),
      R"(Convolution of channels-last arrays in its general form, one to three spatial dimensions.

Args:
  input: shape ``(N, spatial..., C_in)``, floating.
  weight: shape ``(C_out, kernel..., C_in / groups)``.
  padding: for both sides, or a pair of sequences for before and after.
  kernel_dilation, input_dilation: the step between elements of the kernel and of the input.
  flip: reverse the kernel, as the mathematical convolution does.

Raises:
  ValueError: ranks, channels, groups or sizes that do not fit.)");
  m.def(
      "convolve",
      [](const Array& a, const Array& v, const std::string& mode, StreamOrDevice s) {
        return convolve(a, v, mode, s);
      },
      nb::arg(), nb::arg(), "mode"_a = "full", nb::kw_only(), "stream"_a = nb::none(),
      nb::sig(
          "def convolve(a: array, v: array, /, mode: str = \"full\", *, stream: StreamOrDevice = "
          "None) -> array"),
      "Convolution of two vectors as numpy's: mode \"full\", \"same\" or \"valid\".");
}

}  // namespace heddle::python
