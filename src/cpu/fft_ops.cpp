// Fourier transforms on their kernels: one axis after the other.
#include "cpu/fft.h"
#include "cpu/kernel.h"
#include "ops/fft.h"

namespace heddle::cpu {
namespace {

const RegisterKernel<FFT> fft_kernel([](const Work& w) {
  const FFT& op = op_of<FFT>(w);
  const View in = w.input(0).view();
  Node& out = w.output();
  const int last = op.axes.back();
  if (op.real && op.inverse) {
    out.allocate_dense();
    View half = in;
    BufferRef memory;
    for (size_t i = 0; i + 1 < op.axes.size() && out.size() > 0; i++) {
      if (i == 0) {
        memory = allocate(static_cast<size_t>(in.size()) * sizeof(complex64_t));
        half = View{memory->data, in.dtype, in.shape, row_major_strides(in.shape)};
      }
      fft_complex(i == 0 ? in : half, half, op.axes[i], true);
    }
    if (out.size() > 0) fft_to_real(half, out.view(), last);
    return;
  }
  if (op.real) {
    out.allocate_dense();
  } else {
    allocate_or_donate(w, 0, 0);
  }
  if (out.size() == 0) return;
  const View result = out.view();
  if (op.real) fft_real(in, result, last);
  for (size_t i = 0; i + (op.real ? 1 : 0) < op.axes.size(); i++) {
    fft_complex(i == 0 && !op.real ? in : result, result, op.axes[i], op.inverse);
  }
});

}  // namespace
}  // namespace heddle::cpu
