#include "heddle/nn/module.h"

#include <fmt/format.h>

#include <map>
#include <unordered_map>

#include "heddle/io.h"
#include "heddle/ops/arithmetic.h"
#include "heddle/transforms.h"
#include "ops/checks.h"

namespace heddle::nn {

// Calls functions for the parameters and modules of a tree, with their paths.
class MemberWalk : public Members {
 public:
  std::function<void(const std::string& path, Array& parameter, Module& owner, bool frozen)>
      on_parameter;
  std::function<void(const std::string& path, Module& module)> on_module;
  bool recurse = true;

  void walk(Module& module, const std::string& path = "") {
    Module* outer = std::exchange(module_, &module);
    std::string outer_path = std::exchange(path_, path);
    if (on_module) on_module(path, module);
    module.members(*this);
    module_ = outer;
    path_ = outer_path;
  }

  static std::set<std::string>& frozen_names(Module& module) { return module.frozen_; }
  static void set_mode(Module& module, bool training) {
    module.training_ = training;
    module.mode_changed();
  }
  static void unfrozen(Module& module) { module.unfrozen(); }

 protected:
  void visit(const std::string& name, Array& parameter) override {
    if (on_parameter) {
      on_parameter(inside(name), parameter, *module_, frozen_names(*module_).count(name) > 0);
    }
  }
  void visit(const std::string& name, Module& child) override {
    if (recurse) walk(child, inside(name));
  }

 private:
  std::string inside(const std::string& name) const {
    return path_.empty() ? name : path_ + "." + name;
  }
  Module* module_ = nullptr;
  std::string path_;
};

namespace {

Parameters listed(Module& module, bool frozen_too) {
  Parameters out;
  MemberWalk walk;
  walk.on_parameter = [&](const std::string& path, Array& parameter, Module&, bool frozen) {
    if (frozen_too || !frozen) out.emplace_back(path, parameter);
  };
  walk.walk(module);
  return out;
}

std::string last_name(const std::string& path) { return path.substr(path.rfind('.') + 1); }

// The names of a list, one below the other, as messages show them.
std::string lines(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ",\n"));
}

void check_weights(const NamedArrays& weights, const Parameters& parameters) {
  std::map<std::string, Shape> wanted;
  for (const auto& [path, parameter] : parameters) wanted[path] = parameter.shape();
  std::vector<std::string> extra, missing;
  for (const auto& [path, weight] : std::map<std::string, Array>(weights.begin(), weights.end())) {
    if (!wanted.count(path)) extra.push_back(path);
  }
  for (const auto& [path, shape] : wanted) {
    if (!weights.count(path)) missing.push_back(path);
  }
  if (!extra.empty()) {
    throw std::invalid_argument(
        fmt::format("Received {} parameters not in model: \n{}.", extra.size(), lines(extra)));
  }
  if (!missing.empty()) {
    throw std::invalid_argument(
        fmt::format("Missing {} parameters: \n{}.", missing.size(), lines(missing)));
  }
  for (const auto& [path, shape] : wanted) {
    const Shape& given = weights.at(path).shape();
    if (given != shape) {
      throw std::invalid_argument(
          fmt::format("Expected shape {} but received shape {} for parameter {}", to_string(shape),
                      to_string(given), path));
    }
  }
}

}  // namespace

Parameters Module::parameters() { return listed(*this, true); }
Parameters Module::trainable_parameters() { return listed(*this, false); }

std::vector<std::pair<std::string, Module*>> Module::named_modules() {
  std::vector<std::pair<std::string, Module*>> out;
  MemberWalk walk;
  walk.on_module = [&](const std::string& path, Module& module) {
    out.emplace_back(path, &module);
  };
  walk.walk(*this);
  return out;
}

void Module::update(const Parameters& parameters, bool strict) {
  std::unordered_map<std::string, const Array*> given;
  for (const auto& [path, array] : parameters) given[path] = &array;
  MemberWalk walk;
  walk.on_parameter = [&](const std::string& path, Array& parameter, Module&, bool) {
    auto at = given.find(path);
    if (at == given.end()) return;
    parameter = *at->second;
    given.erase(at);
  };
  walk.walk(*this);
  if (strict && !given.empty()) {
    throw std::invalid_argument(
        fmt::format("Module does not have parameter named \"{}\".", given.begin()->first));
  }
}

void Module::freeze(const std::vector<std::string>& names, bool recurse) {
  MemberWalk walk;
  walk.recurse = recurse;
  std::set<std::string> wanted(names.begin(), names.end());
  walk.on_parameter = [&](const std::string& path, Array&, Module& owner, bool) {
    std::string name = last_name(path);
    if (wanted.empty() || wanted.count(name)) MemberWalk::frozen_names(owner).insert(name);
  };
  walk.walk(*this);
}

