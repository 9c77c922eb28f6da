// The callables that transformations return: they keep the name, documentation and signature of the
// function they wrap, bind as methods, and take part in garbage collection.
#pragma once

#include <functional>

#include "bind.h"

namespace heddle::python {

class Wrapper {
 public:
  using Call = std::function<nb::object(nb::handle fun, nb::args, nb::kwargs)>;
  // `kept`: further objects that the call uses (captured state), owned by the wrapper.
  Wrapper(nb::object fun, Call call, std::vector<nb::object> kept = {})
      : fun_(std::move(fun)), call_(std::move(call)), kept_(std::move(kept)) {}

  nb::object operator()(nb::args args, nb::kwargs kwargs) const {
    return call_(fun_, std::move(args), std::move(kwargs));
  }
  nb::handle fun() const { return fun_; }
  const std::vector<nb::object>& kept() const { return kept_; }
  void clear() {
    kept_.clear();
    call_ = nullptr;
    fun_.reset();
  }

 private:
  nb::object fun_;
  Call call_;
  std::vector<nb::object> kept_;
};

void bind_wrapper(nb::module_& m);

// Throws TypeError unless `fun` can be called; `name` is the transformation's.
void require_callable(const char* name, nb::handle fun);

}  // namespace heddle::python
