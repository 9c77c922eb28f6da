// What the rules of linear algebra share. All of it acts on the last two axes.
#pragma once

#include "core/op.h"
#include "ops/checks.h"

namespace heddle {

// The conjugate transpose.
Array adjoint(const Array& a);

// The matrix with these diagonals: (..., n) to (..., n, n).
Array diagonal_matrix(const Array& d);
Array diagonal_of(const Array& a);  // (..., n, n) to (..., n)

// The matrix with zeros on its diagonal.
Array off_diagonal(const Array& a);

// a / b, but 0 where a is 0, whatever b is.
Array quotient(const Array& a, const Array& b);

// A block of rows and columns [from, to).
Array block(const Array& a, int64_t row_from, int64_t row_to, int64_t column_from,
            int64_t column_to);

// (..., n, n)[i, j] = x[j] - x[i].
Array differences(const Array& x);

// Throws std::invalid_argument "[linalg::op] ..." in MLX's words.
template <class... T>
[[noreturn]] void refuse_matrices(const char* op, fmt::format_string<T...> text,
                                  const T&... values) {
  refuse(fmt::format("linalg::{}", op), text, values...);
}
void require_matrices(const char* op, const Array& a);
void require_square(const char* op, const Array& a, const char* message);
void require_real(const char* op, const Array& a);             // float32 or float64
void require_real_or_complex(const char* op, const Array& a);  // or complex64

}  // namespace heddle
