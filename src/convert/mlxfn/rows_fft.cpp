#include "convert/mlxfn/primitives.h"
#include "convert/recorder.h"
#include "heddle/ops.h"
#include "heddle/ops/fft.h"
#include "ops/fft.h"

namespace heddle::convert::mlxfn {

Rows fft_rows() {
  Rows rows;
  Field odd{"odd_out", Kind::boolean, 0, {0, 32, 4}};
  rows.primitives.push_back(
      {"FFT",
       {{"axes", Kind::sizes}, {"inverse", Kind::boolean}, {"real", Kind::boolean}, odd},
       1,
       1,
       [](const Reading& r) {
         const Array& x = r.in[0];
         const bool inverse = r.flag(1), real = r.flag(2);
         std::vector<int> axes;
         for (int64_t axis : std::get<std::vector<int64_t>>(r.attributes[0].second)) {
           axes.push_back(normalize_axis("fft", axis, x.ndim()));
         }
         if (axes.empty()) throw std::invalid_argument("some axes are wanted");
         Shape sizes;
         for (int axis : axes) sizes.push_back(x.shape(axis));
         if (real && inverse) sizes.back() = 2 * (sizes.back() - 1) + (r.flag(3) ? 1 : 0);
         using Transform = Array (*)(const Array&, const Shape&, const std::vector<int>&,
                                     fft::FFTNorm, StreamOrDevice);
         constexpr Transform transforms[2][2] = {{fft::fftn, fft::ifftn},
                                                 {fft::rfftn, fft::irfftn}};
         Transform transform = transforms[real][inverse];
         return Arrays{transform(x, sizes, axes, fft::FFTNorm::Backward, r.stream)};
       }});
  // MLX reads the last field from files of any version.
  rows.primitives.back().written_since = odd.since;
  rows.spellings.push_back({"FFT", "FFT", [](const Writing& w) {
                              const auto& op = op_of<FFT>(w);
                              Values state;
                              state.emplace_back(
                                  std::vector<int64_t>(op.axes.begin(), op.axes.end()));
                              state.emplace_back(op.inverse);
                              state.emplace_back(op.real);
                              state.emplace_back(op.odd);
                              return state;
                            }});
  return rows;
}

}  // namespace heddle::convert::mlxfn
