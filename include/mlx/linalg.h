// Linear algebra in MLX's forms.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "heddle/ops/linalg.h"
#include "mlx/utils.h"

namespace mlx::core::linalg {

inline array norm(const array& a, const double ord,
                  const std::optional<std::vector<int>>& axis = {}, bool keepdims = false,
                  StreamOrDevice s = {}) {
  return heddle::linalg::norm(a, ord, axis, keepdims, detail::in(s));
}
inline array norm(const array& a, const std::string& ord,
                  const std::optional<std::vector<int>>& axis = {}, bool keepdims = false,
                  StreamOrDevice s = {}) {
  return heddle::linalg::norm(a, ord, axis, keepdims, detail::in(s));
}
inline array norm(const array& a, const std::optional<std::vector<int>>& axis = {},
                  bool keepdims = false, StreamOrDevice s = {}) {
  return heddle::linalg::norm(a, axis, keepdims, detail::in(s));
}
inline array norm(const array& a, const double ord, int axis, bool keepdims = false,
                  StreamOrDevice s = {}) {
  return norm(a, ord, std::vector<int>{axis}, keepdims, s);
}
inline array norm(const array& a, const std::string& ord, int axis, bool keepdims = false,
                  StreamOrDevice s = {}) {
  return norm(a, ord, std::vector<int>{axis}, keepdims, s);
}
inline array norm(const array& a, int axis, bool keepdims = false, StreamOrDevice s = {}) {
  return norm(a, std::vector<int>{axis}, keepdims, s);
}
inline std::pair<array, array> qr(const array& a, StreamOrDevice s = {}) {
  return detail::out(heddle::linalg::qr(a, detail::in(s)));
}
inline std::vector<array> svd(const array& a, bool compute_uv, StreamOrDevice s) {
  return detail::out(heddle::linalg::svd(a, compute_uv, detail::in(s)));
}
inline std::vector<array> svd(const array& a, StreamOrDevice s = {}) { return svd(a, true, s); }
inline array inv(const array& a, StreamOrDevice s = {}) {
  return heddle::linalg::inv(a, detail::in(s));
}
inline array tri_inv(const array& a, bool upper = false, StreamOrDevice s = {}) {
  return heddle::linalg::tri_inv(a, upper, detail::in(s));
}
inline array cholesky(const array& a, bool upper = false, StreamOrDevice s = {}) {
  return heddle::linalg::cholesky(a, upper, detail::in(s));
}
inline array pinv(const array& a, StreamOrDevice s = {}) {
  return heddle::linalg::pinv(a, detail::in(s));
}
inline array cholesky_inv(const array& a, bool upper = false, StreamOrDevice s = {}) {
  return heddle::linalg::cholesky_inv(a, upper, detail::in(s));
}
inline std::vector<array> lu(const array& a, StreamOrDevice s = {}) {
  return detail::out(heddle::linalg::lu(a, detail::in(s)));
}
inline std::pair<array, array> lu_factor(const array& a, StreamOrDevice s = {}) {
  return detail::out(heddle::linalg::lu_factor(a, detail::in(s)));
}
inline array solve(const array& a, const array& b, StreamOrDevice s = {}) {
  return heddle::linalg::solve(a, b, detail::in(s));
}
inline array solve_triangular(const array& a, const array& b, bool upper = false,
                              StreamOrDevice s = {}) {
  return heddle::linalg::solve_triangular(a, b, upper, detail::in(s));
}
inline array cross(const array& a, const array& b, int axis = -1, StreamOrDevice s = {}) {
  return heddle::linalg::cross(a, b, axis, detail::in(s));
}
inline std::pair<array, array> eig(const array& a, StreamOrDevice s = {}) {
  return detail::out(heddle::linalg::eig(a, detail::in(s)));
}
inline array eigvals(const array& a, StreamOrDevice s = {}) {
  return heddle::linalg::eigvals(a, detail::in(s));
}
inline array eigvalsh(const array& a, std::string UPLO = "L", StreamOrDevice s = {}) {
  return heddle::linalg::eigvalsh(a, UPLO, detail::in(s));
}
inline std::pair<array, array> eigh(const array& a, std::string UPLO = "L", StreamOrDevice s = {}) {
  return detail::out(heddle::linalg::eigh(a, UPLO, detail::in(s)));
}
inline array det(const array& a, StreamOrDevice s = {}) {
  return heddle::linalg::det(a, detail::in(s));
}
inline std::pair<array, array> slogdet(const array& a, StreamOrDevice s = {}) {
  return detail::out(heddle::linalg::slogdet(a, detail::in(s)));
}

}  // namespace mlx::core::linalg
