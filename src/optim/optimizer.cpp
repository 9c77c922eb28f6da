#include <fmt/format.h>

#include <algorithm>

#include "heddle/ops/arithmetic.h"
#include "heddle/optim.h"
#include "optim/update.h"

namespace heddle::optim {

void Optimizer::set_learning_rate(const Rate& rate) {
  if (const auto* schedule = std::get_if<Schedule>(&rate)) {
    schedule_ = *schedule;
    rate_ = schedule_(step_);
  } else {
    schedule_ = nullptr;
    rate_ = Array(std::get<double>(rate));
  }
}

void Optimizer::update(nn::Module& model, const Parameters& gradients) {
  model.update(apply_gradients(gradients, model.parameters()));
}

void Optimizer::init(const Parameters& parameters) {
  for (const auto& [path, parameter] : parameters) {
    if (!states_.count(path)) states_.emplace(path, init_single(parameter));
  }
}

Parameters Optimizer::apply_gradients(const Parameters& gradients, const Parameters& parameters) {
  std::map<std::string, Array> by_path(parameters.begin(), parameters.end());
  if (schedule_) rate_ = schedule_(step_);
  step_ = step_ + Array(1, uint64);
  Update update(*this, rate_, step_);
  Parameters out;
  for (const auto& [path, gradient] : gradients) {
    auto parameter = by_path.find(path);
    if (parameter == by_path.end()) {
      throw std::invalid_argument(
          fmt::format("[optimizer] There is a gradient for \"{}\" but no such parameter.", path));
    }
    auto state = states_.find(path);
    if (state == states_.end()) {
      state = states_.emplace(path, init_single(parameter->second)).first;
    }
    out.emplace_back(path, update(gradient, parameter->second, state->second));
  }
  return out;
}

Parameters Optimizer::state() const {
  Parameters out{{"step", step_}};
  if (rate_) out.emplace_back("learning_rate", rate_);
  for (const auto& [path, state] : states_) {
    for (const auto& [name, array] : state) out.emplace_back(path + "." + name, array);
  }
  return out;
}

void Optimizer::set_state(const Parameters& state) {
  states_.clear();
  for (const auto& [path, array] : state) {
    const size_t dot = path.rfind('.');
    if (path == "step") {
      step_ = array;
    } else if (path == "learning_rate") {
      rate_ = array;
    } else if (dot == std::string::npos) {
      throw std::invalid_argument(
          fmt::format("[optimizer] Unknown entry \"{}\" of a state.", path));
    } else {
      states_[path.substr(0, dot)][path.substr(dot + 1)] = array;
    }
  }
}

CapturedState captured(Optimizer& optimizer) {
  return {[&optimizer] { return optimizer.state(); },
          [&optimizer](const Parameters& values) { optimizer.set_state(values); }};
}

MultiOptimizer::MultiOptimizer(std::vector<std::shared_ptr<Optimizer>> optimizers,
                               std::vector<Filter> filters)
    : optimizers_(std::move(optimizers)), filters_(std::move(filters)) {
  if (filters_.size() + 1 != optimizers_.size()) {
    throw std::invalid_argument(fmt::format("Given {} filters but {} needed.", filters_.size(),
                                            static_cast<int>(optimizers_.size()) - 1));
  }
}

std::vector<Parameters> MultiOptimizer::divided(const Parameters& parameters) const {
  std::vector<Parameters> parts(optimizers_.size());
  for (const auto& [path, array] : parameters) {
    auto takes = [&, &p = path, &a = array](const Filter& filter) { return filter(p, a); };
    auto chosen = std::find_if(filters_.begin(), filters_.end(), takes) - filters_.begin();
    parts[static_cast<size_t>(chosen)].emplace_back(path, array);
  }
  return parts;
}

void MultiOptimizer::init(const Parameters& parameters) {
  std::vector<Parameters> parts = divided(parameters);
  for (size_t i = 0; i < parts.size(); i++) optimizers_[i]->init(parts[i]);
}

void MultiOptimizer::set_learning_rate(const Rate& rate) {
  for (auto& optimizer : optimizers_) optimizer->set_learning_rate(rate);
}

Parameters MultiOptimizer::state() const {
  Parameters out;
  for (size_t i = 0; i < optimizers_.size(); i++) {
    for (const auto& [path, array] : optimizers_[i]->state()) {
      out.emplace_back(fmt::format("states.{}.{}", i, path), array);
    }
  }
  return out;
}

void MultiOptimizer::set_state(const Parameters& state) {
  std::vector<Parameters> parts(optimizers_.size());
  for (const auto& [path, array] : state) {
    bool known = false;
    for (size_t i = 0; i < parts.size() && !known; i++) {
      const std::string prefix = fmt::format("states.{}.", i);
      known = path.starts_with(prefix);
      if (known) parts[i].emplace_back(path.substr(prefix.size()), array);
    }
    if (!known) throw std::invalid_argument("Invalid state provided");
  }
  for (size_t i = 0; i < parts.size(); i++) optimizers_[i]->set_state(parts[i]);
}

Parameters MultiOptimizer::apply_gradients(const Parameters& gradients,
                                           const Parameters& parameters) {
  const std::vector<Parameters> parts = divided(gradients);
  Parameters out;
  for (size_t i = 0; i < parts.size(); i++) {
    Parameters changed = optimizers_[i]->apply_gradients(parts[i], parameters);
    out.insert(out.end(), changed.begin(), changed.end());
  }
  return out;
}

// Single parameters go to the last optimizer, which takes what no filter asks for.
State MultiOptimizer::init_single(const Array& parameter) const {
  return optimizers_.back()->init_single(parameter);
}
Array MultiOptimizer::apply_single(const Array& gradient, const Array& parameter, State& state,
                                   const Array& rate, const Array& step) const {
  return optimizers_.back()->apply_single(gradient, parameter, state, rate, step);
}

}  // namespace heddle::optim