void Module::unfreeze(const std::vector<std::string>& names, bool recurse) {
  MemberWalk walk;
  walk.recurse = recurse;
  std::set<std::string> wanted(names.begin(), names.end());
  walk.on_parameter = [&](const std::string& path, Array&, Module& owner, bool) {
    std::string name = last_name(path);
    if (wanted.empty() || wanted.count(name)) MemberWalk::frozen_names(owner).erase(name);
  };
  std::vector<Module*> touched;
  walk.on_module = [&](const std::string&, Module& module) { touched.push_back(&module); };
  walk.walk(*this);
  for (Module* module : touched) MemberWalk::unfrozen(*module);
}

void Module::train(bool mode) {
  MemberWalk walk;
  walk.on_module = [&](const std::string&, Module& module) { MemberWalk::set_mode(module, mode); };
  walk.walk(*this);
}

void Module::apply(const std::function<Array(const Array&)>& function,
                   const ParameterFilter& wanted) {
  MemberWalk walk;
  walk.on_parameter = [&](const std::string& path, Array& parameter, Module&, bool) {
    if (!wanted || wanted(path, parameter)) parameter = function(parameter);
  };
  walk.walk(*this);
}

void Module::set_dtype(Dtype dtype) {
  apply([&](const Array& parameter) { return astype(parameter, dtype); },
        [](const std::string&, const Array& parameter) { return is_floating(parameter.dtype()); });
}

void Module::load_weights(const std::string& path, bool strict) {
  NamedArrays weights = path.ends_with(".npz") ? load_npz(path) : load_safetensors(path).first;
  load_weights(Parameters(weights.begin(), weights.end()), strict);
}
void Module::load_weights(const Parameters& weights, bool strict) {
  if (strict) check_weights(NamedArrays(weights.begin(), weights.end()), parameters());
  update(weights, false);
}

void Module::save_weights(const std::string& path) {
  Parameters all = parameters();
  if (path.ends_with(".npz")) return savez(path, all);
  if (path.ends_with(".safetensors")) {
    return save_safetensors(path, std::map<std::string, Array>(all.begin(), all.end()));
  }
  throw std::invalid_argument(
      fmt::format("Unsupported file extension for {}. Use '.npz' or '.safetensors'.", path));
}

namespace {

// The trainable parameters as they are now; puts them back at the end, also after an exception.
class Kept {
 public:
  explicit Kept(Module& module) : module_(module), before_(module.trainable_parameters()) {}
  ~Kept() {
    try {
      module_.update(before_, false);
    } catch (const std::exception&) {  // no memory: what is left without a value says so when used
    }
  }
  const Parameters& before() const { return before_; }
  void put(const Arrays& values) {
    Parameters parameters = before_;
    for (size_t i = 0; i < parameters.size(); i++) parameters[i].second = values[i];
    module_.update(parameters);
  }

 private:
  Module& module_;
  Parameters before_;
};

}  // namespace

std::pair<Array, Parameters> value_and_grad(Module& module,
                                            const std::function<Array()>& function) {
  Kept kept(module);
  Arrays inputs;
  std::vector<int> argnums;
  for (const auto& [path, parameter] : kept.before()) {
    argnums.push_back(static_cast<int>(inputs.size()));
    inputs.push_back(parameter);
  }
  if (inputs.empty()) refuse("value_and_grad", "The module has no trainable parameters.");
  auto with_parameters = [&](const Arrays& values) {
    kept.put(values);
    return Arrays{function()};
  };
  auto [values, gradients] = heddle::value_and_grad(with_parameters, argnums)(inputs);
  Parameters out = kept.before();
  for (size_t i = 0; i < gradients.size(); i++) out[i].second = gradients[i];
  return {values[0], out};
}

heddle::Function checkpoint(Module& module, heddle::Function function) {
  return [&module, function = std::move(function)](const Arrays& inputs) {
    Arrays all;
    for (const auto& [path, parameter] : module.trainable_parameters()) all.push_back(parameter);
    const auto count = static_cast<long>(all.size());
    all.insert(all.end(), inputs.begin(), inputs.end());
    auto with_parameters = [&module, function, count](const Arrays& given) {
      Kept kept(module);
      kept.put(Arrays(given.begin(), given.begin() + count));
      return function(Arrays(given.begin() + count, given.end()));
    };
    return heddle::checkpoint(with_parameters)(all);
  };
}

CapturedState captured(Module& module) {
  return {[&module] { return module.parameters(); },
          [&module](const Parameters& values) { module.update(values); }};
}

}  // namespace heddle::nn
