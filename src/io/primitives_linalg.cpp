#include "heddle/ops.h"
#include "io/primitives.h"
#include "io/recorder.h"
#include "ops/linalg.h"

namespace heddle::io {
namespace {

using Values = std::vector<ExportValue>;

template <class T>
const T& op_of(const Writing& w) {
  return static_cast<const T&>(w.op);
}

Primitive only_heddle(Primitive p) {
  p.in_mlx = false;
  return p;
}
Spelling only_heddle(const char* op) {
  Spelling s{op, op};
  s.native = false;
  return s;
}

const Array& square_matrices(const Array& a) {
  if (a.ndim() < 2 || a.shape(-1) != a.shape(-2) || !is_floating(a.dtype()) || is_half(a.dtype())) {
    throw std::invalid_argument(
        fmt::format("square matrices of float32 or float64 are wanted, not {} of shape {}",
                    name_of(a.dtype()), to_string(a.shape())));
  }
  return a;
}

// The public function takes real matrices; derivatives of eigenvalues solve complex systems.
void require_complex_system(const Array& a, const Array& b) {
  const bool fits = a.ndim() >= 2 && b.ndim() == a.ndim() && a.shape(-1) == a.shape(-2) &&
                    a.shape(-1) == b.shape(-2) && a.dtype() == b.dtype() &&
                    std::equal(a.shape().begin(), a.shape().end() - 2, b.shape().begin());
  if (!fits) {
    throw std::invalid_argument(fmt::format("matrices of shapes {} and {} do not fit",
                                            to_string(a.shape()), to_string(b.shape())));
  }
}

// MLX inverts, where heddle solves.
Array product_with_inverse(const Array& a, bool triangular, bool upper, const Array& b,
                           const Stream& s) {
  Array inverse = triangular ? linalg::tri_inv(a, upper, s) : linalg::inv(a, s);
  return matmul(inverse, b, s);
}

// A triangular inverse, which heddle composes of a solution, as MLX's one primitive.
std::vector<int> write_triangular(const Writing& w) {
  const bool upper = op_of<SolveTriangular>(w).upper;
  if (!w.to.for_mlx()) return w.to.emit("SolveTriangular", {upper}, w.in, w.out);
  int inverse = w.to.emit_one("Inverse", {true, upper}, {w.in[0]}, w.to.aval(w.in[0]));
  return w.to.emit("Matmul", {}, {inverse, w.in[1]}, w.out);
}

Array pseudo_inverse(const Array& a, const Stream& s) {
  const int64_t m = a.shape(-2), n = a.shape(-1), k = std::min(m, n);
  Arrays parts = linalg::svd(a, true, s);
  auto first = [&](const Array& x, int64_t rows, int64_t columns) {
    Shape start(x.shape().size(), 0), stop = x.shape();
    stop[stop.size() - 2] = rows;
    stop.back() = columns;
    return slice(x, start, stop, s);
  };
  const double eps = a.dtype() == float64 ? 0x1p-52 : 0x1p-23;
  const Array& values = parts[1];
  Array limit =
      multiply(max(values, -1, true, s),
               Array(10.0 * static_cast<double>(std::max(m, n)) * eps, values.dtype()), s);
  Array inverted = where(greater(values, limit, s), divide(Array(1, values.dtype()), values, s),
                         Array(0, values.dtype()), s);
  Array v = conjugate(swapaxes(first(parts[2], k, n), -1, -2, s), s);
  Array u = conjugate(swapaxes(first(parts[0], m, k), -1, -2, s), s);
  return matmul(multiply(v, expand_dims(inverted, -2, s), s), u, s);
}

}  // namespace

Rows linalg_rows() {
  Rows rows;
  auto& p = rows.primitives;
  auto& s = rows.spellings;

  p.push_back({"Inverse",
               {{"triangular", Kind::boolean}, {"upper", Kind::boolean}},
               1,
               1,
               [](const Reading& r) {
                 return Arrays{r.state.flag(0) ? linalg::tri_inv(r.in[0], r.state.flag(1), r.stream)
                                               : linalg::inv(r.in[0], r.stream)};
               }});
  s.push_back({"Inverse", "Inverse", [](const Writing&) { return Values{false, true}; }});

  p.push_back({"Cholesky", {{"upper", Kind::boolean}}, 1, 1, [](const Reading& r) {
                 return Arrays{linalg::cholesky(r.in[0], r.state.flag(0), r.stream)};
               }});
  s.push_back(
      {"Cholesky", "Cholesky", [](const Writing& w) { return Values{op_of<Cholesky>(w).upper}; }});

  p.push_back({"QRF", {}, 1, 1, [](const Reading& r) {
                 auto [q, upper] = linalg::qr(r.in[0], r.stream);
                 return Arrays{q, upper};
               }});
  s.push_back({"QR", "QRF"});

  p.push_back({"SVD", {{"compute_uv", Kind::boolean}}, 1, 1, [](const Reading& r) {
                 return linalg::svd(r.in[0], r.state.flag(0), r.stream);
               }});
  s.push_back({"SVD", "SVD", [](const Writing& w) { return Values{op_of<SVD>(w).compute_uv}; }});

  p.push_back({"Eig", {{"vectors", Kind::boolean}}, 1, 1, [](const Reading& r) {
                 if (!r.state.flag(0)) return Arrays{linalg::eigvals(r.in[0], r.stream)};
                 auto [values, vectors] = linalg::eig(r.in[0], r.stream);
                 return Arrays{values, vectors};
               }});
  s.push_back({"Eig", "Eig", [](const Writing& w) { return Values{op_of<Eig>(w).vectors}; }});

  p.push_back(
      {"Eigh", {{"uplo", Kind::text}, {"vectors", Kind::boolean}}, 1, 1, [](const Reading& r) {
         const std::string& uplo = r.state.text(0);
         if (uplo != "L" && uplo != "U") throw std::invalid_argument("the triangle is L or U");
         if (!r.state.flag(1)) return Arrays{linalg::eigvalsh(r.in[0], uplo, r.stream)};
         auto [values, vectors] = linalg::eigh(r.in[0], uplo, r.stream);
         return Arrays{values, vectors};
       }});
  s.push_back({"Eigh", "Eigh", [](const Writing& w) {
                 const auto& op = op_of<Eigh>(w);
                 return Values{std::string(op.upper ? "U" : "L"), op.vectors};
               }});

  p.push_back(only_heddle({"Solve", {}, 2, 2, [](const Reading& r) {
                             if (!is_complex(r.in[0].dtype())) {
                               return Arrays{linalg::solve(r.in[0], r.in[1], r.stream)};
                             }
                             require_complex_system(r.in[0], r.in[1]);
                             return Arrays{apply(make_op<Solve>(), r.in, r.stream)};
                           }}));
  Spelling solve = only_heddle("Solve");
  solve.lower = [](const Op&, const Arrays& in, const Stream& st) {
    if (is_complex(in[0].dtype())) {
      throw std::invalid_argument(
          "[export_function] Unable to serialize primitive Solve of complex matrices: MLX has no "
          "such operation to store. Files with the suffix .heddle hold it.");
    }
    return Arrays{product_with_inverse(in[0], false, false, in[1], st)};
  };
  s.push_back(solve);

  p.push_back(only_heddle(
      {"SolveTriangular", {{"upper", Kind::boolean}}, 2, 2, [](const Reading& r) {
         return Arrays{linalg::solve_triangular(r.in[0], r.in[1], r.state.flag(0), r.stream)};
       }}));
  Spelling triangular{"SolveTriangular"};
  triangular.write = write_triangular;
  s.push_back(triangular);

  p.push_back(only_heddle({"PseudoInverse", {}, 1, 1, [](const Reading& r) {
                             return Arrays{linalg::pinv(r.in[0], r.stream)};
                           }}));
  Spelling pseudo = only_heddle("PseudoInverse");
  pseudo.lower = [](const Op&, const Arrays& in, const Stream& st) {
    return Arrays{pseudo_inverse(in[0], st)};
  };
  pseudo.pins_sizes = true;
  s.push_back(pseudo);

  // MLX cannot store its LU factorization, and has no determinants.
  p.push_back(only_heddle({"LU", {}, 1, 1, [](const Reading& r) {
                             linalg::lu_factor(r.in[0], r.stream);  // checks
                             return apply_multi(make_op<LU>(), r.in, r.stream);
                           }}));
  s.push_back(only_heddle("LU"));
  p.push_back(only_heddle(
      {"Det", {}, 1, 1, [](const Reading& r) { return Arrays{linalg::det(r.in[0], r.stream)}; }}));
  s.push_back(only_heddle("Det"));
  p.push_back(only_heddle({"SLogDet", {}, 1, 1, [](const Reading& r) {
                             auto [sign, logarithm] = linalg::slogdet(r.in[0], r.stream);
                             return Arrays{sign, logarithm};
                           }}));
  s.push_back(only_heddle("SLogDet"));
  p.push_back(only_heddle({"Cofactors", {}, 1, 1, [](const Reading& r) {
                             return Arrays{
                                 apply(make_op<Cofactors>(), {square_matrices(r.in[0])}, r.stream)};
                           }}));
  s.push_back(only_heddle("Cofactors"));
  return rows;
}

}  // namespace heddle::io
