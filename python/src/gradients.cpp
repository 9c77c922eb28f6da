// grad, value_and_grad, vjp, jvp over trees of arrays.
#include <fmt/format.h>

#include <algorithm>

#include "bind.h"
#include "lent.h"
#include "tree.h"
#include "wrapper.h"

namespace heddle::python {
namespace {

using IntOrInts = std::variant<std::monostate, int, std::vector<int>>;
using NameOrNames = std::variant<std::string, std::vector<std::string>>;

struct Selection {
  std::vector<int> numbers;
  std::vector<std::string> names;
  bool one_number = false;  // then the gradient is that argument's tree, else a tuple of trees
};

Selection select(const char* op, const IntOrInts& argnums, const NameOrNames& argnames) {
  Selection s;
  if (auto* name = std::get_if<std::string>(&argnames)) {
    s.names = {*name};
  } else {
    s.names = std::get<std::vector<std::string>>(argnames);
  }
  if (auto* n = std::get_if<int>(&argnums)) {
    s.numbers = {*n};
  } else if (auto* list = std::get_if<std::vector<int>>(&argnums)) {
    s.numbers = *list;
  } else if (s.names.empty()) {
    s.numbers = {0};
  }
  if (s.numbers.empty() && s.names.empty()) {
    throw std::invalid_argument(fmt::format("[{}] Gradient wrt no argument requested", op));
  }
  for (size_t i = 0; i < s.numbers.size(); i++) {
    if (s.numbers[i] < 0) {
      throw std::invalid_argument(fmt::format(
          "[{}] Can't compute the gradient of negative argument index {}", op, s.numbers[i]));
    }
    if (std::count(s.numbers.begin(), s.numbers.end(), s.numbers[i]) > 1) {
      throw std::invalid_argument(
          fmt::format("[{}] Duplicate argument index {} is not allowed.", op, s.numbers[i]));
    }
  }
  // As in MLX, gradients come in the order of the arguments, and that of one argument is no tuple.
  std::sort(s.numbers.begin(), s.numbers.end());
  s.one_number = s.numbers.size() == 1;
  for (const auto& name : s.names) {
    if (std::count(s.names.begin(), s.names.end(), name) > 1) {
      throw std::invalid_argument(
          fmt::format("[{}] Duplicate argument name '{}' is not allowed.", op, name));
    }
  }
  return s;
}

void check_arguments(const char* op, const Selection& s, const nb::args& args,
                     const nb::kwargs& kwargs) {
  for (int n : s.numbers) {
    if (static_cast<size_t>(n) >= args.size()) {
      throw std::invalid_argument(
          fmt::format("[{}] Can't compute the gradient of argument index {} because the function "
                      "is called with "
                      "only {} positional arguments.",
                      op, n, args.size()));
    }
  }
  for (const auto& name : s.names) {
    if (!kwargs.contains(name.c_str())) {
      std::string given;
      for (auto [key, value] : kwargs) {
        given += (given.empty() ? "" : ", ") + nb::cast<std::string>(key);
      }
      throw std::invalid_argument(fmt::format(
          "[{}] Can't compute the gradient of keyword argument '{}' because the function is called "
          "with the following keyword arguments {{{}}}",
          op, name, given));
    }
  }
}

// What of the function's result the gradient is of.
Array loss_of(const char* op, const nb::object& result, bool allow_tuple) {
  nb::object loss = result;
  if (allow_tuple && nb::isinstance<nb::tuple>(result) && nb::len(result) > 0) loss = result[0];
  if (is_array(loss)) return array_of(loss);
  throw std::invalid_argument(fmt::format(
      "[{}] The return value of the function whose gradient we want to compute should be {}; but "
      "{} was returned.",
      op,
      allow_tuple ? "either a scalar array or a tuple with the first value being a scalar array"
                  : "a scalar array",
      nb::type_name(loss.type()).c_str()));
}

// The gradients, in trees of these forms, as MLX arranges them.
nb::object arranged(const Selection& s, const std::vector<nb::object>& forms,
                    const Arrays& gradients) {
  size_t next = 0;
  nb::list by_number;
  nb::dict by_name;
  for (size_t i = 0; i < forms.size(); i++) {
    nb::object tree = rebuild_tree(forms[i], gradients, next);
    if (i < s.numbers.size()) {
      by_number.append(tree);
    } else {
      by_name[s.names[i - s.numbers.size()].c_str()] = tree;
    }
  }
  nb::object positional = nb::none();
  if (s.one_number) {
    positional = by_number[0];
  } else if (!s.numbers.empty()) {
    positional = nb::tuple(by_number);
  }
  if (s.names.empty()) return positional;
  return nb::make_tuple(positional, by_name);
}

// Calls the function and gives (its result, the gradients in MLX's arrangement).
std::pair<nb::object, nb::object> value_and_gradients(const char* op, const Selection& s,
                                                      bool allow_tuple, nb::handle fun,
                                                      const nb::args& args,
                                                      const nb::kwargs& kwargs) {
  check_arguments(op, s, args, kwargs);
  Arrays primals;
  std::vector<nb::object> trees;  // the selected arguments, numbers first
  std::vector<nb::object> forms;  // of their gradients, whatever the function does to them
  for (int n : s.numbers) trees.push_back(nb::borrow(args[static_cast<size_t>(n)]));
  for (const auto& name : s.names) trees.push_back(nb::borrow(kwargs[name.c_str()]));
  for (const auto& tree : trees) {
    for (const Array& a : arrays_of_tree(tree, true)) primals.push_back(a);
    forms.push_back(copy_of_tree(tree));
  }

  if (primals.empty()) throw std::invalid_argument("[grad] Must specify at least one argument.");

  nb::object result;
  auto traced = [&](const Arrays& arrays) {
    nb::list positional;
    for (nb::handle a : args) positional.append(a);
    nb::dict keywords;
    for (auto [key, value] : kwargs) keywords[key] = value;
    size_t next = 0;
    Lent lent;
    for (size_t i = 0; i < trees.size(); i++) {
      nb::object tree = lent.put(trees[i], arrays, next);
      if (i < s.numbers.size()) {
        positional[static_cast<size_t>(s.numbers[i])] = tree;
      } else {
        keywords[s.names[i - s.numbers.size()].c_str()] = tree;
      }
    }
    result = call_python(fun, nb::tuple(positional), keywords);
    lent.give_back();
    return Arrays{loss_of(op, result, allow_tuple)};
  };
  return {result, arranged(s, forms, vjp(traced, primals, {Array(1.0f)}).second)};
}

// The function of the arrays in `primals`: one argument, or a sequence of them, each a tree.
Function plain_function(nb::handle fun, nb::handle primals) {
  return [fun, primals](const Arrays& inputs) {
    Lent lent;
    size_t next = 0;
    nb::list args;
    if (PyList_Check(primals.ptr()) || PyTuple_Check(primals.ptr())) {
      for (nb::handle tree : nb::list(primals)) args.append(lent.put(tree, inputs, next));
    } else {
      args.append(lent.put(primals, inputs, next));
    }
    nb::object result = call_python(fun, nb::tuple(args));
    lent.give_back();
    return arrays_of_tree(result, true);
  };
}

nb::list to_list(const Arrays& arrays) {
  nb::list out;
  for (const Array& a : arrays) out.append(nb::cast(a));
  return out;
}

}  // namespace

void bind_gradients(nb::module_& m) {
  m.def(
      "value_and_grad",
      [](nb::object fun, IntOrInts argnums, NameOrNames argnames) {
        require_callable("value_and_grad", fun);
        Selection s = select("value_and_grad", argnums, argnames);
        return Wrapper(fun, [s](nb::handle f, nb::args args, nb::kwargs kwargs) -> nb::object {
          auto [value, gradients] = value_and_gradients("value_and_grad", s, true, f, args, kwargs);
          return nb::make_tuple(value, gradients);
        });
      },
      "fun"_a, "argnums"_a = nb::none(), "argnames"_a = std::vector<std::string>{},
      nb::sig("def value_and_grad(fun: Callable[P, R], argnums: Optional[Union[int, "
              "Sequence[int]]] = None, argnames: Union[str, Sequence[str]] = []) -> Callable[P, "
              "Tuple[R, Any]]"),
      R"(A function that gives the value of ``fun`` and its gradient.

``fun`` returns a scalar array, or a tuple that begins with one; the rest of the tuple is passed
through. Arguments may be trees of arrays. ``fun`` gets the caller's own lists and dicts; what it
writes into them stays, the other arrays are as before afterwards.

Args:
  fun: the function.
  argnums: index or indices of the positional arguments to differentiate; the first by default.
  argnames: name or names of keyword arguments to differentiate.

Returns:
  A function of the same arguments. With one index the gradient has the tree of that argument, with
  several it is a tuple; with names alone it is ``(None, {name: gradient})``, with both
  ``(gradient, {name: gradient})``.

Raises:
  ValueError: an argument that does not exist, or a result that is not a scalar array.)");
  m.def(
      "grad",
      [](nb::object fun, IntOrInts argnums, NameOrNames argnames) {
        require_callable("grad", fun);
        Selection s = select("grad", argnums, argnames);
        return Wrapper(fun, [s](nb::handle f, nb::args args, nb::kwargs kwargs) -> nb::object {
          return value_and_gradients("grad", s, false, f, args, kwargs).second;
        });
      },
      "fun"_a, "argnums"_a = nb::none(), "argnames"_a = std::vector<std::string>{},
      nb::sig("def grad(fun: Callable[P, R], argnums: Optional[Union[int, Sequence[int]]] = None, "
              "argnames: Union[str, Sequence[str]] = []) -> Callable[P, Any]"),
      R"(A function that gives the gradient of ``fun``, which returns a scalar array.

Args and the form of the result are those of :func:`value_and_grad`.)");
  m.def(
      "vjp",
      [](nb::object fun, nb::handle primals, nb::handle cotangents) {
        require_callable("vjp", fun);
        auto [outputs, gradients] = vjp(plain_function(fun, primals), arrays_of_tree(primals, true),
                                        arrays_of_tree(cotangents, true));
        return nb::make_tuple(to_list(outputs), to_list(gradients));
      },
      "fun"_a, "primals"_a, "cotangents"_a,
      nb::sig("def vjp(fun: Callable, primals: list[array], cotangents: list[array]) -> "
              "tuple[list[array], list[array]]"),
      R"(The outputs of ``fun(*primals)`` and the product of the cotangents with its Jacobian.

Args:
  fun: takes arrays or trees of them, returns an array or a list of them.
  primals: where to differentiate, one for each argument.
  cotangents: one for each output, of its shape.

Returns:
  A tuple of two lists: outputs, and one array for each of the primals.)");
  m.def(
      "jvp",
      [](nb::object fun, nb::handle primals, nb::handle tangents) {
        require_callable("jvp", fun);
        auto [outputs, slopes] = jvp(plain_function(fun, primals), arrays_of_tree(primals, true),
                                     arrays_of_tree(tangents, true));
        return nb::make_tuple(to_list(outputs), to_list(slopes));
      },
      "fun"_a, "primals"_a, "tangents"_a,
      nb::sig("def jvp(fun: Callable, primals: list[array], tangents: list[array]) -> "
              "tuple[list[array], list[array]]"),
      R"(The outputs of ``fun(*primals)`` and the product of its Jacobian with the tangents.

Args:
  fun: takes arrays or trees of them, returns an array or a list of them.
  primals: where to differentiate, one for each argument.
  tangents: one for each array of the primals, of its shape.

Returns:
  A tuple of two lists: outputs, and one tangent for each output.)");
}

}  // namespace heddle::python
