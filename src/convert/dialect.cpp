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

}  // namespace

std::vector<int64_t> Reading::numbers(size_t i) const {
  Array values = astype(flatten(in[i]), int64);
  try {
    values.eval();
  } catch (const std::exception&) {  // an input of the program, which has no value yet
    throw Refusal("B-SHAPE-DATA",
                  fmt::format("its input {} decides a shape and depends on values of the "
                              "program's inputs, which are not known while it is built",
                              i));
  }
  const auto* data = static_cast<const int64_t*>(contiguous(values).raw_data());
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

}  // namespace heddle::convert
