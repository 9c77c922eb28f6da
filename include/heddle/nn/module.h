// Modules: objects with named parameters and children. A module lists its members once:
//   class Block : public Module {
//    public:
//     Linear in{4, 8}, out{8, 4};
//     void members(Members& m) override { m("in", in)("out", out); }
//   };
// Parameters are named by the path that leads to them ("in.weight"), as in the files of Python
// models, so that the two read each other's. Modules are values: copying one copies handles on its
// arrays. Unlike operations, a module must not be used by two threads at once.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "heddle/array.h"
#include "heddle/transforms.h"

namespace heddle::nn {

class Module;

// Named arrays in the order in which modules list them.
using Parameters = std::vector<std::pair<std::string, Array>>;

// What a module lists its members to. An absent optional array is no parameter; children in a
// vector are named by their position.
class Members {
 public:
  virtual ~Members() = default;
  Members& operator()(const std::string& name, Array& parameter) {
    visit(name, parameter);
    return *this;
  }
  Members& operator()(const std::string& name, std::optional<Array>& parameter) {
    if (parameter) visit(name, *parameter);
    return *this;
  }
  Members& operator()(const std::string& name, Module& child) {
    visit(name, child);
    return *this;
  }
  template <class T>
  Members& operator()(const std::string& name, std::vector<T>& children) {
    for (size_t i = 0; i < children.size(); i++) {
      (*this)(name + "." + std::to_string(i), child_of(children[i]));
    }
    return *this;
  }

 protected:
  virtual void visit(const std::string& name, Array& parameter) = 0;
  virtual void visit(const std::string& name, Module& child) = 0;

 private:
  template <class T>
  static T& child_of(T& child) {
    return child;
  }
  template <class T>
  static T& child_of(std::shared_ptr<T>& child) {
    return *child;
  }
};

class Module {
 public:
  virtual ~Module() = default;

  virtual void members(Members&) {}  // none, unless the module has some

  Parameters parameters();
  Parameters trainable_parameters();  // those that are not frozen
  // The module itself under "" and all modules inside it, each before its own children.
  std::vector<std::pair<std::string, Module*>> named_modules();

  // Puts new arrays in the place of parameters. With `strict`, a name that the module does not have
  // throws std::invalid_argument.
  void update(const Parameters& parameters, bool strict = true);

  // (Un)freezes the parameters of these names, or all; with `recurse` in all modules inside too.
  void freeze(const std::vector<std::string>& names = {}, bool recurse = true);
  void unfreeze(const std::vector<std::string>& names = {}, bool recurse = true);

  // Training mode, in which modules start; it matters to Dropout and BatchNorm.
  void train(bool mode = true);
  void eval() { train(false); }
  bool training() const { return training_; }

  void set_dtype(Dtype dtype);  // of the floating parameters

  // Every parameter, or those for which `wanted` holds, replaced by a function of it.
  using ParameterFilter = std::function<bool(const std::string& path, const Array& parameter)>;
  void apply(const std::function<Array(const Array&)>& function,
             const ParameterFilter& wanted = {});

  // Files, .safetensors or .npz as the name says. With `strict`, missing and superfluous names and
  // other shapes throw std::invalid_argument; without it, what fits is taken.
  void load_weights(const std::string& path, bool strict = true);
  void load_weights(const Parameters& weights, bool strict = true);
  void save_weights(const std::string& path);

 protected:
  virtual void mode_changed() {}  // after train() or eval()
  virtual void unfrozen() {}      // after unfreeze()

 private:
  friend class MemberWalk;
  bool training_ = true;
  std::set<std::string> frozen_;  // names of own parameters
};

// A module from one array to another, as containers hold them.
class Layer : public Module {
 public:
  virtual Array operator()(const Array& x) = 0;
};

// The value of `function`, which uses the module, and its gradients with respect to the module's
// trainable parameters, in their order. The module is as before afterwards, but for what the
// function itself changed (running averages).
std::pair<Array, Parameters> value_and_grad(Module& module, const std::function<Array()>& function);

// The same function, which uses the module, with intermediate values that are computed again for
// gradients with respect to its arguments and the module's trainable parameters, instead of kept.
// The module must live as long as gradients are taken.
heddle::Function checkpoint(Module& module, heddle::Function function);

// The module's parameters (running averages included) as state of a compiled function. The module
// must outlive it.
CapturedState captured(Module& module);

}  // namespace heddle::nn
