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

// The axis of every array of `tree`: `axes` is a prefix of it (an int or None holds for all below).
void collect_axes(nb::handle tree, nb::handle axes, std::vector<int>& out) {
  auto spread = [&] {
    int axis = axis_of(axes);
    for (size_t n = arrays_of_tree(tree, true).size(); n-- > 0;) out.push_back(axis);
  };
  bool sequence = PyList_Check(tree.ptr()) || PyTuple_Check(tree.ptr());
  if (sequence && (PyList_Check(axes.ptr()) || PyTuple_Check(axes.ptr()))) {
    if (nb::len(tree) != nb::len(axes)) {
      throw std::invalid_argument("[vmap] axis must be int or None.");
    }
    for (size_t i = 0; i < nb::len(tree); i++) collect_axes(tree[i], axes[i], out);
  } else if (PyDict_Check(tree.ptr()) && PyDict_Check(axes.ptr())) {
    if (nb::len(tree) != nb::len(axes)) {
      throw std::invalid_argument("[vmap] The axes must have the keys of the argument.");
    }
    for (auto [key, value] : nb::borrow<nb::dict>(tree)) {
      collect_axes(value, nb::borrow<nb::dict>(axes)[key], out);
    }
  } else {
    spread();
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
    result = call_python(fun, nb::borrow<nb::tuple>(rebuild_tree(tree, arrays, next)));
    Arrays outputs = arrays_of_tree(result, true);
    results_axes.clear();
    collect_for_one_or_all(PyTuple_Check(result.ptr()) ? result : nb::make_tuple(result), out_axes,
                           results_axes);
    return outputs;
  };
  // The axes of the results are known once the function has run: vmap looks at them afterwards.
  Arrays outputs = vmap(traced, axes, [&] { return results_axes; })(inputs);
  size_t next = 0;
  return rebuild_tree(result, outputs, next);
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
  fun: a function of trees of arrays.
  in_axes: the batch axis of the arguments: an int or None (not batched) for all, or a tree of them.
  out_axes: where the batch axis of the results shall be, in the same form.

Raises:
  ValueError: batch axes of different sizes, or values evaluated inside ``fun``.)");
}

}  // namespace heddle::python
