// Discrete Fourier transforms along one axis of arrays with any strides; see cpu/fft_plan.h.
// X_k = sum over j of x_j e^(-2 pi i j k / n), the inverse with the other sign and divided by n.
// Results do not depend on the number of threads.
#pragma once

#include "core/view.h"

namespace heddle::cpu {

// float32 or complex64 to complex64 of the same shape; `in` and `out` may be the same memory.
void fft_complex(const View& in, const View& out, int axis, bool inverse);

// float32 to the first n / 2 + 1 elements of its spectrum, complex64.
void fft_real(const View& in, const View& out, int axis);

// The inverse of fft_real: n is the size of `out`. Imaginary parts that a real signal's spectrum
// does not have (of the first element, and of the last if n is even) are taken for zero.
void fft_to_real(const View& in, const View& out, int axis);

}  // namespace heddle::cpu
