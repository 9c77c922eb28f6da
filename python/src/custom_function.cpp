// custom_function and checkpoint.
#include <memory>
#include <utility>

#include "bind.h"
#include "core/node.h"
#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/shape.h"
#include "tree.h"
#include "wrapper.h"

namespace heddle::python {
namespace {

nb::object with_arrays(nb::handle tree, const Arrays& arrays) {
  size_t next = 0;
  return rebuild_tree(tree, arrays, next, Containers::own);
}

// A call of a Python function as a function of its arrays, with the trees to go between both, and
// the rules that go with it.
struct Call {
  nb::object fun;
  nb::tuple args;  // copies: rules and later runs get what the caller gave, whatever became of it
  nb::dict kwargs;
  nb::object result;  // the tree that the last run returned
  nb::object vjp, jvp, vmap;

  Arrays arrays() const {
    Arrays all = arrays_of_tree(args);
    for (const Array& a : arrays_of_tree(kwargs)) all.push_back(a);
    return all;
  }
  // The call itself, with the caller's containers.
  Arrays run(const nb::args& own_args, const nb::kwargs& own_kwargs) {
    result = call_python(fun, own_args, own_kwargs);
    return arrays_of_tree(result);
  }
  // Once more with other arrays.
  Arrays run(const Arrays& inputs) {
    size_t next = 0;
    nb::object positional = rebuild_tree(args, inputs, next, Containers::own);
    nb::object keywords = rebuild_tree(kwargs, inputs, next, Containers::own);
    result = call_python(fun, nb::borrow<nb::tuple>(positional), nb::borrow<nb::dict>(keywords));
    return arrays_of_tree(result);
  }
};

// Graphs hold calls, and evaluation, which runs without the interpreter lock, drops graphs.
std::shared_ptr<Call> make_call(nb::handle fun, const nb::args& args, const nb::kwargs& kwargs) {
  auto as_it_is = [](nb::handle leaf) { return nb::borrow(leaf); };
  auto* call = new Call{nb::borrow(fun),
                        nb::borrow<nb::tuple>(map_tree(args, as_it_is, Containers::own)),
                        nb::borrow<nb::dict>(map_tree(kwargs, as_it_is, Containers::own)),
                        nb::none(),
                        {},
                        {},
                        {}};
  return std::shared_ptr<Call>(call, [](Call* c) { release_to_python([c] { delete c; }); });
}

// Rules get a sole argument as it is, several as a tuple.
nb::object unpack_one(nb::object tuple) {
  return nb::len(tuple) == 1 ? nb::object(tuple[0]) : tuple;
}

class CustomFunction {
 public:
  explicit CustomFunction(nb::object fun) : fun_(std::move(fun)) {}

  nb::object operator()(nb::args args, nb::kwargs kwargs) const {
    if (!in_tracing()) return call_python(fun_, args, kwargs);
    auto call = make_call(fun_, args, kwargs);
    call->vjp = vjp_;
    call->jvp = jvp_;
    call->vmap = vmap_;
    CustomRules rules;
    if (vjp_) {
      rules.vjp = [call](const Arrays& primals, const Arrays& g, const Arrays& out) {
        nb::object in = unpack_one(with_arrays(call->args, primals));
        nb::object back = call_python(call->vjp, nb::make_tuple(in, with_arrays(call->result, g),
                                                                with_arrays(call->result, out)));
        return gradients(*call, back, primals);
      };
    }
    if (jvp_) {
      rules.jvp = [call](const Arrays& primals, const Arrays& tangents,
                         const std::vector<int>& argnums) {
        Arrays all;
        for (const Array& p : primals) all.push_back(zeros_like(p));
        for (size_t k = 0; k < argnums.size(); k++)
          all[static_cast<size_t>(argnums[k])] = tangents[k];
        nb::object in = unpack_one(with_arrays(call->args, primals));
        nb::object tangent = unpack_one(with_arrays(call->args, all));
        return arrays_of_tree(call_python(call->jvp, nb::make_tuple(in, tangent)));
      };
    }
    if (vmap_) {
      rules.vmap = [call](const Arrays& inputs, const std::vector<int>& axes) {
        size_t next = 0;
        nb::object axis_tree = map_tree(call->args, [&](nb::handle leaf) -> nb::object {
          if (!is_array(leaf)) return nb::borrow(leaf);
          int axis = axes[next++];
          return axis < 0 ? nb::object(nb::none()) : nb::cast(axis);
        });
        nb::object in = unpack_one(with_arrays(call->args, inputs));
        nb::object result = call_python(call->vmap, nb::make_tuple(in, unpack_one(axis_tree)));
        std::vector<int> out_axes;
        visit_tree(result[1], [&](nb::handle leaf) {
          out_axes.push_back(leaf.is_none() ? -1 : nb::cast<int>(leaf));
        });
        Arrays outputs = arrays_of_tree(result[0]);
        if (outputs.size() != out_axes.size()) {
          throw std::invalid_argument(
              "[custom_function] The vmap rule must return as many axes as outputs.");
        }
        return std::make_pair(outputs, out_axes);
      };
    }
    auto first = [&](const Arrays&) { return call->run(args, kwargs); };
    Arrays outputs = custom_function(first, std::move(rules))(call->arrays());
    return with_arrays(call->result, outputs);
  }

