#include "core/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "heddle/errors.h"
#include "heddle/type_info.h"

namespace heddle {
namespace {

const char* wanted(FieldKind kind) {
  switch (kind) {
    case FieldKind::boolean:
      return "true or false";
    case FieldKind::integer:
      return "an integer of 32 bits";
    case FieldKind::wide:
      return "an integer";
    case FieldKind::real32:
    case FieldKind::real64:
      return "a number";
    case FieldKind::dtype:
      return "a dtype";
    case FieldKind::text:
      return "a text";
    case FieldKind::choice:
      return "one of its names";
    case FieldKind::sizes:
      return "a list of sizes";
    case FieldKind::axes:
      return "a list of integers of 32 bits";
  }
  return "another value";
}

bool is_int(int64_t n) {
  return n >= std::numeric_limits<int>::min() && n <= std::numeric_limits<int>::max();
}

}  // namespace

std::string to_string(const AttributeValue& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, Dtype>) {
          return std::string(name_of(v));
        } else if constexpr (std::is_same_v<T, std::string>) {
          return v;
        } else if constexpr (requires { v.begin(); }) {
          std::string list;
          for (int64_t n : v) list += fmt::format("{}{}", list.empty() ? "" : ",", n);
          return "[" + list + "]";
        } else {
          return fmt::format("{}", v);
        }
      },
      value);
}

// Words begin at capitals, of which a row is one word: "FFT" -> "fft".
std::string function_name_of(std::string_view op) {
  auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  std::string out;
  for (size_t i = 0; i < op.size(); i++) {
    const bool begins = i > 0 && is_upper(op[i]) &&
                        (!is_upper(op[i - 1]) || (i + 1 < op.size() && !is_upper(op[i + 1])));
    if (begins) out.push_back('_');
    out.push_back(is_upper(op[i]) ? static_cast<char>(op[i] - 'A' + 'a') : op[i]);
  }
  return out;
}

namespace detail {

void refuse_members(const char* op, size_t visited, size_t members) {
  throw std::logic_error(
      fmt::format("[{}] fields() visits {} of its {} members.", op, visited, members));
}

bool fits(const FieldInfo& field, const AttributeValue& v) {
  switch (field.kind) {
    case FieldKind::boolean:
      return std::holds_alternative<bool>(v);
    case FieldKind::integer: {
      const int64_t* n = std::get_if<int64_t>(&v);
      return n && is_int(*n);
    }
    case FieldKind::wide:
      return std::holds_alternative<int64_t>(v);
    case FieldKind::real32:
    case FieldKind::real64:
      return std::holds_alternative<double>(v);
    case FieldKind::dtype:
      return std::holds_alternative<Dtype>(v);
    case FieldKind::text:
      return std::holds_alternative<std::string>(v);
    case FieldKind::choice: {
      const std::string* choice = std::get_if<std::string>(&v);
      return choice && detail::index_of_choice(field, *choice) < field.choices.size();
    }
    case FieldKind::sizes:
      return std::holds_alternative<Shape>(v);
    case FieldKind::axes: {
      const auto* list = std::get_if<std::vector<int64_t>>(&v);
      return list && std::all_of(list->begin(), list->end(), is_int);
    }
  }
  return false;
}

size_t index_of_choice(const FieldInfo& field, const std::string& choice) {
  return static_cast<size_t>(std::find(field.choices.begin(), field.choices.end(), choice) -
                             field.choices.begin());
}

const AttributeValue& find_value(const char* op, const FieldInfo& field, const Attributes& values) {
  const AttributeValue* found = nullptr;
  for (const auto& [name, value] : values) {
    if (name == field.name) found = &value;
  }
  if (found && fits(field, *found)) return *found;
  std::string names;
  for (const char* choice : field.choices)
    names += fmt::format("{}{}", names.empty() ? "" : ", ", choice);
  throw std::invalid_argument(
      fmt::format("[{}] {} is {} where {} is wanted{}.", function_name_of(op), field.name,
                  found ? to_string(*found) : std::string("missing"), wanted(field.kind),
                  names.empty() ? "" : " (" + names + ")"));
}

void refuse_axis(std::string_view op, int axis, int ndim) {
  throw AxisError(fmt::format("[{}] Axis {} is out of bounds for array with {} dimensions.",
                              function_name_of(op), axis, ndim));
}

void refuse_per_axis(std::string_view op, const char* name, size_t given, int ndim) {
  throw std::invalid_argument(fmt::format("[{}] {} numbers of {} for an array with {} dimensions.",
                                          function_name_of(op), given, name, ndim));
}

}  // namespace detail
}  // namespace heddle
