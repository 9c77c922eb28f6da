#include "convert/mlxfn/primitives.h"
#include "convert/recorder.h"
#include "heddle/ops.h"
#include "ops/linalg.h"

namespace heddle::convert::mlxfn {
namespace {

// MLX inverts, where heddle solves.
Array product_with_inverse(const Array& a, bool triangular, bool upper, const Array& b,
                           const Stream& s) {
  Array inverse = triangular ? linalg::tri_inv(a, upper, s) : linalg::inv(a, s);
  return matmul(inverse, b, s);
}

// A triangular inverse, which heddle composes of a solution, as MLX's one primitive.
std::vector<int> write_triangular(const Writing& w) {
  const bool upper = op_of<SolveTriangular>(w).upper;
  int inverse = emit_one(w, "Inverse", {true, upper}, {w.in[0]}, w.to.aval(w.in[0]));
  return emit(w, "Matmul", {}, {inverse, w.in[1]}, w.out);
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
                 return Arrays{r.flag(0) ? linalg::tri_inv(r.in[0], r.flag(1), r.stream)
                                         : linalg::inv(r.in[0], r.stream)};
               }});
  s.push_back({"Inverse", "Inverse", [](const Writing&) { return Values{false, true}; }});

  p.push_back({"Cholesky", {{"upper", Kind::boolean}}, 1, 1, [](const Reading& r) {
                 return Arrays{linalg::cholesky(r.in[0], r.flag(0), r.stream)};
               }});
  s.push_back(
      {"Cholesky", "Cholesky", [](const Writing& w) { return Values{op_of<Cholesky>(w).upper}; }});

  p.push_back({"QRF", {}, 1, 1, [](const Reading& r) {
                 auto [q, upper] = linalg::qr(r.in[0], r.stream);
                 return Arrays{q, upper};
               }});
  s.push_back({"QR", "QRF"});

  p.push_back({"SVD", {{"compute_uv", Kind::boolean}}, 1, 1, [](const Reading& r) {
                 return linalg::svd(r.in[0], r.flag(0), r.stream);
               }});
  s.push_back({"SVD", "SVD", [](const Writing& w) { return Values{op_of<SVD>(w).compute_uv}; }});

  p.push_back({"Eig", {{"vectors", Kind::boolean}}, 1, 1, [](const Reading& r) {
                 if (!r.flag(0)) return Arrays{linalg::eigvals(r.in[0], r.stream)};
                 auto [values, vectors] = linalg::eig(r.in[0], r.stream);
                 return Arrays{values, vectors};
               }});
  s.push_back({"Eig", "Eig", [](const Writing& w) { return Values{op_of<Eig>(w).vectors}; }});

  p.push_back(
      {"Eigh", {{"uplo", Kind::text}, {"vectors", Kind::boolean}}, 1, 1, [](const Reading& r) {
         const std::string& uplo = r.text(0);
         if (uplo != "L" && uplo != "U") throw std::invalid_argument("the triangle is L or U");
         if (!r.flag(1)) return Arrays{linalg::eigvalsh(r.in[0], uplo, r.stream)};
         auto [values, vectors] = linalg::eigh(r.in[0], uplo, r.stream);
         return Arrays{values, vectors};
       }});
  s.push_back({"Eigh", "Eigh", [](const Writing& w) {
                 const auto& op = op_of<Eigh>(w);
                 return Values{std::string(op.upper ? "U" : "L"), op.vectors};
               }});

  Spelling solve{"Solve"};
  solve.lower = [](const Op&, const Arrays& in, const Stream& st) {
    if (is_complex(in[0].dtype())) {
      throw std::invalid_argument(
          "[export_function] Unable to serialize primitive Solve of complex matrices: MLX has no "
          "such operation to store. Files with the suffix .heddle hold it.");
    }
    return Arrays{product_with_inverse(in[0], false, false, in[1], st)};
  };
  s.push_back(solve);

  Spelling triangular{"SolveTriangular"};
  triangular.write = write_triangular;
  s.push_back(triangular);

  Spelling pseudo{"PseudoInverse"};
  pseudo.lower = [](const Op&, const Arrays& in, const Stream& st) {
    return Arrays{pseudo_inverse(in[0], st)};
  };
  pseudo.pins_sizes = true;
  s.push_back(pseudo);

  return rows;
}

}  // namespace heddle::convert::mlxfn
