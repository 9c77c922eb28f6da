#include "io/primitives.h"

namespace heddle::io {
namespace {

struct Tables {
  std::vector<Rows> families;
  std::unordered_map<std::string, const Primitive*> primitives;
  std::unordered_map<std::string, const Spelling*> spellings;

  Tables() {
    for (auto* rows : {pointwise_rows, shape_rows, index_rows, reduce_rows, product_rows, fast_rows,
                       linalg_rows, fft_rows, quantize_rows}) {
      families.push_back(rows());
    }
    for (const Rows& rows : families) {
      for (const Primitive& p : rows.primitives) primitives[p.name] = &p;
      for (const Spelling& s : rows.spellings) spellings[s.op] = &s;
    }
  }
};

const Tables& tables() {
  static const Tables t;
  return t;
}

}  // namespace

const Primitive* find_primitive(const std::string& name) {
  auto at = tables().primitives.find(name);
  return at == tables().primitives.end() ? nullptr : at->second;
}

const Spelling* find_spelling(const std::string& op) {
  auto at = tables().spellings.find(op);
  return at == tables().spellings.end() ? nullptr : at->second;
}

}  // namespace heddle::io
