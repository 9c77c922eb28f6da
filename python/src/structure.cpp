#include "structure.h"

#include <fmt/format.h>

namespace heddle::python {
namespace {

constexpr int deepest_structure = 100;

nb::object describe(const char* op, nb::handle tree, size_t& next, int depth = 0) {
  if (depth > deepest_structure) {
    TreeLevel::fail();
  }
  auto single = [](const char* key, nb::object value) {
    nb::dict out;
    out[key] = value;
    return nb::object(out);
  };
  if (is_array(tree)) return nb::int_(next++);
  if (PyList_Check(tree.ptr()) || PyTuple_Check(tree.ptr())) {
    nb::list items;
    for (nb::handle item : nb::borrow<nb::object>(tree))
      items.append(describe(op, item, next, depth + 1));
    return single(PyList_Check(tree.ptr()) ? "list" : "tuple", items);
  }
  if (PyDict_Check(tree.ptr())) {
    nb::list items;
    for (auto [key, value] : nb::borrow<nb::dict>(tree)) {
      if (!nb::isinstance<nb::str>(key)) {
        throw std::invalid_argument(fmt::format("[{}] Keys of dictionaries must be strings.", op));
      }
      items.append(nb::make_tuple(key, describe(op, value, next, depth + 1)));
    }
    return single("dict", items);
  }
  bool plain = tree.is_none() || PyBool_Check(tree.ptr()) || PyLong_Check(tree.ptr()) ||
               PyFloat_Check(tree.ptr()) || PyUnicode_Check(tree.ptr());
  if (!plain) {
    throw std::invalid_argument(fmt::format("[{}] Arguments and outputs cannot hold a {}.", op,
                                            nb::type_name(tree.type()).c_str()));
  }
  return single("value", nb::borrow(tree));
}

std::string text_of(nb::handle described) {
  return nb::cast<std::string>(
      nb::module_::import_("json").attr("dumps")(described, "allow_nan"_a = false));
}

}  // namespace

std::string structure_of(const char* op, nb::handle tree) {
  size_t count = 0;
  return text_of(describe(op, tree, count));
}

nb::object from_attribute(const AttributeValue& value) {
  return std::visit(
      [](const auto& v) -> nb::object {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, Shape>) {
          return from_shape(v);
        } else {
          return nb::cast(v);
        }
      },
      value);
}

std::string normal_structure(const std::string& structure) {
  return text_of(parsed_structure(structure));
}

nb::object parsed_structure(const std::string& structure) {
  return nb::module_::import_("json").attr("loads")(nb::str(structure.data(), structure.size()));
}

nb::object rebuild(nb::handle parsed, const Arrays& arrays) {
  auto refuse = [] {
    throw UnsafeFileError("[import_function] The structure of the results contradicts itself.");
  };
  if (PyLong_Check(parsed.ptr()) && !PyBool_Check(parsed.ptr())) {
    int64_t k = -1;
    if (!nb::try_cast(parsed, k) || k < 0 || k >= static_cast<int64_t>(arrays.size())) refuse();
    return wrap(arrays[static_cast<size_t>(k)]);
  }
  if (!PyDict_Check(parsed.ptr()) || nb::len(parsed) != 1) refuse();
  auto [kind, content] = *nb::borrow<nb::dict>(parsed).begin();
  std::string name = nb::cast<std::string>(kind);
  if (name == "value") return nb::borrow(content);
  if (!PyList_Check(content.ptr())) refuse();
  if (name == "dict") {
    nb::dict out;
    for (nb::handle item : nb::borrow<nb::list>(content)) {
      if (!PyList_Check(item.ptr()) || nb::len(item) != 2) refuse();
      nb::list pair = nb::borrow<nb::list>(item);
      if (!PyUnicode_Check(pair[0].ptr())) refuse();
      out[pair[0]] = rebuild(pair[1], arrays);
    }
    return out;
  }
  if (name != "list" && name != "tuple") refuse();
  nb::list out;
  for (nb::handle item : nb::borrow<nb::list>(content)) out.append(rebuild(item, arrays));
  if (name == "list") return out;
  return nb::tuple(out);
}

}  // namespace heddle::python
