// vmap over trees of arrays with trees of axes.
#include <fmt/format.h>

#include "bind.h"
#include "tree.h"
#include "wrapper.h"

namespace heddle::python {
namespace {

int axis_of(nb::handle h) {
  if (h.is_none()) return no_batch_axis;
  if (!PyLong_Check(h.ptr()) || PyBool_Check(h.ptr())) {
    throw std::invalid_argument("[vmap] axis must be int or None.");
  }
  return nb::cast<int>(h);
}

[[noreturn]] void refuse_axes(const char* why) {
  throw std::invalid_argument(fmt::format(
      "[vmap] The axes do not have the form of the arguments or results: {} Give an int "
      "or None for all, or a tree of them.",
      why));
}

// The axis of every array of `tree`: `axes` is a prefix of it (an int or None holds for all below).
void collect_axes(nb::handle tree, nb::handle axes, std::vector<int>& out) {
  TreeLevel level;
  auto is_sequence = [](nb::handle h) { return PyList_Check(h.ptr()) || PyTuple_Check(h.ptr()); };
  if (is_sequence(axes)) {
    if (!is_sequence(tree)) refuse_axes("a list or tuple of axes needs a list or tuple.");
    nb::list trees(tree), each(axes);
    if (trees.size() != each.size()) refuse_axes("there are more or fewer axes than items.");
    for (size_t i = 0; i < trees.size(); i++) collect_axes(trees[i], each[i], out);
  } else if (PyDict_Check(axes.ptr())) {
    if (!PyDict_Check(tree.ptr())) refuse_axes("a dict of axes needs a dict.");
    auto values = nb::borrow<nb::dict>(tree), each = nb::borrow<nb::dict>(axes);
    for (auto [key, value] : values) {
      if (!each.contains(key)) refuse_axes("a key has no axis.");
      collect_axes(value, nb::object(each[key]), out);
    }
    if (nb::len(values) != nb::len(each)) refuse_axes("an axis has a key that is not there.");
  } else {
    int axis = axis_of(axes);
    for (size_t n = arrays_of_tree(tree, true).size(); n-- > 0;) out.push_back(axis);
  }
}

// The axes of a tuple of arguments or results: a tuple like it, or, if there is only one, its own
// tree.
void collect_for_one_or_all(nb::object all, nb::handle axes, std::vector<int>& out) {
  bool own = nb::len(all) == 1 && !(PyTuple_Check(axes.ptr()) && nb::len(axes) == 1);
  collect_axes(own ? nb::object(all[0]) : all, axes, out);
}

nb::object call(nb::handle fun, nb::handle in_axes, nb::handle out_axes, const nb::args& args) {
  std::vector<int> axes;
  nb::tuple tree = nb::borrow<nb::tuple>(args);
  collect_for_one_or_all(tree, in_axes, axes);
  Arrays inputs = arrays_of_tree(tree, true);

  nb::object result;
  std::vector<int> results_axes;
  auto traced = [&](const Arrays& arrays) {
    size_t next = 0;
    nb::object own = rebuild_tree(tree, arrays, next, Containers::own);
    result = call_python(fun, nb::borrow<nb::tuple>(own));
    Arrays outputs = arrays_of_tree(result, true);
    results_axes.clear();
    collect_for_one_or_all(PyTuple_Check(result.ptr()) ? result : nb::make_tuple(result), out_axes,
                           results_axes);
    return outputs;
  };
  // The axes of the results are known once the function has run: vmap looks at them afterwards.
  Arrays outputs = vmap(traced, axes, [&] { return results_axes; })(inputs);
  size_t next = 0;
  return rebuild_tree(result, outputs, next, Containers::own);
}

}  // namespace

void bind_vmap(nb::module_& m) {
  m.def(
      "vmap",
      [](nb::object fun, nb::object in_axes, nb::object out_axes) {
        require_callable("vmap", fun);
        auto run = [in_axes, out_axes](nb::handle f, nb::args args, nb::kwargs kwargs) {
          if (kwargs.size() > 0) {
            throw std::invalid_argument("[vmap] Keyword arguments are not supported.");
          }
          return call(f, in_axes, out_axes, args);
        };
        return Wrapper(fun, run, {in_axes, out_axes});
      },
      "fun"_a, "in_axes"_a = 0, "out_axes"_a = 0,
      nb::sig("def vmap(fun: Callable[P, R], in_axes: object = 0, out_axes: object = 0) -> "
              "Callable[P, R]"),
      R"(A function that applies ``fun`` to every slice of its arguments along an axis.

Args:
  fun: a function of trees of arrays; it gets copies of lists and dicts, of their own class.
  in_axes: the batch axis of the arguments: an int or None (not batched) for all, or a tree of them.
  out_axes: where the batch axis of the results shall be, in the same form.

Raises:
  ValueError: batch axes of different sizes or with other keys, or values evaluated inside ``fun``.)");
}

}  // namespace heddle::python