  nb::object fun_, vjp_, jvp_, vmap_;

 private:
  // The rule's trees follow the arguments: one tree, or a tuple of them; None and constants in
  // place of a tree stand for zero gradients.
  static Arrays gradients(const Call& call, nb::handle back, const Arrays& primals) {
    Arrays flat;
    bool several = nb::len(call.args) != 1;
    if (several && (!nb::isinstance<nb::tuple>(back) && !nb::isinstance<nb::list>(back))) {
      throw std::invalid_argument(
          "[custom_function] The vjp rule of a function of several arguments must return a tuple.");
    }
    size_t count = nb::len(call.args);
    size_t given = several ? nb::len(back) : 1;
    size_t next = 0;
    for (size_t i = 0; i < count; i++) {
      size_t wanted = arrays_of_tree(call.args[i]).size();
      Arrays own;
      if (i < given) own = arrays_of_tree(several ? nb::object(back[i]) : nb::borrow(back));
      if (!own.empty() && own.size() != wanted) {
        throw std::invalid_argument(
            "[custom_function] The vjp rule must return gradients in the form of the arguments.");
      }
      own.resize(wanted);
      for (Array& g : own) {
        const Array& p = primals[next++];
        flat.push_back(g ? broadcast_to(astype(g, p.dtype()), p.shape()) : Array());
      }
    }
    flat.resize(primals.size());  // keyword arguments have no rule
    return flat;
  }
};

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;
  const auto* f = nb::inst_ptr<CustomFunction>(self);
  for (const nb::object* o : {&f->fun_, &f->vjp_, &f->jvp_, &f->vmap_}) Py_VISIT(o->ptr());
  return 0;
}

int clear(PyObject* self) {
  if (!nb::inst_ready(self)) return 0;
  auto* f = nb::inst_ptr<CustomFunction>(self);
  for (nb::object* o : {&f->fun_, &f->vjp_, &f->jvp_, &f->vmap_}) o->reset();
  return 0;
}

PyType_Slot slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                       {Py_tp_clear, reinterpret_cast<void*>(clear)},
                       {0, nullptr}};

}  // namespace

void bind_custom_function(nb::module_& m) {
  auto rule = [](nb::object CustomFunction::*member) {
    return [member](CustomFunction& self, nb::object f) {
      require_callable("custom_function", f);
      self.*member = f;
      return f;
    };
  };
  nb::class_<CustomFunction>(m, "custom_function", nb::type_slots(slots),
                             nb::is_weak_referenceable(),
                             R"(A function with derivative and batching rules of its own.

Used as a decorator; the methods ``vjp``, ``jvp`` and ``vmap`` are decorators for the rules:
``vjp(primals, cotangents, outputs)`` returns gradients in the form of the arguments,
``jvp(primals, tangents)`` returns tangents in the form of the outputs, and ``vmap(inputs, axes)``
returns the outputs and their axes. A sole argument is passed as it is, several as a tuple.
Transformations without a rule go through the function itself.)")
      .def(nb::init<nb::object>(), "f"_a)
      .def("__call__", &CustomFunction::operator())
      .def(
          "__get__",
          [](nb::handle self, nb::handle instance, nb::handle) -> nb::object {
            if (instance.is_none()) return nb::borrow(self);
            return nb::module_::import_("types").attr("MethodType")(self, instance);
          },
          "instance"_a.none(), "owner"_a.none() = nb::none())
      .def("vjp", rule(&CustomFunction::vjp_), "f"_a, "Sets the rule for vector-Jacobian products.")
      .def("jvp", rule(&CustomFunction::jvp_), "f"_a, "Sets the rule for Jacobian-vector products.")
      .def("vmap", rule(&CustomFunction::vmap_), "f"_a, "Sets the rule for batching.");

  m.def(
      "checkpoint",
      [](nb::object fun) {
        require_callable("checkpoint", fun);
        return Wrapper(fun, [](nb::handle f, nb::args args, nb::kwargs kwargs) -> nb::object {
          if (!in_tracing()) return call_python(f, args, kwargs);
          auto call = make_call(f, args, kwargs);
          // The first run, which is this call, sees the caller's own containers.
          auto first = std::make_shared<bool>(true);
          auto run = [call, first, &args, &kwargs](const Arrays& in) {
            return std::exchange(*first, false) ? call->run(args, kwargs) : call->run(in);
          };
          Arrays outputs = checkpoint(run)(call->arrays());
          return with_arrays(call->result, outputs);
        });
      },
      "fun"_a, nb::sig("def checkpoint(fun: Callable[P, R]) -> Callable[P, R]"),
      R"(The same function, whose intermediate values are computed again for its gradient.

This trades time for memory: between the forward and the backward pass only the inputs are kept.)");
}

}  // namespace heddle::python
