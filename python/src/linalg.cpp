// The submodule heddle.core.linalg.
#include <fmt/format.h>

#include "bind.h"

namespace heddle::python {
namespace {

// "def name(arguments, *, stream: ... = None) -> result"
const char* signature(const char* name, const char* arguments, const char* result) {
  return keep(
      fmt::format("def {}({}, *, stream: Stream | ThreadLocalStream | Device | DeviceType | None = "
                  "None) -> {}",
                  name, arguments, result));
}

nb::tuple to_tuple(const Arrays& arrays) {
  nb::list items;
  for (const Array& a : arrays) items.append(wrap(a));
  return nb::tuple(items);
}

void bind_spectral(nb::module_& m) {
  m.def(
      "svd",
      [](const Array& a, bool compute_uv, const StreamOrDevice& s) -> nb::object {
        const Arrays parts = linalg::svd(a, compute_uv, s);
        if (!compute_uv) return wrap(parts[0]);
        return to_tuple(parts);
      },
      "a"_a, "compute_uv"_a = true, nb::kw_only(), "stream"_a = nb::none(),
      nb::sig(signature("svd", "a: array, compute_uv: bool = True",
                        "array | tuple[array, array, array]")),
      R"(
The singular value decomposition of matrices.

Args:
  a: shape ``(..., M, N)``; float32, float64 or complex64.
  compute_uv: also give the singular vectors.

Returns:
  array or tuple: ``U`` of shape ``(..., M, M)``, ``S`` with the ``K = min(M, N)`` singular values in
  descending order, and ``Vt`` of shape ``(..., N, N)``, so that ``a = (U[..., :K] * S[..., None, :]) @
  Vt[..., :K, :]``; or ``S`` alone.

Raises:
  ValueError: fewer than two dimensions, another dtype.
  RuntimeError: at evaluation, elements that are NaN or infinite.)");
}

}  // namespace

void bind_linalg(nb::module_& m) {
  nb::module_ linalg =
      add_submodule(m, "linalg", "Linear algebra: factorizations, inverses, norms.");
  bind_spectral(linalg);
}

}  // namespace heddle::python
