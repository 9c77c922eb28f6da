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

}  // namespace

Rows linalg_rows() {
  Rows rows;
  auto& p = rows.primitives;
  auto& s = rows.spellings;

  p.push_back({"SVD", {{"compute_uv", Kind::boolean}}, 1, 1, [](const Reading& r) {
                 return linalg::svd(r.in[0], r.state.flag(0), r.stream);
               }});
  s.push_back({"SVD", "SVD", [](const Writing& w) { return Values{op_of<SVD>(w).compute_uv}; }});
  return rows;
}

}  // namespace heddle::io
