#include "convert/dialect.h"

#include <algorithm>

#include "heddle/ops.h"

namespace heddle::convert {
namespace {

template <class Rows>
const typename Rows::mapped_type* find_row(const Rows& rows, const std::string& name) {
  auto at = rows.find(name);
  return at == rows.end() ? nullptr : &at->second;
}

template <class Rows>
std::vector<std::string> names_of(const Rows& rows) {
  std::vector<std::string> out;
  for (const auto& [name, row] : rows) out.push_back(name);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

std::vector<int64_t> Reading::numbers(size_t i) const {
  const Array values = contiguous(astype(flatten(in[i]), int64));
  try {
    values.eval();
  } catch (const std::exception&) {  // an input of the program, which has no value yet
    throw Refusal("B-SHAPE-DATA",
                  fmt::format("its input {} decides a shape and depends on values of the "
                              "program's inputs, which are not known while it is built",
                              i));
  }
  const auto* data = static_cast<const int64_t*>(values.raw_data());
  return {data, data + values.size()};
}

bool Dialect::follows_shapes(const Call& call) const {
  return std::none_of(call.attributes.begin(), call.attributes.end(),
                      [](const auto& a) { return std::holds_alternative<Shape>(a.second); });
}

const ReaderRow* TableDialect::reader(const std::string& call) const {
  return find_row(readers, call);
}
const WriterRow* TableDialect::writer(const Op& op) const { return find_row(writers, op.name()); }
std::vector<std::string> TableDialect::calls() const { return names_of(readers); }
std::vector<std::string> TableDialect::ops() const { return names_of(writers); }

}  // namespace heddle::convert
