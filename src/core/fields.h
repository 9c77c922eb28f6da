// The fields of ops. An op visits each of its fields once:
//   void fields(auto& v) { v("reduction", reduction)("axes", axes); }
// From the types of the fields follow hashing, values that files hold, making the op from those,
// range checks and the default batching rule (OpOf, in core/op.h).
//
// Beside bool, int, int64_t, Dtype, std::string, Shape, std::vector<int>, enumerations with names
// (`enum_names`) and structs that visit fields of their own, a field may have one of the types
// below, which say what a number means.
#pragma once

#include <array>
#include <cstring>
#include <functional>
#include <string_view>
#include <type_traits>

#include "heddle/attribute.h"

namespace heddle {

// An axis of input 0, counted from the front.
struct Axis {
  int value = 0;
  Axis(int axis = 0) : value(axis) {}
  operator int() const { return value; }
};

// Axes of input 0, counted from the front.
struct Axes : std::vector<int> {
  using std::vector<int>::vector;
  Axes(std::vector<int> axes) : std::vector<int>(std::move(axes)) {}
};

// Axes of the result, which has them beside those of input 0.
struct NewAxes : std::vector<int> {
  using std::vector<int>::vector;
  NewAxes(std::vector<int> axes) : std::vector<int>(std::move(axes)) {}
};

// A number for each axis of input 0; `Neutral` leaves an axis as it is.
template <int64_t Neutral>
struct PerAxis : Shape {
  using Shape::Shape;
  PerAxis(Shape numbers) : Shape(std::move(numbers)) {}
  static constexpr int64_t neutral = Neutral;
};

// The sizes of a result, which other inputs would have others of.
struct Sizes : Shape {
  using Shape::Shape;
  Sizes(Shape shape) : Shape(std::move(shape)) {}
};

// A number that is equal to those of the same bits: 0.0 is not -0.0, and NaN is itself.
template <class T>
struct Real {
  T value = 0;
  Real(T number = 0) : value(number) {}
  operator T() const { return value; }
  bool operator==(const Real& other) const {
    return std::memcmp(&value, &other.value, sizeof(T)) == 0;
  }
};
using Real32 = Real<float>;
using Real64 = Real<double>;

// How values outside hold a field.
enum class FieldKind : uint8_t {
  boolean,  // bool
  integer,  // int64_t, in the range of 32 bits
  wide,     // int64_t
  real32,   // double that is a float
  real64,   // double
  dtype,    // Dtype
  text,     // std::string
  choice,   // std::string, one of some names
  sizes,    // Shape
  axes,     // std::vector<int64_t>, in the range of 32 bits
};

struct FieldInfo {
  const char* name;
  FieldKind kind;
  std::vector<const char*> choices;  // of a choice
  bool pins_sizes;                   // may hold a size or place that was taken from inputs
};

// How messages call an op: "broadcast_to" for BroadcastTo.
std::string function_name_of(std::string_view op);

namespace detail {

[[noreturn]] void refuse_members(const char* op, size_t visited, size_t members);

template <class E>
concept NamedEnum = requires(E e) {
  enum_names(e);
};

template <class T>
inline constexpr bool is_per_axis = false;
template <int64_t N>
inline constexpr bool is_per_axis<PerAxis<N>> = true;

template <class T>
constexpr FieldKind kind_of() {
  if constexpr (std::is_same_v<T, bool>) return FieldKind::boolean;
  if constexpr (std::is_same_v<T, int> || std::is_same_v<T, Axis>) return FieldKind::integer;
  if constexpr (std::is_same_v<T, int64_t>) return FieldKind::wide;
  if constexpr (std::is_same_v<T, Real32>) return FieldKind::real32;
  if constexpr (std::is_same_v<T, Real64>) return FieldKind::real64;
  if constexpr (std::is_same_v<T, Dtype>) return FieldKind::dtype;
  if constexpr (std::is_same_v<T, std::string>) return FieldKind::text;
  if constexpr (NamedEnum<T>) return FieldKind::choice;
  if constexpr (std::is_base_of_v<Shape, T>) return FieldKind::sizes;
  if constexpr (std::is_base_of_v<std::vector<int>, T>) return FieldKind::axes;
}

inline size_t mixed(size_t hash, size_t more) { return hash * 1099511628211u + more; }

template <class T>
size_t hash_value(const T& v) {
  if constexpr (requires { v.begin(); } && !std::is_same_v<T, std::string>) {
    size_t h = 0x9e37;
    for (const auto& e : v) h = mixed(h, static_cast<size_t>(e));
    return h;
  } else if constexpr (std::is_enum_v<T>) {
    return static_cast<size_t>(v);
  } else if constexpr (requires { v.value; }) {
    return std::hash<decltype(v.value)>{}(v.value);
  } else {
    return std::hash<T>{}(v);
  }
}

// A visitor of the fields, with those of nested structs among them.
template <class F>
struct EachField {
  F each;
  template <class T>
  EachField& operator()(const char* name, T& field) {
    if constexpr (std::is_class_v<T> && requires { field.fields(*this); }) {
      field.fields(*this);
    } else {
      each(name, field);
    }
    return *this;
  }
};

template <class T, class F>
void for_each_field(T& op, F each) {
  if constexpr (requires(EachField<F> v) { op.fields(v); }) {
    EachField<F> v{std::move(each)};
    op.fields(v);
  }
}

// Stands for a value of any type.
struct Anything {
  template <class T>
  operator T() const;
};

// How many members an aggregate has: one more does not fit into its braces.
template <class T, class... Members>
constexpr size_t member_count() {
  if constexpr (requires { T{Members{}..., Anything{}}; }) {
    return member_count<T, Members..., Anything>();
  } else {
    return sizeof...(Members);
  }
}

struct CountFields {
  size_t count = 0;
  template <class T>
  CountFields& operator()(const char*, T&) {
    count++;
    return *this;
  }
};

// Equality, hashes and files know an op by the fields that it visits: none may be left out. Throws
// std::logic_error for one that leaves some out.
template <class T>
void check_members(const char* op) {
  CountFields visited;
  if constexpr (requires(T t) { t.fields(visited); }) T{}.fields(visited);
  if (visited.count != member_count<T>()) refuse_members(op, visited.count, member_count<T>());
}

// Whether each field of `a` equals that of `b`.
template <class T>
bool same_fields(const T& a, const T& b) {
  bool same = true;
  for_each_field(const_cast<T&>(a), [&](const char*, const auto& field) {
    const std::ptrdiff_t place =
        reinterpret_cast<const char*>(&field) - reinterpret_cast<const char*>(&a);
    const auto* other = reinterpret_cast<const std::decay_t<decltype(field)>*>(
        reinterpret_cast<const char*>(&b) + place);
    same = same && field == *other;
  });
  return same;
}

// The name of a struct without its namespaces, as compilers spell it: "... [with T = heddle::FFT]".
template <class T>
constexpr auto spell_struct() {
  constexpr std::string_view all = __PRETTY_FUNCTION__;
  constexpr size_t end = all.find_first_of("];", all.find("T = "));
  constexpr size_t begin = all.find_last_of(": ", end) + 1;
  std::array<char, end - begin + 1> name{};
  for (size_t i = begin; i < end; i++) name[i - begin] = all[i];
  return name;
}
template <class T>
inline constexpr auto struct_name = spell_struct<T>();

// Values of fields, and fields from values, which throw std::invalid_argument "[op] ...".
template <class T>
AttributeValue value_of(const T& field) {
  if constexpr (kind_of<T>() == FieldKind::choice) {
    return std::string(enum_names(field)[static_cast<size_t>(field)]);
  } else if constexpr (kind_of<T>() == FieldKind::axes) {
    return std::vector<int64_t>(field.begin(), field.end());
  } else if constexpr (kind_of<T>() == FieldKind::sizes) {
    return static_cast<const Shape&>(field);
  } else if constexpr (kind_of<T>() == FieldKind::integer || kind_of<T>() == FieldKind::wide) {
    return static_cast<int64_t>(field);
  } else if constexpr (kind_of<T>() == FieldKind::real32 || kind_of<T>() == FieldKind::real64) {
    return static_cast<double>(field);
  } else {
    return field;
  }
}

template <class T>
FieldInfo info_of(const char* name) {
  FieldInfo info{name, kind_of<T>(), {}, std::is_same_v<T, Sizes> || std::is_same_v<T, Shape>};
  if constexpr (kind_of<T>() == FieldKind::choice) {
    for (const char* choice : enum_names(T{})) info.choices.push_back(choice);
  }
  return info;
}

// Whether the field may have this value.
bool fits(const FieldInfo& field, const AttributeValue& value);
// The value of that name and kind. Numbers are in range and choices are known.
const AttributeValue& find_value(const char* op, const FieldInfo& field, const Attributes& values);
size_t index_of_choice(const FieldInfo& field, const std::string& choice);

template <class T>
void assign(const char* op, const char* name, const Attributes& values, T& field) {
  const FieldInfo info = info_of<T>(name);
  const AttributeValue& v = find_value(op, info, values);
  if constexpr (kind_of<T>() == FieldKind::choice) {
    field = static_cast<T>(index_of_choice(info, std::get<std::string>(v)));
  } else if constexpr (kind_of<T>() == FieldKind::axes) {
    field = T();
    for (int64_t i : std::get<std::vector<int64_t>>(v)) field.push_back(static_cast<int>(i));
  } else if constexpr (kind_of<T>() == FieldKind::sizes) {
    field = T(std::get<Shape>(v));
  } else if constexpr (kind_of<T>() == FieldKind::integer) {
    field = static_cast<int>(std::get<int64_t>(v));
  } else if constexpr (kind_of<T>() == FieldKind::real32) {
    field = static_cast<float>(std::get<double>(v));
  } else if constexpr (kind_of<T>() == FieldKind::real64) {
    field = std::get<double>(v);
  } else {
    field = std::get<T>(v);
  }
}

// Refuses an axis that input 0 has not, or another number of values than it has axes.
[[noreturn]] void refuse_axis(std::string_view op, int axis, int ndim);
[[noreturn]] void refuse_per_axis(std::string_view op, const char* name, size_t given, int ndim);

template <class T>
void check_field(const char* op, const char* name, const T& field, int ndim) {
  auto in_range = [&](int axis) {
    if (axis < 0 || axis >= ndim) [[unlikely]]
      refuse_axis(op, axis, ndim);
  };
  if constexpr (std::is_same_v<T, Axis>) in_range(field);
  if constexpr (std::is_same_v<T, Axes>) {
    for (int axis : field) in_range(axis);
  }
  if constexpr (std::is_same_v<T, NewAxes>) {
    ndim += static_cast<int>(field.size());
    for (int axis : field) in_range(axis);
  }
  if constexpr (is_per_axis<T>) {
    if (static_cast<int>(field.size()) != ndim) [[unlikely]]
      refuse_per_axis(op, name, field.size(), ndim);
  }
}

// What the field is if a batch of `n` is put in front of all inputs.
template <class T>
void batch_field(T& field, int64_t n) {
  if constexpr (std::is_same_v<T, Axis>) field.value++;
  if constexpr (std::is_same_v<T, Axes> || std::is_same_v<T, NewAxes>) {
    for (int& axis : field) axis++;
  }
  if constexpr (is_per_axis<T>) field.insert(field.begin(), T::neutral);
  if constexpr (std::is_same_v<T, Sizes>) field.insert(field.begin(), n);
}

}  // namespace detail
}  // namespace heddle
