// What reports say.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "heddle/program.h"

namespace heddle {
namespace {

const char* name_of(Issue::Severity s) {
  switch (s) {
    case Issue::Severity::note:
      return "note";
    case Issue::Severity::warning:
      return "warning";
    case Issue::Severity::error:
      return "error";
  }
  return "error";
}

}  // namespace

bool Report::runnable() const {
  return std::none_of(issues.begin(), issues.end(),
                      [](const Issue& i) { return i.severity == Issue::Severity::error; });
}

double Report::coverage() const {
  return steps == 0 ? std::numeric_limits<double>::quiet_NaN() : double(supported) / steps;
}

std::string Report::to_json() const {
  using Json = nlohmann::ordered_json;
  Json all = Json::array();
  for (const Issue& i : issues) {
    all.push_back({{"code", i.code},
                   {"severity", name_of(i.severity)},
                   {"op", i.op},
                   {"message", i.message},
                   {"hint", i.hint},
                   {"name", i.origin.name},
                   {"module_path", i.origin.module_path},
                   {"location", i.origin.location}});
  }
  const Json out{{"dialect", dialect},     {"steps", steps},
                 {"supported", supported}, {"coverage", steps == 0 ? Json() : Json(coverage())},
                 {"runnable", runnable()}, {"issues", std::move(all)}};
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string to_string(const Report& report) {
  std::string out = report.steps == 0 ? fmt::format("{}: no steps", report.dialect)
                                      : fmt::format("{}: {} of {} steps", report.dialect,
                                                    report.supported, report.steps);
  for (const Issue& i : report.issues) {
    out += fmt::format("\n{} {}: {}", i.code, i.op, i.message);
    if (!i.hint.empty()) out += fmt::format(" ({})", i.hint);
    for (const std::string* place : {&i.origin.name, &i.origin.module_path, &i.origin.location}) {
      if (!place->empty()) out += ", " + *place;
    }
  }
  return out;
}

}  // namespace heddle
