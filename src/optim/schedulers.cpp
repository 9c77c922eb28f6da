#include <fmt/format.h>

#include <numbers>

#include "heddle/ops/pointwise.h"
#include "heddle/optim.h"

namespace heddle::optim {
namespace {

void require_positive(const char* name, int value) {
  if (value > 0) return;
  throw std::invalid_argument(fmt::format("{} must be greater than 0, but got {}.", name, value));
}

Array counted(const Array& step) { return astype(step, float32); }

}  // namespace

Schedule exponential_decay(double init, double decay_rate) {
  return [=](const Array& step) { return Array(init) * power(Array(decay_rate), counted(step)); };
}

Schedule step_decay(double init, double decay_rate, int step_size) {
  require_positive("step_size", step_size);
  return [=](const Array& step) {
    Array times = floor_divide(step, Array(step_size, step.dtype()));
    return Array(init) * power(Array(decay_rate), counted(times));
  };
}

Schedule cosine_decay(double init, int decay_steps, double end) {
  require_positive("decay_steps", decay_steps);
  return [=](const Array& step) {
    Array last(static_cast<double>(decay_steps));
    Array angle = Array(std::numbers::pi) * (minimum(counted(step), last) / last);
    return Array(end) + Array(0.5 * (init - end)) * (Array(1.f) + cos(angle));
  };
}

Schedule linear_schedule(double init, double end, int steps) {
  require_positive("steps", steps);
  return [=](const Array& step) {
    Array passed = minimum(counted(step), Array(static_cast<double>(steps)));
    return passed * Array((end - init) / steps) + Array(init);
  };
}

Schedule join_schedules(std::vector<Schedule> schedules, std::vector<int> boundaries) {
  if (schedules.empty()) throw std::invalid_argument("Must provide at least 1 schedule to join.");
  if (boundaries.size() != schedules.size() - 1) {
    throw std::invalid_argument(fmt::format("Received {} boundaries but expected {}.",
                                            boundaries.size(), schedules.size() - 1));
  }
  return [schedules = std::move(schedules), boundaries = std::move(boundaries)](const Array& step) {
    Array value = schedules[0](step);
    for (size_t i = 0; i < boundaries.size(); i++) {
      Array boundary(boundaries[i], step.dtype());
      value = where(step < boundary, value, schedules[i + 1](step - boundary));
    }
    return value;
  };
}

}  // namespace heddle::optim
